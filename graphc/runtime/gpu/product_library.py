"""Large products by cuBLAS, where it is installed.

Lives here: Library, LibraryLaunch, library_on, by_library. Not here: our own kernels
(product_calls.py), devices. The binding of nvmath-python (the extra `cuda-libs`) is imported when a
device asks for it; without that cuBLAS is called as it is, where some other package brought it.

cuBLAS is column-major: the transpose of C is the product of B's transpose and A's, and what is
row-major here is the transpose there, so that B comes first and nothing is moved.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from graphc.errors import InternalError
from graphc.ir.dtypes import DType

# below this our own tiles are as fast, start sooner and take what stands behind along
LARGE_FLOPS = 2.0 * 1024**3
LARGE_FLOPS_HALF = 2.0 * 256**3  # ours compute with halves at the rate of float32
FINISH_DEPTH = 512  # a sum must be this long to pay for a pass over its result
_LEAST, _MOST = 8, 2**31 - 1
# cudaDataType_t and cublasComputeType_t by dtype: sums of halves are float32
_KINDS = {"float32": 0, "float64": 1, "float16": 2, "bfloat16": 14}
_FLOAT32_SUMS, _FLOAT64_SUMS, _TF32_SUMS = 68, 70, 77
WORKSPACE = 32 << 20  # bytes, as NVIDIA advises
_DEFAULT = -1  # cuBLAS chooses the algorithm


@dataclass(frozen=True)
class LibraryLaunch:
    """One batch of products: C (float32 or float64 sums, or `out`'s dtype) = op(A) op(B).

    Attributes:
        dtype: of A and B; out: of C. strides: elements from one product to the next, of A, B, C.
        arguments: A, B and C as storages, as those of GpuLaunch. tf32: float32 may be rounded.
    """

    dtype: DType
    out: DType
    batch: int
    m: int
    n: int
    k: int
    trans_a: bool
    trans_b: bool
    strides: tuple[int, int, int]
    arguments: tuple[tuple[str, int], ...]
    tf32: bool = False

    form = "library"
    grid = block = (1, 1, 1)
    shared = 0


def by_library(batch: int, sizes: Sequence[int], dtype: DType, finish: bool) -> bool:
    """Whether cuBLAS takes products of (m, n, k). finish: a group stands behind it."""
    m, n, k = sizes
    if dtype.name not in _KINDS or min(sizes) < _LEAST or max(batch * m * n, m * k, k * n) > _MOST:
        return False
    if finish and k < FINISH_DEPTH:
        return False
    return 2.0 * batch * m * n * k >= (LARGE_FLOPS_HALF if dtype.is_half else LARGE_FLOPS)


class Library:
    """cuBLAS on one stream.

    Args:
        cublas: its binding. stream: the address of a stream of the context that is current.
        workspace: the address of WORKSPACE bytes on the device, which stay the library's.

    Raises:
        InternalError: cuBLAS does not start.
    """

    def __init__(self, cublas: Any, stream: int, workspace: int) -> None:
        self._cublas = cublas
        # alpha and beta, read when a product is asked for
        self._factors: dict[bool, np.ndarray[Any, Any]] = {
            wide: np.array([1, 0], np.float64 if wide else np.float32) for wide in (False, True)
        }
        self._handle = self._checked("create")
        self._checked("set_stream", self._handle, stream)
        # memory of its own: launches that are captured allocate nothing, and sums have one order
        self._checked("set_workspace", self._handle, workspace, WORKSPACE)

    def multiply(self, launch: LibraryLaunch, a: int, b: int, c: int) -> None:
        """Starts the products; a, b, c: addresses on the device."""
        wide = launch.dtype.name == "float64"
        alpha = self._factors[wide].ctypes.data
        beta = alpha + (8 if wide else 4)
        width_a, width_b = _widths(launch)
        step_a, step_b, step_c = launch.strides
        kind, kind_c = _KINDS[launch.dtype.name], _KINDS[launch.out.name]
        self._checked(
            "gemm_strided_batched_ex", self._handle, int(launch.trans_b), int(launch.trans_a),
            launch.n, launch.m, launch.k, alpha, b, kind, width_b, step_b, a, kind, width_a,
            step_a, beta, c, kind_c, launch.n, step_c, launch.batch,
            _sums(launch), _DEFAULT,
        )  # fmt: skip

    def start(self, launch: LibraryLaunch, words: Iterable[int]) -> None:
        """As `multiply`; words: where the three addresses lie in the host's memory."""
        at = [ctypes.c_uint64.from_address(int(word)).value for word in words]
        self.multiply(launch, *at)

    def _checked(self, name: str, *args: Any) -> Any:
        try:
            return getattr(self._cublas, name)(*args)
        except Exception as error:  # the binding has errors of its own
            raise InternalError(f"cuBLAS: {name} failed: {error}") from error


def _sums(launch: LibraryLaunch) -> int:
    """What cuBLAS computes in."""
    if launch.dtype.name == "float64":
        return _FLOAT64_SUMS
    return _TF32_SUMS if launch.tf32 else _FLOAT32_SUMS


def _widths(launch: LibraryLaunch) -> tuple[int, int]:
    """Elements from one row to the next, of A and B as they lie in memory."""
    return (
        launch.m if launch.trans_a else launch.k,
        launch.k if launch.trans_b else launch.n,
    )


class PlainCublas:
    """cuBLAS by its own functions; names and arguments are those of nvmath's binding.

    Raises:
        ImportError: it is not installed.
    """

    def __init__(self) -> None:
        finder: Any = import_module("cuda.pathfinder")
        try:
            # kept open by the process
            found = finder.load_nvidia_dynamic_lib("cublas")
        except Exception as error:  # the finder has errors of its own
            raise ImportError("no cuBLAS was found") from error
        self._functions = ctypes.CDLL(found.abs_path)

    def create(self) -> int:
        handle = ctypes.c_void_p()
        self._call("cublasCreate_v2", ctypes.byref(handle))
        return handle.value or 0

    def set_stream(self, handle: int, stream: int) -> None:
        self._call("cublasSetStream_v2", _pointer(handle), _pointer(stream))

    def set_workspace(self, handle: int, address: int, nbytes: int) -> None:
        size = ctypes.c_size_t(nbytes)
        self._call("cublasSetWorkspace_v2", _pointer(handle), _pointer(address), size)

    def gemm_strided_batched_ex(self, *args: int) -> None:
        words = [kind(word) for kind, word in zip(_GEMM, args, strict=True)]
        self._call("cublasGemmStridedBatchedEx", *words)

    def _call(self, name: str, *args: Any) -> None:
        status = getattr(self._functions, name)(*args)
        if status:
            raise RuntimeError(f"status {status}")


_pointer, _int, _long = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong
_GEMM = (
    _pointer, _int, _int, _int, _int, _int, _pointer,  # handle, operations, sizes, alpha
    _pointer, _int, _int, _long, _pointer, _int, _int, _long, _pointer,  # A, B, beta
    _pointer, _int, _int, _long, _int, _int, _int,  # C, how many, sums, algorithm
)  # fmt: skip


def _binding() -> Any:
    """Functions of cuBLAS. Raises ImportError."""
    try:
        return import_module("nvmath.bindings.cublas")
    except ImportError:
        return PlainCublas()


def library_on(stream: int, allocate: Callable[[int], int]) -> Library | None:
    """cuBLAS on a stream of the current context, or None where there is none of it.

    Args:
        allocate: gives memory of the device, in bytes.
    """
    try:
        return Library(_binding(), stream, allocate(WORKSPACE))
    except ImportError:
        return None
    except (InternalError, MemoryError):
        return None  # our own tiles need neither
