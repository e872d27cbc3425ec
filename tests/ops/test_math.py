"""Arithmetic, elementary and special functions: kernels, gradients, dtypes, TF1's conventions."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import bfloat16, float16, float32, float64, int32, int64, uint8
from graphc.ir.graph import Graph
from graphc.ops.define import F
from tests.ops.checks import Case, check_gradient, check_kernel, placeholder, records, walk

RECORDS = records("math", "math_special", "gamma", "complex")
WITH_KERNEL = [r for r in RECORDS if r.kernel is not None]
NAMES = {"ids": lambda r: r.name}


@pytest.mark.parametrize("op", WITH_KERNEL, **NAMES)
@pytest.mark.parametrize("dtype", [float32, float64, float16, int32], ids=str)
def test_kernel_agrees_with_the_reference(op, dtype):
    if dtype not in op.dtypes["T"]:
        pytest.skip("not of this op")
    loose = {"rtol": 2e-3, "atol": 2e-3} if dtype is float16 else {}
    check_kernel(op, dtype, **loose)


@pytest.mark.parametrize("op", [r for r in RECORDS if r.grad], **NAMES)
def test_first_and_second_gradients_agree_with_differences(op):
    check_gradient(op)
