"""Generated input: what is read, computed and refused, against a slow model of what must be."""

import copy
import io
import pickle
from functools import cache

import numpy as np
import pandas as pd
import polars
import pytest
from conftest import new
from hypothesis import HealthCheck, Phase, settings
from hypothesis import given as generated
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from strategies import (
    WEIGHTS,
    answered,
    columns_of_ids,
    damages,
    dense,
    explained,
    matrices,
    parameters,
    pools,
    values,
)
from test_files import MODELS, saved
from test_update import anew

from skautorec import AutoRecRegressor, Ratings
from skautorec._data.ids import plain
from skautorec._files import archive
from skautorec.baselines import BiasRegressor, PopularityRecommender
from skautorec.datasets import make_ratings

# The same input in every run, and nothing kept.
QUICK = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
DATA = st.data()


def check_reads(model, X=None):
    """Everything that can be read is finite, ordered and in range."""
    user, item = model.user_ids_[-1], model.target_ids_[0]
    low, high = model.rating_range_
    has_targets = model._fitted.has_targets
    for factors in (model.user_factors_, model.item_factors_, model.user_bias_, model.item_bias_):
        assert np.isfinite(factors).all()
    if X is not None:
        predicted, std = model.predict(X, return_std=True)
        assert np.isfinite(predicted).all() and np.isfinite(std).all() and (std >= 0).all()
        assert has_targets or (predicted.min() >= low and predicted.max() <= high)
    rankings = ["rating"] if has_targets else ["rating", "relevance"]
    for rank_by in rankings:
        ids, scores, std = model.recommend(user, 5, rank_by=rank_by, return_std=True)
        assert np.isfinite(scores).all() and np.isfinite(std).all()
        assert (np.diff(scores.astype(np.float32)) <= 0).all()
    if not isinstance(model, AutoRecRegressor):
        return
    assert model.drift_.rmse is None or np.isfinite(model.drift_.rmse)
    for similar in (model.similar_items(item, 5), model.similar_users(user, 5)):
        assert (np.abs(similar[1]) <= 1 + 1e-6).all()
    if model._fitted.model.has_contributions:  # whatever a forged file says of its kind
        base, _, contributions = model.explain(user, item, None)
        row, column = len(model.user_ids_) - 1, 0
        score = model.user_factors_[row] @ model.item_factors_[column]
        score += model.user_bias_[row] + model.item_bias_[column]
        largest = abs(base) + np.abs(contributions).sum() + high - low
        assert abs(base + contributions.sum() - score) <= 1e-6 * largest + 1e-300


def same(one, two):
    return one == two or str(one) == str(two)


@QUICK
@generated(DATA)
def test_tables_of_any_ids_are_read_as_they_are(data):
    n = data.draw(st.integers(0, 12))
    users, items = data.draw(columns_of_ids(n)), data.draw(columns_of_ids(n))
    ratings = data.draw(values(n))
    weights = data.draw(st.none() | st.lists(WEIGHTS, min_size=n, max_size=n))
    columns = {"u": users, "i": items, "r": ratings}
    columns |= {} if weights is None else {"w": weights}
    library = data.draw(st.sampled_from([pd, pd, polars]))
    try:
        frame = library.DataFrame(columns)
    except Exception:  # no such frame
        return
    seen = [[plain(one) for one in list(frame[name])] for name in "ui"]
    table = None
    with explained() as errors:
        weight = None if weights is None else "w"
        table = Ratings.from_frame(frame, user="u", item="i", rating="r", weight=weight)
    if table is None:
        pairs = {(repr(user), repr(item)) for user, item in zip(*seen, strict=True)}
        messages = "missing|NaN|infinite|all are 0|no rows|no ratings|finite|0 is|None|hash"
        assert (
            len(pairs) < n or n == 0 or any(part in str(errors[0]) for part in messages.split("|"))
        )
        return
    assert len(table) == n
    for ids, codes, given in (
        (table.user_ids, table.users, seen[0]),
        (table.item_ids, table.items, seen[1]),
    ):
        assert all(same(plain(ids[code]), one) for code, one in zip(codes, given, strict=True))
        assert len(np.unique(codes)) == len({(type(one), repr(one)) for one in given})
    np.testing.assert_array_equal(table.values, ratings)
    model = None
    with explained():
        model = new("item", hidden_units=2, max_iter=1).fit(table)
    if model is None:
        return
    with answered():
        check_reads(model)
        predicted, std = model.predict(table, return_std=True)
        assert np.isfinite(predicted).all() and np.isfinite(std).all()
        for user in model.user_ids_.tolist():
            model.recommend(user, 2)
    content = io.BytesIO()
    with explained() as errors:
        model.save(content)
    if not errors:
        content.seek(0)
        loaded = type(model).load(content)
        assert all(map(same, loaded.user_ids_.tolist(), model.user_ids_.tolist()))
        np.testing.assert_array_equal(loaded.predict(table), predicted)


