"""Pooling: largest values and averages of windows, and where the largest lie.

Lives here: max_pool, max_pool3d, avg_pool, avg_pool3d and their gradients, max_pool_with_argmax,
window_position, window_pick and window_place. Not here: the user's functions (tf1/api_pool.py),
local response normalisation (ops/pool_lrn.py). Imports ops.define, ops.conv_window.

Attributes as TF has them: `ksize` and `strides` one number an axis, `padding`, `data_format`. A
window goes over all axes, so that a data format only says in which order the numbers stand.

The gradient of a maximum goes to its first position in the window, in row-major order, as TF's
does. That position is found once (window_position); reading there (window_pick) and writing there
(window_place) are transposes of each other, hence gradients of any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import FLOAT, NUMERIC, DType, int32, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.kernel import prims as k
from graphc.kernel.expr import Axis, Const, Expr, Reduce
from graphc.ops.conv_window import Window, check_strides, output_dims, padding_of
from graphc.ops.define import F, InferContext, KernelContext, OpDef, composite, movement
from graphc.ops.extents import INDEX, input_dims, need_rank, zero
from graphc.ops.reference import wide, widened
from graphc.ops.samples import Arg, Domain, arg, fixed, sample, special


# ------------------------------------------------------------------ windows
def pool_window(sizes: Sequence[Any], attrs: Any) -> Window:
    """The windows over all axes of an input."""
    rank = len(attrs["ksize"])
    padding = padding_of(attrs, range(rank))
    return Window.over(sizes, attrs["ksize"], attrs["strides"], (1,) * rank, padding)


def _pooled(ctx: InferContext, i: int) -> Any:
    """The output's shape for input i. Raises ShapeError for ranks and windows that do not fit."""
    a = ctx.attrs
    rank = len(a["ksize"])
    need_rank(ctx, i, rank)
    check_strides(ctx, rank, ("ksize", "strides"), ())
    _check_batch(ctx)
    shape = ctx.shape(i) or (None,) * rank
    padding = padding_of(a, range(1, rank))
    rest = shape[1:], a["ksize"][1:], a["strides"][1:], (1,) * (rank - 1), padding
    # no window lies along the batch, which may be empty
    return (shape[0], *output_dims(ctx, *rest))


def _check_batch(ctx: InferContext) -> None:
    if ctx.attrs["ksize"][0] != 1 or ctx.attrs["strides"][0] != 1:
        raise ctx.fail("Pooling is not yet supported on the batch dimension.")


def _shifted(x: Any, fill: Any, window: Window) -> list[Any]:
    """What each tap reads, for all outputs: arrays of the output's shape."""
    axes = range(x.ndim)
    padded = window.padded(x, fill, axes)
    return [padded[window.slices(tap, axes, x.ndim)] for tap in window.each_tap()]


def lowest(dtype: DType) -> Any:
    return -np.inf if dtype.is_floating else int(dtype.min)


# ------------------------------------------------------------------ largest value
def _pool_type(ctx: InferContext) -> TensorType:
    return TensorType(ctx.dtype(0), _pooled(ctx, 0))


def _max(x: Any, **attrs: Any) -> Any:
    x = widened(x)
    fill = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    window = pool_window(x.shape, attrs)
    return np.max(np.array(_shifted(x, fill, window)), axis=0)


def _max_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    source = pool_window(ctx.shape(0), ctx.attrs).reads(idx)
    value = ctx.load(0, source.at, source.mask, lowest(ctx.dtype(0)))
    value = k.cast(value, value.dtype.compute)
    return Reduce("max", source.axes, value, value.dtype) if source.axes else value


def _max_grad(node: Node, g: Tensor) -> tuple[Tensor]:
    x, y = node.inputs[0], node.outputs[0]
    position = F.window_position(x, y, **node.attrs)
    return (F.window_place(g, position, F.shape(x), **node.attrs),)


