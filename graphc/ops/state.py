"""State ops: assignments to variables, as pure updates.

Lives here: assign, assign_add, assign_sub, is_variable_initialized. Not here: the user's Variable
class (tf1/variables.py), optimizers' apply ops (ops/training.py), scatter updates (ops/scatter.py).
"""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import ALL, NUMERIC, bool_
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import merge_shapes
from graphc.ops.define import F, InferContext, OpDef, state


def _assign_type(ctx: InferContext) -> TensorType:
    ref, value = ctx.inputs
    if not ctx.attrs.get("validate_shape", True):
        return TensorType(ref.dtype, value.dims)
    try:
        return TensorType(ref.dtype, merge_shapes(ref.dims, value.dims))
    except ValueError as err:
        raise ctx.fail(str(err)) from None


assign = state(
    "assign", tf="Assign", refs=(0,), infer=_assign_type, args=("ref", "value"),
    dtypes={"T": ALL}, update=lambda node, ref, value: (value,),
)  # fmt: skip


def _add(node: Node, ref: Tensor, value: Tensor) -> tuple[Any, ...]:
    return (F.add(ref, value),)


def _sub(node: Node, ref: Tensor, value: Tensor) -> tuple[Any, ...]:
    return (F.subtract(ref, value),)


assign_add = state(
    "assign_add", tf="AssignAdd", refs=(0,), infer=_assign_type, args=("ref", "value"),
    dtypes={"T": NUMERIC}, update=_add,
)  # fmt: skip

assign_sub = state(
    "assign_sub", tf="AssignSub", refs=(0,), infer=_assign_type, args=("ref", "value"),
    dtypes={"T": NUMERIC}, update=_sub,
)  # fmt: skip

is_variable_initialized = OpDef(
    name="is_variable_initialized",
    tf="IsVariableInitialized",
    family="source",
    args=("ref",),
    infer=lambda ctx: TensorType(bool_, ()),
    numpy=None,
    stateful=True,
    nograd="it looks at state, not at a value",
)
