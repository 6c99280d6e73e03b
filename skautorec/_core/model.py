"""The fitted model: autoencoders of columns, of rows or of both; trained, solved, averaged.

A part encodes one side of the rating matrix and decodes the other. Where a part of each kind go
together, the second is fitted to what the first leaves of the ratings. Every part is an inner
product of factors, and so is their sum and the mean of several such sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.optimize
import scipy.sparse
import torch

from .autoencoder import Autoencoder, train_autoencoder
from .factors import Rows
from .sparse import sampled_dots
from .training import History, Progress, Settings

__all__ = ["Model", "Part", "Read", "fit_model", "select"]

# Returns ratings given and, where these are others, ratings to predict.
Read = Callable[[], tuple[scipy.sparse.csr_array, scipy.sparse.csr_array | None]]

# Held-out cells whose variances are computed when the noise is estimated.
_N_CALIBRATION = 4000


@dataclass(frozen=True)
class Part:
    """An autoencoder, the side that it encodes and, where that is the columns, their codes."""

    autoencoder: Autoencoder
    encodes: str
    on_residuals: bool
    columns: Rows | None

    def fold_in(self, ratings: scipy.sparse.csr_array) -> Rows:
        """Rows, known or new, from their ratings."""
        if self.columns is not None:
            return self.autoencoder.decode(ratings, self.columns)
        rows = self.autoencoder.encode(ratings)
        return _without_bias(rows) if self.on_residuals else rows

    @property
    def unseen_column(self) -> Rows:
        """A column without ratings."""
        if self.columns is None:
            return self.autoencoder.prior_row
        return Rows(np.zeros((1, self.columns.factors.shape[1])), np.zeros(1))


@dataclass(frozen=True)
class Model:
    """The mean of ``n_members`` members, each of one part or of two.

    Attributes
    ----------
    parts : list of Part
    n_members : int
    noise : float
        Variance of a rating around a prediction that is known exactly.
    spread : float
        What the relative posterior variance of a prediction is multiplied by.
    """

    parts: list[Part]
    n_members: int
    noise: float
    spread: float

    def fold_in(self, ratings: scipy.sparse.csr_array) -> Rows:
        """Rows, known or new, from their ratings."""
        return _mean_row([part.fold_in(ratings) for part in self.parts], self.n_members)

    @property
    def unseen_column(self) -> Rows:
        """A column without ratings."""
        return _mean_column([part.unseen_column for part in self.parts], self.n_members)

    @property
    def n_units(self) -> int:
        """Number of factors."""
        return sum(len(part.autoencoder.mean_code) for part in self.parts)

    def variances(
        self,
        rows: np.ndarray,
        observed: scipy.sparse.csr_array,
        asked: scipy.sparse.csr_array,
        training_rows: np.ndarray,
        training_observed: scipy.sparse.csr_array,
    ) -> np.ndarray:
        """Variance of new ratings, noise included, at the stored cells of ``asked``.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, k)
            Factors from `fold_in`.
        observed : csr_array of shape (n_rows, n_columns)
            The cells they were folded in from.
        asked : csr_array of shape (n_rows, n_targets + 1)
            The last column stands for one without ratings.
        training_rows : ndarray of shape (n_training_rows, k)
        training_observed : csr_array of shape (n_training_rows, n_targets)

        Returns
        -------
        ndarray of shape (asked.nnz,)
        """
        variances = np.zeros(asked.nnz)
        for part, units in self._units():
            if part.columns is not None:
                codes = part.columns.factors
                targets = np.vstack((codes, np.zeros(codes.shape[1])))[-asked.shape[1] :]
                variances += part.autoencoder.relative_variances(observed, codes, asked, targets)
            else:
                by_column, order = _transposed(asked)
                seen = training_observed.T.tocsr()
                # One more column, without ratings.
                seen.resize(seen.shape[0] + 1, seen.shape[1])
                known, new = (self.n_members * some[:, units] for some in (training_rows, rows))
                variances[order] += part.autoencoder.relative_variances(seen, known, by_column, new)
        return self.noise + self.spread / self.n_members * variances

    def _units(self) -> Iterator[tuple[Part, slice]]:
        """Each part and where its codes stand among the factors."""
        start = 0
        for part in self.parts:
            stop = start + len(part.autoencoder.mean_code)
            yield part, slice(start, stop)
            start = stop


def fit_model(
    read: Read,
    settings: Settings,
    *,
    sides: tuple[str, ...],
    n_members: int,
    validation_fraction: float,
    seed: int,
    device: str,
    progress: Progress,
) -> tuple[Model, Rows, Rows, list[History]]:
    """Train on most of the ratings, measure the noise on the rest, and solve the rows with all.

    Parameters
    ----------
    read : callable
        Returns the inputs, a csr_array of shape (n_rows, n_columns) whose stored cells are
        observed, and the targets of shape (n_rows, n_targets): further columns, to be predicted;
        None predicts the columns of the inputs. It is called where they are needed, so that the
        networks train without them in memory.
    settings : Settings
    sides : tuple of {"columns", "rows"}
        What each part of a member encodes; a second part is fitted to what the first leaves.
    n_members : int
    validation_fraction : float
        Share of the target cells that the networks are not trained on.
    seed : int
    device : str
    progress : Progress

    Returns
    -------
    model : Model
    rows, columns : Rows
        Of the rows and the target columns.
    histories : list of History
        Of each part of each member.
    """
    rng = np.random.default_rng(seed)
    split = _Split(read, _hold_out(_Data(*read()).wanted.nnz, validation_fraction, rng))
    trained, histories = [], []
    n_networks = n_members * len(sides)
    for i, side in enumerate(sides * n_members):
        with progress.phase(f"network {i + 1} of {n_networks}", settings.max_iter):
            autoencoder, history = train_autoencoder(
                partial(split.kept_of, side),
                partial(split.heldout_of, side),
                settings,
                style="ratings" if side == "columns" else "residuals",
                seed=int(rng.integers(2**31)),
                device=device,
                progress=progress,
            )
        on_residuals = i % len(sides) > 0
        autoencoder = autoencoder.on_residuals() if on_residuals else autoencoder
        trained.append(Part(autoencoder, side, on_residuals, None))
        histories.append(history)
        if history.interrupted and i + 1 >= len(sides):
            break
    n_members = len(trained) // len(sides)
    trained = trained[: n_members * len(sides)]  # an interrupt may have left part of a member
    with progress.phase("noise"):
        kept, heldout = split.halves()
        noise, spread = _measure_noise(trained, n_members, kept, _corner(heldout, rng))
        del kept, heldout
    with progress.phase("rows"):
        parts, rows, columns = _solve(trained, _Data(*read()), n_members)
    return Model(parts, n_members, noise, spread), rows, columns, histories


@dataclass(frozen=True)
class _Data:
    """Ratings given and, where these are others, ratings to predict."""

    inputs: scipy.sparse.csr_array
    targets: scipy.sparse.csr_array | None

    @property
    def wanted(self) -> scipy.sparse.csr_array:
        return self.inputs if self.targets is None else self.targets

    @property
    def every(self) -> scipy.sparse.csr_array:
        """All columns, the targets last."""
        if self.targets is None:
            return self.inputs
        return scipy.sparse.hstack((self.inputs, self.targets), format="csr")


@dataclass(frozen=True)
class _Split:
    """Ratings to train on and ratings held out, made anew where they are needed."""

    read: Read
    is_out: np.ndarray

    def halves(self) -> tuple[_Data, scipy.sparse.csr_array]:
        """What is kept, and held-out targets."""
        data = _Data(*self.read())
        kept, heldout = (select(data.wanted, chosen) for chosen in (~self.is_out, self.is_out))
        return _Data(kept, None) if data.targets is None else _Data(data.inputs, kept), heldout

    def kept_of(self, side: str) -> tuple[scipy.sparse.csr_array, scipy.sparse.csr_array]:
        """Inputs and targets of the autoencoder of one side."""
        kept, _ = self.halves()
        if side == "rows":
            return kept.inputs, kept.wanted
        every = kept.every.T.tocsr()
        return every, every

    def heldout_of(self, side: str) -> scipy.sparse.csr_array:
        """Held-out targets of the autoencoder of one side."""
        kept, heldout = self.halves()
        if side == "rows":
            return heldout
        if kept.targets is not None:
            given = scipy.sparse.csr_array(kept.inputs.shape)
            heldout = scipy.sparse.hstack((given, heldout), format="csr")
        return heldout.T.tocsr()


def _hold_out(n_cells: int, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Choose cells at random; none where it would be all."""
    is_out = rng.random(n_cells) < fraction
    if is_out.all():
        is_out[:] = False
    return is_out


