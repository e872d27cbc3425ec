"""tf.nest: structures and their leaves. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.nest": """
            assert_same_structure flatten is_nested is_sequence map_structure
            pack_sequence_as""",
    },
)
