"""What the displays draw, against numbers computed another way."""

import dataclasses
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from conftest import new
from matplotlib import pyplot as plt
from matplotlib.text import Text
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skautorec import AutoRecRegressor, Ratings, metrics
from skautorec._core.rows import Rows
from skautorec._core.scores import Embeddings
from skautorec.baselines import BiasRegressor, PopularityRecommender
from skautorec.model_selection import make_top_n_scorer
from skautorec.plotting import (
    ErrorByActivityDisplay,
    ItemMapDisplay,
    RankingDisplay,
    TrainingCurveDisplay,
    UncertaintyDisplay,
)

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def parts(ratings):
    return train_test_split(ratings, test_size=0.3, random_state=0)


@pytest.fixture(scope="module")
def model(parts):
    return new("both").fit(parts[0])


def data_of(line):
    return np.array(line.get_xdata(), float), np.array(line.get_ydata(), float)


def parts_of_rows(ratings):
    """Ratings of users nobody was fitted to: what is known of them, and what is held out."""
    known, heldout = train_test_split(ratings, test_size=0.5, random_state=1)
    return known.to_matrix(), heldout.to_matrix()


DRAW = {
    "curve": lambda model, test, **k: TrainingCurveDisplay.from_estimator(model, **k),
    "map": lambda model, test, **k: ItemMapDisplay.from_estimator(model, **k),
    "uncertainty": lambda model, test, **k: UncertaintyDisplay.from_estimator(model, test, **k),
    "activity": lambda model, test, **k: ErrorByActivityDisplay.from_estimator(model, test, **k),
    "ranking": lambda model, test, **k: RankingDisplay.from_estimator(model, test, n=5, **k),
}


@pytest.fixture(params=DRAW.values(), ids=DRAW)
def draw(request):
    return request.param


def test_given_axes_are_used_and_new_ones_made(draw, model, parts):
    figure, ax = plt.subplots()
    display = draw(model, parts[1], ax=ax)
    assert display.ax_ is ax and display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert display.plot() is display
    assert display.ax_ is not ax and display.figure_ is not figure
    subfigure = plt.figure().subfigures(1, 2)[0]
    assert draw(model, parts[1], ax=subfigure.subplots()).figure_ is subfigure


def test_axes_say_what_they_show(draw, model, parts):
    ax = draw(model, parts[1]).ax_
    assert ax.get_xlabel() and ax.get_ylabel()


def test_other_estimators_are_refused(draw, model, parts):
    with pytest.raises(TypeError, match="got Pipeline.*its last step"):
        draw(make_pipeline(model), parts[1])
    with pytest.raises(NotFittedError):
        draw(AutoRecRegressor(), parts[1])


def test_missing_matplotlib_is_named(draw, model, parts, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'Display needs .* pip install "skautorec\[plot\]"'):
        draw(model, parts[1])


def test_keywords_go_to_matplotlib(model, parts):
    line = TrainingCurveDisplay.from_estimator(model, color="red").line_
    assert line.get_color() == "red"
    line = TrainingCurveDisplay.from_estimator(model, c="red", lw=3).line_
    assert (line.get_color(), line.get_linewidth()) == ("red", 3)
    line = UncertaintyDisplay.from_estimator(model, parts[1], marker="s", ms=9).line_
    assert (line.get_marker(), line.get_markersize()) == ("s", 9)
    line = ErrorByActivityDisplay.from_estimator(model, parts[1], marker="s").line_
    assert line.get_marker() == "s"
    line = RankingDisplay.from_estimator(model, parts[1], n=3, c="red", ms=9).line_
    assert (line.get_color(), line.get_markersize()) == ("red", 9)
    points = ItemMapDisplay.from_estimator(model, s=5).points_
    assert_array_equal(points.get_sizes(), [5])
    for name in ("c", "color", "facecolors"):
        points = ItemMapDisplay.from_estimator(model, **{name: "red"}, linewidth=2).points_
        assert_array_equal(points.get_facecolor(), [[1, 0, 0, 1]])
        assert_array_equal(points.get_linewidths(), [2])


