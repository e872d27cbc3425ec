"""Session.run: fetch structures, feeds, default sessions; the texts of TensorFlow 1."""

from __future__ import annotations

import threading
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import graphc as tf


@pytest.fixture
def xky() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    k = tf.placeholder(tf.int32, [], name="k")
    return x, k, x * 2


# ------------------------------------------------------------------ fetches
def test_results_mirror_the_structure(xky, sess) -> None:
    _, k, _ = xky
    pair = namedtuple("pair", "a b")
    fetches = {"t": (k, [k + 1, pair(k, k * 2)]), "op": tf.no_op(), "name": "k:0",
               "o": OrderedDict(z=k, a=k)}  # fmt: skip
    got = sess.run(fetches, {k: 3})
    assert got["t"] == (3, [4, pair(3, 6)])
    assert isinstance(got["t"][1][1], pair)
    assert got["op"] is None
    assert got["name"] == 3
    assert list(got["o"]) == ["z", "a"]
    assert isinstance(got["o"], OrderedDict)
    assert sess.run([]) == []
    assert sess.run((k,), {k: 1}) == (1,)


def test_scalars_are_numpy_scalars_and_strings_bytes(sess) -> None:
    assert type(sess.run(tf.constant(1.5))) is np.float32
    assert type(sess.run(tf.constant(3) > 2)) is np.bool_
    assert sess.run(tf.constant("é")) == "é".encode()
    assert sess.run(tf.constant(["a", b"b"])).tolist() == [b"a", b"b"]


def test_op_and_tensor_names(xky, sess) -> None:
    _, k, y = xky
    assert sess.run("k", {k: 1}) is None
    np.testing.assert_array_equal(sess.run(y.name, {"x:0": [[1, 2, 3]]}), [[2, 4, 6]])
    v = tf.Variable(1.0, name="v")
    assert sess.run([v.initializer, "v/Assign"]) == [None, None]
    assert sess.run(v.name) == 1.0


def test_indexed_slices(sess) -> None:
    values, rows = tf.constant([[1.0, 2.0]]), tf.constant([3])
    got = sess.run(tf.IndexedSlices(values, rows))
    assert type(got).__name__ == "IndexedSlicesValue"
    np.testing.assert_array_equal(got.values, [[1, 2]])
    assert (got.indices.tolist(), got.dense_shape) == ([3], None)


def test_tensor_fetched_twice_is_one_value(sess) -> None:
    r = tf.random_uniform([4])
    a, b = sess.run([r, r])
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("fetch", "error", "text"),
    [
        (None, TypeError, "Fetch argument None has invalid type <class 'NoneType'>"),
        ([None], TypeError, "Fetch argument None has invalid type <class 'NoneType'>"),
        (3, TypeError, "Fetch argument 3 has invalid type <class 'int'>, must be a string or "
         "Tensor. (Can not convert a int into a Tensor or Operation.)"),
        ("q:0", ValueError, "Fetch argument 'q:0' cannot be interpreted as a Tensor. (The name "
         "'q:0' refers to a Tensor which does not exist. The operation, 'q', does not exist in the "
         "graph.)"),
        ("q", ValueError, "Fetch argument 'q' cannot be interpreted as a Tensor. (The name 'q' "
         "refers to an Operation not in the graph.)"),
    ],
)  # fmt: skip
def test_bad_fetches(fetch, error, text, xky, sess) -> None:
    for _ in range(2):
        with pytest.raises(error) as err:
            sess.run(fetch)
        assert text in str(err.value)


def test_fetch_of_another_graph(xky, sess) -> None:
    with tf.Graph().as_default():
        z = tf.constant(1.0, name="z")
    with pytest.raises(ValueError, match=r"is not an element of this graph."):
        sess.run(z)


def test_fetched_arrays_belong_to_the_caller(sess) -> None:
    c = tf.constant([1.0, 2.0])
    got = sess.run(c)
    got[:] = 7
    np.testing.assert_array_equal(sess.run(c), [1, 2])
    x = tf.placeholder(tf.float32, [2])
    fed = np.ones(2, np.float32)
    out = sess.run(tf.identity(x), {x: fed})
    out[:] = 7
    assert fed.tolist() == [1, 1]


# ------------------------------------------------------------------ feeds
def test_feeds_are_converted(xky, sess) -> None:
    x, k, y = xky
    for value in ([[1, 2, 3]], np.array([[1, 2, 3]]), np.array([[1.0, 2, 3]], np.float64),
                  np.asfortranarray(np.ones((2, 3), np.float32)), np.zeros((0, 3))):  # fmt: skip
        np.testing.assert_allclose(sess.run(y, {x: value}), np.asarray(value) * 2)
    assert sess.run(k + 1, {k: 1.7}) == 2
    assert sess.run(k + 1, {k: np.float32(1.7)}) == 2
    assert sess.run(k + 1, {k: True}) == 2


