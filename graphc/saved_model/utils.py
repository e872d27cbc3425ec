"""tf.saved_model.utils: tensors in signatures."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.saved_model_signatures": """
            build_tensor_info build_tensor_info_from_op get_element_from_tensor_info
            get_tensor_from_tensor_info""",
    },
)
