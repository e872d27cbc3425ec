"""The MNIST tutorial: reading of IDX files, batches, the network of its second part."""

from __future__ import annotations

import gzip
import importlib
from pathlib import Path

import numpy as np
import pytest

import graphc as tf

input_data = tf.examples.tutorials.mnist.input_data


def idx(array: np.ndarray) -> bytes:
    magic = 2051 if array.ndim == 3 else 2049
    header = [magic, *array.shape]
    return b"".join(n.to_bytes(4, "big") for n in header) + array.astype(np.uint8).tobytes()


def images_of(count: int, start: int = 0) -> np.ndarray:
    """Images 28 x 28 whose first pixel is their number."""
    out = np.zeros((count, 28, 28), np.uint8)
    out[:, 0, 0] = np.arange(start, start + count)
    return out


def write(folder: Path, zipped: bool = True, names: str = "-idx") -> Path:
    folder.mkdir(exist_ok=True)
    parts = {"train": (images_of(60), np.arange(60) % 10), "t10k": (images_of(20, 100), [7] * 20)}
    for part, (images, labels) in parts.items():
        for kind, array in (("images-idx3", images), ("labels-idx1", np.array(labels))):
            data = idx(array)
            name = f"{part}-{kind}-ubyte".replace("-idx", names)
            path = folder / (name + ".gz" if zipped else name)
            path.write_bytes(gzip.compress(data) if zipped else data)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("mnist"))


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.delenv("GRAPHC_DATA", raising=False)
    tf.reset_default_graph()


def test_three_sets_with_tensorflows_shapes(folder):
    mnist = input_data.read_data_sets(str(folder), one_hot=True, validation_size=10)
    assert [d.num_examples for d in mnist] == [50, 10, 20]
    assert mnist.train.images.shape == (50, 784)
    assert mnist.train.images.dtype == np.float32
    assert mnist.train.labels.shape == (50, 10)
    np.testing.assert_array_equal(np.argmax(mnist.validation.labels, 1), np.arange(10))
    np.testing.assert_allclose(mnist.train.images[:, 0], np.arange(10, 60, dtype="f4") / 255)
    np.testing.assert_array_equal(np.argmax(mnist.test.labels, 1), [7] * 20)


def test_an_empty_set_has_no_batches(folder):
    empty = input_data.read_data_sets(folder, validation_size=0).validation
    assert empty.images.shape == (0, 784)
    with pytest.raises(ValueError, match="no examples"):
        empty.next_batch(1)


def test_bytes_unshaped_and_plain_labels(folder):
    mnist = input_data.read_data_sets(folder, dtype=tf.uint8, reshape=False, validation_size=0)
    assert mnist.train.images.shape == (60, 28, 28, 1)
    assert mnist.train.images.dtype == np.uint8
    assert mnist.train.labels.tolist() == [n % 10 for n in range(60)]


@pytest.mark.parametrize(("zipped", "names"), [(False, "-idx"), (False, ".idx"), (True, ".idx")])
def test_unpacked_files_and_names_with_a_dot(tmp_path, zipped, names):
    write(tmp_path, zipped, names)
    assert input_data.read_data_sets(tmp_path, validation_size=5).train.num_examples == 55


def test_an_epoch_shows_each_example_once_in_a_new_order(folder):
    train = input_data.read_data_sets(folder, dtype=tf.uint8, validation_size=0, seed=1).train
    seen = []
    for _ in range(8):
        images, labels = train.next_batch(15)
        assert images.shape == (15, 784)
        np.testing.assert_array_equal(images[:, 0] % 10, labels)
        seen += images[:, 0].tolist()
    first, second = seen[:60], seen[60:]
    assert sorted(first) == sorted(second) == list(range(60))
    assert first != second
    assert train.epochs_completed == 1


def test_a_batch_goes_on_into_the_next_epoch(folder):
    train = input_data.read_data_sets(folder, dtype=tf.uint8, validation_size=0).train
    batches = [train.next_batch(45, shuffle=False)[0][:, 0].tolist() for _ in range(2)]
    assert batches[1] == [*range(45, 60), *range(30)]
    assert train.epochs_completed == 1
    long, _ = train.next_batch(200, shuffle=False)
    assert long[:, 0].tolist() == ([*range(30, 60)] + [*range(60)] * 3)[:200]
    assert train.epochs_completed == 4


