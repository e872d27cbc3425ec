"""Queues and readers in TensorFlow's files: nodes whose form differs from graphc's.

Lives here: WRITERS by record, READERS by TensorFlow's op type (also of the forms before
TensorFlow 1.0). Not here: walking graphs (interop/graph_def.py, interop/importer.py), collections
of queue runners (interop/meta_graph.py).

graphc's ops say under which name a session keeps a queue, and what an element looks like;
TensorFlow's ask the node that makes the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from graphc.errors import InvalidArgumentError
from graphc.interop import attributes
from graphc.interop.messages import NodeDef
from graphc.ir.dtypes import DType, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ops.define import F

if TYPE_CHECKING:
    from graphc.interop.graph_def import _Writer
    from graphc.interop.importer import Importer

_QUEUES = {
    "FIFOQueue": "fifo_queue",
    "PaddingFIFOQueue": "padding_fifo_queue",
    "RandomShuffleQueue": "random_shuffle_queue",
    "PriorityQueue": "priority_queue",
}
_READERS = {
    "TextLineReader": "text_line_reader",
    "TFRecordReader": "tf_record_reader",
    "WholeFileReader": "whole_file_reader",
    "IdentityReader": "identity_reader",
    "FixedLengthRecordReader": "fixed_length_record_reader",
}
# what is the same in both but for the type's name
_PLAIN = {
    "QueueEnqueue": "queue_enqueue", "QueueEnqueueMany": "queue_enqueue_many",
    "QueueClose": "queue_close", "QueueSize": "queue_size", "QueueIsClosed": "queue_is_closed",
    "ReaderRead": "reader_read", "ReaderReadUpTo": "reader_read_up_to",
    "ReaderReset": "reader_reset", "ReaderNumRecordsProduced": "reader_num_records_produced",
    "ReaderNumWorkUnitsCompleted": "reader_num_work_units_completed",
}  # fmt: skip
_TAKING = {
    "QueueDequeue": "queue_dequeue",
    "QueueDequeueMany": "queue_dequeue_many",
    "QueueDequeueUpTo": "queue_dequeue_up_to",
}
_KEPT = ("capacity", "min_after_dequeue", "seed", "seed2", "shared_name", "cancel_pending_enqueues",
         "skip_header_lines", "compression_type", "header_bytes", "record_bytes", "footer_bytes",
         "hop_bytes", "encoding")  # fmt: skip


# ------------------------------------------------------------------ writing
def _put_types(made: NodeDef, name: str, dtypes: Sequence[DType]) -> None:
    listed = made.attr[name].list
    listed.SetInParent()
    listed.type.extend(d.as_datatype_enum for d in dtypes)


def _maker(writer: _Writer, node: Node, made: NodeDef) -> None:
    for name, value in node.attrs.items():
        if name in _KEPT:
            attributes.put(made.attr, name, value)
    made.attr["container"].s = b""
    made.attr["shared_name"].s = node.attrs.get("shared_name", "").encode()
    if "component_types" not in node.attrs:
        return
    _put_types(made, "component_types", node.attrs["component_types"])
    listed = made.attr["shapes"].list
    listed.SetInParent()
    for shape in node.attrs["shapes"]:
        attributes.fill_shape(listed.shape.add(), shape)


def _put(writer: _Writer, node: Node, made: NodeDef) -> None:
    if node.attrs.get("keep"):
        made.attr[attributes.PRIVATE + "keep"].s = b"True"
    made.input.extend(writer.input(t) for t in node.inputs)
    _put_types(made, "Tcomponents", [t.dtype for t in node.inputs[1:]])
    made.attr["timeout_ms"].i = -1


def _take(writer: _Writer, node: Node, made: NodeDef) -> None:
    made.input.extend(writer.input(t) for t in node.inputs)
    _put_types(made, "component_types", [t.dtype for t in node.attrs["types"]])
    made.attr["timeout_ms"].i = -1


# ------------------------------------------------------------------ reading
def _attr(nd: NodeDef, name: str, default: Any = None) -> Any:
    return attributes.value_of(nd.attr[name]) if name in nd.attr else default


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _done(imp: Importer, nd: NodeDef, name: str, inputs: Sequence[Any], attrs: Any) -> Any:
    from graphc.interop.importer import DONE

    if not all(isinstance(t, Tensor) for t in inputs):
        raise InvalidArgumentError(f"node {nd.name!r} ({nd.op}) reads what is no tensor in graphc")
    node = imp.add(getattr(F, name), inputs, attrs, nd.name)
    imp.finish(nd, node.outputs, node)
    return DONE


def _make(record: str) -> Callable[..., Any]:
    def read(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
        attrs = {k: _text(_attr(nd, k)) for k in _KEPT if k in nd.attr}
        attrs["key"] = f"{imp.prefix}{nd.name}"
        if record in _QUEUES.values():
            attrs["component_types"] = tuple(_attr(nd, "component_types", ()))
            attrs["shapes"] = tuple(_attr(nd, "shapes", ()))
            attrs.setdefault("capacity", -1)
        else:  # a reader: graphc has no other name for those that are shared
            attrs["key"] = attrs.pop("shared_name", "") or attrs["key"]
        return _done(imp, nd, record, (), attrs)

    return read


def _use(record: str) -> Callable[..., Any]:
    def read(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
        attrs = {k: _attr(nd, k) for k in _KEPT if k in nd.attr}
        if attributes.PRIVATE + "keep" in nd.attr:
            attrs["keep"] = True
        return _done(imp, nd, record, inputs, attrs)

    return read


def _take_out(record: str) -> Callable[..., Any]:
    def read(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
        types = _attr(nd, "component_types", ())
        made_by = inputs[0].node if isinstance(inputs[0], Tensor) else None
        shapes: tuple[Any, ...] = ()
        if made_by is not None and made_by.op.name in _QUEUES.values():
            shapes = made_by.attrs["shapes"]
            if made_by.op.name == "priority_queue" and types[:1] == (int64,):
                shapes = ((), *shapes)
        if len(shapes) != len(types):
            shapes = (None,) * len(types)
        elements = tuple(TensorType(t, s) for t, s in zip(types, shapes, strict=True))
        return _done(imp, nd, record, inputs, {"types": elements})

    return read


def _count(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    """The counter of epochs: TensorFlow's op also writes the variable."""
    before = F.count_limit(inputs[0], limit=int(_attr(nd, "limit", 0)))
    written = F.assign.node(inputs[0], before + 1)
    with imp.graph.control_dependencies([written]):
        return F.identity(before)


WRITERS: dict[str, Callable[[Any, Node, NodeDef], None]] = {
    **dict.fromkeys((*_QUEUES.values(), *_READERS.values()), _maker),
    **dict.fromkeys(("queue_enqueue", "queue_enqueue_many"), _put),
    **dict.fromkeys(_TAKING.values(), _take),
}
READERS: dict[str, Callable[[Any, NodeDef, list[Any]], Any]] = {
    f"{op}{version}": kind(record)
    for table, kind in (
        (_QUEUES, _make), (_READERS, _make), (_PLAIN, _use), (_TAKING, _take_out),
    )
    for op, record in table.items()
    for version in ("", "V2")
} | {"CountUpTo": _count}  # fmt: skip
