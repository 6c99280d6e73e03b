"""What a strictly typed project may write; test_typing.py has mypy check it, nothing calls it."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, assert_type

import numpy as np

import skautorec
from skautorec import AutoRecRegressor, Ratings
from skautorec.baselines import BiasRegressor, PopularityRecommender
from skautorec.datasets import fetch_movielens, make_ratings


def build(frame: object) -> Sequence[Ratings]:
    made, truth = make_ratings(50, 40, 600, random_state=0, return_truth=True)
    assert_type(truth.user_bias, np.ndarray)
    movielens = fetch_movielens("1m", data_home=Path("cache"))
    assert_type(movielens.titles, dict[int, str])
    read = Ratings.from_frame(frame, user="u", item="i", rating="r", duplicates="mean")
    filled = Ratings.from_matrix(np.eye(3), user_ids=["a", "b", "c"])
    marked = Ratings.from_frame(frame, user="u", item="i", rating="r", missing_values=[-1, 99])
    joined = Ratings.concat([read, marked], duplicates="last")
    joined.to_matrix(item_ids=["a", "b"], unknown="ignore")
    coded = Ratings([0, 1], [1, 0], [3.0, 4.0], timestamps=None)
    return [make_ratings(50, 40, 600), made, movielens.ratings, joined, filled, coded]


def look(ratings: Ratings) -> tuple[int, float]:
    assert_type(ratings.users, np.ndarray)
    assert_type(ratings.timestamps, np.ndarray | None)
    part = ratings[[0, 1]].with_values([1.0, 2.0])[:1]
    return len(part) + ratings.n_users, float(part.values.mean())


def fit(ratings: Ratings) -> AutoRecRegressor:
    AutoRecRegressor(kind="items")  # type: ignore[arg-type]
    AutoRecRegressor(solver="Adam")  # type: ignore[arg-type]
    AutoRecRegressor(activation="gelu")  # type: ignore[arg-type]
    AutoRecRegressor(decoder_lambd="none")  # type: ignore[arg-type]
    return AutoRecRegressor((50, 20), lambd=20.0, kind="both", random_state=0).fit(ratings)


def predict(model: AutoRecRegressor, ratings: Ratings) -> np.ndarray:
    predicted, std = model.predict(ratings, return_std=True)
    assert_type(std, np.ndarray)
    assert_type(model.predict(ratings, as_frame=False), np.ndarray)
    assert_type(model.predict(ratings, return_std=True, as_frame=True), Any)
    model.predict(ratings, True, True)  # type: ignore[call-overload]
    return predicted if model.score(ratings) > 0 else model.predict(ratings)


def recommend(model: AutoRecRegressor) -> list[np.ndarray]:
    assert_type(model.recommend(7, n=3), tuple[np.ndarray, np.ndarray])
    assert_type(model.recommend([7], return_std=False), tuple[np.ndarray, np.ndarray])
    assert_type(model.recommend(7, return_std=len("x") > 1), tuple[np.ndarray, ...])
    assert_type(model.recommend([7], as_frame=True), Any)
    model.fold_in({3: 5.0}, unknown="ignore")
    model.recommend({3: 5.0}, unknown="drop")  # type: ignore[call-overload]
    ids, scores, std = model.recommend({3: 5.0}, return_std=True)
    similar, cosines = model.similar_items(3)
    base, rated, contributions = model.explain(7, 3, n=None)
    assert_type(base, float)
    assert_type(model.similar_users([7, 4]), tuple[np.ndarray, np.ndarray])
    return [ids, scores, std, similar, cosines, rated, contributions]


def keep(model: AutoRecRegressor, path: Path) -> AutoRecRegressor:
    model.save(path)
    buffer = BytesIO()
    model.save(buffer)
    with open(path, "rb") as file:
        assert_type(AutoRecRegressor.load(file), AutoRecRegressor)
    again = AutoRecRegressor.load(path)
    assert_type(again.item_factors_, np.ndarray)
    assert_type(again.rating_range_, tuple[float, float])
    assert_type(again.loss_curve_, list[float])
    assert_type(again.n_iter_, int)
    return again


def compare(ratings: Ratings, path: Path) -> tuple[BiasRegressor, PopularityRecommender]:
    biases = BiasRegressor(damping=(3, 5)).fit(ratings)
    assert_type(biases, BiasRegressor)
    assert_type(biases.damping_, tuple[float, float])
    assert_type(biases.predict(ratings, return_std=True), tuple[np.ndarray, np.ndarray])
    biases.save(path)
    assert_type(BiasRegressor.load(path), BiasRegressor)
    PopularityRecommender(by="sum")  # type: ignore[arg-type]
    popular = PopularityRecommender(by="mean").fit(ratings)
    assert_type(popular.damping_, float)
    return biases, popular


def reach(ratings: Ratings) -> None:
    assert_type(skautorec.baselines.BiasRegressor().fit(ratings), BiasRegressor)
    assert_type(skautorec.datasets.make_ratings(50, 40, 600), Ratings)
    skautorec.show_versions()
    skautorec.show_version()  # type: ignore[attr-defined]
