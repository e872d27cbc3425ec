"""tf.test: a TestCase with numeric assertions, and questions about the build.

Lives here: what TF1 scripts use of tf.test. Not here: gradient checks (autodiff/checks.py).
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


def compute_gradient(
    x: Any, x_shape: Any, y: Any, y_shape: Any, x_init_value: Any = None, delta: float = 1e-3
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(theoretical, numeric) Jacobians of y by x, in the default session."""
    from graphc.autodiff.gradients import gradients
    from graphc.tf1.framework import placeholder

    start = x_init_value
    if start is None:
        start = np.random.default_rng(_SEED).random(tuple(x_shape)).astype(x.dtype.np)
    size_x, size_y = int(np.prod(x_shape)), int(np.prod(y_shape))
    seed = placeholder(y.dtype, y_shape)
    dx = gradients(y, x, grad_ys=seed)[0]
    theory = np.zeros((size_x, size_y), x.dtype.np)
    numeric = np.zeros_like(theory)
    for k in range(size_y):
        one = np.zeros(size_y, y.dtype.np)
        one[k] = 1
        theory[:, k] = dx.eval({x: start, seed: one.reshape(y_shape)}).reshape(-1)
    for k in range(size_x):
        step = np.zeros(size_x, x.dtype.np)
        step[k] = delta
        step = step.reshape(x_shape)
        difference = y.eval({x: start + step}) - y.eval({x: start - step})
        numeric[k] = np.asarray(difference).reshape(-1) / (2 * delta)
    return theory, numeric


def compute_gradient_error(
    x: Any, x_shape: Any, y: Any, y_shape: Any, x_init_value: Any = None, delta: float = 1e-3
) -> float:
    """The largest difference of the two Jacobians."""
    theory, numeric = compute_gradient(x, x_shape, y, y_shape, x_init_value, delta)
    return float(np.abs(theory - numeric).max(initial=0.0))


class TestCase(unittest.TestCase):
    """unittest.TestCase with a fresh graph for each test, sessions and array assertions."""

    __test__ = False  # pytest collects subclasses, not this class

    def __init_subclass__(cls) -> None:
        cls.__test__ = True
        super().__init_subclass__()

    def setUp(self) -> None:  # noqa: N802
        _random.seed(_SEED)
        np.random.seed(_SEED)
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

    test_session = session

    def evaluate(self, tensors: Any) -> Any:
        """The values in the default session."""
        from graphc.session import get_default_session

        return get_default_session().run(tensors)

    def assertNear(self, f1: float, f2: float, err: float, msg: Any = None) -> None:  # noqa: N802
        self.assertTrue(f1 == f2 or abs(f1 - f2) <= err, msg or f"{f1!r} != {f2!r} +/- {err!r}")

    def assertAllClose(  # noqa: N802
        self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str = ""
    ) -> None:
        if isinstance(a, dict):
            self.assertEqual(set(a), set(b))
            for key in a:
                self.assertAllClose(a[key], b[key], rtol, atol, f"{msg} {key}")
            return
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=msg)

    def assertAllCloseAccordingToType(  # noqa: N802
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

    def assertAllEqual(self, a: Any, b: Any, msg: str = "") -> None:  # noqa: N802
        np.testing.assert_array_equal(a, b, err_msg=msg)

    def assertArrayNear(self, a: Any, b: Any, err: float, msg: Any = None) -> None:  # noqa: N802
        self.assertEqual(len(a), len(b))
        for x, y in zip(a, b, strict=True):
            self.assertNear(x, y, err, msg)

    def assertShapeEqual(self, np_array: Any, tf_tensor: Any) -> None:  # noqa: N802
        self.assertEqual(list(np_array.shape), tf_tensor.get_shape().as_list())
