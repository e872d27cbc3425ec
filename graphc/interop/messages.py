"""The messages of TensorFlow 1's files: graphs, checkpoints, summaries, events.

Lives here: their tables. Not here: what is done with them. Imports interop.wire only.
"""

from __future__ import annotations

from graphc.interop.wire import ENUMS, Message

_TYPES = [
    f"DT_{name}"
    for names in (
        "INVALID FLOAT DOUBLE INT32 UINT8 INT16 INT8 STRING COMPLEX64 INT64 BOOL QINT8 QUINT8",
        "QINT32 BFLOAT16 QINT16 QUINT16 UINT16 COMPLEX128 HALF RESOURCE VARIANT UINT32 UINT64",
    )
    for name in names.split()
]
ENUMS["DataType"] = {
    **{name: i for i, name in enumerate(_TYPES)},
    **{f"{name}_REF": 100 + i for i, name in enumerate(_TYPES) if i},
}
ENUMS["CheckpointFormatVersion"] = {"LEGACY": 0, "V1": 1, "V2": 2}
ENUMS["SessionStatus"] = {"STATUS_UNSPECIFIED": 0, "START": 1, "STOP": 2, "CHECKPOINT": 3}
ENUMS["LogLevel"] = {
    "UNKNOWN": 0, "DEBUGGING": 10, "INFO": 20, "WARN": 30, "ERROR": 40, "FATAL": 50,
}  # fmt: skip
ENUMS["Endianness"] = {"LITTLE": 0, "BIG": 1}


class VersionDef(Message):
    TABLE = """
        1 producer int32
        2 min_consumer int32
        3 bad_consumers *int32
    """


class TensorShapeProto(Message):
    TABLE = """
        2 dim *TensorShapeProto.Dim
        3 unknown_rank bool
    """

    class Dim(Message):
        TABLE = """
            1 size int64
            2 name string
        """


class TensorProto(Message):
    TABLE = """
        1 dtype enum:DataType
        2 tensor_shape TensorShapeProto
        3 version_number int32
        4 tensor_content bytes
        5 float_val *float
        6 double_val *double
        7 int_val *int32
        8 string_val *bytes
        9 scomplex_val *float
        10 int64_val *int64
        11 bool_val *bool
        12 dcomplex_val *double
        13 half_val *int32
        16 uint32_val *uint32
        17 uint64_val *uint64
    """


class NameAttrList(Message):
    TABLE = """
        1 name string
        2 attr map:string:AttrValue
    """


class AttrValue(Message):
    TABLE = """
        1 list AttrValue.ListValue@value
        2 s bytes@value
        3 i int64@value
        4 f float@value
        5 b bool@value
        6 type enum:DataType@value
        7 shape TensorShapeProto@value
        8 tensor TensorProto@value
        9 placeholder string@value
        10 func NameAttrList@value
    """

    class ListValue(Message):
        TABLE = """
            2 s *bytes
            3 i *int64
            4 f *float
            5 b *bool
            6 type *enum:DataType
            7 shape *TensorShapeProto
            8 tensor *TensorProto
            9 func *NameAttrList
        """


class NodeDef(Message):
    TABLE = """
        1 name string
        2 op string
        3 input *string
        4 device string
        5 attr map:string:AttrValue
    """


class OpDef(Message):
    """The signature of a function."""

    TABLE = """
        1 name string
        2 input_arg *OpDef.ArgDef
        3 output_arg *OpDef.ArgDef
        4 attr *OpDef.AttrDef
        17 is_stateful bool
        20 control_output *string
    """

    class ArgDef(Message):
        TABLE = """
            1 name string
            2 description string
            3 type enum:DataType
            4 type_attr string
            5 number_attr string
            6 type_list_attr string
            16 is_ref bool
        """

    class AttrDef(Message):
        TABLE = """
            1 name string
            2 type string
        """


