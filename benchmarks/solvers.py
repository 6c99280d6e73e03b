"""What each solver reaches in how long: objective and validation RMSE against seconds of fit.

MovieLens 100K u1 and MovieLens 1M split 0, a tenth of the training part held out. Each budget of
epochs is a fit of its own, which nothing else ends. Adam is also run without dropout, which makes
its objective comparable with that of Rprop and L-BFGS; L-BFGS evaluates the objective several
times an epoch.
"""

import argparse
import json
import time

from data import load, machine, random_split, rmse, u1

from skautorec import AutoRecRegressor

SETS = {"ML-100K u1": lambda: u1()[0], "ML-1M split 0": lambda: random_split(load("ml-1m"), 0)[0]}
SOLVERS = {
    "adam": {},
    "adam, no dropout": {"dropout": 0.0},
    "rmsprop": {"solver": "rmsprop"},
    "sgd": {"solver": "sgd"},
    "rprop": {"solver": "rprop"},
    "lbfgs": {"solver": "lbfgs"},
}


def measure(train, validation, n_epochs, parameters):
    """Fit once; seconds, epochs, last objective and RMSE."""
    model = AutoRecRegressor(
        max_iter=n_epochs, n_iter_no_change=n_epochs, random_state=0, **parameters
    )
    start = time.perf_counter()
    model.fit(train)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "epochs": model.n_iter_,
        "objective": model.loss_curve_[-1],
        "rmse": rmse(validation.values, model.predict(validation)),
    }


def main():
    """Print the table and its JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="ML-100K and two budgets only")
    parser.add_argument("--epochs", type=int, nargs="+", default=[10, 20, 40, 80])
    options = parser.parse_args()
    sets, budgets = (list(SETS)[:1], [2, 4]) if options.quick else (list(SETS), options.epochs)
    print(machine(), "\n\n| set | solver | epochs | fit s | objective | validation RMSE |")
    print("|---|---|---|---|---|---|", flush=True)
    results = []
    for name in sets:
        train, validation = random_split(SETS[name](), 1)
        # The first fit of a process also loads parts of torch.
        measure(train, validation, 1, {})
        for solver, parameters in SOLVERS.items():
            for n_epochs in budgets:
                run = measure(train, validation, n_epochs, parameters)
                results.append({"set": name, "solver": solver, **run})
                cells = f"{run['seconds']:.1f} | {run['objective']:.0f} | {run['rmse']:.4f}"
                print(f"| {name} | {solver} | {run['epochs']} | {cells} |", flush=True)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
