"""Codes and rows without the rating that they are to explain, against encoding without it."""

import itertools

import numpy as np
import pytest
import scipy.sparse
import torch
from conftest import encode, new

from skautorec._core import encoder as encoder_module
from skautorec._core.codes import CellCodes
from skautorec._core.encoder import Encoder, Observed
from skautorec._core.encoding import Encoding

N_ENCODED, N_DECODED = 25, 18
STYLES = ["ratings", "residuals"]
WIDTHS = [(6,), (7, 5, 4)]


def random_ratings(seed=0, density=0.3):
    """Dense ratings; row 0 has one rating, row 1 two, row 2 none."""
    rng = np.random.default_rng(seed)
    R = rng.integers(1, 6, (N_ENCODED, N_DECODED)).astype(float)
    R[rng.random(R.shape) > density] = np.nan
    R[:3] = np.nan
    R[0, 4], R[1, 4], R[1, 9] = 5, 2, 4
    return R


def to_csr(R):
    rows, columns = np.nonzero(~np.isnan(R))
    return scipy.sparse.coo_array((R[rows, columns], (rows, columns)), shape=R.shape).tocsr()


def random_encoder(R, style, widths, activation="sigmoid", seed=1, **changed):
    rng = np.random.default_rng(seed)
    fans = [(2 if style == "residuals" else 1) * R.shape[1], *widths]
    shapes = list(itertools.pairwise(fans))
    values = {
        "weights": [rng.normal(0, 0.3, shape).astype(np.float32) for shape in shapes],
        "biases": [rng.normal(0, 0.3, width).astype(np.float32) for width in widths],
        "activation": activation,
        "encoding": Encoding.of(to_csr(R), style),
        "mean_code": rng.normal(0, 0.3, widths[-1]),
        "prior_weight": rng.normal(0, 0.3, widths[-1]),
        "prior_bias": 0.3,
        "penalty": 2.0,
        "bias_penalty": 3.0,
    }
    return Encoder(**(values | changed))


def without(R, row, column):
    """One encoded row, without a rating."""
    changed = R[[row]].copy()
    changed[0, column] = np.nan
    return changed


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_a_cell_has_the_code_and_bias_of_its_row_without_it(style, widths, activation):
    R = random_ratings()
    encoder = random_encoder(R, style, widths, activation)
    sums = encoder.sums(to_csr(R))
    observed = to_csr(R.T)
    cells = CellCodes(
        encoder.layers(torch.float64),
        encoder.encoding,
        sums,
        observed.indptr,
        observed.indices,
        observed.data,
        np.arange(N_DECODED),
    )
    for column in range(N_DECODED):
        positions = torch.arange(int(observed.indptr[column]), int(observed.indptr[column + 1]))
        codes = cells.take(torch.tensor([column]), positions[None])[0]
        for row, code, position in zip(observed.indices[positions], codes, positions, strict=True):
            expected, bias = encode(encoder, without(R, row, column))
            np.testing.assert_allclose(code, expected[0], rtol=0, atol=1e-10)
            assert cells.biases[position] == pytest.approx(bias[0], abs=1e-10)
    # With nothing left: the mean code, and no bias.
    alone = int(
        observed.indptr[4] + np.flatnonzero(observed.indices[slice(*observed.indptr[4:6])] == 0)[0]
    )
    assert (cells.take(torch.tensor([4]), torch.tensor([[alone]])) == 0).all()
    assert cells.biases[alone] == 0


@pytest.mark.parametrize("style", STYLES)
def test_a_row_that_gave_its_encoded_row_nothing_has_plain_codes(style):
    R = random_ratings()
    encoder = random_encoder(R, style, (6,))
    sums = encoder.sums(to_csr(R))
    every = np.arange(N_ENCODED)
    cells = CellCodes(
        encoder.layers(torch.float64),
        encoder.encoding,
        sums,
        np.array([0, N_ENCODED]),
        every,
        np.full(N_ENCODED, np.nan),
        np.array([-1]),
    )
    codes, biases = encode(encoder, R)
    taken = cells.take(torch.tensor([0]), torch.tensor(every[None]))[0]
    np.testing.assert_allclose(taken, codes, rtol=0, atol=1e-10)
    np.testing.assert_allclose(cells.biases, biases, atol=1e-10)
    rows = encoder.codes(sums)
    np.testing.assert_allclose(rows.factors, codes, rtol=0, atol=1e-10)
    np.testing.assert_allclose(rows.bias, biases, atol=1e-10)
    assert (taken[2] == 0).all() and cells.biases[2] == 0  # without ratings


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("chunk", [1, 2**20])
def test_codes_do_not_depend_on_how_they_are_cut(widths, chunk, monkeypatch):
    monkeypatch.setattr(encoder_module, "_CHUNK", chunk)
    R = random_ratings()
    encoder = random_encoder(R, "residuals", widths)
    codes = encoder.codes(encoder.sums(to_csr(R)))
    np.testing.assert_allclose(codes.factors, encode(encoder, R)[0], rtol=0, atol=1e-10)


