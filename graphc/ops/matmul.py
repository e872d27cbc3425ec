"""Matrix multiplication.

Lives here: the record `matmul`, batched, with either side transposed. Not here: tensordot and
einsum (tf1/einsum.py), the compiled step (runtime/extern.py). Imports ops.define.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import FLOAT, complex64, complex128, int32, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import PartialDim, Shape, bracket_text, broadcast_dim, dims_equal
from graphc.ops.define import F, InferContext, extern
from graphc.ops.extents import need_rank_at_least
from graphc.ops.samples import arg, sample

DTYPES = (*FLOAT, int32, int64, complex64, complex128)


def _matmul_type(ctx: InferContext) -> TensorType:
    a, b = ctx.shape(0), ctx.shape(1)
    for i in (0, 1):
        rank = ctx.rank(i)
        if rank is not None and rank < 2:
            other = ctx.rank(1 - i)
            if other is not None and other > 2:
                need_rank_at_least(ctx, i, 2)
            raise ctx.fail(f"Shape must be rank 2 but is rank {rank}")
    if a is None or b is None:
        return TensorType(ctx.dtype(0), _half_known(ctx, a, b))
    rows, inner_a = (a[-1], a[-2]) if ctx.attrs["transpose_a"] else (a[-2], a[-1])
    inner_b, columns = (b[-1], b[-2]) if ctx.attrs["transpose_b"] else (b[-2], b[-1])
    if dims_equal(inner_a, inner_b) is False:
        raise ctx.fail(f"Dimensions must be equal, but are {inner_a} and {inner_b}")
    return TensorType(ctx.dtype(0), (*_batch(ctx, a[:-2], b[:-2]), rows, columns))


def _half_known(ctx: InferContext, a: Shape, b: Shape) -> Shape:
    """Rank two where one side is a matrix: BatchMatMul needs a rank above it on one side."""
    if a is None and b is None:
        return None
    known, i = (a, 0) if a is not None else (b, 1)
    assert known is not None
    if len(known) > 2:
        return None
    turned = ctx.attrs["transpose_a" if i == 0 else "transpose_b"]
    outer = known[-1] if turned == (i == 0) else known[-2]
    return (outer, None) if i == 0 else (None, outer)


def _batch(ctx: InferContext, a: Any, b: Any) -> tuple[PartialDim, ...]:
    rank = max(len(a), len(b))
    wide_a = (1,) * (rank - len(a)) + tuple(a)
    wide_b = (1,) * (rank - len(b)) + tuple(b)
    out = []
    for x, y in zip(wide_a, wide_b, strict=True):
        try:
            out.append(broadcast_dim(x, y))
        except ValueError:
            raise ctx.fail(f"Dimensions must be equal, but are {x} and {y}") from None
    return tuple(out)


def _matmul(a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> Any:
    left = np.swapaxes(a, -1, -2) if transpose_a else a
    right = np.swapaxes(b, -1, -2) if transpose_b else b
    if left.shape[-1] != right.shape[-2]:
        raise InvalidArgumentError(
            f"Matrix size-incompatible: In[0]: {bracket_text(a.shape)}, "
            f"In[1]: {bracket_text(b.shape)}"
        )
    if a.dtype.itemsize == 2:
        # half types accumulate in float32
        return np.matmul(left.astype(np.float32), right.astype(np.float32)).astype(a.dtype)
    try:
        return np.matmul(left, right)
    except ValueError:
        raise InvalidArgumentError(
            f"In[0] and In[1] must have compatible batch dimensions: {bracket_text(a.shape)} "
            f"vs. {bracket_text(b.shape)}"
        ) from None


def _product(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    return F.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)


def _matmul_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    a, b = (_conjugate(t) for t in node.inputs)
    ta, tb = node.attrs["transpose_a"], node.attrs["transpose_b"]
    if not ta:
        da = _product(g, b, False, not tb)
    else:
        da = _product(b, g, tb, True)
    if not tb:
        db = _product(a, g, not ta, False)
    else:
        db = _product(g, a, True, ta)
    return _unbatched(da, node.inputs[0]), _unbatched(db, node.inputs[1])


def _conjugate(x: Tensor) -> Tensor:
    return F.conj(x) if x.dtype.is_complex else x


def _unbatched(gradient: Tensor, operand: Tensor) -> Tensor:
    """The gradient summed over batch axes that were broadcast."""
    got, want = gradient.dims, operand.dims
    if want is not None and len(want) == 2 and got is not None and len(got) == 2:
        return gradient
    if got is not None and want is not None and len(got) == len(want):
        pairs = list(zip(got[:-2], want[:-2], strict=True))
        if all(dims_equal(x, y) is True for x, y in pairs):
            return gradient
    return F.sum_to_shape(gradient, F.shape(operand))


matmul = extern(
    "matmul", tf="MatMul", infer=_matmul_type, numpy=_matmul, grad=_matmul_grad,
    args=("a", "b"), dtypes={"T": DTYPES},
    samples=(
        sample(arg((3, 4)), arg((4, 5)), transpose_a=False, transpose_b=False),
        sample(arg((4, 3)), arg((4, 5)), transpose_a=True, transpose_b=False),
        sample(arg((3, 4)), arg((5, 4)), transpose_a=False, transpose_b=True),
        sample(arg((4, 3)), arg((5, 4)), transpose_a=True, transpose_b=True),
        sample(arg((2, 3, 4)), arg((2, 4, 5)), transpose_a=False, transpose_b=False),
        sample(arg((2, 4, 3)), arg((4, 5)), transpose_a=True, transpose_b=False),
        sample(arg((3, 1, 2, 4)), arg((2, 5, 4)), transpose_a=False, transpose_b=True),
        sample(arg((0, 4)), arg((4, 5)), transpose_a=False, transpose_b=False, grad=False),
        sample(arg((3, 0)), arg((0, 5)), transpose_a=False, transpose_b=False, grad=False),
    ),
)  # fmt: skip
