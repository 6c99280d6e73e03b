"""The contract of AutoRecRegressor, for every kind."""

import copy
import os
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from conftest import KINDS, new, with_nan
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_score

from skautorec import AutoRecRegressor, Ratings
from skautorec._core.solvers import SOLVERS, STOCHASTIC
from skautorec.datasets import make_ratings

SCALES = {"0..10": (0, 10), "-10..10": (-10, 10), "1..100": (1, 100), "0.1..0.5": (0.1, 0.5)}


def test_ratings_and_matrix_agree(kind, ratings):
    table, matrix = new(kind).fit(ratings), new(kind).fit(ratings.to_matrix())
    dense = matrix.predict(ratings.to_matrix())
    expected = dense[ratings.users, ratings.items]
    np.testing.assert_allclose(table.predict(ratings), expected, atol=1e-9)
    np.testing.assert_allclose(matrix.predict(ratings), expected, atol=1e-9)
    np.testing.assert_allclose(table.predict(with_nan(ratings)), dense, atol=1e-9)


def test_predictions_are_the_clipped_inner_product(kind, ratings):
    model = new(kind, lambd=1.0, decoder_lambd=1.0, dropout=0.0).fit(ratings)
    product = model.user_factors_ @ model.item_factors_.T
    product += model.user_bias_[:, None] + model.item_bias_
    assert product.max() > 5
    expected = np.clip(product, 1, 5)
    np.testing.assert_allclose(model.predict(ratings.to_matrix()), expected, atol=1e-9)


def test_an_explicit_zero_is_a_rating(kind):
    values = np.array([0.0, 4.0, 0.0, 3.0, 4.0, 1.0])
    R = scipy.sparse.csr_array((values, ([0, 0, 1, 1, 2, 2], [0, 1, 0, 2, 1, 2])), shape=(3, 3))
    without = R.copy()
    without.eliminate_zeros()
    assert new(kind).fit(R).rating_range_ == (0, 4)
    assert new(kind).fit(without).rating_range_ == (1, 4)
    dense = np.full((3, 3), np.nan)
    dense[[0, 0, 1, 1, 2, 2], [0, 1, 0, 2, 1, 2]] = values
    np.testing.assert_array_equal(new(kind).fit(R).predict(R), new(kind).fit(dense).predict(dense))


def test_unobserved_cells_never_matter(kind, ratings):
    """A pandas frame of NaN and of pandas.NA, and a masked array's filler, are the same data."""
    R = with_nan(ratings)
    expected = new(kind).fit(R).predict(R)
    negative_nan = np.where(np.isnan(R), -np.nan, R)
    frame = pd.DataFrame(R).astype("Float64").mask(np.isnan(R), pd.NA)
    for same in (negative_nan, frame, R.astype(np.float32)):
        np.testing.assert_array_equal(new(kind).fit(same).predict(same), expected)


@pytest.mark.parametrize("scale", SCALES)
def test_an_affine_change_of_ratings_changes_predictions_alike(kind, scale, ratings):
    low, high = SCALES[scale]
    a = (high - low) / 4
    c = low - a
    predicted = new(kind).fit(ratings).predict(ratings)
    changed = new(kind).fit(ratings, a * ratings.values + c).predict(ratings)
    np.testing.assert_allclose(changed, a * predicted + c, atol=1e-4 * (high - low))


def test_a_negative_factor_is_not_promised_but_a_given_range_is(kind, ratings):
    model = new(kind, rating_range=(0, 6)).fit(ratings)
    assert model.rating_range_ == (0, 6)
    predicted = model.predict(ratings.to_matrix())
    assert predicted.min() >= 0 and predicted.max() <= 6
    # Context outside the range is mapped on by the same line, not refused.
    with pytest.warns(UserWarning, match="outside the rating range 0 to 6"):
        assert np.isfinite(model.predict(ratings.to_matrix() * 3.0)).all()


@pytest.mark.filterwarnings("ignore:All .* ratings are")
def test_equal_ratings_predict_that_rating(kind, ratings):
    model = new(kind).fit(ratings, np.full(len(ratings), 3.5))
    np.testing.assert_array_equal(model.predict(ratings), 3.5)
    assert np.isfinite(model.recommend(0)[1]).all()


