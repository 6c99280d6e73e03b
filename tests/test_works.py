"""docs/works.rst says what works with what, and here each of its cells is tried."""

import io
import pickle
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import (
    RFE,
    SelectFromModel,
    SelectKBest,
    SequentialFeatureSelector,
    f_regression,
)
from sklearn.inspection import (
    PartialDependenceDisplay,
    partial_dependence,
    permutation_importance,
)
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression
from sklearn.metrics import (
    PredictionErrorDisplay,
    get_scorer,
    get_scorer_names,
    make_scorer,
    mean_pinball_loss,
    r2_score,
)
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    LearningCurveDisplay,
    LeaveOneOut,
    PredefinedSplit,
    RandomizedSearchCV,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
    TunedThresholdClassifierCV,
    ValidationCurveDisplay,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    train_test_split,
    validation_curve,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler
from sklearn.utils import estimator_html_repr, resample, shuffle
from test_progress import Recorder

from skautorec import AutoRecRegressor, Ratings
from skautorec._data.inputs import hide_ratings
from skautorec._data.matrix import read_matrix
from skautorec.datasets import make_ratings
from skautorec.model_selection import GlobalTimeSplit, UserTimeSplit, make_top_n_scorer
from skautorec.pipeline import RecommenderPipeline

mpl.use("Agg")
PAGE = Path(__file__).parents[1] / "docs" / "works.rst"
FORMS = ["Ratings", "sparse", "dense"]
GRID = {"lambd": [2.0, 200.0]}


def shown(cell):
    """A cell as it is read: names without their modules."""
    return re.sub(r"(?<!`)`~?(?:[\w.]+\.)?(\w+)`(?!`)", r"\1", " ".join(cell.split()))


def read_page():
    """Cells of each tool, by the form of the ratings."""
    table = re.split(r"\n(?=\S)", PAGE.read_text("utf-8").split(".. list-table::\n")[1])[0]
    tools = {}
    for row in re.split(r"\n    \* - ", table)[2:]:
        names, ratings, matrix, _ = map(shown, re.split(r"\n      -(?: |$|(?=\n))", row))
        if names.startswith("**"):
            continue
        of_both = re.fullmatch(r"\| sparse: (.*) \| dense: (.*)", matrix)
        cells = (ratings, *(of_both.groups() if of_both else (matrix, matrix)))
        for name in re.split(r", (?!and )", names):
            assert name not in tools, name
            tools[name] = dict(zip(FORMS, cells, strict=True))
    return tools


ROWS = read_page()
TRIALS = {}


def tries(*tools):
    """Register what tries tools: it says whether they did what their names say."""

    def register(trial):
        TRIALS.update(dict.fromkeys(tools, trial))
        return trial

    return register


def each(**tools):
    """Register a trial of one tool each."""
    TRIALS.update(tools)


@dataclass
class Given:
    X: Any
    y: Any
    model: Any
    noise: Any
    """The same with ratings that nothing predicts."""

    @property
    def is_table(self):
        return isinstance(self.X, Ratings)

    @property
    def fitted(self):
        return clone(self.model).fit(self.X)

    def cross_validated(self, **options):
        options = {"cv": KFold(2), "error_score": "raise"} | options
        return np.isfinite(cross_val_score(self.model, self.X, self.y, **options)).all()

    def fits(self, estimator):
        """Whether an estimator predicts as many numbers as the model itself."""
        predicted = estimator.fit(self.X, self.y).predict(self.X)
        return predicted.shape == self.fitted.predict(self.X).shape


@pytest.fixture(scope="module")
def forms():
    ratings = make_ratings(20, 15, 150, random_state=0)
    rng = np.random.default_rng(0)
    ratings = Ratings(ratings.users, ratings.items, ratings.values, timestamps=rng.random(150))
    noise = ratings.with_values(rng.permutation(ratings.values))
    return {
        form: tuple(map(change, (ratings, noise)))
        for form, change in zip(FORMS, (lambda x: x, Ratings.to_matrix, dense), strict=True)
    }


