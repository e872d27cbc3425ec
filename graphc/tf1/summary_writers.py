"""tf.contrib.summary: summaries that ops write into files, without a FileWriter in the program.

Lives here: writers, when they record, and the ops that write. Not here: what a summary holds
(tf1/summary.py), event files (tf1/file_writer.py).

An op writes when a run needs it: scripts fetch all_summary_ops() beside their training op.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from graphc.ir.dtypes import bool_, int64
from graphc.ir.graph import Graph, get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import summary
from graphc.tf1.api_checks import py_func
from graphc.tf1.api_state import get_or_create_global_step
from graphc.tf1.file_writer import FileWriter
from graphc.tf1.framework import no_op
from graphc.tf1.ops_misc import group

__all__ = [
    "SummaryWriter", "all_summary_ops", "always_record_summaries", "audio", "create_file_writer",
    "flush", "generic", "graph", "histogram", "image", "initialize", "never_record_summaries",
    "record_summaries_every_n_global_steps", "scalar", "should_record_summaries",
    "summary_writer_initializer_op",
]  # fmt: skip

_OPS = "_SUMMARY_V2"
_INITS = "_SUMMARY_WRITER_V2"


class _State(threading.local):
    def __init__(self) -> None:
        self.writer: SummaryWriter | None = None
        self.record: Any = False


_STATE = _State()


class SummaryWriter:
    """Where the summaries inside `with writer.as_default():` go."""

    def __init__(self, logdir: str | None, max_queue: int, flush_secs: float, suffix: str) -> None:
        self._make = (logdir, max_queue, flush_secs, suffix)
        self._file: FileWriter | None = None
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def as_default(self) -> Iterator[SummaryWriter]:
        before, _STATE.writer = _STATE.writer, self
        try:
            yield self
        finally:
            _STATE.writer = before

    def set_as_default(self) -> None:
        _STATE.writer = self

    def file(self) -> FileWriter | None:
        """The open file, made when it is first needed; None for a writer of nothing."""
        logdir, max_queue, flush_secs, suffix = self._make
        if logdir is None:
            return None
        with self._lock:
            if self._file is None:
                self._file = FileWriter(
                    logdir, max_queue=max_queue, flush_secs=flush_secs, filename_suffix=suffix
                )
            return self._file

    def init(self) -> Node:
        """An op that opens the file."""
        return _effect(self, lambda file: None, [])

    def flush(self) -> Node:
        """An op that writes to the disk what waits in memory."""
        return _effect(self, lambda file: file.flush(), [])

    def close(self) -> Node:
        """An op that flushes and closes the file; a later summary opens it again."""

        def done(file: FileWriter) -> None:
            file.close()
            self._file = None

        return _effect(self, done, [])


def _effect(
    writer: SummaryWriter, action: Callable[..., None], inputs: list[Any]
) -> Node:
    """An op that does something with a writer's file."""

    def run(*values: Any) -> tuple[()]:
        file = writer.file()
        if file is not None:
            action(file, *values)
        return ()

    made: Node = py_func(run, inputs, [])
    return made


def create_file_writer(
    logdir: Any, max_queue: int | None = None, flush_millis: int | None = None,
    filename_suffix: str | None = None, name: str | None = None,
) -> SummaryWriter:  # fmt: skip
    """A writer of event files in a directory; None for a directory writes nothing.

    Args:
        max_queue, flush_millis: the file is flushed after so many events or milliseconds.
    """
    seconds = 120.0 if flush_millis is None else flush_millis / 1000
    place = None if logdir is None else os.fspath(logdir)
    writer = SummaryWriter(place, 10 if max_queue is None else max_queue, seconds,
                           filename_suffix or ".v2")  # fmt: skip
    get_default_graph().add_to_collection(_INITS, writer.init())
    return writer


def summary_writer_initializer_op() -> list[Node]:
    """The ops that open the files of all writers of the graph."""
    found: list[Node] = get_default_graph().get_collection(_INITS)
    return found


