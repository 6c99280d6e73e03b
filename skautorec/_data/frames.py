"""Data frames and series of any library: the only module that knows pandas, polars and pyarrow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
import scipy.sparse

from .._core.messages import see
from .ids import Ids, factorize, factorize_coded, is_wide, plain

__all__ = [
    "check_columns",
    "column_names",
    "dense_values",
    "has_index",
    "has_own_index",
    "import_pandas",
    "is_frame",
    "is_series",
    "lacking_column",
    "long_frame",
    "plain_series",
    "read_frame",
    "read_ids",
    "refuse_long_table",
    "series_name",
    "sparse_values",
    "wide_frame",
]

_USER = re.compile(r"(user|customer|member|reviewer)s?[ _.-]?(id|idx|index|code|name)?$", re.I)
_ITEM = re.compile(r"(item|movie|book|product|title|song|track|imdb)s?[ _.-]?(id|idx|code)?$", re.I)
_RATING = re.compile(r"(rating|score|star|value)s?$", re.I)
# Most columns of a table with a row per rating.
_MOST_COLUMNS = 8


def is_frame(X: Any) -> bool:
    """Whether it is a data frame of any library narwhals knows."""
    return nw.dependencies.is_into_dataframe(X)


def is_series(X: Any) -> bool:
    """Whether it is a series of any library narwhals knows."""
    return nw.dependencies.is_into_series(X)


def has_index(data: Any) -> bool:
    """Whether it has row labels, as frames and series of pandas do."""
    return nw.dependencies.is_pandas_series(data) or nw.dependencies.is_pandas_dataframe(data)


def has_own_index(data: Any) -> bool:
    """Whether it has row labels that are not the default ones, 0 to n-1."""
    if not has_index(data):
        return False
    start, step = (getattr(data.index, name, None) for name in ("start", "step"))
    return (start, step) != (0, 1)


def series_name(series: Any) -> Any:
    """Name of a series, None where it has none."""
    name = getattr(series, "name", None)
    return name if name == name and name != "" else None


def import_pandas() -> Any:
    """Give pandas, or an error that says how to install it."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError("A frame of ratings needs pandas: pip install pandas") from error
    return pandas


def long_frame(columns: Mapping[str, np.ndarray]) -> Any:
    """Frame of pandas with these columns."""
    return import_pandas().DataFrame(dict(columns))


def wide_frame(X: Any, values: np.ndarray, ids: Ids, has_its_columns: bool) -> Any:
    """Cells as a frame of the library of X with its row labels; of pandas where X is no frame.

    Parameters
    ----------
    X : {sparse matrix, array-like, DataFrame} with n rows
    values : ndarray of float64 of shape (n, n_columns)
    ids : Ids
        Of the columns of ``values``.
    has_its_columns : bool
        Whether these are those of X, where it is a frame, and are then laid out in its order.

    Raises
    ------
    TypeError
        Ids that are no text, in a library whose columns are.
    """
    if not is_frame(X):
        return import_pandas().DataFrame(values, columns=ids.array)
    native = nw.to_native(X, pass_through=True)
    names = column_names(native) if has_its_columns else ids.array.tolist()
    if has_its_columns:
        values = values[:, ids.codes(names)]
    if has_index(native):
        columns = native.columns if has_its_columns else ids.array
        return import_pandas().DataFrame(values, index=native.index, columns=columns)
    other = next((name for name in names if not isinstance(name, str)), None)
    if other is not None:
        raise TypeError(
            f"Columns of a frame of {type(native).__module__.partition('.')[0]} are named by text, "
            f"and the id {other!r} is none. Give predict a pandas frame, or fit to columns that "
            "are named by text."
        )
    cells = dict(zip(names, np.ascontiguousarray(values.T), strict=True))
    kind = type(native)
    return kind.from_pydict(cells) if hasattr(kind, "from_pydict") else kind(cells)


def column_names(frame: Any) -> list[Any]:
    """Names of the columns, which are distinct.

    Raises
    ------
    ValueError
        Two columns have one name.
    """
    names = list(frame.column_names if nw.dependencies.is_pyarrow_table(frame) else frame.columns)
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(
            f"The frame has {names.count(twice)} columns of the name {plain(twice)!r}. Columns are "
            "items, each with a name of its own: rename or leave out."
        )
    return names


