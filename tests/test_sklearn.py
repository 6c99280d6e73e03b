"""scikit-learn's own checks, and its tools on ratings and on rating matrices."""

import warnings
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from conftest import new, with_nan
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_regression
from sklearn.ensemble import StackingRegressor, VotingRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import parametrize_with_checks

from skautorec import AutoRecRegressor, Ratings
from skautorec._data.inputs import hide_ratings
from skautorec.baselines import BiasRegressor

# Reasons for failing a check of scikit-learn, by the name of the check: there are none.
EXPECTED_FAILURES: dict[str, str] = {}


@parametrize_with_checks(
    [
        AutoRecRegressor(),
        AutoRecRegressor(kind="user"),
        AutoRecRegressor(20, kind="both", solver="rprop"),
        AutoRecRegressor(hidden_units=20, lambd=1.0),
        AutoRecRegressor((20, 8), lambd=1.0, kind="user", max_iter=30),
    ],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("seed", [5, 49, 53, 54, 56, 57])
def test_how_the_first_of_few_cells_fit_is_not_taken_for_all(seed):
    # The data of check_regressor_multioutput, which chooses no seed: a warning here was an error
    # there, now and then.
    X, y = make_regression(n_samples=11, n_features=10, n_targets=5, random_state=42)
    AutoRecRegressor((20, 8), lambd=1.0, kind="user", random_state=seed).fit(X, y)


@pytest.mark.parametrize("kind", ["item", "user"])
def test_dense_regression_is_learnt_with_little_shrinkage(kind):
    # What scikit-learn's poor_score tag leaves out, on the data of its check_regressors_train.
    X, y = make_regression(200, 10, n_informative=1, bias=5.0, noise=20, random_state=42)
    X = StandardScaler().fit_transform(X)
    chosen = {"lambd": 1.0, "decoder_lambd": 0.1, "dropout": 0.0, "n_iter_no_change": 100}
    model = AutoRecRegressor(kind=kind, random_state=0, **chosen).fit(X, y)
    assert model.score(X, y) > 0.5
    assert model.score(X, y) == pytest.approx(r2_score(y, model.predict(X)))


@pytest.fixture
def small():
    return AutoRecRegressor(8, lambd=10.0, max_iter=20, random_state=0)


GRID = {"hidden_units": [4, 8], "lambd": [5.0, 50.0]}
SEARCHES = {
    "grid": lambda model: GridSearchCV(model, GRID, cv=2),
    "grid, two jobs": lambda model: GridSearchCV(model, GRID, cv=2, n_jobs=2),
    "randomized": lambda model: RandomizedSearchCV(model, GRID, n_iter=2, cv=2, random_state=0),
    "halving": lambda model: HalvingGridSearchCV(model, GRID, cv=2, random_state=0),
    "halving epochs": lambda model: HalvingGridSearchCV(
        model, GRID, cv=2, resource="max_iter", max_resources=20, min_resources=5
    ),
}


@pytest.mark.parametrize("with_y", [False, True])
@pytest.mark.parametrize("search", SEARCHES)
def test_searches_over_ratings(search, with_y, ratings, small):
    found = SEARCHES[search](small).fit(ratings, ratings.values if with_y else None)
    scores = found.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(np.unique(scores)) > 1
    assert found.predict(ratings).shape == (len(ratings),)


def test_search_results_do_not_depend_on_the_number_of_jobs(ratings, small):
    serial, parallel = (
        GridSearchCV(small, GRID, cv=3, n_jobs=n_jobs).fit(ratings) for n_jobs in (None, 2)
    )
    np.testing.assert_allclose(
        serial.cv_results_["mean_test_score"], parallel.cv_results_["mean_test_score"], rtol=1e-4
    )


@pytest.mark.parametrize("with_y", [False, True])
def test_cross_validation_over_ratings(with_y, ratings, small):
    y = ratings.values if with_y else None
    scores = cross_validate(small, ratings, y, cv=3)["test_score"]
    # The same by hand: train on some ratings, score the others.
    for (train, test), score in zip(KFold(3).split(ratings), scores, strict=True):
        model = clone(small).fit(ratings[train])
        predicted = model.predict(ratings[test])
        assert score == pytest.approx(r2_score(ratings.values[test], predicted))
    assert cross_val_predict(small, ratings, y, cv=3).shape == (len(ratings),)
    _, train_scores, test_scores = learning_curve(small, ratings, y, cv=3, train_sizes=[0.5, 1.0])
    assert np.isfinite(train_scores).all() and np.isfinite(test_scores).all()
    train, test = train_test_split(ratings, random_state=0)
    assert isinstance(train, Ratings) and len(train) + len(test) == len(ratings)
    assert train.user_ids is ratings.user_ids


def test_string_scorers(ratings, small):
    scoring = ["neg_root_mean_squared_error", "neg_mean_absolute_error", "r2"]
    scores = cross_validate(small, ratings, ratings.values, cv=3, scoring=scoring)
    assert (scores["test_neg_root_mean_squared_error"] < 0).all()
    assert (scores["test_neg_mean_absolute_error"] < 0).all()


def test_meta_estimators(ratings, small):
    y = ratings.values
    other = clone(small).set_params(kind="user")
    pair = [("item", small), ("user", other)]
    voted = VotingRegressor(pair).fit(ratings, y).predict(ratings)
    halves = [model.fit(ratings).predict(ratings) for _, model in pair]
    np.testing.assert_allclose(voted, np.mean(halves, axis=0))
    stacked = StackingRegressor(pair, LinearRegression(), cv=3).fit(ratings, y)
    assert stacked.predict(ratings).shape == (len(ratings),)
    scaled = TransformedTargetRegressor(small, transformer=StandardScaler()).fit(ratings, y)
    np.testing.assert_allclose(
        scaled.predict(ratings), small.fit(ratings).predict(ratings), atol=1e-3
    )


def test_pipelines(ratings, small):
    expected = clone(small).fit(ratings).predict(ratings)
    for step in ("passthrough", FunctionTransformer()):
        model = make_pipeline(step, clone(small)).fit(ratings, ratings.values)
        np.testing.assert_array_equal(model.predict(ratings), expected)


def test_group_k_fold_scores_the_prior(ratings, small):
    splits = GroupKFold(3).split(ratings, groups=ratings.users)
    train, test = next(iter(splits))
    small.fit(ratings[train])
    with pytest.warns(UserWarning, match=r"100% of these ratings .* score\(context, heldout\)"):
        predicted = small.predict(ratings[test])
    by_item = pd.Series(predicted).groupby(ratings.items[test]).nunique()
    assert (by_item == 1).all()
    assert len(np.unique(predicted)) > 10


FORMATS = [
    f"{name}_{suffix}"
    for name in ("csr", "csc", "coo", "lil", "dok", "bsr", "dia")
    for suffix in ("array", "matrix")
]


def as_format(ratings, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy.sparse.SparseEfficiencyWarning)
        return getattr(scipy.sparse, name)(ratings.to_matrix())


@pytest.fixture(scope="module")
def matrix_search():
    model = AutoRecRegressor(8, max_iter=5, random_state=0)
    return GridSearchCV(model, {"lambd": [5.0, 50.0]}, cv=2, refit=False)


@pytest.fixture(scope="module")
def expected_scores(matrix_search, ratings):
    return clone(matrix_search).fit(ratings.to_matrix()).cv_results_["mean_test_score"]


def with_wide_indices(ratings):
    wide = ratings.to_matrix()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    return wide


def named(ratings):
    return pd.DataFrame(with_nan(ratings), columns=[f"item {j}" for j in range(ratings.n_items)])


MATRICES = {
    **{name: partial(as_format, name=name) for name in FORMATS},
    "64-bit indices": with_wide_indices,
    "dense with NaN": with_nan,
    "frame with NaN": lambda ratings: pd.DataFrame(with_nan(ratings)),
    "frame of names": named,
}


@pytest.mark.parametrize("form", MATRICES)
def test_grid_search_over_every_kind_of_matrix(form, ratings, matrix_search, expected_scores):
    search = clone(matrix_search).fit(MATRICES[form](ratings))
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected_scores, rtol=1e-6)


