"""TF1's reductions: tf.reduce_sum to tf.count_nonzero, argmax, running sums.

Lives here: the functions with TF1's arguments and their deprecated names (reduction_indices,
keep_dims, dimension). Not here: records (ops/reduce.py, ops/math.py). Imports ops. Users find
these names in graphc; tf1/api_math.py exports them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.dtypes import DType, as_dtype, int64
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F, OpDef
from graphc.tf1.arguments import renamed, static_int, static_ints

__all__ = [
    "argmax", "argmin", "count_nonzero", "cumprod", "cumsum", "reduce_all", "reduce_any",
    "reduce_euclidean_norm", "reduce_logsumexp", "reduce_max", "reduce_mean", "reduce_min",
    "reduce_prod", "reduce_std", "reduce_sum", "reduce_variance",
]  # fmt: skip


def reduction_attrs(
    axis: Any, keepdims: Any, reduction_indices: Any = None, keep_dims: Any = None
) -> dict[str, Any]:
    """The attributes of a reduction record from TF1's arguments.

    Raises:
        ValueError: an argument together with its deprecated name, or an axis twice.
    """
    axis = renamed("reduction_indices", reduction_indices, "axis", axis)
    keepdims = renamed("keep_dims", keep_dims, "keepdims", keepdims)
    axes = None if axis is None else static_ints(axis, "axis")
    if axes is not None and len(set(axes)) < len(axes):
        raise ValueError(f"Invalid reduction arguments: Axes contains duplicate dimension: {axes}")
    return {"axes": axes, "keepdims": bool(keepdims)}


def _reduction(record: str, doc: str) -> Callable[..., Tensor]:
    def reduce(
        input_tensor: Any,
        axis: Any = None,
        keepdims: Any = None,
        name: str | None = None,
        reduction_indices: Any = None,
        keep_dims: Any = None,
    ) -> Tensor:
        x = convert_to_tensor(input_tensor)
        attrs = reduction_attrs(axis, keepdims, reduction_indices, keep_dims)
        return getattr(F, record)(x, name=name, **attrs)

    reduce.__name__ = reduce.__qualname__ = record
    reduce.__doc__ = f"""{doc}

    Args:
        axis: an int or a list of ints, known when the graph is built; None reduces all axes.
        keepdims: keep the reduced axes with extent 1.
        reduction_indices, keep_dims: deprecated names of axis and keepdims.

    Raises:
        ShapeError: an axis outside the rank ("Invalid reduction dimension").
    """
    return reduce


reduce_sum = _reduction("reduce_sum", "The sum over axes (tf.reduce_sum); 0 of no elements.")
reduce_mean = _reduction(
    "reduce_mean", "The mean over axes; of integers an integer, rounded towards zero."
)
reduce_prod = _reduction("reduce_prod", "The product over axes; 1 of no elements.")
reduce_max = _reduction("reduce_max", "The largest element over axes; a NaN wins.")
reduce_min = _reduction("reduce_min", "The smallest element over axes; a NaN wins.")
reduce_any = _reduction("reduce_any", "Whether any element over axes is true.")
reduce_all = _reduction("reduce_all", "Whether all elements over axes are true.")
reduce_logsumexp = _reduction(
    "reduce_logsumexp", "log(sum(exp(x))) over axes, without overflow."
)
reduce_variance = _reduction(
    "reduce_variance", "The mean squared distance from the mean over axes."
)
reduce_euclidean_norm = _reduction("euclidean_norm", "The root of the sum of squares over axes.")


def reduce_std(
    input_tensor: Any, axis: Any = None, keepdims: Any = None, name: str | None = None
) -> Tensor:
    """The root of the variance over axes (tf.math.reduce_std)."""
    return F.sqrt(reduce_variance(input_tensor, axis, keepdims), name=name)


def count_nonzero(
    input_tensor: Any,
    axis: Any = None,
    keepdims: Any = None,
    dtype: Any = int64,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: Any = None,
) -> Tensor:
    """The number of elements over axes that are not 0 (tf.count_nonzero)."""
    x = convert_to_tensor(input_tensor)
    attrs = reduction_attrs(axis, keepdims, reduction_indices, keep_dims)
    with x.graph.name_scope(name or "count_nonzero"):
        nonzero = x if x.dtype.is_bool else F.not_equal(x, F.zeros_like(x))
        total = F.reduce_sum(F.cast(nonzero, dtype=int64), **attrs)
        wanted = as_dtype(dtype)
        return total if wanted is int64 else F.cast(total, dtype=wanted)


def _position(
    record: OpDef, x: Any, axis: Any, dimension: Any, output_type: Any, name: str | None
) -> Tensor:
    axis = renamed("dimension", dimension, "axis", axis)
    wanted = as_dtype(output_type)
    attrs: dict[str, DType] = {} if wanted is int64 else {"output_type": wanted}
    at = 0 if axis is None else static_int(axis, "axis")
    return record(convert_to_tensor(x), axis=at, name=name, **attrs)


def argmax(
    input: Any,
    axis: Any = None,
    name: str | None = None,
    dimension: Any = None,
    output_type: Any = int64,
) -> Tensor:
    """The position of the largest element along an axis, the first of equal ones (tf.argmax).

    Raises:
        InvalidArgumentError (when run): the axis has no elements.
    """
    return _position(F.argmax, input, axis, dimension, output_type, name)


def argmin(
    input: Any,
    axis: Any = None,
    name: str | None = None,
    dimension: Any = None,
    output_type: Any = int64,
) -> Tensor:
    """The position of the smallest element along an axis, the first of equal ones (tf.argmin)."""
    return _position(F.argmin, input, axis, dimension, output_type, name)


def cumsum(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """Running sums along an axis (tf.cumsum).

    Args:
        exclusive: element i is the sum of those before it. reverse: from the end.
    """
    attrs = {"axis": static_int(axis, "axis"), "exclusive": exclusive, "reverse": reverse}
    return F.cumsum(convert_to_tensor(x), name=name, **attrs)


def cumprod(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """Running products along an axis (tf.cumprod); arguments as cumsum's."""
    attrs = {"axis": static_int(axis, "axis"), "exclusive": exclusive, "reverse": reverse}
    return F.cumprod(convert_to_tensor(x), name=name, **attrs)
