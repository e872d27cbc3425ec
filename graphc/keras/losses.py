"""tf.keras.losses: what training minimises.

Lives here: functions of (y_true, y_pred) that give one value a sample, classes over them, get.
Imports keras.core.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.core import nn
from graphc.keras.core.arrays import int_shape
from graphc.keras.core.config import epsilon, floatx
from graphc.keras.core.objects import deserialize_object, serialize_object
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array, api_math, api_normalize

__all__ = [
    "BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy",
    "CategoricalHinge", "CosineSimilarity", "Hinge", "Huber", "KLDivergence", "LogCosh", "Loss",
    "LossFunctionWrapper", "MeanAbsoluteError", "MeanAbsolutePercentageError",
    "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson", "Reduction",
    "SparseCategoricalCrossentropy", "SquaredHinge", "binary_crossentropy",
    "binary_focal_crossentropy", "categorical_crossentropy", "categorical_hinge", "cosine",
    "cosine_proximity", "cosine_similarity", "deserialize", "get", "hinge", "huber",
    "huber_loss", "kl_divergence", "kld", "kullback_leibler_divergence", "log_cosh", "logcosh",
    "mae", "mape", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_error", "mean_squared_logarithmic_error", "mse", "msle", "poisson",
    "serialize", "sparse_categorical_crossentropy", "squared_hinge",
]  # fmt: skip


def _pair(y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
    """Both as tensors of the prediction's dtype."""
    pred = K.floatx_tensor(y_pred)
    if not pred.dtype.is_floating:
        pred = K.cast(pred, floatx())
    true = convert_to_tensor(y_true)
    return (true if true.dtype is pred.dtype else K.cast(true, pred.dtype)), pred


