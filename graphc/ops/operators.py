"""Python operators of Tensor, with TF1's names and conversion rules.

Lives here: the operator methods, install() for Tensor and for classes that stand for one
(Variable). Not here: the ops themselves, slicing's translation (tf1/api_array.py). Importing the
package graphc.ops installs them. Imports ir; the op records are found when an operator is used.

The other operand takes this tensor's dtype (semantics 30). `x + y` makes "add" and a Python
operand becomes the constant "add/y"; `==` stays identity, so that tensors are keys of feed_dict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Tensor

_NO_BOOL = (
    "Using a `tf.Tensor` as a Python `bool` is not allowed. Use `if t is not None:` instead of "
    "`if t:` to test if a tensor is defined, and use TensorFlow ops such as tf.cond to execute "
    "subgraphs conditioned on the value of a tensor."
)
_NO_ITER = (
    "Tensor objects are not iterable when eager execution is not enabled. To iterate over this "
    "tensor use tf.map_fn."
)
# integer division in Python 3's sense computes in the float type that holds the values
_TRUEDIV = {
    "int8": "float32", "uint8": "float32", "int16": "float32", "uint16": "float32",
    "int32": "float64", "int64": "float64", "uint32": "float64", "uint64": "float64",
}  # fmt: skip


def _op(record: str) -> Callable[..., Tensor]:
    """The op of that name; its module may be imported later than this one."""

    def call(*args: Any, name: str | None = None, **attrs: Any) -> Tensor:
        from graphc.ops.define import F

        return getattr(F, record)(*args, name=name, **attrs)

    return call


def truediv(x: Tensor, y: Tensor, name: str | None = None) -> Tensor:
    """x / y of tensors of one dtype; integers divide in float32 or float64, as in Python 3.

    Raises:
        TypeError: dtypes differ, or a dtype that cannot be divided.
    """
    if x.dtype is not y.dtype:
        raise TypeError(
            f"x and y must have the same dtype, got {x.dtype!r} != {y.dtype!r}"
        )
    if x.dtype.kind in "bs":
        raise TypeError(f"Invalid dtype {x.dtype.name} in __truediv__.")
    wide = _TRUEDIV.get(x.dtype.name)
    if wide is not None:
        cast = _op("cast")
        x = cast(x, dtype=as_dtype(wide), name="Cast")
        y = cast(y, dtype=as_dtype(wide), name="Cast")
    return _op("divide")(x, y, name=name)


def div(x: Tensor, y: Tensor, name: str | None = None) -> Tensor:
    """Python 2's x / y: floor division of integers."""
    record = "divide" if x.dtype.is_floating or x.dtype.is_complex else "floordiv"
    return _op(record)(x, y, name=name)


def _logical(word: str) -> Callable[..., Tensor]:
    """& | ^ : logical on bools, bitwise on integers."""

    def call(x: Tensor, y: Tensor, name: str | None = None) -> Tensor:
        kind = "logical" if x.dtype.is_bool else "bitwise"
        return _op(f"{kind}_{word}")(x, y, name=name)

    return call


# method -> (TF1's name of the op, function)
_BINARY: dict[str, tuple[str, Callable[..., Tensor]]] = {
    "add": ("add", _op("add")),
    "sub": ("sub", _op("subtract")),
    "mul": ("mul", _op("multiply")),
    "truediv": ("truediv", truediv),
    "div": ("div", div),
    "floordiv": ("floordiv", _op("floordiv")),
    "mod": ("mod", _op("floormod")),
    "pow": ("pow", _op("pow")),
    "matmul": ("matmul", _op("matmul")),
    "and": ("and", _logical("and")),
    "or": ("or", _logical("or")),
    "xor": ("xor", _logical("xor")),
}
_COMPARE = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
_MATMUL_ATTRS = {"transpose_a": False, "transpose_b": False}


def _convert(value: Any, dtype: DType, name: str, graph: Any) -> Tensor:
    from graphc.ops.convert import convert_to_tensor

    return convert_to_tensor(value, dtype, name=name, graph=graph)


