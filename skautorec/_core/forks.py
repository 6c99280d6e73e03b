"""What a forked process inherits and cannot use: threads of torch, and locks that others held.

Only the thread that forks goes on in the child. Whoever there waits for another one waits for ever.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeVar

import torch

__all__ = ["Lock", "cached_property", "in_child"]

T = TypeVar("T")


def in_child(action: Callable[[], object]) -> None:
    """Do something in every process that will be forked from this one, before all else there."""
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(after_in_child=action)


# GNU's OpenMP, which torch brings, waits for the parent's threads in the first loop that it divides
# among several. Nobody can ask whether there were any: other code may have used torch as well. So
# it divides none, as in the workers of torch's own DataLoader.
in_child(functools.partial(torch.set_num_threads, 1))


class Lock:
    """A lock that is open in a forked process, whoever held it when that began."""

    def __init__(self) -> None:
        self._open()
        in_child(self._open)

    def _open(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: Any) -> None:
        self._lock.release()


if sys.version_info >= (3, 12):
    from functools import cached_property
else:

    class cached_property(functools.cached_property[T]):  # noqa: N801
        """That of Python 3.12, which has no lock: one was shared by all objects of a class."""

        def __init__(self, compute: Callable[[Any], T]) -> None:
            super().__init__(compute)
            self.lock = nullcontext()
