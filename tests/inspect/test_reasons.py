"""Every decision of fusion has a reason in words, and every refusal what would change it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.fusion import anchors, partition
from graphc.inspect import reasons
from graphc.inspect.explain import Explanation
from graphc.inspect.texts import near


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def explained(fetch: Any, feed: dict[Any, Any] | None = None) -> Explanation:
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.explain(fetch, feed)  # type: ignore[no-any-return]


def said(module: ModuleType) -> Iterator[str]:
    """The texts that a module's methods whose names begin with _refuse return."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("_refuse"):
            continue
        for found in (n.value for n in ast.walk(node) if isinstance(n, ast.Return)):
            stack: list[ast.AST] = [] if found is None else [found]
            while stack:
                text = stack.pop()
                if isinstance(text, ast.JoinedStr):
                    yield "".join(
                        str(v.value) if isinstance(v, ast.Constant) else "9" for v in text.values
                    )
                elif isinstance(text, ast.Constant) and isinstance(text.value, str):
                    yield text.value
                elif not isinstance(text, ast.Call):  # what it is given is no whole reason
                    stack.extend(ast.iter_child_nodes(text))


REFUSALS = sorted({t for m in (partition, anchors) for t in said(m) if len(t) > 20})


@pytest.mark.parametrize("reason", REFUSALS)
def test_every_refusal_has_a_remedy(reason: str) -> None:
    assert reasons.remedy(reason), reason


def test_there_are_refusals_to_test() -> None:
    assert len(REFUSALS) > 20


def test_an_unknown_reason_has_no_remedy() -> None:
    assert reasons.remedy("because") == ""


def edges(found: Explanation) -> dict[tuple[str, str], str]:
    return {(f.producer, f.consumer): f.reason for s in found.steps for f in s.fusions}


def test_reasons_of_a_softmax_by_hand() -> None:
    x = tf.placeholder(tf.float32, [None, 64], name="x")
    e = tf.exp(x, name="e")
    total = tf.reduce_sum(e, 1, keepdims=True, name="total")
    found = explained(tf.divide(e, total, name="share"), {x: np.ones((32, 64), np.float32)})
    assert len(found.kernels) == 1
    why = edges(found)
    assert why["e", "total"] == reasons.INTO_REDUCTION
    assert why["total", "share"] == reasons.AFTER_REDUCTION
    assert why["e", "share"] == reasons.SAME


def test_reasons_of_broadcasts_and_products() -> None:
    x = tf.placeholder(tf.float32, [None, 64], name="x")
    w = tf.Variable(np.ones((64, 64), np.float32))
    y = tf.nn.relu(tf.matmul(x, w, name="product"), name="rectified")
    found = explained(y, {x: np.ones((64, 64), np.float32)})
    assert edges(found)["product", "rectified"] == reasons.ON_TILES


def test_saved_bytes_are_the_reads_and_the_write_that_nobody_else_needs() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    a = tf.exp(x, name="a")
    b = tf.tanh(a, name="b")
    c = tf.add(a, b, name="c")
    feed = {x: np.ones(1000, np.float32)}
    steps = explained(c, feed).steps
    found = {(f.producer, f.consumer): f.nbytes for s in steps for f in s.fusions}
    # a is neither written nor read, by two readers; b neither written nor read
    assert found == {("a", "b"): 8000, ("a", "c"): 4000, ("b", "c"): 8000}
    kept = {(f.producer, f.consumer): f.nbytes
            for s in explained([a, c], feed).steps for f in s.fusions}  # fmt: skip
    assert kept["a", "b"] == 4000


def test_tiles_say_what_was_chosen_and_what_else_could_have_been() -> None:
    x = tf.placeholder(tf.float32, [None, 256], name="x")
    w = tf.Variable(np.ones((256, 256), np.float32))
    y = tf.nn.relu(tf.matmul(x, w))
    (step,) = explained(y, {x: np.ones((128, 256), np.float32)}).kernels
    assert "128 x 256 times 256 x 256" in step.tile and "registers hold sums" in step.tile
    assert "next best" in step.tile
    assert "pieces" in step.pieces or "one piece" in step.pieces


def test_convolutions_say_how_they_are_cut() -> None:
    x = tf.placeholder(tf.float32, [8, 16, 16, 16], name="x")
    w = tf.Variable(np.ones((3, 3, 16, 32), np.float32))
    loss = tf.reduce_sum(tf.nn.conv2d(x, w, [1, 1, 1, 1], "SAME"))
    feed = {x: np.ones((8, 16, 16, 16), np.float32)}
    texts = " ".join(s.tile for s in explained([loss, *tf.gradients(loss, [w])], feed).steps)
    assert "16 to 32 channels" in texts and "gradient of a filter" in texts


def test_details_name_members_lines_reasons_and_remedies() -> None:
    x = tf.placeholder(tf.float32, [64, 32], name="x")
    y = tf.exp(x, name="grown")
    found = explained(
        [tf.argmax(y, 0, name="down"), tf.reduce_sum(y, 1, name="across")],
        {x: np.ones((64, 32), np.float32)},
    )
    text = found.details()
    assert "grown (exp)" in text and f"{near(__file__)}:" in text
    assert "fused because:" in text and "saved)" in text
    assert "to change it:" in text
    assert all(r.remedy for r in found.refusals)


def test_summaries_show_the_refusals_that_cost_most() -> None:
    x = tf.placeholder(tf.float32, [None, 16], name="x")
    outs = []
    for n in range(20):
        y = tf.exp(x * float(n), name=f"grown{n}")
        outs += [tf.argmax(y, 0), tf.reduce_sum(y, 1)]
    found = explained(outs, {x: np.ones((64, 16), np.float32)})
    assert len(found.refusals) > 12
    lines = str(found).splitlines()
    assert "more, of at most" in lines[-1] and "see details()" in lines[-1]
    assert max(map(len, lines)) < 400
