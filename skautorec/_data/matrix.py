"""Rating matrices of any kind, read by one function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.utils import check_array

from .._core.matrix import select
from .._core.messages import see, warn
from . import frames
from .ids import Ids, as_id_array
from .values import is_missing, to_float64, without_mask

__all__ = ["Matrix", "observed_csr", "observed_from_dense", "read_matrix"]

# A dense matrix of as many rows may be a table of as many ratings.
_N_TABLE = 30
# Numbers that stand for no rating, where nobody names any.
_NONE = np.empty(0)


@dataclass(frozen=True)
class Matrix:
    """A rating matrix that was read.

    Attributes
    ----------
    observed : csr_array of shape (n_users, n_items)
        See `read_matrix`.
    index : sequence or None
        What a frame calls its rows, None where it has no names for them.
    columns : list or None
        What a frame calls its columns.
    """

    observed: scipy.sparse.csr_array
    index: Any = None
    columns: list[Any] | None = None

    @property
    def users(self) -> Ids:
        """Ids of the rows: the index of a frame, else 0 to n-1."""
        n_users: int = self.observed.shape[0]
        return Ids.range(n_users) if self.index is None else Ids(as_id_array(self.index))

    @property
    def items(self) -> Ids:
        """Ids of the columns: those of a frame, else 0 to n-1."""
        n_items: int = self.observed.shape[1]
        return Ids.range(n_items) if self.columns is None else Ids(as_id_array(self.columns))


def read_matrix(X: Any, name: str = "X", missing: np.ndarray = _NONE) -> Matrix:
    """Read a matrix of users x items; everything that takes one reads it by this.

    What it returns is sure to be

    - float64, in compressed rows, of two dimensions, with at least one row and one column;
    - a stored cell for each rating, a rating of 0 among them, and nothing else: the stored cells of
      a sparse matrix (but not zeros of DIA and BSR, which pad with them) or of sparse columns of a
      frame, the cells of anything dense that are not NaN, None, NA or masked;
    - finite, each cell once, sorted in each row, with indices of int32 where these are enough;
    - real numbers as they were given: text is never parsed, and complex numbers are refused;
    - not the caller's memory.

    It may be empty. A frame with a row per rating, columns with one name and columns that differ in
    what is unobserved are refused; a dense matrix full of zeros, and an array that looks like a
    table, are warned of.

    Parameters
    ----------
    X : {sparse matrix, array-like, DataFrame} of shape (n_users, n_items)
    name : str
        What a message calls it.
    missing : ndarray
        Numbers that stand for no rating: cells that hold one are unobserved.

    Returns
    -------
    Matrix

    Raises
    ------
    ValueError
        A shape, a cell or a column that is no rating matrix's.
    TypeError
        Cells that are not real numbers.
    """
    if scipy.sparse.issparse(X):
        _refuse_bad_type(X)
        return Matrix(_with_cells(observed_csr(X, missing)))
    if frames.is_frame(X):
        frames.refuse_long_table(X)
        columns, index = frames.column_names(X), getattr(X, "index", None)
        stored = frames.sparse_values(X)
        if stored is not None:
            return Matrix(_with_cells(observed_csr(stored, missing)), index, columns)
        dense = _checked(frames.dense_values(X), name, missing, columns)
        return Matrix(observed_from_dense(dense), index, columns)
    dense = _checked(X, name, missing)
    _warn_of_long_table(dense)
    return Matrix(observed_from_dense(dense))


def _checked(
    X: Any, name: str, missing: np.ndarray, columns: list[Any] | None = None
) -> np.ndarray:
    """Two-dimensional numbers, NaN where unobserved."""
    array = check_array(without_mask(X), dtype=None, ensure_all_finite=False, input_name=name)
    if array.dtype.kind in "US":
        # As it was given, to tell a stray text from numbers that became text beside it.
        array = np.array(X, dtype=object)
    dense = to_float64(array, name, columns)
    if len(missing):
        dense = np.where(is_missing(dense, missing), np.nan, dense)
    if not np.isnan(dense).any() and np.count_nonzero(dense) < dense.size / 2:
        warn(
            "More than half of this dense matrix is exactly 0 and none of it is NaN: every 0 is "
            "read as a rating. If 0 means unobserved, give a scipy sparse matrix or NaN there, or "
            "read it by Ratings.from_matrix(..., missing_values=0). " + see("data.html#a-matrix"),
        )
    return dense


def _with_cells(observed: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Refuse a shape without rows or columns, in scikit-learn's words."""
    check_array(observed, accept_sparse="csr", ensure_all_finite=False)
    return observed


def _refuse_bad_type(X: Any) -> None:
    if X.dtype.kind not in "biuf":
        # The message that scikit-learn's users know for complex numbers.
        check_array(X, accept_sparse=True)


def observed_csr(R: Any, missing: np.ndarray = _NONE) -> scipy.sparse.csr_array:
    """Read the stored cells of a sparse matrix.

    Parameters
    ----------
    R : sparse array or matrix of shape (n_rows, n_columns)
        Of any format. Every stored cell is observed, an explicit zero too; only DIA and BSR pad
        with zeros, so their zeros are dropped.
    missing : ndarray
        Numbers that stand for no rating: cells that hold one are dropped too.

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
    if len(missing):
        observed = select(observed, ~is_missing(observed.data, missing))
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


def _warn_of_long_table(checked: np.ndarray) -> None:
    """Warn where a dense array looks like a table of user, item, rating and perhaps time."""
    if checked.shape[1] not in (3, 4) or len(checked) < _N_TABLE:
        return
    users, items, ratings = checked.T[:3]
    if not (np.mod(checked[:, :2], 1) == 0).all():
        return
    n_users, n_items, n_values = (len(np.unique(column)) for column in (users, items, ratings))
    is_distinct = len(np.unique(checked[:, :2], axis=0)) == len(checked)
    if is_distinct and 2 * n_values <= min(n_users, n_items):
        warn(
            f"This array of shape {checked.shape} looks like a table with a row per rating (user, "
            "item, rating), and is read as a matrix with a row per user and a column per item. For "
            "a table use Ratings.from_frame, or Ratings(users, items, values) with codes. "
            + see("data.html"),
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
