"""AutoRec for scikit-learn: rating prediction with autoencoders."""

from ._estimator import AutoRecRegressor
from ._ratings import Ratings

__all__ = ["AutoRecRegressor", "Ratings"]
