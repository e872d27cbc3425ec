"""tf.linalg.LinearOperator: every operator against its dense matrix in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

L = tf.linalg
RNG = np.random.RandomState(3)
TRIL = np.tril(RNG.rand(2, 3, 3)) + 2 * np.eye(3)
POSITIVE = TRIL @ np.swapaxes(TRIL, 1, 2)
DIAG = RNG.rand(2, 3) + 0.5
KNOWN = {"is_positive_definite": True, "is_self_adjoint": True}


@pytest.fixture(autouse=True)
def sess():
    tf.reset_default_graph()
    with tf.Session() as session:
        yield session


def block(*parts):
    size = sum(p.shape[-1] for p in parts)
    batch = np.broadcast_shapes(*(p.shape[:-2] for p in parts))
    out, at = np.zeros((*batch, size, size)), 0
    for p in parts:
        out[..., at : at + p.shape[-1], at : at + p.shape[-1]] = p
        at += p.shape[-1]
    return out


def low_rank():
    u, v, d = RNG.rand(3, 2), RNG.rand(3, 2), RNG.rand(2)
    made = L.LinearOperatorLowRankUpdate(
        L.LinearOperatorDiag(DIAG), u, d, v, is_non_singular=True
    )
    return made, np.apply_along_axis(np.diag, 1, DIAG) + u @ np.diag(d) @ v.T


EYE = np.eye(3)
MAKERS = {
    "full": lambda: (L.LinearOperatorFullMatrix(POSITIVE), POSITIVE),
    "positive": lambda: (L.LinearOperatorFullMatrix(POSITIVE, **KNOWN), POSITIVE),
    "tril": lambda: (L.LinearOperatorLowerTriangular(TRIL + np.triu(np.ones(3), 1)), TRIL),
    "diag": lambda: (L.LinearOperatorDiag(DIAG), np.apply_along_axis(np.diag, 1, DIAG)),
    "identity": lambda: (L.LinearOperatorIdentity(3, [2], tf.float64), np.stack([EYE, EYE])),
    "scaled": lambda: (
        L.LinearOperatorScaledIdentity(3, np.array([2.0, 3.0])), np.stack([2 * EYE, 3 * EYE])
    ),
    "composition": lambda: (
        L.LinearOperatorComposition([
            L.LinearOperatorDiag(DIAG), L.LinearOperatorLowerTriangular(TRIL[0]),
        ]),
        np.apply_along_axis(np.diag, 1, DIAG) @ TRIL[0],
    ),
    "block": lambda: (
        L.LinearOperatorBlockDiag([
            L.LinearOperatorFullMatrix(POSITIVE[0, :2, :2]),
            L.LinearOperatorDiag(DIAG[:, :1]),
        ]),
        block(POSITIVE[0, :2, :2], DIAG[:, :1, None]),
    ),
    "adjoint": lambda: (L.LinearOperatorLowerTriangular(TRIL).H, np.swapaxes(TRIL, 1, 2)),
    "inverse": lambda: (
        L.LinearOperatorLowerTriangular(TRIL, is_non_singular=True).inverse(), np.linalg.inv(TRIL)
    ),
    "low rank": low_rank,
    "kronecker": lambda: (
        L.LinearOperatorKronecker([
            L.LinearOperatorFullMatrix([[2.0, 1.0], [0.0, 1.0]]), L.LinearOperatorDiag([3.0]),
        ]),
        np.kron([[2.0, 1.0], [0.0, 1.0]], [[3.0]]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_against_the_dense_matrix(name, sess) -> None:
    op, dense = MAKERS[name]()
    size = dense.shape[-1]
    x = RNG.rand(size, 4).astype(op.dtype.as_numpy_dtype)
    batch = RNG.rand(*dense.shape[:-2], size).astype(x.dtype)
    turned = np.swapaxes(dense, -1, -2)
    columns = lambda m, v: (m @ v[..., None])[..., 0]  # noqa: E731
    solved = lambda m, v: np.linalg.solve(m, np.broadcast_to(v, (*m.shape[:-1], 4)))  # noqa: E731
    pairs = {
        "dense": (op.to_dense(), dense),
        "matmul": (op.matmul(x), dense @ x),
        "matmul of adjoint": (op.matmul(x, adjoint=True), turned @ x),
        "adjoint argument": (op.matmul(x.T, adjoint_arg=True), dense @ x),
        "matvec": (op.matvec(batch), columns(dense, batch)),
        "solve": (op.solve(x), solved(dense, x)),
        "solve of adjoint": (op.solve(x, adjoint=True), solved(turned, x)),
        "solvevec": (op.solvevec(batch), np.linalg.solve(dense, batch[..., None])[..., 0]),
        "determinant": (op.determinant(), np.linalg.det(dense)),
        "log": (op.log_abs_determinant(), np.linalg.slogdet(dense)[1]),
        "trace": (op.trace(), np.trace(dense, axis1=-2, axis2=-1)),
        "diagonal": (op.diag_part(), np.diagonal(dense, axis1=-2, axis2=-1)),
        "sum": (op.add_to_tensor(np.ones(size)), dense + 1),
        "shape": (op.shape_tensor(), dense.shape),
        "batch shape": (op.batch_shape_tensor(), dense.shape[:-2]),
    }
    assert op.shape.as_list() == list(dense.shape)
    assert op.tensor_rank == dense.ndim and op.domain_dimension == size
    for key, (got, want) in pairs.items():
        value = sess.run(got)
        rtol = 1e-9 if value.dtype == np.float64 else 2e-5
        np.testing.assert_allclose(value, want, rtol, 1e-9, err_msg=key)
        assert got.shape.is_compatible_with(value.shape), key


def test_unknown_extents(sess) -> None:
    diag = tf.placeholder(tf.float32, [None, None])
    parts = [L.LinearOperatorDiag(diag), L.LinearOperatorScaledIdentity(2, diag[:, 0])]
    op = L.LinearOperatorBlockDiag(parts)
    assert op.shape.as_list() == [None, None, None]
    feed = {diag: [[1.0, 2.0, 3.0]]}
    want = np.diag([1.0, 2, 3, 1, 1])[None]
    np.testing.assert_array_equal(sess.run(op.to_dense(), feed), want)
    np.testing.assert_array_equal(sess.run(op.shape_tensor(), feed), [1, 5, 5])
    product = L.LinearOperatorIdentity(tf.shape(diag)[1]).matmul(tf.transpose(diag))
    np.testing.assert_array_equal(sess.run(product, feed), [[1.0], [2.0], [3.0]])


def test_gradients_flow_through_operators(sess) -> None:
    tril = tf.constant(TRIL[0])
    op = L.LinearOperatorLowerTriangular(tril)
    y = tf.reduce_sum(op.solvevec(np.ones(3))) + op.log_abs_determinant()
    got = sess.run(tf.gradients(y, tril)[0])
    assert np.all(np.triu(got, 1) == 0)
    step = 1e-6 * np.eye(3)[:, :1] @ np.eye(3)[:1]
    def f(m):
        return np.linalg.solve(m, np.ones(3)).sum() + np.log(abs(np.diag(m))).sum()
    want = (f(TRIL[0] + step) - f(TRIL[0] - step)) / 2e-6
    np.testing.assert_allclose(got[0, 0], want, rtol=1e-6)


def test_operators_of_operators(sess) -> None:
    positive = L.LinearOperatorFullMatrix(POSITIVE, **KNOWN)
    np.testing.assert_allclose(sess.run(positive.cholesky().to_dense()), TRIL, rtol=1e-9)
    product = positive.matmul(L.LinearOperatorDiag(DIAG))
    assert isinstance(product, L.LinearOperatorComposition)
    want = POSITIVE @ np.apply_along_axis(np.diag, 1, DIAG)
    np.testing.assert_allclose(sess.run(product.to_dense()), want)
    diag = L.LinearOperatorDiag(DIAG, is_positive_definite=True)
    np.testing.assert_allclose(sess.run(diag.cholesky().diag_part()), np.sqrt(DIAG))
    np.testing.assert_allclose(sess.run(diag.inverse().diag_part()), 1 / DIAG)
    zeros = L.LinearOperatorZeros(2, 3)
    assert sess.run(zeros.matmul(tf.ones([3, 2]))).tolist() == [[0, 0], [0, 0]]
    with pytest.raises(ValueError, match="Not a positive definite self adjoint"):
        L.LinearOperatorFullMatrix(POSITIVE).cholesky()


def test_what_is_promised(sess) -> None:
    op = L.LinearOperatorFullMatrix(TRIL, is_positive_definite=True)
    assert op.is_non_singular and op.is_square and op.is_self_adjoint is None
    assert L.LinearOperatorFullMatrix(np.ones((2, 3))).is_square is False
    assert L.LinearOperatorDiag([1.0]).is_self_adjoint
    with pytest.raises(ValueError, match="always square"):
        L.LinearOperatorFullMatrix(TRIL, is_non_singular=True, is_square=False)
    with pytest.raises(ValueError, match="Only square lower triangular"):
        L.LinearOperatorLowerTriangular(TRIL, is_square=False)
    with pytest.raises(TypeError, match="Argument must have dtype in"):
        L.LinearOperatorDiag([1, 2])
    with pytest.raises(ValueError, match="at least 2 dimensions"):
        L.LinearOperatorFullMatrix([1.0])
    with pytest.raises(NotImplementedError, match="expected to be singular"):
        L.LinearOperatorFullMatrix(TRIL, is_non_singular=False).solve(np.ones((3, 1)))
    with pytest.raises(NotImplementedError, match="expected to not be square"):
        L.LinearOperatorFullMatrix(np.ones((2, 3))).determinant()


def test_assertions(sess) -> None:
    error = tf.errors.InvalidArgumentError
    d = tf.placeholder(tf.float32, [2])
    for op in (L.LinearOperatorDiag(d), L.LinearOperatorLowerTriangular(tf.diag(d))):
        check = op.assert_non_singular()
        sess.run(check, {d: [1.0, -2.0]})
        with pytest.raises(error, match="Diagonal contained zero"):
            sess.run(check, {d: [1.0, 0.0]})
        check = op.assert_positive_definite()
        sess.run(check, {d: [1.0, 2.0]})
        with pytest.raises(error, match="not positive definite"):
            sess.run(check, {d: [1.0, -2.0]})
    m = tf.placeholder(tf.float32, [2, 2])
    check = L.LinearOperatorFullMatrix(m).assert_self_adjoint()
    sess.run(check, {m: [[1.0, 2.0], [2.0, 1.0]]})
    with pytest.raises(error, match="not equal to its adjoint"):
        sess.run(check, {m: [[1.0, 2.0], [2.1, 1.0]]})


def test_assert_near(sess) -> None:
    x = tf.placeholder(tf.float32, [2])
    check = tf.assert_near(x, [1.0, 100.0], rtol=0.01, atol=0.0, message="far: ")
    sess.run(check, {x: [1.005, 100.9]})
    with pytest.raises(tf.errors.InvalidArgumentError, match="far: x and y not equal"):
        sess.run(check, {x: [1.02, 100.0]})
