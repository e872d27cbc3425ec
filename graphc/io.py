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
        "graphc.tf1.decoding": """
            decode_base64 decode_compressed decode_csv decode_json_example decode_raw
            encode_base64 matching_files parse_tensor read_file serialize_tensor write_file""",
        "graphc.tf1.parsing": """
            FixedLenFeature FixedLenSequenceFeature SparseFeature VarLenFeature parse_example
            parse_sequence_example parse_single_example parse_single_sequence_example""",
    },
)
__all__ = [*_public, "gfile"]
