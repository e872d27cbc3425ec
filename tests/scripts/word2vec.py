"""Skip-gram with negatives fed by hand: embedding_lookup, sparse updates, nearest words."""

from __future__ import annotations

import numpy as np

VOCABULARY, SIZE, BATCH, NEGATIVES = 50, 16, 12, 5


def main(tf):
    rng = np.random.RandomState(41)
    graph = tf.Graph()
    out = {}
    with graph.as_default():
        with tf.name_scope("inputs"):
            centers = tf.placeholder(tf.int32, shape=[BATCH])
            contexts = tf.placeholder(tf.int32, shape=[BATCH, 1])
            negatives = tf.placeholder(tf.int32, shape=[NEGATIVES])
            valid = tf.constant([3, 7, 11], dtype=tf.int32)
        with tf.device("/cpu:0"):
            with tf.name_scope("embeddings"):
                embeddings = tf.Variable(rng.uniform(-1, 1, [VOCABULARY, SIZE]).astype("float32"))
                embed = tf.nn.embedding_lookup(embeddings, centers)
            with tf.name_scope("nce"):
                weights = tf.Variable((rng.randn(VOCABULARY, SIZE) / 4).astype("float32"))
                biases = tf.Variable(tf.zeros([VOCABULARY]))
        labels = tf.reshape(contexts, [-1])
        true_logits = tf.reduce_sum(embed * tf.nn.embedding_lookup(weights, labels), 1)
        true_logits += tf.gather(biases, labels)
        sampled_logits = tf.matmul(embed, tf.gather(weights, negatives), transpose_b=True)
        sampled_logits = sampled_logits + tf.nn.embedding_lookup(biases, negatives)
        true_xent = tf.nn.sigmoid_cross_entropy_with_logits(
            labels=tf.ones_like(true_logits), logits=true_logits)
        sampled_xent = tf.nn.sigmoid_cross_entropy_with_logits(
            labels=tf.zeros_like(sampled_logits), logits=sampled_logits)  # fmt: skip
        loss = (tf.reduce_sum(true_xent) + tf.reduce_sum(sampled_xent)) / BATCH
        grads = tf.gradients(loss, [embeddings, weights, biases])
        out["kinds"] = [type(g).__name__ for g in grads]
        sgd = tf.train.GradientDescentOptimizer(1.0).minimize(loss)
        ada = tf.train.AdagradOptimizer(0.1).minimize(loss)
        adam = tf.train.AdamOptimizer(0.01).minimize(loss)
        momentum = tf.train.MomentumOptimizer(0.01, 0.9).minimize(loss)
        norm = tf.sqrt(tf.reduce_sum(tf.square(embeddings), 1, keep_dims=True))
        normalized = embeddings / norm
        similarity = tf.matmul(
            tf.nn.embedding_lookup(normalized, valid), normalized, transpose_b=True
        )
        init = tf.global_variables_initializer()

    with tf.Session(graph=graph) as session:
        init.run()
        average = 0.0
        for step in range(40):
            feed = {
                centers: rng.randint(8, size=BATCH),
                contexts: rng.randint(VOCABULARY, size=(BATCH, 1)).astype(np.int32),
                negatives: rng.randint(VOCABULARY, size=NEGATIVES),
            }
            _, value = session.run([(sgd, ada, adam, momentum)[step % 4], loss], feed_dict=feed)
            average += value / 40
        sim = similarity.eval()
        nearest = (-sim).argsort(axis=1)[:, 1:4]
        slices = session.run(grads[0], feed)
        final = normalized.eval()
    out.update(
        average=average, sim=sim[:, :6], nearest=nearest, final=final[::7, :4],
        slices=[type(slices).__name__, slices.indices, slices.values[:2], slices.dense_shape],
        names=[embed.name, embeddings.name, loss.name, similarity.name, normalized.name],
        static=str(embed.get_shape()),
    )  # fmt: skip
    return out
