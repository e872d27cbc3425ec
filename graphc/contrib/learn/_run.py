"""tf.contrib.learn's RunConfig and ModeKeys, for scripts that give them to tf.estimator.

Lives here: both classes. Not here: what they mean (graphc/estimator).
"""

from __future__ import annotations

from typing import Any

from graphc import estimator
from graphc.protos import ConfigProto

__all__ = ["ModeKeys", "RunConfig"]


class ModeKeys:
    """tf.contrib.learn.ModeKeys."""

    TRAIN = "train"
    EVAL = "eval"
    INFER = "infer"


class RunConfig(estimator.RunConfig):
    """tf.contrib.learn.RunConfig: a tf.estimator.RunConfig with older arguments.

    Args:
        num_cores: threads of a run; 0 for all. log_device_placement, gpu_memory_fraction: of the
            session's ConfigProto. master, evaluation_master, protocol: there is one process.
            Others: see tf.estimator.RunConfig.
    """

    def __init__(
        self,
        master: str | None = None,
        num_cores: int = 0,
        log_device_placement: bool = False,
        gpu_memory_fraction: float = 1,
        tf_random_seed: int | None = None,
        save_summary_steps: int | None = 100,
        save_checkpoints_secs: Any = 600,
        save_checkpoints_steps: Any = None,
        keep_checkpoint_max: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000,
        log_step_count_steps: int | None = 100,
        protocol: str | None = None,
        evaluation_master: str = "",
        model_dir: Any = None,
        session_config: Any = None,
    ) -> None:
        if session_config is None:
            session_config = ConfigProto(
                intra_op_parallelism_threads=num_cores,
                inter_op_parallelism_threads=num_cores,
                log_device_placement=log_device_placement,
            )
            session_config.gpu_options.per_process_gpu_memory_fraction = gpu_memory_fraction
        super().__init__(
            model_dir=model_dir,
            tf_random_seed=tf_random_seed,
            save_summary_steps=save_summary_steps,
            save_checkpoints_steps=save_checkpoints_steps,
            # steps that are given take the place of the seconds that are the default
            save_checkpoints_secs=None if save_checkpoints_steps else save_checkpoints_secs,
            session_config=session_config,
            keep_checkpoint_max=keep_checkpoint_max,
            keep_checkpoint_every_n_hours=keep_checkpoint_every_n_hours,
            log_step_count_steps=log_step_count_steps,
        )
