"""Pictures of a fitted model, as Display classes in scikit-learn's convention.

A display is made by ``from_estimator`` or ``from_predictions``, which compute what is drawn and
draw it; the numbers stay in its attributes, and ``plot`` draws them again elsewhere. Matplotlib is
needed only to draw: ``pip install "skautorec[plot]"``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.stats
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.extmath import svd_flip
from sklearn.utils.validation import check_is_fitted

from ._estimator import AutoRecRegressor
from ._ids import Ids
from ._ratings import Ratings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Annotation

__all__ = [
    "ErrorByActivityDisplay",
    "ItemMapDisplay",
    "TrainingCurveDisplay",
    "UncertaintyDisplay",
]

_LEVELS = np.linspace(0.05, 0.95, 19)
_IDEAL = "Perfectly calibrated"
# Where a label may go, by preference: offset from its point in points, and alignment.
_PLACES = [
    ((6, 0), "left", "center"),
    ((-6, 0), "right", "center"),
    ((0, 6), "center", "bottom"),
    ((0, -6), "center", "top"),
    ((6, 9), "left", "center"),
    ((6, -9), "left", "center"),
    ((-6, 9), "right", "center"),
    ((-6, -9), "right", "center"),
]


class _Display:
    """Axes to draw on, found or made."""

    ax_: Axes
    figure_: Figure

    def _open(self, ax: Axes | None) -> Axes:
        if ax is None:
            ax = _pyplot(type(self).__name__).subplots(layout="constrained")[1]
        self.ax_ = ax
        self.figure_ = ax.figure  # type: ignore[assignment]
        return ax


class TrainingCurveDisplay(_Display):
    """Objective, and R^2 on the validation ratings, by epoch.

    It is recommended to use `from_estimator`.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Objective before the step of each epoch.
    validation_scores : array-like of shape (n_epochs,), default=None
        R^2 on the validation ratings after each epoch; None where it was not watched.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the objective.
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        The objective; the i-th is that after ``i`` epochs.
    validation_ax_ : matplotlib Axes or None
        Axes of R^2, which has another unit, on the right of ``ax_``.
    validation_line_ : matplotlib Line2D or None
        R^2; its first value is that after one epoch.

    Examples
    --------
    >>> from skautorec import AutoRecRegressor
    >>> from skautorec.datasets import make_ratings
    >>> from skautorec.plotting import TrainingCurveDisplay
    >>> ratings = make_ratings(60, 40, 800, random_state=0)
    >>> model = AutoRecRegressor(8, early_stopping=True, max_iter=20, random_state=0).fit(ratings)
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
        cls, estimator: AutoRecRegressor, *, ax: Axes | None = None, **line_kwargs: Any
    ) -> TrainingCurveDisplay:
        """Draw the training of a fitted estimator.

        Parameters
        ----------
        estimator : AutoRecRegressor
            Fitted; with ``early_stopping=True`` R^2 on its validation ratings is drawn too.
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
        _check_estimator(estimator)
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
        (self.line_,) = ax.plot(epochs, self.loss_curve, **_kwargs({"color": "C0"}, line_kwargs))
        ax.set(xlabel="Epochs of training", ylabel="Objective (equation 2)")
        self.validation_ax_ = self.validation_line_ = None
        if self.validation_scores is not None:
            self._plot_validation(ax, np.asarray(self.validation_scores))
        return self

    def _plot_validation(self, ax: Axes, scores: np.ndarray) -> None:
        right = ax.twinx()
        epochs = np.arange(1, len(scores) + 1)
        (line,) = right.plot(epochs, scores, color="C1", linestyle="--")
        best = int(np.argmax(scores))
        right.plot(epochs[best], scores[best], "o", color="C1")
        right.annotate(
            f"best {scores[best]:.3f}, epoch {epochs[best]}",
            (epochs[best], scores[best]),
            xytext=(0, -8),
            textcoords="offset points",
            ha="right",
            va="top",
            color="C1",
        )
        right.set_ylabel("R$^2$ on validation ratings (dashed)", color="C1")
        right.spines["right"].set_visible(True)
        ax.yaxis.label.set_color(self.line_.get_color())
        self.validation_ax_, self.validation_line_ = right, line


class ItemMapDisplay(_Display):
    """Items in the plane, near each other where users are predicted to treat them alike.

    It is recommended to use `from_estimator`; positions of another projection can be given here.

    Parameters
    ----------
    positions : array-like of shape (n_items, 2)
        Coordinates of the items.
    item_ids : array-like of shape (n_items,)
        Their ids.
    explained_variance_ratio : array-like of shape (2,), default=None
        Share of the variance that each axis shows.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    points_ : matplotlib PathCollection
        All items, in the order of ``item_ids``.
    labelled_points_ : matplotlib PathCollection
        The labelled ones.
    texts_ : list of matplotlib Annotation
        Their labels.

    Notes
    -----
    `from_estimator` shows the plane in which predictions differ most. The distance of two items is
    the standard deviation, over the training users, of the difference between their two predicted
    ratings, before clipping; what all users agree on, such as that one is better, is left out. The
    axes are principal components of that, in rating units. The distance does not depend on how
    training shared out scale between user and item factors, which that of ``item_factors_`` does.

    Examples
    --------
    >>> from skautorec import AutoRecRegressor
    >>> from skautorec.datasets import make_ratings
    >>> from skautorec.plotting import ItemMapDisplay
    >>> ratings = make_ratings(60, 40, 800, random_state=0)
    >>> model = AutoRecRegressor(8, max_iter=20, random_state=0).fit(ratings)
    >>> display = ItemMapDisplay.from_estimator(model, labels={3: "Alien", 17: "Brazil"})
    >>> display.positions.shape, [text.get_text() for text in display.texts_]
    ((40, 2), ['Alien', 'Brazil'])
    """

    points_: PathCollection
    labelled_points_: PathCollection
    texts_: list[Annotation]

    def __init__(
        self, positions: Any, item_ids: Any, *, explained_variance_ratio: Any = None
    ) -> None:
        self.positions = positions
        self.item_ids = item_ids
        self.explained_variance_ratio = explained_variance_ratio

    @classmethod
    def from_estimator(
        cls,
        estimator: AutoRecRegressor,
        *,
        labels: Mapping[Any, str] | Iterable[Any] = (),
        ax: Axes | None = None,
        **scatter_kwargs: Any,
    ) -> ItemMapDisplay:
        """Draw the items of a fitted estimator.

        Parameters
        ----------
        estimator : AutoRecRegressor
            Fitted.
        labels : mapping from item id to str, or sequence of item ids, default=()
            Items to label; ids without a text are shown themselves.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **scatter_kwargs
            Passed on to ``ax.scatter`` for all items.

        Returns
        -------
        ItemMapDisplay

        Raises
        ------
        KeyError
            An id in ``labels`` is not in ``item_ids_``.
        TypeError
            ``estimator`` is no `AutoRecRegressor`.
        sklearn.exceptions.NotFittedError
            It is not fitted.
        ImportError
            Matplotlib is not installed.
        """
        _check_estimator(estimator)
        positions, shares = _project(estimator.user_factors_, estimator.item_factors_)
        display = cls(positions, estimator.item_ids_, explained_variance_ratio=shares)
        return display.plot(ax, labels=labels, **scatter_kwargs)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        labels: Mapping[Any, str] | Iterable[Any] = (),
        **scatter_kwargs: Any,
    ) -> ItemMapDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        labels : mapping from item id to str, or sequence of item ids, default=()
            Items to label; ids without a text are shown themselves.
        **scatter_kwargs
            Passed on to ``ax.scatter`` for all items.

        Returns
        -------
        ItemMapDisplay
            Itself.

        Raises
        ------
        KeyError
            An id in ``labels`` is not in ``item_ids``.
        ImportError
            Matplotlib is not installed.
        """
        texts = dict(labels) if isinstance(labels, Mapping) else {id: str(id) for id in labels}
        known = Ids(self.item_ids)
        codes = {id: known.code(id) for id in texts}
        unknown = [id for id, code in codes.items() if code < 0]
        if unknown:
            raise KeyError(
                f"labels names {unknown[0]!r} ({type(unknown[0]).__name__}), which is none of the "
                f"{len(known)} items; their ids are like {known.array[0]!r}."
            )
        ax = self._open(ax)
        positions = np.asarray(self.positions)
        usual: dict[str, Any] = {"s": 8, "c": "0.75", "linewidths": 0}
        if not {"c", "color", "facecolor", "facecolors", "fc"}.isdisjoint(scatter_kwargs):
            del usual["c"]
        if not {"linewidth", "lw"}.isdisjoint(scatter_kwargs):
            del usual["linewidths"]
        self.points_ = ax.scatter(positions[:, 0], positions[:, 1], **(usual | scatter_kwargs))
        labelled = positions[np.fromiter(codes.values(), np.intp, len(codes))]
        self.labelled_points_ = ax.scatter(labelled[:, 0], labelled[:, 1], s=16, color="C0")
        # One unit is as long on either axis: the distances are what the map shows.
        ax.set_aspect("equal", adjustable="datalim")
        ax.set(**dict(zip(("xlabel", "ylabel"), self._axis_labels(), strict=True)))
        self.texts_ = _label_points(ax, labelled, list(texts.values()))
        return self

    def _axis_labels(self) -> list[str]:
        names = ["First component", "Second component"]
        if self.explained_variance_ratio is None:
            return names
        return [
            f"{name}, rating units ({share:.0%} of the variance)"
            for name, share in zip(names, self.explained_variance_ratio, strict=True)
        ]


