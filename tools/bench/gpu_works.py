"""What is measured on a GPU: works, dtypes, the least bytes and operations of each, checks.

The works are those of the CPU's table, and larger ones where a GPU's cache would hold those.
Imports NumPy only. `smoke` works are tiny: for a machine without a GPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.bench.works import WORKS, Work
from tools.bench.works.table import normals

FLOAT, TF32, HALF = "float32", "tf32", "bfloat16"
# of the norm: results of halves are rounded by up to 2^-9, operands in tf32 by up to 2^-11
ERRORS = {HALF: 2e-2, TF32: 5e-3}
LOSS_ERRORS = {HALF: 5e-2, TF32: 1e-2}
CHECKED_ROWS = 128


@dataclass(frozen=True)
class Case:
    """A work in one dtype: "tf32" is float32 whose products may round their operands."""

    work: Work
    dtype: str

    @property
    def name(self) -> str:
        return f"{self.work.name}/{self.dtype}"

    @property
    def size(self) -> int:
        return 2 if self.dtype == HALF else 4

    def values(self) -> tuple[list[Any], list[Any]]:
        """Inputs and parameters, rounded to the dtype, in float32; not to be written to."""
        return _latest("values", self.name, self._values)  # type: ignore[no-any-return]

    def _values(self) -> tuple[list[Any], list[Any]]:
        inputs, parameters = list(self.work.inputs()), self.work.parameters()
        if self.dtype == HALF:
            inputs = [rounded(a) for a in inputs]
            parameters = [rounded(a) for a in parameters]
        return inputs, parameters

    def right(self, results: list[Any]) -> bool:
        """Whether a forward work's only result, or losses of a training, are the reference's."""
        if self.work.training:
            return self._losses_right(results)
        got, want = compared(self, np.asarray(results[0]))
        if not np.isfinite(got).all() or got.shape != want.shape:
            return False
        if self.dtype in ERRORS:
            return bool(np.linalg.norm(got - want) <= ERRORS[self.dtype] * np.linalg.norm(want))
        return bool(np.allclose(got, want, self.work.rtol, self.work.atol))

    def _losses_right(self, losses: list[Any]) -> bool:
        # small updates do not change weights that are halves: later losses are others
        all_known = self.work.name in WORKS and self.dtype != HALF
        want = self.work.reference() if all_known else np.array([self.work.first_loss()])
        got = np.asarray(losses, np.float64)[: len(want)]
        return bool(np.allclose(got, want, LOSS_ERRORS.get(self.dtype, self.work.rtol), 1e-5))

    def cost(self) -> tuple[int, float]:
        """The least bytes that a forward work must move and its multiply-adds' operations.

        Each input is read once and each result written once; (0, 0) of a training step.
        """
        work = self.work
        if work.training or work.model == "cnn":
            return 0, 0.0
        inputs, parameters = [[a.shape for a in part] for part in self.values()]
        elements = sum(map(math.prod, (*inputs, *parameters, _result_shape(work, inputs))))
        return elements * self.size, _operations(work, inputs, parameters)


_kept: dict[str, tuple[str, Any]] = {}


def _latest(kind: str, name: str, make: Callable[[], Any]) -> Any:
    # variants of one case follow one another: only its arrays are kept
    if _kept.get(kind, ("",))[0] != name:
        _kept[kind] = name, make()
    return _kept[kind][1]


def rounded(array: Any) -> Any:
    """Float32 values at bfloat16's precision, to the nearest, ties to even."""
    array = np.asarray(array)
    if array.dtype != np.float32:
        return array
    bits = array.view(np.uint32)
    up = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return ((bits + up) & np.uint32(0xFFFF0000)).view(np.float32)


def _result_shape(work: Work, inputs: list[Any]) -> tuple[int, ...]:
    if work.model == "reduction":
        axis = work.options["axis"]
        return () if axis is None else (inputs[0][1 - axis],)
    if work.model == "matmul":
        return inputs[0][0], inputs[1][1]
    return tuple(inputs[0])


