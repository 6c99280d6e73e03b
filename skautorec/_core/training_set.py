"""The ratings that a model was fitted to, and who among their users a row of ratings is."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

from .matrix import Table, values_at, with_values

__all__ = ["TrainingSet", "compact"]

# Types that ratings are kept in: the first that holds all of them exactly.
_DTYPES = (np.int8, np.int16, np.float32, np.float64)
# Share of a row's ratings that may be others than a training user's.
_OTHERS = 10


@dataclass(frozen=True, eq=False)
class TrainingSet(Table):
    """Ratings that a model was fitted to, in rating units and in a small type."""

    def recognise(self, ratings: scipy.sparse.csr_array) -> np.ndarray:
        """Say which training user each row of ratings is, -1 for a new one.

        A row is a training user's if all of its ratings are, but for a tenth of them, and at least
        one of three or more: a fresh, a missing or a changed rating makes no difference. Of several
        such users it is the one whose ratings are exactly the row's, else the one who shares most;
        where that is not one user, it is a new one.

        Parameters
        ----------
        ratings : csr_array of shape (n_rows, n_items)
            In rating units.
        """
        ends = ratings.indptr
        rows = (slice(start, stop) for start, stop in itertools.pairwise(ends))
        found = [self._recognise(ratings.indices[row], ratings.data[row]) for row in rows]
        return np.array(found, dtype=np.int64)

    def _recognise(self, items: np.ndarray, values: np.ndarray) -> int:
        n = len(items)
        n_others = 0 if n < 3 else max(1, n // _OTHERS)
        # Of so many of its rarest items a training user has rated most alike.
        starts, lengths = self._by_item.indptr[items], np.diff(self._by_item.indptr)[items]
        n_asked = min(n, 2 * n_others + 1)
        rarest = np.argsort(lengths, kind="stable")[:n_asked]
        raters = [self._raters(starts[i], lengths[i], values[i]) for i in rarest]
        if not raters:
            return -1
        users, votes = np.unique(np.concatenate(raters), return_counts=True)
        users = users[votes >= n_asked - n_others]
        if not len(users):
            return -1
        shared = self._n_shared(users, items, values)
        users, shared = users[shared >= n - n_others], shared[shared >= n - n_others]
        same = users[(shared == n) & (np.diff(self.inputs.indptr)[users] == n)]
        likely = same if len(same) else users[shared == shared.max(initial=0)]
        return int(likely[0]) if len(likely) == 1 else -1

    def _raters(self, start: int, length: int, value: float) -> np.ndarray:
        cells = slice(start, start + length)
        users: np.ndarray = self._by_item.indices[cells][self._by_item.data[cells] == value]
        return users

    def _n_shared(self, users: np.ndarray, items: np.ndarray, values: np.ndarray) -> np.ndarray:
        """How many of these ratings each user has given too."""
        n = len(users)
        repeated = scipy.sparse.csr_array(
            (np.tile(values, n), np.tile(items, n), np.arange(n + 1) * len(items)),
            shape=(n, self.inputs.shape[1]),
        )
        is_shared = values_at(repeated, self.inputs, users) == repeated.data
        counts: np.ndarray = is_shared.reshape(n, len(items)).sum(axis=1)
        return counts

    @cached_property
    def _by_item(self) -> scipy.sparse.csc_array:
        return self.inputs.tocsc()

    def __getstate__(self) -> dict[str, Any]:
        # Without what is computed when it is needed.
        return {"inputs": self.inputs, "y": self.y}


def compact(ratings: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Keep ratings in the smallest of a few types that holds them exactly."""
    for dtype in _DTYPES:
        with np.errstate(all="ignore"):
            values = ratings.data.astype(dtype)
        if np.array_equal(values, ratings.data):
            return with_values(ratings, values)
    return ratings
