"""graphc's loops, branches and arrays out to files and in again: runs, training, freezing.

That TensorFlow itself loads, runs and trains these files was checked by hand with TensorFlow 2.21.
"""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.interop.text_format import MessageToString, Parse

X = np.arange(6, dtype=np.float32).reshape(2, 3) + 1


@pytest.fixture(autouse=True)
def fresh_graph():
    with tf.Graph().as_default():
        tf.set_random_seed(5)
        yield


def captured(x):
    scale = tf.get_variable("scale", [], initializer=tf.constant_initializer(0.5))
    return tf.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s * scale + x), (0, x))[1]


def branches(x):
    big = tf.reduce_sum(x) > 10.0
    return tf.cond(big, lambda: tf.cond(x[0, 0] > 0, lambda: x * 2, lambda: x), lambda: x - 1)


def arrays(x):
    known = tf.TensorArray(tf.float32, 3, element_shape=[2])
    unknown = tf.TensorArray(tf.float32, 3)
    grown = tf.TensorArray(tf.float32, 0, dynamic_size=True)
    rows = tf.TensorArray(tf.float32, 2).unstack(x)

    def step(i, a, b):
        value = rows.read(i % 2) * tf.to_float(i)
        return i + 1, a.write(i, value[:2]), b.write(i, value)

    _, a, b = tf.while_loop(lambda i, *_: i < 3, step, (0, known, grown))
    _, c = tf.while_loop(
        lambda i, _: i < 3, lambda i, c: (i + 1, c.write(i, rows.read(0))), (0, unknown)
    )
    return tf.concat([tf.reshape(t.stack(), [-1]) for t in (a, b, c)] + [b.concat()], 0)


def functions(x):
    squares = tf.map_fn(lambda r: r * r, x)
    sums = tf.scan(lambda a, r: a + r, x)
    return squares + sums + tf.foldl(lambda a, r: a + r, x, initializer=tf.zeros([3]))


def many(x):
    pairs = [(x[0, 0] > 5.0, lambda: x), (x[0, 1] > 1.0, lambda: x * 3)]
    return tf.case(pairs, default=lambda: -x)


def nested(x):
    def inner(i, v):
        return i + 1, tf.cond(tf.equal(i % 2, 0), lambda: v * 1.5, lambda: v - x)

    def outer(k, v):
        return k + 1, tf.while_loop(lambda i, _: i < k, inner, (0, v))[1]

    return tf.while_loop(lambda k, _: k < 4, outer, (0, x), maximum_iterations=3)[1]


MODELS = [captured, branches, arrays, functions, many, nested]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_graphs_with_bodies_survive(model, text: bool) -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = model(x)
    tf.identity(y, name="y")
    tf.identity(tf.gradients(y, x)[0], name="dx")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        want = sess.run(["y:0", "dx:0", y], {x: X})
        graph_def = sess.graph.as_graph_def()
        frozen = tf.graph_util.convert_variables_to_constants(sess, graph_def, ["y", "dx"])
    if text:
        frozen = Parse(MessageToString(frozen), tf.GraphDef())
    else:
        frozen = tf.GraphDef.FromString(frozen.SerializeToString())
    for _ in range(2):  # what has been read is written again
        with tf.Graph().as_default() as graph, tf.Session() as sess:
            tf.import_graph_def(frozen, name="")
            got = sess.run(["y:0", "dx:0", y.name], {"x:0": X})
            frozen = graph.as_graph_def()
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_imported_graphs_have_gradients(model) -> None:
    x = tf.placeholder(tf.float32, [2, 3], name="x")
    y = model(x)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        want = sess.run(tf.gradients(y, x), {x: X})[0]
        frozen = tf.graph_util.convert_variables_to_constants(
            sess, sess.graph.as_graph_def(), [y.op.name]
        )
    with tf.Graph().as_default(), tf.Session() as sess:
        x, y = tf.import_graph_def(frozen, return_elements=["x:0", y.name], name="")
        got = sess.run(tf.gradients(y, x), {x: X})[0]
    np.testing.assert_allclose(got, want, rtol=1e-5)


def recurrent():
    x = tf.placeholder(tf.float32, [None, 4, 3], name="x")
    lengths = tf.placeholder(tf.int32, [None], name="lengths")
    _, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.LSTMCell(4), x, lengths, dtype=tf.float32)
    return state.h


def switched():
    x = tf.placeholder(tf.float32, [None, 4, 3], name="x")
    tf.placeholder(tf.int32, [None], name="lengths")
    w = tf.get_variable("w", [3, 3])
    longer = tf.shape(x)[0] > 1
    return tf.cond(longer, lambda: tf.tanh(tf.matmul(x[:, 0], w)), lambda: x[:, 1])


def twice():
    x = tf.placeholder(tf.float32, [None, 4, 3], name="x")
    tf.placeholder(tf.int32, [None], name="lengths")
    w = tf.get_variable("w", [3, 3])

    def inner(i, v):
        return i + 1, tf.cond(i > 0, lambda: tf.tanh(tf.matmul(v, w)), lambda: v * 0.5)

    def outer(k, v):
        return k + 1, tf.while_loop(lambda i, _: i < k, inner, (0, v))[1]

    return tf.while_loop(lambda k, _: k < 4, outer, (0, x[:, 0]))[1]


