"""Ask a pre-forking server for lists while its workers are killed and its model is replaced.

    python tests/stress/server.py --n 10000

The client asks again where a worker died over its request, as a load balancer does. Each answer
must be that of one of the models, as a whole. Linux only.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))


def main():
    from serving import run

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10_000, help="requests")
    parser.add_argument("--clients", type=int, default=4)
    arguments = parser.parse_args()
    # Two threads in the parent of the workers, few in the client.
    os.environ["OMP_WAIT_POLICY"] = "passive"
    with tempfile.TemporaryDirectory() as folder:
        load = run(Path(folder), arguments.n, arguments.clients)
    print(
        f"{load.n_answers} answers to {arguments.n} requests, {load.n_wrong} wrong, {load.n_lost} "
        f"lost; {load.n_retries} asked again, {load.n_kills} workers killed, model replaced "
        f"{load.n_models} times, answers of {len(load.by_model)} models"
    )
    median, most, longest = 1000 * np.quantile(load.seconds, [0.5, 0.99, 1])
    print(f"milliseconds of an answer: median {median:.0f}, 99 % {most:.0f}, longest {longest:.0f}")
    if load.n_wrong or load.n_lost:
        sys.exit(1)


if __name__ == "__main__":
    main()
