"""Ids of any type come back as given and are never mistaken for one another."""

import copy
import datetime
import enum
import pickle
import time
import uuid
from collections import namedtuple

import narwhals.stable.v1 as nw
import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest

from skautorec import Ratings
from skautorec._data import ids as ids_module
from skautorec._data.frames import read_ids
from skautorec._data.ids import Ids, as_id_array, factorize

UTC = datetime.UTC
UUIDS = [uuid.UUID(int=n) for n in (3, 1, 2)]
Pair = namedtuple("Pair", "a b")


class Color(enum.StrEnum):
    RED = "red"


# All of these hash or compare alike for Python or numpy, in part; no two are the same id.
LOOKALIKES = [
    1, True, 1.0, "1", b"1", (1,), (True,), ((1,),), ("1",), 0, False, 2**70, -(2**70), "red",
    Color.RED, np.timedelta64(1, "s"), np.datetime64(1, "s"), (int, 1), (bool, True), Pair(1, 2),
    (1, 2), UUIDS[0], frozenset({1}), 1j, datetime.datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC),
    datetime.datetime(1970, 1, 1, 0, 0, 2),
]  # fmt: skip


def test_lookalikes_stay_apart():
    ids = Ids(LOOKALIKES)
    assert [ids.code(id) for id in LOOKALIKES] == list(range(len(LOOKALIKES)))
    codes, vocabulary = factorize(LOOKALIKES)
    assert len(vocabulary) == len(LOOKALIKES)
    assert codes.tolist() == list(range(len(LOOKALIKES)))


@pytest.mark.parametrize(
    ("known", "same"),
    [
        (5, np.int64(5)),
        (5, np.uint8(5)),
        (np.int32(5), 5),
        ("a", np.str_("a")),
        (b"a", np.bytes_(b"a")),
        (True, np.bool_(True)),
        (1.5, np.float32(1.5)),
        ((1, ("a",)), (np.int64(1), (np.str_("a"),))),
        (np.datetime64("2020-01-01"), np.datetime64("2020-01-01T00:00", "ns")),
        (np.datetime64("2020-01", "M"), np.datetime64("2020-01-01", "10m")),
        (
            np.datetime64("2020-01-01T05:06:07.123456"),
            datetime.datetime(2020, 1, 1, 5, 6, 7, 123456),
        ),
        (np.datetime64("1812-06-24"), datetime.date(1812, 6, 24)),
        (
            datetime.datetime(2020, 1, 1, 2, tzinfo=UTC),
            datetime.datetime(2020, 1, 1, 3, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
        ),
    ],
)
@pytest.mark.parametrize("container", [lambda id: [id], lambda id: as_id_array([id, "other"])])
def test_numpy_scalars_and_dates_are_their_python_counterparts(known, same, container):
    ids = Ids(container(known))
    assert ids.code(same) == ids.code(known) == 0
    assert ids.codes([same, known, "x"]).tolist() == [0, 0, -1]


def test_a_timestamp_finds_the_date_of_a_frame_to_the_nanosecond():
    pd = pytest.importorskip("pandas")
    column = pd.Series(
        pd.to_datetime(["2020-01-01T00:00:00.000000001", "1999-01-01"], format="ISO8601")
    )
    _, ids = factorize(column)
    assert ids.array.dtype.kind == "M"
    assert [ids.code(stamp) for stamp in column] == [1, 0]
    assert ids.code(pd.Timestamp("2020-01-01")) == -1
    assert ids.code(pd.NaT) == ids.code(pd.NA) == -1
    zoned = column.dt.tz_localize("Europe/Berlin")
    assert Ids(zoned).codes(zoned.dt.tz_convert("UTC")).tolist() == [0, 1]
    assert ids.codes(zoned).tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ([1, "1"], "O"),
        (["a", "b"], "O"),
        ([(1, 2), (3, 4)], "O"),
        ([(1, 2), (3,)], "O"),
        ([True, 1], "O"),
        ([1, 2.0], "O"),
        ([2**64, 1], "O"),
        ([2**63, -1], "O"),
        ([3, np.int8(1)], "i"),
        ([np.timedelta64(1, "s"), np.timedelta64(2, "s")], "O"),
        ([True, False], "b"),
        (range(3), "i"),
        (np.array(["b", "a"]), "U"),
        (np.array([b"b", b"a"]), "O"),
        (np.array(["2020"], dtype="M8[Y]"), "M"),
        (np.array([3, 1], dtype=">u2"), "u"),
        ([], "O"),
    ],
)
def test_id_arrays_coerce_nothing(given, kind):
    array = as_id_array(given)
    assert array.ndim == 1 and array.dtype.kind == kind and array.dtype.isnative
    expected = given.tolist() if isinstance(given, np.ndarray) else list(given)
    assert array.tolist() == expected
    if kind == "O":
        assert list(map(type, array)) == list(map(type, expected))


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("ids", [["b", "a"], [2, 1], [True, False], [b"b", b"a"]])
def test_series_of_every_library(library, ids):
    module = pytest.importorskip(library)
    nw = pytest.importorskip("narwhals")
    series = module.chunked_array([ids]) if library == "pyarrow" else module.Series(ids)
    for given in (series, nw.from_native(series, series_only=True)):
        array = as_id_array(given)
        assert array.tolist() == ids and isinstance(array, np.ndarray)
    assert as_id_array(series).dtype.kind == (
        "O" if isinstance(ids[0], str | bytes) else "ib"[ids[0] is True]
    )


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_times_keep_their_zone(library):
    module = pytest.importorskip(library)
    times = [datetime.datetime(2020, 1, 1, tzinfo=UTC)]
    series = module.array(times) if library == "pyarrow" else module.Series(times)
    assert Ids(series).code(times[0]) == 0
    assert Ids(series).code(times[0].replace(tzinfo=None)) == -1


