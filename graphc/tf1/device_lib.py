"""tensorflow.python.client.device_lib: the devices of this machine.

Lives here: list_local_devices. Devices are looked for when it is called.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["LocalDevice", "list_local_devices"]


class LocalDevice(NamedTuple):
    """One device; the fields are those of TF's DeviceAttributes."""

    name: str
    device_type: str
    memory_limit: int
    incarnation: int = 0
    physical_device_desc: str = ""


def list_local_devices(session_config: Any = None) -> list[LocalDevice]:
    """One CPU, and the GPUs that plans can run on."""
    from graphc.runtime.gpu.device import device_count, find_device

    found = [LocalDevice("/device:CPU:0", "CPU", 1 << 28)]
    for number in range(device_count()):
        device = find_device(number)
        _, total = device.memory()
        major, minor = device.gpu.cc
        text = (
            f"device: {number}, name: {device.gpu.name}, compute capability: {major}.{minor}"
        )
        found.append(LocalDevice(device.name, "GPU", total, physical_device_desc=text))
    return found
