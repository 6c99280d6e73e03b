"""The fitted autoencoder: train, then solve the decoder in closed form; later, fold rows in.

Everything it holds is numpy, so it pickles, copies and travels to machines without the device it
was trained on. Ratings are in the units of training throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .encoding import Encoding, pattern_of
from .factors import Rows
from .module import DenseAutoRec
from .network import AutoRec, SparseRows
from .ridge import Prior, bias_penalty, solve_rows
from .training import Batch, History, Settings, initialise, train

__all__ = ["Autoencoder", "fit_autoencoder"]

# Ridge penalty of the serving decoder over the lambd / 2 that training used. The decoder is
# re-fitted to codes that have already seen the same ratings, so it needs more; chosen on validation
# ratings, see benchmarks/defaults.py.
RIDGE_FACTOR = 1.5


@dataclass(frozen=True)
class Autoencoder:
    """A trained encoder, the codes of its training rows and the ridge prior of its decoder.

    Attributes
    ----------
    weights, biases : list of ndarray of float32
        Encoder layers, ``(fan_in, fan_out)`` and ``(fan_out,)``.
    activation : str
    encoding : Encoding
        How rows become inputs.
    encoded : Rows
        Codes of the training rows minus ``mean_code``, and the rows' biases; the code is zero for
        rows without ratings, whose own would be arbitrary.
    mean_code : ndarray of shape (k,)
        Mean code, weighted by ratings.
    prior_weight, prior_bias, penalty, bias_penalty
        Prior of a decoded row; see `ridge`.
    """

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    activation: str
    encoding: Encoding
    encoded: Rows
    mean_code: np.ndarray
    prior_weight: np.ndarray
    prior_bias: float
    penalty: float
    bias_penalty: float

    def encode(self, ratings: scipy.sparse.csr_array) -> Rows:
        """Encode rows: their codes, minus the mean code, and their biases."""
        codes = _encode(self._network(), self.encoding.inputs(ratings, dtype=torch.float64))
        codes = _centred(codes, np.diff(ratings.indptr), self.mean_code)
        return Rows(codes, self.encoding.biases(ratings))

    def decode(self, ratings: scipy.sparse.csr_array) -> Rows:
        """Solve decoded rows from their ratings of the first ``ratings.shape[1]`` encoded rows."""
        prior = Prior(
            torch.tensor(self.prior_weight), self.prior_bias, self.penalty, self.bias_penalty
        )
        indptr, indices = (
            torch.tensor(array, dtype=torch.int64) for array in (ratings.indptr, ratings.indices)
        )
        values = torch.tensor(ratings.data - self.encoded.bias[ratings.indices])
        codes = torch.tensor(self.encoded.factors)
        weights, biases = solve_rows(indptr, indices, values, codes, prior)
        return Rows(weights.numpy(), biases.numpy())

    @property
    def mean_row(self) -> Rows:
        """One encoded row without ratings."""
        return Rows(np.zeros((1, len(self.mean_code))), np.zeros(1))

    @property
    def prior_row(self) -> Rows:
        """One decoded row without ratings."""
        return Rows(self.prior_weight[None], np.array([self.prior_bias]))

    def to_module(self, decoder: Rows, slope: np.ndarray, low: float, high: float) -> DenseAutoRec:
        """Dense module; see `DenseAutoRec` for the decoder and the range of its input."""
        biases = decoder.bias - decoder.factors @ self.mean_code
        return DenseAutoRec(
            self._network(), self.encoding, Rows(decoder.factors, biases), slope, low, high
        )

    def _network(self) -> AutoRec:
        network = AutoRec(
            len(self.encoding.reference),
            0,
            [len(bias) for bias in self.biases],
            self.activation,
            self.encoding.n_channels,
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
    style: str,
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
    style : {"ratings", "residuals"}
        See `Encoding`.
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
    encoding = Encoding.of(inputs, style)
    biases = encoding.biases(inputs)
    rows = encoding.inputs(inputs, device)
    pattern = rows.pattern if inputs is targets else pattern_of(targets, device)
    values = targets.data - np.repeat(biases, np.diff(targets.indptr))
    batch = Batch(rows, pattern, torch.tensor(values, dtype=torch.float32, device=device))
    network = AutoRec(
        inputs.shape[1],
        targets.shape[1],
        settings.hidden_units,
        settings.activation,
        encoding.n_channels,
    ).to(device)
    initialise(network, batch, generator)
    history = train(network, batch, settings, generator, on_epoch)
    # In float64 from here on, so that a row's answer does not depend on the rows beside it.
    network = network.cpu().double()
    codes = _encode(network, encoding.inputs(inputs, dtype=torch.float64))
    counts = np.diff(inputs.indptr)
    mean_code = counts @ codes / counts.sum()
    encoded = Rows(_centred(codes, counts, mean_code), biases)
    decoded = targets.T.tocsr()
    prior = _prior(network, encoded, mean_code, decoded, settings.lambd)
    model = Autoencoder(
        weights=[_numpy(parameter) for parameter in network.weights],
        biases=[_numpy(parameter) for parameter in network.biases],
        activation=settings.activation,
        encoding=encoding,
        encoded=encoded,
        mean_code=mean_code,
        **prior,
    )
    return model, model.decode(decoded), history


def _prior(
    network: AutoRec,
    encoded: Rows,
    mean_code: np.ndarray,
    decoded: scipy.sparse.csr_array,
    lambd: float,
) -> dict[str, Any]:
    """Read the ridge prior off the trained decoder."""
    weight = network.decoder_weight.detach().numpy()
    bias = network.decoder_bias.detach().numpy() + weight @ mean_code
    rated = np.diff(decoded.indptr) > 0
    prior_weight, prior_bias = weight[rated].mean(axis=0), float(bias[rated].mean())
    expected = encoded.factors @ prior_weight + encoded.bias + prior_bias
    residuals = decoded.data - expected[decoded.indices]
    return {
        "prior_weight": prior_weight,
        "prior_bias": prior_bias,
        "penalty": RIDGE_FACTOR * lambd / 2,
        "bias_penalty": bias_penalty(residuals, decoded.indptr),
    }


@torch.no_grad()
def _encode(network: AutoRec, rows: SparseRows) -> np.ndarray:
    codes: np.ndarray = network.codes(rows).numpy()
    return codes


def _centred(codes: np.ndarray, counts: np.ndarray, mean_code: np.ndarray) -> np.ndarray:
    return np.where(counts[:, None] > 0, codes - mean_code, 0.0)


def _numpy(parameter: Tensor) -> np.ndarray:
    array: np.ndarray = parameter.detach().float().numpy().copy()
    return array
