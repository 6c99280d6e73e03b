"""Standard deviations of predicted ratings against their definition, and what they promise."""

import numpy as np
import pytest
import scipy.sparse
import torch
from conftest import encode, new
from test_ridge import Shared

from skautorec import AutoRecRegressor, Ratings, _fitted
from skautorec._core.model import ItemPart
from skautorec._core.ridge import Prior, relative_variances
from skautorec._fitted import Fitted
from skautorec.baselines import BiasRegressor
from skautorec.datasets import make_ratings


def reference(codes, asked, penalty, bias_penalty):
    """``(z, 1)' A^-1 (z, 1)`` for each row of ``asked``, written out."""
    features = np.column_stack((codes, np.ones(len(codes))))
    A = features.T @ features + np.diag([penalty] * codes.shape[1] + [bias_penalty])
    asked = np.column_stack((asked, np.ones(len(asked))))
    return np.einsum("ij,jk,ik->i", asked, np.linalg.inv(A), asked)


@pytest.mark.parametrize("k", [3, 40])  # rows solved through units, and through cells
def test_relative_variances_are_the_posterior(k):
    rng = np.random.default_rng(0)
    codes, others = rng.normal(size=(30, k)), rng.normal(size=(12, k))
    observed = scipy.sparse.random_array((9, 30), density=0.4, random_state=1, format="lil")
    observed[4] = 0  # a row without cells gets its prior variance
    observed = observed.tocsr()
    observed.eliminate_zeros()
    asked = scipy.sparse.random_array((9, 12), density=0.5, random_state=2, format="csr")
    prior = Prior(torch.zeros(k, dtype=torch.float64), 0.0, 2.0, 3.0)
    indptr, indices, *asked_at = [
        torch.tensor(a, dtype=torch.int64) for m in (observed, asked) for a in (m.indptr, m.indices)
    ]
    shared = Shared(torch.tensor(codes), indices)
    variances = relative_variances(indptr, shared, prior, *asked_at, torch.tensor(others)).numpy()
    for row in range(9):
        part = slice(asked.indptr[row], asked.indptr[row + 1])
        cells = observed.indices[observed.indptr[row] : observed.indptr[row + 1]]
        expected = reference(codes[cells], others[asked.indices[part]], 2.0, 3.0)
        np.testing.assert_allclose(variances[part], expected, rtol=1e-9)


@pytest.mark.parametrize("n_estimators", [1, 2])
@pytest.mark.parametrize("hidden_units", [8, (7, 4)])
def test_std_is_the_posterior_in_rating_units(kind, n_estimators, hidden_units, ratings):
    """Every deviation by brute force: codes without a rating, ridge rows, and what was measured."""
    scaled = ratings.with_values(25 * ratings.values - 25)  # 0..100
    chosen = {"n_estimators": n_estimators, "hidden_units": hidden_units}
    model = new(kind, **chosen).fit(scaled)
    core = model._fitted.model
    assert core.noise > 0 and core.spread > 0 and core.code_spread > 0
    R = np.full((80, 50), np.nan)
    R[ratings.users, ratings.items] = ratings.values  # in stars
    variances = np.full((80, 50), core.noise)
    for part in core.parts:
        encoder = part.encoder
        is_item = isinstance(part, ItemPart)
        encoded = R.T if is_item else R
        codes = encode(encoder, encoded)[0]
        of_codes = 50 / ((~np.isnan(encoded)).sum(axis=1) + 50)
        of_rows = np.empty((encoded.shape[1], len(encoded)))
        for row, rated in enumerate(~np.isnan(encoded.T)):
            without = encoded[rated].copy()
            without[:, row] = np.nan  # no rating explains itself
            own = encode(encoder, without)[0]
            of_rows[row] = reference(own, codes, encoder.penalty, encoder.bias_penalty)
        if not is_item:
            of_rows, of_codes = of_rows.T, of_codes[:, None]
        variances += (core.spread * of_rows + core.code_spread * of_codes) / n_estimators
    _, std = model.predict(scaled.to_matrix(), return_std=True)
    np.testing.assert_allclose(std, 25 * np.sqrt(variances), rtol=1e-5)
    _, std = model.predict(scaled, return_std=True)
    expected = 25 * np.sqrt(variances[ratings.users, ratings.items])
    np.testing.assert_allclose(std, expected, rtol=1e-5)


def test_every_way_to_ask_gives_the_same_std(kind, ratings):
    model = new(kind).fit(ratings)
    predicted, dense = model.predict(ratings.to_matrix(), return_std=True)
    assert predicted.shape == dense.shape
    np.testing.assert_array_equal(predicted, model.predict(ratings.to_matrix()))
    twice = ratings[[5, 3, 5]]  # a table may ask for a pair twice
    _, std = model.predict(twice, return_std=True)
    np.testing.assert_allclose(std, dense[twice.users, twice.items], rtol=1e-6)
    ids, scores, std = model.recommend([7, 0], n=5, return_std=True)
    np.testing.assert_array_equal(scores, model.recommend([7, 0], n=5)[1])
    np.testing.assert_allclose(std, dense[[[7], [0]], ids], rtol=1e-6)
    ids, scores, std = model.recommend(7, n=50, return_std=True)
    assert len(ids) == len(scores) == len(std) < 50
    new_user = dict(
        zip(ratings.items[ratings.users == 7], ratings.values[ratings.users == 7], strict=True)
    )
    np.testing.assert_allclose(model.recommend(new_user, n=50, return_std=True)[2], std, rtol=1e-6)


