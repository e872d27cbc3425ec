"""tf.contrib.distributions: tf.distributions and more; imported when first used."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.distributions.base": """
            Distribution FULLY_REPARAMETERIZED NOT_REPARAMETERIZED ReparameterizationType""",
        "graphc.tf1.distributions.kl": "RegisterKL cross_entropy kl_divergence",
        "graphc.tf1.distributions.normal": """
            Cauchy Gumbel HalfNormal Laplace Logistic Normal NormalWithSoftplusScale StudentT
            StudentTWithAbsDfSoftplusScale""",
        "graphc.tf1.distributions.gamma": """
            Beta BetaWithSoftplusConcentration Chi2 Exponential ExponentialWithSoftplusRate Gamma
            GammaWithSoftplusConcentrationRate InverseGamma Uniform""",
        "graphc.tf1.distributions.discrete": """
            Bernoulli BernoulliWithSigmoidProbs Binomial Geometric NegativeBinomial Poisson""",
        "graphc.tf1.distributions.categorical": "Categorical Multinomial OneHotCategorical",
        "graphc.tf1.distributions.dirichlet": "Dirichlet DirichletMultinomial",
        "graphc.tf1.distributions.multivariate": """
            MultivariateNormalDiag MultivariateNormalDiagPlusLowRank
            MultivariateNormalDiagWithSoftplusScale MultivariateNormalFullCovariance
            MultivariateNormalLinearOperator MultivariateNormalTriL""",
        "graphc.tf1.distributions.joined": """
            Deterministic Independent Mixture MixtureSameFamily VectorDeterministic""",
        "graphc.tf1.distributions.transformed": """
            ExpRelaxedOneHotCategorical RelaxedBernoulli RelaxedOneHotCategorical
            TransformedDistribution""",
        "graphc.tf1.distributions.bijectors": "softplus_inverse",
        "graphc.tf1.distributions.tools": """
            fill_triangular fill_triangular_inverse matrix_diag_transform percentile""",
    },
    "bijectors",
)
_missing = missing("tf.contrib.distributions")


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
