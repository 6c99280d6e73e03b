"""Ranking metrics: against definitions written out, scikit-learn, and answers known by hand."""

import math

import numpy as np
import pytest
import sklearn.metrics

from skautorec import Ratings
from skautorec.metrics import (
    average_precision,
    coverage,
    hit_rate,
    ndcg,
    novelty,
    precision,
    recall,
    reciprocal_rank,
)


def ndcg_of_one(relevant, listed, n):
    gains = [1 / math.log2(k + 2) for k, item in enumerate(listed) if item in relevant]
    ideal = [1 / math.log2(k + 2) for k in range(min(n, len(relevant)))]
    return sum(gains) / sum(ideal)


def recall_of_one(relevant, listed, n):
    return len(relevant & set(listed)) / len(relevant)


def hit_of_one(relevant, listed, n):
    return float(bool(relevant & set(listed)))


def precision_of_one(relevant, listed, n):
    return len(relevant & set(listed)) / n


def average_precision_of_one(relevant, listed, n):
    precisions = [
        len(relevant & set(listed[: k + 1])) / (k + 1)
        for k, item in enumerate(listed)
        if item in relevant
    ]
    return sum(precisions) / min(n, len(relevant))


def reciprocal_rank_of_one(relevant, listed, n):
    return max((1 / (k + 1) for k, item in enumerate(listed) if item in relevant), default=0)


DEFINITIONS = {
    ndcg: ndcg_of_one,
    recall: recall_of_one,
    hit_rate: hit_of_one,
    precision: precision_of_one,
    average_precision: average_precision_of_one,
    reciprocal_rank: reciprocal_rank_of_one,
}
RELEVANCE_METRICS = pytest.mark.parametrize("metric", DEFINITIONS, ids=lambda m: m.__name__)
METRICS_OF_TRAINING = pytest.mark.parametrize("metric", [coverage, novelty])

IDS = {
    "int": np.arange(30) * 7 - 50,
    "str": np.array([f"film {i}" for i in range(30)]),
    "tuple": np.fromiter((("film", i) for i in range(30)), dtype=object, count=30),
    "mixed": np.array([i if i % 2 else str(i - 1) for i in range(30)], dtype=object),
}


def random_lists(n_users=40, n_items=30, n=6, seed=0):
    """Lists, some cut short, and relevant items, some users without any."""
    rng = np.random.default_rng(seed)
    lists = rng.permuted(np.tile(np.arange(n_items), (n_users, 1)), axis=1)[:, :n]
    lengths = rng.integers(0, n + 1, size=n_users)
    sizes = rng.integers(0, 12, size=n_users)
    relevant = [rng.choice(n_items, size=size, replace=False) for size in sizes]
    return np.ma.array(lists, mask=np.arange(n) >= lengths[:, None]), relevant


@pytest.fixture
def train():
    """Items 0 to 3, rated by 4, 2, 1 and none of the four users who rated; one user did not."""
    users, items = [0, 1, 2, 3, 0, 1, 0], [0, 0, 0, 0, 1, 1, 2]
    return Ratings(users, items, [3.0] * 7, user_ids=range(5), item_ids=["a", "b", "c", "d"])


@RELEVANCE_METRICS
@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
@pytest.mark.parametrize("seed", range(3))
def test_a_metric_is_the_mean_of_its_definition(metric, ids, seed):
    lists, relevant = random_lists(seed=seed)
    expected = [
        DEFINITIONS[metric](set(items.tolist()), row.compressed().tolist(), 6)
        for items, row in zip(relevant, lists, strict=True)
        if len(items)
    ]
    assert 0 < len(expected) < len(lists)
    named = np.ma.array(ids[lists.data], mask=lists.mask)
    assert metric([ids[items] for items in relevant], named) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("n", [1, 5, 30])
def test_scikit_learn_agrees(n):
    rng = np.random.default_rng(n)
    scores = rng.normal(size=(50, 30))
    is_relevant = rng.random(scores.shape) < rng.random((50, 1)) / 2
    is_relevant[:, 0] = True
    lists = np.argsort(-scores, axis=1)[:, :n]
    relevant = [np.flatnonzero(row) for row in is_relevant]
    assert ndcg(relevant, lists) == pytest.approx(
        sklearn.metrics.ndcg_score(is_relevant, scores, k=n)
    )
    is_listed = np.zeros_like(is_relevant)
    np.put_along_axis(is_listed, lists, True, axis=1)
    assert recall(relevant, lists) == pytest.approx(
        sklearn.metrics.recall_score(is_relevant, is_listed, average="samples")
    )
    assert precision(relevant, lists) == pytest.approx(
        sklearn.metrics.precision_score(is_relevant, is_listed, average="samples")
    )
    each = map(sklearn.metrics.average_precision_score, is_relevant, scores)
    whole = np.argsort(-scores, axis=1)
    assert average_precision(relevant, whole) == pytest.approx(np.mean(list(each)))