def test_padding_of_batches_has_no_std(kind, ratings):
    model = new(kind).fit(ratings)
    _, scores, std = model.recommend([1, 2], n=3, candidates=[0, 1], return_std=True)
    assert std.shape == (2, 3)
    np.testing.assert_array_equal(np.isnan(std), np.isnan(scores))


def test_after_fit_with_y_each_column_has_its_unit(kind, ratings):
    R = ratings.to_matrix()
    y = R[:, 40:].toarray()
    y[y == 0] = np.nan
    plain = new(kind).fit(R[:, :40], y)
    stretched = new(kind).fit(R[:, :40], y * np.r_[10.0, np.ones(9)])
    (_, one), (_, other) = (m.predict(R[:, :40], return_std=True) for m in (plain, stretched))
    np.testing.assert_allclose(other[:, 0], 10 * one[:, 0], rtol=1e-5)
    np.testing.assert_allclose(other[:, 1:], one[:, 1:], rtol=1e-5)
    single = new(kind).fit(R[:, :40], y[:, 0])
    predicted, std = single.predict(R[:, :40], return_std=True)
    assert predicted.shape == std.shape == (80,)
    assert plain.recommend(3, n=4, return_std=True)[2].shape == (4,)


def test_more_ratings_mean_less_doubt(ratings):
    R = ratings.to_matrix().toarray()
    R[R == 0] = np.nan
    few = R.copy()
    few[:, ::2] = np.nan  # half as many ratings of each user
    model = new("item").fit(R)
    less, more = (model.predict(X, return_std=True)[1] for X in (R, few))
    assert (less < more).mean() > 0.99
    model = new("user").fit(ratings)
    _, std = model.predict(R, return_std=True)
    counts = np.bincount(ratings.items, minlength=50)
    assert np.corrcoef(counts, std.mean(axis=0))[0, 1] < -0.5


def test_the_unknown_is_doubtful_and_finite(kind, ratings):
    model = new(kind).fit(ratings)
    asked = Ratings([0, 1, 1], [0, 0, 1], [3.0, 3.0, 3.0], user_ids=[5, 9999], item_ids=[7, 8888])
    predicted, std = model.predict(asked, return_std=True)
    assert np.isfinite(predicted).all() and np.isfinite(std).all()
    known = model.predict(ratings, return_std=True)[1]
    assert std[2] > known.mean()


def test_intervals_cover_what_they_say(kind):
    ratings = make_ratings(300, 200, 20_000, random_state=0)
    is_test = np.random.default_rng(0).random(len(ratings)) < 0.2
    model = AutoRecRegressor(50, kind=kind, random_state=0).fit(ratings[~is_test])
    predicted, std = model.predict(ratings[is_test], return_std=True)
    errors = ratings[is_test].values - predicted
    assert 0.85 < np.mean(np.abs(errors) < 1.645 * std) < 0.95
    # Better informed than the best constant.
    nll = np.mean(np.log(std) + np.square(errors / std) / 2)
    assert nll < np.log(errors.std()) + 0.5 + 0.01


@pytest.mark.parametrize("n", [1, 2, 3, 30])
def test_tiny_tables_have_a_std_too(kind, n):
    rng = np.random.default_rng(0)
    tiny = Ratings(np.arange(n) % 6, np.arange(n) // 6, rng.integers(1, 6, n).astype(float))
    predicted, std = new(kind).fit(tiny).predict(tiny, return_std=True)
    assert np.isfinite(predicted).all() and np.isfinite(std).all()


@pytest.mark.parametrize("lambd", [1e-6, 1e-5])
@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_tiny_penalties_have_a_std_too(lambd, activation, ratings):
    parameters = {"hidden_units": 30, "lambd": lambd, "decoder_lambd": lambd}
    model = new("item", activation=activation, **parameters).fit(ratings)
    predicted, std = model.predict(ratings, return_std=True)
    assert np.isfinite(predicted).all()
    assert np.isfinite(std).all() and (std > 0).all()


def test_pairs_of_a_large_matrix_are_told_apart():
    # There are more of them than int32 counts, in which sparse matrices hold rows and columns.
    cells = np.array([[0, 40_000, 69_999], [69_999, 3, 0]], dtype=np.int32)
    R = scipy.sparse.coo_array(([5.0, 1.0, 3.0], tuple(cells)), (70_000, 70_000)).tocsr()
    assert R.indices.dtype == np.int32
    model = BiasRegressor().fit(R)
    fitted = model._fitted
    query = fitted.query(R)
    std = fitted.deviations(fitted.fold_in(query), query, *R.tocoo().coords)
    _, expected = model.predict(Ratings.from_matrix(R), return_std=True)
    np.testing.assert_allclose(std, expected)


def test_a_matrix_is_computed_in_blocks_and_does_not_show_it(kind, ratings, monkeypatch):
    model, R = new(kind, max_iter=5).fit(ratings), ratings.to_matrix()[:30]
    whole = model.predict(R, return_std=True)[1]
    sizes, deviations = [], Fitted._deviations
    monkeypatch.setattr(_fitted, "_N_DEVIATIONS", 4 * R.shape[1])
    monkeypatch.setattr(
        Fitted, "_deviations", lambda *args: sizes.append(args[-1].nnz) or deviations(*args)
    )
    np.testing.assert_allclose(model.predict(R, return_std=True)[1], whole, rtol=1e-6)
    assert len(sizes) == 8 and max(sizes) == 4 * R.shape[1]
