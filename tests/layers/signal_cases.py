"""What is computed of signals by TensorFlow (for the fixture) and by graphc (in the test)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

RNG = np.random.RandomState(0)
ROWS = RNG.randn(2, 100)
REAL = RNG.randn(2, 4, 6)
COMPLEX = RNG.randn(2, 4, 6) + 1j * RNG.randn(2, 4, 6)


def plain(tf: Any, s: Any) -> Iterator[tuple[str, Any]]:
    """(name, tensor)"""
    x, real, z = tf.constant(ROWS), tf.constant(REAL), tf.constant(COMPLEX)
    yield "rfft cut", s.rfft(x, [64])
    yield "rfft3d", s.rfft3d(real)
    yield "irfft cut", s.irfft(z, [7])
    yield "irfft odd", s.irfft(z, [9])
    yield "irfft3d", s.irfft3d(z)
    yield "dct cut", s.dct(real, n=4)
    for kind in (1, 2, 3, 4):
        for norm in (None, "ortho") if kind > 1 else (None,):
            yield f"dct {kind} {norm}", s.dct(real, kind, norm=norm)
            yield f"idct {kind} {norm}", s.idct(real, kind, norm=norm)
    yield "fftshift", s.fftshift(real)
    yield "ifftshift", s.ifftshift(real, axes=[1])
    yield "roll", tf.roll(real, [1, -2], [0, 2])
    for length in (1, 2, 5, 8):
        for periodic in (True, False):
            yield f"hann {length} {periodic}", s.hann_window(length, periodic=periodic)
            yield f"hamming {length} {periodic}", s.hamming_window(length, periodic=periodic)
    yield "vorbis", s.vorbis_window(6)
    yield "kaiser", s.kaiser_window(7)
    yield "frame padded", s.frame(x, 12, 7, pad_end=True, pad_value=3)
    yield "frame of an axis", s.frame(real, 3, 1, axis=1)
    yield "overlap apart", s.overlap_and_add(real, 7)
    yield "stft plain", s.stft(x, 15, 4, fft_length=20, window_fn=None, pad_end=True)
    spectra = s.stft(x, 16, 4)
    window = s.inverse_stft_window_fn(4)
    yield "inverse stft", s.inverse_stft(spectra, 16, 4, window_fn=window)
    yield "inverse stft plain", s.inverse_stft(spectra, 16, 4)
    yield "mel", s.linear_to_mel_weight_matrix(10, 65, 16000, 80.0, 7000.0)
    yield "mfcc", s.mfccs_from_log_mel_spectrograms(real)


def differentiable(s: Any) -> dict[str, tuple[Callable[[Any], Any], np.ndarray]]:
    """name -> (function, where it is differentiated)"""
    return {
        "fft": (s.fft, COMPLEX), "ifft": (s.ifft, COMPLEX), "fft2d": (s.fft2d, COMPLEX),
        "ifft2d": (s.ifft2d, COMPLEX), "fft3d": (s.fft3d, COMPLEX), "ifft3d": (s.ifft3d, COMPLEX),
        "rfft": (s.rfft, ROWS), "rfft padded": (lambda x: s.rfft(x, [128]), ROWS),
        "rfft2d": (s.rfft2d, REAL), "irfft": (s.irfft, COMPLEX), "irfft2d": (s.irfft2d, COMPLEX),
        "frame": (lambda x: s.frame(x, 12, 5), ROWS),
        "overlap": (lambda x: s.overlap_and_add(x, 2), REAL),
        "stft": (lambda x: s.stft(x, 16, 4), ROWS),
    }  # fmt: skip


def with_gradients(tf: Any, s: Any) -> Iterator[tuple[str, Any]]:
    """(name, tensor): each function, and the gradient of a sum of it."""
    for name, (function, at) in differentiable(s).items():
        x = tf.constant(at)
        y = function(x)
        total = tf.reduce_sum(tf.square(tf.abs(y)) if y.dtype.is_complex else y * y * y)
        yield name, y
        yield f"{name} gradient", tf.gradients(total, x)[0]


def everything(tf: Any, s: Any) -> Iterator[tuple[str, Any]]:
    yield from plain(tf, s)
    yield from with_gradients(tf, s)
