"""The numerical core stands on its own."""

import subprocess
import sys
from pathlib import Path

import pytest

import skautorec
from skautorec._core.solvers import SOLVERS

CORE_ALONE = """
import sys, types
sys.modules["sklearn"] = None  # importing it now raises ImportError
package = types.ModuleType("skautorec")
package.__path__ = [{path!r}]
sys.modules["skautorec"] = package
import scipy.sparse
from skautorec._core.fit import fit_model
from skautorec._core.matrix import Table
from skautorec._core.training import Progress, Settings
R = scipy.sparse.random_array((20, 15), density=0.5, format="csr", random_state=0)
settings = Settings((4,), 1.0, "sigmoid", "adam", None, None, 5, 0.0, 5, 0.5)
model, users, items, histories = fit_model(
    lambda: Table(R, None), settings, kind="both", n_members=1, decoder_lambd=None,
    validation_fraction=0.1, seed=0, device="cpu", progress=Progress(),
)
assert [len(history.losses) for history in histories] == [5, 5]
assert users.factors.shape == (20, 8) and items.factors.shape == (15, 8)
"""

FIRST_FIT = """
import sys
import numpy as np
from skautorec import AutoRecRegressor
ratings = np.random.default_rng(0).integers(1, 6, (20, 15)).astype(float)
ratings[ratings > 3] = np.nan
AutoRecRegressor(4, solver={solver!r}, max_iter=2, random_state=0).fit(ratings).predict(ratings)
slow = {{"torch._dynamo", "sympy", "matplotlib", "polars"}}
assert not slow & sys.modules.keys(), slow & sys.modules.keys()
"""


@pytest.mark.parametrize("solver", SOLVERS)
def test_first_fit_of_a_process_imports_nothing_slow(solver):
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FIRST_FIT.format(solver=solver)], check=True
    )


def test_core_runs_without_scikit_learn():
    path = str(Path(skautorec.__file__).parent)
    subprocess.run([sys.executable, "-c", CORE_ALONE.format(path=path)], check=True)


def test_estimator_is_the_only_way_from_scikit_learn_to_the_core():
    core = Path(skautorec.__file__).parent / "_core"
    for file in core.glob("*.py"):
        assert "sklearn" not in file.read_text(), file
