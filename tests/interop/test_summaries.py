"""Summary ops and event files: TensorFlow's values, tags, files that are read back."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from graphc.interop.events import png

Z = np.load(Path(__file__).parent.parent / "fixtures" / "tf" / "summaries.npz")


@pytest.fixture
def sess():
    tf.reset_default_graph()
    with tf.Session() as session:
        yield session


def pixels(data: bytes) -> np.ndarray:
    """The image of a PNG as graphc writes them: every row has the filter `Sub`."""
    width, height = (int.from_bytes(data[k : k + 4], "big") for k in (16, 20))
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[data[25]]
    at = data.index(b"IDAT")
    size = int.from_bytes(data[at - 4 : at], "big")
    rows = np.frombuffer(zlib.decompress(data[at + 4 : at + 4 + size]), np.uint8)
    rows = rows.reshape(height, 1 + width * channels)
    assert (rows[:, 0] == 1).all()
    steps = rows[:, 1:].reshape(height, width, channels)
    return np.cumsum(steps, axis=1, dtype=np.uint8)


def theirs(name: str) -> tf.Summary:
    return tf.Summary.FromString(Z[name].tobytes())


def test_values_are_tensorflows(sess) -> None:
    ops = {
        "histogram": tf.summary.histogram("h", Z["values"]),
        "audio": tf.summary.audio("a", Z["images"][1, :, :, 0], 8000.0),
        "scalar": tf.summary.scalar("s", Z["values"][3]),
        "text": tf.summary.text("t", tf.constant(["a", "b"])),
    }
    for name, raw in sess.run(ops).items():
        assert isinstance(raw, bytes)
        assert tf.Summary.FromString(raw) == theirs(name), name


def test_pixels_are_tensorflows(sess) -> None:
    ops = {
        "image": tf.summary.image("i", Z["images"]),
        "positive": tf.summary.image("p", Z["positive_images"], max_outputs=1),
    }
    for name, raw in sess.run(ops).items():
        mine, want = tf.Summary.FromString(raw), theirs(name)
        assert [v.tag for v in mine.value] == [v.tag for v in want.value]
        for value, image in zip(mine.value, Z[name + "_pixels"], strict=True):
            assert (value.image.height, value.image.width, value.image.colorspace) == image.shape
            assert np.array_equal(pixels(value.image.encoded_image_string), image)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_of_every_kind(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    assert np.array_equal(pixels(png(image)), image)


def test_tags_follow_scopes_and_families(sess) -> None:
    with tf.name_scope("layer"):
        one = tf.summary.scalar("a loss", 1.0)
        two = tf.summary.scalar("a loss", 2.0)
        three = tf.summary.scalar("x", 3.0, family="f")
    tags = [tf.Summary.FromString(r).value[0].tag for r in sess.run([one, two, three])]
    assert tags == ["layer/a_loss", "layer/a_loss_1", "f/layer/f/x"]
    assert one.op.type == "ScalarSummary" and one.op.name == "layer/a_loss"


def test_merge_all_collects_and_is_none_without_summaries(sess) -> None:
    assert tf.summary.merge_all() is None
    x = tf.placeholder(tf.float32, [])
    tf.summary.scalar("x", x)
    tf.summary.histogram("h", [x, 2 * x])
    tf.summary.scalar("other", x, collections=["mine"])
    merged = tf.summary.merge_all()
    assert merged.op.name == "Merge/MergeSummary"
    summary = tf.Summary.FromString(sess.run(merged, {x: 1.5}))
    assert [v.tag for v in summary.value] == ["x", "h"]
    assert summary.value[0].simple_value == 1.5 and summary.value[1].histo.num == 2
    assert tf.summary.merge_all("mine") is not None
    twice = tf.summary.merge([merged, tf.summary.merge_all()])
    with pytest.raises(tf.errors.InvalidArgumentError, match="Duplicate tag x found"):
        sess.run(twice, {x: 1.0})


def test_bad_values_are_told(sess) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="Nan in summary histogram for: h"):
        sess.run(tf.summary.histogram("h", [1.0, float("nan")]))
    with pytest.raises(ValueError, match="to have dtype string"):
        tf.summary.text("t", 1.0)
    with pytest.raises(ValueError, match="Shape must be rank 4"):
        tf.summary.image("i", np.zeros((2, 3, 3), np.float32))
    wide = tf.summary.image("i", np.zeros((1, 3, 3, 2), np.float32))
    with pytest.raises(tf.errors.InvalidArgumentError, match="last dim 1, 3, or 4"):
        sess.run(wide)


def read(folder: Path) -> list[tf.Event]:
    return [e for f in sorted(folder.iterdir()) for e in tf.train.summary_iterator(str(f))]


def test_event_files_hold_what_was_added(tmp_path, sess) -> None:
    x = tf.placeholder(tf.float32, [], name="x")
    raw = sess.run(tf.summary.scalar("loss", x), {x: 0.5})
    with tf.summary.FileWriter(str(tmp_path / "new" / "log"), sess.graph) as writer:
        writer.add_summary(raw, 1)
        mine = tf.Summary(value=[tf.Summary.Value(tag="mine", simple_value=2.0)])
        writer.add_summary(mine, global_step=np.int64(2))
        writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), 3)
        writer.add_run_metadata(tf.RunMetadata(), "step", 4)
        with pytest.raises(ValueError, match="already used"):
            writer.add_run_metadata(tf.RunMetadata(), "step", 5)
        writer.add_event(tf.Event(wall_time=1.0, step=6))
    events = read(tmp_path / "new" / "log")
    assert events[0].file_version == "brain.Event:2"
    kinds = [e.WhichOneof("what") for e in events]
    assert kinds == [
        "file_version", "graph_def", "meta_graph_def", "summary", "summary", "session_log",
        "tagged_run_metadata", None,
    ]  # fmt: skip
    assert [e.step for e in events] == [0, 0, 0, 1, 2, 3, 4, 6]
    assert events[4].summary.value[0].simple_value == 2
    graph = tf.GraphDef.FromString(events[1].graph_def)
    assert "ScalarSummary" in [n.op for n in graph.node]
    assert graph.node[0].attr["_output_shapes"].HasField("list")


def test_closed_writers_warn_and_reopen_in_a_new_file(tmp_path) -> None:
    writer = tf.summary.FileWriter(tmp_path, filename_suffix=".mine")
    writer.add_summary(tf.Summary(), 1)
    writer.flush()
    assert len(read(tmp_path)) == 2
    writer.close()
    with pytest.warns(UserWarning, match="closed FileWriter"):
        writer.add_summary(tf.Summary(), 2)
    writer.reopen()
    writer.add_summary(tf.Summary(), 3)
    writer.close()
    names = [p.name for p in tmp_path.iterdir()]
    assert len(names) == 2 and all(n.endswith(".mine") for n in names)
    assert [e.step for e in read(tmp_path)] == [0, 1, 0, 3]


def test_writers_are_cached_by_directory(tmp_path) -> None:
    tf.reset_default_graph()
    one = tf.summary.FileWriterCache.get(str(tmp_path))
    assert tf.summary.FileWriterCache.get(str(tmp_path)) is one
    tf.summary.FileWriterCache.clear()
    assert tf.summary.FileWriterCache.get(str(tmp_path)) is not one
    tf.summary.FileWriterCache.clear()


def test_missing_event_files_are_not_found(tmp_path) -> None:
    with pytest.raises(tf.errors.NotFoundError):
        list(tf.train.summary_iterator(str(tmp_path / "none")))
