"""tf.keras.layers: cells, one step of a recurrent network each.

Lives here: SimpleRNNCell, GRUCell, LSTMCell, StackedRNNCells. Not here: layers over time
(recurrent.py). A cell's product with the inputs can be made for all times at once (`project`), so
that a loop has only that with the states left. Imports keras.engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.node import Tensor
from graphc.keras import initializers
from graphc.keras.core import math as K
from graphc.keras.core import nn
from graphc.keras.core.objects import described_layer
from graphc.keras.engine.base_layer import Layer
from graphc.keras.layers.core import described, settle
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import api_array, api_linalg
from graphc.tf1.einsum import tensordot

__all__ = ["AbstractRNNCell", "GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"]

_NAMES = (
    "units activation use_bias kernel_initializer recurrent_initializer bias_initializer "
    "kernel_regularizer recurrent_regularizer bias_regularizer kernel_constraint "
    "recurrent_constraint bias_constraint dropout recurrent_dropout"
)


def _product(x: Tensor, kernel: Any) -> Tensor:
    if x.rank == 2:
        return api_linalg.matmul(x, kernel)
    return tensordot(x, kernel, [[(x.rank or 3) - 1], [0]])


class AbstractRNNCell(Layer):
    """Base of users' cells: `call(inputs, states)` gives (output, new states).

    A subclass also says `state_size` and `output_size`.
    """

    def call(self, inputs: Any, states: Any) -> Any:  # type: ignore[override]
        raise NotImplementedError("Abstract method")

    @property
    def state_size(self) -> Any:
        """The extent of the state, or a list of them."""
        raise NotImplementedError("Abstract method")

    @property
    def output_size(self) -> Any:
        """The last extent of the outputs."""
        raise NotImplementedError("Abstract method")

    def get_initial_state(
        self, inputs: Any = None, batch_size: Any = None, dtype: Any = None
    ) -> Any:
        """Zeros of the states' shapes."""
        return _zero_states(self, inputs, batch_size, dtype)


