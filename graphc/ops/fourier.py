"""Discrete Fourier transforms of one to three dimensions: host steps by NumPy's.

Lives here: fft, ifft, rfft, irfft and their kin of two and three dimensions. Not here: TF1's
functions, windows and frames (tf1/api_fourier.py, tf1/api_signal.py). Imports ops.define.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import COMPLEX, complex64, complex128, float32, float64, int32
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ops.define import F, InferContext, OpDef, host
from graphc.ops.samples import fixed, sample

Array = np.ndarray[Any, Any]
_Z = (np.arange(24.0).reshape(2, 3, 4) % 7 + 1j * (np.arange(24).reshape(2, 3, 4) % 5)) / 3
_X = np.cos(np.arange(24.0)).reshape(2, 3, 4)
_SUFFIX = {1: "", 2: "2d", 3: "3d"}


def _axes(rank: int) -> tuple[int, ...]:
    return tuple(range(-rank, 0))


def _need_axes(ctx: InferContext, rank: int) -> Any:
    shape = ctx.shape(0)
    if shape is not None and len(shape) < rank:
        raise ctx.fail(f"Shape must be at least rank {rank} but is rank {len(shape)}")
    return shape


def _count(x: Tensor, rank: int) -> Tensor:
    """How many numbers one transform has, as a tensor of x's dtype."""
    extents = F.slice(
        F.shape(x), F.fill(np.array([1], np.int32), F.subtract(F.rank(x), rank)),
        np.array([rank], np.int32),
    )  # fmt: skip
    size = F.cast(F.reduce_prod(extents, axes=None, keepdims=False), dtype=x.dtype.real_dtype)
    return F.complex(size, F.zeros_like(size)) if x.dtype.is_complex else size


# ------------------------------------------------------------------ complex to complex
def _complex_op(rank: int, inverse: bool) -> OpDef:
    function = np.fft.ifftn if inverse else np.fft.fftn
    name = ("ifft" if inverse else "fft") + _SUFFIX[rank]

    def infer(ctx: InferContext) -> TensorType:
        return TensorType(ctx.dtype(0), _need_axes(ctx, rank))

    def numpy(x: Array) -> Array:
        return function(x, axes=_axes(rank)).astype(x.dtype)

    def grad(node: Node, g: Tensor) -> tuple[Tensor]:
        if inverse:
            return (F.divide(getattr(F, name[1:])(g), _count(g, rank)),)
        return (F.multiply(getattr(F, f"i{name}")(g), _count(g, rank)),)

    return host(
        name, tf=name.upper(), args=("input",), dtypes={"Tcomplex": COMPLEX},
        groups=("Tcomplex",), infer=infer, numpy=numpy, grad=grad,
        doc=f"the {'inverse ' if inverse else ''}transform over the last {rank} axes",
        samples=(sample(fixed(_Z, complex64), grad=False),),
    )  # fmt: skip


fft, fft2d, fft3d = (_complex_op(rank, False) for rank in (1, 2, 3))
ifft, ifft2d, ifft3d = (_complex_op(rank, True) for rank in (1, 2, 3))


# ------------------------------------------------------------------ real to complex and back
def _lengths(ctx: InferContext, rank: int) -> list[Any]:
    known = ctx.value(1)
    if known is None:
        return [None] * rank
    if len(known) != rank:
        raise ctx.fail(f"Dimension must be {rank} but is {len(known)}")
    return [None if d is None else (int(d) if isinstance(d, int | np.integer) else d)
            for d in known.tolist()]  # fmt: skip


