"""The fast path against a float64 numpy reference of equation 2 of the paper."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
import torch

from skautorec._core import training
from skautorec._core.draws import Draws
from skautorec._core.encoding import Encoding, row_blocks
from skautorec._core.journal import Journal
from skautorec._core.matrix import rows_of_cells
from skautorec._core.network import AutoRec
from skautorec._core.solvers import SOLVERS, STOCHASTIC
from skautorec._core.sparse import at_observed, times_dense
from skautorec._core.training import (
    Batch,
    Progress,
    Settings,
    add_gradient,
    initialise,
    train,
)
from skautorec._data.inputs import hide_ratings


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def reference(X, R, V, mu, W, b, lambd):
    """Equation 2 and its gradient, inputs ``X``, targets ``R``, NaN unobserved: twenty lines."""
    observed = ~np.isnan(R)
    x = np.nan_to_num(X)
    z = sigmoid(x @ V + mu)
    e = np.where(observed, z @ W.T + b - np.nan_to_num(R), 0)
    loss = (e**2).sum() + lambd / 2 * ((V**2).sum() + (W**2).sum())
    dz = (2 * e @ W) * z * (1 - z)
    return loss, {
        "V": x.T @ dz + lambd * V,
        "mu": dz.sum(axis=0),
        "W": 2 * e.T @ z + lambd * W,
        "b": 2 * e.sum(axis=0),
    }


def given_to_reference(R, encoding):
    """Inputs and targets of the reference: rows by their lengths, and what their biases leave."""
    observed = ~np.isnan(R)
    lengths = observed.sum(axis=1, keepdims=True)
    deviations = np.where(observed, R - encoding.reference, 0).sum(axis=1, keepdims=True)
    biases = deviations / (lengths + encoding.damping)
    return R * encoding.scale / np.sqrt(np.maximum(lengths, 1)), R - biases


def random_ratings(n_rows=9, n_columns=7, density=0.4, seed=0):
    rng = np.random.default_rng(seed)
    R = rng.integers(0, 6, (n_rows, n_columns)).astype(float)  # with explicit zeros
    R[rng.random(R.shape) > density] = np.nan
    R[3], R[:, 2] = np.nan, np.nan  # a row and a column without ratings
    R[0, :2] = 4, 0
    return R


def to_csr(R):
    rows, columns = np.nonzero(~np.isnan(R))
    return scipy.sparse.coo_array((R[rows, columns], (rows, columns)), shape=R.shape).tocsr()


def to_batches(R, n_parts=1, style="ratings", seed=0):
    """Batches of random rows, of sizes that differ by one row at most."""
    csr = to_csr(R)
    encoding = Encoding.of(csr, style)
    order = np.random.default_rng(seed).permutation(len(R)) if n_parts > 1 else np.arange(len(R))
    return [
        Batch.of(rows, cells, cells, encoding, "cpu")
        for rows in np.array_split(order, n_parts)
        for cells in [csr[rows]]
    ]


def to_batch(R, style="ratings"):
    return to_batches(R, style=style)[0]


def double(view):
    """The same step in double precision, so that sums can be compared."""
    channels = tuple(channel.double() for channel in view.rows.channels)
    return replace(view, rows=replace(view.rows, channels=channels), values=view.values.double())


def small_network(batch, k=3, dtype=torch.float64, **kwargs):
    network = AutoRec(batch.pattern.shape[1], batch.targets.shape[1], (k,), **kwargs).to(dtype)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=dtype))
    return network


def objective(network, batches, lambd):
    """Equation 2 of all batches, whatever the network was trained on."""
    total = sum(len(batch.values) for batch in batches)
    return sum(
        float(add_gradient(network, batch.whole(), lambd, len(batch.values) / total))
        for batch in batches
    )


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
    }
    return Settings(**(values | changed))


@pytest.mark.parametrize("lambd", [0.5, 30.0])
def test_objective_and_gradient_match_the_reference(lambd):
    R = random_ratings()
    batch = to_batch(R)
    network = small_network(batch)
    loss = add_gradient(network, double(batch.whole()), lambd)
    V, mu = network.weights[0], network.biases[0]
    W, b = network.decoder_weight, network.decoder_bias
    given = given_to_reference(R, batch.encoding)
    expected, gradient = reference(*given, *(p.detach().numpy() for p in (V, mu, W, b)), lambd)
    # The inputs of the fast path are in single precision.
    assert float(loss) == pytest.approx(expected, rel=1e-6)
    for name, parameter in zip(("V", "mu", "W", "b"), (V, mu, W, b), strict=True):
        np.testing.assert_allclose(parameter.grad.numpy(), gradient[name], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "identity"])
@pytest.mark.parametrize("hidden_units", [(3,), (4, 2)])
def test_finite_differences(activation, hidden_units):
    batch = to_batch(random_ratings(), "residuals")
    network = AutoRec(7, 7, hidden_units, activation, n_channels=2).double()
    initialise(network, [batch], Draws(1))
    for view in (batch.whole(), batch.hide(0.5, Draws(0))):
        view = double(view)
        network.zero_grad()
        add_gradient(network, view, 2.0)
        gradients = [parameter.grad.clone() for parameter in network.parameters()]
        step = 1e-6
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            flat, gradient = parameter.data.view(-1), gradient.view(-1)
            for i in range(0, len(flat), 3):
                losses = []
                for sign in (1, -1):
                    flat[i] += sign * step
                    losses.append(float(add_gradient(network, view, 2.0)))
                    flat[i] -= sign * step
                assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(
                    float(gradient[i]), rel=1e-5, abs=1e-4
                )


def test_both_products_pass_gradcheck():
    pattern = to_batch(random_ratings()).pattern
    values = torch.rand(pattern.nnz, dtype=torch.float64)
    left, right = torch.rand(9, 3).double(), torch.rand(7, 3).double()
    bias = torch.rand(7).double()
    for tensor in (left, right, bias):
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(lambda v: times_dense(pattern, values, v), (right,))
    assert torch.autograd.gradcheck(lambda *args: at_observed(pattern, *args), (left, right, bias))


def test_lambd_changes_the_fit_and_shrinks_both_norms():
    batch = to_batch(random_ratings(30, 20))
    norms = []
    for lambd in (0.1, 3.0, 100.0):
        network = small_network(batch, dtype=torch.float32)
        train(network, [batch], settings(lambd=lambd), Draws(0), Progress(), [], Journal())
        norms.append([float(p.detach().norm()) for p in parameters(network)])
    encoder, _, decoder, _ = zip(*norms, strict=True)
    assert encoder[0] > 1.1 * encoder[1] > 1.2 * encoder[2]
    assert decoder[0] > 1.1 * decoder[1] > 1.2 * decoder[2]


@pytest.mark.parametrize("n_parts", [30, 8, 4])
def test_minibatches_sum_to_the_full_objective_and_gradient(n_parts):
    R = random_ratings(30, 20)
    batch = to_batch(R)
    network = small_network(batch)
    full = add_gradient(network, double(batch.whole()), 5.0)
    gradient = network.weights[0].grad.clone()
    network.zero_grad()
    parts = [part for part in to_batches(R, n_parts) if len(part.values)]
    assert sum(len(part.values) for part in parts) == len(batch.values)
    total = 0.0
    for part in parts:
        share = len(part.values) / len(batch.values)
        total += float(add_gradient(network, double(part.whole()), 5.0, share))
    assert total == pytest.approx(float(full), rel=1e-6)
    torch.testing.assert_close(network.weights[0].grad, gradient, rtol=1e-5, atol=1e-5)


def test_batch_size_does_not_move_the_optimum():
    R = random_ratings(30, 20)
    batch = to_batch(R)

    def reached(lambd, n_parts):
        network = small_network(batch, dtype=torch.float32)
        chosen = settings(lambd=lambd, max_iter=800, learning_rate=0.02)
        train(network, to_batches(R, n_parts), chosen, Draws(0), Progress(), [], Journal())
        return objective(network, [batch], 30.0)

    full, in_three_batches, penalised_three_times = reached(30, 1), reached(30, 3), reached(90, 1)
    assert in_three_batches - full < 0.3 * (penalised_three_times - full)


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_reaches_the_minimum_of_the_reference(solver):
    R, lambd, k = random_ratings(30, 20), 30.0, 3
    batch = to_batch(R)
    network = small_network(batch, k, torch.float32)
    start = [p.detach().double().numpy() for p in parameters(network)]
    shapes = [array.shape for array in start]
    ends = np.cumsum([array.size for array in start])[:-1]
    given = given_to_reference(R, batch.encoding)

    def loss_and_gradient(flat):
        parts = [p.reshape(s) for p, s in zip(np.split(flat, ends), shapes, strict=True)]
        loss, gradient = reference(*given, *parts, lambd)
        return loss, np.concatenate([gradient[name].ravel() for name in ("V", "mu", "W", "b")])

    flat = np.concatenate([array.ravel() for array in start])
    lowest = scipy.optimize.minimize(loss_and_gradient, flat, jac=True, method="L-BFGS-B").fun
    rate = {"adam": 0.05, "rmsprop": 0.03, "sgd": 0.01, "rprop": 0.01, "lbfgs": 1.0}[solver]
    chosen = settings(solver=solver, lambd=lambd, max_iter=500, learning_rate=rate)
    history = train(network, [batch], chosen, Draws(0), Progress(), [], Journal())
    assert history.losses[0] > 2 * lowest
    # The steps of RMSprop do not shorten, and its average is a little beside the minimum.
    near = 0.02 if solver == "rmsprop" else 0.01
    assert objective(network, [batch], lambd) == pytest.approx(lowest, rel=near)


def parameters(network):
    return (
        network.weights[0],
        network.biases[0],
        network.decoder_weight,
        network.decoder_bias,
    )


def test_training_stops_when_the_objective_stalls():
    batch = to_batch(random_ratings())
    network = small_network(batch, dtype=torch.float32)
    chosen = settings(max_iter=2000, tol=0.01, n_iter_no_change=5)
    history = train(network, [batch], chosen, Draws(0), Progress(), [], Journal())
    assert 5 < len(history.losses) < 1000


def targets_without_biases(batch):
    """A batch whose rows have no biases, so that a target is the rating itself."""
    return replace(batch, encoding=replace(batch.encoding, damping=np.inf))


def dense(pattern, values):
    cells = torch.zeros(pattern.shape, dtype=values.dtype)
    cells[pattern.rows(), pattern.indices.long()] = values
    return cells


def test_dropout_hides_cells_which_alone_count_and_scales_up_the_others():
    batch = targets_without_biases(to_batch(random_ratings(60, 50)))
    view, whole = batch.hide(0.7, Draws(0)), batch.whole()
    given, every = (dense(one.rows.pattern, one.rows.channels[0]) for one in (view, whole))
    ones = torch.ones(batch.pattern.nnz)
    is_rated = dense(batch.pattern, ones) > 0
    is_given = dense(view.rows.pattern, ones[: view.rows.pattern.nnz]) > 0
    is_asked = dense(view.targets, ones[: view.targets.nnz]) > 0
    assert not (is_given & is_asked).any() and torch.equal(is_given | is_asked, is_rated)
    assert 0.65 < float(is_asked.sum() / is_rated.sum()) < 0.75
    torch.testing.assert_close(given[is_given], every[is_given] / 0.3)
    torch.testing.assert_close(
        dense(view.targets, view.values)[is_asked], dense(batch.targets, batch.values)[is_asked]
    )
    assert view.weight == pytest.approx(1 / 0.7) and whole.weight == 1


def test_a_visible_rating_is_an_input_and_a_hidden_one_a_target():
    R = random_ratings(40, 30)
    batch = targets_without_biases(to_batch(R))
    network = small_network(batch, dtype=torch.float32)
    view = batch.hide(0.5, Draws(0))
    of_view = torch.zeros(batch.pattern.nnz, dtype=bool)
    of_view[dense_positions(batch, view.rows.pattern)] = True

    def changed(cell):
        ratings = batch.ratings.clone()
        ratings[cell] += 1
        other = replace(batch, ratings=ratings, values=ratings)
        return other.hide(0.5, Draws(0))

    visible, hidden = (int(torch.nonzero(mask)[0]) for mask in (of_view, ~of_view))
    other = changed(visible)
    assert torch.equal(other.values, view.values)
    assert not torch.equal(other.rows.channels[0], view.rows.channels[0])
    other = changed(hidden)
    assert float((other.values - view.values).abs().sum()) == pytest.approx(1, abs=1e-5)
    assert torch.equal(other.rows.channels[0], view.rows.channels[0])
    # The loss counts hidden cells only, each so many times as it takes to stand for all.
    with torch.no_grad():
        errors = network(view.rows, view.targets) - view.values
    penalty = sum(float(p.detach().square().sum()) for p in network.penalised())
    expected = 2 * float(errors.square().sum()) + 3 / 2 * penalty
    assert float(add_gradient(network, view, 3.0).detach()) == pytest.approx(expected, rel=1e-5)


def dense_positions(batch, part):
    """Positions of the cells of a part of a batch's pattern."""
    positions = dense(batch.pattern, torch.arange(1, batch.pattern.nnz + 1))
    return positions[part.rows(), part.indices.long()] - 1


