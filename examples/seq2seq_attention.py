"""A sequence model with attention learns to turn sequences round.

An encoder reads digits, a decoder with Bahdanau's attention writes them from the last to the
first: taught by tf.contrib.seq2seq's TrainingHelper, then run by itself, greedily and by beam
search.

    python examples/seq2seq_attention.py
"""

from __future__ import annotations

import numpy as np

import graphc as tf

seq2seq, rnn = tf.contrib.seq2seq, tf.contrib.rnn
PAD, GO, END, FIRST = 0, 1, 2, 3
SYMBOLS = FIRST + 10
LONGEST = 7
EMBEDDING, UNITS = 24, 48
BATCH, STEPS = 64, 400
BEAMS = 4


def batch(rng, size=BATCH):
    """Sequences of digits, and the same turned round, as feeds by name."""
    lengths = rng.integers(3, LONGEST + 1, size)
    source = np.full((size, LONGEST), PAD, np.int32)
    decoder_in = np.full((size, LONGEST + 1), END, np.int32)
    target = np.full((size, LONGEST + 1), PAD, np.int32)
    for row, length in enumerate(lengths):
        digits = rng.integers(FIRST, SYMBOLS, length)
        source[row, :length] = digits
        decoder_in[row, : length + 1] = [GO, *digits[::-1]]
        target[row, : length + 1] = [*digits[::-1], END]
    width = lengths.max()
    return {
        "source": source[:, :width], "source_length": lengths,
        "decoder_in": decoder_in[:, : width + 1], "target": target[:, : width + 1],
        "target_length": lengths + 1,
    }  # fmt: skip


def model():
    """Placeholders by name, loss, training op, and what the decoders write."""
    feeds = {
        name: tf.placeholder(tf.int32, [None] if name.endswith("length") else [None, None], name)
        for name in ("source", "source_length", "decoder_in", "target", "target_length")
    }
    rows = tf.shape(feeds["source"])[0]
    table = tf.get_variable("embedding", [SYMBOLS, EMBEDDING])
    memory, state = tf.nn.dynamic_rnn(
        rnn.GRUCell(UNITS), tf.nn.embedding_lookup(table, feeds["source"]),
        sequence_length=feeds["source_length"], dtype=tf.float32, scope="encoder",
    )  # fmt: skip
    logits_layer = tf.layers.Dense(SYMBOLS, use_bias=False, name="logits")

    def decode(decoder_of, memory, lengths, state, count, reuse, **options):
        with tf.variable_scope("writer", reuse=reuse):
            attention = seq2seq.BahdanauAttention(UNITS, memory, memory_sequence_length=lengths)
            cell = seq2seq.AttentionWrapper(
                rnn.GRUCell(UNITS), attention, attention_layer_size=UNITS
            )
            start = cell.zero_state(count, tf.float32).clone(cell_state=state)
            return seq2seq.dynamic_decode(decoder_of(cell, start), **options)

    start_tokens = tf.fill([rows], GO)
    lengths = feeds["source_length"]
    taught, _, _ = decode(
        lambda cell, start: seq2seq.BasicDecoder(
            cell,
            seq2seq.TrainingHelper(
                tf.nn.embedding_lookup(table, feeds["decoder_in"]), feeds["target_length"]
            ),
            start,
            logits_layer,
        ),
        memory, lengths, state, rows, None, impute_finished=True,
    )  # fmt: skip
    weights = tf.sequence_mask(
        feeds["target_length"], tf.shape(feeds["target"])[1], dtype=tf.float32
    )
    loss = seq2seq.sequence_loss(taught.rnn_output, feeds["target"], weights)
    optimizer = tf.train.AdamOptimizer(5e-3)
    gradients, variables = zip(*optimizer.compute_gradients(loss), strict=True)
    clipped, _ = tf.clip_by_global_norm(gradients, 5.0)
    train = optimizer.apply_gradients(zip(clipped, variables, strict=True))

    most = 2 * LONGEST
    greedy, _, _ = decode(
        lambda cell, start: seq2seq.BasicDecoder(
            cell, seq2seq.GreedyEmbeddingHelper(table, start_tokens, END), start, logits_layer
        ),
        memory, lengths, state, rows, True, maximum_iterations=most,
    )  # fmt: skip
    beams, _, _ = decode(
        lambda cell, start: seq2seq.BeamSearchDecoder(
            cell, table, start_tokens, END, start, BEAMS, logits_layer
        ),
        *(seq2seq.tile_batch(t, BEAMS) for t in (memory, lengths, state)),
        rows * BEAMS, True, maximum_iterations=most,
    )  # fmt: skip
    return feeds, loss, train, greedy.sample_id, beams.predicted_ids


def build():
    """Fetches and feeds of one training step, for the tools."""
    feeds, loss, train, _, _ = model()
    values = batch(np.random.default_rng(0), 16)
    return [loss, train], {feeds[name]: value for name, value in values.items()}


def written(ids):
    """The digits before the end, as text."""
    kept = []
    for number in ids:
        if number < FIRST:
            break
        kept.append(str(number - FIRST))
    return "".join(kept)


def main(steps=STEPS):
    """Trains and decodes; the shares of sequences that are right, greedily and by beams."""
    tf.set_random_seed(3)
    feeds, loss, train, greedy, beams = model()
    rng = np.random.default_rng(0)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for step in range(1, steps + 1):
            values = batch(rng)
            cost, _ = sess.run([loss, train], {feeds[n]: v for n, v in values.items()})
            if step % 100 == 0 or step == 1:
                print(f"step {step:4d}  loss {cost:.4f}")
        values = batch(rng, 200)
        given = {feeds[n]: v for n, v in values.items()}
        by_hand, by_beams = sess.run([greedy, beams], given)
    wanted = [written(row) for row in values["target"]]
    shares = []
    for name, rows in (("greedy", by_hand), ("beam search", by_beams[:, :, 0])):
        texts = [written(row) for row in rows]
        shares.append(float(np.mean([a == b for a, b in zip(texts, wanted, strict=True)])))
        print(f"{name}: {shares[-1]:.3f} of {len(wanted)} sequences right")
    print(f"{written(values['source'][0])} -> {written(by_hand[0])}")
    return shares


if __name__ == "__main__":
    main()
