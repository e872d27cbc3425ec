"""Recurrences as both TensorFlow and graphc build them, with inputs and weights made of names.

A case is a function of (tf, cells) that gives the tensors to compare. tests/fixtures/make_rnn.py
runs them under TensorFlow and keeps values, gradients and the variables' names.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

BATCH, TIME, DEPTH, UNITS = 3, 4, 2, 3
LENGTHS = [2, 4, 0]


def values(name: str, shape: Any, scale: float = 0.5) -> np.ndarray:
    """Numbers that depend on a name only."""
    rng = np.random.RandomState(zlib.crc32(name.encode()) % 2**31)
    return np.asarray(rng.randn(*shape) * scale, np.float32)


def _inputs(tf: Any, static: bool = True, name: str = "x") -> Any:
    rows = BATCH if static else None
    return tf.placeholder(tf.float32, [rows, TIME, DEPTH], name=name)


def _cells(cells: Any) -> dict[str, Callable[[], Any]]:
    return {
        "basic_rnn": lambda: cells.BasicRNNCell(UNITS),
        "gru": lambda: cells.GRUCell(UNITS),
        "basic_lstm": lambda: cells.BasicLSTMCell(UNITS, forget_bias=0.5),
        "basic_lstm_joined": lambda: cells.BasicLSTMCell(UNITS, state_is_tuple=False),
        "lstm": lambda: cells.LSTMCell(UNITS),
        "lstm_full": lambda: cells.LSTMCell(
            UNITS, use_peepholes=True, cell_clip=0.3, num_proj=2, proj_clip=0.15, forget_bias=0.7
        ),
        "lstm_joined": lambda: cells.LSTMCell(
            UNITS, use_peepholes=True, num_proj=2, state_is_tuple=False
        ),
        "multi": lambda: cells.MultiRNNCell([cells.GRUCell(2), cells.LSTMCell(UNITS)]),
        "multi_joined": lambda: cells.MultiRNNCell(
            [cells.GRUCell(2), cells.BasicRNNCell(UNITS)], state_is_tuple=False
        ),
        "residual": lambda: cells.ResidualWrapper(cells.GRUCell(DEPTH)),
    }


def _step(tf: Any, make: Callable[[], Any]) -> dict[str, Any]:
    x = _inputs(tf)[:, 0]
    cell = make()
    start = cell.zero_state(BATCH, tf.float32)
    with tf.variable_scope("once"):
        output, state = cell(x, start)
        again, state = cell(x, state)
    return {"output": output, "again": again, "state": state}


def _static(tf: Any, make: Callable[[], Any], lengths: Any) -> dict[str, Any]:
    steps = tf.unstack(_inputs(tf), axis=1)
    outputs, state = tf.nn.static_rnn(make(), steps, dtype=tf.float32, sequence_length=lengths)
    return {"output": tf.stack(outputs), "state": state}


def _dynamic(tf: Any, make: Callable[[], Any], lengths: Any, **options: Any) -> dict[str, Any]:
    x = _inputs(tf, static=False)
    if options.get("time_major"):
        x = tf.transpose(x, [1, 0, 2])
    output, state = tf.nn.dynamic_rnn(
        make(), x, dtype=tf.float32, sequence_length=lengths, **options
    )
    return {"output": output, "state": state}


def static_cases(tf: Any, cells: Any) -> dict[str, Callable[[], dict[str, Any]]]:
    out = {}
    for name, make in _cells(cells).items():
        out[f"step_{name}"] = lambda make=make: _step(tf, make)
        out[f"static_{name}"] = lambda make=make: _static(tf, make, None)
        out[f"static_{name}_lengths"] = lambda make=make: _static(tf, make, LENGTHS)
    out["static_bidirectional"] = lambda: _static_bidirectional(tf, cells, LENGTHS)
    return out


def dynamic_cases(tf: Any, cells: Any) -> dict[str, Callable[[], dict[str, Any]]]:
    out = {}
    for name, make in _cells(cells).items():
        out[f"dynamic_{name}"] = lambda make=make: _dynamic(tf, make, None)
        out[f"dynamic_{name}_lengths"] = lambda make=make: _dynamic(tf, make, LENGTHS)
    make = _cells(cells)["basic_lstm"]
    out["dynamic_time_major"] = lambda: _dynamic(tf, make, LENGTHS, time_major=True)
    out["dynamic_short"] = lambda: _dynamic(tf, make, [1, 3, 2])
    out["dynamic_zero"] = lambda: _dynamic(tf, make, [0, 0, 0])
    out["dynamic_bidirectional"] = lambda: _bidirectional(tf, cells, None)
    out["dynamic_bidirectional_lengths"] = lambda: _bidirectional(tf, cells, LENGTHS)
    out["raw"] = lambda: _raw(tf, cells)
    return out


def _static_bidirectional(tf: Any, cells: Any, lengths: Any) -> dict[str, Any]:
    steps = tf.unstack(_inputs(tf), axis=1)
    outputs, fw, bw = tf.nn.static_bidirectional_rnn(
        cells.GRUCell(2), cells.LSTMCell(UNITS), steps, dtype=tf.float32, sequence_length=lengths
    )
    return {"output": tf.stack(outputs), "fw": fw, "bw": bw}


def _bidirectional(tf: Any, cells: Any, lengths: Any) -> dict[str, Any]:
    outputs, states = tf.nn.bidirectional_dynamic_rnn(
        cells.GRUCell(2), cells.LSTMCell(UNITS), _inputs(tf, static=False), dtype=tf.float32,
        sequence_length=lengths,
    )  # fmt: skip
    return {"output": outputs, "state": states}


def _raw(tf: Any, cells: Any) -> dict[str, Any]:
    """raw_rnn of its documentation, with a loop state that counts."""
    cell = cells.LSTMCell(UNITS)
    steps = tf.TensorArray(tf.float32, size=TIME).unstack(tf.transpose(_inputs(tf), [1, 0, 2]))
    lengths = tf.constant([2, 4, 1])

    def loop(time: Any, output: Any, state: Any, count: Any) -> Any:
        if output is None:
            state, count = cell.zero_state(BATCH, tf.float32), tf.constant(0)
        else:
            count = count + 1
        over = time >= lengths
        end = tf.reduce_all(over)
        following = tf.cond(
            end, lambda: tf.zeros([BATCH, DEPTH], tf.float32), lambda: steps.read(time)
        )
        following.set_shape([BATCH, DEPTH])
        return over, following, state, output, count

    outputs, state, count = tf.nn.raw_rnn(cell, loop)
    return {"output": outputs.stack(), "state": state, "count": count}


def leaves(found: Any) -> list[Any]:
    if isinstance(found, list | tuple):
        return [leaf for part in found for leaf in leaves(part)]
    return [found]


def run(tf: Any, build: Callable[[], dict[str, Any]]) -> dict[str, np.ndarray]:
    """What a case gives: the named values, and gradients by variable."""
    with tf.Graph().as_default() as graph:
        fetches = {f"{key}_{n}": t for key, v in build().items() for n, t in enumerate(leaves(v))}
        floats = [t for t in fetches.values() if t.dtype.base_dtype == tf.float32]
        loss = tf.add_n([tf.reduce_sum(t * tf.cos(t + i)) for i, t in enumerate(floats)])
        x = graph.get_tensor_by_name("x:0")
        variables = tf.global_variables()
        grads = tf.gradients(loss, [x, *variables])
        for variable, grad in zip(["x", *variables], grads, strict=True):
            name = "x" if variable == "x" else variable.name.split(":")[0]
            fetches[f"grad:{name}"] = grad
        assigns = [v.assign(values(v.name, v.shape.as_list())) for v in variables]
        with tf.Session(graph=graph) as sess:
            sess.run(assigns)
            return sess.run(fetches, {x: values("x", [BATCH, TIME, DEPTH], 1.0)})
