"""HDF5 files of Keras 2 and of older ones: they load, predict the same and train on."""

from __future__ import annotations

import builtins
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc import keras
from graphc.keras import layers, models

h5py = pytest.importorskip("h5py")
FOLDER = Path(__file__).parents[1] / "fixtures" / "keras_h5"
RNG = np.random.default_rng(0)


def given(name: str, group: str) -> Any:
    with np.load(FOLDER / "trained.npz") as table:
        found = [table[f"{name}_{group}_{k}"] for k in range(2) if f"{name}_{group}_{k}" in table]
    return found[0] if len(found) == 1 else found


def close(found: Any, wanted: Any) -> None:
    pairs = zip(found, wanted, strict=True) if isinstance(wanted, list) else [(found, wanted)]
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def small() -> Any:
    model = models.Sequential([layers.Dense(4, input_shape=(3,), name="a"),
                               layers.Dense(1, name="b")])  # fmt: skip
    model.compile("adam", "mse", ["mae"])
    model.train_on_batch(np.ones((4, 3)), np.zeros((4, 1)))
    return model


# ------------------------------------------------------------------ files of tf.keras
@pytest.mark.parametrize("name", ["several", "inner", "words", "ops"])
def test_trained_models_of_tf_keras_go_on_here(name: str, tmp_path: Path) -> None:
    x, y = given(name, "x"), given(name, "y")
    model = models.load_model(FOLDER / f"trained_{name}.h5")
    close(model.predict(x), given(name, "before"))
    model.save(tmp_path / "again.h5")
    for _ in range(2):
        steps = [model.train_on_batch(x, y) for _ in range(2)]
        close(np.array(steps), given(name, "steps"))
        close(model.predict(x), given(name, "after"))
        model = models.load_model(tmp_path / "again.h5")


def test_state_is_written_in_the_order_of_tf_keras(tmp_path: Path) -> None:
    small().save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        group = file["optimizer_weights"]
        assert [n.decode() for n in group.attrs["weight_names"]] == [
            "Adam/iter:0",
            *(f"Adam/{w}/{slot}:0" for slot in "mv"
              for w in ("a/kernel", "a/bias", "b/kernel", "b/bias")),
        ]  # fmt: skip
        assert group["Adam/iter:0"][()] == 1


def test_calls_of_inner_models_are_counted_as_in_keras(tmp_path: Path) -> None:
    model = models.load_model(FOLDER / "trained_inner.h5")
    for config in (model.get_config(), models.clone_model(model).get_config()):
        calls = [c for x in config["layers"] for c in x["inbound_nodes"]]
        assert sorted(c[0][1] for c in calls if c[0][0] == "sequential") == [1, 2]


# ------------------------------------------------------------------ files of older versions
def names_of(group: Any, key: str, names: list[str]) -> None:
    group.attrs[key] = np.array([n.encode() for n in names])


def write_layers(group: Any, table: dict[str, list[Any]], version: str | None) -> None:
    names_of(group, "layer_names", list(table))
    if version is not None:
        group.attrs["keras_version"] = version.encode()
    for layer, arrays in table.items():
        inner = group.create_group(layer)
        names = [f"{layer}_W{k}" for k in range(len(arrays))]
        names_of(inner, "weight_names", names)
        for name, array in zip(names, arrays):
            inner[name] = array


def test_weights_of_keras_1(tmp_path: Path) -> None:
    model = models.Sequential([
        layers.Conv1D(3, 2, input_shape=(6, 2)), layers.LSTM(2, return_sequences=True),
        layers.GRU(2, reset_after=False), layers.Reshape((1, 1, 2)), layers.Conv2D(4, 1),
    ])  # fmt: skip
    conv1, lstm, gru, conv2 = (x.get_weights() for x in model.layers if x.weights)
    # their gates are i, c, f, o
    gates = [[np.split(w, 4, axis=-1)[k] for w in lstm] for k in (0, 2, 1, 3)]
    thirds = [[np.split(w, 3, axis=-1)[k] for w in gru] for k in range(3)]
    table = {
        "c1": [conv1[0][:, None], conv1[1]], "l": [a for x in gates for a in x],
        "g": [a for x in thirds for a in x],
        "c2": [conv2[0].transpose(3, 2, 0, 1), conv2[1]],
    }  # fmt: skip
    x = RNG.random((2, 6, 2))
    wanted = model.predict(x)
    for version in ("1.2.2", None):
        with h5py.File(tmp_path / "w.h5", "w") as file:
            write_layers(file, table, version)
        model.set_weights([0 * w for w in model.get_weights()])
        model.load_weights(tmp_path / "w.h5")
        np.testing.assert_array_equal(model.predict(x), wanted)


