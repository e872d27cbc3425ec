"""Where elements come from: tensors, ranges, Python generators, names of files.

Lives here: sources without parents. Not here: readers of files (readers.py), the user's methods
(dataset.py).
"""

from __future__ import annotations

import glob
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc.data.source import Array, Element, Env, Source, object_scalar
from graphc.data.structure import (
    flatten,
    flatten_like,
    is_sparse,
    leaves_of,
    map_leaves,
    spec_of,
    tensors_of,
    types_of,
)
from graphc.data.transforms import SCALAR64, scalar, tensors_in
from graphc.errors import InvalidArgumentError, OpError, UnknownError
from graphc.ir.dtypes import string
from graphc.ir.node import Tensor, TensorType
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor, to_array


def from_tensors(tensors: Any) -> Source:
    """One element: these tensors."""
    structure = tensors_of(tensors)
    flat = tuple(flatten(structure))

    def run(env: Env) -> Iterator[Element]:
        return iter([tuple(env.array(t) for t in flat)])

    return Source(spec_of(structure), run, (), _unknown(flat))


def _unknown(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return tuple(t for t in tensors if t.node.op.name != "const")


def from_tensor_slices(tensors: Any) -> Source:
    """The rows of the tensors, which have as many each.

    Raises:
        ValueError: a scalar, or static numbers of rows that differ.
    """
    structure = tensors_of(tensors)
    if any(is_sparse(leaf) for leaf in leaves_of(structure)):
        raise TypeError("rows of sparse tensors are not supported; use Dataset.from_tensors")
    flat = tuple(flatten(structure))
    rows: int | None = None
    for tensor in flat:
        if tensor.rank == 0:
            raise ValueError("Unbatching a tensor is only supported for rank >= 1")
        count = tensor.dims[0] if tensor.dims is not None else None
        if isinstance(count, int):
            if rows is not None and rows != count:
                raise ValueError(f"Dimensions {rows} and {count} are not compatible")
            rows = count
    spec = map_leaves(
        lambda t: TensorType(t.dtype, None if t.dims is None else t.dims[1:]), structure
    )

    def arrays(env: Env) -> list[Array]:
        values = [env.array(t) for t in flat]
        if len({len(v) for v in values}) > 1:
            raise InvalidArgumentError("All components must have the same number of slices.")
        return values

    def run(env: Env) -> Iterator[Element]:
        values = arrays(env)
        if len(values) == 1:
            (only,) = values
            return ((only[k, ...],) for k in range(len(only)))
        return (tuple([v[k, ...] for v in values]) for k in range(len(values[0])))

    return Source(spec, run, (), _unknown(flat), arrays)


def from_range(*args: Any) -> Source:
    """int64 numbers as Python's range gives them."""
    if not 1 <= len(args) <= 3:
        raise ValueError(f"Invalid `args`. Received {len(args)} arguments; 1 to 3 are expected.")
    bounds = [scalar(a, "range") for a in args]

    def run(env: Env) -> Iterator[Element]:
        numbers = range(*[env.integer(b) for b in bounds])
        return ((np.array(k, np.int64),) for k in numbers)

    if len(bounds) == 3 and bounds[2] == 0:
        raise InvalidArgumentError("step cannot be 0")
    return Source(SCALAR64, run, (), tensors_in(*bounds))


# ------------------------------------------------------------------ Python generators
def from_generator(generator: Callable[..., Any], spec: Any, args: Any) -> Source:
    """What the iterator of generator(*args) yields, checked against the spec.

    Raises:
        TypeError: `generator` is not callable.
    """
    if not callable(generator):
        raise TypeError("`generator` must be a Python callable.")
    given = tuple(convert_to_tensor(a, name=f"args_{k}") for k, a in enumerate(args or ()))
    leaves = flatten(spec)

    def run(env: Env) -> Iterator[Element]:
        values = [env.array(t) for t in given]
        return _guarded(lambda: generator(*[v if v.ndim else v[()] for v in values]), spec, leaves)

    return Source(spec, run, (), _unknown(given))


def _guarded(
    start: Callable[[], Any], spec: Any, leaves: list[TensorType]
) -> Iterator[Element]:
    """Errors of the user's code as the runtime's, with the class and the text."""
    try:
        items = iter(start())
    except Exception as err:
        raise _as_op_error(err) from err
    while True:
        try:
            item = next(items)
            element = _converted(item, spec, leaves)
        except StopIteration:
            return
        except Exception as err:
            raise _as_op_error(err) from err
        yield element


def _as_op_error(err: Exception) -> OpError:
    if isinstance(err, OpError):
        return err
    kind = InvalidArgumentError if isinstance(err, ValueError | TypeError) else UnknownError
    return kind(f"{type(err).__name__}: {err}")


def _converted(item: Any, spec: Any, leaves: list[TensorType]) -> Element:
    try:
        parts = flatten_like(spec, item)
        arrays = [_as_array(p, t) for p, t in zip(parts, leaves, strict=True)]
    except (TypeError, ValueError, OverflowError) as err:
        raise TypeError(
            "`generator` yielded an element that did not match the expected structure. The "
            f"expected structure was {types_of(spec)}, but the yielded element was {item!r}."
        ) from err
    for array, kind in zip(arrays, leaves, strict=True):
        if not TensorShape(kind.shape).is_compatible_with(TensorShape(array.shape)):
            raise TypeError(
                f"`generator` yielded an element of shape {array.shape} where an element of "
                f"shape {TensorShape(kind.shape)} was expected."
            )
    return tuple(arrays)


def _as_array(value: Any, kind: TensorType) -> Array:
    if kind.dtype is string:
        return to_array(value, kind.dtype)
    array = np.asarray(value)
    if array.dtype.kind in "OSU" or not np.can_cast(array.dtype, kind.dtype.np, "same_kind"):
        exact = array.dtype.kind in "iub" and kind.dtype.np.kind in "iuf"
        if not exact or array.dtype.kind == "O":
            raise TypeError(f"{array.dtype} cannot become {kind.dtype.name}")
    # the user may write into what was yielded
    return np.array(array, kind.dtype.np)


# ------------------------------------------------------------------ names of files
def from_files(pattern: Any, shuffle: bool, seeds: tuple[int, int]) -> Source:
    """Names of files that match glob patterns, sorted or shuffled."""
    tensor = convert_to_tensor(pattern, string, name="file_pattern")
    key = object()

    def run(env: Env) -> Iterator[Element]:
        patterns = [p.decode() for p in env.array(tensor).reshape(-1).tolist()]
        names = sorted(name for p in patterns for name in glob.glob(p))  # noqa: PTH207  patterns may be absolute
        if not names:
            raise InvalidArgumentError(f"No files matched pattern: {', '.join(patterns)}")
        if shuffle:
            first, second = env.seed(key, seeds)
            random.Random(f"{first},{second},{env.count(key)}").shuffle(names)
        return ((object_scalar(name.encode()),) for name in names)

    return Source(TensorType(string, ()), run, (), _unknown((tensor,)))
