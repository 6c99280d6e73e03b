"""Examples in the documentation's pages print what they say they print, and the first one runs."""

import doctest
import re
import textwrap
from pathlib import Path

import pytest

from skautorec import AutoRecRegressor, datasets

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [
    page
    for page in sorted([*DOCS.glob("*.rst"), *DOCS.glob("guide/*.rst")])
    if ">>> " in page.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_in_a_page(page):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, tried = doctest.testfile(
        str(page), module_relative=False, optionflags=flags, encoding="utf-8"
    )
    assert tried
    assert not failed


def test_the_first_snippet_is_the_same_everywhere_and_runs_as_pasted(monkeypatch, capsys):
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    index = (DOCS / "index.rst").read_text(encoding="utf-8")
    code, shown = re.findall(r"```(?:python|none)\n(.*?)```", readme, re.DOTALL)[:2]
    for block in (code, shown):
        assert textwrap.indent(block, "    ") in index
    ratings = datasets.make_ratings(300, 300, 12_000, random_state=0)
    movielens = datasets._MovieLens(ratings=ratings, titles={i: f"Film {i}" for i in range(300)})
    monkeypatch.setattr(datasets, "fetch_movielens", lambda name: movielens)
    fit = AutoRecRegressor.fit
    monkeypatch.setattr(
        AutoRecRegressor, "fit", lambda self, X: fit(self.set_params(max_iter=3), X)
    )
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    # As many lines as are shown, of an RMSE and two lists of three.
    assert len(printed.splitlines()) == len(shown.splitlines()) == 3
    assert re.fullmatch(r"RMSE \d\.\d{3}\n(\[.*?, .*?, .*?\]\n){2}", printed)
