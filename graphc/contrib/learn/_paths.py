"""tf.contrib.learn.python.learn...: longer ways to the same names.

Lives here: the object that stands for them. Imports contrib/_paths.py.
"""

from __future__ import annotations

from graphc.contrib._paths import Path

python = Path(
    "graphc.contrib.learn",
    frozenset({"learn", "estimators", "estimator", "dnn", "linear", "metric_spec", "model_fn"}),
)
# modules of which scripts use the sessions and hooks
basic_session_run_hooks = monitored_session = session_run_hook = Path(
    "graphc.train", frozenset()
)
