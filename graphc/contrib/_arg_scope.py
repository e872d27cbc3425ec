"""arg_scope: default arguments of functions for a block of code (tf.contrib.framework.arg_scope).

Lives here: arg_scope, add_arg_scope and what reads them. Imports nothing of graphc.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Scope = dict[str, dict[str, Any]]


class _Stack(threading.local):
    def __init__(self) -> None:
        self.scopes: list[Scope] = [{}]


_STACK = _Stack()


def arg_scope_func_key(op: Any) -> str:
    """By what scopes know a function."""
    return getattr(op, "_key_op", str(op))


def current_arg_scope() -> Scope:
    """The defaults in force: function -> argument -> value."""
    return _STACK.scopes[-1]


@contextlib.contextmanager
def arg_scope(
    list_ops_or_scope: Sequence[Callable[..., Any]] | Mapping[str, Any], **kwargs: Any
) -> Iterator[Scope]:
    """Calls of these functions inside take `kwargs` where they are not given.

    Args:
        list_ops_or_scope: functions made by add_arg_scope, or a scope to enter again.

    Raises:
        ValueError: a scope together with arguments, or a function without add_arg_scope.
        TypeError: neither a list nor a scope.
    """
    if isinstance(list_ops_or_scope, Mapping):
        if kwargs:
            raise ValueError(
                "When attempting to re-use a scope by suppling a dictionary, kwargs must be empty."
            )
        scope: Scope = {k: dict(v) for k, v in list_ops_or_scope.items()}
    elif isinstance(list_ops_or_scope, list | tuple):
        scope = {k: dict(v) for k, v in current_arg_scope().items()}
        for op in list_ops_or_scope:
            if not has_arg_scope(op):
                raise ValueError(f"{op} is not decorated with @add_arg_scope")
            scope.setdefault(arg_scope_func_key(op), {}).update(kwargs)
    else:
        raise TypeError("list_ops_or_scope must either be a list/tuple or reused scope (i.e. dict)")
    _STACK.scopes.append(scope)
    try:
        yield scope
    finally:
        _STACK.scopes.pop()


def add_arg_scope(func: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose defaults arg_scope can change."""

    @functools.wraps(func)
    def with_defaults(*args: Any, **kwargs: Any) -> Any:
        defaults = current_arg_scope().get(key)
        return func(*args, **({**defaults, **kwargs} if defaults else kwargs))

    key = f"{func.__module__}.{func.__qualname__}.{id(func)}"
    with_defaults._key_op = key  # type: ignore[attr-defined]
    return with_defaults


def has_arg_scope(func: Any) -> bool:
    """Whether add_arg_scope made it."""
    return hasattr(func, "_key_op")


def arg_scoped_arguments(func: Any) -> tuple[str, ...]:
    """The names of the arguments that have defaults. Raises ValueError without add_arg_scope."""
    if not has_arg_scope(func):
        raise ValueError(f"{func} is not decorated with @add_arg_scope")
    parameters = inspect.signature(func).parameters.values()
    return tuple(p.name for p in parameters if p.default is not p.empty)
