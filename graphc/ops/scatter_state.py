"""Writes by index to variables: scatter_add, scatter_update, scatter_nd_add and their kin.

Lives here: state records whose new value is a tensor_scatter_* of the old one. Not here: those
pure ops (ops/scatter.py), plain assignments (ops/state.py). Imports ops.define.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import ALL, FLOAT, NUMERIC
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import bracket_text, dims_equal
from graphc.ops.define import F, InferContext, OpDef, state
from graphc.ops.extents import INDEX


def _rows_type(ctx: InferContext) -> TensorType:
    ref, indices, updates = (ctx.shape(i) for i in range(3))
    if ref is None or indices is None or updates is None or not updates:
        return ctx.inputs[0].type
    want = (*indices, *ref[1:])
    fits = len(want) == len(updates) and all(
        dims_equal(a, b) is not False for a, b in zip(want, updates, strict=True)
    )
    if not fits:
        raise ctx.fail(
            "Must have updates.shape = indices.shape + params.shape[1:] or updates.shape = [], "
            f"got updates.shape {bracket_text(updates)}, indices.shape {bracket_text(indices)}, "
            f"params.shape {bracket_text(ref)}"
        )
    return ctx.inputs[0].type


def _rows(name: str, tf: str, writer: str, dtypes: Any = NUMERIC) -> OpDef:
    """Writes whole rows of the first axis."""

    def update(node: Node, ref: Tensor, indices: Tensor, updates: Tensor) -> tuple[Any, ...]:
        return (getattr(F, writer)(ref, F.expand_dims(indices, axis=-1), updates),)

    return state(
        name, tf=tf, refs=(0,), infer=_rows_type, update=update,
        args=("ref", "indices", "updates"), groups=("T", "Tindices", "T"),
        dtypes={"T": dtypes, "Tindices": INDEX},
    )  # fmt: skip


def _points(name: str, tf: str, writer: str, dtypes: Any = NUMERIC) -> OpDef:
    """Writes where index vectors point."""

    def update(node: Node, ref: Tensor, indices: Tensor, updates: Tensor) -> tuple[Any, ...]:
        return (getattr(F, writer)(ref, indices, updates),)

    return state(
        name, tf=tf, refs=(0,), update=update, args=("ref", "indices", "updates"),
        groups=("T", "Tindices", "T"), dtypes={"T": dtypes, "Tindices": INDEX},
    )  # fmt: skip


scatter_update = _rows("scatter_update", "ScatterUpdate", "tensor_scatter_update", ALL)
scatter_add = _rows("scatter_add", "ScatterAdd", "tensor_scatter_add")
scatter_sub = _rows("scatter_sub", "ScatterSub", "tensor_scatter_sub")
scatter_mul = _rows("scatter_mul", "ScatterMul", "tensor_scatter_mul")
scatter_div = _rows("scatter_div", "ScatterDiv", "tensor_scatter_div", FLOAT)
scatter_max = _rows("scatter_max", "ScatterMax", "tensor_scatter_max")
scatter_min = _rows("scatter_min", "ScatterMin", "tensor_scatter_min")
scatter_nd_update = _points("scatter_nd_update", "ScatterNdUpdate", "tensor_scatter_update", ALL)
scatter_nd_add = _points("scatter_nd_add", "ScatterNdAdd", "tensor_scatter_add")
scatter_nd_sub = _points("scatter_nd_sub", "ScatterNdSub", "tensor_scatter_sub")
