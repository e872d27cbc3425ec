"""Beam search: against a search written in Python, and against all sequences there are."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests.rnn.cases import values

seq2seq, rnn = tf.contrib.seq2seq, tf.contrib.rnn
BATCH, SYMBOLS, END, START = 2, 5, 0, 1
# the scores of what follows a class, one table a row of the batch
TABLE = values("following", [BATCH, SYMBOLS, SYMBOLS], 2.0)


def log_softmax(x: np.ndarray) -> np.ndarray:
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


class Follows(rnn.RNNCell):
    """Logits by the class that is read and the number of the row, which is the state."""

    state_size = SYMBOLS * SYMBOLS
    output_size = SYMBOLS

    def call(self, inputs: Any, state: Any) -> Any:
        table = tf.reshape(state, [-1, SYMBOLS, SYMBOLS])
        return tf.reduce_sum(table * inputs[:, :, None], 1), state


def search(width: int, steps: int, **options: Any) -> Any:
    state = seq2seq.tile_batch(tf.constant(TABLE.reshape(BATCH, -1)), width)
    decoder = seq2seq.BeamSearchDecoder(
        Follows(), tf.eye(SYMBOLS), tf.fill([BATCH], START), END, state, width, **options
    )
    return seq2seq.dynamic_decode(decoder, maximum_iterations=steps)


def by_hand(width: int, steps: int, weight: float = 0.0) -> tuple[list[Any], list[Any]]:
    """(beams, scores) of each row: the best first."""
    beams_of, scores_of = [], []
    for row in range(BATCH):
        logs = log_softmax(TABLE[row])
        beams: list[tuple[float, float, list[int]]] = [(0.0, 0.0, [])]
        for _ in range(steps):
            if all(END in ids for _, _, ids in beams):
                break
            following = []
            for _, total, ids in beams:
                if END in ids:
                    following.append((total, ids, len(ids[: ids.index(END)]) + 1, END))
                    continue
                for symbol in range(SYMBOLS):
                    last = ids[-1] if ids else START
                    length = len(ids) + (symbol != END)
                    following.append((total + logs[last, symbol], ids, length, symbol))
            made = [
                (total / ((5.0 + length) / 6.0) ** weight, total, [*ids, symbol])
                for total, ids, length, symbol in following
            ]
            beams = sorted(made, key=lambda b: -b[0])[:width]
        beams_of.append([ids for _, _, ids in beams])
        scores_of.append([score for score, _, _ in beams])
    return beams_of, scores_of


def test_gather_tree(sess: tf.Session) -> None:
    steps = np.array([[[1, 2, 3]], [[4, 5, 6]], [[7, 8, 9]], [[-1, -1, -1]]], np.int32)
    parents = np.array([[[0, 0, 0]], [[0, 1, 1]], [[2, 1, 2]], [[-1, -1, -1]]], np.int32)
    got = sess.run(seq2seq.gather_tree(steps, parents, [3], 10))
    assert got[:, 0].tolist() == [[2, 2, 2], [6, 5, 6], [7, 8, 9], [10, 10, 10]]
    ended = sess.run(seq2seq.gather_tree(steps, parents, [3], 6))
    # nothing comes behind an end
    assert ended[:, 0].tolist() == [[2, 2, 2], [6, 5, 6], [6, 8, 6], [6, 6, 6]]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Saw invalid parent id -1 at"):
        sess.run(seq2seq.gather_tree(steps, parents, [4], 10))


def test_gather_tree_from_array(sess: tf.Session) -> None:
    parents = np.array([[[0, 0, 0]], [[0, 1, 1]], [[2, 1, 2]]], np.int32)
    kept = np.arange(9, dtype=np.float32).reshape(3, 1, 3)
    merged = np.arange(18, dtype=np.float32).reshape(3, 3, 2)
    lengths = np.array([[3, 3, 2]])
    flat = sess.run(seq2seq.gather_tree_from_array(kept, parents, lengths))
    assert flat[:, 0].tolist() == [[1, 1, 1], [5, 4, 5], [6, 7, 8]]
    wide = sess.run(seq2seq.gather_tree_from_array(merged, parents, lengths))
    np.testing.assert_array_equal(wide[0], [[2, 3], [2, 3], [2, 3]])


def test_tile_batch(sess: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None, 2])
    state = rnn.LSTMStateTuple(x, 2 * x)
    got = sess.run(seq2seq.tile_batch(state, 3), {x: [[1, 2], [3, 4]]})
    assert got.c.tolist() == [[1, 2]] * 3 + [[3, 4]] * 3 and got.h[5].tolist() == [6, 8]
    assert seq2seq.tile_batch(tf.zeros([2, 3, 4]), 5).shape.as_list() == [10, 3, 4]
    with pytest.raises(ValueError, match=r"t must have statically known rank"):
        seq2seq.tile_batch(tf.constant(1), 2)


@pytest.mark.parametrize(("width", "steps", "weight"), [(1, 5, 0), (3, 5, 0), (4, 6, 0.8)])
def test_beams_are_those_of_a_search_by_hand(
    sess: tf.Session, width: int, steps: int, weight: float
) -> None:
    outputs, state, lengths = search(width, steps, length_penalty_weight=weight)
    wanted, scores = by_hand(width, steps, weight)
    got, ends, done = sess.run([outputs, state, lengths])
    count = got.predicted_ids.shape[1]
    for row in range(BATCH):
        for beam in range(width):
            ids = wanted[row][beam]
            ids = ids[: ids.index(END) + 1] if END in ids else ids
            padded = ids + [END] * (count - len(ids))
            assert got.predicted_ids[row, :, beam].tolist() == padded
            assert ends.lengths[row, beam] == len(ids)
            assert ends.finished[row, beam] == (END in ids)
        last = got.beam_search_decoder_output.scores[row, -1]
        np.testing.assert_allclose(last, scores[row], rtol=1e-4)
    assert done.shape == (BATCH, width)


def test_a_wide_beam_finds_the_best_sequence(sess: tf.Session) -> None:
    steps = 3
    outputs, state, _ = search(SYMBOLS**2, steps)
    ids, probs = sess.run([outputs.predicted_ids[:, :, 0], state.log_probs[:, 0]])
    for row in range(BATCH):
        logs, best = log_softmax(TABLE[row]), (-np.inf, ())
        for sequence in itertools.product(range(SYMBOLS), repeat=steps):
            kept = sequence[: sequence.index(END) + 1] if END in sequence else sequence
            total = sum(logs[a, b] for a, b in zip((START, *kept), kept))
            best = max(best, (total, kept))
        np.testing.assert_allclose(probs[row], best[0], rtol=1e-5)
        assert tuple(ids[row][: len(best[1])]) == best[1]


def test_beams_with_attention_and_its_history(sess: tf.Session) -> None:
    width, units = 3, 4
    memory = tf.placeholder(tf.float32, [None, None, 2])
    lengths = tf.placeholder(tf.int32, [None])
    rows = tf.shape(memory)[0]
    mechanism = seq2seq.LuongAttention(
        units, seq2seq.tile_batch(memory, width), seq2seq.tile_batch(lengths, width)
    )
    cell = seq2seq.AttentionWrapper(
        rnn.LSTMCell(units), mechanism, attention_layer_size=3, alignment_history=True
    )
    decoder = seq2seq.BeamSearchDecoder(
        cell, tf.eye(SYMBOLS), tf.fill([rows], START), END,
        cell.zero_state(rows * width, tf.float32), width,
        tf.layers.Dense(SYMBOLS, use_bias=False), coverage_penalty_weight=0.2,
    )  # fmt: skip
    outputs, state, _ = seq2seq.dynamic_decode(decoder, maximum_iterations=6)
    sess.run(tf.global_variables_initializer())
    feeds = {memory: values("memory", [BATCH, 5, 2]), lengths: [5, 3]}
    ids, history, attended = sess.run(
        [outputs.predicted_ids, state.cell_state.alignment_history,
         state.accumulated_attention_probs], feeds,
    )  # fmt: skip
    assert ids.shape == (BATCH, history.shape[0], width)
    assert history.shape[1:] == (BATCH * width, 5)
    np.testing.assert_allclose(history.sum(-1), np.ones(history.shape[:2]), rtol=1e-5)
    assert not history[:, width:, 3:].any() and attended.shape == (BATCH, width, 5)


def test_what_beam_search_checks() -> None:
    state = tf.zeros([BATCH * 2, SYMBOLS**2])

    def make(cell: Any = None, start: Any = (1, 1), end: Any = 0, state: Any = state, **kw: Any):
        return seq2seq.BeamSearchDecoder(
            cell or Follows(), tf.eye(SYMBOLS), start, end, state, 2, **kw
        )

    with pytest.raises(ValueError, match=r"start_tokens must be a vector"):
        make(start=1)
    with pytest.raises(ValueError, match=r"end_token must be a scalar"):
        make(end=[0])
    with pytest.raises(ValueError, match=r"Perhaps you forgot to create a zero_state with"):
        make(state=tf.zeros([BATCH, SYMBOLS**2]))
    with pytest.raises(TypeError, match=r"output_layer must be a Layer"):
        make(output_layer=tf.nn.relu)
    with pytest.raises(TypeError, match=r"is not an RNNCell"):
        make(cell=tf.nn.relu)
    with pytest.raises(ValueError, match=r"coverage_penalty_weight must be 0.0 if no cell"):
        make(coverage_penalty_weight=0.5).initialize()
