"""Launches of transposes.

Lives here: turn_code, turn_shape, turn_sizes. Not here: the kernel's source (render/cuda_turn.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ir.shape import evaluate
from graphc.render.cuda_turn import SIDE, turn_name, turn_text, turn_types
from graphc.render.numba_cuda import text_ptx
from graphc.runtime import cache
from graphc.runtime.gpu.code import VERSION, Code
from graphc.runtime.gpu.device import Device, Shape
from graphc.runtime.turn import TurnCall

THREADS = 256
RESIDENT = 8  # blocks a multiprocessor works on at a time


def turn_code(call: TurnCall, device: Device) -> Code:
    """The kernel for elements of this size."""
    size = call.turn.size
    threads = min(THREADS, device.block_threads)
    key = cache.content_key("cuda turn", str(VERSION), str(size), str(threads))

    def ptx(symbol: str, cc: tuple[int, int]) -> str:
        name = turn_name(size)
        return text_ptx(
            turn_text(size), name, (), lambda: turn_types(size), symbol, cc, threads
        )

    return Code(turn_name(size), key, lambda: turn_text(size), turn_name(size), ptx)


def turn_sizes(call: TurnCall, values: Mapping[str, int]) -> list[int]:
    """The words behind source and target."""
    turn = call.turn
    count, rows, columns = (evaluate(d, values) for d in (turn.count, turn.rows, turn.columns))
    down, across = -(-rows // SIDE), -(-columns // SIDE)
    return [rows, columns, down, across, count * down * across]


def turn_shape(blocks: int, device: Device) -> Shape:
    """Blocks and threads for so many squares."""
    threads = min(THREADS, device.block_threads)
    grid = min(blocks, device.gpu.sms * RESIDENT * 4)
    return Shape((grid, 1, 1), (threads, 1, 1))
