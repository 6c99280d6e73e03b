"""What ratings held out of the networks and codes say of penalties and noise."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from .biases import fit_biases, mean_and_variance
from .draws import Draws
from .encoder import Problem
from .matrix import Table, effective_weights, rows_of_cells, transposed, with_values
from .messages import warn
from .model import Member, Model
from .noise import Noise, measure_noise
from .penalties import choose_penalties
from .query import Query
from .scores import Embeddings, Scores

__all__ = ["Calibration"]

# Held-out ratings whose variances are computed when the noise is measured.
_N_CELLS = 4000
# Held-out ratings that it takes to call a model worse than biases.
_N_COMPARED = 1000


class Calibration:
    """Held-out ratings, and those that were kept.

    Parameters
    ----------
    kept : Table
    heldout : Table
        Other targets.
    draws : Draws
    decoder_lambd : float or None
        Twice the penalty of decoded rows; None chooses it.
    """

    def __init__(
        self,
        kept: Table,
        heldout: Table,
        draws: Draws,
        decoder_lambd: float | None,
    ) -> None:
        self.kept, self.heldout, self.draws = kept, heldout.targets, draws
        self.heldout_weights = heldout.weights
        self.penalty = None if decoder_lambd is None else decoder_lambd / 2
        some = heldout.only(self._calibration_cells())
        self.cells, self.weights = some.targets, some.weights

    def of_items(self, problem: Problem, number: int, is_last: bool) -> Problem:
        """Choose the penalties of a member's user rows; of its last part, keep what is needed."""
        n_columns = problem.observed.ratings.shape[1]
        heldout = scipy.sparse.csr_array(
            (
                self.heldout.data,
                self.heldout.indices + (n_columns - self.heldout.shape[1]),
                self.heldout.indptr,
            ),
            shape=(self.heldout.shape[0], n_columns),
        )
        base = np.zeros(heldout.nnz)
        problem = self._choose(problem, heldout, base, self.heldout_weights, number)
        return problem.only(np.diff(self.cells.indptr) > 0) if is_last else problem

    def of_users(self, problem: Problem, number: int, first: Scores | None) -> Problem:
        """Choose the penalties of a member's item rows and keep what is needed.

        Parameters
        ----------
        problem : Problem
        number : int
            Of the member.
        first : Scores or None
            The part of items that the item rows are fitted to what is left of.
        """
        base = np.zeros(self.heldout.nnz)
        if first is not None:
            base = first.at(rows_of_cells(self.heldout), self.heldout.indices)
        heldout, order = transposed(self.heldout)
        heldout = with_values(heldout, self.heldout.data[order])
        weights = None if self.heldout_weights is None else self.heldout_weights[order]
        problem = self._choose(problem, heldout, base[order], weights, number)
        return problem.only(np.bincount(self.cells.indices, minlength=heldout.shape[0]) > 0)

    def _choose(
        self,
        problem: Problem,
        heldout: scipy.sparse.csr_array,
        base: np.ndarray,
        weights: np.ndarray | None,
        number: int,
    ) -> Problem:
        draws = self.draws.into("penalties", number)
        parts = problem.encoder, problem.observed, problem.sums
        return problem.with_encoder(
            choose_penalties(*parts, heldout, base, draws, self.penalty, weights)
        )

    def noise(self, members: list[Member], users: Embeddings, items: Embeddings) -> Noise:
        """Measure the noise of the mean of members, whose rows were solved from what was kept.

        It warns where damped biases predict held-out ratings better.
        """
        cells, model = self.cells, Model(members, 0.0, 1.0, 1.0)
        with_unseen = scipy.sparse.csr_array(
            (cells.data, cells.indices, cells.indptr), shape=(cells.shape[0], cells.shape[1] + 1)
        )
        joined = self.kept.joined
        context = Query(joined, joined.data, np.arange(cells.shape[0]), self.kept.weights)
        of_rows, of_codes = model.relative_variances(
            context, users.factors, with_unseen, lambda: self.kept
        )
        predicted = np.clip(Scores(users, items).at(rows_of_cells(cells), cells.indices), 1, 5)
        errors = cells.data - predicted
        self._warn_if_biases_are_better(errors)
        _, usual = mean_and_variance(self.kept.targets.data, self.kept.weights)
        return measure_noise(errors, of_rows, of_codes, usual, self.weights)

    def _warn_if_biases_are_better(self, errors: np.ndarray) -> None:
        cells, kept = self.cells, self.kept.targets
        if cells.nnz < _N_COMPARED:
            return
        rows, given = rows_of_cells(kept), self.kept.weights
        biases, of_users = fit_biases(rows, kept.indices, kept.data, kept.shape, weights=given)
        expected = biases.mean + of_users[rows_of_cells(cells)] + biases.columns[cells.indices]
        theirs = np.square(cells.data - np.clip(expected, 1, 5))
        weights = np.ones(len(errors)) if self.weights is None else self.weights
        weights = weights / weights.sum()
        excess = np.square(errors) - theirs
        mean = weights @ excess
        if mean > 2 * np.linalg.norm(weights * (excess - mean)):
            ours, theirs = (np.sqrt(weights @ some) for some in (np.square(errors), theirs))
            warn(
                f"On {len(errors)} held-out ratings the model's error is {ours / theirs - 1:.1%} "
                "above that of damped biases of users and items. Look at max_iter, learning_rate "
                "and lambd, which may keep it from arriving, and at whether the numbers are "
                "ratings; skautorec.baselines.BiasRegressor is the model of biases.",
            )

    def _calibration_cells(self) -> np.ndarray:
        """Choose some of the held-out cells, in a part of the users and a part of the items.

        Each user or item touched costs a factorisation.
        """
        n_cells = max(1, effective_weights(self.heldout_weights, self.heldout.nnz).sum())
        shape = self.heldout.shape
        share = min(1.0, np.sqrt(_N_CELLS / n_cells))
        in_users, in_items = (
            np.isin(np.arange(n), self.draws.into(side).order(n)[: int(np.ceil(share * n))])
            for side, n in zip(("users", "items"), shape, strict=True)
        )
        chosen: np.ndarray = in_users[rows_of_cells(self.heldout)] & in_items[self.heldout.indices]
        return chosen
