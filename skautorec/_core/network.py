"""The network that is trained: sparse rows in, codes in the middle, predictions of cells out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .sparse import Pattern, at_observed, times_dense

__all__ = ["ACTIVATIONS", "AutoRec", "SparseRows"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "identity": lambda pre_activation: pre_activation,
}


@dataclass(frozen=True)
class SparseRows:
    """Rows given to the network: one or more channels of values on one pattern.

    With one channel the values are the ratings. With two, they are centred ratings and ones,
    which tells a cell rated at the centre from one not rated at all.
    """

    pattern: Pattern
    channels: tuple[Tensor, ...]


class AutoRec(nn.Module):
    """``h(r) = W g(V r + mu) + b`` with any number of hidden layers and a linear output.

    Parameters
    ----------
    n_inputs : int
        Columns of the input pattern.
    n_outputs : int
        Columns of the target pattern: the decoded rows.
    hidden_units : sequence of int
        Width of each hidden layer; the last holds the codes.
    activation : str
        A key of `ACTIVATIONS`.
    n_channels : int
        Channels of the input.
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        hidden_units: Sequence[int],
        activation: str = "sigmoid",
        n_channels: int = 1,
    ) -> None:
        super().__init__()

        def parameter(*shape: int) -> nn.Parameter:
            # In single precision whatever torch's default dtype is.
            return nn.Parameter(torch.zeros(shape, dtype=torch.float32))

        self.activation = ACTIVATIONS[activation]
        widths = [n_channels * n_inputs, *hidden_units]
        self.weights = nn.ParameterList(
            parameter(fan_in, fan_out) for fan_in, fan_out in itertools.pairwise(widths)
        )
        self.biases = nn.ParameterList(parameter(width) for width in hidden_units)
        self.decoder_weight = parameter(n_outputs, hidden_units[-1])
        self.decoder_bias = parameter(n_outputs)

    def codes(self, rows: SparseRows) -> Tensor:
        """Encode rows: shape (n_rows, hidden_units[-1])."""
        first = self.weights[0]
        blocks = first.chunk(len(rows.channels)) if len(rows.channels) > 1 else [first]
        hidden = self.biases[0]
        for values, weight in zip(rows.channels, blocks, strict=True):
            hidden = hidden + times_dense(rows.pattern, values, weight)
        hidden = self.activation(hidden)
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            hidden = self.activation(torch.addmm(bias, hidden, weight))
        return hidden

    def forward(self, rows: SparseRows, targets: Pattern) -> Tensor:
        """Predict the observed cells of ``targets``: shape (nnz,)."""
        return at_observed(targets, self.codes(rows), self.decoder_weight, self.decoder_bias)

    def penalised(self) -> list[Tensor]:
        """Return ``V`` of each layer and ``W``; biases are not penalised (equation 2)."""
        return [*self.weights, self.decoder_weight]
