"""Decoded rows in closed form.

Given the codes ``Z`` of the encoded side, the objective separates over the decoded rows, and each
row ``(w, b)`` is the minimiser of

    sum over observed (r - w.z - b)^2 + penalty ||w - w0||^2 + bias_penalty (b - b0)^2 .

With ``penalty = lambd / 2``, ``w0 = 0`` and ``bias_penalty = 0`` this is equation 2 of the paper.
Rows are solved in batches of similar length; a row with ``n`` observed cells and ``k`` code units
costs ``min(n, k)^3``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["Prior", "bias_penalty", "solve_rows"]

# Elements of the largest temporary: 128 MB in float64.
_CHUNK = 2**24


@dataclass(frozen=True)
class Prior:
    """Where a decoded row is drawn to, and how strongly.

    Attributes
    ----------
    weight : Tensor of shape (k,)
        ``w0``.
    bias : float
        ``b0``.
    penalty, bias_penalty : float
        Strengths; ``penalty > 0``, ``bias_penalty >= 0``.
    """

    weight: Tensor
    bias: float
    penalty: float
    bias_penalty: float


def solve_rows(
    indptr: Tensor, indices: Tensor, values: Tensor, codes: Tensor, prior: Prior
) -> tuple[Tensor, Tensor]:
    """Solve the ridge regression of every decoded row.

    Parameters
    ----------
    indptr, indices : Tensor
        Compressed decoded rows; indices are rows of ``codes``.
    values : Tensor of shape (nnz,)
        Ratings, in the dtype of ``codes``.
    codes : Tensor of shape (n_encoded, k)
    prior : Prior

    Returns
    -------
    weights : Tensor of shape (n_decoded, k)
    biases : Tensor of shape (n_decoded,)
        A row without observed cells gets the prior.
    """
    n_rows = len(indptr) - 1
    weights = prior.weight.expand(n_rows, -1).clone()
    biases = codes.new_full((n_rows,), prior.bias)
    residuals = values - (codes @ prior.weight)[indices] - prior.bias
    for rows, length in _groups(indptr, codes.shape[1]):
        offsets = torch.arange(length, device=indptr.device)
        taken = (indptr[rows, None] + offsets).clamp_(max=len(indices) - 1)
        observed = offsets < indptr.diff()[rows, None]
        z = codes[indices[taken]] * observed[..., None]
        y = torch.stack((residuals[taken] * observed, observed.to(codes.dtype)), dim=-1)
        # Two right-hand sides, the residuals and a column of ones, give the row for any bias;
        # the best bias then follows from one scalar equation.
        slopes = _ridge(z, y, prior.penalty)
        left_over = (y - z @ slopes).sum(dim=1)
        shift = left_over[:, 0] / (left_over[:, 1] + prior.bias_penalty)
        weights[rows] += slopes[..., 0] - shift[:, None] * slopes[..., 1]
        biases[rows] += shift
    return weights, biases


def _groups(indptr: Tensor, n_units: int) -> Iterator[tuple[Tensor, int]]:
    """Batch the rows that have observed cells by similar length, in bounded memory."""
    lengths, rows = indptr.diff().sort(stable=True)
    start = int((lengths == 0).sum())
    while start < len(rows):
        # The shortest row of a group sets how long its longest may be: little padding.
        limit = int(lengths[start]) * 5 // 4 + 4
        stop = int(torch.searchsorted(lengths, limit, right=True))
        stop = min(stop, start + max(1, _CHUNK // (int(lengths[stop - 1]) * n_units)))
        yield rows[start:stop], int(lengths[stop - 1])
        start = stop


def _ridge(z: Tensor, y: Tensor, penalty: float) -> Tensor:
    """``(Z'Z + penalty I)^-1 Z' y`` for a batch, through the smaller of the two Gram matrices."""
    zt = z.transpose(1, 2)
    wide = z.shape[1] <= z.shape[2]
    gram = z @ zt if wide else zt @ z
    gram.diagonal(dim1=1, dim2=2).add_(penalty)
    factor = torch.linalg.cholesky(gram)
    if wide:
        return zt @ torch.cholesky_solve(y, factor)
    return torch.cholesky_solve(zt @ y, factor)


def bias_penalty(residuals: np.ndarray, indptr: np.ndarray) -> float:
    """Estimate how strongly row biases should be shrunk: noise variance over bias variance.

    The moment estimator of one-way analysis of variance (Searle, Casella and McCulloch, Variance
    Components, 1992, chapter 3) for rows of unequal length.

    Parameters
    ----------
    residuals : ndarray of shape (nnz,)
        What the mean row leaves of each rating.
    indptr : ndarray
        Compressed rows.

    Returns
    -------
    float
        Between 0.1 and 20: where rows seem to differ no more than by chance, a bias shrunk by
        20 pseudo-ratings costs little, and one held at the mean harms rows that do differ.
    """
    counts = np.diff(indptr)
    counts = counts[counts > 0]
    total = counts.sum()
    sums = np.add.reduceat(residuals, np.cumsum(counts) - counts)
    between = np.square(sums) / counts
    within = (np.square(residuals).sum() - between.sum()) / max(1, total - len(counts))
    effective = total - np.square(counts).sum() / total
    variance = (between.sum() - len(counts) * within) / max(effective, 1.0)
    return float(np.clip(within / max(variance, 1e-12), 0.1, 20.0))
