"""Seconds to recommend for everyone, to fold in one new user, and pairs predicted per second.

MovieLens 1M, item kind, 500 units, against numpy's full product and argpartition and, where it is
installed (``pip install implicit``), implicit's top-k, on the same factors. Rounds alternate;
medians are quoted.
"""

import argparse
import json
import time

import numpy as np
import scipy.sparse
from data import alternate, load, machine

from skautorec import AutoRecRegressor
from skautorec.datasets import make_ratings


def full_product(model, seen, n=10):
    """Top ``n`` by one full product, seen cells hidden, and argpartition."""
    scores = model.user_factors_.astype("f4") @ model.item_factors_.T.astype("f4")
    scores += model.item_bias_.astype("f4")
    scores[seen.nonzero()] = -np.inf
    best = np.argpartition(scores, -n, axis=1)[:, -n:]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
    return np.take_along_axis(best, order, axis=1)


def topk_of_implicit(model, seen):
    """Return a function that lists with implicit, or None where it is not installed."""
    try:
        from implicit.cpu.topk import topk
    except ImportError:
        return None
    users = np.column_stack((model.user_factors_, np.ones(len(model.user_factors_))))
    items = np.column_stack((model.item_factors_, model.item_bias_))
    users, items = (np.ascontiguousarray(some, dtype="f4") for some in (users, items))
    seen = scipy.sparse.csr_matrix(seen, dtype="f4")
    return lambda: topk(items, users, 10, filter_query_items=seen)


def main():
    """Print the table and its JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small synthetic set, one round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    ratings = make_ratings(300, 200, 5000, random_state=0) if options.quick else load("ml-1m")
    model = AutoRecRegressor(500, max_iter=5, random_state=0).fit(ratings)
    seen, everyone = ratings.to_matrix(), model.user_ids_
    new_user = dict(zip(model.item_ids_[:30], [5.0, 3.0, 1.0] * 10, strict=True))
    start = time.perf_counter()
    model.recommend(new_user)
    first = time.perf_counter() - start

    def by_rating(users):
        return model.recommend(users, n=10, rank_by="rating")

    steps = {
        "top 10 of all users by relevance": lambda: model.recommend(everyone, n=10),
        "top 10 of all users by rating": lambda: by_rating(everyone),
        "full product and argpartition": lambda: full_product(model, seen),
        "20 new users in turn, folded in, by relevance": lambda: [
            model.recommend(new_user, n=10) for _ in range(20)
        ],
        "20 new users in turn, folded in, by rating": lambda: [
            by_rating(new_user) for _ in range(20)
        ],
        "predict all pairs of the table": lambda: model.predict(ratings),
    }
    n_rounds = 1 if options.quick else options.rounds
    medians, _ = alternate(steps, n_rounds)
    topk = topk_of_implicit(model, seen)
    if topk is not None:
        # Rounds of their own: its threads go on spinning into the step that comes next.
        steps = {"top 10 of all users by rating, beside implicit": lambda: by_rating(everyone)}
        medians |= alternate(steps | {"top 10 of all users by implicit": topk}, n_rounds)[0]
    print(machine(), "\n\n| step | median s |\n|---|---|")
    print(f"| first list by relevance, once | {first:.4f} |")
    for name, median in medians.items():
        print(f"| {name} | {median:.4f} |")
    rate = len(ratings) / medians["predict all pairs of the table"]
    print(f"\n{rate / 1e6:.1f} million pairs a second")
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
