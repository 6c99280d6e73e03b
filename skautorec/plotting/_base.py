"""What all displays share: axes, held-out predictions, and checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from .._base import RatingRegressor, fitted_of
from .._data.inputs import read_heldout, refuse_overlap, weights_of
from .._data.ratings import Ratings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Display",
    "check_columns",
    "check_estimator",
    "check_weighted",
    "merge_kwargs",
    "predict_heldout",
]


class Display:
    """Axes to draw on, found or made."""

    ax_: Axes
    figure_: Figure

    def _open(self, ax: Axes | None) -> Axes:
        if isinstance(ax, np.ndarray):
            raise TypeError(f"ax is an array of shape {ax.shape}; give one of its Axes.")
        if ax is None:
            ax = _pyplot(type(self).__name__).subplots(layout="constrained")[1]
        self.ax_ = ax
        self.figure_ = ax.figure  # type: ignore[assignment]
        return ax


def check_estimator(estimator: Any, method: str = "predict") -> None:
    """Refuse what is no fitted estimator of ratings, or lacks what a display is of."""
    if not isinstance(estimator, RatingRegressor):
        raise TypeError(
            f"An AutoRecRegressor is needed, got {type(estimator).__name__}. Of a search give "
            "best_estimator_, of a pipeline its last step."
        )
    if not hasattr(estimator, method):
        raise TypeError(f"{type(estimator).__name__} trains no network; give an AutoRecRegressor.")
    check_is_fitted(estimator)


def predict_heldout(
    estimator: RatingRegressor, X: Any, y: Any, return_std: bool = False
) -> tuple[np.ndarray, Any, np.ndarray, np.ndarray | None]:
    """Held-out ratings, what is predicted for them, how many of each one's user are known, weights.

    Only `Ratings` have weights, and not all have.
    """
    fitted = fitted_of(estimator)
    if isinstance(X, Ratings):
        if y is None:
            X.check_values()
        # Unknown users have code -1, which finds the 0 at the end.
        counts = np.append(np.diff(fitted.seen.indptr), 0)
        n_known = counts[fitted.user_ids.translate(X._users)[X.users]]
        predicted = estimator.predict(X, return_std=return_std)
        return X.values if y is None else y, predicted, n_known, weights_of(X, None)
    if y is None:
        raise ValueError(
            "With a matrix give y too, the held-out ratings of its users; those in X are what they "
            "are predicted from."
        )
    context, labels = fitted.read_rows(estimator, X)
    cells = read_heldout(y, context.shape[0], fitted.targets.ids)
    if not fitted.has_targets:
        refuse_overlap(context, cells)
    n_known = np.repeat(np.diff(context.indptr), np.diff(cells.indptr))
    query = fitted.query(context, labels)
    users = fitted.fold_in(query)
    predicted = fitted.predict_cells(users, cells)
    if not return_std:
        return cells.data, predicted, n_known, None
    rows, items = cells.tocoo().coords
    std = fitted.deviations(users, query, rows, items)
    return cells.data, (predicted, std), n_known, None


def merge_kwargs(usual: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What is usual for a line, save what the user gave, by any of Matplotlib's names."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return usual | normalize_kwargs(given, Line2D)


def check_columns(*columns: Any) -> list[np.ndarray]:
    arrays = [column_or_1d(column, dtype=np.float64) for column in columns]
    check_consistent_length(*arrays)
    n_wrong = sum(int((~np.isfinite(array)).sum()) for array in arrays)
    if not len(arrays[0]) or n_wrong:
        raise ValueError(
            f"There are {len(arrays[0])} ratings to draw, with {n_wrong} numbers that are NaN or "
            "infinite; give at least one rating, and leave out those without a number."
        )
    return arrays


def check_weighted(sample_weight: Any, *columns: Any) -> tuple[list[np.ndarray], np.ndarray]:
    """Columns and weights of what counts: where no weights are given, each counts 1."""
    weights = np.ones(len(columns[0])) if sample_weight is None else sample_weight
    *arrays, weights = check_columns(*columns, weights)
    if (weights < 0).any() or not weights.any():
        raise ValueError(
            f"sample_weight has {(weights < 0).sum()} negative numbers of {len(weights)}, and "
            f"{(weights > 0).sum()} above 0; give numbers from 0 on, at least one above it."
        )
    return [array[weights > 0] for array in arrays], weights[weights > 0]


def _pyplot(who: str) -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f'{who} needs matplotlib to draw: pip install "skautorec[plot]".'
        ) from error
    return plt
