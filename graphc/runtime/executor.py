"""Executor: finds or builds the plan of a run, in stages where shapes depend on data.

Lives here: Executor (one a session), Runner (one a set of fetches and feeds), Stage, the keys of
plans and their guards. Not here: what a plan is (runtime/plan.py, backends/reference.py), feed
conversion and fetch structures (session.py).

Plans are shared by all sessions of a graph: they hold code and layouts, never values.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.config import Config
from graphc.errors import ConfigError, InternalError
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program, UnresolvedShape
from graphc.ops.control import CONTROL, is_kept
from graphc.ops.values import value_of
from graphc.passes.functionalize import (
    FeedValue,
    Functionalizer,
    needed_nodes,
    shape_feeds,
    shape_operands,
)
from graphc.runtime.collecting import uncollected
from graphc.runtime.frame import Frame
from graphc.runtime.phases import phases_of
from graphc.runtime.places import by_device
from graphc.runtime.state import Moved, RandomStreams, RunContext, VariableStore
from graphc.runtime.stats import STATS

if TYPE_CHECKING:
    from graphc.runtime.trace import Trace

Array = np.ndarray[Any, Any]
Key = tuple[Any, ...]
Find = Callable[["Stage", list[Array]], tuple[Any, dict[str, int]]]
MAX_BINDINGS = 256


@dataclass(frozen=True)
class StageSpec:
    """What one stage computes from what.

    `dynamic` are nodes whose outputs may have data-dependent shapes: they end the stage. `final`
    stages write variables. `done` are nodes that stages before have executed.
    """

    fetches: tuple[Tensor, ...]
    targets: tuple[Node, ...]
    feeds: tuple[Tensor, ...]
    dynamic: frozenset[Node] = frozenset()
    final: bool = True
    done: frozenset[Node] = frozenset()


@dataclass(frozen=True)
class State:
    """What a plan takes from a session's variables.

    Attributes:
        shapes: of variables of which the graph does not tell it. present: variables that hold a
            value, as far as initialized_value asks. key: both, without the session's objects.
    """

    shapes: Mapping[Node, tuple[int, ...]]
    present: frozenset[Node]
    key: Key


NO_STATE = State({}, frozenset(), ())


class Variant:
    """A plan with the conditions under which it holds: its symbols' pattern and guards."""

    def __init__(
        self,
        program: Program,
        plan: Any,
        dims: tuple[tuple[Any, ...], ...],
        state: Key = (),
    ) -> None:
        self.program = program
        self.plan = plan
        self.dims = dims
        self.state = state

    def match(
        self, shapes: Sequence[tuple[int, ...]], values: Mapping[str, int]
    ) -> dict[str, int] | None:
        """The symbols' values for these extents, or None where the plan does not hold."""
        symbols: dict[str, int] = dict(values)
        for dims, shape in zip(self.dims, shapes, strict=True):
            if len(dims) != len(shape):
                return None
            for dim, size in zip(dims, shape, strict=True):
                if isinstance(dim, int):
                    if dim != size:
                        return None
                elif symbols.setdefault(str(dim), size) != size:
                    return None
        if all(g.holds(symbols) for g in self.program.env.guards):
            return symbols
        return None


