"""Users who rate alike: right answers where they are known, batches, new users and candidates."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from conftest import KINDS, new, with_nan
from test_recommend import fitted, planted

from skautorec import Ratings
from skautorec._core import likeness
from skautorec.datasets import make_ratings

LIKES_EVEN = {0: 5, 2: 5, 4: 5, 6: 5, 1: 1, 3: 1, 5: 1, 7: 1}


@pytest.fixture(scope="module", params=KINDS)
def known(request):
    """An estimator fitted to planted tastes, the ratings, and the users' tastes."""
    R, users, _ = planted()
    return fitted(request.param, R), R, users


def cosines(model, factors):
    """Of the angles between rows of factors and the users' factors, minus the users' mean."""
    mean = model.user_factors_.mean(axis=0)
    rows, users = np.atleast_2d(factors) - mean, model.user_factors_ - mean
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows @ (users / np.linalg.norm(users, axis=1, keepdims=True)).T


def test_similar_users_share_the_taste(known):
    model, _, tastes = known
    ids, similarities = model.similar_users(6, n=8)
    assert 6 not in ids
    assert (tastes[ids] == tastes[6]).all()
    assert (similarities <= 1 + 1e-6).all() and (np.diff(similarities) <= 0).all()
    ids, similarities = model.similar_users(LIKES_EVEN, n=8)
    assert (tastes[ids] == 0).all() and (similarities > 0.5).all()


def test_similarities_are_cosines_around_the_mean(known):
    model, _, _ = known
    for user in (6, LIKES_EVEN):
        expected = cosines(model, model.fold_in(user)[0])[0]
        ids, similarities = model.similar_users(user, n=100)
        assert sorted(ids) == [other for other in range(60) if other != user]
        np.testing.assert_allclose(similarities, expected[ids], rtol=0, atol=1e-6)


@pytest.mark.parametrize("as_batch", [list, np.array, pd.Series])
def test_a_batch_is_the_lists_of_each(known, as_batch, monkeypatch):
    model = known[0]
    monkeypatch.setattr(likeness, "_CHUNK", 120)  # two users at a time
    users, some = [6, 3, 9, 3, 11], [6, 3, 20]
    ids, similarities = model.similar_users(as_batch(users), n=3, candidates=some)
    assert ids.shape == similarities.shape == (5, 3)
    for row, user in enumerate(users):
        alone, expected = model.similar_users(user, n=3, candidates=some)
        listed = ~np.isnan(similarities[row])
        assert listed.sum() == len(alone) == 3 - (user in some)
        assert ids[row][listed].tolist() == alone.tolist()
        np.testing.assert_allclose(similarities[row][listed], expected, atol=1e-6)
    assert model.similar_users([], n=3)[0].shape == (0, 3)
    padded, similarities = model.similar_users([6], n=5, candidates=some)
    assert padded.shape == (1, 5) and np.isnan(similarities[0]).tolist() == [False] * 2 + [True] * 3


def test_rows_and_mappings_are_users(known):
    model, R, _ = known
    mappings = [{i: r for i, r in enumerate(row) if not np.isnan(r)} for row in R[:4]]
    by_id = model.similar_users([0, 1, 2, 3], n=5)
    for users in (mappings, pd.DataFrame(R[:4]), Ratings.from_matrix(R[:4]).to_matrix()):
        ids, similarities = model.similar_users(users, n=5)
        # They are recognised, and left out.
        np.testing.assert_array_equal(ids, by_id[0])
        np.testing.assert_allclose(similarities, by_id[1], rtol=0, atol=1e-6)
    assert 2 not in model.similar_users(mappings[2], n=59)[0]
    strangers = model.similar_users([LIKES_EVEN, {0: 1, 1: 5}], n=60)
    assert strangers[0].shape == (2, 60)
    assert (np.sort(strangers[0], axis=1) == np.arange(60)).all()
    np.testing.assert_array_equal(model.similar_users(LIKES_EVEN, n=60)[0], strangers[0][0])


