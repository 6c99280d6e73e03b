"""Give the library input that was made up, and count what came of it.

    OMP_NUM_THREADS=1 python tests/stress/inputs.py --n 100000

Runs the tests of tests/test_generated.py on other and on more input, in a child that may die. An
input is a table, matrix, set of parameters or forged file, or a call in a sequence of them. Ends
with the counts of inputs, of messages by what they say, and of faults, with their seeds.
"""

import argparse
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import hypothesis
from hypothesis import settings
from hypothesis.stateful import invariant, run_state_machine_as_test

sys.path.insert(0, str(Path(__file__).parents[1]))

import strategies
import test_generated

# Shares of the inputs.
SHARES = {
    "tables": 0.15,
    "matrices": 0.3,
    "parameters": 0.1,
    "baselines": 0.15,
    "forged": 0.1,
    "calls": 0.2,
}
TESTS = {
    "tables": test_generated.test_tables_of_any_ids_are_read_as_they_are,
    "matrices": test_generated.test_matrices_of_any_form_hold_the_same_ratings,
    "parameters": test_generated.test_any_parameters_fit_any_matrix_or_say_why_not,
    "baselines": test_generated.test_baselines_fit_any_matrix_or_say_why_not,
    "forged": test_generated.test_forged_files_are_refused_or_answer,
}
STEPS = 20


class Counted(test_generated.Calls):
    n = 0

    @invariant()
    def count(self):
        Counted.n += 1


def described(error):
    """What went wrong, and the last lines of ours that it went through."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if "/tests/" in one.filename]
    inner = error.__cause__ or error
    last = traceback.extract_tb(inner.__traceback__)[-1]
    line = f"{frames[-1].lineno}" if frames else ""
    return f"{strategies.template(inner)} at {Path(last.filename).name}:{last.lineno}, tests:{line}"


def batch(name, seed, n):
    """Try n inputs; return how many were, messages and faults."""
    strategies.SAID.clear()
    faults = Counter()
    quick = settings(test_generated.QUICK, derandomize=False)
    if name == "calls":
        Counted.n = 0
        hypothesis.seed(seed)(Counted)
        machine = settings(quick, max_examples=max(1, n // STEPS), stateful_step_count=STEPS)
        try:
            run_state_machine_as_test(Counted, settings=machine)
        except Exception as error:
            faults[f"{described(error)}"] += 1
        return max(Counted.n, 1), dict(strategies.SAID), dict(faults)
    check, done = TESTS[name].hypothesis.inner_test, 0

    def one(data):
        nonlocal done
        done += 1
        try:
            check(data)
        except Exception as error:
            if type(error).__module__.startswith("hypothesis"):
                raise
            faults[f"{described(error)}"] += 1

    given = hypothesis.given(test_generated.DATA)(one)
    hypothesis.seed(seed)(settings(quick, max_examples=n)(given))()
    return done, dict(strategies.SAID), dict(faults)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no batch later")
    parser.add_argument("--only", choices=SHARES)
    args = parser.parse_args()
    start, seed = time.monotonic(), args.seed
    done, said, faults, seeds = Counter(), Counter(), Counter(), {}
    shares = {args.only: 1.0} if args.only else SHARES
    pool = ProcessPoolExecutor(1, get_context("spawn"))
    while done.total() < args.n and time.monotonic() - start < args.seconds:
        name = min(shares, key=lambda name: done[name] / shares[name])
        seed += 1
        try:
            n, messages, found = pool.submit(batch, name, seed, args.batch).result(timeout=900)
        except (BrokenProcessPool, TimeoutError) as error:
            n, messages, found = args.batch, {}, {f"{type(error).__name__} in {name} {seed}": 1}
            pool.shutdown(wait=False, cancel_futures=True)
            pool = ProcessPoolExecutor(1, get_context("spawn"))
        done[name] += n
        said.update(messages)
        faults.update(found)
        for fault in found:
            seeds.setdefault(fault, (name, seed))
            print(f"    {fault}", flush=True)
        print(
            f"{time.monotonic() - start:6.0f} s {done.total():7,} {name} {sum(found.values())}",
            flush=True,
        )
    pool.shutdown()
    for what, counts in (("inputs", done), ("messages", said), ("faults", faults)):
        print(f"\n{counts.total():,} {what}")
        for name, count in counts.most_common():
            print(f"{count:8,} {name} {seeds.get(name, '')}")


if __name__ == "__main__":
    main()
