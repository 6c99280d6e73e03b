"""`Ratings`: a table with a row per rating, which scikit-learn's splitters can slice."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from html import escape
from typing import Any, Literal

import narwhals.stable.v1 as nw
import numpy as np
import scipy.sparse

from ._ids import Ids, as_id_array, factorize, plain
from ._matrix import observed_csr, observed_from_dense, to_float64

__all__ = ["Ratings"]

Duplicates = Literal["error", "mean", "last"]

# Without ids every code up to the largest is a user or item, so one stray id would fill the memory.
_MOST_IMPLIED_IDS = 100_000_000
# Rows that a notebook shows.
_N_SHOWN = 5


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
    user_ids, item_ids : array-like of shape (n_users,) and (n_items,), optional
        Distinct ids, users and items without ratings among them if need be. By default 0 to the
        largest code.
    duplicates : {"error", "mean", "last"}, default="error"
        What to do about several ratings of one item by one user: refuse them, keep their mean with
        the latest of their timestamps, or keep the last by timestamp (by position without them).

    Attributes
    ----------
    users, items : ndarray of shape (n_ratings,)
        Codes, int32 or int64.
    values : ndarray of shape (n_ratings,)
        float64.
    timestamps : ndarray of shape (n_ratings,) or None
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
        Lengths differ, there are no ratings, a rating is NaN or infinite, a code is negative or
        beyond the ids, an array is not one-dimensional, an id is missing or given twice, a
        timestamp is missing, a user has rated an item twice and ``duplicates="error"``, or
        ``duplicates`` is none of its values.
    TypeError
        Codes are not integers, ratings are not real numbers, or timestamps are neither numbers nor
        datetimes.

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
    _users: Ids
    _items: Ids

    def __init__(
        self,
        users: Any,
        items: Any,
        values: Any,
        *,
        timestamps: Any = None,
        user_ids: Any = None,
        item_ids: Any = None,
        duplicates: Duplicates = "error",
    ) -> None:
        columns = {"users": users, "items": items, "values": values, "timestamps": timestamps}
        arrays = {
            name: _column(name, given) for name, given in columns.items() if given is not None
        }
        _check_lengths(arrays)
        timestamps = arrays.get("timestamps")
        user_codes, known_users = _read_codes("user", arrays["users"], user_ids)
        item_codes, known_items = _read_codes("item", arrays["items"], item_ids)
        self._fill(
            (user_codes, item_codes, to_float64(arrays["values"], "values"), timestamps),
            (known_users, known_items),
            duplicates,
        )

    def _fill(
        self,
        columns: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None],
        vocabularies: tuple[Ids, Ids],
        duplicates: Duplicates,
    ) -> None:
        """Check values and duplicates, which every way of building a table must."""
        if duplicates not in ("error", "mean", "last"):
            raise ValueError(
                f"duplicates is {duplicates!r}; give 'error', 'mean' (their mean) or 'last' (the "
                "last rating of each user and item)."
            )
        users, items, values, timestamps = columns
        values = _read_values(values)
        if timestamps is not None:
            timestamps = _read_timestamps(timestamps)
        pairs = users.astype(np.int64) * len(vocabularies[1]) + items
        if _has_repetitions(pairs):
            if duplicates == "error":
                _raise_duplicates(pairs, *vocabularies)
            kept, latest, values = _merge(pairs, values, timestamps, duplicates)
            users, items = users[kept], items[kept]
            timestamps = None if timestamps is None else timestamps[latest]
        self._set(users, items, values, timestamps, *vocabularies)

    def _set(
        self,
        users: np.ndarray,
        items: np.ndarray,
        values: np.ndarray,
        timestamps: np.ndarray | None,
        known_users: Ids,
        known_items: Ids,
    ) -> None:
        self._codes_of_users, self._codes_of_items = _frozen(users), _frozen(items)
        self._values = _frozen(values)
        self._timestamps = None if timestamps is None else _frozen(timestamps)
        self._users, self._items = known_users, known_items

    def _replaced(
        self,
        users: np.ndarray,
        items: np.ndarray,
        values: np.ndarray,
        timestamps: np.ndarray | None,
    ) -> Ratings:
        """Other columns with the same vocabularies, unchecked."""
        ratings = type(self).__new__(type(self))
        ratings._set(users, items, values, timestamps, self._users, self._items)
        return ratings

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        user: Any,
        item: Any,
        rating: Any,
        timestamp: Any = None,
        duplicates: Duplicates = "error",
    ) -> Ratings:
        """Read a data frame with a row per rating.

        Parameters
        ----------
        frame : DataFrame
            Of pandas, polars, pyarrow or any other library whose eager frames narwhals supports.
        user, item, rating : str
            Names of the columns with user ids, item ids and ratings.
        timestamp : str, optional
            Name of the column that tells when each rating was given.
        duplicates : {"error", "mean", "last"}, default="error"
            What to do about several ratings of one item by one user, as in `Ratings`.

        Returns
        -------
        ratings : Ratings
            Ids of one sortable type are in sorted order, others in the order they appear in.

        Raises
        ------
        ValueError
            A named column is not there, an id is missing, or any reason `Ratings` has.
        TypeError
            ``frame`` is no eager data frame, an id is not hashable, or any reason `Ratings` has.

        Examples
        --------
        >>> import pandas as pd
        >>> from skautorec import Ratings
        >>> frame = pd.DataFrame({"who": ["ann", "bob"], "what": [7, 7], "stars": [4, 2]})
        >>> Ratings.from_frame(frame, user="who", item="what", rating="stars").user_ids
        array(['ann', 'bob'], dtype=object)
        """
        table = _eager_frame(frame)
        names = {"user": user, "item": item, "rating": rating}
        if timestamp is not None:
            names["timestamp"] = timestamp
        _check_columns(table, names)
        if len(table) == 0:
            raise ValueError("The frame has no rows, so there are no ratings; give at least one.")
        user_codes, known_users = factorize(table.get_column(user), f"column {user!r}")
        item_codes, known_items = factorize(table.get_column(item), f"column {item!r}")
        for column, known in ((user, known_users), (item, known_items)):
            _warn_of_twins(column, known.array.tolist())
        values = to_float64(table.get_column(rating).to_numpy(), f"column {rating!r}")
        timestamps = (
            None if timestamp is None else _column("timestamps", table.get_column(timestamp))
        )
        ratings = cls.__new__(cls)
        ratings._fill(
            (user_codes, item_codes, values, timestamps),
            (known_users, known_items),
            duplicates,
        )
        return ratings

    @classmethod
    def from_matrix(cls, R: Any, *, user_ids: Any = None, item_ids: Any = None) -> Ratings:
        """Read a matrix of users x items.

        Parameters
        ----------
        R : {sparse matrix, array-like, DataFrame} of shape (n_users, n_items)
            Observed are the stored cells of a sparse matrix, explicit zeros among them (but not in
            DIA and BSR, which pad with zeros), and the cells of a dense one that are not NaN.
        user_ids, item_ids : array-like of shape (n_users,) and (n_items,), optional
            By default the index and the columns of a frame, else 0 to n-1.

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
            Ratings are not real numbers.
        """
        observed, row_ids, column_ids = _read_matrix(R)
        if observed.nnz == 0:
            raise ValueError(
                f"The matrix of shape {observed.shape} holds no ratings; give at least one (stored "
                "in a sparse matrix, not NaN in a dense one)."
            )
        users = _vocabulary("user", row_ids if user_ids is None else user_ids, observed.shape[0])
        items = _vocabulary("item", column_ids if item_ids is None else item_ids, observed.shape[1])
        rows = np.repeat(
            np.arange(observed.shape[0], dtype=observed.indices.dtype), np.diff(observed.indptr)
        )
        ratings = cls.__new__(cls)
        ratings._set(rows, observed.indices, observed.data, None, users, items)
        return ratings

    def to_matrix(self) -> scipy.sparse.csr_array:
        """Matrix with a stored cell per rating.

        Returns
        -------
        R : csr_array of shape (n_users, n_items)
            float64, indices sorted; a rating of 0 is an explicit zero.

        Raises
        ------
        ValueError
            The table was resampled with replacement and holds a rating twice.
        """
        cells = (self._values, (self._codes_of_users, self._codes_of_items))
        R = scipy.sparse.coo_array(cells, shape=(self.n_users, self.n_items)).tocsr()
        if R.nnz < len(self):
            pairs = self._codes_of_users.astype(np.int64) * self.n_items + self._codes_of_items
            _raise_duplicates(pairs, self._users, self._items)
        R.sort_indices()
        return R

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
        array = _column("values", values)
        if len(array) != len(self):
            raise ValueError(f"{len(array)} values for {len(self)} ratings; give one per rating.")
        return self._replaced(
            self._codes_of_users,
            self._codes_of_items,
            _read_values(to_float64(array, "values")),
            self._timestamps,
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
        return (len(self),)

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
        )

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(
            "Ratings cannot be iterated over; use its arrays: zip(ratings.users, ratings.items, "
            "ratings.values)."
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise TypeError(
            "Ratings is a table, not an array; use ratings.values for the ratings alone or "
            "ratings.to_matrix() for a sparse matrix."
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
        )

    def __repr__(self) -> str:
        counts = f"{len(self):,} ratings of {self.n_items:,} items by {self.n_users:,} users"
        if len(self) == 0:
            return f"<Ratings: {counts}>"
        percent = 100 * len(self) / (self.n_users * self.n_items)
        low, high = self._values.min(), self._values.max()
        return f"<Ratings: {counts} ({percent:.3g}% observed), from {low!s} to {high!s}>"

    def _repr_html_(self) -> str:
        """Summary and first rows, for notebooks."""
        head = self[:_N_SHOWN]
        columns = {
            "user": [_shown(self._users, code) for code in head.users],
            "item": [_shown(self._items, code) for code in head.items],
            "rating": [str(value) for value in head.values],
        }
        if head.timestamps is not None:
            columns["timestamp"] = [str(time) for time in head.timestamps]
        rows = [_html_row("th", columns)]
        rows += [_html_row("td", cells) for cells in zip(*columns.values(), strict=True)]
        if len(self) > len(head):
            rows.append(_html_row("td", ["..."] * len(columns)))
        return f"<p>{escape(repr(self)[1:-1])}</p><table>{''.join(rows)}</table>"


def _html_row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _frozen(array: np.ndarray) -> np.ndarray:
    """Read-only view, which leaves the array it is given as writable as it was."""
    view = array.view()
    view.setflags(write=False)
    return view


def _column(name: str, given: Any) -> np.ndarray:
    given = _without_zone(given)
    array = np.asarray(given.to_numpy() if hasattr(given, "to_numpy") else given)
    if array.ndim != 1:
        raise ValueError(
            f"{name} has shape {array.shape}; give a one-dimensional array with an entry per "
            "rating (a matrix is read by Ratings.from_matrix)."
        )
    return array


def _without_zone(given: Any) -> Any:
    """Times of a series with a time zone as UTC, which keeps their order; others as they are."""
    series = nw.from_native(given, series_only=True, pass_through=True)
    if isinstance(series, nw.Series) and getattr(series.dtype, "time_zone", None) is not None:
        return series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return given


def _check_lengths(columns: Mapping[str, np.ndarray]) -> None:
    lengths = {name: len(array) for name, array in columns.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"Lengths differ: {found}. Give one entry of each per rating.")
    if not lengths["values"]:
        raise ValueError("There are no ratings: the arrays are empty. Give at least one rating.")


def _read_codes(side: str, codes: np.ndarray, ids: Any) -> tuple[np.ndarray, Ids]:
    """Codes of one side, ``"user"`` or ``"item"``, and the vocabulary they point into."""
    name = f"{side}s"
    if codes.dtype.kind not in "iu":
        raise TypeError(
            f"{name} has dtype {codes.dtype}; give integer codes, positions in {side}_ids. If "
            "these are ids, use Ratings.from_frame, which makes codes of ids of any type."
        )
    position, lowest = int(codes.argmin()), int(codes.min())
    if lowest < 0:
        raise ValueError(
            f"{name}[{position}] is {lowest}; codes count from 0. If these are ids, use "
            "Ratings.from_frame."
        )
    position, largest = int(codes.argmax()), int(codes.max())
    if ids is None and largest >= _MOST_IMPLIED_IDS:
        raise ValueError(
            f"{name}[{position}] is {largest}; without {side}_ids, codes must be below "
            f"{_MOST_IMPLIED_IDS:,}, as every code up to the largest is a {side}. If these are "
            f"ids, use Ratings.from_frame; else give {side}_ids."
        )
    known = Ids.range(largest + 1) if ids is None else _vocabulary(side, ids)
    if largest >= len(known):
        raise ValueError(
            f"{name}[{position}] is {largest}, beyond the {len(known)} {side}_ids; codes are "
            f"positions in {side}_ids, here 0 to {len(known) - 1}."
        )
    smallest = np.int32 if len(known) <= np.iinfo(np.int32).max else np.int64
    return codes.astype(smallest), known


def _warn_of_twins(column: Any, ids: list[Any]) -> None:
    """Warn of ids that a person would call one, as 1 and "1" in a column that was read badly."""
    texts = {id for id in ids if isinstance(id, str)}
    if len(texts) in (0, len(ids)):
        return
    twins = [id for id in ids if not isinstance(id, str) and str(id) in texts]
    if twins:
        warnings.warn(
            f"Column {column!r} holds {len(twins)} ids both as text and not, such as {twins[0]!r} "
            f"and {str(twins[0])!r}, which are different ids. If they are meant to be one, convert "
            "the column first, for instance with astype(str).",
            UserWarning,
            stacklevel=3,
        )


def _vocabulary(side: str, ids: Any, length: int | None = None) -> Ids:
    if isinstance(ids, Ids):
        return ids
    array = as_id_array(ids)
    if length is not None and len(array) != length:
        raise ValueError(
            f"{side}_ids has {len(array)} ids for {length} {side}s in the matrix; give one each."
        )
    try:
        return Ids(array)
    except ValueError as error:
        raise ValueError(f"{side}_ids: {error}") from None


def _read_values(values: np.ndarray) -> np.ndarray:
    """Finite ratings in an array of our own."""
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        what = "NaN" if np.isnan(values[bad[0]]) else "infinite"
        raise ValueError(
            f"The rating at position {bad[0]} is {what}; {len(bad)} of {len(values)} ratings are "
            "NaN or infinite. Ratings are finite numbers: leave out the rows without one."
        )
    return np.array(values)


def _read_timestamps(timestamps: np.ndarray) -> np.ndarray:
    """Numbers or datetimes without gaps in an array of our own."""
    if timestamps.dtype.kind == "O":
        timestamps = _from_datetimes(timestamps)
    if timestamps.dtype.kind not in "iufM":
        raise TypeError(
            f"timestamps has dtype {timestamps.dtype}; give numbers or datetimes, for instance by "
            "pandas.to_datetime."
        )
    missing = np.flatnonzero(
        np.isnat(timestamps) if timestamps.dtype.kind == "M" else np.isnan(timestamps)
    )
    if len(missing):
        raise ValueError(
            f"The timestamp at position {missing[0]} is missing, {len(missing)} of "
            f"{len(timestamps)} are. Leave out those ratings or the timestamps."
        )
    return np.array(timestamps)


def _from_datetimes(times: np.ndarray) -> np.ndarray:
    """Objects as datetime64 where all are datetimes without a zone, else as they are."""
    if all(isinstance(time, date) and getattr(time, "tzinfo", None) is None for time in times):
        return np.array([_datetime64(time) for time in times])
    return times


def _datetime64(time: Any) -> np.datetime64:
    # pandas knows the nanoseconds that numpy would drop.
    return time.to_datetime64() if hasattr(time, "to_datetime64") else np.datetime64(time)


def _has_repetitions(pairs: np.ndarray) -> bool:
    ordered = np.sort(pairs)
    return bool((ordered[1:] == ordered[:-1]).any())


def _raise_duplicates(pairs: np.ndarray, users: Ids, items: Ids) -> None:
    order = np.argsort(pairs, kind="stable")
    repeated = order[1:][pairs[order[1:]] == pairs[order[:-1]]]
    again = repeated.min()
    first = int(np.flatnonzero(pairs == pairs[again])[0])
    user, item = divmod(int(pairs[again]), len(items))
    raise ValueError(
        f"User {_shown(users, user)} has rated item {_shown(items, item)} more than once, at "
        f"positions {first} and {again}; {len(repeated)} of {len(pairs)} ratings repeat an earlier "
        'pair of user and item. Pass duplicates="mean" or duplicates="last" to keep one of each.'
    )


def _shown(ids: Ids, code: int) -> str:
    return repr(plain(ids.array[code]))


def _merge(
    pairs: np.ndarray,
    values: np.ndarray,
    timestamps: np.ndarray | None,
    duplicates: Duplicates,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep one rating of each pair: its position, that of its latest timestamp, its value.

    A mean takes the position of the pair's first rating.
    """
    if timestamps is None:
        order = np.argsort(pairs, kind="stable")
    else:
        order = np.lexsort((timestamps, pairs))
    is_first = np.concatenate(([True], np.diff(pairs[order]) != 0))
    starts = np.flatnonzero(is_first)
    counts = np.diff(np.append(starts, len(pairs)))
    latest = order[starts + counts - 1]
    if duplicates == "last":
        position, merged = latest, values[latest]
    else:
        position = np.minimum.reduceat(order, starts)
        merged = np.add.reduceat(values[order], starts) / counts
    in_table_order = np.argsort(position)
    return position[in_table_order], latest[in_table_order], merged[in_table_order]


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


