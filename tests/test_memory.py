"""What there is no memory for is refused at once, and leaves everything as it was."""

import io
import json
import math
import os
import pickle
import subprocess
import sys
import zlib

import numpy as np
import pytest
import sklearn
import torch
from conftest import new

from skautorec import AutoRecRegressor
from skautorec._core import isolation, memory, training
from skautorec._core.solvers import SOLVERS
from skautorec._files import archive
from skautorec._fitted import Fitted
from skautorec.datasets import make_ratings

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")


@pytest.fixture(scope="module")
def model(ratings):
    return AutoRecRegressor(8, max_iter=5, random_state=0).fit(ratings)


@pytest.fixture
def have(monkeypatch):
    """Set the bytes of memory that there are; nothing is too small to be looked at."""

    def set_to(n_bytes):
        monkeypatch.setattr(memory, "most_memory", lambda: n_bytes)

    monkeypatch.setattr(memory, "_SMALL", 0)
    return set_to


@pytest.mark.parametrize("std", [False, True])
def test_predictions_larger_than_memory_are_refused(model, ratings, have, std):
    R = ratings.to_matrix()
    have(8 * 80 * 50 * (1 + std))
    model.predict(R, return_std=std)
    have(8 * 80 * 50 * (1 + std) - 1)
    with pytest.raises(MemoryError, match=r"80 users by 50 items.* fewer rows at a time"):
        model.predict(R, return_std=std)
    model.predict(ratings)


@pytest.mark.parametrize("method", ["recommend", "similar_items", "similar_users"])
def test_lists_larger_than_memory_are_refused(model, ratings, have, method):
    ids = ratings.item_ids if method == "similar_items" else ratings.user_ids
    ask = getattr(model, method)
    have(16 * 20 * 9)
    assert ask(ids[:20], n=9)[0].shape == (20, 9)
    with pytest.raises(MemoryError, match="20 lists of 10.* shorter lists"):
        ask(ids[:20], n=10)
    assert len(ask(ids[0], n=10**15)[0]) < len(ids)


@pytest.mark.parametrize("changed", [{"hidden_units": 10**7}, {"n_estimators": 10**9}])
def test_fit_larger_than_memory_is_refused_before_training(model, ratings, have, changed):
    before = pickle.dumps(model)
    have(10**9)
    again = pickle.loads(before).set_params(**changed)
    with pytest.raises(MemoryError, match=r"80 users and 50 items.* fewer hidden_units"):
        again.fit(ratings)
    np.testing.assert_array_equal(again.predict(ratings), model.predict(ratings))


@pytest.mark.parametrize(
    ("kind", "solver", "units"),
    [*(("both", solver, (30, 200)) for solver in SOLVERS), ("item", "adam", (300,))],
)
def test_training_holds_what_is_estimated(kind, solver, units, monkeypatch):
    optimizers, held = [], []
    make, look = torch.optim.Optimizer.__init__, training._Reached.look

    def remembered(optimizer, *args, **settings):
        make(optimizer, *args, **settings)
        optimizers.append(optimizer)

    def counted(reached):
        look(reached)
        values = [x for state in optimizers[-1].state.values() for x in state.values()]
        values += [reached.parameters, reached.average, [x.grad for x in reached.parameters]]
        tensors = (x for some in values for x in (some if isinstance(some, list) else [some]))
        held.append(4 * sum(x.numel() for x in tensors if torch.is_tensor(x)))

    monkeypatch.setattr(torch.optim.Optimizer, "__init__", remembered)
    monkeypatch.setattr(training._Reached, "look", counted)
    ratings = make_ratings(60, 30, 500, random_state=0)
    AutoRecRegressor(units, kind=kind, solver=solver, max_iter=1, random_state=0).fit(ratings)
    estimate = memory.bytes_of_fit(
        60, 30, 30, units, kind=kind, solver=solver, n_members=1, on_cpu=True
    )
    assert 0.95 * max(held) <= estimate <= max(held)


def test_networks_on_another_device_are_not_counted(kind):
    sizes = {"kind": kind, "solver": "adam", "n_members": 1}
    on_cpu, elsewhere = (
        memory.bytes_of_fit(100, 50, 50, (64,), on_cpu=on_cpu, **sizes) for on_cpu in (True, False)
    )
    parts = 2 if kind == "both" else 1
    sums = 0 if kind == "user" else 8 * 50 * 64
    assert elsewhere == 8 * 64 * (100 + 50) * parts + sums < on_cpu


def file_of(n_bytes):
    """Start of a file that says it holds one array of so many bytes, and the size of all of it."""
    described = {"a": ["|u1", [n_bytes]]}
    values = {"format": archive.FORMAT, "version": archive.VERSION, "values": {}}
    text = json.dumps(values | {"arrays": described}).encode()
    start = archive._npy_header("|u1", (len(text),)) + text
    first = archive._local("header", len(start), zlib.crc32(start)) + start
    offset = len(first) + archive._size("a", "|u1", (n_bytes,))
    central = sum(len(archive._central(name, 0, 0, 0)) for name in ("header", "a"))
    return first, offset + central + len(archive._end(2, central, offset))


