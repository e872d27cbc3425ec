"""What a group computes: its members inlined into one Compute for each exposed output.

Lives here: GroupBuilder. Not here: grouping (partition.py), loops (kernel/lower.py). With
kernel/lower, the only place that sees both IRs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.fusion.footprint import strip
from graphc.fusion.partition import Group
from graphc.ir.dtypes import int64
from graphc.ir.node import Tensor
from graphc.kernel.compute import Compute, guarded
from graphc.kernel.expr import Axis, Buffer, Cast, Const, Expr, Select, const, substitute
from graphc.kernel.expr import index as dim_value
from graphc.kernel.simplify import simplify
from graphc.ops.define import KernelContext
from graphc.passes.base import const_array

BufferOf = Callable[[Tensor], Buffer]


class _GroupContext(KernelContext):
    """Loads of members' tensors give their values; scalar constants give themselves."""

    def __init__(self, builder: GroupBuilder, node: Any) -> None:
        super().__init__(node, builder.buffer_of)
        self.builder = builder

    def load(
        self, i: int, idx: Sequence[Expr], mask: Expr | None = None, other: Any = 0
    ) -> Expr:
        tensor = self.node.inputs[i]
        inside = self.builder.inlined(tensor, tuple(idx))
        if inside is None:
            return super().load(i, idx, mask, other)
        if mask is None:
            return inside
        return Select(mask, guarded(inside, mask), Const(other, tensor.dtype))


class GroupBuilder:
    """Computes of one group. Members with the group's domain share its axes."""

    def __init__(self, group: Group, buffer_of: BufferOf) -> None:
        self.group = group
        self.buffer_of = buffer_of
        self.axes = tuple(Axis(d, f"i{k}") for k, d in enumerate(group.domain))
        self.members = set(group.nodes)
        self._values: dict[Tensor, tuple[tuple[Expr, ...], Expr]] = {}
        self._at: dict[tuple[Tensor, tuple[Expr, ...]], Expr] = {}

    def computes(self, exposed: Sequence[Tensor]) -> list[Compute]:
        """One Compute an exposed tensor, on stripped axes; the rest is inlined."""
        for node in self.group.nodes:
            ctx = _GroupContext(self, node)
            for which, tensor in enumerate(node.outputs):
                index = self._natural(tensor)
                assert node.op.kernel is not None
                value = node.op.kernel(ctx, which, index)
                if value.dtype is not tensor.dtype:
                    value = Cast(value, tensor.dtype)
                self._values[tensor] = (index, value)
        out = []
        for tensor in exposed:
            index, value = self._values[tensor]
            axes = tuple(a for a in index if isinstance(a, Axis))
            buffer = self.buffer_of(tensor)
            flat = Buffer(buffer.key, buffer.dtype, strip(tensor.known_dims), buffer.name)
            sums = tensor.node in self.group.sums and self.group.regular
            out.append(Compute(flat, axes, simplify(value), sums))
        return out

    def _natural(self, tensor: Tensor) -> tuple[Expr, ...]:
        """The index at which a member is computed: the group's axes where they fit."""
        dims = strip(tensor.known_dims)
        # also of members that are read at other indices: own axes would copy all they are made of
        shared = dims == self.group.domain[: len(dims)] and tensor.node not in self.group.sums
        own = iter(self.axes[: len(dims)] if shared else [Axis(d) for d in dims])
        return tuple(
            Const(0, int64) if isinstance(d, int) and d == 1 else next(own)
            for d in tensor.known_dims
        )

    def inlined(self, tensor: Tensor, index: tuple[Expr, ...]) -> Expr | None:
        """The tensor's value at an index, or None where it comes from memory."""
        if tensor.node not in self.members:
            return self._scalar(tensor)
        natural, value = self._values[tensor]
        if natural == index:
            return value
        key = (tensor, index)
        found = self._at.get(key)
        if found is None:
            mapping: dict[Expr, Expr] = {
                a: x for a, x in zip(natural, index, strict=True) if isinstance(a, Axis)
            }
            # a part of a stack is that part alone, not a choice among all of them
            found = self._at[key] = simplify(substitute(value, mapping))
        return found

    @staticmethod
    def _scalar(tensor: Tensor) -> Expr | None:
        """Constants and extents of one element stand in the code; larger ones are arguments."""
        node = tensor.node
        if node.op.name == "bound" and len(node.attrs["dims"]) == 1:
            value = dim_value(node.attrs["dims"][0])
            return value if tensor.dtype is int64 else Cast(value, tensor.dtype)
        array = const_array(tensor)
        if array is None or array.size != 1 or array.dtype == object:
            return None
        item = array.reshape(-1)[0]
        if tensor.dtype.is_half:
            # loads of half buffers are widened by the definitions: keep the stored dtype
            return Cast(const(float(item), tensor.dtype.compute), tensor.dtype)
        return const(item.item(), tensor.dtype)
