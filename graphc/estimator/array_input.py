"""Input functions from NumPy arrays and pandas data frames.

Lives here: numpy_input_fn, pandas_input_fn. Imports data; pandas objects are only read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from graphc.data.dataset import Dataset
from graphc.ir.dtypes import as_dtype, string
from graphc.tf1.api_random import get_seed

__all__ = ["numpy_input_fn", "pandas_input_fn"]

Array = np.ndarray[Any, Any]
_NO_SHUFFLE = (
    "shuffle must be provided and explicitly set as boolean (it is recommended to set it as True "
    "for training); got {}"
)


def numpy_input_fn(
    x: Any,
    y: Any = None,
    batch_size: int = 128,
    num_epochs: int | None = 1,
    shuffle: bool | None = None,
    queue_capacity: int = 1000,
    num_threads: int = 1,
) -> Callable[[], Any]:
    """A function that gives batches of arrays as tensors (tf.estimator.inputs.numpy_input_fn).

    Args:
        x: an array, or a dict of arrays by feature. y: labels: an array, a dict of them, or None.
        batch_size: rows; a batch goes over the end of an epoch, only the last one is shorter.
        num_epochs: None for ever. shuffle: True or False, which must be said.
        queue_capacity, num_threads: accepted; batches are taken from the arrays directly.

    Returns:
        a function of no arguments: (features, labels), or features where y is None.

    Raises:
        ValueError: shuffle is not given, lengths differ, nothing in x. TypeError: another x.
    """
    if not isinstance(shuffle, bool):
        raise ValueError(_NO_SHUFFLE.format(shuffle))
    if isinstance(x, Mapping):
        if not x:
            raise ValueError("x cannot be an empty dict")
    elif not isinstance(x, np.ndarray):
        raise TypeError(f"x must be a dict or array; got {type(x).__name__}")
    if isinstance(y, Mapping) and not y:
        raise ValueError("y cannot be empty dict, use None instead.")
    if isinstance(x, Mapping) and isinstance(y, Mapping):
        both = sorted(set(x) & set(y))
        if both:
            raise ValueError(
                f"{len(both)} duplicate keys are found in both x and y: {set(both)}"
            )
    features = _arrays(x)
    labels = None if y is None else _arrays(y)
    _check_lengths(features, labels)

    def input_fn() -> Any:
        return _batches(features, labels, batch_size, num_epochs, shuffle)

    return input_fn


def _arrays(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _usable(value[key]) for key in sorted(value)}
    return _usable(value)


def _usable(value: Any) -> Array:
    """The array; NumPy's strings as the bytes that a string tensor holds."""
    array = np.asarray(value)
    if array.dtype.kind not in "USO":
        return array
    out = np.empty(array.shape, object)
    for at, item in np.ndenumerate(array):
        out[at] = item if isinstance(item, bytes) else str(item).encode()
    return out


def _leaves(value: Any) -> list[Array]:
    if value is None:
        return []
    return list(value.values()) if isinstance(value, Mapping) else [value]


def _check_lengths(features: Any, labels: Any) -> None:
    arrays = [*_leaves(features), *_leaves(labels)]
    if len({len(a) for a in arrays}) > 1:
        mine = {k: v.shape for k, v in _named(features).items()}
        theirs = {k: v.shape for k, v in _named(labels).items()}
        raise ValueError(
            "Length of tensors in x and y is mismatched. All elements in x and y must have the "
            f"same length.\nShapes in x: {mine}\nShapes for y: {theirs}\n"
        )


def _named(value: Any) -> dict[str, Array]:
    if value is None:
        return {}
    return dict(value) if isinstance(value, Mapping) else {"": value}


def _places(
    count: int, batch: int, epochs: int | None, rng: np.random.Generator | None
) -> Iterator[Array]:
    """The rows of each batch; batches go over the ends of epochs."""
    rest = np.empty(0, np.int64)
    done = 0
    while epochs is None or done < epochs:
        order = np.arange(count) if rng is None else rng.permutation(count)
        rest = np.concatenate([rest, order])
        done += 1
        while len(rest) >= batch:
            yield rest[:batch]
            rest = rest[batch:]
    if len(rest):
        yield rest


def _batches(
    features: Any, labels: Any, batch: int, epochs: int | None, shuffle: bool
) -> Any:
    seeds = get_seed(None)
    count = len(_leaves(features)[0])

    def rows() -> Iterator[Any]:
        # the graph's seed decides the order, as it does for other random ops
        chosen = [s for s in seeds if s is not None]
        rng = np.random.default_rng(chosen or None) if shuffle else None
        if not count:
            return
        for places in _places(count, batch, epochs, rng):
            got = _at(features, places)
            yield got if labels is None else (got, _at(labels, places))

    types, shapes = _spec(features), _shapes(features)
    if labels is not None:
        types, shapes = (types, _spec(labels)), (shapes, _shapes(labels))
    dataset = Dataset.from_generator(rows, types, shapes)
    return dataset.make_one_shot_iterator().get_next()


def _at(value: Any, places: Array) -> Any:
    if isinstance(value, Mapping):
        return {key: array[places] for key, array in value.items()}
    return value[places]


def _spec(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _dtype(array) for key, array in value.items()}
    return _dtype(value)


def _dtype(array: Array) -> Any:
    return string if array.dtype == object else as_dtype(array.dtype)


def _shapes(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: [None, *array.shape[1:]] for key, array in value.items()}
    return [None, *value.shape[1:]]


def pandas_input_fn(
    x: Any,
    y: Any = None,
    batch_size: int = 128,
    num_epochs: int | None = 1,
    shuffle: bool | None = None,
    queue_capacity: int = 1000,
    num_threads: int = 1,
    target_column: str = "target",
) -> Callable[[], Any]:
    """A function that gives batches of a data frame's columns as tensors.

    Args:
        x: a DataFrame: each column is a feature. y: a Series or DataFrame of labels, or None.
        Others as numpy_input_fn.

    Raises:
        ValueError: shuffle is not given, x and y have other indices. TypeError: x is no DataFrame.
    """
    if not hasattr(x, "columns"):
        raise TypeError(f"x must be a pd.DataFrame; got {type(x).__name__}")
    if not isinstance(shuffle, bool):
        raise ValueError(_NO_SHUFFLE.format(shuffle))
    features = {str(name): np.asarray(x[name]) for name in x.columns}
    if y is not None and not np.array_equal(np.asarray(x.index), np.asarray(y.index)):
        raise ValueError(f"Index for x and y are mismatched.\nIndex for x: {x.index}\n"
                         f"Index for y: {y.index}\n")  # fmt: skip
    labels: Any = None
    if y is not None:
        several = hasattr(y, "columns")
        labels = {str(n): np.asarray(y[n]) for n in y.columns} if several else np.asarray(y)
    if isinstance(labels, dict):
        features, labels = _arrays(features), _arrays(labels)
    return numpy_input_fn(
        features, labels, batch_size, num_epochs, shuffle, queue_capacity, num_threads
    )
