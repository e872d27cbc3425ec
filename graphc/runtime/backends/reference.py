"""The reference backend: a Program op by op in NumPy; `Config(backend="reference")`.

Lives here: ReferencePlan, evaluate_node. Imports ir, ops, runtime.state.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.config import Config
from graphc.errors import InternalError, OpError
from graphc.ir.dtypes import as_array
from graphc.ir.faults import numpy_fault
from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.ir.shape import evaluate
from graphc.ops.control import HOLDERS
from graphc.runtime.backends.control import evaluate_control
from graphc.runtime.state import RunContext, performing, without_lock
from graphc.runtime.trace import now

Array = np.ndarray[Any, Any]


def evaluate_once(node: Node, inputs: Sequence[Array], ctx: RunContext) -> tuple[Array, ...]:
    """As evaluate_node; an effect happens once a run, whatever stage or check asks for it."""
    if node.op.name == "host_control":
        from graphc.runtime.host_control import run_control

        return run_control(node, inputs, ctx)
    if not node.op.effect:
        return evaluate_node(node, inputs)
    done = ctx.done.get(node.name)
    if done is None:
        waiting = without_lock(ctx.store) if node.op.blocks else contextlib.nullcontext()
        with performing(ctx), waiting:
            done = ctx.done[node.name] = evaluate_node(node, inputs)
    return done


def evaluate_node(node: Node, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """The node's outputs by its NumPy reference, in the declared dtypes.

    Raises:
        InvalidArgumentError: the reference refused the values; located at the user's line.
    """
    if node.op.numpy is None:
        raise InternalError(f"{node.op.name} has no reference")
    try:
        with np.errstate(all="ignore"):
            out = node.op.numpy(*inputs, **node.attrs)
    except (ValueError, IndexError, ZeroDivisionError, OpError, np.linalg.LinAlgError) as err:
        raise numpy_fault(err, node) from err
    outs = out if isinstance(out, tuple | list) else (out,)
    return tuple(
        as_array(o).astype(t.dtype.np, copy=False)
        for o, t in zip(outs, node.outputs, strict=True)
    )


class ReferencePlan:
    """Runs a program's nodes in order."""

    def __init__(self, program: Program, config: Config) -> None:
        self.program = program
        self.check_numerics = config.check_numerics
        self.needed_reads: set[Tensor] = set()
        self.symbols: Mapping[str, int] = {}

    def run(
        self, ctx: RunContext, arrays: Sequence[Array], symbols: Mapping[str, int]
    ) -> list[Array]:
        """Fetched arrays, owned by the caller; variables are updated at the end."""
        if self.program.updates:
            with ctx.store.lock:  # runs that write variables are done one after the other
                return self._run(ctx, arrays, symbols)
        return self._run(ctx, arrays, symbols)

    def _run(
        self, ctx: RunContext, arrays: Sequence[Array], symbols: Mapping[str, int]
    ) -> list[Array]:
        values = self.evaluate(ctx, arrays, symbols)
        for update in self.program.updates:
            ctx.store.set(update.variable, values[update.value])
        return [np.array(values[t]) for t in self.program.outputs]

    def evaluate(
        self, ctx: RunContext, arrays: Sequence[Array], symbols: Mapping[str, int]
    ) -> dict[Tensor, Array]:
        """Every tensor's value; no variable is written."""
        self.symbols = symbols
        values: dict[Tensor, Array] = {}
        for node in self.program.nodes:
            bound = node.op.name == "bound"
            started = now()
            outs = _bound(node, symbols) if bound else self._node(node, values, ctx, arrays)
            values.update(zip(node.outputs, outs, strict=True))
            if ctx.trace is not None:
                ctx.trace.node(node, started, outs)
            if self.check_numerics and node.op.name not in HOLDERS:
                check_finite(node, outs)
        return values

    def simple_instances(self, store: Any, symbols: Any) -> None:
        """The reference has no fast path."""

    def _node(
        self,
        node: Node,
        values: Mapping[Tensor, Array],
        ctx: RunContext,
        arrays: Sequence[Array],
    ) -> tuple[Array, ...]:
        op = node.op.name
        if op == "feed":
            return (arrays[node.attrs["position"]],)
        if op == "read":
            # a copy: the update at the end must not change what was fetched
            return (self._read(node, ctx),)
        if op == "initialized":
            return (np.asarray(ctx.store.initialized(node.attrs["variable"])),)
        if op == "rng_state":
            return (ctx.rng_state(node.name, node.attrs),)
        inputs = [values[t] for t in node.inputs]
        if op in HOLDERS:
            return evaluate_control(node, inputs, ctx, self.symbols, self.check_numerics)
        return evaluate_once(node, inputs, ctx)

    def _read(self, node: Node, ctx: RunContext) -> Array:
        if not self.needed_reads:
            self.needed_reads = {t for n in self.program.nodes for t in n.inputs}
            self.needed_reads |= set(self.program.roots)
        if node.outputs[0] not in self.needed_reads:
            return np.empty(0)  # an assignment's own target: never looked at
        return ctx.store.view(node.attrs["variable"]).copy()


def _bound(node: Node, symbols: Mapping[str, int]) -> tuple[Array, ...]:
    """An extent, or several, under these symbols."""
    dims = [evaluate(d, symbols) for d in node.attrs["dims"]]
    return (np.array(dims, node.outputs[0].dtype.np).reshape(node.attrs["shape"]),)


def check_finite(node: Node, outs: Sequence[Array]) -> None:
    """Raises InvalidArgumentError naming the first op whose output holds a NaN or infinity."""
    from graphc.errors import InvalidArgumentError
    from graphc.ir.faults import located

    for array in outs:
        if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
            continue
        wide = array.astype(np.float32) if array.dtype.itemsize == 2 else array
        for what, found in (("NaN", np.isnan), ("Inf", np.isinf)):
            if found(wide).any():
                raise located(
                    InvalidArgumentError(f"{node.name or node.op.name}: Tensor had {what} values"),
                    node,
                )
