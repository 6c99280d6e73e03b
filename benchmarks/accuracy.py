"""Held-out RMSE with default parameters, printed as a table.

Nothing here is chosen by looking at test ratings: defaults.py, which sees training ratings only,
shows how the defaults were chosen.
"""

import argparse
import time

import numpy as np
from data import Biases, load, machine, random_split, rmse, u1

from skautorec import AutoRecRegressor

N_NEW_USERS = 150


def fit_and_score(train, test, **parameters):
    """RMSE on the test part, and seconds to fit."""
    start = time.perf_counter()
    model = AutoRecRegressor(random_state=0, **parameters).fit(train)
    seconds = time.perf_counter() - start
    return rmse(test.values, model.predict(test)), seconds


def report(name, train, test):
    """Print the rows of one split."""
    mean = np.full(len(test), train.values.mean())
    print(f"| {name} | global mean | {rmse(test.values, mean):.4f} | |")
    biases = Biases().fit(train).predict(test)
    print(f"| {name} | user and item biases | {rmse(test.values, biases):.4f} | |")
    for kind in ("item", "user"):
        error, seconds = fit_and_score(train, test, kind=kind)
        print(f"| {name} | kind={kind!r} | {error:.4f} | {seconds:.1f} |", flush=True)


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


def bias_of_new(biases, context, heldout):
    """Damped user and item biases, the users' biases from their context."""
    residuals = context.values - biases.mean - biases.item[context.items]
    user = biases._damped(context.users, residuals, context.n_users)
    return biases.mean + user[heldout.users] + biases.item[heldout.items]


def report_new_users(ratings, seeds=(0, 1, 2)):
    """Print how users left out of training fare, all their context and only a few ratings."""
    sizes = (1, 2, 5, 10, 20, 40, None)
    rows = {size: [] for size in sizes}
    retrained = []
    for seed in seeds:
        others, context, heldout, rank = split_users(ratings, seed)
        model = AutoRecRegressor(random_state=0).fit(others)
        biases = Biases().fit(others)
        for size in sizes:
            part = context if size is None else context[rank < size]
            ours = rmse(heldout.values, predict_new(model, part, heldout))
            theirs = rmse(heldout.values, bias_of_new(biases, part, heldout))
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
    parser.add_argument("--quick", action="store_true", help="ML-100K only")
    quick = parser.parse_args().quick
    print(f"{machine()}; random_state=0\n")
    print("| split | model | RMSE | fit s |\n|---|---|---|---|")
    report("ML-100K u1", *u1())
    if not quick:
        report("ML-1M 90/10, split 0", *random_split(load("ml-1m"), 0))
        report_new_users(load("ml-100k"))


if __name__ == "__main__":
    main()