def test_a_seed_gives_the_same_batches(folder):
    def batch(seed):
        train = input_data.read_data_sets(folder, validation_size=0, seed=seed).train
        return train.next_batch(60)[1].tolist()

    assert batch(3) == batch(3) != batch(4)
    np.random.seed(5)  # noqa: NPY002 - scripts seed the batches so
    first = batch(None)
    np.random.seed(5)  # noqa: NPY002
    assert batch(None) == first
    tf.set_random_seed(9)
    assert batch(None) == batch(None)


def test_fake_data_needs_no_files(tmp_path):
    mnist = input_data.read_data_sets(tmp_path, fake_data=True, one_hot=True)
    images, labels = mnist.train.next_batch(3)
    assert images == [[1] * 784] * 3
    assert labels == [[1] + [0] * 9] * 3
    assert mnist.train.num_examples == 10000


def test_missing_files_say_which_to_put_where(tmp_path, folder, monkeypatch):
    with pytest.raises(FileNotFoundError) as error:
        input_data.read_data_sets(str(tmp_path))
    text = str(error.value)
    assert "graphc does not download it" in text
    assert all(name in text for name in ("train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"))
    assert str(tmp_path) in text and "GRAPHC_DATA" in text
    monkeypatch.setenv("GRAPHC_DATA", str(folder))
    assert input_data.read_data_sets(tmp_path, validation_size=1).train.num_examples == 59
    write(tmp_path / "mnist")
    monkeypatch.setenv("GRAPHC_DATA", str(tmp_path))
    assert input_data.read_data_sets("nowhere", validation_size=2).train.num_examples == 58


def test_broken_files_and_wrong_sizes(tmp_path):
    write(tmp_path, zipped=False)
    with pytest.raises(ValueError, match=r"between 0 and 60. Received: 61."):
        input_data.read_data_sets(tmp_path, validation_size=61)
    labels = tmp_path / "train-labels-idx1-ubyte"
    whole = labels.read_bytes()
    labels.write_bytes(whole[:-1])
    with pytest.raises(ValueError, match="says 60 labels and holds 59"):
        input_data.read_data_sets(tmp_path)
    labels.write_bytes(b"\0\0\x08\x03" + whole[4:])
    with pytest.raises(ValueError, match="Invalid magic number 2051 in MNIST label file"):
        input_data.read_data_sets(tmp_path)


def test_the_path_imports():
    for name in ("input_data", "mnist"):
        module = importlib.import_module(f"graphc.examples.tutorials.mnist.{name}")
        assert getattr(tf.examples.tutorials.mnist, name) is module
    from graphc.examples.tutorials.mnist.input_data import DataSet

    with pytest.raises(TypeError, match="Invalid image dtype"):
        DataSet(images_of(2)[..., None], np.zeros(2), dtype=tf.float64)
    with pytest.raises(AssertionError, match=r"images.shape: \(2, 28, 28, 1\)"):
        DataSet(images_of(2)[..., None], np.zeros(3))


def test_the_tutorials_network_learns(folder):
    mnist = tf.examples.tutorials.mnist.mnist
    data = input_data.read_data_sets(folder, validation_size=0, seed=2).train
    images = tf.placeholder(tf.float32, [20, mnist.IMAGE_PIXELS])
    labels = tf.placeholder(tf.int32, [20])
    logits = mnist.inference(images, 16, 8)
    loss = mnist.loss(logits, labels)
    step = mnist.training(loss, 0.1)
    right = mnist.evaluation(logits, labels)
    losses = []
    x, y = data.next_batch(20)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(30):
            losses.append(sess.run([step, loss], {images: x, labels: y})[1])
        assert 0 <= sess.run(right, {images: x, labels: y}) <= 20
    assert losses[-1] < losses[0]
    names = [v.op.name for v in tf.trainable_variables()]
    assert names[:3] == ["hidden1/weights", "hidden1/biases", "hidden2/weights"]
