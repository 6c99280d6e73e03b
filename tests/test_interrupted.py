"""Fits that are interrupted go on where they were, and end as if they had not been."""

import errno
import io
import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import KINDS, new
from sklearn.model_selection import GridSearchCV

from skautorec import AutoRecRegressor, Ratings
from skautorec._core import encoder, training
from skautorec._core.matrix import Table
from skautorec._core.solvers import SOLVERS
from skautorec._files import archive, checkpoint
from skautorec._files.checkpoint import Checkpoint
from skautorec.datasets import make_ratings

TABLE = make_ratings(60, 40, 900, random_state=0)
R = TABLE.to_matrix()
WEIGHTED = Ratings(TABLE.users, TABLE.items, TABLE.values, weights=TABLE.values / 3)
BOTH = {"kind": "both", "n_estimators": 2}
FITS = {
    **{kind: ({"kind": kind}, (TABLE,)) for kind in KINDS},
    "both, three": ({"kind": "both", "n_estimators": 3}, (TABLE,)),
    **{solver: ({"solver": solver}, (TABLE,)) for solver in SOLVERS if solver != "adam"},
    "deep": ({"hidden_units": (6, 4), "kind": "both"}, (TABLE,)),
    "with y": (BOTH, (R[:, :30], R[:, 30:])),
    "weights": (BOTH, (WEIGHTED,)),
    "given penalty": (BOTH | {"decoder_lambd": 7}, (TABLE,)),
    "nothing held out": ({"validation_fraction": 1e-9}, (TABLE,)),
}


