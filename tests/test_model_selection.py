"""Splits by time and top-N scorers, alone and inside scikit-learn's tools."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from conftest import new
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    TimeSeriesSplit,
    cross_val_score,
    cross_validate,
)

from skautorec import Ratings, metrics
from skautorec.datasets import make_ratings
from skautorec.model_selection import GlobalTimeSplit, UserTimeSplit, make_top_n_scorer

SPLITTERS = [
    UserTimeSplit(),
    UserTimeSplit(3, test_size=2),
    UserTimeSplit(2, test_size=0.25),
    GlobalTimeSplit(),
    GlobalTimeSplit(1, test_size=0.2),
    GlobalTimeSplit(3, test_size=50),
]
OF_HELDOUT = ["ndcg", "recall", "precision", "hit_rate", "average_precision", "reciprocal_rank"]
OF_TRAINING = ["coverage", "novelty"]
METRICS = OF_HELDOUT + OF_TRAINING


def timed(n_ratings=1500):
    """Ratings in random order with many equal timestamps."""
    ratings = make_ratings(80, 50, n_ratings, random_state=0)
    times = np.random.default_rng(0).integers(200, size=n_ratings)
    return Ratings(ratings.users, ratings.items, ratings.values, timestamps=times)


def of_user(counts, times=None):
    """Ratings with so many ratings of each user, in order of time."""
    users = np.repeat(np.arange(len(counts)), counts)
    times = np.arange(len(users)) if times is None else times
    return Ratings(users, np.arange(len(users)), np.ones(len(users)), timestamps=times)


def splits(splitter, ratings):
    return [(train.tolist(), test.tolist()) for train, test in splitter.split(ratings)]


@pytest.mark.parametrize("splitter", SPLITTERS, ids=repr)
def test_a_split_is_two_disjoint_sets_of_positions(splitter):
    ratings = timed()
    found = list(splitter.split(ratings))
    assert len(found) == splitter.get_n_splits(ratings) == splitter.n_splits
    for train, test in found:
        assert train.dtype.kind == test.dtype.kind == "i"
        assert len(train) and len(test)
        assert not set(train) & set(test)
        assert (np.diff(train) > 0).all() and (np.diff(test) > 0).all()
    held_out = np.concatenate([test for _, test in found])
    assert len(np.unique(held_out)) == len(held_out)
    last_train, last_test = found[-1]
    assert len(last_train) + len(last_test) == len(ratings)


@pytest.mark.parametrize("splitter", SPLITTERS[:3], ids=repr)
def test_a_users_training_ratings_come_first(splitter):
    ratings = timed()
    for train, test in splitter.split(ratings):
        assert set(ratings.users[test]) <= set(ratings.users[train])
        for user in range(ratings.n_users):
            earlier = ratings.timestamps[train[ratings.users[train] == user]]
            later = ratings.timestamps[test[ratings.users[test] == user]]
            assert len(earlier) or not (ratings.users == user).any()
            assert not len(later) or earlier.max() <= later.min()


@pytest.mark.parametrize("splitter", SPLITTERS[3:], ids=repr)
@pytest.mark.parametrize("as_dates", [False, True])
def test_all_training_ratings_come_before_all_test_ratings(splitter, as_dates):
    ratings = timed()
    if as_dates:
        dates = np.datetime64("2020-01-01") + ratings.timestamps.astype("timedelta64[D]")
        ratings = Ratings(ratings.users, ratings.items, ratings.values, timestamps=dates)
    previous = None
    for train, test in splitter.split(ratings):
        assert ratings.timestamps[train].max() < ratings.timestamps[test].min()
        if previous is not None:
            np.testing.assert_array_equal(train, np.sort(np.concatenate(previous)))
        previous = train, test


def test_one_rating_of_each_user_is_left_out():
    assert splits(UserTimeSplit(), of_user([3, 2])) == [([0, 1, 3], [2, 4])]
    backwards = of_user([3, 2], times=[5, 4, 3, 2, 1])
    assert splits(UserTimeSplit(), backwards) == [([1, 2, 4], [0, 3])]


def test_splits_walk_back_in_time():
    assert splits(UserTimeSplit(2, test_size=2), of_user([6, 3])) == [
        ([0, 1, 6], [2, 3]),
        ([0, 1, 2, 3, 6], [4, 5, 7, 8]),
    ]


def test_the_first_rating_of_a_user_is_never_held_out():
    assert splits(UserTimeSplit(test_size=3), of_user([1, 2, 5])) == [([0, 1, 3, 4], [2, 5, 6, 7])]
    assert splits(UserTimeSplit(test_size=0.9), of_user([1, 2, 5])) == [
        ([0, 1, 3], [2, 4, 5, 6, 7])
    ]


def test_a_fraction_is_rounded_up():
    (_, test), *_ = UserTimeSplit(test_size=0.25).split(of_user([4, 5, 8]))
    assert test.tolist() == [3, 7, 8, 15, 16]


def test_of_a_users_equal_timestamps_the_last_in_the_table_are_held_out():
    assert splits(UserTimeSplit(), of_user([3, 3], times=[7, 7, 7, 9, 8, 9])) == [
        ([0, 1, 3, 4], [2, 5])
    ]


@pytest.mark.parametrize("n_splits", [2, 5])
def test_without_equal_timestamps_global_splits_are_those_of_time_series_split(n_splits):
    ratings = timed(n_ratings=203)
    order = np.random.default_rng(0).permutation(203)
    ratings = Ratings(ratings.users, ratings.items, ratings.values, timestamps=np.argsort(order))
    expected = TimeSeriesSplit(n_splits).split(np.zeros(203))
    for ours, theirs in zip(GlobalTimeSplit(n_splits).split(ratings), expected, strict=True):
        for found, wanted in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(found, np.sort(order[wanted]))


def test_equal_timestamps_stay_together():
    ratings = of_user([8], times=[2, 1, 1, 1, 1, 1, 2, 0])
    for test_size in (2, 3, 6):
        splitter = GlobalTimeSplit(1, test_size=test_size)
        assert splits(splitter, ratings) == [([1, 2, 3, 4, 5, 7], [0, 6])]
    assert splits(GlobalTimeSplit(1, test_size=7), ratings) == [([7], [0, 1, 2, 3, 4, 5, 6])]


@pytest.mark.parametrize(
    ("splitter", "counts", "times", "message"),
    [
        (UserTimeSplit(), [1, 1], None, "1 of 1 .* 2 training and 0 test.*first rating is always"),
        (UserTimeSplit(3, test_size=2), [4, 3], None, "Split 1 of 3 .*fewer splits"),
        (GlobalTimeSplit(1), [4], [5, 5, 5, 5], "4 training and 0 test.*equal timestamps"),
        (GlobalTimeSplit(2, test_size=2), [6], [1, 2, 3, 3, 3, 3], "Split 2 of 2"),
        (GlobalTimeSplit(3, test_size=2), [6], None, "Split 1 of 3 .* 0 training.*fewer splits"),
        (GlobalTimeSplit(9), [6], None, "Split 1 of 9 .*fewer splits"),
    ],
)
def test_splits_that_would_be_empty_are_refused(splitter, counts, times, message):
    with pytest.raises(ValueError, match=message):
        list(splitter.split(of_user(counts, times)))


@pytest.mark.parametrize("splitter", [UserTimeSplit(), GlobalTimeSplit()], ids=repr)
def test_ratings_with_timestamps_are_needed(splitter, ratings):
    with pytest.raises(ValueError, match=r"timestamps.*from_frame\(\.\.\., timestamp="):
        list(splitter.split(ratings))
    with pytest.raises(ValueError, match="needs Ratings.*got ndarray"):
        list(splitter.split(np.zeros((5, 3))))


@pytest.mark.parametrize("splitter", [UserTimeSplit, GlobalTimeSplit])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_splits": 0}, "n_splits is 0"),
        ({"n_splits": 2.0}, "n_splits is 2.0"),
        ({"test_size": 0}, "test_size is 0"),
        ({"test_size": 1.0}, "test_size is 1.0"),
        ({"test_size": True}, "test_size is True"),
        ({"test_size": "half"}, "test_size is 'half'"),
    ],
)
def test_parameters_are_checked_when_given(splitter, parameters, message):
    with pytest.raises(ValueError, match=message):
        splitter(**parameters)


def test_splitters_print_their_parameters():
    assert repr(UserTimeSplit()) == "UserTimeSplit(n_splits=1, test_size=1)"
    assert repr(GlobalTimeSplit(3)) == "GlobalTimeSplit(n_splits=3, test_size=None)"


@pytest.mark.parametrize("splitter", [UserTimeSplit(2, test_size=0.25), GlobalTimeSplit(2)])
def test_scikit_learn_searches_take_the_splitters(splitter):
    ratings = timed()
    search = GridSearchCV(
        new("item"), {"lambd": [5, 50]}, cv=splitter, scoring="neg_root_mean_squared_error"
    ).fit(ratings, ratings.values)
    assert search.n_splits_ == 2
    train, test = next(splitter.split(ratings))
    model = new("item", lambd=5).fit(ratings[train])
    error = np.sqrt(np.mean((model.predict(ratings[test]) - ratings.values[test]) ** 2))
    assert search.cv_results_["split0_test_score"][0] == pytest.approx(-error)


def test_successive_halving_takes_a_splitter():
    ratings = timed()
    search = HalvingGridSearchCV(
        new("item"), {"lambd": [5, 50]}, resource="max_iter", max_resources=8, cv=UserTimeSplit()
    ).fit(ratings)
    assert np.isfinite(search.best_score_)


class Lists:
    """A recommender with given lists, by user id."""

    def __init__(self, lists):
        self.lists = lists

    def recommend(self, users, n):
        ids = np.array([self.lists[user][:n] for user in users])
        return ids, np.zeros(ids.shape)


def brute_force(model, heldout, n, metric, relevant_from=None):
    """Score of lists made from predictions of every cell."""
    scores = model.user_factors_ @ model.item_factors_.T
    scores += model.user_bias_[:, None] + model.item_bias_
    scores[model._fitted.seen.toarray() > 0] = -np.inf
    values = []
    for user in np.unique(heldout.users):
        of_user = heldout.users == user
        if relevant_from is not None:
            of_user &= heldout.values >= relevant_from
        if not of_user.any():
            continue
        unseen = np.isfinite(scores[user]).sum()
        lists = np.argsort(-scores[user], kind="stable")[:n][: min(n, unseen)]
        padded = np.ma.array(np.resize(lists, n), mask=np.arange(n) >= len(lists))
        values.append(metric([heldout.items[of_user]], padded[None]))
    return np.mean(values)


@pytest.fixture(scope="module")
def fold():
    """A fitted model, its training ratings and held-out ones."""
    ratings = make_ratings(80, 50, 1500, random_state=0)
    train, test = next(KFold(4, shuffle=True, random_state=0).split(ratings))
    return new("item").fit(ratings[train]), ratings[train], ratings[test]


@pytest.mark.parametrize("n", [1, 10, 45, 60])
@pytest.mark.parametrize("relevant_from", [None, 4.0])
@pytest.mark.parametrize("metric", OF_HELDOUT)
def test_a_scorer_ranks_what_was_not_seen_in_training(fold, metric, relevant_from, n):
    model, _, heldout = fold
    scorer = make_top_n_scorer(metric, n=n, relevant_from=relevant_from, rank_by="rating")
    expected = brute_force(model, heldout, n, getattr(metrics, metric), relevant_from)
    assert scorer(model, heldout) == pytest.approx(expected)


@pytest.mark.parametrize("metric", OF_TRAINING)
def test_a_scorer_knows_the_training_ratings(metric):
    codes = make_ratings(80, 50, 1500, random_state=0)
    item_ids = [f"film {i}" for i in range(50)]
    ratings = Ratings(codes.users, codes.items, codes.values, item_ids=item_ids)
    train, heldout = ratings[300:], ratings[:300]
    model = new("item").fit(train)
    lists, scores = model.recommend(np.unique(heldout.users), n=5)
    assert not np.isnan(scores).any()
    expected = getattr(metrics, metric)(lists, train)
    assert make_top_n_scorer(metric, n=5)(model, heldout) == pytest.approx(expected)


def test_known_answers():
    heldout = Ratings(
        [0, 0, 1], [0, 1, 2], [5.0, 2.0, 4.0], user_ids=["u", "v"], item_ids=list("abcd")
    )
    best = Lists({"u": ["a", "b", "c"], "v": ["c", "a", "b"]})
    worst = Lists({"u": ["d", "c", "a"], "v": ["d", "a", "b"]})
    assert make_top_n_scorer("ndcg", n=2)(best, heldout) == 1.0
    assert make_top_n_scorer("ndcg", n=2)(worst, heldout) == 0.0
    assert make_top_n_scorer("recall", n=3)(worst, heldout) == (1 / 2 + 0) / 2
    assert make_top_n_scorer("recall", n=3, relevant_from=3)(worst, heldout) == (1 + 0) / 2
    # Only u has a held-out rating that high.
    assert make_top_n_scorer("hit_rate", n=3, relevant_from=5)(worst, heldout) == 1.0


def test_y_takes_the_place_of_the_values():
    heldout = Ratings([0, 0], [0, 1], [1.0, 1.0], item_ids=["a", "b"])
    scorer = make_top_n_scorer("recall", n=1, relevant_from=4)
    assert scorer(Lists({0: ["a"]}), heldout, [5, 1]) == 1.0
    assert scorer(Lists({0: ["a"]}), heldout, [1, 5]) == 0.0
    with pytest.raises(ValueError, match="None of the 2 ratings is 4 or more"):
        scorer(Lists({0: ["a"]}), heldout)


def test_tables_read_apart_are_joined_by_ids():
    frame = pd.DataFrame({"u": ["ann", "bob"], "i": ["z", "new"], "r": [4.0, 5.0]})
    heldout = Ratings.from_frame(frame, user="u", item="i", rating="r")
    lists = Lists({"ann": ["y", "z"], "bob": ["x", "y"]})
    assert make_top_n_scorer("recall", n=2)(lists, heldout) == 1 / 2


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scikit_learn_tools_take_the_scorers(n_jobs):
    ratings = timed()
    scoring = {metric: make_top_n_scorer(metric, n=5) for metric in METRICS}
    cv = UserTimeSplit(2, test_size=0.2)
    found = cross_validate(new("item"), ratings, cv=cv, scoring=scoring, n_jobs=n_jobs)
    for split, (train, test) in enumerate(cv.split(ratings)):
        model = new("item").fit(ratings[train])
        for metric, scorer in scoring.items():
            assert found[f"test_{metric}"][split] == pytest.approx(scorer(model, ratings[test]))


def test_a_search_maximises_a_scorer():
    ratings = timed()
    scorer = make_top_n_scorer("ndcg", n=5, relevant_from=4.0)
    search = GridSearchCV(new("item"), {"lambd": [1, 30]}, cv=UserTimeSplit(), scoring=scorer)
    clone(search).fit(ratings, ratings.values)
    search.fit(ratings, ratings.values)
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()
    with sklearn.config_context(enable_metadata_routing=True):
        again = clone(search).fit(ratings, ratings.values)
    np.testing.assert_array_equal(
        again.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )
    alone = cross_val_score(new("item", lambd=1), ratings, cv=UserTimeSplit(), scoring=scorer)
    assert alone[0] == search.cv_results_["mean_test_score"][0]


def test_a_scorer_prints_copies_and_pickles():
    scorer = make_top_n_scorer("ndcg", n=5, relevant_from=4.0)
    assert repr(scorer) == "make_top_n_scorer('ndcg', n=5, relevant_from=4.0)"
    assert eval(repr(scorer)) == pickle.loads(pickle.dumps(scorer)) == scorer
    assert scorer != make_top_n_scorer("ndcg", n=5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("auc",), "metric is 'auc'.*'ndcg', 'recall', 'precision', .* or 'novelty'"),
        (("ndcg", 0), "n is 0"),
        (("ndcg", 2.5), "n is 2.5"),
        (("ndcg", True), "n is True"),
        (("ndcg", 10, "4"), "relevant_from is '4'"),
        (("ndcg", 10, np.nan), "relevant_from is nan"),
        (("coverage", 10, 4.0), "'coverage' looks at lists only.*leave it out"),
    ],
)
def test_arguments_are_checked_when_given(arguments, message):
    names = dict(zip(("metric", "n", "relevant_from"), arguments, strict=False))
    with pytest.raises(ValueError, match=message):
        make_top_n_scorer(**names)


def test_what_cannot_be_scored_is_refused(fold):
    model, train, heldout = fold
    scorer = make_top_n_scorer("ndcg")
    with pytest.raises(ValueError, match="needs Ratings.*got csr_array"):
        scorer(model, heldout.to_matrix())
    with pytest.raises(TypeError, match="KFold has no recommend"):
        scorer(KFold(), heldout)
    with pytest.raises(TypeError, match="Lists does not tell .*training ratings"):
        make_top_n_scorer("novelty")(Lists({}), heldout)
    stranger = Ratings([0], [0], [4.0], user_ids=["someone"])
    with pytest.raises(KeyError, match="someone"):
        scorer(model, stranger)
