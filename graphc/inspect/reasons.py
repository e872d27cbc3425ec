"""Why ops share a kernel, why others do not, what would change it; why a kernel is cut as it is.

Lives here: Fusion, fusions, shared_bytes, remedy, tile_text, split_text. Not here: the decisions
themselves (fusion/partition.py, fusion/anchors.py, kernel/tiles/*): this module reads their results
and says them in the user's terms. Imported by inspect only.

Call `fusions` and `tile_text` inside `shape_env` of the plan's program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphc.fusion.footprint import Access, Footprint, Footprints, strip
from graphc.fusion.partition import Group
from graphc.inspect.launches import product_text
from graphc.inspect.work import tensor_bytes
from graphc.ir.node import Node, Tensor
from graphc.ir.shape import evaluate
from graphc.kernel.nest import For, statements
from graphc.kernel.tiles.conv import ConvTile, FilterTile
from graphc.kernel.tiles.gemm import GemmTile, ranked
from graphc.passes.base import VIEWS
from graphc.runtime import driver
from graphc.runtime.binding import ALONE_NS
from graphc.runtime.conv_tiles import ConvCall
from graphc.runtime.extern import GemmCall
from graphc.runtime.gpu.plan import GpuPlan
from graphc.runtime.gpu.product_calls import GpuProductCall
from graphc.runtime.steps import Step
from graphc.runtime.tiles import FEW_FLOPS, LARGE_BYTES, LONG_SUM, TileCall, machine

if TYPE_CHECKING:
    from graphc.runtime.binding import Binding

# ------------------------------------------------------------------ why fused
SAME = "each element is used where it is computed, in a register"
ROW = "computed once a row and used for the whole row"
INTO_REDUCTION = "the reduction takes each element as it is computed"
AFTER_REDUCTION = "the row's result is used while the row is in the cache"
AFTER_IRREGULAR = "the reduction's result is finished before it is stored"
WHOLE = "computed inside the reduction that walks it"
REMAP = "computed at the index that is asked for, instead of stored and moved"
GATHER = "computed for the gathered rows alone"
BROADCAST = "cheap: computed again where it is broadcast"
ALONG = "sums over rows go along with the rows that the kernel computes"
ON_TILES = "runs on each tile of the product while it is in the cache"
NO_COST = "only another name for the same memory"


@dataclass(frozen=True)
class Fusion:
    """An edge inside a kernel.

    Attributes:
        nbytes: that do not go through memory: the read, and with the first reader the write where
            nobody outside needs the value.
        reason: why the two share a kernel.
    """

    producer: Node
    consumer: Node
    nbytes: int
    reason: str


def fusions(
    group: Group, stored: set[Tensor], symbols: Mapping[str, int], known: Footprints | None = None
) -> list[Fusion]:
    """The edges inside a group, in the order of its nodes.

    Args:
        stored: tensors that steps write to memory. symbols: the extents.
        known: footprints, shared between the groups of a program.
    """
    known = known or Footprints()
    members = set(group.nodes)
    written: set[Tensor] = set()
    out = []
    for node in group.nodes:
        for tensor in dict.fromkeys(node.inputs):
            if tensor.node not in members:
                continue
            nbytes = tensor_bytes(tensor, symbols)
            first = tensor not in written and tensor not in stored
            written.add(tensor)
            reason = _reason(group, node, tensor, known)
            saved = 0 if reason == NO_COST else nbytes * (1 + first)
            out.append(Fusion(tensor.node, node, saved, reason))
    return out


def shared_bytes(group: Group, symbols: Mapping[str, int]) -> int:
    """Bytes of what comes from outside that are read once, and not again by each member."""
    members = set(group.nodes)
    readers: dict[Tensor, int] = {}
    for node in group.nodes:
        for tensor in dict.fromkeys(node.inputs) if node.op.name not in VIEWS else ():
            if tensor.node not in members:
                readers[tensor] = readers.get(tensor, 0) + 1
    return sum((count - 1) * tensor_bytes(t, symbols) for t, count in readers.items())


def _reason(group: Group, node: Node, tensor: Tensor, known: Footprints) -> str:
    producer = tensor.node
    if node.op.name in VIEWS:
        return NO_COST
    if producer.op.kernel is None or producer.op.family == "extern" or producer.attrs.get("tiled"):
        return ON_TILES
    if node.op.kernel is None:
        return ON_TILES  # a view of a product, by another way
    if node in group.sums and producer not in group.sums:
        return ALONG
    reader = known.of(node)
    access = reader.reads.get(tensor, Access("point"))
    if access.kind == "gather":
        return GATHER
    if access.kind == "remap" or producer in group.detached:
        return REMAP
    if access.kind == "whole":
        return WHOLE
    return _aligned(known.of(producer), reader, access, tensor)


def _aligned(producer: Footprint, reader: Footprint, access: Access, tensor: Tensor) -> str:
    """The tensor is read at some of the reader's axes, in order."""
    if producer.reduces:
        return AFTER_REDUCTION if producer.regular else AFTER_IRREGULAR
    if access.positions != tuple(range(len(access.positions))):
        return BROADCAST
    if len(strip(tensor.known_dims)) < len(reader.domain):
        return ROW
    return INTO_REDUCTION if reader.reduces else SAME


