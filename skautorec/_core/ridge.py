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
from torch.nn.functional import hardshrink

from .sparse import bag_sum

__all__ = ["Gram", "Prior", "bias_penalty", "relative_variances", "solve_rows"]

# Elements of the largest temporary: 8 MB in float64.
_CHUNK = 2**20
# Elements of the largest table of inner products: 512 MB in float64.
_GRAM = 2**26
# Elements this small, which codes that hardly differ leave beside the penalty on the diagonal, are
# zero in single precision: products of them are too small for it, which makes a factorisation
# twenty times as slow.
_NEGLIGIBLE = 1e-18
# Error, relative to the right-hand side, that one step of refinement mends.
_REFINABLE = 3e-5


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
    indptr: Tensor,
    indices: Tensor,
    values: Tensor,
    codes: Tensor,
    prior: Prior,
    gram: Gram | None = None,
) -> tuple[Tensor, Tensor]:
    """Solve the ridge regression of every decoded row.

    Parameters
    ----------
    indptr, indices : Tensor of int64
        Compressed decoded rows; indices are rows of ``codes``.
    values : Tensor of shape (nnz,)
        Ratings, in the dtype of ``codes``.
    codes : Tensor of shape (n_encoded, k)
    prior : Prior
        What a row without observed cells gets.
    gram : Gram or None
        Of the codes; None makes it. Give it where rows are solved in several calls.

    Returns
    -------
    weights : Tensor of shape (n_decoded, k)
    biases : Tensor of shape (n_decoded,)
    """
    n_rows, n_units = len(indptr) - 1, codes.shape[1]
    weights = prior.weight.repeat(n_rows, 1)
    biases = values.new_full((n_rows,), prior.bias)
    if not len(values):
        return weights, biases
    if len(indices) < len(codes):
        expected = codes[indices] @ prior.weight + prior.bias
    else:
        expected = (codes @ prior.weight)[indices] + prior.bias
    residuals = values - expected
    gram = Gram.of(codes, indptr) if gram is None else gram
    # Rows with few cells are combinations of their codes; these are the coefficients.
    duals = torch.zeros_like(values)
    for rows, cells in _groups(indptr, n_units):
        observed = cells >= 0
        columns = torch.where(observed, indices[cells], len(codes))
        # Two right-hand sides, the residuals and a column of ones, give the row for any bias;
        # the best bias then follows from one scalar equation.
        y = torch.stack((residuals[cells] * observed, observed.to(codes.dtype)), dim=-1)
        is_wide = _is_wide(columns, n_units)
        if is_wide:
            solved = _solve(gram.among(columns), y, prior.penalty)
            left_over = prior.penalty * solved.sum(dim=1)
        else:
            z = gram.take(columns)
            solved = _solve(z.transpose(1, 2) @ z, z.transpose(1, 2) @ y, prior.penalty)
            left_over = (y - z @ solved).sum(dim=1)
        shift = left_over[:, 0] / (left_over[:, 1] + prior.bias_penalty)
        solved = solved[..., 0] - shift[:, None] * solved[..., 1]
        if is_wide:
            duals[cells[observed]] = solved[observed]
        else:
            weights[rows] += solved
        biases[rows] += shift
    return weights + bag_sum(indptr, indices, duals, codes), biases


def relative_variances(
    indptr: Tensor,
    indices: Tensor,
    codes: Tensor,
    prior: Prior,
    at_indptr: Tensor,
    at_indices: Tensor,
    at_codes: Tensor,
) -> Tensor:
    """Posterior variance of decoded rows' predictions, over the variance of the noise.

    With ``A`` the Hessian of a row's objective over its weights and bias, halved, the prediction
    for a code ``z`` has the variance ``(z, 1)' A^-1 (z, 1)`` times the noise.

    Parameters
    ----------
    indptr, indices : Tensor of int64
        Compressed decoded rows; indices are rows of ``codes``.
    codes : Tensor of shape (n_encoded, k)
    prior : Prior
        With ``bias_penalty > 0``.
    at_indptr, at_indices : Tensor of int64
        Which predictions of each decoded row are asked for; indices are rows of ``at_codes``.
    at_codes : Tensor of shape (n, k)

    Returns
    -------
    Tensor of shape (len(at_indices),)
    """

    def features(z: Tensor) -> Tensor:
        # In these the prior is the unit Gaussian.
        bias = z.new_full((len(z), 1), prior.bias_penalty**-0.5)
        return torch.cat((z * prior.penalty**-0.5, bias), dim=1)

    known, asked = features(codes), features(at_codes)
    variances = asked.square().sum(dim=1)[at_indices]
    wanted = at_indptr.diff() > 0
    gram = Gram.of(known, indptr)
    for rows, cells in _groups(indptr, known.shape[1], wanted):
        columns = torch.where(cells >= 0, indices[cells], len(known))
        z = gram.take(columns)
        is_wide = _is_wide(columns, known.shape[1])
        inner = gram.among(columns) if is_wide else z.transpose(1, 2) @ z
        inner.diagonal(dim1=1, dim2=2).add_(1)
        factors, is_positive = _cholesky(inner)
        if not is_positive.all():
            factors[~is_positive] = _cholesky(inner[~is_positive].double())[0].to(inner.dtype)
        for i, row in enumerate(rows.tolist()):
            part = slice(int(at_indptr[row]), int(at_indptr[row + 1]))
            right = asked[at_indices[part]].t()
            if is_wide:
                right = torch.linalg.solve_triangular(factors[i], z[i] @ right, upper=False)
                variances[part] -= right.square().sum(dim=0)
            else:
                right = torch.linalg.solve_triangular(factors[i], right, upper=False)
                variances[part] = right.square().sum(dim=0)
    # Rounding may leave less than nothing of a large prior variance.
    return variances.clamp(min=0)


