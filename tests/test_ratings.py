"""Ratings: what it holds, how scikit-learn slices it, what it reads and what it refuses."""

import copy
import datetime
import pickle
import re
import warnings
import xml.etree.ElementTree

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_val_predict,
    train_test_split,
)
from sklearn.utils import _safe_indexing, indexable, resample
from sklearn.utils.validation import _num_samples

from skautorec import AutoRecRegressor
from skautorec._data.matrix import observed_csr, observed_from_dense
from skautorec._data.ratings import Ratings
from skautorec.datasets import make_ratings

FORMATS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]
NAN, INF = np.nan, np.inf


def table(**changed):
    given = {
        "users": [0, 0, 1, 2],
        "items": [1, 0, 1, 3],
        "values": [5, 0, 4.5, 1],
        "timestamps": [40, 30, 20, 10],
        "user_ids": ["ann", "bob", "cid", "dan"],
    }
    return Ratings(**(given | changed))


def content(ratings):
    users, items = ratings.user_ids[ratings.users], ratings.item_ids[ratings.items]
    return list(zip(users.tolist(), items.tolist(), ratings.values.tolist(), strict=True))


def test_content():
    ratings = table()
    assert content(ratings) == [("ann", 1, 5), ("ann", 0, 0), ("bob", 1, 4.5), ("cid", 3, 1)]
    assert ratings.timestamps.tolist() == [40, 30, 20, 10]
    assert (ratings.n_users, ratings.n_items, len(ratings)) == (4, 4, 4)
    assert ratings.shape == (4,) and ratings.ndim == 1
    assert ratings.users.dtype == ratings.items.dtype == np.int32
    assert ratings.values.dtype == np.float64
    assert ratings.item_ids.tolist() == [0, 1, 2, 3]
    assert table(timestamps=None).timestamps is None


def test_repr():
    ratings = table()
    summary = "Ratings: 4 ratings of 4 items by 4 users (25% observed), from 0.0 to 5.0"
    assert repr(ratings) == f"<{summary}>"
    assert "1,500 ratings" in repr(Ratings(range(1500), range(1500), range(1500)))
    assert repr(ratings[:0]) == "<Ratings: 0 ratings of 4 items by 4 users>"
    html = ratings._repr_html_()
    assert summary in html and "..." not in html
    assert "<tr><td>&#x27;bob&#x27;</td><td>1</td><td>4.5</td><td>20</td></tr>" in html
    assert "timestamp" not in table(timestamps=None)._repr_html_()
    assert "0 ratings" in ratings[:0]._repr_html_()


def test_html_of_a_long_table_is_its_head():
    html = Ratings(range(1500), range(1500), range(1500))._repr_html_()
    assert html.count("<tr>") == 7  # heading, five ratings, dots


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", "a & b", '"><img src=x>'])
def test_html_escapes_ids(evil):
    html = Ratings([0], [0], [1], user_ids=[evil], item_ids=[(evil, 1)])._repr_html_()
    document = xml.etree.ElementTree.fromstring(f"<div>{html}</div>")
    assert {element.tag for element in document.iter()} <= {"div", "p", "table", "tr", "th", "td"}
    assert [cell.text for cell in document.iter("td")] == [repr(evil), repr((evil, 1)), "1.0"]


ARRAYS = ["users", "items", "values", "timestamps", "user_ids", "item_ids"]


@pytest.mark.parametrize(
    "make",
    [
        lambda ratings: ratings,
        lambda ratings: ratings[1:],
        lambda ratings: ratings[[0, 2]],
        lambda ratings: pickle.loads(pickle.dumps(ratings)),
        copy.deepcopy,
        lambda ratings: ratings.with_values([1, 2, 3, 4]),
    ],
)
@pytest.mark.parametrize("name", ARRAYS)
def test_it_is_immutable(make, name):
    ratings = make(table())
    with pytest.raises(ValueError, match="read-only"):
        getattr(ratings, name)[0] = getattr(ratings, name)[0]
    with pytest.raises(AttributeError):
        setattr(ratings, name, None)


