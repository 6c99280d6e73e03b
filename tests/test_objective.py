"""The fast path against a float64 numpy reference of equation 2 of the paper."""

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
import torch

from skautorec._core.encoding import Encoding, row_blocks
from skautorec._core.network import AutoRec, SparseRows
from skautorec._core.sparse import Pattern, at_observed, times_dense
from skautorec._core.training import Batch, Progress, Settings, add_gradient, initialise, train


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def reference(R, V, mu, W, b, lambd):
    """Equation 2 and its gradient for rows of ``R``, NaN unobserved: twenty lines of numpy."""
    observed = ~np.isnan(R)
    r = np.where(observed, R, 0)
    z = sigmoid(r @ V + mu)
    e = np.where(observed, z @ W.T + b - r, 0)
    loss = (e**2).sum() + lambd / 2 * ((V**2).sum() + (W**2).sum())
    dz = (2 * e @ W) * z * (1 - z)
    return loss, {
        "V": r.T @ dz + lambd * V,
        "mu": dz.sum(axis=0),
        "W": 2 * e.T @ z + lambd * W,
        "b": 2 * e.sum(axis=0),
    }


def random_ratings(n_rows=9, n_columns=7, density=0.4, seed=0):
    rng = np.random.default_rng(seed)
    R = rng.integers(0, 6, (n_rows, n_columns)).astype(float)  # with explicit zeros
    R[rng.random(R.shape) > density] = np.nan
    R[3], R[:, 2] = np.nan, np.nan  # a row and a column without ratings
    R[0, :2] = 4, 0
    return R


def to_batch(R, dtype=torch.float64):
    rows, columns = np.nonzero(~np.isnan(R))
    csr = scipy.sparse.coo_array((R[rows, columns], (rows, columns)), shape=R.shape).tocsr()
    pattern = Pattern.from_csr(csr.indptr, csr.indices, csr.shape)
    values = torch.tensor(csr.data, dtype=dtype)
    return Batch(SparseRows(pattern, (values,)), pattern, values)


def small_network(batch, k=3, dtype=torch.float64, **kwargs):
    network = AutoRec(batch.targets.shape[1], batch.targets.shape[1], (k,), **kwargs).to(dtype)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=dtype))
    return network


def settings(**changed):
    values = {
        "hidden_units": (3,),
        "lambd": 1.0,
        "activation": "sigmoid",
        "solver": "adam",
        "learning_rate": 0.01,
        "batch_size": None,
        "max_iter": 300,
        "tol": 0.0,
        "n_iter_no_change": 300,
        "dropout": 0.0,
        "early_stopping": False,
    }
    return Settings(**(values | changed))


@pytest.mark.parametrize("lambd", [0.5, 30.0])
def test_objective_and_gradient_match_the_reference(lambd):
    R = random_ratings()
    batch = to_batch(R)
    network = small_network(batch)
    loss = add_gradient(network, batch, lambd)
    V, mu = network.weights[0], network.biases[0]
    W, b = network.decoder_weight, network.decoder_bias
    expected, gradient = reference(R, *(p.detach().numpy() for p in (V, mu, W, b)), lambd)
    assert float(loss) == pytest.approx(expected, rel=1e-12)
    for name, parameter in zip(("V", "mu", "W", "b"), (V, mu, W, b), strict=True):
        np.testing.assert_allclose(parameter.grad.numpy(), gradient[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "identity"])
@pytest.mark.parametrize("hidden_units", [(3,), (4, 2)])
def test_finite_differences(activation, hidden_units):
    batch = to_batch(random_ratings())
    ones = torch.ones_like(batch.values)
    batch = Batch(SparseRows(batch.targets, (batch.values - 3, ones)), batch.targets, batch.values)
    network = AutoRec(7, 7, hidden_units, activation, n_channels=2).double()
    initialise(network, batch, torch.Generator().manual_seed(1))
    add_gradient(network, batch, 2.0)
    gradients = [parameter.grad.clone() for parameter in network.parameters()]
    step = 1e-6
    for parameter, gradient in zip(network.parameters(), gradients, strict=True):
        flat, gradient = parameter.data.view(-1), gradient.view(-1)
        for i in range(0, len(flat), 3):
            losses = []
            for sign in (1, -1):
                flat[i] += sign * step
                losses.append(float(add_gradient(network, batch, 2.0)))
                flat[i] -= sign * step
            assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(
                float(gradient[i]), rel=1e-5, abs=1e-4
            )


