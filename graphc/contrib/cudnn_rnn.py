"""tf.contrib.cudnn_rnn: cuDNN's recurrent layers without cuDNN; imported when first used."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.contrib._cudnn_rnn": """
            CudnnCompatibleGRUCell CudnnCompatibleLSTMCell CudnnGRU CudnnLSTM CudnnRNNRelu
            CudnnRNNTanh""",
    },
)
_missing = missing("tf.contrib.cudnn_rnn")

CUDNN_RNN_UNIDIRECTION = "unidirectional"
CUDNN_RNN_BIDIRECTION = "bidirectional"


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
