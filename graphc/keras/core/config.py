"""Settings of Keras: float type, epsilon, image format. Imports nothing of graphc."""

from __future__ import annotations

__all__ = [
    "backend",
    "epsilon",
    "floatx",
    "image_data_format",
    "image_dim_ordering",
    "normalize_data_format",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
]  # fmt: skip

_FLOATS = ("float16", "bfloat16", "float32", "float64")
_FORMATS = ("channels_last", "channels_first")
_STATE: dict[str, str] = {"floatx": "float32", "format": "channels_last"}
_NUMBERS = {"epsilon": 1e-7}


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite; 1e-7 unless set."""
    return _NUMBERS["epsilon"]


def set_epsilon(value: float) -> None:
    _NUMBERS["epsilon"] = float(value)


def floatx() -> str:
    """The name of the dtype of weights and inputs; "float32" unless set."""
    return _STATE["floatx"]


def set_floatx(value: str) -> None:
    """Raises ValueError: no float dtype."""
    if value not in _FLOATS:
        raise ValueError(f"Unknown floatx type: {value}")
    _STATE["floatx"] = str(value)


def image_data_format() -> str:
    return _STATE["format"]


def set_image_data_format(data_format: str) -> None:
    """Raises ValueError: neither "channels_last" nor "channels_first"."""
    if data_format not in _FORMATS:
        raise ValueError(f"Unknown data_format: {data_format}")
    _STATE["format"] = data_format


def image_dim_ordering() -> str:
    """The old name of the format: "tf" or "th"."""
    return "tf" if image_data_format() == "channels_last" else "th"


def normalize_data_format(value: str | None) -> str:
    """The format itself, or the default for None.

    Raises:
        ValueError: an unknown format.
    """
    if value is None:
        return image_data_format()
    lowered = value.lower()
    if lowered not in _FORMATS:
        raise ValueError(
            'The `data_format` argument must be one of "channels_first", "channels_last". '
            f"Received: {value}"
        )
    return lowered


def backend() -> str:
    """The name of the backend: "tensorflow", since the interface is TensorFlow's."""
    return "tensorflow"
