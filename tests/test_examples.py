"""Each example runs as it is downloaded: alone, in an empty folder, with real data or without.

The data are small and the fits short here; the documentation's gallery runs them whole.
"""

import runpy
import shutil
import urllib.request
from pathlib import Path

import pytest

from skautorec import AutoRecRegressor, datasets

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
RATINGS = datasets.make_ratings(170, 160, 8000, random_state=0)


class Fitting(BaseException):  # which no search takes for a failed fit
    """An example has its ratings and fits them."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, and no network."""

    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "cache"))
    monkeypatch.delenv("SKAUTOREC_DATA", raising=False)
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def write_movielens(folder):
    """A small set with the files of MovieLens 100K."""
    (folder / "ml-100k").mkdir(parents=True)
    table = RATINGS.to_frame().to_numpy().astype(int).tolist()
    lines = [f"{u}\t{i}\t{r}\t{880_000_000 + u}" for u, i, r in table]
    (folder / "ml-100k/u.data").write_text("\n".join(lines))
    titles = [f'{item},"Title, The {item} (1990)"' for item in RATINGS.item_ids]
    (folder / "ml-100k/items.csv").write_text("\n".join(titles))
    (folder / "ml-100k/README.txt").write_text("")


def run(example, folder):
    shutil.copy(example, folder)
    runpy.run_path(example.name, run_name="__main__")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_alone(example, folder, tmp_path, monkeypatch, capsys):
    write_movielens(tmp_path / "data")
    monkeypatch.setenv("SKAUTOREC_DATA", str(tmp_path / "data"))
    fit = AutoRecRegressor.fit

    def short(self, *args, **kwargs):
        self.set_params(max_iter=2, hidden_units=5)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(AutoRecRegressor, "fit", short)
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.extend(plt.get_fignums()))
    with plt.rc_context():
        run(example, folder)
    plt.close("all")
    assert "made ratings" not in capsys.readouterr().out
    assert shown or example.stem == "demo"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_without_data_says_so_and_makes_ratings(example, folder, monkeypatch, capsys):
    def reached(self, X, *args, **kwargs):
        raise Fitting

    monkeypatch.setattr(AutoRecRegressor, "fit", reached)
    monkeypatch.setattr(datasets, "make_ratings", lambda *args, **kwargs: RATINGS)
    with pytest.raises(Fitting):
        run(example, folder)
    assert "no network" in (printed := capsys.readouterr().out) and "made ratings" in printed
