"""Sixteen threads that read and update one model.

    python tests/stress/threads.py --seconds 60

Twelve threads predict, recommend, explain and compare, four update by single ratings. Each answer
must be one that some state between the first and the last can give: finite, in range, of known ids
and of nothing that was rated at the fit. At the end the model must be the one that takes in all at
once. A child is forked now and then, and must answer too.
"""

import argparse
import collections
import contextlib
import os
import sys
import threading
import time
import traceback

import numpy as np

from skautorec import AutoRecRegressor
from skautorec.datasets import make_ratings

TABLE = make_ratings(400, 250, 12_000, random_state=0)
PAST, LATER = TABLE[:9000], TABLE[9000:]
N_READERS, N_WRITERS = 12, 4


def check(model, rng, seen):
    """Ask one thing, and look at the answer."""
    user = PAST.user_ids[PAST.users[rng.integers(len(PAST))]]
    what = rng.choice(["predict", "recommend", "by rating", "explain", "similar", "deviations"])
    low, high = model.rating_range_
    if what == "predict":
        predicted = model.predict(TABLE[: rng.integers(1, 300)])
        assert ((predicted >= low) & (predicted <= high)).all()
    elif what == "explain":
        if model.kind == "user":
            return "nothing"
        base, ids, contributions = model.explain(user, PAST.item_ids[0], n=None)
        assert np.isfinite(base + contributions.sum()) and len(ids) >= len(seen[user])
    elif what == "similar":
        ids, cosines = model.similar_items(PAST.item_ids[1], 5)
        assert PAST.item_ids[1] not in ids and (np.abs(cosines) <= 1 + 1e-9).all()
    elif what == "deviations":
        assert (model.predict(TABLE[:50], return_std=True)[1] > 0).all()
    else:
        rank_by = "rating" if what == "by rating" else "relevance"
        ids, scores = model.recommend(user, 10, rank_by=rank_by)
        assert np.isfinite(scores).all() and (np.diff(scores) <= 1e-6).all()
        assert not seen[user] & set(ids.tolist()), "an item that was rated"
    return what


def run(kind, seconds):
    """Counts of what was asked, and what went wrong."""
    seen = collections.defaultdict(set)
    for user, item in zip(PAST.users, PAST.items, strict=True):
        seen[PAST.user_ids[user]].add(PAST.item_ids[item])
    model = AutoRecRegressor(8, kind=kind, max_iter=5, random_state=0).fit(PAST)
    counts, faults = collections.Counter(), []
    limit, lock = time.monotonic() + seconds, threading.Lock()

    @contextlib.contextmanager
    def guarded():
        try:
            yield
        except Exception:
            faults.append(traceback.format_exc())

    def read(number):
        rng = np.random.default_rng(number)
        while time.monotonic() < limit and not faults:
            with guarded():
                what = check(model, rng, seen)
                with lock:
                    counts[what] += 1

    positions = np.array_split(np.arange(len(LATER)), N_WRITERS)
    given = []

    def write(number):
        for position in positions[number]:
            if time.monotonic() > limit or faults:
                return
            with guarded():
                model.update(LATER[[position]])
                with lock:
                    counts["update"] += 1
                    given.append(position)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(N_READERS)]
    threads += [threading.Thread(target=write, args=(i,)) for i in range(N_WRITERS)]
    for thread in threads:
        thread.start()
    if hasattr(os, "fork"):
        while time.monotonic() < limit and not faults:
            time.sleep(seconds / 5)
            pid = os.fork()
            if not pid:
                import signal

                signal.alarm(60)
                model.update(LATER[-3:]).recommend(PAST.user_ids[3])
                os._exit(0)
            counts["fork"] += 1
            if os.waitpid(pid, 0)[1]:
                faults.append("a child hangs or fails")
    for thread in threads:
        thread.join()
    at_once = AutoRecRegressor(8, kind=kind, max_iter=5, random_state=0).fit(PAST)
    at_once.update(LATER[np.sort(given)])
    difference = np.abs(model.user_factors_ - at_once.user_factors_).max()
    if difference > 1e-9 or model.drift_.n_ratings != len(given):
        faults.append(f"{difference} from taking in all at once")
    return counts, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="for each kind")
    arguments = parser.parse_args()
    is_free = not getattr(sys, "_is_gil_enabled", lambda: True)()
    print(f"Python {sys.version.split()[0]}, {'without' if is_free else 'with'} the GIL")
    n_faults = 0
    for kind in ("item", "user", "both"):
        counts, faults = run(kind, arguments.seconds)
        asked = ", ".join(f"{name} {n}" for name, n in sorted(counts.items()))
        print(f"{kind}: {asked}; {len(faults)} faults", *faults[:2], sep="\n", flush=True)
        n_faults += len(faults)
    sys.exit(bool(n_faults))


if __name__ == "__main__":
    main()
