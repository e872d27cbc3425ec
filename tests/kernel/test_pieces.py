"""Loops in pieces: where they are cut, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.kernel import pieces
from graphc.kernel.expr import Prim, postorder
from graphc.kernel.nest import For, Kernel, statements, stmt_exprs
from graphc.kernel.verify import verify
from graphc.runtime import plan
from tests.helpers import check_ways, plan_of

WIDE = 96
Build = Callable[[Any], Any]


def heads(x: Any) -> Any:
    """[6, 96] -> [6, 96]: 3 heads of 32 columns change places with 3 rows."""
    parts = tf.transpose(tf.reshape(x, [2, 3, 3, 32]), [0, 2, 1, 3])
    return tf.reshape(parts * 2.0, [6, WIDE])


CASES: dict[str, Build] = {
    "concat": lambda x: tf.concat([x, x * 2.0, tf.exp(x[:, :7])], 1) + 1.0,
    "concat of odd parts": lambda x: tf.concat([x[:, :1], x[:, 3:5], x[:, 60:]], 1) * 0.5,
    "pad": lambda x: tf.pad(x, [[1, 2], [3, 40]]) + 1.0,
    "padded constant": lambda x: tf.pad(x, [[0, 0], [0, 17]], constant_values=np.nan) * 2.0,
    "reversed": lambda x: tf.concat([x[:, ::-1], x], 1),
    "heads": heads,
    "heads joined": lambda x: tf.concat([heads(x), heads(x + 1.0)], 1),
    "repeated": lambda x: tf.tile(x, [1, 3]) + tf.concat([x, x, x], 1),
    "stacked": lambda x: tf.reshape(tf.stack([x, x * 2.0], 1), [6, 2 * WIDE]) - 1.0,
    "gradient of a slice": lambda x: tf.gradients(tf.sin(x[:, 5:50]), x)[0] + x,
    "gradient of concat": lambda x: tf.gradients(tf.sin(tf.concat([x, x[:, 8:]], 1)), x)[0],
}


def fed(x: Any) -> dict[Any, Any]:
    value = np.random.default_rng(0).standard_normal((6, WIDE)).astype(np.float32)
    value[0, :4] = [np.nan, np.inf, -np.inf, -0.0]
    return {x: value}


@pytest.mark.parametrize("name", CASES)
def test_results_keep_their_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Kernel] = []

    def checked(kernels: Iterable[Kernel]) -> list[Kernel]:
        made = pieces.all_in_pieces(kernels)
        for kernel in made:
            verify(kernel)
        seen.extend(made)
        return made

    def build() -> Any:
        x = tf.placeholder(tf.float32, [6, WIDE])
        return [CASES[name](x)], fed(x)

    monkeypatch.setattr(plan, "all_in_pieces", list)
    whole = check_ways(build)
    monkeypatch.setattr(plan, "all_in_pieces", checked)
    cut = check_ways(build)
    assert seen
    for way, results in cut.items():
        for one, two in zip(results, whole[way], strict=True):
            np.testing.assert_array_equal(one.view(np.uint32), two.view(np.uint32), err_msg=way)


def kernels(build: Build) -> list[Kernel]:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [6, WIDE])
        made = plan_of(graph, [build(x)], fed(x))
    return [s.kernel for s in made.schedule.steps if s.kernel is not None]


def primitives(kernel: Kernel) -> set[str]:
    """The primitives inside of vector loops."""
    loops = [s for s in statements(kernel.body) if isinstance(s, For) and s.lanes > 1]
    roots = [e for loop in loops for s in statements(loop.body) for e in stmt_exprs(s)]
    return {n.name for n in postorder(*roots) if isinstance(n, Prim)}


def loops(kernel: Kernel) -> list[int]:
    """Iterations of the vector loops."""
    found = [s for s in statements(kernel.body) if isinstance(s, For) and s.kind == "vector"]
    return [int(s.axis.extent) for s in found]


def test_concat_is_cut_where_its_parts_meet() -> None:
    (kernel,) = kernels(lambda x: tf.concat([x, x * 2.0, x[:, :7] + 1.0], 1))
    assert loops(kernel) == [WIDE, WIDE, 7]
    assert not primitives(kernel) & {"lt", "ge", "and"}


def test_what_is_padded_is_filled_without_looking() -> None:
    (kernel,) = kernels(lambda x: tf.pad(x, [[0, 0], [3, 40]]) + 1.0)
    assert loops(kernel) == [3, WIDE, 40]
    assert not primitives(kernel) & {"lt", "ge", "and"}


def test_divisions_of_the_index_become_loops() -> None:
    (kernel,) = kernels(lambda x: tf.concat([heads(x), heads(x + 1.0)], 1))
    assert loops(kernel) == [32, 32]
    assert not primitives(kernel) & {"floordiv", "floormod"}


def test_sums_stay_whole() -> None:
    """Pieces of a sum would be added in another order."""
    found = kernels(lambda x: tf.reduce_sum(tf.concat([x, x[:, :7]], 1), 1))
    assert [loops(k) for k in found] == [[WIDE + 7]]


def test_many_parts_stay_one_loop() -> None:
    (kernel,) = kernels(lambda x: tf.concat([x[:, k : k + 9] for k in range(12)], 1) + 1.0)
    assert loops(kernel) == [108]


def test_alike_kernels_are_cut_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    whole = pieces.in_pieces

    def counted(kernel: Kernel) -> Kernel:
        seen.append(kernel.name)
        return whole(kernel)

    monkeypatch.setattr(pieces, "in_pieces", counted)
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [6, WIDE])
        sums = [tf.cumsum(x, axis=1, reverse=n > 1, exclusive=n % 2 == 1) for n in range(3)]
        made = plan_of(graph, [tf.concat([y, y], 1) * 2.0 for y in sums], fed(x))
    found = [s.kernel for s in made.schedule.steps if s.kernel is not None]
    cut = [k for k in found if loops(k) == [WIDE, WIDE]]
    assert len(cut) == 3 and len(seen) == 1
    assert len({k.outputs for k in cut}) == 3 and len({k.key() for k in cut}) == 1
