"""Put built pages into a site that holds those of other versions.

    python docs/versions.py docs/_build/html site dev

The pages of a version go into a folder of its name, ``switcher.json`` lists the folders for the
theme, and the site's first page leads to the newest release or, before there is one, to ``dev``.
"""

import json
import re
import shutil
import sys
from pathlib import Path

URL = "https://skautorec.github.io/skautorec"
RELEASE = re.compile(r"\d+\.\d+")


def publish(pages, site, name):
    """Add a version to a site."""
    folder = site / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(pages, folder)
    names = [path.name for path in site.iterdir() if (path / "index.html").exists()]
    releases = sorted(
        filter(RELEASE.fullmatch, names),
        key=lambda one: tuple(map(int, one.split("."))),
        reverse=True,
    )
    newest = releases[0] if releases else "dev"
    entries = [
        {
            "name": f"{one} (newest)" if one == newest else one,
            "version": one,
            "url": f"{URL}/{one}/",
        }
        | ({"preferred": True} if one == newest else {})
        for one in [*releases, *(["dev"] if "dev" in names else [])]
    ]
    (site / "switcher.json").write_text(json.dumps(entries, indent=1), encoding="utf-8")
    leads = f'<!doctype html><meta http-equiv="refresh" content="0; url={newest}/">\n'
    (site / "index.html").write_text(leads, encoding="utf-8")
    (site / ".nojekyll").touch()


if __name__ == "__main__":
    publish(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
