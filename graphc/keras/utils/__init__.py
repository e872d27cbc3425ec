"""tf.keras.utils: what is of use around models. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.keras.utils.np_utils": "normalize to_categorical",
        "graphc.keras.utils.generic_utils": "Progbar deserialize_keras_object",
        "graphc.keras.utils.data_utils": "Sequence get_file",
        "graphc.keras.utils.enqueuers": "GeneratorEnqueuer OrderedEnqueuer SequenceEnqueuer",
        "graphc.keras.utils.io_utils": "HDF5Matrix",
        "graphc.keras.utils.kernels": "convert_all_kernels_in_model",
        "graphc.keras.utils.layer_utils": "get_source_inputs multi_gpu_model print_summary",
        "graphc.keras.utils.vis_utils": "model_to_dot plot_model",
        "graphc.keras.utils.random_utils": "set_random_seed",
        "graphc.keras.utils.registered": """
            get_registered_name get_registered_object register_keras_serializable""",
        "graphc.keras.core.objects": """
            CustomObjectScope custom_object_scope get_custom_objects
            serialize_keras_object=serialize_object""",
        "graphc.keras.preprocessing.image": "array_to_img img_to_array load_img save_img",
        "graphc.keras.preprocessing.sequence": "pad_sequences",
    },
    """
        conv_utils data_utils generic_utils io_utils layer_utils np_utils training_utils
        vis_utils""",
)
