"""What a table of ratings is made of: columns, ids and matrices, read and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

import narwhals.stable.v1 as nw
import numpy as np
import scipy.sparse

from ._core.warning import warn
from ._ids import Ids, as_id_array, plain
from ._links import see
from ._matrix import observed_csr, observed_from_dense, to_float64, without_mask

__all__ = [
    "Duplicates",
    "check_lengths",
    "check_names",
    "frame_names",
    "has_repetitions",
    "merge",
    "raise_duplicates",
    "read_codes",
    "read_column",
    "read_frame",
    "read_matrix",
    "read_timestamps",
    "read_values",
    "read_vocabulary",
    "refuse_long_table",
    "refuse_mixed_columns",
    "shown_id",
    "warn_of_long_table",
    "warn_of_twins",
]

Duplicates = Literal["error", "mean", "last"]

# Without ids every code up to the largest is a user or item, so one stray id would fill the memory.
_MOST_IMPLIED_IDS = 100_000_000

_USER = re.compile(r"(user|customer|member|reviewer)s?[ _.-]?(id|idx|index|code|name)?$", re.I)
_ITEM = re.compile(r"(item|movie|book|product|title|song|track|imdb)s?[ _.-]?(id|idx|code)?$", re.I)
_RATING = re.compile(r"(rating|score|star|value)s?$", re.I)


def read_column(name: str, given: Any) -> np.ndarray:
    given = _without_zone(without_mask(given))
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


def check_lengths(columns: Mapping[str, np.ndarray]) -> None:
    lengths = {name: len(array) for name, array in columns.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"Lengths differ: {found}. Give one entry of each per rating.")
    if not lengths["values"]:
        raise ValueError("There are no ratings: the arrays are empty. Give at least one rating.")


def read_codes(side: str, codes: np.ndarray, ids: Any) -> tuple[np.ndarray, Ids]:
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
            f"{_MOST_IMPLIED_IDS:,}, as every code up to the largest counts as one. If these are "
            f"ids, use Ratings.from_frame; else give {side}_ids."
        )
    known = Ids.range(largest + 1) if ids is None else read_vocabulary(side, ids)
    if largest >= len(known):
        raise ValueError(
            f"{name}[{position}] is {largest}, beyond the {len(known)} {side}_ids; codes are "
            f"positions in {side}_ids, here 0 to {len(known) - 1}."
        )
    smallest = np.int32 if len(known) <= np.iinfo(np.int32).max else np.int64
    return codes.astype(smallest), known


def warn_of_twins(column: Any, ids: list[Any]) -> None:
    """Warn of ids that a person would call one, as 1 and "1" in a column that was read badly."""
    texts = {id for id in ids if isinstance(id, str)}
    if len(texts) in (0, len(ids)):
        return
    twins = [id for id in ids if not isinstance(id, str) and str(id) in texts]
    if twins:
        warn(
            f"Column {column!r} holds {len(twins)} ids both as text and not, such as {twins[0]!r} "
            f"and {str(twins[0])!r}, which are different ids. If they are meant to be one, convert "
            "the column first, for instance with astype(str).",
        )


def read_vocabulary(side: str, ids: Any, length: int | None = None) -> Ids:
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


def read_values(given: Any, name: str) -> np.ndarray:
    """Finite ratings in an array of our own."""
    values = to_float64(given, name)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        what = "NaN" if np.isnan(values[bad[0]]) else "infinite"
        raise ValueError(
            f"The rating at position {bad[0]} is {what}; {len(bad)} of {len(values)} ratings are "
            "NaN or infinite. Ratings are finite numbers: leave out the rows without one."
        )
    return np.array(values)


def read_timestamps(timestamps: np.ndarray) -> np.ndarray:
    """Numbers or datetimes without gaps in an array of our own."""
    if timestamps.dtype.kind == "O":
        timestamps = _from_datetimes(timestamps)
    if timestamps.dtype.kind not in "iufM":
        raise TypeError(
            f"timestamps has dtype {timestamps.dtype}; give numbers or datetimes, for instance by "
            "pandas.to_datetime, or str.to_datetime() of a polars column."
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


def has_repetitions(pairs: np.ndarray) -> bool:
    ordered = np.sort(pairs)
    return bool((ordered[1:] == ordered[:-1]).any())


def raise_duplicates(pairs: np.ndarray, users: Ids, items: Ids, advice: str) -> None:
    order = np.argsort(pairs, kind="stable")
    repeated = order[1:][pairs[order[1:]] == pairs[order[:-1]]]
    again = repeated.min()
    first = int(np.flatnonzero(pairs == pairs[again])[0])
    user, item = divmod(int(pairs[again]), len(items))
    raise ValueError(
        f"User {shown_id(users, user)} has rated item {shown_id(items, item)} more than once, at "
        f"positions {first} and {again}; {len(repeated)} of {len(pairs)} ratings repeat an earlier "
        f"pair of user and item. {advice}"
    )


def shown_id(ids: Ids, code: int) -> str:
    return repr(plain(ids.array[code]))


def merge(
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
        with np.errstate(over="ignore", invalid="ignore"):
            merged = np.add.reduceat(values[order], starts) / counts
        is_over = ~np.isfinite(merged)
        if is_over.any():
            # Only where it is needed: it rounds differently.
            shares = values[order] / np.repeat(counts, counts)
            merged[is_over] = np.add.reduceat(shares, starts)[is_over]
    in_table_order = np.argsort(position)
    return position[in_table_order], latest[in_table_order], merged[in_table_order]


def read_frame(frame: Any) -> Any:
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


def check_names(table: Any, names: Mapping[str, Any]) -> None:
    columns = list(table.columns)
    index_names = getattr(getattr(nw.to_native(table), "index", None), "names", ())
    for argument, name in names.items():
        if name not in columns and name in index_names:
            raise ValueError(
                f"{argument}={name!r}: this is the index of the frame and no column. Give "
                "frame.reset_index()."
            )
        if name not in columns:
            raise ValueError(
                f"{argument}={name!r}: the frame has no such column. Its columns are "
                f"{', '.join(map(repr, columns))}."
            )
    if names["user"] == names["item"]:
        raise ValueError(
            f"user={names['user']!r} and item={names['item']!r} name one column; give the column "
            "of user ids and that of item ids."
        )


def read_matrix(R: Any) -> tuple[scipy.sparse.csr_array, Any, Any]:
    """Observed cells, and what names the rows and the columns."""
    refuse_long_table(R)
    if scipy.sparse.issparse(R):
        observed = observed_csr(R)
        return observed, Ids.range(observed.shape[0]), Ids.range(observed.shape[1])
    if not nw.dependencies.is_into_dataframe(R):
        observed = observed_from_dense(R)
        warn_of_long_table(np.asarray(without_mask(R)))
        return observed, Ids.range(observed.shape[0]), Ids.range(observed.shape[1])
    index = getattr(R, "index", None)
    rows = Ids.range(R.shape[0]) if index is None else index
    return _read_wide_frame(R), rows, frame_names(R)


def frame_names(frame: Any) -> list[Any]:
    """Column names of a frame of any library; they are distinct."""
    names = list(frame.column_names if nw.dependencies.is_pyarrow_table(frame) else frame.columns)
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(
            f"The frame has {names.count(twice)} columns of the name {plain(twice)!r}. Columns are "
            "items, each with a name of its own: rename or leave out."
        )
    return names


def refuse_mixed_columns(frame: Any) -> None:
    """Refuse a pandas frame whose columns differ in what an unobserved cell looks like."""
    if not nw.dependencies.is_pandas_dataframe(frame):
        return
    kinds: dict[str, list[Any]] = {}
    for name, dtype in zip(frame.columns, frame.dtypes, strict=True):
        kinds.setdefault(_kind_of_column(dtype), []).append(name)
    if len(kinds) > 1 and set(kinds) != {"dense"}:
        found = "; ".join(
            f"{len(names)} {kind}, the first is {plain(names[0])!r}"
            for kind, names in kinds.items()
        )
        raise ValueError(
            f"The columns of this frame differ in what an unobserved cell holds: {found}. Make all "
            "columns dense with NaN where unobserved, or all sparse with one fill value, 0 or NaN, "
            "for instance with frame.astype(pandas.SparseDtype(float, numpy.nan))."
        )


def _kind_of_column(dtype: Any) -> str:
    if not hasattr(dtype, "fill_value"):
        return "dense"
    fill = dtype.fill_value
    # NaN of any type is one fill value, as are 0, 0.0 and False.
    shown = "nan" if fill != fill else "0" if fill == 0 else repr(fill)
    return f"sparse with fill value {shown}"


def _read_wide_frame(frame: Any) -> scipy.sparse.csr_array:
    refuse_mixed_columns(frame)
    if hasattr(frame, "sparse") and all(dtype.fill_value == 0 for dtype in frame.dtypes):
        # What such a frame does not store is unobserved, as in any sparse matrix.
        return observed_csr(frame.sparse.to_coo())
    if not hasattr(frame, "to_numpy"):
        frame = read_frame(frame)
    return observed_from_dense(frame.to_numpy())


def refuse_long_table(X: Any) -> None:
    if not nw.dependencies.is_into_dataframe(X):
        return
    names = [name for name in frame_names(X) if isinstance(name, str)]
    users = [name for name in names if _USER.match(name)]
    items = [name for name in names if _ITEM.match(name)]
    ratings = [name for name in names if _RATING.match(name)]
    if len(names) <= 8 and users and (items or ratings):
        found = ", ".join(repr(name) for name in users[:1] + items[:1] + ratings[:1])
        raise ValueError(
            f"This frame looks like a table with a row per rating (columns {found}), and a "
            "matrix has a row per user. Use Ratings.from_frame(frame, user=..., item=..., "
            f"rating=...) and give that. {see('data.html')}"
        )


def warn_of_long_table(checked: Any) -> None:
    """Warn where a dense array looks like a table of user, item, rating and perhaps time."""
    if not scipy.sparse.issparse(checked) and checked.dtype.kind not in "iuf":
        return
    if scipy.sparse.issparse(checked) or checked.shape[1] not in (3, 4) or len(checked) < 30:
        return
    users, items, ratings = checked.T[:3]
    if not (np.mod(checked[:, :2], 1) == 0).all():
        return
    n_users, n_items, n_values = (len(np.unique(column)) for column in (users, items, ratings))
    is_distinct = len(np.unique(checked[:, :2], axis=0)) == len(checked)
    if is_distinct and 2 * n_values <= min(n_users, n_items):
        warn(
            f"This array of shape {checked.shape} looks like a table with a row per rating (user, "
            "item, rating), and is read as a matrix with a row per user and a column per item. For "
            "a table use Ratings.from_frame, or Ratings(users, items, values) with codes. "
            + see("data.html"),
        )
