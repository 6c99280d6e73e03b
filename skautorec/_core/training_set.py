"""The ratings that a model was fitted to, and who among their users a row of ratings is."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from .forks import cached_property
from .matrix import Table, columns_as_rows, rows_of_cells, values_at, with_values

__all__ = ["Cells", "TrainingSet", "compact"]

# Types that ratings are kept in: the first that holds all of them exactly.
_DTYPES = [np.dtype(one) for one in (np.int8, np.int16, np.float32, np.float64)]
# And weights.
_FLOATS = _DTYPES[2:]
# Share of a row's ratings that may be others than a training user's.
_OTHERS = 10


@dataclass(frozen=True)
class Cells:
    """Pairs of users and items by their codes, int64, and their ratings where there are any.

    And the weights of these, if they have any.
    """

    users: np.ndarray
    items: np.ndarray
    values: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.users)

    def keys(self, n_items: int) -> np.ndarray:
        """One number for each pair, in the order of compressed rows."""
        return self.users * n_items + self.items


@dataclass(frozen=True, eq=False)
class TrainingSet(Table):
    """Ratings that a model was fitted to, in rating units and in a small type."""

    def updated(self, given: Cells, removed: Cells, shape: tuple[int, int]) -> TrainingSet:
        """Return the ratings with some added or replaced and others taken out.

        Parameters
        ----------
        given, removed : Cells
            A cell is in one of them, once.
        shape : tuple of (int, int)
            Users and items now, new ones last.
        """
        old = self.inputs
        # 1. The rows that change, as keys of their cells in order.
        rows = np.unique(np.concatenate((given.users, removed.users)))
        before = rows[rows < old.shape[0]]
        part = old[before]
        keys = before[rows_of_cells(part)] * shape[1] + part.indices
        given_keys, removed_keys = given.keys(shape[1]), removed.keys(shape[1])
        stays = ~np.isin(keys, np.concatenate((given_keys, removed_keys)))
        keys = np.concatenate((keys[stays], given_keys))
        order = np.argsort(keys)
        users, items = np.divmod(keys[order], shape[1])
        # 2. The rows that do not, between them.
        lengths = np.zeros(shape[0], dtype=np.int64)
        lengths[: old.shape[0]] = np.diff(old.indptr)
        ends = np.append(old.indptr, np.full(shape[0] - old.shape[0], old.nnz))
        lengths[rows] = np.bincount(users, minlength=shape[0])[rows]
        cuts = np.append(0, np.cumsum(lengths[rows]))

        def spliced(kept: np.ndarray, of_part: np.ndarray, new: np.ndarray) -> np.ndarray:
            changed = np.concatenate((of_part[stays], new))[order]
            return _spliced(kept, ends, rows, changed.astype(kept.dtype), cuts)

        dtype = max(old.dtype, _smallest(given.values, _DTYPES), key=_DTYPES.index)
        data = spliced(old.data.astype(dtype, copy=False), part.data, given.values)
        indices = _spliced(old.indices, ends, rows, items.astype(old.indices.dtype), cuts)
        indptr = np.append(0, np.cumsum(lengths)).astype(old.indptr.dtype)
        inputs = scipy.sparse.csr_array((data, indices, indptr), shape=shape)
        # 3. Weights, where there are any.
        if self.weights is None and given.weights is None:
            return TrainingSet(inputs, None)
        kept, new = (_or_ones(one.weights, n) for one, n in ((self, old.nnz), (given, len(given))))
        of_part = _or_ones(self.weights_of(before), part.nnz)
        weights = spliced(kept.astype(np.float64), of_part, new)
        is_plain = bool((weights == 1).all())
        return TrainingSet(
            inputs, None, None if is_plain else weights.astype(_smallest(weights, _FLOATS))
        )

    def holds(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Which pairs of users and items have a rating."""
        order = np.lexsort((items, users))
        ends = np.append(0, np.cumsum(np.bincount(users, minlength=self.inputs.shape[0])))
        asked = scipy.sparse.csr_array(
            (np.ones(len(users), dtype=np.int8), items[order], ends), shape=self.inputs.shape
        )
        found = np.empty(len(users), dtype=bool)
        found[order] = ~np.isnan(values_at(asked, self.inputs, np.arange(asked.shape[0])))
        return found

    def columns(self, items: np.ndarray) -> Table:
        """Ratings of some items, a row each: inputs of shape (n, n_users)."""
        columns, cells = columns_as_rows(self.inputs, items)
        return Table(columns, None, None if self.weights is None else self.weights[cells])

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
        return {"inputs": self.inputs, "y": self.y, "weights": self.weights}

    @classmethod
    def of(cls, table: Table) -> TrainingSet:
        """Make it of ratings and, if any, their weights."""
        y = None if table.y is None else compact(table.y)
        weights = table.weights
        if weights is not None:
            weights = weights.astype(_smallest(weights, _FLOATS))
        return cls(compact(table.inputs), y, weights)


def compact(ratings: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Keep ratings in the smallest of a few types that holds them exactly."""
    return with_values(ratings, ratings.data.astype(_smallest(ratings.data, _DTYPES)))


def _smallest(values: np.ndarray, dtypes: list[np.dtype[Any]]) -> np.dtype[Any]:
    """The first of some types that holds all values exactly; the last does."""
    for dtype in dtypes[:-1]:
        with np.errstate(all="ignore"):
            if np.array_equal(values.astype(dtype), values):
                return dtype
    return dtypes[-1]


def _or_ones(weights: np.ndarray | None, n: int) -> np.ndarray:
    return np.ones(n) if weights is None else weights


def _spliced(
    old: np.ndarray, ends: np.ndarray, rows: np.ndarray, new: np.ndarray, cuts: np.ndarray
) -> np.ndarray:
    """Compressed rows of which some are others now.

    Parameters
    ----------
    old : ndarray of shape (nnz,)
    ends : ndarray of int
        Where the rows of ``old`` end and begin.
    rows : ndarray of int of shape (n,)
        Which are others, in order.
    new : ndarray
    cuts : ndarray of int of shape (n + 1,)
        Where the rows of ``new`` end and begin.
    """
    pieces, start = [], 0
    for row, first, last in zip(rows.tolist(), cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        pieces += [old[start : ends[row]], new[first:last]]
        start = int(ends[row + 1])
    spliced: np.ndarray = np.concatenate([*pieces, old[start:]], dtype=old.dtype)
    return spliced
