"""Cases that TensorFlow and graphc both run: losses, metrics and layers on fixed inputs.

make_layers.py (tests/fixtures) runs them with TensorFlow and keeps the results; the tests run them
with graphc and compare. Nothing here imports either: `tf` and `layers` are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Case = tuple[str, Callable[[], Any]]
RNG = np.random.RandomState


def _floats(seed: int, *shape: int) -> np.ndarray:
    return RNG(seed).rand(*shape).astype(np.float32)


def summed(values: Any) -> list[float]:
    """An array as a few numbers that any wrong element changes."""
    flat = np.asarray(values, np.float64).ravel()
    if flat.size <= 12:
        return flat.tolist()
    return [float(flat.size), flat.sum(), float(flat @ np.sin(np.arange(flat.size)))]


# ------------------------------------------------------------------ losses
def loss_cases(tf: Any) -> Iterator[Case]:
    """[name of the loss, names in LOSSES, shape, value, gradient to the predictions]."""
    y, p, z = _floats(0, 4, 3), _floats(1, 4, 3), RNG(2).randn(4, 3).astype(np.float32)
    bits, onehot = (y > 0.5).astype(np.float32), np.eye(3, dtype=np.float32)[[0, 2, 1, 1]]
    classes = np.array([0, 2, 1, 1])
    rows = np.array([[1.0], [0.0], [2.0], [0.5]], np.float32)
    weights = {
        "one": 1.0, "scalar": 2.5, "zero": 0.0, "rows": rows,
        "full": _floats(3, 4, 3) * (y > 0.4),
    }  # fmt: skip
    vectors = {"one": 1.0, "vector": rows[:, 0], "zeros": np.zeros(4, np.float32)}
    reduction = tf.losses.Reduction

    def case(f: Callable[[Any], Any], preds: np.ndarray) -> Callable[[], Any]:
        def run() -> Any:
            x = tf.placeholder(tf.float32, preds.shape)
            loss = f(x)
            (gradient,) = tf.gradients(loss, x)
            with tf.Session() as sess:
                value, slope = sess.run([loss, gradient], {x: preds})
            kept = [t.name for t in tf.get_collection("losses")]
            return [loss.name, kept, str(loss.shape), np.ravel(value).tolist(),
                    np.ravel(slope).tolist()]  # fmt: skip

        return run

    lo = tf.losses
    for tag, w in weights.items():
        for kind in ("NONE", "SUM", "MEAN", "SUM_OVER_BATCH_SIZE", "SUM_BY_NONZERO_WEIGHTS"):
            if tag in ("rows", "zero"):
                r = getattr(reduction, kind)
                yield f"abs {tag} {kind}", case(
                    lambda x, w=w, r=r: lo.absolute_difference(y, x, w, reduction=r), p
                )
        yield f"mse {tag}", case(lambda x, w=w: lo.mean_squared_error(y, x, w), p)
        yield f"huber {tag}", case(lambda x, w=w: lo.huber_loss(y, x, w, delta=0.2), p)
        yield f"log {tag}", case(lambda x, w=w: lo.log_loss(bits, x, w), p)
        yield f"hinge {tag}", case(lambda x, w=w: lo.hinge_loss(bits, x, w), z)
        yield f"pairs {tag}", case(lambda x, w=w: lo.mean_pairwise_squared_error(y, x, w), p)
        yield f"sigmoid {tag}", case(
            lambda x, w=w: lo.sigmoid_cross_entropy(bits, x, w, label_smoothing=0.1), z
        )
        if tag != "full":
            yield f"cosine {tag}", case(
                lambda x, w=w: lo.cosine_distance(y, x, axis=1, weights=w), p
            )
    for tag, w in vectors.items():
        yield f"softmax {tag}", case(
            lambda x, w=w: lo.softmax_cross_entropy(onehot, x, w, label_smoothing=0.1), z
        )
        yield f"sparse {tag}", case(
            lambda x, w=w: lo.sparse_softmax_cross_entropy(classes, x, w), z
        )
    yield "sparse columns", case(
        lambda x: lo.sparse_softmax_cross_entropy(classes[:, None], x, rows), z
    )
    yield "scope", case(lambda x: lo.mean_squared_error(y, x, scope="mine"), p)
    yield "softmax int", case(lambda x: lo.softmax_cross_entropy(onehot.astype(int), x), z)

    def both(x: Any) -> Any:
        lo.mean_squared_error(y, x)
        lo.mean_squared_error(y, x)
        tf.add_to_collection("regularization_losses", tf.reduce_sum(x))
        return lo.get_total_loss()

    yield "total", case(both, p)


# ------------------------------------------------------------------ metrics
def metric_cases(tf: Any) -> Iterator[Case]:
    """[names, local variables, then for three batches: the update's value, the value after]."""
    rng = RNG(0)
    bits, guess = rng.randint(0, 2, (3, 6)), rng.randint(0, 2, (3, 6))
    p, q, w = _floats(4, 3, 6), _floats(5, 3, 6), _floats(6, 6)
    c, d = rng.randint(0, 4, (3, 6)), rng.randint(0, 4, (3, 6))
    scores, labels = _floats(7, 3, 6, 5), rng.randint(0, 5, (3, 6, 2)).astype(np.int64)
    m = tf.metrics

    def case(f: Callable[..., Any], *feeds: np.ndarray) -> Callable[[], Any]:
        def run() -> Any:
            holes = [tf.placeholder(tf.as_dtype(a.dtype), [None, *a.shape[2:]]) for a in feeds]
            value, update = f(*holes)
            out: list[Any] = []
            with tf.Session() as sess:
                sess.run(tf.local_variables_initializer())
                for i in range(3):
                    out.append(summed(sess.run(update, dict(zip(holes, [a[i] for a in feeds])))))
                    out.append(summed(sess.run(value)))
            kept = [v.name for v in tf.get_collection(tf.GraphKeys.METRIC_VARIABLES)]
            return [[value.name, update.name], kept, *out]

        return run

    def known(f: Callable[..., Any], *shapes: list[int]) -> Callable[..., Any]:
        def call(*tensors: Any) -> Any:
            for tensor, shape in zip(tensors, shapes):
                tensor.set_shape(shape)
            return f(*tensors)

        return call

    for tag, kw in (("", {}), (" w", {"weights": w})):
        yield f"accuracy{tag}", case(lambda a, b, kw=kw: m.accuracy(a, b, **kw), c, d)
        for n in ("mean_squared_error", "root_mean_squared_error", "mean_absolute_error"):
            yield f"{n}{tag}", case(lambda a, b, n=n, kw=kw: getattr(m, n)(a, b, **kw), p, q)
        yield f"relative{tag}", case(
            lambda a, b, kw=kw: m.mean_relative_error(
                a, b, tf.where(a > 0.5, a, tf.zeros_like(a)), **kw
            ), p, q,
        )  # fmt: skip
        for n in ("mean", "mean_tensor"):
            yield f"{n}{tag}", case(known(lambda a, n=n, kw=kw: getattr(m, n)(a, **kw), [6]), p)
        yield f"below{tag}", case(lambda a, kw=kw: m.percentage_below(a, 0.5, **kw), p)
        kinds = ["true_positives", "true_negatives", "false_positives", "false_negatives"]
        for n in (*kinds, "precision", "recall"):
            yield f"{n}{tag}", case(lambda a, b, n=n, kw=kw: getattr(m, n)(a, b, **kw), bits, guess)
            yield f"{n} at{tag}", case(
                lambda a, b, n=n, kw=kw: getattr(m, n + "_at_thresholds")(
                    a, b, [0.2, 0.5, 0.9], **kw
                ), bits, p,
            )  # fmt: skip
        for curve in ("ROC", "PR"):
            for how in ("trapezoidal", "minoring", "majoring", "careful_interpolation"):
                yield f"auc {curve} {how}{tag}", case(
                    lambda a, b, curve=curve, how=how, kw=kw: m.auc(
                        a, b, curve=curve, num_thresholds=20, summation_method=how, **kw
                    ), bits, p,
                )  # fmt: skip
        for n in ("sensitivity_at_specificity", "specificity_at_sensitivity"):
            yield f"{n}{tag}", case(
                lambda a, b, n=n, kw=kw: getattr(m, n)(a, b, 0.4, **kw), bits, p
            )
        for n in ("precision_at_k", "recall_at_k"):
            for only in (None, 2):
                yield f"{n} {only}{tag}", case(
                    known(lambda a, b, n=n, only=only, kw=kw: getattr(m, n)(
                        a, b, 3, class_id=only, **kw), [6, 2], [6, 5]), labels, scores,
                )  # fmt: skip
        yield f"average_precision_at_k{tag}", case(
            known(lambda a, b, kw=kw: m.average_precision_at_k(a, b, 3, **kw), [6, 2], [6, 5]),
            labels, scores,
        )  # fmt: skip
    yield "mean_iou", case(lambda a, b: m.mean_iou(a, b, 5), c, d)
    yield "per class", case(lambda a, b: m.mean_per_class_accuracy(a, b, 5), c, d)
    yield "recall one label", case(lambda a, b: m.recall_at_k(a, b, 2), labels[..., 0], scores)
    unit = scores / np.linalg.norm(scores, axis=-1, keepdims=True)
    yield "cosine", case(
        known(lambda a, b: m.mean_cosine_distance(a, b, 1), [6, 5], [6, 5]),
        unit.astype(np.float32), unit[::-1].astype(np.float32),
    )  # fmt: skip


# ------------------------------------------------------------------ layers
def layer_cases(tf: Any, layers: Any) -> Iterator[Case]:
    """[name, shape, variables, values, gradients to the input and the variables], summed."""
    x1 = RNG(1).randn(2, 9, 3).astype(np.float32)
    x2 = RNG(2).randn(2, 9, 8, 3).astype(np.float32)
    x3 = RNG(3).randn(1, 5, 6, 5, 2).astype(np.float32)

    def waves(shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        dims = [int(d) for d in shape]
        values = np.sin(np.arange(np.prod(dims)) * 1.3).reshape(dims)
        return tf.constant(values.astype(np.float32))

    def case(name: str, array: np.ndarray, **kw: Any) -> Case:
        def run() -> Any:
            x = tf.placeholder(tf.float32, [None, *array.shape[1:]])
            y = getattr(layers, function)(x, **kw)
            variables = tf.trainable_variables()
            slopes = tf.gradients(tf.reduce_sum(y * y) * 0.5, [x, *variables])
            with tf.Session() as sess:
                sess.run(tf.global_variables_initializer())
                values = sess.run([y, *slopes], {x: array})
            kept = [f"{v.name} {v.shape}" for v in variables]
            return [y.name, str(y.shape), kept, [summed(v) for v in values]]

        function = name.split()[0]
        return name, run

    both = {"kernel_initializer": waves, "bias_initializer": waves}
    apart = {
        "depthwise_initializer": waves, "pointwise_initializer": waves, "bias_initializer": waves,
    }  # fmt: skip
    for pad in ("valid", "same"):
        for st in (1, 2):
            at = {"strides": st, "padding": pad}
            tag = f"{pad} {st}"
            yield case(f"conv1d {tag}", x1, filters=4, kernel_size=3, **at, **both)
            yield case(
                f"conv2d {tag}", x2, filters=4, kernel_size=[3, 2], activation=tf.nn.relu,
                **at, **both,
            )  # fmt: skip
            yield case(f"conv3d {tag}", x3, filters=2, kernel_size=2, **at, **both)
            yield case(
                f"conv2d_transpose {tag}", x2, filters=4, kernel_size=[3, 2], **at, **both
            )
            yield case(f"conv3d_transpose {tag}", x3, filters=2, kernel_size=3, **at, **both)
            yield case(
                f"separable_conv2d {tag}", x2, filters=4, kernel_size=3, depth_multiplier=2,
                **at, **apart,
            )  # fmt: skip
            for kind in ("max", "average"):
                yield case(f"{kind}_pooling1d {tag}", x1, pool_size=2, **at)
                yield case(f"{kind}_pooling2d {tag}", x2, pool_size=[3, 2], **at)
                yield case(f"{kind}_pooling3d {tag}", x3, pool_size=2, **at)
        wide = {"kernel_size": 3, "padding": pad, "filters": 4}
        yield case(f"conv1d dilated {pad}", x1, dilation_rate=2, **wide, **both)
        yield case(f"conv2d dilated {pad}", x2, dilation_rate=(2, 1), **wide, **both)
        yield case(f"separable_conv2d dilated {pad}", x2, dilation_rate=2, **wide, **apart)
    yield case("dense deep", x2, units=5, **both)
    yield case("flatten", x2)
