"""tf.contrib.rnn: recurrent cells and recurrences; imported when first used."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.rnn_cell": """
            BasicLSTMCell BasicRNNCell DeviceWrapper DropoutWrapper GRUCell LSTMCell
            LSTMStateTuple MultiRNNCell RNNCell ResidualWrapper""",
        "graphc.tf1.rnn_cell_base": "LayerRNNCell _LayerRNNCell=LayerRNNCell",
        "graphc.tf1.rnn_step": """
            best_effort_input_batch_size transpose_batch_time""",
        "graphc.tf1.rnn_static": "static_bidirectional_rnn static_rnn static_state_saving_rnn",
        "graphc.contrib._rnn_base": "_Linear=Linear _linear=linear",
        "graphc.contrib._rnn_blocks": """
            FusedRNNCell FusedRNNCellAdaptor GRUBlockCell GRUBlockCellV2 LSTMBlockCell
            LSTMBlockFusedCell TimeReversedFusedRNN""",
        "graphc.contrib._rnn_gated": """
            IndRNNCell IndyGRUCell IndyLSTMCell IntersectionRNNCell NASCell SRUCell UGRNNCell""",
        "graphc.contrib._rnn_lstm": """
            Conv1DLSTMCell Conv2DLSTMCell Conv3DLSTMCell ConvLSTMCell
            CoupledInputForgetGateLSTMCell GLSTMCell LayerNormBasicLSTMCell PhasedLSTMCell""",
        "graphc.contrib._rnn_normed": "LayerNormBasicGRUCell LayerNormLSTMCell",
        "graphc.contrib._rnn_stacks": "stack_bidirectional_dynamic_rnn stack_bidirectional_rnn",
        "graphc.contrib._rnn_wrappers": """
            AttentionCellWrapper CompiledWrapper EmbeddingWrapper HighwayWrapper
            InputProjectionWrapper OutputProjectionWrapper""",
        "graphc.contrib._paths": """
            core_rnn=rnn_python core_rnn_cell=rnn_python python=rnn_python""",
    },
)
_missing = missing("tf.contrib.rnn")


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
