"""tf.fft to tf.irfft3d, cosine transforms and shifts (tf.spectral, tf.signal).

Lives here: those functions. Not here: the records (ops/fourier.py), frames and windows
(tf1/api_signal.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import complex64, float32, float64, int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_math as math
from graphc.tf1.arguments import index_tensor, static_int, static_ints
from graphc.tf1.scopes import name_scope

__all__ = [
    "dct", "fft", "fft2d", "fft3d", "fftshift", "idct", "ifft", "ifft2d", "ifft3d", "ifftshift",
    "irfft", "irfft2d", "irfft3d", "rfft", "rfft2d", "rfft3d", "roll",
]  # fmt: skip


def _plain(record: str, axes: str) -> Callable[..., Tensor]:
    def transform(input: Any, name: str | None = None) -> Tensor:
        return getattr(F, record)(convert_to_tensor(input, preferred_dtype=complex64), name=name)

    transform.__name__ = record
    inverse = "inverse " if record.startswith("i") else ""
    transform.__doc__ = f"The {inverse}discrete Fourier transform over {axes} (tf.{record})."
    return transform


fft = _plain("fft", "the last axis")
ifft = _plain("ifft", "the last axis")
fft2d = _plain("fft2d", "the last two axes")
ifft2d = _plain("ifft2d", "the last two axes")
fft3d = _plain("fft3d", "the last three axes")
ifft3d = _plain("ifft3d", "the last three axes")


def _fitted(x: Tensor, lengths: Tensor, rank: int) -> Tensor:
    """x with zeros behind, or cut, to `lengths` along its last axes."""
    have = F.shape(x)[-rank:]
    lack = F.maximum(F.subtract(lengths, have), F.zeros_like(have))
    before = F.fill(F.reshape(F.rank(x) - rank, np.array([1], np.int32)), np.int32(0))
    after = F.concat(before, lack, axis=0)
    padded = arrays.pad(x, F.stack(F.zeros_like(after), after, axis=1))
    size = F.concat(F.shape(x)[:-rank], lengths, axis=0)
    return F.slice(padded, F.zeros_like(size), size)


def _real(rank: int, reverse: bool) -> Callable[..., Tensor]:
    record = ("irfft" if reverse else "rfft") + ("" if rank == 1 else f"{rank}d")

    def transform(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
        with name_scope(name or record) as scope:
            x = convert_to_tensor(input_tensor, preferred_dtype=complex64 if reverse else float32)
            if fft_length is None:
                extents = F.shape(x)[-rank:]
                if reverse:
                    last = F.maximum(F.subtract(F.multiply(extents[-1:], 2), 2), np.int32(0))
                    extents = F.concat(extents[:-1], last, axis=0)
                return getattr(F, record)(x, extents, name=scope)
            lengths = F.cast(index_tensor(fft_length), dtype=int32)
            given = lengths
            if reverse:
                half = F.add(F.floordiv(lengths[-1:], np.int32(2)), np.int32(1))
                given = F.concat(lengths[:-1], half, axis=0)
            return getattr(F, record)(_fitted(x, given, rank), lengths, name=scope)

    transform.__name__ = record
    what = "Real numbers of half a spectrum" if reverse else "Half the spectrum of real numbers"
    transform.__doc__ = (
        f"{what}, over the last {rank} axes (tf.signal.{record}).\n\n    Args:\n"
        f"        fft_length: [{rank}], the extents of the real numbers; the input is cut or "
        "padded with zeros."
    )
    return transform


rfft, rfft2d, rfft3d = (_real(rank, False) for rank in (1, 2, 3))
irfft, irfft2d, irfft3d = (_real(rank, True) for rank in (1, 2, 3))


# ------------------------------------------------------------------ shifts
def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Tensor:
    """Elements moved along axes, those that leave at the end come in at the start (tf.roll).

    Args:
        shift: a number, or one for each of `axis`.

    Raises:
        ValueError: other numbers of shifts and axes.
    """
    with name_scope(name or "roll") as scope:
        x = convert_to_tensor(input)
        shifts = F.reshape(convert_to_tensor(shift), np.array([-1], np.int32))
        axes = static_ints(axis, "axis")
        count = shifts.dims[0] if shifts.dims else None
        if count is not None and count != len(axes):
            raise ValueError(
                f"shift and axis must have the same size, got {count} and {len(axes)}"
            )
        for k, at in enumerate(axes):
            extent = F.shape(x)[at]
            places = F.range(0, extent, 1)
            source = F.floormod(F.subtract(places, F.cast(shifts[k], dtype=int32)), extent)
            x = arrays.gather(x, source, axis=at)
        return F.identity(x, name=scope)


def _shifted(x: Any, axes: Any, back: bool, name: str) -> Tensor:
    with name_scope(name):
        tensor = convert_to_tensor(x)
        if axes is None:
            if tensor.rank is None:
                raise ValueError("axes must be given for a tensor of unknown rank")
            axes = range(tensor.rank)
        chosen = static_ints(list(axes) if isinstance(axes, range) else axes, "axes")
        halves = [F.floordiv(F.shape(tensor)[a], np.int32(2)) for a in chosen]
        shifts = arrays.stack([F.negative(h) if back else h for h in halves])
        return roll(tensor, shifts, list(chosen))


def fftshift(x: Any, axes: Any = None, name: str | None = None) -> Tensor:
    """The zero frequency moved to the middle (tf.signal.fftshift)."""
    return _shifted(x, axes, False, name or "fftshift")


def ifftshift(x: Any, axes: Any = None, name: str | None = None) -> Tensor:
    """What undoes fftshift."""
    return _shifted(x, axes, True, name or "ifftshift")


# ------------------------------------------------------------------ cosine transforms
def _check_dct(type: int, n: Any, axis: int, norm: str | None) -> None:
    if axis != -1:
        raise NotImplementedError("axis must be -1. Got: " + str(axis))
    if n is not None and static_int(n, "n") < 1:
        raise ValueError("n should be a positive integer or None")
    if type not in (1, 2, 3, 4):
        raise ValueError("Types I, II, III and IV (I)DCT are supported.")
    if norm not in (None, "ortho"):
        raise ValueError(f"Unknown normalization. Expected None or 'ortho', got: {norm}")
    if type == 1 and norm == "ortho":
        raise ValueError("Normalization is not supported for the Type-I DCT.")


def _cosines(size: int, type: int, norm: str | None) -> np.ndarray[Any, Any]:
    """The matrix [size, size] whose product with a vector is its transform."""
    k, j = np.arange(size)[:, None], np.arange(size)[None]
    if type == 1:
        ends = np.where((j == 0) | (j == size - 1), 1.0, 2.0)
        return np.cos(np.pi * j * k / max(size - 1, 1)) * ends
    if type == 2:
        out = 2 * np.cos(np.pi * k * (2 * j + 1) / (2 * size))
        scale = np.where(k == 0, np.sqrt(0.25 / size), np.sqrt(0.5 / size))
        return out * scale if norm else out
    if type == 3:
        out = np.cos(np.pi * j * (2 * k + 1) / (2 * size)) * np.where(j == 0, 1.0, 2.0)
        scale = np.where(j == 0, np.sqrt(1.0 / size), np.sqrt(0.5 / size))
        return out * scale if norm else out
    out = 2 * np.cos(np.pi * (2 * j + 1) * (2 * k + 1) / (4 * size))
    return out * np.sqrt(0.5 / size) if norm else out


def dct(
    input: Any, type: int = 2, n: Any = None, axis: int = -1, norm: str | None = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """The discrete cosine transform of the last axis (tf.signal.dct).

    Args:
        type: 1 to 4. n: the input is cut or padded with zeros to so many. norm: None or "ortho".

    Raises:
        NotImplementedError: another axis. ValueError: another type or norm; an unknown extent.
    """
    _check_dct(type, n, axis, norm)
    with name_scope(name or "dct") as scope:
        x = convert_to_tensor(input, preferred_dtype=float32)
        if n is not None:
            x = _fitted(x, convert_to_tensor([static_int(n, "n")], int32), 1)
        size = x.dims[-1] if x.dims else None
        if not isinstance(size, int):
            raise ValueError("the extent of the last axis must be known when the graph is built")
        matrix = _cosines(size, type, norm).T
        wide = float64 if x.dtype is float64 else float32
        table = convert_to_tensor(matrix.astype(wide.np), x.dtype)
        return F.identity(math.reduce_sum(F.expand_dims(x, axis=-1) * table, -2), name=scope) \
            if x.rank == 1 else F.matmul(x, table, transpose_a=False, transpose_b=False,
                                         name=scope)  # fmt: skip


def idct(
    input: Any, type: int = 2, n: Any = None, axis: int = -1, norm: str | None = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """The inverse of dct, up to the factor 2 n without norm (tf.signal.idct)."""
    _check_dct(type, n, axis, norm)
    return dct(input, {1: 1, 2: 3, 3: 2, 4: 4}[type], n, axis, norm, name or "idct")
