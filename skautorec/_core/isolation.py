"""What of torch must not matter to callers: its global modes, and how it runs out of memory."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import ExitStack
from typing import ParamSpec, TypeVar

import torch

__all__ = ["isolated"]

# How torch says that it lacks memory.
_LACKS_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc")

P = ParamSpec("P")
T = TypeVar("T")


def isolated(function: Callable[P, T]) -> Callable[P, T]:
    """Run a function as if its caller had set no mode of torch.

    Neither inference mode, nor `torch.no_grad`, nor autocast, nor a default device. Where torch
    lacks memory, for which it raises a RuntimeError, that is a MemoryError as everywhere else.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with ExitStack() as modes:
            # It also enables gradients.
            modes.enter_context(torch.inference_mode(False))
            for device in ("cpu", "cuda"):
                if torch.is_autocast_enabled(device):
                    modes.enter_context(torch.autocast(device, enabled=False))
            # Not always: it makes each call of torch slower. And torch 2.5 cannot name the default
            # device when one was taken back, or inside of ``with torch.device(...)``.
            if torch.empty(0).device.type != "cpu":
                modes.enter_context(torch.device("cpu"))
            try:
                return function(*args, **kwargs)
            except RuntimeError as error:
                if not any(text in str(error) for text in _LACKS_MEMORY):
                    raise
                raise MemoryError(
                    f"There is not enough memory: {str(error).splitlines()[0]} Give fewer users at "
                    "a time, or fit with fewer hidden_units or a smaller batch_size."
                ) from error

    return run