def old_model(path: Path, optimizer: dict[str, Any], state: list[Any]) -> list[Any]:
    """A file as Keras 2.0 to 2.2 wrote it: a list of layers, unnamed slots, text as bytes."""
    start = {"class_name": "VarianceScaling",
             "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}}
    dense = {
        "name": "d", "trainable": True, "batch_input_shape": [None, 3], "dtype": "float32",
        "units": 2, "activation": "relu", "use_bias": True, "kernel_initializer": start,
        "bias_initializer": {"class_name": "Zeros", "config": {}}, "kernel_regularizer": None,
        "bias_regularizer": None, "activity_regularizer": None, "kernel_constraint": None,
        "bias_constraint": None,
    }  # fmt: skip
    drop = {"name": "o", "trainable": True, "rate": 0.0, "noise_shape": None, "seed": None}
    training = {
        "optimizer_config": optimizer, "loss": "mean_squared_error", "metrics": ["accuracy"],
        "sample_weight_mode": None, "loss_weights": None,
    }  # fmt: skip
    config = {"class_name": "Sequential", "config": [
        {"class_name": "Dense", "config": dense}, {"class_name": "Dropout", "config": drop},
    ]}  # fmt: skip
    weights = [RNG.random((3, 2)).astype("f"), RNG.random(2).astype("f")]
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["training_config"] = json.dumps(training).encode()
        file.attrs["keras_version"] = b"2.1.6"
        write_layers(file.create_group("model_weights"), {"d": weights, "o": []}, "2.1.6")
        group = file.create_group("optimizer_weights")
        listed = [f"training/Adam/Variable{f'_{k}' if k else ''}:0" for k in range(len(state))]
        names_of(group, "weight_names", listed)
        for name, array in zip(listed, state):
            group[name] = array
    return weights


def test_a_model_of_keras_2_0_goes_on(tmp_path: Path) -> None:
    rates = {"lr": 0.01, "beta_1": 0.9, "beta_2": 0.999, "decay": 0.0, "epsilon": 1e-7,
             "amsgrad": False}  # fmt: skip
    shapes = [(3, 2), (2,)]
    slots = [RNG.random(s).astype("f") for _ in range(2) for s in shapes]
    unused = [np.zeros(1, "f")] * 2  # the third slots of those that are not AMSGrad
    state = [np.int64(7), *slots, *unused]
    weights = old_model(tmp_path / "m.h5", {"class_name": "Adam", "config": rates}, state)
    model = models.load_model(tmp_path / "m.h5")
    x, y = RNG.random((4, 3)), RNG.random((4, 2))
    np.testing.assert_allclose(
        model.predict(x), np.maximum(x @ weights[0] + weights[1], 0), rtol=1e-5
    )
    model.train_on_batch(x, y)
    found = model.optimizer.get_weights()
    assert found[0] == 8
    grads = [(m - 0.9 * old) / 0.1 for m, old in zip(found[1:3], slots[:2])]
    for v, old, g in zip(found[3:], slots[2:], grads):
        np.testing.assert_allclose(v, 0.999 * old + 0.001 * g * g, rtol=1e-4)


def test_state_that_does_not_fit_is_left_out_with_a_word(tmp_path: Path) -> None:
    sgd = {"class_name": "SGD", "config": {"lr": 0.1, "momentum": 0.9, "nesterov": True}}
    old_model(tmp_path / "m.h5", sgd, [np.int64(3), np.zeros((5, 5), "f"), np.zeros(2, "f")])
    model = models.load_model(tmp_path / "m.h5")
    with pytest.warns(UserWarning, match="freshly initialized optimizer"):
        model.train_on_batch(np.ones((1, 3)), np.ones((1, 2)))


def test_layers_of_nvidias_library(tmp_path: Path) -> None:
    """Their kernels are turned and their biases twice; either kind loads what the other wrote."""
    x = RNG.random((2, 5, 3))
    for plain, other, options in (
        (layers.LSTM, layers.CuDNNLSTM, {"recurrent_activation": "sigmoid"}),
        (layers.GRU, layers.CuDNNGRU, {"recurrent_activation": "sigmoid", "reset_after": True}),
    ):
        first = models.Sequential([layers.Bidirectional(plain(4, **options), input_shape=(5, 3))])
        second = models.Sequential([layers.Bidirectional(other(4), input_shape=(5, 3))])
        for source, target in ((first, second), (second, first)):
            source.set_weights([RNG.normal(size=w.shape) for w in source.get_weights()])
            source.save_weights(tmp_path / "w.h5")
            target.load_weights(tmp_path / "w.h5")
            np.testing.assert_allclose(target.predict(x), source.predict(x), rtol=1e-5, atol=1e-6)


def test_a_function_in_a_file_must_be_one_of_the_list(tmp_path: Path) -> None:
    for name in ("io.write_file", "py_function", "math.__class__", "numpy_function", "math.os"):
        config = models.load_model(FOLDER / "trained_ops.h5", compile=False).get_config()
        for layer in config["layers"]:
            if layer["class_name"] == "TFOpLambda":
                layer["config"]["function"] = name
        with pytest.raises(ValueError, match=f"cannot use the function tf.{name} here"):
            models.Model.from_config(config)


def test_lambdas_as_code_are_refused(tmp_path: Path) -> None:
    small().save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"].append({"class_name": "Lambda", "config": {
            "name": "l", "function_type": "lambda", "function": ["4wEAAAABAAAA", None, None],
        }})  # fmt: skip
        file.attrs["model_config"] = json.dumps(config).encode()
    with pytest.raises(ValueError, match="Layer l: the file holds a lambda as Python code"):
        models.load_model(tmp_path / "m.h5")


