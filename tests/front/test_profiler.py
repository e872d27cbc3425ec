"""tf.profiler.profile: counts as TensorFlow's, times of a traced run."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

B = tf.profiler.ProfileOptionBuilder


@pytest.fixture(autouse=True)
def fresh():
    tf.reset_default_graph()


def network():
    x = tf.placeholder(tf.float32, [4, 28, 28, 1], name="x")
    w = tf.get_variable("w", [3, 3, 1, 8])
    h = tf.nn.conv2d(x, w, [1, 1, 1, 1], "SAME")
    h = tf.nn.relu(tf.nn.bias_add(h, tf.zeros([8])))
    h = tf.reshape(tf.nn.max_pool(h, [1, 2, 2, 1], [1, 2, 2, 1], "VALID"), [4, -1])
    v = tf.get_variable("v", [14 * 14 * 8, 10])
    y = tf.nn.softmax(tf.matmul(h, v))
    return x, tf.reduce_mean(y * y)


def test_counts_of_tensorflow(capsys) -> None:
    network()
    # tensorflow-cpu 2.21 counts this for the same network
    found = tf.profiler.profile(tf.get_default_graph(), options=B.float_operation())
    assert found.total_float_ops == 658986
    text = capsys.readouterr().out
    assert "_TFProfRoot (0/658.99k flops)" in text and "  MatMul (125.44k/125.44k flops)" in text
    counts = tf.profiler.profile(options=B.trainable_variables_parameter())
    assert counts.total_parameters == 15752
    assert "  w (72/72 params)" in capsys.readouterr().out


def test_gradients_and_unknown_shapes(tmp_path, capsys) -> None:
    _, loss = network()
    tf.train.AdamOptimizer().minimize(loss)
    options = B(B.float_operation()).with_file_output(tmp_path / "report").build()
    found = tf.profiler.profile(options=options)
    parts = {c.name: c.total_float_ops for c in found.children}
    # both products of the layer, and both convolutions
    assert parts["gradients"] >= 2 * 125440 + 2 * 2 * 4 * 28 * 28 * 9 * 8
    assert "gradients (0/" in (tmp_path / "report").read_text()
    assert not capsys.readouterr().out
    only = tf.profiler.profile(options=B.trainable_variables_parameter())
    assert only.total_parameters == 15752  # Adam's slots are no parameters
    tf.reset_default_graph()
    tf.matmul(tf.placeholder(tf.float32, [None, 3]), tf.zeros([3, 2]))
    assert tf.profiler.profile(options=B().with_empty_output().build()).total_float_ops == 0


def test_times_of_a_run(capsys) -> None:
    x, loss = network()
    metadata = tf.RunMetadata()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        sess.run(loss, {x: np.ones((4, 28, 28, 1))}, options, metadata)
    found = tf.profiler.profile(run_meta=metadata, cmd="op", options=B.time_and_memory())
    steps = metadata.step_stats.dev_stats[0].node_stats
    assert 0 < found.total_exec_micros <= sum(s.all_end_rel_micros for s in steps)
    assert " us)" in capsys.readouterr().out
