"""Where instructions go: scopes, blocks, names, declarations, values in all lanes.

Lives here: Scope, Writer. Not here: which instructions (render/vector_emit.py and its helpers).
Only render/vector*.py import this module.

A scope is the function's entry, a loop's body or a branch. Lines are nested lists, so that an inner
scope can add to its preheader while its own body is being written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from graphc.render.vector_types import Value, scalar_type, splat_text, vector_type

Lines = list[Any]  # of str and of nested Lines
Key = Any  # the id of an interned expression, or (id, what of it)


@dataclass
class Scope:
    """A region of the function whose values dominate what comes after them in it.

    Attributes:
        lines: where its instructions go. pre: lines before it, in the parent (the preheader).
        guarded: lines that run before the loop, only if it runs at least once.
        keys: of the memoised values that die with it. splats: values widened to vectors, by text.
        rare: whether it is jumped over mostly, so that nothing is moved out of it but what does
            not change in the loop around it.
        bound: locals and axes that were bound in it.
    """

    lines: Lines
    pre: Lines
    guarded: Lines | None
    keys: list[Key] = field(default_factory=list)
    splats: dict[str, Value] = field(default_factory=dict)
    rare: bool = False
    bound: list[Any] = field(default_factory=list)


class Writer:
    """Appends instructions to the innermost scope, or to an outer one."""

    def __init__(self) -> None:
        self.declares: dict[str, str] = {}
        self.lines: Lines = []
        self.scopes = [Scope(self.lines, [], None)]
        self.block = "entry"
        self.lanes = 1  # of the vector loop we are in
        self._target = self.lines
        self._count = 0

    # -------------------------------------------------------------- instructions
    @property
    def depth(self) -> int:
        return len(self.scopes) - 1

    def name(self, prefix: str = "v") -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def put(self, line: str) -> None:
        self._target.append(f"  {line}")

    def op(self, instruction: str) -> str:
        name = f"%{self.name()}"
        self._target.append(f"  {name} = {instruction}")
        return name

    def declare(self, name: str, result: str, args: Iterable[str]) -> None:
        if name not in self.declares:
            types = ", ".join(_type_of(a) for a in args)
            self.declares[name] = f"declare {result} @{name}({types})"

    def call(self, name: str, result: str, args: list[str]) -> str:
        self.declare(name, result, args)
        return self.op(f"call {result} @{name}({', '.join(args)})")

    def label(self, name: str) -> None:
        self._target.append(f"{name}:")
        self.block = name

    def at_depth(self, depth: int) -> None:
        """Further instructions go into the scope of that depth."""
        top = self.depth
        self._target = self.scopes[-1].lines if depth >= top else self.scopes[depth + 1].pre

    def here(self) -> None:
        self._target = self.scopes[-1].lines

    def lines_here(self) -> Lines:
        """The innermost scope's lines."""
        return self.scopes[-1].lines

    @contextmanager
    def into(self, lines: Lines) -> Iterator[None]:
        """Instructions inside go to `lines`."""
        before, self._target = self._target, lines
        yield
        self._target = before

    def push(self, pre: Lines, guarded: Lines | None, rare: bool = False) -> None:
        self.scopes.append(Scope(self.scopes[-1].lines, pre, guarded, rare=rare))
        self.here()

    def pop(self) -> Scope:
        gone = self.scopes.pop()
        self.here()
        return gone

    # -------------------------------------------------------------- widening
    def widened(self, value: Value, lanes: int) -> Value:
        """The value in `lanes` lanes; a vector stays as it is."""
        if lanes == 1 or value.lanes == lanes:
            return value
        if not value.text.startswith("%"):
            text = splat_text(value.text, scalar_type(value.dtype), lanes)
            return Value(text, value.dtype, lanes)
        return self.splat(value, lanes)

    def splat(self, value: Value, lanes: int = 0) -> Value:
        """A scalar in all lanes, in the scope where the scalar is defined."""
        lanes = lanes or self.lanes
        depth = min(value.depth, self.depth)
        key = f"{lanes}{value.text}"
        for scope in self.scopes:
            found = scope.splats.get(key)
            if found is not None:
                return found
        if not value.text.startswith("%"):
            return self.widened(value, lanes)
        before = self._target
        self.at_depth(depth)
        wide = self.splat_here(value, lanes)
        self._target = before
        return wide

    def splat_here(self, value: Value, lanes: int) -> Value:
        """A scalar in all lanes, computed at the current place."""
        depth = min(value.depth, self.depth)
        scalar = scalar_type(value.dtype)
        kind = vector_type(scalar, lanes)
        one = self.op(f"insertelement {kind} poison, {value.typed}, i64 0")
        text = self.op(
            f"shufflevector {kind} {one}, {kind} poison, <{lanes} x i32> zeroinitializer"
        )
        wide = Value(text, value.dtype, lanes, depth, value.reads)
        self.scopes[depth].splats[f"{lanes}{value.text}"] = wide
        return wide


def _type_of(argument: str) -> str:
    """The type in "<16 x float> %v1", "i32 4", "ptr %p"."""
    if argument.startswith("<"):
        return argument[: argument.index(">") + 1]
    return argument.split(" ", 1)[0]
