"""Whose a row of ratings is, and that a training user is never explained by their own ratings."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from conftest import encode, new, query_of, with_nan
from test_codes import solve

from skautorec import AutoRecRegressor, Ratings
from skautorec._core.matrix import values_at
from skautorec._core.training_set import TrainingSet, compact
from skautorec.baselines import BiasRegressor
from skautorec.datasets import make_ratings


def row_of(pairs, n_items=40):
    items = np.array(sorted(pairs), dtype=int)
    values = np.array([pairs[item] for item in items], dtype=float)
    return scipy.sparse.csr_array((values, items, [0, len(items)]), shape=(1, n_items))


def training(*users):
    rows = scipy.sparse.vstack([row_of(pairs) for pairs in users], format="csr")
    return TrainingSet(compact(rows), None)


TWENTY = {item: 1 + item % 5 for item in range(20)}
OTHERS = [{item: 1 + (item + 1) % 5 for item in range(20)}, {25: 3, 26: 4}, {30: 5}]


@pytest.mark.parametrize(
    ("changed", "left_out", "added", "expected"),
    [
        ({}, [], {}, 0),
        ({3: 0}, [], {}, 0),  # one rating is another
        ({3: 0, 7: 0}, [], {}, 0),
        ({3: 0, 7: 0, 9: 0}, [], {}, -1),
        ({}, [4], {}, 0),  # one is missing
        ({}, range(4), {}, 0),  # a fifth is
        ({}, range(3, 20), {}, 0),  # a few of them are left
        ({}, [], {35: 4}, 0),  # one is fresh
        ({}, [], {35: 4, 36: 1}, 0),
        ({}, [], {35: 4, 36: 1, 37: 2}, -1),
        ({}, [4], {35: 4}, 0),
        ({}, range(3, 20), {35: 4}, 0),
        ({}, range(2, 20), {35: 4}, 0),
        ({}, range(1, 20), {35: 4}, -1),  # one of two is another
    ],
)
def test_a_row_is_a_training_users_but_for_a_tenth(changed, left_out, added, expected):
    pairs = TWENTY | changed
    pairs = {item: value for item, value in pairs.items() if item not in left_out} | added
    assert training(TWENTY, *OTHERS).recognise(row_of(pairs)).tolist() == [expected]


def test_values_at_cells_are_those_of_another_matrix_or_nan():
    cells = scipy.sparse.vstack([row_of({1: 1, 5: 1, 9: 1}), row_of({2: 1})] * 2, format="csr")
    table = scipy.sparse.vstack([row_of({5: 3, 7: 2}), row_of({1: 4, 2: 5, 9: 1})], format="csr")
    found = values_at(cells, table, np.array([0, 1, 1, -1]))
    np.testing.assert_array_equal(found, [np.nan, 3, np.nan, 5, 4, np.nan, 1, np.nan])


def test_nobody_is_recognised_by_nothing():
    known = training(TWENTY, *OTHERS)
    assert known.recognise(row_of({})).tolist() == [-1]
    assert known.recognise(row_of({39: 5})).tolist() == [-1]  # an item without ratings
    assert known.recognise(row_of({30: 4})).tolist() == [-1]  # another rating of it
    assert known.recognise(row_of({30: 5})).tolist() == [3]  # the only rating there is
    assert known.recognise(scipy.sparse.csr_array((0, 40))).shape == (0,)


def test_of_several_users_it_is_the_one_who_shares_most_if_that_is_one():
    less = {item: value for item, value in TWENTY.items() if item != 3}
    more = TWENTY | {35: 4}
    known = training(TWENTY, less, *OTHERS)
    assert known.recognise(row_of(TWENTY)).tolist() == [0]
    assert known.recognise(row_of(less)).tolist() == [1]  # exactly theirs
    assert known.recognise(row_of(more)).tolist() == [0]
    few = {0: 1, 1: 2, 2: 3}
    assert known.recognise(row_of(few)).tolist() == [-1]  # either's
    twins = training(TWENTY, *OTHERS, TWENTY)
    assert twins.recognise(row_of(TWENTY)).tolist() == [-1]
    assert twins.recognise(row_of(less)).tolist() == [-1]


def test_rows_are_recognised_each_by_itself():
    ratings = make_ratings(80, 50, 1500, random_state=0)
    R = ratings.to_matrix()
    known = TrainingSet(compact(R), None)
    np.testing.assert_array_equal(known.recognise(R), np.arange(80))
    order = np.random.default_rng(0).permutation(80)
    np.testing.assert_array_equal(known.recognise(R[order]), order)
    strangers = make_ratings(80, 50, 1500, random_state=1).to_matrix()
    strangers = strangers[np.diff(strangers.indptr) >= 5]
    assert (known.recognise(strangers) == -1).all()


@pytest.fixture(scope="module")
def planted_rows():
    """User 0 rates items that nobody else rates; 150 others rate 8 of 200 others each."""

    def make(n_own):
        rng = np.random.default_rng(0)
        items = [np.arange(200, 200 + n_own)]
        items += [rng.choice(200, 8, replace=False) for _ in range(150)]
        users = np.repeat(np.arange(151), [len(some) for some in items])
        return Ratings(users, np.concatenate(items), rng.normal(7.5, 1.5, len(users)))

    return make


@pytest.mark.parametrize("n_own", [300, 2000])
@pytest.mark.parametrize("planted_kind", ["item", "both"])
@pytest.mark.parametrize(("solver", "dropout"), [("adam", None), ("adam", 0.0), ("rprop", None)])
def test_a_user_alone_on_their_items_is_predicted_their_mean(
    n_own, planted_kind, solver, dropout, planted_rows
):
    ratings = planted_rows(n_own)
    chosen = {"kind": planted_kind, "solver": solver, "dropout": dropout, "random_state": 0}
    model = AutoRecRegressor(50, **chosen).fit(ratings)
    mean = ratings.values[ratings.users == 0].mean()
    others = Ratings(
        np.zeros(200, int),
        np.arange(200),
        np.full(200, mean),
        user_ids=ratings.user_ids,
        item_ids=ratings.item_ids,
    )
    whole = ratings.to_matrix()[[0]].tolil()
    more, less, other, most = (whole.copy() for _ in range(4))
    more[0, 3], less[0, 250], other[0, 260] = 7.0, 0.0, 4.0
    hidden = np.random.default_rng(1).choice(np.arange(200, 200 + n_own), n_own // 5, False)
    most[0, hidden] = 0.0
    predicted = {"Ratings": model.predict(others)}
    for name, row in (
        ("whole", whole),
        ("one more", more),
        ("one less", less),
        ("one changed", other),
        ("80 %", most),
    ):
        predicted[name] = model.predict(row.tocsr())[0, :200]
    mapping = dict(zip(range(200, 200 + n_own), ratings.values[ratings.users == 0], strict=True))
    factors, bias = model.fold_in(mapping)
    predicted["mapping"] = model.item_factors_[:200] @ factors + bias + model.item_bias_[:200]
    errors = {name: np.sqrt(np.mean(np.square(some - mean))) for name, some in predicted.items()}
    assert max(errors.values()) <= 0.3, errors


def test_a_training_matrix_is_predicted_as_its_pairs(kind, ratings):
    R = ratings.to_matrix()
    for given in (R, with_nan(R), pd.DataFrame(with_nan(R))):
        model = new(kind).fit(given)
        predicted = model.predict(given)[ratings.users, ratings.items]
        np.testing.assert_allclose(predicted, model.predict(ratings), rtol=0, atol=1e-9)


def test_users_with_equal_rows_are_new(kind, ratings):
    R = with_nan(ratings.to_matrix())
    R[7] = R[3]
    model = new(kind).fit(R)
    users = query_of(model, R)
    expected = np.arange(80)
    expected[[3, 7]] = -1
    assert users.known is not None
    np.testing.assert_array_equal(users.known, expected)
    together = model.predict(R)
    np.testing.assert_allclose(together[3], together[7], atol=1e-12)


@pytest.mark.parametrize("dense", [True, False])
def test_a_row_is_predicted_alike_whatever_stands_beside_it(kind, dense, ratings):
    R = ratings.to_matrix().tolil()
    model = new(kind).fit(R.tocsr())
    R[3, 0], R[9, int(R[[9]].nonzero()[1][0])] = 1.0, 3.0
    strangers = make_ratings(40, 50, 500, random_state=3).to_matrix()
    mixed = scipy.sparse.vstack((R.tocsr(), strangers), format="csr")
    order = np.random.default_rng(0).permutation(120)
    mixed = with_nan(mixed[order]) if dense else mixed[order]
    together, std = model.predict(mixed, return_std=True)
    for row in range(0, 120, 7):
        alone, alone_std = model.predict(mixed[[row]], return_std=True)
        np.testing.assert_allclose(alone[0], together[row], rtol=0, atol=1e-9)
        np.testing.assert_allclose(alone_std[0], std[row], rtol=1e-5)


def brute_row(encoder, R, given, user):
    """Row of a user solved from given ratings, on codes of ``R`` without that user's."""
    rated = np.flatnonzero(~np.isnan(given))
    others = R.T[rated].copy()
    if user >= 0:
        others[:, user] = np.nan
    z, biases = encode(encoder, others)
    return solve(z, given[rated] - biases, encoder)