@pytest.fixture
def stop_after(monkeypatch):
    """Write whatever is reached, and interrupt fits after so many writes."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    monkeypatch.setattr(checkpoint, "SHARE", np.inf)
    write = Checkpoint._write

    def set_to(n):
        left = [n]

        def stop(self):
            write(self)
            left[0] -= 1
            if not left[0]:
                left[0] = n
                raise KeyboardInterrupt

        monkeypatch.setattr(Checkpoint, "_write", stop)

    return set_to


def fit(folder, data=(TABLE,), **changed):
    params = {"kind": "item", "max_iter": 6, "checkpoint": folder} | changed
    return new(params.pop("kind"), **params).fit(*data)


def interrupted(folder, *args, **changed):
    with pytest.raises(KeyboardInterrupt):
        fit(folder, *args, **changed)


def fit_in_the_end(*args, **changed):
    for n_times in range(100):
        try:
            return n_times, fit(*args, **changed)
        except KeyboardInterrupt:
            continue
    raise AssertionError("it goes nowhere")


def content(model):
    file = io.BytesIO()
    model.set_params(checkpoint=None).save(file)
    return file.getvalue()


@pytest.mark.parametrize("name", FITS)
def test_interrupted_fits_end_as_if_they_had_not_been(name, tmp_path, stop_after):
    params, data = FITS[name]
    expected = fit(None, data, **params)
    stop_after(2)
    n_times, model = fit_in_the_end(tmp_path, data, **params)
    assert n_times > 3
    assert content(model) == content(expected)
    assert not list(tmp_path.iterdir())


def test_nothing_is_done_twice(tmp_path, stop_after, monkeypatch):
    done = []

    def noted(module, name):
        usual = getattr(module, name)

        def note(*args):
            done.append(name)
            return usual(*args)

        monkeypatch.setattr(module, name, note)

    noted(training, "_epoch")
    noted(encoder, "solve_rows")
    monkeypatch.setattr("skautorec._core.encoding._ROWS", 7)  # several blocks of rows
    expected = fit(None, **BOTH)
    once = done.copy()
    stop_after(2)
    done.clear()
    n_times, model = fit_in_the_end(tmp_path, **BOTH)
    assert n_times > 20
    assert done == once
    assert content(model) == content(expected)


def test_the_fit_says_that_it_goes_on(tmp_path, stop_after, capsys):
    stop_after(3)
    interrupted(tmp_path, verbose=2)
    assert "goes on" not in capsys.readouterr().out
    interrupted(tmp_path, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("] fit: goes on from its checkpoint")
    assert "epoch 4/6," in lines[1]


def test_what_is_said_at_the_end_knows_of_the_beginning(tmp_path, stop_after):
    params = {"solver": "sgd", "learning_rate": 3.0, "max_iter": 4, "dropout": 0.0}
    stop_after(2)
    interrupted(tmp_path, **params)
    stop_after(0)
    with pytest.warns(RuntimeWarning, match="raised the objective") as said:
        fit(tmp_path, **params)
    with pytest.warns(RuntimeWarning, match="raised the objective") as expected:
        fit(None, **params)
    assert [str(one.message) for one in said] == [str(one.message) for one in expected]


def test_an_interrupted_fit_leaves_the_estimator_as_it_was(tmp_path, stop_after):
    model = fit(tmp_path)
    before = model.predict(TABLE)
    stop_after(2)
    with pytest.raises(KeyboardInterrupt):
        model.fit(TABLE[:500])
    np.testing.assert_array_equal(model.predict(TABLE), before)
    assert len(list(tmp_path.iterdir())) == 1


OTHERS = {
    "ratings": ((TABLE[1:],), {}),
    "one rating": ((Ratings(TABLE.users, TABLE.items, np.append(TABLE.values[:-1], 3)),), {}),
    "weights": ((WEIGHTED,), {}),
    "seed": ((TABLE,), {"random_state": 1}),
    "units": ((TABLE,), {"hidden_units": 9}),
    "epochs": ((TABLE,), {"max_iter": 7}),
    "kind": ((TABLE,), {"kind": "user"}),
    "members": ((TABLE,), {"n_estimators": 2}),
    "penalty": ((TABLE,), {"decoder_lambd": 3}),
    "share held out": ((TABLE,), {"validation_fraction": 0.1}),
    "range": ((TABLE,), {"rating_range": (0, 6)}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_fits_do_not_meet(name, tmp_path, stop_after):
    data, params = OTHERS[name]
    expected = content(fit(None)), content(fit(None, data, **params))
    stop_after(3)
    interrupted(tmp_path)
    interrupted(tmp_path, data, **params)
    one, other = sorted(tmp_path.iterdir())
    stop_after(0)
    assert content(fit(tmp_path)) == expected[0]
    assert content(fit(tmp_path, data, **params)) == expected[1]
    # Nor if somebody takes the file of one for that of the other.
    stop_after(3)
    interrupted(tmp_path)
    (file,) = tmp_path.iterdir()
    file.rename(one if file == other else other)
    with pytest.raises(ValueError, match=r"fit-.*it is of another fit\)\. Delete it, and the fit "):
        fit(tmp_path, data, **params)


def test_digests_know_all_of_the_ratings():
    cells = R[:5, :5].sorted_indices()
    other = cells.copy()
    other.data[0] += 1
    elsewhere = R[5:10, :5].sorted_indices()
    weights = np.ones(cells.nnz)
    tables = [
        Table(cells, None), Table(other, None), Table(elsewhere, None), Table(R[:5, :6], None),
        Table(cells, cells), Table(cells, other), Table(cells, None, weights),
        Table(cells, None, 2 * weights),
    ]  # fmt: skip
    digests = {checkpoint._digest({}, table) for table in tables}
    assert len(digests) == len(tables)
    assert checkpoint._digest({"a": 1}, tables[0]) not in digests


def test_another_version_begins_anew(monkeypatch):
    before = checkpoint._digest({}, Table(R, None))
    monkeypatch.setattr(checkpoint, "__version__", "0.0.1")
    assert checkpoint._digest({}, Table(R, None)) != before


def test_what_does_not_matter_to_the_model_does_not_matter(tmp_path, stop_after):
    stop_after(3)
    interrupted(tmp_path)
    (file,) = tmp_path.iterdir()
    interrupted(str(tmp_path), verbose=1, hidden_units=np.int64(8), lambd=np.float64(10))
    assert list(tmp_path.iterdir()) == [file]


def test_searches_go_on(tmp_path, stop_after):
    def search(folder):
        grid = {"hidden_units": [3, 5], "kind": ["item", "both"]}
        model = new("item", max_iter=4, checkpoint=folder)
        search = GridSearchCV(model, grid, cv=2, refit=False).fit(TABLE, TABLE.values)
        return search.cv_results_["mean_test_score"]

    for n in (3, 30):
        stop_after(n)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path)
        assert len(list(tmp_path.iterdir())) == 1
    stop_after(0)
    np.testing.assert_array_equal(search(tmp_path), search(None))
    assert not list(tmp_path.iterdir())


# Files that are not what they should be.


def stopped_file(folder, stop_after, n):
    stop_after(n)
    interrupted(folder, **BOTH)
    stop_after(0)
    (file,) = folder.iterdir()
    return file


@pytest.mark.parametrize("n", [2, 9, 30, 35, 38])
def test_damaged_and_forged_files_are_refused(n, tmp_path, stop_after):
    file = stopped_file(tmp_path, stop_after, n)
    whole = file.read_bytes()
    for damaged in (b"", whole[:-1], whole[:50], whole.replace(b"fit", b"fat"), whole + b"x"):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match="not a whole and unchanged file of an interrupted fi"):
            fit(tmp_path, **BOTH)
    with archive.read(io.BytesIO(whole)) as (values, arrays):
        pass
    changes = {
        "shorter": lambda array: array[:-1] if array.ndim else np.zeros(3, array.dtype),
        "longer": lambda array: np.concatenate((array, array)) if array.ndim else array[None],
        "deeper": lambda array: array[None],
        "integers": lambda array: array.astype("i8"),
        "halves": lambda array: array.astype("f2"),
        "no number": lambda array: np.full_like(array, np.nan),
    }
    for name in arrays:
        others = {path: array for path, array in arrays.items() if path != name}
        if "/solver." not in name:
            archive.write(file, values, others)
            with pytest.raises(ValueError, match=f"it lacks {name.rpartition('/')[2]}. Delete it"):
                fit(tmp_path, **BOTH)
        for kind, change in changes.items():
            if kind in ("shorter", "longer") and name.endswith("/losses"):
                continue  # as of a network that stopped earlier or later
            archive.write(file, values, others | {name: change(arrays[name])})
            with pytest.raises(ValueError, match=r"cannot be used: .*\. Delete it, and the fit "):
                fit(tmp_path, **BOTH)


def test_more_rows_than_there_are_are_refused(tmp_path, stop_after):
    file = stopped_file(tmp_path, stop_after, 29)
    with archive.read(io.BytesIO(file.read_bytes())) as (values, arrays):
        names = [f"calibration.0.item/{part}" for part in ("weights", "biases", "left_over")]
        longer = {name: np.concatenate([arrays[name]] * 2) for name in names}
    archive.write(file, values, arrays | longer)
    with pytest.raises(ValueError, match="weights is not what was expected"):
        fit(tmp_path, **BOTH)


def test_the_file_is_no_estimator(tmp_path, stop_after):
    file = stopped_file(tmp_path, stop_after, 2)
    with pytest.raises(ValueError, match="cannot be used"):
        AutoRecRegressor.load(file)


def test_a_file_holds_no_more_than_is_needed(tmp_path, stop_after):
    def parts(n):
        file = stopped_file(tmp_path, stop_after, n)
        with archive.read(file) as (_, arrays):
            parts = {name.rpartition("/")[0] for name in arrays}
        file.unlink()
        return sorted(parts)

    networks = [f"network.{i}" for i in range(4)]
    assert parts(8) == ["network.0", "network.1.training"]
    assert parts(28) == networks
    assert parts(30) == ["calibration.0.item", "calibration.0.user", *networks]
    assert parts(32) == ["calibration.0", "calibration.1.item", *networks]
    assert parts(35) == ["calibration", *networks]
    assert parts(38) == ["calibration", *networks, "rows.0"]


def test_remains_of_a_crash_are_removed(tmp_path, stop_after):
    file = stopped_file(tmp_path, stop_after, 2)
    remains = file.with_name(f"{file.name}.0123456789abcdef.part")
    remains.touch()
    (tmp_path / "other").touch()
    fit(tmp_path, **BOTH)
    assert [one.name for one in tmp_path.iterdir()] == ["other"]


def test_a_file_that_cannot_be_removed_does_not_stop_the_fit(tmp_path, stop_after, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError

    file = stopped_file(tmp_path, stop_after, 2)
    monkeypatch.setattr(type(file), "unlink", refuse)
    assert content(fit(tmp_path, **BOTH)) == content(fit(None, **BOTH))


# When and where files are written.


def test_a_full_disk_does_not_stop_the_fit(tmp_path, stop_after, monkeypatch):
    expected = content(fit(None))
    n_times = []

    def fail(*args):
        n_times.append(1)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    stop_after(0)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.warns(RuntimeWarning, match=r"could not be written to .*fit-.*No space left"):
        model = fit(tmp_path)
    assert len(n_times) == 1
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()  # also of what makes saving fail
    assert content(model) == expected


def test_writing_takes_no_more_than_its_share_of_the_time(tmp_path, monkeypatch):
    now, written = [1000.0], []

    def write(*args):
        written.append(now[0])
        now[0] += 2

    def epoch(*args, usual=training._epoch):
        now[0] += 7
        return usual(*args)

    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(checkpoint.archive, "write", write)
    monkeypatch.setattr(training, "_epoch", epoch)
    fit(tmp_path, max_iter=100, tol=0, n_iter_no_change=100)
    # Half a minute at first, then as long as makes two seconds a hundredth.
    assert written == [1035.0, 1240.0, 1445.0, 1650.0]


def test_short_fits_write_nothing(tmp_path, monkeypatch):
    monkeypatch.delattr(archive, "write")
    fit(tmp_path / "new" / "folder")
    assert not list((tmp_path / "new" / "folder").iterdir())


def test_places_that_cannot_be_written_to_are_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.delattr("skautorec._estimator.fit_model")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        fit(tmp_path / "file")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(PermissionError, match=f"written to checkpoint={str(tmp_path)!r}"):
        fit(tmp_path)


@pytest.mark.parametrize("seed", [None, np.random.RandomState(0)])
def test_fits_without_a_number_are_not_found_again(seed, tmp_path):
    with pytest.raises(ValueError, match=f"to be an integer.*it is {re.escape(repr(seed))}"):
        fit(tmp_path / "folder", random_state=seed)
    assert not list(tmp_path.iterdir())


def test_the_folder_is_a_parameter_that_files_hold(tmp_path):
    fit(tmp_path).save(tmp_path / "model")
    assert AutoRecRegressor.load(tmp_path / "model").checkpoint == str(tmp_path)


KILLED = """
import sys
from test_interrupted import LONG, fit
from skautorec._files import checkpoint
checkpoint.SECONDS, checkpoint.SHARE = 0, 1e9
print("begun", flush=True)
fit(sys.argv[1], **LONG)
"""
LONG = BOTH | {"max_iter": 40, "tol": 0, "n_iter_no_change": 40}


def n_reached(folder):
    """Epochs of which a file tells."""
    try:
        with archive.read(next(folder.glob("*.npz"))) as (_, arrays):
            return sum(len(losses) for name, losses in arrays.items() if name.endswith("losses"))
    except StopIteration:
        return 0


def test_processes_that_are_killed_go_on(tmp_path):
    n_before = 0
    for n_more in (5, 70):
        command = [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path)]
        process = subprocess.Popen(command, cwd=os.path.dirname(__file__))
        limit = time.monotonic() + 100
        while n_reached(tmp_path) < n_before + n_more:
            assert process.poll() is None and time.monotonic() < limit
            time.sleep(0.01)
        process.kill()
        process.wait()
        n_before = n_reached(tmp_path)
    model = fit(tmp_path, **LONG)
    assert not list(tmp_path.iterdir())
    assert content(model) == content(fit(None, **LONG))
