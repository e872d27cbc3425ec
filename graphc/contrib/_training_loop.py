"""tf.contrib.training.train: a training loop in a MonitoredTrainingSession.

Lives here: train. Not here: the training op (contrib/_optimize.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.tf1.monitored_session import MonitoredTrainingSession
from graphc.tf1.session_scaffold import Scaffold

__all__ = ["train"]


def train(
    train_op: Any,
    logdir: Any,
    master: str = "",
    is_chief: bool = True,
    scaffold: Scaffold | None = None,
    hooks: Sequence[Any] | None = None,
    chief_only_hooks: Sequence[Any] | None = None,
    save_checkpoint_secs: float | None = 600,
    save_summaries_steps: int | None = 100,
    config: Any = None,
    max_wait_secs: float = 7200,
) -> Any:
    """Runs the training op until a hook or the end of the input stops it; its last value.

    Raises:
        ValueError: no logdir for checkpoints or summaries.
    """
    if logdir is None and is_chief:
        for name, value in (("save_summaries_steps", save_summaries_steps),
                            ("save_checkpoint_secs", save_checkpoint_secs)):  # fmt: skip
            if value:
                raise ValueError(f"logdir cannot be None when {name} is not None")
    with MonitoredTrainingSession(
        master=master,
        is_chief=is_chief,
        checkpoint_dir=logdir,
        scaffold=scaffold,
        hooks=hooks,
        chief_only_hooks=chief_only_hooks,
        save_checkpoint_secs=save_checkpoint_secs,
        save_summaries_steps=save_summaries_steps,
        config=config,
        max_wait_secs=max_wait_secs,
    ) as session:
        loss = None
        while not session.should_stop():
            loss = session.run(train_op)
    return loss
