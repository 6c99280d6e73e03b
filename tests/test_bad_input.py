"""Every kind of bad input, what it raises and what it says."""

import re
import signal
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from conftest import KINDS
from sklearn.model_selection import GridSearchCV

from skautorec import AutoRecRegressor, Ratings
from skautorec._core import fit, training
from skautorec._core.sparse import Pattern
from skautorec._progress import FitProgress
from skautorec.baselines import BiasRegressor
from skautorec.datasets import make_ratings
from skautorec.plotting import ErrorByActivityDisplay

TABLE = make_ratings(30, 20, 250, random_state=0)
R = TABLE.to_matrix()
DENSE = np.where(R.toarray() == 0, np.nan, R.toarray())
LONG = pd.DataFrame({"user_id": [1, 1, 2], "movie_id": [7, 8, 7], "rating": [5.0, 3.0, 4.0]})
EMPTY = scipy.sparse.csr_array((30, 20))

STRAY = pd.DataFrame(DENSE).astype(object)
STRAY.iloc[3, 4] = "n/a"
PAIRS = Ratings.from_frame(pd.DataFrame({"u": [1, 2], "i": [3, 3]}), user="u", item="i")


def with_value(value):
    bad = R.copy()
    bad.data = bad.data.copy()
    bad.data[3] = value
    return bad


def dense_with(value):
    bad = DENSE.copy()
    bad[np.nonzero(~np.isnan(bad))[0][0], 0] = value
    return bad


def model(**changed):
    return AutoRecRegressor(**({"hidden_units": 4, "max_iter": 3, "random_state": 0} | changed))


FITTED = model().fit(R)
NAMED = model().fit(pd.DataFrame(DENSE, columns=[f"item {j}" for j in range(20)]))

WORDS = model().fit(pd.DataFrame(DENSE, index=[f"cust-{i}" for i in range(30)]))
DATED = model().fit(pd.DataFrame(DENSE, columns=pd.date_range("2020-01-01", periods=20)))
TARGETED = model().fit(
    pd.DataFrame(DENSE[:, :15], columns=[f"item {j}" for j in range(15)]),
    pd.DataFrame(DENSE[:, 15:], columns=[f"book {j}" for j in range(5)]),
)


def duplicated():
    return scipy.sparse.coo_array(([3.0, 4.0, 5.0], ([0, 0, 1], [2, 2, 3])), shape=(5, 6))


