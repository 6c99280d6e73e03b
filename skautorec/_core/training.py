"""The optimisation loop: sparse rows, targets and settings in; a trained network and history out.

The objective is equation 2 of Sedhain et al. (2015), as a sum and never as a mean:

    sum over observed (r - h(r))^2 + lambd / 2 (||W||_F^2 + ||V||_F^2) .

A minibatch carries its share of the penalty, so ``lambd`` means the same at any batch size.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .network import AutoRec, SparseRows
from .sparse import Pattern

__all__ = [
    "SOLVERS",
    "Batch",
    "History",
    "Progress",
    "Settings",
    "add_gradient",
    "initialise",
    "train",
]

# Learning rate used where none is given.
SOLVERS = {"adam": 0.003, "rprop": 0.003, "lbfgs": 1.0}
# Evaluations of the objective in an epoch of L-BFGS.
_MOST_EVALUATIONS = 25


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
    early_stopping: bool


@dataclass(frozen=True)
class Batch:
    """Encoded rows with the cells to be predicted from them."""

    rows: SparseRows
    targets: Pattern
    values: Tensor

    def drop(self, probability: float, generator: torch.Generator) -> Batch:
        """Hide each observed cell of the input with this probability, and scale up the others."""
        pattern, channels = self.rows.pattern, self.rows.channels
        first = channels[0]
        draws = torch.rand(
            first.shape, generator=generator, device=first.device, dtype=torch.float32
        )
        kept = draws.ge_(probability).div_(1 - probability)
        inputs = SparseRows(pattern, tuple(channel * kept for channel in channels))
        return Batch(inputs, self.targets, self.values)

    def take(self, rows: Tensor) -> Batch:
        """Return the sub-problem of some encoded rows."""
        pattern, cells = self.rows.pattern.take_rows(rows)
        inputs = SparseRows(pattern, tuple(channel[cells] for channel in self.rows.channels))
        if self.targets is self.rows.pattern:
            return Batch(inputs, pattern, self.values[cells])
        targets, cells = self.targets.take_rows(rows)
        return Batch(inputs, targets, self.values[cells])


@dataclass(frozen=True)
class History:
    """What happened in training.

    Attributes
    ----------
    losses : list of float
        Objective before the step of each epoch (with dropout, of the inputs that were kept).
    scores : list of float
        R^2 on the validation cells after each epoch; empty without early stopping.
    interrupted : bool
        Whether the user cut training short.
    """

    losses: list[float]
    scores: list[float]
    interrupted: bool = False

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

    def epoch(self, number: int, loss: float, score: float | None) -> bool:
        """Hear of an epoch; return whether to stop.

        Its number counts from 1; the score is R^2 on validation ratings, where there are any.
        """
        return False


def add_gradient(network: AutoRec, batch: Batch, lambd: float, share: float = 1.0) -> Tensor:
    """Equation 2, with ``share`` of the penalty; its gradient is added to the parameters'."""
    predicted = network(batch.rows, batch.targets)
    errors = predicted.detach().sub_(batch.values)
    loss = errors.square().sum()
    predicted.backward(errors.mul_(2))
    # In place: through autograd each of these would cost another copy of the weights.
    with torch.no_grad():
        for weight in network.penalised():
            assert weight.grad is not None
            weight.grad.add_(weight, alpha=share * lambd)
            loss += share * lambd / 2 * torch.dot(weight.view(-1), weight.view(-1))
    return loss


@torch.no_grad()
def initialise(network: AutoRec, batch: Batch, generator: torch.Generator) -> None:
    """Draw the weights so that pre-activations have unit variance; start biases at means.

    All draws are made on the CPU, so that every device starts from the same point.
    """

    def draw(parameter: Tensor, scale: float) -> None:
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
        parameter.copy_(noise.mul_(scale))

    n_rows = max(1, int((batch.rows.pattern.row_lengths() > 0).sum()))
    energy = sum(float(channel.square().sum()) for channel in batch.rows.channels) / n_rows
    draw(network.weights[0], 1.0 / math.sqrt(max(energy, 1.0)))
    for weight in network.weights[1:]:
        draw(weight, 1.0 / math.sqrt(weight.shape[0]))
    draw(network.decoder_weight, 0.01)
    mean = batch.values.mean()
    counts = batch.targets.t_indptr.diff()
    # Five pseudo-ratings at the mean keep the start of rare columns sane.
    sums = batch.targets.sum_columns(batch.targets.by_column(batch.values - mean))
    network.decoder_bias.copy_(mean + sums / (counts + 5))


def train(
    network: AutoRec,
    batch: Batch,
    settings: Settings,
    generator: torch.Generator,
    progress: Progress,
    validation: Batch | None = None,
) -> History:
    """Minimise the objective in place.

    Parameters
    ----------
    network : AutoRec
        Initialised network, on the device of ``batch``.
    batch : Batch
        All encoded rows.
    settings : Settings
    generator : torch.Generator
        Source of the minibatch order.
    progress : Progress
    validation : Batch or None
        Cells held out of ``batch``, with its rows, for early stopping: training ends when they are
        predicted no better, and the parameters go back to the best epoch.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        The objective is no longer finite.
    """
    batches = _split(batch, settings.batch_size, generator)
    step = _stepper(network, settings, _on_device(generator, batch.values.device))
    best = _Best(network, validation)
    losses: list[float] = []
    interrupted = False
    try:
        for epoch in range(settings.max_iter):
            order = torch.randperm(len(batches), generator=generator).tolist()
            loss = _epoch(step, epoch, [batches[i] for i in order])
            if not math.isfinite(loss):
                raise ValueError(_diverged(epoch + 1, settings))
            losses.append(loss)
            best.look()
            is_asked_to_stop = progress.epoch(epoch + 1, loss, best.last)
            if is_asked_to_stop or _stalled(losses, settings) or best.stalled(settings):
                break
    except KeyboardInterrupt:
        warnings.warn(
            f"Training was interrupted after {len(losses)} of at most {settings.max_iter} epochs; "
            "the model uses what was reached, without further members.",
            RuntimeWarning,
            stacklevel=2,
        )
        interrupted = True
    best.restore()
    if not all(bool(parameter.isfinite().all()) for parameter in network.parameters()):
        raise ValueError(_diverged(len(losses), settings))
    if validation is None and losses and losses[-1] > losses[0]:
        warnings.warn(
            f"Training raised the objective from {losses[0]:.6g} to {losses[-1]:.6g}. "
            + _lower_rate(settings),
            RuntimeWarning,
            stacklevel=2,
        )
    return History(losses, best.scores, interrupted)


