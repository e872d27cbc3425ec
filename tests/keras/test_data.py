"""Preprocessing, data sets from the user's files, utilities."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc import keras
from graphc.keras.preprocessing import image, sequence, text

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: Any) -> Path:
    monkeypatch.setenv("GRAPHC_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


# ------------------------------------------------------------------ sequences and texts
def test_pad_sequences() -> None:
    rows = [[1, 2, 3], [4], [5, 6]]
    pad = sequence.pad_sequences
    assert pad(rows).tolist() == [[1, 2, 3], [0, 0, 4], [0, 5, 6]]
    assert pad(rows, 2).tolist() == [[2, 3], [0, 4], [5, 6]]
    assert pad(rows, 2, padding="post", truncating="post", value=9).tolist() == [
        [1, 2], [4, 9], [5, 6]]  # fmt: skip
    assert pad(rows).dtype == np.int32
    assert pad([[[1, 2]], [[3, 4], [5, 6]]], dtype="float32").shape == (2, 2, 2)
    with pytest.raises(ValueError, match="must be a list of iterables"):
        pad([1, 2])
    with pytest.raises(ValueError, match='Padding type "mid" not understood'):
        pad(rows, padding="mid")


def test_timeseries_generator() -> None:
    data = np.arange(50).reshape(-1, 1)
    made = sequence.TimeseriesGenerator(data, data, length=10, sampling_rate=2, batch_size=2)
    assert len(made) == 20
    x, y = made[0]
    assert x[:, :, 0].tolist() == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]] and y.tolist() == [[10], [11]]


def test_skipgrams_pair_neighbours() -> None:
    couples, labels = sequence.skipgrams([1, 2, 3], 5, window_size=1, negative_samples=0)
    assert sorted(map(tuple, couples)) == [(1, 2), (2, 1), (2, 3), (3, 2)] and set(labels) == {1}
    couples, labels = sequence.skipgrams(list(range(1, 9)), 20, seed=1)
    assert len(couples) == len(labels) and labels.count(0) == labels.count(1)


def test_tokenizer() -> None:
    made = text.Tokenizer(num_words=4, oov_token="?")
    made.fit_on_texts(["The cat sat.", "The cat ate the mouse!"])
    assert made.word_index == {"?": 1, "the": 2, "cat": 3, "sat": 4, "ate": 5, "mouse": 6}
    assert made.texts_to_sequences(["the cat flew", "sat"]) == [[2, 3, 1], [1]]
    assert made.sequences_to_texts([[2, 3]]) == ["the cat"]
    assert made.texts_to_matrix(["the the cat"], "count").tolist() == [[0, 0, 2, 1]]
    again = text.tokenizer_from_json(made.to_json())
    assert again.texts_to_sequences(["the cat"]) == [[2, 3]]
    assert text.text_to_word_sequence("A b, c!") == ["a", "b", "c"]
    assert all(0 < k < 50 for k in text.one_hot("some words here", 50))
    chars = text.Tokenizer(char_level=True)
    chars.fit_on_texts(["abba"])
    assert chars.texts_to_sequences(["ab"]) == [[1, 2]]


def test_labels_as_rows() -> None:
    to_categorical = keras.utils.to_categorical
    assert to_categorical([0, 2]).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert to_categorical([[1], [0]], 3).shape == (2, 3)
    with pytest.raises(ValueError, match="below num_classes=3"):
        to_categorical([3], 3)
    rows = keras.utils.normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]])


# ------------------------------------------------------------------ pictures
def test_pictures_change_at_random() -> None:
    x = RNG.random((10, 8, 8, 3)).astype("f")
    made = image.ImageDataGenerator(
        rotation_range=20, width_shift_range=0.2, height_shift_range=0.2, zoom_range=0.2,
        shear_range=5, horizontal_flip=True, vertical_flip=True, rescale=0.5,
    )  # fmt: skip
    flow = made.flow(x, np.arange(10), batch_size=4, shuffle=False, seed=1)
    batches = [next(flow) for _ in range(4)]
    assert [len(b[0]) for b in batches] == [4, 4, 2, 4] and len(flow) == 3
    assert batches[0][1].tolist() == [0, 1, 2, 3] and batches[0][0].max() <= 0.5
    assert not np.allclose(batches[0][0], x[:4] * 0.5)


def test_pictures_are_standardized() -> None:
    x = RNG.random((20, 4, 4, 2)) * 7 + 3
    made = image.ImageDataGenerator(featurewise_center=True, featurewise_std_normalization=True)
    with pytest.warns(UserWarning, match="hasn't been fit"):
        next(made.flow(x))
    made.fit(x)
    batch = next(made.flow(x, batch_size=20))
    np.testing.assert_allclose(batch.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(batch.std((0, 1, 2)), 1, atol=1e-4)
    split = image.ImageDataGenerator(validation_split=0.25)
    assert split.flow(x, subset="training").n == 15 and split.flow(x, subset="validation").n == 5


def test_shifts_turns_and_flips_move_pixels() -> None:
    x = np.arange(16.0).reshape(4, 4, 1)
    made = image.ImageDataGenerator(fill_mode="constant")
    shifted = made.apply_transform(x, {"tx": 1})
    np.testing.assert_array_equal(shifted[:3, :, 0], x[1:, :, 0])
    assert (shifted[3] == 0).all()
    np.testing.assert_array_equal(made.apply_transform(x, {"flip_horizontal": True}), x[:, ::-1])
    turned = made.apply_transform(x, {"theta": 90})
    np.testing.assert_allclose(turned[..., 0], np.rot90(x[..., 0], -1), atol=1e-9)


def test_a_model_learns_from_a_generator() -> None:
    x, y = RNG.random((16, 8, 8, 1)), RNG.integers(0, 2, 16)
    model = keras.Sequential([keras.layers.Flatten(input_shape=(8, 8, 1)),
                              keras.layers.Dense(1, activation="sigmoid")])  # fmt: skip
    model.compile("adam", "binary_crossentropy")
    flow = image.ImageDataGenerator(horizontal_flip=True).flow(x, y, batch_size=4)
    history = model.fit_generator(flow, steps_per_epoch=4, epochs=2, verbose=0).history
    assert len(history["loss"]) == 2


def test_folders_of_pictures(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for k in range(3):
            pixels = RNG.integers(0, 255, (6, 5, 3)).astype("u1")
            pillow.fromarray(pixels).save(tmp_path / name / f"{k}.png")
    flow = image.ImageDataGenerator(rescale=1 / 255).flow_from_directory(
        tmp_path, (8, 8), batch_size=4, class_mode="binary", shuffle=False
    )
    x, y = next(flow)
    assert x.shape == (4, 8, 8, 3) and y.tolist() == [0, 0, 0, 1] and x.max() <= 1
    assert flow.class_indices == {"cat": 0, "dog": 1}
    one = image.img_to_array(image.load_img(tmp_path / "cat" / "0.png", target_size=(4, 4)))
    assert one.shape == (4, 4, 3)


# ------------------------------------------------------------------ data sets
def idx(array: Any) -> bytes:
    head = bytes([0, 0, 8, array.ndim])
    return head + b"".join(d.to_bytes(4, "big") for d in array.shape) + array.tobytes()


def test_mnist_from_npz_and_from_idx_files(folder: Path) -> None:
    x, y = RNG.integers(0, 255, (5, 28, 28)).astype("u1"), np.arange(5, dtype="u1")
    with pytest.raises(FileNotFoundError, match=r"does not download: put mnist\.npz"):
        keras.datasets.mnist.load_data()
    np.savez(folder / "mnist.npz", x_train=x, y_train=y, x_test=x[:2], y_test=y[:2])
    (a, b), (c, d) = keras.datasets.mnist.load_data()
    assert (a == x).all() and (b == y).all() and c.shape == (2, 28, 28) and len(d) == 2
    there = folder / "fashion-mnist"
    there.mkdir()
    for part in ("train", "t10k"):
        (there / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(x)))
        (there / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(y)))
    (a, b), _ = keras.datasets.fashion_mnist.load_data()
    assert (a == x).all() and (b == y).all()
    (there / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(x)[:-9]))
    with pytest.raises(ValueError, match="cut off"):
        keras.datasets.fashion_mnist.load_data()


def test_cifar_from_folder_and_archive(folder: Path) -> None:
    data = RNG.integers(0, 255, (3, 3072)).astype("u1")
    there = folder / "cifar-10-batches-py"
    there.mkdir()
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        (there / name).write_bytes(pickle.dumps({"data": data, "labels": [1, 2, 3]}))
    (x, y), (u, v) = keras.datasets.cifar10.load_data()
    assert x.shape == (15, 32, 32, 3) and y.shape == (15, 1) and u.shape == (3, 32, 32, 3)
    assert (x[0, 0, 0] == data[0, [0, 1024, 2048]]).all() and v[0, 0] == 1
    with tarfile.open(folder / "cifar-100-python.tar.gz", "w:gz") as archive:
        for name in ("train", "test"):
            table = {"data": data, "fine_labels": [5, 6, 7], "coarse_labels": [0] * 3}
            content = pickle.dumps(table)
            info = tarfile.TarInfo(f"cifar-100-python/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    (x, y), _ = keras.datasets.cifar100.load_data()
    assert y[:, 0].tolist() == [5, 6, 7]


class Evil:
    def __reduce__(self) -> Any:
        return print, ("run",)


def test_pickles_in_data_run_no_code(folder: Path, capsys: Any) -> None:
    there = folder / "cifar-10-batches-py"
    there.mkdir()
    (there / "data_batch_1").write_bytes(pickle.dumps({"data": Evil(), "labels": []}))
    with pytest.raises(pickle.UnpicklingError, match="no array"):
        keras.datasets.cifar10.load_data()
    assert "run" not in capsys.readouterr().out


def lists(rows: list[list[int]]) -> Any:
    out = np.empty(len(rows), object)
    out[:] = rows
    return out


def test_texts_as_numbers(folder: Path) -> None:
    rows = lists([[3, 4, 50], [7], [9, 2]])
    np.savez(folder / "imdb.npz", x_train=rows, y_train=[0, 1, 0], x_test=rows, y_test=[1, 1, 0])
    (x, y), (u, _) = keras.datasets.imdb.load_data(num_words=20)
    assert sorted(map(tuple, x)) == [(1, 6, 7, 2), (1, 10), (1, 12, 5)] and len(y) == len(u) == 3
    np.savez(folder / "reuters.npz", x=rows, y=[3, 4, 5])
    (x, _), (u, _) = keras.datasets.reuters.load_data(test_split=0.34)
    assert len(x) == 1 and len(u) == 2
    (folder / "imdb_word_index.json").write_text('{"the": 1}')
    assert keras.datasets.imdb.get_word_index() == {"the": 1}


def test_boston_housing_is_split_as_kerass(folder: Path) -> None:
    np.savez(folder / "boston_housing.npz", x=RNG.random((10, 13)), y=np.arange(10.0))
    (x, y), (u, v) = keras.datasets.boston_housing.load_data()
    assert x.shape == (8, 13) and u.shape == (2, 13) and sorted([*y, *v]) == list(range(10))


def test_get_file_finds_and_unpacks(folder: Path) -> None:
    (folder / "a.txt").write_text("hello")
    assert Path(keras.utils.get_file("a.txt", "http://host/a.txt")).read_text() == "hello"
    with pytest.raises(ValueError, match="its hash is not"):
        keras.utils.get_file("a.txt", file_hash="0" * 32)
    with pytest.raises(FileNotFoundError, match="graphc does not download"):
        keras.utils.get_file("b.txt", "http://host/b.txt")
    local = keras.utils.get_file("c.txt", (folder / "a.txt").as_uri())
    assert Path(local).parent == folder / "home" / ".keras" / "datasets"
    with zipfile.ZipFile(folder / "z.zip", "w") as packed:
        packed.writestr("inner/x.txt", "x")
    keras.utils.get_file("z.zip", extract=True)
    assert (folder / "inner" / "x.txt").exists()
    with zipfile.ZipFile(folder / "bad.zip", "w") as packed:
        packed.writestr("../out.txt", "x")
    with pytest.raises(ValueError, match="outside of the folder"):
        keras.utils.get_file("bad.zip", extract=True)
