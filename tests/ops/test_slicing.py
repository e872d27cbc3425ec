"""Slices, joins, tiles and pads: records, every NumPy index, functions, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc as tf
from graphc.ops import joining, slicing, tiling
from graphc.ops.define import REGISTRY
from tests.ops.array_checks import agree, check_forward, check_gradient, in_session, names_of, run

NAMES = names_of(joining, slicing, tiling)
A = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
M = np.arange(12, dtype=np.float32).reshape(3, 4)


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


# ------------------------------------------------------------------ indexing
KEYS = [
    0, -1, (0, 1), (slice(None), -2), (Ellipsis, 0), (Ellipsis,), (), None, (None, 1, None),
    (slice(None, None, -1),), (slice(1, 3), slice(0, 3, 2)), (Ellipsis, slice(3, 0, -2)),
    (0, Ellipsis, None, slice(-3, -1)), (slice(None), slice(5, 9)), (slice(2, 0),),
    (slice(None), slice(None), slice(-100, 100)), (1, 2, 3, 4), (Ellipsis, None),
    (slice(None), None, slice(None, -1)), np.int64(1), (slice(None, None, -2), -1),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_every_kind_of_index(key: Any) -> None:
    agree(lambda x: x[key], lambda a: a[key], A)


def test_tensors_as_bounds() -> None:
    with tf.Session() as session:
        x, i = tf.placeholder(tf.float32, [None, None]), tf.placeholder(tf.int32, [])
        long = tf.cast(i, tf.int64)
        built = [x[i], x[:, i], x[:i], x[i:, 0], x[-i:], x[long], x[i, :i], x[::i], x[i - 1 : i]]
        for n in (1, 2, 0, -1):
            plain = [M[n], M[:, n], M[:n], M[n:, 0], M[-n:], M[n], M[n, :n]]
            got = session.run(built[:7], {x: M, i: n})
            for a, b in zip(got, plain, strict=True):
                np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(session.run(built[7], {x: M, i: 2}), M[::2])
        np.testing.assert_array_equal(session.run(built[8], {x: M, i: 2}), M[1:2])


_BOUND = st.one_of(st.none(), st.integers(-6, 6))
_PART = st.one_of(
    st.integers(-2, 1),
    st.builds(slice, _BOUND, _BOUND, st.sampled_from([None, 1, 2, 3, -1, -2, -3])),
    st.none(),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_PART, max_size=4), st.integers(0, 4))
def test_random_indices_agree_with_numpy(parts: list[Any], dots: int) -> None:
    while sum(p is not None for p in parts) > 3:
        parts.pop()
    key = (*parts[:dots], Ellipsis, *parts[dots:])
    value = np.arange(2 * 3 * 5, dtype=np.float64).reshape(2, 3, 5)
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float64, [2, 3, 5])
        y = x[key]
        want = value[key]
        assert y.shape == want.shape
        np.testing.assert_array_equal(run(y, {x: value}), want)
        back = tf.gradients(y, x)[0]
        counts = np.zeros_like(value)
        counts[key] = 1
        np.testing.assert_array_equal(run(back, {x: value}), counts)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (7, "slice index 7 of dimension 0 out of bounds."),
        ((slice(None), -5), "slice index -5 of dimension 1 out of bounds."),
        ((0, 0, 0), "Index out of range using input dim 2; input has only 2 dims"),
        (slice(None, None, 0), "strides[0] must be non-zero"),
        ((Ellipsis, Ellipsis), "Multiple ellipses in slice spec not allowed"),
    ],
)
def test_static_index_errors(key: Any, text: str) -> None:
    with pytest.raises(ValueError) as err:
        tf.placeholder(tf.float32, [3, 4])[key]
    assert text in str(err.value)


@pytest.mark.parametrize("key", [1.5, np.array([True, False]), np.array([0, 1]), "a"])
def test_indices_that_tf_refuses(key: Any) -> None:
    with pytest.raises(TypeError, match="Only integers, slices"):
        tf.placeholder(tf.float32, [3, 4])[key]


def test_index_out_of_bounds_raises_when_run() -> None:
    x, i = tf.placeholder(tf.float32, [None, 4]), tf.placeholder(tf.int32, [])
    with tf.Session() as session:
        for n in (3, -4, 100):
            with pytest.raises(tf.errors.InvalidArgumentError, match=f"slice index {n} of dim"):
                session.run(x[i], {x: M, i: n})


def test_names_of_slices_are_tfs() -> None:
    x = tf.placeholder(tf.float32, [3, 4])
    y = x[0]
    assert y.name == "strided_slice:0"
    assert [t.name for t in y.op.inputs[1:]] == [
        "strided_slice/stack:0", "strided_slice/stack_1:0", "strided_slice/stack_2:0",
    ]  # fmt: skip
    assert tf.slice(x, [0, 0], [1, 1]).name == "Slice:0"


# ------------------------------------------------------------------ functions
def test_joins_agree_with_numpy() -> None:
    agree(lambda x: tf.concat([x, x * 2], 1), lambda a: np.concatenate([a, a * 2], 1), M)
    agree(lambda x: tf.concat([x, x, x], axis=-2), lambda a: np.concatenate([a] * 3, 0), M)
    agree(lambda x: tf.concat([x], 0), lambda a: a, M)
    agree(lambda x: tf.concat([x[:0], x], 0), lambda a: a, M)
    agree(lambda x: tf.stack([x, x + 1], -1), lambda a: np.stack([a, a + 1], -1), M)
    agree(lambda x: tf.stack([x[0, 0], 1, 2]), lambda a: np.array([a[0, 0], 1, 2]), M)
    agree(lambda x: tf.split(x, 2, 1)[1], lambda a: a[:, 2:], M)
    agree(lambda x: tf.split(x, [1, -1, 1], axis=1)[1], lambda a: a[:, 1:3], M)
    agree(lambda x: tf.tile(x, [2, 3]), lambda a: np.tile(a, (2, 3)), M)
    agree(lambda x: tf.reverse(x, [1]), lambda a: a[:, ::-1], M)
    agree(lambda x: tf.slice(x, [1, 0], [-1, 2]), lambda a: a[1:, :2], M)


@pytest.mark.parametrize("mode", ["CONSTANT", "REFLECT", "symmetric"])
def test_pads_agree_with_numpy(mode: str) -> None:
    width = ((2, 1), (0, 3))
    agree(lambda x: tf.pad(x, width, mode), lambda a: np.pad(a, width, mode.lower()), M)


def test_pad_takes_a_value() -> None:
    agree(
        lambda x: tf.pad(x, [[1, 0], [0, 0]], constant_values=7),
        lambda a: np.pad(a, [[1, 0], [0, 0]], constant_values=7), M,
    )  # fmt: skip
    agree(
        lambda x: tf.pad(x, [[1, 0], [0, 0]], constant_values=tf.reduce_max(x)),
        lambda a: np.pad(a, [[1, 0], [0, 0]], constant_values=a.max()), M,
    )  # fmt: skip


def test_unstack_needs_a_number() -> None:
    with pytest.raises(ValueError, match=r"Cannot infer num from shape \(\?, 3\)"):
        tf.unstack(tf.placeholder(tf.float32, [None, 3]))
    assert len(tf.unstack(tf.placeholder(tf.float32, [None, 3]), num=5)) == 5
    got = in_session(lambda x: tf.unstack(x, axis=1), M)
    np.testing.assert_array_equal(np.array(got), M.T)


def test_reverse_sequence_turns_each_row_to_its_length() -> None:
    got = in_session(lambda x: tf.reverse_sequence(x, [0, 2, 4], seq_dim=1, batch_dim=0), M)
    np.testing.assert_array_equal(got, [M[0], [5, 4, 6, 7], M[2, ::-1]])


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda x: tf.concat([x, tf.zeros([4, 4, 1])], 0), "Shape must be rank 2 but is rank 3"),
        (
            lambda x: tf.concat([x, tf.zeros([3, 5])], 0),
            "Dimension 0 in both shapes must be equal, but are 4 and 5. Shapes are [4] and [5].",
        ),
        (lambda x: tf.concat([x, x], 5), "Shape must be at least rank 6 but is rank 2"),
        (lambda x: tf.stack([x, x[0]]), "Shapes must be equal rank, but are 2 and 1"),
        (lambda x: tf.split(x, 2), "Dimension size must be evenly divisible by 2 but is 3"),
        (lambda x: tf.split(x, [2, 2]), "can't split axis of size 3 into pieces of size [2,2]"),
        (lambda x: tf.slice(x, [2, 0], [4, 1]), "Expected size[0] in [0, 1], but got 4"),
        (lambda x: tf.pad(x, [[1, 1]]), "Shape must be rank 1 but is rank 2"),
        (lambda x: tf.pad(x, [[1, -1], [0, 0]]), "Paddings must be non-negative"),
        (lambda x: tf.tile(x, [1]), "Shape must be rank 2 but is rank 1"),
        (lambda x: tf.reverse(x, [1, 1]), "axis 1 specified more than once."),
        (lambda x: tf.pad(x, [[0, 0], [0, 0]], "FOO"), "Unknown padding mode: FOO"),
    ],
)
def test_static_errors_read_as_tf(build: Any, text: str) -> None:
    with pytest.raises(ValueError) as err:
        build(tf.placeholder(tf.float32, [3, 4]))
    assert text in str(err.value)


def test_bounds_that_the_run_decides() -> None:
    x, i = tf.placeholder(tf.float32, [None, 4]), tf.placeholder(tf.int32, [])
    part, wide = tf.slice(x, [i, 0], [2, 4]), tf.pad(x, [[i, 0], [0, 0]], "REFLECT")
    with tf.Session() as session:
        for n in (0, 1):
            np.testing.assert_array_equal(session.run(part, {x: M, i: n}), M[n : n + 2])
        for n in (2, -1):
            with pytest.raises(tf.errors.InvalidArgumentError, match="Expected"):
                session.run(part, {x: M, i: n})
        for n in (2, 0, 1):
            np.testing.assert_array_equal(
                session.run(wide, {x: M, i: n}), np.pad(M, ((n, 0), (0, 0)), "reflect")
            )
        with pytest.raises(tf.errors.InvalidArgumentError, match="paddings must be less than"):
            session.run(wide, {x: M, i: 3})
