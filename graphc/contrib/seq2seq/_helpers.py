"""Helpers of tf.contrib.seq2seq: what a decoder reads next, and how it samples.

Lives here: Helper and its kinds. Not here: decoders (_decoder.py). Users find these names in
graphc.contrib.seq2seq.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

from graphc.ir.dtypes import bool_, int32
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.tf1 import nest
from graphc.tf1.api_array import concat, reshape, shape, size, squeeze, tile
from graphc.tf1.api_index import embedding_lookup, where
from graphc.tf1.api_math import argmax, cast, equal, maximum, minimum
from graphc.tf1.api_random import multinomial, random_uniform
from graphc.tf1.api_reduce import reduce_sum
from graphc.tf1.layers_base import Layer
from graphc.tf1.rnn_step import transpose_batch_time
from graphc.tf1.scopes import name_scope
from graphc.tf1.tensor_array import TensorArray

__all__ = [
    "CustomHelper", "GreedyEmbeddingHelper", "Helper", "InferenceHelper", "SampleEmbeddingHelper",
    "ScheduledEmbeddingTrainingHelper", "ScheduledOutputTrainingHelper", "TrainingHelper",
    "embedding_function",
]  # fmt: skip


class Helper(abc.ABC):
    """What a decoder reads and samples (tf.contrib.seq2seq.Helper)."""

    @property
    @abc.abstractmethod
    def batch_size(self) -> Any:
        """The number of rows: a scalar int32 tensor."""

    @property
    @abc.abstractmethod
    def sample_ids_shape(self) -> Any:
        """The TensorShape of one row's sample."""

    @property
    @abc.abstractmethod
    def sample_ids_dtype(self) -> Any:
        """The dtype of samples."""

    @abc.abstractmethod
    def initialize(self, name: str | None = None) -> Any:
        """(rows that are over at the start, first inputs)."""

    @abc.abstractmethod
    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        """The samples of one step's outputs."""

    @abc.abstractmethod
    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> Any:
        """(rows that are over, next inputs, next state)."""


class _Ids(Helper):
    """A helper whose samples are numbers of classes."""

    _batch_size: Any

    @property
    def batch_size(self) -> Any:
        return self._batch_size

    @property
    def sample_ids_shape(self) -> Any:
        return TensorShape([])

    @property
    def sample_ids_dtype(self) -> Any:
        return int32


def embedding_function(embedding: Any) -> Callable[[Any], Any]:
    """`embedding` as a function of ids: itself, or a lookup in it."""
    if callable(embedding) and not is_tensor_like(embedding):
        return embedding
    return lambda ids: embedding_lookup(embedding, ids)


def _most_likely(outputs: Any) -> Tensor:
    return cast(argmax(outputs, axis=-1), int32)


def _drawn(logits: Any, seed: int | None) -> Tensor:
    """One class a row, drawn with the probabilities of the softmax."""
    return cast(squeeze(multinomial(logits, 1, seed=seed), [-1]), int32)


class CustomHelper(Helper):
    """A helper made of functions.

    Args:
        initialize_fn: () -> (finished, inputs). sample_fn: (time=, outputs=, state=) -> ids.
        next_inputs_fn: (time=, outputs=, state=, sample_ids=) -> (finished, inputs, state).
        sample_ids_shape, sample_ids_dtype: of one row's sample; default scalar int32.
    """

    def __init__(
        self,
        initialize_fn: Callable[..., Any],
        sample_fn: Callable[..., Any],
        next_inputs_fn: Callable[..., Any],
        sample_ids_shape: Any = None,
        sample_ids_dtype: Any = None,
    ) -> None:
        self._initialize_fn = initialize_fn
        self._sample_fn = sample_fn
        self._next_inputs_fn = next_inputs_fn
        self._batch_size: Any = None
        self._shape = TensorShape([] if sample_ids_shape is None else sample_ids_shape)
        self._dtype = sample_ids_dtype or int32

    @property
    def batch_size(self) -> Any:
        """Raises ValueError before initialize."""
        if self._batch_size is None:
            raise ValueError("batch_size accessed before initialize was called")
        return self._batch_size

    @property
    def sample_ids_shape(self) -> Any:
        return self._shape

    @property
    def sample_ids_dtype(self) -> Any:
        return self._dtype

    def initialize(self, name: str | None = None) -> Any:
        with name_scope(name, "CustomHelperInitialize"):
            finished, inputs = self._initialize_fn()
            if self._batch_size is None:
                self._batch_size = size(finished)
        return finished, inputs

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        with name_scope(name, "CustomHelperSample"):
            return self._sample_fn(time=time, outputs=outputs, state=state)

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> Any:
        with name_scope(name, "CustomHelperNextInputs"):
            return self._next_inputs_fn(
                time=time, outputs=outputs, state=state, sample_ids=sample_ids
            )


