"""What a traced run leaves: RunMetadata, StepStats and their parts.

Lives here: their tables. Not here: how they are filled (tf1/run_metadata.py). Imports interop.wire
and messages only.
"""

from __future__ import annotations

from graphc.interop import messages as messages
from graphc.interop.wire import Message


class AllocationDescription(Message):
    TABLE = """
        1 requested_bytes int64
        2 allocated_bytes int64
        3 allocator_name string
        4 allocation_id int64
        5 has_single_reference bool
        6 ptr uint64
    """


class TensorDescription(Message):
    TABLE = """
        1 dtype enum:DataType
        2 shape TensorShapeProto
        4 allocation_description AllocationDescription
    """


class AllocationRecord(Message):
    TABLE = """
        1 alloc_micros int64
        2 alloc_bytes int64
    """


class AllocatorMemoryUsed(Message):
    TABLE = """
        1 allocator_name string
        2 total_bytes int64
        3 peak_bytes int64
        4 live_bytes int64
        5 allocator_bytes_in_use int64
        6 allocation_records *AllocationRecord
    """


class NodeOutput(Message):
    TABLE = """
        1 slot int32
        3 tensor_description TensorDescription
    """


class MemoryStats(Message):
    TABLE = """
        1 temp_memory_size int64
        3 persistent_memory_size int64
        5 persistent_tensor_alloc_ids *int64
    """


class NodeExecStats(Message):
    """One step of a run: when it ran, what it wrote. Times are relative to all_start."""

    TABLE = """
        1 node_name string
        2 all_start_micros int64
        3 op_start_rel_micros int64
        4 op_end_rel_micros int64
        5 all_end_rel_micros int64
        6 memory *AllocatorMemoryUsed
        7 output *NodeOutput
        8 timeline_label string
        9 scheduled_micros int64
        10 thread_id uint32
        11 referenced_tensor *AllocationDescription
        12 memory_stats MemoryStats
        13 all_start_nanos int64
        14 op_start_rel_nanos int64
        15 op_end_rel_nanos int64
        16 all_end_rel_nanos int64
        17 scheduled_nanos int64
    """


class DeviceStepStats(Message):
    """The steps of one device."""

    TABLE = """
        1 device string
        2 node_stats *NodeExecStats
        3 thread_names map:uint32:string
    """


class StepStats(Message):
    """The trace of one run."""

    TABLE = "1 dev_stats *DeviceStepStats"


class CostGraphDef(Message):
    """Kept as it is: TensorFlow's estimates of costs."""


class FunctionGraphs(Message):
    """Kept as it is: the graphs of TensorFlow 2's functions."""


class RunMetadata(Message):
    """tf.RunMetadata: what a run with RunOptions(trace_level=...) recorded."""

    TABLE = """
        1 step_stats StepStats
        2 cost_graph CostGraphDef
        3 partition_graphs *GraphDef
        4 function_graphs *FunctionGraphs
    """
