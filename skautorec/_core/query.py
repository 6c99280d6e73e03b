"""Users that a model is asked about, and their ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from .matrix import Table, values_at, with_values

__all__ = ["Query"]


@dataclass(frozen=True)
class Query:
    """Users to be folded in.

    Attributes
    ----------
    ratings : csr_array of shape (n_users, n_items)
        What they rated; perhaps of the first of the model's items only.
    own : ndarray of shape (ratings.nnz,) or None
        The rating at each cell that the training was given of the same user, so that the codes of
        the items hold it; NaN where it was given none. None where nobody is of the training.
    known : ndarray of int64 of shape (n_users,) or None
        Who they are among the training users, -1 for a new one.
    weights : ndarray of shape (ratings.nnz,) or None
        How much each rating counts: as much as the one in ``own``, or 1; None where all count 1.
    """

    ratings: scipy.sparse.csr_array
    own: np.ndarray | None = None
    known: np.ndarray | None = None
    weights: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        ratings: scipy.sparse.csr_array,
        known: np.ndarray,
        training: Table,
        rows: np.ndarray,
    ) -> Query:
        """Users with these ratings, of whom some are training users.

        Their ratings in the training are ``rows`` of a table, -1 for a new user.
        """
        own = values_at(ratings, training.inputs, rows)
        if training.weights is None:
            return cls(ratings, own, known)
        theirs = with_values(training.inputs, training.weights)
        weights = np.where(np.isnan(own), 1.0, values_at(ratings, theirs, rows))
        return cls(ratings, own, known, weights)

    def take(self, users: slice) -> Query:
        """Only some users, one after another."""
        ends = self.ratings.indptr[[users.start, users.stop]]
        own = None if self.own is None else self.own[ends[0] : ends[1]]
        known = None if self.known is None else self.known[users]
        weights = None if self.weights is None else self.weights[ends[0] : ends[1]]
        return Query(self.ratings[users], own, known, weights)