class Stage:
    """All plans of one StageSpec under one configuration; shared between sessions."""

    def __init__(self, spec: StageSpec, config: Config) -> None:
        self.spec = spec
        self.config = config
        fed = dict.fromkeys(spec.feeds)
        self.nodes = needed_nodes(spec.fetches, spec.targets, fed, spec.done)
        shaped = set(shape_feeds(self.nodes, fed))
        self.valued = tuple(k for k, t in enumerate(spec.feeds) if t in shaped)
        self.variables = tuple(n for n in self.nodes if n.op.name == "variable")
        # variables of which initialized_value asks: whether they hold a value belongs to a plan
        self.guarded = tuple(
            n.inputs[0].node for n in self.nodes if n.op.name == "initialized_value"
        )
        self.variants: list[Variant] = []
        self.bindings: OrderedDict[Key, tuple[Variant, dict[str, int]]] = OrderedDict()
        self.lock = threading.RLock()

    def find(self, arrays: Sequence[Array], store: VariableStore) -> tuple[Variant, dict[str, int]]:
        """The plan for these feeds and its symbols' values; built where there is none.

        Raises:
            UnresolvedShape: the stage must be split.
        """
        key: Key = tuple([a.shape for a in arrays])
        if self.valued:
            key += tuple(arrays[k].tobytes() for k in self.valued)
        state = self._state(store) if store.odd or self.guarded else NO_STATE
        key += state.key
        found = self.bindings.get(key)
        if found is not None:
            return found
        with self.lock:
            found = self._find_or_build(arrays, state)
            self.bindings[key] = found
            while len(self.bindings) > MAX_BINDINGS:
                self.bindings.popitem(last=False)
        return found

    def _state(self, store: VariableStore) -> State:
        with store.lock:
            shapes = {v: store.arrays[v].shape for v in self.variables if v in store.odd}
            present = frozenset(v for v in self.guarded if v in store.arrays)
        key = (*((v.id, s) for v, s in shapes.items()), *sorted(v.id for v in present))
        return State(shapes, present, key)

    def _find_or_build(
        self, arrays: Sequence[Array], state: State
    ) -> tuple[Variant, dict[str, int]]:
        shapes = [a.shape for a in arrays]
        for variant in self.variants:
            if variant.state != state.key:
                continue
            symbols = variant.match(shapes, self._values(arrays))
            if symbols is not None:
                return variant, symbols
        start = time.perf_counter()
        with uncollected():
            program = self._program(arrays, state)
            reason = self._reason(program)
            plan = make_plan(program, self.config, self.nodes)
        seconds = time.perf_counter() - start
        STATS.plan_built(reason, [t.name for t in self.spec.fetches], shapes, seconds)
        dims = tuple(t.dims or () for t in program.feeds)
        variant = Variant(program, plan, dims, state.key)
        self.variants.append(variant)
        return variant, dict(program.env.hints)

    def _reason(self, program: Program) -> str:
        if not self.variants:
            return "first run of these fetches and feeds"
        guards = [str(g) for v in self.variants for g in v.program.env.guards]
        why = f" (guards: {', '.join(guards)})" if guards else ""
        return f"extents that no plan so far holds for{why}"

    def _values(self, arrays: Sequence[Array]) -> dict[str, int]:
        out = {}
        for k in self.valued:
            for n, item in enumerate(arrays[k].reshape(-1).tolist()):
                out[f"v{k}_{n}"] = int(item)
        return out

    def program(self, arrays: Sequence[Array], store: VariableStore) -> Program:
        """The functional program for these extents, before any pass."""
        return self._program(arrays, self._state(store))

    def _program(self, arrays: Sequence[Array], state: State) -> Program:
        feeds = [
            FeedValue(t, a.shape, a if k in self.valued else None)
            for k, (t, a) in enumerate(zip(self.spec.feeds, arrays, strict=True))
        ]
        worker = Functionalizer(feeds, state.shapes, self.spec.dynamic, state.present)
        program = worker.run(self.nodes, self.spec.fetches, dict.fromkeys(self.spec.feeds))
        if not self.spec.final:
            # values of an early stage are used again later; only the last stage writes
            program = dataclasses.replace(program, updates=())
        return program


def make_plan(program: Program, config: Config, nodes: Sequence[Node] = ()) -> Any:
    """The plan of a program on the configured backend, or where `nodes` of its graph stand."""
    if config.backend == "reference":
        from graphc.runtime.backends.reference import ReferencePlan

        return ReferencePlan(program, config)
    if config.check_numerics:
        from graphc.runtime.checked import CheckedPlan

        return CheckedPlan(program, config)
    from graphc.runtime.placement import device_for

    device, config = device_for(config, nodes)
    if device is not None:
        from graphc.runtime.gpu.plan import GpuPlan

        return GpuPlan(program, config, device)
    from graphc.runtime.plan import CpuPlan

    return CpuPlan(program, config)


