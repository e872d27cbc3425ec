"""Where a plan runs: on the CPU, or on the GPU that the configuration or tf.device asks for.

Lives here: device_for. Not here: what devices can do (gpu/device.py), which is imported only when
something asks for a GPU.

A plan runs in one place as a whole: on the GPU that its ops name, on which ops without a device run
too, as TF1 places them; host ops run on the host in any case. Programs on several GPUs are several
plans (runtime/places.py).
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphc.config import Config
from graphc.errors import ConfigError, InvalidArgumentError
from graphc.ir.device import device_fields
from graphc.ir.faults import located
from graphc.ir.node import Node

if TYPE_CHECKING:
    from graphc.runtime.gpu.device import Device

_CPU = "/job:localhost/replica:0/task:0/device:CPU:0"
_lock = threading.Lock()
_told: set[str] = set()


def device_for(config: Config, nodes: Sequence[Node]) -> tuple[Device | None, Config]:
    """(the GPU for these nodes, None for the CPU; the configuration of the plan there).

    Raises:
        InvalidArgumentError: an op stands on a GPU that is not there, without soft placement.
        ConfigError: Config(backend="cuda") and there is no GPU, without soft placement.
    """
    named = _named(nodes)
    if config.backend != "cuda" and not named:
        return None, config
    from graphc.runtime.gpu.device import absence, find_device

    wanted = sorted(named) or [0]
    missing = {n: reason for n in wanted if (reason := absence(n)) is not None}
    for ordinal, reason in missing.items():
        if not config.soft_placement:
            raise _refusal(named.get(ordinal), ordinal, reason)
        there = min((n for n in named if n not in missing), default=None)
        instead = "the CPU" if there is None else f"/device:GPU:{there}"
        _tell(f"/device:GPU:{ordinal} is not available ({reason}): its ops run on {instead}")
    for ordinal in wanted:
        if ordinal not in missing:
            return find_device(ordinal), config.replace(backend="cuda")
    return None, config.replace(backend="cpu")


def gpu_of(node: Node) -> int | None:
    """The number of the GPU that the node stands on, if it names one."""
    if "GPU" not in node.device.upper():
        return None
    kind, _, number = device_fields(node.device).get("device", "").partition(":")
    if kind != "GPU":
        return None
    return int(number) if number.isdigit() else 0


def _named(nodes: Sequence[Node]) -> dict[int, Node]:
    """The GPUs that nodes stand on, by number, each with the first such node.

    Where ops compute decides; a variable is wherever its readers are.
    """
    out: dict[int, Node] = {}
    for node in sorted(nodes, key=lambda n: (n.op.family == "source", n.id)):
        number = gpu_of(node)
        if number is not None and (node.op.family != "source" or not out):
            out.setdefault(number, node)
    return out


def _refusal(node: Node | None, ordinal: int, reason: str) -> Exception:
    if node is None:
        return ConfigError(
            f'Config(backend="cuda"): {reason}; Config(soft_placement=True) runs on the CPU instead'
        )
    return located(
        InvalidArgumentError(
            f"Cannot assign a device for operation {node.name}: node {node.name} was explicitly "
            f"assigned to {node.device} but available devices are [ {_CPU} ]. Make sure the device "
            f"specification refers to a valid device ({reason}). "
            "ConfigProto(allow_soft_placement=True) runs it on the CPU instead."
        ),
        node,
    )


def _tell(text: str) -> None:
    """Says it once a process."""
    with _lock:
        if text in _told:
            return
        _told.add(text)
    warnings.warn(text, stacklevel=2)
