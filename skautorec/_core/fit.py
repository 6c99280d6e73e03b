"""Fit a model: train encoders on most ratings, measure on the rest, and solve with all of them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse
import torch

from .biases import fit_biases
from .draws import Draws
from .encoder import Encoder, Observed, by_decoded, train_encoder
from .factors import Factors, Rows
from .matrix import Read, Table, rows_of_cells, select, transposed, with_values
from .model import ItemPart, Member, Model, UserPart, mean_items, mean_users
from .noise import Noise, measure_noise
from .penalties import choose_penalties
from .training import History, Progress, Settings
from .users import Users

__all__ = ["fit_model"]

# Ratings that are held out where no share is given, between bounds of their share.
_N_HELD_OUT, _LEAST_FRACTION, _MOST_FRACTION = 1000, 0.05, 0.2
# Held-out ratings whose variances are computed when the noise is measured.
_N_CALIBRATION = 4000
# Held-out ratings that it takes to call a model worse than biases.
_N_COMPARED = 1000


@dataclass(frozen=True)
class _Encoders:
    """Trained encoders of one member."""

    item: Encoder | None
    user: Encoder | None


def fit_model(
    read: Read,
    settings: Settings,
    *,
    kind: str,
    n_members: int,
    decoder_lambd: float | None,
    validation_fraction: float | None,
    seed: int,
    device: str,
    progress: Progress,
) -> tuple[Model, Rows, Rows, list[History]]:
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

    Returns
    -------
    model : Model
    users, items : Rows
        Of the users and the target items.
    histories : list of History
        Of each encoder of each member.
    """
    draws = Draws(seed)
    split = _Split(read, validation_fraction, draws.into("held out"))
    members, histories = _train(split, settings, kind, n_members, draws, device, progress)
    with progress.phase("held-out ratings"):
        kept, heldout = split.halves()
        calibrated = _Calibration(kept, heldout, draws.into("calibration"), decoder_lambd)
        members = [calibrated.with_penalties(member, i) for i, member in enumerate(members)]
        noise = calibrated.noise(members)
        del kept, heldout, calibrated
    with progress.phase("rows"):
        table = read()
        solved = [_solve(encoders, table) for encoders in members]
        users = mean_users([rows for one in solved for rows in one.users], len(solved))
        items = mean_items([rows for one in solved for rows in one.items], len(solved))
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
) -> tuple[list[_Encoders], list[History]]:
    """Train the encoders of all members; an interrupt leaves out those that are not complete."""
    sides = ["item", "user"] if kind == "both" else [kind]
    styles = {"item": "ratings", "user": "residuals"}
    members: list[_Encoders] = []
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
                )
            histories.append(history)
            if history.interrupted and members:
                return members, histories
        members.append(_Encoders(**trained))
        if any(history.interrupted for history in histories):
            break
    return members, histories


@dataclass(frozen=True)
class _Split:
    """Ratings to train on and ratings held out, made anew where they are needed."""

    read: Read
    fraction: float | None
    draws: Draws

    def halves(self) -> tuple[Table, scipy.sparse.csr_array]:
        """What is kept, and held-out targets."""
        table = self.read()
        is_out = self._is_out(table.wanted)
        kept, heldout = (select(table.wanted, chosen) for chosen in (~is_out, is_out))
        return Table(kept, None) if table.targets is None else Table(table.inputs, kept), heldout

    def _is_out(self, cells: scipy.sparse.csr_array) -> np.ndarray:
        """Choose cells at random; none where it would be all."""
        users, items = (
            self.draws.into(side).of_positions(torch.arange(n))
            for side, n in zip(("users", "items"), cells.shape, strict=True)
        )
        lengths, columns = np.diff(cells.indptr), torch.tensor(cells.indices, dtype=torch.int64)
        of_users = users.repeat_interleave(torch.tensor(lengths, dtype=torch.int64))
        uniform = self.draws.of_cells(of_users, items[columns])
        usual = np.clip(_N_HELD_OUT / max(1, cells.nnz), _LEAST_FRACTION, _MOST_FRACTION)
        is_out: np.ndarray = (uniform < (self.fraction or usual)).numpy()
        if is_out.all():
            is_out[:] = False
        return is_out

    def kept_of(self, side: str) -> tuple[scipy.sparse.csr_array, scipy.sparse.csr_array]:
        """Inputs and targets of the encoder of one side."""
        kept, _ = self.halves()
        if side == "user":
            return kept.inputs, kept.wanted
        joined = kept.joined.T.tocsr()
        return joined, joined

    def heldout_of(self, side: str) -> scipy.sparse.csr_array:
        """Held-out targets of the encoder of one side."""
        kept, heldout = self.halves()
        if side == "user":
            return heldout
        if kept.targets is not None:
            given = scipy.sparse.csr_array(kept.inputs.shape)
            heldout = scipy.sparse.hstack((given, heldout), format="csr")
        return heldout.T.tocsr()


@dataclass(frozen=True)
class _Solved:
    """A member, and the rows of users and of target items of each of its parts."""

    member: Member
    users: list[Rows]
    items: list[Rows]