@pytest.mark.parametrize("name", ARRAYS)
def test_what_was_given_stays_writable_and_apart(name):
    given = {
        "users": np.array([0, 1], dtype=np.int32),
        "items": np.array([0, 1], dtype=np.int32),
        "values": np.array([2.0, 3.0]),
        "timestamps": np.array([6, 7]),
        "user_ids": np.array([4, 5]),
        "item_ids": np.array([4, 5]),
    }
    ratings = Ratings(**given)
    before = getattr(ratings, name).copy()
    given[name][:] = 1
    np.testing.assert_array_equal(getattr(ratings, name), before)


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        (slice(1, 3), [1, 2]),
        (slice(None, None, -1), [3, 2, 1, 0]),
        ([2, 0], [2, 0]),
        ([], []),
        (np.array([-1]), [3]),
        ([True, False, False, True], [0, 3]),
        (np.array([False, False, True, False]), [2]),
        ((np.array([1, 2]), Ellipsis), [1, 2]),
        ((slice(2), Ellipsis), [0, 1]),
    ],
)
def test_slices_keep_the_vocabularies(key, rows):
    ratings = table()
    part = ratings[key]
    assert type(part) is Ratings
    assert content(part) == [content(ratings)[row] for row in rows]
    assert part.timestamps.tolist() == [ratings.timestamps[row] for row in rows]
    assert part.user_ids is ratings.user_ids and part.item_ids is ratings.item_ids


@pytest.mark.parametrize(
    ("key", "exception", "message"),
    [
        (0, TypeError, r"ratings[[0]]"),
        (np.int64(-1), TypeError, r"ratings[[-1]]"),
        ((2, Ellipsis), TypeError, "slice"),
        (True, IndexError, "slice"),
        ("users", IndexError, "slice"),
        ([0.5], IndexError, "slice"),
        ([[0, 1]], IndexError, "slice"),
        ([4], IndexError, "out of bounds"),
        ([True], IndexError, "boolean index"),
    ],
)
def test_keys_that_are_refused(key, exception, message):
    with pytest.raises(exception, match=re.escape(message)):
        table()[key]


@pytest.mark.parametrize("call", [iter, list, np.asarray, lambda ratings: 0 in ratings])
def test_it_is_neither_iterable_nor_an_array(call):
    with pytest.raises(TypeError, match=r"Ratings"):
        call(table())


class MeanOf(RegressorMixin, BaseEstimator):
    """Predicts the mean rating of the training ratings."""

    def __init__(self, offset=0.0):
        self.offset = offset

    def fit(self, X, y):
        assert isinstance(X, Ratings) and X.n_users == 50
        np.testing.assert_array_equal(X.values, y)
        self.mean_ = X.values.mean()
        return self

    def predict(self, X):
        assert isinstance(X, Ratings)
        return np.full(len(X), self.mean_ + self.offset)


@pytest.fixture
def many():
    rng = np.random.default_rng(0)
    users, items = np.divmod(rng.permutation(50 * 20)[:600], 20)
    return Ratings(users, items, rng.integers(1, 6, 600), user_ids=range(50))


def test_scikit_learn_slices_it(many):
    assert _num_samples(many) == 600
    assert indexable(many, many.values)[0] is many
    assert content(_safe_indexing(many, [5, 3])) == [content(many)[5], content(many)[3]]
    train, test, values = train_test_split(many, many.values, random_state=0)[:3]
    assert len(train) + len(test) == 600 and train.user_ids is test.user_ids is many.user_ids
    np.testing.assert_array_equal(train.values, values)
    assert sorted(content(train) + content(test)) == sorted(content(many))
    assert sum(len(many[held_out]) for _, held_out in KFold(4).split(many)) == 600
    for rest, held_out in GroupKFold(5).split(many, groups=many.users):
        assert not set(many[rest].users) & set(many[held_out].users)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scikit_learn_searches_over_it(many, n_jobs):
    search = GridSearchCV(MeanOf(), {"offset": [1.0, 0.0]}, cv=3, n_jobs=n_jobs)
    assert search.fit(many, many.values).best_params_ == {"offset": 0.0}
    assert cross_val_predict(MeanOf(), many, many.values, cv=3).shape == (600,)


def test_read_only_memory_maps(many, tmp_path):
    joblib.dump(many, tmp_path / "ratings")
    mapped = joblib.load(tmp_path / "ratings", mmap_mode="r")
    assert content(mapped[::2]) == content(many)[::2]
    np.testing.assert_array_equal(mapped.to_matrix().toarray(), many.to_matrix().toarray())


@pytest.mark.parametrize("remake", [lambda it: pickle.loads(pickle.dumps(it)), copy.deepcopy])
def test_copies(remake):
    ratings = table()
    assert content(remake(ratings)) == content(ratings)
    first, second = remake((ratings[:2], ratings[2:]))
    assert first.user_ids is second.user_ids


