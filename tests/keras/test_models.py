"""Graphs of layers: names, shapes, sharing, nesting, raw ops, configurations, summaries."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import backend as K
from graphc.keras import layers, models

RNG = np.random.default_rng(0)
SUMMARY = """\
Model: "sequential"
_________________________________________________________________
Layer (type)                 Output Shape              Param #   
=================================================================
conv2d (Conv2D)              (None, 6, 6, 4)           112       
_________________________________________________________________
batch_normalization (BatchNo (None, 6, 6, 4)           16        
_________________________________________________________________
flatten (Flatten)            (None, 144)               0         
_________________________________________________________________
dense (Dense)                (None, 10)                1450      
=================================================================
Total params: 1,578
Trainable params: 1,570
Non-trainable params: 8
_________________________________________________________________"""  # noqa: W291


def test_summary_is_keras_text() -> None:
    model = models.Sequential([
        layers.Conv2D(4, 3, input_shape=(8, 8, 3)), layers.BatchNormalization(),
        layers.Flatten(), layers.Dense(10),
    ])  # fmt: skip
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert "\n".join(lines) == SUMMARY


def test_summary_of_a_graph_names_connections() -> None:
    x = layers.Input((3,), name="x")
    a, b = layers.Dense(2, name="a")(x), layers.Dense(2, name="b")(x)
    lines: list[str] = []
    models.Model(x, layers.add([a, b])).summary(print_fn=lines.append)
    assert lines[0] == 'Model: "model"'
    assert any(line.split() == ["add", "(Add)", "(None,", "2)", "0", "a[0][0]"] for line in lines)
    assert lines[-2] == "Non-trainable params: 0"


def test_names_are_numbered_as_kerass() -> None:
    names = [layers.Dense(1).name, layers.Dense(1).name, layers.MaxPooling2D().name,
             layers.BatchNormalization().name, layers.LSTM(1).name,
             models.Sequential().name]  # fmt: skip
    assert names == [
        "dense", "dense_1", "max_pooling2d", "batch_normalization", "lstm", "sequential",
    ]  # fmt: skip
    dense = layers.Dense(2)
    dense(layers.Input((3,)))
    assert [w.name for w in dense.weights] == ["dense_2/kernel:0", "dense_2/bias:0"]


def test_shared_layers_have_one_set_of_weights() -> None:
    a, b = layers.Input((3,)), layers.Input((3,))
    shared = layers.Dense(2)
    model = models.Model([a, b], layers.subtract([shared(a), shared(b)]))
    assert model.count_params() == 8
    x = RNG.random((4, 3))
    np.testing.assert_allclose(model.predict([x, x]), 0, atol=1e-6)
    assert shared.get_output_at(1).shape.as_list() == [None, 2]
    with pytest.raises(AttributeError, match="multiple inbound nodes"):
        _ = shared.output


def test_models_nest_and_are_applied_to_new_inputs() -> None:
    inner = models.Sequential([layers.Dense(4, activation="relu", input_shape=(3,)),
                               layers.Dropout(0.5), layers.Dense(2)])  # fmt: skip
    x = layers.Input((3,))
    outer = models.Model(x, layers.Activation("tanh")(inner(x)))
    data = RNG.random((5, 3))
    np.testing.assert_allclose(outer.predict(data), np.tanh(inner.predict(data)), rtol=1e-5)
    assert [layer.name for layer in outer.layers][1] == inner.name
    assert outer.get_layer(inner.name) is inner


def test_ops_between_layers_become_layers() -> None:
    x = layers.Input((4,))
    y = layers.Dense(3)(tf.reduce_sum(x * 2.0, axis=1, keepdims=True) + 1.0)
    model = models.Model(x, tf.square(y))
    data = RNG.random((2, 4)).astype("f")
    kernel, bias = model.get_weights()
    want = ((data.sum(1, keepdims=True) * 2 + 1) @ kernel + bias) ** 2
    np.testing.assert_allclose(model.predict(data), want, rtol=1e-4)
    again = models.Model(x, model(layers.Dense(4)(x)))
    assert again.predict(data).shape == (2, 3)


def test_layers_work_on_placeholders() -> None:
    x = tf.placeholder(tf.float32, [None, 4])
    out = layers.Dense(1)(layers.Dropout(0.5)(layers.Dense(8, activation="relu")(x)))
    loss = tf.reduce_mean(tf.square(out - 1.0))
    train = tf.train.GradientDescentOptimizer(0.05).minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        first = sess.run(loss, {x: np.ones((5, 4))})
        for _ in range(50):
            sess.run(train, {x: np.ones((5, 4)), K.learning_phase(): 1})
        assert sess.run(loss, {x: np.ones((5, 4))}) < first


def test_outputs_of_layers_mix_with_sessions() -> None:
    model = models.Sequential([layers.Dense(2, input_shape=(3,))])
    data = RNG.random((4, 3))
    with K.get_session().as_default():
        got = model.output.eval({model.input: data})
    np.testing.assert_allclose(got, model.predict(data))
    double = K.function([model.input], [model.output * 2])
    np.testing.assert_allclose(double([data])[0], got * 2)


def test_a_model_waits_for_its_shape() -> None:
    model = models.Sequential([layers.Dense(3), layers.Dense(1)])
    with pytest.raises(ValueError, match="has not yet been built"):
        model.summary()
    model.compile("sgd", "mse")
    model.fit(RNG.random((8, 5)), RNG.random(8), verbose=0)
    assert [tuple(w.shape.as_list()) for w in model.weights] == [(5, 3), (3,), (3, 1), (1,)]


class Mixed(keras.Model):
    """Layers as attributes and in lists."""

    def __init__(self) -> None:
        super().__init__(name="mixed")
        self.first = layers.Dense(8, activation="relu")
        self.norm = layers.BatchNormalization()
        self.blocks = [layers.Dense(4) for _ in range(2)]

    def call(self, x, training=None):  # type: ignore[no-untyped-def, override]
        x = self.norm(self.first(x), training=training)
        for block in self.blocks:
            x = block(x)
        return x


def test_subclassed_models_train() -> None:
    model = Mixed()
    model.compile("adam", "mse", metrics=["mae"])
    x = RNG.random((40, 5))
    history = model.fit(x, x[:, :4], epochs=8, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert history["mae"] == history["mean_absolute_error"]
    assert len(model.trainable_weights) == 8 and len(model.weights) == 10
    assert K.get_value(model.norm.moving_mean).any()
    with pytest.raises(NotImplementedError):
        model.get_config()


class Scale(layers.Layer):
    """A layer in the manner of Keras 2's guide."""

    def __init__(self, power=1, **kwargs):  # type: ignore[no-untyped-def]
        self.power = power
        super().__init__(**kwargs)

    def build(self, input_shape):  # type: ignore[no-untyped-def]
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1],), initializer="ones")
        super().build(input_shape)

    def call(self, x):  # type: ignore[no-untyped-def, override]
        self.add_loss(0.1 * K.mean(x))
        return x * self.kernel**self.power

    def get_config(self):  # type: ignore[no-untyped-def]
        return {**super().get_config(), "power": self.power}


