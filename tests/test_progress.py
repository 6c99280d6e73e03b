"""What a fit says while it runs: nothing, lines, or calls of scikit-learn's callbacks."""

import re

import pytest
from conftest import new
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skautorec import AutoRecRegressor


def test_silence_is_the_default(ratings, capfd):
    new("both").fit(ratings)
    assert capfd.readouterr() == ("", "")


def test_verbose_says_every_tenth_epoch(ratings, capsys):
    new("item", verbose=1, max_iter=30, n_iter_no_change=30).fit(ratings)
    lines = capsys.readouterr().out.splitlines()
    epochs = [
        re.fullmatch(
            r"\[AutoRecRegressor\] network 1 of 1: epoch (\d+)/30, objective [\d.e+]+, "
            r"validation R\^2 -?[\d.]+",
            line,
        )[1]
        for line in lines
    ]
    assert epochs == ["1", "10", "20", "30"]


def test_verbose_says_what_ends_training(ratings, capsys):
    model = new("item", verbose=2, max_iter=3).fit(ratings)
    scores = re.findall(r"validation R\^2 (-?[\d.]+)", capsys.readouterr().out)
    assert [float(score) for score in scores] == [
        round(score, 4) for score in model.validation_scores_
    ]


def test_training_that_raises_the_objective_warns(ratings):
    with pytest.warns(RuntimeWarning, match="raised the objective .* Lower learning_rate"):
        new("item", learning_rate=100.0).fit(ratings)


def test_more_verbose_says_seconds_and_memory_of_every_phase(ratings, capsys):
    new("both", verbose=2, n_estimators=2, max_iter=3).fit(ratings)
    lines = capsys.readouterr().out.splitlines()
    assert sum("epoch" in line for line in lines) == 4 * 3
    phases = [re.match(r"\[AutoRecRegressor\] ([^:]*): [\d.]+ s", line) for line in lines]
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
