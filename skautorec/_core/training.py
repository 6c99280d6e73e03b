"""The optimisation loop: sparse rows, targets and settings in; a trained network and history out.

The objective is equation 2 of Sedhain et al. (2015), as a sum and never as a mean:

    sum over observed (r - h(r))^2 + lambd / 2 (||W||_F^2 + ||V||_F^2) .

Where ratings have weights, these multiply the squares, and the ratings in the input. A minibatch
carries its share of the penalty, so ``lambd`` means the same at any batch size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .draws import Draws
from .encoding import Encoding
from .journal import Arrays, Journal, Kept
from .messages import warn
from .network import AutoRec, SparseRows
from .solvers import SOLVERS, STOCHASTIC, Solver
from .sparse import Pattern

__all__ = [
    "Batch",
    "History",
    "Progress",
    "Settings",
    "add_gradient",
    "initialise",
    "train",
]

# How much more the later of averaged epochs count: roughly the last third of them make the average.
RECENCY = 5.0
# How much higher than at first the objective of the same cells is where training went wrong.
_RAISED = 1.5


@dataclass(frozen=True)
class Settings:
    """What the user chose about training; see `skautorec.AutoRecRegressor`."""

    hidden_units: tuple[int, ...]
    lambd: float
    activation: str
    solver: str
    learning_rate: float | None
    batch_size: int | None
    max_iter: int
    tol: float
    n_iter_no_change: int
    dropout: float


@dataclass(frozen=True)
class View:
    """What a step is given: inputs of the network, and the cells that count, with their weight.

    Besides the weight that all have in common, each may have one of its own.
    """

    rows: SparseRows
    targets: Pattern
    values: Tensor
    weight: float
    weights: Tensor | None = None

    def weighted(self, numbers: Tensor) -> Tensor:
        """Multiply numbers of the cells by the weights that these have of their own."""
        return numbers if self.weights is None else numbers * self.weights


@dataclass(frozen=True)
class Batch:
    """Encoded rows with the cells to be predicted from them.

    Attributes
    ----------
    positions : Tensor of int64 of shape (n_rows,)
        Of the rows among all encoded rows.
    pattern : Pattern
        Cells given to the network.
    ratings : Tensor of shape (pattern.nnz,)
    targets : Pattern
        Cells to be predicted; where it is ``pattern`` itself, the network is asked for what it was
        given.
    values : Tensor of shape (targets.nnz,)
    encoding : Encoding
    given_weights : Tensor of shape (pattern.nnz,) or None
        How much each of the ratings counts; None where all count 1.
    weights : Tensor of shape (targets.nnz,) or None
        The same of the cells to be predicted.
    """

    positions: Tensor
    pattern: Pattern
    ratings: Tensor
    targets: Pattern
    values: Tensor
    encoding: Encoding
    given_weights: Tensor | None = None
    weights: Tensor | None = None

    @classmethod
    def of(
        cls,
        positions: np.ndarray,
        inputs: scipy.sparse.csr_array,
        targets: scipy.sparse.csr_array,
        encoding: Encoding,
        device: torch.device | str,
        given_weights: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> Batch:
        """Put some encoded rows on the device."""

        def tensor(numbers: np.ndarray) -> Tensor:
            return torch.tensor(numbers, dtype=torch.float32, device=device)

        def tensors(cells: scipy.sparse.csr_array) -> tuple[Pattern, Tensor]:
            pattern = Pattern.from_csr(cells.indptr, cells.indices, cells.shape, device)
            return pattern, tensor(cells.data)

        given = tensors(inputs)
        to_predict = given if targets is inputs else tensors(targets)
        rows = torch.tensor(positions, dtype=torch.int64, device=device)
        of_cells = (None if some is None else tensor(some) for some in (given_weights, weights))
        return cls(rows, *given, *to_predict, encoding, *of_cells)

    @property
    def total(self) -> float:
        """Cells to be predicted, or the sum of their weights."""
        return len(self.values) if self.weights is None else float(self.weights.sum())

    def row_counts(self) -> Tensor:
        """Cells that each row is given, or the sum of their weights."""
        return self._given.counts()

    def lengths(self) -> tuple[Tensor, Tensor]:
        """Cells to be predicted, or sums of their weights, of each encoded and decoded row."""
        if self.weights is None:
            return self.targets.row_lengths(), self.targets.t_indptr.diff()
        by_column = self.targets.by_column(self.weights)
        return self.targets.sum_rows(self.weights), self.targets.sum_columns(by_column)

    def whole(self) -> View:
        """Every cell is given, and every target counts."""
        return self._view(self._given, 1.0, self._asked, 1.0)

    def hide(self, share: float, draws: Draws) -> View:
        """Hide each given cell with this probability; where it is a target, only then it counts.

        What is left of the input is scaled up, and what counts is weighted, so that the expectation
        of either is that of all cells. Targets that the network is never given always count.
        """
        pattern, positions = self.pattern, torch.arange(self.pattern.shape[1])
        rows = draws.into("encoded").of_positions(self.positions)
        columns = draws.into("decoded").of_positions(positions.to(rows.device))
        uniform = draws.of_cells(
            rows.repeat_interleave(pattern.row_lengths()), columns.index_select(0, pattern.indices)
        )
        (given, given_cells), (hidden, hidden_cells) = pattern.split(uniform >= share)
        some = self._given.part(given, given_cells)
        if self.targets is not pattern:
            return self._view(some, 1 - share, self._asked, 1.0)
        return self._view(some, 1 - share, self._asked.part(hidden, hidden_cells), 1 / share)

    @property
    def _given(self) -> _Cells:
        return _Cells(self.pattern, self.ratings, self.given_weights)

    @property
    def _asked(self) -> _Cells:
        return _Cells(self.targets, self.values, self.weights)

    def _view(self, given: _Cells, share: float, asked: _Cells, weight: float) -> View:
        """Make the view in which some cells, this share of all, are given."""
        encoding, ratings, lengths = self.encoding, given.values, given.pattern.row_lengths()
        counts, all_counts = given.counts(), self._given.counts()
        reference = torch.tensor(encoding.reference, dtype=torch.float32, device=ratings.device)
        deviations = ratings - reference.index_select(0, given.pattern.indices)
        sums = given.pattern.sum_rows(given.weighted(deviations))
        biases = sums / (counts + encoding.damping)
        factors = encoding.length_factors(all_counts) / share
        ones = given.weighted(factors.repeat_interleave(lengths))
        if encoding.style == "residuals":
            centred = deviations.sub_(biases.repeat_interleave(lengths))
            channels: tuple[Tensor, ...] = (centred.mul_(ones), ones)
        else:
            channels = (ones.mul_(ratings),)
        values = asked.values - biases.repeat_interleave(asked.pattern.row_lengths())
        rows = SparseRows(given.pattern, channels)
        return View(rows, asked.pattern, values, weight, asked.weights)


class _Cells(NamedTuple):
    """Cells of a pattern, their ratings and, if any, their weights."""

    pattern: Pattern
    values: Tensor
    weights: Tensor | None

    def part(self, pattern: Pattern, positions: Tensor) -> _Cells:
        """Some of the cells, which are a pattern themselves."""
        weights = None if self.weights is None else self.weights.index_select(0, positions)
        return _Cells(pattern, self.values.index_select(0, positions), weights)

    def weighted(self, numbers: Tensor) -> Tensor:
        """Multiply numbers of the cells by their weights."""
        return numbers if self.weights is None else numbers * self.weights

    def counts(self) -> Tensor:
        """Cells of each row, or the sum of their weights."""
        if self.weights is not None:
            return self.pattern.sum_rows(self.weights)
        # Floating here, since what an integer becomes depends on torch's default dtype.
        return self.pattern.row_lengths().float()


@dataclass(frozen=True)
class History:
    """What happened in training.

    Attributes
    ----------
    losses : list of float
        Objective of each epoch, before its steps (with dropout, of the hidden cells, weighted).
    scores : list of float
        R^2 on the held-out cells after each epoch; empty where there are none to watch.
    """

    losses: list[float]
    scores: list[float]

    @property
    def n_epochs(self) -> int:
        """Epochs behind the parameters that were kept."""
        return int(np.argmax(self.scores)) + 1 if self.scores else len(self.losses)


class Progress:
    """Hears how a fit goes; this one keeps it to itself."""

    @contextmanager
    def phase(self, name: str, n_epochs: int = 0) -> Iterator[None]:
        """Surround a part of the fit; a network trains in it for up to ``n_epochs``."""
        yield

    def epoch(self, number: int, loss: float, error: float | None) -> bool:
        """Hear of an epoch; return whether to stop.

        Its number counts from 1; the error is the root mean squared one on validation ratings,
        where there are any, in the units of training.
        """
        return False


def add_gradient(network: AutoRec, view: View, lambd: float, share: float = 1.0) -> Tensor:
    """Equation 2, with ``share`` of the penalty; its gradient is added to the parameters'."""
    predicted = network(view.rows, view.targets)
    errors = predicted.detach().sub_(view.values)
    weighted = view.weighted(errors)
    loss = view.weight * torch.dot(weighted, errors)
    # A scalar with the gradient of the loss: given a gradient itself, backward imports sympy first,
    # at the cost of a second in each process.
    torch.dot(predicted, weighted.mul_(2 * view.weight)).backward()
    # In place: through autograd each of these would cost another copy of the weights.
    with torch.no_grad():
        for weight in network.penalised():
            assert weight.grad is not None
            weight.grad.add_(weight, alpha=share * lambd)
            loss += share * lambd / 2 * torch.dot(weight.view(-1), weight.view(-1))
    return loss


