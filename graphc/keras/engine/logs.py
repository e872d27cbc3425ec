"""Logs: values by name, which answer to "acc" and "accuracy" alike. Imports nothing of graphc."""

from __future__ import annotations

from typing import Any

__all__ = ["LONG_NAMES", "Logs", "other_name"]


LONG_NAMES = {
    "acc": "accuracy", "mse": "mean_squared_error", "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error",
}  # fmt: skip
_OTHER = {**LONG_NAMES, **{long: short for short, long in LONG_NAMES.items()}}


def other_name(name: str) -> str | None:
    """The other spelling of "val_acc", "mae" and the like; None for other names."""
    if not isinstance(name, str):
        return None
    for known, other in _OTHER.items():
        if name == known or name.endswith(f"_{known}"):
            return name[: len(name) - len(known)] + other
    return None


class Logs(dict[str, Any]):
    """A dict in which "val_acc" finds "val_accuracy" and the other way round."""

    def __missing__(self, key: str) -> Any:
        other = other_name(key)
        if other is not None and super().__contains__(other):
            return super().__getitem__(other)
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or super().__contains__(other_name(key) or key)  # type: ignore[arg-type]

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default