@pytest.mark.parametrize("scope", [None, "again"])
@pytest.mark.parametrize("model", [recurrent, switched, twice], ids=lambda m: m.__name__)
def test_meta_graphs_go_on_training(model, scope: str | None, tmp_path) -> None:
    loss = tf.reduce_mean(tf.square(model() - 0.3), name="loss")
    tf.train.AdamOptimizer(0.05).minimize(loss, name="train")
    data = np.random.RandomState(0).randn(3, 4, 3).astype(np.float32)

    def train(sess, prefix: str = "") -> list[float]:
        feed = {f"{prefix}x:0": data, f"{prefix}lengths:0": [4, 2, 3]}
        losses = []
        for _ in range(3):
            sess.run(f"{prefix}train", feed)
            losses.append(sess.run(f"{prefix}loss:0", feed))
        return losses

    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        path = tf.train.Saver().save(sess, str(tmp_path / "model"))
        want = train(sess)
    with tf.Graph().as_default() as graph, tf.Session() as sess:
        saver = tf.train.import_meta_graph(f"{path}.meta", import_scope=scope)
        saver.restore(sess, path)
        got = train(sess, f"{scope}/" if scope else "")
        assert any(n.op.name.endswith("_saved") for n in graph.nodes)
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_assignments_and_assertions_in_bodies_survive() -> None:
    count = tf.Variable(0.0, name="count")
    p = tf.placeholder(tf.bool, [], name="p")

    def step(i):
        with tf.control_dependencies([tf.assign_add(count, 2.0)]):
            return i + 1

    tf.identity(tf.while_loop(lambda i: i < 3, step, [0]), name="loop")
    tf.cond(p, lambda: tf.assign_add(count, 100.0).op, tf.no_op, name="maybe")
    check = tf.Assert(p, ["p was false"])
    with tf.control_dependencies([check]):
        tf.cond(p, lambda: tf.constant(1), lambda: tf.constant(2), name="checked")
    graph_def = tf.get_default_graph().as_graph_def()
    assert {"While", "If"} <= {n.op for n in graph_def.node}
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.import_graph_def(graph_def, name="")
        sess.run("count/Assign")
        assert sess.run("loop:0") == 3 and sess.run("count:0") == 6.0
        sess.run("maybe:0", {"p:0": False})
        assert sess.run("count:0") == 6.0
        sess.run("maybe:0", {"p:0": True})
        assert sess.run("count:0") == 106.0
        with pytest.raises(tf.errors.InvalidArgumentError, match="p was false"):
            sess.run("checked:0", {"p:0": False})


def test_random_numbers_in_loops_differ_from_step_to_step() -> None:
    def step(i, ta):
        return i + 1, ta.write(i, tf.random_uniform([2], seed=3))

    _, ta = tf.while_loop(lambda i, _: i < 3, step, (0, tf.TensorArray(tf.float32, 3)))
    tf.identity(ta.stack(), name="y")
    graph_def = tf.get_default_graph().as_graph_def()
    inside = [n for f in graph_def.library.function for n in f.node_def]
    assert [n.attr["seed2"].i for n in inside if n.op == "RandomUniform"] == [3]
    with tf.Session() as sess:
        want = sess.run("y:0")
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.import_graph_def(graph_def, name="")
        got = sess.run("y:0")
    assert np.unique(got).size == 6 and np.array_equal(got, want)


def test_sub_graphs_keep_the_functions_they_call() -> None:
    x = tf.placeholder(tf.float32, [2, 3], name="x")
    tf.identity(nested(x), name="y")
    tf.identity(branches(x), name="z")
    graph_def = tf.get_default_graph().as_graph_def()
    part = tf.graph_util.extract_sub_graph(graph_def, ["y"])
    names = {f.signature.name for f in part.library.function}
    assert names < {f.signature.name for f in graph_def.library.function}
    lean = tf.graph_util.remove_training_nodes(part, ["y"])
    with tf.Session() as sess:
        want = sess.run("y:0", {x: X})
    for found in (part, lean):
        with tf.Graph().as_default(), tf.Session() as sess:
            tf.import_graph_def(found, name="")
            assert np.array_equal(sess.run("y:0", {"x:0": X}), want)


def test_pure_bodies_are_stateless_ops() -> None:
    x = tf.placeholder(tf.float32, [2, 3], name="x")
    captured(x)
    branches(x)
    ops = {n.op for n in tf.get_default_graph().as_graph_def().node}
    assert {"StatelessWhile", "StatelessIf"} <= ops and not {"While", "If"} & ops


def test_event_files_hold_graphs_with_functions(tmp_path) -> None:
    x = tf.placeholder(tf.float32, [2, 3])
    arrays(x)
    with tf.summary.FileWriter(str(tmp_path), tf.get_default_graph()):
        pass
    events = list(tf.train.summary_iterator(str(next(tmp_path.iterdir()))))
    found = [tf.GraphDef.FromString(e.graph_def) for e in events if e.graph_def]
    assert found and found[0].library.function
