"""Solve the rows of users and items of a model whose encoders are given, from all ratings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch

from .codes import Sums
from .encoder import Encoder, Observed, Problem, by_decoded
from .isolation import isolated
from .journal import Arrays, Journal
from .matrix import Table
from .model import ItemPart, Member, Model, UserPart, mean_items, mean_users
from .scores import Embeddings, Scores

__all__ = ["Choice", "Encoders", "Solved", "mean_rows", "solve", "solve_model"]


class Choice(Protocol):
    """Chooses the penalties of decoded rows before these are solved; see `calibration`."""

    def of_items(self, problem: Problem, number: int, is_last: bool) -> Problem:
        """Choose those of a member's user rows."""

    def of_users(self, problem: Problem, number: int, first: Scores | None) -> Problem:
        """Choose those of a member's item rows."""


@dataclass(frozen=True)
class Encoders:
    """Trained encoders of one member, and the sums of the items if these are known already."""

    item: Encoder | None
    user: Encoder | None
    sums: Sums | None = None

    @property
    def penalties(self) -> np.ndarray:
        """Penalties of decoded rows and of their biases: shape (n_encoders, 2)."""
        encoders = (one for one in (self.item, self.user) if one is not None)
        return np.array([[one.penalty, one.bias_penalty] for one in encoders])

    def with_penalties(self, penalties: np.ndarray) -> Encoders:
        """Return it with other penalties."""
        left = iter(penalties.tolist())

        def changed(encoder: Encoder | None) -> Encoder | None:
            if encoder is None:
                return None
            penalty, bias_penalty = next(left)
            return replace(encoder, penalty=penalty, bias_penalty=bias_penalty)

        return replace(self, item=changed(self.item), user=changed(self.user))

    @classmethod
    def of(cls, member: Member) -> Encoders:
        """Those that a member was solved with."""
        item, user = member.item, member.user
        of_item = (item.encoder, item.sums) if item else (None, None)
        return cls(of_item[0], user.encoder if user else None, of_item[1])


@dataclass(frozen=True)
class Solved:
    """A member, and the rows of users and of target items of each of its parts."""

    member: Member
    users: list[Embeddings]
    items: list[Embeddings]

    @property
    def encoders(self) -> Encoders:
        """What it was solved with, penalties included, for other ratings."""
        return replace(Encoders.of(self.member), sums=None)


class _DecodedRows:
    """The decoded rows of a member, solved now or by an interrupted fit."""

    def __init__(self, dtype: torch.dtype, journal: Journal | None) -> None:
        self._dtype, self._journal = dtype, journal or Journal()
        self._solved: dict[str, Embeddings] = {}
        # Where all of them had been solved.
        self.kept = self._journal.kept()

    def solve(self, problem: Problem, side: str) -> tuple[Embeddings, np.ndarray]:
        """Rows of the part that encodes a side, and what they leave of their ratings."""
        ratings = problem.observed.ratings
        if self.kept is None:
            rows, left = problem.solve(self._dtype, self._journal.into(side))
            self._solved[side] = rows
            return rows, left
        n_rows, n_units = ratings.shape[0], len(problem.encoder.mean_code)
        factors = self.kept.take(f"{side}.factors", n_rows, n_units)
        # Nothing is fitted any more to what they leave.
        return Embeddings(factors, self.kept.take(f"{side}.bias", n_rows)), ratings.data

    def end(self, solved: Solved) -> None:
        """Hear that all parts are solved."""

        def arrays() -> Arrays:
            arrays = {"penalties": solved.encoders.penalties}
            for side, rows in self._solved.items():
                arrays |= {f"{side}.factors": rows.factors, f"{side}.bias": rows.bias}
            return arrays

        if self.kept is None:
            self._journal.reached(arrays)


def solve(
    encoders: Encoders,
    table: Table,
    calibration: Choice | None = None,
    number: int = 0,
    journal: Journal | None = None,
) -> Solved:
    """Solve the decoded rows of a member.

    With a calibration, which chooses their penalties first, in single precision, and of the last
    part only the rows that it needs. The journal hears which rows are solved.
    """
    rows = _DecodedRows(torch.float64 if calibration is None else torch.float32, journal)
    if rows.kept is not None:
        encoders = encoders.with_penalties(rows.kept.take("penalties", *encoders.penalties.shape))
        calibration = None
    users: list[Embeddings] = []
    items: list[Embeddings] = []
    item_part, user_part = None, None
    left_over = table.targets.data
    # 1. The part of items: what each user's ratings say of the codes of the items, without them.
    if encoders.item is not None:
        joined, sums = table.joined, encoders.sums
        if sums is None:
            by_item = table.by_column
            sums = encoders.item.sums(by_item.inputs, by_item.weights)
        observed = Observed(joined, joined.data, weights=table.weights)
        problem = Problem(encoders.item, observed, sums)
        if calibration is not None:
            problem = calibration.of_items(problem, number, is_last=encoders.user is None)
        n_before = joined.shape[1] - table.targets.shape[1]
        of_users, left = rows.solve(problem, "item")
        item_part = ItemPart(problem.encoder, problem.sums)
        users.append(of_users)
        items.append(problem.encoder.codes(problem.sums[n_before:]))
        if encoders.user is not None:
            left_over = left[joined.indices >= n_before]
    # 2. The part of users: what each item's ratings, or what the first part leaves of them, say of
    #    the codes of the users.
    if encoders.user is not None:
        sums = encoders.user.sums(table.inputs, table.weights)
        problem = Problem(encoders.user, by_decoded(table, left_over), sums)
        if calibration is not None:
            first = Scores(users[0], items[0]) if users else None
            problem = calibration.of_users(problem, number, first)
        user_part = UserPart(problem.encoder)
        users.append(user_part.rows(problem.sums))
        items.append(rows.solve(problem, "user")[0])
    solved = Solved(Member(item_part, user_part), users, items)
    rows.end(solved)
    return solved


def mean_rows(solved: list[Solved]) -> tuple[Embeddings, Embeddings]:
    """Rows of users and of target items of the mean of members."""
    users = mean_users([rows for one in solved for rows in one.users], len(solved))
    items = mean_items([rows for one in solved for rows in one.items], len(solved))
    return users, items


@isolated
def solve_model(model: Model, table: Table) -> tuple[Embeddings, Embeddings]:
    """Rows of users and of target items of a fitted model, from all of their ratings."""
    return mean_rows([solve(Encoders.of(member), table) for member in model.members])
