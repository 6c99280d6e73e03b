"""How training went, by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._base import RatingRegressor
from ._base import Display, check_estimator, merge_kwargs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["TrainingCurveDisplay"]

# What the axes of R^2 are found by.
_VALIDATION = "R^2 on validation ratings"


class TrainingCurveDisplay(Display):
    """Objective, and R^2 on the validation ratings, by epoch.

    It is recommended to use `from_estimator`. Several may be drawn on one axes, each in a colour of
    its own; a ``label`` names one.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Objective in each epoch, before its steps.
    validation_scores : array-like of shape (n_epochs,), default=None
        R^2 on held-out ratings after each epoch; None or empty where none are held out.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the objective.
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        The objective; the i-th is that after ``i`` epochs.
    validation_ax_ : matplotlib Axes or None
        Axes of R^2, which has another unit, on the right of ``ax_``; of all displays on it.
    validation_line_ : matplotlib Line2D or None
        R^2; its first value is that after one epoch.

    Examples
    --------
    >>> from skautorec import AutoRecRegressor
    >>> from skautorec.datasets import make_ratings
    >>> from skautorec.plotting import TrainingCurveDisplay
    >>> ratings = make_ratings(60, 40, 800, random_state=0)
    >>> model = AutoRecRegressor(20, random_state=0).fit(ratings)
    >>> display = TrainingCurveDisplay.from_estimator(model)
    >>> len(display.line_.get_xdata()) == len(model.loss_curve_)
    True
    """

    line_: Line2D
    validation_ax_: Axes | None
    validation_line_: Line2D | None

    def __init__(self, loss_curve: Any, validation_scores: Any = None) -> None:
        self.loss_curve = loss_curve
        self.validation_scores = validation_scores

    @classmethod
    def from_estimator(
        cls, estimator: RatingRegressor, *, ax: Axes | None = None, **line_kwargs: Any
    ) -> TrainingCurveDisplay:
        """Draw the training of a fitted estimator.

        Parameters
        ----------
        estimator : AutoRecRegressor
            Fitted; R^2 on its held-out ratings is drawn too, where there are any.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **line_kwargs
            Passed on to ``ax.plot`` for the objective.

        Returns
        -------
        TrainingCurveDisplay

        Raises
        ------
        TypeError
            ``estimator`` is no `AutoRecRegressor`.
        sklearn.exceptions.NotFittedError
            It is not fitted.
        ImportError
            Matplotlib is not installed.
        """
        check_estimator(estimator, "to_module")
        display = cls(estimator.loss_curve_, estimator.validation_scores_)
        return display.plot(ax, **line_kwargs)

    def plot(self, ax: Axes | None = None, **line_kwargs: Any) -> TrainingCurveDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **line_kwargs
            Passed on to ``ax.plot`` for the objective.

        Returns
        -------
        TrainingCurveDisplay
            Itself.

        Raises
        ------
        ImportError
            Matplotlib is not installed.
        """
        ax = self._open(ax)
        epochs = np.arange(len(self.loss_curve))
        (self.line_,) = ax.plot(epochs, self.loss_curve, **merge_kwargs({}, line_kwargs))
        ax.set(xlabel="Epochs of training", ylabel="Objective (equation 2)")
        self.validation_ax_ = self.validation_line_ = None
        if self.validation_scores is not None and len(self.validation_scores):
            self._plot_validation(ax, np.asarray(self.validation_scores))
        return self

    def _plot_validation(self, ax: Axes, scores: np.ndarray) -> None:
        right = _validation_axes(ax)
        epochs = np.arange(1, len(scores) + 1)
        color = self.line_.get_color()
        (line,) = right.plot(epochs, scores, color=color, linestyle="--")
        best = int(np.argmax(scores))
        name = str(self.line_.get_label())
        what = "" if name.startswith("_") else f"{name}: "  # Matplotlib's own for one without
        what += f"best {scores[best]:.3f}, epoch {epochs[best]}"
        right.plot(epochs[best], scores[best], "o", color=color)
        # Beside the axes: inside, curves of any shape would strike it through.
        right.set_ylabel(f"{right.get_ylabel()}\n{what}")
        self.validation_ax_, self.validation_line_ = right, line


def _validation_axes(ax: Axes) -> Axes:
    """Axes on the right for R^2, which displays on the same axes share."""
    for other in ax.get_shared_x_axes().get_siblings(ax):
        # Not those of another subplot that shares its x axis.
        if other.get_label() == _VALIDATION and other.bbox.bounds == ax.bbox.bounds:
            return other
    right = ax.twinx()
    right.set_label(_VALIDATION)
    right.set_ylabel("R$^2$ on validation ratings (dashed)")
    right.spines["right"].set_visible(True)
    return right