class TrainingHelper(_Ids):
    """Reads the inputs as they are given: teacher forcing.

    Attributes:
        most_steps: the time of the inputs, a scalar int32 tensor.

    Args:
        inputs: (batch, time, ...), or (time, batch, ...) with time_major; also nested.
        sequence_length: (batch,) int32: a row is over after so many steps.

    Raises:
        ValueError: sequence_length is no vector.
    """

    def __init__(
        self, inputs: Any, sequence_length: Any, time_major: bool = False, name: str | None = None
    ) -> None:
        with name_scope(name, "TrainingHelper"):
            given = nest.map_structure(convert_to_tensor, inputs)
            self._inputs = given
            if not time_major:
                given = nest.map_structure(transpose_batch_time, given)
            self._time_major = given
            self._arrays = nest.map_structure(_array_of, given)
            self.most_steps = shape(nest.flatten(given)[0])[0]
            self._last = self.most_steps - 1
            self._sequence_length = convert_to_tensor(sequence_length, name="sequence_length")
            if self._sequence_length.shape.ndims != 1:
                raise ValueError(
                    "Expected sequence_length to be a vector, but received shape: "
                    f"{self._sequence_length.shape}"
                )
            self._batch_size = size(self._sequence_length)

    @property
    def inputs(self) -> Any:
        return self._inputs

    @property
    def sequence_length(self) -> Any:
        return self._sequence_length

    def initialize(self, name: str | None = None) -> Any:
        with name_scope(name, "TrainingHelperInitialize"):
            finished = equal(self._sequence_length, 0)
            return finished, nest.map_structure(_first, self._time_major)

    def sample(self, time: Any, outputs: Any, state: Any = None, name: str | None = None) -> Any:
        with name_scope(name, "TrainingHelperSample"):
            return _most_likely(outputs)

    def next_inputs(
        self,
        time: Any,
        outputs: Any,
        state: Any,
        sample_ids: Any = None,
        name: str | None = None,
    ) -> Any:
        with name_scope(name, "TrainingHelperNextInputs"):
            finished = convert_to_tensor(time + 1) >= cast(self._sequence_length, int32)
            # behind the end nothing is read any more
            at = minimum(time + 1, self._last)
            return finished, nest.map_structure(lambda a: a.read(at), self._arrays), state


def _array_of(rows: Tensor) -> TensorArray:
    array = TensorArray(rows.dtype, size=shape(rows)[0], element_shape=rows.shape[1:])
    return array.unstack(rows)


def _first(steps: Tensor) -> Tensor:
    """The first step; zeros where there is none."""
    return reduce_sum(steps[:1], axis=0)


def _probability(given: Any) -> Tensor:
    tensor = convert_to_tensor(given, name="sampling_probability")
    if tensor.shape.ndims not in (0, 1):
        raise ValueError(
            f"sampling_probability must be either a scalar or a vector. saw shape: {tensor.shape}"
        )
    return tensor


