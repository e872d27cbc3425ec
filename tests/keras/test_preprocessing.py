"""Preprocessing gives what Keras 2 gives: tests/fixtures/tf_preprocessing.npz and .json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc import keras
from tests.keras import preprocessing_cases as cases

FIXTURES = Path(__file__).parents[1] / "fixtures"
ARRAYS = dict(np.load(FIXTURES / "tf_preprocessing.npz"))
VALUES = json.loads((FIXTURES / "tf_preprocessing.json").read_text())
P = keras.preprocessing


def plain(value: Any) -> Any:
    """The value as JSON gives it back; tables in texts as tables, whose order is that of sets."""
    if isinstance(value, dict):
        return {k: json.loads(v) if str(v).startswith("{") else v for k, v in value.items()}
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("name", sorted(cases.cases()))
def test_values(name: str) -> None:
    got = cases.cases()[name](keras)
    if name in ARRAYS:
        want = ARRAYS[name]
        assert got.dtype == want.dtype and got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    elif name.startswith("pictures"):
        for row, want in zip(got, VALUES[name], strict=True):
            assert row.keys() == want.keys()
            for key, number in want.items():
                assert row[key] == (number if number is None else pytest.approx(number)), key
    else:
        assert plain(got) == plain(VALUES[name])


@pytest.mark.parametrize("mode", ["constant", "nearest", "reflect", "wrap"])
@pytest.mark.parametrize("order", [0, 1, 3])
def test_changes_of_places_are_scipys(mode: str, order: int) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    x = cases.PICTURES[1]
    for theta, tx, ty, shear, zx, zy in (
        (25, 0, 0, 0, 1, 1), (0, 2.3, -1.4, 0, 1, 1), (0, 0, 0, 12, 1, 1), (0, 0, 0, 0, 0.7, 1.6),
        (-40, 3.2, 5.1, 4, 1.3, 0.8),
    ):  # fmt: skip
        got = P.image.apply_affine_transform(
            x, theta, tx, ty, shear, zx, zy, 0, 1, 2, mode, 9.0, order
        )
        a, s = np.deg2rad(theta), np.deg2rad(shear)
        turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        move = np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
        slant = np.array([[1, -np.sin(s), 0], [0, np.cos(s), 0], [0, 0, 1]])
        there = np.array([[1, 0, 3.5], [0, 1, 4.5], [0, 0, 1]])
        back = np.array([[1, 0, -3.5], [0, 1, -4.5], [0, 0, 1]])
        m = there @ turn @ move @ slant @ np.diag([zx, zy, 1]) @ back
        want = np.stack([
            ndimage.affine_transform(x[..., c], m[:2, :2], m[:2, 2], order=order, mode=mode,
                                     cval=9.0) for c in range(3)
        ], -1)  # fmt: skip
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """cats/ and dogs/ with three and two pictures, one of them deeper, and other files."""
    pytest.importorskip("PIL")
    for k, name in enumerate(["cats/a.png", "cats/b.jpg", "cats/more/c.png", "dogs/d.png",
                              "dogs/e.bmp"]):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        P.image.save_img(tmp_path / name, np.full((5, 6, 3), 40.0 * k + 20), scale=False)
    (tmp_path / "dogs" / "notes.txt").write_text("no picture")
    return tmp_path


def test_files_in_folders(folder: Path, capsys: Any) -> None:
    made = P.image.ImageDataGenerator(rescale=1 / 255, validation_split=0.4)
    flow = made.flow_from_directory(folder, (4, 4), batch_size=2, shuffle=False)
    assert capsys.readouterr().out == "Found 5 images belonging to 2 classes.\n"
    assert flow.filenames == ["cats/a.png", "cats/b.jpg", "cats/more/c.png", "dogs/d.png",
                              "dogs/e.bmp"]  # fmt: skip
    x, y = next(flow)
    assert x.shape == (2, 4, 4, 3) and x.max() < 0.3 and y.tolist() == [[1, 0], [1, 0]]
    assert flow.class_indices == {"cats": 0, "dogs": 1} and len(flow) == 3
    assert flow.labels.tolist() == [0, 0, 0, 1, 1] and flow[2][1].tolist() == [[0, 1]]
    for mode, want in (("binary", [0.0, 0.0]), ("sparse", [0.0, 0.0])):
        _, y = next(made.flow_from_directory(folder, class_mode=mode, batch_size=2, shuffle=False))
        assert y.tolist() == want and y.dtype == np.float32
    gray = made.flow_from_directory(
        folder, (4, 4), "grayscale", class_mode="input", classes=["dogs"]
    )
    x, y = next(gray)
    assert x.shape == (2, 4, 4, 1) and (x == y).all()
    names = [made.flow_from_directory(folder, subset=s).filenames for s in
             ("training", "validation")]  # fmt: skip
    assert names == [["cats/b.jpg", "cats/more/c.png", "dogs/d.png", "dogs/e.bmp"], ["cats/a.png"]]
    with pytest.raises(ValueError, match="Invalid class_mode"):
        made.flow_from_directory(folder, class_mode="raw")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        made.flow_from_directory(folder / "none")


def test_files_in_tables(folder: Path, tmp_path: Path) -> None:
    table: dict[str, list[Any]] = {
        "filename": ["cats/a.png", "dogs/d.png", "none.png", "dogs/e.bmp"],
        "class": ["cat", "dog", "dog", "dog"], "w": [1.0, 2.0, 3.0, 4.0], "v": [0.5, 1.5, 2.5, 3.5],
        "many": [["cat", "pet"], ["dog"], ["dog"], ["pet"]],
    }  # fmt: skip
    made, how = P.image.ImageDataGenerator(), {"target_size": (4, 4), "shuffle": False}
    with pytest.warns(UserWarning, match="1 invalid image filename"):
        flow = made.flow_from_dataframe(table, folder, weight_col="w", **how)
    x, y, w = next(flow)
    assert x.shape == (3, 4, 4, 3) and y.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert w.tolist() == [1, 2, 4] and flow.class_indices == {"cat": 0, "dog": 1}
    table = {k: [v[0], v[1], v[3]] for k, v in table.items()}
    _, y = next(made.flow_from_dataframe(table, folder, y_col="many", **how))
    assert y.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]
    _, y = next(made.flow_from_dataframe(table, folder, y_col="v", class_mode="raw", **how))
    assert y.tolist() == [0.5, 1.5, 3.5]
    _, y = next(made.flow_from_dataframe(table, folder, y_col=["v", "w"],
                                         class_mode="multi_output", **how))  # fmt: skip
    assert [v.tolist() for v in y] == [[0.5, 1.5, 3.5], [1, 2, 4]]
    _, y = next(made.flow_from_dataframe(table, folder, classes=["dog"], **how))
    assert y.tolist() == [[1], [1]]
    (tmp_path / "out").mkdir()
    next(made.flow_from_dataframe(table, folder, class_mode=None, save_to_dir=tmp_path / "out",
                                  save_prefix="p", **how))  # fmt: skip
    assert len(list((tmp_path / "out").glob("p_*.png"))) == 3
    with pytest.raises(TypeError, match="must be strings"):
        made.flow_from_dataframe(table, folder, y_col="v", class_mode="binary")
    with pytest.raises(ValueError, match="there must be 2 classes"):
        made.flow_from_dataframe({**table, "class": ["cat"] * 3}, folder, class_mode="binary")


def test_parts_of_arrays_need_all_classes() -> None:
    made = P.image.ImageDataGenerator(validation_split=0.5)
    with pytest.raises(ValueError, match="different number of classes"):
        made.flow(cases.PICTURES[:4], [0, 0, 1, 1], subset="training")
    with pytest.warns(UserWarning, match="overrides setting of `featurewise_center`"):
        assert P.image.ImageDataGenerator(zca_whitening=True).featurewise_center
    whitened = P.image.ImageDataGenerator(featurewise_center=True, zca_whitening=True)
    x = np.random.default_rng(0).normal(size=(60, 2, 2, 1))
    whitened.fit(x)
    flat = next(whitened.flow(x, batch_size=60)).reshape(60, 4)
    np.testing.assert_allclose(flat.T @ flat / 60, np.eye(4), atol=1e-3)
