"""Where the documentation is, for messages that a page explains at length."""

from __future__ import annotations

__all__ = ["DOCUMENTATION", "see"]

DOCUMENTATION = "https://skautorec.github.io/skautorec/"


def see(page: str) -> str:
    """Sentence that leads to a page."""
    return f"See {DOCUMENTATION}{page}"
