"""Operators made of others: compositions, block diagonals, adjoints, inverses, low-rank updates.

Lives here: those classes. Not here: the base class (tf1/linear_operator.py).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from graphc.ir.node import Tensor
from graphc.ir.shape import broadcast_shapes
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_linalg as linalg
from graphc.tf1 import api_math as math
from graphc.tf1.linear_operator import LinearOperator
from graphc.tf1.linear_operator_diag import LinearOperatorDiag, LinearOperatorIdentity

__all__ = [
    "LinearOperatorAdjoint", "LinearOperatorBlockDiag", "LinearOperatorComposition",
    "LinearOperatorInversion", "LinearOperatorKronecker", "LinearOperatorLowRankUpdate",
]  # fmt: skip


def _operators(operators: Sequence[LinearOperator], name: str | None) -> tuple[list[Any], str]:
    """The list, and the name that a join of them has.

    Raises:
        ValueError: an empty list. TypeError: different dtypes.
    """
    found = list(operators)
    if not found:
        raise ValueError(f"Expected a non-empty list of operators. Found: {operators}")
    if len({o.dtype for o in found}) > 1:
        pairs = ((o.name, o.dtype.name) for o in found)
        raise TypeError(
            "Expected all operators to have the same dtype.  Found " + "   ".join(map(str, pairs))
        )
    return found, name or "_o_".join(o.name for o in found)


def _all(operators: Sequence[LinearOperator], what: str) -> bool | None:
    """True where it holds for all of them, else unknown."""
    return True if all(getattr(o, what) for o in operators) else None


def _joint_batch(operators: Sequence[LinearOperator]) -> Any:
    return broadcast_shapes(*(o.batch_shape.dims_tuple for o in operators))


def _joint_batch_tensor(operators: Sequence[LinearOperator]) -> Tensor:
    parts = [o.batch_shape_tensor() for o in operators]
    return functools.reduce(F.broadcast_args, parts)


class LinearOperatorComposition(LinearOperator):
    """The product of operators (tf.linalg.LinearOperatorComposition).

    Raises:
        ValueError: no operators. TypeError: operators of different dtypes.
    """

    def __init__(
        self,
        operators: Sequence[LinearOperator],
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str | None = None,
    ) -> None:
        self._parts, name = _operators(operators, name)
        if is_non_singular is None:
            is_non_singular = _all(self._parts, "is_non_singular")
        parents = [p for o in self._parts for p in o.graph_parents]
        super().__init__(
            self._parts[0].dtype, parents, is_non_singular, is_self_adjoint,
            is_positive_definite, is_square, name,
        )  # fmt: skip

    @property
    def operators(self) -> list[LinearOperator]:
        return self._parts

    def _shape(self) -> TensorShape:
        batch = _joint_batch(self._parts)
        if batch is None:
            return TensorShape(None)
        rows, columns = self._parts[0].range_dimension, self._parts[-1].domain_dimension
        return TensorShape((*batch, rows.value, columns.value))

    def _shape_tensor(self) -> Tensor:
        ends = [self._parts[0].shape_tensor()[-2:-1], self._parts[-1].shape_tensor()[-1:]]
        return F.concat(_joint_batch_tensor(self._parts), *ends, axis=0)

    def _to_dense(self) -> Tensor:
        return self._matmul_all(self._parts[-1].to_dense(), self._parts[:-1])

    @staticmethod
    def _matmul_all(x: Tensor, parts: Sequence[LinearOperator]) -> Tensor:
        for part in reversed(parts):
            x = part.matmul(x)
        return x

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        for part in self._parts if adjoint else reversed(self._parts):
            x = part.matmul(x, adjoint=adjoint)
        return x

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        for part in reversed(self._parts) if adjoint else self._parts:
            rhs = part.solve(rhs, adjoint=adjoint)
        return rhs

    def _determinant(self) -> Tensor:
        return functools.reduce(F.multiply, [o.determinant() for o in self._parts])

    def _log_abs_determinant(self) -> Tensor:
        return functools.reduce(F.add, [o.log_abs_determinant() for o in self._parts])


class LinearOperatorBlockDiag(LinearOperator):
    """Square operators along the diagonal (tf.linalg.LinearOperatorBlockDiag).

    Raises:
        ValueError: no operators, or one that is not square. TypeError: different dtypes.
    """

    def __init__(
        self,
        operators: Sequence[LinearOperator],
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = True,
        name: str | None = None,
    ) -> None:
        self._parts, name = _operators(operators, name)
        for part in self._parts:
            if part.is_square is False:
                raise ValueError(
                    f"Can only represent a block diagonal of square matrices, {part!r} is not"
                )
        hints = {
            "is_non_singular": is_non_singular, "is_self_adjoint": is_self_adjoint,
            "is_positive_definite": is_positive_definite,
        }  # fmt: skip
        found = {k: _all(self._parts, k) if v is None else v for k, v in hints.items()}
        parents = [p for o in self._parts for p in o.graph_parents]
        super().__init__(self._parts[0].dtype, parents, is_square=True, name=name, **found)

    @property
    def operators(self) -> list[LinearOperator]:
        return self._parts

    def _shape(self) -> TensorShape:
        batch = _joint_batch(self._parts)
        sizes = [o.domain_dimension.value for o in self._parts]
        size = None if None in sizes else sum(sizes)
        return TensorShape(None if batch is None else (*batch, size, size))

    def _shape_tensor(self) -> Tensor:
        size = functools.reduce(F.add, [o.shape_tensor()[-1:] for o in self._parts])
        return F.concat(_joint_batch_tensor(self._parts), size, size, axis=0)

    def _rows(self, x: Tensor) -> list[Tensor]:
        """The rows of x that meet each operator."""
        sizes = [o.domain_dimension.value for o in self._parts]
        if None in sizes:
            return arrays.split(x, arrays.stack([o.domain_dimension_tensor() for o in self._parts]),
                                -2, num=len(sizes))  # fmt: skip
        return arrays.split(x, sizes, -2)

    def _joined(self, parts: list[Tensor]) -> Tensor:
        """Rows of results below each other, all with the batch axes of all."""
        batches = [F.shape(p)[:-2] for p in parts]
        batch = functools.reduce(F.broadcast_args, batches)
        dims = [p.dims for p in parts]
        if any(d is None or d[:-2] != dims[0][:-2] or None in d[:-2] for d in dims):  # type: ignore[index]
            parts = [
                F.broadcast_to(p, F.concat(batch, F.shape(p)[-2:], axis=0)) for p in parts
            ]
        return arrays.concat(parts, -2)

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        rows = zip(self._parts, self._rows(x), strict=True)
        return self._joined([o.matmul(r, adjoint=adjoint) for o, r in rows])

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        rows = zip(self._parts, self._rows(rhs), strict=True)
        return self._joined([o.solve(r, adjoint=adjoint) for o, r in rows])

    def _determinant(self) -> Tensor:
        return functools.reduce(F.multiply, [o.determinant() for o in self._parts])

    def _log_abs_determinant(self) -> Tensor:
        return functools.reduce(F.add, [o.log_abs_determinant() for o in self._parts])

    def _diag_part(self) -> Tensor:
        columns = [arrays.expand_dims(o.diag_part(), -1) for o in self._parts]
        return arrays.squeeze(self._joined(columns), [-1])


class LinearOperatorKronecker(LinearOperator):
    """The Kronecker product of operators of known sizes (tf.linalg.LinearOperatorKronecker)."""

    def __init__(
        self,
        operators: Sequence[LinearOperator],
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str | None = None,
    ) -> None:
        self._parts, name = _operators(operators, name)
        if is_non_singular is None:
            is_non_singular = _all(self._parts, "is_non_singular")
        parents = [p for o in self._parts for p in o.graph_parents]
        super().__init__(
            self._parts[0].dtype, parents, is_non_singular, is_self_adjoint,
            is_positive_definite, is_square, name,
        )  # fmt: skip

    @property
    def operators(self) -> list[LinearOperator]:
        return self._parts

    def _shape(self) -> TensorShape:
        batch = _joint_batch(self._parts)
        if batch is None:
            return TensorShape(None)
        sizes = [[o.shape[-k].value for o in self._parts] for k in (2, 1)]
        return TensorShape((*batch, *(
            None if None in s else functools.reduce(lambda a, b: a * b, s) for s in sizes
        )))  # fmt: skip

    def _to_dense(self) -> Tensor:
        return functools.reduce(_kronecker, [o.to_dense() for o in self._parts])


def _kronecker(a: Tensor, b: Tensor) -> Tensor:
    wide = a[..., :, None, :, None] * b[..., None, :, None, :]
    extents = F.shape(wide)
    sizes = arrays.stack([extents[-4] * extents[-3], extents[-2] * extents[-1]])
    return F.reshape(wide, F.concat(extents[:-4], sizes, axis=0))


class _Wrapped(LinearOperator):
    """What another operator becomes."""

    def __init__(self, operator: LinearOperator, name: str) -> None:
        self._operator = operator
        super().__init__(
            operator.dtype, operator.graph_parents, operator.is_non_singular,
            operator.is_self_adjoint, operator.is_positive_definite, operator.is_square, name,
        )  # fmt: skip

    @property
    def operator(self) -> LinearOperator:
        return self._operator

    def _shape(self) -> TensorShape:
        dims = self._operator.shape.dims_tuple
        return TensorShape(None if dims is None else (*dims[:-2], dims[-1], dims[-2]))

    def _shape_tensor(self) -> Tensor:
        extents = self._operator.shape_tensor()
        return F.concat(extents[:-2], extents[-1:], extents[-2:-1], axis=0)


class LinearOperatorAdjoint(_Wrapped):
    """The conjugate transpose of an operator (tf.linalg.LinearOperatorAdjoint)."""

    def __init__(self, operator: LinearOperator, name: str | None = None) -> None:
        super().__init__(operator, name or f"{operator.name}_adjoint")

    def adjoint(self, name: str = "adjoint") -> LinearOperator:
        return self._operator

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return self._operator.matmul(x, adjoint=not adjoint)

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        return self._operator.solve(rhs, adjoint=not adjoint)

    def _to_dense(self) -> Tensor:
        return linalg.adjoint(self._operator.to_dense())

    def _determinant(self) -> Tensor:
        return math.conj(self._operator.determinant())

    def _log_abs_determinant(self) -> Tensor:
        return self._operator.log_abs_determinant()


class LinearOperatorInversion(_Wrapped):
    """The inverse of an operator (tf.linalg.LinearOperatorInversion)."""

    def __init__(self, operator: LinearOperator, name: str | None = None) -> None:
        super().__init__(operator, name or f"{operator.name}_inv")

    def inverse(self, name: str = "inverse") -> LinearOperator:
        return self._operator

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        return self._operator.solve(x, adjoint=adjoint)

    def _solve(self, rhs: Tensor, adjoint: bool) -> Tensor:
        return self._operator.matmul(rhs, adjoint=adjoint)

    def _determinant(self) -> Tensor:
        return 1 / self._operator.determinant()

    def _log_abs_determinant(self) -> Tensor:
        return -self._operator.log_abs_determinant()

    def _to_dense(self) -> Tensor:
        size = self._operator.domain_dimension_tensor()
        return self._operator.solve(arrays.eye(size, dtype=self.dtype))


class LinearOperatorLowRankUpdate(LinearOperator):
    """L + U D V^H for an operator L (tf.linalg.LinearOperatorLowRankUpdate).

    Args:
        base_operator: L, N x N. u, v: [..., N, K]; v is u where it is not given.
        diag_update: the diagonal of D, [..., K]; ones where it is not given.
    """

    def __init__(
        self,
        base_operator: LinearOperator,
        u: Any,
        diag_update: Any = None,
        v: Any = None,
        is_diag_update_positive: bool | None = None,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str = "LinearOperatorLowRankUpdate",
    ) -> None:
        self._base = base_operator
        self._u = convert_to_tensor(u, base_operator.dtype)
        self._v = self._u if v is None else convert_to_tensor(v, base_operator.dtype)
        self._diag_update = None
        positive = is_diag_update_positive
        if diag_update is not None:
            self._diag_update = convert_to_tensor(diag_update, base_operator.dtype)
        else:
            positive = True
        if base_operator.is_positive_definite and positive and v is None:
            is_positive_definite = is_self_adjoint = True
        super().__init__(
            base_operator.dtype, [*base_operator.graph_parents, self._u], is_non_singular,
            is_self_adjoint, is_positive_definite, is_square, name,
        )  # fmt: skip

    @property
    def base_operator(self) -> LinearOperator:
        return self._base

    @property
    def u(self) -> Tensor:
        return self._u

    @property
    def v(self) -> Tensor:
        return self._v

    @property
    def diag_update(self) -> Tensor | None:
        return self._diag_update

    @property
    def diag_operator(self) -> LinearOperator:
        if self._diag_update is None:
            return LinearOperatorIdentity(F.shape(self._u)[-1], dtype=self.dtype)
        return LinearOperatorDiag(self._diag_update)

    def _shape(self) -> TensorShape:
        u = self._u.dims
        batch = broadcast_shapes(
            self._base.batch_shape.dims_tuple, None if u is None else u[:-2]
        )
        ends = self._base.shape.dims_tuple
        if batch is None or ends is None:
            return TensorShape(None)
        return TensorShape((*batch, *ends[-2:]))

    def _matmul(self, x: Tensor, adjoint: bool) -> Tensor:
        left, right = (self._v, self._u) if adjoint else (self._u, self._v)
        inner = linalg.matmul(right, x, adjoint_a=True)
        return self._base.matmul(x, adjoint=adjoint) + linalg.matmul(
            left, self.diag_operator.matmul(inner, adjoint=adjoint)
        )

    def _to_dense(self) -> Tensor:
        scaled = self._u if self._diag_update is None else (
            self._u * arrays.expand_dims(self._diag_update, -2)
        )  # fmt: skip
        return self._base.to_dense() + linalg.matmul(scaled, self._v, adjoint_b=True)
