"""What users pass to an estimator, checked: training data, new rows, held-out ratings, weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import validate_data

from .._core.matrix import Table, rows_of_cells, select
from .._core.messages import see, warn
from . import frames
from .ids import Ids, as_id_array, plain
from .lookup import Unknown, warn_of_unknown
from .matrix import Matrix, observed_csr, observed_from_dense, read_matrix
from .plausible import (
    warn_of_implicit_feedback,
    warn_of_other_numbers,
    warn_of_other_value,
)
from .ratings import Ratings
from .scale import LARGEST, Columns, Layout, Scale
from .table import LEAST_WEIGHT
from .values import to_float64, without_mask

__all__ = [
    "TrainingInput",
    "check_new_ratings",
    "hide_ratings",
    "read_heldout",
    "read_rows",
    "read_training_input",
    "read_weights",
    "refuse_other_index",
    "refuse_overlap",
    "weights_of",
]

# Share of each row's ratings that score(X) hides, and the seed of the choice: constants, so that
# candidates in a search are compared on the same cells.
_HIDDEN_SHARE = 0.2
_HIDDEN_SEED = 0

# How far beyond the range of the training, as a share of it, a new rating is no longer chance.
_BEYOND = 0.05


@dataclass(frozen=True, eq=False)
class TrainingInput(Layout):
    """What ``fit`` was given, checked.

    Attributes
    ----------
    source : Ratings or Table
        Where the ratings are.
    """

    source: Ratings | Table

    def table(self) -> Table:
        """Ratings in rating units: of `Ratings` made anew, so that a fit need not keep them."""
        if isinstance(self.source, Ratings):
            weights = _weights_of_cells(self.source)
            return Table(self.source.to_matrix(), None, weights)
        return self.source

    def in_stars(self) -> Table:
        """Ratings in the units of training."""
        return self.to_stars(self.table())


def read_training_input(
    estimator: BaseEstimator, X: Any, y: Any, rating_range: Any
) -> TrainingInput:
    """Check what ``fit`` is given; the estimator, for messages and names, is left as it is."""
    if isinstance(X, Ratings):
        ratings = _read_ratings(X, y)
        if not warn_of_other_value(ratings.values, partial(_place, ratings)):
            warn_of_implicit_feedback(ratings.values)
        scale = _read_range(ratings.values, ratings.n_items, rating_range)
        columns = Columns(ratings._items, scale)
        return TrainingInput(ratings._users, columns, columns, 2, None, ratings)
    if y is not None:
        refuse_other_index(X, y)
    matrix = read_matrix(X)
    names = _feature_names(estimator, X)
    observed = matrix.observed
    _refuse_no_ratings(observed, "X")
    if not warn_of_other_numbers(observed, matrix.columns):
        warn_of_implicit_feedback(observed.data)
    inputs = Columns(matrix.items, _read_range(observed.data, observed.shape[1], rating_range))
    if y is None:
        return TrainingInput(matrix.users, inputs, inputs, 2, names, Table(observed, None))
    of_y, ndim = _read_targets(y, observed)
    targets = Columns(_target_ids(y, of_y), Scale.of_columns(of_y.observed))
    return TrainingInput(matrix.users, inputs, targets, ndim, names, Table(observed, of_y.observed))


def _place(ratings: Ratings, position: int) -> str:
    user, item = (
        ratings.user_ids[ratings.users[position]],
        ratings.item_ids[ratings.items[position]],
    )
    return f"of item {plain(item)!r} by user {plain(user)!r}"


def _feature_names(estimator: BaseEstimator, X: Any) -> np.ndarray | None:
    """Names that scikit-learn knows a matrix' columns by."""
    # validate_data writes to the estimator, which a fit that fails must leave as it was.
    stand_in = copy.copy(estimator)
    validate_data(stand_in, X, skip_check_array=True)
    return getattr(stand_in, "feature_names_in_", None)


