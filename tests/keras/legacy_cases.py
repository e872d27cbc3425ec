"""What is compared with Keras 2 (tf_keras): losses, metrics, optimizers, schedules.

Each case is written against a namespace `keras`, which is tf_keras in
tests/fixtures/make_tf_keras.py and graphc's in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
N, T, C = 6, 3, 4


def data(kind: str, seed: int = 0) -> tuple[Array, Array]:
    """(y_true, y_pred) of a kind; "3" at its end makes them sequences."""
    rng = np.random.default_rng(seed)
    shape = (N, T, C) if kind.endswith("3") else (N, C)
    real = rng.normal(size=(2, *shape))
    soft = np.exp(real) / np.exp(real).sum(-1, keepdims=True)
    labels = rng.integers(0, C, shape[:-1])
    one_hot = np.eye(C)[labels]
    column = rng.normal(size=(2, N, 1))
    table = {
        "real": (real[0], real[1]), "positive": (np.abs(real[0]) + 0.1, np.abs(real[1]) + 0.1),
        "zero": (np.where(real[0] > 0, real[0], 0.0), real[1]),
        "signs": (np.sign(real[0]), real[1]),
        "binary": ((real[0] > 0) * 1.0, 1 / (1 + np.exp(-real[1]))),
        "binary_logits": ((real[0] > 0) * 1.0, real[1]), "soft": (soft[0], soft[1]),
        "onehot": (one_hot, soft[1]), "onehot_logits": (one_hot, real[1]),
        "sparse": (labels, soft[1]), "sparse_logits": (labels, real[1]),
        "sparse_column": (labels[..., None], soft[1]),
        "vector_column": (column[0][:, 0], column[1]),
        "column_vector": (column[0], column[1][:, 0]),
        "binary_column": ((column[0] > 0) * 1.0, 1 / (1 + np.exp(-column[1]))),
        "edges": ((real[0] > 0) * 1.0, (real[1] > 0) * 1.0),
        "classes": (labels, rng.integers(0, C, shape[:-1])),
    }  # fmt: skip
    true, pred = table[kind.removesuffix("3")]
    return true.astype("float32"), pred.astype("float32")


def weights(shape: str, seed: int = 5) -> Any:
    """Sample weights: "scalar", or the extents' letters such as "nt1"."""
    if shape == "scalar":
        return 0.7
    sizes = {"n": N, "t": T, "c": C, "1": 1}
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 2, [sizes[s] for s in shape]).astype("float32")


# ------------------------------------------------------------------ losses
SIMPLE = {
    "MeanSquaredError": "real", "MeanAbsoluteError": "real",
    "MeanAbsolutePercentageError": "zero", "MeanSquaredLogarithmicError": "real", "Hinge": "binary",
    "SquaredHinge": "signs", "CategoricalHinge": "onehot", "Poisson": "positive",
    "LogCosh": "real", "KLDivergence": "soft",
}  # fmt: skip
SETTINGS: list[tuple[str, dict[str, Any], str]] = [
    ("Huber", {}, "real"), ("Huber", {"delta": 0.3}, "real"),
    ("CosineSimilarity", {}, "real"), ("CosineSimilarity", {"axis": 0}, "real"),
    ("CosineSimilarity", {"axis": 1}, "real3"),
    ("BinaryCrossentropy", {}, "binary"), ("BinaryCrossentropy", {}, "edges"),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, "binary"),
    ("BinaryCrossentropy", {"from_logits": True}, "binary_logits"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "binary_logits"),
    ("BinaryCrossentropy", {"axis": 0}, "binary"),
    ("CategoricalCrossentropy", {}, "onehot"), ("CategoricalCrossentropy", {}, "edges"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, "onehot"),
    ("CategoricalCrossentropy", {"from_logits": True}, "onehot_logits"),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "onehot_logits"),
    ("CategoricalCrossentropy", {"axis": 1}, "onehot3"),
    ("CategoricalCrossentropy", {"axis": 1, "from_logits": True}, "onehot3"),
    ("SparseCategoricalCrossentropy", {}, "sparse"),
    ("SparseCategoricalCrossentropy", {}, "sparse_column"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "sparse_logits"),
    ("BinaryFocalCrossentropy", {}, "binary"),
    ("BinaryFocalCrossentropy", {"gamma": 1.5, "apply_class_balancing": True}, "binary"),
    ("BinaryFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "binary_logits"),
]


