"""Images and labels through TFRecord files: written, counted, parsed in tf.data, trained on."""

from __future__ import annotations

import os
import tempfile

import numpy as np


def write(tf, path, images, labels, options=None):
    def _int64_feature(value):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    def _bytes_feature(value):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def _float_feature(values):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    with tf.python_io.TFRecordWriter(path, options=options) as writer:
        for k in range(len(images)):
            example = tf.train.Example(
                features=tf.train.Features(
                    feature={
                        "image_raw": _bytes_feature(images[k].tobytes()),
                        "height": _int64_feature(images.shape[1]),
                        "width": _int64_feature(images.shape[2]),
                        "label": _int64_feature(int(labels[k])),
                        "weights": _float_feature(np.linspace(0.1, 0.5, 1 + k % 3)),
                    }
                )
            )
            writer.write(example.SerializeToString())


def main(tf):
    rng = np.random.RandomState(3)
    labels = rng.randint(0, 3, 60)
    images = (rng.rand(60, 5, 4) * 100 + labels[:, None, None] * 60).astype(np.uint8)
    holder = tempfile.TemporaryDirectory()  # goes with the last use of it
    folder = holder.name
    paths = [os.path.join(folder, f"part-{n}.tfrecords") for n in range(2)]
    options = tf.python_io.TFRecordOptions(tf.python_io.TFRecordCompressionType.GZIP)
    write(tf, paths[0], images[:35], labels[:35], options)
    write(tf, paths[1], images[35:], labels[35:], options)
    out = {"counts": [sum(1 for _ in tf.python_io.tf_record_iterator(p, options)) for p in paths]}
    first = tf.train.Example.FromString(next(iter(tf.python_io.tf_record_iterator(
        paths[1], options))))  # fmt: skip
    features = first.features.feature
    out["first"] = [
        sorted(features), int(features["label"].int64_list.value[0]),
        list(features["weights"].float_list.value), features["image_raw"].WhichOneof("kind"),
    ]  # fmt: skip

    def parse(record):
        parsed = tf.parse_single_example(
            record,
            features={
                "image_raw": tf.FixedLenFeature([], tf.string),
                "height": tf.FixedLenFeature([], tf.int64),
                "label": tf.FixedLenFeature([], tf.int64),
                "weights": tf.VarLenFeature(tf.float32),
                "missing": tf.FixedLenFeature([2], tf.float32, default_value=[0.5, 1.5]),
            },
        )
        image = tf.decode_raw(parsed["image_raw"], tf.uint8)
        rows = tf.cast(parsed["height"], tf.int32)
        image = tf.reshape(image, tf.stack([rows, -1]))
        image.set_shape([5, 4])
        pixels = tf.cast(image, tf.float32) * (1.0 / 255) - 0.5
        weight = tf.reduce_sum(parsed["weights"].values) + tf.reduce_sum(parsed["missing"])
        return pixels, tf.cast(parsed["label"], tf.int32), weight

    dataset = tf.data.TFRecordDataset(paths, compression_type="GZIP").map(parse)
    dataset = dataset.repeat().batch(12)
    iterator = dataset.make_one_shot_iterator()
    pixels, classes, weights = iterator.get_next()
    flat = tf.reshape(pixels, [-1, 20])
    start = (rng.randn(20, 3) / 10).astype("float32")
    w = tf.get_variable("w", initializer=start)
    b = tf.get_variable("b", shape=[3], initializer=tf.zeros_initializer())
    logits = tf.matmul(flat, w) + b
    loss = tf.losses.sparse_softmax_cross_entropy(labels=classes, logits=logits, weights=weights)
    right = tf.reduce_mean(tf.to_float(tf.equal(tf.argmax(logits, 1), tf.to_int64(classes))))
    train = tf.train.AdamOptimizer(0.05).minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        out["losses"] = [sess.run([loss, train])[0] for _ in range(30)]
        out["accuracy"] = float(sess.run(right))
        out["w"] = sess.run(w)
    batch = tf.data.TFRecordDataset(paths[1], "GZIP").batch(10).make_one_shot_iterator().get_next()
    several = tf.parse_example(
        batch,
        {
            "label": tf.FixedLenFeature([], tf.int64),
            "weights": tf.FixedLenSequenceFeature([], tf.float32, allow_missing=True),
            "tags": tf.VarLenFeature(tf.string),
        },
    )
    with tf.Session() as sess:
        got = sess.run(several)
    out["batch"] = [got["label"], got["weights"], list(got["tags"].dense_shape)]
    return out
