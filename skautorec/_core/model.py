"""The fitted model: encoders of items, of users or of both, and users folded in from ratings.

The item part encodes items and decodes users; the user part encodes users and decodes items. Where
a member has both, the second is fitted to what the first leaves of the ratings. Every part is an
inner product of factors, and so is their sum and the mean of several members.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse

from .codes import Sums
from .encoder import Encoder, Observed
from .isolation import isolated
from .matrix import ReadTable, Table, columns_as_rows, rows_of_cells, transposed
from .query import Query
from .scores import Embeddings

__all__ = ["ItemPart", "Member", "Model", "UserPart", "mean_items", "mean_users"]

# Ratings after which half of an encoded row is known, as far as deviations are concerned; chosen on
# validation ratings.
_HALF_KNOWN = 50.0


@dataclass(frozen=True)
class ItemPart:
    """An encoder of items and, to leave a user's ratings out of their codes, its sums of them."""

    encoder: Encoder
    sums: Sums

    def fold_in(self, query: Query) -> Embeddings:
        """User rows in closed form, on codes of the items without these users' ratings."""
        return self.encoder.decode(_observed(query), self.sums)[0]

    def codes(self, items: np.ndarray) -> Embeddings:
        """Codes of items."""
        return self.encoder.codes(self.sums[items])

    def updated(self, items: np.ndarray, columns: Table, n_items: int) -> ItemPart:
        """Return it with other ratings of some items, and new items; see `Model.updated`."""
        sums = self.encoder.sums(columns.inputs, columns.weights)
        return replace(self, sums=self.sums.replaced(items, sums, n_items))

    def without_users(self, users: np.ndarray) -> ItemPart:
        """Return it without what its encoder learned of users whose ratings are in no sum now."""
        return replace(self, encoder=self.encoder.without_inputs(users))

    @property
    def unseen_item(self) -> Embeddings:
        """An item without ratings."""
        return Embeddings(np.zeros((1, len(self.encoder.mean_code))), np.zeros(1))

    def variances(
        self, query: Query, cells: scipy.sparse.csr_array
    ) -> tuple[np.ndarray, np.ndarray]:
        """Relative variances of the user rows at some items, the last unseen; and of the codes."""
        n_targets = cells.shape[1] - 1
        targets = self.sums[len(self.sums) - n_targets :]
        codes = np.vstack((self.encoder.codes(targets).factors, self.unseen_item.factors))
        of_rows = self.encoder.relative_variances(_observed(query), self.sums, cells, codes)
        return of_rows, _unknown_share(np.append(targets.counts, 0))[cells.indices]

    def contributions(self, query: Query, item: int) -> np.ndarray:
        """What each rating of the users asked about adds to what their rows predict of an item."""
        (code,) = self.encoder.codes(self.sums[np.array([item])]).factors
        return self.encoder.contributions(_observed(query), self.sums, code)


@dataclass(frozen=True)
class UserPart:
    """An encoder of users."""

    encoder: Encoder

    def fold_in(self, query: Query) -> Embeddings:
        """Codes of users, from their ratings."""
        return self.rows(self.encoder.sums(query.ratings, query.weights))

    def rows(self, sums: Sums) -> Embeddings:
        """The same, from the encoder's sums over their ratings."""
        rows = self.encoder.codes(sums)
        return rows.without_bias() if self.encoder.on_residuals else rows

    def decode(self, items: np.ndarray, training: Table) -> Embeddings:
        """Solve the rows of items, on codes of their raters without these ratings."""
        chosen = np.zeros(training.targets.shape[1], dtype=bool)
        chosen[items] = True
        observed, who = _raters(training, chosen)
        sums = self.encoder.sums(training.inputs[who], training.weights_of(who))
        return self.encoder.decode(observed, sums)[0][items]

    @property
    def unseen_item(self) -> Embeddings:
        """An item without ratings."""
        return self.encoder.prior_row

    def variances(
        self, query: Query, codes: np.ndarray, cells: scipy.sparse.csr_array, training: Table
    ) -> tuple[np.ndarray, np.ndarray]:
        """Relative variances of the item rows for some users, and of the users' codes.

        Parameters
        ----------
        query : Query
        codes : ndarray of shape (n_users, k)
            What `fold_in` gives.
        cells : csr_array of shape (n_users, n_targets + 1)
        training : Table
            What the item rows were solved from.
        """
        by_item, order = transposed(cells)
        observed, who = _raters(training, np.diff(by_item.indptr)[:-1] > 0)
        sums = self.encoder.sums(training.inputs[who], training.weights_of(who))
        of_rows = np.empty(cells.nnz)
        of_rows[order] = self.encoder.relative_variances(observed, sums, by_item, codes)
        is_input = query.ratings.indices < self.encoder.n_inputs
        rows = rows_of_cells(query.ratings)[is_input]
        weights = None if query.weights is None else query.weights[is_input]
        counts = np.bincount(rows, weights, len(codes))
        return of_rows, _unknown_share(counts)[rows_of_cells(cells)]