def test_both_products_pass_gradcheck():
    pattern = to_batch(random_ratings()).targets
    values = torch.rand(pattern.nnz, dtype=torch.float64)
    left, right = torch.rand(9, 3).double(), torch.rand(7, 3).double()
    bias = torch.rand(7).double()
    for tensor in (left, right, bias):
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(lambda v: times_dense(pattern, values, v), (right,))
    assert torch.autograd.gradcheck(lambda *args: at_observed(pattern, *args), (left, right, bias))


def test_lambd_changes_the_fit_and_shrinks_both_norms():
    batch = to_batch(random_ratings(30, 20), torch.float32)
    norms = []
    for lambd in (0.1, 3.0, 100.0):
        network = small_network(batch, dtype=torch.float32)
        train(network, batch, settings(lambd=lambd), torch.Generator(), Progress())
        norms.append([float(p.detach().norm()) for p in parameters(network)])
    encoder, _, decoder, _ = zip(*norms, strict=True)
    assert encoder[0] > 1.1 * encoder[1] > 1.2 * encoder[2]
    assert decoder[0] > 1.1 * decoder[1] > 1.2 * decoder[2]


@pytest.mark.parametrize("batch_size", [1, 4, 8])
def test_minibatches_sum_to_the_full_objective_and_gradient(batch_size):
    R = random_ratings(30, 20)
    batch = to_batch(R)
    network = small_network(batch)
    full = add_gradient(network, batch, 5.0)
    gradient = network.weights[0].grad.clone()
    network.zero_grad()
    parts = [batch.take(rows) for rows in torch.randperm(30).split(batch_size)]
    assert sum(len(part.values) for part in parts) == len(batch.values)
    total = 0.0
    for part in parts:
        share = len(part.values) / len(batch.values)
        total += float(add_gradient(network, part, 5.0, share))
    assert total == pytest.approx(float(full), rel=1e-10)
    torch.testing.assert_close(network.weights[0].grad, gradient)


def test_batch_size_does_not_move_the_optimum():
    batch = to_batch(random_ratings(30, 20), torch.float32)

    def reached(lambd, batch_size):
        network = small_network(batch, dtype=torch.float32)
        chosen = settings(lambd=lambd, batch_size=batch_size, max_iter=800, learning_rate=0.02)
        train(network, batch, chosen, torch.Generator().manual_seed(0), Progress())
        return float(add_gradient(network, batch, 30.0))

    full, in_three_batches, penalised_three_times = (
        reached(30, None),
        reached(30, 10),
        reached(90, None),
    )
    assert in_three_batches - full < 0.3 * (penalised_three_times - full)


@pytest.mark.parametrize("solver", ["adam", "rprop", "lbfgs"])
def test_every_solver_reaches_the_minimum_of_the_reference(solver):
    R, lambd, k = random_ratings(30, 20), 30.0, 3
    batch = to_batch(R, torch.float32)
    network = small_network(batch, k, torch.float32)
    start = [p.detach().double().numpy() for p in parameters(network)]
    shapes = [array.shape for array in start]
    ends = np.cumsum([array.size for array in start])[:-1]

    def loss_and_gradient(flat):
        parts = [p.reshape(s) for p, s in zip(np.split(flat, ends), shapes, strict=True)]
        loss, gradient = reference(R, *parts, lambd)
        return loss, np.concatenate([gradient[name].ravel() for name in ("V", "mu", "W", "b")])

    flat = np.concatenate([array.ravel() for array in start])
    lowest = scipy.optimize.minimize(loss_and_gradient, flat, jac=True, method="L-BFGS-B").fun
    rate = {"adam": 0.05, "rprop": 0.01, "lbfgs": 1.0}[solver]
    chosen = settings(solver=solver, lambd=lambd, max_iter=500, learning_rate=rate)
    history = train(network, batch, chosen, torch.Generator(), Progress())
    assert history.losses[0] > 2 * lowest
    assert history.losses[-1] == pytest.approx(lowest, rel=0.01)


