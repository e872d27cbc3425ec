"""tf.keras.layers.Embedding. Imports keras.engine."""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.engine.base_layer import Layer
from graphc.keras.layers.core import described, settle
from graphc.tf1 import api_index, api_math

__all__ = ["Embedding"]


class Embedding(Layer):
    """Rows of a table by number.

    Args:
        input_dim: rows. output_dim: columns. mask_zero: number 0 stands for padding; it is masked.
        input_length: of the sequences, where it is fixed.
    """

    _input_dtype = "int32"

    def __init__(
        self, input_dim: int, output_dim: int, embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None, activity_regularizer: Any = None,
        embeddings_constraint: Any = None, mask_zero: bool = False,
        input_length: Any = None, **kwargs: Any,
    ) -> None:
        if "input_shape" not in kwargs and "batch_input_shape" not in kwargs:
            lengths = input_length if isinstance(input_length, list | tuple) else [input_length]
            kwargs["input_shape"] = tuple(lengths)
        embeddings_initializer = kwargs.pop("init", embeddings_initializer)
        kwargs.pop("sparse", None)  # rows are looked up one by one anyway
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.input_dim, self.output_dim = int(input_dim), int(output_dim)
        settle(self, {
            "embeddings_initializer": embeddings_initializer,
            "embeddings_regularizer": embeddings_regularizer,
            "embeddings_constraint": embeddings_constraint,
        })  # fmt: skip
        self.mask_zero = self.supports_masking = mask_zero
        self.input_length = input_length

    def build(self, input_shape: Any) -> None:
        if self._dtype is None or not self._dtype.startswith(("float", "bfloat")):
            self._dtype = None
        self.embeddings = self.add_weight(
            "embeddings", (self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer, regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )  # fmt: skip
        self.built = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return api_math.not_equal(inputs, 0) if self.mask_zero else None

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        if not inputs.dtype.is_integer:
            inputs = K.cast(inputs, "int32")
        return api_index.embedding_lookup(self.embeddings, inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **described(
            self, "input_dim output_dim embeddings_initializer embeddings_regularizer "
            "activity_regularizer embeddings_constraint mask_zero input_length",
        )}  # fmt: skip