def _solve(
    encoders: _Encoders,
    table: Table,
    needed: scipy.sparse.csr_array | None = None,
) -> _Solved:
    """Solve the decoded rows of a member.

    With cells that are needed, in single precision, and only what their predictions depend on.
    """
    users, items, item_part, user_part = [], [], None, None
    wanted, joined = table.wanted, table.joined
    left_over = wanted.data
    dtype = torch.float64 if needed is None else torch.float32
    if encoders.item is not None:
        sums = encoders.item.sums(joined.T.tocsr())
        item_part = ItemPart(encoders.item, sums)
        observed = Observed(joined, joined.data)
        if needed is not None and encoders.user is None:
            observed = observed.only(np.diff(needed.indptr) > 0)
        rows, left = encoders.item.decode(observed, sums, dtype)
        users.append(rows)
        items.append(encoders.item.codes(sums[len(sums) - wanted.shape[1] :]))
        if encoders.user is not None:
            left_over = left[joined.indices >= joined.shape[1] - wanted.shape[1]]
    if encoders.user is not None:
        user_part = UserPart(encoders.user)
        sums = encoders.user.sums(table.inputs)
        observed = by_decoded(wanted, left_over, table.targets is None)
        if needed is not None:
            observed = observed.only(np.bincount(needed.indices, minlength=wanted.shape[1]) > 0)
        users.append(user_part.rows(sums))
        items.append(encoders.user.decode(observed, sums, dtype)[0])
    return _Solved(Member(item_part, user_part), users, items)


class _Calibration:
    """What ratings held out of the networks and codes say."""

    def __init__(
        self,
        kept: Table,
        heldout: scipy.sparse.csr_array,
        draws: Draws,
        decoder_lambd: float | None,
    ) -> None:
        self.kept, self.heldout, self.draws = kept, heldout, draws
        self.penalty = None if decoder_lambd is None else decoder_lambd / 2

    def with_penalties(self, encoders: _Encoders, number: int) -> _Encoders:
        """Choose the penalties of a member's decoded rows."""
        draws = self.draws.into("penalties", number)
        item, user = encoders.item, encoders.user
        if item is not None:
            joined = self.kept.joined
            sums = item.sums(joined.T.tocsr())
            n_before = joined.shape[1] - self.heldout.shape[1]
            heldout = scipy.sparse.csr_array(
                (self.heldout.data, self.heldout.indices + n_before, self.heldout.indptr),
                shape=joined.shape,
            )
            observed, base = Observed(joined, joined.data), np.zeros(heldout.nnz)
            item = choose_penalties(item, observed, sums, heldout, base, draws, self.penalty)
        if user is not None:
            left_over, base = self.kept.wanted.data, np.zeros(self.heldout.nnz)
            if item is not None:
                user = user.for_residuals()
                rows, left = item.decode(observed, sums, torch.float32)
                left_over = left[joined.indices >= n_before]
                factors = Factors(rows, item.codes(sums[n_before:]))
                base = factors.at(rows_of_cells(self.heldout), self.heldout.indices)
            heldout, order = transposed(self.heldout)
            heldout = with_values(heldout, self.heldout.data[order])
            observed = by_decoded(self.kept.wanted, left_over, self.kept.targets is None)
            sums = user.sums(self.kept.inputs)
            user = choose_penalties(user, observed, sums, heldout, base[order], draws, self.penalty)
        return _Encoders(item, user)

    def noise(self, members: list[_Encoders]) -> Noise:
        """Measure the noise of the mean of members."""
        cells = self._corner()
        solved = [_solve(encoders, self.kept, cells) for encoders in members]
        users = mean_users([rows for one in solved for rows in one.users], len(solved))
        items = mean_items([rows for one in solved for rows in one.items], len(solved))
        asked = scipy.sparse.csr_array(
            (cells.data, cells.indices, cells.indptr), shape=(cells.shape[0], cells.shape[1] + 1)
        )
        model = Model([one.member for one in solved], 0.0, 1.0, 1.0)
        joined = self.kept.joined
        context = Users(joined, joined.data, np.arange(cells.shape[0]))
        of_rows, of_codes = model.relative_variances(
            context, users.factors, asked, lambda: self.kept
        )
        predicted = np.clip(Factors(users, items).at(rows_of_cells(cells), cells.indices), 1, 5)
        errors = cells.data - predicted
        self._warn_if_biases_are_better(cells, errors)
        return measure_noise(errors, of_rows, of_codes, float(np.var(self.kept.wanted.data)))

    def _warn_if_biases_are_better(self, cells: scipy.sparse.csr_array, errors: np.ndarray) -> None:
        """Say so where damped biases predict held-out ratings better than the model does."""
        if cells.nnz < _N_COMPARED:
            return
        wanted = self.kept.wanted
        biases, of_users = fit_biases(
            rows_of_cells(wanted), wanted.indices, wanted.data, wanted.shape
        )
        expected = biases.mean + of_users[rows_of_cells(cells)] + biases.columns[cells.indices]
        theirs = np.square(cells.data - np.clip(expected, 1, 5))
        excess = np.square(errors) - theirs
        if excess.mean() > 2 * excess.std() / np.sqrt(len(excess)):
            ours, theirs = (np.sqrt(np.mean(some)) for some in (np.square(errors), theirs))
            warnings.warn(
                f"On {len(errors)} held-out ratings the model's error is {ours / theirs - 1:.1%} "
                "above that of damped biases of users and items. Look at max_iter, learning_rate "
                "and lambd, which may keep it from arriving, and at whether the numbers are "
                "ratings; skautorec.baselines.BiasRegressor is the model of biases.",
                UserWarning,
                stacklevel=2,
            )

    def _corner(self) -> scipy.sparse.csr_array:
        """Some of the held-out cells, in a part of the users and a part of the items.

        Each user or item touched costs a factorisation.
        """
        n_cells, shape = max(1, self.heldout.nnz), self.heldout.shape
        share = min(1.0, np.sqrt(_N_CALIBRATION / n_cells))
        in_users, in_items = (
            np.isin(np.arange(n), self.draws.into(side).order(n)[: int(np.ceil(share * n))])
            for side, n in zip(("users", "items"), shape, strict=True)
        )
        chosen = in_users[rows_of_cells(self.heldout)] & in_items[self.heldout.indices]
        return select(self.heldout, chosen)
