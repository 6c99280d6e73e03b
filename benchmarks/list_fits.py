"""Make lists with one model, in its own environment; lists.py runs this file there.

Reads from an .npz file who rated what in four parts: ``fit`` and ``validation``, which settings are
chosen on, ``train`` and ``test``. Every setting is fitted to ``fit``; the one whose lists of ten
hold most of the liked validation items, the higher up the better (NDCG), is fitted to ``train``.
Prints one line of JSON with what was chosen, the figures of its lists, seconds and peak memory. All
but ours learn from which items were rated only. Nothing here imports skautorec, but for ours.
"""

import argparse
import itertools
import json
import time
from pathlib import Path

import numpy as np
import scipy.sparse
from peer_fits import Table

N = 20


class Part(Table):
    """One part of the file, and its pattern."""

    def matrix(self):
        """Which cells are rated, as a sparse matrix of ones."""
        ones = np.ones(len(self.users), dtype=np.float32)
        return scipy.sparse.csr_array((ones, (self.users, self.items)), shape=self.shape)


def best_unrated(scores, rated):
    """Highest scores of each row among the cells that are not rated: shape (n, N)."""
    scores[rated.nonzero()] = -np.inf
    best = np.argpartition(-scores, N, axis=1)[:, :N]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1)


def in_blocks(users, lists_of):
    """Lists of some users at a time."""
    return np.concatenate([lists_of(users[at : at + 512]) for at in range(0, len(users), 512)])