class UncertaintyDisplay(_Display):
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
        estimator: AutoRecRegressor,
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
        estimator : AutoRecRegressor
            Fitted.
        X : Ratings or {sparse matrix, array-like, DataFrame} of shape (n_users, n_items)
            Ratings to predict, or the known ratings of users, a row each.
        y : array-like or sparse matrix, default=None
            With `Ratings`: the true ratings; None takes ``X.values``. With a matrix: held-out
            ratings, as in `AutoRecRegressor.score`.
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
            ``estimator`` is no `AutoRecRegressor`.
        sklearn.exceptions.NotFittedError
            It is not fitted.
        ImportError
            Matplotlib is not installed.
        """
        _check_estimator(estimator)
        name = type(estimator).__name__ if name is None else name
        y_true, (y_pred, y_std), _ = _predict_heldout(estimator, X, y, return_std=True)
        return cls.from_predictions(y_true, y_pred, y_std, name=name, ax=ax, **line_kwargs)

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        y_std: Any,
        *,
        name: str | None = None,
        ax: Axes | None = None,
        **line_kwargs: Any,
    ) -> UncertaintyDisplay:
        """Draw what predictions and their standard deviations promised, and what came.

        Parameters
        ----------
        y_true, y_pred, y_std : array-like of shape (n_ratings,)
            True and predicted ratings and the predicted standard deviations.
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
            Lengths differ, or a standard deviation is not positive.
        ImportError
            Matplotlib is not installed.
        """
        y_true, y_pred, y_std = _columns(y_true, y_pred, y_std)
        if not (y_std > 0).all():
            raise ValueError(
                f"{(~(y_std > 0)).sum()} of {len(y_std)} standard deviations in y_std are not "
                "positive; give those of predict(..., return_std=True)."
            )
        # A rating is inside from the level on at which the interval reaches it.
        reached = 2 * scipy.stats.norm.cdf(np.abs(y_true - y_pred) / y_std) - 1
        coverage = (reached <= _LEVELS[:, None]).mean(axis=1)
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
        (self.line_,) = ax.plot(self.levels, self.coverage, **_kwargs(usual, line_kwargs))
        ax.set(
            xlabel="Nominal level of the interval",
            ylabel="Share of the ratings inside",
            aspect="equal",
        )
        ax.xaxis.set_major_formatter("{x:.0%}")
        ax.yaxis.set_major_formatter("{x:.0%}")
        ax.legend(loc="upper left", frameon=False)
        return self


class ErrorByActivityDisplay(_Display):
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
        estimator: AutoRecRegressor,
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
        estimator : AutoRecRegressor
            Fitted.
        X : Ratings or {sparse matrix, array-like, DataFrame} of shape (n_users, n_items)
            Ratings to predict, whose users' training ratings are counted; or the known ratings of
            users, a row each, which are counted themselves.
        y : array-like or sparse matrix, default=None
            With `Ratings`: the true ratings; None takes ``X.values``. With a matrix: held-out
            ratings, as in `AutoRecRegressor.score`.
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
            ``estimator`` is no `AutoRecRegressor`.
        sklearn.exceptions.NotFittedError
            It is not fitted.
        ImportError
            Matplotlib is not installed.
        """
        _check_estimator(estimator)
        name = type(estimator).__name__ if name is None else name
        return cls.from_predictions(
            *_predict_heldout(estimator, X, y),
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
            Lengths differ, or ``n_bins`` is below 1.
        ImportError
            Matplotlib is not installed.
        """
        y_true, y_pred, n_known = _columns(y_true, y_pred, n_known)
        squared, n_known = np.square(y_true - y_pred), n_known.astype(np.int64)
        members = _quantile_bins(n_known, n_bins)
        display = cls(
            np.array([(n_known[one].min(), n_known[one].max()) for one in members]),
            np.array([np.sqrt(squared[one].mean()) for one in members]),
            np.array([_standard_error_of_rmse(squared[one]) for one in members]),
            float(np.sqrt(squared.mean())),
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
        ImportError
            Matplotlib is not installed.
        """
        ax = self._open(ax)
        where = np.arange(len(self.rmse))
        usual = {"marker": "o", "capsize": 3, "label": self.name}
        self.errorbar_ = ax.errorbar(
            where, self.rmse, self.standard_error, **_kwargs(usual, errorbar_kwargs)
        )
        self.line_ = self.errorbar_.lines[0]
        color = self.line_.get_color()
        self.overall_line_ = ax.axhline(self.overall_rmse, linestyle=":", color=color)
        ax.annotate(
            f"all: {self.overall_rmse:.3f}",
            (1, self.overall_rmse),
            xycoords=ax.get_yaxis_transform(),
            xytext=(-2, 2),
            textcoords="offset points",
            ha="right",
            va="bottom",
            color=color,
        )
        ranges = [f"{low}" if low == high else f"{low}\u2013{high}" for low, high in self.bins]
        ax.set_xticks(where, ranges)
        ax.set(xlabel="Known ratings of the user", ylabel="RMSE \u00b1 standard error")
        if self.name is not None:
            ax.legend(frameon=False)
        return self


def _pyplot(who: str) -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f'{who} needs matplotlib to draw: pip install "skautorec[plot]".'
        ) from error
    return plt


