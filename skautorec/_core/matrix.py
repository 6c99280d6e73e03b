"""Ratings of users x items in compressed rows, and small operations on their stored cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse

__all__ = [
    "ReadTable",
    "Table",
    "columns_as_rows",
    "effective_weights",
    "rows_of_cells",
    "rows_or_none",
    "select",
    "transposed",
    "values_at",
    "with_values",
]

# Weights whose squares are not safe.
_SMALL = 1e-100


@dataclass(frozen=True)
class Table:
    """Ratings given and, where these are others, ratings to predict.

    Attributes
    ----------
    inputs : csr_array of shape (n_users, n_items)
        Stored cells are observed.
    y : csr_array of shape (n_users, n_targets) or None
        Further columns, to be predicted; None where those of the inputs are.
    weights : ndarray of shape (inputs.nnz,) or None
        How much each rating counts, above 0; None where all count 1, as they do where there is
        ``y``.
    """

    inputs: scipy.sparse.csr_array
    y: scipy.sparse.csr_array | None
    weights: np.ndarray | None = None

    @property
    def targets(self) -> scipy.sparse.csr_array:
        """The columns to be predicted."""
        return self.inputs if self.y is None else self.y

    @property
    def joined(self) -> scipy.sparse.csr_array:
        """All columns, those to be predicted last."""
        if self.y is None:
            return self.inputs
        return scipy.sparse.hstack((self.inputs, self.y), format="csr")

    @property
    def by_column(self) -> Table:
        """All columns as rows, those to be predicted last."""
        return Table(self.joined.T.tocsr(), None, self._in_order(lambda cells: cells.T.tocsr()))

    def only(self, cells: np.ndarray) -> Table:
        """Leave the cells of a table without ``y`` that a mask over them chooses."""
        weights = None if self.weights is None else self.weights[cells]
        return Table(select(self.inputs, cells), None, weights)

    def rows_or_none(self, rows: np.ndarray) -> Table:
        """Rows by their numbers, and an empty one for each -1."""
        y = None if self.y is None else rows_or_none(self.y, rows)
        weights = self._in_order(lambda cells: rows_or_none(cells, rows))
        return Table(rows_or_none(self.inputs, rows), y, weights)

    def weights_of(self, rows: np.ndarray) -> np.ndarray | None:
        """Weights of the ratings of some rows, in their order."""
        return self._in_order(lambda cells: cells[rows])

    def _in_order(
        self, change: Callable[[scipy.sparse.csr_array], scipy.sparse.csr_array]
    ) -> np.ndarray | None:
        """Weights of the cells that a change of the matrix leaves."""
        if self.weights is None:
            return None
        weights: np.ndarray = change(with_values(self.inputs, self.weights)).data
        return weights


# Reads the training ratings anew, so that networks train without them in memory.
ReadTable = Callable[[], Table]


def select(ratings: scipy.sparse.csr_array, chosen: np.ndarray) -> scipy.sparse.csr_array:
    """Return the stored cells of a matrix that a mask over them chooses."""
    ends = np.append(0, np.cumsum(chosen))[ratings.indptr].astype(ratings.indptr.dtype)
    return scipy.sparse.csr_array(
        (ratings.data[chosen], ratings.indices[chosen], ends), shape=ratings.shape
    )


def effective_weights(weights: np.ndarray | None, n: int) -> np.ndarray:
    """Share of a rating that each of ``n`` is, where it matters how many there are.

    They sum up to Kish's effective number: as many as there are where all weights are equal, and
    less by those that hardly weigh.
    """
    if weights is None or not n:
        return np.ones(n)
    largest = weights.max()
    if largest < _SMALL:
        weights = weights / largest  # or their squares may be zero
    shares: np.ndarray = weights * (weights.sum() / np.square(weights).sum())
    return shares


def rows_or_none(ratings: scipy.sparse.csr_array, rows: np.ndarray) -> scipy.sparse.csr_array:
    """Return rows of a matrix by their numbers, and an empty one for each -1."""
    if not ratings.shape[0]:
        return scipy.sparse.csr_array((len(rows), ratings.shape[1]))
    taken = ratings[np.maximum(rows, 0)]
    return select(taken, np.repeat(rows >= 0, np.diff(taken.indptr)))


def with_values(cells: scipy.sparse.csr_array, values: np.ndarray) -> scipy.sparse.csr_array:
    """Return the same stored cells with other values."""
    return scipy.sparse.csr_array((values, cells.indices, cells.indptr), shape=cells.shape)


def rows_of_cells(cells: scipy.sparse.csr_array) -> np.ndarray:
    """Row of each stored cell."""
    return np.repeat(np.arange(cells.shape[0], dtype=np.int32), np.diff(cells.indptr))


def transposed(cells: scipy.sparse.csr_array) -> tuple[scipy.sparse.csr_array, np.ndarray]:
    """Transpose of a matrix, with the positions of its cells in the matrix as values; and these."""
    positions = with_values(cells, np.arange(cells.nnz)).T.tocsr()
    return positions, positions.data


def columns_as_rows(
    cells: scipy.sparse.csr_array, columns: np.ndarray
) -> tuple[scipy.sparse.csr_array, np.ndarray]:
    """Some columns of a matrix, a row each, and the positions of their cells in the matrix."""
    place = np.full(cells.shape[1], -1)
    place[columns] = np.arange(len(columns))
    chosen = np.flatnonzero((place >= 0)[cells.indices])
    rows = place[cells.indices[chosen]]
    positions = chosen[np.argsort(rows, kind="stable")]
    of_cells = np.searchsorted(cells.indptr, positions, side="right") - 1
    ends = np.append(0, np.cumsum(np.bincount(rows, minlength=len(columns))))
    shape = len(columns), cells.shape[0]
    return scipy.sparse.csr_array((cells.data[positions], of_cells, ends), shape=shape), positions


def values_at(
    cells: scipy.sparse.csr_array, table: scipy.sparse.csr_array, rows: np.ndarray
) -> np.ndarray:
    """Values of another matrix at the stored cells of a matrix, NaN where it stores none.

    Parameters
    ----------
    cells : csr_array of shape (n, n_columns)
    table : csr_array with as many columns or more
        With sorted indices.
    rows : ndarray of int of shape (n,)
        Row of ``table`` that belongs to each row, -1 for none.

    Returns
    -------
    ndarray of float64 of shape (cells.nnz,)
    """
    found = np.full(cells.nnz, np.nan)
    known = np.flatnonzero((rows >= 0) & (np.diff(cells.indptr) > 0))
    theirs = table[rows[known]]
    if not theirs.nnz:
        return found
    numbers = np.full(len(rows), -1)
    numbers[known] = np.arange(len(known))
    of_cells = numbers[rows_of_cells(cells)]
    is_known = np.flatnonzero(of_cells >= 0)
    width = max(cells.shape[1], table.shape[1])
    stored = rows_of_cells(theirs).astype(np.int64) * width + theirs.indices
    keys = of_cells[is_known].astype(np.int64) * width + cells.indices[is_known]
    where = np.minimum(np.searchsorted(stored, keys), len(stored) - 1)
    same = stored[where] == keys
    found[is_known[same]] = theirs.data[where[same]]
    return found