CASES = {
    # what is given: (call, exception, part of the message)
    "no rows": (lambda: model().fit(np.empty((0, 5))), ValueError, "0 sample"),
    "no columns": (lambda: model().fit(np.empty((5, 0))), ValueError, "0 feature"),
    "sparse without ratings": (lambda: model().fit(EMPTY), ValueError, "no ratings"),
    "empty Ratings": (lambda: model().fit(TABLE[:0]), ValueError, "no ratings"),
    "dense all NaN": (lambda: model().fit(np.full((5, 4), np.nan)), ValueError, "no ratings"),
    "stored NaN": (lambda: model().fit(with_value(np.nan)), ValueError, "NaN"),
    "stored infinity": (lambda: model().fit(with_value(np.inf)), ValueError, "infinit"),
    "stored NaN in predict": (lambda: FITTED.predict(with_value(np.nan)), ValueError, "NaN"),
    "dense infinity": (lambda: model().fit(dense_with(np.inf)), ValueError, "infinit"),
    "dense infinity in predict": (
        lambda: FITTED.predict(dense_with(-np.inf)),
        ValueError,
        "infinit",
    ),
    "duplicates in COO": (lambda: model().fit(duplicated()), ValueError, "more than once"),
    "1-D X": (lambda: model().fit(np.ones(5)), ValueError, "Expected 2D array"),
    "complex": (lambda: model().fit(R.astype(complex)), ValueError, "Complex data"),
    "text": (lambda: model().fit(np.array([["a", "b"]])), TypeError, "'a' (str) in row 0"),
    "wrong kind": (lambda: model(kind="both ways").fit(R), ValueError, "'kind' parameter"),
    "no hidden units": (lambda: model(hidden_units=0).fit(R), ValueError, "'hidden_units'"),
    "a layer of 0": (lambda: model(hidden_units=(5, 0)).fit(R), ValueError, "hidden_units is"),
    "penalty below single precision": (lambda: model(lambd=1e-30).fit(R), ValueError, "'lambd'"),
    "range beyond float64": (
        lambda: model().fit(5e307 * (DENSE - 3)),
        ValueError,
        "Divide all of them by a constant",
    ),
    "ratings in which lists have no order": (
        lambda: model().fit(1e-31 * DENSE),
        ValueError,
        "closer together than 1e-30",
    ),
    "ratings beyond single precision": (
        lambda: BiasRegressor().fit(1e38 * DENSE),
        ValueError,
        "beyond 1e+30",
    ),
    "one huge rating of a new user": (
        lambda: FITTED.recommend({3: 1.7e308}),
        ValueError,
        "A rating of 1.7e+308 is beyond",
    ),
    "huge ratings in rows": (lambda: FITTED.predict(-1e300 * R), ValueError, "Give ratings of"),
    "range of y beyond float64": (
        lambda: model().fit(DENSE, 5e307 * (DENSE[:, ::-1] - 3)),
        ValueError,
        "Divide all of them by a constant",
    ),
    "no layers": (lambda: model(hidden_units=()).fit(R), ValueError, "hidden_units is"),
    "negative lambd": (lambda: model(lambd=-1.0).fit(R), ValueError, "'lambd' parameter"),
    "unknown solver": (lambda: model(solver="adagrad").fit(R), ValueError, "'solver' parameter"),
    "batches for rprop": (
        lambda: model(solver="rprop", batch_size=8).fit(R),
        ValueError,
        "batch_size=None",
    ),
    "unknown device": (lambda: model(device="abacus").fit(R), ValueError, "device is 'abacus'"),
    "range of one": (lambda: model(rating_range=(5,)).fit(R), ValueError, "rating_range is"),
    "range reversed": (lambda: model(rating_range=(5, 1)).fit(R), ValueError, "rating_range is"),
    "rating outside the range": (
        lambda: model(rating_range=(2, 3)).fit(R),
        ValueError,
        "Widen rating_range",
    ),
    "other width": (lambda: FITTED.predict(R[:, :10]), ValueError, "expecting 20 features"),
    "unknown column": (
        lambda: NAMED.predict(pd.DataFrame(DENSE, columns=range(20))),
        ValueError,
        "no items of this estimator",
    ),
    "missing column": (
        lambda: NAMED.predict(pd.DataFrame(DENSE[:, :3], columns=["item 0", "item 1", "item 2"])),
        ValueError,
        "lacks 17 of the 20 items",
    ),
    "long table": (lambda: model().fit(LONG), ValueError, "Ratings.from_frame"),
    "long table in predict": (lambda: FITTED.predict(LONG), ValueError, "Ratings.from_frame"),
    "long table in recommend": (lambda: FITTED.recommend(LONG), ValueError, "Ratings.from_frame"),
    "fit(R, R)": (lambda: model().fit(R, R), ValueError, "Leave y out"),
    "fit(D, D)": (lambda: model().fit(DENSE, DENSE), ValueError, "Leave y out"),
    "rows of y": (lambda: model().fit(R, np.ones(7)), ValueError, "y has 7"),
    "y all NaN": (lambda: model().fit(R, np.full(30, np.nan)), ValueError, "no ratings"),
    "y infinite": (lambda: model().fit(R, np.full(30, np.inf)), ValueError, "infinity"),
    "length of y": (
        lambda: model().fit(Ratings([0, 1], [0, 1], [3.0, 4.0]), [1.0]),
        ValueError,
        "1 values for 2 ratings",
    ),
    "score of seen cells": (lambda: FITTED.score(R, R), ValueError, "observed both"),
    "shape of y in score": (lambda: FITTED.score(R, R[:, :5]), ValueError, "y has shape"),
    "nothing to hide": (
        lambda: FITTED.score(scipy.sparse.eye_array(20, format="csr")),
        ValueError,
        "no row of X has two ratings",
    ),
    "unfitted": (lambda: model().predict(R), ValueError, "not fitted yet"),
    "unfitted recommend": (lambda: model().recommend(0), ValueError, "not fitted yet"),
    "ratings after fit(X, y)": (
        lambda: model().fit(R, np.arange(30.0)).predict(Ratings([0], [0], [1.0])),
        ValueError,
        "give predict a matrix",
    ),
    "score without y after fit(X, y)": (
        lambda: model().fit(R, np.arange(30.0)).score(R),
        ValueError,
        "needs y",
    ),
    "unknown user": (lambda: FITTED.recommend(99), KeyError, "Unknown user id 99"),
    "user id of another type": (lambda: FITTED.recommend("1"), KeyError, "different types"),
    "item id as user": (lambda: NAMED.recommend("item 3"), KeyError, "an item with this id"),
    "user id as item": (lambda: NAMED.similar_items(3), KeyError, "a user with this id"),
    "mask of candidates": (
        lambda: FITTED.recommend(1, candidates=np.arange(20) > 3),
        KeyError,
        "boolean mask",
    ),
    "user id of another case": (
        lambda: WORDS.recommend(" Cust-1"),
        KeyError,
        "Did you mean 'cust-1' (str)?",
    ),
    "part of a user id": (lambda: WORDS.recommend("cust"), KeyError, "For a new user give"),
    "empty text as item": (lambda: NAMED.similar_items(""), KeyError, "Look for it in item_ids_"),
    "time among times": (
        lambda: DATED.similar_items(pd.Timestamp("1999-01-01")),
        KeyError,
        "Look for it in item_ids_",
    ),
    "input as candidate after fit(X, y)": (
        lambda: TARGETED.recommend(1, candidates=["item 1"]),
        KeyError,
        "it is not in target_ids_, which holds 5 ids",
    ),
    "ids and mappings": (lambda: FITTED.recommend([{3: 4}, 5]), TypeError, "not of both"),
    "Ratings as users": (lambda: FITTED.recommend(TABLE), TypeError, "its user_ids"),
    "users among the columns": (
        lambda: model().fit(pd.DataFrame(DENSE).add_prefix("item ").assign(who="cust-1")),
        TypeError,
        "belong in the index",
    ),
    "folder as file": (lambda: FITTED.save("."), IsADirectoryError, "is a folder"),
    "n_bins=2.5": (
        lambda: ErrorByActivityDisplay.from_predictions([1, 2], [1, 2], [1, 2], n_bins=2.5),
        TypeError,
        "n_bins is 2.5",
    ),
    "array of axes": (
        lambda: ErrorByActivityDisplay.from_predictions(
            [1, 2], [1, 2], [1, 2], ax=np.empty(2, dtype=object)
        ),
        TypeError,
        "give one of its Axes",
    ),
    "tuple of users": (lambda: FITTED.recommend((1, 2)), KeyError, "A tuple is one id"),
    "part of an item id": (
        lambda: NAMED.similar_items("ITEM 1"),
        KeyError,
        "Did you mean 'item 1' (str)?",
    ),
    "misspelt item id": (
        lambda: NAMED.recommend({"itm 12": 4}),
        KeyError,
        "Did you mean 'item 12' (str)?",
    ),
    "counts of candidates": (
        lambda: NAMED.recommend(1, candidates=pd.Series({"item 3": 40, "item 7": 25})),
        KeyError,
        "give series.index",
    ),
    "set of similar items": (lambda: FITTED.similar_items({1, 2}), TypeError, "give a list"),
    "table of similar items": (
        lambda: FITTED.similar_items(np.array([[1, 2]])),
        ValueError,
        "give one id or a 1-D batch",
    ),
    "unknown user of a known type": (lambda: FITTED.recommend(99), KeyError, "item_id: rating"),
    "mapping as rows": (lambda: FITTED.predict({3: 5}), TypeError, "goes to recommend"),
    "text as y": (lambda: model().fit(TABLE, TABLE.values.astype(str)), TypeError, "real numbers"),
    "folder that is none": (lambda: FITTED.save("nowhere/m.npz"), FileNotFoundError, "'nowhere'"),
    "series of ratings by integer ids": (
        lambda: FITTED.recommend(pd.Series([5, 4, 1], index=[5, 18, 10])),
        ValueError,
        "dropna",
    ),
    "series of ratings by evenly spaced ids": (  # which pandas may index by a range
        lambda: FITTED.recommend(pd.Series({5: 5, 6: 4, 7: 1})),
        ValueError,
        "dropna",
    ),
    "series of ratings as user": (
        lambda: NAMED.recommend(pd.Series({"item 3": 4, "item 7": 2})),
        ValueError,
        "dict(series.dropna())",
    ),
    "unknown user in a batch": (lambda: FITTED.recommend([1, 99]), KeyError, "99"),
    "set of users": (lambda: FITTED.recommend({1, 2}), TypeError, "give a list"),
    "unhashable user": (lambda: FITTED.recommend([[1, 2]]), TypeError, "hashable"),
    "text in a frame": (lambda: model().fit(STRAY), TypeError, "'n/a' (str) in row 3, column 4"),
    "text in a named column": (
        lambda: model().fit(pd.DataFrame(DENSE).add_prefix("film ").assign(note="n/a")),
        TypeError,
        "'n/a' (str) in row 0, column 'note'",
    ),
    "text among numbers of lists": (
        lambda: model().fit([[1.0, 2.0], [3.0, "four"]]),
        TypeError,
        "'four' (str) in row 1, column 1",
    ),
    "sparse columns filled with ones": (
        lambda: model().fit(sparse_frame(1.0)),
        ValueError,
        "sparse with fill value 1.0, which is neither",
    ),
    "text in an array": (
        lambda: model().fit(STRAY.to_numpy()),
        TypeError,
        "'n/a' (str) in row 3, column 4",
    ),
    "text in from_matrix": (
        lambda: Ratings.from_matrix(STRAY),
        TypeError,
        "'n/a' (str) in row 3, column 4",
    ),
    "long table in from_matrix": (lambda: Ratings.from_matrix(LONG), ValueError, "row per rating"),
    "two columns of one name": (
        lambda: model().fit(pd.DataFrame(DENSE[:, :3], columns=["a", "b", "a"])),
        ValueError,
        "2 columns of the name 'a'",
    ),
    "pairs without ratings in fit": (lambda: model().fit(PAIRS), ValueError, "without ratings"),
    "pairs without ratings in score": (
        lambda: FITTED.score(PAIRS),
        ValueError,
        "without ratings",
    ),
    "numpy's NaN as a rating": (
        lambda: FITTED.recommend({3: np.float64("nan")}),
        ValueError,
        "is nan;",
    ),
    "2-D array as user": (lambda: FITTED.recommend(DENSE), ValueError, "1-D batch of user ids"),
    "unknown item of a new user": (lambda: FITTED.recommend({99: 4}), KeyError, "99"),
    "rating of a new user": (lambda: FITTED.recommend({3: np.nan}), ValueError, "finite"),
    "text as rating of a new user": (lambda: FITTED.recommend({3: "good"}), ValueError, "'good'"),
    "unknown candidate": (lambda: FITTED.recommend(1, candidates=[99]), KeyError, "99"),
    "unknown exclusion": (lambda: FITTED.recommend(1, exclude=[99]), KeyError, "99"),
    "one candidate alone": (lambda: FITTED.recommend(1, candidates=3), TypeError, "sequence"),
    "n=0": (lambda: FITTED.recommend(1, n=0), ValueError, "at least 1"),
    "n=2.5": (lambda: FITTED.recommend(1, n=2.5), TypeError, "integer"),
    "unknown similar item": (lambda: FITTED.similar_items(99), KeyError, "99"),
    "frame without the column": (
        lambda: Ratings.from_frame(LONG, user="user_id", item="title", rating="rating"),
        ValueError,
        "title",
    ),
    "no frame": (
        lambda: Ratings.from_frame([1, 2], user="a", item="b", rating="c"),
        TypeError,
        "frame",
    ),
    "duplicate pair": (
        lambda: Ratings([0, 0], [1, 1], [3.0, 4.0]),
        ValueError,
        'duplicates="mean"',
    ),
    "lengths": (lambda: Ratings([0, 1], [1], [3.0, 4.0]), ValueError, "2"),
    "negative code": (lambda: Ratings([-1, 1], [0, 1], [3.0, 4.0]), ValueError, "-1"),
    "code beyond the ids": (
        lambda: Ratings([0, 9], [0, 1], [3.0, 4.0], user_ids=["a", "b"]),
        ValueError,
        "9",
    ),
    "NaN rating": (lambda: Ratings([0, 1], [0, 1], [3.0, np.nan]), ValueError, "NaN"),
    "no ratings": (lambda: Ratings([], [], []), ValueError, "no ratings"),
    "float codes": (lambda: Ratings([0.5, 1.0], [0, 1], [3.0, 4.0]), TypeError, "integer"),
}