@dataclass(frozen=True)
class Member:
    """One model: a part of items, of users, or one of each."""

    item: ItemPart | None
    user: UserPart | None

    @property
    def parts(self) -> list[ItemPart | UserPart]:
        """Its parts; the second is fitted to what the first leaves."""
        return [part for part in (self.item, self.user) if part is not None]


@dataclass(frozen=True)
class Model:
    """The mean of members.

    Attributes
    ----------
    members : list of Member
    noise : float
        Variance of a rating around a prediction that is known exactly.
    spread : float
        What the relative posterior variance of a decoded row is multiplied by.
    code_spread : float
        What the share that ratings leave unknown of an encoded row is multiplied by.
    """

    members: list[Member]
    noise: float
    spread: float
    code_spread: float

    @property
    def recognises_users(self) -> bool:
        """Whether a training user's ratings are read otherwise than a new user's: without them."""
        return True

    @property
    def parts(self) -> list[ItemPart | UserPart]:
        """Parts of all members, in the order of their factors."""
        return [part for member in self.members for part in member.parts]

    @property
    def encodes_items(self) -> bool:
        """Whether a rating changes the code of its item, and so the rows of all who rated that."""
        return self.members[0].item is not None

    @property
    def encodes_users(self) -> bool:
        """Whether a rating changes the code of its user, and so the rows of what they rated."""
        return self.members[0].user is not None

    @property
    def is_coupled(self) -> bool:
        """Whether the rows of items are fitted to what those of users leave."""
        return self.encodes_items and self.encodes_users

    @isolated
    def solve_items(self, items: np.ndarray, read: ReadTable) -> Embeddings:
        """Solve the rows of items, of a model that encodes items or users, not both."""
        if self.encodes_users:
            table = read()
            rows = [one.user.decode(items, table) for one in self.members if one.user]
        else:
            rows = [one.item.codes(items) for one in self.members if one.item]
        return mean_items(rows, len(self.members))

    def updated(
        self,
        items: np.ndarray,
        columns: Table,
        n_items: int,
        forgotten: np.ndarray,
    ) -> Model:
        """Return the same networks with the ratings of today.

        Parameters
        ----------
        items : ndarray of int of shape (n,)
            Items whose ratings changed.
        columns : Table
            All of their ratings: inputs of shape (n, n_users).
        n_items : int
            Items now, new ones last.
        forgotten : ndarray of int
            Users who have no ratings any more, of whom the networks are to know nothing.
        """
        if not self.encodes_items:
            return self
        members = []
        for member in self.members:
            assert member.item is not None
            item = member.item.updated(items, columns, n_items)
            users = forgotten[forgotten < item.encoder.n_inputs]
            members.append(replace(member, item=item.without_users(users) if len(users) else item))
        return replace(self, members=members)

    @isolated
    def fold_in(self, query: Query) -> Embeddings:
        """Rows of users, known or new, from their ratings."""
        return mean_users([part.fold_in(query) for part in self.parts], len(self.members))

    @property
    def unseen_item(self) -> Embeddings:
        """An item without ratings."""
        return mean_items([part.unseen_item for part in self.parts], len(self.members))

    @property
    def n_units(self) -> int:
        """Number of factors."""
        return sum(len(part.encoder.mean_code) for part in self.parts)

    @property
    def has_contributions(self) -> bool:
        """Whether a part of each prediction is a sum over the user's ratings; else none is."""
        return all(member.item is not None for member in self.members)

    @isolated
    def contributions(self, query: Query, item: int) -> np.ndarray:
        """What each rating of the users asked about adds to a prediction, through the item parts.

        Parameters
        ----------
        query : Query
        item : int
            Position of the item predicted among all that the item parts encode.

        Returns
        -------
        ndarray of shape (query.ratings.nnz,)
            The rest of a prediction is that of users without ratings in the item parts, and in the
            user parts that of these users.
        """
        added = np.zeros(query.ratings.nnz)
        for member in self.members:
            assert member.item is not None
            added += member.item.contributions(query, item)
        return added / len(self.members)

    def variances(
        self, query: Query, factors: np.ndarray, cells: scipy.sparse.csr_array, read: ReadTable
    ) -> np.ndarray:
        """Variance of new ratings, noise included, at the stored cells of ``cells``.

        Parameters
        ----------
        query : Query
        factors : ndarray of shape (n_users, k)
            Of the users, as from `fold_in`.
        cells : csr_array of shape (n_users, n_targets + 1)
            The last column stands for an item without ratings.
        read : callable
            Returns the training ratings.

        Returns
        -------
        ndarray of shape (cells.nnz,)
        """
        of_rows, of_codes = self.relative_variances(query, factors, cells, read)
        return self.noise + self.spread * of_rows + self.code_spread * of_codes

    @isolated
    def relative_variances(
        self, query: Query, factors: np.ndarray, cells: scipy.sparse.csr_array, read: ReadTable
    ) -> tuple[np.ndarray, np.ndarray]:
        """What is not known of decoded and of encoded rows, over the noise; see `variances`."""
        n_members = len(self.members)
        of_rows, of_codes = np.zeros(cells.nnz), np.zeros(cells.nnz)
        start = 0
        for part in self.parts:
            stop = start + len(part.encoder.mean_code)
            if isinstance(part, ItemPart):
                decoded, encoded = part.variances(query, cells)
            else:
                codes = n_members * factors[:, start:stop]
                decoded, encoded = part.variances(query, codes, cells, read())
            # Members differ in their networks only, so that what few ratings tell of an encoded
            # row is as unknown to all of them.
            of_rows += decoded / n_members
            of_codes += encoded / n_members
            start = stop
        return of_rows, of_codes


