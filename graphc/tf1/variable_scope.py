"""get_variable, variable_scope and what a scope hands down (semantics 12 to 15).

Lives here: VariableScope, the stack of scopes of a graph and thread, make_template. Not here: the
store of variables (tf1/variable_store.py), the Variable class.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

from graphc.ir.dtypes import DType, as_dtype, float32
from graphc.ir.graph import Graph, GraphKeys, get_default_graph
from graphc.ops.convert import is_tensor_like, to_array
from graphc.ops.function import lifted
from graphc.tf1.scopes import graph_of_values
from graphc.tf1.variable_store import Request, store_of
from graphc.tf1.variables import Variable

__all__ = [
    "AUTO_REUSE", "VariableScope", "get_local_variable", "get_variable", "get_variable_scope",
    "make_template", "no_regularizer", "variable_op_scope", "variable_scope",
]  # fmt: skip


class _ReuseMode(enum.Enum):
    """Modes of reuse besides True, False and None."""

    AUTO_REUSE = 1


AUTO_REUSE = _ReuseMode.AUTO_REUSE


def no_regularizer(_: Any) -> None:
    """Stops the inheritance of a scope's regularizer (tf.no_regularizer)."""


_INHERITED = (
    "initializer", "regularizer", "caching_device", "partitioner", "custom_getter", "dtype",
    "use_resource", "constraint",
)  # fmt: skip


class VariableScope:
    """Defaults for get_variable below one prefix of names (tf.VariableScope).

    Attributes:
        name: the prefix. original_name_scope: where ops of the scope go when it is entered again.
        reuse: None, True or AUTO_REUSE. initializer, regularizer, caching_device, partitioner,
        custom_getter, dtype, use_resource, constraint: defaults of get_variable.
    """

    def __init__(
        self,
        reuse: Any,
        name: str = "",
        initializer: Any = None,
        regularizer: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        name_scope: str = "",
        dtype: Any = float32,
        use_resource: Any = None,
        constraint: Any = None,
    ) -> None:
        self._name = name
        self._reuse = reuse
        self._name_scope = name_scope
        self.initializer = initializer
        self.regularizer = regularizer
        self.caching_device = caching_device
        self.partitioner = partitioner
        self.custom_getter = custom_getter
        self.dtype: DType = as_dtype(dtype)
        self.use_resource = use_resource
        self.constraint = constraint

    @property
    def name(self) -> str:
        return self._name

    @property
    def original_name_scope(self) -> str:
        return self._name_scope

    @property
    def reuse(self) -> Any:
        return self._reuse

    def reuse_variables(self) -> None:
        """From here on variables of this scope must exist."""
        self._reuse = True

    def set_initializer(self, initializer: Any) -> None:
        self.initializer = initializer

    def set_regularizer(self, regularizer: Any) -> None:
        self.regularizer = regularizer

    def set_dtype(self, dtype: Any) -> None:
        self.dtype = as_dtype(dtype)

    def set_caching_device(self, caching_device: Any) -> None:
        self.caching_device = caching_device

    def set_partitioner(self, partitioner: Any) -> None:
        self.partitioner = partitioner

    def set_custom_getter(self, custom_getter: Any) -> None:
        self.custom_getter = custom_getter

    def set_use_resource(self, use_resource: Any) -> None:
        self.use_resource = use_resource

    def get_collection(self, name: Any) -> list[Any]:
        """The items of a collection whose names start with this scope's."""
        scope = f"{self._name}/" if self._name else self._name
        return get_default_graph().get_collection(name, scope)

    def trainable_variables(self) -> list[Any]:
        return self.get_collection(GraphKeys.TRAINABLE_VARIABLES)

    def global_variables(self) -> list[Any]:
        return self.get_collection(GraphKeys.GLOBAL_VARIABLES)

    def local_variables(self) -> list[Any]:
        return self.get_collection(GraphKeys.LOCAL_VARIABLES)

    def get_variable(self, name: str, **given: Any) -> Variable:
        """The variable `name` of this scope, with the scope's defaults; see tf.get_variable."""
        full = f"{self._name}/{name}" if self._name else name
        for key in ("regularizer", "initializer", "constraint", "caching_device", "partitioner"):
            if given.get(key) is None:
                given[key] = getattr(self, key)
        if given["regularizer"] is no_regularizer:
            given["regularizer"] = None
        given["dtype"] = self._dtype_for(given)
        if given.get("reuse") is None:
            given["reuse"] = self._reuse
        getter = given.pop("custom_getter", None) or self.custom_getter
        # variables obey only variable scopes, not name scopes
        with get_default_graph().name_scope(None):
            if getter is None:
                return _make(full, **given)
            return getter(getter=_make, name=full, **given)

    def _dtype_for(self, given: dict[str, Any]) -> DType:
        value, dtype = given.get("initializer"), given.get("dtype")
        if value is None or (callable(value) and not is_tensor_like(value)):
            return self.dtype if dtype is None else as_dtype(dtype)
        own = value.dtype if is_tensor_like(value) else as_dtype(to_array(value, None).dtype)
        if dtype is not None and own is not as_dtype(dtype):
            raise ValueError(
                f"Initializer type '{own!s}' and explicit dtype '{as_dtype(dtype)!s}' don't match."
            )
        return own

    def inherit(self, **changes: Any) -> VariableScope:
        """A scope with this one's defaults where `changes` gives None."""
        merged = {k: getattr(self, k) for k in _INHERITED}
        merged.update({k: v for k, v in changes.items() if v is not None})
        return VariableScope(merged.pop("reuse", None), **merged)


