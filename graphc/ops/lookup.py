"""Ops on lookup tables: fill, look up, insert, remove, count, list.

Lives here: their records. Not here: what a table is (tf1/tables.py), users' classes
(tf1/lookup.py). The attribute `resource` is a table; it keeps its contents in the session that
runs. Imports ops.define.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, int64, string
from graphc.ir.node import TensorType
from graphc.ir.shape import dims_equal
from graphc.ops.define import InferContext, OpDef
from graphc.ops.samples import Arg, fixed, sample

Array = np.ndarray[Any, Any]
NO_GRADIENT = "tables have no gradient"


class _Fixed:
    """A table of two entries: for samples."""

    key_dtype = int64
    value_dtype = string
    value_dims = ()

    def __init__(self) -> None:
        self.entries = {1: b"one", 2: b"two"}

    def __repr__(self) -> str:
        return "table"

    def find(self, keys: Array, default: Array) -> Array:
        out = np.empty(keys.shape, object)
        for at, key in np.ndenumerate(keys):
            out[at] = self.entries.get(int(key), default[()])
        return out

    def size(self) -> int:
        return len(self.entries)

    def export(self) -> tuple[Array, Array]:
        return np.array(list(self.entries)), np.array(list(self.entries.values()), object)

    def fill(self, *inputs: Array) -> None:
        """The contents stay."""

    insert = fill
    remove = fill


# ------------------------------------------------------------------ rules
def _found_type(ctx: InferContext) -> TensorType:
    table = ctx.attrs["resource"]
    keys = ctx.shape(0)
    shape = None if keys is None else _outer(keys, table) + table.value_dims
    return TensorType(table.value_dtype, shape)


def _outer(keys: tuple[Any, ...], table: Any) -> tuple[Any, ...]:
    """The dimensions of `keys` without those of one key."""
    inner = len(getattr(table, "key_dims", ()))
    return keys[: len(keys) - inner]


def _pair_types(ctx: InferContext) -> tuple[()]:
    """Each key has a value."""
    keys, values, table = ctx.shape(0), ctx.shape(1), ctx.attrs["resource"]
    if keys is None or values is None:
        return ()
    want = _outer(keys, table) + table.value_dims
    apart = len(want) != len(values) or any(
        dims_equal(a, b) is False for a, b in zip(want, values, strict=True)
    )
    if apart:
        wanted, got = (f"[{','.join('?' if d is None else str(d) for d in s)}]" for s in
                       (want, values))  # fmt: skip
        raise ctx.fail(f"Expected shape {wanted} for value, got {got}")
    return ()


def _listed_types(ctx: InferContext) -> list[TensorType]:
    table: Any = ctx.attrs["resource"]
    return [
        TensorType(table.key_dtype, (None, *getattr(table, "key_dims", ()))),
        TensorType(table.value_dtype, (None, *table.value_dims)),
    ]


# ------------------------------------------------------------------ records
def _effect(
    name: str,
    tf: str,
    infer: Callable[[InferContext], Any],
    numpy: Callable[..., Any],
    args: tuple[str, ...] = (),
    inputs: tuple[Arg, ...] = (),
    dynamic: bool = False,
) -> OpDef:
    return OpDef(
        name=name, tf=tf, family="host", args=args, groups=("*",), infer=infer, numpy=numpy,
        nograd=NO_GRADIENT, stateful=True, effect=True, data_dependent=dynamic,
        samples=(sample(*inputs, resource=_Fixed(), grad=False),),
    )  # fmt: skip


def _find(keys: Array, default: Array, resource: Any) -> Array:
    found: Array = resource.find(keys, default)
    return found


def _insert(keys: Array, values: Array, resource: Any) -> tuple[()]:
    resource.insert(keys, values)
    return ()


def _remove(keys: Array, resource: Any) -> tuple[()]:
    resource.remove(keys)
    return ()


def _import(keys: Array, values: Array, resource: Any) -> tuple[()]:
    resource.fill(keys, values)
    return ()


_KEYS = fixed([1, 3], int64)
_VALUES = fixed([b"a", b"b"], string)

table_find = _effect(
    "table_find", "LookupTableFindV2", _found_type, _find, ("keys", "default_value"),
    (fixed([[1, 2, 3]], int64), fixed(b"-", string)),
)  # fmt: skip

table_size = _effect(
    "table_size", "LookupTableSizeV2", lambda ctx: TensorType(int64, ()),
    lambda resource: np.int64(resource.size()),
)  # fmt: skip

table_export = _effect(
    "table_export", "LookupTableExportV2", _listed_types, lambda resource: resource.export(),
    dynamic=True,
)  # fmt: skip

table_insert = _effect(
    "table_insert", "LookupTableInsertV2", _pair_types, _insert, ("keys", "values"),
    (_KEYS, _VALUES),
)  # fmt: skip

table_remove = _effect(
    "table_remove", "LookupTableRemoveV2", lambda ctx: (), _remove, ("keys",), (_KEYS,)
)

table_import = _effect(
    "table_import", "LookupTableImportV2", _pair_types, _import, ("keys", "values"),
    (_KEYS, _VALUES),
)  # fmt: skip


# ------------------------------------------------------------------ text files
def _import_file(
    filename: Array,
    resource: Any,
    read: Callable[[bytes, DType, DType], tuple[Array, Array]],
) -> tuple[()]:
    resource.fill(*read(filename.item(), resource.key_dtype, resource.value_dtype))
    return ()


def _no_lines(filename: bytes, key_dtype: DType, value_dtype: DType) -> tuple[Array, Array]:
    return np.empty(0, key_dtype.np), np.empty(0, value_dtype.np)


table_import_file = OpDef(
    name="table_import_file",
    tf="InitializeTableFromTextFileV2",
    family="host",
    args=("filename",),
    groups=(string,),
    infer=lambda ctx: (),
    numpy=_import_file,
    nograd=NO_GRADIENT,
    stateful=True,
    effect=True,
    samples=(
        sample(fixed(b"words.txt", string), resource=_Fixed(), read=_no_lines, grad=False),
    ),
)
