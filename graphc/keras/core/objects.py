"""Objects to and from configurations: {"class_name": ..., "config": ...}.

Lives here: serialize, deserialize, get, custom objects. Not here: the objects. Imports ir.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from graphc.ir.faults import called_at

__all__ = [
    "CustomObjectScope", "Kind", "custom_object_scope", "deserialize_object",
    "get_custom_objects", "serialize_object",
]  # fmt: skip

_CUSTOM: dict[str, Any] = {}


def get_custom_objects() -> dict[str, Any]:
    """The table of the user's own classes and functions; changes stay."""
    return _CUSTOM


class CustomObjectScope(contextlib.AbstractContextManager[None]):
    """The user's own classes by name, known inside only."""

    def __init__(self, *args: Mapping[str, Any]) -> None:
        self._given = args
        self._before: dict[str, Any] = {}

    def __enter__(self) -> None:
        self._before = dict(_CUSTOM)
        for table in self._given:
            _CUSTOM.update(table)

    def __exit__(self, *error: Any) -> None:
        _CUSTOM.clear()
        _CUSTOM.update(self._before)


def custom_object_scope(*args: Mapping[str, Any]) -> CustomObjectScope:
    return CustomObjectScope(*args)


@contextlib.contextmanager
def known(table: Mapping[str, Any] | None) -> Iterator[None]:
    with CustomObjectScope(table or {}):
        yield


def described_layer(layer: Any) -> dict[str, Any]:
    """A layer inside another one's configuration; "module" is for Keras 3, which asks for it."""
    return {
        "class_name": type(layer).__name__, "config": layer.get_config(), "module": "keras.layers",
        "registered_name": None,
    }  # fmt: skip


def serialize_object(instance: Any) -> Any:
    """The configuration of an object, or the name of a function; None for None.

    Raises:
        ValueError: neither get_config nor a name.
    """
    if instance is None or isinstance(instance, str):
        return instance
    if hasattr(instance, "get_config"):
        name = getattr(type(instance), "_keras_name", type(instance).__name__)
        return {"class_name": name, "config": instance.get_config()}
    if hasattr(instance, "__name__"):
        return instance.__name__
    raise ValueError(f"Cannot serialize {instance}")


def deserialize_object(
    identifier: Any,
    table: Callable[[str], Any],
    custom_objects: Mapping[str, Any] | None,
    kind: str,
) -> Any:
    """The object that a configuration or a name stands for.

    Args:
        table: name -> class or function, None where there is none. kind: for the error.

    Raises:
        ValueError: "Unknown <kind>: <name>".
    """
    if identifier is None:
        return None
    if isinstance(identifier, Mapping):
        if "class_name" not in identifier or "config" not in identifier:
            raise ValueError(f"Improper config format: {identifier}")
        config = identifier["config"] or {}
        try:
            cls = lookup(identifier["class_name"], table, custom_objects, kind)
        except ValueError as err:
            known = isinstance(config, Mapping) and "name" in config
            named = f" (named {config['name']!r})" if known else ""
            raise ValueError(
                f"{err}{named}. Give classes and functions of your own in custom_objects, or in a "
                f"custom_object_scope{called_at()}"
            ) from None
        config = dict(config) if isinstance(config, Mapping) else config  # or a list of layers
        if not hasattr(cls, "from_config"):
            with CustomObjectScope(custom_objects or {}):
                return cls(**config)
        takes = "custom_objects" in inspect.signature(cls.from_config).parameters
        more = {"custom_objects": {**_CUSTOM, **(custom_objects or {})}} if takes else {}
        with CustomObjectScope(custom_objects or {}):
            return cls.from_config(config, **more)
    if isinstance(identifier, str):
        try:
            return lookup(identifier, table, custom_objects, kind)
        except ValueError as err:
            raise ValueError(f"{err}{called_at()}") from None
    if inspect.isfunction(identifier):
        return identifier
    raise ValueError(f"Could not interpret serialized {kind}: {identifier}")


def lookup(
    name: str, table: Callable[[str], Any], custom: Mapping[str, Any] | None, kind: str
) -> Any:
    """The class or function of this name; files may put a package in front: "Custom>Adam".

    Raises:
        ValueError: "Unknown <kind>: <name>".
    """
    for shown in dict.fromkeys((name, str(name).rpartition(">")[2])):
        for found in ((custom or {}).get(shown), _CUSTOM.get(shown), table(shown)):
            if found is not None:
                return found
    raise ValueError(f"Unknown {kind}: {name}")


class Kind:
    """deserialize and get of one kind of object, such as constraints.

    Args:
        name: for errors. table: name -> class or function, None where there is none.
        functions_make: whether a function that a name stands for is called to make the object (as
            regularizers.l2), rather than being the object itself.
    """

    def __init__(
        self, name: str, table: Callable[[str], Any], functions_make: bool = False
    ) -> None:
        self.name, self._table, self._functions_make = name, table, functions_make

    def deserialize(self, config: Any, custom_objects: Any = None) -> Any:
        """The object, class or function that a configuration or a name stands for.

        Raises:
            ValueError: "Unknown <kind>: <name>".
        """
        return deserialize_object(config, self._table, custom_objects, self.name)

    def get(self, identifier: Any) -> Any:
        """An object from a name, a configuration, a class, None, or a callable itself.

        Raises:
            ValueError: anything else.
        """
        if identifier is None:
            return None
        if isinstance(identifier, dict):
            return self.deserialize(identifier)
        if isinstance(identifier, str):
            made = self.deserialize(identifier)
            makes = isinstance(made, type) or (self._functions_make and inspect.isfunction(made))
            return made() if makes else made
        if isinstance(identifier, type):
            return identifier()
        if callable(identifier):
            return identifier
        raise ValueError(f"Could not interpret {self.name} identifier: {identifier}")
