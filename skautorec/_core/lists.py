"""Top-N lists: the columns with the highest scores of each row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .isolation import isolated

__all__ = ["Ranking", "best_of", "rounding_of", "slices", "top"]

# Elements of the largest temporary: 64 MB in float64.
_CHUNK = 2**23
# Lists are screened in single precision first where at most one column in so many is listed.
_SELECTIVE = 128


class Ranking(Protocol):
    """Scores of rows and columns that lists can be made by."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    def screened_from(self) -> int:
        """Number of rows from which screening saves time."""

    @property
    def spare(self) -> int:
        """How many more columns than are listed screening looks at."""

    def take(self, rows: slice | np.ndarray) -> Ranking:
        """The same of some rows."""

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Scores of pairs, in double precision: shape (n_pairs,)."""

    def block(self) -> np.ndarray:
        """All scores, in double precision."""

    def bounds(self) -> tuple[Tensor, Tensor]:
        """What all scores are or cannot exceed, in single precision, and rounding in each row."""


@isolated
def top(
    ranking: Ranking, n: int, hidden: scipy.sparse.csr_array | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Best columns of every row, best first; equal scores in the order of the columns.

    Scores are compared in float32, so that the last bits of a matrix product, which depend on
    how many rows it has, decide no order.

    Parameters
    ----------
    ranking : Ranking
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
    n_rows, n_columns = ranking.shape
    n = min(n, n_columns)
    best, scores = np.zeros((n_rows, n), dtype=np.int64), np.full((n_rows, n), np.nan)
    if n == 0:
        return best, scores
    is_screened = n_rows >= ranking.screened_from and _SELECTIVE * n <= n_columns
    make = _screened if is_screened else _exact
    for part in slices(n_rows, _CHUNK // max(1, n_columns)):
        cells = None if hidden is None else hidden[part]
        best[part], scores[part] = make(ranking.take(part), n, cells)
    scores[np.isneginf(scores)] = np.nan
    return best, scores


def _exact(
    ranking: Ranking, n: int, hidden: scipy.sparse.csr_array | None
) -> tuple[np.ndarray, np.ndarray]:
    """Columns and scores; a score of minus infinity where there is nothing to list."""
    block = ranking.block().astype(np.float32)
    _hide(block, hidden)
    return best_of(block, n)


def _screened(
    ranking: Ranking, n: int, hidden: scipy.sparse.csr_array | None
) -> tuple[np.ndarray, np.ndarray]:
    """Short lists in less time: bounds in single precision find which columns may be listed.

    Where a column that was left out could belong to a list, the list is made again from all.
    """
    # 1. The columns with the highest bounds.
    bounds, rounding = ranking.bounds()
    _hide(bounds.numpy(), hidden)
    n_kept = min(n + ranking.spare, bounds.shape[1])
    columns = torch.topk(bounds, n_kept, dim=1, sorted=False)[1].sort(dim=1)[0]
    kept = bounds.gather(1, columns)
    # 2. Scores of these, and lists in their order.
    candidates = columns.numpy()
    which = np.repeat(np.arange(len(candidates)), n_kept)
    scores = ranking.at(which, candidates.ravel()).astype(np.float32)
    scores = np.where(kept.isneginf(), -np.inf, scores.reshape(candidates.shape))
    order = np.argsort(-scores, axis=1, kind="stable")[:, :n]
    best = np.take_along_axis(candidates, order, axis=1)
    scores = np.take_along_axis(scores, order, axis=1)
    # 3. Lists that a column left out could belong to, as far as one can say.
    highest_left = kept.amin(dim=1)
    may_miss = (highest_left + rounding).numpy() >= scores[:, -1]
    unsure = np.flatnonzero(may_miss & np.isfinite(highest_left.numpy()))
    if len(unsure):
        cells = None if hidden is None else hidden[unsure]
        best[unsure], scores[unsure] = _exact(ranking.take(unsure), n, cells)
    return best, scores


def rounding_of(n_terms: int, sizes: Tensor) -> Tensor:
    """Error of inner products in single precision, of factors whose lengths multiply to ``sizes``.

    Higham (2002), section 3.1, with some terms to spare for what is added.
    """
    return (n_terms + 5) * torch.finfo(torch.float32).eps * sizes


def _hide(scores: np.ndarray, hidden: scipy.sparse.csr_array | None) -> None:
    if hidden is not None:
        scores[hidden.tocoo().coords] = -np.inf


def slices(n: int, size: int) -> Iterator[slice]:
    """Cut ``n`` places into parts of at most ``size``, one at least."""
    size = max(1, size)
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
