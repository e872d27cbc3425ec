"""tf.contrib.learn.learn_runner: runs an Experiment."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {"graphc.contrib.learn._experiment": "run"})