def test_matrix_and_back():
    R = table().to_matrix()
    assert isinstance(R, scipy.sparse.csr_array) and R.shape == (4, 4) and R.dtype == np.float64
    assert R.nnz == 4 and R.has_sorted_indices
    assert R.indices.tolist() == [0, 1, 1, 3] and R.data.tolist() == [0, 5, 4.5, 1]
    again = Ratings.from_matrix(R, user_ids=["ann", "bob", "cid", "dan"])
    assert sorted(content(again)) == sorted(content(table()))
    assert again.n_users == 4


def test_frame_and_back():
    pd = pytest.importorskip("pandas")
    frame = table()[[2, 0, 3]].to_frame()
    assert list(frame.columns) == ["user_id", "item_id", "rating", "timestamp"]
    assert frame.values.tolist() == [["bob", 1, 4.5, 20], ["ann", 1, 5, 40], ["cid", 3, 1, 10]]
    assert "timestamp" not in table(timestamps=None).to_frame()
    times = pd.Series(pd.to_datetime(["2020-01-02", "2020-01-01"]))
    ids = {"user_ids": [("a", 1), ("b", 2)], "item_ids": [1, "1"]}
    dated = Ratings([1, 0], [0, 1], [3, 4], timestamps=times, **ids)
    names = {"user": "user_id", "item": "item_id", "rating": "rating", "timestamp": "timestamp"}
    with pytest.warns(UserWarning, match="both as text and not"):
        again = Ratings.from_frame(dated.to_frame(), **names)
    assert content(again) == content(dated) == [(("b", 2), 1, 3.0), (("a", 1), "1", 4.0)]
    assert again.timestamps.tolist() == dated.timestamps.tolist()


def test_pairs_without_ratings_are_predicted_and_not_fitted():
    pd = pytest.importorskip("pandas")
    train = make_ratings(60, 40, 800, random_state=0)
    model = AutoRecRegressor(4, max_iter=3, random_state=0).fit(train)
    frame = train[:30].to_frame()
    pairs = Ratings.from_frame(frame[["user_id", "item_id"]], user="user_id", item="item_id")
    assert np.isnan(pairs.values).all()
    assert repr(pairs).startswith("<Ratings: 30 pairs without ratings of")
    assert pairs._repr_html_() and pd.isna(pairs.to_frame()["rating"]).all()
    np.testing.assert_array_equal(model.predict(pairs), model.predict(train[:30]))
    for call in (pairs.to_matrix, lambda: model.fit(pairs)):
        with pytest.raises(ValueError, match="pairs without ratings, to be predicted"):
            call()
    model.fit(pairs, frame["rating"])
    names = {"user": "user_id", "item": "item_id"}
    assert len(Ratings.from_frame(pd.concat((frame, frame)), **names, duplicates="last")) == 30


def test_resampling_with_replacement_is_no_matrix():
    again = resample(table(), n_samples=9, random_state=0)
    with pytest.raises(ValueError, match=r"more than once.*Resample without replacement"):
        again.to_matrix()


def test_other_values():
    ratings = table()
    other = ratings.with_values([1, 2, 3, 4])
    assert other.values.tolist() == [1, 2, 3, 4] and ratings.values[0] == 5
    assert other.users is ratings.users or other.users.tolist() == ratings.users.tolist()
    assert other.user_ids is ratings.user_ids
    for bad in ([1.0], [1, 2, 3, NAN]):
        with pytest.raises(ValueError, match=r"1 values for 4|position 3 is NaN"):
            ratings.with_values(bad)


