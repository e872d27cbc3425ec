"""TF1's random functions: tf.random_uniform to tf.random_poisson, and the rule of seeds.

Lives here: get_seed, wrappers of ops/random.py. Not here: streams of states (runtime/state.py),
tf.set_random_seed (tf1/framework.py). Imports ops.

Each call makes a node of its own that draws anew in every run. With a seed the sequence of a
session is the same each time; in a new session it starts over.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import DType, as_dtype, bfloat16, float16, float32, float64, int32, int64
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F, OpDef
from graphc.tf1.arguments import index_tensor

__all__ = [
    "categorical", "get_seed", "multinomial", "random_crop", "random_gamma", "random_normal",
    "random_poisson", "random_shuffle", "random_uniform", "truncated_normal",
]  # fmt: skip

DEFAULT_GRAPH_SEED = 87654321
_KINDS = (float16, bfloat16, float32, float64, int32, int64)


def get_seed(op_seed: int | None) -> tuple[int | None, int | None]:
    """(graph seed, op seed) of a random op that is made now (tf.get_seed).

    With a graph seed alone the op seed is the number of ops made so far; with an op seed alone
    the graph seed is 87654321; without both the op is not reproducible: (None, None).
    """
    graph = get_default_graph()
    if graph.seed is not None:
        seeds = graph.seed, graph.last_id if op_seed is None else op_seed
    elif op_seed is not None:
        seeds = DEFAULT_GRAPH_SEED, op_seed
    else:
        return None, None
    # both 0 would stand for no seeds
    return (0, 2**31 - 1) if seeds == (0, 0) else seeds


def _state(seed: Any) -> Tensor:
    first, second = get_seed(None if seed is None else int(seed))
    return F.rng_state(seed=first or 0, seed2=second or 0, name="state")


def _scope(name: str | None, default: str) -> Any:
    return get_default_graph().name_scope(name or default)


# ------------------------------------------------------------------ floats and integers
def random_uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Uniform numbers in [minval, maxval) (tf.random_uniform).

    Args:
        maxval: 1 for floats where it is not given.

    Raises:
        ValueError: an integer dtype without maxval, or another dtype.
    """
    wanted = as_dtype(dtype)
    if wanted not in _KINDS:
        raise ValueError(f"Invalid dtype {wanted!r}")
    if maxval is None:
        if wanted.is_integer:
            raise ValueError(f"Must specify maxval for integer dtype {wanted!r}")
        maxval = 1
    with _scope(name, "random_uniform") as scope:
        extents = index_tensor(shape, "shape")
        low = convert_to_tensor(minval, wanted, "min")
        high = convert_to_tensor(maxval, wanted, "max")
        state = _state(seed)
        if wanted.is_integer:
            return F.random_uniform_int(extents, low, high, state, name=scope)
        drawn = F.random_uniform(extents, state, dtype=wanted)
        return F.add(F.multiply(drawn, F.subtract(high, low, name="sub"), name="mul"), low,
                     name=scope)  # fmt: skip


def _normal(
    record: OpDef, shape: Any, mean: Any, stddev: Any, dtype: Any, seed: Any, name: str
) -> Tensor:
    wanted: DType = as_dtype(dtype)
    with _scope(name, name) as scope:
        extents = index_tensor(shape, "shape")
        centre = convert_to_tensor(mean, wanted, "mean")
        spread = convert_to_tensor(stddev, wanted, "stddev")
        drawn = record(extents, _state(seed), dtype=wanted)
        return F.add(F.multiply(drawn, spread, name="mul"), centre, name=scope)


def random_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normal numbers (tf.random_normal)."""
    return _normal(F.random_normal, shape, mean, stddev, dtype, seed, name or "random_normal")


def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normal numbers within two standard deviations of the mean (tf.truncated_normal)."""
    return _normal(
        F.truncated_normal, shape, mean, stddev, dtype, seed, name or "truncated_normal"
    )


# ------------------------------------------------------------------ other distributions
def multinomial(
    logits: Any,
    num_samples: Any,
    seed: int | None = None,
    name: str | None = None,
    output_dtype: Any = None,
) -> Tensor:
    """Class numbers drawn with probability softmax(logits): [batch, num_samples].

    Args:
        logits: [batch, classes] of floats. output_dtype: int64 or int32.

    Raises:
        ShapeError: logits is no matrix.
    """
    wanted = int64 if output_dtype is None else as_dtype(output_dtype)
    with _scope(name, "multinomial") as scope:
        scores = convert_to_tensor(logits)
        count = convert_to_tensor(num_samples, int32)
        return F.multinomial(scores, count, _state(seed), output_dtype=wanted, name=scope)


def categorical(
    logits: Any,
    num_samples: Any,
    dtype: Any = None,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """multinomial under its later name (tf.random.categorical)."""
    return multinomial(logits, num_samples, seed, name or "categorical", dtype)


def random_gamma(
    shape: Any,
    alpha: Any,
    beta: Any = None,
    dtype: Any = float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """`shape` draws from each gamma distribution: shape + alpha's shape (tf.random_gamma).

    Args:
        alpha, beta: shapes and inverse scales, broadcast; beta is 1 where it is not given.
    """
    wanted = as_dtype(dtype)
    with _scope(name, "random_gamma") as scope:
        extents = index_tensor(shape, "shape")
        shapes = convert_to_tensor(alpha, wanted, "alpha")
        rates = convert_to_tensor(1 if beta is None else beta, wanted, "beta")
        drawn = F.random_gamma(extents, shapes + F.zeros_like(rates), _state(seed))
        tiny = wanted.np.type(2.0**-14) if wanted.is_half else _tiny(wanted)
        return F.maximum(drawn / rates, tiny, name=scope)


def _tiny(dtype: DType) -> Any:
    import numpy as np

    return np.finfo(dtype.np).tiny


def random_poisson(
    lam: Any,
    shape: Any,
    dtype: Any = float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """`shape` draws from each Poisson distribution: shape + lam's shape (tf.random_poisson)."""
    with _scope(name, "random_poisson") as scope:
        extents = index_tensor(shape, "shape")
        rate = convert_to_tensor(lam, preferred_dtype=float32)
        return F.random_poisson(extents, rate, _state(seed), dtype=as_dtype(dtype), name=scope)


# ------------------------------------------------------------------ positions
def random_shuffle(value: Any, seed: int | None = None, name: str | None = None) -> Tensor:
    """The rows along the first axis in random order (tf.random_shuffle)."""
    with _scope(name, "RandomShuffle") as scope:
        return F.random_shuffle(convert_to_tensor(value), _state(seed), name=scope)


def random_crop(
    value: Any, size: Any, seed: int | None = None, name: str | None = None
) -> Tensor:
    """A slice of `size` at a random offset (tf.random_crop).

    Raises:
        InvalidArgumentError (when run): size is larger than value along an axis.
    """
    with _scope(name, "random_crop") as scope:
        x = convert_to_tensor(value, name="value")
        extents = index_tensor(size, "size")
        limit = F.shape(x) - F.cast(extents, dtype=int32) + 1
        largest = random_uniform(F.shape(limit), maxval=int32.max, dtype=int32, seed=seed)
        offset = F.floormod(largest, limit)
        return F.slice(x, offset, F.cast(extents, dtype=int32), name=scope)
