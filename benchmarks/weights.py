"""What small weights do for ratings that are noise: they should be as good as leaving these out.

In a planted set of low rank a third of the users rate at random. RMSE on held-out ratings of the
others, with the ratings of the noise users counted in full, with a small weight, with none, and
left out.
"""

import argparse

import numpy as np
from data import machine, rmse

from skautorec import AutoRecRegressor, Ratings
from skautorec.baselines import BiasRegressor
from skautorec.datasets import make_ratings

WEIGHTS = (1.0, 0.1, 0.02, 0.0)


def planted(seed):
    """Ratings for training and testing, and which of the former are noise."""
    ratings = make_ratings(600, 300, 30_000, noise=0.4, random_state=seed)
    rng = np.random.default_rng(seed)
    is_noisy = (rng.permutation(ratings.n_users) < ratings.n_users // 3)[ratings.users]
    values = np.where(is_noisy, rng.integers(1, 6, len(ratings)), ratings.values)
    ratings, is_test = ratings.with_values(values), rng.random(len(ratings)) < 0.1
    return ratings[~is_test], is_noisy[~is_test], ratings[is_test & ~is_noisy]


def with_weights(ratings, weights):
    """The same ratings, weighted."""
    ids = {"user_ids": ratings.user_ids, "item_ids": ratings.item_ids}
    return Ratings(ratings.users, ratings.items, ratings.values, weights=weights, **ids)


def errors(model, train, is_noisy, test):
    """RMSE for each weight of the noise, and without it."""
    tables = [with_weights(train, np.where(is_noisy, weight, 1.0)) for weight in WEIGHTS]
    tables.append(train[~is_noisy])
    return [rmse(test.values, model.fit(table).predict(test)) for table in tables]


def main():
    """Print a row for each model and seed, and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    seeds = parser.parse_args().seeds
    print(machine())
    titles = [f"weight {weight:g}" for weight in WEIGHTS]
    print("| model | seed |", " | ".join(titles), "| left out | 0.02 over left out |")
    print("|---" * (len(WEIGHTS) + 4) + "|")
    models = {
        kind: AutoRecRegressor(50, kind=kind, random_state=0) for kind in ("item", "user", "both")
    }
    for name, model in {**models, "biases": BiasRegressor()}.items():
        rows = np.array([errors(model, *planted(seed)) for seed in seeds])
        for seed, row in [*zip(seeds, rows, strict=True), ("mean", rows.mean(axis=0))]:
            excess = row[WEIGHTS.index(0.02)] / row[-1] - 1
            numbers = " | ".join(f"{number:.4f}" for number in row)
            print(f"| {name} | {seed} | {numbers} | {excess:+.2%} |", flush=True)


if __name__ == "__main__":
    main()
