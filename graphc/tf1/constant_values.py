"""Values that are known while a graph is built: tf.contrib.util.constant_value.

Lives here: constant_value, constant_value_as_shape. Not here: TensorProtos (tf1/graph_io.py).
Imports ops.values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.values import value_of

__all__ = ["constant_value", "constant_value_as_shape"]


def constant_value(tensor: Any, partial: bool = False) -> Any:
    """The tensor's value as an array where it follows from constants and shapes, else None.

    Args:
        partial: elements that are not known are None, in an array of objects.
    """
    if not isinstance(tensor, Tensor):
        return np.asarray(tensor)
    known = value_of(tensor)
    if known is None:
        return None
    if known.dtype != object or tensor.dtype.name == "string":
        return np.array(known)
    plain = [v if isinstance(v, int | float) else None for v in known.reshape(-1).tolist()]
    if None not in plain:
        return np.array(plain, tensor.dtype.np).reshape(known.shape)
    return np.array(plain, object).reshape(known.shape) if partial else None


def constant_value_as_shape(tensor: Tensor) -> TensorShape:
    """The shape that a vector of integers stands for, as far as it is known."""
    known = constant_value(tensor, partial=True)
    if known is None:
        dims = tensor.get_shape().with_rank(1)[0].value
        return TensorShape(None if dims is None else [None] * dims)
    values = known.tolist()
    return TensorShape([None if v is None or v < 0 else int(v) for v in values])
