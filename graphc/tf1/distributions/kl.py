"""Divergences between distributions: RegisterKL, kl_divergence, cross_entropy.

Lives here: the table and its lookup. Not here: the formulas (kl_formulas.py).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from graphc.ir.node import Tensor
from graphc.ops.define import F
from graphc.tf1.api_checks import assert_equal
from graphc.tf1.distributions.parameters import behind
from graphc.tf1.scopes import name_scope

__all__ = ["RegisterKL", "cross_entropy", "kl_divergence"]

Formula = Callable[..., Tensor]
_FORMULAS: dict[tuple[type, type], Formula] = {}


def _find(type_a: type, type_b: type) -> Formula | None:
    """The formula of the nearest ancestors of both classes."""
    best: tuple[int, Formula] | None = None
    for i, a in enumerate(inspect.getmro(type_a)):
        for j, b in enumerate(inspect.getmro(type_b)):
            found = _FORMULAS.get((a, b))
            if found is not None and (best is None or i + j < best[0]):
                best = (i + j, found)
    return None if best is None else best[1]


def kl_divergence(
    distribution_a: Any, distribution_b: Any, allow_nan_stats: bool = True,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """KL(a || b): the expectation under a of log a(x) - log b(x) (tf.distributions).

    Args:
        allow_nan_stats: False makes NaN an error when run.

    Raises:
        NotImplementedError: no formula is registered for the two classes.
    """
    from graphc.tf1.distributions import kl_formulas  # noqa: F401  # fills the table

    formula = _find(type(distribution_a), type(distribution_b))
    if formula is None:
        raise NotImplementedError(
            "No KL(distribution_a || distribution_b) registered for distribution_a type "
            f"{type(distribution_a).__name__} and distribution_b type "
            f"{type(distribution_b).__name__}"
        )
    with name_scope("KullbackLeibler"):
        result = formula(distribution_a, distribution_b, name=name)
        if allow_nan_stats:
            return result
        check = assert_equal(
            F.is_nan(result), F.zeros_like(F.is_nan(result)),
            message=f"KL calculation between {distribution_a.name} and {distribution_b.name} "
            "returned NaN values (and was called with allow_nan_stats=False). Values: ",
        )  # fmt: skip
        return behind([check], result)


def cross_entropy(
    ref: Any, other: Any, allow_nan_stats: bool = True, name: str | None = None
) -> Tensor:
    """The entropy of `ref` plus KL(ref || other)."""
    with name_scope(name or "cross_entropy"):
        return ref.entropy() + kl_divergence(ref, other, allow_nan_stats=allow_nan_stats)


class RegisterKL:
    """A decorator that registers a formula (a, b, name) for two classes (tf.distributions).

    Raises:
        TypeError: not a function. ValueError: the two have a formula already.
    """

    def __init__(self, dist_cls_a: type, dist_cls_b: type) -> None:
        self._key = (dist_cls_a, dist_cls_b)

    def __call__(self, kl_fn: Formula) -> Formula:
        if not callable(kl_fn):
            raise TypeError(f"kl_fn must be callable, received: {kl_fn}")
        if self._key in _FORMULAS:
            names = " || ".join(cls.__name__ for cls in self._key)
            raise ValueError(f"KL({names}) has already been registered to: {_FORMULAS[self._key]}")
        _FORMULAS[self._key] = kl_fn
        return kl_fn
