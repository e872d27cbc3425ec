"""TF1's clipping: tf.clip_by_value, by a norm, by the norm of a list of gradients.

Lives here: clip_by_* and global_norm. Imports ops and autodiff. Users find these names in graphc;
tf1/api_math.py exports them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.autodiff.indexed_slices import IndexedSlices
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.arguments import static_ints

__all__ = [
    "clip_by_average_norm", "clip_by_global_norm", "clip_by_norm", "clip_by_value", "global_norm",
]  # fmt: skip
_ALL: dict[str, Any] = {"axes": None, "keepdims": False}


def clip_by_value(
    t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None
) -> Any:
    """The tensor with its elements moved into [clip_value_min, clip_value_max].

    The gradient passes inside the bounds and on them. IndexedSlices give IndexedSlices.
    """
    if isinstance(t, IndexedSlices):
        values = clip_by_value(t.values, clip_value_min, clip_value_max, name)
        return IndexedSlices(values, t.indices, t.dense_shape)
    return F.clip_by_value(convert_to_tensor(t), clip_value_min, clip_value_max, name=name)


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Any:
    """The tensor scaled down so that its L2 norm over `axes` is at most clip_norm."""
    if isinstance(t, IndexedSlices):
        values = clip_by_norm(t.values, clip_norm, axes, name)
        return IndexedSlices(values, t.indices, t.dense_shape)
    x = convert_to_tensor(t)
    with x.graph.name_scope(name or "clip_by_norm") as scope:
        over = None if axes is None else static_ints(axes, "axes")
        total = F.reduce_sum(x * x, axes=over, keepdims=True)
        # the root's gradient at 0 is infinite: never take it there
        positive = F.greater(total, 0)
        safe = F.select_v2(positive, total, F.ones_like(total))
        norm = F.select_v2(positive, F.sqrt(safe), total)
        limit = convert_to_tensor(clip_norm, x.dtype, graph=x.graph)
        return F.identity(x * limit / F.maximum(norm, limit), name=scope or None)


def clip_by_average_norm(t: Any, clip_norm: Any, name: str | None = None) -> Tensor:
    """The tensor scaled down so that its L2 norm divided by its size is at most clip_norm."""
    x = convert_to_tensor(t)
    with x.graph.name_scope(name or "clip_by_average_norm") as scope:
        count = F.cast(F.size(x), dtype=x.dtype)
        inverse = F.rsqrt(F.reduce_sum(x * x, **_ALL))
        limit = convert_to_tensor(clip_norm, x.dtype, graph=x.graph)
        return F.identity(x * limit * F.minimum(inverse * count, 1.0 / limit), name=scope or None)


def _tensors(t_list: Any) -> list[Any]:
    """The list with its Nones; values of IndexedSlices are as they are.

    Raises:
        TypeError: "t_list should be a sequence".
    """
    if not isinstance(t_list, Sequence) or isinstance(t_list, str):
        raise TypeError("t_list should be a sequence")
    return [
        t if t is None or isinstance(t, IndexedSlices) else convert_to_tensor(t) for t in t_list
    ]


def _values(t: Any) -> Tensor:
    return t.values if isinstance(t, IndexedSlices) else t


def global_norm(t_list: Any, name: str | None = None) -> Tensor:
    """The L2 norm of all elements of all tensors together; None entries do not count.

    Raises:
        TypeError: t_list is no sequence. ValueError: it holds no tensor.
    """
    with get_default_graph().name_scope(name or "global_norm"):
        halves = [F.l2_loss(_values(t)) for t in _tensors(t_list) if t is not None]
        if not halves:
            raise ValueError("global_norm needs at least one tensor")
        half = F.reduce_sum(F.stack(*halves, axis=0), **_ALL)
        return F.sqrt(half * 2.0, name="global_norm")


def clip_by_global_norm(
    t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Any], Tensor]:
    """All tensors scaled by clip_norm / max(norm, clip_norm), norm being that of all together.

    None entries stay None. An infinite norm gives NaN everywhere.

    Returns:
        (the list, the norm).

    Raises:
        TypeError: t_list is no sequence.
    """
    tensors = _tensors(t_list)
    norm = global_norm(tensors, name) if use_norm is None else convert_to_tensor(use_norm)
    with get_default_graph().name_scope(name or "clip_by_global_norm") as scope:
        limit = convert_to_tensor(clip_norm, norm.dtype, graph=norm.graph)
        scale = limit * F.minimum(1.0 / norm, 1.0 / limit) + (norm - norm)
        done: dict[Tensor, Tensor] = {}
        out: list[Any] = []
        for i, t in enumerate(tensors):
            if t is None:
                out.append(None)
                continue
            values = _values(t)
            if values not in done:
                factor = scale if scale.dtype is values.dtype else F.cast(scale, dtype=values.dtype)
                done[values] = F.multiply(values, factor, name=f"{scope}_{i}")
            clipped = done[values]
            if isinstance(t, IndexedSlices):
                out.append(IndexedSlices(clipped, t.indices, t.dense_shape))
            else:
                out.append(clipped)
    return out, norm
