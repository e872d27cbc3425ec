"""Groups on the tiles of convolutions: which are, what they compute, why others are not."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.ir.node import Tensor
from graphc.ops.define import F
from tests.fusion.test_anchors import Case, weights


def conv(x: Tensor, w: Tensor, stride: int = 1, padding: str = "SAME") -> Tensor:
    return F.conv2d(
        x, w, strides=(1, stride, stride, 1), padding=padding, data_format="NHWC",
        dilations=(1, 1, 1, 1),
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(1, 5, 5, 8), (3, 4, 4, 8), (2, 9, 17, 5), (5, 7, 13, 3)])
@pytest.mark.parametrize("outputs", [16, 20, 64])
def test_bias_and_activation_are_one_step(shape: tuple[int, ...], outputs: int) -> None:
    def build(x: Tensor) -> Tensor:
        y = conv(x, weights(3, 3, shape[-1], outputs))
        return F.relu(F.bias_add(y, weights(outputs), data_format="NHWC"))

    case = Case(build, shape)
    assert case.names == ["direct_conv_bias_add_relu"]
    assert case.steps[0].kind == "tile"


def test_float64_and_strides() -> None:
    def build(x: Tensor) -> Tensor:
        return F.tanh(conv(x, weights(3, 2, 6, 10, dtype="float64"), 2, "VALID"))

    assert Case(build, (3, 9, 8, 6), dtype="float64").names == ["direct_conv_tanh"]


def test_a_residual_and_the_product_itself_are_stored_by_the_tiles() -> None:
    def build(x: Tensor, r: Tensor) -> tuple[Tensor, ...]:
        y = conv(x, weights(3, 3, 8, 24))
        return y, F.relu(y + r)

    assert Case(build, (3, 6, 7, 8), (3, 6, 7, 24)).names == ["direct_conv_add_relu"]


def test_a_mask_behind_the_gradient_of_a_strided_convolution() -> None:
    def build(x: Tensor) -> Tensor:
        w = weights(3, 3, 8, 16)
        y = conv(F.relu(x), w, 2)
        (found,) = tf.gradients(F.reduce_sum(F.square(y), axes=None, keepdims=False), [x])
        return found  # type: ignore[no-any-return]

    names = Case(build, (3, 7, 9, 8)).names
    assert names[-1] == "direct_conv_input_relu_grad"


def test_a_view_of_the_same_rows_and_channels() -> None:
    def build(x: Tensor) -> Tensor:
        y = conv(x, weights(3, 3, 8, 24))
        rows = F.reshape(y, np.array([-1, 7, 24], np.int32))
        return F.relu(rows + weights(24))

    assert Case(build, (3, 6, 7, 8)).names == ["direct_conv_add_relu"]


def test_one_row_and_one_pixel() -> None:
    def build(x: Tensor) -> Tensor:
        return F.relu(conv(x, weights(2, 2, 8, 24), 1, "VALID") + weights(24))

    for shape in ((1, 2, 2, 8), (4, 2, 2, 8), (2, 2, 5, 8), (2, 5, 2, 8)):
        assert Case(build, shape, known=True).names == ["direct_conv_add_relu"]


def test_other_positions_are_refused() -> None:
    def build(x: Tensor) -> Tensor:
        y = conv(x, weights(3, 3, 8, 16))
        return tf.reverse(y, [1]) + 1.0

    case = Case(build, (2, 5, 6, 8))
    assert case.steps[0].kind == "tile" and len(case.steps) == 2
    assert any("another index" in r or "other indices" in r for r in case.reasons)


def test_gradients_of_filters_store_their_sums() -> None:
    def build(x: Tensor) -> Tensor:
        w = weights(3, 3, 8, 16)
        y = conv(x, w)
        (found,) = tf.gradients(F.reduce_sum(F.square(y), axes=None, keepdims=False), [w])
        return found * 2.0

    case = Case(build, (2, 5, 6, 8))
    assert [s.kind for s in case.steps[-2:]] == ["tile", "kernel"]


def test_depthwise() -> None:
    def build(x: Tensor) -> Tensor:
        y = F.depthwise_conv2d_native(
            x, weights(3, 3, 20, 1), strides=(1, 1, 1, 1), padding="SAME", data_format="NHWC",
            dilations=(1, 1, 1, 1),
        )  # fmt: skip
        return F.minimum(F.relu(y), 6.0)

    assert Case(build, (2, 6, 7, 20)).names == ["direct_conv_relu_minimum"]