def losses() -> dict[str, Callable[[Any], Any]]:
    """name -> function of the namespace that gives a loss's value."""
    out: dict[str, Callable[[Any], Any]] = {}

    def add(name: str, settings: dict[str, Any], kind: str, weight: str = "") -> None:
        true, pred = data(kind)
        shown = ",".join(f"{k}={v}" for k, v in settings.items())

        def value(keras: Any) -> Any:
            loss = getattr(keras.losses, name)(**settings)
            pair = map(keras.backend.constant, (true, pred))
            return loss(*pair, sample_weight=weights(weight) if weight else None)

        out[f"{name}({shown})/{kind}/{weight}"] = value

    for name, kind in SIMPLE.items():
        for reduction in ("auto", "none", "sum", "sum_over_batch_size"):
            add(name, {"reduction": reduction}, kind)
        for shape in ("scalar", "n", "n1"):
            add(name, {}, kind, shape)
        for shape in ("scalar", "n", "nt", "nt1", "n1"):
            add(name, {"reduction": "none"}, f"{kind}3", shape)
    for name, settings, kind in SETTINGS:
        add(name, settings, kind)
        add(name, {**settings, "reduction": "none"}, kind)
        if "axis" not in settings:
            add(name, settings, kind, "n")
            add(name, {**settings, "reduction": "sum"}, f"{kind}3", "nt")
    for kind in ("vector_column", "column_vector"):
        add("MeanSquaredError", {"reduction": "none"}, kind)
        add("MeanAbsoluteError", {}, kind)
    add("BinaryCrossentropy", {}, "binary_column", "n1")
    return out


FUNCTIONS = {
    "mean_squared_error": "real", "mse": "real", "MSE": "real", "mean_absolute_error": "real",
    "mae": "real", "MAE": "real", "mean_absolute_percentage_error": "zero", "mape": "zero",
    "MAPE": "zero", "mean_squared_logarithmic_error": "positive", "msle": "positive",
    "MSLE": "positive", "hinge": "signs", "squared_hinge": "binary", "categorical_hinge": "onehot",
    "logcosh": "real", "log_cosh": "real", "huber": "real", "poisson": "positive",
    "kullback_leibler_divergence": "soft", "kld": "soft", "KLD": "soft", "kl_divergence": "soft",
    "cosine_similarity": "real", "binary_crossentropy": "binary",
    "categorical_crossentropy": "onehot", "sparse_categorical_crossentropy": "sparse",
    "binary_focal_crossentropy": "binary",
}  # fmt: skip


def functions() -> dict[str, Callable[[Any], Any]]:
    """Functions by name through losses.get, of arrays and sequences."""

    def make(name: str, kind: str) -> Callable[[Any], Any]:
        return lambda keras: keras.losses.get(name)(*data(kind))

    return {f"{n}/{k}{e}": make(n, k + e) for n, k in FUNCTIONS.items() for e in ("", "3")}


# ------------------------------------------------------------------ metrics
def _many(*levels: float) -> dict[str, Any]:
    return {"thresholds": list(levels)}


