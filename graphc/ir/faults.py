"""Errors in the user's terms: which op, and which line of the user's code made it.

Lives here: located, numpy_fault, made_at, called_at. Imports ir and errors.
"""

from __future__ import annotations

from typing import TypeVar

from graphc.errors import InvalidArgumentError, OpError
from graphc.ir.node import Node, Tensor
from graphc.ir.source import capture

E = TypeVar("E", bound=OpError)


def located(err: E, node: Node) -> E:
    """The same kind of error whose text names the node and the user's line."""
    if err.op is not None or "[[Node:" in err.message:
        return err
    name = node.name or node.text_name
    text = f"{err.message}\n\t [[Node: {node.node_def}]]"
    text += f"\n\nCaused by op '{name}', defined at: {node.origin.summary()}"
    for other in node.origins[1:4]:
        text += f"\n  together with an op made at {other.summary()}"
    return type(err)(node.node_def, node, text)


def made_at(*tensors: Tensor) -> str:
    """Lines to end a message with: where each tensor was made."""
    known = [t for t in tensors if t.node.origins]
    return "".join(f"\n  {t.text_name} made at {t.node.origin.summary()}" for t in known)


def called_at() -> str:
    """A line to end a message with, where no op is to blame: the user's line that runs now."""
    return f"\n  called at {capture().summary()}"


def numpy_fault(err: Exception, node: Node) -> OpError:
    """A NumPy exception of a reference or a host step as TF's InvalidArgumentError."""
    if isinstance(err, OpError):
        return located(err, node)
    return located(InvalidArgumentError(f"{node.op.tf}: {err}"), node)
