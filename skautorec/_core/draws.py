"""Random draws that depend on what is drawn for, never on how the work is cut.

Every draw is a function of the seed, of a purpose, of the epoch where there is one, and of the
positions of the encoded and of the decoded row. So batches, workers and resumed fits agree, and
rows that are added at the end change nobody else's draws.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

__all__ = ["Draws"]

# Rows whose weights one generator draws.
_BLOCK = 256
_GOLDEN = 0x9E3779B9
_MASK = 2**32 - 1


class Draws:
    """A source of draws.

    Parameters
    ----------
    *keys : int or str
        Seed and purpose.
    """

    def __init__(self, *keys: int | str) -> None:
        self.key = 0
        for key in keys:
            numbers = key.encode() if isinstance(key, str) else [key & _MASK, key >> 32]
            for number in numbers:
                self.key = _mixed(self.key + _GOLDEN + number)

    def into(self, *keys: int | str) -> Draws:
        """Return the source of draws for a narrower purpose."""
        return Draws(self.key, *keys)

    def normal(self, n_rows: int, n_columns: int) -> Tensor:
        """Draw standard normal weights of shape (n_rows, n_columns), on the CPU, in float32.

        A row's draws depend on its position and on the number of columns only.
        """
        weights = torch.empty(n_rows, n_columns, dtype=torch.float32)
        generator = torch.Generator()
        for block, start in enumerate(range(0, n_rows, _BLOCK)):
            generator.manual_seed(self.into(block).key)
            rows = torch.randn(_BLOCK, n_columns, generator=generator, dtype=torch.float32)
            part = weights[start : start + _BLOCK]
            part.copy_(rows[: len(part)])
        return weights

    def of_positions(self, positions: Tensor) -> Tensor:
        """Hash positions, each by itself: int32, uniform over all of its values."""
        return _finished(positions.to(torch.int32) * _signed(_GOLDEN) + _signed(self.key))

    def of_cells(self, encoded: Tensor, decoded: Tensor) -> Tensor:
        """Draw a uniform number in [0, 1) for each cell, float32.

        Parameters
        ----------
        encoded, decoded : Tensor of int32 of shape (n_cells,)
            `of_positions` of the encoded and of the decoded row of each cell; the first is
            overwritten.
        """
        mixed = _finished(encoded.add_(decoded))
        return mixed.bitwise_and_(2**24 - 1).to(torch.float32).mul_(2.0**-24)

    def of_matrix(self, cells: scipy.sparse.csr_array) -> np.ndarray:
        """Draw a uniform number in [0, 1) for each stored cell of users x items, float32."""
        users, items = (
            self.into(side).of_positions(torch.arange(n))
            for side, n in zip(("users", "items"), cells.shape, strict=True)
        )
        lengths, columns = np.diff(cells.indptr), torch.tensor(cells.indices, dtype=torch.int64)
        of_users = users.repeat_interleave(torch.tensor(lengths, dtype=torch.int64))
        uniform: np.ndarray = self.of_cells(of_users, items[columns]).numpy()
        return uniform

    def order(self, n: int) -> np.ndarray:
        """Random order of ``n`` positions."""
        keys = self.of_positions(torch.arange(n)).numpy()
        order: np.ndarray = np.argsort(keys, kind="stable")
        return order


def _mixed(number: int) -> int:
    """The finisher of MurmurHash3, on 32 bits."""
    number &= _MASK
    number = (number ^ number >> 16) * 0x85EBCA6B & _MASK
    number = (number ^ number >> 13) * 0xC2B2AE35 & _MASK
    return number ^ number >> 16


def _finished(numbers: Tensor) -> Tensor:
    """The same for int32 tensors, in place: products wrap around."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        # A shift of a signed number brings in its sign.
        numbers ^= (numbers >> shift).bitwise_and_(2 ** (32 - shift) - 1)
        if factor > 1:
            numbers *= _signed(factor)
    return numbers


def _signed(number: int) -> int:
    return number - 2**32 if number >= 2**31 else number
