"""Functions of elements: traced once into a graph of their own, run as compiled plans.

Lives here: FunctionGraph (captures tensors of the graph around it), Function. Not here: what
transformations do with them. Imports runtime only when a function is run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.config import current as current_config
from graphc.data.source import Caller, Element, Env, Source
from graphc.data.structure import flatten, pack, spec_of, tensors_of
from graphc.ir.graph import Graph, get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ops.define import F, OpDef


class FunctionGraph(Graph):
    """The graph of a function's body. Tensors of other graphs become inputs of it."""

    def __init__(self, outer: Graph) -> None:
        super().__init__()
        self.outer = outer
        self.seed = outer.seed
        self.captures: dict[Tensor, Tensor] = {}

    def create_node(
        self,
        op: OpDef,
        inputs: Sequence[Tensor],
        attrs: Mapping[str, Any],
        name: str | None = None,
    ) -> Node:
        """As Graph's; inputs of other graphs are captured."""
        own = [t if t.graph is self else self.capture(t) for t in inputs]
        return super().create_node(op, own, attrs, name)

    def capture(self, tensor: Tensor) -> Tensor:
        """The tensor of this graph that stands for one of a graph around it.

        Raises:
            ValueError: a tensor of a graph that is not around this one.
        """
        known = self.captures.get(tensor)
        if known is not None:
            return known
        source = tensor.node
        if source.op.name == "const":
            # its value decides shapes inside, too
            made = super().create_node(source.op, (), source.attrs, source.name)
        else:
            if tensor.graph is not self.outer:
                if not isinstance(self.outer, FunctionGraph):
                    raise ValueError(f"{tensor} must be from the same graph as {self.outer!r}.")
                self.outer.capture(tensor)
            made = super().create_node(
                F.placeholder, (), {"dtype": tensor.dtype, "shape": tensor.dims}, source.name
            )
        self.captures[tensor] = made.outputs[0]
        return made.outputs[0]


class Function:
    """A traced function.

    Attributes:
        spec: of its result. captured: tensors of the surrounding graph that it uses.
        source: of the dataset, where it returns one.
    """

    def __init__(
        self, fn: Callable[..., Any], spec: Any, where: str, unpack: bool = True
    ) -> None:
        outer = get_default_graph()
        self.graph = FunctionGraph(outer)
        with self.graph.as_default():
            self.args = [
                F.placeholder(dtype=t.dtype, shape=t.shape, name=f"arg{k}")
                for k, t in enumerate(flatten(spec))
            ]
            packed = pack(spec, self.args)
            result = fn(*packed) if unpack and isinstance(packed, tuple) else fn(packed)
            self._set_result(result, where)
        self.inputs = [
            (outer_tensor, own)
            for outer_tensor, own in self.graph.captures.items()
            if own.node.op.name != "const"
        ]
        self.captured = tuple(self._in_graph(t, outer) for t, _ in self.inputs)
        self.on_host = any(n.op.family == "host" for n in self.graph.nodes)

    def _set_result(self, result: Any, where: str) -> None:
        self.source: Source | None = getattr(result, "_source", None)
        if self.source is not None:
            self.spec = self.source.spec
            self.outputs = [self._own(t) for t in self.source.needed()]
            return
        if result is None:
            raise TypeError(f"Unsupported return value from function passed to {where}: None.")
        if isinstance(result, Node):
            raise TypeError(
                f"Unsupported return value from function passed to {where}: the op "
                f"{result.name!r}; return tensors."
            )
        tensors = tensors_of(result)
        self.spec = spec_of(tensors)
        self.outputs = [self._own(t) for t in flatten(tensors)]

    def _own(self, tensor: Tensor) -> Tensor:
        return tensor if tensor.graph is self.graph else self.graph.capture(tensor)

    @staticmethod
    def _in_graph(tensor: Tensor, graph: Graph) -> Tensor:
        """What stands in the surrounding graph for a tensor of a graph further out."""
        if tensor.graph is graph or not isinstance(graph, FunctionGraph):
            return tensor
        return graph.captures[tensor]

    def caller(self, env: Env) -> Caller:
        """element -> flat tuple of results, for one initialised iterator."""
        feeds = (*self.args, *(own for _, own in self.inputs))
        position = {t: k for k, t in enumerate(feeds)}
        fetches = tuple(dict.fromkeys(t for t in self.outputs if t not in position))
        rest = [env.array(t) for t in self.captured]
        at = {t: k for k, t in enumerate(fetches)}
        if not fetches:
            picks = [position[t] for t in self.outputs]
            return lambda element: tuple([[*element, *rest][k] for k in picks])
        run = self._executor(env).prepare(fetches, (), feeds).run
        if list(fetches) == self.outputs:
            return lambda element: tuple(run([*element, *rest]))
        order = [(t in at, at[t] if t in at else position[t]) for t in self.outputs]

        def call(element: Element) -> Element:
            given = [*element, *rest]
            got = run(given)
            return tuple([got[k] if computed else given[k] for computed, k in order])

        return call

    def _executor(self, env: Env) -> Any:
        executor = env.executors.get(self)
        if executor is None:
            from graphc.runtime.executor import Executor

            executor = env.executors[self] = Executor(self.graph, current_config())
        return executor

    def datasets(self, env: Env) -> Callable[[Element], tuple[Source, Env]]:
        """element -> the dataset that the function returns for it, ready to run."""
        source = self.source
        assert source is not None
        needed = source.needed()
        call = self.caller(env) if needed else None

        def make(element: Element) -> tuple[Source, Env]:
            values = dict(zip(needed, call(element), strict=True)) if call is not None else {}
            return source, env.inner(values)

        return make


def predicate(fn: Callable[..., Any], spec: Any) -> Function:
    """The traced function of a filter.

    Raises:
        ValueError: its result is no scalar bool.
    """
    function = Function(fn, spec, "Dataset.filter()")
    flat = flatten(function.spec)
    good = len(flat) == 1 and flat[0].dtype.is_bool and flat[0].shape in ((), None)
    if function.source is not None or not good:
        raise ValueError("`predicate` must return a scalar boolean tensor.")
    return function


def truth(value: Element) -> bool:
    """A predicate's result."""
    return bool(np.asarray(value[0]))
