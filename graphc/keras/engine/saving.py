"""Models and weights as files: graphc's own folder, and Keras 2's HDF5.

Lives here: which format a path means, save and load. A folder holds model.json (configuration,
training) and the weights it names; model.json is written last, so that a save that fails leaves the
model before. Not here: bytes (interop/safetensors.py), HDF5 (engine/hdf5.py).
"""

from __future__ import annotations

import contextlib
import json
import secrets
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import OpError
from graphc.interop.checkpoint import atomic_file
from graphc.interop.safetensors import read_safetensors, save_safetensors
from graphc.keras.core.objects import CustomObjectScope
from graphc.keras.core.session import batch_get_value
from graphc.keras.engine.modern import plain_config
from graphc.keras.engine.network_config import jsonable
from graphc.keras.engine.saved_training import (
    compile_from,
    optimizer_state,
    restore_listed,
    training_config,
)
from graphc.keras.engine.saved_weights import Found, assign, file_weights, weighted_layers

__all__ = ["load_model", "load_weights", "save_model", "save_weights"]

_HDF5 = (".h5", ".hdf5", ".keras")
_MODEL = "model.json"


def _is_hdf5(path: Path, save_format: str | None) -> bool:
    if save_format is None:
        return path.suffix in _HDF5
    if save_format not in ("h5", "hdf5", "keras", "tf", "graphc"):
        raise ValueError(f'Unknown format "{save_format}". Was expecting one of "tf" or "h5".')
    return save_format in ("h5", "hdf5", "keras")


def _may_write(path: Path, overwrite: bool, folder: bool = False) -> None:
    """Raises OSError: something is there that must stay, or cannot be replaced."""
    if not overwrite and path.exists():
        raise FileExistsError(f"{path} exists already, and overwrite is False")
    if path.is_dir() and not folder:
        raise IsADirectoryError(f"{path} is a folder, and the weights are one file")
    if folder and path.exists() and not path.is_dir():
        raise NotADirectoryError(
            f"{path} is a file, and a model is saved as a folder: remove it, or end the name in "
            ".h5 for HDF5"
        )
    path.parent.mkdir(parents=True, exist_ok=True)


# ------------------------------------------------------------------ weights
def _write_weights(model: Any, path: Path) -> None:
    layers = weighted_layers(model)
    arrays: dict[str, Any] = {}
    for layer in layers:
        weights = file_weights(layer)
        for k, (variable, value) in enumerate(zip(weights, batch_get_value(weights))):
            arrays[f"{layer.name}/{k}/{variable.name}"] = value
    names = json.dumps([layer.name for layer in layers])
    save_safetensors(path, arrays, {"layers": names, "format": "graphc"})