def dense(ratings):
    matrix = np.full((ratings.n_users, ratings.n_items), np.nan)
    matrix[ratings.users, ratings.items] = ratings.values
    return matrix


def tried(trial, given):
    """What happens, in the words of the page, and what an error says."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ("works" if trial(given) else "something else"), ""
    except AssertionError:
        raise
    except Exception as error:
        return "refuses", str(error)
    finally:
        plt.close("all")


# Searches and cross-validation


def searched(search, given):
    scores = search.fit(given.X, given.y).cv_results_["mean_test_score"]
    return np.isfinite(scores).all() and len(np.unique(scores)) > 1


def honest(given):
    """Whether predictions of ratings that nothing predicts are no better than the mean."""
    X, y = (given.noise, given.noise.values) if given.is_table else (given.noise, None)
    folds = KFold(2, shuffle=True, random_state=0)
    predicted = cross_val_predict(given.model, X, y, cv=folds)
    if not given.is_table:
        cells = read_matrix(X).observed.tocoo()
        y, predicted = cells.data, predicted[cells.coords]
    return r2_score(y, predicted) < 0


def scored_without_y(given, scoring="r2"):
    with pytest.warns(UserWarning, match="Scoring failed"):
        scores = cross_val_score(given.model, given.X, scoring=scoring, cv=2)
    return np.isfinite(scores).any()


@tries('``scoring="r2"`` with ``y``, and every other scorer of regression')
def named_scorers(given):
    y = given.y if given.is_table else given.X
    of_regression = [
        name
        for name in get_scorer_names()
        if get_scorer(name)._score_func.__module__ == "sklearn.metrics._regression"
    ]
    assert len(of_regression) > 11
    scores = cross_validate(given.model, given.X, y, scoring=of_regression, cv=2)
    return all(np.isfinite(scores[f"test_{name}"]).all() for name in of_regression)


@tries('``search.score(X)`` after ``scoring="r2"``')
def score_of_a_search(given):
    search = GridSearchCV(given.model, GRID, scoring="r2", cv=2).fit(given.X, given.y)
    if given.is_table:
        assert np.isfinite(search.score(given.X, given.y))
    assert np.isfinite(search.best_estimator_.score(given.X))
    return np.isfinite(search.score(given.X))


@tries('cross_val_predict with ``params={"return_std": True}``')
def deviations_of_folds(given):
    data = {"X": given.X, "y": given.y, "params": {"return_std": True}}
    with config_context(enable_metadata_routing=True):
        requested = clone(given.model).set_predict_request(return_std=True)
        with pytest.raises(TypeError, match="'return_std'"):
            cross_val_predict(requested, **data)
    return cross_val_predict(given.model, **data)


each(
    GridSearchCV=lambda given: searched(GridSearchCV(given.model, GRID, cv=2), given),
    RandomizedSearchCV=lambda given: searched(
        RandomizedSearchCV(given.model, GRID, n_iter=2, cv=2), given
    ),
    HalvingGridSearchCV=lambda given: searched(
        HalvingGridSearchCV(given.model, GRID, cv=2, factor=2, min_resources=10, random_state=0),
        given,
    ),
    cross_val_score=Given.cross_validated,
    cross_validate=lambda given: np.isfinite(
        cross_validate(given.model, given.X, given.y, cv=2)["test_score"]
    ).all(),
    learning_curve=lambda given: np.isfinite(
        learning_curve(given.model, given.X, given.y, cv=2, train_sizes=[1.0])[2]
    ).all(),
    validation_curve=lambda given: np.isfinite(
        validation_curve(
            given.model, given.X, given.y, param_name="lambd", param_range=[2, 20], cv=2
        )[1]
    ).all(),
    cross_val_predict=honest,
    permutation_test_score=lambda given: np.isfinite(
        permutation_test_score(given.model, given.X, given.y, n_permutations=2, cv=2)[0]
    ),
)
tries('``scoring="r2"`` without ``y``')(scored_without_y)


# Splits


@tries("train_test_split")
def split_in_two(given):
    parts = train_test_split(given.X, random_state=0)
    return sum(part.shape[0] for part in parts) == given.X.shape[0] and all(
        type(part) is type(given.X) for part in parts
    )


def drawn(given, draw, **options):
    X = draw(given.X, random_state=0, **options)
    return type(X) is type(given.X) and len(clone(given.model).fit(X).predict(X)) == X.shape[0]


@tries("resample")
def resampled(given):
    assert drawn(given, resample, replace=False)
    return drawn(given, resample)


@tries("GroupKFold by user")
def folds_of_users(given):
    if not given.is_table:
        return given.cross_validated(cv=GroupKFold(2), groups=np.arange(20))
    train, test = next(GroupKFold(2).split(given.X, groups=given.X.users))
    hidden = given.X[test]
    with pytest.warns(UserWarning, match="users without training ratings"):
        predicted = clone(given.model).fit(given.X[train]).predict(hidden)
    of_one_item = predicted[hidden.items == hidden.items[0]]
    return len(of_one_item) < 2 or np.ptp(of_one_item) > 0


@tries("StratifiedKFold of half stars")
def folds_of_half_stars(given):
    if not given.is_table:
        return given.cross_validated(cv=StratifiedKFold(2))
    halves = given.X.with_values(given.y - 0.5 * (given.X.users % 2))
    folds = list(StratifiedKFold(2).split(halves, 2 * halves.values))
    assert np.isfinite(cross_val_score(given.model, halves, halves.values, cv=folds)).all()
    return cross_val_score(given.model, halves, halves.values, cv=StratifiedKFold(2))


@tries("LeaveOneOut")
def folds_of_one(given):
    if given.is_table:
        few = Given(given.X[:8], given.y[:8], given.model, None)
        return few.cross_validated(cv=LeaveOneOut(), scoring="neg_mean_absolute_error")
    few = Given(given.X[:5], None, given.model, None)
    return few.cross_validated(cv=LeaveOneOut())


@tries("TimeSeriesSplit")
def folds_by_position(given):
    assert given.cross_validated(cv=TimeSeriesSplit(2))
    if not given.is_table:
        return True
    times = given.X.timestamps
    return all(times[a].max() < times[b].min() for a, b in TimeSeriesSplit(2).split(given.X))


each(
    shuffle=lambda given: drawn(given, shuffle),
    KFold=lambda given: given.cross_validated(cv=KFold(2)),
    ShuffleSplit=lambda given: given.cross_validated(cv=ShuffleSplit(2, random_state=0)),
    PredefinedSplit=lambda given: given.cross_validated(
        cv=PredefinedSplit(np.arange(given.X.shape[0]) % 3)
    ),
    StratifiedKFold=lambda given: given.cross_validated(cv=StratifiedKFold(2)),
    GlobalTimeSplit=lambda given: given.cross_validated(cv=GlobalTimeSplit(2)),
    UserTimeSplit=lambda given: given.cross_validated(cv=UserTimeSplit()),
)


# Pipelines and transformers


def same_as_alone(given, model, kept=lambda X: X):
    """Whether a pipeline predicts what the model does of what its first steps leave."""
    predicted = model.fit(given.X).predict(given.X)
    X = kept(given.X)
    expected = clone(given.model).fit(X).predict(X)
    return predicted.shape == expected.shape and np.allclose(predicted, expected)


@tries("FunctionTransformer")
def steps_that_change(given):
    def change(X):
        return X.with_values(6 - X.values) if given.is_table else X[:, :10]

    return same_as_alone(given, make_pipeline(FunctionTransformer(change), given.model), change)


@tries("MaxAbsScaler and other scalers")
def scaled(given):
    scaled = make_pipeline(MaxAbsScaler(), given.model).fit(given.X, given.y)
    return scaled.predict(given.X).max() > 1


@tries("ColumnTransformer")
def some_columns(given):
    def pick(**options):
        return ColumnTransformer([("some", "passthrough", [0, 1, 2])], **options)

    model = make_pipeline(pick(), given.model)
    if not given.is_table:
        sparse = make_pipeline(pick(sparse_threshold=1), given.model)
        assert same_as_alone(given, sparse, lambda X: X[:, :3])
    return same_as_alone(given, model, lambda X: X[:, :3])


@tries('``set_config(transform_output="pandas")``')
def pandas_output(given):
    pytest.importorskip("pandas")
    if not given.is_table:
        with config_context(transform_output="pandas"):
            return same_as_alone(given, clone(given.model))
    frame = given.X.to_frame()
    names = {"user": "user_id", "item": "item_id", "rating": "rating"}
    read = FunctionTransformer(Ratings.from_frame, kw_args=names)
    with config_context(transform_output="pandas"):
        with pytest.warns(UserWarning, match="set_output"):
            predicted = make_pipeline(read, given.model).fit(frame).predict(frame)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            quiet = make_pipeline(read.set_output(transform="default"), given.model).fit(frame)
        np.testing.assert_array_equal(quiet.predict(frame), predicted)
    return np.allclose(predicted, given.fitted.predict(given.X))


@tries("SequentialFeatureSelector")
def selected(given):
    X = given.X if given.is_table else given.X[:, :3]
    scored = []

    def score(model, X, y=None):
        scored.append(read_matrix(X).observed.data)
        return model.score(X)

    select = SequentialFeatureSelector(
        given.model, n_features_to_select=2, direction="backward", scoring=score, cv=2
    )
    select.fit(X, given.y)
    return all(np.array_equal(one, scored[0]) for one in scored[::2])


each(
    Pipeline=lambda given: same_as_alone(given, make_pipeline("passthrough", given.model)),
    RecommenderPipeline=lambda given: np.array_equal(
        RecommenderPipeline([("model", clone(given.model))]).fit(given.X, given.y).recommend(3)[0],
        given.fitted.recommend(3)[0],
    ),
    TransformedTargetRegressor=lambda given: given.fits(
        TransformedTargetRegressor(given.model, transformer=StandardScaler())
    ),
    RFE=lambda given: RFE(given.model).fit(given.X, given.y),
    SelectKBest=lambda given: SelectKBest(f_regression).fit(given.X, given.y),
    SelectFromModel=lambda given: SelectFromModel(given.model).fit_transform(given.X, given.y),
)
tries("``recommend`` of a Pipeline")(
    lambda given: make_pipeline(given.model).fit(given.X, given.y).recommend(3)
)


# Ensembles

each(
    BaggingRegressor=lambda given: given.fits(BaggingRegressor(given.model, n_estimators=2)),
    AdaBoostRegressor=lambda given: given.fits(AdaBoostRegressor(given.model, n_estimators=2)),
    VotingRegressor=lambda given: given.fits(VotingRegressor([("model", given.model)])),
    StackingRegressor=lambda given: given.fits(
        StackingRegressor([("model", given.model)], LinearRegression(), cv=2)
    ),
    MultiOutputRegressor=lambda given: given.fits(MultiOutputRegressor(given.model)),
)


# Inspection


@tries("permutation_importance")
def importance(given):
    hidden = []

    def score(model, X, y):
        hidden.append(hide_ratings(read_matrix(X).observed)[1].toarray())
        return model.score(X)

    permutation_importance(given.fitted, given.X, given.y, scoring=score, n_repeats=1)
    return all(np.array_equal(one, hidden[0]) for one in hidden)


def test_permutation_importance_works_with_targets_beside_the_matrix(forms):
    X, y = np.split(forms["dense"][0], [10], axis=1)
    model = AutoRecRegressor(4, max_iter=2, random_state=0).fit(X, y)
    found = permutation_importance(model, X, y, n_repeats=2, random_state=0)
    assert found.importances.shape == (10, 2) and np.isfinite(found.importances).all()


each(
    partial_dependence=lambda given: (
        partial_dependence(given.fitted, given.X, [0]).average.shape[0] == 15
    ),
    PartialDependenceDisplay=lambda given: PartialDependenceDisplay.from_estimator(
        given.fitted, given.X, [0], target=3
    ),
    PredictionErrorDisplay=lambda given: PredictionErrorDisplay.from_estimator(
        given.fitted, given.X, given.y
    ),
    LearningCurveDisplay=lambda given: LearningCurveDisplay.from_estimator(
        given.model, given.X, given.y, cv=2, train_sizes=[0.5, 1.0]
    ),
    ValidationCurveDisplay=lambda given: ValidationCurveDisplay.from_estimator(
        given.model, given.X, given.y, param_name="lambd", param_range=[2, 20], cv=2
    ),
)


# Calibration and thresholds


@tries("IsotonicRegression on cross_val_predict")
def calibrated(given):
    if given.is_table:
        predicted = cross_val_predict(given.model, given.X, given.y, cv=2)
        fitted = IsotonicRegression(out_of_bounds="clip").fit(predicted, given.y)
        assert np.isfinite(fitted.predict([3.5])).all()
    return honest(given)


each(
    CalibratedClassifierCV=lambda given: given.fits(CalibratedClassifierCV(given.model)),
    FixedThresholdClassifier=lambda given: given.fits(FixedThresholdClassifier(given.model)),
    TunedThresholdClassifierCV=lambda given: given.fits(TunedThresholdClassifierCV(given.model)),
)


# Metrics and metadata


@tries("make_scorer")
def own_scorer(given):
    scorer = make_scorer(mean_pinball_loss, greater_is_better=False)
    if given.is_table:
        return given.cross_validated(scoring=scorer)
    return scored_without_y(given, scorer)


@tries("``set_score_request(sample_weight=True)``")
def routed(given):
    weights = np.ones(given.X.shape[0])
    with config_context(enable_metadata_routing=True):
        model = clone(given.model).set_score_request(sample_weight=True)
        search = GridSearchCV(model, GRID, cv=2).fit(given.X, given.y, sample_weight=weights)
    return np.isfinite(search.cv_results_["mean_test_score"]).all()


each(make_top_n_scorer=lambda given: given.cross_validated(scoring=make_top_n_scorer("ndcg", n=3)))
tries("``sample_weight`` of ``fit``")(
    lambda given: given.model.fit(given.X, given.y, sample_weight=np.ones(given.X.shape[0]))
)


# Everything else


def same_after(given, copy):
    return np.array_equal(copy(given.fitted).predict(given.X), given.fitted.predict(given.X))


def by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


@tries("``set_callbacks`` (scikit-learn 1.9)")
def heard(given):
    pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9")
    recorder = Recorder()
    clone(given.model).set_callbacks(recorder).fit(given.X, given.y)
    return recorder.begun.count("epoch") == 1


each(clone=lambda given: same_after(given, lambda model: clone(model).fit(given.X)))
tries("``pickle``")(
    lambda given: same_after(given, lambda model: pickle.loads(pickle.dumps(model)))
)
tries("``joblib``")(lambda given: same_after(given, by_joblib))
tries('``set_config(display="diagram")``')(
    lambda given: "AutoRecRegressor" in estimator_html_repr(given.fitted)
)


# The page


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tool", sorted(ROWS.keys() | TRIALS.keys()))
def test_a_cell_says_what_happens(tool, form, forms):
    X, noise = forms[form]
    model = AutoRecRegressor(4, solver="rprop", max_iter=1, decoder_lambd=1.0, random_state=0)
    given = Given(X, X.values if form == "Ratings" else None, model, noise)
    outcome, message = tried(TRIALS[tool], given)
    said = re.fullmatch(r"(works|refuses|something else)(?: ``(.*)``|[:,] .*)?", ROWS[tool][form])
    assert said[1] == outcome, message
    assert (said[2] or "") in message


def test_rows_and_trials_are_the_same():
    assert ROWS.keys() == TRIALS.keys()
