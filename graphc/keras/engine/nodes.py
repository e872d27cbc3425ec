"""Calls of layers as a graph of their own: Node, and how tensors are found in structures.

Lives here: Node, flat, shapes_of, unique names. Not here: Layer. Imports keras.core.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core.arrays import int_shape
from graphc.keras.core.marks import History, history_of, set_history
from graphc.keras.core.session import root_graph

__all__ = [
    "Node", "as_list", "flat", "shape_first", "shapes_of", "snake_case", "unique_layer_name",
    "unpack",
]  # fmt: skip


def as_list(value: Any) -> list[Any]:
    """[] for None, [value] for a single one."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def shape_first(method: Callable[..., Any]) -> Callable[..., Any]:
    """An add_weight that also takes Keras 1's order: shape, initializer, then name=..."""

    @functools.wraps(method)
    def call(layer: Any, *given: Any, **kwargs: Any) -> Any:
        if not given or not isinstance(given[0], tuple | list):
            return method(layer, *given, **kwargs)
        shape, *rest = given
        if rest and isinstance(rest[0], str) and "name" not in kwargs:
            kwargs["name"] = rest.pop(0)
        kwargs.update(zip(("initializer", "regularizer"), rest))
        return method(layer, shape=shape, **kwargs)

    return call


def unpack(values: list[Any]) -> Any:
    """The only value of a list of one, else the list."""
    return values[0] if len(values) == 1 else values


def flat(structure: Any) -> list[Any]:
    """The leaves of nested lists, tuples and dicts (these by sorted keys)."""
    if isinstance(structure, dict):
        return [leaf for k in sorted(structure) for leaf in flat(structure[k])]
    if isinstance(structure, list | tuple):
        return [leaf for item in structure for leaf in flat(item)]
    return [structure]


def shapes_of(inputs: Any) -> Any:
    """The static shapes as tuples, in the structure of the inputs."""
    if isinstance(inputs, dict):
        return {k: shapes_of(v) for k, v in inputs.items()}
    if isinstance(inputs, list | tuple):
        return [shapes_of(v) for v in inputs]
    return int_shape(inputs) if hasattr(inputs, "shape") else None


def snake_case(name: str) -> str:
    """BatchNormalization -> batch_normalization, Conv2D -> conv2d."""
    once = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    text = re.sub(r"([a-z])([A-Z])", r"\1_\2", once).lower()
    return "private" + text if text.startswith("_") else text


def unique_layer_name(base: str, zero_based: bool = True) -> str:
    """base, base_1, base_2 in the default graph."""
    table = root_graph().__dict__.setdefault("_keras_names", defaultdict(int))
    number = table[base]
    table[base] += 1
    if zero_based:
        return base if number == 0 else f"{base}_{number}"
    return f"{base}_{number + 1}"


class Node:
    """One call of a layer.

    Attributes:
        outbound_layer: the layer. inputs, outputs: as given and returned. arguments: the other
            arguments of the call. input_tensors, output_tensors: the tensors among them, flat.
        argument_tensors: those among the other arguments, such as masks.
    """

    def __init__(
        self, layer: Any, inputs: Any, outputs: Any, arguments: dict[str, Any] | None = None
    ) -> None:
        self.outbound_layer = layer
        self.inputs, self.outputs = inputs, outputs
        self.arguments = dict(arguments or {})
        self.input_tensors = [t for t in flat(inputs) if isinstance(t, Tensor)]
        self.output_tensors = [t for t in flat(outputs) if isinstance(t, Tensor)]
        self.argument_tensors = [t for t in flat(self.arguments) if isinstance(t, Tensor)]
        layer._inbound_nodes.append(self)
        index = len(layer._inbound_nodes) - 1
        for number, tensor in enumerate(self.output_tensors):
            set_history(tensor, History(layer, index, number))
        for history in self.histories():
            # an input layer's call starts from its own tensor
            if history is not None and (history.layer, history.node_index) != (layer, index):
                history.layer._outbound_nodes.append(self)

    @property
    def sources(self) -> list[Tensor]:
        """The tensors that the call needs: inputs, and arguments that layers made."""
        known = [t for t in self.argument_tensors if history_of(t) is not None]
        return [*self.input_tensors, *known]

    def histories(self) -> list[History | None]:
        """Where each tensor that the call needs comes from."""
        return [history_of(t) for t in self.sources]

    @property
    def inbound_layers(self) -> list[Any]:
        return [h.layer for h in self.histories() if h is not None]

    @property
    def node_indices(self) -> list[int]:
        return [h.node_index for h in self.histories() if h is not None]

    @property
    def tensor_indices(self) -> list[int]:
        return [h.tensor_index for h in self.histories() if h is not None]

    @property
    def input_shapes(self) -> Any:
        return shapes_of(self.inputs)

    @property
    def output_shapes(self) -> Any:
        return shapes_of(self.outputs)


def parents(tensors: Iterable[Tensor]) -> list[Node]:
    """The calls that made these tensors."""
    found = [history_of(t) for t in tensors]
    return [h.layer._inbound_nodes[h.node_index] for h in found if h is not None]