class Runner:
    """Runs one set of fetches, targets and feeds of a session."""

    def __init__(self, executor: Executor, spec: StageSpec) -> None:
        self.executor = executor
        self.spec = spec
        self.stages: list[Stage] = executor.stages_of(spec)
        self._store = executor.variables
        # free instances of the binding that ran last, where nothing but a frame has to run; the
        # feeds whose values it is for; whether the frame itself looks at feeds
        self._fast: tuple[list[Any], tuple[tuple[int, bytes], ...], bool] | None = None

    def run(self, arrays: Sequence[Array]) -> list[Array]:
        """Fetched arrays in order, owned by the caller. The fast path: extents as last time.

        Args and Raises: as `run_any`.
        """
        out = self.again(arrays, True)
        return self.run_any(arrays) if out is None else out

    def again(self, feeds: Collection[Any], arrays: bool = False) -> list[Array] | None:
        """A run like the last one, or None where it is not: then nothing has changed.

        arrays: the feeds are arrays of the right dtypes. Else they may be anything: compiled code
        takes exact arrays of those dtypes and last time's extents, and refuses all else.
        """
        fast = self._fast
        if fast is None:
            return None
        free, values, checks = fast
        if not checks:
            if not arrays or any(feeds[k].tobytes() != v for k, v in values):  # type: ignore[index]
                return None
        try:
            instance = free.pop()
        except IndexError:  # another thread took it
            return None
        out = instance.run_again(feeds, self._store)
        free.append(instance)
        return out  # type: ignore[no-any-return]

    def run_any(
        self, arrays: Sequence[Array], trace: Trace | None = None
    ) -> list[Array]:
        """Fetched arrays in order, owned by the caller.

        Args:
            arrays: one for each feed, in the feed's dtype; any contiguity. trace: where the
                steps' times go, of an executor that `traced` gave.

        Raises:
            the errors of semantics 25, 26; the session's variables keep their values.
        """
        ex = self.executor
        ctx = RunContext(ex.variables, ex.random, trace)
        stages = self.stages
        if len(stages) > 1:
            return self._run_stages(ctx, arrays)
        try:
            variant, symbols = stages[0].find(arrays, ex.variables)
            out = variant.plan.run(ctx, arrays, symbols)
        except (UnresolvedShape, Moved):
            return self._run_stages(ctx, arrays)
        free = variant.plan.simple_instances(ex.variables, symbols)
        # the frame compares extents only: the values that decide shapes are compared here
        values = tuple((k, arrays[k].tobytes()) for k in stages[0].valued)
        checks = bool(free) and not values and type(free[0].frame) is Frame
        self._fast = None if free is None else (free, values, checks)
        return out

    def _run_stages(self, ctx: RunContext, arrays: Sequence[Array]) -> list[Array]:
        known = dict(zip(self.spec.feeds, arrays, strict=True))
        stages, at = self.stages, 0
        while at < len(stages):
            stage = stages[at]
            given = [known[t] for t in stage.spec.feeds]
            try:
                variant, symbols = stage.find(given, ctx.store)
                out = variant.plan.run(ctx, given, symbols)
            except UnresolvedShape as err:
                stages, at = self._split(stages, at, err.node)
                continue
            except Moved:
                continue
            known.update(zip(stage.spec.fetches, out, strict=True))
            at += 1
        return [known[t] for t in self.spec.fetches]

    def plans(
        self, arrays: Sequence[Array], find: Find | None = None
    ) -> list[tuple[Any, dict[str, int]]]:
        """(plan, symbols) of every stage until variables are written, the last one but that.

        Stages before are run to know extents. find: gives a stage's own for its feeds.
        """
        ctx = RunContext(self.executor.variables, self.executor.random)
        known = dict(zip(self.spec.feeds, arrays, strict=True))
        out: list[tuple[Any, dict[str, int]]] = []
        stages = self.stages
        while len(out) < len(stages):
            stage = stages[len(out)]
            given = [known[t] for t in stage.spec.feeds]
            try:
                plan, symbols = (find or self._plan)(stage, given)
            except UnresolvedShape as err:
                stages, at = self._split(stages, len(out), err.node)
                del out[at:]
                continue
            out.append((plan, symbols))
            if stage.spec.final:
                break
            got = plan.run(ctx, given, symbols)
            known.update(zip(stage.spec.fetches, got, strict=True))
        return out

    def _plan(self, stage: Stage, given: list[Array]) -> tuple[Any, dict[str, int]]:
        variant, symbols = stage.find(given, self.executor.variables)
        return variant.plan, symbols

    def _split(self, stages: list[Stage], at: int, node: Node) -> tuple[list[Stage], int]:
        """Stages where one computes first what `node`'s shape depends on, and where to go on."""
        with self.executor.lock:
            if self.stages is not stages and not any(s.spec.final for s in stages[:at]):
                return self.stages, 0  # another thread has done it meanwhile
            early, late = split_stage(stages[at].spec, node)
            config = self.executor.config
            # a new list: other threads may be walking the old one
            split = [*stages[:at], Stage(early, config), Stage(late, config), *stages[at + 1 :]]
            if self.stages is stages:
                self.stages = split
                self.executor.keep_stages(self.spec, split)
            return split, at


