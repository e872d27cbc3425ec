"""Source ops: constants, placeholders, variables, and the ops that only order or pass values.

Lives here: const, bound, placeholder, placeholder_with_default, variable, identity,
stop_gradient, no_op, prevent_gradient. Not here: the user's Variable class (tf1/variables.py),
updates (ops/state.py). Imports ops.define.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import ALL, FLOAT, as_dtype, float32
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import current_env
from graphc.kernel.expr import Expr
from graphc.ops.define import InferContext, KernelContext, OpDef, movement
from graphc.ops.samples import arg, sample

const = OpDef(
    name="const",
    tf="Const",
    family="source",
    args=(),
    infer=lambda ctx: _type_of(ctx.attrs["value"].array),
    numpy=lambda value: value.array,
    nograd="a constant has no inputs",
)

placeholder = OpDef(
    name="placeholder",
    tf="Placeholder",
    family="source",
    args=(),
    infer=lambda ctx: TensorType(ctx.attrs["dtype"], ctx.attrs["shape"]),
    numpy=None,
    stateful=True,
    nograd="a placeholder has no inputs",
)

variable = OpDef(
    name="variable",
    tf="VariableV2",
    family="source",
    args=(),
    infer=lambda ctx: TensorType(ctx.attrs["dtype"], ctx.attrs["shape"]),
    numpy=None,
    stateful=True,
    nograd="a variable has no inputs",
)

bound = OpDef(
    name="bound",
    tf="_Bound",
    family="source",
    args=(),
    infer=lambda ctx: TensorType(ctx.attrs["dtype"], ctx.attrs["shape"]),
    numpy=None,
    nograd="only in programs: extents known when a plan is bound",
)

no_op = OpDef(
    name="no_op",
    tf="NoOp",
    family="source",
    args=(),
    infer=lambda ctx: (),
    numpy=lambda: (),
    stateful=True,
    nograd="it has no inputs",
)


def _type_of(array: np.ndarray[Any, Any]) -> TensorType:
    return TensorType(as_dtype(array.dtype), array.shape)


def _same_type(ctx: InferContext) -> TensorType:
    return ctx.inputs[0].type


def _with_default(ctx: InferContext) -> TensorType:
    if current_env() is not None:
        return ctx.inputs[0].type  # a run that does not feed it: the default is the value
    return TensorType(ctx.dtype(0), ctx.attrs["shape"])


def _copy(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    return ctx.load(0, idx)


def _pass_gradient(node: Node, g: Tensor) -> tuple[Tensor, ...]:
    return (g,)


identity = movement(
    "identity", tf="Identity", infer=_same_type, kernel=_copy, numpy=lambda x: x,
    grad=_pass_gradient, args=("input",), dtypes={"T": ALL}, samples=(sample(arg((3, 4))),),
)  # fmt: skip

placeholder_with_default = movement(
    "placeholder_with_default", tf="PlaceholderWithDefault", infer=_with_default, kernel=_copy,
    numpy=lambda x, shape: x, grad=_pass_gradient, args=("input",), dtypes={"T": ALL},
    samples=(sample(arg((3, 4)), shape=(None, 4)),),
)  # fmt: skip

stop_gradient = movement(
    "stop_gradient", tf="StopGradient", infer=_same_type, kernel=_copy, numpy=lambda x: x,
    nograd="it stops gradients by definition", args=("input",), dtypes={"T": ALL},
    samples=(sample(arg((3, 4)), grad=False),),
)  # fmt: skip


def _prevent(node: Node, g: Tensor) -> tuple[Tensor, ...]:
    raise LookupError(
        f"Gradient explicitly disabled. Reason: {node.attrs['message']!r}"
    )


prevent_gradient = movement(
    "prevent_gradient", tf="PreventGradient", infer=_same_type, kernel=_copy,
    numpy=lambda x, message: x, grad=_prevent, args=("input",), dtypes={"T": FLOAT},
    samples=(sample(arg((3,)), grad=False, message="none", dtypes=(float32,)),),
)  # fmt: skip

