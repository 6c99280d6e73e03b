"""What is measured on held-out ratings: the noise, and which ratings measure it."""

import numpy as np
import pytest
import scipy.sparse
from conftest import new

from skautorec import Ratings
from skautorec._core import calibration, fit
from skautorec._core.calibration import Calibration
from skautorec._core.draws import Draws
from skautorec._core.matrix import Table
from skautorec._core.noise import measure_noise
from skautorec.datasets import make_ratings


@pytest.mark.parametrize("unit", [1.0, 0.01])
@pytest.mark.parametrize(
    ("noise", "spread", "code_spread"), [(0.8, 0.4, 2.0), (0.5, 2.0, 0.3), (1.5, 1.5, 1.5)]
)
def test_planted_variances_are_recovered(noise, spread, code_spread, unit):
    rng = np.random.default_rng(0)
    n = 60_000
    of_rows, of_codes = rng.gamma(0.5, 1.0, n), rng.gamma(0.5, 1.0, n)
    variances = unit * (noise + spread * of_rows + code_spread * of_codes)
    errors = rng.normal(0, np.sqrt(variances))
    found = measure_noise(errors, of_rows, of_codes, usual=unit)
    assert found.noise / unit == pytest.approx(noise, rel=0.1)
    assert found.spread / unit == pytest.approx(spread, rel=0.15)
    assert found.code_spread / unit == pytest.approx(code_spread, rel=0.15)


def test_two_errors_do_not_outweigh_what_is_usual():
    # Two perfect predictions are chance: half of the evidence is that ratings vary.
    found = measure_noise(np.zeros(2), np.zeros(2), np.zeros(2), usual=1.0)
    assert found.noise == pytest.approx(0.5, rel=0.02)
    assert measure_noise(np.zeros(0), np.zeros(0), np.zeros(0), 1.0).noise == pytest.approx(
        1.0, rel=0.02
    )
    # Two large ones are too.
    large = measure_noise(np.full(2, 3.0), np.zeros(2), np.zeros(2), usual=1.0)
    assert large.noise == pytest.approx((2 * 9 + 2) / 4, rel=0.02)


def test_factors_are_near_the_noise_where_few_errors_tell():
    found = measure_noise(np.array([0.1, 2.0]), np.array([0.0, 1.0]), np.array([1.0, 0.0]), 1.0)
    for factor in (found.spread, found.code_spread):
        assert 0.6 < factor / found.noise < 1.6
    # Without any uncertainty among them, errors say nothing of what it is multiplied by.
    found = measure_noise(np.array([0.1, 2.0]), np.zeros(2), np.zeros(2), 1.0)
    assert found.spread == pytest.approx(found.noise, rel=0.01)
    assert found.code_spread == pytest.approx(found.noise, rel=0.01)


def calibration_cells(n_users, n_items, n_heldout, seed=0):
    rng = np.random.default_rng(seed)
    cells = rng.choice(n_users * n_items, n_heldout, replace=False)
    heldout = scipy.sparse.coo_array(
        (np.full(n_heldout, 3.0), np.divmod(cells, n_items)), (n_users, n_items)
    ).tocsr()
    kept = Table(scipy.sparse.csr_array((n_users, n_items)), None)
    return Calibration(kept, Table(heldout, None), Draws(seed), None).cells


@pytest.mark.parametrize("n_heldout", [8_000, 40_000, 160_000])
def test_calibration_takes_about_as_many_cells_as_it_needs(n_heldout):
    cells = calibration_cells(1000, 800, n_heldout)
    assert cells.nnz == pytest.approx(calibration._N_CELLS, rel=0.15)
    # It is one of few users and few items, since each of them costs a factorisation.
    share = np.sqrt(calibration._N_CELLS / n_heldout)
    for axis, n in ((0, 800), (1, 1000)):
        touched = (np.asarray(cells.sum(axis=axis)) > 0).mean()
        assert touched <= share + 1 / n


