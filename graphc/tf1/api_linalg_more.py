"""More of tf.linalg: least squares, pseudo-inverses, ranks, exponentials of matrices.

Lives here: functions made of those in tf1/api_linalg.py. Not here: operators
(tf1/linear_operator.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_linalg as linalg
from graphc.tf1 import api_math as math
from graphc.tf1.scopes import name_scope

__all__ = ["expm", "lstsq", "matrix_rank", "matrix_solve_ls", "normalize", "pinv"]


def lstsq(
    matrix: Any, rhs: Any, l2_regularizer: Any = 0.0, fast: bool = True, name: str | None = None
) -> Tensor:
    """X with the least |matrix X - rhs|^2 + l2_regularizer |X|^2 (tf.linalg.lstsq).

    Args:
        matrix: [..., m, n]. rhs: [..., m, k]. fast: by the Cholesky factor of matrix' matrix (or
            matrix matrix' where m < n), which squares the condition; else by singular values.

    Returns:
        [..., n, k]; of the solutions of an underdetermined system the shortest.

    Raises:
        ValueError: extents that the graph does not know.
    """
    with name_scope(name or "matrix_solve_ls") as scope:
        a, b = convert_to_tensor(matrix, name="matrix"), convert_to_tensor(rhs, name="rhs")
        rows, columns = (a.dims or (None, None))[-2:]
        if not isinstance(rows, int) or not isinstance(columns, int):
            raise ValueError("the last two extents of matrix must be known")
        if not fast:
            return F.identity(_by_singular_values(a, b, l2_regularizer), name=scope)
        over = rows >= columns
        gram = linalg.matmul(a, a, adjoint_a=over, adjoint_b=not over)
        ridge = convert_to_tensor(l2_regularizer, a.dtype.real_dtype)
        eye = arrays.eye(min(rows, columns), dtype=a.dtype)
        factor = linalg.cholesky(gram + math.cast(ridge, a.dtype) * eye)
        if over:
            solved = linalg.cholesky_solve(factor, linalg.matmul(a, b, adjoint_a=True))
            return F.identity(solved, name=scope)
        return linalg.matmul(a, linalg.cholesky_solve(factor, b), adjoint_a=True, name=scope)


def _by_singular_values(a: Tensor, b: Tensor, ridge: Any) -> Tensor:
    s, u, v = linalg.svd(a)
    least = np.finfo(a.dtype.np).eps * max(int(d) for d in (a.dims or ())[-2:])  # type: ignore[arg-type]
    kept = s > least * math.reduce_max(s, -1, keepdims=True)
    weight = s / (math.square(s) + math.cast(convert_to_tensor(ridge), s.dtype))
    factors = F.select_v2(kept, weight, F.zeros_like(s))
    return linalg.matmul(
        v, F.expand_dims(factors, axis=-1) * linalg.matmul(u, b, adjoint_a=True)
    )


def matrix_solve_ls(
    matrix: Any, rhs: Any, l2_regularizer: Any = 0.0, fast: bool = True, name: str | None = None
) -> Tensor:
    """lstsq under its earlier name (tf.matrix_solve_ls)."""
    return lstsq(matrix, rhs, l2_regularizer, fast, name)


def pinv(
    a: Any, rcond: Any = None, validate_args: bool = False, name: str | None = None
) -> Tensor:
    """The Moore-Penrose inverse of each matrix [..., m, n]: [..., n, m].

    Args:
        rcond: singular values up to this times the largest are taken as zero, default
            10 max(m, n) eps.
    """
    with name_scope(name or "pinv") as scope:
        x = convert_to_tensor(a, name="a")
        s, u, v = linalg.svd(x)
        if rcond is None:
            extents = F.cast(F.shape(x)[-2:], dtype=s.dtype)
            larger = F.reduce_max(extents, axes=None, keepdims=False)
            bound = larger * (10.0 * float(np.finfo(s.dtype.np).eps))
        else:
            bound = F.expand_dims(convert_to_tensor(rcond, s.dtype), axis=-1)
        kept = s > bound * math.reduce_max(s, -1, keepdims=True)
        inverse = F.select_v2(kept, 1 / F.select_v2(kept, s, F.ones_like(s)), F.zeros_like(s))
        scaled = v * F.expand_dims(inverse, axis=-2)
        return linalg.matmul(scaled, u, adjoint_b=True, name=scope)


def matrix_rank(
    a: Any, tol: Any = None, validate_args: bool = False, name: str | None = None
) -> Tensor:
    """The number of singular values above `tol`, default eps max(m, n) times the largest."""
    with name_scope(name or "matrix_rank") as scope:
        x = convert_to_tensor(a)
        s = linalg.svd(x, compute_uv=False)
        if tol is None:
            extents = F.cast(F.shape(x)[-2:], dtype=s.dtype)
            larger = F.reduce_max(extents, axes=None, keepdims=False)
            tol = math.reduce_max(s, -1, keepdims=True) * larger * float(np.finfo(s.dtype.np).eps)
        counted = math.cast(s > tol, "int32")
        return F.reduce_sum(counted, axes=(-1,), keepdims=False, name=scope)


def expm(input: Any, name: str | None = None) -> Tensor:
    """The exponential of each square matrix (tf.linalg.expm)."""
    return F.matrix_exponential(convert_to_tensor(input), name=name or "matrix_exponential")


def normalize(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """(tensor / norm, norm), the norm as tf.norm's with keepdims (tf.linalg.normalize)."""
    with name_scope(name or "normalize"):
        x = convert_to_tensor(tensor)
        size = linalg.norm(x, ord, axis, keepdims=True)
        return x / math.cast(size, x.dtype), size
