"""AutoRecRegressor: parameters, their validation and the training; no numerics."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from ._base import RatingRegressor, fitted_of
from ._core.export import DenseAutoRec
from ._core.fit import fit_model
from ._core.forks import Lock
from ._core.isolation import isolated
from ._core.journal import Journal
from ._core.matrix import ReadTable
from ._core.memory import bytes_of_fit, refuse_beyond_memory
from ._core.model import Model, UserPart
from ._core.network import ACTIVATIONS
from ._core.scores import Embeddings
from ._core.solvers import SOLVERS, STOCHASTIC
from ._core.sparse import Pattern
from ._core.training import Settings
from ._data.inputs import TrainingInput
from ._files import Checkpoint
from ._fitted import Trained
from ._progress import CallbackSupportMixin, FitProgress, Updates, with_callbacks
from ._recommend import check_n, explain_one, list_similar, list_similar_users
from ._update import Drift, read_change, updated

__all__ = ["AutoRecRegressor"]

# Share of the input hidden in each epoch where none is given; not used with solvers that need the
# same objective at every step.
DROPOUT = 0.7
# Held while what an update made is put in the place of what it was made from.
_PUBLISHING = Lock()
# Networks of each kind of model.
N_PARTS = {"item": 1, "user": 1, "both": 2}


class AutoRecRegressor(CallbackSupportMixin, RatingRegressor):
    r"""Rating prediction with an autoencoder whose decoder is solved in closed form.

    AutoRec [1]_ reconstructs one side of a users x items rating matrix through a hidden layer,

    .. math:: h(r) = W g(V r + \mu) + b,

    and minimises, over observed cells only,

    .. math:: \sum (r - h(r))^2 + \lambda / 2 \, (\|W\|_F^2 + \|V\|_F^2),

    where :math:`\lambda` is ``lambd``.

    After training, each decoder row (a user's for ``kind="item"``) is solved again as a ridge
    regression on leave-one-out codes, those that the encoded rows would have without its own
    ratings, drawn to the mean row; new users get theirs the same way, without retraining.

    Parameters
    ----------
    hidden_units : int or sequence of int, default=200
        Units of the hidden layer; several numbers make a deep encoder, the last holds the codes.
    lambd : float, default=100.0
        Strength of the L2 penalty in training, in the units of the paper's objective on five-star
        ratings (other ranges are mapped to five stars first), whatever the batch size. Inputs are
        scaled, so that the default suits ratings of any number and spread.
    decoder_lambd : float or "auto", default="auto"
        The same for the decoder rows that are solved after training. ``"auto"`` chooses it for each
        part of the model on the held-out ratings, from 1/256 to 64 times the usual one, which is
        ``lambd`` (twice that for the second part of ``kind="both"``); where few ratings are held
        out the choice stays near the usual one. The penalty of the biases of these rows is always
        chosen so.
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
        Share of the input cells hidden in each epoch. Hidden cells are what the network learns to
        predict; see the notes. 0 is the objective above, the paper's. None is 0.7 for stochastic
        solvers and 0 for the others, which cannot use it.
    solver : {"adam", "rmsprop", "sgd", "rprop", "lbfgs"}, default="adam"
        Optimiser. The first three are stochastic: they take batches and dropout, and their
        parameters are averaged over epochs. ``"sgd"`` has a momentum of 0.9. ``"rprop"`` (the
        paper's) and ``"lbfgs"`` need full batches and the same objective at every step.
    learning_rate : float, default=None
        Step size, the same in all epochs (of Rprop, which adapts it, the first); None is 0.003 for
        Adam and Rprop, 0.001 for RMSprop, 0.02 for SGD and 1 for L-BFGS. That of SGD is divided by
        the typical number of ratings of a user and an item, since the objective is a sum.
    batch_size : int, default=None
        Encoded rows per step. None is a quarter of them, at most 1,024, for stochastic solvers, and
        all for the others.
    max_iter : int, default=300
        Most epochs: a bound, since training ends by itself.
    tol : float, default=1e-4
        Training ends when over ``n_iter_no_change`` epochs R^2 on the held-out ratings did not rise
        by this much. With fewer than two ratings held out it ends when the objective moved by less
        than this fraction.
    n_iter_no_change : int, default=20
        See ``tol``.
    validation_fraction : float, default=None
        Share of the ratings that are held out of training. They say when it ends, choose the
        penalties of the decoder and measure the noise, for ``return_std``; the rows of the model
        are then solved with all ratings. None is a twentieth, or 1,000 ratings where that is more,
        at most a fifth.
    rating_range : (float, float), default=None
        Lowest and highest possible rating; None takes the lowest and highest training rating.
        Predictions are clipped to it.
    device : str, default="auto"
        Torch device to train on; ``"auto"`` is ``"cuda"`` where available, else ``"cpu"``. One that
        lacks torch's sparse products, as ``"mps"`` does, is refused. The fitted estimator does not
        depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, of held-out and hidden ratings and of batches. On the CPU the same
        seed and number of threads give the same model to the bit.
    checkpoint : str or path, default=None
        Folder to keep what a fit has reached, in a file of its own, until it is done: written every
        half minute at most, and in no more than a hundredth of the time. A fit that was cut short
        in any way goes on from there when ``fit`` is called again with the same parameters and
        ratings, and ends with the same model, to the bit where ``random_state`` does. It takes an
        integer ``random_state``.
    verbose : int, default=0
        1 prints a line of progress every tenth epoch of each network, with the error on held-out
        ratings in rating units, or draws bars in a terminal or a notebook where tqdm is
        installed; 2 prints one line per epoch, and the seconds of each phase of the fit with the
        peak memory of the process at its end. Where
        scikit-learn has callbacks (from 1.9), those set with ``set_callbacks`` hear of phases and
        epochs, and may stop the training of a network.

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
    decoder_lambd_ : ndarray of shape (n_estimators, n_parts)
        Penalty of the decoder rows of each part, chosen or given, in the units of ``lambd``. There
        are two parts for ``kind="both"``, items encoded and then users, and one otherwise.
    loss_curve_ : list of float
        Objective in each epoch, on five-star ratings, taken before each step. With dropout it is
        that of the cells hidden in the epoch, weighted by 1 / ``dropout``, and varies from epoch to
        epoch. The mean where several networks were trained.
    validation_scores_ : list of float
        R^2 of the network after each epoch on held-out ratings (about 10,000 of them), less the
        biases of their encoded rows; of the averaged parameters where the solver is stochastic. The
        mean where several networks were trained; empty where fewer than two ratings are held out.
    n_iter_ : int
        Epochs behind the model, of which the last predicted held-out ratings best; the most, where
        several networks were trained.
    drift_ : Drift
        What came by ``update`` since the fit, which the networks have not seen: ``n_ratings``,
        ``n_removed``, ``n_users`` and ``n_items``; and, in rating units, ``rmse`` and
        ``last_rmse``, the errors of all updates and of the last one as they were predicted before.
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

    Ratings may have weights, which belong to `Ratings` and multiply the squares in the objective;
    :ref:`weights` says what else.

    A prediction is ``user_factors_[u] @ item_factors_[i] + user_bias_[u] + item_bias_[i]``, in
    rating units, before it is clipped. A user or an item without training ratings gets a prior: the
    mean decoder row on the decoded side, the mean code (weighted by ratings) on the encoded side. A
    prediction is never NaN.

    **Training.** In an epoch with dropout the loss counts the hidden cells only, weighted so that
    its expectation is that of all cells; they are predicted from the visible ones, and from the
    bias of these. Columns of ``y``, which ``kind="user"`` never gives to the network, always count.
    ``fit`` warns where damped biases of users and items predict held-out ratings, at least 1,000,
    better than the model by two standard errors.

    **Known users in a matrix.** A row of a matrix or frame, or a mapping, is a training user's if
    all of its ratings are that user's too, but for at most a tenth of them (one of three or more):
    fresh, changed and missing ratings make no difference. Of several such users it is the one whose
    ratings are exactly these, else the one who shares most of them; where that is not one user, the
    row is taken as new. In a frame with an index of its own, a label that names a training user
    decides first. A known user's row is solved from the ratings given, on codes without that user,
    and does not depend on the rows beside it. After ``fit(X, y)`` the same holds for X, and the
    user's stored ``y`` is not used.

    **Predictions for rated pairs** estimate no error: the user's row is honest, but the codes hold
    the ratings.

    **Standard deviations** add the noise, the posterior variance of the decoded row's ridge
    regression and, for the encoded row, a variance that falls as 1 / (its ratings + a constant); so
    they fall with the ratings of the user and of the item, for all kinds. How much each of the
    three counts is measured on held-out ratings.

    References
    ----------
    .. [1] S. Sedhain, A. K. Menon, S. Sanner and L. Xie, "AutoRec: Autoencoders Meet Collaborative
       Filtering", Proc. 24th International Conference on World Wide Web (Companion), 2015.

    Examples
    --------
    >>> from skautorec import AutoRecRegressor
    >>> from skautorec.datasets import make_ratings
    >>> ratings = make_ratings(n_users=60, n_items=40, n_ratings=800, random_state=0)
    >>> model = AutoRecRegressor(hidden_units=20, random_state=0).fit(ratings)
    >>> model.predict(ratings[:3]).shape
    (3,)
    >>> item_ids, scores = model.recommend(7, n=3)
    >>> item_ids.shape, scores.shape
    ((3,), (3,))
    """

    loss_curve_: list[float]
    validation_scores_: list[float] | None
    n_iter_: int
    decoder_lambd_: np.ndarray
    drift_: Drift

    _ranks_by: ClassVar[str] = "relevance"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_units": [Interval(Integral, 1, None, closed="left"), "array-like"],
        # Single precision holds no more.
        "lambd": [Interval(Real, 1e-20, 1e20, closed="both")],
        "decoder_lambd": [StrOptions({"auto"}), Interval(Real, 1e-20, 1e20, closed="both")],
        "kind": [StrOptions(set(N_PARTS))],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left"), None],
        "solver": [StrOptions(set(SOLVERS))],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "rating_range": ["array-like", None],
        "device": [str],
        "random_state": ["random_state"],
        "checkpoint": [str, os.PathLike, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        hidden_units: Any = 200,
        *,
        lambd: float = 100.0,
        decoder_lambd: float | Literal["auto"] = "auto",
        kind: Literal["item", "user", "both"] = "item",
        n_estimators: int = 1,
        activation: Literal["sigmoid", "tanh", "relu", "identity"] = "sigmoid",
        dropout: float | None = None,
        solver: Literal["adam", "rmsprop", "sgd", "rprop", "lbfgs"] = "adam",
        learning_rate: float | None = None,
        batch_size: int | None = None,
        max_iter: int = 300,
        tol: float = 1e-4,
        n_iter_no_change: int = 20,
        validation_fraction: float | None = None,
        rating_range: Any = None,
        device: str = "auto",
        random_state: Any = None,
        checkpoint: str | os.PathLike[str] | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_units = hidden_units
        self.lambd = lambd
        self.decoder_lambd = decoder_lambd
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
        self.validation_fraction = validation_fraction
        self.rating_range = rating_range
        self.device = device
        self.random_state = random_state
        self.checkpoint = checkpoint
        self.verbose = verbose

    @with_callbacks
    def _fit(self, X: Any, y: Any) -> Self:
        return super()._fit(X, y)

    def _progress(self, X: Any, y: Any) -> FitProgress:
        return FitProgress(self, X, y, self.n_estimators * N_PARTS[self.kind])

    def _train(self, given: TrainingInput, read: ReadTable, progress: FitProgress) -> Trained:
        settings, device = self._settings(), _device(self.device)
        self._refuse_beyond_memory(given, settings, device)
        arguments: dict[str, Any] = {
            "kind": self.kind,
            "n_members": self.n_estimators,
            "decoder_lambd": None if self.decoder_lambd == "auto" else float(self.decoder_lambd),
            "validation_fraction": self.validation_fraction,
            "seed": check_random_state(self.random_state).randint(np.iinfo(np.int32).max),
            "device": device,
        }
        progress.slopes = given.targets.scale.slope
        journal = self._journal(arguments | vars(settings), read)
        if journal.is_resumed:
            progress.goes_on()
        model, users, items, histories = fit_model(
            read, settings, **arguments, progress=progress, journal=journal
        )
        penalties = [[part.encoder.penalty for part in one.parts] for one in model.members]
        attributes = {
            "loss_curve_": _mean_curve([history.losses for history in histories]),
            "validation_scores_": _mean_curve([history.scores for history in histories]),
            "n_iter_": max(1, *(history.n_epochs for history in histories)),
            "decoder_lambd_": 2 * np.array(penalties),
            "drift_": Drift(),
        }
        return Trained(model, users, items, attributes, journal=journal)

    def _journal(self, arguments: dict[str, Any], read: ReadTable) -> Journal:
        """What keeps what the fit has reached, where there is a folder for it."""
        if self.checkpoint is None:
            return Journal()
        if not isinstance(self.random_state, Integral):
            raise ValueError(
                "With checkpoint, random_state is to be an integer, by which a fit that was "
                f"interrupted is found again; it is {self.random_state!r}."
            )
        return Checkpoint(self.checkpoint, arguments, read())

    def _refuse_beyond_memory(self, given: TrainingInput, settings: Settings, device: str) -> None:
        n_users, n_targets = len(given.user_ids), len(given.targets)
        n_bytes = bytes_of_fit(
            n_users,
            len(given.inputs),
            n_targets,
            settings.hidden_units,
            kind=self.kind,
            solver=self.solver,
            n_members=self.n_estimators,
            on_cpu=device == "cpu",
        )
        refuse_beyond_memory(
            n_bytes,
            f"A fit of {n_users:,} users and {n_targets:,} items with hidden_units="
            f"{self.hidden_units!r}, kind={self.kind!r} and n_estimators={self.n_estimators}",
            "Use fewer hidden_units, a smaller n_estimators or kind='item' in place of 'both', or "
            "leave out users and items with few ratings.",
        )

    def _settings(self) -> Settings:
        if self.batch_size is not None and self.solver not in STOCHASTIC:
            raise ValueError(
                f"solver={self.solver!r} needs all rows at every step, and batch_size is "
                f"{self.batch_size}. Use batch_size=None or a stochastic solver, such as 'adam'."
            )
        if self.dropout and self.solver not in STOCHASTIC:
            raise ValueError(
                f"solver={self.solver!r} needs the same objective at every step, and dropout is "
                f"{self.dropout}. Use dropout=None or a stochastic solver, such as 'adam'."
            )
        usual_dropout = DROPOUT if self.solver in STOCHASTIC else 0.0
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
        )

    def update(self, ratings: Any = None, *, remove: Any = None) -> Self:
        """Take in ratings that came after the fit, without training.

        Parameters
        ----------
        ratings : Ratings, default=None
            New ratings: by known users and new ones, of known items and new ones. A rating of a
            pair that has one takes its place; one of weight 0 is as if it were not given.
        remove : Ratings, default=None
            Pairs whose ratings are taken out; its values are not looked at.

        Returns
        -------
        self : object
            Itself. An update that fails leaves the estimator as it was.

        Raises
        ------
        ValueError
            A rating is outside of ``rating_range_``, a pair to be removed has no rating or is in
            ``ratings`` too, a pair is given twice, these are pairs without ratings, a parameter was
            set to what ``fit`` refuses, or the estimator was fitted with ``y``.
        TypeError
            What is given is not `Ratings`.

        Notes
        -----
        The networks, and what was estimated with them, stay as they are. What is read afterwards is
        what they give for all ratings of today, as if the rows of all users and items had been
        solved again: so it does not matter in which order, or how many at a time, ratings come.

        A rating of an item by a user whom the networks know changes the item's code, and with it
        the rows of all who rated the item. These are only marked, and solved when they are read: a
        list for one user solves one row, and ``user_factors_`` all that are stale. With
        ``kind="user"`` the rows of the items that the user has rated are solved at the next read,
        and with ``kind="both"`` all rows.

        New users get their rows from all of their ratings, but to the networks they are nobody
        until the next ``fit``: their ratings are in no code of an item. New items are known by the
        ratings of known users; with ``kind="user"`` they are in no code of a user. Lists by
        relevance use the exposure of the last fit, to which a new item is little more than nothing:
        ``rank_by="rating"`` lists it where it belongs.

        Of a user who has no ratings left the encoder forgets what it learned of them. The other
        weights, the penalties and the exposure were estimated with their ratings too and stay until
        the next fit.

        ``drift_`` counts what the networks have not seen, and says how well it was predicted.

        Examples
        --------
        >>> from skautorec import AutoRecRegressor, Ratings
        >>> from skautorec.datasets import make_ratings
        >>> ratings = make_ratings(n_users=60, n_items=40, n_ratings=800, random_state=0)
        >>> model = AutoRecRegressor(hidden_units=20, random_state=0).fit(ratings[:700])
        >>> model.update(ratings[700:]).drift_.n_ratings
        100
        """
        self._validate_params()
        progress = Updates(self.verbose)
        while True:
            fitted = fitted_of(self)
            with progress.phase("update"):
                change = read_change(fitted, ratings, remove)
                new = updated(fitted, change)
            drift = self.drift_.after(fitted, change)
            attributes = new.attributes() | {"drift_": drift, "_fitted": new}
            with _PUBLISHING:
                # Another thread may have published another one meanwhile.
                if self._fitted is fitted:
                    self._publish(attributes)
                    return self

    def similar_items(
        self, item: Any, n: int = 10, *, candidates: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """List the items most like an item: rated alike, and met by the same users.

        Parameters
        ----------
        item : id, or list, array, Index or Series of ids
            Items of the training data (after ``fit(X, y)``, columns of ``y``).
        n : int, default=10
            Items to list.
        candidates : sequence of item ids, default=None
            List only these items; None allows all. An item with few ratings may be anywhere: to
            list well-known items only, give those.

        Returns
        -------
        item_ids : ndarray of shape (n_listed,), at most ``n``, or (n_items, n)
            Most similar first, without the item itself.
        similarities : ndarray of float64 of the same shape
            From -1 to 1, and 0 for an item without ratings; see the notes. A row with fewer than
            ``n`` items to list is padded as by `recommend`.

        Raises
        ------
        KeyError
            An item id that the estimator does not know; the message names it.
        MemoryError
            Lists larger than memory.
        TypeError
            A set, whose order is nobody's, or ``n`` that is not an integer.
        ValueError
            ``n`` below 1, or an array of ids with more than one dimension.

        Notes
        -----
        The similarity is the mean of two: the cosine of the angle between the item factors minus
        their mean; and how much the same users meet both items whatever else they meet, the partial
        correlation of the exposures over that of the item most met with this one.

        Exposure is computed once, as for the lists of `recommend`; after ``fit(X, y)`` there is
        none, and the cosine of the factors is all.
        """
        fitted = fitted_of(self)
        check_n(n)
        item_ids, similarities = list_similar(fitted, item, n, candidates)
        return item_ids, similarities

    def similar_users(
        self, user: Any, n: int = 10, *, candidates: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """List the users most like a user: those who rate alike, however generous they are.

        Parameters
        ----------
        user : id, mapping, list of either, sparse matrix or DataFrame
            Users, known or new, as in `recommend`.
        n : int, default=10
            Users to list.
        candidates : sequence of user ids, default=None
            List only these users; None allows all. A user with few ratings may be anywhere: to list
            active users only, give those.

        Returns
        -------
        user_ids : ndarray of shape (n_listed,), at most ``n``, or (n_users, n)
            Users of the training data, most similar first, without the user themself, who is
            recognised in other forms than the id too.
        similarities : ndarray of float64 of the same shape
            From -1 to 1: the cosine of the angle between the user factors minus their mean. 0 for a
            user without ratings. A row with fewer than ``n`` users to list is padded as by
            `recommend`.

        Raises
        ------
        KeyError
            A user or item id that the estimator does not know; the message names it.
        MemoryError
            Lists larger than memory.
        ValueError
            ``n`` below 1, or rows that do not fit the training data.
        TypeError
            ``n`` that is not an integer, an id that is not hashable, ids and mappings in one batch,
            or `Ratings`.

        Examples
        --------
        >>> from skautorec import AutoRecRegressor
        >>> from skautorec.datasets import make_ratings
        >>> ratings = make_ratings(n_users=60, n_items=40, n_ratings=800, random_state=0)
        >>> model = AutoRecRegressor(hidden_units=20, random_state=0).fit(ratings)
        >>> user_ids, similarities = model.similar_users(7, n=3)
        >>> user_ids.shape, similarities.shape
        ((3,), (3,))
        >>> user_ids, similarities = model.similar_users({3: 5, 8: 1}, n=3)  # a new user
        """
        fitted = fitted_of(self)
        check_n(n)
        user_ids, similarities = list_similar_users(self, fitted, user, n, candidates)
        return user_ids, similarities

    def explain(
        self, user: Any, item: Any, n: int | None = 10
    ) -> tuple[float, np.ndarray, np.ndarray]:
        r"""Say why an item is predicted for a user: what each of their ratings adds.

        Parameters
        ----------
        user : id or mapping
            One user: an id of the training data, or all ratings ``{item_id: rating}`` of a user,
            new or known, as in `recommend`.
        item : id
            The item predicted, rated or not (after ``fit(X, y)``, a column of ``y``).
        n : int, default=10
            Ratings to list; None lists all.

        Returns
        -------
        base : float
            What is predicted of the item before the user's ratings count, in rating units.
        item_ids : ndarray of shape (n_listed,)
            Items that the user has rated, those that matter most first.
        contributions : ndarray of float64 of shape (n_listed,)
            What the rating of each adds to the base or takes off it, in rating units. The base plus
            the contributions of *all* ratings is the prediction before it is clipped.

        Raises
        ------
        KeyError
            A user or item id that the estimator does not know; the message names it.
        ValueError
            A fit with ``kind="user"``, whose network reads all ratings of a user at once, so that a
            prediction is no sum over them; or ``n`` below 1.
        TypeError
            More than one user, an id that is not hashable, or ``n`` that is not an integer.

        Notes
        -----
        With ``kind="item"`` a user's row is solved from their ratings: it is the prior
        :math:`w_0, b_0` plus a sum over the items :math:`j` that they rated. For an item with the
        code :math:`z` and the bias :math:`c` the prediction is, in stars,

        .. math:: w_0 \cdot z + b_0 + c
            + \sum_j (z, 1)^\top A^{-1} (z_j, 1) \, (r_j - c_j - w_0 \cdot z_j - b_0),

        where :math:`z_j, c_j` are without the user's own ratings and :math:`A` is the matrix of the
        row's ridge regression. The terms of the sum are the contributions: how much like the item a
        rated one is to the model, beside all others that the user rated, times how far its rating
        is from what the average user would have given it. The rest is the base, what is predicted
        for a user without ratings. All of it is exact, also for several models, of which it is the
        mean.

        With ``kind="both"`` the contributions are those of the first part, which are exact. What
        the second part adds depends on all of the user's ratings through a network, and on other
        users' ratings of the item; it is in the base, which differs from user to user, and the sum
        is exact as well.

        After ``fit(X, y)`` ratings of X's columns are listed. What a known user's own ``y`` adds is
        in the base.

        Examples
        --------
        >>> from skautorec import AutoRecRegressor
        >>> from skautorec.datasets import make_ratings
        >>> ratings = make_ratings(n_users=60, n_items=40, n_ratings=800, random_state=0)
        >>> model = AutoRecRegressor(hidden_units=20, random_state=0).fit(ratings)
        >>> base, item_ids, contributions = model.explain(7, 3, n=None)
        >>> predicted = model.user_factors_[7] @ model.item_factors_[3]
        >>> predicted += model.user_bias_[7] + model.item_bias_[3]
        >>> bool(abs(base + contributions.sum() - predicted) < 1e-6)
        True
        """
        fitted = fitted_of(self)
        if n is not None:
            check_n(n)
        return explain_one(self, fitted, user, item, n)

    def to_module(self) -> DenseAutoRec:
        """Return the network with its serving decoder as a torch module.

        Returns
        -------
        torch.nn.Module
            Dense rows of the encoded side in, NaN for unobserved cells, in rating units; rows of
            predictions out, in rating units and not clipped. For ``kind="item"`` a row is an item,
            with an entry per training user; for ``kind="user"`` a row is a user, with an entry per
            item. Users or items that came by `update` are in the output only. Float32, on the CPU.

        Raises
        ------
        ValueError
            After ``fit(X, y)`` with ``kind="item"``, whose encoded rows have several ranges.

        Notes
        -----
        Ratings in its input count 1, whatever their weights were in training.
        """
        fitted = fitted_of(self)
        model, scale = fitted.model, fitted.targets.scale
        assert isinstance(model, Model)
        if len(model.parts) > 1:
            raise ValueError(
                "to_module gives one autoencoder, and this estimator has "
                f"{len(model.parts)}: fit with n_estimators=1 and kind='item' or 'user'."
            )
        part = model.parts[0]
        if isinstance(part, UserPart):
            # Without the coordinate that carries user biases, which the module adds by itself.
            factors = fitted.items.factors[:, : model.n_units]
            decoder, slope = Embeddings(factors, fitted.items.bias), scale.slope
        elif fitted.has_targets:
            raise ValueError("to_module needs kind='user' after fit(X, y), or a fit without y.")
        else:
            decoder, slope = scale.decoded(fitted.users), scale.slope[:1]
        return part.encoder.to_module(decoder, slope, *fitted.inputs.scale.bounds)


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


@isolated
def _device(name: str) -> str:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        one = torch.ones(1, 1, device=name)
        if name != "cpu":
            # One product of each kind that a step takes: not every device has them.
            cell = Pattern.from_csr(np.array([0, 1]), np.array([0]), (1, 1), name)
            float(cell.dots(one, one) + cell.times(one[0], one)[0])
        # Refused on every device in a process forked from one in which torch uses CUDA.
        one.requires_grad_().sum().backward()
    except (RuntimeError, AssertionError) as error:
        if "fork" in str(error):
            raise ValueError(
                "This process was forked from one in which torch uses CUDA, and torch cannot train "
                "in it, on no device. Start it by multiprocessing's 'spawn' or 'forkserver'. "
                "Predictions, lists and updates need no CUDA and work here."
            ) from error
        reason = str(error).splitlines()[0].split(". ")[0]
        raise ValueError(
            f"device is {name!r}, which torch cannot use here ({reason}). Use 'auto', 'cpu' or a "
            "device of this machine."
        ) from error
    return name


def _mean_curve(curves: list[list[float]]) -> list[float]:
    """Mean, at each epoch, of the curves that are as long."""
    longest = max(map(len, curves))
    return [
        float(np.mean([curve[epoch] for curve in curves if epoch < len(curve)]))
        for epoch in range(longest)
    ]
