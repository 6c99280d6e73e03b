"""Explanations: a base and one number per rating of the user, which sum to the prediction."""

import itertools

import numpy as np
import pandas as pd
import pytest
from conftest import new, with_nan

from skautorec import AutoRecRegressor, Ratings
from skautorec._core import encoding, ridge
from skautorec.datasets import make_ratings

MODELS = {
    "item": {"kind": "item"},
    "both": {"kind": "both"},
    "of two": {"kind": "both", "n_estimators": 2},
    "deep": {"kind": "item", "hidden_units": (9, 6, 4)},
    "wide": {"kind": "item", "hidden_units": 60},  # every row has fewer ratings
}
ACTIVE = 46  # has rated most items
NEW_USER = {1: 5, 4: 1, 7: 4, 12: 2, 30: 3, 41: 5}


@pytest.fixture(scope="module", params=MODELS)
def model(request, ratings):
    return new(**MODELS[request.param]).fit(ratings)


@pytest.fixture(scope="module")
def item_model(ratings):
    return new("item").fit(ratings)


def row_of(ratings, user):
    cells = ratings.users == user
    return dict(zip(ratings.items[cells].tolist(), ratings.values[cells].tolist(), strict=True))


def unclipped(model, user, item):
    factors, bias = model.fold_in(user)
    (position,) = np.flatnonzero(model.target_ids_ == item)
    return factors @ model.item_factors_[position] + bias + model.item_bias_[position]


def some_users(ratings):
    """Known, recognised with a change, and new users: with a few ratings, with one and with all."""
    changed = row_of(ratings, 9)
    changed[next(iter(changed))] = 3.0
    everything = {item: 1 + item % 5 for item in range(50)}
    return [3, ACTIVE, changed, NEW_USER, {4: 5}, everything]


def test_base_and_contributions_sum_to_the_prediction(model, ratings):
    for user, item in itertools.product(some_users(ratings), (0, 4, 33)):
        base, item_ids, contributions = model.explain(user, item, n=None)
        expected = unclipped(model, user, item)
        assert base + contributions.sum() == pytest.approx(expected, abs=1e-9)
        rated = user if isinstance(user, dict) else row_of(ratings, user)
        assert sorted(item_ids) == sorted(rated)
        assert (np.diff(np.abs(contributions)) <= 0).all()
        assert isinstance(base, float) and contributions.dtype == np.float64


def of_users_part(model, user, item):
    """What the parts that encode users predict of an item, and those of items without ratings."""
    factors, _ = model.fold_in(user)
    prior, bias = model.fold_in({})
    start = 0
    for part in model._fitted.model.parts:
        stop = start + len(part.encoder.mean_code)
        if hasattr(part, "sums"):
            factors[start:stop] = prior[start:stop]
        start = stop
    return factors @ model.item_factors_[item] + bias + model.item_bias_[item]


def test_the_base_is_what_the_prior_predicts(model, ratings):
    for user, item in itertools.product(some_users(ratings), (0, 4, 33)):
        expected = of_users_part(model, user, item)
        assert model.explain(user, item)[0] == pytest.approx(expected, abs=1e-6)
    if model.kind == "item":
        bases = [model.explain(user, 4)[0] for user in some_users(ratings)]
        np.testing.assert_allclose(bases, unclipped(model, {}, 4), atol=1e-6)


def test_without_ratings_the_base_is_all(model):
    base, item_ids, contributions = model.explain({}, 4)
    assert len(item_ids) == len(contributions) == 0
    assert base == pytest.approx(unclipped(model, {}, 4), abs=1e-12)
    known = new(model.kind).fit(Ratings([0, 0, 1], [0, 1, 0], [1, 5, 3], user_ids=[7, 8, 9]))
    base, item_ids, _ = known.explain(9, 1)
    assert len(item_ids) == 0 and base == pytest.approx(unclipped(known, 9, 1), abs=1e-12)


def test_a_contribution_is_the_slope_times_what_the_prior_leaves(item_model):
    """A new user's prediction is linear in the ratings: no code holds them."""
    part = item_model._fitted.model.parts[0]
    codes = part.encoder.codes(part.sums)
    prior = codes.factors @ part.encoder.prior_weight + part.encoder.prior_bias + codes.bias
    for item in (0, 4, 33):
        _, item_ids, contributions = item_model.explain(NEW_USER, item, n=None)
        for rated, contribution in zip(item_ids, contributions, strict=True):
            step = 0.5 if NEW_USER[rated] < 3 else -0.5
            changed = NEW_USER | {rated: NEW_USER[rated] + step}
            moved = unclipped(item_model, changed, item) - unclipped(item_model, NEW_USER, item)
            left = NEW_USER[rated] - prior[rated]
            assert contribution == pytest.approx(moved / step * left, abs=1e-7)


