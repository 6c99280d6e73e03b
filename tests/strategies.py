"""Generated input: ids, ratings, tables, matrices, parameters and damage, and what may be said."""

import datetime
import itertools
import linecache
import re
import sysconfig
import tempfile
import traceback
import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import polars
import pyarrow
import scipy.sparse
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

import skautorec

# What it keeps of constants and characters, which is nobody's here.
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "hypothesis")
PACKAGE = str(Path(skautorec.__file__).parent)
# Where the lines of libraries are, at which no warning of ours points.
LIBRARIES = PACKAGE, *(sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib"))
LARGEST = 8  # users and items


# What is explained.


class UnexplainedError(Exception):
    """An error or a warning that says nothing to a user."""


# How often each message was given, without what differs from one input to the next.
SAID = Counter()


def template(error):
    """The first words of a message, but for names and numbers."""
    words = [
        word for word in str(error).strip("'\"").split() if re.fullmatch("[A-Za-z,.;:_]+", word)
    ]
    return f"{type(error).__name__}: {' '.join(words[:10])}"


def is_explained(error):
    """Whether an error is one of types that say what was given, raised by a line of ours."""
    if type(error).__name__ == "InvalidParameterError":
        return True
    if not isinstance(error, ValueError | TypeError | KeyError) or not str(error):
        return False
    last = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(last.filename, last.lineno).strip()
    of_features = "features" in str(error) and "sklearn" in last.filename
    return of_features or (last.filename.startswith(PACKAGE) and line.startswith("raise"))


@contextmanager
def explained():
    """Swallow explained errors; raise others, and warnings of libraries, as `UnexplainedError`.

    Yields a list that holds the error that was swallowed.
    """
    errors = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            yield errors
        except AssertionError:
            raise
        except Exception as error:
            if not is_explained(error):
                raise UnexplainedError(f"{type(error).__name__}: {error}") from error
            errors.append(error)
            SAID[template(error)] += 1
    for one in said:
        if one.filename.startswith(LIBRARIES):
            place = f"{Path(one.filename).name}:{one.lineno}"
            raise UnexplainedError(f"{one.category.__name__}: {one.message} ({place})")
        SAID[template(one.message)] += 1


@contextmanager
def answered():
    """Let nothing raise, and no library warn."""
    with explained() as errors:
        yield
    assert not errors, errors


# Ids.


def lists_of(one, n, key=None):
    return st.lists(one, min_size=n, max_size=n, unique_by=key or (lambda x: x))


def typed(dtype):
    info = np.iinfo(dtype)
    return st.integers(int(info.min), int(info.max)).map(dtype)


FLOATS = st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0)
TEXTS = st.one_of(
    st.text(max_size=5),
    st.sampled_from(["", "\ud800", "a\0b", "\0", "é", "e\u0301", " x", "nan", "None", "1"]),
    st.just("long" * 3000),
)
DATES = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1))
PYTHON_IDS = {
    "int": st.integers(-(2**70), 2**70),
    "small int": st.integers(-3, 12),
    "float": FLOATS,
    "str": TEXTS,
    "bytes": st.binary(max_size=4),
    "tuple": st.tuples(st.integers(0, 2), TEXTS),
    "uuid": st.integers(0, 2**128 - 1).map(lambda n: UUID(int=n)),
    "datetime": DATES,
}
NUMPY_IDS = {
    str(np.dtype(dtype)): typed(dtype)
    for dtype in (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)
}
NUMPY_IDS["datetime64"] = st.integers(-(10**6), 10**6).flatmap(
    lambda n: st.sampled_from(["D", "h", "s", "us"]).map(lambda unit: np.datetime64(n, unit))
)


def distinct(one):
    """What makes ids of one pool different; dates of several units may be one."""
    if isinstance(one, np.datetime64):
        return str(one.astype("M8[us]"))
    return type(one).__name__, repr(one)


MIXED = st.one_of(
    *(PYTHON_IDS[name] for name in ("small int", "float", "str", "bytes", "tuple")), st.booleans()
)


def pools(n):
    """Lists of n distinct ids of one type, or of several."""
    return st.one_of(
        *(lists_of(one, n, distinct) for one in (PYTHON_IDS | NUMPY_IDS).values()),
        lists_of(MIXED, n, distinct),
    )