class Cell(Layer):
    """What the cells share: weights for `gates` gates, dropout of inputs and states."""

    gates = 1

    def __init__(
        self, units: int, activation: Any = "tanh", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None, bias_regularizer: Any = None,
        kernel_constraint: Any = None, recurrent_constraint: Any = None,
        bias_constraint: Any = None, dropout: float = 0.0, recurrent_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        self.implementation = kwargs.pop("implementation", 1)
        self.seed = kwargs.pop("seed", None)
        super().__init__(**kwargs)
        self.units, self.use_bias = int(units), use_bias
        settle(self, {
            "activation": activation, "kernel_initializer": kernel_initializer,
            "recurrent_initializer": recurrent_initializer, "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "recurrent_regularizer": recurrent_regularizer, "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint, "recurrent_constraint": recurrent_constraint,
            "bias_constraint": bias_constraint,
        })  # fmt: skip
        self.dropout = min(1.0, max(0.0, dropout))
        self.recurrent_dropout = min(1.0, max(0.0, recurrent_dropout))
        self.bias: Any = None

    @property
    def state_size(self) -> Any:
        """The extent of the state, or a list of them."""
        return self.units

    @property
    def output_size(self) -> int:
        return self.units

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _bias_start(self) -> Any:
        return self.bias_initializer

    def build(self, input_shape: Any) -> None:
        wide = self.gates * self.units
        self.kernel = self.add_weight(
            "kernel", (input_shape[-1], wide), initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel", (self.units, wide), initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer, constraint=self.recurrent_constraint,
        )  # fmt: skip
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", self._bias_shape(), initializer=self._bias_start(),
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip
        self.built = True

    # ------------------------------------------------------------ the two products
    def input_bias(self) -> Any:
        """The bias of the product with the inputs."""
        return self.bias

    def masks(self, like: Tensor, rate: float, training: Any) -> list[Tensor] | None:
        """A dropout mask a gate, of the shape of `like`; None without dropout."""
        return dropout_masks(like, rate, self.gates, training, self.seed)

    def project(
        self, x: Any, training: Any = None, time: int = 1, masks: list[Tensor] | None = None
    ) -> Tensor:
        """inputs @ kernel + bias, for [batch, features] or [batch, time, features].

        Args:
            time: the axis of time, where there is one. masks: of the inputs; default new ones.
        """
        x = convert_to_tensor(x)
        if self.dropout and masks is None:
            one = x if x.rank == 2 else x[:, 0] if time else x[0]
            masks = self.masks(one, self.dropout, training)
        if masks is None:
            out = _product(x, self.kernel)
        else:
            u = self.units
            parts = []
            for k, mask in enumerate(masks):
                wide = mask if x.rank == 2 else api_array.expand_dims(mask, time)
                kernel = convert_to_tensor(self.kernel)[:, k * u : (k + 1) * u]
                parts.append(_product(x * wide, kernel))
            out = api_array.concat(parts, -1)
        bias = self.input_bias()
        return out if bias is None else out + bias

    def recurrent(self, h: Any, masks: Any, first: int = 0, last: int | None = None) -> Tensor:
        """h @ recurrent_kernel of the gates from `first` to before `last`."""
        last = self.gates if last is None else last
        u = self.units
        kernel: Any = self.recurrent_kernel
        whole = first == 0 and last == self.gates
        if masks is None:
            part = kernel if whole else convert_to_tensor(kernel)[:, first * u : last * u]
            return api_linalg.matmul(h, part)
        table = convert_to_tensor(kernel)
        return api_array.concat(
            [api_linalg.matmul(h * masks[k], table[:, k * u : (k + 1) * u])
             for k in range(first, last)], -1,
        )  # fmt: skip

    def advance(self, projected: Any, states: Any, masks: Any) -> tuple[Any, list[Any]]:
        """(output, new states) from the projected inputs."""
        raise NotImplementedError

    def call(self, inputs: Any, states: Any, training: Any = None) -> tuple[Any, list[Any]]:  # type: ignore[override]
        listed = list(states) if isinstance(states, list | tuple) else [states]
        masks = self.masks(listed[0], self.recurrent_dropout, training)
        return self.advance(self.project(inputs, training), listed, masks)

    def get_initial_state(
        self, inputs: Any = None, batch_size: Any = None, dtype: Any = None
    ) -> list[Any]:
        """Zeros of the states' shapes."""
        made: list[Any] = _zero_states(self, inputs, batch_size, dtype)
        return made

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **described(self, _NAMES),
                "implementation": self.implementation}  # fmt: skip


def _zero_states(cell: Any, inputs: Any, batch: Any, dtype: Any) -> list[Any]:
    sizes = cell.state_size
    if batch is None:
        batch = api_array.shape(inputs)[0]
    kind = dtype or (inputs.dtype if inputs is not None else cell._dtype)
    listed = sizes if isinstance(sizes, list | tuple) else [sizes]
    return [zeros_of(batch, size, kind) for size in listed]


def dropout_masks(
    like: Tensor, rate: float, gates: int, training: Any, seed: int | None = None
) -> list[Tensor] | None:
    """A mask a gate, of the shape of `like`, of ones while not training; None without dropout."""
    if not rate:
        return None
    ones = api_array.ones_like(like)
    return [
        K.in_train_phase(lambda: nn.dropout(ones, rate, seed=seed), ones, training)
        for _ in range(gates)
    ]


def forget_bias(initializer: Any, units: int, ones: bool) -> Any:
    """The initializer, for four gates; with `ones`, the second gate's part starts at 1."""
    if not ones:
        return initializer

    def start(shape: Any, dtype: Any = None) -> Tensor:
        before = shape[0] - 3 * units
        parts = [initializer((before,), dtype=dtype), initializers.Ones()((units,), dtype=dtype),
                 initializer((2 * units,), dtype=dtype)]  # fmt: skip
        return api_array.concat(parts, 0)

    return start


