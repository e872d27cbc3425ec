"""Decoders of tf.contrib.seq2seq and the loop that runs them.

Lives here: Decoder, BasicDecoder, BasicDecoderOutput, dynamic_decode. Not here: helpers
(_helpers.py), beam search (_beams.py). Users find these names in graphc.contrib.seq2seq.
"""

from __future__ import annotations

import abc
from typing import Any, NamedTuple

from graphc.ir.dtypes import int32
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.values import value_of
from graphc.tf1 import nest
from graphc.tf1.api_array import shape
from graphc.tf1.api_create import fill, zeros, zeros_like
from graphc.tf1.api_index import where
from graphc.tf1.api_math import logical_not, logical_or, maximum
from graphc.tf1.api_reduce import reduce_all
from graphc.tf1.control_flow import while_loop
from graphc.tf1.layers_base import Layer
from graphc.tf1.rnn_cell_base import (
    assert_like_rnncell,
    batch_shape,
    batch_vector,
    zero_states,
)
from graphc.tf1.rnn_step import is_tensor_array, rows_of, transpose_batch_time
from graphc.tf1.scopes import name_scope
from graphc.tf1.tensor_array import TensorArray
from graphc.tf1.variable_scope import variable_scope

__all__ = ["BasicDecoder", "BasicDecoderOutput", "Decoder", "dynamic_decode", "layer_output_size"]


class Decoder(abc.ABC):
    """One step of decoding, and what goes before and after (tf.contrib.seq2seq.Decoder)."""

    @property
    def batch_size(self) -> Any:
        """The number of rows."""
        raise NotImplementedError

    @property
    def output_size(self) -> Any:
        """Sizes of one row's outputs: ints or TensorShapes, nested."""
        raise NotImplementedError

    @property
    def output_dtype(self) -> Any:
        """Dtypes of the outputs, in the form of output_size."""
        raise NotImplementedError

    @abc.abstractmethod
    def initialize(self, name: str | None = None) -> Any:
        """(rows that are over, first inputs, first state)."""

    @abc.abstractmethod
    def step(self, time: Any, inputs: Any, state: Any, name: str | None = None) -> Any:
        """(outputs, next state, next inputs, rows that are over)."""

    def finalize(self, outputs: Any, final_state: Any, sequence_lengths: Any) -> Any:
        """(outputs, state) from those of all steps; NotImplementedError: as they are."""
        raise NotImplementedError

    @property
    def tracks_own_finished(self) -> bool:
        """Whether `step` tells of all rows that are over, also those of earlier steps."""
        return False


class BasicDecoderOutput(NamedTuple):
    """What BasicDecoder gives: the cell's (or the output layer's) outputs, and the samples."""

    rnn_output: Any
    sample_id: Any


def layer_output_size(size: Any, layer: Any) -> Any:
    """The size of a cell's outputs behind an output layer."""
    if layer is None:
        return size
    return nest.map_structure(
        lambda s: layer.compute_output_shape(TensorShape([None]).concatenate(TensorShape(s)))[1:],
        size,
    )


class BasicDecoder(Decoder):
    """A cell that reads what a helper says (tf.contrib.seq2seq.BasicDecoder).

    Args:
        cell: an RNNCell. helper: a Helper. initial_state: in the form of the cell's states.
        output_layer: a layer applied to the cell's outputs before sampling.

    Raises:
        TypeError: an argument of another kind.
    """

    def __init__(
        self, cell: Any, helper: Any, initial_state: Any, output_layer: Any = None
    ) -> None:
        from graphc.contrib.seq2seq._helpers import Helper

        assert_like_rnncell("cell", cell)
        if not isinstance(helper, Helper):
            raise TypeError(f"helper must be a Helper, received: {type(helper)}")
        if output_layer is not None and not isinstance(output_layer, Layer):
            raise TypeError(f"output_layer must be a Layer, received: {type(output_layer)}")
        self._cell = cell
        self._helper = helper
        self._initial_state = initial_state
        self._output_layer = output_layer

    @property
    def batch_size(self) -> Any:
        return self._helper.batch_size

    @property
    def output_size(self) -> Any:
        return BasicDecoderOutput(
            layer_output_size(self._cell.output_size, self._output_layer),
            self._helper.sample_ids_shape,
        )

    @property
    def output_dtype(self) -> Any:
        kind = nest.flatten(self._initial_state)[0].dtype
        sizes = layer_output_size(self._cell.output_size, self._output_layer)
        return BasicDecoderOutput(
            nest.map_structure(lambda _: kind, sizes), self._helper.sample_ids_dtype
        )

    def initialize(self, name: str | None = None) -> Any:
        return (*self._helper.initialize(), self._initial_state)

    def step(self, time: Any, inputs: Any, state: Any, name: str | None = None) -> Any:
        with name_scope(name, "BasicDecoderStep"):
            outputs, cell_state = self._cell(inputs, state)
            if self._output_layer is not None:
                outputs = self._output_layer(outputs)
            ids = self._helper.sample(time=time, outputs=outputs, state=cell_state)
            finished, following, next_state = self._helper.next_inputs(
                time=time, outputs=outputs, state=cell_state, sample_ids=ids
            )
        return BasicDecoderOutput(outputs, ids), next_state, following, finished