@pytest.mark.parametrize(
    ("changed", "exception", "message"),
    [
        ({"items": [1, 0]}, ValueError, "users has 4, items has 2, values has 4"),
        ({"timestamps": [1]}, ValueError, "timestamps has 1"),
        ({"values": [1, 2, NAN, NAN]}, ValueError, "position 2 is NaN; 2 of 4"),
        ({"values": [1, -INF, 2, 3]}, ValueError, "position 1 is infinite; 1 of 4"),
        ({"values": [1, None, 2, 3]}, ValueError, "position 1 is NaN"),
        ({"values": ["1", "2", "3", "4"]}, TypeError, "real numbers; values holds dtype <U1"),
        ({"values": np.array([1, "2", 3, 4], object)}, TypeError, "'2' (str)"),
        ({"values": [1j, 2, 3, 4]}, TypeError, "complex"),
        ({"values": [[1, 2, 3, 4]]}, ValueError, "values has shape (1, 4)"),
        ({"users": np.zeros((4, 1), int)}, ValueError, "users has shape (4, 1)"),
        ({"users": 3}, ValueError, "users has shape ()"),
        ({"users": [0, 1, -2, 3]}, ValueError, "users[2] is -2"),
        ({"users": [0, 1, 4, 3]}, ValueError, "users[2] is 4, beyond the 4 user_ids"),
        ({"items": [0, 1, 10**12, 3]}, ValueError, "items[2] is 1000000000000; without item_ids"),
        ({"users": [0.0, 1, 2, 3]}, TypeError, "integer codes"),
        ({"users": ["a", "b", "c", "d"]}, TypeError, "Ratings.from_frame"),
        ({"users": [True, False, True, True]}, TypeError, "bool"),
        ({"user_ids": ["a", "a", "b", "c"]}, ValueError, "user_ids: The id 'a'"),
        ({"user_ids": ["a", None, "b", "c"]}, ValueError, "user_ids: ids: the id at position 1"),
        ({"user_ids": "abcd"}, TypeError, "sequence of ids"),
        ({"timestamps": [1, 2, NAN, 4]}, ValueError, "timestamp at position 2 is missing"),
        ({"timestamps": ["a", "b", "c", "d"]}, TypeError, "numbers or datetimes"),
        ({"duplicates": "first"}, ValueError, "duplicates is 'first'; give 'error', 'mean'"),
        (
            {"users": [], "items": [], "values": [], "timestamps": None},
            ValueError,
            "no ratings",
        ),
    ],
)
def test_refusals(changed, exception, message):
    with pytest.raises(exception, match=re.escape(message)):
        table(**changed)


TWICE = {"users": [0, 1, 0, 0, 1], "items": [1, 0, 1, 0, 0], "values": [1, 2, 4, 3, 6]}


@pytest.mark.parametrize(
    ("duplicates", "timestamps", "expected", "times"),
    [
        ("mean", None, [(0, 1, 2.5), (1, 0, 4), (0, 0, 3)], None),
        ("mean", [9, 1, 2, 3, 4], [(0, 1, 2.5), (1, 0, 4), (0, 0, 3)], [9, 4, 3]),
        ("last", None, [(0, 1, 4), (0, 0, 3), (1, 0, 6)], None),
        ("last", [9, 1, 2, 3, 4], [(0, 1, 1), (0, 0, 3), (1, 0, 6)], [9, 3, 4]),
        ("last", [7, 7, 7, 7, 7], [(0, 1, 4), (0, 0, 3), (1, 0, 6)], [7, 7, 7]),
    ],
)
def test_duplicates(duplicates, timestamps, expected, times):
    ratings = Ratings(**TWICE, timestamps=timestamps, duplicates=duplicates)
    assert content(ratings) == expected
    assert (None if times is None else ratings.timestamps.tolist()) == times
    assert content(table(duplicates=duplicates)) == content(table())


def test_duplicates_are_named_by_their_ids():
    message = "User 'bob' has rated item 7 more than once, at positions 1 and 3; 2 of 5"
    with pytest.raises(ValueError, match=message) as caught:
        Ratings(
            [0, 1, 2, 1, 2], [0, 0, 1, 0, 1], [1, 2, 3, 4, 5], user_ids=["ann", "bob", "cid"],
            item_ids=[7, 8],
        )  # fmt: skip
    assert 'duplicates="mean" or duplicates="last"' in str(caught.value)


def test_pairs_of_large_codes_do_not_overflow():
    largest = 70_000
    ratings = Ratings(
        np.array([largest, 0], dtype=np.int32), np.array([largest, 0], dtype=np.int32), [1, 2]
    )
    assert len(ratings) == 2 and ratings.to_matrix()[largest, largest] == 1


FRAMES = ["pandas", "polars", "pyarrow"]


def frame(library, **columns):
    module = pytest.importorskip(library)
    return module.table(columns) if library == "pyarrow" else module.DataFrame(columns)


@pytest.fixture(params=FRAMES)
def long(request):
    return frame(
        request.param,
        who=["bob", "ann", "bob", "bob"],
        what=[20, 10, 10, 20],
        stars=[4.0, 1.0, 2.0, 5.0],
        when=[datetime.datetime(2020, 1, day) for day in (4, 3, 2, 1)],
    )