def _make(
    name: str,
    shape: Any = None,
    dtype: Any = float32,
    initializer: Any = None,
    regularizer: Any = None,
    reuse: Any = None,
    trainable: bool | None = True,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: Any = None,
    constraint: Any = None,
    synchronization: Any = None,
    aggregation: Any = None,
) -> Variable:
    """The true getter: custom getters call it last, with whatever they changed."""
    request = Request(
        name, shape, as_dtype(dtype), initializer, regularizer, reuse, trainable, collections,
        validate_shape, constraint,
    )  # fmt: skip
    with lifted() as graph:
        return store_of(graph).get_variable(request, AUTO_REUSE)


# ------------------------------------------------------------------ the stack
class _Stack(threading.local):
    """A graph's current scope and the number of times each scope was opened, by thread."""

    def __init__(self) -> None:
        self.current = VariableScope(False)
        self.counts: dict[str, int] = {}

    def opened(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def close_below(self, name: str) -> None:
        """Default names below a scope count from the start each time it is entered."""
        prefix = f"{name}/" if name else ""
        for key in self.counts:
            if not name or key.startswith(prefix):
                self.counts[key] = 0

    def unique(self, prefix: str) -> str:
        name = f"{self.current.name}/{prefix}" if self.current.name else prefix
        if not self.counts.get(name):
            return prefix
        number = 1
        while self.counts.get(f"{name}_{number}"):
            number += 1
        return f"{prefix}_{number}"


def _stack_of(graph: Graph) -> _Stack:
    return getattr(graph, "root", graph).__dict__.setdefault("_variable_scopes", _Stack())


def get_variable_scope() -> VariableScope:
    """The scope in force (tf.get_variable_scope)."""
    return _stack_of(get_default_graph()).current


@contextlib.contextmanager
def _entered(stack: _Stack, scope: VariableScope, jump: bool) -> Iterator[VariableScope]:
    """Makes `scope` current; `jump` for a scope object, whose counts go back afterwards."""
    before = stack.current
    counts = dict(stack.counts) if jump else None
    stack.opened(scope.name)
    stack.current = scope
    try:
        yield scope
    finally:
        if stack.current is not scope:
            raise RuntimeError("Improper nesting of variable_scope.")
        if counts is None:
            stack.close_below(scope.name)
        else:
            stack.counts = counts
        stack.current = before


class variable_scope:
    """Prefix and defaults for get_variable, and a name scope for ops (tf.variable_scope).

    Args:
        name_or_scope: a name below the current scope, or a VariableScope to enter as it is.
        default_name: made unique and used where name_or_scope is None.
        reuse: True, AUTO_REUSE, or None/False to inherit. auxiliary_name_scope: False opens no
            name scope. Others: see VariableScope.

    Raises:
        TypeError, ValueError: names or reuse that cannot be.
    """

    def __init__(
        self,
        name_or_scope: Any,
        default_name: str | None = None,
        values: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        reuse: Any = None,
        dtype: Any = None,
        use_resource: Any = None,
        constraint: Any = None,
        auxiliary_name_scope: bool = True,
    ) -> None:
        if default_name is None and name_or_scope is None:
            raise TypeError("If default_name is None then name_or_scope is required")
        if reuse is False:
            # a child scope cannot switch reuse off
            reuse = None
        if reuse not in (True, None, AUTO_REUSE):
            raise ValueError("The reuse parameter must be True or False or None.")
        if not isinstance(name_or_scope, str | VariableScope | type(None)):
            raise TypeError("VariableScope: name_or_scope must be a string or VariableScope.")
        self._where = name_or_scope
        self._default_name = default_name
        self._values = values
        self._auxiliary = auxiliary_name_scope
        self._changes = {
            "initializer": initializer, "regularizer": regularizer,
            "caching_device": caching_device, "partitioner": partitioner,
            "custom_getter": custom_getter, "reuse": reuse, "dtype": dtype,
            "use_resource": use_resource, "constraint": constraint,
        }  # fmt: skip
        self._stacks: list[contextlib.ExitStack] = []

    def __enter__(self) -> VariableScope:
        with contextlib.ExitStack() as contexts:
            scope = self._open(contexts)
            self._stacks.append(contexts.pop_all())
        return scope

    def __exit__(self, *error: Any) -> None:
        self._stacks.pop().__exit__(*error)

    def _open(self, contexts: contextlib.ExitStack) -> VariableScope:
        graph = graph_of_values(self._values)
        if graph is not get_default_graph():
            contexts.enter_context(graph.as_default())
        stack = _stack_of(graph)
        where = self._where
        if where is None:
            if self._changes["reuse"]:
                raise ValueError("reuse=True cannot be used without a name_or_scope")
            assert self._default_name is not None
            ops = self._name_scope(graph, self._default_name, contexts)
            scope = self._below(stack, stack.unique(self._default_name), ops)
            return contexts.enter_context(_entered(stack, scope, jump=False))
        if isinstance(where, str):
            ops = self._name_scope(graph, where, contexts)
            scope = self._below(stack, where, ops)
            return contexts.enter_context(_entered(stack, scope, jump=False))
        self._name_scope(graph, where.name.split("/")[-1], contexts)
        scope = self._again(where)
        return contexts.enter_context(_entered(stack, scope, jump=True))

    def _name_scope(self, graph: Graph, name: str, contexts: contextlib.ExitStack) -> str:
        current = graph.get_name_scope()
        if not self._auxiliary or not name:
            return f"{current}/" if current else ""
        return contexts.enter_context(graph.name_scope(name))

    def _below(self, stack: _Stack, name: str, ops: str) -> VariableScope:
        """A new scope below the current one."""
        old = stack.current
        full = f"{old.name}/{name}" if old.name else name
        changes = dict(self._changes)
        changes["reuse"] = changes["reuse"] or old.reuse
        changes["custom_getter"] = _composed(old.custom_getter, changes["custom_getter"])
        return old.inherit(name=full, name_scope=ops, **changes)

    def _again(self, where: VariableScope) -> VariableScope:
        """The scope object's copy, with the changes given here."""
        changes = dict(self._changes)
        changes["reuse"] = changes["reuse"] or where.reuse
        changes["custom_getter"] = _composed(where.custom_getter, changes["custom_getter"])
        return where.inherit(name=where.name, name_scope=where.original_name_scope, **changes)


def _composed(outer: Any, inner: Any) -> Any:
    """An inner custom getter calls the outer one as its getter."""
    if outer is None or inner is None:
        return inner or outer

    def both(getter: Any, *args: Any, **kwargs: Any) -> Any:
        return inner(*args, getter=functools.partial(outer, getter), **kwargs)

    return both


@contextlib.contextmanager
def variable_op_scope(
    values: Any, name_or_scope: Any, default_name: str | None = None, **options: Any
) -> Iterator[VariableScope]:
    """Deprecated order of variable_scope's arguments (tf.variable_op_scope)."""
    with variable_scope(name_or_scope, default_name, values, **options) as scope:
        yield scope


# ------------------------------------------------------------------ get_variable
def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool | None = None,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: Any = None,
    custom_getter: Any = None,
    constraint: Any = None,
    synchronization: Any = None,
    aggregation: Any = None,
) -> Variable:
    """The variable of that name in the current scope: shared or new, as `reuse` says.

    Args:
        shape: of a new variable. dtype: default the scope's, float32.
        initializer: a function of (shape, dtype, partition_info), a tensor or a value; default
            the scope's, else Glorot's uniform (zeros for integers).
        regularizer: its result for a new variable goes to REGULARIZATION_LOSSES.
        custom_getter: called as custom_getter(getter, name, **arguments).
        partitioner, caching_device, use_resource, synchronization, aggregation: accepted;
            variables are held whole.

    Raises:
        ValueError: TF1's texts for reuse, shape and dtype.
    """
    return get_variable_scope().get_variable(
        name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer,
        trainable=True if trainable is None else trainable, collections=collections,
        caching_device=caching_device, partitioner=partitioner, validate_shape=validate_shape,
        use_resource=use_resource, custom_getter=custom_getter, constraint=constraint,
    )  # fmt: skip


