"""Which items users will meet, and lists by what they will meet and like."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from conftest import new

from skautorec import Ratings, _fitted
from skautorec._core import exposure as exposure_module
from skautorec._core.exposure import fit_exposure
from skautorec.baselines import BiasRegressor, PopularityRecommender
from skautorec.datasets import make_ratings
from skautorec.model_selection import make_top_n_scorer

PATTERN = make_ratings(80, 30, 900, random_state=2).to_matrix()


def test_weights_are_ridge_regressions_of_each_item_on_the_others():
    exposure = fit_exposure(PATTERN)
    X = (PATTERN.toarray() > 0).astype(float)
    assert exposure.items.tolist() == list(range(30))
    for item in (0, 7, 29):
        others = np.delete(np.arange(30), item)
        A = X[:, others].T @ X[:, others] + exposure.penalty * np.eye(29)
        expected = np.insert(np.linalg.solve(A, X[:, others].T @ X[:, item]), item, 0.0)
        np.testing.assert_allclose(exposure.weights[:, item], expected, atol=1e-6)
    np.testing.assert_allclose(exposure.of_users(PATTERN[:9]), X[:9] @ exposure.weights, atol=1e-5)
    np.testing.assert_allclose(exposure.popularity, X.mean(axis=0), rtol=1e-6)


def test_ratings_do_not_matter_to_exposure():
    others = PATTERN.copy()
    others.data = np.random.default_rng(0).permutation(others.data)
    np.testing.assert_array_equal(fit_exposure(PATTERN).weights, fit_exposure(others).weights)


def test_of_too_many_items_the_rarest_have_their_popularity(monkeypatch):
    monkeypatch.setattr(exposure_module, "_MOST_ITEMS", 12)
    counts = np.bincount(PATTERN.indices, minlength=30)
    exposure = fit_exposure(PATTERN)
    assert len(exposure.items) == 12 and exposure.weights.shape == (12, 12)
    rarest = np.setdiff1d(np.arange(30), exposure.items)
    assert counts[exposure.items].min() >= counts[rarest].max()
    reached = exposure.of_users(PATTERN[:5])
    np.testing.assert_allclose(reached[:, rarest], np.tile(counts[rarest] / 80, (5, 1)), rtol=1e-6)
    X = (PATTERN[:5][:, exposure.items].toarray() > 0).astype(float)
    np.testing.assert_allclose(reached[:, exposure.items], X @ exposure.weights, atol=1e-5)


@pytest.mark.parametrize("n_users", [200, 3000])
def test_the_penalty_is_the_best_on_held_out_cells(n_users, monkeypatch):
    gains, gain = [], exposure_module._gain
    monkeypatch.setattr(
        exposure_module, "_gain", lambda *args: gains.append(gain(*args)) or gains[-1]
    )
    rng = np.random.default_rng(0)
    own = rng.integers(0, 4, n_users)[:, None] == np.arange(40) % 4
    X = rng.random((n_users, 40)) < np.where(own, 0.5, 0.05)
    exposure = fit_exposure(scipy.sparse.csr_array(X.astype(float)))
    penalties = [50.0, 200.0, 800.0]
    for number in range(3, len(gains)):
        # Beyond the best of those so far, which was outermost.
        best = penalties[int(np.argmax(gains[:number]))]
        assert best in (min(penalties), max(penalties))
        penalties.append(best * 4 if best == max(penalties) else best / 4)
    assert exposure.penalty == penalties[int(np.argmax(gains))]


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
    by_rating = model.recommend(list(range(300)), n=5)[0]
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
    expected = np.maximum(gain, 0.004) * model._fitted.exposure.of_users(row)[0]
    codes = np.array([int(id.split()[1]) for id in ids])
    np.testing.assert_allclose(scores, expected[codes], rtol=1e-4, atol=1e-7)
    every = dict(
        zip(*model.recommend(3, n=80, exclude_seen=False, return_std=True)[::2], strict=True)
    )
    np.testing.assert_allclose(std, [every[id] for id in ids])


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
    monkeypatch.setattr(_fitted, "_CHUNK", 80)  # a user at a time
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


def test_only_lists_by_relevance_compute_exposure_and_files_keep_it(groups, tmp_path, monkeypatch):
    ratings, *_ = groups
    model = new("item").fit(ratings)
    model.predict(ratings), model.recommend(3), model.save(tmp_path / "without")
    assert "exposure" not in vars(model._fitted)
    expected = model.recommend(3, rank_by="relevance")
    model.save(tmp_path / "with")
    copies = [type(model).load(tmp_path / "with"), pickle.loads(pickle.dumps(model))]
    again = type(model).load(tmp_path / "without").recommend(3, rank_by="relevance")
    monkeypatch.setattr(_fitted, "fit_exposure", lambda *args: pytest.fail("computed again"))
    for found in (*(copy.recommend(3, rank_by="relevance") for copy in copies), again):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_relevance_cannot_be_asked_of(groups):
    ratings, *_ = groups
    R = ratings.to_matrix()
    model = new("user", max_iter=2).fit(R[:, :40], R[:, 40:])
    with pytest.raises(ValueError, match="who has rated which of the listed items"):
        model.recommend(3, rank_by="relevance")
    with pytest.raises(ValueError, match="'rating' or 'relevance'"):
        model.recommend(3, rank_by="popularity")
    with pytest.raises(ValueError, match="'rating' or 'relevance'"):
        make_top_n_scorer("ndcg", rank_by="score")


def test_scorers_of_lists_by_relevance(groups):
    ratings, *_ = groups
    is_out = np.random.default_rng(1).random(len(ratings)) < 0.2
    model = new("item").fit(ratings[~is_out])
    scores = {
        by: make_top_n_scorer("ndcg", n=5, rank_by=by)(model, ratings[is_out])
        for by in ("rating", "relevance")
    }
    assert scores["relevance"] > 2 * scores["rating"]
    scorer = make_top_n_scorer("ndcg", n=5, rank_by="relevance")
    assert repr(scorer).endswith("relevant_from=None, rank_by='relevance')")


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
