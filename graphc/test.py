"""tf.test: a TestCase with numeric assertions, and questions about the build.

Lives here: what TF1 scripts use of tf.test. Not here: gradient checks (tf1/api_gradients.py).
"""

from __future__ import annotations

import contextlib
import random as _random
import tempfile
import unittest
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc.ir.graph import Graph, get_default_graph, reset_default_graph
from graphc.session import Session
from graphc.tf1.api_gradients import compute_gradient, compute_gradient_error

__all__ = [
    "TestCase", "compute_gradient", "compute_gradient_error", "get_temp_dir", "gpu_device_name",
    "is_built_with_cuda", "is_gpu_available", "main",
]  # fmt: skip

_SEED = 87654321


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: Any = None) -> bool:
    """Whether graphs can run on a GPU."""
    return False


def is_built_with_cuda() -> bool:
    return False


def gpu_device_name() -> str:
    """"/device:GPU:0" where there is a GPU, else ""."""
    return "/device:GPU:0" if is_gpu_available() else ""


_TEMP: list[tempfile.TemporaryDirectory[str]] = []


def get_temp_dir() -> str:
    """A folder that is removed when the process ends."""
    if not _TEMP:
        _TEMP.append(tempfile.TemporaryDirectory(prefix="graphc_test_"))
    return _TEMP[0].name


def main(argv: Any = None) -> None:
    """Runs the tests of the calling module."""
    unittest.main(argv=argv)


class TestCase(unittest.TestCase):
    """unittest.TestCase with a fresh graph for each test, sessions and array assertions."""

    __test__ = False  # pytest collects subclasses, not this class

    def __init_subclass__(cls) -> None:
        cls.__test__ = True
        super().__init_subclass__()

    def setUp(self) -> None:
        _random.seed(_SEED)
        np.random.seed(_SEED)  # noqa: NPY002 - tests rely on the global stream, as in TF
        with contextlib.suppress(AssertionError):
            reset_default_graph()
        get_default_graph().seed = _SEED

    def get_temp_dir(self) -> str:
        return get_temp_dir()

    @contextlib.contextmanager
    def session(
        self, graph: Graph | None = None, config: Any = None, use_gpu: bool = False
    ) -> Iterator[Session]:
        """A session that is the default inside the block."""
        with Session(graph=graph, config=config) as sess:
            yield sess

    def test_session(
        self, graph: Graph | None = None, config: Any = None, use_gpu: bool = False
    ) -> Any:
        """A session that is the default inside the block."""
        if self.id().endswith(".test_session"):
            # the runner takes it for a test because of its name
            self.skipTest("Not a test.")
        return self.session(graph, config, use_gpu)

    def evaluate(self, tensors: Any) -> Any:
        """The values in the default session."""
        from graphc.session import get_default_session

        return get_default_session().run(tensors)

    def assertNear(self, f1: float, f2: float, err: float, msg: Any = None) -> None:
        self.assertTrue(f1 == f2 or abs(f1 - f2) <= err, msg or f"{f1!r} != {f2!r} +/- {err!r}")

    def assertAllClose(
        self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str = ""
    ) -> None:
        if isinstance(a, dict):
            self.assertEqual(set(a), set(b))
            for key in a:
                self.assertAllClose(a[key], b[key], rtol, atol, f"{msg} {key}")
            return
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=msg)

    def assertAllCloseAccordingToType(
        self,
        a: Any,
        b: Any,
        rtol: float = 1e-6,
        atol: float = 1e-6,
        half_rtol: float = 1e-3,
        half_atol: float = 1e-3,
    ) -> None:
        if any(np.asarray(v).dtype == np.float16 for v in (a, b)):
            rtol, atol = max(rtol, half_rtol), max(atol, half_atol)
        self.assertAllClose(a, b, rtol, atol)

    def assertAllEqual(self, a: Any, b: Any, msg: str = "") -> None:
        np.testing.assert_array_equal(a, b, err_msg=msg)

    def assertArrayNear(self, a: Any, b: Any, err: float, msg: Any = None) -> None:
        self.assertEqual(len(a), len(b))
        for x, y in zip(a, b, strict=True):
            self.assertNear(x, y, err, msg)

    def assertShapeEqual(self, np_array: Any, tf_tensor: Any) -> None:
        self.assertEqual(list(np_array.shape), tf_tensor.get_shape().as_list())
