"""The numerical core stands on its own."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import skautorec
from skautorec import _versions
from skautorec._core.solvers import SOLVERS

CORE_ALONE = """
import sys, types
sys.modules["sklearn"] = None  # importing it now raises ImportError
package = types.ModuleType("skautorec")
package.__path__ = [{path!r}]
sys.modules["skautorec"] = package
import scipy.sparse
from skautorec._core.fit import fit_model
from skautorec._core.journal import Journal
from skautorec._core.matrix import Table
from skautorec._core.training import Progress, Settings
R = scipy.sparse.random_array((20, 15), density=0.5, format="csr", random_state=0)
settings = Settings((4,), 1.0, "sigmoid", "adam", None, None, 5, 0.0, 5, 0.5)
model, users, items, histories = fit_model(
    lambda: Table(R, None), settings, kind="both", n_members=1, decoder_lambd=None,
    validation_fraction=0.1, seed=0, device="cpu", progress=Progress(),
    journal=Journal(),
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


# What is on a floor is imported by what is above it only.
FLOORS = [
    {"_core", "_versions"},
    {"_data", "_progress"},
    {"_fitted", "datasets", "metrics"},
    {"_recommend", "_update", "model_selection"},
    {"_files"},
    {"_base"},
    {"_estimator", "baselines"},
    {"pipeline", "plotting", "_command"},
    {"__init__", "__main__"},
]


def imported(file, depth):
    """Modules and folders at the top of the package that a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            yield from [node.module.split(".")[0]] if node.module else [x.name for x in node.names]


def test_imports_lead_to_lower_floors_only():
    package = Path(skautorec.__file__).parent
    floors = {name: number for number, names in enumerate(FLOORS) for name in names}
    for file in package.rglob("*.py"):
        path = file.relative_to(package).parts
        name = path[0].removesuffix(".py")
        for other in set(imported(file, len(path))) - {name}:
            assert floors[other] < floors[name], f"{name} imports {other}"


NAMESPACE = """
import sys, skautorec
modules = ["baselines", "datasets", "metrics", "model_selection", "pipeline", "plotting"]
assert not [name for name in modules if "skautorec." + name in sys.modules]
assert "matplotlib" not in sys.modules
assert dir(skautorec) == sorted(skautorec.__all__)
assert set(modules) < set(dir(skautorec))
assert all(getattr(skautorec, name) is sys.modules["skautorec." + name] for name in modules)
assert skautorec.plotting.TrainingCurveDisplay and "matplotlib" not in sys.modules
"""


def test_modules_are_imported_when_they_are_used():
    subprocess.run([sys.executable, "-W", "ignore", "-c", NAMESPACE], check=True)
    with pytest.raises(AttributeError, match=r"module 'skautorec' has no attribute 'plots'"):
        skautorec.plots  # noqa: B018


def test_versions_are_shown(capsys):
    assert skautorec.show_versions() is None
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["skautorec"] == skautorec.__version__
    assert lines["numpy"] == np.__version__
    n_threads = torch.get_num_threads()
    assert lines["torch"].startswith(f"{torch.__version__}, {n_threads} threads, CUDA")
    assert lines.keys() >= {"python", "scikit-learn", "pandas", "narwhals", "platform"}


def test_packages_that_are_missing_are_said_to_be(monkeypatch, capsys):
    monkeypatch.setattr(_versions, "_PACKAGES", ("no-such-package",))
    skautorec.show_versions()
    assert "no-such-package: not installed" in capsys.readouterr().out
