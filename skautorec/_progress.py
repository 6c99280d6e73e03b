"""Progress of a fit: lines or bars of ``verbose``, and scikit-learn's callbacks."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

from ._core.training import Progress

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""

    def with_callbacks(method: Any) -> Any:
        """Return the method as it is."""
        return method


__all__ = ["CallbackSupportMixin", "FitProgress", "Quiet", "Updates", "with_callbacks"]

# Phases of a fit after its networks were trained: the noise is measured, and rows are solved.
_N_LAST_PHASES = 2
# What the ratings of training span, in its units: 1 to 5.
_RANGE = 4
# Parameters that do not tell one fit from another.
_UNNAMED = ("random_state", "verbose", "checkpoint", "device")


class Quiet(Progress):
    """Tells nobody how a fit goes."""

    def end(self, attributes: dict[str, Any]) -> None:
        """Tell that the fit is done, and which attributes the estimator is about to have."""


class FitProgress(Quiet):
    """Tell the user, and the callbacks registered on the estimator, how its fit goes.

    Parameters
    ----------
    estimator : AutoRecRegressor
    X, y : object
        What its ``fit`` was given.
    n_networks : int
        Networks to be trained.

    Attributes
    ----------
    slopes : ndarray of shape (n_targets,) or (1,)
        Rating units per unit of training; set when they are known.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, n_networks: int) -> None:
        self.slopes = np.ones(1)
        self._given = {"estimator": estimator, "X": X, "y": y}
        self._shown = _shown(estimator)
        self._fit: Any = None
        self._task: Any = None
        if hasattr(estimator, "_init_callback_context"):
            self._fit = estimator._init_callback_context(max_subtasks=n_networks + _N_LAST_PHASES)
            self._fit.call_on_fit_task_begin(**self._given)

    @contextmanager
    def phase(self, name: str, n_epochs: int = 0) -> Iterator[None]:
        """Time a part of the fit."""
        if self._fit is not None:
            self._task = self._fit.subcontext(task_name=name, max_subtasks=n_epochs)
            self._task.call_on_fit_task_begin(**self._given)
        with self._shown.phase(name, n_epochs):
            yield
        if self._task is not None:
            self._task.call_on_fit_task_end(**self._given)

    def epoch(self, number: int, loss: float, error: float | None) -> bool:
        """Report an epoch; return whether a callback asks to stop."""
        self._shown.epoch(number, loss, "" if error is None else self._in_rating_units(error))
        if self._task is None:
            return False
        task = self._task.subcontext(task_name="epoch")
        task.call_on_fit_task_begin(**self._given)
        return bool(task.call_on_fit_task_end(**self._given))

    def end(self, attributes: dict[str, Any]) -> None:
        """Tell the callbacks, which may ask for a fitted estimator."""
        if self._fit is not None:
            self._fit.call_on_fit_task_end(**self._given, reconstruction_attributes=attributes)

    def goes_on(self) -> None:
        """Tell that an interrupted fit is gone on with."""
        self._shown.say("fit", "goes on from its checkpoint")

    def _in_rating_units(self, error: float) -> str:
        slope = self.slopes[0]
        if slope > 0 and (self.slopes == slope).all():
            return f"validation RMSE {error * slope:.4g}"
        # Columns with ranges of their own have no unit in common.
        return f"validation RMSE {error / _RANGE:.2%} of the range"


class _Nothing:
    """Shows nothing."""

    def phase(self, name: str, n_epochs: int) -> AbstractContextManager[None]:
        """Surround a part of the fit."""
        return nullcontext()

    def epoch(self, number: int, loss: float, error: str) -> None:
        """Show an epoch, and what it reached on validation ratings."""

    def say(self, phase: str, what: str) -> None:
        """Show anything else."""


