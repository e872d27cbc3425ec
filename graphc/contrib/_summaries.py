"""Summaries of layers: tf.contrib.layers.summarize_activation and its kin.

Lives here: those functions. Not here: tf.summary. Users find these names in
graphc.contrib.layers and graphc.contrib.slim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from graphc.contrib._arg_scope import add_arg_scope
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.ops.convert import convert_to_tensor


@add_arg_scope
def summarize_tensor(tensor: Any, tag: str | None = None) -> Any:
    """A scalar summary of a scalar, a histogram of anything else."""
    from graphc import summary

    kind = summary.scalar if convert_to_tensor(tensor).rank == 0 else summary.histogram
    return kind(tag or tensor.op.name, tensor)


@add_arg_scope
def summarize_activation(op: Any) -> Any:
    """A histogram of the outputs, and of a relu's the share of zeros."""
    from graphc import summary
    from graphc.tf1.api_nn import zero_fraction

    if op.op.type in ("Relu", "Softplus", "Relu6"):
        summary.scalar(f"{op.op.name}/zeros", zero_fraction(op))
    return summary.histogram(f"{op.op.name}/activation", op)


def summarize_tensors(
    tensors: Iterable[Any], summarizer: Callable[[Any], Any] = summarize_tensor
) -> list[Any]:
    """A summary of each."""
    return [summarizer(t) for t in tensors]


@add_arg_scope
def summarize_collection(
    collection: Any,
    name_filter: str | None = None,
    summarizer: Callable[[Any], Any] = summarize_tensor,
) -> list[Any]:
    """A summary of each item of a collection whose name starts with name_filter."""
    return summarize_tensors(
        get_default_graph().get_collection(collection, name_filter), summarizer
    )


def summarize_activations(
    name_filter: str | None = None, summarizer: Callable[[Any], Any] = summarize_activation
) -> list[Any]:
    """A summary of each tensor in ACTIVATIONS."""
    return summarize_collection(GraphKeys.ACTIVATIONS, name_filter, summarizer)
