"""Groups in front of products: when tasks make their rows themselves, and that nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.fusion import prologues
from graphc.runtime import schedule as scheduling
from graphc.runtime.prologue import product_prologues

Array = np.ndarray[Any, Any]
Maker = Callable[[Any], Any]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many prologues each program of a test has; small rows count as large."""
    found: list[int] = []

    def spy(scheduler: Any) -> Any:
        out = product_prologues(scheduler)
        found.append(len(out))
        return out

    monkeypatch.setattr(scheduling, "product_prologues", spy)
    monkeypatch.setattr(prologues, "LEAST_BYTES", 1)
    monkeypatch.setattr(prologues, "FAR", 0.0)
    return found


def _run(
    make: Maker, x: Array, columns: int, config: Config | None = None, dynamic: bool = False,
    behind: Maker | None = None, turned: bool = False,
) -> Array:  # fmt: skip
    """make(x) W, with what stands behind it."""
    rng = np.random.default_rng(1)
    with tf.Graph().as_default():
        feed = tf.placeholder(x.dtype, (None, *x.shape[1:]) if dynamic else x.shape)
        rows = make(feed)
        depth = rows.shape.as_list()[-1]
        shape = (columns, depth) if turned else (depth, columns)
        weights = tf.constant(rng.standard_normal(shape).astype(np.float32))
        out = tf.matmul(tf.reshape(rows, [-1, depth]), weights, transpose_b=turned)
        if behind is not None:
            out = behind(out)
        with tf.Session(config=config) as sess:
            got: Array = sess.run(out, {feed: x})
            return got


def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "product_prologues", lambda _: {})


def _rows(*shape: int, kind: Any = np.float32) -> Array:
    rng = np.random.default_rng(sum(shape))
    if np.dtype(kind).kind == "u":
        return rng.integers(0, 255, shape).astype(kind)
    return rng.standard_normal(shape).astype(kind)


def _normalised(x: Any) -> Any:
    depth = x.shape.as_list()[-1]
    mean = tf.constant(np.linspace(-1, 1, depth).astype(np.float32))
    return tf.nn.relu((x - mean) / (1.5 + mean))


def _pixels(x: Any) -> Any:
    return tf.cast(x, tf.float32) / 255.0


def _each_row(x: Any) -> Any:
    """Something of each row, too."""
    count = x.shape.as_list()[0]
    return tf.tanh(x) * tf.constant(np.linspace(0, 1, count).astype(np.float32)[:, None])


