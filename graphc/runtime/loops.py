"""The steps of loops and branches: bodies inlined into a plan's table, with jumps around them.

Lives here: control_steps, carry_in_place, stack_of. Not here: the scheduling of a body
(runtime/schedule.py, which imports this), cells and memory of stacks (runtime/binding.py,
runtime/instance.py), the driver's jumps (runtime/driver.py). Imports ops.control.

A carried value lives in one place, the loop node's output. The body reads it there as if it were a
variable, and its update is placed as a variable's is: written in place where no later step reads
the old value, else copied at the step's end. What a loop captures is read where it lies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.ir.shape import dims_product
from graphc.ops.control import ProgramBranches, ProgramLoop
from graphc.runtime.steps import Countdown, Cursor, Stack, Step, Storage

if TYPE_CHECKING:
    from graphc.runtime.schedule import Scheduler

Place = tuple[str, Any]  # kind and key of a body's own storage


def stack_of(tensor: Tensor) -> Storage:
    """The home of a stack that `tensor`, a loop's output, stands for."""
    elements = dims_product(tensor.known_dims)
    assert elements is not None
    row = Storage("row", None, tensor.dtype.size, elements, tensor)
    stack = Stack(tensor.text_name, row)
    row.key = stack.cursor
    return Storage("stack", stack, tensor.dtype.size, elements, tensor)


def carry_in_place(scheduler: Scheduler) -> None:
    """What a loop carries starts where its initial value is computed, if it alone reads that."""
    home = scheduler.home
    tenants = Counter(home.values())
    for unit in scheduler.units:
        node = unit.nodes[0]
        loop: ProgramLoop | None = node.attrs.get("loop") if unit.control else None
        if loop is None:
            continue
        read = Counter(node.inputs)
        for init, out in zip(node.inputs, node.outputs[: loop.carried], strict=False):
            first, then = home[init], home.get(out)
            if then is None or then.kind != "arena" or first.kind != "arena":
                continue
            alone = tenants[first] == 1 and read[init] == 1 and init not in scheduler.program.roots
            if alone and scheduler.readers[init] == [node]:
                home.update((t, first) for t, place in home.items() if place is then)
                tenants[first] += tenants[then]


def control_steps(scheduler: Scheduler, node: Node) -> list[Step]:
    """The steps of a `loop` or `branch` node."""
    loop = node.attrs.get("loop")
    steps = _branch(scheduler, node) if loop is None else _Loop(scheduler, node, loop).steps()
    steps[0].span, steps[0].holder = len(steps), node
    return steps


def _body(
    scheduler: Scheduler, program: Program, places: Mapping[Place, Storage]
) -> tuple[list[Step], list[Storage]]:
    """(the program's steps, the homes of its outputs), with its own storages as those around."""
    inner = type(scheduler)(program, scheduler.config, scheduler)
    steps, fetches, _ = inner.steps()

    def moved(storage: Storage) -> Storage:
        return places.get((storage.kind, storage.key), storage)

    for step in steps:
        step.reads = tuple(map(moved, step.reads))
        step.writes = tuple(map(moved, step.writes))
        if step.copies is not None:
            step.copies = (moved(step.copies[0]), moved(step.copies[1]))
        step.counters = tuple(c.moved(moved) for c in step.counters)
    return steps, [moved(s) for s in fetches]


def _copy(source: Storage, target: Storage, name: str) -> list[Step]:
    if source is target:
        return []
    return [Step("copy", name, (source,), (target,), copies=(source, target))]


# ------------------------------------------------------------------ branches
def _branch(scheduler: Scheduler, node: Node) -> list[Step]:
    held: ProgramBranches = node.attrs["branches"]
    pred, *operands = (scheduler.home[t] for t in node.inputs)
    outs = [scheduler.out(t) for t in node.outputs]
    feeds: dict[Place, Storage] = {("feed", k): s for k, s in enumerate(operands)}
    only_then = len(held.then.outputs) - held.shared
    mine = outs[: held.shared + only_then]
    theirs = outs[: held.shared] + outs[held.shared + only_then :]
    then, _ = _body(scheduler, held.then, feeds | _fetched(mine))
    orelse, _ = _body(scheduler, held.orelse, feeds | _fetched(theirs))
    end, other = Step("label", "end"), Step("label", "else")
    test = Step("branch", "if", (pred,), target=other)
    return [test, *then, Step("jump", "end", target=end), other, *orelse, end]


def _fetched(outs: Sequence[Storage]) -> dict[Place, Storage]:
    return {("fetch", k): s for k, s in enumerate(outs)}


