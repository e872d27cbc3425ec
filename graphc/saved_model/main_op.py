"""tf.saved_model.main_op: ops that run after a load."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.saved_model": """
            main_op main_op_with_restore""",
    },
)