def test_hidden_cells_stand_for_all_of_them():
    batch = targets_without_biases(to_batch(random_ratings(40, 30)))
    network = small_network(batch, dtype=torch.float32)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()  # what is given does not matter: the loss is that of the targets
    whole = batch.whole()
    inputs, losses = torch.zeros_like(whole.rows.channels[0]), []
    for number in range(600):
        view = batch.hide(0.7, Draws(number))
        inputs[dense_positions(batch, view.rows.pattern)] += view.rows.channels[0] / 600
        losses.append(float(add_gradient(network, view, 1.0)))
    every = float(add_gradient(network, whole, 1.0))
    error = np.std(losses) / np.sqrt(600)
    assert abs(np.mean(losses) - every) < 4 * error < 0.02 * every
    assert float((inputs - whole.rows.channels[0]).square().mean().sqrt()) < 0.1 * float(
        whole.rows.channels[0].square().mean().sqrt()
    )


@pytest.mark.parametrize("style", ["ratings", "residuals"])
def test_a_hidden_rating_is_in_no_bias(style):
    R = random_ratings(40, 30)
    batch = to_batch(R, style)
    view = batch.hide(0.5, Draws(0))
    encoding = batch.encoding
    is_given = dense(view.rows.pattern, torch.ones(view.rows.pattern.nnz)).numpy() > 0
    visible = np.where(is_given, R, np.nan)
    lengths = is_given.sum(axis=1)
    biases = np.nansum(visible - encoding.reference, axis=1) / (lengths + encoding.damping)
    rows, columns = view.targets.rows().numpy(), view.targets.indices.numpy()
    np.testing.assert_allclose(view.values, R[rows, columns] - biases[rows], atol=1e-5)
    if style == "residuals":
        rows, columns = view.rows.pattern.rows().numpy(), view.rows.pattern.indices.numpy()
        n_all = (~np.isnan(R)).sum(axis=1)
        ones = encoding.scale / np.sqrt(n_all[rows]) / 0.5
        centred = R[rows, columns] - encoding.reference[columns] - biases[rows]
        np.testing.assert_allclose(view.rows.channels[1], ones, rtol=1e-5)
        np.testing.assert_allclose(view.rows.channels[0], centred * ones, atol=1e-4)