def zeros_of(batch: Any, size: Any, dtype: Any) -> Tensor:
    """Zeros [batch, size] (or [batch, *size])."""
    if hasattr(size, "as_list"):
        size = size.as_list()
    inner = list(size) if isinstance(size, list | tuple) else [size]
    if isinstance(batch, Tensor):
        out = api_array.zeros(api_array.stack([batch, *inner]), dtype=dtype)
        out.set_shape([None, *inner])
        return out
    return api_array.zeros([batch, *inner], dtype=dtype)


class SimpleRNNCell(Cell):
    """output = activation(inputs @ kernel + bias + state @ recurrent_kernel)."""

    def advance(self, projected: Any, states: Any, masks: Any) -> tuple[Any, list[Any]]:
        out = self.activation(projected + self.recurrent(states[0], masks))
        return out, [out]


class GRUCell(Cell):
    """Gated recurrent unit (Cho 2014).

    Args:
        recurrent_activation: of the gates. reset_after: the reset gate applies to the product
            with the state, which then has a bias of its own.
    """

    gates = 3

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "hard_sigmoid",
        use_bias: bool = True, *args: Any, reset_after: bool = False, **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, *args, **kwargs)
        settle(self, {"recurrent_activation": recurrent_activation})
        self.reset_after = reset_after

    def _bias_shape(self) -> tuple[int, ...]:
        wide = 3 * self.units
        return (2, wide) if self.reset_after else (wide,)

    def input_bias(self) -> Any:
        if self.bias is None or not self.reset_after:
            return self.bias
        return convert_to_tensor(self.bias)[0]

    def state_bias(self) -> Any:
        """The bias of the product with the state, where the reset gate comes after it."""
        return convert_to_tensor(self.bias)[1]

    def advance(self, projected: Any, states: Any, masks: Any) -> tuple[Any, list[Any]]:
        h, u = states[0], self.units
        gate: Callable[..., Any] = self.recurrent_activation
        if self.reset_after:
            inner = self.recurrent(h, masks)
            if self.bias is not None:
                inner = inner + self.state_bias()
            both = gate(projected[:, : 2 * u] + inner[:, : 2 * u])
            z, r = both[:, :u], both[:, u:]
            new = self.activation(projected[:, 2 * u :] + r * inner[:, 2 * u :])
        else:
            both = gate(projected[:, : 2 * u] + self.recurrent(h, masks, 0, 2))
            z, r = both[:, :u], both[:, u:]
            new = self.activation(projected[:, 2 * u :] + self.recurrent(r * h, masks, 2, 3))
        out = z * h + (1.0 - z) * new
        return out, [out]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **described(self, "recurrent_activation reset_after")}


class LSTMCell(Cell):
    """Long short-term memory (Hochreiter 1997).

    Args:
        recurrent_activation: of the gates. unit_forget_bias: the forget gate's bias starts at 1.
    """

    gates = 4

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "hard_sigmoid",
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True, **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, **kwargs,
        )  # fmt: skip
        settle(self, {"recurrent_activation": recurrent_activation})
        self.unit_forget_bias = unit_forget_bias

    @property
    def state_size(self) -> Any:
        return [self.units, self.units]

    def _bias_start(self) -> Any:
        return forget_bias(self.bias_initializer, self.units, self.unit_forget_bias)

    def advance(self, projected: Any, states: Any, masks: Any) -> tuple[Any, list[Any]]:
        h, c = states[0], states[1]
        u = self.units
        z = projected + self.recurrent(h, masks)
        gate = self.recurrent_activation
        i, f, o = gate(z[:, :u]), gate(z[:, u : 2 * u]), gate(z[:, 3 * u :])
        new = f * c + i * self.activation(z[:, 2 * u : 3 * u])
        out = o * self.activation(new)
        return out, [out, new]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **described(self, "recurrent_activation unit_forget_bias")}


class CuDNNLSTMCell(LSTMCell):
    """LSTMCell with a bias for the inputs and one for the states."""

    def _bias_shape(self) -> tuple[int, ...]:
        return (8 * self.units,)

    def input_bias(self) -> Any:
        bias = convert_to_tensor(self.bias)
        return bias[: 4 * self.units] + bias[4 * self.units :]