def _real_op(rank: int) -> OpDef:
    name = "rfft" + _SUFFIX[rank]

    def infer(ctx: InferContext) -> TensorType:
        dtype = complex128 if ctx.dtype(0) is float64 else complex64
        shape = _need_axes(ctx, rank)
        lengths = _lengths(ctx, rank)
        half = None if lengths[-1] is None else lengths[-1] // 2 + 1
        if shape is None:
            return TensorType(dtype, None)
        return TensorType(dtype, (*shape[:-rank], *lengths[:-1], half))

    def numpy(x: Array, fft_length: Any) -> Array:
        extents = tuple(int(d) for d in np.asarray(fft_length))
        out = np.fft.rfftn(x, extents, axes=_axes(rank))
        return out.astype(np.complex128 if x.dtype == np.float64 else np.complex64)

    def grad(node: Node, g: Tensor) -> tuple[Any, ...]:
        """The adjoint: zeros for the half that is not there, then the other direction."""
        x = node.inputs[0]
        missing = F.subtract(F.shape(x)[-1], F.shape(g)[-1])
        rank_g = F.rank(g)
        last = F.equal(F.range(0, rank_g, 1), F.subtract(rank_g, 1))
        after = F.multiply(F.cast(last, dtype=int32), missing)
        pads = F.stack(F.zeros_like(after), after, axis=1)
        zero = F.complex(np.zeros((), x.dtype.np), np.zeros((), x.dtype.np))
        full = F.pad(g, pads, zero)
        back = getattr(F, "ifft" + _SUFFIX[rank])(full)
        return F.multiply(F.real(back), _count(x, rank)), None

    return host(
        name, tf=name.upper(), args=("input", "fft_length"), groups=("Treal", int32),
        dtypes={"Treal": (float32, float64)}, shape_inputs=(1,), infer=infer, numpy=numpy,
        grad=grad, doc=f"the transform of real numbers over the last {rank} axes: half of it",
        samples=(
            sample(fixed(_X, float32), fixed(_X.shape[-rank:], int32, const=True), grad=False),
        ),
    )  # fmt: skip


def _weights(g: Tensor, spectrum: Tensor) -> Tensor:
    """How often each number of a half spectrum stands in the whole one: 1 or 2."""
    half, size = F.shape(spectrum)[-1], F.shape(g)[-1]
    at = F.range(0, half, 1)
    single = F.logical_or(F.equal(at, 0), F.equal(F.multiply(at, 2), size))
    weights = F.subtract(2, F.cast(single, dtype=int32))
    real = F.cast(weights, dtype=g.dtype)
    return F.complex(real, F.zeros_like(real))


def _half_op(rank: int) -> OpDef:
    name = "irfft" + _SUFFIX[rank]

    def infer(ctx: InferContext) -> TensorType:
        dtype = float64 if ctx.dtype(0) is complex128 else float32
        shape = _need_axes(ctx, rank)
        if shape is None:
            return TensorType(dtype, None)
        return TensorType(dtype, (*shape[:-rank], *_lengths(ctx, rank)))

    def numpy(x: Array, fft_length: Any) -> Array:
        extents = tuple(int(d) for d in np.asarray(fft_length))
        out = np.fft.irfftn(x, extents, axes=_axes(rank))
        return out.astype(np.float64 if x.dtype == np.complex128 else np.float32)

    def grad(node: Node, g: Tensor) -> tuple[Any, ...]:
        spectrum, length = node.inputs
        back = getattr(F, "rfft" + _SUFFIX[rank])(g, length)
        count = _count(g, rank)
        scale = F.divide(_weights(g, spectrum), F.complex(count, F.zeros_like(count)))
        return F.multiply(back, scale), None

    return host(
        name, tf=name.upper(), args=("input", "fft_length"), groups=("Tcomplex", int32),
        dtypes={"Tcomplex": COMPLEX}, shape_inputs=(1,), infer=infer, numpy=numpy, grad=grad,
        doc=f"real numbers of half a spectrum over the last {rank} axes",
        samples=(
            sample(
                fixed(np.fft.rfftn(_X, axes=_axes(rank)), complex64),
                fixed(_X.shape[-rank:], int32, const=True), grad=False,
            ),
        ),
    )  # fmt: skip


rfft, rfft2d, rfft3d = (_real_op(rank) for rank in (1, 2, 3))
irfft, irfft2d, irfft3d = (_half_op(rank) for rank in (1, 2, 3))
