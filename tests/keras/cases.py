"""What is compared with tf.keras: layers, losses, metrics, optimizers, whole models.

Each is written against a namespace `keras`, which is TensorFlow's in tests/fixtures/make_keras.py
and graphc's in the tests. Settings whose defaults differ between Keras 2 and 3 are given.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

RNN = {"recurrent_activation": "sigmoid"}
GRU = {**RNN, "reset_after": False}


def rng_of(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def layer_cases(keras: Any) -> dict[str, tuple[Callable[[], Any], list[tuple[int, ...]]]]:
    """name -> (layer, shapes of its inputs)."""
    L = keras.layers
    seq, img, vol, vec = (2, 5, 3), (2, 6, 7, 2), (2, 4, 5, 4, 2), (3, 4)
    return {
        "dense": (lambda: L.Dense(5, activation="tanh"), [vec]),
        "dense3": (lambda: L.Dense(4, use_bias=False), [seq]),
        "activation": (lambda: L.Activation("softplus"), [vec]),
        "softmax": (lambda: L.Softmax(), [vec]),
        "elu": (lambda: L.ELU(0.7), [vec]),
        "leaky": (lambda: L.LeakyReLU(negative_slope=0.2), [vec]),
        "prelu": (lambda: L.PReLU(), [vec]),
        "prelu_shared": (lambda: L.PReLU(shared_axes=[1, 2]), [img]),
        "relu": (lambda: L.ReLU(max_value=0.8, negative_slope=0.1, threshold=0.2), [vec]),
        "flatten": (lambda: L.Flatten(), [img]),
        "reshape": (lambda: L.Reshape((-1, 2)), [vec]),
        "permute": (lambda: L.Permute((2, 1)), [seq]),
        "repeat": (lambda: L.RepeatVector(3), [vec]),
        "conv1d": (lambda: L.Conv1D(4, 3, padding="same", activation="relu"), [seq]),
        "conv1d_causal": (lambda: L.Conv1D(4, 2, padding="causal", dilation_rate=2), [seq]),
        "conv2d": (lambda: L.Conv2D(4, 3, activation="relu"), [img]),
        "conv2d_same": (lambda: L.Conv2D(3, (3, 2), strides=2, padding="same"), [img]),
        "conv2d_dilated": (lambda: L.Conv2D(3, 2, dilation_rate=2, use_bias=False), [img]),
        "conv3d": (lambda: L.Conv3D(3, 2, strides=(1, 2, 1)), [vol]),
        "conv2dt": (lambda: L.Conv2DTranspose(3, 3, strides=2, padding="same"), [img]),
        "conv2dt_valid": (lambda: L.Conv2DTranspose(3, 3, strides=2), [img]),
        "conv3dt": (lambda: L.Conv3DTranspose(3, 2, strides=2), [vol]),
        "separable2d": (lambda: L.SeparableConv2D(4, 3, depth_multiplier=2), [img]),
        "separable1d": (lambda: L.SeparableConv1D(4, 3, padding="same"), [seq]),
        "depthwise": (lambda: L.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), [img]),
        "maxpool1d": (lambda: L.MaxPooling1D(2), [seq]),
        "maxpool2d": (lambda: L.MaxPooling2D((3, 2), strides=2, padding="same"), [img]),
        "maxpool3d": (lambda: L.MaxPooling3D(2), [vol]),
        "avgpool1d": (lambda: L.AveragePooling1D(2, strides=1), [seq]),
        "avgpool2d": (lambda: L.AveragePooling2D(3, strides=2, padding="same"), [img]),
        "avgpool3d": (lambda: L.AveragePooling3D(2), [vol]),
        "gmax1d": (lambda: L.GlobalMaxPooling1D(), [seq]),
        "gavg2d": (lambda: L.GlobalAveragePooling2D(), [img]),
        "gavg3d": (lambda: L.GlobalAveragePooling3D(), [vol]),
        "zeropad1d": (lambda: L.ZeroPadding1D((1, 2)), [seq]),
        "zeropad2d": (lambda: L.ZeroPadding2D(((1, 0), (2, 1))), [img]),
        "zeropad3d": (lambda: L.ZeroPadding3D(1), [vol]),
        "crop1d": (lambda: L.Cropping1D((1, 2)), [seq]),
        "crop2d": (lambda: L.Cropping2D(((1, 2), (0, 3))), [img]),
        "crop3d": (lambda: L.Cropping3D(1), [vol]),
        "up1d": (lambda: L.UpSampling1D(2), [seq]),
        "up2d": (lambda: L.UpSampling2D((2, 3)), [img]),
        "up3d": (lambda: L.UpSampling3D(2), [vol]),
        "batchnorm": (lambda: L.BatchNormalization(), [img]),
        "batchnorm_axis1": (lambda: L.BatchNormalization(axis=1, epsilon=1e-2), [seq]),
        "layernorm": (lambda: L.LayerNormalization(), [seq]),
        "layernorm_axes": (lambda: L.LayerNormalization(axis=[1, 2], epsilon=1e-2), [seq]),
        "add": (lambda: L.Add(), [vec, vec, vec]),
        "subtract": (lambda: L.Subtract(), [vec, vec]),
        "multiply": (lambda: L.Multiply(), [vec, vec]),
        "average": (lambda: L.Average(), [vec, vec, vec]),
        "maximum": (lambda: L.Maximum(), [vec, vec]),
        "minimum": (lambda: L.Minimum(), [vec, vec]),
        "concatenate": (lambda: L.Concatenate(axis=1), [seq, (2, 2, 3)]),
        "dot": (lambda: L.Dot(axes=2), [seq, (2, 4, 3)]),
        "dot_cosine": (lambda: L.Dot(axes=1, normalize=True), [vec, vec]),
        "attention": (lambda: L.Attention(use_scale=True), [seq, (2, 4, 3)]),
        "additive": (lambda: L.AdditiveAttention(), [seq, (2, 4, 3)]),
        "simple_rnn": (lambda: L.SimpleRNN(4), [seq]),
        "simple_rnn_seq": (lambda: L.SimpleRNN(4, return_sequences=True, go_backwards=True), [seq]),
        "lstm": (lambda: L.LSTM(4, **RNN), [seq]),
        "lstm_seq": (lambda: L.LSTM(4, return_sequences=True, unroll=True, **RNN), [seq]),
        "gru": (lambda: L.GRU(4, **GRU), [seq]),
        "gru_after": (lambda: L.GRU(4, return_sequences=True, recurrent_activation="sigmoid",
                                    reset_after=True), [seq]),  # fmt: skip
        "stacked": (lambda: L.RNN([L.SimpleRNNCell(3), L.LSTMCell(4, **RNN)]), [seq]),
        "bidirectional": (
            lambda: L.Bidirectional(L.LSTM(3, return_sequences=True, **RNN)), [seq],
        ),
        "bidirectional_sum": (
            lambda: L.Bidirectional(L.GRU(3, **GRU), merge_mode="sum"), [seq],
        ),
        "time_distributed": (lambda: L.TimeDistributed(L.Dense(4)), [seq]),
        "conv_lstm": (
            lambda: L.ConvLSTM2D(2, 3, padding="same", return_sequences=True, **RNN),
            [(2, 3, 5, 4, 2)],
        ),
    }  # fmt: skip


# what is called with training=True as well
TRAINED = ("batchnorm", "batchnorm_axis1")


def inputs_of(name: str, shapes: list[tuple[int, ...]]) -> list[Any]:
    rng = rng_of(name)
    return [rng.uniform(-1, 1, s).astype("float32") for s in shapes]


def weights_of(name: str, weights: list[tuple[str, tuple[int, ...]]]) -> list[Any]:
    """Values for weights of these names and shapes."""
    rng = rng_of(name + " weights")
    out = []
    for path, shape in weights:
        value = rng.uniform(-0.6, 0.6, shape)
        out.append((np.abs(value) + 0.5 if "variance" in path else value).astype("float32"))
    return out


def factors_of(name: str, shape: tuple[int, ...]) -> Any:
    """What the outputs are multiplied by: their sum is differentiated."""
    return rng_of(name + " factors").uniform(-1, 1, shape).astype("float32")


# ------------------------------------------------------------------ losses and metrics
def loss_cases(keras: Any) -> dict[str, tuple[Any, str]]:
    """name -> (loss, kind of data)."""
    L = keras.losses
    return {
        "mse": (L.MeanSquaredError(), "real"), "mae": (L.MeanAbsoluteError(), "real"),
        "mape": (L.MeanAbsolutePercentageError(), "real"),
        "msle": (L.MeanSquaredLogarithmicError(), "positive"),
        "huber": (L.Huber(0.4), "real"), "logcosh": (L.LogCosh(), "real"),
        "hinge": (L.Hinge(), "binary"), "squared_hinge": (L.SquaredHinge(), "binary"),
        "categorical_hinge": (L.CategoricalHinge(), "onehot"),
        "poisson": (L.Poisson(), "positive"), "kld": (L.KLDivergence(), "soft"),
        "cosine": (L.CosineSimilarity(), "real"),
        "binary": (L.BinaryCrossentropy(), "binary"),
        "binary_logits": (L.BinaryCrossentropy(from_logits=True, label_smoothing=0.1), "logits2"),
        "categorical": (L.CategoricalCrossentropy(), "onehot"),
        "categorical_logits": (
            L.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2), "logits"),
        "sparse": (L.SparseCategoricalCrossentropy(), "sparse"),
        "sparse_logits": (L.SparseCategoricalCrossentropy(from_logits=True), "sparse_logits"),
    }  # fmt: skip


def metric_cases(keras: Any) -> dict[str, tuple[Callable[[], Any], str]]:
    """name -> (metric, kind of data)."""
    M = keras.metrics
    return {
        "mean_squared": (lambda: M.MeanSquaredError(), "real"),
        "rmse": (lambda: M.RootMeanSquaredError(), "real"),
        "mae": (lambda: M.MeanAbsoluteError(), "real"),
        "cosine": (lambda: M.CosineSimilarity(), "real"),
        "binary_accuracy": (lambda: M.BinaryAccuracy(), "binary"),
        "categorical_accuracy": (lambda: M.CategoricalAccuracy(), "onehot"),
        "sparse_accuracy": (lambda: M.SparseCategoricalAccuracy(), "sparse"),
        "top_k": (lambda: M.TopKCategoricalAccuracy(k=2), "onehot"),
        "sparse_top_k": (lambda: M.SparseTopKCategoricalAccuracy(k=2), "sparse"),
        "crossentropy": (lambda: M.CategoricalCrossentropy(), "onehot"),
        "binary_crossentropy": (lambda: M.BinaryCrossentropy(), "binary"),
        "precision": (lambda: M.Precision(), "binary"),
        "recall": (lambda: M.Recall(thresholds=0.3), "binary"),
        "precision_many": (lambda: M.Precision(thresholds=[0.2, 0.6]), "binary"),
        "auc": (lambda: M.AUC(), "binary"),
        "auc_pr": (lambda: M.AUC(curve="PR"), "binary"),
        "auc_minor": (lambda: M.AUC(num_thresholds=20, summation_method="minoring"), "binary"),
        "false_positives": (lambda: M.FalsePositives(), "binary"),
        "true_negatives": (lambda: M.TrueNegatives(), "binary"),
        "sensitivity": (lambda: M.SensitivityAtSpecificity(0.6), "binary"),
        "hinge": (lambda: M.Hinge(), "binary"),
        "poisson": (lambda: M.Poisson(), "positive"),
        "kld": (lambda: M.KLDivergence(), "soft"),
    }


def data_of(kind: str, seed: int = 0) -> tuple[Any, Any, Any]:
    """(y_true, y_pred, a weight a sample)."""
    rng = np.random.default_rng(seed)
    n, c = 12, 4
    real = rng.normal(size=(2, n, c))
    soft = np.exp(real[1]) / np.exp(real[1]).sum(-1, keepdims=True)
    labels = rng.integers(0, c, n)
    pairs = {
        "real": (real[0], real[1]), "positive": (np.abs(real[0]) + 0.1, np.abs(real[1]) + 0.1),
        "binary": ((real[0] > 0) * 1.0, 1 / (1 + np.exp(-real[1]))),
        "logits2": ((real[0] > 0) * 1.0, real[1]), "onehot": (np.eye(c)[labels], soft),
        "logits": (np.eye(c)[labels], real[1]), "sparse": (labels, soft),
        "sparse_logits": (labels, real[1]), "soft": (soft[::-1], soft),
    }  # fmt: skip
    true, pred = pairs[kind]
    return true.astype("float32"), pred.astype("float32"), rng.uniform(0, 2, n).astype("float32")


# ------------------------------------------------------------------ optimizers
def optimizer_cases(keras: Any) -> dict[str, Callable[[], Any]]:
    O = keras.optimizers  # noqa: E741
    return {
        "sgd": lambda: O.SGD(0.1), "momentum": lambda: O.SGD(0.1, momentum=0.9),
        "nesterov": lambda: O.SGD(0.1, momentum=0.9, nesterov=True),
        "rmsprop": lambda: O.RMSprop(0.01), "adam": lambda: O.Adam(0.01),
        "rmsprop_centered": lambda: O.RMSprop(0.01, momentum=0.5, centered=True),
        "amsgrad": lambda: O.Adam(0.01, amsgrad=True), "adamax": lambda: O.Adamax(0.01),
        "adamw": lambda: O.AdamW(0.01, weight_decay=0.02), "adagrad": lambda: O.Adagrad(0.1),
        "adadelta": lambda: O.Adadelta(1.0), "ftrl": lambda: O.Ftrl(0.1),
        "ftrl_l1": lambda: O.Ftrl(0.1, l1_regularization_strength=0.1,
                                  l2_regularization_strength=0.2),
        "clipnorm": lambda: O.SGD(0.1, clipnorm=0.5),
        "clipvalue": lambda: O.SGD(0.1, clipvalue=0.3),
    }  # fmt: skip


def optimizer_data() -> tuple[Any, list[Any]]:
    """(start, gradients of five steps)."""
    rng = np.random.default_rng(3)
    return rng.normal(size=(3, 4)).astype("f"), [
        rng.normal(size=(3, 4)).astype("f") for _ in range(5)
    ]


# ------------------------------------------------------------------ whole models
def model_cases(keras: Any) -> dict[str, tuple[Callable[[], Any], dict[str, Any]]]:
    """name -> (model, arguments of compile)."""
    L = keras.layers
    accuracy = {"metrics": ["accuracy"]}
    binary = {"optimizer": "adam", "loss": "binary_crossentropy", **accuracy}

    def mlp() -> Any:
        return keras.Sequential([
            keras.Input((10,)), L.Dense(10, activation="relu"), L.Dense(10, activation="relu"),
            L.Dense(1, activation="sigmoid"),
        ])  # fmt: skip

    def cnn() -> Any:
        return keras.Sequential([
            keras.Input((32, 32, 3)), L.Conv2D(32, (3, 3), activation="relu"),
            L.MaxPooling2D((2, 2)), L.Conv2D(64, (3, 3), activation="relu"),
            L.MaxPooling2D((2, 2)), L.Conv2D(64, (3, 3), activation="relu"), L.Flatten(),
            L.Dense(64, activation="relu"), L.Dense(10, activation="softmax"),
        ])  # fmt: skip

    def lstm() -> Any:
        return keras.Sequential([
            keras.Input((None, 10)), L.LSTM(50, return_sequences=True, **RNN), L.LSTM(50, **RNN),
            L.Dense(1),
        ])  # fmt: skip

    sparse = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", **accuracy}
    return {
        "mlp": (mlp, binary),
        "mlp_sgd": (mlp, {**binary, "optimizer": ("sgd", 0.01)}),
        "cnn": (cnn, sparse),
        "lstm": (lstm, {"optimizer": "adam", "loss": "mean_squared_error"}),
    }


def model_data(name: str) -> tuple[Any, Any]:
    rng = rng_of(name)
    if name.startswith("mlp"):
        x = rng.random((100, 10))
        return x, (x.sum(1) > 5).astype("int64")
    if name == "cnn":
        return rng.random((40, 32, 32, 3)), rng.integers(0, 10, 40)
    x = rng.random((50, 7, 10))
    return x, x.mean((1, 2)).reshape(-1, 1)


def model_weights(name: str, shapes: list[tuple[int, ...]]) -> list[Any]:
    rng = rng_of(name + " weights")
    out = []
    for shape in shapes:
        fan = int(np.prod(shape[:-1])) if len(shape) > 1 else 0
        limit = np.sqrt(3.0 / fan) if fan else 0.05
        out.append(rng.uniform(-limit, limit, shape).astype("float32"))
    return out


def file_data(name: str) -> Any:
    """Inputs of the models in keras_h5."""
    rng = rng_of(name)
    if name == "graph":
        return [rng.random((4, 6, 3)).astype("f"), rng.random((4, 6, 3)).astype("f")]
    return rng.random((4, 8, 8, 1)).astype("f")
