"""Files that the README and its neighbours name are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.rst"), *ROOT.glob("docs/guide/*.rst")])
# Relative Markdown links, and code that looks like a path of this repository.
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
NAMED = re.compile(r"`((?:\.ci|\.github|benchmarks|docs|examples|skautorec|tests)/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_named_in_a_page_exist(page):
    text = page.read_text(encoding="utf-8")
    missing = [name for name in LINK.findall(text) if not (page.parent / name).exists()]
    missing += [name for name in NAMED.findall(text) if not (ROOT / name).exists()]
    assert not [name for name in missing if "_build" not in name]


def test_links_in_messages_lead_to_pages_and_sections():
    sources = [file.read_text(encoding="utf-8") for file in ROOT.glob("skautorec/**/*.py")]
    links = {link for text in sources for link in re.findall(r"\bsee\([\"']([^\"']+)", text)}
    assert len(links) >= 4
    for link in links:
        page, _, section = link.partition("#")
        text = (ROOT / "docs" / page).with_suffix(".rst").read_text(encoding="utf-8")
        titles = re.findall(r"^(.+)\n[-=~]{3,}$", text, flags=re.MULTILINE)
        anchors = [re.sub("[^a-z0-9]+", "-", title.lower()).strip("-") for title in titles]
        assert not section or section in anchors, link
