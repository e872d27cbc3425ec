"""Chains: steps over the same batch of products that run product by product.

Lives here: Chain, make_chains, fill_chain. Not here: what members must be (chain_members.py), parts
of products (chain_windows.py), the compiled walk (chain_walk.py), tiles (tiles.py). The scheduler
and bindings import this module.

Attention is the case in point: scores, softmax and the product behind it, and their gradients, all
run over (batch, head). One after the other they move all scores through memory several times. Here
each product's scores stay in the cache until its last reader is done, and what nobody else reads
exists for the products at work only, not for all: a part for each piece.

A step may be a member where it does product p on its own: what members hand on to each other they
read and write at that product's elements alone. That is proved from the indices of the kernels.
Where one product's scores are too large for the cache, and all members go row by row, they do so
in blocks of rows. Products alone go in windows of scores (chain_windows.py). Where neither is
possible for all members, the chain ends where the least is handed on to those behind.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphc.ir.shape import Dim, evaluate
from graphc.kernel.linear import exact_quotient
from graphc.runtime import chain_walk, driver
from graphc.runtime.chain_members import aligned, are_panels, row_kernel, rows_of, units_of
from graphc.runtime.chain_windows import Windows, by_windows, windows_of
from graphc.runtime.steps import Step, Storage
from graphc.runtime.tiles import MAX_PIECES, TileCall, in_rows

if TYPE_CHECKING:
    from graphc.runtime.binding import Binding

LEAST_PRODUCTS = MAX_PIECES  # fewer would leave threads without work
LEAST_BYTES = 1 << 17  # of what members hand on: below this it is in the cache anyhow
MOST_STEPS = 64  # between the first and the last member
BLOCK_BYTES = 1 << 19  # of a block's own memory: half of a second cache
LEFT = 4  # what a shorter chain leaves behind is this many times less than what is handed on
LINE = 64


@dataclass(frozen=True)
class Blocks:
    """Products of `rows` rows, `size` at a time."""

    rows: int
    size: int

    @property
    def count(self) -> int:
        return -(-self.rows // self.size)

    def __str__(self) -> str:
        return f"blocks of {self.size} rows"

    @property
    def down(self) -> int:
        """How many lie below each other."""
        return self.count


@dataclass(frozen=True)
class Part:
    """Elements of memory that exists for each piece: of one product, from a block to the one below
    and to the one on its right."""

    product: Dim
    down: Dim = 0
    right: Dim = 0


@dataclass(eq=False)
class Chain:
    """The steps between `head`, which runs them, and `end`. batch: how many products there are.

    own: storages with a part for each piece. blocks: of rows or windows, where products are cut.
    """

    head: Step
    end: Step
    batch: Dim
    own: dict[Storage, Part]
    blocks: Blocks | Windows | None = None

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
    at = spanned = 0
    while at < len(steps):
        found = None
        # loops and branches count their steps
        spanned = max(spanned - 1, steps[at].span)
        if not spanned and _seeds(steps[at], hints):
            found = _Growth(steps, at, kept, hints, out).run()
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
    if not isinstance(call, TileCall) or not call.product.batched:
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
        self, steps: Sequence[Step], at: int, kept: set[Storage], hints: dict[str, int],
        done: Sequence[Step],
    ) -> None:  # fmt: skip
        self.done = done
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
        # as of each member: the steps up to it, what stands in front, what behind
        ends: list[tuple[int, list[Step], list[Step]]] = []
        for count, step in enumerate(self.steps[self.at : self.at + MOST_STEPS], 1):
            if step.kind not in ("kernel", "tile", "pack", "gemm", "rows") or step.status >= 0:
                break
            if self._joins(step):
                self.members.append(step)
                ends.append((count, list(self.before), list(self.after)))
            elif _clash(step, self.members) or _clash(step, self.after):
                self.after.append(step)
            else:
                self.before.append(step)
        tries = [_Try(self, self.members[: n + 1], *end) for n, end in enumerate(ends)]
        if len(tries) < 2:
            return None
        whole = tries[-1]
        if whole.handed_bytes < LEAST_BYTES:
            return None
        return _best(tries).found()

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


class _Try:
    """The members of a chain up to one of them, and how they would run."""

    def __init__(
        self, growth: _Growth, members: Sequence[Step], count: int, before: Sequence[Step],
        after: Sequence[Step],
    ) -> None:  # fmt: skip
        self.growth = growth
        self.batch = growth.batch
        self.hints = growth.hints
        self.members = list(members)
        self.count = count
        self.before = list(before)
        self.after = list(after)

    def _bytes(self, storages: Iterable[Storage]) -> int:
        return sum(evaluate(s.nbytes, self.hints) for s in storages)

    @property
    def handed_bytes(self) -> int:
        return self._bytes(self.handed)

    @functools.cached_property
    def handed(self) -> list[Storage]:
        """What one member writes and another one reads."""
        written = {s: None for m in self.members for s in m.writes if s.kind == "arena"}
        return [
            s for s in written
            if any(s in m.reads and s not in m.writes for m in self.members)
        ]  # fmt: skip

    @functools.cached_property
    def own(self) -> dict[Storage, Dim]:
        """Those that nobody else reads, with the elements of a product."""
        growth = self.growth
        rest = growth.steps[growth.at + self.count :]
        others = [*growth.done, *self.before, *self.after, *rest]
        outside = {s for step in others for s in (*step.reads, *step.writes)}
        first = {s: m for m in reversed(self.members) for s in (*m.reads, *m.writes)}
        out: dict[Storage, Dim] = {}
        for storage in self.handed:
            elements = exact_quotient(storage.elements, self.batch)
            # what is read first was made before
            private = storage not in outside and storage not in growth.kept
            if private and elements is not None and storage not in first[storage].reads:
                out[storage] = elements
        return out

    @property
    def left(self) -> int:
        """Bytes that members write for all products at once."""
        written = {s for m in self.members for s in m.writes if not are_panels(s)}
        return self._bytes(written - self.own.keys())

    @property
    def small(self) -> bool:
        """Whether all that exists of a product stays in the cache."""
        return self._own_bytes <= BLOCK_BYTES

    @property
    def fits(self) -> bool:
        """Whether what exists at a time stays in the cache."""
        return self.small or self.blocks is not None

    @property
    def largest(self) -> int:
        """Bytes of the largest of its own storages, if it existed for all products at once."""
        return max(evaluate(s.nbytes, self.hints) for s in self.own)

    @functools.cached_property
    def _own_bytes(self) -> int:
        """Of one product's own memory."""
        return sum(evaluate(e, self.hints) * s.dtype_size for s, e in self.own.items())

    @functools.cached_property
    def blocks(self) -> Blocks | Windows | None:
        """Where one product's own memory does not stay in the second cache: parts of products."""
        if self.small:
            return None
        found = windows_of(self.members, self.batch, self.own, BLOCK_BYTES // 2)
        return found or self._rows(self._own_bytes)

    def _rows(self, size: int) -> Blocks | None:
        call = self.members[0].call
        assert isinstance(call, TileCall)
        rows = call.product.m
        if not isinstance(rows, int):
            return None
        written = {s for m in self.members for s in m.writes}
        steps = [rows_of(m, self.batch, rows, written) for m in self.members]
        if None in steps:
            return None
        least = math.lcm(*(s for s in steps if s is not None))
        block = max(BLOCK_BYTES * rows // size // least, 1) * least
        return Blocks(rows, block) if block <= rows // 2 else None

    # ------------------------------------------------------------ making
    def found(self) -> _Found:
        packs: list[Step] = []
        parts: dict[Storage, Part] = {}
        blocks = self.blocks
        if isinstance(blocks, Windows):
            for member, role in zip(self.members, blocks.roles, strict=True):
                ahead, waits = by_windows(member, role, blocks, self.own)
                packs += ahead
                if waits is not None:
                    parts[waits] = Part(waits.elements // MAX_PIECES)
        elif blocks is not None:
            written = {s for m in self.members for s in m.writes}
            for member in self.members:
                member.kernel = row_kernel(member, self.batch, blocks.rows, written)
                packs += _by_rows(member)
        chain = self._chain(parts)
        return _Found(chain, [*self.before, *packs], self.after, self.count)

    def _chain(self, parts: dict[Storage, Part]) -> Chain:
        moved: dict[Storage, Storage] = {}
        for storage, elements in self.own.items():
            part, room = _part(elements, self.blocks)
            room = _padded(room, storage.dtype_size)
            new = Storage("arena", ("part", storage.key), storage.dtype_size, room * MAX_PIECES)
            moved[storage] = new
            parts[new] = part
        for member in self.members:
            member.reads = tuple(moved.get(s, s) for s in member.reads)
            member.writes = tuple(moved.get(s, s) for s in member.writes)
            call = member.call
            if isinstance(call, TileCall) and call.packing:
                member.call = replace(call, alone=True)
                parts[member.writes[-1]] = Part(call.product.k * call.spec.packed_step)
        name = f"{len(self.members)} steps, product by product"
        if self.blocks is not None:
            name += f" in {self.blocks}"
        head = Step("chain", name, members=tuple(self.members))
        return Chain(head, Step("label", "end"), self.batch, parts, self.blocks)


def _best(tries: Sequence[_Try]) -> _Try:
    """All of it; or, where its scores leave the cache, the chain that leaves least behind.

    Scores that leave the cache on their way are better than scores of all products, so that a
    shorter chain has to fit and to leave less behind.
    """
    whole = tries[-1]
    if whole.small:
        return whole
    # a member that belongs to later ones leaves scores of its own
    most = whole.left - whole.largest if whole.fits else whole.handed_bytes // LEFT
    for shorter in sorted(tries[1:], key=lambda t: (t.left, -t.count)):
        if shorter.left > most:
            break
        if shorter.handed_bytes >= LEAST_BYTES and shorter.fits:
            return shorter
    return whole


def _part(elements: Dim, blocks: Blocks | Windows | None) -> tuple[Part, Dim]:
    """How memory of a chain's own moves along, and the elements that exist at a time."""
    if blocks is None:
        return Part(elements), elements
    if isinstance(blocks, Windows):
        block = blocks.height * blocks.length
        return Part(blocks.rows * blocks.length, block, blocks.width), block
    per_row = exact_quotient(elements, blocks.rows)
    assert per_row is not None
    return Part(elements, per_row * blocks.size), per_row * blocks.size


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


# ------------------------------------------------------------------ blocks of rows
def _by_rows(step: Step) -> list[Step]:
    """Makes the member one that goes by rows; the steps in front of all that pack for it."""
    call = step.call
    if not isinstance(call, TileCall):
        return []
    changed = in_rows(call)
    assert changed is not None
    if changed is call:
        return []
    assert changed.pack is not None
    a, b, *more = step.reads
    key = ("panels", "by rows", call.node)
    panels = Storage("arena", key, b.dtype_size, changed.pack.elements)
    step.call, step.reads = changed, (a, panels, *more)
    step.writes = tuple(s for s in step.writes if not are_panels(s))
    return [Step("pack", changed.pack.kernel_name, (b,), (panels,), call=changed.pack)]


# ------------------------------------------------------------------ bindings
def fill_chain(binding: Binding, chain: Chain, args: list[int]) -> None:
    """Writes the record of a chain behind its members' arguments, and the row of its head."""
    place = {step: at for at, step in enumerate(binding.steps)}
    symbols = binding.symbols
    batch = evaluate(chain.batch, symbols)
    rows = [binding.table[place[m]] for m in chain.members]
    blocks = chain.blocks or Blocks(1, 1)
    tasks = batch * blocks.count
    # what no member would split is not worth waking a worker for
    split = any(0 < row[driver.CHUNK] < row[driver.EXTENT] for row in rows)
    chunk = -(-tasks // MAX_PIECES) if split else tasks
    if isinstance(blocks, Windows):
        # sums go on from window to window
        chunk = -(-chunk // blocks.count) * blocks.count
    members = []
    patches: list[tuple[int, int, int, int, int]] = []
    for member, row in zip(chain.members, rows, strict=True):
        units = evaluate(_units(member, chain.batch), symbols)
        each = onward = units
        if isinstance(blocks, Windows):
            onward = 0
        elif chain.blocks is not None:
            each = onward = _units_of_block(member, units, blocks)
        first = int(row[driver.ARGS])
        members.append((int(row[driver.FN]), first, units, each, onward))
        patches += _patches(binding, chain, member, first)
    head = binding.table[place[chain.head]]
    head[driver.KIND] = driver.KERNEL
    head[driver.FN] = chain_walk.address()
    head[driver.ARGS] = len(args)
    head[driver.EXTENT] = tasks
    head[driver.CHUNK] = chunk
    cut = (blocks.count, blocks.down)
    args.extend(chain_walk.record(len(args), members[0][1], chunk, cut, members, patches))


def _patches(
    binding: Binding, chain: Chain, member: Step, first: int
) -> Iterator[tuple[int, int, int, int, int]]:
    """What changes of a member's arguments, which begin at `first`, from block to block."""
    storages = (*member.reads, *member.writes)
    for n, storage in enumerate(storages):
        part = chain.own.get(storage)
        if part is not None:
            size = storage.dtype_size
            room = binding.nbytes[binding.number[storage]] // MAX_PIECES
            steps = (part.product, part.down, part.right)
            product, down, right = (evaluate(d, binding.symbols) * size for d in steps)
            yield first + n, room, product, down, right
    if isinstance(chain.blocks, Windows):
        role = chain.blocks.roles[chain.members.index(member)]
        for n, (down, right) in enumerate(chain.blocks.starts(role), first + len(storages)):
            yield n, 0, 0, -down, -right


def _units_of_block(step: Step, units: int, blocks: Blocks) -> int:
    if isinstance(step.call, TileCall):
        return blocks.size // step.call.spec.tile.rows
    return units // blocks.rows * blocks.size


def _units(step: Step, batch: Dim) -> Dim:
    units = units_of(step, batch)
    assert units is not None
    return units

