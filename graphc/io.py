"""tf.io: files, and graphs as files. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach
from graphc.tf1 import gfile_v2 as gfile

__getattr__, __dir__, _public = attach(
    __name__,
    {
        "graphc.tf1.graph_io": "write_graph",
        "graphc.interop.record_io": """
            TFRecordCompressionType TFRecordOptions TFRecordWriter tf_record_iterator""",
    },
)
__all__ = [*_public, "gfile"]
