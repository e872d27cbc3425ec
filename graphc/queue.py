"""tf.queue: queues of tensors. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.queues": """
            FIFOQueue PaddingFIFOQueue PriorityQueue QueueBase RandomShuffleQueue""",
    },
)
