"""Is the model right on anybody's ratings? Defaults on every set, against damped biases.

One table for each question; nothing here was chosen on test ratings.
"""

import argparse
import time

import numpy as np
from data import load, machine, random_split, rmse, u1

from skautorec import AutoRecRegressor, Ratings
from skautorec.baselines import BiasRegressor

KINDS = ("item", "user", "both")
SETS = {
    "ML-100K u1": u1,
    "anime": lambda: random_split(load("anime"), 5),
    "books": lambda: random_split(load("books"), 5),
    "boardgames": lambda: random_split(load("boardgames"), 5),
    "music": lambda: random_split(load("music"), 5),
    "MovieTweetings": lambda: random_split(load("movietweetings"), 5),
    "ML-1M split 11": lambda: random_split(load("ml-1m"), 11),
}


def fit(train, **parameters):
    """Fit with defaults but for some parameters."""
    return AutoRecRegressor(random_state=0, **parameters).fit(train)


def planted(n_own, seed=0):
    """User 0 rates items that nobody else rates; 150 others rate 8 of 200 others each."""
    rng = np.random.default_rng(seed)
    items = [np.arange(200, 200 + n_own)]
    items += [rng.choice(200, 8, replace=False) for _ in range(150)]
    users = np.repeat(np.arange(151), [len(some) for some in items])
    values = rng.normal(7.5, 1.5, len(users))
    return Ratings(users, np.concatenate(items), values)


