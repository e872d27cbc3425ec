"""Sparse tensors: small graphs for tests/oracle/record.py."""

from __future__ import annotations

from typing import Any

import numpy as np

CASES: dict[str, Any] = {}


def case(fn: Any) -> Any:
    CASES[fn.__name__] = fn
    return fn


def first(tf: Any, values: Any = (1.0, -2.0, 3.0, 4.0)) -> Any:
    return tf.SparseTensor([[0, 1], [0, 3], [1, 0], [2, 2]], list(values), [3, 4])


def second(tf: Any) -> Any:
    return tf.SparseTensor([[0, 0], [0, 3], [2, 2]], [10.0, 20.0, -4.0], [3, 4])


def loose(tf: Any) -> Any:
    """Parts of which the graph knows no extents."""
    return tf.SparseTensor(
        tf.placeholder_with_default(np.array([[0, 1], [0, 3], [1, 0], [2, 2]]), [None, 2]),
        tf.placeholder_with_default(np.array([1.0, -2.0, 3.0, 4.0], np.float32), [None]),
        tf.placeholder_with_default(np.array([3, 4]), [2]),
    )


def cube(tf: Any) -> Any:
    at = [[0, 0, 1], [0, 2, 3], [1, 0, 0], [1, 2, 2], [1, 2, 3]]
    return tf.SparseTensor(at, [1.0, 2.0, 3.0, 4.0, 5.0], [2, 3, 4])


@case
def to_dense(tf: Any) -> Any:
    words = tf.SparseTensor([[0, 1], [1, 0]], ["a", "bc"], [2, 2])
    flags = tf.SparseTensor([[0], [2]], [True, True], [4])
    return [
        tf.sparse_tensor_to_dense(first(tf)), tf.sparse.to_dense(first(tf), -1.0),
        tf.sparse_tensor_to_dense(words), tf.sparse_tensor_to_dense(words, "x"),
        tf.sparse_tensor_to_dense(flags), tf.sparse_tensor_to_dense(cube(tf)),
        tf.sparse_tensor_to_dense(loose(tf)),
    ]


@case
def to_dense_gradient(tf: Any) -> Any:
    values, default = tf.constant([1.0, 2.0, 3.0, 4.0]), tf.constant(0.5)
    dense = tf.sparse_tensor_to_dense(first(tf, tf.unstack(values)), default)
    weights = tf.reshape(tf.range(12.0), [3, 4])
    return tf.gradients(tf.reduce_sum(tf.square(dense) * weights), [values, default])


@case
def to_dense_out_of_order(tf: Any) -> Any:
    at = tf.placeholder_with_default(np.array([[1, 0], [0, 1]]), [None, 2])
    x = tf.SparseTensor(at, [1.0, 2.0], [3, 4])
    return tf.sparse_tensor_to_dense(x)


CASES["to_dense_repeated"] = lambda tf: tf.sparse_tensor_to_dense(
    tf.SparseTensor([[1, 0], [1, 0]], [1.0, 2.0], [3, 4])
)
CASES["to_dense_outside"] = lambda tf: tf.sparse_tensor_to_dense(
    tf.SparseTensor([[1, 4]], [1.0], [3, 4])
)
CASES["to_dense_not_checked"] = lambda tf: tf.sparse_tensor_to_dense(
    tf.SparseTensor([[1, 0], [0, 1]], [1.0, 2.0], [3, 4]), validate_indices=False
)


@case
def sparse_to_dense(tf: Any) -> Any:
    return [
        tf.sparse_to_dense([1, 3], [5], 1.0, 0.5), tf.sparse_to_dense(2, [4], 7),
        tf.sparse_to_dense([[0, 1], [1, 0]], [2, 2], [3, 4], -1),
        tf.sparse_to_dense(tf.constant([[0, 1], [1, 0]], tf.int64), [2, 2], True, False),
    ]


@case
def matmul(tf: Any) -> Any:
    b = tf.reshape(tf.range(8.0), [4, 2])
    return [
        tf.sparse_tensor_dense_matmul(first(tf), b),
        tf.sparse_tensor_dense_matmul(first(tf), tf.transpose(b), adjoint_b=True),
        tf.sparse_tensor_dense_matmul(first(tf), tf.reshape(tf.range(6.0), [3, 2]), adjoint_a=True),
        tf.sparse_tensor_dense_matmul(loose(tf), b), tf.sparse.matmul(first(tf), b),
        tf.sparse_tensor_dense_matmul(tf.reshape(tf.range(6.0), [2, 3]), first(tf)),
    ]


@case
def matmul_gradient(tf: Any) -> Any:
    out = []
    for a, b in ((False, False), (True, False), (False, True), (True, True)):
        values = tf.constant([1.0, -2.0, 3.0, 4.0])
        inner = 3 if a else 4
        dense = tf.reshape(tf.range(2.0 * inner), [2, inner] if b else [inner, 2])
        y = tf.sparse_tensor_dense_matmul(first(tf, tf.unstack(values)), dense, a, b)
        out += tf.gradients(tf.reduce_sum(tf.square(y)), [values, dense])
    return out