def long_array():
    return np.column_stack((TABLE.users, TABLE.items, TABLE.values))


WARNED = {
    # what is given: (call, part of the warning)
    "long array": (lambda: model().fit(long_array()), "looks like a table with a row per rating"),
    "long array in from_matrix": (
        lambda: Ratings.from_matrix(long_array()),
        "looks like a table with a row per rating",
    ),
    "mostly zeros": (lambda: model().fit(R.toarray()), "every 0 is read as a rating"),
    "mostly zeros as y": (
        lambda: model().fit(R[:, :12], R[:, 12:].toarray()),
        "every 0 is read as a rating",
    ),
    "ratings all equal": (
        lambda: model().fit(TABLE.with_values(np.ones(len(TABLE)))),
        "library for implicit feedback",
    ),
    "ratings all equal in a search": (
        lambda: GridSearchCV(model(), {}, cv=2).fit(TABLE.with_values(np.ones(len(TABLE)))),
        "library for implicit feedback",
    ),
    "a rate too high": (
        lambda: model(solver="sgd", learning_rate=3.0, max_iter=3, dropout=0.0).fit(R),
        "Training raised the objective",
    ),
}


@pytest.mark.parametrize("case", WARNED)
def test_warnings_point_at_the_line_of_the_caller(case):
    call, message = WARNED[case]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    (wanted,) = {(one.filename, one.lineno) for one in caught if message in str(one.message)}
    assert wanted == (__file__, call.__code__.co_firstlineno)


