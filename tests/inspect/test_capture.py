"""The document agrees with the graph, passes, schedule and memory plan that it is made of."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.errors import ConfigError
from graphc.inspect.capture_nodes import attr_text
from graphc.inspect.capture_plan import TEXT_LIMIT, cut
from graphc.inspect.document import Document, DocumentError, capture, read
from graphc.ir.graph import Graph

CONFIG = Config(cache_dir=None)


def mlp() -> tuple[Graph, list[Any], dict[Any, Any]]:
    """A training step with names in scopes, a rule to fire and nodes to merge."""
    graph = Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 64], name="x")
        labels = tf.placeholder(tf.int32, [None], name="labels")
        hidden = x
        for number, width in enumerate((64, 32)):
            with tf.variable_scope(f"layer{number}"):
                w = tf.get_variable("w", [hidden.shape[1], width])
                b = tf.get_variable("b", [width], initializer=tf.zeros_initializer())
                hidden = tf.nn.relu(tf.matmul(hidden, w) + b)
        logits = tf.matmul(hidden, tf.get_variable("out", [32, 5]), name="logits")
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        )
        sure = tf.log(tf.nn.softmax(logits), name="sure")
        train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    feeds = {x: np.ones((64, 64), np.float32), labels: np.zeros(64, np.int32)}
    return graph, [loss, sure, train], feeds


@pytest.fixture(scope="module")
def document() -> Document:
    graph, fetches, feeds = mlp()
    return capture(fetches, feeds, graph, CONFIG, timed_runs=2, title="mlp")


def test_json_and_back(document: Document, tmp_path: Any) -> None:
    text = json.dumps(document.to_json())
    again = Document.from_json(json.loads(text))
    assert again == document
    file = tmp_path / "d.json"
    file.write_text(text)
    assert read(file) == document
    for bad in ("[]", "{}", '{"format": "graphc-view", "version": 2}', "{", "null"):
        file.write_text(bad)
        with pytest.raises(DocumentError):
            read(file)
    file.write_text('{"format": "graphc-view", "version": 1}')
    with pytest.raises(DocumentError, match="damaged"):
        read(file)


def test_numbers_are_in_range(document: Document) -> None:
    count = len(document.nodes)
    assert [n.id for n in document.nodes] == list(range(count))
    for node in document.nodes:
        assert all(
            k < node.id and output < len(document.nodes[k].outputs) for k, output in node.inputs
        )
        assert -1 <= node.place < len(document.places)
        assert set(node.origins) <= set(document.stage_nodes("user"))
    for file, line, _ in document.places:
        assert document.files[file].lines[str(line)].strip()
    for plan in document.plans.values():
        assert len(plan.memory) == len(plan.steps)
        for step in plan.steps:
            assert {*step.reads, *step.writes} <= set(range(len(plan.buffers)))
            assert set(step.nodes) <= set(range(count))
            assert step.code is None or step.code in plan.code


def test_the_stages_add_up(document: Document) -> None:
    names = [s.name for s in document.stages]
    assert names[:3] == ["user", "start", "fold"]
    assert names[-1] == "recompute"
    alive: set[int] = set()
    for stage in document.stages:
        assert set(stage.removed) <= alive
        assert not set(stage.added) & alive
        alive = (alive - set(stage.removed)) | set(stage.added)
        order = document.stage_nodes(stage.name)
        assert set(order) == alive
        place = {k: at for at, k in enumerate(order)}
        for k in order:
            assert all(place[s] < place[k] for s, _ in document.nodes[k].inputs)
        assert {k for k, _ in stage.outputs} <= alive
    with pytest.raises(DocumentError, match="no stage 'nowhere'"):
        document.stage_nodes("nowhere")


def test_rules_with_what_they_replaced(document: Document) -> None:
    (stage,) = [s for s in document.stages if s.name == "stabilize"]
    (rule,) = [r for r in stage.rules if r.rule == "log_softmax"]
    assert rule.count == len(rule.events) == 1
    assert rule.doc == "log(softmax(x)) -> log_softmax(x)"
    (old, new), = rule.events
    assert [document.nodes[k].op for k in old] == ["log"]
    assert [document.nodes[k].op for k in new] == ["log_softmax"]
    # the new node stands for what the user wrote
    assert [document.nodes[k].name for k in document.nodes[new[0]].origins] == ["sure"]


def test_equal_nodes_merge() -> None:
    graph = Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [4], name="x")
        out = tf.exp(-(-x), name="a") + tf.exp(x, name="b")
    document = capture(out, {x: np.zeros(4)}, graph, CONFIG, codes=False)
    rules = {r.rule: r.count for s in document.stages for r in s.rules}
    assert rules == {"neg_neg": 1, "merge_equal": 1}
    last = [document.nodes[k] for k in document.stage_nodes("algebra_again")]
    (exp,) = [n for n in last if n.op == "exp"]
    assert {document.nodes[k].name for k in exp.origins} == {"a", "b"}


def test_steps_agree_with_explain(document: Document) -> None:
    graph, fetches, feeds = mlp()
    with tf.Session(graph=graph, options=CONFIG) as session:
        session.run(tf.global_variables_initializer())
        explained = session.explain(fetches, feeds)
    fused = document.plans["fused"]
    shown = [s.name for s in fused.steps]
    assert [s.name for s in explained.steps] == shown
    assert fused.kernel_count == len(explained.kernels)
    assert fused.arena_bytes == explained.arena_bytes
    assert fused.bytes == sum(s.bytes for s in fused.steps)
    assert len(fused.refusals) == len(explained.refusals)


def test_fused_and_unfused_are_of_the_same_nodes(document: Document) -> None:
    last = set(document.stage_nodes("algebra_again"))
    nodes = {
        name: {k for s in plan.steps for k in s.nodes} for name, plan in document.plans.items()
    }
    assert nodes["fused"] <= last
    assert nodes["unfused"] <= nodes["fused"] | last
    fused, unfused = document.plans["fused"], document.plans["unfused"]
    assert fused.kernel_count < unfused.kernel_count
    assert fused.bytes < unfused.bytes
    joint = [g for g in fused.groups if len(g.nodes) > 1]
    assert joint and all(g.why for g in joint)
    assert any(g.anchor in g.nodes for g in joint)
    for plan in document.plans.values():
        for number, group in enumerate(plan.groups):
            assert plan.steps[group.step].group == number


def test_gradients_and_places(document: Document) -> None:
    for k in document.stage_nodes("user"):
        node = document.nodes[k]
        assert node.gradient == ("gradients/" in node.name)
    kernels = [s for s in document.plans["fused"].steps if s.kind == "kernel"]
    assert any(document.nodes[k].gradient for s in kernels for k in s.nodes)
    relu = next(n for n in document.nodes if n.op == "relu")
    file, line, function = document.places[relu.place]
    assert document.files[file].path.endswith("test_capture.py")
    assert "relu" in document.files[file].lines[str(line)]
    assert function == "mlp"


def test_memory(document: Document) -> None:
    for plan in document.plans.values():
        used = [0] * len(plan.steps)
        arena = [b for b in plan.buffers if b.offset >= 0]
        for buffer in arena:
            assert buffer.kind == "arena"
            size = max(64, -(-buffer.bytes // 64) * 64)
            for at in range(buffer.first, buffer.last + 1):
                used[at] += size
        assert used == plan.memory
        assert max(used) <= plan.arena_bytes
        for number, step in enumerate(plan.steps):
            for k in (*step.reads, *step.writes):
                assert plan.buffers[k].first <= number <= plan.buffers[k].last
        for k, buffer in enumerate(plan.buffers):
            for other in buffer.shared_with:
                assert k in plan.buffers[other].shared_with
        assert any(b.shared_with for b in arena)


def test_times_and_texts(document: Document) -> None:
    for plan in document.plans.values():
        assert plan.run_microseconds is not None and plan.run_microseconds > 0
        assert all(s.microseconds is not None for s in plan.steps)
        assert plan.compile_seconds > 0
        for code in plan.code.values():
            assert "define" in code.llvm and code.asm.count("\n") > 3
    fused = document.plans["fused"]
    kernels = [fused.code[s.code] for s in fused.steps if s.kind == "kernel" and s.code]
    assert all("def " in c.numba and c.nest for c in kernels)
    tiles = [fused.code[s.code] for s in fused.steps if s.kind == "tile" and s.code]
    assert all("tiles of" in c.tile for c in tiles)


def test_without_texts_and_times() -> None:
    graph, fetches, feeds = mlp()
    document = capture(fetches, feeds, graph, CONFIG, codes=False, plans=("unfused",))
    (plan,) = document.plans.values()
    assert plan.code == {} and plan.run_microseconds is None and plan.compile_seconds > 0
    assert all(s.microseconds is None and s.code is None for s in plan.steps)
    assert document.title == "Mean, sure, GradientDescent"


def test_the_sessions_variables_are_not_changed() -> None:
    graph, fetches, feeds = mlp()
    with graph.as_default(), tf.Session(options=CONFIG) as session:
        session.run(tf.global_variables_initializer())
        before = session.run(tf.trainable_variables())
        count = len(graph.nodes)
        capture(fetches, feeds, config=CONFIG, timed_runs=3, codes=False)
        after = session.run(tf.trainable_variables())
        assert len(graph.nodes) == count
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


def test_loops_hold_their_bodies() -> None:
    graph = Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [3], name="x")
        _, out = tf.while_loop(
            lambda i, v: i < 5, lambda i, v: (i + 1, tf.tanh(v) * 2.0), [tf.constant(0), x]
        )
        back = tf.gradients(out, x)[0]
    document = capture([out, back], {x: np.ones(3)}, graph, CONFIG)
    holders = [document.nodes[k] for k in document.stage_nodes("algebra_again")]
    loops = [n for n in holders if n.op == "loop"]
    assert len(loops) == 2
    assert sorted(n.gradient for n in loops) == [False, True]
    inside = {document.nodes[k].op for n in loops for k in n.body}
    assert "tanh" in inside
    user = [document.nodes[k] for k in document.stage_nodes("user") if document.nodes[k].body]
    assert user
    steps = document.plans["fused"].steps
    assert max(s.inside for s in steps) >= 1
    body = {k for n in loops for k in n.body}
    assert any(s.inside and set(s.nodes) & body for s in steps)
    # what the forward loop pushes, the backward loop pops
    plan = document.plans["fused"]
    written = {k for s in steps for k in s.writes if plan.buffers[k].kind == "row"}
    popped = {k for s in steps for k in s.reads if plan.buffers[k].kind == "row"} - written
    assert popped and all(set(plan.buffers[k].shared_with) & written for k in popped)
    assert "body" not in document.to_json()["nodes"][0]


def test_shapes_that_data_decide_take_several_plans() -> None:
    graph = Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None], name="x")
        kept = tf.boolean_mask(x, x > 0)
        out = tf.reduce_sum(tf.exp(kept) * 2.0)
    document = capture(out, {x: np.array([1.0, -1, 2])}, graph, CONFIG, timed_runs=1)
    names = [s.name for s in document.stages]
    assert len(names) == len(set(names))
    fused = document.plans["fused"]
    assert {"exp", "where"} <= {document.nodes[k].op for s in fused.steps for k in s.nodes}
    assert len(fused.memory) == len(fused.steps)


def test_what_is_fed_in_the_middle_cuts_the_graph() -> None:
    graph = Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [2], name="x")
        middle = tf.exp(x, name="middle")
        out = tf.sin(middle, name="out")
    document = capture(out, {middle: np.ones(2)}, graph, CONFIG)
    assert [document.nodes[k].name for k in document.stage_nodes("user")] == ["middle", "out"]


def test_tables_and_local_variables_are_initialized() -> None:
    graph = Graph()
    with graph.as_default():
        keys = tf.constant(["a", "b"])
        table = tf.contrib.lookup.HashTable(
            tf.contrib.lookup.KeyValueTensorInitializer(keys, tf.constant([1, 2])), -1
        )
        counter = tf.Variable(3, trainable=False, collections=[tf.GraphKeys.LOCAL_VARIABLES])
        words = tf.placeholder(tf.string, [None], name="words")
        out = tf.reduce_sum(table.lookup(words)) + counter
    feeds = {words: np.array([b"a", b"z"], object)}
    document = capture(out, feeds, graph, CONFIG, timed_runs=1)
    assert document.plans["fused"].run_microseconds
    with graph.as_default(), tf.Session(options=CONFIG) as session:
        session.run([tf.tables_initializer(), tf.local_variables_initializer()])
        again = capture(out, feeds, config=CONFIG, timed_runs=1)
        assert again.plans["fused"].kernel_count == document.plans["fused"].kernel_count
        assert session.run(out, feeds) == 3  # the table is still there


def test_variables_of_a_graph_def_have_initializers_too(tmp_path: Any) -> None:
    from graphc.inspect.target import load

    graph = Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        w = tf.get_variable("w", [3, 2], initializer=tf.ones_initializer())
        tf.matmul(x, w, name="out")
    tf.io.write_graph(graph, str(tmp_path), "g.pb", as_text=False)
    document = load(tmp_path / "g.pb").document(CONFIG, timed_runs=1)
    assert document.plans["fused"].run_microseconds


def test_errors() -> None:
    graph, fetches, feeds = mlp()
    with pytest.raises(ConfigError, match="reference"):
        capture(fetches, feeds, graph, CONFIG.replace(backend="reference"))
    with pytest.raises(ConfigError, match="plans are"):
        capture(fetches, feeds, graph, CONFIG, plans=("fuzed",))
    with pytest.raises(tf.errors.InvalidArgumentError, match="must feed"):
        capture(fetches, {}, graph, CONFIG)


def test_texts_for_people_are_short() -> None:
    assert cut("x" * TEXT_LIMIT) == "x" * TEXT_LIMIT
    assert cut("x" * (TEXT_LIMIT + 5)).endswith("... 5 more characters\n")
    assert attr_text(tf.float32) == "float32"
    assert attr_text(len) == "len"
    assert attr_text((1, tf.int32)) == "(1, int32)"
    assert len(attr_text("y" * 1000)) < 200
    assert len(attr_text(tuple(range(1000)))) < 200


def test_what_is_only_fed_and_nests_of_fetches() -> None:
    graph = Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [2], name="x")
        y = tf.exp(x, name="y")
        nothing = tf.no_op(name="nothing")
    alone = capture(x, {x: np.ones(2)}, graph, CONFIG, timed_runs=1)
    assert [alone.nodes[k].name for k in alone.stage_nodes("user")] == ["x"]
    assert alone.plans["fused"].kernel_count == 0
    nested = capture({"a": [y, x], "b": (nothing,)}, {x: np.ones(2)}, graph, CONFIG, timed_runs=1)
    outputs = [(nested.nodes[k].name, n) for k, n in nested.stages[0].outputs]
    assert outputs == [("y", 0), ("x", 0), ("nothing", -1)]
    # placeholders beside each other, strings, and a name in place of a tensor
    text = capture("y:0", {"x:0": np.zeros(2)}, graph, CONFIG)
    assert text.title == "y"


def test_host_steps_and_strings() -> None:
    graph = Graph()
    with graph.as_default():
        words = tf.placeholder(tf.string, [None], name="words")
        lengths = tf.strings.length(tf.strings.join([words, "!"]))
        doubled = tf.py_func(lambda v: v * 2, [lengths], tf.int32)
        doubled.set_shape([None])
        out = tf.reduce_sum(doubled)
    feeds = {words: np.array([b"a", b"bcd"], object)}
    document = capture([out], feeds, graph, CONFIG, timed_runs=2)
    kinds = {s.kind for s in document.plans["fused"].steps}
    assert "host" in kinds
    assert any(b.kind == "objects" for b in document.plans["fused"].buffers)
    json.dumps(document.to_json(), allow_nan=False)


def test_no_one_watches_afterwards() -> None:
    from graphc.passes.base import WATCHER

    graph, fetches, _ = mlp()
    with pytest.raises(tf.errors.InvalidArgumentError):
        capture(fetches, {}, graph, CONFIG)
    assert WATCHER.get() is None
