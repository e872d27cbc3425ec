"""TF1's writes by index: tf.scatter_nd, tf.tensor_scatter_*, and scatter updates of variables.

Lives here: wrappers of ops/scatter.py and ops/scatter_state.py. Not here: plain assignments
(api_state.py). Imports ops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.dtypes import int64
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.tf1.arguments import index_tensor

__all__ = [
    "scatter_add", "scatter_div", "scatter_max", "scatter_min", "scatter_mul", "scatter_nd",
    "scatter_nd_add", "scatter_nd_sub", "scatter_nd_update", "scatter_sub", "scatter_update",
    "tensor_scatter_add", "tensor_scatter_nd_add", "tensor_scatter_nd_max",
    "tensor_scatter_nd_min", "tensor_scatter_nd_sub", "tensor_scatter_nd_update",
    "tensor_scatter_sub", "tensor_scatter_update",
]  # fmt: skip


def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Tensor:
    """Zeros in `shape` with updates added at the index vectors along the last axis of `indices`.

    Raises:
        InvalidArgumentError when run: "indices[0] = [7] does not index into shape [5]".
    """
    at, dims = index_tensor(indices), index_tensor(shape)
    if at.dtype is not dims.dtype:
        at, dims = (F.cast(t, dtype=int64) for t in (at, dims))
    return F.scatter_nd(at, convert_to_tensor(updates), dims, name=name)


def _pure(record: str, what: str) -> Callable[..., Tensor]:
    def scatter(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
        return getattr(F, record)(
            convert_to_tensor(tensor), index_tensor(indices), updates, name=name
        )

    scatter.__name__ = scatter.__qualname__ = record
    scatter.__doc__ = f"A copy of `tensor` with updates {what} at the index vectors in `indices`."
    return scatter


tensor_scatter_nd_add = tensor_scatter_add = _pure("tensor_scatter_add", "added")
tensor_scatter_nd_sub = tensor_scatter_sub = _pure("tensor_scatter_sub", "subtracted")
tensor_scatter_nd_update = tensor_scatter_update = _pure("tensor_scatter_update", "put")
tensor_scatter_nd_max = _pure("tensor_scatter_max", "merged by maximum")
tensor_scatter_nd_min = _pure("tensor_scatter_min", "merged by minimum")


def _on_variable(record: str, what: str) -> Callable[..., Tensor]:
    def scatter(
        ref: Any, indices: Any, updates: Any, use_locking: bool = True, name: str | None = None
    ) -> Tensor:
        target = ref._as_graph_element() if hasattr(ref, "_as_graph_element") else ref
        at, kind = index_tensor(indices), target.dtype.base_dtype
        values = convert_to_tensor(updates, None if is_tensor_like(updates) else kind)
        if at.rank is not None and values.rank == 0 and not record.startswith("scatter_nd"):
            values = _spread(values, target, at)
        return getattr(F, record)(target, at, values, name=name)

    scatter.__name__ = scatter.__qualname__ = record
    scatter.__doc__ = (
        f"Updates {what} where `indices` points in a variable; yields its new value.\n\n"
        "    Raises:\n        InvalidArgumentError when run: an index is out of range.\n"
    )
    return scatter


def _spread(value: Tensor, ref: Tensor, at: Tensor) -> Tensor:
    """A scalar update in the shape that indices and variable ask for."""
    import numpy as np

    one = np.array([1], np.int32)
    tail = F.strided_slice(F.shape(ref), one, one * 0, one, end_mask=1)
    return F.broadcast_to(value, F.concat(F.shape(at), tail, axis=0))


scatter_update = _on_variable("scatter_update", "replace rows")
scatter_add = _on_variable("scatter_add", "are added to rows")
scatter_sub = _on_variable("scatter_sub", "are subtracted from rows")
scatter_mul = _on_variable("scatter_mul", "multiply rows")
scatter_div = _on_variable("scatter_div", "divide rows")
scatter_max = _on_variable("scatter_max", "are merged into rows by maximum")
scatter_min = _on_variable("scatter_min", "are merged into rows by minimum")
scatter_nd_update = _on_variable("scatter_nd_update", "replace slices")
scatter_nd_add = _on_variable("scatter_nd_add", "are added to slices")
scatter_nd_sub = _on_variable("scatter_nd_sub", "are subtracted from slices")