@pytest.mark.parametrize("case", CASES)
def test_bad_input(case):
    call, exception, message = CASES[case]
    with pytest.raises(exception, match=re.escape(message)):
        call()


@pytest.mark.filterwarnings("ignore:More than half")
def test_columns_of_x_with_zeros_for_nothing_are_no_y():
    with pytest.raises(ValueError, match="y holds the same ratings as X"):
        model().fit(R, R.toarray())
    other = R.toarray()
    other[np.nonzero(other == 0)[0][0], np.nonzero(other == 0)[1][0]] = 2.0
    model().fit(R, other)


def test_an_astronomic_id_is_an_id_and_costs_no_memory():
    ratings = Ratings.from_frame(
        LONG.assign(user_id=[2**62, 2**62, -5]), user="user_id", item="movie_id", rating="rating"
    )
    ids, _ = model().fit(ratings).recommend(-5, n=1)
    assert ids.tolist() == [8]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_and_columns_without_ratings_are_allowed(kind):
    gaps = R.tolil()
    gaps[4], gaps[:, 7] = 0, 0
    fitted = model(kind=kind).fit(gaps.tocsr())
    predicted = fitted.predict(gaps)
    assert np.isfinite(predicted).all()
    assert np.isfinite(fitted.recommend(4)[1]).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_diverging_fit_says_what_to_change_and_leaves_nothing_behind(kind, solver):
    fresh = model(kind=kind, solver=solver, learning_rate=1e38, activation="identity", max_iter=50)
    before = dict(vars(fresh))
    with pytest.raises(ValueError, match=r"Lower learning_rate"):
        fresh.fit(R)
    assert vars(fresh) == before


