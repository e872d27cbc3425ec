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
        "graphc.tf1.api_ctc": "ctc_beam_search_decoder ctc_greedy_decoder ctc_loss",
        "graphc.tf1.api_conv": """
            atrous_conv2d conv1d conv2d conv3d convolution depthwise_conv2d
            depthwise_conv2d_native separable_conv2d""",
        "graphc.tf1.api_conv_back": """
            atrous_conv2d_transpose conv1d_transpose conv2d_backprop_filter
            conv2d_backprop_input conv2d_transpose conv3d_backprop_filter
            conv3d_backprop_filter_v2 conv3d_transpose conv_transpose
            depthwise_conv2d_native_backprop_filter depthwise_conv2d_native_backprop_input""",
        "graphc.tf1.api_pool": """
            avg_pool avg_pool1d avg_pool2d avg_pool3d local_response_normalization lrn max_pool
            max_pool1d max_pool2d max_pool3d max_pool_with_argmax max_pool_v2=max_pool2d pool""",
        "graphc.tf1.api_image": "depth_to_space space_to_batch space_to_depth",
        "graphc.tf1.api_math": "log_sigmoid sigmoid tanh",
        "graphc.tf1.api_ctc_dense": "ctc_loss_v2",
        "graphc.tf1.api_sampling": """
            all_candidate_sampler compute_accidental_hits fixed_unigram_candidate_sampler
            learned_unigram_candidate_sampler log_uniform_candidate_sampler nce_loss
            sampled_softmax_loss uniform_candidate_sampler""",
        "graphc.tf1.api_sparse_embedding":
            "embedding_lookup_sparse safe_embedding_lookup_sparse",
        "graphc.tf1.api_array": "top_k",
        "graphc.tf1.rnn": "bidirectional_dynamic_rnn dynamic_rnn raw_rnn",
        "graphc.tf1.rnn_static": """
            rnn_cell static_bidirectional_rnn static_rnn static_state_saving_rnn""",
    },
)
