"""Ops of the graph as a layer: what stands between the outputs of layers and a model's outputs.

Lives here: OpLayer, wrap. Imports keras.core.replay.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Node as GraphNode
from graphc.ir.node import Tensor
from graphc.keras.core.marks import history_of
from graphc.keras.core.replay import replay
from graphc.keras.engine.base_layer import Layer
from graphc.keras.engine.nodes import Node, unpack

__all__ = ["OpLayer", "wrap"]


class OpLayer(Layer):
    """Applies the ops between `sources` and `target` to other tensors."""

    def __init__(self, sources: list[Tensor], target: Tensor, name: str | None = None) -> None:
        super().__init__(name=name or f"tf_op_layer_{target.node.name.replace('/', '_')}")
        self.sources, self.target = sources, target
        self.built = True

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        given = inputs if isinstance(inputs, list) else [inputs]
        return replay([self.target], dict(zip(self.sources, given)), name=self.name)[0]

    def get_config(self) -> dict[str, Any]:
        """Raises NotImplementedError: ops are no configuration; use a Lambda layer."""
        raise NotImplementedError(
            f"{self.name}: ops between layers cannot be written to a configuration; put them into "
            "a layer of your own"
        )


def sources_of(tensor: Tensor) -> list[Tensor]:
    """The nearest outputs of layers from which the tensor is computed."""
    found: dict[Tensor, None] = {}
    seen: set[GraphNode] = set()
    stack = [tensor]
    while stack:
        current = stack.pop()
        if history_of(current) is not None:
            found[current] = None
            continue
        if current.node in seen:
            continue
        seen.add(current.node)
        stack.extend(reversed(current.node.inputs))
    return list(found)


def wrap(tensor: Tensor) -> bool:
    """Makes the tensor the output of an OpLayer; False where no layer is behind it."""
    if history_of(tensor) is not None:
        return True
    sources = sources_of(tensor)
    if not sources:
        return False
    Node(OpLayer(sources, tensor), unpack(sources), tensor)
    return True
