"""From what users pass to what the core takes: checked once, here.

Every function returns observed cells as a float64 ``csr_array`` of users x items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import validate_data

from ._core.matrix import rows_of_cells, select
from ._core.warning import warn
from ._ids import Ids, as_id_array, plain
from ._links import see
from ._matrix import observed_csr, observed_from_dense, place, to_float64, without_mask
from ._plausible import warn_of_other_numbers
from ._ratings import Ratings
from ._scale import Scale
from ._table import (
    frame_names,
    refuse_long_table,
    refuse_mixed_columns,
    warn_of_long_table,
)

__all__ = [
    "has_own_index",
    "hide_ratings",
    "is_frame",
    "read_heldout",
    "read_new_matrix",
    "read_range",
    "read_ratings",
    "read_targets",
    "read_training_matrix",
    "read_weights",
    "refuse_other_index",
    "refuse_overlap",
    "without_values",
]

# Share of each row's ratings that score(X) hides, and the seed of the choice: constants, so that
# candidates in a search are compared on the same cells.
_HIDDEN_SHARE = 0.2
_HIDDEN_SEED = 0

# Ratings that are enough to expect some that differ.
_N_TABLE = 20

# What scikit-learn is told of a rating matrix.
_MATRIX: dict[str, Any] = {
    "accept_sparse": "csr",
    "dtype": np.float64,
    "ensure_all_finite": "allow-nan",
}


def is_frame(X: Any) -> bool:
    """Whether ``X`` is a data frame of any library narwhals knows."""
    return nw.dependencies.is_into_dataframe(X)


def has_own_index(data: Any) -> bool:
    """Whether ``data`` is of pandas and has an index that is not the default one, 0 to n-1."""
    if not _has_index(data):
        return False
    start, step = (getattr(data.index, name, None) for name in ("start", "step"))
    return (start, step) != (0, 1)


def _has_index(data: Any) -> bool:
    return nw.dependencies.is_pandas_series(data) or nw.dependencies.is_pandas_dataframe(data)


def frame_ids(X: Any) -> tuple[Ids, Ids]:
    """User ids from the index of a frame (0..n-1 where it has none), item ids from its columns."""
    index = getattr(X, "index", None)
    users = Ids.range(X.shape[0]) if index is None else Ids(as_id_array(index))
    return users, Ids(as_id_array(frame_names(X)))


def read_training_matrix(
    estimator: BaseEstimator, X: Any
) -> tuple[scipy.sparse.csr_array, Ids, Ids]:
    """Read the matrix given to ``fit``; sets ``n_features_in_`` and ``feature_names_in_``."""
    refuse_long_table(X)
    if scipy.sparse.issparse(X):
        _refuse_bad_type(X)
        X = observed_csr(X)
    try:
        checked = validate_data(estimator, _prepared(X), **_MATRIX)
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
        cells = np.asarray(X, dtype=object)
        is_text = np.array(
            [isinstance(value, str) and not _is_number(value) for value in cells.flat]
        )
        where = place(int(is_text.argmax()), cells) if is_text.any() else ""
        raise ValueError(
            f"{error}{where}. Every column of a matrix holds the ratings of an item; the ids of "
            "users belong in the index of a pandas frame, as after set_index. " + see("data.html")
        ) from None
    warn_of_long_table(checked)
    observed = _observed(checked)
    _refuse_no_ratings(observed, "X")
    warn_of_other_numbers(observed, frame_names(X) if is_frame(X) else range(observed.shape[1]))
    if is_frame(X):
        return observed, *frame_ids(X)
    return observed, Ids.range(observed.shape[0]), Ids.range(observed.shape[1])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_new_matrix(estimator: BaseEstimator, X: Any, items: Ids) -> scipy.sparse.csr_array:
    """Read rows given to a fitted estimator: frames by column name, arrays by position."""
    if isinstance(X, Mapping) and not scipy.sparse.issparse(X):
        raise TypeError(
            "Rows are given as a sparse matrix, an array or a DataFrame, a row per user. A mapping "
            "{item_id: rating} goes to recommend."
        )
    refuse_long_table(X)
    if not is_frame(X):
        if scipy.sparse.issparse(X):
            X = observed_csr(X)
        return _observed(validate_data(estimator, _prepared(X), reset=False, **_MATRIX))
    return _aligned(X, items, "item_ids_")


def read_ratings(ratings: Ratings, y: Any) -> Ratings:
    """Read a table of ratings; ``y`` overrides its values."""
    if not len(ratings):
        raise ValueError("These Ratings hold no ratings; give at least one to fit on.")
    if y is None:
        ratings.check_values()
        return ratings
    values = to_float64(column_or_1d(without_mask(y)), "y")
    if len(values) != len(ratings):
        raise ValueError(
            f"y has {len(values)} values for {len(ratings)} ratings; give one per rating, or leave "
            "y out to use ratings.values."
        )
    check_array(values, ensure_2d=False, input_name="y")
    return ratings.with_values(values)


def read_targets(y: Any, X: scipy.sparse.csr_array) -> tuple[scipy.sparse.csr_array, Ids, int]:
    """Read further columns to predict from ``X``: their cells, their ids and the ndim of ``y``."""
    targets, ndim = _read_y(y)
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
    return targets, _target_ids(y, targets.shape[1]), ndim


def _not_filled(targets: scipy.sparse.csr_array, X: scipy.sparse.csr_array) -> Any:
    """Leave out zeros at cells that X does not observe, where they are all of the rest."""
    is_other = np.ones(targets.nnz, dtype=bool)
    if targets.nnz == targets.shape[0] * targets.shape[1]:
        is_other = without_values(X).toarray()[rows_of_cells(targets), targets.indices]
    return targets if targets.data[~is_other].any() else select(targets, is_other)


def _target_ids(y: Any, n_targets: int) -> Ids:
    """Ids of the columns of ``y``: names of a frame, or that of a series, where there are any."""
    if is_frame(y):
        return frame_ids(y)[1]
    name = getattr(y, "name", None) if nw.dependencies.is_into_series(y) else None
    has_name = name is not None and name == name and name != ""
    return Ids(as_id_array([name])) if has_name else Ids.range(n_targets)


def read_heldout(y: Any, n_users: int, items: Ids) -> scipy.sparse.csr_array:
    """Read held-out ratings of ``items``: frames by column name, arrays by position."""
    heldout = _aligned(y, items, "target_ids_") if is_frame(y) else _read_y(y)[0]
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


def read_range(values: np.ndarray, n_columns: int, given: Any) -> Scale:
    """One range for all columns: the given one, or lowest and highest training rating."""
    low, high = values.min(), values.max()
    if low == high and len(values) >= _N_TABLE:
        warn(
            f"All {len(values)} ratings are {low:g}, which says nothing of what anybody likes, so "
            "predictions are all the same and lists are in no order. skautorec is for explicit "
            "ratings; for clicks, views and purchases use a library for implicit feedback. "
            + see("data.html")
        )
    if given is None:
        return Scale.shared(low, high, n_columns)
    lowest, highest = _check_range(given)
    if low < lowest or high > highest:
        raise ValueError(
            f"Ratings from {low:g} to {high:g} were given with rating_range=({lowest:g}, "
            f"{highest:g}). Widen rating_range, or leave it None to use the observed range."
        )
    return Scale.shared(lowest, highest, n_columns)


def _aligned(X: Any, items: Ids, where: str) -> scipy.sparse.csr_array:
    """Read a frame whose columns are exactly ``items``, in any order."""
    columns = frame_ids(X)[1]
    codes = items.translate(columns)
    unknown, missing = columns.array[codes < 0], len(items) - (codes >= 0).sum()
    if len(unknown):
        raise ValueError(
            f"The frame has {len(unknown)} columns that are no items of this estimator, the first "
            f"is {plain(unknown[0])!r}. Give exactly the columns in {where}, in any order, for "
            f"instance by reindex(columns={where})."
        )
    if missing:
        lacking = items.array[np.setdiff1d(np.arange(len(items)), codes)[0]]
        raise ValueError(
            f"The frame lacks {missing} of the {len(items)} items of this estimator, the first is "
            f"{plain(lacking)!r}. Give exactly the columns in {where}, in any order; use NaN for "
            f"items without ratings, or reindex(columns={where})."
        )
    checked = check_array(_prepared(X), **_MATRIX)
    return _observed(checked[:, np.argsort(codes)])


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


def _read_y(y: Any) -> tuple[scipy.sparse.csr_array, int]:
    if scipy.sparse.issparse(y):
        return observed_csr(y), 2
    if nw.dependencies.is_pandas_series(y) and hasattr(y, "sparse"):
        return _read_y(y.to_frame())[0], 1
    prepared = _prepared(y)
    if hasattr(prepared, "sparse"):
        # What such a frame does not store is unobserved, as in any sparse matrix.
        return observed_csr(prepared.sparse.to_coo()), 2
    checked = check_array(
        prepared,
        dtype=np.float64,
        ensure_2d=False,
        ensure_all_finite="allow-nan",
        input_name="y",
    )
    read = _observed if checked.ndim == 2 else observed_from_dense
    return read(checked.reshape(len(checked), -1)), checked.ndim


def _observed(checked: Any) -> scipy.sparse.csr_array:
    if scipy.sparse.issparse(checked):
        return scipy.sparse.csr_array(checked)
    if not np.isnan(checked).any() and np.count_nonzero(checked) < checked.size / 2:
        warn(
            "More than half of this dense matrix is exactly 0 and none of it is NaN: every 0 is "
            "read as a rating. If 0 means unobserved, give a scipy sparse matrix or NaN there. "
            + see("data.html#a-matrix"),
        )
    return observed_from_dense(checked)


def _refuse_no_ratings(observed: scipy.sparse.csr_array, name: str) -> None:
    if observed.nnz == 0:
        raise ValueError(
            f"{name} has shape {observed.shape} and no ratings: every cell is unobserved. Give at "
            "least one rating (stored in a sparse matrix, not NaN in a dense one)."
        )


def _refuse_bad_type(X: Any) -> None:
    if X.dtype.kind not in "biuf":
        # validate_data has the message scikit-learn users know for complex and object data.
        check_array(X, accept_sparse=True)


def refuse_other_index(X: Any, y: Any) -> None:
    """Refuse rows of ``y`` that belong to other users than those of ``X``."""
    if not _has_index(X) or not _has_index(y) or len(X) != len(y):
        return
    codes = Ids(as_id_array(X.index)).codes(as_id_array(y.index))
    in_order = np.arange(len(codes))
    if np.array_equal(np.sort(codes), in_order) and not np.array_equal(codes, in_order):
        raise ValueError(
            "X and y have a row per user, and their indexes hold the same users in another order, "
            "while rows are matched by position. Give y.loc[X.index]."
        )


def _prepared(X: Any) -> Any:
    """With NaN in place of masks and of what a frame does not store, which scikit-learn reads."""
    refuse_mixed_columns(X)
    if hasattr(X, "sparse") and all(dtype.fill_value != dtype.fill_value for dtype in X.dtypes):
        return X.sparse.to_dense()
    return without_mask(X)


def _equal(left: scipy.sparse.csr_array, right: scipy.sparse.csr_array) -> bool:
    return (
        left.nnz == right.nnz
        and np.array_equal(left.indptr, right.indptr)
        and np.array_equal(left.indices, right.indices)
        and np.array_equal(left.data, right.data)
    )
