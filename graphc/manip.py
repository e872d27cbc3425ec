"""tf.manip: moving the elements of arrays. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.api_array": "gather_nd reshape reverse scatter_nd tile",
        "graphc.tf1.api_fourier": "roll",
        "graphc.tf1.api_image": "batch_to_space_nd space_to_batch_nd",
    },
)
