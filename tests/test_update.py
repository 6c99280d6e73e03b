"""Ratings that come after a fit: what is read is what the same networks give for all of them."""

import copy
import dataclasses
import threading

import numpy as np
import pytest
from conftest import new

from skautorec import AutoRecRegressor, Ratings
from skautorec._core.exposure import ExposureOfFit
from skautorec._core.solving import solve_model
from skautorec.datasets import make_ratings

TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def world():
    """Ratings of today: of users and items that come after the fit among them."""
    return make_ratings(70, 45, 1400, random_state=3)


@pytest.fixture(scope="module")
def past(world):
    """What was known at the fit."""
    is_past = (world.users < 60) & (world.items < 38)
    is_past &= np.random.default_rng(0).random(len(world)) < 0.8
    return known_ids(world[is_past])


def known_ids(ratings):
    """The same ratings with the ids that they rate only."""
    users, user_codes = np.unique(ratings.users, return_inverse=True)
    items, item_codes = np.unique(ratings.items, return_inverse=True)
    return Ratings(
        user_codes,
        item_codes,
        ratings.values,
        user_ids=ratings.user_ids[users],
        item_ids=ratings.item_ids[items],
    )


def fitted(kind, past, **changed):
    parameters = {"rating_range": (1, 5), "max_iter": 15, **changed}
    return new(kind, **parameters).fit(past)


def without(world, past):
    """What came later."""
    pairs = set(zip(past.user_ids[past.users], past.item_ids[past.items], strict=True))
    of_world = zip(world.user_ids[world.users], world.item_ids[world.items], strict=True)
    return world[np.array([pair not in pairs for pair in of_world])]


def everything(model, world):
    """Ratings that a model predicts, in the order of the ids of the world."""
    users, items = model.user_ids_, model.item_ids_
    scores = model.user_factors_ @ model.item_factors_.T
    scores += model.user_bias_[:, None] + model.item_bias_
    return scores[np.argsort(users)][:, np.argsort(items)]


def anew(model):
    """Factors of all users and items, solved from all ratings by the function of `fit`."""
    fitted = model._fitted
    users, items = solve_model(fitted.model, fitted._table())
    return fitted.targets.scale.users(users), fitted.targets.scale.items(items)


CASES = [
    ("item", {}),
    ("user", {}),
    ("both", {}),
    ("item", {"n_estimators": 2}),
    ("both", {"n_estimators": 2, "hidden_units": (9, 5)}),
]


@pytest.mark.parametrize(("kind", "changed"), CASES)
def test_rows_are_those_of_solving_everything_anew(kind, changed, world, past):
    model = fitted(kind, past, **changed).update(without(world, past))
    users, items = anew(model)
    np.testing.assert_allclose(model.user_factors_, users.factors, atol=TOLERANCE)
    np.testing.assert_allclose(model.user_bias_, users.bias, atol=TOLERANCE)
    np.testing.assert_allclose(model.item_factors_, items.factors, atol=TOLERANCE)
    np.testing.assert_allclose(model.item_bias_, items.bias, atol=TOLERANCE)
    assert set(model.user_ids_) == set(world.user_ids[np.unique(world.users)])
    assert set(model.item_ids_) == set(world.item_ids[np.unique(world.items)])


@pytest.mark.parametrize(("kind", "changed"), CASES)
def test_sums_are_those_of_encoding_everything_anew(kind, changed, world, past):
    model = fitted(kind, past, **changed).update(without(world, past))
    table = model._fitted._table()
    for member in model._fitted.model.members:
        if member.item is None:
            continue
        sums = member.item.encoder.sums(table.inputs.T.tocsr())
        np.testing.assert_array_equal(member.item.sums.tables[0], sums.tables[0])
        np.testing.assert_array_equal(member.item.sums.counts, sums.counts)
        np.testing.assert_array_equal(member.item.sums.deviations, sums.deviations)


@pytest.mark.parametrize("is_read", [False, True])
@pytest.mark.parametrize(("kind", "changed"), CASES)
def test_bit_by_bit_in_any_order_is_at_once(kind, changed, is_read, world, past):
    later = without(world, past)
    at_once = fitted(kind, past, **changed).update(later)
    model = fitted(kind, past, **changed)
    order = np.random.default_rng(1).permutation(len(later))
    for part in np.array_split(order, 12):
        model.update(later[part])
        if is_read:
            model.recommend(model.user_ids_[0], rank_by="rating")
            model.predict(later[part])
    expected = everything(at_once, world)
    np.testing.assert_allclose(everything(model, world), expected, atol=TOLERANCE)
    pairs = later[:50]
    np.testing.assert_allclose(
        model.predict(pairs, return_std=True), at_once.predict(pairs, return_std=True), atol=1e-6
    )


