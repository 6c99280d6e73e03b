"""`Ratings`: a table with a row per rating, which scikit-learn's splitters can slice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

import numpy as np
import scipy.sparse

from .._core.messages import see, warn
from .frames import (
    check_columns,
    lacking_column,
    long_frame,
    plain_series,
    read_frame,
    read_ids,
)
from .ids import Ids, merge_ids
from .lookup import Unknown, check_unknown, shown
from .matrix import read_matrix
from .plausible import warn_of_other_numbers
from .table import (
    Duplicates,
    check_lengths,
    has_repetitions,
    join_timestamps,
    join_weights,
    merge,
    merge_weighted,
    place_codes,
    raise_duplicates,
    read_codes,
    read_column,
    read_timestamps,
    read_values,
    read_vocabulary,
    read_weights,
    shown_id,
    warn_of_twins,
)
from .values import is_missing, read_missing_values, to_float64

__all__ = ["Ratings"]

# Rows that a notebook shows.
_N_SHOWN = 5


class _Shape(tuple[int]):
    """Shape of a table, which tells those who ask for its columns that there are none."""

    def __getitem__(self, axis: Any) -> Any:
        if axis == 1:
            raise IndexError(
                "Ratings has one axis, that of ratings, and no columns of features: a rating is "
                "known by its user and its item. What each rating of a user adds to a prediction "
                "says explain, which items are alike similar_items. " + see("works.html")
            )
        return super().__getitem__(axis)


class Ratings:
    """A table of ratings: one sample is one rating.

    Give it to `AutoRecRegressor` in place of a matrix, and scikit-learn's own tools split ratings
    rather than users: ``KFold``, ``GridSearchCV`` and every regression scorer then measure how well
    unseen ratings are predicted. Slices keep all user and item ids, so a fold knows every user. Its
    content never changes.

    Parameters
    ----------
    users, items : array-like of shape (n_ratings,)
        Integer codes: positions in ``user_ids`` and ``item_ids``. Tables that hold ids are read by
        `from_frame`.
    values : array-like of shape (n_ratings,)
        The ratings, finite real numbers.
    timestamps : array-like of shape (n_ratings,), optional
        When each rating was given: numbers or datetimes.
    weights : array-like of shape (n_ratings,), optional
        How much each rating counts, from 0 (as if it were not there) to a million; 2 counts as two
        ratings. What counts is not their ratio alone: see :ref:`weights`.
    user_ids, item_ids : array-like of shape (n_users,) and (n_items,), optional
        Distinct ids, users and items without ratings among them if need be. By default 0 to the
        largest code.
    duplicates : {"error", "mean", "last"}, default="error"
        What to do about several ratings of one item by one user: refuse them, keep their mean with
        the latest of their timestamps, or keep the last by timestamp (by position without them). A
        mean is weighted, and has the sum of the weights.

    Attributes
    ----------
    users, items : ndarray of shape (n_ratings,)
        Codes, int32 or int64.
    values : ndarray of shape (n_ratings,)
        float64.
    timestamps : ndarray of shape (n_ratings,) or None
    weights : ndarray of shape (n_ratings,) or None
        float64.
    user_ids, item_ids : ndarray of shape (n_users,) and (n_items,)
        The same arrays in every slice.
    n_users, n_items : int
    shape : tuple
        ``(n_ratings,)``.
    ndim : int
        1.

    Raises
    ------
    ValueError
        Lengths differ, there are no ratings, a rating is NaN or infinite, a weight is out of range,
        all are 0, a code is negative or beyond the ids, an array is not one-dimensional, an id is
        missing or given twice, a timestamp is missing, a user has rated an item twice and
        ``duplicates="error"``, or ``duplicates`` is none of its values.
    TypeError
        Codes are not integers, ratings or weights are not real numbers, or timestamps are neither
        numbers nor datetimes.

    Examples
    --------
    >>> from skautorec import Ratings
    >>> ratings = Ratings([0, 0, 1], [0, 1, 1], [5, 3, 4], item_ids=["Alien", "Brazil"])
    >>> ratings
    <Ratings: 3 ratings of 2 items by 2 users (75% observed), from 3.0 to 5.0>
    >>> ratings[:1].item_ids
    array(['Alien', 'Brazil'], dtype=object)
    >>> ratings.to_matrix().toarray()
    array([[5., 3.],
           [0., 4.]])

    Any splitter of scikit-learn works on it:

    >>> from sklearn.model_selection import train_test_split
    >>> train, test = train_test_split(ratings, test_size=1, random_state=0)
    >>> len(train), len(test)
    (2, 1)
    """

    _codes_of_users: np.ndarray
    _codes_of_items: np.ndarray
    _values: np.ndarray
    _timestamps: np.ndarray | None
    _weights: np.ndarray | None
    _users: Ids
    _items: Ids
    # Why there are no ratings, where a column was named for them.
    _lacking: str | None = None

    def __init__(
        self,
        users: Any,
        items: Any,
        values: Any,
        *,
        timestamps: Any = None,
        weights: Any = None,
        user_ids: Any = None,
        item_ids: Any = None,
        duplicates: Duplicates = "error",
    ) -> None:
        columns = {"users": users, "items": items, "values": values, "timestamps": timestamps}
        columns["weights"] = weights
        arrays = {
            name: read_column(name, given) for name, given in columns.items() if given is not None
        }
        check_lengths(arrays)
        timestamps = arrays.get("timestamps")
        user_codes, known_users = read_codes("user", arrays["users"], user_ids)
        item_codes, known_items = read_codes("item", arrays["items"], item_ids)
        self._fill(
            (user_codes, item_codes, read_values(arrays["values"], "values"), timestamps),
            (known_users, known_items),
            duplicates,
            read_weights(arrays["weights"], "weights") if weights is not None else None,
        )

    def _fill(
        self,
        columns: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None],
        vocabularies: tuple[Ids, Ids],
        duplicates: Duplicates,
        weights: np.ndarray | None = None,
    ) -> None:
        """Check timestamps and duplicates, which every way of building a table must."""
        if duplicates not in ("error", "mean", "last"):
            raise ValueError(
                f"duplicates is {duplicates!r}; give 'error', 'mean' (their mean) or 'last' (the "
                "last rating of each user and item)."
            )
        users, items, values, timestamps = columns
        if timestamps is not None:
            timestamps = read_timestamps(timestamps)
        pairs = users.astype(np.int64) * len(vocabularies[1]) + items
        if has_repetitions(pairs):
            if duplicates == "error":
                advice = 'Pass duplicates="mean" or duplicates="last" to keep one of each.'
                raise_duplicates(pairs, *vocabularies, advice)
            if weights is None:
                kept, latest, values = merge(pairs, values, timestamps, duplicates)
            else:
                given = values, weights
                kept, latest, values, weights = merge_weighted(
                    pairs, *given, timestamps, duplicates
                )
            users, items = users[kept], items[kept]
            timestamps = None if timestamps is None else timestamps[latest]
        self._set(users, items, values, timestamps, *vocabularies, weights)

    def _set(
        self,
        users: np.ndarray,
        items: np.ndarray,
        values: np.ndarray,
        timestamps: np.ndarray | None,
        known_users: Ids,
        known_items: Ids,
        weights: np.ndarray | None = None,
    ) -> None:
        self._codes_of_users, self._codes_of_items = _frozen(users), _frozen(items)
        self._values = _frozen(values)
        self._timestamps = None if timestamps is None else _frozen(timestamps)
        self._weights = None if weights is None else _frozen(weights)
        self._users, self._items = known_users, known_items

    def _replaced(
        self,
        users: np.ndarray,
        items: np.ndarray,
        values: np.ndarray,
        timestamps: np.ndarray | None,
        weights: np.ndarray | None = None,
    ) -> Ratings:
        """Other columns with the same vocabularies, unchecked."""
        ratings = type(self).__new__(type(self))
        ratings._set(users, items, values, timestamps, self._users, self._items, weights)
        ratings._lacking = self._lacking
        return ratings

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        user: Any,
        item: Any,
        rating: Any = None,
        timestamp: Any = None,
        weight: Any = None,
        duplicates: Duplicates = "error",
        missing_values: Any = None,
    ) -> Ratings:
        """Read a data frame with a row per rating.

        Parameters
        ----------
        frame : DataFrame
            Of pandas, polars, pyarrow or any other library whose eager frames narwhals supports.
        user, item : str
            Names of the columns with user ids and item ids.
        rating : str, optional
            Name of the column with ratings. Without one, or where the frame has no such column,
            these are pairs to predict: ``values`` is NaN, and `AutoRecRegressor.fit` needs ``y``.
            So what reads a table for ``fit`` reads one for ``predict``.
        timestamp : str, optional
            Name of the column that tells when each rating was given.
        weight : str, optional
            Name of the column that tells how much each rating counts.
        duplicates : {"error", "mean", "last"}, default="error"
            What to do about several ratings of one item by one user, as in `Ratings`.
        missing_values : number or list of numbers, optional
            What stands for no rating in the column of ratings, such as 99, ``[-1, 0]`` or
            ``numpy.nan``. Such rows are left out before timestamps and duplicates are looked at;
            users and items keep their ids where all of their rows are. None takes every row for a
            rating, so that NaN is an error.

        Returns
        -------
        ratings : Ratings
            Ids of one sortable type are in sorted order, others in the order they appear in.

        Raises
        ------
        ValueError
            A column named for anything but ratings is not there, an id is missing, no row has a
            rating, ``missing_values`` and no name of a column of ratings, or any reason `Ratings`
            has.
        TypeError
            ``frame`` is no eager data frame, an id is not hashable, ``missing_values`` are no
            numbers, or any reason `Ratings` has.

        Examples
        --------
        >>> import pandas as pd
        >>> from skautorec import Ratings
        >>> frame = pd.DataFrame({"who": ["ann", "bob"], "what": [7, 7], "stars": [4, 2]})
        >>> Ratings.from_frame(frame, user="who", item="what", rating="stars").user_ids
        array(['ann', 'bob'], dtype=object)
        """
        missing = read_missing_values(missing_values)
        table = read_frame(frame)
        names = {"user": user, "item": item, "timestamp": timestamp, "weight": weight}
        check_columns(table, {role: name for role, name in names.items() if name is not None})
        if len(table) == 0:
            raise ValueError("The frame has no rows, so there are no ratings; give at least one.")
        user_codes, known_users = read_ids(table.get_column(user), f"column {user!r}")
        item_codes, known_items = read_ids(table.get_column(item), f"column {item!r}")
        for column, known in ((user, known_users), (item, known_items)):
            warn_of_twins(f"Column {column!r}", known.array.tolist())
        lacking = None if rating is None else lacking_column(table, "rating", rating)
        if lacking is None:
            values, is_rated = _read_ratings(table, rating, missing)
        else:
            values, is_rated = _read_ratings(table, None, missing[:0])
        timestamps = (
            None if timestamp is None else read_column("timestamps", table.get_column(timestamp))
        )
        weights = None
        if weight is not None:
            given = plain_series(table.get_column(weight)).to_numpy()
            weights = read_weights(given, f"column {weight!r}")
        if not is_rated.all():
            user_codes, item_codes = user_codes[is_rated], item_codes[is_rated]
            values = values[is_rated]
            timestamps = None if timestamps is None else timestamps[is_rated]
            weights = None if weights is None else weights[is_rated]
        ratings = cls.__new__(cls)
        ratings._fill(
            (user_codes, item_codes, values, timestamps),
            (known_users, known_items),
            duplicates,
            weights,
        )
        ratings._lacking = lacking
        return ratings

    @classmethod
    def from_matrix(
        cls, R: Any, *, user_ids: Any = None, item_ids: Any = None, missing_values: Any = None
    ) -> Ratings:
        """Read a matrix of users x items.

        Parameters
        ----------
        R : {sparse matrix, array-like, DataFrame} of shape (n_users, n_items)
            Observed are the stored cells of a sparse matrix, explicit zeros among them (but not in
            DIA and BSR, which pad with zeros), and the cells of a dense one that are not NaN.
        user_ids, item_ids : array-like of shape (n_users,) and (n_items,), optional
            By default the index and the columns of a frame, else 0 to n-1.
        missing_values : number or list of numbers, optional
            What stands for no rating beside what is said above, such as 99 or ``[-1, 0]``; cells
            that hold it are unobserved. ``numpy.nan`` matters in sparse matrices only.

        Returns
        -------
        ratings : Ratings
            Row by row. Users and items without ratings keep their ids.

        Raises
        ------
        ValueError
            ``R`` has no ratings, a cell is stored twice, a rating is infinite (or NaN in a sparse
            matrix), or ids are missing, given twice or not one per row and column.
        TypeError
            Ratings or ``missing_values`` are not real numbers.
        """
        missing = read_missing_values(missing_values)
        matrix = read_matrix(R, "the matrix", missing)
        observed = matrix.observed
        if observed.nnz == 0:
            is_other = f", or of other numbers than {missing_values!r}" if len(missing) else ""
            raise ValueError(
                f"The matrix of shape {observed.shape} holds no ratings; give at least one (stored "
                f"in a sparse matrix, not NaN in a dense one{is_other})."
            )
        warn_of_other_numbers(observed, matrix.columns)
        users, items = (
            read_vocabulary(side, ids if given is None else given, length)
            for side, ids, given, length in (
                ("user", matrix.index, user_ids, observed.shape[0]),
                ("item", matrix.columns, item_ids, observed.shape[1]),
            )
        )
        rows = np.repeat(
            np.arange(observed.shape[0], dtype=observed.indices.dtype), np.diff(observed.indptr)
        )
        ratings = cls.__new__(cls)
        ratings._set(rows, observed.indices, observed.data, None, users, items)
        return ratings

    @classmethod
    def concat(cls, tables: Iterable[Ratings], duplicates: Duplicates = "error") -> Ratings:
        """Put tables that were read apart into one, matched by ids.

        Parameters
        ----------
        tables : sequence of Ratings
            At least one. All of them have timestamps, or none.
        duplicates : {"error", "mean", "last"}, default="error"
            What to do about several ratings of one item by one user, as in `Ratings`; the last
            without timestamps, or at equal ones, is that of the later table.

        Returns
        -------
        ratings : Ratings
            The rows of each table in turn. Users and items without ratings keep their ids. Ids are
            in the order of `from_frame`, or in that of the tables where all hold the same ids in
            the same order, as slices of one table do. Ids that are text in one table and numbers in
            another, such as ``"1"`` and 1, stay different, with a warning.

        Raises
        ------
        ValueError
            There are no tables, some have timestamps and others not, some hold ratings and others
            pairs to predict, or a user has rated an item twice and ``duplicates="error"``.
        TypeError
            Anything but a sequence of `Ratings`, or timestamps that are numbers in some tables and
            datetimes in others.

        Examples
        --------
        >>> from skautorec import Ratings
        >>> may = Ratings([0], [0], [5], user_ids=["bob"], item_ids=["Heat"])
        >>> june = Ratings([0, 1], [0, 0], [3, 4], user_ids=["ann", "bob"], item_ids=["Alien"])
        >>> both = Ratings.concat([may, june])
        >>> both.user_ids.tolist(), both.item_ids.tolist()
        (['ann', 'bob'], ['Alien', 'Heat'])
        """
        parts = _read_tables(tables)
        users, of_users = merge_ids([part._users for part in parts])
        items, of_items = merge_ids([part._items for part in parts])
        for side, known in (("user_ids", users), ("item_ids", items)):
            warn_of_twins(f"{side} of these tables", known.array.tolist())
        columns = (
            np.concatenate([own[part.users] for own, part in zip(of_users, parts, strict=True)]),
            np.concatenate([own[part.items] for own, part in zip(of_items, parts, strict=True)]),
            np.concatenate([part.values for part in parts]),
            join_timestamps([part.timestamps for part in parts]),
        )
        ratings = cls.__new__(cls)
        ratings._fill(columns, (users, items), duplicates, join_weights(parts))
        return ratings

    def check_values(self) -> None:
        """Raise a ValueError where these are pairs without ratings, to be predicted."""
        if np.isnan(self._values[:1]).any():  # all are, or none is
            reason = self._lacking or (
                "name the column of ratings in from_frame(..., rating=...), or give them as y or "
                "to with_values."
            )
            raise ValueError(f"These are pairs without ratings, to be predicted; {reason}")

    def to_matrix(
        self, *, user_ids: Any = None, item_ids: Any = None, unknown: Unknown = "error"
    ) -> scipy.sparse.csr_array:
        """Matrix with a stored cell per rating.

        Parameters
        ----------
        user_ids, item_ids : array-like of shape (n_rows,) and (n_columns,), optional
            Distinct ids of the rows and of the columns, in their order; one that the table does not
            hold gets an empty row or column. By default those of the table.
        unknown : {"error", "ignore"}, default="error"
            What to do about ratings by users, or of items, that are not among the ids given: refuse
            them, or leave them out with a warning that counts them.

        Returns
        -------
        R : csr_array of shape (n_rows, n_columns)
            float64, indices sorted; a rating of 0 is an explicit zero.

        Raises
        ------
        ValueError
            The table was resampled with replacement and holds a rating twice, or holds pairs
            without ratings; an id is given twice or is missing; a rating's user or item is not
            among the ids given and ``unknown="error"``; or another ``unknown``.
        TypeError
            ``user_ids`` or ``item_ids`` is no sequence of hashable ids.

        Examples
        --------
        >>> from skautorec import Ratings
        >>> ratings = Ratings([0, 1], [0, 1], [5, 3], item_ids=["Alien", "Brazil"])
        >>> ratings.to_matrix(item_ids=["Brazil", "Alien", "Heat"]).toarray()
        array([[0., 5., 0.],
               [3., 0., 0.]])
        """
        check_unknown(unknown)
        self.check_values()
        rows, n_rows = place_codes("user", self._codes_of_users, self._users, user_ids)
        columns, n_columns = place_codes("item", self._codes_of_items, self._items, item_ids)
        values, is_inside = self._values, (rows >= 0) & (columns >= 0)
        if not is_inside.all():
            self._tell_of_others(rows < 0, ~is_inside, unknown)
            values, rows, columns = values[is_inside], rows[is_inside], columns[is_inside]
        R = scipy.sparse.coo_array((values, (rows, columns)), shape=(n_rows, n_columns)).tocsr()
        if R.nnz < len(values):
            pairs = self._codes_of_users.astype(np.int64) * self.n_items + self._codes_of_items
            raise_duplicates(pairs, self._users, self._items, "Resample without replacement.")
        R.sort_indices()
        return R

    def _tell_of_others(
        self, is_other_user: np.ndarray, is_other: np.ndarray, unknown: Unknown
    ) -> None:
        """Refuse or warn of ratings whose user or item is not among the ids that were given."""
        first = int(is_other.argmax())
        whose = f"by user {shown(self.user_ids[self.users[first]])}, who is not in user_ids"
        if not is_other_user[first]:
            whose = f"of item {shown(self.item_ids[self.items[first]])}, which is not in item_ids"
        found = f"{is_other.sum()} of {len(self)} ratings"
        others = f"have a user or an item that is not among the ids given; the first is {whose}"
        if unknown == "error":
            raise ValueError(
                f"{found} {others}. Give these ids too, or leave such ratings out with "
                'unknown="ignore".'
            )
        warn(f"{found} are left out, as they {others}.")

    def to_frame(self) -> Any:
        """Table with a row per rating and ids in place of codes.

        Returns
        -------
        frame : pandas.DataFrame of shape (n_ratings, 3), and more where there are more columns
            Columns ``user_id``, ``item_id``, ``rating`` and, where they are known, ``timestamp``
            and ``weight``.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        columns = {
            "user_id": self.user_ids[self.users],
            "item_id": self.item_ids[self.items],
            "rating": self.values,
        }
        if self.timestamps is not None:
            columns["timestamp"] = self.timestamps
        if self.weights is not None:
            columns["weight"] = self.weights
        return long_frame(columns)

    def with_values(self, values: Any) -> Ratings:
        """Table of the same users and items with other ratings.

        Parameters
        ----------
        values : array-like of shape (n_ratings,)

        Returns
        -------
        ratings : Ratings

        Raises
        ------
        ValueError
            Not one value per rating, or a value is NaN or infinite.
        TypeError
            Values are not real numbers.
        """
        array = read_column("values", values)
        if len(array) != len(self):
            raise ValueError(f"{len(array)} values for {len(self)} ratings; give one per rating.")
        return self._replaced(
            self._codes_of_users,
            self._codes_of_items,
            read_values(array, "values"),
            self._timestamps,
            self._weights,
        )

    @property
    def users(self) -> np.ndarray:
        """Position of each rating's user in ``user_ids``."""
        return self._codes_of_users

    @property
    def items(self) -> np.ndarray:
        """Position of each rating's item in ``item_ids``."""
        return self._codes_of_items

    @property
    def values(self) -> np.ndarray:
        """The ratings."""
        return self._values

    @property
    def timestamps(self) -> np.ndarray | None:
        """When each rating was given, None if unknown."""
        return self._timestamps

    @property
    def weights(self) -> np.ndarray | None:
        """How much each rating counts, None if all count the same."""
        return self._weights

    @property
    def user_ids(self) -> np.ndarray:
        """Ids of all users, those without ratings included."""
        return self._users.array

    @property
    def item_ids(self) -> np.ndarray:
        """Ids of all items, those without ratings included."""
        return self._items.array

    @property
    def n_users(self) -> int:
        """Number of user ids."""
        return len(self._users)

    @property
    def n_items(self) -> int:
        """Number of item ids."""
        return len(self._items)

    @property
    def shape(self) -> tuple[int]:
        """``(n_ratings,)``: the shape of an array with an element per rating."""
        return _Shape((len(self),))

    @property
    def ndim(self) -> int:
        """1: one axis, that of ratings."""
        return 1

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, key: Any) -> Ratings:
        # scikit-learn slices anything that has a shape by (indices, Ellipsis).
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:
            key = key[0]
        if not isinstance(key, slice):
            key = _read_indices(key)
        return self._replaced(
            self._codes_of_users[key],
            self._codes_of_items[key],
            self._values[key],
            None if self._timestamps is None else self._timestamps[key],
            None if self._weights is None else self._weights[key],
        )

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(
            "Ratings cannot be iterated over; use its arrays: zip(ratings.users, ratings.items, "
            "ratings.values)."
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise TypeError(
            "Ratings is a table, not an array; use ratings.values for the ratings alone or "
            "ratings.to_matrix() for a sparse matrix. Tools that compute on columns of numbers "
            "cannot take it: in place of BaggingRegressor or AdaBoostRegressor give "
            "AutoRecRegressor n_estimators=, and in place of permutation_importance ask explain or "
            "similar_items. " + see("works.html")
        )

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        # Pickle does not keep arrays read-only.
        self._set(
            state["_codes_of_users"],
            state["_codes_of_items"],
            state["_values"],
            state["_timestamps"],
            state["_users"],
            state["_items"],
            state.get("_weights"),
        )
        self._lacking = state.get("_lacking")

    def __repr__(self) -> str:
        counts = f"{len(self):,} ratings of {self.n_items:,} items by {self.n_users:,} users"
        if len(self) == 0:
            return f"<Ratings: {counts}>"
        percent = 100 * len(self) / (self.n_users * self.n_items)
        low, high = self._values.min(), self._values.max()
        if np.isnan(low):
            return f"<Ratings: {counts.replace('ratings', 'pairs without ratings')}>"
        weighted = "" if self._weights is None else ", weighted"
        return f"<Ratings: {counts} ({percent:.3g}% observed), from {low!s} to {high!s}{weighted}>"

    def _repr_html_(self) -> str:
        """Summary and first rows, for notebooks."""
        head = self[:_N_SHOWN]
        columns = {
            "user": [shown_id(self._users, code) for code in head.users],
            "item": [shown_id(self._items, code) for code in head.items],
            "rating": [str(value) for value in head.values],
        }
        if head.timestamps is not None:
            columns["timestamp"] = [str(time) for time in head.timestamps]
        if head.weights is not None:
            columns["weight"] = [str(weight) for weight in head.weights]
        rows = [_html_row("th", columns)]
        rows += [_html_row("td", cells) for cells in zip(*columns.values(), strict=True)]
        if len(self) > len(head):
            rows.append(_html_row("td", ["..."] * len(columns)))
        return f"<p>{escape(repr(self)[1:-1])}</p><table>{''.join(rows)}</table>"


def _read_ratings(table: Any, rating: Any, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Column of ratings of a frame, NaN without one, and which rows hold one."""
    if rating is None:
        if len(missing):
            raise ValueError(
                "missing_values says what stands for no rating, and no column of ratings is named: "
                "give rating= too."
            )
        return np.full(len(table), np.nan), np.ones(len(table), dtype=bool)
    name = f"column {rating!r}"
    values = to_float64(plain_series(table.get_column(rating)).to_numpy(), name)
    is_rated = ~is_missing(values, missing)
    if not is_rated.any():
        raise ValueError(
            f"There are no ratings: all {len(values)} rows of {name} hold missing_values. Give at "
            "least one rating."
        )
    # In place of those that are left out, so that an error counts rows as the frame does.
    return read_values(np.where(is_rated, values, 0.0), name), is_rated


def _html_row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _read_tables(tables: Any) -> list[Ratings]:
    """Tables to put into one: at least one, all with ratings or all without."""
    if isinstance(tables, Ratings | str | set | Mapping) or not isinstance(tables, Iterable):
        raise TypeError(
            f"A list of Ratings is needed, got {type(tables).__name__}; give them as in "
            "Ratings.concat([old, new])."
        )
    parts = list(tables)
    for position, part in enumerate(parts):
        if not isinstance(part, Ratings):
            raise TypeError(
                f"tables[{position}] is of type {type(part).__name__}; give Ratings, for instance "
                "those that Ratings.from_frame or Ratings.from_matrix reads."
            )
    if not parts:
        raise ValueError("There are no tables: the list is empty. Give at least one Ratings.")
    is_without = [bool(np.isnan(part.values[0])) for part in parts if len(part)]
    if len(set(is_without)) > 1:
        raise ValueError(
            f"{sum(is_without)} of {len(is_without)} tables hold pairs without ratings, to be "
            "predicted, and the others ratings. Give tables of one kind, or ratings by with_values."
        )
    return parts


def _frozen(array: np.ndarray) -> np.ndarray:
    """Read-only view, which leaves the array it is given as writable as it was."""
    view = array.view()
    view.setflags(write=False)
    return view


def _read_indices(key: Any) -> np.ndarray:
    """Positions or a mask, one-dimensional."""
    indices = np.asarray(key)
    if indices.ndim == 0 and indices.dtype.kind in "iu":
        raise TypeError(
            f"ratings[{indices}] would be a single rating, and a sample of Ratings is never taken "
            f"out alone; use a slice or ratings[[{indices}]]."
        )
    if indices.ndim == 1 and len(indices) == 0 and indices.dtype.kind == "f":
        return indices.astype(np.intp)
    if indices.ndim != 1 or indices.dtype.kind not in "biu":
        raise IndexError(
            f"Ratings are indexed by a slice, by positions or by a boolean mask; got {key!r}."
        )
    return indices
