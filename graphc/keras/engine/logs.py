"""Logs: values by name, which answer to "acc" and "accuracy" alike. Imports nothing."""

from __future__ import annotations

from typing import Any

__all__ = ["Logs", "other_name"]


def other_name(name: str) -> str | None:
    """The other spelling of an accuracy's name; None for other names."""
    if not isinstance(name, str):
        return None
    head, _, tail = name.rpartition("_")
    head = f"{head}_" if head else ""
    if tail == "acc":
        return head + "accuracy"
    return head + "acc" if tail == "accuracy" else None


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
