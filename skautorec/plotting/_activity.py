"""Error by the number of ratings known of a user."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from .._base import RatingRegressor
from ._base import Display, check_estimator, check_weighted, merge_kwargs, predict_heldout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["ErrorByActivityDisplay"]


class ErrorByActivityDisplay(Display):
    """Error by the number of ratings that the model knows of the user.

    It is recommended to use `from_estimator` or `from_predictions`.

    Parameters
    ----------
    bins : array-like of shape (n_bins, 2)
        Lowest and highest number of known ratings in each bin.
    rmse : array-like of shape (n_bins,)
        Root mean squared error of the ratings by users in each bin.
    standard_error : array-like of shape (n_bins,)
        Its standard error, taking errors as independent.
    overall_rmse : float
        Root mean squared error of all.
    name : str, default=None
        Name for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        RMSE of each bin, at 0, 1, ...
    errorbar_ : matplotlib ErrorbarContainer
        The line, and bars of one standard error up and down.
    overall_line_ : matplotlib Line2D
        RMSE of all.

    Examples
    --------
    >>> from skautorec.plotting import ErrorByActivityDisplay
    >>> display = ErrorByActivityDisplay.from_predictions(
    ...     [1, 2, 3, 4], [2, 3, 3, 4], [5, 5, 90, 80], n_bins=2
    ... )
    >>> display.bins.tolist(), display.rmse.tolist()
    ([[5, 5], [80, 90]], [1.0, 0.0])
    """

    line_: Line2D
    errorbar_: Any
    overall_line_: Line2D

    def __init__(
        self,
        bins: Any,
        rmse: Any,
        standard_error: Any,
        overall_rmse: float,
        *,
        name: str | None = None,
    ) -> None:
        self.bins = bins
        self.rmse = rmse
        self.standard_error = standard_error
        self.overall_rmse = overall_rmse
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: RatingRegressor,
        X: Any,
        y: Any = None,
        *,
        n_bins: int = 5,
        name: str | None = None,
        ax: Axes | None = None,
        **errorbar_kwargs: Any,
    ) -> ErrorByActivityDisplay:
        """Draw how a fitted estimator does on ratings that it was not fitted to.

        Parameters
        ----------
        estimator : AutoRecRegressor, BiasRegressor or PopularityRecommender
            Fitted.
        X : Ratings or {sparse matrix, array-like, DataFrame} of shape (n_users, n_items)
            Ratings to predict, whose users' training ratings are counted; or the known ratings of
            users, a row each, which are counted themselves.
        y : array-like or sparse matrix, default=None
            With `Ratings`: the true ratings; None takes ``X.values``. With a matrix: held-out
            ratings, as in `AutoRecRegressor.score`. Weights of `Ratings` count.
        n_bins : int, default=5
            Bins with about as many of the predicted ratings in each.
        name : str, default=None
            Name for the legend; None is the estimator's class.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **errorbar_kwargs
            Passed on to ``ax.errorbar``.

        Returns
        -------
        ErrorByActivityDisplay

        Raises
        ------
        ValueError
            ``y`` is missing with a matrix, X or y do not fit, or ``n_bins`` is below 1.
        TypeError
            ``estimator`` is none of ours, or ``n_bins`` is not an integer.
        sklearn.exceptions.NotFittedError
            It is not fitted.
        ImportError
            Matplotlib is not installed.
        """
        check_estimator(estimator)
        name = type(estimator).__name__ if name is None else name
        *columns, weights = predict_heldout(estimator, X, y)
        return cls.from_predictions(
            *columns,
            sample_weight=weights,
            n_bins=n_bins,
            name=name,
            ax=ax,
            **errorbar_kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        n_known: Any,
        *,
        sample_weight: Any = None,
        n_bins: int = 5,
        name: str | None = None,
        ax: Axes | None = None,
        **errorbar_kwargs: Any,
    ) -> ErrorByActivityDisplay:
        """Draw the error of predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_ratings,)
            True and predicted ratings.
        n_known : array-like of shape (n_ratings,)
            How many ratings of its user the model knew.
        sample_weight : array-like of shape (n_ratings,), default=None
            Weights of the squared errors; ratings of weight 0 are left out. None weights all alike.
        n_bins : int, default=5
            Bins with about as many of the predicted ratings in each; one number of known ratings
            is never split, so there may be fewer.
        name : str, default=None
            Name for the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **errorbar_kwargs
            Passed on to ``ax.errorbar``.

        Returns
        -------
        ErrorByActivityDisplay

        Raises
        ------
        ValueError
            Lengths differ, a weight is negative, all are 0, or ``n_bins`` is below 1.
        TypeError
            ``n_bins`` is not an integer.
        ImportError
            Matplotlib is not installed.
        """
        columns, weights = check_weighted(sample_weight, y_true, y_pred, n_known)
        y_true, y_pred, n_known = columns
        squared, n_known = np.square(y_true - y_pred), n_known.astype(np.int64)
        members = _quantile_bins(n_known, n_bins)
        display = cls(
            np.array([(n_known[one].min(), n_known[one].max()) for one in members]),
            np.array([_rmse(squared[one], weights[one]) for one in members]),
            np.array([_standard_error_of_rmse(squared[one], weights[one]) for one in members]),
            _rmse(squared, weights),
            name=name,
        )
        return display.plot(ax, **errorbar_kwargs)

    def plot(self, ax: Axes | None = None, **errorbar_kwargs: Any) -> ErrorByActivityDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **errorbar_kwargs
            Passed on to ``ax.errorbar``.

        Returns
        -------
        ErrorByActivityDisplay
            Itself.

        Raises
        ------
        ValueError
            The axes show other bins.
        ImportError
            Matplotlib is not installed.
        """
        ranges = [f"{low}" if low == high else f"{low}\u2013{high}" for low, high in self.bins]
        ax = self._open(ax)
        if ax.containers:
            drawn = [label.get_text() for label in ax.get_xticklabels()]
            if drawn != ranges:
                raise ValueError(
                    f"These axes show the bins {', '.join(drawn)}, and this display has "
                    f"{', '.join(ranges)}. Draw it on axes of its own, or predict the same ratings "
                    "after the same training ratings."
                )
        where = np.arange(len(self.rmse))
        overall = f"all: {self.overall_rmse:.3f}"
        label = overall if self.name is None else f"{self.name}, {overall}"
        usual = {"marker": "o", "capsize": 3, "label": label}
        self.errorbar_ = ax.errorbar(
            where, self.rmse, self.standard_error, **merge_kwargs(usual, errorbar_kwargs)
        )
        self.line_ = self.errorbar_.lines[0]
        color = self.line_.get_color()
        self.overall_line_ = ax.axhline(self.overall_rmse, linestyle=":", color=color)
        ax.set_xticks(where, ranges)
        ax.set(xlabel="Known ratings of the user", ylabel="RMSE \u00b1 standard error")
        ax.legend()
        _turn_crowded_ticks(ax)
        return self


