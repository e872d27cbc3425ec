"""tf.test.TestCase and its questions about the build, and tf.device without a GPU."""

from __future__ import annotations

import importlib.util
import unittest

import numpy as np
import pytest

import graphc as tf


class Sample(tf.test.TestCase):
    """A test case as TF1 programs write it; pytest runs it too."""

    def test_values_in_sessions(self):
        with self.test_session() as sess:
            x = tf.constant([1.0, 2.0])
            self.assertAllClose(x.eval(), [1.0, 2.0 + 1e-7])
            self.assertAllEqual(sess.run(x * 2), [2, 4])
            self.assertShapeEqual(np.zeros(2), x)
            self.assertAllEqual(self.evaluate(x), [1, 2])
        with self.session():
            self.assertEqual(tf.constant(3).eval(), 3)

    def test_a_cached_session_keeps_its_variables(self):
        v = tf.Variable(1.0)
        with self.cached_session() as sess:
            sess.run(v.initializer)
        with self.cached_session() as again:
            self.assertIs(again, sess)
            self.assertEqual(v.eval(), 1.0)
        with (
            self.assertRaisesRegex(ValueError, "another one"),
            self.cached_session(graph=tf.Graph()),
        ):
            pass

    def test_each_test_has_a_fresh_graph(self):
        self.assertEqual(tf.get_default_graph().get_operations(), [])
        self.assertEqual(tf.get_default_graph().seed, 87654321)

    def test_assertions_about_arrays(self):
        self.assertAllClose({"a": [1.0]}, {"a": [1.0]})
        self.assertNotAllClose([1.0], [1.1])
        self.assertNotAllEqual([1], [2])
        self.assertAllGreater([2, 3], 1)
        self.assertAllGreaterEqual([1, 3], 1)
        self.assertAllLess([2, 3], 4)
        self.assertAllLessEqual([2, 4], 4)
        self.assertAllInRange([0.0, 1.0], 0.0, 1.0)
        self.assertAllInSet([1, 1, 2], [1, 2])
        self.assertNear(1.0, 1.05, 0.1)
        self.assertArrayNear([1.0], [1.05], 0.1)
        self.assertDTypeEqual(np.float32(1), "float32")
        self.assertStartsWith("abc", "ab")
        self.assertAllCloseAccordingToType(np.float16([1]), np.float16([1.0005]))
        self.assertDeviceEqual("/cpu:0", "/device:CPU:0")

    def test_assertions_fail(self):
        checks = [
            lambda: self.assertAllClose([1.0], [1.1]),
            lambda: self.assertAllEqual([1], [2]),
            lambda: self.assertAllInRange([0.0, 1.0], 0.0, 1.0, open_upper_bound=True),
            lambda: self.assertAllInSet([3], [1, 2]),
            lambda: self.assertAllGreater([1], 1),
            lambda: self.assertStartsWith("abc", "b"),
            lambda: self.assertShapeEqual(np.zeros(3), tf.zeros([2])),
            lambda: self.assertDTypeEqual(np.float32(1), "float64"),
        ]
        for check in checks:
            with self.assertRaises(AssertionError):
                check()

    def test_errors_of_ops(self):
        x = tf.placeholder(tf.float32, name="fed")
        with self.session(), self.assertRaisesOpError("must feed a value .*fed"):
            x.eval()
        with self.assertRaisesWithPredicateMatch(ValueError, lambda e: "12" in str(e)):
            raise ValueError("12")
        with self.assertRaises(AssertionError), self.assertRaisesOpError("x"):
            pass


def test_questions_about_the_build(tmp_path, monkeypatch):
    assert tf.test.is_gpu_available() is False
    assert tf.test.gpu_device_name() == ""
    assert tf.test.is_built_with_cuda() is (importlib.util.find_spec("numba_cuda") is not None)
    folder = tf.test.get_temp_dir()
    assert folder == tf.test.get_temp_dir()
    monkeypatch.chdir(tmp_path)
    assert tf.test.test_src_dir_path("a/b") == str(tmp_path / "a/b")
    assert tf.test.mock is unittest.mock


def test_main_runs_the_tests_of_a_program(monkeypatch):
    seen = {}
    monkeypatch.setattr(unittest, "main", lambda **kwargs: seen.update(kwargs))
    tf.test.main(argv=["prog", "-v"])
    assert seen["argv"] == ["prog", "-v"]


GPUS = ["/gpu:0", "/device:GPU:0", lambda op: "/gpu:1"]
OTHERS = ["/cpu:0", "/job:worker/task:1", None]


@pytest.mark.parametrize(
    "device, soft",
    [(d, s) for d in OTHERS for s in (True, False)] + [(d, True) for d in GPUS],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:.*its ops run on the CPU")
def test_programs_for_other_devices_run_here(device, soft):
    config = tf.ConfigProto(allow_soft_placement=soft, log_device_placement=False)
    config.gpu_options.allow_growth = True
    with tf.Graph().as_default():
        with tf.device(device):
            v = tf.Variable([1.0, 2.0])
            y = tf.reduce_sum(v * 2.0)
        with tf.Session(config=config) as sess:
            sess.run(tf.global_variables_initializer())
            assert sess.run(y) == 6.0
    if device == "/gpu:0":
        assert y.device.endswith("GPU:0")
