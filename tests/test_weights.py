"""Weights of ratings: in every sum of the objective, and in all that is solved and measured."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
import torch
from conftest import ACTIVATIONS, new, with_nan
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_score
from test_codes import random_encoder
from test_objective import random_ratings, settings, small_network, to_csr
from test_penalties import choose, planted
from test_ridge import Shared, prior_of, problem

from skautorec import AutoRecRegressor, Ratings
from skautorec._core import calibration, encoder, fit, penalties, ridge, training
from skautorec._core.biases import fit_biases
from skautorec._core.codes import CellCodes
from skautorec._core.draws import Draws
from skautorec._core.encoding import Encoding
from skautorec._core.matrix import Table, effective_weights, rows_of_cells
from skautorec._core.noise import measure_noise
from skautorec._core.penalties import choose_penalties
from skautorec._core.training import Batch, add_gradient
from skautorec.baselines import BiasRegressor, PopularityRecommender
from skautorec.datasets import make_ratings

STYLES = ["ratings", "residuals"]


def weighted(ratings, weights):
    """The same table with other weights."""
    ids = {"user_ids": ratings._users, "item_ids": ratings._items}
    return Ratings(ratings.users, ratings.items, ratings.values, weights=weights, **ids)


def some_weights(n, seed=0):
    return np.random.default_rng(seed).choice([0.25, 0.5, 1.0, 2.0, 3.0], n)


def weights_like(R, seed=0):
    """Dense weights of dense ratings; zero where there is none."""
    return np.where(np.isnan(R), 0.0, some_weights(R.size, seed).reshape(R.shape))


# The core


def repeated(indptr, counts):
    """Positions of cells that each come so often, and where their rows begin."""
    ends = torch.cat((torch.zeros(1).long(), counts.cumsum(0)))[indptr]
    return torch.repeat_interleave(torch.arange(len(counts)), counts), ends


@pytest.mark.parametrize("k", [4, 25])
@pytest.mark.parametrize("long", [False, True])
def test_a_rating_of_weight_2_is_in_a_row_twice(k, long, monkeypatch):
    indptr, indices, values, codes = problem(k=k)
    counts = torch.tensor(np.random.default_rng(0).integers(1, 4, len(indices)))
    prior = prior_of(k, 2.0, 3.0)
    at = torch.arange(41) * 5, torch.arange(200) % 60
    cells, ends = repeated(indptr, counts)
    expected = ridge.solve_rows(ends, values[cells], Shared(codes, indices[cells]), prior)
    variances = ridge.relative_variances(ends, Shared(codes, indices[cells]), prior, *at, codes)
    if long:
        monkeypatch.setattr(ridge, "_CHUNK", 1)
        monkeypatch.setattr(ridge, "_LONG", 7 * k)
    roots, shared = counts.double().sqrt(), Shared(codes, indices)
    solved = ridge.solve_rows(indptr, values, shared, prior, roots)
    torch.testing.assert_close(solved.weights, expected.weights, rtol=0, atol=1e-7)
    torch.testing.assert_close(solved.biases, expected.biases, rtol=0, atol=1e-7)
    # What is left of a rating is in its own units.
    torch.testing.assert_close(solved.left_over[cells], expected.left_over, rtol=0, atol=1e-7)
    found = ridge.relative_variances(indptr, shared, prior, *at, codes, roots)
    torch.testing.assert_close(found, variances, rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weight", [1e-8, 1e-100, 1e-300])
def test_a_row_of_nothing_but_light_ratings_is_the_prior(dtype, weight):
    indptr, indices, values, codes = problem()
    prior = prior_of(8, 2.0, 3.0)
    prior = ridge.Prior(prior.weight.to(dtype), prior.bias, prior.penalty, prior.bias_penalty)
    roots = torch.full((len(indices),), weight).double().sqrt().to(dtype)
    shared = Shared(codes.to(dtype), indices)
    solved = ridge.solve_rows(indptr, values.to(dtype), shared, prior, roots)
    assert solved.left_over.isfinite().all()
    torch.testing.assert_close(solved.weights, prior.weight.repeat(40, 1), rtol=0, atol=1e-5)
    torch.testing.assert_close(
        solved.biases, torch.full((40,), prior.bias, dtype=dtype), rtol=0, atol=1e-5
    )


def test_the_variance_of_row_biases_counts_a_rating_of_weight_2_twice():
    rng = np.random.default_rng(0)
    rows, residuals = np.sort(rng.integers(0, 20, 200)), rng.normal(size=200)
    residuals += rng.normal(0, 0.5, 20)[rows]
    counts = rng.integers(1, 4, 200)
    expected = ridge.bias_penalty(np.repeat(residuals, counts), np.repeat(rows, counts))
    assert ridge.bias_penalty(residuals, rows, counts.astype(float)) == pytest.approx(expected)
    # A row of nearly no weight is nearly no row.
    light = np.append(rows, 20), np.append(np.ones(200), 1e-9)
    found = ridge.bias_penalty(np.append(residuals, 9.0), *light)
    assert found == pytest.approx(ridge.bias_penalty(residuals, rows), rel=1e-6)


@pytest.mark.parametrize("damping", [(2.0, 3.0), (np.inf, 3.0), (0.5, np.inf)])
def test_biases_of_ratings_of_weight_2_are_those_of_ratings_twice(damping):
    rng = np.random.default_rng(0)
    rows, columns = np.divmod(rng.choice(30 * 20, 250, replace=False), 20)
    values, counts = rng.normal(3, 1, 250), rng.integers(1, 4, 250)
    args = (rows, columns, values)
    expected, of_rows = fit_biases(*(np.repeat(a, counts) for a in args), (30, 20), damping)
    found, theirs = fit_biases(*args, (30, 20), damping, counts.astype(float))
    np.testing.assert_allclose(theirs, of_rows, atol=1e-5)
    np.testing.assert_allclose(found.columns, expected.columns, atol=1e-5)
    np.testing.assert_allclose(found.shares, expected.shares)
    assert found.mean == pytest.approx(expected.mean, abs=1e-5)
    # One rating of weight 2 is less than two in what the other side's biases leave to know.
    assert found.noise == pytest.approx(expected.noise, rel=0.05)
    np.testing.assert_allclose(
        found.row_biases(*args, 30, counts.astype(float)), theirs, atol=1e-12
    )


def test_variances_of_biases_are_those_of_the_weighted_regression():
    rng = np.random.default_rng(0)
    rows, columns = np.divmod(rng.choice(6 * 200, 80, replace=False), 200)
    weights, damping = some_weights(80), (2.0, 3.0)
    biases, _ = fit_biases(rows, columns, rng.normal(size=80), (6, 200), damping, weights)
    A = np.zeros((80, 206))
    A[np.arange(80), rows], A[np.arange(80), 6 + columns] = 1, 1
    hessian = A.T * weights @ A + np.diag([2.0] * 6 + [3.0] * 200)
    # Of rows with few columns in common what is left out hardly matters.
    exact = np.diag(np.linalg.inv(hessian))[:6]
    found = biases.row_variances(rows, columns, 6, weights)
    np.testing.assert_allclose(found, np.minimum(exact, biases.most_variance), rtol=0.02)


def test_estimated_dampings_are_continuous_in_the_weights():
    rng = np.random.default_rng(0)
    rows, columns = np.divmod(rng.choice(40 * 30, 600, replace=False), 30)
    values = rng.normal(0, 1, 600) + rng.normal(0, 1, 40)[rows]
    kept = (rows > 3) & (np.arange(600) % 3 > 0)
    light = np.where(kept, 1.0, 1e-9)
    few, _ = fit_biases(rows[kept], columns[kept], values[kept], (40, 30))
    all_of_them, of_rows = fit_biases(rows, columns, values, (40, 30), weights=light)
    np.testing.assert_allclose(all_of_them.damping, few.damping, rtol=1e-5)
    assert all_of_them.noise == pytest.approx(few.noise, rel=1e-5)
    np.testing.assert_allclose(of_rows[:4], 0, atol=1e-6)


def weighted_encode(encoder, rows, weights):
    """Codes, minus the mean code, and biases of dense rows with dense weights."""
    encoding, n = encoder.encoding, weights.sum(axis=1, keepdims=True)
    observed = weights > 0
    deviations = np.where(observed, rows - encoding.reference, 0)
    biases = (weights * deviations).sum(axis=1, keepdims=True) / (n + encoding.damping)
    inputs = weights * np.where(observed, rows, 0)
    if encoding.style == "residuals":
        inputs = np.hstack((weights * (deviations - biases), weights))
    hidden = inputs * encoding.scale / np.sqrt(np.maximum(n, 1))
    for weight, bias in zip(encoder.weights, encoder.biases, strict=True):
        hidden = ACTIVATIONS[encoder.activation](hidden @ weight.astype(float) + bias)
    return np.minimum(n, 1) * (hidden - encoder.mean_code), biases[:, 0]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("widths", [(6,), (7, 5)])
def test_a_cell_has_the_code_of_its_row_without_it_and_its_weight(style, widths):
    R = random_ratings(25, 18, 0.2)
    v = weights_like(R)
    encoder = random_encoder(R, style, widths)
    cells, by_decoded = to_csr(R), to_csr(R.T)
    sums = encoder.sums(cells, v[rows_of_cells(cells), cells.indices])
    codes, biases = weighted_encode(encoder, R, v)
    np.testing.assert_allclose(encoder.codes(sums).factors, codes, atol=1e-10)
    np.testing.assert_allclose(encoder.codes(sums).bias, biases, atol=1e-10)
    columns, rows = rows_of_cells(by_decoded), by_decoded.indices
    parts = by_decoded.indptr, rows, by_decoded.data, np.arange(18), v[rows, columns]
    found = CellCodes(encoder.layers(torch.float64), encoder.encoding, sums, *parts)
    for position, (row, column) in enumerate(zip(rows, columns, strict=True)):
        left = v[[row]].copy()
        left[0, column] = 0
        code, bias = weighted_encode(encoder, R[[row]], left)
        one = found.take(torch.tensor([column]), torch.tensor([[position]]))[0, 0]
        np.testing.assert_allclose(one, code[0], atol=1e-10)
        assert found.biases[position] == pytest.approx(bias[0], abs=1e-10)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("activation", ["sigmoid", "relu", "identity"])
def test_a_row_whose_weights_go_to_zero_ends_as_one_without_ratings(style, activation):
    R = random_ratings(25, 18, 0.2)
    encoder = random_encoder(R, style, (6,), activation)
    sizes = []
    for weight in (1.0, 1e-2, 1e-4, 1e-6):
        sums = encoder.sums(to_csr(R), np.full(to_csr(R).nnz, weight))
        rows = encoder.codes(sums)
        sizes.append(max(np.abs(rows.factors).max(), np.abs(rows.bias).max()))
    assert sizes[0] > sizes[1] > 50 * sizes[2] > 2500 * sizes[3]


def weighted_batch(R, v, style="ratings"):
    cells = to_csr(R)
    weights = v[rows_of_cells(cells), cells.indices]
    encoding = Encoding.of(cells, style, weights)
    return Batch.of(np.arange(len(R)), cells, cells, encoding, "cpu", weights, weights)


def reference(R, v, network, encoding, lambd):
    """Equation 2 of weighted ratings and its gradient: twenty lines."""
    V, mu = network.weights[0].detach().numpy(), network.biases[0].detach().numpy()
    W, b = network.decoder_weight.detach().numpy(), network.decoder_bias.detach().numpy()
    n = v.sum(axis=1, keepdims=True)
    deviations = np.where(v > 0, R - encoding.reference, 0)
    biases = (v * deviations).sum(axis=1, keepdims=True) / (n + encoding.damping)
    x = v * np.nan_to_num(R) * encoding.scale / np.sqrt(np.maximum(n, 1))
    z = 1 / (1 + np.exp(-(x @ V + mu)))
    e = np.where(v > 0, z @ W.T + b - np.nan_to_num(R - biases), 0)
    loss = (v * e**2).sum() + lambd / 2 * ((V**2).sum() + (W**2).sum())
    dz = 2 * (v * e) @ W * z * (1 - z)
    gradient = x.T @ dz + lambd * V, dz.sum(axis=0)
    return loss, *gradient, 2 * (v * e).T @ z + lambd * W, 2 * (v * e).sum(axis=0)


def test_objective_and_gradient_match_the_weighted_reference():
    R = random_ratings()
    v = weights_like(R)
    batch = weighted_batch(R, v)
    network = small_network(batch, dtype=torch.float32)
    loss, *gradient = reference(R, v, network, batch.encoding, 3.0)
    found = float(add_gradient(network, batch.whole(), 3.0))
    assert found == pytest.approx(loss, rel=1e-5)
    parameters = network.weights[0], network.biases[0], network.decoder_weight
    for parameter, expected in zip((*parameters, network.decoder_bias), gradient, strict=True):
        np.testing.assert_allclose(parameter.grad.numpy(), expected, rtol=1e-3, atol=1e-3)


def test_an_epoch_shares_the_penalty_by_weight_and_its_objective_is_weighted():
    R = random_ratings()
    v = weights_like(R)
    batches = [weighted_batch(R[part], v[part]) for part in (slice(0, 3), slice(4, 9))]
    shares = []
    training._epoch(lambda batch, share, draws: shares.append(share) or 0.0, batches, Draws(0))
    np.testing.assert_allclose(shares, np.array([v[:3].sum(), v[4:].sum()]) / v.sum(), rtol=1e-6)
    batch = batches[1]
    network = small_network(batch, dtype=torch.float32)
    loss, *_ = reference(R[4:], v[4:], network, batch.encoding, 3.0)
    found = training._objective(network, [batch], settings(lambd=3.0), Draws(0))
    assert found == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("style", STYLES)
def test_hidden_cells_and_visible_ones_keep_their_weights(style):
    R = random_ratings(40, 30)
    v = weights_like(R)
    batch = weighted_batch(R, v, style)
    view, encoding = batch.hide(0.5, Draws(0)), batch.encoding
    rows, columns = view.targets.rows().numpy(), view.targets.indices.numpy()
    np.testing.assert_allclose(view.weights, v[rows, columns])
    given_rows, given = view.rows.pattern.rows().numpy(), view.rows.pattern.indices.numpy()
    visible = np.zeros_like(v)
    visible[given_rows, given] = v[given_rows, given]
    deviations = np.nan_to_num(R - encoding.reference)
    biases = (visible * deviations).sum(axis=1) / (visible.sum(axis=1) + encoding.damping)
    np.testing.assert_allclose(view.values, R[rows, columns] - biases[rows], atol=1e-5)
    factors = 2 * encoding.scale / np.sqrt(np.maximum(v.sum(axis=1), 1))
    expected = R[given_rows, given]
    if style == "residuals":
        expected = (deviations - biases[:, None])[given_rows, given]
    expected = v[given_rows, given] * expected * factors[given_rows]
    np.testing.assert_allclose(view.rows.channels[0], expected, rtol=1e-4, atol=1e-4)


def test_noise_counts_an_error_of_weight_2_twice():
    rng = np.random.default_rng(0)
    of_rows, of_codes = rng.random(300), rng.random(300)
    errors = rng.normal(0, np.sqrt(0.5 + of_rows + 0.2 * of_codes))
    counts = rng.integers(1, 4, 300)
    args = errors, of_rows, of_codes
    expected = measure_noise(*(np.repeat(a, counts) for a in args), 1.0)
    found = measure_noise(*args, 1.0, counts.astype(float))
    for name in ("noise", "spread", "code_spread"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-3)


def test_penalties_are_those_of_the_held_out_ratings_that_weigh():
    encoder, observed, sums, heldout = planted(0.15, 600)
    rng = np.random.default_rng(0)
    wrong = rng.random(heldout.nnz) < 0.3
    data = np.where(wrong, rng.uniform(1, 5, heldout.nnz), heldout.data)
    noisy = scipy.sparse.csr_array((data, heldout.indices, heldout.indptr), heldout.shape)
    base = np.zeros(heldout.nnz)
    weights = np.where(wrong, 1e-9, 2.0)
    args = encoder, observed, sums
    kept = noisy.copy()
    kept.data[wrong] = np.nan
    coordinates = kept.tocoo()
    real = ~np.isnan(coordinates.data)
    few = scipy.sparse.coo_array(
        (coordinates.data[real], tuple(c[real] for c in coordinates.coords)), heldout.shape
    ).tocsr()
    found = choose_penalties(*args, noisy, base, Draws(0), weights=weights)
    expected = choose_penalties(*args, few, base[real], Draws(0), weights=np.full(few.nnz, 2.0))
    assert found.penalty == pytest.approx(expected.penalty, rel=1e-6)
    assert found.bias_penalty == pytest.approx(expected.bias_penalty, rel=1e-6)
    assert choose(*args, noisy).penalty != pytest.approx(expected.penalty, rel=0.05)


# Estimators

WAYS = {
    "adam": {},
    "sgd in batches, two": {"solver": "sgd", "batch_size": 9, "n_estimators": 2},
    "rmsprop without dropout": {"solver": "rmsprop", "dropout": 0.0},
    "lbfgs": {"solver": "lbfgs"},
    "rprop, deep, two": {"solver": "rprop", "hidden_units": (7, 4), "n_estimators": 2},
}
ARRAYS = ("user_factors_", "item_factors_", "user_bias_", "item_bias_")


def content(model):
    """All that predictions are made of."""
    noise = [] if not hasattr(model, "decoder_lambd_") else model._fitted.model.noise
    return [*(getattr(model, name) for name in ARRAYS), noise]


def assert_same(one, other):
    for a, b in zip(content(one), content(other), strict=True):
        np.testing.assert_array_equal(a, b)


def product(model):
    factors = model.user_factors_ @ model.item_factors_.T
    return factors + model.user_bias_[:, None] + model.item_bias_


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


@pytest.fixture(scope="module")
def light(ratings):
    """Which ratings hardly weigh: some of all, and all of some users and items."""
    chosen = np.random.default_rng(0).random(len(ratings)) < 0.2
    return chosen | (ratings.users % 8 == 3) | (ratings.items % 9 == 2)


def test_weights_of_one_change_no_bit(kind, way, ratings):
    model = new(kind, **way).fit(weighted(ratings, np.ones(len(ratings))))
    assert_same(model, new(kind, **way).fit(ratings))
    assert model._fitted.training.weights is None


def test_ratings_of_weight_zero_are_not_there_to_the_bit(kind, way, ratings, light):
    weights = some_weights(len(ratings))
    model = new(kind, **way).fit(weighted(ratings, np.where(light, 0.0, weights)))
    few = weighted(ratings, weights)[~light]
    assert_same(model, new(kind, **way).fit(few))
    # Neither are they seen, nor do they set the range.
    assert model._fitted.seen.nnz == (~light).sum()
    wild = Ratings(
        np.append(ratings.users, 0), np.append(ratings.items, 49), np.append(ratings.values, 40.0),
        weights=np.append(np.ones(len(ratings)), 0.0), duplicates="last",
    )  # fmt: skip
    assert BiasRegressor().fit(wild).rating_range_ == (1, 5)


def test_everything_is_continuous_where_weights_go_to_zero(kind, way, ratings, light):
    weights = some_weights(len(ratings))
    few = new(kind, **way).fit(weighted(ratings, weights)[~light])
    # So light that Adam, which divides gradients by their size, does not see them.
    model = new(kind, **way).fit(weighted(ratings, np.where(light, 1e-14, weights)))
    np.testing.assert_allclose(product(model), product(few), atol=2e-5)
    pairs = ratings[:200]
    for a, b in zip(model.predict(pairs, True), few.predict(pairs, True), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)
    np.testing.assert_allclose(model.decoder_lambd_, few.decoder_lambd_, rtol=1e-4)
    np.testing.assert_allclose(model.loss_curve_, few.loss_curve_, rtol=1e-3)
    np.testing.assert_allclose(model.validation_scores_, few.validation_scores_, atol=1e-4)


def test_how_many_ratings_are_drawn_depends_on_those_that_weigh(kind, monkeypatch):
    monkeypatch.setattr(fit, "_N_HELD_OUT", 150)
    for module, name in ((encoder, "_N_VALIDATION"), (penalties, "_N_CELLS")):
        monkeypatch.setattr(module, name, 40)
    monkeypatch.setattr(calibration, "_N_CELLS", 60)
    ratings = make_ratings(80, 50, 1500, random_state=0)
    light = np.random.default_rng(0).random(1500) < 0.3
    few = new(kind, solver="lbfgs").fit(weighted(ratings, np.full(1500, 2.0))[~light])
    model = new(kind, solver="lbfgs").fit(weighted(ratings, np.where(light, 1e-14, 2.0)))
    np.testing.assert_allclose(product(model), product(few), atol=1e-5)
    np.testing.assert_allclose(model.decoder_lambd_, few.decoder_lambd_, rtol=1e-4)
    found, expected = model._fitted.model, few._fitted.model
    assert found.noise == pytest.approx(expected.noise, rel=1e-4)
    assert found.spread == pytest.approx(expected.spread, rel=1e-3)
    np.testing.assert_allclose(model.validation_scores_, few.validation_scores_, atol=1e-5)


@pytest.mark.parametrize("size", [1e-3, 1.0, 2.0])
def test_the_effective_number_of_ratings(size):
    assert effective_weights(np.full(7, size), 7).tolist() == pytest.approx([1.0] * 7)
    assert effective_weights(size * np.array([1, 1, 1e-9]), 3).sum() == pytest.approx(2)
    assert effective_weights(None, 3).tolist() == [1, 1, 1]
    assert effective_weights(np.zeros(0), 0).tolist() == []


def test_a_little_weight_changes_little(kind, ratings):
    weights = some_weights(len(ratings))
    predicted = [
        product(new(kind, solver="lbfgs").fit(weighted(ratings, weights * factor)))
        for factor in (1.0, 1.0001, 2.0)
    ]
    assert np.abs(predicted[1] - predicted[0]).max() < 2e-3
    # Their size counts, not their ratio alone: penalties weigh half as much.
    assert np.abs(predicted[2] - predicted[0]).max() > 0.02


@pytest.mark.parametrize("n_estimators", [1, 2])
def test_fitted_rows_are_those_of_weighted_brute_force(kind, n_estimators, ratings):
    v = np.zeros((80, 50))
    v[ratings.users, ratings.items] = some_weights(len(ratings))
    table = weighted(ratings, v[ratings.users, ratings.items])
    model = new(kind, n_estimators=n_estimators).fit(table)
    R, predicted = with_nan(ratings), np.zeros((80, 50))

    def row(encoder, values, z, weights):
        roots = np.sqrt(weights)
        shift = values - encoder.prior_bias - z @ encoder.prior_weight
        features = np.column_stack((z, np.ones(len(z)))) * roots[:, None]
        penalties = [encoder.penalty] * z.shape[1] + [encoder.bias_penalty]
        left = features.T @ features + np.diag(penalties)
        moved = np.linalg.solve(left, features.T @ (roots * shift))
        return moved + np.append(encoder.prior_weight, encoder.prior_bias)

    for member in model._fitted.model.members:
        left = R
        if member.item is not None:
            encoder = member.item.encoder
            codes, of_items = weighted_encode(encoder, R.T, v.T)
            left = np.full_like(R, np.nan)
            for user, rated in enumerate(v > 0):
                others = v.T[rated].copy()
                others[:, user] = 0
                z, biases = weighted_encode(encoder, R.T[rated], others)
                solved = row(encoder, R[user, rated] - biases, z, v[user, rated])
                predicted[user] += codes @ solved[:-1] + solved[-1] + of_items
                left[user, rated] = R[user, rated] - biases - z @ solved[:-1] - solved[-1]
        if member.user is not None:
            encoder = member.user.encoder
            codes, of_users = weighted_encode(encoder, R, v)
            for item, rated in enumerate(v.T > 0):
                others = v[rated].copy()
                others[:, item] = 0
                z, biases = weighted_encode(encoder, R[rated], others)
                shift = 0 if encoder.on_residuals else biases
                solved = row(encoder, left[rated, item] - shift, z, v[rated, item])
                predicted[:, item] += codes @ solved[:-1] + solved[-1]
                predicted[:, item] += 0 if encoder.on_residuals else of_users
    expected = predicted / n_estimators
    np.testing.assert_allclose(
        model.predict(table), np.clip(expected, 1, 5)[table.users, table.items], atol=1e-6
    )
    # Rows of training users are theirs, weights included, and so are their deviations.
    again, std = model.predict(ratings.to_matrix(), return_std=True)
    np.testing.assert_allclose(again, np.clip(expected, 1, 5), atol=1e-6)
    np.testing.assert_allclose(
        std[ratings.users, ratings.items], model.predict(ratings, return_std=True)[1], atol=1e-6
    )


def test_the_mean_code_and_the_mean_row_count_weights(ratings):
    v = np.zeros((50, 80))
    v[ratings.items, ratings.users] = some_weights(len(ratings)) * 0.02
    table = weighted(ratings, v[ratings.items, ratings.users])
    model = new("item", validation_fraction=1e-9).fit(table)
    encoder = model._fitted.model.parts[0].encoder
    n = v.sum(axis=1, keepdims=True)
    assert (n < 1).any()
    # Codes that are not drawn to anything.
    codes = weighted_encode(encoder, with_nan(ratings).T, v)[0] / np.minimum(n, 1)
    weights = (n * np.minimum(n, 1))[:, 0]
    np.testing.assert_allclose(np.average(codes, axis=0, weights=weights), 0, atol=1e-6)


def test_deviations_fall_with_weights(kind, ratings):
    light = np.where(ratings.users < 40, 0.1, 1.0)
    model = new(kind).fit(weighted(ratings, light))
    _, std = model.predict(ratings, return_std=True)
    _, usual = new(kind).fit(ratings).predict(ratings, return_std=True)
    ratio = std / usual
    assert ratio[ratings.users < 40].mean() > 1.02 * ratio[ratings.users >= 40].mean()


@pytest.mark.parametrize("kind", ["item", "user"])
def test_new_users_have_weights_of_one(kind, ratings):
    train = ratings[ratings.users > 9]
    weights = some_weights(len(train))
    model = new(kind).fit(weighted(train, weights))
    rows = ratings.to_matrix()[:10]
    encoder = model._fitted.model.parts[0].encoder
    if kind == "user":
        dense = with_nan(rows)
        codes, biases = weighted_encode(encoder, dense, (~np.isnan(dense)).astype(float))
        np.testing.assert_allclose(model.fold_in(rows)[0], codes, atol=1e-9)
    # A row of other ratings of a known user: those that are not in the training weigh 1.
    known = train.to_matrix()[[20]].tolil()
    unrated = int(np.setdiff1d(np.arange(50), known.rows[0])[0])
    known[0, unrated] = 5.0
    query = model._fitted.query(scipy.sparse.csr_array(known))
    assert query.known.tolist() == [20]
    cell = query.ratings.indices == unrated
    assert query.weights[cell] == 1 and np.isnan(query.own[cell])
    theirs = train.users == 20
    order = np.argsort(train.items[theirs])
    np.testing.assert_array_equal(query.weights[~cell], weights[theirs][order])


def test_lists_by_relevance_do_not_look_at_weights(ratings):
    table = weighted(ratings, some_weights(len(ratings)))
    exposures = [new("item").fit(one)._fitted.exposure for one in (ratings, table)]
    for name in ("components", "popularity"):
        np.testing.assert_array_equal(*(getattr(one, name) for one in exposures))


@pytest.mark.parametrize("make", [lambda: new("both"), BiasRegressor, PopularityRecommender])
@pytest.mark.parametrize("exact", [True, False])
def test_weights_survive_saving_and_pickling(make, exact, ratings, tmp_path):
    weights = some_weights(len(ratings)) + (0 if exact else 0.1)
    model = make().fit(weighted(ratings, weights))
    dtype = np.float32 if exact else np.float64
    assert model._fitted.training.weights.dtype == dtype
    model.save(tmp_path / "model")
    R = ratings.to_matrix()
    for other in (type(model).load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(
            other._fitted.training.weights, model._fitted.training.weights
        )
        for X in (ratings, R):
            for a, b in zip(other.predict(X, True), model.predict(X, True), strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "estimator", [BiasRegressor(), BiasRegressor((3, 5)), PopularityRecommender()]
)
def test_baselines_count_weights(estimator, ratings, light):
    weights = some_weights(len(ratings))
    few = weighted(ratings, weights)[~light]
    expected = estimator.fit(few).predict(ratings)
    none = estimator.fit(weighted(ratings, np.where(light, 0, weights))).predict(ratings)
    np.testing.assert_array_equal(none, expected)
    small = estimator.fit(weighted(ratings, np.where(light, 1e-12, weights))).predict(ratings)
    np.testing.assert_allclose(small, expected, atol=1e-5)
    assert np.abs(estimator.fit(ratings).predict(ratings) - expected).max() > 0.05
    assert_same(estimator.fit(weighted(ratings, np.ones(len(ratings)))), estimator.fit(ratings))


def test_popularity_counts_ratings_and_averages_weights():
    table = Ratings([0, 1, 2, 3], [0, 0, 1, 1], [1, 5, 3, 3], weights=[1, 3, 1, 1])
    model = PopularityRecommender().fit(table)
    assert model.item_counts_.tolist() == [2, 2]
    shares = 4 / (4 + model.damping_), 2 / (2 + model.damping_)
    means = model.item_bias_ - (model.item_bias_ - [4, 3])  # the weighted means themselves
    centre = (model.item_bias_ - shares * means) / (1 - np.array(shares))
    assert centre[0] == pytest.approx(centre[1])


# Scores and splits


def test_splits_take_weights_along_and_scores_use_them(ratings):
    weights = some_weights(len(ratings))
    table = weighted(ratings, weights)
    cv = KFold(3, shuffle=True, random_state=0)
    found = cross_val_score(BiasRegressor(), table, cv=cv)
    for score, (train, test) in zip(found, cv.split(table), strict=True):
        model = BiasRegressor().fit(weighted(ratings[train], weights[train]))
        predicted = model.predict(ratings[test])
        expected = r2_score(ratings.values[test], predicted, sample_weight=weights[test])
        assert score == pytest.approx(expected)
        more = np.arange(len(test)) % 3 + 1.0
        expected = r2_score(ratings.values[test], predicted, sample_weight=more * weights[test])
        assert model.score(table[test], sample_weight=more) == pytest.approx(expected)
        assert model.score(table[test], table.values[test]) == pytest.approx(score)


@pytest.mark.parametrize("estimator", [AutoRecRegressor(4, max_iter=2), BiasRegressor()])
def test_fit_says_where_weights_belong(estimator, ratings):
    message = r"no sample_weight.*Ratings\(..., weights=...\).*from_frame\(..., weight=...\)"
    with pytest.raises(TypeError, match=message):
        estimator.fit(ratings, sample_weight=np.ones(len(ratings)))
    with pytest.raises(TypeError, match="unexpected keyword argument 'weight'"):
        estimator.fit(ratings, weight=1)


def test_slices_in_which_nothing_weighs_are_refused(ratings):
    table = weighted(ratings, np.arange(len(ratings)) >= 10)
    with pytest.raises(ValueError, match="All 10 weights of these Ratings are 0"):
        BiasRegressor().fit(table[:10])
    with pytest.raises(ValueError, match="All 10 weights of these Ratings are 0"):
        BiasRegressor().fit(ratings).score(table[:10])


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, "fewer"])
def test_forged_weights_are_refused(bad, ratings, tmp_path):
    model = BiasRegressor().fit(weighted(ratings, some_weights(len(ratings))))
    weights = model._fitted.training.weights
    wrong = weights[:-1] if bad == "fewer" else np.append(weights[:-1], np.float32(bad))
    forged = replace(model._fitted.training, weights=wrong)
    vars(model)["_fitted"] = replace(model._fitted, training=forged)
    with pytest.raises(ValueError, match=r"parts of training do not fit|out of bounds"):
        model.save(tmp_path / "model")


def test_a_warning_of_better_biases_counts_weights(ratings, monkeypatch):
    monkeypatch.setattr(calibration, "_N_COMPARED", 10)
    heard = []
    monkeypatch.setattr(calibration, "warn", heard.append)
    cells = ratings.to_matrix()
    kept, heldout = Table(cells[:60], None), Table(cells[:60], None, some_weights(cells[:60].nnz))
    calibrated = calibration.Calibration(kept, heldout, Draws(0), None)
    # On ratings that weigh, errors of twice the size; on the others none.
    errors = np.where(calibrated.weights >= 1, 2.0, 0.0)
    for weights, n_warnings in (
        (np.where(errors > 0, 1.0, 1e-9), 1),
        (np.where(errors > 0, 1e-9, 1.0), 0),
    ):
        calibrated.weights = weights
        heard.clear()
        calibrated._warn_if_biases_are_better(errors)
        assert len(heard) == n_warnings


@pytest.mark.parametrize("size", [1.0, 1e-99, 1e-200, 5e-324])
def test_ratings_of_any_weight_that_they_share_count_one_each(size):
    np.testing.assert_array_equal(effective_weights(np.full(4, size), 4), np.ones(4))
