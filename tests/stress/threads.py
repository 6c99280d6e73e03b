"""Read one model in many threads, update it in others and save it in one.

    OMP_NUM_THREADS=1 python tests/stress/threads.py --seconds 60

Writers take in ratings of new users, who change no code, and take some of them out again: what is
read of the others must stay as it is. In the end no update may be lost, and every file that was
saved must load and say of itself how many ratings it holds.
"""

import argparse
import collections
import io
import sys
import threading
import time

import numpy as np

from skautorec import AutoRecRegressor, Ratings
from skautorec.datasets import make_ratings


def new_ratings(user, items):
    """Ratings of somebody whom the networks do not know, so that no code changes."""
    n = len(items)
    return Ratings([0] * n, range(n), [4.0] * n, user_ids=[user], item_ids=items)


def stress(seconds, n_readers=16, n_writers=4):
    """Return the calls by name, and the faults as lines."""
    ratings = make_ratings(200, 100, 5_000, random_state=0)
    model = AutoRecRegressor(16, max_iter=15, rating_range=(1, 5), random_state=0).fit(ratings)
    items = model.item_ids_[:12].tolist()
    asked, user, other = ratings[::50], ratings.user_ids[3], ratings.item_ids[4]
    calls = {
        "predict": lambda: model.predict(asked),
        "predict, std": lambda: model.predict(asked, return_std=True)[1],
        "recommend": lambda: model.recommend([user] * 80, n=5)[1],
        "recommend, by rating": lambda: model.recommend(user, n=5, rank_by="rating")[1],
        "recommend, new user": lambda: model.recommend({items[0]: 5, items[1]: 2}, n=5)[1],
        "explain": lambda: model.explain(user, other)[2],
        "similar items": lambda: model.similar_items(other)[1],
        "fold in": lambda: model.fold_in({items[0]: 5})[0],
    }
    expected = {name: call() for name, call in calls.items()}
    # As after a load: everything that is computed once is computed by whoever is first.
    file = io.BytesIO()
    model.save(file)
    file.seek(0)
    model = AutoRecRegressor.load(file)
    done, faults, is_over = collections.Counter(), [], threading.Event()
    counting, start = threading.Lock(), threading.Barrier(n_readers + n_writers + 1)

    def keep(action, number):
        start.wait()
        n = number
        while not is_over.is_set():
            try:
                name, fault = action(n)
            except Exception as error:
                name, fault = "error", repr(error)
            n += 1
            with counting:
                done[name] += 1
                if fault:
                    faults.append(f"{name}: {fault}")

    def read(n):
        name = list(calls)[n % len(calls)]
        same = np.allclose(calls[name](), expected[name], rtol=0, atol=1e-6, equal_nan=True)
        return name, None if same else "another answer"

    def write(n):
        table = new_ratings(10_000 + n % 1_000_000, items)
        model.update(table)
        if n % 3 == 0:
            model.update(remove=table)
        return "update", None

    def save(n):
        file = io.BytesIO()
        model.save(file)
        file.seek(0)
        loaded = AutoRecRegressor.load(file)
        n_more = loaded._fitted.training.inputs.nnz - len(ratings)
        n_told = loaded.drift_.n_ratings - loaded.drift_.n_removed
        return "save", None if n_more == n_told else f"{n_more} ratings more, {n_told} told"

    # Writers begin at other numbers, so that no two write of one user.
    threads = [threading.Thread(target=keep, args=(read, n)) for n in range(n_readers)]
    threads += [threading.Thread(target=keep, args=(write, 10**5 * n)) for n in range(n_writers)]
    threads.append(threading.Thread(target=keep, args=(save, 0)))
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    is_over.set()
    for thread in threads:
        thread.join()
    n_more = model._fitted.training.inputs.nnz - len(ratings)
    n_given = len(items) * done["update"]
    if model.drift_.n_ratings != n_given:
        faults.append(f"{n_given} ratings were given, and {model.drift_.n_ratings} are told")
    if model.drift_.n_ratings - model.drift_.n_removed != n_more:
        faults.append("an update was lost")
    return done, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    is_free = not getattr(sys, "_is_gil_enabled", lambda: True)()
    done, faults = stress(arguments.seconds)
    print(f"Python {sys.version.split()[0]}, {'without' if is_free else 'with'} the GIL")
    print(
        f"{sum(done.values()):,} calls: " + ", ".join(f"{n:,} {name}" for name, n in done.items())
    )
    print(*faults[:20], f"{len(faults)} faults", sep="\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