def test_users_and_items_never_seen_get_the_prior(kind, ratings):
    model = new(kind).fit(ratings[(ratings.users != 3) & (ratings.items != 7)])
    stranger = Ratings(
        [0, 1, 2], [0, 1, 0], [1.0, 1.0, 1.0], user_ids=["x", 3, 5], item_ids=[11, "y"]
    )
    predicted = model.predict(stranger)
    assert np.isfinite(predicted).all()
    nobody = scipy.sparse.csr_array((1, 50))
    assert predicted[0] == pytest.approx(model.predict(nobody)[0, 11])
    known_to_be_empty = Ratings([0], [0], [1.0], user_ids=[3], item_ids=[11])
    assert predicted[0] == pytest.approx(model.predict(known_to_be_empty)[0])
    never_rated = Ratings([0], [0], [1.0], user_ids=[5], item_ids=[7])
    unknown_item = Ratings([0], [0], [1.0], user_ids=[5], item_ids=[1007])
    np.testing.assert_allclose(model.predict(never_rated), model.predict(unknown_item))
    mean = ratings.values[ratings.users == 5].mean()
    assert model.predict(never_rated)[0] == pytest.approx(mean, abs=0.8)


def test_strangers_in_a_large_table_are_predicted_as_in_a_small_one(kind, ratings):
    model = new(kind).fit(ratings[(ratings.users < 70) & (ratings.items < 45)])
    # With unknown ids, and enough pairs for each of the ways to score them.
    frame = pd.DataFrame({"user": ratings.users, "item": ratings.items, "rating": ratings.values})
    frame["user"] = frame["user"].where(frame["user"] < 70, frame["user"] + 1000)
    frame["item"] = frame["item"].where(frame["item"] < 45, frame["item"] + 1000)
    table = Ratings.from_frame(frame, user="user", item="item", rating="rating")
    for size in (len(table), 300, 40):
        table = table[:size]
        predicted, std = model.predict(table, return_std=True)
        apart = [model.predict(table[i : i + 10], return_std=True) for i in range(0, size, 10)]
        np.testing.assert_allclose(predicted, np.concatenate([one[0] for one in apart]))
        np.testing.assert_allclose(std, np.concatenate([one[1] for one in apart]))


def test_a_user_folded_in_is_the_user_trained_on(ratings):
    model = new("item", max_iter=100).fit(ratings)
    row = ratings.to_matrix()[[4]]
    mapping = dict(zip(row.indices.tolist(), row.data.tolist(), strict=True))
    np.testing.assert_allclose(model.recommend(mapping)[1], model.recommend(4)[1], rtol=1e-6)


def test_score_of_matrices(kind, ratings):
    R = ratings.to_matrix()
    heldout, context = ratings[:300].to_matrix(), ratings[300:].to_matrix()
    model = new(kind).fit(context)
    cells = heldout.tocoo()
    predicted = model.predict(context)[cells.coords]
    assert model.score(context, heldout) == pytest.approx(r2_score(cells.data, predicted))
    frame = pd.DataFrame(np.where(heldout.toarray() == 0, np.nan, heldout.toarray()))
    shuffled = frame[frame.columns[::-1]]
    assert model.score(context, shuffled) == pytest.approx(model.score(context, heldout))
    assert model.score(R) == model.score(R)
    assert model.score(R) != model.score(context)


def test_a_new_matrix_of_another_order_is_aligned_by_name(kind, ratings):
    named = Ratings(
        ratings.users,
        ratings.items,
        ratings.values,
        item_ids=[f"film {i}" for i in range(50)],
    )
    frame = pd.DataFrame(with_nan(ratings), columns=named.item_ids)
    for model in (new(kind).fit(named), new(kind).fit(frame)):
        expected = model.predict(frame)
        np.testing.assert_array_equal(model.predict(frame[frame.columns[::-1]]), expected)
        np.testing.assert_array_equal(model.predict(frame.sample(frac=1, axis=1)), expected)


def test_fit_with_y_predicts_its_columns_each_in_its_range(kind, ratings):
    R = with_nan(ratings)
    Y = np.column_stack((R[:, 40:45], 100 * R[:, 45:]))
    model = new(kind).fit(R[:, :40], Y)
    predicted = model.predict(R[:, :40])
    assert predicted.shape == (80, 10)
    assert predicted[:, :5].max() <= 5 and predicted[:, 5:].min() >= 100
    assert model.score(R[:, :40], Y) == pytest.approx(
        r2_score(Y[~np.isnan(Y)], predicted[~np.isnan(Y)])
    )
    sparse = scipy.sparse.csr_array(np.nan_to_num(Y))
    np.testing.assert_array_equal(new(kind).fit(R[:, :40], sparse).predict(R[:, :40]), predicted)


