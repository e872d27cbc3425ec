"""Functions of elements: traced once into a graph of their own, run as compiled plans.

Lives here: Function. Not here: the graph of a body (ops/function.py), what transformations do with
them. Imports runtime only when a function is run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.config import current as current_config
from graphc.data.source import Caller, Element, Env, Source
from graphc.data.structure import flatten, pack, spec_of, tensors_of
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ops.define import F
from graphc.ops.function import FunctionGraph


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
        self.inputs = self.graph.inputs
        self.captured = tuple(t for t, _ in self.inputs)
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
            if env.store is not None:
                executor.variables.share_resources(env.store)
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