@torch.no_grad()
def initialise(network: AutoRec, batches: list[Batch], draws: Draws) -> None:
    """Draw the weights so that pre-activations have unit variance; start biases at means.

    All draws are made on the CPU, so that every device starts from the same point.
    """

    def draw(parameter: Tensor, name: str, scale: float) -> None:
        parameter.copy_(draws.into(name).normal(*parameter.shape).mul_(scale))

    views = [batch.whole() for batch in batches]
    # A row of less than one rating is that part of a row.
    n_rows = max(1.0, sum(float(batch.row_counts().clip(max=1).sum()) for batch in batches))
    energy = sum(float(channel.square().sum()) for view in views for channel in view.rows.channels)
    draw(network.weights[0], "encoder", 1.0 / math.sqrt(max(energy / n_rows, 1.0)))
    for layer, weight in enumerate(network.weights[1:], 1):
        draw(weight, f"layer {layer}", 1.0 / math.sqrt(weight.shape[0]))
    draw(network.decoder_weight, "decoder", 0.01)
    total = sum(batch.total for batch in batches)
    mean = sum(float(view.weighted(view.values).sum()) for view in views) / total
    counts, sums = torch.zeros_like(network.decoder_bias), torch.zeros_like(network.decoder_bias)
    for batch, view in zip(batches, views, strict=True):
        counts += batch.lengths()[1]
        left = view.weighted(view.values - mean)
        sums += view.targets.sum_columns(view.targets.by_column(left))
    # Five pseudo-ratings at the mean keep the start of rare columns sane.
    network.decoder_bias.copy_(mean + sums / (counts + 5))