# ------------------------------------------------------------------ names
def test_very_long_names_and_many_layers(tmp_path: Path) -> None:
    x = layers.Input((2,))
    y = x
    for k in range(40):
        y = layers.Dense(2, name=f"n{k}_" + "x" * 1800)(y)
    model = models.Model(x, y)
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        assert "layer_names0" in file["model_weights"].attrs
    again = models.load_model(tmp_path / "m.h5")
    np.testing.assert_array_equal(again.predict(np.ones((1, 2))), model.predict(np.ones((1, 2))))


def test_a_models_own_weights_are_kept(tmp_path: Path) -> None:
    class Scaled(models.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(2)
            self.scale = self.add_weight("scale", (2,), initializer="ones")

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs) * self.scale

    x = np.ones((1, 3))
    for name in ("w.h5", "w"):
        first, second = Scaled(), Scaled()
        first.predict(x), second.predict(x)
        first.set_weights([RNG.random(w.shape) for w in first.get_weights()])
        first.save_weights(tmp_path / name)
        second.load_weights(tmp_path / name)
        np.testing.assert_array_equal(second.predict(x), first.predict(x))


# ------------------------------------------------------------------ damage
def test_every_truncation_is_an_error(tmp_path: Path) -> None:
    small().save(tmp_path / "m.h5")
    whole = (tmp_path / "m.h5").read_bytes()
    for size in [0, 1, 7, 8, 100, *range(512, len(whole), 2048), len(whole) - 1]:
        (tmp_path / "cut.h5").write_bytes(whole[:size])
        with pytest.raises(OSError, match=r"cut\.h5"):
            models.load_model(tmp_path / "cut.h5")


def test_damaged_files_name_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    model = small()
    before = model.get_weights()

    def damaged(change: Any) -> Path:
        model.save(path)
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    def remove(name: str) -> Any:
        return lambda file: file.__delitem__(name)

    with pytest.raises(OSError, match="/model_weights/b/b/kernel:0 cannot be read"):
        models.load_model(damaged(remove("model_weights/b/b/kernel:0")))
    with pytest.raises(OSError, match="lists layer b, which is not there"):
        model.load_weights(damaged(remove("model_weights/b")))
    with pytest.raises(OSError, match="a model without weights"):
        models.load_model(damaged(remove("model_weights")))
    with pytest.raises(OSError, match="is no JSON"):
        models.load_model(damaged(lambda f: f.attrs.__setitem__("model_config", b"{")))
    with pytest.raises(ValueError, match="holds no weights of Keras"):
        h5py.File(path, "w").close()
        model.load_weights(path)
    with pytest.raises(ValueError, match="No model found in config file"):
        model.save_weights(path)
        models.load_model(path)
    path.write_bytes(b"PK\x03\x04 nothing of the kind")
    with pytest.raises(OSError, match=r"m\.h5 is no saved model"):
        models.load_model(path)
    with pytest.raises(OSError, match="no weights file"):
        model.load_weights(path)
    os.remove(path)
    path.mkdir()
    with pytest.raises(OSError, match=r"there is no model\.json"):
        models.load_model(path)
    with pytest.raises(OSError, match="is a folder"):
        model.save(path)
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))


