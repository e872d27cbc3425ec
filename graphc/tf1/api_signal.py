"""tf.contrib.signal: frames, windows, short-time Fourier transforms, mel spectra.

Lives here: those functions. Not here: the transforms themselves (tf1/api_fourier.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, as_dtype, float32, int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_math as math
from graphc.tf1.api_fourier import dct, irfft, rfft
from graphc.tf1.arguments import static_int
from graphc.tf1.scopes import name_scope

__all__ = [
    "frame", "hamming_window", "hann_window", "inverse_stft", "inverse_stft_window_fn",
    "kaiser_window", "linear_to_mel_weight_matrix", "mfccs_from_log_mel_spectrograms",
    "overlap_and_add", "stft", "vorbis_window",
]  # fmt: skip

Window = Callable[..., Tensor]


# ------------------------------------------------------------------ windows
def _window(
    name: str | None, length: Any, dtype: Any, values: Callable[[np.ndarray[Any, Any], int], Any]
) -> Tensor:
    size = static_int(length, "window_length")
    wanted: DType = as_dtype(dtype)
    if not wanted.is_floating:
        raise ValueError(f"dtype must be a floating point type. Found {wanted!r}")
    with name_scope(name) as scope:
        found = values(np.arange(size), size) if size > 1 else np.ones(size)
        return convert_to_tensor(np.asarray(found).astype(wanted.np), wanted, scope)


def _raised_cosine(
    name: str | None, default: str, length: Any, periodic: bool, dtype: Any, a: float
) -> Tensor:
    def values(n: np.ndarray[Any, Any], size: int) -> Any:
        # an even length has one sample more in its period
        span = size + (1 if periodic and size % 2 == 0 else 0) - 1
        return a - (1 - a) * np.cos(2 * np.pi * n / max(span, 1))

    return _window(name or default, length, dtype, values)


def hann_window(
    window_length: Any, periodic: bool = True, dtype: Any = float32, name: str | None = None
) -> Tensor:
    """Hann's window (tf.contrib.signal.hann_window).

    Raises:
        ValueError: no float dtype; a length that the graph does not know.
    """
    return _raised_cosine(name, "hann_window", window_length, periodic, dtype, 0.5)


def hamming_window(
    window_length: Any, periodic: bool = True, dtype: Any = float32, name: str | None = None
) -> Tensor:
    """Hamming's window (tf.contrib.signal.hamming_window)."""
    return _raised_cosine(name, "hamming_window", window_length, periodic, dtype, 0.54)


def vorbis_window(
    window_length: Any, dtype: Any = float32, name: str | None = None
) -> Tensor:
    """The window of the Vorbis format (tf.signal.vorbis_window)."""

    def values(n: np.ndarray[Any, Any], size: int) -> Any:
        return np.sin(np.pi / 2 * np.sin(np.pi * (n + 0.5) / size) ** 2)

    return _window(name or "vorbis_window", window_length, dtype, values)


def kaiser_window(
    window_length: Any, beta: float = 12.0, dtype: Any = float32, name: str | None = None
) -> Tensor:
    """Kaiser's window (tf.signal.kaiser_window)."""
    return _window(
        name or "kaiser_window", window_length, dtype, lambda n, size: np.kaiser(size, float(beta))
    )


