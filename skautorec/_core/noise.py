"""How far ratings are from predictions, measured on ratings that no code has seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.optimize

__all__ = ["Noise", "measure_noise"]


@dataclass(frozen=True)
class Noise:
    """Variances of a rating around its prediction.

    Attributes
    ----------
    noise : float
        Around a prediction that is known exactly.
    spread, code_spread : float
        What the relative variances of decoded and of encoded rows are multiplied by.
    """

    noise: float
    spread: float
    code_spread: float


def measure_noise(
    errors: np.ndarray,
    of_rows: np.ndarray,
    of_codes: np.ndarray,
    usual: float,
    weights: np.ndarray | None = None,
) -> Noise:
    """Estimate the variances from errors of predictions.

    They maximise the Gaussian likelihood, with log-normal priors of 1 on the factors, relative to
    the noise, and two pseudo-errors as large as the ratings vary on the noise, which decide where
    there are few errors.

    Parameters
    ----------
    errors : ndarray of shape (n,)
        Of predictions clipped to the rating range.
    of_rows, of_codes : ndarray of shape (n,)
        Relative variances of the decoded and of the encoded rows.
    usual : float
        Variance of the ratings.
    weights : ndarray of shape (n,) or None
        How often each error counts.
    """
    squares, usual = np.square(errors), usual + 1e-6
    weights = np.ones(len(squares)) if weights is None else weights

    def loss(logs: np.ndarray) -> float:
        noise, spread, code_spread = np.exp(logs)
        variances = noise + spread * of_rows + code_spread * of_codes
        misfit = np.sum(weights * (np.log(variances) + squares / variances))
        prior = np.square(logs[1:] - logs[0]).sum()
        return float(misfit + 2 * (logs[0] + usual / noise) + prior)

    n, total = weights.sum(), np.sum(weights * squares)
    start = np.full(3, np.log((total + 2 * usual) / (n + 2)))
    found = scipy.optimize.minimize(loss, start, method="Nelder-Mead", options={"maxiter": 2000})
    return Noise(*np.exp(found.x).tolist())
