"""Inverses, determinants and linear systems.

Lives here: matrix_inverse, matrix_determinant, log_matrix_determinant, cholesky, matrix_solve,
matrix_triangular_solve. Not here: svd, eigenvalues, qr (ops/decomposition.py), products
(ops/matmul.py). Imports ops.define.

They run on the host with LAPACK through NumPy; gradients are formulas of graph ops, as in Giles,
"An extended collection of matrix derivative results for forward and reverse mode AD" (2008), and
Murray, "Differentiation of the Cholesky decomposition" (2016).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import complex64, complex128, float32, float64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import PartialDim, dims_equal, merge_shapes
from graphc.ops.define import F, InferContext, host
from graphc.ops.extents import need_rank_at_least
from graphc.ops.samples import Domain, arg, sample

DTYPES = (float32, float64, complex64, complex128)
REAL = (float32, float64)


# ------------------------------------------------------------------ shared parts
def square_type(ctx: InferContext, i: int = 0) -> PartialDim:
    """The extent of square matrices; raises ShapeError where they are not square."""
    need_rank_at_least(ctx, i, 2)
    shape = ctx.shape(i)
    if shape is None:
        return None
    if dims_equal(shape[-2], shape[-1]) is False:
        raise ctx.fail(f"Dimensions must be equal, but are {shape[-2]} and {shape[-1]}")
    return shape[-1] if shape[-2] is None else shape[-2]


def same_matrices(ctx: InferContext) -> TensorType:
    square_type(ctx)
    return ctx.inputs[0].type


def adjoint(x: Tensor) -> Tensor:
    """The last two axes swapped, conjugated for complex dtypes."""
    if x.rank is None:
        last = F.rank(x)
        head = F.range(0, F.subtract(last, 2), 1)
        tail = F.stack(F.subtract(last, 1), F.subtract(last, 2), axis=0)
        turned = F.transpose_v(x, F.concat(head, tail, axis=0))
    else:
        axes = tuple(range(x.rank))
        turned = F.transpose(x, perm=(*axes[:-2], axes[-1], axes[-2]))
    return F.conj(turned) if x.dtype.is_complex else turned


def product(a: Tensor, b: Tensor, adjoint_a: bool = False, adjoint_b: bool = False) -> Tensor:
    """matmul with adjoints."""
    if a.dtype.is_complex:
        a, b = adjoint(a) if adjoint_a else a, adjoint(b) if adjoint_b else b
        return F.matmul(a, b, transpose_a=False, transpose_b=False)
    return F.matmul(a, b, transpose_a=adjoint_a, transpose_b=adjoint_b)


def half(x: Tensor) -> Tensor:
    return F.multiply(x, np.asarray(0.5, x.dtype.np))


def swapped(x: Any) -> Any:
    return np.conj(np.swapaxes(x, -1, -2))


def spread_over_matrices(x: Tensor) -> Tensor:
    """A value for each matrix as (..., 1, 1)."""
    return F.expand_dims(F.expand_dims(x, axis=-1), axis=-1)


def _well_conditioned(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
    return (rng.uniform(-1, 1, shape) + 2.5 * np.eye(shape[-2], shape[-1])).astype(dtype.np)


def _definite(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
    x = rng.uniform(-1, 1, shape)
    return (x @ np.swapaxes(x, -1, -2) + np.eye(shape[-1])).astype(dtype.np)


REGULAR = Domain(_well_conditioned, text="well conditioned")
DEFINITE = Domain(_definite, smooth=False, text="symmetric, positive definite")


# ------------------------------------------------------------------ inverse
def _inverse(x: Any, adjoint: bool) -> Any:
    try:
        return np.linalg.inv(swapped(x) if adjoint else x)
    except np.linalg.LinAlgError:
        raise InvalidArgumentError("Input is not invertible.") from None


def _inverse_grad(node: Node, g: Tensor) -> tuple[Tensor, ...]:
    y = node.outputs[0]
    back = F.negative(product(y, product(g, y, adjoint_b=True), adjoint_a=True))
    return (adjoint(back) if node.attrs["adjoint"] else back,)


matrix_inverse = host(
    "matrix_inverse", tf="MatrixInverse", infer=same_matrices, numpy=_inverse, grad=_inverse_grad,
    args=("input",), dtypes={"T": DTYPES},
    samples=(
        sample(arg((3, 3), REGULAR), adjoint=False, dtypes=REAL),
        sample(arg((2, 3, 3), REGULAR), adjoint=True, dtypes=REAL),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ determinants
def _batch_type(ctx: InferContext) -> TensorType:
    square_type(ctx)
    shape = ctx.shape(0)
    return TensorType(ctx.dtype(0), None if shape is None else shape[:-2])


def _determinant_grad(node: Node, g: Tensor) -> tuple[Tensor, ...]:
    x, y = node.inputs[0], node.outputs[0]
    scale = spread_over_matrices(F.multiply(g, F.conj(y) if y.dtype.is_complex else y))
    return (F.multiply(F.matrix_inverse(x, adjoint=True), scale),)


matrix_determinant = host(
    "matrix_determinant", tf="MatrixDeterminant", infer=_batch_type, numpy=np.linalg.det,
    grad=_determinant_grad, args=("input",), dtypes={"T": DTYPES},
    samples=(
        sample(arg((3, 3), REGULAR), dtypes=REAL), sample(arg((2, 2, 2), REGULAR), dtypes=REAL),
    ),
)  # fmt: skip


def _log_determinant_grad(node: Node, _: Any, g: Any) -> tuple[Any, ...]:
    if g is None:
        return (None,)
    x = node.inputs[0]
    return (F.multiply(F.matrix_inverse(x, adjoint=True), spread_over_matrices(g)),)


log_matrix_determinant = host(
    "log_matrix_determinant", tf="LogMatrixDeterminant",
    infer=lambda ctx: [_batch_type(ctx)] * 2, numpy=lambda x: tuple(np.linalg.slogdet(x)),
    grad=_log_determinant_grad, args=("input",), dtypes={"T": REAL},
    samples=(sample(arg((3, 3), REGULAR)), sample(arg((2, 2, 2), REGULAR))),
    doc="outputs: sign and logarithm of the absolute value",
)  # fmt: skip


# ------------------------------------------------------------------ cholesky
def _cholesky(x: Any) -> Any:
    try:
        return np.linalg.cholesky(x)
    except np.linalg.LinAlgError:
        raise InvalidArgumentError(
            "Cholesky decomposition was not successful. The input might not be valid."
        ) from None


def lower_part(x: Tensor) -> Tensor:
    return F.matrix_band_part(x, np.int32(-1), np.int32(0))


def _cholesky_grad(node: Node, g: Tensor) -> tuple[Tensor, ...]:
    """With P = lower triangle of L'G, half its diagonal: the symmetric part of L^-T P L^-1."""
    root = node.outputs[0]
    inner = product(root, lower_part(g), adjoint_a=True)
    inner = lower_part(F.matrix_set_diag(inner, half(F.matrix_diag_part(inner))))
    left = F.matrix_triangular_solve(root, inner, lower=True, adjoint=True)
    both = adjoint(F.matrix_triangular_solve(root, adjoint(left), lower=True, adjoint=True))
    return (half(F.add(both, adjoint(both))),)


