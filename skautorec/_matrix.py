"""Observed cells of rating matrices, whatever the matrix is made of."""

from __future__ import annotations

import numbers
from decimal import Decimal
from typing import Any

import numpy as np
import scipy.sparse

__all__ = ["observed_csr", "observed_from_dense", "place", "to_float64", "without_mask"]


def observed_csr(R: Any) -> scipy.sparse.csr_array:
    """Read the stored cells of a sparse matrix.

    Parameters
    ----------
    R : sparse array or matrix of shape (n_rows, n_columns)
        Of any format. Every stored cell is observed, an explicit zero too; only DIA and BSR pad
        with zeros, so their zeros are dropped.

    Returns
    -------
    observed : csr_array of shape (n_rows, n_columns)
        float64, indices sorted, int32 where that is enough; shares no memory with ``R``.

    Raises
    ------
    ValueError
        A cell is stored more than once, a value is NaN or infinite, or ``R`` is not
        two-dimensional.
    TypeError
        ``R`` is not sparse, or its values are not real numbers.
    """
    is_sparse: bool = scipy.sparse.issparse(R)
    if not is_sparse:
        raise TypeError(f"A scipy sparse matrix is needed, got {type(R).__name__}.")
    if R.ndim != 2:
        raise ValueError(
            f"A rating matrix has two dimensions, users x items; got one of shape {R.shape}."
        )
    observed = _copied_csr(R) if R.format == "csr" else None
    if observed is None:
        observed = _from_cells(R)
    _refuse_not_finite(observed)
    return observed


def observed_from_dense(A: Any) -> scipy.sparse.csr_array:
    """Read the cells of a dense matrix that are not NaN.

    Parameters
    ----------
    A : array-like of shape (n_rows, n_columns)
        Real numbers; NaN where unobserved.

    Returns
    -------
    observed : csr_array of shape (n_rows, n_columns)
        float64; zeros are kept.

    Raises
    ------
    ValueError
        A value is infinite, or ``A`` is not two-dimensional.
    TypeError
        Values are not real numbers.
    """
    dense = to_float64(A, "the matrix")
    if dense.ndim != 2:
        raise ValueError(
            f"A rating matrix has two dimensions, users x items; got one of shape {dense.shape}."
        )
    is_observed = ~np.isnan(dense)
    columns = np.nonzero(is_observed)[1]
    offsets = np.concatenate(([0], np.cumsum(is_observed.sum(axis=1))))
    observed = _csr(dense[is_observed], columns, offsets, dense.shape)
    _refuse_not_finite(observed)
    return observed


def to_float64(values: Any, name: str) -> np.ndarray:
    """Read real numbers, bools included; a missing one becomes NaN and text is never parsed.

    Raises
    ------
    TypeError
        The values are not real numbers.
    """
    array = np.asarray(without_mask(values))
    if array.dtype.kind == "O":
        return np.array(
            [_float(value, name, array, i) for i, value in enumerate(array.flat)], float
        ).reshape(array.shape)
    if array.dtype.kind not in "biuf":
        raise _not_numbers(name, f"dtype {array.dtype}")
    return array.astype(np.float64, copy=False)


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


def place(i: int, array: np.ndarray) -> str:
    """Say where an element, counted row by row, stands in a matrix; nothing of a vector."""
    if array.ndim != 2:
        return ""
    row, column = divmod(i, array.shape[1])
    return f" in row {row}, column {column}"


def _float(value: Any, name: str, array: np.ndarray, i: int) -> float:
    if value is None or type(value).__name__ == "NAType":
        return np.nan
    if not isinstance(value, numbers.Real | Decimal | np.bool_):
        raise _not_numbers(name, f"{value!r} ({type(value).__name__}){place(i, array)}")
    return float(value)


def _not_numbers(name: str, given: str) -> TypeError:
    return TypeError(
        f"Ratings are real numbers; {name} holds {given}. Convert to numbers first, for instance "
        "with pandas.to_numeric."
    )


def _csr(
    values: np.ndarray, columns: np.ndarray, offsets: np.ndarray, shape: tuple[int, int]
) -> scipy.sparse.csr_array:
    largest = max(len(values), *shape)
    index = np.int32 if largest <= np.iinfo(np.int32).max else np.int64
    parts = (values, columns.astype(index), offsets.astype(index))
    return scipy.sparse.csr_array(parts, shape=shape)


def _copied_csr(R: Any) -> scipy.sparse.csr_array | None:
    """Copy of a CSR matrix, None if its cells are not sorted and distinct."""
    n_stored = R.indptr[-1]
    values = to_float64(R.data[:n_stored], "the matrix").copy()
    copied = _csr(values, R.indices[:n_stored], R.indptr, R.shape)
    # Computed afresh: the flag that R carries may be older than its indices.
    return copied if copied.has_canonical_format else None


def _from_cells(R: Any) -> scipy.sparse.csr_array:
    cells = R.tocoo()
    rows, columns = cells.coords if hasattr(cells, "coords") else (cells.row, cells.col)
    values = to_float64(cells.data, "the matrix")
    if R.format in ("dia", "bsr"):
        is_rating = values != 0
        rows, columns, values = rows[is_rating], columns[is_rating], values[is_rating]
    observed = scipy.sparse.coo_array((values, (rows, columns)), shape=R.shape).tocsr()
    if observed.nnz < len(values):
        # tocsr has summed cells that were stored more than once.
        _raise_repeated(rows, columns, len(values) - observed.nnz)
    observed.sort_indices()
    return _csr(observed.data, observed.indices, observed.indptr, observed.shape)


def _raise_repeated(rows: np.ndarray, columns: np.ndarray, n_repeated: int) -> None:
    order = np.lexsort((columns, rows))
    rows, columns = rows[order], columns[order]
    first = np.flatnonzero((rows[1:] == rows[:-1]) & (columns[1:] == columns[:-1]))[0]
    raise ValueError(
        f"The cell in row {rows[first]}, column {columns[first]} is stored more than once "
        f"({n_repeated} stored values are repetitions). Sums of ratings mean nothing: keep one "
        'value per cell, or use Ratings.from_frame(..., duplicates="mean").'
    )


def _refuse_not_finite(observed: scipy.sparse.csr_array) -> None:
    bad = np.flatnonzero(~np.isfinite(observed.data))
    if len(bad):
        row = np.searchsorted(observed.indptr, bad[0], side="right") - 1
        value = observed.data[bad[0]]
        what = "NaN" if np.isnan(value) else "infinite"
        raise ValueError(
            f"The rating in row {row}, column {observed.indices[bad[0]]} is {what}; {len(bad)} "
            f"of {observed.nnz} ratings are NaN or infinite. Ratings are finite numbers; a cell is "
            "unobserved when a sparse matrix does not store it or a dense one holds NaN there."
        )