def test_reads_of_few_are_reads_of_all(kind, world, past):
    later = without(world, past)
    few, whole = (fitted(kind, past).update(later) for _ in range(2))
    expected = whole.user_factors_, whole.user_bias_
    for code, user in enumerate(few.user_ids_.tolist()):
        factors, bias = few.fold_in(user)
        np.testing.assert_allclose(factors, expected[0][code], atol=TOLERANCE)
        np.testing.assert_allclose(bias, expected[1][code], atol=TOLERANCE)
    pairs = world[::7]
    fresh = fitted(kind, past).update(later)
    for position in range(0, len(pairs), 9):
        some = pairs[position : position + 2]
        np.testing.assert_allclose(fresh.predict(some), whole.predict(some), atol=TOLERANCE)


def test_ratings_that_came_earlier_make_the_model_that_they_are_fitted_in(past, kind):
    # Taking ratings out and giving them again changes nothing.
    model, part = fitted(kind, past), past[::5]
    users, items = model.user_factors_, model.item_factors_
    model.update(remove=part)
    assert np.abs(model.item_factors_ - items).max() > 1e-3
    model.update(part)
    np.testing.assert_allclose(model.user_factors_, users, atol=TOLERANCE)
    np.testing.assert_allclose(model.item_factors_, items, atol=TOLERANCE)


def test_a_known_pair_is_replaced(past, kind):
    part = past[:40]
    other = part.with_values(6 - part.values)
    replaced = fitted(kind, past).update(other)
    again = fitted(kind, past).update(remove=part).update(other)
    assert replaced._fitted.training.inputs.nnz == len(past)
    np.testing.assert_allclose(replaced.user_factors_, again.user_factors_, atol=TOLERANCE)
    np.testing.assert_allclose(replaced.item_factors_, again.item_factors_, atol=TOLERANCE)
    both = fitted(kind, past).update(other[:20], remove=part[20:])
    expected = fitted(kind, past).update(remove=part[20:]).update(other[:20])
    np.testing.assert_allclose(both.item_factors_, expected.item_factors_, atol=TOLERANCE)
    np.testing.assert_allclose(both.user_factors_, expected.user_factors_, atol=TOLERANCE)


def test_ratings_that_come_are_kept_exactly(past):
    model = fitted("item", past)
    assert model._fitted.training.inputs.dtype == np.int8
    halves = past[:7].with_values(np.full(7, 3.3))
    model.update(halves)
    kept = model._fitted.training.inputs
    assert kept.dtype == np.float64
    expected = past.with_values(np.append(np.full(7, 3.3), past.values[7:])).to_matrix()
    np.testing.assert_array_equal(kept.toarray(), expected.toarray())


def test_nothing_changes_nothing(past, kind):
    model = fitted(kind, past)
    users = model.user_factors_
    model.update().update(past[:0]).update(remove=past[:0])
    np.testing.assert_array_equal(model.user_factors_, users)
    model.update(past)
    np.testing.assert_allclose(model.user_factors_, users, atol=TOLERANCE)


def test_a_user_without_ratings_is_forgotten(past, kind):
    model = fitted(kind, past)
    user = past.users == 5
    model.update(remove=past[user])
    for member in model._fitted.model.members:
        if member.item is not None:
            encoder = member.item.encoder
            assert not encoder.weights[0][5].any()
            assert encoder.weights[0][4].any() and encoder.weights[0][6].any()
            assert encoder.encoding.reference[5] == 3
    prior = model._fitted._new_user()
    np.testing.assert_allclose(model.user_factors_[5], prior.factors[0], atol=TOLERANCE)
    users, items = anew(model)
    np.testing.assert_allclose(model.user_factors_, users.factors, atol=TOLERANCE)
    np.testing.assert_allclose(model.item_factors_, items.factors, atol=TOLERANCE)


