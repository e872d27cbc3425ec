"""tf.Print, tf.Assert, tf.py_func and the check ops (tf.assert_*).

Lives here: TF1's functions over the records of ops/effects.py. Checks that the static shapes or
constants already decide are decided while the graph is built, as in TF1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import as_dtype
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.ops.effects import Countdown
from graphc.ops.values import value_of
from graphc.tf1.ops_misc import group

__all__ = [
    "Assert", "Print", "add_check_numerics_ops", "assert_equal", "assert_greater",
    "assert_greater_equal", "assert_integer",
    "assert_less", "assert_less_equal", "assert_near", "assert_negative", "assert_non_negative",
    "assert_non_positive", "assert_none_equal", "assert_positive", "assert_proper_iterable",
    "assert_rank", "assert_rank_at_least", "assert_rank_in", "assert_scalar", "assert_type",
    "check_numerics", "numpy_function", "py_func", "verify_tensor_all_finite",
]  # fmt: skip


def Print(
    input_: Any,
    data: Sequence[Any],
    message: str | None = None,
    first_n: int | None = None,
    summarize: int | None = None,
    name: str | None = None,
) -> Tensor:
    """An identity of `input_` that prints `data` to stderr when it is run (tf.Print).

    Args:
        first_n: print only so often. summarize: entries of each tensor (3; -1 for all).
    """
    return F.print_values(
        input_, *data, message=message or "", summarize=summarize,
        countdown=Countdown(first_n), name=name,
    )  # fmt: skip


def Assert(
    condition: Any, data: Sequence[Any], summarize: int | None = None, name: str | None = None
) -> Node:
    """An op that raises InvalidArgumentError "assertion failed: ..." where `condition` is false.

    Like every op it runs only where it is fetched or a control dependency asks for it.
    """
    return F.assert_true.node(condition, *data, summarize=summarize, name=name)


def check_numerics(tensor: Any, message: str, name: str | None = None) -> Tensor:
    """An identity of `tensor` that refuses NaN and infinity when it is run (tf.check_numerics).

    Raises (in the run):
        InvalidArgumentError: "<message> : Tensor had NaN values".
    """
    return F.check_numerics(convert_to_tensor(tensor), message=message, name=name)


def verify_tensor_all_finite(
    t: Any = None, msg: str | None = None, name: str | None = None, x: Any = None,
    message: str | None = None,
) -> Tensor:  # fmt: skip
    """As check_numerics (tf.verify_tensor_all_finite)."""
    tensor = convert_to_tensor(x if t is None else t)
    with tensor.graph.name_scope(name or "VerifyFinite"):
        return F.check_numerics(tensor, message=msg or message or "")


def add_check_numerics_ops() -> Node:
    """One op that checks every floating tensor of the default graph so far."""
    graph = get_default_graph()
    checks = [
        F.check_numerics(out, message=out.name)
        for node in list(graph.get_operations())
        for out in node.outputs
        if out.dtype.is_floating and node.op.name not in ("check_numerics", "variable")
    ]
    return group(*checks)


def py_func(
    func: Callable[..., Any], inp: Any, Tout: Any, stateful: bool = True, name: str | None = None
) -> Any:
    """Calls a Python function with NumPy arrays in every run (tf.py_func).

    Args:
        inp: tensors. Tout: a dtype, or a list of them: then a list of tensors comes back.

    Returns:
        Tensors of unknown shape; without gradient. For an empty list of dtypes the op.

    Raises (in the run):
        InvalidArgumentError: another number of values than Tout says.
    """
    many = isinstance(Tout, list | tuple)
    dtypes = tuple(as_dtype(t) for t in (Tout if many else [Tout]))
    inputs = inp if isinstance(inp, list | tuple) else [inp]
    node = F.py_func.node(*inputs, fn=func, dtypes=dtypes, name=name)
    if not dtypes:
        return node
    return list(node.outputs) if many else node.outputs[0]


def numpy_function(func: Callable[..., Any], inp: Any, Tout: Any, name: str | None = None) -> Any:
    """tf.numpy_function: py_func under its later name."""
    return py_func(func, inp, Tout, name=name)


# ------------------------------------------------------------------ comparisons
def _known(tensor: Tensor) -> np.ndarray[Any, Any] | None:
    node = tensor.node
    if node.op.name == "const":
        return node.attrs["value"].array
    value = value_of(tensor)
    return None if value is None or value.dtype == object else value


def _compare(
    label: str, op: str, x: Any, y: Any, data: Any, summarize: Any, message: Any, name: Any
) -> Node:
    """An assert of `x op y` for all elements; constants are compared at once."""
    left = convert_to_tensor(x, name="x")
    right = convert_to_tensor(y, left.dtype, name="y")
    known = (_known(left), _known(right))
    if known[0] is not None and known[1] is not None:
        test = F.__getattr__(op).numpy
        assert test is not None
        if not np.asarray(test(*known)).all():
            raise InvalidArgumentError(
                f"{message or ''}Condition x {label} y did not hold. x = {known[0]!r}, "
                f"y = {known[1]!r}"
            )
    holds = F.reduce_all(F.__getattr__(op)(left, right), axes=None, keepdims=False)
    if data is None:
        text = f"{message or ''}Condition x {label} y did not hold element-wise:"
        data = [text, f"x ({left.name}) = ", left, f"y ({right.name}) = ", right]
    return Assert(holds, data, summarize=summarize, name=name)


def _comparison(name: str, label: str, op: str) -> Callable[..., Node]:
    def check(
        x: Any, y: Any, data: Any = None, summarize: Any = None, message: Any = None,
        name: str | None = None,
    ) -> Node:  # fmt: skip
        return _compare(label, op, x, y, data, summarize, message, name or default)

    default = name
    check.__name__ = name
    check.__doc__ = f"An op that fails where some element is not x {label} y (tf.{name})."
    return check


def _against_zero(name: str, label: str, op: str) -> Callable[..., Node]:
    def check(
        x: Any, data: Any = None, summarize: Any = None, message: Any = None,
        name: str | None = None,
    ) -> Node:  # fmt: skip
        tensor = convert_to_tensor(x, name="x")
        zero = np.zeros((), tensor.dtype.np)
        return _compare(label, op, tensor, zero, data, summarize, message, name or default)

    default = name
    check.__name__ = name
    check.__doc__ = f"An op that fails where some element is not x {label} 0 (tf.{name})."
    return check


assert_equal = _comparison("assert_equal", "==", "equal")
assert_none_equal = _comparison("assert_none_equal", "!=", "not_equal")
assert_less = _comparison("assert_less", "<", "less")
assert_less_equal = _comparison("assert_less_equal", "<=", "less_equal")
assert_greater = _comparison("assert_greater", ">", "greater")
assert_greater_equal = _comparison("assert_greater_equal", ">=", "greater_equal")
assert_positive = _against_zero("assert_positive", ">", "greater")
assert_negative = _against_zero("assert_negative", "<", "less")
assert_non_negative = _against_zero("assert_non_negative", ">=", "greater_equal")
assert_non_positive = _against_zero("assert_non_positive", "<=", "less_equal")


def assert_near(
    x: Any, y: Any, rtol: Any = None, atol: Any = None, data: Any = None, summarize: Any = None,
    message: Any = None, name: str | None = None,
) -> Node:  # fmt: skip
    """An op that fails unless |x - y| <= atol + rtol |y| for all elements (tf.assert_near).

    Args:
        rtol, atol: ten times the dtype's resolution where they are not given.
    """
    left = convert_to_tensor(x, name="x")
    right = convert_to_tensor(y, left.dtype, name="y")
    kind = left.dtype.real_dtype
    default = 10 * float(np.finfo(np.float16 if kind.is_half else kind.np).eps)
    relative = convert_to_tensor(default if rtol is None else rtol, kind)
    absolute = convert_to_tensor(default if atol is None else atol, kind)
    near = F.less_equal(F.abs(left - right), absolute + relative * F.abs(right))
    if data is None:
        data = [
            f"{message or ''}x and y not equal to tolerance rtol = ", relative, " atol = ",
            absolute, f"x ({left.name}) = ", left, f"y ({right.name}) = ", right,
        ]  # fmt: skip
    holds = F.reduce_all(near, axes=None, keepdims=False)
    return Assert(holds, data, summarize=summarize, name=name or "assert_near")


# ------------------------------------------------------------------ ranks and types
def _rank_check(
    x: Any, label: str, holds: Callable[[Any], Any], message: Any, summarize: Any, name: Any
) -> Node:
    """Decided by the static rank where it is known, else when it runs."""
    tensor = convert_to_tensor(x, name="x")
    if tensor.rank is not None:
        if not holds(tensor.rank):
            raise ValueError(
                f"{message or ''}Tensor {tensor.name} must have {label}.  Received rank "
                f"{tensor.rank}, shape {tensor.shape}"
            )
        return F.no_op.node(name=name or "static_checks_determined_all_ok")
    rank = F.rank(tensor)
    data = [f"{message or ''}Tensor {tensor.name} must have {label}. Received shape: ",
            F.shape(tensor)]  # fmt: skip
    return Assert(holds(rank), data, summarize=summarize, name=name)


def assert_rank(
    x: Any, rank: int, data: Any = None, summarize: Any = None, message: Any = None,
    name: str | None = None,
) -> Node:  # fmt: skip
    """An op that fails where x has another rank (tf.assert_rank). ValueError where it is known."""
    return _rank_check(
        x, f"rank {rank}", lambda r: r == rank if isinstance(r, int) else F.equal(r, rank),
        message, summarize, name,
    )  # fmt: skip


def assert_rank_at_least(
    x: Any, rank: int, data: Any = None, summarize: Any = None, message: Any = None,
    name: str | None = None,
) -> Node:  # fmt: skip
    """An op that fails where x has a smaller rank (tf.assert_rank_at_least)."""
    return _rank_check(x, f"rank at least {rank}", lambda r: r >= rank, message, summarize, name)


def assert_rank_in(
    x: Any, ranks: Sequence[int], data: Any = None, summarize: Any = None, message: Any = None,
    name: str | None = None,
) -> Node:  # fmt: skip
    """An op that fails where the rank of x is none of `ranks` (tf.assert_rank_in)."""

    def holds(rank: Any) -> Any:
        if isinstance(rank, int):
            return rank in ranks
        tests = [F.equal(rank, r) for r in ranks]
        total = tests[0]
        for test in tests[1:]:
            total = F.logical_or(total, test)
        return total

    return _rank_check(x, f"rank in {tuple(ranks)}", holds, message, summarize, name)


def assert_scalar(tensor: Any, name: str | None = None) -> Tensor:
    """The tensor, if its static shape is that of a scalar. Raises ValueError."""
    value = convert_to_tensor(tensor)
    if value.rank != 0:
        raise ValueError(f"Expected scalar shape for {value.name}, saw shape: {value.shape}.")
    return value


def assert_type(tensor: Any, tf_type: Any, message: Any = None, name: str | None = None) -> Node:
    """Raises TypeError where the dtype is another one (tf.assert_type); a no_op else."""
    value, want = convert_to_tensor(tensor), as_dtype(tf_type)
    if value.dtype is not want:
        raise TypeError(f"{message or ''}{value.name} must be of type {want!r}")
    return F.no_op.node(name=name or "statically_determined_correct_type")


def assert_integer(x: Any, message: Any = None, name: str | None = None) -> Node:
    """Raises TypeError where x is not of an integer dtype (tf.assert_integer); a no_op else."""
    value = convert_to_tensor(x)
    if not value.dtype.is_integer:
        found = f"Found: {value.dtype!r}"
        raise TypeError(f'{message or ""}Expected "x" to be integer type.  {found}')
    return F.no_op.node(name=name or "statically_determined_was_integer")


def assert_proper_iterable(values: Any) -> None:
    """Raises TypeError for what only looks like a list of tensors (tf.assert_proper_iterable)."""
    unfit = (Tensor, np.ndarray, bytes, str)
    if isinstance(values, unfit) or not hasattr(values, "__iter__"):
        raise TypeError(
            f'Expected argument "values" to be a "proper" iterable. Found: {type(values)}'
        )
