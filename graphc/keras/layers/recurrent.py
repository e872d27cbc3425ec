"""tf.keras.layers: RNN over any cell, SimpleRNN, GRU, LSTM.

Lives here: layers over time. Not here: cells (recurrent_cells.py), the loop (core/recurrent.py).
Imports keras.engine.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.keras import regularizers
from graphc.keras.core.objects import described_layer
from graphc.keras.core.recurrent import rnn
from graphc.keras.core.session import batch_set_value, track_variable
from graphc.keras.engine.base_layer import Layer
from graphc.keras.engine.nodes import as_list
from graphc.keras.layers.recurrent_cells import (
    Cell,
    CuDNNGRUCell,
    CuDNNLSTMCell,
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
    StackedRNNCells,
    zeros_of,
)
from graphc.tf1 import api_array
from graphc.tf1.variables import Variable

__all__ = ["GRU", "LSTM", "RNN", "CellLayer", "CuDNNGRU", "CuDNNLSTM", "SimpleRNN"]


class RNN(Layer):
    """A cell over axis 1 of its inputs.

    Args:
        cell: or a list of cells. return_sequences: all outputs, not only the last. return_state:
            also the last states. go_backwards: from the last step to the first. stateful: the
            states of a batch are the first of the next. unroll: the steps are written out.
    """

    supports_masking = True

    def __init__(
        self, cell: Any, return_sequences: bool = False, return_state: bool = False,
        go_backwards: bool = False, stateful: bool = False, unroll: bool = False,
        time_major: bool = False, **kwargs: Any,
    ) -> None:
        if isinstance(cell, list | tuple):
            cell = StackedRNNCells(cell)
        if not hasattr(cell, "call"):
            raise ValueError(f"`cell` should have a `call` method. The RNN was passed: {cell}")
        if not hasattr(cell, "state_size"):
            raise ValueError(
                "The RNN cell should have an attribute `state_size` (tuple of integers, one "
                "integer per RNN state)."
            )
        self.zero_output_for_mask = kwargs.pop("zero_output_for_mask", False)
        super().__init__(**kwargs)
        self.cell = cell
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.unroll, self.time_major = go_backwards, unroll, time_major
        self.stateful = stateful
        self._states: list[Any] | None = None
        self._num_constants = 0

    def _sizes(self) -> list[Any]:
        return as_list(self.cell.state_size)

    @property
    def states(self) -> list[Any]:
        """The variables of a stateful layer; None for each state of others."""
        return [None] * len(self._sizes()) if self._states is None else self._states

    # ------------------------------------------------------------ building
    def __call__(  # type: ignore[override]
        self, inputs: Any, initial_state: Any = None, constants: Any = None, **kwargs: Any
    ) -> Any:
        """Args: inputs: also [inputs, *states]; initial_state; constants of the cell; mask."""
        listed = [*as_list(initial_state), *as_list(constants)]
        if constants is not None:
            self._num_constants = len(as_list(constants))
        if listed:
            first = inputs[0] if isinstance(inputs, list | tuple) else inputs
            inputs = [first, *listed]
        elif isinstance(inputs, tuple):
            inputs = list(inputs)
        return super().__call__(inputs, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Raises ValueError: inputs of another rank than 3; stateful without a batch size."""
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape
        self._check_rank(shape)
        batch = shape[1] if self.time_major else shape[0]
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell._dtype = self.cell._dtype or self._dtype
            self.cell.build((batch, *shape[2:]))
            self.cell.built = True
        if self.stateful:
            self._make_states(batch, shape)
        self.built = True

    def _check_rank(self, shape: Any) -> None:
        if len(shape) < 3:
            raise ValueError(
                f"Input 0 of layer {self.name} is incompatible with the layer: expected ndim=3, "
                f"found ndim={len(shape)}. Full shape received: {list(shape)}"
            )

    def _make_states(self, batch: Any, shape: Any) -> None:
        if batch is None:
            raise ValueError(
                "If a RNN is stateful, it needs to know its batch size. Specify the batch size of "
                "your input tensors: \n- If using a Sequential model, specify the batch size by "
                "passing a `batch_input_shape` argument to your first layer.\n- If using the "
                "functional API, specify the batch size by passing a `batch_shape` argument to "
                "your Input layer."
            )
        self._state_variables = [
            track_variable(Variable(zeros, trainable=False, name=f"state_{k}"))
            for k, zeros in enumerate(self._state_zeros(batch, shape))
        ]
        self._states = self._state_variables

    def _state_zeros(self, batch: int, shape: Any) -> list[Any]:
        """The first states of a stateful layer for inputs of this shape."""
        return [zeros_of(batch, size, self._dtype) for size in self._sizes()]

    def _loose_variables(self) -> list[Any]:
        kept = set(map(id, self._states or ()))
        return [v for v in super()._loose_variables() if id(v) not in kept]

    # ------------------------------------------------------------ running
    def _first_states(self, x: Tensor) -> list[Any]:
        if self.stateful:
            return list(self._states or ())
        return self.get_initial_state(x)

    def get_initial_state(self, inputs: Any) -> list[Any]:
        """Zeros for a batch of these inputs."""
        batch = api_array.shape(inputs)[1 if self.time_major else 0]
        make = getattr(self.cell, "get_initial_state", None)
        if make is not None:
            return as_list(make(inputs=None, batch_size=batch, dtype=inputs.dtype))
        return [zeros_of(batch, size, inputs.dtype) for size in self._sizes()]

    def _step(self, x: Tensor, states: list[Any], training: Any) -> tuple[Tensor, Any]:
        """(what the loop runs over, its step)."""
        cell = self.cell
        if isinstance(cell, Cell):
            masks = cell.masks(states[0], cell.recurrent_dropout, training)
            projected = cell.project(x, training, 0 if self.time_major else 1)
            return projected, lambda row, held: cell.advance(row, held, masks)
        names = cell._call_names() if isinstance(cell, Layer) else []
        kwargs: dict[str, Any] = {}
        if "training" in names and training is not None:
            kwargs["training"] = training
        if isinstance(cell, StackedRNNCells):
            kwargs["drops"] = cell.drops(x[0] if self.time_major else x[:, 0], training)
        count = self._num_constants
        takes_constants = "constants" in names

        def step(row: Any, held: list[Any]) -> Any:
            extra = dict(kwargs)
            if takes_constants and count:
                extra["constants"] = held[-count:]
                held = held[:-count]
            output, new = cell.call(row, held, **extra)
            return output, new if isinstance(new, list | tuple) else [new]

        return x, step

    def call(  # type: ignore[override]
        self, inputs: Any, mask: Any = None, training: Any = None
    ) -> Any:
        given: list[Any] = []
        if isinstance(inputs, list | tuple):
            inputs, given = inputs[0], list(inputs[1:])
        if isinstance(mask, list | tuple):
            mask = mask[0]
        count = self._num_constants
        constants = given[len(given) - count :] if count else []
        states = given[: len(given) - count] if count else given
        states = states or self._first_states(inputs)
        if len(states) != len(self._sizes()):
            raise ValueError(
                f"Layer {self.name} has {len(self._sizes())} states but was passed {len(states)} "
                "initial states."
            )
        rows, step = self._step(inputs, states, training)
        last, outputs, new = rnn(
            step, rows, states, self.go_backwards, mask, constants, self.unroll,
            time_major=self.time_major, zero_output_for_mask=self.zero_output_for_mask,
            return_all_outputs=self.return_sequences,
        )  # fmt: skip
        if self.stateful:
            self.add_update([v.assign(n) for v, n in zip(self._states or (), new)])
        out = outputs if self.return_sequences else last
        return [out, *new] if self.return_state else out

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        first = mask[0] if isinstance(mask, list | tuple) else mask
        out = first if self.return_sequences else None
        return [out, *[None] * len(self._sizes())] if self.return_state else out

    def reset_states(self, states: Any = None) -> None:
        """Sets the states of a stateful layer, to zeros where none are given.

        Raises:
            AttributeError: not stateful. ValueError: another number of states or other shapes.
        """
        if not self.stateful:
            raise AttributeError("Layer must be stateful.")
        if self._states is None:
            return
        if states is None:
            values = [np.zeros(v.shape.as_list()) for v in self._states]
        else:
            values = as_list(states)
        if len(values) != len(self._states):
            raise ValueError(
                f"Layer {self.name} expects {len(self._states)} states, but it received "
                f"{len(values)} state values."
            )
        batch_set_value(list(zip(self._states, values)))

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), **self._settings(), "cell": described_layer(self.cell)}
        if self._num_constants:
            config["num_constants"] = self._num_constants
        return config

    def _settings(self) -> dict[str, Any]:
        return {
            "return_sequences": self.return_sequences, "return_state": self.return_state,
            "go_backwards": self.go_backwards, "stateful": self.stateful, "unroll": self.unroll,
            "time_major": self.time_major,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        from graphc.keras.layers import deserialize

        config = dict(config)
        constants = config.pop("num_constants", None)
        made = cls(deserialize(config.pop("cell"), custom_objects), **config)
        made._num_constants = constants or 0
        return made


_LAYER = (
    "return_sequences", "return_state", "go_backwards", "stateful", "unroll", "time_major",
    "input_shape", "batch_input_shape", "batch_size", "input_dim", "input_length", "weights",
    "zero_output_for_mask", "trainable", "name", "dtype",
)  # fmt: skip


class CellLayer(RNN):
    """Base of layers whose arguments are their cell's."""

    _cell: Any

    def __init__(self, units: int, *args: Any, **kwargs: Any) -> None:
        regularizer = kwargs.pop("activity_regularizer", None)
        for old, new in (("output_dim", "units"), ("inner_init", "recurrent_initializer"),
                         ("inner_activation", "recurrent_activation")):  # fmt: skip
            if old in kwargs:
                kwargs[new] = kwargs.pop(old)
        kwargs.pop("use_cudnn", None)
        mine = {k: kwargs.pop(k) for k in list(kwargs) if k in _LAYER}
        if mine.get("dtype") is not None:
            kwargs["dtype"] = mine["dtype"]
        super().__init__(
            self._cell(units, *args, **kwargs), activity_regularizer=regularizer, **mine
        )

    def __getattr__(self, name: str) -> Any:
        # units, kernel_initializer, dropout ...: the cell's
        cell = self.__dict__.get("cell")
        if name.startswith("__") or cell is None or name not in cell.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(cell, name)

    def get_config(self) -> dict[str, Any]:
        inner = self.cell.get_config()
        for key in ("name", "trainable", "dtype"):
            inner.pop(key, None)
        penalty = regularizers.serialize(self.activity_regularizer)
        base = {**Layer.get_config(self), "activity_regularizer": penalty}
        return {**base, **self._settings(), **inner}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        return cls(**config)


class SimpleRNN(CellLayer):
    """output = activation(inputs @ kernel + bias + output before @ recurrent_kernel)."""

    _cell = SimpleRNNCell


class GRU(CellLayer):
    """Gated recurrent units (Cho 2014); the arguments are GRUCell's and RNN's."""

    _cell = GRUCell


class LSTM(CellLayer):
    """Long short-term memory (Hochreiter 1997); the arguments are LSTMCell's and RNN's."""

    _cell = LSTMCell


class _CuDNN(CellLayer):
    """What the layers of NVIDIA's names share: settings that cannot be changed."""

    _fixed: dict[str, Any] = {}
    _hidden = ("activation", "recurrent_activation", "use_bias", "dropout", "recurrent_dropout",
               "unroll", "reset_after")  # fmt: skip

    def __init__(self, units: int, **kwargs: Any) -> None:
        for key in self._hidden:
            if key in kwargs:
                raise TypeError(
                    f"Keyword argument not understood: {key} ({type(self).__name__} has none)"
                )
        super().__init__(units, **kwargs, **self._fixed)

    def get_config(self) -> dict[str, Any]:
        return {k: v for k, v in super().get_config().items() if k not in self._hidden}


class CuDNNLSTM(_CuDNN):
    """LSTM with the settings and the biases of NVIDIA's. It runs on the CPU as well.

    Its biases are those of the inputs, then those of the states: 8 * units.
    """

    _cell = CuDNNLSTMCell
    _fixed = {"recurrent_activation": "sigmoid"}


class CuDNNGRU(_CuDNN):
    """GRU with the settings and the biases of NVIDIA's: sigmoids, reset after the product.

    Its biases are those of the inputs, then those of the states: 6 * units.
    """

    _cell = CuDNNGRUCell
    _fixed = {"recurrent_activation": "sigmoid", "reset_after": True}
