"""Configurations in the words of other versions of Keras, for HDF5 files.

Lives here: plain_config for reading what Keras 3 wrote, portable_config for writing what both
Keras 2 and Keras 3 read. Imports nothing of graphc.
"""

from __future__ import annotations

from typing import Any

__all__ = ["plain_config", "portable_config"]

# settings that say nothing here
_DROPPED = ("quantization_config", "lora_rank", "lora_alpha", "module", "registered_name",
            "build_config", "optional", "synchronized", "zero_output_for_mask",
            "autocast", "shared_object_id")  # fmt: skip
# settings of which only another value than this would say something
_USUAL = {"rms_scaling": False, "flash_attention": None, "seed": None,
          "use_gate": False, "groups": 1, "ragged": False, "score_mode": "dot",
          "output_padding": None, "data_format": None}  # fmt: skip
# settings that say again what stands elsewhere, by layer
_REPEATED = {
    "MultiHeadAttention": ("query_shape", "key_shape", "value_shape", "softmax_robust_masking"),
}
_RENAMED = {"batch_shape": "batch_input_shape"}


def plain_config(value: Any) -> Any:
    """The configuration without what only Keras 3 has."""
    if isinstance(value, list | tuple):
        return [plain_config(v) for v in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") in ("DTypePolicy", "Policy") and "config" in value:
        return value["config"].get("name", "float32")
    if value.get("class_name") == "__tuple__":
        return tuple(plain_config(v) for v in value.get("items", ()))
    out = {_RENAMED.get(k, k): plain_config(v) for k, v in value.items() if k not in _DROPPED}
    for key, usual in _USUAL.items():
        if key in out and out[key] == usual:
            out.pop(key)
    inner = out.get("config")
    repeated = _REPEATED.get(str(out.get("class_name")), ())
    if repeated and isinstance(inner, dict):
        out["config"] = {k: v for k, v in inner.items() if k not in repeated}
    if "inbound_nodes" in out:
        out["inbound_nodes"] = [_inbound(n) for n in value["inbound_nodes"]]
    return out


# settings at their defaults that some version does not know
_DEFAULTS = {"time_major": False, "causal": False, "reduction": "auto"}
_SCHEDULES = "keras.optimizers.schedules"


def portable_config(value: Any) -> Any:
    """The configuration without what only some versions know, and with what some ask for."""
    if isinstance(value, list | tuple):
        return [portable_config(v) for v in value]
    if not isinstance(value, dict):
        return value
    out = {k: portable_config(v) for k, v in value.items()
           if k not in _DEFAULTS or v != _DEFAULTS[k]}  # fmt: skip
    kind, inner = str(out.get("class_name")), out.get("config")
    if not isinstance(inner, dict):
        return out
    if kind == "MultiHeadAttention":
        inner.update(dict.fromkeys(_REPEATED[kind][:3]))
    if kind.startswith("SpatialDropout") and inner.get("trainable", False) is True:
        inner.pop("trainable")
    if kind == "Nadam":  # tf.keras's name for it
        inner["decay"] = inner.pop("schedule_decay", inner.get("decay"))
    if isinstance(inner.get("learning_rate"), dict):
        inner["learning_rate"] |= {"module": _SCHEDULES, "registered_name": None}
    return out


def _inbound(node: Any) -> Any:
    """A call as [[layer, call, output, arguments], ...]."""
    if not isinstance(node, dict):
        return node
    kwargs = {k: v for k, v in (node.get("kwargs") or {}).items() if not isinstance(v, dict)}
    return [[*ref, kwargs] for ref in _histories(node.get("args", ()))]


def _histories(value: Any) -> list[list[Any]]:
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            return [list(value["config"]["keras_history"])]
        return [h for v in value.values() for h in _histories(v)]
    if isinstance(value, list | tuple):
        return [h for v in value for h in _histories(v)]
    return []
