"""What the rules of an op see: inference and kernel contexts, and the error they raise.

Lives here: InferContext (shape-and-dtype rules), KernelContext (kernel definitions), ShapeError
and its text. Not here: the record (ops/define.py), which re-exports these. Imports ir, kernel.expr.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import DType
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import (
    Dim,
    Shape,
    SymDim,
    bracket_text,
    broadcast_shapes,
    current_env,
    dims_equal,
)
from graphc.kernel.expr import Axis, Buffer, Cast, Const, Expr, Load, index

if TYPE_CHECKING:
    from graphc.ops.define import OpDef


class ShapeError(InvalidArgumentError):
    """Shapes that an op cannot take; raised where the op is made. Also a ValueError."""


# ------------------------------------------------------------------ contexts
class InferContext:
    """What a shape-and-dtype rule sees: input types, attributes, and known values of inputs."""

    def __init__(
        self, op: OpDef, inputs: Sequence[Tensor], attrs: Mapping[str, Any], name: str = ""
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.attrs = attrs
        self.name = name

    def dtype(self, i: int = 0) -> DType:
        return self.inputs[i].dtype

    def shape(self, i: int = 0) -> Shape:
        return self.inputs[i].dims

    def rank(self, i: int = 0) -> int | None:
        return self.inputs[i].rank

    def value(self, i: int) -> np.ndarray[Any, Any] | None:
        """The input's value where it is known while the graph is built, else None.

        An array; of dtype object when some elements are symbols or None (unknown).
        """
        from graphc.ops.values import value_of

        return value_of(self.inputs[i])

    def broadcast(self) -> Shape:
        """The shape of all inputs broadcast together.

        Raises:
            ShapeError: while the graph is built, as TF's shape functions say it. When a plan is
            built, InvalidArgumentError in the words of TF's kernels.
        """
        shapes = [t.dims for t in self.inputs]
        try:
            return broadcast_shapes(*shapes)
        except InvalidArgumentError:
            if current_env() is not None:
                raise
        rank = max(len(s) for s in shapes if s is not None)
        for k in range(rank):
            here = [s[k - rank] for s in shapes if s is not None and rank - k <= len(s)]
            known = [d for d in here if isinstance(d, int) and d != 1]
            if len(set(known)) > 1:
                other = next(d for d in known if d != known[0])
                break
        raise self.fail(f"Dimensions must be equal, but are {known[0]} and {other}")

    def fail(self, message: str) -> ShapeError:
        """The error to raise: TF1's text with op, name and input shapes."""
        shapes = ", ".join(bracket_text(t.dims) for t in self.inputs)
        where = f"'{self.name or self.op.tf}' (op: '{self.op.tf}')"
        return ShapeError(f"{message} for {where} with input shapes: {shapes}.")


class KernelContext:
    """What a kernel definition sees. `load` reads an input at an index, as an expression."""

    def __init__(self, node: Node, buffer_of: Callable[[Tensor], Buffer]) -> None:
        self.node = node
        self.attrs = node.attrs
        self.buffer_of = buffer_of

    def dtype(self, i: int = 0) -> DType:
        return self.node.inputs[i].dtype

    def shape(self, i: int = 0) -> tuple[Dim, ...]:
        shape = self.node.inputs[i].dims
        assert shape is not None
        return shape  # type: ignore[return-value]  # dims are known in a Program

    def out_shape(self, i: int = 0) -> tuple[Dim, ...]:
        shape = self.node.outputs[i].dims
        assert shape is not None
        return shape  # type: ignore[return-value]

    def out_dtype(self, i: int = 0) -> DType:
        return self.node.outputs[i].dtype

    def value(self, i: int) -> np.ndarray[Any, Any]:
        """The value of a shape input (ints and SymDims)."""
        from graphc.ops.values import value_of

        value = value_of(self.node.inputs[i])
        assert value is not None, f"{self.node.text_name}: input {i} must be known"
        return value

    def load(
        self,
        i: int,
        idx: Sequence[Expr],
        mask: Expr | None = None,
        other: Any = 0,
    ) -> Expr:
        """Input i at an index, in its stored dtype; where `mask` is false, `other`."""
        buffer = self.buffer_of(self.node.inputs[i])
        assert len(idx) == len(buffer.shape), (self.node.op.name, len(idx), buffer.shape)
        if mask is None:
            return Load(buffer, idx)
        return Load(buffer, idx, mask, Const(other, buffer.dtype))

    def load_compute(self, i: int, idx: Sequence[Expr]) -> Expr:
        """Input i in the dtype that kernels compute in (float32 for half types)."""
        value = self.load(i, idx)
        wide = value.dtype.compute
        return value if wide is value.dtype else Cast(value, wide)

    def load_broadcast(self, i: int, idx: Sequence[Expr]) -> Expr:
        """Input i at an output index, by NumPy's broadcasting; in the compute dtype."""
        shape = self.shape(i)
        skip = len(idx) - len(shape)
        out = self.out_shape(0)[skip:] if len(self.out_shape(0)) == len(idx) else shape
        at = [
            Const(0, index(0).dtype) if _is_one(d, o) else x
            for d, o, x in zip(shape, out, idx[skip:], strict=True)
        ]
        return self.load_compute(i, at)

    @staticmethod
    def axis(extent: Dim, name: str = "") -> Axis:
        """A new axis to reduce over."""
        return Axis(extent, name)

    @staticmethod
    def dim(dim: Dim) -> Expr:
        """A dimension as an int64 expression."""
        return index(dim)


def _is_one(dim: Dim, out: Dim) -> bool:
    """Whether an operand's dimension is broadcast: 1, or a symbol that the plan guards to be 1."""
    if isinstance(dim, int) or dim == out:
        return isinstance(dim, int) and dim == 1
    return dims_equal(dim, out) is False


def in_numbers(ctx: InferContext) -> InvalidArgumentError | None:
    """The rule's error for the extents of the run at hand, while a plan is built.

    A user knows no symbols: the text must say "are 3 and 4", not "are s0 and s1".
    """
    env = current_env()
    if env is None:
        return None
    inputs: list[Tensor] = []
    for tensor in ctx.inputs:
        dims = tensor.dims
        shape = None if dims is None else tuple(_number(d, env.hints) for d in dims)
        twin = Tensor(tensor.node, tensor.value_index, TensorType(tensor.dtype, shape))
        value = ctx.value(len(inputs))
        if value is not None and value.dtype == object:
            value = np.array([_number(v, env.hints) for v in value.flat]).reshape(value.shape)
        twin._value = value
        inputs.append(twin)
    try:
        ctx.op.infer(InferContext(ctx.op, inputs, ctx.attrs, ctx.name))
    except InvalidArgumentError as err:
        return err
    return None


def _number(dim: Any, hints: Mapping[str, int]) -> Any:
    return dim.evaluate(hints) if isinstance(dim, SymDim) else dim


def with_operands(ctx: InferContext, err: InvalidArgumentError) -> ShapeError:
    """The error with op, name, and where each operand was made."""
    text = err.message
    if "input shapes:" not in text:
        text = ctx.fail(text).message
    for i, tensor in enumerate(ctx.inputs):
        if tensor.node.origins:
            text += (
                f"\n  {ctx.op.arg_name(i)}: {tensor.text_name}"
                f" {bracket_text(tensor.dims)}, made at {tensor.node.origin.summary()}"
            )
    return ShapeError(text)
