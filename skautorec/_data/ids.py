"""Vocabularies of user and item ids of any hashable type.

Ids connect objects that were built apart, so ids of different types stay different: ``1``,
``True``, ``1.0`` and ``"1"`` are four ids. Python's own hash calls the first three equal; `_key`
does not.
"""

from __future__ import annotations

import datetime
import json
import numbers
import sys
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import count, repeat
from typing import Any
from uuid import UUID

import numpy as np

from .._core.messages import see

__all__ = [
    "Ids",
    "as_id_array",
    "factorize",
    "factorize_coded",
    "is_wide",
    "merge_ids",
    "plain",
    "same_type",
    "share_a_type",
]

_NATIVE_KINDS = "biufcmMU"
_NOT_SAVED = (
    "ids can be saved without pickle when they are int, float, str, bytes, bool, datetime64, UUID "
    "or tuples of these; use pickle or joblib instead. "
    + see("guide/running.html#files-and-whom-to-trust")
)
# Most characters of the JSON of an id in a file.
_LONGEST = 2**16
# Types whose values have one natural order, in which a vocabulary is then kept.
_SORTABLE = (str, bytes, int, float, tuple, UUID, datetime.date)

_EPOCH = datetime.datetime(1970, 1, 1)
_EPOCH_UTC = _EPOCH.replace(tzinfo=datetime.UTC)
_SECONDS = {"W": 604_800, "D": 86_400, "h": 3_600, "m": 60}
_ATTOSECONDS = {unit: seconds * 10**18 for unit, seconds in _SECONDS.items()}
_ATTOSECONDS |= {
    unit: 1000 ** (6 - power)
    for power, unit in enumerate(("s", "ms", "us", "ns", "ps", "fs", "as"))
}


