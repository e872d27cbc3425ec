"""tensorflow.python.client.device_lib: the devices of this machine.

Lives here: list_local_devices. Imports the standard library only.
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
    """One CPU."""
    return [LocalDevice("/device:CPU:0", "CPU", 1 << 28)]
