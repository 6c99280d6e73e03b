"""Which items users will meet, and lists by what they will meet and like."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from conftest import new

from skautorec import Ratings
from skautorec._core import exposure as exposure_module
from skautorec._core import lists
from skautorec._core.draws import Draws
from skautorec._core.exposure import Exposure, fit_exposure
from skautorec._core.matrix import select
from skautorec._core.relevance import Relevance
from skautorec._core.scores import Embeddings, Scores
from skautorec.baselines import BiasRegressor, PopularityRecommender
from skautorec.datasets import make_ratings
from skautorec.model_selection import make_top_n_scorer

PATTERN = make_ratings(80, 30, 900, random_state=2).to_matrix()


def direct(X, penalty):
    """Weights of each item's ridge regression on the others, without their closed form."""
    weights = np.zeros((X.shape[1], X.shape[1]))
    for item in range(X.shape[1]):
        others = np.delete(np.arange(X.shape[1]), item)
        A = X[:, others].T @ X[:, others] + penalty * np.eye(len(others))
        weights[others, item] = np.linalg.solve(A, X[:, others].T @ X[:, item])
    return weights


def exposures(exposure, ratings):
    """Exposure of users to all items, as `Relevance` makes it of its parts."""
    reached = exposure.codes(ratings) @ exposure.components.T - exposure.own(ratings).toarray()
    return np.maximum(reached / (1 - exposure.leverage), exposure.least)


def test_exposure_is_ridge_regressions_of_each_item_on_the_others():
    exposure = fit_exposure(PATTERN)
    counts = np.diff(PATTERN.indptr)
    values = PATTERN.toarray()
    mean = values.sum(axis=1) / counts
    liking = np.where(values > 0, 1 + (values - mean[:, None]) / 4, 0)
    expected = liking @ direct((values > 0).astype(float), exposure.penalty)
    popularity = (values > 0).mean(axis=0)
    assert (expected > 0.01 * popularity).mean() > 0.9
    expected = np.maximum(expected, 0.01 * popularity)
    np.testing.assert_allclose(exposures(exposure, PATTERN), expected, atol=1e-5)
    np.testing.assert_allclose(exposure.popularity, popularity, rtol=1e-6)


def test_ratings_do_not_matter_to_what_leads_from_item_to_item():
    others = PATTERN.copy()
    others.data = np.random.default_rng(0).permutation(others.data)
    np.testing.assert_array_equal(fit_exposure(PATTERN).components, fit_exposure(others).components)


@pytest.mark.parametrize("chunk", [2**23, 2**9])  # all users at once, and a few at a time
def test_few_components_are_those_of_the_largest_eigenvalues(chunk, monkeypatch):
    monkeypatch.setattr(exposure_module, "_N_COMPONENTS", 6)
    monkeypatch.setattr(exposure_module, "_N_ITERATIONS", 20)
    monkeypatch.setattr(exposure_module, "_BASIS_CHUNK", chunk)
    # Users and items of six groups, so that six eigenvalues are far above the others.
    same = np.arange(90)[:, None] % 6 == np.arange(30) % 6
    X = (np.random.default_rng(0).random((90, 30)) < np.where(same, 0.9, 0.05)).astype(float)
    exposure = fit_exposure(scipy.sparse.csr_array(X))
    values, vectors = np.linalg.eigh(X.T @ X)
    values, vectors = values[-6:], vectors[:, -6:]
    expected = (vectors * values / (values + exposure.penalty)) @ vectors.T
    np.testing.assert_allclose(exposure.components @ exposure.components.T, expected, atol=1e-5)


def test_a_rating_outside_of_the_range_counts_twice_at_most():
    exposure = fit_exposure(PATTERN)
    row = scipy.sparse.csr_array(([1.0, 40.0], ([0, 0], [2, 5])), shape=(1, 30))
    np.testing.assert_allclose(exposure.codes(row)[0], 2 * exposure.components[5], rtol=1e-6)
    np.testing.assert_allclose(exposure.own(row).toarray()[0, 5], 2 * exposure.leverage[5])