def test_without_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, path = small(), tmp_path / "m.h5"
    model.save(path)
    whole, real = path.read_bytes(), builtins.__import__

    def blocked(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "h5py":
            raise ImportError("No module named 'h5py'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", blocked)
    for action in (
        lambda: model.save(path), lambda: model.save_weights(path),
        lambda: models.load_model(path), lambda: model.load_weights(path),
    ):  # fmt: skip
        with pytest.raises(ImportError, match=r"pip install 'graphc\[h5\]'"):
            action()
    assert path.read_bytes() == whole
    model.save(tmp_path / "folder")
    assert keras.models.load_model(tmp_path / "folder").optimizer is not None


# ------------------------------------------------------------------ archives of Keras 3
@pytest.mark.parametrize("name", ["keras", "tf_keras"])
def test_archives_go_on_here(name: str, tmp_path: Path) -> None:
    path = FOLDER / f"archive_{name}.keras"
    with np.load(FOLDER / "archive.npz") as table:
        x, y, before, after = (
            table[k] for k in ("x", "y", f"{name}_before", f"{name}_after")
        )
    model = models.load_model(path)
    close(model.predict(x), before)
    model.save(tmp_path / "again.h5")
    for _ in range(2):
        for _ in range(2):
            model.train_on_batch(x, y)
        close(model.predict(x), after)
        model = models.load_model(tmp_path / "again.h5")
    model.set_weights([0 * w for w in model.get_weights()])
    model.load_weights(path)
    close(model.predict(x), before)
    with zipfile.ZipFile(path) as archive:
        (tmp_path / "m.weights.h5").write_bytes(archive.read("model.weights.h5"))
    model.set_weights([0 * w for w in model.get_weights()])
    model.load_weights(tmp_path / "m.weights.h5")
    close(model.predict(x), before)
    assert models.load_model(path, compile=False).optimizer is None


def test_archives_that_are_damaged_or_do_not_fit(tmp_path: Path) -> None:
    whole = (FOLDER / "archive_keras.keras").read_bytes()
    path = tmp_path / "m.keras"
    for size in (4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(OSError, match=r"m\.keras"):
            models.load_model(path)
    model = small()
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r"a/kernel:0 has shape \(3, 4\), but .* layers/dense/"):
        model.load_weights(path)
    with pytest.raises(NotImplementedError, match="by the paths of objects"):
        model.load_weights(path, by_name=True)
    deep = models.Sequential([layers.GRU(2, input_shape=(3, 3), name="g")])
    with pytest.raises(ValueError, match=r"no value of g/kernel:0 .*layers/gru/cell/vars/0"):
        deep.load_weights(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(OSError, match="no archive of Keras"):
        models.load_model(path)
    for config, text in (("{", "is damaged"), ("{}", "describes no model")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", config)
            archive.writestr("model.weights.h5", b"")
        with pytest.raises(OSError, match=text):
            models.load_model(path)


def test_layers_of_newer_versions(tmp_path: Path) -> None:
    config = models.Sequential([layers.Dense(2, input_shape=(3,))]).get_config()
    config["layers"][1:1] = [
        {"class_name": "Rescaling", "config": {"name": "r", "scale": [1.0, 2.0, 4.0],
                                               "offset": -1.0}},
        {"class_name": "UnitNormalization", "config": {"name": "u", "axis": [-1]}},
    ]  # fmt: skip
    made = models.Sequential.from_config(config)
    made.save(tmp_path / "m.h5")
    x = RNG.integers(0, 9, (4, 3))
    for model in (made, models.load_model(tmp_path / "m.h5")):
        kernel, bias = made.get_weights()
        scaled = x * [1, 2, 4] - 1.0
        wanted = scaled / np.linalg.norm(scaled, axis=-1, keepdims=True) @ kernel + bias
        np.testing.assert_allclose(model.predict(x), wanted, rtol=1e-5, atol=1e-6)