def sparse_values(data: Any) -> Any:
    """Scipy matrix of a pandas frame or series of sparse columns, None for any other.

    Raises
    ------
    ValueError
        Columns of a frame differ in what an unobserved cell looks like, or it is neither 0 nor NaN.
    """
    if nw.dependencies.is_pandas_series(data):
        return sparse_values(data.to_frame())
    if not nw.dependencies.is_pandas_dataframe(data):
        return None
    kinds: dict[str, list[Any]] = {}
    for name, dtype in zip(data.columns, data.dtypes, strict=True):
        kinds.setdefault(_kind_of_column(dtype), []).append(name)
    if len(kinds) > 1:
        found = "; ".join(
            f"{len(names)} {kind}, the first is {plain(names[0])!r}"
            for kind, names in kinds.items()
        )
        raise ValueError(
            f"The columns of this frame differ in what an unobserved cell holds: {found}. Make all "
            "columns dense with NaN where unobserved, or all sparse with one fill value, 0 or NaN, "
            "for instance with frame.astype(pandas.SparseDtype(float, numpy.nan))."
        )
    kind = next(iter(kinds), "dense")
    if kind == "dense":
        return None
    if kind not in ("sparse with fill value 0", "sparse with fill value nan"):
        raise ValueError(
            f"The columns of this frame are {kind}, which is neither an unobserved cell, 0 or NaN, "
            "nor stored. Give frame.sparse.to_dense(), with NaN where unobserved."
        )
    return _stored(data)


def _stored(frame: Any) -> scipy.sparse.coo_array:
    """Cells that sparse columns store: the others are unobserved, as in any sparse matrix."""
    columns = [frame.iloc[:, position].array for position in range(frame.shape[1])]
    rows = [column.sp_index.to_int_index().indices for column in columns]
    lengths = [len(of_column) for of_column in rows]
    cells = np.concatenate(rows), np.repeat(np.arange(len(columns)), lengths)
    values = np.concatenate([column.sp_values for column in columns])
    if columns[0].fill_value == 0:
        return scipy.sparse.coo_array((values, cells), shape=frame.shape)
    is_there = values == values
    cells = cells[0][is_there], cells[1][is_there]
    return scipy.sparse.coo_array((values[is_there], cells), shape=frame.shape)


def _kind_of_column(dtype: Any) -> str:
    if not hasattr(dtype, "fill_value"):
        return "dense"
    fill = dtype.fill_value
    # NaN of any type is one fill value, as are 0, 0.0 and False.
    shown = "nan" if fill != fill else "0" if fill == 0 else repr(fill)
    return f"sparse with fill value {shown}"


def dense_values(frame: Any) -> np.ndarray:
    """Cells of a frame of dense columns: numbers with NaN where missing, or objects."""
    if nw.dependencies.is_pandas_dataframe(frame):
        if all(getattr(dtype, "kind", "O") in "biuf" for dtype in frame.dtypes):
            # As objects, the type that columns may have in common, it would take ten times as long.
            values: np.ndarray = frame.to_numpy(dtype=np.float64, na_value=np.nan)
            return values
        return np.asarray(frame.to_numpy())
    if hasattr(frame, "to_numpy") and not any(map(is_wide, frame.dtypes)):
        return np.asarray(frame.to_numpy())
    table = read_frame(frame)
    columns = [plain_series(table.get_column(name)) for name in table.columns]
    return np.column_stack([column.to_numpy() for column in columns])


def read_frame(frame: Any) -> Any:
    """Narwhals' view of an eager frame."""
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


def read_ids(series: nw.Series[Any], name: str) -> tuple[np.ndarray, Ids]:
    """Codes and vocabulary of a column of ids, as `factorize`: by the codes that it brings, if any.

    Texts get some from their library, which hashes them without making Python's objects of them.
    """
    native = nw.to_native(series)
    coded = None
    if nw.dependencies.is_pandas_series(native):
        coded = _coded_by_pandas(native)
    elif nw.dependencies.is_polars_series(native):
        coded = _coded_by_polars(native)
    elif nw.dependencies.is_pyarrow_chunked_array(native):
        coded = _coded_by_arrow(native)
    found = None if coded is None else factorize_coded(*coded)
    return factorize(native, name) if found is None else found