# ------------------------------------------------------------------ loops
class _Loop:
    """One loop node's steps."""

    def __init__(self, scheduler: Scheduler, node: Node, loop: ProgramLoop) -> None:
        self.scheduler = scheduler
        self.loop = loop
        n = loop.carried
        home = scheduler.home
        self.inits = [home[t] for t in node.inputs[:n]]
        self.carried = [scheduler.out(t) for t in node.outputs[:n]]
        self.pushed = [self._stack(scheduler, t) for t in node.outputs[n:]]
        self.popped = [self._cursor(home[t]) for t in node.inputs[n : n + loop.pops]]
        self.captured = [home[t] for t in node.inputs[n + loop.pops :]]

    @staticmethod
    def _stack(scheduler: Scheduler, tensor: Tensor) -> Stack:
        home = scheduler.home.get(tensor)
        stack: Any = (stack_of(tensor) if home is None else home).key
        return stack

    @staticmethod
    def _cursor(home: Storage) -> Cursor:
        stack: Any = home.key
        row = Storage("row", None, home.dtype_size, home.elements, home.tensor)
        cursor = Cursor(stack, row)
        row.key = cursor
        return cursor

    def _places(self) -> dict[Place, Storage]:
        feeds = [*(c.row for c in self.popped), *self.captured]
        places: dict[Place, Storage] = {("feed", k): s for k, s in enumerate(feeds)}
        for variable, storage in zip(self.loop.variables, self.carried, strict=True):
            places["variable", variable] = storage
        return places

    def steps(self) -> list[Step]:
        places = self._places()
        statuses = len(self.scheduler.statuses)
        cond, (flag,) = _body(self.scheduler, self.loop.cond, places | self._flag())
        rows = [s.cursor.row for s in self.pushed]
        body, _ = _body(self.scheduler, self.loop.body, places | _fetched(rows))
        head, end = Step("label", "loop"), Step("label", "end")
        counters = self._counters(places)
        inside = [
            *cond,
            Step("branch", "while", (flag,), target=end, counters=counters),
            *self._step_begins(body),
            *body,
            *self._step_ends(),
        ]
        if len(self.scheduler.statuses) > statuses:
            # a step that failed ends the loop: what it gave might never do so
            inside.append(Step("check", "check", counters=counters))
        for step in inside:
            step.inside = True
        self.scheduler.loops.append((head, end))
        inits = zip(self.inits, self.carried, strict=True)
        return [
            *(step for pair in inits for step in _copy(*pair, "init")),
            *self._opened(),
            head,
            *inside,
            Step("jump", "loop", target=head),
            end,
        ]

    def _counters(self, places: Mapping[Place, Storage]) -> tuple[Countdown, ...]:
        """What ends the loop, where that is counters alone: `i < n` and more of them."""
        found: list[Countdown] = []
        waiting = [self.loop.cond.outputs[0]]
        while waiting:
            node = waiting.pop().node
            if node.op.name == "logical_and":
                waiting += node.inputs
                continue
            counter = self._counter(node, places) if node.op.name == "less" else None
            if counter is None:
                return ()
            found.append(counter)
        return tuple(found)

    def _counter(self, node: Node, places: Mapping[Place, Storage]) -> Countdown | None:
        value, limit = node.inputs
        step = self._growth(value)
        if not step or limit.known_dims or not value.dtype.is_integer:
            return None
        variable = value.node.attrs["variable"]
        bound: Storage | Tensor = limit
        if limit.node.op.name == "feed":
            bound = places["feed", limit.node.attrs["position"]]
        elif limit.node.op.name not in ("const", "bound"):
            return None
        return Countdown(self.carried[self.loop.variables.index(variable)], bound, step)

    def _growth(self, value: Tensor) -> int:
        """By how much a carried number grows each turn; 0 where that is not known."""
        if value.node.op.name != "read" or value.known_dims:
            return 0
        variable = value.node.attrs["variable"]
        new = next((u.value for u in self.loop.body.updates if u.variable is variable), None)
        if new is None or new.node.op.name != "add":
            return 0
        first, second = (t.node for t in new.node.inputs)
        if first.op.name == "const":
            first, second = second, first
        if first.attrs.get("variable") is not variable or second.op.name != "const":
            return 0
        return max(int(second.attrs["value"].array), 0)

    def _flag(self) -> dict[Place, Storage]:
        """What the cond computes: a byte of its own."""
        test = self.loop.cond.outputs[0]
        return {("fetch", 0): Storage("arena", ("while", test), 1, 1, test)}

    def _opened(self) -> list[Step]:
        pushed = [Step("open", s.name, cursor=s.cursor) for s in self.pushed]
        return pushed + [Step("open", c.stack.name, cursor=c, back=True) for c in self.popped]

    def _step_begins(self, body: Sequence[Step]) -> list[Step]:
        """Rows popped come first; rows pushed need room; kernels learn where they lie."""
        steps = [Step("advance", c.stack.name, cursor=c, back=True) for c in self.popped]
        for stack in self.pushed:
            roomy = Step("label", "room")
            steps.append(Step("room", stack.name, cursor=stack.cursor, target=roomy))
            steps.append(Step("grow", stack.name, cursor=stack.cursor))
            steps.append(roomy)
        for cursor in [*(s.cursor for s in self.pushed), *self.popped]:
            steps.extend(_points(cursor, body))
        return steps

    def _step_ends(self) -> list[Step]:
        return [Step("advance", s.name, cursor=s.cursor) for s in self.pushed]


def _points(cursor: Cursor, body: Sequence[Step]) -> list[Step]:
    """One step for each argument slot of the body that the cursor's row fills."""
    uses = sum(
        s is cursor.row for step in body if not step.on_host for s in (*step.reads, *step.writes)
    )
    return [Step("point", cursor.stack.name, cursor=cursor, number=k) for k in range(uses)]
