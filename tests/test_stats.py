"""graphc.stats(): what was built and why, before and after runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config

ROOT = Path(__file__).parents[1]
COUNTS = (
    "plans_built", "modules_compiled", "kernels_compiled", "kernels_from_cache", "kernels_shared",
    "plan_seconds", "compile_seconds", "load_seconds", "kernel_bytes", "kernel_seconds",
    "arena_peak_bytes", "pool_lent_bytes", "pool_idle_bytes",
)  # fmt: skip


def built(since: dict[str, Any]) -> list[dict[str, Any]]:
    return tf.stats()["plans"][since["plans_built"] :]


def test_everything_is_zero_before_the_first_run() -> None:
    code = "import json, graphc; print(json.dumps(graphc.stats()))"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    found = json.loads(out.stdout)
    assert {name: found[name] for name in COUNTS} == dict.fromkeys(COUNTS, 0)
    assert found["plans"] == [] and found["kernel_fallbacks"] == []


def test_a_plan_says_what_it_is_for() -> None:
    before = tf.stats()
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        y = tf.reduce_sum(x * 3.0, name="y")
        sess.run(y, {x: np.ones((5, 3))})
        sess.run(y, {x: np.ones((9, 3))})
    (plan,) = built(before)
    assert plan["fetches"] == ["y:0"] and plan["feeds"] == [[5, 3]]
    assert plan["reason"] == "first run of these fetches and feeds"


def test_another_plan_says_why_the_first_did_not_do() -> None:
    before = tf.stats()
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None])
        y = tf.placeholder(tf.float32, [None])
        total = x + y
        for n, m in ((3, 3), (4, 4), (4, 1), (7, 1)):
            sess.run(total, {x: np.ones(n), y: np.ones(m)})
    first, second = built(before)
    assert "first run" in first["reason"]
    assert second["reason"].startswith("extents that no plan so far holds for")
    assert second["feeds"] == [[4], [1]]


def test_identical_layers_share_their_kernels() -> None:
    before = tf.stats()
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None, 37])
        # products keep the layers in kernels of their own; the last one stores elsewhere
        y = x
        for _ in range(4):
            y = tf.tanh(tf.matmul(y, tf.ones([37, 37])) * 0.125 + 0.375)
        sess.run(y, {x: np.ones((3, 37))})
    after = tf.stats()
    assert after["kernels_shared"] - before["kernels_shared"] >= 2


def test_memory_is_counted() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None])
        big = sess.run(x * 2.0, {x: np.ones(1 << 20)})
        lent = tf.stats()["pool_lent_bytes"]
        assert lent >= big.nbytes
        del big
        assert tf.stats()["pool_lent_bytes"] < lent
        assert tf.stats()["pool_idle_bytes"] > 0


def test_the_dict_is_the_callers_own() -> None:
    found = tf.stats()
    found["plans"].append("x")
    found.clear()
    assert "x" not in tf.stats()["plans"]


def test_seconds_are_told_by_phase() -> None:
    before = tf.stats()
    with tf.Graph().as_default(), tf.Session(config=Config(cache_dir=None)) as sess:
        x = tf.placeholder(tf.float32, [None])
        sess.run(tf.reduce_sum(tf.exp(x) * 0.1234), {x: [1.0, 2.0]})
    after = tf.stats()
    plan, compiling, loading = (
        after[name] - before[name] for name in ("plan_seconds", "compile_seconds", "load_seconds")
    )
    assert 0 < compiling < plan and 0 < loading < plan
    (made,) = after["plans"][before["plans_built"] :]
    assert made["seconds"] == pytest.approx(plan)