def test_training_curve_is_the_history(ratings):
    model = new("item", max_iter=30, learning_rate=0.1).fit(ratings)
    display = TrainingCurveDisplay.from_estimator(model)
    epochs, losses = data_of(display.line_)
    # The first objective is that of the untrained network, the first score that after one epoch.
    assert_array_equal(epochs, np.arange(len(model.loss_curve_)))
    assert_array_equal(losses, model.loss_curve_)
    epochs, scores = data_of(display.validation_line_)
    assert_array_equal(epochs, 1 + np.arange(len(model.validation_scores_)))
    assert_array_equal(scores, model.validation_scores_)
    _, best = display.validation_ax_.get_ylabel().split("\n")
    assert best == f"best {max(scores):.3f}, epoch {model.n_iter_}"
    assert_array_equal(data_of(display.validation_ax_.lines[1]), [[model.n_iter_], [max(scores)]])


def test_training_curves_on_one_axes_share_the_other_and_differ_in_colour():
    _, (ax, beside) = plt.subplots(1, 2, sharex=True)
    TrainingCurveDisplay([1, 2], [0.5]).plot(beside)
    one = TrainingCurveDisplay([9, 8, 7], [0.1, 0.2, 0.1]).plot(ax, label="one")
    two = TrainingCurveDisplay([6, 5, 4], [0.7, 0.8, 0.9]).plot(ax)
    assert one.validation_ax_ is two.validation_ax_
    assert len(ax.figure.axes) == 4
    assert one.validation_ax_.get_ylabel().split("\n")[1:] == [
        "one: best 0.200, epoch 2", "best 0.900, epoch 3",
    ]  # fmt: skip
    colors = [[d.line_.get_color(), d.validation_line_.get_color()] for d in (one, two)]
    assert colors[0][0] == colors[0][1] != colors[1][0] == colors[1][1]


@pytest.mark.parametrize("size", [(4, 3), (8, 5)])
@pytest.mark.parametrize("best", [0, 5, 29])
def test_what_training_curves_say_stays_in_the_figure_and_off_the_curves(size, best):
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    scores = np.linspace(0.1, 0.2, 30) - 0.01 * np.abs(np.arange(30) - best)
    display = TrainingCurveDisplay(np.linspace(100, 50, 31), scores).plot(ax)
    figure.draw_without_rendering()
    assert not ax.texts and not display.validation_ax_.texts
    box = display.validation_ax_.yaxis.label.get_window_extent()
    assert box.x0 > ax.bbox.x1 and box.x1 <= figure.bbox.x1
    assert box.y0 >= figure.bbox.y0 and box.y1 <= figure.bbox.y1


def test_training_curve_without_validation_has_one_axis(ratings):
    model = new("item", validation_fraction=1e-9).fit(ratings)
    display = TrainingCurveDisplay.from_estimator(model)
    assert display.validation_ax_ is display.validation_line_ is None
    assert display.figure_.axes == [display.ax_]


def test_map_keeps_the_distances_of_predictions(ratings, kind):
    """Two hidden units need two dimensions, so nothing is lost in the plane."""
    model = new(kind, hidden_units=1 if kind == "both" else 2, lambd=1.0).fit(ratings)
    positions = ItemMapDisplay.from_estimator(model).positions
    predicted = model.user_factors_ @ model.item_factors_.T
    difference = predicted[:, :, None] - predicted[:, None, :]
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    assert_allclose(distances, difference.std(axis=0), atol=1e-8)


