"""tf.Variable: names, values per session, assignment, initial values that depend on others."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from tests.front.conftest import op_names


def test_node_names() -> None:
    v = tf.Variable([1.0, 2.0], name="v")
    u = tf.Variable(lambda: tf.constant(2.0))
    with tf.name_scope("s"):
        q = tf.Variable(1, name="q")
    assert (v.name, u.name, q.name) == ("v:0", "Variable:0", "s/q:0")
    assert op_names() == [
        "v/initial_value", "v", "v/Assign", "v/read",
        "Variable/Initializer/Const", "Variable", "Variable/Assign", "Variable/read",
        "s/q/initial_value", "s/q", "s/q/Assign", "s/q/read",
    ]  # fmt: skip
    assert (v.dtype, q.dtype) == (tf.float32, tf.int32)
    assert v.op.type == "VariableV2"
    assert v.shape.as_list() == [2]
    assert repr(v) == "<tf.Variable 'v:0' shape=(2,) dtype=float32_ref>"


def test_collections() -> None:
    v = tf.Variable(1.0)
    w = tf.Variable(1.0, trainable=False)
    x = tf.Variable(1.0, collections=[tf.GraphKeys.LOCAL_VARIABLES], trainable=False)
    assert tf.global_variables() == [v, w]
    assert tf.trainable_variables() == [v]
    assert tf.local_variables() == [x]
    init = tf.global_variables_initializer()
    assert init.name == "init"
    assert [c.name for c in init.control_inputs] == [v.initializer.name, w.initializer.name]


def test_values_belong_to_sessions() -> None:
    v = tf.Variable([1.0, 2.0])
    a, b = tf.Session(), tf.Session()
    a.run(v.initializer)
    b.run(v.initializer)
    a.run(v.assign_add([1, 1]))
    np.testing.assert_array_equal(a.run(v), [2, 3])
    np.testing.assert_array_equal(b.run(v), [1, 2])


def test_uninitialized_read() -> None:
    v = tf.Variable(1.0, name="W")
    with pytest.raises(tf.errors.FailedPreconditionError) as err:
        tf.Session().run(v)
    assert "Attempting to use uninitialized value W" in str(err.value)


def test_assign_yields_the_new_value_and_keeps_it(sess) -> None:
    v = tf.Variable([1.0, 2.0])
    sess.run(v.initializer)
    np.testing.assert_array_equal(sess.run(v.assign([3, 4])), [3, 4])
    np.testing.assert_array_equal(sess.run(tf.assign_add(v, [1, 1])), [4, 5])
    np.testing.assert_array_equal(sess.run(tf.assign_sub(v, [4, 4])), [0, 1])
    np.testing.assert_array_equal(v.eval(), [0, 1])
    np.testing.assert_array_equal(sess.run(v.op.outputs[0]), [0, 1])


def test_fetched_values_do_not_alias_the_variable(sess) -> None:
    v = tf.Variable([1.0, 2.0])
    sess.run(v.initializer)
    got = sess.run(v)
    got[:] = 9
    np.testing.assert_array_equal(sess.run(v), [1, 2])


def test_plain_read_sees_the_start_of_the_run(sess) -> None:
    v = tf.Variable(1.0)
    sess.run(v.initializer)
    add = v.assign_add(1.0)
    assert sess.run([v, add]) == [1.0, 2.0]


def test_control_dependencies_order_reads(sess) -> None:
    v = tf.Variable([3.0, 4.0])
    before = v + 0.0
    with tf.control_dependencies([v.assign_add([1.0, 1.0])]):
        after = v.read_value()
        copied = tf.identity(v)
    sess.run(v.initializer)
    got = sess.run([before, after, copied])
    np.testing.assert_array_equal(got, [[3, 4], [4, 5], [4, 5]])


def test_shape_mismatch() -> None:
    v = tf.Variable([1.0, 2.0])
    with pytest.raises(ValueError, match=r"Dimension 0 in both shapes must be equal, but"):
        tf.assign(v, [9.0, 9.0, 9.0])
    with pytest.raises(ValueError, match=r"Shapes must be equal rank, but are 1 and 0"):
        v.assign(9.0)
    with pytest.raises(TypeError, match=r"does not match type float32 of argument 'ref'"):
        tf.assign(v, tf.constant([1, 2]))
    with pytest.raises(TypeError, match=r"requires l-value input"):
        tf.assign(tf.constant(1.0), 2.0)


def test_validate_shape_false_takes_any_shape(sess) -> None:
    v = tf.Variable([1.0, 2.0], validate_shape=False)
    assert v.shape.ndims is None
    sess.run(v.initializer)
    sess.run(tf.assign(v, [[1.0, 2.0, 3.0]], validate_shape=False))
    assert sess.run(v).shape == (1, 3)


def test_chain_of_initialized_values(sess) -> None:
    v = tf.Variable([1.0, 2.0], name="v")
    v3 = tf.Variable(v.initialized_value() * 2, name="v3")
    v4 = tf.Variable(v3 * 2, name="v4")  # a plain read is guarded as well
    sess.run(v4.initializer)
    np.testing.assert_array_equal(sess.run(v4), [4, 8])
    sess.run(tf.global_variables_initializer())
    np.testing.assert_array_equal(sess.run([v, v3, v4]), [[1, 2], [2, 4], [4, 8]])


def test_initialized_value_of_a_changed_variable_is_its_value(sess) -> None:
    v = tf.Variable([1.0, 2.0])
    sess.run(v.initializer)
    sess.run(v.assign([5, 6]))
    shadow = tf.Variable(v.initialized_value())
    sess.run(shadow.initializer)
    np.testing.assert_array_equal(sess.run([shadow, v]), [[5, 6], [5, 6]])


def test_report_uninitialized(sess) -> None:
    v = tf.Variable(1.0, name="v")
    w = tf.Variable(1.0, name="w")
    report = tf.report_uninitialized_variables()
    assert sess.run(report).tolist() == [b"v", b"w"]
    sess.run(v.initializer)
    assert sess.run(report).tolist() == [b"w"]
    assert sess.run(tf.is_variable_initialized(w)) == np.False_
    assert sess.run(tf.report_uninitialized_variables([v])).shape == (0,)
    with pytest.raises(tf.errors.FailedPreconditionError):
        sess.run(tf.assert_variables_initialized())


def test_load_and_count_up_to(sess) -> None:
    v = tf.Variable(0)
    v.load(3, sess)
    assert sess.run(v) == 3
    up = v.count_up_to(4)
    assert sess.run(up) == 3
    assert sess.run(v) == 4
    with pytest.raises(tf.errors.OutOfRangeError, match=r"Reached limit of 4"):
        sess.run(up)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: tf.Variable(), "initial_value must be specified."),
        (lambda: tf.Variable(tf.placeholder(tf.float32)), "initial_value must have a shape"),
        (lambda: tf.Variable(1.0, constraint=3), "`constraint` argument must be a callable"),
        (lambda: tf.Variable(1.0, collections="x"), "collections argument to Variable constructor"),
        (lambda: tf.convert_to_tensor(tf.Variable(1.0), tf.int32), "Incompatible type conversion "
         "requested to type 'int32' for variable of type 'float32_ref'"),
    ],
)  # fmt: skip
def test_errors(build, text) -> None:
    with pytest.raises(ValueError) as err:
        build()
    assert text in str(err.value)


def test_protos_rebuild_a_variable(sess) -> None:
    v = tf.Variable([1.0, 2.0], name="v")
    again = tf.Variable.from_proto(v.to_proto())
    assert (again.name, again.initializer) == (v.name, v.initializer)
    sess.run(again.initializer)
    np.testing.assert_array_equal(sess.run(again), [1, 2])


def test_feeding_a_variable(sess) -> None:
    v = tf.Variable([1.0, 2.0])
    np.testing.assert_array_equal(sess.run(v + 1, {v: [5, 5]}), [6, 6])


def test_global_step(sess) -> None:
    assert tf.train.get_global_step() is None
    step = tf.train.get_or_create_global_step()
    assert (step.name, step.dtype, step.trainable) == ("global_step:0", tf.int64, False)
    assert tf.train.get_global_step() is step
    sess.run(step.initializer)
    assert tf.train.global_step(sess, step) == 0
    with pytest.raises(ValueError, match=r'"global_step" already exists.'):
        tf.train.create_global_step()
