"""tf.nn.rnn_cell: the recurrent cells.

Lives here: the namespace. Not here: the cells. graphc.nn publishes this module as `rnn_cell`.
"""

from __future__ import annotations

from graphc.tf1.rnn_cell_base import LSTMStateTuple, RNNCell
from graphc.tf1.rnn_cells import BasicLSTMCell, BasicRNNCell, GRUCell, LSTMCell, MultiRNNCell
from graphc.tf1.rnn_wrappers import DeviceWrapper, DropoutWrapper, ResidualWrapper

__all__ = [
    "BasicLSTMCell", "BasicRNNCell", "DeviceWrapper", "DropoutWrapper", "GRUCell", "LSTMCell",
    "LSTMStateTuple", "MultiRNNCell", "RNNCell", "ResidualWrapper",
]  # fmt: skip
