"""Random ops: pure functions of a shape and a state, and the state's source.

Lives here: rng_state, random_uniform, random_uniform_int, random_normal, truncated_normal,
random_shuffle, multinomial, random_gamma, random_poisson. Not here: the generator
(ops/philox.py), seeds and streams (runtime/state.py), TF1's functions (tf1/api_random.py).

`rng_state` is the only stateful one: the runtime gives it a new value in each run. The others can
be merged, folded and fused like any op.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import ALL, FLOAT, DType, float32, float64, int32, int64, uint32, uint64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.kernel import prims as k
from graphc.kernel.expr import Cast, Const, Expr, index
from graphc.ops import philox
from graphc.ops.define import F, InferContext, KernelContext, OpDef, host
from graphc.ops.extents import INDEX, input_dims, need_rank, scalar_value
from graphc.ops.samples import arg, fixed, sample
from graphc.ops.samples import uniform as between

Array = np.ndarray[Any, Any]
NO_PATH = "random numbers do not depend on the inputs smoothly"
_STATE = fixed([7, 11, 0, 5], uint32)
_SHAPES = tuple(fixed(s, int32, const=True) for s in ([6], [3, 5], [2, 2, 3]))



rng_state = OpDef(
    name="rng_state", tf="RngState", family="source", args=(), stateful=True,
    infer=lambda ctx: TensorType(uint32, (4,)), numpy=None,
    nograd="a random state has no inputs",
    doc="uint32 [key0, key1, counter_lo, counter_hi] of attributes seed, seed2; new in each run",
)  # fmt: skip


# ------------------------------------------------------------------ what the kernels share
def _drawn_type(ctx: InferContext, dtype: DType) -> TensorType:
    need_rank(ctx, 0, 1)
    dims = input_dims(ctx, 0)
    for d in dims or ():
        if isinstance(d, int) and d < 0:
            raise ctx.fail(f"Dimension {d} must be >= 0")
    return TensorType(dtype, None if dims is None else tuple(dims))


def _attr_type(ctx: InferContext) -> TensorType:
    return _drawn_type(ctx, ctx.attrs["dtype"])


def _state(ctx: KernelContext, i: int) -> list[Expr]:
    return [ctx.load(i, (index(j),)) for j in range(4)]


def _position(ctx: KernelContext, idx: tuple[Expr, ...]) -> Expr:
    """The row-major position of an output element."""
    at = index(0)
    for i, extent in zip(idx, ctx.out_shape(0), strict=True):
        at = at * index(extent) + i
    return at


def _extents(shape: Any) -> tuple[int, ...]:
    return tuple(int(d) for d in np.asarray(shape).tolist())


def _drawn(name: str, tf: str, numpy: Any, element: Any, doc: str) -> OpDef:
    """A float op of (shape, state) with attribute dtype.

    numpy: (count, state, dtype) -> array; element: (position, state, dtype) -> expression.
    """

    def reference(shape: Any, state: Array, dtype: DType) -> Array:
        extents = _extents(shape)
        drawn: Array = numpy(math.prod(extents), state, dtype)
        return drawn.astype(dtype.np).reshape(extents)

    def kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
        value: Expr = element(_position(ctx, idx), _state(ctx, 1), ctx.out_dtype())
        return value

    return OpDef(
        name=name, tf=tf, family="movement", args=("shape", "state"), groups=("Tshape", uint32),
        dtypes={"Tshape": INDEX}, infer=_attr_type, numpy=reference, kernel=kernel,
        shape_inputs=(0,), nograd=NO_PATH, doc=doc,
        samples=tuple(
            sample(shape, _STATE, dtype=dtype, grad=False)
            for shape in _SHAPES
            for dtype in (float32, float64)
        ),
    )  # fmt: skip


# ------------------------------------------------------------------ uniform
random_uniform = _drawn(
    "random_uniform", "RandomUniform", philox.uniforms, philox.uniform,
    "uniform in [0, 1), with TF's number of random bits",
)  # fmt: skip


def _int_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 1, 0)
    need_rank(ctx, 2, 0)
    low, high = scalar_value(ctx, 1), scalar_value(ctx, 2)
    if isinstance(low, int) and isinstance(high, int) and low >= high:
        raise ctx.fail(f"Need minval < maxval, got {low} >= {high}")
    return _drawn_type(ctx, ctx.dtype(1))


def _uniform_int(shape: Any, minval: Array, maxval: Array, state: Array) -> Array:
    """int32: the high half of word * range; int64: the 64-bit word modulo the range, as TF."""
    extents = _extents(shape)
    count, low, high = math.prod(extents), int(minval), int(maxval)
    if low >= high:
        raise InvalidArgumentError(f"Need minval < maxval, got {low} >= {high}")
    if minval.dtype == np.int32:
        wide = philox.words(count, state).astype(np.uint64) * np.uint64(high - low)
        offsets = wide >> np.uint64(32)
    else:
        offsets = philox.word_pairs(count, state) % np.uint64(high - low)
    wrapped = offsets + np.uint64(low % 2**64)  # modulo 2^64: what the sum of int64s does too
    return wrapped.astype(minval.dtype).reshape(extents)


def _uniform_int_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    at, state = _position(ctx, idx), _state(ctx, 3)
    low, high = ctx.load(1, ()), ctx.load(2, ())
    gap = Cast(high, int64) - Cast(low, int64)
    if low.dtype is int32:
        # flags an empty range
        zero = Cast(k.check_index(index(0), gap), uint32)
        drawn = k.mulhi_u32(philox.word(at, state), Cast(gap, uint32)) + zero
        return Cast(Cast(low, uint32) + drawn, int32)
    # the gap of two int64s may not fit: the flag compares them themselves
    valid = Cast(k.lt(low, high), int64)
    zero = Cast(k.check_index(index(0), valid), uint64)
    drawn = philox.as_word64(*philox.halves(at, state), uint64)
    extent = k.maximum(Cast(high, uint64) - Cast(low, uint64), 1)
    return Cast(Cast(low, uint64) + k.floormod(drawn, extent) + zero, int64)


random_uniform_int = OpDef(
    name="random_uniform_int", tf="RandomUniformInt", family="movement",
    args=("shape", "minval", "maxval", "state"), groups=("Tshape", "T", "T", uint32),
    dtypes={"Tshape": INDEX, "T": (int32, int64)}, infer=_int_type, numpy=_uniform_int,
    kernel=_uniform_int_kernel, shape_inputs=(0,), nograd=NO_PATH,
    doc="uniform integers in [minval, maxval)",
    samples=(
        sample(_SHAPES[1], fixed(-5, int32), fixed(12, int32), _STATE, grad=False),
        sample(_SHAPES[0], fixed(-(2**31), int32), fixed(2**31 - 1, int32), _STATE, grad=False),
        sample(_SHAPES[2], fixed(-5, int64), fixed(2**40, int64), _STATE, grad=False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ normal
_LEAST = 1.0e-7  # TF's bound: log of an exact zero would be infinite
_TURN = 2.0 * math.pi


def _normals(count: int, state: Array, dtype: DType) -> Array:
    """Box and Muller's transform; element 2i is the sine, 2i + 1 the cosine of pair i."""
    wide = float64 if dtype is float64 else float32
    u = philox.uniforms(count + count % 2, state, wide).reshape(-1, 2)
    kind = u.dtype.type
    radius = np.sqrt(kind(-2) * np.log(np.maximum(u[:, 0], kind(_LEAST))))
    turns = np.stack([u[:, 1], u[:, 1] + kind(0.25)], 1)
    return (radius[:, None] * np.sin(turns * kind(_TURN))).reshape(-1)[:count]