def select(ratings: scipy.sparse.csr_array, chosen: np.ndarray) -> scipy.sparse.csr_array:
    """Return the stored cells of a matrix that a mask over them chooses."""
    stored = (chosen, ratings.indices, ratings.indptr)
    cells = scipy.sparse.csr_array(stored, shape=ratings.shape, copy=True)
    cells.eliminate_zeros()
    return scipy.sparse.csr_array(
        (ratings.data[chosen], cells.indices, cells.indptr), shape=ratings.shape
    )


def _solve(
    parts: list[Part],
    data: _Data,
    n_members: int,
    corner: scipy.sparse.csr_array | None = None,
) -> tuple[list[Part], Rows, Rows]:
    """Rows and columns of trained parts, the decoded ones in closed form.

    With a corner, in single precision, and only what predictions of its cells need.
    """
    solved: list[Part] = []
    rows: list[Rows] = []
    columns: list[Rows] = []
    wanted, every = data.wanted, data.every
    n_targets = wanted.shape[1]
    dtype = torch.float64 if corner is None else torch.float32
    for i, part in enumerate(parts):
        is_last = i + 1 == len(parts) or not parts[i + 1].on_residuals
        if part.encodes == "columns":
            codes = part.autoencoder.encode(every.T.tocsr())
            ratings = every
            if corner is not None and is_last:
                in_rows = np.diff(corner.indptr) > 0
                ratings = select(every, np.repeat(in_rows, np.diff(every.indptr)))
            rows.append(part.autoencoder.decode(ratings, codes, dtype))
            columns.append(codes[-n_targets:])
            solved.append(Part(part.autoencoder, part.encodes, part.on_residuals, codes))
        else:
            rows.append(part.fold_in(data.inputs))
            ratings = _residuals(wanted, rows[-2], columns[-1]) if part.on_residuals else wanted
            if corner is not None:
                in_columns = np.bincount(corner.indices, minlength=n_targets) > 0
                ratings = select(ratings, in_columns[ratings.indices])
            columns.append(part.autoencoder.decode(ratings.T.tocsr(), rows[-1], dtype))
            solved.append(part)
    return solved, _mean_row(rows, n_members), _mean_column(columns, n_members)