class CuDNNGRUCell(GRUCell):
    """GRUCell whose two biases stand in one vector."""

    def _bias_shape(self) -> tuple[int, ...]:
        return (6 * self.units,)

    def input_bias(self) -> Any:
        return convert_to_tensor(self.bias)[: 3 * self.units]

    def state_bias(self) -> Any:
        return convert_to_tensor(self.bias)[3 * self.units :]


class StackedRNNCells(Layer):
    """Cells one on the other as a cell; dropout masks stay the same through a sequence."""

    def __init__(self, cells: Any, **kwargs: Any) -> None:
        kwargs.pop("reverse_state_order", None)
        super().__init__(**kwargs)
        for cell in cells:
            if not hasattr(cell, "call") or not hasattr(cell, "state_size"):
                raise ValueError(
                    "All cells must have a `call` method and a `state_size` attribute. received "
                    f"cells: {cells}"
                )
        self.cells = list(cells)

    @property
    def state_size(self) -> Any:
        out: list[Any] = []
        for cell in self.cells:
            size = cell.state_size
            out += list(size) if isinstance(size, list | tuple) else [size]
        return out

    @property
    def output_size(self) -> Any:
        return output_size_of(self.cells[-1])

    def build(self, input_shape: Any) -> None:
        from graphc.ir.graph import get_default_graph

        shape = input_shape
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                with get_default_graph().name_scope(cell._scope_name()):
                    cell._dtype = cell._dtype or self._dtype
                    cell.build(shape)
                    cell.built = True
            shape = (shape[0], output_size_of(cell))
        self.built = True

    def drops(self, row: Tensor, training: Any) -> list[Any]:
        """For each cell the dropout masks of its inputs and its state, for inputs at one time."""
        out: list[Any] = []
        like, batch = row, api_array.shape(row)[0]
        for cell in self.cells:
            if isinstance(cell, Cell):
                state = zeros_of(batch, cell.units, row.dtype)
                out.append((cell.masks(like, cell.dropout, training),
                            cell.masks(state, cell.recurrent_dropout, training)))  # fmt: skip
            else:
                out.append(None)
            like = zeros_of(batch, output_size_of(cell), row.dtype)
        return out

    def call(  # type: ignore[override]
        self, inputs: Any, states: Any, constants: Any = None, training: Any = None,
        drops: list[Any] | None = None,
    ) -> tuple[Any, list[Any]]:
        if drops is None:
            drops = self.drops(convert_to_tensor(inputs), training)
        left, new = list(states), []
        given = {"constants": constants, "training": training}
        for cell, masks in zip(self.cells, drops):
            count = len(cell.state_size) if isinstance(cell.state_size, list | tuple) else 1
            mine, left = left[:count], left[count:]
            if masks is not None:
                projected = cell.project(inputs, training, masks=masks[0])
                inputs, after = cell.advance(projected, mine, masks[1])
            else:
                names = cell._call_names() if isinstance(cell, Layer) else []
                takes = {k: v for k, v in given.items() if v is not None and k in names}
                inputs, after = cell.call(inputs, mine, **takes)
            new += list(after) if isinstance(after, list | tuple) else [after]
        return inputs, new

    def get_initial_state(
        self, inputs: Any = None, batch_size: Any = None, dtype: Any = None
    ) -> list[Any]:
        """Zeros of the states' shapes."""
        return _zero_states(self, inputs, batch_size, dtype)

    def get_config(self) -> dict[str, Any]:
        cells = [described_layer(c) for c in self.cells]
        return {**super().get_config(), "cells": cells}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        from graphc.keras.layers import deserialize

        cells = [deserialize(c, custom_objects) for c in config.pop("cells")]
        return cls(cells, **config)


def output_size_of(cell: Any) -> Any:
    """The last extent of a cell's outputs."""
    size = getattr(cell, "output_size", None)
    if size is not None:
        return size
    state = cell.state_size
    return state[0] if isinstance(state, list | tuple) else state
