"""The affine map between a user's rating range and the five-star units of training.

Training always sees ratings from 1 to 5, so one value of ``lambd`` serves 1..5, 0..10, -10..10 and
1..100. Every item column has a range; the columns of one rating matrix share theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from .._core.matrix import Table
from .._core.scores import Embeddings
from .ids import Ids

__all__ = ["LARGEST", "Columns", "Layout", "Scale"]

# Largest rating, and 1 / the narrowest range: lists compare scores in single precision.
LARGEST = 1e30


@dataclass(frozen=True)
class Scale:
    """Lowest and highest rating of each column: two float64 arrays of shape (n_columns,)."""

    low: np.ndarray
    high: np.ndarray

    def __post_init__(self) -> None:
        with np.errstate(over="ignore"):
            ranges = self.high - self.low
        is_large = np.maximum(-self.low, self.high) > LARGEST
        is_narrow = (ranges > 0) & (ranges < 1 / LARGEST)
        for is_beyond, what, advice in (
            (is_large, f"beyond {LARGEST:g}", "Divide"),
            (is_narrow, f"closer together than {1 / LARGEST:g}", "Multiply"),
        ):
            if is_beyond.any():
                low, high = (bounds[is_beyond][0] for bounds in (self.low, self.high))
                raise ValueError(
                    f"Ratings from {low:g} to {high:g} are {what}, where lists have no order. "
                    f"{advice} all of them by a constant."
                )

    @classmethod
    def shared(cls, low: float, high: float, n_columns: int) -> Scale:
        """One range for all columns."""
        return cls(np.full(n_columns, float(low)), np.full(n_columns, float(high)))

    @classmethod
    def of_columns(cls, ratings: scipy.sparse.csr_array) -> Scale:
        """Each column's own observed range.

        A column with unobserved cells and equal ratings, or none, says nothing of its range and
        takes that of all ratings.
        """
        low = np.full(ratings.shape[1], np.inf)
        high = np.full(ratings.shape[1], -np.inf)
        np.minimum.at(low, ratings.indices, ratings.data)
        np.maximum.at(high, ratings.indices, ratings.data)
        has_gaps = np.bincount(ratings.indices, minlength=len(low)) < ratings.shape[0]
        says_nothing = (low >= high) & has_gaps
        low[says_nothing], high[says_nothing] = ratings.data.min(), ratings.data.max()
        return cls(low, high)

    @property
    def bounds(self) -> tuple[float, float]:
        """Range of the first column."""
        return float(self.low[0]), float(self.high[0])

    def clip(self, ratings: np.ndarray, columns: np.ndarray | slice | int = slice(None)) -> None:
        """Clip ratings to their column's range, in place."""
        np.clip(ratings, self.low[columns], self.high[columns], out=ratings)

    @property
    def slope(self) -> np.ndarray:
        """Rating units per star, of each column."""
        return (self.high - self.low) / 4

    @property
    def is_shared(self) -> bool:
        """Whether all columns have one range."""
        return bool(np.ptp(self.low) == 0 and np.ptp(self.high) == 0)

    def to_stars(self, ratings: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
        """Map ratings to 1..5 (a value outside the range goes on by the same line).

        In a column whose lowest and highest rating are equal every rating is 3 stars.
        """
        columns = 0 if self.is_shared else ratings.indices
        slope, stars = self.slope[columns], ratings.data - self.low[columns]
        stars /= np.where(slope > 0, slope, np.inf)
        stars += np.where(slope > 0, 1.0, 3.0)
        return scipy.sparse.csr_array(
            (stars, ratings.indices, ratings.indptr), shape=ratings.shape, copy=False
        )

    def users(self, stars: Embeddings) -> Embeddings:
        """Turn user rows that score in stars into rows that score in rating units."""
        if self.is_shared:
            return Embeddings(stars.factors, stars.bias * self.slope[0])
        return Embeddings(np.column_stack((stars.factors, stars.bias)), np.zeros(len(stars)))

    def items(self, stars: Embeddings) -> Embeddings:
        """Turn item rows that score in stars into rows that score in rating units.

        Columns of different ranges scale a user's bias differently, so there it becomes a factor.
        """
        factors = stars.factors
        if not self.is_shared:
            factors = np.column_stack((factors, np.ones(len(stars))))
        bias = self.low + self.slope * (stars.bias - 1)
        return Embeddings(factors * self.slope[:, None], bias)

    def decoded(self, users: Embeddings) -> Embeddings:
        """Make user rows of `users`, in a shared range, score codes in rating units."""
        slope = self.slope[0]
        return Embeddings(users.factors * slope, users.bias + self.low[0] - slope)


@dataclass(frozen=True)
class Columns:
    """Columns of a rating matrix: their ids, and the range of their ratings."""

    ids: Ids
    scale: Scale

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Layout:
    """Whose ratings of what: what a fit is given, and what it leaves, begin with it.

    Attributes
    ----------
    user_ids : Ids
    inputs, targets : Columns
        What is given of users and what is predicted: the same object but after ``fit(X, y)`` with
        a matrix.
    target_ndim : int
        Dimensions of the predictions for a matrix.
    feature_names : ndarray or None
        Names that scikit-learn knows the columns by: those of a frame where all are texts.
    """

    user_ids: Ids
    inputs: Columns
    targets: Columns
    target_ndim: int
    feature_names: np.ndarray | None

    @property
    def has_targets(self) -> bool:
        """Whether other columns are predicted than those given."""
        return self.targets is not self.inputs

    def to_stars(self, table: Table) -> Table:
        """Ratings in the units of training, from those in rating units."""
        y = None if table.y is None else self.targets.scale.to_stars(table.y)
        weights = None if table.weights is None else table.weights.astype(np.float64, copy=False)
        return Table(self.inputs.scale.to_stars(table.inputs), y, weights)
