"""tf.contrib.util: values of tensors in Python. Names are imported when they are first used."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.constant_values": "constant_value constant_value_as_shape",
        "graphc.tf1.graph_io": "make_ndarray make_tensor_proto",
    },
)
_missing = missing("tf.contrib.util")


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
