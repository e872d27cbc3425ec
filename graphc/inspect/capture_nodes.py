"""The nodes of a document: a record for each node of any stage, with places in the user's files.

Lives here: NodeTable, Sources. Not here: which nodes stand in which stage (capture_rules.py).
Imported by the other capture modules only.
"""

from __future__ import annotations

import linecache
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphc.inspect.document import FileText, NodeRecord, Output
from graphc.ir.dtypes import DType
from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.ir.shape import Shape
from graphc.ir.source import Origin
from graphc.ops.control import bodies_of

AROUND = 3  # lines kept on either side of one that is referred to
ATTR_LENGTH = 160
_GRADIENT = re.compile(r"(?:^|/)gradients(?:_\d+)?/")


class Sources:
    """Which nodes of the user's graph a program's node stands for."""

    def __init__(self, user: Iterable[Node]) -> None:
        self._by_name: dict[str, Node] = {}
        for node in user:
            self._by_name.setdefault(node.name, node)
        self._known: dict[Node, dict[Node, None]] = {}

    def of(self, node: Node) -> dict[Node, None]:
        """In the order in which they became known; of a node that nobody saw, by its name."""
        found = self._known.get(node)
        if found is not None:
            return found
        named = self._by_name.get(node.name) if node.name else None
        return {} if named is None else {named: None}

    def add(self, node: Node, users: Iterable[Node]) -> None:
        """The node stands for these too."""
        known = self._known.get(node)
        if known is None:
            known = self._known[node] = dict(self.of(node))
        known.update(dict.fromkeys(users))

    def converted(self, values: Mapping[Tensor, Tensor]) -> None:
        """What stands for the user's tensors where a program begins."""
        for user, made in values.items():
            if user.node.name in self._by_name:
                self.add(made.node, (user.node,))


class NodeTable:
    """Records of nodes, in the order in which they were added; equal nodes are one."""

    def __init__(self) -> None:
        self.records: list[NodeRecord] = []
        self.files: list[FileText] = []
        self.places: list[tuple[int, int, str]] = []
        self._number: dict[Node, int] = {}
        self._kept: list[Node] = []  # identities stay unique as long as the nodes live
        self._file_number: dict[str, int] = {}
        self._place_number: dict[tuple[int, int, str], int] = {}

    def __getitem__(self, node: Node) -> int:
        return self._number[node]

    def __contains__(self, node: Node) -> bool:
        return node in self._number

    def add_all(self, nodes: Sequence[Node]) -> list[int]:
        """The numbers of these nodes; those that they read get theirs first."""
        return [self.add(node) for node in nodes]

    def add(self, node: Node) -> int:
        """The number of a node."""
        known = self._number.get(node)
        if known is not None:
            return known
        stack = [node]
        while stack:
            top = stack[-1]
            waiting = [n for n in _sources(top) if n not in self._number]
            if waiting:
                stack.extend(reversed(waiting))
                continue
            stack.pop()
            if top not in self._number:
                self._record(top)
        return self._number[node]

    def settle(self, sources: Sources, user: Sequence[Node]) -> None:
        """Says of every node what it stands for, and whether a gradient made it."""
        users = {n for n in user if n in self._number}
        for node, record in zip(self._kept, self.records, strict=True):
            if node in users:
                record.gradient = _is_gradient(node.name)
                continue
            origins = [self._number[n] for n in sources.of(node) if n in users]
            record.origins = origins
            known = [self.records[k] for k in origins] or [record]
            record.gradient = all(_is_gradient(r.name) for r in known)
            if not record.device:
                record.device = next((r.device for r in known if r.device), "")

    # ------------------------------------------------------------ one node
    def _record(self, node: Node) -> None:
        number = len(self.records)
        self._number[node] = number
        self._kept.append(node)
        record = NodeRecord(
            id=number,
            op=node.op.name,
            name=node.name,
            inputs=[(self._number[t.node], t.value_index) for t in node.inputs],
            control=[self._number[n] for n in node.control_inputs],
            outputs=[Output(t.dtype.name, _shape(t.dims)) for t in node.outputs],
            attrs={k: attr_text(v) for k, v in sorted(node.attrs.items())},
            place=self._place(node.origin),
            gradient=False,
            device=node.device,
            origins=[],
            family=node.op.family,
        )
        self.records.append(record)
        for inner in held_nodes(node):
            record.body.append(self.add(inner))

    def _place(self, origin: Origin) -> int:
        if not origin.frames:
            return -1
        file = self._file(origin.filename)
        place = (file, origin.lineno, origin.function)
        known = self._place_number.get(place)
        if known is None:
            known = self._place_number[place] = len(self.places)
            self.places.append(place)
            self._keep_lines(origin.filename, self.files[file], origin.lineno)
        return known

    def _file(self, name: str) -> int:
        known = self._file_number.get(name)
        if known is None:
            known = self._file_number[name] = len(self.files)
            self.files.append(FileText(shown_path(name)))
        return known

    @staticmethod
    def _keep_lines(name: str, file: FileText, line: int) -> None:
        for number in range(max(line - AROUND, 1), line + AROUND + 1):
            text = linecache.getline(name, number)
            if text:
                file.lines[str(number)] = text.rstrip("\n")


def _sources(node: Node) -> list[Node]:
    return [*(t.node for t in node.inputs), *node.control_inputs]


def held_nodes(node: Node) -> list[Node]:
    """The nodes inside of a loop or a branch, of the user's graph or of a program."""
    out = [n for body in bodies_of(node) for n in body.graph.nodes]
    for value in node.attrs.values():
        held: Iterable[tuple[str, Program]] = getattr(value, "programs", ())
        out.extend(n for _, program in held for n in program.nodes)
    return out


def shown_path(name: str) -> str:
    """A file's path as people name it: relative to the working folder where it lies inside."""
    if name.startswith("<"):
        return name
    path = Path(os.path.abspath(name))  # noqa: PTH100  # links stay as they are
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else name


def _is_gradient(name: str) -> bool:
    return bool(_GRADIENT.search(name))


def _shape(dims: Shape) -> list[int | str | None] | None:
    if dims is None:
        return None
    return [d if d is None or isinstance(d, int) else str(d) for d in dims]


def attr_text(value: Any) -> str:
    """An attribute for people: short, and without addresses."""
    if isinstance(value, Node | DType):
        text = value.name
    elif callable(value) and hasattr(value, "__qualname__"):
        text = value.__qualname__
    elif isinstance(value, tuple):
        text = f"({', '.join(attr_text(v) for v in value[:ATTR_LENGTH])})"
    elif isinstance(value, bytes):
        text = repr(value[:ATTR_LENGTH])
    else:
        text = repr(value)
    return text if len(text) <= ATTR_LENGTH else f"{text[: ATTR_LENGTH - 3]}..."
