"""Beam search: BeamSearchDecoder, its state and outputs.

Lives here: the decoder and one step's choice of beams. Not here: the tensors of beams
(_beam_tensors.py). Users find these names in graphc.contrib.seq2seq.
"""

from __future__ import annotations

import logging
import math
from typing import Any, NamedTuple

from graphc.contrib.seq2seq._beam_tensors import (
    gather_beams,
    gather_tree,
    gather_tree_from_array,
    merge_beams,
    split_beams,
    static_int,
)
from graphc.contrib.seq2seq._decoder import Decoder, layer_output_size
from graphc.contrib.seq2seq._helpers import embedding_function
from graphc.ir.dtypes import bool_, float32, int32, int64
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.ops.values import value_of
from graphc.tf1 import nest
from graphc.tf1.api_array import expand_dims, reshape, shape, size, tile
from graphc.tf1.api_create import one_hot, zeros
from graphc.tf1.api_index import top_k
from graphc.tf1.api_math import (
    cast,
    equal,
    floordiv,
    floormod,
    log,
    logical_not,
    logical_or,
    minimum,
)
from graphc.tf1.api_nn import log_softmax
from graphc.tf1.api_reduce import reduce_all, reduce_max, reduce_sum
from graphc.tf1.layers_base import Layer
from graphc.tf1.rnn_cell_base import assert_like_rnncell
from graphc.tf1.rnn_step import is_tensor_array
from graphc.tf1.scopes import name_scope

__all__ = [
    "BeamSearchDecoder", "BeamSearchDecoderOutput", "BeamSearchDecoderState",
    "FinalBeamSearchDecoderOutput",
]  # fmt: skip

_LOG = logging.getLogger("tensorflow")


class BeamSearchDecoderState(NamedTuple):
    """The state of a search: all parts (batch, beams, ...)."""

    cell_state: Any
    log_probs: Any
    finished: Any
    lengths: Any
    accumulated_attention_probs: Any


class BeamSearchDecoderOutput(NamedTuple):
    """One step of a search: (batch, beams) scores, classes, and the beams they go on from."""

    scores: Any
    predicted_ids: Any
    parent_ids: Any


class FinalBeamSearchDecoderOutput(NamedTuple):
    """predicted_ids (batch, time, beams), best beam first, and the steps of the search."""

    predicted_ids: Any
    beam_search_decoder_output: Any