def test_a_failed_fit_keeps_the_last_good_one():
    good = model().fit(R)
    before = good.predict(R)
    with pytest.raises(ValueError):
        good.fit(R[:, :5].tolil()[:, []])
    np.testing.assert_array_equal(good.predict(R), before)


def interrupt(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (FitProgress, "epoch"),
        (training, "add_gradient"),
        (fit, "Calibration"),
        (fit.Model, "__init__"),
        (FitProgress, "end"),
    ],
)
@pytest.mark.parametrize("is_fitted", [False, True])
def test_an_interrupt_at_any_moment_of_a_fit_leaves_the_estimator_as_it_was(
    where, name, is_fitted, monkeypatch
):
    many = model(kind="both", n_estimators=2)
    if is_fitted:
        many.fit(R)
    before = dict(vars(many))
    monkeypatch.setattr(where, name, interrupt)
    with pytest.raises(KeyboardInterrupt):
        many.fit(R[:20])
    assert vars(many).keys() == before.keys()
    assert all(vars(many)[key] is value for key, value in before.items())


def test_an_interrupt_ends_a_search_and_not_only_a_fit(monkeypatch):
    started = []
    monkeypatch.setattr(FitProgress, "__init__", lambda *args: started.append(args))
    monkeypatch.setattr(FitProgress, "phase", interrupt)
    search = GridSearchCV(model(), {"lambd": [5, 50]}, cv=2, n_jobs=1, error_score=0.0)
    with pytest.raises(KeyboardInterrupt):
        search.fit(TABLE, TABLE.values)
    assert len(started) == 1
    assert not hasattr(search, "cv_results_")