class Ids:
    """An ordered vocabulary of distinct ids; it never changes.

    Numpy scalars are the ids their Python counterparts are, and every form of a date (datetime64 of
    any unit, `datetime.datetime`, `datetime.date`, `pandas.Timestamp`) is the same id.

    Parameters
    ----------
    array : array-like of shape (n_ids,)
        Distinct hashable ids, none of them missing.

    Attributes
    ----------
    array : ndarray of shape (n_ids,)
        The ids as given, read-only.

    Raises
    ------
    ValueError
        An id is given twice, or is missing (None, NaN, NaT).
    TypeError
        An id is not hashable.
    """

    array: np.ndarray

    def __init__(self, array: Any) -> None:
        # A copy: the caller may go on writing to what was given.
        self._set(np.array(as_id_array(array)))
        _refuse_missing(self.array, "ids")
        if not self._is_ascending and len(self._lookup()) < len(self):
            _raise_repeated(self.array)

    def _set(self, array: np.ndarray) -> None:
        array.setflags(write=False)
        self.array = array
        is_integer = array.dtype.kind in "iu"
        self._is_ascending = is_integer and bool((array[1:] > array[:-1]).all())
        self._is_range = self._is_ascending and _spans(array, 0, len(array) - 1)
        self._order: np.ndarray | None = None
        self._codes_by_key: dict[Hashable, int] | None = None

    @classmethod
    def _trusted(cls, array: np.ndarray) -> Ids:
        """Wrap an array of our own whose ids are known to be distinct."""
        ids = cls.__new__(cls)
        ids._set(array)
        return ids

    @classmethod
    def range(cls, n: int) -> Ids:
        """Ids 0..n-1."""
        return cls._trusted(np.arange(n, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.array)

    def __repr__(self) -> str:
        return f"<Ids: {len(self):,} ids of dtype {self.array.dtype}>"

    def __copy__(self) -> Ids:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Ids:
        # Nothing in it changes, and a shared vocabulary makes `translate` free.
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {"array": self.array}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set(state["array"])

    def extended(self, array: np.ndarray) -> Ids:
        """Return them with others behind, which are none of them."""
        dtypes = self.array.dtype, array.dtype
        if dtypes[0] == dtypes[1] or (dtypes[0].kind == dtypes[1].kind and dtypes[0].kind in "iU"):
            return Ids._trusted(np.concatenate((self.array, array)))
        return Ids._trusted(_object_array([plain(id) for id in (*self.array, *array)]))

    def code(self, id: Any) -> int:
        """Position of one id, -1 if it is unknown.

        Raises
        ------
        TypeError
            The id is not hashable.
        """
        key = _key(id)
        _refuse_unhashable(id, key)
        if self._is_range:
            return key if type(key) is int and 0 <= key < len(self) else -1
        return self._lookup().get(key, -1)

    def codes(self, ids: Any) -> np.ndarray:
        """Positions of many ids as int64, -1 where unknown.

        Raises
        ------
        TypeError
            An id is not hashable.
        """
        array = as_id_array(ids)
        integers, known = _int64(array), _int64(self.array)
        if integers is not None and known is not None:
            return self._integer_codes(known, integers)
        keys = _keys(array)
        found = map(self._lookup().get, keys, repeat(-1))
        return np.fromiter(found, dtype=np.int64, count=len(keys))

    def translate(self, other: Ids) -> np.ndarray:
        """Code here of each id of ``other``, -1 where unknown; free when they share their array."""
        if other is self or other.array is self.array:
            return np.arange(len(self), dtype=np.int64)
        return self.codes(other.array)

    def _integer_codes(self, known: np.ndarray, ids: np.ndarray) -> np.ndarray:
        if self._is_range:
            return np.where((ids >= 0) & (ids < len(known)), ids, -1)
        if not len(known):
            return np.full(len(ids), -1)
        if not self._is_ascending and self._order is None:
            self._order = np.argsort(known)
        codes = np.searchsorted(known, ids, sorter=self._order)
        codes = np.minimum(codes, len(known) - 1)
        if self._order is not None:
            codes = self._order[codes]
        return np.where(known[codes] == ids, codes, -1)

    def _lookup(self) -> dict[Hashable, int]:
        if self._codes_by_key is None:
            keys = _keys(self.array)
            self._codes_by_key = dict(zip(keys, range(len(keys)), strict=True))
        return self._codes_by_key

    def to_arrays(self, name: str) -> dict[str, np.ndarray]:
        """Array of the ids or, of Python objects, of their JSON, an id a line; by name.

        Raises
        ------
        TypeError
            An id is neither int, float, str, bytes, bool, datetime64, UUID nor a tuple of these.
        ValueError
            The JSON of an id is longer than 65,536 characters.
        """
        if self.array.dtype.kind in "biuMU" or _is_double(self.array.dtype):
            return {name: self.array}
        lines = [json.dumps(_encode(id)) for id in self.array]
        if max(map(len, lines), default=0) > _LONGEST:
            raise ValueError(f"An id is longer than the {_LONGEST} characters that can be saved.")
        return {f"{name}.json": np.frombuffer("\n".join(lines).encode(), np.uint8)}

    @classmethod
    def from_arrays(cls, name: str, arrays: dict[str, np.ndarray]) -> Ids:
        """Ids that `to_arrays` gave, taken from arrays that anybody may have made.

        Raises an error of one of many types where they are no ids.
        """
        if name in arrays:
            array = arrays.pop(name)
            if array.dtype.kind == "U" and (array.view(np.uint32) > sys.maxunicode).any():
                raise ValueError(f"{name} holds what is no character")
            if array.dtype.kind == "b" and (array.view(np.uint8) > 1).any():
                raise ValueError(f"{name} holds what is neither true nor false")
            return cls(array)
        lines = arrays.pop(f"{name}.json").tobytes().splitlines()
        if max(map(len, lines), default=0) > _LONGEST:
            raise ValueError(f"an id in {name} is too long")
        return cls(_object_array([_decode(json.loads(line)) for line in lines]))


def as_id_array(ids: Any) -> np.ndarray:
    """Read ids into a one-dimensional array that coerces none of them.

    Parameters
    ----------
    ids : array-like of shape (n_ids,)
        A sequence, an array, a pandas index or a series of any library narwhals knows.

    Returns
    -------
    array : ndarray of shape (n_ids,)
        Of a native dtype where ids have one, else of objects: ``[1, "1"]`` stays an int and a str.

    Raises
    ------
    ValueError
        ``ids`` is not one-dimensional.
    TypeError
        ``ids`` is a single id or has no order, as a set has none.
    """
    if isinstance(ids, str | bytes | set | frozenset | Mapping) or not isinstance(ids, Iterable):
        raise TypeError(
            f"A sequence of ids is needed, such as a list, an array or a series; got "
            f"{type(ids).__name__}."
        )
    shape = getattr(ids, "shape", (0,))
    if len(shape) != 1:
        raise ValueError(
            f"Ids must be one-dimensional, one per user or item; got shape {tuple(shape)}."
        )
    if isinstance(ids, np.ma.MaskedArray):
        is_masked, ids = np.ma.getmaskarray(ids), ids.data.astype(object)
        ids[is_masked] = None
    if isinstance(ids, np.ndarray):
        return _plain(ids)
    array = _from_series(ids)
    return _from_list(list(ids)) if array is None else array


def plain(identifier: Any) -> Any:
    """Return an id as in the user's table, for messages: 7, not np.int64(7)."""
    # As Python's, a time in nanoseconds would be a number.
    is_time = isinstance(identifier, np.datetime64 | np.timedelta64)
    return identifier.item() if isinstance(identifier, np.generic) and not is_time else identifier


def same_type(first: Any, second: Any) -> bool:
    """Whether two ids are of one type, as far as ids are told apart by it."""
    return _type(first) == _type(second)


def share_a_type(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether an id of one array is of the type of an id of the other."""
    # All that is in an array of numbers or texts is of its type.
    types = [set(map(_type, ids if ids.dtype == object else ids[:1])) for ids in (first, second)]
    return bool(types[0] & types[1])


def _type(id: Any) -> type:
    key = _key(id)
    return key[0] if isinstance(key, tuple) else type(key)


def factorize(ids: Any, name: str = "ids") -> tuple[np.ndarray, Ids]:
    """Split ids into codes and the vocabulary they point into.

    Parameters
    ----------
    ids : array-like of shape (n,)
        Hashable ids, none of them missing.
    name : str
        What an error message calls them.

    Returns
    -------
    codes : ndarray of shape (n,)
        int32 where that is enough, else int64.
    vocabulary : Ids
        Sorted where all ids are of one sortable type, else in the order of first appearance.

    Raises
    ------
    ValueError
        An id is missing (None, NaN, NaT).
    TypeError
        An id is not hashable.
    """
    array = as_id_array(ids)
    if array.dtype.kind in "UO":
        codes, vocabulary = _factorize_keys(array, name)
    else:
        _refuse_missing(array, name)
        codes, vocabulary = _factorize_native(array)
    return _smallest(codes, vocabulary), Ids._trusted(vocabulary)


def factorize_coded(codes: np.ndarray, categories: Any) -> tuple[np.ndarray, Ids] | None:
    """Do the same for a column that brings its codes, in the time that its codes take.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Positions in ``categories``; negative where an id is missing.
    categories : array-like of shape (n_categories,)
        Ids, perhaps more than the column holds.

    Returns
    -------
    tuple of (ndarray, Ids) or None
        As `factorize` of the column itself; None where that has to read it, as an id is missing or
        stands in ``categories`` twice.
    """
    known = as_id_array(categories)
    if len(codes) == 0 or codes.min() < 0:
        return None
    keys = _keys(known)
    if None in keys or len(set(keys)) < len(keys):
        return None
    counts = np.bincount(codes, minlength=len(known))
    used = np.flatnonzero(counts)
    order = _natural_order(known[used])
    if order is None:
        first = np.empty(len(known), dtype=np.int64)
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        order = np.argsort(first[used])
    ranks = np.empty(len(known), dtype=np.int64)
    ranks[used[order]] = np.arange(len(used))
    vocabulary = known[used[order]]
    return _smallest(ranks, vocabulary)[codes], Ids._trusted(vocabulary)


def merge_ids(vocabularies: Sequence[Ids]) -> tuple[Ids, list[np.ndarray]]:
    """All ids of several vocabularies, each once; and the codes there of the ids of each.

    Vocabularies that hold the same ids in the same order stay as they are, and others are in the
    order of `factorize`.
    """
    first = vocabularies[0]
    in_order = np.arange(len(first))
    translated = [first.translate(other) for other in vocabularies]
    if all(np.array_equal(codes, in_order) for codes in translated):
        return first, translated
    codes, merged = factorize(_joined([vocabulary.array for vocabulary in vocabularies]))
    ends = np.cumsum([len(vocabulary) for vocabulary in vocabularies])
    return merged, np.split(codes, ends[:-1])


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    """Arrays of ids one after the other; of objects where they have no dtype in common."""
    if len({array.dtype for array in arrays}) == 1:
        return np.concatenate(arrays)
    # As Python's objects where there are exact ones, so that ids of one type are seen to be.
    parts = [
        array.tolist() if array.dtype.kind in "biuUO" or _is_double(array.dtype) else list(array)
        for array in arrays
    ]
    return _from_list([id for part in parts for id in part])


def _smallest(codes: np.ndarray, vocabulary: np.ndarray) -> np.ndarray:
    """Codes in int32 where that is enough."""
    is_enough = len(vocabulary) <= np.iinfo(np.int32).max
    return codes.astype(np.int32 if is_enough else np.int64, copy=False)


def _factorize_native(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    integers = _int64(array)
    if integers is not None and len(integers):
        low, high = int(integers.min()), int(integers.max())
        # Counting beats sorting ten times, as long as the table of counts is not larger than ids.
        if high - low < 4 * len(integers):
            positions = integers - low
            is_present = np.zeros(high - low + 1, dtype=bool)
            is_present[positions] = True
            codes = (np.cumsum(is_present) - 1)[positions]
            return codes, (np.flatnonzero(is_present) + low).astype(array.dtype)
    vocabulary, codes = np.unique(array, return_inverse=True)
    return codes, vocabulary


def _factorize_keys(array: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    keys = _keys(array)
    # A key that is new gets the next code, so that each is looked up once.
    codes_by_key: defaultdict[Hashable, int] = defaultdict(count().__next__)
    codes = np.fromiter(map(codes_by_key.__getitem__, keys), dtype=np.int64, count=len(keys))
    if None in codes_by_key:
        _refuse_missing(array, name)
    first = np.empty(len(codes_by_key), dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    vocabulary = array[first]
    order = _natural_order(vocabulary)
    if order is None:
        return codes, vocabulary
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[codes], vocabulary[order]


def _natural_order(vocabulary: np.ndarray) -> np.ndarray | None:
    """Order of ids that have one; None where they are of several types or of one without order."""
    if vocabulary.dtype.kind not in "UO":
        return np.argsort(vocabulary, kind="stable")
    ids = vocabulary.tolist()
    kinds = set(map(type, ids))
    if len(kinds) != 1 or not issubclass(kinds.pop(), _SORTABLE):
        return None
    try:
        return np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)
    except TypeError:
        # Tuples of several types, or times with and without a zone.
        return None


def _key(id: Any) -> Any:
    """What tells ids apart: equal for equal ids of one type only; None for a missing id."""
    kind = type(id)
    if kind is str or kind is int:
        return id
    if id is None or kind.__name__ == "NAType":
        return None
    if isinstance(id, tuple):
        return kind, tuple(map(_key, id))
    if isinstance(id, np.datetime64 | datetime.date):
        return _date_key(id)
    if isinstance(id, np.generic):
        plain = id.item()
        # Durations and long doubles have no exact Python counterpart.
        if type(plain) in (str, int, bool, float, complex, bytes) and not _is_duration(id):
            return _key(plain)
        kind = type(id)
    if isinstance(id, numbers.Number | np.timedelta64) and _is_nan(id):
        return None
    return kind, id


def _is_nan(id: Any) -> bool:
    return bool(id != id)


def _is_duration(id: Any) -> bool:
    # numpy calls timedelta64 a signed integer.
    return isinstance(id, np.timedelta64)


def _date_key(id: Any) -> Hashable:
    """Attoseconds since 1970, so that the unit does not matter."""
    if _is_nan(id):
        return None
    if isinstance(id, np.datetime64):
        unit, count = np.datetime_data(id.dtype)
        if unit in ("Y", "M"):
            id, unit, count = id.astype("M8[D]"), "D", 1
        return np.datetime64, int(id.astype(np.int64)) * count * _ATTOSECONDS[unit]
    if not isinstance(id, datetime.datetime):
        id = datetime.datetime(id.year, id.month, id.day)
    is_zoned = id.utcoffset() is not None
    since = id - (_EPOCH_UTC if is_zoned else _EPOCH)
    microseconds = (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds
    # Only a pandas.Timestamp has nanoseconds.
    nanoseconds = microseconds * 1000 + getattr(since, "nanoseconds", 0)
    return "with zone" if is_zoned else np.datetime64, nanoseconds * 10**9


def _keys(array: np.ndarray) -> list[Any]:
    """Keys of ids that are all hashable."""
    ids = array.tolist() if array.dtype.kind in "iuUO" else list(array)
    if set(map(type, ids)) <= {str, int}:
        return ids
    keys = [_key(id) for id in ids]
    try:
        deque(map(hash, keys), maxlen=0)
    except TypeError:
        for id, key in zip(ids, keys, strict=True):
            _refuse_unhashable(id, key)
        raise
    return keys


def _refuse_unhashable(id: Any, key: Any) -> None:
    try:
        hash(key)
    except TypeError:
        raise TypeError(
            f"Ids must be hashable, such as int, str or tuple; got {id!r} ({type(id).__name__})."
        ) from None


def _refuse_missing(array: np.ndarray, name: str) -> None:
    kind = array.dtype.kind
    if kind in "fc":
        missing = np.isnan(array)
    elif kind in "mM":
        missing = np.isnat(array)
    elif kind == "O":
        missing = np.array([key is None for key in _keys(array)], dtype=bool)
    else:
        return
    positions = np.flatnonzero(missing)
    if len(positions):
        raise ValueError(
            f"{name}: the id at position {positions[0]} is missing ({array[positions[0]]!r}), "
            f"{len(positions)} of {len(array)} are. Leave those out or give them an id."
        )


def _raise_repeated(array: np.ndarray) -> None:
    positions: dict[Any, int] = {}
    for position, key in enumerate(_keys(array)):
        first = positions.setdefault(key, position)
        if first != position:
            raise ValueError(
                f"The id {array[position]!r} is given more than once, at positions {first} and "
                f"{position}. Ids must be distinct: leave one out or rename it."
            )


def _plain(array: np.ndarray) -> np.ndarray:
    """Array in the machine's byte order, of a dtype `Ids` keeps."""
    array = np.asarray(array)
    if array.dtype.kind == "O":
        return array
    if array.dtype.kind not in _NATIVE_KINDS:
        return _object_array(array.tolist())
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def is_wide(dtype: Any) -> bool:
    """Whether a type of a column is one of integers of 128 bits, which polars has and not numpy."""
    return str(dtype) in ("Int128", "UInt128")


def _from_series(ids: Any) -> np.ndarray | None:
    """Array of a pandas, polars, pyarrow or narwhals object, None for what is no array."""
    if not hasattr(ids, "to_numpy"):
        return _plain(np.asarray(ids)) if hasattr(ids, "__array__") else None
    is_arrow = type(ids).__module__.startswith("pyarrow")
    if is_arrow and str(ids.type).startswith("dictionary"):
        # pyarrow takes the missing of these for the next one.
        ids = ids.cast(ids.type.value_type)
    dtype = getattr(ids, "dtype", getattr(ids, "type", None))
    if is_wide(dtype):
        return _from_list(ids.to_list())
    zone = getattr(dtype, "time_zone", getattr(dtype, "tz", None))
    # And its plain arrays refuse to copy unless they are told that they may.
    array = ids.to_numpy(zero_copy_only=False) if is_arrow else ids.to_numpy()
    if zone is not None and array.dtype.kind == "M":
        # Only the values themselves still know their time zone.
        return _object_array(ids.to_pylist() if is_arrow else ids.to_list())
    return _plain(array)


def _from_list(ids: list[Any]) -> np.ndarray:
    kinds = set(map(type, ids))
    if kinds and all(_is_integer(kind) for kind in kinds):
        try:
            return np.array(ids, dtype=np.int64)
        except OverflowError:
            return _object_array([int(id) for id in ids])
    if kinds and kinds <= {bool, np.bool_}:
        return np.array(ids, dtype=bool)
    return _object_array(ids)


def _is_integer(kind: type) -> bool:
    return kind is int or (issubclass(kind, np.integer) and not issubclass(kind, np.timedelta64))


def _object_array(ids: list[Any]) -> np.ndarray:
    # np.array would make a table of tuples and text of numbers.
    return np.fromiter(ids, dtype=object, count=len(ids))


def _spans(array: np.ndarray, first: int, last: int) -> bool:
    return len(array) == 0 or (int(array[0]) == first and int(array[-1]) == last)


def _int64(array: np.ndarray) -> np.ndarray | None:
    """Integers as int64 without loss, None if they are none or do not fit."""
    if array.dtype.kind not in "iu":
        return None
    if array.dtype == np.uint64 and len(array) and array.max() > np.iinfo(np.int64).max:
        return None
    return array.astype(np.int64, copy=False)


def _is_double(dtype: np.dtype[Any]) -> bool:
    """Whether numbers of the dtype are Python floats without loss."""
    return dtype.kind == "f" and dtype.itemsize <= 8


def _encode(id: Any) -> Any:
    """JSON for one id of an object array: plain or in a dict with its type as key."""
    kind = type(id)
    if kind in (str, int, bool, float):
        return id
    if kind is bytes:
        return {"bytes": id.hex()}
    if kind is UUID:
        return {"uuid": id.hex}
    if kind is tuple:
        return {"tuple": [_encode(part) for part in id]}
    if isinstance(id, np.bytes_):
        return {"numpy bytes": id.hex()}
    if isinstance(id, np.str_):
        return {"numpy str": str(id)}
    if isinstance(id, np.datetime64):
        return {"numpy": [id.dtype.str, int(id.astype(np.int64))]}
    is_number = isinstance(id, np.generic) and isinstance(id.item(), int | float)
    if is_number and not _is_duration(id):
        return {"numpy": [id.dtype.str, id.item()]}
    raise TypeError(f"An id of type {kind.__module__}.{kind.__qualname__}: {_NOT_SAVED}.")


def _decode(content: Any) -> Any:
    if not isinstance(content, dict):
        return content
    (kind, value), *_ = content.items()
    if kind == "tuple":
        return tuple(_decode(part) for part in value)
    if kind == "numpy":
        dtype = np.dtype(value[0])
        if dtype.kind not in "biufM":
            raise ValueError(f"{dtype} is no type of an id")
        stored = np.array([value[1]], dtype=np.int64 if dtype.kind == "M" else dtype)
        return stored.astype(dtype)[0]
    readers: dict[str, Callable[[str], Any]] = {
        "bytes": bytes.fromhex,
        "uuid": UUID,
        "numpy bytes": lambda text: np.bytes_(bytes.fromhex(text)),
        "numpy str": np.str_,
    }
    return readers[kind](value)
