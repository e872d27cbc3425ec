"""A character model over a window: one-hot and embedding inputs, perplexity, sampling."""

from __future__ import annotations

import numpy as np

TEXT = "the quick brown fox jumps over the lazy dog and the slow green turtle walks home. " * 6


def main(tf):
    rng = np.random.RandomState(161)
    chars = sorted(set(TEXT))
    vocab_size = len(chars)
    char_to_ix = {ch: i for i, ch in enumerate(chars)}
    data = np.array([char_to_ix[c] for c in TEXT], dtype=np.int32)
    seq_length, embedding, hidden = 10, 8, 16

    with tf.name_scope("input"):
        inputs = tf.placeholder(tf.int32, [None, seq_length], name="inputs")
        targets = tf.placeholder(tf.int32, [None, seq_length], name="targets")
        lr = tf.Variable(0.0, trainable=False, name="lr")
        new_lr = tf.placeholder(tf.float32, shape=[], name="new_learning_rate")
        lr_update = tf.assign(lr, new_lr)
    with tf.variable_scope("lm", initializer=tf.constant_initializer(0.0)):
        table = tf.get_variable("embedding", initializer=tf.constant(
            rng.uniform(-0.1, 0.1, (vocab_size, embedding)), dtype=tf.float32))  # fmt: skip
        w = tf.get_variable("w", initializer=rng.randn(embedding, hidden).astype("f4") * 0.3)
        softmax_w = tf.get_variable("softmax_w", [hidden, vocab_size])
        softmax_b = tf.get_variable("softmax_b", [vocab_size])
        bigram = tf.get_variable("bigram", [vocab_size, vocab_size])
    embedded = tf.nn.embedding_lookup(table, inputs)
    h = tf.tanh(tf.tensordot(embedded, w, axes=[[2], [0]]))
    flat = tf.reshape(h, [-1, hidden])
    logits = tf.nn.xw_plus_b(flat, softmax_w, softmax_b)
    logits = logits + tf.matmul(tf.one_hot(tf.reshape(inputs, [-1]), vocab_size), bigram)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.reshape(targets, [-1]), logits=logits
    )
    by_step = tf.reduce_mean(tf.reshape(losses, [-1, seq_length]), 0)
    cost = tf.reduce_sum(losses) / tf.cast(tf.size(targets), tf.float32)
    perplexity = tf.exp(cost)
    tvars = tf.trainable_variables()
    grads, norm = tf.clip_by_global_norm(tf.gradients(cost, tvars), 1.0)
    train_op = tf.train.GradientDescentOptimizer(lr).apply_gradients(
        zip(grads, tvars), global_step=tf.train.get_or_create_global_step()
    )
    probs = tf.reshape(tf.nn.softmax(logits), [-1, seq_length, vocab_size])
    best_p, best = tf.nn.top_k(probs[:, -1, :], k=3)
    in_top = tf.nn.in_top_k(logits, tf.reshape(targets, [-1]), 3)
    hits = tf.reduce_mean(tf.cast(in_top, tf.float32))

    log = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        p = 0
        for step in range(40):
            sess.run(lr_update, feed_dict={new_lr: 2.0 * 0.97 ** max(step - 10, 0)})
            if p + 4 * seq_length + 1 >= len(data):
                p = 0
            window = data[p : p + 4 * seq_length + 1]
            feed = {inputs: window[:-1].reshape(4, -1), targets: window[1:].reshape(4, -1)}
            fetches = {"cost": cost, "ppl": perplexity, "norm": norm, "train": train_op}
            vals = sess.run(fetches, feed)
            log.append([vals["cost"], vals["ppl"], vals["norm"]])
            p += 4 * seq_length
        steps, top, ids, rate = sess.run([by_step, best_p, best, hits], feed)
        seed = np.array([data[:seq_length]])
        text = ""
        for _ in range(12):
            dist = sess.run(probs, {inputs: seed})[0, -1]
            ix = int(np.argmax(dist))
            text += chars[ix]
            seed = np.append(seed[:, 1:], [[ix]], axis=1)
        out_lr = lr.eval()
    return {
        "log": log, "steps": steps, "top": top, "ids": ids, "hits": rate, "text": text,
        "lr": out_lr, "none": vals["train"] is None,
        "variables": [v.name for v in tf.global_variables()],
        "names": [embedded.name, h.name, logits.name, cost.name, perplexity.name, best.name],
        "shapes": [str(t.shape) for t in (embedded, h, logits, losses, probs, best, by_step)],
    }  # fmt: skip