def report_planted(sizes=(300, 2000, 5000)):
    """Print how far user 0's predictions for the others' items are from the user's own mean."""
    print("\nPlanted: RMSE of user 0's predictions for the others' items to their own mean\n")
    print("| own items | kind | solver | dropout | Ratings | row | one more | one less | score |")
    print("|---|---|---|---|---|---|---|---|---|")
    cases = [("adam", None), ("adam", 0.0), ("rprop", None), ("lbfgs", None)]
    for n_own in sizes:
        ratings = planted(n_own)
        mean = ratings.values[ratings.users == 0].mean()
        R = ratings.to_matrix().tolil()
        more, less = R[[0]].copy(), R[[0]].copy()
        more[0, 3], less[0, 250] = 7.0, 0.0
        hidden = R[[0]].copy()
        hidden[0, np.random.default_rng(1).choice(np.arange(200, 200 + n_own), n_own // 5)] = 0
        others = Ratings(
            np.zeros(200, int),
            np.arange(200),
            np.full(200, mean),
            user_ids=ratings.user_ids,
            item_ids=ratings.item_ids,
        )
        for kind in ("item", "both"):
            for solver, dropout in cases:
                model = fit(ratings, kind=kind, solver=solver, dropout=dropout)
                errors = [np.sqrt(np.mean((model.predict(others) - mean) ** 2))]
                for row in (R[[0]], more, less, hidden):
                    predicted = model.predict(row.tocsr())[0, :200]
                    errors.append(np.sqrt(np.mean((predicted - mean) ** 2)))
                cells = " | ".join(f"{error:.2f}" for error in errors)
                print(f"| {n_own} | {kind} | {solver} | {dropout} | {cells} |", flush=True)


def report_sets(names, kinds):
    """Print the error on each set."""
    print("\n| set | biases | item | user | both | seconds |\n|---|---|---|---|---|---|")
    for name in names:
        train, test = SETS[name]()
        errors, seconds = [rmse(test.values, BiasRegressor().fit(train).predict(test))], []
        for kind in KINDS:
            if kind not in kinds:
                errors.append(np.nan)
                continue
            start = time.perf_counter()
            model = fit(train, kind=kind)
            seconds.append(time.perf_counter() - start)
            errors.append(rmse(test.values, model.predict(test)))
        cells = " | ".join(f"{error:.4f}" for error in errors)
        print(f"| {name} | {cells} | {', '.join(f'{s:.0f}' for s in seconds)} |", flush=True)


def report_parts(names, kinds, n_ratings=5000, seeds=range(5)):
    """Print errors over those of biases on small random parts of each set."""
    print(f"\nParts of {n_ratings} ratings, five draws: RMSE over that of damped biases\n")
    print("| set | kind | mean | highest |\n|---|---|---|---|")
    for name in names:
        train, test = SETS[name]()
        ratings = load({"ML-100K u1": "ml-100k", "ML-1M split 11": "ml-1m"}.get(name, name.lower()))
        for kind in kinds:
            ratios = []
            for seed in seeds:
                part = ratings[np.random.default_rng(seed).permutation(len(ratings))[:n_ratings]]
                train, test = random_split(part, 1)
                biases = rmse(test.values, BiasRegressor().fit(train).predict(test))
                ratios.append(rmse(test.values, fit(train, kind=kind).predict(test)) / biases)
            print(f"| {name} | {kind} | {np.mean(ratios):.4f} | {max(ratios):.4f} |", flush=True)


def report_groups(names, kinds):
    """Print where predictions are worse than biases, by how much is known of user and item."""
    print("\nError over that of damped biases by activity (tenths; fifths of small sets)\n")
    print("| set | kind | by | highest ratio | above 1 % and 2 errors |\n|---|---|---|---|---|")
    for name in names:
        train, test = SETS[name]()
        biases = np.square(test.values - BiasRegressor().fit(train).predict(test))
        counts = {
            "user": np.bincount(train.users, minlength=train.n_users)[test.users],
            "item": np.bincount(train.items, minlength=train.n_items)[test.items],
        }
        for kind in kinds:
            squares = np.square(test.values - fit(train, kind=kind).predict(test))
            for by, n_known in counts.items():
                order = np.argsort(n_known, kind="stable")
                parts = np.array_split(order, 10 if len(test) >= 10_000 else 5)
                ratios = [np.sqrt(squares[p].mean() / biases[p].mean()) for p in parts]
                worse = 0
                for part in parts:
                    difference = squares[part] - biases[part]
                    error = difference.std() / np.sqrt(len(part))
                    worse += difference.mean() > 0.02 * biases[part].mean() + 2 * error
                print(f"| {name} | {kind} | {by} | {max(ratios):.4f} | {worse} |", flush=True)


def report_bins(names, kinds):
    """Print what 90 % intervals cover, and the mean deviation, by number of ratings."""
    edges = np.array([3, 10, 50, 150])
    print("\n90 % intervals: cover / mean deviation / cells by number of ratings\n")
    print(
        "| set | kind | by | 0-2 | 3-9 | 10-49 | 50-149 | 150+ |\n|---|---|---|---|---|---|---|---|"
    )
    for name in names:
        train, test = SETS[name]()
        low, high = train.values.min(), train.values.max()
        for kind in kinds:
            predicted, std = fit(train, kind=kind).predict(test, return_std=True)
            lowest, highest = predicted - 1.645 * std, predicted + 1.645 * std
            inside = (test.values >= lowest.clip(low, high)) & (
                test.values <= highest.clip(low, high)
            )
            for by, codes, n in (
                ("user", "users", train.n_users),
                ("item", "items", train.n_items),
            ):
                counts = np.bincount(getattr(train, codes), minlength=n)[getattr(test, codes)]
                where = np.searchsorted(edges, counts, side="right")
                cells = []
                for group in range(5):
                    some = where == group
                    number = int(some.sum())
                    cells.append(
                        f"{inside[some].mean():.3f} / {std[some].mean():.3f} / {number}"
                        if number
                        else ""
                    )
                print(f"| {name} | {kind} | {by} | {' | '.join(cells)} |", flush=True)


def report_settings(names, parameter, choices, kinds):
    """Print the error for several values of a parameter."""
    print(f"\n| set | kind | {' | '.join(f'{parameter}={choice}' for choice in choices)} |")
    print("|---|---|" + "---|" * len(choices))
    for name in names:
        train, test = SETS[name]()
        for kind in kinds:
            errors = [
                rmse(test.values, fit(train, kind=kind, **{parameter: choice}).predict(test))
                for choice in choices
            ]
            print(f"| {name} | {kind} | {' | '.join(f'{e:.4f}' for e in errors)} |", flush=True)


REPORTS = {
    "planted": lambda names, kinds: report_planted(),
    "sets": report_sets,
    "parts": report_parts,
    "groups": report_groups,
    "bins": report_bins,
    "width": lambda names, kinds: report_settings(
        names, "hidden_units", (100, 200, 500, 1000), kinds
    ),
    "lambd": lambda names, kinds: report_settings(names, "lambd", (25, 50, 100, 200, 400), kinds),
}


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", nargs="+", choices=REPORTS, default=list(REPORTS))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    options = parser.parse_args()
    print(f"{machine()}; default parameters, random_state=0")
    for name in options.reports:
        REPORTS[name](options.sets, options.kinds)


if __name__ == "__main__":
    main()
