"""What users are told: warnings that point at their line, and links to the documentation."""

from __future__ import annotations

import sys
import sysconfig
import warnings
from pathlib import Path

__all__ = ["DOCUMENTATION", "see", "warn"]

DOCUMENTATION = "https://skautorec.github.io/skautorec/"

# Where no line of a user is: this package, those that are installed, and Python's own.
_INSIDE = (
    str(Path(__file__).parents[1]),
    *(sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")),
)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the first line, from here up, that is of nobody's library."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def see(page: str) -> str:
    """Sentence that leads to a page."""
    return f"See {DOCUMENTATION}{page}"
