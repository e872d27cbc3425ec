"""TF1's linear algebra: tf.matmul, tf.norm, tf.cholesky, tf.svd, ... and the names of tf.linalg.

Lives here: wrappers of ops/matmul.py, ops/linalg.py and ops/decomposition.py. Not here: einsum and
tensordot (tf1/einsum.py), diagonals (api_create.py); both are exported here too. Imports ops.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import bfloat16, float32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.ops.linalg import adjoint as adjoint_of
from graphc.tf1.api_array import matrix_transpose
from graphc.tf1.api_create import (
    diag,
    diag_part,
    eye,
    matrix_band_part,
    matrix_diag,
    matrix_diag_part,
    matrix_set_diag,
)
from graphc.tf1.arguments import renamed, static_ints
from graphc.tf1.einsum import einsum, tensordot

__all__ = [
    "adjoint", "batch_matmul", "cholesky", "cholesky_solve", "cross", "diag", "diag_part",
    "einsum", "eye", "logdet", "matmul", "matrix_band_part", "matrix_determinant", "matrix_diag",
    "matrix_diag_part", "matrix_inverse", "matrix_set_diag", "matrix_solve", "matrix_transpose",
    "matrix_triangular_solve", "matvec", "norm", "qr", "self_adjoint_eig", "self_adjoint_eigvals",
    "slogdet", "svd", "tensordot", "trace",
]  # fmt: skip


# ------------------------------------------------------------------ products
def matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The matrix product a @ b over the last two axes; axes before them broadcast.

    Args:
        a, b: (..., m, k) and (..., k, n), or transposed where the flags say so. The sparsity
            flags are hints and change nothing.

    Raises:
        ValueError: a matrix both transposed and adjoint. ShapeError: "Dimensions must be equal, but
        are 3 and 4".
    """
    if transpose_a and adjoint_a:
        raise ValueError("Only one of transpose_a and adjoint_a can be True.")
    if transpose_b and adjoint_b:
        raise ValueError("Only one of transpose_b and adjoint_b can be True.")
    left, right = _pair(a, b)
    if (a_is_sparse or b_is_sparse) and left.dtype is not right.dtype:
        left, right = (_float32(t) for t in (left, right))
    if left.dtype.is_complex:
        left, right = _conjugated(left, adjoint_a), _conjugated(right, adjoint_b)
    return F.matmul(
        left, right, transpose_a=bool(transpose_a or adjoint_a),
        transpose_b=bool(transpose_b or adjoint_b), name=name,
    )  # fmt: skip


def _float32(x: Tensor) -> Tensor:
    return F.cast(x, dtype=float32) if x.dtype is bfloat16 else x


def _conjugated(x: Tensor, wanted: bool) -> Tensor:
    return F.conj(x) if wanted else x


