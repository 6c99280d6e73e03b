"""Decoded rows in closed form.

Given the codes ``z`` of the encoded side, the objective separates over the decoded rows, and each
row ``(w, b)`` is the minimiser of

    sum over observed (r - w.z - b)^2 + penalty ||w - w0||^2 + bias_penalty (b - b0)^2 .

With ``penalty = lambd / 2``, ``w0 = 0`` and ``bias_penalty = 0`` this is equation 2 of the paper.
Where ratings have weights, these multiply the squares: the code, the rating and the one of the bias
are multiplied by the root of the weight.
A code may differ from cell to cell: a rating must not be explained by itself (see `codes`).
Rows are solved in batches of similar length; a row with ``n`` observed cells and ``k`` code units
costs ``min(n, k)^3``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import hardshrink

from .forks import cached_property

__all__ = [
    "Codes",
    "Prior",
    "Solved",
    "System",
    "bias_penalty",
    "contributions",
    "groups",
    "make_system",
    "pieces",
    "relative_variances",
    "solve_rows",
]

# Elements of the largest temporary: 8 MB in float64.
_CHUNK = 2**20
# Elements of the largest temporary of a row alone, which is cut into pieces beyond.
_LONG = 2**24
# Elements this small, which codes that hardly differ leave beside the penalty on the diagonal, are
# zero in single precision: products of them are too small for it, which makes a factorisation
# twenty times as slow.
_NEGLIGIBLE = 1e-18
# Error, relative to the right-hand side, that so many steps of refinement mend.
_REFINABLE, _REFINEMENTS = 1e-4, 2
# Below this the root of a weight is none, and what is left of its rating does not matter.
_LEAST_ROOT = 1e-30


class Codes(Protocol):
    """The code that each observed cell of the decoded rows is solved on."""

    @property
    def width(self) -> int:
        """Elements of the largest temporary that `take` needs for a cell."""

    def take(self, rows: Tensor, cells: Tensor) -> Tensor:
        """Codes of a group of decoded rows, zero for padding.

        Parameters
        ----------
        rows : Tensor of int64 of shape (n_rows,)
        cells : Tensor of int64 of shape (n_rows, length)
            Positions of their cells, -1 for padding.

        Returns
        -------
        Tensor of shape (n_rows, length, k)
            The caller may overwrite it.
        """


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


@dataclass(frozen=True)
class Solved:
    """Decoded rows, and what they leave of each of their ratings.

    Attributes
    ----------
    weights : Tensor of shape (n_rows, k)
    biases : Tensor of shape (n_rows,)
    left_over : Tensor of shape (nnz,)
    """

    weights: Tensor
    biases: Tensor
    left_over: Tensor


def solve_rows(
    indptr: Tensor, values: Tensor, codes: Codes, prior: Prior, roots: Tensor | None = None
) -> Solved:
    """Solve the ridge regression of every decoded row.

    Parameters
    ----------
    indptr : Tensor of int64 of shape (n_rows + 1,)
        Where the cells of each row begin.
    values : Tensor of shape (nnz,)
        Ratings, in the dtype of the codes.
    codes : Codes
    prior : Prior
        What a row without observed cells gets.
    roots : Tensor of shape (nnz,) or None
        Square roots of the weights of the ratings; None where all are 1.

    Returns
    -------
    Solved
    """
    n_rows = len(indptr) - 1
    weights = prior.weight.repeat(n_rows, 1)
    biases = values.new_full((n_rows,), prior.bias)
    left_over = torch.empty_like(values)
    for rows, cells in groups(indptr, codes.width):
        # 1. The rows' distance from the prior, which explains what the prior leaves of the ratings.
        system = make_system(codes, rows, cells, values, prior, roots)
        (solved,), (shift,) = system.solve(prior.penalty, [prior.bias_penalty])
        weights[rows] += solved
        biases[rows] += shift
        # 2. What the rows leave of the ratings in turn.
        for some, z, y in system.blocks():
            left = y[..., 0] - (z @ solved[..., None])[..., 0] - shift[:, None] * y[..., 1]
            if roots is not None:
                left /= y[..., 1].clamp(min=_LEAST_ROOT)
            left_over[some[some >= 0]] = left[some >= 0]
    return Solved(weights, biases, left_over)


class System(Protocol):
    """The normal equations of a group of rows around their prior.

    There are two right-hand sides: what the prior leaves of the ratings, and a column of ones. They
    give the row for a bias of 0, and how it moves per unit of bias; the best bias then follows from
    one scalar equation. Codes and right-hand sides are multiplied by the roots of the weights,
    which are what is left of the column of ones.
    """

    def solve(
        self, penalty: float, bias_penalties: list[float]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return how far the rows are from the prior, for some strengths of the bias' prior.

        Weights of shape (n_rows, k) and biases of shape (n_rows,), for each of them.
        """

    def blocks(self) -> Iterable[tuple[Tensor, Tensor, Tensor]]:
        """Return the cells in blocks that fit into memory.

        Their positions of shape (n_rows, length), codes (n_rows, length, k) and right-hand sides
        (n_rows, length, 2).
        """


