"""Layers: configurations, states over batches, dropout in loops, constants, feature columns."""

from __future__ import annotations

import inspect
import json
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import backend as K
from graphc.keras import layers, models
from tests.keras import recurrent_cases

RNG = np.random.default_rng(5)
CASES = recurrent_cases.every_case(keras)
NAMED = sorted(n for n in CASES if not n.startswith(("mask_", "lambda")))


@pytest.mark.parametrize("name", NAMED)
def test_configurations_make_equal_layers(name: str) -> None:
    layer = CASES[name].make()
    config = json.loads(json.dumps(layers.serialize(layer)))
    again = layers.deserialize(config)
    assert type(again) is type(layer)
    assert json.loads(json.dumps(layers.serialize(again))) == config
    for key, value in vars(layer).items():
        if isinstance(value, int | float | str | tuple) and key not in ("name", "_called_dtype"):
            assert getattr(again, key) == value, key


# TensorFlow 1.15's tf.keras.layers, and what came after it
EVERY = """AbstractRNNCell Activation ActivityRegularization Add AdditiveAttention AlphaDropout
    Attention Average AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D
    AvgPool3D BatchNormalization Bidirectional Concatenate Conv1D Conv2D Conv2DTranspose Conv3D
    Conv3DTranspose ConvLSTM2D Convolution1D Convolution2D Convolution2DTranspose Convolution3D
    Convolution3DTranspose Cropping1D Cropping2D Cropping3D CuDNNGRU CuDNNLSTM Dense DenseFeatures
    DepthwiseConv2D Dot Dropout ELU Embedding Flatten GRU GRUCell GaussianDropout GaussianNoise
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalAvgPool1D
    GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D Input InputLayer InputSpec LSTM
    LSTMCell Lambda Layer LayerNormalization LeakyReLU LocallyConnected1D LocallyConnected2D
    Masking MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum
    Multiply PReLU Permute RNN ReLU RepeatVector Reshape SeparableConv1D SeparableConv2D
    SeparableConvolution1D SeparableConvolution2D SimpleRNN SimpleRNNCell Softmax SpatialDropout1D
    SpatialDropout2D SpatialDropout3D StackedRNNCells Subtract ThresholdedReLU TimeDistributed
    UpSampling1D UpSampling2D UpSampling3D Wrapper ZeroPadding1D ZeroPadding2D ZeroPadding3D add
    average concatenate deserialize dot maximum minimum multiply serialize subtract
    Conv1DTranspose ConvLSTM1D ConvLSTM3D DepthwiseConv1D MultiHeadAttention"""


def test_every_layer_of_tensorflow_1_15_is_there() -> None:
    assert [n for n in EVERY.split() if not hasattr(layers, n)] == []
    for name in EVERY.split():
        made = getattr(layers, name)
        assert inspect.getdoc(made), name


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "ConvLSTM2D", "Bidirectional", "stack"])
def test_states_go_on_over_batches(kind: str) -> None:
    shape = (6, 5, 4, 2) if kind == "ConvLSTM2D" else (6, 3)
    x = RNG.random((2, *shape)).astype("f")

    def layer(**kwargs: Any) -> Any:
        if kind == "ConvLSTM2D":
            return layers.ConvLSTM2D(2, 2, **kwargs)
        if kind == "stack":
            return layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], **kwargs)
        if kind == "Bidirectional":
            return layers.Bidirectional(layers.LSTM(2, **kwargs), merge_mode="sum", **{
                k: v for k, v in kwargs.items() if k == "batch_input_shape"})
        return getattr(layers, kind)(3, **kwargs)

    half = layer(stateful=True, batch_input_shape=(2, 3, *shape[1:]))
    model = models.Sequential([half])
    whole = models.Sequential([layer(input_shape=shape)])
    whole.set_weights(model.get_weights())
    first = model.predict(x[:, :3], batch_size=2)
    last = model.predict(x[:, 3:], batch_size=2)
    if kind != "Bidirectional":
        np.testing.assert_allclose(last, whole.predict(x), rtol=1e-5, atol=1e-6)
    assert not np.allclose(model.predict(x[:, :3], batch_size=2), first)
    model.reset_states()
    np.testing.assert_allclose(model.predict(x[:, :3], batch_size=2), first, rtol=1e-6)


def test_states_are_set_and_counted() -> None:
    layer = layers.LSTM(3, stateful=True, batch_input_shape=(2, 4, 3))
    model = models.Sequential([layer])
    values = [np.full((2, 3), 0.5), np.full((2, 3), 0.25)]
    layer.reset_states(values)
    for got, want in zip(K.batch_get_value(layer.states), values):
        np.testing.assert_array_equal(got, want)
    with pytest.raises(ValueError, match="expects 2 states"):
        layer.reset_states(values[:1])
    with pytest.raises(AttributeError, match="must be stateful"):
        layers.LSTM(3).reset_states()
    assert len(model.weights) == 3