def test_drift_is_counted(world, past):
    later, model = without(world, past), fitted("item", past)
    assert model.drift_.n_ratings == 0 and model.drift_.rmse is None
    before = model.predict(later)
    model.update(later)
    drift = model.drift_
    expected = np.sqrt(np.mean((before - later.values) ** 2))
    assert drift.rmse == pytest.approx(expected) and drift.last_rmse == pytest.approx(expected)
    assert drift.n_ratings == len(later) and drift.n_removed == 0
    assert drift.n_users == len(model.user_ids_) - past.n_users > 0
    assert drift.n_items == len(model.item_ids_) - past.n_items > 0
    part = past[:30]
    predicted = np.clip(model.predict(part), 1, 5)
    model.update(part.with_values(6 - part.values), remove=past[30:40])
    last = np.sqrt(np.mean((predicted - 6 + part.values) ** 2))
    assert model.drift_.last_rmse == pytest.approx(last)
    whole = np.sqrt((expected**2 * len(later) + last**2 * 30) / (len(later) + 30))
    assert model.drift_.rmse == pytest.approx(whole)
    assert model.drift_.n_removed == 10
    assert model.fit(past).drift_.n_ratings == 0


def test_an_updated_model_is_saved(world, past, kind, tmp_path):
    model = fitted(kind, past).update(without(world, past))
    lists = model.recommend(model.user_ids_, 5)
    model.save(tmp_path / "model")
    loaded = AutoRecRegressor.load(tmp_path / "model")
    for name in ("user_factors_", "item_factors_", "user_ids_", "item_ids_", "n_features_in_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(model, name))
    for one, other in zip(loaded.recommend(model.user_ids_, 5), lists, strict=True):
        np.testing.assert_array_equal(one, other)
    assert loaded.drift_ == model.drift_
    part = past[::9].with_values(6 - past[::9].values)
    np.testing.assert_allclose(
        loaded.update(part).user_factors_, model.update(part).user_factors_, atol=TOLERANCE
    )


def test_lists_of_what_came_later(world, past, kind):
    model = fitted(kind, past).update(without(world, past))
    new_user = next(one for one in model.user_ids_ if one not in past.user_ids)
    rated = world.item_ids[world.items[world.user_ids[world.users] == new_user]]
    items, scores = model.recommend(new_user, n=100)
    assert len(items) == len(model.item_ids_) - len(rated) and not set(items) & set(rated)
    assert np.isfinite(scores).all() and (np.diff(scores.astype(np.float32)) <= 0).all()
    # Exposure is that of the fit, whenever it is computed.
    early = fitted(kind, past)
    early.recommend(early.user_ids_[0])
    early.update(without(world, past))
    np.testing.assert_array_equal(early.recommend(new_user, n=100)[0], items)
    # New items are as popular as they are now, and nothing else leads to them.
    exposure, seen = model._fitted.exposure, model._fitted.seen
    shares = np.bincount(seen.indices, minlength=seen.shape[1]) / seen.shape[0]
    np.testing.assert_allclose(exposure.popularity[past.n_items :], shares[past.n_items :])
    assert len(shares) > past.n_items and not exposure.components[past.n_items :].any()
    new_item = next(one for one in model.item_ids_ if one not in past.item_ids)
    assert len(model.similar_items(new_item)[0]) == 10


def test_rows_of_updated_users_are_recognised(world, past):
    model = fitted("item", past).update(without(world, past))
    code = len(model.user_ids_) - 1
    ratings = model._fitted.training.inputs[[code]]
    row = dict(zip(model.item_ids_[ratings.indices], ratings.data.tolist(), strict=True))
    factors, _ = model.fold_in(row)
    np.testing.assert_allclose(factors, model.user_factors_[code], atol=TOLERANCE)


def test_names_of_columns_grow():
    frame = pytest.importorskip("pandas").DataFrame(
        np.random.default_rng(0).integers(1, 6, (30, 12)).astype(float),
        columns=[f"item {i}" for i in range(12)],
    )
    frame = frame.mask(frame.sample(frac=1, random_state=0).reset_index(drop=True) > 4)
    model = new("item").fit(frame)
    more = Ratings([0, 1], [0, 0], [2, 5], user_ids=[0, 99], item_ids=["late"])
    model.update(more)
    assert model.feature_names_in_.tolist() == model.item_ids_.tolist()
    assert model.n_features_in_ == 13 and model.item_ids_[-1] == "late"
    assert model.predict(frame.assign(late=np.nan)).shape == (30, 13)
    with pytest.raises(ValueError, match="late"):
        model.predict(frame)


BAD = [
    (lambda past: {"ratings": past.to_matrix()}, TypeError, "ratings is a csr_array; give Ratings"),
    (lambda past: {"remove": [(1, 2)]}, TypeError, "remove is a list; give Ratings"),
    (
        lambda past: {"ratings": past[3:9].with_values([1, 2, 7, 3, 9, 1])},
        ValueError,
        "is rated 7, outside of rating_range_ 1 to 5, as 2 of 6 ratings are. Fit again",
    ),
    (
        lambda past: {"ratings": past[:3], "remove": past[2:4]},
        ValueError,
        "is given in ratings and in remove",
    ),
    (lambda past: {"ratings": past[[1, 2, 1]]}, ValueError, "is in ratings more than once"),
    (lambda past: {"remove": past[[1, 2, 1]]}, ValueError, "is in remove more than once"),
    (
        lambda past: {"remove": Ratings([0], [0], [1], user_ids=["nobody"])},
        ValueError,
        r"by user 'nobody' \(str\) is to be removed and has no rating, as 1 of 1 pairs",
    ),
]


@pytest.mark.parametrize(("given", "error", "message"), BAD)
def test_an_update_that_fails_leaves_the_model_as_it_was(given, error, message, past):
    model = fitted("item", past)
    before = dict(vars(model))
    with pytest.raises(error, match=message):
        model.update(**given(past))
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is one for name, one in before.items())


