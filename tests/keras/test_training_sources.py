"""Where batches come from: generators over epochs, Sequences, datasets, arrays in steps."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import layers, models

X = np.arange(40, dtype="f").reshape(-1, 1) / 40
Y = 2 * X[:, 0]


def model_of(units: int = 1) -> Any:
    model = models.Sequential([layers.Dense(units, input_shape=(1,))])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return model


def logged(log: list[int], count: int = 10**9) -> Iterator[Any]:
    for k in range(count):
        log.append(k)
        rows = slice(10 * (k % 4), 10 * (k % 4) + 10)
        yield X[rows], Y[rows]


class Tens(keras.utils.Sequence):
    """Four batches of ten."""

    def __init__(self) -> None:
        self.log: list[int] = []
        self.ended: list[int] = []

    def __len__(self) -> int:
        return 4

    def __getitem__(self, k: int) -> Any:
        self.log.append(k)
        return X[10 * k : 10 * k + 10], Y[10 * k : 10 * k + 10]

    def on_epoch_end(self) -> None:
        self.ended.append(len(self.log))


def test_a_generator_lives_as_long_as_the_training() -> None:
    log: list[int] = []
    source = logged(log)
    model = model_of()
    history = model.fit_generator(source, steps_per_epoch=2, epochs=3, verbose=0)
    assert log == [0, 1, 2, 3, 4, 5] and len(history.history["loss"]) == 3
    assert all(loss > 0 for loss in history.history["loss"])
    model.fit_generator(source, steps_per_epoch=1, verbose=0)  # where it stands
    assert log[-1] == 6
    assert model.predict_generator(source, steps=2).shape == (20, 1)
    assert log[-1] == 8


def test_a_generator_that_ends_early_ends_training() -> None:
    model = model_of()
    with pytest.warns(UserWarning, match="this epoch had 1 of 2"):
        history = model.fit(logged([], 3), steps_per_epoch=2, epochs=5, verbose=0)
    assert len(history.epoch) == 2
    with pytest.raises(ValueError, match="gives no batches"):
        model.fit(iter([]), steps_per_epoch=1, verbose=0)


def test_errors_of_a_generator_reach_the_user() -> None:
    def source() -> Iterator[Any]:
        yield X, Y
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        model_of().fit(source(), steps_per_epoch=3, verbose=0)
    mixed = iter([(X, Y), (X, Y, np.ones(40))])
    with pytest.raises(ValueError, match="or none"):
        model_of().fit(mixed, steps_per_epoch=2, verbose=0)
    for given in ({"y": Y}, {"sample_weight": Y}):
        with pytest.raises(ValueError, match="is not supported when using a generator"):
            model_of().fit(logged([]), steps_per_epoch=1, verbose=0, **given)
    with pytest.raises(ValueError, match=r"should be a tuple `\(x, y, sample_weight\)`"):
        model_of().fit(iter([(X, Y, Y, Y)]), steps_per_epoch=1, verbose=0)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_sequence_is_read_in_order(workers: int) -> None:
    tens = Tens()
    model_of().fit_generator(
        tens, epochs=2, verbose=0, shuffle=False, workers=workers, max_queue_size=2,
        use_multiprocessing=workers > 1,
    )  # fmt: skip
    assert sorted(tens.log) == sorted([0, *range(4), *range(4)][-8:]) and len(tens.ended) == 2


def test_a_sequence_goes_on_over_epochs() -> None:
    tens = Tens()
    model_of().fit(tens, epochs=3, steps_per_epoch=2, verbose=0, shuffle=False, workers=0)
    assert tens.log == [0, 1, 2, 3, 0, 1] and tens.ended == [4]
    again = Tens()
    model_of().fit(again, steps_per_epoch=6, verbose=0, shuffle=False, workers=0)
    assert again.log == [0, 1, 2, 3, 0, 1]


def test_a_sequence_is_shuffled_by_items() -> None:
    np.random.seed(3)  # noqa: NPY002
    tens = Tens()
    model_of().fit(tens, epochs=4, verbose=0, workers=0)
    passes = [tens.log[k : k + 4] for k in range(0, 16, 4)]
    assert all(sorted(p) == [0, 1, 2, 3] for p in passes) and len(set(map(tuple, passes))) > 1


def test_a_dataset_goes_on_over_epochs_and_is_validated_from_its_start() -> None:
    seen: list[float] = []
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(10)
    told = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(logs["val_loss"])
    )
    model = model_of()
    model.compile(keras.optimizers.SGD(0.0), "mse")
    losses = model.fit(data.repeat(), epochs=4, steps_per_epoch=1, verbose=0, callbacks=[told],
                       validation_data=data, validation_steps=1).history["loss"]  # fmt: skip
    assert len(set(losses)) == 4 and len(set(seen)) == 1
    with pytest.warns(UserWarning, match="ran out of data"):
        assert len(model.fit(data, epochs=3, steps_per_epoch=3, verbose=0).epoch) == 2


def test_fits_on_one_dataset_build_one_plan() -> None:
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)
    model = model_of()

    def act() -> None:
        model.fit(data, epochs=2, verbose=0, validation_data=data)
        model.evaluate(data, verbose=0)
        model.predict(data)

    act()
    before = tf.stats()["plans_built"]
    act()
    model.fit(data, verbose=0)
    assert tf.stats()["plans_built"] == before


def test_tensors_of_a_graph_are_data() -> None:
    iterator = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8).repeat().make_one_shot_iterator()
    x, y = iterator.get_next()
    model = model_of()
    assert len(model.fit(x, y, steps_per_epoch=5, epochs=2, verbose=0).epoch) == 2
    assert model.evaluate(x, y, steps=2, verbose=0) >= 0
    assert model.predict(x, steps=2).shape == (16, 1)
    with pytest.raises(ValueError, match="should specify the `steps_per_epoch`"):
        model.fit(x, y)


def test_steps_of_arrays_are_batches() -> None:
    sizes: list[int] = []
    told = keras.callbacks.LambdaCallback(on_batch_end=lambda k, logs: sizes.append(logs["size"]))
    model = model_of()

    def fit(**kwargs: Any) -> list[int]:
        sizes.clear()
        model.fit(X, Y, verbose=0, callbacks=[told], **kwargs)
        return list(sizes)

    assert fit(steps_per_epoch=3) == [14, 14, 12]
    assert fit(steps_per_epoch=2, batch_size=16, epochs=2) == [16] * 4
    assert fit(steps_per_epoch=4, batch_size=16) == [16, 16, 8, 16]
    assert fit(batch_size=16.0) == [16, 16, 8]
    whole = model.evaluate(X, Y, verbose=0)
    assert model.evaluate(X, Y, steps=4, verbose=0) == pytest.approx(whole, rel=1e-5)
    for wrong in (0, -1, "a", 1.5):
        with pytest.raises(ValueError, match="batch_size must be a positive whole number"):
            model.fit(X, Y, batch_size=wrong)


def test_models_that_read_their_own_batches() -> None:
    x = layers.Input(tensor=tf.constant(X))
    model = models.Model(x, layers.Dense(1)(x))
    model.compile("sgd", "mse")
    for act in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match="in the form of symbolic tensors"):
            act(None, Y, verbose=0)
    history = model.fit(None, Y, steps_per_epoch=3, epochs=2, verbose=0).history["loss"]
    assert len(history) == 2 and history[1] < history[0]
    assert model.predict(None, steps=2).shape == (80, 1)


def test_targets_of_the_graph_may_have_weights() -> None:
    x = layers.Input((1,))
    model = models.Model(x, [layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)])
    model.compile(keras.optimizers.SGD(0.0), "mse",
                  target_tensors={"a": tf.constant(Y[:, None]), "b": None})  # fmt: skip
    a, b = (np.square(p[:, 0] - Y) for p in model.predict(X))
    weights = np.linspace(0, 1, 40)
    got = model.evaluate(X, Y, batch_size=40, verbose=0, sample_weight={"b": weights})
    assert got == pytest.approx([a.mean() + (b * weights).mean(), a.mean(), (b * weights).mean()],
                                rel=1e-5)  # fmt: skip
    with pytest.raises(ValueError, match="its targets are a tensor of the graph"):
        model.fit(X, Y, batch_size=40, verbose=0, class_weight={"a": {0: 1.0}})


def test_stateful_models_take_whole_batches() -> None:
    model = models.Sequential([layers.LSTM(3, batch_input_shape=(8, 5, 1), stateful=True),
                               layers.Dense(1)])  # fmt: skip
    model.compile("adam", "mse")
    x = np.ones((40, 5, 1))
    model.fit(x, np.ones(40), epochs=2, shuffle=False, verbose=0)  # the batch size is the model's
    assert model.predict(x).shape == (40, 1)
    for act in (lambda: model.fit(x[:30], np.ones(30)), lambda: model.predict(x[:30]),
                lambda: model.fit(x, np.ones(40), batch_size=16)):  # fmt: skip
        with pytest.raises(ValueError, match="that can be divided by the batch size"):
            act()


class Lazy:
    """Rows of a file: only slices and rising indices."""

    shape, dtype, ndim, nbytes = (40, 1), np.dtype("float32"), 2, 160

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice):
            assert (np.diff(index) > 0).all()
        return X[index]

    def __len__(self) -> int:
        return 40


def test_rows_of_files_and_sparse_matrices() -> None:
    model = model_of()
    want = model.evaluate(X, Y, verbose=0)
    assert model.evaluate(Lazy(), Y, verbose=0) == pytest.approx(want, rel=1e-5)
    model.fit(Lazy(), Y, verbose=0)
    model.fit(Lazy(), Y, verbose=0, shuffle="batch")
    sparse = pytest.importorskip("scipy.sparse")
    for form in (sparse.csr_matrix(X), sparse.coo_matrix(X)):
        np.testing.assert_array_equal(model.predict(form), model.predict(X))
        model.fit(form, Y, verbose=0)


def test_empty_data() -> None:
    assert model_of(3).predict(X[:0]).shape == (0, 3)
    model = model_of()
    for act in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match="Expect x to be a non-empty array or dataset"):
            act(X[:0], Y[:0], verbose=0)


def test_shuffled_batches_hold_every_sample_once() -> None:
    seen: list[Any] = []
    model = model_of()
    step = model._step("train")
    run = step.runner()
    step._run = lambda *arrays: (seen.append(arrays), run(*arrays))[1]  # type: ignore[assignment]
    for shuffle in (True, "batch", False):
        seen.clear()
        model.fit(X, Y, batch_size=16, verbose=0, shuffle=shuffle)
        x = np.concatenate([s[0] for s in seen])
        y = np.concatenate([s[1] for s in seen])
        assert sorted(x[:, 0]) == sorted(X[:, 0])
        np.testing.assert_allclose(y[:, 0], 2 * x[:, 0])
        assert (x == X).all() == (shuffle is False)


def test_nothing_warns_in_plain_use() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = model_of()
        model.fit(X, Y, epochs=2, verbose=0, validation_split=0.25)
        model.fit(Tens(), epochs=2, verbose=0)
        model.fit(tf.data.Dataset.from_tensor_slices((X, Y)).batch(16), epochs=2, verbose=0)
