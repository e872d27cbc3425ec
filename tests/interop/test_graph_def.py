"""GraphDefs: every record out and in, TensorFlow's frozen graph, messages, tf.graph_util."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from graphc import config
from graphc.interop.graph_def import graph_def_of
from graphc.interop.importer import import_nodes
from graphc.interop.messages import GraphDef
from graphc.interop.node_rules import RULES, Rule
from tests.every_op import cases_of, records

FIXTURES = Path(__file__).parent.parent / "fixtures" / "tf"
RECORDS = {r.name: r for r in records()}


@pytest.fixture(autouse=True)
def reference_backend():
    config.configure(backend="reference")
    tf.reset_default_graph()
    yield
    config.reset()


def chosen_cases(name: str):
    """One static call for each set of attributes."""
    seen: set[str] = set()
    for case in cases_of(RECORDS[name]):
        key = str(case.sample.attrs)
        if not case.symbolic and key not in seen and len(seen) < 3:
            seen.add(key)
            yield case


def same(a, b) -> bool:
    if isinstance(a, bytes):
        return a == b
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype == object:
        return a.reshape(-1).tolist() == b.reshape(-1).tolist()
    wide = complex if a.dtype.kind == "c" else np.float64
    return np.allclose(a.astype(wide), b.astype(wide), rtol=1e-5, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_every_op_survives_a_graph_def(name: str) -> None:
    for case in chosen_cases(name):
        node, feeds = case.build()
        raw = graph_def_of(tf.get_default_graph()).SerializeToString()
        with tf.Session() as sess:
            want = sess.run(list(node.outputs), feeds) if node.outputs else []
        with tf.Graph().as_default() as graph, tf.Session() as sess:
            try:
                import_nodes(graph, GraphDef.FromString(raw))
            except tf.errors.NotFoundError as err:
                # an iterator, a Python function: nothing that a file could hold
                assert "cannot be written to a file" in str(err)
                return
            named = {t.name: v for t, v in feeds.items() if t.name in graph_tensors(graph)}
            got = sess.run([t.name for t in node.outputs], named)
        if not RULES.get(name, Rule()).drop:  # random states are made anew
            for a, b in zip(want, got, strict=True):
                assert same(a, b), case
        tf.reset_default_graph()


def graph_tensors(graph) -> set[str]:
    return {t.name for n in graph.get_operations() for t in n.outputs}


def test_a_frozen_graph_of_tensorflow_gives_its_outputs() -> None:
    z = np.load(FIXTURES / "model.npz")
    raw = (FIXTURES / "frozen.pb").read_bytes()
    graph_def = tf.GraphDef()
    graph_def.ParseFromString(raw)
    logits, top, total = tf.import_graph_def(
        graph_def, return_elements=["net/logits:0", "top:0", "total:0"]
    )
    assert logits.name == "import/net/logits:0"
    with tf.Session() as sess:
        got = sess.run([logits, top, total], {"import/x:0": z["data"]})
    for value, name in zip(got, ("logits", "top", "total")):
        assert np.allclose(value, z[name], rtol=1e-6, atol=1e-6), name
    assert got[1].tolist() == z["top"].tolist()


@pytest.mark.parametrize(("model", "output"), [("cnn", "probs"), ("lstm", "y")])
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_frozen_networks_of_tensorflow(model: str, output: str, backend: str) -> None:
    config.configure(backend=backend)
    z = np.load(FIXTURES / f"{model}.npz")
    graph_def = tf.GraphDef.FromString((FIXTURES / f"{model}.pb").read_bytes())
    out = tf.import_graph_def(graph_def, return_elements=[output + ":0"], name="")[0]
    with tf.Session() as sess:
        got = sess.run(out, {"x:0": z["data"]})
    assert np.allclose(got, z[output], rtol=1e-5, atol=1e-6)


def test_input_map_cuts_and_return_elements_finds() -> None:
    x = tf.placeholder(tf.float32, [2], name="x")
    tf.multiply(tf.identity(x, name="mid"), 3.0, name="y")
    graph_def = tf.get_default_graph().as_graph_def()
    with tf.Graph().as_default(), tf.Session() as sess:
        one = tf.constant([1.0, 2.0])
        out, op = tf.import_graph_def(
            graph_def, {"mid:0": one}, ["y:0", "y"], name="part"
        )
        assert op.name == "part/y" and op.type == "Mul"
        assert sess.run(out).tolist() == [3, 6]
        with pytest.raises(ValueError, match="not found in graph_def: \\[nope:0\\]"):
            tf.import_graph_def(graph_def, {"nope:0": one})
        with pytest.raises(ValueError, match="return_element 'z:0' not found"):
            tf.import_graph_def(graph_def, return_elements=["z:0"])
        tf.import_graph_def(graph_def, name="")
        with pytest.raises(ValueError, match="Node name 'x' already exists in the Graph"):
            tf.import_graph_def(graph_def, name="")


def test_broken_graphs_say_what_is_wrong() -> None:
    graph_def = tf.GraphDef()
    graph_def.node.add(name="a", op="NoSuchOp")
    match = r"Op type not registered 'NoSuchOp'.*node 'a'"
    with pytest.raises(tf.errors.NotFoundError, match=match):
        tf.import_graph_def(graph_def)
    graph_def.node[0].op = "Switch"
    with pytest.raises(tf.errors.NotFoundError, match="switches and merges"):
        tf.import_graph_def(graph_def)
    graph_def.node[0].op = "Identity"
    graph_def.node[0].input.append("b:0")
    with pytest.raises(ValueError, match="Input tensor 'b:0' not found"):
        tf.import_graph_def(graph_def)
    graph_def.node[0].input[:] = ["a"]
    with pytest.raises(ValueError, match="form a cycle"):
        tf.import_graph_def(graph_def)
    with pytest.raises(TypeError, match="graph_def must be a GraphDef proto"):
        tf.import_graph_def("x")


def test_nodes_need_not_be_in_order_and_control_inputs_are_kept() -> None:
    v = tf.Variable(1.0, name="v")
    up = tf.assign_add(v, 1.0, name="up")
    with tf.control_dependencies([up]):
        tf.identity(v, name="after")
    graph_def = tf.get_default_graph().as_graph_def()
    turned = tf.GraphDef(node=list(graph_def.node)[::-1])
    with tf.Graph().as_default() as graph, tf.Session() as sess:
        tf.import_graph_def(turned, name="")
        sess.run("v/Assign")
        assert sess.run("after:0") == 2
        after = graph.get_operation_by_name("after")
        assert [c.name for c in after.control_inputs] == ["up"]


def test_initial_values_that_depend_on_variables_survive() -> None:
    v = tf.Variable([1.0, 2.0], name="v")
    tf.Variable(v.initialized_value() * 2, name="w")
    graph_def = tf.get_default_graph().as_graph_def()
    assert "Merge" in [n.op for n in graph_def.node]
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.import_graph_def(graph_def, name="")
        sess.run(["v/Assign", "w/Assign"])
        assert sess.run("w:0").tolist() == [2, 4]
        sess.run("v/Assign", {"v/initial_value:0": [5.0, 5.0]})
        sess.run("w/Assign")
        assert sess.run("w:0").tolist() == [10, 10]


def test_what_a_file_cannot_hold_is_named_when_it_is_read() -> None:
    x = tf.placeholder(tf.float32, [2], name="x")
    tf.py_func(lambda a: a, [x], tf.float32, name="mine")
    graph_def = tf.get_default_graph().as_graph_def()
    with pytest.raises(tf.errors.NotFoundError, match=r"'mine' \(PyFunc\).*cannot be written"):
        tf.import_graph_def(graph_def)


def small_model():
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    w = tf.get_variable("w", [2, 2], initializer=tf.ones_initializer())
    y = tf.nn.relu(tf.matmul(x, w), name="y")
    tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(y))
    return x, y


def test_freezing_keeps_what_outputs_need(tmp_path) -> None:
    x, y = small_model()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        frozen = tf.graph_util.convert_variables_to_constants(sess, sess.graph_def, ["y"])
        kept = tf.graph_util.convert_variables_to_constants(
            sess, sess.graph_def, ["y"], variable_names_blacklist=["w"]
        )
        want = sess.run(y, {x: [[1.0, 2.0]]})
    assert {n.op for n in frozen.node} <= {"Placeholder", "Const", "Identity", "MatMul", "Relu"}
    assert "VariableV2" in {n.op for n in kept.node}
    lean = tf.graph_util.remove_training_nodes(frozen)
    assert "Identity" not in {n.op for n in lean.node}
    for graph_def in (frozen, lean):
        with tf.Graph().as_default(), tf.Session() as sess:
            out = tf.import_graph_def(graph_def, return_elements=["y:0"])[0]
            assert np.array_equal(sess.run(out, {"import/x:0": [[1.0, 2.0]]}), want)
    with pytest.raises(AssertionError, match="nope is not in graph"):
        tf.graph_util.extract_sub_graph(frozen, ["nope"])
    with pytest.raises(TypeError, match="dest_nodes must be a list"):
        tf.graph_util.extract_sub_graph(frozen, "y")


@pytest.mark.parametrize("as_text", [True, False])
def test_write_graph_is_read_back(tmp_path, as_text: bool) -> None:
    small_model()
    graph = tf.get_default_graph()
    path = tf.train.write_graph(graph, str(tmp_path / "new"), "g.pb", as_text=as_text)
    data = Path(path).read_bytes()
    if as_text:
        from graphc.interop.text_format import Parse

        assert data.startswith(b'node {\n  name: "x"\n  op: "Placeholder"\n')
        assert Parse(data, tf.GraphDef()) == graph.as_graph_def()
    else:
        assert tf.GraphDef.FromString(data) == graph.as_graph_def()


def test_attributes_that_files_leave_out_have_the_defaults_of_their_op() -> None:
    tf.one_hot([0, 2], 3, name="hot")
    tf.nn.lrn(tf.ones([1, 1, 1, 3]), name="norm")
    x = tf.reshape(tf.range(25.0), [1, 5, 5, 1])
    tf.nn.conv2d(x, tf.ones([2, 2, 1, 1]), [1, 1, 1, 1], "VALID", name="conv")
    graph_def = tf.get_default_graph().as_graph_def()
    with tf.Session() as sess:
        want = sess.run(["hot:0", "conv:0"])
    for nd in graph_def.node:
        for key in ("axis", "dilations", "depth_radius", "bias", "alpha", "beta", "data_format"):
            nd.attr.pop(key, None)
    with tf.Graph().as_default() as graph, tf.Session() as sess:
        tf.import_graph_def(graph_def, name="")
        for a, b in zip(sess.run(["hot:0", "conv:0"]), want, strict=True):
            assert np.array_equal(a, b)
        assert graph.get_operation_by_name("norm").get_attr("alpha") == 1.0


def test_tensor_protos_repeat_the_last_value() -> None:
    proto = tf.make_tensor_proto([1.5], shape=[2, 2])
    assert tf.make_ndarray(proto).tolist() == [[1.5, 1.5], [1.5, 1.5]]
    proto.ClearField("tensor_content")
    proto.float_val[:] = [2.0]
    assert tf.make_ndarray(proto).tolist() == [[2, 2], [2, 2]]
    words = tf.make_ndarray(tf.make_tensor_proto(["a", b"bc"]))
    assert words.tolist() == [b"a", b"bc"]
    assert tf.make_ndarray(tf.make_tensor_proto(np.arange(6).reshape(2, 3)))[1, 2] == 5
