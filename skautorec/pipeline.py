"""A Pipeline that recommends: what its last step can do beside predict."""

from __future__ import annotations

from functools import wraps
from typing import Any, Self

from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import available_if

from ._estimator import AutoRecRegressor

__all__ = ["RecommenderPipeline"]


def _where_last_step_has(name: str) -> Any:
    """Make a method one that a pipeline has where its last step has it."""
    return available_if(lambda pipeline: getattr(pipeline[-1], name) is not None)


def _of_last_step(name: str) -> Any:
    @_where_last_step_has(name)
    @wraps(getattr(AutoRecRegressor, name))
    def method(self: RecommenderPipeline, *args: Any, **kwargs: Any) -> Any:
        return getattr(self[-1], name)(*args, **kwargs)

    return method


class RecommenderPipeline(Pipeline):
    """A `~sklearn.pipeline.Pipeline` that recommends as its last step does.

    It is scikit-learn's, and has beside what that has ``recommend``, ``fold_in``,
    ``similar_items``, ``similar_users``, ``explain`` and ``update`` of the last step, where the
    step has them.

    Parameters
    ----------
    steps : list of (str, estimator)
        Names and steps; the last is an `AutoRecRegressor` or a baseline.
    transform_input : list of str, default=None
        As in `~sklearn.pipeline.Pipeline`.
    memory : str or object with the joblib.Memory interface, default=None
        As in `~sklearn.pipeline.Pipeline`.
    verbose : bool, default=False
        As in `~sklearn.pipeline.Pipeline`.

    Notes
    -----
    Users and items are given as to the last step, by ids or as rows and mappings of ratings, which
    are nothing that a first step would read. Only `update` takes tables such as ``fit`` takes.

    Examples
    --------
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skautorec import AutoRecRegressor, Ratings
    >>> from skautorec.datasets import make_ratings
    >>> from skautorec.pipeline import RecommenderPipeline
    >>> frame = make_ratings(60, 40, 800, random_state=0).to_frame()
    >>> names = {"user": "user_id", "item": "item_id", "rating": "rating"}
    >>> read = FunctionTransformer(Ratings.from_frame, kw_args=names)
    >>> model = AutoRecRegressor(20, random_state=0)
    >>> pipeline = RecommenderPipeline([("read", read), ("model", model)]).fit(frame[:700])
    >>> ids, scores = pipeline.recommend(7, n=3)
    >>> ids, scores = pipeline.recommend({3: 5, 8: 1}, n=3)  # a new user
    >>> pipeline.update(frame[700:])["model"].drift_.n_ratings
    100
    """

    recommend = _of_last_step("recommend")
    fold_in = _of_last_step("fold_in")
    similar_items = _of_last_step("similar_items")
    similar_users = _of_last_step("similar_users")
    explain = _of_last_step("explain")

    @_where_last_step_has("update")
    def update(self, X: Any = None, *, remove: Any = None) -> Self:
        """Take in what came after the fit, without training: ``update`` of the last step.

        Parameters
        ----------
        X : object, default=None
            New ratings, of the kind that ``fit`` is given: the steps before the last transform it.
        remove : object, default=None
            Pairs whose ratings are taken out, of the same kind.

        Returns
        -------
        self : object
            Itself.
        """
        if len(self) > 1:
            read = self[:-1].transform
            X, remove = (None if given is None else read(given) for given in (X, remove))
        self[-1].update(X, remove=remove)
        return self
