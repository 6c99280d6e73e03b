"""Seconds and peak memory of a fit as the ratings grow, on synthetic sets with popular items.

64 units, 5 epochs, item kind; the shape of each set is that of Netflix, scaled. Each size runs in
a process of its own.
"""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from data import machine, peak

from skautorec import AutoRecRegressor, Ratings
from skautorec.datasets import make_ratings

NETFLIX = 480_000, 17_770, 100_000_000
UNITS = 64


def shape_of(millions):
    """Users and items of a set with so many million ratings."""
    share = millions * 1e6 / NETFLIX[2]
    return [max(50, round(n * share**0.5)) for n in NETFLIX[:2]]


def make(millions, file):
    """Write a set to a file."""
    ratings = make_ratings(*shape_of(millions), round(millions * 1e6), random_state=0)
    np.savez(file, users=ratings.users, items=ratings.items, values=ratings.values)


def fit(file):
    """Fit the set of a file; print seconds, and bytes above the libraries and for the data."""
    importlib.import_module("torch._dynamo")  # as the first optimizer of a process does
    libraries = peak()
    with np.load(file) as arrays:
        ratings = Ratings(arrays["users"], arrays["items"], arrays["values"])
    start = time.perf_counter()
    AutoRecRegressor(UNITS, max_iter=5, random_state=0).fit(ratings)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "bytes": peak() - libraries}))


def least(millions):
    """Bytes of the table, the pattern and four copies of the parameters.

    The table has two int32 codes and a float64 value a rating; the pattern float32 values, int32
    columns, their transpose and the permutation between the two.
    """
    parameters = (2 * shape_of(millions)[0] + 1) * (UNITS + 1)
    return millions * 1e6 * (16 + 16) + 4 * 4 * parameters


def draw(results, path):
    """Write the figure of both against size."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    sizes = np.array([run["millions"] for run in results])
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    seconds, peaks = (np.array([run[key] for run in results]) for key in ("seconds", "bytes"))
    left.plot(sizes, seconds / sizes, "o-")
    left.set(title="Time of a fit, 5 epochs", ylabel="microseconds per rating")
    right.plot(sizes, peaks / sizes / 1e6, "o-", label="peak above the libraries")
    floor = [least(size) / size / 1e6 for size in sizes]
    right.plot(sizes, floor, "s--", label="table, pattern, 4 x parameters")
    right.set(title="Memory of a fit", ylabel="bytes per rating")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.set(xscale="log", xlabel="million ratings", ylim=(0, None))
        axes.set_xticks(sizes, [f"{m:g}" for m in sizes])
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def run(*arguments):
    """Run this script with other arguments in a process of its own; return what it printed."""
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main():
    """Print the table and its JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two small sizes")
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 3, 10, 30, 100])
    parser.add_argument("--figure", help="file of the figure")
    parser.add_argument("--make", type=float, help="write this size only, to --file")
    parser.add_argument("--fit", action="store_true", help="fit --file only, in this process")
    parser.add_argument("--file")
    options = parser.parse_args()
    if options.make:
        return make(options.make, options.file)
    if options.fit:
        return fit(options.file)
    columns = ("million ratings", "shape", "fit s", "us per rating", "peak GB", "bytes per rating")
    print(machine(), "\n\n|", " | ".join((*columns, "least")), "|")
    print("|---|---|---|---|---|---|---|", flush=True)
    results = []
    for millions in (0.01, 0.03) if options.quick else options.millions:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "ratings.npz"
            run("--make", millions, "--file", file)
            result = json.loads(run("--fit", "--file", file)) | {"millions": millions}
        results.append(result)
        shape, n = " x ".join(f"{n:,}" for n in shape_of(millions)), millions * 1e6
        cells = f"{result['seconds']:.1f} | {1e6 * result['seconds'] / n:.2f}"
        memory = f"{result['bytes'] / 1e9:.2f} | {result['bytes'] / n:.0f}"
        print(
            f"| {millions:g} | {shape} | {cells} | {memory} | {least(millions) / n:.0f} |",
            flush=True,
        )
    if options.figure:
        draw(results, options.figure)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