@st.composite
def columns_of_ids(draw, n):
    """A column of n ids with repetitions, in a container of some library, and its ids."""
    pool = draw(pools(draw(st.integers(1, 6))))
    if draw(st.integers(0, 19)) == 0:
        pool[0] = draw(st.sampled_from([None, np.nan, pd.NaT, np.datetime64("NaT"), pd.NA]))
    ids = [pool[k] for k in draw(st.lists(st.integers(0, len(pool) - 1), min_size=n, max_size=n))]
    objects = np.empty(n, dtype=object)
    objects[:] = ids
    options = [objects, pd.Series(objects, dtype=object), pd.Index(objects, dtype=object)]
    if len(set(map(type, ids))) == 1:
        makers = [
            np.array,
            pd.Series,
            pd.Categorical,
            lambda ids: pd.Series(ids).convert_dtypes(),
            lambda ids: pd.Series(ids, dtype="string[pyarrow]"),
            polars.Series,
            pyarrow.array,
        ]
        made = draw(st.sampled_from(makers))
        try:
            column = made(ids)
        except Exception:  # that library has no such column
            column = objects
        options = [column] if np.ndim(column) <= 1 else options
    return draw(st.sampled_from(options))


# Ratings.

STARS = st.integers(2, 10).map(lambda n: n / 2)
VALUES = st.one_of(
    STARS,
    STARS,
    st.integers(-5, 100),
    st.floats(-1e6, 1e6),
    st.sampled_from([0.0, -0.0, 1e-300, -1e-300, 5e-324, 1e15, 1e300, -1e300, 1.7e308, 3.0]),
)
WEIGHTS = st.one_of(
    st.sampled_from([0.0, 1e-300, 1e-6, 0.5, 1.0, 2.0, 1e6]), st.floats(0, 1e6), st.just(1.0)
)


@st.composite
def values(draw, n):
    """Ratings of one scale, or of all; now and then one that is none."""
    one = draw(st.sampled_from([STARS, STARS, st.just(3.0), st.integers(-10, 10), VALUES]))
    given = np.array(draw(st.lists(one, min_size=n, max_size=n)), dtype=float)
    if n and draw(st.integers(0, 19)) == 0:
        given[draw(st.integers(0, n - 1))] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    return given


@st.composite
def dense(draw, most=LARGEST):
    """A matrix of ratings with NaN where there is none."""
    shape = draw(st.integers(1, most)), draw(st.integers(1, most))
    cells = draw(values(shape[0] * shape[1])).reshape(shape)
    share = draw(st.sampled_from([0, 20, 50, 90]))
    hidden = draw(st.lists(st.integers(0, 99), min_size=cells.size, max_size=cells.size))
    return np.where(np.array(hidden).reshape(shape) < share, np.nan, cells)


def sparse_of(cells, form):
    rows, columns = np.nonzero(~np.isnan(cells))
    stored = scipy.sparse.coo_array((cells[rows, columns], (rows, columns)), shape=cells.shape)
    return stored.asformat(form)


@st.composite
def matrices(draw):
    """A matrix in some form, and a dense one of the cells that are ratings in it."""
    cells = draw(dense())
    form = draw(st.sampled_from(["csr", "csc", "coo", "lil", "dok", "unsorted", "backwards"]))
    form = draw(st.sampled_from([form, "list", "array", "frame", "polars", "pyarrow", "dia"]))
    if form in ("unsorted", "backwards"):
        # The rows of a matrix whose columns are not in order.
        R = sparse_of(cells, "csr")
        order = np.concatenate(
            [np.arange(stop - 1, start - 1, -1) for start, stop in itertools.pairwise(R.indptr)]
        ).astype(int)
        width = np.int64 if form == "unsorted" else np.int32
        parts = R.data[order], R.indices[order].astype(width), R.indptr.astype(width)
        return scipy.sparse.csr_array(parts, shape=R.shape), cells
    if form == "dia":
        form = draw(st.sampled_from(["dia", "bsr"]))
        return sparse_of(cells, form), np.where(cells == 0, np.nan, cells)
    if form in ("csr", "csc", "coo", "lil", "dok"):
        R = sparse_of(cells, form)
        old = {"csr": scipy.sparse.csr_matrix, "csc": scipy.sparse.csc_matrix}
        return (old[form](R) if form in old and draw(st.booleans()) else R), cells
    if form == "array":
        how = draw(st.sampled_from(["F", "object", "strided", "read-only", "f4", "f2", "matrix"]))
        if how == "object":
            return np.where(np.isnan(cells), None, cells.astype(object)), cells
        if how in ("f4", "f2"):
            with np.errstate(over="ignore"):
                narrow = cells.astype(how)
            return narrow, narrow.astype(float)
        given = {"F": np.asfortranarray, "strided": lambda c: np.repeat(c, 2, axis=1)[:, ::2]}
        given = given.get(how, np.array)(cells)
        given.setflags(write=how != "read-only")
        return given, cells
    if form == "list":
        return cells.tolist(), cells
    names = [f"film {i}" for i in range(cells.shape[1])]
    if form == "frame":
        return pd.DataFrame(cells, columns=names), cells
    if form == "polars":
        return polars.DataFrame(cells, schema=names), cells
    return pyarrow.table(dict(zip(names, cells.T, strict=True))), cells


