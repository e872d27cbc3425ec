"""From the user's graph to a Program: prune, cut at feeds, resolve variables' versions.

Lives here: needed_nodes, functionalize, the nodes that only Programs have (feed, read,
initialized). Not here: rewriting of programs. Imports ir, ops.define.

State (DESIGN 4): a read sees the variable's value at the start of the run, or that of the last
assignment, in creation order, among the reader's ancestors by data and control dependencies. An
assignment's own operand sees all assignments made before it. Updates take effect at the end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.faults import located
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.program import Program, ProgramBuilder, UnresolvedShape, Update, live_nodes
from graphc.ir.shape import Guard, PartialDim, ShapeEnv, SymDim
from graphc.ops.control import CONTROL, holds
from graphc.ops.define import OpDef
from graphc.ops.values import FLOWS, value_of
from graphc.passes import functionalize_bodies as bodies
from graphc.passes import functionalize_control as control
from graphc.passes.base import WATCHER

# what chooses one of its elements: shapes follow the choice, where there are few to choose from
EXTREMES = frozenset({"reduce_max", "reduce_min"})
SHORT = 8

feed = OpDef(
    name="feed", tf="_Feed", family="source", args=(), infer=lambda ctx: (), numpy=None,
    stateful=True, nograd="only in programs",
)  # fmt: skip
read = OpDef(
    name="read", tf="_Read", family="source", args=(), infer=lambda ctx: (), numpy=None,
    stateful=True, nograd="only in programs",
)  # fmt: skip
initialized = OpDef(
    name="initialized", tf="_Initialized", family="source", args=(), infer=lambda ctx: (),
    numpy=None, stateful=True, nograd="only in programs",
)  # fmt: skip


def needed_nodes(
    fetches: Sequence[Tensor],
    targets: Sequence[Node],
    fed: Mapping[Tensor, Any],
    done: Collection[Node] = (),
) -> list[Node]:
    """The nodes that a run executes, in creation order (a topological order).

    Nodes that are done have been executed by an earlier stage of the run.
    """
    seen: set[Node] = set(done)
    stack = [t.node for t in fetches if t not in fed]
    stack.extend(targets)
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        stack.extend(t.node for t in node.inputs if t not in fed and t.node not in seen)
        stack.extend(c for c in node.control_inputs if c not in seen)
    return sorted(seen.difference(done), key=lambda n: n.id)


@dataclass(frozen=True)
class FeedValue:
    """What is known of a feed when a plan is built: its concrete shape, its value if small."""

    tensor: Tensor
    shape: tuple[int, ...]
    value: np.ndarray[Any, Any] | None = None


def shape_feeds(nodes: Sequence[Node], fed: Mapping[Tensor, Any]) -> list[Tensor]:
    """Fed tensors from which shapes are computed: their values belong to a binding."""
    found: dict[Tensor, None] = {}
    seen: set[Tensor] = set()
    stack = [t for n in nodes for t in shape_operands(n)]
    while stack:
        tensor = stack.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        if tensor in fed:
            if tensor.dtype.is_integer:
                found[tensor] = None
        elif tensor.node.op.name in EXTREMES and not _is_short(tensor.node.inputs[0]):
            # the largest of a batch's lengths: a plan for each order of them would be built
            continue
        elif tensor.node.op.name in FLOWS or tensor.node.op.name == "placeholder_with_default":
            stack.extend(tensor.node.inputs)
    return sorted(found, key=lambda t: t.node.id)


def _is_short(tensor: Tensor) -> bool:
    """Whether it has few elements, whose number is known while the graph is built."""
    count = tensor.shape.num_elements()
    return count is not None and count <= SHORT


def shape_operands(node: Node) -> list[Tensor]:
    """The operands whose values decide shapes, also inside of what the node holds."""
    op = node.op
    if op.name in CONTROL:
        return bodies.shape_operands(node)
    if op.shape_inputs and op.variadic:
        return list(node.inputs[min(op.shape_inputs) :])
    return [node.inputs[i] for i in op.shape_inputs if i < len(node.inputs)]


@dataclass
class _Versions:
    """A variable's values within the run: at the start, and after each assignment."""

    start: Tensor | None = None
    written: list[tuple[int, Tensor]] = field(default_factory=list)  # (bit, value)