def _normal(n: Expr, state: Sequence[Expr], dtype: DType) -> Expr:
    odd = k.eq(k.and_(n, 1), 1)
    pair = k.shr(n, 1)
    if dtype is float64:
        w = philox.block(pair, state)
        first, second = philox.as_uniform64(w[0], w[1]), philox.as_uniform64(w[2], w[3])
    else:
        low, high = philox.halves(pair, state)
        first, second = philox.as_uniform(low, float32), philox.as_uniform(high, float32)
    radius = k.sqrt(-2.0 * k.log(k.maximum(first, _LEAST)))
    # the cosine as the sine a quarter turn ahead: the sum is exact, and one sine is enough
    turn = second + k.select(odd, Const(0.25, first.dtype), Const(0.0, first.dtype))
    return radius * k.sin(turn * _TURN)


random_normal = _drawn(
    "random_normal", "RandomStandardNormal", _normals, _normal, "standard normal numbers"
)

_ERF_ROOT_2 = math.erf(math.sqrt(2.0))
_ROOT_2 = math.sqrt(2.0)


def _truncated_normals(count: int, state: Array, dtype: DType) -> Array:
    """The inverse distribution function at the middle of each of 2^bits intervals."""
    wide = float64 if dtype is float64 else float32
    u = philox.uniforms(count, state, wide)
    half = 2.0 ** -(philox.MANTISSA[wide.name] + 1)
    kind = u.dtype.type
    centred = (u - kind(0.5)) + kind(half)
    return k.TABLE["erfinv"].numpy(centred * kind(2 * _ERF_ROOT_2)) * kind(_ROOT_2)