def get_local_variable(name: str, *args: Any, **options: Any) -> Variable:
    """get_variable for LOCAL_VARIABLES, not trainable (tf.get_local_variable)."""
    given = options.get("collections")
    options["collections"] = [*(given or ()), GraphKeys.LOCAL_VARIABLES]
    options["trainable"] = False
    return get_variable(name, *args, **options)


def make_template(
    name_: str,
    func_: Callable[..., Any],
    create_scope_now_: bool = False,
    unique_name_: str | None = None,
    custom_getter_: Any = None,
    **kwargs: Any,
) -> Callable[..., Any]:
    """A function whose variables are made at its first call and shared by later ones."""
    bound = functools.partial(func_, **kwargs) if kwargs else func_
    scope: list[VariableScope] = []

    def open_scope() -> variable_scope:
        if unique_name_ is not None:
            return variable_scope(unique_name_, custom_getter=custom_getter_)
        return variable_scope(None, name_, custom_getter=custom_getter_)

    if create_scope_now_:
        with open_scope() as made:
            scope.append(made)
    called: list[bool] = []

    def template(*args: Any, **options: Any) -> Any:
        where = variable_scope(scope[0], reuse=bool(called)) if scope else open_scope()
        with where as made:
            if not scope:
                scope.append(made)
            result = bound(*args, **options)
        called.append(True)
        return result

    return template
