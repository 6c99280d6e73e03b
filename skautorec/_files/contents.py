"""What a file holds of a fitted estimator: names and types of its parts, and what is true of them.

One description serves both ways: each field puts what an attribute holds into named values and
arrays, and takes it out of those that somebody made, who may have made them to do harm. A field
raises an error of any kind where it finds what `fit` cannot have made.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import scipy.sparse

from .._core.biases import Biases
from .._core.codes import Sums
from .._core.encoder import Encoder
from .._core.encoding import Encoding
from .._core.exposure import Exposure, ExposureOfFit
from .._core.model import ItemPart, Member, Model, UserPart
from .._core.network import ACTIVATIONS
from .._core.rows import Rows
from .._core.scores import Embeddings
from .._core.training_set import TrainingSet
from .._data.ids import Ids
from .._data.scale import LARGEST, Columns, Scale
from .._fitted import Fitted
from .._update import Drift
from .archive import need

__all__ = ["ESTIMATORS", "Content", "pack", "unpack"]

# Largest numbers in stars, far beyond those of any fit, and in rating units: so that what is
# computed from them, some of it in single precision, is finite.
_STARS, _RATINGS = 1e12, LARGEST
_LARGEST = float(np.finfo(np.float32).max)


@dataclass
class Content:
    """Plain values and arrays by name, and the lengths that stand for the symbols of shapes."""

    values: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    sizes: ChainMap[str, int] = field(default_factory=ChainMap)


class Field(Protocol):
    """How something is kept."""

    def put(self, name: str, thing: Any, content: Content) -> None:
        """Put a thing into the content."""

    def take(self, name: str, content: Content) -> Any:
        """Take it out, once it is what it should be."""


class Array:
    """An array of one of some types, of numbers between bounds, whose shape is given by symbols."""

    def __init__(
        self, dtypes: str, *shape: str, low: float | None = None, high: float = _STARS
    ) -> None:
        self.dtypes, self.shape, self.high = dtypes.split(), shape, high
        self.low = -high if low is None else low

    def put(self, name: str, thing: Any, content: Content) -> None:
        content.arrays[name] = np.asarray(thing)

    def take(self, name: str, content: Content) -> np.ndarray:
        array = content.arrays.pop(name)
        need(array.dtype.str[1:] in self.dtypes, f"{name} is of type {array.dtype}")
        need(array.ndim == len(self.shape), f"{name} has {array.ndim} dimensions")
        for symbol, length in zip(self.shape, array.shape, strict=True):
            need(content.sizes.setdefault(symbol, length) == length, f"{name} is of other length")
        if array.size:
            is_in = array.min() >= self.low and array.max() <= self.high
            need(bool(is_in), f"{name} holds numbers out of bounds, or what is no number")
        return array


class Curve(Array):
    """A list of numbers."""

    def take(self, name: str, content: Content) -> Any:
        return super().take(name, content).tolist()


class Number:
    """A number between bounds, both allowed: an integer where the bound below is one."""

    def __init__(self, low: float, high: float = _STARS) -> None:
        self.low, self.high = low, high

    def put(self, name: str, thing: Any, content: Content) -> None:
        content.values[name] = type(self.low)(thing)

    def take(self, name: str, content: Content) -> Any:
        number = content.values.pop(name)
        is_in = type(number) is type(self.low) and self.low <= number <= self.high
        need(is_in, f"{name} is {number!r}")
        return number


class Choice:
    """One of some values."""

    def __init__(self, *options: Any) -> None:
        self.options = options

    def put(self, name: str, thing: Any, content: Content) -> None:
        content.values[name] = thing

    def take(self, name: str, content: Content) -> Any:
        thing = content.values.pop(name)
        is_one = any(type(thing) is type(one) and thing == one for one in self.options)
        need(is_one, f"{name} is {thing!r}")
        return thing


class Many:
    """A list or tuple of things of one kind, whose field may depend on their number."""

    def __init__(self, make: Callable[[int], Field], kind: type = list) -> None:
        self.make, self.kind = make, kind

    def put(self, name: str, thing: Any, content: Content) -> None:
        content.values[f"{name}.n"] = len(thing)
        for i, one in enumerate(thing):
            self.make(i).put(f"{name}{i}", one, content)

    def take(self, name: str, content: Content) -> Any:
        n = Number(1).take(f"{name}.n", content)
        return self.kind(self.make(i).take(f"{name}{i}", content) for i in range(n))


class Record:
    """An object with attributes; symbols that are new inside are its own."""

    def __init__(
        self, cls: type, is_whole: Callable[[Any], bool] = lambda thing: True, **fields: Field
    ) -> None:
        self.cls, self.is_whole, self.fields = cls, is_whole, fields

    def put(self, name: str, thing: Any, content: Content) -> None:
        for attribute, kept in self.fields.items():
            kept.put(f"{name}.{attribute}", getattr(thing, attribute), content)

    def take(self, name: str, content: Content) -> Any:
        inside = Content(content.values, content.arrays, content.sizes.new_child())
        thing = self.cls(
            **{
                attribute: kept.take(f"{name}.{attribute}", inside)
                for attribute, kept in self.fields.items()
            }
        )
        need(self.is_whole(thing), f"parts of {name} do not fit")
        return thing


class Optional:
    """Something, or None."""

    def __init__(self, kept: Field) -> None:
        self.kept = kept

    def put(self, name: str, thing: Any, content: Content) -> None:
        content.values[name] = thing is not None
        if thing is not None:
            self.kept.put(name, thing, content)

    def take(self, name: str, content: Content) -> Any:
        is_there = Choice(False, True).take(name, content)
        return self.kept.take(name, content) if is_there else None


class Vocabulary:
    """Ids."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol

    def put(self, name: str, thing: Any, content: Content) -> None:
        content.arrays.update(thing.to_arrays(name))

    def take(self, name: str, content: Content) -> Ids:
        ids = Ids.from_arrays(name, content.arrays)
        content.sizes[self.symbol] = len(ids)
        return ids