def test_layers_of_ones_own_come_back_from_configurations() -> None:
    model = models.Sequential([Scale(2, input_shape=(3,)), layers.Dense(1)])
    text = model.to_json()
    with pytest.raises(ValueError, match="Unknown layer: Scale"):
        models.model_from_json(text)
    with keras.utils.custom_object_scope({"Scale": Scale}):
        again = models.model_from_json(text)
    assert again.layers[0].power == 2 and len(model.losses) == 1
    model.compile("sgd", "mse")
    value = model.test_on_batch(np.ones((2, 3)), model.predict(np.ones((2, 3))))
    assert value == pytest.approx(0.1)


@pytest.mark.parametrize("functional", [True, False])
def test_configurations_rebuild_graphs(functional: bool) -> None:
    if functional:
        a, b = layers.Input((4,)), layers.Input((4,))
        shared = layers.Dense(3, activation="tanh", kernel_regularizer="l2")
        c = layers.concatenate([shared(a), shared(b)], axis=-1)
        model = models.Model([a, b], [layers.Dense(1)(c), c])
        data: object = [RNG.random((2, 4)), RNG.random((2, 4))]
    else:
        model = models.Sequential([
            layers.Embedding(9, 4, input_length=5, mask_zero=True),
            layers.Bidirectional(layers.GRU(3, reset_after=True)), layers.PReLU(),
        ])  # fmt: skip
        data = np.arange(10).reshape(2, 5) % 9
    again = models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    assert [x.name for x in again.layers] == [x.name for x in model.layers]
    for got, want in zip(again.predict(data), model.predict(data)):
        np.testing.assert_allclose(got, want, rtol=1e-6)
    assert models.clone_model(model).count_params() == model.count_params()


