"""tf.flags: FLAGS and the functions that define flags.

Lives here: DEFINE_*, validators. Not here: parsing (flag_values.py), kinds (flag_kinds.py).
Imports those two.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Sequence
from typing import Any

from graphc.tf1 import flag_kinds as kinds
from graphc.tf1.flag_kinds import (
    DuplicateFlagError,
    Error,
    Flag,
    FlagKind,
    IllegalFlagValueError,
    UnparsedFlagAccessError,
    UnrecognizedFlagError,
    ValidationError,
)
from graphc.tf1.flag_values import FlagValues

__all__ = [
    "FLAGS", "DEFINE_alias", "DEFINE_bool", "DEFINE_boolean", "DEFINE_enum", "DEFINE_enum_class",
    "DEFINE_float", "DEFINE_integer", "DEFINE_list", "DEFINE_multi_enum", "DEFINE_multi_float",
    "DEFINE_multi_integer", "DEFINE_multi_string", "DEFINE_spaceseplist", "DEFINE_string",
    "DuplicateFlagError", "Error", "Flag", "FlagValues", "IllegalFlagValueError",
    "UnparsedFlagAccessError", "UnrecognizedFlagError", "ValidationError", "flag_dict_to_args",
    "mark_bool_flags_as_mutual_exclusive", "mark_flag_as_required",
    "mark_flags_as_mutual_exclusive", "mark_flags_as_required", "multi_flags_validator",
    "register_multi_flags_validator", "register_validator", "set_default", "validator",
]  # fmt: skip

FLAGS = FlagValues()


def _caller() -> str:
    """The module that defines a flag, for the help and for errors."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    found = frame.f_globals.get("__name__", "") if frame is not None else ""
    return sys.argv[0] if found == "__main__" and sys.argv else found


