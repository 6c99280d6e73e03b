"""Users that a model is asked about, and their ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from .matrix import values_at

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
    """

    ratings: scipy.sparse.csr_array
    own: np.ndarray | None = None
    known: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        ratings: scipy.sparse.csr_array,
        known: np.ndarray,
        training: scipy.sparse.csr_array,
        rows: np.ndarray,
    ) -> Query:
        """Users with these ratings, of whom some are training users.

        Their ratings in the training are ``rows`` of a matrix, -1 for a new user.
        """
        return cls(ratings, values_at(ratings, training, rows), known)

    def take(self, users: slice) -> Query:
        """Only some users, one after another."""
        ends = self.ratings.indptr[[users.start, users.stop]]
        own = None if self.own is None else self.own[ends[0] : ends[1]]
        known = None if self.known is None else self.known[users]
        return Query(self.ratings[users], own, known)
