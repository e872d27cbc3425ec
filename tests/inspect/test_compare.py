"""Comparisons: their numbers against the schedule, their spread, their forms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import config
from graphc.inspect import compare_text, load, report_page
from graphc.inspect.charts import Bar, cut
from graphc.inspect.compare import Comparison, compare
from graphc.inspect.explain import COMPUTING
from graphc.inspect.running import Runner
from graphc.inspect.target import Target, built
from graphc.inspect.target import load as load_target
from graphc.ir.shape import evaluate
from tests.inspect.made import LIMITS


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def mlp() -> tuple[Any, dict[Any, Any]]:
    """Two layers, their loss and a training step."""
    rng = np.random.default_rng(0)
    x = tf.placeholder(tf.float32, [None, 64], name="x")
    y = tf.placeholder(tf.int32, [None], name="y")
    hidden = tf.layers.dense(x, 96, tf.nn.relu, name="hidden")
    logits = tf.layers.dense(hidden, 10, name="logits")
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
    loss = tf.reduce_mean(losses, name="loss")
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    feeds = {x: rng.standard_normal((64, 64), np.float32), y: rng.integers(0, 10, 64)}
    return [loss, train], feeds


def compared(build: Any = mlp, **options: Any) -> Comparison:
    options.setdefault("seconds", 0.0)
    return compare(build, limits=LIMITS, **options)


# ------------------------------------------------------------------ what is counted
def test_compare_names_the_kernels_that_explain_names() -> None:
    target = built(mlp)
    found = compared(target)
    for side, fuse in ((found.fused, True), (found.unfused, False)):
        with tf.Session(graph=target.graph, options=tf.Config(fuse=fuse)) as sess:
            with target.graph.as_default():
                sess.run(tf.global_variables_initializer())
            explained = sess.explain(target.fetches, target.feeds)
        assert [k.name for k in side.kernels] == [s.name for s in explained.kernels]
        assert side.launches == len(explained.kernels)
        assert side.work.nbytes == explained.bytes_moved
        assert side.work.flops == explained.flops


def test_compare_saves_the_bytes_that_explain_says() -> None:
    found = compared()
    explained = found.fused.explanation
    assert explained is not None and found.unfused.explanation is not None
    # a constant of four bytes here and there is stored by one side and not by the other
    assert found.bytes_saved == pytest.approx(explained.bytes_saved, abs=64)
    assert found.unfused.explanation.bytes_saved == 0


@pytest.mark.parametrize("name", ["fused", "unfused"])
def test_bytes_are_those_of_the_schedule_counted_by_hand(name: str) -> None:
    target = built(mlp)
    found = compared(target)
    config = tf.Config(fuse=name == "fused")
    runner = Runner(name, target, config)
    ((plan, symbols),) = runner.plans
    total = 0
    for step in plan.schedule.steps:
        storages = list(step.reads)
        packs = getattr(step.call, "packing", False)
        storages += step.writes[:-1] if packs else step.writes
        # nothing in this network is read in part
        total += sum(s.dtype_size * evaluate(s.elements, symbols) for s in storages)
    runner.close()
    assert found.side(name).work.nbytes == total
    computing = [s for s in plan.schedule.steps if s.kind in COMPUTING]
    assert found.side(name).launches == len(computing)


def test_bytes_of_a_chain_by_hand() -> None:
    def chain() -> Any:
        x = tf.placeholder(tf.float32, [None], name="x")
        return tf.exp(x) * 2.0 + 1.0, {x: np.ones(1000, np.float32)}

    found = compared(chain)
    assert found.fused.work.nbytes == 2 * 4000
    assert found.unfused.work.nbytes == 3 * 2 * 4000
    assert found.bytes_saved == 4 * 4000
    reference = found.side("reference")
    assert reference.launches == 3 and reference.work.flops == 0
    # two constants of four bytes are read
    assert reference.work.nbytes == 3 * 2 * 4000 + 2 * 4
    assert found.fused.peak_bytes == 2 * 4000


def test_steps_of_loops_count_as_often_as_they_run() -> None:
    def loop() -> Any:
        x = tf.placeholder(tf.float32, [None], name="x")
        _, y = tf.while_loop(
            lambda i, v: i < 7, lambda i, v: (i + 1, tf.sqrt(v) + 1.0), (tf.constant(0), x)
        )
        return y, {x: np.ones(1000, np.float32)}

    found = compared(loop)
    assert max(k.turns for k in found.fused.kernels) in (7, 8)
    inside = max(found.fused.kernels, key=lambda k: k.nbytes)
    assert inside.nbytes == 7 * 2 * 4000 and inside.flops == 7 * 2 * 1000
    reference = found.side("reference")
    assert reference.launches == reference.work.nbytes == reference.peak_bytes == 0
    assert str(found).splitlines()[1].split()[3] == "-"


# ------------------------------------------------------------------ values and time
def test_sides_draw_the_same_random_numbers() -> None:
    def noisy() -> Any:
        x = tf.placeholder(tf.float32, [None], name="x")
        w = tf.Variable(tf.random_normal([256]))
        return tf.nn.dropout(x * w, 0.5), {x: np.ones(256, np.float32)}

    found = compared(noisy)
    assert found.differences["unfused"] == (0.0, 0.0)
    assert found.differences["reference"][1] < 1e-6


def test_values_of_a_file_are_kept(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        w = tf.Variable(tf.random_normal([4, 3]), name="w")
        y = tf.matmul(x, w, name="y")
        sess.run(tf.global_variables_initializer())
        value = sess.run(w)
        tf.saved_model.simple_save(sess, str(tmp_path / "model"), {"x": x}, {"y": y})
    target = load_target(str(tmp_path / "model"))
    runner = Runner("fused", target, tf.Config())
    (fed,) = target.feeds.values()
    np.testing.assert_allclose(runner.results[0], fed @ value, rtol=1e-5)
    assert compare(target, 0.0, limits=LIMITS).largest_relative < 1e-5


def test_ratios_are_stable_within_their_spread() -> None:
    first, second = (compared(seconds=0.3, sides=("fused", "unfused")) for _ in range(2))
    a, b = first.ratios["unfused"], second.ratios["unfused"]
    assert a.low <= a.middle <= a.high
    # each spread holds the other's median, or at least some of its spread
    assert a.low <= b.high and b.low <= a.high


def test_ratios_are_of_neighbouring_blocks() -> None:
    found = compared(sides=("fused", "unfused"))
    blocks = [b / a for a, b in zip(found.fused.blocks, found.unfused.blocks, strict=True)]
    assert found.ratios["unfused"].middle == pytest.approx(float(np.median(blocks)))
    assert found.fused.time.low <= found.fused.seconds <= found.fused.time.high


def test_checks_of_the_configuration_are_left_out() -> None:
    config.configure(check_numerics=True, validate=True)
    try:
        assert compared(sides=("fused",)).fused.launches > 0
    finally:
        config.reset()


@pytest.mark.parametrize("name", ["shapes", "strings", "fed"])
def test_graphs_of_other_kinds(name: str) -> None:
    def shapes() -> Any:
        x = tf.placeholder(tf.float32, [None], name="x")
        return tf.reduce_sum(tf.boolean_mask(x, x > 0.0) * 2.0), {x: np.float32([-1, 1, 2])}

    def strings() -> Any:
        x = tf.placeholder(tf.string, [None], name="x")
        return tf.strings.length(x), {x: ["a", "bb"]}

    def fed() -> Any:
        x = tf.placeholder(tf.float32, [None], name="x")
        return x, {x: np.float32([1.0])}

    found = compared({"shapes": shapes, "strings": strings, "fed": fed}[name])
    assert str(found) and found.largest_relative == 0.0
    report_page.compare_page(found)


def test_rates_are_against_the_sum_of_the_kernels_limits() -> None:
    side = compared().fused
    assert side.rate is not None and side.explanation is not None
    assert side.rate.least < side.seconds
    assert 0 < side.rate.share < 1 and side.rate.bound in ("memory", "arithmetic")
    assert side.compile_seconds > 0


@pytest.mark.parametrize(
    "sides", [(), ("unfused",), ("fused", "metal"), ("fused", "fused"), ("unfused", "fused")]
)
def test_sides_that_are_refused(sides: tuple[str, ...]) -> None:
    with pytest.raises(tf.errors.GraphcError, match="fused first"):
        compared(sides=sides)


def test_one_side_alone_has_no_ratio() -> None:
    found = compared(sides=("fused",))
    assert not found.ratios and found.largest_relative == 0.0
    assert "unfused" not in str(found)


def test_others_work_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load.noise_text(None) == load.noise_text(0.05) == ""
    assert "kept 1.5 of" in load.noise_text(1.5)
    monkeypatch.setattr(load.Load, "others", 1.2)
    assert "less sure" in str(compared(sides=("fused",)))


# ------------------------------------------------------------------ forms
def test_the_data_are_plain_and_complete() -> None:
    found = compared()
    data = json.loads(json.dumps(found.to_json()))
    assert data["format"] == "graphc-compare" and len(data["sides"]) == 3
    fused = data["sides"][0]
    assert fused["bytes_read"] + fused["bytes_written"] == found.fused.work.nbytes
    assert fused["limit_share"] == found.fused.rate.share  # type: ignore[union-attr]
    assert sum(k["flops"] for k in fused["kernels"]) == fused["flops"]
    assert set(data["ratios"]) == {"unfused", "reference"}


class Tags(HTMLParser):
    """Counts what a page consists of, and whether its tags match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        self.links += [v or "" for k, v in attrs if k in ("src", "href")]
        if tag not in ("meta", "rect", "line", "circle", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "line", "circle", "path"):
            assert self.open.pop() == tag


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    return tags


