"""How the defaults were chosen: RMSE on validation ratings drawn from training parts.

Test ratings are split off first and never looked at.
"""

import argparse
import itertools

import numpy as np
from data import load, machine, random_split, rmse, u1

from skautorec import AutoRecRegressor
from skautorec._core import model as core

SETS = {
    "ML-100K u1": lambda: u1()[0],
    "MovieTweetings": lambda: random_split(load("movietweetings"), 0)[0],
    "ML-1M split 0": lambda: random_split(load("ml-1m"), 0)[0],
}


def main():
    """Print one row for each choice, one column for each set and kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lambd", type=float, nargs="+", default=[50, 100, 150, 200])
    parser.add_argument("--max-iter", type=int, nargs="+", default=[60, 100, 150])
    parser.add_argument("--ridge-factor", type=float, nargs="+", default=[core.RIDGE_FACTOR])
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--kinds", nargs="+", default=["item", "user"])
    options = parser.parse_args()
    print(f"{machine()}; validation: a random tenth of the training part, random_state=0\n")
    print("| set | kind | lambd | max_iter | ridge factor | RMSE |\n|---|---|---|---|---|---|")
    for name, kind in itertools.product(options.sets, options.kinds):
        train, validation = random_split(SETS[name](), 1)
        scale = 4 / np.ptp(train.values)
        for choice in itertools.product(options.lambd, options.max_iter, options.ridge_factor):
            lambd, max_iter, core.RIDGE_FACTOR = choice
            model = AutoRecRegressor(kind=kind, lambd=lambd, max_iter=max_iter, random_state=0)
            predicted = model.fit(train).predict(validation)
            error = scale * rmse(validation.values, predicted)
            cells = (name, kind, f"{lambd:g}", max_iter, core.RIDGE_FACTOR, f"{error:.4f}")
            print("|", " | ".join(map(str, cells)), "|", flush=True)
    print("\nRMSE in five-star units (MovieTweetings has 0..10).")


if __name__ == "__main__":
    main()