def test_what_is_met_together_is_from_minus_one_to_one():
    components = np.array([[0.5], [-0.5], [0.1], [0]], dtype=np.float32)
    exposure = Exposure(components, np.full(4, 0.5, dtype=np.float32), 1.0)
    np.testing.assert_allclose(exposure.together(np.array([0, 3])), [[0, -1, 1, 0], [0, 0, 0, 0]])


def test_many_items_have_fewer_components(monkeypatch):
    monkeypatch.setattr(exposure_module, "_MOST_ELEMENTS", 30 * 7)
    assert fit_exposure(PATTERN).components.shape == (30, 7)


def held_out_gain(X, penalty, kept, heldout):
    """NDCG of held-out cells of users whose rows had no part in the weights."""
    gains = []
    for user in range(len(X)):
        if not (kept[user].any() and heldout[user].any()):
            continue
        scores = kept[user].astype(float) @ direct(np.delete(X, user, axis=0), penalty)
        scores[kept[user]] = -np.inf
        listed = np.argsort(-scores, kind="stable")[:20]
        discounts = 1 / np.log2(np.arange(2, 22))
        n_ideal = min(20, heldout[user].sum())
        gains.append(heldout[user][listed] @ discounts[: len(listed)] / discounts[:n_ideal].sum())
    return np.mean(gains)


def test_the_penalty_is_best_on_held_out_cells_of_users_left_out(monkeypatch):
    tried, climb = {}, exposure_module._climb
    monkeypatch.setattr(
        exposure_module,
        "_climb",
        lambda gain: climb(lambda penalty: tried.setdefault(penalty, gain(penalty))),
    )
    exposure = fit_exposure(PATTERN)
    X = (PATTERN.toarray() > 0).astype(float)
    is_out = Draws(0, "exposure").of_matrix(PATTERN) < 0.2
    heldout = PATTERN.copy()
    heldout.data = is_out.astype(float)
    heldout = heldout.toarray() > 0
    for penalty, gain in tried.items():
        expected = held_out_gain(X, penalty, (X > 0) & ~heldout, heldout)
        assert gain == pytest.approx(expected, abs=2e-3), penalty
    assert len(tried) > 2 and exposure.penalty == max(tried, key=tried.__getitem__)


def test_exposure_of_a_user_left_out_is_that_of_a_refit():
    X = (PATTERN.toarray() > 0).astype(float)
    pattern = scipy.sparse.csr_array(X.astype(np.float32))
    values, vectors = exposure_module._largest(pattern)
    shares = (values / (values + 20.0)).float()
    leverage = exposure_module._leverage(vectors, shares)
    inverse = exposure_module._Inverse(vectors, shares, leverage, 20.0)
    is_out = np.random.default_rng(0).random(pattern.nnz) < 0.3
    kept, heldout = (select(pattern, chosen) for chosen in (~is_out, is_out))
    found = inverse.exposure_without(kept[:9], heldout[:9]).numpy()
    for user in range(9):
        row = kept[[user]].toarray()[0]
        expected = row @ direct(np.delete(X, user, axis=0), 20.0)
        np.testing.assert_allclose(found[user][row == 0], expected[row == 0], atol=1e-4)
        assert (found[user][row > 0] == -np.inf).all()


@pytest.mark.parametrize(
    ("best", "expected"), [(200, 200), (1600, 1600), (12.5, 12.5), (1e9, 200 * 2**12)]
)
def test_penalties_are_tried_until_none_is_better(best, expected):
    tried = []
    found = exposure_module._climb(lambda p: tried.append(p) or -abs(np.log(p / best)))
    assert found == expected and len(tried) == len(set(tried))


def test_few_ratings_have_an_exposure_too():
    lonely = Ratings([0, 1], [0, 1], [1.0, 5.0])
    model = BiasRegressor().fit(lonely)
    ids, scores = model.recommend([0, 1], n=2, rank_by="relevance")
    assert ids[:, 0].tolist() == [1, 0] and np.isfinite(scores[:, 0]).all()


