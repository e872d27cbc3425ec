"""Cells of tf.contrib.rnn: against their equations in NumPy, and their variables' names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests.rnn.cases import values
from tests.rnn.conftest import names

rnn = tf.contrib.rnn
BATCH, DEPTH, UNITS = 4, 2, 3
X = values("bx", [BATCH, DEPTH], 1.0)
FIXTURE = np.load(Path(__file__).parents[1] / "fixtures" / "rnn.npz")


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def step(sess: tf.Session, cell: Any, x: Any = X) -> tuple[Any, Any, dict]:
    """(output, new state, values of the variables by name) from states made of names."""
    state = nest_map(lambda s, n: tf.constant(values(f"s{n}", [BATCH, *dims(s)])), cell.state_size)
    inputs = tf.nest.map_structure(tf.constant, x) if isinstance(x, tuple) else tf.constant(x)
    output, new = cell(inputs, state)
    again, _ = cell(inputs, state)
    variables = tf.global_variables()
    sess.run([v.assign(values(v.name, v.shape.as_list())) for v in variables])
    grads = tf.gradients(tf.reduce_sum(tf.square(output)), cell.trainable_weights)
    assert all(g is not None for g in grads)
    got, got_again, got_new, kept = sess.run([output, again, new, variables])
    np.testing.assert_array_equal(got, got_again)
    return got, got_new, dict(zip(names(variables), kept))


def dims(size: Any) -> list[int]:
    return tf.TensorShape(size).as_list()


def nest_map(fn: Any, sizes: Any) -> Any:
    flat = tf.nest.flatten(sizes)
    return tf.nest.pack_sequence_as(sizes, [fn(s, n) for n, s in enumerate(flat)])


def s(n: int, width: int = UNITS) -> np.ndarray:
    return values(f"s{n}", [BATCH, width])


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------ kernels of TensorFlow
@pytest.mark.parametrize("peephole", [False, True])
def test_lstm_block_cell(sess: tf.Session, peephole: bool) -> None:
    cell = rnn.LSTMBlockCell(UNITS, forget_bias=0.8, cell_clip=0.4, use_peephole=peephole)
    c, h = (tf.constant(values(n, [BATCH, UNITS])) for n in ("bc", "bh"))
    with tf.variable_scope("rnn"):
        output, state = cell(tf.constant(X), (c, h))
    peep = ["w_i_diag", "w_f_diag", "w_o_diag"] if peephole else []
    assert names(cell.trainable_weights) == [
        f"rnn/lstm_cell/{n}" for n in ["kernel", "bias", *peep]
    ]
    sess.run([
        v.assign(values(n, v.shape.as_list()))
        for v, n in zip(cell.variables, ["bw", "bb", "bpi", "bpf", "bpo"])
    ])  # fmt: skip
    got, (new_c, new_h) = sess.run([output, state])
    close([new_c, new_h], FIXTURE[f"block/lstm_cell_{peephole}"])
    close(got, new_h)


def test_gru_block_cells(sess: tf.Session) -> None:
    h = tf.constant(values("bh", [BATCH, UNITS]))
    for kind, wanted in (
        (rnn.GRUBlockCell, ["w_ru", "b_ru", "w_c", "b_c"]),
        (rnn.GRUBlockCellV2, ["gates/kernel", "gates/bias", "candidate/kernel", "candidate/bias"]),
    ):
        cell = kind(UNITS)
        output, _ = cell(tf.constant(X), h, scope=kind.__name__)
        assert names(cell.variables) == [f"{kind.__name__}/{n}" for n in wanted]
        sess.run([
            v.assign(values(n, v.shape.as_list()))
            for v, n in zip(cell.variables, ["gw", "gb", "gc", "gd"])
        ])  # fmt: skip
        close(sess.run(output), FIXTURE["block/gru_cell"])
    with pytest.raises(ValueError, match="Exactly one of num_units or cell_size"):
        rnn.GRUBlockCell()


# ------------------------------------------------------------------ gated cells
def test_ugrnn(sess: tf.Session) -> None:
    out, state, v = step(sess, rnn.UGRNNCell(UNITS, forget_bias=0.5))
    both = np.concatenate([X, s(0)], 1) @ v["ugrnn_cell/kernel"] + v["ugrnn_cell/bias"]
    gate = sigmoid(both[:, :UNITS] + 0.5)
    close(out, gate * s(0) + (1 - gate) * np.tanh(both[:, UNITS:]))
    close(out, state)


def test_intersection_rnn(sess: tf.Session) -> None:
    out, state, v = step(sess, rnn.IntersectionRNNCell(UNITS, num_in_proj=UNITS))
    prefix = "intersection_rnn_cell/"
    x = X @ v[f"{prefix}in_projection/kernel"] + v[f"{prefix}in_projection/bias"]
    parts = np.concatenate([x, s(0)], 1) @ v[f"{prefix}kernel"] + v[f"{prefix}bias"]
    time, h, depth, y = np.split(parts, 4, 1)
    time, depth = sigmoid(time + 1), sigmoid(depth + 1)
    close(state, time * s(0) + (1 - time) * np.tanh(h))
    close(out, depth * x + (1 - depth) * np.maximum(y, 0))
    with pytest.raises(ValueError, match="Must have input size == output size"):
        rnn.IntersectionRNNCell(UNITS)(tf.constant(X), tf.constant(s(0)))


def test_nas(sess: tf.Session) -> None:
    out, (c, m), v = step(sess, rnn.NASCell(UNITS, num_proj=2, use_biases=True))
    assert sorted(v) == [
        f"nas_cell/{n}" for n in ("bias", "kernel", "projection_weights", "recurrent_kernel")
    ]
    x = np.split(X @ v["nas_cell/kernel"], 8, 1)
    h = np.split(s(1, 2) @ v["nas_cell/recurrent_kernel"] + v["nas_cell/bias"], 8, 1)
    one = np.tanh(np.tanh(sigmoid(x[0] + h[0]) * np.maximum(x[1] + h[1], 0)) + s(0))
    two = np.tanh(sigmoid(x[2] + h[2]) + np.maximum(x[3] * h[3], 0))
    three = np.tanh(np.tanh(x[4] + h[4]) * sigmoid(x[5] + h[5]))
    four = sigmoid(np.tanh(x[6] + h[6]) + sigmoid(x[7] + h[7]))
    close(c, one * two)
    close(out, np.tanh(one * two * np.tanh(three + four)) @ v["nas_cell/projection_weights"])
    close(out, m)


def test_sru(sess: tf.Session) -> None:
    out, state, v = step(sess, rnn.SRUCell(UNITS))
    x, f, r, passed = np.split(X @ v["sru_cell/kernel"], 4, 1)
    b = v["sru_cell/bias"]
    f, r = sigmoid(f + b[:UNITS]), sigmoid(r + b[UNITS:])
    c = f * s(0) + (1 - f) * x
    close(state, c)
    close(out, r * np.tanh(c) + (1 - r) * passed)


def test_independent_cells(sess: tf.Session) -> None:
    out, _, v = step(sess, rnn.IndRNNCell(UNITS, name="i"))
    close(out, np.tanh(X @ v["i/kernel_w"] + s(0) * v["i/kernel_u"] + v["i/bias"]))
    out, _, v = step(sess, rnn.IndyGRUCell(UNITS, name="g"))
    both = X @ v["g/gates/kernel_w"] + np.tile(s(0), 2) * v["g/gates/kernel_u"] + v["g/gates/bias"]
    r, u = np.split(sigmoid(both), 2, 1)
    c = np.tanh(
        X @ v["g/candidate/kernel_w"] + r * s(0) * v["g/candidate/kernel_u"] + v["g/candidate/bias"]
    )
    close(out, u * s(0) + (1 - u) * c)
    out, (c, h), v = step(sess, rnn.IndyLSTMCell(UNITS, name="l"))
    gates = X @ v["l/kernel_w"] + np.tile(s(1), 4) * v["l/kernel_u"] + v["l/bias"]
    i, j, f, o = np.split(gates, 4, 1)
    close(c, s(0) * sigmoid(f + 1) + sigmoid(i) * np.tanh(j))
    close(out, np.tanh(c) * sigmoid(o))
    close(out, h)


# ------------------------------------------------------------------ variants of the LSTM
def normalised(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True)) * gamma + beta


def test_layer_norm_lstm(sess: tf.Session) -> None:
    out, (c, _), v = step(sess, rnn.LayerNormBasicLSTMCell(UNITS, forget_bias=0.0))
    v = {k.removeprefix("layer_norm_basic_lstm_cell/"): x for k, x in v.items()}
    gates = np.split(np.concatenate([X, s(1)], 1) @ v["kernel"], 4, 1)
    i, j, f, o = (
        normalised(g, v[f"{n}/gamma"], v[f"{n}/beta"])
        for g, n in zip(gates, ("input", "transform", "forget", "output"))
    )
    wanted = s(0) * sigmoid(f) + sigmoid(i) * np.tanh(j)
    wanted = normalised(wanted, v["state/gamma"], v["state/beta"])
    np.testing.assert_allclose(c, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(out, np.tanh(wanted) * sigmoid(o), rtol=1e-4, atol=1e-5)
    plain = rnn.LayerNormBasicLSTMCell(UNITS, layer_norm=False, dropout_keep_prob=0.5)
    with tf.variable_scope("plain"):
        plain(tf.constant(X), plain.zero_state(BATCH, tf.float32))
    assert [n.rpartition("/")[2] for n in names(plain.variables)] == ["kernel", "bias"]


def test_grouped_lstm(sess: tf.Session) -> None:
    cell = rnn.GLSTMCell(4, number_of_groups=2, num_proj=2)
    out, (c, m), v = step(sess, cell)
    v = {k.removeprefix("glstm_cell/"): x for k, x in v.items()}
    old_c, old_m = s(0, 4), s(1, 2)
    parts = [
        np.split(np.concatenate([X[:, [g]], old_m[:, [g]]], 1) @ v[f"group{g}/kernel"], 4, 1)
        for g in range(2)
    ]
    i, j, f, o = (
        np.concatenate([p[n] for p in parts], 1) + v[f"bias_{k}"] for n, k in enumerate("ijfo")
    )
    close(c, sigmoid(f + 1) * old_c + sigmoid(i) * np.tanh(j))
    close(out, (sigmoid(o) * np.tanh(c)) @ v["projection/kernel"])
    close(out, m)
    with pytest.raises(ValueError, match="num_units must be divisible by number_of_groups"):
        rnn.GLSTMCell(3, number_of_groups=2)


@pytest.mark.parametrize("joined", [False, True])
def test_coupled_lstm(sess: tf.Session, joined: bool) -> None:
    cell = rnn.CoupledInputForgetGateLSTMCell(
        UNITS, use_peepholes=True, num_proj=2, num_unit_shards=2, proj_clip=0.1,
        state_is_tuple=not joined,
    )  # fmt: skip
    out, state, v = step(sess, cell)
    v = {k.rpartition("/")[2]: x for k, x in v.items()}
    assert sorted(v) == ["B", "W_0", "W_1", "W_F_diag", "W_O_diag", "W_P_0"]
    both = s(0, 5) if joined else np.concatenate([s(0), s(1, 2)], 1)
    old_c, old_m = both[:, :UNITS], both[:, UNITS:]
    kernel = np.concatenate([v["W_0"], v["W_1"]])
    j, f, o = np.split(np.concatenate([X, old_m], 1) @ kernel + v["B"], 3, 1)
    f = sigmoid(f + 1 + v["W_F_diag"] * old_c)
    c = f * old_c + (1 - f) * np.tanh(j)
    m = (sigmoid(o + v["W_O_diag"] * c) * np.tanh(c)) @ v["W_P_0"]
    close(out, np.clip(m, -0.1, 0.1))
    close(state if joined else np.concatenate(state, 1), np.concatenate([c, out], 1))


def test_phased_lstm(sess: tf.Session) -> None:
    time = np.linspace(1.0, 50.0, BATCH).astype(np.float32)[:, None]
    cell = rnn.PhasedLSTMCell(UNITS, use_peepholes=True)
    out, (c, h), v = step(sess, cell, (time, X))
    v = {k.removeprefix("phased_lstm_cell/"): x for k, x in v.items()}

    def affine(parts: list, name: str) -> np.ndarray:
        return np.concatenate(parts, 1) @ v[f"{name}/kernel"] + v[f"{name}/bias"]

    old_c, old_h = s(0), s(1)
    i, f = np.split(sigmoid(affine([X, old_h, old_c], "mask_gates")), 2, 1)
    new_c = old_c * f + i * np.tanh(affine([X, old_h], "new_input"))
    new_h = np.tanh(new_c) * sigmoid(affine([X, old_h, new_c], "output_gate"))
    cycle = np.mod(time - v["phase"], v["period"]) / v["period"]
    up = 2 * cycle / v["ratio_on"]
    k = np.where(cycle < v["ratio_on"], 2 - up, 0.001 * cycle)
    k = np.where(cycle < 0.5 * v["ratio_on"], up, k)
    np.testing.assert_allclose(c, k * new_c + (1 - k) * old_c, rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(out, k * new_h + (1 - k) * old_h, rtol=2e-3, atol=1e-4)
    close(out, h)
    sess.run(tf.global_variables_initializer())
    phase, period, ratio = sess.run(tf.global_variables()[-3:][::1])[-3:]
    names_ = names(tf.global_variables()[-3:])
    kept = dict(zip([n.rpartition("/")[2] for n in names_], (phase, period, ratio)))
    assert (kept["period"] >= 1).all() and (kept["phase"] <= kept["period"]).all()
    np.testing.assert_array_equal(kept["ratio_on"], np.full(UNITS, 0.1, np.float32))


def test_convolutional_lstm(sess: tf.Session) -> None:
    cell = rnn.ConvLSTMCell(1, [5, 2], 3, [1], skip_connection=True)
    x = values("conv", [BATCH, 5, 2])
    out, (c, h), v = step(sess, cell, x)
    kernel, bias = v["conv_lstm_cell/kernel"], v["conv_lstm_cell/biases"]
    old_c, old_h = values("s0", [BATCH, 5, 3]), values("s1", [BATCH, 5, 3])
    i, j, f, o = np.split(np.concatenate([x, old_h], -1) @ kernel[0] + bias, 4, -1)
    close(c, sigmoid(f + 1) * old_c + sigmoid(i) * np.tanh(j))
    close(out, np.concatenate([np.tanh(c) * sigmoid(o), x], -1))
    close(h, out[..., :3])
    for kind, shape in ((rnn.Conv2DLSTMCell, [4, 5, 2]), (rnn.Conv3DLSTMCell, [3, 4, 5, 2])):
        more = kind(input_shape=shape, output_channels=2, kernel_shape=[3] * (len(shape) - 1))
        given = tf.zeros([2, *shape])
        got, _ = more(given, more.zero_state(2, tf.float32))
        assert got.shape.as_list() == [2, *shape]
    with pytest.raises(ValueError, match="Invalid input_shape"):
        rnn.Conv1DLSTMCell(input_shape=[4], output_channels=2, kernel_shape=[3])


# ------------------------------------------------------------------ wrappers
def test_embeddings_and_projections(sess: tf.Session) -> None:
    inner = rnn.BasicRNNCell(UNITS)
    cell = rnn.OutputProjectionWrapper(rnn.EmbeddingWrapper(inner, 7, 5), 2)
    ids = tf.constant([3, 1])
    output, state = cell(ids, cell.zero_state(2, tf.float32))
    prefix = "output_projection_wrapper/"
    assert names(tf.global_variables()) == [
        f"{prefix}embedding_wrapper/embedding",
        f"{prefix}embedding_wrapper/basic_rnn_cell/kernel",
        f"{prefix}embedding_wrapper/basic_rnn_cell/bias", f"{prefix}kernel", f"{prefix}bias",
    ]  # fmt: skip
    sess.run(tf.global_variables_initializer())
    got, new, kept = sess.run([output, state, tf.global_variables()])
    table, w, b, p, q = kept
    assert (np.abs(table) <= 3**0.5).all()
    wanted = np.tanh(np.concatenate([table[[3, 1]], np.zeros((2, UNITS))], 1) @ w + b)
    close(new, wanted)
    close(got, wanted @ p + q)
    before = rnn.InputProjectionWrapper(rnn.GRUCell(2), 4, activation=tf.nn.relu)
    output, _ = before(tf.constant(X), before.zero_state(BATCH, tf.float32))
    assert names(tf.global_variables())[5:8] == [
        "input_projection_wrapper/kernel", "input_projection_wrapper/bias",
        "input_projection_wrapper/gru_cell/gates/kernel",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="Both embedding_classes and embedding_size must be > 0"):
        rnn.EmbeddingWrapper(inner, 0, 5)
    with pytest.raises(ValueError, match="Parameter output_size must be > 0: 0"):
        rnn.OutputProjectionWrapper(inner, 0)
    with pytest.raises(TypeError, match="is not an RNNCell"):
        rnn.InputProjectionWrapper(None, 3)


@pytest.mark.parametrize("joined", [False, True])
def test_attention_over_past_outputs(sess: tf.Session, joined: bool) -> None:
    inner = rnn.GRUCell(UNITS) if joined else rnn.LSTMCell(UNITS)
    cell = rnn.AttentionCellWrapper(inner, 2, attn_size=4, state_is_tuple=not joined)
    output, state, v = step(sess, cell)
    assert output.shape == (BATCH, 4)
    prefix = "attention_cell_wrapper/"
    assert {
        f"{prefix}{n}" for n in (
            "kernel", "bias", "attention/attn_w", "attention/attn_v", "attention/kernel",
            "attention/bias", "attn_output_projection/kernel", "attn_output_projection/bias",
        )
    } <= set(v)  # fmt: skip
    if joined:
        assert state.shape == (BATCH, UNITS + 4 + 8)
        return
    memories = values("s3", [BATCH, 8]).reshape(BATCH, 2, 4)
    query = np.concatenate(state[0], 1)
    asked = query @ v[f"{prefix}attention/kernel"] + v[f"{prefix}attention/bias"]
    features = memories @ v[f"{prefix}attention/attn_w"][0, 0]
    scores = (v[f"{prefix}attention/attn_v"] * np.tanh(features + asked[:, None])).sum(-1)
    weights = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    close(state[1], (weights[..., None] * memories).sum(1))
    close(state[2].reshape(BATCH, 2, 4)[:, 0], memories[:, 1])
    close(state[2].reshape(BATCH, 2, 4)[:, 1], output)
    with pytest.raises(ValueError, match="attn_length should be greater than zero"):
        rnn.AttentionCellWrapper(inner, 0)


def test_highways(sess: tf.Session) -> None:
    inner = rnn.BasicRNNCell(DEPTH)
    cell = rnn.HighwayWrapper(inner, couple_carry_transform_gates=False)
    with tf.variable_scope("h"):
        output, new = cell(tf.constant(X), tf.constant(s(0, DEPTH)))
    sess.run(tf.global_variables_initializer())
    assert names(tf.global_variables()) == [
        "h/basic_rnn_cell/kernel", "h/basic_rnn_cell/bias", "h/carry_w", "h/carry_b",
        "h/transform_w", "h/transform_b",
    ]  # fmt: skip
    got, inside, kept = sess.run([output, new, tf.global_variables()])
    carry, transform = (sigmoid(X @ kept[n] + kept[n + 1]) for n in (2, 4))
    close(got, X * carry + inside * transform)
    assert kept[3].tolist() == [1, 1] and kept[5].tolist() == [-1, -1]
    plain = rnn.CompiledWrapper(inner)
    assert plain.output_size == DEPTH and plain.trainable_weights == inner.trainable_weights


def test_inner_paths_lead_to_the_cells() -> None:
    assert rnn.core_rnn_cell.BasicLSTMCell is tf.nn.rnn_cell.BasicLSTMCell
    assert rnn.python.ops.core_rnn.static_rnn is tf.nn.static_rnn
    x = tf.placeholder(tf.float32, [None, 3])
    assert rnn.python.ops.core_rnn_cell._linear([x, x], 4, True).shape.as_list() == [None, 4]
    assert names(tf.global_variables()) == ["kernel", "bias"]
    with pytest.raises(ValueError, match="linear is expecting 2D arguments"):
        rnn._linear(tf.zeros([2, 2, 2]), 4, True)


def test_linear_maps_that_are_kept(sess: tf.Session) -> None:
    x = tf.constant(X)
    linear = rnn._Linear([x, x], 2, True)
    one, two = linear([x, x]), linear([2 * x, x])
    assert names(tf.global_variables()) == ["kernel", "bias"]
    sess.run(tf.global_variables_initializer())
    a, b, (w, _) = sess.run([one, two, tf.global_variables()])
    close(b - a, X @ w[:DEPTH])
    assert rnn._LayerRNNCell is rnn.LayerRNNCell


@pytest.mark.parametrize("norm", [False, True])
def test_lstm_with_normalised_gates(sess: tf.Session, norm: bool) -> None:
    cell = rnn.LayerNormLSTMCell(
        UNITS, use_peepholes=True, num_proj=2, proj_clip=0.4, layer_norm=norm
    )
    x, start = tf.constant(X), (tf.constant(s(0)), tf.constant(s(1, 2)))
    out, (new_c, _) = cell(x, start)
    cell(x, start)
    variables = tf.global_variables()
    sess.run([v.assign(values(v.name, v.shape.as_list())) for v in variables])
    out, new_c, kept = sess.run([out, new_c, variables])
    v = {n.removeprefix("layer_norm_lstm_cell/"): k for n, k in zip(names(variables), kept)}
    assert ("input/gamma" in v) == norm and "projection/kernel" in v

    def norm_of(g: np.ndarray, scope: str) -> np.ndarray:
        return normalised(g, v[f"{scope}/gamma"], v[f"{scope}/beta"]) if norm else g

    product = np.concatenate([X, s(1, 2)], 1) @ v["kernel"] + (0 if norm else v["bias"])
    parts = zip(np.split(product, 4, 1), ("input", "transform", "forget", "output"))
    i, j, f, o = (norm_of(g, scope) for g, scope in parts)
    c = sigmoid(f + 1 + v["w_f_diag"] * s(0)) * s(0)
    c = norm_of(c + sigmoid(i + v["w_i_diag"] * s(0)) * np.tanh(j), "state")
    m = (sigmoid(o + v["w_o_diag"] * c) * np.tanh(c)) @ v["projection/kernel"]
    np.testing.assert_allclose(new_c, c, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(out, np.clip(m, -0.4, 0.4), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", [False, True])
def test_gru_with_normalised_gates(sess: tf.Session, norm: bool) -> None:
    out, _, v = step(sess, rnn.LayerNormBasicGRUCell(UNITS, layer_norm=norm))
    v = {k.removeprefix("layer_norm_basic_gru_cell/"): x for k, x in v.items()}
    assert len(v) == (12 if norm else 8)

    def part(x: np.ndarray, scope: str) -> np.ndarray:
        product = x @ v[f"{scope}/kernel"]
        if norm:
            return normalised(product, v[f"{scope}/gamma"], v[f"{scope}/beta"])
        return product + v[f"{scope}/bias"]

    both = np.concatenate([X, s(0)], 1)
    z, r = sigmoid(part(both, "update_gate")), sigmoid(part(both, "reset_gate"))
    new = np.tanh(part(X, "candidate_linear_x") + r * part(s(0), "candidate_linear_h"))
    np.testing.assert_allclose(out, (1 - z) * s(0) + z * new, rtol=1e-4, atol=1e-5)