cholesky = host(
    "cholesky", tf="Cholesky", infer=same_matrices, numpy=_cholesky, grad=_cholesky_grad,
    args=("input",), dtypes={"T": REAL},
    samples=(
        # the numeric check moves entries one by one, which leaves the symmetric matrices
        sample(arg((3, 3), DEFINITE), grad=False), sample(arg((2, 4, 4), DEFINITE), grad=False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ linear systems
def _solve_type(ctx: InferContext) -> TensorType:
    extent = square_type(ctx)
    need_rank_at_least(ctx, 1, 2)
    matrix, right = ctx.shape(0), ctx.shape(1)
    if matrix is None or right is None:
        return TensorType(ctx.dtype(0), None)
    if dims_equal(extent, right[-2]) is False:
        raise ctx.fail(f"Dimensions must be equal, but are {extent} and {right[-2]}")
    try:
        head = merge_shapes(matrix[:-2], right[:-2])
    except ValueError as err:
        raise ctx.fail(str(err)) from None
    rows = right[-2] if extent is None else extent
    return TensorType(ctx.dtype(0), (*(head or ()), rows, right[-1]))


def _solve(matrix: Any, right: Any, adjoint: bool) -> Any:
    try:
        return np.linalg.solve(swapped(matrix) if adjoint else matrix, right)
    except np.linalg.LinAlgError:
        raise InvalidArgumentError("Input matrix is not invertible.") from None


def _system_grads(node: Node, back: Tensor) -> Tensor:
    """The gradient of the matrix from that of the right side."""
    y = node.outputs[0]
    if node.attrs["adjoint"]:
        return F.negative(product(y, back, adjoint_b=True))
    return F.negative(product(back, y, adjoint_b=True))


def _solve_grad(node: Node, g: Tensor) -> tuple[Tensor, ...]:
    back = F.matrix_solve(node.inputs[0], g, adjoint=not node.attrs["adjoint"])
    return _system_grads(node, back), back


matrix_solve = host(
    "matrix_solve", tf="MatrixSolve", infer=_solve_type, numpy=_solve, grad=_solve_grad,
    args=("matrix", "rhs"), dtypes={"T": DTYPES},
    samples=(
        sample(arg((3, 3), REGULAR), arg((3, 2)), adjoint=False, dtypes=REAL),
        sample(arg((2, 3, 3), REGULAR), arg((2, 3, 1)), adjoint=True, dtypes=REAL),
    ),
)  # fmt: skip


def _triangular_solve(matrix: Any, right: Any, lower: bool, adjoint: bool) -> Any:
    part = np.tril(matrix) if lower else np.triu(matrix)
    if (np.diagonal(part, axis1=-2, axis2=-1) == 0).any():
        raise InvalidArgumentError("Input matrix is not invertible.")
    return np.linalg.solve(swapped(part) if adjoint else part, right)


def _triangular_grad(node: Node, g: Tensor) -> tuple[Tensor, ...]:
    lower, turned = node.attrs["lower"], node.attrs["adjoint"]
    back = F.matrix_triangular_solve(node.inputs[0], g, lower=lower, adjoint=not turned)
    full = _system_grads(node, back)
    low, high = (np.int32(-1), np.int32(0)) if lower else (np.int32(0), np.int32(-1))
    return F.matrix_band_part(full, low, high), back


matrix_triangular_solve = host(
    "matrix_triangular_solve", tf="MatrixTriangularSolve", infer=_solve_type,
    numpy=_triangular_solve, grad=_triangular_grad, args=("matrix", "rhs"), dtypes={"T": DTYPES},
    samples=(
        sample(arg((3, 3), REGULAR), arg((3, 2)), lower=True, adjoint=False, dtypes=REAL),
        sample(arg((2, 3, 3), REGULAR), arg((2, 3, 1)), lower=False, adjoint=True, dtypes=REAL),
        sample(arg((3, 3), REGULAR), arg((3, 2)), lower=True, adjoint=True, dtypes=REAL),
    ),
)  # fmt: skip
