"""Top-N lists: right answers where they are known, filters, batches and ids."""

import copy
import tracemalloc
import uuid

import numpy as np
import pandas as pd
import pytest
from conftest import KINDS

from skautorec import AutoRecRegressor, Ratings
from skautorec._core import likeness
from skautorec.datasets import make_ratings


def planted(n_users=60, n_items=40, density=0.5, seed=0):
    """Users and items of two tastes: 5 where they agree, 1 where they do not."""
    rng = np.random.default_rng(seed)
    tastes = np.arange(n_users) % 2, np.arange(n_items) % 2
    R = np.where(tastes[0][:, None] == tastes[1], 5.0, 1.0)
    R[rng.random(R.shape) > density] = np.nan
    return R, *tastes


def fitted(kind, X, **changed):
    parameters = {"hidden_units": 10, "lambd": 5.0, "random_state": 0} | changed
    return AutoRecRegressor(kind=kind, **parameters).fit(X)


@pytest.fixture(scope="module", params=KINDS)
def known(request):
    """An estimator fitted to planted tastes, and the truth."""
    R, users, items = planted()
    return fitted(request.param, R), R, users, items


def test_planted_tastes_are_recommended(known):
    model, R, user_tastes, item_tastes = known
    for user in range(20):
        unseen = np.flatnonzero(np.isnan(R[user]) & (item_tastes == user_tastes[user]))
        ids, scores = model.recommend(user, n=len(unseen), rank_by="rating")
        assert set(ids) == set(unseen)
        assert (scores > 4).all()
        assert (np.diff(scores) <= 0).all()
        assert set(model.recommend(user, n=len(unseen), rank_by="relevance")[0]) == set(unseen)


def test_a_new_user_is_recommended_the_taste_of_few_ratings(known):
    model, _, _, item_tastes = known
    for taste in (0, 1):
        liked, disliked = np.flatnonzero(item_tastes == taste), np.flatnonzero(item_tastes != taste)
        user = dict.fromkeys(liked[:4].tolist(), 5) | dict.fromkeys(disliked[:4].tolist(), 1)
        ids, _ = model.recommend(user, n=10)
        assert set(ids) <= set(liked[4:])


def test_similar_items_share_the_taste(known):
    model, _, _, item_tastes = known
    ids, similarities = model.similar_items(6, n=5)
    assert 6 not in ids
    assert (item_tastes[ids] == item_tastes[6]).all()
    assert (similarities <= 1 + 1e-6).all() and (np.diff(similarities) <= 0).all()
    assert len(model.similar_items(6, n=100)[0]) == 39
    all_ids, all_similarities = model.similar_items(6, n=39)
    some = [6, *all_ids[[3, 20, 8]]]
    ids, similarities = model.similar_items(6, candidates=some)
    assert ids.tolist() == all_ids[[3, 8, 20]].tolist()
    assert similarities.tolist() == all_similarities[[3, 8, 20]].tolist()


@pytest.mark.parametrize("as_batch", [list, np.array, pd.Series])
def test_a_batch_of_similar_items_is_the_lists_of_each(known, as_batch, monkeypatch):
    model = known[0]
    monkeypatch.setattr(likeness, "_CHUNK", 80)  # two items at a time
    items, some = [6, 3, 9, 3, 11], [6, 3, 20]
    ids, cosines = model.similar_items(as_batch(items), n=3, candidates=some)
    assert ids.shape == cosines.shape == (5, 3)
    for row, item in enumerate(items):
        alone, its_cosines = model.similar_items(item, n=3, candidates=some)
        listed = ~np.isnan(cosines[row])
        assert listed.sum() == len(alone) == 3 - (item in some)
        assert ids[row][listed].tolist() == alone.tolist()
        np.testing.assert_allclose(cosines[row][listed], its_cosines, atol=1e-6)
    factors = model.item_factors_ - model.item_factors_.mean(axis=0)
    unit = factors / np.linalg.norm(factors, axis=1, keepdims=True)
    X = (model._fitted.seen.toarray() > 0).astype(float)
    P = np.linalg.inv(X.T @ X + model._fitted.exposure.penalty * np.eye(40))
    partial = -P[6] / np.sqrt(P[6, 6] * np.diag(P))
    partial[6] = 0
    alone, its_cosines = model.similar_items(6, n=39)
    expected = (unit @ unit[6] + np.maximum(partial / partial.max(), -1)) / 2
    np.testing.assert_allclose(its_cosines, expected[alone], atol=1e-6)
    assert model.similar_items([], n=3)[0].shape == (0, 3)


