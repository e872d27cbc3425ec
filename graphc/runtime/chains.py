"""Chains: steps over the same batch of products that run product by product.

Lives here: Chain, make_chains, fill_chain. Not here: the compiled walk (runtime/chain_walk.py),
tiles (runtime/tiles.py). The scheduler and bindings import this module.

Attention is the case in point: scores, softmax and the product behind it, and their gradients, all
run over (batch, head). One after the other they move all scores through memory several times. Here
each product's scores stay in the cache until its last reader is done, and what nobody else reads
exists for the products at work only, not for all: a part for each piece.

A step may be a member where it does product p on its own: what members hand on to each other they
read and write at that product's elements alone. That is proved from the indices of the kernels.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphc.ir.shape import Dim, evaluate
from graphc.kernel.expr import Axis, Buffer, Expr, Load, Local, loads, postorder, substitute
from graphc.kernel.linear import bounds, exact_quotient, nonneg, quick_linear, to_expr
from graphc.kernel.nest import For, Kernel, Let, Stmt, Store, Update
from graphc.runtime import chain_walk, driver
from graphc.runtime.steps import Step, Storage
from graphc.runtime.tiles import MAX_PIECES, TileCall

if TYPE_CHECKING:
    from graphc.runtime.binding import Binding

LEAST_PRODUCTS = MAX_PIECES  # fewer would leave threads without work
LEAST_BYTES = 1 << 17  # of what members hand on: below this it is in the cache anyhow
MOST_STEPS = 64  # between the first and the last member
LINE = 64


@dataclass(eq=False)
class Chain:
    """The steps between `head`, which runs them, and `end`. batch: how many products there are.

    own: storages with a part for each piece, and the elements of one product in them.
    """

    head: Step
    end: Step
    batch: Dim
    own: dict[Storage, Dim]

    @property
    def steps(self) -> list[Step]:
        """As they stand in a schedule: the walk passes over the members, the head runs them."""
        return [self.head, Step("jump", "end", target=self.end), *self.members, self.end]

    @property
    def members(self) -> tuple[Step, ...]:
        return self.head.members


def make_chains(
    steps: Sequence[Step], kept: set[Storage], hints: dict[str, int]
) -> tuple[list[Step], list[Chain]]:
    """The steps with those that can be chained together, and the chains.

    Args:
        kept: storages that are read behind the last step.
        hints: extents to expect of symbols.
    """
    out: list[Step] = []
    chains: list[Chain] = []
    at = 0
    while at < len(steps):
        found = _Growth(steps, at, kept, hints).run() if _seeds(steps[at], hints) else None
        if found is None:
            out.append(steps[at])
            at += 1
            continue
        chains.append(found.chain)
        out += [*found.before, *found.chain.steps]
        steps = [*steps[:at], *found.after, *steps[at + found.count :]]
    return out, chains


def _seeds(step: Step, hints: dict[str, int]) -> bool:
    call = step.call
    if not isinstance(call, TileCall) or not call.product.batched or step.inside:
        return False
    return evaluate(call.product.batch, hints) >= LEAST_PRODUCTS


@dataclass
class _Found:
    chain: Chain
    before: list[Step]
    after: list[Step]
    count: int


class _Growth:
    """A chain that begins at one step."""

    def __init__(
        self, steps: Sequence[Step], at: int, kept: set[Storage], hints: dict[str, int]
    ) -> None:
        self.steps = steps
        self.at = at
        self.kept = kept
        self.hints = hints
        call = steps[at].call
        assert isinstance(call, TileCall)
        self.batch: Dim = call.product.batch
        self.members: list[Step] = []
        self.before: list[Step] = []
        self.after: list[Step] = []

    def run(self) -> _Found | None:
        last = 0
        # what stands in front as of the last member; later steps stay where they are
        order: tuple[list[Step], list[Step]] = ([], [])
        for count, step in enumerate(self.steps[self.at : self.at + MOST_STEPS], 1):
            if step.kind not in ("kernel", "tile", "pack", "gemm", "rows") or step.status >= 0:
                break
            if self._joins(step):
                self.members.append(step)
                last = count
                order = (list(self.before), list(self.after))
            elif _clash(step, self.members) or _clash(step, self.after):
                self.after.append(step)
            else:
                self.before.append(step)
        handed = self._handed()
        size = sum(evaluate(s.nbytes, self.hints) for s in handed)
        if len(self.members) < 2 or size < LEAST_BYTES:
            return None
        own = self._own(handed, self.steps[self.at + last :], order[1])
        return _Found(self._chain(own), *order, last)

    # ------------------------------------------------------------ members
    def _joins(self, step: Step) -> bool:
        """Whether the step can run product by product behind the members, and profits from it."""
        if any(s.kind == "variable" and not s.is_read for s in step.writes):
            return False
        if units_of(step, self.batch) is None or _clash(step, self.after):
            return False
        if not self.members:
            return True
        together = False
        for member in self.members:
            for storage in _shared(step, member):
                written = storage in (*step.writes, *member.writes)
                apart = aligned(step, storage, self.batch) and aligned(
                    member, storage, self.batch
                )
                if written and not apart:
                    return False
                together = together or apart
        return together

    def _handed(self) -> list[Storage]:
        """What one member writes and another one reads."""
        written = {s: None for m in self.members for s in m.writes if s.kind == "arena"}
        return [
            s for s in written
            if any(s in m.reads and s not in m.writes for m in self.members)
        ]  # fmt: skip

    def _own(
        self, handed: Sequence[Storage], later: Sequence[Step], after: Sequence[Step]
    ) -> dict[Storage, Dim]:
        """Those that nobody else reads, with the elements of a product."""
        others = [*self.steps[: self.at], *later, *after]
        outside = {s for step in others for s in (*step.reads, *step.writes)}
        first = {s: m for m in reversed(self.members) for s in (*m.reads, *m.writes)}
        out: dict[Storage, Dim] = {}
        for storage in handed:
            elements = exact_quotient(storage.elements, self.batch)
            # what is read first was made before
            private = storage not in outside and storage not in self.kept
            if private and elements is not None and storage not in first[storage].reads:
                out[storage] = elements
        return out

    # ------------------------------------------------------------ making
    def _chain(self, own: dict[Storage, Dim]) -> Chain:
        moved: dict[Storage, Storage] = {}
        parts: dict[Storage, Dim] = {}
        for storage, elements in own.items():
            room = _padded(elements, storage.dtype_size)
            new = Storage("arena", ("part", storage.key), storage.dtype_size, room * MAX_PIECES)
            moved[storage] = new
            parts[new] = elements
        for member in self.members:
            member.reads = tuple(moved.get(s, s) for s in member.reads)
            member.writes = tuple(moved.get(s, s) for s in member.writes)
            call = member.call
            if isinstance(call, TileCall) and call.packing:
                member.call = replace(call, alone=True)
                parts[member.writes[-1]] = call.product.k * call.spec.packed_step
        name = f"{len(self.members)} steps, product by product"
        head = Step("chain", name, members=tuple(self.members))
        return Chain(head, Step("label", "end"), self.batch, parts)


def _padded(elements: Dim, itemsize: int) -> Dim:
    """A part's elements: parts begin on a cache line, and not all in the same set of the cache."""
    line = LINE // itemsize
    return (elements + line - 1) // line * line + line