# ------------------------------------------------------------------ the loop
def dynamic_decode(
    decoder: Any,
    output_time_major: bool = False,
    impute_finished: bool = False,
    maximum_iterations: Any = None,
    parallel_iterations: int = 32,
    swap_memory: bool = False,
    scope: Any = None,
) -> tuple[Any, Any, Any]:
    """Runs a decoder until all rows are over (tf.contrib.seq2seq.dynamic_decode).

    Args:
        output_time_major: whether outputs are (time, batch, ...); else (batch, time, ...).
        impute_finished: whether rows that are over give zeros and keep their state.
        maximum_iterations: scalar int32: the most steps. scope: default "decoder".
        parallel_iterations, swap_memory: accepted.

    Returns:
        (outputs, last state, the number of steps of each row).

    Raises:
        TypeError: no Decoder. ValueError: maximum_iterations is no scalar.
    """
    if not isinstance(decoder, Decoder):
        raise TypeError(f"Expected decoder to be type Decoder, but saw: {type(decoder)}")
    with variable_scope(scope, "decoder"):
        limit = None
        if maximum_iterations is not None:
            limit = convert_to_tensor(maximum_iterations, int32, name="maximum_iterations")
            if limit.shape.ndims != 0:
                raise ValueError("maximum_iterations must be a scalar")
        finished, inputs, state = decoder.initialize()
        finished = convert_to_tensor(finished)
        sizes, kinds = decoder.output_size, decoder.output_dtype
        rows = decoder.batch_size
        body = _DecodeBody(
            decoder, nest.map_structure(lambda s, d: zero_states(s, rows, d), sizes, kinds)
            if impute_finished else None,
        )  # fmt: skip
        if limit is not None:
            finished = logical_or(finished, limit <= 0)
        most = _most_steps(decoder, limit)
        start = (
            convert_to_tensor(0),
            nest.map_structure(lambda s, d: _array(s, d, rows, most), sizes, kinds),
            nest.map_structure(_leaf, state), nest.map_structure(convert_to_tensor, inputs),
            finished, zeros_like(finished, dtype=int32),
        )  # fmt: skip
        time, arrays, state, _, _, lengths = while_loop(
            lambda _t, _o, _s, _i, over, _l: logical_not(reduce_all(over)), body.step, start,
            parallel_iterations=parallel_iterations, swap_memory=swap_memory,
            maximum_iterations=limit,
        )  # fmt: skip
        outputs = nest.map_structure(lambda a: _steps_done(a, time, most), arrays)
        try:
            outputs, state = decoder.finalize(outputs, state, lengths)
        except NotImplementedError:
            pass
        if not output_time_major:
            outputs = nest.map_structure(transpose_batch_time, outputs)
    return outputs, state, lengths


def _leaf(value: Any) -> Any:
    return value if is_tensor_array(value) else convert_to_tensor(value)


def _most_steps(decoder: Any, limit: Tensor | None) -> Tensor | None:
    """How many steps there can be; None where only the loop knows."""
    if limit is not None:
        return maximum(limit, 0)
    helper = getattr(decoder, "_helper", None)
    return getattr(helper, "most_steps", None)


def _steps_done(array: TensorArray, time: Tensor, most: Tensor | None) -> Tensor:
    """What was written, without room for steps that did not come."""
    stacked = array.stack()
    if most is None:
        return stacked
    done = stacked[:time]
    done.set_shape([None, *stacked.shape.as_list()[1:]])
    return done


def _array(size: Any, kind: Any, rows: Any, most: Tensor | None) -> TensorArray:
    """A TensorArray for one of the decoder's outputs."""
    known = value_of(convert_to_tensor(rows))
    count = int(known) if known is not None and isinstance(known.item(), int) else None
    element = TensorShape([count]).concatenate(TensorShape(size))
    if most is not None:
        array = TensorArray(kind, size=most, element_shape=element)
        # zeros whose extents are known before the loop
        return array.unstack(zeros(batch_shape(most, batch_vector(rows, size)), kind))
    return TensorArray(kind, size=0, dynamic_size=True, element_shape=element)


class _DecodeBody:
    """One step of dynamic_decode; `zero` where rows that are over give zeros."""

    def __init__(self, decoder: Decoder, zero: Any) -> None:
        self.decoder = decoder
        self.zero = zero

    def step(
        self, time: Any, arrays: Any, state: Any, inputs: Any, finished: Any, lengths: Any
    ) -> Any:
        outputs, new_state, following, over = self.decoder.step(time, inputs, state)
        if not self.decoder.tracks_own_finished:
            over = logical_or(over, finished)
        lengths = where(logical_not(finished), fill(shape(lengths), time + 1), lengths)
        nest.assert_same_structure(state, new_state)
        nest.assert_same_structure(arrays, outputs)
        nest.assert_same_structure(inputs, following)
        if self.zero is not None:

            def chosen(old: Any, new: Any) -> Any:
                return rows_of(finished, old, new)

            outputs = nest.map_structure(
                lambda zero, out: where(finished, zero, out), self.zero, outputs
            )
            new_state = nest.map_structure(chosen, state, new_state)
        else:
            nest.map_structure(_like, state, new_state)
        nest.map_structure(_like, inputs, following)
        arrays = nest.map_structure(lambda array, out: array.write(time, out), arrays, outputs)
        return time + 1, arrays, new_state, following, over, lengths


def _like(old: Any, new: Any) -> None:
    """What is known of a loop variable's shape holds after the step, too."""
    if isinstance(new, Tensor):
        new.set_shape(old.shape)
