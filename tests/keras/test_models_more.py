"""Models: what summary prints, pictures, arguments that are tensors, surgery, errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import backend as K
from graphc.keras import layers, models
from tests.keras import summary_cases

RNG = np.random.default_rng(11)
FIXTURES = Path(__file__).parents[1] / "fixtures"
SUMMARIES = json.loads((FIXTURES / "keras_summaries.json").read_text())


# ------------------------------------------------------------------ summary
@pytest.mark.parametrize("name", sorted(SUMMARIES))
def test_summary_has_the_rows_of_keras(name: str) -> None:
    rows: list[str] = []
    summary_cases.cases(keras)[name]().summary(line_length=150, print_fn=rows.append)
    assert summary_cases.cells(rows) == SUMMARIES[name]


def test_summary_letter_by_letter() -> None:
    model = models.Sequential([layers.Dense(10, input_shape=(4,), name="first"),
                               layers.BatchNormalization(name="norm")], name="s")  # fmt: skip
    rows: list[str] = []
    model.summary(print_fn=rows.append)
    assert rows == [
        'Model: "s"', "_" * 65,
        "Layer (type)                 Output Shape              Param #   ", "=" * 65,
        "first (Dense)                (None, 10)                50        ", "_" * 65,
        "norm (BatchNormalization)    (None, 10)                40        ", "=" * 65,
        "Total params: 90", "Trainable params: 70", "Non-trainable params: 20", "_" * 65,
    ]  # fmt: skip
    a, b = layers.Input((4,), name="a"), layers.Input((4,), name="b")
    rows.clear()
    models.Model([a, b], layers.add([a, b], name="sum"), name="m").summary(print_fn=rows.append)
    assert len(rows[1]) == 98
    assert rows[2] == (
        "Layer (type)                    Output Shape         Param #     Connected to" + " " * 21
    )
    assert rows[4] == f"{'a (InputLayer)':32}{'[(None, 4)]':21}{'0':45}"
    assert rows[8:10] == [f"{'sum (Add)':32}{'(None, 4)':21}{'0':12}{'a[0][0]':33}",
                          " " * 65 + f"{'b[0][0]':33}"]  # fmt: skip


def test_widths_and_columns_of_a_summary(capsys: Any) -> None:
    model = models.Sequential([layers.Dense(10, input_shape=(4,), name="first")])
    model.summary(line_length=80, positions=[0.5, 0.8, 1.0])
    lines = capsys.readouterr().out.splitlines()
    assert {len(line) for line in lines[1:6]} == {80}
    assert lines[4].index("(None, 10)") == 40 and lines[4].index("50") == 64
    with pytest.raises(ValueError, match="not yet been built"):
        models.Sequential([layers.Dense(2)]).summary()


# ------------------------------------------------------------------ pictures
def branched() -> Any:
    a, b = layers.Input((8, 8, 3), name="image"), layers.Input((4,), name="extra")
    x = layers.Conv2D(4, 3, padding="same", name="conv")(a)
    x = layers.add([layers.Conv2D(4, 1, name="inner")(x), x], name="sum")
    inside = models.Sequential([layers.Dense(4, input_shape=(4,), name="dense")], name="small")
    x = layers.concatenate([layers.GlobalMaxPooling2D(name="pool")(x), inside(b)], name="both")
    return models.Model([a, b], [layers.Dense(2, name="o1")(x), layers.Dense(1, name="o2")(x)])


@pytest.mark.parametrize("rankdir", ["TB", "LR", "BT", "RL"])
def test_a_model_as_svg(tmp_path: Path, rankdir: str) -> None:
    import xml.etree.ElementTree as ET

    model = branched()
    path = keras.utils.plot_model(model, tmp_path / "m.svg", show_shapes=True, rankdir=rankdir)
    root = ET.fromstring(path.read_text())
    space = "{http://www.w3.org/2000/svg}"
    texts = [t.text for t in root.iter(f"{space}text")]
    for layer in model.layers:
        assert f"{layer.name}: {type(layer).__name__}" in texts
    assert "(None, 8, 8, 3)" in texts and texts.count("input:") == len(model.layers)
    edges = [p for p in root.iter(f"{space}path") if p.get("marker-end")]
    assert len(edges) == 10
    boxes = [r for r in root.iter(f"{space}rect") if r.get("rx")]
    wide, high = float(root.get("width", 0)), float(root.get("height", 0))
    spans = []
    for box in boxes:
        x, y, w, h = (float(box.get(k, 0)) for k in ("x", "y", "width", "height"))
        assert min(x, y) >= 0 and x + w <= wide + 1 and y + h <= high + 1
        for ox, oy, ow, oh in spans:
            assert x + w <= ox or ox + ow <= x or y + h <= oy or oy + oh <= y
        spans.append((x, y, w, h))


def test_other_kinds_of_pictures(tmp_path: Path, monkeypatch: Any) -> None:
    model = branched()
    text = keras.utils.plot_model(model, tmp_path / "m.dot", show_layer_names=False).read_text()
    assert '"conv" -> "sum";' in text and '"conv" [label="{Conv2D}"];' in text
    nested = keras.utils.model_to_dot(model, expand_nested=True)
    assert '"extra" -> "small/dense_input";' in nested and '"small/dense" -> "both";' in nested
    pytest.importorskip("matplotlib")
    path = keras.utils.plot_model(model, str(tmp_path / "m.png"), show_shapes=True)
    assert path.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ValueError, match=r"not \.foo"):
        keras.utils.plot_model(model, tmp_path / "m.foo")
    with pytest.raises(ValueError, match="rankdir must be"):
        keras.utils.plot_model(model, tmp_path / "m.svg", rankdir="UP")
    with pytest.raises(ValueError, match="not yet been built"):
        keras.utils.plot_model(models.Sequential([layers.Dense(1)]), tmp_path / "m.svg")
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"plot_model needs matplotlib for \.png"):
        keras.utils.plot_model(model, tmp_path / "n.png")


# ------------------------------------------------------------------ weights
def test_weights_stand_layer_by_layer() -> None:
    model = models.Sequential([
        layers.Dense(3, input_shape=(4,), name="a"), layers.BatchNormalization(name="b"),
        layers.Dense(2, name="c"),
    ])  # fmt: skip
    names = [w.name for w in model.weights]
    assert names == [f"{n}:0" for n in (
        "a/kernel", "a/bias", "b/gamma", "b/beta", "b/moving_mean", "b/moving_variance",
        "c/kernel", "c/bias")]  # fmt: skip
    model.get_layer("a").trainable = False
    assert [w.name for w in model.weights] == names
    assert [w.name for w in model.trainable_weights] == ["b/gamma:0", "b/beta:0", "c/kernel:0",
                                                         "c/bias:0"]  # fmt: skip
    values = [RNG.random(v.shape).astype("f") for v in model.get_weights()]
    model.set_weights(values)
    for got, want in zip(model.get_weights(), values):
        np.testing.assert_array_equal(got, want)


# ------------------------------------------------------------------ graphs of layers
def test_tensors_among_arguments_are_followed_and_saved() -> None:
    x, allowed = layers.Input((5, 4)), layers.Input((5, 5), dtype="bool")
    out = layers.MultiHeadAttention(2, 3)(x, x, attention_mask=allowed)
    model = models.Model([x, allowed], out)
    data, mask = RNG.random((2, 5, 4)), np.tri(5, 5)[None].repeat(2, 0) > 0
    got = model.predict([data, mask])
    again = models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(again.predict([data, mask]), got, rtol=1e-5)
    assert not np.allclose(again.predict([data, np.ones_like(mask)]), got)
    fresh = [layers.Input((5, 4)), layers.Input((5, 5), dtype="bool")]
    outer = models.Model(fresh, model(fresh))
    np.testing.assert_allclose(outer.predict([data, mask]), got, rtol=1e-5)
    with pytest.raises(ValueError, match="Graph disconnected"):
        models.Model(x, out)


def test_a_mask_that_is_given_counts_in_other_calls_too() -> None:
    x, m = layers.Input((4, 3)), layers.Input((4,), dtype="bool")
    model = models.Model([x, m], layers.LSTM(2)(x, mask=m))
    fresh = [layers.Input((4, 3)), layers.Input((4,), dtype="bool")]
    outer = models.Model(fresh, model(fresh))
    data, mask = RNG.random((3, 4, 3)), np.arange(4) < np.array([[1], [2], [4]])
    np.testing.assert_allclose(outer.predict([data, mask]), model.predict([data, mask]), rtol=1e-5)
    assert not np.allclose(outer.predict([data, np.ones((3, 4), bool)])[0],
                           model.predict([data, mask])[0])  # fmt: skip


def test_parts_of_models() -> None:
    model = models.Sequential([layers.Dense(3, input_shape=(4,), name="a"),
                               layers.Dense(5, name="b"), layers.Dense(2, name="c")])  # fmt: skip
    x = RNG.random((2, 4))
    features = models.Model(model.input, model.layers[-2].output)
    every = models.Model(model.inputs, [layer.output for layer in model.layers])
    parts = every.predict(x)
    np.testing.assert_allclose(features.predict(x), parts[1], rtol=1e-6)
    np.testing.assert_allclose(model.predict(x), parts[2], rtol=1e-6)
    middle = models.Model(model.layers[1].input, model.output)
    np.testing.assert_allclose(middle.predict(parts[0]), parts[2], rtol=1e-5)
    model.pop()
    assert model.output_shape == (None, 5)
    model.add(layers.Dense(7))
    assert model.predict(x).shape == (2, 7) and len(model.layers) == 3


def test_yaml_has_a_clear_word() -> None:
    model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    with pytest.raises(NotImplementedError, match="to_json"):
        model.to_yaml()
    with pytest.raises(NotImplementedError, match="model_from_json"):
        models.model_from_yaml("a: 1")


# ------------------------------------------------------------------ errors
def i(*shape: Any, **kwargs: Any) -> Any:
    return layers.Input(shape, **kwargs)


WRONG: dict[str, tuple[Any, str]] = {
    "rank": (lambda: layers.Dense(3, name="low")(i()), "layer low .*min_ndim=2, found ndim=1"),
    "sequences": (lambda: layers.LSTM(3, name="seq")(i(4)), "layer seq .*ndim=3, found ndim=2"),
    "images": (lambda: layers.Conv2D(2, 3, name="img")(i(4)), "layer img .*ndim=4, found ndim=2"),
    "pool": (lambda: layers.MaxPooling2D(name="pool")(i(4)), "layer pool .*found ndim=2"),
    "kernel": (lambda: layers.Conv2D(2, 5, name="big")(i(3, 3, 1)), "big"),
    "integers": (lambda: layers.Dense(2, name="whole")(i(3, dtype="int32")),
                 "non-floating point dtype int32.*\n.*Dense whole"),
    "none": (lambda: layers.Dense(2, name="empty")(None), "Layer empty was called on None"),
    "object": (lambda: layers.Dense(2, name="odd")(object()), "Layer odd was called on object"),
    "unknown": (lambda: layers.Dense(2, name="depth")(i(3, None)), "last dimension.*\n.*depth"),
    "add": (lambda: layers.Add(name="plus")([i(3), i(4)]), "could not be broadcast.*plus"),
    "one": (lambda: layers.Add(name="plus")(i(3)), "list of inputs. Layer plus"),
    "few": (lambda: layers.Subtract(name="minus")([i(3)]), "exactly 2 inputs.*\n.*minus"),
    "concatenate": (lambda: layers.Concatenate(name="both")([i(3, 2), i(4, 2)]), "layer both"),
    "dot": (lambda: layers.Dot(1, name="times")([i(3), i(4)]), "3 != 4.*\n.*times"),
    "activation": (lambda: layers.Dense(2, activation="nope", name="act"),
                   "function: nope.*\n.*act"),
    "initializer": (lambda: layers.Dense(2, kernel_initializer="nope", name="ini"),
                    r"initializer: nope \(kernel_initializer\)\n.*ini"),
    "regularizer": (lambda: layers.Conv1D(2, 2, bias_regularizer="nope", name="reg"),
                    r"regularizer: nope \(bias_regularizer\)\n.*reg"),
    "constraint": (lambda: layers.LSTM(2, recurrent_constraint="nope"), "constraint: nope"),
    "layer": (lambda: models.model_from_config({"class_name": "Nope", "config": {}}),
              "Unknown layer: Nope"),
    "direction": (lambda: layers.Bidirectional(layers.Dense(2, name="flat")),
                  "recurrent.*\n.*flat"),
    "shapes": (lambda: layers.Input((3,), batch_shape=(2, 3)), "not both"),
    "groups": (lambda: layers.Conv2D(4, 2, groups=3), "multiple of groups"),
    "heads": (lambda: layers.MultiHeadAttention(2, 2, attention_axes=0)(i(3, 2), i(3, 2)),
              "attention over axes"),
    "padding": (lambda: layers.Conv2DTranspose(2, 3, strides=2, output_padding=2),
                "must be greater than output padding"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(WRONG))
def test_errors_name_the_layer(name: str) -> None:
    make, text = WRONG[name]
    with pytest.raises((TypeError, ValueError), match=text) as info:
        make()
    whole = str(info.value) + "".join(getattr(info.value, "__notes__", ()))
    if name not in ("layer", "shapes", "groups", "padding"):
        assert re.search(rf"{Path(__file__).name}:\d+", whole), whole


def test_errors_of_models_name_layer_and_line() -> None:
    two = models.Model(*(lambda a, b: ([a, b], layers.add([a, b])))(i(3), i(3)))
    with pytest.raises(ValueError, match=r"expects 2 inputs.*received 1"):
        two(i(3))
    first = layers.Dense(2, name="first")
    waiting = models.Sequential([first, layers.Dense(1, name="x")])
    first(i(3))
    with pytest.raises(ValueError, match=rf"(?s)layer first .*Dense first.*{Path(__file__).name}"):
        waiting.build((None, 4))
    a = i(3)
    same = layers.Dense(2, name="x")(layers.Dense(2, name="x")(a))
    with pytest.raises(ValueError, match=r'(?s)name "x" is used 2 times.*made at.*made at'):
        models.Model(a, same)
    other = i(3, name="other")
    lost = layers.Dense(2, name="lost")(other)
    with pytest.raises(ValueError, match=r'(?s)disconnected.*"other.*at layer "lost".*made at'):
        models.Model(i(3), lost)


class Broken(layers.Layer):
    def call(self, inputs: Any) -> Any:  # type: ignore[override]
        return tf.matmul(inputs, tf.ones((7, 7)))


def test_errors_inside_a_users_layer_tell_which_one() -> None:
    with pytest.raises(ValueError) as info:
        models.Sequential([layers.Dense(3, input_shape=(4,)), Broken(name="broken")])
    assert any("Broken broken" in n for n in info.value.__notes__)


def test_losses_metrics_and_updates_of_layers() -> None:
    class Own(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.count = self.add_weight("count", (), initializer="zeros", trainable=False)
            self.scale = self.add_weight("scale", (), initializer="ones", regularizer="l2")
            self.built = True

        def call(self, inputs: Any) -> Any:  # type: ignore[override]
            self.add_update(tf.assign_add(self.count, 1.0))
            self.add_loss(tf.reduce_mean(inputs), inputs=inputs)
            self.add_metric(tf.reduce_max(inputs), aggregation="mean", name="top")
            return inputs * self.scale

    a = i(3)
    own = Own()
    model = models.Model(a, own(a))
    model.add_loss(0.5 * tf.reduce_sum(own.scale))
    model.compile("sgd", "mse")
    assert len(model.losses) == 3 and len(model.get_losses_for(None)) == 2
    data = np.full((2, 3), 0.5)
    history = model.fit(data, data, epochs=1, verbose=0).history
    assert history["top"][0] == pytest.approx(0.5)
    assert history["loss"][0] == pytest.approx(0.01 + 0.5 + 0.5)
    assert K.get_value(own.count) == 1.0


class Times(layers.Layer):
    """It forgets to tell its argument."""

    def __init__(self, factor: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs: Any) -> Any:  # type: ignore[override]
        return inputs * self.factor


def test_a_layer_that_forgets_its_arguments_is_not_written() -> None:
    model = models.Sequential([Times(3.0, input_shape=(2,), name="times")])
    np.testing.assert_array_equal(model.predict(np.ones((1, 2))), [[3.0, 3.0]])
    with pytest.raises(NotImplementedError, match=r"(?s)override `get_config`: Times has factor"):
        model.to_json()


def test_an_unknown_layer_is_named_with_its_place() -> None:
    text = json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": [
        {"class_name": "Nope", "config": {"name": "odd"}}]}})
    with pytest.raises(ValueError, match=r"Unknown layer: Nope \(named 'odd'\).*custom_objects"):
        models.model_from_json(text)
