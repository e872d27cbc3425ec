"""tf.contrib.training: hyperparameters and training steps; imported when first used."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.contrib._hparams": "HParams parse_values",
        "graphc.contrib._optimize": """
            clip_gradient_norms create_train_op multiply_gradients""",
        "graphc.contrib._bucketing": "bucket bucket_by_sequence_length",
        "graphc.contrib._training_loop": "train",
        "graphc.tf1.evaluation": """
            StopAfterNEvalsHook SummaryAtEndHook checkpoints_iterator evaluate_once
            evaluate_repeatedly get_or_create_eval_step wait_for_new_checkpoint""",
        "graphc.contrib._paths": "python=training_python",
    },
)
_missing = missing("tf.contrib.training")


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
