"""tf.contrib.layers, slim, framework, losses, metrics, training: names, values, errors."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from tests.layers.conftest import names

slim = tf.contrib.slim
layers = tf.contrib.layers
X = np.random.RandomState(0).randn(6, 4).astype(np.float32)


def ones(shape, dtype=tf.float32, partition_info=None):
    return tf.ones(shape, dtype)


# ------------------------------------------------------------------ layers
def test_fully_connected(sess) -> None:
    x = tf.placeholder(tf.float32, [None, 4])
    y = layers.fully_connected(
        x, 3, weights_initializer=ones, weights_regularizer=layers.l2_regularizer(0.5),
        variables_collections={"weights": ["mine"]}, outputs_collections="out",
    )  # fmt: skip
    z = layers.fully_connected(x, 2, scope="fc", activation_fn=None)
    again = layers.fully_connected(x, 2, scope="fc", activation_fn=None, reuse=True)
    assert (y.name, z.name) == ("fully_connected/Relu:0", "fc/BiasAdd:0")
    wanted = ["fully_connected/weights:0", "fully_connected/biases:0", "fc/weights:0",
              "fc/biases:0"]  # fmt: skip
    assert names(tf.global_variables()) == names(tf.model_variables()) == wanted
    assert names(tf.get_collection("mine")) == wanted[:1]
    assert tf.get_collection("out") == [y]
    assert slim.utils.convert_collection_to_dict("out") == {"fully_connected": y}
    assert names(tf.losses.get_regularization_losses()) == [
        "fully_connected/kernel/Regularizer/l2_regularizer:0"
    ]
    sess.run(tf.global_variables_initializer())
    got, a, b, loss = sess.run([y, z, again, tf.losses.get_regularization_loss()], {x: X})
    np.testing.assert_allclose(
        got, np.maximum(X.sum(1, keepdims=True), 0).repeat(3, 1), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(a, b)
    assert loss == 3.0
    with pytest.raises(ValueError, match="num_outputs type should be one of"):
        layers.fully_connected(x, 2.5)
    assert layers.linear(x, 2).op.type == "BiasAdd"


def test_arg_scope() -> None:
    x = tf.placeholder(tf.float32, [None, 4])
    with slim.arg_scope([slim.fully_connected], activation_fn=tf.nn.tanh, biases_initializer=None):
        with slim.arg_scope([slim.fully_connected, slim.dropout], scope="s") as kept:
            slim.fully_connected(x, 3)
        plain = slim.fully_connected(x, 3, activation_fn=None)
    with slim.arg_scope(kept):
        slim.fully_connected(x, 3, reuse=True)
    assert names(tf.global_variables()) == ["s/weights:0", "fully_connected/weights:0"]
    assert plain.op.type == "MatMul"
    with pytest.raises(ValueError, match="is not decorated with @add_arg_scope"):
        slim.arg_scope([tf.matmul], a=1).__enter__()
    with pytest.raises(ValueError, match="kwargs must be empty"):
        slim.arg_scope(kept, a=1).__enter__()

    @tf.contrib.framework.add_arg_scope
    def double(x, by=2):
        return x * by

    with slim.arg_scope([double], by=5):
        assert (double(1), double(1, by=3)) == (5, 3)
    assert double(1) == 2
    assert tf.contrib.framework.arg_scoped_arguments(double) == ("by",)


def test_repeat_and_stack() -> None:
    x = tf.placeholder(tf.float32, [None, 4])
    h = slim.repeat(x, 2, slim.fully_connected, 5, scope="r")
    h = slim.stack(h, slim.fully_connected, [3, 2])
    assert h.shape.as_list() == [None, 2]
    assert names(tf.global_variables())[::2] == [
        "r/r_1/weights:0", "r/r_2/weights:0", "Stack/fully_connected_1/weights:0",
        "Stack/fully_connected_2/weights:0",
    ]  # fmt: skip


def test_convolutions_and_pools(sess) -> None:
    x = tf.constant(np.random.RandomState(1).randn(2, 8, 8, 2).astype(np.float32))
    h = slim.conv2d(x, 4, [3, 3])
    h = slim.conv2d(h, 4, 3, 2, scope="c", normalizer_fn=slim.batch_norm)
    assert h.shape.as_list() == [2, 4, 4, 4]
    h = slim.conv2d_transpose(h, 3, 4, 2)
    h = slim.separable_conv2d(h, 4, 3)
    h = slim.separable_conv2d(h, None, 3)
    h = slim.avg_pool2d(slim.max_pool2d(h, 2), [2, 2], scope="p")
    assert h.name == "p/average_pooling2d/AvgPool:0" or h.name.startswith("p/")
    assert names(tf.model_variables()) == [
        "Conv/weights:0", "Conv/biases:0", "c/weights:0", "c/BatchNorm/beta:0",
        "c/BatchNorm/moving_mean:0", "c/BatchNorm/moving_variance:0",
        "Conv2d_transpose/weights:0", "Conv2d_transpose/biases:0",
        "SeparableConv2d/depthwise_weights:0", "SeparableConv2d/pointwise_weights:0",
        "SeparableConv2d/biases:0", "SeparableConv2d_1/depthwise_weights:0",
        "SeparableConv2d_1/biases:0",
    ]  # fmt: skip
    sess.run(tf.global_variables_initializer())
    assert sess.run(h).shape == (2, 2, 2, 4)


def test_layer_norm(sess) -> None:
    x = tf.constant(X)
    y = layers.layer_norm(x)
    free = layers.layer_norm(x, center=False, scale=False, activation_fn=tf.nn.relu)
    assert names(tf.global_variables()) == ["LayerNorm/beta:0", "LayerNorm/gamma:0"]
    sess.run(tf.global_variables_initializer())
    wanted = (X - X.mean(1, keepdims=True)) / X.std(1, keepdims=True)
    np.testing.assert_allclose(sess.run(y), wanted, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(sess.run(free), np.maximum(wanted, 0), rtol=1e-3, atol=1e-5)


def test_instance_norm(sess) -> None:
    a = np.random.RandomState(1).randn(2, 5, 6, 3).astype(np.float32)
    last = layers.instance_norm(tf.constant(a))
    first = layers.instance_norm(tf.constant(a.transpose(0, 3, 1, 2)), data_format="NCHW")
    sess.run(tf.global_variables_initializer())
    mean, std = a.mean((1, 2), keepdims=True), a.std((1, 2), keepdims=True)
    np.testing.assert_allclose(sess.run(last), (a - mean) / std, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        sess.run(first).transpose(0, 2, 3, 1), (a - mean) / std, rtol=1e-3, atol=1e-4
    )


def test_small_layers(sess) -> None:
    x = tf.constant(X)
    table = layers.embed_sequence(tf.constant([[1, 0]]), 3, 4, initializer=ones)
    parts = {
        "unit": layers.unit_norm(x, 1), "hot": layers.one_hot_encoding([2, 0], 3),
        "bias": layers.bias_add(x, initializer=ones), "flat": layers.flatten(tf.zeros([2, 3, 4])),
        "soft": layers.softmax(x), "table": table, "off": layers.dropout(x, 0.5, is_training=False),
    }  # fmt: skip
    sess.run(tf.global_variables_initializer())
    got = sess.run(parts)
    np.testing.assert_allclose(
        got["unit"], X / np.linalg.norm(X, axis=1, keepdims=True), rtol=1e-4
    )
    np.testing.assert_array_equal(got["hot"], [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_allclose(got["bias"], X + 1, rtol=1e-6)
    assert (got["flat"].shape, got["table"].tolist()) == ((2, 12), np.ones((1, 2, 4)).tolist())
    np.testing.assert_allclose(got["soft"].sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(got["off"], X)
    with pytest.raises(ValueError, match="Must specify vocab size and embedding dimension"):
        layers.embed_sequence(tf.constant([[1]]))


def test_initializers(sess) -> None:
    shape = [3, 3, 40, 50]
    cases = {
        layers.xavier_initializer(): 2 / (9 * 90), layers.variance_scaling_initializer(): 2 / 360,
        layers.xavier_initializer_conv2d(uniform=False): 2 / (9 * 90) * 1.3 * 0.774,
        layers.variance_scaling_initializer(1.0, "FAN_OUT", True): 1 / 450,
    }  # fmt: skip
    for initializer, variance in cases.items():
        values = sess.run(initializer(shape))
        assert abs(values.var() / variance - 1) < 0.05
    with pytest.raises(TypeError, match="Unknown mode"):
        layers.variance_scaling_initializer(mode="x")


def test_regularizers(sess) -> None:
    w = tf.constant(X)
    parts = [
        layers.l1_regularizer(0.1)(w), layers.l2_regularizer(0.1)(w),
        layers.l1_l2_regularizer(0.1, 0.2)(w),
        layers.sum_regularizer([layers.l1_regularizer(0.3), None])(w),
        layers.apply_regularization(layers.l2_regularizer(1.0), [w, w]),
    ]  # fmt: skip
    one, two = np.abs(X).sum(), (X**2).sum() / 2
    wanted = [0.1 * one, 0.1 * two, 0.1 * one + 0.2 * two, 0.3 * one, 2 * two]
    np.testing.assert_allclose(sess.run(parts), wanted, rtol=1e-5)
    assert tf.losses.get_regularization_losses() == parts[-1:]
    assert layers.l2_regularizer(0.0)(w) is None
    for bad, text in ((1, "cannot be an integer"), (-0.5, "less than 0")):
        with pytest.raises(ValueError, match=text):
            layers.l2_regularizer(bad)


# ------------------------------------------------------------------ training
@pytest.mark.parametrize("kind", ["SGD", "class", "instance", "function"])
def test_optimize_loss(sess, kind: str) -> None:
    w = tf.get_variable("w", [2], initializer=tf.constant_initializer(3.0))
    step = tf.train.get_or_create_global_step()
    descent = tf.train.GradientDescentOptimizer
    optimizer = {
        "SGD": "SGD", "class": descent, "instance": descent(0.1), "function": lambda lr: descent(lr)
    }[kind]  # fmt: skip
    rate = None if kind == "instance" else 0.1
    train = layers.optimize_loss(
        tf.reduce_sum(w * w), step, rate, optimizer, clip_gradients=1.0,
        gradient_multipliers={"w": 0.5},
    )  # fmt: skip
    sess.run(tf.global_variables_initializer())
    assert sess.run(train) == pytest.approx(18.0)
    # the gradient (3, 3) has norm above 1 after the factor 0.5
    np.testing.assert_allclose(sess.run(w), 3 - 0.1 / np.sqrt(2), rtol=1e-5)
    assert sess.run(step) == 1


def test_optimize_loss_refuses() -> None:
    w = tf.get_variable("w", [2])
    loss = tf.reduce_sum(w)
    for rate, optimizer, text in (
        (-1.0, "SGD", "Invalid learning_rate"), (1, "SGD", "should be 0d Tensor or float"),
        (0.1, "Best", "Optimizer name should be one of"), (0.1, 3, "Unrecognized optimizer"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=text):
            layers.optimize_loss(loss, None, rate, optimizer)


def test_create_train_op_runs_updates(sess) -> None:
    tf.set_random_seed(1)  # a column that is nearly all zeros makes a step overshoot
    x = tf.constant(X)
    y = slim.batch_norm(slim.fully_connected(x, 3), decay=0.5)
    loss = tf.losses.mean_squared_error(tf.ones([6, 3]), y)
    train = slim.learning.create_train_op(loss, tf.train.GradientDescentOptimizer(0.1))
    sess.run(tf.global_variables_initializer())
    mean = tf.contrib.framework.get_variables_by_suffix("moving_mean")[0]
    before = sess.run(train)
    assert np.abs(sess.run(mean)).sum() > 0
    assert sess.run(train) < before
    assert sess.run(tf.train.get_global_step()) == 2


def test_scipy_optimizer(sess) -> None:
    w = tf.get_variable("w", [2], initializer=tf.constant_initializer(7.0))
    b = tf.get_variable("b", [], initializer=tf.zeros_initializer())
    shift = tf.placeholder(tf.float32, [])
    loss = tf.reduce_sum(tf.square(w - [1.0, 2.0])) + tf.square(b - shift)
    seen: list[float] = []
    kinds = {
        "free": {}, "bounded": {"var_to_bounds": {w: (1.5, 5.0)}},
        "tied": {"equalities": [w[0] - w[1]], "inequalities": [b - 4.0]},
    }  # fmt: skip
    wanted = {"free": [1, 2, 3], "bounded": [1.5, 2, 3], "tied": [1.5, 1.5, 4]}
    for kind, options in kinds.items():
        sess.run(tf.global_variables_initializer())
        optimizer = tf.contrib.opt.ScipyOptimizerInterface(
            loss, options={"maxiter": 50}, **options
        )
        optimizer.minimize(sess, {shift: 3.0}, fetches=[loss], loss_callback=seen.append)
        got = np.append(sess.run(w), sess.run(b))
        np.testing.assert_allclose(got, wanted[kind], atol=1e-3)
    assert seen[0] == pytest.approx(36 + 25 + 9)
    with pytest.raises(ValueError, match="No variables to optimize"):
        tf.contrib.opt.ScipyOptimizerInterface(loss, var_list=[])


# ------------------------------------------------------------------ variables
def test_variables_by_name(sess) -> None:
    with tf.variable_scope("net"):
        slim.fully_connected(tf.constant(X), 3, scope="a")
        slim.fully_connected(tf.constant(X), 3, scope="b")
    find = tf.contrib.framework
    assert names(slim.get_variables("net/a")) == ["net/a/weights:0", "net/a/biases:0"]
    assert names(slim.get_variables(suffix="biases")) == ["net/a/biases:0", "net/b/biases:0"]
    assert names(slim.get_variables_to_restore(exclude=["net/b"])) == names(
        slim.get_variables("net/a")
    )
    assert slim.get_unique_variable("net/b/weights").name == "net/b/weights:0"
    assert names(find.filter_variables(tf.global_variables(), ["weights"], ["net/b"])) == [
        "net/a/weights:0"
    ]
    sess.run(tf.global_variables_initializer())
    slim.assign_from_values_fn({"net/a/biases": [1, 2, 3]})(sess)
    assert sess.run(slim.get_unique_variable("net/a/biases")).tolist() == [1, 2, 3]
    assert slim.model_analyzer.analyze_vars(slim.get_variables("net/a")) == (15, 60)


def test_restoring_what_a_checkpoint_holds(sess, tmp_path) -> None:
    x = tf.constant(X)
    slim.fully_connected(x, 3, scope="a")
    sess.run(tf.global_variables_initializer())
    path = tf.train.Saver().save(sess, str(tmp_path / "model"))
    listed = tf.contrib.framework.list_variables(path)
    assert [n for n, _ in listed] == ["a/biases", "a/weights"]
    slim.fully_connected(x, 3, scope="b")
    before = sess.run(slim.get_unique_variable("a/weights"))
    sess.run(tf.global_variables_initializer())
    restore = slim.assign_from_checkpoint_fn(
        path, slim.get_variables_to_restore(), ignore_missing_vars=True
    )
    restore(sess)
    np.testing.assert_array_equal(sess.run(slim.get_unique_variable("a/weights")), before)
    with pytest.raises(ValueError, match="var_list cannot be empty"):
        slim.assign_from_checkpoint_fn(path, [])


# ------------------------------------------------------------------ losses, metrics, hparams
def test_nest() -> None:
    nest = tf.contrib.framework.nest
    assert nest.flatten([1, (2, {"a": 3})]) == [1, 2, 3]


def test_older_losses_take_predictions_first(sess) -> None:
    p, y = tf.constant(X), tf.constant(X * 0.5)
    old = tf.contrib.losses
    got = sess.run([old.mean_squared_error(p, y), old.absolute_difference(p, y, 2.0)])
    np.testing.assert_allclose(got, [(X**2 / 4).mean(), np.abs(X).mean()], rtol=1e-5)
    assert len(old.get_losses()) == 2
    assert old.hinge_loss(p, tf.ones_like(p)).shape.as_list() == [6, 4]


def test_older_metrics(sess) -> None:
    a, b = np.random.RandomState(0).rand(2, 3, 8).astype(np.float32)
    p, y = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.float32, [None])
    value, update = tf.contrib.metrics.streaming_pearson_correlation(p, y)
    f1, f1_update = tf.contrib.metrics.f1_score(tf.greater(y, 0.5), p)
    ones, others = tf.constant([1, 2]), tf.constant([1, 3])
    hits, hits_update = tf.contrib.metrics.streaming_accuracy(ones, others)
    sess.run(tf.local_variables_initializer())
    for i in range(3):
        sess.run([update, f1_update, hits_update], {p: a[i], y: b[i]})
    assert sess.run(value) == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1], rel=1e-4)
    label, best = b.ravel() > 0.5, 0.0
    for t in np.linspace(-1e-7, 1 + 1e-7, 200):
        hit = (a.ravel() > t) & label
        best = max(best, 2 * hit.sum() / max((a.ravel() > t).sum() + label.sum(), 1))
    assert sess.run(f1) == pytest.approx(best, rel=1e-5)
    assert sess.run(hits) == 0.5
    assert sess.run(tf.contrib.metrics.accuracy(ones, others)) == 0.5


def test_hparams() -> None:
    hp = tf.contrib.training.HParams(rate=0.5, sizes=[1, 2], name="x", on=True, n=3)
    hp.parse("rate=2,sizes=[4,5],sizes[1]=7,on=false,name=a b")
    assert hp.values() == {"rate": 2.0, "sizes": [4, 7], "name": "a b", "on": False, "n": 3}
    assert (hp.get("missing", 1), "n" in hp) == (1, True)
    for text in ("n=1.5", "other=1", "n=1,n=2"):
        with pytest.raises(ValueError):
            hp.parse(text)
    other = tf.contrib.training.HParams(**hp.values())
    assert other.parse_json(hp.to_json()).values() == hp.values()


# ------------------------------------------------------------------ what is there
def test_every_name_exists() -> None:
    for part in (
        layers, slim, tf.contrib.framework, tf.contrib.opt, tf.contrib.training,
        tf.contrib.losses, tf.contrib.metrics, tf.layers, tf.losses, tf.metrics,
    ):  # fmt: skip
        for name in part.__all__:
            assert getattr(part, name) is not None


def test_the_rest_says_so_by_name() -> None:
    for get, text in (
        (lambda: tf.contrib.nccl, "tf.contrib.nccl is not supported by graphc: "),
        (lambda: tf.contrib.nonsense, "tf.contrib.nonsense is not supported by graphc: "),
        (lambda: layers.bow_encoder, ".bow_encoder is not supported"),
        (lambda: slim.nets, "tf.contrib.slim.nets is not supported by graphc"),
    ):
        with pytest.raises(AttributeError) as err:
            get()
        assert text in str(err.value)
    assert not hasattr(tf.contrib, "nccl")
    assert layers.python.layers.batch_norm is layers.batch_norm
    assert tf.contrib.framework.python.ops.arg_scope is slim.arg_scope
