"""What the network is given of an encoded row, and the bias that is taken off it first.

A row's damped bias is a better guess of its level than a code can learn from few ratings, so the
network encodes and predicts what it leaves. Rows are divided by the square root of their number of
ratings, or the many ratings of long ones would saturate the hidden units; and by how far ratings
are from what biases expect, so that one penalty suits ratings of any spread. Where ratings have
weights, these multiply the inputs, and the number is their sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from .biases import fit_biases
from .matrix import rows_of_cells

__all__ = ["Encoding", "row_blocks"]

# Size of the inputs, in deviations of what biases leave: it balances the penalties of the two sides
# of the network, and was chosen on validation ratings of several sets.
_SIZE = 8.0
# Least deviation, in stars.
_LEAST = 0.05
# Most cells and most rows of a block of rows.
_CELLS, _ROWS = 2**18, 2**14


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
    scale : float
        What a row of one rating is multiplied by.
    """

    style: str
    reference: np.ndarray
    damping: float
    scale: float

    @classmethod
    def of(
        cls, ratings: scipy.sparse.csr_array, style: str, weights: np.ndarray | None = None
    ) -> Encoding:
        """Estimate the encoding of training rows, from ratings that have weights or have none."""
        rows = rows_of_cells(ratings)
        biases, _ = fit_biases(rows, ratings.indices, ratings.data, ratings.shape, weights=weights)
        scale = _SIZE / max(np.sqrt(biases.noise), _LEAST)
        return cls(style, biases.mean + biases.columns, biases.damping[0], float(scale))

    def length_factors(self, counts: Any) -> Any:
        """What rows of so many ratings, an array or a tensor, are multiplied by.

        Rows of less than one, as sums of weights may be, are as of one: with the weights their
        inputs go to zero.
        """
        return self.scale * counts.clip(min=1) ** -0.5

    @property
    def n_channels(self) -> int:
        """Channels of the input."""
        return 2 if self.style == "residuals" else 1


def row_blocks(ratings: scipy.sparse.csr_array) -> Iterator[tuple[slice, scipy.sparse.csr_array]]:
    """Cut a matrix into blocks of rows, so that what is made of the cells takes little memory."""
    start = 0
    while start < ratings.shape[0]:
        most = int(ratings.indptr[start]) + _CELLS
        stop = max(start + 1, int(np.searchsorted(ratings.indptr, most, side="right")) - 1)
        stop = min(stop, start + _ROWS)
        yield slice(start, stop), ratings[start:stop]
        start = stop
