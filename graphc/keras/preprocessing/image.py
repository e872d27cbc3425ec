"""tf.keras.preprocessing.image: random changes of pictures.

Lives here: ImageDataGenerator and the public names. Not here: the changes themselves (affine.py),
pictures and files (pictures.py), iterators (image_iterators.py, image_files.py). Imports NumPy.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.keras.core.config import floatx, normalize_data_format
from graphc.keras.preprocessing.affine import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    flip_axis,
    random_brightness,
    random_channel_shift,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
)
from graphc.keras.preprocessing.image_files import DataFrameIterator, DirectoryIterator
from graphc.keras.preprocessing.image_iterators import Iterator, NumpyArrayIterator
from graphc.keras.preprocessing.pictures import array_to_img, img_to_array, load_img, save_img

__all__ = [
    "DataFrameIterator", "DirectoryIterator", "ImageDataGenerator", "Iterator",
    "NumpyArrayIterator", "apply_affine_transform", "apply_brightness_shift",
    "apply_channel_shift", "array_to_img", "flip_axis", "img_to_array", "load_img",
    "random_brightness", "random_channel_shift", "random_rotation", "random_shear",
    "random_shift", "random_zoom", "save_img",
]  # fmt: skip

Array = np.ndarray[Any, Any]


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
            subset="validation". interpolation_order: 1 (linear) or 0 (nearest); more needs SciPy.

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
        data_format: str | None = None, validation_split: float = 0.0, dtype: Any = None,
        interpolation_order: int = 1,
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
        self.data_format = normalize_data_format(data_format)
        self.dtype, self.interpolation_order = dtype or floatx(), interpolation_order
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
        self._settle()

    def _settle(self) -> None:
        """Settings that others need or forbid, with a warning where they were given otherwise."""
        rules = (
            (self.zca_whitening, "zca_whitening", "featurewise_center", True),
            (self.zca_whitening, "zca_whitening", "featurewise_std_normalization", False),
            (self.featurewise_std_normalization, "featurewise_std_normalization",
             "featurewise_center", True),
            (self.samplewise_std_normalization, "samplewise_std_normalization",
             "samplewise_center", True),
        )  # fmt: skip
        for on, name, other, value in rules:
            if on and getattr(self, other) is not value:
                setattr(self, other, value)
                warnings.warn(
                    f"This ImageDataGenerator specifies `{name}`, which overrides setting of "
                    f"`{other}`.", stacklevel=3,
                )  # fmt: skip
        given = self.brightness_range
        if given is not None and (not isinstance(given, tuple | list) or len(given) != 2):
            raise ValueError(
                f"`brightness_range should be tuple or list of two floats. Received: {given}"
            )

    # ------------------------------------------------------------ sources
    def flow(
        self, x: Any, y: Any = None, batch_size: int = 32, shuffle: bool = True,
        sample_weight: Any = None, seed: int | None = None, save_to_dir: Any = None,
        save_prefix: str = "", save_format: str = "png", subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches of an array of pictures, without end."""
        return NumpyArrayIterator(
            x, y, self, batch_size=batch_size, shuffle=shuffle, sample_weight=sample_weight,
            seed=seed, data_format=self.data_format, save_to_dir=save_to_dir,
            save_prefix=save_prefix, save_format=save_format, subset=subset, dtype=self.dtype,
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
            data_format=self.data_format, save_to_dir=save_to_dir, save_prefix=save_prefix,
            save_format=save_format, follow_links=follow_links, subset=subset,
            interpolation=interpolation, dtype=self.dtype,
        )  # fmt: skip

    def flow_from_dataframe(
        self, dataframe: Any, directory: Any = None, x_col: str = "filename", y_col: Any = "class",
        weight_col: str | None = None, target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb", classes: Any = None, class_mode: str | None = "categorical",
        batch_size: int = 32, shuffle: bool = True, seed: int | None = None,
        save_to_dir: Any = None, save_prefix: str = "", save_format: str = "png",
        subset: str | None = None, interpolation: str = "nearest",
        validate_filenames: bool = True, **kwargs: Any,
    ) -> DataFrameIterator:
        """Batches of the files that the rows of a table name, without end."""
        for old in ("has_ext", "sort", "drop_duplicates"):
            if old in kwargs:
                warnings.warn(f"{old} is deprecated and has no effect.", stacklevel=2)
        return DataFrameIterator(
            dataframe, directory, self, x_col=x_col, y_col=y_col, weight_col=weight_col,
            target_size=target_size, color_mode=color_mode, classes=classes,
            class_mode="raw" if class_mode == "other" else class_mode, batch_size=batch_size,
            shuffle=shuffle, seed=seed, data_format=self.data_format, save_to_dir=save_to_dir,
            save_prefix=save_prefix, save_format=save_format, subset=subset,
            interpolation=interpolation, dtype=self.dtype, validate_filenames=validate_filenames,
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
        if self._known("featurewise_center", self.mean):
            x = x - self.mean
        if self._known("featurewise_std_normalization", self.std):
            x = x / (self.std + 1e-6)
        if self._known("zca_whitening", self.principal_components):
            x = (x.reshape(1, -1) @ self.principal_components).reshape(x.shape)
        return x

    def _known(self, setting: str, value: Any) -> bool:
        """Whether a statistic is used; with a warning where fit has not been called."""
        if not getattr(self, setting):
            return False
        if value is None:
            warnings.warn(
                f"This ImageDataGenerator specifies `{setting}`, but it hasn't been fit on any "
                "training data. Fit it first by calling `.fit(numpy_data)`.", stacklevel=3,
            )  # fmt: skip
        return value is not None

    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> dict[str, Any]:
        """Drawn settings of one change; see apply_transform."""
        if seed is not None:
            np.random.seed(seed)  # noqa: NPY002  # the state that scripts seed
        draw = np.random.uniform
        rows, columns = img_shape[self.row_axis - 1], img_shape[self.col_axis - 1]
        turn, sheared = self.rotation_range, self.shear_range
        # each setting that is used draws, in this order: seeds give the pictures of Keras
        out: dict[str, Any] = {"theta": draw(-turn, turn) if turn else 0}
        out["tx"] = _shift(self.height_shift_range, rows)
        out["ty"] = _shift(self.width_shift_range, columns)
        out["shear"] = draw(-sheared, sheared) if sheared else 0
        out["zx"], out["zy"] = _zoom(self.zoom_range)
        out["flip_horizontal"] = (np.random.random() < 0.5) * self.horizontal_flip  # noqa: NPY002
        out["flip_vertical"] = (np.random.random() < 0.5) * self.vertical_flip  # noqa: NPY002
        shift = self.channel_shift_range
        out["channel_shift_intensity"] = draw(-shift, shift) if shift else None
        bright = self.brightness_range
        out["brightness"] = None if bright is None else draw(bright[0], bright[1])
        return out

    def apply_transform(self, x: Array, transform_parameters: dict[str, Any]) -> Array:
        """A picture changed by these settings."""
        given = transform_parameters
        x = apply_affine_transform(
            x, given.get("theta", 0), given.get("tx", 0), given.get("ty", 0),
            given.get("shear", 0), given.get("zx", 1), given.get("zy", 1),
            row_axis=self.row_axis - 1, col_axis=self.col_axis - 1,
            channel_axis=self.channel_axis - 1, fill_mode=self.fill_mode, cval=self.cval,
            order=self.interpolation_order,
        )  # fmt: skip
        if given.get("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, given["channel_shift_intensity"], self.channel_axis - 1)
        if given.get("flip_horizontal"):
            x = flip_axis(x, self.col_axis - 1)
        if given.get("flip_vertical"):
            x = flip_axis(x, self.row_axis - 1)
        if given.get("brightness") is not None:
            x = apply_brightness_shift(x, given["brightness"], False)
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
        x = x * self.rescale if self.rescale else x.copy()
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
    if not isinstance(amount, int | float) or (isinstance(amount, int) and amount):
        # numbers of pixels: one of a list, or below a whole number
        drawn = np.random.choice(amount) * np.random.choice([-1, 1])  # noqa: NPY002
    elif amount:
        drawn = np.random.uniform(-amount, amount)  # noqa: NPY002
    else:
        return 0.0
    return float(drawn * extent if np.max(amount) < 1 else drawn)


def _zoom(limits: list[float]) -> Any:
    if limits[0] == 1 and limits[1] == 1:
        return 1, 1
    return np.random.uniform(limits[0], limits[1], 2)  # noqa: NPY002
