"""tf.summary.FileWriter: event files of a log directory.

Lives here: FileWriter, FileWriterCache. Not here: the summary ops (tf1/summary.py), the file format
(interop/events.py).
"""

from __future__ import annotations

import os
import threading
import time
import warnings
from typing import Any

from graphc.interop.events import EventFile
from graphc.interop.messages import Event, SessionLog, Summary

__all__ = ["FileWriter", "FileWriterCache"]


class FileWriter:
    """Writes events for TensorBoard (tf.summary.FileWriter).

    Args:
        logdir: the directory, made where it does not exist. graph: also write this graph.
        max_queue, flush_secs: the file is flushed after so many events or seconds.
        graph_def: deprecated, a GraphDef instead of the graph. filename_suffix: ends the name.
        session: accepted only as None.

    Raises:
        ValueError: a session is given. TypeError: a graph of another type.
    """

    def __init__(
        self,
        logdir: Any,
        graph: Any = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        graph_def: Any = None,
        filename_suffix: str | None = None,
        session: Any = None,
    ) -> None:
        if session is not None:
            raise ValueError(
                "FileWriter(session=...) is not supported: run the summaries and add what they give"
            )
        self._logdir = os.fspath(logdir)
        self._make = (filename_suffix or "", max_queue, flush_secs)
        self._file: EventFile | None = EventFile(self._logdir, *self._make)
        self._described: set[str] = set()
        self._run_tags: set[str] = set()
        if graph is not None or graph_def is not None:
            self.add_graph(graph, graph_def=graph_def)
            if hasattr(graph, "as_graph_def"):
                from graphc.interop.meta_graph import meta_graph_of

                self.add_meta_graph(meta_graph_of(graph))

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def get_logdir(self) -> str:
        return self._logdir

    # ------------------------------------------------------------ events
    def add_event(self, event: Event) -> None:
        """Writes an event as it is. A closed writer warns and writes nothing."""
        if self._file is None:
            warnings.warn(
                "Attempting to use a closed FileWriter. The operation will be a noop unless the "
                "FileWriter is explicitly reopened.",
                stacklevel=3,
            )
            return
        self._file.write(event)

    def _add(self, step: Any, **what: Any) -> None:
        event = Event(wall_time=time.time(), **what)
        if step is not None:
            event.step = int(step)
        self.add_event(event)

    def add_summary(self, summary: Any, global_step: Any = None) -> None:
        """A Summary, or its bytes as a run of a summary op gives them."""
        message = Summary()
        if isinstance(summary, bytes | bytearray):
            message.ParseFromString(bytes(summary))
        elif hasattr(summary, "SerializeToString"):
            message.ParseFromString(summary.SerializeToString())
        else:
            raise TypeError(f"a Summary or its bytes expected, got {type(summary).__name__}")
        for value in message.value:
            # readers need what a tag is only once
            if value.HasField("metadata") and value.tag in self._described:
                value.ClearField("metadata")
            elif value.HasField("metadata"):
                self._described.add(value.tag)
        self._add(global_step, summary=message)

    def add_session_log(self, session_log: SessionLog, global_step: Any = None) -> None:
        self._add(global_step, session_log=session_log)

    def add_graph(
        self, graph: Any = None, global_step: Any = None, graph_def: Any = None
    ) -> None:
        """A graph, with the shapes of its tensors.

        Raises:
            ValueError: neither or both are given. TypeError: another type.
        """
        if graph is not None and graph_def is not None:
            raise ValueError("Please pass only graph, or graph_def (deprecated), but not both.")
        found = graph if graph is not None else graph_def
        if found is None:
            raise ValueError("One of graph or graph_def (deprecated) is required.")
        if hasattr(found, "as_graph_def"):
            found = found.as_graph_def(add_shapes=True)
        if not hasattr(found, "SerializeToString"):
            raise TypeError(
                "The passed graph must be an instance of `Graph` or the deprecated `GraphDef`"
            )
        self._add(global_step, graph_def=found.SerializeToString())

    def add_meta_graph(self, meta_graph_def: Any, global_step: Any = None) -> None:
        if not hasattr(meta_graph_def, "SerializeToString"):
            raise TypeError(f"meta_graph_def must be type MetaGraphDef, saw type: "
                            f"{type(meta_graph_def)}")  # fmt: skip
        self._add(global_step, meta_graph_def=meta_graph_def.SerializeToString())

    def add_run_metadata(self, run_metadata: Any, tag: str, global_step: Any = None) -> None:
        """What a run was asked to record; metadata without a wire form is written empty.

        Raises:
            ValueError: a tag that was used before.
        """
        if tag in self._run_tags:
            raise ValueError("The provided tag was already used for this event type")
        self._run_tags.add(tag)
        serialize = getattr(run_metadata, "SerializeToString", bytes)
        event = Event(wall_time=time.time())
        if global_step is not None:
            event.step = int(global_step)
        event.tagged_run_metadata.tag = tag
        event.tagged_run_metadata.run_metadata = serialize()
        event.tagged_run_metadata.SetInParent()
        self.add_event(event)

    # ------------------------------------------------------------ the file
    def flush(self) -> None:
        """Events written so far can be read from the disk."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def reopen(self) -> None:
        """Goes on in a new file, after close; else nothing."""
        if self._file is None:
            self._described.clear()
            self._file = EventFile(self._logdir, *self._make)


class FileWriterCache:
    """One FileWriter for each directory (tf.summary.FileWriterCache)."""

    _cache: dict[str, FileWriter] = {}
    _lock = threading.RLock()

    @staticmethod
    def get(logdir: Any) -> FileWriter:
        """The writer of this directory, made with the default graph where there is none."""
        from graphc.ir.graph import get_default_graph

        key = os.fspath(logdir)
        with FileWriterCache._lock:
            if key not in FileWriterCache._cache:
                FileWriterCache._cache[key] = FileWriter(key, graph=get_default_graph())
            return FileWriterCache._cache[key]

    @staticmethod
    def clear() -> None:
        """Closes and forgets all writers."""
        with FileWriterCache._lock:
            for writer in FileWriterCache._cache.values():
                writer.close()
            FileWriterCache._cache.clear()