def alike(y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
    """Both as tensors; one that has a last axis of extent 1 which the other lacks loses it."""
    true, pred = convert_to_tensor(y_true), K.floatx_tensor(y_pred)
    shapes = int_shape(true), int_shape(pred)
    if shapes[0] is None or shapes[1] is None:
        return true, pred
    more = len(shapes[1]) - len(shapes[0])
    if more == 1 and shapes[1][-1] == 1:
        return true, api_array.squeeze(pred, [-1])
    if more == -1 and shapes[0][-1] in (1, None):
        return api_array.squeeze(true, [-1]), pred
    return true, pred


# ------------------------------------------------------------------ functions
def mean_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    true, pred = _pair(y_true, y_pred)
    return K.mean(api_math.squared_difference(pred, true), axis=-1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Tensor:
    true, pred = _pair(y_true, y_pred)
    return K.mean(K.abs(pred - true), axis=-1)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Tensor:
    true, pred = _pair(y_true, y_pred)
    away = K.abs((true - pred) / api_math.maximum(K.abs(true), epsilon()))
    return 100.0 * K.mean(away, axis=-1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Tensor:
    true, pred = _pair(y_true, y_pred)
    first = K.log(api_math.maximum(pred, epsilon()) + 1.0)
    second = K.log(api_math.maximum(true, epsilon()) + 1.0)
    return K.mean(api_math.squared_difference(first, second), axis=-1)


def _signed(y_true: Tensor) -> Tensor:
    """Labels 0 and 1 as -1 and 1; others stay."""
    zero, one = api_math.equal(y_true, 0.0), api_math.equal(y_true, 1.0)
    binary = api_math.reduce_all(api_math.logical_or(zero, one))
    return F.select_v2(binary, 2.0 * y_true - 1.0, y_true)


def hinge(y_true: Any, y_pred: Any) -> Tensor:
    true, pred = _pair(y_true, y_pred)
    return K.mean(api_math.maximum(1.0 - _signed(true) * pred, 0.0), axis=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    true, pred = _pair(y_true, y_pred)
    return K.mean(K.square(api_math.maximum(1.0 - _signed(true) * pred, 0.0)), axis=-1)


def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    true, pred = _pair(y_true, y_pred)
    right = K.sum(true * pred, axis=-1)
    wrong = K.max((1.0 - true) * pred, axis=-1)
    return api_math.maximum(0.0, wrong - right + 1.0)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Tensor:
    """Squared below `delta`, linear above."""
    true, pred = _pair(y_true, y_pred)
    away = K.abs(pred - true)
    inner = 0.5 * K.square(away)
    outer = delta * away - 0.5 * delta * delta
    return K.mean(F.select_v2(api_math.less_equal(away, delta), inner, outer), axis=-1)


def logcosh(y_true: Any, y_pred: Any) -> Tensor:
    true, pred = _pair(y_true, y_pred)
    x = pred - true
    return K.mean(x + K.softplus(-2.0 * x) - math.log(2.0), axis=-1)


def _smooth(y_true: Tensor, label_smoothing: float, classes: Any) -> Tensor:
    if not label_smoothing:
        return y_true
    return y_true * (1.0 - label_smoothing) + label_smoothing / classes


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """For targets that are distributions (one-hot rows)."""
    true, pred = _pair(y_true, y_pred)
    if label_smoothing:
        count = (int_shape(pred) or (None,))[axis]
        classes: Any = count or K.cast(api_array.shape(pred)[axis], pred.dtype)
        true = _smooth(true, label_smoothing, classes)
    return nn.categorical_crossentropy(true, pred, from_logits, axis)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, axis: int = -1
) -> Tensor:
    """For targets that are numbers of classes."""
    return nn.sparse_categorical_crossentropy(y_true, y_pred, from_logits, axis)


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """For targets that are probabilities of truth."""
    true, pred = _pair(y_true, y_pred)
    true = _smooth(true, label_smoothing, 2.0)
    return K.mean(nn.binary_crossentropy(true, pred, from_logits), axis=axis)


def binary_focal_crossentropy(
    y_true: Any, y_pred: Any, apply_class_balancing: bool = False, alpha: float = 0.25,
    gamma: float = 2.0, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1,
) -> Tensor:
    """Binary crossentropy times (1 - the probability of what is right) ** gamma.

    Args:
        apply_class_balancing: whether truth counts alpha and falsehood 1 - alpha.
    """
    true, pred = _pair(y_true, y_pred)
    true = _smooth(true, label_smoothing, 2.0)
    p = K.sigmoid(pred) if from_logits else pred
    right = true * p + (1.0 - true) * (1.0 - p)
    loss = K.pow(1.0 - right, gamma) * nn.binary_crossentropy(true, p)
    if apply_class_balancing:
        loss = (true * alpha + (1.0 - true) * (1.0 - alpha)) * loss
    return K.mean(loss, axis=axis)


def kullback_leibler_divergence(y_true: Any, y_pred: Any) -> Tensor:
    true, pred = _pair(y_true, y_pred)
    true, pred = K.clip(true, epsilon(), 1.0), K.clip(pred, epsilon(), 1.0)
    return K.sum(true * K.log(true / pred), axis=-1)


def poisson(y_true: Any, y_pred: Any) -> Tensor:
    true, pred = _pair(y_true, y_pred)
    return K.mean(pred - true * K.log(pred + epsilon()), axis=-1)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """Minus the cosine of the angle."""
    true, pred = _pair(y_true, y_pred)
    normal = api_normalize.l2_normalize
    return -K.sum(normal(true, axis=axis) * normal(pred, axis=axis), axis=axis)


mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
kld = KLD = kl_divergence = kullback_leibler_divergence
cosine = cosine_proximity = cosine_similarity
log_cosh = logcosh
huber_loss = huber
bce = BCE = binary_crossentropy


# ------------------------------------------------------------------ classes
class Reduction:
    """How the losses of samples become one."""

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"

    @classmethod
    def all(cls) -> tuple[str, ...]:
        return (cls.AUTO, cls.NONE, cls.SUM, cls.SUM_OVER_BATCH_SIZE)

    @classmethod
    def validate(cls, key: str) -> None:
        """Raises ValueError: an unknown reduction."""
        if key not in cls.all():
            raise ValueError(f"Invalid Reduction Key {key}.")


def weighted(values: Tensor, weights: Any) -> Tensor:
    """Losses times weights, which may lack the last axes or have one more of extent 1."""
    if weights is None:
        return values
    weights = convert_to_tensor(weights)
    weights = weights if weights.dtype is values.dtype else K.cast(weights, values.dtype)
    if weights.rank is not None and values.rank is not None:
        if weights.rank == values.rank + 1:
            weights = api_array.squeeze(weights, [-1])
        for _ in range(values.rank - (weights.rank or 0) if weights.rank else 0):
            weights = api_array.expand_dims(weights, -1)
    return values * weights


def reduced(values: Tensor, reduction: str) -> Tensor:
    """The losses as the reduction says."""
    if reduction == Reduction.NONE:
        return values
    return K.sum(values) if reduction == Reduction.SUM else K.mean(values)


class Loss:
    """Base of loss classes: a subclass defines call(y_true, y_pred), one value a sample.

    Args:
        reduction: see Reduction. name: for reports.
    """

    def __init__(self, reduction: str = Reduction.AUTO, name: str | None = None) -> None:
        Reduction.validate(reduction)
        self.reduction, self.name = reduction, name

    def call(self, y_true: Any, y_pred: Any) -> Any:
        raise NotImplementedError("Must be implemented in subclasses.")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        """The loss of a batch; `sample_weight` scales the samples' losses."""
        values = convert_to_tensor(self.call(y_true, y_pred))
        return reduced(weighted(values, sample_weight), self.reduction)

    def get_config(self) -> dict[str, Any]:
        return {"reduction": self.reduction, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


class LossFunctionWrapper(Loss):
    """A loss function as a Loss; further arguments go to the function.

    Targets and predictions whose ranks differ by a last axis of extent 1 are made alike.
    """

    def __init__(
        self, fn: Callable[..., Any], reduction: str = Reduction.AUTO, name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(reduction, name)
        self.fn, self._fn_kwargs = fn, kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.fn(*alike(y_true, y_pred), **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._fn_kwargs}


def class_of(
    base: Any, class_name: str, fn: Callable[..., Any], doc: str, first: dict[str, Any],
    last: dict[str, Any], module: str,
) -> Any:
    """A subclass of `base` for one function.

    Args:
        first, last: the arguments of its constructor and their defaults, by position or by name
            and by name only.
    """
    kinds = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    parameters = [Parameter(k, kind, default=v) for kind, table in zip(kinds, (first, last))
                  for k, v in table.items()]  # fmt: skip
    signature = Signature(parameters)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as err:
            raise TypeError(f"{class_name}: {err}") from None
        bound.apply_defaults()
        base.__init__(self, fn, **bound.arguments)

    table = {"__init__": init, "__doc__": doc, "__module__": module, "__signature__": signature}
    return type(class_name, (base,), table)


def _class(
    class_name: str, fn: Callable[..., Any], doc: str, name: str = "",
    last: dict[str, Any] | None = None, **first: Any,
) -> Any:
    settings = {**first, "reduction": Reduction.AUTO, "name": name or fn.__name__}
    return class_of(LossFunctionWrapper, class_name, fn, doc, settings, last or {}, __name__)


_AXIS = {"axis": -1}
_LOGITS: dict[str, Any] = {"from_logits": False, "label_smoothing": 0.0}
MeanSquaredError = _class("MeanSquaredError", mean_squared_error, "mean((y_true - y_pred) ** 2).")
MeanAbsoluteError = _class(
    "MeanAbsoluteError", mean_absolute_error, "mean(abs(y_true - y_pred))."
)
MeanAbsolutePercentageError = _class(
    "MeanAbsolutePercentageError", mean_absolute_percentage_error,
    "100 mean(abs(y_true - y_pred) / abs(y_true)).",
)  # fmt: skip
MeanSquaredLogarithmicError = _class(
    "MeanSquaredLogarithmicError", mean_squared_logarithmic_error,
    "mean((log(y_true + 1) - log(y_pred + 1)) ** 2).",
)  # fmt: skip
Hinge = _class("Hinge", hinge, "mean(max(1 - y_true y_pred, 0)), labels -1 and 1 (or 0 and 1).")
SquaredHinge = _class("SquaredHinge", squared_hinge, "mean(max(1 - y_true y_pred, 0) ** 2).")
CategoricalHinge = _class("CategoricalHinge", categorical_hinge, "max(wrong - right + 1, 0).")
Poisson = _class("Poisson", poisson, "mean(y_pred - y_true log(y_pred)).")
LogCosh = _class("LogCosh", logcosh, "mean(log(cosh(y_pred - y_true))).")
KLDivergence = _class(
    "KLDivergence", kullback_leibler_divergence, "sum(y_true log(y_true / y_pred))."
)
Huber = _class("Huber", huber, "Squared below `delta`, linear above.", "huber_loss", delta=1.0)
CosineSimilarity = _class(
    "CosineSimilarity", cosine_similarity, "Minus the cosine of the angle along `axis`.", axis=-1
)
BinaryCrossentropy = _class(
    "BinaryCrossentropy", binary_crossentropy, "For targets that are probabilities of truth.",
    last=_AXIS, **_LOGITS,
)  # fmt: skip
BinaryFocalCrossentropy = _class(
    "BinaryFocalCrossentropy", binary_focal_crossentropy,
    "Binary crossentropy in which easy samples count less (Lin 2018).", last=_AXIS,
    apply_class_balancing=False, alpha=0.25, gamma=2.0, **_LOGITS,
)  # fmt: skip
CategoricalCrossentropy = _class(
    "CategoricalCrossentropy", categorical_crossentropy,
    "For targets that are distributions (one-hot rows).", last=_AXIS, **_LOGITS,
)  # fmt: skip
SparseCategoricalCrossentropy = _class(
    "SparseCategoricalCrossentropy", sparse_categorical_crossentropy,
    "For targets that are numbers of classes.", from_logits=False,
)  # fmt: skip


def is_sparse_loss(loss: Any) -> bool:
    """Whether the targets are numbers of classes."""
    return getattr(loss, "fn", loss) is sparse_categorical_crossentropy


def serialize(loss: Any) -> Any:
    """The function's name, or the configuration of a Loss."""
    return serialize_object(loss)


def deserialize(name: Any, custom_objects: Any = None) -> Any:
    """Raises ValueError: "Unknown loss function: ..."."""
    return deserialize_object(name, globals().get, custom_objects, "loss function")


def get(identifier: Any) -> Any:
    """A loss from its name, a configuration, None, or a callable itself.

    Raises:
        ValueError: an unknown name, or something else.
    """
    if identifier is None:
        return None
    if isinstance(identifier, str | dict):
        made = deserialize(identifier)
        return made() if isinstance(made, type) and issubclass(made, Loss) else made
    if callable(identifier):
        return identifier
    raise ValueError(f"Could not interpret loss function identifier: {identifier}")
