"""OpDef, the one record of an op, and the families that fill in what their members share.

Lives here: the record, the registry, the family factories (elementwise, reduction, movement,
composite, extern, host, state). Not here: the contexts of rules (ops/context.py), any particular
op, conversion of Python values to tensors (ops/convert.py). Imports ir, kernel.expr.

A record is callable: `add(x, y, name=None)` converts its operands, infers types and adds a node
to the operands' graph (the user's graph, or a Program under construction). Gradient rules and
expansions are written with the same calls.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import ALL, DType, bool_
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import Shape
from graphc.kernel.compute import Compute
from graphc.kernel.expr import Axis, Buffer, Cast, Expr, Reduce, index
from graphc.ops.context import (
    InferContext,
    KernelContext,
    ShapeError,
    in_numbers,
    with_operands,
)

__all__ = [
    "BY_TF_TYPE", "REGISTRY", "F", "InferContext", "KernelContext", "OpDef", "ShapeError",
    "check_axes", "composite", "computes_of", "elementwise", "extern", "host", "movement",
    "reduced_shape", "reduction", "state",
]  # fmt: skip

REGISTRY: dict[str, OpDef] = {}
BY_TF_TYPE: dict[str, OpDef] = {}


KernelFn = Callable[[KernelContext, int, tuple[Expr, ...]], Expr]


# ------------------------------------------------------------------ the record
@dataclass(frozen=True, eq=False)
class OpDef:
    """Everything about one op.

    Attributes:
        name: graphc's name ("reduce_sum"). tf: TF1's op type ("Sum"); default_name: of nodes.
        family: elementwise, reduction, movement, composite, extern, host, source, state.
        args: names of the inputs, for messages; a last name with "*" takes any number.
        groups: a dtype group for each input: inputs of one group share a dtype; a DType instead of
            a name fixes it, "*" takes any. Default: all in group "T".
        dtypes: the allowed dtypes of each group.
        infer: InferContext -> TensorType or a sequence of them.
        numpy: reference on arrays: numpy(*arrays, **attrs) -> array or tuple of arrays; the result
            is cast to the declared dtype by the caller. It must not write its inputs.
        kernel: (KernelContext, output number, index) -> Expr: the value of that output there.
        expand: for composites: node -> output tensors, built with other ops.
        grad: (node, *output gradients) -> one gradient (Tensor, IndexedSlices or None) an input.
        nograd: why there is no gradient; must be given when grad is None. Gradients stop at such
            an op; where the text begins with "TF1 has no gradient", asking for them is an error.
        scalar: the elementwise definition on expressions, where there is one.
        stateful: never folded, merged or dropped as a duplicate.
        refs: inputs that are variables' refs which the op writes (state ops).
        update: for state ops: (node, *input values) -> tuple of the new value of each ref, built
            with pure ops; the node's output is the new value of the first ref.
        effect: runs for what it does (printing, asserting, a Python function): never dropped once
            a run needs it, never repeated within a run. A host op.
        blocks: an effect that may wait for other threads (queues): runs hold no lock meanwhile.
        shape_inputs: inputs whose values decide shapes or indexing (reshape's shape, a slice's
            begin): known when a plan is bound.
        index_inputs: those of shape_inputs that kernels can read while they run, where the output
            shapes are known without them (x[i], with i computed).
        data_dependent: output shapes depend on the data of other inputs: a host step.
        samples: what the registry-wide tests try (ops/samples.py).
    """

    name: str
    tf: str
    family: str
    infer: Callable[[InferContext], Any]
    numpy: Callable[..., Any] | None
    args: tuple[str, ...] = ("x",)
    groups: tuple[Any, ...] = ()
    dtypes: Mapping[str, tuple[DType, ...]] = field(default_factory=dict)
    kernel: KernelFn | None = None
    expand: Callable[[Node], Any] | None = None
    grad: Callable[..., Any] | None = None
    nograd: str = ""
    scalar: Callable[..., Expr] | None = None
    stateful: bool = False
    refs: tuple[int, ...] = ()
    update: Callable[..., Any] | None = None
    effect: bool = False
    blocks: bool = False
    shape_inputs: tuple[int, ...] = ()
    index_inputs: tuple[int, ...] = ()
    data_dependent: bool = False
    samples: tuple[Any, ...] = ()
    default_name: str = ""
    doc: str = ""

    def __post_init__(self) -> None:
        assert self.name not in REGISTRY, f"op {self.name} is registered twice"
        if self.grad is None and not self.nograd:
            raise TypeError(f"op {self.name}: give grad, or nograd with the reason")
        if not self.default_name:
            object.__setattr__(self, "default_name", self.tf)
        REGISTRY[self.name] = self
        BY_TF_TYPE.setdefault(self.tf, self)

    @property
    def variadic(self) -> bool:
        return bool(self.args) and self.args[-1].startswith("*")

    def group(self, i: int) -> Any:
        """The dtype group of input i."""
        if not self.groups:
            return "T"
        return self.groups[min(i, len(self.groups) - 1)]

    def arg_name(self, i: int) -> str:
        if i >= len(self.args) - 1 and self.variadic:
            return f"{self.args[-1][1:]}_{i - len(self.args) + 1}"
        return self.args[i]

    def infer_types(
        self, inputs: Sequence[Tensor], attrs: Mapping[str, Any], name: str = ""
    ) -> tuple[TensorType, ...]:
        """The output types. Errors name the op and each operand's user line.

        Raises:
            ShapeError (also a ValueError and InvalidArgumentError).
        """
        ctx = InferContext(self, inputs, attrs, name)
        try:
            out = self.infer(ctx)
        except InvalidArgumentError as err:
            raise with_operands(ctx, in_numbers(ctx) or err) from None
        return (out,) if isinstance(out, TensorType) else tuple(out)

    def node(self, *inputs: Any, name: str | None = None, **attrs: Any) -> Node:
        """Makes a node. Operands are converted as TF1 does: the first one decides the dtype."""
        from graphc.ops.convert import convert_operands, graph_of

        if all(isinstance(t, Tensor) for t in inputs):
            tensors = convert_operands(self, inputs, name)
            return graph_of(tensors).create_node(self, tensors, attrs, name)
        # constants made of Python operands are named after them: "Less/y"
        with graph_of(inputs).name_scope(name or self.default_name) as scope:
            tensors = convert_operands(self, inputs, name)
            return graph_of(tensors).create_node(self, tensors, attrs, scope or name)

    def __call__(self, *inputs: Any, name: str | None = None, **attrs: Any) -> Any:
        """The output tensor of a new node, or the tuple of them."""
        node = self.node(*inputs, name=name, **attrs)
        return node.outputs[0] if len(node.outputs) == 1 else node.outputs

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> Any:
        return (REGISTRY.__getitem__, (self.name,))


class _Functional:
    """F.<op name>: the record, found when it is called; lets op files refer to each other."""

    def __getattr__(self, name: str) -> OpDef:
        found = REGISTRY.get(name)
        if found is None:
            from graphc.ops import load_until

            load_until(name)
            found = REGISTRY.get(name)
        if found is None:
            raise AttributeError(f"no op is called {name!r}")
        return found


F = _Functional()


def computes_of(node: Node, buffer_of: Callable[[Tensor], Buffer]) -> list[Compute]:
    """The Level A definition of each output of a node."""
    assert node.op.kernel is not None
    ctx = KernelContext(node, buffer_of)
    out = []
    for i, tensor in enumerate(node.outputs):
        axes = tuple(Axis(d, f"i{k}") for k, d in enumerate(ctx.out_shape(i)))
        value = node.op.kernel(ctx, i, axes)
        buffer = buffer_of(tensor)
        if value.dtype is not buffer.dtype:
            value = Cast(value, buffer.dtype)
        out.append(Compute(buffer, axes, value))
    return out


# ------------------------------------------------------------------ families
def _args_of(fn: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(
        p.name
        for p in inspect.signature(fn).parameters.values()
        if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty
    )


def elementwise(
    name: str,
    *,
    tf: str,
    scalar: Callable[..., Expr],
    numpy: Callable[..., Any],
    grad: Callable[..., Any] | None = None,
    dtypes: tuple[DType, ...] = ALL,
    out: DType | Callable[[InferContext], DType] | None = None,
    args: tuple[str, ...] = (),
    groups: tuple[Any, ...] = (),
    with_attrs: bool = False,
    **rest: Any,
) -> OpDef:
    """An op on corresponding elements of broadcast inputs.

    Args:
        scalar: on expressions in the compute dtype, one an input (with_attrs: attributes follow
            as keywords); its result is cast to the output dtype.
        grad: (g, *inputs, output) -> gradient or tuple of them, at the broadcast shape; the
            gradient driver sums broadcast axes away.
        out: the output dtype (default: the first input's).
    """
    names = args or tuple(n for n in _args_of(scalar))

    def infer(ctx: InferContext) -> TensorType:
        dtype = out(ctx) if callable(out) else out
        return TensorType(dtype or ctx.dtype(0), ctx.broadcast())

    def kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
        loaded = [ctx.load_broadcast(i, idx) for i in range(len(ctx.node.inputs))]
        return scalar(*loaded, **ctx.attrs) if with_attrs else scalar(*loaded)

    def gradient(node: Node, g: Tensor) -> tuple[Any, ...]:
        assert grad is not None
        attrs = node.attrs if with_attrs else {}
        if not g.dtype.is_complex:
            got = grad(g, *node.inputs, node.outputs[0], **attrs)
            return got if isinstance(got, tuple) else (got,)
        # rules are said for real numbers: of holomorphic functions TF takes g conj(f')
        got = grad(F.conj(g), *node.inputs, node.outputs[0], **attrs)
        parts = got if isinstance(got, tuple) else (got,)
        return tuple(F.conj(p) if _is_complex(p) else p for p in parts)

    return OpDef(
        name=name,
        tf=tf,
        family="elementwise",
        infer=infer,
        numpy=numpy,
        args=names,
        groups=groups,
        dtypes={"T": dtypes, **rest.pop("group_dtypes", {})},
        kernel=kernel,
        grad=gradient if grad is not None else None,
        scalar=scalar,
        **rest,
    )


def _is_complex(gradient: Any) -> bool:
    return isinstance(gradient, Tensor) and gradient.dtype.is_complex


def reduced_shape(shape: Shape, axes: tuple[int, ...] | None, keepdims: bool) -> Shape:
    """The shape after reducing `axes` (None: all)."""
    if shape is None:
        return () if axes is None and not keepdims else None
    gone = range(len(shape)) if axes is None else [a % len(shape) if shape else a for a in axes]
    if keepdims:
        return tuple(1 if k in gone else d for k, d in enumerate(shape))
    return tuple(d for k, d in enumerate(shape) if k not in gone)


def check_axes(ctx: InferContext, axes: tuple[int, ...] | None) -> None:
    """Raises ShapeError for an axis outside the input's rank ("Invalid reduction dimension")."""
    rank = ctx.rank(0)
    if axes is None or rank is None:
        return
    for axis in axes:
        if not -rank <= axis < rank:
            raise ctx.fail(f"Invalid reduction dimension {axis} for input with {rank} dimensions.")


def reduction(
    name: str,
    *,
    tf: str,
    monoid: str,
    numpy: Callable[..., Any],
    grad: Callable[..., Any] | None = None,
    dtypes: tuple[DType, ...] = ALL,
    out: DType | Callable[[InferContext], DType] | None = None,
    acc: Callable[[DType], DType] = lambda d: d.compute,
    prepare: Callable[..., Expr] | None = None,
    finish: Callable[..., Expr] | None = None,
    **rest: Any,
) -> OpDef:
    """A reduction over attribute `axes` (tuple of ints, None for all) with `keepdims`.

    Args:
        acc: accumulator dtype from the input's compute dtype.
        prepare: element expression before reducing. finish: (reduced, count int64) -> result.
        numpy: numpy(x, axes, keepdims).
        grad: (g, x, y, axes, keepdims) -> gradient; g and y as they are (without kept axes).
    """

    def infer(ctx: InferContext) -> TensorType:
        axes, keepdims = ctx.attrs["axes"], ctx.attrs["keepdims"]
        check_axes(ctx, axes)
        dtype = out(ctx) if callable(out) else out
        return TensorType(dtype or ctx.dtype(0), reduced_shape(ctx.shape(0), axes, keepdims))

    def kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
        shape = ctx.shape(0)
        axes = ctx.attrs["axes"]
        gone = set(range(len(shape)) if axes is None else (a % len(shape) for a in axes))
        loops = {k: Axis(shape[k], f"r{k}") for k in sorted(gone)}
        outer = list(idx)
        if ctx.attrs["keepdims"]:
            outer = [x for k, x in enumerate(idx) if k not in gone]
        kept = iter(outer)
        full = tuple(loops[k] if k in gone else next(kept) for k in range(len(shape)))
        value = ctx.load_compute(0, full)
        if prepare is not None:
            value = prepare(value)
        wide = acc(ctx.dtype(0).compute) if monoid not in ("and", "or") else bool_
        if value.dtype is not wide and monoid not in ("argmax", "argmin"):
            value = Cast(value, wide)
        if not loops and monoid not in ("argmax", "argmin"):
            total: Expr = value
        else:
            total = Reduce(monoid, tuple(loops.values()), value, wide)
        if finish is None:
            return total
        count: Any = 1
        for k in sorted(gone):
            count = count * shape[k]
        return finish(total, index(count))

    def gradient(node: Node, g: Tensor) -> tuple[Any, ...]:
        assert grad is not None
        return (grad(g, node.inputs[0], node.outputs[0], **node.attrs),)

    return OpDef(
        name=name,
        tf=tf,
        family="reduction",
        infer=infer,
        numpy=numpy,
        args=("input",),
        dtypes={"T": dtypes},
        kernel=rest.pop("kernel", kernel),
        grad=gradient if grad is not None else None,
        **rest,
    )


def movement(
    name: str,
    *,
    tf: str,
    infer: Callable[[InferContext], Any],
    kernel: KernelFn,
    numpy: Callable[..., Any],
    grad: Callable[..., Any] | None = None,
    **rest: Any,
) -> OpDef:
    """An op that moves elements without computing: an index map. grad: (node, *gs)."""
    return OpDef(
        name=name, tf=tf, family="movement", infer=infer, numpy=numpy, kernel=kernel, grad=grad,
        **rest,
    )  # fmt: skip


def composite(
    name: str,
    *,
    tf: str,
    infer: Callable[[InferContext], Any],
    expand: Callable[[Node], Any],
    numpy: Callable[..., Any],
    grad: Callable[..., Any] | None = None,
    **rest: Any,
) -> OpDef:
    """An op defined by others: expanded before fusion. grad: (node, *gs)."""
    return OpDef(
        name=name, tf=tf, family="composite", infer=infer, numpy=numpy, expand=expand, grad=grad,
        **rest,
    )  # fmt: skip


def extern(
    name: str,
    *,
    tf: str,
    infer: Callable[[InferContext], Any],
    numpy: Callable[..., Any],
    grad: Callable[..., Any] | None = None,
    **rest: Any,
) -> OpDef:
    """An op with a compiled step of its own (GEMM); runtime/extern.py knows it by name."""
    return OpDef(
        name=name, tf=tf, family="extern", infer=infer, numpy=numpy, grad=grad, **rest
    )


def host(
    name: str,
    *,
    tf: str,
    infer: Callable[[InferContext], Any],
    numpy: Callable[..., Any],
    grad: Callable[..., Any] | None = None,
    **rest: Any,
) -> OpDef:
    """An op that runs its NumPy reference as a step on the host, visibly in every dump."""
    return OpDef(name=name, tf=tf, family="host", infer=infer, numpy=numpy, grad=grad, **rest)


def state(
    name: str,
    *,
    tf: str,
    refs: tuple[int, ...],
    update: Callable[..., Any],
    infer: Callable[[InferContext], Any] | None = None,
    **rest: Any,
) -> OpDef:
    """An op that writes variables: (node, *input values) -> new value of each ref.

    Its output is the new value of the first ref. Within a run the update takes effect at the end,
    unless control dependencies order a read behind it.
    """

    def infer_first(ctx: InferContext) -> TensorType:
        return ctx.inputs[refs[0]].type

    return OpDef(
        name=name, tf=tf, family="state", infer=infer or infer_first, numpy=None, refs=refs,
        update=update, stateful=True, nograd=rest.pop("nograd", "it writes a variable"), **rest,
    )  # fmt: skip
