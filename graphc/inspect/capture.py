"""Fills documents: runs the passes under watch, builds the plans, times their steps.

Lives here: capture. Not here: the document's form (inspect/document.py), its parts (capture_nodes,
capture_rules, capture_plan). Imports session, runtime, passes.

The fused and the unfused plan are built from the same optimised programs, so that their steps
refer to the same nodes.
"""

from __future__ import annotations

import datetime
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.config import Config, current
from graphc.errors import ConfigError
from graphc.feeds import check_shape, feed_items, to_array
from graphc.fetches import FetchPlan
from graphc.inspect.capture_nodes import NodeTable, Sources
from graphc.inspect.capture_plan import Codes, PlanReader
from graphc.inspect.capture_rules import StageWatcher
from graphc.inspect.document import Document, PlanRecord
from graphc.ir.graph import Graph, GraphKeys, get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.passes.base import watched
from graphc.passes.functionalize import needed_nodes
from graphc.passes.pipeline import Observer
from graphc.runtime.collecting import uncollected
from graphc.runtime.driver import PROFILE_WORDS
from graphc.runtime.executor import Stage, StageSpec
from graphc.runtime.gpu.plan import GpuPlan
from graphc.runtime.placement import device_for
from graphc.runtime.plan import CompiledPlan, CpuPlan
from graphc.runtime.state import RunContext, VariableStore
from graphc.session import Session, get_default_session

Array = np.ndarray[Any, Any]
Progress = Callable[[str], None]
FUSED, UNFUSED = "fused", "unfused"


@dataclass
class _Part:
    """A stage of a run: what it computes from what, and its plans by name."""

    spec: StageSpec
    given: list[Array]
    symbols: dict[str, int]
    nodes: Sequence[Node]
    plans: dict[str, CompiledPlan] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # of building each plan

    def build(self, name: str, make: Callable[[], CompiledPlan]) -> CompiledPlan:
        start = time.perf_counter()
        plan = self.plans[name] = make()
        self.seconds[name] = time.perf_counter() - start
        return plan


def capture(
    fetches: Any,
    feeds: Mapping[Any, Any] | None = None,
    graph: Graph | None = None,
    config: Config | None = None,
    *,
    timed_runs: int = 0,
    codes: bool = True,
    title: str = "",
    plans: tuple[str, ...] = (FUSED, UNFUSED),
    progress: Progress | None = None,
) -> Document:
    """See `document.capture`; `progress` is told what is being done."""
    config = current() if config is None else config
    if config.backend == "reference":
        raise ConfigError("looking inside needs the cpu backend: the reference has no kernels")
    unknown = [p for p in plans if p not in (FUSED, UNFUSED)]
    if unknown or not plans:
        raise ConfigError(f"plans are {FUSED!r} and {UNFUSED!r}, not {', '.join(unknown) or '()'}")
    worker = _Capture(graph or get_default_graph(), fetches, feeds or {}, config, progress)
    try:
        return worker.run(timed_runs, codes, title, plans)
    finally:
        worker.session.close()