# ------------------------------------------------------------------ what would change a refusal
# (how a reason begins or ends, what would change it)
_REMEDIES: tuple[tuple[str, str], ...] = (
    ("the view costs nothing", "nothing to change: no bytes are moved for it"),
    (
        "the sums over rows must be finished",
        "nothing: the sums are complete only when every row has been seen",
    ),
    (
        "the sums over rows belong to another domain",
        "sum tensors of one shape over the same axes, then their sums share a kernel",
    ),
    (
        "the reduction over everything runs in chunks of its own",
        "reduce over the last axis first and over the rest in a second step",
    ),
    ("the kernel would hold more than", "raise Config(max_fused_ops=...)"),
    ("too many reductions", "nothing: more reductions in one loop would run out of registers"),
    ("the kernel would be too large to compile", "nothing: the cost of compiling it is too high"),
    ("the kernel would touch more than", "nothing: so many buffers leave no registers for sums"),
    (
        "the reduction must be finished before its result is broadcast",
        "let the reduced axes be the last ones (transpose the operand): then one kernel reduces a "
        "row and uses its result at once",
    ),
    (
        "the reduction over everything must be finished",
        "nothing: the one number exists only when everything has been read",
    ),
    (
        "the two loop over different domains",
        "ops over tensors of the same shape share a loop: reshape or broadcast outside of the two",
    ),
    (
        "the reduction over everything runs in chunks and cannot store",
        "let nobody else read what is reduced (no fetch, no other op): then it is not stored",
    ),
    ("the two reduce different axes", "reduce both over the same last axes"),
    (
        "a reduction would be computed again",
        "nothing: storing it is cheaper than reducing again for each use",
    ),
    (
        "its value is needed elsewhere too",
        "if no fetch and no other op read it, it would be computed inside its only reader",
    ),
    (
        "and its value is needed elsewhere too",
        "if no fetch and no other op read it, it would be computed inside its only reader",
    ),
    (
        "a reduction is read at another index",
        "put the reshape, slice or transpose in front of the reduction",
    ),
    (
        "gathered rows would be computed again",
        "gather first, then compute on the rows that were gathered",
    ),
    (
        "computing it again costs more than reading it",
        "broadcast along the inner axes, or make it cheaper (sums and products instead of "
        "transcendental functions)",
    ),
    (
        "another kernel must run between the two",
        "take away what stands between them: a product, a host step or a control dependency",
    ),
    (
        "what reads the product is no kernel",
        "nothing: the reader runs on the host or is a product itself and reads from memory",
    ),
    (
        "the kernel stands behind another product already",
        "nothing: a kernel runs on the tiles of one product; it reads this one from memory",
    ),
    (
        "the product must be finished before it is reduced",
        "nothing: a tile holds a part of a row only",
    ),
    ("what reads the product only renames it", "nothing to change: no bytes are moved for it"),
    (
        "parts of the kernel are computed at other indices",
        "keep slices, transposes and concatenations apart from the ops behind the product",
    ),
    (
        "the product is read at another index",
        "read the product at its own elements first, and slice or transpose the result",
    ),
    (
        "a part of the kernel that is stored has fewer axes",
        "fetch the full result instead of the part with fewer axes",
    ),
    ("the kernel touches more than", "nothing: so many buffers leave no registers for sums"),
    (
        "it is computed again so as not to be kept",
        'nothing within the memory: Config(disabled=("recompute",)) keeps the weights instead',
    ),
)


def remedy(reason: str) -> str:
    """What would let the two ops of a refusal share a kernel, or why nothing would; "" if unknown.
    """
    for words, text in _REMEDIES:
        if reason.startswith(words) or reason.endswith(words):
            return text
    return ""


# ------------------------------------------------------------------ tiles and pieces
def tile_text(step: Step, binding: Binding) -> str:
    """How a step's work is cut into registers, and why; "" where nothing is chosen."""
    call = step.call
    hints = binding.plan.program.env.hints
    if isinstance(binding.plan, GpuPlan):
        if isinstance(call, GpuProductCall):
            return product_text(binding.plan.device, call, binding.symbols)
        return ""  # its launch says it
    if isinstance(call, TileCall):
        return _gemm_text(call, hints)
    if isinstance(call, ConvCall):
        return _conv_text(call.spec)
    if isinstance(call, GemmCall):
        return _blas_text(call, hints)
    loops = () if step.kernel is None else statements(step.kernel.body)
    lanes = [s.lanes for s in loops if isinstance(s, For) and s.lanes > 1]
    return f"vector loops of {max(lanes)} elements" if lanes else ""