METRICS: list[tuple[str, dict[str, Any], str]] = [
    *((n, {}, "classes" if n == "Accuracy" else k) for n, k in {
        "Accuracy": "", "MeanSquaredError": "real", "MeanAbsoluteError": "real",
        "MeanAbsolutePercentageError": "real", "MeanSquaredLogarithmicError": "positive",
        "RootMeanSquaredError": "real", "LogCoshError": "real", "Poisson": "positive",
        "KLDivergence": "soft", "Hinge": "binary", "SquaredHinge": "signs",
        "CategoricalHinge": "onehot", "CosineSimilarity": "real", "BinaryAccuracy": "binary",
        "CategoricalAccuracy": "onehot", "SparseCategoricalAccuracy": "sparse",
        "BinaryCrossentropy": "binary", "CategoricalCrossentropy": "onehot",
        "SparseCategoricalCrossentropy": "sparse",
    }.items()),
    ("BinaryAccuracy", {"threshold": 0.3}, "binary"), ("BinaryAccuracy", {}, "binary_column"),
    ("CosineSimilarity", {"axis": 0}, "real"),
    ("SparseCategoricalAccuracy", {}, "sparse_column"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "binary_logits"),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "onehot_logits"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "sparse_logits"),
    ("TopKCategoricalAccuracy", {"k": 2}, "onehot"), ("TopKCategoricalAccuracy", {}, "onehot"),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, "sparse"),
    ("SparseTopKCategoricalAccuracy", {"k": 1}, "sparse_column"),
    ("MeanIoU", {"num_classes": C}, "classes"), ("MeanIoU", {"num_classes": 7}, "classes"),
    *((n, s, "binary") for n in ("TruePositives", "FalsePositives", "TrueNegatives",
                                 "FalseNegatives") for s in ({}, _many(0.1, 0.5, 0.9))),
    *((n, s, k) for n in ("Precision", "Recall") for s, k in (
        ({}, "binary"), ({"thresholds": 0.3}, "binary"), (_many(0.2, 0.6), "binary"),
        ({"top_k": 2}, "onehot"), ({"class_id": 1}, "onehot"),
        ({"top_k": 2, "class_id": 3}, "onehot"), ({"top_k": 1, "thresholds": 0.4}, "onehot"),
        ({}, "edges"), ({"top_k": 1}, "edges"), ({}, "binary_column"),
    )),
    *(("AUC", {"curve": c, "summation_method": s, "num_thresholds": n}, "binary")
      for c in ("ROC", "PR") for s in ("interpolation", "minoring", "majoring") for n in (200, 5)),
    ("AUC", _many(0.1, 0.4, 0.8), "binary"), ("AUC", {}, "edges"), ("AUC", {}, "binary_column"),
    ("AUC", {"multi_label": True}, "binary"),
    ("AUC", {"multi_label": True, "label_weights": [0.1, 0.2, 0.3, 0.4]}, "binary"),
    ("AUC", {"multi_label": True, "curve": "PR", "num_thresholds": 9}, "binary"),
    ("AUC", {"from_logits": True}, "binary_logits"),
    *((n, {k: v, **more}, "binary") for n, k in (
        ("SensitivityAtSpecificity", "specificity"), ("SpecificityAtSensitivity", "sensitivity"),
        ("PrecisionAtRecall", "recall"), ("RecallAtPrecision", "precision"))
      for v in (0.2, 0.6, 0.95) for more in ({}, {"num_thresholds": 5}, {"num_thresholds": 1})),
    ("MeanRelativeError", {"normalizer": [1.0, 2.0, 3.0, 4.0]}, "real"),
]  # fmt: skip
# metrics whose update takes values, not pairs
OF_VALUES = ("Mean", "Sum", "MeanTensor")
Run = Callable[[Any, list[tuple[tuple[Any, ...], Any]]], Any]


