"""tf.signal against what TensorFlow computed (fixtures/signal.npz), and what it does not do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from graphc import signal
from tests.layers import signal_cases

STORED = np.load(Path(__file__).parent.parent / "fixtures" / "signal.npz")


@pytest.fixture(autouse=True)
def sess():
    tf.reset_default_graph()
    with tf.Session() as session:
        yield session


def test_all_that_tensorflow_computed(sess) -> None:
    cases = dict(signal_cases.everything(tf, signal))
    assert sorted(cases) == sorted(STORED.files)
    for name, got in sess.run(cases).items():
        want = STORED[name]
        assert got.shape == want.shape and got.dtype == want.dtype, name
        assert cases[name].shape.is_compatible_with(want.shape), name
        wide = want.dtype in (np.float64, np.complex128)
        np.testing.assert_allclose(got, want, atol=1e-11 if wide else 3e-6, err_msg=name)


@pytest.mark.parametrize("length", [64, 100, 128])
def test_gradients_of_cut_and_padded_transforms(length, sess) -> None:
    x = tf.constant(signal_cases.ROWS)
    power = tf.reduce_sum(tf.square(tf.abs(signal.rfft(x, [length]))))
    got, value = sess.run([tf.gradients(power, x)[0], power])
    step = np.zeros((2, 100))
    step[1, 7] = 1e-5
    up = np.sum(np.abs(np.fft.rfft(signal_cases.ROWS + step, length)) ** 2)
    down = np.sum(np.abs(np.fft.rfft(signal_cases.ROWS - step, length)) ** 2)
    np.testing.assert_allclose(got[1, 7], (up - down) / 2e-5, rtol=1e-5)
    assert np.all(got[:, length:] == 0) and value > 0


def test_unknown_extents(sess) -> None:
    x = tf.placeholder(tf.float32, [None, None])
    data = signal_cases.ROWS.astype(np.float32)
    spectra = signal.stft(x, 16, 8)
    assert spectra.shape.as_list() == [None, None, 9]
    back = signal.inverse_stft(spectra, 16, 8, window_fn=signal.inverse_stft_window_fn(8))
    got = sess.run(back, {x: data})
    np.testing.assert_allclose(got[:, 8:-8], data[:, 8 : got.shape[1] - 8], atol=1e-5)
    assert sess.run(tf.shape(signal.frame(x, 16, 8, pad_end=True)), {x: data}).tolist() == \
        [2, 13, 16]  # fmt: skip
    z = tf.placeholder(tf.complex64)
    assert signal.fft(z).shape.ndims is None
    np.testing.assert_allclose(sess.run(tf.ifft(tf.fft(z)), {z: data}), data, atol=1e-5)
    np.testing.assert_allclose(sess.run(tf.spectral.irfft(tf.spectral.rfft(x)), {x: data}), data,
                               atol=1e-5)  # fmt: skip


def test_a_pipeline_of_speech_features(sess) -> None:
    samples = tf.placeholder(tf.float32, [None, 8000])
    spectra = tf.abs(tf.contrib.signal.stft(samples, frame_length=400, frame_step=160))
    mel = tf.tensordot(
        spectra, tf.contrib.signal.linear_to_mel_weight_matrix(40, 257, 16000, 80.0, 7600.0), 1
    )
    mfccs = tf.contrib.signal.mfccs_from_log_mel_spectrograms(tf.log(mel + 1e-6))[..., :13]
    assert mfccs.shape.as_list() == [None, 48, 13]
    t = np.arange(8000) / 16000
    tone = np.sin(2 * np.pi * 1000 * t).astype(np.float32)[None]
    loud, features = sess.run([mel, mfccs], {samples: tone})
    assert np.all(loud[0].argmax(-1) == loud[0, 0].argmax()) and np.isfinite(features).all()


def test_errors() -> None:
    with pytest.raises(ValueError, match="same size"):
        tf.roll(tf.zeros([3]), [1, 2], [0])
    with pytest.raises(ValueError, match="at least rank 2"):
        tf.fft2d(tf.zeros([3], tf.complex64))
    with pytest.raises(ValueError, match="Types I, II, III and IV"):
        tf.spectral.dct(tf.zeros([3]), 5)
    with pytest.raises(ValueError, match="not supported for the Type-I"):
        tf.spectral.dct(tf.zeros([3]), 1, norm="ortho")
    with pytest.raises(NotImplementedError, match="axis must be -1"):
        tf.spectral.dct(tf.zeros([3]), axis=0)
    with pytest.raises(ValueError, match="Nyquist"):
        signal.linear_to_mel_weight_matrix(sample_rate=1000)
    with pytest.raises(ValueError, match="at least two"):
        signal.overlap_and_add(tf.zeros([3]), 1)
    with pytest.raises(ValueError, match="must be a floating point type"):
        signal.hann_window(3, dtype=tf.int32)


def test_transforms_go_through_a_graph_file(sess) -> None:
    x = tf.placeholder(tf.float64, [2, 8], name="x")
    spectrum = tf.identity(signal.rfft(x), name="spectrum")
    tf.identity(signal.irfft(spectrum) + tf.abs(tf.complex(x, x)), name="both")
    written = tf.get_default_graph().as_graph_def()
    nodes = {n.op: n for n in written.node}
    assert nodes["RFFT"].attr["Tcomplex"].type == tf.complex128.as_datatype_enum
    assert nodes["IRFFT"].attr["Treal"].type == tf.float64.as_datatype_enum
    assert nodes["Complex"].attr["Tout"].type == tf.complex128.as_datatype_enum
    data = signal_cases.ROWS[:, :8]
    want = sess.run("both:0", {x: data})
    with tf.Graph().as_default(), tf.Session() as other:
        tf.import_graph_def(written, name="")
        np.testing.assert_array_equal(other.run("both:0", {"x:0": data}), want)
