"""The stages of a document: what the passes made of a program, and which rules did it.

Lives here: StageWatcher. Not here: the passes (passes/*), which report to it through
passes.base.WATCHER. Imported by inspect/capture.py only.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphc.inspect.capture_nodes import NodeTable, Sources
from graphc.inspect.document import USER, RuleRecord, StageRecord
from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.passes.base import Pass, Rule

MERGED = ("merge_equal", "equal nodes are computed once")
Event = tuple[str, str, tuple[Node, ...], tuple[Node, ...]]  # rule, doc, old, new
Outputs = Sequence[tuple[Node, int]]


@dataclass
class _Snapshot:
    """A program after a stage, and what happened in it."""

    name: str
    program: Program
    events: list[Event]
    seconds: float


@dataclass
class StageWatcher:
    """Watches the passes of one or several programs that are computed one after the other."""

    sources: Sources
    runs: list[list[_Snapshot]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._events: list[Event] = []
        self._passes: list[Pass] = []
        self._rule: Rule | None = None
        self._image_of: dict[Node, Node] = {}
        self._begun = time.perf_counter()

    def begin(self) -> None:
        """Another program follows."""
        self.runs.append([])
        self._events = []
        self._begun = time.perf_counter()

    # ------------------------------------------------------------ the passes report
    def observe(self, stage: str, program: Program) -> None:
        """The observer of the pipeline."""
        now = time.perf_counter()
        self.runs[-1].append(_Snapshot(stage, program, self._events, now - self._begun))
        self._events = []
        self._begun = time.perf_counter()

    def converted(self, values: Mapping[Tensor, Tensor]) -> None:
        self.sources.converted(values)

    def began(self, step: Pass) -> None:
        self._passes.append(step)

    def ended(self, step: Pass) -> None:
        self._passes.pop()

    def walks(self) -> None:
        self._image_of = {}

    def fired(self, rule: Rule) -> None:
        self._rule = rule

    def replaced(
        self, old: Node, over: Node, outs: Sequence[Tensor] | None, made: Sequence[Node]
    ) -> None:
        rule, self._rule = self._rule, None
        if outs is None:
            self._rebuilt(old, over)
            return
        ends = dict.fromkeys(t.node for t in outs)
        users = self.sources.of(old)
        new = _reached(ends, set(made))
        for node in (*ends, *new):
            self.sources.add(node, users)
        name, doc = self._named(rule, old)
        self._events.append((name, doc, (old,), tuple(new or ends)))

    def _rebuilt(self, old: Node, over: Node) -> None:
        """The same op over new inputs; it may have become equal to another node."""
        first = self._image_of.setdefault(over, old)
        if over is old and first is old:
            return
        self.sources.add(over, self.sources.of(old))
        if first is not old:
            # `over` may be the older one, and what became equal to it came before
            self._events.append((*MERGED, (first if over is old else old,), (over,)))

    def _named(self, rule: Rule | None, old: Node) -> tuple[str, str]:
        if rule is not None:
            return rule.name, rule.doc
        if not self._passes:
            return old.op.name, ""
        step = self._passes[-1]
        doc = inspect.cleandoc(type(step).__doc__ or "").split("\n")[0]
        return f"{step.name} {old.op.name}", doc

    # ------------------------------------------------------------ records
    def stages(self, table: NodeTable, user: Sequence[Node], outputs: Outputs) -> list[StageRecord]:
        """The stages, the user's graph first; programs that run one after the other in one."""
        added = table.add_all(user)
        out = [StageRecord(USER, added, [], [(table.add(n), k) for n, k in outputs])]
        alive = dict.fromkeys(out[0].added)
        for parts in zip(*self.runs, strict=True):
            programs = [p.program for p in parts]
            now = dict.fromkeys(k for p in programs for k in table.add_all(p.nodes))
            record = StageRecord(
                parts[0].name,
                added=[k for k in now if k not in alive],
                removed=[k for k in alive if k not in now],
                outputs=[(table[t.node], t.value_index) for t in programs[-1].outputs],
                rules=_rules([e for p in parts for e in p.events], table),
                milliseconds=1e3 * sum(p.seconds for p in parts),
                updates=_updates(programs, table),
            )
            alive = now
            out.append(record)
        return out

    @property
    def programs(self) -> list[Program]:
        """As the passes left them."""
        return [run[-1].program for run in self.runs]


def _reached(ends: Iterable[Node], made: set[Node]) -> dict[Node, None]:
    """Those of the nodes just made that the ends need, without what a rule made in vain."""
    out: dict[Node, None] = {}
    stack = [n for n in ends if n in made]
    while stack:
        node = stack.pop()
        if node in out:
            continue
        out[node] = None
        stack.extend(t.node for t in node.inputs if t.node in made)
    return dict.fromkeys(sorted(out, key=lambda n: n.id))


def _updates(programs: Sequence[Program], table: NodeTable) -> list[tuple[str, int, int]]:
    return [
        (u.variable.name, table[u.value.node], u.value.value_index)
        for program in programs
        for u in program.updates
    ]


def _rules(events: Sequence[Event], table: NodeTable) -> list[RuleRecord]:
    """One record for each rule, the most frequent first."""
    found: dict[str, RuleRecord] = {}
    for name, doc, old, new in events:
        record = found.setdefault(name, RuleRecord(name, doc, 0, []))
        record.count += 1
        record.events.append((table.add_all(old), table.add_all(new)))
    return sorted(found.values(), key=lambda r: (-r.count, r.rule))
