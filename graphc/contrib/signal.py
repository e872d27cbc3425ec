"""tf.contrib.signal: frames, windows, short-time Fourier transforms, mel spectra."""

from __future__ import annotations

from graphc.contrib import missing
from graphc.tf1.api_signal import (
    frame,
    hamming_window,
    hann_window,
    inverse_stft,
    inverse_stft_window_fn,
    linear_to_mel_weight_matrix,
    mfccs_from_log_mel_spectrograms,
    overlap_and_add,
    stft,
)

__all__ = [
    "frame", "hamming_window", "hann_window", "inverse_stft", "inverse_stft_window_fn",
    "linear_to_mel_weight_matrix", "mfccs_from_log_mel_spectrograms", "overlap_and_add", "stft",
]  # fmt: skip

__getattr__ = missing("tf.contrib.signal")
