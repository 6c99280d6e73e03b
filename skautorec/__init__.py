"""AutoRec for scikit-learn: rating prediction with autoencoders."""

import importlib
from typing import TYPE_CHECKING, Any

from ._data.ratings import Ratings
from ._estimator import AutoRecRegressor
from ._versions import __version__, show_versions

__all__ = [
    "AutoRecRegressor",
    "Ratings",
    "__version__",
    "baselines",
    "datasets",
    "metrics",
    "model_selection",
    "pipeline",
    "plotting",
    "show_versions",
]

if TYPE_CHECKING:
    from . import baselines, datasets, metrics, model_selection, pipeline, plotting
else:

    def __getattr__(name: str) -> Any:
        """Import a module of the package when it is first used, so that it costs nobody else."""
        if name in __all__:
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