class Plus(layers.Layer):
    """A cell that adds a constant; state: the number of steps."""

    state_size = (2, 1)
    output_size = 2

    def build(self, input_shape: Any) -> None:
        self.w = self.add_weight("w", (2, 2), initializer="ones")

    def call(self, inputs: Any, states: Any, constants: Any = None) -> Any:  # type: ignore[override]
        out = K.dot(inputs, self.w) + states[0] + constants[0]
        return out, [out, states[1] + 1.0]


def test_constants_reach_cells_of_ones_own() -> None:
    x, c = layers.Input((3, 2)), layers.Input((2,))
    rnn = layers.RNN(Plus(), return_state=True)
    out, _, count = rnn(x, constants=c)
    model = models.Model([x, c], [out, count])
    data, const = RNG.random((4, 3, 2)), RNG.random((4, 2))
    got, steps = model.predict([data, const])
    np.testing.assert_allclose(got, data.sum((1, 2))[:, None] + 3 * const, rtol=1e-5)
    np.testing.assert_array_equal(steps, np.full((4, 1), 3.0))
    with keras.utils.custom_object_scope({"Plus": Plus}):
        again = models.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(again.predict([data, const])[0], got, rtol=1e-6)
    both = layers.Bidirectional(layers.RNN(Plus()), merge_mode="sum")(x, constants=c)
    twice = models.Model([x, c], both).predict([data, const])
    np.testing.assert_allclose(twice, 2 * got, rtol=1e-5)


@pytest.mark.parametrize("make", [
    lambda **k: layers.SimpleRNN(50, activation="linear", **k),
    lambda **k: layers.RNN(layers.SimpleRNNCell(50, activation="linear", **k),
                           return_sequences=True),
    lambda **k: layers.RNN([layers.SimpleRNNCell(50, activation="linear", **k)],
                           return_sequences=True),
])  # fmt: skip
def test_a_dropout_mask_stays_the_same_through_a_sequence(make: Any) -> None:
    settings: dict[str, Any] = {
        "dropout": 0.5, "kernel_initializer": "identity", "recurrent_initializer": "zeros"
    }
    layer = make(**settings)
    layer.return_sequences = True
    x = tf.ones((3, 4, 50))
    out = K.get_value(layer(x, training=True))
    assert set(np.unique(out)) == {0.0, 2.0}
    assert all(np.array_equal(out[:, 0], out[:, k]) for k in range(4))
    assert not np.array_equal(out[0], out[1])
    np.testing.assert_array_equal(K.get_value(layer(x, training=False)), np.ones((3, 4, 50)))


def test_dropout_of_convolutional_lstms() -> None:
    x = tf.ones((2, 3, 6, 6, 1))
    layer = layers.ConvLSTM2D(3, 3, dropout=0.5, recurrent_dropout=0.5)
    first, second = (K.get_value(layer(x, training=True)) for _ in range(2))
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(*(K.get_value(layer(x, training=False)) for _ in range(2)))


@pytest.mark.parametrize(("layer", "shape", "axes"), [
    (layers.SpatialDropout1D(0.5), (4, 5, 8), (1,)),
    (layers.SpatialDropout2D(0.5), (4, 3, 5, 8), (1, 2)),
    (layers.SpatialDropout2D(0.5, data_format="channels_first"), (4, 8, 3, 5), (2, 3)),
    (layers.SpatialDropout3D(0.5), (4, 2, 3, 2, 8), (1, 2, 3)),
    (layers.Dropout(0.5, noise_shape=(None, 1, 8)), (4, 5, 8), (1,)),
    (layers.Dropout(0.5), (4, 50), ()),
])  # fmt: skip
def test_what_falls_together(layer: Any, shape: Any, axes: Any) -> None:
    out = K.get_value(layer(tf.ones(shape), training=True))
    assert set(np.unique(out)) == {0.0, 2.0}
    assert (out == out.max(axes, keepdims=True)).all() or not axes
    if axes:
        assert (out.max(axes) == out.min(axes)).all()


def test_noise_has_the_right_moments() -> None:
    x = tf.ones((400, 300))
    for layer, mean, spread in (
        (layers.GaussianNoise(0.5, seed=3), 1.0, 0.5),
        (layers.GaussianDropout(0.2, seed=4), 1.0, 0.5),
    ):
        out = K.get_value(layer(x, training=True))
        assert out.mean() == pytest.approx(mean, abs=0.01)
        assert out.std() == pytest.approx(spread, abs=0.01)
    start = RNG.normal(size=(400, 300)).astype("f")
    out = K.get_value(layers.AlphaDropout(0.3)(tf.constant(start), training=True))
    assert out.mean() == pytest.approx(0.0, abs=0.02)
    assert out.std() == pytest.approx(1.0, abs=0.02)


