"""What a table of ratings is made of: columns and ids, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal

import numpy as np

from .._core.messages import warn
from .frames import plain_series
from .ids import Ids, as_id_array, plain
from .values import to_float64, without_mask

__all__ = [
    "LEAST_WEIGHT",
    "Duplicates",
    "check_lengths",
    "has_repetitions",
    "join_timestamps",
    "join_weights",
    "merge",
    "merge_weighted",
    "place_codes",
    "raise_duplicates",
    "read_codes",
    "read_column",
    "read_timestamps",
    "read_values",
    "read_vocabulary",
    "read_weights",
    "repetitions",
    "shown_id",
    "warn_of_twins",
]

Duplicates = Literal["error", "mean", "last"]

# Without ids every code up to the largest is a user or item, so one stray id would fill the memory.
_MOST_IMPLIED_IDS = 100_000_000
# Largest weight: sums of such weights are still safe in single precision.
_MOST_WEIGHT = 1e6
# Weights of which none is larger add up to nothing in single precision.
LEAST_WEIGHT = 1e-30


def read_column(name: str, given: Any) -> np.ndarray:
    given = plain_series(without_mask(given))
    array = np.asarray(given.to_numpy() if hasattr(given, "to_numpy") else given)
    if array.ndim != 1:
        raise ValueError(
            f"{name} has shape {array.shape}; give a one-dimensional array with an entry per "
            "rating (a matrix is read by Ratings.from_matrix)."
        )
    return array


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


def warn_of_twins(where: str, ids: list[Any]) -> None:
    """Warn of ids that a person would call one, as 1 and "1" in a column that was read badly."""
    texts = {id for id in ids if isinstance(id, str)}
    if len(texts) in (0, len(ids)):
        return
    twins = [id for id in ids if not isinstance(id, str) and str(id) in texts]
    if twins:
        warn(
            f"{where} holds {len(twins)} ids both as text and not, such as {twins[0]!r} "
            f"and {str(twins[0])!r}, which are different ids. If they are meant to be one, convert "
            "the column first, for instance with astype(str).",
        )


def read_vocabulary(side: str, ids: Any, length: int | None = None) -> Ids:
    """Ids of one side, ``"user"`` or ``"item"``; None for ids are 0 to ``length`` - 1."""
    if ids is None and length is not None:
        return Ids.range(length)
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


def place_codes(side: str, codes: np.ndarray, known: Ids, given: Any) -> tuple[np.ndarray, int]:
    """Positions in ids that are given, -1 for one that is not, of codes in those known; how many.

    None for ids leaves the codes as they are.
    """
    if given is None:
        return codes, len(known)
    wanted = read_vocabulary(side, given)
    return wanted.translate(known)[codes], len(wanted)


def read_values(given: Any, name: str) -> np.ndarray:
    """Finite ratings in an array of our own."""
    values = to_float64(given, name)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        is_nan = bool(np.isnan(values[bad[0]]))
        what = "NaN" if is_nan else "infinite"
        how = ", as Ratings.from_frame(..., missing_values=numpy.nan) does" if is_nan else ""
        raise ValueError(
            f"The rating at position {bad[0]} is {what}; {len(bad)} of {len(values)} ratings are "
            f"NaN or infinite. Ratings are finite numbers: leave out the rows without one{how}."
        )
    return np.array(values)


def read_weights(given: Any, name: str) -> np.ndarray:
    """Weights from 0 on, not all of them 0, in an array of our own."""
    weights = to_float64(given, name)
    is_good = (weights >= 0) & (weights <= _MOST_WEIGHT)  # of NaN neither holds
    bad = np.flatnonzero(~is_good)
    if len(bad):
        raise ValueError(
            f"The weight at position {bad[0]} is {weights[bad[0]]:g}; {len(bad)} of {len(weights)} "
            f"weights are no numbers from 0 to {_MOST_WEIGHT:,.0f}. A weight says how many ratings "
            "a rating counts as: 1 as one, 0 as none. If all are large, divide them by their mean."
        )
    if weights.max(initial=0) < LEAST_WEIGHT:
        raise ValueError(
            f"There are no ratings: all {len(weights)} weights are 0, or below {LEAST_WEIGHT:g}, "
            "which is as if a rating were not there. Give at least one rating a weight above that."
        )
    return np.array(weights)


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


def join_weights(tables: list[Any]) -> np.ndarray | None:
    """Weights of tables one after another; 1 where a table has none, None where no table has."""
    weights = [table.weights for table in tables]
    if all(one is None for one in weights):
        return None
    parts = zip(weights, map(len, tables), strict=True)
    return np.concatenate([np.ones(n) if one is None else one for one, n in parts])


def join_timestamps(columns: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Timestamps of tables one after the other; None where no table has them."""
    there = [times for times in columns if times is not None]
    if not there:
        return None
    if len(there) < len(columns):
        lacking = next(position for position, times in enumerate(columns) if times is None)
        raise ValueError(
            f"{len(there)} of {len(columns)} tables have timestamps, and tables[{lacking}] has "
            "none. Give timestamps to all of them or to none."
        )
    if len({times.dtype.kind == "M" for times in there}) > 1:
        raise TypeError(
            "The timestamps of some tables are numbers and those of others datetimes, which have "
            "no order in common. Convert the numbers first, for instance with "
            'pandas.to_datetime(seconds, unit="s").'
        )
    return np.concatenate(there)


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


def repetitions(pairs: np.ndarray) -> np.ndarray:
    """Positions of pairs that repeat an earlier one."""
    order = np.argsort(pairs, kind="stable")
    repeated: np.ndarray = order[1:][pairs[order[1:]] == pairs[order[:-1]]]
    return repeated


def raise_duplicates(pairs: np.ndarray, users: Ids, items: Ids, advice: str) -> None:
    repeated = repetitions(pairs)
    second = repeated.min()
    first = int(np.flatnonzero(pairs == pairs[second])[0])
    user, item = divmod(int(pairs[second]), len(items))
    raise ValueError(
        f"User {shown_id(users, user)} has rated item {shown_id(items, item)} more than once, at "
        f"positions {first} and {second}; {len(repeated)} of {len(pairs)} ratings repeat an "
        f"earlier pair of user and item. {advice}"
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


def merge_weighted(
    pairs: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray,
    timestamps: np.ndarray | None,
    duplicates: Duplicates,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Keep one rating of each pair as `merge`, and its weight.

    A mean is weighted, unless nothing weighs, and has the sum of the weights.
    """
    kept, latest, merged = merge(pairs, values, timestamps, duplicates)
    if duplicates == "last":
        return kept, latest, merged, weights[latest]
    _, numbers = np.unique(pairs, return_inverse=True)
    total = np.bincount(numbers, weights)
    # Shares, since sums of ratings might overflow.
    shares = np.divide(weights, total[numbers], out=np.zeros(len(weights)), where=weights > 0)
    means = np.bincount(numbers, shares * values)
    of_kept = numbers[kept]
    means, total = means[of_kept], total[of_kept]
    return kept, latest, np.where(total > 0, means, merged), total