def _truncated_normal(n: Expr, state: Sequence[Expr], dtype: DType) -> Expr:
    wide = float64 if dtype is float64 else float32
    half = 2.0 ** -(philox.MANTISSA[wide.name] + 1)
    centred = (philox.uniform(n, state, wide) - 0.5) + half
    return k.erfinv(centred * (2 * _ERF_ROOT_2)) * _ROOT_2


truncated_normal = _drawn(
    "truncated_normal", "TruncatedNormal", _truncated_normals, _truncated_normal,
    "standard normal numbers within two standard deviations, by the inverse distribution",
)  # fmt: skip


# ------------------------------------------------------------------ host steps
def _shuffle(value: Array, state: Array) -> Array:
    if value.ndim == 0:
        return value
    order = philox.generator(state).permutation(value.shape[0])
    return value[order]


random_shuffle = host(
    "random_shuffle", tf="RandomShuffle", args=("value", "state"), groups=("T", uint32),
    dtypes={"T": ALL}, infer=lambda ctx: ctx.inputs[0].type, numpy=_shuffle,
    nograd="TF1 has no gradient of it",
    samples=(sample(arg((5, 2)), _STATE, grad=False),),
)  # fmt: skip


def _multinomial_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 2)
    need_rank(ctx, 1, 0)
    logits = ctx.shape(0)
    count = scalar_value(ctx, 1)
    batch = None if logits is None else logits[0]
    return TensorType(ctx.attrs.get("output_dtype", int64), (batch, count))


def _multinomial(
    logits: Array, num_samples: Array, state: Array, output_dtype: DType = int64
) -> Array:
    """Class numbers drawn with probability softmax(logits), by the distribution function.

    A class with logit -inf is never drawn.
    """
    if int(num_samples) < 0:
        raise InvalidArgumentError(f"num_samples should be nonnegative, got {int(num_samples)}")
    if logits.shape[1] == 0:
        raise InvalidArgumentError("num_classes should be positive, got 0")
    wide = logits.astype(np.float64)
    top = np.max(wide, axis=1, keepdims=True)
    steps = np.cumsum(np.exp(wide - np.where(np.isfinite(top), top, 0)), axis=1)
    count = logits.shape[0] * int(num_samples)
    u = philox.uniforms(count, state, float64).reshape(logits.shape[0], -1)
    out = np.empty(u.shape, output_dtype.np)
    for row, (step, draw) in enumerate(zip(steps, u * steps[:, -1:], strict=True)):
        out[row] = np.minimum(np.searchsorted(step, draw, side="right"), logits.shape[1] - 1)
    return out


