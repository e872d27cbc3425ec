"""tf.keras.preprocessing.image: pictures as arrays, and random changes of them.

Lives here: img_to_array, load_img, ImageDataGenerator. Not here: the changes themselves
(affine.py), iterators (image_iterators.py). Needs Pillow for files only. Imports NumPy.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from graphc.keras.core.config import normalize_data_format
from graphc.keras.preprocessing.affine import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    flip_axis,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
)
from graphc.keras.preprocessing.image_iterators import (
    DirectoryIterator,
    Iterator,
    NumpyArrayIterator,
)

__all__ = [
    "DirectoryIterator", "ImageDataGenerator", "Iterator", "NumpyArrayIterator",
    "apply_affine_transform", "apply_brightness_shift", "apply_channel_shift", "array_to_img",
    "flip_axis", "img_to_array", "load_img", "random_rotation", "random_shear", "random_shift",
    "random_zoom", "save_img",
]  # fmt: skip

Array = np.ndarray[Any, Any]
_RESAMPLE = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}


def _pillow() -> Any:
    """Raises ImportError: Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("files of pictures need Pillow: pip install pillow") from None
    return Image


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = "float32") -> Array:
    """A Pillow picture as an array [height, width, channels]."""
    x = np.asarray(img, dtype=dtype)
    first = normalize_data_format(data_format) == "channels_first"
    if x.ndim == 2:
        return x[None] if first else x[..., None]
    if x.ndim != 3:
        raise ValueError(f"Unsupported image shape: {x.shape}")
    return x.transpose(2, 0, 1) if first else x


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = "float32"
) -> Any:
    """An array as a Pillow picture; scaled to 0 to 255 unless told otherwise."""
    image = _pillow()
    x = np.asarray(x, dtype=dtype)
    if x.ndim != 3:
        raise ValueError(
            f"Expected image array to have rank 3 (single image). Got array with shape: {x.shape}"
        )
    if normalize_data_format(data_format) == "channels_first":
        x = x.transpose(1, 2, 0)
    if scale:
        x = x - x.min()
        high = x.max()
        x = x / high * 255.0 if high else x
    x = x.astype("uint8")
    return image.fromarray(x[..., 0] if x.shape[-1] == 1 else x)


def save_img(
    path: Any, x: Any, data_format: str | None = None, file_format: str | None = None,
    scale: bool = True,
) -> None:
    """Writes an array as a picture."""
    array_to_img(x, data_format, scale).save(path, format=file_format)


def load_img(
    path: Any, grayscale: bool = False, color_mode: str = "rgb", target_size: Any = None,
    interpolation: str = "nearest",
) -> Any:
    """A picture of a file, as Pillow's.

    Args:
        color_mode: "rgb", "rgba" or "grayscale". target_size: (height, width) to resize to.

    Raises:
        ValueError: an unknown color_mode or interpolation.
    """
    image = _pillow()
    mode = "grayscale" if grayscale else color_mode
    kinds = {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}
    if mode not in kinds:
        raise ValueError('color_mode must be "grayscale", "rgb", or "rgba"')
    if interpolation not in _RESAMPLE:
        raise ValueError(
            f"Invalid interpolation method {interpolation} specified. Supported methods are "
            f"{', '.join(sorted(_RESAMPLE))}"
        )
    img = image.open(io.BytesIO(Path(path).read_bytes())).convert(kinds[mode])
    if target_size is not None and img.size != (target_size[1], target_size[0]):
        img = img.resize((target_size[1], target_size[0]), _RESAMPLE[interpolation])
    return img


