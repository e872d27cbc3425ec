"""tf.keras.optimizers.legacy: the optimizers under the path that newer programs use."""

from __future__ import annotations

from graphc.keras.engine.optimizer_base import Optimizer
from graphc.keras.optimizers.rules import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    Ftrl,
    Nadam,
    RMSprop,
)

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "Adamax", "Ftrl", "Nadam", "Optimizer", "RMSprop",
]  # fmt: skip
