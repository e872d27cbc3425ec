"""What the metrics of tf.metrics share: their variables, quotients, collections.

Lives here: metric_variable and helpers. Not here: the metrics (tf1/metrics_*.py). Imported by them
alone.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import DType, bool_, float32
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.losses_weights import (
    broadcast_weights,
    check_same_shape,
    squeeze_to_match,
    squeeze_weights,
)
from graphc.tf1.losses_weights import to_float as to_float
from graphc.tf1.variables import Variable

ALL: dict[str, Any] = {"axes": None, "keepdims": False}
Metric = tuple[Tensor, Tensor]


def metric_variable(shape: Any, dtype: DType, name: str) -> Variable:
    """Zeros in LOCAL_VARIABLES and METRIC_VARIABLES, not trainable."""

    from graphc.tf1.api_create import zeros

    keys = [GraphKeys.LOCAL_VARIABLES, GraphKeys.METRIC_VARIABLES]
    return Variable(lambda: zeros(shape, dtype), trainable=False, collections=keys, name=name)


def total(x: Tensor) -> Tensor:
    """The sum of all elements."""
    return F.reduce_sum(x, **ALL)


def quotient(numerator: Any, denominator: Any, name: str | None) -> Tensor:
    """numerator / denominator, and 0 where the denominator is not positive."""
    below = convert_to_tensor(denominator)
    zero = constant_tensor(0, below.dtype, graph=below.graph)
    return F.div_no_nan(convert_to_tensor(numerator), F.maximum(below, zero), name=name)


def collect(value: Any, update: Any, values_to: Any, updates_to: Any) -> None:
    """Adds value and update op to the collections that the user names."""
    graph = get_default_graph()
    if values_to:
        graph.add_to_collections(values_to, value)
    if updates_to:
        graph.add_to_collections(updates_to, update)


def matched(labels: Any, predictions: Any, weights: Any) -> tuple[Tensor, Tensor, Tensor | None]:
    """The three with equal ranks: a last axis of extent 1 is dropped where it is one too many.

    Raises:
        ValueError: "Shapes (2, 3) and (2,) are incompatible".
    """
    p = convert_to_tensor(predictions)
    y, p = squeeze_to_match(convert_to_tensor(labels, graph=p.graph), p)
    check_same_shape(p, y)
    return y, p, None if weights is None else squeeze_weights(weights, p)


def as_bool(x: Any) -> Tensor:
    tensor = convert_to_tensor(x)
    return tensor if tensor.dtype is bool_ else F.cast(tensor, dtype=bool_)


def flat(x: Tensor) -> Tensor:
    """As one axis."""
    from graphc.tf1.api_array import reshape

    return x if x.rank == 1 else reshape(x, [-1])


def spread(weights: Any, values: Tensor, dtype: DType = float32) -> Tensor:
    """Weights of the values' shape. Raises ValueError where they cannot be broadcast."""
    given = convert_to_tensor(weights, graph=values.graph)
    return broadcast_weights(F.cast(given, dtype=dtype) if given.dtype is not dtype else given,
                             values)  # fmt: skip
