"""Kinds of command line flags: how a text becomes a value, and the errors that say why not.

Lives here: the errors of tf.flags, Flag and its kinds. Not here: parsing of a whole command line
(flag_values.py), the DEFINE functions (flags.py). Imports only the standard library.
"""

from __future__ import annotations

import csv
import enum
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

__all__ = [
    "DuplicateFlagError", "Error", "Flag", "FlagKind", "IllegalFlagValueError",
    "UnparsedFlagAccessError", "UnrecognizedFlagError", "ValidationError", "bool_kind",
    "enum_class_kind", "enum_kind", "list_kind", "number_kind", "string_kind",
]  # fmt: skip


class Error(Exception):
    """Base of the errors about flags."""


class DuplicateFlagError(Error):
    """A flag is defined a second time."""


class IllegalFlagValueError(Error):
    """A flag's text is no value of its kind."""


class UnrecognizedFlagError(Error):
    """The command line names a flag that is not defined.

    Attributes: flagname, flagvalue.
    """

    def __init__(self, flagname: str, flagvalue: str = "", suggestions: Sequence[str] = ()) -> None:
        self.flagname, self.flagvalue = flagname, flagvalue
        tip = f". Did you mean: {', '.join(suggestions)} ?" if suggestions else ""
        super().__init__(f"Unknown command line flag '{flagname}'{tip}")


class UnparsedFlagAccessError(Error):
    """A flag is read before the command line is parsed."""


class ValidationError(Error):
    """A validator refuses a value."""


class FlagKind:
    """How one kind of flag reads its values.

    Args:
        parse: a text, or a default of another type, to the value; raises ValueError, TypeError.
        unparse: a value to the text that gives it back.
        boolean: needs no value (--name, --noname).
        multi: may stand several times; the values are collected in a list.
    """

    def __init__(
        self,
        parse: Callable[[Any], Any],
        unparse: Callable[[Any], str] = str,
        boolean: bool = False,
        multi: bool = False,
        hint: str = "",
    ) -> None:
        self.parse, self.unparse = parse, unparse
        self.boolean, self.multi, self.hint = boolean, multi, hint


class Flag:
    """One flag: its name, value, default and help.

    Its text form is its value's, so that `print(name, flag)` shows what older scripts expect.
    """

    def __init__(
        self,
        kind: FlagKind,
        name: str,
        default: Any,
        help: str | None,
        short_name: str | None = None,
        module: str = "",
    ) -> None:
        if name in ("", "help", "helpfull", "helpshort"):
            raise Error(f"a flag cannot be called {name!r}")
        self.kind, self.name, self.short_name = kind, name, short_name
        self.help = help or "(no help available)"
        self.module = module
        self.present = 0
        self.default = self.convert(default)
        self.value: Any = self.default

    def convert(self, text: Any) -> Any:
        """The value of a text. Raises IllegalFlagValueError."""
        if text is None:
            return None
        try:
            if not self.kind.multi:
                return self.kind.parse(text)
            many = isinstance(text, Iterable) and not isinstance(text, str)
            return [self.kind.parse(item) for item in (text if many else [text])]
        except (TypeError, ValueError) as error:
            raise IllegalFlagValueError(f"flag --{self.name}={text}: {error}") from error

    def parse(self, text: Any) -> None:
        """Takes a text from the command line; a further one adds to a multi flag."""
        value = self.convert(text)
        self.value = [*self.value, *value] if self.kind.multi and self.present else value
        self.present += 1

    def unparse(self) -> None:
        """Back to the default."""
        self.value, self.present = self.default, 0

    @property
    def using_default_value(self) -> bool:
        return not self.present

    def _text(self, value: Any) -> str:
        name = self.name
        if self.kind.boolean:
            return f"--{name}" if value else f"--no{name}"
        return f"--{name}={self.kind.unparse(value)}"

    def serialize(self) -> str:
        """The flag as it would stand on a command line, "" where its value is None."""
        if self.value is None:
            return ""
        values = self.value if self.kind.multi else [self.value]
        return "\n".join(self._text(v) for v in values)

    def help_text(self) -> str:
        """Two lines: the name and its help, then the default."""
        short = f"-{self.short_name}," if self.short_name else ""
        name = f"[no]{self.name}" if self.kind.boolean else self.name
        hint = f": <{self.kind.hint}>" if self.kind.hint else ""
        if self.kind.multi:
            tail = "\n    repeat this option to specify a list of values"
        else:
            tail = ""
        default = "" if self.default is None else f"\n    (default: {self._default_text()})"
        return f"  {short}--{name}{hint}: {self.help}{tail}{default}"

    def _default_text(self) -> str:
        if self.kind.boolean:
            return f"'{str(self.default).lower()}'"
        return repr(
            [self.kind.unparse(v) for v in self.default]
            if self.kind.multi
            else self.kind.unparse(self.default)
        )

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else str(self.value)

    def __repr__(self) -> str:
        return f"<Flag --{self.name}={self.value!r}>"


