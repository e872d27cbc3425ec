"""tf.contrib.slim: layers, arg_scope, losses and variables in one place; imported when used."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.contrib.layers": """
            apply_regularization avg_pool2d avg_pool3d batch_norm bias_add conv1d conv2d
            conv2d_transpose conv3d conv3d_transpose convolution convolution1d convolution2d
            convolution2d_transpose convolution3d convolution3d_transpose dropout
            embed_sequence flatten fully_connected instance_norm l1_l2_regularizer
            l1_regularizer l2_regularizer layer_norm linear max_pool2d max_pool3d one_hot_encoding
            optimize_loss relu relu6 repeat separable_conv2d separable_convolution2d softmax stack
            sum_regularizer summarize_activation summarize_activations summarize_collection
            summarize_tensor summarize_tensors unit_norm variance_scaling_initializer
            xavier_initializer xavier_initializer_conv2d""",
        "graphc.contrib.framework": """
            add_arg_scope add_model_variable arg_scope arg_scoped_arguments
            assert_global_step assign_from_values assign_from_values_fn create_global_step
            current_arg_scope filter_variables get_global_step get_local_variables
            get_model_variables get_or_create_global_step get_trainable_variables
            get_unique_variable get_variable_full_name get_variables get_variables_by_name
            get_variables_by_suffix get_variables_to_restore has_arg_scope local_variable
            model_variable variable""",
        "graphc.contrib._slim": """
            assign_from_checkpoint_fn evaluation learning losses metrics model_analyzer utils""",
        "graphc.contrib._paths": "initializers=slim_initializers python=slim_python",
    },
)
_missing = missing("tf.contrib.slim")


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