NAMES = {"user": "who", "item": "what", "rating": "stars"}


def test_frames(long):
    ratings = Ratings.from_frame(long, **NAMES, timestamp="when", duplicates="last")
    assert content(ratings) == [("bob", 20, 4), ("ann", 10, 1), ("bob", 10, 2)]
    assert ratings.user_ids.tolist() == ["ann", "bob"] and ratings.item_ids.tolist() == [10, 20]
    assert ratings.timestamps.dtype.kind == "M"
    assert np.diff(ratings.timestamps).astype("m8[D]").astype(int).tolist() == [-1, -1]
    assert content(Ratings.from_frame(long, **NAMES, duplicates="last"))[-1] == ("bob", 20, 5)


def test_frames_of_narwhals(long):
    nw = pytest.importorskip("narwhals")
    wrapped = Ratings.from_frame(nw.from_native(long), **NAMES, duplicates="mean")
    assert content(wrapped)[0] == ("bob", 20, 4.5)


def test_frames_lacking_a_column(long):
    with pytest.raises(ValueError, match="item='movie'.*'who', 'what', 'stars', 'when'"):
        Ratings.from_frame(long, user="who", item="movie", rating="stars")
    with pytest.raises(ValueError, match="timestamp='then'"):
        Ratings.from_frame(long, **NAMES, timestamp="then")
    with pytest.raises(TypeError, match="column 'who'"):
        Ratings.from_frame(long, user="who", item="what", rating="who")


@pytest.mark.parametrize("library", FRAMES)
def test_frames_with_gaps(library):
    with pytest.raises(ValueError, match="column 'who': the id at position 1 is missing"):
        Ratings.from_frame(frame(library, who=["a", None], what=[1, 2], stars=[1, 2]), **NAMES)
    with pytest.raises(ValueError, match="column 'what': the id at position 1 is missing"):
        Ratings.from_frame(frame(library, who=["a", "b"], what=[1, None], stars=[1, 2]), **NAMES)
    with pytest.raises(ValueError, match="rating at position 0 is NaN"):
        Ratings.from_frame(frame(library, who=["a", "b"], what=[1, 2], stars=[None, 2]), **NAMES)
    with pytest.raises(ValueError, match="no ratings"):
        Ratings.from_frame(frame(library, who=[], what=[], stars=[]), **NAMES)


@pytest.mark.parametrize("library", FRAMES)
def test_timestamps_with_a_zone(library):
    when = [datetime.datetime(2020, 1, day, tzinfo=datetime.UTC) for day in (2, 1)]
    given = frame(library, who=["a", "b"], what=[1, 2], stars=[1, 2], when=when)
    ratings = Ratings.from_frame(given, **NAMES, timestamp="when")
    assert ratings.timestamps.astype("M8[D]").astype(str).tolist() == ["2020-01-02", "2020-01-01"]


@pytest.mark.parametrize("given", [[1, 2], np.zeros((2, 3)), {"who": [1]}, "frame", None])
def test_what_is_no_frame(given):
    with pytest.raises(TypeError, match=r"eager data frame.*got"):
        Ratings.from_frame(given, **NAMES)


def test_peculiar_frames():
    pd = pytest.importorskip("pandas")
    unnamed = pd.DataFrame([[1, 2, 3.0], [2, 2, 4.0]])
    assert content(Ratings.from_frame(unnamed, user=0, item=1, rating=2)) == [(1, 2, 3), (2, 2, 4)]
    with pytest.raises(ValueError, match="several columns of one name"):
        Ratings.from_frame(
            pd.DataFrame([[1, 2]], columns=["a", "a"]), user="a", item="a", rating="a"
        )
    pl = pytest.importorskip("polars")
    with pytest.raises(TypeError, match="Collect"):
        Ratings.from_frame(pl.LazyFrame({"a": [1]}), user="a", item="a", rating="a")


DENSE = np.array([[5, NAN, 0, NAN], [NAN, NAN, NAN, NAN], [NAN, 2, 3, NAN]])
CELLS = [(0, 0, 5), (0, 2, 0), (2, 1, 2), (2, 2, 3)]