def _pair(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Two operands; the one that is a tensor already decides the dtype of the other."""
    if is_tensor_like(b) and not is_tensor_like(a):
        right = convert_to_tensor(b)
        fits = not isinstance(a, np.ndarray | np.generic)
        return convert_to_tensor(a, right.dtype if fits else None), right
    left = convert_to_tensor(a)
    return left, convert_to_tensor(b, None if is_tensor_like(b) else left.dtype)


def batch_matmul(
    x: Any, y: Any, adj_x: bool = False, adj_y: bool = False, name: str | None = None
) -> Tensor:
    """matmul with adjoint flags (the op BatchMatMul)."""
    return matmul(x, y, adjoint_a=adj_x, adjoint_b=adj_y, name=name)


def matvec(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    adjoint_a: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """Matrices times vectors: (..., m, k) and (..., k) to (..., m)."""
    left, right = _pair(a, b)
    column = F.expand_dims(right, axis=-1)
    out = matmul(left, column, transpose_a=transpose_a, adjoint_a=adjoint_a)
    return F.squeeze(out, axes=(-1,), name=name)


def cross(a: Any, b: Any, name: str | None = None) -> Tensor:
    """The cross product of vectors of three along the last axis.

    Raises:
        ShapeError: a last axis that is not three.
    """
    x, y = _pair(a, b)
    x1, x2, x3 = F.unstack(x, num=3, axis=-1)
    y1, y2, y3 = F.unstack(y, num=3, axis=-1)
    parts = [
        F.subtract(F.multiply(p, q), F.multiply(r, s))
        for p, q, r, s in ((x2, y3, x3, y2), (x3, y1, x1, y3), (x1, y2, x2, y1))
    ]
    return F.stack(*parts, axis=-1, name=name or "Cross")


# ------------------------------------------------------------------ norms and traces
def norm(
    tensor: Any,
    ord: Any = "euclidean",
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """Vector and matrix norms.

    Args:
        ord: "euclidean", "fro", 1, 2, np.inf or another positive number (the p-norm of vectors).
        axis: None: the whole tensor as one vector; an int: vectors; a pair: matrices.

    Raises:
        ValueError: an ord that the axis does not allow.
    """
    keep = bool(renamed("keep_dims", keep_dims, "keepdims", keepdims))
    x = convert_to_tensor(tensor)
    axes = None if axis is None else static_ints(axis, "axis")
    matrix = axes is not None and len(axes) == 2
    if axes is not None and len(axes) not in (1, 2):
        raise ValueError("'axis' must be None, an integer, or a tuple of 2 unique integers")
    _check_order(ord, matrix)
    with x.graph.name_scope(name or "norm"):
        if matrix and ord in (1, np.inf, 2):
            return _matrix_norm(x, ord, axes, keep)  # type: ignore[arg-type]
        return _vector_norm(x, ord, axes, keep)


def _check_order(order: Any, matrix: bool) -> None:
    named = ("euclidean", "fro", 1, 2, np.inf)
    if matrix and not (isinstance(order, str | int | float) and order in named):
        raise ValueError(
            f"'ord' must be a supported matrix norm in {list(named)}, got {order!r} instead"
        )
    number = isinstance(order, int | float | np.number) and order > 0
    if not matrix and not number and order != "euclidean":
        raise ValueError(f"'ord' must be a supported vector norm, got {order!r} instead")


def _sum(x: Tensor, axes: tuple[int, ...] | None, keep: bool) -> Tensor:
    return F.reduce_sum(x, axes=axes, keepdims=keep)


def _vector_norm(x: Tensor, order: Any, axes: tuple[int, ...] | None, keep: bool) -> Tensor:
    if order in ("euclidean", "fro", 2):
        return F.sqrt(_sum(F.square(x), axes, keep))
    size = F.abs(x)
    if order == np.inf:
        return F.reduce_max(size, axes=axes, keepdims=keep)
    if order == 1:
        return _sum(size, axes, keep)
    power = np.asarray(order, x.dtype.np)
    return F.pow(_sum(F.pow(size, power), axes, keep), np.asarray(1.0 / order, x.dtype.np))


def _matrix_norm(x: Tensor, order: Any, axes: tuple[int, int], keep: bool) -> Tensor:
    if x.rank is None:
        raise ValueError("a matrix norm needs a tensor of known rank")
    rows, columns = (a % x.rank for a in axes)
    if order == 2:
        moved = F.transpose(
            x, perm=(*(a for a in range(x.rank) if a not in (rows, columns)), rows, columns)
        )
        values = F.svd(moved, compute_uv=False, full_matrices=False)
        out = F.reduce_max(values, axes=(-1,), keepdims=False)
    else:
        inner, outer = (rows, columns) if order == 1 else (columns, rows)
        sums = _sum(F.abs(x), (inner,), True)
        out = F.squeeze(F.reduce_max(sums, axes=(outer,), keepdims=True), axes=(rows, columns))
    for axis in sorted((rows, columns)) if keep else ():
        out = F.expand_dims(out, axis=axis)
    return out


def trace(x: Any, name: str | None = None) -> Tensor:
    """The sum of the diagonal of each matrix."""
    diagonal = F.matrix_diag_part(convert_to_tensor(x))
    return F.reduce_sum(diagonal, axes=(-1,), keepdims=False, name=name or "Trace")


def adjoint(matrix: Any, name: str | None = None) -> Tensor:
    """The last two axes swapped, conjugated for complex dtypes."""
    return F.identity(adjoint_of(convert_to_tensor(matrix)), name=name or "adjoint")


# ------------------------------------------------------------------ inverses and systems
def matrix_inverse(input: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """The inverse of each matrix (of its adjoint).

    Raises:
        InvalidArgumentError when run: "Input is not invertible."
    """
    return F.matrix_inverse(convert_to_tensor(input), adjoint=adjoint, name=name)


def matrix_determinant(input: Any, name: str | None = None) -> Tensor:
    """The determinant of each matrix."""
    return F.matrix_determinant(convert_to_tensor(input), name=name)


def slogdet(input: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Sign and logarithm of the absolute value of the determinant of each matrix."""
    out: tuple[Tensor, Tensor] = F.log_matrix_determinant(convert_to_tensor(input), name=name)
    return out


def logdet(matrix: Any, name: str | None = None) -> Tensor:
    """The logarithm of the determinant of symmetric, positive definite matrices."""
    root = F.cholesky(convert_to_tensor(matrix))
    logs = F.log(F.matrix_diag_part(root))
    total = F.reduce_sum(logs, axes=(-1,), keepdims=False)
    return F.multiply(total, np.asarray(2.0, total.dtype.np), name=name)


def cholesky(input: Any, name: str | None = None) -> Tensor:
    """The lower triangular L with L L' = input, for symmetric, positive definite matrices.

    Raises:
        InvalidArgumentError when run: "Cholesky decomposition was not successful."
    """
    return F.cholesky(convert_to_tensor(input), name=name)


def cholesky_solve(chol: Any, rhs: Any, name: str | None = None) -> Tensor:
    """X with L L' X = rhs for the cholesky factor L."""
    root, right = _pair(chol, rhs)
    inner = F.matrix_triangular_solve(root, right, lower=True, adjoint=False)
    return F.matrix_triangular_solve(root, inner, lower=True, adjoint=True, name=name)


def matrix_solve(
    matrix: Any, rhs: Any, adjoint: bool = False, name: str | None = None
) -> Tensor:
    """X with matrix X = rhs.

    Raises:
        InvalidArgumentError when run: "Input matrix is not invertible."
    """
    left, right = _pair(matrix, rhs)
    return F.matrix_solve(left, right, adjoint=adjoint, name=name)


def matrix_triangular_solve(
    matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: str | None = None
) -> Tensor:
    """X with matrix X = rhs; only one triangle of the matrix is read."""
    left, right = _pair(matrix, rhs)
    return F.matrix_triangular_solve(left, right, lower=lower, adjoint=adjoint, name=name)


# ------------------------------------------------------------------ decompositions
def svd(
    tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None
) -> Any:
    """Singular values s, and with compute_uv u and v: tensor = u diag(s) v'."""
    x = convert_to_tensor(tensor)
    return F.svd(x, compute_uv=compute_uv, full_matrices=full_matrices, name=name)


def self_adjoint_eig(tensor: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Eigenvalues (ascending) and eigenvectors of symmetric matrices; reads the lower triangle."""
    x = convert_to_tensor(tensor)
    out: tuple[Tensor, Tensor] = F.self_adjoint_eig(x, compute_v=True, name=name)
    return out


def self_adjoint_eigvals(tensor: Any, name: str | None = None) -> Tensor:
    """Eigenvalues (ascending) of symmetric matrices."""
    return F.self_adjoint_eig(convert_to_tensor(tensor), compute_v=False, name=name)


def qr(
    input: Any,
    full_matrices: bool = False,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """q with orthonormal columns and upper triangular r: input = q r."""
    x = convert_to_tensor(input)
    out: tuple[Tensor, Tensor] = F.qr(x, full_matrices=full_matrices, name=name)
    return out
