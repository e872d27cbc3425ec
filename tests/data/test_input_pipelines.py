"""Input pipelines of queues and threads, as TF1 programs build them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf

CONFIGS = {"compiled": tf.Config(), "reference": tf.Config(backend="reference")}


@pytest.fixture(params=CONFIGS)
def sess(request: Any) -> Iterator[tf.Session]:
    with tf.Session(options=CONFIGS[request.param]) as session:
        yield session


def start(sess: tf.Session) -> tuple[tf.train.Coordinator, list[threading.Thread]]:
    sess.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    coord = tf.train.Coordinator()
    return coord, tf.train.start_queue_runners(sess=sess, coord=coord)


def drain(sess: tf.Session, fetches: Any, limit: int = 1000) -> list[Any]:
    """What runs give until the input ends; then all threads have ended."""
    coord, threads = start(sess)
    found: list[Any] = []
    try:
        while not coord.should_stop() and len(found) < limit:
            found.append(sess.run(fetches))
    except tf.errors.OutOfRangeError:
        pass
    finally:
        coord.request_stop()
        coord.join(threads, stop_grace_period_secs=20)
    assert not any(t.is_alive() for t in threads)
    return found


# ------------------------------------------------------------------ whole programs
def write_records(path: Path, start: int, count: int) -> str:
    with tf.python_io.TFRecordWriter(str(path)) as writer:
        for n in range(start, start + count):
            image = np.full(6, n % 5, np.uint8).tobytes()
            feature = {
                "image_raw": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[n % 2])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    return str(path)


def read_and_decode(queue: Any) -> tuple[Any, Any]:
    _, serialized = tf.TFRecordReader().read(queue)
    features = tf.parse_single_example(
        serialized,
        features={
            "image_raw": tf.FixedLenFeature([], tf.string),
            "label": tf.FixedLenFeature([], tf.int64),
        },
    )
    image = tf.decode_raw(features["image_raw"], tf.uint8)
    image.set_shape([6])
    return tf.cast(image, tf.float32) * (1.0 / 4), tf.cast(features["label"], tf.int32)


def test_records_to_training(sess: tf.Session, tmp_path: Path) -> None:
    paths = [write_records(tmp_path / f"{k}.tfrecords", 20 * k, 20) for k in range(2)]
    queue = tf.train.string_input_producer(paths, num_epochs=3)
    image, label = read_and_decode(queue)
    images, labels = tf.train.shuffle_batch(
        [image, label], batch_size=8, num_threads=2, capacity=60, min_after_dequeue=10
    )
    assert images.shape.as_list() == [8, 6] and labels.shape.as_list() == [8]
    logits = tf.layers.dense(images, 2)
    loss = tf.losses.sparse_softmax_cross_entropy(labels=labels, logits=logits)
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    sess.run(tf.group(tf.global_variables_initializer(), tf.local_variables_initializer()))
    coord = tf.train.Coordinator()
    threads = tf.train.start_queue_runners(sess=sess, coord=coord)
    step, seen = 0, 0
    try:
        while not coord.should_stop():
            _, value, batch = sess.run([train, loss, labels])
            assert np.isfinite(value)
            seen += len(batch)
            step += 1
    except tf.errors.OutOfRangeError:
        pass
    finally:
        coord.request_stop()
    coord.join(threads)
    assert (step, seen) == (15, 120)


def test_lists_in_memory(sess: tf.Session) -> None:
    xs, ys = np.arange(10, dtype=np.float32), np.arange(10) * 10
    x, y = tf.train.slice_input_producer([xs, ys], num_epochs=2, shuffle=False)
    bx, by = tf.train.batch([x, y], batch_size=4, allow_smaller_final_batch=True)
    assert bx.shape.as_list() == [None]
    found = drain(sess, [bx, by])
    want = [*range(10), *range(10)]
    assert np.concatenate([f[0] for f in found]).tolist() == want
    assert np.concatenate([f[1] for f in found]).tolist() == [10 * n for n in want]
    assert len(found[-1][0]) == 4 and len(found) == 5


def test_shuffled_slices_come_once_an_epoch(sess: tf.Session) -> None:
    tf.set_random_seed(5)
    names = [f"file{n}.jpg" for n in range(7)]
    name, label = tf.train.slice_input_producer([names, list(range(7))], num_epochs=2)
    found = drain(sess, [name, label])
    assert [int(n[4:-4]) for n, _ in found] == [k for _, k in found]
    first, second = [k for _, k in found[:7]], [k for _, k in found[7:]]
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second


def test_a_queue_runner_with_several_threads(sess: tf.Session) -> None:
    example = tf.random_uniform([2])
    queue = tf.RandomShuffleQueue(100, 10, tf.float32, shapes=[[2]])
    runner = tf.train.QueueRunner(queue, [queue.enqueue(example)] * 4)
    assert runner.name == "random_shuffle_queue" and runner.queue is queue
    inputs = queue.dequeue_many(8)
    w = tf.Variable(tf.zeros([2, 1]))
    train = tf.assign_add(w, tf.reduce_sum(inputs, 0)[:, None])
    sess.run(tf.global_variables_initializer())
    coord = tf.train.Coordinator()
    threads = runner.create_threads(sess, coord=coord, start=True)
    assert len(threads) == 5
    assert threads[0].name == "QueueRunnerThread-random_shuffle_queue-random_shuffle_queue_enqueue"
    assert threads[-1].name == "QueueRunnerThread-random_shuffle_queue-close_on_stop"
    assert runner.create_threads(sess, coord=coord) == []  # they are running
    for step in range(30):
        if coord.should_stop():
            break
        sess.run(train)
        if step == 20:
            coord.request_stop()
    coord.join(threads)
    assert 0 < sess.run(w).sum() < 21 * 16
    assert sess.run(queue.is_closed())


def test_a_thread_that_feeds_a_queue(sess: tf.Session) -> None:
    data = np.arange(60, dtype=np.float32).reshape(20, 3)
    row, label = tf.placeholder(tf.float32, [3]), tf.placeholder(tf.int32, [])
    queue = tf.FIFOQueue(5, [tf.float32, tf.int32], shapes=[[3], []])
    enqueue = queue.enqueue([row, label])
    batch, labels = queue.dequeue_many(4)
    w = tf.Variable(tf.zeros([3]))
    loss = tf.reduce_sum(tf.square(tf.reduce_sum(batch * w, 1) - 1.0))
    train = tf.train.AdamOptimizer(0.01).minimize(loss)
    coord = tf.train.Coordinator()

    def feed() -> None:
        with coord.stop_on_exception():
            while not coord.should_stop():
                for n in range(len(data)):
                    sess.run(enqueue, feed_dict={row: data[n], label: n})

    sess.run(tf.global_variables_initializer())
    thread = threading.Thread(target=feed)
    thread.start()
    seen: list[int] = []
    for _ in range(25):
        _, got, x = sess.run([train, labels, batch])
        assert x.tolist() == data[got].tolist()
        seen += got.tolist()
    coord.request_stop()
    sess.run(queue.close(cancel_pending_enqueues=True))
    coord.join([thread])  # its CancelledError came after the request to stop
    assert seen == [n % 20 for n in range(100)]


def test_lines_of_csv_files(sess: tf.Session, tmp_path: Path) -> None:
    for k in range(2):
        rows = "".join(f"{n},{2 * n}.5\n" for n in range(3 * k, 3 * k + 3))
        (tmp_path / f"{k}.csv").write_text("a,b\n" + rows)
    pattern = tf.train.match_filenames_once(str(tmp_path / "*.csv"))
    queue = tf.train.string_input_producer(pattern, num_epochs=1, shuffle=False)
    _, line = tf.TextLineReader(skip_header_lines=1).read(queue)
    a, b = tf.decode_csv(line, record_defaults=[[0], [0.0]])
    found = drain(sess, tf.train.batch([a, b], 2))
    assert np.concatenate([f[0] for f in found]).tolist() == list(range(6))
    assert np.concatenate([f[1] for f in found]).tolist() == [2 * n + 0.5 for n in range(6)]


def test_errors_of_threads_are_raised_by_join(sess: tf.Session, tmp_path: Path) -> None:
    queue = tf.train.string_input_producer([str(tmp_path / "missing")])
    _, value = tf.WholeFileReader().read(queue)
    value.set_shape([])
    batch = tf.train.batch([value], 2)
    coord, threads = start(sess)
    with pytest.raises((tf.errors.OutOfRangeError, tf.errors.CancelledError)):
        sess.run(batch)
    assert coord.wait_for_stop(20)
    with pytest.raises(tf.errors.NotFoundError, match="missing; No such file"):
        coord.join(threads)


def test_without_a_coordinator() -> None:
    number = tf.train.range_input_producer(6, num_epochs=1, shuffle=False).dequeue()
    batch = tf.train.batch([number], 3)
    with tf.Session() as sess:
        sess.run(tf.local_variables_initializer())
        threads = tf.train.start_queue_runners()
        assert all(t.daemon for t in threads) and len(threads) == 2
        assert [sess.run(batch).tolist() for _ in range(2)] == [[0, 1, 2], [3, 4, 5]]
        for thread in threads:
            thread.join(20)
        runners = tf.get_collection(tf.GraphKeys.QUEUE_RUNNERS)
        assert [r.exceptions_raised for r in runners] == [[], []]


def test_epochs_need_their_initializer(sess: tf.Session) -> None:
    number = tf.train.range_input_producer(6, num_epochs=1).dequeue()
    coord = tf.train.Coordinator()
    threads = tf.train.start_queue_runners(sess, coord)
    with pytest.raises(tf.errors.OutOfRangeError):
        sess.run(number)
    with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value"):
        coord.join(threads)


def test_a_monitored_session_starts_the_threads() -> None:
    x = tf.train.range_input_producer(8, num_epochs=1, shuffle=False).dequeue()
    batch = tf.train.batch([x], 4)
    step = tf.train.get_or_create_global_step()
    train = tf.assign_add(step, 1)
    found = []
    with tf.train.MonitoredTrainingSession() as sess:
        while not sess.should_stop():
            found.append(sess.run([batch, train])[0].tolist())
    assert found == [[0, 1, 2, 3], [4, 5, 6, 7]]


# ------------------------------------------------------------------ the functions
def test_producers_have_tensorflows_names() -> None:
    queue = tf.train.string_input_producer(["a", "b"], num_epochs=2, name="files")
    assert queue.name == "files" and queue.enqueue("x").name == "files_enqueue"
    assert [v.name for v in tf.local_variables()] == ["files/limit_epochs/epochs:0"]
    summaries = tf.get_collection(tf.GraphKeys.SUMMARIES)
    assert [s.op.name for s in summaries] == ["files/fraction_of_32_full"]
    assert len(tf.get_collection(tf.GraphKeys.QUEUE_RUNNERS)) == 1
    tf.train.shuffle_batch([tf.constant(1)], 4, 50, 10, name="mixed")
    assert tf.get_collection(tf.GraphKeys.SUMMARIES)[-1].op.name == (
        "mixed/fraction_over_10_of_40_full"
    )
    assert tf.train.batch([tf.constant(1)], 4).name == "batch:0"


def test_summaries_of_queues(sess: tf.Session) -> None:
    queue = tf.train.input_producer(
        [[1, 2], [3, 4]], shuffle=False, capacity=4, summary_name="full", num_epochs=1
    )
    assert queue.shapes[0].as_list() == [2]
    coord, threads = start(sess)
    for thread in threads[:-1]:
        thread.join(20)
    summary = tf.Summary.FromString(sess.run(tf.summary.merge_all()))
    assert summary.value[0].tag == "input_producer/full"
    assert summary.value[0].simple_value == 0.5
    assert sess.run(queue.dequeue_many(2)).tolist() == [[1, 2], [3, 4]]
    coord.request_stop()
    coord.join(threads)


def test_batches_have_the_form_of_their_tensors(sess: tf.Session) -> None:
    x = tf.train.range_input_producer(8, num_epochs=1, shuffle=False).dequeue()
    batch = tf.train.batch({"x": x, "a": tf.stack([x, -x])}, 4)
    found = drain(sess, batch)
    assert found[0]["x"].tolist() == [0, 1, 2, 3]
    assert found[1]["a"].tolist() == [[n, -n] for n in range(4, 8)]


def test_batches_of_batches(sess: tf.Session) -> None:
    x = tf.train.range_input_producer(4, num_epochs=1, shuffle=False).dequeue()
    rows = tf.reshape(tf.range(3) + 10 * x, [3])
    found = drain(sess, tf.train.batch([rows], 4, enqueue_many=True))
    want = [10 * n + k for n in range(4) for k in range(3)]
    assert np.concatenate(found).tolist() == want


def test_padded_batches(sess: tf.Session) -> None:
    n = tf.train.range_input_producer(5, num_epochs=1, shuffle=False).dequeue()
    taken = tf.train.batch(
        [tf.range(n), n], 2, dynamic_pad=True, allow_smaller_final_batch=True, capacity=7
    )
    assert taken[0].shape.as_list() == [None, None]
    found = drain(sess, taken)
    assert [f[0].tolist() for f in found] == [[[0], [0]], [[0, 1, 0], [0, 1, 2]], [[0, 1, 2, 3]]]
    assert [f[1].tolist() for f in found] == [[0, 1], [2, 3], [4]]


def test_joined_batches(sess: tf.Session) -> None:
    sets = []
    for k in range(2):
        x = tf.train.range_input_producer(6, num_epochs=1, shuffle=False).dequeue()
        sets.append([x + 100 * k, tf.constant(k)])
    found = drain(sess, tf.train.batch_join(sets, 3))
    numbers = np.concatenate([f[0] for f in found]).tolist()
    assert sorted(numbers) == [*range(6), *range(100, 106)]
    assert np.concatenate([f[1] for f in found]).tolist() == [n // 100 for n in numbers]


def test_shuffled_joined_batches_with_more_threads(sess: tf.Session) -> None:
    x = tf.train.range_input_producer(40, num_epochs=1, shuffle=False).dequeue()
    y = tf.train.range_input_producer(40, num_epochs=1, shuffle=False).dequeue()
    found = drain(
        sess,
        tf.train.shuffle_batch_join(
            [{"v": x}, {"v": y + 40}], 16, 30, 8, allow_smaller_final_batch=True, seed=1
        ),
    )
    numbers = np.concatenate([f["v"] for f in found]).tolist()
    assert sorted(numbers) == list(range(80)) and numbers != sorted(numbers)


def test_epochs_are_counted_right_by_several_threads(sess: tf.Session) -> None:
    x = tf.train.limit_epochs(tf.constant(7), 25)
    found = drain(sess, tf.train.batch([x], 5, num_threads=4))
    assert np.concatenate(found).tolist() == [7] * 25


def test_elements_that_are_kept(sess: tf.Session) -> None:
    x = tf.train.range_input_producer(10, num_epochs=1, shuffle=False).dequeue()
    even = tf.equal(x % 2, 0)
    assert np.concatenate(drain(sess, tf.train.maybe_batch([x], even, 5))).tolist() == [
        0, 2, 4, 6, 8,
    ]  # fmt: skip


def test_rows_that_are_kept(sess: tf.Session) -> None:
    x = tf.train.range_input_producer(6, num_epochs=1, shuffle=False).dequeue()
    rows = 10 * x + tf.range(2)
    rows.set_shape([2])
    keep = tf.stack([tf.equal(x % 3, 0), True])
    found = drain(
        sess,
        tf.train.maybe_shuffle_batch(
            [rows], 2, 20, 4, keep, enqueue_many=True, allow_smaller_final_batch=True
        ),
    )
    assert sorted(np.concatenate(found).tolist()) == [0, 1, 11, 21, 30, 31, 41, 51]


def test_joined_elements_that_are_kept(sess: tf.Session) -> None:
    x = tf.train.range_input_producer(8, num_epochs=1, shuffle=False).dequeue()
    found = drain(sess, tf.train.maybe_batch_join([[x], [x + 100]], False, 1), limit=1)
    assert found == []


def test_shuffled_joined_elements_that_are_kept(sess: tf.Session) -> None:
    y = tf.train.range_input_producer(4, num_epochs=1, shuffle=False).dequeue()
    kept = tf.train.maybe_shuffle_batch_join([[y]], 2, 9, 3, y > 1)
    assert sorted(drain(sess, kept)[0].tolist()) == [2, 3]


@pytest.mark.parametrize("many", [False, True])
def test_sparse_tensors_in_batches(sess: tf.Session, many: bool) -> None:
    n = tf.train.range_input_producer(4, num_epochs=1, shuffle=False).dequeue()
    row = tf.SparseTensor([[0], [2]], tf.stack([n, n * 10]), [4])
    if many:
        row = tf.sparse_reshape(row, [2, 2])
    taken = tf.train.batch([row, tf.fill([2], n) if many else n], 2, enqueue_many=many)
    assert isinstance(taken[0], tf.SparseTensor)
    dense = tf.sparse_tensor_to_dense(taken[0])
    found = drain(sess, [dense, taken[1]])
    if many:
        assert found[3][0].tolist() == [[3, 0], [30, 0]]
        assert [f[1].tolist() for f in found] == [[n, n] for n in range(4)]
    else:
        assert found[1][0].tolist() == [[2, 0, 20, 0], [3, 0, 30, 0]]


def test_sparse_tensors_as_strings(sess: tf.Session) -> None:
    x = tf.SparseTensor([[0, 1], [2, 0]], ["a", "b"], [3, 2])
    back = tf.deserialize_sparse(tf.serialize_sparse(x), tf.string, rank=2)
    assert back.shape.ndims == 2
    assert sess.run(back)[1].tolist() == [b"a", b"b"]
    rows = tf.serialize_many_sparse(x)
    assert sess.run(rows).shape == (3, 3)
    again = sess.run(tf.deserialize_many_sparse(rows, tf.string))
    assert again.indices.tolist() == [[0, 1], [2, 0]] and again.dense_shape.tolist() == [3, 2]
    with pytest.raises(tf.errors.InvalidArgumentError, match="Requested SparseTensor of type"):
        sess.run(tf.deserialize_many_sparse(rows, tf.float32))
    assert sess.run(rows).tolist() == sess.run(tf.io.serialize_many_sparse(x)).tolist()


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (
            lambda: tf.train.string_input_producer([]),
            ValueError,
            "string_input_producer requires a non-null input tensor",
        ),
        (lambda: tf.train.string_input_producer([1, 2]), TypeError, "Expected string"),
        (
            lambda: tf.train.input_producer(tf.placeholder(tf.int32)),
            ValueError,
            "Either `input_tensor` must have a fully defined shape",
        ),
        (
            lambda: tf.train.limit_epochs(tf.constant(1), 0),
            ValueError,
            "num_epochs must be > 0 not 0",
        ),
        (lambda: tf.train.slice_input_producer([]), ValueError, "at least one tensor in slice_"),
        (lambda: tf.train.batch([], 3), ValueError, "Expected at least one tensor in batch"),
        (
            lambda: tf.train.batch([tf.placeholder(tf.float32)], 3),
            ValueError,
            "Cannot infer Tensor's rank",
        ),
        (
            lambda: tf.train.batch([tf.placeholder(tf.float32, [None])], 3),
            ValueError,
            "All shapes must be fully defined",
        ),
        (
            lambda: tf.train.batch_join([[tf.constant(1)], [tf.constant(1.0)]], 3),
            TypeError,
            "Expected types to be consistent: int32 vs. float32",
        ),
        (
            lambda: tf.train.batch_join([{"a": tf.constant(1)}, {"b": tf.constant(1)}], 3),
            ValueError,
            "must have the same keys",
        ),
        (
            lambda: tf.train.batch_join([[tf.constant(1)], [tf.constant([1])]], 3),
            ValueError,
            "are not compatible",
        ),
        (
            lambda: tf.train.maybe_batch([tf.constant(1)], [True], 4),
            ValueError,
            "`keep_input` cannot be a vector when `enqueue_many=False`",
        ),
        (
            lambda: tf.train.shuffle_batch([tf.constant(1)], 4, 10, 10),
            ValueError,
            "capacity 10 must be bigger than min_after_dequeue 10",
        ),
    ],
)
def test_what_cannot_be_built(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


def test_shapes_may_be_given(sess: tf.Session) -> None:
    x = tf.py_func(lambda: np.array([1, 2], np.float32), [], tf.float32)
    batch = tf.train.batch([x], 2, shapes=[[2]])
    assert batch.shape.as_list() == [2, 2]
    assert drain(sess, batch, limit=1)[0].tolist() == [[1, 2], [1, 2]]


def test_an_empty_tensor_of_names(sess: tf.Session) -> None:
    names = tf.placeholder_with_default(np.zeros(0, object), [None])
    item = tf.train.string_input_producer(names).dequeue()
    coord, threads = start(sess)
    with pytest.raises((tf.errors.OutOfRangeError, tf.errors.CancelledError)):
        sess.run(item)
    text = "string_input_producer requires a non-null input tensor"
    with pytest.raises(tf.errors.InvalidArgumentError, match=text):
        coord.join(threads)


PROGRAM = """
import graphc as tf
x = tf.train.range_input_producer(10).dequeue()
batch = tf.train.shuffle_batch([tf.to_float(x) * 2], 4, 30, 10, num_threads=3)
sess = tf.Session()
threads = tf.train.start_queue_runners(sess)
for _ in range(5):
    sess.run(batch)
print("done")
"""


def test_a_program_that_just_ends() -> None:
    """Its threads are daemons that wait or run kernels: the interpreter ends without a word."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
