"""Config(validate=True): every step of a run is compared with the NumPy reference.

Lives here: validated_run. It walks the table one step at a time, so that the first wrong kernel is
the one that is named, not the ones that read its result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import InternalError
from graphc.ir.node import Node, Tensor
from graphc.ops.control import is_stack
from graphc.runtime.backends.reference import ReferencePlan, evaluate_node
from graphc.runtime.state import RunContext

if TYPE_CHECKING:
    from graphc.runtime.instance import Instance
    from graphc.runtime.steps import Step

Array = np.ndarray[Any, Any]
# relative to the largest value around: reductions round in another order than NumPy's
TOLERANCE = {"float16": 2e-2, "bfloat16": 8e-2, "float32": 2e-4, "float64": 1e-10}


def validated_run(
    instance: Instance, ctx: RunContext, arrays: Sequence[Array], outs: list[Array]
) -> None:
    """Runs the bound instance step by step.

    Raises:
        InternalError: a step's result differs; names the kernel, its ops and lines.
    """
    plan = instance.binding.plan
    reference = ReferencePlan(plan.program, plan.config)
    wanted = reference.evaluate(ctx, arrays, instance.binding.symbols)
    memory = _Memory(instance, ctx, arrays, outs, wanted)
    expected: dict[Tensor, Array] = {}
    group: object = None
    steps = instance.binding.steps
    at = -1
    while (at := at + 1) < len(steps):
        step = steps[at]
        if step.holder is not None:
            # as a whole: the steps of its body are the compiler's own
            instance.run_part(at, at + step.span, ctx, arrays, outs)
            _compare_control(step, memory)
            at += step.span - 1
            continue
        if step.on_host:
            instance.run_host(step, ctx, arrays, outs)
            continue
        nodes = step.group.nodes if step.group is not None else [n for n in (step.node,) if n]
        if step.group is None or step.group is not group:
            # before its first kernel: a later one may run in the memory of the operands
            expected, scale = memory.expected(nodes)
            group = step.group
        instance.run_part(at, at + 1, ctx, arrays, outs)
        for storage in step.writes:
            for tensor, want in expected.items():
                if memory.home.get(tensor) is storage and storage.kind in ("arena", "fetch"):
                    _compare(step, tensor, memory.array(tensor), want, scale)


def _compare_control(step: Step, memory: _Memory) -> None:
    node = step.holder
    assert node is not None
    for tensor in node.outputs:
        home = memory.home.get(tensor)
        if home is None or home.kind not in ("arena", "fetch") or is_stack(tensor):
            continue
        held = node.attrs.get("branches")
        if held is not None and tensor.value_index >= held.shared:
            continue  # what one branch keeps, if it was the one
        want = memory.wanted[tensor]
        finite = np.abs(want[np.isfinite(want)]) if tensor.dtype.kind == "f" else want
        scale = float(np.max(finite, initial=1e-30)) if tensor.dtype.kind == "f" else 1.0
        _compare(step, tensor, memory.array(tensor), want, scale)


class _Memory:
    """What the tensors of a run hold at the moment."""

    def __init__(
        self, instance: Instance, ctx: RunContext, arrays: Sequence[Array], outs: Sequence[Array],
        wanted: dict[Tensor, Array],
    ) -> None:  # fmt: skip
        self.instance = instance
        self.run = (ctx, arrays, outs)
        self.wanted = wanted
        self.home = instance.binding.plan.schedule.home

    def array(self, tensor: Tensor) -> Array:
        """The tensor's memory; the reference's value of what has none (constants in the code)."""
        storage = self.home.get(tensor)
        if storage is None or storage not in self.instance.binding.number:
            return self.wanted[tensor]
        return self.instance.array_of(storage, tensor, *self.run)

    def expected(self, nodes: Sequence[Node]) -> tuple[dict[Tensor, Array], float]:
        """What the nodes make of their operands, and the largest finite value on the way."""
        known: dict[Tensor, Array] = {}
        scale = 1e-30
        for node in nodes:
            # copies: the kernel may write over its operands
            inputs = [known[t] if t in known else self.array(t).copy() for t in node.inputs]
            outs = evaluate_node(node, inputs)
            known.update(zip(node.outputs, outs, strict=True))
            for array in (*inputs, *outs):
                if array.dtype.kind in "fV" and array.size:
                    wide = np.abs(array.astype(np.float64))
                    scale = max(scale, float(wide.max(initial=0.0, where=np.isfinite(wide))))
        return known, scale


def _compare(step: Step, tensor: Tensor, got: Array, want: Array, scale: float) -> None:
    if tensor.dtype.kind not in "fiub":
        return
    a, b = got.astype(np.float64), want.astype(np.float64)
    if a.shape != b.shape:
        raise InternalError(f"{step.name}: shape {a.shape} instead of {b.shape}")
    finite = np.isfinite(b)
    tolerance = TOLERANCE.get(tensor.dtype.name, 0.0) * scale
    same = np.where(finite, np.abs(a - b) <= tolerance, (a == b) | (np.isnan(a) & np.isnan(b)))
    if same.all():
        return
    where = tuple(int(i) for i in np.argwhere(~same)[0])
    ops = ", ".join(n.name or n.op.name for n in (step.group.nodes if step.group else ()))
    lines = {n.origin.summary() for n in (step.group.nodes if step.group else ())}
    raise InternalError(
        f"kernel {step.name!r} differs from the reference at {list(where)} of {tensor.text_name}: "
        f"{a[where]} instead of {b[where]}\n  ops: {ops}\n  " + "\n  ".join(sorted(lines))
    )
