"""Frames out: lists and predictions with the labels of what was given."""

import builtins

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from skautorec import AutoRecRegressor, Ratings
from skautorec.baselines import BiasRegressor
from skautorec.datasets import make_ratings

TABLE = make_ratings(40, 30, 400, random_state=0)
FILMS = [f"film {(7 * item) % 30}" for item in range(30)]
USERS = [f"user {user}" for user in range(40)]
R = TABLE.to_matrix()
DENSE = np.where(R.toarray() == 0, np.nan, R.toarray())
WIDE = pd.DataFrame(DENSE, USERS, pd.Index(FILMS, name="film"))
OTHER_ORDER = WIDE.iloc[[5, 0, 9], ::-1]


def small():
    return AutoRecRegressor(4, max_iter=3, random_state=0)


@pytest.fixture(scope="module")
def model():
    """Fitted to columns in an order that is not the sorted one."""
    return small().fit(Ratings.from_matrix(WIDE))


def lists_of(frame, column="item"):
    return [group[column].tolist() for _, group in frame.groupby("user", sort=False)]


@pytest.mark.parametrize("return_std", [False, True])
def test_lists_in_a_frame_are_those_of_the_arrays(model, return_std):
    users = [USERS[3], USERS[11], USERS[3]]
    few = FILMS[:10]  # of which users have seen some, so that rows are padded
    options = {"n": 10, "candidates": few, "return_std": return_std}
    frame = model.recommend(users, **options, as_frame=True)
    arrays = model.recommend(users, **options)
    listed = ~np.isnan(arrays[1])
    assert 0 < (~listed).sum() < listed.size
    names = ["user", "item", "score", "rank", "std"]
    assert list(frame.columns) == names[: 4 + return_std]
    assert frame["user"].tolist() == np.repeat(users, listed.sum(axis=1)).tolist()
    assert frame["item"].tolist() == arrays[0][listed].tolist()
    assert frame["score"].tolist() == arrays[1][listed].tolist()
    assert frame["rank"].tolist() == [rank for n in listed.sum(axis=1) for rank in range(1, n + 1)]
    if return_std:
        assert frame["std"].tolist() == arrays[2][listed].tolist()
    assert frame.index.tolist() == list(range(listed.sum()))


def test_users_in_a_frame_of_lists(model):
    mapping = dict.fromkeys(FILMS[:3], 5.0)
    rows = R[:3]
    labels = pd.DataFrame(DENSE[:3], ["x", ("y", 1), 2], FILMS)
    moved = pd.DataFrame(DENSE[:3], pd.RangeIndex(7, 10), FILMS)
    for user, expected in (
        (USERS[4], [USERS[4]]),
        (mapping, [0]),
        ([mapping, mapping], [0, 1]),
        (rows, [0, 1, 2]),
        (labels, ["x", ("y", 1), 2]),
        (moved, [7, 8, 9]),
        (labels.reset_index(drop=True), [0, 1, 2]),
        (np.array(USERS[:2]), USERS[:2]),
    ):
        frame = model.recommend(user, n=2, as_frame=True)
        assert frame["user"].drop_duplicates().tolist() == expected
        assert frame["rank"].tolist() == [1, 2] * len(expected)
        np.testing.assert_array_equal(frame["item"], model.recommend(user, n=2)[0].ravel())
    assert len(model.recommend([], as_frame=True)) == 0
    assert list(model.recommend([], as_frame=True)) == ["user", "item", "score", "rank"]
    assert len(model.recommend(USERS[0], candidates=[], as_frame=True)) == 0


def test_lists_of_polars_rows_are_numbered(model):
    pl = pytest.importorskip("polars")
    frame = model.recommend(pl.DataFrame(WIDE.iloc[:2]), n=3, as_frame=True)
    assert frame["user"].tolist() == [0, 0, 0, 1, 1, 1]


