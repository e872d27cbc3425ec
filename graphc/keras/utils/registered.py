"""Classes and functions of the user's own that files name without custom_objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.keras.core.objects import get_custom_objects

__all__ = ["get_registered_name", "get_registered_object", "register_keras_serializable"]

_NAMES: dict[Any, str] = {}


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[Any], Any]:
    """A decorator: the class or function is known as "package>name", and by its name alone.

    Raises (when it decorates):
        ValueError: the name is taken, or a class without get_config.
    """

    def register(obj: Any) -> Any:
        full = f"{package}>{name or obj.__name__}"
        if isinstance(obj, type) and not hasattr(obj, "get_config"):
            raise ValueError("Cannot register a class that does not have a get_config() method.")
        table = get_custom_objects()
        if table.get(full, obj) is not obj:
            raise ValueError(f"{full} has already been registered to {table[full]}")
        table[full] = obj
        table.setdefault(name or obj.__name__, obj)
        _NAMES[obj] = full
        return obj

    return register


def get_registered_name(obj: Any) -> str:
    """The name it was registered under, else its own."""
    return _NAMES.get(obj) or obj.__name__


def get_registered_object(name: str, custom_objects: Any = None, module_objects: Any = None) -> Any:
    """What was registered under a name, or None."""
    for table in (custom_objects or {}, get_custom_objects(), module_objects or {}):
        if name in table:
            return table[name]
    return None
