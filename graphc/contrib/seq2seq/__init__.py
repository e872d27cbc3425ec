"""tf.contrib.seq2seq: decoders, attention, beam search; imported when first used."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.contrib.seq2seq._loss": "sequence_loss",
        "graphc.contrib.seq2seq._helpers": """
            CustomHelper GreedyEmbeddingHelper Helper InferenceHelper SampleEmbeddingHelper
            ScheduledEmbeddingTrainingHelper ScheduledOutputTrainingHelper TrainingHelper""",
        "graphc.contrib.seq2seq._decoder": """
            BasicDecoder BasicDecoderOutput Decoder dynamic_decode""",
        "graphc.contrib.seq2seq._attention": """
            AttentionMechanism BahdanauAttention LuongAttention hardmax
            _BaseAttentionMechanism=BaseAttentionMechanism _bahdanau_score=bahdanau_score
            _luong_score=luong_score""",
        "graphc.contrib.seq2seq._monotonic": """
            BahdanauMonotonicAttention LuongMonotonicAttention monotonic_attention
            safe_cumprod""",
        "graphc.contrib.seq2seq._attention_wrapper": """
            AttentionWrapper AttentionWrapperState _compute_attention=attended""",
        "graphc.contrib.seq2seq._beams": """
            BeamSearchDecoder BeamSearchDecoderOutput BeamSearchDecoderState
            FinalBeamSearchDecoderOutput""",
        "graphc.contrib.seq2seq._beam_tensors": """
            gather_tree gather_tree_from_array tile_batch""",
        "graphc.contrib._paths": "python=seq2seq_python",
    },
)
_missing = missing("tf.contrib.seq2seq")


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
