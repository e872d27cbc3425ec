"""Ops that only gradients need: sum_to_shape (undo broadcasting), identity_n (custom gradients),
apart (what is computed again).

Lives here: the records and the decision which axes were broadcast. Not here: the reverse walk
(autodiff/). Imports ops.define and ir.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import ALL, COMPLEX, NUMERIC, float32, int32, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import Shape, dims_equal
from graphc.kernel.expr import Expr
from graphc.ops.define import F, InferContext, KernelContext, composite, movement
from graphc.ops.samples import arg, fixed, sample


def broadcast_axes(
    wide: Shape, narrow: Shape, others: Sequence[Shape] = ()
) -> tuple[int, ...] | None:
    """The axes of `wide` along which `narrow` was repeated; None where that is not known yet.

    Args:
        others: the shapes that `narrow` was broadcast with. Where all of them have extent 1,
            `wide` has `narrow`'s own extent, known or not.
    """
    if wide is None or narrow is None or any(s is None for s in others):
        return None
    lead = len(wide) - len(narrow)
    axes = list(range(lead))
    for k, mine in enumerate(narrow):
        full = wide[lead + k]
        if isinstance(mine, int):
            if mine == 1 and full != 1:
                axes.append(lead + k)
            continue
        if others and all(_is_one(s, len(narrow) - k) for s in others):
            continue
        same = dims_equal(mine, full)
        if same is None:
            return None
        if not same:
            axes.append(lead + k)
    return tuple(axes)


def _is_one(shape: Shape, from_end: int) -> bool:
    """Whether the axis counted from the end is absent or 1."""
    assert shape is not None
    return from_end > len(shape) or shape[-from_end] == 1


def sum_axes(x: Tensor, axes: tuple[int, ...], narrow: Shape, shape: Any) -> Tensor:
    """x summed over `axes`, in the shape `narrow`; `shape` makes its tensor when it is needed."""
    if not axes:
        return x
    assert x.dims is not None and narrow is not None
    lead = len(x.dims) - len(narrow)
    if all(a < lead for a in axes):
        return F.reduce_sum(x, axes=axes, keepdims=False)
    if lead == 0:
        return F.reduce_sum(x, axes=axes, keepdims=True)
    return F.reshape(F.reduce_sum(x, axes=axes, keepdims=False), shape())


def _sum_to_shape_type(ctx: InferContext) -> TensorType:
    value = ctx.value(1)
    if value is not None:
        dims = value.reshape(-1).tolist()
        return TensorType(ctx.dtype(0), tuple(None if d is None else _dim(d) for d in dims))
    vector = ctx.shape(1)
    if vector is None or not isinstance(vector[0], int):
        return TensorType(ctx.dtype(0), None)
    return TensorType(ctx.dtype(0), (None,) * vector[0])


def _dim(value: Any) -> Any:
    return int(value) if isinstance(value, int | np.integer) else value


def _sum_to_shape_expand(node: Node) -> tuple[Tensor, ...]:
    x, shape = node.inputs
    narrow = node.outputs[0].dims
    axes = broadcast_axes(x.dims, narrow)
    assert axes is not None, f"{node.text_name}: shapes are known in a program"
    return (sum_axes(x, axes, narrow, lambda: shape),)


def _sum_to_shape_numpy(x: np.ndarray[Any, Any], shape: Any) -> np.ndarray[Any, Any]:
    shape = tuple(int(d) for d in np.asarray(shape).reshape(-1))
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(
        lead + k for k, d in enumerate(shape) if d == 1 and x.shape[lead + k] != 1
    )
    wide = np.float32 if x.dtype.itemsize == 2 and x.dtype.kind not in "iu" else x.dtype
    return np.sum(x, axis=axes, dtype=wide).astype(x.dtype).reshape(shape)


def _sum_to_shape_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    return (F.broadcast_to(g, F.shape(node.inputs[0])), None)


sum_to_shape = composite(
    "sum_to_shape", tf="_SumToShape", infer=_sum_to_shape_type, expand=_sum_to_shape_expand,
    numpy=_sum_to_shape_numpy, grad=_sum_to_shape_grad, args=("x", "shape"),
    groups=("T", "Tshape"), dtypes={"T": (*NUMERIC, *COMPLEX), "Tshape": (int32, int64)},
    shape_inputs=(1,), default_name="SumToShape",
    samples=(
        sample(arg((3, 4)), fixed([1, 4], int32, const=True)),
        sample(arg((5, 3, 4)), fixed([3, 1], int32, const=True)),
        sample(arg((3, 4)), fixed(np.zeros(0), int32, const=True)),
        sample(arg((3, 4)), fixed([3, 4], int32, const=True)),
    ),
)  # fmt: skip


def _types_of_inputs(ctx: InferContext) -> tuple[TensorType, ...]:
    return tuple(t.type for t in ctx.inputs)


def _copy(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    return ctx.load(which, idx)


def _identity_n_groups() -> tuple[str, ...]:
    # each input has a dtype of its own; calls with more than 64 inputs do not occur
    return tuple(f"T{i}" for i in range(64))


identity_n = movement(
    "identity_n", tf="IdentityN", infer=_types_of_inputs, kernel=_copy,
    numpy=lambda *xs: xs, grad=lambda node, *gs: gs, args=("*input",),
    groups=_identity_n_groups(), dtypes=dict.fromkeys(_identity_n_groups(), ALL),
    samples=(sample(arg((3,)), arg((2, 2))),),
)  # fmt: skip

apart = movement(
    "apart", tf="_Apart", infer=lambda ctx: ctx.inputs[0].type, kernel=_copy,
    numpy=lambda x, after: x, grad=lambda node, g: (g, None), args=("input", "after"),
    groups=("T", "Tafter"), dtypes={"T": ALL, "Tafter": ALL},
    samples=(sample(arg((3, 4)), fixed([1.0], float32)),), default_name="Apart",
    doc="Only in programs: the input, for what is to be computed when `after` is there.",
)  # fmt: skip