class _Lines(_Nothing):
    """Lines on the standard output.

    Parameters
    ----------
    name : str
        Of the estimator.
    every : int
        Epochs to a line.
    is_wordy : bool
        Whether to say the objective, and the seconds and the memory of each phase.
    """

    def __init__(self, name: str, every: int, is_wordy: bool) -> None:
        self._name, self._every, self._is_wordy = name, every, is_wordy
        self._phase, self._n_epochs, self._n_heard, self._start = "", 0, 0, 0.0

    @contextmanager
    def phase(self, name: str, n_epochs: int) -> Iterator[None]:
        """Say how long it took."""
        self._phase, self._n_epochs, self._n_heard = name, n_epochs, 0
        self._start = time.perf_counter()
        yield
        if self._is_wordy:
            self.say(name, _spent(self._start))
        else:
            self.say(name, f"{time.perf_counter() - self._start:.1f} s")

    def epoch(self, number: int, loss: float, error: str) -> None:
        """Say what it reached, and how long the network takes if it is not ended before."""
        self._n_heard += 1  # fewer than its number where an interrupted fit goes on
        if number % self._every and number > 1:
            return
        spent = time.perf_counter() - self._start
        left = spent / self._n_heard * (self._n_epochs - number)
        parts = [f"epoch {number}/{self._n_epochs}", error]
        if self._is_wordy:
            parts.append(f"objective {loss:.6g}")
        parts += [f"{spent:.1f} s", f"at most {left:.0f} s left"]
        self.say(self._phase, ", ".join(part for part in parts if part))

    def say(self, phase: str, what: str) -> None:
        """Print it."""
        print(f"[{self._name}] {phase}: {what}", flush=True)


class _Bars(_Nothing):
    """A bar of tqdm for each phase, on the standard error output or in a notebook."""

    def __init__(self, name: str, tqdm: Any) -> None:
        self._name, self._tqdm = name, tqdm
        self._bar: Any = None

    @contextmanager
    def phase(self, name: str, n_epochs: int) -> Iterator[None]:
        """Draw its bar, which is closed whatever happens."""
        options = {"total": n_epochs or 1, "unit": "epoch" if n_epochs else "phase"}
        with self._tqdm(desc=f"{self._name} {name}", **options) as self._bar:
            yield
            if not n_epochs:
                self._bar.update()
            # Training ends when it has arrived, and so does the bar.
            self._bar.total = self._bar.n
            self._bar.refresh()

    def epoch(self, number: int, loss: float, error: str) -> None:
        """Move the bar on."""
        self._bar.set_postfix_str(error, refresh=False)
        self._bar.update(number - self._bar.n)

    def say(self, phase: str, what: str) -> None:
        """Write it above the bars."""
        self._tqdm.write(f"{self._name} {phase}: {what}", file=sys.stderr)


def _shown(estimator: Any) -> _Nothing:
    """What shows a fit: bars for ``verbose=1`` where there is a screen and tqdm, else lines."""
    if not estimator.verbose:
        return _Nothing()
    usual = type(estimator)().get_params(deep=False)
    chosen = ", ".join(
        f"{name}={value!r}"
        for name, value in estimator.get_params(deep=False).items()
        if name not in _UNNAMED and repr(value) != repr(usual[name])
    )
    name = f"{type(estimator).__name__} {chosen}".strip()
    if estimator.verbose > 1:
        return _Lines(name, every=1, is_wordy=True)
    # Workers of a search would draw over one another.
    if _is_on_screen() and multiprocessing.current_process().name == "MainProcess":
        try:
            from tqdm.auto import tqdm
        except ImportError:
            pass
        else:
            return _Bars(name, tqdm)
    return _Lines(name, every=10, is_wordy=False)


def _is_on_screen() -> bool:
    return "ipykernel" in sys.modules or sys.stderr.isatty()


class Updates(Quiet):
    """Tell the user how long updates take."""

    def __init__(self, verbose: int) -> None:
        self._verbose = verbose

    @contextmanager
    def phase(self, name: str, n_epochs: int = 0) -> Iterator[None]:
        """Time it."""
        start = time.perf_counter()
        yield
        if self._verbose > 1:
            print(f"[AutoRecRegressor] {name}: {_spent(start)}", flush=True)


def _spent(start: float) -> str:
    return f"{time.perf_counter() - start:.2f} s{_peak_memory()}"


def _peak_memory() -> str:
    try:
        import resource
    except ImportError:  # Windows
        return ""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    gigabytes = peak * (1 if sys.platform == "darwin" else 1024) / 1e9
    return f", peak memory of the process {gigabytes:.2f} GB"
