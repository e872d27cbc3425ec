"""Ops that run for what they do: print, assert, call a Python function.

Lives here: print_values, assert_true, check_numerics, py_func. Not here: tf.Print, tf.Assert,
tf.py_func and the check ops (tf1/api_checks.py). Each runs on the host, once in a run that needs
it, and never in a run that does not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import FLOAT, DType, bool_, float32
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ops.define import F, InferContext, OpDef
from graphc.ops.samples import Sample, arg, bools, sample

Array = np.ndarray[Any, Any]


class Countdown:
    """How often a print still happens: tf.Print's first_n. An attribute, told apart by identity."""

    def __init__(self, first_n: int | None) -> None:
        self.left = -1 if first_n is None else first_n

    def take(self) -> bool:
        """Whether to print now."""
        if self.left == 0:
            return False
        self.left -= 1
        return True


def summary(array: Array, entries: int | None) -> str:
    """[1 2 3...]: the first entries, flat, as TF1 prints them; all with -1."""
    flat = np.asarray(array).reshape(-1)
    shown = flat if entries is not None and entries < 0 else flat[: entries or 3]
    texts = [v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in shown]
    return "[" + " ".join(texts) + ("...]" if len(shown) < len(flat) else "]")


def _print(
    value: Array, *data: Array, message: str, summarize: int | None, countdown: Countdown
) -> Array:
    if countdown.take():
        sys.stderr.write(message + "".join(summary(d, summarize) for d in data) + "\n")
        sys.stderr.flush()
    return value


def _assert(condition: Array, *data: Array, summarize: int | None) -> tuple[()]:
    if not np.asarray(condition).all():
        texts = " ".join(summary(d, summarize) for d in data)
        raise InvalidArgumentError(f"assertion failed: {texts}")
    return ()


def _assert_type(ctx: InferContext) -> tuple[TensorType, ...]:
    rank = ctx.rank(0)
    if rank not in (None, 0):
        raise ctx.fail(f"Shape must be rank 0 but is rank {rank}")
    return ()


def _call(*inputs: Array, fn: Callable[..., Any], dtypes: tuple[DType, ...]) -> tuple[Array, ...]:
    got = fn(*inputs)
    values = list(got) if isinstance(got, list | tuple) else [] if got is None else [got]
    if len(values) != len(dtypes):
        name = getattr(fn, "__name__", "function")
        raise InvalidArgumentError(
            f"{name} returns {len(values)} values, but expects to see {len(dtypes)} values."
        )
    return tuple(_as(v, d) for v, d in zip(values, dtypes, strict=True))


def _as(value: Any, dtype: DType) -> Array:
    if dtype.name != "string":
        return np.asarray(value, dtype=dtype.np)
    source = np.asarray(value, dtype=object)
    out = np.empty(source.shape, dtype=object)
    for at, item in np.ndenumerate(source):
        out[at] = item.encode() if isinstance(item, str) else item
    return out


def _called_types(ctx: InferContext) -> tuple[TensorType, ...]:
    return tuple(TensorType(d, None) for d in ctx.attrs["dtypes"])


def _check_numerics(tensor: Array, message: str) -> Array:
    wide = tensor.astype(np.float32) if tensor.dtype.itemsize == 2 else tensor
    found = [w for w, f in (("Inf", np.isinf), ("NaN", np.isnan)) if f(wide).any()]
    if found:
        raise InvalidArgumentError(f"{message} : Tensor had {' and '.join(found)} values")
    return tensor


def _check_numerics_grad(node: Node, g: Tensor) -> tuple[Tensor]:
    text = "Not a number (NaN) or infinity (Inf) values detected in gradient."
    return (F.check_numerics(g, message=text),)


def _identity(x: Array) -> Array:
    return x


print_values = OpDef(
    name="print_values",
    tf="Print",
    family="host",
    args=("input", "*data"),
    groups=("T", "*"),
    infer=lambda ctx: ctx.inputs[0].type,
    numpy=_print,
    grad=lambda node, g: (g, *(None for _ in node.inputs[1:])),
    stateful=True,
    effect=True,
    samples=(
        sample(arg((3,)), arg((2,)), message="", summarize=None, countdown=Countdown(0)),
    ),
)

assert_true = OpDef(
    name="assert_true",
    tf="Assert",
    family="host",
    args=("condition", "*data"),
    groups=(bool_, "*"),
    infer=_assert_type,
    numpy=_assert,
    nograd="it has no outputs",
    stateful=True,
    effect=True,
    samples=(sample(arg((), bools()), grad=False, summarize=None),),
)

check_numerics = OpDef(
    name="check_numerics",
    tf="CheckNumerics",
    family="host",
    args=("tensor",),
    dtypes={"T": FLOAT},
    infer=lambda ctx: ctx.inputs[0].type,
    numpy=_check_numerics,
    grad=_check_numerics_grad,
    samples=(sample(arg((3, 2)), message=""),),
)

py_func = OpDef(
    name="py_func",
    tf="PyFunc",
    family="host",
    args=("*input",),
    groups=("*",),
    infer=_called_types,
    numpy=_call,
    nograd="graphc does not know the derivative of a Python function",
    stateful=True,
    effect=True,
    data_dependent=True,
    samples=(Sample((arg((3,), dtype=float32),), {"fn": _identity, "dtypes": (float32,)}, False),),
)
