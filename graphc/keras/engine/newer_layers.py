"""Layers that came after tf.keras 1.15 and that files of newer versions name.

Lives here: Rescaling, UnitNormalization. They are made when such a file is loaded; the namespace
keras.layers is that of 1.15. Imports keras.engine and tf1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.core.config import floatx
from graphc.keras.engine.base_layer import Layer
from graphc.tf1.api_normalize import l2_normalize

__all__ = ["Rescaling", "UnitNormalization"]


class Rescaling(Layer):
    """x * scale + offset; whole numbers become floats. Both may be lists, one value a channel."""

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset

    def call(self, inputs: Any) -> Tensor:
        kind = self._dtype or floatx()
        x = K.cast(inputs, kind)
        scale, offset = (np.asarray(v, as_dtype(kind).np) for v in (self.scale, self.offset))
        return x * scale + offset

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}


class UnitNormalization(Layer):
    """Vectors along `axis` divided by their lengths."""

    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Tensor:
        return l2_normalize(inputs, axis=self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
