"""The vector printer on random kernels: the interpreter's values and flags."""

from __future__ import annotations

import random

import numpy as np
import pytest

from graphc.ir.shape import evaluate_shape
from graphc.kernel import interp
from graphc.kernel.lower import lower
from tests.kernel.test_random_groups import DIMS, Maker
from tests.render.nests import flat_kernel, outputs_for, samples
from tests.render.test_numba_values import ALL_TYPES, random_values
from tests.render.vector_nests import check, run_kernel


@pytest.mark.parametrize("seed", range(12))
def test_random_expressions_of_all_types(seed: int) -> None:
    pytest.importorskip("ml_dtypes")
    rng = random.Random(seed)
    kernel = flat_kernel(
        ALL_TYPES, lambda *given: random_values(rng, list(given), 40)[-12:], flags=True
    )
    args = [samples(dtype, 67, seed + 1) for dtype in ALL_TYPES]
    arrays = dict(zip(kernel.buffers, [*args, *outputs_for(kernel, 67)], strict=True))
    got, status = run_kernel(kernel, arrays, {"batch": 67})
    want = {b: a.copy() for b, a in arrays.items()}
    assert interp.run(kernel, want, {"batch": 67}) == status
    for buffer in kernel.outputs:
        # which zero a maximum gives is open
        np.testing.assert_array_equal(got[buffer].astype("f8"), want[buffer].astype("f8"))


@pytest.mark.parametrize("seed", range(40))
def test_random_group_of_reductions_and_movements(seed: int) -> None:
    maker = Maker(seed)
    for _ in range(int(maker.rng.integers(2, 9))):
        maker.step()
    computes = maker.group()
    memory = {b: np.array(a) for b, a in maker.arrays.items()}
    for kernel in lower("group", computes) if computes else []:
        for buffer in kernel.outputs:
            shape = evaluate_shape(buffer.shape, DIMS)
            memory.setdefault(buffer, np.full(shape, 77, buffer.dtype.np))
        arrays = {b: memory[b] for b in kernel.buffers}
        memory.update(check(kernel, arrays, DIMS, rtol=1e-5, atol=1e-5))
