"""Import lines of scripts, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import graphc

ROOT = Path(graphc.__file__).parent.parent


def run(code: str) -> str:
    """What a new process prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=ROOT,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_lines_of_graphc() -> None:
    code = """
        import graphc.keras as keras
        from graphc.keras import layers, models
        from graphc.keras import backend as K
        from graphc.keras.layers import Dense, LSTM
        from graphc.keras.models import Sequential, load_model
        from graphc.keras.optimizers import SGD
        assert Sequential is models.Sequential is keras.Sequential and Dense is layers.Dense
        from graphc.keras.layers import *
        print(Dense(3).name, Convolution2D.__name__)
        """
    assert run(code) == "dense Conv2D\n"


def test_import_lines_of_tensorflow() -> None:
    code = """
        import graphc
        graphc.install_as_tensorflow()
        import tensorflow as tf
        import tensorflow.keras as keras
        from tensorflow.keras.models import Sequential
        from tensorflow.keras.layers import Dense, LSTM
        from tensorflow.keras import backend as K, layers
        from tensorflow.python.keras.layers.core import Dense as inner
        from tensorflow.python.keras._impl.keras.layers import Dense as older
        from tensorflow.contrib.keras.api.keras.layers import Dense as oldest
        from tensorflow.contrib import keras as contrib
        from tensorflow.keras.callbacks import EarlyStopping
        from tensorflow.keras.preprocessing.image import ImageDataGenerator
        from tensorflow.keras.datasets import mnist
        from tensorflow.keras.applications.resnet50 import ResNet50, preprocess_input
        from tensorflow.keras.applications.densenet import DenseNet121
        from tensorflow.keras.applications import InceptionV3, MobileNetV2, Xception, imagenet_utils
        from tensorflow.keras.estimator import model_to_estimator
        from tensorflow.keras.wrappers.scikit_learn import KerasClassifier
        from tensorflow.keras.preprocessing.text import Tokenizer, tokenizer_from_json
        from tensorflow.keras.preprocessing.sequence import TimeseriesGenerator, pad_sequences
        from tensorflow.keras.utils import HDF5Matrix, OrderedEnqueuer, get_custom_objects
        from tensorflow.python.keras.utils.vis_utils import plot_model
        from tensorflow.python.keras.utils.generic_utils import Progbar, CustomObjectScope
        from tensorflow.python.keras.utils.data_utils import Sequence
        from tensorflow.keras.losses import BinaryCrossentropy, Huber, Reduction
        from tensorflow.keras.metrics import AUC, MeanIoU, Precision
        from tensorflow.keras.optimizers.schedules import CosineDecay
        from tensorflow.keras.optimizers import Adam
        from tensorflow.keras.utils import to_categorical
        names = {Dense, inner, older, oldest, contrib.layers.Dense, tf.keras.layers.Dense}
        print(len(names), keras.__version__)
        """
    assert run(code) == "1 2.2.4-tf\n"


def test_importing_graphc_imports_no_keras() -> None:
    code = """
        import sys
        import graphc
        print([m for m in sys.modules if m.startswith("graphc.keras")])
        """
    assert run(code) == "[]\n"
