"""tf.contrib.tensorboard.plugins.projector: what TensorBoard's embedding view shows.

Lives here: the messages, visualize_embeddings. Not here: the checkpoint with the vectors
(saver.py). Imports interop.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphc.interop.text_format import MessageToString
from graphc.interop.wire import Message

__all__ = ["EmbeddingInfo", "ProjectorConfig", "SpriteMetadata", "visualize_embeddings"]

_FILE = "projector_config.pbtxt"


class SpriteMetadata(Message):
    """One image that holds a small image for each vector."""

    TABLE = """
        1 image_path string
        2 single_image_dim *uint32
    """


class EmbeddingInfo(Message):
    """One variable whose rows are vectors, and the files that describe them."""

    TABLE = """
        1 tensor_name string
        2 metadata_path string
        3 bookmarks_path string
        4 tensor_shape *uint32
        5 sprite SpriteMetadata
        6 tensor_path string
    """


class ProjectorConfig(Message):
    """The embeddings to show."""

    TABLE = """
        1 model_checkpoint_path string
        2 embeddings *EmbeddingInfo
        3 model_checkpoint_dir string
    """


def visualize_embeddings(summary_writer: Any, config: ProjectorConfig) -> None:
    """Writes the configuration into the folder of a FileWriter, or into a folder by its name.

    Raises:
        ValueError: the writer has no folder.
    """
    if isinstance(summary_writer, str | Path):
        folder: Any = summary_writer
    else:
        folder = summary_writer.get_logdir()
    if not folder:
        raise ValueError("Summary writer must have a logdir")
    Path(folder).mkdir(parents=True, exist_ok=True)
    target = Path(folder) / _FILE
    part = target.with_name(_FILE + ".part")
    part.write_text(MessageToString(config))
    part.replace(target)