def test_one_item_and_a_stranger_take_no_copy_of_all_factors():
    table = make_ratings(4000, 3000, 9000, random_state=0)
    model = AutoRecRegressor(100, max_iter=1, random_state=0).fit(table)
    known = model.user_ids_[5]
    pairs = Ratings([0, 1], [0, 0], [3, 3], user_ids=[known, -1], item_ids=model.item_ids_[:1])
    for ask in (lambda: model.similar_items(model.item_ids_[0]), lambda: model.predict(pairs)):
        ask()  # computes what is kept
        tracemalloc.start()
        ask()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < min(model.item_factors_.nbytes, model.user_factors_.nbytes) / 4


def test_scores_are_predictions_before_clipping(known):
    model, R, _, _ = known
    ids, scores = model.recommend(3, n=40, exclude_seen=False, rank_by="rating")
    assert sorted(ids) == list(range(40))
    expected = model.user_factors_[3] @ model.item_factors_.T
    expected += model.user_bias_[3] + model.item_bias_
    np.testing.assert_allclose(scores, expected[ids], rtol=1e-6)
    np.testing.assert_allclose(np.clip(scores, 1, 5), model.predict(R)[3, ids], rtol=1e-5)


def test_folded_in_factors_give_the_scores_of_recommend(known):
    model, R, _, _ = known
    row = {item: rating for item, rating in enumerate(R[3]) if not np.isnan(rating)}
    for user in (3, row, [3, 5], [row], pd.DataFrame(R[:4])):
        factors, bias = model.fold_in(user)
        predicted = factors @ model.item_factors_.T + bias[..., None] + model.item_bias_
        ids, scores = model.recommend(user, n=40, exclude_seen=False, rank_by="rating")
        np.testing.assert_allclose(np.take_along_axis(predicted, ids, axis=-1), scores, rtol=1e-6)
    np.testing.assert_array_equal(model.fold_in([3, 5])[0], model.user_factors_[[3, 5]])
    np.testing.assert_array_equal(model.fold_in([3, 5])[1], model.user_bias_[[3, 5]])


def test_arrays_of_pandas_and_pyarrow_are_batches():
    users = pd.Series(["ann", "bob", "cid"])
    frame = pd.DataFrame({"user": users, "item": [1, 2, 3], "rating": [4.0, 5.0, 3.0]})
    names = {name: name for name in frame}
    model = fitted("item", Ratings.from_frame(frame, **names), hidden_units=2)
    expected = model.recommend(["ann", "bob", "cid"], n=2)[0]
    batches = [frame["user"].unique(), pd.array(users, dtype="string"), pd.Categorical(users)]
    batches += [pytest.importorskip("pyarrow").array(users.tolist())]
    for batch in batches:
        np.testing.assert_array_equal(model.recommend(batch, n=2)[0], expected)