def read_rows(
    estimator: BaseEstimator,
    X: Any,
    inputs: Columns,
    names: np.ndarray | None,
    unknown: Unknown = "error",
) -> scipy.sparse.csr_array:
    """Read rows given to a fitted estimator: frames by column name, arrays by position.

    With ``unknown="ignore"`` columns of a frame that are no items are left out, with a warning, and
    items that it lacks are unobserved.
    """
    if isinstance(X, Mapping) and not scipy.sparse.issparse(X):
        raise TypeError(
            "Rows are given as a sparse matrix, an array or a DataFrame, a row per user. A mapping "
            "{item_id: rating} goes to recommend."
        )
    matrix = read_matrix(X)
    if matrix.columns is None:
        # As the fit that is asked about left it, whatever others do to the estimator meanwhile.
        stand_in = copy.copy(estimator)
        vars(stand_in).pop("feature_names_in_", None)
        vars(stand_in)["n_features_in_"] = len(inputs)
        if names is not None:
            vars(stand_in)["feature_names_in_"] = names
        validate_data(stand_in, X, reset=False, skip_check_array=True)
        observed = matrix.observed
    else:
        observed = _aligned(matrix, inputs.ids, "item_ids_", unknown)
    check_new_ratings(observed.data, inputs.scale)
    return observed


def check_new_ratings(values: np.ndarray, scale: Scale) -> None:
    """Refuse ratings of new users that are too large, and warn of those far out of the range."""
    low, high = scale.bounds
    huge = values[np.abs(values) > LARGEST]
    if len(huge):
        raise ValueError(
            f"A rating of {huge[0]:g} is beyond {LARGEST:g}, and the ratings of the training are "
            f"from {low:g} to {high:g}. Give ratings of that range."
        )
    far = _BEYOND * (high - low)
    outside = values[(values < low - far) | (values > high + far)]
    if len(outside):
        warn(
            f"A rating of {outside[0]:g} is outside the rating range {low:g} to {high:g} of the "
            "training; it is read on the same scale."
        )


def _weights_of_cells(ratings: Ratings) -> np.ndarray | None:
    """Weights of a table in the order of its matrix; None where all are 1."""
    if ratings.weights is None or (ratings.weights == 1).all():
        return None
    weights: np.ndarray = ratings.with_values(ratings.weights).to_matrix().data
    return weights


def _weighing(ratings: Ratings) -> Ratings:
    """Leave out the ratings of weight 0, which are as if they were not there."""
    if ratings.weights is None:
        return ratings
    if ratings.weights.max() < LEAST_WEIGHT:
        raise ValueError(
            f"All {len(ratings)} weights of these Ratings are 0, or below {LEAST_WEIGHT:g}, which "
            "is as if a rating were not there; give at least one rating that counts."
        )
    if ratings.weights.all():
        return ratings
    return ratings[ratings.weights > 0]


def _read_ratings(ratings: Ratings, y: Any) -> Ratings:
    """Read a table of ratings; ``y`` overrides its values."""
    if not len(ratings):
        raise ValueError("These Ratings hold no ratings; give at least one to fit on.")
    if y is None:
        ratings.check_values()
        return _weighing(ratings)
    values = to_float64(column_or_1d(without_mask(y)), "y")
    if len(values) != len(ratings):
        raise ValueError(
            f"y has {len(values)} values for {len(ratings)} ratings; give one per rating, or leave "
            "y out to use ratings.values."
        )
    check_array(values, ensure_2d=False, input_name="y")
    return _weighing(ratings.with_values(values))


def _read_targets(y: Any, X: scipy.sparse.csr_array) -> tuple[Matrix, int]:
    """Read further columns to predict from ``X``, and the number of dimensions of ``y``."""
    matrix, ndim = _read_y(y)
    targets = matrix.observed
    if targets.shape[0] != X.shape[0]:
        raise ValueError(
            f"X has {X.shape[0]} rows and y has {targets.shape[0]}; both must have a row per user."
        )
    if targets.shape == X.shape and _equal(_not_filled(targets, X), X):
        raise ValueError(
            "y holds the same ratings as X. Leave y out: fit(X) predicts X's own columns, and with "
            "y the answers would be among the inputs."
        )
    _refuse_no_ratings(targets, "y")
    return matrix, ndim


def _not_filled(targets: scipy.sparse.csr_array, X: scipy.sparse.csr_array) -> Any:
    """Leave out zeros at cells that X does not observe, where they are all of the rest."""
    is_other = np.ones(targets.nnz, dtype=bool)
    if targets.nnz == targets.shape[0] * targets.shape[1]:
        is_other = without_values(X).toarray()[rows_of_cells(targets), targets.indices]
    return targets if targets.data[~is_other].any() else select(targets, is_other)


