"""What estimators of ratings share: reading, prediction, scoring, lists and files."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Literal, Protocol, Self, overload

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator, RegressorMixin, _fit_context
from sklearn.utils.validation import check_is_fitted

from . import _fields, _persistence
from ._core.matrix import ReadTable, Table, rows_of_cells, rows_or_none
from ._core.query import Query
from ._core.scores import Embeddings, Scores
from ._core.training_set import TrainingSet, compact
from ._core.warning import warn
from ._ids import share_a_type
from ._inputs import (
    hide_ratings,
    read_heldout,
    read_new_matrix,
    read_range,
    read_ratings,
    read_targets,
    read_training_matrix,
    read_weights,
    refuse_other_index,
    refuse_overlap,
)
from ._links import DOCUMENTATION, see
from ._persistence import File
from ._progress import Quiet
from ._ratings import Ratings
from ._recommend import RecommenderMixin, shown
from ._scale import Scale

__all__ = ["FittedModel", "RatingRegressor"]

# Ratings that make a table, of which most should be known.
_N_TABLE = 20
# Returns the ratings that `fit` was given: inputs and, where there are other columns, targets.
Given = Callable[[], tuple[scipy.sparse.csr_array, scipy.sparse.csr_array | None]]


class FittedModel(Protocol):
    """What the core must give of a fitted model; ratings are in stars, and cells of a matrix."""

    @property
    def n_units(self) -> int:
        """Number of factors."""

    @property
    def unseen_item(self) -> Embeddings:
        """An item without ratings."""

    def fold_in(self, users: Query) -> Embeddings:
        """Rows of users, known or new, from their ratings."""

    def variances(
        self, users: Query, rows: np.ndarray, asked: scipy.sparse.csr_array, read: ReadTable
    ) -> np.ndarray:
        """Variances of new ratings, as `Model.variances`."""


class RatingRegressor(RecommenderMixin, RegressorMixin, BaseEstimator):
    """An estimator of ratings as inner products of factors, which a subclass trains.

    A subclass has the parameter ``rating_range`` and the method ``_train``.
    """

    user_factors_: np.ndarray
    item_factors_: np.ndarray
    user_bias_: np.ndarray
    item_bias_: np.ndarray
    user_ids_: np.ndarray
    item_ids_: np.ndarray
    target_ids_: np.ndarray
    rating_range_: tuple[float, float]
    n_features_in_: int
    feature_names_in_: np.ndarray
    rating_range: Any

    _model: FittedModel

    # Where the link in a notebook's picture of the estimator leads.
    _doc_link_module = "skautorec"
    _doc_link_template = DOCUMENTATION + "generated/{estimator_module}.{estimator_name}.html"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.target_tags.required = False
        tags.target_tags.multi_output = True
        # What suits ratings fails the dense regression of scikit-learn's checks.
        tags.regressor_tags.poor_score = True
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to ratings.

        Parameters
        ----------
        X : Ratings or {sparse matrix, array-like, DataFrame} of shape (n_users, n_items)
            The ratings; see the notes of the class.
        y : array-like or sparse matrix, default=None
            With `Ratings`: values of shape (n_ratings,) that take the place of ``X.values``. With a
            matrix: further columns to predict from X's, of shape (n_users,) or
            (n_users, n_targets), each with its own range (that of all of y where a column with
            unobserved cells holds equal ratings); NaN or unstored cells are unobserved. None
            predicts X's own columns.

        Returns
        -------
        self : object
            Itself. A fit that fails leaves the estimator as it was.

        Raises
        ------
        ValueError
            Parameters or ratings that cannot be used, or a training that diverged; the message says
            which and what to do.
        TypeError
            Data that are not numbers.

        Notes
        -----
        The fitted estimator keeps the ratings, in the smallest type that holds them exactly.
        """
        before = dict(self.__dict__)
        try:
            self._fit(X, y)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def _fit(self, X: Any, y: Any) -> None:
        self._target_ndim = 2
        self._has_targets = y is not None and not isinstance(X, Ratings)
        given = self._read_ratings(X, y) if isinstance(X, Ratings) else self._read_matrices(X, y)
        progress = self._progress(X, y)
        self._model, users, items = self._train(lambda: self._in_stars(*given()), progress)
        # Users and items in rating units.
        users, items = self._target_scale.users(users), self._target_scale.items(items)
        self.user_factors_, self.user_bias_ = users.factors, users.bias
        self.item_factors_, self.item_bias_ = items.factors, items.bias
        inputs, targets = given()
        self._training = TrainingSet(compact(inputs), None if targets is None else compact(targets))
        self._derive()
        progress.end()

    def _progress(self, X: Any, y: Any) -> Quiet:
        """What hears how the fit to these data goes."""
        return Quiet()

    def _train(self, read: ReadTable, progress: Any) -> tuple[FittedModel, Embeddings, Embeddings]:
        """Train, and return the model, the users and the target items, in stars."""
        raise NotImplementedError

    def _in_stars(
        self, inputs: scipy.sparse.csr_array, targets: scipy.sparse.csr_array | None
    ) -> Table:
        """Ratings in the units of training."""
        if targets is not None:
            targets = self._target_scale.to_stars(targets)
        return Table(self._scale.to_stars(inputs), targets)

    def _table(self) -> Table:
        """Training ratings in the units of training."""
        return self._in_stars(self._training.inputs, self._training.y)

    @property
    def _seen(self) -> scipy.sparse.csr_array:
        """Rated cells of the target items."""
        return self._training.targets

    def _read_ratings(self, X: Ratings, y: Any) -> Given:
        """Check a table and return how to read it: anew each time, as it holds the same cells."""
        ratings = read_ratings(X, y)
        self._users, self._items = ratings._users, ratings._items
        self._target_items = self._items
        self.n_features_in_ = len(self._items)
        self.__dict__.pop("feature_names_in_", None)
        scale = read_range(ratings.values, len(self._items), self.rating_range)
        self._scale = self._target_scale = scale
        return lambda: (ratings.to_matrix(), None)

    def _read_matrices(self, X: Any, y: Any) -> Given:
        """Check matrices and return how to read them."""
        if self._has_targets:
            refuse_other_index(X, y)
        context, self._users, self._items = read_training_matrix(self, X)
        self._target_items = self._items
        scale = read_range(context.data, len(self._items), self.rating_range)
        self._scale = self._target_scale = scale
        if not self._has_targets:
            return lambda: (context, None)
        targets, self._target_items, self._target_ndim = read_targets(y, context)
        self._target_scale = Scale.of_columns(targets)
        return lambda: (context, targets)

    @overload
    def predict(self, X: Any, return_std: Literal[False] = ...) -> np.ndarray: ...
    @overload
    def predict(self, X: Any, return_std: Literal[True]) -> tuple[np.ndarray, np.ndarray]: ...
    @overload
    def predict(self, X: Any, return_std: bool) -> Any: ...
    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict ratings.

        Parameters
        ----------
        X : Ratings or {sparse matrix, array-like, DataFrame} of shape (n_users, n_items)
            With `Ratings`, its pairs are predicted from the *training* ratings of those users; its
            values are never looked at. A matrix holds the ratings of users, known or new, a row
            each; every row is predicted from what it holds. `AutoRecRegressor` recognises the rows
            of training users, also with other ratings than in training; its notes say when.
        return_std : bool, default=False
            Also return the standard deviation of each rating, noise included, in rating units.

        Returns
        -------
        predicted : ndarray of float64
            Clipped to the rating range. ``(n_ratings,)`` for `Ratings`; ``(n_users, n_items)`` for
            a matrix, and the shape of ``y`` after ``fit(X, y)``.
        std : ndarray of float64 of the same shape
            Only with ``return_std``; the notes of the class say where it comes from. At pairs that
            were rated it is that of another rating.

        Raises
        ------
        ValueError
            Another number of columns than in ``fit``, a frame with other columns, values that are
            not finite, or `Ratings` after ``fit(X, y)`` with a matrix.

        Notes
        -----
        Predictions for pairs that were rated in training estimate no error: the item or the user
        is known by these ratings too. Hold ratings out to see how well others are predicted.
        """
        check_is_fitted(self)
        if isinstance(X, Ratings):
            return self._predict_pairs(X, return_std)
        users = self._users_of(self._read_context(X), X)
        rows = self._fold_in(users)
        predicted = Scores(rows, self._item_rows()).block()
        self._target_scale.clip(predicted)
        shape = predicted.shape[: self._target_ndim]
        if not return_std:
            return predicted.reshape(shape)
        pairs = np.divmod(np.arange(predicted.size), predicted.shape[1])
        return predicted.reshape(shape), self._std(rows, users, *pairs).reshape(shape)

    def _predict_pairs(self, ratings: Ratings, return_std: bool) -> Any:
        if self._has_targets:
            raise ValueError(
                "This estimator was fitted with y, so a row's ratings predict y's columns: give "
                "predict a matrix. To predict ratings of pairs, fit on Ratings or without y."
            )
        users = self._users.translate(ratings._users)[ratings.users]
        items = self._items.translate(ratings._items)[ratings.items]
        self._warn_of_strangers(ratings, users, items)
        predicted = np.clip(self._scores(users, items), *self.rating_range_)
        if not return_std:
            return predicted
        asked, where = np.unique(users, return_inverse=True)
        rows = self._user_rows()[np.maximum(asked, 0)]
        if asked.min(initial=0) < 0:
            rows.factors[0] = self._new_user().factors
        items = np.where(items < 0, len(self._items), items)
        return predicted, self._std(rows, self._training_users(asked), where, items)

    def _scores(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Scores of pairs, in rating units; -1 stands for the prior of an unknown user or item."""
        scores = np.empty(len(users))
        for of_stranger, of_new in itertools.product((False, True), repeat=2):
            chosen = ((users < 0) == of_stranger) & ((items < 0) == of_new)
            if chosen.any():
                rows = self._new_user() if of_stranger else self._user_rows()
                columns = self._new_item() if of_new else self._item_rows()
                pairs = np.maximum(users[chosen], 0), np.maximum(items[chosen], 0)
                scores[chosen] = Scores(rows, columns).at(*pairs)
        return scores

    def _training_users(self, codes: np.ndarray) -> Query:
        """Users of the training with all of their ratings; nobody where a code is -1."""
        inputs, targets = (
            None if part is None else rows_or_none(part, codes)
            for part in (self._training.inputs, self._training.y)
        )
        ratings = self._in_stars(inputs, targets).joined
        return Query(ratings, ratings.data, codes)

    def _users_of(self, context: scipy.sparse.csr_array, X: Any = None) -> Query:
        """Users with these ratings; ``X`` is what they were read from."""
        return Query(self._scale.to_stars(context))

    def _predict_cells(
        self, users: Query, cells: scipy.sparse.csr_array, return_std: bool = False
    ) -> Any:
        """Predict the stored cells of a matrix for the users in its rows."""
        folded, (rows, items) = self._fold_in(users), cells.tocoo().coords
        predicted = Scores(folded, self._item_rows()).at(rows, items)
        self._target_scale.clip(predicted, items)
        return (predicted, self._std(folded, users, rows, items)) if return_std else predicted

    def _std(
        self, folded: Embeddings, users: Query, rows: np.ndarray, items: np.ndarray
    ) -> np.ndarray:
        """Standard deviations of pairs of users and items, past the last an unknown."""
        n_items = len(self._target_items)
        # Each pair once: a table may hold one twice.
        pairs = rows.astype(np.int64) * (n_items + 1) + items
        codes, where = np.unique(pairs, return_inverse=True)
        asked = scipy.sparse.coo_array(
            (np.ones(len(codes)), np.divmod(codes, n_items + 1)), (len(folded), n_items + 1)
        ).tocsr()
        factors = folded.factors[:, : self._model.n_units]
        variances = self._model.variances(users, factors, asked, self._table)[where]
        return np.sqrt(variances) * self._target_scale.slope[np.minimum(items, n_items - 1)]

    def _warn_of_strangers(self, ratings: Ratings, users: np.ndarray, items: np.ndarray) -> None:
        """Warn where most of a table, or all of it for the type of its ids, only gets the prior."""
        for what, codes, known, given, where in (
            ("user", users, self.user_ids_, ratings.user_ids, ratings.users),
            ("item", items, self.item_ids_, ratings.item_ids, ratings.items),
        ):
            unknown = np.flatnonzero(codes < 0)
            is_most = len(codes) >= _N_TABLE and len(unknown) > len(codes) / 2
            if len(codes) == len(unknown) > 0 and not is_most:
                is_most = not share_a_type(given[np.unique(where)], known)
            if is_most:
                warn(
                    f"The {what} ids of {len(unknown) / len(codes):.0%} of these ratings are "
                    f"unknown, such as {shown(given[where[unknown[0]]])}, so they get the prior. "
                    f"{what}_ids_ holds ids such as {shown(known[0])}; ids of different types are "
                    "different.",
                )
        if len(users) < _N_TABLE:
            return
        is_new = (users >= 0) & (np.diff(self._seen.indptr)[users] == 0)
        if is_new.mean() > 0.5:
            once = np.bincount(users[is_new]).max() == 1
            reason = (
                "Users who rate once are new in every split: hold out ratings of users with more."
                if once
                else "KFold on a table sorted by user does this: use KFold(n_splits=5, "
                "shuffle=True). So does a split by time, for users who came later."
            )
            warn(
                f"{is_new.mean():.0%} of these ratings are by users without training ratings, so "
                f"they get the prediction for an average user. {reason} For new users with some "
                "ratings, give these as a matrix: predict(context) or score(context, heldout). "
                + see("guide/evaluation.html"),
            )

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Coefficient of determination, R^2, of predicted ratings.

        Parameters
        ----------
        X : Ratings or {sparse matrix, array-like, DataFrame} of shape (n_users, n_items)
            Ratings.
        y : array-like or sparse matrix, default=None
            With `Ratings`: the true ratings; None uses ``X.values``. With a matrix after
            ``fit(X)``: held-out ratings of the same users and items, predicted from X, for example
            ``score(context, heldout)`` for users who were not in the training data. After
            ``fit(X, y)``: true values of y's columns.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each rating of `Ratings`, of each row (a user) of a matrix. None weights all
            ratings alike.

        Returns
        -------
        float
            Over observed cells only.

        Raises
        ------
        ValueError
            A cell observed both in X and in y, shapes that differ, another number of weights than
            of samples, or nothing to score.

        Notes
        -----
        ``score(X)`` with a matrix alone hides a fifth of each row's ratings (at least one of two or
        more; always the same ones), predicts them from the rest and scores them. That is honest for
        rows that were not used in ``fit``, as in cross-validation. For training rows it is not, as
        for training `Ratings`: the model was fitted to what is scored.

        ``GroupKFold`` by user on `Ratings` runs, but held-out users have no ratings in the training
        fold, so it scores the prior. To see how new users fare, give their ratings in two parts:
        ``score(context, heldout)``.
        """
        # sklearn.metrics takes as long to import as all of skautorec.
        from sklearn.metrics import r2_score

        check_is_fitted(self)
        if isinstance(X, Ratings):
            weights = read_weights(sample_weight, len(X), "ratings")
            if y is None:
                X.check_values()
            truth = X.values if y is None else y
            return float(r2_score(truth, self.predict(X), sample_weight=weights))
        refuse_other_index(X, y)
        context = self._read_context(X)
        weights = read_weights(sample_weight, context.shape[0], "rows of X")
        if y is not None:
            heldout = self._read_heldout(context, y)
        elif self._has_targets:
            raise ValueError("This estimator was fitted with y; score needs y too.")
        else:
            context, heldout = hide_ratings(context)
        predicted = self._predict_cells(self._users_of(context, X), heldout)
        if weights is not None:
            weights = weights[rows_of_cells(heldout)]
        return float(r2_score(heldout.data, predicted, sample_weight=weights))

    def save(self, file: File) -> None:
        """Write the fitted estimator to one file that loads without pickle.

        Parameters
        ----------
        file : path or binary file object
            Where to write; an existing file at a path is replaced once the new one is complete and
            on the disk.

        Raises
        ------
        TypeError
            A parameter or an id of a type that cannot be written without pickle; the message names
            it. Of ids, numbers, strings, bytes, booleans, datetime64, UUIDs and tuples of these
            can.
        OSError
            There is no such folder, it is a folder, or it cannot be written.

        Notes
        -----
        The file holds the training ratings. A ``RandomState`` instance in ``random_state`` is saved
        as None. Callbacks, and attributes that are not the estimator's, are not saved.
        """
        check_is_fitted(self)
        params = self.get_params(deep=False)
        if isinstance(params.get("random_state"), np.random.RandomState):
            params["random_state"] = None
        name = self._public_name()
        content = _fields.pack(name, self.__dict__)
        header = {"estimator": name, "params": _persistence.plain_params(params)}
        _persistence.write(file, header | {"fitted": content.values}, content.arrays)

    @classmethod
    def load(cls, file: File) -> Self:
        """Read an estimator that `save` wrote.

        Nothing in a file is believed: what loads is a model that `fit` could have made, whoever
        wrote it.

        Parameters
        ----------
        file : path or binary file object
            What to read; an object from where it stands.

        Returns
        -------
        estimator : object
            Its predictions are those of the saved one, to the bit.

        Raises
        ------
        ValueError
            The file is none of ours, holds another estimator, is cut short, was changed, or comes
            from a newer format.
        FileNotFoundError
            There is no such file.
        """
        wanted = cls._public_name()
        with _persistence.read(file) as (values, arrays):
            saved = values["estimator"]
            _persistence.need(saved in _fields.ESTIMATORS, "it holds something else")
            if saved == wanted:
                estimator = cls(**_persistence.read_params(values["params"]))
                content = _fields.Content(values["fitted"], arrays)
                estimator.__dict__.update(_fields.unpack(wanted, content))
                estimator._derive()
                return estimator
        raise ValueError(
            f"The file was written by {saved}.save, and {wanted}.load reads files of {wanted}. Use "
            f"{saved}.load."
        )

    @classmethod
    def _public_name(cls) -> str:
        """Name of the class of this package that it is, or that somebody's subclass extends."""
        package = __name__.partition(".")[0]
        ours = (one for one in cls.__mro__ if one.__module__.partition(".")[0] == package)
        return next(ours).__name__

    def _derive(self) -> None:
        """Set what follows from the rest."""
        self.user_ids_, self.item_ids_ = self._users.array, self._items.array
        self.target_ids_ = self._target_items.array
        self.rating_range_ = self._scale.bounds
        self._is_rated = np.zeros(len(self._target_items), dtype=bool)
        self._is_rated[self._seen.indices] = True

    def _read_context(self, X: Any) -> scipy.sparse.csr_array:
        return read_new_matrix(self, X, self._items)

    def _read_heldout(self, context: scipy.sparse.csr_array, y: Any) -> scipy.sparse.csr_array:
        """Ratings to be predicted from a context, which must not hold them."""
        heldout = read_heldout(y, context.shape[0], self._target_items)
        if not self._has_targets:
            refuse_overlap(context, heldout)
        return heldout

    def _fold_in(self, users: Query) -> Embeddings:
        """Rows of users, known or new, in rating units."""
        return self._target_scale.users(self._model.fold_in(users))

    def _user_rows(self) -> Embeddings:
        return Embeddings(self.user_factors_, self.user_bias_)

    def _item_rows(self) -> Embeddings:
        return Embeddings(self.item_factors_, self.item_bias_)

    def _new_user(self) -> Embeddings:
        return self._fold_in(Query(scipy.sparse.csr_array((1, len(self._items)))))

    def _new_item(self) -> Embeddings:
        return Scale.shared(*self.rating_range_, 1).items(self._model.unseen_item)