class BeamSearchDecoder(Decoder):
    """A search for the most likely sequences (tf.contrib.seq2seq.BeamSearchDecoder).

    Args:
        cell: an RNNCell. embedding: a table, or a function of ids. start_tokens: (batch,) int32.
        end_token: scalar. initial_state: the cell's, of batch * beam_width rows (tile_batch).
        beam_width: number of beams. output_layer: makes logits of the cell's outputs.
        length_penalty_weight: 0 for none (Wu et al. 2016). coverage_penalty_weight: 0 for none;
            needs a cell that attends. reorder_tensor_arrays: whether TensorArrays in the state,
            as of an alignment history, are put in the order of the final beams.

    Raises:
        TypeError: arguments of another kind. ValueError: start_tokens no vector, end_token no
        scalar, or states of another number of rows.
    """

    def __init__(
        self,
        cell: Any,
        embedding: Any,
        start_tokens: Any,
        end_token: Any,
        initial_state: Any,
        beam_width: int,
        output_layer: Any = None,
        length_penalty_weight: float = 0.0,
        coverage_penalty_weight: float = 0.0,
        reorder_tensor_arrays: bool = True,
    ) -> None:
        assert_like_rnncell("cell", cell)
        if output_layer is not None and not isinstance(output_layer, Layer):
            raise TypeError(f"output_layer must be a Layer, received: {type(output_layer)}")
        self._cell = cell
        self._output_layer = output_layer
        self._reorder_tensor_arrays = reorder_tensor_arrays
        self._embedding_fn = embedding_function(embedding)
        start = convert_to_tensor(start_tokens, int32, name="start_tokens")
        if start.shape.ndims != 1:
            raise ValueError("start_tokens must be a vector")
        self._end_token = convert_to_tensor(end_token, int32, name="end_token")
        if self._end_token.shape.ndims != 0:
            raise ValueError("end_token must be a scalar")
        self._batch_size = size(start)
        self._beam_width = beam_width
        self._length_penalty_weight = length_penalty_weight
        self._coverage_penalty_weight = coverage_penalty_weight
        self._initial_cell_state = nest.map_structure(
            self._split, initial_state, self._cell.state_size
        )
        self._start_tokens = tile(expand_dims(start, 1), [1, beam_width])
        self._start_inputs = self._embedding_fn(self._start_tokens)

    # ------------------------------------------------------------ what it is
    @property
    def batch_size(self) -> Any:
        return self._batch_size

    @property
    def tracks_own_finished(self) -> bool:
        """True: beams change places, and what is over with them."""
        return True

    @property
    def output_size(self) -> Any:
        beams = TensorShape([self._beam_width])
        return BeamSearchDecoderOutput(beams, beams, beams)

    @property
    def output_dtype(self) -> Any:
        kind = nest.flatten(self._initial_cell_state)[0].dtype
        sizes = layer_output_size(self._cell.output_size, self._output_layer)
        return BeamSearchDecoderOutput(nest.map_structure(lambda _: kind, sizes), int32, int32)

    # ------------------------------------------------------------ beams of states
    def _split(self, t: Any, of: Any) -> Any:
        """(batch * beams, ...) as (batch, beams, ...); scalars and TensorArrays as they are."""
        if is_tensor_array(t):
            return t
        _check_rank(t)
        if t.shape.ndims < 1:
            return t
        return split_beams(t, of, self._batch_size, self._beam_width)

    def _merge(self, t: Any, of: Any) -> Any:
        if is_tensor_array(t):
            return t
        _check_rank(t)
        if t.shape.ndims < 2:
            return t
        return merge_beams(t, of, self._batch_size, self._beam_width)

    # ------------------------------------------------------------ decoding
    def initialize(self, name: str | None = None) -> Any:
        kind = nest.flatten(self._initial_cell_state)[0].dtype
        first = zeros(reshape(self._batch_size, [1]), dtype=int32)
        width = self._beam_width
        # all beams are alike at first: only the first one counts
        log_probs = one_hot(first, width, on_value=0.0, off_value=-math.inf, dtype=kind)
        finished = one_hot(first, width, on_value=False, off_value=True, dtype=bool_)
        rows = static_int(self._batch_size)
        for t in (log_probs, finished):
            t.set_shape([rows, width])
        lengths = F.cast(F.zeros_like(log_probs), dtype=int64)
        attended: Any = ()
        probs = _attention_probs(self._initial_cell_state, self._coverage_penalty_weight)
        if probs is not None:
            attended = F.zeros_like(probs)
        state = BeamSearchDecoderState(
            self._initial_cell_state, log_probs, finished, lengths, attended
        )
        return finished, self._start_inputs, state

    def step(self, time: Any, inputs: Any, state: Any, name: str | None = None) -> Any:
        with name_scope(name, "BeamSearchDecoderStep"):
            given = nest.map_structure(
                lambda x: merge_beams(x, x.shape[2:], self._batch_size, self._beam_width), inputs
            )
            sizes = self._cell.state_size
            merged = nest.map_structure(self._merge, state.cell_state, sizes)
            outputs, new_state = self._cell(given, merged)
            outputs = nest.map_structure(
                lambda x: split_beams(x, x.shape[1:], self._batch_size, self._beam_width), outputs
            )
            new_state = nest.map_structure(self._split, new_state, sizes)
            if self._output_layer is not None:
                outputs = self._output_layer(outputs)
            output, following = self._chosen(outputs, new_state, state)
            next_inputs = self._embedding_fn(output.predicted_ids)
        return output, following, next_inputs, following.finished

    def _chosen(self, logits: Tensor, cell_state: Any, state: Any) -> Any:
        """(output, next state): the best continuations of the beams."""
        batch, width, end = self._batch_size, self._beam_width, self._end_token
        going = logical_not(state.finished)
        known = logits.shape.as_list()[2]
        classes = shape(logits)[2] if known is None else convert_to_tensor(known)
        probs = _masked(log_softmax(logits), end, going, classes)
        total = expand_dims(state.log_probs, 2) + probs
        adds = 1 - one_hot(end, classes, dtype=int64)
        adds = reshape(adds, [1, 1, -1]) * expand_dims(cast(going, int64), 2)
        lengths = adds + expand_dims(state.lengths, 2)
        attended = _attention_probs(cell_state, self._coverage_penalty_weight)
        if attended is not None:
            attended = attended * expand_dims(cast(going, float32), 2)
            attended = state.accumulated_attention_probs + attended
        scores = self._scores(total, lengths, state.finished, attended)
        best, at = top_k(reshape(scores, F.stack(batch, -1, axis=0)), k=width)
        rows = static_int(batch)
        best.set_shape([rows, width])
        at.set_shape([rows, width])
        flat = reshape(total, F.stack(batch, -1, axis=0))
        parents = floordiv(at, classes)
        ids = floormod(at, classes)

        def moved(t: Any) -> Any:
            # scalars and arrays of all steps stay
            keep = is_tensor_array(t) or t.shape.ndims < 2
            return t if keep else gather_beams(t, parents, batch, width)

        was_over = moved(state.finished)
        over = logical_or(was_over, equal(ids, end))
        following = BeamSearchDecoderState(
            nest.map_structure(moved, cell_state),
            gather_beams(flat, at, batch, width),
            over,
            moved(state.lengths) + cast(logical_not(was_over), int64),
            () if attended is None else moved(attended),
        )
        return BeamSearchDecoderOutput(best, ids, parents), following

    def _scores(self, log_probs: Any, lengths: Any, finished: Any, attended: Any) -> Any:
        scores = log_probs
        weight = _weight(self._length_penalty_weight)
        if weight is not None:
            scores = scores / _length_penalty(lengths, weight)
        if attended is not None:
            penalty = _coverage_penalty(attended, finished) * self._coverage_penalty_weight
            scores = scores + expand_dims(penalty, 2)
        return scores

    def finalize(self, outputs: Any, final_state: Any, sequence_lengths: Any) -> Any:
        """(FinalBeamSearchDecoderOutput, last state)."""
        longest = cast(reduce_max(final_state.lengths, axis=1), int32)
        ids = gather_tree(outputs.predicted_ids, outputs.parent_ids, longest, self._end_token)
        if self._reorder_tensor_arrays:
            final_state = final_state._replace(
                cell_state=nest.map_structure(
                    lambda t: self._sorted(t, outputs.parent_ids, final_state.lengths),
                    final_state.cell_state,
                )
            )
        return FinalBeamSearchDecoderOutput(ids, outputs), final_state

    def _sorted(self, t: Any, parent_ids: Any, lengths: Any) -> Any:
        """A TensorArray's elements in the order of the final beams, stacked."""
        if not is_tensor_array(t):
            return t
        element = t.element_shape
        if element.ndims is None or element.ndims < 1:
            _LOG.warning(
                "The TensorArray %s in the cell state is not amenable to sorting based on the "
                "beam search result. For a TensorArray to be sorted, its elements shape must be "
                "defined and have at least a rank of 1, but saw shape: %s", t, element,
            )  # fmt: skip
            return t
        return gather_tree_from_array(t.stack(), parent_ids, lengths)


