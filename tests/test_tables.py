"""Tables that grow: put into one, in a given order of ids, and with marks for what is missing."""

import pickle
import re
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from skautorec import AutoRecRegressor, Ratings
from skautorec.model_selection import make_top_n_scorer
from skautorec.plotting._base import predict_heldout

NAMES = {"user": "u", "item": "i", "rating": "r"}


def read(users, items, values, **options):
    frame = pd.DataFrame(
        {"u": pd.Series(users, dtype=object), "i": pd.Series(items, dtype=object), "r": values}
    )
    return Ratings.from_frame(frame, **NAMES, **options)


def content(ratings):
    users, items = ratings.user_ids[ratings.users], ratings.item_ids[ratings.items]
    return list(zip(users.tolist(), items.tolist(), ratings.values.tolist(), strict=True))


def dated(users, values, timestamps, **options):
    return Ratings(users, [0] * len(users), values, timestamps=timestamps, **options)


def test_tables_read_apart_are_one_table():
    old = read(["cid", "ann"], [7, 9], [1.0, 2.0])
    new = read(["bob", "ann"], [8, 7], [3.0, 4.0])
    both = Ratings.concat([old, new])
    assert type(both) is Ratings
    assert content(both) == content(old) + content(new)
    assert both.user_ids.tolist() == ["ann", "bob", "cid"]
    assert both.item_ids.tolist() == [7, 8, 9]
    assert both.users.dtype == both.items.dtype == np.int32
    again = read(["cid", "ann", "bob", "ann"], [7, 9, 8, 7], [1.0, 2.0, 3.0, 4.0])
    np.testing.assert_array_equal(both.to_matrix().toarray(), again.to_matrix().toarray())
    assert content(Ratings.concat(iter([new]))) == content(new)
    with pytest.raises(ValueError, match="read-only"):
        both.values[0] = 1


def test_ids_without_ratings_are_kept():
    old = Ratings([0], [0], [1], user_ids=["bob", "zoe"], item_ids=["x"])
    new = Ratings([0], [0], [2], user_ids=["ann"], item_ids=["x", "a"])
    both = Ratings.concat([old[:0], new])
    assert both.user_ids.tolist() == ["ann", "bob", "zoe"]
    assert both.item_ids.tolist() == ["a", "x"]
    assert content(both) == [("ann", "x", 2)]


def test_slices_keep_the_order_of_their_ids():
    whole = Ratings([0, 1, 1], [0, 1, 0], [1, 2, 3], user_ids=["z", "a"], item_ids=["y", "b"])
    again = Ratings.concat([whole[1:], whole[:1]])
    assert again.user_ids.tolist() == ["z", "a"] and again.item_ids.tolist() == ["y", "b"]
    assert content(again) == content(whole[[1, 2, 0]])
    other = Ratings([0], [0], [1], user_ids=["a", "z"], item_ids=["y", "b"])
    assert Ratings.concat([whole[:1], other]).user_ids.tolist() == ["a", "z"]


def test_ids_of_several_types_are_in_the_order_they_appear_in():
    with pytest.warns(UserWarning, match="user_ids of these tables holds 1 ids both") as caught:
        both = Ratings.concat(
            [read(["z", 5], [1, 2], [1.0, 2]), read(["5", "a"], [2, 1], [3.0, 4])]
        )
    assert caught[0].filename == __file__
    assert both.user_ids.tolist() == ["z", 5, "5", "a"]
    small = Ratings(
        [0], [0], [1], user_ids=np.array([9], np.int32), item_ids=np.array([2**63], np.uint64)
    )
    large = Ratings([0], [0], [1], user_ids=np.array([-9]), item_ids=np.array([3]))
    joined = Ratings.concat([small, large])
    assert joined.user_ids.tolist() == [-9, 9] and joined.user_ids.dtype == np.int64
    assert joined.item_ids.tolist() == [3, 2**63]
    assert set(map(type, joined.item_ids)) == {int}


def test_ids_of_several_dtypes_are_not_converted():
    def of(ids):
        return Ratings([0], [0], [1], user_ids=ids)

    texts = [np.array(["b", "c"]), ["a"], np.array(["long"])]
    assert Ratings.concat(map(of, texts)).user_ids.tolist() == ["a", "b", "c", "long"]
    with pytest.warns(UserWarning, match="both as text and not"):
        assert Ratings.concat(map(of, [np.array(["1"]), np.array([1])])).n_users == 2
    days = [np.array(["2020-01-02"], "M8[D]"), np.array(["2020-01-02", "2020-01-01"], "M8[ns]")]
    joined = Ratings.concat(map(of, days), duplicates="last")
    assert joined.user_ids.tolist() == [days[0][0], days[1][1]]
    floats = Ratings.concat(map(of, [np.array([0.5]), np.array([0.25], np.float32), [0.75]]))
    assert floats.user_ids.tolist() == [0.25, 0.5, 0.75]


