"""Constants, placeholders, scopes, control dependencies, devices, collections, graphs."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf


# ------------------------------------------------------------------ constants
def test_constant_fill(sess) -> None:
    got = sess.run([tf.constant([1, 2, 3], shape=[2, 3]), tf.constant(7.0, shape=[2])])
    np.testing.assert_array_equal(got[0], [[1, 2, 3], [3, 3, 3]])
    np.testing.assert_array_equal(got[1], [7, 7])


def test_default_dtypes() -> None:
    for value, dtype in ((1, tf.int32), (2**40, tf.int64), (1.0, tf.float32), ("a", tf.string),
                         (True, tf.bool), ([], tf.float32)):  # fmt: skip
        assert tf.constant(value).dtype == dtype
    assert tf.constant(np.zeros(2)).dtype == tf.float64
    assert tf.constant(np.zeros(2), "float").dtype == tf.float32


@pytest.mark.parametrize(
    ("build", "error", "text"),
    [
        (lambda: tf.constant([1, 2, 3], shape=[2]), ValueError,
         "Too many elements provided. Needed at most 2, but received 3"),
        (lambda: tf.constant([1.5], tf.int32), TypeError,
         "Expected int32, got 1.5 of type 'float' instead."),
        (lambda: tf.constant("a", tf.int32), TypeError,
         "Expected int32, got 'a' of type 'str' instead."),
        (lambda: tf.constant(None), ValueError, "None values not supported."),
        (lambda: tf.constant([1, 2], shape=[3], verify_shape=True), TypeError,
         "Expected Tensor's shape: (3,), got (2,)."),
        (lambda: tf.convert_to_tensor(tf.constant(1.0), tf.int32), ValueError,
         "Tensor conversion requested dtype int32 for Tensor with dtype float32"),
        (lambda: tf.group(1), TypeError, "Expected tf.group() expected Tensor objects not '1'"),
        (lambda: tf.tuple([None]), ValueError, "Must have at least one Tensor"),
        (lambda: tf.placeholder("no such type"), TypeError, "Cannot convert value"),
        (lambda: tf.name_scope(3), TypeError, "name for name_scope must be a string."),
    ],
)  # fmt: skip
def test_refusals(build, error, text) -> None:
    with pytest.raises(error) as err:
        build()
    assert text in str(err.value)


def test_placeholder_shapes(sess) -> None:
    x = tf.placeholder(tf.float32)
    assert x.shape.ndims is None
    assert x.op.name == "Placeholder"
    for value in (1.0, [1.0], [[1.0, 2.0]]):
        np.testing.assert_array_equal(sess.run(x + 1, {x: value}), np.asarray(value) + 1)
    d = tf.placeholder_with_default([1.0, 2.0], [None])
    assert d.shape.as_list() == [None]
    np.testing.assert_array_equal(sess.run(d * 2), [2, 4])
    np.testing.assert_array_equal(sess.run(d * 2, {d: [5]}), [10])


# ------------------------------------------------------------------ names
def test_name_scopes() -> None:
    with tf.name_scope("n") as n, tf.name_scope("n") as m, tf.name_scope(n) as k:
        assert (n, m, k) == ("n/", "n/n/", "n/")
        with tf.name_scope(None) as root:
            assert root == ""
            assert tf.constant(1, name="c").name == "c:0"
    with tf.name_scope("n") as again:
        assert again == "n_1/"
    with tf.name_scope(None, "dflt", [tf.constant(1)]) as d:
        assert d == "dflt/"
    with pytest.raises(ValueError, match=r"is not a valid scope name"), tf.name_scope("a b"):
        pass


def test_names_are_unique_without_regard_to_case() -> None:
    assert [tf.constant(1, name=n).op.name for n in ("a", "A", "a")] == ["a", "A_1", "a_2"]


# ------------------------------------------------------------------ order and place
def test_control_dependencies_and_devices() -> None:
    x = tf.constant(1.0, name="x")
    with tf.control_dependencies([x]):
        y = tf.identity(x, name="y")
        _ = y * 2
        with tf.control_dependencies(None):
            tf.no_op(name="w")
        with tf.device("/gpu:0"), tf.device("/job:a"):
            tf.constant(1, name="d")
    with tf.device("/cpu:0"):
        e = tf.identity(x)
    with tf.colocate_with(e):
        tf.identity(x)
    with tf.device(lambda op: "/gpu:1" if op.type == "Identity" else "/cpu:0"):
        tf.identity(x, name="f")
    # checked against TensorFlow
    assert [
        (n.name, [c.name for c in n.control_inputs], n.device)
        for n in tf.get_default_graph().get_operations()
    ] == [
        ("x", [], ""), ("y", [], ""), ("mul/y", ["x"], ""), ("mul", [], ""), ("w", [], ""),
        ("d", ["x"], "/job:a/device:GPU:0"), ("Identity", [], "/device:CPU:0"),
        ("Identity_1", [], "/device:CPU:0"), ("f", [], "/device:GPU:1"),
    ]  # fmt: skip


def test_group_runs_everything(sess) -> None:
    v, w = tf.Variable(1.0), tf.Variable(1.0)
    sess.run(tf.global_variables_initializer())
    both = tf.group(v.assign_add(1.0), [w.assign_add(2.0)])
    assert sess.run(both) is None
    assert sess.run([v, w]) == [2, 3]
    assert sess.run(tf.group()) is None


def test_tuple_waits_for_all(sess) -> None:
    v = tf.Variable(1.0)
    sess.run(v.initializer)
    one, two, add = tf.constant(1.0), tf.constant(2.0), v.assign_add(1)
    a, none, b = tf.tuple([one, None, two], control_inputs=[add])
    assert none is None
    assert sess.run(a) == 1
    assert sess.run(v) == 2
    assert b.name == "tuple/control_dependency_1:0"


# ------------------------------------------------------------------ graphs
def test_collections() -> None:
    tf.add_to_collection("c", 1)
    tf.add_to_collections(["c", "d"], 2)
    assert tf.get_collection("c") == [1, 2]
    tf.get_collection("c").append(3)
    assert tf.get_collection("c") == [1, 2]
    tf.get_collection_ref("c").append(3)
    assert tf.get_collection("c") == [1, 2, 3]
    v, w = tf.Variable(1.0, name="aa"), tf.Variable(1.0, name="ba")
    assert tf.get_collection("variables", "a") == [v]
    assert tf.get_collection("variables", ".*a") == [v, w]


def test_graphs_do_not_mix() -> None:
    a = tf.constant(1.0)
    with tf.Graph().as_default():
        b = tf.constant(1.0)
        with pytest.raises(ValueError, match=r"must be from the same graph as"):
            _ = a + b
        with pytest.raises(AssertionError, match=r"Do not use tf.reset_default_graph"):
            tf.reset_default_graph()


def test_finalized_graphs_cannot_change() -> None:
    tf.constant(1.0)
    tf.get_default_graph().finalize()
    with pytest.raises(RuntimeError, match=r"Graph is finalized and cannot be modified."):
        tf.constant(2.0)


def test_lookup_by_name() -> None:
    g = tf.get_default_graph()
    c = tf.constant(1.0, name="c")
    assert g.get_tensor_by_name("c:0") is c
    assert g.get_operation_by_name("c") is c.op
    assert g.as_graph_element("c:0") is c
    with pytest.raises(KeyError, match=r"exists but only has 1 outputs"):
        g.get_tensor_by_name("c:1")
    with pytest.raises(ValueError, match=r"Tensor names must be of the form"):
        g.get_tensor_by_name("c")


def test_own_tensor_classes(sess) -> None:
    class Boxed:
        def __init__(self, value: float) -> None:
            self.value = value

    tf.register_tensor_conversion_function(
        Boxed, lambda v, dtype=None, name=None, as_ref=False: tf.constant(v.value)
    )
    assert sess.run(tf.constant(1.0) + Boxed(2.0)) == 3
    assert tf.is_tensor(Boxed(1.0))
