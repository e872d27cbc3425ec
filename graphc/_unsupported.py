"""What graphc does not support, by TensorFlow's name, with the reason: one table.

Lives here: the table and the errors that quote it. Not here: the names that exist. Any public
namespace may import this; it imports nothing of graphc.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_TPU = "there is no TPU to run on; use tf.Session and tf.train on the CPU"
_CLUSTER = "graphc runs in one process; there are no parameter servers or remote sessions"
_CUSTOM_OPS = "kernels are compiled from Python; compiled C++ ops cannot be loaded"
_EAGER = "graphs are built first and run by sessions; there is no eager execution"
_MOBILE = "models are not converted for phones; write a frozen GraphDef instead"
_TREES = "trees and forests are no graphs of tensors; use scikit-learn"
_EDITOR = "graphs are not edited in place; build the graph again with other inputs"
_AUDIO = "media files are not decoded; read them with a Python package and feed arrays"
_GRIDS = "cells over frequencies are not there; write a subclass of tf.nn.rnn_cell.RNNCell"
_DECODERS = "it went in TensorFlow 1.2; use BasicDecoder or BeamSearchDecoder with dynamic_decode"

# a name stands for itself and everything below it
UNSUPPORTED: dict[str, str] = {
    "tf.autograph": "Python code is not rewritten; use tf.cond and tf.while_loop",
    "tf.contrib.all_reduce": _CLUSTER,
    "tf.contrib.android": _MOBILE,
    "tf.contrib.autograph": "Python code is not rewritten; use tf.cond and tf.while_loop",
    "tf.contrib.bigtable": "cloud storage is not reached",
    "tf.contrib.boosted_trees": _TREES,
    "tf.contrib.cloud": "cloud storage is not reached",
    "tf.contrib.cluster_resolver": _CLUSTER,
    "tf.contrib.coder": "entropy coding ops are not there",
    "tf.contrib.distribute": _CLUSTER,
    "tf.contrib.eager": _EAGER,
    "tf.contrib.ffmpeg": _AUDIO,
    "tf.contrib.fused_conv": "convolutions are fused by the compiler; use tf.nn.conv2d",
    "tf.contrib.gan": "use the losses and tf.layers of tf itself",
    "tf.contrib.gdr": _CLUSTER,
    "tf.contrib.graph_editor": _EDITOR,
    "tf.contrib.hadoop": "remote file systems are not reached",
    "tf.contrib.kafka": "message queues are not read; use Dataset.from_generator",
    "tf.contrib.kinesis": "message queues are not read; use Dataset.from_generator",
    "tf.contrib.lite": _MOBILE,
    "tf.contrib.memory_stats": "memory is planned before a run; see tf.stats()",
    "tf.contrib.mpi": _CLUSTER,
    "tf.contrib.mpi_collectives": _CLUSTER,
    "tf.contrib.nccl": _CLUSTER,
    "tf.contrib.quantize": "there are no quantized kernels",
    "tf.contrib.rnn.BidirectionalGridLSTMCell": _GRIDS,
    "tf.contrib.rnn.GridLSTMCell": _GRIDS,
    "tf.contrib.rnn.TimeFreqLSTMCell": _GRIDS,
    "tf.contrib.rpc": _CLUSTER,
    "tf.contrib.seq2seq.DynamicAttentionWrapper": (
        "it went in TensorFlow 1.2; use tf.contrib.seq2seq.AttentionWrapper"
    ),
    "tf.contrib.seq2seq.attention_decoder_fn_inference": _DECODERS,
    "tf.contrib.seq2seq.attention_decoder_fn_train": _DECODERS,
    "tf.contrib.seq2seq.dynamic_rnn_decoder": _DECODERS,
    "tf.contrib.seq2seq.prepare_attention": _DECODERS,
    "tf.contrib.seq2seq.simple_decoder_fn_inference": _DECODERS,
    "tf.contrib.seq2seq.simple_decoder_fn_train": _DECODERS,
    "tf.contrib.session_bundle": "use tf.saved_model",
    "tf.contrib.tensor_forest": _TREES,
    "tf.contrib.tensorrt": "TensorRT is not used; graphs are compiled by graphc itself",
    "tf.contrib.tfprof": "use tf.RunMetadata or tf.stats()",
    "tf.contrib.timeseries": "write the model with tf.layers and tf.nn",
    "tf.contrib.tpu.TPUDistributionStrategy": _TPU,
    "tf.contrib.tpu.initialize_system": _TPU,
    "tf.contrib.tpu.keras_to_tpu_model": _TPU,
    "tf.contrib.tpu.proto": _TPU,
    "tf.contrib.tpu.python": _TPU,
    "tf.contrib.tpu.replicate": _TPU,
    "tf.contrib.tpu.rewrite": _TPU,
    "tf.contrib.tpu.shard": _TPU,
    "tf.compat.v2": "graphc has TensorFlow 1's interface only",
    "tf.contrib.verbs": _CLUSTER,
    "tf.distribute": _CLUSTER,
    "tf.g3doc": "TensorFlow's documentation is no module",
    "tf.losses.sparse_categorical_crossentropy": (
        "TensorFlow 1 has none either; use tf.losses.sparse_softmax_cross_entropy"
    ),
    "tf.metrics.sparse_categorical_accuracy": (
        "TensorFlow 1 has none either; use tf.metrics.accuracy"
    ),
    "tf.python.eager": _EAGER,
    "tf.python.tools.freeze_graph": "use tf.graph_util.convert_variables_to_constants",
    "tf.python.tools.optimize_for_inference_lib": "graphs are compiled by graphc itself",
    "tf.python.debug": "look at values with tf.Print or sess.run",
    "tf.function": _EAGER,
    "tf.lite": _MOBILE,
    "tf.load_file_system_library": _CUSTOM_OPS,
    "tf.load_library": _CUSTOM_OPS,
    "tf.load_op_library": _CUSTOM_OPS,
    "tf.nn.compute_average_loss": "losses are not spread over replicas; use tf.reduce_mean",
    "tf.nn.scale_regularization_loss": "losses are not spread over replicas; add the loss itself",
    "tf.image.generate_bounding_box_proposals": "use tf.image.non_max_suppression",
    "tf.SparseConditionalAccumulator": _CLUSTER,
    "tf.sparse.SparseConditionalAccumulator": _CLUSTER,
    "tf.sparse.cross": "hash or number the pairs with tf.string_join and tf.sparse_merge",
    "tf.sparse.cross_hashed": "hash or number the pairs with tf.string_join and tf.sparse_merge",
    "tf.test.create_local_cluster": _CLUSTER,
    "tf.test.Benchmark": "time sess.run with time.perf_counter",
    "tf.tpu": _TPU,
    "tf.train.ClusterSpec": _CLUSTER,
    "tf.train.Server": _CLUSTER,
    "tf.train.SyncReplicasOptimizer": _CLUSTER,
    "tf.train.replica_device_setter": _CLUSTER,
    "tf.xla": "graphs are compiled by graphc itself",
    # gone since TensorFlow 1.0: the name to use instead
    "tf.audio_summary": "it went in TensorFlow 1.0; use tf.summary.audio",
    "tf.batch_matmul": "it went in TensorFlow 1.0; use tf.matmul",
    "tf.batch_svd": "it went in TensorFlow 1.0; use tf.svd",
    "tf.complex_abs": "it went in TensorFlow 1.0; use tf.abs",
    "tf.concat_v2": "it went in TensorFlow 1.0; use tf.concat(values, axis)",
    "tf.histogram_summary": "it went in TensorFlow 1.0; use tf.summary.histogram",
    "tf.image.per_image_whitening": (
        "it went in TensorFlow 1.0; use tf.image.per_image_standardization"
    ),
    "tf.image_summary": "it went in TensorFlow 1.0; use tf.summary.image",
    "tf.inv": "it went in TensorFlow 1.0; use tf.reciprocal",
    "tf.listdiff": "it went in TensorFlow 1.0; use tf.setdiff1d",
    "tf.merge_all_summaries": "it went in TensorFlow 1.0; use tf.summary.merge_all",
    "tf.merge_summary": "it went in TensorFlow 1.0; use tf.summary.merge",
    "tf.mul": "it went in TensorFlow 1.0; use tf.multiply",
    "tf.neg": "it went in TensorFlow 1.0; use tf.negative",
    "tf.nn.bidirectional_rnn": "it went in TensorFlow 1.0; use tf.nn.static_bidirectional_rnn",
    "tf.nn.deconv2d": "it went in TensorFlow 1.0; use tf.nn.conv2d_transpose",
    "tf.nn.rnn": "it went in TensorFlow 1.0; use tf.nn.static_rnn",
    "tf.nn.seq2seq": "it went in TensorFlow 1.0; use tf.contrib.legacy_seq2seq",
    "tf.nn.state_saving_rnn": "it went in TensorFlow 1.0; use tf.nn.static_state_saving_rnn",
    "tf.pack": "it went in TensorFlow 1.0; use tf.stack",
    "tf.scalar_summary": "it went in TensorFlow 1.0; use tf.summary.scalar",
    "tf.select": "it went in TensorFlow 1.0; use tf.where",
    "tf.sub": "it went in TensorFlow 1.0; use tf.subtract",
    "tf.train.SummaryWriter": "it went in TensorFlow 1.0; use tf.summary.FileWriter",
    "tf.unpack": "it went in TensorFlow 1.0; use tf.unstack",
}


def reason_of(symbol: str) -> str | None:
    """Why "tf.tpu.RunConfig" is not there, or None where the table does not name it."""
    parts = symbol.split(".")
    for end in range(len(parts), 1, -1):
        why = UNSUPPORTED.get(".".join(parts[:end]))
        if why is not None:
            return why
    return None


def missing(package: str, name: str) -> AttributeError:
    """The error for `name`, which the module `package` ("graphc.nn") does not have."""
    symbol = ".".join(["tf", *package.split(".")[1:], name])
    why = reason_of(symbol)
    if why is None:
        text = f"module {package!r} has no attribute {name!r}"
    else:
        text = f"{symbol} is not supported by graphc: {why}"
    return AttributeError(text, name=name)


def getattr_of(package: str) -> Callable[[str], Any]:
    """A module's __getattr__ that only explains what is not there."""

    def getattr_(name: str) -> Any:
        raise missing(package, name)

    return getattr_