# ------------------------------------------------------------------ the kinds
def _as_text(value: Any) -> Any:
    return value  # a default that is no str stays what it is, as before TF 1.5


def string_kind(multi: bool = False) -> FlagKind:
    return FlagKind(_as_text, multi=multi)


_TRUE, _FALSE = ("true", "t", "1"), ("false", "f", "0")


def _bool(value: Any) -> bool:
    if isinstance(value, str):
        if value.lower() in _TRUE:
            return True
        if value.lower() in _FALSE:
            return False
        raise ValueError("Non-boolean argument to boolean flag", value)
    if value in (0, 1):
        return bool(value)
    raise TypeError("Non-boolean argument to boolean flag", value)


def bool_kind() -> FlagKind:
    return FlagKind(_bool, lambda v: str(v).lower(), boolean=True)


def _int(value: Any) -> int:
    if isinstance(value, str):
        base = 16 if value[:2].lower() == "0x" else 8 if value[:2].lower() == "0o" else 10
        return int(value, base)
    if isinstance(value, float) and not value.is_integer():
        raise TypeError(f"Expect argument to be a string or int, found {type(value)}")
    return int(value) if isinstance(value, float) else operator.index(value)


def _float(value: Any) -> float:
    return float(value)


def _range_text(noun: str, low: Any, high: Any) -> str:
    article = "an" if noun == "integer" else "a"
    if low is not None and high is not None:
        return f"{article} {noun} in the range [{low}, {high}]"
    if low == 0:
        return f"a non-negative {noun}"
    if low == 1 and noun == "integer":
        return "a positive integer"
    if high == -1 and noun == "integer":
        return "a negative integer"
    if high == 0:
        return f"a non-positive {noun}"
    if high is not None:
        return f"{article} {noun} <= {high}" if noun == "number" else f"an integer <= {high}"
    if low is not None:
        return f"{article} {noun} >= {low}"
    return f"{article} {noun}"


def number_kind(whole: bool, low: Any = None, high: Any = None, multi: bool = False) -> FlagKind:
    """Integers or floats, with bounds that belong to the range."""
    text = _range_text("integer" if whole else "number", low, high)
    convert: Callable[[Any], Any] = _int if whole else _float

    def parse(value: Any) -> Any:
        got = convert(value)
        if (low is not None and got < low) or (high is not None and got > high):
            raise ValueError(f"{got} is not {text}")
        return got

    return FlagKind(parse, repr, multi=multi, hint="an integer" if whole else "a number")


def enum_kind(values: Sequence[str], case_sensitive: bool = True, multi: bool = False) -> FlagKind:
    """One of some words."""
    if not values:
        raise ValueError("enum_values cannot be empty")
    choices = "|".join(values)
    fold = {v if case_sensitive else v.lower(): v for v in values}

    def parse(value: Any) -> str:
        key = value if case_sensitive else str(value).lower()
        if key not in fold:
            raise ValueError(f"value should be one of <{choices}>")
        return fold[key]

    return FlagKind(parse, multi=multi, hint=choices)


def enum_class_kind(cls: type[enum.Enum]) -> FlagKind:
    """A member of an Enum, by its name in any case."""
    names = {m.lower(): member for m, member in cls.__members__.items()}

    def parse(value: Any) -> enum.Enum:
        if isinstance(value, cls):
            return value
        if str(value).lower() not in names:
            raise ValueError(f"value should be one of <{'|'.join(names)}>")
        return names[str(value).lower()]

    return FlagKind(parse, lambda v: v.name.lower(), hint="|".join(names))


def list_kind(separator: str | None = ",") -> FlagKind:
    """Words between commas (quoted as in CSV), or between blanks where separator is None."""

    def parse(value: Any) -> list[str]:
        if not isinstance(value, str):
            return list(value)
        if not value:
            return []
        if separator is None:
            return value.split()
        return [s.strip() for s in next(csv.reader([value], strict=True))]

    join = " " if separator is None else ","
    kind = "whitespace" if separator is None else "comma"
    return FlagKind(parse, lambda v: join.join(map(str, v)), hint=f"a {kind} separated list")
