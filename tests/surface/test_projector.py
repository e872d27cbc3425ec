"""TensorBoard's projector configuration."""

from __future__ import annotations

import pytest

import graphc as tf
from graphc.interop import text_format

TEXT = """embeddings {
  tensor_name: "emb/w:0"
  metadata_path: "labels.tsv"
  sprite {
    image_path: "sprite.png"
    single_image_dim: 28
    single_image_dim: 28
  }
}
"""


def test_the_configuration_is_written_as_text(tmp_path):
    projector = tf.contrib.tensorboard.plugins.projector
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add()
    embedding.tensor_name = "emb/w:0"
    embedding.metadata_path = "labels.tsv"
    embedding.sprite.image_path = "sprite.png"
    embedding.sprite.single_image_dim.extend([28, 28])
    with tf.Graph().as_default():
        writer = tf.summary.FileWriter(str(tmp_path / "logs"))
        projector.visualize_embeddings(writer, config)
        writer.close()
    path = tmp_path / "logs" / "projector_config.pbtxt"
    assert path.read_text() == TEXT
    assert text_format.Parse(path.read_text(), projector.ProjectorConfig()) == config
    projector.visualize_embeddings(str(tmp_path / "other"), config)
    assert (tmp_path / "other" / "projector_config.pbtxt").read_text() == TEXT


def test_a_writer_needs_a_folder():
    from graphc.contrib.tensorboard.plugins import projector

    class Writer:
        def get_logdir(self) -> str:
            return ""

    with pytest.raises(ValueError, match="Summary writer must have a logdir"):
        projector.visualize_embeddings(Writer(), projector.ProjectorConfig())
