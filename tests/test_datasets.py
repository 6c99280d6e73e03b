"""Synthetic ratings keep their promises; MovieLens is read, fetched and checked."""

import functools
import hashlib
import http.server
import os
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skautorec import datasets
from skautorec.datasets import fetch_movielens, make_ratings


def test_make_ratings_is_what_was_asked_for():
    ratings = make_ratings(200, 100, 5000, rating_range=(0, 10), step=0.5, random_state=0)
    assert (len(ratings), ratings.n_users, ratings.n_items) == (5000, 200, 100)
    assert ratings.values.min() == 0 and ratings.values.max() == 10
    np.testing.assert_array_equal(ratings.values * 2, np.rint(ratings.values * 2))
    pairs = ratings.users.astype(int) * 100 + ratings.items
    assert len(np.unique(pairs)) == 5000
    again = make_ratings(200, 100, 5000, rating_range=(0, 10), step=0.5, random_state=0)
    np.testing.assert_array_equal(again.values, ratings.values)
    other = make_ratings(200, 100, 5000, rating_range=(0, 10), step=0.5, random_state=1)
    assert (other.users != ratings.users).any()


def test_make_ratings_has_popular_items_and_active_users():
    ratings = make_ratings(2000, 1000, 40_000, random_state=0)
    for codes, n in ((ratings.users, 2000), (ratings.items, 1000)):
        counts = np.sort(np.bincount(codes, minlength=n))[::-1]
        assert counts[: n // 10].sum() > 0.25 * len(ratings)
        assert counts.max() > 4 * np.median(counts)


def test_make_ratings_truth_explains_the_ratings():
    ratings, truth = make_ratings(
        400, 200, 20_000, noise=0.5, step=None, random_state=0, return_truth=True
    )
    expected = np.einsum(
        "ij,ij->i", truth.user_factors[ratings.users], truth.item_factors[ratings.items]
    )
    expected += truth.user_bias[ratings.users] + truth.item_bias[ratings.items] + truth.intercept
    inside = (ratings.values > 1) & (ratings.values < 5) & (expected > 2) & (expected < 4)
    assert np.std(ratings.values[inside] - expected[inside]) == pytest.approx(0.5, rel=0.05)
    assert np.corrcoef(ratings.values, expected)[0, 1] > 0.8


@pytest.mark.parametrize("n_ratings", [0, 51])
def test_make_ratings_refuses_too_many(n_ratings):
    with pytest.raises(ValueError, match=f"n_ratings is {n_ratings}, .* 1 to 50"):
        make_ratings(10, 10, n_ratings)


def test_make_ratings_half_of_all_pairs():
    assert len(make_ratings(60, 40, 1200, random_state=0)) == 1200


FILES = {
    "100k": {
        "ml-100k/u.data": "5\t12\t3\t881250949\n9\t10\t4\t891717742\n5\t10\t1\t878887116\n",
        "ml-100k/u.item": "10|Amélie (2001)|01-Jan-2001||\n12|Brazil (1985)|01-Jan-1985||\n",
    },
    "1m": {
        "ml-1m/ratings.dat": "5::12::3::881250949\n9::10::4::891717742\n5::10::1::878887116\n",
        "ml-1m/movies.dat": "10::Amélie (2001)::Comedy\n12::Brazil (1985)::Sci-Fi\n",
    },
}


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server of small archives in the real format, which the sources point to."""
    monkeypatch.delenv("SKAUTOREC_DATA", raising=False)
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(QuietHandler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, files in FILES.items():
        path = folder / f"ml-{name}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file, text in files.items():
                archive.writestr(file, text.encode("latin-1"))
        source = replace(
            datasets._SETS[name],
            url=f"http://127.0.0.1:{server.server_port}/{path.name}",
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        monkeypatch.setitem(datasets._SETS, name, source)
    yield folder
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", FILES)
def test_movielens_is_fetched_once_and_read(name, served, tmp_path):
    pytest.importorskip("pooch", reason="pooch is not installed")
    for _ in range(2):
        data = fetch_movielens(name, data_home=tmp_path / "home")
        np.testing.assert_array_equal(data.ratings.user_ids, [5, 9])
        np.testing.assert_array_equal(data.ratings.item_ids, [10, 12])
        np.testing.assert_array_equal(data.ratings.values, [3, 4, 1])
        assert data.ratings.timestamps[0] == 881250949
        assert data.titles == {10: "Amélie (2001)", 12: "Brazil (1985)"}
        assert data.name == name and "GroupLens" in data.DESCR
        (served / f"ml-{name}.zip").unlink(missing_ok=True)  # the second time it is in the cache


def test_a_damaged_archive_is_refused_and_not_kept(served, tmp_path):
    pytest.importorskip("pooch", reason="pooch is not installed")
    path = served / "ml-100k.zip"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(OSError, match="could not be downloaded whole.* by hand and put it at"):
        fetch_movielens("100k", data_home=tmp_path / "home")
    assert not list((tmp_path / "home").rglob("*.zip"))


def test_offline_says_where_to_put_the_file(served, tmp_path):
    pytest.importorskip("pooch", reason="pooch is not installed")
    (served / "ml-100k.zip").unlink()
    with pytest.raises(OSError, match=r"by hand and put it at .*ml-100k\.zip"):
        fetch_movielens("100k", data_home=tmp_path)


@pytest.mark.parametrize(("content", "state"), [(None, "not there"), (b"cut short", "damaged")])
def test_nothing_is_downloaded_unasked(content, state, served, tmp_path):
    path = tmp_path / "skautorec" / "ml-100k.zip"
    if content is not None:
        path.parent.mkdir()
        path.write_bytes(content)
    with pytest.raises(OSError, match=rf"ml-100k\.zip is {state}, and download_if_missing"):
        fetch_movielens("100k", data_home=tmp_path, download_if_missing=False)


def test_a_damaged_file_in_the_cache_is_fetched_again(served, tmp_path):
    pytest.importorskip("pooch", reason="pooch is not installed")
    path = tmp_path / "skautorec" / "ml-100k.zip"
    path.parent.mkdir()
    path.write_bytes(b"cut short")
    assert len(fetch_movielens("100k", data_home=tmp_path).ratings) == 3


def test_pooch_is_needed_for_downloads_only(served, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)  # importing it raises ImportError
    with pytest.raises(ImportError, match=r"skautorec\[datasets\].* put it at .*ml-100k\.zip"):
        fetch_movielens("100k", data_home=tmp_path)
    path = tmp_path / "skautorec" / "ml-100k.zip"
    path.write_bytes((served / "ml-100k.zip").read_bytes())  # what the message says to do
    assert len(fetch_movielens("100k", data_home=tmp_path).ratings) == 3


def test_an_unknown_set_is_refused():
    with pytest.raises(ValueError, match="'100k', '1m'"):
        fetch_movielens("2m")


@pytest.mark.parametrize(
    ("name", "shape"), [("100k", (100_000, 943, 1682)), ("1m", (1_000_209, 6040, 3706))]
)
def test_movielens_from_a_local_folder(name, shape):
    if not (Path(os.environ.get("SKAUTOREC_DATA") or os.devnull) / f"ml-{name}").is_dir():
        pytest.skip(f"SKAUTOREC_DATA names no folder with ml-{name}: real data not read")
    data = fetch_movielens(name, download_if_missing=False)
    ratings = data.ratings
    assert (len(ratings), ratings.n_users, ratings.n_items) == shape
    assert data.titles[1] == "Toy Story (1995)"
    assert ratings.values.mean() == pytest.approx(3.55, abs=0.05)
