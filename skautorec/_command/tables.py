"""Tables in files: csv, tsv and parquet, read and written by pandas."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas

__all__ = ["as_ids", "read", "read_ids", "write"]

_PARQUET = (".parquet", ".pq")
# What stands for a missing number; ids may be called so.
_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
_INTEGER = r"0|-?[1-9]\d{0,17}"


def read(
    file: str,
    ids: Iterable[str],
    others: Iterable[str | None] = (),
    *,
    separator: str | None = None,
    has_header: bool = True,
) -> pandas.DataFrame:
    """Read columns of a file.

    Parameters
    ----------
    file : str
        A path, by whose suffix it is known; ``"-"`` is the standard input.
    ids : iterable of str
        Columns of ids, which stay text in a file of text.
    others : iterable of str or None
        Columns of numbers.
    separator : str, default=None
        Of a file of text; None is a tab in .tsv and a comma else.
    has_header : bool, default=True
        Whether its first line names the columns; otherwise they are named by their number, from 1.
    """
    pd = _pandas()
    ids = list(ids)
    columns = [*ids, *(name for name in others if name is not None)]
    if _kind(file) in _PARQUET:
        frame = pd.read_parquet(file)
    else:
        if separator is None:
            separator = "\t" if _kind(file) == ".tsv" else ","
        frame = pd.read_csv(
            sys.stdin if file == "-" else file,
            sep=separator,
            header=0 if has_header else None,
            dtype=str,
            keep_default_na=False,
        )
        if not has_header:
            frame.columns = [str(number + 1) for number in range(frame.shape[1])]
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise ValueError(f"The column {twice[0]!r} is named for two things.")
    missing = [name for name in columns if name not in frame]
    if missing:
        raise ValueError(
            f"{_name(file)} has no column {missing[0]!r}; its columns are "
            f"{', '.join(map(repr, frame.columns))}."
        )
    frame = frame[columns].copy()
    for name in columns:
        if name not in ids and pd.api.types.is_string_dtype(frame[name].dtype):
            frame[name] = _as_numbers(frame[name], name, file)
        elif pd.api.types.is_string_dtype(frame[name].dtype):
            frame[name] = frame[name].mask(frame[name] == "")
    return frame


def as_ids(ids: Any, like: np.ndarray | None = None) -> Any:
    """Ids that are text, as integers where the model has integers.

    Without a model they are integers if all of them are written as integers are: ``007`` is no
    number.
    """
    pd = _pandas()
    ids = pd.Series(ids)
    if not pd.api.types.is_string_dtype(ids.dtype):
        return ids
    is_integer = ids.dropna().str.fullmatch(_INTEGER)
    if like is None:
        return ids.astype("int64") if len(ids) and is_integer.all() and not ids.hasnans else ids
    if like.dtype.kind not in "iu":
        return ids
    if not is_integer.all():
        first = ids.dropna()[~is_integer].iloc[0]
        raise ValueError(f"The ids of this model are integers, and {first!r} is none.")
    return ids.astype("int64")


def read_ids(file: str) -> list[str]:
    """Read a file of text with an id on each line."""
    lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
    return [line.strip() for line in lines if line.strip()]


def write(frames: Iterable[pandas.DataFrame], file: str | None) -> None:
    """Write tables below one another into one file, which is there once it is whole.

    Parameters
    ----------
    frames : iterable of DataFrame
        With the same columns.
    file : str or None
        A path, whose suffix says how; None and ``"-"`` are the standard output, as csv.
    """
    if file in (None, "-"):
        for number, frame in enumerate(frames):
            frame.to_csv(sys.stdout, index=False, header=number == 0)
        return
    path = Path(str(file))
    # The suffix is what tells pandas to compress.
    part = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        if _kind(str(file)) in _PARQUET:
            _write_parquet(frames, part)
        else:
            separator = "\t" if _kind(str(file)) == ".tsv" else ","
            for number, frame in enumerate(frames):
                frame.to_csv(
                    part,
                    index=False,
                    header=number == 0,
                    sep=separator,
                    mode="a" if number else "w",
                )
        part.replace(path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def _write_parquet(frames: Iterable[pandas.DataFrame], path: Path) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ImportError("Parquet files need pyarrow: pip install pyarrow.") from error
    writer = None
    try:
        for frame in frames:
            table = pa.Table.from_pandas(frame, preserve_index=False)
            if writer is None:
                writer = pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _as_numbers(texts: pandas.Series, name: str, file: str) -> pandas.Series:
    texts = texts.mask(texts.str.strip().isin(_MISSING))
    numbers = _pandas().to_numeric(texts, errors="coerce")
    bad = texts[numbers.isna() & texts.notna()]
    if len(bad):
        raise ValueError(
            f"Column {name!r} of {_name(file)} holds {bad.iloc[0]!r} in row {bad.index[0] + 1}, "
            "which is no number."
        )
    return numbers


def _kind(file: str) -> str:
    """Suffix without that of a compression."""
    path = Path(file)
    if path.suffix in (".gz", ".bz2", ".xz", ".zst", ".zip"):
        path = path.with_suffix("")
    return path.suffix.lower()


def _name(file: str) -> str:
    return "The standard input" if file == "-" else file


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ImportError("Files are read and written by pandas: pip install pandas.") from error
    return pandas