def test_map_shows_most_of_the_variance(model):
    display = ItemMapDisplay.from_estimator(model)
    predicted = model.user_factors_ @ model.item_factors_.T
    centred = predicted - predicted.mean(axis=0)
    centred -= centred.mean(axis=1, keepdims=True)
    sizes = np.linalg.svd(centred, compute_uv=False) ** 2
    assert_allclose(display.explained_variance_ratio, sizes[:2] / sizes.sum(), rtol=1e-6)
    assert_allclose(display.positions.var(axis=0), sizes[:2] / predicted.size, rtol=1e-6)
    share = sizes[0] / sizes.sum()
    assert display.ax_.get_xlabel() == f"First component ({share:.0%}),\nin rating units"
    assert_array_equal(display.points_.get_offsets(), display.positions)


def test_map_does_not_depend_on_how_factors_share_their_scale(model):
    display = ItemMapDisplay.from_estimator(model)
    rescaled = new("both")
    rescaled.__dict__.update(model.__dict__)
    mixing = np.random.default_rng(0).normal(size=(16, 16))
    users = Embeddings(model.user_factors_ @ np.linalg.inv(mixing).T, model.user_bias_)
    items = Embeddings(model.item_factors_ @ mixing, model.item_bias_)
    rescaled._fitted = dataclasses.replace(
        model._fitted, user_rows=Rows(users), item_rows=Rows(items)
    )
    assert_allclose(ItemMapDisplay.from_estimator(rescaled).positions, display.positions, atol=1e-8)


def test_map_of_one_unit_is_a_line(ratings):
    display = ItemMapDisplay.from_estimator(new("item", hidden_units=1).fit(ratings))
    assert_array_equal(display.positions[:, 1], 0)
    assert_allclose(display.explained_variance_ratio, [1, 0])


@pytest.mark.filterwarnings("ignore:All .* ratings are")
def test_map_of_constant_ratings_is_a_point(ratings):
    model = new("item").fit(ratings.with_values(np.full(len(ratings), 3.0)))
    display = ItemMapDisplay.from_estimator(model)
    assert_allclose(display.positions, 0, atol=1e-6)


def test_map_labels_items_by_id(model):
    display = ItemMapDisplay.from_estimator(model, labels={9: "nine", 4: "four"})
    assert [text.get_text() for text in display.texts_] == ["nine", "four"]
    assert_array_equal([text.xy for text in display.texts_], display.positions[[9, 4]])
    assert_array_equal(display.labelled_points_.get_offsets(), display.positions[[9, 4]])
    display.plot(labels=model.item_ids_[:2])
    assert [text.get_text() for text in display.texts_] == ["0", "1"]
    with pytest.raises(KeyError, match=r"Unknown item id 'Alien' \(str\)"):
        display.plot(labels=["Alien"])


def test_map_after_fit_with_y_is_of_its_columns(ratings):
    wide = pd.DataFrame(ratings.to_matrix().toarray()).replace(0, np.nan).add_prefix("item ")
    model = new("item").fit(wide.iloc[:, :40], wide.iloc[:, 40:])
    display = ItemMapDisplay.from_estimator(model, labels=["item 41"])
    assert_array_equal(display.item_ids, wide.columns[40:])
    with pytest.raises(KeyError, match="item 3"):
        display.plot(labels=["item 3"])


def test_map_labels_are_no_mathematics(model):
    display = ItemMapDisplay.from_estimator(model, labels={9: "From $5 to 10% of $x_", 4: "A$AP_$"})
    display.figure_.draw_without_rendering()
    assert [text.get_text() for text in display.texts_] == ["From $5 to 10% of $x_", "A$AP_$"]
    assert not any(text.get_parse_math() for text in display.texts_)


def test_curve_without_validation_scores():
    three = Ratings([0, 1, 2], [0, 1, 0], [1, 2, 3])
    model = AutoRecRegressor(8, random_state=0).fit(three)
    assert model.validation_scores_ == []
    assert TrainingCurveDisplay.from_estimator(model).validation_line_ is None


