"""AutoRecRegressor: parameters, validation and the scikit-learn surface; no numerics."""

from __future__ import annotations

import os
import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, overload

import numpy as np
import scipy.sparse
import torch
from sklearn.base import BaseEstimator, RegressorMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from . import _persistence
from ._core.factors import Factors, Rows
from ._core.model import Model, Read, fit_model
from ._core.module import DenseAutoRec
from ._core.network import ACTIVATIONS
from ._core.training import SOLVERS, History, Settings
from ._inputs import (
    hide_ratings,
    read_heldout,
    read_new_matrix,
    read_range,
    read_ratings,
    read_targets,
    read_training_matrix,
    refuse_other_index,
    refuse_overlap,
    without_values,
)
from ._links import DOCUMENTATION, see
from ._progress import CallbackSupportMixin, FitProgress, with_callbacks
from ._ratings import Ratings
from ._recommend import RecommenderMixin, shown
from ._scale import Scale

__all__ = ["AutoRecRegressor"]

# Share of the input hidden in each epoch where none is given; not used with solvers that need the
# same objective at every step.
DROPOUT = 0.7
# What each kind encodes of a users x items matrix.
SIDES = {"item": ("columns",), "user": ("rows",), "both": ("columns", "rows")}


class AutoRecRegressor(CallbackSupportMixin, RecommenderMixin, RegressorMixin, BaseEstimator):
    r"""Rating prediction with an autoencoder whose decoder is solved in closed form.

    AutoRec [1]_ reconstructs one side of a users x items rating matrix through a hidden layer,

    .. math:: h(r) = W g(V r + \mu) + b,

    and minimises, over observed cells only,

    .. math:: \sum (r - h(r))^2 + \lambda / 2 \, (\|W\|_F^2 + \|V\|_F^2),

    where :math:`\lambda` is ``lambd``.

    After training, each decoder row (a user's for ``kind="item"``) is solved again as a ridge
    regression on the codes, drawn to the mean row; new users get theirs the same way, without
    retraining.

    Parameters
    ----------
    hidden_units : int or sequence of int, default=500
        Units of the hidden layer; several numbers make a deep encoder, the last holds the codes.
    lambd : float, default=100.0
        Strength of the L2 penalty, in the units of the paper's objective on five-star ratings
        (other ranges are mapped to five stars first, so it means the same for all), whatever the
        batch size. Useful values are about 20 to 400; more ratings per user want more.
    kind : {"item", "user", "both"}, default="item"
        What is encoded. ``"item"`` encodes each item's vector of user ratings (the paper's
        I-AutoRec), ``"user"`` each user's vector of item ratings (U-AutoRec; its input says for
        each item whether it is rated, and how). ``"both"`` trains one of each, and fits the second
        decoder to what the first model leaves: the most accurate, at twice the time.
    n_estimators : int, default=1
        Models to average, trained from different initial weights: a little more accurate each, at
        so many times the cost.
    activation : {"sigmoid", "tanh", "relu", "identity"}, default="sigmoid"
        ``g``, of every hidden layer. The output is always linear.
    dropout : float, default=None
        Share of the input cells hidden in each epoch, so that codes learn to stand for ratings that
        they have not seen; None is 0.7 for Adam and 0 for the other solvers, which cannot use it.
    solver : {"adam", "rprop", "lbfgs"}, default="adam"
        Optimiser; the paper used Rprop. ``"rprop"`` and ``"lbfgs"`` need full batches.
    learning_rate : float, default=None
        First step size; None is 0.003 for Adam and Rprop and 1 for L-BFGS. Adam's falls to zero
        over ``max_iter`` epochs along half a cosine.
    batch_size : int, default=None
        Encoded rows per step; None uses all at once, which on the CPU is fastest.
    max_iter : int, default=80
        Most epochs.
    tol : float, default=1e-4
        Training ends before ``max_iter`` when over ``n_iter_no_change`` epochs the objective moved
        by less than this fraction, or with early stopping, when R^2 on the validation ratings did
        not rise by this much.
    n_iter_no_change : int, default=10
        See ``tol``.
    early_stopping : bool, default=False
        Watch the validation ratings during training and keep the best epoch. Nothing is wasted: the
        rows of the model are then solved with all ratings. With fewer than two of them there is
        nothing to watch, and training runs as without.
    validation_fraction : float, default=0.05
        Share of the ratings that the networks are not trained on. They measure the noise, for
        ``return_std``, and serve early stopping; the model is then solved with all ratings.
    rating_range : (float, float), default=None
        Lowest and highest possible rating; None takes the lowest and highest training rating.
        Predictions are clipped to it.
    device : str, default="auto"
        Torch device to train on; ``"auto"`` is ``"cuda"`` where available, else ``"cpu"``. The
        fitted estimator does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights and batch order. On the CPU the same seed and number of threads give
        the same model to the bit.
    verbose : int, default=0
        1 prints about ten lines of progress for each network; 2 one line per epoch, and the seconds
        of each phase of the fit with the peak memory of the process at its end. Where scikit-learn
        has callbacks (from 1.9), those set with ``set_callbacks`` hear of phases and epochs, and
        may stop the training of a network.

    Attributes
    ----------
    user_factors_ : ndarray of shape (n_users, k)
        A prediction is ``user_factors_[u] @ item_factors_[i] + user_bias_[u] + item_bias_[i]``, in
        rating units, before clipping.
    item_factors_ : ndarray of shape (n_items, k)
        After ``fit(X, y)`` of the columns of ``y``, as ``item_bias_``.
    user_bias_ : ndarray of shape (n_users,)
    item_bias_ : ndarray of shape (n_items,)
    user_ids_ : ndarray of shape (n_users,)
        Ids of the training users: the vocabulary of `Ratings`, the index of a frame, else 0..n-1.
    item_ids_ : ndarray of shape (n_items,)
        Ids of the items: the vocabulary of `Ratings`, the columns of a frame, else 0..n-1.
    target_ids_ : ndarray
        Ids of the items that are predicted, in the order of ``item_factors_``: ``item_ids_``, or
        after ``fit(X, y)`` those of the columns of ``y``.
    rating_range_ : tuple of float
        Lowest and highest rating.
    loss_curve_ : list of float
        Objective before the step of each epoch, on five-star ratings.
        The mean where several networks were trained. With dropout it varies from epoch to epoch.
    validation_scores_ : list of float or None
        With early stopping, R^2 of the networks on the validation ratings after each epoch.
    n_iter_ : int
        Epochs behind the model; the most, where several networks were trained.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of shape (n_items,)
        Only after fitting on a frame whose column names are all strings.

    See Also
    --------
    Ratings : A table of ratings, for honest evaluation with scikit-learn's tools.

    Notes
    -----
    There are two kinds of input, told apart by type:

    - A rating matrix, users x items: scipy sparse of any format (a stored cell is a rating, an
      explicit zero too), or dense or a DataFrame with NaN for unobserved cells. A sample is a user,
      and `predict` returns a dense matrix.
    - `Ratings`. A sample is one rating, and `predict` returns a vector. With it, ``KFold`` and
      every tool that uses it hide ratings and score them.

    A user or an item without training ratings gets a prior: the mean decoder row on the decoded
    side, the mean code (weighted by ratings) on the encoded side. A prediction is never NaN.

    References
    ----------
    .. [1] S. Sedhain, A. K. Menon, S. Sanner and L. Xie, "AutoRec: Autoencoders Meet Collaborative
       Filtering", Proc. 24th International Conference on World Wide Web (Companion), 2015.

    Examples
    --------
    >>> from skautorec import AutoRecRegressor
    >>> from skautorec.datasets import make_ratings
    >>> ratings = make_ratings(n_users=60, n_items=40, n_ratings=800, random_state=0)
    >>> model = AutoRecRegressor(hidden_units=20, lambd=20, random_state=0).fit(ratings)
    >>> model.predict(ratings[:3]).shape
    (3,)
    >>> item_ids, scores = model.recommend(7, n=3)
    >>> item_ids.shape, scores.shape
    ((3,), (3,))
    """

    user_factors_: np.ndarray
    item_factors_: np.ndarray
    user_bias_: np.ndarray
    item_bias_: np.ndarray
    user_ids_: np.ndarray
    item_ids_: np.ndarray
    target_ids_: np.ndarray
    rating_range_: tuple[float, float]
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    n_iter_: int
    n_features_in_: int
    feature_names_in_: np.ndarray

    # Where the link in a notebook's picture of the estimator leads.
    _doc_link_module = "skautorec"
    _doc_link_template = DOCUMENTATION + "generated/{estimator_module}.{estimator_name}.html"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_units": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "lambd": [Interval(Real, 0, None, closed="neither")],
        "kind": [StrOptions(set(SIDES))],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left"), None],
        "solver": [StrOptions(set(SOLVERS))],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "rating_range": ["array-like", None],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        hidden_units: Any = 500,
        *,
        lambd: float = 100.0,
        kind: str = "item",
        n_estimators: int = 1,
        activation: str = "sigmoid",
        dropout: float | None = None,
        solver: str = "adam",
        learning_rate: float | None = None,
        batch_size: int | None = None,
        max_iter: int = 80,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.05,
        rating_range: Any = None,
        device: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_units = hidden_units
        self.lambd = lambd
        self.kind = kind
        self.n_estimators = n_estimators
        self.activation = activation
        self.dropout = dropout
        self.solver = solver
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.rating_range = rating_range
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.target_tags.required = False
        tags.target_tags.multi_output = True
        # Defaults for ratings shrink too much for the dense regression of scikit-learn's checks.
        tags.regressor_tags.poor_score = True
        return tags

    def fit(self, X: Any, y: Any = None) -> AutoRecRegressor:
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
        AutoRecRegressor
            Itself. A fit that fails leaves the estimator as it was.

        Raises
        ------
        ValueError
            Parameters or ratings that cannot be used, or a training that diverged; the message says
            which and what to do.
        TypeError
            Data that are not numbers.
        """
        before = dict(self.__dict__)
        try:
            self._fit(X, y)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def _fit(self, X: Any, y: Any) -> None:
        self._target_ndim = 2
        self._has_targets = y is not None and not isinstance(X, Ratings)
        read = self._read_ratings(X, y) if isinstance(X, Ratings) else self._read_matrices(X, y)
        progress = FitProgress(self, X, y, self.n_estimators * len(SIDES[self.kind]))
        self._store(*self._train(read, progress))
        context, targets = read()
        self._context = self._seen = without_values(context)
        if targets is not None:
            self._seen = without_values(targets)
        self._is_rated = np.zeros(len(self._target_items), dtype=bool)
        self._is_rated[self._seen.indices] = True
        self._share_ids()
        self.rating_range_ = self._scale.bounds
        progress.end()

    def _read_ratings(self, X: Ratings, y: Any) -> Read:
        """Check a table and return how to read it: anew each time, as it holds the same cells."""
        ratings = read_ratings(X, y)
        self._users, self._items = ratings._users, ratings._items
        self._target_items = self._items
        self.n_features_in_ = len(self._items)
        self.__dict__.pop("feature_names_in_", None)
        scale = read_range(ratings.values, len(self._items), self.rating_range)
        self._scale = self._target_scale = scale
        return lambda: (scale.to_stars(ratings.to_matrix()), None)

    def _read_matrices(self, X: Any, y: Any) -> Read:
        """Check matrices and return how to read them."""
        if self._has_targets:
            refuse_other_index(X, y)
        context, self._users, self._items = read_training_matrix(self, X)
        self._target_items = self._items
        scale = read_range(context.data, len(self._items), self.rating_range)
        self._scale = self._target_scale = scale
        if not self._has_targets:
            return lambda: (scale.to_stars(context), None)
        targets, self._target_items, self._target_ndim = read_targets(y, context)
        target_scale = self._target_scale = Scale.of_columns(targets)
        return lambda: (scale.to_stars(context), target_scale.to_stars(targets))

    def _train(self, read: Read, progress: FitProgress) -> tuple[Model, Rows, Rows, list[History]]:
        return fit_model(
            read,
            self._settings(),
            sides=SIDES[self.kind],
            n_members=self.n_estimators,
            validation_fraction=self.validation_fraction,
            seed=check_random_state(self.random_state).randint(np.iinfo(np.int32).max),
            device=_device(self.device),
            progress=progress,
        )

    def _settings(self) -> Settings:
        if self.batch_size is not None and self.solver != "adam":
            raise ValueError(
                f"solver={self.solver!r} needs all rows at every step, and batch_size is "
                f"{self.batch_size}. Use batch_size=None or solver='adam'."
            )
        if self.dropout and self.solver != "adam":
            raise ValueError(
                f"solver={self.solver!r} needs the same objective at every step, and dropout is "
                f"{self.dropout}. Use dropout=None or solver='adam'."
            )
        usual_dropout = DROPOUT if self.solver == "adam" else 0.0
        return Settings(
            hidden_units=_layer_widths(self.hidden_units),
            lambd=float(self.lambd),
            activation=self.activation,
            solver=self.solver,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            max_iter=self.max_iter,
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            dropout=usual_dropout if self.dropout is None else float(self.dropout),
            early_stopping=bool(self.early_stopping),
        )

    def _store(self, model: Model, users: Rows, items: Rows, histories: list[History]) -> None:
        """Keep users and items in rating units, and what happened in training."""
        users, items = self._target_scale.users(users), self._target_scale.items(items)
        self._model = model
        self.user_factors_, self.user_bias_ = users.factors, users.bias
        self.item_factors_, self.item_bias_ = items.factors, items.bias
        self.loss_curve_ = _mean_curve([history.losses for history in histories])
        scores = _mean_curve([history.scores for history in histories])
        self.validation_scores_ = scores if self.early_stopping else None
        self.n_iter_ = max(1, *(history.n_epochs for history in histories))

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
            each; every row is predicted from what it holds.
        return_std : bool, default=False
            Also return the standard deviation of each rating, noise included, in rating units.

        Returns
        -------
        predicted : ndarray of float64
            Clipped to the rating range. ``(n_ratings,)`` for `Ratings`; ``(n_users, n_items)`` for
            a matrix, and the shape of ``y`` after ``fit(X, y)``.
        std : ndarray of float64 of the same shape
            Only with ``return_std``. From the posterior of the ridge regression behind each
            decoded row, so the uncertainty of a user (``kind="item"``), of an item (``"user"``) or
            of both falls with the number of their ratings; the noise was measured on ratings that
            the networks were not trained on.

        Raises
        ------
        ValueError
            Another number of columns than in ``fit``, a frame with other columns, values that are
            not finite, or `Ratings` after ``fit(X, y)`` with a matrix.
        """
        check_is_fitted(self)
        if isinstance(X, Ratings):
            return self._predict_pairs(X, return_std)
        context = self._read_context(X)
        users = self._fold_in(context)
        predicted = Factors(users, self._item_rows()).block()
        self._target_scale.clip(predicted)
        shape = predicted.shape[: self._target_ndim]
        if not return_std:
            return predicted.reshape(shape)
        pairs = np.divmod(np.arange(predicted.size), predicted.shape[1])
        return predicted.reshape(shape), self._std(users, context, *pairs).reshape(shape)

    def _predict_pairs(self, ratings: Ratings, return_std: bool) -> Any:
        if self._has_targets:
            raise ValueError(
                "This estimator was fitted with y, so a row's ratings predict y's columns: give "
                "predict a matrix. To predict ratings of pairs, fit on Ratings or without y."
            )
        users = self._users.translate(ratings._users)[ratings.users]
        items = self._items.translate(ratings._items)[ratings.items]
        self._warn_of_strangers(ratings, users, items)
        factors = Factors(self._user_rows(), self._item_rows())
        if (users < 0).any() or (items < 0).any():
            # An unknown id stands for the prior, which goes to the end.
            users = np.where(users < 0, len(factors.rows), users)
            items = np.where(items < 0, len(factors.columns), items)
            factors = Factors(
                factors.rows.append(self._new_user()), factors.columns.append(self._new_item())
            )
        predicted = np.clip(factors.at(users, items), *self.rating_range_)
        if not return_std:
            return predicted
        observed = self._known_context()
        n_added = len(factors.rows) - observed.shape[0]
        if n_added:
            empty = scipy.sparse.csr_array((n_added, observed.shape[1]))
            observed = scipy.sparse.vstack((observed, empty), format="csr")
        return predicted, self._std(factors.rows, observed, users, items)

    def _known_context(self) -> scipy.sparse.csr_array:
        """Cells that the training users' rows were solved from."""
        if not self._has_targets:
            return self._seen
        return scipy.sparse.hstack((self._context, self._seen), format="csr")

    def _predict_cells(
        self,
        context: scipy.sparse.csr_array,
        cells: scipy.sparse.csr_array,
        return_std: bool = False,
    ) -> Any:
        """Predict the stored cells of a matrix from the ratings in another's rows."""
        users, (rows, items) = self._fold_in(context), cells.tocoo().coords
        predicted = Factors(users, self._item_rows()).at(rows, items)
        self._target_scale.clip(predicted, items)
        return (predicted, self._std(users, context, rows, items)) if return_std else predicted

    def _std(
        self,
        users: Rows,
        observed: scipy.sparse.csr_array,
        rows: np.ndarray,
        items: np.ndarray,
    ) -> np.ndarray:
        """Standard deviations of pairs of rows of ``users`` and items, past the last an unknown."""
        n_items = len(self._target_items)
        # Each pair once: a table may hold one twice.
        codes, where = np.unique(rows * (n_items + 1) + items, return_inverse=True)
        asked = scipy.sparse.coo_array(
            (np.ones(len(codes)), np.divmod(codes, n_items + 1)), (len(users), n_items + 1)
        ).tocsr()
        n_units = self._model.n_units
        variances = self._model.variances(
            users.factors[:, :n_units],
            observed,
            asked,
            self.user_factors_[:, :n_units],
            self._seen,
        )[where]
        return np.sqrt(variances) * self._target_scale.slope[np.minimum(items, n_items - 1)]

    def _warn_of_strangers(self, ratings: Ratings, users: np.ndarray, items: np.ndarray) -> None:
        """Warn where most of a table can only get the prior."""
        if len(users) < 20:
            return
        for what, codes, known, given, where in (
            ("user", users, self.user_ids_, ratings.user_ids, ratings.users),
            ("item", items, self.item_ids_, ratings.item_ids, ratings.items),
        ):
            unknown = np.flatnonzero(codes < 0)
            if len(unknown) > len(codes) / 2:
                warnings.warn(
                    f"The {what} ids of {len(unknown) / len(codes):.0%} of these ratings are "
                    f"unknown, such as {shown(given[where[unknown[0]]])}, so they get the prior. "
                    f"{what}_ids_ holds ids such as {shown(known[0])}; ids of different types are "
                    "different.",
                    UserWarning,
                    stacklevel=4,
                )
        is_new = (users >= 0) & (np.diff(self._seen.indptr)[users] == 0)
        if is_new.mean() > 0.5:
            warnings.warn(
                f"{is_new.mean():.0%} of these ratings are by users without training ratings, so "
                "they get the prediction for an average user. KFold on a table sorted by user "
                "does this: use KFold(n_splits=5, shuffle=True). So does a split by time, for "
                "users who came later. For new users with some ratings, give these as a matrix: "
                "predict(context) or score(context, heldout). " + see("guide/evaluation.html"),
                UserWarning,
                stacklevel=4,
            )

    def score(self, X: Any, y: Any = None) -> float:
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

        Returns
        -------
        float
            Over observed cells only.

        Raises
        ------
        ValueError
            A cell observed both in X and in y, shapes that differ, or nothing to score.

        Notes
        -----
        ``score(X)`` with a matrix alone hides a fifth of each row's ratings (at least one of two or
        more; always the same ones), predicts them from the rest and scores them. That is honest for
        rows that were not used in ``fit``, as in cross-validation.

        ``GroupKFold`` by user on `Ratings` runs, but held-out users have no ratings in the training
        fold, so it scores the prior. To see how new users fare, give their ratings in two parts:
        ``score(context, heldout)``.
        """
        # sklearn.metrics takes as long to import as all of skautorec.
        from sklearn.metrics import r2_score

        check_is_fitted(self)
        if isinstance(X, Ratings):
            return float(r2_score(X.values if y is None else y, self.predict(X)))
        refuse_other_index(X, y)
        context = self._read_context(X)
        if y is not None:
            heldout = self._read_heldout(context, y)
        elif self._has_targets:
            raise ValueError("This estimator was fitted with y; score needs y too.")
        else:
            context, heldout = hide_ratings(context)
        return float(r2_score(heldout.data, self._predict_cells(context, heldout)))

    def to_module(self) -> DenseAutoRec:
        """Return the network with its serving decoder as a torch module.

        Returns
        -------
        torch.nn.Module
            Dense rows of the encoded side in, NaN for unobserved cells, in rating units; rows of
            predictions out, in rating units and not clipped. For ``kind="item"`` a row is an item,
            with an entry per training user; for ``kind="user"`` a row is a user, with an entry per
            item. Float32, on the CPU.

        Raises
        ------
        ValueError
            After ``fit(X, y)`` with ``kind="item"``, whose encoded rows have several ranges.
        """
        check_is_fitted(self)
        if len(self._model.parts) > 1:
            raise ValueError(
                "to_module gives one autoencoder, and this estimator has "
                f"{len(self._model.parts)}: fit with n_estimators=1 and kind='item' or 'user'."
            )
        part = self._model.parts[0]
        if part.encodes == "rows":
            # Without the coordinate that carries user biases, which the module adds by itself.
            factors = self.item_factors_[:, : self._model.n_units]
            decoder, slope = Rows(factors, self.item_bias_), self._target_scale.slope
        elif self._has_targets:
            raise ValueError("to_module needs kind='user' after fit(X, y), or a fit without y.")
        else:
            decoder, slope = self._scale.decoded(self._user_rows()), self._scale.slope[:1]
        return part.autoencoder.to_module(decoder, slope, *self.rating_range_)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one file that loads without pickle.

        Parameters
        ----------
        path : path
            The file; an existing one is replaced once the new one is complete.

        Raises
        ------
        TypeError
            Ids of a type that cannot be written without pickle; the message names it. Numbers,
            strings, bytes, booleans, datetime64, UUIDs and tuples of these can.
        OSError
            There is no such folder, ``path`` is a folder, or it cannot be written.

        Notes
        -----
        A ``RandomState`` instance in ``random_state`` is saved as None; callbacks are not saved.
        """
        check_is_fitted(self)
        params = self.get_params(deep=False)
        if isinstance(self.random_state, np.random.RandomState):
            params["random_state"] = None
        left_out = {"user_ids_", "item_ids_", "target_ids_", "_skl_callbacks", *params}
        fitted = {name: value for name, value in self.__dict__.items() if name not in left_out}
        _persistence.write(path, {"params": params, "fitted": fitted})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> AutoRecRegressor:
        """Read an estimator that `save` wrote.

        Parameters
        ----------
        path : path
            The file.

        Returns
        -------
        AutoRecRegressor
            Its predictions are those of the saved one, to the bit.

        Raises
        ------
        ValueError
            The file is none of ours, is cut short, was changed, or comes from a newer format.
        FileNotFoundError
            There is no such file.
        """
        state = _persistence.read(path)
        estimator = cls(**state["params"])
        estimator.__dict__.update(state["fitted"])
        estimator._share_ids()
        return estimator

    def _share_ids(self) -> None:
        self.user_ids_, self.item_ids_ = self._users.array, self._items.array
        self.target_ids_ = self._target_items.array

    def _read_context(self, X: Any) -> scipy.sparse.csr_array:
        return read_new_matrix(self, X, self._items)

    def _read_heldout(self, context: scipy.sparse.csr_array, y: Any) -> scipy.sparse.csr_array:
        """Ratings to be predicted from a context, which must not hold them."""
        heldout = read_heldout(y, context.shape[0], self._target_items)
        if not self._has_targets:
            refuse_overlap(context, heldout)
        return heldout

    def _fold_in(self, context: scipy.sparse.csr_array) -> Rows:
        """Rows of users, known or new, from their ratings."""
        return self._target_scale.users(self._model.fold_in(self._scale.to_stars(context)))

    def _user_rows(self) -> Rows:
        return Rows(self.user_factors_, self.user_bias_)

    def _item_rows(self) -> Rows:
        return Rows(self.item_factors_, self.item_bias_)

    def _new_user(self) -> Rows:
        return self._fold_in(scipy.sparse.csr_array((1, len(self._items))))

    def _new_item(self) -> Rows:
        return Scale.shared(*self.rating_range_, 1).items(self._model.unseen_column)


def _layer_widths(hidden_units: Any) -> tuple[int, ...]:
    if isinstance(hidden_units, Integral):
        return (int(hidden_units),)
    widths = tuple(hidden_units)
    if not widths or not all(isinstance(width, int | np.integer) and width > 0 for width in widths):
        raise ValueError(
            f"hidden_units is {hidden_units!r}; give the width of the hidden layer as a positive "
            "integer, or a sequence of them."
        )
    return tuple(int(width) for width in widths)


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device is {name!r}, which torch cannot use here ({str(error).splitlines()[0]}). Use "
            "'auto', 'cpu' or a device of this machine."
        ) from error
    return name


def _mean_curve(curves: list[list[float]]) -> list[float]:
    """Mean, at each epoch, of the curves that are as long."""
    longest = max(map(len, curves))
    return [
        float(np.mean([curve[epoch] for curve in curves if epoch < len(curve)]))
        for epoch in range(longest)
    ]
