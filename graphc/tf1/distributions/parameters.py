"""What distributions make of their parameters: tensors of one dtype, batch shapes, assertions.

Lives here: Batched, the base of all distributions whose batch shape is that of their parameters;
floats, logits_and_probs. Not here: Distribution itself (base.py).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, as_dtype, float32, int32
from graphc.ir.node import Tensor
from graphc.ir.shape import broadcast_shapes
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_math as math
from graphc.tf1 import api_nn as nn
from graphc.tf1.api_checks import assert_less_equal, assert_near, assert_non_negative
from graphc.tf1.distributions.base import Distribution, ReparameterizationType
from graphc.tf1.framework import control_dependencies, identity

__all__ = ["Batched", "behind", "common_dtype", "floats", "logits_and_probs"]


class Batched(Distribution):
    """A distribution whose batch shape is the broadcast of its parameters' shapes.

    Attributes:
        _batched: its parameters, each with the number of its axes that belong to the event.
        _event: the parameter whose last axes are the event's shape, with their number.
    """

    _batched: Sequence[tuple[Tensor, int]] = ()
    _event: tuple[Tensor, int] | None = None

    def _setup(
        self,
        parameters: Mapping[str, Any],
        scope: str,
        batched: Sequence[tuple[Tensor, int]],
        kind: ReparameterizationType,
        event: tuple[Tensor, int] | None = None,
        dtype: Any = None,
    ) -> None:
        """As Distribution's constructor, from the locals of the subclass's own."""
        self._batched, self._event = batched, event
        Distribution.__init__(
            self,
            dtype=batched[0][0].dtype if dtype is None else dtype,
            reparameterization_type=kind,
            validate_args=parameters["validate_args"],
            allow_nan_stats=parameters["allow_nan_stats"],
            parameters=parameters,
            graph_parents=[t for t, _ in batched],
            name=scope,
        )

    def _batch_shape(self) -> Any:
        parts = [None if t.dims is None else t.dims[: len(t.dims) - n] for t, n in self._batched]
        return broadcast_shapes(*parts)

    def _batch_shape_tensor(self) -> Tensor:
        parts = [F.shape(t)[: -n or None] for t, n in self._batched]
        return functools.reduce(F.broadcast_args, parts)

    def _event_shape(self) -> Any:
        if self._event is None:
            return ()
        tensor, axes = self._event
        return None if tensor.dims is None else tensor.dims[len(tensor.dims) - axes :]

    def _event_shape_tensor(self) -> Tensor:
        if self._event is None:
            return convert_to_tensor(np.zeros(0, np.int32))
        tensor, axes = self._event
        return F.shape(tensor)[-axes:]

    # ------------------------------------------------------------ what subclasses compute with
    def _extents(self, n: Any, event: bool = True) -> Tensor:
        """The shape of n samples as a tensor."""
        count = F.reshape(convert_to_tensor(n, int32), convert_to_tensor([1], int32))
        parts = [count, self.batch_shape_tensor()]
        if event and self._event is not None:
            parts.append(self.event_shape_tensor())
        return F.concat(*parts, axis=0)

    def _wide(self, tensor: Tensor) -> Tensor:
        """A statistic with the axes of the batch (and event): parameters broadcast."""
        want = self._batch_shape()
        event = self._event_shape()
        if want is not None and event is not None and tensor.dims == (*want, *event):
            return tensor
        extents = self.batch_shape_tensor()
        if self._event is not None:
            extents = F.concat(extents, self.event_shape_tensor(), axis=0)
        return F.broadcast_to(tensor, extents)

    def _where_defined(self, defined: Tensor, value: Tensor, message: str) -> Tensor:
        """The value where it is defined; elsewhere NaN, or an error when run."""
        if not self.allow_nan_stats:
            from graphc.tf1.api_checks import assert_equal

            check = assert_equal(defined, arrays.ones_like(defined), message=message)
            return behind([check], value)
        nan = convert_to_tensor(np.nan, value.dtype)
        return select(defined, value, nan)

    def _checked(self, value: Tensor, *checks: Callable[[Tensor], Any]) -> Tensor:
        """The value, behind checks where arguments are validated."""
        if not self.validate_args:
            return value
        return behind([check(value) for check in checks], value)


def behind(checks: Sequence[Any], tensor: Tensor) -> Tensor:
    """The tensor behind assertions."""
    with control_dependencies(checks):
        return identity(tensor)


def select(condition: Tensor, yes: Any, no: Any) -> Tensor:
    """yes where the condition holds, else no; all three broadcast. One of them may be a number."""
    if not is_tensor_like(yes):
        yes = convert_to_tensor(yes, no.dtype)
    elif not is_tensor_like(no):
        no = convert_to_tensor(no, yes.dtype)
    return F.select_v2(condition, yes, no)


def integers(value: Tensor) -> Any:
    """An assertion that a value holds integers."""
    return assert_near(value, math.floor(value), message="value is not an integer. ")


# ------------------------------------------------------------------ parameters as tensors
def common_dtype(values: Sequence[Any], default: DType = float32) -> DType:
    """The dtype of the first tensor or array among values; Python numbers fit any.

    Raises:
        ValueError: no floating point type.
    """
    leaves = [leaf for value in values for leaf in _leaves(value)]
    typed = [v for v in leaves if is_tensor_like(v)] + [v for v in leaves if hasattr(v, "dtype")]
    if typed:
        dtype: DType = as_dtype(typed[0].dtype)
        if not dtype.is_floating:
            raise ValueError(f"Expected floating point type, got {dtype}.")
        return dtype
    if leaves and all(isinstance(v, int) for v in leaves):
        raise ValueError(f"Expected floating point type, got {int32}.")
    return default


def _leaves(value: Any) -> list[Any]:
    """The tensors, arrays and numbers in nested lists."""
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in _leaves(part)]
    return [] if value is None else [value]


def floats(
    values: Mapping[str, Any], checks: Sequence[Callable[[dict[str, Tensor]], Any]] = ()
) -> list[Tensor]:
    """Parameters as tensors of one float dtype, each under its name, behind assertions.

    Args:
        checks: functions of the tensors by name that give assertions.

    Raises:
        ValueError: no floating point type; different ones.
    """
    dtype = common_dtype([v for v in values.values() if v is not None])
    tensors = {k: convert_to_tensor(v, dtype, f"{k}/input") for k, v in values.items()}
    with control_dependencies([check(tensors) for check in checks]):
        return [identity(t, name=k) for k, t in tensors.items()]


def logits_and_probs(
    logits: Any, probs: Any, validate_args: bool, multidimensional: bool = False
) -> tuple[Tensor, Tensor]:
    """Both forms of probabilities from the one that is given.

    Args:
        multidimensional: the last axis lists classes; else each number is of one event.

    Raises:
        ValueError: both or none are given.
    """
    if (probs is None) == (logits is None):
        raise ValueError("Must pass probs or logits, but not both.")
    if probs is None:
        (found,) = floats({"logits": logits})
        made = nn.softmax(found) if multidimensional else math.sigmoid(found)
        return found, identity(made, name="probs")
    (found,) = floats({"probs": probs}, [_proper(multidimensional)] if validate_args else ())
    made = math.log(found) if multidimensional else math.log(found) - math.log1p(-found)
    return identity(made, name="logits"), found


def _proper(multidimensional: bool) -> Callable[[dict[str, Tensor]], Any]:
    def check(tensors: dict[str, Tensor]) -> Any:
        probs = tensors["probs"]
        one = convert_to_tensor(1, probs.dtype)
        checks = [assert_non_negative(probs, message="probs has components less than 0.")]
        if multidimensional:
            total = math.reduce_sum(probs, -1)
            checks.append(assert_near(total, one, message="probs does not sum to 1."))
        else:
            checks.append(
                assert_less_equal(probs, one, message="probs has components greater than 1.")
            )
        from graphc.tf1.ops_misc import group

        return group(*checks)

    return check
