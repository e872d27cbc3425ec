"""tf.nn: neural network functions. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.api_nn": """
            batch_norm_with_global_normalization batch_normalization bias_add crelu dropout elu
            embedding_lookup fused_batch_norm gelu in_top_k l2_loss l2_normalize leaky_relu
            layer_norm log_poisson_loss log_softmax moments normalize_moments relu relu6 relu_layer
            selu sigmoid_cross_entropy_with_logits softmax softmax_cross_entropy_with_logits
            softmax_cross_entropy_with_logits_v2 softplus softsign
            sparse_softmax_cross_entropy_with_logits sufficient_statistics swish
            weighted_cross_entropy_with_logits weighted_moments xw_plus_b zero_fraction silu""",
        "graphc.tf1.api_math": "log_sigmoid sigmoid tanh",
        "graphc.tf1.api_array": "top_k",
    },
)
