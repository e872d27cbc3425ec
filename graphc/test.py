"""tf.test: a TestCase with numeric assertions, and questions about the build.

Lives here: what TF1 scripts use of tf.test. Not here: gradient checks (tf1/api_gradients.py).
"""

from __future__ import annotations

import contextlib
import importlib.util
import random as _random
import tempfile
import unittest
import unittest.mock as mock
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphc import errors
from graphc._unsupported import getattr_of
from graphc.ir.device import device_fields
from graphc.ir.graph import Graph, get_default_graph, reset_default_graph
from graphc.session import Session
from graphc.tf1.api_gradients import compute_gradient, compute_gradient_error

__all__ = [
    "TestCase", "compute_gradient", "compute_gradient_error", "get_temp_dir", "gpu_device_name",
    "is_built_with_cuda", "is_gpu_available", "main", "mock", "test_src_dir_path",
]  # fmt: skip

__getattr__ = getattr_of(__name__)

_SEED = 87654321


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: Any = None) -> bool:
    """Whether graphs can run on a GPU: numba-cuda is installed and the driver names one.

    Args:
        min_cuda_compute_capability: (major, minor) that it must have.
    """
    from graphc.runtime.gpu.device import absence, find_device

    if absence() is not None:
        return False
    least = min_cuda_compute_capability or (0, 0)
    return find_device(0).gpu.cc >= tuple(least)


def is_built_with_cuda() -> bool:
    """Whether kernels for GPUs can be compiled: numba-cuda is installed."""
    return importlib.util.find_spec("numba_cuda") is not None


def gpu_device_name() -> str:
    """ "/device:GPU:0" where there is a GPU, else ""."""
    return "/device:GPU:0" if is_gpu_available() else ""


_TEMP: list[tempfile.TemporaryDirectory[str]] = []


def get_temp_dir() -> str:
    """A folder that is removed when the process ends."""
    if not _TEMP:
        _TEMP.append(tempfile.TemporaryDirectory(prefix="graphc_test_"))
    return _TEMP[0].name


def test_src_dir_path(relative_path: str) -> str:
    """A path below the folder from which the tests run."""
    return str(Path.cwd() / relative_path)


test_src_dir_path.__test__ = False  # type: ignore[attr-defined]  # pytest takes it for a test


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

    def cached_session(
        self, graph: Graph | None = None, config: Any = None, use_gpu: bool = False
    ) -> Any:
        """A session that is the default inside the block; one for all blocks of a test."""
        return self._cached(graph, config)

    @contextlib.contextmanager
    def _cached(self, graph: Graph | None, config: Any) -> Iterator[Session]:
        sess: Session | None = getattr(self, "_session", None)
        if sess is None:
            sess = self._session = Session(graph=graph, config=config)
            self.addCleanup(sess.close)
        elif graph is not None and graph is not sess.graph:
            raise ValueError("The graph used to get the cached session is another one.")
        with sess.graph.as_default(), sess.as_default():
            yield sess

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

    def assertNotAllClose(self, a: Any, b: Any, **kwargs: Any) -> None:
        with self.assertRaises(AssertionError):
            self.assertAllClose(a, b, **kwargs)

    def assertNotAllEqual(self, a: Any, b: Any) -> None:
        with self.assertRaises(AssertionError):
            self.assertAllEqual(a, b)

    def assertAllGreater(self, a: Any, comparison_target: Any) -> None:
        self.assertGreater(np.min(a), comparison_target)

    def assertAllGreaterEqual(self, a: Any, comparison_target: Any) -> None:
        self.assertGreaterEqual(np.min(a), comparison_target)

    def assertAllLess(self, a: Any, comparison_target: Any) -> None:
        self.assertLess(np.max(a), comparison_target)

    def assertAllLessEqual(self, a: Any, comparison_target: Any) -> None:
        self.assertLessEqual(np.max(a), comparison_target)

    def assertAllInRange(
        self,
        target: Any,
        lower_bound: Any,
        upper_bound: Any,
        open_lower_bound: bool = False,
        open_upper_bound: bool = False,
    ) -> None:
        """Each value lies between the bounds; open bounds do not belong to the range."""
        target = np.asarray(target)
        low = target > lower_bound if open_lower_bound else target >= lower_bound
        high = target < upper_bound if open_upper_bound else target <= upper_bound
        wrong = target[~(low & high)]
        self.assertEqual(wrong.size, 0, f"outside of {lower_bound} .. {upper_bound}: {wrong}")

    def assertAllInSet(self, target: Any, expected_set: Any) -> None:
        wrong = set(np.asarray(target).ravel().tolist()) - set(expected_set)
        self.assertFalse(wrong, f"not in the set: {wrong}")

    def assertDTypeEqual(self, target: Any, expected_dtype: Any) -> None:
        self.assertEqual(np.asarray(target).dtype, np.dtype(expected_dtype))

    def assertStartsWith(self, actual: str, expected_start: str, msg: Any = None) -> None:
        self.assertTrue(
            actual.startswith(expected_start),
            msg or f"{actual!r} does not start with {expected_start!r}",
        )

    def assertDeviceEqual(self, device1: Any, device2: Any, msg: Any = None) -> None:
        self.assertEqual(device_fields(device1), device_fields(device2), msg)

    def assertRaisesOpError(self, expected_err_re_or_predicate: Any) -> Any:
        """A block that raises an OpError whose text matches."""
        return self.assertRaisesWithPredicateMatch(errors.OpError, expected_err_re_or_predicate)

    @contextlib.contextmanager
    def assertRaisesWithPredicateMatch(
        self, exception_type: Any, expected_err_re_or_predicate: Any
    ) -> Iterator[None]:
        """A block that raises the class; a function of the error, or a pattern in its text."""
        try:
            yield
        except exception_type as error:
            wanted = expected_err_re_or_predicate
            if callable(wanted):
                self.assertTrue(wanted(error), f"{type(error).__name__}: {error}")
            else:
                self.assertRegex(str(error), wanted)
            return
        self.fail(f"{exception_type.__name__} not raised")

    def assertArrayNear(self, a: Any, b: Any, err: float, msg: Any = None) -> None:
        self.assertEqual(len(a), len(b))
        for x, y in zip(a, b, strict=True):
            self.assertNear(x, y, err, msg)

    def assertShapeEqual(self, np_array: Any, tf_tensor: Any) -> None:
        self.assertEqual(list(np_array.shape), tf_tensor.get_shape().as_list())
