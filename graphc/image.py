"""tf.image: resizing and patches of images. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.api_image": """
            ResizeMethod extract_image_patches extract_patches=extract_image_patches
            resize=resize_images resize_area resize_bicubic resize_bilinear
            resize_image_with_crop_or_pad resize_images resize_nearest_neighbor
            resize_with_crop_or_pad=resize_image_with_crop_or_pad""",
    },
)
