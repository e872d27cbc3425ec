"""Optimizers step by step against TensorFlow, their names, slots and errors."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.autodiff.indexed_slices import IndexedSlices
from graphc.ops.define import F
from graphc.tf1 import optimizers as tfo
from graphc.tf1 import optimizers_linear as linear
from graphc.tf1.optimizer_base import Optimizer
from tests.train.expected import OPTIMIZERS

PROXIMAL = {"l1_regularization_strength": 0.3, "l2_regularization_strength": 0.2}
WEAK = {"l1_regularization_strength": 0.1, "l2_regularization_strength": 0.2}
MAKE = {
    "sgd": lambda step: tfo.GradientDescentOptimizer(0.1),
    "proxsgd": lambda step: linear.ProximalGradientDescentOptimizer(0.1, **PROXIMAL),
    "momentum": lambda step: tfo.MomentumOptimizer(0.1, 0.9),
    "nesterov": lambda step: tfo.MomentumOptimizer(0.1, 0.9, use_nesterov=True),
    "adam": lambda step: tfo.AdamOptimizer(0.1),
    "adagrad": lambda step: tfo.AdagradOptimizer(0.1),
    "proxadagrad": lambda step: linear.ProximalAdagradOptimizer(0.1, **PROXIMAL),
    "adagradda": lambda step: linear.AdagradDAOptimizer(0.1, step, **WEAK),
    "adadelta": lambda step: tfo.AdadeltaOptimizer(1.0, epsilon=1e-6),
    "rmsprop": lambda step: tfo.RMSPropOptimizer(0.1, momentum=0.5),
    "crmsprop": lambda step: tfo.RMSPropOptimizer(0.1, momentum=0.5, centered=True),
    "ftrl": lambda step: linear.FtrlOptimizer(0.1, **WEAK),
    "ftrl2": lambda step: linear.FtrlOptimizer(
        0.1, learning_rate_power=-0.6, l2_shrinkage_regularization_strength=0.05, **WEAK
    ),
}
START = np.array([[1.0, -2.0], [0.5, 0.25], [-0.1, 3.0]], np.float32)
WEIGHTS = np.array([[1.0], [2.0], [0.5]], np.float32)


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


def total(x):
    return F.reduce_sum(x, axes=None, keepdims=False)


def started():
    sess = tf.Session()
    sess.run(tf.global_variables_initializer())
    return sess


def names(variables):
    return [v.name for v in variables]


@pytest.mark.parametrize("which", sorted(OPTIMIZERS))
def test_steps_agree_with_tensorflow(which):
    w = tf.Variable(START, name="W")
    step = tf.Variable(np.int64(0), trainable=False, name="global_step")
    if which.endswith("_sparse"):
        # index 2 comes twice: its gradients add up
        loss = total(F.square(F.gather(w, [2, 0, 2], axis=0, batch_dims=0)) * WEIGHTS)
    else:
        loss = total(F.square(w - 0.3) * WEIGHTS)
    train = MAKE[which.removesuffix("_sparse")](step).minimize(loss, global_step=step)
    with started() as sess:
        got = []
        for _ in range(4):
            sess.run(train)
            got.append(sess.run(w).ravel())
        assert sess.run(step) == 4
    np.testing.assert_allclose([got[0], got[1], got[3]], OPTIMIZERS[which], rtol=2e-6, atol=1e-6)


def test_names_of_slots_and_ops_are_those_of_checkpoints(graph):
    w = tf.Variable(START, name="W")
    adam = tfo.AdamOptimizer(0.1)
    train = adam.minimize(total(F.square(w)))
    assert train.name == "Adam"
    assert train.type == "NoOp"
    assert names(adam.variables()) == ["W/Adam:0", "W/Adam_1:0", "beta1_power:0", "beta2_power:0"]
    assert adam.get_slot_names() == ["m", "v"]
    assert adam.get_slot(w, "v").name == "W/Adam_1:0"
    assert adam.get_slot(w, "none") is None
    assert graph.get_operation_by_name("Adam/update_W/ApplyAdam").type == "ApplyAdam"
    assert graph.get_tensor_by_name("Adam/learning_rate:0").dtype == tf.float32
    assert train in graph.get_collection(tf.GraphKeys.TRAIN_OP)
    tfo.AdamOptimizer(0.1).minimize(total(F.square(w)))
    assert "beta1_power_1:0" in names(tf.global_variables())
    assert "W/Adam_3:0" in names(tf.global_variables())
    assert names(tf.trainable_variables()) == ["W:0"]


def test_slots_below_a_variable_scope_repeat_its_name():
    with tf.variable_scope("foo"):
        w = tf.get_variable("W", [2], initializer=tf.zeros_initializer())
        train = tfo.AdamOptimizer().minimize(total(w))
    assert names(tf.global_variables()) == [
        "foo/W:0", "foo/beta1_power:0", "foo/beta2_power:0", "foo/foo/W/Adam:0",
        "foo/foo/W/Adam_1:0",
    ]  # fmt: skip
    assert train.name == "foo/Adam"


def test_with_a_global_step_the_train_op_increments_it():
    w = tf.Variable(START, name="W")
    step = tf.get_variable("step", [], tf.int64, initializer=tf.zeros_initializer())
    train = tfo.GradientDescentOptimizer(0.1).minimize(total(w), global_step=step)
    assert (train.name, train.type) == ("GradientDescent", "AssignAdd")


def test_learning_rates_may_be_numbers_tensors_functions_and_feeds():
    w = tf.Variable(np.zeros(2, np.float32))
    rate = tf.placeholder(tf.float32, [])
    trains = [
        tfo.GradientDescentOptimizer(r).minimize(total(w))
        for r in (0.5, rate, lambda: 0.25, np.float32(2.0))
    ]
    with started() as sess:
        for train, want in zip(trains, (-0.5, -8.5, -8.75, -10.75), strict=True):
            sess.run(train, {rate: 8.0})
            np.testing.assert_allclose(sess.run(w), want)


def test_float64_variables_are_updated_in_float64():
    w = tf.Variable(np.ones(2))
    adam = tfo.AdamOptimizer(1e-3)
    train = adam.minimize(total(F.square(w)))
    with started() as sess:
        sess.run(train)
        value = sess.run(w)
    assert value.dtype == np.float64
    assert adam.get_slot(w, "m").dtype == tf.float64
    np.testing.assert_allclose(value, 1 - 1e-3, rtol=1e-6)


def test_all_gradients_use_the_values_before_the_step():
    a, b = tf.Variable(2.0), tf.Variable(3.0)
    train = tfo.GradientDescentOptimizer(1.0).minimize(a * b)
    with started() as sess:
        sess.run(train)
        assert sess.run([a, b]) == [2.0 - 3.0, 3.0 - 2.0]


def test_a_loss_fetched_with_the_train_op_is_that_of_the_old_values():
    w = tf.Variable(4.0)
    loss = F.square(w)
    train = tfo.GradientDescentOptimizer(0.25).minimize(loss)
    with started() as sess:
        assert sess.run([train, loss])[1] == 16.0
        assert sess.run(loss) == 4.0


def test_constraints_are_applied_after_the_update():
    w = tf.Variable(
        np.array([1.0, 0.1], np.float32), constraint=lambda v: F.maximum(v, F.zeros_like(v))
    )
    train = tfo.GradientDescentOptimizer(0.5).minimize(total(w))
    with started() as sess:
        sess.run(train)
        np.testing.assert_allclose(sess.run(w), [0.5, 0.0])


def test_compute_then_apply_with_clipped_gradients_and_none():
    w, unused = tf.Variable(np.ones(2, np.float32)), tf.Variable(1.0)
    sgd = tfo.GradientDescentOptimizer(1.0)
    pairs = sgd.compute_gradients(total(w * 5.0))
    assert [v for _, v in pairs] == [w, unused]
    assert pairs[1][0] is None
    clipped = [(None if g is None else F.minimum(g, 0.5), v) for g, v in pairs]
    train = sgd.apply_gradients(clipped)
    with started() as sess:
        sess.run(train)
        np.testing.assert_allclose(sess.run(w), 0.5)


def test_var_list_and_grad_loss():
    a, b = tf.Variable(1.0), tf.Variable(1.0)
    train = tfo.GradientDescentOptimizer(1.0).minimize(
        a + b, var_list=[b], grad_loss=tf.constant(0.25)
    )
    with started() as sess:
        sess.run(train)
        assert sess.run([a, b]) == [1.0, 0.75]


def test_embedding_rows_that_were_not_used_keep_their_slots():
    table = tf.Variable(np.ones((5, 2), np.float32))
    rows = F.gather(table, [3, 1], axis=0, batch_dims=0)
    momentum = tfo.MomentumOptimizer(0.1, 0.9)
    ((grad, _),) = momentum.compute_gradients(total(F.square(rows)))
    assert isinstance(grad, IndexedSlices)
    train = momentum.apply_gradients([(grad, table)])
    with started() as sess:
        sess.run(train)
        sess.run(train)
        value = sess.run(table)
        slot = sess.run(momentum.get_slot(table, "momentum"))
    assert (value[[0, 2, 4]] == 1).all()
    assert (slot[[0, 2, 4]] == 0).all()
    assert (value[[1, 3]] < 1).all()


def test_a_batch_of_indices_of_any_length():
    table = tf.Variable(np.zeros((4, 1), np.float32))
    ids = tf.placeholder(tf.int32, [None])
    adagrad = tfo.AdagradOptimizer(1.0)
    train = adagrad.minimize(total(F.gather(table, ids, axis=0, batch_dims=0)))
    with started() as sess:
        sess.run(train, {ids: [0, 0, 2]})
        sess.run(train, {ids: [1]})
        value = sess.run(table).ravel()
    want = [-2 / np.sqrt(4.1), -1 / np.sqrt(1.1), -1 / np.sqrt(1.1), 0.0]
    np.testing.assert_allclose(value, want, rtol=1e-6)


class _PlusGradient(Optimizer):
    """A user's own optimizer."""

    def __init__(self):
        super().__init__(False, "Plus")

    def _apply_dense(self, grad, var):
        return var.assign_add(grad).op

    def _apply_sparse(self, grad, var):
        return var.scatter_add(grad).op