def test_map_labels_of_a_series_are_its_values(model):
    titles = pd.Series({9: "nine", 4: "four"})
    display = ItemMapDisplay.from_estimator(model, labels=titles)
    assert [text.get_text() for text in display.texts_] == ["nine", "four"]
    assert_array_equal([text.xy for text in display.texts_], display.positions[[9, 4]])
    display.plot(labels=pd.Series([9, 4]))  # the default index: no ids
    assert [text.get_text() for text in display.texts_] == ["9", "4"]
    display.plot(labels=pd.Series([9, 4], index=[3, 7]))  # a filtered column of ids
    assert [text.get_text() for text in display.texts_] == ["9", "4"]
    with pytest.raises(TypeError, match=r"as in \['Alien'\]"):
        display.plot(labels="Alien")


def test_map_labels_keep_clear_of_each_other_and_of_the_edges():
    rng = np.random.default_rng(0)
    grid = np.array([(x, y) for x in (0.0, 1.0) for y in (0.0, 1.0)])
    positions = np.vstack(
        (grid, grid + np.array([0.01, 0.0]), 0.5 + 0.01 * rng.normal(size=(6, 2)))
    )
    display = ItemMapDisplay(positions, np.arange(14)).plot(
        labels={i: f"a rather long title {i}" for i in range(14)}
    )
    display.figure_.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in display.texts_]  # without their lines
    assert all(box.count_overlaps(boxes) == 1 for box in boxes)
    frame = display.ax_.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)
    # Only labels that had to move away are joined to their points.
    is_near = [max(map(abs, text.xyann)) == 6 for text in display.texts_]
    assert 0 < sum(is_near) < 14
    assert [text.arrow_patch is None for text in display.texts_] == is_near


def test_map_takes_other_positions():
    display = ItemMapDisplay([[0, 1], [2, 3]], ["a", "b"]).plot(labels=["b"])
    assert display.ax_.get_xlabel() == "First component"
    assert display.texts_[0].xy == (2, 3)


def test_coverage_counts_ratings_in_intervals(model, parts):
    test = parts[1]
    display = UncertaintyDisplay.from_estimator(model, test)
    levels, shares = data_of(display.line_)
    predicted, std = model.predict(test, return_std=True)
    # Quantiles of the normal distribution from a table.
    for level, quantile in ((0.5, 0.674490), (0.8, 1.281552), (0.9, 1.644854)):
        inside = np.abs(test.values - predicted) <= quantile * std
        assert_allclose(shares[np.isclose(levels, level)], [inside.mean()])
    assert_array_equal(display.coverage, shares)
    assert display.line_.get_label() == "AutoRecRegressor"


def test_coverage_of_a_true_model_is_the_level():
    rng = np.random.default_rng(0)
    y_pred, y_std = rng.normal(size=40_000), rng.uniform(0.5, 2, size=40_000)
    y_true = rng.normal(y_pred, y_std)
    display = UncertaintyDisplay.from_predictions(y_true, y_pred, y_std)
    assert_allclose(display.coverage, display.levels, atol=0.01)
    too_sure = UncertaintyDisplay.from_predictions(y_true, y_pred, y_std / 2)
    assert (too_sure.coverage < display.coverage).all()


def test_several_coverages_share_one_diagonal(model, parts):
    display = UncertaintyDisplay.from_estimator(model, parts[1], name="both")
    UncertaintyDisplay.from_estimator(model, parts[1], name="again", ax=display.ax_)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["Perfectly calibrated", "both", "again"]


def test_errors_of_several_models_are_told_apart(model, parts):
    display = ErrorByActivityDisplay.from_estimator(model, parts[1], name="one")
    again = ErrorByActivityDisplay.from_estimator(model, parts[1], name="two", ax=display.ax_)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    overall = f"all: {display.overall_rmse:.3f}"
    assert labels == [f"one, {overall}", f"two, {overall}"]
    assert not display.ax_.texts
    assert again.overall_line_.get_color() == again.line_.get_color()


