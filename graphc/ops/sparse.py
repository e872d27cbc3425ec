"""Sparse tensors as indices, values and a dense shape: what other ops cannot say.

Lives here: sparse_positions, sparse_same, sparse_new_shape, sparse_order, sparse_unique,
sparse_column, sparse_to_dense, sparse_dense_matmul. Not here: everything that gathers,
segments and elementwise ops compose (tf1/api_sparse*.py). Imports ops.define.

Entries are read and written by compiled kernels; only sorting and grouping run on the host.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import ALL, COMPLEX, FLOAT, float32, int32, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import bracket_text, dims_equal
from graphc.kernel import prims as k
from graphc.kernel.expr import Const, Expr, Reduce, index
from graphc.ops.define import F, InferContext, KernelContext, composite, host, movement
from graphc.ops.extents import INDEX, input_dims, need_rank
from graphc.ops.samples import arg, fixed, sample

_LINE = np.array([-1], np.int32)
_COLUMN = np.array([-1, 1], np.int32)
_PLACES = [[0, 1], [1, 0], [1, 2]]


# ------------------------------------------------------------------ row-major positions
def _positions_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 2)
    need_rank(ctx, 1, 1)
    indices = ctx.shape(0)
    return TensorType(int64, (None,) if indices is None else indices[:1])


def check_places(indices: Any, shape: Any, ordered: bool) -> None:
    """Raises InvalidArgumentError for the first entry that is outside, or not behind the last."""
    bounds = np.asarray(shape)
    outside = ((indices < 0) | (indices >= bounds)).any(axis=-1)
    late = np.zeros(len(indices), np.int64)
    if ordered and len(indices) > 1:
        steps = np.sign(indices[1:] - indices[:-1])
        first = (steps != 0).argmax(axis=1)
        late[1:] = 1 - np.take_along_axis(steps, first[:, None], 1)[:, 0]
    bad = np.flatnonzero(outside | (late > 0))
    if not len(bad):
        return
    at = int(bad[0])
    place = ",".join(str(v) for v in indices[at].tolist())
    if outside[at]:
        what = f"is out of bounds: need 0 <= index < {bracket_text(bounds.tolist())}"
    elif late[at] == 1:
        what = "is repeated"
    else:
        what = (
            "is out of order. Many sparse ops require sorted indices.\n"
            "    Use `tf.sparse.reorder` to create a correctly ordered copy.\n\n"
        )
    raise InvalidArgumentError(f"indices[{at}] = [{place}] {what}")


def _positions(indices: Any, shape: Any, strides: Any, ordered: bool) -> Any:
    check_places(indices, shape, ordered)
    return (indices * strides).sum(axis=-1).astype(np.int64)


def _positions_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    rank = ctx.shape(0)[1]

    def position(row: Expr, mask: Expr | None, name: str) -> Expr:
        axis = ctx.axis(rank, name)
        found = ctx.load(0, (row, axis), mask, 0)
        extent = ctx.load(1, (axis,))
        if mask is None:
            found = k.check_index(found, extent)
        return Reduce("add", (axis,), found * ctx.load(2, (axis,)), int64)

    here = position(idx[0], None, "d")
    if not ctx.attrs["ordered"]:
        return here
    behind = k.gt(idx[0], 0)
    before = position(idx[0] - 1, behind, "e")
    wrong = k.and_(behind, k.ge(before, here))
    return here + k.check_index(k.select(wrong, Const(1, int64), Const(0, int64)), index(1))


sparse_positions = movement(
    "sparse_positions", tf="SparsePositions", infer=_positions_type, kernel=_positions_kernel,
    numpy=_positions, nograd="positions are integers", args=("indices", "shape", "strides"),
    groups=(int64, int64, int64),
    samples=(
        sample(fixed(_PLACES, int64), fixed([2, 3], int64), fixed([3, 1], int64), ordered=True,
               grad=False),
        sample(fixed([[2], [0]], int64), fixed([3], int64), fixed([1], int64), ordered=False,
               grad=False),
        sample(fixed([[2], [0]], int64), fixed([3], int64), fixed([1], int64), ordered=True,
               grad=False),
        sample(fixed(np.zeros((0, 2)), int64), fixed([2, 3], int64), fixed([3, 1], int64),
               ordered=True, grad=False),
    ),
    doc="the row-major position of each entry; with `ordered` they must increase",
)  # fmt: skip


# ------------------------------------------------------------------ shapes that must agree
def _same_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 1)
    mine, other = ctx.shape(0), ctx.shape(1)
    if mine is not None and other is not None and dims_equal(mine[0], other[0]) is False:
        raise ctx.fail(f"Ranks of the operands do not match: {mine[0]} and {other[0]}")
    return ctx.inputs[1].type


def _same(shape: Any, other: Any, broadcast: bool) -> Any:
    fits = (other == shape) | (broadcast & (other == 1))
    if fits.all():
        return other
    mine, got = bracket_text(shape.tolist()), bracket_text(other.tolist())
    if broadcast:
        raise InvalidArgumentError(
            "SparseDenseBinaryOpShared broadcasts dense to sparse only; got incompatible shapes: "
            f"{mine} vs. {got}"
        )
    raise InvalidArgumentError(f"Operands' shapes do not match: got {mine} and {got}")


def _same_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    mine, other = ctx.load(0, idx), ctx.load(1, idx)
    fits = k.eq(mine, other)
    if ctx.attrs["broadcast"]:
        fits = k.or_(fits, k.eq(other, Const(1, int64)))
    return other + k.check_index(k.select(fits, Const(0, int64), Const(1, int64)), index(1))


sparse_same = movement(
    "sparse_same", tf="SparseSame", infer=_same_type, kernel=_same_kernel, numpy=_same,
    nograd="shapes are integers", args=("shape", "other"), groups=(int64, int64),
    samples=(
        sample(fixed([2, 3], int64), fixed([2, 3], int64), broadcast=False, grad=False),
        sample(fixed([2, 3], int64), fixed([1, 3], int64), broadcast=True, grad=False),
    ),
    doc="`other`, which must be `shape`; with `broadcast` it may have ones",
)  # fmt: skip


def new_shape(shape: Any, wanted: Any) -> Any:
    """`wanted` with its -1 replaced.

    Raises:
        InvalidArgumentError: more than one -1, or another number of elements.
    """
    total, known = int(np.prod(shape)), int(np.prod(wanted[wanted >= 0]))
    open_ = np.flatnonzero(wanted < 0)
    if len(open_) > 1:
        raise InvalidArgumentError(
            f"only one output dimension may be -1, not both {open_[0]} and {open_[1]}"
        )
    if len(open_) and known and total % known == 0:
        return np.where(wanted < 0, total // known, wanted)
    if len(open_):
        raise InvalidArgumentError(
            f"Input to reshape is a SparseTensor with {total} dense values, but the requested "
            f"shape requires a multiple of {known}. input_shape={bracket_text(shape.tolist())} "
            f"output_shape= {bracket_text(wanted.tolist())}"
        )
    if total != known:
        raise InvalidArgumentError(
            f"Input to reshape is a tensor with {total} dense values, but the requested shape has "
            f"{known}. input_shape={bracket_text(shape.tolist())} "
            f"output_shape={bracket_text(wanted.tolist())}"
        )
    return wanted


def _new_shape_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 1)
    need_rank(ctx, 1, 1)
    return ctx.inputs[1].type


sparse_new_shape = host(
    "sparse_new_shape", tf="SparseNewShape", infer=_new_shape_type, numpy=new_shape,
    nograd="shapes are integers", args=("shape", "wanted"), groups=(int64, int64),
    samples=(
        sample(fixed([2, 6], int64), fixed([3, -1], int64), grad=False),
        sample(fixed([2, 6], int64), fixed([3, 2, 2], int64), grad=False),
    ),
    doc="the shape that a sparse tensor is brought into, without -1",
)  # fmt: skip


# ------------------------------------------------------------------ sorting and grouping
def _order(indices: Any) -> Any:
    if indices.shape[1] == 0:
        return np.arange(len(indices))
    return np.lexsort(indices.T[::-1])


def _order_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 2)
    indices = ctx.shape(0)
    return TensorType(int64, (None,) if indices is None else indices[:1])


sparse_order = host(
    "sparse_order", tf="SparseOrder", infer=_order_type, numpy=_order,
    nograd="positions are integers", args=("indices",), groups=(int64,),
    samples=(
        sample(fixed([[1, 2], [0, 5], [1, 0], [1, 0]], int64), grad=False),
        sample(fixed(np.zeros((0, 2)), int64), grad=False),
    ),
    doc="the numbers of the rows in lexicographic order, equal ones in theirs",
)  # fmt: skip


def _unique_types(ctx: InferContext) -> list[TensorType]:
    need_rank(ctx, 0, 2)
    indices = ctx.shape(0)
    rows = (None, None) if indices is None else (None, indices[1])
    return [
        TensorType(int64, rows),
        TensorType(int64, (None,) if indices is None else indices[:1]),
    ]


def _unique_rows(indices: Any) -> tuple[Any, Any]:
    if indices.shape[1] == 0:
        # no coordinates: at most one place
        return indices[:1], np.zeros(len(indices), np.int64)
    rows, at = np.unique(indices, axis=0, return_inverse=True)
    return rows, at.reshape(-1)


sparse_unique = host(
    "sparse_unique", tf="SparseUnique", infer=_unique_types, numpy=_unique_rows,
    nograd="positions are integers", args=("indices",), groups=(int64,), data_dependent=True,
    samples=(sample(fixed([[1, 2], [0, 5], [1, 2]], int64), grad=False),),
    doc="the different rows in lexicographic order, and the number of each row among them",
)  # fmt: skip


# ------------------------------------------------------------------ dense from sparse
def _to_dense_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 1, 1)
    need_rank(ctx, 3, 0)
    rank, dims = ctx.rank(0), input_dims(ctx, 1)
    if rank is not None and rank > 2:
        raise ctx.fail(
            "sparse_indices should be a scalar, vector, or matrix, got shape "
            f"{bracket_text(ctx.shape(0))}"
        )
    return TensorType(ctx.dtype(2), None if dims is None else tuple(dims))


def _as_table(indices: Any, rank: int) -> Any:
    return indices.reshape(-1, indices.shape[-1] if indices.ndim == 2 else 1)


def _to_dense(
    indices: Any, shape: Any, values: Any, default: Any, validate_indices: bool
) -> Any:
    dims = tuple(np.asarray(shape).tolist())
    table = _as_table(indices, len(dims))
    if table.shape[1] != len(dims):
        raise InvalidArgumentError(
            f"output_shape has incorrect number of elements: {len(dims)} should be: "
            f"{table.shape[1]}"
        )
    if values.ndim and len(values) != len(table):
        raise InvalidArgumentError(
            f"sparse_values has incorrect shape {bracket_text(values.shape)}, should be [] or "
            f"[{len(table)}]"
        )
    check_places(table, dims, validate_indices)
    out = np.full(dims, default, values.dtype)
    out[tuple(table.T)] = values
    return out


def row_strides(shape: Tensor) -> Tensor:
    """How far apart neighbours along each axis lie in row-major order."""
    return F.cumprod(shape, axis=0, exclusive=True, reverse=True)


def _to_dense_expand(node: Node) -> Tensor:
    indices, shape, values, default = node.inputs
    table = F.cast(indices if indices.rank == 2 else F.reshape(indices, _COLUMN), dtype=int64)
    wide = F.cast(shape, dtype=int64)
    ordered = node.attrs["validate_indices"]
    at = F.sparse_positions(table, wide, row_strides(wide), ordered=ordered)
    each = values if values.rank == 1 else F.fill(F.shape(at), values)
    size = F.reduce_prod(wide, axes=None, keepdims=False)
    blank = F.fill(F.reshape(size, np.array([1], np.int32)), default)
    flat = F.tensor_scatter_update(blank, F.reshape(at, _COLUMN), each)
    return F.reshape(flat, shape)


def _to_dense_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    """Each entry's own, and of the default what no entry covers."""
    indices, values = node.inputs[0], node.inputs[2]
    table = indices if indices.rank == 2 else F.reshape(indices, _COLUMN)
    each = F.gather_nd(g, table)
    covered = F.reduce_sum(each, axes=None, keepdims=False)
    total = F.reduce_sum(g, axes=None, keepdims=False)
    to_values = covered if values.rank == 0 else each
    return None, None, to_values, F.subtract(total, covered)