def _key(storage: Storage) -> Hashable:
    """Storages of one key are the same memory."""
    named = storage.kind in ("variable", "feed", "const", "fetch")
    return (storage.kind, storage.key) if named else id(storage)


def _clash(step: Step, others: Sequence[Step]) -> bool:
    """Whether the step must stay behind one of the others."""
    reads, writes = {_key(s) for s in step.reads}, {_key(s) for s in step.writes}
    return any(
        writes.intersection(map(_key, (*o.reads, *o.writes))) or reads.intersection(
            map(_key, o.writes)
        )
        for o in others
    )


def _shared(step: Step, member: Step) -> list[Storage]:
    touched = {*member.reads, *member.writes}
    return [s for s in dict.fromkeys((*step.reads, *step.writes)) if s in touched]


# ------------------------------------------------------------------ what is done for a product
def units_of(step: Step, batch: Dim) -> Dim | None:
    """How much of the step's extent belongs to one product, None where that cannot be told."""
    if step.kind == "tile" and isinstance(step.call, TileCall):
        product = step.call.product
        if not product.batched or product.batch != batch:
            return None
        if not isinstance(product.m, int) or not isinstance(product.n, int):
            return None
        return step.call.spec.tasks(1, product.m, product.n)
    if step.kernel is None or step.kernel.flags or _parallel(step.kernel) is None:
        return None
    return exact_quotient(step.kernel.extent, batch)


def aligned(step: Step, storage: Storage, batch: Dim) -> bool:
    """Whether product p of the step touches the p-th part of the storage alone."""
    own = exact_quotient(storage.elements, batch)
    if own is None:
        return False
    call = step.call
    if isinstance(call, TileCall):
        return _tile_aligned(step, call, storage, own, batch)
    if step.kernel is None:
        return False
    return all(
        _kernel_aligned(step.kernel, buffer, storage.elements, batch)
        for buffer in _buffers(step, step.kernel.buffers, storage)
    )


