"""Shape ops: records, partial static shapes, error texts, index maps of reshapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ir.shape import SymDim
from graphc.kernel.expr import Axis, Prim, postorder
from graphc.ops import shape
from graphc.ops.define import REGISTRY
from tests.ops.array_checks import agree, check_forward, check_gradient, in_session, names_of

NAMES = names_of(shape)
A = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.fixture(autouse=True)
def _fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


@pytest.mark.parametrize("name", NAMES)
def test_kernel_and_shape_rule_agree_with_the_reference(name: str) -> None:
    check_forward(REGISTRY[name])


@pytest.mark.parametrize("name", [n for n in NAMES if REGISTRY[n].grad is not None])
def test_gradient_is_the_numeric_one(name: str) -> None:
    check_gradient(REGISTRY[name])


# ------------------------------------------------------------------ partial static shapes
def _image() -> Any:
    return tf.placeholder(tf.float32, [None, 28, 28])


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda x: tf.reshape(x, [tf.shape(x)[0], 784]), "(?, 784)"),
        (lambda x: tf.reshape(x, [-1, x.shape[1] * x.shape[2]]), "(?, 784)"),
        (lambda x: tf.reshape(x, tf.concat([tf.shape(x)[:1], [784]], 0)), "(?, 784)"),
        (lambda x: tf.reshape(x, tf.stack([tf.shape(x)[0] * 28, 28])), "(?, 28)"),
        (lambda x: tf.zeros([tf.shape(x)[0], 10]), "(?, 10)"),
        (lambda x: tf.fill(tf.stack([tf.shape(x)[0], 5]), 1.0), "(?, 5)"),
        (lambda x: tf.ones(tf.shape(x)), "(?, 28, 28)"),
        (lambda x: tf.tile(x, [1, 2, 1]), "(?, 56, 28)"),
        (lambda x: tf.broadcast_to(x[:, :1], tf.shape(x)), "(?, 28, 28)"),
        (lambda x: tf.reshape(x, [tf.placeholder(tf.int32, []), 784]), "(?, 784)"),
        (lambda x: tf.transpose(x, tf.concat([[1, 0], tf.range(2, tf.rank(x))], 0)), "(28, ?, 28)"),
        (lambda x: tf.zeros(tf.shape(x)[1:]), "(28, 28)"),
        (lambda x: tf.expand_dims(x, -1), "(?, 28, 28, 1)"),
        (lambda x: tf.zeros([tf.size(x[0]), 2]), "(784, 2)"),
        (lambda x: tf.ones(tf.broadcast_dynamic_shape(tf.shape(x[0]), [5, 1, 1])), "(5, 28, 28)"),
        (lambda x: tf.zeros([tf.maximum(tf.shape(x)[1], 30), 2]), "(30, 2)"),
        (lambda x: tf.zeros(tf.shape_n([x, x])[1]), "(?, 28, 28)"),
    ],
)
def test_shape_arithmetic_keeps_what_is_known(build: Any, text: str) -> None:
    assert str(build(_image()).shape) == text


@pytest.mark.parametrize(
    "build",
    [
        lambda x: tf.reshape(x, [-1, 3]),
        lambda x: tf.transpose(x),
        lambda x: tf.expand_dims(x, 0),
        lambda x: tf.squeeze(x),
        lambda x: tf.tile(x, [2, 2]),
        lambda x: tf.matrix_transpose(x),
    ],
)
def test_unknown_rank_works(build: Any) -> None:
    x = tf.placeholder(tf.float32)
    y = build(x)
    value = np.arange(6, dtype=np.float32).reshape(2, 3)
    with tf.Session() as session:
        got = session.run(y, {x: value})
    assert got.size in (6, 24)


def test_value_of_a_shape_is_read_on_every_run() -> None:
    x = tf.placeholder(tf.float32, [None])
    n = tf.placeholder(tf.int32, [None])
    y = tf.reshape(x, n)
    value = np.arange(12, dtype=np.float32)
    with tf.Session() as session:
        for dims in ([12], [3, 4], [4, 3], [-1, 6], [2, 2, -1]):
            np.testing.assert_array_equal(
                session.run(y, {x: value, n: dims}), value.reshape(dims)
            )


# ------------------------------------------------------------------ errors
@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda x: tf.reshape(x, [4]), "Cannot reshape a tensor with 24 elements to shape [4]"),
        (lambda x: tf.reshape(x, [5, -1]), "size must be evenly divisible by 5 but is 24"),
        (lambda x: tf.transpose(x, [0]), "Dimension must be 3 but is 1 for 'transpose'"),
        (lambda x: tf.transpose(x, [0, 1, 3]), "perm dim 3 is out of range of input rank 3"),
        (lambda x: tf.expand_dims(x, 4), "dim 4 not in the interval [-4, 3]."),
        (lambda x: tf.squeeze(x, [0]), "Can not squeeze dim[0], expected a dimension of 1, got 2"),
        (lambda x: tf.broadcast_to(x, [2, 5, 4]), "Dimensions must be equal, but are 3 and 5"),
    ],
)
def test_static_errors_read_as_tf(build: Any, text: str) -> None:
    with pytest.raises(ValueError) as err:
        build(tf.placeholder(tf.float32, [2, 3, 4]))
    assert text in str(err.value)


@pytest.mark.parametrize(
    ("dims", "text"),
    [
        ([4], "Input to reshape is a tensor with 6 values, but the requested shape has 4"),
        ([4, -1], "divisible by 4 but is 6"),
    ],
)
def test_sizes_that_do_not_fit_raise_when_run(dims: list[int], text: str) -> None:
    x = tf.placeholder(tf.float32, [None, None])
    n = tf.placeholder(tf.int32, [None])
    with tf.Session() as session, pytest.raises(tf.errors.InvalidArgumentError) as err:
        session.run(tf.reshape(x, n), {x: np.zeros((2, 3)), n: dims})
    assert text in str(err.value)


def test_both_spellings_of_an_axis_are_an_error() -> None:
    with pytest.raises(ValueError, match="Cannot specify both"):
        tf.expand_dims(tf.zeros([2]), axis=0, dim=0)


# ------------------------------------------------------------------ functions
def test_functions_agree_with_numpy() -> None:
    agree(lambda x: tf.transpose(x, [2, 0, 1]), lambda a: a.transpose(2, 0, 1), A)
    agree(lambda x: tf.transpose(x, [-1, 0, 1]), lambda a: a.transpose(2, 0, 1), A)
    agree(lambda x: tf.transpose(x), lambda a: a.T, A)
    agree(lambda x: tf.matrix_transpose(x), lambda a: a.swapaxes(1, 2), A)
    agree(lambda x: tf.squeeze(x[:, :1], [1]), lambda a: a[:, 0], A)
    agree(lambda x: tf.expand_dims(x, dim=1), lambda a: a[:, None], A)
    agree(lambda x: tf.shape(x), lambda a: np.array(a.shape), A)
    agree(lambda x: tf.size(x), lambda a: a.size, A)
    agree(lambda x: tf.rank(x), lambda a: a.ndim, A)
    agree(lambda x: tf.shape_n([x, x[0]])[1], lambda a: np.array(a.shape[1:]), A)


def test_shape_takes_an_out_type() -> None:
    assert in_session(lambda x: tf.shape(x, out_type=tf.int64), A).dtype == np.int64
    assert tf.shape(tf.zeros([2])).dtype is tf.int32


def test_broadcast_static_shape_refuses_what_does_not_broadcast() -> None:
    assert tf.broadcast_static_shape(tf.TensorShape([5, 1]), tf.TensorShape([3])) == [5, 3]
    with pytest.raises(ValueError, match="Incompatible shapes"):
        tf.broadcast_static_shape(tf.TensorShape([2]), tf.TensorShape([3]))


# ------------------------------------------------------------------ index maps
def _divisions(out: Any, source: Any) -> int:
    idx = [Axis(d) for d in out]
    at = shape.reindex(idx, out, source)
    return sum(isinstance(e, Prim) and e.name.startswith("floor") for e in postorder(*at))


@pytest.mark.parametrize(
    ("out", "source", "divisions"),
    [
        ((6, 4), (2, 3, 4), 2),  # one axis splits: a quotient and a remainder
        ((2, 12), (2, 3, 4), 2),
        ((2, 3, 4), (6, 4), 0),  # axes merge: only multiplications
        ((24,), (24,), 0),
        ((2, 1, 3), (2, 3), 0),
        ((2, 3), (1, 2, 3, 1), 0),
        ((2, 3, 5, 4), (6, 20), 0),
    ],
)
def test_reshape_divides_only_where_an_axis_splits(
    out: Any, source: Any, divisions: int
) -> None:
    assert _divisions(out, source) == divisions


def test_symbolic_axes_that_stay_cost_nothing() -> None:
    s = SymDim.symbol("s0")
    assert _divisions((s, 28, 28), (s, 784)) == 0
    assert _divisions((s, 784), (s, 28, 28)) == 2
    assert _divisions((s * 28, 28), (s, 28, 28)) == 2