def solve(z, r, encoder):
    """Ridge row on codes ``z``, values ``r``, drawn to the encoder's prior."""
    features = np.column_stack((z, np.ones(len(z))))
    penalties = np.array([encoder.penalty] * z.shape[1] + [encoder.bias_penalty])
    centre = np.append(encoder.prior_weight, encoder.prior_bias)
    left = features.T @ features + np.diag(penalties)
    return np.linalg.solve(left, features.T @ r + penalties * centre)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("on_residuals", [False, True])
def test_rows_are_solved_on_codes_without_their_ratings(style, widths, on_residuals):
    R = random_ratings()
    encoder = random_encoder(R, style, widths, on_residuals=on_residuals)
    sums = encoder.sums(to_csr(R))
    # Of the ratings to solve from some are others than the encoded rows were given, and some of
    # these were not given at all.
    asked, known = R.T.copy(), R.T.copy()
    asked[5] = np.where(np.isnan(asked[5]), asked[5], 6 - asked[5])
    given = np.where(np.arange(N_DECODED) % 4 == 0, np.nan, np.arange(N_DECODED))
    known[np.isnan(given)] = np.nan
    ratings = to_csr(asked)
    own = known[np.repeat(np.arange(N_DECODED), np.diff(ratings.indptr)), ratings.indices]
    rows, left_over = encoder.decode(Observed(ratings, own), sums)
    for row in range(N_DECODED):
        rated = np.flatnonzero(~np.isnan(asked[row]))
        without_it = R[rated].copy()
        if not np.isnan(given[row]):
            without_it[:, row] = np.nan
        z, biases = encode(encoder, without_it)
        r = asked[row, rated] - (0 if on_residuals else biases)
        solved = solve(z, r, encoder)
        np.testing.assert_allclose(rows.factors[row], solved[:-1], atol=1e-7)
        assert rows.bias[row] == pytest.approx(solved[-1], abs=1e-7)
        left = r - z @ solved[:-1] - solved[-1]
        part = slice(ratings.indptr[row], ratings.indptr[row + 1])
        np.testing.assert_allclose(left_over[part], left, atol=1e-7)


def test_some_rows_are_solved_as_among_all():
    R = random_ratings()
    encoder = random_encoder(R, "ratings", (6,))
    sums, ratings = encoder.sums(to_csr(R)), to_csr(R.T)
    observed = Observed(ratings, ratings.data)
    every, left = encoder.decode(observed, sums)
    chosen = np.array([2, 4, 11])
    some, some_left = encoder.decode(observed.take(chosen), sums)
    np.testing.assert_allclose(some.factors, every.factors[chosen], atol=1e-9)
    cells = np.concatenate([np.arange(*ratings.indptr[row : row + 2]) for row in chosen])
    np.testing.assert_allclose(some_left, left[cells], atol=1e-9)
    mask = np.isin(np.arange(N_DECODED), chosen)
    only = encoder.decode(observed.only(mask), sums)[0]
    np.testing.assert_allclose(only.factors[mask], every.factors[mask], atol=1e-9)
    assert (only.factors[~mask] == encoder.prior_weight).all()


def test_blocks_of_rows_give_the_same(monkeypatch):
    R = random_ratings()
    encoder = random_encoder(R, "residuals", (6,))
    ratings = to_csr(R.T)
    expected = encoder.decode(Observed(ratings, ratings.data), encoder.sums(to_csr(R)))
    monkeypatch.setattr("skautorec._core.encoding._CELLS", 7)
    monkeypatch.setattr("skautorec._core.encoding._ROWS", 3)
    cut = encoder.decode(Observed(ratings, ratings.data), encoder.sums(to_csr(R)))
    np.testing.assert_allclose(cut[0].factors, expected[0].factors, atol=1e-9)
    np.testing.assert_allclose(cut[1], expected[1], atol=1e-9)