def _residuals(
    ratings: scipy.sparse.csr_array, rows: Rows, columns: Rows
) -> scipy.sparse.csr_array:
    left_over = ratings.data - _at(ratings, rows, columns)
    return scipy.sparse.csr_array((left_over, ratings.indices, ratings.indptr), shape=ratings.shape)


def _at(cells: scipy.sparse.csr_array, rows: Rows, columns: Rows) -> np.ndarray:
    """Predictions at stored cells, in single precision."""
    left, right = (torch.tensor(some.factors, dtype=torch.float32) for some in (rows, columns))
    indptr, indices = (
        torch.tensor(some, dtype=torch.int32) for some in (cells.indptr, cells.indices)
    )
    predicted: np.ndarray = sampled_dots(indptr, indices, left, right).double().numpy()
    predicted += np.repeat(rows.bias, np.diff(cells.indptr))
    predicted += columns.bias[cells.indices]
    return predicted


def _corner(heldout: scipy.sparse.csr_array, rng: np.random.Generator) -> scipy.sparse.csr_array:
    """Some of the held-out cells, in a part of the rows and a part of the columns.

    Each row or column touched costs a factorisation.
    """
    share = min(1.0, np.sqrt(_N_CALIBRATION / max(1, heldout.nnz)))
    in_rows = rng.random(heldout.shape[0]) < share
    in_columns = rng.random(heldout.shape[1]) < share
    chosen = np.repeat(in_rows, np.diff(heldout.indptr)) & in_columns[heldout.indices]
    return select(heldout, chosen)


def _measure_noise(
    parts: list[Part], n_members: int, data: _Data, cells: scipy.sparse.csr_array
) -> tuple[float, float]:
    """Noise, and what to multiply relative variances by, from errors on held-out cells.

    They maximise the Gaussian likelihood, with a log-normal prior of 1 on the factor and two
    pseudo-errors as large as the ratings vary on the noise, which decide where few cells are held
    out.
    """
    solved, rows, columns = _solve(parts, data, n_members, cells)
    asked = scipy.sparse.csr_array(
        (cells.data, cells.indices, cells.indptr), shape=(cells.shape[0], cells.shape[1] + 1)
    )
    relative = Model(solved, n_members, 0.0, 1.0).variances(
        rows.factors, data.every, asked, rows.factors, data.wanted
    )
    errors = np.square(cells.data - np.clip(_at(cells, rows, columns), 1, 5))
    usual = float(np.var(data.wanted.data)) + 1e-6

    def loss(logs: np.ndarray) -> float:
        noise, spread = np.exp(logs)
        variances = noise + spread * relative
        misfit = np.sum(np.log(variances) + errors / variances)
        return float(misfit + 2 * (logs[0] + usual / noise) + 4 * np.log(spread / noise) ** 2)

    start = np.full(2, np.log((errors.sum() + 2 * usual) / (len(errors) + 2)))
    noise, spread = np.exp(scipy.optimize.minimize(loss, start, method="Nelder-Mead").x)
    return float(noise), float(spread)


def _transposed(
    cells: scipy.sparse.csr_array,
) -> tuple[scipy.sparse.csr_array, np.ndarray]:
    """Transpose of a matrix, and the position in it of each of the transpose's stored cells."""
    positions = (np.arange(cells.nnz), cells.indices, cells.indptr)
    transposed = scipy.sparse.csr_array(positions, shape=cells.shape).T.tocsr()
    return transposed, transposed.data


def _without_bias(rows: Rows) -> Rows:
    return Rows(rows.factors, np.zeros(len(rows)))


def _mean_row(parts: list[Rows], n_members: int) -> Rows:
    """Rows of the mean of members: the factors side by side."""
    factors = np.hstack([part.factors for part in parts])
    if n_members > 1:
        factors /= n_members
    return Rows(factors, _mean_bias(parts, n_members))


def _mean_column(parts: list[Rows], n_members: int) -> Rows:
    return Rows(np.hstack([part.factors for part in parts]), _mean_bias(parts, n_members))


def _mean_bias(parts: list[Rows], n_members: int) -> np.ndarray:
    bias: np.ndarray = np.sum([part.bias for part in parts], axis=0) / n_members
    return bias
