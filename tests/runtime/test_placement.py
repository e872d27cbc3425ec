"""Programs for a GPU on a machine without one: refused as TF1 does, or run on the CPU."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import graphc as tf
from graphc.runtime import placement
from graphc.runtime.gpu import device


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(ordinal: int) -> Any:
        raise device.NoDevice("no NVIDIA driver was found")

    monkeypatch.setattr(device, "find_device", find)
    monkeypatch.setattr(placement, "_told", set())
    tf.reset_default_graph()


def doubled(name: str) -> tuple[Any, Any]:
    x = tf.placeholder(tf.float32, [2])
    with tf.device(name):
        return x, tf.multiply(x, 2.0, name="twice")


@pytest.mark.parametrize("name", ["/gpu:0", "/device:GPU:1", "/job:localhost/task:0/gpu:0"])
def test_tf1s_error_names_the_op_and_the_line(name: str) -> None:
    x, y = doubled(name)
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError) as caught:
        sess.run(y, {x: [1, 2]})
    text = str(caught.value)
    assert "Cannot assign a device for operation twice" in text
    assert "explicitly assigned to" in text and "available devices are [ /job:localhost" in text
    assert "no NVIDIA driver was found" in text and "allow_soft_placement=True" in text
    assert "test_placement.py" in text


def test_soft_placement_says_once_that_it_runs_on_the_cpu() -> None:
    x, y = doubled("/gpu:0")
    config = tf.ConfigProto(allow_soft_placement=True)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(2):
            with tf.Session(config=config) as sess:
                assert sess.run(y, {x: [1, 2]}).tolist() == [2, 4]
                assert sess.run(y + 1.0, {x: [1, 2]}).tolist() == [3, 5]
    texts = [str(w.message) for w in said]
    assert len(texts) == 1 and "/device:GPU:0 is not available" in texts[0]
    assert "run on the CPU" in texts[0]


def test_a_configured_backend_without_a_gpu() -> None:
    y = tf.constant([1.0]) * 2.0
    asked = tf.Config(backend="cuda")
    with tf.Session(config=asked) as sess, pytest.raises(ValueError) as caught:
        sess.run(y)
    assert "no NVIDIA driver was found" in str(caught.value)
    assert "soft_placement=True" in str(caught.value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with tf.Session(config=tf.Config(backend="cuda", soft_placement=True)) as sess:
            assert sess.run(y).tolist() == [2.0]


def test_what_is_asked_of_the_machine() -> None:
    from graphc.tf1 import device_lib

    device.device_count.cache_clear()
    assert tf.test.is_gpu_available() is False and tf.test.gpu_device_name() == ""
    assert [d.device_type for d in device_lib.list_local_devices()] == ["CPU"]
