"""Functions of keras.backend that are compared with those of Keras 2.

Each is a function of (K, values): K is tf_keras.backend in tests/fixtures/make_tf_keras.py and
graphc's in the tests; a value is made by K.constant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

RNG = np.random.default_rng(11)


def _real(*shape: int) -> Any:
    return RNG.normal(size=shape).astype("f")


A, B, P = _real(3, 4), _real(3, 4), np.abs(_real(3, 4)) + 0.1
S, S2 = _real(2, 5, 3), _real(2, 3, 4)
IMG, VOL = _real(2, 6, 7, 3), _real(2, 4, 5, 4, 2)
KER1, KER2, KER3 = _real(3, 3, 4), _real(3, 2, 3, 4), _real(2, 2, 2, 2, 3)
DEPTH, POINT = _real(3, 2, 3, 2), _real(1, 1, 6, 4)
PROBS = np.exp(S) / np.exp(S).sum(-1, keepdims=True)
LABELS = np.array([[0, 2, 1, 1, 0], [2, 2, 0, 1, 1]])
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
FIRST = np.ascontiguousarray(IMG.transpose(0, 3, 1, 2))
MEAN, VAR, SCALE = _real(3), np.abs(_real(3)) + 0.2, _real(3)
LOCAL1, LOCAL2 = _real(3, 9, 4), _real(9, 18, 4)
SMALL = np.ascontiguousarray(IMG[:, :5, :4])


def _step(K: Any) -> Callable[[Any, Any], Any]:
    w, u = K.constant(A[:, :3].T @ A[:, :3]), K.constant(B[:, :3].T @ A[:, :3])

    def step(x: Any, states: Any) -> Any:
        h = K.tanh(K.dot(x, w) + K.dot(states[0], u))
        return h, [h]

    return step


def _rnn(K: Any, part: int, **kwargs: Any) -> Any:
    if kwargs.pop("masked", False):
        kwargs["mask"] = K.constant(MASK) > 0
    start = [K.constant(np.zeros((2, 3)))]
    out = K.rnn(_step(K), K.constant(S), start, **kwargs)
    return out[2][0] if part == 2 else out[part]


Value = Callable[[Any, Callable[[Any], Any]], Any]
_UNARY = ("abs", "exp", "square", "sign", "sin", "cos", "tanh", "sigmoid", "softplus", "softsign",
          "hard_sigmoid", "relu", "elu", "softmax", "round", "l2_normalize", "transpose", "flatten",
          "batch_flatten", "shape", "ones_like", "zeros_like", "sqrt", "cumsum", "cumprod",
          "argmax", "argmin", "stop_gradient")  # fmt: skip
_REDUCE = ("sum", "mean", "prod", "max", "min", "var", "std", "any", "all")
_BINARY = ("equal", "not_equal", "greater", "greater_equal", "less", "less_equal", "maximum",
           "minimum")  # fmt: skip


def cases() -> dict[str, Value]:
    out: dict[str, Value] = {}

    def call(name: str, *args: Any, **kwargs: Any) -> None:
        """K.name of constants and other arguments."""
        key = f"{name}/{len([k for k in out if k.startswith(name + '/')])}"
        out[key] = lambda K, c: getattr(K, name)(
            *(c(a) if isinstance(a, np.ndarray) else a for a in args),
            **{k: c(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()},
        )

    for name in _UNARY:
        call(name, A)
    for name in _REDUCE:
        call(name, A)
        call(name, A, axis=1)
        call(name, A, axis=-1, keepdims=True)
        call(name, S, axis=[0, 2])
    call("log", P)
    for name in _BINARY:
        call(name, A, B)
    _shapes(call)
    _products(call)
    _networks(call)
    _losses(call)
    out.update(_functions())
    return out


def _shapes(call: Any) -> None:
    call("sqrt", P)
    call("pow", P, 3)
    call("clip", A, -0.5, 0.5)
    call("clip", A, 0.5, -0.5)
    call("clip", A, None, 0.1)
    call("clip", A, 0.1, None)
    call("relu", A, alpha=0.3)
    call("relu", A, max_value=0.5)
    call("relu", A, threshold=0.4)
    call("relu", A, alpha=0.2, max_value=0.6, threshold=0.1)
    call("elu", A, 0.5)
    call("softmax", S, axis=1)
    call("l2_normalize", A, axis=1)
    call("cumsum", S, axis=1)
    call("cumprod", A, axis=1)
    call("argmax", S, axis=1)
    call("argmin", S, axis=0)
    call("reshape", A, (2, 6))
    call("permute_dimensions", S, (2, 0, 1))
    call("expand_dims", A)
    call("expand_dims", A, 0)
    call("squeeze", A[None], 0)
    call("repeat", A, 2)
    call("repeat_elements", S, 2, 1)
    call("tile", A, (2, 1))
    call("tile", A[0], 2)
    call("reverse", S, 1)
    call("reverse", S, (0, 2))
    call("arange", 5)
    call("arange", 2, 9, 3)
    call("arange", 5, dtype="float32")
    call("eye", 3)
    call("ones", (2, 3))
    call("zeros", (2,))
    call("temporal_padding", S)
    call("temporal_padding", S, (2, 0))
    call("batch_flatten", S)
    call("spatial_2d_padding", IMG)
    call("spatial_2d_padding", IMG, ((1, 0), (2, 1)))
    call("spatial_3d_padding", VOL, ((1, 0), (2, 1), (0, 1)))
    call("cast", A, "int32")
    call("spatial_2d_padding", FIRST, data_format="channels_first")
    call("bias_add", IMG, MEAN)
    call("bias_add", FIRST, MEAN, data_format="channels_first")
    call("count_params", A)
    call("resize_images", IMG, 2, 3, "channels_last")
    call("resize_images", FIRST, 2, 2, "channels_first")
    call("resize_images", IMG, 2, 2, "channels_last", interpolation="bilinear")
    call("resize_volumes", VOL, 2, 1, 2, "channels_last")


def _products(call: Any) -> None:
    call("dot", A, B.T.copy())
    call("dot", S, B)
    call("dot", S, S2)
    call("batch_dot", A, B, axes=1)
    call("batch_dot", S, S2)
    call("batch_dot", S, S2, axes=(2, 1))
    call("batch_dot", S, S[:, :, 0].copy(), axes=1)
    call("batch_dot", S, S, axes=2)
    call("batch_dot", S[:, 0].copy(), S2, axes=(1, 1))
    call("batch_dot", A, B)
    call("batch_dot", _like(2, 3, 4, 5), _like(2, 6, 5, 4), axes=(2, 3))


def _like(*shape: int) -> Any:
    return np.linspace(-1, 1, int(np.prod(shape)), dtype="f").reshape(shape)


def _networks(call: Any) -> None:
    for padding in ("valid", "same", "causal"):
        call("conv1d", S, KER1, padding=padding)
    call("conv1d", S, KER1, strides=2, padding="same")
    call("conv1d", S, KER1[:2], dilation_rate=2)
    call("conv2d", IMG, KER2, padding="same")
    call("conv2d", IMG, KER2, strides=(2, 1))
    call("conv2d", IMG, KER2, dilation_rate=(2, 1))
    call("conv3d", VOL, KER3)
    call("conv3d", VOL, KER3, strides=(1, 2, 1), padding="same")
    call("conv2d_transpose", IMG, KER2.transpose(0, 1, 3, 2).copy(), (2, 12, 14, 4),
         strides=(2, 2), padding="same")  # fmt: skip
    call("depthwise_conv2d", IMG, DEPTH)
    call("depthwise_conv2d", IMG, DEPTH, padding="same")
    call("separable_conv2d", IMG, DEPTH, POINT, padding="same")
    call("pool2d", IMG, (2, 2))
    call("pool2d", IMG, (3, 2), (2, 2), "same", pool_mode="avg")
    call("pool3d", VOL, (2, 2, 2))
    call("pool3d", VOL, (2, 2, 2), (2, 2, 2), "same", None, "avg")
    call("batch_normalization", IMG, MEAN, VAR, MEAN, SCALE)
    call("batch_normalization", IMG, MEAN, VAR, None, SCALE, epsilon=0.1)
    call("local_conv1d", S, LOCAL1, (3,), (1,))
    call("local_conv2d", SMALL, LOCAL2, (3, 2), (1, 1), (3, 3))
    call("local_conv2d", np.ascontiguousarray(SMALL.transpose(0, 3, 1, 2)), LOCAL2, (3, 2), (1, 1),
         (3, 3), "channels_first")  # fmt: skip


def _losses(call: Any) -> None:
    hot = np.eye(3, dtype="f")[LABELS]
    for logits in (False, True):
        given = S if logits else PROBS
        call("categorical_crossentropy", hot, given, from_logits=logits)
        call("categorical_crossentropy", hot, given, from_logits=logits, axis=1)
        call("sparse_categorical_crossentropy", LABELS.astype("f"), given, from_logits=logits)
        call("binary_crossentropy", hot, given, from_logits=logits)
    turned = np.ascontiguousarray(PROBS.transpose(0, 2, 1))
    call("sparse_categorical_crossentropy", LABELS.astype("f"), turned, axis=1)
    call("sparse_categorical_crossentropy", LABELS.astype("f"), turned, from_logits=True, axis=1)


def _functions() -> dict[str, Value]:
    return {
        "concatenate": lambda K, c: K.concatenate([c(A), c(B)]),
        "concatenate0": lambda K, c: K.concatenate([c(A), c(B)], axis=0),
        "stack": lambda K, c: K.stack([c(A), c(B)], axis=1),
        "one_hot": lambda K, c: K.one_hot(K.cast(c(LABELS), "int32"), 4),
        "gather": lambda K, c: K.gather(c(A), K.cast(c(LABELS), "int32")),
        "switch": lambda K, c: K.switch(K.greater(c(A), 0.0), c(A), c(B)),
        "switch_scalar": lambda K, c: K.switch(K.sum(c(A)) > 100.0, lambda: c(A), lambda: c(B)),
        "switch_rows": lambda K, c: K.switch(c(MASK) > 0, c(S), -c(S)),
        "in_train_phase": lambda K, c: K.in_train_phase(c(A), c(B), training=1),
        "in_test_phase": lambda K, c: K.in_test_phase(c(A), c(B), training=True),
        "in_top_k": lambda K, c: K.in_top_k(c(A), K.cast(c(LABELS[0, :3]), "int32"), 2),
        "map_fn": lambda K, c: K.map_fn(lambda r: r * 2.0 + 1.0, c(A)),
        "foldl": lambda K, c: K.foldl(lambda a, r: a * 0.5 + r, c(A)),
        "foldr": lambda K, c: K.foldr(lambda a, r: a * 0.5 + r, c(A)),
        "normalize_batch": lambda K, c: K.normalize_batch_in_training(
            c(IMG), c(SCALE), c(MEAN), [0, 1, 2])[0],
        "normalize_batch_var": lambda K, c: K.normalize_batch_in_training(
            c(IMG), c(SCALE), c(MEAN), [0, 1, 2])[2],
        "normalize_axes": lambda K, c: K.normalize_batch_in_training(
            c(FIRST), c(SCALE), c(MEAN), [0, 2, 3])[0],
        "rnn": lambda K, c: _rnn(K, 1), "rnn_last": lambda K, c: _rnn(K, 0),
        "rnn_state": lambda K, c: _rnn(K, 2),
        "rnn_back": lambda K, c: _rnn(K, 1, go_backwards=True),
        "rnn_masked": lambda K, c: _rnn(K, 1, masked=True),
        "rnn_masked_last": lambda K, c: _rnn(K, 0, masked=True),
        "rnn_masked_state": lambda K, c: _rnn(K, 2, masked=True),
        "rnn_zero": lambda K, c: _rnn(K, 1, masked=True, zero_output_for_mask=True),
        "rnn_unroll": lambda K, c: _rnn(K, 1, masked=True, unroll=True, input_length=5),
        "rnn_back_masked": lambda K, c: _rnn(K, 1, masked=True, go_backwards=True),
        "ctc": lambda K, c: K.ctc_batch_cost(
            c(LABELS[:, :2] * 0 + 1), c(PROBS), c([[5], [4]]), c([[2], [1]])),
        "ctc_decode": lambda K, c: K.ctc_decode(c(PROBS), K.cast(c([5, 4]), "int32"))[0][0][:, :2],
        "ctc_beam": lambda K, c: K.ctc_decode(
            c(PROBS), K.cast(c([5, 4]), "int32"), greedy=False, beam_width=5, top_paths=2,
        )[0][1][:, :3],
        "ctc_scores": lambda K, c: K.ctc_decode(
            c(PROBS), K.cast(c([5, 4]), "int32"), greedy=False, beam_width=5)[1],
    }  # fmt: skip