sparse_to_dense = composite(
    "sparse_to_dense", tf="SparseToDense", infer=_to_dense_type, expand=_to_dense_expand,
    numpy=_to_dense, grad=_to_dense_grad, shape_inputs=(1,),
    args=("sparse_indices", "output_shape", "sparse_values", "default_value"),
    groups=("Tindices", "Tindices", "T", "T"), dtypes={"T": ALL, "Tindices": INDEX},
    samples=(
        sample(fixed(_PLACES, int64), fixed([2, 3], int64, const=True), arg((3,)), arg(()),
               validate_indices=True),
        sample(fixed([3, 1], int32), fixed([5], int32, const=True), arg(()), arg(()),
               validate_indices=False),
        sample(fixed(2, int32), fixed([5], int32, const=True), arg(()), arg(()),
               validate_indices=True),
        sample(fixed(np.zeros((0, 2)), int64), fixed([2, 3], int64, const=True), arg((0,)),
               arg(()), validate_indices=True, grad=False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ products
def _column(indices: Any, shape: Any, extent: Any, axis: int) -> Any:
    if int(shape[axis]) != int(extent):
        raise InvalidArgumentError(
            "Cannot multiply A and B because inner dimension does not match: "
            f"{int(shape[axis])} vs. {int(extent)}.  Did you forget a transpose?  "
            f"Dimensions of A: [{int(shape[0])}, {int(shape[1])})."
        )
    found = indices[:, axis]
    bad = np.flatnonzero((found < 0) | (found >= int(extent)))
    if len(bad):
        raise InvalidArgumentError(
            f"k ({found[bad[0]]}) from index[{bad[0]},{axis}] out of bounds (>={int(extent)})"
        )
    return found


def _column_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    axis = ctx.attrs["axis"]
    extent = ctx.load(2, ())
    found = k.check_index(ctx.load(0, (idx[0], index(axis))), extent)
    same = k.eq(ctx.load(1, (index(axis),)), extent)
    return found + k.check_index(k.select(same, Const(0, int64), Const(1, int64)), index(1))


sparse_column = movement(
    "sparse_column", tf="SparseColumn", infer=_order_type, kernel=_column_kernel, numpy=_column,
    nograd="positions are integers", args=("indices", "shape", "extent"),
    groups=(int64, int64, int64),
    samples=(
        sample(fixed(_PLACES, int64), fixed([2, 3], int64), fixed(3, int64), axis=1, grad=False),
    ),
    doc="one coordinate of each entry, below `extent`, which must be that of the axis",
)  # fmt: skip


def _matmul_type(ctx: InferContext) -> TensorType:
    for i, rank in ((0, 2), (1, 1), (2, 1), (3, 2)):
        need_rank(ctx, i, rank)
    a, b = input_dims(ctx, 2), ctx.shape(3)
    if a is not None and len(a) != 2:
        raise ctx.fail(f"Dimension must be 2 but is {len(a)}")
    rows, inner = (None, None) if a is None else (a[::-1] if ctx.attrs["adjoint_a"] else a)
    far, columns = (None, None) if b is None else (b[::-1] if ctx.attrs["adjoint_b"] else b)
    if inner is not None and far is not None and dims_equal(inner, far) is False:
        raise ctx.fail(f"Dimensions must be equal, but are {inner} and {far}")
    return TensorType(ctx.dtype(3), (rows, columns))


def _matmul(
    indices: Any, values: Any, shape: Any, b: Any, adjoint_a: bool, adjoint_b: bool
) -> Any:
    dims = tuple(np.asarray(shape).tolist())
    dense = np.conj(b.T) if adjoint_b else b
    _column(indices, dims, len(dense), 0 if adjoint_a else 1)
    a = np.zeros(dims, np.promote_types(values.dtype, np.float32))
    np.add.at(a, tuple(indices.T), values)
    return (np.conj(a.T) if adjoint_a else a) @ dense


def _conj(x: Tensor) -> Tensor:
    return F.conj(x) if x.dtype.is_complex else x


def _matmul_expand(node: Node) -> Tensor:
    indices, values, shape, b = node.inputs
    adjoint = node.attrs["adjoint_a"]
    if adjoint:
        values = _conj(values)
    dense = _conj(F.transpose(b, perm=(1, 0))) if node.attrs["adjoint_b"] else b
    inner = F.strided_slice(
        F.shape(dense, out_type=int64), *_bounds(0), shrink_axis_mask=1
    )
    out, far = (1, 0) if adjoint else (0, 1)
    count = F.strided_slice(shape, *_bounds(out), shrink_axis_mask=1)
    rows = F.sparse_column(indices, shape, count, axis=out)
    columns = F.sparse_column(indices, shape, inner, axis=far)
    parts = F.gather(dense, columns, axis=0, batch_dims=0)
    weighted = F.multiply(parts, F.expand_dims(values, axis=1))
    return F.unsorted_segment_sum(weighted, rows, count)


def _bounds(at: int) -> tuple[Any, Any, Any]:
    one = np.array([1], np.int32)
    return one * at, one * (at + 1), one


def _matmul_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    """Both dense, as TF's: of b also where few rows of it were read."""
    indices, values, shape, b = node.inputs
    adjoint_a, adjoint_b = node.attrs["adjoint_a"], node.attrs["adjoint_b"]
    to_b = F.sparse_dense_matmul(
        indices, values, shape, g, adjoint_a=not adjoint_a, adjoint_b=False
    )
    if adjoint_b:
        to_b = _conj(F.transpose(to_b, perm=(1, 0)))
    rows, columns = F.unstack(indices, num=2, axis=1)
    if adjoint_a:
        rows, columns = columns, rows
    dense = _conj(F.transpose(b, perm=(1, 0))) if adjoint_b else b
    from_g = F.gather(g, rows, axis=0, batch_dims=0)
    from_b = F.gather(dense, columns, axis=0, batch_dims=0)
    each = F.reduce_sum(F.multiply(from_g, _conj(from_b)), axes=(1,), keepdims=False)
    return None, _conj(each) if adjoint_a else each, None, to_b


_MATMUL = (fixed(_PLACES, int64), arg((3,)), fixed([2, 3], int64, const=True))
sparse_dense_matmul = composite(
    "sparse_dense_matmul", tf="SparseTensorDenseMatMul", infer=_matmul_type,
    expand=_matmul_expand, numpy=_matmul, grad=_matmul_grad, shape_inputs=(2,),
    args=("a_indices", "a_values", "a_shape", "b"), groups=(int64, "T", int64, "T"),
    dtypes={"T": (*FLOAT, *COMPLEX, int32)},
    samples=(
        sample(*_MATMUL, arg((3, 2)), adjoint_a=False, adjoint_b=False),
        sample(*_MATMUL, arg((2, 4)), adjoint_a=True, adjoint_b=False),
        sample(*_MATMUL, arg((2, 3)), adjoint_a=False, adjoint_b=True, dtypes=(float32,)),
        sample(*_MATMUL, arg((4, 2)), adjoint_a=True, adjoint_b=True, dtypes=(float32,)),
    ),
)  # fmt: skip
