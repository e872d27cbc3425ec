"""tf.keras.activations: functions by which layers transform their outputs.

Lives here: the functions, get, serialize, deserialize. Imports keras.core.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.core.objects import deserialize_object
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "deserialize", "elu", "exponential", "gelu", "get", "hard_sigmoid", "linear", "relu", "selu",
    "serialize", "sigmoid", "softmax", "softplus", "softsign", "swish", "tanh",
]  # fmt: skip

hard_sigmoid, softplus, softsign = K.hard_sigmoid, K.softplus, K.softsign
sigmoid, tanh, selu, elu, relu = K.sigmoid, K.tanh, K.selu, K.elu, K.relu


def softmax(x: Any, axis: int = -1) -> Tensor:
    """exp(x) / sum(exp(x)) along `axis`.

    Raises:
        ValueError: a tensor of rank 1.
    """
    x = convert_to_tensor(x)
    if x.rank == 1:
        raise ValueError(f"Cannot apply softmax to a tensor that is 1D. Received input: {x}")
    return K.softmax(x, axis)


def exponential(x: Any) -> Tensor:
    return K.exp(x)


def linear(x: Any) -> Any:
    """x itself."""
    return x


def swish(x: Any) -> Tensor:
    """x * sigmoid(x)."""
    x = K.floatx_tensor(x)
    return x * K.sigmoid(x)


def gelu(x: Any, approximate: bool = False) -> Tensor:
    """x * P(X <= x) for a standard normal X."""
    from graphc.tf1.api_nn import gelu as inner

    return inner(K.floatx_tensor(x), approximate)


silu = swish


def serialize(activation: Any) -> Any:
    """The function's name, or the configuration of a layer used as activation."""
    if hasattr(activation, "get_config"):
        return {"class_name": type(activation).__name__, "config": activation.get_config()}
    return getattr(activation, "__name__", None)


def deserialize(name: Any, custom_objects: Any = None) -> Any:
    """Raises ValueError: "Unknown activation function: ..."."""
    return deserialize_object(name, _named, custom_objects, "activation function")


def _named(name: str) -> Any:
    value = globals().get(name)
    return value if name in __all__ or name == "silu" else _layer(name)


def _layer(name: str) -> Any:
    from graphc.keras import layers

    return getattr(layers, name) if name[:1].isupper() and hasattr(layers, name) else None


def get(identifier: Any) -> Any:
    """A function from its name, None (linear), or a callable itself.

    Raises:
        ValueError: an unknown name. TypeError: no name and not callable.
    """
    if identifier is None:
        return linear
    if isinstance(identifier, str | dict):
        return deserialize(identifier)
    if callable(identifier):
        return identifier
    raise TypeError(f"Could not interpret activation function identifier: {identifier!r}")
