"""tf.summary: summary ops, event files, their messages; imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.summary": "audio histogram image merge merge_all scalar tensor_summary text",
        "graphc.tf1.summary_writers": "all_v2_summary_ops=all_summary_ops initialize",
        "graphc.tf1.file_writer": "FileWriter FileWriterCache",
        "graphc.interop.messages": "Event SessionLog Summary SummaryMetadata TaggedRunMetadata",
    },
)
