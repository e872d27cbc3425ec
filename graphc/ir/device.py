"""Device texts ("/job:a/task:0/device:GPU:0") and their fields.

Lives here: reading and writing them. Not here: the stack of devices in force (ir/graph.py), what
a device means for a run. Imports nothing of graphc.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def device_fields(spec: Any) -> dict[str, str]:
    """The fields of a device: job, replica, task, device ("GPU:0").

    Raises:
        ValueError: a part that is not understood.
    """
    text = spec.to_string() if hasattr(spec, "to_string") else spec or ""
    out: dict[str, str] = {}
    for part in text.split("/"):
        key, _, value = part.partition(":")
        if key in ("job", "replica", "task"):
            out[key] = value
        elif key == "device":
            kind, _, number = value.partition(":")
            out["device"] = f"{kind.upper()}:{number or '*'}"
        elif key.upper() in ("CPU", "GPU"):
            out["device"] = f"{key.upper()}:{value or '*'}"
        elif part:
            raise ValueError(f"Unknown attribute: '{key}' in '{text}'")
    return out


def device_text(fields: Mapping[str, str]) -> str:
    order = ("job", "replica", "task", "device")
    return "".join(f"/{key}:{fields[key]}" for key in order if key in fields)
