"""What the project says of the releases that it needs."""

import importlib.util
import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import skautorec

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


def test_the_conda_recipe_needs_what_the_project_needs():
    recipe = (ROOT / "conda/recipe.yaml").read_text(encoding="utf-8")
    run = recipe.partition("  run:\n")[2].partition("\n\n")[0]
    needed = dict(re.findall(r"- (\S+) >=(\S+)", run))
    assert needed.pop("python") and 'python_min: "3.11"' in recipe
    needed["torch"] = needed.pop("pytorch")
    bounds = map(Requirement, NEEDED)
    assert needed == {bound.name: next(iter(bound.specifier)).version for bound in bounds}
    assert f'version: "{skautorec.__version__}"' in recipe
    assert [f"skautorec = {PROJECT['project']['scripts']['skautorec']}"] == re.findall(
        r"- (skautorec = \S+)", recipe
    )


def test_pages_of_versions_stand_beside_each_other(tmp_path):
    spec = importlib.util.spec_from_file_location("versions", ROOT / "docs/versions.py")
    versions = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(versions)
    pages, site = tmp_path / "pages", tmp_path / "site"
    pages.mkdir()
    site.mkdir()
    for name in ("dev", "0.9", "0.10", "dev"):
        (pages / "index.html").write_text(f"pages of {name}")
        versions.publish(pages, site, name)
    (site / "other").mkdir()
    versions.publish(pages, site, "dev")
    listed = json.loads((site / "switcher.json").read_text())
    assert [one["version"] for one in listed] == ["0.10", "0.9", "dev"]
    assert [one.get("preferred", False) for one in listed] == [True, False, False]
    assert (site / "0.9/index.html").read_text() == "pages of 0.9"
    assert 'url=0.10/"' in (site / "index.html").read_text()
