"""RunConfig: how an Estimator runs: where it saves, how often, with which session.

Lives here: RunConfig, TaskType. Not here: Estimator. Imports protos only.
"""

from __future__ import annotations

import copy
import os
from typing import Any

__all__ = ["RunConfig", "TaskType"]

USE_DEFAULT: Any = object()
_SAVE_BOTH = "`save_checkpoints_steps` and `save_checkpoints_secs` cannot be both set."
_REPLACEABLE = (
    "model_dir", "tf_random_seed", "save_summary_steps", "save_checkpoints_steps",
    "save_checkpoints_secs", "session_config", "keep_checkpoint_max",
    "keep_checkpoint_every_n_hours", "log_step_count_steps", "train_distribute", "device_fn",
    "protocol", "eval_distribute", "experimental_distribute",
    "experimental_max_worker_delay_secs", "session_creation_timeout_secs",
)  # fmt: skip


class TaskType:
    """Names of the tasks of a cluster; here there is one process, the chief."""

    MASTER = "master"
    PS = "ps"
    WORKER = "worker"
    CHIEF = "chief"
    EVALUATOR = "evaluator"


class RunConfig:
    """Settings of an Estimator (tf.estimator.RunConfig).

    Args:
        model_dir: where checkpoints and summaries go. tf_random_seed: of each graph.
        save_summary_steps: steps between summaries. save_checkpoints_steps,
            save_checkpoints_secs: one of them, or None for none; default 600 seconds.
        session_config: a ConfigProto. keep_checkpoint_max, keep_checkpoint_every_n_hours: of the
            Saver. log_step_count_steps: steps between lines of the log.
        device_fn: of the graph. train_distribute, eval_distribute, experimental_distribute,
            protocol, experimental_max_worker_delay_secs, session_creation_timeout_secs: accepted;
            there is one process.

    Raises:
        ValueError: both intervals of checkpoints; values that cannot be.
    """

    def __init__(
        self,
        model_dir: Any = None,
        tf_random_seed: int | None = None,
        save_summary_steps: int | None = 100,
        save_checkpoints_steps: Any = USE_DEFAULT,
        save_checkpoints_secs: Any = USE_DEFAULT,
        session_config: Any = None,
        keep_checkpoint_max: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000,
        log_step_count_steps: int | None = 100,
        train_distribute: Any = None,
        device_fn: Any = None,
        protocol: str | None = None,
        eval_distribute: Any = None,
        experimental_distribute: Any = None,
        experimental_max_worker_delay_secs: int | None = None,
        session_creation_timeout_secs: int = 7200,
    ) -> None:
        steps, seconds = save_checkpoints_steps, save_checkpoints_secs
        if steps is USE_DEFAULT and seconds is USE_DEFAULT:
            steps, seconds = None, 600
        elif steps is USE_DEFAULT:
            steps = None
        elif seconds is USE_DEFAULT:
            seconds = None
        elif steps is not None and seconds is not None:
            raise ValueError(_SAVE_BOTH)
        self._model_dir = None if model_dir is None else os.fspath(model_dir)
        self._tf_random_seed = tf_random_seed
        self._save_summary_steps = save_summary_steps
        self._save_checkpoints_steps = steps
        self._save_checkpoints_secs = seconds
        self._session_config = session_config
        self._keep_checkpoint_max = keep_checkpoint_max
        self._keep_checkpoint_every_n_hours = keep_checkpoint_every_n_hours
        self._log_step_count_steps = log_step_count_steps
        self._train_distribute = train_distribute
        self._device_fn = device_fn
        self._protocol = protocol
        self._eval_distribute = eval_distribute
        self._experimental_distribute = experimental_distribute
        self._experimental_max_worker_delay_secs = experimental_max_worker_delay_secs
        self._session_creation_timeout_secs = session_creation_timeout_secs
        self._check()

    def _check(self) -> None:
        if self._model_dir == "":
            raise ValueError("model_dir should be non-empty")
        for name in ("save_summary_steps", "save_checkpoints_steps", "save_checkpoints_secs",
                     "keep_checkpoint_max"):  # fmt: skip
            value = getattr(self, f"_{name}")
            if value is not None and value < 0:
                raise ValueError(f"{name} should be >= 0")
        if self._keep_checkpoint_every_n_hours <= 0:
            raise ValueError("keep_checkpoint_every_n_hours should be > 0")
        if self._log_step_count_steps is not None and self._log_step_count_steps <= 0:
            raise ValueError("log_step_count_steps should be > 0")
        if self._tf_random_seed is not None and not isinstance(self._tf_random_seed, int):
            raise ValueError("tf_random_seed must be integer.")

    model_dir = property(lambda self: self._model_dir)
    tf_random_seed = property(lambda self: self._tf_random_seed)
    save_summary_steps = property(lambda self: self._save_summary_steps)
    save_checkpoints_steps = property(lambda self: self._save_checkpoints_steps)
    save_checkpoints_secs = property(lambda self: self._save_checkpoints_secs)
    session_config = property(lambda self: self._session_config)
    keep_checkpoint_max = property(lambda self: self._keep_checkpoint_max)
    keep_checkpoint_every_n_hours = property(lambda self: self._keep_checkpoint_every_n_hours)
    log_step_count_steps = property(lambda self: self._log_step_count_steps)
    train_distribute = property(lambda self: self._train_distribute)
    eval_distribute = property(lambda self: self._eval_distribute)
    device_fn = property(lambda self: self._device_fn)
    protocol = property(lambda self: self._protocol)
    session_creation_timeout_secs = property(lambda self: self._session_creation_timeout_secs)
    # one process that is the chief of a cluster of one
    cluster_spec = property(lambda self: {})
    task_type = property(lambda self: TaskType.WORKER)
    task_id = property(lambda self: 0)
    global_id_in_cluster = property(lambda self: 0)
    master = property(lambda self: "")
    evaluation_master = property(lambda self: "")
    num_ps_replicas = property(lambda self: 0)
    num_worker_replicas = property(lambda self: 1)
    is_chief = property(lambda self: True)
    service = property(lambda self: None)

    def replace(self, **kwargs: Any) -> RunConfig:
        """A copy with other values.

        Raises:
            ValueError: a property that cannot be replaced, or both intervals of checkpoints.
        """
        new = copy.copy(self)
        for name, value in kwargs.items():
            if name not in _REPLACEABLE:
                raise ValueError(
                    f"Replacing {name} is not supported. Allowed properties are {_REPLACEABLE}."
                )
            if name == "model_dir" and value is not None:
                value = os.fspath(value)
            setattr(new, f"_{name}", value)
        pair = ("save_checkpoints_steps", "save_checkpoints_secs")
        given = [name for name in pair if kwargs.get(name) is not None]
        if len(given) == 2:
            raise ValueError(_SAVE_BOTH)
        if given:
            # one interval takes the other's place
            setattr(new, f"_{pair[given[0] == pair[0]]}", None)
        new._check()
        return new
