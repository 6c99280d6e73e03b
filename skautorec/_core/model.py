"""The fitted autoencoder: train, then solve the decoder in closed form; later, fold rows in.

Everything it holds is numpy, so it pickles, copies and travels to machines without the device it
was trained on. Ratings are in the units of training throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .factors import Rows
from .network import AutoRec, DenseAutoRec, SparseRows
from .ridge import Prior, bias_penalty, solve_rows
from .sparse import Pattern
from .training import Batch, History, Settings, initialise, train

__all__ = ["Autoencoder", "fit_autoencoder"]

# Ridge penalty of the serving decoder over the lambd / 2 that training used. The decoder is
# re-fitted to codes that have already seen the same ratings, so it needs more; chosen on validation
# ratings by benchmarks/accuracy.py.
RIDGE_FACTOR = 1.5


@dataclass(frozen=True)
class Autoencoder:
    """A trained encoder, the codes of its training rows and the ridge prior of its decoder.

    Attributes
    ----------
    weights, biases : list of ndarray of float32
        Encoder layers, ``(fan_in, fan_out)`` and ``(fan_out,)``.
    activation : str
    center : float or None
        With None the input is the ratings; else it has two channels, ratings minus ``center`` and
        ones.
    codes : ndarray of shape (n_encoded, k)
        Codes of the training rows minus ``mean_code``; zero for rows without ratings, whose own
        code would be arbitrary.
    mean_code : ndarray of shape (k,)
        Mean code, weighted by ratings.
    prior_weight, prior_bias, penalty, bias_penalty
        Prior of a decoded row; see `ridge`.
    """

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    activation: str
    center: float | None
    codes: np.ndarray
    mean_code: np.ndarray
    prior_weight: np.ndarray
    prior_bias: float
    penalty: float
    bias_penalty: float

    def encode(self, ratings: scipy.sparse.csr_array) -> np.ndarray:
        """Codes of encoded rows, minus the mean code: shape (n_rows, k)."""
        codes = _encode(self._network(), ratings, self.center)
        return _centred(codes, np.diff(ratings.indptr), self.mean_code)

    def decode(self, ratings: scipy.sparse.csr_array) -> Rows:
        """Solve decoded rows from their ratings of the first ``ratings.shape[1]`` encoded rows."""
        prior = Prior(
            torch.tensor(self.prior_weight), self.prior_bias, self.penalty, self.bias_penalty
        )
        weights, biases = solve_rows(*_tensors(ratings), torch.tensor(self.codes), prior)
        return Rows(weights.numpy(), biases.numpy())

    @property
    def n_units(self) -> int:
        """Length of a code."""
        return len(self.mean_code)

    @property
    def mean_row(self) -> Rows:
        """One encoded row without ratings."""
        return Rows.without_bias(np.zeros((1, self.n_units)))

    @property
    def prior_row(self) -> Rows:
        """One decoded row without ratings."""
        return Rows(self.prior_weight[None], np.array([self.prior_bias]))

    def to_module(self, decoder: Rows, low: float, high: float) -> DenseAutoRec:
        """Dense module that maps ratings from ``low`` to ``high`` through ``decoder``."""
        biases = decoder.bias - decoder.factors @ self.mean_code
        return DenseAutoRec(self._network(), decoder.factors, biases, self.center, low, high)

    def _network(self) -> AutoRec:
        channels = 1 if self.center is None else 2
        network = AutoRec(
            self.weights[0].shape[0] // channels,
            0,
            [len(bias) for bias in self.biases],
            self.activation,
            channels,
        ).double()
        with torch.no_grad():
            for parameter, array in zip(network.weights, self.weights, strict=True):
                parameter.copy_(torch.tensor(array))
            for parameter, array in zip(network.biases, self.biases, strict=True):
                parameter.copy_(torch.tensor(array))
        return network


def fit_autoencoder(
    inputs: scipy.sparse.csr_array,
    targets: scipy.sparse.csr_array,
    settings: Settings,
    *,
    center: float | None,
    seed: int,
    device: str,
    on_epoch: Callable[[int, float], None],
) -> tuple[Autoencoder, Rows, History]:
    """Train the network and solve the decoded rows.

    Parameters
    ----------
    inputs, targets : csr_array of shape (n_encoded, n_inputs) and (n_encoded, n_decoded)
        Stored cells are observed. May be the same object.
    settings : Settings
    center : float or None
        See `Autoencoder`.
    seed : int
    device : str
    on_epoch : callable
        See `training.train`.

    Returns
    -------
    model : Autoencoder
    decoded : Rows
        The decoded rows.
    history : History
    """
    generator = torch.Generator().manual_seed(seed)
    rows = _sparse_rows(inputs, center, device)
    same = inputs is targets
    pattern = rows.pattern if same else _pattern(targets, device)
    batch = Batch(rows, pattern, torch.tensor(targets.data, dtype=torch.float32, device=device))
    network = AutoRec(
        inputs.shape[1],
        targets.shape[1],
        settings.hidden_units,
        settings.activation,
        len(rows.channels),
    ).to(device)
    initialise(network, batch, generator)
    history = train(network, batch, settings, generator, on_epoch)
    decoded = targets.T.tocsr()
    model = _summarise(network.cpu().double(), inputs, decoded, settings, center)
    return model, model.decode(decoded), history


def _summarise(
    network: AutoRec,
    inputs: scipy.sparse.csr_array,
    decoded: scipy.sparse.csr_array,
    settings: Settings,
    center: float | None,
) -> Autoencoder:
    """Centre the codes and read the ridge prior off the trained decoder."""
    codes = _encode(network, inputs, center)
    counts = np.diff(inputs.indptr)
    mean_code = counts @ codes / counts.sum()
    codes = _centred(codes, counts, mean_code)
    weight = network.decoder_weight.detach().numpy()
    bias = network.decoder_bias.detach().numpy() + weight @ mean_code
    rated = np.diff(decoded.indptr) > 0
    prior_weight, prior_bias = weight[rated].mean(axis=0), float(bias[rated].mean())
    residuals = decoded.data - (codes @ prior_weight)[decoded.indices] - prior_bias
    return Autoencoder(
        weights=[_numpy(parameter) for parameter in network.weights],
        biases=[_numpy(parameter) for parameter in network.biases],
        activation=settings.activation,
        center=center,
        codes=codes,
        mean_code=mean_code,
        prior_weight=prior_weight,
        prior_bias=prior_bias,
        penalty=RIDGE_FACTOR * settings.lambd / 2,
        bias_penalty=bias_penalty(residuals, decoded.indptr),
    )


def _sparse_rows(
    ratings: scipy.sparse.csr_array,
    center: float | None,
    device: str,
    dtype: torch.dtype = torch.float32,
) -> SparseRows:
    values = torch.tensor(ratings.data, dtype=dtype, device=device)
    channels = (values,) if center is None else (values - center, torch.ones_like(values))
    return SparseRows(_pattern(ratings, device), channels)


def _pattern(ratings: scipy.sparse.csr_array, device: str) -> Pattern:
    return Pattern.from_csr(ratings.indptr, ratings.indices, ratings.shape, device)


def _tensors(ratings: scipy.sparse.csr_array) -> tuple[Tensor, Tensor, Tensor]:
    return (
        torch.tensor(ratings.indptr, dtype=torch.int64),
        torch.tensor(ratings.indices, dtype=torch.int64),
        torch.tensor(ratings.data, dtype=torch.float64),
    )


@torch.no_grad()
def _encode(
    network: AutoRec, ratings: scipy.sparse.csr_array, center: float | None
) -> np.ndarray:
    # In float64, so that a row's code does not depend on the rows beside it.
    return network.codes(_sparse_rows(ratings, center, "cpu", torch.float64)).numpy()


def _centred(codes: np.ndarray, counts: np.ndarray, mean_code: np.ndarray) -> np.ndarray:
    return np.where(counts[:, None] > 0, codes - mean_code, 0.0)


def _numpy(parameter: Tensor) -> np.ndarray:
    return parameter.detach().float().numpy().copy()
