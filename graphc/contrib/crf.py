"""tf.contrib.crf: linear-chain conditional random fields."""

from __future__ import annotations

from graphc.contrib import missing
from graphc.tf1.crf import (
    crf_binary_score,
    crf_decode,
    crf_log_likelihood,
    crf_log_norm,
    crf_sequence_score,
    crf_unary_score,
    viterbi_decode,
)

__all__ = [
    "crf_binary_score", "crf_decode", "crf_log_likelihood", "crf_log_norm", "crf_sequence_score",
    "crf_unary_score", "viterbi_decode",
]  # fmt: skip

__getattr__ = missing("tf.contrib.crf")
