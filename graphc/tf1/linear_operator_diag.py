"""Diagonal operators: LinearOperatorDiag, LinearOperatorIdentity, -ScaledIdentity, -Zeros.

Lives here: those classes. Not here: the base class (tf1/linear_operator.py).
"""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import float32, int32
from graphc.ir.node import Node, Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_linalg as linalg
from graphc.tf1 import api_math as math
from graphc.tf1.api_checks import assert_less, assert_positive
from graphc.tf1.arguments import index_tensor
from graphc.tf1.framework import no_op
from graphc.tf1.linear_operator import LinearOperator, checked_dtype, ones_of, with_checks
from graphc.tf1.ops_misc import group
from graphc.tf1.scopes import name_scope

__all__ = [
    "LinearOperatorDiag", "LinearOperatorIdentity", "LinearOperatorScaledIdentity",
    "LinearOperatorZeros",
]  # fmt: skip


class LinearOperatorDiag(LinearOperator):
    """Diagonal matrices (tf.linalg.LinearOperatorDiag).

    Args:
        diag: [B1,...,Bb, N].

    Raises:
        TypeError: no floats. ValueError: no axes, or is_square is False.
    """

    def __init__(
        self,
        diag: Any,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str = "LinearOperatorDiag",
    ) -> None:
        if is_square is False:
            raise ValueError("Only square diagonal operators currently supported.")
        with name_scope(name, values=[diag]):
            self._diag = checked_dtype(convert_to_tensor(diag, name="diag"), type(self).__name__)
        if self._diag.rank == 0:
            raise ValueError("Argument diag must have at least 1 dimension.  Found: scalar")
        if is_self_adjoint is None and not self._diag.dtype.is_complex:
            is_self_adjoint = True
        super().__init__(
            self._diag.dtype, [self._diag], is_non_singular, is_self_adjoint,
            is_positive_definite, True, name,
        )  # fmt: skip

    @property
    def diag(self) -> Tensor:
        return self._diag

    def _shape(self) -> TensorShape:
        dims = self._diag.dims
        return TensorShape(None if dims is None else (*dims, dims[-1]))

    def _shape_tensor(self) -> Tensor:
        extents = F.shape(self._diag)
        return F.concat(extents, extents[-1:], axis=0)

    def _factor(self, adjoint: bool) -> Tensor:
        return math.conj(self._diag) if adjoint else self._diag

    def _to_dense(self) -> Tensor:
        return arrays.matrix_diag(self._diag)

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return arrays.expand_dims(self._factor(adjoint), -1) * x

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        return rhs / arrays.expand_dims(self._factor(adjoint), -1)

    def _determinant(self) -> Tensor:
        return math.reduce_prod(self._diag, -1)

    def _log_abs_determinant(self) -> Tensor:
        return math.reduce_sum(math.log(math.abs(self._diag)), -1)

    def _diag_part(self) -> Tensor:
        return self._diag

    def _add_to_tensor(self, x: Tensor) -> Tensor:
        wide = x + arrays.zeros_like(self._to_dense())
        return arrays.matrix_set_diag(wide, arrays.matrix_diag_part(wide) + self._diag)

    def _cholesky(self) -> LinearOperator:
        return LinearOperatorDiag(math.sqrt(self._diag), is_positive_definite=True)

    def inverse(self, name: str = "inverse") -> LinearOperator:
        self._check_solvable("inverse")
        with self._scope(name):
            return LinearOperatorDiag(
                1 / self._diag, self.is_non_singular, self.is_self_adjoint,
                self.is_positive_definite,
            )  # fmt: skip

    def adjoint(self, name: str = "adjoint") -> LinearOperator:
        if not self.dtype.is_complex:
            return self
        with self._scope(name):
            return LinearOperatorDiag(math.conj(self._diag), self.is_non_singular)

    def assert_non_singular(self, name: str = "assert_non_singular") -> Node:
        with self._scope(name):
            return assert_positive(
                math.abs(self._diag),
                message="Singular operator:  Diagonal contained zero values.",
            )

    def assert_positive_definite(self, name: str = "assert_positive_definite") -> Node:
        with self._scope(name):
            return assert_positive(
                math.real(self._diag),
                message="Diagonal operator had diagonal entries with non-positive real part, "
                "thus was not positive definite.",
            )


