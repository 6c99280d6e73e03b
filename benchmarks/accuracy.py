"""Held-out RMSE with default parameters, printed as a table.

Nothing here is chosen by looking at test ratings: defaults.py, which sees training ratings only,
shows how the defaults were chosen.
"""

import argparse
import itertools
import time

import numpy as np
from data import load, machine, random_split, rmse, u1

from skautorec import AutoRecRegressor
from skautorec.baselines import BiasRegressor

N_NEW_USERS = 150


MODELS = {
    "kind='user'": {"kind": "user"},
    "kind='item'": {"kind": "item"},
    "kind='both'": {"kind": "both"},
    "kind='both', n_estimators=3": {"kind": "both", "n_estimators": 3},
}


def evaluate(train, test, **parameters):
    """RMSE and seconds to fit, and how honest the standard deviations are."""
    start = time.perf_counter()
    model = AutoRecRegressor(random_state=0, **parameters).fit(train)
    seconds = time.perf_counter() - start
    predicted, std = model.predict(test, return_std=True)
    errors = test.values - predicted
    constant = np.sqrt(np.mean(np.square(errors)))
    covered = np.abs(errors) <= 1.6449 * std
    activity = np.bincount(train.users, minlength=train.n_users)[test.users]
    deciles = np.array_split(covered[np.argsort(activity, kind="stable")], 10)
    by_decile = [decile.mean() for decile in deciles]
    return {
        "rmse": constant,
        "seconds": seconds,
        "coverage": covered.mean(),
        "lowest": min(by_decile),
        "highest": max(by_decile),
        "nll": np.mean(np.log(std) + np.square(errors / std) / 2),
        # The best constant, which no honest model could know.
        "constant_nll": np.log(constant) + 0.5,
    }


def report(name, splits):
    """Print the means and deviations over some splits, and paired differences."""
    results = {model: [] for model in MODELS}
    biases = []
    for train, test in splits:
        biases.append(rmse(test.values, BiasRegressor().fit(train).predict(test)))
        for model, parameters in MODELS.items():
            results[model].append(evaluate(train, test, **parameters))
    print(f"\n{name}\n")
    print("| model | RMSE | sd | fit s | 90 % interval covers | by decile | NLL | constant |")
    print("|---|---|---|---|---|---|---|---|")
    print(f"| user and item biases | {np.mean(biases):.4f} | {np.std(biases):.4f} | | | | | |")
    for model, runs in results.items():
        mean = {key: np.mean([run[key] for run in runs]) for key in runs[0]}
        deviation = np.std([run["rmse"] for run in runs])
        lowest, highest = min(r["lowest"] for r in runs), max(r["highest"] for r in runs)
        print(
            f"| {model} | {mean['rmse']:.4f} | {deviation:.4f} | {mean['seconds']:.0f} | "
            f"{mean['coverage']:.1%} | {lowest:.1%} to {highest:.1%} | {mean['nll']:.4f} | "
            f"{mean['constant_nll']:.4f} |",
            flush=True,
        )
    if len(biases) > 1:
        report_differences(
            {model: [run["rmse"] for run in runs] for model, runs in results.items()}
        )


def report_differences(errors):
    """Paired comparison over splits: mean difference and its standard error."""
    print("\nPaired over splits, RMSE of the second minus the first\n")
    print("| first | second | difference | standard error |\n|---|---|---|---|")
    for first, second in itertools.pairwise(errors):
        differences = np.subtract(errors[second], errors[first])
        error = np.std(differences, ddof=1) / np.sqrt(len(differences))
        print(f"| {first} | {second} | {differences.mean():+.4f} | {error:.4f} |")


def split_users(ratings, seed):
    """Ratings of the others, and context (80 %) and held-out ratings of 150 users left out."""
    rng = np.random.default_rng(seed)
    left_out = rng.choice(ratings.n_users, N_NEW_USERS, replace=False)
    is_new = np.isin(ratings.users, left_out)
    new = ratings[is_new]
    order = np.lexsort((rng.random(len(new)), new.users))
    rank = np.empty(len(new), int)
    counts = np.bincount(new.users, minlength=ratings.n_users)
    rank[order] = np.arange(len(new)) - np.repeat(np.cumsum(counts) - counts, counts)
    is_context = rank < np.rint(0.8 * counts[new.users])
    return ratings[~is_new], new[is_context], new[~is_context], rank[is_context]


def predict_new(model, context, heldout):
    """Predict held-out ratings of users that the model never saw, from their context."""
    matrix = context.to_matrix()
    rows = np.unique(heldout.users)
    predicted = np.full(matrix.shape, np.nan)
    predicted[rows] = model.predict(matrix[rows])
    return predicted[heldout.users, heldout.items]


def report_new_users(ratings, seeds=(0, 1, 2)):
    """Print how users left out of training fare, all their context and only a few ratings."""
    sizes = (1, 2, 5, 10, 20, 40, None)
    rows = {size: [] for size in sizes}
    retrained = []
    for seed in seeds:
        others, context, heldout, rank = split_users(ratings, seed)
        model = AutoRecRegressor(random_state=0).fit(others)
        biases = BiasRegressor().fit(others)
        for size in sizes:
            part = context if size is None else context[rank < size]
            ours = rmse(heldout.values, predict_new(model, part, heldout))
            theirs = rmse(heldout.values, predict_new(biases, part, heldout))
            rows[size].append((ours, theirs))
        joined = np.concatenate([np.arange(len(others)), len(others) + np.arange(len(context))])
        both = _concatenate(others, context)[joined]
        again = AutoRecRegressor(random_state=0).fit(both)
        retrained.append(rmse(heldout.values, again.predict(heldout)))
    print(f"\nML-100K, {N_NEW_USERS} users left out, mean of seeds {seeds}, default parameters\n")
    print("| ratings given | kind='item' | user and item biases |\n|---|---|---|")
    for size, errors in rows.items():
        ours, theirs = np.mean(errors, axis=0)
        print(f"| {'80 %' if size is None else size} | {ours:.4f} | {theirs:.4f} |")
    print(f"| 80 %, retrained with them | {np.mean(retrained):.4f} | |")


def _concatenate(first, second):
    """Join two parts of one table."""
    return type(first)(
        np.append(first.users, second.users),
        np.append(first.items, second.items),
        np.append(first.values, second.values),
        user_ids=first.user_ids,
        item_ids=first.item_ids,
    )


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="ML-100K u1 only")
    parser.add_argument("--splits", type=int, default=5, help="random splits of ML-1M")
    options = parser.parse_args()
    print(f"{machine()}; default parameters, random_state=0")
    report("ML-100K, u1", [u1()])
    if not options.quick:
        report_new_users(load("ml-100k"))
        ratings = load("ml-1m")
        splits = (random_split(ratings, seed) for seed in range(options.splits))
        report(f"ML-1M, random 90/10, splits 0 to {options.splits - 1}", splits)


if __name__ == "__main__":
    main()