def low_rank(n_users=300, n_items=60, rank=2, density=0.3):
    """Ratings of low rank with much noise, which a model with little shrinkage memorises."""
    rng = np.random.default_rng(0)
    R = rng.normal(size=(n_users, rank)) @ rng.normal(size=(rank, n_items))
    R += rng.normal(scale=1.5, size=R.shape)
    R[rng.random(R.shape) > density] = np.nan
    return R


@pytest.mark.parametrize("kind", ["item", "user"])
def test_matrix_search_orders_as_hidden_ratings_do_and_not_as_reconstruction_does(kind):
    R = low_rank()
    shrunk = AutoRecRegressor(60, lambd=5.0, kind=kind, max_iter=100, random_state=0)
    memorising = clone(shrunk).set_params(lambd=0.2, decoder_lambd=0.2)

    def reconstruction_error(model):
        cells = ~np.isnan(R)
        errors = []
        for train, test in KFold(3).split(R):
            predicted = clone(model).fit(R[train]).predict(R[test])
            errors.append(root_mean_squared_error(R[test][cells[test]], predicted[cells[test]]))
        return np.mean(errors)

    def by_rows(model):
        return cross_validate(model, R, cv=3)["test_score"].mean()

    def by_ratings(model):
        cv = KFold(3, shuffle=True, random_state=0)
        return cross_validate(model, Ratings.from_matrix(R), cv=cv)["test_score"].mean()

    assert by_ratings(shrunk) > by_ratings(memorising) + 0.05
    assert by_rows(shrunk) > by_rows(memorising) + 0.05
    if kind == "item":  # the wrong order; rows of items are not solved on codes that hold them
        assert reconstruction_error(memorising) < reconstruction_error(shrunk)


