"""tf.keras.layers.DenseFeatures: columns of tf.feature_column as a layer. Imports keras.engine."""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core.session import track_variable
from graphc.keras.engine.base_layer import Layer
from graphc.tf1.feature_column_base import DenseColumn
from graphc.tf1.feature_column_model import checked_columns, input_layer
from graphc.tf1.variable_scope import AUTO_REUSE, variable_scope

__all__ = ["DenseFeatures"]


class DenseFeatures(Layer):
    """[batch, width]: dense columns side by side, by their names.

    It is called on a dict of tensors, by the columns' keys.

    Args:
        feature_columns: one or several, of tf.feature_column.

    Raises:
        ValueError: a column that is not dense; features that are missing.
    """

    _takes_sparse = True

    def __init__(
        self, feature_columns: Any, trainable: bool = True, name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(trainable=trainable, name=name, **kwargs)
        self._columns = checked_columns(feature_columns)
        for column in self._columns:
            if not isinstance(column, DenseColumn):
                raise ValueError(
                    f"Layer {self.name}: {column} is no dense column. You can wrap a categorical "
                    f"column with an embedding_column or indicator_column.{self._whence()}"
                )

    def build(self, input_shape: Any) -> None:
        if not isinstance(input_shape, dict):
            raise ValueError(
                f"Layer {self.name} is called on a dict of features by name{self._whence()}"
            )
        self.built = True

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        found: dict[Any, Any] = {}
        with variable_scope(self._scope_name(), reuse=AUTO_REUSE, auxiliary_name_scope=False):
            out = input_layer(inputs, self._columns, cols_to_vars=found)
        for variable in (v for listed in found.values() for v in listed):
            known = [*self._trainable_weights, *self._non_trainable_weights]
            if all(variable is not k for k in known):
                track_variable(variable)
                own = self._trainable_weights if variable.trainable else self._non_trainable_weights
                own.append(variable)
        return out

    def get_config(self) -> dict[str, Any]:
        """Raises NotImplementedError: columns are no configuration."""
        raise NotImplementedError(
            f"{self.name}: feature columns cannot be written to a configuration; make the layer "
            "anew and load its weights"
        )