def _apply(label: str, fn: Callable[..., Tensor], x: Any, y: Any, reverse: bool) -> Any:
    """fn under TF1's name scope; the foreign operand becomes x or y of the tensor's dtype."""
    tensor: Tensor = y if reverse else x
    other = x if reverse else y
    attrs = _MATMUL_ATTRS if label == "matmul" else {}
    graph = tensor.graph
    with graph.name_scope(label) as scope:
        if not isinstance(other, Tensor) or other.dtype is not tensor.dtype:
            other = _convert(other, tensor.dtype, "x" if reverse else "y", graph)
        left, right = (other, tensor) if reverse else (tensor, other)
        return fn(left, right, name=scope or None, **attrs)


def _forward(method: str, as_tensor: Callable[[Any], Tensor]) -> Callable[..., Any]:
    label, fn = _BINARY[method]

    def operator(self: Any, other: Any) -> Any:
        if getattr(other, "own_operators", False):
            return NotImplemented
        return _apply(label, fn, as_tensor(self), other, False)

    return operator


def _backward(method: str, as_tensor: Callable[[Any], Tensor]) -> Callable[..., Any]:
    label, fn = _BINARY[method]

    def operator(self: Any, other: Any) -> Any:
        return _apply(label, fn, other, as_tensor(self), True)

    return operator


def _comparison(record: str, as_tensor: Callable[[Any], Tensor]) -> Callable[..., Any]:
    fn = _op(record)

    def operator(self: Any, other: Any) -> Any:
        return fn(as_tensor(self), other)

    return operator


def _unary(record: str, as_tensor: Callable[[Any], Tensor]) -> Callable[..., Any]:
    fn = _op(record)

    def operator(self: Any) -> Any:
        return fn(as_tensor(self))

    return operator


def _abs(as_tensor: Callable[[Any], Tensor]) -> Callable[..., Any]:
    def operator(self: Any) -> Any:
        x = as_tensor(self)
        return _op("complex_abs" if x.dtype.is_complex else "abs")(x)

    return operator


def _invert(as_tensor: Callable[[Any], Tensor]) -> Callable[..., Any]:
    def operator(self: Any) -> Any:
        x = as_tensor(self)
        return _op("logical_not" if x.dtype.is_bool else "bitwise_invert")(x)

    return operator


def _getitem(as_tensor: Callable[[Any], Tensor]) -> Callable[..., Any]:
    def operator(self: Any, key: Any) -> Any:
        from graphc.tf1.api_array import getitem

        return getitem(as_tensor(self), key)

    return operator


def install(cls: type, as_tensor: Callable[[Any], Tensor]) -> None:
    """Gives `cls` the operators; as_tensor(self) is the tensor that they act on."""
    for method in _BINARY:
        setattr(cls, f"__{method}__", _forward(method, as_tensor))
        setattr(cls, f"__r{method}__", _backward(method, as_tensor))
    for method, record in _COMPARE.items():
        setattr(cls, f"__{method}__", _comparison(record, as_tensor))
    setattr(cls, "__neg__", _unary("negative", as_tensor))  # noqa: B010 - mypy knows no such attribute
    setattr(cls, "__abs__", _abs(as_tensor))  # noqa: B010
    setattr(cls, "__invert__", _invert(as_tensor))  # noqa: B010
    setattr(cls, "__getitem__", _getitem(as_tensor))  # noqa: B010


def _bool(self: Any) -> bool:
    raise TypeError(_NO_BOOL)


def _iter(self: Any) -> Any:
    raise TypeError(_NO_ITER)


def _len(self: Any) -> int:
    raise TypeError(
        f"len is not well defined for symbolic Tensors. ({self.name}) Please call `x.shape` "
        "rather than `len(x)` for shape information."
    )


def _array(self: Any, dtype: Any = None, copy: Any = None) -> Any:
    raise NotImplementedError(
        f"Cannot convert a symbolic Tensor ({self.text_name}) to a numpy array."
    )


def install_on_tensor() -> None:
    """Tensor's operators and the Python protocols that a symbolic tensor refuses."""
    install(Tensor, lambda self: self)
    Tensor.__bool__ = Tensor.__nonzero__ = _bool  # type: ignore[attr-defined]
    Tensor.__iter__ = _iter  # type: ignore[attr-defined]
    Tensor.__len__ = _len  # type: ignore[attr-defined]
    Tensor.__array__ = _array  # type: ignore[attr-defined]


install_on_tensor()