class FunctionDef(Message):
    """A function: nodes between parameters and results."""

    TABLE = """
        1 signature OpDef
        3 node_def *NodeDef
        4 ret map:string:string
        5 attr map:string:AttrValue
        6 control_ret map:string:string
    """


class GradientDef(Message):
    TABLE = """
        1 function_name string
        2 gradient_func string
    """


class FunctionDefLibrary(Message):
    """The functions of a graph."""

    TABLE = """
        1 function *FunctionDef
        2 gradient *GradientDef
    """


class GraphDef(Message):
    """tf.GraphDef: the nodes of a graph."""

    TABLE = """
        1 node *NodeDef
        2 library FunctionDefLibrary
        3 version int32
        4 versions VersionDef
    """


class OpList(Message):
    """Kept as it is: the ops that a MetaGraph uses."""


class SaverDef(Message):
    """tf.train.SaverDef."""

    LEGACY = 0
    V1 = 1
    V2 = 2
    TABLE = """
        1 filename_tensor_name string
        2 save_tensor_name string
        3 restore_op_name string
        4 max_to_keep int32
        5 sharded bool
        6 keep_checkpoint_every_n_hours float
        7 version enum:CheckpointFormatVersion
    """


class CollectionDef(Message):
    TABLE = """
        1 node_list CollectionDef.NodeList@kind
        2 bytes_list CollectionDef.BytesList@kind
        3 int64_list CollectionDef.Int64List@kind
        4 float_list CollectionDef.FloatList@kind
        5 any_list CollectionDef.AnyList@kind
    """

    class NodeList(Message):
        TABLE = "1 value *string"

    class BytesList(Message):
        TABLE = "1 value *bytes"

    class Int64List(Message):
        TABLE = "1 value *int64"

    class FloatList(Message):
        TABLE = "1 value *float"

    class AnyList(Message):
        TABLE = "1 value *Any"


class Any(Message):
    """google.protobuf.Any: a message of a type that its URL names."""

    TABLE = """
        1 type_url string
        2 value bytes
    """


class QueueRunnerDef(Message):
    """tf.train.QueueRunnerDef: the ops of a queue runner, by name."""

    TABLE = """
        1 queue_name string
        2 enqueue_op_name *string
        3 close_op_name string
        4 cancel_op_name string
        5 queue_closed_exception_types *enum:Code
    """


class VariableProto(Message):
    """TensorFlow's VariableDef."""

    TABLE = """
        1 variable_name string
        2 initializer_name string
        3 snapshot_name string
        5 is_resource bool
        6 initial_value_name string
        7 trainable bool
    """


class MetaGraphDef(Message):
    """tf.MetaGraphDef: a graph, its collections and its saver."""

    TABLE = """
        1 meta_info_def MetaGraphDef.MetaInfoDef
        2 graph_def GraphDef
        3 saver_def SaverDef
        4 collection_def map:string:CollectionDef
        5 signature_def map:string:SignatureDef
        6 asset_file_def *AssetFileDef
        7 object_graph_def SavedObjectGraph
    """

    class MetaInfoDef(Message):
        TABLE = """
            1 meta_graph_version string
            2 stripped_op_list OpList
            4 tags *string
            5 tensorflow_version string
            6 tensorflow_git_version string
            7 stripped_default_attrs bool
        """


class TensorInfo(Message):
    """Which tensor an input or output of a signature is."""

    TABLE = """
        1 name string@encoding
        2 dtype enum:DataType
        3 tensor_shape TensorShapeProto
        4 coo_sparse TensorInfo.CooSparse@encoding
        5 composite_tensor TensorInfo.CompositeTensor@encoding
    """

    class CooSparse(Message):
        TABLE = """
            1 values_tensor_name string
            2 indices_tensor_name string
            3 dense_shape_tensor_name string
        """

    class CompositeTensor(Message):
        """Kept as it is: TensorFlow 2's tensors of several parts."""


