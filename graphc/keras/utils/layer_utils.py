"""Texts of models: summary; and which inputs a tensor needs. Imports keras.engine.

Lives here: print_summary, get_source_inputs. Not here: pictures (vis_utils.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.keras.core.marks import history_of
from graphc.keras.engine.input_layer import InputLayer
from graphc.keras.engine.layer_info import count_scalars, distinct
from graphc.keras.engine.nodes import parents

__all__ = ["get_source_inputs", "multi_gpu_model", "print_summary"]


def _is_chain(model: Any) -> bool:
    """Whether the calls of its layers follow one another, each layer called once."""
    if hasattr(model, "_stack") or not model._is_graph_network:
        return True
    nodes = model._network_nodes
    sources = [n.inbound_layers for n in nodes if not isinstance(n.outbound_layer, InputLayer)]
    layers = {id(n.outbound_layer) for n in nodes}
    taken = [id(x) for listed in sources for x in listed]
    return (
        len(layers) == len(nodes)
        and all(len(listed) <= 1 for listed in sources)
        and len(set(taken)) == len(taken)
        and len(nodes) - len(taken) == 1
    )


def _row(fields: list[str], positions: list[int], write: Callable[[str], Any]) -> None:
    line = ""
    for k, field in enumerate(fields):
        if k > 0:
            line = line[:-1] + " "
        line += str(field)
        line = line[: positions[k]]
        line += " " * (positions[k] - len(line))
    write(line)


def _output_shape(layer: Any) -> str:
    try:
        shape = layer.output_shape
        # as TensorFlow prints it: an input layer has a list of outputs
        return str([shape] if isinstance(layer, InputLayer) else shape)
    except AttributeError:
        return "multiple"
    except RuntimeError:
        return "?"


def _connections(layer: Any, relevant: set[Any]) -> list[str]:
    out = []
    for node in layer._inbound_nodes:
        if node not in relevant:
            continue
        for history in node.histories():
            if history is not None and not isinstance(layer, InputLayer):
                # a model's first call is its own, from its inputs to its outputs
                own = int(getattr(history.layer, "_is_graph_network", False))
                place = f"[{history.node_index + own}][{history.tensor_index}]"
                out.append(f"{history.layer.name}{place}")
    return out


def print_summary(
    model: Any, line_length: int | None = None, positions: Any = None, print_fn: Any = None
) -> None:
    """Prints a table of the layers and the numbers of weights.

    Args:
        line_length: default 65, or 98 where layers have several inputs. positions: ends of the
            columns, absolute or as shares. print_fn: default print.
    """
    write = print_fn or print
    chain = _is_chain(model)
    line_length = line_length or (65 if chain else 98)
    positions = list(positions or ([0.45, 0.85, 1.0] if chain else [0.33, 0.55, 0.67, 1.0]))
    if positions[-1] <= 1:
        positions = [int(line_length * p) for p in positions]
    titles = ["Layer (type)", "Output Shape", "Param #"]
    relevant = set() if chain else set(model._network_nodes)
    write(f'Model: "{model.name}"')
    write("_" * line_length)
    _row(titles if chain else [*titles, "Connected to"], positions, write)
    write("=" * line_length)
    layers = model.layers
    for k, layer in enumerate(layers):
        params = layer.count_params() if layer.built else "0 (unused)"
        fields = [f"{layer.name} ({type(layer).__name__})", _output_shape(layer), str(params)]
        if chain:
            _row(fields, positions, write)
        else:
            links = _connections(layer, relevant)
            _row([*fields, links[0] if links else ""], positions, write)
            for link in links[1:]:
                _row(["", "", "", link], positions, write)
        write(("=" if k == len(layers) - 1 else "_") * line_length)
    _totals(model, write)
    write("_" * line_length)


def _totals(model: Any, write: Callable[[str], Any]) -> None:
    trainable = getattr(model, "_collected_trainable_weights", None) or model.trainable_weights
    learn = count_scalars(trainable)
    taken = {id(w) for w in trainable}
    fixed = count_scalars(w for w in distinct(model.weights) if id(w) not in taken)
    write(f"Total params: {learn + fixed:,}")
    write(f"Trainable params: {learn:,}")
    write(f"Non-trainable params: {fixed:,}")


def get_source_inputs(tensor: Any, layer: Any = None, node_index: int | None = None) -> list[Any]:
    """The input tensors from which a layer's output is computed."""
    history = history_of(tensor)
    if history is None:
        return [tensor]
    nodes = [history.layer._inbound_nodes[history.node_index]]
    found: list[Any] = []
    seen: set[int] = set()
    while nodes:
        node = nodes.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        above = [n for n in parents(node.input_tensors) if n is not node]
        if not above:
            found += [t for t in node.output_tensors if all(t is not f for f in found)]
        nodes += reversed(above)
    return found


def multi_gpu_model(model: Any, gpus: Any = None, **kwargs: Any) -> Any:
    """The model itself: there is one device."""
    return model
