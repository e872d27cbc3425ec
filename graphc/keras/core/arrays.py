"""keras.backend's tensors: making, shaping and joining them, products, random numbers.

Lives here: variable and placeholder to map_fn. Not here: mathematics (core/math.py). Imports tf1.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.autodiff.gradients import gradients as _gradients
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Tensor
from graphc.keras.core.config import floatx
from graphc.keras.core.session import track_variable
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import (
    api_array,
    api_index,
    api_linalg,
    api_math,
    api_random,
    api_sparse,
    framework,
)
from graphc.tf1.einsum import einsum
from graphc.tf1.variables import Variable

__all__ = [
    "arange",
    "batch_dot",
    "batch_flatten",
    "concatenate",
    "constant",
    "count_params",
    "dot",
    "dtype",
    "expand_dims",
    "eye",
    "flatten",
    "gather",
    "gradients",
    "identity",
    "int_shape",
    "is_placeholder",
    "is_sparse",
    "is_tensor",
    "moving_average_update",
    "name_scope",
    "ndim",
    "one_hot",
    "ones",
    "permute_dimensions",
    "placeholder",
    "print_tensor",
    "random_binomial",
    "random_normal",
    "random_normal_variable",
    "random_uniform",
    "random_uniform_variable",
    "repeat",
    "repeat_elements",
    "reshape",
    "reverse",
    "shape",
    "slice",
    "squeeze",
    "stack",
    "temporal_padding",
    "tile",
    "to_dense",
    "transpose",
    "truncated_normal",
    "update",
    "update_add",
    "update_sub",
    "variable",
    "zeros",
]  # fmt: skip

name_scope = framework.name_scope


# ------------------------------------------------------------------ making
def variable(
    value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None
) -> Variable:
    """A variable with this initial value; get_session initialises it."""
    if not callable(value) and not isinstance(value, Tensor):
        value = np.asarray(value, dtype=as_dtype(dtype or floatx()).np)
    return track_variable(
        Variable(value, dtype=as_dtype(dtype or floatx()), name=name, constraint=constraint)
    )


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Tensor:
    """A constant tensor, of floatx() unless told otherwise."""
    return framework.constant(value, dtype=dtype or floatx(), shape=shape, name=name or "Const")


def placeholder(
    shape: Any = None,
    ndim: int | None = None,
    dtype: Any = None,
    sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """A tensor that is fed.

    Raises:
        ValueError: sparse=True: sparse tensors are no inputs of layers.
    """
    if sparse:
        raise ValueError("sparse placeholders are not supported; feed dense arrays")
    if shape is None and ndim is not None:
        shape = (None,) * ndim
    return framework.placeholder(dtype or floatx(), shape, name)


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """A variable of zeros; a tensor where the shape is not fully known."""
    return _filled(np.zeros, api_array.zeros, shape, dtype, name)


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """A variable of ones; a tensor where the shape is not fully known."""
    return _filled(np.ones, api_array.ones, shape, dtype, name)


def _filled(make: Any, dynamic: Any, shape: Any, dtype: Any, name: str | None) -> Any:
    kind = as_dtype(dtype or floatx())
    if isinstance(shape, Tensor) or builtins.any(
        isinstance(d, Tensor) or d is None for d in shape
    ):
        return dynamic(shape, dtype=kind)
    return variable(make(tuple(int(d) for d in shape), kind.np), kind, name)


def eye(size: int, dtype: Any = None, name: str | None = None) -> Variable:
    return variable(np.eye(size), dtype, name)


def random_uniform_variable(
    shape: Any, low: float, high: float, dtype: Any = None, name: Any = None, seed: Any = None
) -> Variable:
    return variable(np.random.default_rng(seed).uniform(low, high, shape), dtype, name)


def random_normal_variable(
    shape: Any, mean: float, scale: float, dtype: Any = None, name: Any = None, seed: Any = None
) -> Variable:
    return variable(np.random.default_rng(seed).normal(mean, scale, shape), dtype, name)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: str = "int32") -> Tensor:
    if stop is None:
        start, stop = 0, start
    out = api_array.range(start, limit=stop, delta=step)
    return out if dtype == "int32" else api_math.cast(out, dtype)


def random_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: int | None = None
) -> Tensor:
    return api_random.random_normal(shape, mean, stddev, as_dtype(dtype or floatx()), seed)


def random_uniform(
    shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: int | None = None
) -> Tensor:
    return api_random.random_uniform(shape, minval, maxval, as_dtype(dtype or floatx()), seed)


def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: int | None = None
) -> Tensor:
    return api_random.truncated_normal(shape, mean, stddev, as_dtype(dtype or floatx()), seed)


def random_binomial(shape: Any, p: Any = 0.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """1 with probability p, else 0."""
    kind = as_dtype(dtype or floatx())
    return api_math.cast(api_random.random_uniform(shape, dtype=kind, seed=seed) <= p, kind)


# ------------------------------------------------------------------ looking
def shape(x: Any) -> Tensor:
    return api_array.shape(x)


def int_shape(x: Any) -> Any:
    """The static shape as a tuple of ints and None; None where the rank is unknown."""
    dims = x.shape
    try:
        return tuple(dims.as_list()) if hasattr(dims, "as_list") else tuple(dims)
    except ValueError:
        return None


def ndim(x: Any) -> int | None:
    dims = int_shape(x)
    return None if dims is None else len(dims)


def dtype(x: Any) -> str:
    """The name of the dtype ("float32")."""
    return x.dtype.name if hasattr(x.dtype, "name") else str(x.dtype)


def count_params(x: Any) -> int:
    return int(np.prod(int_shape(x) or (), dtype=np.int64))


def is_sparse(tensor: Any) -> bool:
    """Whether the tensor is a SparseTensor."""
    return type(tensor).__name__ in ("SparseTensor", "SparseTensorValue")


def to_dense(tensor: Any) -> Any:
    """A SparseTensor as a whole tensor; any other tensor itself."""
    return api_sparse.sparse_tensor_to_dense(tensor) if is_sparse(tensor) else tensor


def is_tensor(x: Any) -> bool:
    return framework.is_tensor(x)


def is_placeholder(x: Any) -> bool:
    return isinstance(x, Tensor) and x.node.op.name == "placeholder"


def print_tensor(x: Any, message: str = "", summarize: int = 3) -> Tensor:
    """The tensor itself; a run that needs it prints the values."""
    from graphc.tf1.api_checks import Print

    return Print(x, [x], message, summarize=summarize)


def identity(x: Any, name: str | None = None) -> Tensor:
    return framework.identity(x, name=name)


# ------------------------------------------------------------------ shapes
def reshape(x: Any, shape: Any) -> Tensor:
    return api_array.reshape(x, shape)


def flatten(x: Any) -> Tensor:
    return api_array.reshape(x, [-1])


def batch_flatten(x: Any) -> Tensor:
    """[batch, the product of the other extents]."""
    x = convert_to_tensor(x)
    dims = int_shape(x)
    if dims is not None and None not in dims[1:]:
        return api_array.reshape(x, [-1, int(np.prod(dims[1:], dtype=np.int64))])
    return api_array.reshape(x, [-1, api_math.reduce_prod(api_array.shape(x)[1:])])


def permute_dimensions(x: Any, pattern: Sequence[int]) -> Tensor:
    return api_array.transpose(x, perm=list(pattern))


def transpose(x: Any) -> Tensor:
    return api_array.transpose(x)


def expand_dims(x: Any, axis: int = -1) -> Tensor:
    return api_array.expand_dims(x, axis)


def squeeze(x: Any, axis: int) -> Tensor:
    return api_array.squeeze(x, [axis])


def repeat(x: Any, n: int) -> Tensor:
    """[batch, features] -> [batch, n, features]."""
    return api_array.tile(api_array.expand_dims(x, 1), [1, n, 1])


def repeat_elements(x: Any, rep: int, axis: int) -> Tensor:
    """Every slice along `axis` `rep` times, one after the other."""
    x = convert_to_tensor(x)
    rank = x.rank
    assert rank is not None
    axis = axis + rank if axis < 0 else axis
    wide = api_array.expand_dims(x, axis + 1)
    copies = api_array.tile(wide, [rep if a == axis + 1 else 1 for a in builtins.range(rank + 1)])
    dims = int_shape(x) or ()
    static = [None if d is None else d * (rep if a == axis else 1) for a, d in enumerate(dims)]
    if static.count(None) <= 1:
        return api_array.reshape(copies, [-1 if d is None else d for d in static])
    actual = api_array.unstack(api_array.shape(x), rank)
    actual[axis] = actual[axis] * rep
    out = api_array.reshape(copies, api_array.stack(actual))
    out.set_shape(static)
    return out


def tile(x: Any, n: Any) -> Tensor:
    return api_array.tile(x, [n] if isinstance(n, int) else list(n))


def concatenate(tensors: Sequence[Any], axis: int = -1) -> Tensor:
    if axis < 0:
        rank = ndim(tensors[0])
        axis = axis % rank if rank else 0
    return api_array.concat(list(tensors), axis)


def stack(x: Sequence[Any], axis: int = 0) -> Tensor:
    return api_array.stack(list(x), axis=axis)


def slice(x: Any, start: Any, size: Any) -> Tensor:
    return api_array.slice(x, start, size)


def reverse(x: Any, axes: Any) -> Tensor:
    return api_array.reverse(x, [axes] if isinstance(axes, int) else list(axes))


def gather(reference: Any, indices: Any) -> Tensor:
    """Rows of `reference`."""
    return api_index.gather(reference, indices)


def one_hot(indices: Any, num_classes: int) -> Tensor:
    return api_array.one_hot(indices, depth=num_classes, axis=-1)


def temporal_padding(x: Any, padding: tuple[int, int] = (1, 1)) -> Tensor:
    """Zeros before and after the middle axis."""
    return api_array.pad(x, [[0, 0], [padding[0], padding[1]], [0, 0]])


# ------------------------------------------------------------------ products
def dot(x: Any, y: Any) -> Tensor:
    """x @ y; for more axes the last of x with the last but one of y, as Theano."""
    x, y = convert_to_tensor(x), convert_to_tensor(y)
    if x.rank is not None and (x.rank > 2 or (y.rank or 0) > 2):
        assert y.rank is not None
        from graphc.tf1.einsum import tensordot

        at = y.rank - 2 if y.rank > 1 else 0
        return tensordot(x, y, [[x.rank - 1], [at]])
    return api_linalg.matmul(x, y)


def batch_dot(x: Any, y: Any, axes: Any = None) -> Tensor:
    """Products of the pairs of a batch over one axis of each.

    As in TensorFlow 1, all axes before the last two belong to the batch where ranks are above
    three and those axes agree: the heads of an attention meet their own keys only. Elsewhere
    every entry of x meets every one of y.

    Args:
        axes: an axis of both, or one of each; None: the last of x, the last but one of y.

    Raises:
        ValueError: an operand without a batch axis.
    """
    x, y = convert_to_tensor(x), convert_to_tensor(y)
    nx, ny = x.rank, y.rank
    if nx is None or ny is None or nx < 2 or ny < 2:
        raise ValueError(f"batch_dot needs two tensors of rank 2 or more, got {x} and {y}")
    if axes is None:
        axes = (nx - 1, 1 if ny == 2 else ny - 2)
    first, second = (axes, axes) if isinstance(axes, int) else axes
    first, second = first % nx, second % ny
    if ny > 3 and ny - nx in (0, 1):
        left = x if nx == ny else expand_dims(x, -1)
        heads = zip((int_shape(left) or ())[1:-2], (int_shape(y) or ())[1:-2])
        if all(a is None or b is None or a == b for a, b in heads):
            turn = {"transpose_a": first != ny - 1, "transpose_b": second == ny - 1}
            out = api_linalg.matmul(left, y, **turn)
            return out if nx == ny else squeeze(out, -2)
    return outer_dot(x, y, first, second)


def outer_dot(x: Tensor, y: Tensor, first: int, second: int) -> Tensor:
    """Axis `first` of x against axis `second` of y, of every other entry with every other."""
    nx, ny = x.rank or 0, y.rank or 0
    letters = "abcdefghijklmnopqrstuvwxy"
    left = list("z" + letters[: nx - 1])
    right = list("z" + letters[nx - 1 : nx + ny - 2])
    right[second] = left[first]
    rest = [c for c in left if c != left[first]] + [c for c in right[1:] if c != left[first]]
    out = einsum(f"{''.join(left)},{''.join(right)}->{''.join(rest)}", x, y)
    return expand_dims(out, 1) if len(rest) == 1 else out


# ------------------------------------------------------------------ gradients, updates
def gradients(loss: Any, variables: Any) -> list[Any]:
    """d loss / d each variable; None where there is no way."""
    return _gradients(loss, variables)


def update(x: Any, new_x: Any) -> Tensor:
    return x.assign(new_x)


def update_add(x: Any, increment: Any) -> Tensor:
    return x.assign_add(increment)


def update_sub(x: Any, decrement: Any) -> Tensor:
    return x.assign_sub(decrement)


def moving_average_update(x: Any, value: Any, momentum: float) -> Tensor:
    """x * momentum + value * (1 - momentum), written into x."""
    value = convert_to_tensor(value)
    if value.dtype is not x.dtype:
        value = F.cast(value, dtype=x.dtype)
    return x.assign(x * momentum + value * (1.0 - momentum))