class ScheduledEmbeddingTrainingHelper(TrainingHelper):
    """TrainingHelper that now and then reads the embedding of a class drawn from the outputs.

    Samples are -1 where the inputs are read. Bengio et al. 2015.

    Args:
        embedding: a table, or a function of ids. sampling_probability: scalar or (batch,).
        seed: of the classes; scheduling_seed: of the choice. Others: see TrainingHelper.

    Raises:
        ValueError: sampling_probability of a rank above 1. See also TrainingHelper.
    """

    def __init__(
        self,
        inputs: Any,
        sequence_length: Any,
        embedding: Any,
        sampling_probability: Any,
        time_major: bool = False,
        seed: int | None = None,
        scheduling_seed: int | None = None,
        name: str | None = None,
    ) -> None:
        with name_scope(name, "ScheduledEmbeddingSamplingWrapper"):
            self._embedding_fn = embedding_function(embedding)
            self._sampling_probability = _probability(sampling_probability)
            self._seed = seed
            self._scheduling_seed = scheduling_seed
        super().__init__(inputs, sequence_length, time_major, name)

    def sample(self, time: Any, outputs: Any, state: Any = None, name: str | None = None) -> Any:
        with name_scope(name, "ScheduledEmbeddingTrainingHelperSample"):
            noise = random_uniform([self.batch_size], seed=self._scheduling_seed)
            chosen = self._sampling_probability > noise
            return where(chosen, _drawn(outputs, self._seed), tile([-1], [self.batch_size]))

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any = None, name: str | None = None
    ) -> Any:
        finished, base, state = super().next_inputs(time, outputs, state, sample_ids, name)
        with name_scope(name, "ScheduledEmbeddingTrainingHelperNextInputs"):
            sampled = self._embedding_fn(maximum(sample_ids, 0))
            mixed = where(sample_ids > -1, sampled, base)
            mixed.set_shape(base.shape)
            return finished, mixed, state


class ScheduledOutputTrainingHelper(TrainingHelper):
    """TrainingHelper that now and then reads the outputs themselves.

    Samples are True where the outputs are read.

    Args:
        sampling_probability: scalar or (batch,). seed: of the choice. next_input_layer: applied to
            outputs before they are read. auxiliary_inputs: joined to whatever is read, along the
            last axis. Others: see TrainingHelper.

    Raises:
        TypeError: next_input_layer is no layer. ValueError: see
        ScheduledEmbeddingTrainingHelper.
    """

    def __init__(
        self,
        inputs: Any,
        sequence_length: Any,
        sampling_probability: Any,
        time_major: bool = False,
        seed: int | None = None,
        next_input_layer: Any = None,
        auxiliary_inputs: Any = None,
        name: str | None = None,
    ) -> None:
        if next_input_layer is not None and not isinstance(next_input_layer, Layer):
            raise TypeError(f"next_input_layer must be a Layer, received: {type(next_input_layer)}")
        with name_scope(name, "ScheduledOutputTrainingHelper"):
            self._sampling_probability = _probability(sampling_probability)
            self._auxiliary: Any = None
            joined = inputs
            if auxiliary_inputs is not None:
                aux = convert_to_tensor(auxiliary_inputs)
                joined = concat([convert_to_tensor(inputs), aux], -1)
                self._auxiliary = _array_of(aux if time_major else transpose_batch_time(aux))
        self._seed = seed
        self._next_input_layer = next_input_layer
        super().__init__(joined, sequence_length, time_major, name)

    @property
    def sample_ids_dtype(self) -> Any:
        return bool_

    def sample(self, time: Any, outputs: Any, state: Any = None, name: str | None = None) -> Any:
        with name_scope(name, "ScheduledOutputTrainingHelperSample"):
            return random_uniform([self.batch_size], seed=self._seed) < self._sampling_probability

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any = None, name: str | None = None
    ) -> Any:
        finished, base, state = super().next_inputs(time, outputs, state, sample_ids, name)
        with name_scope(name, "ScheduledOutputTrainingHelperNextInputs"):
            own = outputs if self._next_input_layer is None else self._next_input_layer(outputs)
            if self._auxiliary is not None:
                own = concat([own, self._auxiliary.read(minimum(time + 1, self._last))], -1)
            mixed = where(sample_ids, own, base)
            mixed.set_shape(base.shape)
            return finished, mixed, state


