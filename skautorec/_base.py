"""What estimators of ratings share: the methods that users call, and how a fit is published."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self, overload

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, _fit_context
from sklearn.utils.validation import check_is_fitted

from ._core.matrix import ReadTable, rows_of_cells
from ._core.memory import refuse_beyond_memory
from ._core.messages import DOCUMENTATION, see, warn
from ._data.frames import import_pandas, long_frame, wide_frame
from ._data.ids import share_a_type
from ._data.inputs import (
    TrainingInput,
    hide_ratings,
    read_heldout,
    read_training_input,
    read_weights,
    refuse_other_index,
    refuse_overlap,
    weights_of,
)
from ._data.lookup import Unknown, shown
from ._data.ratings import Ratings
from ._files import File, load, save
from ._fitted import Fitted, Trained
from ._progress import Quiet
from ._recommend import as_long_frame, check_n, list_top, read_audience

__all__ = ["RatingRegressor", "fitted_of"]

# Ratings that make a table, of which most should be known.
_N_TABLE = 20


class RatingRegressor(RegressorMixin, BaseEstimator):
    """An estimator of ratings as inner products of factors, which a subclass trains.

    A subclass has the parameter ``rating_range`` and the method ``_train``. All that a fit leaves
    is in one object that never changes, `Fitted`, published at once when the fit is done: every
    method takes it once and reads nothing else.
    """

    user_ids_: np.ndarray
    item_ids_: np.ndarray
    target_ids_: np.ndarray
    rating_range_: tuple[float, float]
    n_features_in_: int
    feature_names_in_: np.ndarray
    rating_range: Any

    _fitted: Fitted

    # Where the link in a notebook's picture of the estimator leads.
    _doc_link_module = "skautorec"
    _doc_link_template = DOCUMENTATION + "generated/{estimator_module}.{estimator_name}.html"
    # What lists are ranked by if nobody says.
    _ranks_by: ClassVar[str] = "rating"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.target_tags.required = False
        tags.target_tags.multi_output = True
        # What suits ratings fails the dense regression of scikit-learn's checks.
        tags.regressor_tags.poor_score = True
        return tags

    def fit(self, X: Any, y: Any = None, **unknown: Any) -> Self:
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
        **unknown
            Refused. Weights are given to `Ratings`, not here.

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
            Data that are not numbers, or an argument that there is not.
        MemoryError
            It takes more memory than there is: refused at once where it could never work.

        Notes
        -----
        The fitted estimator keeps the ratings, in the smallest type that holds them exactly, and
        their weights.
        """
        if unknown:
            raise TypeError(_refused(next(iter(unknown))))
        return self._fit(X, y)

    @_fit_context(prefer_skip_nested_validation=True)
    def _fit(self, X: Any, y: Any) -> Self:
        given = read_training_input(self, X, y, self.rating_range)
        progress = self._progress(X, y)
        trained = self._train(given, given.in_stars, progress)
        attributes = _published(Fitted.of(given, trained), trained.attributes)
        progress.end(attributes)
        self._publish(attributes)
        trained.journal.end()
        return self

    def _publish(self, attributes: dict[str, Any]) -> None:
        """Put the attributes of a fitted estimator in the place of those of an earlier fit."""
        self.__dict__.update(attributes)
        if "feature_names_in_" not in attributes:
            self.__dict__.pop("feature_names_in_", None)

    # Rows may have to be solved when they are read.

    @property
    def user_factors_(self) -> np.ndarray:
        """Factors of the known users: shape (n_users, k).

        A prediction is ``user_factors_[u] @ item_factors_[i] + user_bias_[u] + item_bias_[i]``, in
        rating units, before clipping.
        """
        return fitted_of(self).users.factors

    @property
    def user_bias_(self) -> np.ndarray:
        """Biases of the known users, in rating units: shape (n_users,)."""
        return fitted_of(self).users.bias

    @property
    def item_factors_(self) -> np.ndarray:
        """Factors of the items, after ``fit(X, y)`` the columns of ``y``: shape (n_targets, k)."""
        return fitted_of(self).items.factors

    @property
    def item_bias_(self) -> np.ndarray:
        """Biases of the same, in rating units and with the mean: shape (n_targets,)."""
        return fitted_of(self).items.bias

    def __getstate__(self) -> dict[str, Any]:
        # Without what follows from the rest, or some writers would write it twice.
        state = dict(super().__getstate__())
        if "_fitted" in state:
            for name in state["_fitted"].attributes():
                state.pop(name, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_fitted" in state:
            self.__dict__.update(state["_fitted"].attributes())

    def _progress(self, X: Any, y: Any) -> Quiet:
        """What hears how the fit to these data goes."""
        return Quiet()

    def _train(self, given: TrainingInput, read: ReadTable, progress: Any) -> Trained:
        """Train on what ``read`` returns, ratings in stars, at each call anew."""
        raise NotImplementedError

    @overload
    def predict(
        self, X: Any, return_std: Literal[False] = ..., *, as_frame: Literal[False] = ...
    ) -> np.ndarray: ...
    @overload
    def predict(
        self, X: Any, return_std: Literal[True], *, as_frame: Literal[False] = ...
    ) -> tuple[np.ndarray, np.ndarray]: ...
    @overload
    def predict(self, X: Any, return_std: bool = ..., *, as_frame: bool = ...) -> Any: ...
    def predict(self, X: Any, return_std: bool = False, *, as_frame: bool = False) -> Any:
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
        as_frame : bool, default=False
            Return frames with labels in place of arrays.

        Returns
        -------
        predicted : ndarray of float64 or DataFrame
            Clipped to the rating range. ``(n_ratings,)`` for `Ratings`; ``(n_users, n_items)`` for
            a matrix, and the shape of ``y`` after ``fit(X, y)``. Columns of an array are in the
            order of ``target_ids_``, also where the columns of a frame come in another order.

            With ``as_frame``, a frame of the library of X with its row labels and with its columns
            in their order, or with those of ``target_ids_`` after ``fit(X, y)``; of pandas, with
            ``target_ids_`` as columns, for a matrix that is no frame. For `Ratings` a pandas frame
            with the columns ``user``, ``item``, ``rating`` and, with ``return_std``, ``std``.
        std : ndarray of float64 of the same shape, or DataFrame
            Only with ``return_std``, and not for `Ratings` with ``as_frame``; the notes of the
            class say where it comes from. At pairs that were rated it is that of another rating.

        Raises
        ------
        ImportError
            ``as_frame`` needs pandas, which is not installed.
        MemoryError
            A matrix of predictions larger than memory; the message says what to do.
        TypeError
            ``as_frame`` needs columns named by text, and an id is none.
        ValueError
            Another number of columns than in ``fit``, a frame with other columns, values that are
            not finite, or `Ratings` after ``fit(X, y)`` with a matrix.

        Notes
        -----
        Predictions for pairs that were rated in training estimate no error: the item or the user
        is known by these ratings too. Hold ratings out to see how well others are predicted.
        """
        fitted = fitted_of(self)
        if isinstance(X, Ratings):
            predicted = self._predict_pairs(fitted, X, return_std)
            return _frame_of_pairs(X, predicted) if as_frame else predicted
        rows, labels = fitted.read_rows(self, X)
        _refuse_large_result(rows.shape[0], len(fitted.targets), 1 + return_std)
        query = fitted.query(rows, labels)
        users = fitted.fold_in(query)
        matrices = [fitted.predict_matrix(users)]
        if return_std:
            matrices.append(fitted.deviations_of_matrix(users, query))
        shape = matrices[0].shape[: fitted.target_ndim]
        laid_out = [
            wide_frame(X, matrix, fitted.targets.ids, not fitted.has_targets)
            if as_frame
            else matrix.reshape(shape)
            for matrix in matrices
        ]
        return tuple(laid_out) if return_std else laid_out[0]

    def _predict_pairs(self, fitted: Fitted, ratings: Ratings, return_std: bool) -> Any:
        if fitted.has_targets:
            raise ValueError(
                "This estimator was fitted with y, so a row's ratings predict y's columns: give "
                "predict a matrix. To predict ratings of pairs, fit on Ratings or without y."
            )
        users = fitted.user_ids.translate(ratings._users)[ratings.users]
        items = fitted.inputs.ids.translate(ratings._items)[ratings.items]
        _warn_of_strangers(fitted, ratings, users, items)
        predicted = fitted.predict_pairs(users, items)
        return (predicted, fitted.deviations_of_pairs(users, items)) if return_std else predicted

    @overload
    def recommend(
        self,
        user: Any,
        n: int = ...,
        *,
        exclude_seen: bool = ...,
        candidates: Any = ...,
        exclude: Any = ...,
        rank_by: Literal["relevance", "rating"] | None = ...,
        unknown: Unknown = ...,
        return_std: Literal[False] = ...,
        as_frame: Literal[False] = ...,
    ) -> tuple[np.ndarray, np.ndarray]: ...
    @overload
    def recommend(
        self,
        user: Any,
        n: int = ...,
        *,
        exclude_seen: bool = ...,
        candidates: Any = ...,
        exclude: Any = ...,
        rank_by: Literal["relevance", "rating"] | None = ...,
        unknown: Unknown = ...,
        return_std: Literal[True],
        as_frame: Literal[False] = ...,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...
    @overload
    def recommend(
        self,
        user: Any,
        n: int = ...,
        *,
        exclude_seen: bool = ...,
        candidates: Any = ...,
        exclude: Any = ...,
        rank_by: Literal["relevance", "rating"] | None = ...,
        unknown: Unknown = ...,
        return_std: bool,
        as_frame: Literal[False] = ...,
    ) -> tuple[np.ndarray, ...]: ...
    @overload
    def recommend(
        self,
        user: Any,
        n: int = ...,
        *,
        exclude_seen: bool = ...,
        candidates: Any = ...,
        exclude: Any = ...,
        rank_by: Literal["relevance", "rating"] | None = ...,
        unknown: Unknown = ...,
        return_std: bool = ...,
        as_frame: bool,
    ) -> Any: ...
    def recommend(
        self,
        user: Any,
        n: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Any = None,
        exclude: Any = None,
        rank_by: Literal["relevance", "rating"] | None = None,
        unknown: Unknown = "error",
        return_std: bool = False,
        as_frame: bool = False,
    ) -> Any:
        """Recommend items: those that users are likely to meet and to like.

        Parameters
        ----------
        user : id, mapping, list of either, sparse matrix or DataFrame
            Read in this order: a scipy sparse matrix or a DataFrame holds the ratings of users,
            known or new, a row each; a mapping ``{item_id: rating}`` is one such user; a list,
            array, Index or Series is a batch of user ids or of mappings; anything else, a string or
            a tuple too, is the id of one user of the training data.
        n : int, default=10
            Items to list.
        exclude_seen : bool, default=True
            Leave out items that the user has rated (in the training data, or in the ratings given
            here). After ``fit(X, y)`` these are the user's rated columns of ``y``.
        candidates : sequence of item ids, default=None
            List only these items; None allows all.
        exclude : sequence of item ids, default=None
            Never list these items.
        rank_by : {"relevance", "rating"}, default=None
            What items are ranked by. ``"relevance"`` is what users are likely to meet *and* to
            like; see the notes. ``"rating"`` is the predicted rating: how much users would like an
            item if they came to it, whether or not they ever do. None is relevance with
            `AutoRecRegressor`, unless after ``fit(X, y)``, and the rating with baselines.
        unknown : {"error", "ignore"}, default="error"
            What to do about items of the ratings given here, in mappings and columns of a frame,
            that the estimator does not know: refuse them, or leave them out with a warning that
            counts them. With ``"ignore"`` a frame may also lack items, which nobody has rated then.
        return_std : bool, default=False
            Also return standard deviations, as `predict` does.
        as_frame : bool, default=False
            Return a pandas DataFrame with a row per user and item listed, without padding, in place
            of arrays: columns ``user``, ``item``, ``score``, ``rank`` from 1 and, with
            ``return_std``, ``std``. ``user`` is the id of a known user, the index label of a row of
            a frame, and otherwise the position of a new user, from 0.

        Returns
        -------
        item_ids : ndarray of shape (n_listed,) or (n_users, n)
            Best first; equal scores in the order of ``item_ids_``.
        scores : ndarray of float64 of the same shape
            What the items are ranked by. Relevances are in rating units above the lowest rating,
            times an exposure, which is about 0 to 1. Predicted ratings are in rating units and
            **not clipped** to the rating range, since clipping would make the order of a generous
            user's list arbitrary. Scores are compared in single precision, so that rounding, which
            differs between one user and a batch, does not reorder a list. `PopularityRecommender`
            may count ratings instead.
        std : ndarray of float64 of the same shape
            Only with ``return_std``: of a rating by the user, noise included, in rating units.

        Raises
        ------
        ImportError
            ``as_frame`` needs pandas, which is not installed.
        KeyError
            A user or item id that the estimator does not know; the message names it.
        MemoryError
            Lists larger than memory: of too many users, or of too many items each.
        ValueError
            ``n`` below 1, rows that do not fit the training data, or another ``rank_by`` or
            ``unknown``; or ``"relevance"`` after ``fit(X, y)`` with a matrix.
        TypeError
            ``n`` that is not an integer, an id that is not hashable, ids and mappings in one batch,
            or `Ratings`.

        Notes
        -----
        **Relevance** is the exposure of a user to an item times what the predicted rating is above
        the lowest one. Exposure is what who has rated what tells of the items that the user will
        come to: the prediction of a linear autoencoder of this pattern in closed form, in which no
        item explains itself [1]_. What the user rated above their mean counts for more. The penalty
        is chosen by lists of held-out ratings. It is computed at the first such list or before
        ``save`` (two seconds for 3,700 items and a million ratings, forty for 50,000 items, on two
        cores), takes 3 kB an item, and is kept by ``save`` and by pickle from then on.

        One user gets 1-D arrays, as long as there are items to list, at most ``n``. A batch gets
        ``(n_users, n)`` arrays; where a user has fewer than ``n`` items to list the row is padded:
        a score of NaN is the only sign of it, and the id beside it means nothing.

        A known user without training ratings gets the prior: a list for the average user. A known
        user with other ratings than in training is given as a row or a mapping of all of them;
        `AutoRecRegressor` recognises such users, and its notes say when.

        References
        ----------
        .. [1] H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", Proc. The World Wide
           Web Conference, 2019.
        """
        fitted = fitted_of(self)
        check_n(n)
        if as_frame:
            import_pandas()  # before anything that takes long
        audience = read_audience(self, fitted, user, unknown)
        lists = list_top(
            fitted,
            audience,
            n,
            exclude_seen=exclude_seen,
            candidates=candidates,
            exclude=exclude,
            rank_by=self._ranking(fitted) if rank_by is None else rank_by,
            return_std=return_std,
        )
        return as_long_frame(audience, lists) if as_frame else lists

    def _ranking(self, fitted: Fitted) -> str:
        """What lists of a fitted estimator are ranked by if nobody says."""
        return "rating" if fitted.has_targets else self._ranks_by

    def fold_in(self, user: Any, *, unknown: Unknown = "error") -> tuple[np.ndarray, Any]:
        """Factors and biases of users, known or new, for use outside of the estimator.

        The predicted ratings of all items in the order of ``target_ids_``, before clipping, are
        ``factors @ item_factors_.T + bias[..., None] + item_bias_``.

        Parameters
        ----------
        user : id, mapping, list of either, sparse matrix or DataFrame
            As in `recommend`; ratings of a user of the training data are recognised there too.
        unknown : {"error", "ignore"}, default="error"
            What to do about items that the estimator does not know, as in `recommend`.

        Returns
        -------
        factors : ndarray of float64 of shape (k,) or (n_users, k)
            In the space of ``item_factors_``. One user gets a 1-D array, a batch a row each.
        bias : float or ndarray of float64 of shape (n_users,)
            In rating units.

        Raises
        ------
        KeyError
            A user or item id that the estimator does not know; the message names it.
        ValueError
            Rows that do not fit the training data, or another ``unknown``.
        TypeError
            An id that is not hashable, ids and mappings in one batch, or `Ratings`.
        """
        audience = read_audience(self, fitted_of(self), user, unknown)
        users = audience.embeddings
        if audience.is_single:
            return users.factors[0], users.bias[0]
        return users.factors, users.bias

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
            ratings alike. Weights that `Ratings` have count too: they are multiplied.

        Returns
        -------
        float
            Over observed cells only.

        Raises
        ------
        ValueError
            A cell observed both in X and in y, shapes that differ, another number of weights than
            of samples, weights of `Ratings` that are all 0, or nothing to score.

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

        fitted = fitted_of(self)
        if isinstance(X, Ratings):
            weights = weights_of(X, sample_weight)
            if y is None:
                X.check_values()
            truth = X.values if y is None else y
            predicted = self._predict_pairs(fitted, X, return_std=False)
            return float(r2_score(truth, predicted, sample_weight=weights))
        refuse_other_index(X, y)
        context, labels = fitted.read_rows(self, X)
        weights = read_weights(sample_weight, context.shape[0], "rows of X")
        if y is not None:
            heldout = read_heldout(y, context.shape[0], fitted.targets.ids)
            if not fitted.has_targets:
                refuse_overlap(context, heldout)
        elif fitted.has_targets:
            raise ValueError("This estimator was fitted with y; score needs y too.")
        else:
            context, heldout = hide_ratings(context)
        users = fitted.fold_in(fitted.query(context, labels))
        predicted = fitted.predict_cells(users, heldout)
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
        The file holds the training ratings, and what lists by relevance need where these are the
        usual ones. A ``RandomState`` instance in ``random_state`` is saved as None. Callbacks, and
        attributes that are not the estimator's, are not saved.
        """
        check_is_fitted(self)
        # Taken once, since another thread may publish an update meanwhile.
        attributes = self.__dict__.copy()
        fitted = attributes["_fitted"]
        if self._ranking(fitted) == "relevance":
            _ = fitted.exposure  # so that whoever serves the file need not compute it
        params = self.get_params(deep=False)
        if isinstance(params.get("random_state"), np.random.RandomState):
            params["random_state"] = None
        save(file, self._public_name(), params, fitted, attributes)

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
        MemoryError
            The file is larger than memory, and is not read.
        FileNotFoundError
            There is no such file.
        """
        estimator, fitted, attributes = load(file, cls._public_name(), cls)
        estimator._publish(_published(fitted, attributes))
        return estimator

    @classmethod
    def _public_name(cls) -> str:
        """Name of the class of this package that it is, or that somebody's subclass extends."""
        package = __name__.partition(".")[0]
        ours = (one for one in cls.__mro__ if one.__module__.partition(".")[0] == package)
        return next(ours).__name__


def _published(fitted: Fitted, attributes: dict[str, Any]) -> dict[str, Any]:
    """All attributes of a fitted estimator."""
    return fitted.attributes() | attributes | {"_fitted": fitted}


def _refused(name: str) -> str:
    """What to say of an argument that fit has not."""
    if name != "sample_weight":
        return f"fit() got an unexpected keyword argument {name!r}."
    return (
        "fit has no sample_weight: weights belong to the ratings, so that every split takes them "
        "along. Give them to Ratings(..., weights=...), or name their column in "
        "Ratings.from_frame(..., weight=...). " + see("data.html#weights")
    )


def fitted_of(estimator: RatingRegressor) -> Fitted:
    """What an estimator was fitted to; an error where it was not."""
    check_is_fitted(estimator)
    return estimator._fitted


def _refuse_large_result(n_users: int, n_items: int, n_matrices: int) -> None:
    """Refuse to predict more than there is memory for."""
    refuse_beyond_memory(
        8 * n_users * n_items * n_matrices,
        f"A prediction of {n_users:,} users by {n_items:,} items"
        + (" with standard deviations" if n_matrices > 1 else ""),
        "Give predict fewer rows at a time, or Ratings that hold the pairs to be predicted.",
    )


def _frame_of_pairs(ratings: Ratings, predicted: Any) -> Any:
    """Predicted ratings of a table, or a pair of these and their deviations, with the ids."""
    columns = {
        "user": ratings.user_ids[ratings.users],
        "item": ratings.item_ids[ratings.items],
    }
    numbers = predicted if isinstance(predicted, tuple) else (predicted,)
    return long_frame(columns | dict(zip(("rating", "std"), numbers, strict=False)))


def _warn_of_strangers(
    fitted: Fitted, ratings: Ratings, users: np.ndarray, items: np.ndarray
) -> None:
    """Warn where most of a table, or all of it for the type of its ids, only gets the prior."""
    for what, codes, known, given, where in (
        ("user", users, fitted.user_ids.array, ratings.user_ids, ratings.users),
        ("item", items, fitted.inputs.ids.array, ratings.item_ids, ratings.items),
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
    is_new = (users >= 0) & (np.diff(fitted.seen.indptr)[users] == 0)
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