def test_updates_after_targets_are_refused(past):
    X = past.to_matrix()
    model = new("user").fit(X[:, :20], X[:, 20:])
    with pytest.raises(ValueError, match="was fitted with y"):
        model.update(past)


def test_ids_of_another_type_are_warned_of(past):
    model = fitted("item", past)
    other = Ratings([0, 1], [0, 1], [3, 4], user_ids=["0", "1"], item_ids=past.item_ids[:2])
    with pytest.warns(UserWarning, match="All 2 user ids of this update are new, such as '0'"):
        model.update(other)
    assert model.user_ids_.tolist() == [*past.user_ids.tolist(), "0", "1"]
    assert {type(id) for id in model.user_ids_} == {int, str}


def test_updates_tell_how_long_they_take(past, capsys):
    fitted("item", past).set_params(verbose=2).update(past[:3])
    assert capsys.readouterr().out.startswith("[AutoRecRegressor] update: 0.0")


@pytest.mark.parametrize("kind", ["item", "user", "both"])
def test_readers_see_one_model_or_another(kind, world, past):
    later = without(world, past)
    order = np.random.default_rng(5).permutation(len(later))[:60]
    steps = [later[[position]] for position in order]
    asked = past[::40]

    def read(model):
        items, scores = model.recommend({past.item_ids[0]: 5, past.item_ids[3]: 2}, n=3)
        factors, bias = model.fold_in(past.user_ids[:3].tolist())
        return model.predict(asked), scores, np.append(factors.ravel(), bias)

    model = fitted(kind, past)
    ahead = copy.deepcopy(model)
    expected = [read(ahead), *(read(ahead.update(step)) for step in steps)]
    states = [np.array(some) for some in zip(*expected, strict=True)]
    seen, wrong, is_over = set(), [], threading.Event()

    def look():
        while not is_over.is_set():
            for found, ours in zip(read(model), states, strict=True):
                near = np.flatnonzero(np.abs(ours - found).max(axis=1) < 1e-9)
                seen.update(near.tolist()[:1])
                wrong.append(not len(near))

    readers = [threading.Thread(target=look) for _ in range(8)]
    for reader in readers:
        reader.start()
    for step in steps:
        model.update(step)
    is_over.set()
    for reader in readers:
        reader.join()
    assert len(seen) > 3 and not any(wrong)
    np.testing.assert_allclose(read(model)[0], expected[-1][0], atol=TOLERANCE)