def test_an_item_without_ratings_is_like_no_other():
    ratings = make_ratings(60, 40, 800, random_state=0)
    unrated = 7
    for kind in KINDS:
        model = fitted(kind, ratings[ratings.items != unrated])
        ids, similarities = model.similar_items(3, n=39)
        assert similarities[ids == unrated] == 0
        assert (model.similar_items(unrated, n=39)[1] == 0).all()
        assert (similarities[ids != unrated] != 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_an_offset_of_all_ratings_changes_no_list(kind):
    ratings = make_ratings(60, 40, 800, random_state=0)
    model = fitted(kind, ratings)
    far = fitted(kind, ratings.with_values(ratings.values + 1e6))
    np.testing.assert_array_equal(far.recommend([3, 5])[0], model.recommend([3, 5])[0])


def test_filters(known):
    model, R, _, _ = known
    seen = np.flatnonzero(~np.isnan(R[5]))
    everything = model.recommend(5, n=40, exclude_seen=False)[0]
    unseen = model.recommend(5, n=40)[0]
    np.testing.assert_array_equal(unseen, [i for i in everything if i not in seen])
    some = model.recommend(5, n=40, candidates=[3, 1, 4, 15, 9], exclude=[4])[0]
    np.testing.assert_array_equal(some, [i for i in unseen if i in (3, 1, 15, 9)])
    assert len(model.recommend(5, candidates=[])[0]) == 0
    assert len(model.recommend(5, candidates=seen)[0]) == 0
    np.testing.assert_array_equal(model.recommend(5, n=3)[0], unseen[:3])


@pytest.mark.parametrize("n", [3, 30, 60])
def test_a_batch_equals_the_single_calls(known, n):
    model, R, _, _ = known
    for batch in ([7, 2, 7, 31], np.array([7, 2, 7, 31]), pd.Index([7, 2, 7, 31])):
        ids, scores = model.recommend(batch, n=n)
        assert ids.shape == scores.shape == (4, n)
        for row, user in enumerate([7, 2, 7, 31]):
            one_ids, one_scores = model.recommend(user, n=n)
            np.testing.assert_array_equal(ids[row, : len(one_ids)], one_ids)
            np.testing.assert_array_equal(scores[row, : len(one_ids)], one_scores)
            assert np.isnan(scores[row, len(one_ids) :]).all()
    assert model.recommend([], n=n)[0].shape == (0, n)
    sparse = Ratings.from_matrix(R[:4]).to_matrix()
    mappings = [{i: r for i, r in enumerate(row) if not np.isnan(r)} for row in R[:4]]
    frame = pd.DataFrame(R[:4])
    lists = [model.recommend(users, n=n) for users in (sparse, sparse.todok(), mappings, frame)]
    for ids, scores in lists:
        np.testing.assert_array_equal(ids, lists[0][0])
        np.testing.assert_array_equal(scores, lists[0][1])
    np.testing.assert_array_equal(model.recommend([0, 1, 2, 3], n=n)[0], lists[0][0])


def test_a_generous_users_list_is_in_order(known):
    model = copy.deepcopy(known[0])
    expected, scores = model.recommend(3, n=20, rank_by="rating")
    model.user_bias_[3] += 10  # now every prediction exceeds the maximum of 5
    assert model.predict(Ratings([3] * 20, expected, [1.0] * 20)).tolist() == [5.0] * 20
    ids, generous = model.recommend(3, n=20, rank_by="rating")
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_allclose(generous, scores + 10, rtol=1e-6)


IDS = {
    "str": lambda i: f"film {i}",
    "int": lambda i: 1000 - i,
    "numpy int": lambda i: np.int64(1000 - i),
    "tuple": lambda i: ("film", i),
    "uuid": lambda i: uuid.UUID(int=i),
    "bytes": lambda i: b"%d" % i,
    "datetime": lambda i: np.datetime64("2020-01-01") + np.timedelta64(i, "D"),
    "mixed": lambda i: i if i % 2 else str(i),
}


@pytest.mark.parametrize("make", IDS)
def test_ids_come_back_as_given(make, tmp_path):
    R, _, _ = planted()
    ids = [IDS[make](i) for i in range(60)]
    users, items = np.nonzero(~np.isnan(R))
    frame = pd.DataFrame(
        {
            "u": pd.Series([ids[u] for u in users], dtype=object),
            "i": pd.Series([ids[i] for i in items], dtype=object),
            "r": R[users, items],
        }
    )
    ratings = Ratings.from_frame(frame, user="u", item="i", rating="r")
    model = fitted("item", ratings)
    expected = model.recommend(ids[4], n=5)[0]
    assert [i in ids for i in expected] == [True] * 5
    model.save(tmp_path / "model")
    loaded = AutoRecRegressor.load(tmp_path / "model").recommend(ids[4], n=5)[0]
    assert [(type(a), a) for a in loaded] == [(type(a), a) for a in expected]
    mapping = {ids[i]: 5.0 for i in (0, 2, 4)} | {ids[i]: 1.0 for i in (1, 3)}
    assert len(model.recommend(mapping)[0]) == 10
    assert model.recommend([ids[1], ids[2]], n=70)[0].shape == (2, 70)


def test_train_and_test_tables_read_apart_agree_with_one_vocabulary():
    whole = make_ratings(60, 40, 1200, random_state=0)
    frame = pd.DataFrame(
        {"u": [f"u{u}" for u in whole.users], "i": whole.items + 7, "r": whole.values}
    )
    names = {"user": "u", "item": "i", "rating": "r"}
    frame = frame.sample(frac=1, random_state=0, ignore_index=True)
    train, test = frame.iloc[300:], frame.iloc[:300].sample(frac=1, random_state=1)
    together = Ratings.from_frame(frame, **names)
    model = fitted("item", together[300:])
    expected = pd.Series(model.predict(together[:300]), frame.index[:300])
    apart = fitted("item", Ratings.from_frame(train, **names))
    predicted = apart.predict(Ratings.from_frame(test, **names))
    known = test.i.isin(train.i) & test.u.isin(train.u)
    assert known.mean() > 0.9
    np.testing.assert_allclose(predicted[known], expected[test.index][known], atol=1e-6)
    assert np.isfinite(predicted).all()


@pytest.mark.parametrize("kind", KINDS)
def test_after_fit_with_y_the_columns_of_y_are_ranked(kind):
    R, _, _ = planted()
    X, y = R[:, :30], pd.DataFrame(R[:, 30:], columns=[f"book {i}" for i in range(10)])
    model = AutoRecRegressor(10, lambd=5.0, kind=kind, random_state=0).fit(X, y)
    ids, scores = model.recommend(4, n=3)
    assert set(ids) <= {f"book {i}" for i in range(0, 10, 2)}
    assert np.isnan(y.loc[4, ids].to_numpy(float)).all()  # y's rated columns are left out
    user = {0: 5, 1: 1, 2: 5, 3: 1}
    new, scores = model.recommend(user, n=5)
    factors, bias = model.fold_in(user)
    predicted = np.sort(factors @ model.item_factors_.T + bias + model.item_bias_)
    np.testing.assert_allclose(predicted[:-6:-1], scores, rtol=1e-6)
    assert set(new) == {f"book {i}" for i in range(0, 10, 2)}


def test_items_that_are_not_known_are_refused_or_ignored(known):
    model, R, _, _ = known
    mapping = {item: rating for item, rating in enumerate(R[3]) if not np.isnan(rating)}
    more = mapping | {"new": 4.0, 99: 1.0}
    frame = pd.DataFrame(R[3:5])
    wide = frame.assign(new=[2.0, np.nan])[["new", *range(39, -1, -1)]]
    for ask in (model.recommend, model.fold_in):
        for given, plain, error, message in (
            (more, mapping, KeyError, f"2 of {len(more)} ratings are ignored.*'new' .str"),
            ([more, {3: 5}], [mapping, {3: 5}], KeyError, f"2 of {len(more) + 1} ratings"),
            (wide, frame, ValueError, "1 of 41 columns of the frame are ignored.*'new' .str"),
        ):
            with pytest.raises(error, match="new"):
                ask(given)
            with pytest.warns(UserWarning, match=message) as caught:
                answers = ask(given, unknown="ignore")
            assert [one.filename for one in caught] == [__file__]
            for answer, expected in zip(answers, ask(plain), strict=True):
                np.testing.assert_array_equal(answer, expected)
    with pytest.warns(UserWarning, match="1 of 1 ratings"):
        ids, _ = model.recommend({"new": 4.0}, unknown="ignore")
    np.testing.assert_array_equal(ids, model.recommend({})[0])


def test_items_that_a_frame_lacks_are_unrated_where_unknown_ones_are_ignored(known):
    model, R, _, _ = known
    frame = pd.DataFrame(R[3:5])
    few = frame[[7, 2, 30]]
    with pytest.raises(ValueError, match="lacks 37 of the 40 items"):
        model.recommend(few)
    expected = model.recommend(few.reindex(columns=range(40)))
    for answer, same in zip(model.recommend(few, unknown="ignore"), expected, strict=True):
        np.testing.assert_array_equal(answer, same)


@pytest.mark.parametrize("unknown", ["drop", None, True])
def test_ways_to_treat_unknown_items_that_are_refused(known, unknown):
    for ask in (known[0].recommend, known[0].fold_in):
        with pytest.raises(ValueError, match="unknown is .*; give 'error', or 'ignore'"):
            ask(3, unknown=unknown)
    with pytest.raises(KeyError, match="Unknown user id"):
        known[0].recommend([3, "nobody"], unknown="ignore")