multinomial = host(
    "multinomial", tf="Multinomial", args=("logits", "num_samples", "state"),
    groups=("T", int32, uint32), dtypes={"T": FLOAT}, infer=_multinomial_type, numpy=_multinomial,
    shape_inputs=(1,), nograd=NO_PATH,
    samples=(sample(arg((3, 4)), fixed(5, int32, const=True), _STATE, grad=False),),
)  # fmt: skip


def _per_parameter_type(ctx: InferContext, dtype: DType) -> TensorType:
    """`shape` draws for each element of the parameter: shape, then the parameter's shape."""
    drawn = _drawn_type(ctx, dtype).shape
    given = ctx.shape(1)
    return TensorType(dtype, None if drawn is None or given is None else (*drawn, *given))


def _gamma(shape: Any, alpha: Array, state: Array) -> Array:
    wide = alpha.astype(np.float64)
    return philox.generator(state).standard_gamma(wide, (*_extents(shape), *alpha.shape))


def _poisson(shape: Any, rate: Array, state: Array, dtype: DType) -> Array:
    wide = rate.astype(np.float64)
    drawn = philox.generator(state).poisson(wide, (*_extents(shape), *rate.shape))
    return drawn.astype(dtype.np)


def _gamma_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    """How a draw moves with alpha while its probability stays: implicit reparameterisation."""
    alpha, drawn = node.inputs[1], node.outputs[0]
    moved = g * F.random_gamma_grad(alpha, drawn)
    return None, F.sum_to_shape(moved, F.shape(alpha)), None


random_gamma = host(
    "random_gamma", tf="RandomGamma", args=("shape", "alpha", "state"),
    groups=("S", "T", uint32), dtypes={"S": INDEX, "T": FLOAT}, shape_inputs=(0,),
    infer=lambda ctx: _per_parameter_type(ctx, ctx.dtype(1)), numpy=_gamma, grad=_gamma_grad,
    samples=(sample(_SHAPES[0], arg((2, 3), between(0.5, 4.0)), _STATE, grad=False),),
)  # fmt: skip

def _binomial(shape: Any, counts: Array, probs: Array, state: Array, dtype: DType) -> Array:
    n, p = np.asarray(counts, np.float64), np.asarray(probs, np.float64)
    valid = (n >= 0) & (p >= 0) & (p <= 1)
    whole, p = np.where(valid, np.floor(n), 0.0).astype(np.int64), np.where(valid, p, 0.0)
    drawn = philox.generator(state).binomial(whole, p, _extents(shape))
    return np.where(valid, drawn, -1 if dtype.is_integer else np.nan).astype(dtype.np)


random_binomial = host(
    "random_binomial", tf="RandomBinomial", args=("shape", "counts", "probs", "state"),
    groups=("S", "T", "T", uint32), dtypes={"S": INDEX, "T": FLOAT}, shape_inputs=(0,),
    infer=_attr_type, numpy=_binomial, nograd=NO_PATH,
    doc="numbers of successes; counts and probs broadcast to shape",
    samples=(
        sample(
            _SHAPES[1], arg((5,), between(1.0, 9.0)), arg((5,), between(0.1, 0.9)), _STATE,
            dtype=float32, grad=False,
        ),
    ),
)  # fmt: skip

random_poisson = host(
    "random_poisson", tf="RandomPoissonV2", args=("shape", "rate", "state"),
    groups=("S", "R", uint32), dtypes={"S": INDEX, "R": (*FLOAT, int32, int64)},
    shape_inputs=(0,), infer=lambda ctx: _per_parameter_type(ctx, ctx.attrs["dtype"]),
    numpy=_poisson, nograd=NO_PATH,
    samples=(
        sample(_SHAPES[0], arg((2,), between(0.5, 9.0)), _STATE, dtype=float32, grad=False),
        sample(_SHAPES[0], arg((2,), between(0.5, 9.0)), _STATE, dtype=int64, grad=False),
    ),
)  # fmt: skip
