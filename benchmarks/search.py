"""A grid search with two jobs against one: seconds, threads, and the same answer.

MovieLens 100K. *Compute* are the threads that torch may use in all workers together. *Alive* and
*running* are the most threads of this process and its descendants, among them those that start
workers, pass messages and wait, read from /proc (Linux) twenty times a second during the search.
"""

import argparse
import json
import threading
import time
from pathlib import Path

import torch
from data import load, machine, random_split
from joblib import Parallel, delayed
from sklearn.model_selection import GridSearchCV, KFold

from skautorec import AutoRecRegressor

GRID = {"hidden_units": [50, 200], "lambd": [60, 100, 150]}


def children():
    """Process ids of all processes by their parent's."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        found.setdefault(int(fields[1]), []).append(int(path.parent.name))
    return found


def count_threads(pid):
    """Threads alive, and threads running or ready to run, of a process and its descendants."""
    by_parent, waiting, alive, running = children(), [pid], 0, 0
    while waiting:
        process = waiting.pop()
        waiting += by_parent.get(process, [])
        for path in Path(f"/proc/{process}/task").glob("*/stat"):
            try:
                state = path.read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            alive += 1
            running += state == "R"
    return alive, running


class ThreadWatch:
    """Largest numbers of threads seen while the block runs, its own thread left out."""

    def __enter__(self):
        self.alive = self.running = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _watch(self):
        pid = int(Path("/proc/self").resolve().name)
        while not self._done.wait(0.05):
            alive, running = count_threads(pid)
            self.alive, self.running = max(self.alive, alive - 1), max(self.running, running - 1)


def search(ratings, n_jobs, quick):
    """Run the search: seconds, threads and the best parameters."""
    model = AutoRecRegressor(max_iter=5 if quick else 80, random_state=0)
    cv = KFold(5, shuffle=True, random_state=0)
    tool = GridSearchCV(model, GRID, cv=cv, n_jobs=n_jobs, refit=False)
    with ThreadWatch() as watch:
        start = time.perf_counter()
        tool.fit(ratings)
        seconds = time.perf_counter() - start
    compute = Parallel(n_jobs)(delayed(torch.get_num_threads)() for _ in range(n_jobs))
    return {
        "seconds": seconds,
        "compute": sum(compute),
        "threads": watch.alive,
        "running": watch.running,
        "best": tool.best_params_,
    }


def main():
    """Print the table and its JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the ratings, 5 epochs")
    options = parser.parse_args()
    ratings = load("ml-100k")
    if options.quick:
        ratings = random_split(ratings, 0)[1]
    print(
        machine(),
        "\n\n| n_jobs | s | compute | alive | running | best |\n|---|---|---|---|---|---|",
    )
    runs = {}
    for n_jobs in (1, 2):
        run = runs[n_jobs] = search(ratings, n_jobs, options.quick)
        threads = f"{run['compute']} | {run['threads']} | {run['running']}"
        cells = f"{run['seconds']:.1f} | {threads} | {run['best']}"
        print(f"| {n_jobs} | {cells} |", flush=True)
    ratio, same = runs[2]["seconds"] / runs[1]["seconds"], runs[1]["best"] == runs[2]["best"]
    print(f"\nTwo jobs take {ratio:.2f} times as long; same best parameters: {same}.")
    print(json.dumps({"runs": runs, "ratio": ratio, "same": same}))


if __name__ == "__main__":
    main()
