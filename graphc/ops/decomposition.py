"""Matrix decompositions: svd, self_adjoint_eig, qr.

Lives here: those records. Not here: solving (ops/linalg.py). Imports ops.define, ops.linalg.

The gradients of svd are those of Townsend, "Differentiating the singular value decomposition"
(2016); of qr those of Roberts and Roberts, "QR and LQ decomposition matrix backpropagation" (2020).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import float32, float64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import PartialDim, Shape
from graphc.ops.define import F, InferContext, host
from graphc.ops.extents import need_rank_at_least, or_zeros, smaller
from graphc.ops.linalg import REGULAR, adjoint, half, lower_part, product, square_type
from graphc.ops.samples import arg, sample

REAL = (float32, float64)


def _parts(ctx: InferContext) -> tuple[Shape, PartialDim, PartialDim, PartialDim]:
    """(batch axes, rows, columns, the smaller of the two)."""
    need_rank_at_least(ctx, 0, 2)
    shape = ctx.shape(0)
    if shape is None:
        return None, None, None, None
    rows, columns = shape[-2:]
    least = None if rows is None or columns is None else smaller(rows, columns)
    return shape[:-2], rows, columns, least


def _gaps(values: Tensor) -> Tensor:
    """1 / (values[j] - values[i]) at (i, j), zero on the diagonal."""
    apart = F.subtract(F.expand_dims(values, axis=-2), F.expand_dims(values, axis=-1))
    # equal values other than on the diagonal have no gradient either: they give zero
    return F.div_no_nan(F.ones_like(apart), apart)


def _scaled_columns(x: Tensor, factors: Tensor) -> Tensor:
    return F.multiply(x, F.expand_dims(factors, axis=-2))


# ------------------------------------------------------------------ svd
def _svd_types(ctx: InferContext) -> list[TensorType]:
    head, rows, columns, least = _parts(ctx)
    dtype = ctx.dtype(0)
    if head is None:
        return [TensorType(dtype, None)] * (3 if ctx.attrs["compute_uv"] else 1)
    out = [TensorType(dtype, (*head, least))]
    if ctx.attrs["compute_uv"]:
        full = ctx.attrs["full_matrices"]
        out.append(TensorType(dtype, (*head, rows, rows if full else least)))
        out.append(TensorType(dtype, (*head, columns, columns if full else least)))
    return out


def _svd(x: Any, compute_uv: bool, full_matrices: bool) -> Any:
    if not compute_uv:
        return (np.linalg.svd(x, compute_uv=False),)
    u, s, vt = np.linalg.svd(x, full_matrices=full_matrices)
    return s, u, np.swapaxes(vt, -1, -2)


def _svd_grad(node: Node, gs: Any, gu: Any = None, gv: Any = None) -> tuple[Any, ...]:
    x = node.inputs[0]
    if gu is None and gv is None:
        s, u, v = F.svd(x, compute_uv=True, full_matrices=False)
        return (product(_scaled_columns(u, or_zeros(gs, s)), v, adjoint_b=True),)
    s, u, v = node.outputs
    if node.attrs["full_matrices"] and not _is_square(x):
        raise NotImplementedError(
            "SVD gradient with full_matrices=True needs square matrices; use full_matrices=False"
        )
    return (_svd_gradient(s, u, v, or_zeros(gs, s), or_zeros(gu, u), or_zeros(gv, v)),)


def _is_square(x: Tensor) -> bool:
    return x.dims is not None and x.dims[-1] is not None and x.dims[-1] == x.dims[-2]


def _svd_gradient(s: Tensor, u: Tensor, v: Tensor, gs: Tensor, gu: Tensor, gv: Tensor) -> Tensor:
    gaps = _gaps(F.square(s))
    inverse = F.div_no_nan(F.ones_like(s), s)
    in_u, in_v = product(u, gu, adjoint_a=True), product(v, gv, adjoint_a=True)
    turn_u = F.multiply(gaps, F.subtract(in_u, adjoint(in_u)))
    turn_v = F.multiply(gaps, F.subtract(in_v, adjoint(in_v)))
    core = F.add(_scaled_columns(turn_u, s), F.multiply(F.expand_dims(s, axis=-1), turn_v))
    core = F.add(core, F.matrix_diag(gs))
    total = product(product(u, core), v, adjoint_b=True)
    # the parts of the gradients outside the spaces that u and v span
    out_u = _scaled_columns(F.subtract(gu, product(u, in_u)), inverse)
    out_v = _scaled_columns(F.subtract(gv, product(v, in_v)), inverse)
    total = F.add(total, product(out_u, v, adjoint_b=True))
    return F.add(total, product(u, out_v, adjoint_b=True))


svd = host(
    "svd", tf="Svd", infer=_svd_types, numpy=_svd, grad=_svd_grad, args=("input",),
    dtypes={"T": REAL},
    samples=(
        sample(arg((3, 3), REGULAR), compute_uv=False, full_matrices=False),
        sample(arg((2, 4, 3), REGULAR), compute_uv=True, full_matrices=False, tolerance=10),
        sample(arg((3, 4), REGULAR), compute_uv=True, full_matrices=False, tolerance=10),
        sample(arg((4, 3), REGULAR), compute_uv=True, full_matrices=True, grad=False),
    ),
    doc="outputs: singular values, and with compute_uv u and v of x = u diag(s) v'",
)  # fmt: skip


# ------------------------------------------------------------------ self_adjoint_eig
def _eig_types(ctx: InferContext) -> list[TensorType]:
    extent = square_type(ctx)
    shape = ctx.shape(0)
    if shape is None:
        return [TensorType(ctx.dtype(0), None)] * (2 if ctx.attrs["compute_v"] else 1)
    out = [TensorType(ctx.dtype(0), (*shape[:-2], extent))]
    return [*out, TensorType(ctx.dtype(0), shape)] if ctx.attrs["compute_v"] else out


def _eig(x: Any, compute_v: bool) -> Any:
    return tuple(np.linalg.eigh(x)) if compute_v else (np.linalg.eigvalsh(x),)


def _eig_grad(node: Node, ge: Any, gv: Any = None) -> tuple[Any, ...]:
    x = node.inputs[0]
    if gv is None:
        e, v = F.self_adjoint_eig(x, compute_v=True)
        core = F.matrix_diag(or_zeros(ge, e))
    else:
        e, v = node.outputs
        turn = F.multiply(_gaps(e), product(v, gv, adjoint_a=True))
        core = F.add(F.matrix_diag(or_zeros(ge, e)), turn)
    full = product(v, product(core, v, adjoint_b=True))
    # only the lower triangle is read: the gradient of both halves belongs to it
    lower = lower_part(F.add(full, adjoint(full)))
    return (F.matrix_set_diag(lower, half(F.matrix_diag_part(lower))),)


self_adjoint_eig = host(
    "self_adjoint_eig", tf="SelfAdjointEigV2", infer=_eig_types, numpy=_eig, grad=_eig_grad,
    args=("input",), dtypes={"T": REAL},
    samples=(
        sample(arg((3, 3)), compute_v=False), sample(arg((2, 3, 3)), compute_v=True, tolerance=10),
    ),
    doc="outputs: eigenvalues in ascending order, and with compute_v the eigenvectors",
)  # fmt: skip


# ------------------------------------------------------------------ qr
def _qr_types(ctx: InferContext) -> list[TensorType]:
    head, rows, columns, least = _parts(ctx)
    dtype = ctx.dtype(0)
    if head is None:
        return [TensorType(dtype, None)] * 2
    inner = rows if ctx.attrs["full_matrices"] else least
    return [
        TensorType(dtype, (*head, rows, inner)), TensorType(dtype, (*head, inner, columns)),
    ]  # fmt: skip


def _qr(x: Any, full_matrices: bool) -> Any:
    return tuple(np.linalg.qr(x, mode="complete" if full_matrices else "reduced"))


def _over_adjoint(x: Tensor, r: Tensor) -> Tensor:
    """x r^-T."""
    return adjoint(F.matrix_triangular_solve(r, adjoint(x), lower=False, adjoint=False))


def _qr_grad(node: Node, gq: Any, gr: Any) -> tuple[Any, ...]:
    q, r = node.outputs
    if r.dims is None or r.dims[-1] is None or r.dims[-2] is None or r.dims[-1] != r.dims[-2]:
        raise NotImplementedError(
            "QrGrad not implemented when ncols > nrows or full_matrices is true and ncols != nrows."
        )
    gq, gr = or_zeros(gq, q), F.matrix_band_part(or_zeros(gr, r), np.int32(0), np.int32(-1))
    inner_q, inner_r = product(q, gq, adjoint_a=True), product(r, gr, adjoint_b=True)
    skew = F.add(
        F.subtract(inner_q, adjoint(inner_q)), F.subtract(inner_r, adjoint(inner_r))
    )
    first = product(q, F.add(gr, _over_adjoint(lower_part(skew), r)))
    return (F.add(first, _over_adjoint(F.subtract(gq, product(q, inner_q)), r)),)


qr = host(
    "qr", tf="Qr", infer=_qr_types, numpy=_qr, grad=_qr_grad, args=("input",), dtypes={"T": REAL},
    samples=(
        sample(arg((3, 3), REGULAR), full_matrices=False),
        sample(arg((2, 4, 3), REGULAR), full_matrices=False, tolerance=10),
        sample(arg((4, 3), REGULAR), full_matrices=True, grad=False),
    ),
)  # fmt: skip
