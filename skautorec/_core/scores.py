"""The inference model: four arrays, one inner product.

A score is ``row_factors[i] . column_factors[j] + row_bias[i] + column_bias[j]``. Pairs, blocks and
top-N lists read these arrays and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .forks import cached_property
from .isolation import isolated
from .lists import rounding_of, top
from .sparse import sampled_dots

__all__ = ["Embeddings", "Scores", "shared_tensor"]


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

    @cached_property
    def single(self) -> _Single:
        """The same in single precision."""
        factors = shared_tensor(self.factors).float()
        bias = shared_tensor(self.bias).float()
        return _Single(factors, bias, torch.linalg.vector_norm(factors, dim=1))


class _Single(NamedTuple):
    """Factors, biases, and the lengths of the factors."""

    factors: Tensor
    bias: Tensor
    norms: Tensor


@dataclass(frozen=True)
class Scores:
    """Rows and columns of a low-rank score matrix."""

    rows: Embeddings
    columns: Embeddings
    # Fewer rows are as fast in double precision.
    screened_from: ClassVar[int] = 64
    spare: ClassVar[int] = 16

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.columns)

    def take(self, rows: slice | np.ndarray) -> Scores:
        """Scores of some rows."""
        return Scores(self.rows[rows], self.columns)

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
    def block(self) -> np.ndarray:
        """Scores of every row and column: shape (n_rows, n_columns)."""
        # torch, whose product for a single row is several times as fast as numpy's.
        product = shared_tensor(self.rows.factors) @ shared_tensor(self.columns.factors).t()
        scores: np.ndarray = product.numpy()
        scores += self.rows.bias[:, None]
        scores += self.columns.bias
        return scores

    def bounds(self) -> tuple[Tensor, Tensor]:
        """The same in single precision, and how far rounding may take it: see `lists.Ranking`."""
        rows, columns = self.rows.single, self.columns.single
        scores = torch.addmm(columns.bias, rows.factors, columns.factors.t())
        scores += rows.bias[:, None]
        sizes = columns.norms.max() * rows.norms + columns.bias.abs().max() + rows.bias.abs()
        return scores, rounding_of(self.columns.factors.shape[1], sizes)

    def top(
        self, n: int, hidden: scipy.sparse.csr_array | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Best columns of every row, as `lists.top`."""
        # What all columns share decides no order, and in single precision could hide it.
        level = float(np.mean(self.columns.bias)) if len(self.columns) else 0.0
        columns = Embeddings(self.columns.factors, self.columns.bias - level)
        best, scores = top(Scores(self.rows, columns), n, hidden)
        return best, scores + level


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
