"""Longer ways to the same names, such as tf.contrib.layers.python.layers.batch_norm.

Lives here: objects that stand for TensorFlow's inner modules. Not here: the names themselves.
"""

from __future__ import annotations

import importlib
from typing import Any


class Path:
    """`python`, `ops`, `layers` and further words lead back to the module they start from."""

    def __init__(self, module: str, words: frozenset[str]) -> None:
        self._module = module
        self._words = words

    def __getattr__(self, name: str) -> Any:
        if name in self._words:
            return self
        return getattr(importlib.import_module(self._module), name)

    def __repr__(self) -> str:
        return f"<names of {self._module}>"


framework_python = Path("graphc.contrib.framework", frozenset({"framework", "ops", "variables"}))
layers_python = Path(
    "graphc.contrib.layers", frozenset({"initializers", "layers", "ops", "regularizers"})
)
slim_python = Path("graphc.contrib.slim", frozenset({"slim"}))
framework_nest = Path("graphc.tf1.nest", frozenset())
slim_initializers = Path("graphc.contrib._initializers", frozenset())
rnn_python = Path(
    "graphc.contrib.rnn",
    frozenset({
        "core_rnn", "core_rnn_cell", "core_rnn_cell_impl", "fused_rnn_cell", "gru_ops", "lstm_ops",
        "ops", "rnn", "rnn_cell",
    }),
)  # fmt: skip
seq2seq_python = Path(
    "graphc.contrib.seq2seq",
    frozenset({
        "attention_wrapper", "basic_decoder", "beam_search_decoder", "beam_search_ops", "decoder",
        "helper", "loss", "ops",
    }),
)  # fmt: skip
legacy_seq2seq_python = Path("graphc.contrib.legacy_seq2seq", frozenset({"ops", "seq2seq"}))
training_python = Path("graphc.contrib.training", frozenset({"training", "hparam"}))
