"""tf.keras.regularizers: penalties on weights and outputs. Imports keras.core."""

from __future__ import annotations

from typing import Any

from graphc.keras.core import math as K
from graphc.keras.core.objects import Kind, serialize_object
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "serialize",
]  # fmt: skip


class Regularizer:
    """Base of regularizers: called with a tensor, gives a scalar."""

    def __call__(self, x: Any) -> Any:
        return 0.0

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


class L1L2(Regularizer):
    """l1 * sum(abs(x)) + l2 * sum(x ** 2)."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = float(0.0 if l1 is None else l1)
        self.l2 = float(0.0 if l2 is None else l2)

    def __call__(self, x: Any) -> Any:
        x = convert_to_tensor(x)
        terms = []
        if self.l1:
            terms.append(self.l1 * K.sum(K.abs(x)))
        if self.l2:
            terms.append(self.l2 * K.sum(K.square(x)))
        if not terms:
            return convert_to_tensor(0.0, x.dtype)
        return terms[0] if len(terms) == 1 else terms[0] + terms[1]

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class L1(L1L2):
    """l1 * sum(abs(x))."""

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1=l1)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(L1L2):
    """l2 * sum(x ** 2)."""

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2=l2)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


def l1(l: float = 0.01, l1: float | None = None) -> L1L2:  # noqa: E741
    return L1L2(l1=l if l1 is None else l1)


def l2(l: float = 0.01, l2: float | None = None) -> L1L2:  # noqa: E741
    return L1L2(l2=l if l2 is None else l2)


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    return L1L2(l1=l1, l2=l2)


_kind = Kind("regularizer", globals().get, functions_make=True)
serialize = serialize_object
deserialize, get = _kind.deserialize, _kind.get
