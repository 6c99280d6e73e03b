"""Biases and popularity: known answers, estimated damping, and what all estimators promise."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.sparse
from conftest import new
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import parametrize_with_checks

from skautorec import AutoRecRegressor, Ratings
from skautorec._core.matrix import select
from skautorec._core.scores import Embeddings, Scores
from skautorec.baselines import BiasRegressor, PopularityRecommender

# Reasons for failing a check of scikit-learn, by the name of the check: there are none.
EXPECTED_FAILURES: dict[str, str] = {}
MODELS = {
    "biases": BiasRegressor(),
    "given damping": BiasRegressor((3, 7)),
    "by count": PopularityRecommender(),
    "by mean": PopularityRecommender("mean"),
}


@parametrize_with_checks(
    [
        *MODELS.values(),
        BiasRegressor(0),
        BiasRegressor(("auto", np.inf)),
    ],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.fixture(params=MODELS)
def model(request):
    return pickle.loads(pickle.dumps(MODELS[request.param]))


def planted(n_users, n_items, n_ratings, user_sd, item_sd, seed=0, activity=0.0):
    """Ratings of random pairs, around 3 with noise of 1; a positive activity makes users differ."""
    rng = np.random.default_rng(seed)
    weights = np.arange(1, n_users + 1) ** -activity
    users = rng.choice(n_users, 3 * n_ratings, p=weights / weights.sum())
    cells = np.unique(users * n_items + rng.integers(n_items, size=len(users)))
    users, items = np.divmod(rng.permutation(cells)[:n_ratings], n_items)
    values = 3 + rng.normal(scale=user_sd, size=n_users)[users] + rng.normal(size=len(users))
    values += rng.normal(scale=item_sd, size=n_items)[items]
    ids = {"user_ids": np.arange(n_users), "item_ids": np.arange(n_items)}
    return Ratings(users, items, values, **ids)


# Biases: known answers.


def test_without_damping_a_full_matrix_gives_the_two_way_means():
    R = np.random.default_rng(0).normal(size=(7, 5))
    model = BiasRegressor(0).fit(R)
    rows, columns = R.mean(axis=1, keepdims=True), R.mean(axis=0)
    fitted = model.user_bias_[:, None] + model.item_bias_
    assert_allclose(fitted, rows + columns - R.mean(), atol=1e-12)
    assert_allclose(model.mean_, R.mean())
    assert_allclose(model.predict(R), np.clip(fitted, R.min(), R.max()), atol=1e-12)


def test_without_damping_additive_ratings_are_continued_exactly():
    rng = np.random.default_rng(1)
    R = rng.normal(size=(30, 1)) + rng.normal(size=20)
    seen = np.where(rng.random(R.shape) < 0.4, R, np.nan)
    predicted = BiasRegressor(0, rating_range=(-9, 9)).fit(seen).predict(seen)
    assert_allclose(predicted, R, atol=1e-4)
    assert_allclose(BiasRegressor(rating_range=(-9, 9)).fit(seen).predict(seen), R, atol=0.02)


@pytest.mark.parametrize("damping", [np.inf, 1e9])
def test_infinite_damping_gives_the_mean(damping, ratings):
    model = BiasRegressor(damping).fit(ratings)
    assert_allclose(model.predict(ratings), ratings.values.mean(), atol=1e-5)
    assert_allclose(model.mean_, ratings.values.mean(), atol=1e-5)


def test_biases_minimise_the_documented_objective(ratings):
    damping = np.repeat([3.0, 7.0], [ratings.n_users, ratings.n_items])
    cells = np.zeros((len(ratings), 1 + len(damping)))
    each = np.arange(len(ratings))
    cells[:, 0] = cells[each, 1 + ratings.users] = 1
    cells[each, 1 + ratings.n_users + ratings.items] = 1
    penalty = np.diag(np.append(0, damping))
    solved = np.linalg.solve(cells.T @ cells + penalty, cells.T @ ratings.values)
    model = BiasRegressor((3, 7)).fit(ratings)
    assert_allclose(model.mean_, solved[0], atol=1e-5)
    assert_allclose(model.user_bias_, solved[1 : 1 + ratings.n_users], atol=1e-5)
    assert_allclose(model.item_bias_ - model.mean_, solved[1 + ratings.n_users :], atol=1e-5)


@pytest.mark.parametrize(
    ("damping", "expected"),
    [(5, (5, 5)), ((1, 2.5), (1, 2.5)), (np.array([3, 4]), (3, 4)), ((np.inf, 0), (np.inf, 0))],
)
def test_damping_is_as_given(damping, expected, ratings):
    assert BiasRegressor(damping).fit(ratings).damping_ == expected


def test_one_damping_may_be_estimated(ratings):
    both = BiasRegressor().fit(ratings).damping_
    users, items = BiasRegressor(("auto", both[1])).fit(ratings).damping_
    assert items == both[1]
    assert users == pytest.approx(both[0], rel=0.02)


@pytest.mark.parametrize("damping", [(1, 2, 3), (1,), (1, -2), ("auto", "best"), (None, 1), "best"])
def test_bad_damping_is_refused(damping, ratings):
    with pytest.raises(ValueError, match="damping"):
        BiasRegressor(damping).fit(ratings)


# Estimated damping.


@pytest.mark.parametrize("sds", [(0.5, 1.0), (1.0, 0.4), (0.3, 0.3)])
def test_estimated_damping_is_the_planted_ratio(sds):
    found = BiasRegressor().fit(planted(600, 500, 30_000, *sds)).damping_
    # The variance of so many planted biases varies by about 6 % itself.
    assert_allclose(found, np.array(sds) ** -2.0, rtol=0.25)


def test_estimated_damping_is_large_where_a_side_has_no_bias():
    users, items = BiasRegressor().fit(planted(600, 500, 30_000, 0.0, 1.0)).damping_
    assert users > 50
    assert items == pytest.approx(1.0, rel=0.25)


def exact_damping(ratings):
    """Maximise the restricted likelihood of dense matrices."""
    n = len(ratings)
    same = [codes[:, None] == codes for codes in (ratings.users, ratings.items)]

    def loss(logs):
        V = np.eye(n) + sum(one * np.exp(-log) for one, log in zip(same, logs, strict=True))
        inverse = np.linalg.inv(V)
        weights = inverse.sum(axis=0)
        left = ratings.values - weights @ ratings.values / weights.sum()
        misfit = (n - 1) * np.log(left @ inverse @ left)
        return misfit + np.linalg.slogdet(V)[1] + np.log(weights.sum())

    return np.exp(scipy.optimize.minimize(loss, [1.0, 1.0], method="Nelder-Mead").x)


@pytest.mark.parametrize("n_items", [40, 300])  # the latter are seldom rated twice
def test_estimated_damping_is_about_that_of_restricted_likelihood(n_items):
    ratings = planted(50, n_items, 400, 0.8, 1.2, seed=3)
    assert_allclose(BiasRegressor().fit(ratings).damping_, exact_damping(ratings), rtol=0.25)


def test_estimated_damping_beats_extremes_out_of_sample():
    ratings = planted(300, 200, 4000, 0.5, 0.8, seed=1)
    train, test = ratings[:3000], ratings[3000:]

    def error(damping):
        return np.mean((test.values - BiasRegressor(damping).fit(train).predict(test)) ** 2)

    found = error("auto")
    assert found < 1.01 * min(error(pair) for pair in [(4, 1.5), (4, 4), (1, 1), (8, 2)])
    assert found < 0.97 * error(0.1)
    assert found < 0.97 * error(50)


@pytest.mark.parametrize(
    "R", [[[3.0]], [[2.0, 2.0], [2.0, np.nan]], [[1.0, np.nan], [np.nan, 5.0]]]
)
def test_least_ratings_are_enough(R, model):
    R = np.array(R)
    with np.errstate(all="raise"):
        predicted, std = model.fit(R).predict(R, return_std=True)
    assert np.isfinite(predicted).all() and np.isfinite(std).all()
    assert (predicted >= np.nanmin(R)).all() and (predicted <= np.nanmax(R)).all()


def test_fit_is_deterministic_and_independent_of_the_order(ratings):
    first, again = BiasRegressor().fit(ratings), BiasRegressor().fit(ratings)
    assert_array_equal(first.item_bias_, again.item_bias_)
    shuffled = BiasRegressor().fit(ratings[np.random.default_rng(0).permutation(len(ratings))])
    assert_allclose(shuffled.item_bias_, first.item_bias_, rtol=1e-9)


# Query, known and new.


def test_new_users_get_what_training_users_with_the_same_ratings_get(ratings, model):
    R = ratings.to_matrix()
    model.fit(ratings)
    every = model.predict(R)
    pairs = np.divmod(np.arange(R.shape[0] * R.shape[1]), R.shape[1])
    asked = Ratings(
        *pairs, np.ones(len(pairs[0])), user_ids=ratings.user_ids, item_ids=ratings.item_ids
    )
    for known, fresh in zip(
        model.predict(asked, return_std=True), model.predict(R, return_std=True), strict=True
    ):
        assert_allclose(known, fresh.ravel(), rtol=1e-12)
    of_third = ratings[ratings.users == 3]
    given = dict(zip(of_third.items.tolist(), of_third.values.tolist(), strict=True))
    for known, fresh in zip(
        model.recommend(3, return_std=True), model.recommend(given, return_std=True), strict=True
    ):
        assert_allclose(known, fresh)
    assert_allclose(model.predict(R[:3]), every[:3])


def test_a_new_users_bias_is_a_damped_mean(ratings):
    model = BiasRegressor((3, 7)).fit(ratings)
    assert model.fold_in({})[1] == 0
    _, bias = model.fold_in({4: 5.0, 6: 4.0})
    left = 9.0 - model.item_bias_[4] - model.item_bias_[6]
    assert bias == pytest.approx(left / (2 + 3))


@pytest.mark.filterwarnings("ignore:The (user|item) ids of 100%")
def test_unknown_users_and_items_get_the_mean(ratings):
    model = BiasRegressor().fit(ratings)
    unknown = Ratings([0], [0], [1.0], user_ids=["new"], item_ids=["new"])
    assert_allclose(model.predict(unknown), model.mean_)


def test_lists_are_those_of_the_predictions(ratings):
    model = BiasRegressor().fit(ratings)
    ids, scores = model.recommend(5, n=4, exclude_seen=False)
    every = model.user_bias_[5] + model.item_bias_
    assert ids.tolist() == np.argsort(-every)[:4].tolist()
    assert_allclose(scores, every[ids], rtol=1e-6)
    seen = set(ratings.items[ratings.users == 5].tolist())
    ids, _ = model.recommend(5, n=50)
    assert set(ids.tolist()) == set(range(50)) - seen
    ids, _ = model.recommend(5, candidates=[1, 2, 3], exclude=[2], exclude_seen=False)
    assert set(ids.tolist()) == {1, 3}
    ids, _ = model.recommend(5, n=50, candidates=range(10, 50))
    assert set(ids.tolist()) == set(range(10, 50)) - seen


def test_score_of_a_matrix_is_honest(ratings, model):
    R = ratings.to_matrix()
    train, test = R[:60], R[60:]
    hidden = np.arange(test.nnz) % 3 == 0
    shown, truth = (select(test, chosen) for chosen in (~hidden, hidden))
    predicted = model.fit(train).predict(shown)[truth.tocoo().coords]
    assert model.score(shown, truth) == pytest.approx(r2_score(truth.data, predicted))
    assert 0 < model.score(test) < 0.6
    scores = cross_validate(model, ratings, cv=KFold(3, shuffle=True, random_state=0))
    assert np.isfinite(scores["test_score"]).all()


def test_searches(ratings):
    search = GridSearchCV(BiasRegressor(), {"damping": ["auto", 0.1, (3, 30)]}, cv=3)
    assert len(set(search.fit(ratings).cv_results_["mean_test_score"])) == 3


# Standard deviations.


@pytest.mark.parametrize("sds", [(0.5, 1.0), (1.5, 0.3)])
def test_std_is_calibrated_for_active_and_inactive_users(sds):
    ratings = planted(2000, 400, 20_000, *sds, activity=0.8)
    train, test = ratings[:14_000], ratings[14_000:]
    model = BiasRegressor(rating_range=(-50, 50)).fit(train)
    predicted, std = model.predict(test, return_std=True)
    ratios = ((test.values - predicted) / std) ** 2
    activity = np.bincount(train.users, minlength=2000)[test.users]
    for part in np.array_split(np.argsort(activity, kind="stable"), 4):
        assert np.mean(ratios[part]) == pytest.approx(1, abs=0.1)
    quiet, busy = std[activity <= 2].mean(), std[activity >= 50].mean()
    assert busy < quiet < np.sqrt(1 + sds[0] ** 2 + 0.3)


@pytest.mark.filterwarnings("ignore:The (user|item) ids of 100%")
def test_std_grows_by_the_prior_without_ratings():
    ratings = planted(300, 200, 6000, 1.0, 1.5)
    model = BiasRegressor(rating_range=(-50, 50)).fit(ratings)
    unknown = Ratings([0], [0], [1.0], user_ids=["new"], item_ids=["new"])
    std = model.predict(unknown, return_std=True)[1]
    noise = model._fitted.model.noise * model._fitted.inputs.scale.slope[0] ** 2
    assert noise == pytest.approx(1, rel=0.1)
    assert_allclose(std**2, noise * (1 + sum(1 / damping for damping in model.damping_)))


@pytest.mark.filterwarnings("ignore:The (user|item) ids of 100%")
@pytest.mark.parametrize("damping", [0, 1e-9])
def test_std_is_bounded_by_the_ratings_where_no_damping_says_how_biases_vary(damping, ratings):
    unknown = Ratings([0], [0], [1.0], user_ids=["new"], item_ids=["new"])
    std = BiasRegressor(damping).fit(ratings).predict(unknown, return_std=True)[1]
    spread = ratings.values.std()
    assert spread < std < np.sqrt(3) * spread


def test_std_adds_the_noise_and_both_posterior_variances():
    ratings = planted(60, 40, 700, 0.8, 0.8)
    model = BiasRegressor((2.0, 3.0)).fit(ratings)
    biases = model._fitted.model
    counts = np.zeros((60, 40))
    counts[ratings.users, ratings.items] = 1
    hessian = np.block(
        [
            [np.diag(counts.sum(axis=1) + 2.0), counts],
            [counts.T, np.diag(counts.sum(axis=0) + 3.0)],
        ]
    )
    exact = np.diag(np.linalg.inv(hessian))
    assert_allclose(biases.row_variances(ratings.users, ratings.items, 60), exact[:60], rtol=0.1)
    assert_allclose(biases.column_variances, exact[60:], rtol=0.1)
    std = model.predict(ratings, return_std=True)[1]
    noise = biases.noise * model._fitted.inputs.scale.slope[0] ** 2
    relative = exact[:60][ratings.users] + exact[60:][ratings.items]
    assert_allclose(std**2 / noise - 1, relative, rtol=0.1)


def test_std_of_further_columns_falls_with_their_ratings():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 6)), rng.normal(size=(100, 2))
    y[3:, 1] = np.nan
    model = BiasRegressor((np.inf, 1)).fit(X, y)
    std = model.predict(X, return_std=True)[1] / model._fitted.targets.scale.slope
    noise = model._fitted.model.noise
    assert_allclose(std**2 / noise, np.broadcast_to([1 + 1 / 101, 1 + 1 / 4], y.shape))


# Popularity.


def popular():
    """Ratings of items a to d by 4, 3, 2 and 1 users; the rarer the better."""
    users = [0, 1, 2, 3, 0, 1, 2, 4, 5, 5]
    items = [*"aaaa", *"bbb", *"cc", "d"]
    values = [1, 2, 1, 2, 3, 3, 3, 4, 4, 5]
    frame = pd.DataFrame({"user": users, "item": items, "rating": values})
    return Ratings.from_frame(frame, user="user", item="item", rating="rating")


def test_popular_items_are_those_with_most_ratings():
    model = PopularityRecommender().fit(popular())
    ids, scores = model.recommend({})
    assert ids.tolist() == ["a", "b", "c", "d"]
    assert scores.tolist() == [4, 3, 2, 1]
    assert model.item_counts_.tolist() == [4, 3, 2, 1]
    ids, scores = model.recommend([3, 5], n=3)
    assert ids[0].tolist() == ["b", "c", "d"]
    assert ids[1, :2].tolist() == ["a", "b"]
    assert np.isnan(scores[1, 2])
    ids, scores = model.recommend(3, candidates=["d", "c", "a"], exclude_seen=False)
    assert (ids.tolist(), scores.tolist()) == (["a", "c", "d"], [4, 2, 1])


def test_well_rated_items_are_those_with_the_best_damped_mean():
    model = PopularityRecommender(by="mean").fit(popular())
    ids, scores = model.recommend({})
    assert ids.tolist() == ["d", "c", "b", "a"]
    counts, means = np.array([4, 3, 2, 1]), np.array([1.5, 3, 4, 5])
    shares = counts / (counts + model.damping_)
    mean = shares @ means / shares.sum()
    assert_allclose(scores[::-1], mean + shares * (means - mean), rtol=1e-6)
    assert_allclose(model.predict(popular())[[0, 4, 7, 9]], scores[::-1], rtol=1e-6)


def test_damping_keeps_a_single_good_rating_from_the_top():
    rng = np.random.default_rng(0)
    R = np.full((200, 20), np.nan)
    R[:, :19] = np.clip(np.rint(np.linspace(2, 4.5, 19) + rng.normal(size=(200, 19))), 1, 5)
    R[0, 19] = 5.0
    ids, _ = PopularityRecommender(by="mean").fit(R).recommend({}, n=20)
    assert ids[0] == 18
    assert ids.tolist().index(19) > 0


def test_popularity_ignores_who_is_asked_but_for_what_was_seen(ratings):
    model = PopularityRecommender(by="mean").fit(ratings)
    lists, scores = model.recommend([0, 1], exclude_seen=False)
    assert_array_equal(lists[0], lists[1])
    assert_array_equal(scores[0], scores[1])
    assert not set(model.recommend(0, n=50)[0]) & set(ratings.items[ratings.users == 0])


def test_items_without_ratings_are_listed_last():
    ratings = Ratings([0, 1], [1, 1], [3.0, 4.0], item_ids=["x", "y", "z"])
    model = PopularityRecommender().fit(ratings)
    assert model.recommend({})[0].tolist() == ["y", "x", "z"]
    assert model.item_counts_.tolist() == [0, 2, 0]


def test_popularity_of_further_columns_is_theirs():
    X, y = np.ones((5, 3)), np.array([[1, 4], [2, np.nan], [np.nan, 4], [np.nan, 5], [3, 3]])
    model = PopularityRecommender().fit(X, y)
    assert model.item_counts_.tolist() == [3, 4]
    assert model.recommend({})[0].tolist() == [1, 0]


def test_ranking_is_that_of_the_fit():
    model = PopularityRecommender().fit(popular()).set_params(by="mean")
    assert model.recommend({})[0].tolist() == ["a", "b", "c", "d"]


def test_std_of_popularity_is_that_of_the_ratings_of_an_item():
    ratings = planted(500, 30, 9000, 1.0, 1.0)
    model = PopularityRecommender(rating_range=(-50, 50)).fit(ratings)
    std = model.predict(ratings, return_std=True)[1]
    assert_allclose(std, np.sqrt(2), rtol=0.1)  # noise and users


# What every estimator of ratings promises.


def test_an_affine_change_of_ratings_changes_predictions_so(ratings, model):
    R = ratings.to_matrix()
    expected, std = model.fit(ratings).predict(ratings, return_std=True)
    other = ratings.with_values(7 - 25 * ratings.values)
    predicted, scaled = model.fit(other).predict(other, return_std=True)
    assert_allclose(predicted, 7 - 25 * expected, rtol=1e-8)
    assert_allclose(scaled, 25 * std, rtol=1e-6)
    assert_allclose(model.predict(other.to_matrix()).shape, R.shape)


def test_unobserved_cells_never_matter_and_zero_is_a_rating(model):
    R = scipy.sparse.csr_array(np.array([[5.0, 0, 3], [4, 2, 0], [0, 1, 2]]))
    dense = R.toarray()
    dense[dense == 0] = np.nan
    assert_allclose(model.fit(R).predict(R), model.fit(dense).predict(dense))
    expected = model.predict(dense)
    dense[0, 1] = 0.0
    assert (np.abs(model.fit(dense).predict(dense) - expected) > 0.05).any()


def test_table_and_matrix_agree(ratings, model):
    of_table = model.fit(ratings).item_bias_
    assert_allclose(model.fit(ratings.to_matrix()).item_bias_, of_table, rtol=1e-9)


def test_further_columns_are_predicted_from_a_row(model):
    rng = np.random.default_rng(0)
    level = rng.normal(size=(200, 1))
    X, y = level + rng.normal(size=(200, 8)) / 4, level + rng.normal(size=(200, 2)) / 4 + [0, 9]
    predicted, std = model.fit(X, y).predict(X, return_std=True)
    assert predicted.shape == std.shape == y.shape
    assert model.target_ids_.tolist() == [0, 1]
    if isinstance(model, BiasRegressor):
        assert np.corrcoef(predicted[:, 1], y[:, 1])[0, 1] > 0.9
    ids, _ = model.recommend(0, exclude_seen=False)
    assert set(ids.tolist()) == {0, 1}


@pytest.mark.parametrize("ids", [["x", "y", "z"], [10, 20, 30]])
def test_files_hold_everything(model, ids, tmp_path):
    frame = pd.DataFrame([[5, np.nan, 3], [4, 2, np.nan], [np.nan, 1, 2]], columns=ids)
    model.fit(frame).save(tmp_path / "model")
    loaded = type(model).load(tmp_path / "model")
    assert loaded.get_params() == model.get_params()
    assert set(vars(loaded)) == set(vars(model))
    for one in (loaded, pickle.loads(pickle.dumps(model))):
        assert_array_equal(one.predict(frame), model.predict(frame))
        assert_array_equal(one.recommend({})[0], model.recommend({})[0])
        assert one.damping_ == model.damping_


def test_files_of_another_class_are_refused(ratings, tmp_path):
    path = tmp_path / "model"
    BiasRegressor().fit(ratings).save(path)
    message = r"written by BiasRegressor\.save, and {}\.load reads .* Use BiasRegressor\.load"
    with pytest.raises(ValueError, match=message.format("AutoRecRegressor")):
        AutoRecRegressor.load(path)
    with pytest.raises(ValueError, match=message.format("PopularityRecommender")):
        PopularityRecommender.load(path)
    new("item").fit(ratings).save(path)
    with pytest.raises(ValueError, match=r"Use AutoRecRegressor\.load"):
        BiasRegressor.load(path)


class Extended(BiasRegressor):
    """Somebody's subclass, which reads the files of its base and the other way round."""


