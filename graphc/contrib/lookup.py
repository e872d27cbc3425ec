"""tf.contrib.lookup: tables from keys to values. Names are imported when they are first used."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.lookup": """
            HashTable KeyValueTensorInitializer LookupInterface MutableDenseHashTable
            MutableHashTable TextFileIdTableInitializer TextFileIndex TextFileInitializer
            TextFileStringTableInitializer""",
        "graphc.tf1.lookup_index": """
            FastHashSpec HasherSpec IdTableWithHashBuckets StrongHashSpec index_table_from_file
            index_table_from_tensor index_to_string index_to_string_table_from_file
            index_to_string_table_from_tensor string_to_index""",
    },
)
_missing = missing("tf.contrib.lookup")


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
