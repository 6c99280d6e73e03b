"""Rating data: synthetic with a known truth, and MovieLens."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import get_data_home
from sklearn.utils import Bunch, check_random_state

from ._ids import factorize
from ._ratings import Ratings

__all__ = ["fetch_movielens", "make_ratings"]


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

    A rating is the middle of the range plus a user bias, an item bias, the product of ``rank``
    tastes and normal noise, rounded to ``step`` and clipped to the range. Few items get most
    ratings, and users differ in how many they give.

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
        Only with ``return_truth``: ``user_factors``, ``item_factors``, ``user_bias``, ``item_bias``
        and ``intercept``, in rating units. The expected rating, before noise, rounding and
        clipping, is ``user_factors[u] @ item_factors[i] + user_bias[u] + item_bias[i] +
        intercept``.

    Raises
    ------
    ValueError
        More ratings than half of all pairs.

    Examples
    --------
    >>> from skautorec.datasets import make_ratings
    >>> make_ratings(50, 40, 600, random_state=0)
    <Ratings: 600 ratings of 40 items by 50 users, from 1.0 to 5.0>
    """
    if not 1 <= n_ratings <= n_users * n_items // 2:
        raise ValueError(
            f"n_ratings is {n_ratings}, and {n_users} users and {n_items} items allow 1 to "
            f"{n_users * n_items // 2}: at most half of all pairs."
        )
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
    low, high = rating_range
    unit = (high - low) / 4
    truth = Bunch(
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
class _MovieLens:
    """Where a MovieLens set comes from, and how its files are laid out."""

    url: str
    sha256: str
    ratings: str
    titles: str
    separator: str
    local_ratings: str
    local_titles: str


_SETS = {
    "100k": _MovieLens(
        url="https://files.grouplens.org/datasets/movielens/ml-100k.zip",
        sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        ratings="ml-100k/u.data",
        titles="ml-100k/u.item",
        separator="|",
        local_ratings="ml-100k/u.data",
        local_titles="ml-100k/items.csv",
    ),
    "1m": _MovieLens(
        url="https://files.grouplens.org/datasets/movielens/ml-1m.zip",
        sha256="a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        ratings="ml-1m/ratings.dat",
        titles="ml-1m/movies.dat",
        separator="::",
        local_ratings="ml-1m/ratings.csv.gz",
        local_titles="ml-1m/movies.csv",
    ),
}
_LICENCE = (
    "MovieLens data by GroupLens, University of Minnesota: for research and education, no "
    "redistribution, no commercial use without permission. Cite F. M. Harper and J. A. Konstan, "
    '"The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015.'
)


def fetch_movielens(
    name: str = "100k",
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
) -> Bunch:
    """Load MovieLens ratings, from a local folder, the cache, or the web.

    Parameters
    ----------
    name : {"100k", "1m"}, default="100k"
        Which set: 100,000 ratings by 943 users, or 1,000,209 by 6,040.
    data_home : path, default=None
        Cache folder; None is scikit-learn's, see `sklearn.datasets.get_data_home`.
    download_if_missing : bool, default=True
        Whether to download what is not in the cache.

    Returns
    -------
    Bunch
        ``ratings`` (`Ratings`, with the file's integer ids, and its timestamps where it has them),
        ``titles`` (a dict from item id to title), ``name`` and ``DESCR`` (the licence).

    Raises
    ------
    OSError
        The set is neither in the cache nor could it be downloaded, or its checksum is wrong; the
        message says where to put the file by hand.
    ImportError
        A download is needed and ``pooch`` is not installed.

    Notes
    -----
    If the environment variable ``SKAUTOREC_DATA`` names a folder with the set (``ml-100k/u.data``
    and ``ml-100k/items.csv``, or ``ml-1m/ratings.csv.gz`` and ``ml-1m/movies.csv``), it is read
    there.

    Examples
    --------
    >>> from skautorec.datasets import fetch_movielens
    >>> fetch_movielens("100k").ratings  # doctest: +SKIP
    <Ratings: 100,000 ratings of 1,682 items by 943 users, from 1.0 to 5.0>
    """
    if name not in _SETS:
        raise ValueError(f"name is {name!r}; it must be one of {', '.join(map(repr, _SETS))}.")
    source = _SETS[name]
    local = _local_folder(source)
    if local is None:
        archive = zipfile.ZipFile(_archive(source, data_home, download_if_missing))
        with (
            archive,
            archive.open(source.ratings) as file,
            archive.open(source.titles) as titles,
        ):
            table = _read_table(file.read().decode())
            names = _read_titles(titles.read().decode("latin-1"), source.separator)
    else:
        table = _read_table(_read_text(local / source.local_ratings))
        names = _read_titles(_read_text(local / source.local_titles), ",")
    users, items, values, *rest = table
    user_codes, user_ids = factorize(users.astype(np.int64))
    item_codes, item_ids = factorize(items.astype(np.int64))
    ratings = Ratings(
        user_codes,
        item_codes,
        values,
        timestamps=rest[0].astype(np.int64) if rest else None,
        user_ids=user_ids.array,
        item_ids=item_ids.array,
    )
    return Bunch(ratings=ratings, titles=names, name=name, DESCR=_LICENCE)


def _local_folder(source: _MovieLens) -> Path | None:
    named = os.environ.get("SKAUTOREC_DATA")
    if not named:
        return None
    folder = Path(named)
    files = (folder / source.local_ratings, folder / source.local_titles)
    return folder if all(file.is_file() for file in files) else None


def _archive(source: _MovieLens, data_home: Any, download_if_missing: bool) -> Path:
    """Path of the checked archive, downloaded if need be."""
    folder = Path(get_data_home(data_home)) / "skautorec"
    folder.mkdir(exist_ok=True)  # so that a file can be put there by hand
    path = folder / Path(source.url).name
    by_hand = f"Get {source.url} by hand and put it at {path}."
    if _is_whole(path, source.sha256):
        return path
    if not download_if_missing:
        state = "damaged" if path.exists() else "not there"
        raise OSError(f"{path} is {state}, and download_if_missing is False. {by_hand}")
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            f"fetch_movielens needs pooch: pip install 'skautorec[datasets]'. Or: {by_hand}"
        ) from error
    try:
        pooch.retrieve(source.url, f"sha256:{source.sha256}", fname=path.name, path=folder)
    except (OSError, ValueError) as error:
        raise OSError(f"{source.url} could not be downloaded whole: {error}. {by_hand}") from error
    return path


def _is_whole(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _read_text(path: Path) -> str:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes()).decode()
    return path.read_text(encoding="utf-8")


def _read_table(text: str) -> np.ndarray:
    """Columns of a table of numbers: user, item, rating and, in some, time."""
    text = text.replace("::", "\t").replace(",", "\t")
    skipped = 0 if text[:1].isdigit() else 1
    return np.loadtxt(io.StringIO(text), delimiter="\t", skiprows=skipped, unpack=True)


def _read_titles(text: str, separator: str) -> dict[int, str]:
    """Titles by item id; lines that do not start with an id are headings."""
    if separator == ",":
        rows: Any = csv.reader(io.StringIO(text))
    else:
        rows = (line.split(separator) for line in text.splitlines())
    return {int(row[0]): row[1] for row in rows if row and row[0].isdigit()}
