"""Configurations of graphs of layers: to dicts and back. Imports keras.engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType
from graphc.ir.node import Tensor
from graphc.keras.core.marks import history_of
from graphc.keras.engine.input_layer import InputLayer
from graphc.keras.engine.nodes import Node
from graphc.keras.engine.op_lambda import OpLambda

__all__ = ["jsonable", "network_config", "network_from_config"]

_CONSTANT = "_CONSTANT_VALUE"  # stands for a first argument that is no tensor


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
        # a model's own call, from its inputs to its outputs, counts where it stands in another one
        kept = int(getattr(layer, "_is_graph_network", False))
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


def _plain(arguments: dict[str, Any], numbers: dict[tuple[int, int], int]) -> dict[str, Any]:
    """Arguments of a call as a file holds them; tensors by what makes them.

    Raises:
        ValueError: a tensor that no layer made.
    """

    def written(value: Any) -> Any:
        if isinstance(value, Tensor):
            if history_of(value) is None:
                raise ValueError(f"{value} is an argument of a layer, but no layer made it: a "
                                 "configuration cannot hold it")  # fmt: skip
            return _reference(value, numbers)
        if isinstance(value, list | tuple):
            return [written(v) for v in value]
        return value.tolist() if isinstance(value, np.ndarray) else value

    kinds = (str, int, float, bool, list, tuple, type(None), Tensor, np.ndarray)
    return {k: written(v) for k, v in arguments.items() if isinstance(v, kinds)}


def _inbound(node: Node, numbers: dict[tuple[int, int], int]) -> list[Any]:
    layer = node.outbound_layer
    if isinstance(layer, OpLambda):
        references = [_reference(t, numbers) for t in node.input_tensors]
        return layer.described_call(node.arguments, references)  # type: ignore[no-any-return]
    extra = _plain(node.arguments, numbers)
    if type(layer).__name__ == "MultiHeadAttention":  # readers want the others as arguments
        query, *others = (_reference(t, numbers) for t in node.input_tensors)
        return [[*query, {**dict(zip(("value", "key"), others)), **extra}]]
    return [[*_reference(t, numbers), extra] for t in node.input_tensors
            if history_of(t) is not None]  # fmt: skip


def layer_class(layer: Any) -> str:
    """The name of a layer's class in files."""
    if isinstance(layer, OpLambda) and layer.function == "__operators__.getitem":
        return "SlicingOpLambda"
    return str(getattr(type(layer), "_keras_name", type(layer).__name__))


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
            "name": layer.name, "class_name": layer_class(layer),
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
        self.first: dict[str, int] = {}  # the number of a layer's first call

    def number(self, config: dict[str, Any]) -> None:
        """Files count the calls of models from 1, some of them from 0: references tell."""
        highest: dict[str, int] = {}
        ends = [config["input_layers"], config["output_layers"]]
        for ref in _mentioned([ends, [x.get("inbound_nodes", ()) for x in config["layers"]]]):
            highest[ref[0]] = max(highest.get(ref[0], 0), ref[1])
        for item in config["layers"]:
            calls = len(item.get("inbound_nodes", ()))
            self.first[item["name"]] = int(0 < calls <= highest.get(item["name"], 0))

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

    def tensor(self, ref: Any) -> Any:
        if ref[0] == _CONSTANT:
            return ref[2]  # type: ignore[no-any-return]
        calls = self.outputs[ref[0]]
        number = ref[1] - self.first.get(ref[0], 0)
        return calls[number][ref[2]] if number < len(calls) else None

    def argument(self, value: Any) -> Any:
        """An argument of a call with the tensors that it names; KeyError: not there yet."""
        if self.names_tensor(value):
            tensor = self.tensor(value)
            if tensor is None:
                raise KeyError(value[0])
            return tensor
        if isinstance(value, list):
            return [self.argument(v) for v in value]
        if isinstance(value, dict):
            return {k: self.argument(v) for k, v in value.items()}
        return value

    def names_tensor(self, value: Any) -> bool:
        """Whether it is [layer, call, output]."""
        return _is_reference(value) and value[0] in self.layers

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
        try:
            kwargs = self.argument(kwargs)
        except KeyError:
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


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(type(n) is int for n in value[1:3])
    )


def _mentioned(value: Any) -> Iterator[list[Any]]:
    """All references in parts of a configuration."""
    if isinstance(value, dict):
        value = list(value.values())
    if _is_reference(value):
        yield value
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _mentioned(inner)


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
    builder.number(config)
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
