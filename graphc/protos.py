"""TF1's option messages: ConfigProto, GPUOptions, RunOptions and their kin.

Lives here: mutable messages with nested fields, as scripts set them
(`config.gpu_options.allow_growth = True`), and what a ConfigProto means for a Config. Every field
of TF1 is accepted; those that graphc has no use for have no effect. Imports config only.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

from graphc.config import Config, current


class Message:
    """A record of known fields; unset ones have defaults, nested messages are made when read."""

    fields: ClassVar[dict[str, Callable[[], Any]]] = {}

    def __init__(self, **values: Any) -> None:
        object.__setattr__(self, "_set", {})
        for name, value in values.items():
            if name not in self.fields:
                raise ValueError(
                    f'Protocol message {type(self).__name__} has no "{name}" field.'
                )
            if value is not None:
                self._set[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self.fields:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return self._set.setdefault(name, self.fields[name]())

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.fields:
            raise AttributeError(
                f'Assignment not allowed (no field "{name}" in protocol message object).'
            )
        self._set[name] = value

    def HasField(self, name: str) -> bool:
        return name in self._set

    def ClearField(self, name: str) -> None:
        self._set.pop(name, None)

    def CopyFrom(self, other: Message) -> None:
        object.__setattr__(self, "_set", copy.deepcopy(other._set))

    def MergeFrom(self, other: Message) -> None:
        for name, value in other._set.items():
            mine = self._set.get(name)
            if isinstance(mine, Message) and isinstance(value, Message):
                mine.MergeFrom(value)
            else:
                self._set[name] = copy.deepcopy(value)

    def __deepcopy__(self, memo: Any) -> Message:
        made = type(self)()
        made.CopyFrom(self)
        return made

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._set == other._set  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return "".join(_lines(self, ""))


def _lines(message: Message, indent: str) -> list[str]:
    out: list[str] = []
    for name, value in message._set.items():
        if isinstance(value, Message):
            out += [f"{indent}{name} {{\n", *_lines(value, indent + "  "), f"{indent}}}\n"]
        else:
            out.append(f"{indent}{name}: {value!r}\n")
    return out


def _defaults(**groups: str) -> dict[str, Callable[[], Any]]:
    """Field names by the type of their default: bool="a b", int="c", ..."""
    makers: dict[str, Callable[[], Any]] = {
        "flag": bool, "number": int, "real": float, "text": str, "many": list, "table": dict,
        "other": Message,
    }  # fmt: skip
    return {name: makers[kind] for kind, names in groups.items() for name in names.split()}


class GPUOptions(Message):
    """tf.GPUOptions."""

    fields = _defaults(
        flag="allow_growth force_gpu_compatible",
        number="deferred_deletion_bytes polling_active_delay_usecs polling_inactive_delay_msecs",
        real="per_process_gpu_memory_fraction",
        text="allocator_type visible_device_list",
        other="experimental",
    )


class OptimizerOptions(Message):
    """tf.OptimizerOptions."""

    L1 = 0
    L0 = -1
    DEFAULT = 0
    OFF = -1
    ON_1 = 1
    ON_2 = 2
    fields = _defaults(
        flag="do_common_subexpression_elimination do_constant_folding do_function_inlining "
        "cpu_global_jit",
        number="opt_level global_jit_level max_folded_constant_in_bytes",
    )


class GraphOptions(Message):
    """tf.GraphOptions."""

    fields = {
        **_defaults(
            flag="enable_recv_scheduling infer_shapes place_pruned_graph enable_bfloat16_sendrecv",
            number="build_cost_model build_cost_model_after timeline_step",
        ),
        "optimizer_options": OptimizerOptions,
        "rewrite_options": lambda: RewriterConfig(),
    }


class RewriterConfig(Message):
    """The graph rewriter's switches; graphc's own are in Config."""

    DEFAULT = 0
    ON = 1
    OFF = 2
    AGGRESSIVE = 3
    fields = _defaults(
        flag="disable_model_pruning disable_meta_optimizer min_graph_nodes",
        number="layout_optimizer constant_folding shape_optimization remapping "
        "arithmetic_optimization dependency_optimization loop_optimization function_optimization "
        "memory_optimization auto_mixed_precision meta_optimizer_iterations debug_stripper "
        "scoped_allocator_optimization pin_to_host_optimization",
        many="optimizers custom_optimizers",
    )


class ConfigProto(Message):
    """tf.ConfigProto. `intra_op_parallelism_threads` bounds the threads of a run."""

    fields = {
        **_defaults(
            flag="use_per_session_threads allow_soft_placement log_device_placement "
            "isolate_session_state share_cluster_devices_in_session",
            number="intra_op_parallelism_threads inter_op_parallelism_threads placement_period "
            "operation_timeout_in_ms",
            many="session_inter_op_thread_pool device_filters",
            table="device_count",
            other="rpc_options cluster_def experimental",
        ),
        "gpu_options": GPUOptions,
        "graph_options": GraphOptions,
    }


class RunOptions(Message):
    """tf.RunOptions."""

    NO_TRACE = 0
    SOFTWARE_TRACE = 1
    HARDWARE_TRACE = 2
    FULL_TRACE = 3
    fields = _defaults(
        flag="output_partition_graphs report_tensor_allocations_upon_oom",
        number="trace_level timeout_in_ms inter_op_thread_pool",
        other="debug_options experimental",
    )


def config_of(proto: ConfigProto | None, options: Config | None) -> Config:
    """The Config of a session: `options`, or the process default, with what the proto says of
    threads and placement."""
    base = options if options is not None else current()
    if proto is None:
        return base
    threads = proto.intra_op_parallelism_threads
    if threads and threads > 0:
        base = base.replace(threads=int(threads))
    return base.replace(soft_placement=True) if proto.allow_soft_placement else base