@QUICK
@generated(DATA)
def test_matrices_of_any_form_hold_the_same_ratings(data):
    given, cells = data.draw(matrices())
    observed = ~np.isnan(cells)
    table = None
    with explained() as errors:
        table = Ratings.from_matrix(given)
    if table is None:
        assert not observed.any() or np.isinf(cells).any(), errors
        return
    rows, columns = np.nonzero(observed)
    np.testing.assert_array_equal(table.users, rows)
    np.testing.assert_array_equal(table.items, columns)
    np.testing.assert_array_equal(table.values, cells[rows, columns])


@QUICK
@generated(DATA)
def test_any_parameters_fit_any_matrix_or_say_why_not(data):
    cells = data.draw(dense())
    params = data.draw(parameters())
    split = data.draw(st.sampled_from([0, 0, 0, 1])) if cells.shape[1] > 1 else 0
    X, y = (cells, None) if not split else (cells[:, split:], cells[:, :split])
    model = AutoRecRegressor(**params)
    with explained() as errors:
        model.fit(X, y)
    if errors:
        assert not hasattr(model, "user_ids_")
        return
    with answered():
        check_reads(model, X)
    others = data.draw(values(X.shape[1]))
    with explained() as errors:
        answers = [
            *model.predict(others[None], return_std=True),
            *model.recommend([dict(zip(model.item_ids_.tolist(), others.tolist(), strict=True))]),
            *model.fold_in({model.item_ids_[0]: others[0]}),
        ]
        assert all(np.isfinite(one).all() for one in answers[:2] + answers[4:])
    assert not errors or not (np.abs(others) <= 1e30).all(), errors


@QUICK
@generated(DATA)
def test_baselines_fit_any_matrix_or_say_why_not(data):
    cells = data.draw(dense())
    dampings = st.sampled_from(["auto", 0, 1e-300, 1e300, np.inf, -1, np.nan, (1, 2)])
    model = data.draw(st.sampled_from([BiasRegressor, PopularityRecommender]))(data.draw(dampings))
    with explained() as errors:
        model.fit(cells)
    if not errors:
        with answered():
            check_reads(model, cells)


# Files that somebody made.


@cache
def victims():
    """What files hold of models of all kinds, with weights, drift and exposure among them."""
    table = make_ratings(12, 9, 50, random_state=0)
    weighted = Ratings(table.users, table.items, table.values, weights=table.values / 3)
    ids = [f"u{i}" for i in range(14)], [(i, str(i)) for i in range(11)]
    later = Ratings([12, 13, 0], [9, 10, 9], [2, 3, 4], user_ids=ids[0], item_ids=ids[1])
    models = []
    for kind in ("item", "user", "both"):
        small = {"hidden_units": (3, 2), "n_estimators": 2, "max_iter": 1}
        models.append(new(kind, **small).fit(weighted))
        words = Ratings(
            weighted.users, weighted.items, weighted.values, weights=weighted.weights,
            user_ids=ids[0][:12], item_ids=ids[1][:9],
        )  # fmt: skip
        models.append(new(kind, hidden_units=2, max_iter=1, rating_range=(1, 5)).fit(words))
        models[-1].update(later)
        models.append(new(kind, hidden_units=2, max_iter=1).fit(table).update(remove=table[:5]))
    models += MODELS.values()
    return [(type(model), *opened(saved(model))) for model in models]


def opened(content):
    """Values and arrays of a file."""
    with archive.read(io.BytesIO(content)) as (values, arrays):
        return values, {name: array.copy() for name, array in arrays.items()}


def read_everything(model):
    """Every answer of a model that was loaded."""
    X = model._fitted.training.inputs.astype(float)
    check_reads(model, X)
    if isinstance(model, AutoRecRegressor) and not model._fitted.has_targets:
        low, high = model.rating_range_
        try:
            model._validate_params()
        except ValueError:  # as update says of parameters that fit refuses
            model.set_params(**type(model)().get_params())
        users, items = [*model.user_ids_[:1], "new"], [*model.item_ids_[:1], "new"]
        model.update(Ratings([0, 1], [1, 0], [low, high], user_ids=users, item_ids=items))
        model.predict(Ratings([0, 1], [1, 0], [low, high], user_ids=users, item_ids=items))
        model.update(remove=Ratings([0], [0], [low], user_ids=users[1:], item_ids=items))
        check_reads(model)
    model.fold_in({model.item_ids_[0]: model.rating_range_[1]})


@QUICK
@generated(DATA)
def test_forged_files_are_refused_or_answer(data):
    which = data.draw(st.integers(0, len(victims()) - 1))
    cls, contents, arrays = copy.deepcopy(victims()[which])
    data.draw(damages())(contents, arrays)
    file, loaded = io.BytesIO(), None
    archive.write(file, contents, arrays)
    file.seek(0)
    with explained():
        loaded = cls.load(file)
    if loaded is not None:
        with answered(), np.errstate(all="ignore"):
            read_everything(loaded)


# Sequences of calls.

N = 7


class Calls(RuleBasedStateMachine):
    """What a model must know after any calls: pairs with their ratings, users, items and a range.

    Users and items are positions in pools of ids, so that no rule on ids is repeated here.
    """

    @initialize(data=DATA, kind=st.sampled_from(["item", "user", "both"]), is_deep=st.booleans())
    def begin(self, data, kind, is_deep):
        self.pools = [data.draw(pools(N)) for _ in range(2)]
        self.is_weighted = data.draw(st.booleans())
        changed = {"hidden_units": (3, 2), "n_estimators": 2} if is_deep else {"hidden_units": 2}
        self.model = new(kind, max_iter=1, rating_range=(0, 5), **changed)
        self.fit(data)

    def draw_cells(self, data, least=1, n=N, whole=False):
        """Some pairs, each with a rating and a weight."""
        pair = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
        rating = st.tuples(st.integers(0, 10).map(lambda x: x / 2), st.sampled_from([0.5, 1, 3]))
        cells = data.draw(st.dictionaries(pair, rating, min_size=least, max_size=12))
        return {pair: (value, weight if self.is_weighted else 1) for pair, (value, weight) in
                cells.items()}  # fmt: skip

    def table(self, cells, ids=None):
        """Those pairs as a table, with the ids that they have."""
        known = [sorted({pair[side] for pair in cells}) for side in (0, 1)]
        codes = [[known[side].index(pair[side]) for pair in cells] for side in (0, 1)]
        values, weights = zip(*cells.values(), strict=True)
        named = [self.ids_of(side, known[side]) for side in (0, 1)]
        weights = weights if self.is_weighted else None
        return Ratings(*codes, values, weights=weights, user_ids=named[0], item_ids=named[1])

    def ids_of(self, side, positions):
        array = np.empty(len(positions), dtype=object)
        array[:] = [self.pools[side][position] for position in positions]
        return array

    @rule(data=DATA)
    def fit(self, data):
        cells = self.draw_cells(data, 3, n=5)
        with answered():
            self.model.fit(self.table(cells))
        self.cells = cells
        self.known = [sorted({pair[side] for pair in cells}) for side in (0, 1)]
        self.counts = dict.fromkeys(("n_ratings", "n_removed", "n_users", "n_items"), 0)

    @rule(data=DATA)
    def update(self, data):
        given = self.draw_cells(data)
        known = (
            data.draw(st.lists(st.sampled_from(sorted(self.cells)), unique=True))
            if self.cells
            else []
        )
        removed = [pair for pair in known if pair not in given]
        with answered():
            gone = self.table(dict.fromkeys(removed, (1, 1))) if removed else None
            self.model.update(self.table(given), remove=gone)
        self.counts["n_ratings"] += len(given)
        self.counts["n_removed"] += len(removed)
        self.cells = {pair: cell for pair, cell in self.cells.items() if pair not in removed}
        self.cells |= given
        for side, name in ((0, "n_users"), (1, "n_items")):
            more = sorted({pair[side] for pair in given} - set(self.known[side]))
            self.counts[name] += len(more)
            self.known[side] = self.known[side] + more

    @rule(data=DATA, how=st.sampled_from(["outside", "no rating", "type", "twice", "nobody", "n"]))
    def fail(self, data, how):
        before = self.model._fitted
        missing = next((pair for pair in np.ndindex(N, N) if pair not in self.cells), None)
        calls = {
            "outside": lambda: self.model.update(self.table({(0, 0): (9, 1)})),
            "no rating": lambda: self.model.update(remove=self.table({missing: (1, 1)})),
            "type": lambda: self.model.update([(0, 0, 1)]),
            "twice": lambda: self.model.update(
                self.table(dict([next(iter(self.cells.items()))])), remove=self.table(self.cells)
            ),
            "nobody": lambda: self.model.recommend(object()),
            "n": lambda: self.model.recommend(self.model.user_ids_[0], 0),
        }  # fmt: skip
        if how == "twice" and not self.cells:
            return
        with explained() as errors:
            calls[how]()
        assert errors
        assert self.model._fitted is before

    @rule(how=st.sampled_from(["file", "pickle", "copy"]))
    def reload(self, how):
        before, std = self.everything(), self.deviations()
        if how == "file":
            content = io.BytesIO()
            with explained() as errors:
                self.model.save(content)
            if errors:
                return
            content.seek(0)
            self.model = AutoRecRegressor.load(content)
        else:
            again = {"pickle": lambda m: pickle.loads(pickle.dumps(m)), "copy": copy.deepcopy}
            self.model = again[how](self.model)
        np.testing.assert_array_equal(self.everything(), before)
        np.testing.assert_array_equal(self.deviations(), std)

    def everything(self):
        """Predicted ratings of all, not clipped."""
        scores = self.model.user_factors_ @ self.model.item_factors_.T
        return scores + self.model.user_bias_[:, None] + self.model.item_bias_

    def pairs(self):
        n_users, n_items = map(len, self.known)
        grid = [axis.ravel() for axis in np.indices((n_users, n_items))]
        ids = self.model.user_ids_, self.model.item_ids_
        return Ratings(*grid, np.ones(len(grid[0])), user_ids=ids[0], item_ids=ids[1])

    def deviations(self):
        return self.model.predict(self.pairs(), return_std=True)[1]

    @rule()
    def read_all(self):
        scores = self.everything()
        predicted, std = self.model.predict(self.pairs(), return_std=True)
        np.testing.assert_allclose(predicted, np.clip(scores, 0, 5).ravel(), atol=1e-9)
        assert np.isfinite(std).all() and (std >= 0).all()
        users, items = anew(self.model)
        expected = users.factors @ items.factors.T + users.bias[:, None] + items.bias
        np.testing.assert_allclose(scores, expected, atol=5e-6)

    def teardown(self):
        if hasattr(self, "counts"):
            self.read_all()

    @rule(data=DATA, rank_by=st.sampled_from(["rating", "relevance"]), n=st.integers(1, 9))
    def recommend(self, data, rank_by, n):
        code = data.draw(st.integers(0, len(self.known[0]) - 1))
        user, n_items = self.known[0][code], len(self.known[1])
        some = st.lists(st.integers(0, n_items - 1), max_size=4, unique=True)
        candidates, excluded = data.draw(st.none() | some), data.draw(st.none() | some)
        exclude_seen = data.draw(st.booleans())
        asked = {}
        for name, codes in (("candidates", candidates), ("exclude", excluded)):
            asked[name] = (
                None if codes is None else self.ids_of(1, [self.known[1][c] for c in codes])
            )
        ids, scores = self.model.recommend(
            self.pools[0][user], n, rank_by=rank_by, exclude_seen=exclude_seen, **asked
        )
        allowed = set(range(n_items)) if candidates is None else set(candidates)
        allowed -= set(excluded or ())
        if exclude_seen:
            allowed -= {c for c, item in enumerate(self.known[1]) if (user, item) in self.cells}
        listed = self.model._fitted.inputs.ids.codes(ids).tolist()
        assert set(listed) <= allowed and len(set(listed)) == len(listed) == min(n, len(allowed))
        assert (np.diff(scores.astype(np.float32)) <= 0).all()
        if rank_by == "rating":
            own = self.everything()[code]
            np.testing.assert_allclose(scores, own[listed], atol=1e-6)
            others = [own[c] for c in allowed - set(listed)]
            assert not others or max(others) <= min(scores) + 1e-5

    @rule(data=DATA)
    def explain(self, data):
        row = data.draw(st.integers(0, len(self.known[0]) - 1))
        column = data.draw(st.integers(0, len(self.known[1]) - 1))
        ids = self.pools[0][self.known[0][row]], self.pools[1][self.known[1][column]]
        with explained() as errors:
            base, items, contributions = self.model.explain(*ids, n=None)
            np.testing.assert_allclose(
                base + contributions.sum(), self.everything()[row, column], atol=5e-6
            )
            rated = [self.known[1][c] for c in self.model._fitted.inputs.ids.codes(items)]
            assert sorted(rated) == sorted(i for u, i in self.cells if u == self.known[0][row])
        assert bool(errors) == (self.model.kind == "user")

    @rule(data=DATA, n=st.integers(1, 9))
    def similar(self, data, n):
        for side, similar in ((0, self.model.similar_users), (1, self.model.similar_items)):
            code = data.draw(st.integers(0, len(self.known[side]) - 1))
            ids, cosines = similar(self.pools[side][self.known[side][code]], n)
            vocabulary = (self.model._fitted.user_ids, self.model._fitted.inputs.ids)[side]
            listed = vocabulary.codes(ids).tolist()
            assert code not in listed and len(set(listed)) == min(n, len(self.known[side]) - 1)
            assert (np.diff(cosines) <= 1e-6).all() and (np.abs(cosines) <= 1 + 1e-6).all()

    @rule(data=DATA)
    def fold_in(self, data):
        items = data.draw(st.lists(st.sampled_from(self.known[1]), unique=True))
        rows = [{self.pools[1][i]: 1 + i / 2 for i in items}, {}]
        factors, bias = self.model.fold_in(rows)
        assert np.isfinite(factors).all() and np.isfinite(bias).all()
        one = self.model.fold_in(rows[0])
        np.testing.assert_allclose(one[0], factors[0], atol=1e-9)

    @precondition(lambda self: not self.is_weighted)
    @rule(data=DATA)
    def fold_in_known(self, data):
        code = data.draw(st.integers(0, len(self.known[0]) - 1))
        rows = [
            {i: value for (u, i), (value, _) in self.cells.items() if u == user}
            for user in self.known[0]
        ]
        mine = rows[code]
        mapping = {self.pools[1][i]: value for i, value in mine.items()}
        # To a dict 0 and False are one.
        is_lossy = len(mapping) < len(mine)
        if is_lossy or not mine or sum(mine.items() <= row.items() for row in rows) > 1:
            return
        factors, bias = self.model.fold_in(mapping)
        scores = factors @ self.model.item_factors_.T + bias + self.model.item_bias_
        np.testing.assert_allclose(scores, self.everything()[code], atol=1e-6)

    @invariant()
    def knows_what_it_was_told(self):
        fitted = self.model._fitted
        for side, ids in ((0, fitted.user_ids), (1, fitted.inputs.ids)):
            told = self.ids_of(side, self.known[side])
            np.testing.assert_array_equal(ids.codes(told), np.arange(len(ids)))
        drift = self.model.drift_
        assert {name: getattr(drift, name) for name in self.counts} == self.counts
        shape, training = tuple(map(len, self.known)), fitted.training
        expected, weights = np.full(shape, np.nan), np.full(shape, np.nan)
        for (user, item), cell in self.cells.items():
            at = self.known[0].index(user), self.known[1].index(item)
            expected[at], weights[at] = cell
        kept = np.full(shape, np.nan)
        kept[training.inputs.tocoo().coords] = training.inputs.data
        np.testing.assert_array_equal(kept, expected)
        if training.weights is not None:
            np.testing.assert_allclose(training.weights, weights[~np.isnan(weights)], rtol=1e-6)


@pytest.mark.filterwarnings("ignore::UserWarning")
class TestCalls(Calls.TestCase):
    settings = settings(QUICK, max_examples=25, stateful_step_count=12)
