"""Queues: what they hold, in what order, and who waits for whom; texts as TensorFlow's."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.tf1.queues import (
    FIFOQueue,
    PaddingFIFOQueue,
    PriorityQueue,
    QueueBase,
    RandomShuffleQueue,
)

CONFIGS = {"compiled": tf.Config(), "reference": tf.Config(backend="reference")}


@pytest.fixture(params=CONFIGS)
def sess(request: Any) -> Iterator[tf.Session]:
    with tf.Session(options=CONFIGS[request.param]) as session:
        yield session


class Background:
    """A call in another thread, with what it returned or raised."""

    def __init__(self, call: Callable[..., Any], *args: Any) -> None:
        self.result: Any = None
        self.error: Any = None
        self.thread = threading.Thread(target=self._run, args=(call, args), daemon=True)
        self.thread.start()

    def _run(self, call: Callable[..., Any], args: Any) -> None:
        try:
            self.result = call(*args)
        except BaseException as error:
            self.error = error

    def is_waiting(self) -> bool:
        self.thread.join(0.1)
        return self.thread.is_alive()

    def join(self) -> Any:
        self.thread.join(20)
        assert not self.thread.is_alive(), "still waiting"
        return self.result if self.error is None else self.error


def message(error: Any) -> str:
    return error.message.split("\n")[0]


def pairs(capacity: int = 3) -> FIFOQueue:
    return FIFOQueue(capacity, [tf.float32, tf.int32], shapes=[[2], []])


# ------------------------------------------------------------------ building
def test_names_and_shapes_are_tensorflows() -> None:
    queue = pairs()
    assert queue.name == "fifo_queue"
    assert queue.dtypes == [tf.float32, tf.int32]
    assert [s.as_list() for s in queue.shapes] == [[2], []]
    assert queue.enqueue([[1.0, 2.0], 3]).name == "fifo_queue_enqueue"
    many = queue.enqueue_many([np.ones((2, 2), np.float32), [1, 2]])
    assert many.name == "fifo_queue_EnqueueMany"
    x, n = queue.dequeue()
    assert (x.name, x.shape.as_list(), n.shape.as_list()) == ("fifo_queue_Dequeue:0", [2], [])
    x, n = queue.dequeue_many(4)
    assert (x.op.name, x.shape.as_list(), n.dtype) == (
        "fifo_queue_DequeueMany", [4, 2], tf.int32,
    )  # fmt: skip
    x, n = queue.dequeue_up_to(4)
    assert (x.op.name, x.shape.as_list()) == ("fifo_queue_DequeueUpTo", [None, 2])
    assert queue.close().name == "fifo_queue_Close"
    assert queue.size().name == "fifo_queue_Size:0"
    assert queue.is_closed().name == "fifo_queue_Is_Closed:0"
    assert FIFOQueue(1, tf.int32, name="abc/def").name == "abc/def"
    one = FIFOQueue(3, tf.float32)
    assert one.dequeue().shape.ndims is None and one.dequeue_many(2).shape.ndims is None
    assert PriorityQueue(3, tf.string).dtypes == [tf.int64, tf.string]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda q: q.enqueue([1.0, 2]), ValueError, r"Shapes \(\) and \(2,\)"),
        (lambda q: q.enqueue([[1.0, 2.0, 3.0], 1]), ValueError, r"Shapes \(3,\) and \(2,\)"),
        (lambda q: q.enqueue([["a", "b"], 1]), TypeError, "Expected float32"),
        (lambda q: q.enqueue(5.0), ValueError, "has 2 components, but 1 were given"),
        (lambda q: q.enqueue({"a": 1}), ValueError, "Queue must have names to enqueue a dict"),
        (
            lambda q: q.enqueue_many([np.ones((2, 2), "f"), [1, 2, 3]]),
            ValueError,
            "2.*3.*not compatible",
        ),
        (lambda q: q.dequeue_many(-1), ValueError, "Input 'n' must be >= 0, but is -1"),
        (lambda q: FIFOQueue(3, [tf.int32], shapes=[[1], [2]]), ValueError, "same length as dty"),
        (lambda q: FIFOQueue(3, [tf.int32], shapes=[[None]]), ValueError, "fully defined"),
        (lambda q: FIFOQueue(3, [tf.int32], names=["a", "b"]), ValueError, "List of names"),
        (lambda q: PaddingFIFOQueue(3, [tf.int32], None), ValueError, "a list of shapes must"),
        (
            lambda q: PaddingFIFOQueue(3, tf.float32, [[None], [1]]),
            ValueError,
            "received 1 dtypes and 2 shapes",
        ),
        (lambda q: QueueBase.from_list(0, []), TypeError, "A list of queues expected"),
        (
            lambda q: QueueBase.from_list(0, [q, FIFOQueue(1, tf.int32)]),
            TypeError,
            "do not have matching component dtypes",
        ),
    ],
)
def test_what_cannot_be_built(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make(pairs())


# ------------------------------------------------------------------ order
def test_elements_come_out_as_they_went_in(sess: tf.Session) -> None:
    queue = pairs()
    sess.run(queue.enqueue([[1.0, 2.0], 3]))
    sess.run(queue.enqueue_many([[[3.0, 4.0], [5.0, 6.0]], [4, 5]]))
    assert sess.run([queue.size(), queue.is_closed()]) == [3, False]
    x, n = sess.run(queue.dequeue())
    assert x.tolist() == [1, 2] and n == 3
    x, n = sess.run(queue.dequeue_many(2))
    assert x.tolist() == [[3, 4], [5, 6]] and n.tolist() == [4, 5]
    x, n = sess.run(queue.dequeue_many(0))
    assert x.shape == (0, 2) and n.shape == (0,)


def test_elements_belong_to_the_queue(sess: tf.Session) -> None:
    queue = FIFOQueue(4, tf.float32, shapes=[[2]])
    x = tf.placeholder(tf.float32, [2])
    put, take = queue.enqueue(x * 2), queue.dequeue()
    value = np.array([1, 2], np.float32)
    sess.run(put, {x: value})
    sess.run(put, {x: value + 1})
    value[:] = 0
    first = sess.run(take)
    assert first.tolist() == [2, 4] and sess.run(take).tolist() == [4, 6]
    assert first.tolist() == [2, 4]


def test_queues_of_names_take_and_give_dicts(sess: tf.Session) -> None:
    queue = FIFOQueue(3, [tf.float32, tf.int32], names=["a", "b"], shapes=[[], []])
    sess.run(queue.enqueue({"b": 2, "a": 1.0}))
    assert sess.run(queue.dequeue()) == {"a": 1.0, "b": 2}
    with pytest.raises(ValueError, match="Keys in dictionary to enqueue do not match names"):
        queue.enqueue({"a": 1.0})
    with pytest.raises(ValueError, match="You must enqueue a dictionary in a Queue with names"):
        queue.enqueue([1.0, 2])


def test_elements_of_unknown_shapes(sess: tf.Session) -> None:
    queue = FIFOQueue(3, tf.float32)
    x = tf.placeholder(tf.float32)
    put = queue.enqueue(x)
    for value in ([1, 2], 3.0):
        sess.run(put, {x: value})
    doubled = queue.dequeue() * 2
    assert sess.run(doubled).tolist() == [2, 4]
    assert sess.run(doubled) == 6
    sess.run(put, {x: 1.0})
    with pytest.raises(tf.errors.InvalidArgumentError, match="to have specified shapes"):
        sess.run(queue.dequeue_many(1))


def test_padding(sess: tf.Session) -> None:
    queue = PaddingFIFOQueue(10, [tf.int32, tf.string], [[None], [None, 1]])
    numbers, words = tf.placeholder(tf.int32, [None]), tf.placeholder(tf.string, [None, 1])
    put = queue.enqueue([numbers, words])
    for n in (2, 0, 1):
        sess.run(put, {numbers: range(1, n + 1), words: np.full((n, 1), "w")})
    taken = queue.dequeue_many(3)
    assert [t.shape.as_list() for t in taken] == [[3, None], [3, None, 1]]
    values, texts = sess.run(taken)
    assert values.tolist() == [[1, 2], [0, 0], [1, 0]]
    assert texts.tolist() == [[[b"w"], [b"w"]], [[b""], [b""]], [[b"w"], [b""]]]
    wrong = tf.placeholder(tf.int32)
    text = r"Shape mismatch in tuple component 0\. Expected \[\?\], got \[\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=text):
        sess.run(queue.enqueue([wrong, [["a"]]]), {wrong: 3})


def test_priorities(sess: tf.Session) -> None:
    queue = PriorityQueue(10, [tf.string], [[]])
    sess.run(queue.enqueue_many([[3, 1, 2, 1], ["c", "a", "b", "aa"]]))
    sess.run(queue.enqueue((np.int64(0), "first")))
    priority, word = sess.run(queue.dequeue())
    assert (priority, word) == (0, b"first")
    priorities, words = sess.run(queue.dequeue_many(4))
    assert priorities.tolist() == [1, 1, 2, 3] and words.tolist() == [b"a", b"aa", b"b", b"c"]


def test_shuffling_keeps_some_back_and_repeats_by_seed() -> None:
    def drawn() -> list[int]:
        with tf.Graph().as_default(), tf.Session() as sess:
            queue = RandomShuffleQueue(30, 5, tf.int32, shapes=[[]], seed=3)
            sess.run(queue.enqueue_many([np.arange(20)]))
            first = sess.run(queue.dequeue_many(15)).tolist()
            waiting = Background(sess.run, queue.dequeue())
            assert waiting.is_waiting()  # five stay
            sess.run(queue.close())
            rest = [int(waiting.join()), *sess.run(queue.dequeue_up_to(100)).tolist()]
            with pytest.raises(tf.errors.OutOfRangeError, match="RandomShuffleQueue '_0_random"):
                sess.run(queue.dequeue())
            return first + rest

    one = drawn()
    assert sorted(one) == list(range(20)) and one != sorted(one)
    assert drawn() == one


def test_min_after_dequeue_must_fit(sess: tf.Session) -> None:
    text = "min_after_dequeue 10 must be < capacity 10"
    with pytest.raises(tf.errors.InvalidArgumentError, match=text):
        sess.run(RandomShuffleQueue(10, 10, tf.int32).size())


# ------------------------------------------------------------------ sharing
def test_shared_names(sess: tf.Session) -> None:
    one = FIFOQueue(10, tf.int32, shared_name="sh")
    two = FIFOQueue(10, tf.int32, shared_name="sh")
    sess.run(one.enqueue(4))
    assert sess.run(two.dequeue()) == 4
    refused = tf.errors.InvalidArgumentError
    with pytest.raises(refused, match="'sh' has capacity 10 but requested capacity was 11"):
        sess.run(FIFOQueue(11, tf.int32, shared_name="sh").size())
    with pytest.raises(refused, match="types int32 but requested component types were int64"):
        sess.run(FIFOQueue(10, tf.int64, shared_name="sh").size())
    with pytest.raises(refused, match="Expected RandomShuffleQueue, found FIFOQueue"):
        sess.run(RandomShuffleQueue(10, 1, tf.int32, shared_name="sh").size())


def test_sessions_have_queues_of_their_own() -> None:
    queue = FIFOQueue(10, tf.int32)
    with tf.Session() as one, tf.Session() as two:
        one.run(queue.enqueue(1))
        assert (one.run(queue.size()), two.run(queue.size())) == (1, 0)


def test_a_queue_of_a_list(sess: tf.Session) -> None:
    queues = [FIFOQueue(10, tf.int32, shapes=[[]], name=n) for n in ("a", "b")]
    which = tf.placeholder(tf.int32, [])
    chosen = QueueBase.from_list(which, queues)
    assert chosen.shapes[0].as_list() == []
    for k in (0, 1):
        sess.run(queues[k].enqueue_many([[10 * k, 10 * k + 1]]))
    assert [sess.run(chosen.dequeue(), {which: k}) for k in (1, 0, 1)] == [10, 0, 11]


# ------------------------------------------------------------------ waiting
def test_a_full_queue_makes_wait(sess: tf.Session) -> None:
    queue = FIFOQueue(2, tf.int32, shapes=[[]])
    filling = Background(sess.run, queue.enqueue_many([[1, 2, 3, 4]]))
    assert filling.is_waiting() and sess.run(queue.size()) == 2
    taken = [int(sess.run(queue.dequeue())) for _ in range(4)]
    assert taken == [1, 2, 3, 4] and filling.join() is None


def test_a_large_request_collects_and_keeps_its_place(sess: tf.Session) -> None:
    queue = FIFOQueue(2, tf.int32, shapes=[[]])
    large = Background(sess.run, queue.dequeue_many(4))
    assert large.is_waiting()
    small = Background(sess.run, queue.dequeue())
    for n in range(4):
        assert small.is_waiting()
        sess.run(queue.enqueue(n))
    assert large.join().tolist() == [0, 1, 2, 3]
    sess.run(queue.enqueue(9))
    assert small.join() == 9


def test_what_a_closed_queue_refuses(sess: tf.Session) -> None:
    queue = FIFOQueue(5, tf.int32, shapes=[[]])
    sess.run(queue.enqueue_many([[1, 2, 3]]))
    sess.run(queue.close())
    assert sess.run(queue.is_closed())
    with pytest.raises(tf.errors.OutOfRangeError) as short:
        sess.run(queue.dequeue_many(4))
    assert message(short.value) == (
        "FIFOQueue '_0_fifo_queue' is closed and has insufficient elements (requested 4, "
        "current size 3)"
    )
    assert sess.run(queue.dequeue_up_to(2)).tolist() == [1, 2]
    assert sess.run(queue.dequeue_up_to(2)).tolist() == [3]
    text = r"closed and has insufficient elements \(requested 1, current size 0\)"
    with pytest.raises(tf.errors.OutOfRangeError, match=text):
        sess.run(queue.dequeue())
    with pytest.raises(tf.errors.CancelledError, match=r"FIFOQueue '_0_fifo_queue' is closed\."):
        sess.run(queue.enqueue(1))
    with pytest.raises(tf.errors.CancelledError, match="'_0_fifo_queue' is already closed"):
        sess.run(queue.close())
    sess.run(queue.close(cancel_pending_enqueues=True))


def test_what_was_collected_goes_back_when_the_queue_closes(sess: tf.Session) -> None:
    queue = FIFOQueue(5, tf.int32, shapes=[[]])
    waiting = Background(sess.run, queue.dequeue_many(3))
    sess.run(queue.enqueue_many([[1, 2]]))
    assert waiting.is_waiting()
    sess.run(queue.close())
    assert isinstance(waiting.join(), tf.errors.OutOfRangeError)
    assert sess.run(queue.dequeue_many(2)).tolist() == [1, 2]


def test_closing_waits_for_who_waits_to_put(sess: tf.Session) -> None:
    queue = FIFOQueue(1, tf.int32, shapes=[[]])
    sess.run(queue.enqueue(1))
    putting = Background(sess.run, queue.enqueue(2))
    assert putting.is_waiting()
    closing = Background(sess.run, queue.close())
    assert closing.is_waiting() and not sess.run(queue.is_closed())
    assert sess.run(queue.dequeue()) == 1
    assert putting.join() is None and closing.join() is None
    assert sess.run(queue.dequeue()) == 2 and sess.run(queue.is_closed())


def test_closing_may_cancel_who_waits_to_put(sess: tf.Session) -> None:
    queue = FIFOQueue(1, tf.int32, shapes=[[]])
    sess.run(queue.enqueue(1))
    putting = Background(sess.run, queue.enqueue(2))
    assert putting.is_waiting()
    sess.run(queue.close(cancel_pending_enqueues=True))
    error = putting.join()
    assert isinstance(error, tf.errors.CancelledError)
    assert message(error) == "Enqueue operation was cancelled"
    assert sess.run(queue.dequeue()) == 1


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_closing_the_session_cancels(config: Any) -> None:
    queue = FIFOQueue(1, tf.int32, shapes=[[]])
    sess = tf.Session(options=config)
    taking = [Background(sess.run, t) for t in (queue.dequeue(), queue.dequeue_many(2))]
    full = FIFOQueue(1, tf.int32)
    sess.run(full.enqueue(1))
    putting = Background(sess.run, full.enqueue(2))
    assert all(b.is_waiting() for b in (*taking, putting))
    sess.close()
    for background, text in ((taking[0], "Dequeue"), (taking[1], "Dequeue"), (putting, "Enqueue")):
        error = background.join()
        assert isinstance(error, tf.errors.CancelledError)
        assert message(error) == f"{text} operation was cancelled"


def test_control_c_interrupts_a_wait(sess: tf.Session) -> None:
    queue = FIFOQueue(5, tf.int32, shapes=[[]])
    sess.run(queue.enqueue(1))
    main = threading.main_thread().ident
    assert main is not None
    many = queue.dequeue_many(2)
    timer = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        sess.run(many)
    timer.join()
    # the element that was collected is there again
    assert sess.run(queue.dequeue()) == 1


def test_components_that_nobody_reads(sess: tf.Session) -> None:
    queue = FIFOQueue(9, [tf.float32, tf.int32, tf.string])
    sess.run(queue.enqueue([[1.0, 2.0], [3], ["a", "b"]]))
    sess.run(queue.enqueue([[1.0], [3, 4], "c"]))
    sess.run(queue.enqueue([[1.0], [3, 4], "c"]))
    taken = queue.dequeue()
    assert sess.run(taken[1] + 1).tolist() == [4]
    assert sess.run(taken[2]) == b"c"
    with tf.control_dependencies(taken):
        after = tf.constant(5)
    assert sess.run([after, queue.size()])[0] == 5 and sess.run(queue.size()) == 0


@pytest.mark.parametrize("where", ["run", "session"])
def test_waits_may_be_bounded(where: str) -> None:
    queue = FIFOQueue(1, tf.int32, shapes=[[]])
    options = tf.RunOptions(timeout_in_ms=80) if where == "run" else None
    proto = tf.ConfigProto(operation_timeout_in_ms=80 if where == "session" else 0)
    with tf.Session(config=proto) as sess:
        sess.run(queue.enqueue(1), options=options)
        for op in (queue.dequeue_many(2), queue.enqueue(2)):
            with pytest.raises(tf.errors.DeadlineExceededError, match="Timed out waiting for not"):
                sess.run(op, options=options)
        # the element that was collected is there again
        assert sess.run(queue.dequeue(), options=options) == 1
        assert sess.run(queue.size()) == 0


def test_other_places_of_the_names(sess: tf.Session) -> None:
    queue = tf.queue.FIFOQueue(3, tf.int32)
    assert isinstance(queue, tf.queue.QueueBase) and isinstance(queue, tf.io.QueueBase)
    sess.run(queue.enqueue(3))
    assert sess.run(queue.dequeue()) == 3
    shuffled = tf.io.RandomShuffleQueue(3, 0, tf.int32)
    ranked, padded = tf.io.PriorityQueue(3, []), tf.io.PaddingFIFOQueue(3, tf.int32, [[None]])
    assert [type(q).__name__ for q in (shuffled, ranked, padded)] == [
        "RandomShuffleQueue", "PriorityQueue", "PaddingFIFOQueue",
    ]  # fmt: skip
    sess.run(ranked.enqueue(np.int64(5)))
    assert sess.run(ranked.dequeue()) == 5
