"""Expected values of the programs, in short: made with TensorFlow, compared by the tests.

    PYTHONPATH=. python tests/scripts/expected.py    writes expected.json; needs tensorflow

Lives here: what is kept of a result, how two of them are compared, which programs there are.
"""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
FILE = HERE / "expected.json"
KEPT = 4  # values of an array that are kept besides its sums
RTOL, ATOL = 2e-3, 2e-4  # training multiplies differences of the last bit


def programs() -> list[str]:
    """Names of the modules with a main(tf)."""
    return sorted(p.stem for p in HERE.glob("*.py") if "\ndef main(tf):" in p.read_text())


def run(name: str, tf: Any) -> Any:
    """What the program computes, in short."""
    tf.reset_default_graph()
    return summary(importlib.import_module(f"tests.scripts.{name}").main(tf))


def summary(value: Any) -> Any:
    """Arrays by dtype, shape, sums and some values; numbers and texts as they are."""
    if isinstance(value, dict):
        return {str(k): summary(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        table = _table(value)
        return [summary(v) for v in value] if table is None else table
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        out = {"dtype": str(array.dtype), "shape": list(array.shape), **_sums(array)}
        return {"scalar": True, **out} if isinstance(value, np.generic) else out
    return value


def _table(value: Any) -> dict[str, Any] | None:
    """A long list of numbers, or of rows of numbers, as an array; else None."""
    rows = [v if isinstance(v, list | tuple) else [v] for v in value]
    numbers = [n for row in rows for n in row]
    regular = len({len(row) for row in rows}) == 1
    if not regular or len(numbers) <= KEPT or not all(
        isinstance(n, float | np.floating) for n in numbers
    ):
        return None
    return {"list": [len(value), len(rows[0])], **_sums(np.array(rows, np.float64))}


def _sums(array: Any) -> dict[str, Any]:
    if array.dtype.kind not in "fiub":
        return {"head": [_plain(v) for v in array.reshape(-1)[:KEPT]]}
    wide = array.astype(np.float64).reshape(-1)
    step = max(1, len(wide) // KEPT)
    head = [round(v, 7) if math.isfinite(v) else repr(v) for v in wide[::step][:KEPT].tolist()]
    fine = wide[np.isfinite(wide)]
    # weights tell permutations apart
    weights = np.cos(np.arange(len(fine)))
    sums = [float(np.abs(fine).sum()), float(fine.sum()), float((fine * weights).sum())]
    return {"head": head, "sums": [float(f"{s:.7g}") for s in sums]}


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else str(value)


def differences(want: Any, got: Any, at: str = "") -> list[str]:
    """Where two summaries differ, as texts."""
    if isinstance(want, dict) and isinstance(got, dict):
        if list(want) != list(got):
            return [f"{at}: keys {list(want)} but {list(got)}"]
        if "sums" in want and "head" in want and "head" in got:
            return _array_differences(want, got, at)
        return [d for k in want for d in differences(want[k], got[k], f"{at}.{k}")]
    if isinstance(want, list) and isinstance(got, list):
        if len(want) != len(got):
            return [f"{at}: {want} but {got}"]
        pairs = enumerate(zip(want, got, strict=True))
        return [d for n, (a, b) in pairs for d in differences(a, b, f"{at}[{n}]")]
    if isinstance(want, float) and isinstance(got, float):
        close = math.isclose(want, got, rel_tol=RTOL, abs_tol=ATOL)
        return [] if close else [f"{at}: {want} but {got}"]
    return [] if type(want) is type(got) and want == got else [f"{at}: {want!r} but {got!r}"]


def _array_differences(want: dict[str, Any], got: dict[str, Any], at: str) -> list[str]:
    fixed = [k for k in want if k not in ("head", "sums")]
    out = [f"{at}.{k}: {want[k]} but {got[k]}" for k in fixed if want[k] != got[k]]
    out += differences(want["head"], got["head"], f"{at}.head")
    slack = RTOL * want["sums"][0] + ATOL * math.prod(want.get("shape") or want.get("list") or [1])
    for n, (a, b) in enumerate(zip(want["sums"], got["sums"], strict=True)):
        if abs(a - b) > slack:
            out.append(f"{at}.sums[{n}]: {a} but {b}")
    return out


def load() -> dict[str, Any]:
    return json.loads(FILE.read_text())


def main() -> None:
    """Writes expected.json with TensorFlow."""
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    found = {name: run(name, tf) for name in programs()}
    lines = [f"{json.dumps(n)}: {json.dumps(v, separators=(',', ':'))}" for n, v in found.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