@pytest.mark.parametrize(("duplicates", "values"), [("mean", [3.0, 4.0]), ("last", [4.0, 4.0])])
def test_without_timestamps_the_later_table_is_the_last(duplicates, values):
    tables = [read(["a"], [1], [2.0]), read(["b", "a"], [1, 1], [4.0, 4.0])]
    both = Ratings.concat(tables, duplicates=duplicates)
    by_user = dict(zip(both.user_ids[both.users], both.values, strict=True))
    assert [by_user["a"], by_user["b"]] == values
    with pytest.raises(ValueError, match=r"User 'a' has rated item 1 more than once.*duplicates="):
        Ratings.concat(tables)
    with pytest.raises(ValueError, match="duplicates is 'first'"):
        Ratings.concat(tables, duplicates="first")


def test_with_timestamps_the_latest_is_the_last():
    tables = [dated([0, 1], [1, 2], [9, 5]), dated([0, 1], [3, 4], [8, 5])]
    both = Ratings.concat(tables, duplicates="last")
    assert both.values[np.argsort(both.users)].tolist() == [1, 4]
    assert sorted(both.timestamps.tolist()) == [5, 9]
    days = [
        dated([user], [1], np.array(["2020-01-01"], f"M8[{unit}]"))
        for user, unit in enumerate(("D", "s"))
    ]
    assert Ratings.concat(days).timestamps.dtype == "M8[s]"


PAIRS = Ratings.from_frame(pd.DataFrame({"u": [0], "i": [1]}), user="u", item="i")
ONE = Ratings([0], [0], [3])
DAY = np.array(["2020-01-01"], "M8[D]")


@pytest.mark.parametrize(
    ("tables", "exception", "message"),
    [
        (
            ONE,
            TypeError,
            "A list of Ratings is needed, got Ratings; give them as in Ratings.concat([old",
        ),
        ({"a": ONE}, TypeError, "got dict"),
        ({ONE}, TypeError, "got set"),
        (None, TypeError, "got NoneType"),
        ([ONE, pd.DataFrame()], TypeError, "tables[1] is of type DataFrame; give Ratings"),
        ([], ValueError, "There are no tables"),
        ([ONE, PAIRS], ValueError, "1 of 2 tables hold pairs without ratings"),
        (
            [dated([0], [1], [1]), dated([1], [1], None)],
            ValueError,
            "1 of 2 tables have timestamps, and tables[1] has none",
        ),
        (
            [dated([0], [1], [1]), dated([1], [1], DAY)],
            TypeError,
            "and those of others datetimes",
        ),
    ],
)
def test_tables_that_are_not_put_into_one(tables, exception, message):
    with pytest.raises(exception, match=re.escape(message)):
        Ratings.concat(tables)


def test_pairs_to_predict_are_put_into_one():
    other = Ratings.from_frame(pd.DataFrame({"u": [5], "i": [0]}), user="u", item="i")
    both = Ratings.concat([PAIRS, other])
    assert both.user_ids.tolist() == [0, 5] and np.isnan(both.values).all()


SMALL = Ratings([0, 0, 1, 2], [0, 1, 1, 2], [5, 0, 4, 3], user_ids=["a", "b", "c"])


def test_a_matrix_in_a_given_order():
    R = SMALL.to_matrix(user_ids=["c", "x", "a", "b"], item_ids=[2, 1, 9, 0])
    assert R.shape == (4, 4) and R.nnz == 4 and R.has_sorted_indices
    assert R.toarray().tolist() == [[3, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 5], [0, 4, 0, 0]]
    assert (2, 1) in zip(*R.tocoo().coords, strict=True)  # the rating of 0
    np.testing.assert_array_equal(
        SMALL.to_matrix(user_ids=SMALL.user_ids).toarray(), SMALL.to_matrix().toarray()
    )
    columns = pd.Index([2, 1, 0])
    assert SMALL.to_matrix(item_ids=columns).toarray()[0].tolist() == [0, 0, 5]


