"""Run-time errors in the user's terms: which op, and which line of the user's code made it.

Lives here: located, numpy_fault. Imports ir and errors.
"""

from __future__ import annotations

from typing import TypeVar

from graphc.errors import InvalidArgumentError, OpError
from graphc.ir.node import Node

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


def numpy_fault(err: Exception, node: Node) -> OpError:
    """A NumPy exception of a reference or a host step as TF's InvalidArgumentError."""
    if isinstance(err, OpError):
        return located(err, node)
    return located(InvalidArgumentError(f"{node.op.tf}: {err}"), node)