def peak():
    """Peak resident memory of this process in MB, as Linux tells."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def popularity(train):
    """The items with the most ratings."""
    X = train.matrix()
    counts = np.bincount(train.items, minlength=train.shape[1]).astype(float)
    return lambda users: in_blocks(
        users, lambda some: best_unrated(np.tile(counts, (len(some), 1)), X[some])
    )


def ease(train, penalty):
    """Steck (2019), exactly; of fewer users than items by the inverse of the smaller matrix."""
    X = train.matrix().astype(float)
    n_users, n_items = X.shape
    if n_users < n_items:
        inner = (X @ X.T).toarray() + penalty * np.eye(n_users)
        shrunk = np.linalg.solve(inner, X.toarray())
        weights = X.T @ shrunk
    else:
        weights = -penalty * np.linalg.inv((X.T @ X).toarray() + penalty * np.eye(n_items))
        weights[np.diag_indices(n_items)] += 1
    free = 1 - np.diag(weights)
    weights[np.diag_indices(n_items)] = 0
    weights /= free
    return lambda users: in_blocks(users, lambda some: best_unrated(X[some] @ weights, X[some]))


def implicit_lists(model, X):
    """Lists of a model of implicit."""
    model.fit(scipy.sparse.csr_matrix(X), show_progress=False)
    return lambda users: model.recommend(users, scipy.sparse.csr_matrix(X[users]), N=N)[0]


def als(train, factors, regularization, alpha):
    """Hu, Koren and Volinsky (2008)."""
    from implicit.als import AlternatingLeastSquares

    settings = {"factors": factors, "regularization": regularization, "alpha": alpha}
    return implicit_lists(
        AlternatingLeastSquares(iterations=15, random_state=0, **settings), train.matrix()
    )


def bpr(train, factors, regularization, iterations):
    """Rendle et al. (2009)."""
    from implicit.bpr import BayesianPersonalizedRanking

    settings = {"factors": factors, "regularization": regularization, "iterations": iterations}
    return implicit_lists(BayesianPersonalizedRanking(random_state=0, **settings), train.matrix())


def knn(train, neighbours, kept):
    """Item kNN of LensKit: similarities of ``neighbours`` at most, of ``kept`` an item."""
    import pandas as pd
    from lenskit.data import ItemList, RecQuery, from_interactions_df
    from lenskit.knn import ItemKNNScorer
    from lenskit.training import TrainingOptions

    pairs = pd.DataFrame({"user_id": train.users, "item_id": train.items})
    data = from_interactions_df(pairs)
    model = ItemKNNScorer(max_nbrs=neighbours, save_nbrs=kept, feedback="implicit")
    model.train(data, TrainingOptions(rng=0))
    X, items = train.matrix(), ItemList(item_ids=np.arange(train.shape[1]))

    def lists_of(users):
        scores = np.full((len(users), train.shape[1]), -np.inf)
        for row, user in enumerate(users):
            known = ItemList(item_ids=X[[user]].indices)
            found = model(RecQuery(user_id=int(user), history_items=known), items).scores("numpy")
            scores[row] = np.where(np.isnan(found), -1, found)
        return best_unrated(scores, X[users])

    return lambda users: in_blocks(users, lists_of)


def ours(train, rank_by, epochs=300):
    """Both kinds, and the defaults else."""
    from skautorec import AutoRecRegressor, Ratings

    n_users, n_items = train.shape
    ids = {"user_ids": np.arange(n_users), "item_ids": np.arange(n_items)}
    ratings = Ratings(train.users, train.items, train.values, **ids)
    model = AutoRecRegressor(kind="both", max_iter=epochs, random_state=0).fit(ratings)
    model.recommend(train.users[:1], N, rank_by=rank_by)  # exposure counts as fitting
    return lambda users: model.recommend(users, N, rank_by=rank_by)[0]


def grid(**values):
    """All combinations."""
    return [dict(zip(values, some, strict=True)) for some in itertools.product(*values.values())]


# What makes lists of a training part, and the settings that are tried.
MODELS = {
    "popularity": (popularity, [{}]),
    "EASE": (ease, grid(penalty=[25 * 2**k for k in range(8)])),
    "implicit ALS": (
        als,
        grid(factors=[32, 64, 128], regularization=[0.1, 10], alpha=[1, 5]),
    ),
    "implicit BPR": (
        bpr,
        grid(factors=[32, 128], regularization=[0.01, 0.1], iterations=[100, 300]),
    ),
    "LensKit item kNN": (knn, grid(neighbours=[20, 50, 100, 200], kept=[100, 1000])),
    "skautorec, by rating": (ours, [{"rank_by": "rating"}]),
    "skautorec": (ours, [{"rank_by": "relevance"}]),
}


def relevant_of(part, least):
    """Items of each user with a rating of at least ``least``."""
    chosen = part.values >= least
    order = np.argsort(part.users[chosen], kind="stable")
    users, starts = np.unique(part.users[chosen][order], return_index=True)
    return users, np.split(part.items[chosen][order], starts[1:])


def ndcg(lists, relevant, n=10):
    """NDCG of lists cut at ``n``."""
    discounts = 1 / np.log2(np.arange(2, n + 2))
    gains = [
        np.isin(row[:n], items) @ discounts / discounts[: len(items)].sum()
        for row, items in zip(lists, relevant, strict=True)
    ]
    return float(np.mean(gains))


def recall(lists, relevant):
    """Share of the relevant items that are listed."""
    shares = [np.isin(items, row).mean() for row, items in zip(lists, relevant, strict=True)]
    return float(np.mean(shares))


def choose(make, settings, data, least):
    """Best setting on the validation part."""
    if len(settings) == 1:
        return settings[0]
    users, relevant = relevant_of(Part(data, "validation"), least)
    fit = Part(data, "fit")
    gains = [ndcg(make(fit, **one)(users), relevant) for one in settings]
    return settings[int(np.argmax(gains))]


def main():
    """Print the line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("data", help=".npz file of the four parts")
    parser.add_argument("--epochs", type=int, help="of ours")
    options = parser.parse_args()
    make, settings = MODELS[options.model]
    with np.load(options.data) as data:
        least, shape = float(data["least"]), data["shape"]
        chosen = choose(make, settings, data, least)
        train, test = Part(data, "train"), Part(data, "test")
    epochs = {"epochs": options.epochs} if options.epochs and make is ours else {}
    start = time.perf_counter()
    lists_of = make(train, **chosen, **epochs)
    fitted = time.perf_counter()
    users, every = relevant_of(test, -np.inf)
    lists = np.asarray(lists_of(users))
    seconds = time.perf_counter() - fitted
    of_likers, liked = relevant_of(test, least)
    likers = lists[np.searchsorted(users, of_likers)]
    print(
        json.dumps(
            {
                "setting": chosen,
                "tried": len(settings),
                "ndcg liked": ndcg(likers, liked),
                "recall liked": recall(likers, liked),
                "ndcg": ndcg(lists, every),
                "recall": recall(lists, every),
                "coverage": len(np.unique(lists)) / int(shape[1]),
                "fit s": fitted - start,
                "lists s": seconds,
                "MB": peak(),
            }
        )
    )


if __name__ == "__main__":
    main()
