"""A character model: an LSTM reads Python's own documentation and writes more of it.

The text is what `help("...")` prints, from the standard library. Sequences follow one another in
each row of the batch: the last state of a step is the first of the next one.

    python examples/char_rnn.py
"""

from __future__ import annotations

import numpy as np
from datasets import documentation

import graphc as tf

ROWS, TIME = 48, 40
EMBEDDING, UNITS = 32, 128
EPOCHS = 14


def batches(codes):
    """(inputs, targets), each (ROWS, TIME): the rows go on from batch to batch."""
    length = (len(codes) - 1) // ROWS
    x = codes[: ROWS * length].reshape(ROWS, length)
    y = codes[1 : ROWS * length + 1].reshape(ROWS, length)
    for start in range(0, length - TIME + 1, TIME):
        yield x[:, start : start + TIME], y[:, start : start + TIME]


def model(symbols):
    """Placeholders, first and last state, loss, training op and the next character."""
    x = tf.placeholder(tf.int32, [None, None], name="characters")
    y = tf.placeholder(tf.int32, [None, None], name="following")
    temperature = tf.placeholder_with_default(1.0, [], name="temperature")
    cell = tf.nn.rnn_cell.BasicLSTMCell(UNITS)
    first = cell.zero_state(tf.shape(x)[0], tf.float32)
    table = tf.get_variable("embedding", [symbols, EMBEDDING])
    outputs, last = tf.nn.dynamic_rnn(cell, tf.nn.embedding_lookup(table, x), initial_state=first)
    logits = tf.layers.dense(outputs, symbols, name="logits")
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    optimizer = tf.train.AdamOptimizer(4e-3)
    gradients, variables = zip(*optimizer.compute_gradients(loss), strict=True)
    clipped, _ = tf.clip_by_global_norm(gradients, 5.0)
    train = optimizer.apply_gradients(zip(clipped, variables, strict=True))
    drawn = tf.multinomial(logits[:, -1] / temperature, 1, seed=5)[:, 0]
    return x, y, first, last, loss, train, drawn, temperature


def build():
    """Fetches and feeds of one training step, for the tools."""
    codes, alphabet = documentation()
    x, y, _, last, loss, train, _, _ = model(len(alphabet))
    inputs, targets = next(batches(codes))
    return [loss, last, train], {x: inputs, y: targets}


def sample(sess, parts, alphabet, start="The ", count=200):
    """Text that the model writes, character by character."""
    x, _, first, last, _, _, drawn, temperature = parts
    given = np.array([[alphabet.index(c) for c in start]], np.int32)
    feeds = {x: given, temperature: 0.6}
    text = start
    for _ in range(count):
        number, state = sess.run([drawn, last], feeds)
        text += alphabet[number[0]]
        feeds = {x: number[None].astype(np.int32), first: state, temperature: 0.6}
    return text


def main(epochs=EPOCHS):
    """Trains and writes; bits per character after each epoch."""
    tf.set_random_seed(2)
    codes, alphabet = documentation()
    parts = model(len(alphabet))
    x, y, first, last, loss, train, _, _ = parts
    print(f"{len(codes)} characters, an alphabet of {len(alphabet)}")
    bits = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for epoch in range(1, epochs + 1):
            state, costs = None, []
            for inputs, targets in batches(codes):
                feeds = {x: inputs, y: targets}
                if state is not None:
                    feeds[first] = state
                cost, state, _ = sess.run([loss, last, train], feeds)
                costs.append(cost)
            bits.append(float(np.mean(costs) / np.log(2)))
            if epoch % 2 == 0 or epoch == 1:
                print(f"epoch {epoch:2d}/{epochs}  {bits[-1]:.3f} bits per character")
        print("-" * 72)
        print(sample(sess, parts, alphabet))
    return bits


if __name__ == "__main__":
    main()
