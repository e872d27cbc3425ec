"""The words of docs/gpu.md that no run changes, and what is wanted of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """A wanted number: graphc's share of the ceiling, or a peer's time over graphc's.

    cases: by name. peer, variants: of the ratio; without a peer it is the share. own: variants.
    """

    what: str
    wanted: float
    cases: tuple[str, ...]
    peer: str = ""
    variants: tuple[str, ...] = ()
    own: tuple[str, ...] = ("run",)


def _float(*names: str) -> tuple[str, ...]:
    return tuple(f"{n}/float32" for n in names)


COMPILED = ("compile", "overhead", "autotune")
LARGE_SUMS = tuple(f"W7_sum_{where}_16384x8192" for where in ("full", "ax0", "ax1"))
ROWS = ("W5", "W5_65536x1024", "W6", "W6_65536x1024")
PRODUCTS = _float("GEMM1024", "GEMM2048", "GEMM4096", "GEMM8192")
BARS = (
    Bar("elementwise and reductions, share of the copy bandwidth", 0.85,
        _float("W1_67108864", "W2_67108864", *LARGE_SUMS)),
    Bar("softmax and layer norm, ratio to torch.compile", 1.0, _float(*ROWS), "torch", COMPILED),
    Bar("products through cuBLAS, ratio to torch", 0.95, PRODUCTS, "torch", ("eager",)),
    Bar("products by own tiles, share of the float32 peak", 0.5, PRODUCTS, own=("tiles",)),
    Bar("MLP and CNN training step, ratio to torch.compile", 1.0,
        _float("W8_sgd", "W8_adam", "W10_b32", "W10_b256"), "torch", COMPILED),
)  # fmt: skip

HEAD = """# On a GPU

`Config(backend="cuda")` or `with tf.device("/gpu:0")` runs a graph on an NVIDIA GPU: the kernels'
nests are the CPU's, printed as numba.cuda source; [decisions](decisions.md) has the reasons.

## Run it

```sh
pip install "graphc[cuda]"                     # numba-cuda and the toolkit's compiler, CUDA 13.0
pip install torch "jax[cuda13]" cupy-cuda13x   # what it is measured beside: each may be missing
pip install pytest hypothesis pytest-xdist     # for the tests; they take longer without xdist
tools/bench/gpu.sh --minutes 8.5               # the tests on the device, and all numbers
python -m tools.bench.gpu --smoke              # the tool itself, on a machine without a GPU
```

A driver for CUDA 13 is needed; nothing is fetched during a run. `GRAPHC_BENCH_PYTHON` names the
Python where it is not `python3`, `--env torch=PYTHON` that of a peer elsewhere. `OUT` names the
folder of the results (`gpu-results` otherwise): `gpu.md` takes the place of this page,
`results.json` has every sample, `tests_gpu.log` and `tests_cuda.log` what the tests said,
`peers.log` what the processes did.

Each peer runs in processes of its own. While the tests run, all of them compile and check every
work (those that choose among kernels by timing them do so on a busy machine); then one at a time is
timed, peers in turn within each of three rounds. A time is the median of the rounds' samples, each
the mean of calls that together last 40 ms and one wait for the device. Inputs and weights stay on
the device: graphc's are variables, its result is assigned to another one, and nothing is fetched.
Results are checked against NumPy in float64, training by the losses of its first steps; a wrong one
does not count. float32 is float32 for all: tf32 only in rows of that name. bfloat16 products of
graphc are those of `Config(tensor_cores=True)`, as all peers' are.

Variants. graphc: `run`; `tiles` without cuBLAS; `unfused` one op a kernel; `run_dynamic` by
`dynamic_rnn`. PyTorch: `eager`; `compile` is torch.compile, `overhead` its mode reduce-overhead
(CUDA graphs), `autotune` max-autotune-no-cudagraphs; `eager_module` torch.nn.LSTM. JAX: one `jit`.
CuPy: `plain` kernels, `fuse` by cupy.fuse.
"""

PROVED = """## Without a GPU

The tests run every op, random graphs and whole sessions in numba's simulator (`tests/gpu`,
`tests/cuda`), and compile kernels to PTX and machine code for compute capabilities 8.0 and 9.0.
`python -m tools.bench.gpu_kernels` makes the works' plans for an H200 on a device that compiles
every kernel and starts none: registers of a thread (255 at most), bytes that it spills, bytes of
shared memory of a block, the largest of each work's kernels, those of initial values among them.
"""

NO_NUMBERS = """## Numbers

None yet: no machine with a GPU has run this.
"""
