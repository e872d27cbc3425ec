"""Functions over the elements of tensors: tf.map_fn, tf.scan, tf.foldl, tf.foldr.

Each is a loop over TensorArrays (tf1/control_flow.py); nothing else lives here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.dtypes import as_dtype, int32
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import nest
from graphc.tf1.control_flow import while_loop
from graphc.tf1.scopes import name_scope
from graphc.tf1.tensor_array import TensorArray

__all__ = ["foldl", "foldr", "map_fn", "scan"]


def _check(fn: Any) -> None:
    if not callable(fn):
        raise TypeError("fn must be callable.")


def _unstacked(elems: Any) -> tuple[list[Tensor], list[TensorArray], Tensor, int | None]:
    """(tensors, arrays of their rows, the number of rows, as far as it is static).

    Raises:
        ValueError: a scalar among the elements, or other numbers of rows.
    """
    tensors = [convert_to_tensor(e, name="elem") for e in nest.flatten(elems)]
    rows: int | None = None
    for tensor in tensors:
        if tensor.rank == 0:
            raise ValueError("elements in elems must be 1+ dimensional Tensors, not scalars")
        first = tensor.dims[0] if tensor.dims else None
        if isinstance(first, int):
            if rows is not None and rows != first:
                raise ValueError(f"Dimensions {rows} and {first} are not compatible")
            rows = first
    count = rows if rows is not None else F.gather(F.shape(tensors[0]), 0, axis=0, batch_dims=0)
    n = convert_to_tensor(count, int32, name="n")
    return tensors, [TensorArray(t.dtype, n).unstack(t) for t in tensors], n, rows


def _set_rows(result: Tensor, rows: int | None) -> Tensor:
    if result.dims is not None:
        result.set_shape(TensorShape((rows, *result.dims[1:])))
    return result


def _packed(structure: Any, values: list[Any]) -> Any:
    return nest.pack_sequence_as(structure, values) if nest.is_nested(structure) else values[0]


def map_fn(
    fn: Callable[[Any], Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
    fn_output_signature: Any = None,
) -> Any:
    """fn of every row of elems, stacked (tf.map_fn).

    Args:
        elems: a tensor [n, ...] or a nested structure of them; fn takes a row of each in that
            structure. dtype: of fn's results, in their structure, where they are not elems'.

    Raises:
        TypeError: fn is not callable. ValueError: scalars in elems; results of other structure.
    """
    _check(fn)
    out_types = dtype if dtype is not None else fn_output_signature
    with name_scope(name, "map", nest.flatten(elems)):
        tensors, arrays, n, rows = _unstacked(elems)
        if out_types is None:
            structure, dtypes = elems, [t.dtype for t in tensors]
        else:
            structure, dtypes = out_types, [as_dtype(d) for d in nest.flatten(out_types)]
        outs = [TensorArray(d, n, infer_shape=infer_shape) for d in dtypes]

        def step(i: Tensor, made: list[TensorArray]) -> tuple[Tensor, list[TensorArray]]:
            values = fn(_packed(elems, [a.read(i) for a in arrays]))
            nest.assert_same_structure(structure, values)
            flat = [
                convert_to_tensor(v, None if isinstance(v, Tensor) else d)
                for v, d in zip(nest.flatten(values), dtypes, strict=True)
            ]
            return F.add(i, 1), [m.write(i, v) for m, v in zip(made, flat, strict=True)]

        _, made = while_loop(
            lambda i, _: F.less(i, n), step, (F.identity(convert_to_tensor(0)), outs),
            parallel_iterations=parallel_iterations or 10, back_prop=back_prop,
            swap_memory=swap_memory, maximum_iterations=n,
        )  # fmt: skip
        return _packed(structure, [_set_rows(m.stack(), rows) for m in made])


def scan(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str | None = None,
) -> Any:
    """All values of a fold: accumulated = fn(accumulated, row), stacked (tf.scan).

    Args:
        initializer: the first accumulated value, in fn's structure; default: the first row.
        reverse: from the last row to the first; results stay in the rows' places.

    Raises:
        TypeError: fn is not callable. ValueError: scalars in elems.
    """
    _check(fn)
    with name_scope(name, "scan", nest.flatten(elems)):
        _, arrays, n, rows = _unstacked(elems)
        last = F.subtract(n, 1)
        first = last if reverse else convert_to_tensor(0)
        if initializer is None:
            structure, start = elems, [a.read(first) for a in arrays]
        else:
            structure = initializer
            start = [convert_to_tensor(v) for v in nest.flatten(initializer)]
        outs = [TensorArray(a.dtype, n, infer_shape=infer_shape) for a in start]
        begin = convert_to_tensor(0 if initializer is not None else 1)
        if initializer is None:
            outs = [o.write(first, a) for o, a in zip(outs, start, strict=True)]

        def step(k: Tensor, held: list[Tensor], made: list[TensorArray]) -> Any:
            i = F.subtract(last, k) if reverse else k
            row = _packed(elems, [a.read(i) for a in arrays])
            values = fn(_packed(structure, held), row)
            nest.assert_same_structure(structure, values)
            flat = _as_dtypes(values, start)
            made = [m.write(i, v) for m, v in zip(made, flat, strict=True)]
            return F.add(k, 1), flat, made

        _, _, made = while_loop(
            lambda k, *_: F.less(k, n), step, (begin, start, outs),
            parallel_iterations=parallel_iterations, back_prop=back_prop,
            swap_memory=swap_memory, maximum_iterations=n,
        )  # fmt: skip
        return _packed(structure, [_set_rows(m.stack(), rows) for m in made])


def _as_dtypes(values: Any, like: list[Tensor]) -> list[Tensor]:
    return [
        convert_to_tensor(v, None if isinstance(v, Tensor) else t.dtype)
        for v, t in zip(nest.flatten(values), like, strict=True)
    ]


def foldl(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """fn(... fn(fn(initializer, row 0), row 1) ..., last row) (tf.foldl).

    Raises:
        TypeError: fn is not callable. ValueError: scalars in elems.
    """
    return _fold(
        fn, elems, initializer, parallel_iterations, back_prop, swap_memory, name or "foldl", False
    )


def foldr(
    fn: Callable[[Any, Any], Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """As foldl, from the last row to the first (tf.foldr).

    Raises:
        TypeError: fn is not callable. ValueError: scalars in elems.
    """
    return _fold(
        fn, elems, initializer, parallel_iterations, back_prop, swap_memory, name or "foldr", True
    )


def _fold(
    fn: Callable[[Any, Any], Any], elems: Any, initializer: Any, parallel: int, back_prop: bool,
    swap: bool, name: str, backwards: bool,
) -> Any:  # fmt: skip
    _check(fn)
    with name_scope(name, name, nest.flatten(elems)):
        _, arrays, n, _ = _unstacked(elems)
        last = F.subtract(n, 1)
        if initializer is None:
            structure, first = elems, last if backwards else convert_to_tensor(0)
            start = [a.read(first) for a in arrays]
        else:
            structure = initializer
            start = [convert_to_tensor(v) for v in nest.flatten(initializer)]
        begin = convert_to_tensor(0 if initializer is not None else 1)

        def step(k: Tensor, held: list[Tensor]) -> Any:
            i = F.subtract(last, k) if backwards else k
            row = _packed(elems, [a.read(i) for a in arrays])
            values = fn(_packed(structure, held), row)
            return F.add(k, 1), _as_dtypes(values, start)

        _, held = while_loop(
            lambda k, _: F.less(k, n), step, (begin, start), parallel_iterations=parallel,
            back_prop=back_prop, swap_memory=swap, maximum_iterations=n,
        )  # fmt: skip
        return _packed(structure, held)