@on_linux
def test_file_larger_than_memory_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "large"
    start, size = file_of(2**42)
    with open(path, "wb") as file:
        file.write(start)
        file.truncate(size)
    with pytest.raises(MemoryError, match="holds takes 4,398.0 GB"):
        AutoRecRegressor.load(path)


def test_file_that_just_fits_is_read(model, have):
    file = io.BytesIO()
    model.save(file)
    with archive.read(io.BytesIO(file.getvalue())) as (_, arrays):
        held = sum(array.nbytes for array in arrays.values())
    have(held + 500 * len(arrays))
    AutoRecRegressor.load(io.BytesIO(file.getvalue()))
    have(held - 1)
    with pytest.raises(MemoryError, match="What the file holds"):
        AutoRecRegressor.load(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize(
    "text", ["DefaultCPUAllocator: can't allocate memory: you tried", "CUDA out of memory."]
)
def test_lack_of_memory_in_torch_is_a_memory_error(text):
    @isolation.isolated
    def fail(message):
        raise RuntimeError(message)

    with pytest.raises(MemoryError, match="fewer hidden_units"):
        fail(text)
    with pytest.raises(RuntimeError, match="another"):
        fail("another")


GROUPS = {
    "no group": ("", {}, 4000),
    "version 2, above": ("0::/a/b\n", {"a/memory.max": "3000", "a/b/memory.max": "max"}, 3000),
    "version 2, in a container": ("0::/gone\n", {"memory.max": "2000"}, 2000),
    "version 1": ("4:cpu,memory:/a\n", {"memory/a/memory.limit_in_bytes": "1000"}, 1000),
    "of another": ("3:cpu:/a\n", {"memory/a/memory.limit_in_bytes": "1000"}, 4000),
}


@pytest.mark.parametrize("name", GROUPS)
def test_memory_of_machine_and_groups(name, tmp_path):
    groups, files, expected = GROUPS[name]
    (tmp_path / "proc/self").mkdir(parents=True)
    text = "MemTotal:    4000 kB\nMemFree:  1 kB\nSwapTotal:  50 kB\nHugePages_Total:  0\n"
    (tmp_path / "proc/meminfo").write_text(text)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    for path, limit in files.items():
        file = tmp_path / "sys/fs/cgroup" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(limit if limit == "max" else str(1024 * int(limit)))
    assert memory._of_machine(tmp_path) == 1024 * (expected + 50)


@on_linux
def test_memory_of_this_machine():
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 2**27 < memory.most_memory() < 1.1 * physical + 2**44


def test_nothing_is_refused_where_memory_is_unknown(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert memory.most_memory() == math.inf


LIMITED = """
import resource
import scipy.sparse
from skautorec import AutoRecRegressor
from skautorec.datasets import make_ratings
ratings = make_ratings(1000, 600, 9000, random_state=0)
model = AutoRecRegressor(8, max_iter=2, random_state=0).fit(ratings)
model.recommend(ratings.user_ids[0])
before = model.predict(ratings)
more = make_ratings(600_000, 5, 10**6, random_state=0)
used = 4096 * int(open("/proc/self/statm").read().split()[0])
def limit(n_bytes):
    resource.setrlimit(resource.RLIMIT_AS, (used + n_bytes, resource.RLIM_INFINITY))
def is_refused(work, text):
    try:
        work()
    except MemoryError as error:
        assert text in str(error), error
        assert model.predict(ratings).tobytes() == before.tobytes()
        return True
limit(100 << 20)
# The first is refused, the others run out of memory.
assert is_refused(lambda: model.set_params(hidden_units=500_000).fit(ratings), "at most")
assert is_refused(lambda: model.set_params(hidden_units=8000).fit(ratings), "not enough memory")
many = scipy.sparse.csr_array((30_000, 600))
assert is_refused(lambda: model.predict(many), "")
assert is_refused(lambda: model.update(more), "")
limit(1 << 30)
model.set_params(hidden_units=8).fit(ratings)
assert model.predict(ratings).tobytes() == before.tobytes()
print("done")
"""


@on_linux
def test_process_with_a_limit_keeps_its_model():
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LIMITED],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_deviations_are_made_in_blocks_of_working_memory(kind, ratings, monkeypatch):
    model, R, n_rows = new(kind).fit(ratings), ratings.to_matrix(), []
    made = Fitted._deviations

    def watched(fitted, users, query, cells):
        n_rows.append(cells.shape[0])
        return made(fitted, users, query, cells)

    monkeypatch.setattr(Fitted, "_deviations", watched)
    expected = model.predict(R, return_std=True)[1]
    for n_mebibytes, most in ((0, 1), (0.05, 13), (2**40, 80)):
        n_rows.clear()
        with sklearn.config_context(working_memory=n_mebibytes):
            std = model.predict(R, return_std=True)[1]
        assert max(n_rows) == most
        np.testing.assert_allclose(std, expected, rtol=1e-5)
