"""`import graphc` is cheap: what it imports, and what a first run adds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = (
    "numba", "networkx", "llvmlite", "scipy", "ml_dtypes", "sklearn", "matplotlib", "numpy",
)  # fmt: skip


def child(code: str, **environment: str) -> Any:
    """What a fresh process prints last, as JSON."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


LOADED = f"print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"


def test_import_takes_nothing_heavy() -> None:
    assert child(f"import json, sys, graphc; {LOADED}") == []


def test_import_is_few_modules() -> None:
    code = (
        "import json, sys; before = set(sys.modules); import graphc; "
        "print(json.dumps(sorted(m for m in set(sys.modules) - before if m[:6] == 'graphc')))"
    )
    assert child(code) == ["graphc", "graphc._lazy"]


def test_building_a_graph_takes_no_compiler() -> None:
    code = (
        "import json, sys, graphc as tf; x = tf.placeholder(tf.float32, [None, 3]); "
        "w = tf.Variable(tf.zeros([3, 1])); y = tf.nn.softmax(tf.matmul(x, w)); "
        f"tf.train.AdamOptimizer().minimize(tf.reduce_sum(y)); tf.Session(); {LOADED}"
    )
    assert not set(child(code)) & {"numba", "llvmlite", "networkx", "scipy", "ml_dtypes"}


def test_a_run_takes_no_numba(tmp_path: Path) -> None:
    code = (
        "import json, sys, graphc as tf; x = tf.placeholder(tf.float32, [None]); "
        "s = tf.Session(); assert s.run(tf.reduce_sum(tf.exp(x)), {x: [0.0, 0.0]}) == 2; "
        f"{LOADED}"
    )
    loaded = child(code, GRAPHC_CACHE=str(tmp_path))
    assert not set(loaded) & {"numba", "networkx", "scipy", "ml_dtypes"}


def test_public_names_are_listed_before_they_are_imported() -> None:
    code = "import json, graphc as tf; print(json.dumps([n for n in tf.__all__]))"
    names = child(code)
    assert {"Session", "placeholder", "matmul", "train", "nn", "stats", "Config"} <= set(names)
    # the lazy table holds no name that cannot be had
    code = (
        "import json, graphc as tf; bad = []\n"
        "for n in tf.__all__:\n"
        "    try: getattr(tf, n)\n"
        "    except Exception as e: bad.append(f'{n}: {e}')\n"
        "print(json.dumps(bad))"
    )
    assert child(code) == []


def test_a_bad_setting_fails_at_the_first_use_not_at_import() -> None:
    code = (
        "import json, graphc as tf\n"
        "from graphc.errors import ConfigError\n"
        "try: tf.Session()\n"
        "except ConfigError as e: print(json.dumps(str(e)))"
    )
    assert "GRAPHC_FUSE='maybe'" in child(code, GRAPHC_FUSE="maybe")


@pytest.mark.parametrize("attribute", ["nothing_of_that_name", "sesion"])
def test_unknown_names_are_attribute_errors(attribute: str) -> None:
    import graphc

    with pytest.raises(AttributeError, match=f"module 'graphc' has no attribute '{attribute}'"):
        getattr(graphc, attribute)


TRAINING = """
import json, sys, graphc as tf
x = tf.placeholder(tf.float32, [64, 48]); y = tf.placeholder(tf.int32, [64])
w, b = tf.Variable(tf.ones([48, 32])), tf.Variable(tf.zeros([32]))
h = tf.nn.relu(tf.matmul(x, w) + b)
v = tf.Variable(tf.ones([32, 10]))
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(
    labels=y, logits=tf.matmul(h, v)))
step = tf.train.AdamOptimizer().minimize(loss)
s = tf.Session()
s.run(tf.global_variables_initializer())
s.run([step, loss], {x: [[1.0] * 48] * 64, y: [3] * 64})
"""
# printers, what converts graphs, convolutions, and parts of the standard library that take long
NOT_WARM = (
    "graphc.render.vector", "graphc.render.tile_writer", "graphc.render.numba_cpu",
    "graphc.ops.conv_lower", "graphc.kernel.tiles.conv", "graphc.ops.pool",
    "graphc.interop.messages", "graphc.runtime.queues", "graphc.tf1.queue_runner",
    "importlib.metadata", "email", "logging", "difflib",
)  # fmt: skip


def test_a_warm_start_takes_no_printer(tmp_path: Path) -> None:
    code = f"{TRAINING}print(json.dumps([m for m in {NOT_WARM!r} if m in sys.modules]))"
    cold = child(code, GRAPHC_CACHE=str(tmp_path))
    assert "graphc.render.vector" in cold
    assert child(code, GRAPHC_CACHE=str(tmp_path)) == []
