"""Relevance of items to users: what they will meet, times what it gives them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .exposure import Exposure
from .forks import cached_property
from .isolation import isolated
from .lists import rounding_of
from .scores import Embeddings, Scores, shared_tensor

__all__ = ["Relevance"]


@dataclass(frozen=True)
class Relevance:
    """Exposure of users to items times the gain from them, to make lists by.

    Attributes
    ----------
    gains : Scores
        What predicted ratings are above the lowest rating.
    least, most : float
        What any item gives at least, since what is predicted below the lowest rating is still to be
        met more or less; and at most.
    rated : csr_array of shape (n_users, n_items)
        Ratings of the users, in stars.
    exposure, targets : Exposure
        Of all items, and of those that may be listed.
    own : csr_array of shape (n_users, n_targets) or None
        What is taken off where users are exposed to an item by their rating of it; None where no
        such item may be listed.
    """

    gains: Scores
    least: float
    most: float
    rated: scipy.sparse.csr_array
    exposure: Exposure
    targets: Exposure
    own: scipy.sparse.csr_array | None
    # Components are single, and a copy of them in double precision takes longer than the product.
    screened_from: ClassVar[int] = 1
    # But for a few lists, no more columns than these have bounds above the last that is listed.
    spare: ClassVar[int] = 64

    @property
    def shape(self) -> tuple[int, int]:
        """Users and items."""
        return self.gains.shape

    def take(self, rows: slice | np.ndarray) -> Relevance:
        """Relevance to some users."""
        own = None if self.own is None else self.own[rows]
        return replace(self, gains=self.gains.take(rows), rated=self.rated[rows], own=own)

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Relevance of pairs: shape (n_pairs,)."""
        used = np.flatnonzero(np.bincount(columns, minlength=self.shape[1]))
        where = np.zeros(self.shape[1], dtype=np.int64)
        where[used] = np.arange(len(used))
        targets = _without_bias(self.targets.components[used])
        exposure = Scores(_without_bias(self._codes), targets).at(rows, where[columns])
        if self.own is not None:
            exposure -= self.own[rows, columns]
        self._finish(exposure, columns)
        exposure *= np.clip(self.gains.at(rows, columns), self.least, self.most)
        return exposure

    def block(self) -> np.ndarray:
        """Relevance of every item to every user: shape `shape`."""
        exposure = self.targets.reached(self._codes)
        if self.own is not None:
            exposure -= self.own.toarray()
        self._finish(exposure, slice(None))
        exposure *= np.clip(self.gains.block(), self.least, self.most)
        return exposure

    @isolated
    def bounds(self) -> tuple[Tensor, Tensor]:
        """What relevance is at most: what would be gained of the highest rating."""
        codes, leverage = shared_tensor(self._codes), shared_tensor(self.targets.leverage)
        exposure = codes @ shared_tensor(self.targets.components).t()
        if self.own is not None:
            exposure.numpy()[self.own.tocoo().coords] -= self.own.data
        exposure /= 1 - leverage
        torch.maximum(exposure, shared_tensor(self.targets.least), out=exposure)
        # What is taken off for a rating of the item itself is at most twice its leverage.
        longest = (leverage.sqrt() / (1 - leverage)).max()
        sizes = longest * (torch.linalg.vector_norm(codes, dim=1) + 2) * self.most
        return exposure.mul_(self.most), rounding_of(codes.shape[1], sizes)

    @cached_property
    def _codes(self) -> np.ndarray:
        return self.exposure.codes(self.rated)

    def _finish(self, exposure: np.ndarray, columns: slice | np.ndarray) -> None:
        """Make exposure of products of codes and components, in place."""
        exposure /= 1 - self.targets.leverage[columns].astype(np.float64)
        np.maximum(exposure, self.targets.least[columns], out=exposure)


def _without_bias(factors: np.ndarray) -> Embeddings:
    return Embeddings(factors.astype(np.float64), np.zeros(len(factors)))
