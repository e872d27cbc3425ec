"""Graphs of queues, readers and queue runners in TensorFlow's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from tests.fixtures import make_tf_queues

TENSORFLOWS = Path(make_tf_queues.__file__).parent / "tf" / "queues.meta"


@pytest.fixture(autouse=True)
def fresh_graph() -> None:
    tf.reset_default_graph()


@pytest.fixture(params=["tensorflow", "graphc"])
def meta(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "tensorflow":
        return TENSORFLOWS
    path = tmp_path / "queues.meta"
    make_tf_queues.build(tf)
    tf.train.export_meta_graph(str(path))
    tf.reset_default_graph()
    return path


def test_an_imported_pipeline_runs(
    meta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines1").write_text("h\n1\n2\n")
    (tmp_path / "lines2").write_text("h\n3\n4\n5\n")
    tf.train.import_meta_graph(str(meta))
    graph = tf.get_default_graph()
    assert graph.get_tensor_by_name("mixed:1").shape.as_list() == [None, 2]
    runners = tf.get_collection(tf.GraphKeys.QUEUE_RUNNERS)
    assert [r.name for r in runners] == ["input_producer", "mixed/random_shuffle_queue"]
    with tf.Session() as sess:
        sess.run(tf.local_variables_initializer())
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess, coord)
        found = []
        with pytest.raises(tf.errors.OutOfRangeError):
            while True:
                found.append(sess.run(["mixed:0", "mixed:1"]))
        coord.request_stop()
        coord.join(threads)
        numbers = np.concatenate([f[0] for f in found])
        assert sorted(numbers.tolist()) == sorted(2 * [1, 2, 3, 4, 5])
        assert np.concatenate([f[1] for f in found]).tolist() == [[n, n + 1] for n in numbers]


def test_imported_queues_keep_their_form(meta: Path) -> None:
    tf.train.import_meta_graph(str(meta))
    graph = tf.get_default_graph()
    assert graph.get_tensor_by_name("first:1").shape.as_list() == []
    assert graph.get_tensor_by_name("taken:0").shape.as_list() == [1, None]
    with tf.Session() as sess:
        sess.run("rank")
        assert sess.run(["first:0", "first:1"]) == [1, b"a"]
        sess.run("put")
        assert sess.run("taken:0").tolist() == [[1, 2]]


def test_two_imports_have_queues_of_their_own(meta: Path) -> None:
    for scope in ("one", "two"):
        tf.train.import_meta_graph(str(meta), import_scope=scope)
    with tf.Session() as sess:
        sess.run("one/put")
        sizes = [tf.QueueBase([tf.int32], [[None]], None,
                 tf.get_default_graph().get_tensor_by_name(f"{s}/padded:0")).size()
                 for s in ("one", "two")]  # fmt: skip
        assert sess.run(sizes) == [1, 0]
    runners = tf.get_collection(tf.GraphKeys.QUEUE_RUNNERS)
    assert [r.name.split("/")[0] for r in runners] == ["one", "one", "two", "two"]


def test_attributes_are_tensorflows() -> None:
    make_tf_queues.build(tf)
    nodes = {n.name: n for n in tf.get_default_graph().as_graph_def().node}
    mixed = nodes["mixed/random_shuffle_queue"]
    assert mixed.op == "RandomShuffleQueueV2" and "key" not in mixed.attr
    assert (mixed.attr["capacity"].i, mixed.attr["min_after_dequeue"].i) == (30, 5)
    types = [3, 3]
    assert list(mixed.attr["component_types"].list.type) == types
    assert list(nodes["mixed"].attr["component_types"].list.type) == types
    put = nodes["mixed/random_shuffle_queue_enqueue"]
    assert (put.op, list(put.attr["Tcomponents"].list.type)) == ("QueueEnqueueV2", types)
    assert nodes["lines"].attr["skip_header_lines"].i == 1
    assert nodes["padded"].attr["shapes"].list.shape[0].dim[0].size == -1


def test_conditions_of_elements_survive() -> None:
    queue = tf.train.input_producer([1, 2, 3], shuffle=False, num_epochs=1)
    x = queue.dequeue()
    batch = tf.train.maybe_batch([x], x > 1, 2)
    name, graph_def = batch.name, tf.train.export_meta_graph()
    tf.reset_default_graph()
    tf.train.import_meta_graph(graph_def)
    with tf.Session() as sess:
        sess.run(tf.local_variables_initializer())
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess, coord)
        assert sess.run(name).tolist() == [2, 3]
        coord.request_stop()
        coord.join(threads)


def test_queue_runner_defs() -> None:
    queue = tf.FIFOQueue(4, tf.int32, name="q")
    ends = (tf.errors.OutOfRangeError, tf.errors.CancelledError)
    runner = tf.train.QueueRunner(
        queue, [queue.enqueue(1)] * 2, queue_closed_exception_types=ends
    )
    proto = runner.to_proto()
    assert isinstance(proto, tf.train.QueueRunnerDef)
    assert (proto.queue_name, list(proto.enqueue_op_name)) == ("q", ["q_enqueue", "q_enqueue"])
    assert list(proto.queue_closed_exception_types) == [11, 1]
    back = tf.train.QueueRunner.from_proto(proto)
    assert back.name == "q" and back.queue_closed_exception_types == ends
    assert [op.name for op in back.enqueue_ops] == ["q_enqueue", "q_enqueue"]
    assert back.close_op.name == "q_Close" and back.cancel_op.name == "q_Close_1"
    assert runner.to_proto(export_scope="elsewhere") is None
    with pytest.raises(ValueError, match="mutually exclusive"):
        tf.train.QueueRunner(queue, [queue.enqueue(1)], queue_runner_def=proto)
    with pytest.raises(ValueError, match="Must provide queue and enqueue_ops"):
        tf.train.QueueRunner(queue)
    with pytest.raises(TypeError, match=r"must be a tuple of tf.error types"):
        tf.train.QueueRunner(queue, [queue.close()], queue_closed_exception_types=[1])
