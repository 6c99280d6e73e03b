"""Attributes that are computed when they are first read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

__all__ = ["cached_property"]

T = TypeVar("T")


class cached_property(Generic[T]):  # noqa: N801
    """As that of functools, without the lock that this has before Python 3.12.

    The lock is one for all objects of a class, and in a process that was forked while another
    thread had it nobody ever lets it go. At worst two threads compute the same.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute, self.__doc__ = compute, compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, thing: None, owner: type) -> cached_property[T]: ...
    @overload
    def __get__(self, thing: object, owner: type) -> T: ...
    def __get__(self, thing: object | None, owner: type) -> Any:
        if thing is None:
            return self
        # From now on the attribute of the object is found first.
        value = thing.__dict__[self._name] = self._compute(thing)
        return value
