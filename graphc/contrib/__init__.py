"""tf.contrib: the parts of it that graphc has; the others say by name that they are missing.

Lives here: how parts are found, and what the others raise. A part is a module of this package.
Not here: the parts, the reasons of what is missing (_unsupported.py).
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

__all__ = ["NotSupportedError"]


class NotSupportedError(AttributeError):
    """A symbol of TensorFlow that graphc does not have."""

    def __init__(self, symbol: str, reason: str) -> None:
        super().__init__(f"{symbol} is not supported by graphc: {reason}")


def missing(package: str, reasons: dict[str, str] | None = None) -> Any:
    """A module's __getattr__ that raises NotSupportedError for public names.

    Args:
        package: as users write it, such as "tf.contrib.layers". reasons: by name.
    """

    def getattr_(name: str) -> Any:
        from graphc._unsupported import reason_of

        if name.startswith("_"):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        symbol = f"{package}.{name}"
        why = (reasons or {}).get(name) or reason_of(symbol) or "it is not implemented"
        raise NotSupportedError(symbol, why)

    return getattr_


def parts() -> list[str]:
    """The names of the parts that exist."""
    here = Path(__file__).parent
    found = {p.stem for p in here.glob("*.py")}
    found |= {p.parent.name for p in here.glob("*/__init__.py")}
    return sorted(name for name in found if not name.startswith("_"))


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "keras":
        return importlib.import_module("graphc.keras")
    if importlib.util.find_spec(f"{__name__}.{name}") is not None:
        return importlib.import_module(f"{__name__}.{name}")
    return missing("tf.contrib")(name)


def __dir__() -> list[str]:
    return sorted({*parts(), *__all__})