def _sizes(call: GemmCall, values: Mapping[str, int]) -> tuple[int, int, int, int]:
    batch, m, n, k = (evaluate(d, values) for d in (call.batch, call.m, call.n, call.k))
    return batch, m, n, k


def _blas_text(call: GemmCall, values: Mapping[str, int]) -> str:
    batch, m, n, k = _sizes(call, values)
    if k >= LONG_SUM and m * k * call.out.dtype.size >= LARGE_BYTES:
        why = "a large product with long sums: BLAS cuts them, tiles would not"
    elif 2.0 * batch * m * n * k < FEW_FLOPS:
        why = "a small product: BLAS needs no compilation"
    else:
        why = "tiles do not serve it"
    return f"BLAS: {m} x {k} times {k} x {n}{_times(batch)}; {why}"


def _times(batch: int) -> str:
    return f", {batch} times" if batch > 1 else ""


def _gemm_text(call: TileCall, hints: Mapping[str, int]) -> str:
    spec = call.spec
    batch, m, n, k = _sizes(call.product, hints)
    tile, registers = spec.tile, machine().registers
    walked = "columns" if spec.by_columns else "rows"
    lines = [
        f"{m} x {k} times {k} x {n}{_times(batch)}, in tiles of {tile.rows} rows x "
        f"{tile.vectors} vectors of {tile.lanes} {spec.dtype.name}: "
        f"{tile.rows * tile.vectors} of {registers} registers hold sums",
        f"a task is a strip of {walked}; {_packing(spec)}",
    ]
    choices = (True,) if spec.packs else (False,) if spec.batched else (False, True)
    ways = sorted(ranked(machine(), spec.dtype.size, (m, n, k), choices), key=lambda way: way[0])
    others = [w for w in ways if (w[1], w[2]) != (tile, spec.by_columns)][:3]
    own = next((w[0] for w in ways if (w[1], w[2]) == (tile, spec.by_columns)), 0.0)
    if own and others:
        texts = [
            f"{t.rows} x {t.vectors} by {'columns' if c else 'rows'} {cost / own:.2f}"
            for cost, t, c in others
        ]
        lines.append(f"estimated times of the next best, in its own: {', '.join(texts)}")
    if call.finish is not None:
        lines.append(f"{call.finish.name} runs on each tile before it leaves the cache")
    return "\n".join(lines)


def _packing(spec: GemmTile) -> str:
    columns = spec.tile.columns
    if spec.packing == "copy":
        return f"it copies {columns} columns of B at a time into a panel: its rows lie far apart"
    if spec.packing == "turn":
        return f"it turns {columns} columns of B at a time into a panel: B is transposed"
    if spec.packing == "given":
        return "B was written into panels by a step of its own, for several products"
    return "B is read where it lies: it fits into the cache"


def _conv_text(spec: ConvTile | FilterTile) -> str:
    registers = machine().registers
    if isinstance(spec, FilterTile):
        block = f"{spec.images} images" if spec.images > 1 else f"{spec.span} rows of an image"
        return (
            f"gradient of a filter: a task sums one tap of {spec.rows * spec.joint} rows x "
            f"{spec.vectors} vectors of {spec.lanes} {spec.dtype.name} in "
            f"{spec.rows * spec.joint * spec.vectors} of {registers} registers, over {block} at "
            "a time, so that what it reads stays in the cache"
        )
    several = f" of {spec.images} images" if spec.images > 1 else ""
    packed = ""
    if spec.packed:
        whose = "each task packs" if spec.packing else "a step in front packs"
        packed = f"; {whose} the filter into panels: its rows lie far apart"
    return (
        f"taps {'x'.join(map(str, spec.taps))}, {spec.depth} to {spec.channels} channels, in tiles "
        f"of {spec.width} outputs{several} x {spec.vectors} vectors of {spec.lanes} "
        f"{spec.dtype.name}: {spec.width * spec.images * spec.vectors} of {registers} registers "
        f"hold sums; a task is a {'block of channels' if spec.by_columns else 'row'}{packed}"
    )


def split_text(at: int, binding: Binding) -> str:
    """In how many pieces the step number `at` runs; "" where it is no compiled step of the CPU."""
    row = binding.table[at]
    step = binding.steps[at]
    if isinstance(binding.plan, GpuPlan):
        return ""
    if row[driver.KIND] != driver.KERNEL or (step.kernel is None and step.call is None):
        return ""
    extent, chunk = int(row[driver.EXTENT]), int(row[driver.CHUNK])
    if chunk <= 0 or extent <= chunk:
        return f"one piece: too little work to share (below about {ALONE_NS / 1000:.0f} us)"
    return f"{-(-extent // chunk)} pieces of {chunk}, shared between threads"


def stored_tensors(steps: Sequence[Step]) -> set[Tensor]:
    """The tensors that steps write to memory."""
    return {s.tensor for step in steps for s in step.writes if s.tensor is not None}
