"""A Pipeline from a frame, and what one gives of its last step."""

import pickle
from inspect import signature

import numpy as np
import pytest
from conftest import new
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from skautorec import AutoRecRegressor, Ratings
from skautorec.baselines import BiasRegressor
from skautorec.pipeline import RecommenderPipeline

METHODS = ["recommend", "fold_in", "similar_items", "similar_users", "explain", "update"]
NAMES = {"user": "who", "item": "film", "rating": "stars"}
READ = FunctionTransformer(Ratings.from_frame, kw_args=NAMES)


def piped(model, **options):
    return RecommenderPipeline([("read", READ), ("model", model)], **options)


@pytest.fixture(scope="module")
def frame(ratings):
    pytest.importorskip("pandas")
    return ratings.to_frame().set_axis(["who", "film", "stars"], axis=1)


@pytest.fixture
def pipeline(frame):
    return piped(new("item", max_iter=3)).fit(frame[:1200])


@pytest.mark.parametrize(
    "call",
    [
        lambda model: model.recommend(17, n=3, exclude_seen=False),
        lambda model: model.recommend({3: 5, 8: 1}),
        lambda model: model.fold_in([3, 4]),
        lambda model: model.similar_items(3, n=2),
        lambda model: model.similar_users(3, n=2),
        lambda model: model.explain(3, item=4),
    ],
)
def test_the_last_step_is_asked(call, pipeline):
    for found, expected in zip(call(pipeline), call(pipeline[-1]), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_update_reads_tables_as_fit_does(frame, pipeline):
    assert pipeline.update(frame[1200:]) is pipeline
    assert pipeline["model"].drift_.n_ratings == 300
    pipeline.update(remove=frame[["who", "film"]][:4])
    assert pipeline["model"].drift_.n_removed == 4
    alone = RecommenderPipeline([("model", new("item", max_iter=2))])
    ratings = Ratings.from_frame(frame, **NAMES)
    assert alone.fit(ratings[:1200]).update(ratings[1200:])[-1].drift_.n_ratings == 300


@pytest.mark.parametrize(
    ("model", "has"),
    [(AutoRecRegressor(), METHODS), (BiasRegressor(), METHODS[:2]), (LinearRegression(), [])],
)
def test_only_what_the_last_step_has_is_there(model, has):
    assert [name for name in METHODS if hasattr(piped(model), name)] == has
    assert piped(model).predict and not hasattr(Pipeline([("model", model)]), "recommend")


def test_methods_are_described_as_those_of_the_estimator():
    for name in METHODS[:-1]:
        ours, theirs = getattr(RecommenderPipeline, name), getattr(AutoRecRegressor, name)
        assert ours.__doc__ == theirs.__doc__ and signature(ours) == signature(theirs)


def test_it_is_a_pipeline(frame, pipeline, tmp_path):
    copied = clone(pipeline)
    assert isinstance(copied, RecommenderPipeline) and not hasattr(copied[-1], "n_iter_")
    search = GridSearchCV(piped(new("item", max_iter=2)), {"model__lambd": [5, 50]}, cv=3)
    best = search.fit(frame, frame["stars"]).best_estimator_
    assert best.recommend(17, n=3)[0].shape == (3,)
    again = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(again.recommend(17)[1], pipeline.recommend(17)[1])
    cached = piped(new("item", max_iter=3), memory=str(tmp_path)).fit(frame[:1200])
    np.testing.assert_array_equal(cached.recommend(17)[1], pipeline.recommend(17)[1])


def test_a_table_without_the_column_of_ratings_is_predicted(frame, pipeline):
    pairs = frame[["who", "film"]]
    np.testing.assert_array_equal(pipeline.predict(pairs), pipeline.predict(frame))
    assert pipeline.score(pairs, frame["stars"]) == pipeline.score(frame)
    lacking = r"rating='stars': the frame has no such column. Its columns are 'who', 'film'"
    for call in (clone(pipeline).fit, pipeline.score, pipeline.update):
        with pytest.raises(ValueError, match=f"without ratings, to be predicted; {lacking}"):
            call(pairs)
    np.testing.assert_array_equal(
        clone(pipeline).fit(pairs, frame["stars"]).predict(pairs),
        clone(pipeline).fit(frame).predict(pairs),
    )
