"""Is the model right on anybody's ratings? Defaults on every set, against damped biases.

One table for each question; nothing here was chosen on test ratings.
"""

import argparse
import time

import numpy as np
from data import SETS, load, machine, random_split, rmse

from skautorec import AutoRecRegressor, Ratings
from skautorec.baselines import BiasRegressor

KINDS = ("item", "user", "both")


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
    """Print errors, where predictions are worse than biases, and what intervals cover.

    The test ratings of several splits are pooled; their errors are means over the splits.
    """
    tables = {"errors": [], "groups": [], "bins": []}
    for name in names:
        pairs = SETS[name]()
        biases = [test.values - BiasRegressor().fit(train).predict(test) for train, test in pairs]
        theirs = np.mean([root_mean_square(errors) for errors in biases])
        tables["errors"].append([name, "biases", f"{theirs:.4f}", "", "", ""])
        for kind in kinds:
            runs = [evaluate(train, test, kind) for train, test in pairs]
            ours = np.mean([root_mean_square(errors) for errors, *_ in runs])
            seconds = np.mean([seconds for *_, seconds in runs])
            errors, inside, std = (np.concatenate([run[i] for run in runs]) for i in range(3))
            cells = [
                f"{ours:.4f}",
                f"{ours / theirs:.4f}",
                f"{seconds:.0f}",
                f"{inside.mean():.1%}",
            ]
            tables["errors"].append([name, kind, *cells])
            for by in ("user", "item"):
                counts = np.concatenate([known(train, test, by) for train, test in pairs])
                worst = by_activity(counts, errors, np.concatenate(biases))
                tables["groups"].append([name, kind, by, *worst])
                tables["bins"].append([name, kind, by, *by_count(counts, inside, std)])
    titles = {
        "errors": ("set", "kind", "RMSE", "over biases", "fit s", "90 % interval covers"),
        "groups": ("set", "kind", "by", "highest ratio to biases", "above 1 % and 2 errors"),
        "bins": ("set", "kind", "ratings of", "0-2", "3-9", "10-49", "50-149", "150+"),
    }
    for table, rows in tables.items():
        print(f"\n{table}\n\n| {' | '.join(titles[table])} |\n|{'---|' * len(titles[table])}")
        for row in rows:
            print(f"| {' | '.join(map(str, row))} |", flush=True)


def evaluate(train, test, kind):
    """Errors of test ratings, whether 90 % intervals cover them, deviations, and fit seconds."""
    start = time.perf_counter()
    model = fit(train, kind=kind)
    seconds = time.perf_counter() - start
    predicted, std = model.predict(test, return_std=True)
    low, high = model.rating_range_
    lowest, highest = (predicted + side * 1.645 * std for side in (-1, 1))
    inside = test.values >= lowest.clip(low, high)
    inside &= test.values <= highest.clip(low, high)
    return test.values - predicted, inside, std, seconds


def root_mean_square(errors):
    """Root of the mean of the squares."""
    return float(np.sqrt(np.mean(np.square(errors))))


def known(train, test, by):
    """Training ratings of the user, or the item, of each test rating."""
    codes, n = (f"{by}s", train.n_users if by == "user" else train.n_items)
    return np.bincount(getattr(train, codes), minlength=n)[getattr(test, codes)]


def by_activity(counts, errors, biases):
    """Highest error over that of biases in tenths (fifths of small sets), and how many are worse.

    Worse is by more than 1 % and two standard errors of the paired difference.
    """
    parts = np.array_split(np.argsort(counts, kind="stable"), 10 if len(errors) >= 10_000 else 5)
    ours, theirs = np.square(errors), np.square(biases)
    ratios = [np.sqrt(ours[part].mean() / theirs[part].mean()) for part in parts]
    n_worse = 0
    for part in parts:
        excess = ours[part] - theirs[part]
        error = excess.std() / np.sqrt(len(part))
        n_worse += excess.mean() > 0.02 * theirs[part].mean() + 2 * error
    return f"{max(ratios):.4f}", n_worse


def by_count(counts, inside, std):
    """Share inside the interval, mean deviation and number of ratings, by training ratings."""
    where = np.searchsorted([3, 10, 50, 150], counts, side="right")
    groups = [where == group for group in range(5)]
    return [
        f"{inside[some].mean():.3f}, {std[some].mean():.3f} ({some.sum()})" if some.any() else ""
        for some in groups
    ]


def report_parts(names, kinds, n_ratings=5000, seeds=range(5)):
    """Print errors over those of biases on small random parts of each set."""
    print(f"\nParts of {n_ratings} ratings, five draws: RMSE over that of damped biases\n")
    print("| set | kind | mean | highest |\n|---|---|---|---|")
    for name in names:
        ratings = load("ml-100k" if name == "ML-100K u1" else name.lower())
        for kind in kinds:
            ratios = []
            for seed in seeds:
                part = ratings[np.random.default_rng(seed).permutation(len(ratings))[:n_ratings]]
                train, test = random_split(part, 1)
                biases = rmse(test.values, BiasRegressor().fit(train).predict(test))
                ratios.append(rmse(test.values, fit(train, kind=kind).predict(test)) / biases)
            print(f"| {name} | {kind} | {np.mean(ratios):.4f} | {max(ratios):.4f} |", flush=True)


def report_settings(names, parameter, choices, kinds):
    """Print the error for several values of a parameter."""
    print(f"\n| set | kind | {' | '.join(f'{parameter}={choice}' for choice in choices)} |")
    print("|---|---|" + "---|" * len(choices))
    for name in names:
        train, test = SETS[name]()[0]
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
