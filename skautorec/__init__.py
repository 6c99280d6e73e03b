"""AutoRec for scikit-learn: rating prediction with autoencoders."""

from ._estimator import AutoRecRegressor
from ._ratings import Ratings

__all__ = ["AutoRecRegressor", "Ratings", "__version__"]

__version__ = "0.1.0.dev0"
