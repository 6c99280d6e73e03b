"""Rows of users or items that are solved when they are read.

A rating that comes after a fit may touch thousands of rows, of which few are asked for before the
next one comes. So what became stale is only marked, and who reads solves what is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .scores import Embeddings

__all__ = ["Rows", "Solve"]

# Returns rows by their numbers.
Solve = Callable[[np.ndarray], Embeddings]
# Stale rows that were read are put into the table when they are more than this many, and more than
# this share of it: a copy of the table is then worth it.
_MANY, _SHARE = 256, 0.05


class _State(NamedTuple):
    """All that is known of the rows, in one object so that it changes at once.

    Attributes
    ----------
    table : Embeddings
        Of the first rows; nobody writes to it.
    stale : ndarray of bool of shape (n_rows,)
        Which rows the table does not tell, or tells no more.
    solved : dict of int to (ndarray, float)
        Those of them that were read since.
    """

    table: Embeddings
    stale: np.ndarray
    solved: dict[int, tuple[np.ndarray, float]]


class Rows:
    """Embeddings of users or items, of which stale ones are solved when they are read.

    What was read stays, so that threads may read at a time: at worst two of them solve one row.

    Parameters
    ----------
    table : Embeddings
        All rows, solved.
    """

    def __init__(self, table: Embeddings) -> None:
        self._state = _State(table, np.zeros(len(table), dtype=bool), {})

    @classmethod
    def _of(cls, state: _State) -> Rows:
        rows = cls.__new__(cls)
        rows._state = state
        return rows

    def __len__(self) -> int:
        return len(self._state.stale)

    def __getstate__(self) -> dict[str, _State]:
        # A copy, since readers in other threads go on solving while it is written.
        return {"_state": self._state._replace(solved=self._state.solved.copy())}

    def take(self, rows: np.ndarray, solve: Solve) -> Embeddings:
        """Some rows, in memory of their own."""
        state = self._state
        stale = np.unique(rows[state.stale[rows]]).tolist()
        missing = np.array([row for row in stale if row not in state.solved], dtype=np.int64)
        if len(missing):
            found = solve(missing)
            for row, factors, bias in zip(missing.tolist(), found.factors, found.bias, strict=True):
                state.solved[row] = factors, bias
        return _taken(state, rows)

    def some(self, rows: np.ndarray, solve: Solve) -> tuple[Embeddings, np.ndarray]:
        """A table that holds some rows, and where each of them is in it."""
        if not self.n_stale or len(rows) >= len(self):
            return self.whole(solve), rows
        known, where = np.unique(rows, return_inverse=True)
        return self.take(known, solve), where

    def last(self, rows: np.ndarray) -> Embeddings:
        """Some rows as they were last solved; NaN where they never were, past the last too."""
        state, inside = self._state, rows < len(self)
        last, part = _nothing(state.table, len(rows)), _taken(state, rows[inside])
        last.factors[inside], last.bias[inside] = part.factors, part.bias
        return last

    def whole(self, solve: Solve) -> Embeddings:
        """All rows."""
        stale = np.flatnonzero(self._state.stale)
        if len(stale):
            table = _extended(self._state.table, len(self))
            part = self.take(stale, solve)
            table.factors[stale], table.bias[stale] = part.factors, part.bias
            self.fill(table)
        return self._state.table

    def fill(self, table: Embeddings) -> None:
        """Take in all rows, solved."""
        self._state = Rows(table)._state

    @property
    def n_stale(self) -> int:
        """How many rows are solved when all are read."""
        return int(self._state.stale.sum()) - len(self._state.solved)

    def marked(self, is_stale: np.ndarray) -> Rows:
        """Return the rows of which these became stale, and those that were still are.

        Parameters
        ----------
        is_stale : ndarray of bool of shape (n_rows,)
            Of more rows than there are, perhaps: the new ones are stale.
        """
        table, before, solved = self._state
        solved = {row: one for row, one in solved.copy().items() if not is_stale[row]}
        is_stale = is_stale.copy()
        is_stale[: len(before)] |= before
        is_stale[len(before) :] = True
        if len(solved) > max(_MANY, _SHARE * len(table)):
            rows = np.array(list(solved))
            part = _taken(_State(table, is_stale, solved), rows)
            table = _extended(table, max(len(table), int(rows.max()) + 1))
            table.factors[rows], table.bias[rows] = part.factors, part.bias
            is_stale[rows], solved = False, {}
        return Rows._of(_State(table, is_stale, solved))


def _taken(state: _State, rows: np.ndarray) -> Embeddings:
    """Rows by their numbers: as they were last solved, else as the table has them, else NaN."""
    taken = _nothing(state.table, len(rows))
    inside = rows < len(state.table)
    taken.factors[inside] = state.table.factors[rows[inside]]
    taken.bias[inside] = state.table.bias[rows[inside]]
    if state.solved:
        for place in np.flatnonzero(state.stale[rows]).tolist():
            one = state.solved.get(int(rows[place]))
            if one is not None:
                taken.factors[place], taken.bias[place] = one
    return taken


def _extended(table: Embeddings, n_rows: int) -> Embeddings:
    """Copy of a table that has room for more rows."""
    more = _nothing(table, n_rows - len(table))
    return Embeddings(
        np.vstack((table.factors, more.factors)), np.concatenate((table.bias, more.bias))
    )


def _nothing(like: Embeddings, n_rows: int) -> Embeddings:
    return Embeddings(np.full((n_rows, like.factors.shape[1]), np.nan), np.full(n_rows, np.nan))
