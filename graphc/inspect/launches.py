"""What the steps of plans for a GPU start: kernels with their launches, sources, machine code.

Lives here: Launched, launches_of, launch_count, device_of, runs_on, place_of, device_nest,
product_text, DeviceCode, device_code, compile_seconds. Not here: how plans bind and walk
(runtime/gpu/*), what is said of plans of any kind (inspect/explain.py). Imported by inspect only.

Nothing is compiled for a GPU until device_code is asked for it; that needs numba-cuda and NVIDIA's
compiler, but no GPU. The simulator has neither.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from graphc.errors import CompileError
from graphc.inspect.texts import size
from graphc.ir.shape import SymDim, evaluate
from graphc.kernel.launch import Gpu, Launch, grid_text, launch_text
from graphc.kernel.nest import Kernel
from graphc.render import numba_cuda
from graphc.runtime.finishing import Finishing
from graphc.runtime.gpu.code import Code, launch_code, nest_code
from graphc.runtime.gpu.device import simulating
from graphc.runtime.gpu.nests import nest_of
from graphc.runtime.gpu.plan import GpuPlan
from graphc.runtime.gpu.product_calls import GpuLaunch, GpuProductCall
from graphc.runtime.gpu.product_library import LibraryLaunch
from graphc.runtime.trace import CPU

if TYPE_CHECKING:
    from graphc.runtime.gpu.device import Device
    from graphc.runtime.plan import CompiledPlan
    from graphc.runtime.steps import Step

_SIMULATED = "numba's simulator runs kernels in Python and compiles none"


@dataclass(frozen=True)
class Launched:
    """One kernel as a step starts it.

    Attributes:
        name: of the function. blocks, threads: of the grid, of a block. reason: of the launch, for
            people; remedy: what would use the device better, "" where nothing is known.
        code: the kernel; None for a library's, which has no text.
    """

    name: str
    blocks: int
    threads: int
    reason: str
    remedy: str = ""
    code: Code | None = field(default=None, compare=False, repr=False)

    @property
    def source(self) -> str:
        """A module of Python for numba.cuda."""
        return "" if self.code is None else self.code.source()


def device_of(plan: CompiledPlan) -> Device | None:
    """The GPU that a plan runs on; None for the CPU."""
    return plan.device if isinstance(plan, GpuPlan) else None


def runs_on(devices: Iterable[Device | None]) -> str:
    """For people: the processor, or GPUs with their names, each once."""
    found = [f"{d.name.removeprefix('/device:')} {d.gpu.name}" for d in devices if d is not None]
    return ", ".join(dict.fromkeys(found)) or "cpu"


def place_of(plan: CompiledPlan, step: Step) -> str:
    """The device that a step runs on: "/device:CPU:0", "/device:GPU:0"."""
    device = device_of(plan)
    return CPU if device is None or step.on_host else device.name


def launches_of(plan: GpuPlan, step: Step, values: Mapping[str, int]) -> list[Launched]:
    """What a step starts, in order, for these extents; inside of shape_env of the program."""
    if step.on_host:
        return []
    if isinstance(step.call, GpuProductCall):
        return _product(plan.device, step.call, values)
    kernel = nest_of(step)
    if kernel is None:
        return []
    code, ready = nest_code(kernel, plan.device.block_threads)
    extent = evaluate(ready.kernel.extent, values)
    if extent <= 0:
        return []
    shape = plan.device.shape_of(ready.launch, extent)
    gpu = plan.device.gpu
    text = launch_text(ready.launch, extent, gpu)
    if isinstance(ready.kernel.extent, SymDim):
        text = text.replace(str(ready.kernel.extent), f"{extent:,}")
    remedy = _remedy(ready.launch, extent, gpu)
    return [Launched(code.entry, shape.grid[0], shape.block[0], text, remedy, code)]


def device_nest(step: Step) -> Kernel | None:
    """The loops of a step for a GPU, or those behind each element of its product."""
    return step.call.finish if isinstance(step.call, Finishing) else nest_of(step)


def launch_count(plan: CompiledPlan, step: Step, values: Mapping[str, int]) -> int:
    """Kernels that one turn of a step starts: of the CPU, and of the host, one."""
    if not isinstance(plan, GpuPlan) or step.on_host:
        return 1
    return len(launches_of(plan, step, values))


def _remedy(launch: Launch, extent: int, gpu: Gpu) -> str:
    """What would let more of the device work."""
    if launch.form == "alone":
        return "reduce over the last axes first: their rows would be shared out"
    if "too short to share" in launch.reason:
        return "nothing: a thread a row is best where rows have a few elements"
    if "do not fit" in launch.reason:
        return "shorter rows, or fewer values that are needed again when a row has been reduced"
    if 1 < launch.grid(extent, gpu) < gpu.sms:
        return f"more rows or elements at once: {gpu.sms} multiprocessors could work"
    return ""


# ------------------------------------------------------------------ products
def _product(device: Device, call: GpuProductCall, values: Mapping[str, int]) -> list[Launched]:
    library = _by_library(device, call, values)
    found = call.launches(values, device.gpu, device.block_threads, library)
    return [_launched(launch, device.gpu) for launch in found]


def _by_library(device: Device, call: GpuProductCall, values: Mapping[str, int]) -> bool:
    return call.wants_library(values) and device.library is not None


def _launched(launch: GpuLaunch | LibraryLaunch, gpu: Gpu) -> Launched:
    if isinstance(launch, LibraryLaunch):
        sizes = _sizes(launch.batch, launch.m, launch.n, launch.k)
        return Launched("cublas", 1, 1, f"cuBLAS on {gpu.name}: {sizes}")
    text = grid_text(launch.blocks, launch.threads, gpu, _why(launch))
    code = launch_code(launch)
    return Launched(code.entry, launch.blocks, launch.threads, text, _few_tiles(launch, gpu), code)


def _why(launch: GpuLaunch) -> str:
    """How a kernel of a product shares its work out."""
    tile = launch.product.tile
    behind = ""
    if launch.finish is not None:
        behind = f"; {launch.finish.kernel.name} runs on each element before it is stored"
    if launch.form == "rows":
        return "one side is thin: a warp an element" + behind
    if launch.form == "columns":
        return "channel by channel: a thread an element" + behind
    if launch.form == "parts":
        return "adds up the parts of the sums, always in the same order" + behind
    cut = ", a part of the sum each" if launch.product.partial else ""
    who = "warp on tensor cores" if tile.tensor else "thread"
    return (
        f"tiles of {tile.rows} x {tile.columns}, {tile.depth} deep, {tile.row_each} x "
        f"{tile.column_each} sums a {who}{cut}{behind}"
    )


def _few_tiles(launch: GpuLaunch, gpu: Gpu) -> str:
    if launch.form != "tile" or launch.blocks >= gpu.sms:
        return ""
    return f"a larger product or batch: {gpu.sms} multiprocessors could work"


def product_text(device: Device, call: GpuProductCall, values: Mapping[str, int]) -> str:
    """What a product multiplies, a line for each matrix product that it is."""
    lines, library = [], _by_library(device, call, values)
    for sides in call.sides(values):
        line = _sizes(sides.batch, sides.m, sides.n, sides.k)
        parts, each = sides.parts()
        if parts > 1 and not library:
            line += f", its sums cut into {parts} parts of {each}: too few tiles otherwise"
        lines.append(line)
    return "\n".join(lines)


def _sizes(batch: int, m: int, n: int, k: int) -> str:
    times = f", {batch} times" if batch > 1 else ""
    return f"{m} x {k} times {k} x {n}{times}"


# ------------------------------------------------------------------ machine code
@dataclass(frozen=True)
class DeviceCode:
    """A kernel compiled for a GPU.

    Attributes:
        name: of the kernel, or of the step that starts it. entry: in the PTX. cc: compute
            capability. registers: of a thread. spills: bytes a thread stores and loads because
            registers ran out. shared: bytes of a block.
        missing: why there is none, "" where there is one.
    """

    name: str
    entry: str
    cc: tuple[int, int]
    ptx: str = ""
    registers: int = 0
    spills: int = 0
    shared: int = 0
    missing: str = ""

    @property
    def note(self) -> str:
        """What the kernel needs, in one line."""
        if self.missing:
            return f"no machine code: {self.missing}"
        spilt = f"{self.spills} bytes spilt" if self.spills else "nothing spilt"
        return (
            f"compute capability {self.cc[0]}.{self.cc[1]}: {self.registers} registers a thread, "
            f"{spilt}, {size(self.shared)} of shared memory a block"
        )


def device_code(code: Code, cc: tuple[int, int], name: str = "") -> DeviceCode:
    """PTX, and what the linker says of it; nothing is kept. name: for people, where not its own."""
    none = DeviceCode(name or code.name, code.entry, cc)
    if find_spec("numba_cuda") is None:
        return replace(none, missing=numba_cuda.MISSING)
    if simulating():
        return replace(none, missing=_SIMULATED)
    try:
        text = code.ptx(code.entry, cc)
        made = numba_cuda.cubin(text, cc)
    except CompileError as error:
        return replace(none, missing=str(error))
    return replace(
        none, ptx=text, registers=made.registers, spills=made.spills, shared=made.shared
    )


def compile_seconds(plan: GpuPlan, values: Mapping[str, int]) -> float:
    """The time to print and compile every kernel that a plan starts for these extents; 0 where
    nothing can be compiled."""
    found = [one.code for step in plan.schedule.steps for one in launches_of(plan, step, values)]
    codes = {code.key: code for code in found if code is not None}
    start = time.perf_counter()
    made = [device_code(code, plan.device.gpu.cc) for code in codes.values()]
    return 0.0 if any(m.missing for m in made) else time.perf_counter() - start