def test_index_of_pandas():
    pd = pytest.importorskip("pandas")
    assert as_id_array(pd.MultiIndex.from_tuples([(1, "a"), (2, "b")])).tolist() == [
        (1, "a"),
        (2, "b"),
    ]
    assert as_id_array(pd.RangeIndex(3)).dtype == np.int64
    assert as_id_array(pd.Categorical(["b", "a"])).tolist() == ["b", "a"]


@pytest.mark.parametrize(
    ("given", "exception", "message"),
    [
        ("abc", TypeError, "sequence of ids"),
        (b"abc", TypeError, "sequence of ids"),
        (7, TypeError, "got int"),
        ({1, 2}, TypeError, "got set"),
        (np.zeros((2, 2)), ValueError, r"\(2, 2\)"),
        (np.array(3), ValueError, r"shape \(\)"),
    ],
)
def test_what_is_no_sequence_of_ids(given, exception, message):
    with pytest.raises(exception, match=message):
        as_id_array(given)


def test_frames_are_no_sequences_of_ids():
    pd = pytest.importorskip("pandas")
    with pytest.raises((TypeError, ValueError), match=r"ids|Ids"):
        as_id_array(pd.DataFrame({"a": [1]}))


@pytest.mark.parametrize(
    ("ids", "vocabulary"),
    [
        (["b", "a", "b"], ["a", "b"]),
        ([5, -3, 5], [-3, 5]),
        ([2**62, -(2**62), 2**62], [-(2**62), 2**62]),
        (np.array([2**64 - 1, 0, 0], dtype=np.uint64), [0, 2**64 - 1]),
        (np.array([-128, 127, -128], dtype=np.int8), [-128, 127]),
        ([2**70, 3, 2**70], [3, 2**70]),
        ([True, False, True], [False, True]),
        (UUIDS, sorted(UUIDS)),
        ([(2, "a"), (1, "b")], [(1, "b"), (2, "a")]),
        ([(2, "a"), ("a", 2), (1, "a")], [(2, "a"), ("a", 2), (1, "a")]),
        (["b", 1, "b", "a"], ["b", 1, "a"]),
        (np.array(["b", "a", "b"]), ["a", "b"]),
        (
            np.array(["2021", "2020"], dtype="M8[Y]"),
            [datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)],
        ),
        ([], []),
    ],
)
def test_factorize(ids, vocabulary):
    codes, known = factorize(ids)
    assert known.array.tolist() == vocabulary
    assert codes.dtype == np.int32
    given = as_id_array(ids)
    np.testing.assert_array_equal(known.array[codes], given)
    np.testing.assert_array_equal(known.codes(ids), codes)
    assert known.array.dtype == given.dtype


