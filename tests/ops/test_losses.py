"""Cross-entropies: kernels, gradients of both outputs, stability, labels outside the classes."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.autodiff.gradients import gradients
from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import float16, float32, float64, int32, int64
from graphc.ir.graph import Graph
from graphc.ops.define import F
from tests.ops.checks import check_gradient, check_kernel, placeholder, records, walk

RECORDS = records("losses")


@pytest.mark.parametrize("op", RECORDS, ids=lambda r: r.name)
@pytest.mark.parametrize("dtype", [float32, float64, float16], ids=str)
def test_kernel_agrees_with_the_reference(op, dtype):
    loose = {"rtol": 4e-3, "atol": 4e-3} if dtype is float16 else {}
    check_kernel(op, dtype, **loose)


@pytest.mark.parametrize("op", RECORDS, ids=lambda r: r.name)
def test_first_and_second_gradients_agree_with_differences(op):
    check_gradient(op)


def test_gradient_of_the_loss_alone_needs_only_the_backprop_output():
    with Graph().as_default() as graph:
        x, z = placeholder(float32, (3, 4)), placeholder(float32, (3, 4))
        gradients(F.softmax_cross_entropy(x, z)[0], x)
        assert not [n for n in graph.nodes if n.op.name == "softmax"]


def test_loss_is_finite_for_large_logits():
    logits = np.float32([[1e4, -1e4, 0]])
    with Graph().as_default():
        dense = F.softmax_cross_entropy(logits, np.float32([[0, 1, 0]]))[0]
        sparse = F.sparse_softmax_cross_entropy(logits, np.int32([1]))[0]
        got = walk([dense, sparse])
    assert got[0].tolist() == got[1].tolist() == [2e4]


def test_a_label_outside_the_classes_is_refused():
    with Graph().as_default():
        loss = F.sparse_softmax_cross_entropy(np.zeros((2, 3), np.float32), np.int64([1, 3]))[0]
        with pytest.raises(InvalidArgumentError, match=r"label value of 3 .* range of \[0, 3\)"):
            walk([loss])


def test_shapes_are_checked_at_build_and_unknown_ones_kept():
    with Graph().as_default():
        logits = placeholder(float32, (None, 4))
        loss, backprop = F.sparse_softmax_cross_entropy(logits, placeholder(int32, (7,)))
        assert loss.dims == (7,) and backprop.dims == (7, 4)
        with pytest.raises(ValueError, match="Shapes must be equal"):
            F.sparse_softmax_cross_entropy(logits, placeholder(int64, (7, 1)))
        with pytest.raises(ValueError, match="Shapes must be equal"):
            F.softmax_cross_entropy(logits, placeholder(float32, (None, 5)))