def test_weights_are_checked() -> None:
    dense = layers.Dense(2, input_shape=(3,), weights=[np.ones((3, 2)), np.zeros(2)])
    model = models.Sequential([dense])
    np.testing.assert_allclose(model.predict(np.ones((1, 3))), 3.0)
    with pytest.raises(ValueError, match="weight list of length 1, but the layer was expecting 2"):
        dense.set_weights([np.ones((3, 2))])
    with pytest.raises(ValueError, match="not compatible with provided weight shape"):
        dense.set_weights([np.ones((3, 3)), np.zeros(2)])


@pytest.mark.parametrize(("make", "text"), [
    (lambda: layers.Dense(3)(layers.Input((4, None))), "last dimension of the inputs to `Dense`"),
    (lambda: layers.Conv2D(3, 3)(layers.Input((4,))), "conv2d is incompatible with the layer"),
    (lambda: layers.concatenate([layers.Input((4, 2)), layers.Input((3, 3))]), "matching shapes"),
    (lambda: layers.Dense(2, foo=1), "Keyword argument not understood: foo"),
    (lambda: layers.Dense(2, activation="nope"), "Unknown activation function: nope"),
    (lambda: layers.Dense(2, kernel_initializer="nope"), "Unknown initializer: nope"),
    (lambda: layers.Reshape((3,))(layers.Input((4,))), "total size of new array"),
    (lambda: models.Sequential([3]), "must be an instance of class Layer"),
    (lambda: models.Model(layers.Input((2,)), layers.Dense(1)(layers.Input((2,)))),
     "Graph disconnected"),
])  # fmt: skip
def test_wrong_models_say_what_is_wrong(make, text) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((ValueError, TypeError), match=text):
        make()


def test_plot_model_writes_graphviz_text(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = models.Sequential([layers.Dense(2, input_shape=(3,), name="a"),
                               layers.Dense(1, name="b")])  # fmt: skip
    path = keras.utils.plot_model(model, tmp_path / "m.dot", show_shapes=True)
    assert '"a" -> "b";' in path.read_text()


@pytest.mark.parametrize(("name", "count"), [
    ("VGG16", 138357544), ("VGG19", 143667240), ("ResNet50", 25636712), ("MobileNet", 4253864),
])  # fmt: skip
def test_applications_have_the_known_numbers_of_weights(name: str, count: int) -> None:
    assert getattr(keras.applications, name)(weights=None).count_params() == count


def test_applications_run_and_miss_their_weights(monkeypatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GRAPHC_DATA", raising=False)
    model = keras.applications.MobileNet((32, 32, 3), 0.25, weights=None, include_top=False)
    assert model.predict(np.zeros((1, 32, 32, 3))).shape == (1, 1, 1, 256)
    with pytest.raises(FileNotFoundError, match="does not download"):
        keras.applications.resnet50.ResNet50(weights="imagenet")


def test_source_inputs_are_found() -> None:
    a, b = layers.Input((2,)), layers.Input((2,))
    out = layers.Dense(1)(layers.add([layers.Dense(3)(a), layers.Dense(3)(b)]))
    found = keras.utils.get_source_inputs(out)
    assert len(found) == 2 and set(found) == {a, b}
    model = models.Model(found, out)
    assert keras.utils.multi_gpu_model(model, gpus=2) is model
