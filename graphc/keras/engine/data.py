"""What users hand to fit and its kin, as lists of arrays that fit a model's inputs.

Lives here: standardize, check_lengths, class weights, splits, index arrays. Not here: loops.
Imports NumPy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import as_dtype
from graphc.ir.faults import called_at

__all__ = [
    "as_array", "batch_slices", "check_classes", "check_lengths", "class_weights_of", "length_of",
    "sample_weights", "split_off", "standardize", "take",
]  # fmt: skip

Array = np.ndarray[Any, Any]
CAST_LIMIT = 1 << 30  # larger arrays keep their dtype and are converted batch by batch


def as_array(value: Any) -> Any:
    """The value as an array, or what answers as one: a file's, a sparse matrix."""
    if value is None or isinstance(value, np.ndarray):
        return value
    if hasattr(value, "to_numpy"):  # pandas
        return value.to_numpy()
    if hasattr(value, "values") and not callable(value.values):
        return np.asarray(value.values)
    if hasattr(value, "shape") and hasattr(value, "__getitem__"):  # h5py, memory maps
        return value.tocsr() if hasattr(value, "tocsr") else value
    return np.asarray(value)


def _listed(data: Any, names: Sequence[str], prefix: str) -> list[Any]:
    """The data as one entry a name."""
    if data is None:
        return [None] * len(names)
    if isinstance(data, dict):
        missing = [n for n in names if n not in data]
        if missing:
            raise ValueError(
                f'No data provided for "{missing[0]}". Need data for each key in: {list(names)}'
            )
        return [_given(data[n], n, prefix) for n in names]
    if isinstance(data, list | tuple):
        arrays = isinstance(data, tuple) or len(names) > 1 or (
            len(data) == 1
            and (data[0] is None or (hasattr(data[0], "shape") and np.ndim(data[0]) > 0))
        )  # fmt: skip
        numbers = all(v is not None and np.isscalar(v) for v in data)
        if arrays and len(data) == len(names) and not numbers:
            return [_given(v, n, prefix) for v, n in zip(data, names)]
        if len(names) > 1 or (data and hasattr(data[0], "shape") and np.ndim(data[0]) > 1):
            raise ValueError(
                f"Error when checking model {prefix}: the list of Numpy arrays that you are "
                "passing to your model is not the size the model expected. Expected to see "
                f"{len(names)} array(s), for {list(names)}, but instead got the following list of "
                f"{len(data)} arrays: {str(data)[:200]}..."
            )
    elif len(names) > 1:
        raise ValueError(
            f"Error when checking model {prefix}: you are passing a single array, but the model "
            f"expects {len(names)}: {list(names)}"
        )
    return [_given(data, names[0], prefix)] if names else []


def _given(value: Any, name: str, prefix: str) -> Any:
    """Raises ValueError: rows of different lengths."""
    try:
        return as_array(value)
    except ValueError as err:
        raise ValueError(f"Error when checking {prefix}: {name} takes an array: {err}") from None


def standardize(
    data: Any, names: Sequence[str], tensors: Sequence[Any], prefix: str, whole: bool = True
) -> list[Any]:
    """Arrays of the tensors' dtypes and ranks, in order.

    Args:
        data: an array, a list of them, or a dict by name. tensors: what is fed.
        prefix: "input" or "target", for errors. whole: convert the dtype now.

    Raises:
        ValueError: Keras' texts for a wrong number of arrays or a wrong shape; what is no number.
            They end with the user's line.
    """
    try:
        return _standardized(data, names, tensors, prefix, whole)
    except ValueError as err:
        raise ValueError(f"{err}{called_at()}") from None


def _standardized(
    data: Any, names: Sequence[str], tensors: Sequence[Any], prefix: str, whole: bool
) -> list[Any]:
    out: list[Any] = []
    for name, tensor, value in zip(names, tensors, _listed(data, names, prefix)):
        if value is None:
            raise ValueError(
                f'No data provided for "{name}". Need data for each key in: {list(names)}'
            )
        dims = tensor.dims
        if value.ndim == 1 and (dims is None or len(dims) != 1):
            value = np.expand_dims(np.asarray(value), 1)
        if dims is not None:
            _check_shape(name, tuple(value.shape), tuple(dims), prefix)
        out.append(_numbers(name, value, as_dtype(tensor.dtype).np, prefix, whole))
    return out


def _numbers(name: str, value: Any, want: Any, prefix: str, whole: bool) -> Any:
    """The array in the dtype of the placeholder.

    Raises:
        ValueError: values that are no numbers.
    """
    if value.dtype == want or want.kind == "O":
        return value
    if value.dtype.kind not in "biufO" and (value.dtype.kind, want.kind) != ("c", "c"):
        raise ValueError(
            f"Error when checking {prefix}: {name} takes numbers ({want}), but got an array of "
            f"dtype {value.dtype}"
        )
    if value.dtype.kind == "O":
        return _numbers_of_objects(name, value, want, prefix)
    if not whole or not isinstance(value, np.ndarray) or value.nbytes > CAST_LIMIT:
        return value  # converted batch by batch
    with np.errstate(over="ignore"):
        return value.astype(want)


def _numbers_of_objects(name: str, value: Any, want: Any, prefix: str) -> Any:
    wrong = [v for v in value.flat if v is None or isinstance(v, str | bytes) or np.ndim(v)]
    try:
        if not wrong:
            return value.astype(want)
    except (TypeError, ValueError):
        wrong = list(value.flat)
    raise ValueError(
        f"Error when checking {prefix}: {name} takes numbers ({want}), but got an array of Python "
        f"objects that are none, as {str(wrong[0])[:60]!r}: rows of different lengths, None or "
        "texts?"
    )