def test_targets_that_are_no_inputs_always_count():
    R = random_ratings(40, 30)
    inputs, targets = to_csr(R[:, :20]), to_csr(R[:, 20:])
    encoding = Encoding.of(inputs, "residuals")
    batch = Batch.of(np.arange(40), inputs, targets, encoding, "cpu")
    view = batch.hide(0.5, Draws(0))
    assert view.targets is batch.targets and view.weight == 1
    assert 0 < view.rows.pattern.nnz < inputs.nnz


def test_a_row_hides_the_same_cells_in_any_batch():
    R = random_ratings(40, 30)
    whole = to_batch(R)
    every = whole.hide(0.6, Draws(3))
    expected = dense(every.rows.pattern, every.rows.channels[0])
    for n_parts in (2, 7):
        csr, order = to_csr(R), np.random.default_rng(n_parts).permutation(40)
        for rows in np.array_split(order, n_parts):
            part = Batch.of(rows, csr[rows], csr[rows], whole.encoding, "cpu")
            view = part.hide(0.6, Draws(3))
            torch.testing.assert_close(
                dense(view.rows.pattern, view.rows.channels[0]), expected[torch.tensor(rows)]
            )
    other = whole.hide(0.6, Draws(4))
    assert not torch.equal(dense(other.rows.pattern, other.rows.channels[0]), expected)


