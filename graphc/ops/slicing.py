"""Slices: slice, strided_slice and its adjoint.

Lives here: the records, and the one reading of begin, end, strides and masks (`plan_slices`) that
shape rule, reference and kernel share. Not here: gathers by tensors (ops/index.py), Tensor's
__getitem__ (tf1/api_slicing.py builds masks from Python keys). Imports ops.define.

A StridedSlice is a NumPy index written as three vectors: bit i of a mask says that entry i has no
begin or end, is an ellipsis, a new axis, or a single index whose axis disappears.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import ALL, int32, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import Dim, PartialDim, SymDim, current_env, evaluate, map_dims
from graphc.kernel import prims as k
from graphc.kernel.expr import Expr, index
from graphc.ops.define import F, InferContext, KernelContext, movement
from graphc.ops.extents import (
    INDEX,
    below_zero,
    both,
    ceil_div,
    dim_index,
    fixed_dim,
    index_input,
    input_dims,
    is_negative,
    larger,
    smaller,
    unknown_shape,
    zero,
    zero_of,
)
from graphc.ops.samples import arg, fixed, sample
from graphc.ops.values import value_of

MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


# ------------------------------------------------------------------ the reading of a spec
@dataclass(frozen=True)
class AxisSlice:
    """What a spec does to one axis of the input; entry: its position in begin/end/strides."""

    axis: int
    entry: int | None = None  # None: the whole axis, from an ellipsis or beyond the spec
    whole_begin: bool = True
    whole_end: bool = True
    shrink: bool = False


@dataclass(frozen=True)
class NewAxis:
    """A new output axis of extent one."""


class SpecError(ValueError):
    """A spec that does not fit the rank."""


def read_spec(rank: int, length: int, masks: Mapping[str, int]) -> list[AxisSlice | NewAxis]:
    """The entries of a spec in the order of the output's axes (shrunk ones included).

    Raises:
        SpecError: more than one ellipsis, or more entries than axes.
    """
    ellipsis, new = masks.get("ellipsis_mask", 0), masks.get("new_axis_mask", 0)
    if ellipsis & (ellipsis - 1):
        raise SpecError("Multiple ellipses in slice spec not allowed")
    used = sum(not (ellipsis | new) >> i & 1 for i in range(length))
    if used > rank:
        raise SpecError(f"Index out of range using input dim {rank}; input has only {rank} dims")
    out: list[AxisSlice | NewAxis] = []
    axis = 0
    for i in range(length):
        bit = 1 << i
        if ellipsis & bit:
            out.extend(AxisSlice(a) for a in range(axis, axis + rank - used))
            axis += rank - used
        elif new & bit:
            out.append(NewAxis())
        else:
            out.append(_entry(axis, i, masks))
            axis += 1
    out.extend(AxisSlice(a) for a in range(axis, rank))
    return out


def _entry(axis: int, i: int, masks: Mapping[str, int]) -> AxisSlice:
    begin, end, shrink = (
        bool(masks.get(m, 0) >> i & 1) for m in ("begin_mask", "end_mask", "shrink_axis_mask")
    )
    return AxisSlice(axis, i, begin and not shrink, end and not shrink, shrink)


def first_of(spec: AxisSlice, dim: Dim, begin: Dim, stride: int) -> Dim:
    """The input position of output position 0, by NumPy's clamping; only the sign of stride
    matters."""
    if spec.whole_begin:
        return 0 if stride > 0 else dim - 1
    at = begin + dim if is_negative(begin) else begin
    if spec.shrink:
        return at
    if stride > 0:
        return smaller(larger(at, 0), dim)
    return smaller(larger(at, -1), dim - 1)


def extent_of(spec: AxisSlice, dim: Dim, begin: Dim, end: Dim, stride: int) -> Dim:
    """How many elements the slice of one axis takes."""
    if spec.whole_begin and spec.whole_end:
        return ceil_div(dim, abs(stride))
    first = first_of(spec, dim, begin, stride)
    if spec.whole_end:
        stop: Dim = dim if stride > 0 else -1
    else:
        stop = end + dim if is_negative(end) else end
        stop = smaller(larger(stop, 0), dim) if stride > 0 else smaller(larger(stop, -1), dim - 1)
    span = stop - first if stride > 0 else first - stop
    return ceil_div(larger(span, 0), abs(stride))


# ------------------------------------------------------------------ shape rules
def _entries(ctx: InferContext, i: int, length: int) -> list[Any]:
    got = input_dims(ctx, i)
    return [None] * length if got is None else got


def _spec_length(ctx: InferContext, first: int) -> int | None:
    for i in range(first, first + 3):
        shape = ctx.shape(i)
        length = fixed_dim(shape[0]) if shape is not None and len(shape) == 1 else None
        if length is not None:
            return length
    return None


def _strided_slice_type(ctx: InferContext) -> TensorType:
    shape, length = ctx.shape(0), _spec_length(ctx, 1)
    if length is None or shape is None:
        return TensorType(ctx.dtype(0), None)
    try:
        spec = read_spec(len(shape), length, ctx.attrs)
    except SpecError as err:
        raise ctx.fail(str(err)) from None
    begin, end, strides = (_entries(ctx, i, length) for i in (1, 2, 3))
    out: list[PartialDim] = []
    for part in spec:
        if isinstance(part, NewAxis):
            out.append(1)
        elif part.entry is None:
            out.append(shape[part.axis])
        else:
            dim = _slice_dim(ctx, part, shape[part.axis], begin, end, strides)
            out.extend(() if part.shrink else (dim,))
    return TensorType(ctx.dtype(0), tuple(out))


def _slice_dim(
    ctx: InferContext, part: AxisSlice, dim: PartialDim, begin: Any, end: Any, strides: Any
) -> PartialDim:
    assert part.entry is not None
    b, e, s = begin[part.entry], end[part.entry], fixed_dim(strides[part.entry])
    if isinstance(s, int) and s == 0:
        raise ctx.fail(f"strides[{part.entry}] must be non-zero")
    if part.shrink:
        if isinstance(s, int) and s < 0:
            raise ctx.fail("only stride 1 allowed on non-range indexing.")
        if b is not None and dim is not None and _outside(b, dim):
            raise ctx.fail(f"slice index {b} of dimension {part.axis} out of bounds.")
        return 1
    if not isinstance(s, int):
        return None
    if dim is None:
        return _extent_of_unknown(part, b, e, s)
    if (b is None and not part.whole_begin) or (e is None and not part.whole_end):
        return None
    return extent_of(part, dim, b, e, s)


def _outside(at: Dim, dim: Dim) -> bool:
    """Whether an index misses the axis; for symbols as it is now, the kernel checks again."""
    env = current_env()
    if env is not None:
        at, dim = evaluate(at, env.hints), evaluate(dim, env.hints)
    if isinstance(at, SymDim) or isinstance(dim, SymDim):
        return False
    return not -dim <= at < dim


def _extent_of_unknown(part: AxisSlice, b: Any, e: Any, s: int) -> PartialDim:
    """The extent of x[b:e:s] when x's is unknown: known only where it is surely nothing."""
    if part.whole_begin or part.whole_end or not isinstance(b, int) or not isinstance(e, int):
        return None
    same_sign = (b < 0) == (e < 0)
    return 0 if same_sign and (e - b) * s <= 0 else None


