"""The document: all that is known of some fetches and their plans, as plain data.

Lives here: Document and its parts, to and from JSON, `capture`. Not here: how it is filled
(inspect/capture*.py), what is drawn of it (inspect/page, inspect/picture.py, inspect/formats).
Pages, pictures and files are all made from it, so that they agree. Imports nothing but errors.

Nodes, buffers, steps, groups, places and files are numbered; a list of numbers refers to them.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphc.errors import GraphcError

FORMAT, VERSION = "graphc-view", 1
USER, START = "user", "start"  # names of the first two stages


class DocumentError(GraphcError):
    """What was read is no document of this version."""


@dataclass
class FileText:
    """A file that ops were made in, and the lines around those that made one."""

    path: str
    lines: dict[str, str] = field(default_factory=dict)


@dataclass
class Output:
    """An output's dtype, and its shape: numbers, names of extents that the run decides, None for
    what nobody knows; None for an unknown rank."""

    dtype: str
    shape: list[int | str | None] | None


@dataclass
class NodeRecord:
    """A node of some stage.

    Attributes:
        inputs: (node, output) each. control: nodes that run before. attrs: short texts.
        place: where the user made it, -1 for nowhere. gradient: made by a gradient.
        origins: the nodes of the user's graph that it stands for.
        body: the nodes inside of a loop or a branch. family: elementwise, reduction, movement ...
    """

    id: int
    op: str
    name: str
    inputs: list[tuple[int, int]]
    control: list[int]
    outputs: list[Output]
    attrs: dict[str, str]
    place: int
    gradient: bool
    device: str
    origins: list[int]
    body: list[int] = field(default_factory=list)
    family: str = ""


@dataclass
class RuleRecord:
    """A rule that fired in a stage. events: (old nodes, new nodes) each."""

    rule: str
    doc: str
    count: int
    events: list[tuple[list[int], list[int]]]


@dataclass
class StageRecord:
    """The graph after a pass, as the difference to the stage before.

    Attributes:
        name: "user" (as built, without what the fetches do not need), "start" (the program before
            any pass), then the passes' names.
        outputs: what is fetched, (node, output); output -1: the node is run.
        updates: (variable's name, node, output) that the variable has afterwards.
        milliseconds: that the pass took.
    """

    name: str
    added: list[int]
    removed: list[int]
    outputs: list[tuple[int, int]]
    rules: list[RuleRecord] = field(default_factory=list)
    milliseconds: float = 0.0
    updates: list[tuple[str, int, int]] = field(default_factory=list)


@dataclass
class StepRecord:
    """One step of a schedule; of one in a loop, bytes and FLOPs are of one turn.

    Attributes:
        nodes: of the last stage (or of a body). reads, writes: buffers.
        microseconds: that it took in a run, all turns together; None where nothing was timed.
        code: a key of PlanRecord.code, or None. group: -1 for none.
        inside: how many loops and branches it stands in.
    """

    kind: str
    name: str
    nodes: list[int]
    reads: list[int]
    writes: list[int]
    bytes: int
    flops: int
    microseconds: float | None = None
    code: str | None = None
    group: int = -1
    inside: int = 0
    device: str = "cpu"


@dataclass
class GroupRecord:
    """Nodes that share a kernel. anchor: the product on whose tiles they run, or -1.
    step: the first step that runs it. why: reasons, one a line."""

    name: str
    nodes: list[int]
    anchor: int
    step: int
    why: list[str]


@dataclass
class RefusalRecord:
    """Two nodes that stay in different kernels, and the bytes that go through memory for it."""

    producer: int
    consumer: int
    bytes: int
    reason: str


@dataclass
class BufferRecord:
    """A piece of memory.

    Attributes:
        kind: arena, feed, variable, const, fetch, given, bind, objects, stack, row.
        offset: in the arena; -1 elsewhere. first, last: the steps between which it is alive.
        node, output: the tensor that it holds, -1 for scratch.
        shared_with: buffers that hold the same bytes of the arena just before or after it, are the
            same variable, or rows of the same stack of a loop.
    """

    kind: str
    bytes: int
    offset: int
    first: int
    last: int
    node: int
    output: int
    shared_with: list[int] = field(default_factory=list)


@dataclass
class CodeRecord:
    """The texts of a kernel, "" for those that it does not have.

    Attributes:
        nest: its loops. numba: readable Python, of a GPU's kernels what is compiled. llvm: what was
            compiled. asm: what came of it; of a GPU's, PTX.
        tile: how a product was cut into blocks, and why; of a GPU's also its launches.
    """

    name: str
    nest: str = ""
    numba: str = ""
    llvm: str = ""
    asm: str = ""
    tile: str = ""


@dataclass
class PlanRecord:
    """A schedule with its kernels and memory.

    Attributes:
        bytes, flops: of all steps. compile_seconds: of printing and compiling its kernels with
            nothing cached; without their texts, of building the plan with what the cache holds.
        run_microseconds: the median of the timed runs, or None. memory: bytes of the arena that
            are in use at each step. device: where the arena lies: "cpu", or a GPU with its name.
    """

    kernel_count: int
    bytes: int
    flops: int
    arena_bytes: int
    compile_seconds: float
    run_microseconds: float | None
    steps: list[StepRecord]
    groups: list[GroupRecord]
    refusals: list[RefusalRecord]
    buffers: list[BufferRecord]
    memory: list[int]
    code: dict[str, CodeRecord]
    device: str = "cpu"


@dataclass
class Document:
    """Everything. places: (file, line, function). stages[0] is the user's graph."""

    title: str
    made: dict[str, str]
    files: list[FileText]
    places: list[tuple[int, int, str]]
    nodes: list[NodeRecord]
    stages: list[StageRecord]
    plans: dict[str, PlanRecord]

    def to_json(self) -> dict[str, Any]:
        """As JSON's types; nodes without a body have no such entry."""
        out = {"format": FORMAT, "version": VERSION, **plain(self)}
        for node in out["nodes"]:
            if not node["body"]:
                del node["body"]
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Document:
        """What to_json gave.

        Raises:
            DocumentError: something else, or another version.
        """
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            raise DocumentError("this is no document of graphc's viewer")
        if data.get("version") != VERSION:
            raise DocumentError(
                f"a document of version {data.get('version')!r}; this graphc reads {VERSION}"
            )
        try:
            made: Document = _typed(cls, data)
        except (KeyError, TypeError, ValueError) as err:
            raise DocumentError(f"a damaged document: {type(err).__name__}: {err}") from None
        return made

    def stage_nodes(self, name: str) -> list[int]:
        """The nodes of a stage, producers first.

        Raises:
            DocumentError: there is no such stage.
        """
        alive: dict[int, None] = {}
        for stage in self.stages:
            for gone in stage.removed:
                del alive[gone]
            alive.update(dict.fromkeys(stage.added))
            if stage.name == name:
                return self._ordered(alive)
        known = ", ".join(s.name for s in self.stages)
        raise DocumentError(f"no stage {name!r}; there are: {known}")

    def _ordered(self, alive: Mapping[int, None]) -> list[int]:
        """Producers first; a later stage's nodes may be older than those of the one before."""
        out: dict[int, None] = {}
        for start in sorted(alive):
            stack = [(start, iter(self.nodes[start].inputs))]
            while stack:
                at, inputs = stack[-1]
                for source, _ in inputs:
                    if source in alive and source not in out:
                        stack.append((source, iter(self.nodes[source].inputs)))
                        break
                else:
                    stack.pop()
                    out.setdefault(at)
        return list(out)


def capture(
    fetches: Any,
    feeds: Mapping[Any, Any] | None = None,
    graph: Any = None,
    config: Any = None,
    *,
    timed_runs: int = 0,
    codes: bool = True,
    title: str = "",
    plans: tuple[str, ...] = ("fused", "unfused"),
) -> Document:
    """The document of some fetches: their graph, what each pass made of it, and their plans.

    Args:
        fetches, feeds: as for Session.run. graph: the fetches' graph; None: the default graph.
        config: a graphc.Config, by default the process's; `fuse` is set for each plan.
        timed_runs: how often each plan runs, the plans in turn, to learn how long its steps take.
            The variables of a copy of the default session change, or freshly initialised ones.
        codes: whether to keep the kernels' texts. plans: of "fused" and "unfused".

    Raises:
        ConfigError: the reference backend, which has no kernels. What Session.run raises.
    """
    from graphc.inspect.capture import capture as run

    return run(
        fetches, feeds, graph, config, timed_runs=timed_runs, codes=codes, title=title, plans=plans
    )


def read(path: Any) -> Document:
    """The document in a JSON file. Raises DocumentError, OSError."""
    import json

    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as err:
        raise DocumentError(f"{path} is not JSON: {err}") from None
    return Document.from_json(data)


# ------------------------------------------------------------------ plain data
def plain(value: Any) -> Any:
    """Dataclasses as dicts, tuples as lists; other values as they are."""
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    kind: Any = type(value)
    names = _fields(kind)
    return {n: plain(getattr(value, n)) for n in names} if names else value


@functools.cache
def _fields(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _typed(kind: Any, value: Any) -> Any:
    """The value as the type says: dicts become dataclasses, lists tuples where it wants them."""
    if dataclasses.is_dataclass(kind):
        assert isinstance(kind, type)
        hints = _hints(kind)
        given = {n: _typed(hints[n], value[n]) for n in _fields(kind) if n in value}
        return kind(**given)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        return [_typed(args[0], v) for v in value]
    if origin is tuple:
        return tuple(_typed(a, v) for a, v in zip(args, value, strict=True))
    if origin is dict:
        return {k: _typed(args[1], v) for k, v in value.items()}
    if origin is types.UnionType and value is not None:
        held = [a for a in args if typing.get_origin(a) is list]
        return _typed(held[0], value) if held else value
    return value
