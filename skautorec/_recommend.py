"""Who is asked for lists, which items these may hold, and how they are laid out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse

from ._core.memory import refuse_beyond_memory
from ._core.model import Model
from ._core.query import Query
from ._core.scores import Embeddings
from ._data import frames
from ._data.ids import plain
from ._data.inputs import check_new_ratings
from ._data.lookup import Unknown, as_single, check_unknown, known_codes, warn_of_unknown
from ._data.ratings import Ratings
from ._fitted import Fitted, check_rank_by

__all__ = [
    "Audience",
    "as_long_frame",
    "check_n",
    "explain_one",
    "item_codes",
    "list_similar",
    "list_similar_users",
    "list_top",
    "read_audience",
]


@dataclass(frozen=True)
class Audience:
    """The users that lists are for.

    Attributes
    ----------
    embeddings : Embeddings
    seen : csr_array of shape (n_users, n_targets)
        Cells that they have rated.
    query : callable
        Returns the ratings that the embeddings come from.
    is_single : bool
        Whether one user was asked for, and not a batch.
    labels : ndarray of shape (n_users,)
        What a frame of lists calls them: ids of known users, the index of a frame, else positions.
    """

    embeddings: Embeddings
    seen: scipy.sparse.csr_array
    query: Callable[[], Query]
    is_single: bool
    labels: np.ndarray


def read_audience(
    estimator: Any, fitted: Fitted, user: Any, unknown: Unknown = "error"
) -> Audience:
    """Read the ``user`` of `recommend`: ids, mappings or rows."""
    check_unknown(unknown)
    if scipy.sparse.issparse(user) or frames.is_frame(user):
        rows, labels = fitted.read_rows(estimator, user, unknown)
        return _new_audience(fitted, rows, fitted.query(rows, labels), False, labels)
    if isinstance(user, Mapping):
        return _of_mappings(fitted, [user], True, unknown)
    if isinstance(user, set):
        raise TypeError("A set was given as user, whose order is arbitrary; give a list of ids.")
    if isinstance(user, Ratings):
        raise TypeError(
            "Users are needed, and Ratings holds ratings. For all users of a table give its "
            "user_ids; for new users a row each, as in to_matrix()."
        )
    _refuse_series_of_ratings(fitted, user)
    is_batch = isinstance(user, list) or _is_array(user)
    if isinstance(user, np.ndarray) and user.ndim != 1:
        raise ValueError(
            f"An array of shape {user.shape} was given as user. Give a 1-D batch of user ids; "
            "for the ratings of new users a scipy sparse matrix, a DataFrame with item ids as "
            "columns, or mappings {item_id: rating}."
        )
    batch = user if is_batch else [user]
    if len(batch) and all(isinstance(one, Mapping) for one in batch):
        return _of_mappings(fitted, batch, False, unknown)
    try:
        ids = batch if is_batch else as_single(user)
        codes = _user_codes(fitted, ids)
    except TypeError:
        if not any(isinstance(one, Mapping) for one in batch):
            raise
        raise TypeError(
            "A batch of users is of ids or of mappings {item_id: rating}, not of both."
        ) from None
    query = partial(fitted.training_query, codes)
    labels = fitted.user_ids.array[codes]
    return Audience(fitted.users_at(codes), fitted.seen[codes], query, not is_batch, labels)


def _new_audience(
    fitted: Fitted,
    rows: scipy.sparse.csr_array,
    query: Query,
    is_single: bool,
    labels: np.ndarray | None = None,
) -> Audience:
    seen = rows
    if fitted.has_targets:
        seen = scipy.sparse.csr_array((rows.shape[0], len(fitted.targets)))
    labels = np.arange(rows.shape[0]) if labels is None else labels
    return Audience(fitted.fold_in(query), seen, lambda: query, is_single, labels)


def _of_mappings(
    fitted: Fitted, users: Sequence[Mapping[Any, Any]], is_single: bool, unknown: Unknown
) -> Audience:
    """Users given as ``{item_id: rating}``."""
    items = fitted.inputs.ids
    rows, columns, values, others = [], [], [], []
    for row, ratings in enumerate(users):
        codes = [items.code(item) for item in ratings]
        for item, code, rating in zip(ratings, codes, ratings.values(), strict=True):
            if code < 0 and unknown == "ignore":
                others.append(item)
                continue
            if code < 0:
                known_codes(items, as_single(item), "item", fitted.user_ids)
            rows.append(row)
            columns.append(code)
            values.append(_number(item, rating))
    if others:
        of = f"{len(others)} of {len(others) + len(values)} ratings"
        warn_of_unknown(of, others[0], items)
    cells = np.array(values, float), (rows, columns)
    matrix = scipy.sparse.coo_array(cells, (len(users), len(items))).tocsr()
    check_new_ratings(matrix.data, fitted.inputs.scale)
    return _new_audience(fitted, matrix, fitted.query(matrix), is_single)


def _refuse_series_of_ratings(fitted: Fitted, user: Any) -> None:
    """Refuse ratings by item id, which would be read as a batch of user ids."""
    if not frames.has_own_index(user):
        return
    is_item = fitted.inputs.ids.codes(user.index) >= 0
    low, high = fitted.inputs.scale.bounds
    is_number = user.dtype.kind in "iuf"
    if user.index.dtype.kind in "iu":
        # Positions in a longer series look like ids too, but its ids seldom like ratings.
        is_suspect = is_item.all() and is_number and user.dropna().between(low, high).all()
    else:
        is_suspect = is_item.any()
    if len(user) and is_suspect:
        raise ValueError(
            "A Series whose index holds item ids was given, and a Series is read as user ids. "
            "For a new user with these ratings give recommend(dict(series.dropna())); if its "
            "values are user ids, recommend(list(series))."
        )


def item_codes(fitted: Fitted, items: Any) -> np.ndarray:
    """Codes of items that may be listed."""
    where = "target_ids_" if fitted.has_targets else "item_ids_"
    return known_codes(fitted.targets.ids, items, "item", fitted.user_ids, where)


def _user_codes(fitted: Fitted, users: Any) -> np.ndarray:
    """Codes of known users."""
    return known_codes(fitted.user_ids, users, "user", fitted.inputs.ids)


def _read_candidates(fitted: Fitted, candidates: Any, exclude: Any) -> np.ndarray:
    """Positions of the items that may be listed, ascending."""
    allowed = np.full(len(fitted.targets), candidates is None)
    if candidates is not None:
        allowed[item_codes(fitted, _batch(candidates, "candidates"))] = True
    if exclude is not None:
        allowed[item_codes(fitted, _batch(exclude, "exclude"))] = False
    return np.flatnonzero(allowed)


def list_top(
    fitted: Fitted,
    audience: Audience,
    n: int,
    *,
    exclude_seen: bool,
    candidates: Any,
    exclude: Any,
    rank_by: str,
    return_std: bool,
) -> tuple[np.ndarray, ...]:
    """Lists, as `recommend` returns them."""
    check_rank_by(rank_by)
    if rank_by == "relevance" and fitted.has_targets:
        raise ValueError(
            "rank_by='relevance' needs to know who has rated which of the listed items, and "
            "after fit(X, y) users are known by other columns. Use rank_by='rating'."
        )
    if not audience.is_single:
        _refuse_large_lists(len(audience.embeddings), n)
    columns = _read_candidates(fitted, candidates, exclude)
    hidden = audience.seen if exclude_seen else None
    if hidden is not None and len(columns) < hidden.shape[1]:
        hidden = hidden[:, columns]
    users, query = audience.embeddings, None
    if return_std or rank_by == "relevance":
        query = audience.query()
    if query is not None and rank_by == "relevance":
        best, scores = fitted.most_relevant(users, query, columns, n, hidden)
    else:
        best, scores = fitted.best(users, columns, n, hidden)
    numbers = [scores]
    if query is not None and return_std:
        rows, ranks = np.nonzero(~np.isnan(scores))
        std = np.full_like(scores, np.nan)
        items = columns[best][rows, ranks]
        std[rows, ranks] = fitted.deviations(users, query, rows, items)
        numbers.append(std)
    ids = fitted.targets.ids.array
    return _laid_out(ids[columns[best]], numbers, n, audience.is_single, ids[:1])


def as_long_frame(audience: Audience, lists: tuple[np.ndarray, ...]) -> Any:
    """Lists, as `list_top` returns them, as a frame with a row per user and item."""
    ids, scores, *std = map(np.atleast_2d, lists) if audience.is_single else lists
    rows, ranks = np.nonzero(~np.isnan(scores))
    columns = {
        "user": audience.labels[rows],
        "item": ids[rows, ranks],
        "score": scores[rows, ranks],
        "rank": ranks + 1,
    }
    if std:
        columns["std"] = std[0][rows, ranks]
    return frames.long_frame(columns)


def list_similar(fitted: Fitted, item: Any, n: int, candidates: Any) -> tuple[np.ndarray, ...]:
    """Lists, as `similar_items` returns them."""
    if isinstance(item, set | frozenset):
        raise TypeError("A set was given as item, whose order is arbitrary; give a list.")
    is_batch = isinstance(item, list) or _is_array(item)
    if is_batch and getattr(item, "ndim", 1) != 1:
        raise ValueError(
            f"An array of shape {item.shape} was given as item; give one id or a 1-D batch."
        )
    codes = item_codes(fitted, item if is_batch else as_single(item))
    if is_batch:
        _refuse_large_lists(len(codes), n)
    columns = _read_candidates(fitted, candidates, None)
    best, cosines = fitted.most_similar(codes, columns, min(n, len(columns)))
    ids = fitted.targets.ids.array
    return _laid_out(ids[columns[best]], [cosines], n, not is_batch, ids[:1])


def list_similar_users(
    estimator: Any, fitted: Fitted, user: Any, n: int, candidates: Any
) -> tuple[np.ndarray, ...]:
    """Lists, as `similar_users` returns them."""
    audience = read_audience(estimator, fitted, user)
    ids, factors = fitted.user_ids.array, audience.embeddings.factors
    if not audience.is_single:
        _refuse_large_lists(len(factors), n)
    columns = np.arange(len(ids))
    if candidates is not None:
        columns = np.unique(_user_codes(fitted, _batch(candidates, "candidates", "user")))
    known = audience.query().known
    codes = np.full(len(factors), -1) if known is None else known
    best, cosines = fitted.most_similar_users(factors, codes, columns, min(n, len(columns)))
    return _laid_out(ids[columns[best]], [cosines], n, audience.is_single, ids[:1])


def explain_one(
    estimator: Any, fitted: Fitted, user: Any, item: Any, n: int | None
) -> tuple[float, np.ndarray, np.ndarray]:
    """Base, item ids and contributions, as `AutoRecRegressor.explain` returns them."""
    assert isinstance(fitted.model, Model)
    if not fitted.model.has_contributions:
        raise ValueError(
            "kind='user' has no explanation: its network reads all ratings of a user at once, so "
            "that a prediction is no sum over them. Fit with kind='item' or 'both'."
        )
    is_rows = scipy.sparse.issparse(user) or frames.is_frame(user)
    if is_rows or isinstance(user, list | set) or _is_array(user):
        raise TypeError(
            f"user is of type {type(user).__name__}, and an explanation is for one user: give an "
            "id or a mapping {item_id: rating}."
        )
    audience = read_audience(estimator, fitted, user)
    (code,) = item_codes(fitted, as_single(item))
    base, items, contributions = fitted.explain(audience.embeddings, audience.query(), int(code))
    largest = np.argsort(-np.abs(contributions), kind="stable")[:n]
    return base, fitted.inputs.ids.array[items[largest]], contributions[largest]


def _refuse_large_lists(n_lists: int, n: int) -> None:
    """Refuse a batch of lists that is larger than memory; they are padded to ``n``."""
    refuse_beyond_memory(
        16 * n_lists * int(n),
        f"A batch of {n_lists:,} lists of {n:,}",
        "Ask for shorter lists, or for fewer at a time.",
    )


def _laid_out(
    ids: np.ndarray, numbers: list[np.ndarray], n: int, is_single: bool, filler: np.ndarray
) -> tuple[np.ndarray, ...]:
    """What there is to list of one user or item; rows of ``n``, padded, of a batch."""
    if is_single:
        listed = ~np.isnan(numbers[0][0])
        return ids[0][listed], *(some[0][listed] for some in numbers)
    missing = n - ids.shape[1]
    if missing > 0:
        more = np.empty((len(ids), missing), dtype=ids.dtype)
        more[:] = filler  # an array of one, since a tuple would be spread
        ids = np.hstack((ids, more))
        nothing = np.full(more.shape, np.nan)
        numbers = [np.hstack((some, nothing)) for some in numbers]
    return ids, *numbers


def _batch(ids: Any, name: str, what: str = "item") -> Any:
    if isinstance(ids, str | bytes) or not hasattr(ids, "__len__"):
        if hasattr(ids, "__iter__") and not isinstance(ids, str | bytes):
            return list(ids)
        raise TypeError(f"{name} is {ids!r}; give a sequence of {what} ids, as in [{ids!r}].")
    return list(ids) if isinstance(ids, set | frozenset | dict) else ids


def _is_array(user: Any) -> bool:
    """Whether it is an array, an index or a series, of any library."""
    is_array = hasattr(user, "__array__") and hasattr(user, "__len__")
    return is_array and not isinstance(user, np.generic)


def _number(item: Any, rating: Any) -> float:
    try:
        value = np.nan if isinstance(rating, str) else float(rating)
    except (TypeError, ValueError):
        value = np.nan
    if not np.isfinite(value):
        raise ValueError(
            f"The rating of item {item!r} is {plain(rating)!r}; give finite numbers, and leave out "
            "items without a rating."
        )
    return value


def check_n(n: Any) -> None:
    if isinstance(n, bool) or not isinstance(n, Integral):
        raise TypeError(f"n is {n!r}; give the number of items to list as an integer.")
    if n < 1:
        raise ValueError(f"n is {n}; give the number of items to list, at least 1.")
