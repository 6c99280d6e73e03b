"""Rating sets that the benchmarks share.

The data are read from the folder that the environment variable SKAUTOREC_DATA names; see
CONTRIBUTING.md for its layout.
"""

import os
import platform
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from skautorec import Ratings

_CSV = {"names": ["user", "item", "rating"], "header": 0}
FILES = {
    "ml-100k": ("ml-100k/u.data", {"sep": "\t", "names": ["user", "item", "rating", "time"]}),
    "ml-1m": ("ml-1m/ratings.csv.gz", _CSV),
    "anime": ("anime/ratings.csv.gz", _CSV),
    "books": ("books/ratings.csv.gz", _CSV),
    "boardgames": ("boardgames/ratings.csv.gz", _CSV),
    "music": ("music/ratings.csv.gz", _CSV),
    "movietweetings": (
        "movietweetings/ratings.csv.gz",
        {"names": ["user", "item", "rating", "time"], "header": 0},
    ),
}
COLUMNS = {"user": "user", "item": "item", "rating": "rating"}


def folder():
    """Folder of the data, or an exit that says how to name it."""
    path = os.environ.get("SKAUTOREC_DATA")
    if not path:
        raise SystemExit("Set SKAUTOREC_DATA to the folder that holds ml-100k and ml-1m.")
    return Path(path)


def load(name):
    """All ratings of a set, in file order."""
    file, options = FILES[name]
    return Ratings.from_frame(pd.read_csv(folder() / file, **options), **COLUMNS)


def random_split(ratings, seed):
    """Random 90/10 split of the ratings: train and test."""
    order = np.random.default_rng(seed).permutation(len(ratings))
    cut = len(ratings) // 10
    return ratings[order[cut:]], ratings[order[:cut]]


def u1():
    """The canonical first split of MovieLens 100K: train and test."""
    options = FILES["ml-100k"][1]
    parts = [pd.read_csv(folder() / f"ml-100k/u1.{part}", **options) for part in ("base", "test")]
    both = Ratings.from_frame(pd.concat(parts), **COLUMNS)
    return both[: len(parts[0])], both[len(parts[0]) :]


def splits(name, *seeds):
    """Training and test ratings for each seed."""
    ratings = load(name)
    return [random_split(ratings, seed) for seed in seeds]


# Splits on which results are reported; nothing was chosen on their test ratings.
SETS = {
    "ML-100K u1": lambda: [u1()],
    "anime": lambda: splits("anime", 5),
    "books": lambda: splits("books", 5),
    "boardgames": lambda: splits("boardgames", 5),
    "music": lambda: splits("music", 5),
    "MovieTweetings": lambda: splits("movietweetings", 5),
    "ML-1M": lambda: splits("ml-1m", 0, 1, 2, 3, 4),
}


def rmse(truth, predicted):
    """Root mean squared error."""
    return float(np.sqrt(np.mean((np.asarray(truth) - predicted) ** 2)))


def alternate(steps, n_rounds):
    """Run the steps in alternating rounds: median seconds and last answer of each."""
    seconds, answers = {name: [] for name in steps}, {}
    for _ in range(n_rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            answers[name] = step()
            seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(times)) for name, times in seconds.items()}, answers


def peak():
    """Peak resident memory of this process in bytes (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def step(name, call):
    """Print a row of seconds and peak memory after a call, and return its answer."""
    start = time.perf_counter()
    answer = call()
    print(f"| {name} | {time.perf_counter() - start:.1f} | {peak() / 1e9:.2f} |", flush=True)
    return answer


def machine():
    """One line about where a number comes from."""
    return (
        f"{platform.machine()}, {torch.get_num_threads()} threads, Python "
        f"{platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}"
    )
