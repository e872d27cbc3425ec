"""tf.contrib.image: rotations, projective transformations and warps of images."""

from __future__ import annotations

from graphc.contrib import missing
from graphc.tf1.image_transforms import (
    angles_to_projective_transforms,
    compose_transforms,
    dense_image_warp,
    flat_transforms_to_matrices,
    interpolate_bilinear,
    matrices_to_flat_transforms,
    rotate,
    transform,
    translate,
    translations_to_projective_transforms,
)

__all__ = [
    "angles_to_projective_transforms", "compose_transforms", "dense_image_warp",
    "flat_transforms_to_matrices", "interpolate_bilinear", "matrices_to_flat_transforms",
    "rotate", "transform", "translate", "translations_to_projective_transforms",
]  # fmt: skip

__getattr__ = missing("tf.contrib.image")
