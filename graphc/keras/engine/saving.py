"""Models and weights as files: graphc's own folder, and Keras 2's HDF5.

Lives here: which format a path means, save and load. A folder holds model.json (configuration,
training) and the weights it names; model.json is written last, so that a save that fails leaves the
model before. Not here: bytes (engine/weight_file.py), HDF5 (engine/hdf5.py).
"""

from __future__ import annotations

import contextlib
import json
import secrets
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from graphc.keras.core.objects import CustomObjectScope, serialize_object
from graphc.keras.core.session import batch_get_value, batch_set_value
from graphc.keras.engine.logs import LONG_NAMES
from graphc.keras.engine.modern import plain_config
from graphc.keras.engine.network_config import jsonable
from graphc.keras.engine.weight_file import read_arrays, write_arrays, write_text

__all__ = ["load_model", "load_weights", "save_model", "save_weights"]

_HDF5 = (".h5", ".hdf5", ".keras")
_MODEL = "model.json"


def _is_hdf5(path: Path, save_format: str | None) -> bool:
    if save_format is None:
        return path.suffix in _HDF5
    if save_format not in ("h5", "hdf5", "keras", "tf", "graphc"):
        raise ValueError(f'Unknown format "{save_format}". Was expecting one of "tf" or "h5".')
    return save_format in ("h5", "hdf5", "keras")


def _may_write(path: Path, overwrite: bool) -> None:
    """Raises FileExistsError: something is there and must stay."""
    if not overwrite and path.exists():
        raise FileExistsError(f"{path} exists already, and overwrite is False")


# ------------------------------------------------------------------ weights
def weighted_layers(model: Any) -> list[tuple[str, list[Any]]]:
    """(name, weights) of the layers that have any."""
    if not model.built:
        raise ValueError(
            f"Unable to save or load weights of model {model.name}: it has not been built. Call it "
            "on data, or give its first layer an input_shape."
        )
    return [(layer.name, layer.weights) for layer in model.layers if layer.weights]


