"""Running a program: schedule, memory, plan, compiled driver, threads, kernel cache, BLAS.

What lives here turns lowered kernels into results. It imports `kernel`, `render` and everything
below them, and is imported by `session` and above.
"""

from __future__ import annotations
