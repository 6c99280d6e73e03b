"""Files of named arrays and plain values that load without pickle, and are not believed.

A file is an npz archive: a header in JSON, and arrays, each stored as it is. What surrounds the
arrays follows from the header, to the byte, so that a reader makes it again and compares; zip's
checksums cover the arrays.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import secrets
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .._core.memory import refuse_beyond_memory

__all__ = ["File", "need", "plain_params", "read", "read_params", "write"]

# What may hold a file: a path, or a binary file that is open.
File = str | os.PathLike[str] | BinaryIO

FORMAT = "skautorec"
# Whatever changes a name, a type or a value in a file raises this, a new parameter of an estimator
# too, unless no release has written the present version yet. Files of all versions that releases
# have written lie in tests/formats and load for ever. CONTRIBUTING.md has more.
VERSION = 1
# All versions begin with this, however they go on, so that an old release knows a newer file.
_BEGINNING, _WITHIN = re.compile(rb'\{"format": "skautorec", "version": ([1-9]\d{0,8})[,}]'), 512
_HEADER = "header"
# Most bytes of a header, whose objects take 25 times as much. Each network adds about a thousand.
_MOST = 2**20
_CHUNK = 2**20
_NUMBER = r"\|[biu]1|<[iuf][248]"
_DTYPE = re.compile(_NUMBER + r"|<U[1-9]\d*|<M8\[\d*[a-zA-Z]+\]")
# What goes wrong when contents are not what they should be.
_SIGNS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


class _NewerError(Exception):
    """The file has a newer format."""


def write(file: File, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Write plain values, of JSON, and arrays; a path is replaced only by a complete file."""
    described = {name: [array.dtype.str, array.shape] for name, array in arrays.items()}
    header = {"format": FORMAT, "version": VERSION, "values": values, "arrays": described}
    text = json.dumps(header).encode()
    need(len(text) <= _MOST, "there are too many networks for a file of save; use joblib instead")
    with _opened(file) as stream:
        directory = b""
        offset = 0
        for name, array in {_HEADER: np.frombuffer(text, np.uint8), **arrays}.items():
            content = memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
            start = _npy_header(array.dtype.str, array.shape)
            crc = zlib.crc32(content, zlib.crc32(start))
            size = len(start) + len(content)
            stream.write(_local(name, size, crc) + start)
            stream.write(content)
            directory += _central(name, size, crc, offset)
            offset += len(_local(name, size, crc)) + size
        stream.write(directory + _end(len(arrays) + 1, len(directory), offset))


@contextmanager
def _opened(file: File) -> Iterator[BinaryIO]:
    """Open a file to be written, and put it where it belongs when it is complete."""
    if not isinstance(file, str | os.PathLike):
        yield file
        return
    path = Path(file)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {os.fspath(path.parent)!r} to save into.")
    if path.is_dir():
        raise IsADirectoryError(f"{os.fspath(path)!r} is a folder; give the name of a file.")
    path = path.resolve()  # a link stays a link
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    try:
        with open(temporary, "xb") as stream:
            yield stream
            # Or a file that was renamed may be empty after a crash of the machine.
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            temporary.chmod(path.stat().st_mode)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def read(
    file: File,
    kind: str = "an estimator's save",
    advice: str = "Save the estimator again, or copy the file again.",
) -> Iterator[tuple[dict[str, Any], dict[str, np.ndarray]]]:
    """Read what `write` wrote: values and arrays.

    What goes wrong with them inside the ``with`` is the file's fault too. The message says what
    kind of file was expected, and advises what to do.

    Raises
    ------
    ValueError
        The file is no such file, is cut short, was changed, or comes from a newer format.
    MemoryError
        There is not enough memory for it.
    """
    name = "The file"
    try:
        if isinstance(file, str | os.PathLike):
            name = repr(os.fspath(file))
            with open(file, "rb") as stream:
                contents = _contents(stream)
        else:
            contents = _contents(file)
        yield contents
    except _NewerError as error:
        raise ValueError(f"{name} {error}. Upgrade skautorec.") from None
    except _SIGNS as error:
        raise ValueError(
            f"{name} cannot be used: it is not a whole and unchanged file of {kind} ({error}). "
            f"{advice}"
        ) from error


