"""What the project says of the releases that it needs."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NEEDED = PROJECT["project"]["dependencies"]
PLOT = PROJECT["project"]["optional-dependencies"]["plot"]
LINES = (ROOT / "tests" / "oldest.txt").read_text(encoding="utf-8").splitlines()
OLDEST = dict(line.partition(" ")[0].split("==") for line in LINES if "==" in line)


@pytest.mark.parametrize("bound", [*NEEDED, *PLOT, *PROJECT["dependency-groups"]["test"]])
def test_the_oldest_release_that_is_allowed_is_tested(bound):
    needed = Requirement(bound)
    (least,) = needed.specifier
    assert least.operator == ">="
    assert Version(OLDEST[needed.name]) == Version(least.version)


@pytest.mark.parametrize("bound", NEEDED)
def test_the_readme_names_the_oldest_releases(bound):
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert re.search(rf"{re.escape(bound.replace('>=', ' '))}[, ]", readme)