def make_system(
    codes: Codes,
    rows: Tensor,
    cells: Tensor,
    values: Tensor,
    prior: Prior,
    roots: Tensor | None = None,
) -> System:
    """Set up the equations of a group that `groups` gave."""
    system = _LongSystem(codes, rows, cells, values, prior, roots)
    if len(pieces(cells, codes.width)) > 1:
        return system
    (block,) = system.blocks()
    return _ShortSystem.of(*block)


@dataclass(frozen=True)
class _ShortSystem:
    """See `System`: of rows whose codes are kept, set up through their cells or through the units.

    Attributes
    ----------
    cells, z, y : Tensor
        What `blocks` returns.
    sides : Tensor
        ``z`` where a row has few cells, else its transpose.
    inner : Tensor of float32
        Inner products of ``sides``: of cells (n_rows, length, length) or of units (n_rows, k, k).
    """

    cells: Tensor
    z: Tensor
    y: Tensor
    sides: Tensor
    inner: Tensor

    @classmethod
    def of(cls, cells: Tensor, z: Tensor, y: Tensor) -> _ShortSystem:
        """Set up the equations, through the fewer."""
        sides = z if _few(z) else z.transpose(1, 2)
        single = sides.float()
        return cls(cells, z, y, sides, single @ single.transpose(1, 2))

    def blocks(self) -> Iterable[tuple[Tensor, Tensor, Tensor]]:
        """See `System`."""
        return [(self.cells, self.z, self.y)]

    def solve(
        self, penalty: float, bias_penalties: list[float]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """See `System`."""
        through = self._through_cells if self.sides is self.z else self._through_units
        return _with_bias(*through(penalty), bias_penalties)

    def _through_cells(self, penalty: float) -> tuple[Tensor, Tensor]:
        """``w = z' (z z' + penalty I)^-1 y``, and the sum of what is left: ``penalty`` x duals."""
        duals = self._refined(self.y, penalty)
        return self.z.transpose(1, 2) @ duals, penalty * (duals * self.y[..., 1:]).sum(dim=1)

    def _through_units(self, penalty: float) -> tuple[Tensor, Tensor]:
        """``w = (z' z + penalty I)^-1 z' y``, and the sum of what is left."""
        solved = self._refined(self.z.transpose(1, 2) @ self.y, penalty)
        return solved, ((self.y - self.z @ solved) * self.y[..., 1:]).sum(dim=1)

    def _refined(self, right: Tensor, penalty: float) -> Tensor:
        """Solve ``(sides sides' + penalty I) x = right``.

        Set up and factored in single precision, which is twice as fast, and then refined; in double
        precision where single was not enough.
        """
        # 1. A first answer in single precision.
        shifted = self.inner.clone()
        shifted.diagonal(dim1=1, dim2=2).add_(penalty)
        factors, is_good = _cholesky(shifted)
        solved = torch.cholesky_solve(right.float(), factors).to(right.dtype)
        # 2. Its error is computed in double precision and solved for, which multiplies the relative
        #    error by the first one each time.
        if right.dtype == torch.float64:
            largest = right.abs().amax(dim=1)
            for step in range(_REFINEMENTS):
                error = right - self.sides @ (self.sides.transpose(1, 2) @ solved)
                error -= penalty * solved
                if step == 0:
                    is_good &= (error.abs().amax(dim=1) <= _REFINABLE * largest).all(dim=1)
                solved += torch.cholesky_solve(error.float(), factors)
        # 3. Rows that this does not mend, in double precision from the start.
        if not is_good.all():
            sides = self.sides[~is_good].double()
            exact = sides @ sides.transpose(1, 2)
            exact.diagonal(dim1=1, dim2=2).add_(penalty)
            mended = torch.cholesky_solve(right[~is_good].double(), _factors(exact))
            solved[~is_good] = mended.to(right.dtype)
        return solved


class _LongSystem:
    """See `System`: of a row too long for its codes to be kept, from sums over its cells."""

    def __init__(
        self,
        codes: Codes,
        rows: Tensor,
        cells: Tensor,
        values: Tensor,
        prior: Prior,
        roots: Tensor | None,
    ) -> None:
        self.codes, self.rows, self.cells = codes, rows, cells
        self.values, self.prior, self.roots = values, prior, roots

    def blocks(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """See `System`."""
        for some in pieces(self.cells, self.codes.width):
            z = self.codes.take(self.rows, some)
            ones = _ones(some, self.roots, z.dtype)
            left = self.values[some.clamp(min=0)] - z @ self.prior.weight - self.prior.bias
            y = torch.stack((left * ones, ones), dim=-1)
            yield some, z if self.roots is None else z.mul_(ones[..., None]), y

    def solve(
        self, penalty: float, bias_penalties: list[float]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """See `System`; in double precision, in which sums over many cells keep their digits."""
        inner, right, z_sum, y_sum = self._sums
        shifted = inner.clone()
        shifted.diagonal(dim1=1, dim2=2).add_(penalty)
        solved = torch.cholesky_solve(right, _factors(shifted))
        left_over = y_sum - (z_sum @ solved)[:, 0]
        dtype = self.values.dtype
        return _with_bias(solved.to(dtype), left_over.to(dtype), bias_penalties)

    @cached_property
    def _sums(self) -> tuple[Tensor, ...]:
        """``z' z``, ``z' y``, and the sums of ``z`` and of ``y``, weighted again."""
        total: tuple[Tensor, ...] = ()
        for _, z, y in self.blocks():
            z, y = z.double(), y.double()
            transposed = z.transpose(1, 2)
            products = transposed @ z, transposed @ y
            if self.roots is not None:
                z, y = z.mul_(y[..., 1:]), y * y[..., 1:]
            sums = *products, z.sum(dim=1, keepdim=True), y.sum(dim=1)
            total = tuple(map(torch.add, total, sums)) if total else sums
        return total


def _with_bias(
    solved: Tensor, left_over: Tensor, bias_penalties: list[float]
) -> tuple[list[Tensor], list[Tensor]]:
    """Return weights and the best bias, for some strengths of the bias' prior.

    Parameters
    ----------
    solved : Tensor of shape (n_rows, k, 2)
        Weights for a bias of 0, and what each unit of bias takes off them.
    left_over : Tensor of shape (n_rows, 2)
        Sum of what these leave of the ratings, and of a column of ones: at a bias ``b`` the ratings
        leave ``left_over[0] - b left_over[1]``.
    bias_penalties : list of float
    """
    # d/db = 0: what is left at b sums to bias_penalty b.
    shifts = [left_over[:, 0] / (left_over[:, 1] + strength) for strength in bias_penalties]
    return [solved[..., 0] - shift[:, None] * solved[..., 1] for shift in shifts], shifts


def relative_variances(
    indptr: Tensor,
    codes: Codes,
    prior: Prior,
    at_indptr: Tensor,
    at_indices: Tensor,
    at_codes: Tensor,
    roots: Tensor | None = None,
) -> Tensor:
    """Posterior variance of decoded rows' predictions, over the variance of the noise.

    With ``A`` the Hessian of a row's objective over its weights and bias, halved, the prediction
    for a code ``z`` has the variance ``(z, 1)' A^-1 (z, 1)`` times the noise.

    Parameters
    ----------
    indptr : Tensor of int64 of shape (n_rows + 1,)
        Where the observed cells of each row begin.
    codes : Codes
        What they are solved on.
    prior : Prior
        With ``bias_penalty > 0``.
    at_indptr, at_indices : Tensor of int64
        Which predictions of each decoded row are asked for; indices are rows of ``at_codes``.
    at_codes : Tensor of shape (n, k)
    roots : Tensor of shape (nnz,) or None
        As in `solve_rows`.

    Returns
    -------
    Tensor of shape (len(at_indices),)
    """

    def features(z: Tensor, ones: Tensor) -> Tensor:
        # In these the prior is the unit Gaussian.
        scaled = z * prior.penalty**-0.5
        return torch.cat((scaled, ones[..., None] * prior.bias_penalty**-0.5), dim=-1)

    def of_cells(rows: Tensor, cells: Tensor) -> Tensor:
        z, ones = codes.take(rows, cells), _ones(cells, roots, at_codes.dtype)
        return features(z if roots is None else z.mul_(ones[..., None]), ones)

    queries = features(at_codes, at_codes.new_ones(len(at_codes)))
    variances = queries.square().sum(dim=1)[at_indices]
    for rows, cells in groups(indptr, codes.width, at_indptr.diff() > 0):
        # 1. Factors of the Hessian, through the cells or the units of the rows.
        cuts = pieces(cells, codes.width)
        blocks = (of_cells(rows, some) for some in cuts)
        factors, z = _hessian(blocks, is_whole=len(cuts) == 1)
        # 2. Row by row, since each has other predictions: the prior variance less what the cells
        #    explain, or the quadratic form itself.
        for i, row in enumerate(rows.tolist()):
            part = slice(int(at_indptr[row]), int(at_indptr[row + 1]))
            right = queries[at_indices[part]].t()
            if z is not None:
                right = torch.linalg.solve_triangular(factors[i], z[i] @ right, upper=False)
                variances[part] -= right.square().sum(dim=0)
            else:
                right = torch.linalg.solve_triangular(factors[i], right, upper=False)
                variances[part] = right.square().sum(dim=0)
    # Rounding may leave less than nothing of a large prior variance.
    return variances.clamp(min=0)


def contributions(
    indptr: Tensor,
    values: Tensor,
    codes: Codes,
    prior: Prior,
    code: Tensor,
    roots: Tensor | None = None,
) -> Tensor:
    """What each rating of decoded rows adds to what they predict for a code.

    With ``A`` as in `relative_variances`, a row is the prior plus the sum over its ratings of
    ``A^-1 (z_j, 1)`` times its weight and what the prior leaves of it. So for a code ``z`` rating
    ``j`` adds ``(z, 1)' A^-1 (z_j, 1)`` times these.

    Parameters
    ----------
    indptr, values, codes, prior, roots
        As in `solve_rows`; with ``bias_penalty > 0``.
    code : Tensor of shape (k,)

    Returns
    -------
    Tensor of shape (nnz,)
        A row's predictions are those of the prior plus the sum over its ratings.
    """
    penalties = torch.full_like(code, prior.penalty), code.new_tensor([prior.bias_penalty])
    scale = torch.cat(penalties).rsqrt()

    def features(z: Tensor, ones: Tensor) -> Tensor:
        # In these the prior is the unit Gaussian.
        return torch.cat((z, ones), dim=-1) * scale

    query = features(code, code.new_ones(1))[:, None]
    added = torch.empty_like(values)
    for rows, cells in groups(indptr, codes.width):
        system = make_system(codes, rows, cells, values, prior, roots)
        blocks = (features(z, y[..., 1:]) for _, z, y in system.blocks())
        is_whole = len(pieces(cells, codes.width)) == 1
        factors, of_cells = _hessian(blocks, is_whole)
        # The prediction's slope in each rating, or through the units what it is the product of.
        solved = torch.cholesky_solve(query if of_cells is None else of_cells @ query, factors)
        for some, z, y in system.blocks():
            slopes = features(z, y[..., 1:]) @ solved if of_cells is None else solved
            products = slopes[..., 0] * y[..., 0]
            added[some[some >= 0]] = products[some >= 0]
    return added


def _hessian(blocks: Iterable[Tensor], is_whole: bool) -> tuple[Tensor, Tensor | None]:
    """Factor the Hessian of some rows, whose prior is the unit Gaussian.

    Parameters
    ----------
    blocks : iterable of Tensor of shape (n_rows, length, k + 1)
        Features of their cells, a block at a time.
    is_whole : bool
        Whether there is one block only.

    Returns
    -------
    factors : Tensor
        Through the units or, of rows with few cells, through these.
    z : Tensor or None
        The features where it is through the cells.
    """
    remaining = iter(blocks)
    z = next(remaining)
    through_cells = is_whole and _few(z)
    inner = z @ z.transpose(1, 2) if through_cells else z.transpose(1, 2) @ z
    for other in remaining:
        inner += other.transpose(1, 2) @ other
    inner.diagonal(dim1=1, dim2=2).add_(1)
    factors, is_positive = _cholesky(inner)
    if not is_positive.all():
        factors[~is_positive] = _factors(inner[~is_positive].double()).to(inner.dtype)
    return factors, z if through_cells else None


def _ones(cells: Tensor, roots: Tensor | None, dtype: torch.dtype) -> Tensor:
    """The column of ones of some cells, times the roots of their weights; zero for padding."""
    observed = (cells >= 0).to(dtype)
    return observed if roots is None else observed.mul_(roots[cells.clamp(min=0)])


def groups(
    indptr: Tensor, width: int, chosen: Tensor | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batch the rows that have observed cells by similar length, in bounded memory.

    Yields the rows and the positions of their cells, (n_rows, length), -1 for padding.
    """
    lengths = indptr.diff() if chosen is None else indptr.diff() * chosen
    lengths, rows = lengths.sort(stable=True)
    start = int((lengths == 0).sum())
    while start < len(rows):
        # The shortest row of a group sets how long its longest may be: little padding.
        limit = int(lengths[start]) * 21 // 20 + 4
        stop = int(torch.searchsorted(lengths, limit, right=True))
        longest = int(lengths[stop - 1])
        stop = min(stop, start + max(1, _CHUNK // (longest * max(width, longest))))
        group, longest = rows[start:stop], int(lengths[stop - 1])
        offsets = torch.arange(longest, device=indptr.device)
        cells = indptr[group, None] + offsets
        yield group, torch.where(offsets < lengths[start:stop, None], cells, -1)
        start = stop


def pieces(cells: Tensor, width: int) -> tuple[Tensor, ...]:
    """Cut the cells of a row that is too long for the memory, of a group of rows none.

    Parameters
    ----------
    cells : Tensor of shape (n_rows, length)
        From `groups`.
    width : int
        Elements that each needs.
    """
    return cells.split(max(1, _LONG // (width * len(cells))), dim=1)


def _few(z: Tensor) -> bool:
    """Whether the rows of a group are better solved through their cells than through units."""
    return z.shape[1] * 5 <= z.shape[2] * 6


def _cholesky(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Factors of a batch of matrices, and for which of them rounding left that possible."""
    if matrices.dtype == torch.float32:
        matrices = hardshrink(matrices, _NEGLIGIBLE)
    factors, info = torch.linalg.cholesky_ex(matrices)
    return factors, info == 0


def _factors(matrices: Tensor) -> Tensor:
    """Factors in double precision, of matrices whose diagonals are changed.

    Where rounding leaves a matrix indefinite, as a penalty does that is far below it, the diagonal
    is raised by the rounding, which is enough: Higham (2002), theorem 10.7.
    """
    factors, is_good = _cholesky(matrices)
    if not is_good.all():
        diagonal = matrices.diagonal(dim1=1, dim2=2)
        rounding = 2 * (matrices.shape[1] + 1) ** 2 * torch.finfo(matrices.dtype).eps
        diagonal += rounding * diagonal.amax(dim=1, keepdim=True)
        factors = _cholesky(matrices)[0]
    return factors


def bias_penalty(
    residuals: np.ndarray, rows: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Estimate how strongly row biases should be shrunk: noise variance over bias variance.

    The moment estimator of one-way analysis of variance (Searle, Casella and McCulloch, Variance
    Components, 1992, chapter 3) for rows of unequal length.

    Parameters
    ----------
    residuals : ndarray of shape (nnz,)
        What the mean row leaves of each rating.
    rows : ndarray of int of shape (nnz,)
        Row of each rating.
    weights : ndarray of shape (nnz,) or None
        How often each rating counts. A row of less than one rating in all is that part of a row.

    Returns
    -------
    float
        Between 0.1 and 20: where rows seem to differ no more than by chance, a bias shrunk by
        20 pseudo-ratings costs little, and one held at the mean harms rows that do differ.
    """
    weighted = residuals if weights is None else weights * residuals
    counts = np.bincount(rows, weights)
    sums = np.bincount(rows, weighted)[counts > 0]
    counts = counts[counts > 0]
    total, n_rows = counts.sum(), counts.clip(max=1).sum()
    between = np.square(sums) / counts
    within = (weighted @ residuals - between.sum()) / max(1, total - n_rows)
    effective = total - np.square(counts).sum() / total
    variance = (between.sum() - n_rows * within) / max(effective, 1.0)
    return float(np.clip(within / max(variance, 1e-12), 0.1, 20.0))
