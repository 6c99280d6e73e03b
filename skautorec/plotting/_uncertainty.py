"""Whether intervals hold what they promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.stats

from .._base import RatingRegressor
from ._base import Display, check_estimator, check_weighted, merge_kwargs, predict_heldout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["UncertaintyDisplay"]

_LEVELS = np.linspace(0.05, 0.95, 19)
_IDEAL = "Perfectly calibrated"


class UncertaintyDisplay(Display):
    """How many ratings fall into predicted intervals, by how many should.

    It is recommended to use `from_estimator` or `from_predictions`. A curve below the diagonal
    belongs to a model that is too sure of itself.

    Parameters
    ----------
    levels : array-like of shape (n_levels,)
        Nominal levels of central intervals, between 0 and 1.
    coverage : array-like of shape (n_levels,)
        Share of the ratings inside.
    name : str, default=None
        Name for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        Observed against nominal share.

    Notes
    -----
    The interval of level ``p`` is ``y_pred`` plus and minus ``y_std`` times the quantile
    ``(1 + p) / 2`` of the normal distribution. Ratings that come in steps cannot match a
    continuous distribution at every level: narrow intervals between two steps hold none.

    Examples
    --------
    >>> import numpy as np
    >>> from skautorec.plotting import UncertaintyDisplay
    >>> truth = np.random.default_rng(0).normal(size=1000)
    >>> display = UncertaintyDisplay.from_predictions(truth, np.zeros(1000), np.ones(1000))
    >>> bool(np.abs(display.coverage - display.levels).max() < 0.05)
    True
    """

    line_: Line2D

    def __init__(self, levels: Any, coverage: Any, *, name: str | None = None) -> None:
        self.levels = levels
        self.coverage = coverage
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: RatingRegressor,
        X: Any,
        y: Any = None,
        *,
        name: str | None = None,
        ax: Axes | None = None,
        **line_kwargs: Any,
    ) -> UncertaintyDisplay:
        """Draw how a fitted estimator does on ratings that it was not fitted to.

        Parameters
        ----------
        estimator : AutoRecRegressor, BiasRegressor or PopularityRecommender
            Fitted.
        X : Ratings or {sparse matrix, array-like, DataFrame} of shape (n_users, n_items)
            Ratings to predict, or the known ratings of users, a row each.
        y : array-like or sparse matrix, default=None
            With `Ratings`: the true ratings; None takes ``X.values``. With a matrix: held-out
            ratings, as in `AutoRecRegressor.score`. Weights of `Ratings` count.
        name : str, default=None
            Name for the legend; None is the estimator's class.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **line_kwargs
            Passed on to ``ax.plot``.

        Returns
        -------
        UncertaintyDisplay

        Raises
        ------
        ValueError
            ``y`` is missing with a matrix, or X or y do not fit.
        TypeError
            ``estimator`` is none of ours.
        sklearn.exceptions.NotFittedError
            It is not fitted.
        ImportError
            Matplotlib is not installed.
        """
        check_estimator(estimator)
        name = type(estimator).__name__ if name is None else name
        y_true, (y_pred, y_std), _, weights = predict_heldout(estimator, X, y, return_std=True)
        return cls.from_predictions(
            y_true, y_pred, y_std, sample_weight=weights, name=name, ax=ax, **line_kwargs
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        y_std: Any,
        *,
        sample_weight: Any = None,
        name: str | None = None,
        ax: Axes | None = None,
        **line_kwargs: Any,
    ) -> UncertaintyDisplay:
        """Draw what predictions and their standard deviations promised, and what came.

        Parameters
        ----------
        y_true, y_pred, y_std : array-like of shape (n_ratings,)
            True and predicted ratings and the predicted standard deviations.
        sample_weight : array-like of shape (n_ratings,), default=None
            How much each rating counts in the shares. None weights all alike.
        name : str, default=None
            Name for the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **line_kwargs
            Passed on to ``ax.plot``.

        Returns
        -------
        UncertaintyDisplay

        Raises
        ------
        ValueError
            Lengths differ, a standard deviation is not positive, a weight is negative, or all are
            0.
        ImportError
            Matplotlib is not installed.
        """
        columns, weights = check_weighted(sample_weight, y_true, y_pred, y_std)
        y_true, y_pred, y_std = columns
        if not (y_std > 0).all():
            raise ValueError(
                f"{(~(y_std > 0)).sum()} of {len(y_std)} standard deviations in y_std are not "
                "positive; give those of predict(..., return_std=True)."
            )
        # A rating is inside from the level on at which the interval reaches it.
        reached = 2 * scipy.stats.norm.cdf(np.abs(y_true - y_pred) / y_std) - 1
        coverage = np.average(reached <= _LEVELS[:, None], axis=1, weights=weights)
        return cls(_LEVELS, coverage, name=name).plot(ax, **line_kwargs)

    def plot(self, ax: Axes | None = None, **line_kwargs: Any) -> UncertaintyDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **line_kwargs
            Passed on to ``ax.plot``.

        Returns
        -------
        UncertaintyDisplay
            Itself.

        Raises
        ------
        ImportError
            Matplotlib is not installed.
        """
        ax = self._open(ax)
        if _IDEAL not in ax.get_legend_handles_labels()[1]:
            ax.plot([0, 1], [0, 1], linestyle=":", color="0.4", label=_IDEAL)
        usual = {"marker": "o", "markersize": 4, "label": self.name}
        (self.line_,) = ax.plot(self.levels, self.coverage, **merge_kwargs(usual, line_kwargs))
        ax.set(
            xlabel="Nominal level of the interval",
            ylabel="Share of the ratings inside",
            aspect="equal",
        )
        ax.xaxis.set_major_formatter("{x:.0%}")
        ax.yaxis.set_major_formatter("{x:.0%}")
        ax.legend(loc="upper left", fontsize="small")
        return self
