"""tf.lookup: tables from keys to values. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.lookup": """
            KeyValueTensorInitializer StaticHashTable TextFileIndex TextFileInitializer""",
        "graphc.tf1.lookup_index": "StaticVocabularyTable",
    },
)
