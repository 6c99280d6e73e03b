"""What updates cost, and how near they come to fitting again, on MovieLens 1M.

1. One rating of a popular item by a known user: seconds of the update, and of the next list of that
   user and of another one. Medians of twenty.
2. 10,000 ratings of known and new users and items: seconds of the update and of solving all that
   it made stale, over a fit and over solving all rows.
3. The same ratings bit by bit, shuffled, against at once, and against solving everything anew: the
   largest difference of a prediction, over the range.
4. A tenth of the items new (draws 5, 6 and 7): test error of an update with 80 % of their ratings,
   of fitting again with these, and of damped biases that are fitted again.
"""

import argparse
import time

import numpy as np
from data import load, machine, rmse

from skautorec import AutoRecRegressor, Ratings
from skautorec._core.solving import solve_model
from skautorec.baselines import BiasRegressor

N_LATER = 10_000


def seconds(call):
    """How long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def read_all(model):
    """Solve all rows that are stale."""
    return model.user_factors_, model.item_factors_


def only_known(ratings):
    """The same ratings with the ids that have any."""
    frame = ratings.to_frame()
    return Ratings.from_frame(frame, user="user_id", item="item_id", rating="rating")


def parts(ratings, n_later):
    """What is known at the fit, and what comes later: part of it by and of what is new."""
    rng = np.random.default_rng(0)
    new_users = rng.random(ratings.n_users) < 0.002
    new_items = rng.random(ratings.n_items) < 0.002
    is_new = new_users[ratings.users] | new_items[ratings.items]
    order = rng.permutation(np.flatnonzero(~is_new))
    n_more = max(0, n_later - is_new.sum())
    later = np.concatenate((np.flatnonzero(is_new)[:n_later], order[:n_more]))
    return only_known(ratings[np.sort(order[n_more:])]), ratings[rng.permutation(later)]


def one_rating(model, past, n_rounds):
    """Seconds of updates by one rating of a popular item, and of the lists after them."""
    rng = np.random.default_rng(1)
    popular = np.argsort(-np.bincount(past.items))[:50]
    low, high = model.rating_range_
    spent = []
    model.recommend(model.user_ids_[0])
    for item in rng.choice(popular, n_rounds, replace=False):
        user, other = rng.choice(past.n_users, 2, replace=False)
        value = rng.choice([low, high])
        rating = Ratings([user], [item], [value], user_ids=past.user_ids, item_ids=past.item_ids)
        spent.append(
            [
                seconds(lambda rating=rating: model.update(rating)),
                seconds(lambda user=user: model.recommend(past.user_ids[user])),
                seconds(lambda other=other: model.recommend(past.user_ids[other])),
            ]
        )
    return np.median(spent, axis=0)


def costs(kind, ratings, n_later, n_rounds, settings):
    """Print 1 to 3 for one kind."""
    past, later = parts(ratings, n_later)
    model = AutoRecRegressor(kind=kind, random_state=0, **settings)
    of_fit = seconds(lambda: model.fit(past))
    at_once = AutoRecRegressor(kind=kind, random_state=0, **settings).fit(past)
    of_update = seconds(lambda: at_once.update(later))
    of_rows = seconds(lambda: read_all(at_once))
    fitted = at_once._fitted
    start = time.perf_counter()
    users, items = solve_model(fitted.model, fitted._table())
    of_anew = time.perf_counter() - start
    users, items = fitted.targets.scale.users(users), fitted.targets.scale.items(items)
    for part in np.array_split(np.random.default_rng(2).permutation(len(later)), 20):
        model.update(later[part])
    pairs = ratings[:: max(1, len(ratings) // 100_000)]
    low, high = at_once.rating_range_
    apart = np.abs(model.predict(pairs) - at_once.predict(pairs)).max() / (high - low)
    apart_anew = max(
        np.abs(users.factors - at_once.user_factors_).max(),
        np.abs(items.factors - at_once.item_factors_).max(),
    )
    of_one = one_rating(at_once, past, n_rounds)
    print(
        f"| {kind} | {of_fit:.1f} | {of_update:.2f} | {of_update / of_fit:.3f} | {of_rows:.2f} "
        f"| {of_rows / of_anew:.2f} | {of_one[0] * 1e3:.1f} | {of_one[1] * 1e3:.1f} "
        f"| {of_one[2] * 1e3:.1f} | {apart:.1e} | {apart_anew:.1e} |",
        flush=True,
    )


def new_items(ratings, seed, kind, settings):
    """Print 4 for one draw."""
    rng = np.random.default_rng(seed)
    is_new = rng.random(ratings.n_items) < 0.1
    of_new = np.flatnonzero(is_new[ratings.items])
    shuffled = rng.permutation(of_new)
    n_test = len(shuffled) // 5
    test, given = ratings[shuffled[:n_test]], ratings[np.sort(shuffled[n_test:])]
    past = only_known(ratings[~is_new[ratings.items]])
    everything = ratings[
        np.sort(np.concatenate((np.flatnonzero(~is_new[ratings.items]), shuffled[n_test:])))
    ]
    biases = BiasRegressor().fit(everything)
    updated = AutoRecRegressor(kind=kind, random_state=0, **settings).fit(past).update(given)
    again = AutoRecRegressor(kind=kind, random_state=0, **settings).fit(everything)
    errors = [rmse(test.values, model.predict(test)) for model in (biases, updated, again)]
    print(
        f"| {kind} | {seed} | {len(test)} | {errors[0]:.4f} | {errors[1]:.4f} | {errors[2]:.4f} "
        f"| {errors[1] - errors[2]:+.4f} |",
        flush=True,
    )


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="MovieLens 100K, ten epochs")
    parser.add_argument("--kinds", nargs="*", default=["item", "user", "both"])
    parser.add_argument("--seeds", nargs="*", type=int, default=[5, 6, 7])
    options = parser.parse_args()
    ratings = load("ml-100k" if options.quick else "ml-1m")
    n_later, n_rounds = (1000, 5) if options.quick else (N_LATER, 20)
    settings = {"max_iter": 10, "hidden_units": 20} if options.quick else {}
    print(machine(), "\n")
    print(
        "| kind | fit s | update s | / fit | stale rows s | / all rows anew "
        "| one rating: update ms | own list ms | other list ms | bit by bit | anew |\n"
        + "|---" * 11
        + "|"
    )
    for kind in options.kinds:
        costs(kind, ratings, n_later, n_rounds, settings)
    print("\n| kind | draw | test ratings | biases | update | fit again | difference |")
    print("|---" * 7 + "|")
    for kind in options.kinds:
        for seed in options.seeds:
            new_items(ratings, seed, kind, settings)


if __name__ == "__main__":
    main()
