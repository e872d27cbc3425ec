"""tf.contrib.learn.datasets.base. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.learn_datasets": """
            Dataset Datasets load_csv_with_header load_csv_without_header maybe_download""",
    },
)