# ------------------------------------------------------------------ reference
def numpy_key(
    begin: Any, end: Any, strides: Any, masks: Mapping[str, int], shape: Sequence[int]
) -> tuple[Any, ...]:
    """The spec as an index that NumPy takes."""
    key: list[Any] = []
    try:
        spec = read_spec(len(shape), len(begin), masks)
    except SpecError as err:
        raise InvalidArgumentError(str(err)) from None
    for part in spec:
        if isinstance(part, NewAxis):
            key.append(None)
        elif part.entry is None:
            key.append(slice(None))
        elif part.shrink:
            key.append(_checked(int(begin[part.entry]), part.axis, shape[part.axis]))
        else:
            i = part.entry
            if int(strides[i]) == 0:
                raise InvalidArgumentError(f"strides[{i}] must be non-zero")
            first = None if part.whole_begin else int(begin[i])
            last = None if part.whole_end else int(end[i])
            key.append(slice(first, last, int(strides[i])))
    return tuple(key)


def _checked(at: int, axis: int, dim: int) -> int:
    if not -dim <= at < dim:
        raise InvalidArgumentError(f"slice index {at} of dimension {axis} out of bounds.")
    return at


def _strided_slice(x: Any, begin: Any, end: Any, strides: Any, **masks: int) -> Any:
    return x[numpy_key(begin, end, strides, masks, x.shape)]


