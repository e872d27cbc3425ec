"""Random ops: the generator against published vectors, kernels bit for bit, distributions."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import bfloat16, float16, float32, float64, int32, int64, uint32
from graphc.ir.graph import Graph
from graphc.ops import philox
from graphc.ops.define import F
from graphc.ops.samples import fixed, sample
from tests.ops.checks import Case, check_kernel, placeholder, records, samples_of, walk

RECORDS = records("random")
STATE = np.array([3, 9, 1, 0], np.uint32)
COUNT = 20000


def draw(op, *inputs, count=COUNT, **attrs):
    with Graph().as_default():
        return walk([op(np.array([count], np.int32), *inputs, STATE, **attrs)])[0]


@pytest.mark.parametrize(
    ("counter", "key", "want"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)  # fmt: skip
def test_the_generator_gives_the_published_answers(counter, key, want):
    assert philox.generate(np.array([counter], np.uint32), key)[0].tolist() == list(want)


@pytest.mark.parametrize("op", [r for r in RECORDS if r.kernel], ids=lambda r: r.name)
def test_kernel_agrees_with_the_reference(op):
    check_kernel(op, atol=1e-5)


@pytest.mark.parametrize("dtype", [float32, float64, float16, bfloat16], ids=str)
def test_uniform_kernel_has_the_same_bits(dtype):
    spec = sample(fixed([3, 7], int32, const=True), fixed(STATE, uint32), dtype=dtype)
    case = Case(F.random_uniform, spec, dtype)
    want, got = case.reference()[0], case.kernel()[0]
    assert got.tobytes() == want.tobytes()
    assert (want.astype(float) >= 0).all() and (want.astype(float) < 1).all()


@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_distributions(dtype):
    uniform = draw(F.random_uniform, dtype=dtype)
    normal = draw(F.random_normal, dtype=dtype)
    truncated = draw(F.truncated_normal, dtype=dtype)
    assert abs(uniform.mean() - 0.5) < 0.01 and abs(uniform.var() - 1 / 12) < 0.005
    assert abs(normal.mean()) < 0.03 and abs(normal.std() - 1) < 0.02
    assert abs(np.mean(normal**4) - 3) < 0.3
    assert abs(np.corrcoef(normal[0::2], normal[1::2])[0, 1]) < 0.03
    assert np.abs(truncated).max() <= 2 and abs(truncated.std() - 0.8796) < 0.02
    assert len(np.unique(uniform)) > COUNT * 0.99


@pytest.mark.parametrize(("dtype", "low", "high"), [(int32, -3, 4), (int64, 2**40, 2**40 + 7)])
def test_integers_are_uniform_in_their_range(dtype, low, high):
    got = draw(F.random_uniform_int, dtype.np.type(low), dtype.np.type(high))
    values, counts = np.unique(got, return_counts=True)
    assert got.dtype == dtype.np and values.tolist() == list(range(low, high))
    assert counts.min() > COUNT / 7 * 0.9


def test_an_empty_range_is_refused():
    with Graph().as_default():
        with pytest.raises(ValueError, match="Need minval < maxval, got 5 >= 5"):
            F.random_uniform_int(np.int32([3]), np.int32(5), np.int32(5), STATE)
        low = placeholder(int32, ())
        got = F.random_uniform_int(np.int32([3]), low, np.int32(5), STATE)
        with pytest.raises(InvalidArgumentError, match="Need minval < maxval"):
            walk([got], {low: np.int32(6)})


def test_streams_of_different_counters_differ():
    first = philox.words(100, STATE)
    assert not np.array_equal(first, philox.words(100, STATE + np.uint32([0, 0, 1, 0])))
    assert not np.array_equal(first, philox.words(100, STATE + np.uint32([1, 0, 0, 0])))


def test_shuffle_permutes_rows():
    rows = np.arange(20, dtype=np.float32).reshape(10, 2)
    with Graph().as_default():
        got = walk([F.random_shuffle(rows, STATE)])[0]
    assert not np.array_equal(got, rows)
    np.testing.assert_array_equal(got[np.argsort(got[:, 0])], rows)


def test_multinomial_follows_the_logits():
    logits = np.log(np.float32([[0.1, 0.0001, 0.9], [1, 1, 2]]))
    logits[0, 1] = -np.inf
    with Graph().as_default():
        out = F.multinomial(logits, np.int32(COUNT), STATE)
        assert out.dims == (2, COUNT) and out.dtype is int64
        got = walk([out])[0]
    shares = [np.bincount(row, minlength=3) / COUNT for row in got]
    np.testing.assert_allclose(shares, [[0.1, 0, 0.9], [0.25, 0.25, 0.5]], atol=0.02)
    assert 1 not in got[0]


def test_gamma_and_poisson_draw_for_each_parameter():
    rate = np.float32([0.5, 3.0])
    gamma, poisson = draw(F.random_gamma, rate), draw(F.random_poisson, rate, dtype=float32)
    for got in (gamma, poisson):
        assert got.shape == (COUNT, 2)
        np.testing.assert_allclose(got.mean(0), rate, rtol=0.06)
        np.testing.assert_allclose(got.var(0), rate, rtol=0.1)


def test_shapes_follow_the_shape_input():
    with Graph().as_default():
        state = placeholder(uint32, (4,))
        x = placeholder(float32, (None, 3))
        assert F.random_uniform(F.shape(x), state, dtype=float32).dims == (None, 3)
        known = placeholder(int32, (2,))
        assert F.random_normal(known, state, dtype=float32).dims == (None, None)


def test_every_record_has_samples():
    assert all(list(samples_of(r)) for r in RECORDS)


# ------------------------------------------------------------------ TF1's functions and seeds
def two_runs(make, graph_seed=None):
    with Graph().as_default():
        if graph_seed is not None:
            tf.set_random_seed(graph_seed)
        x = make()
        with tf.Session() as session:
            return session.run(x), session.run(x)


@pytest.mark.parametrize(
    "make",
    [
        lambda: tf.random_uniform([50], seed=4), lambda: tf.random_normal([50], seed=4),
        lambda: tf.truncated_normal([50], seed=4), lambda: tf.random_gamma([50], 2.0, seed=4),
        lambda: tf.random_shuffle(tf.range(50), seed=4),
        lambda: tf.random_poisson(9.0, [50], seed=4),
        lambda: tf.multinomial(tf.zeros([1, 90]), 50, seed=4),
        lambda: tf.random_uniform([50], 0, 999, tf.int32, seed=4),
    ],
)  # fmt: skip
def test_a_seed_repeats_the_sequence_of_a_session_and_each_run_advances_it(make):
    first, second = two_runs(make), two_runs(make)
    assert not np.array_equal(first[0], first[1])
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_without_a_seed_sessions_differ_and_a_graph_seed_fixes_all():
    def make():
        return tf.random_normal([20])

    assert not np.array_equal(two_runs(make)[0], two_runs(make)[0])
    np.testing.assert_array_equal(two_runs(make, 7)[0], two_runs(make, 7)[0])
    assert not np.array_equal(two_runs(make, 7)[0], two_runs(make, 8)[0])


def test_get_seed_follows_tf1():
    from graphc.tf1.api_random import get_seed

    with Graph().as_default() as graph:
        assert get_seed(None) == (None, None)
        assert get_seed(5) == (87654321, 5)
        tf.set_random_seed(3)
        assert get_seed(None) == (3, 0) and get_seed(5) == (3, 5)
        tf.constant(1)
        assert get_seed(None) == (3, graph.last_id)
        tf.set_random_seed(0)
        assert get_seed(0) == (0, 2**31 - 1)


def test_one_op_gives_one_draw_a_run_and_two_ops_two():
    with Graph().as_default(), tf.Session() as session:
        x = tf.random_uniform([30])
        a, b, other = session.run([x + 0, x * 1, tf.random_uniform([30])])
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, other)


def test_ranges_and_dtypes():
    with Graph().as_default(), tf.Session() as session:
        got = session.run(
            [
                tf.random_uniform([500], -3.0, -1.0), tf.random_uniform([500], 2, 5, tf.int64),
                tf.random_normal([500], 10.0, 0.1), tf.truncated_normal([500], stddev=0.1),
                tf.random_uniform([5], dtype=tf.float16),
            ]
        )  # fmt: skip
        with pytest.raises(ValueError, match="Must specify maxval for integer dtype"):
            tf.random_uniform([2], dtype=tf.int32)
        with pytest.raises(ValueError, match="Invalid dtype"):
            tf.random_uniform([2], dtype=tf.bool)
    assert (got[0] >= -3).all() and (got[0] < -1).all()
    assert got[1].dtype == np.int64 and set(got[1].tolist()) == {2, 3, 4}
    assert abs(got[2].mean() - 10) < 0.05 and np.abs(got[3]).max() <= 0.2
    assert got[4].dtype == np.float16


def test_a_crop_is_a_slice():
    image = np.arange(20).reshape(4, 5)
    with Graph().as_default(), tf.Session() as session:
        got = session.run(tf.random_crop(image, [2, 3]))
    assert got.shape == (2, 3)
    row, column = np.argwhere(image == got[0, 0])[0]
    np.testing.assert_array_equal(got, image[row : row + 2, column : column + 3])


def test_a_dynamic_batch_draws_its_own_shape():
    with Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 2])
        noise = tf.random_normal(tf.shape(x))
        assert noise.shape.as_list() == [None, 2]
        for n in (3, 8):
            assert session.run(noise, {x: np.zeros((n, 2))}).shape == (n, 2)