class Functionalizer:
    """One conversion. Symbols: equal extents of feeds share one (duck shaping, with guards)."""

    def __init__(
        self,
        feeds: Sequence[FeedValue],
        variable_shapes: Mapping[Node, Any],
        dynamic: frozenset[Node] = frozenset(),
        present: frozenset[Node] = frozenset(),
    ) -> None:
        self.feeds = feeds
        self.present = present  # variables that hold a value, as far as initialized_value asks
        self.dynamic = dynamic
        self.variable_shapes = variable_shapes
        self.env = ShapeEnv({})
        self.builder = ProgramBuilder(self.env)
        self.values: dict[Tensor, Tensor] = {}
        self.masks: dict[Node, int] = {}
        self.versions: dict[Node, _Versions] = {}
        self.variable_of: dict[Tensor, Node] = {}
        self.effects: list[Node] = []
        self.bits = 0
        self.companions: dict[Node, list[Node]] = {}
        self.constants: dict[Tensor, Tensor] = {}  # feeds of a body that are known numbers
        self.used: set[Tensor] = set()  # tensors that some node or fetch needs
        self.converted: set[Node] = set()  # control-flow nodes
        self.lenient = False  # unknown shapes are allowed: to find out what a loop carries
        self._symbol_of: dict[int, SymDim] = {}
        self.feed_tensors = tuple(self._feed(k, f) for k, f in enumerate(feeds))

    # -------------------------------------------------------- feeds and symbols
    def _feed(self, position: int, given: FeedValue) -> Tensor:
        static = given.tensor.dims
        dims: list[PartialDim] = []
        for k, size in enumerate(given.shape):
            known = static[k] if static is not None else None
            # an extent of 1 broadcasts: it stays a number, and plans for 1 stand for themselves
            # so does the number of elements whose values are symbols
            fixed = isinstance(known, int) or size == 1 or given.value is not None
            dims.append(size if fixed else self._dim_symbol(size))
        self.builder.at(given.tensor.node.origins, given.tensor.node.name)
        type_ = TensorType(given.tensor.dtype, tuple(dims))
        node = self.builder.add(feed, (), {"position": position}, (type_,))
        tensor = node.outputs[0]
        tensor._value = None if given.value is None else self._value_symbols(position, given.value)
        self.values[given.tensor] = tensor
        return tensor

    def _dim_symbol(self, size: int) -> SymDim:
        if size not in self._symbol_of:
            name = f"s{len(self._symbol_of)}"
            self.env.hints[name] = size
            self._symbol_of[size] = SymDim.symbol(name)
        return self._symbol_of[size]

    def _value_symbols(self, position: int, value: np.ndarray[Any, Any]) -> Any:
        out = np.empty(value.shape, dtype=object)
        for k, (at, item) in enumerate(np.ndenumerate(value)):
            name = f"v{position}_{k}"
            self.env.hints[name] = int(item)
            if item < 0:
                # -1 in a shape is a keyword, not an extent
                self.env.guards[Guard("==", SymDim.symbol(name), int(item))] = None
                out[at] = int(item)
            else:
                self.env.guards[Guard("<=", 0, SymDim.symbol(name))] = None
                out[at] = SymDim.symbol(name)
        return out

    # -------------------------------------------------------- nodes
    def run(
        self, nodes: Sequence[Node], fetches: Sequence[Tensor], fed: Mapping[Tensor, Any]
    ) -> Program:
        """Converts `nodes` (needed_nodes) to a Program.

        Raises:
            UnresolvedShape: some node's shape depends on data. InvalidArgumentError: a
            placeholder is needed and not fed; shapes conflict.
        """
        self.expect(nodes, fetches)
        with self.builder.building():
            for node in nodes:
                self._convert(node, fed)
            outputs = tuple(self.values[t] if t in fed else self._read_fetch(t) for t in fetches)
            updates = tuple(
                Update(var, versions.written[-1][1])
                for var, versions in self.versions.items()
                if versions.written
            )
        watcher = WATCHER.get()
        if watcher is not None:
            watcher.converted(self.values)
        roots = outputs + tuple(u.value for u in updates)
        effects = tuple(self.effects)
        nodes_ = live_nodes(roots, self.feed_tensors, effects)
        return Program(nodes_, self.feed_tensors, outputs, updates, self.builder, effects)

    def expect(self, nodes: Sequence[Node], results: Sequence[Tensor]) -> None:
        """Says that these nodes are about to be converted, for these results."""
        self.used.update(results)
        self.used.update(t for n in nodes for t in n.inputs)
        for base, forms in bodies.companions(nodes).items():
            self.companions.setdefault(base, []).extend(forms)

    def _convert(self, node: Node, fed: Mapping[Tensor, Any]) -> None:
        mask = 0
        for tensor in node.inputs:
            if tensor not in fed:
                mask |= self.masks.get(tensor.node, 0)
        for before in node.control_inputs:
            mask |= self.masks.get(before, 0)  # an earlier stage may have run it
        self.masks[node] = mask
        self.builder.at(node.origins, node.name)
        op = node.op.name
        if op == "variable":
            self.versions.setdefault(node, _Versions())
            self.variable_of[node.outputs[0]] = node
            return
        if op == "placeholder":
            if not self._given(node.outputs[0], fed):
                raise _not_fed(node)
            return
        if op == "no_op":
            return
        if self._came_before(node, fed):
            return
        if op == "is_variable_initialized":
            self._is_initialized(node, mask)
            return
        if op == "initialized_value":
            self._initialized_value(node, mask)
            return
        if node.op.refs:
            self._write(node, mask)
            return
        if op in CONTROL:
            control.convert(self, node, mask)
            return
        inputs = [self._input(t, mask) for t in node.inputs]
        self.builder.at(node.origins, node.name)  # reading a variable may have moved it
        try:
            made = self.builder.create_node(node.op, control.shaped(self, node, inputs), node.attrs)
        except InvalidArgumentError as err:
            raise located(err, node) from None
        if node not in self.dynamic:
            self._require_shapes(made, node)
        if node.op.effect:
            self.effects.append(made)
        for mine, theirs in zip(node.outputs, made.outputs, strict=True):
            if mine not in self.values:
                self.values[mine] = theirs

    def _came_before(self, node: Node, fed: Mapping[Tensor, Any]) -> bool:
        """Whether an earlier stage has run it, and it is only ordered before something."""
        if not node.outputs or not all(t in fed for t in node.outputs):
            return False
        control_flow = node.op.name in CONTROL and not holds(node, lambda n: bool(n.op.refs))
        return node.op.data_dependent or control_flow

    def _given(self, tensor: Tensor, fed: Mapping[Tensor, Any]) -> bool:
        """Whether a placeholder has a value: it is fed, or a parameter of a body."""
        return tensor in fed or tensor in self.values or tensor in self.variable_of

    def _input(self, tensor: Tensor, mask: int) -> Tensor:
        """The program's tensor that a reader with these ancestors sees."""
        value = self.values.get(tensor)
        if value is not None:
            return value
        variable = self.variable_of[tensor]
        return self._version(variable, mask)

    def _version(self, variable: Node, mask: int | None) -> Tensor:
        """mask None: after all assignments so far."""
        versions = self.versions[variable]
        for bit, value in reversed(versions.written):
            if mask is None or mask & bit:
                return value
        if versions.start is None:
            versions.start = self._start(variable)
        return versions.start

    def _start(self, variable: Node) -> Tensor:
        type_ = variable.outputs[0].type
        shape = type_.shape
        actual = self.variable_shapes.get(variable)
        if actual is not None:
            shape = tuple(actual)
        elif shape is None or None in shape:
            shape = (0,) * len(shape or ())  # uninitialised: the run says so
        self.builder.at(variable.origins, variable.name)
        node = self.builder.add(
            read, (), {"variable": variable}, (TensorType(type_.dtype, shape),)
        )
        return node.outputs[0]

    def _write(self, node: Node, mask: int) -> None:
        inputs: list[Tensor] = []
        targets: list[Node] = []
        for i, tensor in enumerate(node.inputs):
            if i in node.op.refs:
                variable = self.variable_of.get(tensor)
                if variable is None:
                    raise InvalidArgumentError(
                        f"{node.op.tf}: input {i} of {node.name!r} must be a variable"
                    )
                targets.append(variable)
                inputs.append(self._ref_value(node, variable))
            else:
                inputs.append(self._input(tensor, mask))
        self.builder.at(node.origins, node.name)
        assert node.op.update is not None
        try:
            # what was unknown while the graph was built may conflict now
            node.op.infer_types(inputs, node.attrs, node.name)
            new = node.op.update(node, *inputs)
        except InvalidArgumentError as err:
            raise located(err, node) from None
        for variable, value in zip(targets, new, strict=True):
            self._require_known(value, node)
            bit = 1 << self.next_bit()
            self.masks[node] |= bit
            self.versions[variable].written.append((bit, value))
        out = node.outputs[0]
        self.values[out] = new[0]
        self.variable_of[out] = targets[0]

    def _ref_value(self, node: Node, variable: Node) -> Tensor:
        if node.op.name == "assign":
            # not read: the variable may be uninitialised
            versions = self.versions[variable]
            if versions.start is None and not versions.written:
                return self._placeholder_ref(variable)
        return self._version(variable, None)

    def _placeholder_ref(self, variable: Node) -> Tensor:
        type_ = variable.outputs[0].type
        return self.builder.add(read, (), {"variable": variable}, (type_,)).outputs[0]

    def _is_initialized(self, node: Node, mask: int) -> None:
        variable = self.variable_of[node.inputs[0]]
        if any(mask & bit for bit, _ in self.versions[variable].written):
            from graphc.ops.convert import constant_tensor

            value = constant_tensor(True, node.outputs[0].dtype, graph=self.builder)
        else:
            made = self.builder.add(
                initialized, (), {"variable": variable}, (node.outputs[0].type,)
            )
            value = made.outputs[0]
        self.values[node.outputs[0]] = value

    def _initialized_value(self, node: Node, mask: int) -> None:
        """The variable's value, or its initial one where it has none, or gets it in this run."""
        variable = self.variable_of[node.inputs[0]]
        initial = self._input(node.inputs[1], mask)
        versions = self.versions[variable]
        seen = any(mask & bit for bit, _ in versions.written)
        reset = any(value is initial for _, value in versions.written)
        held = variable in self.present and not reset
        self.values[node.outputs[0]] = self._version(variable, mask) if seen or held else initial

    def next_bit(self) -> int:
        """The number of a new assignment."""
        self.bits += 1
        return self.bits - 1

    def start(self, variable: Node, value: Tensor) -> None:
        """The variable's value where this program begins."""
        self.versions.setdefault(variable, _Versions()).start = value

    def _require_shapes(self, made: Node, user: Node) -> None:
        for tensor in () if user.op.name == "tensor_array" else made.outputs:
            self._require_known(tensor, user)
        for i in made.op.shape_inputs:
            if i < len(made.inputs) and i not in made.op.index_inputs:
                value = value_of(made.inputs[i])
                unknown = value is None or (
                    value.dtype == object and any(v is None for v in value.reshape(-1))
                )
                if unknown and not self.lenient:
                    raise UnresolvedShape(user)

    def _require_known(self, tensor: Tensor, user: Node) -> None:
        dims = tensor.dims
        unknown = dims is None or any(d is None for d in dims)
        if unknown and not self.lenient:
            raise UnresolvedShape(user)

    def _read_fetch(self, tensor: Tensor) -> Tensor:
        value = self.values.get(tensor)
        return value if value is not None else self._version(self.variable_of[tensor], 0)




class BodyFunctionalizer(Functionalizer):
    """The conversion of a body: another program over the same symbols, without feeds of its own."""

    def __init__(self, outer: Functionalizer) -> None:
        super().__init__((), outer.variable_shapes, frozenset(), outer.present)
        self.env = outer.env
        self.builder = ProgramBuilder(outer.env)


def _not_fed(node: Node) -> InvalidArgumentError:
    dtype, shape = node.attrs["dtype"], node.attrs["shape"]
    text = f"You must feed a value for placeholder tensor '{node.name}' with dtype {dtype.tf_name}"
    if shape is not None:
        inner = ",".join("?" if d is None else str(d) for d in shape)
        text += f" and shape [{inner}]"
    text += f"\n\t [[Node: {node.node_def}]]\n\nCaused by op '{node.name}', defined at: "
    return InvalidArgumentError(node.node_def, node, text + node.origin.summary())


