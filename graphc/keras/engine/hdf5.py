"""Models and weights in Keras 2's HDF5 layout; needs the extra `h5` (h5py).

Imports h5py inside functions, keras.engine.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from graphc.keras.core.session import batch_get_value
from graphc.keras.engine.network_config import jsonable
from graphc.keras.engine.weight_file import replacing

__all__ = ["read_model", "read_weights", "write_model", "write_weights"]

_ATTRIBUTE_LIMIT = 64512  # bytes that one attribute can hold


def _h5py() -> Any:
    """Raises ImportError: h5py is not installed."""
    try:
        import h5py
    except ImportError:
        raise ImportError(
            "HDF5 files need h5py: pip install 'graphc[h5]'. Without it, save to a folder (a path "
            "without .h5)."
        ) from None
    return h5py


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


# ------------------------------------------------------------------ writing
def _set_names(group: Any, key: str, names: list[str]) -> None:
    """A list of names as an attribute, in several where one cannot hold them."""
    data = np.array([n.encode() for n in names])
    if data.nbytes <= _ATTRIBUTE_LIMIT:
        group.attrs[key] = data if names else np.array([], dtype="S1")
        return
    chunks = 1
    while any(c.nbytes > _ATTRIBUTE_LIMIT for c in np.array_split(data, chunks)):
        chunks += 1
    for k, part in enumerate(np.array_split(data, chunks)):
        group.attrs[f"{key}{k}"] = part


def _write_layers(group: Any, model: Any) -> None:
    from graphc.keras import __version__

    layers = model.layers
    _set_names(group, "layer_names", [layer.name for layer in layers])
    group.attrs["backend"] = b"tensorflow"
    group.attrs["keras_version"] = __version__.encode()
    for layer in layers:
        inner = group.create_group(layer.name)
        _write_arrays(inner, layer.weights)


def _write_arrays(group: Any, variables: list[Any]) -> None:
    values = batch_get_value(variables)
    names: list[str] = []
    for variable in variables:
        name = variable.name
        names.append(name if name not in names else f"{name}_{len(names)}")
    _set_names(group, "weight_names", names)
    for name, value in zip(names, values):
        array = np.asarray(value)
        data = group.create_dataset(name, array.shape, dtype=array.dtype)
        data[() if not array.shape else slice(None)] = array


def write_weights(model: Any, path: Path) -> None:
    """The weights of each layer, at once or not at all."""
    h5py = _h5py()
    with replacing(path) as aside, h5py.File(aside, "w") as file:
        _write_layers(file, model)


def write_model(model: Any, config: dict[str, Any], path: Path, include_optimizer: bool) -> None:
    """Configuration, weights, training; at once or not at all."""
    from graphc.keras.engine.saving import training_config

    h5py = _h5py()
    with replacing(path) as aside, h5py.File(aside, "w") as file:
        file.attrs["keras_version"] = str(config["keras_version"]).encode()
        file.attrs["backend"] = b"tensorflow"
        inner = {"class_name": config["class_name"], "config": config["config"]}
        file.attrs["model_config"] = json.dumps(inner, default=jsonable).encode()
        _write_layers(file.create_group("model_weights"), model)
        training = training_config(model) if include_optimizer else None
        if training is None:
            return
        file.attrs["training_config"] = json.dumps(training, default=jsonable).encode()
        if model.optimizer._slots:
            _write_arrays(file.create_group("optimizer_weights"), model.optimizer.weights)


# ------------------------------------------------------------------ reading
def _names(group: Any, key: str) -> list[str]:
    if key in group.attrs:
        return [_text(n) for n in group.attrs[key]]
    out: list[str] = []
    k = 0
    while f"{key}{k}" in group.attrs:
        out += [_text(n) for n in group.attrs[f"{key}{k}"]]
        k += 1
    return out


def _open(path: Path) -> Any:
    """Raises OSError: damaged or cut off."""
    h5py = _h5py()
    try:
        return h5py.File(path, "r")
    except OSError as err:
        raise OSError(f"{path} cannot be read as HDF5, it may be cut off: {err}") from None


def _read_layers(group: Any) -> list[tuple[str, list[Any]]]:
    out = []
    for name in _names(group, "layer_names"):
        inner = group[name]
        out.append((name, [np.asarray(inner[w]) for w in _names(inner, "weight_names")]))
    return out


def read_weights(path: Path) -> list[tuple[str, list[Any]]]:
    """(layer, arrays) in order, of a file of weights or of a whole model.

    Raises:
        OSError: damaged. ValueError: no weights of Keras in it.
    """
    with _open(path) as file:
        group = file
        if "layer_names" not in file.attrs and "model_weights" in file:
            group = file["model_weights"]
        if not _names(group, "layer_names"):
            raise ValueError(f"{path} holds no weights of Keras")
        return _read_layers(group)


def read_model(path: Path) -> tuple[dict[str, Any], Any, Any, Any]:
    """(configuration, weights by layer, training configuration, optimizer's state).

    Raises:
        OSError: damaged. ValueError: "No model found in config file."
    """
    with _open(path) as file:
        if "model_config" not in file.attrs:
            raise ValueError(
                f"No model found in config file: {path} may hold weights only; use load_weights."
            )
        config = json.loads(_text(file.attrs["model_config"]))
        training = file.attrs.get("training_config")
        state = None
        if "optimizer_weights" in file:
            group = file["optimizer_weights"]
            state = [np.asarray(group[n]) for n in _names(group, "weight_names")]
        weights = _read_layers(file["model_weights"])
    return config, weights, None if training is None else json.loads(_text(training)), state