class Cells:
    """Ratings in compressed rows, with sorted columns."""

    _DATA = Array("i1 i2 f4 f8", "cells", high=_RATINGS)

    def __init__(self, rows: str, columns: str) -> None:
        self.rows, self.columns = rows, columns

    def put(self, name: str, thing: Any, content: Content) -> None:
        for part in ("data", "indices", "indptr"):
            content.arrays[f"{name}.{part}"] = getattr(thing, part)

    def take(self, name: str, content: Content) -> scipy.sparse.csr_array:
        sizes = content.sizes.new_child()
        inside = Content(content.values, content.arrays, sizes)
        data = self._DATA.take(f"{name}.data", inside)
        indices = Array("i4 i8", "cells", low=0).take(f"{name}.indices", inside)
        indptr = Array("i4 i8", "ends", low=0).take(f"{name}.indptr", inside)
        shape = sizes[self.rows], sizes[self.columns]
        need(len(indptr) == shape[0] + 1, f"{name} has another number of rows")
        is_cut = indptr[0] == 0 and indptr[-1] == len(data) and (indptr[1:] >= indptr[:-1]).all()
        need(bool(is_cut), f"the rows of {name} are not cut in order")
        need(bool((indices < shape[1]).all()), f"{name} has a cell in no column")
        is_first = np.zeros(len(data) + 1, dtype=bool)
        is_first[indptr] = True
        is_sorted = (is_first[1:-1] | (indices[1:] > indices[:-1])).all()
        need(bool(is_sorted), f"the columns of {name} are not sorted")
        return scipy.sparse.csr_array((data, indices, indptr), shape=shape)


_FLAG = Choice(False, True)
_POSITIVE = Number(1e-30, 1e30)
_FROM_ZERO = Number(0.0)
_COUNT, _SQUARES = Number(0, 2**53), Number(0.0, 1e100)
_ANY = Number(-_STARS)
_DAMPING = Number(0.0, float("inf"))


def _scale(columns: str) -> Record:
    return Record(
        Scale,
        lambda scale: bool((scale.low <= scale.high).all()),
        low=Array("f8", columns, high=_RATINGS),
        high=Array("f8", columns, high=_RATINGS),
    )


def _encoder() -> Record:
    def is_whole(encoder: Encoder) -> bool:
        n_inputs = encoder.encoding.n_channels * encoder.n_inputs
        return (
            len(encoder.weights) == len(encoder.biases)
            and len(encoder.weights[0]) == n_inputs
            and len(encoder.biases[-1]) == len(encoder.mean_code)
        )

    return Record(
        Encoder,
        is_whole,
        weights=Many(lambda i: Array("f4", f"width{i}", f"width{i + 1}")),
        biases=Many(lambda i: Array("f4", f"width{i + 1}")),
        activation=Choice(*ACTIVATIONS),
        encoding=Record(
            Encoding,
            style=Choice("ratings", "residuals"),
            reference=Array("f8", "inputs"),
            damping=_POSITIVE,
            scale=_POSITIVE,
        ),
        mean_code=Array("f8", "units"),
        prior_weight=Array("f4 f8", "units"),
        prior_bias=_ANY,
        penalty=_POSITIVE,
        bias_penalty=_POSITIVE,
        on_residuals=_FLAG,
    )


def _fits(part: ItemPart) -> bool:
    """Whether the sums of an item part are those of its encoder."""
    width, tables = len(part.encoder.biases[0]), part.sums.tables
    return len(tables) == part.encoder.encoding.n_channels and tables[0].shape[1] == width


