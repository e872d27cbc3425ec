"""Where the modules inside TensorFlow stand here: a table, read by aliases.py.

Lives here: the table and its rules. A module is a list of graphc's namespaces, searched in order.
Imports nothing of graphc.
"""

from __future__ import annotations

__all__ = ["MODULES", "RENAMED", "sources_of"]

_ROOT = "graphc"


def _many(prefix: str, names: str, *sources: str) -> dict[str, tuple[str, ...]]:
    return {f"{prefix}.{name}": sources for name in names.split()}


# paths below "tensorflow"
MODULES: dict[str, tuple[str, ...]] = {
    "": (_ROOT,),
    "compat": ("graphc.compat",),
    "compat.v1": (_ROOT,),
    "version": (),
    "python": (_ROOT,),
    "python.framework": (),
    "python.ops": (),
    "python.platform": (_ROOT,),
    "python.client": (),
    "python.lib": (),
    "python.lib.io": (),
    "python.util": (),
    "python.training": ("graphc.train",),
    "python.layers": ("graphc.layers",),
    "core": (),
    "core.framework": (),
    "core.protobuf": (),
    "core.example": (),
    "core.util": (),
    **_many(
        "python.framework",
        "ops dtypes tensor_shape constant_op random_seed sparse_tensor",
        _ROOT,
    ),
    **_many("python.framework", "errors errors_impl", "graphc.errors"),
    **_many("python.framework", "graph_util graph_util_impl", "graphc.graph_util"),
    **_many("python.framework", "tensor_util", "graphc.contrib.util", _ROOT),
    **_many("python.framework", "importer graph_io", "graphc.train", _ROOT),
    **_many("python.framework", "test_util", "graphc.test"),
    **_many(
        "python.ops",
        "array_ops check_ops clip_ops confusion_matrix control_flow_ops functional_ops gradients "
        "gradients_impl logging_ops parsing_ops random_ops "
        "script_ops sparse_ops standard_ops state_ops template "
        "tensor_array_ops variables variable_scope histogram_ops numerics io_ops data_flow_ops",
        _ROOT,
    ),
    **_many("python.ops", "math_ops special_math_ops", _ROOT, "graphc.math"),
    **_many(
        "python.ops",
        "init_ops init_ops_v2",
        "graphc.tf1.initializers",
        "graphc.initializers",
        _ROOT,
    ),
    **_many("python.ops", "resource_variable_ops", _ROOT),
    **_many("python.ops", "linalg_ops", _ROOT, "graphc.linalg"),
    **_many("python.ops", "string_ops", "graphc.strings", _ROOT),
    **_many(
        "python.ops", "nn nn_ops nn_impl embedding_ops candidate_sampling_ops ctc_ops", "graphc.nn"
    ),
    **_many("python.ops", "rnn", "graphc.nn", "graphc.contrib.rnn"),
    **_many("python.ops", "rnn_cell rnn_cell_impl", "graphc.nn.rnn_cell", "graphc.contrib.rnn"),
    **_many("python.ops", "seq2seq", "graphc.contrib.legacy_seq2seq"),
    **_many("python.ops", "image_ops image_ops_impl", "graphc.image"),
    **_many("python.ops", "lookup_ops", "graphc.contrib.lookup", "graphc.lookup"),
    **_many("python.ops", "metrics metrics_impl", "graphc.metrics"),
    **_many("python.ops", "losses losses.losses losses.losses_impl losses.util", "graphc.losses"),
    **_many(
        "python.ops",
        "distributions distributions.bernoulli distributions.beta distributions.categorical "
        "distributions.dirichlet distributions.dirichlet_multinomial distributions.distribution "
        "distributions.distributions distributions.exponential distributions.gamma "
        "distributions.kullback_leibler distributions.laplace distributions.multinomial "
        "distributions.normal distributions.student_t distributions.uniform",
        "graphc.distributions",
    ),
    **_many("python.ops", "summary_ops", "graphc.summary"),
    **_many("python.summary", "summary", "graphc.summary"),
    "python.summary": ("graphc.summary",),
    "python.summary.writer": ("graphc.summary",),
    "python.summary.writer.writer": ("graphc.summary",),
    **_many("python.platform", "app", "graphc.app"),
    **_many("python.platform", "flags", "graphc.flags"),
    **_many("python.platform", "gfile", "graphc.gfile"),
    **_many("python.platform", "tf_logging", "graphc.logging"),
    **_many("python.platform", "resource_loader", "graphc.resource_loader"),
    **_many("python.platform", "sysconfig", "graphc.sysconfig"),
    **_many("python.platform", "test googletest", "graphc.test"),
    **_many("python.lib.io", "file_io", "graphc.tf1.file_io"),
    **_many("python.lib.io", "tf_record python_io", "graphc.python_io"),
    **_many("python.util", "nest", "graphc.nest", "graphc.contrib.framework.nest"),
    **_many("python.util", "compat", "graphc.compat"),
    **_many("python.client", "session", _ROOT),
    **_many("python.client", "device_lib", "graphc.tf1.device_lib"),
    **_many("python.client", "timeline", "graphc.tf1.timeline"),
    **_many(
        "python.training",
        "adadelta adagrad adagrad_da adam basic_loops basic_session_run_hooks "
        "checkpoint_management checkpoint_utils coordinator ftrl gradient_descent input "
        "learning_rate_decay momentum monitored_session optimizer proximal_adagrad "
        "proximal_gradient_descent queue_runner queue_runner_impl rmsprop saver "
        "session_manager session_run_hook slot_creator supervisor training training_util",
        "graphc.train",
    ),
    **_many("python.training", "moving_averages", "graphc.tf1.moving_averages", "graphc.train"),
    **_many("python", "pywrap_tensorflow", "graphc.train"),
    "python.tools": (),
    **_many("python.tools", "inspect_checkpoint", "graphc.tf1.inspect_checkpoint"),
    **_many(
        "python.layers",
        "base convolutional core layers normalization pooling",
        "graphc.layers",
    ),
    "python.feature_column": ("graphc.feature_column",),
    **_many("python.feature_column", "feature_column feature_column_lib", "graphc.feature_column"),
    **_many("python.estimator", "inputs", "graphc.estimator.inputs"),
    **_many("python.estimator.inputs", "inputs numpy_io pandas_io", "graphc.estimator.inputs"),
    **_many("python.estimator", "export", "graphc.estimator.export"),
    **_many("python.estimator.export", "export export_output", "graphc.estimator.export"),
    **_many("python.estimator", "canned", "graphc.estimator", "graphc.contrib.estimator"),
    **_many(
        "python.estimator.canned",
        "baseline dnn dnn_linear_combined head linear",
        "graphc.estimator",
        "graphc.contrib.estimator",
    ),
    "python.data": ("graphc.data",),
    "python.data.ops": ("graphc.data",),
    **_many("python.data.ops", "dataset_ops iterator_ops readers", "graphc.data"),
    "python.saved_model": ("graphc.saved_model",),
    **_many("python.saved_model", "builder builder_impl", "graphc.saved_model.builder"),
    **_many("python.saved_model", "loader loader_impl", "graphc.saved_model.loader"),
    **_many("python.saved_model", "constants", "graphc.saved_model.constants"),
    **_many("python.saved_model", "main_op main_op_impl", "graphc.saved_model.main_op"),
    **_many("python.saved_model", "saved_model simple_save", "graphc.saved_model"),
    **_many(
        "python.saved_model", "signature_constants", "graphc.saved_model.signature_constants"
    ),
    **_many(
        "python.saved_model",
        "signature_def_utils signature_def_utils_impl",
        "graphc.saved_model.signature_def_utils",
    ),
    **_many("python.saved_model", "tag_constants", "graphc.saved_model.tag_constants"),
    **_many("python.saved_model", "utils utils_impl", "graphc.saved_model.utils"),
    **_many(
        "core.framework",
        "attr_value_pb2 graph_pb2 node_def_pb2 step_stats_pb2 summary_pb2 tensor_pb2 "
        "tensor_shape_pb2 types_pb2 variable_pb2 versions_pb2",
        _ROOT,
        "graphc.interop.messages",
    ),
    **_many(
        "core.protobuf",
        "config_pb2 meta_graph_pb2 saved_model_pb2 saver_pb2",
        _ROOT,
        "graphc.train",
        "graphc.interop.messages",
    ),
    **_many("core.example", "example_pb2 feature_pb2", "graphc.train"),
    **_many("core.util", "event_pb2", _ROOT, "graphc.summary", "graphc.interop.messages"),
    "contrib.keras.api": (_ROOT,),
    "python.keras._impl": (_ROOT,),
    "contrib.learn.python": ("graphc.contrib.learn",),
    "contrib.learn.python.learn": ("graphc.contrib.learn",),
    **_many(
        "contrib.learn.python.learn",
        "basic_session_run_hooks monitored_session session_run_hook",
        "graphc.train",
    ),
    **_many(
        "contrib.learn.python.learn",
        "estimators experiment metric_spec",
        "graphc.contrib.learn",
    ),
    **_many("contrib.learn.python.learn", "learn_runner", "graphc.contrib.learn.learn_runner"),
    **_many("contrib.learn.python.learn", "monitors", "graphc.contrib.learn.monitors"),
    **_many(
        "contrib.learn.python.learn.estimators",
        "constants dnn dnn_linear_combined estimator linear model_fn run_config",
        "graphc.contrib.learn",
    ),
    "contrib.learn.python.learn.preprocessing": ("graphc.contrib.learn.preprocessing",),
    "contrib.learn.python.learn.preprocessing.text": ("graphc.contrib.learn.preprocessing",),
    "contrib.learn.python.learn.datasets": ("graphc.contrib.learn.datasets",),
    **_many("contrib.learn.python.learn.datasets", "base", "graphc.contrib.learn.datasets.base"),
    **_many("contrib.learn.python.learn.datasets", "mnist", "graphc.contrib.learn.datasets.mnist"),
}
# attributes that have another name here
RENAMED = {
    "python.ops.resource_variable_ops.ResourceVariable": "Variable",
    "python.ops.variables.RefVariable": "Variable",
    "python.framework.test_util.TensorFlowTestCase": "TestCase",
}
# a path and all below it -> the namespace whose parts follow
_TREES = {
    "python.keras": "graphc.keras",
    "python.keras._impl.keras": "graphc.keras",
    "contrib.keras": "graphc.keras",
    "contrib.keras.api.keras": "graphc.keras",
    "python.estimator": "graphc.estimator",
    "contrib.data.python.ops": "graphc.contrib.data",
}


def sources_of(path: str) -> tuple[str, ...] | None:
    """The namespaces of graphc behind tensorflow.`path`; None where no rule says any."""
    if path in MODULES:
        return MODULES[path]
    trees = [t for t in _TREES if path == t or path.startswith(t + ".")]
    if trees:
        tree = max(trees, key=len)
        return (_TREES[tree] + path[len(tree) :],)
    parts = path.split(".")
    if parts[0] in ("python", "core"):
        return None
    if "python" in parts:
        # contrib.rnn.python.ops.core_rnn_cell: what the package itself publishes
        return (".".join([_ROOT, *parts[: parts.index("python")]]),)
    return (f"{_ROOT}.{path}",)
