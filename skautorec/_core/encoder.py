"""A trained encoder: it encodes rows, and solves decoded rows on their codes in closed form.

Everything it holds is numpy, so it pickles, copies and travels to machines without the device it
was trained on. Ratings are in the units of training throughout.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .codes import CellCodes, Layers, Sums
from .draws import Draws
from .encoding import Encoding, row_blocks
from .export import DenseAutoRec
from .isolation import isolated
from .journal import Arrays, Journal, Kept
from .matrix import (
    ReadTable,
    Table,
    effective_weights,
    rows_of_cells,
    select,
    transposed,
    with_values,
)
from .network import ACTIVATIONS, AutoRec
from .ridge import (
    Prior,
    bias_penalty,
    contributions,
    groups,
    pieces,
    relative_variances,
    solve_rows,
)
from .scores import Embeddings, shared_tensor
from .solvers import STOCHASTIC
from .sparse import bag_sum
from .training import Batch, History, Progress, Settings, initialise, train

__all__ = ["Encoder", "Observed", "Problem", "by_decoded", "train_encoder"]

# Usual penalty of decoded rows over lambd / 2, and that of rows fitted to what another model left;
# and usual penalty of the latter's biases. Where ratings are held out they choose around these.
PENALTY_FACTOR = 1.0
RESIDUAL_PENALTY_FACTOR = 2.0
RESIDUAL_BIAS_PENALTY = 50.0
# Rating, in stars, that is expected where what was known is forgotten.
_MIDDLE = 3.0
# Most elements of the codes that are computed at a time.
_CHUNK = 2**20
# Rows in a batch, and least number of batches, where no size is given.
_BATCH_SIZE, _LEAST_BATCHES = 1024, 4
# Held-out cells that are predicted after each epoch.
_N_VALIDATION = 10_000


@dataclass(frozen=True)
class Observed:
    """Ratings of decoded rows, and what of them the encoded rows were given.

    Attributes
    ----------
    ratings : csr_array of shape (n_decoded, n_encoded)
        What the decoded rows are solved from.
    own : ndarray of shape (ratings.nnz,) or None
        The rating at each cell that its encoded row was given, which must not explain itself; NaN
        where it was given none. None where that holds of all.
    columns : ndarray of int of shape (n_decoded,) or None
        Column of the encoder's input that belongs to each decoded row; None is their order.
    weights : ndarray of shape (ratings.nnz,) or None
        How much each rating counts, and did in its encoded row where that was given it; None where
        all count 1.
    """

    ratings: scipy.sparse.csr_array
    own: np.ndarray | None = None
    columns: np.ndarray | None = None
    weights: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Observed:
        """Only some rows."""
        cells = np.repeat(
            np.isin(np.arange(self.ratings.shape[0]), rows), np.diff(self.ratings.indptr)
        )
        own, weights = self._of_cells(cells)
        return Observed(
            self.ratings[rows], own, rows if self.columns is None else self.columns[rows], weights
        )

    def only(self, rows: np.ndarray) -> Observed:
        """Leave the rows that a mask does not choose without ratings."""
        cells = np.repeat(rows, np.diff(self.ratings.indptr))
        own, weights = self._of_cells(cells)
        return Observed(select(self.ratings, cells), own, self.columns, weights)

    def _of_cells(self, cells: np.ndarray | slice) -> tuple[np.ndarray | None, np.ndarray | None]:
        """``own`` and ``weights`` of some cells."""
        own = None if self.own is None else self.own[cells]
        return own, None if self.weights is None else self.weights[cells]

    def roots(self, dtype: torch.dtype) -> Tensor | None:
        """Square roots of the weights, None where all are 1."""
        return None if self.weights is None else torch.from_numpy(np.sqrt(self.weights)).to(dtype)

    def blocks(self) -> Iterator[tuple[slice, slice, Observed]]:
        """Cut into blocks of rows: the rows, their cells and the block."""
        for rows, block in row_blocks(self.ratings):
            start, stop = (int(self.ratings.indptr[end]) for end in (rows.start, rows.stop))
            own, weights = self._of_cells(slice(start, stop))
            if own is None:
                own = np.full(block.nnz, np.nan)
            if self.own is None:
                # Of rows that gave nothing there may be more than the encoder's input has columns.
                columns = np.zeros(block.shape[0], dtype=np.int64)
            elif self.columns is None:
                columns = np.arange(rows.start, rows.stop)
            else:
                columns = self.columns[rows]
            yield rows, slice(start, stop), Observed(block, own, columns, weights)


@dataclass(frozen=True)
class Encoder:
    """A trained encoder, and the ridge prior of the rows decoded from its codes.

    Attributes
    ----------
    weights, biases : list of ndarray of float32
        Layers, ``(fan_in, fan_out)`` and ``(fan_out,)``.
    activation : str
    encoding : Encoding
        How rows become inputs.
    mean_code : ndarray of shape (k,)
        Mean code of the training rows, weighted by ratings.
    prior_weight, prior_bias, penalty, bias_penalty
        Prior of a decoded row; see `ridge`.
    on_residuals : bool
        Whether decoded rows are fitted to what another model left, which knows the encoded rows'
        biases already.
    """

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    activation: str
    encoding: Encoding
    mean_code: np.ndarray
    prior_weight: np.ndarray
    prior_bias: float
    penalty: float
    bias_penalty: float
    on_residuals: bool = False

    @property
    def n_inputs(self) -> int:
        """Columns of its input."""
        return len(self.encoding.reference)

    def sums(self, ratings: scipy.sparse.csr_array, weights: np.ndarray | None = None) -> Sums:
        """First-layer sums of encoded rows, from their ratings and the weights of these, if any.

        Columns that came after the fit are past the encoder's inputs, and no part of the sums.
        """
        if ratings.shape[1] > self.n_inputs:
            is_input = ratings.indices < self.n_inputs
            ratings = select(ratings, is_input)[:, : self.n_inputs]
            weights = None if weights is None else weights[is_input]
        first = [weight.double() for weight in self.layers(torch.float64).first]
        tables = tuple(np.empty((ratings.shape[0], len(self.biases[0]))) for _ in first)
        deviations = np.empty(ratings.shape[0])
        for rows, block in row_blocks(ratings):
            given = block.data
            off, counted = given - self.encoding.reference[block.indices], np.ones(block.nnz)
            if weights is not None:
                counted = weights[ratings.indptr[rows.start] : ratings.indptr[rows.stop]]
                given, off = counted * given, counted * off
            deviations[rows] = np.bincount(rows_of_cells(block), off, block.shape[0])
            indptr, indices = (torch.tensor(some) for some in (block.indptr, block.indices))
            values = torch.from_numpy(given if len(first) == 1 else off)
            table = bag_sum(indptr, indices, values, first[0])
            if len(first) > 1:
                ones = torch.from_numpy(counted)
                table += bag_sum(indptr, indices, ones, first[1])
                tables[1][rows] = bag_sum(indptr, indices, ones, first[0]).numpy()
            tables[0][rows] = table.numpy()
        counts = np.diff(ratings.indptr).astype(np.int64)
        if weights is not None:
            counts = np.bincount(rows_of_cells(ratings), weights, ratings.shape[0])
        return Sums(tables, counts, deviations)

    def codes(self, sums: Sums) -> Embeddings:
        """Codes of encoded rows, minus the mean code, and their biases.

        The code of a row without ratings, which would be arbitrary, is the mean.
        """
        codes = np.empty((len(sums), len(self.mean_code)))
        biases = np.empty(len(sums))
        layers = self.layers(torch.float64)
        size = max(1, _CHUNK // layers.width)
        for start in range(0, len(sums), size):
            part = sums[start : start + size]
            # As the cells of one decoded row from which nothing is taken out.
            ends, own = np.array([0, len(part)]), np.full(len(part), np.nan)
            rows = np.arange(len(part))
            cells = CellCodes(layers, self.encoding, part, ends, rows, own, np.zeros(1, int))
            of_rows = cells.take(torch.zeros(1).long(), torch.tensor(rows[None]))[0]
            codes[start : start + size] = of_rows.numpy()
            biases[start : start + size] = cells.biases
        return Embeddings(codes, biases)

    def decode(
        self,
        observed: Observed,
        sums: Sums,
        dtype: torch.dtype = torch.float64,
        journal: Journal | None = None,
    ) -> tuple[Embeddings, np.ndarray]:
        """Solve decoded rows on the codes of encoded rows, and return what is left of each rating.

        Parameters
        ----------
        observed : Observed
        sums : Sums
            Of the encoded rows.
        dtype : torch.dtype
            Precision of the codes.
        journal : Journal or None
            Hears which rows are solved, and knows those that are already.

        Returns
        -------
        rows : Embeddings
        left_over : ndarray of shape (observed.ratings.nnz,)
        """
        journal = journal or Journal()
        indptr, n_units = observed.ratings.indptr, len(self.mean_code)
        n_rows = len(indptr) - 1
        weights, biases = np.empty((n_rows, n_units)), np.empty(n_rows)
        left_over = np.empty(observed.ratings.nnz)
        layers = self.layers(dtype)
        prior = self.prior(dtype)
        n_solved, kept = 0, journal.kept()
        if kept is not None:
            n_solved = min(n_rows, len(kept.take("biases", None)))
            weights[:n_solved] = kept.take("weights", n_solved, n_units)
            biases[:n_solved] = kept.take("biases", n_solved)
            n_cells = int(indptr[n_solved])
            left_over[:n_cells] = kept.take("left_over", n_cells)

        def solved_rows() -> Arrays:
            done = {"weights": weights[:n_solved], "biases": biases[:n_solved]}
            return done | {"left_over": left_over[: indptr[n_solved]]}

        for rows, where, block in observed.blocks():
            if rows.stop <= n_solved:
                continue
            ends, values, codes = self.problem(layers, block, sums)
            solved = solve_rows(ends, values, codes, prior, block.roots(dtype))
            weights[rows], biases[rows] = solved.weights.numpy(), solved.biases.numpy()
            left_over[where] = solved.left_over.numpy()
            n_solved = rows.stop
            journal.reached(solved_rows)
        return Embeddings(weights, biases), left_over

    def problem(
        self, layers: Layers, block: Observed, sums: Sums
    ) -> tuple[Tensor, Tensor, CellCodes]:
        """What the decoded rows of a block are solved from: offsets, values and codes."""
        ratings, own, columns = block.ratings, block.own, block.columns
        assert own is not None
        assert columns is not None
        is_later = columns >= self.n_inputs
        if is_later.any():
            # The encoded rows were given nothing of what came after the fit.
            own = np.where(np.repeat(is_later, np.diff(ratings.indptr)), np.nan, own)
            columns = np.where(is_later, 0, columns)
        codes = CellCodes(
            layers,
            self.encoding,
            sums,
            ratings.indptr,
            ratings.indices,
            own,
            columns,
            block.weights,
        )
        values = ratings.data if self.on_residuals else ratings.data - codes.biases
        indptr = torch.tensor(ratings.indptr, dtype=torch.int64)
        return indptr, torch.from_numpy(values).to(layers.bias.dtype), codes

    def relative_variances(
        self,
        observed: Observed,
        sums: Sums,
        cells: scipy.sparse.csr_array,
        at_codes: np.ndarray,
    ) -> np.ndarray:
        """Posterior variances of decoded rows at the stored cells of a matrix.

        In single precision, which is twice as fast and at useful penalties moves a standard
        deviation by less than a millionth of it.

        Parameters
        ----------
        observed : Observed
            What the rows were solved from.
        sums : Sums
            Of the encoded rows.
        cells : csr_array of shape (n_decoded, n_codes)
        at_codes : ndarray of shape (n_codes, k)

        Returns
        -------
        ndarray of shape (cells.nnz,)
            Relative to the variance of the noise.
        """
        variances = np.empty(cells.nnz)
        layers, prior = self.layers(torch.float32), self.prior(torch.float32)
        single_codes = shared_tensor(at_codes).float()
        for rows, _, block in observed.blocks():
            indptr, _, codes = self.problem(layers, block, sums)
            part = cells[rows]
            where = slice(int(cells.indptr[rows.start]), int(cells.indptr[rows.stop]))
            variances[where] = relative_variances(
                indptr,
                codes,
                prior,
                torch.tensor(part.indptr, dtype=torch.int64),
                torch.tensor(part.indices, dtype=torch.int64),
                single_codes,
                block.roots(torch.float32),
            ).numpy()
        return variances

    def contributions(self, observed: Observed, sums: Sums, code: np.ndarray) -> np.ndarray:
        """What each rating of decoded rows adds to what they predict for a code.

        Parameters
        ----------
        observed : Observed
            What the rows were solved from.
        sums : Sums
            Of the encoded rows.
        code : ndarray of shape (k,)

        Returns
        -------
        ndarray of shape (observed.ratings.nnz,)
            A row's prediction is that of the prior plus the sum over its ratings.
        """
        added = np.empty(observed.ratings.nnz)
        layers, prior = self.layers(torch.float64), self.prior(torch.float64)
        at_code = torch.from_numpy(code)
        for _, where, block in observed.blocks():
            indptr, values, codes = self.problem(layers, block, sums)
            roots = block.roots(torch.float64)
            added[where] = contributions(indptr, values, codes, prior, at_code, roots).numpy()
        return added

    def with_bias_penalty(self, observed: Observed, sums: Sums) -> Encoder:
        """Return it with a penalty of biases estimated from what the mean row leaves of ratings."""
        layers, prior = self.layers(torch.float32), self.prior(torch.float32)
        left_over = np.empty(observed.ratings.nnz)
        for _, where, block in observed.blocks():
            indptr, values, codes = self.problem(layers, block, sums)
            for rows, group in groups(indptr, codes.width):
                for cells in pieces(group, codes.width):
                    is_real = cells >= 0
                    expected = codes.take(rows, cells) @ prior.weight + prior.bias
                    left = (values[cells.clamp(min=0)] - expected)[is_real]
                    left_over[where][cells[is_real].numpy()] = left.numpy()
        rows_of_all = rows_of_cells(observed.ratings)
        return replace(self, bias_penalty=bias_penalty(left_over, rows_of_all, observed.weights))

    def for_residuals(self) -> Encoder:
        """Return it with a decoder to be fitted to what another model leaves of the ratings."""
        return replace(
            self,
            prior_weight=np.zeros_like(self.prior_weight),
            prior_bias=0.0,
            penalty=RESIDUAL_PENALTY_FACTOR / PENALTY_FACTOR * self.penalty,
            bias_penalty=RESIDUAL_BIAS_PENALTY,
            on_residuals=True,
        )

    def without_inputs(self, columns: np.ndarray) -> Encoder:
        """Return it without what it learned of some columns of its input, which are empty now."""
        first, reference = self.weights[0].copy(), self.encoding.reference.copy()
        for channel in range(self.encoding.n_channels):
            first[columns + channel * self.n_inputs] = 0
        reference[columns] = _MIDDLE
        encoding = replace(self.encoding, reference=reference)
        return replace(self, weights=[first, *self.weights[1:]], encoding=encoding)

    @property
    def prior_row(self) -> Embeddings:
        """One decoded row without ratings."""
        return Embeddings(self.prior_weight[None], np.array([self.prior_bias]))

    @isolated
    def to_module(
        self, decoder: Embeddings, slope: np.ndarray, low: float, high: float
    ) -> DenseAutoRec:
        """Dense module; see `DenseAutoRec` for the decoder and the range of its input."""
        biases = decoder.bias - decoder.factors @ self.mean_code
        return DenseAutoRec(
            self._network(), self.encoding, Embeddings(decoder.factors, biases), slope, low, high
        )

    def prior(self, dtype: torch.dtype) -> Prior:
        """Make the prior of decoded rows."""
        weight = torch.tensor(self.prior_weight, dtype=dtype)
        return Prior(weight, self.prior_bias, self.penalty, self.bias_penalty)

    def layers(self, dtype: torch.dtype) -> Layers:
        """Make its layers tensors of a precision."""
        weights, biases = (
            [torch.tensor(array, dtype=dtype) for array in arrays]
            for arrays in (self.weights[1:], self.biases)
        )
        return Layers(
            shared_tensor(self.weights[0]).chunk(self.encoding.n_channels),
            biases[0],
            list(zip(weights, biases[1:], strict=True)),
            ACTIVATIONS[self.activation],
            torch.tensor(self.mean_code, dtype=dtype),
        )

    def _network(self) -> AutoRec:
        network = AutoRec(
            self.n_inputs,
            0,
            [len(bias) for bias in self.biases],
            self.activation,
            self.encoding.n_channels,
        ).double()
        with torch.no_grad():
            for parameter, array in zip(network.weights, self.weights, strict=True):
                parameter.copy_(torch.tensor(array))
            for parameter, array in zip(network.biases, self.biases, strict=True):
                parameter.copy_(torch.tensor(array))
        return network


@dataclass(frozen=True)
class Problem:
    """Decoded rows to be solved: their encoder, their ratings and sums of the encoded rows."""

    encoder: Encoder
    observed: Observed
    sums: Sums

    def with_encoder(self, encoder: Encoder) -> Problem:
        """Return the same rows with other penalties."""
        return replace(self, encoder=encoder)

    def only(self, rows: np.ndarray) -> Problem:
        """Leave the decoded rows that a mask does not choose without ratings."""
        return replace(self, observed=self.observed.only(rows))

    def solve(self, dtype: torch.dtype, journal: Journal) -> tuple[Embeddings, np.ndarray]:
        """Solve it; see `Encoder.decode`."""
        return self.encoder.decode(self.observed, self.sums, dtype, journal)


def train_encoder(
    kept: ReadTable,
    heldout: ReadTable,
    settings: Settings,
    *,
    style: str,
    draws: Draws,
    device: str,
    progress: Progress,
    journal: Journal,
) -> tuple[Encoder, History]:
    """Train the network and estimate the prior of its decoded rows.

    Parameters
    ----------
    kept : callable
        Returns inputs and targets, of shape (n_encoded, n_inputs) and (n_encoded, n_decoded), as a
        `Table` with a row per encoded row. It is called again after training, so that the network
        trains without them in memory.
    heldout : callable
        Returns other targets, which say when training ends.
    settings : Settings
    style : {"ratings", "residuals"}
        See `Encoding`.
    draws : Draws
    device : str
    progress : Progress
    journal : Journal

    Returns
    -------
    encoder : Encoder
    history : History
    """
    table = kept()
    encoding = Encoding.of(table.inputs, style, table.weights)
    trained = journal.kept()
    if trained is not None:
        return _kept_encoder(trained, encoding, settings)
    batches, validation = _batches(table, heldout, encoding, settings, draws, device)
    network = AutoRec(
        table.inputs.shape[1],
        table.targets.shape[1],
        settings.hidden_units,
        settings.activation,
        encoding.n_channels,
    ).to(device)
    del table
    initialise(network, batches, draws.into("weights"))
    history = train(
        network, batches, settings, draws, progress, validation, journal.into("training")
    )
    del batches, validation
    network.zero_grad()
    encoder = _with_prior(network.cpu(), encoding, kept(), settings)
    journal.reached(partial(_arrays_of, encoder, history))
    return encoder, history


def _arrays_of(encoder: Encoder, history: History) -> Arrays:
    """What it takes to make a trained encoder again."""
    layers = {"weights": encoder.weights, "biases": encoder.biases}
    arrays = {f"{name}{i}": one for name, some in layers.items() for i, one in enumerate(some)}
    return arrays | {
        "mean_code": encoder.mean_code,
        "prior_weight": encoder.prior_weight,
        "prior": np.array([encoder.prior_bias, encoder.bias_penalty]),
        "losses": np.array(history.losses),
        "scores": np.array(history.scores),
    }


def _kept_encoder(kept: Kept, encoding: Encoding, settings: Settings) -> tuple[Encoder, History]:
    """Make a trained encoder of its arrays, from the same ratings."""
    widths = [encoding.n_channels * len(encoding.reference), *settings.hidden_units]
    n_units = widths[-1]
    prior_bias, bias_penalty = kept.take("prior", 2).tolist()
    encoder = Encoder(
        weights=[
            kept.take(f"weights{i}", *shape, dtypes="f4")
            for i, shape in enumerate(itertools.pairwise(widths))
        ],
        biases=[kept.take(f"biases{i}", n, dtypes="f4") for i, n in enumerate(widths[1:])],
        activation=settings.activation,
        encoding=encoding,
        mean_code=kept.take("mean_code", n_units),
        prior_weight=kept.take("prior_weight", n_units, dtypes="f4 f8"),
        prior_bias=prior_bias,
        penalty=PENALTY_FACTOR * settings.lambd / 2,
        bias_penalty=bias_penalty,
    )
    losses = kept.take("losses", None).tolist()
    n_watched = len(losses) if kept.array("scores").size else 0
    return encoder, History(losses, kept.take("scores", n_watched).tolist())


def _batches(
    table: Table,
    heldout: ReadTable,
    encoding: Encoding,
    settings: Settings,
    draws: Draws,
    device: str,
) -> tuple[list[Batch], list[Batch]]:
    """Cut what is trained on and, where there is any, validated on into batches of rows."""
    n_rows = table.inputs.shape[0]
    n_parts = -(-n_rows // settings.batch_size) if settings.batch_size else 1
    if settings.batch_size is None and settings.solver in STOCHASTIC:
        # Small sets need more than a step an epoch too.
        n_parts = max(_LEAST_BATCHES, -(-n_rows // _BATCH_SIZE))
    order = draws.into("rows").order(n_rows)
    parts = [np.sort(part) for part in np.array_split(order, n_parts)]

    def cut(asked: Table, parts: list[np.ndarray]) -> list[Batch]:
        batches = []
        lengths = np.diff(asked.targets.indptr)
        for part in parts:
            rows = part[lengths[part] > 0]
            some = table.inputs[rows]
            to_predict = some if asked.targets is table.inputs else asked.targets[rows]
            if to_predict.nnz:
                weights = table.weights_of(rows), asked.weights_of(rows)
                batches.append(Batch.of(rows, some, to_predict, encoding, device, *weights))
        return batches

    cells = _some_rows(heldout(), draws.into("validation"))
    # One cell has no variance to explain, so that R^2 would say nothing.
    return cut(table, parts), cut(cells, [np.sort(order)]) if cells.targets.nnz > 1 else []


def _some_rows(heldout: Table, draws: Draws) -> Table:
    """Held-out cells of as many rows as it takes to say how training goes."""
    cells = heldout.targets
    order = draws.order(cells.shape[0])
    shares = effective_weights(heldout.weights, cells.nnz)
    n_cells = np.cumsum(np.bincount(rows_of_cells(cells), shares, cells.shape[0])[order])
    chosen = np.zeros(cells.shape[0], dtype=bool)
    chosen[order[: np.searchsorted(n_cells, _N_VALIDATION) + 1]] = True
    return heldout.only(np.repeat(chosen, np.diff(cells.indptr)))


def _with_prior(network: AutoRec, encoding: Encoding, table: Table, settings: Settings) -> Encoder:
    """Return the encoder of a trained network.

    The prior of a decoded row is the mean row that training found, and biases around it.
    """
    weight, bias = _numpy(network.decoder_weight), _numpy(network.decoder_bias)
    encoder = Encoder(
        weights=[_numpy(parameter) for parameter in network.weights],
        biases=[_numpy(parameter) for parameter in network.biases],
        activation=settings.activation,
        encoding=encoding,
        mean_code=np.zeros(weight.shape[1]),
        prior_weight=np.zeros(weight.shape[1]),
        prior_bias=0.0,
        penalty=PENALTY_FACTOR * settings.lambd / 2,
        bias_penalty=1.0,
    )
    sums = encoder.sums(table.inputs, table.weights)
    # Here codes are drawn to zero as far as rows are of less than one rating.
    mean_code = sums.counts @ encoder.codes(sums).factors / (sums.counts @ sums.counts.clip(max=1))
    prior_weight, prior_bias = _mean_row(weight, bias, mean_code, table)
    encoder = replace(
        encoder, mean_code=mean_code, prior_weight=prior_weight, prior_bias=prior_bias
    )
    return encoder.with_bias_penalty(by_decoded(table, table.targets.data), sums)


def _mean_row(
    weights: np.ndarray, biases: np.ndarray, mean_code: np.ndarray, table: Table
) -> tuple[np.ndarray, float]:
    """Mean of the decoded rows with ratings; one of less than a rating counts as that part."""
    counts = np.bincount(table.targets.indices, table.weights, table.targets.shape[1])
    rated = counts > 0
    weights = weights[rated]
    biases = biases[rated] + weights @ mean_code
    if table.weights is None:
        return weights.mean(axis=0), float(biases.mean())
    shares = counts[rated].clip(max=1)
    return np.average(weights, axis=0, weights=shares), float(np.average(biases, weights=shares))


def by_decoded(table: Table, values: np.ndarray) -> Observed:
    """Turn targets in encoded rows to decoded rows, to be fitted to values at their cells.

    Where they were the encoder's inputs too, the codes hold them.
    """
    cells, order = transposed(table.targets)
    own = table.targets.data[order] if table.y is None else None
    weights = None if table.weights is None else table.weights[order]
    return Observed(with_values(cells, values[order]), own, weights=weights)


def _numpy(parameter: Tensor) -> np.ndarray:
    # A copy: the parameter may be part of a larger tensor.
    return parameter.detach().numpy().copy()
