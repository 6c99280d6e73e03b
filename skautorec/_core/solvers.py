"""The solvers: torch's optimizers, set up for a sum over ratings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["SOLVERS", "STOCHASTIC", "make_step"]

# Learning rate used where none is given.
SOLVERS = {"adam": 0.003, "rmsprop": 0.001, "sgd": 0.02, "rprop": 0.003, "lbfgs": 1.0}
# Solvers whose steps scatter around where they go: their parameters are averaged.
STOCHASTIC = {"adam", "rmsprop", "sgd"}
# Of "sgd".
_MOMENTUM = 0.9
# Evaluations of the objective in an epoch of L-BFGS.
_MOST_EVALUATIONS = 25


def make_step(
    solver: str, parameters: list[Tensor], rate: float, typical_length: float
) -> Callable[[Callable[[], Tensor]], float]:
    """Make the function that takes one step of a solver.

    Parameters
    ----------
    solver : str
        One of `SOLVERS`.
    parameters : list of Tensor
        Changed in place.
    rate : float
        Learning rate.
    typical_length : float
        Ratings that a row sums over.

    Returns
    -------
    callable
        Takes a function that leaves the gradient in the parameters, where there was none, and
        returns the objective; returns that objective.
    """
    settings: dict[str, Any] = {"lr": rate}
    kind: type[torch.optim.Optimizer]
    if solver == "adam":
        kind, settings["fused"] = torch.optim.Adam, True
    elif solver == "rmsprop":
        kind = torch.optim.RMSprop
    elif solver == "sgd":
        # The objective is a sum, so that its curvature grows with the length of rows.
        kind, settings = torch.optim.SGD, {"lr": rate / typical_length, "momentum": _MOMENTUM}
    elif solver == "rprop":
        kind = torch.optim.Rprop
    else:
        # One iteration a step; by default its line search would get no evaluation at all.
        kind = torch.optim.LBFGS
        settings |= {"max_iter": 1, "max_eval": _MOST_EVALUATIONS}
        settings |= {"history_size": 10, "line_search_fn": "strong_wolfe"}
    optimizer = _without_compiler(kind)(parameters, **settings)

    def step(closure: Callable[[], Tensor]) -> float:
        def fresh() -> Tensor:
            optimizer.zero_grad()
            return closure()

        with torch.no_grad():
            return float(optimizer.step(fresh))

    return step


def _without_compiler(kind: type[torch.optim.Optimizer]) -> Any:
    """Take away what hides an optimizer from torch's compiler.

    It would import the compiler first, at the cost of two seconds in each process.
    """
    names = ("add_param_group", "step", "zero_grad")
    bare = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    return type(kind.__name__, (kind,), bare)