class _Scaled(LinearOperator):
    """c I for a scalar c of each matrix; subclasses say c."""

    _rows: Any

    def _multiplier(self) -> Tensor | None:
        """[B1,...,Bb]; None for 1."""
        raise NotImplementedError("_multiplier is not implemented.")

    def _batch(self) -> Tensor:
        """The batch shape as a tensor."""
        raise NotImplementedError("_batch is not implemented.")

    def _batch_static(self) -> Any:
        raise NotImplementedError("_batch_static is not implemented.")

    def _shape(self) -> TensorShape:
        from graphc.ops.values import value_of

        known = value_of(self._rows)
        size = known.item() if known is not None and isinstance(known.item(), int) else None
        batch = self._batch_static()
        return TensorShape(None if batch is None else (*batch, size, size))

    def _shape_tensor(self) -> Tensor:
        rows = F.reshape(self._rows, convert_to_tensor([1], int32))
        return F.concat(self._batch(), rows, rows, axis=0)

    def _wide(self, axes: int) -> Tensor | None:
        """The multiplier with `axes` axes of one element behind it."""
        scale = self._multiplier()
        for _ in range(axes if scale is not None else 0):
            scale = arrays.expand_dims(scale, -1)
        return scale

    def _diag_part(self) -> Tensor:
        ones = ones_of(self._shape_tensor()[:-1], self.dtype)
        scale = self._wide(1)
        return ones if scale is None else ones * scale

    def _to_dense(self) -> Tensor:
        return arrays.matrix_diag(self._diag_part())

    def _in_batch(self, x: Tensor) -> Tensor:
        """x with the operator's batch axes."""
        if self._batch_static() == ():
            return x
        return x + F.fill(F.concat(self._batch(), convert_to_tensor([1, 1], int32), axis=0),
                          convert_to_tensor(0, self.dtype))  # fmt: skip

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        scale = self._wide(2)
        if scale is None:
            return self._in_batch(x)
        return x * (math.conj(scale) if adjoint else scale)

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        scale = self._wide(2)
        if scale is None:
            return self._in_batch(rhs)
        return rhs / (math.conj(scale) if adjoint else scale)

    def _add_to_tensor(self, x: Tensor) -> Tensor:
        wide = x + arrays.zeros_like(self._to_dense())
        return arrays.matrix_set_diag(wide, arrays.matrix_diag_part(wide) + self._diag_part())


class LinearOperatorIdentity(_Scaled):
    """Identity matrices (tf.linalg.LinearOperatorIdentity).

    Args:
        num_rows: the size. batch_shape: [B1,...,Bb], default none.
        assert_proper_shapes: a `matmul` of another size fails when run, if not before.
    """

    def __init__(
        self,
        num_rows: Any,
        batch_shape: Any = None,
        dtype: Any = None,
        is_non_singular: bool | None = True,
        is_self_adjoint: bool | None = True,
        is_positive_definite: bool | None = True,
        is_square: bool | None = True,
        assert_proper_shapes: bool = False,
        name: str = "LinearOperatorIdentity",
    ) -> None:
        if False in (is_non_singular, is_self_adjoint, is_positive_definite, is_square):
            raise ValueError(
                "An identity operator is always non-singular, self-adjoint, positive definite and "
                "square."
            )
        with name_scope(name):
            self._rows = convert_to_tensor(num_rows, int32, name="num_rows")
            if self._rows.rank not in (0, None):
                raise ValueError(
                    f"Argument num_rows must be a 0-D Tensor.  Found: {self._rows}"
                )
            self._batch_tensor = index_tensor(() if batch_shape is None else batch_shape)
        self._checks = assert_proper_shapes
        super().__init__(dtype or float32, None, True, True, True, True, name)

    def _multiplier(self) -> Tensor | None:
        return None

    def _batch(self) -> Tensor:
        return F.cast(self._batch_tensor, dtype=int32)

    def _batch_static(self) -> Any:
        from graphc.ops.values import value_of

        known = value_of(self._batch_tensor)
        if known is not None:
            return tuple(d if isinstance(d, int) else None for d in known.tolist())
        dims = self._batch_tensor.dims
        return (None,) * dims[0] if dims is not None and isinstance(dims[0], int) else None

    def _in_batch(self, x: Tensor) -> Tensor:
        size = self.domain_dimension.value
        rows = x.dims[-2] if x.dims is not None else None
        if size is not None and rows is not None and size != rows:
            raise ValueError(f"Dimensions of the operator and of x differ: {size} and {rows}")
        if self._checks:
            check = assert_less(F.abs(F.shape(x)[-2] - self._rows), 1,
                                message="Incompatible shape")  # fmt: skip
            x = with_checks(x, [check])
        return super()._in_batch(x)

    def _determinant(self) -> Tensor:
        return ones_of(self._batch(), self.dtype)

    def _log_abs_determinant(self) -> Tensor:
        return F.fill(self._batch(), convert_to_tensor(0, self.dtype))

    def _cholesky(self) -> LinearOperator:
        return self

    def inverse(self, name: str = "inverse") -> LinearOperator:
        return self

    def adjoint(self, name: str = "adjoint") -> LinearOperator:
        return self

    def assert_non_singular(self, name: str = "assert_non_singular") -> Node:
        return no_op(name)

    def assert_positive_definite(self, name: str = "assert_positive_definite") -> Node:
        return no_op(name)

    def assert_self_adjoint(self, name: str = "assert_self_adjoint") -> Node:
        return no_op(name)


