"""Shapes that only a run decides: compiled runs answer as the reference does, or fail as it does.

Every op is built on placeholders of unknown extents and fed in turn with shapes that fit and
shapes that do not, forwards and backwards, so that plans built for one shape are asked for the
next. A plan that took a shape it does not hold for would read or write beyond its memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import graphc as tf

Feeds = Sequence[Any]
Build = Callable[..., Any]


def a(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)


def v(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def ints(x: Any) -> Any:
    return tf.cast(x, tf.int32)


def grad(of: int) -> Build:
    return lambda x, y: tf.gradients(tf.reduce_sum(x * y), [x, y])[of]


def sparse_loss(x: Any, y: Any) -> Any:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=ints(y), logits=x)


def loss(x: Any, y: Any) -> Any:
    return tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=x)


LINES = [[a(5)], [a(3)], [a(2)], [a(1)], [a(0)]]
PAIRS = [
    [a(2, 3), a(3)], [a(2, 1), a(3)], [a(1, 1), a(3)], [a(2, 3), a(1)], [a(2, 3), a(2)],
    [a(0, 3), a(1)],
]  # fmt: skip

# name: (function of the placeholders, feeds of one run each)
CASES: dict[str, tuple[Build, list[Feeds]]] = {
    "add": (lambda x, y: x + y, PAIRS),
    "gradient of a broadcast": (grad(0), PAIRS),
    "gradient of what is broadcast": (grad(1), PAIRS),
    "reshape": (lambda x: tf.reshape(x, [2, 2]), [[a(4)], [a(6)], [a(2)], [a(0)]]),
    "reshape with -1": (lambda x: tf.reshape(x, [-1, 3]), [[a(6)], [a(7)], [a(3)], [a(0)]]),
    "reshape to a fed shape": (
        lambda x, n: tf.reshape(x, ints(n)),
        [[a(6), v(2, 3)], [a(6), v(4, 2)], [a(6), v(-1, 2)], [a(6), v(-1, 4)], [a(6), v(-1, -1)]],
    ),
    "reshape as another": (
        lambda x, y: tf.reshape(x, tf.shape(y)),
        [[a(6), a(2, 3)], [a(6), a(3, 2)], [a(6), a(2, 2)], [a(4), a(2, 3)]],
    ),
    "split": (lambda x: tf.split(x, 3)[1], [[a(6)], [a(7)], [a(2)], [a(0)]]),
    "split in sizes": (lambda x: tf.split(x, [2, 3])[1], [[a(5)], [a(7)], [a(4)]]),
    "unstack": (lambda x: tf.unstack(x, 3)[2], [[a(3, 2)], [a(4, 2)], [a(2, 2)]]),
    "squeeze": (lambda x: tf.squeeze(x, [1]), [[a(3, 1)], [a(3, 2)], [a(3, 0)]]),
    "slice": (lambda x: tf.slice(x, [1], [3]), [[a(5)], [a(4)], *LINES[1:]]),
    "slice at a fed begin": (
        lambda x, b: tf.slice(x, ints(b), [2]),
        [[a(6), v(2)], [a(6), v(5)], [a(6), v(-1)], [a(6), v(9)]],
    ),
    "first": (lambda x: x[0], LINES),
    "fourth": (lambda x: x[3], LINES),
    "third from the end": (lambda x: x[-3], LINES),
    "range of rows": (lambda x: x[1:4], LINES),
    "backwards": (lambda x: x[-2:0:-2], LINES),
    "row at a fed index": (
        lambda x, b: x[ints(b[0])],
        [[a(6), v(2)], [a(6), v(-1)], [a(6), v(9)], [a(6), v(-9)], [a(0), v(0)]],
    ),
    "rows from a fed index": (
        lambda x, b: x[ints(b[0]) :], [[a(6), v(n)] for n in (2, 5, -1, 9, -9)]
    ),
    "gather at a constant": (lambda x: tf.gather(x, [0]), LINES),
    "gather of a sum": (lambda x: tf.gather(x * 2.0, [1, 0]) * tf.reduce_sum(x), LINES),
    "gather along columns": (
        lambda x, i: tf.gather(x, ints(i), axis=1), [[a(2, 3), a(3)], [a(2, 2), a(3)]]
    ),
    "gather_nd": (
        lambda x, i: tf.gather_nd(x, ints(i)),
        [[a(3, 3), a(2, 2)], [a(2, 2), a(2, 2)], [a(3, 3), a(1, 3)]],
    ),
    "scatter_nd": (
        lambda i, u: tf.scatter_nd(ints(i), u, [4]),
        [[a(3, 1), a(3)], [a(5, 1), a(5)], [a(3, 1), a(2)]],
    ),
    "segment_sum": (
        lambda x, i: tf.segment_sum(x, ints(i)),
        [[a(3), a(3)], [a(3), a(2)], [a(3), a(4)], [a(3), -a(3)]],
    ),
    "unsorted_segment_sum": (
        lambda x, i: tf.unsorted_segment_sum(x, ints(i), 2),
        [[a(2), a(2)], [a(3), a(2)], [a(3), a(3)]],
    ),
    "tile": (lambda x: tf.tile(x, [2]), LINES),
    "tile a fed number of times": (
        lambda x, m: tf.tile(x, ints(m)), [[a(3), v(2)], [a(3), v(0)], [a(3), v(-1)]]
    ),
    "pad": (lambda x: tf.pad(x, [[1, 2]]), LINES),
    "reflect": (lambda x: tf.pad(x, [[2, 2]], "REFLECT"), LINES),
    "symmetric": (lambda x: tf.pad(x, [[2, 2]], "SYMMETRIC"), LINES),
    "broadcast_to": (lambda x: tf.broadcast_to(x, [4, 3]), [[a(3)], [a(1)], [a(2)], [a(4)]]),
    "broadcast to another": (
        lambda x, y: tf.broadcast_to(x, tf.shape(y)),
        [[a(3), a(2, 3)], [a(3), a(2, 4)], [a(1), a(2, 4)]],
    ),
    "where": (
        lambda c, x, y: tf.where(c > 2, x, y),
        [[a(5), a(5), a(5)], [a(4), a(5), a(5)], [a(5), a(5), a(4)]],
    ),
    "where by rows": (
        lambda c, x, y: tf.where(c > 2, x, y),
        [[a(5), a(5, 2), a(5, 2)], [a(4), a(5, 2), a(5, 2)], [a(5), a(5, 2), a(5, 3)]],
    ),
    "matmul": (
        tf.matmul,
        [[a(2, 3), a(3, 2)], [a(2, 3), a(2, 3)], [a(0, 3), a(3, 2)], [a(2, 0), a(0, 2)]],
    ),
    "matmul of batches": (
        tf.matmul,
        [[a(2, 2, 3), a(2, 3, 2)], [a(2, 2, 3), a(3, 3, 2)], [a(2, 2, 3), a(2, 2, 3)]],
    ),
    "einsum": (
        lambda x, y: tf.einsum("ij,jk->ik", x, y), [[a(2, 3), a(3, 2)], [a(2, 3), a(2, 2)]]
    ),
    "concat": (
        lambda x, y: tf.concat([x, y], 0), [[a(2, 3), a(1, 3)], [a(2, 3), a(2, 2)]]
    ),
    "stack": (lambda x, y: tf.stack([x, y]), [[a(2), a(2)], [a(2), a(3)]]),
    "add_n": (lambda x, y: tf.add_n([x, y]), [[a(2), a(2)], [a(2), a(3)], [a(2), a(1)]]),
    "bias_add": (tf.nn.bias_add, [[a(2, 3), a(3)], [a(2, 3), a(1)], [a(2, 3), a(2)]]),
    "sparse cross-entropy": (
        sparse_loss, [[a(2, 3), a(2)], [a(2, 3), a(3)], [a(2, 3), a(1)], [a(2, 3), a(2) + 2]]
    ),
    "cross-entropy": (loss, [[a(2, 3), a(2, 3)], [a(2, 3), a(3, 2)], [a(2, 3), a(1, 3)]]),
    "top_k": (lambda x: tf.nn.top_k(x, 3)[0], LINES),
    "argmax": (lambda x: tf.argmax(x, 0), LINES),
    "argmin of a product": (lambda x: tf.argmin(x * 2.0, 0) + 1, LINES),
    "reduce_max": (tf.reduce_max, LINES),
    "moments": (lambda x: tf.nn.moments(x, [0])[1], [[a(3, 2)], [a(0, 2)], [a(1, 2)]]),
    "matrix_diag_part": (tf.matrix_diag_part, [[a(2, 3)], [a(3, 2)], [a(3, 3)]]),
    "matrix_set_diag": (
        tf.matrix_set_diag, [[a(2, 3), a(2)], [a(3, 3), a(2)], [a(2, 3), a(3)]]
    ),
    "reverse_sequence": (
        lambda x, n: tf.reverse_sequence(x, ints(n), seq_axis=1, batch_axis=0),
        [[a(2, 3), a(2)], [a(3, 3), a(2)], [a(2, 3), a(2) + 3]],
    ),
    "fill": (lambda n: tf.fill(ints(n), 1.0), [[v(2, 3)], [v(2, -3)], [v(0, 3)]]),
    "range": (
        lambda n: tf.range(ints(n[0]), ints(n[1])), [[v(0, 4)], [v(4, 1)], [v(2, 2)]]
    ),
    "one_hot": (lambda x: tf.one_hot(ints(x), 3), [[a(3)], [a(5)], [-a(3)]]),
    "boolean_mask": (
        lambda x, m: tf.boolean_mask(x, m > 0.0), [[a(3), a(3)], [a(3), -a(3)], [a(0), a(0)]]
    ),
}  # fmt: skip


def outcomes(build: Build, feeds: Sequence[Feeds], config: tf.Config) -> list[Any]:
    """The value of each run, or the error that it raised."""
    with tf.Graph().as_default(), tf.Session(options=config) as sess:
        inputs = [tf.placeholder(tf.float32, [None] * array.ndim) for array in feeds[0]]
        fetch = build(*inputs)
        out: list[Any] = []
        for arrays in feeds:
            try:
                out.append(np.asarray(sess.run(fetch, dict(zip(inputs, arrays, strict=True)))))
            except tf.errors.InvalidArgumentError as err:
                assert __file__ in str(err)
                out.append(err)
        return out


@pytest.mark.parametrize("name", CASES)
def test_runs_answer_or_fail_as_the_reference(name: str) -> None:
    build, feeds = CASES[name]
    wanted = outcomes(build, feeds, tf.Config(backend="reference"))
    forwards = outcomes(build, feeds, tf.Config())
    backwards = outcomes(build, feeds[::-1], tf.Config())[::-1]
    for arrays, want, *got in zip(feeds, wanted, forwards, backwards, strict=True):
        shapes = [array.shape for array in arrays]
        for found in got:
            if isinstance(want, Exception) or isinstance(found, Exception):
                both = isinstance(want, Exception) and isinstance(found, Exception)
                assert both, f"{shapes}: {found} instead of {want}"
                continue
            np.testing.assert_allclose(found, want, 1e-5, 1e-6, err_msg=str(shapes))


# ------------------------------------------------------------------ variables
def test_a_variable_may_take_another_shape() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        variable = tf.Variable([1.0, 2.0, 3.0])
        value = tf.placeholder(tf.float32, [None])
        reset = tf.assign(variable, value, validate_shape=False)
        total = tf.reduce_sum(variable) * 2.0
        sess.run(variable.initializer)
        assert sess.run(total) == 12.0
        for size in (1, 7, 3, 0, 40_000, 2):
            np.testing.assert_array_equal(sess.run(reset, {value: np.ones(size)}), np.ones(size))
            np.testing.assert_array_equal(sess.run(variable), np.ones(size))
            assert sess.run(total) == 2.0 * size
        sess.run(variable.initializer)
        assert sess.run(total) == 12.0


def test_values_that_are_loaded_fit() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        variable = tf.Variable([1.0, 2.0, 3.0])
        sess.run(variable.initializer)
        variable.load([4.0, 5.0, 6.0], sess)
        with pytest.raises(ValueError, match=r"shape \(2,\)|\[2\]"):
            variable.load([4.0, 5.0], sess)
        np.testing.assert_array_equal(sess.run(variable), [4.0, 5.0, 6.0])