# ------------------------------------------------------------------ frames
def frame(
    signal: Any, frame_length: Any, frame_step: Any, pad_end: bool = False, pad_value: Any = 0,
    axis: int = -1, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Windows of an axis: [..., n, ...] to [..., frames, frame_length, ...].

    Args:
        pad_end: also frames that reach over the end, filled with pad_value.

    Raises:
        ValueError: lengths that the graph does not know.
    """
    with name_scope(name or "frame") as scope:
        x = convert_to_tensor(signal)
        length, step = static_int(frame_length, "frame_length"), static_int(frame_step, "step")
        if x.rank is None:
            raise ValueError("the rank of signal must be known when the graph is built")
        at = axis % x.rank
        if pad_end:
            x = _padded(x, at, length, step, pad_value)
        size = x.dims[at]  # type: ignore[index]
        extent = F.shape(x)[at] if size is None else size
        if isinstance(extent, int):
            count: Any = max(0, 1 + (extent - length) // step)
        else:
            whole = 1 + F.floordiv(extent - length, np.int32(step))
            count = F.maximum(whole, np.int32(0))
        starts = F.multiply(arrays.range(count), np.int32(step))
        places = F.expand_dims(starts, axis=1) + np.arange(length, dtype=np.int32)
        return F.identity(arrays.gather(x, places, axis=at), name=scope)


def _padded(x: Tensor, at: int, length: int, step: int, value: Any) -> Tensor:
    """x with so much at the end of an axis that a frame starts at every step."""
    extent = F.shape(x)[at]
    count = F.negative(F.floordiv(F.negative(extent), np.int32(step)))
    wanted = F.add(F.multiply(F.subtract(count, 1), np.int32(step)), np.int32(length))
    more = F.maximum(F.subtract(wanted, extent), np.int32(0))
    rows = [arrays.stack([0, more if k == at else 0]) for k in range(x.rank or 0)]
    return arrays.pad(x, arrays.stack(rows), constant_values=value)


def overlap_and_add(signal: Any, frame_step: Any, name: str | None = None) -> Tensor:
    """The sum of frames that start `frame_step` apart: [..., frames, length] to [..., n].

    Raises:
        ValueError: fewer than two axes.
    """
    with name_scope(name or "overlap_and_add") as scope:
        x = convert_to_tensor(signal)
        if x.rank is None or x.rank < 2:
            raise ValueError(f"signal must have at least two dimensions, got {x}")
        step = convert_to_tensor(frame_step, int32)
        extents = F.shape(x)
        count, length = extents[-2], extents[-1]
        places = F.expand_dims(arrays.range(count) * step, axis=1) + arrays.range(length)
        flat = F.reshape(places, np.array([-1], np.int32))
        last = F.reshape(x, F.concat(extents[:-2], np.array([-1], np.int32), axis=0))
        order = (last.rank - 1, *range(last.rank - 1))  # type: ignore[operator]
        rows = F.transpose(last, perm=order)
        total = F.add(F.multiply(F.subtract(count, 1), step), length)
        summed = math.unsorted_segment_sum(rows, flat, total)
        back = (*range(1, len(order)), 0)
        return F.transpose(summed, perm=back, name=scope)


# ------------------------------------------------------------------ short-time transforms
def _power_of_two(length: int) -> int:
    return 1 << max(length - 1, 0).bit_length()


def stft(
    signals: Any, frame_length: Any, frame_step: Any, fft_length: Any = None,
    window_fn: Window | None = hann_window,
    pad_end: bool = False, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The spectra of windows: [..., n] floats to [..., frames, fft_length / 2 + 1] complex.

    Args:
        fft_length: default the next power of two. window_fn: (length, dtype) -> [length], or
            None for none.
    """
    with name_scope(name or "stft") as scope:
        x = convert_to_tensor(signals, preferred_dtype=float32)
        length = static_int(frame_length, "frame_length")
        size = _power_of_two(length) if fft_length is None else static_int(fft_length, "fft_length")
        frames = frame(x, length, frame_step, pad_end)
        if window_fn is not None:
            frames = frames * window_fn(length, dtype=x.dtype)
        return F.identity(rfft(frames, [size]), name=scope)


def inverse_stft_window_fn(
    frame_step: Any,
    forward_window_fn: Window = hann_window,
    name: str | None = None,
) -> Window:
    """The window with which inverse_stft undoes stft with `forward_window_fn`."""

    def window(frame_length: Any, dtype: Any = float32) -> Tensor:
        with name_scope(name or "inverse_stft_window_fn"):
            length = static_int(frame_length, "frame_length")
            step = static_int(frame_step, "frame_step")
            forward = forward_window_fn(length, dtype=dtype)
            overlaps = -(-length // step)
            squares = arrays.pad(math.square(forward), [[0, overlaps * step - length]])
            table = F.reshape(squares, np.array([overlaps, step], np.int32))
            total = math.reduce_sum(table, 0, keepdims=True)
            whole = F.reshape(arrays.tile(total, [overlaps, 1]), np.array([-1], np.int32))
            return forward / whole[:length]

    return window


def inverse_stft(
    stfts: Any, frame_length: Any, frame_step: Any, fft_length: Any = None,
    window_fn: Window | None = hann_window,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Samples of spectra: [..., frames, bins] complex to [..., n] floats."""
    with name_scope(name or "inverse_stft") as scope:
        spectra = convert_to_tensor(stfts)
        length = static_int(frame_length, "frame_length")
        size = _power_of_two(length) if fft_length is None else static_int(fft_length, "fft_length")
        frames = irfft(spectra, [size])
        if size < length:
            rank = frames.rank or 0
            frames = arrays.pad(frames, [[0, 0]] * (rank - 1) + [[0, length - size]])
        frames = frames[..., :length]
        if window_fn is not None:
            frames = frames * window_fn(length, dtype=frames.dtype)
        return F.identity(overlap_and_add(frames, frame_step), name=scope)


# ------------------------------------------------------------------ mel
def linear_to_mel_weight_matrix(
    num_mel_bins: int = 20, num_spectrogram_bins: int = 129, sample_rate: float = 8000,
    lower_edge_hertz: float = 125.0, upper_edge_hertz: float = 3800.0, dtype: Any = float32,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """[num_spectrogram_bins, num_mel_bins]: triangles that are equally wide on the mel scale.

    Raises:
        ValueError: edges that are out of order or beyond half the sample rate.
    """
    if num_mel_bins <= 0:
        raise ValueError(f"num_mel_bins must be positive. Got: {num_mel_bins}")
    if lower_edge_hertz < 0.0 or lower_edge_hertz >= upper_edge_hertz:
        raise ValueError(
            f"lower_edge_hertz {lower_edge_hertz:.1f} >= upper_edge_hertz {upper_edge_hertz:.1f}"
        )
    if upper_edge_hertz > sample_rate / 2:
        raise ValueError(
            "upper_edge_hertz must not be larger than the Nyquist frequency (sample_rate / 2). "
            f"Got {upper_edge_hertz} for sample_rate: {sample_rate}"
        )
    wanted: DType = as_dtype(dtype)

    def mel(hertz: Any) -> Any:
        return 1127.0 * np.log(1.0 + np.asarray(hertz, np.float64) / 700.0)

    # the first bin, a constant, belongs to no triangle
    bins = mel(np.linspace(0.0, sample_rate / 2.0, num_spectrogram_bins)[1:])[:, None]
    edges = np.linspace(mel(lower_edge_hertz), mel(upper_edge_hertz), num_mel_bins + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    with name_scope(name or "linear_to_mel_weight_matrix") as scope:
        full = np.pad(weights, [[1, 0], [0, 0]]).astype(wanted.np)
        return convert_to_tensor(full, wanted, scope)


def mfccs_from_log_mel_spectrograms(
    log_mel_spectrograms: Any, name: str | None = None
) -> Tensor:
    """Cepstral coefficients of log mel spectra [..., bins], scaled as HTK does.

    Raises:
        ValueError: no bins, or an unknown number of them.
    """
    with name_scope(name or "mfccs_from_log_mel_spectrograms") as scope:
        x = convert_to_tensor(log_mel_spectrograms)
        size = x.dims[-1] if x.dims else None
        if not size or not isinstance(size, int):
            raise ValueError(f"num_mel_bins must be known and positive, got {x}")
        return F.multiply(
            dct(x, 2), convert_to_tensor(float(np.sqrt(0.5 / size)), x.dtype), name=scope
        )
