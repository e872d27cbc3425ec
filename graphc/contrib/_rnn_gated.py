"""Cells of tf.contrib.rnn with gates of their own: UGRNN, intersection, NAS, SRU, independent.

Lives here: UGRNNCell, IntersectionRNNCell, NASCell, SRUCell, IndRNNCell, IndyGRUCell,
IndyLSTMCell. Not here: variants of the LSTM (_rnn_lstm.py), wrappers. Users find these names in
graphc.contrib.rnn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.contrib._rnn_base import Recurrent, depth_of, linear, memory_sizes
from graphc.tf1.api_array import concat, split, tile
from graphc.tf1.api_linalg import matmul
from graphc.tf1.api_math import sigmoid, tanh
from graphc.tf1.api_nn import bias_add, relu
from graphc.tf1.initializers import RandomUniform, Zeros
from graphc.tf1.layers_base import InputSpec
from graphc.tf1.rnn_cell_base import (
    BIAS,
    KERNEL,
    LayerRNNCell,
    LSTMStateTuple,
    activation_of,
    bias_initializer,
    check_dtypes,
    known_depth,
)
from graphc.tf1.variable_scope import get_variable, get_variable_scope, variable_scope

__all__ = [
    "IndRNNCell", "IndyGRUCell", "IndyLSTMCell", "IntersectionRNNCell", "NASCell", "SRUCell",
    "UGRNNCell",
]  # fmt: skip


class UGRNNCell(Recurrent):
    """One gate chooses between the old state and a new one (Collins et al. 2017).

    Variables "kernel" (depth + num_units, 2 * num_units; gate, then candidate) and "bias".

    Args:
        num_units: size of state and output. initializer: of the kernel. forget_bias: added to the
            gate. activation: of the candidate.

    Raises:
        ValueError: an input depth that is not known.
    """

    def __init__(
        self,
        num_units: int,
        initializer: Any = None,
        forget_bias: float = 1.0,
        activation: Callable[..., Any] = tanh,
        reuse: Any = None,
    ) -> None:
        super().__init__(num_units, num_units, _reuse=reuse)
        self._initializer = initializer
        self._forget_bias = forget_bias
        self._activation = activation

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        depth_of(inputs)
        with variable_scope(get_variable_scope(), initializer=self._initializer):
            both = linear([inputs, state], 2 * self._state_size, True)
        gate, candidate = split(both, 2, 1)
        gate = sigmoid(gate + self._forget_bias)
        new = gate * state + (1.0 - gate) * self._activation(candidate)
        return new, new


class IntersectionRNNCell(Recurrent):
    """Gates along time and along depth (the +RNN of Collins et al. 2017).

    Variables "kernel" and "bias"; with num_in_proj "in_projection/kernel" and
    "in_projection/bias".

    Args:
        num_units: size of state, output and inputs. num_in_proj: where inputs have another depth,
            anything true: they are projected first. initializer, forget_bias: of the kernels and
            both gates. y_activation: of the output along depth.

    Raises:
        ValueError: inputs of another depth without num_in_proj.
    """

    def __init__(
        self,
        num_units: int,
        num_in_proj: int | None = None,
        initializer: Any = None,
        forget_bias: float = 1.0,
        y_activation: Callable[..., Any] = relu,
        reuse: Any = None,
    ) -> None:
        super().__init__(num_units, num_units, _reuse=reuse)
        self._initializer = initializer
        self._forget_bias = forget_bias
        self._projects = bool(num_in_proj)
        self._y_activation = y_activation

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        units = self._state_size
        with variable_scope(get_variable_scope(), initializer=self._initializer):
            if depth_of(inputs) != units:
                if not self._projects:
                    raise ValueError(
                        "Must have input size == output size for Intersection RNN. To fix, "
                        "num_in_proj should be set to num_units at cell init."
                    )
                with variable_scope("in_projection"):
                    inputs = linear(inputs, units, True)
            parts = linear([inputs, state], 4 * units, True)
        time_gate, h, depth_gate, y = split(parts, 4, 1)
        time_gate = sigmoid(time_gate + self._forget_bias)
        depth_gate = sigmoid(depth_gate + self._forget_bias)
        new_state = time_gate * state + (1.0 - time_gate) * tanh(h)
        new_y = depth_gate * inputs + (1.0 - depth_gate) * self._y_activation(y)
        return new_y, new_state


class NASCell(Recurrent):
    """The cell that neural architecture search found (Zoph and Le 2017).

    Variables "recurrent_kernel" (output, 8 * num_units), "kernel" (depth, 8 * num_units), with
    biases "bias", with a projection "projection_weights".

    Args:
        num_units: size of the memory. num_proj: size of the projected output; default none.
        use_biases: whether there is a bias.
    """

    def __init__(
        self,
        num_units: int,
        num_proj: int | None = None,
        use_biases: bool = False,
        reuse: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            memory_sizes(num_units, num_proj), num_proj or num_units, _reuse=reuse, **kwargs
        )
        self._num_units = num_units
        self._num_proj = num_proj
        self._use_biases = use_biases

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        (c, m), kind, units = state, inputs.dtype, self._num_units
        recurrent = get_variable("recurrent_kernel", [self._output_size, 8 * units], kind)
        kernel = get_variable(KERNEL, [depth_of(inputs), 8 * units], kind)
        own = matmul(m, recurrent)
        if self._use_biases:
            own = bias_add(own, get_variable(BIAS, [8 * units], kind, Zeros()))
        x, h = split(matmul(inputs, kernel), 8, 1), split(own, 8, 1)
        # leaves of the tree that was found, then pairs of them
        first = tanh(tanh(sigmoid(x[0] + h[0]) * relu(x[1] + h[1])) + c)
        second = tanh(sigmoid(x[2] + h[2]) + relu(x[3] * h[3]))
        third = tanh(tanh(x[4] + h[4]) * sigmoid(x[5] + h[5]))
        fourth = sigmoid(tanh(x[6] + h[6]) + sigmoid(x[7] + h[7]))
        new_c = first * second
        new_m = tanh(new_c * tanh(third + fourth))
        if self._num_proj is not None:
            new_m = matmul(new_m, get_variable("projection_weights", [units, self._num_proj], kind))
        return new_m, LSTMStateTuple(new_c, new_m)


# ------------------------------------------------------------------ layers
class _Layer(LayerRNNCell):
    """A layer cell with an activation and a vector state."""

    def __init__(
        self, num_units: int, activation: Any, reuse: Any, name: str | None, dtype: Any, **kw: Any
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kw)
        check_dtypes(self.dtype)
        self.input_spec = InputSpec(ndim=2)
        self._num_units = num_units
        self._activation = activation_of(activation, tanh)

    @property
    def state_size(self) -> Any:
        return self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units


class SRUCell(_Layer):
    """Simple recurrent unit: gates that do not see the state (Lei et al. 2017).

    Variables "kernel" (depth, 4 * num_units) and "bias" (2 * num_units).

    Args:
        num_units: size of state and output. activation: of the state; default tanh.
    """

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_units, activation, reuse, name, kwargs.pop("dtype", None), **kwargs)

    def build(self, inputs_shape: Any) -> None:
        depth = known_depth(inputs_shape)
        self._kernel = self.add_weight(KERNEL, [depth, 4 * self._num_units])
        self._bias = self.add_weight(BIAS, [2 * self._num_units], initializer=Zeros())
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        candidate, f, r, passed = split(matmul(inputs, self._kernel), 4, 1)
        f, r = split(sigmoid(bias_add(concat([f, r], 1), self._bias)), 2, 1)
        c = f * state + (1.0 - f) * candidate
        return r * self._activation(c) + (1.0 - r) * passed, c


class _Independent(_Layer):
    """Units that see their own state only: a vector in place of the recurrent matrix."""

    def _weights(self, prefix: str, depth: int, width: int, bias: float) -> tuple[Any, Any, Any]:
        """ "kernel_w" of the inputs, "kernel_u" of the state, "bias", below `prefix`."""
        own = self.add_weight(
            f"{prefix}{KERNEL}_w", [depth, width], initializer=self._kernel_initializer
        )
        recurrent = self.add_weight(
            f"{prefix}{KERNEL}_u", [1, width], initializer=RandomUniform(-1.0, 1.0)
        )
        offset = self.add_weight(
            f"{prefix}{BIAS}", [width], initializer=bias_initializer(self._bias_initializer, bias)
        )
        return own, recurrent, offset

    _kernel_initializer: Any = None
    _bias_initializer: Any = None


class IndRNNCell(_Independent):
    """activation(inputs x W + state * u + bias) (IndRNN, Li et al. 2018).

    Variables "kernel_w", "kernel_u" and "bias".

    Args:
        num_units: size of state and output. activation: default tanh.
    """

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_units, activation, reuse, name, dtype, **kwargs)

    def build(self, inputs_shape: Any) -> None:
        self._w, self._u, self._b = self._weights("", known_depth(inputs_shape), self._num_units, 0)
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        output = self._activation(bias_add(matmul(inputs, self._w) + state * self._u, self._b))
        return output, output


class IndyGRUCell(_Independent):
    """A GRU whose units see their own state only (Gonnet and Deselaers 2019).

    Variables "gates/kernel_w", "gates/kernel_u", "gates/bias", and the same below "candidate".

    Args:
        See GRUCell.
    """

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: Any = None,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_units, activation, reuse, name, dtype, **kwargs)
        self._kernel_initializer = kernel_initializer
        self._bias_initializer = bias_initializer

    def build(self, inputs_shape: Any) -> None:
        depth, units = known_depth(inputs_shape), self._num_units
        self._gates = self._weights("gates/", depth, 2 * units, 1.0)
        self._candidate = self._weights("candidate/", depth, units, 0.0)
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        w, u, b = self._gates
        gates = sigmoid(bias_add(matmul(inputs, w) + tile(state, [1, 2]) * u, b))
        r, z = split(gates, 2, 1)
        w, u, b = self._candidate
        c = self._activation(bias_add(matmul(inputs, w) + r * state * u, b))
        new = z * state + (1 - z) * c
        return new, new


class IndyLSTMCell(_Independent):
    """An LSTM whose units see their own output only (Gonnet and Deselaers 2019).

    Variables "kernel_w" (depth, 4 * num_units), "kernel_u" and "bias".

    Args:
        See BasicLSTMCell and GRUCell.
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        activation: Any = None,
        reuse: Any = None,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_units, activation, reuse, name, dtype, **kwargs)
        self._forget_bias = forget_bias
        self._kernel_initializer = kernel_initializer
        self._bias_initializer = bias_initializer

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units)

    def build(self, inputs_shape: Any) -> None:
        depth = known_depth(inputs_shape)
        self._w, self._u, self._b = self._weights("", depth, 4 * self._num_units, 0.0)
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        c, h = state
        gates = bias_add(matmul(inputs, self._w) + tile(h, [1, 4]) * self._u, self._b)
        i, j, f, o = split(gates, 4, 1)
        new_c = c * sigmoid(f + self._forget_bias) + sigmoid(i) * self._activation(j)
        new_h = self._activation(new_c) * sigmoid(o)
        return new_h, LSTMStateTuple(new_c, new_h)
