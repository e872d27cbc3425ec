"""RNNCell: the base of all recurrent cells, states of zeros, and what cells share.

Lives here: RNNCell, LayerRNNCell, LSTMStateTuple, checks of cells and of their dtypes, shapes made
of a batch size and a state size. Not here: the cells (tf1/rnn_cells.py), the loops that call them
(tf1/rnn_static.py, tf1/rnn.py). Users find these names in graphc.nn.rnn_cell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from graphc.ir.dtypes import as_dtype, int32
from graphc.ir.graph import get_default_graph
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.values import value_of
from graphc.tf1 import nest
from graphc.tf1.api_array import concat, expand_dims, shape
from graphc.tf1.api_create import zeros
from graphc.tf1.initializers import Constant, Zeros
from graphc.tf1.layers_base import Layer
from graphc.tf1.variable_scope import get_variable_scope, variable_scope

__all__ = [
    "BIAS",
    "KERNEL",
    "LSTMStateTuple",
    "LayerRNNCell",
    "RNNCell",
    "activation_of",
    "assert_like_rnncell",
    "batch_shape",
    "bias_initializer",
    "check_dtypes",
    "known_depth",
    "static_batch_shape",
    "zero_states",
]  # fmt: skip

KERNEL = "kernel"
BIAS = "bias"


class _StateTuple(NamedTuple):
    c: Any
    h: Any


class LSTMStateTuple(_StateTuple):
    """The state (c, h) of an LSTM: its memory and its output (tf.nn.rnn_cell.LSTMStateTuple).

    Sizes, tensors and values come in this form.
    """

    __slots__ = ()

    @property
    def dtype(self) -> Any:
        """The dtype of both. Raises TypeError where they differ."""
        if self.c.dtype != self.h.dtype:
            raise TypeError(f"Inconsistent internal state: {self.c.dtype} vs {self.h.dtype}")
        return self.c.dtype


def assert_like_rnncell(cell_name: str, cell: Any) -> None:
    """Checks that an object can be used as a cell.

    Raises:
        TypeError: it has no output_size, no state_size, no zero_state, or cannot be called.
    """
    wrong = []
    if not hasattr(cell, "output_size"):
        wrong.append("'output_size' property is missing")
    if not hasattr(cell, "state_size"):
        wrong.append("'state_size' property is missing")
    if not (hasattr(cell, "get_initial_state") or hasattr(cell, "zero_state")):
        wrong.append("either 'zero_state' or 'get_initial_state' method is required")
    if not callable(cell):
        wrong.append("is not callable")
    if wrong:
        raise TypeError(
            f"The argument {cell_name!r} ({cell}) is not an RNNCell: {', '.join(wrong)}."
        )


def check_dtypes(*values: Any) -> None:
    """Cells compute with floating numbers.

    Raises:
        ValueError: "RNN cell only supports floating point inputs, but saw dtype: ...".
    """
    for value in nest.flatten(values):
        dtype = getattr(value, "dtype", value)
        if dtype is None:
            continue
        found = as_dtype(dtype)
        if not (found.is_floating or found.is_complex):
            raise ValueError(
                f"RNN cell only supports floating point inputs, but saw dtype: {found!r}"
            )


def known_depth(inputs_shape: Any) -> int:
    """The last extent of the inputs. Raises ValueError where it is not known."""
    last = inputs_shape.as_list()[-1]
    if last is None:
        raise ValueError(f"Expected inputs.shape[-1] to be known, saw shape: {inputs_shape}")
    return int(last)


def activation_of(given: Any, default: Callable[..., Any]) -> Callable[..., Any]:
    """The activation function: given as a function, by its name, or not at all.

    Raises:
        ValueError: a name that is not known.
    """
    if given is None:
        return default
    if callable(given):
        return given
    from graphc.tf1 import api_math, api_nn

    names: dict[str, Any] = {n: getattr(api_nn, n) for n in (
        "elu", "relu", "selu", "sigmoid", "softmax", "softplus", "softsign", "tanh",
    )}  # fmt: skip
    names["exponential"] = api_math.exp
    names["linear"] = lambda x: x
    if given not in names:
        raise ValueError(f"Unknown activation function:{given}")
    return names[given]


def bias_initializer(given: Any, value: float = 0.0) -> Any:
    """The bias' initializer: the given one, or a constant."""
    if given is not None:
        return given
    return Zeros() if value == 0.0 else Constant(value)


# ------------------------------------------------------------------ shapes
def batch_shape(prefix: Any, suffix: Any) -> Any:
    """The dynamic shape of a batch of states or outputs: a list of ints, or an int32 vector.

    Args:
        prefix: batch size: an int, a list of them, a scalar or a vector tensor.
        suffix: an int, a TensorShape or an int32 tensor.

    Raises:
        ValueError: a part that is not known.
    """
    parts = [_as_shape(prefix, "prefix"), _as_shape(suffix, "suffix")]
    if any(part is None for part in parts):
        raise ValueError(f"Provided a prefix or suffix of None: {prefix} and {suffix}")
    if not any(is_tensor_like(part) for part in parts):
        return [*parts[0], *parts[1]]
    return concat([p for p in parts if is_tensor_like(p) or p], 0)


def batch_vector(prefix: Any, suffix: Any) -> Any:
    """batch_shape as one int32 vector."""
    return convert_to_tensor(batch_shape(prefix, suffix), int32)


