"""Which items a user will meet: an autoencoder of who rated what, in closed form.

With ``X`` the pattern of the ratings, 1 where there is one and 0 elsewhere, the weights ``B`` that
minimise

    ||X - X B||^2 + penalty ||B||^2     with a diagonal of zeros, so that no cell explains itself,

are ``-P_ij / P_jj`` off the diagonal, with ``P = (X'X + penalty I)^-1``: H. Steck, "Embarrassingly
Shallow Autoencoders for Sparse Data", Proc. The World Wide Web Conference, 2019. A user's exposure
to an item is the sum of the weights that lead to it from the items that they have rated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import torch

from .draws import Draws
from .isolation import isolated
from .matrix import select, with_values
from .scores import shared_tensor
from .sparse import bag_sum

__all__ = ["Exposure", "fit_exposure"]

# Items that have weights, those with the most ratings: of so many they take 1.6 GB. Of the others
# popularity is all that counts.
_MOST_ITEMS = 20_000
# More of them than these are inverted in single precision.
_N_DOUBLE = 10_000
# Items and users that the penalty is chosen with, and the share of the cells that is held out.
_N_TUNED, _N_USERS, _SHARE = 4_000, 2_000, 0.1
# Penalties that are tried at first; others if the best is outermost.
_PENALTIES, _STEP = [50.0, 200.0, 800.0], 4.0
# Length of the lists that are compared.
_LENGTH = 20
# Elements of the largest temporary beside the weights.
_CHUNK = 2**24


@dataclass(frozen=True)
class Exposure:
    """Weights between the items with the most ratings, and the popularity of all.

    Attributes
    ----------
    items : ndarray of int64 of shape (n_weighted,)
        Those that have weights, ascending.
    weights : ndarray of float32 of shape (n_weighted, n_weighted)
        From the items in rows to those in columns.
    popularity : ndarray of float32 of shape (n_items,)
        Share of the users who have rated each item, their exposure where there are no weights.
    penalty : float
        What they were computed with.
    """

    items: np.ndarray
    weights: np.ndarray
    popularity: np.ndarray
    penalty: float

    @isolated
    def of_users(self, ratings: scipy.sparse.csr_array) -> np.ndarray:
        """Exposure of users, by the cells of their ratings, to every item.

        Parameters
        ----------
        ratings : csr_array of shape (n_users, n_items)

        Returns
        -------
        ndarray of float32 of shape (n_users, n_items)
        """
        if len(self.items) == ratings.shape[1]:
            return _reached(ratings, self.weights)
        exposure = np.tile(self.popularity, (ratings.shape[0], 1))
        exposure[:, self.items] = _reached(ratings[:, self.items], self.weights)
        return exposure


@isolated
def fit_exposure(ratings: scipy.sparse.csr_array) -> Exposure:
    """Compute the weights, with the penalty that ranks held-out cells best.

    Parameters
    ----------
    ratings : csr_array of shape (n_users, n_items)
        Only which cells are stored counts.

    Returns
    -------
    Exposure

    Notes
    -----
    On two cores it takes half a second for 1,700 items, twelve for 3,700 and twenty for 7,200, most
    of it for the penalty, and at its height about 30 bytes for each pair of items.
    """
    pattern = with_values(ratings, np.ones(ratings.nnz, dtype=np.float32))
    counts = np.bincount(pattern.indices, minlength=pattern.shape[1])
    by_count = np.argsort(-counts, kind="stable")
    penalty = _choose_penalty(pattern[:, np.sort(by_count[:_N_TUNED])])
    items = np.sort(by_count[:_MOST_ITEMS])
    weights = _weights(_pairs(pattern[:, items]), penalty)
    popularity = (counts / pattern.shape[0]).astype(np.float32)
    return Exposure(items, weights, popularity, penalty)


def _pairs(pattern: scipy.sparse.csr_array) -> np.ndarray:
    """``X'X``: how many users have rated both items of each pair."""
    n_items = pattern.shape[1]
    pairs = np.empty((n_items, n_items), dtype=np.float32)
    by_item = pattern.T.tocsr()
    step = max(1, _CHUNK // n_items)
    for start in range(0, n_items, step):
        pairs[start : start + step] = (by_item[start : start + step] @ pattern).toarray()
    return pairs


def _weights(pairs: np.ndarray, penalty: float) -> np.ndarray:
    """``-P / diag(P)`` with a diagonal of zeros, float32."""
    # Single precision is as slow, for numbers too small for it, but takes half the memory.
    dtype = torch.float64 if len(pairs) <= _N_DOUBLE else torch.float32
    inverse = torch.tensor(pairs, dtype=dtype)
    inverse.diagonal().add_(penalty)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(inverse))
    inverse /= -inverse.diagonal().clone()
    inverse.fill_diagonal_(0)
    weights: np.ndarray = inverse.float().numpy()
    return weights


def _choose_penalty(pattern: scipy.sparse.csr_array) -> float:
    """Penalty whose lists hold most of the cells that are held out, the higher up the better."""
    draws = Draws(0, "exposure")
    is_out = draws.of_matrix(pattern) < _SHARE
    kept, heldout = select(pattern, ~is_out), select(pattern, is_out)
    has_both = (np.diff(kept.indptr) > 0) & (np.diff(heldout.indptr) > 0)
    order = draws.order(pattern.shape[0])
    chosen = order[has_both[order]][:_N_USERS]
    if not len(chosen):
        return _PENALTIES[1]
    pairs, kept, heldout = _pairs(kept), kept[chosen], heldout[chosen]

    def gain(penalty: float) -> float:
        return _gain(_weights(pairs, penalty), kept, heldout)

    gains = {penalty: gain(penalty) for penalty in _PENALTIES}
    best = max(gains, key=gains.__getitem__)
    while best in (min(gains), max(gains)) and len(gains) < 2 * len(_PENALTIES):
        other = best * _STEP if best == max(gains) else best / _STEP
        gains[other] = gain(other)
        best = max(gains, key=gains.__getitem__)
    return best


def _gain(
    weights: np.ndarray, kept: scipy.sparse.csr_array, heldout: scipy.sparse.csr_array
) -> float:
    """Mean NDCG of held-out cells."""
    scores = torch.from_numpy(_reached(kept, weights))
    scores[kept.tocoo().coords] = -torch.inf
    listed = scores.topk(min(_LENGTH, scores.shape[1]), dim=1)[1].numpy()
    is_hit = heldout.toarray()[np.arange(len(listed))[:, None], listed] > 0
    discounts = 1 / np.log2(np.arange(2, listed.shape[1] + 2))
    ideal = np.append(0, np.cumsum(discounts))[np.minimum(np.diff(heldout.indptr), len(discounts))]
    return float(np.mean(is_hit @ discounts / ideal))


def _reached(ratings: scipy.sparse.csr_array, weights: np.ndarray) -> np.ndarray:
    """Sum of the weights from the items that each user has rated."""
    indptr, indices = (
        torch.tensor(part, dtype=torch.int64) for part in (ratings.indptr, ratings.indices)
    )
    ones = torch.ones(ratings.nnz, dtype=torch.float32)
    sums: np.ndarray = bag_sum(indptr, indices, ones, shared_tensor(weights)).numpy()
    return sums
