"""What is most like something else, by the angle between factors around their mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .lists import best_of, slices
from .scores import Embeddings, Scores

__all__ = ["AroundMean", "are_same", "most_alike", "norms_around"]

# Elements of the largest temporary, and of one that is as fast when small.
_CHUNK, _SMALL = 2**23, 2**13


@dataclass(frozen=True)
class AroundMean:
    """Factors, their mean, and their norms around it: infinite where nothing is known."""

    factors: np.ndarray
    mean: np.ndarray
    norms: np.ndarray

    def cosines(self, factors: np.ndarray, norms: np.ndarray) -> np.ndarray:
        """Cosines of the angles around the mean: of some factors, in rows, with all of these."""
        unit = (factors - self.mean) / norms[:, None]
        everything = Embeddings(self.factors, np.zeros(len(self.factors)))
        block = Scores(Embeddings(unit, -(unit @ self.mean)), everything).block()
        block /= self.norms
        # Beyond these by rounding, where factors are almost their mean.
        return np.clip(block, -1, 1, out=block)


def norms_around(factors: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Norms of factors around their mean; 1 where that is 0."""
    norms = np.empty(len(factors))
    for part in slices(len(norms), _SMALL // max(1, len(mean))):
        norms[part] = np.linalg.norm(factors[part] - mean, axis=1)
    norms[norms == 0] = 1.0
    return norms


def are_same(factors: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Which rows are a given one, to the bit."""
    same = np.empty(len(factors), dtype=bool)
    for part in slices(len(same), _SMALL // max(1, len(row))):
        same[part] = (factors[part] == row).all(axis=1)
    return same


def most_alike(
    likeness: Callable[[slice], np.ndarray],
    codes: np.ndarray,
    columns: np.ndarray,
    n: int,
    n_all: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions among ``columns`` of what is most like each of some, and how like.

    Parameters
    ----------
    likeness : callable
        Returns how like some of them, in rows, all others are, in columns.
    codes : ndarray of int64 of shape (n_rows,)
        Column that a row is itself, which is not listed; -1 for none.
    columns : ndarray of int64
        What may be listed.
    n : int
        Length of the lists.
    n_all : int
        Number of all columns.

    Returns
    -------
    best, scores : ndarray of shape (n_rows, n)
        A score of NaN where there is nothing to list.
    """
    best, scores = np.zeros((len(codes), n), dtype=np.int64), np.full((len(codes), n), np.nan)
    for part in slices(len(codes), _CHUNK // max(1, n_all)):
        block = likeness(part)[:, columns].astype(np.float32)
        block[codes[part][:, None] == columns] = -np.inf
        best[part], scores[part] = best_of(block, n)
    scores[np.isneginf(scores)] = np.nan
    return best, scores