def train(
    network: AutoRec,
    batches: list[Batch],
    settings: Settings,
    draws: Draws,
    progress: Progress,
    validation: list[Batch],
    journal: Journal,
) -> History:
    """Minimise the objective in place.

    The steps of stochastic solvers keep their size, and parameters are averaged over epochs, the
    later ones counting more: at any moment the average is about what a falling step size would have
    reached by then, so that training can end when it has arrived and not when a schedule does.

    Parameters
    ----------
    network : AutoRec
        Initialised network, on the device of the batches.
    batches : list of Batch
        All encoded rows.
    settings : Settings
    draws : Draws
        Source of the order of batches and of what is hidden.
    progress : Progress
    validation : list of Batch
        Held-out cells of some encoded rows. Training ends when they are predicted no better for a
        while, and the parameters go back to the best epoch. Without any it ends when the objective
        stands still.
    journal : Journal
        Hears what each epoch reached, and knows where to go on.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        The objective is no longer finite.
    """
    rate = settings.learning_rate or SOLVERS[settings.solver]
    parameters: list[Tensor] = list(network.parameters())
    solver = Solver(settings.solver, parameters, rate, _typical_length(batches))
    step = _stepper(network, settings, solver)
    reached = _Reached(network, validation, settings)
    losses: list[float] = []
    kept = journal.kept()
    if kept is None:
        start = _objective(network, batches, settings, draws.into("epoch", 0))
    else:
        start = float(kept.take("start"))
        losses = kept.take("losses", None).tolist()
        solver.restore(kept.within("solver"))
        reached.go_on(kept, len(losses))

    def state() -> Arrays:
        arrays = {"start": np.array(start), "losses": np.array(losses), **reached.state()}
        return arrays | {f"solver.{name}": array for name, array in solver.state().items()}

    for epoch in range(len(losses), settings.max_iter):
        of_epoch = draws.into("epoch", epoch)
        order = of_epoch.into("batches").order(len(batches))
        ordered = [batches[i] for i in order]
        loss = _epoch(step, ordered, of_epoch)
        if not math.isfinite(loss):
            raise ValueError(_diverged(epoch + 1, settings))
        losses.append(loss)
        reached.look()
        is_asked_to_stop = progress.epoch(epoch + 1, loss, reached.error)
        if is_asked_to_stop or reached.stalled() or _stalled(losses, reached, settings):
            break
        journal.reached(state)
    reached.restore()
    if not all(bool(parameter.isfinite().all()) for parameter in network.parameters()):
        raise ValueError(_diverged(len(losses), settings))
    end = _objective(network, batches, settings, draws.into("epoch", 0))
    if end > _RAISED * start:
        warn(
            f"Training raised the objective from {start:.6g} to {end:.6g}. "
            + _lower_rate(settings),
            RuntimeWarning,
        )
    return History(losses, reached.scores)


