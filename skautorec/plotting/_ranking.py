"""How good lists are, by their length."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .._base import RatingRegressor
from ..baselines import BiasRegressor, PopularityRecommender
from ..model_selection import OF_HELDOUT, TopNScorer, training_ratings
from ._base import Display, check_estimator, merge_kwargs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["RankingDisplay"]

_LABELS = {
    "ndcg": "NDCG",
    "average_precision": "Mean average precision",
    "reciprocal_rank": "Mean reciprocal rank",
}


class RankingDisplay(Display):
    """A metric of top-N lists by their length, beside that of baselines.

    It is recommended to use `from_estimator` or `from_predictions`.

    Parameters
    ----------
    values : array-like of shape (n,)
        The metric of the first 1, 2, ... n items of the lists.
    baselines : mapping of str to array-like of shape (n,), default=None
        The same of others, by name.
    metric : str, default="ndcg"
        Name of the function of `skautorec.metrics`.
    name : str, default=None
        Name for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
    baseline_lines_ : list of matplotlib Line2D
        In grey.

    See Also
    --------
    skautorec.model_selection.make_top_n_scorer : One number of this curve, as a scorer.

    Examples
    --------
    >>> from skautorec.plotting import RankingDisplay
    >>> display = RankingDisplay.from_predictions(
    ...     [["Alien"], ["Heat"]], [["Alien", "Up"], ["Up", "Heat"]], metric="recall"
    ... )
    >>> display.values.tolist()
    [0.5, 1.0]
    """

    line_: Line2D
    baseline_lines_: list[Line2D]

    def __init__(
        self,
        values: Any,
        *,
        baselines: Mapping[str, Any] | None = None,
        metric: str = "ndcg",
        name: str | None = None,
    ) -> None:
        self.values = values
        self.baselines = baselines
        self.metric = metric
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: RatingRegressor,
        X: Any,
        y: Any = None,
        *,
        metric: str = "ndcg",
        n: int = 20,
        relevant_from: float | None = None,
        rank_by: Literal["relevance", "rating"] | None = None,
        baselines: bool = True,
        name: str | None = None,
        ax: Axes | None = None,
        **line_kwargs: Any,
    ) -> RankingDisplay:
        """Draw how lists of a fitted estimator do on ratings that it was not fitted to.

        Parameters
        ----------
        estimator : AutoRecRegressor, BiasRegressor or PopularityRecommender
            Fitted.
        X : Ratings
            Held-out ratings of users of the training data.
        y : array-like of shape (n_ratings,), default=None
            The true ratings; None takes ``X.values``.
        metric : str, default="ndcg"
            As in `skautorec.model_selection.make_top_n_scorer`.
        n : int, default=20
            Length of the longest lists.
        relevant_from : float, default=None
            Lowest rating, in rating units, of a relevant item. None takes every item that the user
            has rated in X.
        rank_by : {"relevance", "rating"}, default=None
            What the estimator's lists are ranked by, as in `AutoRecRegressor.recommend`.
        baselines : bool, default=True
            Also draw the lists of a `PopularityRecommender` and of a `BiasRegressor` that are
            fitted to the same ratings.
        name : str, default=None
            Name for the legend; None is the estimator's class.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **line_kwargs
            Passed on to ``ax.plot`` for the estimator.

        Returns
        -------
        RankingDisplay

        Raises
        ------
        ValueError
            An argument is none of its values, X is no `Ratings`, or no rating is relevant.
        KeyError
            A user of X is not among those of the training data.
        TypeError
            ``estimator`` is none of ours.
        sklearn.exceptions.NotFittedError
            It is not fitted.
        ImportError
            Matplotlib is not installed.
        """
        check_estimator(estimator)
        scorer = TopNScorer(metric, n, relevant_from, rank_by)
        users, judge = scorer.audience(estimator, X, y)
        others = {}
        if baselines:
            train, usual = training_ratings(estimator), TopNScorer(metric, n, relevant_from, None)
            for other in (PopularityRecommender(), BiasRegressor()):
                lists = usual.lists(other.fit(train), users)
                others[type(other).__name__] = _curve(judge, lists)
        display = cls(
            _curve(judge, scorer.lists(estimator, users)),
            baselines=others,
            metric=metric,
            name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax, **line_kwargs)

    @classmethod
    def from_predictions(
        cls,
        relevant: Sequence[Any],
        recommended: Any,
        *,
        metric: str = "ndcg",
        baselines: Mapping[str, Any] | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **line_kwargs: Any,
    ) -> RankingDisplay:
        """Draw how lists do.

        Parameters
        ----------
        relevant : sequence of n_users collections of item ids
            What each user should have been shown, in any order.
        recommended : array-like of shape (n_users, n)
            Item ids, best first. Masked cells of a numpy masked array are padding.
        metric : {"ndcg", "recall", "precision", "hit_rate", "average_precision", \
                "reciprocal_rank"}, default="ndcg"
            A function of `skautorec.metrics`.
        baselines : mapping of str to array-like of shape (n_users, n), default=None
            Other lists for the same users, by name.
        name : str, default=None
            Name for the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **line_kwargs
            Passed on to ``ax.plot`` for ``recommended``.

        Returns
        -------
        RankingDisplay

        Raises
        ------
        ValueError
            Another ``metric``, or what the metric refuses.
        TypeError
            What the metric refuses.
        ImportError
            Matplotlib is not installed.
        """
        if metric not in OF_HELDOUT:
            names = ", ".join(map(repr, OF_HELDOUT))
            raise ValueError(f"metric is {metric!r}; give one of {names}.")
        judge = partial(OF_HELDOUT[metric], relevant)
        others = {name: _curve(judge, lists) for name, lists in (baselines or {}).items()}
        display = cls(_curve(judge, recommended), baselines=others, metric=metric, name=name)
        return display.plot(ax, **line_kwargs)

    def plot(self, ax: Axes | None = None, **line_kwargs: Any) -> RankingDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **line_kwargs
            Passed on to ``ax.plot``, but not for baselines.

        Returns
        -------
        RankingDisplay
            Itself.

        Raises
        ------
        ImportError
            Matplotlib is not installed.
        """
        ax = self._open(ax)
        lengths = np.arange(1, len(self.values) + 1)
        usual = {"marker": "o", "markersize": 4, "label": self.name}
        (self.line_,) = ax.plot(lengths, self.values, **merge_kwargs(usual, line_kwargs))
        self.baseline_lines_ = [
            ax.plot(lengths, values, color="0.5", linestyle=style, label=name)[0]
            for style, (name, values) in zip(
                cycle(("--", ":", "-.")), (self.baselines or {}).items(), strict=False
            )
        ]
        label = _LABELS.get(self.metric, self.metric.replace("_", " ").capitalize())
        ax.set(xlabel="Length of the lists", ylabel=label)
        ax.set_ylim(bottom=0)
        ax.locator_params(axis="x", integer=True)
        if ax.get_legend_handles_labels()[0]:
            ax.legend()
        return self


def _curve(judge: Callable[[Any], float], lists: Any) -> np.ndarray:
    """A metric of the first 1, 2, ... items of lists."""
    whole = judge(lists)  # refuses what are no lists of one length
    is_array = isinstance(lists, np.ndarray)
    shorter = range(1, lists.shape[1] if is_array else len(lists[0]))
    cuts = (lists[:, :n] if is_array else [row[:n] for row in lists] for n in shorter)
    return np.array([*map(judge, cuts), whole])
