"""Synthetic ratings keep their promises; MovieLens is read, fetched and checked."""

import functools
import hashlib
import http.server
import os
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from skautorec import Ratings, datasets
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


def test_make_ratings_truth_has_the_documented_spread():
    ratings, truth = make_ratings(2000, 1000, 200_000, random_state=0, return_truth=True)
    tastes = truth.user_factors @ truth.item_factors.T
    for values, std in ((truth.user_bias, 0.4), (truth.item_bias, 0.5), (tastes, 0.6)):
        assert values.std() == pytest.approx(std, rel=0.05)
    assert truth.intercept == pytest.approx(1 + 2.4)
    expected = (tastes + truth.user_bias[:, None] + truth.item_bias + truth.intercept)[
        ratings.users, ratings.items
    ]
    assert np.sqrt(np.mean((ratings.values - expected) ** 2)) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("n_ratings", [0, 51])
def test_make_ratings_refuses_too_many(n_ratings):
    with pytest.raises(ValueError, match=f"n_ratings is {n_ratings}, .* 1 to 50"):
        make_ratings(10, 10, n_ratings)


@pytest.mark.parametrize(
    "wrong",
    [{"step": 0}, {"rank": 0}, {"noise": -1}, {"rating_range": (5, 1)}, {"rating_range": (1, 1)}],
    ids=str,
)
def test_make_ratings_refuses_what_makes_none(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} is "):
        make_ratings(10, 10, 20, **wrong)


def test_make_ratings_half_of_all_pairs():
    assert len(make_ratings(60, 40, 1200, random_state=0)) == 1200


README = "This set may be used for research."
CSV_TITLES = 'movieId,title,genres\n10,Amélie (2001),Comedy\n12,"Brazil, the (1985)",Sci-Fi\n'
CSV_RATINGS = (
    "userId,movieId,rating,timestamp\n5,12,3.5,881250949\n9,10,4.0,891717742\n5,10,0.5,878887116\n"
)
# The real archives' names, separators, headings and encodings.
FILES = {
    "100k": {
        "ml-100k/u.data": "5\t12\t3.5\t881250949\n9\t10\t4\t891717742\n5\t10\t0.5\t878887116\n",
        "ml-100k/u.item": "10|Amélie (2001)|01-Jan-2001||\n12|Brazil, the (1985)|01-Jan-1985||\n",
        "ml-100k/README": README,
    },
    "1m": {
        "ml-1m/ratings.dat": "5::12::3.5::881250949\n9::10::4::891717742\n5::10::0.5::878887116\n",
        "ml-1m/movies.dat": "10::Amélie (2001)::Comedy\n12::Brazil, the (1985)::Sci-Fi\n",
        "ml-1m/README": README,
    },
    "10m": {
        "ml-10M100K/ratings.dat": (
            "5::12::3.5::881250949\n9::10::4::891717742\n5::10::0.5::878887116\n"
        ),
        "ml-10M100K/movies.dat": "10::Amélie (2001)::Comedy\n12::Brazil, the (1985)::Sci-Fi\n",
        "ml-10M100K/README.html": README,
    },
    **{
        name: {
            f"ml-{name}/ratings.csv": CSV_RATINGS,
            f"ml-{name}/movies.csv": CSV_TITLES,
            f"ml-{name}/README.txt": README,
        }
        for name in ("20m", "25m", "32m", "latest-small")
    },
}
LATIN = ("100k", "1m")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files; under /moved it redirects, under /short it promises more than it sends."""

    def do_GET(self):
        _, *how, name = self.path.split("/")
        if how == ["moved"]:
            self.send_response(302)
            self.send_header("Location", f"/{name}")
            self.end_headers()
        elif how == ["short"]:
            content = Path(self.directory, name).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
        else:
            super().do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Folder of small archives in the real format, on a server that fetch_movielens is sent to."""
    monkeypatch.delenv("SKAUTOREC_DATA", raising=False)
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Handler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(datasets, "_URL", address + "/ml-{name}.zip")
    for name, files in FILES.items():
        path = folder / f"ml-{name}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file, text in files.items():
                archive.writestr(file, text.encode("latin-1" if name in LATIN else "utf-8"))
        if name != "latest-small":
            monkeypatch.setitem(datasets._MD5, name, hashlib.md5(path.read_bytes()).hexdigest())
    yield folder
    server.shutdown()
    server.server_close()


def reroute(monkeypatch, how):
    monkeypatch.setattr(datasets, "_URL", datasets._URL.replace("/ml-", f"/{how}/ml-"))


def cached(home):
    """Names of all that is in the cache, folders too."""
    return [path.name for path in (home / "skautorec").rglob("*")]


