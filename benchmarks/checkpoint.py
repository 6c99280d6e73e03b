"""What keeping a fit's progress costs, on MovieLens 1M with ``kind="both"``.

Seconds of a fit with ``checkpoint=`` over those of one without, alternating; with a file every
second at most, in place of every half minute, so that fits of this length write at all. The bound
on the share of the time is the usual one.
"""

import argparse
import statistics
import tempfile
import time

from data import load, machine

from skautorec import AutoRecRegressor
from skautorec._files import archive, checkpoint


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="one round on MovieLens 100K")
    arguments = parser.parse_args()
    ratings = load("ml-100k" if arguments.quick else "ml-1m")
    written, write = [], archive.write

    def timed(file, values, arrays):
        start = time.perf_counter()
        write(file, values, arrays)
        size = sum(array.nbytes for array in arrays.values())
        written.append((time.perf_counter() - start, size))

    def fit(folder):
        start = time.perf_counter()
        params = {"max_iter": 30, "tol": 0, "n_iter_no_change": 30, "random_state": 0}
        AutoRecRegressor(kind="both", checkpoint=folder, **params).fit(ratings)
        return time.perf_counter() - start

    checkpoint.SECONDS, archive.write = 1, timed
    print(machine())
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(1 if arguments.quick else arguments.rounds):
            without = fit(None)
            ratios.append(fit(folder) / without)
    spread = " ".join(f"{ratio:.3f}" for ratio in sorted(ratios))
    print(f"fit with over without: median {statistics.median(ratios):.3f} ({spread})")
    if written:
        seconds, sizes = zip(*written, strict=True)
        print(
            f"{len(written)} files written, the largest of {max(sizes) / 1e6:.0f} MB, in "
            f"{statistics.median(seconds):.3f} s each"
        )


if __name__ == "__main__":
    main()
