"""Numbers in arrays of any kind."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from .ids import plain

__all__ = ["is_missing", "read_missing_values", "to_float64", "without_mask"]

_NoneType = type(None)


def to_float64(values: Any, name: str, columns: Sequence[Any] | None = None) -> np.ndarray:
    """Read real numbers, bools included; a missing one becomes NaN and text is never parsed.

    Parameters
    ----------
    values : array-like
    name : str
        What a message calls them.
    columns : sequence or None
        Names of the columns of a matrix, for messages.

    Raises
    ------
    TypeError
        The values are not real numbers.
    """
    array = np.asarray(without_mask(values))
    if array.dtype.kind not in "biufO":
        raise _not_numbers(name, f"dtype {array.dtype}", array)
    # Of these numpy makes numbers, and NaN of None, in a fraction of the time.
    is_plain = array.dtype != object or set(map(type, array.flat)) <= {float, int, bool, _NoneType}
    if is_plain:
        return array.astype(np.float64, copy=False)
    numbers_in = np.empty(array.shape)
    for i, value in enumerate(array.flat):
        number = _float(value)
        if number is None:
            raise _not_numbers(name, _described(value) + _place(i, array, columns), array)
        numbers_in.flat[i] = number
    return numbers_in


def read_missing_values(given: Any) -> np.ndarray:
    """Numbers that stand for no rating, NaN perhaps among them: one, a list of them, or None.

    Raises
    ------
    TypeError
        Anything else.
    """
    if given is None:
        return np.empty(0)
    is_list = isinstance(given, list | tuple | set | frozenset | np.ndarray)
    marks = list(given) if is_list and np.ndim(given) else [given]
    if not all(isinstance(mark, numbers.Real) and not isinstance(mark, bool) for mark in marks):
        raise TypeError(
            f"missing_values is {given!r}; give the number that stands for no rating, or a list of "
            "such numbers, as in missing_values=99 or missing_values=[-1, 99]."
        )
    return np.array(marks, dtype=np.float64)


def is_missing(values: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Which values are one of the numbers that stand for no rating."""
    found = np.isin(values, marks)
    return found | np.isnan(values) if np.isnan(marks).any() else found


def without_mask(values: Any) -> Any:
    """Return masked numbers as NaN; what has none as it is."""
    if not isinstance(values, np.ma.MaskedArray) or not np.ma.is_masked(values):
        return values
    if values.dtype.kind == "O":
        objects = values.data.copy()
        objects[values.mask] = None
        return objects
    if values.dtype.kind in "biuf":
        return np.ma.filled(values.astype(np.float64), np.nan)
    return values


def _float(value: Any) -> float | None:
    """A real number, NaN for a missing one, None for anything else."""
    if value is None or type(value).__name__ == "NAType":
        return np.nan
    return float(value) if isinstance(value, numbers.Real | Decimal | np.bool_) else None


def _described(value: Any) -> str:
    """What a value is, and in Python's words why it is no number."""
    reason = ""
    if not isinstance(value, str | bytes):
        try:
            float(value)
        except (TypeError, ValueError) as error:
            reason = f": {error},"
    return f"{plain(value)!r} ({type(value).__name__}){reason}"


def _place(i: int, array: np.ndarray, columns: Sequence[Any] | None) -> str:
    """Where an element, counted row by row, stands in a matrix; of a vector at which position."""
    if array.ndim != 2:
        return f" at position {i}"
    row, column = divmod(i, array.shape[1])
    return f" in row {row}, column {column if columns is None else repr(plain(columns[column]))}"


def _not_numbers(name: str, given: str, array: np.ndarray) -> TypeError:
    advice = "Convert to numbers first, for instance with pandas.to_numeric."
    if array.ndim == 2:
        advice = (
            "Every column of a matrix holds the ratings of an item: the ids of users belong in the "
            "index of a pandas frame, as after set_index. " + advice
        )
    return TypeError(f"Ratings are real numbers; {name} holds {given}. {advice}")