def test_coverage_needs_positive_deviations():
    with pytest.raises(ValueError, match="1 of 2 standard deviations in y_std are not positive"):
        UncertaintyDisplay.from_predictions([1, 2], [1, 2], [1, 0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        UncertaintyDisplay.from_predictions([1, 2], [1, 2], [1, 1, 1])


@pytest.mark.parametrize("sparse", [True, False])
def test_matrices_are_scored_on_heldout_cells(model, ratings, sparse):
    known, heldout = parts_of_rows(ratings)
    rows, items = heldout.nonzero()
    predicted, std = model.predict(known, return_std=True)
    expected = UncertaintyDisplay.from_predictions(
        heldout.data, predicted[rows, items], std[rows, items]
    )
    dense = np.full(heldout.shape, np.nan)
    dense[rows, items] = heldout.data
    given = heldout if sparse else dense
    found = UncertaintyDisplay.from_estimator(model, known, given)
    assert_array_equal(found.coverage, expected.coverage)
    by_activity = ErrorByActivityDisplay.from_estimator(model, known, given)
    expected = ErrorByActivityDisplay.from_predictions(
        heldout.data, predicted[rows, items], np.diff(known.indptr)[rows]
    )
    assert_array_equal(by_activity.bins, expected.bins)
    assert_allclose(by_activity.rmse, expected.rmse)


def test_matrices_after_targets_are_scored_on_the_targets(ratings):
    R = ratings.to_matrix()
    X, y = R[:, :40], R[:, 40:]
    model = new("item").fit(X, y)
    display = ErrorByActivityDisplay.from_estimator(model, X, y)
    rows, items = y.nonzero()
    assert_allclose(
        display.overall_rmse, root_mean_squared_error(y.data, model.predict(X)[rows, items])
    )
    single = y[:, [0]]
    display = UncertaintyDisplay.from_estimator(new("item").fit(X, single), X, single)
    assert display.coverage.shape == display.levels.shape


@pytest.mark.parametrize("display", [UncertaintyDisplay, ErrorByActivityDisplay])
def test_matrices_need_heldout_ratings(display, model, ratings):
    known, _ = parts_of_rows(ratings)
    with pytest.raises(ValueError, match="With a matrix give y too"):
        display.from_estimator(model, known)
    with pytest.raises(ValueError, match="the answer would be among the inputs"):
        display.from_estimator(model, known, known)


def test_given_values_take_the_place_of_those_in_ratings(model, parts):
    test, others = parts[1], 6 - parts[1].values
    display = ErrorByActivityDisplay.from_estimator(model, test, others)
    assert_allclose(display.overall_rmse, root_mean_squared_error(others, model.predict(test)))


def test_error_by_activity_is_the_error_of_each_bin(model, parts):
    train, test = parts
    display = ErrorByActivityDisplay.from_estimator(model, test, n_bins=4)
    known = np.array([np.sum(train.users == user) for user in test.users])
    predicted = model.predict(test)
    where, heights = data_of(display.line_)
    assert_array_equal(where, range(4))
    n_scored = []
    for (low, high), height in zip(display.bins, heights, strict=True):
        inside = (known >= low) & (known <= high)
        assert known[inside].min() == low and known[inside].max() == high
        assert_allclose(height, root_mean_squared_error(test.values[inside], predicted[inside]))
        n_scored.append(inside.sum())
    # A bin ends within one number of known ratings of a quarter of the ratings.
    assert sum(n_scored) == len(test)
    distance = np.abs(np.cumsum(n_scored) - len(test) * np.arange(1, 5) / 4)
    assert distance.max() < np.bincount(known).max()
    assert_allclose(
        display.overall_line_.get_ydata(), np.sqrt(np.mean((test.values - predicted) ** 2))
    )
    ticks = [tick.get_text() for tick in display.ax_.get_xticklabels()]
    assert ticks == [f"{low}\u2013{high}" for low, high in display.bins]


def test_bars_are_standard_errors():
    rng = np.random.default_rng(0)
    errors = rng.normal(size=(2000, 300))
    spread = np.sqrt(np.square(errors).mean(axis=1)).std()
    display = ErrorByActivityDisplay.from_predictions(errors[0], np.zeros(300), np.ones(300))
    assert_allclose(display.standard_error, [spread], rtol=0.1)
    (bars,) = display.errorbar_.lines[2]
    (low, high) = bars.get_segments()[0][:, 1]
    assert_allclose((high - low) / 2, display.standard_error[0])


def test_a_number_of_known_ratings_is_never_split():
    n_known = [0] * 6 + [3] + [4, 5]
    display = ErrorByActivityDisplay.from_predictions(np.ones(9), np.zeros(9), n_known, n_bins=3)
    assert_array_equal(display.bins, [[0, 0], [3, 5]])
    assert [tick.get_text() for tick in display.ax_.get_xticklabels()] == ["0", "3\u20135"]
    display = ErrorByActivityDisplay.from_predictions(np.ones(9), np.zeros(9), n_known, n_bins=1)
    assert_array_equal(display.bins, [[0, 5]])
    turned = [
        ErrorByActivityDisplay.from_predictions(
            np.ones(400), np.zeros(400), np.arange(400), n_bins=n_bins
        )
        .ax_.get_xticklabels()[0]
        .get_rotation()
        for n_bins in (5, 12)
    ]
    assert turned == [0, 45]
    with pytest.raises(ValueError, match="n_bins is 0"):
        ErrorByActivityDisplay.from_predictions(np.ones(9), np.zeros(9), n_known, n_bins=0)


def test_unknown_users_have_no_known_ratings(model, parts):
    strangers = Ratings([0, 1], [0, 1], [3.0, 4.0], user_ids=["ann", "bob"])
    with pytest.warns(UserWarning, match="such as 'ann' .* ids of different types"):
        display = ErrorByActivityDisplay.from_estimator(model, strangers)
    assert_array_equal(display.bins, [[0, 0]])


def test_users_are_counted_through_their_ids(model, parts):
    train, test = parts
    order = np.random.default_rng(0).permutation(train.n_users)
    other = Ratings(
        np.argsort(order)[test.users],
        test.items,
        test.values,
        user_ids=test.user_ids[order],
        item_ids=test.item_ids,
    )
    expected = ErrorByActivityDisplay.from_estimator(model, test)
    found = ErrorByActivityDisplay.from_estimator(model, other)
    assert_array_equal(found.bins, expected.bins)
    assert_allclose(found.rmse, expected.rmse)


def test_sparse_matrices_of_any_format(model, ratings):
    known, heldout = parts_of_rows(ratings)
    expected = UncertaintyDisplay.from_estimator(model, known, heldout)
    found = UncertaintyDisplay.from_estimator(
        model, scipy.sparse.coo_array(known), scipy.sparse.csc_matrix(heldout)
    )
    assert_array_equal(found.coverage, expected.coverage)


def test_other_bins_are_refused_on_the_same_axes(model, parts):
    few = ErrorByActivityDisplay.from_estimator(model, parts[1], n_bins=2)
    again = ErrorByActivityDisplay.from_estimator(model, parts[1], n_bins=2, ax=few.ax_)
    assert again.ax_ is few.ax_
    with pytest.raises(ValueError, match="These axes show the bins"):
        ErrorByActivityDisplay.from_estimator(model, parts[1], n_bins=3, ax=few.ax_)


@pytest.mark.parametrize("metric", ["ndcg", "recall", "coverage"])
@pytest.mark.parametrize("rank_by", [None, "rating"])
def test_curves_of_rankings_are_the_scores_of_scorers(rank_by, metric, model, parts):
    train, test = parts
    least = None if metric == "coverage" else 3.0
    display = RankingDisplay.from_estimator(
        model, test, metric=metric, n=7, relevant_from=least, rank_by=rank_by
    )
    lengths, values = data_of(display.line_)
    assert_array_equal(lengths, range(1, 8))
    for n in (1, 4, 7):
        options = {"n": n, "relevant_from": least}
        expected = make_top_n_scorer(metric, rank_by=rank_by, **options)(model, test)
        assert values[n - 1] == pytest.approx(expected)
        for other, line in zip(
            (PopularityRecommender(), BiasRegressor()), display.baseline_lines_, strict=True
        ):
            expected = make_top_n_scorer(metric, **options)(other.fit(train), test)
            assert data_of(line)[1][n - 1] == pytest.approx(expected)
            assert line.get_label() == type(other).__name__
    alone = RankingDisplay.from_estimator(
        model, test, metric=metric, n=7, relevant_from=least, rank_by=rank_by, baselines=False
    )
    assert alone.baseline_lines_ == []
    assert_array_equal(alone.values, values)


def test_rankings_of_given_lists():
    relevant = [["a"], ["b", "c"], [(1, 2)]]
    lists = [["b", "a", "c"], ["c", "a", "b"], ["a", (1, 2), "b"]]
    padded = np.ma.array(np.empty((3, 3), dtype=object), mask=np.eye(3))
    for row, items in enumerate(lists):
        padded[row] = np.ma.array(np.fromiter(items, dtype=object, count=3), mask=np.eye(3)[row])
    display = RankingDisplay.from_predictions(
        relevant, lists, metric="recall", baselines={"padded": padded}, name="all"
    )
    assert_allclose(display.values, [1 / 6, (1 + 1 / 2 + 1) / 3, 1])
    expected = [metrics.recall(relevant, padded[:, :n]) for n in (1, 2, 3)]
    assert_allclose(display.baselines["padded"], expected)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["all", "padded"]
    assert RankingDisplay.from_predictions(relevant, lists).ax_.get_legend() is None


def test_what_is_no_ranking_is_refused(model, parts):
    with pytest.raises(ValueError, match="metric is 'novelty'; give one of 'ndcg'"):
        RankingDisplay.from_predictions([["a"]], [["a"]], metric="novelty")
    with pytest.raises(ValueError, match=r"\(n_users, n\)"):
        RankingDisplay.from_predictions([["a"]], [[]])
    with pytest.raises(ValueError, match="needs Ratings"):
        RankingDisplay.from_estimator(model, parts[1].to_matrix())
    with pytest.raises(ValueError, match="n is 0"):
        RankingDisplay.from_estimator(model, parts[1], n=0)


def test_displays_of_errors_use_weights(ratings):
    model = BiasRegressor().fit(ratings)
    weights = np.random.default_rng(0).choice([0.0, 0.5, 3.0], len(ratings))
    table = Ratings(ratings.users, ratings.items, ratings.values, weights=weights)
    squared = np.square(ratings.values - model.predict(ratings))
    rmse = np.sqrt(np.average(squared, weights=weights))
    display = ErrorByActivityDisplay.from_estimator(model, table, n_bins=1)
    assert display.overall_rmse == pytest.approx(rmse) == display.rmse[0]
    few = ErrorByActivityDisplay.from_estimator(model, ratings[weights == 3], n_bins=1)
    only = Ratings(
        ratings.users, ratings.items, ratings.values, weights=np.where(weights == 3, 7.0, 0.0)
    )
    same = ErrorByActivityDisplay.from_estimator(model, only, n_bins=1)
    np.testing.assert_allclose(same.standard_error, few.standard_error)
    np.testing.assert_allclose(same.rmse, few.rmse)
    of_all = UncertaintyDisplay.from_estimator(model, only)
    of_few = UncertaintyDisplay.from_estimator(model, ratings[weights == 3])
    np.testing.assert_allclose(of_all.coverage, of_few.coverage)
    for bad in (-weights, 0 * weights):
        with pytest.raises(ValueError, match="give numbers from 0 on, at least one above it"):
            UncertaintyDisplay.from_predictions(
                ratings.values, ratings.values, weights + 1, sample_weight=bad
            )
