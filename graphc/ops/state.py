"""State ops: assignments to variables, as pure updates.

Lives here: assign, assign_add, assign_sub, is_variable_initialized, initialized_value and the
host steps of count_up_to and report_uninitialized_variables. Not here: the user's Variable
class (tf1/variables.py), optimizers' apply ops (ops/training.py), scatter updates (ops/scatter.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import FailedPreconditionError, OutOfRangeError
from graphc.ir.dtypes import ALL, COMPLEX, NUMERIC, bool_, int32, int64, string
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import Shape, bracket_text, current_env, dims_equal, merge_shapes
from graphc.ops.define import F, InferContext, OpDef, host, state


def _assign_type(ctx: InferContext) -> TensorType:
    ref, value = ctx.inputs
    if not ctx.attrs.get("validate_shape", True):
        return TensorType(ref.dtype, value.dims)
    _check_equal(ctx, ref.dims, value.dims)
    return TensorType(ref.dtype, merge_shapes(ref.dims, value.dims))


def _check_equal(ctx: InferContext, a: Shape, b: Shape) -> None:
    """Raises ShapeError with TF1's texts where two shapes differ."""
    if a is None or b is None:
        return
    if current_env() is not None:
        # in a run, where TF1's kernels say it
        if len(a) != len(b) or any(dims_equal(x, y) is False for x, y in zip(a, b, strict=True)):
            raise ctx.fail(
                "Assign requires shapes of both tensors to match. "
                f"lhs shape= {bracket_text(a)} rhs shape= {bracket_text(b)}"
            )
        return
    if len(a) != len(b):
        raise ctx.fail(f"Shapes must be equal rank, but are {len(a)} and {len(b)}")
    for k, (x, y) in enumerate(zip(a, b, strict=True)):
        if dims_equal(x, y) is False:
            raise ctx.fail(
                f"Dimension {k} in both shapes must be equal, but are {x} and {y}. "
                f"Shapes are {bracket_text(a)} and {bracket_text(b)}."
            )


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
    dtypes={"T": (*NUMERIC, *COMPLEX)}, update=_add,
)  # fmt: skip

assign_sub = state(
    "assign_sub", tf="AssignSub", refs=(0,), infer=_assign_type, args=("ref", "value"),
    dtypes={"T": (*NUMERIC, *COMPLEX)}, update=_sub,
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

# the value of a variable where it is initialised, else the second input: that of its initial
# value. Decided at the start of the run; the second input too where the same run assigns it.
initialized_value = OpDef(
    name="initialized_value",
    tf="InitializedValue",
    family="source",
    args=("ref", "initial"),
    infer=_assign_type,
    numpy=None,
    dtypes={"T": ALL},
    stateful=True,
    grad=lambda node, g: (g, None),
)


def _limited(ref: np.ndarray[Any, Any], limit: int) -> np.ndarray[Any, Any]:
    if int(ref) >= limit:
        raise OutOfRangeError(f"Reached limit of {limit}")
    return ref


count_limit = host(
    "count_limit", tf="CountUpTo", args=("ref",), infer=lambda ctx: ctx.inputs[0].type,
    numpy=_limited, dtypes={"T": (int32, int64)}, nograd="integers", stateful=True,
)  # fmt: skip


def _missing_names(*flags: np.ndarray[Any, Any], names: tuple[str, ...]) -> np.ndarray[Any, Any]:
    missing = [n.encode() for n, flag in zip(names, flags, strict=True) if not flag]
    out = np.empty(len(missing), dtype=object)
    out[:] = missing
    return out


uninitialized_names = host(
    "uninitialized_names", tf="ReportUninitialized", args=("*flags",),
    infer=lambda ctx: TensorType(string, (None,)), numpy=_missing_names,
    groups=(bool_,), nograd="strings", data_dependent=True, stateful=True,
)  # fmt: skip


def _require(*flags: np.ndarray[Any, Any], names: tuple[str, ...]) -> np.ndarray[Any, Any]:
    for name, flag in zip(names, flags, strict=True):
        if not flag:
            raise FailedPreconditionError(f"Attempting to use uninitialized value {name}")
    return np.asarray(True)


require_initialized = host(
    "require_initialized", tf="AssertVariablesInitialized", args=("*flags",),
    infer=lambda ctx: TensorType(bool_, ()), numpy=_require, groups=(bool_,),
    nograd="bools", stateful=True,
)  # fmt: skip
