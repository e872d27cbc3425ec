"""Matrix products on a GPU: how a matmul's operands lie, batched, broadcast and transposed.

Lives here: matmul_product. Not here: kernels and launches (product_calls.py). Only products.py
imports it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphc.ir.dtypes import DType
from graphc.ir.node import Node, Tensor
from graphc.ir.shape import Dim, dims_product, evaluate
from graphc.kernel.tiles.gpu import Digit, Operand, Size, vector_of
from graphc.runtime.gpu.product_calls import DTYPES, GpuProductCall, Plain, Sides


@dataclass(frozen=True)
class Shared:
    """Neighbouring leading axes as one: their extent, and whether each side has them."""

    extent: Dim
    of_a: bool
    of_b: bool


@dataclass(frozen=True, kw_only=True)
class MatmulProduct(GpuProductCall):
    """C = op(A) op(B), for each of a batch whose axes A and B may lack."""

    trans_a: bool
    trans_b: bool
    m: Dim
    n: Dim
    k: Dim
    batch: tuple[Shared, ...] = ()

    def sides(self, values: Mapping[str, int]) -> list[Sides]:
        m, n, k = (evaluate(d, values) for d in (self.m, self.n, self.k))
        extents = [evaluate(s.extent, values) for s in self.batch]
        names = [f"d{i}" for i in range(len(extents))]
        # the outermost axis needs no extent: the batch's number ends with it
        sizes = tuple(zip(names[1:], extents[1:], strict=True))
        lead_a = self._lead([s.of_a for s in self.batch], names, "m * k")
        lead_b = self._lead([s.of_b for s in self.batch], names, "k * n")
        # a vector lies along k either way
        along_a, along_b = not self.trans_a or m == 1, self.trans_b or n == 1
        a = _matrix(self.a.dtype, "m", along_a, lead_a, k if along_a else m)
        b = _matrix(self.b.dtype, "n", along_b, lead_b, k if along_b else n)
        plain = None
        if len(extents) <= 1:
            strides = [own * size for own, size in zip(self._owned(), (m * k, k * n, m * n))]
            plain = Plain(self.trans_a, self.trans_b, (strides[0], strides[1], strides[2]))
        return [Sides(a, b, math.prod(extents), m, n, k, sizes, plain=plain)]

    def _owned(self) -> tuple[bool, bool, bool]:
        """Whether A, B and C are another matrix for each product."""
        if not self.batch:
            return False, False, False
        return self.batch[0].of_a, self.batch[0].of_b, True

    def _lead(self, owned: Sequence[bool], names: Sequence[str], matrix: str) -> tuple[Digit, ...]:
        """The digits of the batch's number for a side with some of its axes."""
        out: list[Digit] = []
        stride = f"({matrix})"
        for own, name in zip(reversed(owned), reversed(names), strict=True):
            out.append(Digit(name, stride if own else 0))
            if own:
                stride = f"{stride} * {name}"
        return tuple(reversed(out))


def _matrix(
    dtype: DType, other: str, along: bool, lead: tuple[Digit, ...], width: int
) -> Operand:
    """A matrix whose rows lie along k, or along the other index. width: elements of a row."""
    ones: tuple[Size, Size] = ("k", 1) if along else (1, other)
    outer, inner = (Digit(0, stride) for stride in ones)
    return Operand(dtype, (outer,), (inner,), lead, along=along, vector=vector_of(dtype, width))


def matmul_product(node: Node) -> MatmulProduct | None:
    """The node as products on the device, or None where it is the host's."""
    if node.op.name != "matmul" or node.outputs[0].dtype.name not in DTYPES:
        return None
    a, b = node.inputs
    out = node.outputs[0]
    if any(t.dims is None or None in t.dims for t in (a, b, out)):
        return None  # the data decide
    ta, tb = bool(node.attrs["transpose_a"]), bool(node.attrs["transpose_b"])
    m, n = out.known_dims[-2:]
    k = a.known_dims[-2 if ta else -1]
    lead = out.known_dims[:-2]
    batch = _batch(a, b, lead)
    if batch is None:
        return None
    whole = lead and not ta and all(s.of_a and not s.of_b for s in batch)
    if whole or not batch:
        # every product has the same B: one product of all rows
        rows = dims_product((*lead, m))
        assert rows is not None
        return MatmulProduct(
            node=node, a=a, b=b, out=out, batched=False, trans_a=ta, trans_b=tb, m=rows, n=n, k=k
        )
    return MatmulProduct(
        node=node, a=a, b=b, out=out, batched=True, trans_a=ta, trans_b=tb, m=m, n=n, k=k,
        batch=batch,
    )  # fmt: skip


def _batch(a: Tensor, b: Tensor, lead: tuple[Dim, ...]) -> tuple[Shared, ...] | None:
    """The leading axes, those that are alike joined; None where the run decides what they are."""
    out: list[Shared] = []
    wide = [(1,) * (len(lead) + 2 - len(t.known_dims)) + t.known_dims[:-2] for t in (a, b)]
    for extent, *own in zip(lead, *wide, strict=True):
        if extent == 1:
            continue
        if any(d not in (extent, 1) for d in own):
            return None
        of_a, of_b = (d != 1 for d in own)
        if out and (out[-1].of_a, out[-1].of_b) == (of_a, of_b):
            out[-1] = Shared(out[-1].extent * extent, of_a, of_b)
        else:
            out.append(Shared(extent, of_a, of_b))
    return tuple(out)