def _tile_aligned(
    step: Step, call: TileCall, storage: Storage, own: Dim, batch: Dim
) -> bool:
    product = call.product
    sizes = {0: product.m * product.k, 1: product.k * product.n}
    for slot, size in sizes.items():
        if step.reads[slot] is storage and size != own:
            return False
    if call.finish is None:
        return storage not in step.writes or (
            storage is step.writes[0] and product.m * product.n == own
        )
    if storage in step.writes and storage not in step.writes[: len(call.finish.outputs)]:
        return False
    named = (*call.inputs, *call.finish.outputs)
    behind = (*step.reads[2:], *step.writes[: len(call.finish.outputs)])
    return all(
        _kernel_aligned(call.finish, buffer, storage.elements, batch)
        for buffer, home in zip(named, behind, strict=True)
        if home is storage
    )


def _buffers(step: Step, named: Sequence[Buffer], storage: Storage) -> list[Buffer]:
    homes = (*step.reads, *step.writes)
    return [b for b, home in zip(named, homes, strict=True) if home is storage]


def _kernel_aligned(kernel: Kernel, buffer: Buffer, elements: Dim, batch: Dim) -> bool:
    """Whether all that a kernel reads and writes of the buffer moves along with its first loop."""
    loop = _parallel(kernel)
    if loop is None:
        return False
    units = exact_quotient(kernel.extent, batch)
    stride = exact_quotient(elements, kernel.extent)
    if units is None or stride is None or loop.axis.extent != kernel.extent:
        return False
    for offset in _offsets(kernel, buffer):
        form = quick_linear(offset)
        if form is None or form.terms.pop(loop.axis, 0) != stride:
            return False
        low, high = bounds(form)
        if low is None or high is None or _names(to_expr(form), loop.axis):
            return False
        if not nonneg(low) or not nonneg(stride - 1 - high):
            return False
    return True


def _names(expr: Expr, axis: Axis) -> bool:
    """Whether the axis, or what is not known at this place, stands in the expression."""
    return any(e == axis or isinstance(e, Load | Local) for e in postorder(expr))


def _parallel(kernel: Kernel) -> For | None:
    first = kernel.body[0] if kernel.body else None
    return first if isinstance(first, For) and first.kind == "parallel" else None


def _offsets(kernel: Kernel, buffer: Buffer) -> Iterator[Expr]:
    """Of everything that the kernel reads and writes of the buffer."""
    lets: dict[Expr, Expr] = {}

    def of(value: Expr) -> Iterator[Expr]:
        for load in loads(value):
            if load.buffer == buffer:
                (where,) = load.index
                yield substitute(where, lets)

    def walk(body: Sequence[Stmt]) -> Iterator[Expr]:
        for stmt in body:
            if isinstance(stmt, Let):
                yield from of(stmt.value)
                lets[stmt.local] = substitute(stmt.value, lets)
            elif isinstance(stmt, Store):
                if stmt.buffer == buffer:
                    yield substitute(stmt.offset, lets)
                yield from of(stmt.value)
            elif isinstance(stmt, Update):
                yield from of(stmt.value)
            elif isinstance(stmt, For):
                yield from walk(stmt.body)

    yield from walk(kernel.body)


# ------------------------------------------------------------------ bindings
def fill_chain(binding: Binding, chain: Chain, args: list[int]) -> None:
    """Writes the record of a chain behind its members' arguments, and the row of its head."""
    place = {step: at for at, step in enumerate(binding.steps)}
    symbols = binding.symbols
    batch = evaluate(chain.batch, symbols)
    rows = [binding.table[place[m]] for m in chain.members]
    # what no member would split is not worth waking a worker for
    split = any(0 < row[driver.CHUNK] < row[driver.EXTENT] for row in rows)
    chunk = -(-batch // MAX_PIECES) if split else batch
    members = [
        (int(row[driver.FN]), int(row[driver.ARGS]), evaluate(_units(m, chain.batch), symbols))
        for m, row in zip(chain.members, rows, strict=True)
    ]
    patches = []
    for member, row in zip(chain.members, rows, strict=True):
        for n, storage in enumerate((*member.reads, *member.writes)):
            if storage in chain.own:
                size = storage.dtype_size
                whole = binding.nbytes[binding.number[storage]]
                own = evaluate(chain.own[storage], symbols) * size
                patches.append((int(row[driver.ARGS]) + n, whole // MAX_PIECES, own))
    head = binding.table[place[chain.head]]
    head[driver.KIND] = driver.KERNEL
    head[driver.FN] = chain_walk.address()
    head[driver.ARGS] = len(args)
    head[driver.EXTENT] = batch
    head[driver.CHUNK] = chunk
    first = int(rows[0][driver.ARGS])
    args.extend(chain_walk.record(len(args), first, chunk, members, patches))


def _units(step: Step, batch: Dim) -> Dim:
    units = units_of(step, batch)
    assert units is not None
    return units

