"""tf.io: files, and graphs as files. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach
from graphc.tf1 import gfile_v2 as gfile

__getattr__, __dir__, _public = attach(
    __name__,
    {
        "graphc.tf1.graph_io": "write_graph",
        "graphc.tf1.input_producers": "match_filenames_once",
        "graphc.tf1.queues": "PaddingFIFOQueue PriorityQueue QueueBase RandomShuffleQueue",
        "graphc.tf1.api_sparse_serial": """
            deserialize_many_sparse serialize_many_sparse serialize_sparse""",
        "graphc.interop.record_io": """
            TFRecordCompressionType TFRecordOptions TFRecordWriter tf_record_iterator""",
        "graphc.tf1.decoding": """
            decode_base64 decode_compressed decode_csv decode_json_example decode_raw
            encode_base64 matching_files parse_tensor read_file serialize_tensor write_file""",
        "graphc.tf1.parsing": """
            FixedLenFeature FixedLenSequenceFeature SparseFeature VarLenFeature parse_example
            parse_sequence_example parse_single_example parse_single_sequence_example""",
        "graphc.tf1.api_image_files": """
            decode_and_crop_jpeg decode_bmp decode_gif decode_image decode_jpeg decode_png
            encode_jpeg encode_png extract_jpeg_shape is_jpeg""",
    },
)
__all__ = [*_public, "gfile"]
