"""A map of the items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.extmath import svd_flip

from .._base import RatingRegressor
from .._data.frames import has_own_index
from .._data.ids import Ids
from .._data.lookup import known_codes
from ._base import Display, check_estimator

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.text import Annotation

__all__ = ["ItemMapDisplay"]

# Where a label may go, by preference: points right and up from its item.
_DIRECTIONS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)])
_DISTANCES = [6, 14, 26, 40, 60]
_OFFSETS = np.concatenate([distance * _DIRECTIONS for distance in _DISTANCES])


class ItemMapDisplay(Display):
    """Items in the plane, near each other where users are predicted to treat them alike.

    It is recommended to use `from_estimator`; positions of another projection can be given here.

    Parameters
    ----------
    positions : array-like of shape (n_items, 2)
        Coordinates of the items.
    item_ids : array-like of shape (n_items,)
        Their ids.
    explained_variance_ratio : array-like of shape (2,), default=None
        Share of the variance that each axis shows, written beside its name.

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
    >>> model = AutoRecRegressor(20, random_state=0).fit(ratings)
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
        estimator: RatingRegressor,
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
        labels : mapping or pandas Series from item id to str, or sequence of item ids, default=()
            Items to label; ids without a text are shown themselves. A Series with the default index
            or of ids only is a sequence.
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
            An id in ``labels`` is not in ``target_ids_``.
        TypeError
            ``estimator`` is no `AutoRecRegressor`, or ``labels`` is a single id.
        sklearn.exceptions.NotFittedError
            It is not fitted.
        ImportError
            Matplotlib is not installed.
        """
        check_estimator(estimator, "to_module")
        positions, shares = _project(estimator.user_factors_, estimator.item_factors_)
        display = cls(positions, estimator.target_ids_, explained_variance_ratio=shares)
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
        labels : mapping or pandas Series from item id to str, or sequence of item ids, default=()
            Items to label; ids without a text are shown themselves. A Series with the default index
            or of ids only is a sequence.
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
        TypeError
            ``labels`` is a single id.
        ImportError
            Matplotlib is not installed.
        """
        known = Ids(self.item_ids)
        texts = _read_labels(labels, known)
        codes = known_codes(known, list(texts), "item", where="item_ids")
        ax = self._open(ax)
        positions = np.asarray(self.positions)
        usual: dict[str, Any] = {"s": 8, "c": "0.75", "linewidths": 0}
        if not {"c", "color", "facecolor", "facecolors", "fc"}.isdisjoint(scatter_kwargs):
            del usual["c"]
        if not {"linewidth", "lw"}.isdisjoint(scatter_kwargs):
            del usual["linewidths"]
        self.points_ = ax.scatter(positions[:, 0], positions[:, 1], **(usual | scatter_kwargs))
        labelled = positions[codes]
        self.labelled_points_ = ax.scatter(labelled[:, 0], labelled[:, 1], s=16, color="C0")
        # One unit is as long on either axis: the distances are what the map shows.
        ax.set_aspect("equal", adjustable="datalim")
        if texts:
            ax.margins(0.1)  # room for the labels of the outermost
        ax.set(**dict(zip(("xlabel", "ylabel"), self._axis_labels(), strict=True)))
        self.texts_ = _label_points(ax, labelled, list(texts.values()))
        return self

    def _axis_labels(self) -> list[str]:
        names = ["First component", "Second component"]
        if self.explained_variance_ratio is None:
            return names
        return [
            f"{name} ({share:.0%}),\nin rating units"
            for name, share in zip(names, self.explained_variance_ratio, strict=True)
        ]


def _read_labels(labels: Any, known: Ids) -> dict[Any, str]:
    """Text by item id."""
    if isinstance(labels, str | bytes) or not hasattr(labels, "__iter__"):
        raise TypeError(f"labels is {labels!r}; give item ids, as in [{labels!r}], or a mapping.")
    # A filtered column of ids has an index that is not the default one, too.
    is_series = has_own_index(labels) and (known.codes(labels) < 0).any()
    if isinstance(labels, Mapping) or is_series:
        return {id: str(text) for id, text in labels.items()}
    return {id: str(id) for id in labels}


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
    frame = ax.get_window_extent().get_points()
    taken = np.empty((0, 2, 2))
    labels = []
    for code, text in enumerate(texts):
        boxes = _boxes(ax, text, on_paper[code])
        others = np.delete(on_paper, code, axis=0)
        clashes = _n_overlaps(boxes, taken) + _n_overlaps(boxes, np.stack((others, others), axis=1))
        is_inside = (boxes[:, 0] >= frame[0]).all(axis=1) & (boxes[:, 1] <= frame[1]).all(axis=1)
        # Outside of the axes a label covers what is beside them, or is cut off.
        best = int(np.argmin(clashes + np.where(is_inside, 0, 100)))
        labels.append(_label(ax, text, points[code], _OFFSETS[best]))
        taken = np.append(taken, boxes[[best]], axis=0)
    return labels


def _boxes(ax: Axes, text: str, point: np.ndarray) -> np.ndarray:
    """Lower left and upper right of a label in each place, on paper: ``(n_places, 2, 2)``."""
    probe = ax.text(0, 0, text, fontsize="small", parse_math=False)
    size = probe.get_window_extent().size
    probe.remove()
    corners = point + _OFFSETS * ax.figure.dpi / 72 + size * (np.sign(_OFFSETS) - 1) / 2
    return np.stack((corners, corners + size), axis=1)


def _n_overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How many of the others each box overlaps."""
    begins_before = (boxes[:, None, 0] <= others[:, 1]).all(axis=-1)
    ends_after = (boxes[:, None, 1] >= others[:, 0]).all(axis=-1)
    counts: np.ndarray = (begins_before & ends_after).sum(axis=1)
    return counts


def _label(ax: Axes, text: str, point: np.ndarray, offset: np.ndarray) -> Annotation:
    """Write a label; one that had to go far from its point is joined to it by a line."""
    horizontal: Any = ["center", "left", "right"][np.sign(offset[0])]
    vertical: Any = ["center", "bottom", "top"][np.sign(offset[1])]
    line = {"arrowstyle": "-", "color": "0.5", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0}
    is_near = np.abs(offset).max() == _DISTANCES[0]
    return ax.annotate(
        text,
        tuple(point),
        xytext=tuple(offset),
        textcoords="offset points",
        ha=horizontal,
        va=vertical,
        fontsize="small",
        parse_math=False,
        arrowprops=None if is_near else line,
    )
