"""tf.keras.optimizers: how weights change by gradients.

Lives here: the public names, get, serialize, deserialize. Not here: the rules (rules.py).
"""

from __future__ import annotations

from typing import Any

from graphc.keras.core.objects import deserialize_object
from graphc.keras.engine.optimizer_base import Optimizer
from graphc.keras.optimizers import legacy, schedules
from graphc.keras.optimizers.rules import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Nadam,
    RMSprop,
    TFOptimizer,
)

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Nadam", "Optimizer",
    "RMSprop", "TFOptimizer", "deserialize", "get", "legacy", "schedules", "serialize",
]  # fmt: skip

sgd, rmsprop, adagrad, adadelta = SGD, RMSprop, Adagrad, Adadelta
adam, adamax, nadam, adamw, ftrl = Adam, Adamax, Nadam, AdamW, Ftrl


def _named(name: str) -> Any:
    return globals().get(name) or globals().get(name.lower())


def serialize(optimizer: Any) -> dict[str, Any]:
    """{"class_name", "config"}."""
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """Raises ValueError: "Unknown optimizer: ..."."""
    return deserialize_object(config, _named, custom_objects, "optimizer")


def get(identifier: Any) -> Any:
    """An optimizer from its name, a configuration, an object of tf.train, or itself.

    Raises:
        ValueError: anything else.
    """
    from graphc.tf1.optimizer_base import Optimizer as TrainOptimizer

    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, TrainOptimizer):
        return TFOptimizer(identifier)
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        return deserialize({"class_name": identifier, "config": {}})
    raise ValueError(f"Could not interpret optimizer identifier: {identifier}")