@case
def matmul_mismatch(tf: Any) -> Any:
    return tf.sparse_tensor_dense_matmul(
        loose(tf), tf.placeholder_with_default(np.ones((5, 2), np.float32), [None, 2])
    )


@case
def add(tf: Any) -> Any:
    dense = tf.reshape(tf.range(12.0), [3, 4])
    return [
        tf.sparse_add(first(tf), second(tf)), tf.sparse_add(first(tf), second(tf), 1.0),
        tf.sparse_add(first(tf), second(tf), thresh=11.0), tf.sparse.add(first(tf), dense),
        tf.sparse_add(dense, loose(tf)), tf.sparse_add(loose(tf), second(tf)),
    ]


@case
def add_gradient(tf: Any) -> Any:
    values, dense = tf.constant([1.0, -2.0, 3.0, 4.0]), tf.reshape(tf.range(12.0), [3, 4])
    a = first(tf, tf.unstack(values))
    both = tf.sparse_add(a, second(tf))
    mixed = tf.sparse_add(a, dense)
    return [
        *tf.gradients(tf.reduce_sum(tf.square(both.values)), [values]),
        *tf.gradients(tf.reduce_sum(tf.square(mixed)), [values, dense]),
    ]


@case
def retain_slice(tf: Any) -> Any:
    return [
        tf.sparse_retain(first(tf), [True, False, False, True]),
        tf.sparse_retain(loose(tf), loose(tf).values > 0),
        tf.sparse_slice(first(tf), [0, 1], [2, 3]),
        tf.sparse_slice(first(tf), [1, 0], [5, 3]), tf.sparse_slice(cube(tf), [0, 1, 1], [2, 2, 3]),
    ]


@case
def concat_split(tf: Any) -> Any:
    wide = tf.SparseTensor([[0, 0], [1, 5]], [7.0, 8.0], [2, 6])
    return [
        tf.sparse_concat(0, [first(tf), second(tf)]), tf.sparse_concat(1, [first(tf), second(tf)]),
        tf.sparse_concat(-1, [loose(tf), first(tf), second(tf)]),
        tf.sparse_concat(1, [first(tf), wide], expand_nonconcat_dim=True),
        *tf.sparse_split(sp_input=first(tf), num_split=2, axis=0),
        *tf.sparse_split(sp_input=cube(tf), num_split=3, axis=2),
    ]


CASES["concat_mismatch"] = lambda tf: tf.sparse_concat(
    0, [loose(tf), tf.SparseTensor([[0, 0]], [1.0], [1, 9])]
)


@case
def orders(tf: Any) -> Any:
    mixed = tf.SparseTensor([[2, 0], [0, 3], [0, 1]], [1, 2, 3], [3, 4])
    return [
        tf.sparse_reorder(mixed), tf.sparse_reshape(first(tf), [2, 6]),
        tf.sparse_reshape(loose(tf), [4, -1]), tf.sparse_reshape(cube(tf), [-1]),
        tf.sparse_reshape(cube(tf), [2, 2, 3, 2]), tf.sparse_transpose(first(tf)),
        tf.sparse_transpose(cube(tf), [1, 2, 0]),
    ]


CASES["reshape_mismatch"] = lambda tf: tf.sparse_reshape(loose(tf), [5, -1])


@case
def reductions(tf: Any) -> Any:
    out = []
    for axis in (None, 0, 1, -1, [0, 1], [0, 2], [2]):
        for keep in (False, True):
            x = cube(tf) if axis == [0, 2] or axis == [2] else first(tf)
            out += [
                tf.sparse_reduce_sum(x, axis, keep), tf.sparse_reduce_max(x, axis, keep),
                tf.sparse_reduce_sum_sparse(x, axis, keep),
                tf.sparse_reduce_max_sparse(x, axis, keep),
            ]
    return out


@case
def reduction_gradient(tf: Any) -> Any:
    values = tf.constant([1.0, -2.0, 3.0, 4.0])
    x = first(tf, tf.unstack(values))
    sums = tf.sparse_reduce_sum(x, 1)
    return tf.gradients(tf.reduce_sum(tf.square(sums)), values)


@case
def softmax(tf: Any) -> Any:
    values = tf.constant([1.0, -2.0, 3.0, 4.0])
    soft = tf.sparse_softmax(first(tf, tf.unstack(values)))
    return [
        soft, tf.sparse_softmax(cube(tf)), tf.sparse_softmax(loose(tf)),
        *tf.gradients(tf.reduce_sum(soft.values * [1.0, 2.0, 3.0, 4.0]), values),
    ]


@case
def extremes(tf: Any) -> Any:
    return [
        tf.sparse_maximum(first(tf), second(tf)), tf.sparse_minimum(first(tf), second(tf)),
        tf.sparse_minimum(loose(tf), second(tf)),
    ]


