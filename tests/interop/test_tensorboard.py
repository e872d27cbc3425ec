"""Event files by TensorBoard's own reader; only where the package tensorboard is installed."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

event_accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator",
    reason="needs the package tensorboard",
)


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """A log of three training steps, as an EventAccumulator reads it."""
    folder = tmp_path_factory.mktemp("log")
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    w = tf.get_variable("w", [4, 1], initializer=tf.ones_initializer())
    loss = tf.reduce_mean(tf.square(tf.matmul(x, w, name="product")), name="mean")
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    tf.summary.scalar("loss", loss)
    tf.summary.histogram("weights", w)
    tf.summary.image("picture", tf.reshape(tf.tile(x, [1, 4]), [-1, 4, 4, 1]), max_outputs=2)
    tf.summary.audio("sound", tf.zeros([1, 100, 1]), 8000)
    tf.summary.text("note", tf.constant("hello"))
    merged = tf.summary.merge_all()
    feed = {x: np.ones((2, 4), np.float32)}
    values = []
    with tf.Session() as sess, tf.summary.FileWriter(str(folder), sess.graph) as writer:
        sess.run(tf.global_variables_initializer())
        for step in range(3):
            metadata = tf.RunMetadata()
            options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
            values.append(sess.run(loss, feed))
            summary, _ = sess.run([merged, train], feed, options, metadata)
            writer.add_summary(summary, step)
            writer.add_run_metadata(metadata, f"step{step}", step)
    sizes = dict.fromkeys(event_accumulator.STORE_EVERYTHING_SIZE_GUIDANCE, 0)
    read = event_accumulator.EventAccumulator(str(folder), size_guidance=sizes)
    read.Reload()
    return read, values


def test_tags(events) -> None:
    tags = events[0].Tags()
    assert tags["graph"] and tags["meta_graph"]
    assert tags["run_metadata"] == ["step0", "step1", "step2"]
    found = {tag for kind in ("scalars", "histograms", "images", "audio", "tensors")
             for tag in tags[kind]}  # fmt: skip
    assert {"loss", "weights", "picture/image/0", "sound/audio/0"} <= found


def test_scalars(events) -> None:
    read, values = events
    got = read.Scalars("loss")
    assert [e.step for e in got] == [0, 1, 2]
    np.testing.assert_allclose([e.value for e in got], values)


def test_histograms(events) -> None:
    got = events[0].Histograms("weights")
    assert len(got) == 3
    first = got[0].histogram_value
    assert (first.min, first.max, first.num, first.sum) == (1, 1, 4, 4)
    assert sum(first.bucket) == 4


def test_images(events) -> None:
    got = events[0].Images("picture/image/0")
    assert len(got) == 3 and (got[0].width, got[0].height) == (4, 4)
    assert got[0].encoded_image_string.startswith(b"\x89PNG")


def test_graph(events) -> None:
    graph = events[0].Graph()
    nodes = {n.name: n for n in graph.node}
    assert nodes["product"].op == "MatMul" and list(nodes["product"].input) == ["x", "w"]
    assert nodes["x"].attr["_output_shapes"].list.shape[0].dim[1].size == 4
    assert events[0].MetaGraph().graph_def.node


def test_run_metadata(events) -> None:
    metadata = events[0].RunMetadata("step1")
    (device,) = metadata.step_stats.dev_stats
    steps = {s.node_name: s for s in device.node_stats}
    assert steps["product"].timeline_label == "product = MatMul(x, w)"
    assert steps["product"].all_end_rel_micros >= 1
    assert [d.size for d in steps["product"].output[0].tensor_description.shape.dim] == [2, 1]
