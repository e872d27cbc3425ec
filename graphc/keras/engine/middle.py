"""Models that start in the middle of others: from an output of a layer instead of an Input.

Lives here: from_middle. Not here: the map of calls (engine/network.py). Imports keras.engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core.arrays import int_shape
from graphc.keras.core.marks import history_of
from graphc.keras.engine.input_layer import Input, InputLayer
from graphc.keras.engine.nodes import Node, flat, unique_layer_name

__all__ = ["from_middle"]


def _inside(tensor: Any) -> bool:
    history = history_of(tensor)
    return history is not None and not isinstance(history.layer, InputLayer)


def replaced(structure: Any, values: dict[Tensor, Any]) -> Any:
    """The structure with those tensors replaced that have a value."""
    if isinstance(structure, dict):
        return {k: replaced(v, values) for k, v in structure.items()}
    if isinstance(structure, list | tuple):
        return type(structure)(replaced(v, values) for v in structure)
    return values.get(structure, structure) if isinstance(structure, Tensor) else structure


def from_middle(
    inputs: Any, outputs: Any, order: Callable[[list[Tensor], list[Tensor]], list[Node]]
) -> tuple[Any, Any]:
    """(inputs, outputs) where each input is an Input: the layers after it are called once more.

    Args:
        order: (inputs, outputs) -> the calls between them, each after those that it needs.
    """
    given = flat(inputs)
    if not any(_inside(t) for t in given):
        return inputs, outputs
    values: dict[Tensor, Any] = {}
    for tensor in given:
        values[tensor] = tensor
        if _inside(tensor):
            name = unique_layer_name(f"input_of_{history_of(tensor).layer.name}")  # type: ignore[union-attr]
            values[tensor] = Input(
                batch_shape=int_shape(tensor), dtype=tensor.dtype.name, name=name
            )
    for node in order(given, flat(outputs)):
        if all(t in values for t in node.output_tensors) or not any(
            t in values for t in node.sources
        ):
            continue
        kwargs = replaced(node.arguments, values)
        made = node.outbound_layer(replaced(node.inputs, values), **kwargs)
        values.update(zip(node.output_tensors, flat(made)))
    return replaced(inputs, values), replaced(outputs, values)
