"""The solvers: torch's optimizers, set up for a sum over ratings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .journal import Arrays, Kept

__all__ = ["N_COPIES", "SOLVERS", "STOCHASTIC", "Solver"]

# Learning rate used where none is given.
SOLVERS = {"adam": 0.003, "rmsprop": 0.001, "sgd": 0.02, "rprop": 0.003, "lbfgs": 1.0}
# Solvers whose steps scatter around where they go: their parameters are averaged.
STOCHASTIC = {"adam", "rmsprop", "sgd"}
# Numbers that training holds of each parameter at least: itself, its gradient, the average or last
# of the epochs, and what the solver remembers.
N_COPIES = {"adam": 5, "rmsprop": 4, "sgd": 4, "rprop": 5, "lbfgs": 5}
# Of "sgd".
_MOMENTUM = 0.9
# Evaluations of the objective in an epoch of L-BFGS.
_MOST_EVALUATIONS = 25


class Solver:
    """One of torch's optimizers.

    Parameters
    ----------
    name : str
        One of `SOLVERS`.
    parameters : list of Tensor
        Changed in place.
    rate : float
        Learning rate.
    typical_length : float
        Ratings that a row sums over.
    """

    def __init__(
        self, name: str, parameters: list[Tensor], rate: float, typical_length: float
    ) -> None:
        settings: dict[str, Any] = {"lr": rate}
        kind: type[torch.optim.Optimizer]
        if name == "adam":
            kind, settings["fused"] = torch.optim.Adam, True
        elif name == "rmsprop":
            kind = torch.optim.RMSprop
        elif name == "sgd":
            # The objective is a sum, so that its curvature grows with the length of rows.
            kind = torch.optim.SGD
            settings = {"lr": rate / typical_length, "momentum": _MOMENTUM}
        elif name == "rprop":
            kind = torch.optim.Rprop
        else:
            # One iteration a step; by default its line search would get no evaluation at all.
            kind = torch.optim.LBFGS
            settings |= {"max_iter": 1, "max_eval": _MOST_EVALUATIONS}
            settings |= {"history_size": 10, "line_search_fn": "strong_wolfe"}
        self._optimizer = _without_compiler(kind)(parameters, **settings)

    def step(self, closure: Callable[[], Tensor]) -> float:
        """Take a step.

        Parameters
        ----------
        closure : callable
            Leaves the gradient in the parameters, where there was none, and returns the objective.

        Returns
        -------
        float
            The objective before the step.
        """

        def fresh() -> Tensor:
            self._optimizer.zero_grad()
            return closure()

        with torch.no_grad():
            return float(self._optimizer.step(fresh))

    def state(self) -> Arrays:
        """What it remembers of earlier steps."""
        arrays: Arrays = {}
        for number, of_parameter in self._optimizer.state_dict()["state"].items():
            for name, thing in of_parameter.items():
                if name == "al":
                    continue  # scratch space of L-BFGS
                things = {name: thing}
                if isinstance(thing, list):
                    things = {f"{name}.{i}": one for i, one in enumerate(thing)}
                for key, one in things.items():
                    if one is not None:
                        arrays[f"{number}.{key}"] = _array(one)
        return arrays

    def restore(self, kept: Kept) -> None:
        """Remember what another one did, whose parameters had the same shapes."""
        state: dict[int, dict[str, Any]] = {}
        for path in kept.names():
            number, name, *place = path.split(".")
            of_parameter = state.setdefault(int(number), {})
            if place:
                # In the order in which they were listed.
                of_parameter.setdefault(name, []).append(self._thing(kept, path))
            else:
                of_parameter[name] = self._thing(kept, path)
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": state, "param_groups": groups})

    def _thing(self, kept: Kept, path: str) -> Tensor | float:
        """Turn back what `_array` made."""
        array = kept.array(path)
        if array.dtype == np.float64:
            return float(kept.take(path))
        parameters = self._optimizer.param_groups[0]["params"]
        own = parameters[int(path.split(".")[0])]
        # That of all parameters in one is of L-BFGS.
        shapes = (tuple(own.shape), (sum(one.numel() for one in parameters),))
        shape = array.shape if array.shape in shapes else ()
        return torch.tensor(kept.take(path, *shape, dtypes="f4"))


def _array(thing: Tensor | float) -> np.ndarray:
    """Return a tensor as an array in single, and a number as one in double precision."""
    if isinstance(thing, Tensor):
        return thing.detach().cpu().float().numpy()
    return np.array(thing, dtype=np.float64)


def _without_compiler(kind: type[torch.optim.Optimizer]) -> Any:
    """Take away what hides an optimizer from torch's compiler.

    It would import the compiler first, at the cost of two seconds in each process.
    """
    names = ("add_param_group", "load_state_dict", "state_dict", "step", "zero_grad")
    bare = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    return type(kind.__name__, (kind,), bare)
