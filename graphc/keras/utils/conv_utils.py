"""keras.utils.conv_utils: extents of convolutions, for layers of the user's own."""

from __future__ import annotations

from typing import Any

from graphc.keras.core.config import normalize_data_format

__all__ = [
    "conv_input_length", "conv_output_length", "deconv_output_length", "normalize_data_format",
    "normalize_padding", "normalize_tuple",
]  # fmt: skip


def normalize_tuple(value: Any, n: int, name: str) -> tuple[int, ...]:
    """n numbers from one, or from n.

    Raises:
        ValueError: something else.
    """
    if isinstance(value, int):
        return (value,) * n
    found = tuple(value) if isinstance(value, list | tuple) else ()
    if len(found) != n or not all(isinstance(v, int) for v in found):
        raise ValueError(
            f"The `{name}` argument must be a tuple of {n} integers. Received: {value}"
        )
    return found


def normalize_padding(value: Any) -> str:
    """Raises ValueError: none of "valid", "same" and "causal"."""
    lowered = str(value).lower()
    if lowered not in ("valid", "same", "causal"):
        raise ValueError(
            'The `padding` argument must be one of "valid", "same" (or "causal" for Conv1D). '
            f"Received: {value}"
        )
    return lowered


def conv_output_length(
    input_length: int | None, filter_size: int, padding: str, stride: int, dilation: int = 1
) -> int | None:
    """The extent of a convolution's output; None for None."""
    if input_length is None:
        return None
    reach = (filter_size - 1) * dilation
    spare = {"same": 0, "causal": 0, "valid": reach, "full": -reach}[padding]
    return (input_length - spare + stride - 1) // stride


def conv_input_length(
    output_length: int | None, filter_size: int, padding: str, stride: int
) -> int | None:
    """The extent of the input that gives such an output; None for None."""
    if output_length is None:
        return None
    pad = {"same": filter_size // 2, "valid": 0, "full": filter_size - 1}[padding]
    return (output_length - 1) * stride - 2 * pad + filter_size


def deconv_output_length(
    input_length: int | None, filter_size: int, padding: str, output_padding: int | None = None,
    stride: int = 0, dilation: int = 1,
) -> int | None:
    """The extent of a transposed convolution's output; None for None."""
    if input_length is None:
        return None
    size = filter_size + (filter_size - 1) * (dilation - 1)
    if output_padding is None:
        more = {"valid": max(size - stride, 0), "full": 2 - stride - size, "same": 0}[padding]
        return input_length * stride + more
    pad = {"same": size // 2, "valid": 0, "full": size - 1}[padding]
    return (input_length - 1) * stride + size - 2 * pad + output_padding