def _contents(stream: BinaryIO) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a file from where it stands; nothing is read before its size is what it should be."""
    start = stream.tell()
    n_bytes = stream.seek(0, io.SEEK_END) - start
    need(n_bytes > 0, "there is nothing in it, or it stands at its end")
    stream.seek(start)
    versions = _BEGINNING.findall(stream.read(_WITHIN))
    need(len(versions) > 0, "it is another format")
    version = int(versions[0])
    if version > VERSION:
        raise _NewerError(f"has format {version}, and this skautorec reads formats up to {VERSION}")
    stream.seek(start)
    size = _size_of_first(stream)
    need(128 < size <= min(n_bytes, _MOST + 128), "its header is too long")
    text, directory = _array(stream, _HEADER, "|u1", (size - 128,), 0)
    header = json.loads(text.tobytes())
    described = {name: (dtype, tuple(shape)) for name, (dtype, shape) in header["arrays"].items()}
    sizes = [_size(name, *described[name]) for name in described]
    offset = _size(_HEADER, "|u1", text.shape)
    n_central = sum(len(_central(name, 0, 0, 0)) for name in (_HEADER, *described))
    need(sum(sizes) < n_bytes, "its size is not what it says")
    end = _end(len(sizes) + 1, n_central, offset + sum(sizes))
    need(offset + sum(sizes) + n_central + len(end) == n_bytes, "its size is not what it says")
    refuse_beyond_memory(sum(sizes), "What the file holds", "Load it where there is more memory.")
    arrays = {}
    for (name, (dtype, shape)), n in zip(described.items(), sizes, strict=True):
        arrays[name], entry = _array(stream, name, dtype, shape, offset)
        directory += entry
        offset += n
    need(stream.read() == directory + end, "its directory is not that of its arrays")
    return header["values"], arrays


def _size_of_first(stream: BinaryIO) -> int:
    """Bytes of the first member of an archive, as it says."""
    at = stream.tell()
    local = stream.read(len(_local(_HEADER, 0, 0)))
    stream.seek(at)
    return int.from_bytes(local[-8:], "little")


def _size(name: str, dtype: str, shape: tuple[int, ...]) -> int:
    """Bytes of an array and of what surrounds it."""
    need(_DTYPE.fullmatch(dtype) is not None, f"{name} is of type {dtype}")
    need(all(type(length) is int and length >= 0 for length in shape), f"{name} has no shape")
    return len(_local(name, 0, 0)) + 128 + np.dtype(dtype).itemsize * math.prod(shape)


def _array(
    stream: BinaryIO, name: str, dtype: str, shape: tuple[int, ...], offset: int
) -> tuple[np.ndarray, bytes]:
    """Read an array, and make its entry in the directory of the archive."""
    start = _npy_header(dtype, shape)
    content = np.empty(np.dtype(dtype).itemsize * math.prod(shape), np.uint8)
    size = len(start) + len(content)
    local = stream.read(len(_local(name, size, 0)))
    claimed = int.from_bytes(local[14:18], "little")
    need(local == _local(name, size, claimed), f"{name} is not where it should be")
    need(stream.read(len(start)) == start, f"{name} is not what the header says")
    for at in range(0, len(content), _CHUNK):
        part = stream.read(min(_CHUNK, len(content) - at))
        content[at : at + len(part)] = np.frombuffer(part, np.uint8)
    need(zlib.crc32(content.data, zlib.crc32(start)) == claimed, f"the checksum of {name} differs")
    return content.view(dtype).reshape(shape), _central(name, size, claimed, offset)


def plain_params(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters of an estimator in JSON, from which `read_params` makes them again.

    Raises
    ------
    TypeError
        A parameter is of another type.
    """
    return {name: _plain(value, name) for name, value in params.items()}


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_plain(part, name) for part in value]}
    if isinstance(value, np.ndarray) and re.fullmatch(_NUMBER, value.dtype.str):
        return {"array": value.tolist(), "dtype": value.dtype.str}
    raise TypeError(
        f"The parameter {name} is a {type(value).__qualname__}, which cannot be saved without "
        "pickle: give numbers, texts, lists or tuples of these or arrays of numbers, or use pickle "
        "or joblib instead."
    )


def read_params(plain: dict[str, Any]) -> dict[str, Any]:
    """Parameters that `plain_params` described."""
    return {name: _param(value) for name, value in plain.items()}


def _param(value: Any) -> Any:
    if not isinstance(value, dict):
        need(value is None or isinstance(value, bool | int | float | str), "a parameter is odd")
        return value
    if "array" in value:
        need(re.fullmatch(_NUMBER, value["dtype"]) is not None, "a parameter is of an odd type")
        return np.array(value["array"], dtype=value["dtype"])
    ((kind, parts),) = value.items()
    return {"list": list, "tuple": tuple}[kind](_param(part) for part in parts)


def need(is_so: bool, what: str) -> None:
    """Raise a ValueError that says what is wrong, unless it is so."""
    if not is_so:
        raise ValueError(what)


# The format of numpy, with a header of always the same length; and that of zip with 64 bits in all
# places, members that are stored, without time: APPNOTE 6.3, sections 4.3 and 4.5.3.


def _npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    text = repr({"descr": dtype, "fortran_order": False, "shape": tuple(shape)})
    need(len(text) < 118, "a shape is too long")
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + text.ljust(117).encode() + b"\n"


_UNKNOWN, _EPOCH = 0xFFFFFFFF, 0x21


def _local(name: str, size: int, crc: int) -> bytes:
    """What stands before a member."""
    encoded = f"{name}.npy".encode("ascii")
    fixed = struct.pack(
        "<4s5H3L2H", b"PK\3\4", 45, 0, 0, 0, _EPOCH, crc, _UNKNOWN, _UNKNOWN, len(encoded), 20
    )
    return fixed + encoded + struct.pack("<2H2Q", 1, 16, size, size)


def _central(name: str, size: int, crc: int, offset: int) -> bytes:
    """Entry of a member in the directory."""
    encoded = f"{name}.npy".encode("ascii")
    sizes = (crc, _UNKNOWN, _UNKNOWN, len(encoded), 28, 0, 0, 0, 0, _UNKNOWN)
    fixed = struct.pack("<4s6H3L5H2L", b"PK\1\2", 45, 45, 0, 0, 0, _EPOCH, *sizes)
    return fixed + encoded + struct.pack("<2H3Q", 1, 24, size, size, offset)


def _end(n_members: int, n_bytes: int, offset: int) -> bytes:
    """What stands after the directory."""
    record = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, n_members, n_members, n_bytes, offset
    )
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, offset + n_bytes, 1)
    rest = (0, 0, 0xFFFF, 0xFFFF, _UNKNOWN, _UNKNOWN, 0)
    return record + locator + struct.pack("<4s4H2LH", b"PK\5\6", *rest)
