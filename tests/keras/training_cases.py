"""Trainings that graphc and tf.keras are asked for alike.

Lives here: cases, whose results tests/fixtures/training.json has from tf.keras (written by
tests/fixtures/make_training.py) and test_training_tensorflow.py from graphc.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.keras.cases import model_data, model_weights

RNG = np.random.RandomState(0)
X = RNG.rand(50, 5).astype("f")
Y = (X.sum(1) > 2.5).astype("f")
W = RNG.rand(50).astype("f")
LABELS = RNG.randint(0, 3, 50)
OTHER = RNG.rand(50, 3).astype("f")
WORDS = RNG.randint(0, 6, (50, 7))
TAGS = RNG.randint(0, 4, (50, 7, 1))
STEP_WEIGHTS = RNG.rand(50, 7).astype("f")
SHORT: dict[str, Any] = {"verbose": 0, "shuffle": False, "batch_size": 16}  # 16, 16, 16, 2
GATES = {"recurrent_activation": "hard_sigmoid"}  # the default of version 1
EVEN: dict[str, Any] = {**SHORT, "batch_size": 25}


def set_weights(model: Any) -> None:
    rng = np.random.RandomState(1)
    model.set_weights([rng.randn(*a.shape) * 0.3 for a in model.get_weights()])


class Cases:
    """Args:
    tf, keras: of graphc or of TensorFlow. optimizers: where SGD and Adam are.
    """

    def __init__(self, tf: Any, keras: Any, optimizers: Any) -> None:
        self.tf, self.keras, self.optimizers = tf, keras, optimizers
        self.K, self.L = keras.backend, keras.layers

    # ------------------------------------------------------------ models
    def dense(
        self, units: int = 1, loss: Any = "binary_crossentropy", metrics: Any = ("accuracy", "mae"),
        **kwargs: Any,
    ) -> Any:
        last = "sigmoid" if units == 1 else "softmax"
        model = self.keras.Sequential([
            self.L.Dense(4, activation="tanh", input_shape=(5,)),
            self.L.Dense(units, activation=last),
        ])  # fmt: skip
        set_weights(model)
        given = {"optimizer": self.optimizers.SGD(0.5), "loss": loss, "metrics": list(metrics)}
        model.compile(**{**given, **kwargs})
        return model

    def double(self, **kwargs: Any) -> Any:
        """Two inputs, two outputs."""
        L = self.L
        a, b = L.Input((5,), name="a"), L.Input((3,), name="b")
        hidden = L.concatenate([L.Dense(3, activation="relu")(a), b])
        outputs = [L.Dense(1, name="o1")(hidden), L.Dense(3, "softmax", name="o2")(hidden)]
        model = self.keras.Model([a, b], outputs)
        set_weights(model)
        given = {"optimizer": self.optimizers.SGD(0.1),
                 "loss": ["mse", "sparse_categorical_crossentropy"]}  # fmt: skip
        model.compile(**{**given, **kwargs})
        return model

    def tagger(self, mask: bool, **kwargs: Any) -> Any:
        L = self.L
        model = self.keras.Sequential([
            L.Embedding(6, 3, mask_zero=mask, input_length=7),
            L.SimpleRNN(4, return_sequences=True),
            L.TimeDistributed(L.Dense(4, activation="softmax")),
        ])  # fmt: skip
        set_weights(model)
        given = {"optimizer": self.optimizers.SGD(0.5), "metrics": ["accuracy"],
                 "loss": "sparse_categorical_crossentropy"}  # fmt: skip
        model.compile(**{**given, **kwargs})
        return model

    def tutorial(self, name: str) -> Any:
        """A model of the tutorials, as it is written there."""
        L, models = self.L, self.keras.models
        if name == "cnn":
            model = models.Sequential()
            model.add(L.Conv2D(32, (3, 3), activation="relu", input_shape=(32, 32, 3)))
            model.add(L.MaxPooling2D((2, 2)))
            model.add(L.Conv2D(64, (3, 3), activation="relu"))
            model.add(L.MaxPooling2D((2, 2)))
            model.add(L.Conv2D(64, (3, 3), activation="relu"))
            model.add(L.Flatten())
            model.add(L.Dense(64, activation="relu"))
            model.add(L.Dense(10, activation="softmax"))
            settings: Any = ("adam", "sparse_categorical_crossentropy", ["accuracy"])
        elif name == "lstm":
            model = models.Sequential()
            model.add(L.LSTM(50, return_sequences=True, input_shape=(None, 10), **GATES))
            model.add(L.LSTM(50, **GATES))
            model.add(L.Dense(1))
            settings = ("adam", "mean_squared_error")
        else:
            model = self.keras.Sequential([
                L.Dense(10, activation="relu", input_shape=(10,)),
                L.Dense(10, activation="relu"), L.Dense(1, activation="sigmoid"),
            ])  # fmt: skip
            optimizer = self.optimizers.SGD(lr=0.01) if name == "mlp_sgd" else "adam"
            settings = (optimizer, "binary_crossentropy", ["accuracy"])
        model.set_weights(model_weights(name, [a.shape for a in model.get_weights()]))
        model.compile(*settings)
        return model

    def three_epochs(self, name: str) -> Any:
        model, (x, y) = self.tutorial(name), model_data(name)
        history = model.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0,
                            validation_data=(x, y)).history  # fmt: skip
        return [history, model.evaluate(x, y, verbose=0), model.predict(x)[:5]]

    # ------------------------------------------------------------ sources
    def sequence(self) -> Any:
        class Tens(self.keras.utils.Sequence):  # type: ignore[name-defined, misc]
            def __len__(self) -> int:
                return 5

            def __getitem__(self, k: int) -> Any:
                return X[k * 10 : k * 10 + 10], Y[k * 10 : k * 10 + 10]

        return Tens()

    @staticmethod
    def generator(count: int = 2) -> Iterator[Any]:
        while True:
            for k in range(0, 50, 10):
                yield (X[k : k + 10], Y[k : k + 10], W[k : k + 10])[:count]

    def dataset(self, data: Any = (X, Y)) -> Any:
        return self.tf.data.Dataset.from_tensor_slices(data)

    # ------------------------------------------------------------ cases
    def history(self, *args: Any, model: Any = None, **kwargs: Any) -> Any:
        model = self.dense() if model is None else model
        return model.fit(*args, **kwargs).history

    def on_dense(self) -> dict[str, Callable[[], Any]]:
        fit, dense = self.history, self.dense
        eye = np.eye(3)[LABELS]
        own = lambda a, b: self.K.mean(self.K.square(a - b), -1)  # noqa: E731
        weighted = {"weighted_metrics": ["accuracy", "mse"]}
        return {
            "plain": lambda: fit(X, Y, epochs=3, **SHORT),
            "class weights": lambda: fit(X, Y, epochs=2, class_weight={0: 1.0, 1: 3.0}, **SHORT),
            "sample weights": lambda: fit(
                X, Y, epochs=2, sample_weight=W, validation_data=(X, Y, W),
                model=dense(**weighted), **SHORT),
            "both weights": lambda: fit(
                X, Y, epochs=2, sample_weight=W, class_weight={0: 0.5, 1: 2.0},
                model=dense(**weighted), **SHORT),
            "split with weights": lambda: fit(
                X, Y, epochs=2, sample_weight=W, validation_split=0.3, model=dense(**weighted),
                **SHORT),
            "numbers of classes": lambda: fit(
                X, LABELS, epochs=2, model=dense(
                    3, "sparse_categorical_crossentropy",
                    ["accuracy", "sparse_categorical_crossentropy", "crossentropy"]), **SHORT),
            "rows of classes": lambda: fit(
                X, eye, epochs=2, class_weight={0: 1.0, 1: 2.0, 2: 0.1}, model=dense(
                    3, "categorical_crossentropy", [
                        "accuracy", "ce", self.keras.metrics.CategoricalAccuracy(name="ca"),
                        self.keras.metrics.AUC(name="auc")]), **SHORT),
            "validation_freq": lambda: fit(
                X, Y, epochs=4, validation_data=(X, Y), validation_freq=2, **SHORT),
            "validation in epochs": lambda: fit(
                X, Y, epochs=4, validation_data=(X, Y), validation_freq=[1, 4], **SHORT),
            "initial_epoch": lambda: fit(X, Y, initial_epoch=2, epochs=4, **SHORT),
            "a loss of one's own": lambda: fit(X, Y, model=dense(loss=own), **SHORT),
            "smoothed labels": lambda: fit(X, Y, model=dense(
                loss=self.keras.losses.BinaryCrossentropy(label_smoothing=0.1)), **SHORT),
            "booleans": lambda: fit(X, Y.astype(bool), **SHORT),
            "bytes": lambda: fit((X * 255).astype("u1"), Y, **SHORT),
            "an optimizer of tf.train": lambda: fit(
                X, Y, epochs=2, model=dense(optimizer=self.tf.train.AdamOptimizer(0.05)), **SHORT),
            "evaluate": lambda: dense().evaluate(X, Y, batch_size=16, verbose=0),
            "batches": lambda: self.batches(dense(**weighted)),
        }  # fmt: skip

    @staticmethod
    def batches(model: Any) -> Any:
        return [
            model.train_on_batch(X[:30], Y[:30]), model.train_on_batch(X[30:], Y[30:]),
            model.test_on_batch(X, Y, reset_metrics=False),
            model.test_on_batch(X[:20], Y[:20], sample_weight=W[:20], reset_metrics=False),
        ]  # fmt: skip

    def on_double(self) -> dict[str, Callable[[], Any]]:
        def fit(settings: Any = None, x: Any = None, y: Any = None, **kwargs: Any) -> Any:
            x = [X, OTHER] if x is None else x
            y = [Y, LABELS] if y is None else y
            model = self.double(**(settings or {}))
            return [model.metrics_names, model.fit(x, y, **kwargs, **EVEN).history]

        by_name = {"x": {"a": X, "b": OTHER}, "y": {"o1": Y, "o2": LABELS}}
        named = {
            "loss": {"o1": "mae", "o2": "sparse_categorical_crossentropy"},
            "metrics": {"o2": ["accuracy", "sparse_categorical_crossentropy"], "o1": "mse"},
            "loss_weights": {"o1": 2.0, "o2": 0.5},
        }
        split = {"weighted_metrics": {"o1": "mae"}, "metrics": {"o2": "acc"}}
        classes = {"o2": {0: 1.0, 1: 2.0, 2: 3.0}}
        return {
            "two: metrics": lambda: fit({"metrics": ["mae"]}),
            "two: lists of metrics": lambda: fit({"metrics": [["mae"], ["accuracy"]]}),
            "two: by name": lambda: fit(named, **by_name),
            "two: loss_weights": lambda: fit({"loss_weights": [0.1, 0.2]}),
            "two: weighted_metrics": lambda: fit(split, sample_weight={"o1": W, "o2": W**2}),
            "two: sample weights": lambda: fit(sample_weight=[W, W**2]),
            "two: weights of one": lambda: fit(sample_weight={"o2": W}),
            "two: class weights": lambda: fit(class_weight=classes),
            "two: split": lambda: fit(validation_split=0.5),
            "two: validation by name": lambda: fit(
                validation_data=(by_name["x"], by_name["y"]), **by_name),
        }  # fmt: skip

    def on_tagger(self) -> dict[str, Callable[[], Any]]:
        tagger = self.tagger
        temporal = {"sample_weight_mode": "temporal", "weighted_metrics": ["accuracy"]}

        def fit(model: Any, **kwargs: Any) -> Any:
            return model.fit(WORDS, TAGS, epochs=2, **kwargs, **SHORT).history

        return {
            "steps": lambda: fit(tagger(False)),
            "masked": lambda: fit(tagger(True)),
            "weights of steps": lambda: fit(tagger(False, **temporal), sample_weight=STEP_WEIGHTS),
            "masked, weights of steps": lambda: fit(
                tagger(True, **temporal), sample_weight=STEP_WEIGHTS),
            "masked, weights": lambda: fit(
                tagger(True, weighted_metrics=["accuracy"]), sample_weight=W),
            "masked metric": lambda: fit(tagger(
                True, metrics=[self.keras.metrics.SparseCategoricalAccuracy(name="s")])),
        }  # fmt: skip

    def binary_tagger(self, metric: Any, **kwargs: Any) -> Any:
        L = self.L
        model = self.keras.Sequential([
            L.Embedding(6, 3, mask_zero=True, input_length=7),
            L.SimpleRNN(4, return_sequences=True),
            L.TimeDistributed(L.Dense(1, activation="sigmoid")),
        ])  # fmt: skip
        set_weights(model)
        model.compile(self.optimizers.SGD(0.5), "binary_crossentropy", **{**metric, **kwargs})
        return model

    def on_masks(self) -> dict[str, Callable[[], Any]]:
        metrics = self.keras.metrics
        made = {
            "AUC": lambda: metrics.AUC(num_thresholds=20, name="m"),
            "Precision": lambda: metrics.Precision(name="m"),
            "Recall": lambda: metrics.Recall(name="m"),
            "RMSE": lambda: metrics.RootMeanSquaredError(name="m"), "mae": lambda: "mae",
        }  # fmt: skip
        tags = (TAGS > 1).astype("f")

        def fit(name: str, weights: Any) -> Any:
            key = "metrics" if weights is None else "weighted_metrics"
            mode = {"sample_weight_mode": "temporal"} if np.ndim(weights) == 2 else {}
            model = self.binary_tagger({key: [made[name]()]}, **mode)
            return model.fit(WORDS, tags, epochs=2, sample_weight=weights, **SHORT).history

        return {
            f"masked {name}, {what}": lambda name=name, weights=weights: fit(name, weights)
            for name in made
            for what, weights in (("alike", None), ("weights", W), ("of steps", STEP_WEIGHTS))
        }  # fmt: skip

    def on_layers(self) -> dict[str, Callable[[], Any]]:
        L, keras, K = self.L, self.keras, self.K

        def fit(model: Any, x: Any = X, metrics: Any = (), **kwargs: Any) -> Any:
            set_weights(model)
            model.compile(self.optimizers.SGD(0.1), "mse", list(metrics))
            return model.fit(x, Y, epochs=3, **{**EVEN, **kwargs}).history

        def normalized() -> Any:
            return keras.Sequential([
                L.Dense(4, input_shape=(5,)), L.BatchNormalization(), L.Activation("relu"),
                L.Dense(1),
            ])  # fmt: skip

        def frozen() -> Any:
            model = normalized()
            model.layers[1].trainable = False
            return fit(model)

        def bounded() -> Any:
            rules = keras.regularizers
            return fit(keras.Sequential([
                L.Dense(4, input_shape=(5,), kernel_regularizer=rules.l1_l2(0.01, 0.02),
                        activity_regularizer=rules.l2(0.01)),
                L.Dense(1, kernel_constraint=keras.constraints.max_norm(0.2),
                        bias_regularizer="l2"),
            ]), validation_data=(X, Y))  # fmt: skip

        def added() -> Any:
            x = L.Input((5,))
            hidden = L.Dense(3)(x)
            model = keras.Model(x, L.Dense(1)(hidden))
            model.add_loss(K.mean(K.square(hidden)) * 0.1)
            model.add_metric(K.mean(hidden), name="hidden", aggregation="mean")
            return fit(model, metrics=["mae"], validation_data=(X, Y))

        def shared() -> Any:
            dense, a, b = L.Dense(3, activation="tanh"), L.Input((5,)), L.Input((5,))
            model = keras.Model([a, b], L.Dense(1)(L.subtract([dense(a), dense(b)])))
            return fit(model, [X, X[::-1]])

        def inner() -> Any:
            encoder = keras.Sequential([L.Dense(3, activation="tanh", input_shape=(5,))])
            x = L.Input((5,))
            return fit(keras.Model(x, L.Dense(1)(encoder(x))))

        def stateful() -> Any:
            model = keras.Sequential([
                L.SimpleRNN(3, stateful=True, batch_input_shape=(10, 5, 1)), L.Dense(1),
            ])  # fmt: skip
            history = fit(model, X[..., None], batch_size=10)
            model.reset_states()
            return [history, model.predict(X[:10, :, None], batch_size=10)]

        return {
            "normalized": lambda: fit(normalized(), validation_data=(X, Y)), "frozen": frozen,
            "bounded": bounded, "added losses": added, "shared": shared, "inner": inner,
            "stateful": stateful,
        }  # fmt: skip

    def on_sources(self) -> dict[str, Callable[[], Any]]:
        def fit(x: Any, model: Any = None, **kwargs: Any) -> Any:
            model = self.dense() if model is None else model
            return model.fit(x, verbose=0, shuffle=False, **kwargs).history

        sequence, generator, dataset = self.sequence, self.generator, self.dataset
        tens = dataset().batch(10)
        return {
            "Sequence": lambda: fit(sequence(), epochs=2),
            "Sequence goes on": lambda: fit(sequence(), epochs=3, steps_per_epoch=2),
            "Sequence again": lambda: fit(sequence(), steps_per_epoch=7),
            "Sequence with workers": lambda: fit(
                sequence(), epochs=2, workers=3, max_queue_size=2, validation_data=sequence()),
            "Sequence, class weights": lambda: fit(sequence(), class_weight={0: 1.0, 1: 5.0}),
            "generator": lambda: fit(
                generator(), steps_per_epoch=3, epochs=3, validation_data=(X, Y)),
            "generator of weights": lambda: fit(
                generator(3), steps_per_epoch=3, epochs=3, model=self.dense(
                    weighted_metrics=["mae"])),
            "generator of no weights": lambda: fit(
                ((a, b, None) for a, b in generator()), steps_per_epoch=3, epochs=2),
            "evaluate a generator": lambda: self.dense().evaluate_generator(generator(), steps=5),
            "predict a generator": lambda: self.dense().predict_generator(
                ((a,) for a, _ in generator()), steps=2),
            "dataset": lambda: fit(tens, epochs=2, validation_data=tens),
            "dataset goes on": lambda: fit(
                tens.repeat(), epochs=3, steps_per_epoch=2, validation_data=tens.repeat(),
                validation_steps=1),
            "dataset of weights": lambda: fit(dataset((X, Y, W)).batch(10), epochs=2),
            "dataset by name": lambda: fit(
                dataset(({"a": X, "b": OTHER}, {"o1": Y, "o2": LABELS})).batch(25), epochs=2,
                model=self.double()),
            "dataset in tuples": lambda: fit(
                dataset(((X, OTHER), (Y, LABELS))).batch(25), epochs=2, model=self.double()),
            "evaluate a dataset": lambda: self.dense().evaluate(tens, verbose=0),
            "predict a dataset": lambda: self.dense().predict(tens)[:4],
        }  # fmt: skip

    def all(self) -> dict[str, Callable[[], Any]]:
        """name -> a function that trains and gives histories, values and arrays."""
        return {
            **{f"tutorial {n}": lambda n=n: self.three_epochs(n)
               for n in ("mlp", "mlp_sgd", "cnn", "lstm")},
            **self.on_dense(), **self.on_double(), **self.on_tagger(), **self.on_sources(),
            **self.on_masks(), **self.on_layers(),
        }  # fmt: skip