@pytest.mark.parametrize(
    "missing", [None, np.nan, float("nan"), np.float32("nan"), np.datetime64("NaT", "ns")]
)
def test_missing_ids_are_refused(missing):
    with pytest.raises(ValueError, match=r"column 'u'.*position 2"):
        factorize(["a", 1, missing, missing], "column 'u'")
    with pytest.raises(ValueError, match="position 1"):
        Ids(["a", missing])
    assert Ids(["a"]).code(missing) == -1


@pytest.mark.parametrize(
    "ids",
    [np.array([1.0, np.nan]), np.array(["2020", "NaT"], "M8[D]"), np.ma.array([1, 2], mask=[0, 1])],
)
def test_missing_ids_of_an_array_are_refused(ids):
    for call in (Ids, factorize):
        with pytest.raises(ValueError, match="position 1"):
            call(ids)


def test_nan_inside_a_tuple_is_found_again():
    assert Ids([("a", float("nan"))]).code(("a", float("nan"))) == 0


@pytest.mark.parametrize(
    "ids", [[3, 1, 3], ["a", "b", "a"], [1, "a", np.int64(1)], [2.0, 1.0, 2.0]]
)
def test_repeated_ids_are_refused(ids):
    with pytest.raises(ValueError, match="more than once, at positions 0 and 2"):
        Ids(ids)


@pytest.mark.parametrize("known", [[0, 1, 2], [7, 3], ["a"], []])
@pytest.mark.parametrize("unhashable", [[1], {"a": 1}, (1, [2])])
def test_unhashable_ids_say_so(known, unhashable):
    ids = Ids(known)
    with pytest.raises(TypeError, match="hashable"):
        ids.code(unhashable)
    with pytest.raises(TypeError, match="hashable"):
        ids.codes([unhashable, "b"])
    with pytest.raises(TypeError, match="hashable"):
        factorize(["a", unhashable])


@pytest.mark.parametrize(
    "known",
    [
        np.arange(6),
        np.arange(6, dtype=np.uint8),
        np.array([4, 2, 0, 1]),
        np.array([-5, 2, 2**62]),
        np.array([2**64 - 1, 2], dtype=np.uint64),
        np.array([], dtype=np.int64),
    ],
)
@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.int8, object])
def test_integer_codes_match_plain_look_ups(known, dtype):
    wanted = np.array([0, 2, 5, 6, 127], dtype=dtype)
    known_list = known.tolist()
    expected = [known_list.index(id) if id in known_list else -1 for id in wanted.tolist()]
    ids = Ids(known)
    codes = ids.codes(wanted)
    assert codes.dtype == np.int64 and codes.tolist() == expected
    assert [ids.code(id) for id in wanted] == expected
    assert ids.code(-1) == -1 and ids.code(True) == -1 and ids.code("2") == -1


def test_no_integer_is_found_by_rounding():
    ids = Ids(np.array([2**53, 2**53 + 1]))
    assert ids.codes(np.array([2**53 + 1, 2**64 - 1], dtype=np.uint64)).tolist() == [1, -1]
    assert ids.codes([2**53 + 1, 2**200]).tolist() == [1, -1]


@pytest.mark.parametrize("ids", [[3, 1, 2], ["a", 1, (2,)]])
def test_translate(ids):
    known = Ids(ids)
    assert known.translate(Ids([ids[1], "x", ids[0]])).tolist() == [1, -1, 0]
    assert known.translate(known).tolist() == [0, 1, 2]