def test_another_shape_after_the_first_run_is_checked_too(xky, sess) -> None:
    x, _, y = xky
    sess.run(y, {x: np.ones((2, 3), np.float32)})
    assert sess.run(y, {x: np.ones((5, 3), np.float32)}).shape == (5, 3)
    with pytest.raises(ValueError, match=r"Cannot feed value of shape"):
        sess.run(y, {x: np.ones((2, 2), np.float32)})


def test_intermediate_tensors_can_be_fed_and_fetched(xky, sess) -> None:
    x, _, y = xky
    z = y + 1
    np.testing.assert_array_equal(sess.run(z, {y: [[1, 1, 1]]}), [[2, 2, 2]])
    got = sess.run([y, z], {y: [[1, 1, 1]]})
    np.testing.assert_array_equal(got[0], [[1, 1, 1]])
    assert sess.run([x, "k:0"], {x: [[1, 2, 3]], "k:0": 4})[1] == 4


def test_tuples_of_keys(sess) -> None:
    a, b = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    assert sess.run(a + b, {(a, b): (1, 2)}) == 3
    assert sess.run(a + b, {(a, (b,)): (1, [4])}) == 5
    assert sess.run(a + b, {(a, (b,)): (2, [4])}) == 6
    with pytest.raises(ValueError, match=r"Could not flatten dictionary. Key had 2 elements"):
        sess.run(a + b, {(a, b): (1,)})


def test_string_feeds_are_bytes_inside(sess) -> None:
    s = tf.placeholder(tf.string, [None])
    assert sess.run(tf.identity(s), {s: ["a", b"b"]}).tolist() == [b"a", b"b"]


@pytest.mark.parametrize(
    ("feed", "error", "text"),
    [
        (lambda x, k: {x: np.zeros((2, 2))}, ValueError, "Cannot feed value of shape (2, 2) for "
         "Tensor 'x:0', which has shape '(?, 3)'"),
        (lambda x, k: {x: np.zeros(3)}, ValueError, "Cannot feed value of shape (3,) for Tensor"),
        (lambda x, k: {"q:0": 1}, TypeError, "Cannot interpret feed_dict key as Tensor: The name "
         "'q:0' refers to a Tensor which does not exist."),
        (lambda x, k: {3: 1}, TypeError,
         "Cannot interpret feed_dict key as Tensor: Can not convert a int into a Tensor."),
        (lambda x, k: {x: x}, TypeError, "The value of a feed cannot be a tf.Tensor object. "
         "Acceptable feed values include Python scalars, strings, lists, numpy ndarrays, or "
         "TensorHandles."),
        (lambda x, k: {k: 2**40}, TypeError, "Type of feed value 1099511627776 with type <class "
         "'int'> is not compatible with Tensor type <class 'numpy.int32'>. Try explicitly setting "
         "the type of the feed tensor to a larger type (e.g. int64)."),
        (lambda x, k: {x: "abc"}, ValueError, "could not convert string to float"),
        (lambda x, k: {x: [[1, 2, 3], [1]]}, ValueError, "setting an array element with a seq"),
        (lambda x, k: [1], TypeError, "must be a dictionary"),
    ],
)  # fmt: skip
def test_bad_feeds(feed, error, text, xky, sess) -> None:
    x, k, y = xky
    sess.run([y, k], {x: [[1, 2, 3]], k: 1})
    with pytest.raises(error) as err:
        sess.run([y, k], feed(x, k))
    assert text in str(err.value)


def test_prevented_feeds(xky, sess) -> None:
    x, _, y = xky
    sess.graph.prevent_feeding(x)
    with pytest.raises(ValueError, match=r"may not be fed."):
        sess.run(y, {x: [[1, 2, 3]]})


def test_unfed_placeholder(xky, sess) -> None:
    _, _, y = xky
    with pytest.raises(tf.errors.InvalidArgumentError) as err:
        sess.run(y)
    assert "You must feed a value for placeholder tensor 'x' with dtype float and shape [?,3]" in (
        str(err.value)
    )
    assert err.value.op.name == "x"
    assert err.value.error_code == 3


# ------------------------------------------------------------------ life of a session
def test_closed_and_empty() -> None:
    with pytest.raises(RuntimeError) as err:
        tf.Session(graph=tf.Graph()).run("x")
    assert str(err.value).startswith(
        "The Session graph is empty.  Add operations to the graph before calling run()."
    )
    c = tf.constant(1.0)
    s = tf.Session()
    call = s.make_callable(c)
    assert s.run(c) == call() == 1
    s.close()
    s.close()
    for run in (lambda: s.run(c), call, lambda: s.make_callable(c)):
        with pytest.raises(RuntimeError, match=r"Attempted to use a closed Session."):
            run()


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: tf.Session(graph=3), "graph must be a tf.Graph, but got <class 'int'>"),
        (lambda: tf.Session(config=3), "config must be a tf.ConfigProto, but got <class 'int'>"),
        (lambda: tf.Session(tf.ConfigProto()), "target must be a string, but got"),
    ],
)
def test_arguments(build, text) -> None:
    with pytest.raises(TypeError) as err:
        build()
    assert text in str(err.value)