def _check_shape(name: str, shape: tuple[int, ...], dims: tuple[Any, ...], prefix: str) -> None:
    where = f"Error when checking {prefix}: expected {name} to have"
    if len(shape) != len(dims):
        raise ValueError(
            f"{where} {len(dims)} dimensions, but got array with shape {shape}"
        )
    for got, want in zip(shape[1:], dims[1:]):
        if isinstance(want, int) and got != want:
            inner = dims[1:]
            raise ValueError(f"{where} shape {inner} but got array with shape {shape[1:]}")


def length_of(arrays: Sequence[Any]) -> int:
    """The number of samples."""
    return next((int(a.shape[0]) for a in arrays if a is not None), 0)


def check_lengths(inputs: Sequence[Any], targets: Sequence[Any], weights: Sequence[Any]) -> None:
    """Raises ValueError where the numbers of samples differ; it ends with the user's line."""
    wrong = _wrong_lengths(inputs, targets, weights)
    if wrong:
        raise ValueError(wrong + called_at())


def _wrong_lengths(
    inputs: Sequence[Any], targets: Sequence[Any], weights: Sequence[Any]
) -> str:
    found = [sorted({int(a.shape[0]) for a in group if a is not None})
             for group in (inputs, targets, weights)]  # fmt: skip
    for what, sizes, group in zip(("input", "target"), found, (inputs, targets)):
        if len(sizes) > 1:
            return (
                f"All {what} arrays (x) should have the same number of samples. Got array shapes: "
                f"{[a.shape for a in group if a is not None]}"
            )
    if found[0] and found[1] and found[0] != found[1]:
        return (
            "Input arrays should have the same number of samples as target arrays. Found "
            f"{found[0][0]} input samples and {found[1][0]} target samples."
        )
    if found[1] and found[2] and found[1] != found[2]:
        return (
            "Sample_weight arrays should have the same number of samples as target arrays. Got "
            f"{found[1][0]} target samples and {found[2][0]} sample weights."
        )
    return ""


def take(arrays: Sequence[Any], index: Any) -> list[Any]:
    """The samples of a slice or an index array."""
    if isinstance(index, slice):
        return [None if a is None else _dense(a[index]) for a in arrays]
    return [None if a is None else _rows(a, index) for a in arrays]


def _dense(array: Any) -> Any:
    return array.toarray() if hasattr(array, "toarray") else array


def _rows(array: Any, index: Array) -> Any:
    if isinstance(array, np.ndarray):
        return array.take(index, 0)
    if hasattr(array, "toarray"):
        return _dense(array[index])
    # files want rising indices, each once
    rising, inverse = np.unique(index, return_inverse=True)
    return np.asarray(array[rising])[inverse]


def batch_slices(size: int, batch_size: int) -> list[tuple[int, int]]:
    return [(k, min(size, k + batch_size)) for k in range(0, size, batch_size)]


def split_off(arrays: Sequence[Any], at: int) -> tuple[list[Any], list[Any]]:
    """The samples before and from `at`."""
    return take(arrays, slice(0, at)), take(arrays, slice(at, None))


def check_classes(name: str, target: Any) -> None:
    """Raises ValueError: NaN among numbers of classes."""
    if isinstance(target, np.ndarray) and target.dtype.kind == "f" and np.isnan(target).any():
        first = np.argwhere(np.isnan(target))[0]
        raise ValueError(
            f"Error when checking target: {name} takes numbers of classes, but got NaN, first for "
            f"sample {first[0]}"
        )


def sample_weights(
    name: str, target: Any, class_weight: Any, weights: Any, temporal: bool
) -> Array:
    """The weights of an output's samples as they are fed; ones where none are given.

    Raises:
        ValueError: weights of time steps where the model was not compiled for them.
    """
    made = class_weights_of(target, class_weight, weights)
    if made is None:
        return np.ones(target.shape[:2] if temporal else target.shape[:1], np.float32)
    made = np.asarray(made, np.float32)
    if not temporal and made.ndim == 2 and made.shape[1] == 1:
        made = made[:, 0]
    if made.ndim != (2 if temporal else 1):
        hint = (
            "temporal sample weights are 2D: (samples, time steps)" if temporal else
            'in order to use timestep-wise sample weights, compile with '
            'sample_weight_mode="temporal"'
        )  # fmt: skip
        raise ValueError(
            f"Found a sample_weight array with shape {made.shape} for output {name!r}: {hint}"
        )
    return made


def class_weights_of(y: Any, class_weight: Any, sample_weight: Any = None) -> Any:
    """One weight a sample: its own times its class's.

    Args:
        class_weight: a dict by class, or a sequence.

    Raises:
        ValueError: a class without a weight, or targets of more than two axes.
    """
    if class_weight is None:
        return None if sample_weight is None else np.asarray(sample_weight)
    if not isinstance(class_weight, dict):
        if isinstance(class_weight, str) or np.ndim(class_weight) != 1:
            raise ValueError(
                f"class_weight must be a dict of the classes' weights, got {class_weight!r}"
            )
        class_weight = dict(enumerate(class_weight))
    if y.ndim > 2:
        raise ValueError("`class_weight` not supported for 3+ dimensional targets.")
    classes = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)
    classes = np.asarray(classes).astype(np.int64)
    table = {int(k): float(v) for k, v in class_weight.items()}
    missing = set(np.unique(classes).tolist()) - set(table)
    if missing:
        raise ValueError(
            "`class_weight` must contain all classes in the data. The classes "
            f"{missing} exist in the data but not in `class_weight`."
        )
    low, high = min(table), max(table)
    values = np.zeros(high - low + 1, np.float32)
    for key, value in table.items():
        values[key - low] = value
    weights = values[classes - low]
    return weights if sample_weight is None else weights * np.asarray(sample_weight)
