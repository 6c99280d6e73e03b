"""The observed pattern of a rating matrix, and the two differentiable products on it.

Nothing of size rows x columns is ever built. Both products need sums over rows in the forward
pass and sums over columns in the backward pass, so a pattern keeps its transpose and the
permutation that carries values from one order to the other.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

__all__ = ["Pattern", "at_observed", "bag_sum", "sampled_dots", "times_dense"]

# Columns of the dense operand that a product takes at a time, on the CPU in single precision, where
# that operand has many elements and each of its rows is read many times. They are read in the order
# of the observed cells; in blocks this narrow they stay in the nearest caches, which is up to three
# times as fast. Where they are read less often, cutting the blocks out costs more than it saves.
_BLOCK, _MANY_ELEMENTS, _MANY_READS = 64, 2**20, 64
# Positions of cells are int32.
_MOST_CELLS = 2**31 - 1

# torch announces once, at the first construction, that CSR is in beta, and in some releases that
# invariants are not checked. Done here, since the filters of warnings are not safe to change while
# other threads run.
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Sparse (CSR tensor|invariant)", UserWarning)
    torch.sparse_csr_tensor([0, 0], [], [], size=(1, 1), device="cpu", check_invariants=False)


@dataclass(frozen=True)
class Pattern:
    """Which cells of a matrix are observed, in compressed rows and in compressed columns.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns.
    indptr, indices : Tensor of int32
        Compressed rows; values that belong to the pattern are in this order.
    t_indptr, t_indices : Tensor of int32
        The same cells in compressed columns.
    order : Tensor of int32
        ``values[order]`` are the values in compressed-column order.
    """

    shape: tuple[int, int]
    indptr: Tensor
    indices: Tensor
    t_indptr: Tensor
    t_indices: Tensor
    order: Tensor

    @classmethod
    def from_csr(
        cls,
        indptr: np.ndarray,
        indices: np.ndarray,
        shape: tuple[int, int],
        device: torch.device | str = "cpu",
    ) -> Pattern:
        """Build the pattern of a CSR matrix without duplicate cells.

        Raises
        ------
        ValueError
            More cells than int32 counts.
        """
        if len(indices) > _MOST_CELLS:
            raise ValueError(
                f"There are {len(indices):,} ratings to train on; at most {_MOST_CELLS:,} can be. "
                "Leave out users, or items with many ratings."
            )
        positions = np.arange(len(indices), dtype=np.int32)
        columns = scipy.sparse.csr_array((positions, indices, indptr), shape=shape).tocsc()

        def tensor(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(device, torch.int32)

        return cls(
            shape,
            torch.tensor(indptr, dtype=torch.int32, device=device),
            torch.tensor(indices, dtype=torch.int32, device=device),
            tensor(columns.indptr),
            tensor(columns.indices),
            tensor(columns.data),
        )

    def split(self, chosen: Tensor) -> tuple[tuple[Pattern, Tensor], tuple[Pattern, Tensor]]:
        """Divide the cells in two by a mask: the chosen ones and the others.

        Returns
        -------
        tuple of (Pattern, Tensor)
            Each part, of the same shape, with the positions of its cells among this pattern's.
        """
        by_column = chosen.index_select(0, self.order)
        ranks, t_ranks = _counts(chosen), _counts(by_column)
        positions = torch.arange(self.nnz + 1, dtype=torch.int32, device=chosen.device)
        return (
            self._part(chosen, ranks, by_column, t_ranks),
            self._part(~chosen, positions - ranks, ~by_column, positions - t_ranks),
        )

    def _part(
        self, chosen: Tensor, ranks: Tensor, by_column: Tensor, t_ranks: Tensor
    ) -> tuple[Pattern, Tensor]:
        """Make the pattern of the cells that two masks choose; ranks count those before each."""
        cells, t_cells = _positions(chosen), _positions(by_column)
        part = Pattern(
            self.shape,
            ranks.index_select(0, self.indptr),
            self.indices.index_select(0, cells),
            t_ranks.index_select(0, self.t_indptr),
            self.t_indices.index_select(0, t_cells),
            ranks.index_select(0, self.order.index_select(0, t_cells)),
        )
        return part, cells

    @property
    def nnz(self) -> int:
        """Number of observed cells."""
        return len(self.indices)

    def row_lengths(self) -> Tensor:
        """Observed cells in each row."""
        return self.indptr.diff()

    def rows(self) -> Tensor:
        """Row of each observed cell, in compressed-row order (int64)."""
        rows = torch.arange(self.shape[0], device=self.indptr.device)
        return rows.repeat_interleave(self.row_lengths())

    def by_column(self, values: Tensor) -> Tensor:
        """Values of the observed cells in compressed-column order."""
        # Indexing by int32 would make an int64 copy of the order.
        return values.index_select(0, self.order)

    def sum_rows(self, values: Tensor) -> Tensor:
        """Sum values over each row."""
        return torch.segment_reduce(values, "sum", offsets=self.indptr.long())

    def sum_columns(self, by_column: Tensor) -> Tensor:
        """Sum values, in compressed-column order, over each column."""
        return torch.segment_reduce(by_column, "sum", offsets=self.t_indptr.long())

    def times(self, values: Tensor, dense: Tensor) -> Tensor:
        """``A @ dense`` for the matrix ``A`` with these ``values`` at the observed cells."""
        return bag_sum(self.indptr, self.indices, values, dense)

    def transposed_times(self, by_column: Tensor, dense: Tensor) -> Tensor:
        """``A.T @ dense`` for the matrix ``A`` with these values in compressed-column order."""
        return bag_sum(self.t_indptr, self.t_indices, by_column, dense)

    def dots(self, left: Tensor, right: Tensor) -> Tensor:
        """``left[row] . right[column]`` at each observed cell, in compressed-row order."""
        return sampled_dots(self.indptr, self.indices, left, right)


def _counts(mask: Tensor) -> Tensor:
    """How many are true before each position, and before the end."""
    counts = mask.new_zeros(len(mask) + 1, dtype=torch.int32)
    torch.cumsum(mask, 0, dtype=torch.int32, out=counts[1:])
    return counts


def _positions(mask: Tensor) -> Tensor:
    """Where a mask is true."""
    if mask.device.type == "cpu":
        # Ten times as fast as torch's.
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.nonzero()[:, 0]


def sampled_dots(indptr: Tensor, indices: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """``left[row] . right[column]`` at cells in compressed rows; a cell may come twice."""
    dots, size = left.new_zeros(len(indices)), (len(left), len(right))
    cells = torch.sparse_csr_tensor(indptr, indices, dots, size=size, check_invariants=False)
    for columns in _blocks(right, len(indices)):
        some_left, some_right = left[:, columns].contiguous(), right[:, columns].contiguous()
        # Adds to what it is given, in place.
        torch.sparse.sampled_addmm(cells, some_left, some_right.t(), out=cells)
    return dots


def bag_sum(indptr: Tensor, indices: Tensor, values: Tensor, dense: Tensor) -> Tensor:
    """``A @ dense`` for the sparse matrix ``A`` in compressed rows."""
    # embedding_bag is the fastest sparse-times-dense kernel torch has on the CPU, and unlike
    # the CSR product it needs no MKL. For what requires a gradient it would prepare to make one.
    dense = dense.detach()

    def sums_of(some: Tensor) -> Tensor:
        return embedding_bag(
            indices,
            some.contiguous(),
            indptr,
            mode="sum",
            per_sample_weights=values,
            include_last_offset=True,
        )

    blocks = _blocks(dense, len(indices))
    if len(blocks) == 1:
        return sums_of(dense)
    sums = dense.new_empty(len(indptr) - 1, dense.shape[1])
    for columns in blocks:
        sums[:, columns] = sums_of(dense[:, columns])
    return sums


def _blocks(dense: Tensor, n_reads: int) -> list[slice]:
    """Columns to take at a time."""
    width = dense.shape[1]
    is_worth_it = dense.numel() > _MANY_ELEMENTS and n_reads > _MANY_READS * len(dense)
    if is_worth_it and dense.device.type == "cpu" and dense.dtype == torch.float32:
        return [slice(start, start + _BLOCK) for start in range(0, width, _BLOCK)]
    return [slice(width)]


class _TimesDense(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pattern: Pattern, values: Tensor, dense: Tensor) -> Tensor:
        ctx.pattern, ctx.values = pattern, values
        return pattern.times(values, dense)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        by_column = ctx.pattern.by_column(ctx.values)
        return None, None, ctx.pattern.transposed_times(by_column, grad.contiguous())


class _AtObserved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pattern: Pattern, left: Tensor, right: Tensor, bias: Tensor) -> Tensor:
        ctx.pattern = pattern
        ctx.save_for_backward(left, right)
        return pattern.dots(left, right).add_(bias.index_select(0, pattern.indices))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        pattern, (left, right) = ctx.pattern, ctx.saved_tensors
        by_column = pattern.by_column(grad)
        return (
            None,
            pattern.times(grad.contiguous(), right),
            pattern.transposed_times(by_column, left),
            pattern.sum_columns(by_column),
        )


def times_dense(pattern: Pattern, values: Tensor, dense: Tensor) -> Tensor:
    """``A @ dense``, differentiable in ``dense``.

    Parameters
    ----------
    pattern : Pattern
        Observed cells of ``A``.
    values : Tensor of shape (nnz,)
        Their values: data, not differentiated.
    dense : Tensor of shape (n_columns, k)

    Returns
    -------
    Tensor of shape (n_rows, k)
    """
    return _TimesDense.apply(pattern, values, dense)


def at_observed(pattern: Pattern, left: Tensor, right: Tensor, bias: Tensor) -> Tensor:
    """``left @ right.T + bias`` at the observed cells only, differentiable in all three.

    Parameters
    ----------
    pattern : Pattern
        Observed cells.
    left : Tensor of shape (n_rows, k)
    right : Tensor of shape (n_columns, k)
    bias : Tensor of shape (n_columns,)

    Returns
    -------
    Tensor of shape (nnz,)
    """
    return _AtObserved.apply(pattern, left, right, bias)
