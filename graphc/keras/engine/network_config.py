"""Configurations of graphs of layers: to dicts and back. Imports keras.engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType
from graphc.ir.node import Tensor
from graphc.keras.core.marks import history_of
from graphc.keras.engine.input_layer import InputLayer
from graphc.keras.engine.nodes import Node

__all__ = ["jsonable", "network_config", "network_from_config"]


def jsonable(value: Any) -> Any:
    """What json.dumps writes for NumPy values, dtypes and functions.

    Raises:
        TypeError: anything else.
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return {"type": "ndarray", "value": value.tolist()}
    if isinstance(value, DType):
        return value.name
    if hasattr(value, "get_config"):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    if callable(value) and hasattr(value, "__name__"):
        return value.__name__
    raise TypeError(f"not JSON serializable: {value!r}")


# ------------------------------------------------------------------ to a dict
def _node_numbers(model: Any) -> dict[tuple[int, int], int]:
    """(layer, place among all its calls) -> place among its calls in this model."""
    relevant = set(model._network_nodes)
    numbers: dict[tuple[int, int], int] = {}
    for layer in model.layers:
        kept = 0
        for index, node in enumerate(layer._inbound_nodes):
            if node in relevant or isinstance(layer, InputLayer):
                numbers[id(layer), index] = kept
                kept += 1
    return numbers


def _reference(tensor: Tensor, numbers: dict[tuple[int, int], int]) -> list[Any]:
    history = history_of(tensor)
    assert history is not None
    number = numbers[id(history.layer), history.node_index]
    return [history.layer.name, number, history.tensor_index]


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a call without tensors."""
    return {k: v for k, v in arguments.items()
            if isinstance(v, str | int | float | bool | list | tuple | type(None))}  # fmt: skip


def _inbound(node: Node, numbers: dict[tuple[int, int], int]) -> list[Any]:
    extra = _plain(node.arguments)
    return [[*_reference(t, numbers), extra] for t in node.input_tensors
            if history_of(t) is not None]  # fmt: skip


def network_config(model: Any) -> dict[str, Any]:
    """{"name", "layers", "input_layers", "output_layers"}."""
    numbers = _node_numbers(model)
    relevant = set(model._network_nodes)
    layers = []
    for layer in model.layers:
        calls = [] if isinstance(layer, InputLayer) else [
            _inbound(n, numbers) for n in layer._inbound_nodes if n in relevant
        ]  # fmt: skip
        layers.append({
            "name": layer.name, "class_name": type(layer).__name__,
            "config": layer.get_config(), "inbound_nodes": calls,
        })  # fmt: skip
    return {
        "name": model.name, "layers": layers,
        "input_layers": [_reference(t, numbers) for t in model.inputs],
        "output_layers": [_reference(t, numbers) for t in model.outputs],
    }  # fmt: skip


# ------------------------------------------------------------------ from a dict
class _Builder:
    """Makes the layers of a configuration and applies them when their inputs are there."""

    def __init__(self, custom_objects: Any) -> None:
        self.custom = custom_objects
        self.layers: dict[str, Any] = {}
        self.waiting: dict[str, list[Any]] = {}
        # calls made so far, by layer: the numbers of a file count these only
        self.outputs: dict[str, list[list[Tensor]]] = {}

    def add(self, item: dict[str, Any]) -> None:
        from graphc.keras.layers import deserialize

        name = item["name"]
        layer = deserialize(
            {"class_name": item["class_name"], "config": item["config"]}, self.custom
        )
        self.layers[name] = layer
        self.outputs[name] = []
        if isinstance(layer, InputLayer):
            self.outputs[name].append(layer._inbound_nodes[0].output_tensors)
        self.waiting[name] = [_call(c) for c in item.get("inbound_nodes", ())]

    def tensor(self, ref: Any) -> Tensor | None:
        calls = self.outputs[ref[0]]
        return calls[ref[1]][ref[2]] if ref[1] < len(calls) else None

    def apply_all(self) -> None:
        """Raises ValueError: a call whose inputs never come."""
        while any(self.waiting.values()):
            progress = False
            for name, calls in self.waiting.items():
                while calls and self._apply(name, calls[0]):
                    calls.pop(0)
                    progress = True
            if not progress:
                stuck = [n for n, c in self.waiting.items() if c]
                raise ValueError(f"the configuration lacks the inputs of layers {stuck}")

    def _apply(self, name: str, call: tuple[list[Any], dict[str, Any]]) -> bool:
        references, kwargs = call
        tensors = [self.tensor(r) for r in references]
        if any(t is None for t in tensors):
            return False
        layer = self.layers[name]
        layer(tensors[0] if len(tensors) == 1 else tensors, **kwargs)
        self.outputs[name].append(layer._inbound_nodes[-1].output_tensors)
        return True


def _call(data: Any) -> tuple[list[Any], dict[str, Any]]:
    """(references, keyword arguments) of one call in a file."""
    if data and isinstance(data[0], str):  # a single reference
        data = [data]
    kwargs: dict[str, Any] = {}
    for ref in data:
        if len(ref) > 3 and isinstance(ref[3], Mapping):
            kwargs.update({k: v for k, v in ref[3].items() if v is not None})
    return [list(ref[:3]) for ref in data], kwargs


def _references(data: Any) -> list[Any]:
    return [data] if data and isinstance(data[0], str) else list(data)


def network_from_config(cls: Any, config: dict[str, Any], custom_objects: Any = None) -> Any:
    """The model that a configuration describes, with new layers.

    Raises:
        ValueError: an unknown layer, or calls that cannot be made.
    """
    if "layers" not in config:
        return cls(**config)
    builder = _Builder(custom_objects)
    for item in config["layers"]:
        builder.add(item)
    builder.apply_all()
    inputs = [builder.tensor(r) for r in _references(config["input_layers"])]
    outputs = [builder.tensor(r) for r in _references(config["output_layers"])]
    single = len(inputs) == 1, len(outputs) == 1
    return cls(
        inputs=inputs[0] if single[0] else inputs, outputs=outputs[0] if single[1] else outputs,
        name=config.get("name"),
    )  # fmt: skip
