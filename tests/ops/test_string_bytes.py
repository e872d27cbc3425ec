"""Strings are bytes: zeros at their end are kept, whatever moves them."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.ir.dtypes import as_array

ONE, TWO = b"a\0", b"b\0\0"


@pytest.fixture(autouse=True)
def fresh():
    tf.reset_default_graph()


def vector():
    return tf.placeholder(tf.string, [None], name="q")


MOVES = {
    "index": lambda q: q[0],
    "gather": lambda q: tf.gather(q, 0),
    "gather_nd": lambda q: tf.gather_nd(q, [0]),
    "unstack": lambda q: tf.unstack(tf.reshape(q, [2]))[0],
    "split": lambda q: tf.split(tf.reshape(q, [2]), 2)[0][0],
    "stack": lambda q: tf.stack([q[0], q[1]])[0],
    "concat": lambda q: tf.concat([q, q], 0)[2],
    "tile": lambda q: tf.tile(q, [2])[2],
    "where": lambda q: tf.where(tf.equal(q[0], q[0]), q[0], q[1]),
    "fill": lambda q: tf.fill([2], q[0])[1],
    "read": lambda q: tf.TensorArray(tf.string, 2).unstack(q).read(0),
    "map_fn": lambda q: tf.map_fn(lambda x: x, q)[0],
    "cond": lambda q: tf.cond(tf.equal(tf.size(q), 2), lambda: q[0], lambda: q[1]),
    "py_func": lambda q: tf.py_func(lambda x: x[0], [q], tf.string),
    "identity": lambda q: tf.identity(q)[0],
    "sparse": lambda q: tf.sparse_tensor_to_dense(tf.string_split(q, "x"), default_value="")[0, 0],
}


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_zeros_are_kept(name, backend):
    q = vector()
    moved = MOVES[name](q)
    with tf.Session(options=tf.Config(backend=backend)) as sess:
        got, size = sess.run([moved, tf.strings.length(moved)], {q: [ONE, TWO]})
    assert got == ONE and size == 2


def test_zeros_of_constants_variables_and_scalars_are_kept():
    variable = tf.get_variable("v", initializer=tf.constant([ONE, TWO]))
    scalar = tf.placeholder(tf.string, [])
    with tf.Session() as sess:
        sess.run(variable.initializer)
        assert sess.run(variable[1]) == TWO
        assert sess.run(tf.unstack(tf.constant([ONE, TWO]))[1]) == TWO
        assert sess.run(tf.identity(scalar), {scalar: ONE}) == ONE
        assert sess.run(tf.identity(scalar), {scalar: np.array(ONE, object)}) == ONE
        assert sess.run(tf.decode_raw(scalar, tf.uint8), {scalar: TWO}).tolist() == [98, 0, 0]


def test_zeros_in_examples_are_kept():
    example = tf.train.Example()
    example.features.feature["raw"].bytes_list.value.append(b"\1\0\0\0")
    record = example.SerializeToString()

    def parse(serialized):
        parsed = tf.parse_single_example(serialized, {"raw": tf.FixedLenFeature([], tf.string)})
        return tf.decode_raw(parsed["raw"], tf.int32)

    serialized = tf.placeholder(tf.string, [None])
    each = tf.map_fn(parse, serialized, dtype=tf.int32)
    dataset = tf.data.Dataset.from_tensors(record).map(parse)
    element = dataset.make_one_shot_iterator().get_next()
    with tf.Session() as sess:
        assert sess.run(each, {serialized: [record] * 2}).tolist() == [[1], [1]]
        assert sess.run(element).tolist() == [1]


def test_arrays_of_one_string():
    assert as_array(ONE)[()] == ONE and as_array(ONE).shape == ()
    assert as_array(3).dtype == np.int64