def _unknown_share(counts: np.ndarray) -> np.ndarray:
    """What so many ratings leave unknown of an encoded row, whose code is a guess before them."""
    share: np.ndarray = _HALF_KNOWN / (counts + _HALF_KNOWN)
    return share


def _observed(query: Query) -> Observed:
    """The users asked about, as decoded rows."""
    return Observed(query.ratings, query.own, query.known, query.weights)


def _raters(training: Table, chosen: np.ndarray) -> tuple[Observed, np.ndarray]:
    """Ratings of the chosen target items and of one without any, and whose they are, renumbered."""
    columns, cells = columns_as_rows(training.targets, np.flatnonzero(chosen))
    lengths = np.zeros(len(chosen) + 1, dtype=np.int64)  # and one without ratings
    lengths[:-1][chosen] = np.diff(columns.indptr)
    ends = np.append(0, np.cumsum(lengths))
    who, renumbered = np.unique(columns.indices, return_inverse=True)
    values = columns.data
    weights = None if training.weights is None else training.weights[cells]
    ratings = scipy.sparse.csr_array(
        (values, renumbered, ends), shape=(len(lengths), max(1, len(who)))
    )
    who = who if len(who) else np.zeros(1, dtype=np.int64)
    return Observed(ratings, values if training.y is None else None, weights=weights), who


def mean_users(parts: list[Embeddings], n_members: int) -> Embeddings:
    """User rows of the mean of members: the factors side by side."""
    rows = mean_items(parts, n_members)
    return Embeddings(rows.factors / n_members, rows.bias)


def mean_items(parts: list[Embeddings], n_members: int) -> Embeddings:
    """Item rows of the mean of members."""
    bias = np.sum([part.bias for part in parts], axis=0) / n_members
    return Embeddings(np.hstack([part.factors for part in parts]), bias)