class SignatureDef(Message):
    """Inputs and outputs of a graph by names of their own."""

    TABLE = """
        1 inputs map:string:TensorInfo
        2 outputs map:string:TensorInfo
        3 method_name string
        4 defaults map:string:TensorProto
    """


class AssetFileDef(Message):
    """A file beside the graph and the tensor that holds its path."""

    TABLE = """
        1 tensor_info TensorInfo
        2 filename string
    """


class SavedObjectGraph(Message):
    """Kept as it is: the Python objects of TensorFlow 2's models."""


class SavedModel(Message):
    """The file saved_model.pb: MetaGraphs that share variables."""

    TABLE = """
        1 saved_model_schema_version int64
        2 meta_graphs *MetaGraphDef
    """


# ------------------------------------------------------------------ checkpoints
class BundleHeaderProto(Message):
    TABLE = """
        1 num_shards int32
        2 endianness enum:Endianness
        3 version VersionDef
    """


class TensorSliceProto(Message):
    """Kept as it is: where one part of a partitioned tensor lies."""


class BundleEntryProto(Message):
    TABLE = """
        1 dtype enum:DataType
        2 shape TensorShapeProto
        3 shard_id int32
        4 offset int64
        5 size int64
        6 crc32c fixed32
        7 slices *TensorSliceProto
    """


class CheckpointState(Message):
    """The text file `checkpoint`: the newest checkpoint and all that are kept."""

    TABLE = """
        1 model_checkpoint_path string
        2 all_model_checkpoint_paths *string
        3 all_model_checkpoint_timestamps *double
        4 last_preserved_timestamp double
    """


# ------------------------------------------------------------------ summaries and events
class HistogramProto(Message):
    """tf.HistogramProto: bucket_limit holds the upper edges, bucket the counts."""

    TABLE = """
        1 min double
        2 max double
        3 num double
        4 sum double
        5 sum_squares double
        6 bucket_limit *double
        7 bucket *double
    """


class SummaryMetadata(Message):
    """tf.SummaryMetadata."""

    TABLE = """
        1 plugin_data SummaryMetadata.PluginData
        2 display_name string
        3 summary_description string
    """

    class PluginData(Message):
        TABLE = """
            1 plugin_name string
            2 content bytes
        """


class Summary(Message):
    """tf.Summary: values by tag."""

    TABLE = "1 value *Summary.Value"

    class Image(Message):
        TABLE = """
            1 height int32
            2 width int32
            3 colorspace int32
            4 encoded_image_string bytes
        """

    class Audio(Message):
        TABLE = """
            1 sample_rate float
            2 num_channels int64
            3 length_frames int64
            4 encoded_audio_string bytes
            5 content_type string
        """

    class Value(Message):
        TABLE = """
            1 tag string
            2 simple_value float@value
            3 obsolete_old_style_histogram bytes@value
            4 image Summary.Image@value
            5 histo HistogramProto@value
            6 audio Summary.Audio@value
            7 node_name string
            8 tensor TensorProto@value
            9 metadata SummaryMetadata
        """


class LogMessage(Message):
    TABLE = """
        1 level enum:LogLevel
        2 message string
    """


class SessionLog(Message):
    """tf.SessionLog."""

    STATUS_UNSPECIFIED = 0
    START = 1
    STOP = 2
    CHECKPOINT = 3
    TABLE = """
        1 status enum:SessionStatus
        2 checkpoint_path string
        3 msg string
    """


class TaggedRunMetadata(Message):
    TABLE = """
        1 tag string
        2 run_metadata bytes
    """


class Event(Message):
    """tf.Event: one record of an event file."""

    TABLE = """
        1 wall_time double
        2 step int64
        3 file_version string@what
        4 graph_def bytes@what
        5 summary Summary@what
        6 log_message LogMessage@what
        7 session_log SessionLog@what
        8 tagged_run_metadata TaggedRunMetadata@what
        9 meta_graph_def bytes@what
    """
