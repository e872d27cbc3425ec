"""Extern steps: ops with a compiled step that is not a loop nest. So far GEMM by BLAS.

Lives here: GemmCall, how a matmul node maps to the BLAS adapter. Not here: the adapter's code
(runtime/blas.py). A matmul that BLAS cannot do (integers, half types, a broadcast batch) runs as
a host step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphc.ir.node import Node, Tensor
from graphc.ir.shape import Dim, dims_product, evaluate
from graphc.runtime import blas

FLOPS_ALONE = 1 << 20  # below this one thread is faster than waking another
ROWS_PIECE = 1024  # every piece packs all of B: fewer rows do not pay for it
MAX_PIECES = 8


@dataclass(frozen=True)
class GemmCall:
    """One product: C = op(A) op(B), row-major, `batch` times."""

    node: Node
    a: Tensor
    b: Tensor
    out: Tensor
    trans_a: bool
    trans_b: bool
    batch: Dim
    m: Dim
    n: Dim
    k: Dim
    batched: bool
    kind = "gemm"
    may_fail = False

    @property
    def kernel_name(self) -> str:
        flags = "".join("ty"[int(f)] for f in (self.trans_a, self.trans_b))
        return f"gemm_{self.out.dtype.name}_{flags}{'_b' if self.batched else ''}"

    def ir(self) -> str:
        return blas.gemm_kernel_ir(
            self.kernel_name, self.out.dtype.np, self.trans_a, self.trans_b, self.batched
        )

    def slots(self, values: Mapping[str, int]) -> list[int]:
        """The int64 arguments behind A, B, C: function, state, sizes and strides."""
        m, n, k = (evaluate(d, values) for d in (self.m, self.n, self.k))
        lda, ldb = (m if self.trans_a else k), (k if self.trans_b else n)
        address = blas.gemm_address(self.out.dtype.np)
        assert address is not None
        out = [address, blas.state_address(), m, n, k, max(lda, 1), max(ldb, 1), max(n, 1)]
        return out + ([m * k, k * n, m * n] if self.batched else [0, 0, 0])

    def extent(self, values: Mapping[str, int]) -> int:
        """The rows of all products."""
        return evaluate(self.batch, values) * evaluate(self.m, values)

    def chunk(self, values: Mapping[str, int]) -> int:
        """Rows of a piece, by the size of the product alone; 0 for one piece."""
        flops = self._flops(values)
        if flops < FLOPS_ALONE:
            return 0
        rows = self.extent(values)
        return -(-rows // min(max(2, rows // ROWS_PIECE), MAX_PIECES))

    def nanoseconds(self, values: Mapping[str, int]) -> float:
        return self._flops(values) / 100.0

    def _flops(self, values: Mapping[str, int]) -> float:
        inner = evaluate(self.n, values) * evaluate(self.k, values)
        return 2.0 * self.extent(values) * inner


def gemm_call(node: Node) -> GemmCall | None:
    """The node as a product that BLAS or tiles can do, or None where it must run on the host."""
    if node.op.name != "matmul":
        return None
    a, b = node.inputs
    out = node.outputs[0]
    if out.dtype.name not in ("float32", "float64"):
        return None
    assert a.dims is not None and b.dims is not None and out.dims is not None
    ta, tb = bool(node.attrs["transpose_a"]), bool(node.attrs["transpose_b"])
    lead_a, lead_b, lead = a.dims[:-2], b.dims[:-2], out.dims[:-2]
    m, n = out.dims[-2], out.dims[-1]
    k = a.dims[-2] if ta else a.dims[-1]
    batch: Any = dims_product(lead)
    if lead_a != lead or (lead_b != lead and dims_product(lead_b) != 1):
        return None
    if lead and not ta and dims_product(lead_b) == 1:
        # all batches share B: one product over all rows
        return GemmCall(node, a, b, out, ta, tb, 1, batch * m, n, k, False)  # type: ignore[operator,arg-type]
    if lead_b != lead:
        return None
    batched = bool(lead) and batch != 1
    return GemmCall(node, a, b, out, ta, tb, batch, m, n, k, batched)  # type: ignore[arg-type]
