"""tf.keras.metrics: what is reported beside the loss.

Lives here: the public names, metric classes made from functions, get. Not here: state
(engine/metric_base.py), counts (engine/metric_confusion.py).
"""

from __future__ import annotations

from typing import Any

from graphc.keras import losses as _losses
from graphc.keras.core.objects import deserialize_object, serialize_object
from graphc.keras.engine.metric_base import (
    Mean,
    MeanMetricWrapper,
    MeanRelativeError,
    MeanTensor,
    Metric,
    RootMeanSquaredError,
    Sum,
    wrapped,
)
from graphc.keras.engine.metric_confusion import (
    AUC,
    FalseNegatives,
    FalsePositives,
    MeanIoU,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from graphc.keras.engine.metric_functions import (
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    cosine_proximity,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from graphc.keras.losses import (
    binary_crossentropy,
    categorical_crossentropy,
    categorical_hinge,
    hinge,
    kl_divergence,
    kld,
    kullback_leibler_divergence,
    logcosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)

__all__ = [
    "AUC", "Accuracy", "BinaryAccuracy", "BinaryCrossentropy", "CategoricalAccuracy",
    "CategoricalCrossentropy", "CategoricalHinge", "CosineSimilarity", "FalseNegatives",
    "FalsePositives", "Hinge", "KLDivergence", "LogCoshError", "Mean", "MeanAbsoluteError",
    "MeanAbsolutePercentageError", "MeanIoU", "MeanMetricWrapper", "MeanRelativeError",
    "MeanSquaredError", "MeanSquaredLogarithmicError", "MeanTensor", "Metric", "Poisson",
    "Precision", "PrecisionAtRecall", "Recall", "RecallAtPrecision", "RootMeanSquaredError",
    "SensitivityAtSpecificity", "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy", "SpecificityAtSensitivity", "SquaredHinge", "Sum",
    "TopKCategoricalAccuracy", "TrueNegatives", "TruePositives", "accuracy", "binary_accuracy",
    "binary_crossentropy", "categorical_accuracy", "categorical_crossentropy",
    "categorical_hinge", "cosine_proximity", "cosine_similarity", "deserialize", "get", "hinge",
    "kl_divergence", "kld", "kullback_leibler_divergence", "logcosh", "mae", "mape",
    "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error",
    "mean_squared_logarithmic_error", "mse", "msle", "poisson", "serialize",
    "sparse_categorical_accuracy", "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy", "squared_hinge", "top_k_categorical_accuracy",
]  # fmt: skip

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
cosine = cosine_similarity = cosine_proximity
acc = accuracy

_LOGITS: dict[str, Any] = {"from_logits": False, "label_smoothing": 0.0}


def _of(class_name: str, fn: Any, doc: str = "", name: str = "", **settings: Any) -> Any:
    """The class of a function's mean; `settings` come after name and dtype, by name."""
    shown = name or fn.__name__
    return wrapped(class_name, fn, shown, doc or f"The mean of {shown} over all samples.", settings)


_TOP = "How often the class is among the k most probable."
Accuracy = _of("Accuracy", accuracy, "How often both are equal.")
BinaryAccuracy = _of("BinaryAccuracy", binary_accuracy, "How often the side is right.",
                     threshold=0.5)  # fmt: skip
CategoricalAccuracy = _of("CategoricalAccuracy", categorical_accuracy,
                          "How often the class is right, for one-hot rows.")  # fmt: skip
SparseCategoricalAccuracy = _of("SparseCategoricalAccuracy", sparse_categorical_accuracy,
                                "How often the class is right, for numbers.")  # fmt: skip
TopKCategoricalAccuracy = wrapped(
    "TopKCategoricalAccuracy", top_k_categorical_accuracy, "top_k_categorical_accuracy", _TOP,
    {}, {"k": 5},
)  # fmt: skip
SparseTopKCategoricalAccuracy = wrapped(
    "SparseTopKCategoricalAccuracy", sparse_top_k_categorical_accuracy,
    "sparse_top_k_categorical_accuracy", _TOP, {}, {"k": 5},
)  # fmt: skip
MeanSquaredError = _of("MeanSquaredError", mean_squared_error)
MeanAbsoluteError = _of("MeanAbsoluteError", mean_absolute_error)
MeanAbsolutePercentageError = _of("MeanAbsolutePercentageError", mean_absolute_percentage_error)
MeanSquaredLogarithmicError = _of("MeanSquaredLogarithmicError", mean_squared_logarithmic_error)
Hinge, SquaredHinge = _of("Hinge", hinge), _of("SquaredHinge", squared_hinge)
CategoricalHinge = _of("CategoricalHinge", categorical_hinge)
LogCoshError, Poisson = _of("LogCoshError", logcosh), _of("Poisson", poisson)
KLDivergence = _of("KLDivergence", kullback_leibler_divergence)
CosineSimilarity = _of("CosineSimilarity", cosine_proximity, name="cosine_similarity", axis=-1)
BinaryCrossentropy = _of("BinaryCrossentropy", binary_crossentropy, **_LOGITS)
CategoricalCrossentropy = _of("CategoricalCrossentropy", categorical_crossentropy, **_LOGITS)
SparseCategoricalCrossentropy = _of(
    "SparseCategoricalCrossentropy", sparse_categorical_crossentropy, from_logits=False
)


def serialize(metric: Any) -> Any:
    return serialize_object(metric)


def _named(name: str) -> Any:
    return globals().get(name) or getattr(_losses, name, None)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """Raises ValueError: "Unknown metric function: ..."."""
    return deserialize_object(config, _named, custom_objects, "metric function")


def get(identifier: Any) -> Any:
    """A metric from its name, a configuration, or a callable itself.

    Raises:
        ValueError: an unknown name, or something else.
    """
    if isinstance(identifier, str | dict):
        made = deserialize(identifier)
        return made() if isinstance(made, type) else made
    if callable(identifier):
        return identifier
    raise ValueError(f"Could not interpret metric function identifier: {identifier}")
