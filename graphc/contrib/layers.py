"""tf.contrib.layers: layer functions, initializers, regularizers; imported when first used."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.contrib._layers_dense": """
            bias_add dropout embed_sequence flatten fully_connected linear one_hot_encoding relu
            relu6 repeat softmax stack unit_norm""",
        "graphc.contrib._layers_norm": "batch_norm instance_norm layer_norm",
        "graphc.contrib._layers_conv": """
            avg_pool2d avg_pool3d conv1d conv2d conv2d_transpose conv3d
            conv3d_transpose convolution convolution1d convolution2d convolution2d_transpose
            convolution3d convolution3d_transpose max_pool2d max_pool3d separable_conv2d
            separable_convolution2d""",
        "graphc.contrib._initializers": """
            variance_scaling_initializer xavier_initializer xavier_initializer_conv2d""",
        "graphc.tf1.regularizers": """
            apply_regularization l1_l2_regularizer l1_regularizer l2_regularizer sum_regularizer""",
        "graphc.contrib._optimize": "OPTIMIZER_CLS_NAMES OPTIMIZER_SUMMARIES optimize_loss",
        "graphc.contrib._summaries": """
            summarize_activation summarize_activations summarize_collection summarize_tensor
            summarize_tensors""",
        "graphc.contrib._sparse": "dense_to_sparse",
        "graphc.tf1.api_sparse_embedding": "safe_embedding_lookup_sparse",
        "graphc.contrib._columns": """
            bucketized_column create_feature_spec_for_parsing crossed_column embedding_column
            input_from_feature_columns one_hot_column parse_feature_columns_from_examples
            real_valued_column sparse_column_with_hash_bucket
            sparse_column_with_integerized_feature sparse_column_with_keys
            sparse_column_with_vocabulary_file weighted_sparse_column
            weighted_sum_from_feature_columns""",
        "graphc.contrib._slim": "utils",
        "graphc.contrib._paths": "python=layers_python",
    },
)
_missing = missing("tf.contrib.layers")


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