def initialize(graph: Any = None, session: Any = None) -> None:
    """Opens the files in a session, default the default one, and writes a graph.

    Raises:
        ValueError: there is no session.
    """
    from graphc.session import get_default_session

    sess = session or get_default_session()
    if sess is None:
        raise ValueError("Argument `session must be passed if no default session exists")
    sess.run(summary_writer_initializer_op() or no_op())
    writer = _STATE.writer
    file = None if writer is None else writer.file()
    if graph is not None and file is not None:
        file.add_graph(graph)


# ------------------------------------------------------------------ when to record
@contextlib.contextmanager
def _recording(condition: Any) -> Iterator[None]:
    before, _STATE.record = _STATE.record, condition
    try:
        yield
    finally:
        _STATE.record = before


def always_record_summaries() -> contextlib.AbstractContextManager[None]:
    """Summaries made inside are written in every run."""
    return _recording(True)


def never_record_summaries() -> contextlib.AbstractContextManager[None]:
    """Summaries made inside are not written."""
    return _recording(False)


def record_summaries_every_n_global_steps(
    n: int, global_step: Any = None
) -> contextlib.AbstractContextManager[None]:
    """Summaries made inside are written when the global step is a multiple of n."""
    step = convert_to_tensor(get_or_create_global_step() if global_step is None else global_step)
    return _recording(F.equal(F.floormod(step, convert_to_tensor(n, step.dtype)), 0))


def should_record_summaries() -> Tensor:
    """Whether summaries made here are written, as a bool tensor."""
    return convert_to_tensor(_STATE.record, bool_)


# ------------------------------------------------------------------ ops that write
def all_summary_ops() -> list[Node] | None:
    """All ops of the graph that write summaries."""
    found: list[Node] = get_default_graph().get_collection(_OPS)
    return found


def _written(serialized: Callable[[], Tensor], step: Any) -> Node:
    """The op that writes a summary when its time has come."""
    writer = _STATE.writer
    if writer is None or _STATE.record is False:
        return no_op()
    found = get_or_create_global_step() if step is None else step
    number = F.cast(convert_to_tensor(found), dtype=int64)

    def write(file: FileWriter, due: Any, at: Any, data: Any) -> None:
        if due:
            file.add_summary(data.item(), int(at))

    inputs = [should_record_summaries(), number, serialized()]
    op = _effect(writer, write, inputs)
    get_default_graph().add_to_collection(_OPS, op)
    return op


def scalar(name: str, tensor: Any, family: str | None = None, step: Any = None) -> Node:
    """An op that writes a scalar (tf.contrib.summary.scalar); `step` default the global step."""
    return _written(lambda: summary.scalar(name, tensor, [], family), step)


def histogram(name: str, tensor: Any, family: str | None = None, step: Any = None) -> Node:
    """An op that writes a histogram."""
    return _written(lambda: summary.histogram(name, tensor, [], family), step)


def image(
    name: str, tensor: Any, bad_color: Any = None, max_images: int = 3,
    family: str | None = None, step: Any = None,
) -> Node:  # fmt: skip
    """An op that writes images [n, height, width, channels]."""
    return _written(
        lambda: summary.image(name, tensor, max_images, [], family), step
    )


def audio(
    name: str, tensor: Any, sample_rate: Any, max_outputs: int, family: str | None = None,
    step: Any = None,
) -> Node:  # fmt: skip
    """An op that writes sounds [n, frames, channels]."""
    return _written(
        lambda: summary.audio(name, tensor, sample_rate, max_outputs, [], family), step
    )


def generic(
    name: str, tensor: Any, metadata: Any = None, family: str | None = None, step: Any = None
) -> Node:
    """An op that writes any tensor."""
    return _written(
        lambda: summary.tensor_summary(name, tensor, summary_metadata=metadata, collections=[]),
        step,
    )


def graph(param: Any, step: Any = None, name: str | None = None) -> Node:
    """An op that writes a Graph or GraphDef."""
    writer = _STATE.writer
    if writer is None:
        return no_op()
    given = {"graph": param} if isinstance(param, Graph) else {"graph_def": param}
    return _effect(writer, lambda file: file.add_graph(**given), [])


def flush(writer: SummaryWriter | None = None, name: str | None = None) -> Node:
    """An op that writes to the disk what a writer, default the default one, holds in memory."""
    chosen = writer or _STATE.writer
    return no_op() if chosen is None else group(chosen.flush(), name=name)
