"""How loops run: nothing compiled again, no Python but the user's own, errors, Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests.helpers import FUSED, REFERENCE


@pytest.fixture(autouse=True)
def fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


def recurrence(width: int = 8) -> tuple[Any, Any, Any]:
    """(input [batch, time, width], loss, train op) of a small recurrent net."""
    tf.set_random_seed(4)  # a step of 0.5 overshoots from some weights
    x = tf.placeholder(tf.float32, [None, None, width])
    w = tf.get_variable("w", [2 * width, width])
    rows = tf.transpose(x, [1, 0, 2])
    n = tf.shape(rows)[0]
    ta = tf.TensorArray(tf.float32, n).unstack(rows)

    def body(t: Any, h: Any) -> Any:
        return t + 1, tf.tanh(tf.matmul(tf.concat([ta.read(t), h], 1), w))

    _, h = tf.while_loop(lambda t, h: t < n, body, (0, tf.zeros([tf.shape(x)[0], width])))
    loss = tf.reduce_mean(tf.square(h - 0.5))
    return x, loss, tf.train.GradientDescentOptimizer(0.5).minimize(loss)


def test_longer_sequences_compile_nothing() -> None:
    x, loss, train = recurrence()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        rng = np.random.RandomState(0)
        first = [sess.run([loss, train], {x: rng.randn(4, 20, 8)})[0] for _ in range(2)]
        before = tf.stats()
        losses = [sess.run([loss, train], {x: rng.randn(4, 200, 8)})[0] for _ in range(30)]
        sess.run([loss, train], {x: rng.randn(5, 33, 8)})
        after = tf.stats()
    assert after["kernels_compiled"] == before["kernels_compiled"]
    assert after["plans_built"] == before["plans_built"]
    assert losses[-1] < first[0]


def test_the_second_run_has_no_python_in_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    from graphc.runtime.instance import Instance

    x, loss, train = recurrence()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        feed = {x: np.zeros((2, 100, 8), np.float32)}
        sess.run([loss, train], feed)
        stops: list[Any] = []
        plain = Instance._continue
        monkeypatch.setattr(
            Instance, "_continue", lambda self, code, *rest: (stops.append(code),
                                                              plain(self, code, *rest))[1]
        )  # fmt: skip
        sess.run([loss, train], feed)
    assert not stops


def test_ctrl_c_ends_an_endless_loop() -> None:
    i = tf.while_loop(lambda i: i >= 0, lambda i: tf.floormod(i + 1, 1000), [0])
    with tf.Session() as sess:
        timer = threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            sess.run(i)
        timer.join()
        assert sess.run(tf.constant(3)) == 3


def test_a_python_function_runs_once_a_step() -> None:
    seen: list[int] = []

    def note(i: Any) -> Any:
        seen.append(int(i))
        return np.int32(i + 1)

    def body(i: Any) -> Any:
        out = tf.py_func(note, [i], tf.int32)
        out.set_shape([])
        return out

    got = tf.while_loop(lambda i: i < 4, body, [0])
    with tf.Session() as sess:
        assert sess.run(got) == 4
        assert sess.run(got) == 4
    assert seen == [0, 1, 2, 3] * 2


def test_prints_of_the_taken_branch_only(capfd: pytest.CaptureFixture[str]) -> None:
    p = tf.placeholder(tf.bool, [])
    y = tf.cond(p, lambda: tf.Print(1.0, ["yes"], "said "), lambda: tf.Print(2.0, ["no"], "said "))
    with tf.Session() as sess:
        assert sess.run(y, {p: False}) == 2.0
        assert capfd.readouterr().err == "said [no]\n"


def test_errors_inside_name_the_line() -> None:
    x = tf.placeholder(tf.float32, [4])
    _, s = tf.while_loop(
        lambda i, s: i < 6, lambda i, s: (i + 1, s + tf.gather(x, i)), (0, tf.zeros([]))
    )
    v = tf.Variable(0.0)
    update = v.assign(s)
    for config in (FUSED, REFERENCE):
        with tf.Session(config=config) as sess:
            sess.run(v.initializer)
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"test_runtime\.py") as err:
                sess.run([s, update], {x: np.ones(4)})
            assert "4" in str(err.value)
            assert sess.run(v) == 0.0


def test_assertions_inside_end_the_run() -> None:
    def body(i: Any) -> Any:
        with tf.control_dependencies([tf.assert_less(i, 3, message="too far")]):
            return i + 1

    got = tf.while_loop(lambda i: i < 10, body, [0])
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError, match="too far"):
        sess.run(got)


def test_threads_run_loops_of_one_session() -> None:
    x = tf.placeholder(tf.float32, [])
    _, y = tf.while_loop(lambda i, y: i < 200, lambda i, y: (i + 1, y + x), (0, 0.0))
    (g,) = tf.gradients(y * y, x)
    wrong: list[Any] = []
    with tf.Session() as sess:

        def work(value: float) -> None:
            for _ in range(40):
                out, grad = sess.run([y, g], {x: value})
                if not (np.isclose(out, 200 * value) and np.isclose(grad, 80000 * value)):
                    wrong.append((value, out, grad))

        threads = [threading.Thread(target=work, args=(float(k),)) for k in range(1, 5)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert not wrong


def test_make_callable_and_profile() -> None:
    x, loss, train = recurrence()
    with tf.Session(config=tf.Config(profile=True)) as sess:
        sess.run(tf.global_variables_initializer())
        call = sess.make_callable([loss, train], [x])
        feed = np.ones((2, 10, 8), np.float32)
        first = call(feed)[0]
        assert call(feed)[0] < first
        text = str(sess.explain([loss, train], {x: feed}))
    assert "loop" in text and "while" in text and "gemm" in text
    assert not any(word in text for word in ("point", "advance", "room"))


def test_many_steps_are_fast() -> None:
    """A hundred thousand steps take no Python: seconds, not minutes."""
    i = tf.while_loop(lambda i: i < 100_000, lambda i: i + 1, [0])
    with tf.Session() as sess:
        sess.run(i)
        started = time.perf_counter()
        assert sess.run(i) == 100_000
        assert time.perf_counter() - started < 5.0


def test_validate_and_check_numerics() -> None:
    x, loss, train = recurrence()
    feed = {x: np.random.RandomState(0).randn(2, 5, 8).astype(np.float32)}
    for config in (tf.Config(validate=True), tf.Config(check_numerics=True)):
        with tf.Session(config=config) as sess:
            sess.run(tf.global_variables_initializer())
            first = sess.run([loss, train], feed)[0]
            assert sess.run([loss, train], feed)[0] < first


def test_gradients_after_a_shape_that_data_decide() -> None:
    """A loss over masked outputs of a loop: the run has two stages."""
    x = tf.placeholder(tf.float32, [None, 3])
    keep = tf.placeholder(tf.bool, [None])
    rows = tf.map_fn(lambda r: r * r, x)
    loss = tf.reduce_sum(tf.boolean_mask(rows, keep))
    (g,) = tf.gradients(loss, x)
    value = np.arange(6, dtype=np.float32).reshape(2, 3)
    for config in (FUSED, REFERENCE):
        with tf.Session(config=config) as sess:
            got = sess.run([loss, g], {x: value, keep: [False, True]})
        assert got[0] == (value[1] ** 2).sum()
        np.testing.assert_array_equal(got[1], [[0, 0, 0], 2 * value[1]])


def test_arrays_that_grow_run_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their length is found by a run of what decides it; no step goes through Python."""
    from graphc.runtime import host_control

    def fail(*_: Any) -> Any:
        raise AssertionError("a loop on the host")

    monkeypatch.setattr(host_control, "run_control", fail)
    x = tf.placeholder(tf.float32, [3])
    _, _, ta = tf.while_loop(
        lambda i, y, ta: tf.reduce_sum(y) < 50.0,
        lambda i, y, ta: (i + 1, y * 2, ta.write(i, y)),
        (0, x, tf.TensorArray(tf.float32, 0, dynamic_size=True)),
    )
    (g,) = tf.gradients(ta.stack(), x)
    with tf.Session() as sess:
        rows, size, grad = sess.run([ta.stack(), ta.size(), g], {x: np.ones(3)})
    assert rows.tolist() == [[2.0**k] * 3 for k in range(5)] and size == 5
    np.testing.assert_array_equal(grad, [31.0] * 3)


