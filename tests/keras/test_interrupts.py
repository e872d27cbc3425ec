"""Training survives what comes from outside: Ctrl-C, errors in callbacks, a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc import keras
from graphc.keras import backend as K
from graphc.keras import callbacks, layers, models

ROOT = Path(keras.__file__).parents[2]
RNG = np.random.default_rng(0)
X = RNG.random((40, 6)).astype("f")
Y = X.sum(1)


def model_of() -> Any:
    model = models.Sequential([layers.Dense(4, activation="tanh", input_shape=(6,)),
                               layers.Dense(1)])  # fmt: skip
    model.compile("adam", "mse")
    return model


class Break(callbacks.Callback):
    """Raises after some batches."""

    def __init__(self, after: int, error: BaseException) -> None:
        super().__init__()
        self.left, self.error = after, error

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if not self.left:
            raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("mine")])
def test_what_was_trained_stays(error: BaseException) -> None:
    model, other = model_of(), model_of()
    other.set_weights(model.get_weights())
    settings: dict[str, Any] = {"batch_size": 8, "shuffle": False, "verbose": 0}
    with pytest.raises(type(error)):
        model.fit(X, Y, epochs=9, callbacks=[Break(7, error)], **settings)
    assert K.get_value(model.optimizer.iterations) == 7
    assert len(model.history.history["loss"]) == 1  # the whole epoch
    other.fit(X, Y, **settings)
    other.fit(X[:16], Y[:16], **settings)
    for target in (model, other):
        target.fit(X, Y, epochs=2, **settings)
    assert K.get_value(model.optimizer.iterations) == 17
    for a, b in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(model.optimizer.get_weights(), other.optimizer.get_weights()):
        np.testing.assert_array_equal(a, b)


def child(program: str, folder: Path) -> str:
    """What a program prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=folder, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


CTRL_C = """
import os, signal, threading
import numpy as np
from graphc import keras
from graphc.keras import backend as K, layers as L, models

rng = np.random.default_rng(0)

def dense():
    model = models.Sequential([L.Dense(32, activation="relu", input_shape=(6,)), L.Dense(1)])
    return model, rng.random((40, 6)).astype("f"), rng.random(40).astype("f")

def recurrent():
    model = models.Sequential([L.LSTM(8, input_shape=(5, 6)), L.Dense(1)])
    return model, rng.random((40, 5, 6)).astype("f"), rng.random(40).astype("f")

def state(model):
    return [*model.get_weights(), *model.optimizer.get_weights()]

for make in (dense, recurrent):
    model, x, y = make()
    other = models.clone_model(model)
    other.set_weights(model.get_weights())
    for target in (model, other):
        target.compile(keras.optimizers.Adam(0.001), "mse", ["mae"])
        target.fit(x, y, batch_size=16, shuffle=False, verbose=0)  # plans are built
        target.evaluate(x, y, verbose=0)
    slices = [slice(0, 16), slice(16, 32), slice(32, 40)]
    for delay in (0.02, 0.05, 0.07, 0.11, 0.13):
        before = int(K.get_value(model.optimizer.iterations))
        timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        try:
            model.fit(x, y, batch_size=16, epochs=10**6, shuffle=False, verbose=0,
                      validation_data=(x, y))
        except KeyboardInterrupt:
            pass
        timer.join()
        steps = int(K.get_value(model.optimizer.iterations)) - before
        for k in range(steps):
            rows = slices[k % 3]
            other.train_on_batch(x[rows], y[rows])
        assert steps > 0
        for a, b in zip(state(model), state(other), strict=True):
            np.testing.assert_array_equal(a, b)
    print("whole", make.__name__)
"""


def test_ctrl_c_leaves_whole_steps(tmp_path: Path) -> None:
    """Each time the weights and slots are those of a whole number of batches."""
    assert child(CTRL_C, tmp_path).split() == ["whole", "dense", "whole", "recurrent"]