def test_files_of_subclasses_are_those_of_the_class(ratings, tmp_path):
    Extended(3).fit(ratings).save(tmp_path / "model")
    assert BiasRegressor.load(tmp_path / "model").damping_ == (3, 3)
    assert isinstance(Extended.load(tmp_path / "model"), Extended)


def test_only_item_factors_say_what_is_similar():
    assert hasattr(AutoRecRegressor, "similar_items")
    for name in ("similar_items", "similar_users", "explain"):
        assert not hasattr(BiasRegressor, name)


def test_html_links_to_the_api_page():
    page = "https://skautorec.github.io/skautorec/generated/skautorec.baselines.BiasRegressor.html"
    assert f'href="{page}"' in estimator_html_repr(BiasRegressor())


# A model without factors.


@pytest.mark.parametrize("n", [3, 100, 4000])  # few pairs, some, more than there are cells
def test_pairs_without_factors(n):
    rng = np.random.default_rng(0)
    rows, columns = (Embeddings(np.zeros((m, 0)), rng.normal(size=m)) for m in (30, 40))
    pairs = rng.integers(30, size=n), rng.integers(40, size=n)
    expected = rows.bias[pairs[0]] + columns.bias[pairs[1]]
    assert_allclose(Scores(rows, columns).at(*pairs), expected)


def test_many_lists_without_factors():
    rng = np.random.default_rng(0)
    rows, columns = (Embeddings(np.zeros((m, 0)), rng.normal(size=m)) for m in (70, 3000))
    hidden = scipy.sparse.random_array((70, 3000), density=0.3, random_state=0, format="csr")
    best, scores = Scores(rows, columns).top(5, hidden)
    every = rows.bias[:, None] + columns.bias
    every[hidden.tocoo().coords] = -np.inf
    assert_array_equal(best, np.argsort(-every, axis=1)[:, :5])
    assert_allclose(scores, np.take_along_axis(every, best, axis=1), atol=1e-5)
