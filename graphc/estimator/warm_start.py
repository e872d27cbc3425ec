"""Estimators that start from the values of others: WarmStartSettings.

Lives here: the settings and their use. Not here: how values get into variables
(tf1/checkpoint_init.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from graphc import logging
from graphc.tf1.checkpoint_init import VocabInfo, warm_start

__all__ = ["VocabInfo", "WarmStartSettings"]


class WarmStartSettings(NamedTuple):
    """Which variables start from which checkpoint (tf.estimator.WarmStartSettings).

    Attributes:
        ckpt_to_initialize_from: a prefix or directory. vars_to_warm_start, var_name_to_vocab_info,
        var_name_to_prev_var_name: see tf.train.warm_start.
    """

    ckpt_to_initialize_from: Any
    vars_to_warm_start: Any = ".*"
    var_name_to_vocab_info: Mapping[str, VocabInfo] | None = None
    var_name_to_prev_var_name: Mapping[str, str] | None = None


def settings_of(given: Any) -> WarmStartSettings:
    """The settings of an Estimator's warm_start_from.

    Raises:
        ValueError: neither a path nor WarmStartSettings, or settings without a checkpoint.
    """
    if isinstance(given, str | bytes | os.PathLike):
        path = os.fsdecode(given)
        model = Path(path) / "variables" / "variables"
        # the directory of a SavedModel holds its checkpoint below
        return WarmStartSettings(str(model) if model.with_suffix(".index").exists() else path)
    if not isinstance(given, WarmStartSettings):
        raise ValueError(
            "warm_start_from must be a string or a WarmStartSettings, instead got "
            f"{type(given)}"
        )
    if not given.ckpt_to_initialize_from:
        raise ValueError("`ckpt_to_initialize_from` MUST be set in WarmStartSettings")
    return given


def apply(settings: WarmStartSettings) -> None:
    """Makes the checkpoint's values the initial ones of the default graph's variables."""
    logging.info("Warm-starting with WarmStartSettings: %s", settings)
    warm_start(*settings)
