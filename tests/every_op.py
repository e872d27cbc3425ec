"""Calls of every op record: from samples to graphs, for the tests that walk the registry.

Lives here: Case, cases_of. Not here: what is checked (test_every_op.py), sample values (beside
each op).
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import ops
from graphc.ir.dtypes import FLOAT, DType, float32, int32
from graphc.ir.node import Node, Tensor
from graphc.ops.define import REGISTRY, OpDef
from graphc.ops.samples import Arg, Domain, Sample
from tests.helpers import Array, const, placeholder

ops.load_all()

# only in programs, or without a value of their own: small tests by name
SPECIAL = frozenset(
    {
        "const", "placeholder", "variable", "no_op", "is_variable_initialized",
        "initialized_value", "rng_state", "feed", "read", "initialized",
        "uninitialized_names", "count_limit", "iterator_handle", "prevent_gradient",
        "require_initialized", "bound", "fifo_queue", "padding_fifo_queue",
        "random_shuffle_queue", "priority_queue", "queue_enqueue", "queue_enqueue_many",
        "queue_dequeue", "queue_dequeue_many", "queue_dequeue_up_to", "queue_close", "queue_size",
        "queue_is_closed", "text_line_reader", "tf_record_reader", "whole_file_reader",
        "identity_reader", "fixed_length_record_reader", "reader_read", "reader_read_up_to",
        "reader_reset", "reader_num_records_produced", "reader_num_work_units_completed",
        "deserialize_sparse", "host_control", "checkpoint_value",
    }
)  # fmt: skip
SHAPES = {  # arity -> shapes of the operands
    1: (((1037,),), ((),), ((3, 4),), ((0, 3),), ((5,),)),
    2: (
        ((1037,), (1037,)), ((3, 1), (4,)), ((1,), (2, 3)), ((), (3, 4)), ((2, 5), ()),
        ((0, 3), (3,)), ((), ()), ((2, 1, 4), (3, 1)),
    ),
    3: (((1037,),) * 3, ((3, 1), (4,), ()), ((), (2, 3), (1, 3)), ((0, 3),) * 3),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One call.

    Attributes:
        symbolic: placeholders have no static extents. layout: how feeds lie in memory: "plain",
        "reversed", "strided", "transposed". fed: constants are fed, too.
    """

    op: OpDef
    sample: Sample
    dtype: DType
    symbolic: bool = False
    layout: str = "plain"
    seed: int = 0
    fed: bool = False

    def __str__(self) -> str:
        shapes = ", ".join(
            str(a.shape) if a.array is None else np.array_repr(np.asarray(a.array))
            for a in self.sample.inputs
        )
        domains = ", ".join(a.domain.text for a in self.sample.inputs if a.domain is not None)
        kind = "symbolic" if self.symbolic else "static"
        return (
            f"{self.op.name}[{self.dtype.name}] ({shapes}) {self.sample.attrs} {domains} {kind}"
            f" {self.layout}"
        )

    def arrays(self) -> list[Array]:
        rng = np.random.default_rng(zlib.crc32(self.op.name.encode()) + self.seed)
        return [laid_out(a.make(rng, self.dtype), self.layout) for a in self.sample.inputs]

    def build(self) -> tuple[Node, dict[Tensor, Array]]:
        """The node in the default graph, and its feeds."""
        tensors, feeds = [], {}
        for spec, array in zip(self.sample.inputs, self.arrays(), strict=True):
            kind = spec.dtype or self.dtype
            if spec.const and not self.fed:
                tensors.append(const(array, kind))
                continue
            dims = (None,) * array.ndim if self.symbolic else array.shape
            tensors.append(placeholder(kind, dims))
            feeds[tensors[-1]] = array
        return self.op.node(*tensors, **self.sample.attrs), feeds


def laid_out(array: Array, layout: str) -> Array:
    """The same values in other memory."""
    if layout == "reversed" and array.ndim:
        turned = np.ascontiguousarray(array[(slice(None, None, -1),) * array.ndim])
        return turned[(slice(None, None, -1),) * array.ndim]
    if layout == "strided" and array.ndim:
        wide = np.zeros((*array.shape[:-1], array.shape[-1] * 2), array.dtype)
        wide[..., ::2] = array
        return wide[..., ::2]
    if layout == "transposed" and array.ndim:
        return np.asfortranarray(array)
    return array


# ------------------------------------------------------------------ which calls
def records() -> list[OpDef]:
    """Every record that is tested by its samples."""
    tested = (r for r in REGISTRY.values() if r.name not in SPECIAL)
    return [r for r in tested if r.family not in ("state", "control")]


def numeric(op: OpDef, group: Any = "T") -> tuple[DType, ...]:
    """The group's dtypes that kernels can have; of an op for others those that it takes."""
    if isinstance(group, DType):
        return (group,)
    allowed = op.dtypes.get(group, FLOAT)
    return tuple(d for d in allowed if d.kind in "fiub") or tuple(allowed)


def dtypes_of(op: OpDef, sample: Sample) -> tuple[DType, ...]:
    """The dtypes that a sample runs in, the most important first."""
    if sample.dtypes is not None:
        return tuple(sample.dtypes)
    free = [op.group(i) for i, a in enumerate(sample.inputs) if a.dtype is None]
    allowed = numeric(op, free[0] if free else "T")
    first = [d for d in (float32, int32) if d in allowed]
    return tuple(dict.fromkeys([*first, *allowed]))


def cases_of(op: OpDef, everything: bool = False) -> Iterator[Case]:
    """The calls of a record: every dtype once, the first two in every shape and domain."""
    plain = [s for s in op.samples if isinstance(s, Sample)]
    domains = [s for s in op.samples if not isinstance(s, Sample)]
    if domains:
        yield from _elementwise(op, domains, everything)
    yield from _explicit(op, plain, everything)


def _elementwise(op: OpDef, domains: Sequence[Any], everything: bool) -> Iterator[Case]:
    arity = len(op.args)
    layouts = itertools.cycle(("plain", "reversed", "strided", "transposed"))
    for seed, (number, entry) in enumerate(enumerate(domains)):
        parts: tuple[Domain, ...] = entry if isinstance(entry, tuple) else (entry,) * arity
        fixed = tuple(g if isinstance(g := op.group(i), DType) else None for i in range(arity))
        dtypes = dtypes_of(op, Sample(tuple(Arg(d, (), f) for d, f in zip(parts, fixed))))
        for at, dtype in enumerate(dtypes):
            wide = everything or (at < 2 and number == 0) or (at == 0 and number == 1)
            for n, shapes in enumerate(SHAPES[arity] if wide else SHAPES[arity][:1]):
                args = tuple(Arg(d, s, f) for d, s, f in zip(parts, shapes, fixed, strict=True))
                smooth = all(d.smooth for d in parts)
                layout = next(layouts)
                kinds = (True, False) if everything else (n % 2 == 0,)
                for symbolic in kinds:
                    yield Case(op, Sample(args, grad=smooth), dtype, symbolic, layout, seed + n)


def _explicit(op: OpDef, samples: Sequence[Sample], everything: bool) -> Iterator[Case]:
    layouts = itertools.cycle(("plain", "reversed", "strided", "transposed"))
    for number, sample in enumerate(samples):
        for at, dtype in enumerate(dtypes_of(op, sample)):
            # every sample in one dtype, every dtype at least once
            if not everything and at and number != at % len(samples):
                continue
            for symbolic in (False, True):
                if not everything and at and symbolic:
                    continue
                yield Case(op, sample, dtype, symbolic, next(layouts), number)
