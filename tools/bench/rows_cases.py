"""Cases of tools/bench/kernels_rows.py: reductions, row kernels, movement, optimizer steps.

Each peer has a function `prepare(name)` that returns the work as a function of nothing which waits
for its result, or None where the peer does not do it. Libraries are imported when asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Work = Callable[[], Any]
SQUARE = (4096, 4096)
ROWS = (4096, 1024)
IMAGES = (32, 32, 32, 64)
TABLE, BATCH_IDS, WIDTH = 50_000, 8192, 256
VARIABLES = 50
RATE = 1e-3

REDUCTIONS = [
    f"{kind}_{where}_{dtype}"
    for kind, dtypes in {
        "sum": ("f4", "f8", "i4"),
        "mean": ("f4",),
        "var": ("f4", "f8"),
        "max": ("f4", "i4"),
        "min": ("f8",),
        "prod": ("f4",),
        "argmax": ("f4",),
        "any": ("b1",),
        "all": ("b1",),
    }.items()
    for dtype in dtypes
    for where in (("ax0", "ax1") if kind == "argmax" else ("full", "ax0", "ax1"))
]
ROW_KERNELS = [
    "softmax", "log_softmax", "softmax_grad", "sparse_xent", "sparse_xent_grad", "dense_xent_grad",
    "layer_norm", "layer_norm_grad", "batch_norm", "batch_norm_grad", "bias_relu_grad",
]  # fmt: skip
MOVEMENT = [
    "transpose", "nchw", "heads", "concat", "concat_ax1", "split", "pad", "cumsum", "cumsum_ax0",
    "gather", "gather_grad", "dropout",
]  # fmt: skip
STEPS = ["sgd_50", "momentum_50", "adam_50"]
CHAINS = ["chain_16m", "memory_chain_16m", "chain_1000"]
NAMES = [*REDUCTIONS, *ROW_KERNELS, *MOVEMENT, *STEPS, *CHAINS]


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def normal(*shape: int, seed: int = 1) -> np.ndarray:
    return rng(seed).standard_normal(shape, dtype=np.float32)


def inputs(name: str) -> list[np.ndarray]:
    """The arrays of a case."""
    if name in REDUCTIONS:
        dtype = name.rsplit("_", 1)[1]
        x = normal(*SQUARE)
        if name.startswith("prod"):
            return [1 + x * np.float32(1e-3)]
        if dtype == "b1":
            # one element decides: nothing may stop early on the other rows
            return [np.full(SQUARE, name.startswith("all"))]
        return [(x * 100 if dtype == "i4" else x).astype(dtype)]
    if name.startswith(("softmax", "log_softmax")):
        return [normal(*ROWS), normal(*ROWS, seed=2)]
    if name.startswith("sparse_xent"):
        return [normal(*ROWS), rng(2).integers(0, ROWS[1], ROWS[0]).astype(np.int32)]
    if name.startswith("dense_xent"):
        wanted = np.abs(normal(*ROWS, seed=2))
        return [normal(*ROWS), wanted / wanted.sum(1, keepdims=True)]
    if name.startswith("layer_norm"):
        width = ROWS[1]
        return [normal(*ROWS), normal(width), normal(width, seed=3), normal(*ROWS, seed=4)]
    if name.startswith("batch_norm"):
        width = IMAGES[-1]
        return [normal(*IMAGES), normal(width), normal(width, seed=3), normal(*IMAGES, seed=4)]
    if name == "bias_relu_grad":
        return [normal(*ROWS), normal(ROWS[1]), normal(*ROWS, seed=2)]
    return _moved(name)


def _moved(name: str) -> list[np.ndarray]:
    if name in ("nchw", "pad"):
        return [normal(*IMAGES)]
    if name == "heads":
        return [normal(8, 512, 12, 64)]
    if name.startswith(("concat", "split")):
        return [normal(2048, 1024, seed=k) for k in range(4)] if "concat" in name else [
            normal(2048, 4096)
        ]
    if name.startswith("gather"):
        ids = rng(5).integers(0, TABLE, BATCH_IDS).astype(np.int32)
        return [normal(TABLE, WIDTH), ids, normal(BATCH_IDS, WIDTH, seed=6)]
    if name.startswith("chain"):
        return [normal(1000 if name.endswith("1000") else 1 << 24)]
    if name.startswith("memory_chain"):
        return [normal(1 << 24, seed=k) for k in range(4)]
    if name in STEPS:
        sizes = [(256, 256), (256,)] * (VARIABLES // 2)
        return [normal(*s, seed=k) for k, s in enumerate(sizes)]
    return [normal(*SQUARE) if name in ("transpose", "cumsum", "cumsum_ax0") else normal(*ROWS)]


# ------------------------------------------------------------------ NumPy
def numpy_prepare(name: str) -> Work | None:
    x = inputs(name)
    if name in REDUCTIONS:
        kind, where, _ = name.split("_")
        axis = None if where == "full" else int(where[2:])
        return lambda: getattr(x[0], kind)(axis=axis)
    simple: dict[str, Work] = {
        "softmax": lambda: _softmax(x[0]),
        "layer_norm": lambda: _layer_norm(*x[:3]),
        "transpose": lambda: x[0].T.copy(),
        "nchw": lambda: np.ascontiguousarray(x[0].transpose(0, 3, 1, 2)),
        "heads": lambda: np.ascontiguousarray(x[0].transpose(0, 2, 1, 3)),
        "concat": lambda: np.concatenate(x),
        "concat_ax1": lambda: np.concatenate(x, 1),
        "split": lambda: [p.copy() for p in np.split(x[0], 4, 1)],
        "pad": lambda: np.pad(x[0], ((0, 0), (1, 1), (1, 1), (0, 0))),
        "cumsum": lambda: x[0].cumsum(1),
        "cumsum_ax0": lambda: x[0].cumsum(0),
        "gather": lambda: x[0][x[1]],
        "chain_16m": lambda: _chain(np, x[0]),
        "chain_1000": lambda: _chain(np, x[0]),
        "memory_chain_16m": lambda: np.maximum(x[0] * x[1] + x[2], 0) * x[3] - x[0],
    }
    return simple.get(name)


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def _layer_norm(x: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    mean = x.mean(1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(1, keepdims=True) + 1e-5) * scale + shift


def _chain(xp: Any, v: Any) -> Any:
    return xp.tanh(v * 2 + 1) * xp.exp(-v * v) + xp.sqrt(abs(v))


# ------------------------------------------------------------------ JAX
def jax_prepare(name: str) -> Work | None:
    import jax

    arrays = [jax.numpy.asarray(a) for a in inputs(name)]
    if name in STEPS:
        return _jax_step(name, arrays)
    fn = _jax_function(name)
    if fn is None:
        return None
    done = jax.jit(fn)
    return lambda: jax.block_until_ready(done(*arrays))


def _jax_function(name: str) -> Callable[..., Any] | None:
    import jax
    import jax.numpy as jnp

    if name in REDUCTIONS:
        kind, where, dtype = name.split("_")
        axis = None if where == "full" else int(where[2:])
        # without 64 bits JAX would compute in float32
        return None if dtype == "f8" else lambda x: getattr(jnp, kind)(x, axis=axis)

    def sparse(x: Any, y: Any) -> Any:
        return -jax.nn.log_softmax(x)[jnp.arange(len(y)), y]

    def dense(x: Any, y: Any) -> Any:
        return -(jax.nn.log_softmax(x) * y).sum(1)

    def layer_norm(x: Any, scale: Any, shift: Any) -> Any:
        mean = x.mean(-1, keepdims=True)
        var = ((x - mean) ** 2).mean(-1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(var + 1e-5) * scale + shift

    def batch_norm(x: Any, scale: Any, shift: Any) -> Any:
        mean = x.mean((0, 1, 2))
        var = ((x - mean) ** 2).mean((0, 1, 2))
        return (x - mean) * jax.lax.rsqrt(var + 1e-5) * scale + shift

    def both(fn: Any) -> Any:
        def value_and_gradients(x: Any, a: Any, b: Any, g: Any) -> Any:
            out, back = jax.vjp(fn, x, a, b)
            return out, back(g)

        return value_and_gradients

    def bias_relu(h: Any, b: Any, g: Any) -> Any:
        d = jnp.where(h + b > 0, g, 0)
        return d, d.sum(0)

    return {
        "softmax": lambda x, g: jax.nn.softmax(x),
        "log_softmax": lambda x, g: jax.nn.log_softmax(x),
        "softmax_grad": lambda x, g: jax.vjp(jax.nn.softmax, x)[1](g),
        "sparse_xent": sparse,
        "sparse_xent_grad": lambda x, y: jax.value_and_grad(lambda v: sparse(v, y).mean())(x),
        "dense_xent_grad": lambda x, y: jax.value_and_grad(lambda v: dense(v, y).mean())(x),
        "layer_norm": lambda x, a, b, g: layer_norm(x, a, b),
        "layer_norm_grad": both(layer_norm),
        "batch_norm": lambda x, a, b, g: batch_norm(x, a, b),
        "batch_norm_grad": both(batch_norm),
        "bias_relu_grad": bias_relu,
        "transpose": lambda x: x.T + 0,
        "nchw": lambda x: x.transpose(0, 3, 1, 2),
        "heads": lambda x: x.transpose(0, 2, 1, 3),
        "concat": lambda *x: jnp.concatenate(x),
        "concat_ax1": lambda *x: jnp.concatenate(x, 1),
        "split": lambda x: [p + 0 for p in jnp.split(x, 4, 1)],
        "pad": lambda x: jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))),
        "cumsum": lambda x: x.cumsum(1),
        "cumsum_ax0": lambda x: x.cumsum(0),
        "gather": lambda t, i, g: t[i],
        "gather_grad": lambda t, i, g: t.at[i].add(-RATE * g),
        "dropout": lambda x: jnp.where(
            jax.random.bernoulli(jax.random.key(1), 0.5, x.shape), x * 2, 0
        ),
        "chain_16m": lambda v: _chain(jnp, v),
        "chain_1000": lambda v: _chain(jnp, v),
        "memory_chain_16m": lambda a, b, c, d: jnp.maximum(a * b + c, 0) * d - a,
    }.get(name)


def _jax_step(name: str, params: list[Any]) -> Work:
    """The optimizer alone: the gradient of half the sum of squares is the variable."""
    import jax
    import jax.numpy as jnp

    def step(state: Any) -> Any:
        p, m, v, t = state
        if name.startswith("sgd"):
            return [x - RATE * x for x in p], m, v, t + 1
        if name.startswith("momentum"):
            m = [0.9 * a + x for a, x in zip(m, p, strict=True)]
            return [x - RATE * a for x, a in zip(p, m, strict=True)], m, v, t + 1
        m = [0.9 * a + 0.1 * x for a, x in zip(m, p, strict=True)]
        v = [0.999 * a + 0.001 * x * x for a, x in zip(v, p, strict=True)]
        rate = RATE * jnp.sqrt(1 - 0.999 ** (t + 1)) / (1 - 0.9 ** (t + 1))
        triples = zip(p, m, v, strict=True)
        return [x - rate * a / (jnp.sqrt(b) + 1e-8) for x, a, b in triples], m, v, t + 1

    zeros = [jnp.zeros_like(p) for p in params]
    state = [(params, zeros, [z + 0 for z in zeros], jnp.float32(0))]
    run = jax.jit(step, donate_argnums=0)

    def work() -> Any:
        state[0] = jax.block_until_ready(run(state[0]))

    return work


# ------------------------------------------------------------------ PyTorch
def torch_prepare(name: str) -> Work | None:
    import torch
    import torch.nn.functional as nn

    torch.set_num_threads(2)
    x = [torch.from_numpy(a) for a in inputs(name)]
    if name in REDUCTIONS:
        kind, where, _ = name.split("_")
        more = {"correction": 0} if kind == "var" else {}
        if kind in ("max", "min"):
            kind = f"a{kind}"
        if kind == "prod" and where == "full":
            return lambda: x[0].prod()
        args = () if where == "full" else (int(where[2:]),)
        return lambda: getattr(x[0], kind)(*args, **more)
    width = (ROWS[1],)
    images = [t.permute(0, 3, 1, 2) for t in x if t.ndim == 4]
    simple: dict[str, Work] = {
        "softmax": lambda: torch.softmax(x[0], 1),
        "log_softmax": lambda: torch.log_softmax(x[0], 1),
        "layer_norm": lambda: nn.layer_norm(x[0], width, x[1], x[2]),
        "layer_norm_grad": lambda: _torch_layer_norm(torch, x, width),
        "batch_norm": lambda: nn.batch_norm(images[0], None, None, x[1], x[2], True),
        "transpose": lambda: x[0].T.contiguous(),
        "nchw": lambda: x[0].permute(0, 3, 1, 2).contiguous(),
        "heads": lambda: x[0].permute(0, 2, 1, 3).contiguous(),
        "concat": lambda: torch.cat(x),
        "concat_ax1": lambda: torch.cat(x, 1),
        "pad": lambda: nn.pad(x[0], (0, 0, 1, 1, 1, 1)),
        "cumsum": lambda: x[0].cumsum(1),
        "cumsum_ax0": lambda: x[0].cumsum(0),
        "gather": lambda: x[0][x[1]],
        "dropout": lambda: nn.dropout(x[0], 0.5),
    }
    return simple.get(name)


def _torch_layer_norm(torch: Any, x: list[Any], width: tuple[int, ...]) -> Any:
    out, mean, scale = torch.native_layer_norm(x[0], width, x[1], x[2], 1e-5)
    masks = (True, True, True)
    back = torch.ops.aten.native_layer_norm_backward
    return out, back(x[3], x[0], width, mean, scale, x[1], x[2], masks)


# ------------------------------------------------------------------ ONNX Runtime
def ort_prepare(name: str) -> Work | None:
    if name != "softmax":
        return None
    import onnxruntime
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ROWS) for n in ("x", "y")]
    node = helper.make_node("Softmax", ["x"], ["y"], axis=1)
    graph = helper.make_graph([node], "softmax", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    feed = {"x": inputs(name)[0]}
    return lambda: session.run(None, feed)


# ------------------------------------------------------------------ graphc
def graphc_prepare(name: str) -> Work:
    import graphc as tf

    tf.reset_default_graph()
    arrays = inputs(name)
    session = tf.Session()
    if name in STEPS:
        step = _graphc_step(tf, name, arrays)
        session.run(tf.global_variables_initializer())
        return session.make_callable(step)
    if name in ("gather", "gather_grad"):
        table = tf.Variable(arrays.pop(0))
        feeds = [tf.placeholder(a.dtype, a.shape) for a in arrays]
        fetch = tf.gather(table, feeds[0])
        if name == "gather_grad":
            loss = tf.reduce_sum(fetch * feeds[1])
            fetch = tf.train.GradientDescentOptimizer(RATE).minimize(loss)
        session.run(tf.global_variables_initializer())
    else:
        feeds = [tf.placeholder(a.dtype, a.shape) for a in arrays]
        fetch = _graphc_fetch(tf, name, feeds)
    call = session.make_callable(fetch, feeds)
    return lambda: call(*arrays)


def _graphc_fetch(tf: Any, name: str, x: list[Any]) -> Any:
    if name in REDUCTIONS:
        return _graphc_reduction(tf, name, x[0])
    xent = tf.nn.sparse_softmax_cross_entropy_with_logits
    fetches: dict[str, Work] = {
        "softmax": lambda: tf.nn.softmax(x[0]),
        "log_softmax": lambda: tf.nn.log_softmax(x[0]),
        "softmax_grad": lambda: tf.gradients(tf.nn.softmax(x[0]), x[0], x[1]),
        "sparse_xent": lambda: xent(labels=x[1], logits=x[0]),
        "sparse_xent_grad": lambda: _with_gradients(
            tf, tf.reduce_mean(xent(labels=x[1], logits=x[0])), x[:1]
        ),
        "dense_xent_grad": lambda: _with_gradients(
            tf,
            tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=x[1], logits=x[0])),
            x[:1],
        ),
        "layer_norm": lambda: _graphc_norm(tf, [-1], *x[:3]),
        "layer_norm_grad": lambda: _with_gradients(
            tf, _graphc_norm(tf, [-1], *x[:3]), x[:3], x[3]
        ),
        "batch_norm": lambda: _graphc_norm(tf, [0, 1, 2], *x[:3]),
        "batch_norm_grad": lambda: _with_gradients(
            tf, _graphc_norm(tf, [0, 1, 2], *x[:3]), x[:3], x[3]
        ),
        "bias_relu_grad": lambda: _graphc_bias(tf, *x),
        "transpose": lambda: tf.transpose(x[0]),
        "nchw": lambda: tf.transpose(x[0], [0, 3, 1, 2]),
        "heads": lambda: tf.transpose(x[0], [0, 2, 1, 3]),
        "concat": lambda: tf.concat(x, 0),
        "concat_ax1": lambda: tf.concat(x, 1),
        "split": lambda: tf.split(x[0], 4, 1),
        "pad": lambda: tf.pad(x[0], [[0, 0], [1, 1], [1, 1], [0, 0]]),
        "cumsum": lambda: tf.cumsum(x[0], 1),
        "cumsum_ax0": lambda: tf.cumsum(x[0], 0),
        "dropout": lambda: tf.nn.dropout(x[0], rate=0.5),
        "memory_chain_16m": lambda: tf.maximum(x[0] * x[1] + x[2], 0) * x[3] - x[0],
    }
    if name in fetches:
        return fetches[name]()
    return tf.tanh(x[0] * 2 + 1) * tf.exp(-x[0] * x[0]) + tf.sqrt(tf.abs(x[0]))


def _graphc_reduction(tf: Any, name: str, x: Any) -> Any:
    kind, where, _ = name.split("_")
    axis = None if where == "full" else int(where[2:])
    if kind == "var":
        return tf.nn.moments(x, [0, 1] if axis is None else [axis])[1]
    if kind == "argmax":
        return tf.argmax(x, axis)
    return getattr(tf, f"reduce_{kind}")(x, axis)


def _graphc_norm(tf: Any, axes: list[int], x: Any, scale: Any, shift: Any) -> Any:
    mean, var = tf.nn.moments(x, axes, keep_dims=True)
    return (x - mean) * tf.rsqrt(var + 1e-5) * scale + shift


def _graphc_bias(tf: Any, h: Any, b: Any, g: Any) -> Any:
    d = tf.where(h + b > 0, g, tf.zeros_like(g))
    return d, tf.reduce_sum(d, 0)


def _with_gradients(tf: Any, y: Any, xs: list[Any], g: Any = None) -> Any:
    return [y, *tf.gradients(y, xs, g)]


def _graphc_step(tf: Any, name: str, arrays: list[np.ndarray]) -> Any:
    variables = [tf.Variable(a) for a in arrays]
    optimizer = {
        "sgd_50": lambda: tf.train.GradientDescentOptimizer(RATE),
        "momentum_50": lambda: tf.train.MomentumOptimizer(RATE, 0.9),
        "adam_50": lambda: tf.train.AdamOptimizer(RATE),
    }[name]()
    return optimizer.apply_gradients([(v.read_value(), v) for v in variables])


PREPARE: dict[str, Callable[[str], Work | None]] = {
    "graphc": graphc_prepare,
    "numpy": numpy_prepare,
    "jax": jax_prepare,
    "torch": torch_prepare,
    "ort": ort_prepare,
}
