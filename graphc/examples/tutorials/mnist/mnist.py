"""tf.examples.tutorials.mnist.mnist. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.mnist_model": """
            IMAGE_PIXELS IMAGE_SIZE NUM_CLASSES evaluation inference loss training""",
    },
)
