"""The vocabulary of schedules: storages, steps, units.

Lives here: Storage (a piece of memory), Step (what a plan runs), Unit (what is scheduled as one),
Schedule. Not here: how they are made (runtime/schedule.py). Imports fusion, kernel.nest, ir.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from graphc.fusion.partition import Group, Partition
from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.ir.shape import Dim
from graphc.kernel.nest import Kernel

if TYPE_CHECKING:
    from graphc.runtime.chains import Chain
    from graphc.runtime.conv_tiles import ConvCall
    from graphc.runtime.extern import GemmCall
    from graphc.runtime.gpu.products import GpuProductCall
    from graphc.runtime.rows import RowsCall
    from graphc.runtime.scan import ScanCall
    from graphc.runtime.tiles import PackCall, TileCall
    from graphc.runtime.turn import TurnCall

    Call: TypeAlias = (
        GemmCall | RowsCall | TileCall | PackCall | ConvCall | TurnCall | ScanCall | GpuProductCall
    )


@dataclass(eq=False)
class Stack:
    """Rows that a loop pushes, one a step; the memory grows when it is full. `row`: one of them.

    `cursor` walks along as rows are pushed, and stays behind the last one.
    """

    name: str
    row: Storage
    cursor: Cursor = field(init=False)

    def __post_init__(self) -> None:
        self.cursor = Cursor(self, self.row)


@dataclass(eq=False)
class Cursor:
    """The address of the row of a stack that a loop is at. `row` is that memory."""

    stack: Stack
    row: Storage


@dataclass(eq=False)
class Storage:
    """A piece of memory. kind: feed, variable, const, given (rng_state, initialized), bind,
    arena, objects (strings), fetch, stack (as a whole), row (where a cursor is), panels (packed
    weights that a session keeps). `key` says which one: feed position, variable node, tensor,
    output number, Stack, (variable or constant, how it is packed)."""

    kind: str
    key: object
    dtype_size: int
    elements: Dim
    tensor: Tensor | None = None

    @property
    def nbytes(self) -> Dim:
        return self.elements * self.dtype_size

    @property
    def position(self) -> int:
        """The number of a feed or a fetch."""
        assert isinstance(self.key, int)
        return self.key

    @property
    def variable(self) -> Node:
        """The variable's node."""
        assert isinstance(self.key, Node)
        return self.key

    @property
    def is_read(self) -> bool:
        """Whether this is a variable's value at the start of the run, not the one written."""
        node = self.tensor.node if self.tensor is not None else None
        # `w := v` writes w with a storage whose value is the read of v
        return (
            node is not None
            and node.op.name == "read"
            and node.attrs["variable"] is self.key
        )


@dataclass(frozen=True, eq=False)
class Countdown:
    """One reason for a loop to end: the number in `storage`, which grows by `step` each turn, has
    reached `bound`: one in memory that the loop does not write, or one that is known when extents
    are."""

    storage: Storage
    bound: Storage | Tensor
    step: int

    def moved(self, to: Callable[[Storage], Storage]) -> Countdown:
        """The same with its storages elsewhere."""
        bound = to(self.bound) if isinstance(self.bound, Storage) else self.bound
        return Countdown(to(self.storage), bound, self.step)


@dataclass(eq=False)
class Step:
    """One step. kind: kernel, gemm, tile, pack, rows, host, copy, check, chain (runs the steps
    up to its end product by product, runtime/chains.py); of loops and branches:

    label   nothing: where a jump goes to.          jump    go on at `target`.
    branch  go on at `target` unless reads[0] is true.
    open    the cursor is at its stack's first row; back: behind its last one.
    room    go on at `target` unless the stack is full.   grow   the host makes it larger.
    point   argument slot `number` of the cursor's row is where the cursor is.
    advance the cursor goes one row on; back: one row back.

    Attributes:
        reads, writes: storages, in the order of the argument slots.
        group: the fused nodes behind a kernel or a tile; node: of a call or a host step.
        inside: runs once for each step of a loop.
        span: of the first step of a loop or a branch, whose node is `holder`: how many steps it is.
        members: of a chain. counters: of a loop's branch and checks, if they say how often it
            goes round.
    """

    kind: str
    name: str
    reads: tuple[Storage, ...] = ()
    writes: tuple[Storage, ...] = ()
    kernel: Kernel | None = None
    call: Call | None = None
    node: Node | None = None
    group: Group | None = None
    status: int = -1
    copies: tuple[Storage, Storage] | None = None
    target: Step | None = None
    cursor: Cursor | None = None
    number: int = 0
    back: bool = False
    inside: bool = False
    span: int = 0
    holder: Node | None = None
    members: tuple[Step, ...] = ()
    counters: tuple[Countdown, ...] = ()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """What the step computes."""
        if self.group is not None:
            return tuple(self.group.nodes)
        if self.members:
            return tuple(n for m in self.members for n in m.nodes)
        return () if self.node is None else (self.node,)

    @property
    def on_host(self) -> bool:
        """Host ops, and copies of strings: references are not bytes."""
        strings = any(s.tensor is not None and s.tensor.dtype.kind == "s" for s in self.writes)
        return self.kind == "host" or strings


@dataclass
class Schedule:
    """Steps in order, and the storage of every materialised tensor."""

    program: Program
    partition: Partition
    steps: list[Step]
    home: dict[Tensor, Storage]
    fetches: list[Storage]
    status_count: int
    inplace_updates: int = 0
    notes: list[str] = field(default_factory=list)
    loops: list[tuple[Step, Step]] = field(default_factory=list)  # (first, last), inner ones first
    chains: list[Chain] = field(default_factory=list)


@dataclass(eq=False)
class Unit:
    """What is scheduled as one: a group, a call (GEMM, tile, rows), a host op or a view."""

    nodes: list[Node]
    group: Group | None
    call: Call | None
    view: bool = False
    inputs: dict[Tensor, None] = field(default_factory=dict)
    exposed: list[Tensor] = field(default_factory=list)
    before: set[Unit] = field(default_factory=set)
    kernels: list[Kernel] = field(default_factory=list)
    control: bool = False
    flagged: bool = False
    writes_variable: bool = False

    @property
    def may_fail(self) -> bool:
        host = self.group is None and self.call is None and not self.view
        return self.flagged or host


def kernel_name(nodes: Sequence[Node]) -> str:
    """Readable: up to three op names of the group, and how many more there are."""
    names = list(dict.fromkeys(n.op.name for n in nodes))
    short = "_".join(names[-3:])
    return f"{short}_and_{len(nodes) - 3}" if len(nodes) > 3 else short


def origins_of(nodes: Sequence[Node]) -> tuple[str, ...]:
    """What a kernel's header says of the nodes in it."""
    return tuple(f"{n.name or n.op.name} ({n.op.name}), {n.origin.location()}" for n in nodes)
