"""Cells of tf.contrib.rnn with layer normalisation of every gate.

Lives here: LayerNormLSTMCell, LayerNormBasicGRUCell. Not here: LayerNormBasicLSTMCell
(_rnn_lstm.py). Users find these names in graphc.contrib.rnn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.contrib._rnn_base import Recurrent, linear, memory_sizes, normalized
from graphc.contrib.layers import layer_norm
from graphc.tf1.api_array import concat, split
from graphc.tf1.api_linalg import matmul
from graphc.tf1.api_math import clip_by_value, sigmoid, tanh
from graphc.tf1.api_nn import bias_add
from graphc.tf1.initializers import Constant, Zeros
from graphc.tf1.rnn_cell_base import BIAS, KERNEL, LayerRNNCell, LSTMStateTuple, known_depth
from graphc.tf1.variable_scope import get_variable, get_variable_scope, variable_scope

__all__ = ["LayerNormBasicGRUCell", "LayerNormLSTMCell"]


class LayerNormLSTMCell(Recurrent):
    """LSTMCell with normalised gates and memory (Ba et al. 2016).

    Variables "kernel" and "bias"; with peepholes "w_f_diag", "w_i_diag", "w_o_diag"; with
    layer_norm "gamma" and "beta" below "input", "transform", "forget", "output" and "state"; with
    a projection "projection/kernel".

    Args:
        layer_norm: whether to normalise; norm_gain, norm_shift: gamma and beta at first. Others:
            see LSTMCell.
    """

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        cell_clip: float | None = None,
        initializer: Any = None,
        num_proj: int | None = None,
        proj_clip: float | None = None,
        forget_bias: float = 1.0,
        activation: Callable[..., Any] | None = None,
        layer_norm: bool = False,
        norm_gain: float = 1.0,
        norm_shift: float = 0.0,
        reuse: Any = None,
    ) -> None:
        super().__init__(memory_sizes(num_units, num_proj), num_proj or num_units, _reuse=reuse)
        self._num_units = num_units
        self._use_peepholes = use_peepholes
        self._cell_clip = cell_clip
        self._initializer = initializer
        self._num_proj = num_proj
        self._proj_clip = proj_clip
        self._forget_bias = forget_bias
        self._activation = activation or tanh
        self._layer_norm = layer_norm
        self._gain, self._shift = norm_gain, norm_shift

    def _norm(self, x: Any, scope: str) -> Any:
        return normalized(x, self._gain, self._shift, scope) if self._layer_norm else x

    def _gates(self, inputs: Any, m: Any) -> Any:
        """The four gates; the bias is there, but normalised gates do not see it."""
        joined, width = concat([inputs, m], 1), 4 * self._num_units
        rows = known_depth(joined.get_shape())
        product = matmul(joined, get_variable(KERNEL, [rows, width], dtype=inputs.dtype))
        bias = get_variable(BIAS, [width], dtype=inputs.dtype, initializer=Zeros())
        if not self._layer_norm:
            product = bias_add(product, bias)
        scopes = ("input", "transform", "forget", "output")
        return [self._norm(g, s) for g, s in zip(split(product, 4, 1), scopes, strict=True)]

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        (c, m), units, kind = state, self._num_units, inputs.dtype
        with variable_scope(get_variable_scope(), initializer=self._initializer):
            i, j, f, o = self._gates(inputs, m)
            f = f + self._forget_bias
            diagonals: list[Any] = [
                get_variable(f"w_{gate}_diag", [units], dtype=kind)
                for gate in ("fio" if self._use_peepholes else "")
            ]
            if diagonals:
                f, i = f + diagonals[0] * c, i + diagonals[1] * c
            c = self._norm(sigmoid(f) * c + sigmoid(i) * self._activation(j), "state")
            if self._cell_clip is not None:
                c = clip_by_value(c, -self._cell_clip, self._cell_clip)
            if diagonals:
                o = o + diagonals[2] * c
            m = sigmoid(o) * self._activation(c)
            if self._num_proj is not None:
                with variable_scope("projection"):
                    m = linear(m, self._num_proj, False)
                if self._proj_clip is not None:
                    m = clip_by_value(m, -self._proj_clip, self._proj_clip)
        return m, LSTMStateTuple(c, m)


class LayerNormBasicGRUCell(LayerRNNCell):
    """A GRU with normalised gates (Ba et al. 2016).

    Variables "kernel", and "gamma" and "beta" or else "bias", below "update_gate", "reset_gate",
    "candidate_linear_x" and "candidate_linear_h".

    Args:
        num_units: size of state and output. activation: of the candidate. layer_norm: whether to
            normalise; norm_gain, norm_shift: gamma and beta at first.

    Raises:
        ValueError: an input depth that is not known.
    """

    def __init__(
        self,
        num_units: int,
        activation: Callable[..., Any] = tanh,
        layer_norm: bool = True,
        norm_gain: float = 1.0,
        norm_shift: float = 0.0,
        reuse: Any = None,
    ) -> None:
        super().__init__(_reuse=reuse)
        self._num_units = num_units
        self._activation = activation
        self._layer_norm = layer_norm
        self._gain, self._shift = norm_gain, norm_shift

    @property
    def state_size(self) -> Any:
        return self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units

    def build(self, inputs_shape: Any) -> None:
        depth, units = known_depth(inputs_shape), self._num_units
        rows = {
            "update_gate": depth + units, "reset_gate": depth + units,
            "candidate_linear_x": depth, "candidate_linear_h": units,
        }  # fmt: skip
        if self._layer_norm:
            for scope in rows:
                self.add_weight(f"{scope}/gamma", [units], initializer=Constant(self._gain))
                self.add_weight(f"{scope}/beta", [units], initializer=Constant(self._shift))
        self._kernels = {
            scope: self.add_weight(f"{scope}/kernel", [count, units])
            for scope, count in rows.items()
        }
        self._biases: dict[str, Any] = {}
        if not self._layer_norm:
            self._biases = {s: self.add_weight(f"{s}/bias", [units]) for s in rows}
        self.built = True

    def _part(self, x: Any, scope: str) -> Any:
        product = matmul(x, self._kernels[scope])
        if self._layer_norm:
            return layer_norm(product, reuse=True, scope=scope)
        return bias_add(product, self._biases[scope])

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        both = concat([inputs, state], 1)
        z = sigmoid(self._part(both, "update_gate"))
        r = sigmoid(self._part(both, "reset_gate"))
        x, h = self._part(inputs, "candidate_linear_x"), self._part(state, "candidate_linear_h")
        new = (1 - z) * state + z * self._activation(x + r * h)
        return new, new
