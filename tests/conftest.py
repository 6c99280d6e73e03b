"""What several test files share."""

import numpy as np
import pytest

from skautorec import AutoRecRegressor, Ratings
from skautorec.datasets import make_ratings

KINDS = ["item", "user", "both"]


@pytest.fixture(scope="module")
def ratings():
    return make_ratings(80, 50, 1500, random_state=0)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def with_nan(ratings):
    """Dense matrix of ratings, of `Ratings` or a sparse matrix, NaN where there is none."""
    cells = ratings.to_matrix() if isinstance(ratings, Ratings) else ratings.tocsr()
    dense = np.full(cells.shape, np.nan)
    rows, columns = cells.tocoo().coords
    dense[rows, columns] = cells.data
    return dense


def query_of(model, X):
    """What a fitted model is asked when it is given rows."""
    return model._fitted.query(*model._fitted.read_rows(model, X))


def new(kind, **changed):
    parameters = {"hidden_units": 8, "lambd": 10.0, "max_iter": 20, "random_state": 0}
    return AutoRecRegressor(kind=kind, **(parameters | changed))


ACTIVATIONS = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "identity": lambda x: x,
}


def encode(encoder, rows):
    """Codes, minus the mean code, and biases of dense rows in stars: ten lines of numpy."""
    encoding, observed = encoder.encoding, ~np.isnan(rows)
    lengths = observed.sum(axis=1, keepdims=True)
    deviations = np.where(observed, rows - encoding.reference, 0)
    biases = deviations.sum(axis=1, keepdims=True) / (lengths + encoding.damping)
    inputs = np.nan_to_num(rows)
    if encoding.style == "residuals":
        inputs = np.hstack((np.where(observed, deviations - biases, 0), observed))
    hidden = inputs * encoding.scale / np.sqrt(np.maximum(lengths, 1))
    for weight, bias in zip(encoder.weights, encoder.biases, strict=True):
        hidden = ACTIVATIONS[encoder.activation](hidden @ weight.astype(float) + bias)
    return np.where(lengths > 0, hidden - encoder.mean_code, 0), biases[:, 0]
