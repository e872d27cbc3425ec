"""Explanations, comparisons and dumps: what they say of small graphs whose answers are known."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.inspect.compare import compare, difference
from graphc.inspect.explain import Explanation
from graphc.inspect.target import TargetError, built
from graphc.inspect.texts import near


def chain() -> tuple[Any, dict[Any, Any]]:
    x = tf.placeholder(tf.float32, [None], name="x")
    y = tf.tanh(x * 2.0, name="curve") + 1.0
    return y, {x: np.linspace(-1, 1, 1000, dtype=np.float32)}


def explained(build: Any, **settings: Any) -> Explanation:
    found = built(build)
    with tf.Session(graph=found.graph, options=tf.Config(**settings)) as sess:
        with found.graph.as_default():
            sess.run(tf.global_variables_initializer())
        return sess.explain(found.fetches, found.feeds)  # type: ignore[no-any-return]


# ------------------------------------------------------------------ explanations
def test_a_chain_is_one_kernel_that_moves_its_ends() -> None:
    found = explained(chain)
    (kernel,) = found.kernels
    assert kernel.kind == "kernel"
    assert kernel.ops == ("mul", "curve", "add")
    assert found.bytes_moved == kernel.nbytes == 2 * 4000
    # the two tensors in between are neither written nor read
    assert found.bytes_saved == 2 * 2 * 4000
    assert not found.refusals and found.arena_bytes == 0


def test_unfused_is_one_kernel_an_op() -> None:
    found = explained(chain, fuse=False)
    assert [k.ops for k in found.kernels] == [("mul",), ("curve",), ("add",)]
    assert found.bytes_moved == 3 * 2 * 4000
    assert found.bytes_saved == 0


def test_sources_are_python_that_names_the_users_lines() -> None:
    found = explained(chain)
    ((name, source),) = found.sources.items()
    ast.parse(source)
    assert f"def {name}(" in source
    assert __file__ in source
    assert "vector" in found.kernels[0].nest or "for" in found.kernels[0].nest


def test_lines_of_steps_are_the_users() -> None:
    found = explained(chain)
    (step,) = found.kernels
    assert all(line.startswith(f"{__file__}:") for line in step.lines)
    assert any("tf.tanh(x * 2.0" in line for line in step.lines)
    assert f"{near(__file__)}:" in found.with_lines()


def test_refusals_name_both_ops_the_reason_and_the_bytes() -> None:
    def build() -> Any:
        x = tf.placeholder(tf.float32, [64, 32], name="x")
        y = tf.exp(x, name="grown")
        # needed whole twice: along rows and along columns
        return [tf.argmax(y, 0, name="down"), tf.reduce_sum(y, 1, name="across")], {
            x: np.ones((64, 32), np.float32)
        }

    found = explained(build)
    assert found.refusals
    for refusal in found.refusals:
        assert refusal.reason and refusal.nbytes > 0
        assert refusal.producer.startswith(("grown", "down", "across"))
    text = str(found)
    assert "not fused:" in text and found.refusals[0].reason in text


def test_products_and_host_steps_are_kernels_too() -> None:
    def build() -> Any:
        x = tf.placeholder(tf.float32, [8, 8], name="x")
        product = tf.matmul(x, x, name="product")
        return tf.matrix_inverse(product + tf.eye(8), name="inverse"), {
            x: np.ones((8, 8), np.float32)
        }

    kinds = [k.kind for k in explained(build).kernels]
    assert "gemm" in kinds and "host" in kinds


def test_stages_are_explained_one_after_the_other() -> None:
    def build() -> Any:
        x = tf.placeholder(tf.float32, [None], name="x")
        return tf.reduce_sum(tf.boolean_mask(x, x > 0.0) * 2.0), {x: np.float32([-1, 1, 2])}

    found = explained(build)
    assert any(s.kind == "host" for s in found.steps)
    assert found.program.count("program(") >= 2


def test_profiled_runs_have_times() -> None:
    found = built(chain)
    with tf.Session(graph=found.graph, options=tf.Config(profile=True)) as sess:
        sess.run(found.fetches, found.feeds)
        assert " us]" in str(sess.explain(found.fetches, found.feeds))


def test_explaining_changes_nothing() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        v = tf.Variable(1.0)
        step = tf.assign_add(v, 1.0)
        draw = tf.random_uniform([3], seed=1)
        sess.run(v.initializer)
        first = sess.run(draw)
        for _ in range(3):
            sess.explain([step, draw])
        assert sess.run(v) == 1.0
        with tf.Session() as other:
            np.testing.assert_array_equal(other.run(draw), first)
            np.testing.assert_array_equal(other.run(draw), sess.run(draw))


def test_the_reference_backend_has_nothing_to_explain() -> None:
    with pytest.raises(tf.errors.GraphcError, match="cpu backend"):
        explained(chain, backend="reference")


# ------------------------------------------------------------------ comparisons
def test_comparisons_start_from_the_same_variables() -> None:
    def build() -> Any:
        w = tf.Variable(tf.random_normal([50]), name="w")  # no seed: other values each time
        loss = tf.reduce_sum(tf.square(w - 1.0))
        return [loss, tf.train.GradientDescentOptimizer(0.1).minimize(loss)], {}

    result = compare(build, seconds=0.0)
    assert result.largest_relative < 1e-6
    assert result.fused.seconds > 0 and result.unfused.first_seconds > 0


def test_the_table_has_a_ratio_of_what_is_counted() -> None:
    lines = str(compare(chain, seconds=0.0)).splitlines()
    assert lines[0].split() == ["fused", "unfused", "reference", "unfused/fused"]
    assert lines[1].split() == ["kernels", "1", "3", "3", "3.00"]
    assert lines[2].split()[:2] == ["bytes", "moved"] and lines[2].split()[-1] == "3.00"
    assert lines[-2] == "largest difference: unfused 0 absolute, 0 relative"
    assert lines[-1].startswith("largest difference: reference ")


@pytest.mark.parametrize(
    ("a", "b", "absolute", "relative"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0, 0.0),
        ([1.0, 2.5], [1.0, 2.0], 0.5, 0.25),
        ([np.nan, 1.0], [np.nan, 1.0], 0.0, 0.0),
        ([0.5], [0.0], 0.5, 0.5),
        ([np.inf, 1.0], [np.inf, 1.0], 0.0, 0.0),
        ([np.nan, 1.0], [1.0, 1.0], np.inf, np.inf),
        ([], [], 0.0, 0.0),
        ([True], [False], 1.0, 1.0),
    ],
)
def test_differences(a: Any, b: Any, absolute: float, relative: float) -> None:
    assert difference([np.array(a)], [np.array(b)]) == (absolute, relative)


def test_build_must_return_fetches_and_feeds() -> None:
    with pytest.raises(TargetError, match=r"must return \(fetches, feed_dict\)"):
        compare(lambda: 3, seconds=0.0)


# ------------------------------------------------------------------ dumps
def test_a_dump_holds_every_stage(tmp_path: Path) -> None:
    explained(chain, dump=str(tmp_path))
    folders = sorted(tmp_path.iterdir())
    assert all(f.name.startswith("plan_") for f in folders)
    texts = {p.name: p.read_text() for p in folders[-1].iterdir()}
    stages = sorted(n for n in texts if n[:2].isdigit())
    assert stages[0] == "00_start.txt" and stages[1] == "01_fold.txt"
    assert "tanh(" in texts["00_start.txt"]
    assert "kernel" in texts["schedule.txt"] and "saved" in texts["fusion.txt"]
    ast.parse(texts["kernels.py"])
    assert "define void" in texts["kernels.ll"]
    assert texts["nests.txt"].strip()
    assert not [n for n in texts if n.startswith("tmp")]