def test_translating_a_shared_vocabulary_looks_nothing_up(monkeypatch):
    known = Ids(["a", "b"])
    monkeypatch.setattr(Ids, "codes", None)
    assert known.translate(known).tolist() == [0, 1]
    assert known.translate(copy.deepcopy(known)).tolist() == [0, 1]


def test_range():
    ids = Ids.range(4)
    assert len(ids) == 4 and ids.array.tolist() == [0, 1, 2, 3] and ids.array.dtype == np.int64
    assert len(Ids.range(0)) == 0 and Ids.range(0).code(0) == -1


def test_ids_neither_change_nor_freeze_what_they_were_given():
    given = np.array([1, 2])
    ids = Ids(given)
    given[0] = 9
    assert ids.array.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        ids.array[0] = 5


@pytest.mark.parametrize("ids", [[3, 1], LOOKALIKES])
def test_pickle(ids):
    known = Ids(ids)
    known.code(3)
    assert set(known.__getstate__()) == {"array"}
    loaded = pickle.loads(pickle.dumps(known))
    assert [loaded.code(id) for id in ids] == list(range(len(ids)))
    with pytest.raises(ValueError, match="read-only"):
        loaded.array[0] = 5


@pytest.mark.parametrize("ids", [[3, 1], ["a", "b"], ["a", 1, (2, "b")]])
def test_skops(ids):
    sio = pytest.importorskip("skops.io")
    loaded = sio.loads(sio.dumps(Ids(ids)), trusted=["skautorec._data.ids.Ids"])
    assert [loaded.code(id) for id in ids] == list(range(len(ids)))


@pytest.mark.parametrize(
    "ids",
    [
        [3, 1],
        np.array([3, 1], dtype=np.uint16),
        np.array([2**64 - 1], dtype=np.uint64),
        [True, False],
        np.array(["ä", "b\ud800"]),
        np.array(["2020-01-01", "1969-01-01"], dtype="M8[10s]"),
        np.array([0.1, -1e300, np.inf]),
        np.array([0.1, 3.0], dtype=np.float32),
        [
            1, True, "1", b"1\xff", 2**70, "\ud800", "a\0", UUIDS[0],
            (1, (True, "1", b"1", UUIDS[1])),
            np.int64(7), np.uint64(2**64 - 1), np.bool_(False), np.str_("s"), np.bytes_(b"s"),
            1.5, np.float64(0.1), np.float16(2.5),
            np.datetime64("2020-01-01", "ns"), (np.datetime64(5, "W"), np.int8(3)), (),
        ],
        [],
    ],
)  # fmt: skip
def test_arrays_for_files_restore_values_types_and_dtype(ids):
    known = Ids(ids)
    arrays = {name: array.copy() for name, array in known.to_arrays("ids").items()}
    restored = Ids.from_arrays("ids", arrays)
    assert not arrays
    assert restored.array.dtype == known.array.dtype
    assert _typed(restored.array) == _typed(known.array)


def _typed(id):
    if isinstance(id, tuple | np.ndarray):
        return tuple(map(_typed, id))
    return type(id), getattr(id, "dtype", None), id


@pytest.mark.parametrize(
    ("id", "name"),
    [
        (frozenset({1}), "frozenset"),
        (1.5 + 2j, "complex"),
        (("a", None), "NoneType"),
        (Color.RED, "Color"),
        (Pair(1, 2), "Pair"),
        (np.longdouble(1.5), "longdouble"),
        (np.timedelta64(1, "s"), "timedelta64"),
        (datetime.datetime(2020, 1, 1), "datetime.datetime"),
    ],
)
@pytest.mark.parametrize("container", [lambda id: [id], lambda id: ["a", id]])
def test_arrays_for_files_refuse_other_types_by_name(id, name, container):
    with pytest.raises(TypeError, match=rf"{name}: .*UUID.*use pickle or joblib instead"):
        Ids(container(id)).to_arrays("ids")


