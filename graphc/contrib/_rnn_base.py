"""What the cells of tf.contrib.rnn share: sizes, linear maps, layer normalisation, parted matrices.

Lives here: Recurrent, linear, normalized, parted. Not here: the cells (_rnn_cells.py and others).
Only modules of tf.contrib.rnn, seq2seq and legacy_seq2seq import this.
"""

from __future__ import annotations

from typing import Any

from graphc.contrib.layers import layer_norm
from graphc.tf1 import nest
from graphc.tf1.api_array import concat
from graphc.tf1.api_linalg import matmul
from graphc.tf1.api_nn import bias_add
from graphc.tf1.initializers import Constant, Zeros
from graphc.tf1.rnn_cell_base import BIAS, KERNEL, LSTMStateTuple, RNNCell
from graphc.tf1.variable_scope import get_variable, variable_scope

__all__ = ["Linear", "Recurrent", "depth_of", "linear", "memory_sizes", "normalized", "parted"]


class Recurrent(RNNCell):
    """A cell whose sizes are set when it is made."""

    def __init__(self, state_size: Any, output_size: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._state_size = state_size
        self._output_size = output_size

    @property
    def state_size(self) -> Any:
        return self._state_size

    @property
    def output_size(self) -> Any:
        return self._output_size


def memory_sizes(num_units: int, num_proj: int | None) -> LSTMStateTuple:
    """The sizes of memory and output of an LSTM with an optional projection."""
    return LSTMStateTuple(num_units, num_proj or num_units)


def depth_of(inputs: Any) -> int:
    """The extent of axis 1. Raises ValueError where it is not known."""
    depth = inputs.get_shape().with_rank(2).as_list()[1]
    if depth is None:
        raise ValueError("Could not infer input size from inputs.get_shape()[-1]")
    return int(depth)


class Linear:
    """args, joined along axis 1, times the variable "kernel", plus "bias" where wanted.

    The variables are made at once, in the scope in force; calls share them.

    Args:
        args: matrices like those of the calls, or one. output_size: of the product.
        build_bias: whether there is a bias. bias_initializer: default zeros.
        kernel_initializer: default the scope's.

    Raises:
        ValueError: no args, args that are no matrices, or whose depth is not known.
    """

    def __init__(
        self,
        args: Any,
        output_size: int,
        build_bias: bool,
        bias_initializer: Any = None,
        kernel_initializer: Any = None,
    ) -> None:
        items = list(args) if nest.is_nested(args) else [args]
        if not items or items[0] is None:
            raise ValueError("`args` must be specified")
        depth = sum(_matrix_depth(item, items) for item in items)
        kind = items[0].dtype
        self._weights = get_variable(
            KERNEL, [depth, output_size], dtype=kind, initializer=kernel_initializer
        )
        self._biases: Any = None
        if build_bias:
            self._biases = get_variable(
                BIAS, [output_size], dtype=kind,
                initializer=Zeros() if bias_initializer is None else bias_initializer,
            )  # fmt: skip

    def __call__(self, args: Any) -> Any:
        items = list(args) if nest.is_nested(args) else [args]
        product = matmul(items[0] if len(items) == 1 else concat(items, 1), self._weights)
        return product if self._biases is None else bias_add(product, self._biases)


def _matrix_depth(item: Any, items: list[Any]) -> int:
    shape = item.get_shape()
    if shape.ndims != 2:
        raise ValueError(f"linear is expecting 2D arguments: {[i.get_shape() for i in items]}")
    depth = shape.as_list()[1]
    if depth is None:
        raise ValueError(
            f"linear expects shape[1] to be provided for shape {shape}, but saw {shape[1]}"
        )
    return int(depth)


def linear(
    args: Any,
    output_size: int,
    bias: bool,
    bias_initializer: Any = None,
    kernel_initializer: Any = None,
) -> Any:
    """Linear made and called at once: see there."""
    return Linear(args, output_size, bias, bias_initializer, kernel_initializer)(args)


def normalized(x: Any, gain: float, shift: float, scope: str) -> Any:
    """Layer normalisation with the variables "gamma" and "beta" below `scope`."""
    width = x.get_shape().as_list()[-1:]
    with variable_scope(scope):
        get_variable("gamma", width, dtype=x.dtype, initializer=Constant(gain))
        get_variable("beta", width, dtype=x.dtype, initializer=Constant(shift))
    return layer_norm(x, reuse=True, scope=scope)


def parted(name: str, shape: list[int], dtype: Any, parts: int) -> Any:
    """A matrix whose rows are kept in the variables "name_0", "name_1", ...

    Raises:
        ValueError: more parts than rows.
    """
    if parts > shape[0]:
        raise ValueError(f"Too many shards: shape={shape}, num_shards={parts}")
    each, more = divmod(shape[0], parts)
    kept = [
        get_variable(f"{name}_{n}", [each + (n < more), *shape[1:]], dtype=dtype)
        for n in range(parts)
    ]
    return kept[0] if parts == 1 else concat(kept, 0, name=f"{name}/concat")