@pytest.mark.parametrize("name", FILES)
def test_movielens_is_fetched_once_and_read(name, served, tmp_path):
    for _ in range(2):
        data = fetch_movielens(name, data_home=tmp_path / "home")
        ratings = data.ratings
        np.testing.assert_array_equal(ratings.user_ids[ratings.users], [5, 9, 5])
        np.testing.assert_array_equal(ratings.item_ids[ratings.items], [12, 10, 10])
        np.testing.assert_array_equal(ratings.values, [3.5, 4, 0.5])
        np.testing.assert_array_equal(ratings.timestamps, [881250949, 891717742, 878887116])
        assert data.titles == {10: "Amélie (2001)", 12: "Brazil, the (1985)"}
        assert (data.name, data.DESCR) == (name, README)
        assert cached(tmp_path / "home") == [f"ml-{name}.zip"]
        (served / f"ml-{name}.zip").unlink(missing_ok=True)  # the second time it is in the cache


def test_movielens_as_a_frame(served, tmp_path):
    assert "frame" not in fetch_movielens("25m", data_home=tmp_path)
    data = fetch_movielens("25m", data_home=tmp_path, return_frame=True)
    assert list(data.frame.columns) == ["user_id", "item_id", "rating", "timestamp"]
    again = Ratings.from_frame(
        data.frame, user="user_id", item="item_id", rating="rating", timestamp="timestamp"
    )
    for name in ("users", "items", "values", "timestamps", "user_ids", "item_ids"):
        np.testing.assert_array_equal(getattr(again, name), getattr(data.ratings, name))


def test_a_redirect_is_followed(served, tmp_path, monkeypatch):
    reroute(monkeypatch, "moved")
    assert len(fetch_movielens("100k", data_home=tmp_path).ratings) == 3


@pytest.mark.parametrize("name", ["100k", "latest-small"])  # with a known checksum and without
@pytest.mark.parametrize("harm", ["cut off", "cut off at the server", "damaged", "no archive"])
def test_what_arrives_harmed_is_refused_and_not_kept(name, harm, served, tmp_path, monkeypatch):
    path = served / f"ml-{name}.zip"
    content = path.read_bytes()
    if harm == "cut off":
        reroute(monkeypatch, "short")
    elif harm == "cut off at the server":
        path.write_bytes(content[:-20])
    elif harm == "damaged":
        path.write_bytes(content[:70] + bytes([content[70] ^ 255]) + content[71:])
    else:
        path.write_bytes(b"<html>We have moved</html>")
    with pytest.raises(OSError, match="could not be downloaded whole.* by hand and put it at"):
        fetch_movielens(name, data_home=tmp_path / "home")
    assert not cached(tmp_path / "home")


def test_offline_says_where_to_put_the_file(served, tmp_path):
    content = (served / "ml-100k.zip").read_bytes()
    (served / "ml-100k.zip").unlink()
    with pytest.raises(OSError, match=r"by hand and put it at .*ml-100k\.zip"):
        fetch_movielens("100k", data_home=tmp_path)
    (tmp_path / "skautorec" / "ml-100k.zip").write_bytes(content)  # what the message says to do
    assert len(fetch_movielens("100k", data_home=tmp_path).ratings) == 3


@pytest.mark.parametrize(("content", "state"), [(None, "not there"), (b"cut short", "damaged")])
def test_nothing_is_downloaded_unasked(content, state, served, tmp_path):
    path = tmp_path / "skautorec" / "ml-100k.zip"
    if content is not None:
        path.parent.mkdir()
        path.write_bytes(content)
    with pytest.raises(OSError, match=rf"ml-100k\.zip is {state}, and download_if_missing"):
        fetch_movielens("100k", data_home=tmp_path, download_if_missing=False)


@pytest.mark.parametrize("name", ["100k", "latest-small"])
def test_a_damaged_file_in_the_cache_is_fetched_again(name, served, tmp_path):
    path = tmp_path / "skautorec" / f"ml-{name}.zip"
    path.parent.mkdir()
    path.write_bytes(b"cut short")
    assert len(fetch_movielens(name, data_home=tmp_path).ratings) == 3


def test_an_unknown_set_is_refused():
    with pytest.raises(ValueError, match="name is '2m'; .*'100k', '1m', .*'latest-small'"):
        fetch_movielens("2m")


def test_every_set_has_a_checksum_or_is_known_to_change():
    assert datasets._MD5.keys() == datasets._LAYOUTS.keys()
    assert [name for name, md5 in datasets._MD5.items() if md5 is None] == ["latest-small"]


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
    assert "may not redistribute" in data.DESCR
    assert ratings.values.mean() == pytest.approx(3.55, abs=0.05)


def test_names_in_capitals_are_names(tmp_path):
    with pytest.raises(OSError, match=r"ml-25m\.zip is not there"):
        fetch_movielens("25M", data_home=tmp_path, download_if_missing=False)