@dataclass(frozen=True)
class Gram:
    """Inner products of codes, all at once where that pays; a zero code stands for padding.

    ``of`` takes the compressed rows that will be solved.
    """

    codes: Tensor
    products: Tensor | None

    @classmethod
    def of(cls, codes: Tensor, indptr: Tensor) -> Gram:
        if len(indptr) == 2:
            return cls(codes, None)  # one row needs no padding
        codes = torch.cat((codes, codes.new_zeros(1, codes.shape[1])))
        size = len(codes) ** 2
        pays = size <= min(_GRAM, int(indptr.diff().square().sum()))
        return cls(codes, codes @ codes.t() if pays else None)

    def take(self, columns: Tensor) -> Tensor:
        """Codes of a group: (n_rows, length, k)."""
        taken = self.codes.index_select(0, columns.flatten())
        return taken.view(*columns.shape, self.codes.shape[1])

    def among(self, columns: Tensor) -> Tensor:
        """Inner products within each row of a group: (n_rows, length, length)."""
        if self.products is None:
            codes = self.take(columns)
            return codes @ codes.transpose(1, 2)
        return self.products[columns[:, :, None], columns[:, None, :]]


def _groups(
    indptr: Tensor, n_units: int, wanted: Tensor | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batch the rows that have observed cells by similar length, in bounded memory.

    Yields the rows and the positions of their cells, (n_rows, length), -1 for padding.
    """
    lengths = indptr.diff() if wanted is None else indptr.diff() * wanted
    lengths, rows = lengths.sort(stable=True)
    start = int((lengths == 0).sum())
    while start < len(rows):
        # The shortest row of a group sets how long its longest may be: little padding.
        limit = int(lengths[start]) * 21 // 20 + 4
        stop = int(torch.searchsorted(lengths, limit, right=True))
        longest = int(lengths[stop - 1])
        stop = min(stop, start + max(1, _CHUNK // (longest * max(n_units, longest))))
        group, longest = rows[start:stop], int(lengths[stop - 1])
        offsets = torch.arange(longest, device=indptr.device)
        cells = indptr[group, None] + offsets
        yield group, torch.where(offsets < lengths[start:stop, None], cells, -1)
        start = stop


def _is_wide(columns: Tensor, n_units: int) -> bool:
    """Whether the rows of a group are better solved through their cells than through units."""
    return columns.shape[1] * 5 <= n_units * 6


def _cholesky(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Factors of a batch of matrices, and for which of them rounding left that possible."""
    if matrices.dtype == torch.float32:
        matrices = hardshrink(matrices, _NEGLIGIBLE)
    factors, info = torch.linalg.cholesky_ex(matrices)
    return factors, info == 0


def _solve(matrices: Tensor, right: Tensor, penalty: float) -> Tensor:
    """Solve ``(matrix + penalty I) x = right`` for a batch; ``matrices`` are overwritten.

    Factored in single precision, which is twice as fast, and then refined; in double precision
    where single was not enough.
    """
    matrices.diagonal(dim1=1, dim2=2).add_(penalty)
    factors, is_good = _cholesky(matrices.float())
    solved = torch.cholesky_solve(right.float(), factors).to(right.dtype)
    if right.dtype == torch.float64:
        error = right - matrices @ solved
        is_good &= (error.abs().amax(dim=1) <= _REFINABLE * right.abs().amax(dim=1)).all(dim=1)
        # Refining squares the relative error.
        solved += torch.cholesky_solve(error.float(), factors)
    if not is_good.all():
        exact = _cholesky(matrices[~is_good].double())[0]
        solved[~is_good] = torch.cholesky_solve(right[~is_good].double(), exact).to(right.dtype)
    return solved


def bias_penalty(residuals: np.ndarray, rows: np.ndarray) -> float:
    """Estimate how strongly row biases should be shrunk: noise variance over bias variance.

    The moment estimator of one-way analysis of variance (Searle, Casella and McCulloch, Variance
    Components, 1992, chapter 3) for rows of unequal length.

    Parameters
    ----------
    residuals : ndarray of shape (nnz,)
        What the mean row leaves of each rating.
    rows : ndarray of int of shape (nnz,)
        Row of each rating.

    Returns
    -------
    float
        Between 0.1 and 20: where rows seem to differ no more than by chance, a bias shrunk by
        20 pseudo-ratings costs little, and one held at the mean harms rows that do differ.
    """
    counts = np.bincount(rows)
    sums = np.bincount(rows, residuals)[counts > 0]
    counts = counts[counts > 0]
    total = counts.sum()
    between = np.square(sums) / counts
    within = (residuals @ residuals - between.sum()) / max(1, total - len(counts))
    effective = total - np.square(counts).sum() / total
    variance = (between.sum() - len(counts) * within) / max(effective, 1.0)
    return float(np.clip(within / max(variance, 1e-12), 0.1, 20.0))
