"""One trained autoencoder: it encodes rows, and solves decoded rows in closed form.

Everything it holds is numpy, so it pickles, copies and travels to machines without the device it
was trained on. Ratings are in the units of training throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .encoding import Encoding, minus_rows, pattern_of, row_blocks
from .factors import Rows, shared_tensor
from .module import DenseAutoRec
from .network import AutoRec
from .ridge import Gram, Prior, bias_penalty, relative_variances, solve_rows
from .training import Batch, History, Progress, Settings, initialise, train

__all__ = ["Autoencoder", "train_autoencoder"]

# Ridge penalty of the serving decoder over the lambd / 2 that training used. The decoder is
# re-fitted to codes that have already seen the same ratings, so it needs more; and more still where
# it is fitted to what another autoencoder left. Chosen on validation ratings.
RIDGE_FACTOR = 1.5
RESIDUAL_RIDGE_FACTOR = 5.0
# Pseudo-ratings that hold the bias of a row fitted to residuals at zero.
RESIDUAL_BIAS_PENALTY = 80.0


@dataclass(frozen=True)
class Autoencoder:
    """A trained encoder, and the ridge prior of the decoder.

    Attributes
    ----------
    weights, biases : list of ndarray of float32
        Encoder layers, ``(fan_in, fan_out)`` and ``(fan_out,)``.
    activation : str
    encoding : Encoding
        How rows become inputs.
    mean_code : ndarray of shape (k,)
        Mean code of the training rows, weighted by ratings.
    prior_weight, prior_bias, penalty, bias_penalty
        Prior of a decoded row; see `ridge`.
    """

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    activation: str
    encoding: Encoding
    mean_code: np.ndarray
    prior_weight: np.ndarray
    prior_bias: float
    penalty: float
    bias_penalty: float

    def encode(self, ratings: scipy.sparse.csr_array) -> Rows:
        """Encode rows: their codes, minus the mean code, and their biases.

        The code of a row without ratings, which would be arbitrary, is the mean.
        """
        codes = _encode(self._network(), self.encoding, ratings)
        codes = _centred(codes, np.diff(ratings.indptr), self.mean_code)
        return Rows(codes, self.encoding.biases(ratings))

    def decode(
        self, ratings: scipy.sparse.csr_array, encoded: Rows, dtype: torch.dtype = torch.float64
    ) -> Rows:
        """Solve decoded rows from their ratings of the first ``ratings.shape[1]`` encoded rows."""
        codes = shared_tensor(encoded.factors).to(dtype)
        gram = Gram.of(codes, torch.tensor(ratings.indptr, dtype=torch.int64))
        weights = np.empty((ratings.shape[0], codes.shape[1]))
        biases = np.empty(len(weights))
        for rows, block in row_blocks(ratings):
            values = torch.from_numpy(block.data - encoded.bias[block.indices]).to(dtype)
            solved = solve_rows(*_compressed(block), values, codes, self._prior(dtype), gram)
            weights[rows], biases[rows] = (part.numpy() for part in solved)
        return Rows(weights, biases)

    def relative_variances(
        self,
        observed: scipy.sparse.csr_array,
        encoded: np.ndarray,
        asked: scipy.sparse.csr_array,
        asked_codes: np.ndarray,
    ) -> np.ndarray:
        """Posterior variances of decoded rows at the stored cells of ``asked``.

        In single precision, which is twice as fast and at useful penalties moves a standard
        deviation by less than a millionth of it.

        Parameters
        ----------
        observed : csr_array of shape (n_decoded, n_encoded)
            Cells that the rows were solved from.
        encoded : ndarray of shape (n_encoded, k)
            Their codes.
        asked : csr_array of shape (n_decoded, n_asked)
        asked_codes : ndarray of shape (n_asked, k)

        Returns
        -------
        ndarray of shape (asked.nnz,)
            Relative to the variance of the noise.
        """
        variances = relative_variances(
            *_compressed(observed),
            torch.tensor(encoded, dtype=torch.float32),
            self._prior(torch.float32),
            *_compressed(asked),
            torch.tensor(asked_codes, dtype=torch.float32),
        )
        return variances.double().numpy()

    def on_residuals(self) -> Autoencoder:
        """Return it with a decoder to be fitted to what other models leave of the ratings."""
        return replace(
            self,
            prior_weight=np.zeros_like(self.prior_weight),
            prior_bias=0.0,
            penalty=RESIDUAL_RIDGE_FACTOR / RIDGE_FACTOR * self.penalty,
            bias_penalty=RESIDUAL_BIAS_PENALTY,
        )

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

    def _prior(self, dtype: torch.dtype) -> Prior:
        weight = torch.tensor(self.prior_weight, dtype=dtype)
        return Prior(weight, self.prior_bias, self.penalty, self.bias_penalty)

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


def train_autoencoder(
    kept: Callable[[], tuple[scipy.sparse.csr_array, scipy.sparse.csr_array]],
    heldout: Callable[[], scipy.sparse.csr_array],
    settings: Settings,
    *,
    style: str,
    seed: int,
    device: str,
    progress: Progress,
) -> tuple[Autoencoder, History]:
    """Train the network and estimate the prior of its decoded rows.

    Parameters
    ----------
    kept : callable
        Returns inputs and targets, csr_array of shape (n_encoded, n_inputs) and (n_encoded,
        n_decoded), which may be the same object. Stored cells are observed. It is called again
        after training, so that the network trains without them in memory.
    heldout : callable
        Returns cells of the shape of the targets to validate on, for early stopping.
    settings : Settings
    style : {"ratings", "residuals"}
        See `Encoding`.
    seed : int
    device : str
    progress : Progress

    Returns
    -------
    autoencoder : Autoencoder
    history : History
    """
    generator = torch.Generator().manual_seed(seed)
    encoding, batch, validation = _problem(kept, heldout, settings, style, device)
    network = AutoRec(
        batch.rows.pattern.shape[1],
        batch.targets.shape[1],
        settings.hidden_units,
        settings.activation,
        encoding.n_channels,
    ).to(device)
    initialise(network, batch, generator)
    history = train(network, batch, settings, generator, progress, validation)
    del batch, validation
    network.zero_grad()
    return _with_prior(network.cpu(), encoding, *kept(), settings), history


def _problem(
    kept: Callable[[], tuple[scipy.sparse.csr_array, scipy.sparse.csr_array]],
    heldout: Callable[[], scipy.sparse.csr_array],
    settings: Settings,
    style: str,
    device: str,
) -> tuple[Encoding, Batch, Batch | None]:
    """Return what is trained on, how it is encoded and, where wanted, what is validated on."""
    inputs, targets = kept()
    encoding = Encoding.of(inputs, style)
    biases = encoding.biases(inputs)
    rows = encoding.inputs(inputs, device)

    def batch_of(cells: scipy.sparse.csr_array) -> Batch:
        pattern = rows.pattern if cells is inputs else pattern_of(cells, device)
        values = minus_rows(cells, biases)
        return Batch(rows, pattern, torch.tensor(values, dtype=torch.float32, device=device))

    batch = batch_of(targets)
    if not settings.early_stopping:
        return encoding, batch, None
    cells = heldout()
    # One cell has no variance to explain, so that R^2 would say nothing.
    return encoding, batch, batch_of(cells) if cells.nnz > 1 else None


def _with_prior(
    network: AutoRec,
    encoding: Encoding,
    inputs: scipy.sparse.csr_array,
    targets: scipy.sparse.csr_array,
    settings: Settings,
) -> Autoencoder:
    """Return the autoencoder of a trained network.

    The prior of a decoded row is the mean row that training found, and biases around it.
    """
    # In float64 from here on, so that a row's answer does not depend on the rows beside it.
    network = network.double()
    codes = _encode(network, encoding, inputs)
    counts = np.diff(inputs.indptr)
    mean_code = counts @ codes / counts.sum()
    weight = _numpy(network.decoder_weight)
    bias = _numpy(network.decoder_bias) + weight @ mean_code
    rated = np.bincount(targets.indices, minlength=targets.shape[1]) > 0
    prior_weight, prior_bias = weight[rated].mean(axis=0), float(bias[rated].mean())
    expected = _centred(codes, counts, mean_code) @ prior_weight
    expected += encoding.biases(inputs) + prior_bias
    left_over = minus_rows(targets, expected)
    return Autoencoder(
        weights=[_numpy(parameter).astype(np.float32) for parameter in network.weights],
        biases=[_numpy(parameter).astype(np.float32) for parameter in network.biases],
        activation=settings.activation,
        encoding=encoding,
        mean_code=mean_code,
        prior_weight=prior_weight,
        prior_bias=prior_bias,
        penalty=RIDGE_FACTOR * settings.lambd / 2,
        bias_penalty=bias_penalty(left_over, targets.indices),
    )


@torch.no_grad()
def _encode(network: AutoRec, encoding: Encoding, ratings: scipy.sparse.csr_array) -> np.ndarray:
    codes = np.empty((ratings.shape[0], len(network.biases[-1])))
    for rows, block in row_blocks(ratings):
        codes[rows] = network.codes(encoding.inputs(block, dtype=torch.float64)).numpy()
    return codes


def _centred(codes: np.ndarray, counts: np.ndarray, mean_code: np.ndarray) -> np.ndarray:
    return np.where(counts[:, None] > 0, codes - mean_code, 0.0)


def _compressed(matrix: scipy.sparse.csr_array) -> tuple[Tensor, Tensor]:
    return (
        torch.tensor(matrix.indptr, dtype=torch.int64),
        torch.tensor(matrix.indices, dtype=torch.int64),
    )


def _numpy(parameter: Tensor) -> np.ndarray:
    array: np.ndarray = parameter.detach().numpy()
    return array
