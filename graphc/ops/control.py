"""Structured control flow: nodes that hold bodies.

Lives here: while_loop and while_saved, cond and cond_saved (what gradients need of a forward pass),
rng_step, and the program's own forms `loop` and `branch`. Not here: tracing (ops/function.py),
TF1's functions (tf1/control_flow.py), gradients (autodiff/control.py), how a run converts and
executes them (passes/functionalize_control.py, runtime/loops.py).

A user's node holds graphs (Loop, Branches); a Program's node holds Programs (ProgramLoop,
ProgramBranches), in which every dimension is known.

Stacks. A loop can push tensors of its body, one row a step; its outputs behind the carried ones are
these stacks. Another loop can pop them, last row first, one a step: the backward pass of a loop is
a loop. A stack has no length that a plan must know; only loops can read it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.dtypes import bool_, int32, uint32
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.program import Program
from graphc.kernel import prims as k
from graphc.kernel.expr import Cast, Const, Expr, index
from graphc.ops.define import InferContext, KernelContext, OpDef, movement
from graphc.ops.function import Body
from graphc.ops.samples import fixed, sample

Array = np.ndarray[Any, Any]


# ------------------------------------------------------------------ what nodes hold
@dataclass(frozen=True, eq=False)
class Loop:
    """A user's loop. Operands: carried, popped stacks, captured.

    Attributes:
        cond, body: of the same parameters, one an operand. The first carried value counts steps.
        carried, pops: how many operands of each kind. pushes: tensors of the body.
        back_prop: False stops gradients.
    """

    cond: Body
    body: Body
    carried: int
    pops: int = 0
    pushes: tuple[Tensor, ...] = ()
    back_prop: bool = True

    def __repr__(self) -> str:
        return f"<loop over {self.carried}>"


@dataclass(frozen=True, eq=False)
class Branches:
    """A user's cond. Operands: the predicate, captured."""

    then: Body
    orelse: Body

    def __repr__(self) -> str:
        return "<branches>"


@dataclass(frozen=True, eq=False)
class ProgramLoop:
    """A Program's loop. Operands: initial values of what is carried, popped stacks, captured.

    In cond and body, `read` nodes of `variables` are what is carried, feeds the other operands in
    order. cond's output is whether to go on; body's updates are the next values, its outputs what
    is pushed.
    """

    cond: Program
    body: Program
    variables: tuple[Node, ...]
    pops: int

    @property
    def carried(self) -> int:
        return len(self.variables)

    @property
    def programs(self) -> tuple[tuple[str, Program], ...]:
        """With their names, in the order in which they run."""
        return (("cond", self.cond), ("body", self.body))

    def __repr__(self) -> str:
        return f"<loop over {self.carried}>"


@dataclass(frozen=True, eq=False)
class ProgramBranches:
    """A Program's cond. Operands: the predicate, captured (feeds of both programs).

    Outputs: `shared` ones that both programs compute, then those of `then` alone, then those of
    `orelse` alone, which hold nothing unless their program ran.
    """

    then: Program
    orelse: Program
    shared: int

    @property
    def programs(self) -> tuple[tuple[str, Program], ...]:
        """With their names."""
        return (("then", self.then), ("else", self.orelse))

    def __repr__(self) -> str:
        return "<branches>"


CONTROL = frozenset({"while_loop", "while_saved", "cond", "cond_saved"})
HOLDERS = frozenset({"loop", "branch"})


def bodies_of(node: Node) -> tuple[Body, ...]:
    """The bodies that a user's control node holds."""
    held = node.attrs.get("loop") or node.attrs.get("branches")
    if isinstance(held, Loop):
        return (held.cond, held.body)
    if isinstance(held, Branches):
        return (held.then, held.orelse)
    return ()


def holds(node: Node, test: Callable[[Node], bool]) -> bool:
    """Whether the test is true of the node, or of one inside the bodies that it holds."""
    inner = (n for body in bodies_of(node) for n in body.graph.nodes)
    return test(node) or any(holds(n, test) for n in inner)


def operands_of(node: Node) -> Sequence[Tensor]:
    """The operands that the bodies' parameters stand for."""
    return node.inputs if "loop" in node.attrs else node.inputs[1:]


def is_stack(tensor: Tensor) -> bool:
    """Whether this is a stack of a Program's loop: only loops can read it."""
    node = tensor.node
    return node.op.name == "loop" and tensor.value_index >= node.attrs["loop"].carried