class Recorder(Progress):
    """Keeps the parameters after each epoch, and the scores that it hears of."""

    def __init__(self, network):
        self.network, self.parameters, self.scores = network, [], []

    def epoch(self, number, loss, score):
        self.parameters.append([p.detach().clone() for p in self.network.parameters()])
        self.scores.append(score)
        return False


@pytest.mark.parametrize("seed", range(12))
def test_chance_does_not_raise_the_objective(seed):
    # 60 ratings: what an epoch hides makes its objective a third higher or lower.
    batches = to_batches(random_ratings(15, 12), 4)
    network = small_network(batches[0], dtype=torch.float32)
    chosen = settings(max_iter=2, dropout=0.7, learning_rate=1e-6)
    train(network, batches, chosen, Draws(seed), Progress(), [], Journal())


@pytest.mark.parametrize("dropout", [0.0, 0.7])
def test_an_objective_that_rose_is_not_kept_secret(dropout):
    batches = to_batches(random_ratings(60, 40), 4)
    network = small_network(batches[0], dtype=torch.float32)
    chosen = settings(max_iter=5, dropout=dropout, learning_rate=100.0)
    with pytest.warns(RuntimeWarning, match="raised the objective"):
        train(network, batches, chosen, Draws(0), Progress(), [], Journal())