def test_control_c_interrupts_training():
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread only")
    slow = model(max_iter=100_000, tol=0.0, n_iter_no_change=100_000)
    parameters = dict(vars(slow))
    # Programs that were started in the background ignore this signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            slow.fit(R)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert vars(slow) == parameters


@pytest.mark.parametrize("n_held_out", [0, 1])
def test_training_on_too_few_held_out_ratings_is_not_ended_by_them(n_held_out, monkeypatch):
    def hold_out(split, cells, weights):
        return np.arange(cells.nnz) < n_held_out

    monkeypatch.setattr(fit._Split, "_is_out", hold_out)
    # One rating has no variance to explain: R^2 would say nothing.
    for kind in ("item", "user", "both"):
        watched = model(kind=kind, max_iter=30, tol=0.0).fit(R)
        assert watched.n_iter_ == 30
        assert watched.validation_scores_ == []


def test_zeros_for_unobserved_warn():
    with pytest.warns(UserWarning, match="every 0 is read as a rating"):
        model().fit(R.toarray())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model().fit(DENSE)


def test_an_array_with_a_row_per_rating_warns():
    table = make_ratings(40, 30, 400, random_state=0)
    array = np.column_stack((table.users, table.items, table.values))
    with pytest.warns(UserWarning, match="looks like a table with a row per rating"):
        model().fit(array)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model().fit(np.random.default_rng(0).integers(1, 101, (200, 3)))


def test_more_ratings_than_int32_counts():
    positions = np.broadcast_to(np.int32(0), 2**31)
    with pytest.raises(ValueError, match="2,147,483,648 ratings to train on; at most"):
        Pattern.from_csr(np.array([0, 2**31]), positions, (1, 1))


def test_at_least_thirty_cases():
    assert len(CASES) >= 30


@pytest.mark.parametrize("what", ["user", "item"])
def test_ids_of_another_type_warn_that_they_are_unknown(what):
    table = make_ratings(40, 30, 400, random_state=0)
    other = {f"{what}_ids": [str(id) for id in getattr(table, f"{what}_ids")]}
    parts = {"user_ids": table.user_ids, "item_ids": table.item_ids} | other
    texts = Ratings(table.users, table.items, table.values, **parts)
    fitted = model().fit(table)
    with pytest.warns(UserWarning, match=rf"{what} ids of 100% .*'\d+' \(str\).* \d+ \(int\)"):
        predicted = fitted.predict(texts)
    assert np.isfinite(predicted).all()