def test_known_answers():
    relevant, lists = [["a", "b"], ["c"], []], [["b", "x"], ["x", "y"], ["a", "b"]]
    assert recall(relevant, lists) == pytest.approx((1 / 2 + 0) / 2)
    assert hit_rate(relevant, lists) == pytest.approx(1 / 2)
    assert ndcg(relevant, lists) == pytest.approx((1 / (1 + 1 / math.log2(3)) + 0) / 2)
    assert precision(relevant, lists) == pytest.approx((1 / 2 + 0) / 2)
    assert average_precision(relevant, lists) == pytest.approx((1 / 2 + 0) / 2)
    assert reciprocal_rank([["a"], ["c"]], [["b", "a"], ["x", "y"]]) == pytest.approx(1 / 4)
    # More relevant items than places: a full list is perfect for NDCG, not for recall.
    assert ndcg([["a", "b", "c", "d"]], [["d", "a"]]) == 1.0
    assert recall([["a", "b", "c", "d"]], [["d", "a"]]) == 0.5


def test_ids_of_different_types_are_different():
    assert hit_rate([["1"], [1]], [[1], ["1"]]) == 0.0
    assert hit_rate([["1"], [1]], [["1"], [1]]) == 1.0


def test_an_item_given_twice_as_relevant_counts_once():
    assert recall([["a", "a", "b"]], [["a", "c"]]) == 0.5


def test_coverage_and_novelty(train):
    lists = np.ma.array([["a", "b"], ["b", "c"]], mask=[[False, True], [False, False]])
    assert coverage(lists, train) == 3 / 4
    assert novelty(lists, train) == pytest.approx((-math.log2(4 / 4) + (1 + 2) / 2) / 2)


def test_an_item_without_ratings_is_as_novel_as_one_with_a_single_rating(train):
    assert novelty([["d"]], train) == novelty([["c"]], train) == 2.0


def test_a_user_without_a_list_is_left_out_of_novelty_and_adds_nothing_to_coverage(train):
    lists = np.ma.array([["a", "b"], ["c", "d"]], mask=[[False, False], [True, True]])
    assert novelty(lists, train) == novelty([["a", "b"]], train)
    assert coverage(lists, train) == coverage([["a", "b"]], train)


@RELEVANCE_METRICS
def test_nothing_relevant_has_no_value(metric):
    with pytest.raises(ValueError, match="None of the 2 users has a relevant item"):
        metric([[], []], [[1, 2], [3, 4]])


@RELEVANCE_METRICS
@pytest.mark.parametrize(
    ("relevant", "recommended", "error", "message"),
    [
        ([[1]], [[1, 2], [3, 4]], ValueError, "relevant has 1 entries and recommended has 2"),
        ([[1]], [[1, 1]], ValueError, "user at position 0 lists item 1 more than once.*mask"),
        ([[1], [2]], [[1, 2], [3]], ValueError, "numpy.ma"),
        ([[1]], [1, 2], ValueError, r"\(n_users, n\)"),
        ([[1]], np.array([1, 2]), ValueError, r"\(n_users, n\), got shape \(2,\)"),
        ([[1]], np.empty((1, 0), dtype=int), ValueError, r"got shape \(1, 0\)"),
        ([1], [[1, 2]], TypeError, r"relevant\[0\] is 1"),
        (["abc"], [["a", "b"]], TypeError, r"relevant\[0\] is 'abc'"),
        ([[1]], {1: [2]}, TypeError, "got dict"),
    ],
)
def test_what_cannot_be_compared_is_refused(metric, relevant, recommended, error, message):
    with pytest.raises(error, match=message):
        metric(relevant, recommended)


@METRICS_OF_TRAINING
def test_items_outside_the_catalogue_are_refused(metric, train):
    with pytest.raises(ValueError, match=r"Item 'z' is not among the 4 item_ids"):
        metric([["a", "z"]], train)


@METRICS_OF_TRAINING
def test_training_ratings_are_needed(metric):
    with pytest.raises(TypeError, match="train is a list"):
        metric([["a", "b"]], ["a", "b"])


def test_empty_lists_have_no_novelty(train):
    lists = np.ma.array([["a", "b"]], mask=True)
    assert coverage(lists, train) == 0.0
    with pytest.raises(ValueError, match="None of the 1 lists holds an item"):
        novelty(lists, train)