def _check_rank(t: Any) -> None:
    if t.shape.ndims is None:
        raise ValueError(f"Expected tensor ({t}) to have known rank, but ndims == None.")


def _masked(probs: Tensor, end: Tensor, going: Tensor, classes: Any) -> Tensor:
    """Logarithms of probabilities; beams that are over go on with the end token only."""
    least = float(probs.dtype.min)
    row = one_hot(end, classes, on_value=0.0, off_value=least, dtype=probs.dtype)
    return F.select_v2(expand_dims(going, 2), probs, row)


def _weight(given: Any) -> Any:
    """The penalty's weight; None where it is known to be 0."""
    if not is_tensor_like(given):
        return given or None
    known = value_of(convert_to_tensor(given))
    return None if known is not None and known == 0 else given


def _length_penalty(lengths: Any, weight: Any) -> Any:
    """((5 + length) / 6) ** weight (Wu et al. 2016)."""
    factor = convert_to_tensor(weight, float32, name="penalty_factor")
    return F.divide((5.0 + cast(lengths, float32)) ** factor, (5.0 + 1.0) ** factor)


def _coverage_penalty(attended: Any, finished: Any) -> Any:
    """The sum over the memory of log(min(attention, 1)), of rows all whose beams are over.

    What was never attended to is behind a memory's end.
    """
    seen = F.select(equal(attended, 0.0), F.ones_like(attended), minimum(attended, 1.0))
    over = reduce_all(finished, axis=1, keepdims=True)
    return reduce_sum(log(seen), axis=2) * cast(over, float32)


def _attention_probs(cell_state: Any, weight: Any) -> Any:
    """The alignments in a cell's state, the mean of several; None without a coverage penalty."""
    from graphc.contrib.seq2seq._attention_wrapper import AttentionWrapperState

    if _weight(weight) is None:
        return None
    found = []
    for part in cell_state if _is_plain_tuple(cell_state) else (cell_state,):
        if isinstance(part, AttentionWrapperState):
            found.extend(nest.flatten(part.alignments))
    if not found:
        raise ValueError(
            "coverage_penalty_weight must be 0.0 if no cell is type of AttentionWrapper"
        )
    return found[0] if len(found) == 1 else F.divide(F.add_n(*found), float(len(found)))


def _is_plain_tuple(value: Any) -> bool:
    return isinstance(value, tuple) and not hasattr(value, "_fields")
