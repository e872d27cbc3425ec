"""Wrappers of recurrent cells: DropoutWrapper, ResidualWrapper, DeviceWrapper.

Lives here: wrappers that have no variables and no scope of their own. Not here: cells
(tf1/rnn_cells.py), projections and attention (contrib/). Users find these names in
graphc.nn.rnn_cell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from graphc.ir.graph import get_default_graph
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.values import value_of
from graphc.tf1 import nest
from graphc.tf1.api_math import floor
from graphc.tf1.api_nn import dropout
from graphc.tf1.api_random import random_uniform
from graphc.tf1.rnn_cell_base import LSTMStateTuple, RNNCell, assert_like_rnncell
from graphc.tf1.rnn_step import is_tensor_array

__all__ = ["CellWrapper", "DeviceWrapper", "DropoutWrapper", "ResidualWrapper"]


class CellWrapper(RNNCell):
    """A cell that changes what goes into another one or comes out of it."""

    def __init__(self, cell: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        assert_like_rnncell("cell", cell)
        self.cell = self._cell = cell

    @property
    def wrapped_cell(self) -> Any:
        return self.cell

    @property
    def state_size(self) -> Any:
        return self.cell.state_size

    @property
    def output_size(self) -> Any:
        return self.cell.output_size

    @property
    def trainable_weights(self) -> list[Any]:
        return list(getattr(self.cell, "trainable_weights", ())) if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Any]:
        return list(getattr(self.cell, "non_trainable_weights", ()))

    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    def build(self, inputs_shape: Any) -> None:
        self.cell.build(inputs_shape)
        self.built = True

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with get_default_graph().name_scope(f"{type(self).__name__}ZeroState"):
            return self.cell.zero_state(batch_size, dtype)

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:  # type: ignore[override]
        return self._wrapped(inputs, state, self.cell.__call__, scope=scope)

    def call(self, inputs: Any, state: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        return self._wrapped(inputs, state, self.cell.call, **kwargs)

    def _wrapped(self, inputs: Any, state: Any, step: Callable[..., Any], **kwargs: Any) -> Any:
        """(output, new state) by `step`, the cell's own."""
        raise NotImplementedError