@pytest.mark.parametrize("container", ["array", "matrix"])
@pytest.mark.parametrize("form", FORMATS)
def test_every_sparse_format(form, container):
    stored = ([3.0, 5.0, 0.0, 2.0], ([2, 0, 0, 2], [2, 0, 2, 1]))
    R = getattr(scipy.sparse, f"coo_{container}")(stored, shape=(3, 4)).asformat(form)
    ratings = Ratings.from_matrix(R)
    expected = [cell for cell in CELLS if cell[2] or form not in ("dia", "bsr")]
    assert content(ratings) == expected
    assert (ratings.n_users, ratings.n_items) == (3, 4)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("dtype", [np.int8, np.float32, bool, np.float64])
def test_observed_csr_is_canonical_and_apart(form, dtype, index):
    R = scipy.sparse.random_array((30, 20), density=0.3, random_state=0, format=form)
    R.data = np.ceil(R.data * 5).astype(dtype)
    for name in ("indices", "indptr", "row", "col"):
        if hasattr(R, name) and form != "coo":
            setattr(R, name, getattr(R, name).astype(index))
    observed = observed_csr(R)
    assert isinstance(observed, scipy.sparse.csr_array) and observed.dtype == np.float64
    assert observed.indices.dtype == observed.indptr.dtype == np.int32
    assert observed.has_canonical_format
    before = R.toarray()
    np.testing.assert_array_equal(observed.toarray(), before.astype(float))
    observed.data[:] = 9
    observed.indices[:] = 0
    np.testing.assert_array_equal(R.toarray(), before)


def test_read_only_and_unsorted_csr():
    R = scipy.sparse.csr_array((np.array([1.0, 2.0]), [3, 1], [0, 2, 2]), shape=(2, 4))
    for part in (R.data, R.indices, R.indptr):
        part.setflags(write=False)
    assert observed_csr(R).indices.tolist() == [1, 3]
    assert R.indices.tolist() == [3, 1]


REPEATED = scipy.sparse.coo_array(([1.0, 2, 3], ([1, 0, 1], [2, 0, 2])), shape=(2, 4))


@pytest.mark.parametrize(
    ("R", "exception", "message"),
    [
        (REPEATED, ValueError, "row 1, column 2 is stored more than once"),
        (
            scipy.sparse.csr_array(([1.0, 2], [3, 3], [0, 0, 2]), shape=(2, 4)),
            ValueError,
            "row 1, column 3 is stored more than once",
        ),
        (
            scipy.sparse.csc_array(([1.0, 2], [0, 0], [0, 0, 2]), shape=(2, 2)),
            ValueError,
            "row 0, column 1 is stored more than once",
        ),
        (scipy.sparse.csr_array([[1, NAN, INF]]), ValueError, "row 0, column 1 is NaN; 2 of 3"),
        (scipy.sparse.csc_array([[1], [-INF]]), ValueError, "row 1, column 0 is infinite"),
        (scipy.sparse.dia_array([[NAN, 0], [0, 1]]), ValueError, "row 0, column 0 is NaN"),
        (scipy.sparse.csr_array([[1j]]), ValueError, "Complex data not supported"),
        (scipy.sparse.coo_array([1.0, 2.0]), ValueError, r"shape (2,)"),
        (scipy.sparse.csr_array((2, 2)), ValueError, "holds no ratings"),
        ([[1, INF]], ValueError, "row 0, column 1 is infinite"),
        (np.full((2, 2), NAN), ValueError, "holds no ratings"),
        ([1.0, 2.0], ValueError, "Expected 2D array"),
        ([["3", "4"]], TypeError, "'3' (str) in row 0, column 0"),
        (np.array([[3, "4"]], dtype=object), TypeError, "'4' (str)"),
    ],
)
def test_matrices_that_are_refused(R, exception, message):
    with pytest.raises(exception, match=re.escape(message)):
        Ratings.from_matrix(R)


def test_observed_csr_needs_a_sparse_matrix_and_allows_an_empty_one():
    with pytest.raises(TypeError, match="ndarray"):
        observed_csr(np.eye(2))
    for form in FORMATS:
        empty = observed_csr(scipy.sparse.coo_array((3, 2)).asformat(form))
        assert empty.shape == (3, 2) and empty.nnz == 0


@pytest.mark.parametrize(
    "read", [observed_from_dense, lambda R: Ratings.from_matrix(R).to_matrix()]
)
@pytest.mark.parametrize(
    "dense", [DENSE, DENSE.tolist(), np.asfortranarray(DENSE), DENSE.astype(object)]
)
def test_dense_matrices(read, dense):
    observed = read(dense)
    assert observed.shape == (3, 4) and observed.has_canonical_format
    rows, columns = observed.tocoo().coords
    assert list(zip(rows, columns, observed.data, strict=True)) == CELLS


