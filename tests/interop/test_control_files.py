"""Control flow in TensorFlow's files: switches and merges, functions, arrays, lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from graphc.interop.messages import GraphDef
from tests.helpers import FUSED, REFERENCE

FIXTURES = Path(__file__).parent.parent / "fixtures" / "tf"
MODELS = ("lstm", "raw", "cnn", "nested")


def fixture(name: str):
    """(graph, feeds by tensor name, expected outputs by tensor name)."""
    z = np.load(FIXTURES / f"flow_{name}.npz")
    feeds = {f"{k[5:]}:0": z[k] for k in z.files if k.startswith("feed_")}
    wanted = {f"{k}:0": z[k] for k in z.files if not k.startswith("feed_")}
    return GraphDef.FromString((FIXTURES / f"flow_{name}.pb").read_bytes()), feeds, wanted


def agree(got, wanted) -> None:
    for (name, want), value in zip(wanted.items(), got, strict=True):
        assert value.shape == want.shape, name
        np.testing.assert_allclose(value, want, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.fixture(autouse=True)
def fresh_graph():
    with tf.Graph().as_default():
        yield


@pytest.mark.parametrize("config", [FUSED, REFERENCE], ids=["fused", "reference"])
@pytest.mark.parametrize("kind", ["v1", "v2"])
@pytest.mark.parametrize("model", MODELS)
def test_frozen_graphs_of_tensorflow_with_control_flow(model: str, kind: str, config) -> None:
    graph_def, feeds, wanted = fixture(f"{model}_{kind}")
    tf.import_graph_def(graph_def, name="")
    with tf.Session(config=config) as sess:
        agree(sess.run(list(wanted), feeds), wanted)


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_imported_loops_have_gradients(kind: str) -> None:
    graph_def, feeds, _ = fixture(f"raw_{kind}")
    x = tf.constant(feeds["x:0"])
    y, kernel = tf.import_graph_def(
        graph_def, {"x:0": x}, ["y:0", "lstm_cell/kernel:0"], name="net"
    )
    loss = tf.reduce_sum(tf.square(y))
    grad, _ = tf.gradients(loss, [x, kernel])
    step = 1e-2 * np.random.RandomState(0).randn(*x.shape).astype(np.float32)
    with tf.Session() as sess:
        slope = np.sum(sess.run(grad) * step)
        up, down = (sess.run(loss, {x: feeds["x:0"] + s * step}) for s in (0.5, -0.5))
    np.testing.assert_allclose(slope, up - down, rtol=2e-2)


@pytest.mark.parametrize("kind", ["v1", "v2"])
@pytest.mark.parametrize("model", ["lstm", "nested"])
def test_loops_run_as_compiled_loops(model: str, kind: str, monkeypatch) -> None:
    from graphc.runtime import host_control

    def fail(*args: object) -> None:
        raise AssertionError("the host walks the loop")

    monkeypatch.setattr(host_control, "run_control", fail)
    graph_def, feeds, wanted = fixture(f"{model}_{kind}")
    tf.import_graph_def(graph_def, name="")
    with tf.Session() as sess:
        agree(sess.run(list(wanted), feeds), wanted)


def test_names_of_exits_and_merges_are_kept() -> None:
    graph_def, feeds, _ = fixture("raw_v1")
    tf.import_graph_def(graph_def, name="")
    graph = tf.get_default_graph()
    with tf.Session() as sess:
        want = sess.run("h:0", feeds)
        assert np.array_equal(sess.run("while/Exit_2:0", feeds), want)
    assert graph.get_tensor_by_name("lstm_cell/kernel/read:0").shape == (7, 16)


def test_a_loop_without_its_condition_says_so() -> None:
    graph_def, _, _ = fixture("raw_v1")
    broken = GraphDef(node=[n for n in graph_def.node if n.op != "LoopCond"])
    with pytest.raises((tf.errors.InvalidArgumentError, tf.errors.NotFoundError, ValueError)):
        tf.import_graph_def(broken, name="")


def test_a_missing_function_is_named() -> None:
    graph_def, _, _ = fixture("raw_v2")
    graph_def.ClearField("library")
    with pytest.raises(tf.errors.NotFoundError, match="calls the function 'while_cond"):
        tf.import_graph_def(graph_def, name="")


def restored(sess, name: str):
    """(feeds, TensorFlow's losses) of a model that trains, after its import."""
    path = str(FIXTURES / f"flow_train_{name}")
    saver = tf.train.import_meta_graph(f"{path}.meta")
    saver.restore(sess, path)
    z = np.load(f"{path}.npz")
    return {f"{k[5:]}:0": z[k] for k in z.files if k.startswith("feed_")}, z["losses"]


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_branches_of_tensorflow_go_on_training(kind: str) -> None:
    with tf.Session() as sess:
        feeds, losses = restored(sess, f"cnn_{kind}")
        got = [sess.run("loss:0", feeds)]
        for _ in losses[1:]:
            sess.run("train", feeds)
            got.append(sess.run("loss:0", feeds))
    np.testing.assert_allclose(got, losses, rtol=1e-4)


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_loops_of_tensorflow_go_on_training_with_new_gradients(kind: str) -> None:
    with tf.Session() as sess:
        feeds, losses = restored(sess, f"raw_{kind}")
        # TensorFlow's gradients of loops are not read; all else is
        with pytest.raises(tf.errors.NotFoundError, match=r"take them anew|gradients anew"):
            sess.run("train", feeds)
        loss = tf.get_default_graph().get_tensor_by_name("loss:0")
        train = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
        got = [sess.run(loss, feeds)]
        for _ in losses[1:]:
            sess.run(train, feeds)
            got.append(sess.run(loss, feeds))
    np.testing.assert_allclose(got, losses, rtol=1e-4)


def test_saved_models_of_tensorflow_2_run_their_functions() -> None:
    path = FIXTURES / "saved_model_functions"
    z = np.load(f"{path}.npz")
    with tf.Session() as sess:
        meta = tf.saved_model.loader.load(sess, ["serve"], str(path))
        signature = meta.signature_def["serving_default"]
        feeds = {signature.inputs["x"].name: z["x"], signature.inputs["n"].name: len(z["y"])}
        got = sess.run(signature.outputs["y"].name, feeds)
    np.testing.assert_allclose(got, z["y"], rtol=1e-5, atol=1e-6)


def test_saved_models_with_loops_are_read_back(tmp_path) -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.get_variable("w", [3, 3])
    y = tf.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, tf.tanh(tf.matmul(v, w))), (0, x))[1]
    data = np.ones((2, 3), np.float32)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        want = sess.run(y, {x: data})
        tf.saved_model.simple_save(sess, str(tmp_path / "model"), {"x": x}, {"y": y})
    with tf.Graph().as_default(), tf.Session() as sess:
        meta = tf.saved_model.loader.load(sess, ["serve"], str(tmp_path / "model"))
        out = meta.signature_def["serving_default"].outputs["y"].name
        assert out == y.name
        np.testing.assert_array_equal(sess.run(out, {"x:0": data}), want)


@pytest.mark.parametrize("kind", ["v1", "v2"])
@pytest.mark.parametrize("model", MODELS)
def test_graphs_without_identities_mean_the_same(model: str, kind: str) -> None:
    graph_def, feeds, wanted = fixture(f"{model}_{kind}")
    outputs = [name.split(":")[0] for name in wanted]
    lean = tf.graph_util.remove_training_nodes(graph_def, outputs)
    assert len(lean.node) < len(graph_def.node)
    tf.import_graph_def(tf.graph_util.extract_sub_graph(lean, outputs), name="net")
    with tf.Session() as sess:
        got = sess.run([f"net/{k}" for k in wanted], {f"net/{k}": v for k, v in feeds.items()})
    agree(got, wanted)