@pytest.mark.parametrize("dtype", [tf.bool, tf.uint8, tf.float16, tf.int64, tf.complex64])
def test_arrays_of_any_number_run_compiled(dtype: Any) -> None:
    x = tf.placeholder(dtype, [None, 3])
    y = tf.map_fn(lambda r: tf.reverse(r, [0]), x)
    value = np.array([[1, 0, 1], [0, 0, 1]]).astype(dtype.as_numpy_dtype)
    with tf.Session() as sess:
        np.testing.assert_array_equal(sess.run(y, {x: value}), value[:, ::-1])
        kinds = [k for k in str(sess.explain(y, {x: value})).split() if k == "host"]
    assert not kinds or dtype is tf.complex64


def test_a_failing_step_ends_an_endless_loop() -> None:
    """An index that is out of range must not send the loop round for ever."""
    table = tf.constant([1, 2, 5])
    got = tf.while_loop(lambda i: tf.not_equal(i, 3), lambda i: tf.gather(table, i), [0])
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError, match="5"):
        sess.run(got)


def test_gates_that_read_a_row_of_an_array_are_vector_code() -> None:
    """A checked index outside of a long body: its status bit stays where it was raised."""
    x = tf.placeholder(tf.float32, [6, 4, 80])
    w = tf.Variable(np.random.RandomState(0).randn(20, 80).astype(np.float32) * 0.1)

    def step(state: Any, row: Any) -> Any:
        h, c = state
        i, f, g, o = tf.split(row + tf.matmul(h, w), 4, -1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c

    zero = tf.zeros([4, 20])
    loss = tf.reduce_sum(tf.scan(step, x, (zero, zero))[0])
    fetches = [loss, tf.gradients(loss, w)[0]]
    feed = {x: np.random.RandomState(1).randn(6, 4, 80)}
    before = len(tf.stats()["kernel_fallbacks"])
    results = []
    for config in (FUSED, REFERENCE):
        with tf.Session(config=config) as sess:
            sess.run(tf.global_variables_initializer())
            results.append(sess.run(fetches, feed))
    assert len(tf.stats()["kernel_fallbacks"]) == before
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
