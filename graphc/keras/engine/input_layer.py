"""Where data enter a model: Input and InputLayer. Imports keras.core and tf1."""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Tensor
from graphc.keras.core.arrays import int_shape
from graphc.keras.core.config import floatx
from graphc.keras.core.session import get_uid
from graphc.keras.engine.base_layer import Layer
from graphc.keras.engine.nodes import Node, unpack
from graphc.tf1.framework import placeholder

__all__ = ["Input", "InputLayer"]


class InputLayer(Layer):
    """The first layer of a model: a placeholder, or a tensor of the user's.

    Args:
        input_shape: without the batch. batch_size, dtype, name. input_tensor: used instead of a
            new placeholder. sparse: data may be SciPy's sparse matrices; each batch of them becomes
            a dense array, which is what the graph computes with.

    Raises:
        ValueError: neither a shape nor a tensor, or both shapes.
    """

    def __init__(
        self, input_shape: Any = None, batch_size: int | None = None, dtype: Any = None,
        input_tensor: Any = None, sparse: bool = False, name: str | None = None, **kwargs: Any,
    ) -> None:
        batch_shape = kwargs.pop("batch_input_shape", None)
        if kwargs.pop("ragged", False):
            raise ValueError("ragged inputs are not supported: pad them (keras.preprocessing."
                             "sequence.pad_sequences) and mask the padding")  # fmt: skip
        if batch_shape is not None and input_shape is not None:
            raise ValueError(
                "Only provide the input_shape OR batch_input_shape argument to InputLayer, not "
                "both at the same time."
            )
        super().__init__(name=name or f"input_{get_uid('input')}", dtype=dtype, **kwargs)
        if batch_shape is not None:
            shape: Any = tuple(batch_shape)
        elif input_shape is not None:
            inner = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
            shape = (batch_size, *inner)
        else:
            shape = int_shape(input_tensor) if input_tensor is not None else None
        self.is_placeholder = input_tensor is None
        if input_tensor is None:
            if shape is None:
                raise ValueError(
                    "An Input layer should be passed either a `batch_input_shape` or an "
                    "`input_shape`."
                )
            self._dtype = as_dtype(dtype or floatx()).name
            input_tensor = placeholder(self._dtype, list(shape), self.name)
        else:
            if not isinstance(input_tensor, Tensor):
                input_tensor = input_tensor._as_graph_element()
            self._dtype = input_tensor.dtype.name
            # one that can be fed is fed, as any placeholder
            self.is_placeholder = input_tensor.node.op.name == "placeholder"
        self._batch_input_shape = shape
        self.sparse = bool(sparse)
        self.built = True
        Node(self, [input_tensor], [input_tensor])
        self.input_tensor = input_tensor

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_input_shape": self._batch_input_shape, "dtype": self._dtype,
            "sparse": self.sparse, "name": self.name,
        }  # fmt: skip


def Input(
    shape: Any = None, batch_size: int | None = None, name: str | None = None, dtype: Any = None,
    sparse: bool = False, tensor: Any = None, **kwargs: Any,
) -> Any:
    """A tensor through which data enter a model.

    Args:
        shape: without the batch; an int stands for one axis. batch_size: fixed where given.
        tensor: used instead of a new placeholder. batch_shape: with the batch.

    Raises:
        ValueError: neither `shape` nor `batch_shape` nor `tensor`. TypeError: unknown arguments.
    """
    batch_shape = kwargs.pop("batch_shape", None)
    ragged = kwargs.pop("ragged", False)
    if shape is not None and batch_shape is not None:
        raise ValueError(
            "Only provide the `shape` OR `batch_shape` argument to Input, not both at once."
        )
    if kwargs:
        raise TypeError(f"Unrecognized keyword arguments: {', '.join(kwargs)}")
    if shape is None and batch_shape is None and tensor is None:
        raise ValueError(
            "Please provide to Input either a `shape` or a `tensor` argument. Note that `shape` "
            "does not include the batch dimension."
        )
    where: dict[str, Any] = (
        {"batch_input_shape": tuple(batch_shape)}
        if batch_shape is not None
        else {"input_shape": shape, "batch_size": batch_size}
    )
    layer = InputLayer(
        name=name, dtype=dtype, sparse=sparse, input_tensor=tensor, ragged=ragged, **where
    )
    return unpack(layer._inbound_nodes[0].output_tensors)