@pytest.mark.parametrize("kind", KINDS)
def test_somebody_without_ratings_is_like_nobody(kind):
    ratings = make_ratings(60, 40, 800, random_state=0)
    model = new(kind).fit(ratings[ratings.users != 7])
    ids, similarities = model.similar_users(3, n=59)
    assert similarities[ids == 7] == 0
    assert (similarities[ids != 7] != 0).all()
    assert (model.similar_users(7, n=59)[1] == 0).all()
    ids, similarities = model.similar_users({}, n=60)
    assert len(ids) == 60 and (similarities == 0).all()
    model.user_factors_[3, 0] = model.user_factors_[7, 0]  # by chance
    assert model.similar_users(3, n=1)[1] != 0


def test_somebody_of_whom_only_the_bias_is_known_is_like_nobody():
    # The last user is alone on their item, which has no code without them.
    ratings = make_ratings(60, 40, 800, random_state=0)
    users, items = np.append(ratings.users, 60), np.append(ratings.items, 40)
    model = new("item").fit(Ratings(users, items, np.append(ratings.values, 5.0)))
    assert (model.similar_users(60, n=60)[1] == 0).all()


def test_one_item_or_user_alone_is_like_nobody():
    one_item = new("user").fit(Ratings([0, 1, 2, 3], [0, 0, 0, 0], [1, 5, 4, 2]))
    assert len(one_item.similar_items(0)[0]) == 0
    one_user = new("user").fit(Ratings([0, 0, 0, 0], [0, 1, 2, 3], [1, 5, 4, 2]))
    assert len(one_user.similar_users(0)[0]) == 0
    assert one_user.similar_users({0: 5, 3: 1})[1].tolist() == [0]


@pytest.mark.parametrize("kind", KINDS)
def test_biases_of_users_play_no_part(kind, ratings):
    """Where columns of y have ranges of their own, a user's bias is one of the factors."""
    R = with_nan(ratings)
    y = R[:, 40:].copy()
    y[:2] = [[1], [5]]
    shared = new(kind, rating_range=(1, 5)).fit(R[:, :40], y)
    y[:, 3] *= 10
    other = new(kind, rating_range=(1, 5)).fit(R[:, :40], y)
    assert other.user_factors_.shape[1] == shared.user_factors_.shape[1] + 1
    for user in ([3, 9], [{3: 5, 8: 1}]):
        ids, similarities = other.similar_users(user, n=20)
        expected_ids, expected = shared.similar_users(user, n=20)
        np.testing.assert_array_equal(ids, expected_ids)
        np.testing.assert_allclose(similarities, expected, rtol=0, atol=1e-5)


def test_ids_come_back_as_given():
    R = with_nan(make_ratings(30, 20, 300, random_state=0))
    model = new("item").fit(pd.DataFrame(R, index=[f"user {number}" for number in range(30)]))
    some = ["user 5", "user 3", "user 4", "user 5"]
    ids, _ = model.similar_users("user 3", candidates=some)
    assert sorted(ids) == ["user 4", "user 5"]  # each once


def test_one_user_takes_no_copy_of_all_factors():
    table = make_ratings(6000, 400, 20_000, random_state=0)
    model = new("item", hidden_units=100, max_iter=1).fit(table)
    for user in (model.user_ids_[0], {model.item_ids_[0]: 5, model.item_ids_[1]: 1}):
        model.similar_users(user)  # computes what is kept
        tracemalloc.start()
        model.similar_users(user)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < model.user_factors_.nbytes / 4


REFUSED = {
    "unknown user": (99, {}, KeyError, "Unknown user id 99"),
    "unknown candidate": (3, {"candidates": [99]}, KeyError, "Unknown user id 99"),
    "one candidate alone": (3, {"candidates": 4}, TypeError, "sequence of user ids"),
    "unknown item": ({99: 5}, {}, KeyError, "Unknown item id 99"),
    "set of users": ({3, 4}, {}, TypeError, "give a list"),
    "2-D array": (np.array([[1, 2]]), {}, ValueError, "1-D batch"),
    "n=0": (3, {"n": 0}, ValueError, "at least 1"),
    "n=2.5": (3, {"n": 2.5}, TypeError, "integer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused(case, known):
    user, options, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        known[0].similar_users(user, **options)


def test_cosines_of_factors_that_are_almost_their_mean_are_cosines():
    factors = 1e9 + 1e-6 * np.random.default_rng(0).normal(size=(20, 3))
    norms = likeness.norms_around(factors, factors.mean(axis=0))
    around = likeness.AroundMean(factors, factors.mean(axis=0), norms)
    assert (np.abs(around.cosines(factors, norms)) <= 1).all()
