"""tf.contrib.learn.datasets.mnist. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.input_data": """
            DataSet Datasets dense_to_one_hot extract_images extract_labels load_mnist
            read_data_sets""",
    },
)
