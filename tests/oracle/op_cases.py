"""Ops with their gradients: small graphs for tests/oracle/record.py."""

from __future__ import annotations

from typing import Any

import numpy as np

CASES: dict[str, Any] = {}
_RNG = np.random.RandomState(5)
X = _RNG.uniform(-1.6, 1.6, (3, 4)).astype(np.float32)
Y = _RNG.uniform(-1.6, 1.6, (3, 4)).astype(np.float32)
P = _RNG.uniform(0.2, 2.5, (3, 4)).astype(np.float32)
U = _RNG.uniform(-0.9, 0.9, (3, 4)).astype(np.float32)
V = _RNG.uniform(-1, 1, (4,)).astype(np.float32)
M = _RNG.uniform(-1, 1, (4, 5)).astype(np.float32)
S = (lambda a: (a @ a.T + 3 * np.eye(4)).astype(np.float32))(_RNG.uniform(-1, 1, (4, 4)))
W = np.linspace(-1, 2, 400).astype(np.float32)  # weights of results, so that gradients differ


def _with_gradients(tf: Any, fn: Any, arrays: tuple[np.ndarray, ...]) -> list[Any]:
    """The results and the gradients of their weighted sum."""
    inputs = [tf.constant(a) for a in arrays]
    made = fn(*inputs)
    results = list(made) if isinstance(made, list | tuple) else [made]
    floats = [r for r in results if r.dtype in (tf.float32, tf.float64)]
    parts = [tf.reduce_sum(tf.reshape(r, [-1]) * tf.constant(W)[: tf.size(r)]) for r in floats]
    total = tf.add_n(parts) if parts else None
    found = tf.gradients(total, inputs) if floats else []
    return results + [tf.convert_to_tensor(g) for g in found if g is not None]


def table(name: str, rows: dict[str, Any], *arrays: np.ndarray) -> None:
    """A case a row: fn(tf, *inputs)."""
    for key, fn in rows.items():
        CASES[f"{name}_{key}"] = lambda tf, fn=fn: _with_gradients(
            tf, lambda *inputs: fn(tf, *inputs), arrays
        )


def _named(*names: str, of: str = "") -> dict[str, Any]:
    """Functions of tf, or of tf.nn or tf.math, by name."""
    return {n: (lambda tf, *x, n=n: getattr(getattr(tf, of) if of else tf, n)(*x)) for n in names}


table("unary", _named(
    "abs", "negative", "sign", "square", "exp", "expm1", "sin", "cos", "tan", "atan", "sinh",
    "cosh", "tanh", "asinh", "sigmoid", "erf", "erfc", "floor", "ceil", "rint", "round", "is_nan",
    "identity", "stop_gradient", "zeros_like", "ones_like", "log_sigmoid",
), X)  # fmt: skip
table("positive", _named("log", "log1p", "sqrt", "rsqrt", "reciprocal", "lgamma", "digamma"), P)
table("unit", _named("asin", "acos", "atanh"), U)
table("nn", _named("relu", "relu6", "elu", "selu", "softplus", "softsign", "softmax", "log_softmax",
                   "crelu", "leaky_relu", "l2_loss", of="nn"), X)  # fmt: skip
table("binary", _named("add", "subtract", "multiply", "divide", "truediv", "maximum", "minimum",
                       "squared_difference", "atan2", "floordiv", "floormod", "less",
                       "greater_equal", "equal", "not_equal"), X, Y)  # fmt: skip
