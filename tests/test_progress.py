"""What a fit says while it runs: nothing, lines, or calls of scikit-learn's callbacks."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import new
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skautorec import AutoRecRegressor


def test_silence_is_the_default(ratings, capfd):
    new("both").fit(ratings)
    assert capfd.readouterr() == ("", "")


NAME = r"\[AutoRecRegressor [^\]]*\]"


def test_verbose_says_every_tenth_epoch(ratings, capsys):
    new("item", verbose=1, max_iter=30, n_iter_no_change=30).fit(ratings)
    *lines, heldout, rows = capsys.readouterr().out.splitlines()
    network = f"{NAME} network 1 of 1: "
    assert re.fullmatch(f"{network}[\\d.]+ s", lines.pop())
    epochs = [
        re.fullmatch(
            network + r"epoch (\d+)/30, validation RMSE [01]\.\d+, [\d.]+ s, at most \d+ s left",
            line,
        )[1]
        for line in lines
    ]
    assert epochs == ["1", "10", "20", "30"]
    assert re.fullmatch(f"{NAME} held-out ratings: [\\d.]+ s", heldout)
    assert re.fullmatch(f"{NAME} rows: [\\d.]+ s", rows)


def test_errors_are_in_rating_units(ratings, capsys):
    def errors(ratings):
        new("item", verbose=2, max_iter=3).fit(ratings)
        said = capsys.readouterr().out
        return np.array([float(one) for one in re.findall(r"validation RMSE ([\d.]+)", said)])

    in_stars = errors(ratings)
    np.testing.assert_allclose(
        errors(ratings.with_values(7 * ratings.values)), 7 * in_stars, rtol=1e-3
    )


def test_the_error_is_that_of_the_score(ratings, capsys):
    # R^2 of the same ratings: the errors' squares go with 1 - R^2.
    model = new("item", verbose=2, max_iter=3).fit(ratings)
    said = capsys.readouterr().out
    errors = np.array([float(one) for one in re.findall(r"validation RMSE ([\d.]+)", said)])
    left = 1 - np.array(model.validation_scores_)
    np.testing.assert_allclose(errors**2 / left, errors[0] ** 2 / left[0], rtol=2e-3)


def test_columns_with_ranges_of_their_own_have_errors_in_shares_of_them(ratings, capsys):
    R = ratings.to_matrix()
    y = R[:, 40:].multiply(np.arange(1, 11)).tocsr()
    new("user", verbose=1, max_iter=2).fit(R[:, :40], y)
    assert re.search(r"validation RMSE \d+\.\d\d% of the range", capsys.readouterr().out)


def test_the_usual_parameters_are_not_named(ratings, capsys):
    AutoRecRegressor(max_iter=1, random_state=0, verbose=1).fit(ratings)
    assert all(
        line.startswith("[AutoRecRegressor max_iter=1] ")
        for line in capsys.readouterr().out.splitlines()
    )


ON_SCREEN = """
import sys
from sklearn.model_selection import GridSearchCV
from skautorec import AutoRecRegressor
from skautorec.datasets import make_ratings
ratings = make_ratings(80, 50, 1500, random_state=0)
model = AutoRecRegressor(8, max_iter=12, n_iter_no_change=12, random_state=0, verbose=1)
if sys.argv[1] == "fit":
    model.fit(ratings)
elif sys.argv[1] == "interrupt":
    def interrupt(*args):
        raise KeyboardInterrupt
    model._journal = lambda *args: type("Journal", (), {
        "is_resumed": False, "into": lambda self, *keys: self, "kept": lambda self: None,
        "reached": interrupt})()
    try:
        model.fit(ratings)
    except KeyboardInterrupt:
        print("interrupted")
else:
    GridSearchCV(model, {"lambd": [5, 50]}, cv=2, n_jobs=2).fit(ratings)