def test_fits_are_identical_to_the_bit(kind, ratings):
    def digest(model):
        return [getattr(model, name).tobytes() for name in ("user_factors_", "item_factors_")]

    first, second = new(kind).fit(ratings), new(kind).fit(ratings)
    assert digest(first) == digest(second)
    other = new(kind, random_state=1).fit(ratings)
    assert digest(first) != digest(other)
    minibatches = [new(kind, batch_size=16).fit(ratings) for _ in range(2)]
    assert digest(minibatches[0]) == digest(minibatches[1])


ANOTHER_PROCESS = """
import hashlib, sys
from skautorec import AutoRecRegressor
from skautorec.datasets import make_ratings
model = AutoRecRegressor(8, lambd=10.0, max_iter=20, random_state=0, kind=sys.argv[1])
model.fit(make_ratings(80, 50, 1500, random_state=0))
print(hashlib.sha256(model.predict(make_ratings(80, 50, 1500, random_state=0))).hexdigest())
"""


def test_fits_are_identical_in_any_process(kind):
    command = [sys.executable, "-c", ANOTHER_PROCESS, kind]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    runs = [
        subprocess.run(
            command,
            env=environment | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    ]
    assert runs[0] == runs[1] != ""


@pytest.mark.parametrize("kind", ["item", "user"])
@pytest.mark.parametrize("hidden_units", [8, (12, 6)])
def test_to_module_predicts_the_same(kind, hidden_units, ratings):
    model = new(kind, hidden_units=hidden_units).fit(ratings)
    R = with_nan(ratings)
    rows = R.T if kind == "item" else R
    with torch.no_grad():
        predicted = model.to_module()(torch.tensor(rows, dtype=torch.float32)).numpy()
    predicted = predicted.T if kind == "item" else predicted
    np.testing.assert_allclose(np.clip(predicted, 1, 5), model.predict(R), atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "shape", "expected"), [("item", (100, 30), 1507), ("user", (30, 100), 2207)]
)
def test_to_module_has_the_parameters_of_the_source_document(kind, shape, expected):
    R = make_ratings(*shape, 800, random_state=0).to_matrix()
    module = new(kind, hidden_units=7).fit(R).to_module()
    assert sum(parameter.numel() for parameter in module.parameters()) == expected


@pytest.mark.parametrize("several", [{"kind": "both"}, {"kind": "item", "n_estimators": 2}])
def test_to_module_refuses_several_networks(several, ratings):
    with pytest.raises(ValueError, match="n_estimators=1"):
        new(**several).fit(ratings).to_module()


def test_the_average_of_members_is_the_mean_of_their_predictions(kind, ratings):
    model = new(kind, n_estimators=3, dropout=0.0).fit(ratings)
    alone = model._fitted.model
    n_parts = len(alone.parts) // 3
    k = model.user_factors_.shape[1] // 3
    assert k == 8 * n_parts
    members = [slice(k * i, k * (i + 1)) for i in range(3)]
    products = [3 * model.user_factors_[:, m] @ model.item_factors_[:, m].T for m in members]
    biases = model.user_bias_[:, None] + model.item_bias_
    assert not np.allclose(products[0], products[1], atol=1e-3)
    mean = np.clip(np.mean(products, axis=0) + biases, 1, 5)
    np.testing.assert_allclose(model.predict(ratings.to_matrix()), mean, atol=1e-9)


def test_the_second_part_of_both_explains_what_the_first_leaves():
    ratings = make_ratings(400, 300, 20_000, random_state=0)
    is_test = np.random.default_rng(0).random(len(ratings)) < 0.2
    errors = {}
    for kind in KINDS:
        model = AutoRecRegressor(50, kind=kind, random_state=0).fit(ratings[~is_test])
        errors[kind] = np.std(ratings[is_test].values - model.predict(ratings[is_test]))
    assert errors["both"] < 0.98 * errors["item"]
    assert errors["both"] < 1.01 * errors["user"]