@pytest.mark.parametrize("solver", SOLVERS)
def test_parameters_of_stochastic_solvers_are_averaged(solver):
    R = random_ratings(30, 20)
    batches = to_batches(R, 3) if solver in STOCHASTIC else to_batches(R)
    network = small_network(batches[0], dtype=torch.float32)
    recorder, n = Recorder(network), 12
    chosen = settings(solver=solver, max_iter=n, learning_rate=None)
    train(network, batches, chosen, Draws(0), recorder, [], Journal())
    # An epoch counts by the fourth power of its number, about.
    weights = np.array([t * (t + 1) * (t + 2) * (t + 3) for t in range(1, n + 1)], float)
    if solver not in STOCHASTIC:
        weights = np.eye(n)[-1]
    weights /= weights.sum()
    for i, parameter in enumerate(network.parameters()):
        expected = sum(w * one[i] for w, one in zip(weights, recorder.parameters, strict=True))
        torch.testing.assert_close(parameter.detach(), expected.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_how_many_epochs_there_may_be_changes_none_of_them(solver):
    batches = to_batches(random_ratings(30, 20), 3 if solver in STOCHASTIC else 1)
    dropout = 0.5 if solver in STOCHASTIC else 0.0
    losses = []
    for max_iter in (20, 40):
        network = small_network(batches[0], dtype=torch.float32)
        chosen = settings(solver=solver, max_iter=max_iter, learning_rate=None, dropout=dropout)
        losses.append(train(network, batches, chosen, Draws(0), Progress(), [], Journal()).losses)
    assert losses[0] == losses[1][:20] and len(losses[1]) == 40


def score_of(network, validation):
    values = torch.cat([batch.whole().values for batch in validation])
    with torch.no_grad():
        predicted = [network(v.rows, v.targets) for v in (b.whole() for b in validation)]
    errors = torch.cat(predicted) - values
    return 1 - float(errors.square().sum() / (values - values.mean()).square().sum())


@pytest.mark.parametrize("solver", ["adam", "rprop"])
def test_validation_restores_the_best_parameters(solver):
    batch = to_batch(random_ratings(30, 20))
    flipped = replace(batch, values=batch.values.flip(0))  # what training unlearns
    network = small_network(batch, dtype=torch.float32)
    chosen = settings(solver=solver, max_iter=100, n_iter_no_change=20, learning_rate=0.05)
    history = train(network, [batch], chosen, Draws(0), Progress(), [flipped], Journal())
    assert score_of(network, [flipped]) == pytest.approx(max(history.scores), abs=1e-5)
    assert history.n_epochs == np.argmax(history.scores) + 1 < len(history.scores)


def test_validation_scores_are_of_the_average_over_all_of_its_batches():
    R = random_ratings(30, 20)
    batches = to_batches(R, 3)
    network = small_network(batches[0], dtype=torch.float32)
    chosen = settings(max_iter=7, learning_rate=0.001, n_iter_no_change=100)
    history = train(network, batches, chosen, Draws(0), Progress(), batches, Journal())
    assert np.argmax(history.scores) == 6  # so that the network is that of the last epoch
    assert history.scores[-1] == pytest.approx(score_of(network, batches), abs=1e-5)


class Scores:
    """Stands for a network whose score after each epoch is known."""

    def __init__(self, scores, monkeypatch):
        scores = iter(scores)
        monkeypatch.setattr(training._Reached, "_score", lambda _: next(scores))


@pytest.mark.parametrize(
    ("rise", "tol", "n_epochs"),
    [(0.02, 0.01, 30), (0.005, 0.01, 6), (0.0, 0.0, 30), (-0.001, 0.0, 10), (-0.001, 0.01, 6)],
)
def test_training_goes_on_while_the_score_rises_by_more_than_tol(rise, tol, n_epochs, monkeypatch):
    # By so much from one look, five epochs apart, to the next.
    scores = [0.1 + rise * (epoch // 5) for epoch in range(30)]
    Scores(scores, monkeypatch)
    batch = to_batch(random_ratings())
    network = small_network(batch, dtype=torch.float32)
    chosen = settings(max_iter=30, tol=tol, n_iter_no_change=5, learning_rate=1e-4)
    history = train(network, [batch], chosen, Draws(0), Progress(), [batch], Journal())
    assert len(history.scores) == n_epochs


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
    deviations = ratings.data - encoding.reference[ratings.indices]
    sums = np.bincount(rows_of_cells(ratings), deviations)
    biases = sums / (np.diff(ratings.indptr) + encoding.damping)
    assert np.corrcoef(biases, generosity)[0, 1] > 0.9


def test_an_epoch_uses_kernels_that_every_build_of_torch_has():
    """Two native kernels do the sparse work; the CSR product, which needs MKL, none of it."""
    batch = to_batch(random_ratings())
    network = small_network(batch, dtype=torch.float32)
    view = batch.whole()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        add_gradient(network, view, 1.0)
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


def test_hide_ratings_hides_a_rounded_fifth():
    lengths = np.arange(0, 30)
    rows = np.repeat(np.arange(30), lengths)
    columns = np.concatenate([np.arange(n) for n in lengths])
    cells = scipy.sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(30, 40)).tocsr()
    context, heldout = hide_ratings(cells)
    hidden = np.diff(heldout.indptr)
    np.testing.assert_array_equal(hidden + np.diff(context.indptr), lengths)
    # Rounded and not cut off: 8 hides 2; at least one of two or more.
    expected = np.where(lengths > 1, np.maximum(1, (2 * lengths + 5) // 10), 0)
    np.testing.assert_array_equal(hidden, expected)