@pytest.mark.parametrize("hidden_units", [8, (7, 4)])
@pytest.mark.parametrize("n_estimators", [1, 2])
def test_the_fitted_rows_are_those_of_brute_force(kind, hidden_units, n_estimators, ratings):
    """From the networks alone: codes, rows and what they leave, and the mean of members."""
    model = new(kind, hidden_units=hidden_units, n_estimators=n_estimators).fit(ratings)
    R = np.full((80, 50), np.nan)
    R[ratings.users, ratings.items] = ratings.values
    predicted = np.zeros((80, 50))
    for member in model._fitted.model.members:
        left = R
        if member.item is not None:
            encoder = member.item.encoder
            codes, of_items = encode(encoder, R.T)
            left = np.full_like(R, np.nan)
            for user, rated in enumerate(~np.isnan(R)):
                others = R.T[rated].copy()
                others[:, user] = np.nan
                z, biases = encode(encoder, others)
                solved = solve(z, R[user, rated] - biases, encoder)
                predicted[user] += codes @ solved[:-1] + solved[-1] + of_items
                left[user, rated] = R[user, rated] - biases - z @ solved[:-1] - solved[-1]
        if member.user is not None:
            encoder = member.user.encoder
            codes, of_users = encode(encoder, R)
            assert encoder.on_residuals == (member.item is not None)
            for item, rated in enumerate(~np.isnan(R.T)):
                others = R[rated].copy()
                others[:, item] = np.nan
                z, biases = encode(encoder, others)
                shift = 0 if encoder.on_residuals else biases
                solved = solve(z, left[rated, item] - shift, encoder)
                predicted[:, item] += codes @ solved[:-1] + solved[-1]
                predicted[:, item] += 0 if encoder.on_residuals else of_users
    predicted = np.clip(predicted / n_estimators, 1, 5)
    np.testing.assert_allclose(model.predict(ratings.to_matrix()), predicted, atol=1e-6)


@pytest.mark.parametrize("n_estimators", [1, 2])
def test_item_factors_are_codes_of_all_ratings(n_estimators, ratings):
    model = new("item", n_estimators=n_estimators).fit(ratings)
    R = np.full((80, 50), np.nan)
    R[ratings.users, ratings.items] = ratings.values
    plain = [encode(part.encoder, R.T) for part in model._fitted.model.parts]
    np.testing.assert_allclose(
        model.item_factors_, np.hstack([codes for codes, _ in plain]), atol=1e-6
    )
    # What a vector index is given: the items' factors with their biases, and a user's with a one.
    items = np.column_stack((model.item_factors_, model.item_bias_))
    best = np.argsort(-(items @ np.append(model.user_factors_[3], 1.0)), kind="stable")[:10]
    listed, _ = model.recommend(3, n=10, exclude_seen=False, rank_by="rating")
    np.testing.assert_array_equal(best, listed)


def test_the_mean_code_is_weighted_by_ratings(ratings):
    # Popular and rare items differ, so that the mean over items is another.
    rare = (ratings.items >= 25) & (np.arange(len(ratings)) % 6 > 0)
    model = new("item", validation_fraction=1e-9).fit(ratings[~rare])
    encoder, kept = model._fitted.model.parts[0].encoder, ratings[~rare]
    R = np.full((50, 80), np.nan)
    R[kept.items, kept.users] = kept.values
    codes = encode(encoder, R)[0] + encoder.mean_code
    counts = (~np.isnan(R)).sum(axis=1)
    np.testing.assert_allclose(
        encoder.mean_code, np.average(codes, axis=0, weights=counts), atol=1e-6
    )
    assert np.abs(codes[counts > 0].mean(axis=0) - encoder.mean_code).max() > 1e-3


def test_rows_fitted_to_what_another_model_leaves_are_drawn_to_zero():
    encoder = random_encoder(random_ratings(), "residuals", (6,)).for_residuals()
    assert encoder.on_residuals
    assert (encoder.prior_weight == 0).all() and encoder.prior_bias == 0
    # There is less to find in what is left: it is drawn there twice as strongly as usual.
    assert encoder.penalty == 2 * random_encoder(random_ratings(), "residuals", (6,)).penalty
    assert encoder.bias_penalty > 20