def _strided_slice_grad_np(
    shape: Any, begin: Any, end: Any, strides: Any, dy: Any, **masks: int
) -> Any:
    dims = tuple(int(d) for d in shape)
    out = np.zeros(dims, dy.dtype)
    out[numpy_key(begin, end, strides, masks, dims)] = dy
    return out


# ------------------------------------------------------------------ kernels
def _numbers(node: Node, i: int, entry: int) -> Any:
    value = value_of(node.inputs[i])
    return None if value is None else value.reshape(-1)[entry]


def _stride(node: Node, i: int, entry: int) -> tuple[Dim, int]:
    """A stride and its sign (the plan is guarded to hold for this stride alone)."""
    stride = _numbers(node, i, entry)
    assert stride is not None, f"{node.text_name}: strides must be known"
    if isinstance(stride, SymDim):
        return stride, 1 if any(coef > 0 for _, coef in stride.terms) else -1
    return int(stride), 1 if stride > 0 else -1


def _first(ctx: KernelContext, part: AxisSlice, dim: Dim, base: int) -> tuple[Expr, Dim, int]:
    """The input position of output position 0, as an expression; the stride and its sign."""
    if part.entry is None:
        return zero(), 1, 1
    stride, sign = (1, 1) if part.shrink else _stride(ctx.node, base + 2, part.entry)
    begin = _numbers(ctx.node, base, part.entry)
    if part.whole_begin:
        return dim_index(first_of(part, dim, 0, sign)), stride, sign
    if begin is not None:
        value = begin if isinstance(begin, SymDim) else int(begin)
        return dim_index(first_of(part, dim, value, sign)), stride, sign
    at = index_input(ctx, base, part.entry)
    at = k.select(k.lt(at, 0), at + index(dim), at)
    if part.shrink:
        return k.check_index(at, index(dim)), stride, sign
    low, high = (0, index(dim)) if sign > 0 else (-1, index(dim) - 1)
    return k.minimum(k.maximum(at, low), high), stride, sign


def _strided_slice_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    shape, at = ctx.shape(0), []
    outs = iter(idx)
    for part in read_spec(len(shape), _known_length(ctx.node, 1), ctx.attrs):
        if isinstance(part, NewAxis):
            next(outs)
            continue
        first, stride, _ = _first(ctx, part, shape[part.axis], 1)
        if part.shrink:
            at.append(_in_range(ctx.node, part, first, shape[part.axis]))
        else:
            at.append(first + next(outs) * index(stride))
    return ctx.load(0, at)


def _in_range(node: Node, part: AxisSlice, first: Expr, dim: Dim) -> Expr:
    """A single index, checked at run time unless the shape rule could do it."""
    begin = _numbers(node, 1, part.entry or 0)
    settled = begin is None or (isinstance(begin, int | np.integer) and isinstance(dim, int))
    return first if settled else k.check_index(first, index(dim))


def _known_length(node: Node, i: int) -> int:
    for t in node.inputs[i : i + 3]:
        value = value_of(t)
        if value is not None:
            return value.size
        if t.dims is not None and len(t.dims) == 1 and isinstance(t.dims[0], int):
            return t.dims[0]
    raise AssertionError(f"{node.text_name}: the number of slices must be known")


def _strided_slice_grad_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    shape, at = ctx.out_shape(), []
    dy_shape = ctx.shape(4)
    mask: Expr | None = None
    position = 0
    for part in read_spec(len(shape), _known_length(ctx.node, 1), ctx.attrs):
        if isinstance(part, NewAxis):
            at.append(zero())
            position += 1
            continue
        x, dim = idx[part.axis], shape[part.axis]
        first, stride, sign = _first(ctx, part, dim, 1)
        if part.shrink:
            mask = both(mask, k.eq(x, first))
            continue
        extent = dy_shape[position]
        position += 1
        if part.entry is None or (extent == dim and stride == 1):
            at.append(x)
            continue
        ahead, step = (x - first, stride) if sign > 0 else (first - x, -stride)
        source, inside = _inverse(ahead, step, extent, dim)
        at.append(source)
        mask = both(mask, inside)
    return ctx.load(4, at, mask, 0)


