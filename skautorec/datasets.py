"""Rating data: synthetic with a known truth, and MovieLens."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import os
import shutil
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, Literal, overload

import numpy as np
from sklearn.datasets import get_data_home
from sklearn.utils import Bunch, check_random_state

from ._data.ids import factorize
from ._data.ratings import Ratings

__all__ = ["fetch_movielens", "make_ratings"]


class _Truth(Bunch):
    """What made ratings were made of."""

    user_factors: np.ndarray
    item_factors: np.ndarray
    user_bias: np.ndarray
    item_bias: np.ndarray
    intercept: float


class _MovieLens(Bunch):
    """A MovieLens set."""

    ratings: Ratings
    titles: dict[int, str]
    name: str
    DESCR: str
    frame: Any


@overload
def make_ratings(
    n_users: int = ...,
    n_items: int = ...,
    n_ratings: int = ...,
    *,
    rank: int = ...,
    noise: float = ...,
    rating_range: tuple[float, float] = ...,
    step: float | None = ...,
    popularity: float = ...,
    random_state: Any = ...,
    return_truth: Literal[False] = ...,
) -> Ratings: ...
@overload
def make_ratings(
    n_users: int = ...,
    n_items: int = ...,
    n_ratings: int = ...,
    *,
    rank: int = ...,
    noise: float = ...,
    rating_range: tuple[float, float] = ...,
    step: float | None = ...,
    popularity: float = ...,
    random_state: Any = ...,
    return_truth: Literal[True],
) -> tuple[Ratings, _Truth]: ...
def make_ratings(
    n_users: int = 500,
    n_items: int = 300,
    n_ratings: int = 20_000,
    *,
    rank: int = 5,
    noise: float = 0.8,
    rating_range: tuple[float, float] = (1.0, 5.0),
    step: float | None = 1.0,
    popularity: float = 0.8,
    random_state: Any = None,
    return_truth: bool = False,
) -> Any:
    """Make ratings of low rank with biases, noise and realistic popularity.

    A rating is an intercept plus a user bias, an item bias, the product of ``rank`` tastes and
    normal noise, rounded to ``step`` and clipped to the range. Few items get most ratings, and
    users differ in how many they give. Which pairs are rated does not depend on the ratings.

    Parameters
    ----------
    n_users, n_items : int
        Size; ids are 0 to ``n_users - 1`` and 0 to ``n_items - 1``.
    n_ratings : int
        Number of distinct pairs, at most half of all.
    rank : int, default=5
        Number of tastes.
    noise : float, default=0.8
        Standard deviation of the noise when the range is four units wide, as in 1..5; it grows
        with the range.
    rating_range : (float, float), default=(1, 5)
        Lowest and highest rating.
    step : float, default=1.0
        Distance of neighbouring ratings; None leaves them unrounded.
    popularity : float, default=0.8
        The i-th most popular item gets ratings in proportion to ``(i + 10) ** -popularity``; 0
        makes all items alike.
    random_state : int, RandomState instance or None, default=None
        Seed.
    return_truth : bool, default=False
        Also return what the ratings were made of.

    Returns
    -------
    ratings : Ratings
    truth : Bunch
        Only with ``return_truth``. The rating of user u for item i, before noise, rounding and
        clipping, is ``user_factors[u] @ item_factors[i] + user_bias[u] + item_bias[i] +
        intercept``, in rating units:

        - ``user_factors``: ndarray of shape (n_users, rank);
        - ``item_factors``: ndarray of shape (n_items, rank);
        - ``user_bias``: ndarray of shape (n_users,);
        - ``item_bias``: ndarray of shape (n_items,);
        - ``intercept``: float.

    Raises
    ------
    ValueError
        More ratings than half of all pairs, a range that is none, a rank below 1, negative noise,
        or a step that is not positive.

    Notes
    -----
    With a quarter of the range as the unit (one star of 1..5), all draws are normal with mean zero:
    user biases with standard deviation 0.4, item biases 0.5, the product of tastes 0.6, the noise
    ``noise``. The intercept is 2.4 units above the lowest rating. No model can predict ratings
    before rounding and clipping with an RMSE below ``noise``; with the defaults, the truth itself
    predicts the final ratings with one of 0.80.

    Examples
    --------
    >>> from skautorec.datasets import make_ratings
    >>> make_ratings(50, 40, 600, random_state=0)
    <Ratings: 600 ratings of 40 items by 50 users (30% observed), from 1.0 to 5.0>
    """
    _check_size(n_users, n_items, n_ratings)
    _check_scale(rank, noise, rating_range, step)
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
    low, high = rating_range
    unit = (high - low) / 4
    truth = _Truth(
        user_factors=rng.normal(scale=unit * 0.6 / np.sqrt(rank), size=(n_users, rank)),
        item_factors=rng.normal(size=(n_items, rank)),
        user_bias=rng.normal(scale=unit * 0.4, size=n_users),
        item_bias=rng.normal(scale=unit * 0.5, size=n_items),
        intercept=low + 0.6 * (high - low),
    )
    users, items = _popular_pairs(rng, n_users, n_items, n_ratings, popularity)
    values = truth.intercept + truth.user_bias[users] + truth.item_bias[items]
    for taste in range(rank):
        values += truth.user_factors[users, taste] * truth.item_factors[items, taste]
    values += rng.normal(scale=noise * unit, size=n_ratings)
    if step is not None:
        values = low + np.rint((values - low) / step) * step
    ratings = Ratings(
        users,
        items,
        np.clip(values, low, high),
        user_ids=np.arange(n_users),
        item_ids=np.arange(n_items),
    )
    return (ratings, truth) if return_truth else ratings


def _check_size(n_users: int, n_items: int, n_ratings: int) -> None:
    if not 1 <= n_ratings <= n_users * n_items // 2:
        raise ValueError(
            f"n_ratings is {n_ratings}, and {n_users} users and {n_items} items allow 1 to "
            f"{n_users * n_items // 2}: at most half of all pairs."
        )


def _check_scale(
    rank: int, noise: float, rating_range: tuple[float, float], step: float | None
) -> None:
    if not -np.inf < rating_range[0] < rating_range[1] < np.inf:
        raise ValueError(
            f"rating_range is {rating_range!r}; give the lowest and the highest rating, as in "
            "(1, 5)."
        )
    if rank < 1 or noise < 0 or (step is not None and step <= 0):
        raise ValueError(
            f"rank is {rank}, noise is {noise} and step is {step}; give at least one taste, noise "
            "of 0 or more, and a positive step (None leaves ratings unrounded)."
        )


def _popular_pairs(
    rng: np.random.Generator, n_users: int, n_items: int, n_ratings: int, popularity: float
) -> tuple[np.ndarray, np.ndarray]:
    """Distinct pairs: a user by a log-normal activity, an item by a power law."""
    activity = rng.lognormal(sigma=1.0, size=n_users)
    ranks = rng.permutation(n_items)
    shares = [np.cumsum(activity), np.cumsum((ranks + 10.0) ** -popularity)]
    pairs = np.empty(0, dtype=np.int64)
    while len(pairs) < n_ratings:
        size = n_ratings + n_ratings // 4 - len(pairs)
        users, items = (
            np.searchsorted(share, rng.random(size) * share[-1], side="right") for share in shares
        )
        pairs = np.sort(np.append(pairs, users * n_items + items))
        # np.unique hashes first, which took five times as long for ten million pairs.
        pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])]
        # Flatter shares fill up what the first draws left open.
        shares = [np.cumsum(np.sqrt(np.diff(share, prepend=0))) for share in shares]
    pairs = rng.permutation(pairs)[:n_ratings]
    return pairs // n_items, pairs % n_items


@dataclass(frozen=True)
class _Layout:
    """Where the files of a MovieLens set are, and how its table of titles is written."""

    ratings: str
    titles: str
    readme: str
    separator: str = ","
    encoding: str = "utf-8"


def _csv_layout(name: str) -> _Layout:
    folder = f"ml-{name}"
    return _Layout(f"{folder}/ratings.csv", f"{folder}/movies.csv", f"{folder}/README.txt")


_LAYOUTS = {
    "100k": _Layout("ml-100k/u.data", "ml-100k/u.item", "ml-100k/README", "|", "latin-1"),
    "1m": _Layout("ml-1m/ratings.dat", "ml-1m/movies.dat", "ml-1m/README", "::", "latin-1"),
    "10m": _Layout(
        "ml-10M100K/ratings.dat", "ml-10M100K/movies.dat", "ml-10M100K/README.html", "::"
    ),
    **{name: _csv_layout(name) for name in ("20m", "25m", "32m", "latest-small")},
}
# Of the archives, as GroupLens publishes them beside each (its address plus ".md5").
_MD5 = {
    "100k": "0e33842e24a9c977be4e0107933c0723",
    "1m": "c4d9eecfca2ab87c1945afe126590906",
    "10m": "ce571fd55effeba0271552578f2648bd",
    "20m": "cd245b17a1ae2cc31bb14903e1204af3",
    "25m": "6b51fb2759a8657d3bfcbfc42b592ada",
    "32m": "d472be332d4daa821edc399621853b57",
    "latest-small": None,  # GroupLens replaces it from time to time
}
_URL = "https://files.grouplens.org/datasets/movielens/ml-{name}.zip"
_LOCAL_LAYOUTS = {
    "100k": _Layout("ml-100k/u.data", "ml-100k/items.csv", "ml-100k/README.txt"),
    "1m": _Layout("ml-1m/ratings.csv.gz", "ml-1m/movies.csv", "ml-1m/README.txt"),
}


def fetch_movielens(
    name: str = "100k",
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_frame: bool = False,
) -> _MovieLens:
    """Load MovieLens ratings, from a local folder, the cache, or the web.

    ================== ========== ======= ====== ==================== ==========
    ``name``           ratings    users   items  values               archive
    ================== ========== ======= ====== ==================== ==========
    ``"100k"``         100,000    943     1,682  1 to 5               5 MB
    ``"1m"``           1,000,209  6,040   3,706  1 to 5               6 MB
    ``"10m"``          10,000,054 69,878  10,677 0.5 to 5, in halves  66 MB
    ``"20m"``          20,000,263 138,493 26,744 0.5 to 5, in halves  199 MB
    ``"25m"``          25,000,095 162,541 59,047 0.5 to 5, in halves  262 MB
    ``"32m"``          32,000,204 200,948 84,432 0.5 to 5, in halves  239 MB
    ``"latest-small"`` 100,836    610     9,724  0.5 to 5, in halves  1 MB
    ================== ========== ======= ====== ==================== ==========

    GroupLens collected them [1]_.

    Parameters
    ----------
    name : str, default="100k"
        Which set, see the table. ``"latest-small"`` is for trying things out: GroupLens replaces it
        from time to time (the row is its edition of September 2018), so report no results on it.
    data_home : path, default=None
        Cache folder; None is scikit-learn's, see `sklearn.datasets.get_data_home`.
    download_if_missing : bool, default=True
        Whether to download what is not in the cache.
    return_frame : bool, default=False
        Also return the ratings as a pandas DataFrame.

    Returns
    -------
    Bunch
        - ``ratings``: `Ratings` with the file's integer ids; timestamps in seconds since 1970.
        - ``titles``: dict from item id to title, of items without ratings too.
        - ``name``: str.
        - ``DESCR``: str, the set's README. **It holds the licence**: research is allowed,
          commercial use needs permission, and sets differ on redistribution.
        - ``frame``: DataFrame, only with ``return_frame``. A row per rating, with the columns
          ``user_id``, ``item_id``, ``rating`` and ``timestamp``.

    Raises
    ------
    ValueError
        There is no set of this name.
    OSError
        The set is neither in the cache nor could it be downloaded whole; the message says where to
        put the file by hand.
    ImportError
        ``return_frame=True`` without pandas.

    Notes
    -----
    An archive is used only if its MD5 checksum is the one that GroupLens publishes; one that is
    not is downloaded again. GroupLens publishes none that would last for ``"latest-small"``: there,
    the checksums inside of the archive are checked.

    If the environment variable ``SKAUTOREC_DATA`` names a folder with ``ml-100k/u.data``,
    ``ml-100k/items.csv`` and ``ml-100k/README.txt``, or with ``ml-1m/ratings.csv.gz``,
    ``ml-1m/movies.csv`` and ``ml-1m/README.txt``, that set is read there. Files with three columns
    give ratings without timestamps.

    References
    ----------
    .. [1] F. M. Harper and J. A. Konstan, "The MovieLens Datasets: History and Context", ACM
       Transactions on Interactive Intelligent Systems 5(4), 2015.

    Examples
    --------
    >>> from skautorec.datasets import fetch_movielens
    >>> fetch_movielens("100k").ratings  # doctest: +SKIP
    <Ratings: 100,000 ratings of 1,682 items by 943 users (6.3% observed), from 1.0 to 5.0>
    """
    name = str(name).lower()
    if name not in _LAYOUTS:
        raise ValueError(f"name is {name!r}; it must be one of {', '.join(map(repr, _LAYOUTS))}.")
    local = _local_folder(name)
    if local is None:
        with zipfile.ZipFile(_archive(name, data_home, download_if_missing)) as archive:
            data = _read_set(_LAYOUTS[name], archive.open)
    else:
        data = _read_set(_LOCAL_LAYOUTS[name], lambda file: _open_local(local / file))
    data.name = name
    if return_frame:
        data.frame = data.ratings.to_frame()
    return data


def _local_folder(name: str) -> Path | None:
    named, layout = os.environ.get("SKAUTOREC_DATA"), _LOCAL_LAYOUTS.get(name)
    if not named or layout is None:
        return None
    files = (layout.ratings, layout.titles, layout.readme)
    return Path(named) if all((Path(named) / file).is_file() for file in files) else None


def _open_local(path: Path) -> IO[bytes]:
    return (
        io.BytesIO(gzip.decompress(path.read_bytes())) if path.suffix == ".gz" else path.open("rb")
    )


def _archive(name: str, data_home: Any, download_if_missing: bool) -> Path:
    """Path of the checked archive, downloaded if need be."""
    url = _URL.format(name=name)
    folder = Path(get_data_home(data_home)) / "skautorec"
    folder.mkdir(exist_ok=True)  # so that a file can be put there by hand
    path = folder / f"ml-{name}.zip"
    by_hand = f"Get {url} by hand and put it at {path}."
    if _is_whole(path, _MD5[name]):
        return path
    if not download_if_missing:
        state = "damaged" if path.exists() else "not there"
        raise OSError(f"{path} is {state}, and download_if_missing is False. {by_hand}")
    try:
        _download(url, path, _MD5[name])
    except (OSError, HTTPException) as error:
        raise OSError(f"{url} could not be downloaded whole: {error}. {by_hand}") from error
    return path


def _download(url: str, path: Path, md5: str | None) -> None:
    """Put a file into its place once it is there whole."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / path.name
        with urllib.request.urlopen(url, timeout=60) as response, part.open("wb") as file:
            shutil.copyfileobj(response, file)
        if not _is_whole(part, md5):
            raise OSError("what arrived is cut off or damaged")
        part.replace(path)


