"""Feeds: from the user's feed_dict to arrays of the tensors' dtypes.

Lives here: keys (tensors, names, variables, nested tuples), conversion of values and TF1's checks.
Not here: fetches (fetches.py), the fast path of known feeds (session.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.fetches import composite_of
from graphc.ir.faults import called_at, made_at
from graphc.ir.graph import Graph
from graphc.ir.node import Tensor
from graphc.ops.convert import is_tensor_like

Array = np.ndarray[Any, Any]


def feed_items(graph: Graph, feed_dict: Mapping[Any, Any]) -> list[tuple[Tensor, Any, Any]]:
    """(tensor, value, key as the user gave it) for each tensor that is fed.

    Raises:
        TypeError: "Cannot interpret feed_dict key as Tensor: ...". ValueError: structures of a
        nested key and its value differ, or a tensor that may not be fed.
    """
    if not isinstance(feed_dict, Mapping):
        raise TypeError("input must be a dictionary")
    out: list[tuple[Tensor, Any, Any]] = []
    for key, value in feed_dict.items():
        for part, item in _flat_pairs(key, value):
            composite = composite_of(part)
            pairs = composite.feed(part, item) if composite is not None else [(part, item)]
            for leaf, leaf_value in pairs:
                tensor = key_tensor(graph, leaf)
                out.append((tensor, leaf_value, part))
    return out


def _flat_pairs(key: Any, value: Any) -> list[tuple[Any, Any]]:
    """A tuple of keys pairs with a structure of values of the same form."""
    if not isinstance(key, tuple):
        return [(key, value)]
    keys, values = _leaves(key), _leaves(value)
    if len(keys) != len(values):
        raise ValueError(
            f"Could not flatten dictionary. Key had {len(keys)} elements, but value had "
            f"{len(values)} elements. Key: {keys}, value: {values}."
        )
    return list(zip(keys, values, strict=True))


def _leaves(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        return [value]
    return [leaf for item in value for leaf in _leaves(item)]


def key_tensor(graph: Graph, key: Any) -> Tensor:
    """The tensor that a key of feed_dict names.

    Raises:
        TypeError: "Cannot interpret feed_dict key as Tensor: ...".
        ValueError: "Tensor ... may not be fed.".
    """
    try:
        tensor = graph.as_graph_element(key, allow_operation=False)
    except (TypeError, ValueError, KeyError) as err:
        text = err.args[0] if err.args else err
        where = made_at(key) if isinstance(key, Tensor) else ""
        raise TypeError(
            f"Cannot interpret feed_dict key as Tensor: {text}{where}{called_at()}"
        ) from None
    if not graph.is_feedable(tensor):
        raise ValueError(f"Tensor {tensor} may not be fed.{made_at(tensor)}{called_at()}")
    return tensor


def to_array(tensor: Tensor, value: Any, key: Any = None) -> Array:
    """The value as an array of the tensor's dtype; shapes are checked by check_shape.

    Raises:
        TypeError: a Tensor as value, or an int that the dtype cannot hold.
        ValueError: what NumPy cannot convert.
    """
    if is_tensor_like(value):
        raise TypeError(
            "The value of a feed cannot be a tf.Tensor object. Acceptable feed values include "
            "Python scalars, strings, lists, numpy ndarrays, or TensorHandles. For reference, the "
            f"tensor object was {value} which was passed to the feed with key "
            f"{tensor if key is None else key}.{made_at(tensor)}{called_at()}"
        )
    dtype = tensor.dtype.np
    if isinstance(value, int) and not _holds(dtype, value):
        raise _does_not_hold(tensor, value)
    if dtype.kind == "O":
        return _bytes_array(value)
    try:
        return np.asarray(value, dtype=dtype)
    except OverflowError:
        raise _does_not_hold(tensor, value) from None
    except (TypeError, ValueError) as err:
        kind = TypeError if isinstance(err, TypeError) else ValueError
        raise kind(
            f"Cannot feed this value for Tensor {tensor.name!r} of type {tensor.dtype.name}: {err}"
            f"{made_at(tensor)}{called_at()}"
        ) from None


def _does_not_hold(tensor: Tensor, value: Any) -> TypeError:
    return TypeError(
        f"Type of feed value {value} with type {type(value)} is not compatible with Tensor type "
        f"{tensor.dtype.np.type}. Try explicitly setting the type of the feed tensor to a larger "
        f"type (e.g. int64).{made_at(tensor)}{called_at()}"
    )


def _holds(dtype: np.dtype[Any], value: int) -> bool:
    if dtype.kind not in "iub":
        return dtype.kind != "f" or _float_holds(dtype, value)
    try:
        return bool(dtype.type(value) == value)
    except OverflowError:
        return False


def _float_holds(dtype: np.dtype[Any], value: int) -> bool:
    try:
        with np.errstate(over="ignore"):
            return bool(dtype.type(value) == value)
    except OverflowError:
        return False


def _bytes_array(value: Any) -> Array:
    """Strings are bytes inside the graph."""
    source = np.asarray(value, dtype=object)
    if all(isinstance(item, bytes) for item in source.reshape(-1)):
        return source
    out = np.empty(source.shape, dtype=object)
    for at, item in np.ndenumerate(source):
        out[at] = item if isinstance(item, bytes) else str(item).encode()
    return out


def check_shape(tensor: Tensor, shape: Sequence[int]) -> None:
    """Raises ValueError ("Cannot feed value of shape ...") against the static shape."""
    dims = tensor.dims
    if dims is None:
        return
    if len(dims) == len(shape) and all(
        d is None or d == s for d, s in zip(dims, shape, strict=True)
    ):
        return
    raise ValueError(
        f"Cannot feed value of shape {tuple(shape)!r} for Tensor {tensor.name!r}, which has "
        f"shape {str(tensor.get_shape())!r}{made_at(tensor)}{called_at()}"
    )
