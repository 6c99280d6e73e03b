"""Seconds and peak memory of a fit as the ratings grow, on synthetic sets with popular items.

64 units, 5 epochs, item kind; the shape of each set is that of Netflix, scaled. Each size runs in
a process of its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

from data import machine

from skautorec import AutoRecRegressor
from skautorec.datasets import make_ratings

NETFLIX = 480_000, 17_770, 100_000_000


def measure(millions):
    """Fit one size; print seconds and peak memory."""
    share = millions * 1e6 / NETFLIX[2]
    n_users, n_items = (max(50, round(n * share**0.5)) for n in NETFLIX[:2])
    ratings = make_ratings(n_users, n_items, round(millions * 1e6), random_state=0)
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    AutoRecRegressor(64, max_iter=5, random_state=0).fit(ratings)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"shape": [n_users, n_items], "seconds": seconds, "made": made, "peak": peak}))


def main():
    """Print the table and its JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two small sizes")
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 3, 10, 30])
    parser.add_argument("--one", type=float, help="measure this size only, in this process")
    options = parser.parse_args()
    if options.one:
        measure(options.one)
        return
    print(
        machine(),
        "\n\n| million ratings | shape | fit s | us per rating | peak GB | bytes per rating |",
    )
    print("|---|---|---|---|---|---|", flush=True)
    results = {}
    for millions in (0.01, 0.03) if options.quick else options.millions:
        command = [sys.executable, __file__, "--one", str(millions)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        run = results[millions] = json.loads(output)
        shape, n = " x ".join(f"{n:,}" for n in run["shape"]), millions * 1e6
        cells = f"{run['seconds']:.1f} | {1e6 * run['seconds'] / n:.2f}"
        memory = f"{run['peak'] / 2**20:.2f} | {1024 * run['peak'] / n:.0f}"
        print(f"| {millions:g} | {shape} | {cells} | {memory} |", flush=True)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