def parameters(network):
    return (
        network.weights[0],
        network.biases[0],
        network.decoder_weight,
        network.decoder_bias,
    )


def test_training_stops_when_the_objective_stalls():
    batch = to_batch(random_ratings(), torch.float32)
    network = small_network(batch, dtype=torch.float32)
    chosen = settings(max_iter=2000, tol=0.01, n_iter_no_change=5)
    history = train(network, batch, chosen, torch.Generator(), Progress())
    assert 5 < len(history.losses) < 1000


def test_dropout_hides_cells_and_scales_up_the_others():
    batch = to_batch(random_ratings(60, 50))
    dropped = batch.drop(0.7, torch.Generator().manual_seed(0))
    (values,), (kept,) = batch.rows.channels, dropped.rows.channels
    rated = values != 0
    hidden = kept == 0
    assert 0.65 < float(hidden[rated].double().mean()) < 0.75
    torch.testing.assert_close(kept[~hidden], values[~hidden] / 0.3)
    assert dropped.targets is batch.targets and dropped.values is batch.values


def test_validation_restores_the_best_parameters():
    batch = to_batch(random_ratings(30, 20), torch.float32)
    validation = Batch(batch.rows, batch.targets, batch.values.flip(0))  # what training unlearns
    network = small_network(batch, dtype=torch.float32)
    chosen = settings(max_iter=100, n_iter_no_change=20)
    history = train(
        network, batch, chosen, torch.Generator().manual_seed(0), Progress(), validation
    )
    values = validation.values
    with torch.no_grad():
        errors = network(validation.rows, validation.targets) - values
    score = 1 - float(errors.square().sum() / (values - values.mean()).square().sum())
    assert score == pytest.approx(max(history.scores), abs=1e-5)
    assert history.n_epochs == np.argmax(history.scores) + 1


def test_biases_tell_a_generous_user_from_a_good_item():
    rng = np.random.default_rng(0)
    n_users, n_items = 60, 40
    generosity, quality = np.linspace(-1, 1, n_users), np.linspace(-1, 1, n_items)
    # Generous users rate the bad items, so that plain means confuse the two.
    observed = rng.random((n_users, n_items)) < 0.1 + 0.8 * (
        np.sign(generosity)[:, None] != np.sign(quality)
    )
    ratings = scipy.sparse.csr_array(
        np.where(observed, 3 + generosity[:, None] + quality, 0.0) * observed
    )
    plain_means = ratings.sum(axis=0) / observed.sum(axis=0)
    encoding = Encoding.of(ratings, "ratings")
    assert np.corrcoef(plain_means, quality)[0, 1] < 0.8
    assert np.corrcoef(encoding.reference, quality)[0, 1] > 0.9
    assert np.corrcoef(encoding.biases(ratings), generosity)[0, 1] > 0.9


def test_an_epoch_uses_kernels_that_every_build_of_torch_has():
    """Two native kernels do the sparse work; the CSR product, which needs MKL, none of it."""
    batch = to_batch(random_ratings(), torch.float32)
    network = small_network(batch, dtype=torch.float32)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        add_gradient(network, batch, 1.0)
    used = {event.key for event in profile.key_averages()}
    assert {"aten::embedding_bag", "aten::sparse_sampled_addmm"} <= used
    assert not used & {"aten::mm", "aten::addmm", "aten::_sparse_mm", "aten::bmm"}


def test_blocks_of_rows_are_small_and_cover_the_matrix():
    lengths = np.concatenate((np.ones(40_000, int), [2**19, 0, 3]))
    indptr = np.concatenate(([0], np.cumsum(lengths)))
    stored = (np.zeros(indptr[-1], bool), np.zeros(indptr[-1], np.int32), indptr)
    matrix = scipy.sparse.csr_array(stored, shape=(len(lengths), 1))
    reached = 0
    for rows, block in row_blocks(matrix):
        assert rows.start == reached and block.shape[0] == rows.stop - rows.start
        assert block.nnz == lengths[rows].sum() and (block.nnz <= 2**18 or block.shape[0] == 1)
        assert block.shape[0] <= 2**14
        reached = rows.stop
    assert reached == len(lengths)
