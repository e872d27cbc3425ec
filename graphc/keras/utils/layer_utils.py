"""Texts and pictures of models: summary, plot. Imports keras.engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.keras.core.marks import history_of
from graphc.keras.engine.layer_info import count_scalars, distinct
from graphc.keras.engine.nodes import parents

__all__ = [
    "get_source_inputs", "model_to_dot", "multi_gpu_model", "plot_model", "print_summary",
]  # fmt: skip


def _is_chain(model: Any) -> bool:
    """Whether each layer has one input layer and one output layer."""
    if hasattr(model, "_stack") or not model._is_graph_network:
        return True
    relevant = set(model._network_nodes)
    for layer in model.layers:
        incoming = [n for n in layer._inbound_nodes if n in relevant]
        if len(incoming) > 1 or any(len(n.inbound_layers) > 1 for n in incoming):
            return False
        outgoing = [n for n in layer._outbound_nodes if n in relevant]
        if len(outgoing) > 1:
            return False
    return True


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
        return str(layer.output_shape)
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
            if history is not None and history.layer is not layer:
                out.append(f"{history.layer.name}[{history.node_index}][{history.tensor_index}]")
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


def model_to_dot(
    model: Any, show_shapes: bool = False, show_layer_names: bool = True, rankdir: str = "TB"
) -> str:
    """The layers and their connections in Graphviz' language."""
    lines = ["digraph model {", f"  rankdir={rankdir};", "  node [shape=record];"]
    for layer in model.layers:
        label = type(layer).__name__
        if show_layer_names:
            label = f"{layer.name}: {label}"
        if show_shapes:
            label += f"|{_output_shape(layer)}"
        label = label.replace("<", "\\<").replace(">", "\\>")
        lines.append(f'  "{layer.name}" [label="{{{label}}}"];')
    names = {layer.name for layer in model.layers}
    for layer in model.layers:
        sources = {n.name for node in layer._inbound_nodes for n in node.inbound_layers}
        lines += [f'  "{s}" -> "{layer.name}";' for s in sorted(sources & names)]
    return "\n".join([*lines, "}"])


def plot_model(
    model: Any, to_file: Any = "model.png", show_shapes: bool = False,
    show_layer_names: bool = True, rankdir: str = "TB", **kwargs: Any,
) -> Any:
    """Draws the model with Graphviz' `dot`; a file that ends in .dot gets its text.

    Raises:
        ImportError: `dot` is not installed.
    """
    import shutil
    import subprocess
    from pathlib import Path

    text = model_to_dot(model, show_shapes, show_layer_names, rankdir)
    path = Path(to_file)
    if path.suffix == ".dot":
        path.write_text(text)
        return path
    program = shutil.which("dot")
    if program is None:
        raise ImportError(
            "Failed to plot: the program `dot` of Graphviz is not installed. A file name that ends "
            "in .dot writes the text that it reads."
        )
    form = path.suffix.lstrip(".") or "png"
    subprocess.run([program, f"-T{form}", "-o", str(path)], input=text.encode(), check=True)
    return path


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
