"""tf.feature_column: from raw features to what models read. Names are imported when first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.feature_column_categorical": """
            categorical_column_with_hash_bucket categorical_column_with_identity
            categorical_column_with_vocabulary_file categorical_column_with_vocabulary_list
            crossed_column weighted_categorical_column""",
        "graphc.tf1.feature_column_dense": """
            bucketized_column embedding_column indicator_column numeric_column
            shared_embedding_columns""",
        "graphc.tf1.feature_column_model": "input_layer linear_model make_parse_example_spec",
    },
)