def test_fit_leaves_globals_alone_under_warnings_as_errors(ratings, small):
    import torch

    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    threads, filters = torch.get_num_threads(), list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inside = list(warnings.filters)
        small.fit(ratings).predict(ratings)
        assert list(warnings.filters) == inside
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert torch.get_num_threads() == threads
    assert list(warnings.filters) == filters


def test_html_links_to_the_api_page():
    # The page that docs/api.rst makes of its entry.
    page = "https://skautorec.github.io/skautorec/generated/skautorec.AutoRecRegressor.html"
    html = estimator_html_repr(make_pipeline("passthrough", AutoRecRegressor()))
    assert f'href="{page}"' in html

    class Changed(AutoRecRegressor):  # somebody else's, which has no page of ours
        pass

    assert page not in estimator_html_repr(Changed())


def test_feature_names_are_those_of_the_last_frame(ratings, small):
    frame = pd.DataFrame(ratings.to_matrix().toarray()).add_prefix("film ").replace(0.0, np.nan)
    model = clone(small).fit(frame)
    assert model.feature_names_in_.tolist() == frame.columns.tolist()
    assert not hasattr(model.fit(ratings), "feature_names_in_")


def count_threads(model, X, y=None):
    return torch.get_num_threads()


def test_two_jobs_share_the_cores(ratings, small):
    counts = cross_validate(small, ratings, cv=4, n_jobs=2, scoring=count_threads)
    assert 2 * max(counts["test_score"]) <= max(2, joblib.cpu_count())


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_metadata_routing_reaches_score(ratings):
    weights = np.random.default_rng(0).random(len(ratings))
    for estimator in (new("item"), BiasRegressor()):
        weighted = clone(estimator).set_score_request(sample_weight=True)
        pipeline = make_pipeline(weighted).fit(ratings)
        expected = r2_score(ratings.values, weighted.predict(ratings), sample_weight=weights)
        assert pipeline.score(ratings, sample_weight=weights) == pytest.approx(expected)
        assert make_pipeline(estimator).fit(ratings).score(ratings) == pytest.approx(
            estimator.score(ratings)
        )
        searched = GridSearchCV(weighted, {}, cv=2)  # scikit-learn 1.6 routes to no pipeline here
        searched.fit(ratings, ratings.values, sample_weight=weights)
        scores = cross_validate(
            weighted, ratings, ratings.values, cv=2, params={"sample_weight": weights}
        )
        np.testing.assert_allclose(searched.best_score_, scores["test_score"].mean())
        plain = cross_validate(weighted, ratings, ratings.values, cv=2)
        assert not np.allclose(plain["test_score"], scores["test_score"])


def test_rows_of_a_matrix_are_weighted_as_their_ratings(ratings):
    R = ratings.to_matrix()
    model = new("item").fit(R)
    some = np.arange(R.shape[0]) % 3 == 0
    expected = model.score(R[some])
    # What score(R) hides is drawn for all rows, so that rows are left out by context and heldout.
    context, heldout = hide_ratings(R)
    assert model.score(context, heldout, sample_weight=some) == pytest.approx(
        model.score(context[some], heldout[some])
    )
    assert model.score(R, sample_weight=np.full(R.shape[0], 2.0)) == model.score(R) != expected


@pytest.mark.parametrize("estimator", [new("item"), BiasRegressor()])
def test_weights_that_do_not_fit_are_refused(estimator, ratings):
    model = clone(estimator).fit(ratings)
    with pytest.raises(ValueError, match="sample_weight has 3 values for 1500 ratings"):
        model.score(ratings, sample_weight=[1, 2, 3])
    with pytest.raises(ValueError, match="sample_weight has 3 values for 80 rows of X"):
        model.score(ratings.to_matrix(), sample_weight=[1, 2, 3])
    with pytest.raises(ValueError, match="sample_weight contains NaN"):
        model.score(ratings, sample_weight=np.full(1500, np.nan))
