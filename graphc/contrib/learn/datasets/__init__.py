"""tf.contrib.learn.datasets. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__, {"graphc.tf1.learn_datasets": "DATASETS load_dataset"}, "base mnist"
)
