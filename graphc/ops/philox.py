"""Philox 4x32-10, the counter-based random generator, on arrays and as kernel expressions.

Lives here: words (NumPy), word (expressions), the maps from words to uniform floats. Not here: the
random ops (ops/random.py), where keys and counters come from (runtime/state.py). Imports
kernel.prims.

Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (2011). A state is
uint32 [key0, key1, counter_lo, counter_hi]. Block b of a stream is the generator at the counter
(b mod 2^32, b div 2^32, counter_lo, counter_hi): streams of different states never meet, and any
element of a tensor is a function of its position alone, so that fused, unfused and parallel
kernels draw the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, float32, float64, int32, int64, uint32
from graphc.kernel import prims as k
from graphc.kernel.expr import Cast, Const, Expr

Array = np.ndarray[Any, Any]
ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
_MASK = 0xFFFFFFFF
# the bits of a word that become a uniform float, by TF's rule: as many as its mantissa holds
MANTISSA = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}


# ------------------------------------------------------------------ NumPy
def generate(counter: Array, key: Sequence[int]) -> Array:
    """The generator at each row of an (n, 4) array of counters: (n, 4) random words."""
    c = [counter[:, i].astype(np.uint64) for i in range(4)]
    keys = [int(key[0]), int(key[1])]
    low = np.uint64(_MASK)
    shift = np.uint64(32)
    for _ in range(ROUNDS):
        a = c[0] * np.uint64(MULTIPLIERS[0])
        b = c[2] * np.uint64(MULTIPLIERS[1])
        c = [
            (b >> shift) ^ c[1] ^ np.uint64(keys[0]), b & low,
            (a >> shift) ^ c[3] ^ np.uint64(keys[1]), a & low,
        ]  # fmt: skip
        keys = [(key + weyl) & _MASK for key, weyl in zip(keys, WEYL, strict=True)]
    return np.stack(c, axis=1).astype(np.uint32)


def words(count: int, state: Array) -> Array:
    """The first `count` words of a state's stream."""
    blocks = np.arange(-(-count // 4), dtype=np.uint64)
    counter = np.empty((len(blocks), 4), np.uint32)
    counter[:, 0] = (blocks & np.uint64(_MASK)).astype(np.uint32)
    counter[:, 1] = (blocks >> np.uint64(32)).astype(np.uint32)
    counter[:, 2:] = state[2:]
    return generate(counter, state[:2].tolist()).reshape(-1)[:count]


def word_pairs(count: int, state: Array) -> Array:
    """The first `count` 64-bit words, low half first."""
    pairs = words(2 * count, state).reshape(-1, 2).astype(np.uint64)
    return pairs[:, 0] | (pairs[:, 1] << np.uint64(32))


def uniforms(count: int, state: Array, dtype: DType) -> Array:
    """Floats in [0, 1) in the dtype that kernels compute in."""
    bits = MANTISSA[dtype.name]
    if dtype is not float64:
        got = words(count, state) & np.uint32((1 << bits) - 1)
        return got.astype(np.float32) * np.float32(2.0**-bits)
    pairs = words(2 * count, state).reshape(-1, 2).astype(np.int64)
    return (((pairs[:, 0] & 0xFFFFF) << 32) | pairs[:, 1]) * 2.0**-52


def generator(state: Array) -> np.random.Generator:
    """A NumPy generator for what no kernel computes: seeded by the whole state."""
    key, counter = (int(lo) | int(hi) << 32 for lo, hi in (state[:2], state[2:]))
    return np.random.Generator(np.random.Philox(key=[key, counter]))


# ------------------------------------------------------------------ expressions
def _u32(value: int) -> Expr:
    return Const(value, uint32)


def block(number: Expr, state: Sequence[Expr]) -> tuple[Expr, Expr, Expr, Expr]:
    """The four words of a block, numbered by an int64 expression; state: four uint32s."""
    high = Cast(k.shr(number, 32), uint32)
    c: tuple[Expr, ...] = (Cast(number, uint32), high, state[2], state[3])
    key = [state[0], state[1]]
    for _ in range(ROUNDS):
        m0, m1 = (_u32(m) for m in MULTIPLIERS)
        c = (
            k.xor(k.xor(k.mulhi_u32(c[2], m1), c[1]), key[0]), c[2] * m1,
            k.xor(k.xor(k.mulhi_u32(c[0], m0), c[3]), key[1]), c[0] * m0,
        )  # fmt: skip
        key = [key[0] + _u32(WEYL[0]), key[1] + _u32(WEYL[1])]
    return c[0], c[1], c[2], c[3]


def word(n: Expr, state: Sequence[Expr]) -> Expr:
    """Word n of the stream."""
    drawn = block(k.shr(n, 2), state)
    lane = k.and_(n, 3)
    low = k.select(k.eq(lane, 0), drawn[0], drawn[1])
    high = k.select(k.eq(lane, 2), drawn[2], drawn[3])
    return k.select(k.lt(lane, 2), low, high)


def halves(n: Expr, state: Sequence[Expr]) -> tuple[Expr, Expr]:
    """Words 2n and 2n + 1 of the stream."""
    drawn = block(k.shr(n, 1), state)
    odd = k.eq(k.and_(n, 1), 1)
    return k.select(odd, drawn[2], drawn[0]), k.select(odd, drawn[3], drawn[1])


def as_uniform(bits: Expr, dtype: DType) -> Expr:
    """A word as a float32 in [0, 1) with the random bits that `dtype` holds."""
    count = MANTISSA[dtype.name]
    kept = Cast(k.and_(bits, (1 << count) - 1), int32)
    return Cast(kept, float32) * 2.0**-count


def as_uniform64(low: Expr, high: Expr) -> Expr:
    """Two words as a float64 in [0, 1) with 52 random bits."""
    top = k.shl(Cast(k.and_(low, 0xFFFFF), int64), 32)
    return Cast(k.or_(top, Cast(high, int64)), float64) * 2.0**-52


def as_word64(low: Expr, high: Expr, dtype: DType) -> Expr:
    return k.or_(Cast(low, dtype), k.shl(Cast(high, dtype), 32))


def uniform(n: Expr, state: Sequence[Expr], dtype: DType) -> Expr:
    """Element n of a uniform tensor, in the dtype that kernels compute in."""
    if dtype is float64:
        return as_uniform64(*halves(n, state))
    return as_uniform(word(n, state), dtype)
