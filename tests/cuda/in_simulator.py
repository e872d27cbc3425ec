"""The process that simulates: every case with its result, one JSON object a line.

NUMBA_ENABLE_CUDASIM must be set; simulation.py starts it with "nests" or "products" and the names
of cases, all of them without names.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
import warnings
from typing import Any

import numpy as np
from numba.cuda.simulator import kernelapi

import graphc as tf
from graphc.kernel.launch import H200, Gpu
from graphc.runtime.gpu import product_library
from tests.cuda import cases, product_cases
from tests.cuda.checking import TINY, check, same_bits
from tests.cuda.products import DEVICE, TENSOR, FakeCublas, run
from tests.helpers import Array

_NAN_TOO = ("argmax", "argmin", "maximum", "reduce_max", "is_nan", "exp", "nest")


_lock = threading.Lock()


def shared_array(self: Any, shape: Any, dtype: Any, alignment: Any = None) -> Any:
    """Shared memory by the line that asks for it.

    The simulator's own looks and allocates without a lock: two threads that ask at once may get
    two arrays.
    """
    frame = sys._getframe(1)
    key = (frame.f_code.co_filename, frame.f_lineno)
    with _lock:
        if key not in self._allocations:
            self._allocations[key] = np.empty(shape, dtype)
        return self._allocations[key]


def nests(case: str, seen: set[str]) -> dict[str, object]:
    """How many of the case's kernels ran."""
    ran = 0
    for kernel in cases.kernels_in(case):
        if kernel.key() in seen or ran >= cases.LIMIT:
            continue
        seen.add(kernel.key())
        ran += check(kernel)
        if any(word in case for word in _NAN_TOO):
            check(kernel, edges=True)
    return {"ran": ran}


def products(case: str, seen: set[str]) -> dict[str, object]:
    """The forms of a case's products; devices and tiles must not change their bits."""
    fetches, feeds = product_cases.made(case)
    with tf.Session() as session:
        want = session.run(list(fetches), feeds)
    if case in product_cases.BY_LIBRARY:
        return _by_library(fetches, feeds, want)
    config = TENSOR if product_cases.CASES[case].tensor else DEVICE
    rounded = config is TENSOR and want[0].dtype == np.float32
    devices: tuple[tuple[Gpu, int], ...] = ((H200, 64), (TINY, 32))
    (first, forms), (second, _) = (
        run(fetches, feeds, gpu, most, config=config) for gpu, most in devices
    )
    for a, b, expected in zip(first, second, want, strict=True):
        same_bits(a, b, "another device")
        _close(a.reshape(np.shape(expected)), expected, 2e-3 if rounded else None)
    return {"ran": 1, "forms": list(dict.fromkeys(forms))}


def _by_library(fetches: Any, feeds: Any, want: list[Array]) -> dict[str, object]:
    """The same with a cuBLAS that takes every product."""
    known = product_library.LARGE_FLOPS, product_library._LEAST, product_library.FINISH_DEPTH
    product_library.LARGE_FLOPS = product_library._LEAST = product_library.FINISH_DEPTH = 1
    cublas = FakeCublas()
    found, forms = run(fetches, feeds, library=product_library.Library(cublas, 5, 6))
    product_library.LARGE_FLOPS, product_library._LEAST, product_library.FINISH_DEPTH = known
    assert cublas.asked[1] == "stream 5 of 7" and cublas.asked[-1] == "multiply"
    for got, expected in zip(found, want, strict=True):
        _close(got.reshape(np.shape(expected)), expected)
    return {"ran": 1, "forms": list(dict.fromkeys(forms))}


def _close(got: Array, want: Array, within: float | None = None) -> None:
    tolerance = within or {2: 2e-2, 4: 1e-4, 8: 1e-9}[got.itemsize]
    x, y = got.astype(np.float64), np.asarray(want).astype(np.float64)
    scale = float(np.abs(y[np.isfinite(y)]).max(initial=1.0))
    np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * scale)


KINDS: dict[str, tuple[Any, Any]] = {
    "nests": (nests, cases.CASES), "products": (products, product_cases.CASES),
}  # fmt: skip


def main() -> None:
    # threads of the simulator have NumPy's own settings
    warnings.simplefilter("ignore", RuntimeWarning)
    # the thread that waits for all others in a loop gives way sooner: five times as fast
    sys.setswitchinterval(2e-4)
    kernelapi.FakeCUDAShared.array = shared_array
    outcome, known = KINDS[sys.argv[1]]
    seen: set[str] = set()
    for case in sys.argv[2:] or known:
        try:
            result = {"error": "", **outcome(case, seen)}
        except Exception:
            result = {"ran": 0, "error": traceback.format_exc()}
        sys.stdout.write(json.dumps({"case": case, **result}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
