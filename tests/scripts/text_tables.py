"""Sentences of a CSV file: split, numbered by a vocabulary with buckets, averaged, classified."""

from __future__ import annotations

import os
import tempfile

import numpy as np

GOOD = ["good", "great", "fine", "lovely"]
BAD = ["bad", "awful", "poor", "sad"]
OTHER = ["the", "film", "was", "plot", "acting", "and"]


def sentences(rng, count):
    rows = []
    for k in range(count):
        words = list(rng.choice(GOOD if k % 2 else BAD, 2)) + list(rng.choice(OTHER, 3))
        rng.shuffle(words)
        rows.append((" ".join(words).title(), k % 2, round(float(rng.rand()), 3)))
    return rows


def main(tf):
    rng = np.random.RandomState(9)
    holder = tempfile.TemporaryDirectory()  # goes with the last use of it
    folder = holder.name
    table_path = os.path.join(folder, "words.txt")
    with open(table_path, "w") as file:
        file.write("\n".join([*GOOD[:3], *BAD[:3], *OTHER]) + "\n")
    path = os.path.join(folder, "reviews.csv")
    with open(path, "w") as file:
        for text, label, score in sentences(rng, 40):
            file.write(f'"{text}, ""ok""",{label},{score}\n')

    whole, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    table = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(table_path, tf.string, whole, tf.int64, number), 4
    )
    names = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(table_path, tf.int64, number, tf.string, whole), "?"
    )

    def parse(line):
        text, label, score = tf.decode_csv(line, record_defaults=[[""], [0], [0.0]])
        clean = tf.regex_replace(tf.strings.lower(text), r'[,"]', "")
        words = tf.string_split([clean], delimiter=" ").values
        return table.lookup(words), tf.size(words), label, score

    dataset = tf.data.TextLineDataset(path).map(parse).repeat(20)
    dataset = dataset.padded_batch(8, ([None], [], [], []), (np.int64(0), 0, 0, 0.0))
    iterator = tf.data.make_initializable_iterator(dataset)
    ids, sizes, labels, scores = iterator.get_next()
    vectors = tf.get_variable("vectors", initializer=(rng.randn(16, 6) / 3).astype("float32"))
    mask = tf.sequence_mask(sizes, tf.shape(ids)[1], dtype=tf.float32)
    picked = tf.nn.embedding_lookup(vectors, ids) * tf.expand_dims(mask, 2)
    mean = tf.reduce_sum(picked, 1) / tf.expand_dims(tf.to_float(sizes), 1)
    features = tf.concat([mean, tf.expand_dims(scores, 1)], 1)
    w = tf.get_variable("w", initializer=(rng.randn(7, 1) / 3).astype("float32"))
    logits = tf.squeeze(tf.matmul(features, w), 1)
    loss = tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.to_float(labels), logits=logits)
    )
    train = tf.train.GradientDescentOptimizer(1.0).minimize(loss)
    known = names.lookup(ids)
    out = {}
    with tf.Session() as sess:
        sess.run([tf.global_variables_initializer(), tf.tables_initializer()])
        sess.run(iterator.initializer)
        losses = []
        try:
            while True:
                losses.append(sess.run([loss, train])[0])
        except tf.errors.OutOfRangeError:
            out["losses"] = losses
        sess.run(iterator.initializer)
        got, text = sess.run([ids, known])
        out["ids"] = got
        out["words"] = [word.decode() for word in text[0]]
        out["vectors"] = sess.run(vectors)
        words = tf.constant(["Good", "film", "", "größe"])
        out["hashes"] = sess.run(
            [
                tf.string_to_hash_bucket_fast(words, 1000),
                tf.string_to_hash_bucket_strong(words, 1000, key=[7, 9]),
                tf.strings.length(words), tf.strings.length(words, unit="UTF8_CHAR"),
            ]
        )  # fmt: skip
        out["texts"] = [
            value.decode()
            for value in sess.run(
                [
                    tf.reduce_join(words, separator="|"),
                    tf.string_join(["a", tf.as_string(3.14159, precision=2)], separator="="),
                    tf.substr("abcdef", -4, 2), tf.encode_base64("hello?"),
                    tf.strings.format("{} of {}", (tf.range(9), tf.constant(0.5))),
                ]
            )
        ]  # fmt: skip
    return out
