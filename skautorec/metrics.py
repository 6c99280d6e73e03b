"""Ranking metrics on top-N lists; metrics of predicted ratings come from scikit-learn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from ._data.ids import Ids, as_id_array, factorize
from ._data.ratings import Ratings

__all__ = [
    "average_precision",
    "coverage",
    "hit_rate",
    "ndcg",
    "novelty",
    "precision",
    "recall",
    "reciprocal_rank",
]


def ndcg(relevant: Sequence[Any], recommended: Any) -> float:
    """Compute the normalised discounted cumulative gain of top-N lists.

    A relevant item gains 1, discounted by its position ``k = 1 .. n`` in the list, and the sum is
    divided by the best possible one:

        sum over k with a relevant item of 1 / log2(k + 1)
        / sum over k = 1 .. min(n, n_relevant) of 1 / log2(k + 1).

    Parameters
    ----------
    relevant : sequence of n_users collections of item ids
        What each user should have been shown, in any order.
    recommended : array-like of shape (n_users, n)
        Item ids, best first, each at most once in a row. Masked cells of a numpy masked array are
        padding.

    Returns
    -------
    float
        Mean over users, from 0 to 1. Users without relevant items are left out.

    Raises
    ------
    ValueError
        No user has a relevant item, the two differ in length, an item is listed twice for a user,
        or ``recommended`` has another shape.
    TypeError
        ``recommended`` is no array or list, an entry of ``relevant`` is no collection, or an id is
        not hashable.

    See Also
    --------
    sklearn.metrics.ndcg_score : The same from a dense matrix of scores.

    Examples
    --------
    >>> from skautorec.metrics import ndcg
    >>> ndcg([["Alien"], ["Brazil", "Heat"]], [["Alien", "Up"], ["Up", "Heat"]])
    0.693...

    The lists of a batch of users, short ones padded:

    >>> import numpy as np
    >>> from skautorec import AutoRecRegressor
    >>> from skautorec.datasets import make_ratings
    >>> ratings = make_ratings(60, 40, 900, random_state=0)
    >>> model = AutoRecRegressor(8, max_iter=10, random_state=0).fit(ratings)
    >>> item_ids, scores = model.recommend([3, 7], n=10)
    >>> value = ndcg([[1, 5], [2, 8, 9]], np.ma.array(item_ids, mask=np.isnan(scores)))
    """
    hits, n_relevant = _find_hits(relevant, recommended)
    discounts = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    best = np.cumsum(discounts)[np.minimum(n_relevant, hits.shape[1]) - 1]
    return float(np.mean(hits @ discounts / best))


def recall(relevant: Sequence[Any], recommended: Any) -> float:
    """Compute the share of the relevant items that top-N lists hold.

    Of a user, ``n_hits / n_relevant``. It cannot reach 1 for users with more than ``n`` relevant
    items.

    Parameters
    ----------
    relevant : sequence of n_users collections of item ids
        What each user should have been shown, in any order.
    recommended : array-like of shape (n_users, n)
        Item ids, each at most once in a row. Masked cells of a numpy masked array are padding.

    Returns
    -------
    float
        Mean over users, from 0 to 1. Users without relevant items are left out.

    Raises
    ------
    ValueError
        No user has a relevant item, the two differ in length, an item is listed twice for a user,
        or ``recommended`` has another shape.
    TypeError
        ``recommended`` is no array or list, an entry of ``relevant`` is no collection, or an id is
        not hashable.

    Examples
    --------
    >>> from skautorec.metrics import recall
    >>> recall([["Alien"], ["Brazil", "Heat"]], [["Alien", "Up"], ["Up", "Heat"]])
    0.75
    """
    hits, n_relevant = _find_hits(relevant, recommended)
    return float(np.mean(hits.sum(axis=1) / n_relevant))


def hit_rate(relevant: Sequence[Any], recommended: Any) -> float:
    """Compute the share of users whose top-N list holds a relevant item.

    Parameters
    ----------
    relevant : sequence of n_users collections of item ids
        What each user should have been shown, in any order.
    recommended : array-like of shape (n_users, n)
        Item ids, each at most once in a row. Masked cells of a numpy masked array are padding.

    Returns
    -------
    float
        From 0 to 1. Users without relevant items are left out.

    Raises
    ------
    ValueError
        No user has a relevant item, the two differ in length, an item is listed twice for a user,
        or ``recommended`` has another shape.
    TypeError
        ``recommended`` is no array or list, an entry of ``relevant`` is no collection, or an id is
        not hashable.

    Examples
    --------
    >>> from skautorec.metrics import hit_rate
    >>> hit_rate([["Alien"], ["Brazil", "Heat"]], [["Alien", "Up"], ["Up", "Jaws"]])
    0.5
    """
    hits, _ = _find_hits(relevant, recommended)
    return float(np.mean(hits.any(axis=1)))


def precision(relevant: Sequence[Any], recommended: Any) -> float:
    """Compute the share of top-N lists that is relevant.

    Of a user, ``n_hits / n``, also where a list is shorter than ``n``. It cannot reach 1 for users
    with fewer than ``n`` relevant items.

    Parameters
    ----------
    relevant : sequence of n_users collections of item ids
        What each user should have been shown, in any order.
    recommended : array-like of shape (n_users, n)
        Item ids, each at most once in a row. Masked cells of a numpy masked array are
        padding.

    Returns
    -------
    float
        Mean over users, from 0 to 1. Users without relevant items are left out.

    Raises
    ------
    ValueError
        No user has a relevant item, the two differ in length, an item is listed twice for a user,
        or ``recommended`` has another shape.
    TypeError
        ``recommended`` is no array or list, an entry of ``relevant`` is no collection, or an id is
        not hashable.

    Examples
    --------
    >>> from skautorec.metrics import precision
    >>> precision([["Alien"], ["Brazil", "Heat"]], [["Alien", "Up"], ["Brazil", "Heat"]])
    0.75
    """
    hits, _ = _find_hits(relevant, recommended)
    return float(np.mean(hits))


def average_precision(relevant: Sequence[Any], recommended: Any) -> float:
    """Compute the mean average precision (MAP) of top-N lists.

    The precision of the first ``k`` items, averaged over the positions of the relevant ones; those
    that are not listed count as 0:

        sum over k with a relevant item of n_hits(k) / k
        / min(n, n_relevant).

    Parameters
    ----------
    relevant : sequence of n_users collections of item ids
        What each user should have been shown, in any order.
    recommended : array-like of shape (n_users, n)
        Item ids, best first, each at most once in a row. Masked cells of a numpy masked array are
        padding.

    Returns
    -------
    float
        Mean over users, from 0 to 1. Users without relevant items are left out.

    Raises
    ------
    ValueError
        No user has a relevant item, the two differ in length, an item is listed twice for a user,
        or ``recommended`` has another shape.
    TypeError
        ``recommended`` is no array or list, an entry of ``relevant`` is no collection, or an id is
        not hashable.

    Examples
    --------
    >>> from skautorec.metrics import average_precision
    >>> average_precision([["Alien"], ["Brazil", "Heat"]], [["Up", "Alien"], ["Heat", "Up"]])
    0.5
    """
    hits, n_relevant = _find_hits(relevant, recommended)
    n = hits.shape[1]
    precisions = np.cumsum(hits, axis=1) / np.arange(1, n + 1)
    return float(np.mean((hits * precisions).sum(axis=1) / np.minimum(n_relevant, n)))


def reciprocal_rank(relevant: Sequence[Any], recommended: Any) -> float:
    """Compute the mean reciprocal rank (MRR) of top-N lists.

    Of a user, 1 over the position of the first relevant item, and 0 where none is listed.

    Parameters
    ----------
    relevant : sequence of n_users collections of item ids
        What each user should have been shown, in any order.
    recommended : array-like of shape (n_users, n)
        Item ids, best first, each at most once in a row. Masked cells of a numpy masked array are
        padding.

    Returns
    -------
    float
        Mean over users, from 0 to 1. Users without relevant items are left out.

    Raises
    ------
    ValueError
        No user has a relevant item, the two differ in length, an item is listed twice for a user,
        or ``recommended`` has another shape.
    TypeError
        ``recommended`` is no array or list, an entry of ``relevant`` is no collection, or an id is
        not hashable.

    Examples
    --------
    >>> from skautorec.metrics import reciprocal_rank
    >>> reciprocal_rank([["Alien"], ["Brazil", "Heat"]], [["Up", "Alien"], ["Heat", "Up"]])
    0.75
    """
    hits, _ = _find_hits(relevant, recommended)
    return float(np.mean(hits.any(axis=1) / (1 + hits.argmax(axis=1))))


def coverage(recommended: Any, train: Ratings) -> float:
    """Compute the share of the catalogue that top-N lists hold.

    It grows with the number of lists, so compare values for the same users only.

    Parameters
    ----------
    recommended : array-like of shape (n_users, n)
        Item ids, each at most once in a row. Masked cells of a numpy masked array are padding.
    train : Ratings
        Its ``item_ids`` are the catalogue, items without ratings included.

    Returns
    -------
    float
        Different items in all lists together, divided by ``train.n_items``: from 0 to 1.

    Raises
    ------
    ValueError
        A listed item is not in the catalogue, an item is listed twice for a user, or
        ``recommended`` has another shape.
    TypeError
        ``train`` is no `Ratings`, ``recommended`` is no array or list, or an id is not hashable.

    Examples
    --------
    >>> from skautorec import Ratings
    >>> from skautorec.metrics import coverage
    >>> train = Ratings([0, 1], [0, 3], [4, 5])
    >>> coverage([[1, 0], [1, 2]], train)
    0.75
    """
    _, listed = _read_lists(recommended)
    _catalogue_codes(listed, train)
    return len(listed) / train.n_items


def novelty(recommended: Any, train: Ratings) -> float:
    """Compute how little known the items of top-N lists are.

    The mean self-information of the listed items, in bits: ``-log2(n_raters(i) / n_users)``, where
    ``n_raters(i)`` users have rated item i in ``train``, and ``n_users`` have rated any. 0 is an
    item that everyone has rated, and each further bit halves the raters. An item without ratings
    counts as one with a single rating.

    Parameters
    ----------
    recommended : array-like of shape (n_users, n)
        Item ids, each at most once in a row. Masked cells of a numpy masked array are padding.
    train : Ratings
        What was known when the lists were made.

    Returns
    -------
    float
        Mean over the items of a list, then over users. Users with an empty list are left out.

    Raises
    ------
    ValueError
        All lists are empty, a listed item is not among ``train.item_ids``, an item is listed twice
        for a user, or ``recommended`` has another shape.
    TypeError
        ``train`` is no `Ratings`, ``recommended`` is no array or list, or an id is not hashable.

    Examples
    --------
    >>> from skautorec import Ratings
    >>> from skautorec.metrics import novelty
    >>> train = Ratings([0, 1, 2, 3, 0], [0, 0, 0, 0, 1], [4, 5, 3, 4, 2])
    >>> novelty([[0, 1]], train)  # rated by all four, and by one of the four
    1.0
    """
    codes, listed = _read_lists(recommended)
    items = _catalogue_codes(listed, train)
    n_raters = np.bincount(train.items, minlength=train.n_items)[items]
    bits = np.log2(len(np.unique(train.users)) / np.maximum(n_raters, 1))
    lengths = (codes >= 0).sum(axis=1)
    if not lengths.any():
        raise ValueError(f"None of the {len(codes)} lists holds an item, so there is no novelty.")
    # Padding has code -1 and meets the zero at the end.
    sums = np.append(bits, 0.0)[codes].sum(axis=1)
    return float(np.mean(sums[lengths > 0] / lengths[lengths > 0]))


def _find_hits(relevant: Sequence[Any], recommended: Any) -> tuple[np.ndarray, np.ndarray]:
    """Which places of the lists hold a relevant item, and how many relevant items there are.

    Shapes (n, length of the lists) and (n,), for the n users with relevant items.
    """
    codes, listed = _read_lists(recommended)
    users, items = _read_relevant(relevant, len(codes))
    item_codes, known = factorize(items, "relevant")
    pairs = np.unique(users * len(known) + item_codes)
    n_relevant = np.bincount(pairs // len(known), minlength=len(codes))
    # Padding has code -1 and meets the -1 at the end.
    listed_codes = np.append(known.codes(listed.array), -1)[codes]
    listed_pairs = np.arange(len(codes))[:, None] * len(known) + listed_codes
    hits = (listed_codes >= 0) & np.isin(listed_pairs, pairs)
    return hits[n_relevant > 0], n_relevant[n_relevant > 0]


def _read_relevant(relevant: Sequence[Any], n_users: int) -> tuple[np.ndarray, np.ndarray]:
    """Position of the user and id of the item, of every relevant item."""
    if len(relevant) != n_users:
        raise ValueError(
            f"relevant has {len(relevant)} entries and recommended has {n_users} lists; give one "
            "of each per user, empty where a user has no relevant item."
        )
    for position, items in enumerate(relevant):
        if isinstance(items, str | bytes) or not isinstance(items, Iterable):
            raise TypeError(
                f"relevant[{position}] is {items!r}; give a list, set or array of item ids per "
                "user."
            )
    rows = [list(items) for items in relevant]
    users = np.repeat(np.arange(n_users), [len(row) for row in rows])
    if not len(users):
        raise ValueError(
            f"None of the {n_users} users has a relevant item, so the metric has no value."
        )
    return users, as_id_array(list(chain.from_iterable(rows)))


def _read_lists(recommended: Any) -> tuple[np.ndarray, Ids]:
    """Codes of shape (n_users, n), -1 for padding, and the ids that are listed."""
    if not isinstance(recommended, np.ndarray):
        recommended = _from_rows(recommended)
    if recommended.ndim != 2 or recommended.shape[1] == 0:
        raise ValueError(
            "recommended must have shape (n_users, n), got shape "
            f"{recommended.shape}; give a list of n item ids per user."
        )
    is_listed = ~np.ma.getmaskarray(recommended)
    codes = np.full(recommended.shape, -1)
    codes[is_listed], listed = factorize(np.ma.getdata(recommended)[is_listed], "recommended")
    _refuse_repeated(codes, listed)
    return codes, listed


def _from_rows(recommended: Any) -> np.ndarray:
    """Array of lists of ids, of which none is coerced."""
    if not isinstance(recommended, list | tuple):
        raise TypeError(
            "recommended must be an array or a list of lists of item ids, got "
            f"{type(recommended).__name__}."
        )
    if not all(isinstance(row, list | tuple | np.ndarray) for row in recommended):
        raise ValueError("recommended must have shape (n_users, n): a list of item ids per user.")
    lengths = {len(row) for row in recommended}
    if len(lengths) > 1:
        raise ValueError(
            f"The lists of recommended are {min(lengths)} to {max(lengths)} items long; pad short "
            "ones and mask the padding: numpy.ma.array(lists, mask=is_padding)."
        )
    ids = as_id_array(list(chain.from_iterable(recommended)))
    return ids.reshape(len(recommended), *lengths)


def _refuse_repeated(codes: np.ndarray, listed: Ids) -> None:
    ordered = np.sort(codes, axis=1)
    rows, places = np.nonzero((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0))
    if len(rows):
        item = listed.array.tolist()[ordered[rows[0], places[0]]]
        raise ValueError(
            f"The user at position {rows[0]} lists item {item!r} more than once. If it is padding, "
            "mask it: numpy.ma.array(item_ids, mask=numpy.isnan(scores))."
        )


def _catalogue_codes(listed: Ids, train: Ratings) -> np.ndarray:
    if not isinstance(train, Ratings):
        raise TypeError(f"train is a {type(train).__name__}; give the training Ratings.")
    codes = train._items.codes(listed.array)
    unknown = np.flatnonzero(codes < 0)
    if len(unknown):
        item = listed.array.tolist()[unknown[0]]
        raise ValueError(
            f"Item {item!r} is not among the {train.n_items} item_ids of train. Give the Ratings "
            "that the recommender was fitted to."
        )
    return codes
