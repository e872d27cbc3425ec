"""The exponential of square matrices: a host step with a gradient of its own kind.

Lives here: matrix_exponential. Not here: other functions of matrices (ops/linalg.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.node import Node, Tensor
from graphc.ops.define import F, host
from graphc.ops.linalg import DTYPES, REAL, REGULAR, adjoint, same_matrices
from graphc.ops.samples import arg, sample

Array = np.ndarray[Any, Any]
# the Pade approximant of degree 13, and how large a matrix it is exact for (Higham, 2005)
_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
    129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0,
    960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
_LARGEST = 5.37


def _one(x: Array) -> Array:
    """exp of one matrix: scaled down, approximated, squared up again."""
    size = float(np.abs(x).sum(0).max(initial=0.0))
    if not np.isfinite(size):
        return np.full_like(x, np.nan)
    squarings = max(0, int(np.ceil(np.log2(size / _LARGEST)))) if size > _LARGEST else 0
    a = x / 2.0**squarings
    eye = np.eye(len(x), dtype=x.dtype)
    a2 = a @ a
    a4, a6 = a2 @ a2, a2 @ a2 @ a2
    b = _PADE
    odd = a @ (
        a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * eye
    )
    even = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2
    even = even + b[0] * eye
    out = np.linalg.solve(even - odd, even + odd)
    for _ in range(squarings):
        out = out @ out
    return out


def _exponential(x: Array) -> Array:
    wide = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
    flat = wide.reshape(-1, *x.shape[-2:])
    return np.array([_one(m) for m in flat], wide.dtype).reshape(x.shape).astype(x.dtype)


def _exponential_grad(node: Node, g: Tensor) -> tuple[Tensor]:
    """The upper right block of exp([[x', g], [0, x']]) (Al-Mohy and Higham, 2009)."""
    turned = adjoint(node.inputs[0])
    size = F.shape(turned)[-1]
    upper = F.concat(turned, g, axis=-1)
    lower = F.concat(F.zeros_like(turned), turned, axis=-1)
    whole = F.matrix_exponential(F.concat(upper, lower, axis=-2))
    rows = F.gather(whole, F.range(0, size, 1), axis=-2, batch_dims=0)
    columns = F.range(size, F.multiply(size, 2), 1)
    return (F.gather(rows, columns, axis=-1, batch_dims=0),)


matrix_exponential = host(
    "matrix_exponential", tf="MatrixExponential", infer=same_matrices, numpy=_exponential,
    grad=_exponential_grad, args=("input",), dtypes={"T": DTYPES},
    samples=(
        sample(arg((3, 3), REGULAR), dtypes=REAL), sample(arg((2, 2, 2), REGULAR), dtypes=REAL),
    ),
)  # fmt: skip
