"""The rows of the table: which works against which peers, and the ratio that is wanted.

A ratio is the best peer's median over graphc's. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.bench.works import WORKS


@dataclass(frozen=True)
class Row:
    """One line of the table. `own` are graphc's variants that count, `against` the peers (all)."""

    title: str
    work: str
    target: float | None
    own: tuple[str, ...] = ("run",)
    against: tuple[str, ...] = ()
    mode: str = "time"
    mean: bool = True  # counts in the geometric mean

    @property
    def family(self) -> str:
        """Rows that share one place in the geometric mean: W7's nine, products with W13."""
        word = self.title.split()[0]
        return "W13" if word == "GEMM" else word

    @property
    def key(self) -> str:
        """What a median is taken of: seconds of calls, of starts, or bytes."""
        return {"time": "median_s", "memory": "peak_bytes"}.get(self.mode, "start_s")


def _reductions() -> list[Row]:
    return [
        Row(f"W7 {work.what}", name, 1.3 if work.options["kind"] == "var" else 1.0)
        for name, work in WORKS.items()
        if work.group == "W7"
    ]


def _starts() -> list[Row]:
    return [
        Row(f"W14 first call of {name}, {mode}", name, target, mode=mode, against=("jax",),
            mean=False)
        for mode, target in (("cold", 1.0), ("warm", 1.5))
        for name in ("W8_adam", "W10_b32", "W12")
    ]  # fmt: skip


ROWS = (
    Row("W1 chain, 16M", "W1", 1.2),
    Row("W2 memory-bound chain, 16M", "W2", 1.0),
    Row("W2 against the limit in C", "W2", 0.85, against=("limit",), mean=False),
    Row("W3 small chain, callable", "W3", 1.5, own=("call",)),
    Row("W3 small chain, session.run", "W3", None, mean=False),
    Row("W4 session.run, a + b", "W4_vec10", 1.0, against=("jax",)),
    Row("W4 session.run, numbers", "W4_scalar", 1.0, against=("jax",)),
    Row("W4 callable, a + b", "W4_vec10", 1.0, own=("call",), against=("pytensor",)),
    Row("W4 callable, numbers", "W4_scalar", 1.0, own=("call",), against=("pytensor",)),
    Row("W5 softmax", "W5", 1.1),
    Row("W6 layer norm", "W6", 1.0),
    *_reductions(),
    Row("W8 MLP step, SGD", "W8_sgd", 1.1),
    Row("W8 MLP step, Adam", "W8_adam", 1.1),
    Row("W9 linear regression step, callable", "W9", 1.0, own=("call",)),
    Row("W10 CNN training step, batch 32", "W10_b32", 1.5),
    Row("W10 CNN training step, batch 256", "W10_b256", None, mean=False),
    Row("W10 CNN inference, batch 1", "W10_inf_b1", 1.0),
    Row("W10 CNN inference, batch 32", "W10_inf_b32", 1.2),
    Row("W11 LSTM training step", "W11", 2.0, own=("run", "run_dynamic")),
    Row("W12 transformer layer training step", "W12", 1.25),
    Row("W13 matmul + bias + gelu", "W13", 1.05),
    *[Row(f"GEMM {n}", f"GEMM{n}", 1.1) for n in (64, 128, 256, 512)],
    Row("GEMM 64, callable", "GEMM64", None, own=("call",), mean=False),
    *[Row(f"GEMM {n}", f"GEMM{n}", 0.97) for n in (1024, 2048)],
    Row("BERT-base, batch 1, 128 tokens", "BERT", 1.15),
    *_starts(),
    Row("W15 peak memory, W10 batch 256", "W10_b256", 1.2, mode="memory", mean=False),
    Row("W15 peak memory, W1", "W1", 1.2, mode="memory", mean=False),
)
MEAN_TARGET = 1.3