def _define(kind: FlagKind, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """Adds a flag. args: name, default, help; TF's older names of them are understood too."""
    older = {"flag_name": "name", "default_value": "default", "docstring": "help"}
    given = dict(zip(("name", "default", "help", "flag_values"), args, strict=False))
    given |= {older.get(key, key): value for key, value in kwargs.items()}
    if "name" not in given or "default" not in given:
        raise TypeError("a flag needs a name and a default")
    values = given.pop("flag_values", None)
    override = given.pop("allow_override", False)
    unknown = set(given) - {"name", "default", "help", "short_name", "required", "module_name"}
    if unknown:
        raise TypeError(f"unexpected argument {sorted(unknown)[0]!r} of a flag's definition")
    target = FLAGS if values is None else values
    flag = Flag(
        kind, given["name"], given["default"], given.get("help"), given.get("short_name"),
        given.get("module_name") or _caller(),
    )  # fmt: skip
    target._define(flag, override)
    if given.get("required"):
        mark_flag_as_required(flag.name, target)


def DEFINE_string(*args: Any, **kwargs: Any) -> None:
    """DEFINE_string(name, default, help, short_name=None): any text."""
    _define(kinds.string_kind(), args, kwargs)


def DEFINE_boolean(*args: Any, **kwargs: Any) -> None:
    """DEFINE_boolean(name, default, help): --name, --noname, --name=true."""
    _define(kinds.bool_kind(), args, kwargs)


DEFINE_bool = DEFINE_boolean


def DEFINE_integer(
    *args: Any, lower_bound: int | None = None, upper_bound: int | None = None, **kwargs: Any
) -> None:
    """DEFINE_integer(name, default, help, lower_bound=None, upper_bound=None)."""
    _define(kinds.number_kind(True, lower_bound, upper_bound), args, kwargs)


def DEFINE_float(
    *args: Any, lower_bound: float | None = None, upper_bound: float | None = None, **kwargs: Any
) -> None:
    """DEFINE_float(name, default, help, lower_bound=None, upper_bound=None)."""
    _define(kinds.number_kind(False, lower_bound, upper_bound), args, kwargs)


def DEFINE_enum(
    name: str, default: Any, enum_values: Sequence[str], help: str | None = None, **kwargs: Any
) -> None:
    """A flag whose value is one of some words.

    Args:
        case_sensitive: (in kwargs) False takes the words in any case.
    """
    sensitive = kwargs.pop("case_sensitive", True)
    _define(kinds.enum_kind(enum_values, sensitive), (name, default, help), kwargs)


def DEFINE_enum_class(
    name: str, default: Any, enum_class: type[enum.Enum], help: str | None = None, **kwargs: Any
) -> None:
    """A flag whose value is a member of an Enum."""
    _define(kinds.enum_class_kind(enum_class), (name, default, help), kwargs)


def DEFINE_list(*args: Any, **kwargs: Any) -> None:
    """DEFINE_list(name, default, help): words between commas, as a list of str."""
    _define(kinds.list_kind(), args, kwargs)


def DEFINE_spaceseplist(*args: Any, **kwargs: Any) -> None:
    """DEFINE_spaceseplist(name, default, help): words between blanks, as a list of str."""
    _define(kinds.list_kind(None), args, kwargs)


def DEFINE_multi_string(*args: Any, **kwargs: Any) -> None:
    """DEFINE_multi_string(name, default, help): each --name=value adds one to a list."""
    _define(kinds.string_kind(multi=True), args, kwargs)


def DEFINE_multi_integer(
    *args: Any, lower_bound: int | None = None, upper_bound: int | None = None, **kwargs: Any
) -> None:
    """DEFINE_multi_integer(name, default, help): each --name=value adds one to a list."""
    _define(kinds.number_kind(True, lower_bound, upper_bound, multi=True), args, kwargs)


def DEFINE_multi_float(
    *args: Any, lower_bound: float | None = None, upper_bound: float | None = None, **kwargs: Any
) -> None:
    """DEFINE_multi_float(name, default, help): each --name=value adds one to a list."""
    _define(kinds.number_kind(False, lower_bound, upper_bound, multi=True), args, kwargs)


def DEFINE_multi_enum(
    name: str, default: Any, enum_values: Sequence[str], help: str | None = None, **kwargs: Any
) -> None:
    """A list of words, each out of enum_values."""
    sensitive = kwargs.pop("case_sensitive", True)
    _define(kinds.enum_kind(enum_values, sensitive, multi=True), (name, default, help), kwargs)


def DEFINE_alias(
    name: str, original_name: str, flag_values: FlagValues = FLAGS, module_name: Any = None
) -> None:
    """A second name of a flag. Raises UnrecognizedFlagError."""
    flag_values._alias(name, original_name)


def set_default(flag_holder: str, value: Any) -> None:
    """Another default of a flag, by its name."""
    FLAGS.set_default(flag_holder, value)


# ------------------------------------------------------------------ validators
def register_multi_flags_validator(
    flag_names: Sequence[str],
    multi_flags_checker: Callable[[dict[str, Any]], Any],
    message: str = "Flags validation failed",
    flag_values: FlagValues = FLAGS,
) -> None:
    """multi_flags_checker({name: value}) must be true, or raise ValidationError."""

    def check(values: dict[str, Any]) -> str | None:
        try:
            return None if multi_flags_checker(values) else message
        except ValidationError as error:
            return str(error)

    flag_values._add_check(flag_names, check)


def register_validator(
    flag_name: str,
    checker: Callable[[Any], Any],
    message: str = "Flag validation failed",
    flag_values: FlagValues = FLAGS,
) -> None:
    """checker(value) must be true, or raise ValidationError; it is asked after each parsing."""
    register_multi_flags_validator(
        [flag_name], lambda values: checker(values[flag_name]), message, flag_values
    )


def validator(
    flag_name: str, message: str = "Flag validation failed", flag_values: FlagValues = FLAGS
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """register_validator as a decorator."""

    def decorate(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        register_validator(flag_name, function, message, flag_values)
        return function

    return decorate


def multi_flags_validator(
    flag_names: Sequence[str],
    message: str = "Flags validation failed",
    flag_values: FlagValues = FLAGS,
) -> Callable[[Callable[[dict[str, Any]], Any]], Callable[[dict[str, Any]], Any]]:
    """register_multi_flags_validator as a decorator."""

    def decorate(function: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        register_multi_flags_validator(flag_names, function, message, flag_values)
        return function

    return decorate


def mark_flag_as_required(flag_name: str, flag_values: FlagValues = FLAGS) -> None:
    """Parsing fails while the flag is None."""
    message = f"Flag --{flag_name} must have a value other than None."
    register_validator(flag_name, lambda value: value is not None, message, flag_values)


def mark_flags_as_required(flag_names: Sequence[str], flag_values: FlagValues = FLAGS) -> None:
    for name in flag_names:
        mark_flag_as_required(name, flag_values)


def mark_flags_as_mutual_exclusive(
    flag_names: Sequence[str], required: bool = False, flag_values: FlagValues = FLAGS
) -> None:
    """At most one of the flags (exactly one if required) has a value other than None."""
    _exclusive(
        flag_names, required, flag_values, lambda v: v is not None, "a value other than None"
    )


def mark_bool_flags_as_mutual_exclusive(
    flag_names: Sequence[str], required: bool = False, flag_values: FlagValues = FLAGS
) -> None:
    """At most one of the flags (exactly one if required) is True."""
    _exclusive(flag_names, required, flag_values, bool, "the value True")


def _exclusive(
    names: Sequence[str],
    required: bool,
    values: FlagValues,
    counts: Callable[[Any], bool],
    what: str,
) -> None:
    least = "Exactly" if required else "At most"
    message = f"{least} one of ({', '.join(names)}) must have {what}."

    def check(got: dict[str, Any]) -> bool:
        present = sum(1 for v in got.values() if counts(v))
        return present == 1 or (present == 0 and not required)

    register_multi_flags_validator(names, check, message, values)


def flag_dict_to_args(flag_map: dict[str, Any]) -> list[str]:
    """{"lr": 0.1, "train": True} as ["--lr=0.1", "--train"]."""
    out: list[str] = []
    for name, value in flag_map.items():
        if value is None:
            out.append(f"--{name}")
        elif isinstance(value, bool):
            out.append(f"--{name}" if value else f"--no{name}")
        elif isinstance(value, list | tuple):
            out.append(f"--{name}={','.join(map(str, value))}")
        else:
            out.append(f"--{name}={value}")
    return out
