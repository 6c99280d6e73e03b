"""Codes of encoded rows, as each decoded row may see them: without its own rating.

The code of an item holds the ratings that the rows of its raters are later asked to explain; the
code of an item with one rater *is* that rating. So a decoded row is solved on the codes that its
encoded rows would have had without it, everything else held fixed. With ``S`` the first layer's sum
over the ratings of an encoded row, taking out the rating ``x`` of column ``j`` is a subtraction:

    ratings style     a' = mu + w' (S - x V_j)
    residuals style   a' = mu + w' (S1 - d V1_j - b' (S0 - V1_j) + S2 - V2_j),
                      b' = (sum of d - d_j) / (n - 1 + damping)

where ``w'`` is the length factor of ``n - 1`` ratings, ``d`` deviations from the reference, ``S1``
the sum of ``d V1``, ``S0`` of ``V1`` and ``S2`` of ``V2``. A row with nothing left has the mean
code.

Where ratings have weights, all sums are weighted: a rating of weight ``v`` takes ``v x V_j``, ``v``
of the count and ``v d_j`` out. A code from less than one rating in all is that part of the way from
the mean code, so that a row whose weights go to zero ends as one without ratings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .encoding import Encoding
from .scores import shared_tensor

__all__ = ["CellCodes", "Layers", "Sums"]


@dataclass(frozen=True)
class Sums:
    """What is left of encoded rows' ratings before the activation.

    Attributes
    ----------
    tables : tuple of ndarray of shape (n_rows, width of the first layer)
        ``S``, or ``S1 + S2`` and ``S0``; without length factors.
    counts : ndarray of int64 or float64 of shape (n_rows,)
        Ratings of each row, or the sum of their weights.
    deviations : ndarray of shape (n_rows,)
        Sum of their deviations from the reference.
    """

    tables: tuple[np.ndarray, ...]
    counts: np.ndarray
    deviations: np.ndarray

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, rows: slice | np.ndarray) -> Sums:
        tables = tuple(table[rows] for table in self.tables)
        return Sums(tables, self.counts[rows], self.deviations[rows])

    def replaced(self, rows: np.ndarray, sums: Sums, n_rows: int) -> Sums:
        """Return those of so many rows, some of which are others now, and new ones empty."""

        def put(old: np.ndarray, new: np.ndarray) -> np.ndarray:
            # Counts are whole numbers until there are weights.
            array = np.zeros((n_rows, *old.shape[1:]), dtype=np.result_type(old, new))
            array[: len(old)] = old
            array[rows] = new
            return array

        tables = tuple(put(old, new) for old, new in zip(self.tables, sums.tables, strict=True))
        return Sums(tables, put(self.counts, sums.counts), put(self.deviations, sums.deviations))


@dataclass(frozen=True)
class Layers:
    """The encoder's layers as tensors of one dtype, from first-layer sums to centred codes.

    Attributes
    ----------
    first : tuple of Tensor of float32 of shape (n_inputs, width)
        First-layer weights of each channel.
    bias : Tensor of shape (width,)
    deeper : list of (Tensor, Tensor)
        Weights and biases of the layers after it.
    activation : callable
    mean_code : Tensor of shape (k,)
    """

    first: tuple[Tensor, ...]
    bias: Tensor
    deeper: list[tuple[Tensor, Tensor]]
    activation: Callable[[Tensor], Tensor]
    mean_code: Tensor

    @property
    def width(self) -> int:
        """Units of the widest layer."""
        return max(len(self.bias), *(len(bias) for _, bias in self.deeper), 0)

    def codes(self, sums: Tensor) -> Tensor:
        """Codes minus their mean, of weighted first-layer sums, which are overwritten."""
        hidden = self.activation(sums.add_(self.bias))
        for weight, bias in self.deeper:
            hidden = self.activation(hidden @ weight + bias)
        return hidden - self.mean_code


class CellCodes:
    """The codes that the cells of decoded rows are solved on; see `ridge.Codes`.

    Parameters
    ----------
    layers : Layers
    encoding : Encoding
    sums : Sums
        Of the encoded rows.
    indptr, indices : ndarray of int
        Compressed decoded rows; indices are encoded rows.
    own : ndarray of shape (nnz,)
        The rating at each cell that its encoded row was given, to be taken out; NaN where it was
        given none.
    columns : ndarray of int64 of shape (n_decoded,)
        Column of the encoder's input that belongs to each decoded row; anything where nothing is
        taken out.
    weights : ndarray of shape (nnz,) or None
        Weights of the ratings in ``own``; None where all are 1.

    Attributes
    ----------
    biases : ndarray of shape (nnz,)
        Bias of each cell's encoded row, likewise without the cell.
    """

    def __init__(
        self,
        layers: Layers,
        encoding: Encoding,
        sums: Sums,
        indptr: np.ndarray,
        indices: np.ndarray,
        own: np.ndarray,
        columns: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> None:
        is_own = ~np.isnan(own)
        n_own = is_own if weights is None else is_own * weights
        own = np.where(is_own, own, 0.0)
        of_cells = np.repeat(columns, np.diff(indptr))
        deviations = np.where(is_own, own - encoding.reference[of_cells], 0.0)
        # Rounding may leave less than nothing of weights.
        counts = (sums.counts[indices] - n_own).clip(min=0)
        off = sums.deviations[indices] - n_own * deviations
        self.biases = off / (counts + encoding.damping)
        factors = encoding.length_factors(counts)
        if encoding.n_channels == 1:
            kept: tuple[np.ndarray, ...] = (factors,)
            taken: tuple[np.ndarray, ...] = (n_own * factors * own,)
        else:
            kept = factors, -factors * self.biases
            taken = n_own * factors * (deviations - self.biases), n_own * factors
        dtype = layers.bias.dtype
        self._layers = layers
        self._indices = torch.from_numpy(np.asarray(indices, dtype=np.int64))
        self._columns = torch.from_numpy(np.asarray(columns, dtype=np.int64))
        self._tables = [shared_tensor(table).to(dtype) for table in sums.tables]
        self._kept = [torch.from_numpy(some).to(dtype) for some in kept]
        self._taken = [torch.from_numpy(some).to(dtype) for some in taken]
        self._known = torch.from_numpy(counts.clip(max=1)).to(dtype)

    @property
    def width(self) -> int:
        """Elements of the largest temporary of a cell."""
        return self._layers.width

    def take(self, rows: Tensor, cells: Tensor) -> Tensor:
        """See `ridge.Codes`."""
        flat = cells.clamp(min=0).flatten()
        encoded = self._indices[flat]
        sums = self._tables[0].index_select(0, encoded).mul_(self._kept[0][flat, None])
        for table, weights in zip(self._tables[1:], self._kept[1:], strict=True):
            sums.addcmul_(table.index_select(0, encoded), weights[flat, None])
        sums = sums.view(*cells.shape, -1)
        columns = self._columns[rows]
        for weight, taken in zip(self._layers.first, self._taken, strict=True):
            of_rows = weight[columns, None].to(sums.dtype)
            sums.addcmul_(taken[flat].view(*cells.shape, 1), of_rows, value=-1)
        codes = self._layers.codes(sums)
        known = self._known[flat].view(cells.shape).masked_fill_(cells < 0, 0.0)
        return codes.mul_(known[..., None])
