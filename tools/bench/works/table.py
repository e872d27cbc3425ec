"""W1 to W15's works: sizes, seeds, tolerances. Imports NumPy only."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from tools.bench.works.record import Work

BIG = 4096 * 4096
SGD_RATE = 0.01
ADAM_RATE = 1e-4
LINEAR_RATE = 0.1
GEMM_SIZES = (64, 128, 256, 512, 1024, 2048)
Arrays = list[Any]


def _normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)


def _zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def normals(seed: int, *shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    return tuple(np.asarray(_normal(rng, *s)) for s in shapes)  # arrays, also of no dimension


def _dense(rng: np.random.Generator, *sizes: int) -> Arrays:
    out: Arrays = []
    for fan_in, fan_out in zip(sizes, sizes[1:]):
        out += [_normal(rng, fan_in, fan_out, scale=math.sqrt(2 / fan_in)), _zeros(fan_out)]
    return out


def _mlp() -> tuple[Arrays, tuple[Any, ...]]:
    rng = np.random.default_rng(8)
    parameters = _dense(rng, 784, 512, 512, 10)
    images = _normal(rng, 128, 784)
    return parameters, (images, rng.integers(0, 10, 128).astype(np.int32))


def _linear_data() -> tuple[Any, ...]:
    rng = np.random.default_rng(9)
    x = rng.random((100, 1), dtype=np.float32)
    return x, (3 * x + 2 + 0.1 * _normal(rng, 100, 1)).astype(np.float32)


def _cnn(batch: int) -> tuple[Arrays, tuple[Any, ...]]:
    rng = np.random.default_rng(10)
    parameters: Arrays = []
    for channels, filters in ((3, 32), (32, 64), (64, 64)):
        scale = math.sqrt(2 / (9 * channels))
        parameters += [_normal(rng, 3, 3, channels, filters, scale=scale), _zeros(filters)]
    parameters += _dense(rng, 1024, 64, 10)
    images = _normal(rng, batch, 32, 32, 3)
    return parameters, (images, rng.integers(0, 10, batch).astype(np.int32))


def _cnn_images(batch: int) -> tuple[Any, ...]:
    # the first images of the training batch, whatever the batch that is asked for
    return (np.ascontiguousarray(_cnn(32)[1][0][:batch]),)


def _lstm() -> tuple[Arrays, tuple[Any, ...]]:
    rng = np.random.default_rng(11)
    parameters: Arrays = []
    for features, units in ((10, 50), (50, 50)):
        bias = _zeros(4 * units)
        bias[units : 2 * units] = 1  # the forget gate is the second
        w = _normal(rng, features, 4 * units, scale=math.sqrt(1 / features))
        parameters += [w, _normal(rng, units, 4 * units, scale=math.sqrt(1 / units)), bias]
    parameters += [_normal(rng, 50, 1, scale=0.2), _zeros(1)]
    return parameters, (_normal(rng, 32, 20, 10), _normal(rng, 32, 1))


def _encoder(seed: int, layers: int, d: int, ff: int, *shape: int) -> tuple[Arrays, list[Any]]:
    rng = np.random.default_rng(seed)
    parameters: Arrays = []
    ones = partial(np.ones, dtype=np.float32)
    for _ in range(layers):
        s = 1 / math.sqrt(d)
        parameters += [
            _normal(rng, d, 3 * d, scale=s), _zeros(3 * d), _normal(rng, d, d, scale=s), _zeros(d),
            ones(d), _zeros(d), _normal(rng, d, ff, scale=s), _zeros(ff),
            _normal(rng, ff, d, scale=1 / math.sqrt(ff)), _zeros(d), ones(d), _zeros(d),
        ]  # fmt: skip
    return parameters, [_normal(rng, *shape, d), _normal(rng, *shape, d)]


def _w12() -> tuple[Arrays, list[Any]]:
    return _encoder(12, 1, 256, 1024, 8, 128)


def _bert() -> tuple[Arrays, list[Any]]:
    return _encoder(13, 12, 768, 3072, 1, 128)


def _reduction(kind: str, axis: int | None) -> Work:
    where = "full" if axis is None else f"ax{axis}"
    return Work(
        f"W7_{kind}_{where}", "W7", f"{kind} of 4096 x 4096, {where}", "reduction",
        lambda: (normals(7, (4096, 4096))[0] + np.float32(0.5),),
        options={"kind": kind, "axis": axis}, rtol=1e-3, atol=0.1 if kind == "sum" else 1e-4,
    )  # fmt: skip


def _gemm(n: int) -> Work:
    # products of normal numbers: sums of n terms of variance 1, so an error grows with sqrt(n)
    return Work(
        f"GEMM{n}", "GEMM" if n < 1024 else "GEMM_big", f"{n} x {n} matrix product", "matmul",
        lambda: (normals(n, (n, n))[0], normals(n + 1, (n, n))[0]),
        rtol=1e-3, atol=1e-4 * math.sqrt(n),
    )  # fmt: skip


def _training(name: str, group: str, what: str, model: str, loss: str,
              optimizer: tuple[str, float], make: Any, **options: Any) -> Work:  # fmt: skip
    return Work(
        name, group, what, model, lambda: tuple(make()[1]), parameters=lambda: make()[0],
        options=options, loss=loss, optimizer=optimizer, rtol=2e-3,
    )  # fmt: skip


def _inference(batch: int) -> Work:
    return Work(
        f"W10_inf_b{batch}", "W10_inf", f"CNN, inference, batch {batch}", "cnn",
        lambda: _cnn_images(batch), parameters=lambda: _cnn(1)[0], rtol=1e-3, atol=1e-4,
    )  # fmt: skip


ADAM = ("adam", ADAM_RATE)
SQUARE, ENTROPY = "square", "cross_entropy"
WORKS = {
    w.name: w
    for w in (
        Work("W1", "W1", "tanh(2x+1) exp(-x^2) + sqrt|x|, 16M", "chain",
             lambda: normals(1, (BIG,)), check_rows=100_000),
        Work("W2", "W2", "max(ab+c, 0) d - a, 16M", "memory_chain",
             lambda: normals(2, *[(BIG,)] * 4), check_rows=100_000),
        Work("W3", "W3", "W1 on 1000 elements", "chain", lambda: normals(3, (1000,))),
        Work("W4_scalar", "W3", "a + b, numbers", "add", lambda: normals(4, (), ())),
        Work("W4_vec10", "W3", "a + b on 10 elements", "add", lambda: normals(4, (10,), (10,))),
        Work("W5", "W5", "softmax 4096 x 1024", "softmax", lambda: normals(5, (4096, 1024)),
             check_rows=512),
        Work("W6", "W5", "layer norm 4096 x 1024", "layer_norm", lambda: normals(6, (4096, 1024)),
             parameters=lambda: list(normals(66, (1024,), (1024,))), atol=1e-4, check_rows=512),
        *[_reduction(k, a) for k in ("sum", "mean", "var") for a in (None, 0, 1)],
        _training("W8_sgd", "W8", "MLP 784-512-512-10 step, batch 128, SGD", "mlp", ENTROPY,
                  ("sgd", SGD_RATE), _mlp),
        _training("W8_adam", "W8", "the same with Adam", "mlp", ENTROPY, ADAM, _mlp),
        _training("W9", "W9", "linear regression step, 100 points, SGD", "linear", SQUARE,
                  ("sgd", LINEAR_RATE), lambda: ([_zeros(1, 1), _zeros(1)], _linear_data())),
        _training("W10_b32", "W10", "CNN 32 x 32 x 3 step, batch 32, Adam", "cnn", ENTROPY, ADAM,
                  lambda: _cnn(32)),
        _training("W10_b256", "W10_b256", "the same, batch 256", "cnn", ENTROPY, ADAM,
                  lambda: _cnn(256)),
        _inference(1), _inference(32),
        _training("W11", "W11", "2-layer LSTM 50 step, batch 32, 20 times, Adam", "lstm", SQUARE,
                  ADAM, _lstm),
        _training("W12", "W12", "encoder layer 256/1024, 8 heads, 8 x 128, Adam step", "encoder",
                  SQUARE, ADAM, _w12, heads=8),
        Work("W13", "W13", "gelu(x w + b), 1024^3", "gelu_dense",
             lambda: normals(14, (1024, 1024)),
             parameters=lambda: [normals(15, (1024, 1024))[0] / np.float32(32),
                                 normals(16, (1024,))[0]], rtol=1e-3, atol=1e-3),
        *[_gemm(n) for n in GEMM_SIZES],
        Work("BERT", "BERT", "12 encoder layers 768/3072, batch 1, 128 tokens", "encoder",
             lambda: (_bert()[1][0],), parameters=lambda: _bert()[0], options={"heads": 12},
             rtol=5e-3, atol=5e-3),
    )
}  # fmt: skip
GROUPS = tuple(dict.fromkeys(w.group for w in WORKS.values()))
