"""The inference model: four arrays, one inner product.

A score is ``row_factors[i] . column_factors[j] + row_bias[i] + column_bias[j]``. Pairs, blocks and
top-N lists read these arrays and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import torch

from .isolation import isolated
from .sparse import sampled_dots

__all__ = ["Embeddings", "Scores", "best_of", "shared_tensor", "slices"]

# Elements of the largest temporary: 64 MB in float64.
_CHUNK = 2**23
# Lists of at least so many rows are screened in single precision first, where at most one column in
# so many is kept; and so many more columns than asked for are kept there.
_SCREENED = 64
_SELECTIVE = 64
_SPARE = 16


@dataclass(frozen=True)
class Embeddings:
    """Factors and biases of users, of items or of codes: ``(n, k)`` and ``(n,)``, float64."""

    factors: np.ndarray
    bias: np.ndarray

    def __len__(self) -> int:
        return len(self.bias)

    def __getitem__(self, key: slice | np.ndarray) -> Embeddings:
        return Embeddings(self.factors[key], self.bias[key])

    def without_bias(self) -> Embeddings:
        """The same factors with biases of zero."""
        return Embeddings(self.factors, np.zeros(len(self)))


@dataclass(frozen=True)
class Scores:
    """Rows and columns of a low-rank score matrix."""

    rows: Embeddings
    columns: Embeddings

    @isolated
    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Scores of pairs: shape (n_pairs,)."""
        scores = self.rows.bias[rows] + self.columns.bias[columns]
        if len(scores) < len(self.rows) + len(self.columns):
            left, right = self.rows.factors[rows], self.columns.factors[columns]
            scores += np.einsum("ij,ij->i", left, right)
            return scores
        if len(scores) > len(self.rows) * len(self.columns):
            scores = self.block()[rows, columns]
            return scores
        order = np.argsort(rows, kind="stable")
        ends = np.cumsum(np.bincount(rows, minlength=len(self.rows)))
        indptr = torch.from_numpy(np.append(0, ends))
        indices = torch.from_numpy(columns[order].astype(np.int64))
        left, right = shared_tensor(self.rows.factors), shared_tensor(self.columns.factors)
        scores[order] += sampled_dots(indptr, indices, left, right).numpy()
        return scores

    @isolated
    def block(self, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Scores of some rows against every column: shape (n, n_columns)."""
        part = self.rows[rows]
        # torch, whose product for a single row is several times as fast as numpy's.
        product = shared_tensor(part.factors) @ shared_tensor(self.columns.factors).t()
        scores: np.ndarray = product.numpy()
        scores += part.bias[:, None]
        scores += self.columns.bias
        return scores

    @isolated
    def top(
        self, n: int, hidden: scipy.sparse.csr_array | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Best columns of every row, best first; equal scores in the order of the columns.

        Scores are compared in float32, so that the last bits of a matrix product, which depend on
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
        # What all columns share decides no order, and in single precision could hide it.
        level = float(np.mean(self.columns.bias)) if n_columns else 0.0
        columns = Embeddings(self.columns.factors, self.columns.bias - level)
        best = np.zeros((n_rows, n), dtype=np.int64)
        scores = np.full((n_rows, n), np.nan)
        is_screened = n_rows >= _SCREENED and _SELECTIVE * (n + _SPARE) <= n_columns
        find = (_Screen(columns) if is_screened else _Exact(columns)).lists
        for part in slices(n_rows, max(1, _CHUNK // max(1, n_columns))):
            cells = None if hidden is None else hidden[part]
            best[part], scores[part] = find(self.rows[part], n, cells)
        scores[np.isneginf(scores)] = np.nan
        return best, scores + level


class _Exact:
    """Lists of some rows, from their scores of every column."""

    def __init__(self, columns: Embeddings) -> None:
        self.columns = columns

    def lists(
        self, rows: Embeddings, n: int, hidden: scipy.sparse.csr_array | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Columns and scores; a score of minus infinity where there is nothing to list."""
        block = Scores(rows, self.columns).block().astype(np.float32)
        _hide(block, hidden)
        return best_of(block, n)


class _Screen:
    """Short lists in less time: a product in single precision finds who may be listed.

    Where rounding could have kept a column off a list, the list is made again without it.
    """

    def __init__(self, columns: Embeddings) -> None:
        self.columns = columns
        self.factors = shared_tensor(columns.factors).float()
        self.bias = shared_tensor(columns.bias).float()
        self.longest = float(torch.linalg.vector_norm(self.factors, dim=1).max())
        self.largest = float(self.bias.abs().max())

    def lists(
        self, rows: Embeddings, n: int, hidden: scipy.sparse.csr_array | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `_Exact.lists`."""
        # 1. Rough scores in single precision, and the columns that may belong to the lists by them.
        factors, bias = shared_tensor(rows.factors).float(), shared_tensor(rows.bias).float()
        rough = torch.addmm(self.bias, factors, self.factors.t())
        rough += bias[:, None]
        _hide(rough.numpy(), hidden)
        columns = torch.topk(rough, n + _SPARE, dim=1, sorted=False)[1].sort(dim=1)[0]
        kept = rough.gather(1, columns)
        # 2. Exact scores of these, and lists in their order.
        candidates = columns.numpy()
        which = np.repeat(np.arange(len(rows)), n + _SPARE)
        scores = Scores(rows, self.columns).at(which, candidates.ravel()).astype(np.float32)
        scores = np.where(kept.isneginf(), -np.inf, scores.reshape(candidates.shape))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :n]
        best = np.take_along_axis(candidates, order, axis=1)
        scores = np.take_along_axis(scores, order, axis=1)
        # 3. Lists that a column left out could belong to, as far as rounding lets one say: error of
        #    a product in single precision, Higham (2002), section 3.1. They are made from all.
        sizes = self.longest * torch.linalg.vector_norm(factors, dim=1) + self.largest + bias.abs()
        rounding = (self.factors.shape[1] + 5) * torch.finfo(torch.float32).eps * sizes
        highest_left = kept.amin(dim=1)
        may_miss = (highest_left + rounding).numpy() >= scores[:, -1]
        unsure = np.flatnonzero(may_miss & np.isfinite(highest_left.numpy()))
        if len(unsure):
            cells = None if hidden is None else hidden[unsure]
            best[unsure], scores[unsure] = _Exact(self.columns).lists(rows[unsure], n, cells)
        return best, scores


def shared_tensor(array: np.ndarray) -> torch.Tensor:
    """Tensor of an array's memory, for reading only: torch warns of a memory map, say."""
    return torch.from_numpy(array if array.flags.writeable else np.asarray(_Unlocked(array)))


class _Unlocked:
    """What an array shows to numpy, but for being read-only."""

    def __init__(self, array: np.ndarray) -> None:
        pointer, _ = array.__array_interface__["data"]
        self.__array_interface__: dict[str, Any] = array.__array_interface__ | {
            "data": (pointer, False)
        }
        self.array = array  # keeps the memory


def _hide(scores: np.ndarray, hidden: scipy.sparse.csr_array | None) -> None:
    if hidden is not None:
        scores[hidden.tocoo().coords] = -np.inf


def slices(n: int, size: int) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))


def best_of(scores: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns of the ``n`` largest entries of each row, largest first, and these entries."""
    best = _best(scores, n)
    return best, np.take_along_axis(scores, best, axis=1)


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