def _turn_crowded_ticks(ax: Axes) -> None:
    """Turn the labels of the x axis where they do not fit side by side."""
    ax.figure.canvas.figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in ax.get_xticklabels()]
    gap = 4 * ax.figure.dpi / 72
    if any(box.x1 + gap > after.x0 for box, after in itertools.pairwise(boxes)):
        for label in ax.get_xticklabels():
            label.set(rotation=45, ha="right", rotation_mode="anchor")


def _quantile_bins(numbers: np.ndarray, n_bins: Any) -> list[np.ndarray]:
    """Masks of the members of each bin, ascending; none is empty."""
    if not isinstance(n_bins, int | np.integer):
        raise TypeError(f"n_bins is {n_bins!r}; give the number of bins.")
    if n_bins < 1:
        raise ValueError(f"n_bins is {n_bins}; give the number of bins, at least 1.")
    shares = np.arange(1, n_bins) / n_bins
    bounds = np.unique(np.quantile(numbers, shares, method="inverted_cdf"))
    bins = np.searchsorted(bounds, numbers)
    return [bins == one for one in np.unique(bins)]


def _rmse(squared: np.ndarray, weights: np.ndarray) -> float:
    return float(np.sqrt(np.average(squared, weights=weights)))


def _standard_error_of_rmse(squared: np.ndarray, weights: np.ndarray) -> float:
    """By the delta method: that of the mean square over twice the root."""
    n, rmse = len(squared), _rmse(squared, weights)
    if n < 2 or rmse == 0:
        return 0.0
    deviations = weights / weights.sum() * (squared - rmse**2)
    return float(np.linalg.norm(deviations) * np.sqrt(n / (n - 1)) / (2 * rmse))