def test_fixed_batch_normalization_keeps_its_averages() -> None:
    """As in TensorFlow 1: it still takes the batch's moments while training."""
    layer = layers.BatchNormalization(input_shape=(3,))
    model = models.Sequential([layer, layers.Dense(1)])
    layer.trainable = False
    model.compile("sgd", "mse")
    x = RNG.random((8, 3)) * 5
    before = model.get_weights()
    model.train_on_batch(x, x[:, :1])
    for k in range(4):
        np.testing.assert_array_equal(before[k], model.get_weights()[k])
    assert layer.updates == []
    y = K.get_value(layer(tf.constant(x.astype("f")), training=True))
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)


def test_adjustment_of_batch_normalization() -> None:
    layer = layers.BatchNormalization(adjustment=lambda shape: (tf.fill([shape[-1]], 2.0),
                                                               tf.fill([shape[-1]], 1.0)))
    x = tf.constant(RNG.random((8, 3)).astype("f"))
    plain = layers.BatchNormalization()
    want = K.get_value(plain(x, training=True)) * 2 + 1
    np.testing.assert_allclose(K.get_value(layer(x, training=True)), want, rtol=1e-5)
    off = K.get_value(layer(x, training=False))
    np.testing.assert_allclose(off, K.get_value(plain(x, training=False)), rtol=1e-5)


