"""The process that simulates: every case with its result, one JSON object a line.

NUMBA_ENABLE_CUDASIM must be set; test_simulator.py starts it.
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

from tests.cuda.cases import CASES, LIMIT, kernels_in
from tests.cuda.checking import check

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


def outcome(case: str, seen: set[str]) -> dict[str, object]:
    """How many of the case's kernels ran; what went wrong."""
    ran = 0
    for kernel in kernels_in(case):
        if kernel.key() in seen or ran >= LIMIT:
            continue
        seen.add(kernel.key())
        ran += check(kernel)
        if any(word in case for word in _NAN_TOO):
            check(kernel, edges=True)
    return {"case": case, "ran": ran, "error": ""}


def main() -> None:
    # threads of the simulator have NumPy's own settings
    warnings.simplefilter("ignore", RuntimeWarning)
    # the thread that waits for all others in a loop gives way sooner: five times as fast
    sys.setswitchinterval(2e-4)
    kernelapi.FakeCUDAShared.array = shared_array
    seen: set[str] = set()
    for case in sys.argv[1:] or CASES:
        try:
            result = outcome(case, seen)
        except Exception:
            result = {"case": case, "ran": 0, "error": traceback.format_exc()}
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