class _Capture:
    """One capture, in a session of its own."""

    def __init__(
        self, graph: Graph, fetches: Any, feeds: Mapping[Any, Any], config: Config,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        self.graph = graph
        # what looks at every step's values would have plans of another kind
        self.config = config.replace(
            profile=True, check_numerics=False, validate=False, dump=None
        )
        self.session = Session(graph=graph, options=self.config)
        self.progress = progress or (lambda text: None)
        asked = FetchPlan(graph, fetches)
        items = feed_items(graph, feeds)
        self.arrays = [to_array(t, v, k) for t, v, k in items]
        for (tensor, _, _), array in zip(items, self.arrays, strict=True):
            check_shape(tensor, array.shape)
        fed = {t: None for t, _, _ in items}
        wanted = tuple(t for t in asked.tensors if t not in fed)
        targets = tuple(n for n in asked.nodes if not (n.outputs and set(n.outputs) <= set(fed)))
        self.spec = StageSpec(wanted, targets, tuple(fed))
        self.user = self._user_nodes(fed, asked.tensors)
        self.outputs = [(t.node, t.value_index) for t in asked.tensors]
        self.outputs += [(n, -1) for n in targets]
        self.sources = Sources(self.user)
        self.watcher = StageWatcher(self.sources)
        self.table = NodeTable()
        self.parts: list[_Part] = []

    def _user_nodes(self, fed: Mapping[Tensor, None], asked: Iterable[Tensor]) -> list[Node]:
        """What the fetches need, with the placeholders that are fed."""
        nodes = needed_nodes(self.spec.fetches, self.spec.targets, fed)
        read = {t for n in nodes for t in n.inputs}.union(asked)
        ends = [t.node for t in fed if t in read]
        return sorted({*nodes, *ends}, key=lambda n: n.id)

    def run(
        self, timed_runs: int, codes: bool, title: str, plans: tuple[str, ...]
    ) -> Document:
        self._initialize()
        with uncollected():
            self._build(plans)
        seconds = self._timed(timed_runs, plans)
        self.progress("reading the graph")
        stages = self.watcher.stages(self.table, self.user, self.outputs)
        texts = Codes(lambda name: self.progress(f"compiling {name}")) if codes else None
        records = {p: self._record(p, texts, timed_runs, seconds.get(p)) for p in plans}
        self.table.settle(self.sources, self.user)
        return Document(
            title or _title(self.outputs), _made(), self.table.files, self.table.places,
            self.table.records, stages, records,
        )  # fmt: skip

    # ------------------------------------------------------------ values
    def _initialize(self) -> None:
        """The variables hold what the default session's do, else what initializes them."""
        needed = [n for n in self.user if n.op.name == "variable"]
        store: VariableStore = self.session.executor.variables
        given = get_default_session()
        if given is not None and given.graph is self.graph:
            theirs: VariableStore = given.executor.variables
            store.share_resources(theirs)
            for node in needed:
                value = theirs.get(node)
                if value is not None:
                    store.set(node, value)
            tables: list[Node] = []
        else:
            tables = list(self.graph.get_collection(GraphKeys.TABLE_INITIALIZERS))
        wanted = [*self._initializers(n for n in needed if not store.initialized(n)), *tables]
        if wanted:
            self.progress("initializing variables")
            self.session.run(wanted)

    def _initializers(self, variables: Iterable[Node]) -> list[Any]:
        """What gives these variables their first values, as far as the graph holds it."""
        from graphc.tf1.variables import variable_of

        out: list[Any] = []
        bare: set[Node] = set()
        for node in variables:
            known = variable_of(node)
            if known is None:
                bare.add(node)
            else:
                out.append(known.initializer)
        for node in self.graph.nodes if bare else ():
            # a GraphDef knows no variables: the first assignment is the initializer's
            if node.op.name == "assign" and node.inputs[0].node in bare:
                bare.discard(node.inputs[0].node)
                out.append(node)
        return out

    # ------------------------------------------------------------ plans
    def _build(self, plans: Sequence[str]) -> None:
        """The plans of all stages of a run; early ones run, to learn what the next are fed."""

        def find(stage: Stage, given: list[Array]) -> tuple[CompiledPlan, dict[str, int]]:
            self.progress("optimising the graph")
            self.watcher.begin()
            try:
                with watched(self.watcher):
                    program = stage.program(given, self.session.executor.variables)
                    part = _Part(stage.spec, given, dict(program.env.hints), stage.nodes)
                    config, watch = self._config(plans[0]), self.watcher.observe
                    first = part.build(
                        plans[0], lambda: _plan(program, config, stage.nodes, watch)
                    )
            except BaseException:
                self.watcher.runs.pop()  # it is split, and tried again
                raise
            for name in plans[1:]:
                self._again(part, name, first)
            self.parts.append(part)
            return first, part.symbols

        spec = self.spec
        runner = self.session.executor.prepare(spec.fetches, spec.targets, spec.feeds)
        kept = runner.plans(self.arrays, find)
        # a stage that is split takes those behind it along
        alive = {id(plan) for plan, _ in kept}
        keep = [id(p.plans[plans[0]]) in alive for p in self.parts]
        self.parts = [p for p, k in zip(self.parts, keep, strict=True) if k]
        self.watcher.runs = [r for r, k in zip(self.watcher.runs, keep, strict=True) if k]

    def _again(self, part: _Part, name: str, first: CompiledPlan) -> None:
        """Another plan of the program that the passes made for the first one."""
        config = self._config(name)
        part.build(name, lambda: _plan(first.program, config, part.nodes, optimized=True))

    def _config(self, name: str) -> Config:
        return self.config.replace(fuse=name == FUSED)

    # ------------------------------------------------------------ time
    def _timed(self, runs: int, plans: Sequence[str]) -> dict[str, list[float]]:
        """Seconds of each run, the plans in turn."""
        out: dict[str, list[float]] = {p: [] for p in plans}
        for number in range(runs + 1 if runs > 0 else 0):
            self.progress(f"timed run {number} of {runs}")
            for name in plans:
                start = time.perf_counter()
                for part in self.parts:
                    self._run(part, name)
                if number:
                    out[name].append(time.perf_counter() - start)
                else:  # the first one touches all memory
                    self._forget(name)
        return out

    def _run(self, part: _Part, name: str) -> None:
        ex = self.session.executor
        part.plans[name].run(RunContext(ex.variables, ex.random), part.given, part.symbols)

    def _profiles(self, part: _Part, name: str) -> list[Array]:
        binding = part.plans[name].bind(part.symbols)
        instances = self.session.executor.variables.instances.get(binding, ())
        return [i.frame.profile.reshape(-1, PROFILE_WORDS) for i in instances]

    def _forget(self, name: str) -> None:
        for part in self.parts:
            for rows in self._profiles(part, name):
                rows[...] = 0

    def _micros(self, part: _Part, name: str, runs: int) -> list[float] | None:
        rows = self._profiles(part, name)
        if runs <= 0 or not rows:
            return None
        total: Array = np.sum([r[:, 1] for r in rows], axis=0)
        return [float(t) for t in total / (1e3 * runs)]

    # ------------------------------------------------------------ records
    def _record(
        self, name: str, texts: Codes | None, runs: int, seconds: Sequence[float] | None
    ) -> PlanRecord:
        reader = PlanReader(self.table, texts)
        for part in self.parts:
            reader.add(part.plans[name], part.symbols, self._micros(part, name, runs))
        if texts is None:
            reader.record.compile_seconds = sum(part.seconds[name] for part in self.parts)
        if seconds:
            reader.record.run_microseconds = round(1e6 * statistics.median(seconds), 3)
        return reader.record


def _plan(
    program: Program, config: Config, nodes: Sequence[Node], observer: Observer | None = None,
    optimized: bool = False,
) -> CompiledPlan:  # fmt: skip
    """The plan on the device that the configuration or the nodes ask for."""
    device, config = device_for(config, nodes)
    if device is None:
        return CpuPlan(program, config, observer, optimized)
    return GpuPlan(program, config, device, observer, optimized)


def _title(outputs: Sequence[tuple[Node, int]]) -> str:
    names = [n.name for n, _ in outputs]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _made() -> dict[str, str]:
    return {
        "graphc": str(vars(sys.modules["graphc"])["VERSION"]),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }
