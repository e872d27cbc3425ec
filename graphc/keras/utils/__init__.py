"""tf.keras.utils: what is of use around models. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.keras.utils.np_utils": "normalize to_categorical",
        "graphc.keras.utils.generic_utils": "Progbar",
        "graphc.keras.utils.data_utils": "Sequence get_file",
        "graphc.keras.utils.layer_utils": """
            get_source_inputs model_to_dot multi_gpu_model plot_model print_summary""",
        "graphc.keras.utils.random_utils": "set_random_seed",
        "graphc.keras.core.objects": """
            CustomObjectScope custom_object_scope deserialize_keras_object=deserialize_object
            get_custom_objects serialize_keras_object=serialize_object""",
    },
    "np_utils generic_utils data_utils layer_utils",
)
