"""HParams: named hyperparameters with types (tf.contrib.training.HParams).

Lives here: the class and the reading of "name=value,..." texts. Imports nothing of graphc.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["HParams", "parse_values"]

_ENTRY = re.compile(
    r"(?P<name>[a-zA-Z][\w.]*)(\[\s*(?P<index>\d+)\s*\])?\s*=\s*"
    r"((?P<list>\[[^\]]*\])|(?P<value>[^,\[]*))($|,\s*)"
)


def _cast(name: str, kind: type, value: Any) -> Any:
    """The value in the type of the hyperparameter.

    Raises:
        ValueError: "Could not parse ..." where it does not fit.
    """
    problem = ValueError(f"Could not parse hparam '{name}' of type '{kind.__name__}': {value!r}")
    if kind is bool:
        if isinstance(value, bool):
            return value
        text = str(value).lower()
        if text not in ("true", "false", "1", "0"):
            raise problem
        return text in ("true", "1")
    if kind is type(None) or isinstance(value, kind):
        if kind is int and isinstance(value, bool):
            raise problem
        return value
    if kind is int and isinstance(value, float):
        raise problem
    if kind is str:
        if isinstance(value, list | dict):
            raise problem
        return str(value)
    try:
        return kind(value)
    except (TypeError, ValueError):
        raise problem from None


def parse_values(
    values: str, type_map: Mapping[str, type], ignore_unknown: bool = False
) -> dict[str, Any]:
    """{"name": value} of a text such as "rate=0.1,sizes=[1,2],sizes[1]=3".

    Args:
        type_map: the type of each name; of a list's elements for lists.

    Raises:
        ValueError: text that cannot be read, a name that is not known or given twice.
    """
    out: dict[str, Any] = {}
    at = 0
    while at < len(values):
        found = _ENTRY.match(values, at)
        if found is None:
            raise ValueError(f"Malformed hyperparameter value: {values[at:]}")
        at = found.end()
        name, index, items = found["name"], found["index"], found["list"]
        if name not in type_map:
            if ignore_unknown:
                continue
            raise ValueError(f"Unknown hyperparameter type for {name}")
        kind = type_map[name]
        if items is not None:
            if index is not None:
                raise ValueError(f"Assignment of a list to a list index: {found[0]}")
            inner = [v.strip() for v in items[1:-1].split(",") if v.strip()]
            new: Any = [_cast(name, kind, v) for v in inner]
        else:
            new = _cast(name, kind, found["value"])
        if index is not None:
            out.setdefault(name, {})[int(index)] = new
            continue
        if name in out:
            raise ValueError(f"Multiple assignments to variable '{name}' in {values}")
        out[name] = new
    return out


class HParams:
    """Hyperparameters as attributes; each keeps the type of its first value.

    Args:
        kwargs: names and values: numbers, texts, bools, or lists of one of them.

    Raises:
        ValueError: a name that the class uses itself, or an empty list.
    """

    def __init__(self, hparam_def: Any = None, model_structure: Any = None, **kwargs: Any) -> None:
        self._types: dict[str, tuple[type, bool]] = {}
        self._model_structure = model_structure
        for name, value in kwargs.items():
            self.add_hparam(name, value)

    def add_hparam(self, name: str, value: Any) -> None:
        """A new hyperparameter. Raises ValueError where the name is taken or the list is empty."""
        if getattr(self, name, None) is not None or name in self._types:
            raise ValueError(f"Hyperparameter name is reserved: {name}")
        if isinstance(value, list | tuple):
            if not value:
                raise ValueError(f"Multi-valued hyperparameters cannot be empty: {name}")
            self._types[name] = (type(value[0]), True)
        else:
            self._types[name] = (type(value), False)
        setattr(self, name, value)

    def set_hparam(self, name: str, value: Any) -> None:
        """Another value. Raises KeyError for an unknown name, ValueError for another type."""
        kind, is_list = self._types[name]
        if isinstance(value, list):
            if not is_list:
                raise ValueError(f"Must not pass a list for single-valued parameter: {name}")
            setattr(self, name, [_cast(name, kind, v) for v in value])
            return
        if is_list:
            raise ValueError(f"Must pass a list for multi-valued parameter: {name}.")
        setattr(self, name, _cast(name, kind, value))

    def del_hparam(self, name: str) -> None:
        """Forgets a hyperparameter."""
        if name in self._types:
            delattr(self, name)
            del self._types[name]

    def parse(self, values: str) -> HParams:
        """Values from a text "name=value,..."; returns self. Raises ValueError as parse_values."""
        kinds = {name: kind for name, (kind, _) in self._types.items()}
        return self.override_from_dict(parse_values(values, kinds))

    def override_from_dict(self, values_dict: Mapping[str, Any]) -> HParams:
        """Values by name; {index: value} changes single elements of a list. Returns self."""
        for name, value in values_dict.items():
            if isinstance(value, dict) and self._types[name][1]:
                changed = list(getattr(self, name))
                for index, item in value.items():
                    changed[index] = item
                value = changed
            self.set_hparam(name, value)
        return self

    def parse_json(self, values_json: str) -> HParams:
        """Values from a JSON object; returns self."""
        return self.override_from_dict(json.loads(values_json))

    def values(self) -> dict[str, Any]:
        """{"name": value}."""
        return {name: getattr(self, name) for name in self._types}

    def to_json(self, indent: Any = None, separators: Any = None, sort_keys: bool = False) -> str:
        """The values as a JSON object."""
        return json.dumps(
            self.values(), indent=indent, separators=separators, sort_keys=sort_keys
        )

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default` where there is none. Raises ValueError for another type."""
        if key not in self._types:
            return default
        if default is not None:
            kind, is_list = self._types[key]
            if is_list != isinstance(default, list):
                raise ValueError(f"Type of {key} and of its default differ: {default!r}")
            for item in default if is_list else [default]:
                _cast(key, kind, item)
        return getattr(self, key)

    def __contains__(self, key: object) -> bool:
        return key in self._types

    def __repr__(self) -> str:
        return f"HParams({self.values()!r})"

    __str__ = __repr__