def _arrays(layers: list[tuple[str, list[Any]]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, weights in layers:
        for k, (variable, value) in enumerate(zip(weights, batch_get_value(weights))):
            out[f"{name}/{k}/{variable.name}"] = np.asarray(value)
    return out


def _write_weights(model: Any, path: Path) -> None:
    layers = weighted_layers(model)
    names = json.dumps([name for name, _ in layers])
    write_arrays(path, _arrays(layers), {"layers": names, "format": "graphc"})


def save_weights(
    model: Any, filepath: Any, overwrite: bool = True, save_format: str | None = None
) -> None:
    """Writes the weights to one file.

    Raises:
        FileExistsError: overwrite is False. ValueError: the model is not built. ImportError: HDF5
            without h5py.
    """
    path = Path(filepath)
    _may_write(path, overwrite)
    if _is_hdf5(path, save_format):
        from graphc.keras.engine.hdf5 import write_weights

        write_weights(model, path)
    else:
        _write_weights(model, path)


def by_layer(arrays: dict[str, Any], names: list[str]) -> list[tuple[str, list[Any]]]:
    """(layer, its arrays) in order, from the names in a weights file."""
    table: dict[str, list[Any]] = {n: [] for n in names}
    for key, array in arrays.items():
        name = next(n for n in sorted(names, key=len, reverse=True) if key.startswith(f"{n}/"))
        table[name].append(array)
    return list(table.items())


def load_weights(model: Any, filepath: Any, by_name: bool = False, **kwargs: Any) -> Any:
    """Reads weights from a file that save_weights or save wrote.

    Args:
        by_name: into the layers of the same names, rather than in order; skip_mismatch: leave
            out layers whose shapes differ, with a warning.

    Raises:
        OSError: nothing there, or damaged. ValueError: other layers or shapes.
    """
    path = Path(filepath)
    skip = bool(kwargs.pop("skip_mismatch", False))
    if kwargs:
        raise TypeError(f"unexpected arguments: {sorted(kwargs)}")
    if not path.exists():
        raise OSError(f"Unable to open file: no such file or directory: {str(path)!r}")
    if path.is_dir():
        found = _folder_weights(path)
    elif _signature(path):
        from graphc.keras.engine.hdf5 import read_weights

        found = read_weights(path)
    else:
        arrays, metadata = read_arrays(path)
        found = by_layer(arrays, json.loads(metadata.get("layers", "[]")))
    assign(model, found, by_name, skip, str(path))
    return None


def _signature(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


def assign(
    model: Any, found: list[tuple[str, list[Any]]], by_name: bool, skip: bool, where: str
) -> None:
    """Sets the weights of layers, in order or by name; all of them or none."""
    layers = weighted_layers(model)
    found = [(n, a) for n, a in found if a]
    if by_name:
        table = dict(found)
        pairs = [(n, w, table[n]) for n, w in layers if n in table]
    else:
        if len(found) != len(layers):
            raise ValueError(
                f"You are trying to load a weight file containing {len(found)} layers into a model "
                f"with {len(layers)} layers. ({where})"
            )
        pairs = [(n, w, a) for (n, w), (_, a) in zip(layers, found)]
    values: list[tuple[Any, Any]] = []
    for name, weights, arrays in pairs:
        problem = _mismatch(name, weights, arrays)
        if problem is None:
            values += zip(weights, arrays)
        elif skip:
            warnings.warn(f"Skipping loading of weights: {problem}", stacklevel=3)
        else:
            raise ValueError(f"{problem} ({where})")
    batch_set_value(values)


def _mismatch(name: str, weights: list[Any], arrays: list[Any]) -> str | None:
    if len(weights) != len(arrays):
        return (
            f'layer "{name}" was expected to have {len(weights)} weights, but the file has '
            f"{len(arrays)} for it"
        )
    for variable, array in zip(weights, arrays):
        if tuple(variable.shape.as_list()) != tuple(array.shape):
            return (
                f'layer "{name}": weight {variable.name} has shape '
                f"{tuple(variable.shape.as_list())}, but the file has shape {tuple(array.shape)}"
            )
    return None


# ------------------------------------------------------------------ whole models
def training_config(model: Any) -> dict[str, Any] | None:
    """What compile was given, as Keras 2 writes it; None where it cannot be written."""
    given = model._compile_arguments
    if given is None or model.optimizer is None:
        return None
    try:
        optimizer = {
            "class_name": type(model.optimizer).__name__, "config": model.optimizer.get_config()
        }
    except NotImplementedError:
        warnings.warn(
            "TensorFlow optimizers do not make it possible to access optimizer attributes or "
            "optimizer state after instantiation. As a result, we cannot save the optimizer as "
            "part of the model save file.", stacklevel=4,
        )  # fmt: skip
        return None
    return {
        "optimizer_config": optimizer, "loss": _written(given["loss"]),
        "metrics": _written(given["metrics"]),
        "weighted_metrics": _written(given["weighted_metrics"]),
        "sample_weight_mode": given["sample_weight_mode"],
        "loss_weights": given["loss_weights"],
    }  # fmt: skip


def _written(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _written(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_written(v) for v in value]
    if isinstance(value, str) and value not in ("acc", "accuracy"):
        return LONG_NAMES.get(value, value)  # readers know the long names better
    return serialize_object(value)


def save_model(
    model: Any, filepath: Any, overwrite: bool = True, include_optimizer: bool = True,
    save_format: str | None = None,
) -> None:
    """Writes configuration, weights and, where wanted, the state of training.

    Raises:
        FileExistsError: overwrite is False. NotImplementedError: a subclassed model, which has no
            configuration. ImportError: HDF5 without h5py.
    """
    path = Path(filepath)
    _may_write(path, overwrite)
    try:
        config = model._model_config()
    except NotImplementedError as err:
        raise NotImplementedError(
            f"Model {model.name} has no configuration ({err or 'a subclassed model'}): use "
            "save_weights, and build the model in Python before load_weights."
        ) from None
    if _is_hdf5(path, save_format):
        from graphc.keras.engine.hdf5 import write_model

        write_model(model, config, path, include_optimizer)
        return
    path.mkdir(parents=True, exist_ok=True)
    tag = secrets.token_hex(4)
    names = {"weights": f"weights-{tag}.safetensors"}
    _write_weights(model, path / names["weights"])
    training = training_config(model) if include_optimizer else None
    if training is not None and model.optimizer._slots:
        names["optimizer"] = f"optimizer-{tag}.safetensors"
        state = model.optimizer.weights
        table = {f"{k}/{v.name}": np.asarray(a)
                 for k, (v, a) in enumerate(zip(state, batch_get_value(state)))}  # fmt: skip
        write_arrays(path / names["optimizer"], table, {})
    document = {**config, "training_config": training, "files": names}
    write_text(path / _MODEL, json.dumps(document, default=jsonable, indent=1))
    _drop_old(path, set(names.values()))


def _drop_old(path: Path, keep: set[str]) -> None:
    for pattern in ("weights-*.safetensors", "optimizer-*.safetensors"):
        for old in path.glob(pattern):
            if old.name not in keep:
                with contextlib.suppress(OSError):
                    old.unlink()


def _document(path: Path) -> dict[str, Any]:
    file = path / _MODEL
    if not file.exists():
        raise OSError(f"{path} holds no saved model: there is no {_MODEL}")
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as err:
        raise OSError(f"{file} is damaged: {err}") from None


def _folder_weights(path: Path) -> list[tuple[str, list[Any]]]:
    name = Path(_document(path)["files"]["weights"]).name
    arrays, metadata = read_arrays(path / name)
    return by_layer(arrays, json.loads(metadata["layers"]))


def load_model(filepath: Any, custom_objects: Any = None, compile: bool = True) -> Any:
    """A model from what `save` wrote.

    Raises:
        OSError: nothing there, or damaged. ValueError: unknown names; a file without a model.
    """
    path = Path(filepath)
    if not path.exists():
        raise OSError(f"SavedModel file does not exist at: {path}")
    with CustomObjectScope(custom_objects or {}):
        if path.is_dir():
            document = _document(path)
            found = _folder_weights(path)
            state = None
            if "optimizer" in document["files"]:
                arrays, _ = read_arrays(path / Path(document["files"]["optimizer"]).name)
                state = list(arrays.values())
            training = document.get("training_config")
        elif _signature(path):
            from graphc.keras.engine.hdf5 import read_model

            document, found, training, state = read_model(path)
        else:
            raise OSError(
                f"{path} is no saved model: neither HDF5 nor a folder. A file of weights is read "
                "by model.load_weights."
            )
        return rebuild(document, found, training if compile else None, state, str(path))


def rebuild(
    document: dict[str, Any], found: list[tuple[str, list[Any]]], training: Any, state: Any,
    where: str,
) -> Any:
    """The model of a configuration, with weights, compiled where there is a training config."""
    from graphc.keras.models import model_from_config

    model = model_from_config(plain_config(
        {"class_name": document["class_name"], "config": document["config"]}
    ))  # fmt: skip
    if found:
        assign(model, found, False, False, where)
    if training is not None:
        _compile(model, plain_config(training), state)
    return model


def _compile(model: Any, training: dict[str, Any], state: Any) -> None:
    from graphc.keras import optimizers

    settings = training.get("compile_config") or training
    config = settings.get("optimizer_config") or training.get("optimizer_config") or (
        settings.get("optimizer")
    )  # fmt: skip
    optimizer = optimizers.deserialize(config)
    model.compile(
        optimizer, loss=_read(settings.get("loss")), metrics=_read(settings.get("metrics")),
        loss_weights=settings.get("loss_weights"),
        sample_weight_mode=settings.get("sample_weight_mode"),
        weighted_metrics=_read(settings.get("weighted_metrics")),
    )  # fmt: skip
    if state:
        optimizer.restore_later(list(state))


def _read(value: Any) -> Any:
    """Names and configurations of losses and metrics, in lists and dicts."""
    from graphc.keras import losses, metrics

    if isinstance(value, dict) and "class_name" in value:
        try:
            return losses.get(value)
        except ValueError:
            return metrics.get(value)
    if isinstance(value, dict):
        return {k: _read(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_read(v) for v in value]
    return value
