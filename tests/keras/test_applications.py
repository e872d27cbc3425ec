"""Known networks have Keras 2's layers and weights, and with equal weights its outputs."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from graphc import keras
from graphc.keras import backend as K
from tests.keras import application_cases as cases

FIXTURES = Path(__file__).parents[1] / "fixtures"
ARRAYS = dict(np.load(FIXTURES / "applications.npz"))
TABLE = json.loads((FIXTURES / "applications.json").read_text())


@pytest.mark.parametrize("name", sorted(cases.NETWORKS))
def test_outputs(name: str) -> None:
    model = cases.network(keras, name)
    assert model.count_params() == TABLE[name]["notop"]
    assert zlib.crc32(json.dumps(cases.described(model)).encode()) == TABLE[name]["layers"]
    cases.fill(model)
    got, want = model.predict(cases.pictures(name))[:, :64], ARRAYS[name]
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4 * np.abs(want).max())


@pytest.mark.parametrize("name", sorted(cases.COUNTED))
def test_numbers_of_weights(name: str) -> None:
    assert getattr(keras.applications, name)(weights=None).count_params() == TABLE[name]["top"]


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_pictures_before(mode: str) -> None:
    x = np.random.default_rng(0).uniform(0, 255, (2, 4, 4, 3))
    made = keras.applications.imagenet_utils.preprocess_input(x.copy(), mode=mode)
    np.testing.assert_allclose(made, ARRAYS[mode], rtol=1e-5, atol=1e-4)
    tensor = keras.applications.imagenet_utils.preprocess_input(K.constant(x), mode=mode)
    np.testing.assert_allclose(K.eval(tensor), ARRAYS[mode], rtol=1e-5, atol=1e-4)


def test_names_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    scores = np.zeros((1, 1000))
    scores[0, [3, 7]] = 0.2, 0.7
    decode = keras.applications.resnet50.decode_predictions
    with pytest.raises(FileNotFoundError, match=r"put imagenet_class_index\.json into"):
        decode(scores)
    table = {str(k): [f"n{k}", f"class {k}"] for k in range(1000)}
    (tmp_path / "imagenet_class_index.json").write_text(json.dumps(table))
    assert decode(scores, top=2) == [[("n7", "class 7", 0.7), ("n3", "class 3", 0.2)]]
    with pytest.raises(ValueError, match="expects a batch of predictions"):
        decode(scores[0])


def test_weights_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("h5py")
    monkeypatch.setenv("GRAPHC_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    make, size = keras.applications.MobileNetV2, {"input_shape": (32, 32, 3), "include_top": False}
    with pytest.raises(FileNotFoundError, match=r"kernels_1\.0_32_no_top\.h5"):
        make(**size)
    first = make(weights=None, **size)
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_32_no_top.h5"
    first.save_weights(tmp_path / name)
    for given in ("imagenet", tmp_path / name):
        again = make(weights=given, **size)
        for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(FileNotFoundError, match="no file of weights"):
        make(weights=tmp_path / "none.h5", **size)


def test_what_networks_refuse() -> None:
    apps = keras.applications
    with pytest.raises(ValueError, match="`classes` should be 1000"):
        apps.VGG16(classes=10)
    with pytest.raises(ValueError, match="Unknown argument"):
        apps.ResNet50(weights=None, klasses=10)
    with pytest.raises(ValueError, match="at least 32x32"):
        apps.VGG16(weights=None, include_top=False, input_shape=(16, 16, 3))
    x = keras.layers.Input((40, 40, 3))
    inner = keras.layers.Conv2D(3, 1)(x)
    model = apps.ResNet50(weights=None, include_top=False, input_tensor=inner)
    assert model.inputs[0] is x and model.output_shape == (None, 2, 2, 2048)