def test_a_new_users_rating_outside_the_range_warns():
    row = scipy.sparse.csr_array(([50.0, 2.0], ([0, 0], [3, 4])), shape=(1, FITTED.n_features_in_))
    for ask in (
        lambda: FITTED.recommend({3: 50, 4: 2}),
        lambda: FITTED.recommend(row),
        lambda: FITTED.predict(row),
        lambda: FITTED.score(scipy.sparse.vstack([row, row[:, ::-1]])),
    ):
        with pytest.warns(UserWarning, match="rating of 50 is outside the rating range"):
            ask()


@pytest.mark.parametrize("values", [[5.1, 2.0], [0.9, 5.0]])
def test_a_new_users_rating_a_little_outside_the_range_is_chance(values):
    # As the highest of a fold may be, of ratings that are any number.
    FITTED.recommend({3: values[0], 4: values[1]})


def sparse_frame(fill_value):
    dense = R.toarray()
    if fill_value != 0:
        dense[dense == 0] = np.nan
    return pd.DataFrame(dense).add_prefix("i").astype(pd.SparseDtype(float, fill_value))


@pytest.mark.parametrize("fill_value", [0, np.nan])
def test_cells_that_a_sparse_frame_does_not_store_are_unobserved(fill_value):
    frame = sparse_frame(fill_value)
    assert Ratings.from_matrix(frame).to_matrix().nnz == R.nnz
    expected = model().fit(R[:, :-2], R[:, -2:]).predict(R[:, :-2])
    fitted = model().fit(frame.iloc[:, :-2], frame.iloc[:, -2:])
    np.testing.assert_array_equal(fitted.predict(frame.iloc[:, :-2]), expected)
    one = model().fit(frame.iloc[:, :-1], frame.iloc[:, -1]).predict(frame.iloc[:, :-1])
    expected = model().fit(R[:, :-1], R[:, -1:]).predict(R[:, :-1])
    np.testing.assert_array_equal(one, expected[:, 0])


@pytest.mark.parametrize("other", ["dense", "fill"])
def test_frames_that_mix_sparse_and_dense_columns_are_refused(other):
    frame = sparse_frame(0)
    fitted = model().fit(frame)
    mixed = frame.copy()
    mixed["i3"] = sparse_frame(np.nan)["i3"]
    if other == "dense":
        mixed["i3"] = mixed["i3"].sparse.to_dense()
    asks = [
        Ratings.from_matrix,
        model().fit,
        fitted.predict,
        fitted.recommend,
        fitted.score,
        lambda y: model().fit(R, y),
        lambda y: fitted.score(frame, y),
    ]
    for ask in asks:
        with pytest.raises(ValueError, match="differ in what an unobserved cell holds.*'i3'"):
            ask(mixed)


@pytest.mark.parametrize(
    ("frame", "changed", "message"),
    [
        (LONG, {"item": "user_id"}, "user='user_id' and item='user_id' name one column"),
        (LONG.set_index("movie_id"), {}, r"item='movie_id': this is the index.*reset_index\(\)"),
    ],
)
def test_columns_of_a_table_are_columns_of_their_own(frame, changed, message):
    names = {"user": "user_id", "item": "movie_id", "rating": "rating"} | changed
    with pytest.raises(ValueError, match=message):
        Ratings.from_frame(frame, **names)


def test_what_to_do_with_further_columns_is_said():
    frame = pd.DataFrame(DENSE)
    fitted = model().fit(frame)
    with pytest.raises(ValueError, match=r"reindex\(columns=item_ids_\)"):
        fitted.predict(frame.assign(more=1.0).set_axis(range(21), axis=1))


def test_update_refuses_parameters_that_fit_refuses():
    fitted = model(rating_range=(1, 5)).fit(R).set_params(verbose="much")
    with pytest.raises(ValueError, match="'verbose' parameter"):
        fitted.update(TABLE[:1])
