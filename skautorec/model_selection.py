"""What scikit-learn's model selection lacks for ratings: splits by time and top-N scorers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from sklearn.model_selection import BaseCrossValidator

from . import metrics
from ._data.ratings import Ratings
from ._fitted import Fitted, check_rank_by

__all__ = ["GlobalTimeSplit", "UserTimeSplit", "make_top_n_scorer"]

# By what they compare lists with: held-out items, or the training ratings.
OF_HELDOUT = {
    "ndcg": metrics.ndcg,
    "recall": metrics.recall,
    "precision": metrics.precision,
    "hit_rate": metrics.hit_rate,
    "average_precision": metrics.average_precision,
    "reciprocal_rank": metrics.reciprocal_rank,
}
_OF_TRAINING = {"coverage": metrics.coverage, "novelty": metrics.novelty}


class _TimeSplit(BaseCrossValidator):
    """Splits that hold out the last ratings, then those before them, and so on."""

    n_splits: int
    test_size: int | float | None
    _rule: str

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X, y, groups : object
            Not used; scikit-learn passes them.

        Returns
        -------
        int
            ``n_splits``.
        """
        return self.n_splits

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the positions of training and test ratings, the earliest split first.

        Parameters
        ----------
        X : Ratings of shape (n_ratings,)
            With timestamps.
        y, groups : object
            Not used; scikit-learn passes them.

        Yields
        ------
        train, test : ndarray of int
            Positions in ``X``, ascending. Ratings later than a split's test ratings are in neither.

        Raises
        ------
        ValueError
            ``X`` is no `Ratings` or has no timestamps, or a split would be without training or test
            ratings.
        """
        ratings = _check_ratings(X, self)
        if ratings.timestamps is None:
            raise ValueError(
                f"{self!r} splits by time, and these Ratings have no timestamps. Name their column "
                "in Ratings.from_frame(..., timestamp=...) or give Ratings(..., timestamps=...)."
            )
        ranks, counts = self._rank(ratings, ratings.timestamps)
        sizes = self._test_sizes(counts)
        for split in range(1, self.n_splits + 1):
            ends = counts - (self.n_splits - split) * sizes
            starts = ends - sizes
            train = np.flatnonzero(ranks < starts)
            test = np.flatnonzero((ranks >= starts) & (ranks < ends))
            if not len(train) or not len(test):
                raise ValueError(
                    f"Split {split} of {self.n_splits} would have {len(train)} training and "
                    f"{len(test)} test ratings: {self._rule}. Use fewer splits or another "
                    "test_size."
                )
            yield train, test

    @abstractmethod
    def _rank(self, ratings: Ratings, times: np.ndarray) -> tuple[np.ndarray, Any]:
        """Return the place in time of each rating, and of how many."""

    def _test_sizes(self, counts: Any) -> Any:
        if self.test_size is None:
            return max(counts // (self.n_splits + 1), 1)
        if self.test_size >= 1:
            return int(self.test_size)
        return np.ceil(self.test_size * counts).astype(np.int64)


class UserTimeSplit(_TimeSplit):
    """Hold out the last ratings of every user: leave-last-out.

    Every user is in the training part, so this measures how well the next ratings of known users
    are predicted. Other users' ratings in the training part may be later than a user's test
    ratings; where that matters use `GlobalTimeSplit`.

    Parameters
    ----------
    n_splits : int, default=1
        Number of splits. The last holds out each user's last ratings; each split before it ends
        where the test ratings of the next begin, and leaves out all that is later.
    test_size : int or float, default=1
        Ratings of each user to hold out: a number, or a fraction of the user's ratings between 0
        and 1, rounded up.

    Raises
    ------
    ValueError
        ``n_splits`` or ``test_size`` is out of range.

    See Also
    --------
    GlobalTimeSplit : Train on all that was rated before a moment, test on what came after.

    Notes
    -----
    A user's first rating always stays in the training part: users with too few ratings have fewer
    held out, those with a single one none. Of a user's ratings with equal timestamps, those further
    down in the table count as later.

    Examples
    --------
    >>> from skautorec import Ratings
    >>> from skautorec.model_selection import UserTimeSplit
    >>> users, items, times = [0, 0, 0, 1, 1], [0, 1, 2, 0, 3], [30, 10, 20, 50, 40]
    >>> ratings = Ratings(users, items, [4, 3, 5, 1, 2], timestamps=times)
    >>> for train, test in UserTimeSplit().split(ratings):
    ...     print(train, test)
    [1 2 4] [0 3]
    """

    _rule = "a user's first rating is always a training rating"

    def __init__(self, n_splits: int = 1, *, test_size: int | float = 1) -> None:
        _check_sizes(n_splits, test_size)
        self.n_splits = n_splits
        self.test_size = test_size

    def _rank(self, ratings: Ratings, times: np.ndarray) -> tuple[np.ndarray, Any]:
        order = np.lexsort((times, ratings.users))
        counts = np.bincount(ratings.users, minlength=ratings.n_users)
        starts = np.cumsum(counts) - counts
        ranks = np.empty(len(ratings), dtype=np.int64)
        ranks[order] = np.arange(len(ratings)) - starts[ratings.users[order]]
        # Before any cut, however far splits walk back.
        ranks[ranks == 0] = np.iinfo(np.int64).min
        return ranks, counts[ratings.users]


class GlobalTimeSplit(_TimeSplit):
    """Train on ratings before a moment, test on those after it.

    `sklearn.model_selection.TimeSeriesSplit` by timestamps instead of positions: it asks what a
    recommender could have known. Many test users and items may have no training ratings; they get
    the estimator's prior.

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits. The last tests on the latest ratings; each split before it ends where the
        test ratings of the next begin, and leaves out all that is later.
    test_size : int or float, default=None
        Ratings to test on in each split: a number, or a fraction of all between 0 and 1, rounded
        up. None is ``n_ratings // (n_splits + 1)``.

    Raises
    ------
    ValueError
        ``n_splits`` or ``test_size`` is out of range.

    See Also
    --------
    UserTimeSplit : Hold out the last ratings of every user.

    Notes
    -----
    Ratings with equal timestamps stay together, on the earlier side of the moment, so all training
    ratings are strictly earlier than all test ratings, and parts may differ a little from
    ``test_size``.

    Examples
    --------
    >>> from skautorec import Ratings
    >>> from skautorec.model_selection import GlobalTimeSplit
    >>> times = [30, 10, 20, 20, 40, 50]
    >>> ratings = Ratings([0, 0, 0, 1, 1, 2], range(6), [4, 3, 5, 1, 2, 3], timestamps=times)
    >>> for train, test in GlobalTimeSplit(2).split(ratings):
    ...     print(train, test)
    [1 2 3] [0]
    [0 1 2 3] [4 5]
    """

    _rule = "ratings with equal timestamps stay together"

    def __init__(self, n_splits: int = 5, *, test_size: int | float | None = None) -> None:
        if test_size is not None:
            _check_sizes(n_splits, test_size)
        _check_sizes(n_splits, 1)
        self.n_splits = n_splits
        self.test_size = test_size

    def _rank(self, ratings: Ratings, times: np.ndarray) -> tuple[np.ndarray, Any]:
        # The number of earlier ratings, one for all of equal time.
        return np.searchsorted(np.sort(times), times), np.int64(len(ratings))


def make_top_n_scorer(
    metric: str,
    *,
    n: int = 10,
    relevant_from: float | None = None,
    rank_by: Literal["relevance", "rating"] | None = None,
) -> Callable[..., float]:
    """Make a scorer of top-N lists, for ``scoring=`` of scikit-learn's tools.

    For every user in the scored fold, ``estimator.recommend`` ranks all items that the user did not
    rate in training, and a metric compares the list with the user's ratings in the fold.

    Parameters
    ----------
    metric : {"ndcg", "recall", "precision", "hit_rate", "average_precision", "reciprocal_rank", \
            "coverage", "novelty"}
        A function of `skautorec.metrics`. Higher is better but for the last two, which describe the
        lists.
    n : int, default=10
        Length of the lists.
    relevant_from : float, default=None
        Lowest rating, in rating units, of a relevant item. None takes every item that the user has
        rated in the fold, whatever the rating. Not for ``"coverage"`` and ``"novelty"``.
    rank_by : {"relevance", "rating"}, default=None
        Which lists are scored, as in `AutoRecRegressor.recommend`; None is the estimator's own.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None)`` returns a float; ``X`` is `Ratings`, and ``y`` of shape
        (n_ratings,) takes the place of ``X.values``. It pickles and prints as this call.

    Raises
    ------
    ValueError
        An argument is none of its values. The scorer raises it where ``X`` is no `Ratings` or holds
        no relevant item.

    See Also
    --------
    skautorec.metrics : The metrics themselves.

    Notes
    -----
    Users without relevant items in the fold are left out of the metrics that compare with what is
    relevant, for which any estimator with a ``recommend`` like `AutoRecRegressor`'s will do.
    ``"coverage"`` and ``"novelty"`` look at the lists of all users in the fold, and need an
    estimator of this package; a TypeError says so.

    Lists leave out what the user has rated in training, so training scores
    (``return_train_score=True``) of the former are 0.

    ``recommend`` raises a KeyError for a user whom it does not know; slices of one `Ratings`, as in
    cross-validation, always know all users. Those without training ratings are listed what is
    popular and well rated.

    A lower RMSE does not promise better lists, nor the other way round.

    Examples
    --------
    >>> from sklearn.model_selection import KFold, cross_val_score
    >>> from skautorec import AutoRecRegressor
    >>> from skautorec.datasets import make_ratings
    >>> from skautorec.model_selection import make_top_n_scorer
    >>> ratings = make_ratings(60, 40, 900, random_state=0)
    >>> model = AutoRecRegressor(8, max_iter=10, random_state=0)
    >>> scorer = make_top_n_scorer("ndcg", n=5, relevant_from=4)
    >>> cross_val_score(model, ratings, cv=KFold(3), scoring=scorer).shape
    (3,)
    """
    return TopNScorer(metric, n, relevant_from, rank_by)


@dataclass(frozen=True, repr=False)
class TopNScorer:
    """What `make_top_n_scorer` returns; a class so that it pickles and prints."""

    metric: str
    n: int
    relevant_from: float | None
    rank_by: str | None

    def __post_init__(self) -> None:
        _check_scorer(self.metric, self.n, self.relevant_from, self.rank_by)

    def __repr__(self) -> str:
        given = f"{self.metric!r}, n={self.n}, relevant_from={self.relevant_from}"
        choice = "" if self.rank_by is None else f", rank_by={self.rank_by!r}"
        return f"make_top_n_scorer({given}{choice})"

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        users, judge = self.audience(estimator, X, y)
        return judge(self.lists(estimator, users))

    def audience(
        self, estimator: Any, X: Any, y: Any = None
    ) -> tuple[np.ndarray, Callable[[np.ndarray], float]]:
        """Ids of the users whose lists are scored, and what scores them."""
        ratings = _check_ratings(X, self)
        if self.metric in _OF_TRAINING:
            train, users = training_ratings(estimator), ratings.user_ids[np.unique(ratings.users)]
            return users, lambda lists: _OF_TRAINING[self.metric](lists, train)
        users, relevant = _by_user(self._relevant(ratings, y))
        return users, lambda lists: OF_HELDOUT[self.metric](relevant, lists)

    def lists(self, estimator: Any, users: np.ndarray) -> np.ndarray:
        """Lists of these users, short ones masked."""
        if not hasattr(estimator, "recommend"):
            raise TypeError(
                f"{self!r} scores recommendations, and {type(estimator).__name__} has no "
                "recommend. Give an AutoRecRegressor, not wrapped in another estimator."
            )
        # What lists in one way only need not know of the choice.
        choice = {} if self.rank_by is None else {"rank_by": self.rank_by}
        item_ids, scores = estimator.recommend(users, n=self.n, **choice)
        return np.ma.array(item_ids, mask=np.isnan(scores))

    def _relevant(self, ratings: Ratings, y: Any) -> Ratings:
        if y is not None:
            ratings = ratings.with_values(y)
        if self.relevant_from is None:
            return ratings
        ratings.check_values()
        relevant = ratings[ratings.values >= self.relevant_from]
        if not len(relevant):
            raise ValueError(
                f"None of the {len(ratings)} ratings is {self.relevant_from} or more, so no item "
                "is relevant. Give a lower relevant_from."
            )
        return relevant


def _by_user(ratings: Ratings) -> tuple[np.ndarray, list[np.ndarray]]:
    """Ids of the users with ratings, and ids of the items that each has rated."""
    order = np.argsort(ratings.users, kind="stable")
    users, starts = np.unique(ratings.users[order], return_index=True)
    return ratings.user_ids[users], np.split(ratings.item_ids[ratings.items[order]], starts[1:])


def training_ratings(estimator: Any) -> Ratings:
    """What a fitted estimator was fitted to, of the items that it lists."""
    fitted = getattr(estimator, "_fitted", None)
    if not isinstance(fitted, Fitted):
        raise TypeError(
            f"{type(estimator).__name__} does not tell a scorer its training ratings; give an "
            "AutoRecRegressor, or use skautorec.metrics on its lists."
        )
    ids = {"item_ids": fitted.targets.ids, "user_ids": fitted.user_ids}
    return Ratings.from_matrix(fitted.seen, **ids)


def _check_ratings(X: Any, what: object) -> Ratings:
    if not isinstance(X, Ratings):
        raise ValueError(
            f"{what!r} needs Ratings, in which a sample is one rating, got {type(X).__name__}. "
            "Build them with Ratings.from_frame, from_matrix or Ratings(users, items, values)."
        )
    return X


def _check_scorer(metric: Any, n: Any, relevant_from: Any, rank_by: Any) -> None:
    known = [*OF_HELDOUT, *_OF_TRAINING]
    if metric not in known:
        names = ", ".join(map(repr, known[:-1]))
        raise ValueError(f"metric is {metric!r}; give {names} or {known[-1]!r}.")
    if not _is_whole(n) or n < 1:
        raise ValueError(f"n is {n!r}; give the length of the lists, an integer of at least 1.")
    if rank_by is not None:
        check_rank_by(rank_by)
    if relevant_from is not None and not (
        isinstance(relevant_from, Real) and isfinite(relevant_from)
    ):
        raise ValueError(
            f"relevant_from is {relevant_from!r}; give the lowest relevant rating, a number, or "
            "None."
        )
    if metric in _OF_TRAINING and relevant_from is not None:
        raise ValueError(
            f"relevant_from is {relevant_from!r}, and {metric!r} looks at lists only, not at what "
            "is relevant; leave it out."
        )


def _check_sizes(n_splits: Any, test_size: Any) -> None:
    if not _is_whole(n_splits) or n_splits < 1:
        raise ValueError(f"n_splits is {n_splits!r}; give an integer of at least 1.")
    is_number = _is_whole(test_size) and test_size >= 1
    is_fraction = isinstance(test_size, float | np.floating) and 0 < test_size < 1
    if not is_number and not is_fraction:
        raise ValueError(
            f"test_size is {test_size!r}; give a number of ratings, an integer of at least 1, or a "
            "fraction between 0 and 1."
        )


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