@pytest.fixture(scope="module")
def groups():
    """Users of four groups, who meet the items of their group and rate half of them highly."""
    rng = np.random.default_rng(0)
    of_users, of_items = rng.integers(0, 4, 300), np.arange(80) % 4
    is_met = rng.random((300, 80)) < np.where(of_users[:, None] == of_items, 0.4, 0.02)
    good = (np.arange(80) // 4) % 2 == 0
    users, items = np.nonzero(is_met)
    values = np.clip(
        np.rint(np.where(good[items], 4.5, 2.0) + rng.normal(0, 0.5, len(users))), 1, 5
    )
    return Ratings(users, items, values, item_ids=[f"item {i}" for i in range(80)]), of_users, good


def test_relevance_lists_what_is_met_and_liked(kind, groups):
    ratings, of_users, good = groups
    model = new(kind, max_iter=60).fit(ratings)
    ids, scores = model.recommend(list(range(300)), n=5, rank_by="relevance")
    items = np.array([[int(id.split()[1]) for id in row] for row in ids])
    is_own, is_good = (items % 4 == of_users[:, None]), good[items]
    assert is_own.mean() > 0.85 and (is_own & is_good).mean() > 0.8
    by_rating = model.recommend(list(range(300)), n=5, rank_by="rating")[0]
    items = np.array([[int(id.split()[1]) for id in row] for row in by_rating])
    assert (items % 4 == of_users[:, None]).mean() < 0.6
    assert (np.diff(scores, axis=1) <= 0).all()


def test_relevance_is_exposure_times_what_a_rating_is_above_the_lowest(groups):
    ratings, *_ = groups
    model = new("item").fit(ratings)
    row = ratings.to_matrix()[[3]]
    ids, scores, std = model.recommend(
        3, n=80, exclude_seen=False, rank_by="relevance", return_std=True
    )
    gain = (
        model.user_factors_[3] @ model.item_factors_.T + model.user_bias_[3] + model.item_bias_ - 1
    )
    expected = np.clip(gain, 0.004, 4) * exposures(model._fitted.exposure, row)[0]
    codes = np.array([int(id.split()[1]) for id in ids])
    np.testing.assert_allclose(scores, expected[codes], rtol=1e-4, atol=1e-7)
    every = dict(
        zip(*model.recommend(3, n=80, exclude_seen=False, return_std=True)[::2], strict=True)
    )
    np.testing.assert_allclose(std, [every[id] for id in ids])


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("spare", [64, 3])  # few lists, or most, are made again from all items
def test_screened_lists_are_those_of_all_scores(spare, exclude_seen, monkeypatch):
    monkeypatch.setattr(Relevance, "spare", spare)
    ratings = make_ratings(400, 700, 9000, random_state=0)
    model = new("item").fit(ratings)
    users = [*model.user_ids_.tolist(), model.user_ids_[0]]
    options = {"n": 5, "exclude_seen": exclude_seen, "rank_by": "relevance"}
    screened, candidates = model.recommend(users, **options), model.item_ids_[::-1].tolist()
    alone = [model.recommend(user, **options) for user in users[:30]]
    monkeypatch.setattr(Relevance, "screened_from", 1000)
    for found, exact in zip(screened, model.recommend(users, **options), strict=True):
        np.testing.assert_array_equal(found, exact)
    for row, one in enumerate(alone):
        for found, exact in zip(screened, one, strict=True):
            np.testing.assert_array_equal(found[row], exact)
    few = model.recommend(users, candidates=candidates[:699], **options)
    is_allowed = ~(screened[0] == candidates[699]).any(axis=1)
    assert is_allowed.sum() > 300
    np.testing.assert_array_equal(few[0][is_allowed], screened[0][is_allowed])
    np.testing.assert_allclose(few[1][is_allowed], screened[1][is_allowed], rtol=1e-6)


@pytest.mark.parametrize("lists_rated", [True, False])
def test_no_relevance_is_above_its_bound(lists_rated):
    rng = np.random.default_rng(0)
    components = rng.normal(size=(30, 4))
    lengths = rng.uniform(0.05, 0.95, (30, 1))
    components *= lengths / np.linalg.norm(components, axis=1, keepdims=True)
    exposure = Exposure(components.astype("f4"), np.full(30, 0.1, "f4"), 1.0)
    gains = Scores(
        Embeddings(rng.normal(size=(80, 3)), np.full(80, 3.0)),
        Embeddings(rng.normal(size=(30, 3)), np.zeros(30)),
    )
    own = exposure.own(PATTERN) if lists_rated else None
    relevance = Relevance(gains, 0.004, 4.0, PATTERN, exposure, exposure, own)
    if lists_rated:
        expected = np.clip(gains.block(), 0.004, 4) * exposures(exposure, PATTERN)
        np.testing.assert_allclose(relevance.block(), expected, rtol=1e-4, atol=1e-6)
    rows, columns = np.indices(relevance.shape).reshape(2, -1)[:, ::7]
    np.testing.assert_allclose(relevance.at(rows, columns), relevance.block()[rows, columns])
    bounds, rounding = (part.numpy() for part in relevance.bounds())
    above = bounds + rounding[:, None] - relevance.block()
    assert (above >= 0).all() and (above < 1e-3).any()


def test_similar_items_are_met_together_and_rated_alike(groups):
    model = new("both", max_iter=60).fit(groups[0])
    ids, similarities = model.similar_items(model.item_ids_, n=9)
    codes = np.array([[int(id.split()[1]) for id in row] for row in ids])
    own = np.array([int(id.split()[1]) for id in model.item_ids_])[:, None]
    assert (codes % 4 == own % 4).mean() > 0.85
    assert (np.abs(similarities) <= 1).all()
    assert (np.diff(similarities, axis=1) <= 0).all()


def test_somebody_without_ratings_is_listed_what_is_popular(groups):
    ratings, *_ = groups
    model = BiasRegressor().fit(ratings)
    gain = np.clip(model.recommend({}, n=80, rank_by="rating")[1], 1.004, 5) - 1
    ids, scores = model.recommend({}, n=80, rank_by="relevance")
    counts = np.bincount(ratings.items, minlength=80)
    expected = 0.01 * counts / 300
    by_id = dict(zip(model.recommend({}, n=80, rank_by="rating")[0], gain, strict=True))
    expected = {id: expected[code] * by_id[id] for code, id in enumerate(model.item_ids_)}
    np.testing.assert_allclose(scores, [expected[id] for id in ids], rtol=1e-5)


@pytest.mark.filterwarnings("ignore:All .* ratings are")
def test_clicks_are_listed_by_exposure(groups):
    ratings, of_users, _ = groups
    model = BiasRegressor().fit(ratings, np.ones(len(ratings)))
    ids, scores = model.recommend(list(range(300)), n=5, rank_by="relevance")
    items = np.array([[int(id.split()[1]) for id in row] for row in ids])
    assert (items % 4 == of_users[:, None]).mean() > 0.85 and (scores[:, 0] > 0).all()
    assert model.recommend([0], n=3, candidates=[], rank_by="relevance")[0].shape == (1, 3)


def test_every_way_to_ask_gives_the_same_list(groups, monkeypatch):
    ratings, *_ = groups
    model = new("both").fit(ratings)
    expected = model.recommend([3, 8, 11], n=6, rank_by="relevance")
    monkeypatch.setattr(lists, "_CHUNK", 80)  # a user at a time
    R = ratings.to_matrix()[[3, 8, 11]]
    mappings = [
        {f"item {item}": R[row, item] for item in R[[row]].indices} for row in range(R.shape[0])
    ]
    for asked in ([3, 8, 11], R, mappings):
        ids, scores = model.recommend(asked, n=6, rank_by="relevance")
        assert ids.tolist() == expected[0].tolist()
        np.testing.assert_allclose(scores, expected[1], rtol=1e-4)
    for row, user in enumerate((3, 8, 11)):
        assert model.recommend(user, n=6, rank_by="relevance")[0].tolist() == ids[row].tolist()
    some = [*ids[0][[4, 1]], "item 0"]
    listed = model.recommend(3, candidates=some, exclude=["item 0"], rank_by="relevance")[0]
    assert listed.tolist() == ids[0][[1, 4]].tolist()


def test_what_is_usual(groups, tmp_path):
    """Relevance, of those who know users by who rated what; and the rating for baselines."""
    ratings, *_ = groups
    R = ratings.to_matrix()
    both = {
        name: model.fit(ratings)
        for name, model in {"relevance": new("item"), "rating": BiasRegressor()}.items()
    }
    both["rating of y"] = new("item", max_iter=2).fit(R[:, :40], R[:, 40:])
    for by, model in both.items():
        expected = model.recommend(3, rank_by=by.split()[0])
        for found, one in zip(model.recommend(3), expected, strict=True):
            np.testing.assert_array_equal(found, one)
        model.save(tmp_path / by)
        kept = type(model).load(tmp_path / by)._fitted.exposure_of_fit.known
        assert (kept is not None) == (by == "relevance")


def test_ratings_alone_compute_no_exposure_and_what_is_computed_is_kept(
    groups, tmp_path, monkeypatch
):
    ratings, *_ = groups
    model, biases = new("item").fit(ratings), BiasRegressor().fit(ratings)
    model.predict(ratings), model.score(ratings), model.recommend(3, rank_by="rating")
    model.fold_in(3), pickle.dumps(model), biases.recommend(3)
    assert model._fitted.exposure_of_fit.known is biases._fitted.exposure_of_fit.known is None
    model.save(tmp_path / "model"), biases.recommend(3, rank_by="relevance")
    biases.save(tmp_path / "biases")
    monkeypatch.setattr(
        exposure_module, "fit_exposure", lambda *args: pytest.fail("computed again")
    )
    for one, name in ((model, "model"), (biases, "biases")):
        expected = one.recommend(3, rank_by="relevance")
        for copy in (type(one).load(tmp_path / name), pickle.loads(pickle.dumps(one))):
            for found, same in zip(copy.recommend(3, rank_by="relevance"), expected, strict=True):
                np.testing.assert_array_equal(found, same)


def test_what_relevance_cannot_be_asked_of(groups):
    ratings, *_ = groups
    R = ratings.to_matrix()
    model = new("user", max_iter=2).fit(R[:, :40], R[:, 40:])
    with pytest.raises(ValueError, match="who has rated which of the listed items"):
        model.recommend(3, rank_by="relevance")
    with pytest.raises(ValueError, match="'relevance' or 'rating'"):
        model.recommend(3, rank_by="popularity")
    with pytest.raises(ValueError, match="'relevance' or 'rating'"):
        make_top_n_scorer("ndcg", rank_by="score")


def test_scorers_of_lists_by_relevance(groups):
    ratings, *_ = groups
    is_out = np.random.default_rng(1).random(len(ratings)) < 0.2
    model = new("item").fit(ratings[~is_out])
    scores = {
        by: make_top_n_scorer("ndcg", n=5, rank_by=by)(model, ratings[is_out])
        for by in (None, "relevance", "rating")
    }
    assert scores[None] == scores["relevance"] > 2 * scores["rating"]
    scorer = make_top_n_scorer("ndcg", n=5, rank_by="rating")
    assert repr(scorer).endswith("relevant_from=None, rank_by='rating')")


def test_lists_of_movielens_beat_popularity():
    path = Path(os.environ.get("SKAUTOREC_DATA", "nowhere")) / "ml-100k" / "u.data"
    if not path.exists():
        pytest.skip("SKAUTOREC_DATA names no folder with ml-100k: real data not read")
    users, items, values, _ = np.loadtxt(path, dtype=int).T
    order = np.random.default_rng(5).permutation(len(users))
    ratings = Ratings(users, items, values)[order]
    train, test = ratings[10_000:], ratings[:10_000]
    scorer = make_top_n_scorer("ndcg", relevant_from=4, rank_by="relevance")
    popularity = make_top_n_scorer("ndcg", relevant_from=4)
    biases = BiasRegressor().fit(train)
    assert scorer(biases, test) > 2.3 * popularity(PopularityRecommender().fit(train), test)