@pytest.mark.parametrize("n_heldout", [0, 1, 500, 4000])
def test_few_held_out_cells_are_all_taken(n_heldout):
    assert calibration_cells(300, 200, n_heldout).nnz == n_heldout


def test_errors_of_the_calibration_are_of_clipped_predictions(kind, monkeypatch):
    # Nearly all ratings are at the ends of the range, and the model predicts beyond them.
    rng = np.random.default_rng(0)
    users, items = np.divmod(np.flatnonzero(rng.random(80 * 50) < 0.6), 50)
    levels = rng.normal(0, 20, 80)[users] + rng.normal(0, 1, 50)[items]
    ratings = Ratings(users, items, np.clip(3 + levels, 1, 5))
    measured = []

    def measure(errors, *others):
        measured.append(errors)
        return measure_noise(errors, *others)

    monkeypatch.setattr(calibration, "measure_noise", measure)
    model = new(kind, max_iter=60).fit(ratings)
    product = model.user_factors_ @ model.item_factors_.T
    product += model.user_bias_[:, None] + model.item_bias_
    # A rating of 5 is never exceeded, one of 1 never fallen short of.
    heldout = (
        fit._Split(
            lambda: Table(ratings.to_matrix(), None), None, Draws(seed_of(0)).into("held out")
        )
        .halves()[1]
        .targets
    )
    beyond = product[heldout.tocoo().coords]
    assert (beyond[heldout.data == 5] > 5).mean() > 0.1
    (errors,) = measured
    assert len(errors) == heldout.nnz
    assert (errors[heldout.data == 5] >= 0).all() and (errors[heldout.data == 1] <= 0).all()


def seed_of(random_state):
    return np.random.RandomState(random_state).randint(np.iinfo(np.int32).max)


def test_members_share_what_is_not_known_of_an_encoded_row_and_divide_the_rest(kind):
    ratings = make_ratings(80, 50, 1500, random_state=0)
    model = new(kind, n_estimators=2, random_state=0).fit(ratings)
    core = model._fitted.model
    asked = scipy.sparse.csr_array(np.ones((80, 51)))
    users = model._fitted.training_query(np.arange(80))
    of_rows, of_codes = core.relative_variances(
        users, model.user_factors_[:, : core.n_units], asked, model._fitted._table
    )
    alone = []
    for i, member in enumerate(core.members):
        one = type(core)([member], core.noise, core.spread, core.code_spread)
        k = one.n_units
        alone.append(
            one.relative_variances(
                users, 2 * model.user_factors_[:, k * i : k * (i + 1)], asked, model._fitted._table
            )
        )
    np.testing.assert_allclose(of_rows, (alone[0][0] + alone[1][0]) / 2, rtol=1e-5)
    np.testing.assert_allclose(of_codes, (alone[0][1] + alone[1][1]) / 2, rtol=1e-9)
    np.testing.assert_allclose(of_codes, alone[0][1], rtol=1e-9)


@pytest.fixture(scope="module")
def many():
    return make_ratings(400, 200, 25_000, random_state=0)


@pytest.mark.parametrize(
    "bad",
    [
        {"decoder_lambd": 1e-6, "hidden_units": 100},
        {"decoder_lambd": 1e-4, "hidden_units": 50, "kind": "user"},
    ],
)
def test_a_model_worse_than_biases_is_told(bad, many):
    chosen = {"max_iter": 30, "validation_fraction": 0.1} | bad
    with pytest.warns(UserWarning, match="held-out ratings .* above that of damped") as seen:
        new(**({"kind": "item"} | chosen)).fit(many)
    assert len(seen) == 1


def test_a_good_model_and_one_judged_by_few_ratings_are_not(kind, many):
    new(kind, max_iter=100, lambd=100.0, hidden_units=50).fit(many)  # a warning is an error
    few = many[np.random.default_rng(0).permutation(len(many))[:4000]]
    new("item", decoder_lambd=1e-6, hidden_units=100).fit(few)