def test_an_index_that_names_training_users_decides_first(ratings):
    R = with_nan(ratings.to_matrix())
    names = [f"user {i}" for i in range(80)]
    model = new("item").fit(pd.DataFrame(R, index=names))
    encoder = model._fitted.model.parts[0].encoder
    codes = encode(encoder, R.T)

    def expected(given, user):
        solved = brute_row(encoder, R, given, user)
        return np.clip(codes[0] @ solved[:-1] + solved[-1] + codes[1], 1, 5)

    # A row that is nobody's by what it holds, a row that is another's, and one with a new name.
    given = np.vstack((R[20] + (R[20] < 3) - (R[20] >= 3), R[5], R[5]))
    frame = pd.DataFrame(given, index=["user 4", "user 9", "somebody"])
    predicted = model.predict(frame)
    for row, user in ((0, 4), (1, 9), (2, 5)):
        np.testing.assert_allclose(predicted[row], expected(given[row], user), atol=1e-6)
    # Without names, whose the rows are is told by what they hold.
    predicted = model.predict(given)
    for row, user in ((0, -1), (1, 5), (2, 5)):
        np.testing.assert_allclose(predicted[row], expected(given[row], user), atol=1e-6)
    # The usual index names nobody.
    by_number = new("item").fit(pd.DataFrame(R))
    np.testing.assert_allclose(by_number.predict(pd.DataFrame(given)), predicted, atol=1e-9)


