"""tf.contrib.legacy_seq2seq: unrolled models of sequences; imported when first used."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.contrib._seq2seq_decoders": """
            attention_decoder embedding_attention_decoder embedding_rnn_decoder rnn_decoder
            _extract_argmax_and_embed=feed_back""",
        "graphc.contrib._seq2seq_models": """
            basic_rnn_seq2seq embedding_attention_seq2seq embedding_rnn_seq2seq
            embedding_tied_rnn_seq2seq one2many_rnn_seq2seq tied_rnn_seq2seq""",
        "graphc.contrib._seq2seq_losses": """
            model_with_buckets sequence_loss sequence_loss_by_example""",
        "graphc.contrib._paths": """
            python=legacy_seq2seq_python seq2seq=legacy_seq2seq_python""",
    },
)
_missing = missing("tf.contrib.legacy_seq2seq")


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