def test_ratings_of_a_training_user_are_explained_on_codes_without_them():
    # Each user is alone on two items. Without these ratings they have no codes, so that the ratings
    # add to any prediction through the bias only: in one proportion.
    users = np.repeat(np.arange(20), 5)
    shared = np.array([[0, 1, 2], [1, 2, 3], [0, 2, 3], [0, 1, 3]] * 5)
    alone = 4 + np.arange(40).reshape(20, 2)
    items = np.hstack((shared, alone)).ravel()
    values = np.random.default_rng(0).integers(1, 6, 100).astype(float)
    values[3:5] = 5, 1
    model = new("item").fit(Ratings(users, items, values))
    one, other = (dict(zip(*model.explain(0, item)[1:], strict=True)) for item in (3, 40))
    assert one[4] * other[5] == pytest.approx(one[5] * other[4], rel=1e-9)
    assert one[4] > 0 > one[5]
    mapping = dict(zip(items[:5].tolist(), values[:5].tolist(), strict=True))
    np.testing.assert_allclose(model.explain(mapping, 3)[2], model.explain(0, 3)[2], atol=1e-9)


def test_long_rows_are_explained_in_pieces(item_model, monkeypatch):
    everything = {item: 1 + item % 5 for item in range(50)}
    whole = item_model.explain(everything, 4, n=None)
    monkeypatch.setattr(ridge, "_LONG", 7 * 8)
    cut = item_model.explain(everything, 4, n=None)
    for one, other in zip(cut, whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10)


def test_several_users_are_explained_as_each_alone(item_model, monkeypatch):
    """The core may be asked about many users, in blocks."""
    fitted = item_model._fitted
    monkeypatch.setattr(encoding, "_CELLS", 60)
    together = fitted.model.contributions(fitted.training_query(np.arange(80)), 4)
    alone = [
        fitted.model.contributions(fitted.training_query(np.array([user])), 4) for user in range(80)
    ]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=0, atol=1e-10)


def test_n_lists_the_largest(item_model):
    expected, all_ids, everything = item_model.explain(ACTIVE, 4, n=None)
    base, item_ids, contributions = item_model.explain(ACTIVE, 4, n=5)
    np.testing.assert_array_equal(item_ids, all_ids[:5])
    np.testing.assert_array_equal(contributions, everything[:5])
    assert base == expected
    assert len(item_model.explain(ACTIVE, 4)[1]) == 10 < len(all_ids)
    assert len(item_model.explain(ACTIVE, 4, n=1000)[1]) == len(all_ids)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-50, 50)])
def test_contributions_are_in_rating_units(low, high, ratings, item_model):
    other = ratings.with_values(low + (ratings.values - 1) / 4 * (high - low))
    model = new("item").fit(other)
    base, item_ids, contributions = model.explain(3, 4)
    expected_base, expected_ids, expected = item_model.explain(3, 4)
    np.testing.assert_array_equal(item_ids, expected_ids)
    span = high - low
    np.testing.assert_allclose(contributions, expected / 4 * span, rtol=0, atol=1e-5 * span)
    assert base == pytest.approx(low + (expected_base - 1) / 4 * span, abs=1e-5 * span)


@pytest.mark.parametrize("kind", ["item", "both"])
def test_tastes_are_explained_by_what_was_rated_by_taste(kind):
    """Two tastes: users give 5 to what is to theirs and 1 to the rest."""
    rng = np.random.default_rng(0)
    R = np.where(np.arange(60)[:, None] % 2 == np.arange(40) % 2, 5.0, 1.0)
    R[rng.random(R.shape) > 0.5] = np.nan
    names = [f"item {number}" for number in range(40)]
    model = AutoRecRegressor(10, lambd=5.0, kind=kind, random_state=0)
    model.fit(pd.DataFrame(R, columns=names))
    # Both an even item liked and an odd one disliked tell that item 8 is to the taste of these
    # users, and item 9 is not.
    mapping = {"item 0": 5, "item 2": 5, "item 4": 5, "item 1": 1, "item 3": 1, "item 5": 1}
    for user, (item, sign) in itertools.product((2, mapping), (("item 8", 1), ("item 9", -1))):
        base, item_ids, contributions = model.explain(user, item, n=None)
        assert (sign * contributions > 0).all()
        assert sign * contributions.sum() > 1
        assert base == pytest.approx(3, abs=0.7 if kind == "item" else 2)
    # One rating against the taste speaks for the item.
    _, item_ids, contributions = model.explain(mapping | {"item 1": 5}, "item 9")
    assert dict(zip(item_ids, contributions, strict=True))["item 1"] > 0