def test_after_fit_with_y_a_row_is_solved_from_its_cells_alone(ratings):
    R = with_nan(ratings.to_matrix())
    X, y = R[:, :35], R[:, 35:]
    model = new("item").fit(X, y)
    encoder = model._fitted.model.parts[0].encoder
    low, high = np.nanmin(y, axis=0), np.nanmax(y, axis=0)
    y_in_stars = 1 + 4 * (y - low) / (high - low)
    joined = np.hstack((X, y_in_stars))
    codes, biases = encode(encoder, joined.T)
    predicted = model.predict(X)
    for user in range(0, 80, 9):
        given = np.append(X[user], np.full(15, np.nan))
        solved = brute_row(encoder, joined, given, user)
        stars = codes[35:] @ solved[:-1] + solved[-1] + biases[35:]
        expected = np.clip(low + (stars - 1) * (high - low) / 4, low, high)
        np.testing.assert_allclose(predicted[user], expected, atol=1e-6)
    # What y holds of other users than the row's is known, what it holds of the row's user is not.
    other_y = y.copy()
    other_y[9] = np.where(np.isnan(y[9]), np.nan, low + high - y[9])
    users = query_of(model, X[[9]])
    assert users.known.tolist() == [9]
    assert users.ratings.nnz == (~np.isnan(X[9])).sum()


def test_more_new_users_than_there_were_training_users(kind, ratings):
    few = make_ratings(15, 50, 300, random_state=2)
    model = new(kind).fit(few)
    R = ratings.to_matrix()
    R = R[np.diff(R.indptr) >= 8]  # long enough to be nobody's
    assert R.shape[0] > 50 and (model._fitted.training.recognise(R) == -1).all()
    predicted, std = model.predict(R, return_std=True)
    assert predicted.shape == std.shape == R.shape
    alone = [model.predict(R[[row]])[0] for row in (0, 20, 40)]
    np.testing.assert_allclose(predicted[[0, 20, 40]], alone, atol=1e-9)


def test_biases_need_nobody_to_be_recognised(ratings):
    R = ratings.to_matrix()
    model = BiasRegressor().fit(R)
    assert query_of(model, R).known is None
    predicted = model.predict(R)[ratings.users, ratings.items]
    np.testing.assert_allclose(predicted, model.predict(ratings), atol=1e-9)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 5], np.int8),
        ([-100, 100], np.int8),
        ([1, 1000], np.int16),
        ([0.5, 4.5], np.float32),
        ([1, 100_000], np.float32),
        ([0.1, 4.9], np.float64),
        ([1, 2**24 + 1], np.float64),
    ],
)
def test_ratings_are_kept_in_the_smallest_type_that_holds_them(values, dtype):
    R = scipy.sparse.csr_array(np.array([values], dtype=float))
    kept = compact(R)
    assert kept.dtype == dtype
    np.testing.assert_array_equal(kept.toarray(), R.toarray())


@pytest.mark.parametrize(("unit", "dtype"), [(1.0, np.int8), (0.5, np.float32), (0.1, np.float64)])
@pytest.mark.parametrize("with_y", [False, True])
def test_loaded_models_recognise_and_predict_the_same(kind, unit, dtype, with_y, ratings, tmp_path):
    R = unit * ratings.to_matrix()
    given = (R[:, :40], R[:, 40:]) if with_y else (R,)
    model = new(kind).fit(*given)
    assert model._fitted.training.inputs.dtype == dtype
    X = given[0].tolil()
    X[3, int(X[[3]].nonzero()[1][0])] = 3 * unit
    X = X.tocsr()
    predicted = model.predict(X, return_std=True)
    known = query_of(model, X).known
    model.save(tmp_path / "model")
    copies = [
        AutoRecRegressor.load(tmp_path / "model"),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
    ]
    for other in copies:
        # The index by item is made when it is needed.
        training = other._fitted.training
        assert "_by_item" in vars(model._fitted.training) and "_by_item" not in vars(training)
        assert training.inputs.dtype == dtype
        np.testing.assert_array_equal(query_of(other, X).known, known)
        for one, two in zip(other.predict(X, return_std=True), predicted, strict=True):
            np.testing.assert_array_equal(one, two)
    assert (known == np.arange(80)).mean() > 0.9