def _target_ids(y: Any, read: Matrix) -> Ids:
    """Ids of the columns of ``y``: names of a frame, or that of a series, where there are any."""
    name = frames.series_name(y) if frames.is_series(y) else None
    return read.items if name is None else Ids(as_id_array([name]))


def read_heldout(y: Any, n_users: int, items: Ids) -> scipy.sparse.csr_array:
    """Read held-out ratings of ``items``: frames by column name, arrays by position."""
    matrix, _ = _read_y(y)
    heldout = matrix.observed
    if matrix.columns is not None:
        heldout = _aligned(matrix, items, "target_ids_")
    if heldout.shape != (n_users, len(items)):
        raise ValueError(
            f"y has shape {heldout.shape}, expected {(n_users, len(items))}: a row per row of X "
            "and a column per predicted item."
        )
    _refuse_no_ratings(heldout, "y")
    return heldout


def read_weights(sample_weight: Any, n_samples: int, of: str) -> np.ndarray | None:
    """Read a weight per sample; None where there are none."""
    if sample_weight is None:
        return None
    weights: np.ndarray = check_array(
        column_or_1d(sample_weight), dtype=np.float64, ensure_2d=False, input_name="sample_weight"
    )
    if len(weights) != n_samples:
        raise ValueError(
            f"sample_weight has {len(weights)} values for {n_samples} {of}; give one for each."
        )
    return weights


def weights_of(ratings: Ratings, sample_weight: Any) -> np.ndarray | None:
    """Weights of a table times those given beside it; None where there are none."""
    weights = read_weights(sample_weight, len(ratings), "ratings")
    if ratings.weights is None:
        return weights
    weights = ratings.weights if weights is None else ratings.weights * weights
    if not weights.any():
        raise ValueError(
            f"All {len(weights)} weights of these Ratings are 0, so that there is nothing to "
            "score; give ratings that count."
        )
    return weights


def hide_ratings(
    ratings: scipy.sparse.csr_array,
) -> tuple[scipy.sparse.csr_array, scipy.sparse.csr_array]:
    """Split each row's ratings into what stays visible and what is hidden.

    A row of ``n >= 2`` hides a fifth, rounded, at least one; the choice is always the same.
    """
    counts = np.diff(ratings.indptr)
    shares = np.where(counts > 1, np.maximum(1, np.rint(counts * _HIDDEN_SHARE)), 0)
    rows = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((np.random.default_rng(_HIDDEN_SEED).random(ratings.nnz), rows))
    rank = np.empty(ratings.nnz, dtype=np.int64)
    rank[order] = np.arange(ratings.nnz) - np.repeat(ratings.indptr[:-1], counts)
    is_hidden = rank < shares[rows]
    if not is_hidden.any():
        raise ValueError(
            "score(X) hides ratings of each row and predicts them from the others, and no row of X "
            "has two ratings. Give rows with more ratings, or score(context, heldout). "
            + see("guide/evaluation.html")
        )
    return select(ratings, ~is_hidden), select(ratings, is_hidden)


def refuse_overlap(context: scipy.sparse.csr_array, heldout: scipy.sparse.csr_array) -> None:
    """Refuse a cell that is both given and to be predicted."""
    both = without_values(context).multiply(without_values(heldout)).tocoo()
    if both.nnz:
        row, column = (int(coordinate[0]) for coordinate in both.coords)
        raise ValueError(
            f"{both.nnz} cells are observed both in X and in y, the first in row {row}, column "
            f"{column}: the answer would be among the inputs. Leave held-out ratings out of X."
        )


