"""Matrix products, einsum, tensordot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import matmul
from graphc.ops.define import REGISTRY
from tests.ops.array_checks import agree, check_forward, check_gradient, in_session, names_of

NAMES = names_of(matmul)
A = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
B = np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32)
SIZES = dict(zip("abcdefhijklq", (2, 3, 4, 5, 2, 3, 2, 3, 4, 2, 3, 5), strict=True))


@pytest.fixture(autouse=True)
def _fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


@pytest.mark.parametrize("name", NAMES)
def test_kernel_and_shape_rule_agree_with_the_reference(name: str) -> None:
    check_forward(REGISTRY[name])


@pytest.mark.parametrize("name", [n for n in NAMES if REGISTRY[n].grad is not None])
def test_gradient_is_the_numeric_one(name: str) -> None:
    check_gradient(REGISTRY[name])


def _operands(equation: str) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(3)
    out = []
    for n, spec in enumerate(equation.split("->")[0].split(",")):
        dots = [2, 1] if n == 0 else [3]
        shape: list[int] = []
        for label in spec.replace("...", "."):
            shape += dots if label == "." else [SIZES[label]]
        out.append(rng.normal(size=shape))
    return out


@pytest.mark.parametrize(
    "equation",
    [
        "ij,jk->ik", "bij,bjk->bik", "ij,kj->ik", "ii->i", "ii", "ij->ji", "ij->", "ij->j",
        "i,j->ij", "bi,bi->b", "bhqd,bhkd->bhqk", "bhqk,bhkd->bqhd", "abc,cd->abd", "abc,bcd->ad",
        "...ij,jk->...ik", "...ij,...jk->...ik", "ij,jk,kl->il", "ab,ab->ab", "ab,b->ab",
        "aab,bc->ac", "ij,jk", "...i->...", "i,i->", "ab,cd->abcd", "abc,abd->acd", "ij,j",
        "abcd,cdef->abef", "ba,ca->cb", "ab , bc -> ac",
    ],
)  # fmt: skip
def test_einsum_agrees_with_numpy(equation: str) -> None:
    values = _operands(equation.replace(" ", ""))
    agree(lambda *xs: tf.einsum(equation, *xs), lambda *a: np.einsum(equation, *a), *values)


def test_einsum_has_gradients() -> None:
    x, y = tf.placeholder(tf.float64, [3, 4]), tf.placeholder(tf.float64, [4, 5])
    gx, gy = tf.gradients(tf.einsum("ij,jk->ki", x, y), [x, y])
    with tf.Session() as session:
        a, b = session.run([gx, gy], {x: A, y: B})
    np.testing.assert_allclose(a, np.ones((3, 5)) @ B.T, rtol=1e-6)
    np.testing.assert_allclose(b, A.T @ np.ones((3, 5)), rtol=1e-6)


@pytest.mark.parametrize(
    ("equation", "text"),
    [
        ("ij,jk->il", "Unknown output label"), ("ijk,jk->i", "Shape must be rank 3 but is rank 2"),
        ("ij->ij", "Expected 1 arguments"), ("i j,k$", "incorrect format"),
    ],
)
def test_einsum_errors(equation: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        tf.einsum(equation, tf.constant(A), tf.constant(B))


def test_tensordot_agrees_with_numpy() -> None:
    c = np.random.default_rng(2).normal(size=(4, 5, 2)).astype(np.float32)
    agree(lambda x, y: tf.tensordot(x, y, 1), lambda a, b: np.tensordot(a, b, 1), A, c)
    lists = [[1], [0]]
    agree(lambda x, y: tf.tensordot(x, y, lists), lambda a, b: np.tensordot(a, b, lists), A, c)
    agree(lambda x: tf.tensordot(x, x, 2), lambda a: np.tensordot(a, a, 2), A)
    agree(lambda x: tf.tensordot(x, x, 0), lambda a: np.tensordot(a, a, 0), A)
    agree(lambda x, y: tf.tensordot(x, y, [-1, 0]), lambda a, b: np.tensordot(a, b, [-1, 0]), A, c)
    with pytest.raises(ValueError, match="Different number of contraction axes"):
        tf.tensordot(A, A, [[0, 1], [0]])


def test_products_of_every_form() -> None:
    c = np.random.default_rng(2).normal(size=(2, 1, 3, 4)).astype(np.float32)
    agree(tf.matmul, np.matmul, A, B)
    agree(lambda x, y: tf.matmul(x, y, transpose_b=True), lambda a, b: a @ b.T, A, A)
    agree(lambda x, y: tf.matmul(x, y, adjoint_a=True), lambda a, b: a.T @ b, A, A)
    agree(tf.matmul, np.matmul, c, B)
    agree(lambda x, y: tf.matmul(x, y, transpose_b=True), lambda a, b: a @ b.swapaxes(-1, -2), c, c)
    agree(tf.linalg.matvec, lambda a, b: a @ b, A, B[:, 0])
    assert in_session(lambda x: tf.matmul([[1, 2]], [[3], [4]]), A).tolist() == [[11]]
    assert in_session(lambda x: x @ tf.transpose(x), A).shape == (3, 3)


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        (((2, 3), (4, 5)), "Dimensions must be equal, but are 3 and 4 for 'MatMul' (op: 'MatMul') "
         "with input shapes: [2,3], [4,5]."),
        (((2, 3), (3,)), "Shape must be rank 2 but is rank 1"),
        (((2, 5, 3), (3, 3, 4)), "Dimensions must be equal, but are 2 and 3"),
    ],
)  # fmt: skip
def test_static_errors_read_as_tf(shapes: Any, text: str) -> None:
    with pytest.raises(ValueError) as err:
        tf.matmul(*(tf.placeholder(tf.float32, s) for s in shapes))
    assert text in str(err.value)


def test_static_shapes_are_as_known_as_they_can_be() -> None:
    x, y = tf.placeholder(tf.float32, [None, 4]), tf.placeholder(tf.float32)
    assert str(tf.matmul(x, B).shape) == "(?, 5)"
    assert str(tf.matmul(x, y).shape) == "(?, ?)"
    assert tf.matmul(y, y).shape.ndims is None
    batched = tf.placeholder(tf.float32, [None, 4, 5])
    assert str(tf.matmul(tf.zeros([7, 1, 2, 4]), batched).shape) == "(7, ?, 2, 5)"


def test_both_transposed_and_adjoint_is_an_error() -> None:
    with pytest.raises(ValueError, match="Only one of transpose_a and adjoint_a"):
        tf.matmul(A, B, transpose_a=True, adjoint_a=True)