def _check_estimator(estimator: Any) -> None:
    if not isinstance(estimator, AutoRecRegressor):
        raise TypeError(
            f"An AutoRecRegressor is needed, got {type(estimator).__name__}. Of a search give "
            "best_estimator_, of a pipeline its last step."
        )
    check_is_fitted(estimator)


def _predict_heldout(
    estimator: AutoRecRegressor, X: Any, y: Any, return_std: bool = False
) -> tuple[np.ndarray, Any, np.ndarray]:
    """Held-out ratings, what is predicted for them, and how many of each one's user are known."""
    if isinstance(X, Ratings):
        # Unknown users have code -1, which finds the 0 at the end.
        counts = np.append(np.diff(estimator._seen.indptr), 0)
        n_known = counts[estimator._users.translate(X._users)[X.users]]
        return X.values if y is None else y, estimator.predict(X, return_std=return_std), n_known
    if y is None:
        raise ValueError(
            "With a matrix give y too, the held-out ratings of its users; those in X are what they "
            "are predicted from."
        )
    context = estimator._read_context(X)
    cells = estimator._read_heldout(context, y)
    n_known = np.repeat(np.diff(context.indptr), np.diff(cells.indptr))
    return cells.data, estimator._predict_cells(context, cells, return_std), n_known


def _kwargs(usual: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What is usual for a line, save what the user gave, by any of Matplotlib's names."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return usual | normalize_kwargs(given, Line2D)


def _columns(*columns: Any) -> list[np.ndarray]:
    arrays = [column_or_1d(column, dtype=np.float64) for column in columns]
    check_consistent_length(*arrays)
    n_wrong = sum(int((~np.isfinite(array)).sum()) for array in arrays)
    if not len(arrays[0]) or n_wrong:
        raise ValueError(
            f"There are {len(arrays[0])} ratings to draw, with {n_wrong} numbers that are NaN or "
            "infinite; give at least one rating, and leave out those without a number."
        )
    return arrays


def _quantile_bins(numbers: np.ndarray, n_bins: int) -> list[np.ndarray]:
    """Masks of the members of each bin, ascending; none is empty."""
    if n_bins < 1:
        raise ValueError(f"n_bins is {n_bins}; give the number of bins, at least 1.")
    shares = np.arange(1, n_bins) / n_bins
    bounds = np.unique(np.quantile(numbers, shares, method="inverted_cdf"))
    bins = np.searchsorted(bounds, numbers)
    return [bins == one for one in np.unique(bins)]


def _standard_error_of_rmse(squared: np.ndarray) -> float:
    """By the delta method: that of the mean square over twice the root."""
    rmse = np.sqrt(squared.mean())
    if len(squared) < 2 or rmse == 0:
        return 0.0
    return float(squared.std(ddof=1) / np.sqrt(len(squared)) / (2 * rmse))


def _project(user_factors: np.ndarray, item_factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two principal components of the predictions, and their shares of the variance."""
    users = user_factors - user_factors.mean(axis=0)
    items = item_factors - item_factors.mean(axis=0)
    # Predictions without biases are users @ items.T; with users = Q S, Q orthonormal, the distances
    # between items are those between the rows of items @ S.T, which is small.
    spread = np.linalg.qr(users, mode="r") / np.sqrt(len(users))
    left, sizes, right = np.linalg.svd(items @ spread.T, full_matrices=False)
    left, _ = svd_flip(left, right)
    positions = np.zeros((len(items), 2))
    positions[:, : len(sizes)] = (left * sizes)[:, :2]
    shares = np.zeros(2)
    shares[: len(sizes)] = np.square(sizes[:2]) / max(np.square(sizes).sum(), 1e-300)
    return positions, shares


def _label_points(ax: Axes, points: np.ndarray, texts: list[str]) -> list[Annotation]:
    """Label points, each in the first place where its label covers nothing, or the least."""
    # Lays the axes out, so that positions on paper are known.
    ax.figure.canvas.figure.draw_without_rendering()
    on_paper = ax.transData.transform(points)
    boxes: list[Any] = []
    labels = []
    for code, text in enumerate(texts):
        others = np.delete(on_paper, code, axis=0)
        tried = [_label(ax, text, points[code], place) for place in _PLACES]
        extents = [label.get_window_extent() for label in tried]
        clashes = [box.count_overlaps(boxes) + box.count_contains(others) for box in extents]
        best = int(np.argmin(clashes))
        for label in tried[:best] + tried[best + 1 :]:
            label.remove()
        labels.append(tried[best])
        boxes.append(extents[best])
    return labels


def _label(ax: Axes, text: str, point: np.ndarray, place: Any) -> Annotation:
    offset, horizontal, vertical = place
    return ax.annotate(
        text,
        tuple(point),
        xytext=offset,
        textcoords="offset points",
        ha=horizontal,
        va=vertical,
        fontsize="small",
    )
