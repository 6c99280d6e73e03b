"""Top-N lists: who is asked about, which items may be listed, and the lists themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import scipy.sparse
from sklearn.utils.validation import check_is_fitted

from ._core.query import Query
from ._core.scores import Embeddings, Scores, best_of, slices
from ._core.warning import warn
from ._ids import Ids, as_id_array, plain, same_type
from ._inputs import has_own_index, is_frame
from ._ratings import Ratings

__all__ = ["RecommenderMixin", "SimilarItemsMixin", "known_codes", "shown"]

# Elements of the largest temporary.
_CHUNK = 2**23
# Among more ids than this an unknown one is compared with none, which would take long.
_MOST_COMPARED = 50_000


class RecommenderMixin:
    """`recommend` and `fold_in` for an estimator with fitted user and item factors."""

    if TYPE_CHECKING:
        item_factors_: np.ndarray
        rating_range_: tuple[float, float]
        _users: Ids
        _items: Ids
        _target_items: Ids
        _seen: scipy.sparse.csr_array
        _is_rated: np.ndarray
        _has_targets: bool

        def _user_rows(self) -> Embeddings: ...
        def _item_rows(self) -> Embeddings: ...
        def _read_context(self, X: Any) -> scipy.sparse.csr_array: ...
        def _users_of(self, context: scipy.sparse.csr_array, X: Any = ...) -> Query: ...
        def _training_users(self, codes: np.ndarray) -> Query: ...
        def _fold_in(self, users: Query) -> Embeddings: ...
        def _derive(self) -> None: ...
        def _std(
            self, folded: Embeddings, users: Query, rows: np.ndarray, items: np.ndarray
        ) -> np.ndarray: ...

    @overload
    def recommend(
        self,
        user: Any,
        n: int = ...,
        *,
        exclude_seen: bool = ...,
        candidates: Any = ...,
        exclude: Any = ...,
        return_std: Literal[False] = ...,
    ) -> tuple[np.ndarray, np.ndarray]: ...
    @overload
    def recommend(
        self,
        user: Any,
        n: int = ...,
        *,
        exclude_seen: bool = ...,
        candidates: Any = ...,
        exclude: Any = ...,
        return_std: Literal[True],
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...
    @overload
    def recommend(
        self,
        user: Any,
        n: int = ...,
        *,
        exclude_seen: bool = ...,
        candidates: Any = ...,
        exclude: Any = ...,
        return_std: bool,
    ) -> tuple[np.ndarray, ...]: ...
    def recommend(
        self,
        user: Any,
        n: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Any = None,
        exclude: Any = None,
        return_std: bool = False,
    ) -> tuple[np.ndarray, ...]:
        """Recommend the items with the highest predicted ratings.

        Parameters
        ----------
        user : id, mapping, list of either, sparse matrix or DataFrame
            Read in this order: a scipy sparse matrix or a DataFrame holds the ratings of users,
            known or new, a row each; a mapping ``{item_id: rating}`` is one such user; a list,
            array, Index or Series is a batch of user ids or of mappings; anything else, a string or
            a tuple too, is the id of one user of the training data.
        n : int, default=10
            Items to list.
        exclude_seen : bool, default=True
            Leave out items that the user has rated (in the training data, or in the ratings given
            here). After ``fit(X, y)`` these are the user's rated columns of ``y``.
        candidates : sequence of item ids, default=None
            List only these items; None allows all.
        exclude : sequence of item ids, default=None
            Never list these items.
        return_std : bool, default=False
            Also return standard deviations, as `predict` does.

        Returns
        -------
        item_ids : ndarray of shape (n_listed,) or (n_users, n)
            Best first; equal scores in the order of ``item_ids_``.
        scores : ndarray of float64 of the same shape
            Predicted ratings in rating units, **not clipped** to the rating range, since clipping
            would make the order of a generous user's list arbitrary. They are compared in single
            precision, so that rounding, which differs between one user and a batch, does not
            reorder a list. `PopularityRecommender` may count ratings instead.
        std : ndarray of float64 of the same shape
            Only with ``return_std``: of a rating by the user, noise included, in rating units.

        Raises
        ------
        KeyError
            A user or item id that the estimator does not know; the message names it.
        ValueError
            ``n`` below 1, or rows that do not fit the training data.
        TypeError
            ``n`` that is not an integer, an id that is not hashable, ids and mappings in one batch,
            or `Ratings`.

        Notes
        -----
        One user gets 1-D arrays, as long as there are items to list, at most ``n``. A batch gets
        ``(n_users, n)`` arrays; where a user has fewer than ``n`` items to list the row is padded:
        a score of NaN is the only sign of it, and the id beside it means nothing.

        A known user without training ratings gets the prior: a list for the average user. A known
        user with other ratings than in training is given as a row or a mapping of all of them;
        `AutoRecRegressor` recognises such users, and its notes say when.
        """
        check_is_fitted(self)
        _check_n(n)
        users, seen, given, is_single = self._read_users(user)
        columns = self._read_candidates(candidates, exclude)
        hidden = seen if exclude_seen else None
        if hidden is not None and len(columns) < hidden.shape[1]:
            hidden = hidden[:, columns]
        best, scores = self._rank(users, columns, n, hidden)
        ids = self._target_items.array[columns[best]]
        lists = [scores]
        if return_std:
            listed = np.nonzero(~np.isnan(scores))
            lists.append(np.full_like(scores, np.nan))
            lists[1][listed] = self._std(users, given(), listed[0], columns[best][listed])
        if is_single:
            listed = ~np.isnan(scores[0])
            return ids[0][listed], *(numbers[0][listed] for numbers in lists)
        return _pad(ids, lists, n, self._target_items.array[:1])

    def fold_in(self, user: Any) -> tuple[np.ndarray, Any]:
        """Factors and biases of users, known or new, for use outside of the estimator.

        The predicted ratings of all items in the order of ``target_ids_``, before clipping, are
        ``factors @ item_factors_.T + bias[..., None] + item_bias_``.

        Parameters
        ----------
        user : id, mapping, list of either, sparse matrix or DataFrame
            As in `recommend`; ratings of a user of the training data are recognised there too.

        Returns
        -------
        factors : ndarray of float64 of shape (k,) or (n_users, k)
            In the space of ``item_factors_``. One user gets a 1-D array, a batch a row each.
        bias : float or ndarray of float64 of shape (n_users,)
            In rating units.

        Raises
        ------
        KeyError
            A user or item id that the estimator does not know; the message names it.
        ValueError
            Rows that do not fit the training data.
        TypeError
            An id that is not hashable, ids and mappings in one batch, or `Ratings`.
        """
        check_is_fitted(self)
        users, _, _, is_single = self._read_users(user)
        if is_single:
            return users.factors[0], users.bias[0]
        return users.factors, users.bias

    def _rank(
        self,
        users: Embeddings,
        columns: np.ndarray,
        n: int,
        hidden: scipy.sparse.csr_array | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Positions among ``columns`` and scores of the best of them, as `Scores.top`."""
        items = self._item_rows()
        if len(columns) < len(items):
            items = items[columns]
        return Scores(users, items).top(n, hidden)

    def _read_users(
        self, user: Any
    ) -> tuple[Embeddings, scipy.sparse.csr_array, Callable[[], Query], bool]:
        """Read the users asked about.

        Returns their rows, the cells they have seen, how to get the ratings that the rows come
        from, and whether it is one user.
        """
        if scipy.sparse.issparse(user) or is_frame(user):
            return *self._new_users(self._read_context(user), user), False
        if isinstance(user, Mapping):
            return *self._new_users(self._read_mappings([user])), True
        if isinstance(user, set):
            raise TypeError(
                "A set was given as user, whose order is arbitrary; give a list of ids."
            )
        if isinstance(user, Ratings):
            raise TypeError(
                "Users are needed, and Ratings holds ratings. For all users of a table give its "
                "user_ids; for new users a row each, as in to_matrix()."
            )
        self._refuse_series_of_ratings(user)
        is_batch = isinstance(user, list) or _is_array(user)
        if isinstance(user, np.ndarray) and user.ndim != 1:
            raise ValueError(
                f"An array of shape {user.shape} was given as user. Give a 1-D batch of user ids; "
                "for the ratings of new users a scipy sparse matrix, a DataFrame with item ids as "
                "columns, or mappings {item_id: rating}."
            )
        batch = user if is_batch else [user]
        if len(batch) and all(isinstance(one, Mapping) for one in batch):
            return *self._new_users(self._read_mappings(batch)), False
        try:
            codes = self._user_codes(batch if is_batch else as_single(user))
        except TypeError:
            if not any(isinstance(one, Mapping) for one in batch):
                raise
            raise TypeError(
                "A batch of users is of ids or of mappings {item_id: rating}, not of both."
            ) from None
        users = partial(self._training_users, codes)
        return self._user_rows()[codes], self._seen[codes], users, not is_batch

    def _new_users(
        self, context: scipy.sparse.csr_array, X: Any = None
    ) -> tuple[Embeddings, scipy.sparse.csr_array, Callable[[], Query]]:
        seen = context
        if self._has_targets:
            seen = scipy.sparse.csr_array((context.shape[0], len(self._target_items)))
        users = self._users_of(context, X)
        return self._fold_in(users), seen, lambda: users

    def _read_mappings(self, users: Sequence[Mapping[Any, Any]]) -> scipy.sparse.csr_array:
        """Matrix of new users given as ``{item_id: rating}``."""
        rows, columns, values = [], [], []
        for row, ratings in enumerate(users):
            codes = [self._items.code(item) for item in ratings]
            for item, code, rating in zip(ratings, codes, ratings.values(), strict=True):
                if code < 0:
                    known_codes(self._items, as_single(item), "item", self._users)
                rows.append(row)
                columns.append(code)
                values.append(_number(item, rating))
        low, high = self.rating_range_
        outside = [value for value in values if not low <= value <= high]
        if outside:
            warn(
                f"A new user's rating of {outside[0]:g} is outside the rating range {low:g} to "
                f"{high:g} of the training; it is read on the same scale.",
            )
        shape = (len(users), len(self._items))
        return scipy.sparse.coo_array((np.array(values, float), (rows, columns)), shape).tocsr()

    def _user_codes(self, users: Any) -> np.ndarray:
        return known_codes(self._users, users, "user", self._items)

    def _item_codes(self, items: Any) -> np.ndarray:
        where = "target_ids_" if self._has_targets else "item_ids_"
        return known_codes(self._target_items, items, "item", self._users, where)

    def _refuse_series_of_ratings(self, user: Any) -> None:
        """Refuse ratings by item id, which would be read as a batch of user ids."""
        if not has_own_index(user):
            return
        is_item = self._items.codes(user.index) >= 0
        low, high = self.rating_range_
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

    def _read_candidates(self, candidates: Any, exclude: Any) -> np.ndarray:
        """Positions of the items that may be listed, ascending."""
        allowed = np.full(len(self._target_items), candidates is None)
        if candidates is not None:
            allowed[self._item_codes(_batch(candidates, "candidates"))] = True
        if exclude is not None:
            allowed[self._item_codes(_batch(exclude, "exclude"))] = False
        return np.flatnonzero(allowed)


