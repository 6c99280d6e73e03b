"""What a fit has reached, so that one that was interrupted can go on from there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["Arrays", "Journal", "Kept"]

Arrays = dict[str, np.ndarray]


class Journal:
    """Hears what a part of a fit has reached; this one keeps nothing."""

    # Whether there is anything that an interrupted fit had reached.
    is_resumed: bool = False

    def into(self, *keys: int | str) -> Journal:
        """Return the journal of a part of this part."""
        return self

    def kept(self) -> Kept | None:
        """What an interrupted fit had reached in this part; None at the beginning."""
        return None

    def reached(self, arrays: Callable[[], Arrays]) -> None:
        """Hear what this part has reached.

        Parameters
        ----------
        arrays : callable
            Returns what it takes to go on from here, besides the arguments of the fit. It is called
            at once or, if nothing more is heard of this part, later. What was heard of parts of
            this part is not needed any more.
        """

    def end(self) -> None:
        """Hear that the fit is done."""


class Kept:
    """Arrays that an earlier process wrote, of which nothing is believed.

    Parameters
    ----------
    arrays : dict
    refuse : callable
        Takes what is wrong and returns the error that says so.
    """

    def __init__(self, arrays: Arrays, refuse: Callable[[str], Exception]) -> None:
        self._arrays, self._refuse = arrays, refuse

    def array(self, name: str) -> np.ndarray:
        """Return an array as it is."""
        if name not in self._arrays:
            raise self._refuse(f"it lacks {name}")
        return self._arrays[name]

    def take(self, name: str, *shape: int | None, dtypes: str = "f8") -> np.ndarray:
        """Return an array, once it is finite and has one of some types and a shape.

        None stands for any length.
        """
        array = self.array(name)
        fits = array.ndim == len(shape) and all(
            one in (length, None) for one, length in zip(shape, array.shape, strict=True)
        )
        if array.dtype.str[1:] not in dtypes.split() or not fits or not np.isfinite(array).all():
            raise self._refuse(f"{name} is not what was expected")
        return array

    def within(self, name: str) -> Kept:
        """Return the arrays whose names begin with this one and a dot, without it."""
        start = f"{name}."
        some = {key: array for key, array in self._arrays.items() if key.startswith(start)}
        return Kept({key.removeprefix(start): some[key] for key in some}, self._refuse)

    def names(self) -> list[str]:
        """Names of all arrays."""
        return list(self._arrays)
