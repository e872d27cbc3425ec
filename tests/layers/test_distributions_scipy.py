"""Distributions that TensorFlow 2 has no more, against SciPy; samples and their gradients."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

stats = pytest.importorskip("scipy.stats")

C = tf.contrib.distributions
REAL = np.array([-30.0, -3.0, -0.4, 0.0, 0.7, 2.0, 25.0])
POSITIVE = np.array([0.01, 0.3, 1.0, 2.5, 12.0])
COUNTS = np.arange(8.0)
UNIT = np.array([1e-300, 1e-12, 0.001, 0.2, 0.5, 0.97, 1 - 1e-9])


@pytest.fixture(autouse=True)
def sess():
    tf.reset_default_graph()
    with tf.Session() as session:
        yield session


f8 = np.float64
CASES = {
    "Logistic": (lambda: C.Logistic(f8(0.5), f8(2.0)), lambda: stats.logistic(0.5, 2), REAL),
    "Gumbel": (lambda: C.Gumbel(f8(0.5), f8(2.0)), lambda: stats.gumbel_r(0.5, 2), REAL),
    "Cauchy": (lambda: C.Cauchy(f8(0.5), f8(2.0)), lambda: stats.cauchy(0.5, 2), REAL),
    "HalfNormal": (lambda: C.HalfNormal(f8(2.0)), lambda: stats.halfnorm(0, 2), POSITIVE),
    "InverseGamma": (
        lambda: C.InverseGamma(f8(3.0), f8(2.0)), lambda: stats.invgamma(3, scale=2), POSITIVE,
    ),
    "Chi2": (lambda: C.Chi2(f8(3.0)), lambda: stats.chi2(3), POSITIVE),
    "Exponential": (lambda: C.Exponential(f8(3.0)), lambda: stats.expon(scale=1 / 3), POSITIVE),
    "StudentT": (lambda: C.StudentT(f8(4.5), 0.5, 2.0), lambda: stats.t(4.5, 0.5, 2), REAL),
    "Normal": (lambda: C.Normal(f8(0.5), f8(2.0)), lambda: stats.norm(0.5, 2), REAL),
    "Binomial": (lambda: C.Binomial(f8(9.0), probs=f8(0.3)), lambda: stats.binom(9, 0.3), COUNTS),
    "Poisson": (lambda: C.Poisson(f8(2.5)), lambda: stats.poisson(2.5), COUNTS),
    "Geometric": (lambda: C.Geometric(probs=f8(0.3)), lambda: stats.geom(0.3, loc=-1), COUNTS),
    "NegativeBinomial": (
        lambda: C.NegativeBinomial(f8(4.0), probs=f8(0.3)), lambda: stats.nbinom(4, 0.7), COUNTS,
    ),
}  # fmt: skip
PAIRS = {
    "log_prob": ("logpdf", "logpmf"), "prob": ("pdf", "pmf"), "cdf": ("cdf", "cdf"),
    "survival_function": ("sf", "sf"), "log_cdf": ("logcdf", "logcdf"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_against_scipy(name, sess) -> None:
    make, theirs, xs = CASES[name]
    ours, theirs = make(), theirs()
    discrete = xs is COUNTS
    for method, names in PAIRS.items():
        try:
            got = sess.run(getattr(ours, method)(xs))
        except NotImplementedError:
            assert name in ("Binomial", "NegativeBinomial") and method not in ("prob", "log_prob")
            continue
        want = getattr(theirs, names[discrete])(xs)
        # what is computed as 1 - x or log(1 - x) has no more digits than that
        loose = method in ("survival_function", "log_cdf")
        np.testing.assert_allclose(
            got, want, rtol=1e-6 if loose else 1e-9, atol=1e-15, err_msg=method
        )
    for method, ours_of in (("mean", ours.mean), ("var", ours.variance), ("std", ours.stddev)):
        want = getattr(theirs, method)()
        np.testing.assert_allclose(sess.run(ours_of()), want, rtol=1e-9, err_msg=method)
    if not discrete or name == "Geometric":
        np.testing.assert_allclose(sess.run(ours.entropy()), theirs.entropy(), rtol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_samples_follow_the_distribution(name, sess) -> None:
    make, theirs, xs = CASES[name]
    x = sess.run(make().sample([50, 80], seed=3)).reshape(-1)
    if xs is COUNTS:
        counts = np.array([(x == k).mean() for k in COUNTS])
        np.testing.assert_allclose(counts, theirs().pmf(COUNTS), atol=0.03)
        assert np.all(x == np.floor(x))
    else:
        assert stats.kstest(x, theirs().cdf).pvalue > 1e-4


@pytest.mark.parametrize("name", ["Normal", "Logistic", "Gumbel", "Cauchy", "Exponential"])
def test_quantiles(name, sess) -> None:
    make, theirs, _ = CASES[name]
    got = sess.run(make().quantile(UNIT))
    np.testing.assert_allclose(got, theirs().ppf(UNIT), rtol=1e-7)


def test_quantiles_of_the_normal_at_the_ends(sess) -> None:
    got = sess.run(C.Normal(0.0, 1.0).quantile([0.0, 1.0, -0.1, 1.1, float("nan"), 0.5]))
    np.testing.assert_array_equal(got, [-np.inf, np.inf, np.nan, np.nan, np.nan, 0.0])
    x = tf.constant([0.3, 0.01])
    (slope,) = tf.gradients(C.Normal(0.0, 1.0).quantile(x), x)
    want = 1 / stats.norm.pdf(stats.norm.ppf([0.3, 0.01]))
    np.testing.assert_allclose(sess.run(slope), want, rtol=1e-4)


def test_tails_of_the_normal_in_float32(sess) -> None:
    x = np.array([-200.0, -15.0, -9.9, -10.1, 0.0, 6.0, 30.0], np.float32)
    normal = C.Normal(0.0, 1.0)
    got = sess.run(normal.log_cdf(x))
    np.testing.assert_allclose(got, stats.norm.logcdf(x), rtol=1e-5, atol=1e-30)
    at = tf.constant(x)
    (slope,) = tf.gradients(normal.log_cdf(at), at)
    want = np.exp(stats.norm.logpdf(x.astype(float)) - stats.norm.logcdf(x.astype(float)))
    np.testing.assert_allclose(sess.run(slope), want, rtol=2e-3, atol=1e-6)


# ------------------------------------------------------------------ several dimensions
LOC = np.array([1.0, -2.0, 0.5])
TRIL = np.array([[1.0, 0, 0], [0.5, 2.0, 0], [-0.3, 0.2, 0.7]])


def test_multivariate_normals(sess) -> None:
    x = np.random.RandomState(0).randn(4, 3)
    cov = TRIL @ TRIL.T
    makers = {
        "tril": (C.MultivariateNormalTriL(LOC, TRIL), cov),
        "full": (C.MultivariateNormalFullCovariance(LOC, cov), cov),
        "diag": (C.MultivariateNormalDiag(LOC, [1.0, 2.0, 0.5]), np.diag([1.0, 4.0, 0.25])),
        "scaled": (C.MultivariateNormalDiag(LOC, None, 2.0), 4 * np.eye(3)),
        "both": (
            C.MultivariateNormalDiag(LOC, [1.0, 2.0, 0.5], 1.0), np.diag([4.0, 9.0, 2.25])
        ),
        "low rank": (
            C.MultivariateNormalDiagPlusLowRank(
                LOC, [1.0, 1.0, 1.0], None, np.array([[1.0], [0.5], [0.0]]), [0.3]
            ),
            None,
        ),
    }  # fmt: skip
    for name, (ours, covariance) in makers.items():
        if covariance is None:
            u = np.array([[1.0], [0.5], [0.0]])
            factor = np.eye(3) + 0.3 * u @ u.T
            covariance = factor @ factor.T
        theirs = stats.multivariate_normal(LOC, covariance)
        assert ours.event_shape.as_list() == [3] and ours.batch_shape.as_list() == []
        got = sess.run({
            "log_prob": ours.log_prob(x), "entropy": ours.entropy(), "mean": ours.mean(),
            "covariance": ours.covariance(), "variance": ours.variance(),
            "stddev": ours.stddev(), "mode": ours.mode(),
        })  # fmt: skip
        want = {
            "log_prob": theirs.logpdf(x), "entropy": theirs.entropy(), "mean": LOC, "mode": LOC,
            "covariance": covariance, "variance": np.diag(covariance),
            "stddev": np.sqrt(np.diag(covariance)),
        }  # fmt: skip
        for key, value in want.items():
            np.testing.assert_allclose(got[key], value, rtol=1e-9, err_msg=f"{name} {key}",
                                       atol=1e-12)  # fmt: skip
        drawn = sess.run(ours.sample(3000, seed=1))
        np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.5)
        np.testing.assert_allclose(drawn.mean(0), LOC, atol=0.3)


def test_divergence_of_multivariate_normals(sess) -> None:
    other_cov = np.diag([1.0, 4.0, 0.25])
    a = C.MultivariateNormalTriL(LOC, TRIL)
    b = C.MultivariateNormalDiag(np.zeros(3), [1.0, 2.0, 0.5])
    cov = TRIL @ TRIL.T
    inv = np.linalg.inv(other_cov)
    want = 0.5 * (
        np.trace(inv @ cov) + LOC @ inv @ LOC - 3
        + np.log(np.linalg.det(other_cov) / np.linalg.det(cov))
    )  # fmt: skip
    np.testing.assert_allclose(sess.run(C.kl_divergence(a, b)), want)
    same = C.MultivariateNormalDiag(LOC, [1.0, 2.0, 0.5])
    np.testing.assert_allclose(sess.run(C.kl_divergence(same, b)), 0.5 * LOC @ inv @ LOC)


def test_one_hot_categorical(sess) -> None:
    p = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    dist = C.OneHotCategorical(probs=p)
    x = sess.run(dist.sample(2000, seed=4))
    assert x.shape == (2000, 2, 3) and x.dtype == np.int32
    assert np.all(x.sum(-1) == 1)
    np.testing.assert_allclose(x.mean(0), p, atol=0.05)
    np.testing.assert_allclose(sess.run(dist.prob(np.eye(3)[:, None])), p.T)
    assert sess.run(dist.mode()).tolist() == [[0, 1, 0], [0, 0, 1]]
    cov = sess.run(dist.covariance())
    np.testing.assert_allclose(cov[0], np.diag(p[0]) - np.outer(p[0], p[0]))
    np.testing.assert_allclose(sess.run(dist.entropy()), stats.entropy(p, axis=1))
    other = C.OneHotCategorical(logits=np.zeros((2, 3)))
    np.testing.assert_allclose(sess.run(C.kl_divergence(dist, other)),
                               stats.entropy(p, np.full((2, 3), 1 / 3), axis=1))  # fmt: skip


# ------------------------------------------------------------------ divergences by quadrature
DIVERGENCES = [
    (lambda: C.Laplace(f8(0.3), f8(1.2)), lambda: C.Laplace(f8(-1.0), f8(0.7)), REAL),
    (lambda: C.Gumbel(f8(0.3), f8(1.2)), lambda: C.Gumbel(f8(-1.0), f8(2.0)), REAL),
    (lambda: C.HalfNormal(f8(1.2)), lambda: C.HalfNormal(f8(2.0)), POSITIVE),
    (lambda: C.InverseGamma(f8(3.0), f8(2.0)), lambda: C.InverseGamma(f8(2.0), f8(1.0)), POSITIVE),
    (lambda: C.Uniform(f8(0.0), f8(1.0)), lambda: C.Uniform(f8(-1.0), f8(3.0)), POSITIVE),
    (lambda: C.Poisson(f8(2.5)), lambda: C.Poisson(f8(4.0)), COUNTS),
    (lambda: C.Geometric(probs=f8(0.3)), lambda: C.Geometric(probs=f8(0.5)), COUNTS),
]


@pytest.mark.parametrize("pair", DIVERGENCES, ids=lambda p: type(p).__name__)
def test_divergences_are_what_their_sums_are(pair, sess) -> None:
    a, b, domain = pair[0](), pair[1](), pair[2]
    if domain is COUNTS:
        x, step = np.arange(200.0), 1.0
    else:
        low = -60.0 if domain is REAL else 0.0
        x = np.linspace(low, 400.0 if domain is POSITIVE else 60.0, 2_000_001)[:-1]
        step = x[1] - x[0]
        x = x + step / 2
    p, q = sess.run([a.log_prob(x), b.log_prob(x)])
    inside = p > -700
    want = (np.exp(p[inside]) * (p[inside] - q[inside])).sum() * step
    np.testing.assert_allclose(sess.run(C.kl_divergence(a, b)), want, rtol=1e-3)
