"""Processes that are forked from one that has computed, or started in other ways, answer alike."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from conftest import new
from serving import run

from skautorec import AutoRecRegressor
from skautorec._core.forks import cached_property
from skautorec.baselines import BiasRegressor
from skautorec.datasets import make_ratings

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
RATINGS = make_ratings(80, 50, 1500, random_state=0)
MORE = make_ratings(90, 60, 1500, random_state=0)[:20]


def fitted(kind):
    return new(kind, max_iter=3).fit(RATINGS) if kind != "biases" else BiasRegressor().fit(RATINGS)


def use(model):
    """All that a process may do with a model, and what comes of it."""
    users = list(model.user_ids_) * 2
    told = [model.predict(RATINGS), *model.predict(RATINGS.to_matrix(), return_std=True)]
    told += [*model.recommend(users, n=3), *model.fold_in({0: 5, 3: 1})]
    if isinstance(model, AutoRecRegressor):
        told += [*model.similar_items(3), *model.similar_users(3)]
        told += model.explain(3, 4) if model.kind != "user" else []
        told += [*model.update(MORE).recommend(users, n=3), model.user_factors_]
        told.append(model.fit(RATINGS).predict(RATINGS))
    # Small enough to be sent.
    return [float(np.nansum(some)) for some in told]


def run_alone(code):
    """Run code in a process with two threads of torch; one that hangs is killed."""
    environment = os.environ | {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=os.path.dirname(__file__), timeout=300,
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return process.stdout.split()


# A child of a child too. Each ends if it hangs.
FORKED = """
import copy, os, signal
import numpy as np, torch
from conftest import KINDS
from test_forks import fitted, use

assert torch.get_num_threads() == 2
models = {kind: fitted(kind) for kind in [*KINDS, "biases"]}
expected = {kind: use(copy.deepcopy(model)) for kind, model in models.items()}

def in_child(depth):
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    signal.alarm(120)
    assert torch.get_num_threads() == 1
    for kind, model in models.items():
        np.testing.assert_allclose(use(copy.deepcopy(model)), expected[kind], rtol=1e-4)
    os._exit(in_child(depth - 1) and 2 if depth else 0)

print(in_child(1))
assert torch.get_num_threads() == 2
use(models["item"])
"""


@needs_fork
def test_children_of_a_process_that_has_computed_do_all_that_it_does():
    assert run_alone(FORKED) == ["0"]


# Other threads fit, publish an update and compute an exposure just then.
BUSY = """
import os, signal, threading
import numpy as np
import skautorec._core.exposure, skautorec._estimator
from test_forks import MORE, RATINGS, AutoRecRegressor, fitted

model, other = fitted("item"), fitted("item")
expected = model.recommend(3)[1]
updated = fitted("item").update(MORE).predict(RATINGS)
inside, go_on = [threading.Event() for _ in range(3)], threading.Event()


def waiting(function, event):
    def wait_and_do(*args, **kwargs):
        event.set()
        go_on.wait(30)
        return function(*args, **kwargs)

    return wait_and_do


def within(module, name, event, call):
    original = getattr(module, name)

    def once(*args, **kwargs):
        setattr(module, name, original)
        return waiting(original, event)(*args, **kwargs)

    setattr(module, name, once)
    thread = threading.Thread(target=call)
    thread.start()
    assert event.wait(30)
    return thread


publishing = fitted("item")
threads = [
    within(skautorec._core.exposure, "fit_exposure", inside[0], lambda: other.recommend(3)),
    within(AutoRecRegressor, "_publish", inside[1], lambda: publishing.update(MORE)),
    within(skautorec._estimator, "fit_model", inside[2], lambda: fitted("item")),
]


def same(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-4)


def compute():
    same(other.recommend(3)[1], expected)
    same(model.update(MORE).predict(RATINGS), updated)
    same(publishing.update(MORE).predict(RATINGS), updated)


pid = os.fork()
if not pid:
    signal.alarm(60)
    compute()
    os._exit(0)
print(os.waitpid(pid, 0)[1])
go_on.set()
for thread in threads:
    thread.join()
"""


@needs_fork
def test_a_fork_while_other_threads_fit_update_and_compute_an_exposure():
    assert run_alone(BUSY) == ["0"]


# Ways of others to start processes.
STARTED = """
import multiprocessing as mp
import numpy as np
from joblib import Parallel, delayed
from test_forks import fitted, use

if __name__ == "__main__":
    model, expected = fitted("both"), use(fitted("both"))
    for way in ("fork", "forkserver", "spawn"):
        with mp.get_context(way).Pool(1) as pool:
            np.testing.assert_allclose(pool.apply_async(use, [model]).get(100), expected, rtol=1e-4)
        print(way)
    for way in ("multiprocessing", "loky"):
        told = Parallel(n_jobs=2, backend=way)([delayed(use)(model)])
        np.testing.assert_allclose(told[0], expected, rtol=1e-4)
        print(way)
"""


@needs_fork
def test_processes_that_are_started_in_any_way_answer_alike():
    assert run_alone(STARTED) == ["fork", "forkserver", "spawn", "multiprocessing", "loky"]


class Slow:
    def __init__(self):
        self.is_inside, self.is_over = threading.Event(), threading.Event()

    @cached_property
    def value(self):
        self.is_inside.set()
        assert self.is_over.wait(20)
        return 3


def test_no_thread_waits_for_what_another_computes():
    one, other = Slow(), Slow()
    other.is_over.set()
    thread = threading.Thread(target=lambda: one.value)
    thread.start()
    one.is_inside.wait()
    assert other.value == other.__dict__["value"] == 3
    one.is_over.set()
    thread.join()
    assert one.value == 3


@needs_fork
@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="needs Linux")
def test_a_server_whose_workers_are_killed_loses_no_request(tmp_path):
    pytest.importorskip("gunicorn")
    load = run(tmp_path, 300, kill_every=0.5, replace_every=0.2)
    assert load.n_answers >= 300 and load.n_lost == load.n_wrong == 0
    assert load.n_kills and load.by_model == {0, 1, 2}


@pytest.mark.parametrize(
    ("name", "where", "what", "message"),
    [
        ("cuda", torch, "ones", "Cannot re-initialize CUDA in forked subprocess."),
        ("cpu", torch.Tensor, "backward", "Unable to handle autograd's threading with fork"),
    ],
)
def test_a_fit_after_cuda_was_used_before_the_fork_says_what_to_do(
    name, where, what, message, ratings, monkeypatch
):
    # What torch says on a machine with CUDA.
    def fail(*args, **kwargs):
        raise RuntimeError(message)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: name == "cuda")
    monkeypatch.setattr(where, what, fail)
    model = new("item", device="auto")
    with pytest.raises(ValueError, match="forked from one in which torch uses CUDA.*'spawn' or"):
        model.fit(ratings)
