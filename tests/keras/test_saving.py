"""Models and weights in files: graphc's folder and Keras 2's HDF5."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import layers, models

RNG = np.random.default_rng(0)
X = RNG.random((16, 6))
Y = RNG.integers(0, 3, 16)


def classifier() -> Any:
    x = layers.Input((6,))
    a = layers.Dense(5, activation="relu", kernel_regularizer=keras.regularizers.l1_l2(0.01))(x)
    b = layers.BatchNormalization()(a)
    out = layers.Dense(3, activation="softmax")(layers.concatenate([a, b]))
    model = models.Model(x, out)
    model.compile(keras.optimizers.Adam(lr=0.01), "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(X, Y, epochs=2, verbose=0)
    return model


@pytest.fixture(params=["folder", "model.h5"])
def path(request: Any, tmp_path: Path) -> Path:
    if request.param.endswith("h5"):
        pytest.importorskip("h5py")
    return tmp_path / request.param


def test_a_saved_model_predicts_and_trains_on(path: Path) -> None:
    model = classifier()
    model.save(path)
    again = models.load_model(path)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    # the optimizer goes on where it was
    assert again.train_on_batch(X, Y) == model.train_on_batch(X, Y)
    np.testing.assert_allclose(again.predict(X), model.predict(X), rtol=1e-5)
    assert float(keras.backend.get_value(again.optimizer.lr)) == pytest.approx(0.01)
    assert models.load_model(path, compile=False).optimizer is None


def test_weights_go_into_an_equal_model(path: Path) -> None:
    model, other = classifier(), classifier()
    model.save_weights(path)
    other.load_weights(path)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    model.save_weights(path)
    with pytest.raises(FileExistsError):
        model.save_weights(path, overwrite=False)


def test_weights_by_name_and_of_other_shapes(path: Path) -> None:
    first = models.Sequential([layers.Dense(4, input_shape=(6,), name="a"),
                               layers.Dense(2, name="b")])  # fmt: skip
    first.save_weights(path)
    second = models.Sequential([layers.Dense(4, input_shape=(6,), name="a"),
                                layers.Dense(3, name="c")])  # fmt: skip
    second.load_weights(path, by_name=True)
    np.testing.assert_array_equal(second.layers[0].get_weights()[0], first.get_weights()[0])
    before = second.get_weights()
    with pytest.raises(ValueError, match=r'layer "c": weight c/kernel:0 has shape \(4, 3\), but'):
        second.load_weights(path)
    assert all((a == b).all() for a, b in zip(before, second.get_weights()))
    with pytest.raises(ValueError, match="containing 2 layers into a model with 1 layers"):
        models.Sequential([layers.Dense(4, input_shape=(6,))]).load_weights(path)


def test_files_that_are_cut_off_or_missing(path: Path, tmp_path: Path) -> None:
    model = classifier()
    model.save_weights(path)
    os.truncate(path, path.stat().st_size // 2)
    before = model.get_weights()
    with pytest.raises(OSError, match="cut off"):
        model.load_weights(path)
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))
    with pytest.raises(OSError, match="no such file"):
        model.load_weights(tmp_path / "nothing")
    with pytest.raises(OSError, match="does not exist"):
        models.load_model(tmp_path / "nothing")


def test_a_save_that_fails_leaves_the_model_before(path: Path, monkeypatch: Any) -> None:
    model = classifier()
    model.save(path)
    want = model.predict(X)
    model.train_on_batch(X, Y)

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        model.save(path)
    again = keras.callbacks.ModelCheckpoint(str(path))
    with pytest.warns(UserWarning, match="could not be saved"):
        model.fit(X, Y, verbose=0, callbacks=[again])
    monkeypatch.undo()
    np.testing.assert_array_equal(models.load_model(path).predict(X), want)
    assert not list(path.parent.glob(".*"))


def test_no_code_in_files_is_run(tmp_path: Path) -> None:
    def double(x: Any) -> Any:
        return x * 2

    model = models.Sequential([layers.Lambda(double, input_shape=(2,))])
    model.save(tmp_path / "m")
    again = models.load_model(tmp_path / "m", custom_objects={"double": double})
    assert (again.predict(np.ones((1, 2))) == 2).all()
    document = json.loads((tmp_path / "m" / "model.json").read_text())
    for layer in document["config"]["layers"]:
        if layer["class_name"] == "Lambda":
            layer["config"].update(function=["4wEAAAA=", None, None], function_type="lambda")
    (tmp_path / "m" / "model.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match="which is not run"):
        models.load_model(tmp_path / "m")
    with pytest.raises(ValueError, match="a lambda cannot be written"):
        models.Sequential([layers.Lambda(lambda x: x, input_shape=(2,))]).save(tmp_path / "n")


def test_recurrent_and_nested_models_come_back(path: Path) -> None:
    inner = models.Sequential([layers.LSTM(4, return_sequences=True, input_shape=(5, 3)),
                               layers.TimeDistributed(layers.Dense(2))])  # fmt: skip
    x = layers.Input((5, 3))
    model = models.Model(x, layers.Bidirectional(layers.GRU(3, reset_after=True))(inner(x)))
    model.save(path)
    again = models.load_model(path)
    data = RNG.random((2, 5, 3))
    np.testing.assert_array_equal(again.predict(data), model.predict(data))


def test_hdf5_has_kerass_layout(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    classifier().save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        group = file["model_weights"]
        assert [n.decode() for n in group.attrs["layer_names"]] == [
            "input_1", "dense", "batch_normalization", "concatenate", "dense_1",
        ]  # fmt: skip
        layer = group["batch_normalization"]
        first = layer.attrs["weight_names"][0].decode()
        assert first == "batch_normalization/gamma:0" and first in layer
        training = json.loads(file.attrs["training_config"])
        assert training["optimizer_config"]["class_name"] == "Adam"
        assert "optimizer_weights" in file


# ------------------------------------------------------------------ checkpoints of TensorFlow
def stacked() -> Any:
    gates = {"recurrent_activation": "sigmoid"}
    return models.Sequential([
        layers.Embedding(9, 4, input_length=5),
        layers.Bidirectional(layers.LSTM(3, return_sequences=True, **gates)),
        layers.TimeDistributed(layers.Dense(3)), layers.BatchNormalization(),
        layers.RNN([layers.LSTMCell(3, **gates), layers.SimpleRNNCell(2)]), layers.Dense(2),
    ])  # fmt: skip


def test_weights_as_a_checkpoint(tmp_path: Path) -> None:
    x = np.arange(10).reshape(2, 5) % 9
    first, second = stacked(), stacked()
    for name, options in (
        ("cp-1.ckpt", {}), ("ckpt_2", {}), ("plain", {"save_format": "tf"}),
    ):  # fmt: skip
        first.set_weights([RNG.normal(size=w.shape) for w in first.get_weights()])
        first.save_weights(tmp_path / "training" / name, **options)
        latest = tf.train.latest_checkpoint(str(tmp_path / "training"))
        assert latest == str(tmp_path / "training" / name)
        second.load_weights(latest).assert_consumed().expect_partial()
        np.testing.assert_array_equal(second.predict(x), first.predict(x))
    reader = tf.train.load_checkpoint(latest)
    kernel = "layer_with_weights-1/backward_layer/cell/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    np.testing.assert_array_equal(reader.get_tensor(kernel), first.layers[1].get_weights()[3])
    with pytest.raises(FileExistsError):
        first.save_weights(tmp_path / "training" / "cp-1.ckpt", overwrite=False)
    with pytest.raises(NotImplementedError, match="based on topology"):
        second.load_weights(latest, by_name=True)
    with pytest.raises(ValueError, match="finds no checkpoint"):
        second.load_weights(tf.train.latest_checkpoint(str(tmp_path)))


def test_a_checkpoint_of_tf_keras_loads() -> None:
    folder = Path(__file__).parents[1] / "fixtures" / "keras_h5"
    with np.load(folder / "trained.npz") as table:
        x, wanted = table["checkpoint_x_0"], table["checkpoint_before_0"]
    model = stacked()
    model.load_weights(folder / "weights.ckpt")
    np.testing.assert_allclose(model.predict(x), wanted, rtol=1e-5, atol=1e-6)


def test_checkpoints_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "w.ckpt"
    models.Sequential([layers.Dense(3, input_shape=(2,))]).save_weights(path)
    wide = models.Sequential([layers.Dense(4, input_shape=(2,), name="wide")])
    before = wide.get_weights()
    with pytest.raises(ValueError, match=r"wide/kernel:0 has shape \(2, 4\), but .* \(2, 3\)"):
        wide.load_weights(path)
    deep = models.Sequential([layers.Dense(3, input_shape=(2,)), layers.Dense(1, name="more")])
    with pytest.raises(ValueError, match="no value of more/kernel:0"):
        deep.load_weights(path)
    for suffix in (".index", ".data-00000-of-00001"):
        file = Path(f"{path}{suffix}")
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(OSError, match=r"w\.ckpt"):
            wide.load_weights(path)
        file.write_bytes(whole)
    assert all((a == b).all() for a, b in zip(before, wide.get_weights()))
    with tf.Graph().as_default(), tf.Session() as sess:
        v = tf.get_variable("v", [2])
        sess.run(v.initializer)
        tf.train.Saver().save(sess, str(tmp_path / "saver.ckpt"))
    with pytest.raises(OSError, match=r"a Saver wrote it"):
        wide.load_weights(tmp_path / "saver.ckpt")


def test_a_full_disk_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from graphc.keras.engine import saving

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    model = classifier()
    model.fit(X, np.zeros(len(X)), verbose=0)
    model.save(tmp_path / "kept")
    before = sorted(p.name for p in (tmp_path / "kept").iterdir())
    monkeypatch.setattr(saving, "atomic_file", full)
    for name in ("kept", "new"):
        with pytest.raises(OSError, match="No space left"):
            model.save(tmp_path / name)
    assert sorted(p.name for p in (tmp_path / "kept").iterdir()) == before
    assert not (tmp_path / "new").exists()