def metrics() -> dict[str, Callable[[Any, Run], Any]]:
    """name -> function of (namespace, run): two batches, each with and without weights.

    `run(metric, [(arguments of update_state, weights), ...])` gives the result.
    """
    out: dict[str, Callable[[Any, Run], Any]] = {}

    def add(name: str, settings: dict[str, Any], kind: str, weight: str = "") -> None:
        shown = ",".join(f"{k}={v}" for k, v in settings.items())

        def value(keras: Any, run: Run) -> Any:
            metric = getattr(keras.metrics, name)(**settings)
            batches: list[tuple[tuple[Any, ...], Any]] = []
            for seed in (0, 1):
                pair = tuple(map(keras.backend.constant, data(kind, seed)))
                given = weights(weight, seed + 5) if weight else None
                batches.append((pair[:1] if name in OF_VALUES else pair, given))
            return run(metric, batches)

        out[f"{name}({shown})/{kind}/{weight}"] = value

    for name, settings, kind in METRICS:
        add(name, settings, kind)
        if name not in ("MeanIoU", "MeanRelativeError", "RootMeanSquaredError", "Accuracy"):
            if "axis" not in settings:
                add(name, settings, kind, "n")
        elif name in ("MeanIoU", "Accuracy"):
            add(name, settings, kind, "n")
    for name in OF_VALUES:
        for shape in ("", "scalar", "n1" if name == "MeanTensor" else "n", "nc"):
            add(name, {}, "real", shape)
    for name in ("MeanSquaredError", "CategoricalAccuracy"):
        kind = "onehot3" if name.startswith("C") else "real3"
        for shape in ("", "nt", "n", "nt1"):
            add(name, {}, kind, shape)
    add("SparseCategoricalAccuracy", {}, "sparse3", "nt")
    add("SparseTopKCategoricalAccuracy", {"k": 2}, "sparse3", "nt")
    add("TopKCategoricalAccuracy", {"k": 2}, "onehot3", "nt")
    add("Precision", {}, "binary3", "nt")
    return out


METRIC_NAMES = {
    "accuracy": "classes", "binary_accuracy": "binary", "categorical_accuracy": "onehot",
    "sparse_categorical_accuracy": "sparse", "top_k_categorical_accuracy": "wide",
    "sparse_top_k_categorical_accuracy": "wide_sparse", "mse": "real", "mae": "real",
    "mape": "real", "msle": "positive", "cosine_similarity": "real", "cosine_proximity": "real",
    "hinge": "binary", "kullback_leibler_divergence": "soft", "logcosh": "real",
    "poisson": "positive", "binary_crossentropy": "binary",
    "sparse_categorical_crossentropy": "sparse", "mean_squared_error": "real",
    "squared_hinge": "signs", "categorical_hinge": "onehot",
}  # fmt: skip


def metric_functions() -> dict[str, Callable[[Any], Any]]:
    """Functions by name through metrics.get."""

    def pair(kind: str) -> tuple[Any, Any]:
        if not kind.startswith("wide"):
            return data(kind)
        rng = np.random.default_rng(8)
        labels, pred = rng.integers(0, 9, N), rng.random((N, 9)).astype("f")
        return (labels if kind == "wide_sparse" else np.eye(9, dtype="f")[labels]), pred

    def make(name: str, kind: str) -> Callable[[Any], Any]:
        return lambda keras: keras.metrics.get(name)(*map(keras.backend.constant, pair(kind)))

    return {f"{n}/{k}": make(n, k) for n, k in METRIC_NAMES.items()}