def test_held_out_ratings_end_training_and_keep_the_best_epoch(kind, ratings):
    overfitting = {"lambd": 0.1, "dropout": 0.0, "max_iter": 300, "validation_fraction": 0.2}
    patient = new(kind, tol=0.0, n_iter_no_change=300, **overfitting).fit(ratings)
    assert len(patient.validation_scores_) == len(patient.loss_curve_) == 300
    assert patient.n_iter_ < 300
    stopped = new(kind, **overfitting).fit(ratings)
    scores = stopped.validation_scores_
    assert stopped.n_iter_ <= len(scores) == len(stopped.loss_curve_) < 300
    if kind != "both":
        assert stopped.n_iter_ == np.argmax(scores) + 1 < len(scores)
        assert scores == patient.validation_scores_[: len(scores)]


def test_training_ends_when_it_has_arrived():
    ratings = make_ratings(200, 100, 6000, random_state=0)
    model = AutoRecRegressor(20, random_state=0).fit(ratings)
    assert len(model.loss_curve_) < 300
    longer = AutoRecRegressor(20, random_state=0, max_iter=1000).fit(ratings)
    np.testing.assert_array_equal(longer.item_factors_, model.item_factors_)


def test_ratings_held_out_of_training_are_used_in_the_end(kind, ratings):
    # Nearly all ratings are held out, and still every row is solved from all of them.
    model = new(kind, validation_fraction=0.9).fit(ratings)
    folded_in = model.predict(ratings.to_matrix())[ratings.users, ratings.items]
    np.testing.assert_allclose(model.predict(ratings), folded_in, atol=1e-9)
    assert model.score(ratings) > 0.2


def test_lambd_to_infinity_is_a_model_of_biases(kind, ratings):
    model = new(kind, lambd=1e9, max_iter=200).fit(ratings)
    predicted = model.predict(ratings.to_matrix())
    additive = predicted.mean(axis=1, keepdims=True) + predicted.mean(axis=0) - predicted.mean()
    np.testing.assert_allclose(predicted, additive, atol=1e-3)
    assert predicted.mean(axis=1).std() > 0.1
    assert predicted.mean(axis=0).std() > 0.1


def test_more_shrinkage_changes_and_shrinks_the_fit(kind, ratings):
    norms = [
        np.linalg.norm(new(kind, lambd=lambd, max_iter=100).fit(ratings).item_factors_)
        for lambd in (1, 10, 100, 1000)
    ]
    assert (np.diff(norms) < 0).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_solvers_learn(kind, solver, ratings):
    model = new(kind, solver=solver, max_iter=60, dropout=0.0).fit(ratings[300:])
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.score(ratings[:300]) > 0.05
    if solver in STOCHASTIC:
        assert new(kind, solver=solver, max_iter=60).fit(ratings[300:]).score(ratings[:300]) > 0.05


COPIES = {
    "pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, path: copy.deepcopy(model),
    "joblib": lambda model, path: joblib.load(joblib.dump(model, path / "model.joblib")[0]),
    "save and load": lambda model, path: (
        model.save(path / "model"),
        AutoRecRegressor.load(path / "model"),
    )[1],
    "skops": lambda model, path: through_skops(model),
}


def through_skops(model):
    skops = pytest.importorskip("skops.io", reason="skops is not installed")
    content = skops.dumps(model)
    untrusted = skops.get_untrusted_types(data=content)
    assert {name.split(".")[0] for name in untrusted} <= {"skautorec", "scipy"}, untrusted
    return skops.loads(content, trusted=untrusted)


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("with_y", [False, True])
def test_copies_predict_the_same_to_the_bit(kind, way, with_y, ratings, tmp_path):
    R = ratings.to_matrix()
    named = pd.DataFrame(with_nan(ratings), columns=[f"film {i}" for i in range(50)])
    short = new(kind, max_iter=3)
    model = short.fit(R[:, :40], R[:, 40:]) if with_y else short.fit(named)
    X = R[:, :40] if with_y else named
    other = COPIES[way](model, tmp_path)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    assert other.get_params() == model.get_params()
    for one, two in zip(other.recommend([1, 2]), model.recommend([1, 2]), strict=True):
        np.testing.assert_array_equal(one, two)
    assert clone(other).fit(X, *([R[:, 40:]] if with_y else [])).n_iter_ == model.n_iter_


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_cuda_trains_and_its_model_needs_no_cuda(kind, ratings):
    model = new(kind, device="cuda").fit(ratings)
    on_cpu = new(kind, device="cpu").fit(ratings)
    assert isinstance(model.user_factors_, np.ndarray)
    np.testing.assert_allclose(model.predict(ratings), on_cpu.predict(ratings), atol=0.05)


