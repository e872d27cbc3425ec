"""Shared: lower a group, run it in the interpreter, compare with the evaluated definitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from graphc.ir.shape import evaluate_shape
from graphc.kernel.compute import Compute
from graphc.kernel.expr import Buffer
from graphc.kernel.interp import evaluate, run
from graphc.kernel.lower import lower
from graphc.kernel.nest import Kernel
from graphc.kernel.verify import verify

Arrays = dict[Buffer, np.ndarray[Any, Any]]


class Group:
    """A lowered group with its results."""

    def __init__(self, kernels: list[Kernel], arrays: Arrays, status: int) -> None:
        self.kernels = kernels
        self.arrays = arrays
        self.status = status

    @property
    def kernel(self) -> Kernel:
        assert len(self.kernels) == 1
        return self.kernels[0]


def execute(
    computes: Sequence[Compute],
    arrays: Mapping[Buffer, np.ndarray[Any, Any]],
    dims: Mapping[str, int] | None = None,
    **options: Any,
) -> Group:
    dims = dims or {}
    kernels = lower("group", computes, **options)
    memory: Arrays = {b: np.array(a) for b, a in arrays.items()}
    for kernel in kernels:
        verify(kernel)
        for buffer in kernel.outputs:
            if buffer not in memory:
                shape = evaluate_shape(buffer.shape, dims)
                # what is not written must be seen
                memory[buffer] = np.full(shape, 77, buffer.dtype.np)
    status = 0
    for kernel in kernels:
        status |= run(kernel, memory, dims)
    return Group(kernels, memory, status)


@pytest.fixture
def check() -> Callable[..., Group]:
    """Lower, run, and compare every output with the evaluated definition."""

    def checked(
        computes: Sequence[Compute],
        arrays: Mapping[Buffer, np.ndarray[Any, Any]],
        dims: Mapping[str, int] | None = None,
        rtol: float = 1e-5,
        **options: Any,
    ) -> Group:
        group = execute(computes, arrays, dims, **options)
        for compute in computes:
            want = evaluate(compute, arrays, dims)
            place = options.get("inplace", {}).get(compute.buffer, compute.buffer)
            got = group.arrays[place].reshape(want.shape)
            if compute.buffer.dtype.is_floating:
                np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)
            else:
                np.testing.assert_array_equal(got, want)
        return group

    return checked
