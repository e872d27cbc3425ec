"""TF1's tf.nn: activations, softmax, bias, dropout. Convolutions, pooling, recurrence: elsewhere.

Lives here: thin wrappers of op records. It also gathers api_losses and api_normalize, and the
lookups of api_index, so that one module exports them all. Not here: records (ops/nn.py),
tf.layers. Imports ops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.dtypes import float32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F, OpDef
from graphc.ops.values import value_of
from graphc.tf1 import api_losses, api_normalize
from graphc.tf1.api_index import embedding_lookup as embedding_lookup
from graphc.tf1.api_index import in_top_k as in_top_k
from graphc.tf1.api_index import top_k as top_k
from graphc.tf1.api_losses import *  # noqa: F403
from graphc.tf1.api_math import log_sigmoid as log_sigmoid
from graphc.tf1.api_math import sigmoid as sigmoid
from graphc.tf1.api_math import tanh as tanh
from graphc.tf1.api_normalize import *  # noqa: F403
from graphc.tf1.api_random import random_uniform
from graphc.tf1.arguments import index_tensor, renamed, static_int

_OWN = (
    "bias_add", "crelu", "dropout", "elu", "embedding_lookup", "gelu", "in_top_k", "l2_loss",
    "leaky_relu", "log_sigmoid", "log_softmax", "relu", "relu6", "relu_layer", "selu", "sigmoid",
    "silu", "softmax", "softplus", "softsign", "swish", "tanh", "top_k", "xw_plus_b",
    "zero_fraction",
)  # fmt: skip
__all__ = [*_OWN, *api_losses.__all__, *api_normalize.__all__]


# ------------------------------------------------------------------ activations
def _activation(record: str, doc: str) -> Callable[..., Tensor]:
    def call(features: Any, name: str | None = None) -> Tensor:
        return getattr(F, record)(convert_to_tensor(features), name=name)

    call.__name__ = call.__qualname__ = record
    call.__doc__ = f"{doc} (tf.nn.{record})."
    return call


relu = _activation("relu", "max(x, 0); gradient 0 at 0")
relu6 = _activation("relu6", "min(max(x, 0), 6)")
elu = _activation("elu", "x, and exp(x) - 1 below 0")
selu = _activation("selu", "elu scaled so that mean 0 and variance 1 are kept")
softplus = _activation("softplus", "log(1 + exp(x)), without overflow")
softsign = _activation("softsign", "x / (1 + |x|)")
swish = _activation("swish", "x * sigmoid(x)")
silu = swish


def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Tensor:
    """x, and alpha * x below 0 (tf.nn.leaky_relu); integers become float32."""
    x = convert_to_tensor(features)
    if x.dtype.is_integer:
        x = F.cast(x, dtype=float32)
    if is_tensor_like(alpha):
        return F.maximum(convert_to_tensor(alpha) * x, x, name=name)
    return F.leaky_relu(x, alpha=float(alpha), name=name)


def crelu(features: Any, name: str | None = None, axis: int = -1) -> Tensor:
    """relu of x and of -x, joined along an axis (tf.nn.crelu)."""
    x = convert_to_tensor(features)
    with x.graph.name_scope(name or "CRelu") as scope:
        return F.relu(F.concat(x, -x, axis=static_int(axis, "axis"), name=scope))


def gelu(features: Any, approximate: bool = False, name: str | None = None) -> Tensor:
    """x times the normal distribution function of x; `approximate` uses tanh for it."""
    attrs = {"approximate": True} if approximate else {}
    return F.gelu(convert_to_tensor(features), name=name, **attrs)


def _softmax(record: OpDef, logits: Any, axis: Any, dim: Any, name: str | None) -> Tensor:
    along = renamed("dim", dim, "axis", axis)
    x = convert_to_tensor(logits)
    at = -1 if along is None else static_int(along, "axis")
    if x.rank and -x.rank <= at < x.rank:
        at = at % x.rank - x.rank
    return record(x, name=name, **({} if at == -1 else {"axis": at}))


def softmax(logits: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """exp(x) / sum(exp(x)) along an axis, the last by default (tf.nn.softmax).

    Raises:
        ShapeError: a scalar, or an axis outside the rank.
    """
    return _softmax(F.softmax, logits, axis, dim, name)


def log_softmax(
    logits: Any, axis: Any = None, name: str | None = None, dim: Any = None
) -> Tensor:
    """x - log(sum(exp(x))) along an axis, the last by default (tf.nn.log_softmax)."""
    return _softmax(F.log_softmax, logits, axis, dim, name)


# ------------------------------------------------------------------ affine layers
def bias_add(
    value: Any, bias: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """value plus a vector along its channels, the last axis or axis 1 ("NCHW").

    Raises:
        ValueError: another data_format. ShapeError: the number of channels differs.
    """
    attrs = {}
    if data_format is not None and data_format.startswith("NC"):
        attrs = {"data_format": "NCHW"}
    elif data_format is not None and not (data_format.startswith("N") and data_format[-1] == "C"):
        raise ValueError(f"data_format must be of the form `N...C` or `NC...`, got {data_format!r}")
    return F.bias_add(convert_to_tensor(value), bias, name=name or "BiasAdd", **attrs)


def xw_plus_b(x: Any, weights: Any, biases: Any, name: str | None = None) -> Tensor:
    """matmul(x, weights) + biases."""
    given = convert_to_tensor(x)
    with given.graph.name_scope(name or "xw_plus_b") as scope:
        product = F.matmul(given, weights, transpose_a=False, transpose_b=False)
        return F.bias_add(product, biases, name=scope)


def relu_layer(x: Any, weights: Any, biases: Any, name: str | None = None) -> Tensor:
    """relu(matmul(x, weights) + biases)."""
    given = convert_to_tensor(x)
    with given.graph.name_scope(name or "relu_layer") as scope:
        return F.relu(xw_plus_b(given, weights, biases), name=scope)


# ------------------------------------------------------------------ dropout
def dropout(
    x: Any,
    keep_prob: Any = None,
    noise_shape: Any = None,
    seed: int | None = None,
    name: str | None = None,
    rate: Any = None,
) -> Tensor:
    """Elements set to 0 with probability `rate`, the others scaled by 1 / (1 - rate).

    Args:
        keep_prob: 1 - rate, the older argument; either may be a tensor.
        noise_shape: broadcast against x: axes with 1 are dropped as a whole.

    Raises:
        ValueError: x is not floating, or a probability outside its range.
    """
    given = convert_to_tensor(x)
    if not given.dtype.is_floating:
        raise ValueError(
            "x has to be a floating point tensor since it's going to be scaled. Got a "
            f"{given.dtype} tensor instead."
        )
    keep = _kept_share(keep_prob, rate)
    if not is_tensor_like(keep) and keep == 1:
        return given
    with given.graph.name_scope(name or "dropout") as scope:
        share = convert_to_tensor(keep, given.dtype, "keep_prob", graph=given.graph)
        if share.rank not in (0, None):
            raise ValueError(f"keep_prob must be a scalar, got shape {share.shape}")
        noise = random_uniform(_noise_shape(given, noise_shape), seed=seed, dtype=given.dtype)
        # 1 is added before the comparison in TF too: floor(keep + noise) is 1 for what stays
        stays = F.cast(F.floor(share + noise), dtype=given.dtype)
        out: Tensor = F.multiply(given / share, stays, name=scope)
        out.set_shape(given.shape)
        return out


def _kept_share(keep_prob: Any, rate: Any) -> Any:
    if rate is not None:
        if keep_prob is not None:
            raise ValueError("Cannot specify both 'keep_prob' and 'rate'")
        if not is_tensor_like(rate) and not 0 <= rate < 1:
            raise ValueError(
                f"rate must be a scalar tensor or a float in the range [0, 1), got {rate:g}"
            )
        return 1 - rate
    if keep_prob is None:
        raise ValueError("You must provide a rate to dropout.")
    if not is_tensor_like(keep_prob) and not 0 < keep_prob <= 1:
        raise ValueError(
            f"keep_prob must be a scalar tensor or a float in the range (0, 1], got {keep_prob:g}"
        )
    return keep_prob


def _noise_shape(x: Tensor, noise_shape: Any) -> Tensor:
    """The shape of the noise; None inside it stands for x's own extent."""
    if noise_shape is None:
        return F.shape(x)
    if is_tensor_like(noise_shape):
        return convert_to_tensor(noise_shape)
    dims = getattr(noise_shape, "dims_tuple", None) or tuple(noise_shape)
    if not any(d is None for d in dims):
        return index_tensor(dims)
    own = F.shape(x)
    known = value_of(own)
    if known is not None and known.size != len(dims):
        raise ValueError(f"noise_shape {dims} does not have the rank of {x}")
    parts = F.unstack(own, num=len(dims), axis=0)
    return index_tensor([p if d is None else d for d, p in zip(dims, parts, strict=True)])


# ------------------------------------------------------------------ sums
def l2_loss(t: Any, name: str | None = None) -> Tensor:
    """sum(t ** 2) / 2, a scalar (tf.nn.l2_loss)."""
    return F.l2_loss(convert_to_tensor(t), name=name)


def zero_fraction(value: Any, name: str | None = None) -> Tensor:
    """The share of zeros among all elements (tf.nn.zero_fraction)."""
    x = convert_to_tensor(value)
    with x.graph.name_scope(name or "zero_fraction"):
        zeros = F.cast(F.equal(x, F.zeros_like(x)), dtype=float32)
        return F.reduce_mean(zeros, axes=None, keepdims=False)
