"""install_as_tensorflow: import lines of TensorFlow 1 scripts, unchanged."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import graphc as tf
from graphc.interop import alias_table

ROOT = Path(tf.__file__).parent.parent


def run(code: str, *argv: str) -> str:
    """What a new process prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *argv], capture_output=True, text=True,
        cwd=ROOT, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_script_runs_under_tensorflows_name():
    code = """
        import graphc
        graphc.install_as_tensorflow()
        import numpy as np
        import tensorflow as tf
        from tensorflow.python.framework import ops, dtypes, tensor_shape, constant_op
        from tensorflow.python.framework.ops import get_default_graph
        from tensorflow.python.ops import variable_scope as vs, math_ops, array_ops, nn_ops
        from tensorflow.python.ops import init_ops, control_flow_ops
        from tensorflow.python.platform import flags, gfile, app, tf_logging as logging
        from tensorflow.python.client import device_lib, timeline
        from tensorflow.python.saved_model import builder, signature_constants, tag_constants
        import tensorflow.examples.tutorials.mnist.input_data as input_data
        from tensorflow.examples.tutorials.mnist import input_data as again

        ops.reset_default_graph()
        with vs.variable_scope("a"):
            w = vs.get_variable("w", [2], dtypes.float32, init_ops.constant_initializer(3.0))
        x = constant_op.constant([1.0, 2.0])
        y = math_ops.reduce_sum(math_ops.multiply(array_ops.identity(w), nn_ops.relu(x)))
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            print(sess.run(y), w.op.name, tensor_shape.TensorShape([2]) == w.shape)
        assert tf.Session is graphc.Session and ops.Tensor is graphc.Tensor
        assert get_default_graph() is graphc.get_default_graph()
        assert flags.FLAGS is graphc.flags.FLAGS and gfile.Open is graphc.gfile.Open
        assert app.run is graphc.app.run and logging.info is graphc.logging.info
        assert input_data is again and input_data.read_data_sets
        assert builder.SavedModelBuilder is tf.saved_model.builder.SavedModelBuilder
        assert tag_constants.SERVING == "serve" and signature_constants.PREDICT_INPUTS == "inputs"
        assert timeline.Timeline(tf.RunMetadata().step_stats)
        print([d.device_type for d in device_lib.list_local_devices()])
    """
    assert run(code) == "9.0 a/w True\n['CPU']\n"


def test_the_version_is_one_that_scripts_expect():
    code = """
        import graphc
        tf0 = graphc.install_as_tensorflow()
        import tensorflow as tf, tensorflow.compat.v1 as v1
        from tensorflow import version
        from tensorflow.compat import v1 as again
        assert tf is tf0 is v1 is again is tf.compat.v1 is graphc.install_as_tensorflow()
        assert tf.__version__.startswith("1.") and tf.VERSION == version.VERSION == "1.15.0"
        assert int(tf.__version__.split(".")[1]) >= 12 and graphc.__version__ != tf.__version__
        tf.disable_v2_behavior()
        tf.compat.v1.disable_eager_execution()
        import importlib.util
        assert importlib.util.find_spec("tensorflow.python.framework.ops")
        assert "Session" in dir(tf) and "train" in dir(tf)
        try:
            tf.enable_eager_execution()
        except RuntimeError as error:
            print(error)
    """
    assert "no eager execution" in run(code)


ABSENT = [
    ("import tensorflow.tpu", "tf.tpu is not supported by graphc: there is no TPU"),
    ("from tensorflow.contrib import nccl", "tf.contrib.nccl is not supported by graphc: graphc"),
    ("from tensorflow.python import debug", "tf.python.debug is not supported by graphc: look"),
    ("from tensorflow.python.eager import context", "tf.python.eager is not supported by graphc"),
    ("from tensorflow.python.tools import freeze_graph", "use tf.graph_util.convert_variables"),
    ("from tensorflow.python.ops import gen_nope_ops", "tf.python.ops.gen_nope_ops is not supp"),
    ("from tensorflow.python.framework.ops import nope", "tf.python.framework.ops.nope is not"),
    ("import tensorflow.nope.nope", "tf.nope is not supported by graphc"),
    ("import tensorflow as tf; tf.nope", "tf.nope is not supported by graphc"),
    ("import tensorflow as tf; tf.mul", "tf.mul is not supported by graphc: it went in"),
    ("import tensorflow as tf; tf.contrib.nccl.all_sum", "tf.contrib.nccl is not supported by"),
    ("import tensorflow as tf; tf.nn.seq2seq", "tf.nn.seq2seq is not supported by graphc: it w"),
]


