"""Ids that an estimator is asked about, and what to say of those that it does not know."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Literal

import numpy as np

from .._core.messages import warn
from .frames import has_own_index
from .ids import Ids, as_id_array, plain, same_type

__all__ = ["Unknown", "as_single", "check_unknown", "known_codes", "shown", "warn_of_unknown"]

# What to do about ids that are not known.
Unknown = Literal["error", "ignore"]

# Among more ids than this an unknown one is compared with none, which would take long.
_MOST_COMPARED = 50_000


def as_single(identifier: Any) -> np.ndarray:
    """Wrap one id, of any type, in an array that holds exactly it."""
    wrapped = np.empty(1, dtype=object)
    wrapped[0] = identifier
    return wrapped


def check_unknown(unknown: Any) -> None:
    """Refuse what is no way to treat unknown ids."""
    if unknown not in ("error", "ignore"):
        raise ValueError(
            f"unknown is {unknown!r}; give 'error', or 'ignore' to leave out what has an id that "
            "is not known."
        )


def warn_of_unknown(ignored: str, first: Any, ids: Ids) -> None:
    """Warn that ratings of items that are not known, of which one is the first, are ignored."""
    warn(
        f"{ignored} are ignored, of items that are not in item_ids_; the first is {shown(first)}. "
        + _advice(first, "item", ids, None, "item_ids_")
    )


def known_codes(
    ids: Ids, queried: Any, what: str, others: Ids | None = None, where: str = ""
) -> np.ndarray:
    """Codes of ids, which must all be known.

    Messages call one a ``what``, "user" or "item", and say that ``where`` holds them;
    ``others`` are the ids of the other side.
    """
    codes = ids.codes(queried)
    unknown = np.flatnonzero(codes < 0)
    if len(unknown):
        where = where or f"{what}_ids_"
        first = as_id_array(queried)[unknown[0]]
        if has_own_index(queried) and (ids.codes(queried.index) >= 0).all():
            advice = "Ids are a Series' values, and here its index holds them: give series.index."
        else:
            advice = _advice(first, what, ids, others, where)
        such = f" such as {shown(ids.array[0])}" if len(ids) else ""
        raise KeyError(
            f"Unknown {what} id {shown(first)}: it is not in {where}, which holds {len(ids)} ids"
            f"{such}. {advice}"
        )
    return codes


def _advice(unknown: Any, what: str, ids: Ids, others: Ids | None, where: str) -> str:
    if isinstance(unknown, bool | np.bool_):
        return f"For a boolean mask give {where}[mask]."
    if isinstance(unknown, tuple) and unknown and (ids.codes(list(unknown)) >= 0).all():
        return "A tuple is one id: where several can be given, give a list."
    advice = []
    if not any(same_type(unknown, known) for known in ids.array[:100]):
        advice.append("Ids of different types are different.")
    if others is not None and others.code(unknown) >= 0:
        advice.append(f"There is {'an item' if what == 'user' else 'a user'} with this id.")
    similar = _similar_text(unknown, ids, only_case=what == "user")
    if similar is not None:
        advice.append(f"Did you mean {shown(similar)}?")
    if not advice and what == "user":
        advice.append("For a new user give ratings, as in recommend({item_id: rating}).")
    return " ".join(advice) or f"Look for it in {where}."


def _similar_text(unknown: Any, ids: Ids, only_case: bool) -> str | None:
    """Find the id that is the same text but for case and outer spaces.

    Otherwise, unless only that counts, the shortest that holds the text, or the one most like it.
    """
    if not isinstance(unknown, str) or not unknown.strip() or len(ids) > _MOST_COMPARED:
        return None
    by_lower = {id.strip().casefold(): id for id in ids.array.tolist() if isinstance(id, str)}
    lower = unknown.strip().casefold()
    if only_case or lower in by_lower:
        return by_lower.get(lower)
    holding = sorted((known for known in by_lower if lower in known), key=len)
    likely = holding or get_close_matches(lower, by_lower, 1)
    return by_lower[likely[0]] if likely else None


def shown(identifier: Any) -> str:
    """Write an id and its type for a message."""
    identifier = plain(identifier)
    return f"{identifier!r} ({type(identifier).__name__})"
