"""Small functions of TensorFlow 1's last versions.

Lives here: tf.repeat, tf.switch_case, tf.recompute_grad and others that are made of older ones.
Not here: switches that do nothing (tf1/behavior.py), printing (tf1/printing.py).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.autodiff.indexed_slices import IndexedSlices
from graphc.ir.dtypes import int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1.api_gradients import custom_gradient
from graphc.tf1.arguments import static_int
from graphc.tf1.control_flow import case
from graphc.tf1.functional import map_fn
from graphc.tf1.scopes import control_dependencies, name_scope

__all__ = [
    "UnconnectedGradients", "VariableAggregation", "VariableSynchronization",
    "convert_to_tensor_or_indexed_slices", "dimension_at_index", "dimension_value",
    "grad_pass_through", "guarantee_const", "histogram_fixed_width_bins", "identity_n",
    "init_scope", "recompute_grad", "repeat", "switch_case", "vectorized_map",
]  # fmt: skip


class UnconnectedGradients(enum.Enum):
    """What tf.gradients gives where there is no path."""

    NONE = "none"
    ZERO = "zero"


class VariableSynchronization(enum.Enum):
    """Of variables on several devices; accepted, there is one."""

    AUTO = 0
    NONE = 1
    ON_WRITE = 2
    ON_READ = 3


class VariableAggregation(enum.Enum):
    """Of variables on several devices; accepted, there is one."""

    NONE = 0
    SUM = 1
    MEAN = 2
    ONLY_FIRST_REPLICA = 3
    ONLY_FIRST_TOWER = 3


# ------------------------------------------------------------------ arrays
def repeat(input: Any, repeats: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """Each entry of an axis so many times in a row (tf.repeat); flat without an axis.

    Args:
        repeats: a number, or one for each entry.

    Raises:
        ValueError: an unknown rank with an axis below zero.
    """
    with name_scope(name or "Repeat") as scope:
        x = convert_to_tensor(input)
        if axis is None:
            x, at = F.reshape(x, np.array([-1], np.int32)), 0
        else:
            at = static_int(axis, "axis")
            if at < 0 and x.rank is None:
                raise ValueError("the rank must be known for an axis that counts from the end")
            at = at % x.rank if x.rank is not None else at
        counts = F.cast(convert_to_tensor(repeats), dtype=int32)
        extent = F.shape(x)[at]
        counts = F.broadcast_to(counts, F.reshape(extent, np.array([1], np.int32)))
        ends = arrays.concat([F.cumsum(counts, axis=0, exclusive=False, reverse=False)], 0)
        places = F.range(0, F.reduce_sum(counts, axes=None, keepdims=False), 1)
        source = arrays.searchsorted(ends, places, side="right")
        return arrays.gather(x, source, axis=at, name=scope)


def histogram_fixed_width_bins(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = int32, name: str | None = None
) -> Tensor:
    """The number of the bin that each value falls into; those outside at the ends."""
    with name_scope(name or "histogram_fixed_width_bins") as scope:
        x = convert_to_tensor(values)
        low, high = F.unstack(convert_to_tensor(value_range, x.dtype), num=2, axis=0)
        count = F.cast(convert_to_tensor(nbins, int32), dtype=x.dtype)
        place = F.floor(count * ((x - low) / (high - low)))
        inside = F.minimum(F.maximum(place, F.zeros_like(place)), count - 1)
        return F.cast(inside, dtype=dtype, name=scope)


def identity_n(input: Sequence[Any], name: str | None = None) -> list[Tensor]:
    """The tensors again, as new ones (tf.identity_n)."""
    with name_scope(name or "IdentityN"):
        return [F.identity(convert_to_tensor(t)) for t in input]


def guarantee_const(input: Any, name: str | None = None) -> Tensor:
    """The tensor again: the compiler finds out by itself what is constant."""
    return F.identity(convert_to_tensor(input), name=name or "GuaranteeConst")


def convert_to_tensor_or_indexed_slices(
    value: Any, dtype: Any = None, name: str | None = None
) -> Any:
    """IndexedSlices pass as they are; all else becomes a tensor."""
    if isinstance(value, IndexedSlices):
        return value
    return convert_to_tensor(value, dtype, name)


def dimension_value(dimension: Any) -> int | None:
    """The number of a Dimension, or None (tf.dimension_value)."""
    found: int | None = getattr(dimension, "value", dimension)
    return found


def dimension_at_index(shape: Any, index: int) -> Any:
    """A shape's Dimension (tf.dimension_at_index); unknown where the rank is."""
    from graphc.ir.tensor_shape import Dimension

    return Dimension(None) if shape.ndims is None else shape.dims[index]


# ------------------------------------------------------------------ control and gradients
def switch_case(
    branch_index: Any, branch_fns: Any, default: Callable[[], Any] | None = None,
    name: str = "switch_case",
) -> Any:  # fmt: skip
    """The function with this number (tf.switch_case); `default` (or the last) for others.

    Args:
        branch_fns: a list of functions, a dict by number, or pairs (number, function).

    Raises:
        TypeError: something that cannot be called. ValueError: no functions.
    """
    if isinstance(branch_fns, Mapping):
        pairs = sorted(branch_fns.items())
    else:
        listed = list(branch_fns)
        pairs = [f if isinstance(f, tuple) else (k, f) for k, f in enumerate(listed)]
    if not pairs:
        raise ValueError("Must provide at least one item in branch_fns")
    for _, fn in pairs:
        if not callable(fn):
            raise TypeError(f"branch_fns must be callables, got {fn!r}")
    index = convert_to_tensor(branch_index, int32)
    last = default if default is not None else pairs[-1][1]
    if len(pairs) == 1 and default is None:
        return last()
    tested = pairs if default is not None else pairs[:-1]
    choices = [(F.equal(index, np.int32(k)), fn) for k, fn in tested]
    return case(choices, default=last, name=name)


def vectorized_map(fn: Callable[[Any], Any], elems: Any) -> Any:
    """`fn` of every row of elems (tf.vectorized_map): a loop, which is compiled."""
    from graphc.tf1 import nest

    first = nest.map_structure(lambda t: convert_to_tensor(t)[0], elems)
    kinds = nest.map_structure(lambda t: convert_to_tensor(t).dtype, fn(first))
    return map_fn(fn, elems, dtype=kinds)


def recompute_grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f` itself (tf.recompute_grad): the compiler decides what is kept for gradients."""
    return f


def grad_pass_through(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function with the value of `f` whose gradient is that of the identity."""

    @custom_gradient
    def passed(x: Any) -> tuple[Any, Callable[..., Any]]:
        def grad(*dy: Any, variables: Any = None) -> Any:
            back = dy[0] if len(dy) == 1 else dy
            return back if variables is None else (back, [None] * len(variables))

        return f(x), grad

    return passed


def init_scope() -> Any:
    """A scope without the control dependencies around it (tf.init_scope)."""
    return control_dependencies(None)