def nasty() -> tuple[Any, dict[Any, Any]]:
    x = tf.placeholder(tf.float32, [None, 8], name="x")
    w = tf.Variable(np.ones((8, 8), np.float32), name="w")
    y = tf.matmul(x, w, name="p" * 300)
    return [tf.argmax(y, 0), tf.reduce_sum(y, 1)], {x: np.ones((4, 8), np.float32)}


def test_pages_stand_alone_and_escape_what_is_the_users() -> None:
    title = '<script>alert("übel")</script> & "co"'
    target = built(nasty)
    found = compared(Target(target.graph, target.fetches, target.feeds, title))
    page = report_page.compare_page(found)
    tags = parsed(page)
    assert "script" not in tags.count and not tags.links
    assert "&lt;script&gt;alert(&quot;übel&quot;)" in page
    assert tags.count["svg"] == 3 and tags.count["table"] >= 3
    assert "nan" not in page.lower().replace("nano", "")


def test_pictures_are_png() -> None:
    pytest.importorskip("matplotlib")
    from graphc.inspect.charts_png import compare_png

    data = compare_png(compared(sides=("fused", "unfused")))
    assert data.startswith(b"\x89PNG\r\n") and len(data) > 5000


def test_pictures_need_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from graphc.inspect.charts_png import compare_png

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(tf.errors.GraphcError, match=r"graphc\[examples\]"):
        compare_png(compared(sides=("fused",)))


def test_bars_that_hide_the_others_are_cut() -> None:
    rows = [Bar("a", 1.0, "1"), Bar("b", 2.0, "2"), Bar("c", 50.0, "50", "", 40.0, 60.0)]
    values = [(b.value, b.text) for b in cut(rows)]
    assert values == [(1.0, "1"), (2.0, "2"), (5.0, "50 (cut)")]
    assert cut(rows[:2]) == rows[:2] and cut(rows[:1]) == rows[:1]


def test_tables_line_up() -> None:
    lines = compare_text.table_of(compared()).splitlines()
    assert lines[0].split() == ["fused", "unfused", "reference", "unfused/fused"]
    end = lines[0].index("unfused/") - 2
    named = [line for line in lines if line.startswith(("kernels", "bytes moved", "compile"))]
    assert len(named) == 3 and all(line[end - 1] != " " and line[end] == " " for line in named)
