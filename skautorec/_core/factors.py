"""The inference model: four arrays, one inner product.

A score is ``row_factors[i] . column_factors[j] + row_bias[i] + column_bias[j]``. Pairs, blocks and
top-N lists read these arrays and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse
import torch

from .sparse import sampled_dots

__all__ = ["Factors", "Rows"]

# Elements of the largest temporary: 64 MB in float64.
_CHUNK = 2**23


@dataclass(frozen=True)
class Rows:
    """Factors and biases of some rows: ``(n, k)`` and ``(n,)``, float64."""

    factors: np.ndarray
    bias: np.ndarray

    def __len__(self) -> int:
        return len(self.bias)

    def __getitem__(self, key: slice | np.ndarray) -> Rows:
        return Rows(self.factors[key], self.bias[key])

    def append(self, other: Rows) -> Rows:
        """These rows, then the other's."""
        return Rows(np.vstack((self.factors, other.factors)), np.append(self.bias, other.bias))


@dataclass(frozen=True)
class Factors:
    """Rows and columns of a low-rank score matrix."""

    rows: Rows
    columns: Rows

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Scores of pairs: shape (n_pairs,)."""
        scores = self.rows.bias[rows] + self.columns.bias[columns]
        if len(scores) < len(self.rows) + len(self.columns):
            left, right = self.rows.factors[rows], self.columns.factors[columns]
            scores += np.einsum("ij,ij->i", left, right)
            return scores
        if len(scores) > len(self.rows) * len(self.columns):
            every: np.ndarray = self.block()[rows, columns]
            return every
        order = np.argsort(rows, kind="stable")
        ends = np.cumsum(np.bincount(rows, minlength=len(self.rows)))
        indptr = torch.from_numpy(np.append(0, ends))
        indices = torch.from_numpy(columns[order].astype(np.int64))
        left, right = torch.from_numpy(self.rows.factors), torch.from_numpy(self.columns.factors)
        scores[order] += sampled_dots(indptr, indices, left, right).numpy()
        return scores

    def block(self, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Scores of some rows against every column: shape (n, n_columns)."""
        part = self.rows[rows]
        scores = part.factors @ self.columns.factors.T
        scores += part.bias[:, None]
        scores += self.columns.bias
        return scores

    def top(
        self, n: int, hidden: scipy.sparse.csr_array | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Best columns of every row, best first; equal scores in the order of the columns.

        Scores are rounded to float32, so that the last bits of a matrix product, which depend on
        how many rows it has, decide no order.

        Parameters
        ----------
        n : int
            Length of the lists.
        hidden : csr_array of shape (n_rows, n_columns) or None
            Cells that must not be listed.

        Returns
        -------
        columns : ndarray of shape (n_rows, min(n, n_columns))
        scores : ndarray of the same shape
            NaN where a row has fewer columns to list.
        """
        n_rows, n_columns = len(self.rows), len(self.columns)
        n = min(n, n_columns)
        best = np.zeros((n_rows, n), dtype=np.int64)
        scores = np.full((n_rows, n), np.nan)
        for part in _slices(n_rows, max(1, _CHUNK // max(1, n_columns))):
            block = self.block(part).astype(np.float32)
            if hidden is not None:
                cells = hidden[part].tocoo()
                block[cells.coords] = -np.inf
            best[part] = _best(block, n)
            scores[part] = np.take_along_axis(block, best[part], axis=1)
        scores[np.isneginf(scores)] = np.nan
        return best, scores


def _slices(n: int, size: int) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))


def _best(scores: np.ndarray, n: int) -> np.ndarray:
    """Columns of the ``n`` largest entries of each row; ties in the order of the columns."""
    n_columns = scores.shape[1]
    if n == 0:
        return np.zeros((len(scores), 0), dtype=np.int64)
    best = np.argpartition(scores, n_columns - n, axis=1)[:, n_columns - n :]
    best.sort(axis=1)
    chosen = np.take_along_axis(scores, best, axis=1)
    # argpartition takes any of the columns that tie for the last place; take the first ones.
    last = chosen.min(axis=1, keepdims=True)
    for row in np.flatnonzero((scores >= last).sum(axis=1) > n):
        best[row] = np.sort(np.lexsort((np.arange(n_columns), -scores[row]))[:n])
        chosen[row] = scores[row, best[row]]
    order = np.argsort(-chosen, axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1)
