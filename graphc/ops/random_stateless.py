"""Random states from seeds that a run gives: tf.random.stateless_uniform and its kin.

Lives here: seeded_state. Not here: what is drawn with a state (ops/random.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import int32, int64, uint32
from graphc.ir.node import TensorType
from graphc.ir.shape import dims_equal
from graphc.ops import philox
from graphc.ops.define import InferContext, host
from graphc.ops.extents import need_rank
from graphc.ops.samples import fixed, sample

Array = np.ndarray[Any, Any]
_KEY = (0x3EC8F720, 0x02461E29)  # TensorFlow's, so that the numbers are TensorFlow's
_LOW = 0xFFFFFFFF


def _type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 1)
    dims = ctx.shape(0)
    if dims is not None and dims_equal(dims[0], 2) is False:
        raise ctx.fail("seed must have shape [2]")
    return TensorType(uint32, (4,))


def _state(seed: Any) -> Array:
    """One block of the generator at both numbers mixes them."""
    halves = [h for v in np.asarray(seed) for h in (int(v) & _LOW, (int(v) >> 32) & _LOW)]
    mixed = philox.generate(np.array([halves], np.uint32), _KEY)
    return mixed.reshape(-1)[:4].astype(np.uint32)


seeded_state = host(
    "seeded_state", tf="SeededState", args=("seed",), dtypes={"T": (int32, int64)}, infer=_type,
    numpy=_state, nograd="a random state is no smooth function",
    doc="uint32 [key0, key1, counter_lo, counter_hi] of two numbers",
    samples=(sample(fixed([3, 5], int32), grad=False),),
)  # fmt: skip