@pytest.mark.parametrize(("make", "text"), [
    (lambda: layers.BatchNormalization(fused=True, renorm=True), "not supported together"),
    (lambda: layers.BatchNormalization(renorm_clipping={"max": 1}), "invalid keys"),
    (lambda: layers.BatchNormalization(axis=4)(layers.Input((3,))), "invalid axis 4"),
])
def test_wrong_batch_normalization(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_layers_of_nvidias_names(kind: str) -> None:
    layer = getattr(layers, f"CuDNN{kind}")(3, return_state=True)
    plain = getattr(layers, kind)(
        3, recurrent_activation="sigmoid", **({"reset_after": True} if kind == "GRU" else {})
    )
    x = tf.constant(RNG.random((2, 4, 5)).astype("f"))
    got, other = layer(x)[0], plain(x)
    kernel, recurrent, bias = (RNG.random(w.shape.as_list()) for w in layer.weights)
    layer.set_weights([kernel, recurrent, bias])
    halves = bias.reshape(2, -1)
    plain.set_weights([kernel, recurrent, halves.sum(0) if kind == "LSTM" else halves])
    np.testing.assert_allclose(K.get_value(got), K.get_value(other), rtol=1e-5)
    assert "recurrent_activation" not in layer.get_config()
    again = layers.deserialize(layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    with pytest.raises(TypeError, match="has none"):
        getattr(layers, f"CuDNN{kind}")(3, dropout=0.2)


def test_feature_columns() -> None:
    fc = tf.feature_column
    columns = [fc.numeric_column("age"), fc.embedding_column(
        fc.categorical_column_with_identity("kind", 4), 3)]
    inputs = {"age": layers.Input((1,), name="age"),
              "kind": layers.Input((1,), dtype="int64", name="kind")}
    layer = layers.DenseFeatures(columns)
    model = models.Model(inputs, layers.Dense(1)(layer(inputs)))
    assert layer.output_shape == (None, 4) and len(layer.trainable_weights) == 1
    model.compile("adam", "mse")
    data = {"age": RNG.random((8, 1)), "kind": RNG.integers(0, 4, (8, 1))}
    before = model.get_weights()[0]
    model.fit(data, RNG.random((8, 1)), epochs=2, verbose=0)
    assert not np.allclose(before, model.get_weights()[0])
    layer({k: tf.constant(v) for k, v in data.items()})
    assert len(layer.weights) == 1  # a second call shares them
    with pytest.raises(ValueError, match="is no dense column"):
        layers.DenseFeatures([fc.categorical_column_with_identity("kind", 4)])


def test_a_layer_of_two_directions_with_layers_of_its_own() -> None:
    back = layers.GRU(3, go_backwards=True, name="back")
    both = layers.Bidirectional(layers.LSTM(3, name="fore"), backward_layer=back)
    assert (both.forward_layer.name, both.backward_layer.name) == ("forward_fore", "backward_back")
    for wrong, text in ((layers.GRU(3), "different `go_backwards`"),
                        (layers.GRU(3, go_backwards=True, return_state=True), "return_state")):
        with pytest.raises(ValueError, match=text):
            layers.Bidirectional(layers.LSTM(3), backward_layer=wrong)


FLOATS = sorted(n for n, c in CASES.items() if not (c.integers or n.startswith("mask_")))


@pytest.mark.parametrize("kind", ["float16", "float64"])
def test_layers_take_the_dtype_of_their_inputs(kind: str) -> None:
    """Weights and outputs; nothing runs."""
    dtype = tf.as_dtype(kind)
    for name in FLOATS:
        case = CASES[name]
        xs = [tf.placeholder(dtype, (None, *s[1:])) for s in case.shapes]
        layer = case.make()
        if isinstance(layer, layers.MultiHeadAttention):
            out = layer(*xs, **case.kwargs)
        elif isinstance(layer, layers.RNN | layers.Bidirectional) and len(xs) > 1:
            out = layer(xs[0], initial_state=xs[1:])
        else:
            out = layer(xs if len(xs) > 1 else xs[0], **case.kwargs)
        outs = out if isinstance(out, list | tuple) else [out]
        assert [y.dtype.name for y in outs] == [kind] * len(outs), name
        if "norm" not in name:
            assert {w.dtype.base_dtype.name for w in layer.weights} <= {kind}, name


def test_a_radial_constraint() -> None:
    for size, rings in ((5, [[2, 2, 2], [1, 1, 1], [0, 1, 1]]), (4, None)):
        kernel = np.arange(size * size * 2.0, dtype="f").reshape(size, size, 1, 2)
        out = K.get_value(keras.constraints.RadialConstraint()(K.variable(kernel)))
        np.testing.assert_array_equal(out, out[::-1])
        np.testing.assert_array_equal(out, out.transpose(1, 0, 2, 3))
        middle = size // 2
        np.testing.assert_array_equal(out[middle, middle], kernel[middle - 1, middle - 1])
        np.testing.assert_array_equal(out[0, 0], kernel[-2 if rings else -1, -2 if rings else -1])
    with pytest.raises(ValueError, match="size, size"):
        keras.constraints.RadialConstraint()(K.variable(np.ones((3, 4, 1, 1))))


@pytest.mark.parametrize("source", ["arrays", "dataset"])
def test_a_list_of_layers_starts_from_columns(source: str) -> None:
    fc = tf.feature_column
    words = fc.categorical_column_with_vocabulary_list("kind", ["a", "b", "c"])
    columns = [fc.numeric_column("age"), fc.indicator_column(words),
               fc.bucketized_column(fc.numeric_column("age"), [0.3, 0.6])]  # fmt: skip
    model = models.Sequential([layers.DenseFeatures(columns), layers.Dense(4, activation="relu"),
                               layers.Dense(1, activation="sigmoid")])  # fmt: skip
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    data = {"kind": RNG.choice(["a", "b", "c"], 32), "age": RNG.random(32).astype("f")}
    y = (data["kind"] == "a").astype("int64")
    if source == "dataset":
        dataset = tf.data.Dataset.from_tensor_slices((data, y)).batch(8)
        history = model.fit(dataset, epochs=2, verbose=0).history
    else:
        history = model.fit(data, y, epochs=2, batch_size=8, verbose=0).history
    assert len(history["loss"]) == 2 and model.layers[0].output_shape == (None, 7)
    assert model.predict(data).shape == (32, 1) and model.input_names == ["age", "kind"]


def test_sparse_inputs_count_as_dense_ones() -> None:
    scipy = pytest.importorskip("scipy.sparse")
    a = layers.Input((6,), sparse=True, name="a")
    model = models.Model(a, layers.Dense(2)(a))
    model.compile("sgd", "mse")
    dense = RNG.random((9, 6)) * (RNG.random((9, 6)) > 0.7)
    matrix = scipy.csr_matrix(dense.astype("f"))
    np.testing.assert_allclose(
        model.predict(matrix, batch_size=4), model.predict(dense), rtol=1e-5, atol=1e-6
    )
    model.fit(matrix, dense[:, :2], epochs=1, batch_size=4, verbose=0)
    assert model.layers[0].get_config()["sparse"] is True
    sparse = tf.SparseTensor([[0, 1], [1, 0]], [2.0, 3.0], [2, 2])
    layer = layers.Dense(1, use_bias=False, kernel_initializer="ones")
    np.testing.assert_array_equal(K.get_value(layer(sparse)), [[2.0], [3.0]])
    with pytest.raises(ValueError, match="ragged inputs are not supported"):
        layers.Input((3,), ragged=True)


def test_trainable_goes_down_to_the_layers_inside() -> None:
    both = layers.Bidirectional(layers.LSTM(2))
    steps = layers.TimeDistributed(layers.Dense(2))
    model = models.Sequential([layers.Masking(input_shape=(3, 2)), steps, both])
    for layer, inner in ((both, both.forward_layer), (steps, steps.layer)):
        assert layer.trainable_weights and inner.trainable
        layer.trainable = False
        assert not layer.trainable_weights and not inner.trainable
        inner.trainable = True
    model.trainable = True
    assert len(model.trainable_weights) == 8 and both.backward_layer.trainable
