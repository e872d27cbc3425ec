"""Groups that are alike share their kernels; what differs in anything that kernels see does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.fusion.alike import signature
from graphc.ir.program import Program
from graphc.kernel import lower as lowering
from graphc.runtime import schedule as scheduling
from graphc.runtime import tile_steps
from tests.helpers import program_of


def _layers(count: int, x: tf.Tensor, width: int) -> tf.Tensor:
    rng = np.random.default_rng(0)
    for _ in range(count):
        w = tf.constant(rng.standard_normal((width, width)).astype(np.float32))
        x = tf.tanh(tf.matmul(x, w)) * 0.5 + x
    return x


def test_layers_of_one_shape_are_lowered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    whole = lowering.lower

    def counted(name: str, *args: Any) -> Any:
        seen.append(name)
        return whole(name, *args)

    monkeypatch.setattr(scheduling, "lower", counted)
    x = tf.placeholder(tf.float32, [4, 16])
    y = _layers(6, x, 16)
    value = np.random.default_rng(1).standard_normal((4, 16)).astype(np.float32)
    with tf.Session() as sess:
        fused = sess.run(y, {x: value})
    assert len(seen) <= 2  # the first layer may be alone: it reads what was fed
    with tf.Session(config=Config(backend="reference")) as sess:
        np.testing.assert_allclose(fused, sess.run(y, {x: value}), rtol=1e-5, atol=1e-6)


def test_finishes_of_one_shape_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    whole = tile_steps.finish_kernel

    def counted(name: str, *args: Any) -> Any:
        seen.append(name)
        return whole(name, *args)

    monkeypatch.setattr(tile_steps, "finish_kernel", counted)
    rng = np.random.default_rng(3)
    x = tf.placeholder(tf.float32, [96, 96])
    y: tf.Tensor = x
    kept = []
    for n in range(6):
        w, b = (tf.constant(rng.standard_normal(s).astype(np.float32)) for s in ((96, 96), (96,)))
        y = tf.tanh(tf.matmul(y, w) * 0.1 + b)
        if n % 3 == 2:  # these also store what they have before the bias: others
            kept.append(y.op.inputs[0].op.inputs[0])
    value = rng.standard_normal((96, 96)).astype(np.float32)
    with tf.Session(config=Config(cache_dir=None)) as sess:
        fused = sess.run([y, *kept], {x: value})
    assert len(seen) == 2
    with tf.Session(config=Config(backend="reference")) as sess:
        for got, want in zip(fused, sess.run([y, *kept], {x: value}), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def _body(program: Program) -> Any:
    nodes = [n for n in program.nodes if n.op.family not in ("source", "extern")]
    return signature(nodes)[0]


def _signature(build: Any, *shapes: tuple[int, ...]) -> Any:
    with tf.Graph().as_default() as graph:
        feeds = {tf.placeholder(tf.float32, s): np.zeros(s, np.float32) for s in shapes}
        return _body(program_of(graph, [build(*feeds)], feeds))


def test_what_stands_in_the_code_stands_in_the_signature() -> None:
    def scaled(c: float) -> Any:
        return lambda x: tf.tanh(x) * c

    assert _signature(scaled(2.0), (3, 4)) == _signature(scaled(2.0), (3, 4))
    assert _signature(scaled(2.0), (3, 4)) != _signature(scaled(3.0), (3, 4))
    assert _signature(scaled(2.0), (3, 4)) != _signature(scaled(2.0), (3, 1))
    assert _signature(scaled(float("nan")), (3, 4)) == _signature(scaled(float("nan")), (3, 4))
    assert _signature(scaled(0.0), (3, 4)) != _signature(scaled(-0.0), (3, 4))


def test_indices_and_the_roles_of_operands_stand_in_the_signature() -> None:
    def part(first: int) -> Any:
        return lambda x: tf.exp(tf.slice(x, [first, 0], [2, 4]))

    assert _signature(part(0), (4, 4)) != _signature(part(1), (4, 4))
    twice = _signature(lambda x, y: x - x * y, (3,), (3,))
    other = _signature(lambda x, y: y - y * x, (3,), (3,))
    assert twice != _signature(lambda x, y: x - y * y, (3,), (3,))
    assert twice == other  # only the names of the operands differ
