"""Hashes of strings, bit for bit TensorFlow's: FarmHash, SipHash and its old hash.

Lives here: fingerprint64, siphash, old_hash64 and the ops that put strings into buckets. Not
here: lookup tables. Imports ops.define.

The numbers are those of the papers' reference programs: FarmHash 1.1 (farmhashna), SipHash-2-4
(Aumasson and Bernstein), MurmurHash64A.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from graphc.ir.dtypes import int64, string
from graphc.ir.node import TensorType
from graphc.ops.define import InferContext, OpDef
from graphc.ops.samples import fixed, sample
from graphc.ops.text_numbers import each

Array = np.ndarray[Any, Any]

_MASK = (1 << 64) - 1
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F


# ------------------------------------------------------------------ FarmHash Fingerprint64
def _rot(value: int, by: int) -> int:
    value &= _MASK
    return (value >> by | value << 64 - by) & _MASK


def _mix(value: int) -> int:
    return value ^ value >> 47


def _len16(u: int, v: int, mul: int) -> int:
    a = _mix((u ^ v) * mul & _MASK)
    return _mix((v ^ a) * mul & _MASK) * mul & _MASK


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _half(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _to16(s: bytes) -> int:
    n = len(s)
    mul = _K2 + n * 2
    if n >= 8:
        a, b = _word(s, 0) + _K2, _word(s, n - 8)
        c = _rot(b, 37) * mul + a
        d = (_rot(a, 25) + b) * mul
        return _len16(c & _MASK, d & _MASK, mul)
    if n >= 4:
        return _len16(n + (_half(s, 0) << 3), _half(s, n - 4), mul)
    if n:
        y = s[0] + (s[n >> 1] << 8)
        z = n + (s[n - 1] << 2)
        return _mix((y * _K2 ^ z * _K0) & _MASK) * _K2 & _MASK
    return _K2


def _to32(s: bytes) -> int:
    n = len(s)
    mul = _K2 + n * 2
    a, b = _word(s, 0) * _K1, _word(s, 8)
    c, d = _word(s, n - 8) * mul, _word(s, n - 16) * _K2
    u = _rot(a + b, 43) + _rot(c, 30) + d
    return _len16(u & _MASK, a + _rot(b + _K2, 18) + c & _MASK, mul)


def _to64(s: bytes) -> int:
    n = len(s)
    mul = _K2 + n * 2
    a, b = _word(s, 0) * _K2, _word(s, 8)
    c, d = _word(s, n - 8) * mul, _word(s, n - 16) * _K2
    y = _rot(a + b, 43) + _rot(c, 30) + d & _MASK
    z = _len16(y, a + _rot(b + _K2, 18) + c & _MASK, mul)
    e, f = _word(s, 16) * mul, _word(s, 24)
    g, h = (y + _word(s, n - 32)) * mul, (z + _word(s, n - 24)) * mul
    u = _rot(e + f, 43) + _rot(g, 30) + h
    return _len16(u & _MASK, e + _rot(f + a, 18) + g & _MASK, mul)


def _weak(s: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = struct.unpack_from("<4Q", s, at)
    a = a + w & _MASK
    b = _rot(b + a + z, 21)
    c = a
    a = a + x + y & _MASK
    return a + z & _MASK, b + _rot(a, 44) + c & _MASK


class _Long:
    """The state of the hash of more than 64 bytes."""

    def __init__(self, first: int) -> None:
        self.x = 81 * _K2 + first & _MASK
        self.y = 81 * _K1 + 113 & _MASK
        self.z = _mix(self.y * _K2 + 113 & _MASK) * _K2 & _MASK
        self.v = self.w = (0, 0)

    def block(self, s: bytes, at: int, mul: int, nine: int) -> None:
        """64 bytes more."""
        (v0, v1), (w0, w1) = self.v, self.w
        x = _rot(self.x + self.y + v0 + _word(s, at + 8), 37) * mul & _MASK
        y = _rot(self.y + v1 + _word(s, at + 48), 42) * mul & _MASK
        x ^= w1 * nine & _MASK
        y = y + v0 * nine + _word(s, at + 40) & _MASK
        z = _rot(self.z + w0, 33) * mul & _MASK
        self.v = _weak(s, at, v1 * mul & _MASK, x + w0)
        self.w = _weak(s, at + 32, z + w1, y + _word(s, at + 16))
        self.x, self.y, self.z = z, y, x


def fingerprint64(s: bytes) -> int:
    """FarmHash's Fingerprint64."""
    n = len(s)
    if n <= 64:
        return _to16(s) if n <= 16 else _to32(s) if n <= 32 else _to64(s)
    state = _Long(_word(s, 0))
    for at in range(0, (n - 1) // 64 * 64, 64):
        state.block(s, at, _K1, 1)
    mul = _K1 + ((state.z & 255) << 1)
    w0 = state.w[0] + (n - 1 & 63)
    v0 = state.v[0] + w0 & _MASK
    state.v, state.w = (v0, state.v[1]), (w0 + v0 & _MASK, state.w[1])
    state.block(s, n - 64, mul, 9)
    (v0, v1), (w0, w1) = state.v, state.w
    u = _len16(v0, w0, mul) + _mix(state.y) * _K0 + state.z
    return _len16(u & _MASK, _len16(v1, w1, mul) + state.x & _MASK, mul)


# ------------------------------------------------------------------ SipHash
def _rounds(v: list[int], count: int) -> None:
    a, b, c, d = v
    for _ in range(count):
        a, c = a + b & _MASK, c + d & _MASK
        b, d = _rot(b, 51) ^ a, _rot(d, 48) ^ c
        a = _rot(a, 32)
        c, a = c + b & _MASK, a + d & _MASK
        b, d = _rot(b, 47) ^ c, _rot(d, 43) ^ a
        c = _rot(c, 32)
    v[:] = a, b, c, d


def siphash(s: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 with a key of two 64-bit numbers."""
    k0, k1 = key[0] & _MASK, key[1] & _MASK
    v = [
        k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573,
    ]  # fmt: skip
    whole = len(s) // 8 * 8
    words = [_word(s, at) for at in range(0, whole, 8)]
    words.append(int.from_bytes(s[whole:], "little") | (len(s) & 255) << 56)
    for word in words:
        v[3] ^= word
        _rounds(v, 2)
        v[0] ^= word
    v[2] ^= 255
    _rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


# ------------------------------------------------------------------ the old hash
def old_hash64(s: bytes) -> int:
    """MurmurHash64A with the seed of TensorFlow's string_to_hash_bucket."""
    m = 0xC6A4A7935BD1E995
    h = 0xDECAFCAFFE ^ len(s) * m & _MASK
    whole = len(s) // 8 * 8
    for at in range(0, whole, 8):
        k = _mix(_word(s, at) * m & _MASK) * m & _MASK
        h = (h ^ k) * m & _MASK
    if whole < len(s):
        h = (h ^ int.from_bytes(s[whole:], "little")) * m & _MASK
    return _mix(_mix(h) * m & _MASK)


# ------------------------------------------------------------------ buckets
def _type(ctx: InferContext) -> TensorType:
    return TensorType(int64, ctx.shape(0))


def _old(x: Array, num_buckets: int) -> Array:
    return each(lambda s: old_hash64(s) % num_buckets, x, np.int64)


def _fast(x: Array, num_buckets: int) -> Array:
    return each(lambda s: fingerprint64(s) % num_buckets, x, np.int64)


def _strong(x: Array, num_buckets: int, key: tuple[int, int]) -> Array:
    return each(lambda s: siphash(s, key) % num_buckets, x, np.int64)


_WORDS = fixed([[b"", b"a"], [b"hello world", b"x" * 70]], string)
_NO_GRADIENT = "strings have no gradient"

string_to_hash_bucket = OpDef(
    name="string_to_hash_bucket", tf="StringToHashBucket", family="host",
    args=("string_tensor",), groups=(string,), infer=_type, numpy=_old, nograd=_NO_GRADIENT,
    samples=(sample(_WORDS, num_buckets=1000, grad=False),),
)  # fmt: skip

string_to_hash_bucket_fast = OpDef(
    name="string_to_hash_bucket_fast", tf="StringToHashBucketFast", family="host",
    args=("input",), groups=(string,), infer=_type, numpy=_fast, nograd=_NO_GRADIENT,
    samples=(sample(_WORDS, num_buckets=1 << 40, grad=False),),
)  # fmt: skip

string_to_hash_bucket_strong = OpDef(
    name="string_to_hash_bucket_strong", tf="StringToHashBucketStrong", family="host",
    args=("input",), groups=(string,), infer=_type, numpy=_strong, nograd=_NO_GRADIENT,
    samples=(sample(_WORDS, num_buckets=7, key=(1, -2), grad=False),),
)  # fmt: skip