@pytest.mark.parametrize("library", FRAMES)
def test_wide_frames(library):
    wide = frame(library, x=[1.0, None], y=[None, 2])
    assert content(Ratings.from_matrix(wide)) == [(0, "x", 1), (1, "y", 2)]
    assert content(Ratings.from_matrix(wide, user_ids=["a", "b"], item_ids=[(1,), (2,)])) == [
        ("a", (1,), 1),
        ("b", (2,), 2),
    ]
    with pytest.raises(ValueError, match="user_ids has 3 ids for 2 users"):
        Ratings.from_matrix(wide, user_ids=[1, 2, 3])


def test_wide_frames_of_pandas():
    pd = pytest.importorskip("pandas")
    wide = pd.DataFrame({7: [1.0, None], 8: [0, 2]}, index=["b", "a"])
    assert content(Ratings.from_matrix(wide)) == [("b", 7, 1), ("b", 8, 0), ("a", 8, 2)]
    with pytest.raises(ValueError, match="user_ids: The id 'b' is given more than once"):
        Ratings.from_matrix(wide.loc[["b", "b"]])
    named = pd.DataFrame({"column_names": [1.0, None], "columns": [0, 2]})
    assert Ratings.from_matrix(named).item_ids.tolist() == ["column_names", "columns"]
    stored = scipy.sparse.csr_array([[0, 2.0], [1, 0]])
    assert len(Ratings.from_matrix(pd.DataFrame.sparse.from_spmatrix(stored))) == 2


def test_ids_there_as_text_and_as_numbers_warn():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"user": [0, 1, 2, 3], "item": [1, "1", 2, "x"], "rating": [1, 2, 3, 4]})
    names = {"user": "user", "item": "item", "rating": "rating"}
    with pytest.warns(
        UserWarning, match="Column 'item' holds 1 ids .* such as 1 and '1'"
    ) as caught:
        assert Ratings.from_frame(frame, **names).n_items == 4
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Ratings.from_frame(frame[1:], **names)


def test_the_mean_of_the_largest_ratings_is_no_infinity():
    table = pytest.importorskip("pandas").DataFrame(
        {"user": [1, 1, 1, 2], "item": [5, 5, 5, 5], "rating": [1.5e308, 1.7e308, 1.6e308, 3.0]}
    )
    ratings = Ratings.from_frame(
        table, user="user", item="item", rating="rating", duplicates="mean"
    )
    assert ratings.values == pytest.approx([1.6e308, 3.0])


def test_missing_ratings_in_dictionaries_of_pyarrow_are_missing():
    pa = pytest.importorskip("pyarrow")
    ratings = pa.array([1.0, None, 5.0]).dictionary_encode()
    ids = pa.array(["a", "b", "c"])
    with pytest.raises(ValueError, match="rating at position 1 is NaN"):
        Ratings.from_frame(
            pa.table({"u": ids, "i": ids, "r": ratings}), user="u", item="i", rating="r"
        )
    with pytest.raises(ValueError, match="rating at position 1 is NaN"):
        Ratings([0, 1, 2], [0, 1, 2], ratings)
    wide = Ratings.from_matrix(pa.table({"film": ratings, "other": [1.0, 2.0, 3.0]}))
    assert content(wide) == [
        (0, "film", 1),
        (0, "other", 1),
        (1, "other", 2),
        (2, "film", 5),
        (2, "other", 3),
    ]


@pytest.mark.parametrize("dtype", ["Int64", "Float32", "boolean", "object", "double[pyarrow]"])
def test_frames_of_nullable_numbers(dtype):
    pd = pytest.importorskip("pandas")
    cells = {"a": [1, None], "b": [0, 1]}
    frame = pd.DataFrame({name: pd.Series(column, dtype=dtype) for name, column in cells.items()})
    assert content(Ratings.from_matrix(frame)) == [(0, "a", 1), (0, "b", 0), (1, "b", 1)]


def test_categories_of_polars_are_read_through_arrow():
    pl = pytest.importorskip("polars")
    ids = pl.Series(["b", "a", "b"], dtype=pl.Categorical)
    frame = pl.DataFrame({"u": ids, "i": ["x", "x", "y"], "r": [1.0, 2.0, 3.0]})
    tables = (frame, frame.to_arrow())
    read = [content(Ratings.from_frame(table, user="u", item="i", rating="r")) for table in tables]
    assert read[0] == read[1] == [("b", "x", 1), ("a", "x", 2), ("b", "y", 3)]


