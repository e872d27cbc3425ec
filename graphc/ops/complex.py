"""Complex numbers: made of parts and taken apart. Host steps; no kernel computes on them.

Lives here: complex, real, imag, conj, complex_abs. Not here: arithmetic, whose records take complex
dtypes too. Imports ops.define.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import COMPLEX, DType, complex64, complex128, float32, float64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import broadcast_shapes
from graphc.ops.define import F, InferContext, host
from graphc.ops.samples import fixed, sample

_Z = fixed([1 + 2j, -0.5j], complex64)


def _of_parts(ctx: InferContext) -> TensorType:
    dtype = complex128 if ctx.dtype(0) is float64 else complex64
    return TensorType(dtype, broadcast_shapes(ctx.shape(0), ctx.shape(1)))


def _part_type(ctx: InferContext) -> TensorType:
    dtype: DType = ctx.dtype(0).real_dtype
    return TensorType(dtype, ctx.shape(0))


def _complex_grad(node: Node, g: Tensor) -> tuple[Tensor, Tensor]:
    x, y = node.inputs
    parts = F.real(g), F.imag(g)
    return F.sum_to_shape(parts[0], F.shape(x)), F.sum_to_shape(parts[1], F.shape(y))


complex_ = host(
    "complex", tf="Complex", args=("real", "imag"), dtypes={"T": (float32, float64)},
    infer=_of_parts, numpy=lambda x, y: x + 1j * np.asarray(y), grad=_complex_grad,
    samples=(sample(fixed([1.0, 2.0]), fixed([0.5, -3.0]), grad=False),),
)  # fmt: skip

real = host(
    "real", tf="Real", args=("input",), dtypes={"T": COMPLEX}, infer=_part_type, numpy=np.real,
    grad=lambda node, g: (F.complex(g, F.zeros_like(g)),), samples=(sample(_Z, grad=False),),
)  # fmt: skip

imag = host(
    "imag", tf="Imag", args=("input",), dtypes={"T": COMPLEX}, infer=_part_type, numpy=np.imag,
    grad=lambda node, g: (F.complex(F.zeros_like(g), g),), samples=(sample(_Z, grad=False),),
)  # fmt: skip


def _conj_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    return (F.conj(g),)


conj = host(
    "conj", tf="Conj", args=("input",), dtypes={"T": COMPLEX},
    infer=lambda ctx: ctx.inputs[0].type, numpy=np.conj, grad=_conj_grad,
    samples=(sample(_Z, grad=False),),
)  # fmt: skip


def _abs_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    """The direction of x, scaled; zero at zero, as TF's Sign of complex numbers."""
    x, size = node.inputs[0], node.outputs[0]
    share = F.div_no_nan(g, size)
    return (F.multiply(F.complex(share, F.zeros_like(share)), x),)


complex_abs = host(
    "complex_abs", tf="ComplexAbs", args=("x",), dtypes={"T": COMPLEX}, infer=_part_type,
    numpy=np.abs, grad=_abs_grad, samples=(sample(_Z, grad=False),),
)  # fmt: skip