class _Best:
    """The parameters that predicted held-out cells best so far."""

    def __init__(self, network: AutoRec, validation: Batch | None) -> None:
        self.network, self.validation = network, validation
        self.scores: list[float] = []
        self.parameters: list[Tensor] = []

    @torch.no_grad()
    def look(self) -> None:
        if self.validation is None:
            return
        values = self.validation.values
        errors = self.network(self.validation.rows, self.validation.targets) - values
        spread = (values - values.mean()).square().sum().clamp(min=1e-12)
        score = 1 - float(errors.square().sum() / spread)
        self.scores.append(score)
        if score > max(self.scores[:-1], default=-math.inf):
            self.parameters = [parameter.clone() for parameter in self.network.parameters()]

    @property
    def last(self) -> float | None:
        """The last score."""
        return self.scores[-1] if self.scores else None

    def stalled(self, settings: Settings) -> bool:
        recent = settings.n_iter_no_change
        if len(self.scores) <= recent:
            return False
        return max(self.scores[-recent:]) < max(self.scores[:-recent]) + settings.tol

    @torch.no_grad()
    def restore(self) -> None:
        for parameter, kept in zip(self.network.parameters(), self.parameters, strict=False):
            parameter.copy_(kept)


def _on_device(generator: torch.Generator, device: torch.device) -> torch.Generator:
    """Return a generator for draws on the device, where there are too many for the CPU."""
    seed = int(torch.randint(2**31, (), generator=generator))
    return torch.Generator(device=device).manual_seed(seed)


def _split(batch: Batch, batch_size: int | None, generator: torch.Generator) -> list[Batch]:
    """Cut the rows into minibatches once; a full batch is one of them."""
    n_rows = batch.targets.shape[0]
    if batch_size is None or batch_size >= n_rows:
        return [batch]
    parts = torch.randperm(n_rows, generator=generator).split(batch_size)
    return [part for part in map(batch.take, parts) if len(part.values)]


def _stepper(
    network: AutoRec, settings: Settings, generator: torch.Generator
) -> Callable[[int, Batch, float], float]:
    """Return the function that takes one step of the chosen solver and returns the objective."""
    parameters = list(network.parameters())
    rate = settings.learning_rate or SOLVERS[settings.solver]
    optimizer: torch.optim.Optimizer
    if settings.solver == "adam":
        optimizer = torch.optim.Adam(parameters, lr=rate, fused=True)
    elif settings.solver == "rprop":
        optimizer = torch.optim.Rprop(parameters, lr=rate)
    else:
        # One iteration a step; by default its line search would get no evaluation at all.
        optimizer = torch.optim.LBFGS(
            parameters,
            lr=rate,
            max_iter=1,
            max_eval=_MOST_EVALUATIONS,
            history_size=10,
            line_search_fn="strong_wolfe",
        )

    def step(epoch: int, batch: Batch, share: float) -> float:
        if settings.solver == "adam":
            # Half a cosine from the full rate to zero.
            decay = (1 + math.cos(math.pi * epoch / settings.max_iter)) / 2
            optimizer.param_groups[0]["lr"] = rate * decay
        if settings.dropout:
            batch = batch.drop(settings.dropout, generator)

        def closure() -> Tensor:
            optimizer.zero_grad()
            return add_gradient(network, batch, settings.lambd, share)

        return float(optimizer.step(closure))

    return step


def _epoch(step: Callable[[int, Batch, float], float], epoch: int, batches: list[Batch]) -> float:
    """Take a step for each batch; infinite where one cannot be taken for overflow."""
    total = sum(len(batch.values) for batch in batches)
    try:
        return sum(step(epoch, batch, len(batch.values) / total) for batch in batches)
    except RuntimeError as error:
        # Some releases of L-BFGS do not survive their own overflow.
        if "overflow" not in str(error):
            raise
        return math.inf


def _stalled(losses: list[float], settings: Settings) -> bool:
    """Whether the objective moved by less than a fraction ``tol`` over the last few epochs."""
    recent = losses[-settings.n_iter_no_change - 1 :]
    if len(recent) <= settings.n_iter_no_change:
        return False
    return max(recent) - min(recent) < settings.tol * min(recent)


def _diverged(epoch: int, settings: Settings) -> str:
    return f"Training diverged: the objective was not finite in epoch {epoch}. " + _lower_rate(
        settings
    )


def _lower_rate(settings: Settings) -> str:
    rate = settings.learning_rate or SOLVERS[settings.solver]
    return f"Lower learning_rate (it was {rate:g} with solver={settings.solver!r})."