def split_stage(spec: StageSpec, node: Node) -> tuple[StageSpec, StageSpec]:
    """(what computes the shape of `node`, the rest, which is fed with it)."""
    fed = dict.fromkeys(spec.feeds)
    if node.op.data_dependent or (node.op.name in CONTROL and not _unknown_operands(node, fed)):
        barrier = list(node.outputs)
        dynamic = spec.dynamic | {node}
    else:
        shape_inputs = shape_operands(node)
        barrier = [t for t in shape_inputs if t not in fed and value_of(t) is None]
        barrier = barrier or [t for t in shape_inputs if t not in fed]
        dynamic = frozenset()
    barrier = [t for t in barrier if t not in fed]
    if not barrier and node.op.numpy is not None and node not in spec.dynamic:
        # what decides the shape is fed and no integer (range of floats): it runs on the host
        barrier, dynamic = list(node.outputs), spec.dynamic | {node}
    if not barrier:
        raise InternalError(f"the shape of {node.name!r} ({node.op.name}) cannot be inferred")
    early_nodes = set(needed_nodes(barrier, (), fed, spec.done))
    extra: dict[Tensor, None] = {}
    if not any(n.op.refs for n in early_nodes):
        cut = {**fed, **dict.fromkeys(barrier)}
        for reader in needed_nodes(spec.fetches, spec.targets, cut, spec.done):
            if reader in early_nodes:
                continue
            for tensor in reader.inputs:
                # stacks of loops are not handed on: the later stage fills them again
                kept = tensor.node.op.family == "source" or is_kept(tensor)
                if tensor.node in early_nodes and tensor not in cut and not kept:
                    extra[tensor] = None
    passed = tuple(dict.fromkeys([*barrier, *extra]))
    early = StageSpec(passed, (), spec.feeds, dynamic, final=False, done=spec.done)
    late = StageSpec(
        spec.fetches, spec.targets, spec.feeds + passed, spec.dynamic - {node}, spec.final,
        spec.done,
    )  # fmt: skip
    return early, late


def _unknown_operands(node: Node, fed: Mapping[Tensor, Any]) -> bool:
    """Whether a control-flow node waits for values that decide shapes inside its bodies."""
    return any(t not in fed and value_of(t) is None for t in shape_operands(node))


_SHARED_LOCK = threading.RLock()


def _shared_stages(graph: Graph) -> dict[Any, list[Stage]]:
    """The graph's own table of stages: it dies with the graph."""
    return graph.__dict__.setdefault("_stages", {})


class Executor:
    """One session's way to run: its variables, random streams and runners."""

    def __init__(self, graph: Graph, config: Config) -> None:
        self.graph = graph
        self.config = config
        self.variables = VariableStore()
        self.random = RandomStreams()
        self.lock = _SHARED_LOCK
        self._runners: dict[Any, Runner] = {}
        self._traced: Executor | None = None
        if config.threads is not None:
            from graphc.runtime import cache, codegen, threads

            cache.set_default(codegen.cache_of(config))  # where the code of the pool is kept
            threads.set_num_threads(config.threads)

    def traced(self) -> Executor:
        """An executor of the same variables and random streams whose plans time their steps."""
        if self._traced is None:
            other = Executor(self.graph, self.config.replace(profile=True))
            other.variables, other.random = self.variables, self.random
            self._traced = other
        return self._traced

    def explain(self, runner: Runner, arrays: Sequence[Array]) -> Any:
        """An Explanation of the runner's plan for these feeds (of all stages, where several).

        Raises:
            ConfigError: the reference backend and check_numerics have nothing to explain.
        """
        from graphc.inspect.explain import explain_plan, joined

        if self.config.backend == "reference":
            raise ConfigError("explain needs the cpu backend: the reference runs op by op")
        if self.config.check_numerics:
            raise ConfigError("explain needs Config(check_numerics=False): the check runs op by op")
        plans = runner.plans(arrays)
        return joined([explain_plan(p, symbols, self.variables) for p, symbols in plans])

    def prepare(
        self,
        fetches: tuple[Tensor, ...],
        targets: tuple[Node, ...],
        feeds: tuple[Tensor, ...],
    ) -> Runner:
        """The runner of these fetches; cheap when it is known."""
        key = (fetches, targets, feeds)
        runner = self._runners.get(key)
        if runner is None:
            runner = Runner(self, StageSpec(fetches, targets, feeds))
            self._runners[key] = runner
        return runner

    def stages_of(self, spec: StageSpec) -> list[Stage]:
        key = (spec, self.config.key())
        with self.lock:
            shared = _shared_stages(self.graph)
            if key not in shared:
                phases = phases_of(spec)
                if len(phases) == 1:
                    phases = by_device(spec)
                shared[key] = [Stage(s, self.config) for s in phases]
            return shared[key]

    def keep_stages(self, spec: StageSpec, stages: list[Stage]) -> None:
        _shared_stages(self.graph)[(spec, self.config.key())] = stages

    def close(self) -> None:
        """Frees the variables and the runners."""
        self._runners.clear()
        self._traced = None
        self.variables.close()
