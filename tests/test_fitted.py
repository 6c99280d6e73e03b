"""What a fit leaves: one object that is published at once."""

import copy
import dataclasses
import pickle
import threading

import joblib
import numpy as np
import pytest
from conftest import new

from skautorec import Ratings
from skautorec.baselines import BiasRegressor
from skautorec.datasets import make_ratings


def test_readers_in_other_threads_see_one_model_or_the_other(ratings):
    other = make_ratings(50, 90, 1200, rating_range=(0, 10), random_state=1)
    model = BiasRegressor()
    # Users and items that are in both, with other ratings.
    pairs = Ratings(np.arange(40), np.arange(40), np.zeros(40))
    calls = [
        lambda: model.predict(pairs, return_std=True),
        lambda: model.recommend(3, return_std=True),
        lambda: model.fold_in([1, 2, 3]),
    ]

    def read():
        return [b"".join(array.tobytes() for array in call()) for call in calls]

    right = []
    for table in (ratings, other):
        model.fit(table)
        right.append(read())
    seen, is_wrong, is_over = set(), [], threading.Event()

    def look():
        while not is_over.is_set():
            for found, *expected in zip(read(), *right, strict=True):
                is_wrong.append(found not in expected)
                seen.update(number for number, one in enumerate(expected) if found == one)

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(60):
        model.fit(ratings).fit(other)
    is_over.set()
    for reader in readers:
        reader.join()
    assert seen == {0, 1} and not any(is_wrong)


def test_a_fitted_object_never_changes(ratings):
    model = new("item").fit(ratings)
    before = model._fitted
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.users = None
    kept = {name: value for name, value in vars(model).items() if name.endswith("_")}
    model.fit(ratings[:500])
    assert model._fitted is not before
    assert before.attributes().items() <= kept.items()


def test_copies_hold_no_array_twice(ratings, tmp_path):
    model = new("both").fit(ratings)
    of_pickle = len(pickle.dumps(model))
    joblib.dump(model, tmp_path / "model")
    assert abs((tmp_path / "model").stat().st_size - of_pickle) < 0.2 * of_pickle
    for one in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        joblib.load(tmp_path / "model"),
    ):
        assert one.user_factors_ is one._fitted.users.factors
        assert vars(one).keys() == vars(model).keys()
        np.testing.assert_array_equal(one.predict(ratings), model.predict(ratings))


def test_names_of_features_go_with_the_fit_that_had_them(ratings):
    import pandas as pd

    R = ratings.to_matrix()
    frame = pd.DataFrame(np.where(R.toarray() == 0, np.nan, R.toarray())).add_prefix("film ")
    model = new("item", max_iter=2).fit(frame)
    assert model.feature_names_in_[3] == "film 3"
    model.fit(R)
    assert not hasattr(model, "feature_names_in_") and model.item_ids_[3] == 3