def test_lbfgs_finds_a_step_where_the_first_one_is_too_long():
    ratings = make_ratings(300, 200, 12_000, random_state=0)
    chosen = {"solver": "lbfgs", "activation": "tanh", "lambd": 5, "max_iter": 30, "tol": 0}
    chosen |= {"n_iter_no_change": 30}
    losses = np.array(AutoRecRegressor(50, random_state=0, **chosen).fit(ratings).loss_curve_)
    assert (np.diff(losses) < 0).all()
    assert losses[-1] < losses[0] / 4


@pytest.mark.parametrize("kind", ["user", "item"])
def test_to_module_is_of_what_was_fitted(kind, ratings):
    R = ratings.to_matrix()
    model = new(kind).fit(R)
    expected = model.to_module()(torch.full((1, R.shape[kind == "user"]), 3.0))
    other = {"user": "item", "item": "user"}[kind]
    again = model.set_params(kind=other).to_module()
    torch.testing.assert_close(again(torch.full((1, R.shape[kind == "user"]), 3.0)), expected)


def test_to_module_after_fit_with_y_of_several_ranges(ratings):
    R = ratings.to_matrix().toarray()
    R[R == 0] = np.nan
    X, y = R[:, :40], R[:, 40:] * np.arange(1, 11)
    model = new("user", rating_range=(0, 10)).fit(X, y)
    module = model.to_module()
    with torch.no_grad():
        predicted = module(torch.tensor(X, dtype=torch.float32)).numpy()
    low, high = np.nanmin(y, axis=0), np.nanmax(y, axis=0)
    np.testing.assert_allclose(np.clip(predicted, low, high), model.predict(X), atol=1e-4)


def test_the_default_dtype_of_torch_does_not_matter(kind, ratings):
    expected = new(kind).fit(ratings).predict(ratings)
    torch.set_default_dtype(torch.float64)
    try:
        model = new(kind).fit(ratings)
        np.testing.assert_array_equal(model.predict(ratings), expected)
        if kind != "both":
            assert {p.dtype for p in model.to_module().parameters()} == {torch.float32}
    finally:
        torch.set_default_dtype(torch.float32)


def test_masked_cells_are_unobserved(kind, ratings):
    dense = ratings.to_matrix().toarray()
    masked = np.ma.masked_equal(dense, 0)
    with_nan = np.where(dense == 0, np.nan, dense)
    assert len(Ratings.from_matrix(masked)) == len(ratings)
    expected = new(kind).fit(with_nan).predict(with_nan)
    np.testing.assert_array_equal(new(kind).fit(masked).predict(masked), expected)
    assert len(Ratings.from_matrix(masked.astype(object))) == len(ratings)
    with pytest.raises(TypeError, match="real numbers"):
        Ratings.from_matrix(masked.astype(str))
    hidden = np.ma.masked_array(ratings.values, mask=np.arange(len(ratings)) == 7)
    for call in (ratings.with_values, lambda y: new(kind).fit(ratings, y)):
        with pytest.raises(ValueError, match="NaN"):
            call(hidden)


def test_frames_of_sparse_columns_with_gaps(ratings):
    dense = ratings.to_matrix().toarray()
    frame = pd.DataFrame(np.where(dense == 0, np.nan, dense))
    sparse = frame.astype(pd.SparseDtype(float, np.nan))
    model = new("item").fit(sparse)
    np.testing.assert_array_equal(model.predict(sparse), new("item").fit(frame).predict(frame))


def test_rows_without_ratings_get_the_prior_dense_too(kind, ratings):
    model = new(kind).fit(ratings)
    nothing = np.full((2, 50), np.nan)
    np.testing.assert_array_equal(
        model.predict(nothing), model.predict(scipy.sparse.csr_array((2, 50)))
    )
    np.testing.assert_array_equal(
        model.recommend(pd.DataFrame(nothing), n=3)[0][0], model.recommend({}, n=3)[0]
    )


