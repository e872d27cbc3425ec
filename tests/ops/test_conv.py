"""Convolutions: records."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import Config
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
def steps_of(
    channels: int, outputs: int, taps: int = 3, size: int | None = 6, **config: Any
) -> list[str]:
    """The computing steps of a convolution's plan by name."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, 6, 6, channels)).astype(np.float32)
    filters = rng.normal(size=(taps, taps, channels, outputs)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session(config=Config(**config)) as session:
        x = tf.placeholder(tf.float32, [None, size, size, channels])
        w = tf.placeholder(tf.float32, filters.shape)
        y = tf.nn.conv2d(x, w, 1, "SAME")
        feeds = {x: images, w: filters}
        session.run(y, feeds)
        text = str(session.explain(y, feeds))
    kinds = ("kernel", "gemm", "tile")
    return [line.split()[2] for line in text.splitlines() if line.split()[1] in kinds]


def test_channels_that_fill_vectors_are_tiles() -> None:
    assert steps_of(16, 16) == ["conv_float32_3x3_6x6x16_16"]
    assert steps_of(1, 4) == ["conv_float32_3x3_6x6x1_4"]


def test_extents_that_only_the_run_knows_are_gemm_on_patches() -> None:
    # fused with the reshape to a matrix, every element of the patches would cost divisions
    assert steps_of(16, 16, size=None)[0] == "image_patches"


def test_without_the_vector_printer_there_are_no_tiles() -> None:
    assert steps_of(16, 16, codegen="numba")[0] == "image_patches"


def test_without_the_pass_all_are_reductions() -> None:
    names = steps_of(16, 16, disabled=("convolve",))
    assert all(name.startswith("direct_conv") for name in names)


def test_one_pixel_needs_no_patches() -> None:
    assert len(steps_of(16, 16, taps=1)) == 1


def test_few_products_are_one_kernel() -> None:
    assert steps_of(1, 1) == ["direct_conv"]


def test_patches_beyond_a_limit_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conv_lower, "PATCH_BYTES", 1000)
    assert steps_of(16, 3) == ["direct_conv"]


# ------------------------------------------------------------------ whole plans
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2])
def test_one_plan_holds_for_every_batch_and_any_threads(padding: str, stride: int) -> None:
    rng = np.random.default_rng(1)
    filters = rng.normal(size=(3, 3, 5, 18)).astype(np.float32)
    bits: dict[int, list[bytes]] = {}
    for threads in (1, 2):
        with tf.Graph().as_default(), tf.Session(config=Config(threads=threads)) as session:
            x = tf.placeholder(tf.float32, [None, 9, 14, 5])
            w = tf.constant(filters)
            y = tf.nn.relu(tf.nn.conv2d(x, w, stride, padding))
            loss = tf.reduce_sum(y * y)
            fetches = [y, *tf.gradients(loss, [x, w])]
            for batch in (1, 7, 0, 40):
                images = np.random.default_rng(batch).normal(size=(batch, 9, 14, 5))
                feeds = {x: images.astype(np.float32)}
                got = session.run(fetches, feeds)
                bits.setdefault(batch, []).append(b"".join(a.tobytes() for a in got))
                config = Config(backend="reference")
                want = tf.Session(graph=session.graph, config=config).run(fetches, feeds)
                for a, b in zip(got, want, strict=True):
                    np.testing.assert_allclose(a, b, atol=2e-5 * max(1, np.abs(b).max(initial=0)))
    assert all(one == two for one, two in bits.values())


def test_validated_runs_check_tiles() -> None:
    rng = np.random.default_rng(2)
    with tf.Graph().as_default(), tf.Session(config=Config(validate=True)) as session:
        x = tf.placeholder(tf.float64, [2, 7, 7, 3])
        w = tf.constant(rng.normal(size=(3, 3, 3, 5)))
        d = tf.constant(rng.normal(size=(2, 2, 5, 1)))
        y = tf.nn.depthwise_conv2d(tf.nn.conv2d(x, w, 2, "SAME"), d, [1, 1, 1, 1], "SAME")
        session.run(tf.gradients(y * y, [x, w, d]), {x: rng.normal(size=(2, 7, 7, 3))})
