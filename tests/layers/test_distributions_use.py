"""Distributions as scripts use them: names, checks, gradients, mixtures, transformations."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

D = tf.distributions
C = tf.contrib.distributions
B = C.bijectors


@pytest.fixture(autouse=True)
def sess():
    tf.reset_default_graph()
    with tf.Session() as session:
        yield session


# ------------------------------------------------------------------ programs
def test_a_policy_gradient_step(sess) -> None:
    state = tf.placeholder(tf.float32, [None, 4])
    mu = tf.layers.dense(state, 2, tf.nn.tanh)
    sigma = tf.layers.dense(state, 2, tf.nn.softplus)
    dist = tf.distributions.Normal(mu, sigma + 1e-3)
    action = tf.clip_by_value(tf.squeeze(dist.sample(1), axis=0), -2.0, 2.0)
    taken = tf.placeholder(tf.float32, [None, 2])
    reward = tf.placeholder(tf.float32, [None, 1])
    loss = -tf.reduce_mean(dist.log_prob(taken) * reward + 0.01 * dist.entropy())
    train = tf.train.AdamOptimizer(0.01).minimize(loss)
    sess.run(tf.global_variables_initializer())
    rng = np.random.RandomState(0)
    feed = {state: rng.randn(16, 4), taken: rng.randn(16, 2), reward: np.ones((16, 1))}
    assert sess.run(action, feed).shape == (16, 2)
    first = sess.run(loss, feed)
    for _ in range(30):
        sess.run(train, feed)
    assert sess.run(loss, feed) < first


def test_a_variational_autoencoder(sess) -> None:
    x = tf.placeholder(tf.float32, [None, 6])
    hidden = tf.layers.dense(x, 8, tf.nn.relu)
    posterior = C.MultivariateNormalDiag(
        tf.layers.dense(hidden, 2), tf.layers.dense(hidden, 2, tf.nn.softplus)
    )
    prior = C.MultivariateNormalDiag(tf.zeros([2]), tf.ones([2]))
    code = posterior.sample(seed=1)
    likelihood = C.Independent(C.Bernoulli(logits=tf.layers.dense(code, 6)), 1)
    elbo = likelihood.log_prob(x) - C.kl_divergence(posterior, prior)
    assert elbo.shape.as_list() == [None]
    loss = -tf.reduce_mean(elbo)
    train = tf.train.AdamOptimizer(0.02).minimize(loss)
    sess.run(tf.global_variables_initializer())
    data = np.tile([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]], (20, 1)).astype(np.float32)
    first = np.mean([sess.run(loss, {x: data}) for _ in range(5)])
    for _ in range(100):
        sess.run(train, {x: data})
    last = np.mean([sess.run(loss, {x: data}) for _ in range(5)])
    assert last < first - 1 and np.isfinite(last)


def test_actions_of_a_categorical_policy(sess) -> None:
    logits = tf.placeholder(tf.float32, [None, 3])
    dist = tf.distributions.Categorical(logits=logits)
    action = dist.sample(seed=2)
    log_prob = dist.log_prob(action)
    feed = {logits: np.tile(np.log([[0.7, 0.2, 0.1]]), (3000, 1))}
    a, lp, mode = sess.run([action, log_prob, dist.mode()], feed)
    assert a.shape == lp.shape == (3000,) and a.dtype == np.int32
    np.testing.assert_allclose(np.bincount(a) / 3000, [0.7, 0.2, 0.1], atol=0.04)
    np.testing.assert_allclose(np.exp(lp), np.array([0.7, 0.2, 0.1])[a], rtol=1e-5)
    assert np.all(mode == 0)
    grad = tf.gradients(tf.reduce_sum(log_prob), logits)[0]
    one_hot = np.eye(3)[sess.run(action, feed)] - [0.7, 0.2, 0.1]
    assert sess.run(grad, feed).shape == one_hot.shape
    assert tf.gradients(tf.cast(action, tf.float32), logits) == [None]


# ------------------------------------------------------------------ samples
GRADIENTS = {
    "Normal": (lambda p: D.Normal(p[0], p[1]), [0.5, 2.0]),
    "Uniform": (lambda p: D.Uniform(p[0], p[1]), [0.5, 2.0]),
    "Laplace": (lambda p: D.Laplace(p[0], p[1]), [0.5, 2.0]),
    "Gamma": (lambda p: D.Gamma(p[0], p[1]), [1.5, 2.0]),
    "Beta": (lambda p: D.Beta(p[0], p[1]), [1.5, 2.0]),
    "Exponential": (lambda p: D.Exponential(p[0]), [1.5]),
    "InverseGamma": (lambda p: C.InverseGamma(p[0], p[1]), [3.5, 2.0]),
    "Gumbel": (lambda p: C.Gumbel(p[0], p[1]), [0.5, 2.0]),
    "StudentT": (lambda p: D.StudentT(p[0], p[1], p[2]), [6.0, 0.5, 2.0]),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_through_samples_are_those_of_the_mean(name, sess) -> None:
    make, start = GRADIENTS[name]
    p = tf.constant(np.array(start))
    dist = make(p)
    assert dist.reparameterization_type is D.FULLY_REPARAMETERIZED
    sampled = tf.gradients(tf.reduce_mean(dist.sample(20000, seed=5)), p)[0]
    exact = tf.gradients(dist.mean(), p)[0]
    np.testing.assert_allclose(*sess.run([sampled, exact]), rtol=0.1, atol=0.03)


def test_shapes_of_samples(sess) -> None:
    n = tf.placeholder(tf.int32, [None])
    scale = tf.placeholder(tf.float32, [None, 1])
    dist = D.Normal([0.0, 1.0, 2.0], scale)
    feed = {n: [4, 5], scale: [[1.0], [2.0]]}
    assert sess.run(dist.sample(n), feed).shape == (4, 5, 2, 3)
    assert sess.run(dist.sample(), feed).shape == (2, 3)
    assert sess.run(dist.sample([2, 1]), feed).shape == (2, 1, 2, 3)
    assert dist.batch_shape.as_list() == [None, 3] and dist.event_shape.as_list() == []
    assert sess.run(dist.batch_shape_tensor(), feed).tolist() == [2, 3]
    assert sess.run([dist.is_scalar_batch(), dist.is_scalar_event()], feed) == [False, True]
    for other in (D.Gamma(scale, 1.0), D.Beta(scale, [1.0, 2.0]), D.Bernoulli(probs=scale / 4),
                  D.StudentT(3.0, 0.0, scale), C.Poisson(scale)):  # fmt: skip
        x = other.sample(n)
        value, log_prob = sess.run([x, other.log_prob(x)], feed)
        assert value.shape == log_prob.shape == (4, 5, 2, *other.batch_shape.as_list()[1:])


def test_seeds_repeat_samples() -> None:
    draws = []
    for _ in range(2):
        with tf.Graph().as_default(), tf.Session() as sess:
            draws.append(sess.run([D.Normal(0.0, 1.0).sample(3, seed=1),
                                   D.Beta(2.0, 3.0).sample(3, seed=1)]))  # fmt: skip
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(*draws[0])


def test_counts_add_up(sess) -> None:
    probs = np.array([[0.2, 0.5, 0.3], [0.0, 0.0, 1.0]], np.float32)
    for dist in (
        D.Multinomial([7.0, 4.0], probs=probs), D.DirichletMultinomial([7.0, 4.0], probs + 0.5),
    ):
        x = sess.run(dist.sample(500, seed=3))
        assert np.all(x.sum(-1) == [7, 4]) and np.all(x >= 0)
        assert np.isfinite(sess.run(dist.log_prob(x))).all()
    x = sess.run(D.Multinomial([7.0, 4.0], probs=probs).sample(500))
    assert np.all(x[:, 1] == [0, 0, 4])


# ------------------------------------------------------------------ names, parameters, errors
def test_names_and_parameters(sess) -> None:
    a = D.Normal(0.0, [1.0, 2.0])
    b = D.Normal(0.0, 1.0)
    assert (a.name, b.name) == ("Normal/", "Normal_1/")
    assert a.loc.op.name == "Normal/loc" and a.scale.op.name == "Normal/scale"
    assert a.log_prob(0.5).op.name.startswith("Normal/log_prob/")
    assert a.sample().op.name.startswith("Normal/sample/")
    assert sorted(a.parameters) == ["allow_nan_stats", "loc", "name", "scale", "validate_args"]
    assert repr(b) == (
        "<tfp.distributions.Normal 'Normal_1/' batch_shape=() event_shape=() dtype=float32>"
    )
    moved = a.copy(loc=5.0)
    assert type(moved) is D.Normal
    assert sess.run(moved.mean()).tolist() == [5, 5]
    soft = C.NormalWithSoftplusScale(0.0, 0.0, name="soft")
    assert soft.name == "soft/" and soft.parameters["scale"] == 0.0
    np.testing.assert_allclose(sess.run(soft.copy(scale=1.0).scale), np.log1p(np.e), rtol=1e-6)
    shapes = D.Normal.param_static_shapes([3, 2])
    assert {k: v.as_list() for k, v in shapes.items()} == {"loc": [3, 2], "scale": [3, 2]}
    assert sess.run(D.Gamma.param_shapes([4])["rate"]).tolist() == [4]


def test_errors_while_a_distribution_is_made() -> None:
    with pytest.raises(ValueError, match="Expected floating point type, got <dtype: 'int32'>"):
        D.Normal(0, 1)
    with pytest.raises(ValueError, match="Must pass probs or logits, but not both"):
        D.Bernoulli()
    with pytest.raises(ValueError, match="Must pass probs or logits, but not both"):
        D.Categorical([1.0], [1.0])
    with pytest.raises(NotImplementedError, match="quantile is not implemented: Laplace"):
        D.Laplace(0.0, 1.0).quantile(0.5)
    with pytest.raises(NotImplementedError, match=r"No KL\(distribution_a \|\| distribution_b\)"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Gamma(1.0, 1.0))
    with pytest.raises(ValueError, match="already been registered"):
        D.RegisterKL(D.Normal, D.Normal)(lambda a, b, name=None: None)
    with pytest.raises(ValueError, match="Cannot infer"):
        C.MultivariateNormalDiag()
    with pytest.raises(AttributeError, match="is not supported by graphc"):
        C.VectorDiffeomixture
    # the dtype of what has one holds for the others
    assert D.Normal(np.zeros(2), 1.0).dtype is tf.float64
    assert D.Normal(0, tf.constant([1.0])).dtype is tf.float32


def test_arguments_are_validated_when_run(sess) -> None:
    error = tf.errors.InvalidArgumentError
    p = tf.placeholder(tf.float32, [])
    cases = [
        (D.Normal(0.0, p, validate_args=True).mean(), 1.0, -1.0),
        (D.Gamma(p, 1.0, validate_args=True).mean(), 1.0, 0.0),
        (D.Uniform(p, 2.0, validate_args=True).mean(), 1.0, 3.0),
        (D.Bernoulli(probs=p, validate_args=True).mean(), 0.5, 1.5),
        (D.Categorical(probs=[p, 0.5], validate_args=True).mode(), 0.5, 0.6),
        (D.Gamma(1.0, 1.0, validate_args=True).log_prob(p), 1.0, -1.0),
        (D.Beta(1.0, 1.0, validate_args=True).log_prob(p), 0.5, 1.5),
        (C.Poisson(1.0, interpolate_nondiscrete=False, validate_args=True).log_prob(p), 2.0, 1.5),
        (D.Bernoulli(0.3, validate_args=True).log_prob(tf.cast(p, tf.int32)), 1, 2),
        (C.MultivariateNormalDiag([0.0], [p], validate_args=True).stddev(), 1.0, 0.0),
    ]
    for number, (value, good, bad) in enumerate(cases):
        sess.run(value, {p: good})
        with pytest.raises(error):
            sess.run(value, {p: bad})
            pytest.fail(f"case {number}")


def test_undefined_statistics(sess) -> None:
    assert np.isnan(sess.run(D.StudentT(0.5, 0.0, 1.0).mean()))
    assert sess.run(D.StudentT(1.5, 0.0, 1.0).variance()) == np.inf
    assert sess.run(D.Beta([0.5, 2.0], 3.0).mode())[1] == pytest.approx(1 / 3)
    for make in (
        lambda: D.StudentT(0.5, 0.0, 1.0, allow_nan_stats=False).mean(),
        lambda: D.Gamma(0.5, 1.0, allow_nan_stats=False).mode(),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError):
            sess.run(make())
    with pytest.raises(ValueError, match="undefined for Cauchy"):
        C.Cauchy(0.0, 1.0, allow_nan_stats=False).mean()


def test_a_distribution_of_the_users_own(sess) -> None:
    class Triangle(D.Distribution):
        def __init__(self, name="Triangle"):
            super().__init__(tf.float32, D.NOT_REPARAMETERIZED, False, True, dict(locals()),
                             name=name)  # fmt: skip

        def _batch_shape(self):
            return tf.TensorShape([])

        def _event_shape(self):
            return tf.TensorShape([])

        def _prob(self, x):
            return 2.0 * x

        def _cdf(self, x):
            return tf.square(x)

        def _sample_n(self, n, seed=None):
            return tf.sqrt(tf.random_uniform([n], seed=seed))

    dist = Triangle()
    got = sess.run([dist.log_prob(0.5), dist.survival_function(0.5), dist.log_cdf(0.5)])
    np.testing.assert_allclose(got, [0.0, 0.75, np.log(0.25)], atol=1e-6)
    assert sess.run(dist.sample([2, 3])).shape == (2, 3)
    with pytest.raises(NotImplementedError, match="entropy is not implemented: Triangle"):
        dist.entropy()

    @D.RegisterKL(Triangle, D.Distribution)
    def _kl(a, b, name=None):
        return tf.constant(7.0)

    assert sess.run(D.kl_divergence(dist, D.Normal(0.0, 1.0))) == 7


# ------------------------------------------------------------------ distributions of others
def test_independent(sess) -> None:
    inner = D.Normal(np.zeros((2, 3)), 1.0)
    outer = C.Independent(inner, 1)
    assert outer.batch_shape.as_list() == [2] and outer.event_shape.as_list() == [3]
    x = np.random.RandomState(0).randn(4, 2, 3)
    got, want = sess.run([outer.log_prob(x), tf.reduce_sum(inner.log_prob(x), -1)])
    np.testing.assert_allclose(got, want)
    assert sess.run(outer.sample(5)).shape == (5, 2, 3)
    assert sess.run(outer.entropy()).shape == (2,)
    both = C.kl_divergence(outer, C.Independent(D.Normal(np.ones((2, 3)), 1.0), 1))
    np.testing.assert_allclose(sess.run(both), [1.5, 1.5])
    with pytest.raises(ValueError, match="cannot exceed"):
        C.Independent(inner, 3)


def test_mixtures(sess) -> None:
    weights, loc, scale = np.array([0.3, 0.7]), np.array([-1.0, 2.0]), np.array([0.5, 1.0])
    x = np.array([-2.0, 0.0, 1.5])
    density = (weights * np.exp(-0.5 * ((x[:, None] - loc) / scale) ** 2) / scale).sum(1)
    density /= np.sqrt(2 * np.pi)
    mean = weights @ loc
    variance = weights @ (scale**2 + (loc - mean) ** 2)
    cat = D.Categorical(probs=weights)
    same = C.MixtureSameFamily(cat, D.Normal(loc, scale))
    apart = C.Mixture(cat, [D.Normal(loc[k], scale[k]) for k in range(2)])
    for mixture in (same, apart):
        np.testing.assert_allclose(sess.run(mixture.prob(x)), density, rtol=1e-7)
        np.testing.assert_allclose(sess.run(mixture.mean()), mean)
        np.testing.assert_allclose(sess.run(mixture.variance()), variance)
        drawn = sess.run(mixture.sample(4000, seed=2))
        np.testing.assert_allclose([drawn.mean(), drawn.var()], [mean, variance], rtol=0.1)
    np.testing.assert_allclose(*sess.run([same.cdf(x), apart.cdf(x)]))
    bound = sess.run(apart.entropy_lower_bound())
    assert bound < -np.mean(np.log(sess.run(apart.prob(apart.sample(4000)))))
    vectors = C.MixtureSameFamily(
        cat, C.MultivariateNormalDiag(np.stack([loc, -loc]), np.ones((2, 2)))
    )
    assert vectors.event_shape.as_list() == [2] and vectors.batch_shape.as_list() == []
    drawn = sess.run(vectors.sample(4000, seed=1))
    np.testing.assert_allclose(np.cov(drawn.T), sess.run(vectors.covariance()), atol=0.3)
    batch = C.Mixture(
        D.Categorical(logits=np.zeros((3, 2), np.float32)),
        [D.Normal([-5.0, -5, -5], 0.1), D.Normal([5.0, 5, 5], 0.1)],
    )
    signs = np.sign(sess.run(batch.sample(300)))
    assert np.all(np.abs(signs.mean(0)) < 0.3) and np.sum(signs[:, 0] != signs[:, 1]) > 10
    with pytest.raises(ValueError, match=r"2 vs\. 1"):
        C.Mixture(cat, [D.Normal(0.0, 1.0)])
    with pytest.raises(TypeError, match="must be a Categorical"):
        C.Mixture(D.Normal(0.0, 1.0), [D.Normal(0.0, 1.0)])


def test_deterministic(sess) -> None:
    dist = C.Deterministic([1.0, 2.0], atol=0.1)
    assert sess.run(dist.prob([1.05, 2.2])).tolist() == [1, 0]
    assert sess.run(dist.cdf([1.05, 1.0])).tolist() == [1, 0]
    assert sess.run(dist.sample(2)).tolist() == [[1, 2], [1, 2]]
    assert sess.run([dist.mean(), dist.stddev()])[1].tolist() == [0, 0]
    vector = C.VectorDeterministic([[1.0, 2.0]])
    assert vector.event_shape.as_list() == [2]
    assert sess.run(vector.prob([[1.0, 2.0]])).tolist() == [1]
    assert sess.run(vector.log_prob([[1.0, 2.1]])).tolist() == [-np.inf]


def test_relaxed_classes(sess) -> None:
    logits = tf.constant([1.0, 0.0, -1.0])
    dist = C.RelaxedOneHotCategorical(0.5, logits=logits)
    x = dist.sample(2000, seed=1)
    got = sess.run(x)
    np.testing.assert_allclose(got.sum(-1), 1, rtol=1e-5)
    share = np.bincount(got.argmax(-1)) / 2000
    np.testing.assert_allclose(share, np.exp([1, 0, -1]) / np.exp([1, 0, -1]).sum(), atol=0.05)
    # the density of the Concrete distribution, as its paper gives it
    point, t, alpha = np.array([0.5, 0.3, 0.2]), 0.5, np.exp([1.0, 0.0, -1.0])
    want = 2 * t**2 * np.prod(alpha * point ** (-t - 1)) / np.sum(alpha * point**-t) ** 3
    value = sess.run(dist.prob(point.astype(np.float32)))
    np.testing.assert_allclose(value, want, rtol=1e-4)
    grads = sess.run(tf.gradients(tf.reduce_sum(x[:, 0]), logits))[0]
    assert grads[0] > 0 > grads[1]
    coin = C.RelaxedBernoulli(0.3, probs=0.8)
    drawn = sess.run(coin.sample(3000, seed=1))
    assert np.all((drawn >= 0) & (drawn <= 1)) and abs((drawn > 0.5).mean() - 0.8) < 0.04
    grid = (np.arange(20000) + 0.5).astype(np.float32) / 20000
    warm = C.RelaxedBernoulli(2.0, probs=0.8)
    np.testing.assert_allclose(sess.run(warm.prob(grid)).mean(), 1, rtol=0.01)


# ------------------------------------------------------------------ bijectors
BIJECTORS = {
    "identity": lambda: B.Identity(),
    "exp": lambda: B.Exp(),
    "sigmoid": lambda: B.Sigmoid(),
    "tanh": lambda: B.Tanh(),
    "softplus": lambda: B.Softplus(),
    "softplus of a hinge": lambda: B.Softplus(hinge_softness=2.0),
    "softsign": lambda: B.Softsign(),
    "power": lambda: B.PowerTransform(0.5),
    "square": lambda: B.Square(),
    "scalar": lambda: B.AffineScalar(np.float64(1.0), np.float64(-2.0)),
    "inverse": lambda: B.Invert(B.Softplus()),
    "chain": lambda: B.Chain([B.Exp(), B.AffineScalar(np.float64(0.5), np.float64(3.0))]),
}


@pytest.mark.parametrize("name", BIJECTORS)
def test_elementwise_bijectors(name, sess) -> None:
    f = BIJECTORS[name]()
    x = np.array([[0.2, 0.7, 1.1]])
    at = tf.constant(x)
    y = f.forward(at)
    assert f.inverse(y) is at
    slope = tf.gradients(y, at)[0]
    values, slopes = sess.run([y, slope])
    again = BIJECTORS[name]()
    np.testing.assert_allclose(sess.run(again.inverse(values)), x, rtol=1e-9)
    log = np.broadcast_to(np.log(np.abs(slopes)), x.shape)
    for axes in (0, 1, 2):
        want = log.sum(tuple(range(-axes, 0))) if axes else log
        got = sess.run(f.forward_log_det_jacobian(at, axes))
        np.testing.assert_allclose(np.broadcast_to(got, want.shape), want, rtol=1e-7, atol=1e-12)
        back = sess.run(again.inverse_log_det_jacobian(values, axes))
        np.testing.assert_allclose(np.broadcast_to(back, want.shape), -want, rtol=1e-7, atol=1e-12)


def test_affine_bijectors(sess) -> None:
    x = np.random.RandomState(0).randn(4, 3)
    shift, diag = np.array([1.0, 2.0, 3.0]), np.array([1.0, -2.0, 0.5])
    tril = np.array([[1.0, 0, 0], [2, 3, 0], [4, 5, 6]])
    cases = [
        (B.Affine(shift), np.eye(3)),
        (B.Affine(shift, 2.0), 2 * np.eye(3)),
        (B.Affine(shift, scale_diag=diag), np.diag(diag)),
        (B.Affine(shift, 1.0, diag, tril), tril + np.diag(diag + 1)),
        (B.AffineLinearOperator(shift, tf.linalg.LinearOperatorLowerTriangular(tril)), tril),
    ]
    for f, matrix in cases:
        y = sess.run(f.forward(x))
        np.testing.assert_allclose(y, x @ matrix.T + shift)
        np.testing.assert_allclose(sess.run(f.inverse(y)), x, rtol=1e-7)
        want = np.log(abs(np.linalg.det(matrix)))
        np.testing.assert_allclose(sess.run(f.forward_log_det_jacobian(x, 1)), want, atol=1e-12)
        np.testing.assert_allclose(
            np.broadcast_to(sess.run(f.inverse_log_det_jacobian(y, 2)), ()), -4 * want, atol=1e-9
        )
    with pytest.raises(ValueError, match="event_ndims must be at least 1"):
        cases[0][0].forward_log_det_jacobian(x, 0)
    mixed = B.Chain([B.Permute([2, 0, 1]), B.Exp(), B.Affine(shift, scale_tril=tril)])
    y = sess.run(mixed.forward(x))
    np.testing.assert_allclose(y, np.exp(x @ tril.T + shift)[:, [2, 0, 1]])
    want = np.log(18.0) + (x @ tril.T + shift).sum(-1)
    np.testing.assert_allclose(sess.run(mixed.forward_log_det_jacobian(x, 1)), want)
    turned = B.Reshape([3, 1], [3])
    assert turned.forward_event_shape([3]).as_list() == [3, 1]
    assert sess.run(turned.inverse(turned.forward(x))).shape == (4, 3)


def test_transformed_distributions(sess) -> None:
    stats = pytest.importorskip("scipy.stats")
    log_normal = C.TransformedDistribution(D.Normal(np.float64(0.3), 0.8), B.Exp(), name="ln")
    theirs = stats.lognorm(0.8, scale=np.exp(0.3))
    x = np.array([0.1, 1.0, 4.0])
    np.testing.assert_allclose(sess.run(log_normal.log_prob(x)), theirs.logpdf(x))
    np.testing.assert_allclose(sess.run(log_normal.cdf(x)), theirs.cdf(x))
    np.testing.assert_allclose(sess.run(log_normal.quantile([0.2, 0.9])), theirs.ppf([0.2, 0.9]))
    drawn = log_normal.sample(5, seed=1)
    value, density = sess.run([drawn, log_normal.log_prob(drawn)])
    np.testing.assert_allclose(density, theirs.logpdf(value))
    with pytest.raises(NotImplementedError):
        log_normal.mean()
    tril = np.array([[1.0, 0.0], [0.5, 2.0]])
    normal = C.TransformedDistribution(
        D.Normal(np.float64(0.0), 1.0), B.Affine(np.array([1.0, -1.0]), scale_tril=tril),
        event_shape=[2],
    )  # fmt: skip
    want = stats.multivariate_normal([1.0, -1.0], tril @ tril.T)
    points = np.random.RandomState(0).randn(5, 2)
    np.testing.assert_allclose(sess.run(normal.log_prob(points)), want.logpdf(points))
    assert sess.run(normal.sample([3, 4])).shape == (3, 4, 2)
    assert normal.event_shape.as_list() == [2]
    batch = C.TransformedDistribution(
        D.Normal(np.zeros(3), 1.0), B.Exp(), event_shape=[2], name="batch"
    )
    assert sess.run(batch.sample(6)).shape == (6, 3, 2)
    assert sess.run(batch.log_prob(np.ones((6, 3, 2)))).shape == (6, 3)
    with pytest.raises(ValueError, match="batch_shape may only be given"):
        C.TransformedDistribution(D.Normal(np.zeros(3), 1.0), B.Exp(), batch_shape=[2])


def test_softplus_inverse(sess) -> None:
    y = sess.run(tf.nn.softplus(C.softplus_inverse(np.array([0.1, 1.0, 30.0]))))
    np.testing.assert_allclose(y, [0.1, 1.0, 30.0])
