"""The public names: each resolves, import stays cheap, tf.compat.v1 is graphc."""

from __future__ import annotations

import subprocess
import sys

import pytest

import graphc as tf

MODULES = [
    "graphc", "graphc.nn", "graphc.train", "graphc.math", "graphc.linalg", "graphc.random",
    "graphc.initializers", "graphc.bitwise",
]  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_every_listed_name_resolves(module) -> None:
    __import__(module)
    where = sys.modules[module]
    missing = [n for n in where.__all__ if not _resolves(where, n)]
    assert missing == []
    assert set(where.__all__) <= set(dir(where))


def _resolves(module, name) -> bool:
    try:
        getattr(module, name)
    except (AttributeError, ImportError):
        return False
    return True


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match=r"module 'graphc' has no attribute 'no_such_name'"):
        _ = tf.no_such_name


def test_import_loads_no_compiler() -> None:
    code = (
        "import graphc, sys; graphc.placeholder; graphc.Session; graphc.get_variable\n"
        "heavy = ('numba', 'networkx', 'llvmlite', 'scipy', 'ml_dtypes')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_import_is_quick() -> None:
    code = "import time; t = time.perf_counter(); import graphc; print(time.perf_counter() - t)"
    best = min(
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(3)
    )
    assert best < 0.15


def test_compat_v1_is_graphc() -> None:
    import graphc.compat.v1 as v1

    assert v1 is tf
    assert tf.compat.v1 is tf
    assert tf.compat.as_bytes("a") == b"a"
    assert tf.compat.as_str(b"a") == "a"


def test_switches_of_later_versions() -> None:
    tf.disable_v2_behavior()
    tf.disable_eager_execution()
    assert tf.executing_eagerly() is False
    with pytest.raises(RuntimeError):
        tf.enable_eager_execution()
    assert tf.__version__ == tf.VERSION == "0.1.0"


def test_logging_levels(capsys) -> None:
    tf.logging.set_verbosity(tf.logging.ERROR)
    assert tf.logging.get_verbosity() == tf.logging.ERROR
    tf.logging.info("not shown")
    tf.logging.set_verbosity(tf.logging.WARN)  # as it is at first


class GraphTestCase(tf.test.TestCase):
    def test_sessions_and_assertions(self) -> None:
        with self.test_session():
            self.assertAllClose(tf.constant([1.0, 2.0]).eval(), [1, 2])
            self.assertAllEqual(self.evaluate(tf.constant([1, 2])), [1, 2])
