"""Activations, softmax, bias, normalisation records: kernels, gradients, edges, shape rules."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.autodiff.checks import check_gradients
from graphc.autodiff.gradients import gradients
from graphc.ir.dtypes import float16, float32, float64, int32
from graphc.ir.graph import Graph
from graphc.ops.define import F
from tests.ops.checks import (
    Case,
    check_gradient,
    check_kernel,
    placeholder,
    records,
    samples_of,
    walk,
)

RECORDS = records("nn", "normalize")


@pytest.mark.parametrize("op", [r for r in RECORDS if r.kernel], ids=lambda r: r.name)
@pytest.mark.parametrize("dtype", [float32, float64, float16, int32], ids=str)
def test_kernel_agrees_with_the_reference(op, dtype):
    if dtype not in op.dtypes["T"]:
        pytest.skip("not of this op")
    loose = {"rtol": 4e-3, "atol": 4e-3} if dtype is float16 else {}
    check_kernel(op, dtype, **loose)


@pytest.mark.parametrize("op", [r for r in RECORDS if r.grad], ids=lambda r: r.name)
def test_first_and_second_gradients_agree_with_differences(op):
    check_gradient(op)


@pytest.mark.parametrize("name", ["relu", "relu6", "elu", "selu", "leaky_relu"])
def test_gradient_at_the_kink(name):
    with Graph().as_default():
        x = placeholder(float32, (1,))
        g = gradients(getattr(F, name)(x), x)[0]
        got = float(walk([g], {x: np.zeros(1, np.float32)})[0][0])
    want = {"elu": 1.0, "selu": 1.0507009873554805, "leaky_relu": 0.2}.get(name, 0.0)
    assert got == pytest.approx(want, rel=1e-6)


def test_relu_keeps_nan():
    with Graph().as_default():
        assert np.isnan(walk([F.relu(np.float32([np.nan]))])[0][0])


def test_softmax_of_large_logits_is_exact_and_of_infinite_ones_nan():
    rows = np.float32([[1000, 0, -1000], [np.inf, 0, 0], [-np.inf, 0, 0], [-np.inf] * 3])
    with Graph().as_default():
        got = walk([F.softmax(rows)])[0]
    np.testing.assert_array_equal(got[0], [1, 0, 0])
    assert np.isnan(got[1]).any() and np.isnan(got[3]).all()
    np.testing.assert_array_equal(got[2], np.float32([0, 0.5, 0.5]))


def test_bias_add_checks_its_shapes():
    with Graph().as_default():
        x = placeholder(float32, (None, 4))
        assert F.bias_add(x, placeholder(float32, (4,))).dims == (None, 4)
        assert F.bias_add(placeholder(float32, (2, None)), placeholder(float32, (4,))).dims == (2, 4)
        with pytest.raises(ValueError, match="Dimensions must be equal, but are 4 and 3"):
            F.bias_add(x, placeholder(float32, (3,)))
        with pytest.raises(ValueError, match="Shape must be rank 1 but is rank 2"):
            F.bias_add(x, placeholder(float32, (1, 4)))


def test_bias_gradient_of_unknown_rank():
    with Graph().as_default():
        x, b = placeholder(float32, None), placeholder(float32, (3,))
        g = gradients(F.bias_add(x, b), b)[0]
        got = walk([g], {x: np.ones((2, 4, 3), np.float32), b: np.zeros(3, np.float32)})[0]
    assert got.tolist() == [8, 8, 8]


@pytest.mark.parametrize("op", [r for r in RECORDS if r.expand], ids=lambda r: r.name)
@pytest.mark.parametrize("dtype", [float32, float16], ids=str)
def test_expansion_agrees_with_the_reference(op, dtype):
    for sample in samples_of(op):
        case = Case(op, sample, dtype)
        want, got = case.reference(), walk(case.node.op.expand(case.node), case.values)
        for w, g, out in zip(want, got, case.node.outputs, strict=True):
            assert g.dtype == out.dtype.np
            loose = 1e-5 if dtype is float32 else 2e-2
            np.testing.assert_allclose(g.astype(float), w.astype(float), loose, loose)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_gradients_agree_with_differences(training):
    rng = np.random.default_rng(0)
    with Graph().as_default():
        x = placeholder(float64, (3, 2, 2, 4))
        rest = [placeholder(float64, (4,)) for _ in range(4)]
        y = F.fused_batch_norm(x, *rest, epsilon=1e-3, is_training=training)[0]
        feeds = {t: rng.uniform(0.5, 2.0, t.dims) for t in (x, *rest)}
        check_gradients(y, [x, *rest[: 2 if training else 4]], feeds, order=2)


def test_batch_norm_checks_its_channels():
    with Graph().as_default():
        x, four, three = (placeholder(float32, s) for s in ((None, 4), (4,), (3,)))
        with pytest.raises(ValueError, match="Dimensions must be equal, but are 4 and 3"):
            F.fused_batch_norm(x, four, three, four, four)
        y = F.fused_batch_norm(placeholder(float16, (2, 3, 3, None)), four, four, four, four)
        assert y[0].dtype is float16 and y[1].dtype is float32 and y[1].dims == (4,)