class SimilarItemsMixin(RecommenderMixin):
    """`similar_items` for an estimator whose item factors say what items are like."""

    def _derive(self) -> None:
        super()._derive()
        # Of item factors around their mean, a part at a time.
        self._item_mean = self.item_factors_.mean(axis=0)
        norms = np.full(len(self.item_factors_), np.inf)
        for part in slices(len(norms), max(1, _CHUNK // max(1, len(self._item_mean)))):
            norms[part] = np.linalg.norm(self.item_factors_[part] - self._item_mean, axis=1)
        norms[norms == 0] = 1.0
        norms[~self._is_rated] = np.inf
        self._item_norms = norms

    def similar_items(
        self, item: Any, n: int = 10, *, candidates: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """List the items whose factors are most like an item's.

        Parameters
        ----------
        item : id, or list, array, Index or Series of ids
            Items of the training data (after ``fit(X, y)``, columns of ``y``).
        n : int, default=10
            Items to list.
        candidates : sequence of item ids, default=None
            List only these items; None allows all. An item with few ratings may be anywhere: to
            list well-known items only, give those.

        Returns
        -------
        item_ids : ndarray of shape (n_listed,), at most ``n``, or (n_items, n)
            Most similar first, without the item itself.
        similarities : ndarray of float64 of the same shape
            Cosine of the angle between the item factors minus their mean: from -1 to 1, and 0 for
            an item without ratings. A row with fewer than ``n`` items to list is padded as by
            `recommend`.

        Raises
        ------
        KeyError
            An item id that the estimator does not know; the message names it.
        TypeError
            A set, whose order is nobody's, or ``n`` that is not an integer.
        ValueError
            ``n`` below 1, or an array of ids with more than one dimension.
        """
        check_is_fitted(self)
        _check_n(n)
        if isinstance(item, set | frozenset):
            raise TypeError("A set was given as item, whose order is arbitrary; give a list.")
        is_batch = isinstance(item, list) or _is_array(item)
        if is_batch and getattr(item, "ndim", 1) != 1:
            raise ValueError(
                f"An array of shape {item.shape} was given as item; give one id or a 1-D batch."
            )
        codes = self._item_codes(item if is_batch else as_single(item))
        columns = self._read_candidates(candidates, None)
        best, cosines = self._most_similar(codes, columns, min(n, len(columns)))
        ids = self._target_items.array[columns[best]]
        if is_batch:
            padded = _pad(ids, [cosines], n, self._target_items.array[:1])
            return padded[0], padded[1]
        listed = ~np.isnan(cosines[0])
        return ids[0][listed], cosines[0][listed]

    def _most_similar(
        self, codes: np.ndarray, columns: np.ndarray, n: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Positions among ``columns`` of the items most like some, and cosines; NaN for nothing."""
        best, cosines = np.zeros((len(codes), n), dtype=np.int64), np.full((len(codes), n), np.nan)
        items = self._item_rows().without_bias()
        for part in slices(len(codes), max(1, _CHUNK // max(1, len(items)))):
            own = codes[part]
            unit = (self.item_factors_[own] - self._item_mean) / self._item_norms[own][:, None]
            block = Scores(Embeddings(unit, -(unit @ self._item_mean)), items).block()
            block /= self._item_norms
            scores = block[:, columns].astype(np.float32)
            scores[own[:, None] == columns] = -np.inf
            best[part], cosines[part] = best_of(scores, n)
        cosines[np.isneginf(cosines)] = np.nan
        return best, cosines


def as_single(identifier: Any) -> np.ndarray:
    """Wrap one id, of any type, in an array that holds exactly it."""
    wrapped = np.empty(1, dtype=object)
    wrapped[0] = identifier
    return wrapped


def known_codes(
    ids: Ids, wanted: Any, what: str, others: Ids | None = None, where: str = ""
) -> np.ndarray:
    """Codes of ids, which must all be known.

    Messages call one a ``what``, "user" or "item", and say that ``where`` holds them;
    ``others`` are the ids of the other side.
    """
    codes = ids.codes(wanted)
    unknown = np.flatnonzero(codes < 0)
    if len(unknown):
        where = where or f"{what}_ids_"
        first = as_id_array(wanted)[unknown[0]]
        if has_own_index(wanted) and (ids.codes(wanted.index) >= 0).all():
            advice = "Ids are a Series' values, and here its index holds them: give series.index."
        else:
            advice = _advice(first, what, ids, others, where)
        such = f" such as {shown(ids.array[0])}" if len(ids) else ""
        raise KeyError(
            f"Unknown {what} id {shown(first)}: it is not in {where}, which holds {len(ids)} ids"
            f"{such}. {advice}"
        )
    return codes


def _advice(unknown: Any, what: str, ids: Ids, others: Ids | None, where: str) -> str:
    if isinstance(unknown, bool | np.bool_):
        return f"For a boolean mask give {where}[mask]."
    if isinstance(unknown, tuple) and unknown and (ids.codes(list(unknown)) >= 0).all():
        return "A tuple is one id: where several can be given, give a list."
    advice = []
    if not any(same_type(unknown, known) for known in ids.array[:100]):
        advice.append("Ids of different types are different.")
    if others is not None and others.code(unknown) >= 0:
        advice.append(f"There is {'an item' if what == 'user' else 'a user'} with this id.")
    similar = _similar_text(unknown, ids, only_case=what == "user")
    if similar is not None:
        advice.append(f"Did you mean {shown(similar)}?")
    if not advice and what == "user":
        advice.append("For a new user give ratings, as in recommend({item_id: rating}).")
    return " ".join(advice) or f"Look for it in {where}."


def _similar_text(unknown: Any, ids: Ids, only_case: bool) -> str | None:
    """Find the id that is the same text but for case and outer spaces.

    Otherwise, unless only that counts, the shortest that holds the text, or the one most like it.
    """
    if not isinstance(unknown, str) or not unknown.strip() or len(ids) > _MOST_COMPARED:
        return None
    by_lower = {id.strip().casefold(): id for id in ids.array.tolist() if isinstance(id, str)}
    wanted = unknown.strip().casefold()
    if only_case or wanted in by_lower:
        return by_lower.get(wanted)
    holding = sorted((lower for lower in by_lower if wanted in lower), key=len)
    likely = holding or get_close_matches(wanted, by_lower, 1)
    return by_lower[likely[0]] if likely else None


def shown(identifier: Any) -> str:
    """Write an id and its type for a message."""
    identifier = plain(identifier)
    return f"{identifier!r} ({type(identifier).__name__})"


def _batch(ids: Any, name: str) -> Any:
    if isinstance(ids, str | bytes) or not hasattr(ids, "__len__"):
        if hasattr(ids, "__iter__") and not isinstance(ids, str | bytes):
            return list(ids)
        raise TypeError(f"{name} is {ids!r}; give a sequence of item ids, as in [{ids!r}].")
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


def _check_n(n: Any) -> None:
    if isinstance(n, bool) or not isinstance(n, Integral):
        raise TypeError(f"n is {n!r}; give the number of items to list as an integer.")
    if n < 1:
        raise ValueError(f"n is {n}; give the number of items to list, at least 1.")


def _pad(
    ids: np.ndarray, lists: list[np.ndarray], n: int, filler: np.ndarray
) -> tuple[np.ndarray, ...]:
    missing = n - ids.shape[1]
    if missing > 0:
        more = np.empty((len(ids), missing), dtype=ids.dtype)
        more[:] = filler[0]
        ids = np.hstack((ids, more))
        nothing = np.full(more.shape, np.nan)
        lists = [np.hstack((numbers, nothing)) for numbers in lists]
    return ids, *lists
