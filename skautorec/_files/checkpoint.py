"""Files of fits that are not done yet, which these go on from."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .._core.journal import Arrays, Journal, Kept
from .._core.matrix import Table
from .._core.messages import warn
from .._versions import __version__
from . import archive

__all__ = ["Checkpoint"]

# Least seconds between two writes, and most of all time that these may take.
SECONDS, SHARE = 30.0, 0.01
_ADVICE = "Delete it, and the fit starts anew."


class Checkpoint(Journal):
    """Writes what a fit has reached, now and then, to a file of its own in a folder.

    Parameters
    ----------
    folder : str or path
        It is made if there is none.
    arguments : dict
        Of the fit, plain values; one with others, or of another version, has another file.
    table : Table
        Its ratings, of which the same is true.

    Raises
    ------
    OSError
        Nothing can be written there.
    ValueError
        The file of this fit is damaged, or is not of this fit.
    """

    def __init__(
        self, folder: str | os.PathLike[str], arguments: dict[str, Any], table: Table
    ) -> None:
        os.makedirs(folder, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"Nothing may be written to checkpoint={os.fspath(folder)!r}.")
        self._digest = _digest(arguments, table)
        self.file = Path(folder) / f"fit-{self._digest[:24]}.npz"
        # What each part has reached: at first in the interrupted fit, which it asks for once.
        self._parts = self._read() if self.file.exists() else {}
        self.is_resumed = bool(self._parts)
        self._next = time.monotonic() + SECONDS

    def into(self, *keys: int | str) -> Journal:
        """Return the journal of a part of the fit."""
        return _Part(self, ".".join(map(str, keys)))

    def kept_of(self, part: str) -> Kept | None:
        """What an interrupted fit had reached in a part."""
        arrays = self._parts.get(part)
        return None if arrays is None else Kept(arrays(), self._refusal)

    def reached_in(self, part: str, arrays: Callable[[], Arrays]) -> None:
        """Hear what a part has reached, and write it if it is time."""
        inside = [name for name in self._parts if name.startswith(f"{part}.")]
        for name in inside:
            del self._parts[name]
        self._parts[part] = arrays
        if time.monotonic() >= self._next:
            self._write()

    def end(self) -> None:
        """Remove the file, and what is left of others that were not written to their end."""
        for file in (self.file, *self.file.parent.glob(f"{self.file.name}.*.part")):
            # One that stays does no harm: it is of a fit with the same end.
            with suppress(OSError):
                file.unlink(missing_ok=True)

    def _write(self) -> None:
        start = time.monotonic()
        arrays = {
            f"{part}/{name}": array
            for part, its in self._parts.items()
            for name, array in its().items()
        }
        try:
            archive.write(self.file, {"fit": self._digest}, arrays)
        except (OSError, ValueError) as error:
            self._next = math.inf
            warn(
                f"What the fit has reached could not be written to {str(self.file)!r}: {error}. It "
                "goes on without; if it is interrupted, another one starts from what the file "
                "holds, or anew.",
                RuntimeWarning,
            )
            return
        now = time.monotonic()
        self._next = now + max(SECONDS, (now - start) / SHARE)

    def _read(self) -> dict[str, Callable[[], Arrays]]:
        parts: dict[str, Arrays] = {}
        with archive.read(self.file, "an interrupted fit", _ADVICE) as (values, arrays):
            archive.need(values == {"fit": self._digest}, "it is of another fit")
            for path, array in arrays.items():
                part, _, name = path.rpartition("/")
                parts.setdefault(part, {})[name] = array
        return {part: partial(dict, arrays) for part, arrays in parts.items()}

    def _refusal(self, what: str) -> ValueError:
        return ValueError(f"{str(self.file)!r} cannot be used: {what}. {_ADVICE}")


class _Part(Journal):
    """The journal of a part of a fit, by its name."""

    def __init__(self, checkpoint: Checkpoint, name: str) -> None:
        self._checkpoint, self._name = checkpoint, name

    def into(self, *keys: int | str) -> Journal:
        return self._checkpoint.into(self._name, *keys)

    def kept(self) -> Kept | None:
        return self._checkpoint.kept_of(self._name)

    def reached(self, arrays: Callable[[], Arrays]) -> None:
        self._checkpoint.reached_in(self._name, arrays)


def _digest(arguments: dict[str, Any], table: Table) -> str:
    """Digest of a fit's arguments and ratings."""
    parts: dict[str, np.ndarray | None] = {"weights": table.weights}
    for name, cells in (("inputs", table.inputs), ("y", table.y)):
        if cells is not None:
            parts |= {
                f"{name}.{part}": getattr(cells, part) for part in ("data", "indices", "indptr")
            }
            parts[f"{name}.shape"] = np.array(cells.shape)
    plain = archive.plain_params(arguments) | {"version": __version__}
    digest = hashlib.blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=32)
    for name, array in sorted(parts.items()):
        if array is not None:
            digest.update(f"{name} {array.dtype.str} {len(array)} ".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
