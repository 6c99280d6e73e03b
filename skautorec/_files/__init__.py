"""Files of fitted estimators that load without pickle, and are not believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .._fitted import Fitted
from . import archive, contents
from .archive import File
from .checkpoint import Checkpoint

__all__ = ["Checkpoint", "File", "load", "save"]

T = TypeVar("T")


def save(
    file: File, estimator: str, params: dict[str, Any], fitted: Fitted, attributes: dict[str, Any]
) -> None:
    """Write a fitted estimator of this name, with these parameters and attributes."""
    content = contents.pack(estimator, fitted, attributes)
    header = {"estimator": estimator, "params": archive.plain_params(params)}
    archive.write(file, header | {"fitted": content.values}, content.arrays)


def load(file: File, estimator: str, make: Callable[..., T]) -> tuple[T, Fitted, dict[str, Any]]:
    """Read what `save` wrote of an estimator of this name, and make it of its parameters.

    Raises
    ------
    ValueError
        The file is no such file, or is of another estimator.
    """
    with archive.read(file) as (values, arrays):
        writer = values["estimator"]
        archive.need(writer in contents.ESTIMATORS, "it holds something else")
        if writer == estimator:
            # In here, since wrong parameters are the file's fault too.
            made = make(**archive.read_params(values["params"]))
            content = contents.Content(values["fitted"], arrays)
            return made, *contents.unpack(estimator, content)
    raise ValueError(
        f"The file was written by {writer}.save, and {estimator}.load reads files of {estimator}. "
        f"Use {writer}.load."
    )
