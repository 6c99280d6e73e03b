"""Ratings for the gallery, without a download."""

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
