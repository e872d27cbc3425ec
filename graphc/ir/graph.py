"""Graph: the user's append-only container of named nodes, with TF1's scopes and stacks.

Lives here: creation of nodes, unique names, name scopes, control dependencies, collections,
devices, seeds, the stack of default graphs. Not here: variables' scopes (tf1/variable_scope.py),
running (session.py). Imports only ir modules, config and errors.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphc.config import current as current_config
from graphc.ir.device import device_fields, device_text
from graphc.ir.graph_keys import GraphKeys
from graphc.ir.node import Node, Tensor
from graphc.ir.source import capture

if TYPE_CHECKING:
    from graphc.ops.define import OpDef

__all__ = ["Graph", "GraphKeys", "get_default_graph", "reset_default_graph"]

_VALID_NAME = re.compile(r"^[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*$")
_VALID_SCOPE = re.compile(r"^[A-Za-z0-9_.\\/>-]*$")


class _Scopes(threading.local):
    """A graph's stacks for one thread."""

    def __init__(self) -> None:
        self.name_stack = ""
        self.control: list[tuple[bool, tuple[Node, ...], set[Node]]] = []
        self.device: list[Any] = []


class Graph:
    """A dataflow graph (tf.Graph): nodes are only ever added, also after runs."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._nodes: list[Node] = []
        self._by_name: dict[str, Node] = {}
        self._names_in_use: dict[str, int] = {}
        self._collections: dict[Any, list[Any]] = {}
        self._consumers: dict[Tensor, list[Node]] = {}
        self._scopes = _Scopes()
        self._unfeedable: set[Tensor] = set()
        self._unfetchable: set[Node] = set()
        self._finalized = False
        self._seed: int | None = current_config().seed
        self.version = 0  # the number of nodes ever made

    # ------------------------------------------------------------ nodes
    def create_node(
        self,
        op: OpDef,
        inputs: Sequence[Tensor],
        attrs: Mapping[str, Any],
        name: str | None = None,
    ) -> Node:
        """Adds a node: infers its types, gives it a unique name and the control inputs in force.

        Raises:
            RuntimeError: the graph is finalized. ValueError: inputs of another graph, bad name,
            shapes that conflict (from the op's rule).
        """
        self._check_not_finalized()
        for tensor in inputs:
            if tensor.graph is not self:
                first = next((t for t in inputs if t.graph is self), None)
                if first is None:
                    raise ValueError(f"{tensor} must be from the same graph as {self!r}.")
                raise ValueError(f"{tensor} must be from the same graph as {first}.")
        with self._lock:
            full = self._node_name(op, name)
            types = op.infer_types(inputs, attrs, full)
            node = Node(
                op,
                inputs,
                attrs,
                types,
                self,
                len(self._nodes),
                full,
                self._control_inputs(inputs),
                (capture(),),
            )
            self._place(node)
            self._nodes.append(node)
            self._by_name[full] = node
            for tensor in node.inputs:
                self._consumers.setdefault(tensor, []).append(node)
            for _, _, inside in self._scopes.control:
                inside.add(node)
            self.version += 1
        return node

    def _node_name(self, op: OpDef, name: str | None) -> str:
        if name and name.endswith("/"):
            # an absolute name, as name_scope gives it
            full = name[:-1]
            if full not in self._by_name:
                self._names_in_use.setdefault(full.lower(), 1)
                return full
            return self.unique_name_absolute(full)
        name = name or op.default_name
        pattern = _VALID_SCOPE if self._scopes.name_stack else _VALID_NAME
        if not pattern.match(name):
            raise ValueError(f"'{name}' is not a valid node name")
        return self.unique_name(name)

    def consumers(self, tensor: Tensor) -> list[Node]:
        return list(self._consumers.get(tensor, ()))

    def get_operations(self) -> list[Node]:
        return list(self._nodes)

    @property
    def nodes(self) -> Sequence[Node]:
        return self._nodes

    @property
    def last_id(self) -> int:
        """The number of ops made so far: TF1's `_last_id`, from which op seeds come."""
        return len(self._nodes)

    _last_id = last_id

    # ------------------------------------------------------------ names
    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        """`name` under the current scope, with _1, _2, ... where it is taken."""
        scope = self._scopes.name_stack
        return self.unique_name_absolute(f"{scope}/{name}" if scope else name, mark_as_used)

    def unique_name_absolute(self, full: str, mark_as_used: bool = True) -> str:
        with self._lock:
            # names are unique without regard to case, as in TF 1.15
            key = full.lower()
            count = self._names_in_use.get(key, 0)
            if mark_as_used:
                self._names_in_use[key] = count + 1
            if count == 0:
                return full
            while True:
                candidate = f"{full}_{count}"
                if candidate.lower() not in self._names_in_use:
                    break
                count += 1
            if mark_as_used:
                self._names_in_use[key] = count + 1
                self._names_in_use[candidate.lower()] = 1
            return candidate

    @contextlib.contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        """Prefixes names. "a/" re-enters exactly that scope; None or "" leaves all scopes."""
        if name:
            pattern = _VALID_SCOPE if self._scopes.name_stack else _VALID_NAME
            if not pattern.match(name):
                raise ValueError(f"'{name}' is not a valid scope name")
        before = self._scopes.name_stack
        if not name:
            new = ""
        elif name.endswith("/"):
            new = name[:-1]
        else:
            new = self.unique_name(name)
        self._scopes.name_stack = new
        try:
            yield f"{new}/" if new else ""
        finally:
            self._scopes.name_stack = before

    def get_name_scope(self) -> str:
        return self._scopes.name_stack

    # ------------------------------------------------------------ control dependencies
    @contextlib.contextmanager
    def control_dependencies(self, inputs: Iterable[Any] | None) -> Iterator[None]:
        """Nodes made inside run after `inputs`; None clears the dependencies in force."""
        scopes = self._scopes
        before = list(scopes.control)
        if inputs is None:
            scopes.control = []
        else:
            nodes = tuple(dict.fromkeys(self._as_control(i) for i in inputs))
            scopes.control = [*before, (False, nodes, set())]
        try:
            yield
        finally:
            scopes.control = before

    def _as_control(self, value: Any) -> Node:
        if not isinstance(value, str | Node) and hasattr(value, "op"):
            # IndexedSlices and other composites stand for the op that made them
            value = value.op
        element = self.as_graph_element(value)
        return element.node if isinstance(element, Tensor) else element

    def _control_inputs(self, inputs: Sequence[Tensor]) -> tuple[Node, ...]:
        out: dict[Node, None] = {}
        own = {t.node for t in inputs}
        for _, nodes, inside in self._scopes.control:
            # an op whose input was made inside the block already follows the dependency
            if not own.isdisjoint(inside):
                continue
            for node in nodes:
                if node not in own:
                    out[node] = None
        return tuple(out)

    # ------------------------------------------------------------ devices
    @contextlib.contextmanager
    def device(self, spec: Any) -> Iterator[None]:
        """Records the device of nodes made inside: a string, a function of the node, or None."""
        scopes = self._scopes
        before = scopes.device
        scopes.device = [*before, spec]
        try:
            yield
        finally:
            scopes.device = before

    @contextlib.contextmanager
    def colocate_with(self, op: Any, ignore_existing: bool = False) -> Iterator[None]:
        """Nodes made inside are on the device of `op`; None clears the devices in force."""
        if op is None:
            with self.device(None):
                yield
            return
        with self.device(self._as_control(op).device or None):
            yield

    def _place(self, node: Node) -> None:
        """Merges the device scopes from the innermost out; the inner one wins a field."""
        merged: dict[str, str] = {}
        for spec in reversed(self._scopes.device):
            if spec is None:
                break
            text = spec(node) if callable(spec) else spec
            for key, value in device_fields(text).items():
                merged.setdefault(key, value)
            node.device = device_text(merged)

    # ------------------------------------------------------------ collections
    def add_to_collection(self, name: Any, value: Any) -> None:
        self._check_not_finalized()
        with self._lock:
            self._collections.setdefault(name, []).append(value)

    def add_to_collections(self, names: Any, value: Any) -> None:
        names = (names,) if isinstance(names, str) else tuple(dict.fromkeys(names))
        for name in names:
            self.add_to_collection(name, value)

    def get_collection_ref(self, name: Any) -> list[Any]:
        with self._lock:
            return self._collections.setdefault(name, [])

    def get_collection(self, name: Any, scope: str | None = None) -> list[Any]:
        """A copy of the collection; with `scope`, the items whose names start with it."""
        with self._lock:
            items = list(self._collections.get(name, ()))
        if scope is None:
            return items
        regex = re.compile(scope)
        return [i for i in items if hasattr(i, "name") and regex.match(i.name)]

    def get_all_collection_keys(self) -> list[Any]:
        with self._lock:
            return [k for k in self._collections if isinstance(k, str)]

    @property
    def collections(self) -> list[Any]:
        return self.get_all_collection_keys()

    def clear_collection(self, name: Any) -> None:
        self._check_not_finalized()
        with self._lock:
            self._collections.pop(name, None)

    # ------------------------------------------------------------ elements
    def as_graph_element(
        self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True
    ) -> Any:
        """The Tensor or Node that `obj` is or names ("x:0" a tensor, "x" an op).

        Raises:
            ValueError, KeyError, TypeError: TF1's texts.
        """
        convert = getattr(obj, "_as_graph_element", None)
        if convert is not None:
            obj = convert()
        if isinstance(obj, str):
            return self._element_by_name(obj, allow_tensor, allow_operation)
        if isinstance(obj, Tensor) and allow_tensor:
            if obj.graph is not self:
                raise ValueError(f"Tensor {obj} is not an element of this graph.")
            return obj
        if isinstance(obj, Node) and allow_operation:
            if obj.graph is not self:
                raise ValueError(f"Operation {obj!r} is not an element of this graph.")
            return obj
        wanted = " or ".join(
            ["Tensor"] * bool(allow_tensor) + ["Operation"] * bool(allow_operation)
        )
        raise TypeError(f"Can not convert a {type(obj).__name__} into a {wanted}.")

    def _element_by_name(self, name: str, allow_tensor: bool, allow_operation: bool) -> Any:
        if ":" in name and allow_tensor:
            op_name, _, number = name.partition(":")
            if not number.isdigit() or not op_name:
                raise ValueError(
                    f"The name '{name}' looks a like a Tensor name, but is not a valid one. "
                    'Tensor names must be of the form "<op_name>:<output_index>".'
                )
            node = self._by_name.get(op_name)
            if node is None:
                raise KeyError(
                    f"The name '{name}' refers to a Tensor which does not exist. The operation, "
                    f"'{op_name}', does not exist in the graph."
                )
            if int(number) >= len(node.outputs):
                raise KeyError(
                    f"The name '{name}' refers to a Tensor which does not exist. The operation, "
                    f"'{op_name}', exists but only has {len(node.outputs)} outputs."
                )
            return node.outputs[int(number)]
        if ":" not in name and allow_operation:
            if name not in self._by_name:
                raise KeyError(f"The name '{name}' refers to an Operation not in the graph.")
            return self._by_name[name]
        if ":" not in name:
            hint = f' Perhaps you meant "{name}:0"?' if name in self._by_name else ""
            raise ValueError(
                f"The name '{name}' refers to an Operation, not a Tensor. Tensor names must be "
                f'of the form "<op_name>:<output_index>".{hint}'
            )
        raise ValueError(f"Name '{name}' appears to refer to a Tensor, not a Operation.")

    def get_tensor_by_name(self, name: str) -> Tensor:
        if not isinstance(name, str):
            raise TypeError(f"Tensor names are strings (or similar), not {type(name).__name__}.")
        return self.as_graph_element(name, allow_operation=False)

    def get_operation_by_name(self, name: str) -> Node:
        if not isinstance(name, str):
            raise TypeError(
                f"Operation names are strings (or similar), not {type(name).__name__}."
            )
        return self.as_graph_element(name, allow_tensor=False)

    def prevent_feeding(self, tensor: Tensor) -> None:
        """Session.run refuses to feed this tensor from here on."""
        self._unfeedable.add(tensor)

    def is_feedable(self, tensor: Any) -> bool:
        return tensor not in self._unfeedable

    def prevent_fetching(self, op: Node) -> None:
        """Session.run refuses to fetch this op and its outputs from here on."""
        self._unfetchable.add(op)

    def is_fetchable(self, element: Any) -> bool:
        return (element.node if isinstance(element, Tensor) else element) not in self._unfetchable

    # ------------------------------------------------------------ state of the graph
    @property
    def seed(self) -> int | None:
        return self._seed

    @seed.setter
    def seed(self, value: int | None) -> None:
        self._seed = value

    @property
    def finalized(self) -> bool:
        return self._finalized

    def finalize(self) -> None:
        """No nodes can be added any more."""
        self._finalized = True

    def _unsafe_unfinalize(self) -> None:
        self._finalized = False

    def _check_not_finalized(self) -> None:
        if self._finalized:
            raise RuntimeError("Graph is finalized and cannot be modified.")

    @contextlib.contextmanager
    def as_default(self) -> Iterator[Graph]:
        with _DEFAULT.pushed(self):
            yield self


class _DefaultGraphs(threading.local):
    def __init__(self) -> None:
        self.stack: list[Graph] = []
        self.graph: Graph | None = None

    @contextlib.contextmanager
    def pushed(self, graph: Graph) -> Iterator[None]:
        self.stack.append(graph)
        try:
            yield
        finally:
            if not self.stack or self.stack[-1] is not graph:
                raise AssertionError(
                    f"Nesting violated for default stack of {type(graph)} objects"
                )
            self.stack.pop()


class _Default:
    """Per-thread stack of default graphs over one process-wide global graph."""

    def __init__(self) -> None:
        self._local = _DefaultGraphs()
        self._global: Graph | None = None
        self._lock = threading.Lock()

    def pushed(self, graph: Graph) -> contextlib.AbstractContextManager[None]:
        return self._local.pushed(graph)

    def get(self) -> Graph:
        if self._local.stack:
            return self._local.stack[-1]
        with self._lock:
            if self._global is None:
                self._global = Graph()
            return self._global

    def reset(self) -> None:
        if self._local.stack:
            raise AssertionError(
                "Do not use tf.reset_default_graph() to clear nested graphs. If you need a "
                "cleared graph, exit the nesting and create a new graph."
            )
        with self._lock:
            self._global = Graph()

    def enter(self, graph: Graph) -> None:
        self._local.stack.append(graph)

    def exit(self, graph: Graph) -> None:
        if not self._local.stack or self._local.stack[-1] is not graph:
            raise AssertionError(f"Nesting violated for default stack of {type(graph)} objects")
        self._local.stack.pop()


_DEFAULT = _Default()


def get_default_graph() -> Graph:
    """The innermost graph made default in this thread, else the process's global one."""
    return _DEFAULT.get()


def reset_default_graph() -> None:
    """Replaces the global default graph by an empty one.

    Raises:
        AssertionError: inside `with graph.as_default()`.
    """
    _DEFAULT.reset()


def enter_default_graph(graph: Graph) -> None:
    _DEFAULT.enter(graph)


def exit_default_graph(graph: Graph) -> None:
    _DEFAULT.exit(graph)