def test_context_manager_sets_session_and_graph() -> None:
    g = tf.Graph()
    with tf.Session(graph=g) as s:
        assert tf.get_default_session() is s
        assert tf.get_default_graph() is g
        assert tf.constant(2.0).eval() == 2
        with pytest.raises(RuntimeError, match=r"Session context managers are not re-entrant."):
            s.__enter__()
        with s.as_default():
            assert tf.get_default_session() is s
    assert tf.get_default_session() is None
    assert tf.get_default_graph() is not g


def test_as_default_does_not_close() -> None:
    c = tf.constant(1.0)
    s = tf.Session()
    with s.as_default():
        assert c.eval() == 1
    assert s.run(c) == 1


def test_interactive_session() -> None:
    s = tf.InteractiveSession()
    assert tf.constant(1.0).eval() == 1
    v = tf.Variable(1.0)
    v.initializer.run()
    assert v.eval() == 1
    s.close()
    assert tf.get_default_session() is None


def test_default_sessions_belong_to_threads(sess) -> None:
    seen = []
    worker = threading.Thread(target=lambda: seen.append(tf.get_default_session()))
    worker.start()
    worker.join()
    assert seen == [None]


def test_eval_and_run_without_a_session() -> None:
    c, op = tf.constant(1.0), tf.no_op()
    for call, text in (
        (c.eval, "Cannot evaluate tensor using `eval()`: No default session is registered. Use "
         "`with sess.as_default()` or pass an explicit session to `eval(session=sess)`"),
        (op.run, "Cannot execute operation using `run()`: No default session is registered. Use "
         "`with sess.as_default():` or pass an explicit session to `run(session=sess)`"),
    ):  # fmt: skip
        with pytest.raises(ValueError) as err:
            call()
        assert str(err.value).startswith(text)
    other = tf.Session(graph=tf.Graph())
    with pytest.raises(ValueError, match=r"the tensor's graph is different from the session's gra"):
        c.eval(session=other)
    with other.as_default(), pytest.raises(ValueError, match=r"Cannot use the default session to"):
        op.run()


def test_ops_may_be_added_after_a_run(sess) -> None:
    c = tf.constant(1.0)
    assert sess.run(c) == 1
    assert sess.run(c + 1) == 2


def test_a_graph_that_grows_in_a_loop_is_named_once(sess) -> None:
    c = tf.constant(1.0)
    with pytest.warns(UserWarning, match=r"test_session.py:.*make ops once") as seen:
        for _ in range(120):
            tf.identity(c)
            sess.run(c)
    assert len(seen) == 1


def test_make_callable(xky, sess) -> None:
    x, k, y = xky
    call = sess.make_callable([y, k], [x, k])
    got = call([[1, 2, 3]], 4)
    np.testing.assert_array_equal(got[0], [[2, 4, 6]])
    assert got[1] == 4
    assert sess.make_callable(k, [k])(5) == 5
    with pytest.raises(ValueError, match=r"Cannot feed value of shape"):
        call([[1, 2]], 4)


def test_partial_run_runs_each_op_once(sess) -> None:
    a, b = tf.placeholder(tf.float32, []), tf.placeholder(tf.float32, [])
    r = tf.random_uniform([]) + a
    s = r * b
    h = sess.partial_run_setup([r, s], [a, b])
    first = sess.partial_run(h, r, {a: 1})
    assert sess.partial_run(h, s, {b: 2}) == pytest.approx(first * 2)
    with pytest.raises(tf.errors.InvalidArgumentError):
        sess.partial_run("no such handle", r)


def test_option_messages(sess) -> None:
    config = tf.ConfigProto(allow_soft_placement=True, gpu_options=tf.GPUOptions(
        per_process_gpu_memory_fraction=0.3))  # fmt: skip
    config.gpu_options.allow_growth = True
    config.graph_options.optimizer_options.global_jit_level = tf.OptimizerOptions.ON_1
    config.device_count["GPU"] = 0
    config.intra_op_parallelism_threads = 1
    with pytest.raises(AttributeError):
        config.no_such_field = 1
    s = tf.Session(config=config)
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    assert s.run(tf.constant(1), options=options, run_metadata=tf.RunMetadata()) == 1
    assert s.list_devices()[0].device_type == "CPU"


def test_runs_from_many_threads(xky, sess) -> None:
    x, _, y = xky
    wrong = []

    def work(n: int) -> None:
        for i in range(50):
            value = np.full((1 + i % 3, 3), n, np.float32)
            if not (sess.run(y, {x: value}) == 2 * n).all():
                wrong.append((n, i))

    workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert wrong == []
