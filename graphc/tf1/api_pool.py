"""TF1's pools: tf.nn.max_pool, avg_pool, their kin of one and three axes, pool, lrn.

Lives here: thin wrappers with TF1's arguments. Not here: the records (ops/pool.py), layers
(tf1/layers_pool.py). Imports ops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import as_dtype, int32, int64
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.api_conv import format_of, full_list, inner_list, padding_attrs
from graphc.tf1.api_image import required_space_to_batch_paddings
from graphc.tf1.arguments import renamed

__all__ = [
    "avg_pool", "avg_pool1d", "avg_pool2d", "avg_pool3d", "local_response_normalization", "lrn",
    "max_pool", "max_pool1d", "max_pool2d", "max_pool3d", "max_pool_with_argmax", "pool",
]  # fmt: skip

_OPS = {("MAX", 2): "MaxPool", ("AVG", 2): "AvgPool", ("MAX", 3): "MaxPool3D",
        ("AVG", 3): "AvgPool3D"}  # fmt: skip
_RECORDS = {("MAX", 2): "max_pool", ("AVG", 2): "avg_pool", ("MAX", 3): "max_pool3d",
            ("AVG", 3): "avg_pool3d"}  # fmt: skip


def _pool(
    kind: str, n: int, x: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None,
    name: str | None,
) -> Tensor:  # fmt: skip
    op = _OPS[kind, n]
    layout = format_of(data_format, n, op)
    attrs = {
        "ksize": full_list(ksize, n, layout, "ksize"),
        "strides": full_list(strides, n, layout, "strides"),
        **padding_attrs(padding, op, n + 2),
        "data_format": layout,
    }
    if kind == "AVG" and attrs["padding"] == "EXPLICIT":
        raise ValueError("EXPLICIT padding is not supported for average pooling")
    out: Tensor = getattr(F, _RECORDS[kind, n])(convert_to_tensor(x), name=name, **attrs)
    return out


def max_pool(
    value: Any,
    ksize: Any = None,
    strides: Any = None,
    padding: Any = None,
    data_format: str | None = "NHWC",
    name: str | None = None,
    input: Any = None,
) -> Tensor:
    """The largest value of each window (tf.nn.max_pool); padding never wins.

    Args:
        value: [batch, height, width, channels], or [batch, channels, height, width] ("NCHW").
        ksize, strides: one number, one a spatial axis, or one an axis.

    Raises:
        ShapeError: a rank other than 4, a window larger than the image with "VALID".
    """
    x = renamed("input", input, "value", value)
    return _pool("MAX", 2, x, ksize, strides, padding, data_format, name)


def avg_pool(
    value: Any,
    ksize: Any = None,
    strides: Any = None,
    padding: Any = None,
    data_format: str | None = "NHWC",
    name: str | None = None,
    input: Any = None,
) -> Tensor:
    """The mean of each window (tf.nn.avg_pool); padding does not count.

    Args: as max_pool's; floats only.
    """
    x = renamed("input", input, "value", value)
    return _pool("AVG", 2, x, ksize, strides, padding, data_format, name)


def max_pool2d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = "NHWC",
    name: str | None = None,
) -> Tensor:
    """max_pool under its newer name."""
    return _pool("MAX", 2, input, ksize, strides, padding, data_format, name)


avg_pool2d = avg_pool


def _solid(kind: str) -> Callable[..., Tensor]:
    def call(
        input: Any,
        ksize: Any,
        strides: Any,
        padding: Any,
        data_format: str | None = "NDHWC",
        name: str | None = None,
    ) -> Tensor:
        return _pool(kind, 3, input, ksize, strides, padding, data_format, name)

    call.__name__ = call.__qualname__ = f"{kind.lower()}_pool3d"
    call.__doc__ = f"{kind.lower()}_pool of [batch, depth, height, width, channels]."
    return call


def _line(kind: str) -> Callable[..., Tensor]:
    def call(
        input: Any,
        ksize: Any,
        strides: Any,
        padding: Any,
        data_format: str | None = "NWC",
        name: str | None = None,
    ) -> Tensor:
        label = name or f"{kind.capitalize()}Pool1d"
        return _one_axis(kind, input, ksize, strides, padding, data_format, label)

    call.__name__ = call.__qualname__ = f"{kind.lower()}_pool1d"
    call.__doc__ = f"{kind.lower()}_pool of [batch, width, channels]."
    return call


def _one_axis(
    kind: str, value: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None,
    name: str,
) -> Tensor:  # fmt: skip
    x = convert_to_tensor(value)
    layout = format_of(data_format, 1, _OPS[kind, 2])
    axis = 1 if layout == "NWC" else 2
    with x.graph.name_scope(name) as scope:
        size = full_list(ksize, 1, layout, "ksize")
        step = full_list(strides, 1, layout, "strides")
        wide = _pool(
            kind, 2, F.expand_dims(x, axis=axis), (*size[:axis], 1, *size[axis:]),
            (*step[:axis], 1, *step[axis:]), padding, "NHWC" if axis == 1 else "NCHW", None,
        )  # fmt: skip
        out: Tensor = F.squeeze(wide, axes=(axis,), name=scope)
        return out


max_pool1d, avg_pool1d = _line("MAX"), _line("AVG")
max_pool3d, avg_pool3d = _solid("MAX"), _solid("AVG")


def max_pool_with_argmax(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = "NHWC",
    Targmax: Any = None,
    name: str | None = None,
    output_dtype: Any = None,
    include_batch_in_index: bool = False,
) -> tuple[Tensor, Tensor]:
    """max_pool, and where each maximum was found (tf.nn.max_pool_with_argmax).

    Returns:
        (largest values, flat positions): (y * width + x) * channels + c, with the image's number
        in front if include_batch_in_index. Of equal values the first counts.

    Raises:
        ValueError: a data_format other than "NHWC".
    """
    if data_format != "NHWC":
        raise ValueError("Data formats other than 'NHWC' are not yet supported")
    wanted = as_dtype(renamed("Targmax", Targmax, "output_dtype", output_dtype) or int64)
    if wanted not in (int32, int64):
        raise TypeError(f"Value passed to parameter 'Targmax' has DataType {wanted.name} not in "
                        "list of allowed values: int32, int64")  # fmt: skip
    attrs: dict[str, Any] = {
        "ksize": full_list(ksize, 2, "NHWC", "ksize"),
        "strides": full_list(strides, 2, "NHWC", "strides"),
        **padding_attrs(padding, "MaxPoolWithArgmax", 4), "Targmax": wanted,
    }  # fmt: skip
    if include_batch_in_index:
        attrs["include_batch_in_index"] = True
    out: tuple[Tensor, Tensor] = F.max_pool_with_argmax(
        convert_to_tensor(input), name=name, **attrs
    )
    return out


def pool(
    input: Any,
    window_shape: Any,
    pooling_type: str,
    padding: Any,
    dilation_rate: Any = None,
    strides: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Tensor:
    """Pools over one, two or three spatial axes (tf.nn.pool).

    Args:
        pooling_type: "MAX" or "AVG". dilation_rate: windows with holes, with "VALID" only.

    Raises:
        ValueError: another pooling_type; strides and dilations that are both above 1.
    """
    x = convert_to_tensor(input)
    if pooling_type not in ("MAX", "AVG"):
        raise ValueError(f"Unsupported pooling type: {pooling_type}.")
    if x.rank not in (3, 4, 5):
        raise ValueError(f"The rank of input must be 3, 4 or 5, got {x.rank}")
    n = x.rank - 2
    sizes = inner_list(window_shape, n, "window_shape")
    steps, rates = inner_list(strides, n, "strides"), inner_list(
        renamed("dilations", dilations, "dilation_rate", dilation_rate), n, "dilation_rate"
    )
    label = name or f"{pooling_type.lower()}_pool"
    if max(rates) == 1:
        return _plain(pooling_type, n, x, sizes, steps, padding, data_format, label)
    if max(steps) > 1:
        raise ValueError(
            "`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
            f"strides={list(steps)} and dilation_rate={list(rates)}"
        )
    if padding != "VALID":
        raise ValueError(
            f"pooling with '{padding}' padding is not implemented for `dilation_rate` > 1. "
            f"Received: padding={padding} and dilation_rate={list(rates)}"
        )
    return _dilated(pooling_type, n, x, sizes, rates, data_format, label)


def _plain(
    kind: str, n: int, x: Tensor, sizes: Any, steps: Any, padding: Any, data_format: str | None,
    name: str,
) -> Tensor:  # fmt: skip
    if n == 1:
        return _one_axis(kind, x, sizes, steps, padding, data_format, name)
    return _pool(kind, n, x, sizes, steps, padding, data_format, name)


def _dilated(
    kind: str, n: int, x: Tensor, sizes: Any, rates: Any, data_format: str | None, name: str
) -> Tensor:
    """The pool of images whose pixels are rate apart, put together again."""
    first = (data_format or "").startswith("NC")
    with x.graph.name_scope(name):
        if first:
            x = F.transpose(x, perm=(0, *range(2, n + 2), 1))
        inner = F.slice(F.shape(x), np.array([1], np.int32), np.array([n], np.int32))
        pads, crops = required_space_to_batch_paddings(inner, list(rates))
        blocks = np.array(rates, np.int32)
        parts = F.space_to_batch_nd(x, blocks, pads)
        pooled = _plain(kind, n, parts, sizes, (1,) * n, "VALID", None, "pool")
        out: Tensor = F.batch_to_space_nd(pooled, blocks, crops)
        return F.transpose(out, perm=(0, n + 1, *range(1, n + 1))) if first else out


# ------------------------------------------------------------------ neighbouring channels
def lrn(
    input: Any,
    depth_radius: int = 5,
    bias: float = 1.0,
    alpha: float = 1.0,
    beta: float = 0.5,
    name: str | None = None,
) -> Tensor:
    """x / (bias + alpha * sum of x^2 over channels at most depth_radius away) ^ beta (tf.nn.lrn).

    Raises:
        ShapeError: a rank other than 4.
    """
    out: Tensor = F.lrn(
        convert_to_tensor(input), depth_radius=int(depth_radius), bias=float(bias),
        alpha=float(alpha), beta=float(beta), name=name,
    )  # fmt: skip
    return out


local_response_normalization = lrn