def _are_weighted(training: TrainingSet) -> bool:
    """Whether weights, if there are any, are those of the ratings, and each is above 0."""
    weights = training.weights
    if weights is None:
        return True
    is_one_each = training.y is None and len(weights) == training.inputs.nnz
    return is_one_each and bool((weights > 0).all())


_MEMBER = Record(
    Member,
    lambda member: len(member.parts) > 0,
    item=Optional(
        Record(
            ItemPart,
            _fits,
            encoder=_encoder(),
            sums=Record(
                Sums,
                tables=Many(lambda i: Array("f8", "columns", "width"), tuple),
                counts=Array("i8 f8", "columns", low=0),
                deviations=Array("f8", "columns"),
            ),
        )
    ),
    user=Optional(Record(UserPart, encoder=_encoder())),
)
_MODEL = Record(
    Model,
    members=Many(lambda i: _MEMBER),
    noise=_FROM_ZERO,
    spread=_FROM_ZERO,
    code_spread=_FROM_ZERO,
)
_BIASES = Record(
    Biases,
    mean=_ANY,
    columns=Array("f8", "columns"),
    damping=Many(lambda i: _DAMPING, tuple),
    noise=_FROM_ZERO,
    shares=Array("f8", "columns", low=0),
    column_variances=Array("f8", "columns", low=0),
    most_variance=_FROM_ZERO,
)

# What all estimators keep. First ids and ranges, and those of columns that are predicted where they
# are not the items.
_IDS = {"users": Vocabulary("users"), "items": Vocabulary("items"), "scale": _scale("items")}
_TARGETS = {"target_items": Vocabulary("targets"), "target_scale": _scale("targets")}
_ALL = {
    "target_ndim": Choice(1, 2),
    "training": Record(
        TrainingSet,
        _are_weighted,
        inputs=Cells("users", "items"),
        y=Optional(Cells("users", "targets")),
        weights=Optional(Array("f4 f8", "weights", low=0)),
    ),
    "user_factors": Array("f8", "users", "factors"),
    "user_bias": Array("f8", "users", high=_RATINGS),
    "item_factors": Array("f8", "targets", "factors", high=_RATINGS),
    "item_bias": Array("f8", "targets", high=_RATINGS),
    "exposure": Optional(
        Record(
            Exposure,
            components=Array("f4", "items of the fit", "components", high=1),
            popularity=Array("f4", "items of the fit", low=0, high=1),
            penalty=_POSITIVE,
        )
    ),
}
# What each keeps besides, by the names of attributes.
ESTIMATORS: dict[str, dict[str, Field]] = {
    "AutoRecRegressor": {
        "model": _MODEL,
        "loss_curve_": Curve("f8", "epochs", high=_LARGEST),
        "validation_scores_": Curve("f8", "watched epochs", high=_LARGEST),
        "n_iter_": Number(1),
        "decoder_lambd_": Array("f8", "members", "parts", high=_RATINGS),
        "drift_": Record(
            Drift,
            n_ratings=_COUNT,
            n_removed=_COUNT,
            n_users=_COUNT,
            n_items=_COUNT,
            weight=_SQUARES,
            last_weight=_SQUARES,
            squares=_SQUARES,
            last_squares=_SQUARES,
        ),
    },
    "BiasRegressor": {
        "model": _BIASES,
        "damping_": Many(lambda i: _DAMPING, tuple),
        "mean_": Number(-_RATINGS, _RATINGS),
    },
    "PopularityRecommender": {
        "model": _BIASES,
        "item_counts_": Array("i8", "targets", low=0),
        "damping_": _DAMPING,
        "ranked_by_counts": _FLAG,
    },
}


def pack(name: str, fitted: Fitted, attributes: dict[str, Any]) -> Content:
    """Put a fitted model, and what its estimator tells of it, into named values and arrays.

    Parameters
    ----------
    name : str
        Of the estimator.
    fitted : Fitted
    attributes : dict
        The estimator's, of which those of `ESTIMATORS` are kept.
    """
    things = attributes | {
        "users": fitted.user_ids,
        "items": fitted.inputs.ids,
        "scale": fitted.inputs.scale,
        "target_items": fitted.targets.ids,
        "target_scale": fitted.targets.scale,
        "target_ndim": fitted.target_ndim,
        "training": fitted.training,
        "user_factors": fitted.users.factors,
        "user_bias": fitted.users.bias,
        "item_factors": fitted.items.factors,
        "item_bias": fitted.items.bias,
        "model": fitted.model,
        "ranked_by_counts": fitted.counts is not None,
        "exposure": fitted.exposure_of_fit.known,
    }
    content = Content()
    content.values["has_targets"] = fitted.has_targets
    content.values["feature_names"] = fitted.feature_names is not None
    targets = _TARGETS if fitted.has_targets else {}
    fields: dict[str, Any] = _IDS | targets | _ALL | ESTIMATORS[name]
    for thing, kept in fields.items():
        kept.put(thing.strip("_"), things[thing], content)
    # What `load` would refuse must not be all that is left of a model.
    unpack(name, Content(dict(content.values), dict(content.arrays)))
    return content