def without_values(ratings: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Observed cells only: every stored value becomes True."""
    cells = np.ones(ratings.nnz, dtype=bool)
    return scipy.sparse.csr_array((cells, ratings.indices, ratings.indptr), shape=ratings.shape)


def _read_range(values: np.ndarray, n_columns: int, given: Any) -> Scale:
    """One range for all columns: the given one, or lowest and highest training rating."""
    low, high = values.min(), values.max()
    if given is None:
        return Scale.shared(low, high, n_columns)
    lowest, highest = _check_range(given)
    if low < lowest or high > highest:
        raise ValueError(
            f"Ratings from {low:g} to {high:g} were given with rating_range=({lowest:g}, "
            f"{highest:g}). Widen rating_range, or leave it None to use the observed range."
        )
    return Scale.shared(lowest, highest, n_columns)


def _aligned(
    matrix: Matrix, items: Ids, where: str, unknown: Unknown = "error"
) -> scipy.sparse.csr_array:
    """Cells of a frame whose columns are exactly ``items``, or may be others too, in any order."""
    columns, observed = matrix.items, matrix.observed
    codes = items.translate(columns)
    others, missing = columns.array[codes < 0], len(items) - (codes >= 0).sum()
    if len(others) and unknown == "ignore":
        of = f"{len(others)} of {len(columns)} columns of the frame"
        warn_of_unknown(of, others[0], items)
        observed = select(observed, codes[observed.indices] >= 0)
    elif len(others):
        raise ValueError(
            f"The frame has {len(others)} columns that are no items of this estimator, the first "
            f"is {plain(others[0])!r}. Give exactly the columns in {where}, in any order, for "
            f"instance by reindex(columns={where})."
        )
    if missing and unknown == "error":
        lacking = items.array[np.setdiff1d(np.arange(len(items)), codes)[0]]
        raise ValueError(
            f"The frame lacks {missing} of the {len(items)} items of this estimator, the first is "
            f"{plain(lacking)!r}. Give exactly the columns in {where}, in any order; use NaN for "
            f"items without ratings, or reindex(columns={where})."
        )
    cells = observed.data, codes[observed.indices].astype(observed.indices.dtype), observed.indptr
    aligned = scipy.sparse.csr_array(cells, shape=(observed.shape[0], len(items)))
    aligned.sort_indices()
    return aligned


def _check_range(given: Any) -> tuple[float, float]:
    try:
        lowest, highest = (float(bound) for bound in given)
    except (TypeError, ValueError):
        lowest, highest = np.nan, np.nan
    if not -np.inf < lowest < highest < np.inf:
        raise ValueError(
            f"rating_range is {given!r}; give the lowest and the highest rating, as in (1, 5)."
        )
    return lowest, highest


def _read_y(y: Any) -> tuple[Matrix, int]:
    """Read columns beside a matrix, one of them perhaps as a vector; and their dimensions."""
    if not frames.is_series(y) and not _is_vector(y):
        return read_matrix(y, "y"), 2
    stored = frames.sparse_values(y)
    if stored is not None:
        return Matrix(observed_csr(stored)), 1
    values = y.to_numpy() if hasattr(y, "to_numpy") else y
    checked = check_array(
        without_mask(values),
        dtype=None,
        ensure_2d=False,
        ensure_all_finite="allow-nan",
        input_name="y",
    )
    return Matrix(observed_from_dense(to_float64(checked, "y")[:, None])), 1


def _is_vector(y: Any) -> bool:
    if scipy.sparse.issparse(y) or frames.is_frame(y):
        return False
    return np.asarray(y).ndim == 1


def _refuse_no_ratings(observed: scipy.sparse.csr_array, name: str) -> None:
    if observed.nnz == 0:
        raise ValueError(
            f"{name} has shape {observed.shape} and no ratings: every cell is unobserved. Give at "
            "least one rating (stored in a sparse matrix, not NaN in a dense one)."
        )


def refuse_other_index(X: Any, y: Any) -> None:
    """Refuse rows of ``y`` that belong to other users than those of ``X``."""
    if not frames.has_index(X) or not frames.has_index(y) or len(X) != len(y):
        return
    codes = Ids(as_id_array(X.index)).codes(as_id_array(y.index))
    in_order = np.arange(len(codes))
    if np.array_equal(np.sort(codes), in_order) and not np.array_equal(codes, in_order):
        raise ValueError(
            "X and y have a row per user, and their indexes hold the same users in another order, "
            "while rows are matched by position. Give y.loc[X.index]."
        )


def _equal(left: scipy.sparse.csr_array, right: scipy.sparse.csr_array) -> bool:
    return (
        left.nnz == right.nnz
        and np.array_equal(left.indptr, right.indptr)
        and np.array_equal(left.indices, right.indices)
        and np.array_equal(left.data, right.data)
    )
