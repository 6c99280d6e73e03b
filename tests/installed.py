"""Use the installed package outside of the source tree; run by ``make wheel``."""

from importlib.metadata import version
from pathlib import Path

import skautorec
from skautorec import AutoRecRegressor
from skautorec.datasets import make_ratings


def main():
    package = Path(skautorec.__file__).parent
    assert "site-packages" in package.parts, f"not the installed package: {package}"
    assert (package / "py.typed").exists()
    assert skautorec.__version__ == version("skautorec")
    ratings = make_ratings(60, 40, 800, random_state=0)
    model = AutoRecRegressor(hidden_units=8, max_iter=5, random_state=0).fit(ratings)
    item_ids, scores = model.recommend(3, n=2)
    assert item_ids.shape == scores.shape == (2,)
    print(f"The package in {package.parent.name} works.")


if __name__ == "__main__":  # pytest imports every file here to look for doctests
    main()