def test_arrays_for_files_refuse_endless_ids():
    with pytest.raises(ValueError, match="longer than the 65536 characters"):
        Ids(["a", "b" * 70_000]).to_arrays("ids")


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("ids", np.array([2**31, 5], np.uint32).view("U1")),
        ("ids", np.array([1, 2], np.uint8).view(bool)),
        ("ids", np.array([3, 3])),
        ("ids", np.array([1.0, np.nan])),
        ("ids.json", '{"numpy": ["V1000000000000", 0]}'),
        ("ids.json", '{"numpy": ["O", 0]}'),
        ("ids.json", '{"other": 1}'),
        ("ids.json", "[1]"),
        ("ids.json", '{"tuple": 5}'),
        ("ids.json", "[" * 60_000),
        ("ids.json", '"' + "a" * 70_000 + '"'),
        ("ids.json", "null"),
        ("ids.json", "5\n5"),
        ("other", np.array([1])),
    ],
)
def test_arrays_that_are_no_ids_are_refused(name, array):
    if isinstance(array, str):
        array = np.frombuffer(array.encode(), np.uint8)
    with pytest.raises((KeyError, RecursionError, TypeError, ValueError)):
        Ids.from_arrays("ids", {name: array})


def test_a_million_ids_take_no_time():
    numbers = np.random.default_rng(0).integers(0, 100_000, 1_000_000)
    texts = [f"user-{number}" for number in numbers]
    start = time.process_time()
    factorize(numbers)
    factorize(texts)
    assert time.process_time() - start < 5  # 0.5 s on a quiet core


TEXTS = ["b", "a\0", "a", "zürich", "", "a", "b", "Zürich", "\N{GRINNING FACE}", "a", "1", "b"] * 3
COLUMNS = {
    "objects": lambda: pd.Series(TEXTS, dtype=object),
    "texts in objects": lambda: pd.Series(
        [text for text in TEXTS if "\0" not in text], dtype=object
    ),
    "texts of halves of characters": lambda: pd.Series(
        ["a", "\ud800", "\ud801", "a"], dtype=object
    ),
    "mixed objects": lambda: pd.Series([*LOOKALIKES, 1, "1", True, 1.0], dtype=object),
    "text in pandas": lambda: pd.Series(TEXTS, dtype="str"),
    "nullable text": lambda: pd.Series(TEXTS, dtype="string[pyarrow]"),
    "text in python": lambda: pd.Series(TEXTS, dtype="string[python]"),
    "categories": lambda: pd.Series(TEXTS, dtype="category"),
    "ordered categories": lambda: pd.Series(
        pd.Categorical(["lo", "hi", "lo", "mid"], ["lo", "mid", "never", "hi"], ordered=True)
    ),
    "categories of int": lambda: pd.Series([7, 3, 7, 5]).astype("category"),
    "categories of mixed types": lambda: pd.Series(
        pd.Categorical(["b", 1, "b", 2.5, "1"], ["1", 2.5, 1, "b"])
    ),
    "categories of dates": lambda: pd.Series(
        pd.to_datetime(["2021-01-01", "2020-01-01", "2021-01-01"])
    ).astype("category"),
    "text in polars": lambda: polars.Series(TEXTS),
    "categories in polars": lambda: polars.Series(TEXTS, dtype=polars.Categorical),
    "enum in polars": lambda: polars.Series(
        ["lo", "hi", "lo"], dtype=polars.Enum(["hi", "mid", "lo"])
    ),
    "numbers in polars": lambda: polars.Series([3, 1, 3]),
    "text in arrow": lambda: pyarrow.chunked_array([TEXTS[:4], TEXTS[4:]]),
    "dictionaries in arrow": lambda: pyarrow.chunked_array(
        [pyarrow.array(TEXTS[:9]).dictionary_encode(), pyarrow.array(TEXTS[9:]).dictionary_encode()]
    ),
    "a dictionary that repeats itself": lambda: pyarrow.chunked_array(
        [pyarrow.DictionaryArray.from_arrays([0, 1, 2, 1], ["a", "b", "a"])]
    ),
    "a dictionary of numbers": lambda: pyarrow.chunked_array(
        [pyarrow.array([7, 3, 7]).dictionary_encode()]
    ),
    "an ordered dictionary": lambda: pyarrow.chunked_array(
        [pyarrow.DictionaryArray.from_arrays([1, 0, 1], ["a", "b"], ordered=True)]
    ),
    "a dictionary of times with a zone": lambda: pyarrow.chunked_array(
        [
            pyarrow.array(
                [datetime.datetime(2020, 1, day, tzinfo=UTC) for day in (2, 1, 2)]
            ).dictionary_encode()
        ]
    ),
    "categories of polars in arrow": lambda: (
        polars.Series(TEXTS, dtype=polars.Categorical).to_frame("x").to_arrow()["x"]
    ),
    "dictionaries that are too large together for the type of their codes": lambda: (
        pyarrow.chunked_array(
            pyarrow.DictionaryArray.from_arrays(
                pyarrow.array(range(100), pyarrow.int8()), [f"{side}{n}" for n in range(100)]
            )
            for side in "ab"
        )
    ),
    "nullable text in arrow's dictionaries": lambda: pd.Series(
        pd.arrays.ArrowExtensionArray(pyarrow.array(TEXTS).dictionary_encode())
    ),
}