def test_predictions_have_the_labels_and_the_order_of_a_frame(model):
    array = model.predict(OTHER_ORDER)
    frame = model.predict(OTHER_ORDER, as_frame=True)
    pd.testing.assert_index_equal(frame.index, OTHER_ORDER.index)
    pd.testing.assert_index_equal(frame.columns, OTHER_ORDER.columns)
    assert frame.dtypes.eq(np.float64).all()
    np.testing.assert_array_equal(frame[FILMS], array)
    assert not np.array_equal(frame, array)
    again, std = model.predict(OTHER_ORDER, return_std=True, as_frame=True)
    pd.testing.assert_frame_equal(again, frame)
    np.testing.assert_array_equal(std[FILMS], model.predict(OTHER_ORDER, return_std=True)[1])
    pd.testing.assert_index_equal(std.index, OTHER_ORDER.index)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_predictions_are_of_the_library_that_was_given(model, library):
    module = pytest.importorskip(library)
    columns = {name: OTHER_ORDER[name].to_numpy() for name in OTHER_ORDER}
    given = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    given_names = given.column_names if library == "pyarrow" else given.columns
    frame, std = model.predict(given, return_std=True, as_frame=True)
    assert type(frame) is type(std) is type(given)
    for one, expected in zip((frame, std), model.predict(given, return_std=True), strict=True):
        names = one.column_names if library == "pyarrow" else one.columns
        assert list(names) == list(given_names) == FILMS[::-1]
        np.testing.assert_array_equal(
            np.column_stack([one[name].to_numpy() for name in FILMS]), expected
        )
    coded = small().fit(WIDE, DENSE[:, 0])
    with pytest.raises(TypeError, match=f"frame of {library} are named by text, and the id 0"):
        coded.predict(given, as_frame=True)
    named = small().fit(WIDE, pd.DataFrame({"b": DENSE[:, 1], "a": DENSE[:, 0]}, USERS))
    frame = named.predict(given, as_frame=True)
    assert type(frame) is type(given)
    assert list(frame.column_names if library == "pyarrow" else frame.columns) == ["b", "a"]


@pytest.mark.parametrize("form", [R[:3], DENSE[:3], scipy.sparse.coo_matrix(R[:3])])
def test_predictions_for_a_matrix_have_the_ids_as_columns(model, form):
    fitted = small().fit(Ratings.from_matrix(WIDE))
    frame = fitted.predict(form, as_frame=True)
    assert frame.columns.tolist() == fitted.item_ids_.tolist()
    assert frame.index.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(frame, fitted.predict(form))
    tuples = [("film", film) for film in FILMS]
    of_tuples = small().fit(Ratings.from_matrix(R, item_ids=tuples))
    columns = of_tuples.predict(form, as_frame=True).columns
    assert columns.tolist() == tuples and columns.nlevels == 1


def test_predictions_of_pairs_have_their_ids(model):
    pairs = Ratings([2, 0, 1], [1, 0, 1], [1, 2, 3], user_ids=USERS[:3], item_ids=["new", FILMS[3]])
    frame = model.predict(pairs, as_frame=True)
    assert list(frame.columns) == ["user", "item", "rating"]
    assert frame["user"].tolist() == [USERS[2], USERS[0], USERS[1]]
    assert frame["item"].tolist() == [FILMS[3], "new", FILMS[3]]
    np.testing.assert_array_equal(frame["rating"], model.predict(pairs))
    frame = model.predict(pairs, return_std=True, as_frame=True)
    assert list(frame.columns) == ["user", "item", "rating", "std"]
    np.testing.assert_array_equal(frame["std"], model.predict(pairs, return_std=True)[1])


@pytest.mark.parametrize(
    ("y", "columns"),
    [
        (pd.DataFrame(DENSE[:, :2], USERS, ["b", "a"]), ["b", "a"]),
        (DENSE[:, :30], list(range(30))),
        (pd.Series(DENSE[:, 2], USERS, name="c"), ["c"]),
        (DENSE[:, 2], [0]),
    ],
)
def test_after_fit_with_y_the_columns_are_those_of_y(y, columns):
    numbered = WIDE.set_axis(range(30), axis=1)[list(range(29, -1, -1))]
    fitted = small().fit(numbered, y + 0.5)
    for X, index in ((numbered.iloc[3:5], USERS[3:5]), (R[3:5][:, ::-1], [0, 1])):
        frame = fitted.predict(X, as_frame=True)
        assert frame.columns.tolist() == columns and frame.index.tolist() == index
        expected = fitted.predict(X)
        np.testing.assert_array_equal(frame, expected.reshape(2, -1))
    assert set(fitted.recommend(USERS[0], as_frame=True)["item"]) <= set(columns)


def test_baselines_give_frames_too():
    biases = BiasRegressor().fit(WIDE)
    assert biases.predict(OTHER_ORDER, as_frame=True).columns.tolist() == FILMS[::-1]
    assert biases.recommend(USERS[:2], n=4, as_frame=True)["rank"].tolist() == [1, 2, 3, 4] * 2


def test_frames_need_pandas(model, monkeypatch):
    pairs = Ratings.from_matrix(WIDE)
    usual = builtins.__import__

    def without_pandas(name, *args):
        if name == "pandas":
            raise ImportError
        return usual(name, *args)

    # To scikit-learn 1.6 None in sys.modules is pandas.
    monkeypatch.setattr(builtins, "__import__", without_pandas)
    for ask in (
        lambda: model.recommend(USERS[0], as_frame=True),
        lambda: model.predict(R, as_frame=True),
        lambda: model.predict(pairs, as_frame=True),
        TABLE.to_frame,
    ):
        with pytest.raises(ImportError, match="needs pandas: pip install pandas"):
            ask()