class GreedyEmbeddingHelper(_Ids):
    """Reads the embedding of the most likely class, until the end token.

    Args:
        embedding: a table, or a function of ids. start_tokens: (batch,) int32. end_token: scalar.

    Raises:
        ValueError: start_tokens is no vector, or end_token no scalar.
    """

    def __init__(self, embedding: Any, start_tokens: Any, end_token: Any) -> None:
        self._embedding_fn = embedding_function(embedding)
        self._start_tokens = convert_to_tensor(start_tokens, int32, name="start_tokens")
        self._end_token = convert_to_tensor(end_token, int32, name="end_token")
        if self._start_tokens.shape.ndims != 1:
            raise ValueError("start_tokens must be a vector")
        if self._end_token.shape.ndims != 0:
            raise ValueError("end_token must be a scalar")
        self._batch_size = size(self._start_tokens)
        self._start_inputs = self._embedding_fn(self._start_tokens)

    def initialize(self, name: str | None = None) -> Any:
        return tile([False], reshape(self._batch_size, [1])), self._start_inputs

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        """The most likely class of each row. Raises TypeError for nested outputs."""
        _check_single(outputs)
        return _most_likely(outputs)

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> Any:
        return equal(sample_ids, self._end_token), self._embedding_fn(sample_ids), state


def _check_single(outputs: Any) -> None:
    if not is_tensor_like(outputs):
        raise TypeError(f"Expected outputs to be a single Tensor, got: {type(outputs)}")


class SampleEmbeddingHelper(GreedyEmbeddingHelper):
    """Reads the embedding of a class drawn from the outputs, until the end token.

    Args:
        softmax_temperature: divides the logits; above 1 evens them out. seed: of the draws.
        Others: see GreedyEmbeddingHelper.
    """

    def __init__(
        self,
        embedding: Any,
        start_tokens: Any,
        end_token: Any,
        softmax_temperature: Any = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(embedding, start_tokens, end_token)
        self._softmax_temperature = softmax_temperature
        self._seed = seed

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        """A class of each row. Raises TypeError for nested outputs."""
        _check_single(outputs)
        if self._softmax_temperature is not None:
            outputs = outputs / self._softmax_temperature
        return _drawn(outputs, self._seed)


class InferenceHelper(Helper):
    """Reads what a function makes of the outputs.

    Args:
        sample_fn: outputs -> samples. sample_shape: of one row's sample: a shape or a list.
        sample_dtype: of samples. start_inputs: (batch, ...). end_fn: samples -> rows that are
            over. next_inputs_fn: samples -> inputs; default the samples themselves.
    """

    def __init__(
        self,
        sample_fn: Callable[..., Any],
        sample_shape: Any,
        sample_dtype: Any,
        start_inputs: Any,
        end_fn: Callable[..., Any],
        next_inputs_fn: Callable[..., Any] | None = None,
    ) -> None:
        self._sample_fn = sample_fn
        self._end_fn = end_fn
        self._shape = TensorShape(sample_shape)
        self._dtype = sample_dtype
        self._next_inputs_fn = next_inputs_fn
        self._start_inputs = convert_to_tensor(start_inputs, name="start_inputs")
        self._batch_size = shape(self._start_inputs)[0]

    @property
    def batch_size(self) -> Any:
        return self._batch_size

    @property
    def sample_ids_shape(self) -> Any:
        return self._shape

    @property
    def sample_ids_dtype(self) -> Any:
        return self._dtype

    def initialize(self, name: str | None = None) -> Any:
        return tile([False], reshape(self._batch_size, [1])), self._start_inputs

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        return self._sample_fn(outputs)

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> Any:
        fn = self._next_inputs_fn
        return self._end_fn(sample_ids), sample_ids if fn is None else fn(sample_ids), state