@pytest.mark.parametrize("column", COLUMNS)
def test_columns_with_codes_are_read_as_lists_of_their_ids(column):
    series = COLUMNS[column]()
    values = series.to_pylist() if hasattr(series, "to_pylist") else series.to_list()
    codes, ids = read_ids(nw.from_native(series, series_only=True), "column 'x'")
    expected_codes, expected = factorize(series)
    assert codes.tolist() == expected_codes.tolist() and codes.dtype == np.int32
    assert [type(id) for id in ids.array] == [type(id) for id in expected.array]
    assert ids.array.tolist() == expected.array.tolist() and ids.array.dtype == expected.array.dtype
    assert [ids.code(value) for value in values] == codes.tolist()


@pytest.mark.parametrize(
    "series",
    [
        pd.Series(["a", None, "b"], dtype="category"),
        pd.Series(["a", None, "b"], dtype="str"),
        pd.Series(["a", None, "b"], dtype="string"),
        pd.Series(["a", None, "b"], dtype=object),
        polars.Series(["a", None, "b"]),
        polars.Series(["a", None, "b"], dtype=polars.Categorical),
        pyarrow.chunked_array([["a", None, "b"]]),
        pyarrow.chunked_array([pyarrow.array(["a", None, "b"]).dictionary_encode()]),
        pyarrow.chunked_array([pyarrow.DictionaryArray.from_arrays([1, 0, 1], [None, "a"])]),
    ],
)
def test_missing_ids_of_columns_with_codes_are_refused(series):
    with pytest.raises(ValueError, match=r"column 'x': the id at position 1 is missing .* 1 of 3"):
        read_ids(nw.from_native(series, series_only=True), "column 'x'")


