"""tf.keras.backend: functions on tensors and the session; names come when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.keras.core.config": """
            backend epsilon floatx image_data_format image_dim_ordering normalize_data_format
            set_epsilon set_floatx set_image_data_format""",
        "graphc.keras.core.marks": "is_keras_tensor",
        "graphc.keras.core.session": """
            Function batch_get_value batch_set_value clear_session eval function get_session
            get_uid get_value learning_phase learning_phase_scope manual_variable_initialization
            reset_uids set_learning_phase set_session set_value""",
        "graphc.keras.core.math": """
            abs all any argmax argmin cast cast_to_floatx clip cos cumprod cumsum elu equal exp
            greater greater_equal hard_sigmoid in_test_phase in_train_phase l2_normalize less
            less_equal log logsumexp max maximum mean min minimum not_equal ones_like pow prod relu
            round selu sigmoid sign sin softmax softplus softsign sqrt square std stop_gradient sum
            switch tanh var zeros_like""",
        "graphc.keras.core.arrays": """
            arange batch_dot batch_flatten concatenate constant count_params dot dtype eye
            expand_dims flatten gather gradients identity int_shape is_placeholder is_sparse
            is_tensor moving_average_update name_scope ndim one_hot ones permute_dimensions
            placeholder print_tensor random_bernoulli=random_binomial random_binomial random_normal
            random_normal_variable random_uniform random_uniform_variable repeat repeat_elements
            reshape reverse shape slice squeeze stack temporal_padding tile to_dense transpose
            truncated_normal update update_add update_sub variable zeros""",
        "graphc.keras.core.nn": """
            batch_normalization bias_add binary_crossentropy categorical_crossentropy conv1d conv2d
            conv2d_transpose conv3d conv3d_transpose depthwise_conv2d dropout in_top_k
            normalize_batch_in_training pool2d pool3d resize_images resize_volumes separable_conv1d
            separable_conv2d sparse_categorical_crossentropy spatial_2d_padding
            spatial_3d_padding""",
        "graphc.keras.core.local": "local_conv1d local_conv2d",
        "graphc.keras.core.recurrent": "foldl foldr map_fn rnn",
        "graphc.keras.core.ctc": "ctc_batch_cost ctc_decode ctc_label_dense_to_sparse",
    },
)
