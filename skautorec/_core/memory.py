"""What takes more memory than there can ever be, refused before the work begins."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from .solvers import N_COPIES

__all__ = ["bytes_of_fit", "most_memory", "refuse_beyond_memory"]

# Looking takes up to two milliseconds, and what takes less than 64 MB may take less than a hundred.
_SMALL = 2**26


def refuse_beyond_memory(n_bytes: int, what: str, instead: str) -> None:
    """Raise a MemoryError where something cannot work, whatever else there is in memory.

    Parameters
    ----------
    n_bytes : int
        What it takes at least.
    what : str
        What takes it.
    instead : str
        Sentence that says what to do.
    """
    if n_bytes < _SMALL:
        return
    most = most_memory()
    if n_bytes > most:
        raise MemoryError(
            f"{what} takes {n_bytes / 1e9:,.1f} GB of memory, and this process can have "
            f"{most / 1e9:,.1f} GB at most. {instead}"
        )


def most_memory() -> float:
    """Bytes of memory that this process can ever have: of the machine, a container or a limit.

    Infinite on other systems than Linux, which make swap as they need it, and where nobody says.
    """
    if sys.platform != "linux":
        return math.inf
    import resource

    limits = [resource.getrlimit(which)[0] for which in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    bounds = [limit for limit in limits if limit != resource.RLIM_INFINITY]
    with suppress(OSError, LookupError, ValueError):
        bounds.append(_of_machine(Path("/")))
    return min(bounds, default=math.inf)


def _of_machine(root: Path) -> int:
    """Memory of the machine or as much of it as the container has, and swap."""
    lines = (root / "proc/meminfo").read_text().splitlines()
    kilobytes = dict(line.split()[:2] for line in lines)
    memory, swap = (1024 * int(kilobytes[name]) for name in ("MemTotal:", "SwapTotal:"))
    return min([memory, *_of_groups(root)]) + swap


def _of_groups(root: Path) -> Iterator[int]:
    """Limits of the control groups that the process is in, of both versions, without swap."""
    mounted = root / "sys/fs/cgroup"
    for line in (root / "proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            folder, name = mounted, "memory.max"
        elif "memory" in controllers.split(","):
            folder, name = mounted / "memory", "memory.limit_in_bytes"
        else:
            continue
        # A group's limit holds in the groups below it too. In a container the first may be its own.
        group = folder / path.strip("/")
        for file in (one / name for one in (group, *group.parents)):
            if file.is_relative_to(folder) and file.is_file():
                limit = file.read_text().strip()
                if limit != "max":
                    yield int(limit)


def bytes_of_fit(
    n_users: int,
    n_items: int,
    n_targets: int,
    hidden_units: tuple[int, ...],
    *,
    kind: str,
    solver: str,
    n_members: int,
    on_cpu: bool,
) -> int:
    """Bytes that a fit takes at least, without the ratings.

    The largest network in training, where that is in this memory; or the rows of all models, and
    what the first layer makes of each item's ratings.
    """
    first, last = hidden_units[0], hidden_units[-1]
    encoders = {"item": (1, n_users, n_users), "user": (2, n_items, n_targets)}
    sides = list(encoders) if kind == "both" else [kind]
    networks = [
        _n_weights(n_channels * n_inputs, n_outputs, hidden_units)
        for n_channels, n_inputs, n_outputs in (encoders[side] for side in sides)
    ]
    training = 4 * N_COPIES[solver] * max(networks) if on_cpu else 0
    rows = 8 * n_members * len(sides) * last * (n_users + n_targets)
    sums = 8 * n_members * first * n_items if "item" in sides else 0
    return max(training, rows + sums)


def _n_weights(n_inputs: int, n_outputs: int, hidden_units: tuple[int, ...]) -> int:
    """Weights of a network."""
    widths = n_inputs, *hidden_units
    return sum(a * b for a, b in pairwise(widths)) + hidden_units[-1] * n_outputs
