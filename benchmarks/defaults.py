"""How good the defaults are: RMSE on validation ratings drawn from training parts.

The default parameters against a grid of fifteen, and on small sets against damped biases. Test
ratings are split off first and never looked at.
"""

import argparse
import itertools

import numpy as np
from data import load, machine, random_split, rmse, u1

from skautorec import AutoRecRegressor
from skautorec.baselines import BiasRegressor

SETS = {
    "ML-100K u1": lambda: u1()[0],
    "MovieTweetings": lambda: random_split(load("movietweetings"), 0)[0],
    "ML-1M split 0": lambda: random_split(load("ml-1m"), 0)[0],
}
GRID = {"hidden_units": [100, 200, 500], "lambd": [25, 50, 100, 200, 400]}


def validate(train, validation, **parameters):
    """RMSE on the validation ratings, in five-star units."""
    model = AutoRecRegressor(random_state=0, **parameters).fit(train)
    return 4 / np.ptp(train.values) * rmse(validation.values, model.predict(validation))


def report_grid(name, kind):
    """Print a row for each choice, and how far the default is from the best."""
    train, validation = random_split(SETS[name](), 1)
    errors = {}
    for choice in itertools.product(*GRID.values()):
        parameters = dict(zip(GRID, choice, strict=True))
        errors[choice] = validate(train, validation, kind=kind, **parameters)
        print(f"| {name} | {kind} | {choice[0]} | {choice[1]} | {errors[choice]:.4f} |", flush=True)
    default = errors[AutoRecRegressor().hidden_units, int(AutoRecRegressor().lambd)]
    best = min(errors, key=errors.get)
    excess = default / errors[best] - 1
    print(f"| {name} | {kind} | default | is {excess:.2%} above the best, {best} | {default:.4f} |")


def report_small(name, n_ratings, kind, seeds=range(5)):
    """Print the RMSE on small random parts of a set, relative to damped biases."""
    ratios = []
    for seed in seeds:
        ratings = load(name)
        part = ratings[np.random.default_rng(seed).permutation(len(ratings))[:n_ratings]]
        train, validation = random_split(part, 1)
        biases = rmse(validation.values, BiasRegressor().fit(train).predict(validation))
        error = validate(train, validation, kind=kind) * np.ptp(train.values) / 4
        ratios.append(error / biases)
    cells = (name, n_ratings, kind, f"{np.mean(ratios):.4f}", f"{max(ratios):.4f}")
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def main():
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--kinds", nargs="+", default=["item", "user", "both"])
    options = parser.parse_args()
    print(f"{machine()}; validation: a random tenth of the training part, random_state=0\n")
    print("| set | kind | hidden_units | lambd | RMSE in five stars |\n|---|---|---|---|---|")
    for name, kind in itertools.product(options.sets, options.kinds):
        report_grid(name, kind)
    print("\nSmall parts, five draws: RMSE over that of damped biases\n")
    print("| set | ratings | kind | mean | highest |\n|---|---|---|---|---|")
    for name, n_ratings in (("ml-100k", 5_000), ("movietweetings", 5_000), ("ml-100k", 50_000)):
        for kind in options.kinds:
            report_small(name, n_ratings, kind)


if __name__ == "__main__":
    main()
