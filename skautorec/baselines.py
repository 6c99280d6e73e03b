"""Baselines: what any model of ratings must beat, with the same inputs and methods as AutoRec."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from ._base import RatingRegressor
from ._core.biases import fit_bias_model
from ._core.matrix import ReadTable
from ._data.inputs import TrainingInput
from ._data.scale import Scale
from ._fitted import Trained

__all__ = ["BiasRegressor", "PopularityRecommender"]


class BiasRegressor(RatingRegressor):
    r"""Rating prediction by a mean, a bias of the user and a bias of the item.

    .. math:: \hat r_{ui} = m + b_u + c_i,

    where the mean and the biases minimise, over observed ratings,

    .. math:: \sum (r_{ui} - m - b_u - c_i)^2 + d_1 \sum b_u^2 + d_2 \sum c_i^2 .

    So each bias is a mean, of what the other side leaves, over the ratings and :math:`d`
    pseudo-ratings of zero: the damping, which keeps users and items with few ratings near the mean.

    Parameters
    ----------
    damping : "auto", float or pair of these, default="auto"
        Pseudo-ratings in each user's and in each item's bias: one number for both sides or a pair
        ``(users, items)``, from 0 to infinity (no bias on that side). ``"auto"`` estimates them
        from the training ratings; see the notes.
    rating_range : (float, float), default=None
        Lowest and highest possible rating; None takes the lowest and highest training rating.
        Predictions are clipped to it.

    Attributes
    ----------
    damping_ : tuple of (float, float)
        Pseudo-ratings of a user and of an item, estimated or as given.
    mean_ : float
        Predicted rating of a new user for a new item, in rating units: the fitted mean, not that of
        the ratings, in which active users and popular items count most.
    user_bias_ : ndarray of shape (n_users,)
        In rating units.
    item_bias_ : ndarray of shape (n_items,)
        In rating units, with the mean: a prediction is ``user_bias_[u] + item_bias_[i]``, before
        clipping.
    user_factors_ : ndarray of shape (n_users, 0)
        For use in common with `AutoRecRegressor`. After ``fit(X, y)`` with columns of several
        ranges, which scale a user's bias differently, it holds the biases.
    item_factors_ : ndarray of shape (n_items, 0)
    user_ids_ : ndarray of shape (n_users,)
        Ids of the training users: the vocabulary of `Ratings`, the index of a frame, else 0..n-1.
    item_ids_ : ndarray of shape (n_items,)
        Ids of the items: the vocabulary of `Ratings`, the columns of a frame, else 0..n-1.
    target_ids_ : ndarray
        Ids of the items that are predicted, in the order of ``item_bias_``: ``item_ids_``, or
        after ``fit(X, y)`` those of the columns of ``y``.
    rating_range_ : tuple of float
        Lowest and highest rating.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of shape (n_items,)
        Only after fitting on a frame whose column names are all strings.

    See Also
    --------
    AutoRecRegressor : The same, and what users and items have in common.

    Notes
    -----
    Inputs are those of `AutoRecRegressor`. A new user's bias comes from the ratings given, and is
    that of a training user with the same ratings; a user or an item without ratings gets the mean.
    Where `Ratings` have weights, the squares and the numbers of ratings are weighted; those of new
    users, and of rows of a matrix, count 1.

    With Gaussian biases and noise, the best damping is the variance of the noise over that of the
    biases. ``"auto"`` estimates these variances by restricted maximum likelihood [1]_, with
    approximate posterior variances that a few sweeps over the ratings give: about a tenth of a
    second for a million ratings. Where there are few ratings, a guess of 4 that counts as much as
    four users and four items steadies it.

    Standard deviations add the noise and the uncertainties of both biases, which fall with the
    number of ratings.

    References
    ----------
    .. [1] S. R. Searle, G. Casella and C. E. McCulloch, "Variance Components", Wiley, 1992.

    Examples
    --------
    >>> from skautorec.baselines import BiasRegressor
    >>> from skautorec.datasets import make_ratings
    >>> ratings = make_ratings(n_users=60, n_items=40, n_ratings=800, random_state=0)
    >>> model = BiasRegressor().fit(ratings)
    >>> model.predict(ratings[:3]).shape
    (3,)
    >>> item_ids, scores = model.recommend({7: 5, 9: 4}, n=3)
    >>> item_ids.shape, scores.shape
    ((3,), (3,))
    >>> BiasRegressor(damping=(5, 10)).fit(ratings).damping_
    (5.0, 10.0)
    """

    damping_: tuple[float, float]
    mean_: float

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "damping": [StrOptions({"auto"}), Interval(Real, 0, None, closed="both"), "array-like"],
        "rating_range": ["array-like", None],
    }

    def __init__(self, damping: Any = "auto", *, rating_range: Any = None) -> None:
        self.damping = damping
        self.rating_range = rating_range

    def _train(self, given: TrainingInput, read: ReadTable, progress: Any) -> Trained:
        model, users, items = fit_bias_model(read(), _damping_pair(self.damping))
        new_item = Scale.shared(*given.inputs.scale.bounds, 1).items(model.unseen_item)
        attributes = {"damping_": model.damping, "mean_": float(new_item.bias[0])}
        return Trained(model, users, items, attributes)


class PopularityRecommender(RatingRegressor):
    """The same list for everybody: the items with the most ratings, or with the best.

    Predicted ratings are the items' mean ratings, each over some pseudo-ratings at the mean of all
    items: the damping, which keeps an item with one rating of 5 from the top. `recommend` leaves
    out what the user has rated.

    Parameters
    ----------
    by : {"count", "mean"}, default="count"
        What `recommend` ranks items by, and gives as scores: the number of training ratings, or
        the damped mean rating. Predictions are damped means with either.
    rating_range : (float, float), default=None
        Lowest and highest possible rating; None takes the lowest and highest training rating.
        Predictions are clipped to it.

    Attributes
    ----------
    damping_ : float
        Pseudo-ratings of an item, estimated as by `BiasRegressor`: the variance of the ratings of
        an item over the variance of the items' means.
    item_counts_ : ndarray of int of shape (n_items,)
        Number of training ratings, in the order of ``target_ids_``.
    item_bias_ : ndarray of shape (n_items,)
        Damped mean ratings in rating units.
    user_bias_ : ndarray of shape (n_users,)
        Zeros.
    user_factors_ : ndarray of shape (n_users, 0)
        For use in common with `AutoRecRegressor`, as ``item_factors_``.
    item_factors_ : ndarray of shape (n_items, 0)
    user_ids_ : ndarray of shape (n_users,)
        Ids of the training users: the vocabulary of `Ratings`, the index of a frame, else 0..n-1.
    item_ids_ : ndarray of shape (n_items,)
        Ids of the items: the vocabulary of `Ratings`, the columns of a frame, else 0..n-1.
    target_ids_ : ndarray
        Ids of the items that are listed: ``item_ids_``, or after ``fit(X, y)`` those of the columns
        of ``y``.
    rating_range_ : tuple of float
        Lowest and highest rating.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of shape (n_items,)
        Only after fitting on a frame whose column names are all strings.

    See Also
    --------
    BiasRegressor : With biases of users too; its lists are as impersonal.

    Notes
    -----
    Inputs are those of `AutoRecRegressor`. Where `Ratings` have weights, the means are weighted;
    ``item_counts_`` counts every rating once, but none of weight 0. Standard deviations, also those
    of `recommend`, are of a rating by anybody: the deviation of the ratings of an item and the
    uncertainty of its mean.

    Examples
    --------
    >>> from skautorec import Ratings
    >>> from skautorec.baselines import PopularityRecommender
    >>> ratings = Ratings([0, 1, 2, 2], [0, 0, 0, 1], [3.0, 4.0, 2.0, 5.0])
    >>> item_ids, scores = PopularityRecommender().fit(ratings).recommend({})
    >>> item_ids.tolist(), scores.tolist()
    ([0, 1], [3.0, 1.0])
    >>> PopularityRecommender(by="mean").fit(ratings).recommend({})[0].tolist()
    [1, 0]
    """

    damping_: float
    item_counts_: np.ndarray

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "by": [StrOptions({"count", "mean"})],
        "rating_range": ["array-like", None],
    }

    def __init__(self, by: Literal["count", "mean"] = "count", *, rating_range: Any = None) -> None:
        self.by = by
        self.rating_range = rating_range

    def _train(self, given: TrainingInput, read: ReadTable, progress: Any) -> Trained:
        table = read()
        model, users, items = fit_bias_model(table, (np.inf, None))
        counts = np.bincount(table.targets.indices, minlength=table.targets.shape[1])
        attributes = {"item_counts_": counts, "damping_": model.damping[1]}
        ranked_by = counts if self.by == "count" else None
        return Trained(model, users, items, attributes, ranked_by)


def _damping_pair(damping: Any) -> tuple[float | None, float | None]:
    """Read pseudo-ratings of users and of items; None is to be estimated."""
    is_single = isinstance(damping, str | Real)
    pair = [_one_damping(one) for one in ((damping, damping) if is_single else damping)]
    if len(pair) != 2 or not all(one is None or one >= 0 for one in pair):
        raise ValueError(
            f"damping is {damping!r}; give 'auto', a number of pseudo-ratings from 0 to infinity, "
            "or a pair of these, for users and for items."
        )
    return pair[0], pair[1]


def _one_damping(one: Any) -> float | None:
    if isinstance(one, str) and one == "auto":
        return None
    return float(one) if isinstance(one, Real) else np.nan
