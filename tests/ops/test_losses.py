"""Cross-entropies: kernels, gradients of both outputs, stability, labels outside the classes."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.autodiff.gradients import gradients
from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import float16, float32, float64, int32, int64
from graphc.ir.graph import Graph
from graphc.ops.define import F
from tests.ops.checks import check_gradient, check_kernel, placeholder, records, walk

RECORDS = records("losses")


@pytest.mark.parametrize("op", RECORDS, ids=lambda r: r.name)
@pytest.mark.parametrize("dtype", [float32, float64, float16], ids=str)
def test_kernel_agrees_with_the_reference(op, dtype):
    loose = {"rtol": 4e-3, "atol": 4e-3} if dtype is float16 else {}
    check_kernel(op, dtype, **loose)


@pytest.mark.parametrize("op", RECORDS, ids=lambda r: r.name)
def test_first_and_second_gradients_agree_with_differences(op):
    check_gradient(op)


def test_gradient_of_the_loss_alone_needs_only_the_backprop_output():
    with Graph().as_default() as graph:
        x, z = placeholder(float32, (3, 4)), placeholder(float32, (3, 4))
        gradients(F.softmax_cross_entropy(x, z)[0], x)
        assert not [n for n in graph.nodes if n.op.name == "softmax"]


def test_loss_is_finite_for_large_logits():
    logits = np.float32([[1e4, -1e4, 0]])
    with Graph().as_default():
        dense = F.softmax_cross_entropy(logits, np.float32([[0, 1, 0]]))[0]
        sparse = F.sparse_softmax_cross_entropy(logits, np.int32([1]))[0]
        got = walk([dense, sparse])
    assert got[0].tolist() == got[1].tolist() == [2e4]


def test_a_label_outside_the_classes_is_refused():
    with Graph().as_default():
        loss = F.sparse_softmax_cross_entropy(np.zeros((2, 3), np.float32), np.int64([1, 3]))[0]
        with pytest.raises(InvalidArgumentError, match=r"label value of 3 .* range of \[0, 3\)"):
            walk([loss])


def test_shapes_are_checked_at_build_and_unknown_ones_kept():
    with Graph().as_default():
        logits = placeholder(float32, (None, 4))
        loss, backprop = F.sparse_softmax_cross_entropy(logits, placeholder(int32, (7,)))
        assert loss.dims == (7,) and backprop.dims == (7, 4)
        with pytest.raises(ValueError, match="Shapes must be equal rank, but are 1 and 2"):
            F.sparse_softmax_cross_entropy(logits, placeholder(int64, (7, 1)))
        with pytest.raises(ValueError, match="Dimension 1 in both shapes must be equal"):
            F.softmax_cross_entropy(logits, placeholder(float32, (None, 5)))


# ------------------------------------------------------------------ TF1's functions
LOGITS = np.float32([[1.0, 2.0, 4.0], [0.0, -1.0, 3.0]])
HOT = np.float32([[0, 0, 1], [1, 0, 0]])


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def test_arguments_must_be_named():
    with Graph().as_default():
        for f in (
            tf.nn.softmax_cross_entropy_with_logits, tf.nn.sigmoid_cross_entropy_with_logits,
            tf.nn.sparse_softmax_cross_entropy_with_logits,
        ):  # fmt: skip
            with pytest.raises(ValueError, match=r"with named arguments \(labels=..., logits="):
                f(LOGITS, HOT)
            with pytest.raises(ValueError, match="Both labels and logits must be provided"):
                f(labels=HOT)


def test_gradients_go_to_labels_in_version_two_only():
    with Graph().as_default(), tf.Session() as session:
        x, z = tf.constant(LOGITS), tf.constant(HOT)
        first = tf.nn.softmax_cross_entropy_with_logits(labels=z, logits=x)
        second = tf.nn.softmax_cross_entropy_with_logits_v2(labels=z, logits=x)
        assert tf.gradients(first, z) == [None]
        to_x = tf.gradients(first, x)[0]
        loss, back, to_z = session.run([first, to_x, tf.gradients(second, z)[0]])
    np.testing.assert_allclose(loss, -np.log(softmax(LOGITS))[[0, 1], [2, 0]], rtol=1e-5)
    np.testing.assert_allclose(back, softmax(LOGITS) - HOT, atol=1e-6)
    np.testing.assert_allclose(to_z, -np.log(softmax(LOGITS)), rtol=1e-5)


def test_classes_along_another_axis():
    with Graph().as_default(), tf.Session() as session:
        loss = tf.nn.softmax_cross_entropy_with_logits(labels=HOT.T, logits=LOGITS.T, dim=0)
        got = session.run(loss)
    np.testing.assert_allclose(got, -np.log(softmax(LOGITS))[[0, 1], [2, 0]], rtol=1e-5)


def test_sparse_labels_are_checked_at_build():
    f = tf.nn.sparse_softmax_cross_entropy_with_logits
    with Graph().as_default():
        with pytest.raises(ValueError, match=r"Rank of labels \(received 2\) should equal rank of"):
            f(labels=HOT.astype(np.int32), logits=LOGITS)
        with pytest.raises(ValueError, match=r"The shape of labels \(received \(3,\)\) should"):
            f(labels=[0, 1, 2], logits=LOGITS)
        with pytest.raises(ValueError, match="Logits cannot be scalars"):
            f(labels=1, logits=1.0)
        with pytest.raises(TypeError, match="not in list of allowed values"):
            f(labels=[0.0, 1.0], logits=LOGITS)


def test_sparse_labels_outside_the_classes_are_refused_when_run():
    with Graph().as_default(), tf.Session() as session:
        labels = tf.placeholder(tf.int64, [None])
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=LOGITS)
        assert session.run(loss, {labels: [0, 2]}).shape == (2,)
        with pytest.raises(InvalidArgumentError, match=r"label value of -1 .* range of \[0, 3\)"):
            session.run(loss, {labels: [0, -1]})


def test_elementwise_losses():
    x, z = LOGITS, np.float32([[0.0, 0.5, 1.0], [1.0, 0.0, 0.25]])
    with Graph().as_default(), tf.Session() as session:
        got = session.run(
            [
                tf.nn.sigmoid_cross_entropy_with_logits(labels=z, logits=x),
                tf.nn.weighted_cross_entropy_with_logits(z, x, 3.0),
                tf.nn.log_poisson_loss(z, x),
            ]
        )
        with pytest.raises(ValueError, match=r"same shape \(\(2, 3\) vs \(2,\)\)"):
            tf.nn.sigmoid_cross_entropy_with_logits(labels=[1.0, 0.0], logits=x)
    positive, negative = np.log1p(np.exp(-x)), np.log1p(np.exp(x))
    want = [z * positive + (1 - z) * negative, 3 * z * positive + (1 - z) * negative]
    for g, w in zip(got, [*want, np.exp(x) - x * z], strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-6)


def test_second_gradient_of_the_mean_loss():
    with Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 3])
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[2, 0], logits=x)
        first = tf.gradients(loss, x)[0]
        second = session.run(tf.gradients(first[:, 0], x)[0], {x: LOGITS})
    p = softmax(LOGITS)
    want = p[:, :1] * (np.eye(3)[:1] - p)
    np.testing.assert_allclose(second, want, atol=1e-6)
