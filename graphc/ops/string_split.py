"""Splitting strings into sparse rows of parts, or one string into a vector.

Lives here: string_split, string_split_v2, string_bytes_split. Not here: the sparse tensors made
of them (tf1/api_strings.py). Imports ops.define.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import int64, string
from graphc.ir.node import TensorType
from graphc.ops.define import InferContext, OpDef
from graphc.ops.samples import fixed, sample
from graphc.ops.strings import NO_GRADIENT

Array = np.ndarray[Any, Any]


def _sparse(rows: Sequence[Sequence[bytes]]) -> tuple[Array, Array, Array]:
    """(indices, values, shape) of rows of several lengths."""
    sizes = [len(row) for row in rows]
    values = np.empty(sum(sizes), object)
    values[:] = [part for row in rows for part in row]
    places = np.empty((len(values), 2), np.int64)
    places[:, 0] = np.repeat(np.arange(len(rows)), sizes)
    places[:, 1] = [k for size in sizes for k in range(size)]
    return places, values, np.array([len(rows), max(sizes, default=0)], np.int64)


def _types(ctx: InferContext) -> list[TensorType]:
    for k, rank in enumerate((1, 0)):
        if ctx.rank(k) not in (None, rank):
            raise ctx.fail(f"Shape must be rank {rank} but is rank {ctx.rank(k)}")
    return [
        TensorType(int64, (None, 2)),
        TensorType(string, (None,)),
        TensorType(int64, (2,)),
    ]


def _one_by_one(s: bytes) -> list[bytes]:
    return [s[k : k + 1] for k in range(len(s))]


def _split(x: Array, delimiter: Array, skip_empty: bool) -> tuple[Array, ...]:
    marks: bytes = delimiter.item()
    parts_of: Callable[[bytes], list[bytes]] = _one_by_one
    if marks:
        parts_of = re.compile(b"[" + re.escape(marks) + b"]").split
    rows = []
    for item in x.tolist():
        # an empty string has no parts, whatever is skipped
        parts = parts_of(item) if item else []
        rows.append([p for p in parts if p] if skip_empty else parts)
    return _sparse(rows)


string_split = OpDef(
    name="string_split",
    tf="StringSplit",
    family="host",
    args=("input", "delimiter"),
    groups=(string, string),
    infer=_types,
    numpy=_split,
    nograd=NO_GRADIENT,
    data_dependent=True,
    samples=(
        sample(
            fixed([b"a b", b"", b" c"], string), fixed(b" ", string), skip_empty=True, grad=False
        ),
        sample(
            fixed([b"a,b;", b"c"], string), fixed(b",;", string), skip_empty=False, grad=False
        ),
    ),
)


def _split_v2(x: Array, sep: Array, maxsplit: int) -> tuple[Array, ...]:
    mark: bytes = sep.item()
    return _sparse([_parts(item, mark, maxsplit) for item in x.tolist()])


def _parts(item: bytes, mark: bytes, most: int) -> list[bytes]:
    if mark or most == 0:
        return item.split(mark or None, most) if most else [item]
    parts = item.split(None, most)
    # TensorFlow's rest of a string that ends after the last split is a part, too
    return [*parts, b""] if len(parts) == most else parts


string_split_v2 = OpDef(
    name="string_split_v2",
    tf="StringSplitV2",
    family="host",
    args=("input", "sep"),
    groups=(string, string),
    infer=_types,
    numpy=_split_v2,
    nograd=NO_GRADIENT,
    data_dependent=True,
    samples=(
        sample(fixed([b"a b", b"", b" c"], string), fixed(b"", string), maxsplit=-1, grad=False),
        sample(
            fixed([b"a--b--c", b"--"], string), fixed(b"--", string), maxsplit=1, grad=False
        ),
    ),
)


def _bytes_split(x: Array) -> Array:
    parts = _one_by_one(x.item())
    out = np.empty(len(parts), object)
    out[:] = parts
    return out


def _vector(ctx: InferContext) -> TensorType:
    if ctx.rank(0) not in (None, 0):
        raise ctx.fail(f"Shape must be rank 0 but is rank {ctx.rank(0)}")
    return TensorType(string, (None,))


string_bytes_split = OpDef(
    name="string_bytes_split",
    tf="StringBytesSplit",
    family="host",
    args=("input",),
    groups=(string,),
    infer=_vector,
    numpy=_bytes_split,
    nograd=NO_GRADIENT,
    data_dependent=True,
    samples=(sample(fixed(b"abc", string), grad=False),),
)