class DropoutWrapper(CellWrapper):
    """Dropout on a cell's inputs, outputs and states (tf.nn.rnn_cell.DropoutWrapper).

    Args:
        input_keep_prob, output_keep_prob, state_keep_prob: shares that are kept: numbers or scalar
            tensors. The memory c of an LSTMStateTuple is never dropped.
        variational_recurrent: one mask for all steps and all members of the batch (Gal and
            Ghahramani 2016); needs dtype, and input_size where inputs are dropped.
        seed: of the draws. dropout_state_filter_visitor: of a state, which of its parts are
            dropped: a bool, or bools in its form.

    Raises:
        TypeError: no cell, or a visitor that cannot be called. ValueError: a share outside
        [0, 1]; dtype or input_size not given.
    """

    def __init__(
        self,
        cell: Any,
        input_keep_prob: Any = 1.0,
        output_keep_prob: Any = 1.0,
        state_keep_prob: Any = 1.0,
        variational_recurrent: bool = False,
        input_size: Any = None,
        dtype: Any = None,
        seed: int | None = None,
        dropout_state_filter_visitor: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(cell, dtype=dtype, **kwargs)
        if dropout_state_filter_visitor is not None and not callable(dropout_state_filter_visitor):
            raise TypeError("dropout_state_filter_visitor must be callable")
        self._visitor = dropout_state_filter_visitor or _dropped_by_default
        with get_default_graph().name_scope("DropoutWrapperInit"):
            self._input_keep_prob = _share(input_keep_prob, "input_keep_prob")
            self._state_keep_prob = _share(state_keep_prob, "state_keep_prob")
            self._output_keep_prob = _share(output_keep_prob, "output_keep_prob")
        self._seed = seed
        self._variational_recurrent = variational_recurrent
        self._noise: dict[str, list[Any]] = {}
        if variational_recurrent:
            self._draw_masks(input_size)

    def _draw_masks(self, input_size: Any) -> None:
        """The draws that decide what is dropped at every step."""
        if self.dtype is None:
            raise ValueError("When variational_recurrent=True, dtype must be provided")
        sizes = {"state": self.cell.state_size, "output": self.cell.output_size}
        if _drops(self._input_keep_prob):
            if input_size is None:
                raise ValueError(
                    "When variational_recurrent=True and input_keep_prob < 1.0 or is unknown, "
                    "input_size must be provided"
                )
            sizes["input"] = input_size
        for which, size in sizes.items():
            self._noise[which] = [
                random_uniform(
                    [1, *TensorShape(s).as_list()], seed=self._seed_of(which, number),
                    dtype=self.dtype,
                )
                for number, s in enumerate(nest.flatten(size))
            ]  # fmt: skip

    def _seed_of(self, which: str, number: int) -> int | None:
        """A seed for each place; the same as TensorFlow's."""
        if self._seed is None:
            return None
        text = f"{self._seed}{which}_{number}".encode()
        return int(hashlib.md5(text, usedforsecurity=False).hexdigest()[:8], 16) & 0x7FFFFFFF

    def _dropped(self, which: str, values: Any, keep: Any, wanted: Any = None) -> Any:
        """`values` with dropout where the flags in `wanted` are true; None: everywhere."""
        leaves = nest.flatten(values)
        flags = [True] * len(leaves) if wanted is None else _flags(wanted, values)
        noise = self._noise.get(which)
        out = []
        for at, (value, drop) in enumerate(zip(leaves, flags, strict=True)):
            if not drop:
                out.append(value)
            elif noise is None:
                out.append(dropout(value, keep, seed=self._seed_of(which, at)))
            else:
                kept = value / keep * floor(keep + noise[at])
                kept.set_shape(value.shape)
                out.append(kept)
        return nest.pack_sequence_as(values, out)

    def _wrapped(self, inputs: Any, state: Any, step: Callable[..., Any], **kwargs: Any) -> Any:
        if _drops(self._input_keep_prob):
            inputs = self._dropped("input", inputs, self._input_keep_prob)
        output, new_state = step(inputs, state, **kwargs)
        if _drops(self._state_keep_prob):
            wanted = _asked(self._visitor, new_state)
            new_state = self._dropped("state", new_state, self._state_keep_prob, wanted)
        if _drops(self._output_keep_prob):
            output = self._dropped("output", output, self._output_keep_prob)
        return output, new_state


def _share(given: Any, name: str) -> Any:
    """A float, or a tensor that only a run knows. Raises ValueError outside [0, 1]."""
    known = given
    if is_tensor_like(given):
        value = value_of(convert_to_tensor(given))
        if value is None:
            return convert_to_tensor(given)
        known = float(value)
    if known < 0 or known > 1:
        raise ValueError(f"Parameter {name} must be between 0 and 1: {known:g}")
    return float(known)


def _drops(share: Any) -> bool:
    return not isinstance(share, float) or share < 1


def _dropped_by_default(state: Any) -> Any:
    """All but the memory of an LSTM, and arrays of tensors."""
    if isinstance(state, LSTMStateTuple):
        return LSTMStateTuple(c=False, h=True)
    return not is_tensor_array(state)


def _asked(visitor: Callable[[Any], Any], state: Any) -> Any:
    """The visitor's answers for a state and, where true, for the parts below, in lists.

    Raises:
        TypeError: an answer that is neither a bool nor has the form of the state.
    """
    answer = visitor(state)
    if isinstance(answer, bool):
        if not answer or not nest.is_nested(state):
            return answer
        return [_asked(visitor, part) for part in parts_of(state)]
    if not nest.is_nested(answer) or len(answer) != len(state):
        raise TypeError(f"dropout_state_filter_visitor gave {answer!r} for the state {state}")
    pairs = zip(parts_of(answer), parts_of(state), strict=True)
    return [_asked(visitor, part) if flag else False for flag, part in pairs]


def parts_of(structure: Any) -> list[Any]:
    """What is directly inside a structure."""
    if isinstance(structure, dict):
        return [structure[key] for key in sorted(structure)]
    return list(structure)


def _flags(wanted: Any, values: Any) -> list[bool]:
    """One flag a leaf of `values`; a flag in place of a part stands for all its leaves."""
    if isinstance(wanted, bool):
        return [wanted] * len(nest.flatten(values))
    pairs = zip(wanted, parts_of(values), strict=True)
    return [flag for flags, part in pairs for flag in _flags(flags, part)]


class ResidualWrapper(CellWrapper):
    """A cell's inputs added to its outputs (tf.nn.rnn_cell.ResidualWrapper).

    Args:
        residual_fn: (inputs, outputs) -> outputs; default their sum.

    Raises:
        TypeError, ValueError: inputs and outputs of different forms or shapes.
    """

    def __init__(
        self, cell: Any, residual_fn: Callable[..., Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(cell, **kwargs)
        self._residual_fn = residual_fn

    def _wrapped(self, inputs: Any, state: Any, step: Callable[..., Any], **kwargs: Any) -> Any:
        outputs, new_state = step(inputs, state, **kwargs)
        return (self._residual_fn or _sum)(inputs, outputs), new_state


def _sum(inputs: Any, outputs: Any) -> Any:
    def add(one: Any, other: Any) -> Any:
        one.get_shape().assert_is_compatible_with(other.get_shape())
        return one + other

    return nest.map_structure(add, inputs, outputs)


class DeviceWrapper(CellWrapper):
    """A cell whose ops are placed on a device (tf.nn.rnn_cell.DeviceWrapper).

    Args:
        device: a text or a function of the op, as in tf.device.
    """

    def __init__(self, cell: Any, device: Any, **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        self._device = device

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with get_default_graph().device(self._device):
            return super().zero_state(batch_size, dtype)

    def _wrapped(self, inputs: Any, state: Any, step: Callable[..., Any], **kwargs: Any) -> Any:
        with get_default_graph().device(self._device):
            return step(inputs, state, **kwargs)
