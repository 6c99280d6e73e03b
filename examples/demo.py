"""The main job: load ratings, tune, see an honest error, recommend to known and new users.

Uses MovieLens 100K from the folder that SKAUTOREC_DATA names, or downloads it; without a network,
made ratings.
"""

import os

import matplotlib
import numpy as np
from skautorec import AutoRecRegressor
from skautorec.baselines import BiasRegressor
from skautorec.datasets import fetch_movielens, make_ratings
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    learning_curve,
    train_test_split,
)

matplotlib.use("Agg")
import matplotlib.pyplot as plt

FIGURE = "demo_learning_curve.png"
GRID = {"hidden_units": [100, 200], "lambd": [50, 100, 200]}
SHUFFLED = KFold(3, shuffle=True, random_state=0)


def load():
    """Ratings and the titles of the items."""
    try:
        movielens = fetch_movielens("100k")
    except OSError as error:
        print(f"MovieLens 100K cannot be had: {error}")
        print(
            "Going on with made ratings instead; their titles mean nothing.\n"
        )
        ratings = make_ratings(900, 1200, 80_000, random_state=0)
        return ratings, {
            item: f"Film number {item}" for item in ratings.item_ids.tolist()
        }
    return movielens.ratings, movielens.titles


def print_list(heading, item_ids, scores, titles):
    """Print recommended titles with their relevances: met and liked, the higher the more."""
    print(f"\n{heading}")
    for item, score in zip(item_ids.tolist(), scores, strict=True):
        print(f"  {score:.2f}  {titles[item]}")


def draw_learning_curve(model, train):
    """Draw the error on hidden ratings against the number of ratings to learn from."""
    sizes, _, scores = learning_curve(
        model,
        train,
        train.values,
        train_sizes=[0.1, 0.25, 0.5, 0.75, 1.0],
        cv=SHUFFLED,
        scoring="neg_root_mean_squared_error",
    )
    errors = -scores
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.errorbar(
        sizes, errors.mean(axis=1), errors.std(axis=1), marker="o", capsize=3
    )
    axes.set(xlabel="training ratings", ylabel="RMSE on hidden ratings")
    axes.set_title(
        f"Learning curve, {model.hidden_units} hidden units, lambd={model.lambd:g}"
    )
    axes.grid(alpha=0.3)
    figure.savefig(FIGURE, dpi=120)
    print(f"\nLearning curve written to {os.path.abspath(FIGURE)}")


def main():
    """Run the demo."""
    ratings, titles = load()
    density = len(ratings) / (ratings.n_users * ratings.n_items)
    print(ratings)
    print(
        f"Matrix of {ratings.n_users} x {ratings.n_items}, {density:.1%} observed\n"
    )

    train, test = train_test_split(ratings, test_size=0.1, random_state=0)
    search = GridSearchCV(
        AutoRecRegressor(random_state=0),
        GRID,
        cv=SHUFFLED,
        scoring="neg_root_mean_squared_error",
        verbose=3,
    ).fit(train, train.values)
    model = search.best_estimator_
    print(f"\nBest of the grid: {search.best_params_}")

    print("\nRMSE on ratings held out from the search and the fit")
    for name, predicted in (
        ("global mean", np.full(len(test), train.values.mean())),
        ("user and item biases", BiasRegressor().fit(train).predict(test)),
        ("AutoRec", model.predict(test)),
    ):
        print(
            f"  {name:<22}{root_mean_squared_error(test.values, predicted):.4f}"
        )

    user = ratings.user_ids.tolist()[0]
    print_list(f"For user {user}", *model.recommend(user, n=10), titles)
    liked = ratings.item_ids[
        np.argsort(-np.bincount(ratings.items))[:3]
    ].tolist()
    new_user = {liked[0]: 5, liked[1]: 4, liked[2]: 1}
    print(
        "\nA new user rates",
        ", ".join(f"{titles[i]}: {r}" for i, r in new_user.items()),
    )
    print_list("For the new user", *model.recommend(new_user, n=10), titles)
    draw_learning_curve(model, train)


if __name__ == "__main__":
    main()
