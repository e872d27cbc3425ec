"""keras.utils.vis_utils: the older path of what draws models."""

from __future__ import annotations

from graphc.keras.utils.layer_utils import model_to_dot, plot_model

__all__ = ["model_to_dot", "plot_model"]
