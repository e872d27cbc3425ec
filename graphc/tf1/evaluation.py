"""Evaluating checkpoints: one, or each as it is written.

Lives here: evaluate_once, evaluate_repeatedly, StopAfterNEvalsHook, SummaryAtEndHook, waiting for
checkpoints. Not here: sessions (monitored_session.py). Users find these names in
tf.contrib.training and tf.train.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import int64
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.tf1 import summary
from graphc.tf1.api_state import assign_add, get_global_step
from graphc.tf1.checkpoint_state import latest_checkpoint
from graphc.tf1.file_writer import FileWriter, FileWriterCache
from graphc.tf1.initializers import zeros_initializer
from graphc.tf1.monitored_session import MonitoredSession
from graphc.tf1.session_hooks import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)
from graphc.tf1.session_hooks_basic import FinalOpsHook
from graphc.tf1.session_scaffold import ChiefSessionCreator, Scaffold
from graphc.tf1.variable_scope import get_variable

__all__ = [
    "StopAfterNEvalsHook", "SummaryAtEndHook", "checkpoints_iterator", "evaluate_once",
    "evaluate_repeatedly", "get_or_create_eval_step", "wait_for_new_checkpoint",
]  # fmt: skip

_log = logging.getLogger("tensorflow")


def get_or_create_eval_step() -> Any:
    """The local variable that counts evaluations of batches.

    Raises:
        ValueError: several in the collection EVAL_STEP.
    """
    graph = get_default_graph()
    found = graph.get_collection(GraphKeys.EVAL_STEP)
    if len(found) > 1:
        raise ValueError("Multiple tensors added to tf.GraphKeys.EVAL_STEP")
    if found:
        return found[0]
    return get_variable(
        "eval_step",
        shape=[],
        dtype=int64,
        initializer=zeros_initializer(),
        trainable=False,
        collections=[GraphKeys.LOCAL_VARIABLES, GraphKeys.EVAL_STEP],
    )


class StopAfterNEvalsHook(SessionRunHook):
    """Stops after so many evaluations; None never does.

    Args:
        log_progress: log "Evaluation [3/10]" about ten times.
    """

    def __init__(self, num_evals: int | None, log_progress: bool = True) -> None:
        self._num_evals = num_evals
        self._evals_completed: Any = None
        self._log_progress = log_progress
        self._log_frequency = (
            1 if num_evals is None or num_evals < 20 else math.floor(num_evals / 10.0)
        )

    def _set_evals_completed_tensor(self, updated_eval_step: Any) -> None:
        self._evals_completed = updated_eval_step

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs({"evals_completed": self._evals_completed})

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        done = int(run_values.results["evals_completed"])
        if self._log_progress and self._num_evals is None:
            _log.info("Evaluation [%d]", done)
        elif self._log_progress and (
            done % self._log_frequency == 0 or self._num_evals == done
        ):
            _log.info("Evaluation [%d/%d]", done, self._num_evals)
        if self._num_evals is not None and done >= self._num_evals:
            run_context.request_stop()


class SummaryAtEndHook(SessionRunHook):
    """Writes summaries when the session ends.

    Args:
        log_dir or summary_writer: where to. summary_op: default all summaries merged.
        feed_dict: fed to it.

    Raises:
        ValueError (end): there is no writer and no directory.
    """

    def __init__(
        self,
        log_dir: Any = None,
        summary_writer: Any = None,
        summary_op: Any = None,
        feed_dict: Mapping[Any, Any] | None = None,
    ) -> None:
        if summary_writer is not None and log_dir is not None:
            log_dir = None
        self._log_dir = log_dir
        self._summary_writer = summary_writer
        self._summary_op = summary_op
        self._replace_summary_op = summary_op is None
        self._feed_dict = feed_dict

    def begin(self) -> None:
        if self._replace_summary_op:
            # not in __init__: more summaries may have been made since
            self._summary_op = summary.merge_all()
        self._global_step = get_global_step()

    def after_create_session(self, session: Any, coord: Any) -> None:
        if self._summary_writer is None and self._log_dir:
            self._summary_writer = FileWriterCache.get(self._log_dir)

    def end(self, session: Any) -> None:
        if self._summary_op is None or self._summary_writer is None:
            return
        step = None if self._global_step is None else session.run(self._global_step)
        value = session.run(self._summary_op, self._feed_dict)
        self._summary_writer.add_summary(value, step)
        self._summary_writer.flush()


def evaluate_once(
    checkpoint_path: Any,
    master: str = "",
    scaffold: Scaffold | None = None,
    eval_ops: Any = None,
    feed_dict: Mapping[Any, Any] | None = None,
    final_ops: Any = None,
    final_ops_feed_dict: Mapping[Any, Any] | None = None,
    hooks: Sequence[SessionRunHook] | None = None,
    config: Any = None,
) -> Any:
    """Runs eval_ops on a checkpoint until a hook or the end of the input stops it.

    Args:
        checkpoint_path: None initialises instead. eval_ops: a tensor, op, list or dict of them.
        final_ops: run once at the end.

    Returns:
        the values of final_ops, or None.
    """
    step = get_or_create_eval_step()
    hooks = list(hooks or [])
    if eval_ops is not None:
        counted = assign_add(step, 1)
        eval_ops = _with_count(eval_ops, counted)
        # the count after the batch: read behind the update
        for hook in hooks:
            if isinstance(hook, StopAfterNEvalsHook):
                hook._set_evals_completed_tensor(counted)
    _log.info("Starting evaluation at %s", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.localtime()))
    start = time.time()
    creator = ChiefSessionCreator(
        scaffold=scaffold,
        checkpoint_filename_with_path=checkpoint_path,
        master=master,
        config=config,
    )
    final = FinalOpsHook(final_ops, final_ops_feed_dict)
    hooks.append(final)
    with MonitoredSession(session_creator=creator, hooks=hooks) as session:
        if eval_ops is not None:
            while not session.should_stop():
                session.run(eval_ops, feed_dict)
    _log.info("Inference Time : %0.5fs", time.time() - start)
    _log.info("Finished evaluation at %s",
              time.strftime("%Y-%m-%d-%H:%M:%S", time.localtime()))  # fmt: skip
    return final.final_ops_values


def _with_count(eval_ops: Any, counted: Any) -> Any:
    """The ops and the one that counts, in one structure."""
    if isinstance(eval_ops, Mapping):
        return {**eval_ops, "update_eval_step": counted}
    if isinstance(eval_ops, list | tuple):
        return [*eval_ops, counted]
    return [eval_ops, counted]


# ------------------------------------------------------------------ waiting for checkpoints
def wait_for_new_checkpoint(
    checkpoint_dir: Any,
    last_checkpoint: str | None = None,
    seconds_to_sleep: float = 1,
    timeout: float | None = None,
) -> str | None:
    """The newest checkpoint as soon as it is another one; None after `timeout` seconds."""
    _log.info("Waiting for new checkpoint at %s", os.fspath(checkpoint_dir))
    stop = None if timeout is None else time.time() + timeout
    while True:
        found = latest_checkpoint(checkpoint_dir)
        if found is not None and found != last_checkpoint:
            _log.info("Found new checkpoint at %s", found)
            return found
        if stop is not None and time.time() + seconds_to_sleep > stop:
            return None
        time.sleep(seconds_to_sleep)


def checkpoints_iterator(
    checkpoint_dir: Any,
    min_interval_secs: float = 0,
    timeout: float | None = None,
    timeout_fn: Callable[[], bool] | None = None,
) -> Iterator[str]:
    """The newest checkpoint, again and again, as new ones are written.

    Args:
        min_interval_secs: at least so long between two. timeout: seconds without a new one after
            which it ends, or goes on if timeout_fn() is false.
    """
    found: str | None = None
    while True:
        new = wait_for_new_checkpoint(checkpoint_dir, found, timeout=timeout)
        if new is None:
            if not timeout_fn:
                _log.info("Timed-out waiting for a checkpoint.")
                return
            if timeout_fn():
                return
            continue
        start = time.time()
        found = new
        yield found
        left = start + min_interval_secs - time.time()
        if left > 0:
            time.sleep(left)


def evaluate_repeatedly(
    checkpoint_dir: Any,
    master: str = "",
    scaffold: Scaffold | None = None,
    eval_ops: Any = None,
    feed_dict: Mapping[Any, Any] | None = None,
    final_ops: Any = None,
    final_ops_feed_dict: Mapping[Any, Any] | None = None,
    eval_interval_secs: float = 60,
    hooks: Sequence[SessionRunHook] | None = None,
    config: Any = None,
    max_number_of_evaluations: int | None = None,
    timeout: float | None = None,
    timeout_fn: Callable[[], bool] | None = None,
) -> Any:
    """Evaluates each new checkpoint of a directory; the values of final_ops of the last one.

    Args:
        max_number_of_evaluations: None goes on until `timeout`. Others: see evaluate_once and
            checkpoints_iterator.
    """
    step = get_or_create_eval_step()
    hooks = list(hooks or [])
    if eval_ops is not None:
        counted = assign_add(step, 1)
        eval_ops = _with_count(eval_ops, counted)
        for hook in hooks:
            if isinstance(hook, StopAfterNEvalsHook):
                hook._set_evals_completed_tensor(counted)
    final = FinalOpsHook(final_ops, final_ops_feed_dict)
    hooks.append(final)
    paths = checkpoints_iterator(checkpoint_dir, eval_interval_secs, timeout, timeout_fn)
    for number, path in enumerate(paths, 1):
        creator = ChiefSessionCreator(
            scaffold=scaffold, checkpoint_filename_with_path=path, master=master, config=config
        )
        with MonitoredSession(session_creator=creator, hooks=hooks) as session:
            _log.info("Starting evaluation at %s", time.strftime("%Y-%m-%d-%H:%M:%S"))
            if eval_ops is not None:
                while not session.should_stop():
                    session.run(eval_ops, feed_dict)
            _log.info("Finished evaluation at %s", time.strftime("%Y-%m-%d-%H:%M:%S"))
        if max_number_of_evaluations is not None and number >= max_number_of_evaluations:
            break
    return final.final_ops_values


def write_values(folder: Any, values: Mapping[str, Any], step: int) -> None:
    """A dict of results as one summary event; what no summary can hold is left out."""
    from graphc.interop.messages import Summary

    writer: FileWriter = FileWriterCache.get(folder)
    proto = Summary()
    for key, value in values.items():
        if value is None or key == "global_step":
            continue
        if isinstance(value, np.floating | float | np.integer | int):
            proto.value.add(tag=key, simple_value=float(value))
        elif isinstance(value, bytes | np.bytes_):
            try:
                proto.value.extend(Summary.FromString(bytes(value)).value)
            except Exception:
                _log.warning("Skipping summary for %s, cannot parse string to Summary.", key)
        else:
            _log.warning(
                "Skipping summary for %s, must be a float, np.float32, np.int64, np.int32 or int "
                "or np.ndarray or a serialized string of Summary.",
                key,
            )
    writer.add_summary(proto, step)
    writer.flush()
