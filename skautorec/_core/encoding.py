"""What the network is given of an encoded row, and the bias that is taken off it first.

A row's damped bias is a better guess of its level than a code can learn from few ratings, so the
network encodes and predicts what it leaves. Long rows are scaled down, or their many ratings
would saturate the hidden units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse
import torch

from .network import SparseRows
from .ridge import bias_penalty
from .sparse import Pattern

__all__ = ["POWER", "Encoding", "minus_rows", "pattern_of", "row_blocks"]

# Power of a row's length by which it is divided; chosen on validation ratings.
POWER = 0.5
# Most cells and most rows of a block of rows.
_CELLS, _ROWS = 2**18, 2**14
# Sweeps over the biases of both sides, which tell a generous user from a good item; more changed
# no validation error.
_SWEEPS = 2


@dataclass(frozen=True)
class Encoding:
    """How encoded rows become inputs.

    Attributes
    ----------
    style : {"ratings", "residuals"}
        ``"ratings"`` is one channel of the ratings themselves, in which an unobserved cell is as
        far from a rating of 1 as that from a rating of 2: who rated is information.
        ``"residuals"`` is two, what the biases of both sides leave of the ratings, and ones.
    reference : ndarray of shape (n_inputs,)
        Rating expected in each column, from a row without bias.
    damping : float
        Pseudo-ratings, equal to the reference, in each row's bias.
    typical_length : float
        Mean number of ratings of a row.
    """

    style: str
    reference: np.ndarray
    damping: float
    typical_length: float

    @classmethod
    def of(cls, ratings: scipy.sparse.csr_array, style: str) -> Encoding:
        """Estimate the encoding of training rows."""
        mean, biases = ratings.data.mean(), np.zeros(ratings.shape[0])
        rows = _row_of_cells(ratings)
        # Deviations get no name, so that one array of them is in memory at a time.
        for _ in range(_SWEEPS):
            reference, _ = _damped_means(
                ratings.data - mean - biases[rows], ratings.indices, ratings.shape[1]
            )
            reference += mean
            biases, damping = _damped_means(
                ratings.data - reference[ratings.indices], rows, len(biases)
            )
        lengths = np.diff(ratings.indptr)
        return cls(style, reference, damping, float(lengths[lengths > 0].mean()))

    @property
    def n_channels(self) -> int:
        """Channels of the input."""
        return 2 if self.style == "residuals" else 1

    def biases(self, ratings: scipy.sparse.csr_array) -> np.ndarray:
        """Damped bias of each row: shape (n_rows,)."""
        biases = np.empty(ratings.shape[0])
        for rows, block in row_blocks(ratings):
            deviations = block.data - self.reference[block.indices]
            groups = _row_of_cells(block)
            biases[rows] = _damped_means(deviations, groups, block.shape[0], self.damping)[0]
        return biases

    def inputs(
        self,
        ratings: scipy.sparse.csr_array,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> SparseRows:
        """Make the input of the network."""
        lengths = np.diff(ratings.indptr)
        weights = np.repeat((np.maximum(lengths, 1) / self.typical_length) ** -POWER, lengths)
        values = ratings.data
        if self.style == "residuals":
            values = values - self.reference[ratings.indices]
            values = values - np.repeat(self.biases(ratings), lengths)
        channels = tuple(
            torch.tensor(channel, dtype=dtype, device=device)
            for channel in (values * weights, weights)[: self.n_channels]
        )
        del weights, values
        return SparseRows(pattern_of(ratings, device), channels)


def pattern_of(ratings: scipy.sparse.csr_array, device: torch.device | str = "cpu") -> Pattern:
    """Observed pattern of a sparse matrix."""
    return Pattern.from_csr(ratings.indptr, ratings.indices, ratings.shape, device)


def minus_rows(ratings: scipy.sparse.csr_array, of_rows: np.ndarray) -> np.ndarray:
    """Stored values minus a number of their row."""
    # One array, not two.
    left = np.repeat(of_rows, np.diff(ratings.indptr))
    return np.subtract(ratings.data, left, out=left)


def row_blocks(ratings: scipy.sparse.csr_array) -> Iterator[tuple[slice, scipy.sparse.csr_array]]:
    """Cut a matrix into blocks of rows, so that what is made of the cells takes little memory."""
    start = 0
    while start < ratings.shape[0]:
        most = int(ratings.indptr[start]) + _CELLS
        stop = max(start + 1, int(np.searchsorted(ratings.indptr, most, side="right")) - 1)
        stop = min(stop, start + _ROWS)
        yield slice(start, stop), ratings[start:stop]
        start = stop


def _row_of_cells(ratings: scipy.sparse.csr_array) -> np.ndarray:
    return np.repeat(np.arange(ratings.shape[0], dtype=np.int32), np.diff(ratings.indptr))


def _damped_means(
    values: np.ndarray, groups: np.ndarray, n_groups: int, damping: float | None = None
) -> tuple[np.ndarray, float]:
    """Mean of each group, drawn to zero by pseudo-values; how many is estimated if not given."""
    damping = bias_penalty(values, groups) if damping is None else damping
    counts = np.bincount(groups, minlength=n_groups)
    return np.bincount(groups, values, n_groups) / (counts + damping), damping
