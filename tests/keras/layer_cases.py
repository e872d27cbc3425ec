"""Layers with many settings, compared with Keras 2 forward and backward.

Each is written against a namespace `keras`: tf_keras in tests/fixtures/make_keras_layers.py,
graphc in test_layers_against_keras.py. Settings whose defaults Keras 2.4 and later changed
are given, by the constants below.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LSTM = {"recurrent_activation": "hard_sigmoid"}
GRU = {**LSTM, "reset_after": False}
FIRST = {"data_format": "channels_first"}
VEC, SEQ, IMG, VOL = (3, 4), (2, 5, 3), (2, 6, 7, 2), (2, 4, 5, 4, 2)
SEQ1, IMG1, VOL1 = (2, 3, 5), (2, 2, 6, 7), (2, 2, 4, 5, 4)


@dataclass
class Case:
    """A layer, the shapes of its inputs, and how it is called.

    Attributes:
        masks: for each input None, or the lengths of its samples. integers: inputs below this.
        kwargs: of the call. after: compare the weights that are not trained after the call too.
    """

    make: Callable[[], Any]
    shapes: list[tuple[int, ...]]
    masks: list[Any] | None = None
    integers: int = 0
    kwargs: dict[str, Any] = field(default_factory=dict)
    after: bool = False


def rng_of(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def inputs_of(name: str, case: Case) -> list[Any]:
    rng = rng_of(name)
    if case.integers:
        return [rng.integers(0, case.integers, s).astype("int32") for s in case.shapes]
    return [rng.uniform(-1, 1, s).astype("float32") for s in case.shapes]


def masks_of(case: Case) -> list[Any]:
    """Truth values [batch, time] for each input, or None."""
    out = []
    for shape, lengths in zip(case.shapes, case.masks or []):
        out.append(None if lengths is None else np.arange(shape[1]) < np.array(lengths)[:, None])
    return out


def weights_of(name: str, weights: list[tuple[str, tuple[int, ...]]]) -> list[Any]:
    """Values for weights of these names and shapes."""
    rng = rng_of(name + " weights")
    out = []
    for path, shape in weights:
        value = rng.uniform(-0.6, 0.6, shape)
        positive = "variance" in path or "stddev" in path
        out.append((np.abs(value) + 0.5 if positive else value).astype("float32"))
    return out


def factors_of(name: str, number: int, shape: tuple[int, ...]) -> Any:
    """What an output is multiplied by: the sum of all is differentiated."""
    return rng_of(f"{name} factors {number}").uniform(-1, 1, shape).astype("float32")


def dense(L: Any) -> dict[str, Case]:
    acts = ("elu", "exponential", "hard_sigmoid", "linear", "relu", "selu", "sigmoid", "softmax",
            "softplus", "softsign", "swish", "tanh")  # fmt: skip
    out = {f"activation_{a}": Case(lambda a=a: L.Activation(a), [VEC]) for a in acts}
    out |= {
        "dense": Case(lambda: L.Dense(5, activation="tanh"), [VEC]),
        "dense_no_bias": Case(lambda: L.Dense(4, use_bias=False), [SEQ]),
        "dense_4d": Case(lambda: L.Dense(3, activation="relu"), [IMG]),
        "softmax_axis": Case(lambda: L.Softmax(axis=1), [SEQ]),
        "elu": Case(lambda: L.ELU(0.7), [VEC]),
        "leaky": Case(lambda: L.LeakyReLU(alpha=0.2), [SEQ]),
        "prelu": Case(lambda: L.PReLU(), [SEQ]),
        "prelu_shared": Case(lambda: L.PReLU(shared_axes=[1, 2]), [IMG]),
        "relu": Case(lambda: L.ReLU(), [VEC]),
        "relu_all": Case(lambda: L.ReLU(max_value=0.8, negative_slope=0.1, threshold=0.2), [SEQ]),
        "relu_max": Case(lambda: L.ReLU(0.5), [SEQ]),
        "relu_threshold": Case(lambda: L.ReLU(threshold=0.3), [SEQ]),
        "thresholded": Case(lambda: L.ThresholdedReLU(theta=0.3), [SEQ]),
        "flatten": Case(lambda: L.Flatten(), [IMG]),
        "flatten_first": Case(lambda: L.Flatten(**FIRST), [IMG]),
        "flatten_vector": Case(lambda: L.Flatten(), [(3,)]),
        "reshape": Case(lambda: L.Reshape((2, -1)), [IMG]),
        "permute": Case(lambda: L.Permute((3, 1, 2)), [IMG]),
        "repeat": Case(lambda: L.RepeatVector(3), [VEC]),
        "lambda": Case(lambda: L.Lambda(lambda x, k: x * x * k, arguments={"k": 3.0}), [VEC]),
        "masking": Case(lambda: L.Masking(0.5), [SEQ]),
        "embedding": Case(lambda: L.Embedding(7, 3), [(2, 4)], integers=7),
        "embedding_mask": Case(lambda: L.Embedding(7, 3, mask_zero=True), [(3, 4)], integers=4),
        "dropout_off": Case(lambda: L.Dropout(0.5), [VEC], kwargs={"training": False}),
        "activity": Case(lambda: L.ActivityRegularization(0.1, 0.2), [VEC]),
        "noise_off": Case(lambda: L.GaussianNoise(1.0), [VEC], kwargs={"training": False}),
        "gaussian_off": Case(lambda: L.GaussianDropout(0.4), [VEC], kwargs={"training": False}),
        "alpha_off": Case(lambda: L.AlphaDropout(0.4), [VEC], kwargs={"training": False}),
        "spatial_off": Case(lambda: L.SpatialDropout2D(0.4), [IMG], kwargs={"training": False}),
    }  # fmt: skip
    return out


def convolutions(L: Any) -> dict[str, Case]:
    return {
        "conv1d": Case(lambda: L.Conv1D(4, 3, padding="same", activation="relu"), [SEQ]),
        "conv1d_stride": Case(lambda: L.Conv1D(4, 2, 2, use_bias=False), [SEQ]),
        "conv1d_causal": Case(lambda: L.Conv1D(4, 2, padding="causal", dilation_rate=2), [SEQ]),
        "conv1d_causal_stride": Case(lambda: L.Conv1D(2, 3, strides=2, padding="causal"), [SEQ]),
        "conv1d_first": Case(lambda: L.Conv1D(4, 2, padding="same", **FIRST), [SEQ1]),
        "conv1d_causal_first": Case(lambda: L.Conv1D(2, 3, padding="causal", **FIRST), [SEQ1]),
        "conv1d_groups": Case(lambda: L.Conv1D(4, 2, groups=2), [(2, 5, 4)]),
        "conv2d": Case(lambda: L.Conv2D(4, 3, activation="relu"), [IMG]),
        "conv2d_same": Case(lambda: L.Conv2D(3, (3, 2), strides=2, padding="same"), [IMG]),
        "conv2d_stride": Case(lambda: L.Conv2D(3, 3, strides=(1, 2), activation="tanh"), [IMG]),
        "conv2d_dilated": Case(lambda: L.Conv2D(3, 2, dilation_rate=2, use_bias=False), [IMG]),
        "conv2d_dilated_same": Case(
            lambda: L.Conv2D(3, 3, dilation_rate=(1, 2), padding="same"), [IMG]),
        "conv2d_first": Case(lambda: L.Conv2D(3, 3, strides=2, padding="same", **FIRST), [IMG1]),
        "conv2d_groups": Case(lambda: L.Conv2D(4, 3, groups=2, padding="same"), [IMG]),
        "conv3d": Case(lambda: L.Conv3D(3, 2, strides=(1, 2, 1)), [VOL]),
        "conv3d_same": Case(lambda: L.Conv3D(2, (2, 1, 3), padding="same"), [VOL]),
        "conv3d_first": Case(lambda: L.Conv3D(2, 2, **FIRST), [VOL1]),
        "conv1dt": Case(lambda: L.Conv1DTranspose(3, 3, strides=2, padding="same"), [SEQ]),
        "conv1dt_padding": Case(
            lambda: L.Conv1DTranspose(3, 3, strides=3, output_padding=1), [SEQ]),
        "conv1dt_first": Case(lambda: L.Conv1DTranspose(2, 2, strides=2, **FIRST), [SEQ1]),
        "conv2dt": Case(lambda: L.Conv2DTranspose(3, 3, strides=2, padding="same"), [IMG]),
        "conv2dt_valid": Case(lambda: L.Conv2DTranspose(3, 3, strides=2), [IMG]),
        "conv2dt_wide": Case(lambda: L.Conv2DTranspose(2, 2, strides=3), [IMG]),
        "conv2dt_padding": Case(
            lambda: L.Conv2DTranspose(3, 3, strides=2, padding="same", output_padding=0), [IMG]),
        "conv2dt_padding_one": Case(
            lambda: L.Conv2DTranspose(3, (3, 2), strides=(2, 3), output_padding=(1, 2)), [IMG]),
        "conv2dt_dilated": Case(lambda: L.Conv2DTranspose(2, 3, dilation_rate=2), [IMG]),
        "conv2dt_dilated_same": Case(
            lambda: L.Conv2DTranspose(2, 2, padding="same", dilation_rate=2), [IMG]),
        "conv2dt_first": Case(
            lambda: L.Conv2DTranspose(3, 3, strides=2, padding="same", **FIRST), [IMG1]),
        "conv3dt": Case(lambda: L.Conv3DTranspose(3, 2, strides=2), [VOL]),
        "conv3dt_same": Case(
            lambda: L.Conv3DTranspose(2, 3, strides=(1, 2, 1), padding="same"), [VOL]),
        "conv3dt_padding": Case(
            lambda: L.Conv3DTranspose(2, 3, strides=2, output_padding=1), [(1, 2, 3, 2, 2)]),
        "conv3dt_first": Case(lambda: L.Conv3DTranspose(2, 2, strides=2, **FIRST), [VOL1]),
        "separable1d": Case(lambda: L.SeparableConv1D(4, 3, padding="same"), [SEQ]),
        "separable1d_all": Case(
            lambda: L.SeparableConv1D(4, 2, dilation_rate=2, padding="causal",
                                      depth_multiplier=2, activation="tanh"), [SEQ]),
        "separable1d_stride": Case(lambda: L.SeparableConv1D(2, 2, strides=2), [SEQ]),
        "separable2d": Case(lambda: L.SeparableConv2D(4, 3, depth_multiplier=2), [IMG]),
        "separable2d_stride": Case(
            lambda: L.SeparableConv2D(3, 3, strides=2, padding="same", use_bias=False), [IMG]),
        "separable2d_dilated": Case(lambda: L.SeparableConv2D(3, 2, dilation_rate=2), [IMG]),
        "separable2d_first": Case(lambda: L.SeparableConv2D(3, 2, **FIRST), [IMG1]),
        "depthwise": Case(
            lambda: L.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), [IMG]),
        "depthwise_stride": Case(
            lambda: L.DepthwiseConv2D((2, 2), strides=2, activation="relu"), [IMG]),
        "depthwise_dilated": Case(lambda: L.DepthwiseConv2D(2, dilation_rate=2), [IMG]),
        "depthwise_first": Case(lambda: L.DepthwiseConv2D(2, depth_multiplier=2, **FIRST), [IMG1]),
        "depthwise1d": Case(lambda: L.DepthwiseConv1D(3, depth_multiplier=2), [SEQ]),
        "local1d": Case(lambda: L.LocallyConnected1D(3, 2, strides=2), [SEQ]),
        "local2d": Case(lambda: L.LocallyConnected2D(2, (3, 2), activation="tanh"), [IMG]),
        "local2d_stride": Case(
            lambda: L.LocallyConnected2D(2, 3, strides=(2, 1), use_bias=False), [IMG]),
        "local2d_first": Case(lambda: L.LocallyConnected2D(2, 3, **FIRST), [IMG1]),
        "local1d_two": Case(
            lambda: L.LocallyConnected1D(2, 2, padding="same", implementation=2), [SEQ]),
        "local2d_three": Case(
            lambda: L.LocallyConnected2D(2, 2, strides=2, implementation=3), [(2, 4, 4, 2)]),
    }  # fmt: skip


def spatial(L: Any) -> dict[str, Case]:
    out = {}
    pools = {"max": "MaxPooling", "avg": "AveragePooling"}
    for short, name in pools.items():
        one, two, three = (getattr(L, f"{name}{n}D") for n in (1, 2, 3))
        out |= {
            f"{short}pool1d": Case(lambda p=one: p(2), [SEQ]),
            f"{short}pool1d_same": Case(lambda p=one: p(3, 1, "same"), [SEQ]),
            f"{short}pool1d_first": Case(lambda p=one: p(2, **FIRST), [SEQ1]),
            f"{short}pool2d": Case(lambda p=two: p((3, 2), strides=2, padding="same"), [IMG]),
            f"{short}pool2d_valid": Case(lambda p=two: p(2, strides=(1, 3)), [IMG]),
            f"{short}pool2d_first": Case(lambda p=two: p(2, **FIRST), [IMG1]),
            f"{short}pool3d": Case(lambda p=three: p(2), [VOL]),
            f"{short}pool3d_same": Case(lambda p=three: p(2, padding="same"), [VOL]),
            f"{short}pool3d_first": Case(lambda p=three: p(2, 1, **FIRST), [VOL1]),
        }
    for short, name in {"gmax": "GlobalMaxPooling", "gavg": "GlobalAveragePooling"}.items():
        for n, last, first in ((1, SEQ, SEQ1), (2, IMG, IMG1), (3, VOL, VOL1)):
            layer = getattr(L, f"{name}{n}D")
            out |= {
                f"{short}{n}d": Case(lambda p=layer: p(), [last]),
                f"{short}{n}d_first": Case(lambda p=layer: p(**FIRST), [first]),
                f"{short}{n}d_keep": Case(lambda p=layer: p(keepdims=True), [last]),
            }
    out["gavg1d_masked"] = Case(lambda: L.GlobalAveragePooling1D(), [SEQ], [(3, 5)])
    out["gavg1d_masked_keep"] = Case(
        lambda: L.GlobalAveragePooling1D(keepdims=True), [SEQ], [(3, 5)])  # fmt: skip
    out["gavg1d_masked_first"] = Case(
        lambda: L.GlobalAveragePooling1D(**FIRST), [(2, 5, 5)], [(3, 5)])  # fmt: skip
    return out | {
        "zeropad1d": Case(lambda: L.ZeroPadding1D((1, 2)), [SEQ]),
        "zeropad2d": Case(lambda: L.ZeroPadding2D(((1, 0), (2, 1))), [IMG]),
        "zeropad2d_pair": Case(lambda: L.ZeroPadding2D((1, 2), **FIRST), [IMG1]),
        "zeropad3d": Case(lambda: L.ZeroPadding3D(), [VOL]),
        "zeropad3d_first": Case(lambda: L.ZeroPadding3D((1, 0, 2), **FIRST), [VOL1]),
        "crop1d": Case(lambda: L.Cropping1D((1, 2)), [SEQ]),
        "crop2d": Case(lambda: L.Cropping2D(((1, 2), (0, 3))), [IMG]),
        "crop2d_none": Case(lambda: L.Cropping2D(), [IMG]),
        "crop2d_first": Case(lambda: L.Cropping2D((1, 2), **FIRST), [IMG1]),
        "crop3d": Case(lambda: L.Cropping3D(), [VOL]),
        "crop3d_first": Case(lambda: L.Cropping3D(((0, 1), (2, 0), (1, 1)), **FIRST), [VOL1]),
        "up1d": Case(lambda: L.UpSampling1D(3), [SEQ]),
        "up2d": Case(lambda: L.UpSampling2D((2, 3)), [IMG]),
        "up2d_first": Case(lambda: L.UpSampling2D(2, **FIRST), [IMG1]),
        "up2d_bilinear": Case(lambda: L.UpSampling2D(2, interpolation="bilinear"), [IMG]),
        "up3d": Case(lambda: L.UpSampling3D((2, 1, 2)), [VOL]),
        "up3d_first": Case(lambda: L.UpSampling3D(2, **FIRST), [VOL1]),
    }


def normalization(L: Any) -> dict[str, Case]:
    bn, train = L.BatchNormalization, {"training": True}

    def case(make: Callable[[], Any], shape: tuple[int, ...] = IMG) -> Case:
        return Case(make, [shape], kwargs=train, after=True)

    return {
        "batchnorm_off": Case(lambda: bn(), [IMG], kwargs={"training": False}),
        "batchnorm_off_first": Case(lambda: bn(axis=1), [IMG], kwargs={"training": False}),
        "batchnorm": case(lambda: bn()),
        "batchnorm_first": case(lambda: bn(axis=1), IMG),
        "batchnorm_plain": case(lambda: bn(fused=False)),
        "batchnorm_seq": case(lambda: bn(momentum=0.8), SEQ),
        "batchnorm_seq_axis": case(lambda: bn(axis=1, epsilon=1e-2), SEQ),
        "batchnorm_vec": case(lambda: bn(scale=False), (5, 4)),
        "batchnorm_vol": case(lambda: bn(center=False, fused=False), VOL),
        "batchnorm_axes": case(lambda: bn(axis=[1, 3], fused=False)),
        "batchnorm_virtual": case(lambda: bn(virtual_batch_size=2), (6, 4)),
        "batchnorm_renorm": case(
            lambda: bn(renorm=True, renorm_momentum=0.9, fused=False), (5, 4)),
        "batchnorm_renorm_clipped": case(
            lambda: bn(renorm=True, fused=False, renorm_clipping={
                "rmax": 1.2, "rmin": 0.9, "dmax": 0.1}), IMG),
        "batchnorm_renorm_off": Case(
            lambda: bn(renorm=True, fused=False), [VEC], kwargs={"training": False}),
        "layernorm": Case(lambda: L.LayerNormalization(), [SEQ]),
        "layernorm_image": Case(lambda: L.LayerNormalization(epsilon=1e-2, center=False), [IMG]),
        "layernorm_axes": Case(lambda: L.LayerNormalization(axis=[1, 2], epsilon=1e-2), [SEQ]),
        "layernorm_first": Case(lambda: L.LayerNormalization(axis=1, scale=False), [IMG]),
    }  # fmt: skip


def merges(L: Any) -> dict[str, Case]:
    out = {}
    for name in ("Add", "Multiply", "Average", "Maximum", "Minimum"):
        make = getattr(L, name)
        out[name.lower()] = Case(lambda m=make: m(), [VEC, VEC, VEC])
        out[f"{name.lower()}_spread"] = Case(lambda m=make: m(), [SEQ, (2, 1, 3)])
    return out | {
        "add_ranks": Case(lambda: L.Add(), [SEQ, (2, 3)]),
        "subtract": Case(lambda: L.Subtract(), [VEC, VEC]),
        "concatenate": Case(lambda: L.Concatenate(axis=1), [SEQ, (2, 2, 3)]),
        "concatenate_last": Case(lambda: L.Concatenate(), [VEC, (3, 2), (3, 1)]),
        "dot": Case(lambda: L.Dot(axes=2), [SEQ, (2, 4, 3)]),
        "dot_vectors": Case(lambda: L.Dot(axes=1), [VEC, VEC]),
        "dot_pair": Case(lambda: L.Dot(axes=(2, 1)), [SEQ, (2, 3, 4)]),
        "dot_negative": Case(lambda: L.Dot(axes=-1), [SEQ, (2, 4, 3)]),
        "dot_cosine": Case(lambda: L.Dot(axes=1, normalize=True), [VEC, VEC]),
    }  # fmt: skip


def attention(L: Any) -> dict[str, Case]:
    q, v = SEQ, (2, 4, 3)
    both, train = [(4, 5), (2, 4)], {"return_attention_scores": True}

    def heads(*args: Any, **kwargs: Any) -> Callable[[], Any]:
        return lambda: L.MultiHeadAttention(*args, **kwargs)

    return {
        "attention": Case(lambda: L.Attention(), [q, v]),
        "attention_scale": Case(lambda: L.Attention(use_scale=True), [q, v]),
        "attention_key": Case(lambda: L.Attention(), [q, (2, 4, 2), (2, 4, 3)]),
        "attention_concat": Case(lambda: L.Attention(score_mode="concat"), [q, v]),
        "attention_masks": Case(lambda: L.Attention(), [q, v], both),
        "attention_causal": Case(lambda: L.Attention(), [q, q], kwargs={"use_causal_mask": True}),
        "attention_scores": Case(lambda: L.Attention(), [q, v], both, kwargs=train),
        "additive": Case(lambda: L.AdditiveAttention(), [q, v]),
        "additive_masks": Case(lambda: L.AdditiveAttention(use_scale=False), [q, v], both),
        "heads": Case(heads(2, 3), [q, v]),
        "heads_values": Case(heads(2, 3, value_dim=4, use_bias=False), [q, v]),
        "heads_shape": Case(heads(2, 3, output_shape=5), [q, v]),
        "heads_key": Case(heads(2, 2), [q, (2, 4, 2), (2, 4, 5)]),
        "heads_axes": Case(heads(2, 3, attention_axes=(2,)), [(2, 3, 4, 2), (2, 3, 5, 2)]),
        "heads_axes_two": Case(heads(2, 3, attention_axes=(1, 2)), [(2, 2, 3, 2), (2, 2, 4, 2)]),
        "heads_mask": Case(
            heads(2, 2), [q, v], kwargs={"attention_mask": np.tri(5, 4, 1)[None] > 0}),
        "heads_scores": Case(heads(2, 2), [q, v], kwargs=train),
        "heads_causal": Case(heads(2, 2), [q, q], kwargs={"use_causal_mask": True}),
    }  # fmt: skip
