"""Models and weights in Keras 2's HDF5 layout; needs the extra `h5` (h5py).

Imports h5py inside functions, keras.engine.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphc.interop.checkpoint import atomic_path
from graphc.keras.core.session import batch_get_value
from graphc.keras.engine.modern import portable_config
from graphc.keras.engine.network_config import jsonable
from graphc.keras.engine.saved_training import optimizer_state, training_config
from graphc.keras.engine.saved_weights import (
    OWN,
    Found,
    converted,
    file_weights,
    for_keras,
    from_keras,
    own_weights,
)

__all__ = ["holds_objects", "opened", "read_model", "read_weights", "write_model", "write_weights"]

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
        weights = file_weights(layer)
        arrays = converted(layer, [np.asarray(a) for a in batch_get_value(weights)], for_keras)
        _write_arrays(inner, list(zip([w.name for w in weights], arrays)))
    own = own_weights(model)
    _write_arrays(
        group.create_group(OWN), list(zip([w.name for w in own], batch_get_value(own)))
    )


def _write_arrays(group: Any, pairs: list[tuple[str, Any]]) -> None:
    names: list[str] = []
    for name, _ in pairs:
        names.append(name if name not in names else f"{name}_{len(names)}")
    _set_names(group, "weight_names", names)
    for name, (_, value) in zip(names, pairs):
        array = np.asarray(value)
        data = group.create_dataset(name, array.shape, dtype=array.dtype)
        data[() if not array.shape else slice(None)] = array


@contextlib.contextmanager
def _written(path: Path) -> Iterator[Any]:
    """A file to fill, which is written at the end, at once or not at all.

    It is filled in memory: where the disk is full, HDF5 ends the process when it closes a file.
    """
    with _h5py().File(path.name, "w", driver="core", backing_store=False) as file:
        yield file
        file.flush()
        image = file.id.get_file_image()
    with atomic_path(path) as aside:
        aside.write_bytes(image)


def write_weights(model: Any, path: Path) -> None:
    """The weights of each layer, at once or not at all."""
    with _written(path) as file:
        _write_layers(file, model)


def write_model(model: Any, config: dict[str, Any], path: Path, include_optimizer: bool) -> None:
    """Configuration, weights, training; at once or not at all."""
    with _written(path) as file:
        file.attrs["keras_version"] = str(config["keras_version"]).encode()
        file.attrs["backend"] = b"tensorflow"
        inner = {"class_name": config["class_name"], "config": config["config"]}
        file.attrs["model_config"] = _dumped(inner)
        _write_layers(file.create_group("model_weights"), model)
        training = training_config(model) if include_optimizer else None
        if training is None:
            return
        file.attrs["training_config"] = _dumped(training)
        state = optimizer_state(model)
        if state:
            _write_arrays(file.create_group("optimizer_weights"), state)


def _dumped(config: Any) -> bytes:
    return json.dumps(portable_config(config), default=_portable).encode()


def _portable(value: Any) -> Any:
    return portable_config(jsonable(value))


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


def opened(file: Any, name: Any = None) -> Any:
    """The HDF5 file of a path, or of an open file that is called `name`.

    Raises:
        OSError: damaged or cut off. ImportError: h5py is not installed.
    """
    h5py = _h5py()
    try:
        return h5py.File(file, "r")
    except OSError as err:
        raise OSError(
            f"{name or file} cannot be read as HDF5, it may be cut off: {err}"
        ) from None


def holds_objects(path: Path) -> bool:
    """Whether the arrays are kept by the paths of objects, as Keras 3 does (.weights.h5)."""
    with opened(path) as file:
        newer = ("layers", "_layer_checkpoint_dependencies")
        older = ("layer_names", "layer_names0")
        return any(n in file for n in newer) and not any(n in file.attrs for n in older)


def _members(path: Path, group: Any) -> list[tuple[str, Any]]:
    """(name, array) of the arrays that a group lists.

    Raises:
        OSError: one of them is not there, or damaged.
    """
    out = []
    for name in _names(group, "weight_names"):
        try:
            out.append((name, np.asarray(group[name])))
        except (KeyError, OSError, TypeError) as err:
            raise OSError(f"{path} is damaged: {group.name}/{name} cannot be read: {err}") from None
    return out


def _read_layers(path: Path, group: Any) -> Found:
    layers = []
    for name in _names(group, "layer_names"):
        if name not in group:
            raise OSError(f"{path} is damaged: it lists layer {name}, which is not there")
        layers.append((name, [a for _, a in _members(path, group[name])]))
    if OWN in group and OWN not in dict(layers):
        layers.append((OWN, [a for _, a in _members(path, group[OWN])]))
    # the first versions did not write theirs
    return Found(layers, from_keras(_text(group.attrs.get("keras_version", "1"))))


def read_weights(path: Path) -> Found:
    """(layer, arrays) in order, of a file of weights or of a whole model.

    Raises:
        OSError: damaged. ValueError: no weights of Keras in it.
    """
    with opened(path) as file:
        group = file
        if "layer_names" not in file.attrs and "model_weights" in file:
            group = file["model_weights"]
        if not _names(group, "layer_names"):
            raise ValueError(f"{path} holds no weights of Keras")
        return _read_layers(path, group)


def read_model(path: Path) -> tuple[dict[str, Any], Any, Any, Any]:
    """(configuration, weights as Found, training configuration, optimizer's state).

    Raises:
        OSError: damaged. ValueError: "No model found in config file."
    """
    with opened(path) as file:
        if "model_config" not in file.attrs:
            raise ValueError(
                f"No model found in config file: {path} may hold weights only; use load_weights."
            )
        config = _json(path, file.attrs["model_config"])
        training = file.attrs.get("training_config")
        state = None
        if "optimizer_weights" in file:
            state = _members(path, file["optimizer_weights"])
        if "model_weights" not in file:
            raise OSError(f"{path} is damaged: it holds a model without weights")
        weights = _read_layers(path, file["model_weights"])
    return config, weights, None if training is None else _json(path, training), state


def _json(path: Path, value: Any) -> Any:
    try:
        return json.loads(_text(value))
    except ValueError as err:
        raise OSError(f"{path} is damaged: a configuration in it is no JSON: {err}") from None