class _Reached:
    """What training has reached: averaged parameters, and the best of them on held-out cells."""

    def __init__(self, network: AutoRec, validation: list[Batch], settings: Settings) -> None:
        self.parameters: list[Tensor] = list(network.parameters())
        self.is_averaged = settings.solver in STOCHASTIC
        self.average: list[Tensor] = []
        self.best: list[Tensor] = []
        self.network, self.settings = network, settings
        self.views = [batch.whole() for batch in validation]
        self.values = torch.cat([view.values for view in self.views]) if self.views else None
        weights = [view.weights for view in self.views if view.weights is not None]
        self.weights = torch.cat(weights) if weights else None
        self.n_epochs = 0
        self.scores: list[float] = []
        # Root mean squared error on the held-out cells, where there are any.
        self.error: float | None = None

    @torch.no_grad()
    def look(self) -> None:
        """Take in the parameters after an epoch."""
        self.n_epochs += 1
        if self.n_epochs == 1 or not self.is_averaged:
            self.average = [parameter.clone() for parameter in self.parameters]
        else:
            share = RECENCY / (self.n_epochs + RECENCY - 1)
            for average, parameter in zip(self.average, self.parameters, strict=True):
                average.lerp_(parameter, share)
        if self.values is not None:
            self.scores.append(self._score())
            if self.scores[-1] >= max(self.scores):
                self.best = [average.clone() for average in self.average]

    def _score(self) -> float:
        """R^2 of the averaged parameters on the held-out cells."""
        assert self.values is not None
        current = [parameter.data for parameter in self.parameters]
        self._swap(self.average)
        predicted = torch.cat([self.network(view.rows, view.targets) for view in self.views])
        self._swap(current)
        errors = (predicted - self.values).square()
        if self.weights is None:
            spread = (self.values - self.values.mean()).square()
        else:
            mean = (self.values * self.weights).sum() / self.weights.sum()
            spread = (self.values - mean).square() * self.weights
            errors *= self.weights
        n_cells = float(len(errors) if self.weights is None else self.weights.sum())
        self.error = math.sqrt(float(errors.sum()) / n_cells)
        return 1 - float(errors.sum() / spread.sum().clamp(min=1e-12))

    def _swap(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.data = value

    def _set(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.copy_(value)

    def stalled(self) -> bool:
        """Whether the last few scores were no better than those before."""
        recent = self.settings.n_iter_no_change
        if len(self.scores) <= recent:
            return False
        return max(self.scores[-recent:]) < max(self.scores[:-recent]) + self.settings.tol

    @torch.no_grad()
    def restore(self) -> None:
        """Leave the network with what is to be kept."""
        self._set(self.best or self.average or self.parameters)

    def state(self) -> Arrays:
        """What it takes to go on from here."""
        lists = {"now": self.parameters, "average": self.average, "best": self.best}
        arrays = {
            f"{name}{i}": one.detach().cpu().numpy()
            for name, tensors in lists.items()
            for i, one in enumerate(tensors)
        }
        return arrays | {"scores": np.array(self.scores)}

    @torch.no_grad()
    def go_on(self, kept: Kept, n_epochs: int) -> None:
        """Go on from what another one reached in so many epochs."""

        def tensors(name: str) -> list[Tensor]:
            arrays = [
                kept.take(f"{name}{i}", *parameter.shape, dtypes="f4")
                for i, parameter in enumerate(self.parameters)
            ]
            # In memory of torch: arithmetic may depend on how it is aligned.
            return [
                parameter.new_tensor(array)
                for parameter, array in zip(self.parameters, arrays, strict=True)
            ]

        self.n_epochs = n_epochs
        self.scores = kept.take("scores", n_epochs if self.views else 0).tolist()
        self._set(tensors("now"))
        self.average = tensors("average")
        if self.scores:
            self.best = tensors("best")


@torch.no_grad()
def _objective(network: AutoRec, batches: list[Batch], settings: Settings, draws: Draws) -> float:
    """Equation 2 of all batches at the start of an epoch."""
    penalised = torch.stack([weight.square().sum() for weight in network.penalised()])
    total = settings.lambd / 2 * float(penalised.sum())
    for batch in batches:
        view = _view(batch, settings.dropout, draws)
        errors = network(view.rows, view.targets) - view.values
        total += view.weight * float(view.weighted(errors.square()).sum())
    return total


def _view(batch: Batch, dropout: float, draws: Draws) -> View:
    """What a batch shows in an epoch."""
    return batch.hide(dropout, draws.into("hidden")) if dropout else batch.whole()


def _typical_length(batches: list[Batch]) -> float:
    """Ratings beside a rating, in its encoded and in its decoded row: their geometric mean.

    Or the sums of their weights, with which the curvature of the objective grows.
    """
    of_rows, of_columns = zip(*(batch.lengths() for batch in batches), strict=True)
    rows, columns = torch.cat(of_rows).double(), torch.stack(of_columns).sum(dim=0).double()
    means = [float(counts.square().sum() / counts.sum()) for counts in (rows, columns)]
    return math.sqrt(means[0] * means[1])


def _stepper(
    network: AutoRec, settings: Settings, solver: Solver
) -> Callable[[Batch, float, Draws], float]:
    """Return the function that takes one step and returns the objective."""

    def step(batch: Batch, share: float, draws: Draws) -> float:
        view = _view(batch, settings.dropout, draws)
        return solver.step(lambda: add_gradient(network, view, settings.lambd, share))

    return step


def _epoch(
    step: Callable[[Batch, float, Draws], float], batches: list[Batch], draws: Draws
) -> float:
    """Take a step for each batch and return the sum of what the steps started from.

    Infinite where a step cannot be taken for overflow.
    """
    total = sum(batch.total for batch in batches)
    shares = [batch.total / total for batch in batches]
    try:
        return sum(step(batch, share, draws) for batch, share in zip(batches, shares, strict=True))
    except RuntimeError as error:
        # Some releases of L-BFGS do not survive their own overflow.
        if "overflow" not in str(error):
            raise
        return math.inf


def _stalled(losses: list[float], reached: _Reached, settings: Settings) -> bool:
    """Whether, with nothing held out, the objective moved little over the last few epochs."""
    recent = losses[-settings.n_iter_no_change - 1 :]
    if reached.scores or len(recent) <= settings.n_iter_no_change:
        return False
    return max(recent) - min(recent) < settings.tol * min(recent)


def _diverged(epoch: int, settings: Settings) -> str:
    return f"Training diverged: the objective was not finite in epoch {epoch}. " + _lower_rate(
        settings
    )


def _lower_rate(settings: Settings) -> str:
    rate = settings.learning_rate or SOLVERS[settings.solver]
    return f"Lower learning_rate (it was {rate:g} with solver={settings.solver!r})."
