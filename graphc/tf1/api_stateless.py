"""Random numbers that are a function of their seed (tf.random.stateless_uniform, ...).

Lives here: those functions. Not here: the ops that draw (ops/random.py), streams that go on from
run to run (tf1/api_random.py).

The same shape and seed give the same numbers in every run, session and process. Uniform and
normal floats are TensorFlow's own.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import DType, as_dtype, float32, int32, int64
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.arguments import index_tensor
from graphc.tf1.scopes import name_scope

__all__ = [
    "stateless_multinomial", "stateless_random_normal", "stateless_random_uniform",
    "stateless_truncated_normal",
]  # fmt: skip


def _seeded(seed: Any) -> Tensor:
    """The random state of a seed.

    Raises:
        ValueError: a seed of another shape than [2].
    """
    found = convert_to_tensor(seed)
    return F.seeded_state(found if found.dtype in (int32, int64) else F.cast(found, dtype=int64))


def stateless_random_uniform(
    shape: Any, seed: Any, minval: Any = 0, maxval: Any = None, dtype: Any = float32,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Uniform numbers in [minval, maxval), a function of `seed`.

    Args:
        seed: two numbers. maxval: 1 for floats where it is not given.

    Raises:
        ValueError: an integer dtype without maxval; a seed of another shape.
    """
    wanted: DType = as_dtype(dtype)
    if maxval is None:
        if wanted.is_integer:
            raise ValueError(f"Must specify maxval for integer dtype {wanted!r}")
        maxval = 1
    with name_scope(name or "stateless_random_uniform") as scope:
        extents, state = index_tensor(shape), _seeded(seed)
        low = convert_to_tensor(minval, wanted, "min")
        high = convert_to_tensor(maxval, wanted, "max")
        if wanted.is_integer:
            return F.random_uniform_int(extents, low, high, state, name=scope)
        drawn = F.random_uniform(extents, state, dtype=wanted)
        return F.add(F.multiply(drawn, F.subtract(high, low)), low, name=scope)


def stateless_random_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Normal numbers, a function of `seed`."""
    with name_scope(name or "stateless_random_normal") as scope:
        drawn = F.random_normal(index_tensor(shape), _seeded(seed), dtype=as_dtype(dtype))
        return _scaled(drawn, mean, stddev, scope)


def stateless_truncated_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Normal numbers within two standard deviations of the mean, a function of `seed`."""
    with name_scope(name or "stateless_truncated_normal") as scope:
        drawn = F.truncated_normal(index_tensor(shape), _seeded(seed), dtype=as_dtype(dtype))
        return _scaled(drawn, mean, stddev, scope)


def _scaled(drawn: Tensor, mean: Any, stddev: Any, scope: str) -> Tensor:
    centre = convert_to_tensor(mean, drawn.dtype, "mean")
    spread = convert_to_tensor(stddev, drawn.dtype, "stddev")
    return F.add(F.multiply(drawn, spread), centre, name=scope)


def stateless_multinomial(
    logits: Any, num_samples: Any, seed: Any, output_dtype: Any = int64, name: str | None = None
) -> Tensor:
    """Class numbers drawn with probability softmax(logits): [batch, num_samples]."""
    with name_scope(name or "stateless_multinomial") as scope:
        count = convert_to_tensor(num_samples, int32)
        return F.multinomial(
            convert_to_tensor(logits), count, _seeded(seed),
            output_dtype=as_dtype(output_dtype), name=scope,
        )  # fmt: skip