def test_columns_of_y_with_one_rating_are_near_the_others(kind, ratings):
    dense = ratings.to_matrix().toarray()
    wide = pd.DataFrame(np.where(dense == 0, np.nan, dense)).add_prefix("item ")
    X, y = wide.iloc[:, :40], wide.iloc[:, 40:].copy()
    y["rare"] = np.nan
    y.loc[3, "rare"] = 5.0
    y["never"] = np.nan
    model = new(kind).fit(X, y)
    assert model.target_ids_.tolist() == y.columns.tolist()
    assert model.item_ids_.tolist() == X.columns.tolist()
    rare = model.predict(X)[:, -2]
    assert rare.std() > 0 and rare.mean() < 4.9
    _, _, std = model.recommend(7, n=12, return_std=True, exclude_seen=False)
    assert (std > 0).all()
    one = new(kind).fit(X, y["item 41"])
    assert one.target_ids_.tolist() == ["item 41"]
    y["always"] = 3.0
    assert (new(kind).fit(X, y).predict(X)[:, -1] == 3).all()


def test_rows_of_y_belong_to_those_of_x(ratings):
    wide = pd.DataFrame(ratings.to_matrix().toarray()).replace(0, np.nan)
    wide.index = [f"user {i}" for i in wide.index]
    X, y = wide.iloc[:, :40], wide.iloc[:, 40:]
    model = new("item").fit(X, y)
    for call in (new("item").fit, model.score):
        with pytest.raises(ValueError, match=r"y.loc\[X.index\]"):
            call(X, y.sample(frac=1, random_state=0))
    assert model.score(X, y.to_numpy()) == model.score(X, y)
    # With another index rows are matched by position, as scikit-learn does; parts of it too.
    scores = cross_val_score(new("item"), X, y.reset_index(drop=True), error_score="raise")
    np.testing.assert_array_equal(scores, cross_val_score(new("item"), X, y))


def test_a_memory_mapped_estimator_serves_without_a_warning(ratings, tmp_path):
    model = new("both").fit(ratings)
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert not mapped.item_factors_.flags.writeable
    np.testing.assert_array_equal(mapped.predict(ratings), model.predict(ratings))
    np.testing.assert_array_equal(mapped.recommend({3: 5})[0], model.recommend({3: 5})[0])


@pytest.mark.parametrize(
    "changed",
    [
        {"lambd": 1e-20, "hidden_units": (8, 4)},
        {"lambd": 1e-20, "dropout": 0.0},
        {"decoder_lambd": 1e-20},
        {"lambd": 1e20},
        {"decoder_lambd": 1e20},
    ],
)
@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_predictions_are_finite_with_the_smallest_and_largest_penalties(changed, activation):
    # With as few ratings an item as units, which leaves equations without a penalty singular.
    ratings = make_ratings(30, 200, 900, random_state=1)
    model = new("both", activation=activation, **changed).fit(ratings)
    R = ratings.to_matrix()
    for told in (*model.predict(ratings, return_std=True), *model.predict(R, return_std=True)):
        assert np.isfinite(told).all()
    assert np.isfinite(model.user_factors_).all()
    assert np.isfinite(model.item_factors_).all()


def test_ids_of_another_type_are_said_to_be_however_few(ratings):
    model = new("item").fit(ratings)
    texts = Ratings([0, 1], [0, 0], [3.0, 4.0], user_ids=["3", "7"], item_ids=[5])
    with pytest.warns(UserWarning, match=r"user ids of 100% .* such as '3' \(str\)") as caught:
        model.predict(texts)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=r"item ids of 100% .* such as '5' \(str\)"):
        model.predict(Ratings([0], [0], [3.0], user_ids=[3], item_ids=["5"]))
    # Of the type of some: they are merely new.
    model.predict(Ratings([0, 1], [0, 0], [3.0, 4.0], user_ids=[3, "7"], item_ids=[5]))
    model.predict(Ratings([0], [0], [3.0], user_ids=[1000], item_ids=[5]))
    model.predict(texts[:0])


@pytest.mark.parametrize(
    ("n_each", "advice"), [(1, "Users who rate once are new in every split"), (3, "shuffle=True")]
)
def test_advice_for_users_without_training_ratings(n_each, advice, ratings):
    users = np.repeat(np.arange(30), n_each)
    pairs = Ratings(users, np.tile(np.arange(n_each), 30), np.full(len(users), 3.0))
    model = new("item").fit(ratings.with_values(ratings.values)[ratings.users >= 30])
    assert set(range(30)) <= set(model.user_ids_)
    with pytest.warns(UserWarning, match=advice):
        model.predict(pairs)
