"""Archives of Keras 3 (and of tf_keras): .keras files and their weights, .weights.h5.

Lives here: reading them: config.json, and arrays by the paths of objects ("layers/dense/vars/0").
Not here: Keras 2's HDF5 (engine/hdf5.py). No code of an archive is run: config.json names layers
only. Needs the extra `h5`.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphc.keras.core.session import batch_set_value
from graphc.keras.engine.base_layer import Layer
from graphc.keras.engine.hdf5 import opened
from graphc.keras.engine.saved_weights import fitted, weighted_layers

__all__ = ["load_arrays", "read_archive"]

_WEIGHTS = "model.weights.h5"
_LARGEST = 64 << 20  # bytes of a configuration
# our names of parts of layers, and those of the versions of Keras
_PARTS = {
    "query": ("query_dense", "_query_dense"), "key": ("key_dense", "_key_dense"),
    "value": ("value_dense", "_value_dense"),
    "attention_output": ("output_dense", "_output_dense"),
}  # fmt: skip


def read_archive(path: Path) -> tuple[dict[str, Any], bytes]:
    """(configuration, the bytes of the weights' HDF5 file).

    Raises:
        OSError: damaged, or no archive of Keras.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _LARGEST:
                raise OSError(f"{path} is damaged: its configuration is too large")
            config = json.loads(archive.read("config.json"))
            return config, archive.read(_WEIGHTS)
    except KeyError as err:
        raise OSError(f"{path} is no archive of Keras: {err}") from None
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as err:
        raise OSError(f"{path} is damaged: {err}") from None


def load_arrays(model: Any, source: Path | bytes, where: str) -> list[Any]:
    """Sets all weights of the model from a file of weights, or none.

    Returns:
        The arrays of the optimizer, in order.

    Raises:
        OSError: damaged. ValueError: weights that are not there, or of other shapes.
    """
    weighted_layers(model)  # asks whether it is built
    handle: Any = io.BytesIO(source) if isinstance(source, bytes) else source
    with opened(handle, where) as file:
        pairs = [(v, _array(file, paths, v, where)) for paths, v in _paths(model, ("",))]
        state = _listed(file.get("optimizer"))
    batch_set_value(pairs)
    return state


def _array(file: Any, paths: tuple[str, ...], variable: Any, where: str) -> Any:
    found = next((p for p in paths if p in file), None)
    if found is None:
        raise ValueError(f"{where} has no value of {variable.name} (it would be {paths[0]})")
    return fitted(variable, np.asarray(file[found]), f"{where}: {found}")


def _listed(group: Any) -> list[Any]:
    """The arrays vars/0, vars/1, ... of a group."""
    if group is None or "vars" not in group:
        return []
    held = group["vars"]
    return [np.asarray(held[str(k)]) for k in range(len(held))]


# ------------------------------------------------------------------ paths
def _paths(layer: Any, fronts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(paths it may have, variable) of a layer and those below."""
    below = list(_children(layer))
    inside = {id(w) for _, child in below for w in child.weights}
    own = [w for w in layer.weights if id(w) not in inside]
    attributes = {id(w): _part(layer, w) for w in own}
    counts: dict[str, int] = defaultdict(int)
    for variable in own:
        part = attributes[id(variable)]
        number = counts[part]
        counts[part] += 1
        names: tuple[str, ...] = _PARTS.get(part, ("",))
        yield tuple(f"{f}{n + '/' if n else ''}vars/{number}" for f in fronts for n in names), (
            variable
        )
    for names, child in below:
        yield from _paths(child, tuple(f"{f}{n}/" for f in fronts for n in names))


def _part(layer: Any, variable: Any) -> str:
    """The part of a layer that a weight belongs to, as "query"; "" for the layer's own."""
    parts = str(variable.op.name).split("/")
    return parts[-2] if len(parts) > 1 and parts[-2] in _PARTS and parts[-2] != layer.name else ""


def _children(layer: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if getattr(layer, "_is_graph_network", False):
        for name, child in _numbered(layer.layers):
            yield (f"layers/{name}", f"_layer_checkpoint_dependencies/{name}"), child
        return
    for attribute, value in vars(layer).items():
        if attribute.startswith(("_inbound", "_outbound")):
            continue
        if isinstance(value, Layer):
            yield (attribute,), value
        elif isinstance(value, list | tuple):
            inner = [x for x in value if isinstance(x, Layer)]
            yield from (((f"{attribute}/{name}",), x) for name, x in _numbered(inner))


def _snake_case(name: str) -> str:
    """ConvLSTM2D -> conv_lstm2d: as archives have it, not as layers are called."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _numbered(layers: list[Any]) -> Iterator[tuple[str, Any]]:
    """dense, dense_1, ... by the layers' classes."""
    counts: dict[str, int] = defaultdict(int)
    for layer in layers:
        kind = type(layer).__name__
        name = "functional" if kind == "Model" else _snake_case(kind)
        yield (f"{name}_{counts[name]}" if counts[name] else name), layer
        counts[name] += 1
