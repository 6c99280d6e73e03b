"""Torch's global state, which must not matter to what is computed here."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import ParamSpec, TypeVar

import torch

__all__ = ["isolated"]

P = ParamSpec("P")
T = TypeVar("T")


if hasattr(os, "register_at_fork"):
    # Torch's threads do not survive a fork, and a child that gives them work waits for ever. This
    # is the only place where a number of threads is set.
    os.register_at_fork(after_in_child=functools.partial(torch.set_num_threads, 1))


def isolated(function: Callable[P, T]) -> Callable[P, T]:
    """Run a function as if its caller had set no mode of torch.

    Neither inference mode, nor `torch.no_grad`, nor autocast, nor a default device.
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
            return function(*args, **kwargs)

    return run
