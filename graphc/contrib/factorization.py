"""tf.contrib.factorization: k-means clustering."""

from __future__ import annotations

from graphc.contrib import missing
from graphc.tf1.kmeans import (
    COSINE_DISTANCE,
    KMC2_INIT,
    KMEANS_PLUS_PLUS_INIT,
    RANDOM_INIT,
    SQUARED_EUCLIDEAN_DISTANCE,
    KMeans,
)

__all__ = [
    "COSINE_DISTANCE",
    "KMC2_INIT",
    "KMEANS_PLUS_PLUS_INIT",
    "RANDOM_INIT",
    "SQUARED_EUCLIDEAN_DISTANCE",
    "KMeans",
]  # fmt: skip

__getattr__ = missing(
    "tf.contrib.factorization",
    {
        "GMM": "use tf.contrib.distributions.MixtureSameFamily",
        "KMeansClustering": "use KMeans, or scikit-learn",
    },
)