class ImageDataGenerator:
    """Batches of pictures with random changes.

    Args:
        featurewise_center, featurewise_std_normalization, zca_whitening: by statistics of the data
            set, which `fit` computes. samplewise_center, samplewise_std_normalization: by those of
            each picture. rotation_range: degrees. width_shift_range, height_shift_range: shares
            (below 1) or pixels. brightness_range: (low, high). shear_range: degrees. zoom_range: a
            share or (low, high). channel_shift_range. fill_mode: "constant" (cval), "nearest",
            "reflect" or "wrap". horizontal_flip, vertical_flip. rescale: a factor.
            preprocessing_function: of each picture. validation_split: a share for
            subset="validation".

    Raises:
        ValueError: a zoom_range or validation_split that cannot be.
    """

    def __init__(
        self, featurewise_center: bool = False, samplewise_center: bool = False,
        featurewise_std_normalization: bool = False, samplewise_std_normalization: bool = False,
        zca_whitening: bool = False, zca_epsilon: float = 1e-6, rotation_range: float = 0,
        width_shift_range: Any = 0.0, height_shift_range: Any = 0.0, brightness_range: Any = None,
        shear_range: float = 0.0, zoom_range: Any = 0.0, channel_shift_range: float = 0.0,
        fill_mode: str = "nearest", cval: float = 0.0, horizontal_flip: bool = False,
        vertical_flip: bool = False, rescale: Any = None,
        preprocessing_function: Callable[[Any], Any] | None = None,
        data_format: str | None = None, validation_split: float = 0.0, dtype: Any = "float32",
    ) -> None:
        self.featurewise_center, self.samplewise_center = featurewise_center, samplewise_center
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening, self.zca_epsilon = zca_whitening, zca_epsilon
        self.rotation_range, self.brightness_range = rotation_range, brightness_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.shear_range, self.channel_shift_range = shear_range, channel_shift_range
        self.fill_mode, self.cval = fill_mode, cval
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function = rescale, preprocessing_function
        self.data_format, self.dtype = normalize_data_format(data_format), dtype
        if validation_split and not 0 < validation_split < 1:
            raise ValueError(
                f"`validation_split` must be strictly between 0 and 1.  Received: "
                f"{validation_split}"
            )
        self._validation_split = validation_split
        if isinstance(zoom_range, int | float):
            self.zoom_range = [1 - zoom_range, 1 + zoom_range]
        elif len(zoom_range) == 2:
            self.zoom_range = list(zoom_range)
        else:
            raise ValueError(
                "`zoom_range` should be a float or a tuple or list of two floats. Received: "
                f"{zoom_range}"
            )
        last = self.data_format == "channels_last"
        self.row_axis, self.col_axis, self.channel_axis = (1, 2, 3) if last else (2, 3, 1)
        self.mean: Any = None
        self.std: Any = None
        self.principal_components: Any = None

    # ------------------------------------------------------------ sources
    def flow(
        self, x: Any, y: Any = None, batch_size: int = 32, shuffle: bool = True,
        sample_weight: Any = None, seed: int | None = None, save_to_dir: Any = None,
        save_prefix: str = "", save_format: str = "png", subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches of an array of pictures, without end."""
        return NumpyArrayIterator(
            x, y, self, batch_size=batch_size, shuffle=shuffle, sample_weight=sample_weight,
            seed=seed, subset=subset,
        )  # fmt: skip

    def flow_from_directory(
        self, directory: Any, target_size: tuple[int, int] = (256, 256), color_mode: str = "rgb",
        classes: Any = None, class_mode: str | None = "categorical", batch_size: int = 32,
        shuffle: bool = True, seed: int | None = None, save_to_dir: Any = None,
        save_prefix: str = "", save_format: str = "png", follow_links: bool = False,
        subset: str | None = None, interpolation: str = "nearest",
    ) -> DirectoryIterator:
        """Batches of the files in the subfolders, one a class, without end."""
        return DirectoryIterator(
            directory, self, target_size=target_size, color_mode=color_mode, classes=classes,
            class_mode=class_mode, batch_size=batch_size, shuffle=shuffle, seed=seed,
            subset=subset, interpolation=interpolation,
        )  # fmt: skip

    # ------------------------------------------------------------ changes
    def standardize(self, x: Array) -> Array:
        """A picture by the statistics that the generator was told to use."""
        if self.preprocessing_function:
            x = self.preprocessing_function(x)
        if self.rescale:
            x = x * self.rescale
        if self.samplewise_center:
            x = x - np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x = x / (np.std(x, keepdims=True) + 1e-6)
        wanted = (
            (self.featurewise_center, self.mean), (self.featurewise_std_normalization, self.std),
            (self.zca_whitening, self.principal_components),
        )  # fmt: skip
        if any(on and value is None for on, value in wanted):
            raise ValueError(
                "This ImageDataGenerator uses statistics of the data set, but it has not been fit "
                "on any training data. Fit it first by calling `.fit(numpy_data)`."
            )
        if self.featurewise_center:
            x = x - self.mean
        if self.featurewise_std_normalization:
            x = x / (self.std + 1e-6)
        if self.zca_whitening:
            x = (x.reshape(1, -1) @ self.principal_components).reshape(x.shape)
        return x

    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> dict[str, Any]:
        """Drawn settings of one change; see apply_transform."""
        if seed is not None:
            np.random.seed(seed)  # noqa: NPY002  # the state that scripts seed
        draw = np.random.uniform
        rows, columns = img_shape[self.row_axis - 1], img_shape[self.col_axis - 1]
        zx = zy = 1.0
        if self.zoom_range != [1, 1]:
            zx, zy = draw(self.zoom_range[0], self.zoom_range[1], 2)
        return {
            "theta": draw(-self.rotation_range, self.rotation_range),
            "tx": _shift(self.height_shift_range, rows),
            "ty": _shift(self.width_shift_range, columns),
            "shear": draw(-self.shear_range, self.shear_range), "zx": zx, "zy": zy,
            "flip_horizontal": self.horizontal_flip and draw() < 0.5,
            "flip_vertical": self.vertical_flip and draw() < 0.5,
            "channel_shift_intensity": (
                draw(-self.channel_shift_range, self.channel_shift_range)
                if self.channel_shift_range else None
            ),
            "brightness": draw(*self.brightness_range) if self.brightness_range else None,
        }  # fmt: skip

    def apply_transform(self, x: Array, transform_parameters: dict[str, Any]) -> Array:
        """A picture changed by these settings."""
        given = transform_parameters
        x = apply_affine_transform(
            x, given.get("theta", 0), given.get("tx", 0), given.get("ty", 0),
            given.get("shear", 0), given.get("zx", 1), given.get("zy", 1),
            row_axis=self.row_axis - 1, col_axis=self.col_axis - 1,
            channel_axis=self.channel_axis - 1, fill_mode=self.fill_mode, cval=self.cval,
        )  # fmt: skip
        if given.get("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, given["channel_shift_intensity"], self.channel_axis - 1)
        if given.get("flip_horizontal"):
            x = flip_axis(x, self.col_axis - 1)
        if given.get("flip_vertical"):
            x = flip_axis(x, self.row_axis - 1)
        if given.get("brightness") is not None:
            x = apply_brightness_shift(x, given["brightness"])
        return x

    def random_transform(self, x: Array, seed: int | None = None) -> Array:
        """A picture changed at random."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def fit(
        self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None
    ) -> None:
        """Computes the statistics of a data set [n, height, width, channels].

        Raises:
            ValueError: an array of another rank.
        """
        x = np.asarray(x, dtype=self.dtype)
        if x.ndim != 4:
            raise ValueError(
                f"Input to `.fit()` should have rank 4. Got array with shape: {x.shape}"
            )
        if seed is not None:
            np.random.seed(seed)  # noqa: NPY002
        if augment:
            x = np.concatenate([
                np.stack([self.random_transform(img) for img in x]) for _ in range(rounds)
            ])  # fmt: skip
        axes = (0, self.row_axis, self.col_axis)
        shape = [1, 1, 1]
        shape[self.channel_axis - 1] = x.shape[self.channel_axis]
        if self.featurewise_center:
            self.mean = x.mean(axis=axes).reshape(shape)
            x = x - self.mean
        if self.featurewise_std_normalization:
            self.std = x.std(axis=axes).reshape(shape)
            x = x / (self.std + 1e-6)
        if self.zca_whitening:
            flat = x.reshape(len(x), -1)
            u, s, _ = np.linalg.svd(flat.T @ flat / len(flat))
            self.principal_components = (u / np.sqrt(s + self.zca_epsilon)) @ u.T


def _shift(amount: Any, extent: int) -> float:
    """A drawn shift in pixels, from a share, a number of pixels, or a list of them."""
    if not isinstance(amount, int | float):
        listed = np.random.choice(amount) * np.random.choice([-1, 1])  # noqa: NPY002
        return float(listed * extent if np.max(np.abs(amount)) < 1 else listed)
    if not amount:
        return 0.0
    drawn = np.random.uniform(-amount, amount)  # noqa: NPY002
    return float(drawn * extent if amount < 1 else drawn)