@pytest.mark.parametrize(
    ("given", "count", "first"),
    [
        ({"item_ids": [0, 2]}, 2, "of item 1 (int), which is not in item_ids"),
        ({"user_ids": ["c", "b"]}, 2, "by user 'a' (str), who is not in user_ids"),
        ({"user_ids": ["a", "c"], "item_ids": [0, 1]}, 2, "by user 'b' (str)"),
        ({"user_ids": ["a", "b"], "item_ids": ["0", "1"]}, 4, "of item 0 (int)"),
        ({"item_ids": []}, 4, "of item 0 (int)"),
    ],
)
def test_ratings_of_others_than_those_given(given, count, first):
    message = re.escape(first)
    with pytest.raises(ValueError, match=rf"{count} of 4 ratings have .*{message}.*Give these"):
        SMALL.to_matrix(**given)
    with pytest.warns(
        UserWarning, match=rf"{count} of 4 ratings are left out.*{message}"
    ) as caught:
        R = SMALL.to_matrix(**given, unknown="ignore")
    assert len(caught) == 1 and caught[0].filename == __file__
    assert R.nnz == 4 - count
    sides = {"user_ids": SMALL.user_ids, "item_ids": SMALL.item_ids} | given
    assert R.shape == (len(sides["user_ids"]), len(sides["item_ids"]))


def test_ids_without_ratings_need_not_be_given():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert SMALL[:1].to_matrix(user_ids=["a"], item_ids=[0]).toarray().tolist() == [[5]]


@pytest.mark.parametrize(
    ("given", "exception", "message"),
    [
        ({"item_ids": [0, 1, 0]}, ValueError, "item_ids: The id .*0.* is given more than once"),
        ({"user_ids": ["a", None]}, ValueError, "user_ids: ids: the id at position 1 is missing"),
        ({"user_ids": "abc"}, TypeError, "A sequence of ids is needed"),
        ({"item_ids": [0, 1, 2], "unknown": "drop"}, ValueError, "unknown is 'drop'; give 'error'"),
        ({"unknown": True}, ValueError, "unknown is True; give 'error'"),
    ],
)
def test_orders_that_are_refused(given, exception, message):
    with pytest.raises(exception, match=message):
        SMALL.to_matrix(**given)


def test_a_rating_drawn_twice_is_no_matrix_in_any_order():
    with pytest.raises(ValueError, match=r"User 'a' has rated item 0 more than once.*Resample"):
        SMALL[[0, 3, 0]].to_matrix(user_ids=["c", "a"])


MARKED = {"u": ["a", "a", "b", "c", "c"], "i": [1, 2, 1, 2, 9], "r": [5.0, 99.0, 3.5, -1.0, 99.0]}
LIBRARIES = ["pandas", "polars", "pyarrow"]


def framed(library, **columns):
    module = pytest.importorskip(library)
    return module.table(columns) if library == "pyarrow" else module.DataFrame(columns)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("marks", "kept"),
    [
        (99, [0, 2, 3]),
        (-1.0, [0, 1, 2, 4]),
        ([99, -1], [0, 2]),
        ((), [0, 1, 2, 3, 4]),
        (7, range(5)),
    ],
)
def test_rows_with_a_mark_are_no_ratings(library, marks, kept):
    ratings = Ratings.from_frame(framed(library, **MARKED), **NAMES, missing_values=marks)
    rows = list(zip(*MARKED.values(), strict=True))
    assert content(ratings) == [rows[row] for row in kept]
    assert ratings.user_ids.tolist() == ["a", "b", "c"] and ratings.item_ids.tolist() == [1, 2, 9]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("marks", [np.nan, [np.nan, 99], float("nan")])
def test_missing_ratings_are_left_out_where_nan_is_a_mark(library, marks):
    gaps = framed(library, **MARKED | {"r": [5.0, None, 3.5, 1.0, 99.0]})
    with pytest.raises(ValueError, match=r"position 1 is NaN; 1 of 5.*missing_values=numpy.nan"):
        Ratings.from_frame(gaps, **NAMES, missing_values=99)
    ratings = Ratings.from_frame(gaps, **NAMES, missing_values=marks)
    assert len(ratings) == (3 if marks == [np.nan, 99] else 4)
    assert ratings.n_items == 3


def test_what_is_beside_a_mark_is_not_looked_at():
    frame = pd.DataFrame(
        {"u": [1, 1, 2], "i": [1, 1, 1], "r": [99.0, 2.0, np.inf], "t": [np.nan, 5, 6]}
    )
    ratings = Ratings.from_frame(frame[:2], **NAMES, timestamp="t", missing_values=99)
    assert content(ratings) == [(1, 1, 2.0)] and ratings.timestamps.tolist() == [5]
    with pytest.raises(ValueError, match="position 2 is infinite; 1 of 3"):
        Ratings.from_frame(frame, **NAMES, missing_values=99)
    assert len(Ratings.from_frame(frame, **NAMES, missing_values=[99, np.inf])) == 1


