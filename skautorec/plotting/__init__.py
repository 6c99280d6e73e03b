"""Pictures of a fitted model, as Display classes in scikit-learn's convention.

A display is made by ``from_estimator`` or ``from_predictions``, which compute what is drawn and
draw it; the numbers stay in its attributes, and ``plot`` draws them again elsewhere. Matplotlib is
needed only to draw: ``pip install "skautorec[plot]"``.
"""

from ._activity import ErrorByActivityDisplay
from ._items import ItemMapDisplay
from ._ranking import RankingDisplay
from ._training import TrainingCurveDisplay
from ._uncertainty import UncertaintyDisplay

__all__ = [
    "ErrorByActivityDisplay",
    "ItemMapDisplay",
    "RankingDisplay",
    "TrainingCurveDisplay",
    "UncertaintyDisplay",
]