@pytest.mark.parametrize("kind", ["item", "both"])
def test_after_fit_with_y_ratings_of_x_explain_columns_of_y(kind, ratings):
    R = with_nan(ratings)
    X, y = R[:, :40], 10.0 * R[:, 40:]
    y[:, 3] /= 100  # another range
    y[5] = np.nan
    model = new(kind).fit(X, pd.DataFrame(y, columns=[f"book {number}" for number in range(10)]))
    users = [3, 5, {item: R[3, item] for item in range(40) if R[3, item] > 0}, NEW_USER]
    users[-1] = {item: rating for item, rating in NEW_USER.items() if item < 40}
    for user, column in itertools.product(users, (2, 3)):
        book = f"book {column}"
        base, item_ids, contributions = model.explain(user, book, n=None)
        expected = unclipped(model, user, book)
        span = np.nanmax(y[:, column]) - np.nanmin(y[:, column])
        assert base + contributions.sum() == pytest.approx(expected, abs=1e-9 * span)
        given = user if isinstance(user, dict) else np.flatnonzero(~np.isnan(X[user]))
        assert sorted(item_ids) == sorted(given)
        assert 1e-6 * span < np.abs(contributions).max() < span
    if kind == "item":
        bases = [model.explain(user, "book 3")[0] for user in ({}, *users[1:])]
        np.testing.assert_allclose(bases, unclipped(model, {}, "book 3"), atol=1e-7)


def test_what_a_known_users_y_adds_is_part_of_the_base(ratings):
    R = with_nan(ratings)
    model = new("item").fit(R[:, :40], R[:, 40:])
    query = model._fitted.training_query(np.array([ACTIVE]))
    stars = model._fitted.model.contributions(query, 42)
    base, _, contributions = model.explain(ACTIVE, 2, n=None)
    assert query.ratings.nnz > len(contributions)
    slope = model._fitted.targets.scale.slope[2]
    of_y = slope * stars[query.ratings.indices >= 40].sum()
    assert base == pytest.approx(unclipped(model, {}, 2) + of_y, abs=1e-6)


def test_weak_penalties_are_explained_exactly(ratings):
    for decoder_lambd in (1e-4, 1e-10, 1e-20):
        model = new("item", hidden_units=30, decoder_lambd=decoder_lambd).fit(ratings)
        base, _, contributions = model.explain(NEW_USER, 4, n=None)
        assert base + contributions.sum() == pytest.approx(unclipped(model, NEW_USER, 4), abs=1e-6)
        if decoder_lambd == 1e-4:
            assert base == pytest.approx(unclipped(model, {}, 4), abs=1e-6)


def test_loaded_models_explain_the_same(model, tmp_path):
    model.save(tmp_path / "model")
    loaded = AutoRecRegressor.load(tmp_path / "model")
    for one, other in zip(loaded.explain(3, 4), model.explain(3, 4), strict=True):
        np.testing.assert_array_equal(one, other)


REFUSED = {
    "list of users": ([3], 4, {}, TypeError, "one user"),
    "array of users": (np.array([3]), 4, {}, TypeError, "one user"),
    "rows": (make_ratings(2, 50, 40, random_state=0).to_matrix(), 4, {}, TypeError, "one user"),
    "frame": (pd.DataFrame(np.ones((1, 50))), 4, {}, TypeError, "one user"),
    "Ratings": (make_ratings(9, 50, 40, random_state=0), 4, {}, TypeError, "one user"),
    "set of users": ({3}, 4, {}, TypeError, "one user"),
    "unknown user": (99, 4, {}, KeyError, "Unknown user id 99"),
    "unknown item": (3, 99, {}, KeyError, "Unknown item id 99"),
    "unknown item of a mapping": ({99: 4}, 4, {}, KeyError, "Unknown item id 99"),
    "list of items": (3, [4], {}, TypeError, "hashable"),
    "n=0": (3, 4, {"n": 0}, ValueError, "at least 1"),
    "n=2.5": (3, 4, {"n": 2.5}, TypeError, "integer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_explained_is_refused(case, item_model):
    user, item, options, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        item_model.explain(user, item, **options)


def test_kind_user_has_no_explanation(ratings):
    with pytest.raises(ValueError, match=r"kind='user' .* Fit with kind='item' or 'both'"):
        new("user").fit(ratings).explain(3, 4)
    with pytest.raises(ValueError, match="not fitted yet"):
        new("item").explain(3, 4)
