"""Ratings for the gallery, without a download, and the baseline to beat."""

import numpy as np
from sklearn.utils import Bunch

from skautorec.datasets import fetch_movielens, make_ratings


def load():
    """Return MovieLens 100K where it is at hand, else synthetic ratings, and print which."""
    try:
        data = fetch_movielens("100k", download_if_missing=False)
        data.name = "MovieLens 100K"
    except OSError:
        ratings = make_ratings(900, 1200, 80_000, random_state=0)
        titles = {item: f"Film {item}" for item in ratings.item_ids.tolist()}
        data = Bunch(ratings=ratings, titles=titles, name="synthetic ratings")
    print(data.name)
    print(data.ratings)
    return data


def predict_by_biases(train, test, damping=5.0, n_sweeps=10):
    """Predict test ratings by the mean and damped user and item biases."""
    rest, user = train.values - train.values.mean(), np.zeros(train.n_users)
    for _ in range(n_sweeps):
        item = _damped_means(train.items, rest - user[train.users], train.n_items, damping)
        user = _damped_means(train.users, rest - item[train.items], train.n_users, damping)
    return train.values.mean() + user[test.users] + item[test.items]


def _damped_means(codes, values, n, damping):
    return np.bincount(codes, values, n) / (np.bincount(codes, minlength=n) + damping)