def test_an_optimizer_of_the_users_own():
    w = tf.Variable(np.zeros((3, 1), np.float32))
    rows = F.gather(w, [2, 2, 0], axis=0, batch_dims=0)
    trains = [_PlusGradient().minimize(total(x)) for x in (w, rows)]
    with started() as sess:
        sess.run(trains[0])
        np.testing.assert_array_equal(sess.run(w).ravel(), [1, 1, 1])
        sess.run(trains[1])
        np.testing.assert_array_equal(sess.run(w).ravel(), [2, 1, 3])


def test_errors():
    a = tf.Variable(1.0, name="a")
    adam = tfo.AdamOptimizer()
    with pytest.raises(ValueError, match="No gradients provided for any variable, check your gr"):
        adam.minimize(tf.constant(1.0))
    with pytest.raises(ValueError, match=r"No variables to optimize\."):
        adam.minimize(a, var_list=[])
    with pytest.raises(ValueError, match=r"No gradients provided for any variable: \["):
        adam.apply_gradients([(None, a)])
    with pytest.raises(ValueError, match=r"No variables provided\."):
        adam.apply_gradients([])
    with pytest.raises(ValueError, match="gate_gradients must be one of"):
        adam.compute_gradients(a, gate_gradients=7)
    with pytest.raises(ValueError, match=r"Invalid type tf.int32 for .*expected: \[tf.float32"):
        adam.minimize(F.cast(a, dtype=tf.int32))
    with pytest.raises(ValueError, match="Must specify the optimizer name"):
        tfo.AdamOptimizer(name="")
    with pytest.raises(ValueError, match="must be positive"):
        tfo.AdagradOptimizer(0.1, initial_accumulator_value=0.0)
    with pytest.raises(ValueError, match="needs to be negative or zero"):
        linear.FtrlOptimizer(0.1, learning_rate_power=0.5)