table("broadcast", {
    "add": lambda tf, x, v: x + v, "mul": lambda tf, x, v: x * v,
    "div": lambda tf, x, v: x / (v + 3),
    "max": lambda tf, x, v: tf.maximum(x, v), "pow": lambda tf, x, v: tf.pow(tf.abs(x) + 0.5, v),
    "where": lambda tf, x, v: tf.where(x > 0.0, x * 2.0, x * v),
    "bias_add": lambda tf, x, v: tf.nn.bias_add(x, v),
}, X, V)  # fmt: skip
table("reduce", {
    f"{n}_{axis}_{int(keep)}": (
        lambda tf, x, n=n, axis=axis, keep=keep: getattr(tf, f"reduce_{n}")(x, axis, keep)
    )
    for n in ("sum", "mean", "max", "min", "prod", "logsumexp") for axis in (None, 0, 1, -1)
    for keep in (False, True)
}, P)  # fmt: skip
table("array", {
    "reshape": lambda tf, x: tf.reshape(x, [2, -1]), "transpose": lambda tf, x: tf.transpose(x),
    "concat": lambda tf, x: tf.concat([x, x * 2.0], 1), "stack": lambda tf, x: tf.stack([x, -x], 2),
    "unstack": lambda tf, x: tf.unstack(x, axis=1), "split": lambda tf, x: tf.split(x, [1, 3], 1),
    "slice": lambda tf, x: tf.slice(x, [1, 0], [2, 3]), "strided": lambda tf, x: x[::2, ::-1],
    "index": lambda tf, x: x[1, None, ..., 1:3], "tile": lambda tf, x: tf.tile(x, [2, 1]),
    "pad": lambda tf, x: tf.pad(x, [[1, 0], [0, 2]]), "reverse": lambda tf, x: tf.reverse(x, [1]),
    "mirror": lambda tf, x: tf.pad(x, [[1, 1], [2, 1]], "REFLECT"),
    "symmetric": lambda tf, x: tf.pad(x, [[1, 1], [2, 1]], "SYMMETRIC"),
    "gather": lambda tf, x: tf.gather(x, [2, 0, 2]),
    "gather1": lambda tf, x: tf.gather(x, [3, 1], axis=1),
    "gather_nd": lambda tf, x: tf.gather_nd(x, [[0, 1], [2, 3], [0, 1]]),
    "expand": lambda tf, x: tf.expand_dims(x, 1), "cumsum": lambda tf, x: tf.cumsum(x, 1),
    "cumsum_ex": lambda tf, x: tf.cumsum(x, 0, exclusive=True, reverse=True),
    "cumprod": lambda tf, x: tf.cumprod(x, 1), "argmax": lambda tf, x: tf.argmax(x, 1),
    "argmin": lambda tf, x: tf.argmin(x, 0), "top_k": lambda tf, x: tf.nn.top_k(x, 2),
    "one_hot": lambda tf, x: tf.one_hot([1, 0, 2], 3, x[0, 0], x[0, 1]),
    "band": lambda tf, x: tf.matrix_band_part(x, 1, 0), "diag": lambda tf, x: tf.matrix_diag(x[0]),
    "segment": lambda tf, x: tf.segment_sum(x, tf.constant([0, 0, 2])),
    "unsorted": lambda tf, x: tf.unsorted_segment_sum(x, [2, 0, 2], 4),
    "segment_mean": lambda tf, x: tf.segment_mean(x, tf.constant([0, 1, 1])),
    "dynamic": lambda tf, x: tf.dynamic_stitch([[2, 0], [1]], [x[:2], x[2:]]),
    "scatter": lambda tf, x: tf.scatter_nd([[3], [1], [3]], x, [5, 4]),
    "boolean_mask": lambda tf, x: tf.reduce_sum(tf.boolean_mask(x, [True, False, True]), 0),
    "clip": lambda tf, x: tf.clip_by_value(x, -0.5, 0.7),
    "clip_norm": lambda tf, x: tf.clip_by_norm(x, 1.0),
    "l2_normalize": lambda tf, x: tf.nn.l2_normalize(x, 1),
    "moments": lambda tf, x: tf.nn.moments(x, [0]),
    "sequence_mask": lambda tf, x: x * tf.sequence_mask([1, 4, 2], 4, tf.float32),
    "reverse_sequence": lambda tf, x: tf.reverse_sequence(x, [2, 4, 1], seq_axis=1, batch_axis=0),
    "space_to_depth": lambda tf, x: tf.space_to_depth(tf.reshape(x[:2, :2], [1, 2, 2, 1]), 2),
    "cast": lambda tf, x: tf.cast(x * 3.0, tf.int32), "norm": lambda tf, x: tf.norm(x, axis=1),
    "cross": lambda tf, x: tf.cross(x[:, :3], x[:, 1:]),
    "confusion": lambda tf, x: tf.confusion_matrix([0, 1, 2, 2], [0, 2, 2, 1]),
}, X)  # fmt: skip
table("matmul", {
    "plain": lambda tf, x, m: tf.matmul(x, m),
    "turned": lambda tf, x, m: tf.matmul(m, x, transpose_a=True, transpose_b=True),
    "tensordot": lambda tf, x, m: tf.tensordot(x, m, [[1], [0]]),
    "einsum": lambda tf, x, m: tf.einsum("ij,jk->ki", x, m),
    "batched": lambda tf, x, m: tf.matmul(tf.stack([x, -x]), tf.stack([m, m * 2.0])),
    "xw_plus_b": lambda tf, x, m: tf.nn.xw_plus_b(x, m, tf.constant(W[:5])),
}, X, M)  # fmt: skip
table("linalg", {
    "inverse": lambda tf, s: tf.matrix_inverse(s), "det": lambda tf, s: tf.matrix_determinant(s),
    "cholesky": lambda tf, s: tf.cholesky(s), "trace": lambda tf, s: tf.trace(s),
    "solve": lambda tf, s: tf.matrix_solve(s, tf.constant(M)),
    "triangular": lambda tf, s: tf.matrix_triangular_solve(s, tf.constant(M)),
}, S)  # fmt: skip
table("loss", {
    "softmax": lambda tf, x: tf.nn.softmax_cross_entropy_with_logits(
        labels=tf.one_hot([1, 3, 0], 4), logits=x),
    "sparse": lambda tf, x: tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=[1, 3, 0], logits=x),
    "sigmoid": lambda tf, x: tf.nn.sigmoid_cross_entropy_with_logits(
        labels=tf.constant(np.abs(U)), logits=x),
    "weighted": lambda tf, x: tf.nn.weighted_cross_entropy_with_logits(
        labels=tf.constant(np.abs(U)), logits=x, pos_weight=2.0),
    **{n: (lambda tf, x, n=n: getattr(tf.losses, n)(tf.constant(np.abs(U)), x)) for n in (
        "mean_squared_error", "absolute_difference", "hinge_loss", "huber_loss",
        "sigmoid_cross_entropy")},
    "log_loss": lambda tf, x: tf.losses.log_loss(tf.constant(np.abs(U)), tf.sigmoid(x)),
    "pairwise": lambda tf, x: tf.losses.mean_pairwise_squared_error(tf.constant(U), x),
    "cosine": lambda tf, x: tf.losses.cosine_distance(tf.constant(U), x, axis=1),
    "softmax_loss": lambda tf, x: tf.losses.softmax_cross_entropy(
        tf.one_hot([1, 3, 0], 4), x, weights=[1.0, 0.5, 2.0], label_smoothing=0.1),
    "sparse_loss": lambda tf, x: tf.losses.sparse_softmax_cross_entropy(
        [1, 3, 0], x, weights=[0.0, 1.0, 3.0]),
}, X)  # fmt: skip


