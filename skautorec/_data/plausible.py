"""Numbers in a matrix that are likely to be no ratings: ids, ages, sums and slips of a finger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse

from .._core.matrix import rows_of_cells
from .._core.messages import see, warn
from .ids import plain

__all__ = ["warn_of_implicit_feedback", "warn_of_other_numbers", "warn_of_other_value"]

# How many times the range of the others a column, or a cell, is beyond it.
_FAR = 3.0
# Share of the users that a column of ids, ages or sums has numbers for.
_FULL = 0.9
# Fewer rows, columns or cells say nothing of what is usual.
_LEAST_ROWS, _LEAST_COLUMNS, _LEAST_CELLS = 10, 4, 20
# How many times their median whole numbers reach that are counts rather than ratings.
_LONG_TAIL = 20


def warn_of_other_numbers(observed: scipy.sparse.csr_array, names: Sequence[Any] | None) -> bool:
    """Warn of columns, or of one cell, on another scale than the rest; return whether it does.

    Parameters
    ----------
    observed : csr_array of shape (n_users, n_items)
    names : sequence of length n_items, or None
        Of the columns; None for 0 to n_items - 1.
    """
    names = range(observed.shape[1]) if names is None else names
    # Numbers this large are far from nothing.
    with np.errstate(over="ignore", invalid="ignore"):
        columns = _other_columns(observed)
    if len(columns):
        shown = ", ".join(repr(plain(names[column])) for column in columns[:5])
        of = observed.data[observed.indices == columns[0]]
        warn(
            f"Column {shown} holds numbers such as {of[0]:g} and {of[-1]:g}, which look like no "
            "ratings beside those of the other columns, and is read as an item. If it holds ids of "
            "users, make it the index: pandas.read_csv(..., index_col=0) or frame.set_index(...); "
            "leave out what else is no rating. " + see("data.html#a-matrix")
        )
        return True

    def place(cell: int) -> str:
        name = plain(names[observed.indices[cell]])
        return f"in row {rows_of_cells(observed)[cell]}, column {name!r}"

    return warn_of_other_value(observed.data, place)


def warn_of_other_value(values: np.ndarray, place: Callable[[int], str]) -> bool:
    """Warn of one rating far from all others; return whether it does.

    Parameters
    ----------
    values : ndarray of shape (n_ratings,)
    place : callable
        Says where a rating stands, by its position.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        position = _other_value(values)
    if position is not None:
        warn(
            f"The rating {values[position]:g} {place(position)} is far from all others. If it is a "
            "mistake, mend it; if it stands for no rating, say so with missing_values="
            f"{values[position]:g} in Ratings.from_frame or Ratings.from_matrix. "
            "rating_range=(lowest, highest) refuses what is outside. " + see("data.html")
        )
    return position is not None


def warn_of_implicit_feedback(values: np.ndarray) -> None:
    """Warn of ratings that all are one number, as clicks are, and of counts with a long tail."""
    if len(values) < _LEAST_CELLS:
        return
    low, high = values.min(), values.max()
    if low == high:
        warn(
            f"All {len(values)} ratings are {low:g}, which says nothing of what anybody likes, so "
            "predictions are all the same and lists are in no order. skautorec is for explicit "
            "ratings; for clicks, views and purchases use a library for implicit feedback. "
            + see("data.html")
        )
    elif low >= 0 and high > _LONG_TAIL * max(np.median(values), 1) and (values % 1 == 0).all():
        warn(
            f"Half of the ratings are at most {np.median(values):g} and the highest is {high:g}, "
            "as in counts of plays or purchases, where a few decide everything. Give their "
            "logarithms, numpy.log1p(counts), or use a library for implicit feedback. If "
            f"{high:g} stands for no rating, say so with missing_values={high:g} in "
            "Ratings.from_frame or Ratings.from_matrix. " + see("data.html")
        )


def _other_columns(observed: scipy.sparse.csr_array) -> np.ndarray:
    """Columns with a number for nearly everybody, on another scale or counting the rows."""
    n_rows, n_columns = observed.shape
    counts = np.bincount(observed.indices, minlength=n_columns)
    full = np.flatnonzero(counts >= _FULL * n_rows)
    if n_rows < _LEAST_ROWS or n_columns < _LEAST_COLUMNS or not len(full):
        return full[:0]
    low, high = np.full(n_columns, np.inf), np.full(n_columns, -np.inf)
    np.minimum.at(low, observed.indices, observed.data)
    np.maximum.at(high, observed.indices, observed.data)
    usual_low, usual_high = np.median(low[counts > 0]), np.median(high[counts > 0])
    far = _FAR * (usual_high - usual_low)
    means = np.bincount(observed.indices, observed.data, n_columns)[full] / counts[full]
    is_other = (means > usual_high + far) | (means < usual_low - far)
    if full[0] == 0 and counts[0] == n_rows:
        is_other[0] |= bool((np.diff(observed.data[observed.indices == 0]) == 1).all())
    # Where many are, the columns have no scale in common.
    return full[is_other] if is_other.sum() <= max(1, n_columns // 4) else full[:0]


def _other_value(values: np.ndarray) -> int | None:
    """Position of the one number that is far from all others."""
    if len(values) < _LEAST_CELLS:
        return None
    lowest, low, *_, high, highest = np.partition(values, (0, 1, -2, -1))[[0, 1, -2, -1]]
    if highest - high > _FAR * (high - lowest) > 0:
        return int(values.argmax())
    if low - lowest > _FAR * (highest - low) > 0:
        return int(values.argmin())
    return None
