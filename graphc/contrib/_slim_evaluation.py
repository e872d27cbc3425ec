"""tf.contrib.slim.evaluation: one checkpoint, or each new one, with summaries.

Lives here: slim's evaluate_once and evaluation_loop. Not here: what they call (tf1/evaluation.py).
Users find these names in graphc.contrib.slim.evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.tf1 import evaluation, summary
from graphc.tf1.api_state import get_or_create_global_step
from graphc.tf1.evaluation import (
    StopAfterNEvalsHook,
    SummaryAtEndHook,
    checkpoints_iterator,
    wait_for_new_checkpoint,
)
from graphc.tf1.saver import Saver
from graphc.tf1.session_scaffold import Scaffold

__all__ = [
    "checkpoints_iterator", "evaluate_once", "evaluation_loop", "wait_for_new_checkpoint",
]  # fmt: skip

USE_DEFAULT: Any = object()
Feeds = Mapping[Any, Any] | None


def _hooks(
    number: int, logdir: Any, summary_op: Any, feeds: Feeds, more: Sequence[Any] | None
) -> list[Any]:
    if summary_op is USE_DEFAULT:
        summary_op = summary.merge_all()
    found: list[Any] = [StopAfterNEvalsHook(number), *(more or ())]
    if summary_op is not None:
        found.append(SummaryAtEndHook(log_dir=logdir, summary_op=summary_op, feed_dict=feeds))
    return found


def _scaffold(initial_op: Any, feeds: Feeds, variables: Any) -> Scaffold:
    saver = None if variables is None else Saver(variables)
    return Scaffold(init_op=initial_op, init_feed_dict=feeds, saver=saver)


def evaluate_once(
    master: str,
    checkpoint_path: Any,
    logdir: Any,
    num_evals: int = 1,
    initial_op: Any = None,
    initial_op_feed_dict: Feeds = None,
    eval_op: Any = None,
    eval_op_feed_dict: Feeds = None,
    final_op: Any = None,
    final_op_feed_dict: Feeds = None,
    summary_op: Any = USE_DEFAULT,
    summary_op_feed_dict: Feeds = None,
    variables_to_restore: Any = None,
    session_config: Any = None,
    hooks: Sequence[Any] | None = None,
) -> Any:
    """Runs eval_op num_evals times on a checkpoint; the value of final_op.

    Args:
        logdir: where the summaries go. summary_op: default all merged; None for none.
        variables_to_restore: default all. initial_op: initialises what is not restored.
    """
    get_or_create_global_step()
    return evaluation.evaluate_once(
        checkpoint_path,
        master=master,
        scaffold=_scaffold(initial_op, initial_op_feed_dict, variables_to_restore),
        eval_ops=eval_op,
        feed_dict=eval_op_feed_dict,
        final_ops=final_op,
        final_ops_feed_dict=final_op_feed_dict,
        hooks=_hooks(num_evals, logdir, summary_op, summary_op_feed_dict, hooks),
        config=session_config,
    )


def evaluation_loop(
    master: str,
    checkpoint_dir: Any,
    logdir: Any,
    num_evals: int = 1,
    initial_op: Any = None,
    initial_op_feed_dict: Feeds = None,
    init_fn: Callable[..., Any] | None = None,
    eval_op: Any = None,
    eval_op_feed_dict: Feeds = None,
    final_op: Any = None,
    final_op_feed_dict: Feeds = None,
    summary_op: Any = USE_DEFAULT,
    summary_op_feed_dict: Feeds = None,
    variables_to_restore: Any = None,
    eval_interval_secs: float = 60,
    max_number_of_evaluations: int | None = None,
    session_config: Any = None,
    timeout: float | None = None,
    timeout_fn: Callable[[], bool] | None = None,
    hooks: Sequence[Any] | None = None,
) -> Any:
    """evaluate_once for each new checkpoint of a directory; the last value of final_op."""
    get_or_create_global_step()
    return evaluation.evaluate_repeatedly(
        checkpoint_dir,
        master=master,
        scaffold=_scaffold(initial_op, initial_op_feed_dict, variables_to_restore),
        eval_ops=eval_op,
        feed_dict=eval_op_feed_dict,
        final_ops=final_op,
        final_ops_feed_dict=final_op_feed_dict,
        eval_interval_secs=eval_interval_secs,
        hooks=_hooks(num_evals, logdir, summary_op, summary_op_feed_dict, hooks),
        config=session_config,
        max_number_of_evaluations=max_number_of_evaluations,
        timeout=timeout,
        timeout_fn=timeout_fn,
    )