print("done")
"""


def on_screen(what):
    """What a terminal is shown."""
    pytest.importorskip("tqdm")
    pty = pytest.importorskip("pty", reason="no pseudo-terminals")
    reader, writer = pty.openpty()
    termios = pytest.importorskip("termios")
    termios.tcsetwinsize(writer, (24, 160))
    process = subprocess.Popen(
        [sys.executable, "-c", ON_SCREEN, what], stdout=writer, stderr=writer
    )
    os.close(writer)
    shown = b""
    try:
        while part := os.read(reader, 65536):
            shown += part
    except OSError:  # Linux's way of saying that it is closed
        pass
    os.close(reader)
    assert process.wait() == 0
    return shown.decode()


def test_a_terminal_has_bars_that_end_full():
    shown = on_screen("fit")
    bars = [line.strip().split("\r")[-1] for line in shown.split("\n")]
    name = "AutoRecRegressor hidden_units=8, max_iter=12, n_iter_no_change=12"
    for bar, phase in zip(bars, ["network 1 of 1", "held-out ratings", "rows"], strict=False):
        assert bar.startswith(f"{name} {phase}: 100%|") or not bar.strip()
    assert shown.count("100%") >= 3 and "validation RMSE" in shown
    assert bars[-2].strip() == "done"


def test_an_interrupted_bar_is_closed():
    lines = on_screen("interrupt").replace("\r\n", "\n").split("\n")
    assert lines[-3:] == ["interrupted", "done", ""]


def test_workers_of_a_search_draw_no_bars():
    shown = on_screen("search")
    # The last fit, to all ratings, is in the main process.
    assert shown.count(" network 1 of 1:   0%|") == 1
    assert "[AutoRecRegressor hidden_units=8, lambd=50, max_iter=12" in shown


def test_what_is_no_terminal_has_no_bars(ratings, capfd):
    new("item", verbose=1).fit(ratings)
    said = capfd.readouterr()
    assert said.err == "" and "epoch 1/" in said.out


def test_training_that_raises_the_objective_warns(ratings):
    with pytest.warns(RuntimeWarning, match="raised the objective .* Lower learning_rate"):
        new("item", learning_rate=100.0).fit(ratings)


def test_more_verbose_says_seconds_and_memory_of_every_phase(ratings, capsys):
    new("both", verbose=2, n_estimators=2, max_iter=3).fit(ratings)
    lines = capsys.readouterr().out.splitlines()
    assert sum("epoch" in line for line in lines) == 4 * 3
    phases = [re.match(NAME + r" ([^:]*): [\d.]+ s", line) for line in lines]
    assert [phase[1] for phase in phases if phase] == [
        *(f"network {i} of 4" for i in (1, 2, 3, 4)), "held-out ratings", "rows",
    ]  # fmt: skip
    peaks = [
        float(peak)
        for peak in re.findall(r"peak memory of the process ([\d.]+) GB", "\n".join(lines))
    ]
    assert peaks == sorted(peaks) and all(0.05 < peak < 100 for peak in peaks)


class Recorder:
    """A callback that keeps the names of the tasks, and may ask to stop."""

    def __init__(self, stop_after=None):
        self.stop_after, self.begun, self.ended, self.fitted = stop_after, [], [], None

    def setup(self, estimator, context):
        self.begun.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.ended.append(context.task_name)
        if context.task_name == "fit":
            self.fitted = fitted_estimator
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_after

    def teardown(self, estimator, context):
        self.ended.append("teardown")


@pytest.fixture
def callbacks():
    return pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9")


def test_callbacks_hear_phases_and_epochs(callbacks, ratings):
    recorder = Recorder()
    model = new("both", max_iter=4).set_callbacks(recorder).fit(ratings)
    networks = [[f"network {i} of 2"] + ["epoch"] * 4 for i in (1, 2)]
    last = ["held-out ratings", "rows"]
    assert recorder.begun == ["setup", "fit", *networks[0], *networks[1], *last]
    assert sorted(recorder.ended) == sorted([*recorder.begun[1:], "teardown"])
    assert recorder.ended[-2:] == ["fit", "teardown"]
    assert recorder.fitted.score(ratings) == model.score(ratings)


def test_a_callback_may_stop_the_training_of_a_network(callbacks, ratings):
    model = new("both").set_callbacks(Recorder(stop_after=3)).fit(ratings)
    assert model.n_iter_ == 3
    assert len(model.loss_curve_) == 3
    assert clone(model).fit(ratings).n_iter_ == 3  # scikit-learn's clones keep callbacks


def test_callbacks_change_no_result_and_are_not_saved(callbacks, ratings, tmp_path):
    heard = new("item").set_callbacks(Recorder()).fit(ratings)
    assert (heard.predict(ratings) == new("item").fit(ratings).predict(ratings)).all()
    heard.save(tmp_path / "model")
    loaded = AutoRecRegressor.load(tmp_path / "model")
    assert (loaded.predict(ratings) == heard.predict(ratings)).all()


def test_callbacks_are_torn_down_when_a_fit_fails(callbacks, ratings):
    recorder = Recorder()
    model = new("item", learning_rate=1e30, max_iter=3, dropout=0.0).set_callbacks(recorder)
    with pytest.raises(ValueError, match="diverged"):
        model.fit(ratings)
    assert recorder.ended[-1] == "teardown"
    assert not hasattr(model, "_callback_fit_ctx")


def test_a_callback_may_interrupt_a_fit(callbacks, ratings):
    class Impatient(Recorder):
        def on_fit_task_end(self, estimator, context, **given):
            super().on_fit_task_end(estimator, context, **given)
            if context.task_name == "epoch":
                raise KeyboardInterrupt

    recorder = Impatient()
    model = new("item").set_callbacks(recorder)
    before = dict(vars(model))
    with pytest.raises(KeyboardInterrupt):
        model.fit(ratings)
    assert recorder.ended == ["epoch", "teardown"]
    assert vars(model) == before


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_bars_nest_in_a_search(n_jobs, callbacks, ratings, capfd):
    pytest.importorskip("rich")
    search = GridSearchCV(new("item", max_iter=3), {"lambd": [5, 50]}, cv=2, n_jobs=n_jobs)
    if not hasattr(search, "set_callbacks"):
        pytest.skip("GridSearchCV of this release has no callbacks")
    search.set_callbacks(callbacks.ProgressBar()).fit(ratings, ratings.values)
    assert "AutoRecRegressor - network 1 of 1" in capfd.readouterr().out
