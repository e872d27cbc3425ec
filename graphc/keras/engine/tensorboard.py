"""The TensorBoard callback. Imports tf1's event files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from graphc.interop import events
from graphc.interop.messages import Summary
from graphc.keras.core.session import batch_get_value, get_session
from graphc.keras.engine.callbacks_base import Callback
from graphc.tf1.file_writer import FileWriter

__all__ = ["TensorBoard"]


class TensorBoard(Callback):
    """Writes logs of epochs (and of batches), histograms of weights and the graph.

    Args:
        log_dir: of the event files. histogram_freq: epochs between histograms, 0 for none.
        write_graph: the graph of ops. update_freq: "epoch", "batch" or a number of samples.
        Others are accepted.
    """

    def __init__(
        self, log_dir: Any = "./logs", histogram_freq: int = 0, batch_size: int = 32,
        write_graph: bool = True, write_grads: bool = False, write_images: bool = False,
        embeddings_freq: int = 0, embeddings_layer_names: Any = None,
        embeddings_metadata: Any = None, embeddings_data: Any = None,
        update_freq: Any = "epoch", profile_batch: Any = 0, **kwargs: Any,
    ) -> None:
        super().__init__()
        self.log_dir, self.histogram_freq = str(log_dir), histogram_freq
        self.write_graph = write_graph
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.writer: Any = None
        self._seen = self._written = self._batches = 0

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        outputs = getattr(model, "outputs", None)
        graph = outputs[0].graph if outputs else get_session().graph
        Path(self.log_dir).mkdir(parents=True, exist_ok=True)
        self.writer = FileWriter(self.log_dir, graph if self.write_graph else None)

    def _scalars(self, logs: Any, step: int, prefix: str = "") -> None:
        for name, value in (logs or {}).items():
            if name in ("batch", "size") or np.ndim(value):
                continue
            entry = Summary.Value(tag=prefix + name, simple_value=float(value))
            self.writer.add_summary(Summary(value=[entry]), step)

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.update_freq == "epoch":
            return
        self._seen += (logs or {}).get("size", 1)
        if self._seen - self._written >= self.update_freq:
            self._scalars(logs, self._batches, "batch_")
            self.writer.flush()
            self._written = self._seen
        self._batches += 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._histograms(epoch)
        self._scalars(logs, epoch if self.update_freq == "epoch" else self._seen, "epoch_")
        self.writer.flush()

    def _histograms(self, epoch: int) -> None:
        weights = self.model.weights
        for variable, value in zip(weights, batch_get_value(weights)):
            name = variable.name.replace(":", "_")
            histogram = events.histogram(np.asarray(value), name)
            self.writer.add_summary(
                Summary(value=[Summary.Value(tag=name, histo=histogram)]), epoch
            )

    def on_train_end(self, logs: Any = None) -> None:
        self.writer.close()
