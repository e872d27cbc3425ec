"""Weights of a folder: safetensors files, also in shards, or a TensorFlow checkpoint.

Lives here: read_weights, write_weights, random values. Not here: the parameters' names
(parameters.py), the file formats, which are imported.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import DataLossError, NotFoundError, UnimplementedError
from graphc.interop.checkpoint import CheckpointReader
from graphc.interop.safetensors import load_safetensors, save_safetensors
from graphc.models.config import read_json, write_json
from graphc.models.parameters import Parameter

__all__ = ["random_weights", "read_weights", "write_weights"]

Array = np.ndarray[Any, Any]
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack")
BODIES = ("bert.", "transformer.")
UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def random_weights(
    parameters: Iterable[Parameter], deviation: float, seed: int | None
) -> dict[str, Array]:
    """New float32 values: normal ones, zeros for biases, ones for norms."""
    rng = np.random.default_rng(seed)
    out: dict[str, Array] = {}
    for p in parameters:
        if p.start == "normal":
            out[p.name] = rng.standard_normal(p.shape, np.float32) * np.float32(deviation)
        else:
            out[p.name] = np.full(p.shape, float(p.start == "ones"), np.float32)
    return out


# ------------------------------------------------------------------ reading
def read_weights(
    source: Path, parameters: Sequence[Parameter], fresh: Callable[[Parameter], Array]
) -> dict[str, Array]:
    """Values by the parameters' names; what the files lack is made by `fresh`, with a warning.

    Args:
        source: a folder, or the prefix of a TensorFlow checkpoint.

    Raises:
        NotFoundError: no weights. UnimplementedError: weights in a pickled form only.
        DataLossError: damaged files, or files of another model.
        ValueError: a tensor of another shape.
    """
    find = _finder(source)
    out: dict[str, Array] = {}
    missing = []
    for p in parameters:
        value = find(p)
        if value is None:
            missing.append(p)
            value = fresh(p)
        elif value.shape != p.shape:
            raise ValueError(
                f"{source}: {p.stored} has shape {list(value.shape)}, the configuration says "
                f"{list(p.shape)} ({p.name})"
            )
        out[p.name] = value.astype(np.float32, copy=False)
    if len(missing) == len(out):
        raise DataLossError(f"{source} has none of the model's weights: is it another model?")
    if missing:
        names = ", ".join(p.name for p in missing)
        warnings.warn(
            f"{source} does not have {names}: made anew, train them before use", stacklevel=4
        )
    return out


def _finder(source: Path) -> Callable[[Parameter], Array | None]:
    if not source.is_dir():
        return _checkpoint(source)
    if (source / SINGLE).is_file():
        return _by_name(load_safetensors(source / SINGLE))
    if (source / INDEX).is_file():
        return _by_name(_shards(source))
    prefixes = sorted(source.glob("*.ckpt*.index"))
    if len(prefixes) == 1:
        return _checkpoint(prefixes[0].with_name(prefixes[0].name.removesuffix(".index")))
    if prefixes:
        names = ", ".join(p.name.removesuffix(".index") for p in prefixes)
        raise NotFoundError(f"{source} has several checkpoints: name one of {names}")
    found = [name for name in PICKLED if (source / name).is_file()]
    if found:
        raise UnimplementedError(
            f"{source} has its weights as {found[0]} only, which is not read: such files can run "
            "code. Save the model as safetensors where it comes from"
        )
    raise NotFoundError(f"{source} has no {SINGLE}, {INDEX} or TensorFlow checkpoint")


def _shards(folder: Path) -> dict[str, Array]:
    index = read_json(folder / INDEX)
    table = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
        raise DataLossError(f"{folder / INDEX} has no table weight_map of file names")
    out: dict[str, Array] = {}
    for name in sorted(set(table.values())):
        if Path(name).name != name or name in ("", ".", ".."):
            raise DataLossError(f"{folder / INDEX} names {name!r}, which is no file beside it")
        out.update(load_safetensors(folder / name))
    lost = sorted(set(table) - set(out))
    if lost:
        raise DataLossError(f"{folder}: {lost[0]} is in no shard, though {INDEX} lists it")
    return out


def _by_name(tensors: Mapping[str, Array]) -> Callable[[Parameter], Array | None]:
    def find(p: Parameter) -> Array | None:
        for name in (p.stored, *p.others):
            # the body alone is saved without the word in front
            for word in ("", *BODIES):
                if not name.startswith(word):
                    continue
                value = tensors.get(name.removeprefix(word))
                if value is not None:
                    return value.T if p.turned else value
        return None

    return find


def _checkpoint(prefix: Path) -> Callable[[Parameter], Array | None]:
    if not Path(f"{prefix}.index").is_file():
        raise NotFoundError(f"{prefix} is no folder and no TensorFlow checkpoint")
    reader = CheckpointReader(prefix)

    def find(p: Parameter) -> Array | None:
        if not reader.has_tensor(p.name):
            return None
        value = reader.array(p.name)
        # OpenAI's products were convolutions of width 1: [1, inner, outer]
        if value.ndim == len(p.shape) + 1 and value.shape[0] == 1:
            value = value[0]
        return value

    return find


# ------------------------------------------------------------------ writing
def write_weights(
    folder: Path, parameters: Sequence[Parameter], values: Mapping[str, Array], limit: int | str
) -> None:
    """One safetensors file, or shards of at most `limit` bytes with their index.

    Raises:
        ValueError: a limit that is no size.
    """
    stored = {p.stored: values[p.name].T if p.turned else values[p.name] for p in parameters}
    shards = _split(stored, _bytes(limit))
    notes = {"format": "pt"}
    if len(shards) == 1:
        save_safetensors(folder / SINGLE, stored, notes)
        (folder / INDEX).unlink(missing_ok=True)
        return
    table = {}
    for k, names in enumerate(shards, 1):
        file = f"model-{k:05d}-of-{len(shards):05d}.safetensors"
        save_safetensors(folder / file, {n: stored[n] for n in names}, notes)
        table.update(dict.fromkeys(names, file))
    total = sum(v.nbytes for v in stored.values())
    write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": table})
    (folder / SINGLE).unlink(missing_ok=True)


def _split(stored: Mapping[str, Array], limit: int) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    room = limit
    for name, value in stored.items():
        if shards[-1] and value.nbytes > room:
            shards.append([])
            room = limit
        shards[-1].append(name)
        room -= value.nbytes
    return shards


def _bytes(limit: int | str) -> int:
    if isinstance(limit, int) and limit > 0:
        return limit
    text = str(limit).strip().upper()
    for unit, size in sorted(UNITS.items(), key=lambda u: -len(u[0])):
        number = text.removesuffix(unit).strip()
        if text.endswith(unit) and number.replace(".", "", 1).isdigit():
            return max(1, int(float(number) * size))
    raise ValueError(f"a size is a number of bytes or a text such as '5GB', got {limit!r}")
