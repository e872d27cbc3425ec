"""Tiles of a plan are compiled as one module, and found one by one afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime import cache, tiles

RNG = np.random.default_rng(7)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own, in a process that knows no tile."""
    before = cache.default()
    monkeypatch.setattr(tiles, "_addresses", {})
    yield tmp_path / "kernels"
    cache.set_default(before)


def products(folder: Path, *sizes: int) -> dict[str, Any]:
    """Runs a product of each size in one plan; what changed in the counters."""
    tf.reset_default_graph()
    pairs = [
        tuple(RNG.normal(size=(n, n)).astype(np.float32) for _ in range(2)) for n in sizes
    ]
    given = [tuple(tf.placeholder(np.float32, a.shape) for a in pair) for pair in pairs]
    fetches = [tf.matmul(x, y) for x, y in given]
    feed = {p: a for ps, pair in zip(given, pairs) for p, a in zip(ps, pair)}
    before = tf.stats()
    with tf.Session(options=tf.Config(threads=1, cache_dir=str(folder))) as session:
        found = session.run(fetches, feed)
    after = tf.stats()
    for got, (a, b) in zip(found, pairs):
        np.testing.assert_allclose(got, a @ b, rtol=1e-4, atol=1e-4)
    return {k: after[k] - before[k] for k in ("modules_compiled", "kernels_compiled")}


def names(folder: Path) -> list[set[str]]:
    """The tiles of each module in the folder."""
    modules = [
        {path.stem for path in module.glob("tile_*.ll")}
        for module in (folder / "modules").glob("*/*")
    ]
    return [m for m in modules if m]


def test_tiles_of_a_plan_are_one_module(store: Path) -> None:
    products(store, 66, 68, 70)
    (module,) = names(store)
    assert len(module) == 3


def test_a_later_plan_finds_each_tile_alone(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    products(store, 66, 68, 70)
    monkeypatch.setattr(tiles, "_addresses", {})
    assert products(store, 68)["modules_compiled"] == 0
    assert products(store, 70, 72)["modules_compiled"] == 1
    assert sorted(map(len, names(store))) == [1, 3]


def test_what_the_process_has_is_not_looked_for(store: Path) -> None:
    products(store, 66, 68)
    for path in store.rglob("object.o"):
        path.write_bytes(b"no object")
    assert products(store, 68, 66)["modules_compiled"] == 0