def test_what_is_absent_says_so_by_name():
    code = f"""
        import graphc
        graphc.install_as_tensorflow()
        for line, text in {ABSENT!r}:
            try:
                exec(line)
            except (ImportError, AttributeError) as error:
                kind = ModuleNotFoundError if "import" in line.split(";")[-1] else AttributeError
                assert isinstance(error, kind), (line, repr(error))
                assert text in str(error), (line, str(error))
                print("ok")
            else:
                raise SystemExit(line)
    """
    assert run(code) == "ok\n" * len(ABSENT)


def test_nothing_is_called_tensorflow_without_it():
    run("""
        import sys, graphc
        assert "tensorflow" not in sys.modules
        assert not any("graphc" in type(f).__module__ for f in sys.meta_path)
        assert graphc.install_as_tensorflow and "tensorflow" not in sys.modules
    """)


def test_tensorflow_itself_is_not_replaced():
    out = run("""
        import sys, types, graphc
        sys.modules["tensorflow"] = types.ModuleType("tensorflow")
        sys.modules["tensorflow"].__file__ = "/site/tensorflow/__init__.py"
        try:
            graphc.install_as_tensorflow()
        except RuntimeError as error:
            print(error)
        assert sys.modules["tensorflow"].__file__
    """)
    assert out.startswith("TensorFlow itself is imported already, from /site/tensorflow")


def test_flags_and_app_of_a_script():
    out = run(
        """
        import graphc
        graphc.install_as_tensorflow()
        import tensorflow as tf
        tf.app.flags.DEFINE_float("lr", 0.1, "rate")
        def main(_):
            print(tf.app.flags.FLAGS.lr)
        tf.app.run()
        """,
        "--lr=0.25",
    )
    assert out == "0.25\n"


@pytest.mark.parametrize("path", [p for p in alias_table.MODULES if p])
def test_sources_are_names_of_graphc(path):
    assert all(s.split(".")[0] == "graphc" for s in alias_table.MODULES[path])


def test_inner_names_of_common_import_lines():
    run("""
        import graphc
        graphc.install_as_tensorflow()
        from tensorflow.contrib.learn.python.learn.datasets.mnist import read_data_sets
        from tensorflow.contrib.learn.python.learn.preprocessing import text
        from tensorflow.contrib.tensorboard.plugins import projector
        from tensorflow.python.training.moving_averages import assign_moving_average
        from tensorflow.python.ops.resource_variable_ops import ResourceVariable
        from tensorflow.python.framework.test_util import TensorFlowTestCase
        from tensorflow.python.pywrap_tensorflow import NewCheckpointReader
        from tensorflow.python.tools.inspect_checkpoint import print_tensors_in_checkpoint_file
        from tensorflow.python.ops.init_ops import Initializer, Constant, zeros_initializer
        from tensorflow.python.framework.errors_impl import NotFoundError
        from tensorflow.python.util import nest, compat
        from tensorflow.train import AdamOptimizer
        from tensorflow.nn import relu
        from tensorflow.io import gfile
        assert ResourceVariable is graphc.Variable and relu is graphc.nn.relu
        assert TensorFlowTestCase is graphc.test.TestCase
        assert NotFoundError is graphc.errors.NotFoundError
        assert nest.flatten([1, [2]]) == [1, 2] and compat.as_bytes("a") == b"a"
        assert Constant(3.0).get_config()["value"] == 3.0
        assert text.VocabularyProcessor is graphc.contrib.learn.preprocessing.VocabularyProcessor
    """)


def test_stars_import_what_modules_publish():
    out = run("""
        import graphc
        graphc.install_as_tensorflow()
        __version__ = "mine"
        from tensorflow import *
        from tensorflow.python.framework.ops import *
        assert Session is graphc.Session and float32 is graphc.float32
        print(__version__)
    """)
    assert out == "mine\n"


def test_rules_of_paths():
    sources = alias_table.sources_of
    assert sources("contrib.rnn") == ("graphc.contrib.rnn",)
    assert sources("contrib.rnn.python.ops.core_rnn_cell") == ("graphc.contrib.rnn",)
    assert sources("contrib.keras.datasets") == ("graphc.keras.datasets",)
    assert sources("python.keras.layers") == ("graphc.keras.layers",)
    assert sources("nn.rnn_cell") == ("graphc.nn.rnn_cell",)
    assert sources("python.ops.nope") is None
