"""The public annotations serve a strictly typed project."""

import subprocess
import sys
from pathlib import Path

import pytest

import skautorec

SAMPLE = Path(__file__).parent / "typing_sample.py"


def test_a_strictly_typed_project_passes_mypy():
    pytest.importorskip("mypy", reason="mypy is not installed: public annotations not checked")
    # The settings of such a project, not ours; only what it would be told of its own file counts.
    options = ["--strict", "--warn-unreachable", "--config-file=", "--follow-imports=silent"]
    package = Path(skautorec.__file__).parent
    mypy = subprocess.run(
        [sys.executable, "-m", "mypy", *options, SAMPLE],
        cwd=package.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert mypy.returncode == 0, mypy.stdout + mypy.stderr
    assert (package / "py.typed").exists()
