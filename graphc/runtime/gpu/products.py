"""Products on a GPU: which nodes of a program are steps of their own.

Lives here: gpu_product_calls. Not here: their kernels (product_calls.py), how operands lie
(product_matmul.py, product_conv.py). The scheduler imports this module.
"""

from __future__ import annotations

from dataclasses import replace

from graphc.config import Config
from graphc.ir.node import Node
from graphc.ir.program import Program
from graphc.runtime.gpu.product_calls import GpuLaunch, GpuProductCall
from graphc.runtime.gpu.product_conv import conv_product
from graphc.runtime.gpu.product_matmul import matmul_product


def gpu_product_calls(program: Program, config: Config) -> dict[Node, GpuProductCall]:
    """The products of a program that run on a GPU; what is not among them is the host's."""
    found = {node: matmul_product(node) or conv_product(node) for node in program.nodes}
    cores = config.tensor_cores
    return {n: replace(c, tensor_cores=cores) for n, c in found.items() if c is not None}


__all__ = ["GpuLaunch", "GpuProductCall", "gpu_product_calls"]