def _operations(work: Work, inputs: list[Any], parameters: list[Any]) -> float:
    rows = math.prod(inputs[0][:-1])
    if work.model == "matmul":
        return 2.0 * rows * math.prod(inputs[1])
    dense = 2.0 * rows * sum(math.prod(s) for s in parameters if len(s) == 2)
    if work.model == "encoder":
        n, s, d = inputs[0]
        return dense + 4.0 * n * s * s * d * (len(parameters) // 12)
    return dense if work.model in ("gelu_dense", "mlp") else 0.0


def compared(case: Case, got: Any) -> tuple[Any, Any]:
    """The part of a result that is checked, and the reference's."""
    got = got if case.work.check_rows is None else got[: case.work.check_rows]
    return got.astype(np.float64), _latest("reference", case.name, lambda: _reference(case))


def _reference(case: Case) -> Any:
    inputs, parameters = case.values()
    rows = case.work.check_rows
    if rows is not None:
        # of a product only the left side has rows of the result
        cut = 1 if case.work.model == "matmul" else len(inputs)
        inputs = [a[:rows] if n < cut else a for n, a in enumerate(inputs)]
    wide = [np.asarray(a, np.float64) for a in inputs]
    return np.asarray(case.work.forward([np.asarray(p, np.float64) for p in parameters], *wide))


# ------------------------------------------------------------------ the list
def cases(smoke: bool) -> list[Case]:
    """All of them, the most important first."""
    works = _smoke() if smoke else _works()
    halves, tf32s = (SMOKE_HALVES, SMOKE_TF32S) if smoke else (HALVES, TF32S)
    found = [Case(w, FLOAT) for w in works]
    found += [Case(w, HALF) for w in works if w.name in halves]
    found += [Case(w, TF32) for w in works if w.name in tf32s]
    return found


def _works() -> list[Work]:
    sevens = [w for n, w in WORKS.items() if w.group == "W7"]
    names = ("W13", "GEMM1024", "GEMM2048")
    after = ("W8_sgd", "W8_adam", "W10_b32", "W10_b256", "W10_inf_b1", "W10_inf_b32", "BERT", "W11",
             "W12", "GEMM64", "GEMM128", "GEMM256", "GEMM512", "W3", "W4_scalar", "W4_vec10",
             "W9")  # fmt: skip
    return [
        WORKS["W1"], chain(1 << 26), WORKS["W2"], memory_chain(1 << 26),
        WORKS["W5"], rows("softmax", 65536, 1024), WORKS["W6"], rows("layer_norm", 65536, 1024),
        *sevens, *[reduction("sum", axis, 16384, 8192) for axis in (None, 0, 1)],
        *[WORKS[n] for n in names], gemm(4096), gemm(8192), *[WORKS[n] for n in after],
    ]  # fmt: skip


def _smoke() -> list[Work]:
    return [
        chain(100), memory_chain(100), rows("softmax", 3, 40), rows("layer_norm", 3, 40),
        reduction("sum", None, 6, 40), reduction("mean", 1, 6, 40), gemm(16), dense(16), tiny_mlp(),
    ]  # fmt: skip


HALVES = {
    "W1", "W2", "W2_67108864", "W5", "W5_65536x1024", "W6", "W6_65536x1024", "W7_sum_full",
    "W7_sum_ax0", "W7_sum_ax1", "W13", "GEMM1024", "GEMM2048", "GEMM4096", "GEMM8192", "W8_sgd",
    "BERT",
}  # fmt: skip
TF32S = {"W13", "GEMM2048", "GEMM8192", "W8_sgd", "BERT"}
SMOKE_HALVES = {"W2_100", "W5_3x40", "GEMM16", "W8_tiny"}
SMOKE_TF32S = {"GEMM16"}


def _large(seed: int, *shape: int) -> np.ndarray:
    """Normal numbers; of more than some millions, a block that is repeated with other signs."""
    size = math.prod(shape)
    block = normals(seed, (min(size, 1 << 24),))[0]
    copies = -(-size // block.size)
    signs = np.where(np.arange(copies) % 2, -1, 1).astype(np.float32)
    return np.ascontiguousarray((signs[:, None] * block).reshape(-1)[:size].reshape(shape))


def _work(name: str, what: str, model: str, make: Callable[[], Any], **fields: Any) -> Work:
    return Work(name, name.split("_")[0], what, model, make, **fields)


def chain(size: int) -> Work:
    return _work(f"W1_{size}", f"W1 on {size >> 20 or size}{'M' if size >> 20 else ''}", "chain",
                 lambda: (_large(1, size),), check_rows=100_000)  # fmt: skip


def memory_chain(size: int) -> Work:
    return _work(
        f"W2_{size}", f"W2 on {size >> 20 or size}{'M' if size >> 20 else ''}", "memory_chain",
        lambda: tuple(_large(2 + n, size) for n in range(4)), check_rows=100_000,
    )  # fmt: skip


def rows(model: str, count: int, width: int) -> Work:
    name = {"softmax": "W5", "layer_norm": "W6"}[model]
    norm = model == "layer_norm"
    return _work(
        f"{name}_{count}x{width}", f"{model.replace('_', ' ')} {count} x {width}", model,
        lambda: (_large(5, count, width),), check_rows=512, atol=1e-4 if norm else 1e-5,
        parameters=(lambda: list(normals(66, (width,), (width,)))) if norm else list,
    )  # fmt: skip


def reduction(kind: str, axis: int | None, count: int, width: int) -> Work:
    where = "full" if axis is None else f"ax{axis}"
    return _work(
        f"W7_{kind}_{where}_{count}x{width}", f"{kind} of {count} x {width}, {where}", "reduction",
        lambda: (_large(7, count, width) + np.float32(0.5),),
        options={"kind": kind, "axis": axis}, rtol=1e-3, atol=0.1,
    )  # fmt: skip


def gemm(n: int) -> Work:
    return _work(
        f"GEMM{n}", f"{n} x {n} matrix product", "matmul",
        lambda: (_large(n, n, n), _large(n + 1, n, n)),
        rtol=1e-3, atol=1e-4 * math.sqrt(n), check_rows=CHECKED_ROWS,
    )  # fmt: skip


def dense(n: int) -> Work:
    return _work(
        f"W13_{n}", f"gelu(x w + b), {n}^3", "gelu_dense", lambda: normals(14, (n, n)),
        parameters=lambda: [normals(15, (n, n))[0] / np.float32(math.sqrt(n)),
                            normals(16, (n,))[0]],
        rtol=1e-3, atol=1e-3,
    )  # fmt: skip


def tiny_mlp() -> Work:
    def make() -> tuple[list[Any], tuple[Any, ...]]:
        x, *parameters = normals(8, (4, 6), (6, 8), (8,), (8, 8), (8,), (8, 3), (3,))
        return parameters, (x, np.array([0, 2, 1, 0], np.int32))

    return _work(
        "W8_tiny", "MLP 6-8-8-3 step, SGD", "mlp", lambda: make()[1],
        parameters=lambda: make()[0], loss="cross_entropy", optimizer=("sgd", 0.01), rtol=2e-3,
    )  # fmt: skip