WHILE_BUILDING = """
import os, signal, threading
import numpy as np
from graphc import keras
from graphc.keras import backend as K, layers as L, models

x, y = np.random.rand(40, 8, 8, 1), np.random.randint(0, 3, 40)
for k in range(6):
    K.clear_session()
    model = models.Sequential([
        L.Conv2D(3 + k, 3, activation="relu", input_shape=(8, 8, 1)), L.BatchNormalization(),
        L.Flatten(), L.Dense(3, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    timer = threading.Timer(0.01 + 0.04 * k, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        model.fit(x, y, batch_size=16, epochs=10**6, verbose=0, validation_data=(x, y))
    except KeyboardInterrupt:
        pass
    timer.join()
    before = int(K.get_value(model.optimizer.iterations))
    losses = model.fit(x, y, batch_size=16, epochs=2, verbose=0, validation_data=(x, y)).history
    assert int(K.get_value(model.optimizer.iterations)) == before + 6
    assert np.isfinite(losses["val_loss"]).all() and model.predict(x).shape == (40, 3)
print("built")
"""


def test_ctrl_c_while_plans_are_built(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("GRAPHC_CACHE", str(tmp_path / "cache"))  # nothing is compiled yet
    assert child(WHILE_BUILDING, tmp_path) == "built\n"


FULL_DISK = """
import resource, signal, sys, warnings
from pathlib import Path
import numpy as np
from graphc import keras
from graphc.keras import callbacks, layers as L, models

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, only = sys.argv[1], sys.argv[2] == "weights"
x, y = np.random.rand(40, 64), np.random.rand(40)
model = models.Sequential([L.Dense(256, activation="relu", input_shape=(64,)), L.Dense(1)])
model.compile("adam", "mse")
kept = []

class Fill(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        kept.append(model.get_weights())
        logs["val_loss"] = [3.0, 2.0, 2.5][epoch]
        size = resource.RLIM_INFINITY if epoch != 1 else 4096
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

made = callbacks.ModelCheckpoint(path, save_weights_only=only, save_best_only=True)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    history = model.fit(x, y, epochs=2, verbose=0, callbacks=[Fill(), made])
texts = [str(w.message) for w in told if "could not be saved to" in str(w.message)]
assert len(texts) == 1 and path in texts[0] and "File too large" in texts[0], texts
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
assert len(history.epoch) == 2 and made.best == 3.0

def load():
    if not only:
        return models.load_model(path)
    other = models.clone_model(model)
    other.load_weights(path)
    return other

for a, b in zip(load().get_weights(), kept[0]):
    np.testing.assert_array_equal(a, b)
found = sorted(p.name for p in Path(path).parent.iterdir())
assert found == [Path(path).name], found
model.fit(x, y, epochs=3, initial_epoch=2, verbose=0, callbacks=[Fill(), made])
for a, b in zip(load().get_weights(), kept[2]):  # better than the last that was kept
    np.testing.assert_array_equal(a, b)
print("kept")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are POSIX's")
@pytest.mark.parametrize(("name", "what"), [
    ("model", "whole"), ("model.h5", "whole"), ("w.weights", "weights"), ("w.h5", "weights"),
])  # fmt: skip
def test_a_full_disk_leaves_the_checkpoint_before(name: str, what: str, tmp_path: Path) -> None:
    if name.endswith(".h5"):
        pytest.importorskip("h5py")
    folder = tmp_path / "kept"
    folder.mkdir()
    program = FULL_DISK.replace("sys.argv[1]", repr(str(folder / name)))
    assert child(program.replace("sys.argv[2]", repr(what)), tmp_path) == "kept\n"


def test_a_full_disk_ends_the_log_with_its_error(tmp_path: Path, monkeypatch: Any) -> None:
    model = model_of()
    made = callbacks.CSVLogger(tmp_path / "no" / "log.csv")
    with pytest.raises(FileNotFoundError, match=r"no/log\.csv"):
        model.fit(X, Y, verbose=0, callbacks=[made])
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    assert any((a != b).any() for a, b in zip(before, model.get_weights()))


def test_an_interrupted_validation_or_prediction_leaves_the_model_usable() -> None:
    model = model_of()

    def stop(*args: Any) -> None:
        raise KeyboardInterrupt

    told = callbacks.LambdaCallback(on_test_batch_end=stop, on_predict_batch_end=stop)
    want = model.predict(X)
    for act in (
        lambda: model.evaluate(X, Y, verbose=0, callbacks=[told]),
        lambda: model.predict(X, callbacks=[told]),
    ):
        with pytest.raises(KeyboardInterrupt):
            act()
    np.testing.assert_array_equal(model.predict(X), want)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, verbose=0, callbacks=[told], validation_data=(X, Y))
    assert keras.backend.get_value(model.optimizer.iterations) == 2
