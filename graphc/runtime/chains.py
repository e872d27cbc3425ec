"""Chains: steps over the same batch of products that run product by product.

Lives here: Chain, make_chains, fill_chain. Not here: what members must be (chain_members.py), the
compiled walk (chain_walk.py), tiles (tiles.py). The scheduler and bindings import this module.

Attention is the case in point: scores, softmax and the product behind it, and their gradients, all
run over (batch, head). One after the other they move all scores through memory several times. Here
each product's scores stay in the cache until its last reader is done, and what nobody else reads
exists for the products at work only, not for all: a part for each piece.

A step may be a member where it does product p on its own: what members hand on to each other they
read and write at that product's elements alone. That is proved from the indices of the kernels.
Where one product's scores are too large for the cache, and all members go row by row, they do so
in blocks of rows.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphc.ir.shape import Dim, evaluate
from graphc.kernel.linear import exact_quotient
from graphc.runtime import chain_walk, driver
from graphc.runtime.chain_members import aligned, are_panels, row_kernel, rows_of, units_of
from graphc.runtime.steps import Step, Storage
from graphc.runtime.tiles import MAX_PIECES, TileCall, in_rows

if TYPE_CHECKING:
    from graphc.runtime.binding import Binding

LEAST_PRODUCTS = MAX_PIECES  # fewer would leave threads without work
LEAST_BYTES = 1 << 17  # of what members hand on: below this it is in the cache anyhow
MOST_STEPS = 64  # between the first and the last member
BLOCK_BYTES = 1 << 19  # of a block's own memory: half of a second cache
LINE = 64


@dataclass(frozen=True)
class Blocks:
    """Products of `rows` rows, `size` at a time."""

    rows: int
    size: int

    @property
    def count(self) -> int:
        return -(-self.rows // self.size)


@dataclass(eq=False)
class Chain:
    """The steps between `head`, which runs them, and `end`. batch: how many products there are.

    own: storages with a part for each piece, and the elements of one product in them. blocks: of
    rows, where products are cut.
    """

    head: Step
    end: Step
    batch: Dim
    own: dict[Storage, Dim]
    blocks: Blocks | None = None

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
        others = [*self.done, *order[0], *order[1], *self.steps[self.at + last :]]
        own = self._own(handed, others)
        blocks = self._blocks(own)
        packs: list[Step] = []
        if blocks is not None:
            written = {s for m in self.members for s in m.writes}
            for member in self.members:
                member.kernel = row_kernel(member, self.batch, blocks.rows, written)
                packs += _by_rows(member)
        return _Found(self._chain(own, blocks), [*order[0], *packs], order[1], last)

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

    def _own(self, handed: Sequence[Storage], others: Sequence[Step]) -> dict[Storage, Dim]:
        """Those that nobody else reads, with the elements of a product."""
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

    def _blocks(self, own: dict[Storage, Dim]) -> Blocks | None:
        """Blocks of rows, where one product's own memory does not stay in the second cache."""
        call = self.members[0].call
        assert isinstance(call, TileCall)
        rows = call.product.m
        size = sum(evaluate(e, self.hints) * s.dtype_size for s, e in own.items())
        if not isinstance(rows, int) or size <= BLOCK_BYTES:
            return None
        written = {s for m in self.members for s in m.writes}
        steps = [rows_of(m, self.batch, rows, written) for m in self.members]
        if None in steps:
            return None
        least = math.lcm(*(s for s in steps if s is not None))
        block = max(BLOCK_BYTES * rows // size // least, 1) * least
        return Blocks(rows, block) if block <= rows // 2 else None

    # ------------------------------------------------------------ making
    def _chain(self, own: dict[Storage, Dim], blocks: Blocks | None) -> Chain:
        moved: dict[Storage, Storage] = {}
        parts: dict[Storage, Dim] = {}
        for storage, elements in own.items():
            part = elements
            if blocks is not None:
                per_row = exact_quotient(elements, blocks.rows)
                assert per_row is not None
                part = per_row * blocks.size
            room = _padded(part, storage.dtype_size)
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
        if blocks is not None:
            name += f" in blocks of {blocks.size} rows"
        head = Step("chain", name, members=tuple(self.members))
        return Chain(head, Step("label", "end"), self.batch, parts, blocks)


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
    a, b = step.reads[:2]
    key = ("panels", "by rows", call.node)
    panels = Storage("arena", key, b.dtype_size, changed.pack.elements)
    step.call, step.reads = changed, (a, panels)
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
    members = []
    for member, row in zip(chain.members, rows, strict=True):
        units = evaluate(_units(member, chain.batch), symbols)
        each = units if chain.blocks is None else _units_of_block(member, units, chain.blocks)
        members.append((int(row[driver.FN]), int(row[driver.ARGS]), units, each))
    patches = []
    for member, row in zip(chain.members, rows, strict=True):
        for n, storage in enumerate((*member.reads, *member.writes)):
            if storage in chain.own:
                size = storage.dtype_size
                whole = binding.nbytes[binding.number[storage]]
                own = evaluate(chain.own[storage], symbols) * size
                block = own // blocks.rows * blocks.size if chain.blocks is not None else 0
                patches.append((int(row[driver.ARGS]) + n, whole // MAX_PIECES, own, block))
    head = binding.table[place[chain.head]]
    head[driver.KIND] = driver.KERNEL
    head[driver.FN] = chain_walk.address()
    head[driver.ARGS] = len(args)
    head[driver.EXTENT] = tasks
    head[driver.CHUNK] = chunk
    first = int(rows[0][driver.ARGS])
    args.extend(chain_walk.record(len(args), first, chunk, blocks.count, members, patches))


def _units_of_block(step: Step, units: int, blocks: Blocks) -> int:
    if isinstance(step.call, TileCall):
        return blocks.size // step.call.spec.tile.rows
    return units // blocks.rows * blocks.size


def _units(step: Step, batch: Dim) -> Dim:
    units = units_of(step, batch)
    assert units is not None
    return units

