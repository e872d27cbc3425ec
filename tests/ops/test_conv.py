"""Convolutions: records."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.ops import conv, conv_direct, conv_lower, conv_patches
from graphc.ops.define import REGISTRY
from tests.ops.array_checks import check_forward, check_gradient, names_of

NAMES = names_of(conv, conv_direct, conv_patches)


@pytest.mark.parametrize("name", NAMES)
def test_kernel_and_shape_rule_agree_with_the_reference(name: str) -> None:
    check_forward(REGISTRY[name])


@pytest.mark.parametrize("name", [n for n in NAMES if REGISTRY[n].grad is not None])
def test_gradient_is_the_numeric_one(name: str) -> None:
    check_gradient(REGISTRY[name])


# ------------------------------------------------------------------ how they are computed
def steps_of(channels: int, outputs: int, taps: int = 3) -> list[str]:
    """The steps of a convolution's plan: kernels and GEMMs by name."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, 6, 6, channels)).astype(np.float32)
    filters = rng.normal(size=(taps, taps, channels, outputs)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        x, w = tf.placeholder(tf.float32, [None, 6, 6, channels]), tf.placeholder(tf.float32)
        w.set_shape(filters.shape)
        y = tf.nn.conv2d(x, w, 1, "SAME")
        feeds = {x: images, w: filters}
        session.run(y, feeds)
        text = str(session.explain(y, feeds))
    return [line.split()[2] for line in text.splitlines() if line.split()[1] in ("kernel", "gemm")]


def test_patches_keep_their_axes_before_gemm() -> None:
    # fused with the reshape to a matrix, every element would cost divisions
    assert steps_of(16, 16) == ["image_patches", "gemm_float32_tt"]


def test_one_pixel_needs_no_patches() -> None:
    assert steps_of(16, 16, taps=1) == ["gemm_float32_tt"]


def test_few_products_are_one_kernel() -> None:
    assert steps_of(1, 1) == ["direct_conv"]


def test_patches_beyond_a_limit_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conv_lower, "PATCH_BYTES", 1000)
    assert steps_of(16, 16) == ["direct_conv"]
