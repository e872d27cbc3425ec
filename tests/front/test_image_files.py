"""Encoded images in graphs: shapes, files there and back, what needs Pillow and what does not."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import image_png
from tests.oracle.file_cases import BYTES, PNGS, SQUARE


@pytest.fixture(autouse=True)
def _fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


@pytest.fixture
def without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def found(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "PIL" or name.startswith("PIL."):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", found)


def test_static_shapes() -> None:
    name = tf.placeholder(tf.string, [])
    for got, want in (
        (tf.image.decode_png(name), [None, None, None]),
        (tf.image.decode_png(name, channels=3), [None, None, 3]),
        (tf.image.decode_jpeg(name, channels=1), [None, None, 1]),
        (tf.image.decode_gif(name), [None, None, None, 3]),
        (tf.image.decode_bmp(name, 4), [None, None, 4]),
        (tf.image.decode_image(name, 3, expand_animations=False), [None, None, 3]),
        (tf.image.extract_jpeg_shape(name), [3]),
        (tf.image.encode_png(tf.zeros([2, 2, 1], tf.uint8)), []),
    ):
        assert got.get_shape().as_list() == want
    assert tf.image.decode_image(name).get_shape().ndims is None
    assert tf.image.decode_image(name, dtype=tf.float32).dtype == tf.float32


def test_files_of_a_training_script(tmp_path: Any) -> None:
    """Written, read, decoded, resized: the way of images into a network."""
    image = np.random.default_rng(0).integers(256, size=(12, 10, 3)).astype(np.uint8)
    smooth = np.clip(np.add.outer(np.arange(16) * 9, np.arange(24) * 4), 0, 255)
    smooth = np.repeat(smooth[:, :, None], 3, 2).astype(np.uint8)
    with tf.Session() as sess:
        for name, encode, source in (
            ("a.png", tf.image.encode_png, image), ("b.jpg", tf.image.encode_jpeg, smooth),
        ):  # fmt: skip
            (tmp_path / name).write_bytes(sess.run(encode(source)))
            contents = tf.constant((tmp_path / name).read_bytes())
            decoded = tf.image.decode_image(contents, channels=3)
            decoded.set_shape([None, None, 3])
            floats = tf.image.convert_image_dtype(decoded, tf.float32)
            ready = tf.image.resize_images(floats, [8, 8])
            got, small = sess.run([decoded, ready])
            assert small.shape == (8, 8, 3) and small.max() <= 1
            np.testing.assert_allclose(got.astype(int), source, atol=0 if name == "a.png" else 4)


def test_sizes_of_files_differ_from_run_to_run() -> None:
    contents = tf.placeholder(tf.string, [])
    mean = tf.reduce_mean(tf.cast(tf.image.decode_png(contents, channels=3), tf.float32))
    with tf.Session() as sess:
        for height, width in ((3, 4), (7, 2), (3, 4)):
            image = np.full((height, width, 3), 10 * height, np.uint8)
            assert sess.run(mean, {contents: image_png.encode(image)}) == 10 * height


def test_png_files_need_no_pillow(without_pillow: None) -> None:
    for name in PNGS:
        assert image_png.decode(BYTES[name]).colour.ndim == 3
    np.testing.assert_array_equal(image_png.decode(BYTES["interlaced"]).colour, SQUARE)


@pytest.mark.parametrize("name", PNGS)
def test_png_by_pillow_and_by_hand(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = image_png.decode(BYTES[name])
    monkeypatch.setattr(image_png, "_by_pillow", lambda contents: None)
    slow = image_png.decode(BYTES[name])
    np.testing.assert_array_equal(quick.colour, slow.colour)
    assert quick.declared == slow.declared and (quick.alpha is None) == (slow.alpha is None)
    if quick.alpha is not None:
        np.testing.assert_array_equal(quick.alpha, slow.alpha)


def test_all_row_filters_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    io = pytest.importorskip("io")
    pillow = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(2)
    smooth = np.cumsum(rng.integers(-3, 4, size=(40, 50, 3)), axis=0) + rng.integers(255)
    image = (smooth + np.arange(50)[None, :, None] * 2).astype(np.uint8)
    out = io.BytesIO()
    pillow.fromarray(image).save(out, "PNG")
    monkeypatch.setattr(image_png, "_by_pillow", lambda contents: None)
    np.testing.assert_array_equal(image_png.decode(out.getvalue()).colour, image)


def test_what_needs_pillow_says_so(without_pillow: None) -> None:
    contents = tf.placeholder(tf.string, [])
    decoded = tf.image.decode_image(contents)
    with tf.Session() as sess:
        assert sess.run(decoded, {contents: BYTES["rgb"]}).shape == (5, 7, 3)
        assert sess.run(decoded, {contents: BYTES["bmp"]}).shape == (5, 7, 3)
        assert sess.run(tf.image.extract_jpeg_shape(BYTES["jpeg"])).tolist() == [16, 24, 3]
        for name in ("jpeg", "gif"):
            with pytest.raises(tf.errors.UnimplementedError, match=r"pip install graphc\[images\]"):
                sess.run(decoded, {contents: BYTES[name]})


def test_the_quality_of_a_jpeg() -> None:
    image = np.random.default_rng(1).integers(256, size=(32, 32, 3)).astype(np.uint8)
    rough = tf.image.adjust_jpeg_quality(image, 5)
    fine = tf.image.adjust_jpeg_quality(image, 98)
    floats = tf.image.adjust_jpeg_quality(image / np.float32(255), tf.constant(98))
    drawn = tf.image.random_jpeg_quality(image, 5, 98, seed=1)
    grey = tf.image.decode_jpeg(tf.image.encode_jpeg(image[..., :1], quality=100))
    sizes = [
        tf.image.encode_jpeg(image, quality=10), tf.image.encode_jpeg(image, quality=90),
        tf.image.encode_jpeg(image, quality=90, chroma_downsampling=False),
        tf.image.encode_jpeg(image, progressive=True, optimize_size=True, density_unit="cm"),
    ]  # fmt: skip
    with tf.Session() as sess:
        a, b, c, d, e = sess.run([rough, fine, floats, grey, drawn])
        bad, good = (np.abs(v.astype(int) - image).mean() for v in (a, b))
        assert good < bad and c.dtype == np.float32 and c.max() <= 1
        assert np.abs(c * 255 - image).mean() < bad and e.shape == image.shape
        np.testing.assert_allclose(d.astype(int), image[..., :1], atol=3)
        lengths = [len(f) for f in sess.run(sizes)]
        assert lengths[0] < lengths[1] < lengths[2]
    with pytest.raises(ValueError, match=r"quality must be in \[0,100\]"):
        tf.image.encode_jpeg(image, quality=101)
    with pytest.raises(ValueError, match="channels must be 0, 1, 3 or 4"):
        tf.image.decode_png("", channels=7)
    with pytest.raises(ValueError, match="ratio must be"):
        tf.image.decode_jpeg("", ratio=3)


def test_a_jpeg_that_is_cut_off() -> None:
    whole = BYTES["jpeg"]
    cut = whole[: len(whole) - 40]
    with tf.Session() as sess:
        got = sess.run(tf.image.decode_jpeg(cut, try_recover_truncated=True))
        assert got.shape == (16, 24, 3)
        with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid JPEG data"):
            sess.run(tf.image.decode_jpeg(cut[:200]))
