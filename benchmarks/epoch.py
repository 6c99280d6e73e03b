"""Seconds and memory of an epoch, and of a fit of both kinds, against the dense loop.

MovieLens 1M, 500 units. The dense loop is the one that everyone writes: batches of 512 item rows,
a mask, Adam. Rounds alternate; medians are quoted.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from data import load, machine, peak

from skautorec import AutoRecRegressor, Ratings
from skautorec.datasets import make_ratings

UNITS = 500


def dense_loop(ratings, n_epochs):
    """Seconds of each epoch of the dense loop, and its peak memory."""
    R = torch.tensor(ratings.to_matrix().T.toarray(), dtype=torch.float32)
    mask = (R > 0).float()
    encoder = torch.nn.Linear(R.shape[1], UNITS)
    decoder = torch.nn.Linear(UNITS, R.shape[1])
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
    seconds = []
    for _ in range(n_epochs):
        start = time.perf_counter()
        for rows in torch.randperm(len(R)).split(512):
            optimizer.zero_grad()
            errors = (decoder(torch.sigmoid(encoder(R[rows]))) - R[rows]) * mask[rows]
            penalty = encoder.weight.square().sum() + decoder.weight.square().sum()
            (errors.square().sum() + len(rows) / len(R) * 60 * penalty).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    return seconds, peak()


class Clock:
    """Callback that notes when epochs end, and the peak memory then."""

    def __init__(self):
        self.ticks, self.peak = [], 0

    def setup(self, estimator, context):
        """Nothing to prepare."""

    def on_fit_task_begin(self, estimator, context):
        """Nothing to note."""

    def on_fit_task_end(self, estimator, context):
        """Note the time and the memory."""
        if context.task_name == "epoch":
            self.ticks.append(time.perf_counter())
            self.peak = peak()

    def teardown(self, estimator, context):
        """Nothing to tidy."""


def our_epochs(ratings, n_epochs):
    """Seconds of each of our epochs, the first left out, and peak memory at the end of the last."""
    clock = Clock()
    AutoRecRegressor(UNITS, max_iter=n_epochs + 1, random_state=0).set_callbacks(clock).fit(ratings)
    return np.diff(clock.ticks).tolist(), clock.peak


def our_fit(ratings, _):
    """Seconds and peak memory of a whole fit of both kinds with default parameters."""
    start = time.perf_counter()
    AutoRecRegressor(kind="both", random_state=0).fit(ratings)
    return [time.perf_counter() - start], peak()


STEPS = {"dense epoch": dense_loop, "our epoch": our_epochs, "our fit, kind='both'": our_fit}


def measure(name, file):
    """Run one step in this process; print seconds and peak memory above the libraries'."""
    libraries = peak()
    arrays = np.load(file)
    ratings = Ratings(arrays["users"], arrays["items"], arrays["values"])
    seconds, highest = STEPS[name](ratings, 5)
    print(json.dumps({"seconds": seconds, "megabytes": (highest - libraries) / 2**20}))


def matrix_product_rate():
    """Floating-point operations per second of torch.mm on 3000 x 3000."""
    A = torch.randn(3000, 3000)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        A @ A
        times.append(time.perf_counter() - start)
    return 2 * 3000**3 / np.median(times)


def main():
    """Print the table and its JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small synthetic set, one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--step", choices=STEPS, help="run this step only, in this process")
    parser.add_argument("--file", help="where the step reads its ratings")
    options = parser.parse_args()
    if options.step:
        measure(options.step, options.file)
        return
    ratings = make_ratings(300, 200, 5000, random_state=0) if options.quick else load("ml-1m")
    runs = {name: [] for name in STEPS}
    with tempfile.TemporaryDirectory() as folder:
        # Read without a parser, whose own peak would hide the step's.
        file = Path(folder) / "ratings.npz"
        np.savez(file, users=ratings.users, items=ratings.items, values=ratings.values)
        for _ in range(1 if options.quick else options.rounds):
            for name in STEPS:
                command = [sys.executable, __file__, "--step", name, "--file", str(file)]
                output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                runs[name].append(json.loads(output))
    seconds = {
        name: float(np.median([s for run in runs[name] for s in run["seconds"]])) for name in runs
    }
    memory = {name: float(np.median([run["megabytes"] for run in runs[name]])) for name in runs}
    print(machine(), "\n\n| step | median s | peak MB above the libraries |\n|---|---|---|")
    for name in STEPS:
        print(f"| {name} | {seconds[name]:.3f} | {memory[name]:.0f} |")
    speedup = seconds["dense epoch"] / seconds["our epoch"]
    fit = seconds["our fit, kind='both'"] / (40 * seconds["dense epoch"])
    print(
        f"\nOur epoch is {speedup:.1f} times as fast; a fit of both kinds takes {fit:.2f} times as "
        f"long as 40 dense epochs. Peak memory in our epochs is "
        f"{memory['our epoch'] / memory['dense epoch']:.2f} of the dense loop's."
    )
    # Two products of the cells that are given, and three of those that are hidden.
    dropout = 0.7
    products = 2 * (1 - dropout) + 3 * dropout
    rate = 2 * products * len(ratings) * UNITS / seconds["our epoch"]
    reference = matrix_product_rate()
    print(f"{rate / 1e9:.0f} Gflop/s, {rate / reference:.0%} of torch.mm on 3000 x 3000.")
    print(json.dumps({"seconds": seconds, "megabytes": memory, "rate": rate, "mm": reference}))


if __name__ == "__main__":
    main()