@pytest.mark.parametrize("form", ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"])
def test_sparse_cells_with_a_mark_are_unobserved(form):
    cells = [5.0, 99, -1, 3, np.nan], ([0, 0, 1, 1, 2], [0, 2, 1, 3, 3])
    R = scipy.sparse.coo_array(cells, shape=(3, 4)).asformat(form)
    ratings = Ratings.from_matrix(R, missing_values=[99, -1, np.nan])
    assert content(ratings) == [(0, 0, 5), (1, 3, 3)]
    assert (ratings.n_users, ratings.n_items) == (3, 4)
    with pytest.raises(ValueError, match="row 2, column 3 is NaN; 1 of 3"):
        Ratings.from_matrix(R, missing_values=[99, -1])


def test_dense_cells_with_a_mark_are_unobserved():
    dense = np.array([[0, 5.0, np.nan], [0, 0, -1], [0, 0, 0]])
    expected = [(0, 1, 5), (1, 2, -1)]
    for R in (dense, dense.tolist(), pd.DataFrame(dense), pd.DataFrame(dense).astype(object)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ratings = Ratings.from_matrix(R, missing_values=0)
        assert content(ratings) == expected and ratings.n_users == 3
    assert len(Ratings.from_matrix(dense, missing_values=np.nan)) == 8
    stored = pd.DataFrame(dense).astype(pd.SparseDtype(float, np.nan))
    assert content(Ratings.from_matrix(stored, missing_values=[0])) == expected
    with pytest.warns(UserWarning, match="every 0 is read as a rating.*missing_values=0"):
        Ratings.from_matrix(np.nan_to_num(dense))


@pytest.mark.parametrize("given", ["99", [1, "99"], [None], [[1]], {"r": 99}, pd.NA, True, 1j])
def test_marks_are_numbers(given):
    frame = pd.DataFrame(MARKED)
    for read in (
        lambda: Ratings.from_frame(frame, **NAMES, missing_values=given),
        lambda: Ratings.from_matrix(np.eye(2), missing_values=given),
    ):
        with pytest.raises(TypeError, match="missing_values is .*; give the number"):
            read()


def test_tables_of_marks_alone_hold_no_ratings():
    frame = pd.DataFrame(MARKED)
    with pytest.raises(
        ValueError, match="no ratings: all 5 rows of column 'r' hold missing_values"
    ):
        Ratings.from_frame(frame, **NAMES, missing_values=[99, -1, 5, 3.5])
    with pytest.raises(ValueError, match="no column of ratings is named"):
        Ratings.from_frame(frame, user="u", item="i", missing_values=99)
    with pytest.raises(ValueError, match=r"holds no ratings.*or of other numbers than \[0, 1\]"):
        Ratings.from_matrix(np.eye(2), missing_values=[0, 1])


def test_what_is_said_of_numbers_far_off_names_the_parameter(ratings):
    values = ratings.values.copy()
    values[7] = 99
    model = AutoRecRegressor(2, max_iter=1)
    with pytest.warns(UserWarning, match=r"rating 99 .* is far from all.*missing_values=99 in"):
        model.fit(ratings.with_values(values))
    values[::20] = 99
    with pytest.warns(UserWarning, match=r"the highest is 99, as in counts.*missing_values=99 in"):
        model.fit(ratings.with_values(values.round()))


def test_a_frame_without_the_column_named_for_ratings_holds_pairs(ratings):
    frame = pd.DataFrame(MARKED)
    pairs = Ratings.from_frame(frame, **NAMES | {"rating": "stars"}, missing_values=[99, -1])
    assert np.isnan(pairs.values).all() and len(pairs) == len(frame)
    with_weight = NAMES | {"rating": "stars", "weight": "trust"}
    with pytest.raises(ValueError, match="weight='trust': the frame has no such column"):
        Ratings.from_frame(frame, **with_weight)
    model = AutoRecRegressor(2, max_iter=2).fit(
        Ratings.from_frame(frame.drop(index=2), **NAMES, missing_values=[99, -1])
    )
    for table in (pairs, pairs[1:], pickle.loads(pickle.dumps(pairs))):
        for ask in (
            table.to_matrix,
            partial(AutoRecRegressor(2).fit, table),
            partial(make_top_n_scorer("ndcg", relevant_from=4), model, table),
            partial(predict_heldout, model, table, None),
        ):
            with pytest.raises(ValueError, match="rating='stars': the frame has no such column"):
                ask()
    pairs.with_values(np.ones(len(pairs))).check_values()
    with pytest.raises(ValueError, match=r"rating='when': this is the index.*reset_index"):
        Ratings.from_frame(
            frame.rename_axis("when"), user="u", item="i", rating="when"
        ).check_values()
