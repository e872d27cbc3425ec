"""Weights by layer: which a model has, and what a file's arrays mean for them.

Lives here: weighted_layers, assign, and the layouts of older versions and of NVIDIA's layers. Not
here: the files (engine/saving.py, engine/hdf5.py). Imports keras.core.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.keras.core.session import batch_set_value

__all__ = [
    "OWN", "Found", "assign", "converted", "fitted", "for_keras", "from_keras", "own_weights",
    "weighted_layers",
]  # fmt: skip

Array = np.ndarray[Any, Any]
OWN = "top_level_model_weights"  # the name under which a model's own weights are kept


# (layer, its class, its arrays) -> arrays
Change = Callable[[Any, str, list[Array]], list[Array]]
_GATES = {"LSTM": 4, "CuDNNLSTM": 4, "GRU": 3, "CuDNNGRU": 3}


class Found(NamedTuple):
    """What a file holds: (layer, arrays) in order; how the arrays must be changed."""

    layers: list[tuple[str, list[Array]]]
    change: Change | None = None


class _Own(NamedTuple):
    """A model's own weights, in the place of a layer."""

    name: str
    weights: list[Any]


def file_weights(layer: Any) -> list[Any]:
    """A layer's weights as files order them: a model's trained ones come first, as in Keras 2."""
    if isinstance(layer, _Own):
        return layer.weights
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def own_weights(model: Any) -> list[Any]:
    """The weights that belong to the model itself and to none of its layers."""
    below = {id(w) for layer in model.layers for w in layer.weights}
    return [w for w in model.weights if id(w) not in below]


def weighted_layers(model: Any) -> list[Any]:
    """The layers that have weights; the model's own ones at the end.

    Raises:
        ValueError: the model is not built.
    """
    if not model.built:
        raise ValueError(
            f"Unable to save or load weights of model {model.name}: it has not been built. Call it "
            "on data, or give its first layer an input_shape."
        )
    found = [layer for layer in model.layers if layer.weights]
    own = own_weights(model)
    return [*found, _Own(OWN, own)] if own else found


def assign(model: Any, found: Found, by_name: bool, skip: bool, where: str) -> None:
    """Sets the weights of layers, in order or by name; all of them or none.

    Raises:
        ValueError: another number of layers, or weights of another number or shape.
    """
    layers = weighted_layers(model)
    listed = [(n, a) for n, a in found.layers if a]
    if by_name:
        table = dict(listed)
        pairs = [(layer, table[layer.name]) for layer in layers if layer.name in table]
    else:
        if len(listed) != len(layers):
            raise ValueError(
                f"You are trying to load a weight file containing {len(listed)} layers into a "
                f"model with {len(layers)} layers. ({where}{_lacking(layers, listed)})"
            )
        pairs = [(layer, a) for layer, (_, a) in zip(layers, listed)]
    values: list[tuple[Any, Any]] = []
    for layer, given in pairs:
        arrays = given if found.change is None else converted(layer, given, found.change)
        problem = _mismatch(layer, arrays)
        if problem is None:
            values += zip(file_weights(layer), arrays)
        elif skip:
            warnings.warn(f"Skipping loading of weights: {problem}", stacklevel=4)
        else:
            raise ValueError(f"{problem} ({where})")
    batch_set_value(values)


def _lacking(layers: list[Any], listed: list[tuple[str, Any]]) -> str:
    """Names that are on one side only, for an error."""
    ours, theirs = [layer.name for layer in layers], [n for n, _ in listed]
    parts = []
    for what, names, others in (("the file lacks", ours, theirs), ("it also has", theirs, ours)):
        only = [n for n in names if n not in others]
        if only:
            parts.append(f"; {what} {', '.join(only[:5])}")
    return "".join(parts)


def _mismatch(layer: Any, arrays: list[Any]) -> str | None:
    name, weights = layer.name, file_weights(layer)
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


def fitted(variable: Any, array: Array, where: str) -> Array:
    """The array, which a file holds for the variable.

    Raises:
        ValueError: another shape.
    """
    wanted = tuple(variable.shape.as_list())
    if array.shape != wanted:
        raise ValueError(
            f"weight {variable.name} has shape {wanted}, but the file has shape {array.shape} "
            f"({where})"
        )
    return array