@pytest.mark.parametrize("behind", [None, lambda y: tf.nn.relu(y + 0.5) * 2.0])
@pytest.mark.parametrize(
    ("rows", "depth", "columns"),
    [(257, 64, 10), (1000, 37, 96), (64, 300, 48), (515, 512, 200), (40, 1024, 17)],
)
@pytest.mark.parametrize("make", [_normalised, _pixels, _each_row])
def test_tasks_make_their_rows_with_the_same_bits(
    make: Maker, rows: int, depth: int, columns: int, behind: Maker | None, taken: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    x = _rows(rows, depth, kind=np.uint8 if make is _pixels else np.float32)
    got = _run(make, x, columns, behind=behind)
    assert taken == [1]
    serial = _run(make, x, columns, Config(threads=1), behind=behind)
    _plain(monkeypatch)
    wanted = _run(make, x, columns, behind=behind)
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(serial, wanted)


@pytest.mark.parametrize("turned", [False, True])
def test_run_time_rows_and_packed_weights(
    turned: bool, taken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = _rows(700, 256)
    got = _run(_normalised, x, 512, dynamic=True, turned=turned)
    assert taken == [1]
    _plain(monkeypatch)
    wanted = _run(_normalised, x, 512, dynamic=True, turned=turned)
    np.testing.assert_array_equal(got, wanted)


def test_views_between(taken: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of three dimensions are one run of rows."""
    x = _rows(6, 50, 80)
    got = _run(_normalised, x, 33)
    assert taken == [1]
    _plain(monkeypatch)
    np.testing.assert_array_equal(got, _run(_normalised, x, 33))


def test_half_types(taken: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    x = _rows(300, 64, kind=np.float16)
    behind: Maker = lambda y: tf.cast(tf.cast(y, tf.float16), tf.float32)  # noqa: E731
    got = _run(lambda x: tf.cast(x, tf.float32) * 0.5, x, 20, behind=behind)
    assert taken == [1]
    _plain(monkeypatch)
    wanted = _run(lambda x: tf.cast(x, tf.float32) * 0.5, x, 20, behind=behind)
    np.testing.assert_array_equal(got, wanted)


def test_a_variable_is_updated_behind_its_rows(
    taken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The product's own step writes what the prologue reads."""
    start = _rows(200, 64)
    weights = _rows(64, 64)

    def run() -> Array:
        with tf.Graph().as_default():
            state = tf.Variable(start)
            step = state.assign(tf.matmul(tf.tanh(state) * 0.5, tf.constant(weights)) + state)
            with tf.Session() as sess:
                sess.run(tf.global_variables_initializer())
                for _ in range(3):
                    sess.run(step.op)
                got: Array = sess.run(state)
                return got

    got = run()
    assert 1 in taken
    _plain(monkeypatch)
    np.testing.assert_array_equal(got, run())


def _reasons(make: Callable[[Any], list[Any]], x: Array) -> str:
    with tf.Graph().as_default():
        feed = tf.placeholder(tf.float32, x.shape)
        with tf.Session() as sess:
            return str(sess.explain(make(feed), {feed: x}))


def _weights(depth: int) -> Any:
    return tf.constant(_rows(depth, 24))


def test_what_others_need_is_made_as_a_whole(taken: list[int]) -> None:
    def make(x: Any) -> list[Any]:
        rows = tf.tanh(x)
        return [tf.matmul(rows, _weights(64)), tf.reduce_max(rows, 0)]

    text = _reasons(make, _rows(300, 64))
    assert taken == [0]
    assert "its value is needed elsewhere too" in text


def test_reduced_rows_are_made_as_a_whole(taken: list[int]) -> None:
    def make(x: Any) -> list[Any]:
        return [tf.matmul(tf.nn.softmax(x), _weights(64))]

    assert "rows that are reduced or moved are made as a whole" in _reasons(make, _rows(300, 64))
    assert taken == [0]


def test_a_product_that_would_be_fetched_too_often(
    taken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prologues, "FAR", 10.0)
    x = _rows(512, 512)

    def make(x: Any) -> list[Any]:
        return [tf.matmul(tf.tanh(x), tf.constant(_rows(512, 512)))]

    assert "fetched more often than that saves" in _reasons(make, x)
    assert taken == [0]


def test_small_rows_stay_as_they_are(monkeypatch: pytest.MonkeyPatch, taken: list[int]) -> None:
    monkeypatch.setattr(prologues, "LEAST_BYTES", 1 << 22)
    _run(_normalised, _rows(257, 64), 10)
    assert taken == [0]


def test_validation_and_other_printers(taken: list[int]) -> None:
    x = _rows(300, 64)
    got = _run(_normalised, x, 24)
    np.testing.assert_array_equal(_run(_normalised, x, 24, Config(validate=True)), got)
    assert taken == [1, 1]
    for config in (Config(fuse=False), Config(codegen="numba"), Config(backend="reference")):
        np.testing.assert_allclose(_run(_normalised, x, 24, config), got, rtol=1e-4, atol=1e-4)
    assert not any(taken[2:])


def test_less_memory(taken: list[int]) -> None:
    x = _rows(4000, 256)
    with tf.Graph().as_default():
        feed = tf.placeholder(tf.float32, x.shape)
        out = tf.matmul(tf.tanh(feed), _weights(256))
        with tf.Session(config=Config(profile=True)) as sess:
            sess.run(out, {feed: x})
            report = sess.explain(out, {feed: x})
    assert taken
    assert report.arena_bytes < x.nbytes
    (step,) = [s for s in report.steps if s.kind == "tile"]
    assert step.calls == 1
    assert step.name == "tanh_matmul"