@case
def times_dense(tf: Any) -> Any:
    row, column = tf.constant([1.0, 2.0, 3.0, 4.0]), tf.constant([[1.0], [2.0], [4.0]])
    whole = tf.reshape(tf.range(12.0), [3, 4])
    return [
        first(tf) * 2.0, first(tf) * row, first(tf) * column, loose(tf) * whole, first(tf) / row,
        loose(tf) / column, whole * first(tf), cube(tf) * row,
    ]


@case
def times_dense_gradient(tf: Any) -> Any:
    values, row = tf.constant([1.0, -2.0, 3.0, 4.0]), tf.constant([1.0, 2.0, 3.0, 4.0])
    x = first(tf, tf.unstack(values))
    return [
        *tf.gradients(tf.reduce_sum(tf.square((x * row).values)), [values, row]),
        *tf.gradients(tf.reduce_sum(tf.square((x / row).values)), [values, row]),
    ]


CASES["times_dense_mismatch"] = lambda tf: loose(tf) * tf.placeholder_with_default(
    np.ones(3, np.float32), [None]
)


@case
def rows(tf: Any) -> Any:
    x = tf.SparseTensor([[0, 1], [0, 3], [3, 0]], [5, 6, 7], [5, 6])
    filled, empty = tf.sparse_fill_empty_rows(x, -1)
    slices = tf.IndexedSlices(tf.reshape(tf.range(6.0), [3, 2]), tf.constant([12, 26, 37]))
    masked = tf.sparse_mask(slices, [12, 45])
    return [
        filled, empty, tf.sparse_reset_shape(x), tf.sparse_reset_shape(x, [9, 7]), masked.values,
        masked.indices, tf.sparse.expand_dims(x, 1), tf.sparse.expand_dims(x),
        tf.sparse.eye(2, 3), tf.sparse.from_dense([[0, 3], [4, 0]]),
    ]


@case
def fill_empty_rows_gradient(tf: Any) -> Any:
    values, default = tf.constant([1.0, -2.0, 3.0, 4.0]), tf.constant(9.0)
    x = tf.SparseTensor([[0, 1], [0, 3], [1, 0], [4, 2]], values, [6, 4])
    filled, _ = tf.sparse_fill_empty_rows(x, default)
    weights = tf.range(7.0)
    return tf.gradients(tf.reduce_sum(tf.square(filled.values) * weights), [values, default])


@case
def ids(tf: Any) -> Any:
    names = tf.SparseTensor([[0, 0], [0, 1], [2, 0]], [4, 1, 2], [3, 2])
    other = tf.SparseTensor([[0, 0], [0, 1], [2, 0]], [0, 1, 1], [3, 2])
    weights = tf.SparseTensor([[0, 0], [0, 1], [2, 0]], [0.5, 1.5, 2.5], [3, 2])
    return [
        tf.sparse_merge(names, weights, 6), tf.sparse_to_indicator(names, 5),
        tf.sparse_merge([names, other], weights, [6, 2]),
    ]


def _table(tf: Any) -> Any:
    return tf.constant((np.arange(18.0).reshape(6, 3) / 7).astype(np.float32))


@case
def embeddings(tf: Any) -> Any:
    table = _table(tf)
    at = [[0, 0], [0, 1], [1, 0], [2, 0], [2, 1], [2, 3]]
    names = tf.SparseTensor(at, [4, 1, 2, 2, 0, 5], [3, 4])
    weights = tf.SparseTensor(at, [0.5, 1.5, 2.5, 1.0, 2.0, 3.0], [3, 4])
    out = []
    for combiner in ("sum", "mean", "sqrtn"):
        for each in (None, weights):
            found = tf.nn.embedding_lookup_sparse(table, names, each, combiner=combiner)
            slope = tf.gradients(tf.reduce_sum(tf.square(found)), table)[0]
            out += [found, tf.convert_to_tensor(slope)]
    parts = [table[0::2], table[1::2]]
    return [
        *out, tf.nn.embedding_lookup_sparse(parts, names, None, combiner="sum"),
        tf.nn.embedding_lookup_sparse(table, names, None, combiner="sum", max_norm=1.0),
    ]


@case
def safe_embeddings(tf: Any) -> Any:
    table = _table(tf)
    at = [[0, 0], [0, 1], [2, 0], [2, 1], [3, 0]]
    names = tf.SparseTensor(at, [4, 1, 2, -1, -1], [5, 4])
    weights = tf.SparseTensor(at, [0.5, 1.5, -2.5, 1.0, 2.0], [5, 4])
    deep = tf.SparseTensor([[0, 0, 0], [0, 1, 1], [1, 1, 0]], [1, 2, 3], [2, 2, 2])
    look = tf.nn.safe_embedding_lookup_sparse
    return [
        look(table, names, combiner="sum"), look(table, names, combiner="mean", default_id=3),
        look(table, names, weights, combiner="mean"), look(table, names, weights, combiner="sum"),
        look(table, deep, combiner="sum"),
    ]
