"""Python and NumPy values to tensors, with TF1's strict dtype rules.

Lives here: convert_to_tensor, convert_operands, registration of tensor-like classes (Variable,
IndexedSlices). Not here: the const op itself (ops/source.py). Imports ir and ops.define.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.ir.dtypes import DType, as_dtype, of_python
from graphc.ir.faults import called_at, made_at
from graphc.ir.graph import get_default_graph
from graphc.ir.node import ConstValue, Node, Tensor

if TYPE_CHECKING:
    from graphc.ops.define import OpDef

# a GraphDef cannot hold more, and TF1 says so when the constant is made
MAX_CONSTANT_BYTES = 1 << 31
ANY = "*"  # the dtype group of inputs that need not agree with any other
_CONVERTERS: list[tuple[type, Callable[[Any, DType | None], Tensor]]] = []


def register_tensor_conversion_function(
    base_type: type, fn: Callable[[Any, DType | None], Tensor]
) -> None:
    """Objects of `base_type` become tensors by fn(value, dtype or None)."""
    _CONVERTERS.append((base_type, fn))


def is_tensor_like(value: Any) -> bool:
    """A Tensor, a Variable or another registered class."""
    return isinstance(value, Tensor) or any(isinstance(value, t) for t, _ in _CONVERTERS)


def graph_of(operands: Sequence[Any]) -> Any:
    """The container new nodes go to: the operands' own, else the default graph.

    Inside a function all nodes go to its body, which captures operands of other graphs.
    """
    default = get_default_graph()
    if getattr(default, "capture", None) is not None:
        return default
    first = next((t for t in operands if isinstance(t, Tensor) or is_tensor_like(t)), None)
    return default if first is None else first.graph


def convert_to_tensor(
    value: Any,
    dtype: Any = None,
    name: str | None = None,
    preferred_dtype: Any = None,
    graph: Any = None,
) -> Tensor:
    """The value as a Tensor (tf.convert_to_tensor).

    Raises:
        ValueError: a tensor of another dtype ("Tensor conversion requested dtype ...").
        TypeError: a value that the dtype cannot hold ("Expected int32, got 1.5 of type ...").
    """
    want = as_dtype(dtype) if dtype is not None else None
    if isinstance(value, Tensor):
        if want is not None and value.dtype is not want:
            raise ValueError(
                f"Tensor conversion requested dtype {want.name} for Tensor with dtype "
                f"{value.dtype.name}: '{value}'{made_at(value)}"
            )
        return value
    for base, fn in _CONVERTERS:
        if isinstance(value, base):
            return fn(value, want)
    if isinstance(value, list | tuple) and _has_tensor(value):
        return _stack(value, want, name, graph)
    if want is None and preferred_dtype is not None:
        try:
            return constant_tensor(value, as_dtype(preferred_dtype), name, graph)
        except (TypeError, ValueError):
            pass
    return constant_tensor(value, want, name, graph)


def _has_tensor(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_has_tensor(v) for v in value)
    return is_tensor_like(value)


def _stack(value: Any, want: DType | None, name: str | None, graph: Any) -> Tensor:
    """Nested lists that hold tensors are packed; the first tensor decides the dtype."""
    from graphc.ops.define import F

    if want is None:
        want = _first_dtype(value)
    parts = [convert_to_tensor(v, want, graph=graph) for v in value]
    return F.stack(*parts, axis=0, name=name or "packed")


def _first_dtype(value: Any) -> DType | None:
    if isinstance(value, list | tuple):
        return next((d for d in map(_first_dtype, value) if d is not None), None)
    return value.dtype if is_tensor_like(value) else None


def constant_tensor(
    value: Any, dtype: DType | None, name: str | None = None, graph: Any = None
) -> Tensor:
    """A const node of the value; see to_array."""
    return constant_of(to_array(value, dtype), name, graph)


def constant_of(array: np.ndarray[Any, Any], name: str | None = None, graph: Any = None) -> Tensor:
    """A const node of an array that nobody else will write: it is kept as it is."""
    from graphc.ops.source import const

    where = graph if graph is not None else get_default_graph()
    node: Node = where.create_node(
        const, (), {"value": ConstValue(array)}, name or "Const"
    )
    return node.outputs[0]


def to_array(value: Any, dtype: DType | None) -> np.ndarray[Any, Any]:
    """A fresh array of the value, by TF1's rules of tf.constant.

    Raises:
        TypeError: "Expected int32, got 1.5 of type 'float' instead."
        ValueError: ragged lists, None.
    """
    if value is None:
        raise ValueError("None values not supported.")
    if hasattr(value, "dims_tuple"):
        value = _shape_value(value)
    if isinstance(value, np.ndarray | np.generic):
        return _from_numpy(value, dtype)
    if type(value).__module__.startswith("graphc"):
        value = int(value)  # a Dimension
    value = _plain(value)
    if dtype is None:
        try:
            dtype = of_python(value)
        except (TypeError, ValueError) as err:
            raise _bad_value(value, err) from None
    _check_python(value, dtype)
    try:
        if dtype.name == "string":
            return _string_array(value)
        return np.array(value, dtype=dtype.np)
    except (TypeError, ValueError, OverflowError) as err:
        raise _bad_value(value, err) from None


def _shape_value(shape: Any) -> list[int]:
    dims = shape.dims_tuple
    if dims is None or any(d is None for d in dims):
        raise ValueError(f"Cannot convert a partially known TensorShape to a Tensor: {shape}")
    return list(dims)


def _plain(value: Any) -> Any:
    """Dimensions inside lists as ints."""
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if type(value).__name__ == "Dimension":
        return int(value)
    return value


def _from_numpy(value: Any, dtype: DType | None) -> np.ndarray[Any, Any]:
    if value.dtype.kind in "SUO":
        return _string_array(value)
    want = dtype or as_dtype(value.dtype)
    if want.name == "string":
        raise TypeError(f"Expected string, got {value!r} of type '{type(value).__name__}' instead.")
    if value.size * want.size > MAX_CONSTANT_BYTES:
        raise ValueError(
            "Cannot create a tensor proto whose content is larger than 2GB."
            f" Feed the value, or load it into a variable.{called_at()}"
        )
    return np.array(value, dtype=want.np, order="C")


def _string_array(value: Any) -> np.ndarray[Any, Any]:
    source = np.asarray(value, dtype=object)
    out = np.empty(source.shape, dtype=object)
    for at, item in np.ndenumerate(source):
        out[at] = item.encode() if isinstance(item, str) else bytes(item)
    return out


def _bad_value(value: Any, err: Exception) -> Exception:
    if "inhomogeneous" in str(err) or "sequence" in str(err):
        return ValueError(f"Can't convert non-rectangular Python sequence to Tensor: {value!r}")
    return TypeError(
        f"Failed to convert object of type {type(value)} to Tensor. Contents: {value!r}. "
        "Consider casting elements to a supported type."
    )


def _check_python(value: Any, dtype: DType) -> None:
    """Python numbers must fit the kind of the dtype: no float in an int tensor."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list | tuple):
            stack.extend(item)
            continue
        if isinstance(item, np.ndarray | np.generic):
            continue
        bad = (
            (dtype.is_integer and isinstance(item, float | bool | str | bytes))
            or (dtype.is_floating and isinstance(item, str | bytes | bool | complex))
            or (dtype.is_bool and not isinstance(item, bool))
            or (dtype.name == "string" and not isinstance(item, str | bytes))
        )
        if bad:
            raise TypeError(
                f"Expected {dtype.name}, got {item!r} of type '{type(item).__name__}' instead."
            )


