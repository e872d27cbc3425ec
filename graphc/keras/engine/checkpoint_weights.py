"""Weights as TensorFlow's checkpoints, as tf.keras writes them for names without .h5.

Lives here: write_checkpoint_weights, read_checkpoint_weights: variables by their paths through
the model's objects ("layer_with_weights-0/kernel"). Not here: the format (interop/checkpoint.py),
layers in order (engine/saved_weights.py). Imports tf1's state of checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import NotFoundError, OpError
from graphc.interop.checkpoint import CheckpointReader, write_checkpoint
from graphc.interop.object_messages import TrackableObjectGraph
from graphc.keras.core.session import batch_get_value, batch_set_value
from graphc.keras.engine.base_layer import Layer
from graphc.keras.engine.saved_weights import fitted, weighted_layers
from graphc.tf1.checkpoint_state import update_checkpoint_state

__all__ = ["LoadStatus", "is_checkpoint", "read_checkpoint_weights", "write_checkpoint_weights"]

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
VALUE = "VARIABLE_VALUE"
# what tf.keras calls the layers inside of an attention layer
_PROJECTIONS = {
    "query": "_query_dense", "key": "_key_dense", "value": "_value_dense",
    "attention_output": "_output_dense",
}  # fmt: skip


class LoadStatus:
    """What load_weights gives for a checkpoint: all was there, or it had raised an error."""

    def assert_consumed(self) -> LoadStatus:
        return self

    assert_existing_objects_matched = assert_nontrivial_match = expect_partial = assert_consumed


def is_checkpoint(path: Path) -> bool:
    """Whether the path is the prefix of a checkpoint."""
    return Path(f"{path}.index").is_file()


# ------------------------------------------------------------------ paths
def paths_of(model: Any) -> list[tuple[str, Any]]:
    """(path, variable) of each weight of the model, once.

    Raises:
        ValueError: the model is not built.
    """
    weighted_layers(model)  # asks whether it is built
    found: dict[Any, str] = {}
    for path, variable in _paths(model, ()):
        found.setdefault(variable, path)
    return [(path, variable) for variable, path in found.items()]


def _paths(layer: Any, front: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    below = list(_children(layer))
    inside = {id(w) for _, child in below for w in child.weights}
    attributes = {id(v): k for k, v in reversed(list(vars(layer).items()))}
    own = [w for w in layer.weights if id(w) not in inside]
    for variable in own:
        name = attributes.get(id(variable)) or _relative(layer, variable)
        yield "/".join([*front, name]), variable
    for name, child in below:
        yield from _paths(child, (*front, name))


def _children(layer: Any) -> Iterator[tuple[str, Any]]:
    if getattr(layer, "_is_graph_network", False):
        weighted = [x for x in layer.layers if x.weights]
        yield from ((f"layer_with_weights-{k}", x) for k, x in enumerate(weighted))
        return
    for name, value in vars(layer).items():
        if name.startswith(("_inbound", "_outbound")):
            continue
        if isinstance(value, Layer):
            yield name, value
        elif isinstance(value, list | tuple):
            yield from ((f"{name}/{k}", x) for k, x in enumerate(value) if isinstance(x, Layer))


def _relative(layer: Any, variable: Any) -> str:
    """A path from the variable's name, below the layer's."""
    parts = str(variable.op.name).split("/")
    if layer.name in parts:
        parts = parts[parts.index(layer.name) + 1 :]
    return "/".join(_PROJECTIONS.get(p, p) for p in parts) or parts[-1]


# ------------------------------------------------------------------ writing
def write_checkpoint_weights(model: Any, prefix: Path) -> None:
    """Writes `prefix`.index and its data, and notes them down as the folder's latest checkpoint."""
    pairs = paths_of(model)
    tensors: dict[str, Any] = {}
    graph = TrackableObjectGraph()
    graph.nodes.add()
    nodes: dict[tuple[str, ...], int] = {(): 0}
    for (path, variable), value in zip(pairs, batch_get_value([v for _, v in pairs])):
        key = f"{path}/.ATTRIBUTES/{VALUE}"
        tensors[key] = np.asarray(value)
        node = graph.nodes[_node(graph, nodes, tuple(path.split("/")))]
        node.attributes.add(name=VALUE, full_name=variable.op.name, checkpoint_key=key)
    tensors[GRAPH] = np.array(graph.SerializeToString(), object)
    write_checkpoint(prefix, tensors)
    update_checkpoint_state(str(prefix.parent), str(prefix), [str(prefix)])


def _node(graph: Any, nodes: dict[tuple[str, ...], int], path: tuple[str, ...]) -> int:
    if path not in nodes:
        parent = _node(graph, nodes, path[:-1])
        graph.nodes.add()
        nodes[path] = len(graph.nodes) - 1
        graph.nodes[parent].children.add(node_id=nodes[path], local_name=path[-1])
    return nodes[path]


# ------------------------------------------------------------------ reading
def read_checkpoint_weights(model: Any, prefix: Path) -> LoadStatus:
    """Sets the model's weights from a checkpoint of tf.keras or of ours; all of them or none.

    Raises:
        OSError: damaged. ValueError: a weight is not there, or has another shape.
    """
    try:
        reader = CheckpointReader(prefix)
        graph = _graph(reader)
        values = [(v, _value(reader, graph, path, v, prefix)) for path, v in paths_of(model)]
    except OpError as err:
        raise OSError(f"{prefix} cannot be read: {err}") from None
    batch_set_value(values)
    return LoadStatus()


def _graph(reader: CheckpointReader) -> Any:
    if not reader.has_tensor(GRAPH):
        raise NotFoundError(
            "it has no graph of objects: a Saver wrote it, and tf.train.Saver restores it"
        )
    return TrackableObjectGraph.FromString(reader.get_tensor(GRAPH))


def _value(reader: CheckpointReader, graph: Any, path: str, variable: Any, prefix: Path) -> Any:
    key = _key(graph, path.split("/"))
    if key is None or not reader.has_tensor(key):
        raise ValueError(f"{prefix} has no value of {variable.name} (it would be {path})")
    return fitted(variable, reader.array(key), str(prefix))


def _key(graph: Any, path: list[str]) -> str | None:
    """The key of the variable at this path of names, by the edges of the file's graph."""
    at = 0
    for name in path:
        found = [c.node_id for c in graph.nodes[at].children if c.local_name == name]
        if not found or not 0 <= found[0] < len(graph.nodes):
            return None
        at = found[0]
    return next((a.checkpoint_key for a in graph.nodes[at].attributes if a.name == VALUE), None)
