"""tf.contrib.tensorboard.plugins.projector. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.projector": """
            EmbeddingInfo ProjectorConfig SpriteMetadata visualize_embeddings""",
    },
)
