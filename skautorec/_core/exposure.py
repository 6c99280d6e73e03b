"""Which items a user will meet: a linear autoencoder of who rated what, in closed form.

With ``X`` the pattern of the ratings, 1 where there is one and 0 elsewhere, the weights ``B`` that
minimise

    ||X - X B||^2 + penalty ||B||^2     with a diagonal of zeros, so that no cell explains itself,

are ``-P_ij / P_jj`` off the diagonal, with ``P = (X'X + penalty I)^-1``: H. Steck, "Embarrassingly
Shallow Autoencoders for Sparse Data", Proc. The World Wide Web Conference, 2019. With eigenvectors
``v`` and eigenvalues ``s`` of ``X'X``, and ``f = s / (s + penalty)``,

    penalty P = I - sum over k of f_k v_k v_k',

so that of many items the largest eigenvalues are enough: what a user reaches is the leave-one-out
prediction of ridge regression, ``(x V F V' - x h) / (1 - h)``, where ``h``, the leverages of the
items, are the diagonal of ``V F V'``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .draws import Draws
from .forks import Lock, cached_property
from .isolation import isolated
from .lists import slices
from .matrix import rows_of_cells, select, with_values
from .scores import shared_tensor
from .sparse import bag_sum

__all__ = ["Exposure", "ExposureOfFit", "fit_exposure"]

# Eigenvectors that are kept, and the iterations that they are found in. With a third more of them
# lists of MovieLens 1M find 1 % more and take longer; more iterations find no more.
_N_COMPONENTS, _N_ITERATIONS = 768, 3
# Elements of them at most, 1 GB: of more than 349,525 items fewer are kept.
_MOST_ELEMENTS = 2**28
# Users whom the penalty is chosen with, and the share of their cells that is held out.
_N_USERS, _SHARE = 1000, 0.2
# Penalty that is tried first, and the factor between it and others.
_PENALTY, _STEP = 200.0, 2.0
# Penalties that are tried at most on either side.
_MOST_STEPS = 12
# Length of the lists that are compared.
_LENGTH = 20
# Elements of the largest temporaries: of the basis times users, and of users times items.
_BASIS_CHUNK, _CHUNK = 2**26, 2**23
# Elements of the components that are in double precision at a time.
_DOUBLE_CHUNK = 2**20
# Share of its popularity that anybody is exposed to an item by.
_LEAST = 0.01
# Ratings are from 1 to 5.
_SPAN = 4.0
# Held while an exposure is computed, which takes so much that no two threads should.
_COMPUTING = Lock()


@dataclass(frozen=True)
class Exposure:
    """What leads from items that a user has rated to others.

    Attributes
    ----------
    components : ndarray of float32 of shape (n_items, k)
        Eigenvectors, each times the root of its ``f``.
    popularity : ndarray of float32 of shape (n_items,)
        Share of the users who have rated each item.
    penalty : float
        What was chosen.
    """

    components: np.ndarray
    popularity: np.ndarray
    penalty: float

    @cached_property
    def leverage(self) -> np.ndarray:
        """How much of an item its own rating would explain, below 1: shape (n_items,), float32."""
        leverage: np.ndarray = _leverage(
            shared_tensor(self.components), torch.ones(self.components.shape[1])
        ).numpy()
        return leverage

    @property
    def least(self) -> np.ndarray:
        """Exposure of anybody: shape (n_items,), float32."""
        return _LEAST * self.popularity

    def take(self, items: np.ndarray) -> Exposure:
        """Exposure to some items."""
        return Exposure(self.components[items], self.popularity[items], self.penalty)

    def with_more(self, popularity: np.ndarray) -> Exposure:
        """Return it with items that came later, which nothing but their popularity leads to."""
        more = np.zeros((len(popularity), self.components.shape[1]), dtype=np.float32)
        return Exposure(
            np.vstack((self.components, more)),
            np.append(self.popularity, popularity.astype(np.float32)),
            self.penalty,
        )

    @isolated
    def codes(self, ratings: scipy.sparse.csr_array) -> np.ndarray:
        """Codes of users, whose inner products with components reach items.

        Parameters
        ----------
        ratings : csr_array of shape (n_users, n_items)
            In stars: an item counts by 1, and by what its rating is above the mean of the user's
            as a share of the range.

        Returns
        -------
        ndarray of float32 of shape (n_users, k)
        """
        weights = torch.from_numpy(_weights(ratings))
        codes: np.ndarray = bag_sum(
            *_places(ratings), weights, shared_tensor(self.components)
        ).numpy()
        return codes

    def own(self, ratings: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
        """What leads from ratings to their own items, which must not: in place of the ratings."""
        return with_values(ratings, _weights(ratings) * self.leverage[ratings.indices])

    @isolated
    def reached(self, codes: np.ndarray) -> np.ndarray:
        """Inner products of codes with the components of all items: float64."""
        products = np.empty((len(codes), len(self.components)))
        left = shared_tensor(codes).double()
        for part in slices(len(self.components), _DOUBLE_CHUNK // max(1, codes.shape[1])):
            right = shared_tensor(self.components[part]).double()
            products[:, part] = (left @ right.t()).numpy()
        return products

    def together(self, items: np.ndarray) -> np.ndarray:
        """How much the same users meet items, all others given: shape (n, n_items), float64.

        Partial correlations ``-P_ij / sqrt(P_ii P_jj)`` over the highest of each item in rows, so
        that 1 is the item that it is most met with; from -1, and 0 where there is none.
        """
        free = np.sqrt(1 - self.leverage.astype(np.float64))
        partial = self.reached(self.components[items]) / free
        partial[np.arange(len(items)), items] = 0
        highest = partial.max(axis=1, keepdims=True)
        partial /= np.where(highest > 0, highest, np.inf)
        return np.maximum(partial, -1, out=partial)


class ExposureOfFit:
    """Exposure by the ratings of a fit, computed when it is first needed.

    Parameters
    ----------
    ratings : csr_array of shape (n_users, n_items)
        Kept until then.
    """

    def __init__(self, ratings: scipy.sparse.csr_array) -> None:
        self._ratings: scipy.sparse.csr_array | None = ratings
        self.known: Exposure | None = None

    @classmethod
    def of(cls, exposure: Exposure) -> ExposureOfFit:
        """One that is computed."""
        one = cls.__new__(cls)
        one._ratings, one.known = None, exposure
        return one

    def get(self) -> Exposure:
        """The exposure."""
        if self.known is None:
            with _COMPUTING:
                # Another thread may have computed it meanwhile.
                if self._ratings is not None:
                    self.known = fit_exposure(self._ratings)
                    self._ratings = None
        assert self.known is not None
        return self.known


def _weights(ratings: scipy.sparse.csr_array) -> np.ndarray:
    """How much each rating counts, float32, from 0 to 2."""
    rows, counts = rows_of_cells(ratings), np.diff(ratings.indptr)
    means = np.bincount(rows, ratings.data, ratings.shape[0]) / np.maximum(counts, 1)
    weights: np.ndarray = np.clip(1 + (ratings.data - means[rows]) / _SPAN, 0, 2)
    return weights.astype(np.float32)


@isolated
def fit_exposure(ratings: scipy.sparse.csr_array) -> Exposure:
    """Compute the components, and choose the penalty with which lists are best.

    Parameters
    ----------
    ratings : csr_array of shape (n_users, n_items)
        Only which cells are stored counts.

    Returns
    -------
    Exposure

    Notes
    -----
    On two cores it takes a second for 1,700 items, two for 3,700 items and a million ratings, and
    forty for 50,000 items of 200,000 users; at its height about four times the memory of the
    components.
    """
    pattern = with_values(ratings, np.ones(ratings.nnz, dtype=np.float32))
    values, vectors = _largest(pattern)
    penalty = _choose_penalty(pattern, values, vectors)
    vectors *= (values / (values + penalty)).sqrt().float()
    counts = np.bincount(pattern.indices, minlength=pattern.shape[1])
    components = vectors.numpy()
    components[counts == 0] = 0  # nothing but rounding
    return Exposure(components, (counts / pattern.shape[0]).astype(np.float32), penalty)


def _largest(pattern: scipy.sparse.csr_array) -> tuple[Tensor, Tensor]:
    """Largest eigenvalues of ``X'X``, float64 and falling, and their vectors in columns.

    By subspace iteration from random vectors.
    """
    k = min(_N_COMPONENTS, _MOST_ELEMENTS // pattern.shape[1], *pattern.shape)
    parts = [
        (_cells(part), _cells(part.T.tocsr()))
        for part in (pattern[rows] for rows in slices(pattern.shape[0], _BASIS_CHUNK // k))
    ]
    basis = Draws(0, "exposure").normal(pattern.shape[1], k)
    for _ in range(_N_ITERATIONS):
        product = torch.zeros_like(basis)
        for rows, columns in parts:
            product += bag_sum(*columns, bag_sum(*rows, basis))
        basis = torch.linalg.qr(product)[0]
    inside = torch.zeros((k, k), dtype=torch.float64)
    for rows, _ in parts:
        reached = bag_sum(*rows, basis)
        inside += (reached.t() @ reached).double()
    values, rotation = torch.linalg.eigh(inside)
    return values.flip(0).clamp(min=0), basis @ rotation.flip(1).float()


def _choose_penalty(pattern: scipy.sparse.csr_array, values: Tensor, vectors: Tensor) -> float:
    """Penalty whose lists hold most of the cells that are held out, the higher up the better.

    Lists of users whom the weights do not know: what their rows add to ``X'X`` is taken out.
    """
    draws = Draws(0, "exposure")
    is_out = draws.of_matrix(pattern) < _SHARE
    kept, heldout = select(pattern, ~is_out), select(pattern, is_out)
    has_both = (np.diff(kept.indptr) > 0) & (np.diff(heldout.indptr) > 0)
    order = draws.order(pattern.shape[0])
    users = order[has_both[order]][:_N_USERS]
    if not len(users):
        return _PENALTY
    parts = [
        (kept[some], heldout[some])
        for some in (users[part] for part in slices(len(users), _CHUNK // pattern.shape[1]))
    ]

    def gain(penalty: float) -> float:
        shares = (values / (values + penalty)).float()
        inverse = _Inverse(vectors, shares, _leverage(vectors, shares), penalty)
        gains = [_gains(inverse.exposure_without(*part), part[1]) for part in parts]
        return float(np.mean(np.concatenate(gains)))

    return _climb(gain)


def _climb(gain: Callable[[float], float]) -> float:
    """Penalty from which a step to either side is no better."""
    best, most = _PENALTY, gain(_PENALTY)
    for step in (_STEP, 1 / _STEP):
        for _ in range(_MOST_STEPS):
            found = gain(best * step)
            if found <= most:
                break
            best, most = best * step, found
        if best != _PENALTY:
            break
    return best


@dataclass(frozen=True)
class _Inverse:
    """``penalty P``, by eigenvectors, their shares ``f`` and the leverages that these give."""

    vectors: Tensor
    shares: Tensor
    leverage: Tensor
    penalty: float

    def times(self, cells: scipy.sparse.csr_array) -> Tensor:
        """``x penalty P`` for each row x."""
        codes = bag_sum(*_cells(cells), self.vectors) * self.shares
        return torch.from_numpy(cells.toarray()).sub_(codes @ self.vectors.t())

    def exposure_without(
        self, kept: scipy.sparse.csr_array, heldout: scipy.sparse.csr_array
    ) -> Tensor:
        """Exposure of users by some of their cells, had X no rows of theirs.

        Without a row x, P is P + P x' x P / (1 - x P x'): Sherman and Morrison (1950).
        """
        of_kept = self.times(kept)
        of_all = self.times(heldout).add_(of_kept)
        rest = self.penalty - _sums(of_all, kept) - _sums(of_all, heldout)
        factors = (_sums(of_kept, kept) + _sums(of_kept, heldout)) / rest
        exposure = of_kept.addcmul_(factors[:, None], of_all)
        exposure /= self.leverage - 1 - of_all.square_() / rest[:, None]
        exposure[kept.tocoo().coords] = -torch.inf
        return exposure


def _leverage(vectors: Tensor, shares: Tensor) -> Tensor:
    """Sum of ``f_k v_k^2`` of each item, below 1 in spite of rounding."""
    leverage = torch.empty(len(vectors))
    for part in slices(len(vectors), _CHUNK // max(1, len(shares))):
        leverage[part] = vectors[part].square() @ shares
    return leverage.clamp_(max=1 - 2.0**-20)


def _sums(rows: Tensor, cells: scipy.sparse.csr_array) -> Tensor:
    """Sum of each row over its cells."""
    indptr, indices = _places(cells)
    of_cells = rows[torch.from_numpy(rows_of_cells(cells)).long(), indices]
    return torch.segment_reduce(of_cells, "sum", offsets=indptr)


def _gains(scores: Tensor, heldout: scipy.sparse.csr_array) -> np.ndarray:
    """NDCG of held-out cells, of each user."""
    listed = scores.topk(min(_LENGTH, scores.shape[1]), dim=1)[1].numpy()
    is_hit = heldout.toarray()[np.arange(len(listed))[:, None], listed] > 0
    discounts = 1 / np.log2(np.arange(2, listed.shape[1] + 2))
    ideal = np.append(0, np.cumsum(discounts))[np.minimum(np.diff(heldout.indptr), len(discounts))]
    gains: np.ndarray = is_hit @ discounts / ideal
    return gains


def _cells(matrix: scipy.sparse.csr_array) -> tuple[Tensor, Tensor, Tensor]:
    """A matrix in compressed rows, for `bag_sum`."""
    return *_places(matrix), torch.tensor(matrix.data)


def _places(matrix: scipy.sparse.csr_array) -> tuple[Tensor, Tensor]:
    """Where the rows of a matrix begin, and the columns of its cells."""
    indptr, indices = torch.tensor(matrix.indptr), torch.tensor(matrix.indices)
    return indptr.long(), indices.long()