def _distinct() -> Domain:
    """Values far enough apart that a small step changes no maximum."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Any:
        values = rng.permutation(int(np.prod(shape, dtype=np.int64))).reshape(shape)
        return (values - (0 if dtype.is_unsigned else 7)).astype(dtype.np)

    return Domain(draw, text="distinct")


def _attrs(ksize: Any, strides: Any, padding: str, data_format: str = "NHWC") -> dict[str, Any]:
    return {"ksize": ksize, "strides": strides, "padding": padding, "data_format": data_format}


# input, output, attributes
_FLAT: tuple[Any, ...] = (
    ((2, 4, 6, 2), (2, 2, 3, 2), _attrs((1, 2, 2, 1), (1, 2, 2, 1), "VALID")),
    ((1, 5, 5, 2), (1, 3, 3, 2), _attrs((1, 3, 3, 1), (1, 2, 2, 1), "SAME")),
    ((1, 4, 5, 1), (1, 4, 5, 1), _attrs((1, 2, 3, 1), (1, 1, 1, 1), "SAME")),
    ((1, 2, 5, 4), (1, 2, 2, 2), _attrs((1, 1, 2, 2), (1, 1, 3, 2), "VALID", "NCHW")),
    ((1, 2, 2, 6), (1, 2, 2, 2), _attrs((1, 1, 1, 3), (1, 1, 1, 3), "SAME")),
    ((1, 2, 2, 1), (1, 1, 1, 1), _attrs((1, 5, 4, 1), (1, 3, 3, 1), "SAME")),
)  # fmt: skip
_SOLID: tuple[Any, ...] = (
    (
        (1, 3, 4, 3, 2), (1, 2, 2, 2, 2),
        _attrs((1, 2, 2, 2, 1), (1, 2, 2, 2, 1), "SAME", "NDHWC"),
    ),
    (
        (1, 2, 3, 4, 3), (1, 2, 2, 2, 1),
        _attrs((1, 1, 2, 2, 3), (1, 1, 1, 2, 1), "VALID", "NCDHW"),
    ),
)  # fmt: skip
_EDGES = special(np.nan, 1.0, -np.inf, 1.0, np.inf, 0.0, 2.0)


def _max_samples(cases: Sequence[Any]) -> tuple[Any, ...]:
    return (
        *(sample(arg(x, _distinct()), **a) for x, _, a in cases),
        sample(arg(cases[0][0], _EDGES), grad=False, **cases[0][2]),
    )


def _max_record(name: str, tf: str, cases: Sequence[Any]) -> OpDef:
    return OpDef(
        name=name, tf=tf, family="reduction", infer=_pool_type, kernel=_max_kernel, numpy=_max,
        grad=_max_grad, args=("input",), dtypes={"T": NUMERIC}, samples=_max_samples(cases),
    )  # fmt: skip


max_pool = _max_record("max_pool", "MaxPool", _FLAT)
max_pool3d = _max_record("max_pool3d", "MaxPool3D", _SOLID)


# ------------------------------------------------------------------ its position
def _position_type(ctx: InferContext) -> TensorType:
    return TensorType(int32, _pooled(ctx, 0))


def _position(x: Any, y: Any, **attrs: Any) -> Any:
    """The first tap, in row-major order, that holds the maximum or a NaN; -1 where none does."""
    x, y = widened(x), widened(y)
    window = pool_window(x.shape, attrs)
    inside = _shifted(np.ones(x.shape, bool), False, window)
    out = np.full(y.shape, -1, np.int32)
    for n, (part, real) in enumerate(zip(_shifted(x, 0, window), inside, strict=True)):
        hit = real & ((part == y) | (part != part)) & (out < 0)
        out[hit] = n
    return out


def _flat_tap(window: Window, taps: Sequence[Expr]) -> Expr:
    """The number of a tap in row-major order."""
    flat: Expr = zero()
    for extent, tap in zip(window.kernel, taps, strict=True):
        flat = flat * extent + tap
    return flat


def _position_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    window = pool_window(ctx.shape(0), ctx.attrs)
    taps = window.tap_axes()
    at, mask = window.source(idx, taps)
    wide = ctx.dtype(0).compute
    value = k.cast(ctx.load(0, at, mask, lowest(ctx.dtype(0))), wide)
    hit = k.eq(value, k.cast(ctx.load(1, idx), wide))
    if wide.is_floating:
        hit = k.or_(hit, k.is_nan(value))
    if mask is not None:
        hit = k.and_(mask, hit)
    number = k.select(hit, k.cast(_flat_tap(window, taps), int32), Const(window.taps, int32))
    axes = tuple(t for t in taps if isinstance(t, Axis))
    first = Reduce("min", axes, number, int32) if axes else number
    return k.select(k.lt(first, window.taps), first, Const(-1, int32))


def _position_samples() -> tuple[Any, ...]:
    return tuple(
        sample(fixed(_some(x)), fixed(_max(_some(x), **a)), grad=False, dtypes=FLOAT, **a)
        for x, _, a in (*_FLAT, *_SOLID)
    )


def _some(shape: Sequence[int]) -> Any:
    """Small integers, so that windows have ties."""
    return np.random.default_rng(5).integers(0, 4, shape).astype(np.float32)


window_position = OpDef(
    name="window_position", tf="_WindowPosition", family="reduction", infer=_position_type,
    kernel=_position_kernel, numpy=_position, args=("input", "output"),
    dtypes={"T": NUMERIC}, nograd="positions have no derivative",
    default_name="WindowPosition", samples=_position_samples(),
)  # fmt: skip


# ------------------------------------------------------------------ reading and writing there
def _taps_of(window: Window, position: Expr) -> list[Expr]:
    """The tap on each axis of a flat position."""
    taps: list[Expr] = []
    rest = position
    for extent in reversed(window.kernel):
        if extent == 1:
            taps.append(zero())
            continue
        outer = k.floordiv(rest, extent)
        taps.append(rest - outer * extent)
        rest = outer
    return taps[::-1]


def _pick_type(ctx: InferContext) -> TensorType:
    return TensorType(ctx.dtype(0), _pooled(ctx, 0))


def _pick(x: Any, position: Any, **attrs: Any) -> Any:
    window = pool_window(x.shape, attrs)
    out = np.zeros(position.shape, x.dtype)
    for n, part in enumerate(_shifted(x, np.zeros((), x.dtype), window)):
        out = np.where(position == n, part, out)
    return out


def _pick_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    window = pool_window(ctx.shape(0), ctx.attrs)
    position = k.cast(ctx.load(1, idx), int64)
    at, mask = window.source(idx, _taps_of(window, k.maximum(position, 0)))
    there = k.ge(position, 0) if mask is None else k.and_(mask, k.ge(position, 0))
    return ctx.load(0, at, there)


def _pick_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    x, position = node.inputs
    return F.window_place(g, position, F.shape(x), **node.attrs), None


def _positions(shape: Sequence[int], x: Sequence[int], attrs: Any) -> Arg:
    return fixed(_position(_some(x), _max(_some(x), **attrs), **attrs), int32)


window_pick = movement(
    "window_pick", tf="_WindowPick", infer=_pick_type, kernel=_pick_kernel, numpy=_pick,
    grad=_pick_grad, args=("input", "position"), groups=("T", int32), dtypes={"T": NUMERIC},
    default_name="WindowPick",
    samples=tuple(sample(arg(x), _positions(y, x, a), **a) for x, y, a in (*_FLAT, *_SOLID)),
)  # fmt: skip


def _place_type(ctx: InferContext) -> TensorType:
    rank = len(ctx.attrs["ksize"])
    return TensorType(ctx.dtype(0), tuple(input_dims(ctx, 2) or [None] * rank))


def _place(g: Any, position: Any, shape: Any, **attrs: Any) -> Any:
    sizes = [int(d) for d in shape]
    window = pool_window(sizes, attrs)
    axes = range(len(sizes))
    wider = np.int64 if g.dtype.kind in "iu" else np.float64
    out = window.padded(np.zeros(sizes, wider), 0, axes)
    for n, tap in enumerate(window.each_tap()):
        here = np.where(position == n, g, np.zeros((), g.dtype)).astype(wider)
        out[window.slices(tap, axes, len(sizes))] += here
    return window.trimmed(out, axes)


def _place_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    window = pool_window(ctx.out_shape(), ctx.attrs)
    hit = window.readers(idx)
    tap = k.cast(_flat_tap(window, hit.taps), int32)
    at = hit.mask
    position = ctx.load(1, hit.at, at, -1) if at is not None else ctx.load(1, hit.at)
    value = ctx.load(0, hit.at, at)
    value = k.cast(value, value.dtype.compute)
    value = k.select(k.eq(position, tap), value, 0)
    return Reduce("add", hit.axes, value, value.dtype) if hit.axes else value


window_place = OpDef(
    name="window_place", tf="_WindowPlace", family="reduction", infer=_place_type,
    kernel=_place_kernel, numpy=_place,
    grad=lambda node, g: (F.window_pick(g, node.inputs[1], **node.attrs), None, None),
    args=("gradient", "position", "shape"), groups=("T", int32, "Index"),
    dtypes={"T": NUMERIC, "Index": INDEX}, shape_inputs=(2,), default_name="WindowPlace",
    samples=tuple(
        sample(arg(y), _positions(y, x, a), fixed(x, int32, const=True), **a)
        for x, y, a in (*_FLAT, *_SOLID)
    ),
)  # fmt: skip


# ------------------------------------------------------------------ maximum with its place
def _argmax_type(ctx: InferContext) -> tuple[TensorType, ...]:
    shape = _pooled(ctx, 0)
    return TensorType(ctx.dtype(0), shape), TensorType(ctx.attrs["Targmax"], shape)


def _inner(attrs: Any) -> tuple[dict[str, Any], bool]:
    """(attributes of the pool, whether flat positions count the batch)."""
    rest = {n: v for n, v in attrs.items() if n not in ("Targmax", "include_batch_in_index")}
    return {**rest, "data_format": "NHWC"}, attrs.get("include_batch_in_index", False)


def _with_argmax(x: Any, **attrs: Any) -> tuple[Any, Any]:
    inner, batch = _inner(attrs)
    window = pool_window(x.shape, inner)
    y = _max(x, **inner)
    place = np.arange(x.size, dtype=np.int64).reshape(x.shape)
    if not batch:
        place = place % max(int(np.prod(x.shape[1:], dtype=np.int64)), 1)
    position = _position(x, y, **inner)
    return y, _pick(place, position, **{**inner}) if window.taps else place


def _argmax_expand(node: Node) -> tuple[Tensor, Tensor]:
    inner, batch = _inner(node.attrs)
    x = node.inputs[0]
    y = F.max_pool(x, **inner)
    position = F.window_position(x, y, **inner)
    flat = F.window_offset(position, F.shape(x), include_batch_in_index=batch, **inner)
    return y, F.cast(flat, dtype=node.attrs["Targmax"])


def _argmax_grad(node: Node, g: Tensor | None, _: Any) -> tuple[Any, ...]:
    if g is None:
        return (None,)
    inner, _batch = _inner(node.attrs)
    x, y = node.inputs[0], node.outputs[0]
    position = F.window_position(x, y, **inner)
    return (F.window_place(g, position, F.shape(x), **inner),)


def _offset_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    inner, batch = _inner(ctx.attrs)
    sizes = [KernelContext.dim(d) for d in _sizes(ctx)]
    window = pool_window(_sizes(ctx), inner)
    position = k.cast(ctx.load(0, idx), int64)
    at, _ = window.source(idx, _taps_of(window, k.maximum(position, 0)))
    flat: Expr = at[0] if batch else zero()
    for size, x in zip(sizes[1:], at[1:], strict=True):
        flat = flat * size + x
    return flat


def _sizes(ctx: KernelContext) -> list[Any]:
    return [d if not isinstance(d, np.integer) else int(d) for d in ctx.value(1).tolist()]


def _offset(position: Any, shape: Any, **attrs: Any) -> Any:
    inner, batch = _inner(attrs)
    sizes = [int(d) for d in shape]
    place = np.arange(int(np.prod(sizes, dtype=np.int64)), dtype=np.int64).reshape(sizes)
    if not batch:
        place = place % max(int(np.prod(sizes[1:], dtype=np.int64)), 1)
    return _pick(place, position, **inner)


window_offset = OpDef(
    name="window_offset", tf="_WindowOffset", family="movement",
    infer=lambda ctx: TensorType(int64, ctx.shape(0)), kernel=_offset_kernel, numpy=_offset,
    args=("position", "shape"), groups=(int32, "Index"), dtypes={"Index": INDEX},
    shape_inputs=(1,), nograd="positions have no derivative", default_name="WindowOffset",
    samples=tuple(
        sample(
            _positions(y, x, a), fixed(x, int32, const=True), grad=False,
            include_batch_in_index=n % 2 == 0, **a,
        )
        for n, (x, y, a) in enumerate((_FLAT[0], _FLAT[1], _FLAT[2]))
    ),
)  # fmt: skip

max_pool_with_argmax = composite(
    "max_pool_with_argmax", tf="MaxPoolWithArgmax", infer=_argmax_type, numpy=_with_argmax,
    expand=_argmax_expand, grad=_argmax_grad, args=("input",), dtypes={"T": NUMERIC},
    samples=tuple(
        sample(
            arg(x, _distinct()), Targmax=int64, include_batch_in_index=n == 1,
            **{name: v for name, v in a.items() if name != "data_format"},
        )
        for n, (x, _, a) in enumerate((_FLAT[0], _FLAT[1], _FLAT[2]))
    ),
)  # fmt: skip


# ------------------------------------------------------------------ averages
def _average(x: Any, **attrs: Any) -> Any:
    window = pool_window(x.shape, attrs)
    total = np.sum(np.array(_shifted(x.astype(np.float64), 0.0, window)), axis=0)
    return total / _counts(x.shape, window)


def _counts(sizes: Sequence[int], window: Window) -> Any:
    return np.sum(np.array(_shifted(np.ones(sizes), 0.0, window)), axis=0)


def _average_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    window = pool_window(ctx.shape(0), ctx.attrs)
    source = window.reads(idx)
    value = ctx.load(0, source.at, source.mask)
    value = k.cast(value, value.dtype.compute)
    total = Reduce("add", source.axes, value, value.dtype) if source.axes else value
    return total / k.cast(window.count(idx), value.dtype)


def _average_back(x: Any, g: Any, **attrs: Any) -> Any:
    sizes = [int(d) for d in x]
    window = pool_window(sizes, attrs)
    share = g.astype(np.float64) / _counts(sizes, window)
    axes = range(len(sizes))
    out = window.padded(np.zeros(sizes), 0.0, axes)
    for tap in window.each_tap():
        out[window.slices(tap, axes, len(sizes))] += share
    return window.trimmed(out, axes)


def _average_back_type(ctx: InferContext) -> TensorType:
    rank = len(ctx.attrs["ksize"])
    return TensorType(ctx.dtype(1), tuple(input_dims(ctx, 0) or [None] * rank))


def _average_back_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    window = pool_window(ctx.out_shape(), ctx.attrs)
    hit = window.readers(idx)
    value = ctx.load(1, hit.at, hit.mask)
    value = k.cast(value, value.dtype.compute)
    # outside the output there are no elements: the value is 0 and the divisor must not be
    count = k.maximum(window.count(hit.at), 1)
    value = value / k.cast(count, value.dtype)
    return Reduce("add", hit.axes, value, value.dtype) if hit.axes else value


def _average_records(names: Sequence[str], types: Sequence[str], cases: Any) -> tuple[Any, Any]:
    forward = OpDef(
        name=names[0], tf=types[0], family="reduction", infer=_pool_type, kernel=_average_kernel,
        numpy=wide(_average),
        grad=lambda node, g: (getattr(F, names[1])(F.shape(node.inputs[0]), g, **node.attrs),),
        args=("value",), dtypes={"T": FLOAT},
        samples=tuple(sample(arg(x), **a) for x, _, a in cases),
    )  # fmt: skip
    back = OpDef(
        name=names[1], tf=types[1], family="reduction", infer=_average_back_type,
        kernel=_average_back_kernel, numpy=_average_back,
        grad=lambda node, gg: (None, getattr(F, names[0])(gg, **node.attrs)),
        args=("orig_input_shape", "grad"), groups=(int32, "T"), dtypes={"T": FLOAT},
        shape_inputs=(0,),
        samples=tuple(
            sample(fixed(x, int32, const=True), arg(y), **a) for x, y, a in cases
        ),
    )  # fmt: skip
    return forward, back


avg_pool, avg_pool_grad = _average_records(
    ("avg_pool", "avg_pool_grad"), ("AvgPool", "AvgPoolGrad"), _FLAT
)
avg_pool3d, avg_pool3d_grad = _average_records(
    ("avg_pool3d", "avg_pool3d_grad"), ("AvgPool3D", "AvgPool3DGrad"), _SOLID
)
