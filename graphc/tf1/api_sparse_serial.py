"""Sparse tensors as strings: tf.serialize_sparse to tf.deserialize_many_sparse.

Lives here: TF1's functions. Not here: the records (ops/sparse_serial.py).
"""

from __future__ import annotations

from typing import Any

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import as_dtype, string
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.api_sparse import as_sparse
from graphc.tf1.sparse_tensor import SparseTensor

__all__ = [
    "deserialize_many_sparse", "deserialize_sparse", "serialize_many_sparse", "serialize_sparse",
]  # fmt: skip


def _strings_only(out_type: Any) -> None:
    if as_dtype(out_type) is not string:
        raise InvalidArgumentError(f"out_type must be string, got {out_type!r}")


def serialize_sparse(sp_input: Any, name: str | None = None, out_type: Any = string) -> Tensor:
    """Three strings: the serialized indices, values and shape (tf.serialize_sparse).

    Raises:
        TypeError: no SparseTensor. InvalidArgumentError: out_type is not string.
    """
    _strings_only(out_type)
    x = as_sparse(sp_input)
    made: Tensor = F.serialize_sparse(x.indices, x.values, x.dense_shape, name=name)
    return made


def serialize_many_sparse(
    sp_input: Any, name: str | None = None, out_type: Any = string
) -> Tensor:
    """Three strings for each row along the first dimension: (n, 3).

    Raises:
        TypeError: no SparseTensor. InvalidArgumentError (in the run): its rank is less than 2.
    """
    _strings_only(out_type)
    x = as_sparse(sp_input)
    made: Tensor = F.serialize_many_sparse(x.indices, x.values, x.dense_shape, name=name)
    return made


def deserialize_sparse(
    serialized_sparse: Any, dtype: Any, rank: int | None = None, name: str | None = None
) -> SparseTensor:
    """The sparse tensors of `serialize_sparse`, stacked along the dimensions in front.

    Args:
        serialized_sparse: strings (..., 3). rank: of one of them, where it is known.

    Raises (in the run):
        InvalidArgumentError: another dtype, or ranks that differ.
    """
    strings = convert_to_tensor(serialized_sparse, string)
    indices, values, shape = F.deserialize_sparse(strings, dtype=as_dtype(dtype), name=name)
    if rank is not None and strings.rank is not None:
        whole = rank + strings.rank - 1
        indices.set_shape([None, whole])
        shape.set_shape([whole])
    return SparseTensor(indices, values, shape)


def deserialize_many_sparse(
    serialized_sparse: Any, dtype: Any, rank: int | None = None, name: str | None = None
) -> SparseTensor:
    """The sparse tensors of n rows of three strings, with a new first dimension of n.

    Args and Raises: as `deserialize_sparse`.
    """
    return deserialize_sparse(serialized_sparse, dtype, rank, name)
