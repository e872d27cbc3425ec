"""tf.contrib.layers.dense_to_sparse."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import int64
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.sparse_tensor import SparseTensor

__all__ = ["dense_to_sparse"]


def dense_to_sparse(
    tensor: Any, eos_token: Any = 0, outputs_collections: Any = None, scope: str | None = None
) -> SparseTensor:
    """The elements of an integer tensor that differ from `eos_token`.

    Args:
        outputs_collections: collections that the result is added to.
    """
    x = convert_to_tensor(tensor)
    with x.graph.name_scope(scope or "dense_to_sparse"):
        at = F.where(F.not_equal(x, np.asarray(eos_token, x.dtype.np)))
        out = SparseTensor(at, F.gather_nd(x, at), F.shape(x, out_type=int64))
    names = outputs_collections or ()
    for name in (names,) if isinstance(names, str) else names:
        x.graph.add_to_collection(name, out)
    return out
