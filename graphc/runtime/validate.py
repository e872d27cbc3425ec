"""Config(validate=True): every step of a run is compared with the NumPy reference.

Lives here: validated_run. It walks the table one step at a time, so that the first wrong kernel is
the one that is named, not the ones that read its result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import InternalError
from graphc.ir.node import Tensor
from graphc.runtime import driver
from graphc.runtime.backends.reference import ReferencePlan
from graphc.runtime.state import RunContext

if TYPE_CHECKING:
    from graphc.runtime.binding import Instance
    from graphc.runtime.steps import Step, Storage

Array = np.ndarray[Any, Any]
# relative to the largest value of the tensor: reductions round in another order than NumPy's
TOLERANCE = {"float16": 2e-2, "bfloat16": 8e-2, "float32": 2e-4, "float64": 1e-10}


def validated_run(
    instance: Instance, ctx: RunContext, arrays: Sequence[Array], outs: list[Array]
) -> None:
    """Runs the bound instance step by step; the frame's arguments are bound here.

    Raises:
        InternalError: a step's result differs; names the kernel, its ops and lines.
    """
    plan = instance.binding.plan
    reference = ReferencePlan(plan.program, plan.config)
    wanted = reference.evaluate(ctx, arrays, instance.binding.symbols)
    for number, array in enumerate((*arrays, *outs)):
        instance.frame.bind(number, array)
    tensors = _tensors_of(plan.schedule.home)
    table = instance.frame.table
    for at, step in enumerate(instance.binding.steps):
        if step.on_host:
            instance.run_host(step, ctx, arrays, outs)
        else:
            stopped = driver.drive(np.ascontiguousarray(table[at : at + 1]))
            if stopped != driver.FINISHED:
                instance.status[:] = 0
                instance.fail(ctx, arrays)
        for storage in step.writes:
            for tensor in tensors.get(storage, ()):
                if tensor in wanted and storage.kind in ("arena", "fetch"):
                    got = instance.array_of(storage, tensor, ctx, arrays, outs)
                    _compare(step, tensor, got, wanted[tensor])


def _tensors_of(home: dict[Tensor, Storage]) -> dict[Storage, list[Tensor]]:
    out: dict[Storage, list[Tensor]] = {}
    for tensor, storage in home.items():
        out.setdefault(storage, []).append(tensor)
    return out


def _compare(step: Step, tensor: Tensor, got: Array, want: Array) -> None:
    if tensor.dtype.kind not in "fiub":
        return
    a, b = got.astype(np.float64), want.astype(np.float64)
    if a.shape != b.shape:
        raise InternalError(f"{step.name}: shape {a.shape} instead of {b.shape}")
    finite = np.isfinite(b)
    scale = float(np.abs(b[finite]).max(initial=0.0))
    tolerance = TOLERANCE.get(tensor.dtype.name, 0.0) * max(scale, 1e-30)
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
