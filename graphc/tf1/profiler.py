"""tf.profiler.profile: float operations, parameters and times of a graph, by name scope.

Lives here: profile, ProfileOptionBuilder, the counts of operations by type. Not here: recording
times (tf1/run_metadata.py). Counts follow TensorFlow's rules: a multiplication and its addition are
two operations; ops without a rule, and those of unknown shape, count nothing.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphc.ir.graph import Graph, GraphKeys, get_default_graph
from graphc.ir.node import Node, Tensor

__all__ = ["GraphNode", "ProfileOptionBuilder", "profile"]


# ------------------------------------------------------------------ float operations
def _size(tensor: Tensor) -> int:
    """The number of elements; -1 where it is not known."""
    dims = tensor.dims
    known = [d for d in dims or () if isinstance(d, int)]
    return -1 if dims is None or len(known) < len(dims) else math.prod(known)


def _each(factor: int) -> Callable[[Node], int]:
    """So many for each element of the result."""
    return lambda node: factor * _size(node.outputs[0])


def _reduction(final: int) -> Callable[[Node], int]:
    return lambda node: _size(node.inputs[0]) + _size(node.outputs[0]) * (final - 1)


def _matmul(node: Node) -> int:
    dims = node.inputs[0].dims
    if dims is None:
        return -1
    depth = dims[-2] if node.attrs.get("transpose_a") else dims[-1]
    return 2 * depth * _size(node.outputs[0]) if isinstance(depth, int) else -1


def _conv(node: Node) -> int:
    """Each element of the result is a product with a filter of one output channel."""
    kernel = node.inputs[1]
    dims = kernel.dims
    if _size(kernel) < 0 or dims is None:
        return -1
    return 2 * _size(node.outputs[0]) * _size(kernel) // max(int(dims[-1]), 1)  # type: ignore[arg-type]


def _depthwise(node: Node) -> int:
    dims = node.inputs[1].dims
    if dims is None or _size(node.inputs[1]) < 0:
        return -1
    return 2 * _size(node.outputs[0]) * int(dims[0]) * int(dims[1])  # type: ignore[arg-type]


def _conv_back(image: Callable[[Node], Tensor], kernel: Callable[[Node], Tensor]) -> Any:
    def count(node: Node) -> int:
        picture, weights = image(node), kernel(node)
        if _size(picture) < 0 or _size(weights) < 0 or picture.dims is None:
            return -1
        strides = math.prod(int(s) for s in node.attrs.get("strides", (1,)))
        depth = int(picture.dims[-1])  # type: ignore[arg-type]
        return 2 * _size(picture) * _size(weights) // max(depth * strides, 1)

    return count


def _pool(node: Node) -> int:
    return math.prod(int(k) for k in node.attrs["ksize"]) * _size(node.outputs[0])


_ONE_EACH = (
    "Reciprocal", "Square", "Rsqrt", "Log", "Neg", "AssignSub", "AssignAdd", "Add", "AddV2",
    "Sub", "Mul", "RealDiv", "Maximum", "Minimum", "Pow", "GreaterEqual", "Greater",
    "LessEqual", "Less", "Equal", "NotEqual", "SquaredDifference", "BiasAdd",
)  # fmt: skip
_RULES: dict[str, Callable[[Node], int]] = {
    **dict.fromkeys(_ONE_EACH, _each(1)),
    "Softmax": _each(5),
    "L2Loss": lambda node: 3 * _size(node.inputs[0]) - 1,
    "Sum": _reduction(0), "ArgMax": _reduction(0), "ArgMin": _reduction(0), "Mean": _reduction(1),
    "AddN": lambda node: _size(node.inputs[0]) * (len(node.inputs) - 1),
    "MatMul": _matmul, "BatchMatMul": _matmul, "BatchMatMulV2": _matmul,
    "Conv2D": _conv, "Conv3D": _conv, "DepthwiseConv2dNative": _depthwise,
    "Conv2DBackpropInput": _conv_back(lambda n: n.outputs[0], lambda n: n.inputs[1]),
    "Conv2DBackpropFilter": _conv_back(lambda n: n.inputs[0], lambda n: n.outputs[0]),
    "AvgPool": _pool, "MaxPool": _pool,
}  # fmt: skip


def float_operations(node: Node) -> int:
    """How many float operations a node is, by its rule; 0 without one."""
    rule = _RULES.get(node.type)
    if rule is None:
        return 0
    return max(rule(node), 0)


# ------------------------------------------------------------------ the tree
@dataclass
class GraphNode:
    """A name scope or op, with what stands below it."""

    name: str
    float_ops: int = 0
    parameters: int = 0
    exec_micros: int = 0
    children: list[GraphNode] = field(default_factory=list)
    total_float_ops: int = 0
    total_parameters: int = 0
    total_exec_micros: int = 0

    def _sum(self) -> None:
        for child in self.children:
            child._sum()
        for kind in ("float_ops", "parameters", "exec_micros"):
            below = sum(getattr(c, f"total_{kind}") for c in self.children)
            setattr(self, f"total_{kind}", getattr(self, kind) + below)


def _tree(graph: Graph, run_meta: Any, trainable_only: bool) -> GraphNode:
    root = GraphNode("_TFProfRoot")
    found: dict[str, GraphNode] = {"": root}

    def at(name: str) -> GraphNode:
        stack = []
        while name not in found:
            stack.append(name)
            name = name.rpartition("/")[0]
        made = found[name]
        for full in reversed(stack):
            child = found[full] = GraphNode(full)
            made.children.append(child)
            made = child
        return made

    times: dict[str, int] = {}
    for device in run_meta.step_stats.dev_stats if run_meta is not None else ():
        for step in device.node_stats:
            name = step.node_name.partition("::")[0]
            times[name] = times.get(name, 0) + step.all_end_rel_micros
    key = GraphKeys.TRAINABLE_VARIABLES if trainable_only else GraphKeys.GLOBAL_VARIABLES
    weights = {v.op.name: v for v in graph.get_collection(key)}
    for node in list(graph.nodes):
        entry = at(node.name)
        entry.float_ops += float_operations(node)
        entry.exec_micros += times.get(node.name, 0)
        if node.name in weights:
            entry.parameters += max(_size(node.outputs[0]), 0)
    root._sum()
    return root


# ------------------------------------------------------------------ options
_DEFAULTS: dict[str, Any] = {
    "max_depth": 100, "min_params": 0, "min_float_ops": 0, "min_micros": 0, "order_by": "name",
    "account_type_regexes": [".*"], "select": ["micros"], "output": "stdout",
}  # fmt: skip


class ProfileOptionBuilder:
    """Options of tf.profiler.profile, by methods that can be chained."""

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        self._options = {**_DEFAULTS, **(options or {})}

    @staticmethod
    def trainable_variables_parameter() -> dict[str, Any]:
        """Numbers of trainable parameters."""
        types = ["_trainable_variables"]
        return {**_DEFAULTS, "max_depth": 10000, "account_type_regexes": types,
                "select": ["params"]}  # fmt: skip

    @staticmethod
    def float_operation() -> dict[str, Any]:
        """Numbers of float operations."""
        return {**_DEFAULTS, "max_depth": 10000, "min_float_ops": 1, "order_by": "float_ops",
                "select": ["float_ops"]}  # fmt: skip

    @staticmethod
    def time_and_memory(min_micros: int = 1, **unused: Any) -> dict[str, Any]:
        """Times of a traced run."""
        return {**_DEFAULTS, "max_depth": 10000, "min_micros": min_micros, "order_by": "micros",
                "select": ["micros"]}  # fmt: skip

    def _with(self, **changes: Any) -> ProfileOptionBuilder:
        self._options.update(changes)
        return self

    def with_max_depth(self, max_depth: int) -> ProfileOptionBuilder:
        return self._with(max_depth=max_depth)

    def with_min_parameters(self, min_params: int) -> ProfileOptionBuilder:
        return self._with(min_params=min_params)

    def with_min_float_operations(self, min_float_ops: int) -> ProfileOptionBuilder:
        return self._with(min_float_ops=min_float_ops)

    def with_min_execution_time(self, min_micros: int, **unused: Any) -> ProfileOptionBuilder:
        return self._with(min_micros=min_micros)

    def order_by(self, attribute: str) -> ProfileOptionBuilder:
        return self._with(order_by=attribute)

    def select(self, attributes: list[str]) -> ProfileOptionBuilder:
        return self._with(select=list(attributes))

    def with_empty_output(self) -> ProfileOptionBuilder:
        return self._with(output="none")

    def with_stdout_output(self) -> ProfileOptionBuilder:
        return self._with(output="stdout")

    def with_file_output(self, outfile: Any) -> ProfileOptionBuilder:
        return self._with(output=f"file:outfile={outfile}")

    def build(self) -> dict[str, Any]:
        """The options as a dict."""
        return dict(self._options)


def profile(
    graph: Graph | None = None, run_meta: Any = None, op_log: Any = None, cmd: str = "scope",
    options: Any = None,
) -> GraphNode:  # fmt: skip
    """The graph's float operations, parameters and times; also printed (tf.profiler.profile).

    Args:
        run_meta: of a traced run, for times. cmd: accepted; the result is a tree of name scopes.
        options: of ProfileOptionBuilder.

    Returns:
        The root: total_float_ops, total_parameters, total_exec_micros, children.
    """
    chosen = options.build() if isinstance(options, ProfileOptionBuilder) else options
    chosen = {**_DEFAULTS, **(chosen or {})}
    types = chosen["account_type_regexes"]
    root = _tree(graph or get_default_graph(), run_meta, "_trainable_variables" in types)
    text = "\n".join(["", "==================Model Analysis Report======================", "",
                      *_lines(root, chosen, 0), "",
                      "======================End of Report=========================="])  # fmt: skip
    output = str(chosen["output"])
    if output.startswith("file:outfile="):
        Path(output.removeprefix("file:outfile=")).write_text(text + "\n")
    elif output.startswith("stdout"):
        sys.stdout.write(text + "\n")
    return root


_COLUMNS = {"float_ops": ("float_ops", "flops"), "params": ("parameters", "params"),
            "micros": ("exec_micros", "us")}  # fmt: skip


def _lines(node: GraphNode, options: dict[str, Any], depth: int) -> list[str]:
    kinds = [k for k in options["select"] if k in _COLUMNS] or ["float_ops"]
    least = (
        node.total_float_ops >= options["min_float_ops"]
        and node.total_parameters >= options["min_params"]
        and (node.total_exec_micros >= options["min_micros"] or "micros" not in kinds)
    )
    if depth > options["max_depth"] or not least or (
        depth and not any(getattr(node, f"total_{_COLUMNS[k][0]}") for k in kinds)
    ):
        return []
    numbers = ", ".join(
        f"{_short(getattr(node, _COLUMNS[k][0]))}/"
        f"{_short(getattr(node, f'total_{_COLUMNS[k][0]}'))} {_COLUMNS[k][1]}"
        for k in kinds
    )
    column = _COLUMNS.get(options["order_by"], ("",))[0]
    children = sorted(
        node.children, key=lambda c: -getattr(c, f"total_{column}") if column else c.name
    )
    out = [f"{'  ' * depth}{node.name} ({numbers})"]
    for child in children:
        out += _lines(child, options, depth + 1)
    return out


def _short(number: int) -> str:
    for unit, size in (("b", 1e9), ("m", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.2f}{unit}"
    return str(number)
