"""tf.contrib.factorization.KMeans as scripts use it."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.contrib.factorization import KMeans

RNG = np.random.RandomState(0)
CENTERS = np.array([[0.0, 5.0], [5.0, 0.0], [-4.0, -4.0]])
DATA = (CENTERS[np.arange(300) % 3] + RNG.randn(300, 2) * 0.3).astype(np.float32)


@pytest.fixture(autouse=True)
def sess():
    tf.reset_default_graph()
    with tf.Session() as session:
        yield session


def grouped(numbers) -> bool:
    """Whether rows are together that belong together."""
    return all(len(set(numbers[k::3])) == 1 for k in range(3)) and len(set(numbers[:3])) == 3


@pytest.mark.parametrize("metric", ["cosine", "squared_euclidean"])
@pytest.mark.parametrize("mini_batch", [True, False])
@pytest.mark.parametrize("start", ["kmeans_plus_plus", "kmc2"])
def test_the_tutorials_program(metric, mini_batch, start, sess) -> None:
    x = tf.placeholder(tf.float32, shape=[None, 2])
    kmeans = KMeans(inputs=x, num_clusters=3, initial_clusters=start, distance_metric=metric,
                    use_mini_batch=mini_batch)  # fmt: skip
    training_graph = kmeans.training_graph()
    (all_scores, cluster_idx, scores, initialized, init_op, train_op) = training_graph
    cluster_idx = cluster_idx[0]
    avg_distance = tf.reduce_mean(scores)
    sess.run(tf.global_variables_initializer(), feed_dict={x: DATA})
    assert not sess.run(initialized)
    sess.run(init_op, feed_dict={x: DATA})
    assert sess.run(initialized)
    for _ in range(10):
        _, distance, numbers = sess.run([train_op, avg_distance, cluster_idx], {x: DATA})
    assert grouped(numbers) and numbers.dtype == np.int64
    assert distance < (0.02 if metric == "cosine" else 0.3)
    table, nearest = sess.run([all_scores[0], scores[0]], {x: DATA})
    assert table.shape == (300, 3)
    np.testing.assert_allclose(table.min(1), nearest)
    if metric == "squared_euclidean" and not mini_batch:
        found = np.array(sorted(sess.run("clusters:0").tolist()))
        want = np.array(sorted(DATA[k::3].mean(0).tolist() for k in range(3)))
        np.testing.assert_allclose(found, want, rtol=1e-3, atol=1e-3)


def test_given_centers_and_one_step(sess) -> None:
    start = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    rows = np.array([[0.0, 2.0], [0.0, 4.0], [3.0, 0.0]], np.float32)
    _, numbers, scores, _, init, train = KMeans(rows, 2, start).training_graph()
    sess.run(tf.global_variables_initializer())
    sess.run(init)
    assert sess.run([numbers[0], scores[0]])[1].tolist() == [1, 9, 4]
    sess.run(train)
    np.testing.assert_allclose(sess.run("clusters:0"), [[0, 3], [3, 0]], rtol=1e-5)


def test_a_mini_batch_moves_the_centers(sess) -> None:
    start = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    x = tf.placeholder(tf.float32, [None, 2])
    *_, init, train = KMeans(x, 2, start, use_mini_batch=True).training_graph()
    feed = {x: [[0.0, 4.0]]}
    sess.run(tf.global_variables_initializer(), feed)
    sess.run(init, feed)
    sess.run(train, feed)  # halfway: the start counts as one row
    np.testing.assert_allclose(sess.run("clusters:0"), [[0, 2.5], [1, 0]])
    sess.run(train, feed)
    np.testing.assert_allclose(sess.run("clusters:0"), [[0, 3], [1, 0]])
    assert sess.run("counts:0").tolist() == [3, 1]


def test_distances_of_old_centers_for_some_steps(sess) -> None:
    start = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    x = tf.placeholder(tf.float32, [None, 2])
    graph = KMeans(
        x, 2, start, use_mini_batch=True, mini_batch_steps_per_iteration=2
    ).training_graph()
    feed = {x: [[0.0, 4.0]]}
    sess.run(tf.global_variables_initializer(), feed)
    sess.run(graph[4], feed)
    seen = []
    for _ in range(4):
        sess.run(graph[5], feed)
        seen.append(sess.run("clusters:0")[0, 1])
    assert seen == [1, 1, 4, 4]


def test_centers_from_several_batches(sess) -> None:
    x = tf.placeholder(tf.float32, [None, 2])
    graph = KMeans(x, 5).training_graph()
    ready, init = graph[3], graph[4]
    sess.run(tf.global_variables_initializer(), {x: DATA[:2]})
    sizes = []
    while not sess.run(ready):
        sess.run(init, {x: DATA[:2]})
        sizes.append(len(sess.run("clusters:0")))
    assert sizes == [2, 4, 5]
    by_function = KMeans(x, 2, lambda rows, count: rows[:count] + 1.0).training_graph()
    sess.run(tf.global_variables_initializer(), {x: DATA[:2]})
    sess.run(by_function[4], {x: DATA})
    np.testing.assert_allclose(sess.run("clusters_1:0"), DATA[:2] + 1)


def test_errors() -> None:
    with pytest.raises(ValueError, match="Unsupported initialization algorithm `best`"):
        KMeans(DATA, 3, "best")
    with pytest.raises(ValueError, match="Unsupported distance metric `l1`"):
        KMeans(DATA, 3, distance_metric="l1")
    with pytest.raises(AttributeError, match="use KMeans, or scikit-learn"):
        tf.contrib.factorization.KMeansClustering
