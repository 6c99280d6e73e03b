"""The fitted model as a torch module for dense rows, to use in other torch code."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .encoding import Encoding
from .network import AutoRec
from .scores import Embeddings

__all__ = ["DenseAutoRec"]


class DenseAutoRec(nn.Module):
    """A trained network for dense rows: ratings in, NaN for unobserved; predictions out.

    Parameters
    ----------
    network : AutoRec
        Its encoder is used.
    encoding : Encoding
    decoder : Embeddings
        Decoder in rating units: factors of shape (n_outputs, k) and biases.
    slope : ndarray of shape (n_outputs,) or (1,)
        Rating units per unit of the network's output.
    low, high : float
        Ratings that the network reads as 1 and 5.
    """

    reference: Tensor
    slope: Tensor

    def __init__(
        self,
        network: AutoRec,
        encoding: Encoding,
        decoder: Embeddings,
        slope: np.ndarray,
        low: float,
        high: float,
    ) -> None:
        super().__init__()
        self.activation, self.low, self.high = network.activation, low, high
        self.encoding = encoding
        self.register_buffer("reference", torch.tensor(encoding.reference, dtype=torch.float32))
        self.register_buffer("slope", torch.tensor(slope, dtype=torch.float32))
        self.encoder = nn.ModuleList(
            _linear(weight.detach().T, bias.detach())
            for weight, bias in zip(network.weights, network.biases, strict=True)
        )
        self.decoder = _linear(torch.tensor(decoder.factors), torch.tensor(decoder.bias))
        # Trained: tools that export a module ask for this.
        self.eval()

    def forward(self, ratings: Tensor) -> Tensor:
        """Predict rows of shape (n, n_outputs) from rows of shape (n, n_inputs)."""
        observed = ~ratings.isnan()
        span = self.high - self.low
        stars = 1 + 4 * (ratings - self.low) / span if span else ratings.clamp(3, 3)
        lengths = observed.sum(dim=1, keepdim=True)
        deviations = torch.where(observed, stars - self.reference, 0)
        biases = deviations.sum(dim=1, keepdim=True) / (lengths + self.encoding.damping)
        weights = observed * self.encoding.length_factors(lengths)
        if self.encoding.style == "residuals":
            hidden = torch.cat(((deviations - biases) * weights, weights), dim=1)
        else:
            hidden = torch.where(observed, stars, 0) * weights
        for layer in self.encoder:
            hidden = self.activation(layer(hidden))
        predictions: Tensor = self.decoder(hidden) + biases * self.slope
        return predictions


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0], dtype=torch.float32)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer
