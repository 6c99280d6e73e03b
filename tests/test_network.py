"""The module that `to_module` gives: what the page of the guide shows and exports."""

import re
import textwrap
from pathlib import Path

import pytest
import torch

PAGE = Path(__file__).parents[1] / "docs/guide/network.rst"
BLOCK = re.compile(
    r"code-block:: python\n\n((?:    .*\n|\n)+)\.\. code-block:: none\n\n((?:    .*\n|\n)+)"
)
NEEDS = {"torchinfo": (2, 5), "torch.export": (2, 5), "onnxruntime": (2, 7)}


@pytest.fixture(scope="module")
def steps():
    text = PAGE.read_text(encoding="utf-8")
    found = [[textwrap.dedent(one).strip() for one in pair] for pair in BLOCK.findall(text)]
    assert len(found) == len(NEEDS)
    return found


# Of torch itself, while it exports to ONNX.
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
@pytest.mark.parametrize("number", range(len(NEEDS)), ids=NEEDS)
def test_the_page_prints_what_it_says(number, steps, tmp_path, monkeypatch, capsys):
    for needed, torch_needed in list(NEEDS.items())[: number + 1]:
        pytest.importorskip(needed, reason=f"{needed} is not installed")
        release = tuple(map(int, torch.__version__.split(".")[:2]))
        if release < torch_needed:
            pytest.skip(f"{needed} needs torch {torch_needed[0]}.{torch_needed[1]}")
    monkeypatch.chdir(tmp_path)
    names = {}
    for code, _ in steps[: number + 1]:
        capsys.readouterr()
        exec(compile(code, PAGE.name, "exec"), names)
    shown = steps[number][1].splitlines()
    assert capsys.readouterr().out.strip().splitlines()[-len(shown) :] == shown


def test_a_module_is_not_in_training(steps):
    names = {}
    code = re.sub(r".*(torchinfo|summary).*", "", steps[0][0])
    exec(compile(code, PAGE.name, "exec"), names)
    module = names["module"]
    assert not any(part.training for part in module.modules())
    assert sum(one.numel() for one in module.parameters()) == 1507