def _as_shape(value: Any, which: str) -> Any:
    """A list of ints or a vector tensor; None where an extent is not known."""
    if is_tensor_like(value):
        tensor = convert_to_tensor(value)
        if tensor.shape.ndims == 0:
            return expand_dims(tensor, 0)
        if tensor.shape.ndims != 1:
            raise ValueError(
                f"{which} tensor must be either a scalar or vector, but saw tensor: {tensor}"
            )
        return tensor
    dims = _dims(value)
    return None if dims is None or None in dims else dims


def _dims(value: Any) -> list[int | None] | None:
    if value is None:
        return [None]
    shape_ = TensorShape(int(value) if isinstance(value, float | np.generic) else value)
    return None if shape_.ndims is None else shape_.as_list()


def _static_dims(value: Any) -> list[int | None] | None:
    if not is_tensor_like(value):
        return _dims(value)
    tensor = convert_to_tensor(value)
    known = value_of(tensor)
    if known is not None:
        dims = known.reshape(-1).tolist()
        return [int(d) if isinstance(d, int) else None for d in dims]
    if tensor.shape.ndims == 0:
        return [None]
    count = tensor.shape.as_list()[0] if tensor.shape.ndims == 1 else None
    if count is None:
        return None
    unknown: list[int | None] = [None] * count
    return unknown


def static_batch_shape(prefix: Any, suffix: Any) -> TensorShape:
    """What is known of batch_shape when the graph is built."""
    parts = [_static_dims(p) for p in (prefix, suffix)]
    if None in parts:
        return TensorShape(None)
    return TensorShape([d for part in parts for d in part or ()])


def zero_states(state_size: Any, batch_size: Any, dtype: Any) -> Any:
    """Zeros in the form of `state_size`, one row a member of the batch."""

    def of(size: Any) -> Any:
        state = zeros(batch_shape(batch_size, size), dtype=dtype)
        state.set_shape(static_batch_shape(batch_size, size))
        return state

    return nest.map_structure(of, state_size)


# ------------------------------------------------------------------ the base
class RNNCell(Layer):
    """One step of a recurrence (tf.nn.rnn_cell.RNNCell).

    A subclass defines `state_size`, `output_size` and `call(inputs, state)`, which gives
    (output, new state). Its variables are made by get_variable inside `call`; a subclass of
    LayerRNNCell makes them in `build`. Sizes are ints or TensorShapes, also nested in tuples.
    """

    _reading_scope: variable_scope | None = None

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:  # type: ignore[override]
        """(output, new state) of one step.

        Args:
            inputs: (batch, depth). state: in the form of state_size, each (batch, size).
            scope: of the variables; default the class's name in snake case.
        """
        if scope is not None:
            with variable_scope(scope, custom_getter=self._remember) as opened:
                return super().__call__(inputs, state, scope=opened)
        if self._reading_scope is None:
            self._reading_scope = variable_scope(get_variable_scope(), custom_getter=self._remember)
        with self._reading_scope:
            return super().__call__(inputs, state)

    def _remember(self, getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A custom getter: variables that `call` reads are the cell's."""
        variable = getter(*args, **kwargs)
        own = self._trainable_weights if variable.trainable else self._non_trainable_weights
        if not any(variable is v for v in own):
            own.append(variable)
        return variable

    @property
    def state_size(self) -> Any:
        raise NotImplementedError("Abstract method")

    @property
    def output_size(self) -> Any:
        raise NotImplementedError("Abstract method")

    def build(self, _: Any) -> None:
        """Nothing: variables are made where `call` reads them."""

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """States of zeros.

        Args:
            batch_size: an int or a scalar int32 tensor.

        Returns:
            Tensors (batch_size, size) in the form of state_size.
        """
        with get_default_graph().name_scope(f"{type(self).__name__}ZeroState"):
            return zero_states(self.state_size, batch_size, dtype)

    def get_initial_state(
        self, inputs: Any = None, batch_size: Any = None, dtype: Any = None
    ) -> Any:
        """zero_state for the batch size and dtype of `inputs`, or for those given.

        Raises:
            ValueError: they contradict each other, or one is not given at all.
        """
        if inputs is not None:
            x = convert_to_tensor(inputs)
            rows = x.shape.as_list()[0]
            if batch_size is not None and not is_tensor_like(batch_size) and rows != batch_size:
                raise ValueError(
                    "batch size from input tensor is different from the input param. Input "
                    f"tensor batch: {rows}, batch_size: {batch_size}"
                )
            if dtype is not None and x.dtype is not as_dtype(dtype):
                raise ValueError(
                    "dtype from input tensor is different from the input param. Input tensor "
                    f"dtype: {x.dtype}, dtype: {dtype}"
                )
            batch_size = shape(x)[0] if rows is None else rows
            dtype = x.dtype
        if batch_size is None or dtype is None:
            raise ValueError(
                "batch_size and dtype cannot be None while constructing initial state: "
                f"batch_size={batch_size}, dtype={dtype}"
            )
        return self.zero_state(batch_size, dtype)


class LayerRNNCell(RNNCell):
    """A cell that makes its variables in `build`, as layers do."""

    def __call__(  # type: ignore[override]
        self, inputs: Any, state: Any, scope: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """(output, new state) of one step; see RNNCell."""
        return Layer.__call__(self, inputs, state, *args, scope=scope, **kwargs)
