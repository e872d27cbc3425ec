"""Rows side by side: which kernels have them, and that no bit of a result changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import Config
from graphc.kernel import jam
from graphc.runtime import plan as plans

RNG = np.random.default_rng(5)
WIDE = 2048  # bytes of all vector registers with AVX-512
Make = Callable[[Any], Any]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs of 64 KiB count as large, on a machine of many registers."""
    monkeypatch.setattr(jam, "LARGE_BYTES", 1 << 16)
    monkeypatch.setattr(plans, "jammed", lambda kernel, nbytes: jam.jammed(kernel, WIDE))


def _run(make: Make, data: np.ndarray, monkeypatch: Any = None) -> tuple[Any, list[str]]:
    """The result, and the kernels' nests; with `monkeypatch` as if nothing were jammed."""
    if monkeypatch is not None:
        monkeypatch.setattr(plans, "jammed", lambda kernel, nbytes: kernel)
    with tf.Graph().as_default(), tf.Session(config=Config(cache_dir=None)) as sess:
        x = tf.placeholder(data.dtype, data.shape)
        y = make(x)
        return sess.run(y, {x: data}), [k.nest for k in sess.explain(y, {x: data}).kernels]


SUMS: dict[str, Make] = {
    "rows": lambda x: tf.reduce_sum(x, 1),
    "of two": lambda x: tf.reduce_sum(x * x + 1.0, 1),
    "largest": lambda x: tf.reduce_max(x, 1),
    "position": lambda x: tf.argmax(x, 1),
    "both": lambda x: tf.reduce_sum(x, 1) / tf.reduce_max(x, 1),
    "scaled": lambda x: tf.sqrt(tf.reduce_mean(tf.square(x), 1)) * 3.0 + tf.range(64.0),
    "weighted": lambda x: tf.reduce_sum(x * tf.range(float(x.shape[1])), 1),
    "all": lambda x: tf.reduce_sum(x),
    "all of a function": lambda x: tf.reduce_mean(tf.abs(x)),
}


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("columns", [1024, 1000, 4097])
@pytest.mark.usefixtures("small")
def test_bits_stay_the_same(name: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = RNG.standard_normal((64, columns)).astype(np.float32)
    data[3, 5], data[40, 7] = np.nan, np.inf
    got, nests = _run(SUMS[name], data)
    # argmax keeps positions and values, too much for a second row; of all only even chunks go
    if name != "position" and ("all" not in name or columns == 1024):
        assert any("_1 <-" in nest for nest in nests), nests
    want, plain = _run(SUMS[name], data, monkeypatch)
    assert not any("_1 <-" in nest for nest in plain)
    np.testing.assert_array_equal(got, want)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("shape", "together"),
    [((64, 512), 4), ((66, 512), 2), ((67, 512), 1), ((64, 200), 1), ((16, 64), 1)],
)
def test_rows_that_do_not_go_together(shape: tuple[int, int], together: int) -> None:
    data = RNG.standard_normal(shape).astype(np.float32)
    got, nests = _run(lambda x: tf.reduce_sum(x, 1), data)
    assert nests[0].count("<-") == together
    np.testing.assert_allclose(got, data.sum(1), rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("small")
def test_two_inputs_are_two_streams() -> None:
    data = RNG.standard_normal((64, 1024)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session(config=Config(cache_dir=None)) as sess:
        x, z = (tf.placeholder(tf.float32, data.shape) for _ in range(2))
        y = tf.reduce_sum(x * z, 1)
        feed = {x: data, z: data}
        np.testing.assert_allclose(sess.run(y, feed), (data * data).sum(1), rtol=1e-5)
        assert [k.nest.count("<-") for k in sess.explain(y, feed).kernels] == [2]


@pytest.mark.usefixtures("small")
def test_rows_with_several_loops_stay_alone() -> None:
    data = RNG.standard_normal((64, 1024)).astype(np.float32)
    _, nests = _run(lambda x: tf.nn.moments(x, [1])[1], data)
    assert "_1 <-" not in nests[0]
    _, nests = _run(tf.nn.softmax, data)
    assert "_1 <-" not in nests[0]


@pytest.mark.parametrize("registers", [512, 256])
def test_few_registers_hold_one_row(registers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jam, "LARGE_BYTES", 1 << 16)
    monkeypatch.setattr(plans, "jammed", lambda kernel, nbytes: jam.jammed(kernel, registers))
    data = RNG.standard_normal((64, 1024)).astype(np.float32)
    _, nests = _run(lambda x: tf.reduce_sum(x, 1), data)
    assert nests[0].count("<-") == 1


@pytest.mark.usefixtures("small")
def test_threads_do_not_change_bits() -> None:
    data = RNG.standard_normal((4096, 1024)).astype(np.float32)
    results = []
    for threads in (1, 2):
        with tf.Graph().as_default(), tf.Session(config=Config(threads=threads)) as sess:
            x = tf.placeholder(tf.float32, data.shape)
            results.append(sess.run([tf.reduce_sum(x, 1), tf.reduce_sum(x)], {x: data}))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("count", [1 << 20, 10_000_000, 4 * 64 * 251 * 37, 999_999])
def test_chunks_of_a_whole_sum_are_even_where_they_can_be(count: int) -> None:
    data = RNG.standard_normal(count).astype(np.float32)
    got, nests = _run(tf.reduce_sum, data)
    np.testing.assert_allclose(got, data.astype(np.float64).sum(), rtol=1e-4, atol=0.5)
    assert ("min" in nests[0]) == (count == 999_999), nests[0]