def test_updates_of_several_threads_are_none_lost(world, past):
    later, model = without(world, past), fitted("item", past)
    parts = np.array_split(np.arange(len(later)), 4)

    def give(part):
        for position in part[:40]:
            model.update(later[[position]])

    writers = [threading.Thread(target=give, args=(part,)) for part in parts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert model._fitted.training.inputs.nnz == len(past) + sum(len(part[:40]) for part in parts)
    assert model.drift_.n_ratings == sum(len(part[:40]) for part in parts)


def test_new_users_are_in_no_code_and_get_the_row_of_a_new_user(past):
    model = fitted("item", past)
    known = past.item_ids.tolist()
    ratings = dict(zip(known[3:9], [5.0, 1.0, 4.0, 2.0, 3.0, 5.0], strict=True))
    expected, items = model.fold_in(ratings), model.item_factors_
    table = Ratings([0] * 6, range(6), list(ratings.values()), user_ids=[-7], item_ids=known[3:9])
    model.update(table)
    np.testing.assert_array_equal(model.item_factors_, items)
    np.testing.assert_allclose(model.user_factors_[-1], expected[0], atol=TOLERANCE)
    # And one who goes again leaves nothing but the id.
    model.update(remove=table)
    assert model.user_ids_[-1] == -7
    np.testing.assert_allclose(
        model.user_factors_[-1], model._fitted._new_user().factors[0], atol=TOLERANCE
    )


def test_new_items_are_solved_on_codes_that_do_not_hold_them(past):
    model = fitted("user", past)
    users = past.user_ids[5:25].tolist()
    values = np.tile([5.0, 1.0, 4.0, 2.0], 5)
    model.update(Ratings(range(20), [0] * 20, values, user_ids=users, item_ids=[-7]))
    encoder = model._fitted.model.members[0].user.encoder
    codes = encoder.codes(encoder.sums(model._fitted._table().inputs))[5:25]
    # Ridge regression around the prior row, in stars, with a penalised bias.
    design = np.column_stack((codes.factors, np.ones(20)))
    prior = np.append(encoder.prior_weight, encoder.prior_bias)
    penalties = np.append(np.full(len(prior) - 1, encoder.penalty), encoder.bias_penalty)
    left = values - codes.bias - design @ prior
    row = prior + np.linalg.solve(design.T @ design + np.diag(penalties), design.T @ left)
    np.testing.assert_allclose(model.item_factors_[-1], row[:-1], atol=1e-6)
    np.testing.assert_allclose(model.item_bias_[-1], row[-1], atol=1e-6)


def test_what_an_encoder_learned_of_inputs_goes_from_all_channels(past):
    encoder = fitted("user", past)._fitted.model.members[0].user.encoder
    without = encoder.without_inputs(np.array([2, 4]))
    gone = [2, 4, 2 + encoder.n_inputs, 4 + encoder.n_inputs]
    assert not without.weights[0][gone].any() and without.encoding.reference[[2, 4]].tolist() == [
        3,
        3,
    ]
    np.testing.assert_array_equal(
        np.delete(without.weights[0], gone, axis=0), np.delete(encoder.weights[0], gone, axis=0)
    )


# Weights.


def reweighted(ratings, weights):
    return Ratings(
        ratings.users,
        ratings.items,
        ratings.values,
        weights=weights,
        user_ids=ratings.user_ids,
        item_ids=ratings.item_ids,
    )


def weighted(ratings):
    """The same ratings, of which some count more or less than once."""
    draws = np.random.default_rng(0)
    return reweighted(ratings, draws.choice([0.3, 1.0, 1.0, 2.5], len(ratings)))


@pytest.mark.parametrize("at_fit", [False, True])
def test_weights_come_with_ratings(world, past, kind, at_fit):
    later = weighted(without(world, past))
    model = fitted(kind, weighted(past) if at_fit else past)
    ahead = copy.deepcopy(model).update(later)
    users, items = anew(ahead)
    np.testing.assert_allclose(ahead.user_factors_, users.factors, atol=TOLERANCE)
    np.testing.assert_allclose(ahead.item_factors_, items.factors, atol=TOLERANCE)
    for part in np.array_split(np.random.default_rng(1).permutation(len(later)), 9):
        model.update(later[part])
    np.testing.assert_allclose(everything(model, world), everything(ahead, world), atol=TOLERANCE)
    # Encoding everything anew finds the same sums, weighted.
    table = ahead._fitted._table()
    assert table.weights is not None and len(table.weights) == table.inputs.nnz
    for member in ahead._fitted.model.members:
        if member.item is not None:
            by_item = table.by_column
            sums = member.item.encoder.sums(by_item.inputs, by_item.weights)
            np.testing.assert_allclose(member.item.sums.tables[0], sums.tables[0], atol=1e-12)
            np.testing.assert_allclose(member.item.sums.counts, sums.counts, atol=1e-12)


def test_weights_of_nothing_and_of_one(world, past):
    later, model = without(world, past), fitted("item", past)
    expected = fitted("item", past).update(later[40:])
    weights = np.ones(len(later))
    weights[:40] = 0
    model.update(reweighted(later, weights))
    assert model._fitted.training.weights is None
    assert model.drift_ == expected.drift_
    np.testing.assert_array_equal(everything(model, world), everything(expected, world))
    # And weights that are taken back.
    model.update(reweighted(later[40:60], np.full(20, 3.0)))
    assert model._fitted.training.weights is not None
    model.update(later[40:60])
    assert model._fitted.training.weights is None
    np.testing.assert_allclose(everything(model, world), everything(expected, world), atol=1e-12)


def test_weights_of_an_update_are_where_their_ratings_are(past):
    model = fitted("item", past).update(reweighted(past[5:9], [2.0, 3.0, 4.0, 0.5]))
    expected = np.ones(len(past))
    expected[5:9] = [2, 3, 4, 0.5]
    pairs = Ratings(past.users, past.items, expected).to_matrix()
    np.testing.assert_array_equal(model._fitted.training.weights, pairs.data)
    drift = model.drift_
    assert drift.weight == drift.last_weight == 9.5
    assert repr(drift).startswith("<Drift: 4 ratings, 0 users and 0 items since the fit; RMSE ")
    model.update(remove=past[5:7])
    assert "since the fit, 2 ratings removed; RMSE" in repr(model.drift_)
    assert repr(fitted("item", past).drift_).endswith("0 items since the fit>")


def test_contributions_of_weighted_ratings_sum_to_the_prediction(past):
    model = fitted("item", weighted(past))
    user, item = past.user_ids[3], past.item_ids[5]
    base, ids, added = model.explain(user, item, n=None)
    prior = model._fitted._new_user()
    row = prior.factors @ model.item_factors_[5] + prior.bias + model.item_bias_[5]
    assert base == pytest.approx(row[0], abs=1e-6) and len(ids) == (past.users == 3).sum()
    whole = model.user_factors_[3] @ model.item_factors_[5]
    assert base + added.sum() == pytest.approx(whole + model.user_bias_[3] + model.item_bias_[5])


def test_a_pair_without_a_rating_cannot_be_removed(past):
    model = fitted("item", past)
    user, item = np.argwhere(past.to_matrix().toarray() == 0)[0]
    ids = {"user_ids": past.user_ids, "item_ids": past.item_ids}
    pairs = Ratings([past.users[0], user], [past.items[0], item], [1, 1], **ids)
    with pytest.raises(ValueError, match=f"Item {past.item_ids[item]} .* as 1 of 2 pairs"):
        model.update(remove=pairs)
    assert model.drift_.n_removed == 0


def test_models_with_parts_of_more_than_there_is_are_not_saved(past, kind, tmp_path):
    model = fitted(kind, past).update(past[:3])
    whole, file = model._fitted, tmp_path / "model"
    exposure = whole.exposure.with_more(np.zeros(2))
    model._fitted = dataclasses.replace(whole, exposure_of_fit=ExposureOfFit.of(exposure))
    with pytest.raises(ValueError, match="exposure is of other items"):
        model.save(file)
    (member,) = whole.model.members
    side = "item" if member.item else "user"
    part = getattr(member, side)
    encoding = part.encoder.encoding
    first, *deeper = part.encoder.weights
    channels = np.split(first, encoding.n_channels)
    wider = dataclasses.replace(
        part.encoder,
        weights=[np.vstack([np.vstack((one, one[:1])) for one in channels]), *deeper],
        encoding=dataclasses.replace(encoding, reference=np.append(encoding.reference, 3.0)),
    )
    member = dataclasses.replace(member, **{side: dataclasses.replace(part, encoder=wider)})
    other = dataclasses.replace(whole.model, members=[member])
    model._fitted = dataclasses.replace(whole, model=other)
    with pytest.raises(ValueError, match="an encoder has more inputs than there are"):
        model.save(file)
    assert not file.exists()