def _coded_by_pandas(series: Any) -> tuple[np.ndarray, Any] | None:
    if hasattr(series, "cat"):
        return series.cat.codes.to_numpy(), series.cat.categories
    # Texts of Python are hashed here as fast, and pandas 2 ends a text at a zero.
    is_text_of_arrow = str(getattr(series.dtype, "storage", "")).startswith("pyarrow")
    if is_text_of_arrow or hasattr(series.dtype, "pyarrow_dtype"):
        return _coded_by_arrow(series.array.__arrow_array__())
    return None


def _coded_by_polars(series: Any) -> tuple[np.ndarray, Any] | None:
    polars = nw.dependencies.get_polars()
    if series.dtype == polars.String:
        series = series.cast(polars.Categorical)
    if series.dtype not in (polars.Categorical, polars.Enum):
        return None
    if series.null_count():
        return None
    # Not all versions tell the categories, and their numbers may count those of other columns.
    codes, _ = factorize(series.to_physical().to_numpy())
    categories = series.unique()
    order = np.argsort(categories.to_physical().to_numpy())
    return codes, categories.cast(polars.String)[order]


def _coded_by_arrow(array: Any) -> tuple[np.ndarray, Any] | None:
    kind = str(array.type)
    if kind in ("string", "large_string", "string_view"):
        array = array.dictionary_encode()
    elif not kind.startswith("dictionary"):
        return None
    # Codes may be unsigned, as those of polars are, or too narrow for what chunks hold together.
    arrow = nw.dependencies.get_pyarrow()
    wide = arrow.dictionary(arrow.int64(), array.type.value_type, array.type.ordered)
    coded = array.cast(wide).combine_chunks()
    return coded.indices.fill_null(-1).to_numpy(), coded.dictionary


def check_columns(table: Any, names: Mapping[str, Any]) -> None:
    """Check that a frame has the columns that arguments name."""
    for argument, name in names.items():
        lacking = lacking_column(table, argument, name)
        if lacking is not None:
            raise ValueError(lacking)
    if names["user"] == names["item"]:
        raise ValueError(
            f"user={names['user']!r} and item={names['item']!r} name one column; give the column "
            "of user ids and that of item ids."
        )


def lacking_column(table: Any, argument: str, name: Any) -> str | None:
    """What to say of a column that an argument names and a frame lacks; None where it is there."""
    columns = list(table.columns)
    if name in columns:
        return None
    if name in getattr(getattr(nw.to_native(table), "index", None), "names", ()):
        return (
            f"{argument}={name!r}: this is the index of the frame and no column. Give "
            "frame.reset_index()."
        )
    return (
        f"{argument}={name!r}: the frame has no such column. Its columns are "
        f"{', '.join(map(repr, columns))}."
    )


def plain_series(given: Any) -> Any:
    """What numpy reads rightly: times with a zone as UTC, dictionaries of pyarrow as their values.

    Integers of 128 bits, of which numpy has none, as floats. Anything else is returned as it is.
    """
    arrow = nw.dependencies.get_pyarrow()
    if arrow is not None and isinstance(given, arrow.Array):
        given = arrow.chunked_array([given])
    series = nw.from_native(given, series_only=True, pass_through=True)
    if isinstance(series, nw.Series):
        native = nw.to_native(series)
        if str(getattr(native, "type", "")).startswith("dictionary"):
            # pyarrow's to_numpy takes the missing ones for the next one.
            return nw.from_native(native.cast(native.type.value_type), series_only=True)
        if is_wide(series.dtype):
            return series.cast(nw.Float64())
    if isinstance(series, nw.Series) and getattr(series.dtype, "time_zone", None) is not None:
        return series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return given


def refuse_long_table(X: Any) -> None:
    """Refuse a frame with a row per rating where one with a row per user is needed."""
    if not is_frame(X):
        return
    names = [name for name in column_names(X) if isinstance(name, str)]
    users = [name for name in names if _USER.match(name)]
    items = [name for name in names if _ITEM.match(name)]
    ratings = [name for name in names if _RATING.match(name)]
    if len(names) <= _MOST_COLUMNS and users and (items or ratings):
        found = ", ".join(repr(name) for name in users[:1] + items[:1] + ratings[:1])
        raise ValueError(
            f"This frame looks like a table with a row per rating (columns {found}), and a "
            "matrix has a row per user. Use Ratings.from_frame(frame, user=..., item=..., "
            f"rating=...) and give that. {see('data.html')}"
        )