def _inverse(ahead: Expr, step: Dim, extent: Dim, dim: Dim) -> tuple[Expr, Expr | None]:
    """The output position that reads the input `ahead` of the first one, where there is one."""
    if step == 1:
        if extent == dim:
            return ahead, None
        return ahead, k.and_(k.ge(ahead, 0), k.lt(ahead, index(extent)))
    at = k.floordiv(ahead, index(step))
    exact = k.eq(k.floormod(ahead, index(step)), 0)
    return at, k.and_(exact, k.and_(k.ge(at, 0), k.lt(at, index(extent))))


# ------------------------------------------------------------------ strided_slice
def _strided_slice_gradient(node: Node, g: Tensor) -> tuple[Any, ...]:
    x, begin, end, strides = node.inputs
    shape = F.shape(x, out_type=begin.dtype)
    back = F.strided_slice_grad(shape, begin, end, strides, g, **node.attrs)
    return (back, None, None, None)


def _vectors(*rows: Sequence[int]) -> tuple[Any, ...]:
    return tuple(fixed(np.array(r), int32, const=True) for r in rows)


strided_slice = movement(
    "strided_slice", tf="StridedSlice", default_name="strided_slice", infer=_strided_slice_type,
    kernel=_strided_slice_kernel, numpy=_strided_slice, grad=_strided_slice_gradient,
    args=("input", "begin", "end", "strides"), groups=("T", "Index", "Index", "Index"),
    dtypes={"T": ALL, "Index": INDEX}, shape_inputs=(1, 2, 3), index_inputs=(1, 2),
    samples=(
        sample(arg((5, 6)), *_vectors([1, 0], [4, 5], [2, 1])),
        sample(arg((5, 6)), *_vectors([-1, 4], [-5, 0], [-2, -1])),
        sample(arg((5, 6)), *_vectors([3, 0], [4, 0], [1, 1]), shrink_axis_mask=1, end_mask=2),
        sample(arg((2, 3, 4)), *_vectors([0, 0, -1], [0, 0, 0], [1, 1, 1]), ellipsis_mask=1,
               new_axis_mask=2, shrink_axis_mask=4),
        sample(arg((7,)), *_vectors([0], [0], [-1]), begin_mask=1, end_mask=1),
        sample(arg((7,)), *_vectors([0], [0], [3]), begin_mask=1, end_mask=1),
        sample(arg((7,)), *_vectors([5], [2], [1]), grad=False),
    ),
)  # fmt: skip


def _grad_type(ctx: InferContext) -> TensorType:
    dims = input_dims(ctx, 0)
    return TensorType(ctx.dtype(4), None if dims is None else tuple(dims))


def _known(vector: Tensor) -> bool:
    value = value_of(vector)
    return value is not None and None not in value.reshape(-1).tolist()


def _strided_slice_grad_gradient(node: Node, g: Tensor) -> tuple[Any, ...]:
    _, begin, end, strides, dy = node.inputs
    whole = any(node.attrs.values()) or _known(begin)
    back = F.strided_slice(g, begin, end, strides, **node.attrs) if whole else (
        F.slice(g, begin, F.shape(dy, out_type=begin.dtype)))  # fmt: skip
    return (None, None, None, None, back)


