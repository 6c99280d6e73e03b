"""Numbers in a matrix that are no ratings are noticed, and ratings of all kinds are not."""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from conftest import new

from skautorec import Ratings
from skautorec._data.plausible import warn_of_implicit_feedback
from skautorec.datasets import make_ratings

R = make_ratings(60, 30, 600, random_state=0).to_matrix()
DENSE = np.where(R.toarray() == 0, np.nan, R.toarray())
FRAME = pd.DataFrame(DENSE, columns=[f"film {j}" for j in range(30)])


def with_column(values, at=0, name="extra"):
    frame = FRAME.copy()
    frame.insert(at, name, np.asarray(values, float))
    return frame


def with_cell(value):
    cells = DENSE.copy()
    cells[tuple(np.argwhere(~np.isnan(cells))[5])] = value
    return cells


rng = np.random.default_rng(0)
ODD = {
    # what is given: (matrix, what is said)
    "user ids from 1": (with_column(np.arange(1, 61), name="user"), "Column 'user' .* index_col=0"),
    "few user ids": (with_column(np.arange(1, 61))[:12], "Column 'extra'"),
    "user ids in another order": (with_column(rng.permutation(60) + 900, 3), "Column 'extra'"),
    "ages": (with_column(rng.integers(18, 70, 60), 30, "age"), "Column 'age' .*set_index"),
    "sums": (with_column(np.nansum(DENSE, axis=1), 30, "total"), "Column 'total'"),
    "ids and ages": (with_column(rng.integers(18, 70, 60), 30).assign(id=range(500, 560)), "'id'"),
    "an array with ids": (with_column(np.arange(1, 61)).to_numpy(), "Column 0 "),
    "a sparse matrix with ids": (
        scipy.sparse.hstack((np.arange(1, 61)[:, None], R), format="csr"),
        "Column 0 ",
    ),
    "a slip of the keyboard": (with_cell(50), "rating 50 in row 0, column .* rating_range"),
    "a negative slip": (with_cell(-44), "rating -44 in row 0"),
}
READERS = {"fit": lambda X: new("item", max_iter=2).fit(X), "from_matrix": Ratings.from_matrix}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("case", ODD)
def test_numbers_that_are_no_ratings_are_named(case, reader):
    X, message = ODD[case]
    with pytest.warns(UserWarning, match=message) as caught:
        READERS[reader](X)
    assert [one.filename for one in caught] == [__file__]


def rated(values, shape=(60, 30), density=0.4, seed=0):
    """Values that are drawn with replacement, at some of the cells."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < density, rng.choice(values, shape), np.nan)


PLAUSIBLE = {
    "halves": rated(np.arange(0.5, 5.5, 0.5)),
    "percentages": rated(np.arange(0, 100.1, 0.1)),
    "plus and minus": rated(np.linspace(-10, 10, 1000)),
    "one to ten, skewed": rated([10] * 50 + [9] * 20 + [8, 7, 6, 5, 4, 3, 2, 1]),
    "a single bad one": rated([5] * 2000 + [4] * 1000 + [1]),
    "thumbs": rated([0.0, 1.0]),
    "small": rated([1, 2, 3, 4, 5], (5, 4), 0.7),
    "dense and normal": rng.normal(size=(100, 10)),
    "columns of all scales": rng.normal(size=(100, 10)) * 10.0 ** np.arange(10),
    "loved by all": np.column_stack((np.full(60, 5.0), rated([1, 2, 3]))),
    "long tail": rated([1, 2, 3, 4, 5], (400, 300), 0.004),
}


def test_one_rating_far_from_all_others_is_named(ratings):
    values = ratings.values.copy()
    values[7] = 50
    user, item = (
        int(ids[codes[7]])
        for ids, codes in ((ratings.user_ids, ratings.users), (ratings.item_ids, ratings.items))
    )
    with pytest.warns(
        UserWarning, match=f"rating 50 of item {item} by user {user} is far"
    ) as caught:
        new("item", max_iter=2).fit(ratings.with_values(values))
    assert [one.filename for one in caught] == [__file__]


def test_counts_with_a_long_tail_are_told_of_logarithms(kind, ratings):
    counts = np.floor(np.random.default_rng(0).lognormal(0.5, 1.5, len(ratings))) + 1
    with pytest.warns(UserWarning, match=r"the highest is \d+, as in counts.*log1p") as caught:
        new(kind, max_iter=2).fit(ratings, counts)
    assert [one.filename for one in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        new(kind, max_iter=2).fit(ratings, np.log1p(counts))
        new(kind, max_iter=2).fit(ratings, counts + 0.5)  # no counts


@pytest.mark.parametrize("case", PLAUSIBLE)
def test_ratings_of_many_kinds_are_not_suspected(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Ratings.from_matrix(PLAUSIBLE[case])


@pytest.mark.parametrize("name", ["anime", "books", "boardgames", "music", "movietweetings"])
def test_real_ratings_are_not_suspected(name):
    path = Path(os.environ.get("SKAUTOREC_DATA", "nowhere")) / name / "ratings.csv.gz"
    if not path.exists():
        pytest.skip(f"SKAUTOREC_DATA names no folder with {name}: real data not read")
    frame = pd.read_csv(path)
    user, item, rating = frame.columns[:3]
    table = Ratings.from_frame(frame, user=user, item=item, rating=rating)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Ratings.from_matrix(table.to_matrix())
        warn_of_implicit_feedback(table.values)
