"""Fit a model: train encoders on most ratings, measure on the rest, and solve with all of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse

from .calibration import Calibration
from .draws import Draws
from .encoder import Encoder, train_encoder
from .isolation import isolated
from .journal import Arrays, Journal
from .matrix import ReadTable, Table, effective_weights
from .model import Model
from .noise import Noise
from .scores import Embeddings
from .solving import Encoders, mean_rows, solve
from .training import History, Progress, Settings

__all__ = ["fit_model"]

# Ratings that are held out where no share is given, between bounds of their share.
_N_HELD_OUT, _LEAST_FRACTION, _MOST_FRACTION = 1000, 0.05, 0.2


@isolated
def fit_model(
    read: ReadTable,
    settings: Settings,
    *,
    kind: str,
    n_members: int,
    decoder_lambd: float | None,
    validation_fraction: float | None,
    seed: int,
    device: str,
    progress: Progress,
    journal: Journal,
) -> tuple[Model, Embeddings, Embeddings, list[History]]:
    """Train on most of the ratings, measure penalties and noise on the rest, and solve with all.

    Parameters
    ----------
    read : callable
        Returns the ratings as a `Table`. It is called where they are needed, so that the networks
        train without them in memory.
    settings : Settings
    kind : {"item", "user", "both"}
        What is encoded; of both, the users' part is fitted to what the items' part leaves.
    n_members : int
    decoder_lambd : float or None
        Twice the penalty of decoded rows; None chooses it.
    validation_fraction : float or None
        Share of the target cells that the networks are not trained on; None is a twentieth, and
        more where that would be few.
    seed : int
    device : str
    progress : Progress
    journal : Journal
        Hears what the fit has reached, and knows where an interrupted one goes on.

    Returns
    -------
    model : Model
    users, items : Embeddings
        Of the users and the target items.
    histories : list of History
        Of each encoder of each member.
    """
    draws = Draws(seed)
    # 1. Networks, on what is not held out.
    split = _Split(read, validation_fraction, draws.into("held out"))
    members, histories = _train(split, settings, kind, n_members, draws, device, progress, journal)
    # 2. Penalties and noise, on what is held out, of models solved with the rest.
    with progress.phase("held-out ratings"):
        members, noise = _calibrate(
            split, members, decoder_lambd, draws.into("calibration"), journal.into("calibration")
        )
    # 3. The model, solved with all ratings.
    with progress.phase("rows"):
        table = read()
        solved = [
            solve(encoders, table, journal=journal.into("rows", number))
            for number, encoders in enumerate(members)
        ]
        users, items = mean_rows(solved)
        model = Model([one.member for one in solved], noise.noise, noise.spread, noise.code_spread)
    return model, users, items, histories


def _train(
    split: _Split,
    settings: Settings,
    kind: str,
    n_members: int,
    draws: Draws,
    device: str,
    progress: Progress,
    journal: Journal,
) -> tuple[list[Encoders], list[History]]:
    """Train the encoders of all members."""
    sides = ["item", "user"] if kind == "both" else [kind]
    styles = {"item": "ratings", "user": "residuals"}
    members: list[Encoders] = []
    histories: list[History] = []
    for number in range(n_members):
        trained: dict[str, Encoder | None] = {"item": None, "user": None}
        for side in sides:
            name = f"network {len(histories) + 1} of {n_members * len(sides)}"
            with progress.phase(name, settings.max_iter):
                trained[side], history = train_encoder(
                    partial(split.kept_of, side),
                    partial(split.heldout_of, side),
                    settings,
                    style=styles[side],
                    draws=draws.into("member", number, side),
                    device=device,
                    progress=progress,
                    journal=journal.into("network", len(histories)),
                )
            histories.append(history)
        item, user = trained["item"], trained["user"]
        members.append(Encoders(item, user.for_residuals() if item and user else user))
    return members, histories


def _calibrate(
    split: _Split,
    members: list[Encoders],
    decoder_lambd: float | None,
    draws: Draws,
    journal: Journal,
) -> tuple[list[Encoders], Noise]:
    """Choose the penalties of decoded rows, and measure the noise."""
    known = journal.kept()
    if known is not None:
        penalties = known.take("penalties", len(members), *members[0].penalties.shape)
        chosen = [
            one.with_penalties(of_one) for one, of_one in zip(members, penalties, strict=True)
        ]
        return chosen, Noise(*known.take("noise", 3).tolist())
    kept, heldout = split.halves()
    calibration = Calibration(kept, heldout, draws, decoder_lambd)
    solved = [
        solve(one, kept, calibration, number, journal.into(number))
        for number, one in enumerate(members)
    ]
    noise = calibration.noise([one.member for one in solved], *mean_rows(solved))
    chosen = [one.encoders for one in solved]

    def choices() -> Arrays:
        numbers = [noise.noise, noise.spread, noise.code_spread]
        penalties = [one.penalties for one in chosen]
        return {"noise": np.array(numbers), "penalties": np.array(penalties)}

    journal.reached(choices)
    return chosen, noise


@dataclass(frozen=True)
class _Split:
    """Ratings to train on and ratings held out, made anew where they are needed."""

    read: ReadTable
    fraction: float | None
    draws: Draws

    def halves(self) -> tuple[Table, Table]:
        """What is kept, and held-out targets."""
        table = self.read()
        is_out = self._is_out(table.targets, table.weights)
        targets = Table(table.targets, None, table.weights)
        kept, heldout = (targets.only(chosen) for chosen in (~is_out, is_out))
        return kept if table.y is None else Table(table.inputs, kept.targets), heldout

    def _is_out(self, cells: scipy.sparse.csr_array, weights: np.ndarray | None) -> np.ndarray:
        """Choose cells at random; none where it would be all."""
        n_cells = max(1, effective_weights(weights, cells.nnz).sum())
        usual = np.clip(_N_HELD_OUT / n_cells, _LEAST_FRACTION, _MOST_FRACTION)
        is_out: np.ndarray = self.draws.of_matrix(cells) < (self.fraction or usual)
        if is_out.all():
            is_out[:] = False
        return is_out

    def kept_of(self, side: str) -> Table:
        """Inputs and targets of the encoder of one side."""
        kept, _ = self.halves()
        return kept if side == "user" else kept.by_column

    def heldout_of(self, side: str) -> Table:
        """Held-out targets of the encoder of one side."""
        kept, heldout = self.halves()
        if side == "user":
            return heldout
        if kept.y is not None:
            heldout = Table(scipy.sparse.csr_array(kept.inputs.shape), heldout.targets)
        return heldout.by_column
