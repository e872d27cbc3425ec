"""tf.contrib.summary: summaries that ops write into files."""

from __future__ import annotations

from graphc.contrib import missing
from graphc.tf1.summary_writers import (
    SummaryWriter,
    all_summary_ops,
    always_record_summaries,
    audio,
    create_file_writer,
    flush,
    generic,
    graph,
    histogram,
    image,
    initialize,
    never_record_summaries,
    record_summaries_every_n_global_steps,
    scalar,
    should_record_summaries,
    summary_writer_initializer_op,
)

__all__ = [
    "SummaryWriter", "all_summary_ops", "always_record_summaries", "audio", "create_file_writer",
    "flush", "generic", "graph", "histogram", "image", "initialize", "never_record_summaries",
    "record_summaries_every_n_global_steps", "scalar", "should_record_summaries",
    "summary_writer_initializer_op",
]  # fmt: skip

__getattr__ = missing("tf.contrib.summary")
