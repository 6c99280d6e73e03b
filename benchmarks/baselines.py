"""How good the estimated damping of biases is: against the best of a grid, which sees the test set.

RMSE on random tenths of every set, and on random parts of 5,000 ratings.
"""

import argparse
import itertools
import time

import numpy as np
from data import FILES, load, machine, random_split, rmse

from skautorec.baselines import BiasRegressor, PopularityRecommender

GRID = (0.1, 0.3, 1, 2, 4, 8, 16, 32, 64)
SMALL = 5_000


def splits(ratings, seeds, n_ratings):
    """Yield train and test of each seed: of all ratings, or of a random part."""
    for seed in seeds:
        if n_ratings is None:
            yield random_split(ratings, seed)
        else:
            part = np.random.default_rng(seed).permutation(len(ratings))[:n_ratings]
            yield random_split(ratings[part], seed)


def evaluate(train, test):
    """RMSE of every model, the estimated damping and the seconds of that fit."""
    models = {"mean": BiasRegressor(np.inf), "items": PopularityRecommender()}
    models |= {pair: BiasRegressor(pair) for pair in itertools.product(GRID, GRID)}
    errors = {
        name: rmse(test.values, model.fit(train).predict(test)) for name, model in models.items()
    }
    start = time.perf_counter()
    model = BiasRegressor().fit(train)
    seconds = time.perf_counter() - start
    errors["auto"] = rmse(test.values, model.predict(test))
    return errors, model.damping_, seconds


def report(name, seeds, n_ratings=None):
    """Print a row: means over the splits."""
    errors, dampings, seconds = zip(
        *(evaluate(*parts) for parts in splits(load(name), seeds, n_ratings)), strict=True
    )
    mean = {model: np.mean([one[model] for one in errors]) for model in errors[0]}
    best = min((model for model in mean if isinstance(model, tuple)), key=mean.get)
    users, items = np.exp(np.mean(np.log(dampings), axis=0))
    cells = [f"{mean[model]:.4f}" for model in ("mean", "items", "auto", best)]
    cells += [f"{mean['auto'] / mean[best] - 1:+.2%}", f"{users:.1f}, {items:.1f}"]
    cells += [f"{best[0]:g}, {best[1]:g}", f"{np.median(seconds):.2f}"]
    print(f"| {name} |", " | ".join(cells), "|", flush=True)


def main():
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=FILES, default=list(FILES))
    parser.add_argument("--splits", type=int, default=10)
    options = parser.parse_args()
    print(f"{machine()}; mean RMSE, the grid's damping chosen on the test ratings")
    for n_ratings, n_seeds in ((None, options.splits), (SMALL, 5)):
        size = "all ratings" if n_ratings is None else f"parts of {n_ratings:,} ratings"
        print(f"\nRandom 90/10 splits 0 to {n_seeds - 1} of {size}\n")
        print(
            "| set | global mean | item means | biases, auto | best of grid (chosen on test) | "
            "auto over best | damping, auto | damping, best | fit s |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for name in options.sets:
            report(name, range(n_seeds), n_ratings)


if __name__ == "__main__":
    main()
