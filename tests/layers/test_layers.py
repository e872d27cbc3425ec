"""tf.layers: names, scopes, reuse, collections, and the layers without windows."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import graphc as tf
from tests.layers.conftest import names

KEYS = tf.GraphKeys


def two(shape=(4, 3)) -> np.ndarray:
    return np.random.RandomState(0).randn(*shape).astype(np.float32)


# ------------------------------------------------------------------ names and scopes
def test_default_names_count_up() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    first = tf.layers.dense(x, 4, activation=tf.nn.relu)
    second = tf.layers.dense(first, 2)
    assert (first.name, second.name) == ("dense/Relu:0", "dense_1/BiasAdd:0")
    assert names(tf.trainable_variables()) == [
        "dense/kernel:0", "dense/bias:0", "dense_1/kernel:0", "dense_1/bias:0",
    ]  # fmt: skip


def test_reuse_by_name_and_by_scope() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    with tf.variable_scope("a"):
        tf.layers.dense(x, 4, name="fc")
        again = tf.layers.dense(x, 4, name="fc", reuse=True)
        tf.layers.dense(x, 4)
        tf.layers.dense(x, 4)
    with tf.variable_scope("a", reuse=True):
        shared = [tf.layers.dense(x, 4) for _ in range(2)]
    # checked against TensorFlow
    assert again.name == "a/fc_1/BiasAdd:0"
    assert [t.name for t in shared] == ["a_1/dense/BiasAdd:0", "a_1/dense_1/BiasAdd:0"]
    assert names(tf.global_variables()) == [
        f"a/{n}/{v}:0" for n in ("fc", "dense", "dense_1") for v in ("kernel", "bias")
    ]


def test_a_name_twice_needs_reuse() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    tf.layers.dense(x, 4, name="fc")
    with pytest.raises(ValueError, match=r"Variable fc/kernel already exists, disallowed."):
        tf.layers.dense(x, 4, name="fc")
    with pytest.raises(ValueError, match=r"Variable other/kernel does not exist"):
        tf.layers.dense(x, 4, name="other", reuse=True)
    made = tf.layers.dense(x, 4, name="auto", reuse=tf.AUTO_REUSE)
    tf.layers.dense(made, 4, name="second", reuse=tf.AUTO_REUSE)
    tf.layers.dense(x, 4, name="auto", reuse=tf.AUTO_REUSE)
    assert len(tf.global_variables()) == 6


def test_a_layer_object_shares_its_variables(sess) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    layer = tf.layers.Dense(4, name="z")
    with pytest.raises(ValueError, match="has not been used yet"):
        layer.scope_name
    outputs = [layer(x), layer.apply(x)]
    assert [t.name for t in outputs] == ["z/BiasAdd:0", "z/BiasAdd_1:0"]
    assert (layer.scope_name, layer.count_params(), len(layer.weights)) == ("z", 16, 2)
    sess.run(tf.global_variables_initializer())
    a, b = sess.run(outputs, {x: two()})
    assert (a == b).all()
    assert layer.compute_output_shape([None, 3]).as_list() == [None, 4]


def test_scope_defaults_reach_layers(sess) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    ones = tf.constant_initializer(1.0)
    with tf.variable_scope("s", initializer=ones, regularizer=tf.nn.l2_loss):
        y = tf.layers.dense(x, 1, use_bias=False)
    sess.run(tf.global_variables_initializer())
    np.testing.assert_allclose(sess.run(y, {x: two()})[:, 0], two().sum(1), rtol=1e-5)
    assert sess.run(tf.losses.get_regularization_loss()) == 1.5


def test_trainable_and_initializers() -> None:
    x = tf.placeholder(tf.float64, [None, 3])
    layer = tf.layers.Dense(2, trainable=False)
    layer(x)
    assert tf.trainable_variables() == []
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == 2
    assert layer.kernel.dtype == tf.float64


def test_regularizers_and_activity(sess) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    y = tf.layers.dense(
        x, 4, kernel_regularizer=tf.contrib.layers.l2_regularizer(0.5),
        activity_regularizer=tf.reduce_sum,
    )  # fmt: skip
    tf.layers.dense(x, 4, name="dense", reuse=True, kernel_regularizer=tf.nn.l2_loss)
    losses = tf.losses.get_regularization_losses()
    # a shared variable is not counted twice
    assert names(losses) == [
        "dense/kernel/Regularizer/l2_regularizer:0", "dense/ActivityRegularizer/truediv:0",
    ]  # fmt: skip
    sess.run(tf.global_variables_initializer())
    kernel, out, values = sess.run([tf.trainable_variables()[0], y, losses], {x: two()})
    np.testing.assert_allclose(values, [(kernel**2).sum() / 4, out.sum() / 4], rtol=1e-4)


def test_constraint_is_kept() -> None:
    layer = tf.layers.Dense(2, kernel_constraint=tf.abs)
    layer(tf.zeros([1, 2]))
    assert layer.kernel.constraint is tf.abs


def test_dense_refuses() -> None:
    with pytest.raises(ValueError, match="last dimension of the inputs to `Dense` should be"):
        tf.layers.dense(tf.placeholder(tf.float32, [3, None]), 2)
    with pytest.raises(ValueError, match="expected min_ndim=2, found ndim=1"):
        tf.layers.dense(tf.placeholder(tf.float32, [3]), 2)
    with pytest.raises(TypeError, match="non-floating point dtype"):
        tf.layers.dense(tf.placeholder(tf.int32, [3, 2]), 2)
    with pytest.raises(TypeError, match="Keyword argument not understood"):
        tf.layers.Dense(2, colour="red")
    layer = tf.layers.Dense(2)
    layer(tf.zeros([1, 2]))
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 2"):
        layer(tf.zeros([1, 3]))


def test_a_layer_of_ones_own(sess) -> None:
    class Scale(tf.layers.Layer):
        def build(self, input_shape):
            dims = input_shape.as_list()
            self.s = self.add_variable("s", [dims[-1]], initializer=tf.ones_initializer())
            self.n = self.add_weight(
                "n", [], tf.int32, tf.zeros_initializer(), trainable=False
            )
            super().build(input_shape)

        def call(self, inputs, twice=False):
            self.add_update(self.n.assign_add(1))
            self.add_loss(tf.reduce_sum(self.s))
            out = inputs * self.s
            return out * 2 if twice else out

    x = tf.placeholder(tf.float32, [None, 3])
    layer = Scale()
    y = layer(x, twice=True)
    assert names(tf.global_variables()) == ["scale/s:0", "scale/n:0"]
    assert tf.get_collection(KEYS.UPDATE_OPS) == layer.updates
    assert tf.losses.get_regularization_losses() == layer.losses
    sess.run(tf.global_variables_initializer())
    np.testing.assert_allclose(sess.run(y, {x: two()}), two() * 2)
    assert sess.run(layer.updates) == [1]
    assert (layer.input, layer.output) == (x, y)
    assert copy.deepcopy(layer).s is layer.s


# ------------------------------------------------------------------ flatten, dropout
def test_flatten_shapes() -> None:
    shapes = {(None, 3, 5): (None, 15), (None, None, 5): (None, None), (2, None, 5): (2, None),
              (None,): (None, 1)}  # fmt: skip
    for given, wanted in shapes.items():
        out = tf.layers.flatten(tf.placeholder(tf.float32, list(given)))
        assert tuple(out.shape.as_list()) == wanted


def test_flatten_channels_first(sess) -> None:
    x = two((2, 3, 4, 5))
    out = sess.run(tf.layers.Flatten(data_format="channels_first")(tf.constant(x)))
    np.testing.assert_array_equal(out, x.transpose(0, 2, 3, 1).reshape(2, -1))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fed", [True, False])
def test_dropout(sess, training: bool, fed: bool) -> None:
    x = tf.constant(np.ones((200, 50), np.float32))
    mode = tf.placeholder(tf.bool, [])
    y = tf.layers.dropout(x, 0.25, training=mode if fed else training)
    (slope,) = tf.gradients(y, x)
    out, back = sess.run([y, slope], {mode: training})
    np.testing.assert_array_equal(out, back)
    if not training:
        assert (out == 1).all()
        return
    assert set(np.unique(out)) == {0.0, np.float32(1 / 0.75)}
    assert abs((out == 0).mean() - 0.25) < 0.02


def test_dropout_noise_shape_and_rate_tensor(sess) -> None:
    rate = tf.placeholder(tf.float32, [])
    x = tf.ones([50, 8])
    y = tf.layers.dropout(x, rate, noise_shape=[None, 1], training=True)
    out = sess.run(y, {rate: 0.5})
    assert (out == out[:, :1]).all()
    assert 0 < (out == 0).mean() < 1
    assert (sess.run(y, {rate: 0.0}) == 1).all()


# ------------------------------------------------------------------ windows
def test_compute_output_shape_is_the_shape() -> None:
    x = tf.placeholder(tf.float32, [2, 9, 8, 3])
    made = [
        tf.layers.Conv2D(4, 3, strides=2, padding="same"), tf.layers.Conv2D(4, 3, dilation_rate=2),
        tf.layers.MaxPooling2D(3, 2), tf.layers.Conv2DTranspose(4, 3, strides=2),
        tf.layers.AveragePooling2D(2, 2, "same"), tf.layers.SeparableConv2D(5, 3),
    ]  # fmt: skip
    for layer in made:
        assert layer(x).shape.as_list() == layer.compute_output_shape(x.shape).as_list()


def test_causal_convolution_sees_no_future(sess) -> None:
    x = tf.placeholder(tf.float32, [1, 7, 2])
    y = tf.layers.Conv1D(3, 3, padding="causal", dilation_rate=2)(x)
    sess.run(tf.global_variables_initializer())
    a = two((1, 7, 2))
    b = a.copy()
    b[0, 4:] += 1
    first, second = sess.run(y, {x: a}), sess.run(y, {x: b})
    assert first.shape == (1, 7, 3)
    np.testing.assert_array_equal(first[:, :4], second[:, :4])
    assert (first[:, 4:] != second[:, 4:]).any()


def test_channels_first_is_the_transpose(sess) -> None:
    a = two((2, 6, 5, 3))
    for make in (
        lambda f: tf.layers.Conv2D(4, 3, data_format=f, kernel_initializer=wave),
        lambda f: tf.layers.MaxPooling2D(2, 2, data_format=f),
        lambda f: tf.layers.Conv2DTranspose(4, 3, 2, data_format=f, kernel_initializer=wave),
    ):
        last = make("channels_last")(tf.constant(a))
        first = make("channels_first")(tf.constant(a.transpose(0, 3, 1, 2)))
        sess.run(tf.global_variables_initializer())
        got = sess.run(first).transpose(0, 2, 3, 1)
        np.testing.assert_allclose(got, sess.run(last), rtol=1e-4, atol=1e-5)


def wave(shape, dtype=None, partition_info=None):
    return tf.constant(np.sin(np.arange(np.prod(shape))).reshape(shape).astype(np.float32))


def test_arguments_of_windows() -> None:
    x = tf.placeholder(tf.float32, [None, 8, 8, 3])
    with pytest.raises(ValueError, match="`kernel_size` argument must be a tuple of 2 integers"):
        tf.layers.conv2d(x, 4, (3, 3, 3))
    with pytest.raises(ValueError, match="`padding` argument must be one of"):
        tf.layers.conv2d(x, 4, 3, padding="full")
    with pytest.raises(ValueError, match="not supported in conjunction with dilation_rate > 1"):
        tf.layers.conv2d(x, 4, 3, strides=2, dilation_rate=2)
    with pytest.raises(ValueError, match="expected ndim=4, found ndim=2"):
        tf.layers.conv2d(tf.zeros([2, 3]), 4, 3)
    with pytest.raises(ValueError, match="channel dimension of the inputs should be defined"):
        tf.layers.conv2d(tf.placeholder(tf.float32, [None, 8, 8, None]), 4, 3)
    with pytest.raises(ValueError, match="`data_format` argument must be one of"):
        tf.layers.max_pooling2d(x, 2, 2, data_format="NHWC")
