"""The works in PyTorch on a GPU: eager, torch.compile in its modes; arrays resident.

`overhead` is mode="reduce-overhead" (CUDA graphs), `autotune` "max-autotune-no-cudagraphs".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from tools.bench import peer_torch
from tools.bench.gpu_worker import Running, measure
from tools.bench.gpu_works import FLOAT, HALF, Case

VERSIONS = ("torch", "triton", "numpy")
LARGE = ("W1", "W2", "W5", "W6", "W7")
MODES = {"compile": None, "overhead": "reduce-overhead", "autotune": "max-autotune-no-cudagraphs"}


def variants(case: Case) -> tuple[str, ...]:
    """Of each work the modes that may be its fastest."""
    work = case.work
    if work.name.startswith("GEMM"):
        return ("eager",)
    if work.model == "lstm":
        return "eager_module", "eager"  # compiling the written-out steps takes minutes
    if work.name.startswith(LARGE):
        return "compile", "eager", "autotune"
    if work.name.startswith("W13"):
        return "compile", "eager", "autotune", "overhead"
    if work.name.startswith(("W3", "W4")):
        return "compile", "eager", "overhead"
    return "compile", "overhead", "eager"


def setup(device: str) -> None:
    """Settings of the process."""
    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("torch sees no GPU")
    # every work compiles the same functions anew: none may be given up for that
    for name in ("recompile_limit", "accumulated_recompile_limit", "cache_size_limit",
                 "accumulated_cache_size_limit"):  # fmt: skip
        if hasattr(torch._dynamo.config, name):
            setattr(torch._dynamo.config, name, 10_000)


def select(case: Case) -> None:
    """Whether products in float32 may be rounded to tf32; convolutions are too by default."""
    rounding = case.dtype != FLOAT
    torch.backends.cuda.matmul.allow_tf32 = rounding
    torch.backends.cudnn.allow_tf32 = rounding


def prepare(case: Case, variant: str, device: str) -> Running:
    """The work with its arrays on the device, run once."""
    work = case.work
    kind = torch.bfloat16 if case.dtype == HALF else torch.float32
    inputs, parameters = [[_placed(a, kind, device) for a in part] for part in case.values()]
    if work.model == "cnn":
        # channels last, as the arrays lie in memory
        inputs[0] = inputs[0].permute(0, 3, 1, 2)
        parameters = [_filter(p) if p.ndim == 4 else p for p in parameters]
    if variant == "overhead":
        # they stay where they are: a CUDA graph need not copy them
        for tensor in (*inputs, *parameters):
            torch._dynamo.mark_static_address(tensor)
    model = partial(peer_torch.MODELS[work.model], **work.options)
    made = compiler(variant)
    if work.training:
        if variant == "eager_module":
            step = peer_torch.lstm_module(parameters, inputs, work)
        else:
            step = peer_torch.training(work, model, parameters, inputs, made)
    else:
        step = _inference(model if made is None else made(model), parameters, inputs)
    return _running(step, variant, device)


def _inference(model: Any, parameters: Any, inputs: Any) -> Callable[[], Any]:
    def call() -> Any:
        with torch.inference_mode():
            return model(parameters, *inputs)

    return call


def _running(step: Callable[[], Any], variant: str, device: str) -> Running:
    result: list[Any] = [None]
    # a CUDA graph's results are written over by the next call
    begin = torch.compiler.cudagraph_mark_step_begin if variant == "overhead" else lambda: None

    def call() -> None:
        begin()
        result[0] = None  # its memory may be the next one's
        result[0] = step()

    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    call()
    wait()
    return Running(call, wait, lambda: result[0].float().cpu().numpy())


def compiler(variant: str) -> Callable[[Any], Any] | None:
    """What makes a function faster, of each variant."""
    if variant not in MODES:
        return None
    mode = MODES[variant]
    return lambda fn: torch.compile(fn, dynamic=False, mode=mode)


def ceilings(device: str, smoke: bool) -> dict[str, float]:
    """Bytes that a copy reads and writes a second; a small kernel's call."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    source = torch.randn(1024 if smoke else 1 << 28, device=device)
    target, few = torch.empty_like(source), torch.zeros(1024, device=device)
    copied = min(measure(lambda: target.copy_(source), wait, 5))
    started = min(measure(lambda: few.add_(1), wait, 5))
    return {"copy_torch": 8 * source.numel() / copied, "torch_launch": started}


def _placed(array: Any, kind: Any, device: str) -> Any:
    tensor = torch.from_numpy(np.array(array))
    return tensor.to(device, kind if tensor.is_floating_point() else tensor.dtype)


def _filter(p: Any) -> Any:
    return p.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