TEXT_COLUMNS = {
    "objects": lambda texts: pd.Series(texts, dtype=object),
    "text of Python in pandas": lambda texts: pd.Series(texts, dtype="string[python]"),
    "text of arrow in pandas": lambda texts: pd.Series(texts, dtype="string[pyarrow]"),
    "arrow's text in pandas": lambda texts: pd.Series(texts, dtype=pd.ArrowDtype(pyarrow.string())),
    "arrow's dictionaries in pandas": lambda texts: pd.Series(
        pd.arrays.ArrowExtensionArray(pyarrow.array(texts, pyarrow.string()).dictionary_encode())
    ),
    "unused and shuffled categories": lambda texts: pd.Series(
        pd.Categorical(texts, [*sorted(set(TEXTS), reverse=True), "never"])
    ),
    "text in polars": lambda texts: polars.Series(texts, dtype=polars.String),
    "objects in polars": lambda texts: polars.Series(texts, dtype=polars.Object),
    "categories in polars": lambda texts: polars.Series(texts, dtype=polars.Categorical),
    "enum in polars": lambda texts: polars.Series(
        texts, dtype=polars.Enum([*sorted(set(TEXTS), reverse=True), "never"])
    ),
    "text in arrow": lambda texts: pyarrow.chunked_array([pyarrow.array(texts, pyarrow.string())]),
    "chunks of dictionaries in arrow": lambda texts: pyarrow.chunked_array(
        pyarrow.array(part, pyarrow.string()).dictionary_encode() for part in (texts[:1], texts[1:])
    ),
    "unsigned dictionaries in arrow": lambda texts: pyarrow.chunked_array(
        [
            pyarrow.array(texts, pyarrow.string())
            .dictionary_encode()
            .cast(pyarrow.dictionary(pyarrow.uint32(), pyarrow.string()))
        ]
    ),
}


@pytest.mark.parametrize("column", TEXT_COLUMNS)
@pytest.mark.parametrize("seed", range(8))
def test_texts_are_read_as_a_list_of_them_whatever_holds_them(column, seed):
    rng = np.random.default_rng(seed)
    texts = rng.choice(np.array(TEXTS, dtype=object), size=[1, 2, 5, 60][seed % 4]).tolist()
    series = nw.from_native(TEXT_COLUMNS[column](texts), series_only=True)
    codes, ids = read_ids(series, "column 'x'")
    expected_codes, expected = factorize(texts)
    assert codes.tolist() == expected_codes.tolist() and codes.dtype == np.int32
    assert ids.array.tolist() == expected.array.tolist() and ids.array.dtype == object
    assert set(map(type, ids.array)) == {str}
    missing = int(rng.integers(len(texts)))
    texts[missing] = None
    series = nw.from_native(TEXT_COLUMNS[column](texts), series_only=True)
    message = rf"column 'x': the id at position {missing} is missing .* 1 of {len(texts)}"
    with pytest.raises(ValueError, match=message):
        read_ids(series, "column 'x'")


@pytest.mark.parametrize("dtype", [object, "string[python]"])
def test_texts_that_no_file_can_hold_stay_apart(dtype):
    # Halves of surrogate pairs: some versions of pandas hash all of them alike.
    texts = ["\ud800", "a", "\ud801", "\ud800"]
    series = nw.from_native(pd.Series(texts, dtype=dtype), series_only=True)
    codes, ids = read_ids(series, "x")
    assert codes.tolist() == [1, 0, 2, 1] and ids.array.tolist() == ["a", "\ud800", "\ud801"]


@pytest.mark.parametrize("column", ["nullable text", "categories", "dictionaries in arrow"])
def test_ids_with_codes_make_no_python_object_of_each_rating(column, monkeypatch):
    lengths, keys = [], ids_module._keys
    monkeypatch.setattr(
        ids_module, "_keys", lambda array: lengths.append(len(array)) or keys(array)
    )
    read_ids(nw.from_native(COLUMNS[column](), series_only=True), "x")
    assert max(lengths) < len(TEXTS)


def test_integers_of_128_bits_are_read():
    polars = pytest.importorskip("polars")
    if not hasattr(polars, "Int128"):
        pytest.skip("this polars has no integers of 128 bits")
    users, numbers = [2**70, 5, -(2**90)], polars.Series([1, 2, 3], dtype=polars.Int128)
    frame = polars.DataFrame(
        {"u": polars.Series(users, dtype=polars.Int128), "i": numbers, "r": numbers, "w": numbers}
    )
    ratings = Ratings.from_frame(frame, user="u", item="i", rating="r", weight="w")
    assert [ratings.user_ids[user] for user in ratings.users] == users
    assert ratings.values.tolist() == ratings.weights.tolist() == [1, 2, 3]
    matrix = Ratings.from_matrix(frame.select("i", "r"))
    assert matrix.values.tolist() == [1, 1, 2, 2, 3, 3]