def weighted(**changed):
    return table(weights=[1, 2.5, 0, 3], **changed)


def test_weights_go_with_every_table_made_of_it():
    ratings = weighted()
    assert ratings.weights.tolist() == [1, 2.5, 0, 3] and ratings.weights.dtype == np.float64
    assert ratings[1:].weights.tolist() == [2.5, 0, 3]
    assert ratings[[3, 0]].weights.tolist() == [3, 1]
    assert ratings.with_values([1, 2, 3, 4]).weights.tolist() == [1, 2.5, 0, 3]
    assert pickle.loads(pickle.dumps(ratings)).weights.tolist() == [1, 2.5, 0, 3]
    assert train_test_split(ratings, shuffle=False, test_size=2)[1].weights.tolist() == [0, 3]
    frame = ratings.to_frame()
    assert frame.columns.tolist() == ["user_id", "item_id", "rating", "timestamp", "weight"]
    names = {"user": "user_id", "item": "item_id", "rating": "rating", "weight": "weight"}
    assert Ratings.from_frame(frame, **names).weights.tolist() == [1, 2.5, 0, 3]
    assert table().weights is None and "weight" not in table().to_frame()
    for one in (ratings, ratings[1:], pickle.loads(pickle.dumps(ratings))):
        with pytest.raises(ValueError, match="read-only"):
            one.weights[0] = 2


def test_weights_are_shown():
    assert repr(weighted()).endswith("from 0.0 to 5.0, weighted>")
    html = weighted()._repr_html_()
    assert "<th>weight</th>" in html and "<td>40</td><td>1.0</td>" in html


def test_tables_pickled_without_weights_have_none():
    state = vars(table()).copy()
    del state["_weights"]
    old = Ratings.__new__(Ratings)
    old.__setstate__(state)
    assert old.weights is None


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 1, -1, 1], "weight at position 2 is -1; 1 of 4 weights are no numbers from 0 to"),
        ([1, NAN, 1, NAN], "weight at position 1 is nan; 2 of 4"),
        ([INF, 1, 1, 1], "weight at position 0 is inf; 1 of 4"),
        ([1, 1, 1, 2e6], "weight at position 3 is 2e.06.*divide them by their mean"),
        ([0, 0, 0, 0], "no ratings: all 4 weights are 0"),
        ([0, 0, 1e-300, 1e-40], "all 4 weights are 0, or below 1e-30"),
        ([1, 1, 1], "Lengths differ:.*weights has 3"),
        ([[1, 1, 1, 1]], "weights has shape"),
    ],
)
def test_bad_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        table(weights=weights)


def test_weights_that_are_no_numbers_are_refused():
    with pytest.raises(TypeError, match="weights holds"):
        table(weights=["a", "b", "c", "d"])


def test_a_bad_column_of_weights_is_named():
    frame = pd.DataFrame({"u": [1, 2], "i": [1, 1], "r": [1, 2], "w": [1, -1]})
    with pytest.raises(ValueError, match="weight at position 1 is -1"):
        Ratings.from_frame(frame, user="u", item="i", rating="r", weight="w")
    with pytest.raises(ValueError, match="'v'"):
        Ratings.from_frame(frame, user="u", item="i", rating="r", weight="v")


def test_duplicates_are_weighted():
    given = [0, 1, 0, 2, 0, 2], [0, 0, 0, 1, 0, 1], [1, 2, 5, 4, 3, 2]
    times, weights = [3, 1, 2, 2, 1, 1], [1, 1, 2, 0, 1, 0]
    mean = Ratings(*given, timestamps=times, weights=weights, duplicates="mean")
    assert mean.users.tolist() == [0, 1, 2] and mean.timestamps.tolist() == [3, 1, 2]
    assert mean.values.tolist() == [3.5, 2, 3] and mean.weights.tolist() == [4, 1, 0]
    last = Ratings(*given, timestamps=times, weights=weights, duplicates="last")
    assert sorted(zip(last.values.tolist(), last.weights.tolist(), strict=True)) == [
        (1, 1), (2, 1), (4, 0),
    ]  # fmt: skip
    ones = Ratings(*given, weights=np.ones(6), duplicates="mean")
    np.testing.assert_allclose(ones.values, Ratings(*given, duplicates="mean").values)