def _optimizers(tf: Any) -> Any:
    """A dense and a sparse variable after three steps of each optimizer."""
    makes = {
        "sgd": lambda: tf.train.GradientDescentOptimizer(0.1),
        "momentum": lambda: tf.train.MomentumOptimizer(0.1, 0.9),
        "nesterov": lambda: tf.train.MomentumOptimizer(0.1, 0.9, use_nesterov=True),
        "adam": lambda: tf.train.AdamOptimizer(0.1),
        "adagrad": lambda: tf.train.AdagradOptimizer(0.1),
        "adadelta": lambda: tf.train.AdadeltaOptimizer(1.0),
        "rmsprop": lambda: tf.train.RMSPropOptimizer(0.1, momentum=0.5),
        "centered": lambda: tf.train.RMSPropOptimizer(0.1, centered=True),
        "ftrl": lambda: tf.train.FtrlOptimizer(0.1, l1_regularization_strength=0.1),
        "proximal": lambda: tf.train.ProximalGradientDescentOptimizer(
            0.1, l1_regularization_strength=0.1),
        "proximal_adagrad": lambda: tf.train.ProximalAdagradOptimizer(
            0.1, l2_regularization_strength=0.2),
    }  # fmt: skip
    out = []
    for name, make in makes.items():
        dense = tf.Variable(X[0], name=f"{name}_dense")
        rows = tf.Variable(P, name=f"{name}_rows")
        found = tf.nn.embedding_lookup(rows, [0, 2, 0])
        loss = tf.reduce_sum(tf.square(dense - 1.0)) + tf.reduce_sum(found * dense)
        out.append(_stepped(tf, make(), loss, [dense, rows]))
    return [t for pair in out for t in pair]


CASES["optimizers"] = _optimizers


def _stepped(tf: Any, optimizer: Any, loss: Any, variables: list[Any]) -> list[Any]:
    """The variables' values after three steps, as a run that makes the steps itself tells them."""
    sess = tf.get_default_session()
    train = optimizer.minimize(loss, var_list=variables)
    sess.run(tf.global_variables_initializer())
    for _ in range(3):
        sess.run(train)
    return [tf.constant(v) for v in sess.run(variables)]
