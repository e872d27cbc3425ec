"""tf.linalg.LinearOperator: batches of matrices that know their structure.

Lives here: the base class, LinearOperatorFullMatrix and LinearOperatorLowerTriangular. Not here:
diagonal ones (tf1/linear_operator_diag.py), those made of others (tf1/linear_operator_joined.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from graphc.ir.dtypes import FLOAT, DType, as_dtype, complex64, complex128, int32
from graphc.ir.node import Node, Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_linalg as linalg
from graphc.tf1 import api_math as math
from graphc.tf1.api_checks import assert_near, assert_positive
from graphc.tf1.framework import control_dependencies, identity
from graphc.tf1.scopes import name_scope

__all__ = ["LinearOperator", "LinearOperatorFullMatrix", "LinearOperatorLowerTriangular"]

_DTYPES = (*FLOAT, complex64, complex128)


class LinearOperator:
    """A batch of matrices, shape [B1,...,Bb, M, N] (tf.linalg.LinearOperator).

    A subclass defines `_shape`, `_shape_tensor` and `_matmul`, or `_to_dense`; what it does not
    define is computed from the dense matrix.

    Args:
        graph_parents: tensors it is made of. is_non_singular, is_self_adjoint,
            is_positive_definite, is_square: what is known of it: True, False or None; a promise,
            not checked.

    Raises:
        ValueError: promises that contradict each other.
    """

    def __init__(
        self,
        dtype: Any,
        graph_parents: Any = None,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str | None = None,
    ) -> None:
        if is_positive_definite and is_self_adjoint is False:
            raise ValueError("A positive definite matrix is always non-singular and self-adjoint.")
        if is_positive_definite:
            if is_non_singular is False:
                raise ValueError("A positive definite matrix is always non-singular.")
            is_non_singular = True
        if is_non_singular or is_self_adjoint:
            if is_square is False:
                raise ValueError("A non-singular or self-adjoint matrix is always square.")
            is_square = True
        self._dtype = as_dtype(dtype)
        self._graph_parents = list(graph_parents or ())
        self._is_non_singular = is_non_singular
        self._is_self_adjoint = is_self_adjoint
        self._is_positive_definite = is_positive_definite
        self._is_square_set_or_implied_by_hints = is_square
        self._name = name or type(self).__name__

    # ------------------------------------------------------------ what it is
    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def name(self) -> str:
        return self._name

    @property
    def graph_parents(self) -> list[Any]:
        return self._graph_parents

    @property
    def is_non_singular(self) -> bool | None:
        return self._is_non_singular

    @property
    def is_self_adjoint(self) -> bool | None:
        return self._is_self_adjoint

    @property
    def is_positive_definite(self) -> bool | None:
        return self._is_positive_definite

    @property
    def is_square(self) -> bool | None:
        """Whether it is square: as the static shape says, else as promised."""
        dims = self.shape.dims_tuple
        if dims is not None and None not in dims[-2:]:
            return bool(dims[-2] == dims[-1])
        return self._is_square_set_or_implied_by_hints

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} shape={self.shape} dtype={self.dtype.name}>"

    @contextlib.contextmanager
    def _scope(self, name: str) -> Iterator[str]:
        with name_scope(self.name), name_scope(name) as scope:
            yield scope

    # ------------------------------------------------------------ shapes
    @property
    def shape(self) -> TensorShape:
        """[B1,...,Bb, M, N] as far as the graph knows."""
        return self._shape()

    @property
    def batch_shape(self) -> TensorShape:
        return self.shape[:-2]

    @property
    def tensor_rank(self) -> int | None:
        """The number of axes, batch ones included; None where the graph does not know."""
        return self.shape.ndims

    @property
    def range_dimension(self) -> Any:
        return self.shape[-2]

    @property
    def domain_dimension(self) -> Any:
        return self.shape[-1]

    def shape_tensor(self, name: str = "shape_tensor") -> Tensor:
        with self._scope(name):
            return self._shape_tensor()

    def batch_shape_tensor(self, name: str = "batch_shape_tensor") -> Tensor:
        with self._scope(name):
            return self._shape_tensor()[:-2]

    def tensor_rank_tensor(self, name: str = "tensor_rank_tensor") -> Tensor:
        with self._scope(name):
            return F.size(self._shape_tensor())

    def range_dimension_tensor(self, name: str = "range_dimension_tensor") -> Tensor:
        with self._scope(name):
            return self._shape_tensor()[-2]

    def domain_dimension_tensor(self, name: str = "domain_dimension_tensor") -> Tensor:
        with self._scope(name):
            return self._shape_tensor()[-1]

    # ------------------------------------------------------------ algebra
    def matmul(
        self, x: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "matmul"
    ) -> Any:
        """A X, or A^H X (adjoint), or A X^H (adjoint_arg): [..., M, R]; batches broadcast.

        Another operator as `x` gives their LinearOperatorComposition.
        """
        if isinstance(x, LinearOperator):
            from graphc.tf1.linear_operator_joined import LinearOperatorComposition

            left = self.adjoint() if adjoint else self
            return LinearOperatorComposition([left, x.adjoint() if adjoint_arg else x])
        with self._scope(name):
            return self._matmul(self._argument(x, adjoint_arg), adjoint)

    __matmul__ = matmul

    def matvec(self, x: Any, adjoint: bool = False, name: str = "matvec") -> Tensor:
        """A x of vectors: [..., N] to [..., M]."""
        with self._scope(name):
            column = arrays.expand_dims(convert_to_tensor(x, self.dtype), -1)
            return arrays.squeeze(self._matmul(column, adjoint), [-1])

    def solve(
        self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "solve"
    ) -> Tensor:
        """X with A X = rhs, exactly.

        Raises:
            NotImplementedError: it is known to be singular or not square.
        """
        self._check_solvable("solve")
        with self._scope(name):
            return self._solve(self._argument(rhs, adjoint_arg), adjoint)

    def solvevec(self, rhs: Any, adjoint: bool = False, name: str = "solvevec") -> Tensor:
        """x with A x = rhs for vectors."""
        self._check_solvable("solve")
        with self._scope(name):
            column = arrays.expand_dims(convert_to_tensor(rhs, self.dtype), -1)
            return arrays.squeeze(self._solve(column, adjoint), [-1])

    def _argument(self, x: Any, adjoint: bool) -> Tensor:
        tensor = convert_to_tensor(x, self.dtype)
        return linalg.adjoint(tensor) if adjoint else tensor

    def _check_solvable(self, what: str) -> None:
        if self.is_non_singular is False:
            raise NotImplementedError(
                f"Exact {what} not implemented for an operator that is expected to be singular."
            )
        if self.is_square is False:
            raise NotImplementedError(
                f"Exact {what} not implemented for an operator that is expected to not be square."
            )

    def _need_square(self, what: str) -> None:
        if self.is_square is False:
            raise NotImplementedError(
                f"{what} not implemented for an operator that is expected to not be square."
            )

    # ------------------------------------------------------------ numbers of a matrix
    def determinant(self, name: str = "det") -> Tensor:
        """The determinant of each matrix."""
        self._need_square("Determinant")
        with self._scope(name):
            return self._determinant()

    def log_abs_determinant(self, name: str = "log_abs_det") -> Tensor:
        """The logarithm of the absolute value of each determinant."""
        self._need_square("Determinant")
        with self._scope(name):
            return self._log_abs_determinant()

    def trace(self, name: str = "trace") -> Tensor:
        with self._scope(name):
            return math.reduce_sum(self._diag_part(), -1)

    def diag_part(self, name: str = "diag_part") -> Tensor:
        """The diagonal of each matrix: [..., min(M, N)]."""
        with self._scope(name):
            return self._diag_part()

    def to_dense(self, name: str = "to_dense") -> Tensor:
        """The matrices as a tensor."""
        with self._scope(name):
            return self._to_dense()

    def add_to_tensor(self, x: Any, name: str = "add_to_tensor") -> Tensor:
        """A + x."""
        with self._scope(name):
            return self._add_to_tensor(convert_to_tensor(x, self.dtype))

    # ------------------------------------------------------------ other operators
    def adjoint(self, name: str = "adjoint") -> LinearOperator:
        """The operator of the conjugate transposes."""
        if self.is_self_adjoint:
            return self
        from graphc.tf1.linear_operator_joined import LinearOperatorAdjoint

        return LinearOperatorAdjoint(self)

    @property
    def H(self) -> LinearOperator:
        return self.adjoint()

    def inverse(self, name: str = "inverse") -> LinearOperator:
        """The operator of the inverses.

        Raises:
            NotImplementedError: it is known to be singular or not square.
        """
        self._check_solvable("inverse")
        from graphc.tf1.linear_operator_joined import LinearOperatorInversion

        return LinearOperatorInversion(self)

    def cholesky(self, name: str = "cholesky") -> LinearOperator:
        """The lower triangular L with L L^H = A, for positive definite operators.

        Raises:
            ValueError: it is not known to be self-adjoint and positive definite.
        """
        if not (self.is_self_adjoint and self.is_positive_definite):
            raise ValueError(
                "Cannot take the Cholesky decomposition: Not a positive definite self adjoint "
                "matrix."
            )
        with self._scope(name):
            return self._cholesky()

    # ------------------------------------------------------------ assertions
    def assert_non_singular(self, name: str = "assert_non_singular") -> Node:
        """An op that fails when run where a matrix is (nearly) singular."""
        with self._scope(name):
            return assert_positive(
                math.exp(self._log_abs_determinant()), message="Singular matrix encountered"
            )

    def assert_positive_definite(self, name: str = "assert_positive_definite") -> Node:
        """An op that fails when run where a matrix is not positive definite."""
        with self._scope(name):
            return assert_positive(
                math.real(linalg.self_adjoint_eigvals(self._to_dense())),
                message="Matrix was not positive definite",
            )

    def assert_self_adjoint(self, name: str = "assert_self_adjoint") -> Node:
        """An op that fails when run where a matrix is not self-adjoint."""
        with self._scope(name):
            dense = self._to_dense()
            return assert_near(
                dense, linalg.adjoint(dense), message="Matrix was not equal to its adjoint."
            )

    # ------------------------------------------------------------ what subclasses say better
    def _shape(self) -> TensorShape:
        raise NotImplementedError("_shape is not implemented.")

    def _shape_tensor(self) -> Tensor:
        return F.shape(self._to_dense())

    def _to_dense(self) -> Tensor:
        size = self.domain_dimension.value
        count = self._shape_tensor()[-1] if size is None else size
        batch = self.batch_shape.as_list() if self.batch_shape.is_fully_defined() else \
            self._shape_tensor()[:-2]  # fmt: skip
        return self._matmul(arrays.eye(count, batch_shape=batch, dtype=self.dtype), False)

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return linalg.matmul(self._to_dense(), x, adjoint_a=adjoint)

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        if self.is_positive_definite and self.is_self_adjoint:
            factor = linalg.cholesky(self._to_dense())
            return linalg.cholesky_solve(*same_batch(factor, rhs))
        return linalg.matrix_solve(*same_batch(self._to_dense(), rhs), adjoint=adjoint)

    def _determinant(self) -> Tensor:
        return linalg.matrix_determinant(self._to_dense())

    def _log_abs_determinant(self) -> Tensor:
        return linalg.slogdet(self._to_dense())[1]

    def _diag_part(self) -> Tensor:
        return arrays.matrix_diag_part(self._to_dense())

    def _add_to_tensor(self, x: Tensor) -> Tensor:
        return self._to_dense() + x

    def _cholesky(self) -> LinearOperator:
        return LinearOperatorLowerTriangular(
            linalg.cholesky(self._to_dense()), is_non_singular=True
        )


def same_batch(matrix: Tensor, rhs: Tensor) -> tuple[Tensor, Tensor]:
    """Both with the batch axes of their broadcast."""
    a, b = matrix.dims, rhs.dims
    if a is not None and b is not None and a[:-2] == b[:-2] and None not in a[:-2]:
        return matrix, rhs
    batch = F.broadcast_args(F.shape(matrix)[:-2], F.shape(rhs)[:-2])
    return tuple(  # type: ignore[return-value]
        F.broadcast_to(t, F.concat(batch, F.shape(t)[-2:], axis=0)) for t in (matrix, rhs)
    )


def checked_dtype(tensor: Tensor, owner: str) -> Tensor:
    """The tensor.

    Raises:
        TypeError: no floats.
    """
    if tensor.dtype not in _DTYPES:
        raise TypeError(
            f"{owner}: Argument must have dtype in {[d.name for d in _DTYPES]}. "
            f"Found: {tensor.dtype.name}"
        )
    return tensor


class LinearOperatorFullMatrix(LinearOperator):
    """Dense matrices [B1,...,Bb, M, N] (tf.linalg.LinearOperatorFullMatrix).

    Raises:
        TypeError: no floats. ValueError: fewer than two axes.
    """

    def __init__(
        self,
        matrix: Any,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str = "LinearOperatorFullMatrix",
    ) -> None:
        with name_scope(name, values=[matrix]):
            self._matrix = _matrix(matrix, type(self).__name__)
        super().__init__(
            self._matrix.dtype, [self._matrix], is_non_singular, is_self_adjoint,
            is_positive_definite, is_square, name,
        )  # fmt: skip

    def _shape(self) -> TensorShape:
        return TensorShape(self._matrix.dims)

    def _shape_tensor(self) -> Tensor:
        return F.shape(self._matrix)

    def _to_dense(self) -> Tensor:
        return self._matrix


def _matrix(value: Any, owner: str) -> Tensor:
    tensor = checked_dtype(convert_to_tensor(value, name="matrix"), owner)
    if tensor.rank is not None and tensor.rank < 2:
        raise ValueError(
            f"Argument matrix must have at least 2 dimensions.  Found: {tensor}"
        )
    return tensor


class LinearOperatorLowerTriangular(LinearOperator):
    """Lower triangular matrices (tf.linalg.LinearOperatorLowerTriangular).

    Args:
        tril: [B1,...,Bb, N, N]; what is above the diagonal is taken as zero.

    Raises:
        TypeError: no floats. ValueError: is_square is False, fewer than two axes.
    """

    def __init__(
        self,
        tril: Any,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str = "LinearOperatorLowerTriangular",
    ) -> None:
        if is_square is False:
            raise ValueError(
                "Only square lower triangular operators supported at this time."
            )
        with name_scope(name, values=[tril]):
            given = _matrix(tril, type(self).__name__)
            self._tril = arrays.matrix_band_part(given, -1, 0)
            self._diag = arrays.matrix_diag_part(given)
        super().__init__(
            given.dtype, [given], is_non_singular, is_self_adjoint, is_positive_definite, True,
            name,
        )  # fmt: skip

    def _shape(self) -> TensorShape:
        return TensorShape(self._tril.dims)

    def _shape_tensor(self) -> Tensor:
        return F.shape(self._tril)

    def _to_dense(self) -> Tensor:
        return self._tril

    def _diag_part(self) -> Tensor:
        return self._diag

    def _determinant(self) -> Tensor:
        return math.reduce_prod(self._diag, -1)

    def _log_abs_determinant(self) -> Tensor:
        return math.reduce_sum(math.log(math.abs(self._diag)), -1)

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        return linalg.matrix_triangular_solve(
            *same_batch(self._tril, rhs), lower=True, adjoint=adjoint
        )

    def assert_non_singular(self, name: str = "assert_non_singular") -> Node:
        with self._scope(name):
            return assert_positive(
                math.abs(self._diag),
                message="Singular operator:  Diagonal contained zero values.",
            )


def with_checks(tensor: Tensor, checks: list[Node]) -> Tensor:
    """The tensor behind these assertions."""
    if not checks:
        return tensor
    with control_dependencies(checks):
        return identity(tensor)


def ones_of(shape: Tensor, dtype: DType) -> Tensor:
    """Ones of a shape that is an int32 tensor."""
    return F.fill(F.cast(shape, dtype=int32), convert_to_tensor(1, dtype))