def _is_whole(path: Path, md5: str | None) -> bool:
    """Whether an archive is what was published or, without a checksum, is sound in itself."""
    if not path.is_file():
        return False
    if md5 is None:
        return _is_sound(path)
    with path.open("rb") as file:
        # It guards against accidents, and is what GroupLens publishes.
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return digest.hexdigest() == md5


def _is_sound(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return False


def _read_set(layout: _Layout, open_file: Callable[[str], IO[bytes]]) -> _MovieLens:
    """Ratings, titles and README of a set whose files ``open_file`` opens by name."""

    def open_text(name: str) -> io.TextIOWrapper:
        return io.TextIOWrapper(open_file(name), layout.encoding)

    with open_text(layout.ratings) as lines:
        table = _read_table(lines)
    with open_text(layout.titles) as lines:
        titles = _read_titles(lines, layout.separator)
    with open_file(layout.readme) as file:
        readme = file.read().decode(layout.encoding, errors="replace")
    return _MovieLens(ratings=_ratings(*table), titles=titles, DESCR=readme)


def _read_table(lines: Iterable[str]) -> np.ndarray:
    """Columns of a table of numbers: user, item, rating and, in some, time."""
    rows = (
        line.replace("::", ",").replace("\t", ",") for line in lines if line[:1].isdigit()
    )  # a heading starts with a letter
    return np.loadtxt(rows, delimiter=",", unpack=True)


def _read_titles(lines: Iterable[str], separator: str) -> dict[int, str]:
    """Titles by item id; lines that do not start with an id are headings."""
    rows = csv.reader(lines) if separator == "," else (line.split(separator) for line in lines)
    return {int(row[0]): row[1] for row in rows if row and row[0].isdigit()}


def _ratings(
    users: np.ndarray, items: np.ndarray, values: np.ndarray, times: np.ndarray | None = None
) -> Ratings:
    user_codes, user_ids = factorize(users.astype(np.int64))
    item_codes, item_ids = factorize(items.astype(np.int64))
    return Ratings(
        user_codes,
        item_codes,
        values,
        timestamps=None if times is None else times.astype(np.int64),
        user_ids=user_ids.array,
        item_ids=item_ids.array,
    )