def _eager_frame(frame: Any) -> Any:
    try:
        return nw.from_native(frame, eager_only=True)
    except nw.exceptions.DuplicateError as error:
        raise ValueError(f"The frame has several columns of one name. {error}") from None
    except TypeError:
        raise TypeError(
            f"An eager data frame of pandas, polars, pyarrow or another library narwhals supports "
            f"is needed, got {type(frame).__name__}. Collect a lazy frame first; arrays of codes "
            "go to Ratings(users, items, values)."
        ) from None


def _check_columns(table: Any, names: Mapping[str, Any]) -> None:
    columns = list(table.columns)
    for argument, name in names.items():
        if name not in columns:
            raise ValueError(
                f"{argument}={name!r}: the frame has no such column. Its columns are "
                f"{', '.join(map(repr, columns))}."
            )


def _read_matrix(R: Any) -> tuple[scipy.sparse.csr_array, Any, Any]:
    """Observed cells, and what names the rows and the columns."""
    if scipy.sparse.issparse(R):
        observed = observed_csr(R)
        return observed, Ids.range(observed.shape[0]), Ids.range(observed.shape[1])
    if not nw.dependencies.is_into_dataframe(R):
        observed = observed_from_dense(R)
        return observed, Ids.range(observed.shape[0]), Ids.range(observed.shape[1])
    columns = R.column_names if hasattr(R, "column_names") else R.columns
    index = getattr(R, "index", None)
    rows = Ids.range(R.shape[0]) if index is None else index
    return _read_wide_frame(R), rows, list(columns)


def _read_wide_frame(frame: Any) -> scipy.sparse.csr_array:
    if hasattr(frame, "sparse") and all(dtype.fill_value == 0 for dtype in frame.dtypes):
        # What such a frame does not store is unobserved, as in any sparse matrix.
        return observed_csr(frame.sparse.to_coo())
    if not hasattr(frame, "to_numpy"):
        frame = _eager_frame(frame)
    return observed_from_dense(frame.to_numpy())
