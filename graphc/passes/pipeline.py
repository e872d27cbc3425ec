"""THE order of passes, read from top to bottom, and the observer that watches them.

Imports the passes. One hook, `observer(stage name, program)`, serves dumps, checks and tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from graphc.config import Config
from graphc.errors import ConfigError
from graphc.ir.program import Program
from graphc.passes.algebra import Algebra
from graphc.passes.base import WATCHER, Pass
from graphc.passes.control import Control
from graphc.passes.convolve import Convolve
from graphc.passes.crop import Crop
from graphc.passes.expand import Expand
from graphc.passes.fold import Fold
from graphc.passes.layout import Layout
from graphc.passes.movement import Movement
from graphc.passes.recompute import Recompute
from graphc.passes.stabilize import Stabilize
from graphc.passes.variance import Variance
from graphc.passes.verify import verify

Observer = Callable[[str, Program], None]

PIPELINE: tuple[Pass, ...] = (
    Fold(),  # shapes and constants first: they decide what the rest sees
    Expand(),  # composites become plain ops
    Convolve(),  # convolutions: tiles, GEMM on patches or reductions
    Control(),  # the same for the bodies of loops and branches; what they do not need goes
    Algebra(),  # x * 1, x + 0, double negation ...; equal nodes merge in every rewrite
    Stabilize(),  # log(softmax), log(1 + x) ...
    Movement(),  # reshapes of reshapes, transposes of transposes, slices of whole tensors
    Variance(),  # of what is larger than the caches: by rows
    Layout(),  # transposes into GEMM flags
    Crop(),  # convolutions compute only what a pool reads
    Fold(name="fold_again"),
    Algebra(name="algebra_again"),
    Recompute(),  # large attention weights for gradients; last: equal nodes stay apart
)


_NEEDED = ("expand", "control")


def selected(config: Config) -> tuple[Pass, ...]:
    """The passes that the configuration asks for.

    Raises:
        ConfigError: an unknown pass name.
    """
    known = {p.name: p for p in PIPELINE}
    for name in (*config.passes, *config.disabled):
        if name not in known:
            raise ConfigError(f"unknown pass {name!r}; known: {', '.join(known)}")
    wanted = [known[n] for n in config.passes] if config.passes else list(PIPELINE)
    # composites have no kernels: they are always expanded
    kept = [p for p in wanted if p.name not in config.disabled or p.name in _NEEDED]
    if not any(p.name == "expand" for p in kept):
        kept.append(known["expand"])
    gpu = config.backend == "cuda"
    tiles = gpu or config.codegen == "vector"
    if not tiles or not config.fuse or gpu:
        kept = [p for p in kept if not isinstance(p, Recompute)]  # nothing runs it in parts
    return tuple(
        replace(p, tiles=tiles, gpu=gpu) if isinstance(p, Convolve) else p for p in kept
    )


def optimize(
    program: Program, config: Config, observer: Observer | None = None, inner: bool = False
) -> Program:
    """Runs the passes in order. Every result is verified when the configuration validates.

    Args:
        inner: the body of a loop or a branch, whose steps form no chains.
    """
    if observer is not None:
        observer("start", program)
    steps = selected(config)
    if not any(isinstance(s, Control) for s in steps):
        steps = (*steps, Control())  # bodies need their expansions in any case
    if inner:
        steps = tuple(s for s in steps if not isinstance(s, Recompute))
    watcher = WATCHER.get()
    for step in steps:
        if watcher is not None:
            watcher.began(step)
        if isinstance(step, Control):
            program = step.run_with(program, lambda body: optimize(body, config, inner=True))
        else:
            program = step.run(program)
        if watcher is not None:
            watcher.ended(step)
        if config.validate:
            verify(program, step.name)
        if observer is not None:
            observer(step.name, program)
    return program