# Parameters.

BORDERS = [0, -1, 1, 1e-20, 1e-21, 1e20, 1e21, 0.5, np.nan, np.inf, True, None, "auto", "x", (), []]
USUAL = {
    "hidden_units": st.sampled_from([1, 2, 3, (3, 2), [2], np.int64(2), np.array([2, 1])]),
    "lambd": st.sampled_from([1e-20, 1e-3, 1.0, 100, np.float32(3), 1e20]),
    "decoder_lambd": st.sampled_from(["auto", 1e-20, 1.0, 1e20]),
    "kind": st.sampled_from(["item", "user", "both"]),
    "n_estimators": st.integers(1, 2),
    "activation": st.sampled_from(["sigmoid", "tanh", "relu", "identity"]),
    "dropout": st.sampled_from([None, 0, 0.3, 0.999999]),
    "solver": st.sampled_from(["adam", "rmsprop", "sgd", "rprop", "lbfgs"]),
    "learning_rate": st.sampled_from([None, 1e-12, 0.01, 1.0, 1e6]),
    "batch_size": st.sampled_from([None, 1, 2, 10**9]),
    "max_iter": st.integers(1, 2),
    "tol": st.sampled_from([0, 1e-4, 1e300]),
    "n_iter_no_change": st.sampled_from([1, 20]),
    "validation_fraction": st.sampled_from([None, 1e-9, 0.3, 0.999999]),
    "rating_range": st.sampled_from(
        [None, (0, 6), (0.5, 5), (-1e9, 1e9), (1, 1), (5, 1), (3,), "x"]
    ),
    "random_state": st.integers(0, 9),
}


@st.composite
def parameters(draw):
    """Parameters of an estimator that trains in no time, now and then some that are beyond."""
    chosen = {"hidden_units": 2, "max_iter": 1, "random_state": 0}
    for name in draw(st.lists(st.sampled_from(list(USUAL)), max_size=5, unique=True)):
        chosen[name] = draw(USUAL[name])
    if draw(st.integers(0, 5)) == 0:
        name = draw(st.sampled_from(list(USUAL)))
        chosen[name] = draw(st.sampled_from(BORDERS))
        if chosen[name] is None and name in ("max_iter", "random_state"):
            chosen[name] = -1
    return chosen


# Damage.

HOSTILE = [
    None, True, 0, 1, -1, 2, 2**31, 2**53, 2**63, 2**100, 0.0, -1.0, 1e-320, 1e30, 1e308, "", "x",
    float("inf"), float("-inf"), float("nan"), [], [1], {}, {"array": [1], "dtype": "<f8"},
]  # fmt: skip
NUMBERS = [0, 1, -1, 2, 127, -128, 1e-30, 1e-320, 1e6, 1e12, -1e12, 1e30, 1e300, np.nan, np.inf]


@st.composite
def damages(draw):
    """A function that changes the values and arrays of a file."""
    kind = draw(st.sampled_from(["bytes", "number", "all", "value", "params", "structure"]))
    which, where = draw(st.integers(0, 999)), draw(st.integers(0, 2**16))
    raw, hostile = draw(st.binary(min_size=1, max_size=24)), draw(st.sampled_from(HOSTILE))
    number, form = draw(st.sampled_from(NUMBERS)), draw(st.integers(0, 6))

    def change(contents, arrays):
        name = list(arrays)[which % len(arrays)]
        if kind in ("bytes", "number", "all"):
            flat = arrays[name].reshape(-1)
            if not flat.size:
                return
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if kind == "bytes":
                    content = flat.view(np.uint8)
                    part = content[where % len(content) :][: len(raw)]
                    part[:] = np.frombuffer(raw[: len(part)], np.uint8)
                elif flat.dtype.kind in "iuf":
                    number_of_type = np.array(number).astype(flat.dtype)
                    flat[where % len(flat) if kind == "number" else slice(None)] = number_of_type
        elif kind in ("value", "params"):
            values_of = contents["fitted" if kind == "value" else "params"]
            values_of[list(values_of)[which % len(values_of)]] = hostile
        else:
            array = arrays[name]
            other = arrays[list(arrays)[where % len(arrays)]]
            arrays[name] = [
                array[:-1], array[::-1].copy(), array.T.copy(), np.append(array, array, axis=0),
                array.reshape(-1), other.copy(), array[:0],
            ][form]  # fmt: skip

    return change
