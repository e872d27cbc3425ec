"""The safetensors format: what is written is read, what is damaged is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc import errors
from graphc.models import load_safetensors, save_safetensors


def file_of(path: Path, header: Any, data: bytes = b"") -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + data)
    return path


def entry(dtype: str = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_every_dtype_comes_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", "c8")
    given = {n: rng.integers(0, 2, (2, 3)).astype(n) for n in names}
    given |= {"scalar": np.float32(3), "empty": np.zeros((0, 4), np.int16)}
    given["turned"] = np.arange(6.0).reshape(2, 3).T
    given["swapped"] = np.arange(3, dtype=">i4")
    save_safetensors(tmp_path / "a", given, {"format": "pt"})
    found = load_safetensors(tmp_path / "a")
    assert set(found) == set(given)
    for name, value in given.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == np.asarray(value).dtype.newbyteorder("=")
        assert found[name].flags.aligned
    with pytest.raises(ValueError, match="read-only"):
        found["f4"][0] = 1
    raw = (tmp_path / "a").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    assert length % 8 == 0 and json.loads(raw[8 : 8 + length])["__metadata__"] == {"format": "pt"}


def test_bfloat16_is_widened_without_an_extra(tmp_path: Path) -> None:
    data = np.array([0x3FC0, 0xC000], "<u2").tobytes()
    path = file_of(tmp_path / "a", {"x": entry("BF16", (2,), (0, 4))}, data)
    found = load_safetensors(path)["x"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [1.5, -2.0])


@pytest.mark.parametrize(
    "header, data, text",
    [
        (b"{", b"", "no JSON"),
        (b"[1]", b"", "no table"),
        (b'{"a": 1, "a": 2}', b"", "twice"),
        (b"[" * 100_000, b"", "no JSON"),
        ({"x": 3}, b"", "no dtype, shape and offsets"),
        ({"x": {"dtype": "F32"}}, b"", "no dtype, shape and offsets"),
        ({"x": entry(shape=(-1,))}, b"12345678", "no sizes"),
        ({"x": entry(shape=(True, 2))}, b"12345678", "no sizes"),
        ({"x": entry(offsets=(0, 2**70))}, b"12345678", "truncated"),
        ({"x": entry()}, b"1234", "truncated"),
        ({"x": entry(shape=(3,))}, b"12345678", "is not 8 bytes"),
        ({"x": entry(offsets=(4, 12))}, b"123456789012", "start at 4"),
        ({"x": entry(), "y": entry()}, b"12345678", "start at 0"),
        ({"x": entry()}, b"123456789", "behind the last"),
    ],
)
def test_damaged_files(tmp_path: Path, header: Any, data: bytes, text: str) -> None:
    with pytest.raises(errors.DataLossError, match=text):
        load_safetensors(file_of(tmp_path / "a", header, data))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFoundError, match="No such file"):
        load_safetensors(tmp_path / "none")
    (tmp_path / "a").write_bytes(b"1234")
    with pytest.raises(errors.DataLossError, match="no safetensors file"):
        load_safetensors(tmp_path / "a")
    (tmp_path / "a").write_bytes((2**63).to_bytes(8, "little") + b"{}")
    with pytest.raises(errors.DataLossError, match="truncated"):
        load_safetensors(tmp_path / "a")
    path = file_of(tmp_path / "a", {"x": entry("F8_E4M3")}, b"12345678")
    with pytest.raises(errors.UnimplementedError, match="F8_E4M3"):
        load_safetensors(path)


def test_every_truncation_is_found(tmp_path: Path) -> None:
    save_safetensors(tmp_path / "a", {"x": np.arange(4.0), "y": np.ones(3, np.int8)})
    whole = (tmp_path / "a").read_bytes()
    for size in range(len(whole)):
        (tmp_path / "b").write_bytes(whole[:size])
        with pytest.raises(errors.DataLossError):
            load_safetensors(tmp_path / "b")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    save_safetensors(tmp_path / "a", {"x": np.arange(4.0)})
    with pytest.raises(TypeError, match="no arrays of object"):
        save_safetensors(tmp_path / "a", {"x": np.array([None])})
    with pytest.raises(TypeError, match="metadata"):
        save_safetensors(tmp_path / "a", {}, {"n": 3})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="__metadata__"):
        save_safetensors(tmp_path / "a", {"__metadata__": np.zeros(1)})
    assert os.listdir(tmp_path) == ["a"]
    np.testing.assert_array_equal(load_safetensors(tmp_path / "a")["x"], np.arange(4.0))


def test_a_mapped_file_may_be_replaced(tmp_path: Path) -> None:
    save_safetensors(tmp_path / "a", {"x": np.arange(4.0)})
    before = load_safetensors(tmp_path / "a")["x"]
    save_safetensors(tmp_path / "a", {"x": np.zeros(1)})
    np.testing.assert_array_equal(before, np.arange(4.0))