# ------------------------------------------------------------------ other layouts
def converted(layer: Any, arrays: Sequence[Array], change: Change) -> list[Array]:
    """The arrays of a layer, those of the layers inside of wrappers and models too, changed."""
    kind = type(layer).__name__
    arrays = list(arrays)
    if kind == "Bidirectional":
        half = len(arrays) // 2
        halves = ((layer.forward_layer, arrays[:half]), (layer.backward_layer, arrays[half:]))
        return [a for inner, part in halves for a in converted(inner, part, change)]
    if kind == "TimeDistributed":
        return converted(layer.layer, arrays, change)
    if getattr(layer, "_is_graph_network", False):
        return _converted_model(layer, arrays, change)
    return change(layer, kind, arrays)


def _converted_model(model: Any, arrays: list[Array], change: Change) -> list[Array]:
    """A model's arrays are those that are trained, layer by layer, then the others."""
    count = len(model.trainable_weights)
    queues = [list(arrays[:count]), list(arrays[count:])]
    out: list[list[Array]] = [[], []]
    for layer in model.layers:
        parts = (len(layer.trainable_weights), len(layer.non_trainable_weights))
        taken = [queue[:n] for queue, n in zip(queues, parts)]
        queues = [queue[n:] for queue, n in zip(queues, parts)]
        made = converted(layer, [*taken[0], *taken[1]], change)
        if len(made) != sum(parts):
            return arrays  # another number of weights: the comparison of shapes tells
        out[0] += made[: parts[0]]
        out[1] += made[parts[0] :]
    return [*out[0], *queues[0], *out[1], *queues[1]]


def for_keras(layer: Any, kind: str, arrays: list[Array]) -> list[Array]:
    """Arrays as Keras writes them: kernels of NVIDIA's layers are turned, gate by gate."""
    if not kind.startswith("CuDNN"):
        return arrays
    kernel, recurrent, bias = arrays
    gates = _GATES[kind]
    kernel = np.hstack([k.T.reshape(k.shape) for k in np.hsplit(kernel, gates)])
    return [kernel, np.hstack([k.T for k in np.hsplit(recurrent, gates)]), bias]


def from_keras(version: str) -> Change:
    """Arrays of files of this version of Keras as ours are."""

    def change(layer: Any, kind: str, arrays: list[Array]) -> list[Array]:
        if version.startswith("1"):
            arrays = _from_keras_1(layer, kind, arrays)
        return _from_nvidia(layer, kind, arrays) if kind in _GATES else arrays

    return change


def _from_keras_1(layer: Any, kind: str, arrays: list[Array]) -> list[Array]:
    """Keras 1 kept a kernel for each gate, and those of convolutions the other way round."""
    if kind == "LSTM" and len(arrays) == 12:  # i, c, f, o
        return [np.concatenate([arrays[k + n] for k in (0, 6, 3, 9)], -1) for n in range(3)]
    if kind == "GRU" and len(arrays) == 9:
        return [np.concatenate(arrays[n::3], axis=-1) for n in range(3)]
    if not arrays or not layer.weights:
        return arrays
    wanted, first = tuple(layer.weights[0].shape.as_list()), arrays[0]
    if kind == "Conv1D" and first.ndim == 4:
        if first.shape[1] != 1:  # [filters, inputs, length, 1]
            first = first.transpose(2, 3, 1, 0)
        return [first[:, 0], *arrays[1:]]
    if kind == "Conv2DTranspose" and first.ndim == 4:  # [rows, columns, inputs, filters]
        return [first.transpose(0, 1, 3, 2), *arrays[1:]]
    turn = {"Conv2D": (2, 3, 1, 0), "Conv3D": (2, 3, 4, 1, 0)}.get(kind)
    if turn is not None and first.ndim == len(turn) and first.shape != wanted:
        return [first.transpose(turn), *arrays[1:]]
    return arrays


def _from_nvidia(layer: Any, kind: str, arrays: list[Array]) -> list[Array]:
    """NVIDIA's layers have two biases in one vector, and their kernels are turned."""
    if len(arrays) != 3 or arrays[1].ndim != 2:
        return arrays
    kernel, recurrent, bias = arrays
    gates, units = _GATES[kind], recurrent.shape[0]
    if bias.shape == (2 * gates * units,):
        kernel = np.hstack([k.T.reshape(k.shape, order="F") for k in np.hsplit(kernel, gates)])
        recurrent = np.hstack([k.T for k in np.hsplit(recurrent, gates)])
        if kind == "LSTM":
            bias = bias.reshape(2, -1).sum(axis=0)
        elif kind == "GRU":
            bias = bias.reshape(2, -1)
    elif kind == "CuDNNLSTM" and bias.shape == (gates * units,):
        bias = np.tile(np.float32(0.5) * bias, 2)
    elif kind == "CuDNNGRU" and bias.shape == (2, gates * units):
        bias = bias.reshape(-1)
    return [kernel, recurrent, bias]
