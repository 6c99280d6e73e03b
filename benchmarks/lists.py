"""How many of the items that users go on to like are in their lists, by what lists are ranked by.

A tenth of the ratings is hidden, at random; lists of ten from all items that a user has not rated
in the training part; NDCG of the hidden ratings that are liked: four stars or more of MovieLens,
the upper two fifths of other sets. Beside the two rankings of `recommend` are the most rated items
and exposure alone, which is EASE with the penalty that we choose. Default parameters, kind="both".
"""

import argparse
import time

import numpy as np
from data import load, machine, random_split

from skautorec import AutoRecRegressor
from skautorec.baselines import PopularityRecommender
from skautorec.metrics import ndcg

# Sets and the seeds of their splits.
SPLITS = {"ml-100k": 5, "ml-1m": 11, "movietweetings": 5, "anime": 5}
N = 10


def liked(ratings, name):
    """Lowest rating that counts as liked."""
    return 4.0 if name.startswith("ml-") else float(np.quantile(ratings.values, 0.6))


def by_user(ratings):
    """Ids of the users, and of the items that each has rated."""
    order = np.argsort(ratings.users, kind="stable")
    users, starts = np.unique(ratings.users[order], return_index=True)
    return ratings.user_ids[users], np.split(ratings.item_ids[ratings.items[order]], starts[1:])


def timed(recommend, relevant):
    """NDCG and seconds of lists."""
    start = time.perf_counter()
    ids, scores = recommend()
    seconds = time.perf_counter() - start
    return float(ndcg(relevant, np.ma.array(ids, mask=np.isnan(scores)))), seconds


def exposed(model, users):
    """Lists by exposure alone."""
    fitted = model._fitted
    ratings = fitted.seen[fitted.user_ids.codes(users)]
    exposure = fitted.exposure.of_users(ratings)
    exposure[ratings.tocoo().coords] = -np.inf
    best = np.argsort(-exposure, axis=1)[:, :N]
    return model.item_ids_[best], np.take_along_axis(exposure, best, axis=1)


def measure(name, parameters):
    """One row of the table."""
    ratings = load(name)
    train, test = random_split(ratings, SPLITS[name])
    users, relevant = by_user(test[test.values >= liked(ratings, name)])
    model = AutoRecRegressor(kind="both", random_state=0, **parameters).fit(train)
    popular = PopularityRecommender().fit(train)
    start = time.perf_counter()
    model.recommend(users[:1], N, rank_by="relevance")
    first = time.perf_counter() - start
    asked = {
        "popularity": lambda: popular.recommend(users, N),
        "rating": lambda: model.recommend(users, N),
        "exposure": lambda: exposed(model, users),
        "relevance": lambda: model.recommend(users, N, rank_by="relevance"),
    }
    return first, {by: timed(recommend, relevant) for by, recommend in asked.items()}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="ML-100K only, ten epochs")
    options = parser.parse_args()
    print(machine(), "\n")
    print("| set | popularity | rating | exposure | relevance | first list s | all, rating s | s |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name in list(SPLITS)[: 1 if options.quick else None]:
        first, found = measure(name, {"max_iter": 10} if options.quick else {})
        cells = " | ".join(f"{score:.3f}" for score, _ in found.values())
        seconds = f"{first:.1f} | {found['rating'][1]:.2f} | {found['relevance'][1]:.2f}"
        print(f"| {name} | {cells} | {seconds} |", flush=True)


if __name__ == "__main__":
    main()
