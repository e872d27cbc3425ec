"""Feature columns in a model by hand: a linear part with Ftrl beside a network with Adagrad."""

from __future__ import annotations

import numpy as np


def main(tf):
    rng = np.random.RandomState(2)
    count = 48
    job = rng.choice(["cook", "smith", "baker", "poet"], count)
    city = rng.choice(["x", "y"], count)
    age = rng.uniform(18, 70, count).astype(np.float32)
    rich = ((job == "smith") ^ (age > 40)).astype(np.float32)
    fc = tf.feature_column

    ages = fc.numeric_column("age", normalizer_fn=lambda a: (a - 40.0) / 20.0)
    buckets = fc.bucketized_column(fc.numeric_column("age"), [30.0, 40.0, 55.0])
    jobs = fc.categorical_column_with_vocabulary_list(
        "job", ["cook", "smith", "baker"], num_oov_buckets=1
    )
    cities = fc.categorical_column_with_hash_bucket("city", 7)
    crossed = fc.crossed_column([jobs, buckets], 30)
    wide = [buckets, jobs, cities, crossed]
    start = tf.constant_initializer(np.linspace(-0.5, 0.5, 12).reshape(4, 3))
    deep = [ages, fc.indicator_column(cities), fc.embedding_column(jobs, 3, initializer=start)]

    features = {"job": tf.constant(job), "city": tf.constant(city), "age": tf.constant(age)}
    with tf.variable_scope("linear"):
        linear = fc.linear_model(features, wide)
    with tf.variable_scope("dnn"):
        net = fc.input_layer(features, deep)
        kernel = tf.get_variable(
            "k", [11, 1], initializer=tf.constant_initializer(np.linspace(-1, 1, 11)[:, None])
        )
        logits = tf.matmul(net, kernel) + linear
    labels = tf.constant(rich[:, None])
    loss = tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    )
    variables = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, "linear")
    others = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, "dnn")
    train = tf.group(
        tf.train.FtrlOptimizer(0.5, l1_regularization_strength=0.001).minimize(
            loss, var_list=variables
        ),
        tf.train.AdagradOptimizer(0.1).minimize(loss, var_list=others),
    )
    correct = tf.equal(tf.cast(logits > 0, tf.float32), labels)
    out = {"names": [[v.name, v.shape.as_list()] for v in tf.trainable_variables()]}
    with tf.Session() as sess:
        sess.run([tf.global_variables_initializer(), tf.tables_initializer()])
        out["input"] = sess.run(net)
        out["losses"] = [float(sess.run([loss, train])[0]) for _ in range(25)]
        out["accuracy"] = float(sess.run(tf.reduce_mean(tf.cast(correct, tf.float32))))
        out["weights"] = {v.op.name: sess.run(v) for v in tf.trainable_variables()}
    spec = fc.make_parse_example_spec([*wide, *deep])
    out["spec"] = sorted(spec)
    return out
