"""How strongly decoded rows are drawn to their prior, measured on ratings that no code has seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .codes import Sums
from .draws import Draws
from .encoder import Encoder, Observed
from .matrix import effective_weights, rows_of_cells
from .ridge import groups, make_system

__all__ = ["choose_penalties"]

# Held-out ratings of the decoded rows that are solved for the choice.
_N_CELLS = 6000
# Penalties that are tried, over the usual one, and penalties of biases. Each of the first costs a
# factorisation of every row, so only these are tried at first; more where the best is outermost.
_PENALTIES = [4.0**power for power in range(-4, 4)]
_AT_FIRST = [3, 4, 5]
_BIAS_PENALTIES = [4.0**power for power in range(-3, 4)]
# A choice this many octaves from the usual penalty has to be better by one standard deviation of
# the logarithm of the likelihood's prior; so where few ratings are held out, it is the usual one.
_OCTAVES = 2.0


def choose_penalties(
    encoder: Encoder,
    observed: Observed,
    sums: Sums,
    heldout: scipy.sparse.csr_array,
    base: np.ndarray,
    draws: Draws,
    penalty: float | None = None,
    weights: np.ndarray | None = None,
) -> Encoder:
    """Return the encoder with the penalties that predict held-out ratings of decoded rows best.

    Parameters
    ----------
    encoder : Encoder
        With the usual penalties.
    observed : Observed
        What the decoded rows are solved from.
    sums : Sums
        Of the encoded rows.
    heldout : csr_array of shape (n_decoded, n_encoded)
        Other ratings of the decoded rows.
    base : ndarray of shape (heldout.nnz,)
        What another model predicts of them already; zero where there is none.
    draws : Draws
        Choose the decoded rows.
    penalty : float or None
        Penalty to use; None chooses that too.
    weights : ndarray of shape (heldout.nnz,) or None
        How often each held-out rating counts.
    """
    rows = _some_rows(observed.ratings, heldout, draws, weights)
    is_taken = np.repeat(np.isin(np.arange(heldout.shape[0]), rows), np.diff(heldout.indptr))
    observed, heldout, base = observed.take(rows), heldout[rows], base[is_taken]
    weights = np.ones(heldout.nnz) if weights is None else weights[is_taken]
    if not heldout.nnz:
        return encoder if penalty is None else replace(encoder, penalty=penalty)
    penalties = [penalty] if penalty else [encoder.penalty * factor for factor in _PENALTIES]
    bias_penalties = [encoder.bias_penalty * factor for factor in _BIAS_PENALTIES]
    misfit = np.full((len(penalties), len(bias_penalties)), np.inf)
    tried, n = [0] if penalty else _AT_FIRST, weights.sum()
    while tried:
        squares = np.zeros((len(tried), len(bias_penalties)))
        strengths = [penalties[i] for i in tried]
        for predicted, cells in _predictions(
            encoder, observed, sums, heldout, strengths, bias_penalties
        ):
            errors = np.clip(base[cells] + predicted, 1, 5) - heldout.data[cells]
            squares += (weights[cells] * np.square(errors)).sum(axis=-1)
        misfit[tried] = n / 2 * np.log(squares + n * 1e-6)
        misfit[tried] += _distance(strengths, encoder.penalty)[:, None]
        misfit[tried] += _distance(bias_penalties, encoder.bias_penalty)
        best = int(misfit.min(axis=1).argmin())
        tried = [i for i in (best - 1, best + 1) if 0 <= i < len(misfit) and misfit[i, 0] == np.inf]
    i, j = np.unravel_index(misfit.argmin(), misfit.shape)
    return replace(
        encoder,
        penalty=_lowest(penalties, misfit[:, j], int(i)),
        bias_penalty=_lowest(bias_penalties, misfit[i], int(j)),
    )


def _distance(strengths: list[float], usual: float) -> np.ndarray:
    """How far strengths are from the usual one, as the logarithm of their prior."""
    distance: np.ndarray = np.square(np.log2(np.divide(strengths, usual)) / _OCTAVES) / 2
    return distance


def _some_rows(
    ratings: scipy.sparse.csr_array,
    heldout: scipy.sparse.csr_array,
    draws: Draws,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Decoded rows with ratings, in random order until enough of theirs are held out."""
    order = draws.order(ratings.shape[0])
    useful = order[(np.diff(ratings.indptr) > 0)[order] & (np.diff(heldout.indptr) > 0)[order]]
    shares = effective_weights(weights, heldout.nnz)
    n_cells = np.cumsum(np.bincount(rows_of_cells(heldout), shares, len(order))[useful])
    return np.sort(useful[: np.searchsorted(n_cells, _N_CELLS) + 1])


def _lowest(values: list[float], misfit: np.ndarray, i: int) -> float:
    """Lowest point of the parabola through the lowest misfit and its neighbours, in logarithms."""
    if not 0 < i < len(values) - 1:
        return values[i]
    left, middle, right = misfit[i - 1 : i + 2]
    step = (left - right) / (2 * (left - 2 * middle + right)) if left + right > 2 * middle else 0.0
    return float(values[i] * (values[i + 1] / values[i]) ** step)


def _predictions(
    encoder: Encoder,
    observed: Observed,
    sums: Sums,
    heldout: scipy.sparse.csr_array,
    penalties: list[float],
    bias_penalties: list[float],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Predict held-out ratings for several strengths of the prior.

    Yields for some of them predictions of shape (len(penalties), len(bias_penalties), n), and their
    positions.
    """
    layers, prior = encoder.layers(torch.float32), encoder.prior(torch.float32)
    used = np.unique(heldout.indices)
    some = encoder.codes(sums[used])
    at_codes = torch.tensor(np.vstack((some.factors, np.zeros(some.factors.shape[1]))))
    at_codes = at_codes.float()
    where = np.searchsorted(used, heldout.indices)
    for rows, _, block in observed.blocks():
        indptr, values, codes = encoder.problem(layers, block, sums)
        roots = block.roots(torch.float32)
        ends = torch.tensor(heldout.indptr[rows.start : rows.stop + 1], dtype=torch.int64)
        for group, cells in groups(indptr, codes.width):
            system = make_system(codes, group, cells, values, prior, roots)
            at = _padded(ends, group)
            is_real = at >= 0
            positions = at[is_real].numpy()
            columns = torch.full(at.shape, len(used))
            columns[is_real] = torch.from_numpy(where[positions])
            heldout_codes = at_codes[columns]
            plain = heldout_codes @ prior.weight + prior.bias
            predicted = np.empty((len(penalties), len(bias_penalties), len(positions)))
            for p, penalty in enumerate(penalties):
                solved, shifts = system.solve(penalty, bias_penalties)
                for q, (weights, shift) in enumerate(zip(solved, shifts, strict=True)):
                    score = plain + (heldout_codes @ weights[..., None])[..., 0]
                    score += shift[:, None]
                    predicted[p, q] = score[is_real].numpy()
            if not encoder.on_residuals:
                predicted += some.bias[where[positions]]
            yield predicted, positions


def _padded(ends: Tensor, rows: Tensor) -> Tensor:
    """Positions of the cells of some compressed rows, -1 for padding."""
    starts, lengths = ends[rows], ends.diff()[rows]
    offsets = torch.arange(int(lengths.max()))
    return torch.where(offsets < lengths[:, None], starts[:, None] + offsets, -1)
