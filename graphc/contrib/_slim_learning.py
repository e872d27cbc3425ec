"""tf.contrib.slim.learning.train: a training loop under a Supervisor.

Lives here: train, train_step. Not here: the training op (contrib/_optimize.py), Supervisor. Users
find these names in graphc.contrib.slim.learning.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from graphc import logging
from graphc.errors import OutOfRangeError
from graphc.ir.graph import Graph, get_default_graph
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.protos import RunOptions
from graphc.tf1.api_state import get_or_create_global_step
from graphc.tf1.saver import Saver
from graphc.tf1.supervisor import Supervisor

__all__ = ["train", "train_step"]

_DEFAULT: Any = Supervisor.USE_DEFAULT


def train_step(
    sess: Any, train_op: Any, global_step: Any, train_step_kwargs: dict[str, Any]
) -> tuple[Any, bool]:
    """One step: (loss, whether to stop).

    Args:
        train_step_kwargs: "should_log", "should_stop", "should_trace": tensors; "logdir": where a
            trace goes.
    """
    options, metadata = None, None
    if "should_trace" in train_step_kwargs and sess.run(train_step_kwargs["should_trace"]):
        from graphc.interop.trace_messages import RunMetadata

        options, metadata = RunOptions(trace_level=RunOptions.FULL_TRACE), RunMetadata()
    start = time.time()
    loss, step = sess.run([train_op, global_step], options=options, run_metadata=metadata)
    elapsed = time.time() - start
    if metadata is not None:
        _write_trace(train_step_kwargs.get("logdir"), metadata, int(step))
    if "should_log" in train_step_kwargs and sess.run(train_step_kwargs["should_log"]):
        logging.info("global step %d: loss = %.4f (%.3f sec/step)", step, loss, elapsed)
    stop = "should_stop" in train_step_kwargs and sess.run(train_step_kwargs["should_stop"])
    return loss, bool(stop)


def _write_trace(folder: Any, metadata: Any, step: int) -> None:
    from pathlib import Path

    from graphc.interop.checkpoint import atomic_file
    from graphc.tf1.timeline import Timeline

    trace = Timeline(metadata.step_stats).generate_chrome_trace_format()
    path = Path(folder) / f"tf_trace-{step}.json"
    logging.info("Writing trace to %s", path)
    with atomic_file(path) as file:
        file.write(trace.encode())


def train(
    train_op: Any,
    logdir: Any,
    train_step_fn: Callable[..., tuple[Any, bool]] = train_step,
    train_step_kwargs: Any = _DEFAULT,
    log_every_n_steps: int = 1,
    graph: Graph | None = None,
    master: str = "",
    is_chief: bool = True,
    global_step: Any = None,
    number_of_steps: int | None = None,
    init_op: Any = _DEFAULT,
    init_feed_dict: Any = None,
    local_init_op: Any = _DEFAULT,
    init_fn: Callable[[Any], Any] | None = None,
    ready_op: Any = _DEFAULT,
    summary_op: Any = _DEFAULT,
    save_summaries_secs: float | None = 600,
    summary_writer: Any = _DEFAULT,
    startup_delay_steps: int = 0,
    saver: Any = None,
    save_interval_secs: float | None = 600,
    sync_optimizer: Any = None,
    session_config: Any = None,
    session_wrapper: Callable[[Any], Any] | None = None,
    trace_every_n_steps: int | None = None,
    ignore_live_threads: bool = False,
) -> Any:
    """Runs the training op until number_of_steps or the end of the input; the last loss.

    Args:
        train_op: what create_train_op gives. logdir: checkpoints and summaries; None for none.
        train_step_fn, train_step_kwargs: what a step is. number_of_steps: of the global step.
        init_fn: called with the session after its initialisation. saver: default of all variables.
        Others: of the Supervisor. sync_optimizer, startup_delay_steps: there is one process.

    Raises:
        ValueError: no train_op, or something that needs a logdir.
    """
    if train_op is None:
        raise ValueError("train_op cannot be None.")
    if logdir is None:
        _check_without_directory(summary_op, saver, trace_every_n_steps)
        summary_op = None
    graph = graph or get_default_graph()
    with graph.as_default():
        step = get_or_create_global_step() if global_step is None else global_step
        saver = saver or Saver()
        if train_step_kwargs is _DEFAULT:
            train_step_kwargs = _step_settings(
                step, number_of_steps, log_every_n_steps, trace_every_n_steps, logdir
            )
    supervisor = Supervisor(
        graph=graph, is_chief=is_chief, logdir=logdir, init_op=init_op,
        init_feed_dict=init_feed_dict, local_init_op=local_init_op, ready_op=ready_op,
        summary_op=summary_op, summary_writer=summary_writer, global_step=step, saver=saver,
        save_summaries_secs=save_summaries_secs, save_model_secs=save_interval_secs,
        init_fn=init_fn,
    )  # fmt: skip
    if summary_writer is not None:
        train_step_kwargs["summary_writer"] = supervisor.summary_writer
    return _run(
        supervisor, train_op, step, train_step_fn, train_step_kwargs, master, session_config,
        session_wrapper, logdir, ignore_live_threads,
    )  # fmt: skip


def _check_without_directory(summary_op: Any, saver: Any, trace: Any) -> None:
    if summary_op is not None and summary_op is not _DEFAULT:
        raise ValueError("Cannot provide summary_op because logdir=None")
    if saver is not None:
        raise ValueError("Cannot provide saver because logdir=None")
    if trace is not None:
        raise ValueError("Cannot provide trace_every_n_steps because logdir=None")


def _step_settings(
    step: Any, limit: int | None, log_every: int, trace_every: int | None, logdir: Any
) -> dict[str, Any]:
    """When to stop, log and trace, as tensors."""
    value = convert_to_tensor(step)
    zero = convert_to_tensor(0, value.dtype)

    def every(n: int) -> Any:
        return F.equal(F.floormod(value, convert_to_tensor(n, value.dtype)), zero)

    settings: dict[str, Any] = {}
    with value.graph.name_scope("train_step"):
        if limit:
            settings["should_stop"] = F.greater_equal(value, convert_to_tensor(limit, value.dtype))
        if log_every > 0:
            settings["should_log"] = every(log_every)
        if trace_every is not None:
            settings["should_trace"] = every(trace_every)
            settings["logdir"] = logdir
    return settings


def _run(
    supervisor: Supervisor,
    train_op: Any,
    step: Any,
    train_step_fn: Callable[..., tuple[Any, bool]],
    settings: dict[str, Any],
    master: str,
    config: Any,
    wrapper: Callable[[Any], Any] | None,
    logdir: Any,
    ignore_live_threads: bool,
) -> Any:
    loss = None
    with supervisor.managed_session(
        master, start_standard_services=False, config=config
    ) as session:
        logging.info("Starting Session.")
        if wrapper is not None:
            session = wrapper(session)
        if supervisor.is_chief and logdir:
            supervisor.start_standard_services(session)
        threads = supervisor.start_queue_runners(session)
        logging.info("Starting Queues.")
        try:
            while not supervisor.should_stop():
                loss, stop = train_step_fn(session, train_op, step, settings)
                if stop:
                    logging.info("Stopping Training.")
                    supervisor.request_stop()
        except OutOfRangeError:
            # the input is at its end
            logging.info("Caught OutOfRangeError. Stopping Training.")
        if logdir and supervisor.is_chief:
            logging.info("Finished training! Saving model to disk.")
            supervisor.saver.save(
                session, supervisor.save_path, global_step=supervisor.global_step
            )
        supervisor.stop(
            threads, close_summary_writer=True, ignore_live_threads=ignore_live_threads
        )
    return loss
