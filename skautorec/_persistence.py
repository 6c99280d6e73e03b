"""Files of fitted estimators that load without pickle: an npz archive with a JSON header.

The header holds the structure, the archive the arrays it refers to, and a digest covers both.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import zipfile
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from ._core.biases import Biases
from ._core.codes import Sums
from ._core.encoder import Encoder
from ._core.encoding import Encoding
from ._core.model import ItemPart, Member, Model, UserPart
from ._core.users import Training
from ._ids import Ids
from ._scale import Scale

__all__ = ["read", "write"]

FORMAT = "skautorec"
VERSION = 1
_DATACLASSES = {
    cls.__name__: cls
    for cls in (
        Biases,
        Encoder,
        Encoding,
        ItemPart,
        Member,
        Model,
        Scale,
        Sums,
        Training,
        UserPart,
    )
}


def write(path: str | os.PathLike[str], state: dict[str, Any]) -> None:
    """Write ``state`` to ``path``; an existing file is replaced only by a complete one."""
    arrays: dict[str, np.ndarray] = {}
    header = {"format": FORMAT, "version": VERSION, "state": _pack(state, arrays)}
    text = json.dumps(header)
    entries: dict[str, Any] = arrays | {
        "header": np.array(text),
        "digest": np.array(_digest(text, arrays)),
    }
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {os.fspath(path.parent)!r} to save into.")
    if path.is_dir():
        raise IsADirectoryError(f"{os.fspath(path)!r} is a folder; give the name of a file.")
    path = path.resolve()  # a link stays a link
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    try:
        with open(temporary, "xb") as file:
            np.savez(file, **entries)
        mode = path.stat().st_mode if path.exists() else temporary.stat().st_mode
        os.replace(temporary, path)
        path.chmod(mode)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what `write` wrote.

    Raises
    ------
    ValueError
        The file is no such file, is cut short, was changed, or comes from a newer format.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
        text, digest = str(arrays.pop("header")), str(arrays.pop("digest"))
        header = json.loads(text)
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise ValueError(
            f"{os.fspath(path)!r} is not a complete file of an estimator's save. Copy or save it "
            "again."
        ) from error
    if header.get("format") != FORMAT or not isinstance(header.get("version"), int):
        raise ValueError(f"{os.fspath(path)!r} was not written by an estimator's save.")
    if header["version"] > VERSION:
        raise ValueError(
            f"{os.fspath(path)!r} has format {header['version']}, this skautorec reads formats up "
            f"to {VERSION}. Upgrade skautorec."
        )
    if digest != _digest(text, arrays):
        raise ValueError(
            f"{os.fspath(path)!r} was changed after it was saved: its digest does not match. "
            "Save the estimator again."
        )
    state: dict[str, Any] = _unpack(header["state"], arrays)
    return state


def _digest(text: str, arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _pack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """JSON for ``value``; arrays move to ``arrays`` and leave their name behind."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        return {"objects": Ids(value).to_json()}
    if isinstance(value, np.ndarray):
        name = f"array{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, Ids):
        return {"ids": value.to_json()}
    if scipy.sparse.issparse(value):
        parts = [value.data, value.indices, value.indptr]
        return {"csr": [_pack(part, arrays) for part in parts], "shape": list(value.shape)}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_pack(part, arrays) for part in value]}
    if isinstance(value, dict):
        return {"dict": {key: _pack(part, arrays) for key, part in value.items()}}
    if is_dataclass(value) and type(value).__name__ in _DATACLASSES:
        content = {field.name: getattr(value, field.name) for field in fields(value)}
        return {"class": type(value).__name__, "fields": _pack(content, arrays)}
    raise TypeError(
        f"A fitted estimator holding a {type(value).__qualname__} cannot be saved without pickle; "
        "use pickle or joblib instead."
    )


def _unpack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    if "objects" in value:
        return Ids.from_json(value["objects"]).array
    if "ids" in value:
        return Ids.from_json(value["ids"])
    if "csr" in value:
        parts = tuple(_unpack(part, arrays) for part in value["csr"])
        return scipy.sparse.csr_array(parts, shape=tuple(value["shape"]))
    if "list" in value:
        return [_unpack(part, arrays) for part in value["list"]]
    if "tuple" in value:
        return tuple(_unpack(part, arrays) for part in value["tuple"])
    if "dict" in value:
        return {key: _unpack(part, arrays) for key, part in value["dict"].items()}
    return _DATACLASSES[value["class"]](**_unpack(value["fields"], arrays))
