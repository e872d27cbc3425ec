"""tf.data: datasets and iterators; names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.data.dataset": """
            Dataset FixedLengthRecordDataset TFRecordDataset TextLineDataset get_output_classes
            get_output_shapes get_output_types make_initializable_iterator
            make_one_shot_iterator""",
        "graphc.data.iterator": "Iterator",
    },
    "experimental",
)
