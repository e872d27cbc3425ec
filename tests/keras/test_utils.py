"""keras.utils: batches made ahead, HDF5 data, names that are registered, older paths."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import layers, models, utils


class Slow(utils.Sequence):
    """Batches of which later ones are ready sooner."""

    ended = 0

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        time.sleep(0.005 * (4 - index))
        return index

    def on_epoch_end(self) -> None:
        self.ended += 1


def test_batches_keep_their_order() -> None:
    data = Slow()
    queue = utils.OrderedEnqueuer(data)
    queue.start(workers=3, max_queue_size=5)
    batches = queue.get()
    assert [next(batches) for _ in range(10)] == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert queue.is_running() and data.ended >= 2
    queue.stop()
    assert not queue.is_running()
    mixed = utils.OrderedEnqueuer(data, shuffle=True)
    mixed.start()
    batches = mixed.get()
    assert sorted(next(batches) for _ in range(4)) == [0, 1, 2, 3]
    mixed.stop()


def test_generators_end_and_fail() -> None:
    queue = utils.GeneratorEnqueuer(iter(range(5)))
    queue.start()
    assert list(queue.get()) == [0, 1, 2, 3, 4]

    def broken() -> Any:
        yield 1
        raise KeyError("no more")

    queue = utils.GeneratorEnqueuer(broken())
    queue.start()
    batches = queue.get()
    assert next(batches) == 1
    with pytest.raises(KeyError, match="no more"):
        next(batches)
    assert not queue.is_running()


def test_rows_of_hdf5_files(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    x = np.arange(40.0).reshape(10, 4)
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = x
    data = utils.HDF5Matrix(tmp_path / "data.h5", "x", 2, 9, normalizer=lambda v: v / 2)
    assert len(data) == 7 and data.shape == (7, 4) and data.ndim == 2 and data.size == 28
    np.testing.assert_array_equal(data[1], x[3] / 2)
    np.testing.assert_array_equal(data[-2:], x[7:9] / 2)
    np.testing.assert_array_equal(data[[5, 0, 0]], x[[7, 2, 2]] / 2)
    np.testing.assert_array_equal(np.asarray(data), x[2:9] / 2)
    with pytest.raises(IndexError, match="row 7 of 7"):
        data[7]
    with pytest.raises(KeyError):
        utils.HDF5Matrix(tmp_path / "data.h5", "none")


def test_registered_classes_are_known_in_files() -> None:
    @utils.register_keras_serializable(package="mine")
    class Twice(layers.Layer):
        def call(self, x: Any) -> Any:
            return x * 2

    try:
        model = models.Sequential([Twice(input_shape=(3,))])
        again = models.model_from_json(model.to_json())
        assert isinstance(again.layers[-1], Twice)
        assert utils.get_registered_name(Twice) == "mine>Twice"
        assert utils.get_registered_object("mine>Twice") is Twice
        assert utils.get_registered_object("none") is None
        with pytest.raises(ValueError, match="already been registered"):
            utils.register_keras_serializable("mine", "Twice")(layers.Dense)
        with pytest.raises(ValueError, match="get_config"):
            utils.register_keras_serializable()(type("Plain", (), {}))
    finally:
        for name in ("mine>Twice", "Twice"):
            utils.get_custom_objects().pop(name, None)


def test_objects_known_in_a_scope() -> None:
    def swish(x: Any) -> Any:
        return x * tf.sigmoid(x)

    with utils.CustomObjectScope({"swish2": swish}):
        model = models.Sequential([layers.Dense(2, activation="swish2", input_shape=(3,))])
    with pytest.raises(ValueError, match="Unknown activation function"):
        models.model_from_json(model.to_json().replace(swish.__name__, "swish2"))
    with utils.custom_object_scope({"swish": swish}):
        assert models.model_from_json(model.to_json()).layers[-1].activation is swish
    read = utils.deserialize_keras_object
    assert read("relu", custom_objects={"relu": swish}, printable_module_name="function") is swish
    assert read("swish", {"swish": swish}) is swish and read(None) is None
    assert isinstance(read("Flatten", vars(layers.core)), layers.Flatten)
    dense = read(utils.serialize_keras_object(layers.Dense(3)), {"Dense": layers.Dense})
    assert dense.units == 3
    with pytest.raises(ValueError, match="Unknown thing: none"):
        read("none", {}, printable_module_name="thing")


def test_older_paths() -> None:
    from graphc.keras.utils.conv_utils import (
        conv_input_length,
        conv_output_length,
        deconv_output_length,
        normalize_padding,
        normalize_tuple,
    )
    from graphc.keras.utils.data_utils import OrderedEnqueuer, get_file
    from graphc.keras.utils.generic_utils import Progbar, get_custom_objects
    from graphc.keras.utils.training_utils import multi_gpu_model
    from graphc.keras.utils.vis_utils import model_to_dot, plot_model

    assert OrderedEnqueuer is utils.OrderedEnqueuer and Progbar is utils.Progbar
    assert get_custom_objects is utils.get_custom_objects and get_file is utils.get_file
    assert plot_model is utils.plot_model and model_to_dot and multi_gpu_model
    assert normalize_tuple(2, 3, "x") == (2, 2, 2) and normalize_padding("SAME") == "same"
    with pytest.raises(ValueError, match="tuple of 2 integers"):
        normalize_tuple((1, 2, 3), 2, "x")
    assert conv_output_length(10, 3, "valid", 2) == 4 and conv_output_length(10, 3, "same", 2) == 5
    assert conv_output_length(10, 3, "causal", 1, 2) == 10
    assert conv_input_length(4, 3, "valid", 2) == 9
    assert conv_output_length(None, 1, "same", 1) is None
    assert deconv_output_length(4, 3, "valid", stride=2) == 9
    assert deconv_output_length(4, 3, "same", stride=2) == 8
    assert deconv_output_length(4, 3, "same", output_padding=1, stride=2) == 8


def test_kernels_of_theano_are_turned() -> None:
    model = models.Sequential([layers.Conv2D(2, 3, input_shape=(4, 4, 1)), layers.Flatten()])
    kernel, bias = model.get_weights()
    utils.convert_all_kernels_in_model(model)
    np.testing.assert_array_equal(model.get_weights()[0], kernel[::-1, ::-1])
    np.testing.assert_array_equal(model.get_weights()[1], bias)


def test_losses_and_metrics_as_configurations() -> None:
    losses, metrics = keras.losses, keras.metrics
    for name in ("Huber", "BinaryCrossentropy", "CosineSimilarity"):
        made = getattr(losses, name)()
        again = losses.deserialize(json.loads(json.dumps(losses.serialize(made))))
        assert type(again) is type(made) and again.get_config() == made.get_config()
    for made in (metrics.AUC(thresholds=[0.2, 0.5]), metrics.Precision(top_k=2, class_id=1),
                 metrics.SensitivityAtSpecificity(0.4), metrics.MeanIoU(3),
                 metrics.MeanRelativeError([1.0, 2.0]), metrics.TopKCategoricalAccuracy(3),
                 metrics.BinaryCrossentropy(from_logits=True)):  # fmt: skip
        again = metrics.deserialize(json.loads(json.dumps(metrics.serialize(made))))
        assert type(again) is type(made) and again.get_config() == made.get_config()
    with pytest.raises(ValueError, match="Unknown loss function: foo"):
        losses.get("foo")
    with pytest.raises(TypeError, match=r"MeanSquaredError.*unexpected keyword argument 'foo'"):
        losses.MeanSquaredError(foo=1)
    with pytest.raises(ValueError, match="Invalid Reduction Key"):
        losses.Hinge(reduction="most")


def test_probabilities_outside_of_their_range_are_refused() -> None:
    model = models.Sequential([layers.Dense(1, input_shape=(3,), kernel_initializer="ones")])
    model.compile("sgd", "mse", [keras.metrics.Precision()])
    with pytest.raises(tf.errors.InvalidArgumentError, match="predictions must be >= 0"):
        model.fit(np.full((4, 3), 9.0), np.ones(4), verbose=0)