def convert_operands(op: OpDef, inputs: Sequence[Any], name: str | None) -> tuple[Tensor, ...]:
    """Inputs as tensors: within a dtype group the first one decides (semantics 30).

    Raises:
        TypeError: "Input 'y' of 'Add' Op has type int32 that does not match type float32 of
        argument 'x'.", or a dtype that the op does not take.
    """
    if not op.variadic and len(inputs) != len(op.args):
        raise TypeError(f"{op.name} takes {len(op.args)} inputs, got {len(inputs)}")
    graph = graph_of(inputs)
    decided: dict[str, tuple[DType, str]] = {}
    out: list[Tensor] = []
    for i, value in enumerate(inputs):
        group, arg = op.group(i), op.arg_name(i)
        if group == ANY:
            out.append(_convert_operand(op, value, None, arg, graph))
            continue
        fixed = group if isinstance(group, DType) else None
        want = fixed or (decided[group][0] if group in decided else None)
        tensor = _convert_operand(op, value, want, arg, graph)
        if want is not None and tensor.dtype is not want:
            raise _mismatch(op, arg, tensor, want, None if fixed else decided[group][1])
        if fixed is None:
            decided.setdefault(group, (tensor.dtype, arg))
            _check_allowed(op, group, arg, tensor.dtype)
        out.append(tensor)
    return tuple(out)


def _convert_operand(
    op: OpDef, value: Any, want: DType | None, arg: str, graph: Any
) -> Tensor:
    if is_tensor_like(value):
        return convert_to_tensor(value)
    try:
        return convert_to_tensor(value, want, arg, graph=graph)
    except TypeError as err:
        if want is None or not str(err).startswith("Expected"):
            raise
        raise TypeError(
            f"Expected {want.name} passed to parameter '{arg}' of op '{op.tf}', got {value!r} of "
            f"type '{type(value).__name__}' instead."
        ) from None


def _mismatch(op: OpDef, arg: str, got: Tensor, want: DType, first: str | None) -> TypeError:
    tail = f"expected type of {want.name}." if first is None else (
        f"type {want.name} of argument '{first}'."
    )  # fmt: skip
    return TypeError(
        f"Input '{arg}' of '{op.tf}' Op has type {got.dtype.name} that does not match {tail}"
        f"{made_at(got)}"
    )


def _check_allowed(op: OpDef, group: str, arg: str, dtype: DType) -> None:
    allowed = op.dtypes.get(group)
    if allowed is None or dtype in allowed:
        return
    names = ", ".join(d.name for d in allowed)
    raise TypeError(
        f"Value passed to parameter '{arg}' has DataType {dtype.name} not in list of allowed "
        f"values: {names}"
    )
