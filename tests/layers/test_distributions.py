"""tf.distributions against what TensorFlow computed (fixtures/distributions.json)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import graphc as tf

D = tf.distributions
STORED = json.loads((Path(__file__).parent.parent / "fixtures/distributions.json").read_text())
STATISTICS = ("entropy", "mean", "variance", "stddev", "covariance", "mode")


@pytest.fixture(autouse=True)
def sess():
    tf.reset_default_graph()
    with tf.Session() as session:
        yield session


def build(name, given):
    return getattr(D, name)(**{k: np.array(v, np.float64) for k, v in given.items()})


def values_of(dist, xs):
    x = np.array(xs, dist.dtype.as_numpy_dtype)
    return x.reshape(len(x), *([1] * dist.batch_shape.ndims), *x.shape[1:])


@pytest.mark.parametrize("case", STORED["cases"], ids=lambda c: f"{c['name']}{c['parameters']}")
def test_methods_give_what_tensorflow_gives(case, sess) -> None:
    dist = build(case["name"], case["parameters"])
    for method, want in case["results"].items():
        if method in STATISTICS:
            got = getattr(dist, method)()
        else:
            xs = case["quantiles"] if method == "quantile" else case["values"]
            got = getattr(dist, method)(values_of(dist, xs))
        value = sess.run(got)
        want = np.array(want, np.float64)
        if (case["name"], method) == ("StudentT", "mode"):
            want = np.broadcast_to(want, value.shape)  # TensorFlow forgets the batch there
        assert value.shape == want.shape, method
        assert got.shape.is_compatible_with(want.shape), method
        np.testing.assert_allclose(value, want, rtol=2e-7, atol=1e-12, err_msg=method)
    assert str(dist).split("(", 1)[1] == case["text"]
    assert repr(dist.reparameterization_type) == case["kind"]


@pytest.mark.parametrize("case", STORED["kl"], ids=lambda c: c["a"][0] + c["b"][0])
def test_divergences(case, sess) -> None:
    a, b = build(*case["a"]), build(*case["b"])
    np.testing.assert_allclose(sess.run(D.kl_divergence(a, b)), case["result"], rtol=1e-7)
    np.testing.assert_allclose(sess.run(a.kl_divergence(b)), case["result"], rtol=1e-7)
    entropy = sess.run(a.entropy())
    np.testing.assert_allclose(sess.run(a.cross_entropy(b)), entropy + case["result"], rtol=1e-6)


@pytest.mark.parametrize("case", STORED["cases"], ids=lambda c: f"{c['name']}{c['parameters']}")
def test_samples_have_the_moments(case, sess) -> None:
    dist = build(case["name"], case["parameters"])
    drawn = dist.sample(4000, seed=7)
    assert drawn.dtype is dist.dtype
    assert drawn.shape.as_list() == [4000, *dist.batch_shape.as_list(),
                                     *dist.event_shape.as_list()]  # fmt: skip
    x = sess.run(drawn)
    if case["name"] in ("StudentT", "Categorical"):
        assert np.isfinite(sess.run(dist.log_prob(x))).all()
        return
    mean, stddev = (np.array(case["results"][k]) for k in ("mean", "stddev"))
    np.testing.assert_allclose(x.mean(0), np.broadcast_to(mean, x.shape[1:]),
                               atol=6 * stddev.max() / 4000**0.5)  # fmt: skip
    np.testing.assert_allclose(x.std(0), np.broadcast_to(stddev, x.shape[1:]), rtol=0.25)
