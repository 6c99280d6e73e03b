"""Fit one peer in its own environment; peers.py runs this file there.

Reads users, items and values of a training and a test part from an .npz file and settings from
the command line, prints a line of JSON for each model: seconds of training only, without imports
and without building the peer's own data structure, and RMSE on the test part. Predictions are
clipped to the range of the training ratings, as ours are. Nothing here imports skautorec.
"""

import argparse
import json
import time
from importlib.metadata import version

import numpy as np
import scipy.sparse


class Table:
    """One part of the file: codes of users and items, and values."""

    def __init__(self, data, part):
        self.users, self.items, self.values = (
            data[f"{part}_{column}"] for column in ("users", "items", "values")
        )
        self.shape = tuple(data["shape"].tolist())


def timed(call):
    """Seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def dot(table, mean, users, items, user_bias, item_bias):
    """Predictions of a factorisation with biases."""
    product = np.einsum("ij,ij->i", users[table.users], items[table.items])
    return mean + user_bias[table.users] + item_bias[table.items] + product


def fit_cmfrec(train, test, **settings):
    """Alternating least squares, with implicit features where the settings say so."""
    from cmfrec import CMF

    X = scipy.sparse.coo_matrix((train.values, (train.users, train.items)), shape=train.shape)
    model = CMF(verbose=False, random_state=0, **settings)
    seconds = timed(lambda: model.fit(X))
    yield "", seconds, model.predict(test.users, test.items)


def fit_cornac(train, test, **settings):
    """Stochastic gradient descent with biases, in C++."""
    from cornac.data import Dataset
    from cornac.models import MF

    data = Dataset.from_uir(zip(train.users, train.items, train.values, strict=True), seed=0)
    model = MF(seed=0, **settings)
    seconds = timed(lambda: model.fit(data))
    # Their codes are in order of appearance; ids that they have not seen get zeros.
    users = np.zeros((train.shape[0], model.k + 1))
    items = np.zeros((train.shape[1], model.k + 1))
    user_ids, item_ids = list(data.uid_map), list(data.iid_map)
    users[user_ids] = np.column_stack((model.u_factors, model.u_biases))
    items[item_ids] = np.column_stack((model.i_factors, model.i_biases))
    biases = users[:, -1], items[:, -1]
    yield "", seconds, dot(test, model.global_mean, users[:, :-1], items[:, :-1], *biases)


def fit_lenskit(train, test, **settings):
    """Alternating least squares on what damped biases leave."""
    import pandas as pd
    from lenskit.als import BiasedMFScorer
    from lenskit.data import from_interactions_df
    from lenskit.training import TrainingOptions

    columns = {"user_id": train.users, "item_id": train.items, "rating": train.values}
    data = from_interactions_df(pd.DataFrame(columns))
    model = BiasedMFScorer(**settings)
    seconds = timed(lambda: model.train(data, TrainingOptions(rng=0)))
    bias = model.bias
    users = np.zeros((train.shape[0], model.config.embedding_size + 1))
    items = np.zeros((train.shape[1], model.config.embedding_size + 1))
    users[model.users.ids()] = np.column_stack((model.user_embeddings, bias.user_biases))
    items[model.items.ids()] = np.column_stack((model.item_embeddings, bias.item_biases))
    biases = users[:, -1], items[:, -1]
    yield "", seconds, dot(test, bias.global_bias, users[:, :-1], items[:, :-1], *biases)


def fit_surprise(train, test, **settings):
    """Stochastic gradient descent with biases, in Cython."""
    import pandas as pd
    from surprise import SVD, Dataset, Reader

    frame = pd.DataFrame({"user": train.users, "item": train.items, "rating": train.values})
    scale = Reader(rating_scale=(train.values.min(), train.values.max()))
    data = Dataset.load_from_df(frame, scale).build_full_trainset()
    model = SVD(random_state=0, **settings)
    seconds = timed(lambda: model.fit(data))
    yield "", seconds, [model.predict(*pair).est for pair in zip(test.users, test.items)]  # noqa: B905


def fit_myfm(train, test, *, rank, samples):
    """Bayesian factorisation machine with SVD++ features, sampled once.

    The quality at fewer samples is that of the samples kept up to there: the chain is the same.
    """
    from myfm import MyFMRegressor, RelationBlock

    rated = scipy.sparse.csr_matrix(
        (np.ones(len(train.values)), (train.users, train.items)), shape=train.shape
    )

    def block(codes, rated):
        shares = scipy.sparse.diags(1 / np.sqrt(np.maximum(rated.sum(axis=1).A1, 1))) @ rated
        one_hot = scipy.sparse.eye(rated.shape[0])
        return RelationBlock(codes, scipy.sparse.hstack((one_hot, shares)).tocsr())

    def blocks(table):
        return [block(table.users, rated), block(table.items, rated.T.tocsr())]

    ticks = []

    def tick(*_):
        ticks.append(time.perf_counter())
        return False, None

    model = MyFMRegressor(rank=rank, random_seed=0)
    relations = blocks(train)
    groups = [train.shape[0], train.shape[1], train.shape[1], train.shape[0]]
    start = time.perf_counter()
    model.fit(
        None,
        train.values.astype(float),
        X_rel=relations,
        n_iter=max(samples),
        n_kept_samples=max(samples),
        group_shapes=groups,
        callback=tick,
    )
    empty = scipy.sparse.csr_matrix((len(test.values), 0))
    relations = blocks(test)
    scores = [sample.predict_score(empty, relations) for sample in model.predictor_.samples]
    for n in samples:
        # As the library does, which leaves out the first five.
        yield f", {n} samples", ticks[n - 1] - start, np.mean(scores[5:n], axis=0)


FITS = {
    "cmfrec": fit_cmfrec,
    "cornac": fit_cornac,
    "lenskit": fit_lenskit,
    "surprise": fit_surprise,
    "myfm": fit_myfm,
}
PACKAGES = {"surprise": "scikit-surprise"}


def main():
    """Print a line of JSON for each result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=FITS)
    parser.add_argument("data", help=".npz file of training and test ratings")
    parser.add_argument("settings", type=json.loads, help="JSON object")
    options = parser.parse_args()
    with np.load(options.data) as data:
        train, test = Table(data, "train"), Table(data, "test")
    bounds = train.values.min(), train.values.max()
    for suffix, seconds, predicted in FITS[options.peer](train, test, **options.settings):
        errors = np.clip(predicted, *bounds) - test.values
        line = {
            "suffix": suffix,
            "seconds": seconds,
            "rmse": float(np.sqrt(np.mean(errors**2))),
            "version": version(PACKAGES.get(options.peer, options.peer)),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