def _read(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Raises OSError: no such file, or one that is damaged or cut off."""
    try:
        return read_safetensors(path)
    except OpError as err:
        raise OSError(f"{path} is no weights file, or it is cut off: {err}") from None


def _read_weights(path: Path) -> Found:
    arrays, metadata = _read(path)
    try:
        names = json.loads(metadata["layers"])
        table: dict[str, list[tuple[int, Any]]] = {n: [] for n in names}
        for key, array in arrays.items():
            name = max((n for n in names if key.startswith(f"{n}/")), key=len)
            table[name].append((int(key[len(name) + 1 :].partition("/")[0]), array))
    except (KeyError, ValueError, TypeError) as err:
        raise OSError(f"{path} holds no weights of layers: {err!r}") from None
    return Found([(n, [a for _, a in sorted(x, key=lambda p: p[0])]) for n, x in table.items()])


def save_weights(
    model: Any, filepath: Any, overwrite: bool = True, save_format: str | None = None
) -> None:
    """Writes the weights: HDF5 for .h5, .hdf5 and .keras, a checkpoint for "ckpt", else one file.

    Args:
        save_format: "h5", "tf" for a checkpoint of TensorFlow, or "graphc" for graphc's own file;
            default: as the name says.

    Raises:
        FileExistsError: overwrite is False. ValueError: the model is not built. ImportError: HDF5
            without h5py.
    """
    path = Path(filepath)
    if save_format == "tf" or (save_format is None and "ckpt" in path.name):
        from graphc.keras.engine.checkpoint_weights import write_checkpoint_weights

        _may_write(Path(f"{path}.index"), overwrite)
        write_checkpoint_weights(model, path)
        return
    _may_write(path, overwrite)
    if _is_hdf5(path, save_format):
        from graphc.keras.engine.hdf5 import write_weights

        write_weights(model, path)
    else:
        _write_weights(model, path)


def load_weights(model: Any, filepath: Any, by_name: bool = False, **kwargs: Any) -> Any:
    """Reads weights from a file that save_weights or save wrote, or from a checkpoint.

    Returns:
        None; for a checkpoint a status, which tf.keras's users ask: all was there.

    Args:
        by_name: into the layers of the same names, rather than in order; skip_mismatch: leave
            out layers whose shapes differ, with a warning.

    Raises:
        OSError: nothing there, or damaged. ValueError: other layers or shapes.
    """
    if filepath is None:
        raise ValueError("load_weights got None for a path: latest_checkpoint finds no checkpoint")
    path = Path(filepath)
    skip = bool(kwargs.pop("skip_mismatch", False))
    if kwargs:
        raise TypeError(f"unexpected arguments: {sorted(kwargs)}")
    if Path(f"{path}.index").is_file():
        return _load_checkpoint(model, path, by_name or skip)
    if not path.exists():
        raise OSError(f"Unable to open file: no such file or directory: {str(path)!r}")
    if path.is_dir():
        found = _folder_weights(path, _document(path))
    elif _signature(path):
        from graphc.keras.engine.hdf5 import holds_objects, read_weights

        if holds_objects(path):
            _load_objects(model, path, path, by_name or skip)
            return None
        found = read_weights(path)
    elif zipfile.is_zipfile(path):
        from graphc.keras.engine.keras_archive import read_archive

        _load_objects(model, path, read_archive(path)[1], by_name or skip)
        return None
    else:
        found = _read_weights(path)
    assign(model, found, by_name, skip, str(path))
    return None


def _load_objects(model: Any, path: Path, source: Any, choosing: bool) -> None:
    from graphc.keras.engine.keras_archive import load_arrays

    if choosing:
        raise NotImplementedError(
            f"{path} keeps weights by the paths of objects: by_name and skip_mismatch need a file "
            "of Keras 2's layout"
        )
    load_arrays(model, source, str(path))


def _load_checkpoint(model: Any, prefix: Path, choosing: bool) -> Any:
    from graphc.keras.engine.checkpoint_weights import read_checkpoint_weights

    if choosing:
        raise NotImplementedError(
            "Weights may only be loaded based on topology into Models when loading "
            "TensorFlow-formatted weights (got by_name=True or skip_mismatch=True)."
        )
    return read_checkpoint_weights(model, prefix)


def _signature(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


# ------------------------------------------------------------------ whole models
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
    hdf5 = _is_hdf5(path, save_format)
    _may_write(path, overwrite, folder=not hdf5)
    try:
        config = model._model_config()
    except NotImplementedError as err:
        raise NotImplementedError(
            f"Model {model.name} has no configuration ({err or 'a subclassed model'}): use "
            "save_weights, and build the model in Python before load_weights."
        ) from None
    if hdf5:
        from graphc.keras.engine.hdf5 import write_model

        write_model(model, config, path, include_optimizer)
        return
    _write_folder(model, config, path, include_optimizer)


def _write_folder(model: Any, config: Any, path: Path, include_optimizer: bool) -> None:
    """Leaves what was there, and nothing else, where it cannot be written (a full disk)."""
    path.mkdir(parents=True, exist_ok=True)
    tag = secrets.token_hex(4)
    names = {"weights": f"weights-{tag}.safetensors"}
    try:
        _write_weights(model, path / names["weights"])
        training = training_config(model) if include_optimizer else None
        state = [] if training is None else optimizer_state(model)
        if state:
            names["optimizer"] = f"optimizer-{tag}.safetensors"
            table = {f"{k}/{name}": np.asarray(a) for k, (name, a) in enumerate(state)}
            save_safetensors(path / names["optimizer"], table, {})
        document = {**config, "training_config": training, "files": names}
        with atomic_file(path / _MODEL) as file:
            file.write(json.dumps(document, default=jsonable, indent=1).encode())
    except BaseException:
        for name in names.values():
            (path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.rmdir()  # only where it is empty: made for this
        raise
    _drop_old(path, set(names.values()))


def _drop_old(path: Path, keep: set[str]) -> None:
    for pattern in ("weights-*.safetensors", "optimizer-*.safetensors"):
        for old in path.glob(pattern):
            if old.name not in keep:
                with contextlib.suppress(OSError):
                    old.unlink()


def _document(path: Path) -> dict[str, Any]:
    file = path / _MODEL
    if not file.exists() and (path / "saved_model.pb").exists():
        raise OSError(
            f"{path} holds TensorFlow's SavedModel, which is a graph and no model of layers: "
            "tf.saved_model.load runs it in a Session. Save the model as HDF5 or .keras there, or "
            "load its weights"
        )
    if not file.exists():
        raise OSError(f"{path} holds no saved model: there is no {_MODEL}")
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as err:
        raise OSError(f"{file} is damaged: {err}") from None


def _named_file(path: Path, document: dict[str, Any], what: str) -> Path:
    """A file beside model.json that it names."""
    try:
        return path / Path(document["files"][what]).name
    except (KeyError, TypeError):
        raise OSError(f"{path / _MODEL} is damaged: it names no file of {what}") from None


def _folder_weights(path: Path, document: dict[str, Any]) -> Found:
    return _read_weights(_named_file(path, document, "weights"))


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
            found = _folder_weights(path, document)
            state = None
            if "optimizer" in document["files"]:
                arrays, _ = _read(_named_file(path, document, "optimizer"))
                listed = [(*key.partition("/")[::2], a) for key, a in arrays.items()]
                state = [(name, a) for _, name, a in sorted(listed, key=lambda x: int(x[0]))]
            training = document.get("training_config")
        elif _signature(path):
            from graphc.keras.engine.hdf5 import read_model

            document, found, training, state = read_model(path)
        elif zipfile.is_zipfile(path):
            return _from_archive(path, compile)
        else:
            raise OSError(
                f"{path} is no saved model: neither HDF5 nor a folder. A file of weights is read "
                "by model.load_weights."
            )
        return rebuild(document, found, training if compile else None, state, str(path))


def _from_archive(path: Path, compiled: bool) -> Any:
    """The model of a .keras archive."""
    from graphc.keras.engine.keras_archive import load_arrays, read_archive
    from graphc.keras.models import model_from_config

    document, weights = read_archive(path)
    if not isinstance(document, dict) or "class_name" not in document:
        raise OSError(f"{path} is damaged: its configuration describes no model")
    model = model_from_config(plain_config(
        {"class_name": document["class_name"], "config": document["config"]}
    ))  # fmt: skip
    state = load_arrays(model, weights, str(path))
    training = document.get("compile_config")
    if compiled and training and training.get("optimizer") is not None:
        compile_from(model, plain_config(training), None)
        restore_listed(model, state)
    return model


def rebuild(
    document: dict[str, Any], found: Found, training: Any, state: Any, where: str
) -> Any:
    """The model of a configuration, with weights, compiled where there is a training config."""
    from graphc.keras.models import model_from_config

    model = model_from_config(plain_config(
        {"class_name": document["class_name"], "config": document["config"]}
    ))  # fmt: skip
    if found.layers:
        assign(model, found, False, False, where)
    if training is not None:
        compile_from(model, plain_config(training), state)
    return model
