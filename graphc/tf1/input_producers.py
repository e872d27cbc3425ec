"""Queues of names, numbers and slices for input pipelines: tf.train.string_input_producer and kin.

Lives here: the producers, limit_epochs, match_filenames_once. Not here: batches of what is read
(input_batches.py), queues (queues.py), the threads that fill them (queue_runner.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir.dtypes import float32, int64, string
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array, api_checks, api_math, api_random, api_state, summary
from graphc.tf1.queue_runner import QueueRunner, add_queue_runner
from graphc.tf1.queues import FIFOQueue, QueueBase
from graphc.tf1.scopes import name_scope
from graphc.tf1.variables import Variable

__all__ = [
    "input_producer", "limit_epochs", "match_filenames_once", "range_input_producer",
    "slice_input_producer", "string_input_producer",
]  # fmt: skip

_NO_STRINGS = "string_input_producer requires a non-null input tensor"


def match_filenames_once(pattern: Any, name: str | None = None) -> Variable:
    """The names of the files that match, kept in a local variable.

    Args:
        pattern: a string or a vector of them. name: of the variable, "matching_filenames".
    """
    with name_scope(name, "matching_filenames", [pattern]) as scope:
        return Variable(
            F.matching_files(pattern),
            trainable=False,
            name=scope,
            validate_shape=False,
            collections=[GraphKeys.LOCAL_VARIABLES],
        )


def limit_epochs(tensor: Any, num_epochs: int | None = None, name: str | None = None) -> Tensor:
    """The tensor, `num_epochs` times: after that runs raise OutOfRangeError.

    It counts in a local variable: run tf.local_variables_initializer() first.

    Raises:
        ValueError: num_epochs is not positive.
    """
    if num_epochs is None:
        return convert_to_tensor(tensor)
    if num_epochs <= 0:
        raise ValueError(f"num_epochs must be > 0 not {num_epochs}.")
    with name_scope(name, "limit_epochs", [tensor]) as scope:
        zero = convert_to_tensor(0, int64)
        epochs = Variable(
            zero, name="epochs", trainable=False, collections=[GraphKeys.LOCAL_VARIABLES]
        )
        counter = api_state.count_up_to(epochs, num_epochs)
        with get_default_graph().control_dependencies([counter]):
            out: Tensor = F.identity(tensor, name=scope)
    return out


def report_fullness(tag: str, queue: QueueBase, capacity: int, least: int = 0) -> None:
    """A summary of how full the queue is, between `least` elements and its capacity."""
    size: Any = queue.size()
    if least:
        size = api_math.maximum(0, size - least)
    summary.scalar(tag, api_math.cast(size, float32) * (1.0 / (capacity - least)))


def input_producer(
    input_tensor: Any,
    element_shape: Any = None,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    summary_name: str | None = None,
    name: str | None = None,
    cancel_op: Node | None = None,
) -> FIFOQueue:
    """A queue of the rows of a tensor, again and again; a queue runner fills it.

    Args:
        element_shape: of a row, where the tensor does not tell it.
        num_epochs: how often each row comes; None: without end. It needs
            tf.local_variables_initializer(). shuffle: the rows of each epoch in another order.
        summary_name: of a summary of how full the queue is. cancel_op: see QueueRunner.

    Raises:
        ValueError: the shape of rows is unknown, or num_epochs is not positive.
    """
    with name_scope(name, "input_producer", [input_tensor]):
        rows = convert_to_tensor(input_tensor, name="input_tensor")
        shape = TensorShape(rows.dims).with_rank_at_least(1)[1:].merge_with(element_shape)
        if not shape.is_fully_defined():
            raise ValueError(
                "Either `input_tensor` must have a fully defined shape or `element_shape` must "
                "be specified"
            )
        if shuffle:
            rows = api_random.random_shuffle(rows, seed=seed)
        rows = limit_epochs(rows, num_epochs)
        queue = FIFOQueue(
            capacity, [rows.dtype], shapes=[shape], shared_name=shared_name, name=name
        )
        add_queue_runner(QueueRunner(queue, [queue.enqueue_many([rows])], cancel_op=cancel_op))
        if summary_name is not None:
            report_fullness(summary_name, queue, capacity)
    return queue


def string_input_producer(
    string_tensor: Any,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    name: str | None = None,
    cancel_op: Node | None = None,
) -> FIFOQueue:
    """A queue of strings, names of files most often, for a reader.

    Args: as `input_producer`.

    Raises:
        ValueError: an empty list. InvalidArgumentError (in the run): an empty tensor.
    """
    if not isinstance(string_tensor, Tensor | Variable) and not len(string_tensor):
        raise ValueError(_NO_STRINGS)
    with name_scope(name, "input_producer", [string_tensor]) as scope:
        names = convert_to_tensor(string_tensor, string)
        check = api_checks.Assert(api_math.greater(api_array.size(names), 0), [_NO_STRINGS])
        with get_default_graph().control_dependencies([check]):
            names = F.identity(names)
        return input_producer(
            names, [], num_epochs, shuffle, seed, capacity, shared_name,
            f"fraction_of_{capacity}_full", scope, cancel_op,
        )  # fmt: skip


def range_input_producer(
    limit: Any,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    name: str | None = None,
) -> FIFOQueue:
    """A queue of the int32 numbers from 0 to limit - 1. Args: as `input_producer`."""
    with name_scope(name, "input_producer", [limit]) as scope:
        return input_producer(
            api_array.range(limit), [], num_epochs, shuffle, seed, capacity, shared_name,
            f"fraction_of_{capacity}_full", scope,
        )  # fmt: skip


def slice_input_producer(
    tensor_list: Sequence[Any],
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    name: str | None = None,
) -> list[Tensor]:
    """One row of each tensor, the same of all: another one in each run.

    Args: as `input_producer`.

    Raises:
        ValueError: an empty list.
    """
    if not tensor_list:
        raise ValueError("Expected at least one tensor in slice_input_producer().")
    with name_scope(name, "input_producer", tensor_list):
        tensors = [convert_to_tensor(t) for t in tensor_list]
        count = api_array.shape(tensors[0])[0]
        queue = range_input_producer(count, num_epochs, shuffle, seed, capacity, shared_name)
        index = queue.dequeue()
        return [api_array.gather(t, index) for t in tensors]
