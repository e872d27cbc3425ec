"""RunMetadata and timelines: what a traced run records, and how it is drawn."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

import graphc as tf
from graphc.tf1 import timeline

FULL = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)


@pytest.fixture(autouse=True)
def fresh():
    tf.reset_default_graph()


def network():
    x = tf.placeholder(tf.float32, [None, 8], name="x")
    hidden = tf.layers.dense(x, 16, activation=tf.nn.relu, name="hidden")
    loss = tf.reduce_mean(tf.square(tf.layers.dense(hidden, 1, name="out")), name="loss")
    return x, loss, tf.train.GradientDescentOptimizer(0.001).minimize(loss)


def traced(rows: int = 32):
    """(metadata, the run's times in microseconds since 1970)"""
    x, loss, train = network()
    metadata = tf.RunMetadata()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        feed = {x: np.ones((rows, 8), np.float32)}
        first = sess.run(loss, feed)
        before = time.time()
        got, _ = sess.run([loss, train], feed, options=FULL, run_metadata=metadata)
        span = (before * 1e6, time.time() * 1e6)
        assert got == first
        assert sess.run(loss, feed) < first  # the traced run trained the same variables
    return metadata, span


def test_a_traced_run_names_its_steps() -> None:
    metadata, (start, end) = traced()
    (device,) = metadata.step_stats.dev_stats
    assert device.device == "/job:localhost/replica:0/task:0/device:CPU:0"
    steps = {s.node_name: s for s in device.node_stats}
    assert len(steps) == len(device.node_stats)  # names are unique
    product = steps["hidden/MatMul"]
    assert product.timeline_label == "hidden/MatMul = MatMul(x, hidden/kernel)"
    described = product.output[0].tensor_description
    assert [d.size for d in described.shape.dim] == [32, 16]
    assert described.allocation_description.requested_bytes == 32 * 16 * 4
    assert product.memory[0].allocator_name == "cpu"
    relu = steps["hidden/Relu"]
    assert relu.timeline_label == "hidden/Relu = BiasAdd+Relu(hidden/MatMul, hidden/bias)"
    for step in steps.values():
        assert step.all_end_rel_micros >= 1 and step.all_end_rel_nanos >= 1
        assert start - 1000 <= step.all_start_micros <= end + 1000
    assert relu.all_start_nanos >= product.all_start_nanos + product.all_end_rel_nanos


def test_metadata_is_replaced_and_goes_through_bytes() -> None:
    x, loss, _ = network()
    metadata = tf.RunMetadata()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        counts = []
        for rows in (4, 4, 7):
            feed = {x: np.ones((rows, 8), np.float32)}
            sess.run(loss, feed, options=FULL, run_metadata=metadata)
            counts.append(len(metadata.step_stats.dev_stats[0].node_stats))
        assert len(set(counts)) == 1 and counts[0] > 1
        sess.run(loss, feed, run_metadata=metadata)  # no trace was asked for
        assert len(metadata.step_stats.dev_stats[0].node_stats) == counts[0]
    again = tf.RunMetadata.FromString(metadata.SerializeToString())
    assert again == metadata
    assert not tf.RunMetadata().step_stats.dev_stats


def test_partition_graphs() -> None:
    a = tf.add(tf.constant(1.0), 2.0, name="three")
    metadata = tf.RunMetadata()
    options = tf.RunOptions(
        trace_level=tf.RunOptions.SOFTWARE_TRACE, output_partition_graphs=True
    )
    with tf.Session() as sess:
        assert sess.run({"a": a}, options=options, run_metadata=metadata) == {"a": 3.0}
    assert "three" in [n.name for n in metadata.partition_graphs[0].node]


def test_host_steps_and_stages_are_traced() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")

    def slow(v):
        time.sleep(0.02)
        return v * 2

    y = tf.py_func(slow, [tf.boolean_mask(x, x > 0)], tf.float32, name="slow")
    metadata = tf.RunMetadata()
    with tf.Session() as sess:
        got = sess.run(y, {x: [-1.0, 1.0, 2.0]}, options=FULL, run_metadata=metadata)
    assert got.tolist() == [2, 4]
    steps = {s.node_name: s for s in metadata.step_stats.dev_stats[0].node_stats}
    assert steps["slow"].all_end_rel_micros >= 20_000
    assert any(name.startswith("boolean_mask") for name in steps)


def test_steps_of_a_loop_have_the_sum_of_their_times() -> None:
    x = tf.placeholder(tf.float32, [None, 32], name="x")
    w = tf.constant(np.eye(32, dtype=np.float32))
    _, y = tf.while_loop(
        lambda i, h: i < 50, lambda i, h: (i + 1, tf.tanh(tf.matmul(h, w, name="m"))), [0, x]
    )
    metadata = tf.RunMetadata()
    with tf.Session() as sess:
        feed = {x: np.ones((64, 32), np.float32)}
        sess.run(y, feed)
        begin = time.monotonic()
        sess.run(y, feed, options=FULL, run_metadata=metadata)
        passed = (time.monotonic() - begin) * 1e9
    steps = metadata.step_stats.dev_stats[0].node_stats
    assert any("MatMul" in s.timeline_label for s in steps)
    assert not any(word in s.timeline_label for s in steps for word in ("label(", "jump("))
    assert 0 < sum(s.all_end_rel_nanos for s in steps) < passed


def test_profiles_of_a_configured_session_go_on_adding() -> None:
    x = tf.placeholder(tf.float32, [64], name="x")
    y = tf.exp(x, name="y")
    feed = {x: np.ones(64, np.float32)}
    with tf.Session(options=tf.Config(profile=True)) as sess:
        for k in range(6):
            more = {} if k % 2 else {"options": FULL, "run_metadata": tf.RunMetadata()}
            sess.run(y, feed, **more)
        assert sess.explain(y, feed).kernels[0].calls == 6


def test_the_reference_backend_records_nodes() -> None:
    x = tf.placeholder(tf.float32, [3], name="x")
    metadata = tf.RunMetadata()
    with tf.Session(options=tf.Config(backend="reference")) as sess:
        y = tf.exp(x, name="y")
        sess.run(y, {x: [1.0, 2.0, 3.0]}, options=FULL, run_metadata=metadata)
    steps = {s.node_name: s for s in metadata.step_stats.dev_stats[0].node_stats}
    assert steps["y"].timeline_label.startswith("y = Exp(")


# ------------------------------------------------------------------ timelines
def test_chrome_trace() -> None:
    metadata, _ = traced()
    line = timeline.Timeline(metadata.step_stats)
    events = json.loads(line.generate_chrome_trace_format())["traceEvents"]
    bars = {e["args"]["name"]: e for e in events if e["ph"] == "X"}
    assert bars["hidden/MatMul"]["args"] == {
        "name": "hidden/MatMul", "op": "MatMul", "input0": "x", "input1": "hidden/kernel",
    }  # fmt: skip
    assert len(bars) == len(metadata.step_stats.dev_stats[0].node_stats)
    names = [e["args"]["name"] for e in events if e["ph"] == "M"]
    assert names == ["Allocators", *(f"/job:localhost/replica:0/task:0/device:CPU:0 {k}"
                                     for k in ("Compute", "Tensors"))]  # fmt: skip
    assert not [e for e in events if e["ph"] in "NODC"]
    shown = json.loads(line.generate_chrome_trace_format(show_memory=True))["traceEvents"]
    kinds = {e["ph"] for e in shown}
    assert {"N", "O", "D", "C"} <= kinds
    counter = [e["args"]["cpu"] for e in shown if e["ph"] == "C"]
    assert counter[-1] == 0 and max(counter) > 0


def test_lanes_and_flows_of_overlapping_steps() -> None:
    metadata = tf.RunMetadata()
    device = metadata.step_stats.dev_stats.add(device="/cpu:0")
    for name, start, label in (("a", 10, "a = A()"), ("b", 15, "b = B(a)"), ("c", 30, "c = C(b)")):
        made = device.node_stats.add(
            node_name=name, all_start_micros=start, all_end_rel_micros=10, timeline_label=label
        )
        allocation = made.output.add().tensor_description.allocation_description
        allocation.requested_bytes, allocation.allocator_name = 100, "pool"
    line = timeline.Timeline(metadata.step_stats)
    result = line.analyze_step_stats()
    bars = {e["args"]["name"]: e["tid"] for e in result.chrome_trace.events if e["ph"] == "X"}
    assert bars == {"a": 0, "b": 1, "c": 0}
    flows = [e["name"] for e in result.chrome_trace.events if e["ph"] == "s"]
    assert flows == ["a", "b"]
    best = result.allocator_maximums["pool"]
    assert best.num_bytes == 200 and best.tensors == {"a", "b"}
    assert json.loads(result.chrome_trace.format_to_string())["traceEvents"]
