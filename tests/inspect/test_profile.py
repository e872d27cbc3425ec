"""Profiles: what they count, how times are shared out, traces, pages and pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.inspect import profile_text, report, report_page
from graphc.inspect.charts import middle_run
from graphc.inspect.profile import Event, Memory, Phase, Profile, StepProfile, line_of, profile
from graphc.inspect.target import Target, built
from graphc.inspect.timeline import LOOP_ROWS, RUNS, STEP_ROW, chrome_trace, trace_text
from graphc.tf1.timeline import Timeline
from tests.inspect.made import LIMITS


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def training() -> tuple[Any, dict[Any, Any]]:
    x = tf.placeholder(tf.float32, [None, 32], name="x")
    w = tf.Variable(np.ones((32, 16), np.float32), name="w")
    y = tf.matmul(x, w, name="product")
    loss = tf.reduce_sum(tf.tanh(y), name="loss")
    return [loss, tf.train.GradientDescentOptimizer(0.1).minimize(loss)], {
        x: np.ones((64, 32), np.float32)
    }


def loop() -> tuple[Any, dict[Any, Any]]:
    x = tf.placeholder(tf.float32, [None], name="x")
    _, y = tf.while_loop(
        lambda i, v: i < 5, lambda i, v: (i + 1, tf.sqrt(v) + 1.0), (tf.constant(0), x)
    )
    return y * 2.0, {x: np.ones(4096, np.float32)}


def profiled(build: Any = training, runs: int = 4) -> Profile:
    return profile(built(build), runs, limits=LIMITS)


# ------------------------------------------------------------------ what is measured
def test_steps_agree_with_the_explanation() -> None:
    target = built(training)
    found = profile(target, 4, limits=LIMITS)
    with tf.Session(graph=target.graph) as sess:
        with target.graph.as_default():
            sess.run(tf.global_variables_initializer())
        explained = sess.explain(target.fetches, target.feeds)
    assert {s.name for s in found.steps} >= {s.name for s in explained.kernels}
    assert sum(s.nbytes for s in found.steps) == explained.bytes_moved
    assert sum(s.flops for s in found.steps) == explained.flops
    times = [s.seconds for s in found.steps]
    assert times == sorted(times, reverse=True)
    assert all(s.low <= s.seconds <= s.high for s in found.steps)


def test_runs_are_counted_and_told() -> None:
    told: list[int] = []
    found = profile(built(training), 3, limits=LIMITS, progress=told.append)
    assert told == [1, 2, 3] and found.count == 3 == len(found.runs)
    assert 0 < found.inside <= found.high
    assert found.first > found.seconds


def test_turns_of_loops_are_counted() -> None:
    found = profiled(loop)
    turns = {round(s.turns) for s in found.steps}
    assert 5 in turns and 1 in turns
    (inside,) = (s for s in found.steps if round(s.turns) == 5 and s.nbytes >= 5 * 2 * 4 * 4096)
    assert inside.flops == 5 * 2 * 4096


def test_lines_take_all_of_the_time() -> None:
    found = profiled()
    assert sum(e.seconds for e in found.lines) == pytest.approx(sum(s.seconds for s in found.steps))
    lines = {e.line.split(": ", 1)[-1]: e for e in found.lines}
    product = lines['y = tf.matmul(x, w, name="product")']
    assert product.forward > 0 and product.gradient > 0


def test_gradients_belong_to_the_line_of_their_op() -> None:
    graph = built(training).graph
    forward = {n.name: n for n in graph.nodes}
    named = {n.name: line_of(n, forward) for n in graph.nodes}
    line, gradient = next(v for k, v in named.items() if "product_grad/" in k)
    assert gradient and "tf.matmul(" in line
    line, gradient = named["loss"]
    assert not gradient and "tf.reduce_sum(" in line


def test_a_branch_that_is_not_taken_takes_no_time() -> None:
    def build() -> Any:
        x = tf.placeholder(tf.float32, [], name="x")
        return tf.cond(x > 0.0, lambda: tf.exp(x), lambda: tf.sin(x)), {x: np.float32(1.0)}

    names = {op for s in profiled(build).steps for op in s.ops}
    assert any("Exp" in n for n in names) and not any("Sin" in n for n in names)


def test_memory_is_within_the_arena() -> None:
    found = profiled()
    (stage,) = found.memory
    assert 0 < max(stage.alive) <= stage.arena
    assert found.held_bytes >= 4 * (64 * 32 + 32 * 16)


def test_building_is_told_pass_by_pass() -> None:
    names = [p.name for p in profiled().phases]
    assert names[0] == "read the graph" and names[-1] == "print and compile kernels"
    assert "fold" in names and "schedule" in names


@pytest.mark.parametrize(("runs", "text"), [(0, "at least one run"), (-3, "at least one run")])
def test_counts_that_are_refused(runs: int, text: str) -> None:
    with pytest.raises(tf.errors.GraphcError, match=text):
        profile(built(training), runs, limits=LIMITS)


def test_the_reference_is_not_profiled() -> None:
    with pytest.raises(tf.errors.GraphcError, match="cpu backend"):
        profile(built(training), 1, tf.Config(backend="reference"), LIMITS)


def test_sessions_that_do_not_profile_have_no_clocks() -> None:
    target = built(training)
    profile(target, 1, limits=LIMITS)
    with tf.Session(graph=target.graph) as sess:
        with target.graph.as_default():
            sess.run(tf.global_variables_initializer())
        sess.run(target.fetches, target.feeds)
        kept = sess.executor.variables.instances.values()
        assert [i.frame.profile for some in kept for i in some].count(None) == sum(map(len, kept))


# ------------------------------------------------------------------ traces
def test_a_trace_holds_runs_steps_memory_and_the_build() -> None:
    found = profiled()
    trace = json.loads(trace_text(found))
    events = trace["traceEvents"]
    assert {e["ph"] for e in events} == {"M", "X", "C"}
    steps = [e for e in events if e["ph"] == "X" and e["pid"] == RUNS and e["tid"] == STEP_ROW]
    assert len(steps) == sum(len(run) for run in found.runs)
    assert all(e["dur"] > 0 and e["ts"] >= 0 for e in steps)
    assert {e["name"] for e in steps} == {s.name for s in found.steps}
    ends = sorted((e["ts"], e["ts"] + e["dur"]) for e in steps)
    # spans of one row do not overlap, or viewers would nest them
    assert all(a[1] <= b[0] + 0.002 for a, b in zip(ends, ends[1:], strict=False))
    assert steps[0]["args"]["bytes"] > 0 and "lines" in steps[0]["args"]
    counters = [e["args"]["bytes"] for e in events if e["ph"] == "C"]
    assert max(counters) <= found.memory[0].arena


def test_steps_of_loops_have_rows_of_their_own() -> None:
    events = chrome_trace(profiled(loop))["traceEvents"]
    rows = {e["tid"] for e in events if e["ph"] == "X" and e["pid"] == RUNS}
    assert any(r >= LOOP_ROWS for r in rows)
    names = [e["args"]["name"] for e in events if e["ph"] == "M"]
    assert any(n.startswith("in a loop: ") for n in names)


def made(events: tuple[Event, ...]) -> Profile:
    """A profile of two steps, one in a loop."""
    named = ((0, "kernel", "a", 1), (1, "tile", "b", 9), (2, "tile", "c", 9))
    steps = tuple(
        StepProfile(
            1e-6, 100, 10, 1e-7, "memory", 0, n, kind, name, (name,), (), turns, 1e-6, 1e-6
        )
        for n, kind, name, turns in named
    )
    return Profile(
        "made", 1, 1e-5, 1e-5, 1e-5, 3e-6, 1.0, steps, (), (events,), (Phase("fold", 0.1),),
        (Memory(0, 640, (64, 640, 128)),), 10, LIMITS,
    )  # fmt: skip


def test_spans_of_one_loop_are_one() -> None:
    events = (
        Event(0, 0, 1e-6, 2e-6, 1e-6, 1), Event(0, 1, 3e-6, 8e-6, 1e-6, 9),
        Event(0, 2, 4e-6, 9e-6, 1e-6, 9),
    )  # fmt: skip
    spans = middle_run(made(events))
    assert [(s.kind, s.row) for s in spans] == [("kernel", 0), ("loop", 1)]
    assert spans[1].start == pytest.approx(2e-6) and spans[1].end == pytest.approx(8e-6)


def test_steps_alike_are_one() -> None:
    def layers() -> Any:
        x = tf.placeholder(tf.float32, [None, 64], name="x")
        y = x
        for n in range(4):
            y = tf.nn.relu(tf.matmul(y, tf.Variable(np.ones((64, 64), np.float32), name=f"w{n}")))
        return y, {x: np.ones((64, 64), np.float32)}

    found = profiled(layers)
    together = found.alike()
    assert sum(s.count for s in together) == len(found.steps)
    assert sum(s.seconds for s in together) == pytest.approx(sum(s.seconds for s in found.steps))
    most = max(together, key=lambda s: s.count)
    assert most.count >= 3 and not most.name.endswith(("_v2", "_v3"))
    assert most.flops == most.count * (2 * 64**3 + 64 * 64)
    assert f"({most.count} alike)" in str(found)
    assert f"{most.count} x " in report_page.profile_page(found)


def test_memory_as_a_line() -> None:
    text = profile_text.spark(Memory(0, 640, (0, 320, 640)))
    assert text.startswith("[") and text[3] == "@" and text[1] == " "


# ------------------------------------------------------------------ forms
def test_texts_name_steps_lines_and_limits() -> None:
    text = str(profiled())
    for word in ("runs,", "of limit", "by line of your program", "forward", "gradient",
                 "temporaries: at most", "building the plan", "limits measured here"):  # fmt: skip
        assert word in text
    assert "tf.matmul(x, w" in text


def test_forms_by_suffix() -> None:
    target = built(training)
    found = profile(target, 2, limits=LIMITS)
    forms = report.profile_forms(found, target, tf.Config())
    assert set(forms) == {".txt", ".json", ".data.json", ".html", ".png", ".pb"}
    data = json.loads(forms[".data.json"]())
    assert data["format"] == "graphc-profile" and len(data["runs"]) == 2
    metadata = tf.RunMetadata.FromString(forms[".pb"]())
    assert metadata.step_stats.dev_stats[0].node_stats
    drawn = Timeline(metadata.step_stats).generate_chrome_trace_format()
    assert json.loads(drawn)["traceEvents"]
    pytest.importorskip("matplotlib")
    assert bytes(forms[".png"]()).startswith(b"\x89PNG")  # type: ignore[arg-type]


def test_pages_escape_what_is_the_users() -> None:
    target = built(training)
    title = "<img src=x onerror=alert(1)> ünï"
    found = profile(Target(target.graph, target.fetches, target.feeds, title), 2, limits=LIMITS)
    page = report_page.profile_page(found)
    assert "<img" not in page and "&lt;img src=x" in page and "ünï" in page
    assert page.count("<svg") >= 5 and "http" not in page


def test_pages_of_loops_have_a_row_for_them() -> None:
    assert "in loops" in report_page.profile_page(profiled(loop))