# ------------------------------------------------------------------ optimizers
def schedules() -> dict[str, Callable[[Any], Any]]:
    """name -> function of the namespace that makes a schedule."""
    return {
        "exponential": lambda k: k.optimizers.schedules.ExponentialDecay(0.1, 4, 0.5),
        "exponential_stairs": lambda k: k.optimizers.schedules.ExponentialDecay(
            0.1, 4, 0.5, staircase=True),
        "piecewise": lambda k: k.optimizers.schedules.PiecewiseConstantDecay(
            [2, 5], [0.1, 0.05, 0.01]),
        "polynomial": lambda k: k.optimizers.schedules.PolynomialDecay(0.1, 5, 0.01, power=2.0),
        "polynomial_cycle": lambda k: k.optimizers.schedules.PolynomialDecay(
            0.1, 5, 0.01, cycle=True),
        "inverse": lambda k: k.optimizers.schedules.InverseTimeDecay(0.1, 3, 0.5),
        "inverse_stairs": lambda k: k.optimizers.schedules.InverseTimeDecay(
            0.1, 3, 0.5, staircase=True),
        "cosine": lambda k: k.optimizers.schedules.CosineDecay(0.1, 6, alpha=0.1),
        "cosine_warmup": lambda k: k.optimizers.schedules.CosineDecay(
            0.01, 6, alpha=0.1, warmup_target=0.2, warmup_steps=3),
        "restarts": lambda k: k.optimizers.schedules.CosineDecayRestarts(0.1, 3, 2.0, 0.8, 0.1),
    }  # fmt: skip


STEPS = (0, 1, 2, 3, 4, 5, 6, 7, 9, 12, 20)
_RULES: dict[str, list[dict[str, Any]]] = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"decay": 0.3}],
    "RMSprop": [{}, {"rho": 0.5}, {"momentum": 0.8}, {"centered": True},
                {"centered": True, "momentum": 0.8}, {"epsilon": 1e-3, "decay": 0.1}],
    "Adam": [{}, {"beta_1": 0.5, "beta_2": 0.9}, {"amsgrad": True}, {"epsilon": 1e-2},
             {"decay": 0.2}],
    "Adamax": [{}, {"beta_1": 0.5, "epsilon": 0.1}], "Nadam": [{}, {"beta_1": 0.8}],
    "Adagrad": [{}, {"initial_accumulator_value": 0.5, "epsilon": 0.01}],
    "Adadelta": [{}, {"rho": 0.7, "epsilon": 1e-4}],
    "Ftrl": [{}, {"l1_regularization_strength": 0.1, "l2_regularization_strength": 0.2},
             {"l2_shrinkage_regularization_strength": 0.1, "learning_rate_power": -0.7},
             {"beta": 0.3, "initial_accumulator_value": 0.2}],
}  # fmt: skip
_CLIPS = [{"clipnorm": 0.5}, {"clipvalue": 0.2}, {"global_clipnorm": 0.6}]


def optimizers() -> dict[str, Callable[[Any], Any]]:
    """name -> function of the namespace that makes an optimizer of Keras 2."""
    out: dict[str, Callable[[Any], Any]] = {}

    def add(name: str, settings: dict[str, Any], schedule: str = "") -> None:
        shown = ",".join(f"{k}={v}" for k, v in settings.items())

        def make(keras: Any) -> Any:
            rate = schedules()[schedule](keras) if schedule else 0.1
            return getattr(keras.optimizers.legacy, name)(learning_rate=rate, **settings)

        out[f"{name}({shown}){schedule}"] = make

    for name, listed in _RULES.items():
        for settings in listed:
            add(name, settings)
    for name in ("SGD", "Adam"):
        for clip in _CLIPS:
            add(name, clip)
    for schedule in ("exponential_stairs", "piecewise", "polynomial_cycle", "cosine"):
        add("SGD", {"momentum": 0.5}, schedule)
    add("Adam", {"decay": 0.1}, "inverse")
    return out


def updates() -> tuple[list[Array], list[list[Array]], list[Array], list[tuple[Array, Array]]]:
    """(two weights, gradients of both in six steps, a table, its (rows, numbers) in six steps)."""
    rng = np.random.default_rng(3)
    start = [rng.normal(size=s).astype("f") for s in ((3, 4), (5,))]
    dense = [[rng.normal(size=w.shape).astype("f") for w in start] for _ in range(6)]
    table = [rng.normal(size=(6, 2)).astype("f")]
    rows = [(rng.normal(size=(4, 2)).astype("f"), rng.integers(0, 5, 4)) for _ in range(6)]
    return start, dense, table, rows
