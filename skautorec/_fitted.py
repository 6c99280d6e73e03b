"""What a fit leaves: one object that predictions, lists, displays and files are made from."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
import scipy.sparse
from sklearn import get_config

from ._core.exposure import Exposure, ExposureOfFit
from ._core.forks import cached_property
from ._core.journal import Journal
from ._core.likeness import AroundMean, are_same, most_alike, norms_around
from ._core.lists import slices, top
from ._core.matrix import ReadTable, Table
from ._core.model import Model
from ._core.query import Query
from ._core.relevance import Relevance
from ._core.rows import Rows
from ._core.scores import Embeddings, Scores
from ._core.solving import solve_model
from ._core.training_set import TrainingSet
from ._data.frames import has_own_index, is_frame
from ._data.ids import as_id_array
from ._data.inputs import TrainingInput, read_rows
from ._data.lookup import Unknown
from ._data.scale import Layout, Scale

__all__ = ["Fitted", "RatingModel", "Trained", "check_rank_by"]

# Least gain from an item that is met, as a share of the rating range.
_LEAST_GAIN = 1e-3
# Cells whose standard deviations are computed at a time, and bytes that each takes meanwhile.
_N_DEVIATIONS, _BYTES_OF_DEVIATION = 2**21, 75


def check_rank_by(rank_by: Any) -> None:
    """Refuse what lists cannot be ranked by."""
    if rank_by not in ("relevance", "rating"):
        raise ValueError(f"rank_by is {rank_by!r}; give 'relevance' or 'rating'.")


class RatingModel(Protocol):
    """What the core must give of a fitted model; ratings are in stars, and cells of a matrix."""

    @property
    def recognises_users(self) -> bool:
        """Whether a training user's ratings are read otherwise than a new user's."""

    @property
    def n_units(self) -> int:
        """Number of factors."""

    @property
    def unseen_item(self) -> Embeddings:
        """An item without ratings."""

    def fold_in(self, query: Query) -> Embeddings:
        """Embeddings of users, known or new, from their ratings."""

    def variances(
        self, query: Query, factors: np.ndarray, cells: scipy.sparse.csr_array, read: ReadTable
    ) -> np.ndarray:
        """Variances of new ratings, as `Model.variances`."""


@dataclass(frozen=True)
class Trained:
    """What a training gives.

    Attributes
    ----------
    model : RatingModel
    users, items : Embeddings
        Of the training users and the target items, in stars.
    attributes : dict
        What the estimator tells of it, by name.
    counts : ndarray of shape (n_targets,) or None
        What lists rank items by in place of predicted ratings.
    journal : Journal
        Is to hear when the fit is done.
    """

    model: RatingModel
    users: Embeddings
    items: Embeddings
    attributes: dict[str, Any] = field(default_factory=dict)
    counts: np.ndarray | None = None
    journal: Journal = field(default_factory=Journal)


@dataclass(frozen=True, eq=False)
class Fitted(Layout):
    """A fitted model in rating units, with the ids and ratings that it was fitted to.

    It never changes, so whoever takes it from an estimator once reads one model, whatever other
    threads do meanwhile.

    Attributes
    ----------
    model : RatingModel
    user_rows, item_rows : Rows
        Of the known users and the target items: a predicted rating is an inner product of factors
        plus both biases.
    training : TrainingSet
        The ratings.
    exposure_of_fit : ExposureOfFit
        Which items users meet, by the ratings of the last fit.
    counts : ndarray of shape (n_targets,) or None
        What lists rank items by in place of predicted ratings.
    """

    model: RatingModel
    user_rows: Rows
    item_rows: Rows
    training: TrainingSet
    exposure_of_fit: ExposureOfFit
    counts: np.ndarray | None = None

    @classmethod
    def of(cls, given: TrainingInput, trained: Trained) -> Fitted:
        """Turn what a training gave into rating units, and keep the ratings."""
        scale, training = given.targets.scale, TrainingSet.of(given.table())
        return cls(
            given.user_ids,
            given.inputs,
            given.targets,
            given.target_ndim,
            given.feature_names,
            trained.model,
            Rows(scale.users(trained.users)),
            Rows(scale.items(trained.items)),
            training,
            ExposureOfFit(training.targets),
            trained.counts,
        )

    def attributes(self) -> dict[str, Any]:
        """What estimators show of it, by the names of their attributes."""
        shown = {
            "user_ids_": self.user_ids.array,
            "item_ids_": self.inputs.ids.array,
            "target_ids_": self.targets.ids.array,
            "rating_range_": self.inputs.scale.bounds,
            "n_features_in_": len(self.inputs),
        }
        if self.feature_names is not None:
            shown["feature_names_in_"] = self.feature_names
        return shown

    def __getstate__(self) -> dict[str, Any]:
        # Without what is computed when it is needed.
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @property
    def seen(self) -> scipy.sparse.csr_array:
        """Rated cells of the target items, a row per training user."""
        return self.training.targets

    def _table(self) -> Table:
        """Training ratings in the units of training."""
        return self.to_stars(self.training)

    # Rows that an update made stale are solved when they are read.

    @property
    def users(self) -> Embeddings:
        """Rows of all known users."""
        return self.user_rows.whole(self._solve_users)

    @property
    def items(self) -> Embeddings:
        """Rows of all target items."""
        return self.item_rows.whole(self._solve_items)

    def users_at(self, codes: np.ndarray) -> Embeddings:
        """Rows of some users."""
        return self.user_rows.take(codes, self._solve_users)

    def items_at(self, codes: np.ndarray) -> Embeddings:
        """Rows of some items."""
        return self.item_rows.take(codes, self._solve_items)

    def last_users(self, codes: np.ndarray) -> Embeddings:
        """Rows of users as they were last solved, and somebody new's where there are none."""
        return _or_else(self.user_rows.last(codes), self._new_user)

    def last_items(self, codes: np.ndarray) -> Embeddings:
        """The same of items."""
        return _or_else(self.item_rows.last(codes), self._new_item)

    def _solve_users(self, codes: np.ndarray) -> Embeddings:
        model = self.model
        assert isinstance(model, Model)
        if model.is_coupled and self.item_rows.n_stale and 2 * len(codes) > len(self.user_rows):
            self._solve_all(model)
            return self.users_at(codes)
        return self.fold_in(self.training_query(codes))

    def _solve_items(self, codes: np.ndarray) -> Embeddings:
        model = self.model
        assert isinstance(model, Model)
        if model.is_coupled:
            self._solve_all(model)
            return self.items_at(codes)
        return self._in_range(model.solve_items(codes, self._table))

    def _solve_all(self, model: Model) -> None:
        users, items = solve_model(model, self._table())
        self.user_rows.fill(self.targets.scale.users(users))
        self.item_rows.fill(self.targets.scale.items(items))

    # Users

    def read_rows(
        self, estimator: Any, X: Any, unknown: Unknown = "error"
    ) -> tuple[scipy.sparse.csr_array, np.ndarray | None]:
        """Read rows of ratings, and their labels, which may name training users; see `query`."""
        rows = read_rows(estimator, X, self.inputs, self.feature_names, unknown)
        has_labels = is_frame(X) and has_own_index(X)
        return rows, as_id_array(X.index) if has_labels else None

    def query(self, ratings: scipy.sparse.csr_array, labels: np.ndarray | None = None) -> Query:
        """Users with these ratings, in rating units: new ones, or recognised by them.

        Parameters
        ----------
        ratings : csr_array of shape (n_users, n_items)
        labels : ndarray of shape (n_users,) or None
            Ids that name training users among them.
        """
        stars = self.inputs.scale.to_stars
        if not self.model.recognises_users:
            return Query(stars(ratings))
        known = self.training.recognise(ratings)
        if labels is not None:
            named = self.user_ids.codes(labels)
            known = np.where(named >= 0, named, known)
        is_known = known >= 0
        if not is_known.any():
            return Query(stars(ratings))
        who = known[is_known]
        theirs = Table(self.training.inputs[who], None, self.training.weights_of(who))
        rows = np.where(is_known, np.cumsum(is_known) - 1, -1)
        return Query.of(stars(ratings), known, self.to_stars(theirs), rows)

    def training_query(self, codes: np.ndarray) -> Query:
        """Training users with all of their ratings; nobody where a code is -1."""
        table = self.to_stars(self.training.rows_or_none(codes))
        ratings = table.joined
        return Query(ratings, ratings.data, codes, table.weights)

    def fold_in(self, query: Query) -> Embeddings:
        """Embeddings of users, known or new."""
        return self.targets.scale.users(self.model.fold_in(query))

    def _new_user(self) -> Embeddings:
        """Somebody without ratings."""
        return self.fold_in(Query(scipy.sparse.csr_array((1, len(self.inputs)))))

    def _new_item(self) -> Embeddings:
        """An item without ratings."""
        return self._in_range(self.model.unseen_item)

    def _in_range(self, items: Embeddings) -> Embeddings:
        """Turn rows of some items into rating units, in the range that all items share."""
        return Scale.shared(*self.inputs.scale.bounds, len(items)).items(items)

    # Predictions

    def predict_pairs(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Ratings of pairs of codes; -1 is an unknown user or item, who gets the prior."""
        scores = np.empty(len(users))
        for is_stranger, is_new in itertools.product((False, True), repeat=2):
            chosen = ((users < 0) == is_stranger) & ((items < 0) == is_new)
            if chosen.any():
                who, what = users[chosen], items[chosen]
                if is_stranger:
                    of_users, who = self._new_user(), np.zeros_like(who)
                else:
                    of_users, who = self.user_rows.some(who, self._solve_users)
                if is_new:
                    of_items, what = self._new_item(), np.zeros_like(what)
                else:
                    of_items, what = self.item_rows.some(what, self._solve_items)
                scores[chosen] = Scores(of_users, of_items).at(who, what)
        self.targets.scale.clip(scores, 0)
        return scores

    def predict_matrix(self, users: Embeddings) -> np.ndarray:
        """Ratings of every target item: shape (n_users, n_targets)."""
        predicted = Scores(users, self.items).block()
        self.targets.scale.clip(predicted)
        return predicted

    def predict_cells(self, users: Embeddings, cells: scipy.sparse.csr_array) -> np.ndarray:
        """Ratings of the stored cells of a matrix, whose rows are these users."""
        rows, items = cells.tocoo().coords
        predicted = Scores(users, self.items).at(rows, items)
        self.targets.scale.clip(predicted, items)
        return predicted

    # Standard deviations

    def deviations_of_pairs(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Standard deviations of pairs of codes, as `predict_pairs`."""
        codes, rows = np.unique(users, return_inverse=True)
        embedded = self.users_at(np.maximum(codes, 0))
        if codes.min(initial=0) < 0:
            embedded.factors[0] = self._new_user().factors
        items = np.where(items < 0, len(self.targets), items)
        return self.deviations(embedded, self.training_query(codes), rows, items)

    def deviations_of_matrix(self, users: Embeddings, query: Query) -> np.ndarray:
        """Standard deviations of every target item: shape (n_users, n_targets)."""
        n_items = len(self.targets)
        std = np.empty((len(users), n_items))
        most = int(get_config()["working_memory"] * 2**20) // _BYTES_OF_DEVIATION
        for rows in slices(len(users), min(_N_DEVIATIONS, most) // n_items):
            n_rows = rows.stop - rows.start
            ends = np.arange(n_rows + 1) * n_items
            cells = scipy.sparse.csr_array(
                (np.ones(n_rows * n_items, bool), np.tile(np.arange(n_items), n_rows), ends),
                shape=(n_rows, n_items + 1),
            )
            std[rows] = self._deviations(users[rows], query.take(rows), cells).reshape(n_rows, -1)
        return std

    def deviations(
        self, users: Embeddings, query: Query, rows: np.ndarray, items: np.ndarray
    ) -> np.ndarray:
        """Standard deviations of pairs of users asked about and items, past the last an unknown."""
        n_columns = len(self.targets) + 1
        # Each pair once: a table may hold one twice.
        codes, where = np.unique(rows.astype(np.int64) * n_columns + items, return_inverse=True)
        cells = scipy.sparse.coo_array(
            (np.ones(len(codes), bool), np.divmod(codes, n_columns)), (len(users), n_columns)
        ).tocsr()
        return self._deviations(users, query, cells)[where]

    def _deviations(
        self, users: Embeddings, query: Query, cells: scipy.sparse.csr_array
    ) -> np.ndarray:
        """The same of the stored cells of a matrix."""
        factors = users.factors[:, : self.model.n_units]
        variances = self.model.variances(query, factors, cells, self._table)
        slope = self.targets.scale.slope
        std: np.ndarray = np.sqrt(variances) * slope[np.minimum(cells.indices, len(slope) - 1)]
        return std

    # Explanations

    def explain(
        self, user: Embeddings, query: Query, item: int
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Take the predicted rating of one user apart: see `AutoRecRegressor.explain`.

        Returns
        -------
        base : float
        items : ndarray of int of shape (n_rated,)
            Codes of the items that the user has rated, of those that users are known by.
        contributions : ndarray of shape (n_rated,)
            What each adds, in rating units. The base is the rest of the prediction.
        """
        assert isinstance(self.model, Model)
        position = len(self.inputs) + item if self.has_targets else item
        is_input = query.ratings.indices < len(self.inputs)
        in_stars = self.model.contributions(query, position)[is_input]
        contributions = self.targets.scale.slope[item] * in_stars
        (predicted,) = Scores(user, self.items).at(np.array([0]), np.array([item]))
        base = float(predicted - contributions.sum())
        return base, query.ratings.indices[is_input], contributions

    # Lists

    def best(
        self,
        users: Embeddings,
        columns: np.ndarray,
        n: int,
        hidden: scipy.sparse.csr_array | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Positions among ``columns`` and scores of the best of them, as `Scores.top`."""
        if self.counts is not None:
            return self._most_counted(len(users), columns, n, hidden)
        items = self.items[columns] if len(columns) < len(self.targets) else self.items
        return Scores(users, items).top(n, hidden)

    def _most_counted(
        self, n_users: int, columns: np.ndarray, n: int, hidden: scipy.sparse.csr_array | None
    ) -> tuple[np.ndarray, np.ndarray]:
        assert self.counts is not None
        counts = self.counts[columns].astype(np.float64)
        same = Embeddings(np.zeros((n_users, 0)), np.zeros(n_users))
        best, scores = Scores(same, Embeddings(np.zeros((len(counts), 0)), counts)).top(n, hidden)
        # Exactly: lists are compared in single precision.
        return best, np.where(np.isnan(scores), np.nan, counts[best])

    def most_relevant(
        self,
        users: Embeddings,
        query: Query,
        columns: np.ndarray,
        n: int,
        hidden: scipy.sparse.csr_array | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same by relevance: exposure times what the predicted rating is above the lowest."""
        low, high = self.inputs.scale.bounds
        items = Embeddings(self.items.factors, self.items.bias - low)
        # Where all ratings are one number, exposure is all that is known.
        most = high - low or 1.0
        rated, exposure = query.ratings, self.exposure
        targets, own = exposure, None if hidden is not None else exposure.own(rated)
        if len(columns) < len(self.targets):
            items, targets = items[columns], exposure.take(columns)
            own = None if own is None else own[:, columns]
        gains = Scores(users, items)
        relevance = Relevance(gains, _LEAST_GAIN * most, most, rated, exposure, targets, own)
        return top(relevance, n, hidden)

    @cached_property
    def exposure(self) -> Exposure:
        """Which items users meet; computed when it is first needed."""
        exposure = self.exposure_of_fit.get()
        n_old, n_users = len(exposure.popularity), self.seen.shape[0]
        if n_old == len(self.targets):
            return exposure
        counts = np.bincount(self.seen.indices, minlength=len(self.targets))
        return exposure.with_more(counts[n_old:] / n_users)

    def most_similar(
        self, codes: np.ndarray, columns: np.ndarray, n: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Positions among ``columns`` of the items most like some, and how like; NaN for nothing.

        Rated alike, by the cosine of their factors, and met together.
        """
        items = self._items_around_mean

        def likeness(part: slice) -> np.ndarray:
            own = codes[part]
            cosines = items.cosines(items.factors[own], items.norms[own])
            if not self.has_targets:
                cosines += self.exposure.together(own)
                cosines /= 2
            return cosines

        return most_alike(likeness, codes, columns, n, len(self.items))

    def most_similar_users(
        self, factors: np.ndarray, codes: np.ndarray, columns: np.ndarray, n: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same of users, who rate alike, by the cosine of their factors.

        Parameters
        ----------
        factors : ndarray of shape (n_users, k)
            Of the users asked about.
        codes : ndarray of int64 of shape (n_users,)
            Who they are among the training users, -1 for a new one; nobody is like themselves.
        columns : ndarray of int64
        n : int
        """
        users, factors = self._users_around_mean, factors[:, : self.model.n_units]
        norms = self._user_norms(factors, users.mean)

        def likeness(part: slice) -> np.ndarray:
            return users.cosines(factors[part], norms[part])

        return most_alike(likeness, codes, columns, n, len(self.users))

    @cached_property
    def _items_around_mean(self) -> AroundMean:
        """Item factors; nothing is known of an item without ratings."""
        factors = self.items.factors
        mean = factors.mean(axis=0)
        norms = norms_around(factors, mean)
        is_rated = np.zeros(len(norms), dtype=bool)
        is_rated[self.seen.indices] = True
        norms[~is_rated] = np.inf
        return AroundMean(factors, mean, norms)

    @cached_property
    def _users_around_mean(self) -> AroundMean:
        """User factors, without the coordinate that may hold biases."""
        factors = self.users.factors[:, : self.model.n_units]
        mean = factors.mean(axis=0)
        return AroundMean(factors, mean, self._user_norms(factors, mean))

    def _user_norms(self, factors: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Norms around the mean: infinite for those of whom no more is known than their bias."""
        norms = norms_around(factors, mean)
        # They have the factors of the prior, to the bit: nothing was added to it.
        norms[are_same(factors, self._unknown_user)] = np.inf
        return norms

    @cached_property
    def _unknown_user(self) -> np.ndarray:
        """Factors of somebody without ratings: shape (n_units,)."""
        factors: np.ndarray = self._new_user().factors[0, : self.model.n_units]
        return factors


def _or_else(rows: Embeddings, new: Callable[[], Embeddings]) -> Embeddings:
    """Rows, and in the place of those that are NaN a new one."""
    missing = np.isnan(rows.bias)
    if missing.any():
        rows.factors[missing], rows.bias[missing] = new().factors, new().bias
    return rows
