"""tf.strings: operations on strings. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.api_strings": """
            as_string bytes_split format join length lower reduce_join=reduce_join_v2
            regex_full_match regex_replace split strip=string_strip substr to_hash_bucket
            to_hash_bucket_fast to_hash_bucket_strong to_number=string_to_number upper""",
        "graphc.tf1.api_unicode": """
            unicode_decode unicode_decode_with_offsets unicode_encode unicode_split
            unicode_split_with_offsets unicode_transcode""",
    },
)
