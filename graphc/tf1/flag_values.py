"""FLAGS: the values of command line flags, parsed from sys.argv at the first access.

Lives here: FlagValues. Not here: kinds of flags (flag_kinds.py), DEFINE functions (flags.py).
Imports flag_kinds.py and the standard library.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from graphc.tf1.flag_kinds import (
    DuplicateFlagError,
    Error,
    Flag,
    IllegalFlagValueError,
    UnrecognizedFlagError,
)

__all__ = ["FlagValues"]

_HELP = ("help", "helpshort", "helpfull", "h")
# (names of flags, check of {name: value} giving a complaint or None)
_Check = tuple[tuple[str, ...], Callable[[dict[str, Any]], str | None]]


class FlagValues:
    """The flags by name; reading one parses sys.argv if nothing was parsed yet.

    `FLAGS(argv)` parses and returns what is not a flag, the program's name first. Flags that are
    not defined are an error there, unless known_only; the first access leaves them alone.

    Attributes that scripts read: __flags (name -> Flag).

    Raises:
        IllegalFlagValueError: a text of the wrong kind, a validator refuses, a required flag is
        missing. UnrecognizedFlagError: see above. AttributeError: reading a flag not defined.
    """

    def __init__(self) -> None:
        state = self.__dict__
        state["__flags"] = {}
        state["__checks"] = []
        state["__parsed"] = False
        state["__gnu"] = False

    # -------------------------------------------------------------- definitions
    def _define(self, flag: Flag, override: bool = False) -> None:
        flags: dict[str, Flag] = self.__dict__["__flags"]
        for name in filter(None, (flag.name, flag.short_name)):
            old = flags.get(name)
            if old is not None and not override:
                raise DuplicateFlagError(
                    f"The flag '{name}' is defined twice. First from {old.module}, Second from "
                    f"{flag.module}.  Description from first occurrence: {old.help}"
                )
            flags[name] = flag

    def _alias(self, name: str, original: str) -> None:
        flags: dict[str, Flag] = self.__dict__["__flags"]
        if original not in flags:
            raise UnrecognizedFlagError(original)
        flags[name] = flags[original]

    def _add_check(self, names: Sequence[str], check: Any) -> None:
        for name in names:
            if name not in self:
                raise UnrecognizedFlagError(name)
        self.__dict__["__checks"].append((tuple(names), check))

    # -------------------------------------------------------------- access
    def _ready(self) -> dict[str, Flag]:
        if not self.__dict__["__parsed"]:
            self(sys.argv, known_only=True)
        return self.__dict__["__flags"]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)  # what copy and inspect ask for is no flag
        flags = self._ready()
        if name not in flags:
            raise AttributeError(f"no flag --{name} is defined")
        return flags[name].value

    def __setattr__(self, name: str, value: Any) -> None:
        flags: dict[str, Flag] = self.__dict__["__flags"]
        if name not in flags:
            raise AttributeError(f"no flag --{name} is defined; tf.flags.DEFINE_... it first")
        before, flags[name].value = flags[name].value, value
        try:
            self._check(name)
        except IllegalFlagValueError:
            flags[name].value = before
            raise
        flags[name].present += 1

    def __delattr__(self, name: str) -> None:
        flags: dict[str, Flag] = self.__dict__["__flags"]
        if name not in flags:
            raise AttributeError(f"no flag --{name} is defined")
        gone = flags.pop(name)
        for other in [n for n, f in flags.items() if f is gone]:
            del flags[other]
        self.__dict__["__checks"][:] = [c for c in self.__dict__["__checks"] if name not in c[0]]

    def __getitem__(self, name: str) -> Flag:
        return self.__dict__["__flags"][name]

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__["__flags"]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.__dict__["__flags"]))

    def __len__(self) -> int:
        return len(self.__dict__["__flags"])

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__["__flags"], *super().__dir__()})

    def flag_values_dict(self) -> dict[str, Any]:
        """name -> value."""
        return {name: flag.value for name, flag in self._ready().items()}

    def get_flag_value(self, name: str, default: Any) -> Any:
        """The value, or `default` where the flag is not defined or None."""
        value = self._ready()[name].value if name in self else None
        return default if value is None else value

    def is_parsed(self) -> bool:
        return self.__dict__["__parsed"]

    def mark_as_parsed(self) -> None:
        """Keeps the defaults: the command line is not read."""
        self.__dict__["__parsed"] = True

    def unparse_flags(self) -> None:
        """Back to the defaults; the next access parses again."""
        for flag in self.__dict__["__flags"].values():
            flag.unparse()
        self.__dict__["__parsed"] = False

    def set_gnu_getopt(self, gnu_getopt: bool = True) -> None:
        """Whether flags may stand behind arguments that are none."""
        self.__dict__["__gnu"] = gnu_getopt

    def set_default(self, name: str, value: Any) -> None:
        """Another default; the value too, unless the command line gave one."""
        flag = self[name]
        flag.default = flag.convert(value)
        if not flag.present:
            flag.value = flag.default

    # -------------------------------------------------------------- parsing
    def __call__(self, argv: Sequence[str], known_only: bool = False) -> list[str]:
        """Parses; returns the program's name and the arguments that are no flags.

        Args:
            known_only: leaves flags that are not defined among the arguments.
        """
        if not argv:
            raise ValueError("argv cannot be an empty list")
        # a flag on the command line counts from zero each time
        for flag in self.__dict__["__flags"].values():
            flag.present = 0
        rest = self._parse(list(argv[1:]), known_only, set())
        self.__dict__["__parsed"] = True
        self._check()
        return [argv[0], *rest]

    def _parse_flags(self, args: Sequence[str] | None = None) -> None:
        """Parses sys.argv, or `args` without a program's name, as TF before 1.5."""
        self([sys.argv[0], *(sys.argv[1:] if args is None else args)], known_only=True)

    def _parse(self, args: list[str], known_only: bool, excused: set[str]) -> list[str]:
        rest: list[str] = []
        unknown: list[tuple[str, str]] = []
        while args:
            arg = args.pop(0)
            if arg == "--":
                rest += ([arg] if known_only else []) + args
                break
            if not arg.startswith("-") or arg == "-":
                rest.append(arg)
                if self.__dict__["__gnu"]:
                    continue
                rest += args
                break
            name, equals, text = arg.lstrip("-").partition("=")
            if name in ("undefok", "flagfile"):
                value = text if equals else self._operand(arg, args)
                if name == "undefok":
                    excused |= {n.strip() for n in value.split(",")}
                else:
                    lines = Path(value).expanduser().read_text().splitlines()
                    args[:0] = [s for line in lines if (s := line.strip()) and s[0] not in "#/"]
            elif not self._take(name, bool(equals), text, arg, args):
                if known_only:
                    rest.append(arg)
                else:
                    unknown.append((name, arg))
        for name, arg in unknown:
            if name not in excused and name.removeprefix("no") not in excused:
                near = difflib.get_close_matches(name, list(self), 3, 0.7)
                raise UnrecognizedFlagError(name, arg, near)
        return rest

    @staticmethod
    def _operand(arg: str, args: list[str]) -> str:
        if not args:
            raise Error(f"Missing value for flag {arg}")
        return args.pop(0)

    def _take(self, name: str, equals: bool, text: str, arg: str, args: list[str]) -> bool:
        """Sets the flag; False where there is none of this name."""
        flags: dict[str, Flag] = self.__dict__["__flags"]
        flag = flags.get(name)
        if flag is None:
            negated = flags.get(name[2:]) if name.startswith("no") else None
            if negated is not None and negated.kind.boolean:
                if equals:
                    raise IllegalFlagValueError(f"flag --{name} takes no value, got {text!r}")
                negated.parse(False)
                return True
            if name in _HELP:
                self._show_help(name)
            return False
        if equals:
            flag.parse(text)
        elif flag.kind.boolean:
            flag.parse(True)
        else:
            flag.parse(self._operand(arg, args))
        return True

    def _check(self, only: str | None = None) -> None:
        checks: list[_Check] = self.__dict__["__checks"]
        for names, check in checks:
            if only is not None and only not in names:
                continue
            flags = self.__dict__["__flags"]
            complaint = check({n: flags[n].value for n in names})
            if complaint is not None:
                shown = ", ".join(f"--{n}={flags[n].value}" for n in names)
                raise IllegalFlagValueError(f"flag {shown}: {complaint}")

    # -------------------------------------------------------------- texts
    def get_help(self, prefix: str = "") -> str:
        """The help of all flags, by the module that defines them."""
        flags = {id(f): f for f in self.__dict__["__flags"].values()}.values()
        lines: list[str] = []
        for module in sorted({f.module for f in flags}):
            lines.append(f"\n{prefix}{module}:")
            here = sorted((f for f in flags if f.module == module), key=lambda f: f.name)
            lines += [flag.help_text() for flag in here]
        return "\n".join(lines).lstrip("\n")

    def main_module_help(self) -> str:
        return self.get_help()

    def flags_into_string(self) -> str:
        """One line a flag, as --flagfile reads them."""
        flags = {id(f): f for f in self._ready().values()}.values()
        return "".join(f"{text}\n" for f in flags if (text := f.serialize()))

    def _show_help(self, name: str) -> None:
        main = sys.modules.get("__main__")
        about = getattr(main, "__doc__", None) or f"USAGE: {sys.argv[0]} [flags]"
        hint = "" if name == "helpfull" else "\n\nTry --helpfull to get a list of all flags."
        sys.stdout.write(f"{about.strip()}\nflags:\n\n{self.get_help()}{hint}\n")
        sys.exit(1)  # as absl does

    def __repr__(self) -> str:
        names = ", ".join(self.__dict__["__flags"])
        return f"<FLAGS: {names}>"
