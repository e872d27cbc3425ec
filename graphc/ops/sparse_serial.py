"""Sparse tensors as strings: three serialized tensors each, so that queues can hold them.

Lives here: serialize_sparse, serialize_many_sparse, deserialize_sparse. Not here: TF1's functions
(tf1/api_sparse_serial.py), other ops on sparse tensors (ops/sparse.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import DType, float32, int64, string
from graphc.ir.node import TensorType
from graphc.ops.define import InferContext, OpDef
from graphc.ops.samples import fixed, sample

Array = np.ndarray[Any, Any]
_PLACES = [[0, 1], [1, 0], [1, 2]]
_PARTS = (fixed(_PLACES, int64), fixed([1.0, 2.0, 3.0], float32), fixed([2, 3], int64))


def _packed(*parts: Array) -> list[bytes]:
    from graphc.interop.attributes import tensor_proto

    return [tensor_proto(p).SerializeToString() for p in parts]


def _serialize(indices: Array, values: Array, dense_shape: Array) -> Array:
    out = np.empty(3, object)
    out[:] = _packed(indices, values, dense_shape)
    return out


def _serialize_many(indices: Array, values: Array, dense_shape: Array) -> Array:
    """One row of three strings for each row of the sparse tensor."""
    if len(dense_shape) < 2:
        raise InvalidArgumentError(
            f"Rank of input SparseTensor should be > 1, but saw rank: {len(dense_shape)}"
        )
    count = int(dense_shape[0])
    rows = indices[:, 0]
    out = np.empty((count, 3), object)
    for row in range(count):
        mine = rows == row
        out[row] = _packed(indices[mine, 1:], values[mine], dense_shape[1:])
    return out


def _unpacked(row: Array) -> tuple[Array, Array, Array]:
    from graphc.interop.attributes import array_of
    from graphc.interop.messages import TensorProto

    indices, values, shape = (array_of(TensorProto.FromString(p)) for p in row)
    return indices, values, shape


def _deserialize(serialized: Array, dtype: DType) -> tuple[Array, Array, Array]:
    """The sparse tensors, stacked along the dimensions in front of the last of `serialized`."""
    if serialized.ndim == 0 or serialized.shape[-1] != 3:
        raise InvalidArgumentError(
            f"Serialized sparse should have 3 as the last dimension {list(serialized.shape)}"
        )
    outer = serialized.shape[:-1]
    places: list[Array] = []
    entries: list[Array] = []
    inner = np.zeros(0, np.int64)
    for at in np.ndindex(outer):
        indices, values, shape = _unpacked(serialized[at])
        if values.dtype != dtype.np:
            raise InvalidArgumentError(
                f"Requested SparseTensor of type {dtype.name} but SparseTensor[{at}] has "
                f"values of type {values.dtype}"
            )
        if len(entries) and len(shape) != len(inner):
            raise InvalidArgumentError("Inconsistent rank across SparseTensors")
        inner = np.maximum(inner, shape) if entries else np.asarray(shape, np.int64)
        front = np.broadcast_to(np.array(at, np.int64), (len(indices), len(at)))
        places.append(np.concatenate([front, np.asarray(indices, np.int64)], axis=1))
        entries.append(values)
    rank = len(outer) + len(inner)
    found = np.concatenate(places) if places else np.zeros((0, rank), np.int64)
    listed = np.concatenate(entries) if entries else np.zeros(0, dtype.np)
    return found, listed, np.concatenate([np.array(outer, np.int64), inner])


def _parts(ctx: InferContext) -> tuple[TensorType, ...]:
    dtype = ctx.attrs["dtype"]
    return (
        TensorType(int64, (None, None)), TensorType(dtype, (None,)), TensorType(int64, (None,)),
    )  # fmt: skip


def _many(ctx: InferContext) -> TensorType:
    return TensorType(string, (None, 3))


serialize_sparse = OpDef(
    name="serialize_sparse",
    tf="SerializeSparse",
    family="host",
    args=("indices", "values", "dense_shape"),
    groups=(int64, "T", int64),
    infer=lambda ctx: TensorType(string, (3,)),
    numpy=_serialize,
    nograd="strings have no gradient",
    samples=(sample(*_PARTS, grad=False),),
)

serialize_many_sparse = OpDef(
    name="serialize_many_sparse",
    tf="SerializeManySparse",
    family="host",
    args=("indices", "values", "dense_shape"),
    groups=(int64, "T", int64),
    infer=_many,
    numpy=_serialize_many,
    nograd="strings have no gradient",
    data_dependent=True,
    samples=(sample(*_PARTS, grad=False),),
)

deserialize_sparse = OpDef(
    name="deserialize_sparse",
    tf="DeserializeSparse",
    family="host",
    args=("serialized_sparse",),
    groups=(string,),
    infer=_parts,
    numpy=_deserialize,
    nograd="strings have no gradient",
    data_dependent=True,
)
