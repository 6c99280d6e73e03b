"""Ratings that come or go after a fit: read, judged as they were predicted, and taken in."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ._core.messages import warn
from ._core.model import Model
from ._core.scores import Scores
from ._core.training_set import Cells
from ._data.ids import Ids, share_a_type
from ._data.lookup import shown
from ._data.ratings import Ratings
from ._data.scale import Columns, Scale
from ._data.table import repetitions
from ._fitted import Fitted

__all__ = ["Change", "Drift", "read_change", "updated"]


@dataclass(frozen=True)
class Change:
    """Ratings that come or go after a fit.

    Attributes
    ----------
    user_ids, item_ids : Ids
        All that are known then, new ones last.
    given, removed : Cells
        Ratings in rating units that are added, or take the place of one of the same user and item;
        and pairs whose ratings are taken out.
    """

    user_ids: Ids
    item_ids: Ids
    given: Cells
    removed: Cells


@dataclass(frozen=True, repr=False)
class Drift:
    """How far a fitted estimator has come from the ratings that its networks were trained on.

    Attributes
    ----------
    n_ratings : int
        Ratings that were given to ``update``, new ones and others of pairs that were known.
    n_removed : int
        Pairs whose ratings were taken out.
    n_users, n_items : int
        Users and items that came after the fit.
    weight, last_weight : float
        Sums of the weights of the ratings of all updates, and of the last one that held any.
    squares, last_squares : float
        Sums of their squared errors, in rating units, as they were predicted before they came, by
        rows as these were last solved.
    """

    n_ratings: int = 0
    n_removed: int = 0
    n_users: int = 0
    n_items: int = 0
    weight: float = 0.0
    last_weight: float = 0.0
    squares: float = 0.0
    last_squares: float = 0.0

    def __repr__(self) -> str:
        came = f"{self.n_ratings:,} ratings, {self.n_users:,} users and {self.n_items:,} items"
        gone = f", {self.n_removed:,} ratings removed" if self.n_removed else ""
        error = "" if self.rmse is None else f"; RMSE {self.rmse:.4g}, last {self.last_rmse:.4g}"
        return f"<Drift: {came} since the fit{gone}{error}>"

    @property
    def rmse(self) -> float | None:
        """Root mean squared error of the ratings of all updates; None where there were none."""
        return math.sqrt(self.squares / self.weight) if self.weight else None

    @property
    def last_rmse(self) -> float | None:
        """The same of the last update that held ratings."""
        return math.sqrt(self.last_squares / self.last_weight) if self.last_weight else None

    def after(self, fitted: Fitted, change: Change) -> Drift:
        """Take in an update of a model as it was before it."""
        errors = change.given.values - _predicted(fitted, change.given)
        n, weights = len(errors), change.given.weights
        weight = float(n if weights is None else weights.sum())
        squares = float(errors @ (errors if weights is None else errors * weights))
        return Drift(
            n_ratings=self.n_ratings + n,
            n_removed=self.n_removed + len(change.removed.users),
            n_users=self.n_users + len(change.user_ids) - len(fitted.user_ids),
            n_items=self.n_items + len(change.item_ids) - len(fitted.inputs),
            weight=self.weight + weight,
            last_weight=weight or self.last_weight,
            squares=self.squares + squares,
            last_squares=squares if n else self.last_squares,
        )


def _predicted(fitted: Fitted, cells: Cells) -> np.ndarray:
    """Ratings as they were predicted, by rows as they were last solved."""
    users, who = np.unique(cells.users, return_inverse=True)
    items, what = np.unique(cells.items, return_inverse=True)
    predicted = Scores(fitted.last_users(users), fitted.last_items(items)).at(who, what)
    fitted.targets.scale.clip(predicted, 0)
    return predicted


def read_change(fitted: Fitted, ratings: Any, remove: Any) -> Change:
    """Read what ``update`` is given."""
    if fitted.has_targets:
        raise ValueError(
            "This estimator was fitted with y, whose columns a table of ratings does not hold. Fit "
            "again with all rows, or fit on Ratings."
        )
    _refuse_no_table(ratings, remove)
    user_ids, item_ids = fitted.user_ids, fitted.inputs.ids
    nothing = np.zeros(0, dtype=np.int64)
    given = removed = Cells(nothing, nothing, np.zeros(0))
    if ratings is not None and ratings.weights is not None:
        ratings = ratings[ratings.weights > 0]
    if ratings is not None and len(ratings):
        ratings.check_values()
        _refuse_outside(fitted, ratings)
        user_ids, users = _more_ids("user", user_ids, ratings._users, ratings.users)
        item_ids, items = _more_ids("item", item_ids, ratings._items, ratings.items)
        given = Cells(users, items, ratings.values, ratings.weights)
        _refuse_repeated(given, len(item_ids), ratings, "ratings")
    if remove is not None and len(remove):
        removed = _to_be_removed(fitted, remove)
        _refuse_repeated(removed, len(item_ids), remove, "remove")
    both = np.isin(given.keys(len(item_ids)), removed.keys(len(item_ids)))
    if both.any():
        pair = _named(ratings, int(np.flatnonzero(both)[0]))
        raise ValueError(f"{pair} is given in ratings and in remove; give it in one of them.")
    return Change(user_ids, item_ids, given, removed)


def _refuse_no_table(ratings: Any, remove: Any) -> None:
    for name, table in (("ratings", ratings), ("remove", remove)):
        if table is not None and not isinstance(table, Ratings):
            raise TypeError(
                f"{name} is a {type(table).__name__}; give Ratings, for instance by "
                "Ratings.from_frame or Ratings.from_matrix."
            )


def _refuse_outside(fitted: Fitted, ratings: Ratings) -> None:
    low, high = fitted.inputs.scale.bounds
    outside = np.flatnonzero((ratings.values < low) | (ratings.values > high))
    if len(outside):
        first = int(outside[0])
        raise ValueError(
            f"{_named(ratings, first)} is rated {ratings.values[first]:g}, outside of rating_range_"
            f" {low:g} to {high:g}, as {len(outside)} of {len(ratings)} ratings are. Fit again with"
            " a wider rating_range."
        )


def _more_ids(side: str, known: Ids, given: Ids, codes: np.ndarray) -> tuple[Ids, np.ndarray]:
    """Known ids with those of ratings that are new, and the codes of the ratings among them."""
    translated = known.translate(given)
    rated = np.unique(codes)
    new = rated[translated[rated] < 0]
    if len(new):
        ids = given.array[rated]
        if len(new) == len(rated) and not share_a_type(ids, known.array):
            warn(
                f"All {len(rated)} {side} ids of this update are new, such as {shown(ids[0])}, and "
                f"of another type than those of the fit, such as {shown(known.array[0])}; ids of "
                "different types are different."
            )
        translated = translated.copy()
        translated[new] = len(known) + np.arange(len(new))
        known = known.extended(given.array[new])
    return known, translated[codes]


def _to_be_removed(fitted: Fitted, remove: Ratings) -> Cells:
    users = fitted.user_ids.translate(remove._users)[remove.users]
    items = fitted.inputs.ids.translate(remove._items)[remove.items]
    pairs = Cells(users, items, np.zeros(len(users)))
    known = (users >= 0) & (items >= 0)
    known[known] = fitted.training.holds(users[known], items[known])
    if not known.all():
        first = int(np.flatnonzero(~known)[0])
        raise ValueError(
            f"{_named(remove, first)} is to be removed and has no rating, as {(~known).sum()} of "
            f"{len(known)} pairs in remove. Leave these out."
        )
    return pairs


def _refuse_repeated(cells: Cells, n_items: int, table: Ratings, name: str) -> None:
    repeated = repetitions(cells.keys(n_items))
    if len(repeated):
        raise ValueError(
            f"{_named(table, int(repeated.min()))} is in {name} more than once. Resample without "
            "replacement."
        )


def _named(table: Ratings, position: int) -> str:
    user, item = table.users[position], table.items[position]
    return f"Item {shown(table.item_ids[item])} by user {shown(table.user_ids[user])}"


def updated(fitted: Fitted, change: Change) -> Fitted:
    """Return the same networks with other ratings.

    Their rows are what these networks give for all ratings of today; those that changed are marked,
    to be solved when they are read.
    """
    model = fitted.model
    assert isinstance(model, Model)
    shape = len(change.user_ids), len(change.item_ids)
    training = fitted.training.updated(change.given, change.removed, shape)
    # 1. Users and items whose own ratings changed.
    users, items = np.zeros(shape[0], dtype=bool), np.zeros(shape[1], dtype=bool)
    for cells in (change.given, change.removed):
        users[cells.users], items[cells.items] = True, True
    # 2. The sums that codes of items are made of.
    changed = np.flatnonzero(items)
    columns = fitted.to_stars(training.columns(changed))
    is_gone = users & (np.diff(training.inputs.indptr) == 0)
    with_sums = model.updated(changed, columns, shape[1], np.flatnonzero(is_gone))
    # 3. Rows of those who rated what has another code, and of what they rated.
    if model.encodes_users:
        items[training.inputs[np.flatnonzero(users)].indices] = True
    if model.encodes_items:
        users[columns.inputs.indices] = True
    if model.is_coupled:
        items[:] = True
    targets = Columns(change.item_ids, Scale.shared(*fitted.inputs.scale.bounds, shape[1]))
    new = replace(
        fitted,
        user_ids=change.user_ids,
        inputs=targets,
        targets=targets,
        feature_names=_more_names(fitted.feature_names, change.item_ids),
        model=with_sums,
        user_rows=fitted.user_rows.marked(users),
        item_rows=fitted.item_rows.marked(items),
        training=training,
    )
    if not model.encodes_users:
        _ = new.items  # which are codes, soon made, and which every list needs
    return new


def _more_names(names: np.ndarray | None, ids: Ids) -> np.ndarray | None:
    """Names that scikit-learn knows the columns by, of which there are more now."""
    if names is None or len(names) == len(ids):
        return names
    more = ids.array[len(names) :].tolist()
    are_texts = all(isinstance(one, str) for one in more)
    return np.append(names, np.array(more, dtype=object)) if are_texts else None
