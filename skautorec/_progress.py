"""Progress of a fit: the lines of ``verbose``, and scikit-learn's callbacks where it has them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
    """

    def __init__(self, estimator: Any, X: Any, y: Any, n_networks: int) -> None:
        self._verbose, self._max_iter = estimator.verbose, estimator.max_iter
        self._every = 1 if self._verbose > 1 else 10
        self._given = {"estimator": estimator, "X": X, "y": y}
        self._phase = ""
        self._fit: Any = None
        self._task: Any = None
        if hasattr(estimator, "_init_callback_context"):
            self._fit = estimator._init_callback_context(max_subtasks=n_networks + _N_LAST_PHASES)
            self._fit.call_on_fit_task_begin(**self._given)

    @contextmanager
    def phase(self, name: str, n_epochs: int = 0) -> Iterator[None]:
        """Time a part of the fit."""
        self._phase = name
        start = time.perf_counter()
        if self._fit is not None:
            self._task = self._fit.subcontext(task_name=name, max_subtasks=n_epochs)
            self._task.call_on_fit_task_begin(**self._given)
        yield
        if self._task is not None:
            self._task.call_on_fit_task_end(**self._given)
        if self._verbose > 1:
            self._say(_spent(start))

    def epoch(self, number: int, loss: float, score: float | None) -> bool:
        """Report an epoch; return whether a callback asks to stop."""
        if self._verbose and (number % self._every == 0 or number == 1):
            validation = "" if score is None else f", validation R^2 {score:.4f}"
            self._say(f"epoch {number}/{self._max_iter}, objective {loss:.6g}{validation}")
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
        if self._verbose:
            _say("fit", "goes on from its checkpoint")

    def _say(self, what: str) -> None:
        _say(self._phase, what)


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
            _say(name, _spent(start))


def _say(phase: str, what: str) -> None:
    print(f"[AutoRecRegressor] {phase}: {what}", flush=True)


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