class LinearOperatorScaledIdentity(_Scaled):
    """c I (tf.linalg.LinearOperatorScaledIdentity).

    Args:
        num_rows: the size. multiplier: [B1,...,Bb].
    """

    def __init__(
        self,
        num_rows: Any,
        multiplier: Any,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = True,
        assert_proper_shapes: bool = False,
        name: str = "LinearOperatorScaledIdentity",
    ) -> None:
        if is_square is False:
            raise ValueError("A ScaledIdentity operator is always square.")
        with name_scope(name, values=[multiplier]):
            self._rows = convert_to_tensor(num_rows, int32, name="num_rows")
            self._scale = checked_dtype(
                convert_to_tensor(multiplier, name="multiplier"), type(self).__name__
            )
        if is_self_adjoint is None and not self._scale.dtype.is_complex:
            is_self_adjoint = True
        super().__init__(
            self._scale.dtype, [self._scale], is_non_singular, is_self_adjoint,
            is_positive_definite, True, name,
        )  # fmt: skip

    @property
    def multiplier(self) -> Tensor:
        return self._scale

    def _multiplier(self) -> Tensor | None:
        return self._scale

    def _batch(self) -> Tensor:
        return F.shape(self._scale)

    def _batch_static(self) -> Any:
        return self._scale.dims

    def _determinant(self) -> Tensor:
        return math.pow(self._scale, F.cast(self._rows, dtype=self.dtype))

    def _log_abs_determinant(self) -> Tensor:
        size = F.cast(self._rows, dtype=self.dtype.real_dtype)
        return size * math.log(math.abs(self._scale))

    def _cholesky(self) -> LinearOperator:
        return LinearOperatorScaledIdentity(
            self._rows, math.sqrt(self._scale), is_positive_definite=True
        )

    def inverse(self, name: str = "inverse") -> LinearOperator:
        self._check_solvable("inverse")
        with self._scope(name):
            return LinearOperatorScaledIdentity(
                self._rows, 1 / self._scale, self.is_non_singular, self.is_self_adjoint,
                self.is_positive_definite,
            )  # fmt: skip

    def assert_non_singular(self, name: str = "assert_non_singular") -> Node:
        with self._scope(name):
            return assert_positive(math.abs(self._scale), message="LinearOperator was singular")

    def assert_positive_definite(self, name: str = "assert_positive_definite") -> Node:
        with self._scope(name):
            return assert_positive(
                math.real(self._scale), message="LinearOperator was not positive definite."
            )


class LinearOperatorZeros(LinearOperator):
    """Zero matrices [B1,...,Bb, M, N] (tf.linalg.LinearOperatorZeros).

    Args:
        num_rows, num_columns: the size; square where num_columns is not given.
    """

    def __init__(
        self,
        num_rows: Any,
        num_columns: Any = None,
        batch_shape: Any = None,
        dtype: Any = None,
        is_non_singular: bool | None = False,
        is_self_adjoint: bool | None = True,
        is_positive_definite: bool | None = False,
        is_square: bool | None = True,
        assert_proper_shapes: bool = False,
        name: str = "LinearOperatorZeros",
    ) -> None:
        if is_non_singular:
            raise ValueError("A zero operator is always non-invertible.")
        if is_positive_definite:
            raise ValueError("A zero operator is always not positive-definite.")
        self._rows = int(num_rows)
        self._columns = self._rows if num_columns is None else int(num_columns)
        self._batch = tuple(int(d) for d in batch_shape or ())
        square = self._rows == self._columns
        super().__init__(dtype or float32, None, False, square, False, square, name)

    def _shape(self) -> TensorShape:
        return TensorShape((*self._batch, self._rows, self._columns))

    def _shape_tensor(self) -> Tensor:
        return convert_to_tensor([*self._batch, self._rows, self._columns], int32)

    def _to_dense(self) -> Tensor:
        return arrays.zeros(self._shape().as_list(), self.dtype)

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return linalg.matmul(self._to_dense(), x, adjoint_a=adjoint)

    def _determinant(self) -> Tensor:
        return arrays.zeros(list(self._batch), self.dtype)

    def _add_to_tensor(self, x: Tensor) -> Tensor:
        return x + self._to_dense()

    def assert_self_adjoint(self, name: str = "assert_self_adjoint") -> Node:
        return group(name=name)
