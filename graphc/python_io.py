"""tf.python_io: files of records. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.interop.record_io": """
            TFRecordCompressionType TFRecordOptions TFRecordWriter tf_record_iterator""",
    },
)
