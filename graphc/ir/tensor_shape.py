"""TensorShape and Dimension: what a TF1 user sees as a static shape.

Lives here: the two classes as in tf.TensorShape and tf.Dimension of TensorFlow 1. Not here: the
compiler's dimensions (ir/shape.py), to which these convert by `.dims_tuple`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphc.ir.shape import Shape, SymDim, merge_shapes


class Dimension:
    """One dimension of a TensorShape: an int or unknown (value None)."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        if isinstance(value, Dimension):
            value = value.value
        if value is not None:
            number = int(value)
            if number < 0:
                raise ValueError(f"Dimension {number} must be >= 0")
            value = number
        self._value: int | None = value

    @property
    def value(self) -> int | None:
        return self._value

    def is_compatible_with(self, other: Any) -> bool:
        other = as_dimension(other)
        return self._value is None or other.value is None or self._value == other.value

    def assert_is_compatible_with(self, other: Any) -> None:
        if not self.is_compatible_with(other):
            raise ValueError(f"Dimensions {self} and {as_dimension(other)} are not compatible")

    def merge_with(self, other: Any) -> Dimension:
        other = as_dimension(other)
        self.assert_is_compatible_with(other)
        return other if self._value is None else Dimension(self._value)

    def __int__(self) -> int:
        return self._value  # type: ignore[return-value]  # TypeError for None, as in TF1

    def __index__(self) -> int:
        if self._value is None:
            raise TypeError("__index__ returned non-int (type NoneType)")
        return self._value

    def __bool__(self) -> bool:
        # TF1's Dimension has no __bool__: every dimension is true except an int zero compares
        return True

    def __eq__(self, other: object) -> Any:
        try:
            value = as_dimension(other).value
        except (TypeError, ValueError):
            return NotImplemented
        if self._value is None or value is None:
            return None
        return self._value == value

    def __ne__(self, other: object) -> Any:
        same = self.__eq__(other)
        return same if same is None or same is NotImplemented else not same

    def __hash__(self) -> int:
        return hash(self._value)

    def _arith(self, other: Any, fn: Any) -> Any:
        try:
            value = as_dimension(other).value
        except (TypeError, ValueError):
            return NotImplemented
        if self._value is None or value is None:
            return Dimension(None)
        return Dimension(fn(self._value, value))

    def __add__(self, other: Any) -> Any:
        return self._arith(other, lambda a, b: a + b)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self._arith(other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Any:
        return self._arith(other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> Any:
        return self._arith(other, lambda a, b: a * b)

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        return self._arith(other, lambda a, b: a // b)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._arith(other, lambda a, b: b // a)

    def __div__(self, other: Any) -> Any:
        return self // other

    def __truediv__(self, other: Any) -> Any:
        raise TypeError(
            f"unsupported operand type(s) for /: 'Dimension' and '{type(other).__name__}', "
            "please use // instead"
        )

    def __mod__(self, other: Any) -> Any:
        return self._arith(other, lambda a, b: a % b)

    def __rmod__(self, other: Any) -> Any:
        return self._arith(other, lambda a, b: b % a)

    def _order(self, other: Any, fn: Any) -> Any:
        value = as_dimension(other).value
        return None if self._value is None or value is None else fn(self._value, value)

    def __lt__(self, other: Any) -> Any:
        return self._order(other, lambda a, b: a < b)

    def __le__(self, other: Any) -> Any:
        return self._order(other, lambda a, b: a <= b)

    def __gt__(self, other: Any) -> Any:
        return self._order(other, lambda a, b: a > b)

    def __ge__(self, other: Any) -> Any:
        return self._order(other, lambda a, b: a >= b)

    def __repr__(self) -> str:
        return f"Dimension({self._value})"

    def __str__(self) -> str:
        return "?" if self._value is None else str(self._value)


def as_dimension(value: Any) -> Dimension:
    return value if isinstance(value, Dimension) else Dimension(value)


class TensorShape:
    """A possibly partial shape: known rank with some unknown dimensions, or unknown rank."""

    __slots__ = ("_dims",)

    def __init__(self, dims: Any) -> None:
        self._dims: list[Dimension] | None
        if dims is None:
            self._dims = None
        elif isinstance(dims, TensorShape):
            self._dims = dims.dims
        elif isinstance(dims, (int, Dimension)):
            self._dims = [as_dimension(dims)]
        else:
            self._dims = [as_dimension(_user_dim(d)) for d in dims]

    @property
    def dims(self) -> list[Dimension] | None:
        return None if self._dims is None else list(self._dims)

    @property
    def dims_tuple(self) -> Shape:
        """The compiler's form: a tuple of ints and None, or None."""
        return None if self._dims is None else tuple(d.value for d in self._dims)

    @property
    def ndims(self) -> int | None:
        return None if self._dims is None else len(self._dims)

    rank = ndims

    def __len__(self) -> int:
        if self._dims is None:
            raise ValueError("Cannot take the length of Shape with unknown rank.")
        return len(self._dims)

    def __bool__(self) -> bool:
        return self._dims is not None

    def __iter__(self) -> Iterator[Dimension]:
        if self._dims is None:
            raise ValueError("Cannot iterate over a shape with unknown rank.")
        return iter(list(self._dims))

    def __getitem__(self, key: Any) -> Any:
        if self._dims is not None:
            return TensorShape(self._dims[key]) if isinstance(key, slice) else self._dims[key]
        if not isinstance(key, slice):
            return Dimension(None)
        start, stop = key.start or 0, key.stop
        if key.step is not None or stop is None or stop < 0 or start < 0:
            return TensorShape(None)
        return TensorShape([None] * max(0, stop - start))

    def num_elements(self) -> int | None:
        if not self.is_fully_defined():
            return None
        total = 1
        for d in self._dims or []:
            total *= int(d)
        return total

    def as_list(self) -> list[int | None]:
        if self._dims is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return [d.value for d in self._dims]

    def is_fully_defined(self) -> bool:
        return self._dims is not None and all(d.value is not None for d in self._dims)

    def assert_is_fully_defined(self) -> None:
        if not self.is_fully_defined():
            raise ValueError(f"Shape {self} is not fully defined")

    def merge_with(self, other: Any) -> TensorShape:
        other = as_shape(other)
        return TensorShape(merge_shapes(self.dims_tuple, other.dims_tuple))

    def concatenate(self, other: Any) -> TensorShape:
        other = as_shape(other)
        if self._dims is None or other.dims is None:
            return TensorShape(None)
        return TensorShape(self._dims + other.dims)

    def with_rank(self, rank: int) -> TensorShape:
        try:
            return self.merge_with(TensorShape([None] * rank))
        except ValueError:
            raise ValueError(f"Shape {self} must have rank {rank}") from None

    def assert_has_rank(self, rank: int) -> None:
        if self.ndims not in (None, rank):
            raise ValueError(f"Shape {self} must have rank {rank}")

    def with_rank_at_least(self, rank: int) -> TensorShape:
        if self.ndims is not None and self.ndims < rank:
            raise ValueError(f"Shape {self} must have rank at least {rank}")
        return self

    def with_rank_at_most(self, rank: int) -> TensorShape:
        if self.ndims is not None and self.ndims > rank:
            raise ValueError(f"Shape {self} must have rank at most {rank}")
        return self

    def is_compatible_with(self, other: Any) -> bool:
        try:
            self.merge_with(other)
        except ValueError:
            return False
        return True

    def assert_is_compatible_with(self, other: Any) -> None:
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {as_shape(other)} are incompatible")

    def assert_same_rank(self, other: Any) -> None:
        other = as_shape(other)
        if self.ndims is not None and other.ndims is not None and self.ndims != other.ndims:
            raise ValueError(f"Shapes {self} and {other} must have the same rank")

    def __eq__(self, other: object) -> bool:
        try:
            return self.dims_tuple == as_shape(other).dims_tuple
        except (TypeError, ValueError):
            return NotImplemented

    def __hash__(self) -> int:
        return hash(self.dims_tuple)

    def __repr__(self) -> str:
        return f"TensorShape({self._dims!r})"

    def __str__(self) -> str:
        if self._dims is None:
            return "<unknown>"
        inner = ", ".join(str(d) for d in self._dims)
        return f"({inner},)" if len(self._dims) == 1 else f"({inner})"

    def __reduce__(self) -> Any:
        dims = self.dims_tuple
        return (TensorShape, (None if dims is None else list(dims),))


def _user_dim(dim: Any) -> Any:
    # symbols belong to a plan; a user sees them as unknown
    return None if isinstance(dim, SymDim) else dim


def as_shape(value: Any) -> TensorShape:
    return value if isinstance(value, TensorShape) else TensorShape(value)


def unknown_shape(ndims: int | None = None) -> TensorShape:
    return TensorShape(None if ndims is None else [None] * ndims)
