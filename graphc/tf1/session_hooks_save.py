"""Hooks that write files: checkpoints, summaries, steps a second, profiles.

Lives here: CheckpointSaverHook and its listeners, StepCounterHook, SummarySaverHook, ProfilerHook.
Not here: hooks that only watch (session_hooks_basic.py), file formats.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphc.interop.checkpoint import atomic_file
from graphc.interop.messages import SessionLog, Summary
from graphc.interop.trace_messages import RunMetadata
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.protos import RunOptions
from graphc.tf1.file_writer import FileWriterCache
from graphc.tf1.session_hooks import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)
from graphc.tf1.session_hooks_basic import SecondOrStepTimer, required_step

__all__ = [
    "CheckpointSaverHook", "CheckpointSaverListener", "ProfilerHook", "StepCounterHook",
    "SummarySaverHook",
]  # fmt: skip

_log = logging.getLogger("tensorflow")


class CheckpointSaverListener:
    """Called around each checkpoint that a CheckpointSaverHook writes."""

    def begin(self) -> None:
        """Before the session is made: ops may be added to the graph."""

    def before_save(self, session: Any, global_step_value: int) -> None:
        """Before the checkpoint of this step is written."""

    def after_save(self, session: Any, global_step_value: int) -> Any:
        """After it has been written. A true result stops the training."""

    def end(self, session: Any, global_step_value: int) -> None:
        """When the session ends."""


class CheckpointSaverHook(SessionRunHook):
    """Saves checkpoints every so many steps or seconds, at the first step and at the end.

    Args:
        checkpoint_dir: the directory. save_secs, save_steps: one of them. saver: a Saver, or
        scaffold: a Scaffold that has one; default the graph's only one of SAVERS.
        checkpoint_basename: files are <checkpoint_basename>-<step>. listeners: see
        CheckpointSaverListener. save_graph_def: also write graph.pbtxt and the MetaGraph.

    Raises:
        ValueError: saver and scaffold, or not one of the intervals.
        RuntimeError: no global step, no saver.
    """

    def __init__(
        self,
        checkpoint_dir: Any,
        save_secs: float | None = None,
        save_steps: int | None = None,
        saver: Any = None,
        checkpoint_basename: str = "model.ckpt",
        scaffold: Any = None,
        listeners: Sequence[CheckpointSaverListener] | None = None,
        save_graph_def: bool = True,
    ) -> None:
        _log.info("Create CheckpointSaverHook.")
        if saver is not None and scaffold is not None:
            raise ValueError("You cannot provide both saver and scaffold.")
        self._saver = saver
        self._scaffold = scaffold
        self._checkpoint_dir = os.fspath(checkpoint_dir)
        # as text: "./" in front stays in the state file
        self._save_path = os.path.join(self._checkpoint_dir, checkpoint_basename)  # noqa: PTH118
        self._timer = SecondOrStepTimer(every_secs=save_secs, every_steps=save_steps)
        self._listeners = list(listeners or ())
        self._save_graph_def = save_graph_def
        self._steps_per_run = 1
        self._meta_graph: bytes | None = None

    def _set_steps_per_run(self, steps_per_run: int) -> None:
        self._steps_per_run = steps_per_run

    def begin(self) -> None:
        self._meta_graph = None
        self._summary_writer = FileWriterCache.get(self._checkpoint_dir)
        self._global_step_tensor = required_step("CheckpointSaverHook")
        for listener in self._listeners:
            listener.begin()

    def after_create_session(self, session: Any, coord: Any) -> None:
        step = int(session.run(self._global_step_tensor))
        if self._save_graph_def:
            write_graph_text(get_default_graph(), self._checkpoint_dir)
        self._save(session, step)
        self._timer.update_last_triggered_step(step)

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._global_step_tensor)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        stale = int(run_values.results)
        if not self._timer.should_trigger_for_step(stale + self._steps_per_run):
            return
        step = int(run_context.session.run(self._global_step_tensor))
        if self._timer.should_trigger_for_step(step):
            self._timer.update_last_triggered_step(step)
            if self._save(run_context.session, step):
                run_context.request_stop()

    def end(self, session: Any) -> None:
        last = int(session.run(self._global_step_tensor))
        if last != self._timer.last_triggered_step():
            self._save(session, last)
        for listener in self._listeners:
            listener.end(session, last)

    def _save(self, session: Any, step: int) -> bool:
        """Writes a checkpoint; whether a listener wants to stop."""
        for listener in self._listeners:
            listener.before_save(session, step)
        _log.info("Saving checkpoints for %d into %s.", step, self._save_path)
        self._write(session, step)
        log = SessionLog(status=SessionLog.CHECKPOINT, checkpoint_path=self._save_path)
        self._summary_writer.add_session_log(log, step)
        stop = False
        for listener in self._listeners:
            if listener.after_save(session, step):
                _log.info(
                    "A CheckpointSaverListener requested that training be stopped. listener: %s",
                    listener,
                )
                stop = True
        return stop

    def _write(self, session: Any, step: int) -> None:
        """A checkpoint; the graph is final, so that its MetaGraph is serialized only once."""
        first = self._save_graph_def and self._meta_graph is None
        prefix = self._get_saver().save(
            session, self._save_path, global_step=step, write_meta_graph=first
        )
        if prefix is None or not self._save_graph_def:
            return
        path = Path(f"{prefix}.meta")
        if self._meta_graph is None:
            self._meta_graph = path.read_bytes()
            return
        with atomic_file(path) as file:
            file.write(self._meta_graph)

    def _get_saver(self) -> Any:
        if self._saver is not None:
            return self._saver
        if self._scaffold is not None:
            return self._scaffold.saver
        savers = get_default_graph().get_collection(GraphKeys.SAVERS)
        if not savers:
            raise RuntimeError(
                f"No items in collection {GraphKeys.SAVERS}. Please add a saver to the collection "
                "or provide a saver or scaffold."
            )
        if len(savers) > 1:
            raise RuntimeError(
                f"More than one item in collection {GraphKeys.SAVERS}. Please indicate which one "
                "to use by passing it to the constructor."
            )
        self._saver = savers[0]
        return self._saver


def write_graph_text(graph: Any, folder: Any) -> None:
    """graph.pbtxt of a directory: the graph as text."""
    from graphc.interop.text_format import MessageToString

    Path(folder).mkdir(parents=True, exist_ok=True)
    with atomic_file(Path(folder) / "graph.pbtxt") as file:
        file.write(MessageToString(graph.as_graph_def(add_shapes=True)).encode())


class StepCounterHook(SessionRunHook):
    """Counts steps a second: logged, and as the summary "global_step/sec".

    Raises:
        ValueError: not exactly one of every_n_steps and every_n_secs.
        RuntimeError (begin): no global step.
    """

    def __init__(
        self,
        every_n_steps: int | None = 100,
        every_n_secs: float | None = None,
        output_dir: Any = None,
        summary_writer: Any = None,
    ) -> None:
        if (every_n_steps is None) == (every_n_secs is None):
            raise ValueError("exactly one of every_n_steps and every_n_secs should be provided.")
        self._timer = SecondOrStepTimer(every_steps=every_n_steps, every_secs=every_n_secs)
        self._summary_writer = summary_writer
        self._output_dir = output_dir
        self._last_global_step: int | None = None
        self._warned = False
        self._steps_per_run = 1

    def _set_steps_per_run(self, steps_per_run: int) -> None:
        self._steps_per_run = steps_per_run

    def begin(self) -> None:
        if self._summary_writer is None and self._output_dir:
            self._summary_writer = FileWriterCache.get(self._output_dir)
        self._global_step_tensor = required_step("StepCounterHook")
        self._summary_tag = f"{self._global_step_tensor.op.name}/sec"

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._global_step_tensor)

    def _log_and_record(
        self, elapsed_steps: int, elapsed_time: float, global_step: int
    ) -> None:
        rate = elapsed_steps / elapsed_time if elapsed_time > 0 else float("inf")
        if self._summary_writer is not None:
            summary = Summary(value=[Summary.Value(tag=self._summary_tag, simple_value=rate)])
            self._summary_writer.add_summary(summary, global_step)
        _log.info("%s: %g", self._summary_tag, rate)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        stale = int(run_values.results)
        if self._timer.should_trigger_for_step(stale + self._steps_per_run):
            step = int(run_context.session.run(self._global_step_tensor))
            if self._timer.should_trigger_for_step(step):
                seconds, steps = self._timer.update_last_triggered_step(step)
                if seconds is not None and steps is not None:
                    self._log_and_record(steps, seconds, step)
        if stale == self._last_global_step and not self._warned:
            self._warned = True
            _log.warning(
                "It seems that global step (tf.train.get_global_step) has not been increased. "
                "Current value (could be stable): %s vs previous value: %s. You could increase "
                "the global step by passing tf.train.get_global_step() to "
                "Optimizer.apply_gradients or Optimizer.minimize.",
                stale, self._last_global_step,
            )  # fmt: skip
        self._last_global_step = stale


class SummarySaverHook(SessionRunHook):
    """Writes summaries every so many steps or seconds, and at the first run.

    Args:
        save_steps, save_secs: one of them. output_dir or summary_writer: where to.
        scaffold or summary_op: the summaries; a string tensor or a list of them.

    Raises:
        ValueError: not exactly one of scaffold and summary_op. RuntimeError: no global step.
    """

    def __init__(
        self,
        save_steps: int | None = None,
        save_secs: float | None = None,
        output_dir: Any = None,
        summary_writer: Any = None,
        scaffold: Any = None,
        summary_op: Any = None,
    ) -> None:
        if (scaffold is None) == (summary_op is None):
            raise ValueError("Exactly one of scaffold or summary_op must be provided.")
        self._summary_op = summary_op
        self._summary_writer = summary_writer
        self._output_dir = output_dir
        self._scaffold = scaffold
        self._timer = SecondOrStepTimer(every_secs=save_secs, every_steps=save_steps)

    def begin(self) -> None:
        if self._summary_writer is None and self._output_dir:
            self._summary_writer = FileWriterCache.get(self._output_dir)
        self._next_step: int | None = None
        self._global_step_tensor = required_step("SummarySaverHook")

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        self._request_summary = self._next_step is None or self._timer.should_trigger_for_step(
            self._next_step
        )
        requests: dict[str, Any] = {"global_step": self._global_step_tensor}
        if self._request_summary:
            summaries = self._get_summary_op()
            if summaries is not None:
                requests["summary"] = summaries
        return SessionRunArgs(requests)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        if self._summary_writer is None:
            return
        step = int(run_values.results["global_step"]) + 1
        if self._next_step is None or self._request_summary:
            step = int(run_context.session.run(self._global_step_tensor))
        if self._next_step is None:
            self._summary_writer.add_session_log(SessionLog(status=SessionLog.START), step)
        if self._request_summary:
            self._timer.update_last_triggered_step(step)
            for summary in run_values.results.get("summary", ()):
                self._summary_writer.add_summary(summary, step)
        self._next_step = step + 1

    def end(self, session: Any) -> None:
        if self._summary_writer is not None:
            self._summary_writer.flush()

    def _get_summary_op(self) -> list[Any] | None:
        found = self._summary_op
        if found is None and self._scaffold is not None:
            found = self._scaffold.summary_op
        if found is None:
            return None
        return found if isinstance(found, list) else [found]


class ProfilerHook(SessionRunHook):
    """Writes a trace of a run (timeline-<step>.json) every so many steps or seconds."""

    def __init__(
        self,
        save_steps: int | None = None,
        save_secs: float | None = None,
        output_dir: Any = "",
        show_dataflow: bool = True,
        show_memory: bool = False,
    ) -> None:
        self._output_dir = os.fspath(output_dir)
        self._timer = SecondOrStepTimer(every_secs=save_secs, every_steps=save_steps)
        self._show_dataflow = show_dataflow
        self._show_memory = show_memory

    def begin(self) -> None:
        self._next_step: int | None = None
        self._writer = FileWriterCache.get(self._output_dir)
        self._global_step_tensor = required_step("ProfilerHook")

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        self._request_summary = (
            self._next_step is not None and self._timer.should_trigger_for_step(self._next_step)
        )
        options = RunOptions(trace_level=RunOptions.FULL_TRACE) if self._request_summary else None
        return SessionRunArgs({"global_step": self._global_step_tensor}, options=options)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        stale = int(run_values.results["global_step"])
        if self._next_step is None:
            # the first run is not like the others: it compiles
            self._timer.update_last_triggered_step(stale)
        step = stale + 1
        if self._request_summary:
            step = int(run_context.session.run(self._global_step_tensor))
            self._timer.update_last_triggered_step(step)
            self._save(step, run_values.run_metadata)
            self._writer.add_run_metadata(run_values.run_metadata, f"step_{step}", step)
        self._next_step = step + 1

    def _save(self, step: int, metadata: RunMetadata) -> None:
        from graphc.tf1.timeline import Timeline

        path = Path(self._output_dir) / f"timeline-{step}.json"
        _log.info("Saving timeline for %d into '%s'.", step, path)
        trace = Timeline(metadata.step_stats).generate_chrome_trace_format(
            show_dataflow=self._show_dataflow, show_memory=self._show_memory
        )
        with atomic_file(path) as file:
            file.write(trace.encode())