def is_kept(tensor: Tensor) -> bool:
    """Whether a user's tensor cannot leave its stage: what a node keeps for its gradient, and an
    empty array, which may have no shape yet."""
    return is_user_stack(tensor) or tensor.node.op.name in ("cond_saved", "tensor_array")


def is_user_stack(tensor: Tensor) -> bool:
    """Whether a user's tensor is a stack."""
    node = tensor.node
    if node.op.name == "while_loop":
        return tensor.value_index >= int(node.attrs["loop"].carried)
    return node.op.name == "while_saved"


def stack_type(tensor: Tensor) -> TensorType:
    """The user's type of a stack of `tensor`: the number of rows is unknown."""
    return TensorType(tensor.dtype, None if tensor.dims is None else (None, *tensor.dims))


# ------------------------------------------------------------------ records
def _given_types(ctx: InferContext) -> tuple[TensorType, ...]:
    types: tuple[TensorType, ...] = ctx.attrs["types"]
    return types


def _program_types(ctx: InferContext) -> tuple[TensorType, ...]:
    held: Any = ctx.attrs.get("loop")
    if held is not None:
        carried = [v.outputs[0].type for v in held.variables]
        return (*carried, *(t.type for t in held.body.outputs))
    held = ctx.attrs["branches"]
    outs = (*held.then.outputs, *held.orelse.outputs[held.shared :])
    return tuple(t.type for t in outs)


def _of_loop(node: Node, *gs: Any) -> Any:
    from graphc.autodiff.control import loop_gradient

    return loop_gradient(node, gs)


def _of_cond(node: Node, *gs: Any) -> Any:
    from graphc.autodiff.control import cond_gradient

    return cond_gradient(node, gs)


def _control(
    name: str, tf: str, first: tuple[Any, ...], infer: Any = _given_types, **rest: Any
) -> OpDef:
    return OpDef(
        name=name, tf=tf, family="control", args=("*inputs",) if not first else ("pred", "*inputs"),
        groups=(*first, "*"), infer=infer, numpy=None, **rest,
    )  # fmt: skip


while_loop = _control("while_loop", "While", (), grad=_of_loop, default_name="while")
while_saved = _control(
    "while_saved", "_WhileSaved", (), grad=_of_loop, default_name="while_saved"
)
cond = _control("cond", "If", (bool_,), grad=_of_cond, default_name="cond")
cond_saved = _control(
    "cond_saved", "_IfSaved", (bool_,), grad=_of_cond, default_name="cond_saved"
)
loop = _control("loop", "_Loop", (), _program_types, nograd="only in programs")
host_control = OpDef(
    name="host_control", tf="_HostControl", family="host", args=("*inputs",), groups=("*",),
    infer=lambda ctx: tuple(t.type for t in ctx.attrs["node"].outputs), numpy=None, stateful=True,
    effect=True, data_dependent=True, nograd="only in programs",
    doc="a control-flow node whose shapes vary: the host walks it, its bodies are plans",
)  # fmt: skip
branch = _control("branch", "_Branch", (bool_,), _program_types, nograd="only in programs")


# ------------------------------------------------------------------ random states
_ODD = (0x9E3779B1, 0x85EBCA6B)


def _stepped(state: Array, step: Array) -> Array:
    mixed = (int(state[0]) ^ ((int(step) + 1) * _ODD[0] & 0xFFFFFFFF)) * _ODD[1] & 0xFFFFFFFF
    return np.array([state[1], mixed, state[2], state[3]], np.uint32)


def _stepped_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    (at,) = idx
    s = [ctx.load(0, (index(j),)) for j in range(4)]
    number = Cast(ctx.load(1, ()), uint32) + Const(1, uint32)
    mixed = k.xor(s[0], number * Const(_ODD[0], uint32)) * Const(_ODD[1], uint32)
    rest = k.select(k.lt(at, 2), mixed, k.select(k.lt(at, 3), s[2], s[3]))
    return k.select(k.lt(at, 1), s[1], rest)


rng_step = movement(
    "rng_step", tf="RngStep", infer=lambda ctx: TensorType(uint32, (4,)), kernel=_stepped_kernel,
    numpy=_stepped, args=("state", "step"), groups=(uint32, int32),
    nograd="random states are no numbers",
    doc="the state for one step of a loop; the two words of the key change places, so that nested "
        "loops mix both",
    samples=(sample(fixed([7, 11, 0, 5], uint32), fixed(3, int32), grad=False),),
)  # fmt: skip
