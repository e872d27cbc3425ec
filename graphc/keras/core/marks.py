"""What Keras knows of a tensor beyond the graph: which layer made it, its mask.

Lives here: the table of a graph, and the properties of Tensor that read it. Imports ir.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from graphc.ir.node import Tensor

__all__ = ["History", "history_of", "is_keras_tensor", "mask_of", "set_history", "set_mask"]


class History(NamedTuple):
    """A tensor is output `tensor_index` of call number `node_index` of `layer`."""

    layer: Any
    node_index: int
    tensor_index: int


def _table(tensor: Tensor, name: str) -> dict[Tensor, Any]:
    return tensor.graph.__dict__.setdefault(name, {})


def history_of(tensor: Any) -> History | None:
    """Where a layer's output comes from; None for any other value."""
    if not isinstance(tensor, Tensor):
        return None
    return _table(tensor, "_keras_history").get(tensor)


def set_history(tensor: Tensor, history: History) -> None:
    _table(tensor, "_keras_history")[tensor] = history


def mask_of(tensor: Any) -> Any:
    """The mask that a layer gave the tensor, or None."""
    return _table(tensor, "_keras_masks").get(tensor) if isinstance(tensor, Tensor) else None


def set_mask(tensor: Any, mask: Any) -> None:
    if isinstance(tensor, Tensor) and mask is not None:
        _table(tensor, "_keras_masks")[tensor] = mask


def is_keras_tensor(x: Any) -> bool:
    """Whether a layer (or Input) made the tensor.

    Raises:
        ValueError: x is no tensor at all.
    """
    if not isinstance(x, Tensor) and not hasattr(x, "_as_graph_element"):
        raise ValueError(
            f"Unexpectedly found an instance of type `{type(x)}`. Expected a symbolic tensor "
            "instance."
        )
    return history_of(x) is not None


def _history(self: Tensor) -> History:
    found = history_of(self)
    if found is None:
        raise AttributeError(f"{self} is not the output of a Keras layer")
    return found


def _shape(self: Tensor) -> tuple[Any, ...]:
    _history(self)
    return tuple(self.shape.as_list())


# Tensor has slots: what scripts look up on tensors stands in the graph's table
Tensor._keras_history = property(_history)  # type: ignore[attr-defined]
Tensor._keras_shape = property(_shape)  # type: ignore[attr-defined]
Tensor._keras_mask = property(mask_of, set_mask)  # type: ignore[attr-defined]
