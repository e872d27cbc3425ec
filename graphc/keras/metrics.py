"""tf.keras.metrics: what is reported beside the loss.

Lives here: the public names, metric classes made from functions, get. Not here: state
(engine/metric_base.py), counts (engine/metric_confusion.py).
"""

from __future__ import annotations

from typing import Any

from graphc.keras import losses as _losses
from graphc.keras.core.objects import deserialize_object, serialize_object
from graphc.keras.engine import metric_functions as _functions
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
    Recall,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from graphc.keras.engine.metric_functions import (
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from graphc.keras.losses import (
    binary_crossentropy,
    categorical_crossentropy,
    categorical_hinge,
    cosine_proximity,
    hinge,
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
    "Precision", "Recall", "RootMeanSquaredError", "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy", "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity", "SquaredHinge", "Sum", "TopKCategoricalAccuracy", "TrueNegatives",
    "TruePositives", "accuracy", "binary_accuracy", "binary_crossentropy", "categorical_accuracy",
    "categorical_crossentropy", "categorical_hinge", "cosine_proximity", "deserialize", "get",
    "hinge", "kullback_leibler_divergence", "logcosh", "mae", "mape", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error",
    "mse", "msle", "poisson", "serialize", "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy", "sparse_top_k_categorical_accuracy", "squared_hinge",
    "top_k_categorical_accuracy",
]  # fmt: skip

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
cosine = cosine_similarity = cosine_proximity
acc = accuracy

Accuracy = wrapped("Accuracy", accuracy, "accuracy", "How often both are equal.")
BinaryAccuracy = wrapped(
    "BinaryAccuracy", binary_accuracy, "binary_accuracy", "How often the side is right."
)
CategoricalAccuracy = wrapped(
    "CategoricalAccuracy", categorical_accuracy, "categorical_accuracy",
    "How often the class is right, for one-hot rows.",
)  # fmt: skip
SparseCategoricalAccuracy = wrapped(
    "SparseCategoricalAccuracy", sparse_categorical_accuracy, "sparse_categorical_accuracy",
    "How often the class is right, for numbers of classes.",
)  # fmt: skip
TopKCategoricalAccuracy = wrapped(
    "TopKCategoricalAccuracy", top_k_categorical_accuracy, "top_k_categorical_accuracy",
    "How often the class is among the k most probable.",
)  # fmt: skip
SparseTopKCategoricalAccuracy = wrapped(
    "SparseTopKCategoricalAccuracy", sparse_top_k_categorical_accuracy,
    "sparse_top_k_categorical_accuracy", "How often the class is among the k most probable.",
)  # fmt: skip


def _of_loss(class_name: str, fn: Any, name: str) -> Any:
    return wrapped(class_name, fn, name, f"The mean of {name} over all samples.")


MeanSquaredError = _of_loss("MeanSquaredError", mean_squared_error, "mean_squared_error")
MeanAbsoluteError = _of_loss("MeanAbsoluteError", mean_absolute_error, "mean_absolute_error")
MeanAbsolutePercentageError = _of_loss(
    "MeanAbsolutePercentageError", mean_absolute_percentage_error, "mean_absolute_percentage_error"
)
MeanSquaredLogarithmicError = _of_loss(
    "MeanSquaredLogarithmicError", mean_squared_logarithmic_error, "mean_squared_logarithmic_error"
)
Hinge = _of_loss("Hinge", hinge, "hinge")
SquaredHinge = _of_loss("SquaredHinge", squared_hinge, "squared_hinge")
CategoricalHinge = _of_loss("CategoricalHinge", categorical_hinge, "categorical_hinge")
LogCoshError = _of_loss("LogCoshError", logcosh, "logcosh")
Poisson = _of_loss("Poisson", poisson, "poisson")
KLDivergence = _of_loss(
    "KLDivergence", kullback_leibler_divergence, "kullback_leibler_divergence"
)
CosineSimilarity = _of_loss(
    "CosineSimilarity", _functions.cosine_proximity_metric, "cosine_similarity"
)
BinaryCrossentropy = wrapped(
    "BinaryCrossentropy", binary_crossentropy, "binary_crossentropy",
    "The mean of binary_crossentropy over all samples.",
)  # fmt: skip
CategoricalCrossentropy = _of_loss(
    "CategoricalCrossentropy", categorical_crossentropy, "categorical_crossentropy"
)
SparseCategoricalCrossentropy = _of_loss(
    "SparseCategoricalCrossentropy", sparse_categorical_crossentropy,
    "sparse_categorical_crossentropy",
)  # fmt: skip


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