strided_slice_grad = movement(
    "strided_slice_grad", tf="StridedSliceGrad", infer=_grad_type,
    kernel=_strided_slice_grad_kernel, numpy=_strided_slice_grad_np,
    grad=_strided_slice_grad_gradient, args=("shape", "begin", "end", "strides", "dy"),
    groups=("Index", "Index", "Index", "Index", "T"), dtypes={"T": ALL, "Index": INDEX},
    shape_inputs=(0, 1, 2, 3), index_inputs=(1, 2),
    samples=(
        sample(*_vectors([5, 6], [1, 0], [4, 5], [2, 1]), arg((2, 5))),
        sample(*_vectors([5, 6], [-1, 4], [-5, 0], [-2, -1]), arg((2, 4))),
        sample(*_vectors([5, 6], [3, 0], [4, 0], [1, 1]), arg((6,)), shrink_axis_mask=1,
               end_mask=2),
        sample(*_vectors([7], [0], [0], [-1]), arg((7,)), begin_mask=1, end_mask=1),
        sample(*_vectors([7], [0], [0], [-3]), arg((3,)), begin_mask=1, end_mask=1),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ slice
def _slice_type(ctx: InferContext) -> TensorType:
    begin, size, shape = input_dims(ctx, 1), input_dims(ctx, 2), ctx.shape(0)
    lengths = {len(v) for v in (begin, size, shape) if v is not None}
    if len(lengths) > 1:
        raise ctx.fail("begin, size and input must have one rank, but have " + str(sorted(lengths)))
    if not lengths:
        return TensorType(ctx.dtype(0), None)
    rank = lengths.pop()
    if size is None:
        return TensorType(ctx.dtype(0), unknown_shape(rank))
    begin = begin or [None] * rank
    dims = shape or (None,) * rank
    out = tuple(_sliced(ctx, i, begin[i], size[i], dims[i]) for i in range(rank))
    return TensorType(ctx.dtype(0), out)


def _sliced(ctx: InferContext, i: int, b: Any, size: Any, dim: PartialDim) -> PartialDim:
    rest = map_dims(lambda d, first: d - first, dim, b)
    if below_zero(b) or below_zero(rest):
        raise ctx.fail(f"Expected begin[{i}] in [0, {dim}], but got {b}")
    if isinstance(size, int) and size == -1:
        return rest
    if below_zero(size) or below_zero(map_dims(lambda r, n: r - n, rest, size)):
        raise ctx.fail(f"Expected size[{i}] in [0, {rest}], but got {size}")
    return size


def _slice(x: Any, begin: Any, size: Any) -> Any:
    key = []
    for i, (b, n) in enumerate(zip(np.asarray(begin).tolist(), np.asarray(size).tolist(),
                                   strict=True)):  # fmt: skip
        if not 0 <= b <= x.shape[i]:
            raise InvalidArgumentError(f"Expected begin[{i}] in [0, {x.shape[i]}], but got {b}")
        rest = x.shape[i] - b
        if not -1 <= n <= rest:
            raise InvalidArgumentError(f"Expected size[{i}] in [0, {rest}], but got {n}")
        key.append(slice(b, x.shape[i] if n == -1 else b + n))
    return x[tuple(key)]


def _slice_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    shape, out = ctx.shape(0), ctx.out_shape()
    at = []
    for i, x in enumerate(idx):
        if shape[i] == out[i]:
            at.append(x)
            continue
        begin = _numbers(ctx.node, 1, i)
        first = index_input(ctx, 1, i)
        if begin is None:
            last = index(shape[i]) - index(out[i]) + 1
            first = k.check_index(first, last)
        at.append(first + x)
    return ctx.load(0, at)


def _slice_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    x, begin, _ = node.inputs
    kind = begin.dtype
    if not _known(begin):  # a pad's widths decide its shape; this takes it from x
        shape, ones = F.shape(x, out_type=kind), F.ones_like(begin)
        end = F.add(begin, F.shape(g, out_type=kind))
        return F.strided_slice_grad(shape, begin, end, ones, g), None, None
    after = F.subtract(F.subtract(F.shape(x, out_type=kind), F.shape(g, out_type=kind)), begin)
    return (F.pad(g, F.stack(begin, after, axis=1), zero_of(g.dtype)), None, None)


slice_ = movement(
    "slice", tf="Slice", infer=_slice_type, kernel=_slice_kernel, numpy=_slice, grad=_slice_grad,
    args=("input", "begin", "size"), groups=("T", "Index", "Index"),
    dtypes={"T": ALL, "Index": INDEX}, shape_inputs=(1, 2), index_inputs=(1,),
    samples=(
        sample(arg((5, 6)), *_vectors([1, 2], [3, -1])),
        sample(arg((5, 6)), *_vectors([0, 0], [5, 6])),
        sample(arg((4,)), fixed([3], int64, const=True), fixed([1], int64, const=True)),
    ),
)  # fmt: skip

