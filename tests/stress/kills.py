"""Kill fits at random moments, twice each, and compare what they end with.

    OMP_NUM_THREADS=1 python tests/stress/kills.py --n 60

Each fit runs in a child that is killed twice with SIGKILL, at moments drawn from the time that the
fit takes, and a third child ends it. Its model must be that of a fit that nobody killed, to the
byte of the saved file. Needs `os.fork`.
"""

import argparse
import collections
import io
import os
import random
import signal
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

from skautorec import AutoRecRegressor, Ratings
from skautorec._files import checkpoint
from skautorec.datasets import make_ratings

TABLE = make_ratings(600, 300, 20_000, random_state=0)
WEIGHTED = Ratings(TABLE.users, TABLE.items, TABLE.values, weights=TABLE.values / 3)
R = TABLE.to_matrix()
# Training takes most of the time; the rest is waited for. None is any moment.
PHASES = [None, "calibration", "rows"]
DATA = {"table": (TABLE,), "weights": (WEIGHTED,), "with y": (R[:, :200], R[:, 200:])}


def settings(rng):
    """A fit of a kind, an average, a solver and data drawn at random."""
    solver = rng.choice(["adam"] * 6 + ["rmsprop", "sgd", "rprop", "lbfgs"])
    params = {
        "kind": rng.choice(["item", "user", "both"]),
        "n_estimators": rng.choice([1, 1, 2, 3]),
        "hidden_units": rng.choice([16, (16, 8)]),
        "solver": solver,
        "max_iter": 12 if solver == "lbfgs" else 40,
        "random_state": rng.randrange(1000),
    }
    return params, rng.choice(list(DATA))


def fit(params, data, folder, to):
    """Fit, and put the saved model where it belongs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoRecRegressor(**params, checkpoint=folder).fit(*DATA[data])
    file = io.BytesIO()
    model.set_params(checkpoint=None).save(file)
    to.write_bytes(file.getvalue())


def child(function, *args):
    """Run a function in a child; return its number."""
    pid = os.fork()
    if not pid:
        try:
            function(*args)
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(1)
    return pid


def phase_of(folder):
    """What a fit was at when it was killed."""
    file = next(folder.glob("*.npz"), None)
    if file is None:
        return "nothing written"
    try:
        with zipfile.ZipFile(file) as zipped:
            names = zipped.namelist()
    except FileNotFoundError:
        return "done"
    for phase in ("rows", "calibration", "training"):
        if any(name.startswith(phase) or f".{phase}/" in name for name in names):
            return phase
    return "between networks"


def wait_for(phase, pid, folder, seconds):
    """Wait for so many seconds or, for a phase that is short, until it has begun."""
    if phase is None:
        time.sleep(seconds)
        return
    while phase_of(folder) != phase and not os.waitid(
        os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT
    ):
        time.sleep(0.001)


def try_one(rng, phases):
    """Return whether a fit that was killed twice ends as one that was not."""
    params, data = settings(rng)
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        start = time.monotonic()
        status = os.waitpid(child(fit, params, data, None, here / "expected"), 0)[1]
        seconds = time.monotonic() - start
        assert status == 0, params
        for phase in sorted(rng.choices(PHASES, k=2), key=PHASES.index):
            pid = child(fit, params, data, here / "folder", here / "model")
            wait_for(phase, pid, here / "folder", rng.uniform(0, 0.7 * seconds))
            os.kill(pid, signal.SIGKILL)
            if os.waitpid(pid, 0)[1] == signal.SIGKILL:
                phases[phase_of(here / "folder")] += 1
            else:
                phases["done before the kill"] += 1
        status = os.waitpid(child(fit, params, data, here / "folder", here / "model"), 0)[1]
        is_same = status == 0 and (here / "model").read_bytes() == (here / "expected").read_bytes()
        is_clean = not list((here / "folder").iterdir())
    if not (is_same and is_clean):
        print(f"FAULT: {params}, {data}: same {is_same}, file gone {is_clean}", flush=True)
    return is_same and is_clean


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=60, help="fits, each killed twice")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    checkpoint.SECONDS, checkpoint.SHARE = 0, float("inf")
    rng, phases = random.Random(arguments.seed), collections.Counter()
    n_good = sum(try_one(rng, phases) for _ in range(arguments.n))
    print(f"{n_good} of {arguments.n} fits, killed twice each, ended as if nothing had happened")
    print("killed in: " + ", ".join(f"{name} {n}" for name, n in phases.most_common()))


if __name__ == "__main__":
    main()