def unpack(name: str, content: Content) -> tuple[Fitted, dict[str, Any]]:
    """Take out what `pack` put in, or raise one of many errors."""
    sizes = content.sizes

    def take(fields: dict[str, Any]) -> dict[str, Any]:
        return {thing: kept.take(thing.strip("_"), content) for thing, kept in fields.items()}

    # 1. Ids, on whose numbers the shapes of the rest depend.
    ids = take(_IDS)
    inputs = targets = Columns(ids["items"], ids["scale"])
    has_targets = _FLAG.take("has_targets", content)
    if has_targets:
        others = take(_TARGETS)
        targets = Columns(others["target_items"], others["target_scale"])
    sizes["targets"] = len(targets)
    sizes["columns"] = sizes["items"] + (sizes["targets"] if has_targets else 0)
    # 2. The rest.
    things, attributes = take(_ALL), take(ESTIMATORS[name])
    has_names = _FLAG.take("feature_names", content)
    counts = attributes["item_counts_"] if attributes.pop("ranked_by_counts", False) else None
    exposure = things["exposure"]
    fitted = Fitted(
        ids["users"],
        inputs,
        targets,
        things["target_ndim"],
        _feature_names(inputs.ids) if has_names else None,
        attributes.pop("model"),
        Rows(Embeddings(things["user_factors"], things["user_bias"])),
        Rows(Embeddings(things["item_factors"], things["item_bias"])),
        things["training"],
        ExposureOfFit.of(exposure) if exposure else ExposureOfFit(things["training"].targets),
        counts,
    )
    # 3. What is true of several parts at once.
    _check(fitted, attributes)
    need(not content.values and not content.arrays, "it holds more than it should")
    return fitted, attributes


def _feature_names(ids: Ids) -> np.ndarray:
    names = ids.array.tolist()
    need(all(type(one) is str for one in names), "a name of a feature is no text")
    return np.array(names, dtype=object)


def _check(fitted: Fitted, attributes: dict[str, Any]) -> None:
    """Check what is true of several parts at once."""
    model, users, items = fitted.model, fitted.users, fitted.items
    need(min(len(users), len(items), len(fitted.inputs)) > 0, "it holds nobody or nothing")
    need((fitted.training.y is not None) == fitted.has_targets, "targets are missing")
    is_flat = fitted.target_ndim == 1
    need(not is_flat or (fitted.has_targets and len(items) == 1), "its predictions have no shape")
    width = model.n_units + (0 if fitted.targets.scale.is_shared else 1)
    need(users.factors.shape[1] == width, "factors are not those of the model")
    if isinstance(model, Model):
        shapes = {(member.item is None, member.user is None) for member in model.members}
        need(len(shapes) == 1, "members are of several kinds")
        lengths = len(users), len(fitted.inputs)
        for member in model.members:
            for part, length in zip((member.item, member.user), lengths, strict=True):
                fits = part is None or part.encoder.n_inputs <= length
                need(fits, "an encoder has more inputs than there are")
        parts = (len(model.members), len(model.members[0].parts))
        need(attributes["decoder_lambd_"].shape == parts, "penalties are not those of the model")
    elif isinstance(model, Biases):
        need(len(model.damping) == 2, "a model of biases has two dampings")
    cells = ((fitted.training.inputs, fitted.inputs), (fitted.training.y, fitted.targets))
    for ratings, columns in cells:
        is_in = ratings is None or _are_within(ratings, columns.scale)
        need(is_in, "a rating is outside of the range")
    largest = width * _largest(users.factors) * _largest(items.factors)
    largest += _largest(users.bias) + _largest(items.bias)
    need(largest <= _LARGEST, "predictions would not be finite")
    exposure = fitted.exposure_of_fit.known
    is_theirs = exposure is None or len(exposure.popularity) <= len(items)
    need(is_theirs and not (exposure and fitted.has_targets), "exposure is of other items")


def _are_within(cells: scipy.sparse.csr_array, scale: Scale) -> bool:
    low, high = scale.low[cells.indices], scale.high[cells.indices]
    return bool((cells.data >= low).all() and (cells.data <= high).all())


def _largest(array: np.ndarray) -> float:
    return max(abs(float(array.min(initial=0.0))), abs(float(array.max(initial=0.0))))
