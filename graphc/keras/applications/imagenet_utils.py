"""What the networks for ImageNet share: shapes, weights, pictures before, names after.

Imports keras.engine and NumPy.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.keras.core.config import image_data_format
from graphc.keras.core.marks import is_keras_tensor
from graphc.keras.engine.input_layer import Input
from graphc.keras.engine.training import Model
from graphc.keras.utils.data_utils import find_data
from graphc.keras.utils.layer_utils import get_source_inputs

__all__ = ["decode_predictions", "preprocess_input"]

_MEANS = (103.939, 116.779, 123.68)  # blue, green, red


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Pictures with values 0 to 255 as the network was trained on them.

    Args:
        mode: "caffe" (blue, green, red, minus means), "tf" (-1 to 1), "torch" (0 to 1, minus
            means, divided by deviations). x: an array or a tensor.
    """
    first = (data_format or image_data_format()) == "channels_first"
    if not isinstance(x, Tensor):
        x = np.asarray(x).astype("float32")
    if mode == "tf":
        return x / 127.5 - 1.0
    axis = 1 if first and len(x.shape) == 4 else 0 if first else len(x.shape) - 1
    dims = [1] * len(x.shape)
    dims[axis] = 3
    if mode == "torch":
        mean = np.reshape([0.485, 0.456, 0.406], dims).astype("float32")
        spread = np.reshape([0.229, 0.224, 0.225], dims).astype("float32")
        return (x / 255.0 - mean) / spread
    index = [slice(None)] * len(x.shape)
    index[axis] = slice(None, None, -1)
    return x[tuple(index)] - np.reshape(_MEANS, dims).astype("float32")


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """(class, name, probability) of the most probable classes of each row.

    The names come from imagenet_class_index.json in ~/.keras/models or GRAPHC_DATA.

    Raises:
        ValueError: no array [n, 1000]. FileNotFoundError: the file is not there.
    """
    if preds.ndim != 2 or preds.shape[1] != 1000:
        raise ValueError(
            "`decode_predictions` expects a batch of predictions (i.e. a 2D array of shape "
            f"(samples, 1000)). Found array with shape: {preds.shape}"
        )
    path = find_data(["imagenet_class_index.json"], "ImageNet's class names", ("models",))
    names = json.loads(path.read_text())
    out = []
    for row in preds:
        best = row.argsort()[-top:][::-1]
        out.append([(*names[str(int(k))], float(row[k])) for k in best])
    return out


def input_of(
    shape: Any, tensor: Any, default: int, least: int, top: bool, weights: Any
) -> tuple[Any, Any]:
    """(the input tensor, what the model's inputs are).

    Raises:
        ValueError: a shape that the network cannot take.
    """
    first = image_data_format() == "channels_first"
    if shape is None:
        size = default if top else None
        shape = (3, size, size) if first else (size, size, 3)
    spatial = shape[1:] if first else shape[:2]
    if any(s is not None and s < least for s in spatial):
        raise ValueError(f"Input size must be at least {least}x{least}; got `input_shape={shape}`")
    if top and None in spatial:
        raise ValueError(
            f"If `include_top` is True, you should specify a static `input_shape`. Got {shape}"
        )
    if tensor is None:
        made = Input(shape=tuple(shape))
        return made, made
    if not is_keras_tensor(tensor):
        tensor = Input(tensor=tensor, shape=tuple(shape))
    return tensor, get_source_inputs(tensor)


def finished(
    inputs: Any, outputs: Any, name: str, weights: Any, top: bool = True, file: str | None = None
) -> Any:
    """The model, with the weights of a local file where one is given.

    Args:
        top: whether it has its dense layers. file: of ImageNet's weights, where its name is not
            made from the model's.

    Raises:
        FileNotFoundError: there is no such file.
    """
    model = Model(inputs, outputs, name=name)
    if weights is None:
        return model
    if weights == "imagenet":
        usual = f"{name}_weights_tf_dim_ordering_tf_kernels{'' if top else '_notop'}.h5"
        path = find_data([file or usual], f"{name}'s weights", ("models",))
    else:
        path = Path(weights)
        if not path.exists():
            raise FileNotFoundError(f"there is no file of weights at {path}")
    model.load_weights(path)
    return model


def channel_axis() -> int:
    return 3 if image_data_format() == "channels_last" else 1


def check(weights: Any, top: bool, classes: int, more: dict[str, Any]) -> None:
    """Raises ValueError: unknown arguments, or ImageNet's weights for other classes."""
    unknown = set(more) - {"backend", "layers", "models", "utils", "classifier_activation"}
    if unknown:
        raise ValueError(f"Unknown argument(s): {sorted(unknown)}")
    if weights == "imagenet" and top and classes != 1000:
        raise ValueError(
            'If using `weights` as `"imagenet"` with `include_top` as true, `classes` should be '
            "1000"
        )


def pooled(x: Any, pooling: str | None) -> Any:
    """The features as they are, or their mean or greatest over all positions."""
    from graphc.keras import layers

    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return layers.GlobalMaxPooling2D(name="max_pool")(x) if pooling == "max" else x


Body = Callable[[Any], Any]
Head = Callable[[Any, int, Any], Any]


def _mean_head(x: Any, classes: int, activation: Any) -> Any:
    """A dense layer over the mean of the features."""
    from graphc.keras import layers

    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)


def network(
    name: str, body: Body, include_top: bool, weights: Any, input_tensor: Any,
    input_shape: Any, pooling: str | None, classes: int, more: dict[str, Any], default: int = 224,
    least: int = 32, file: str | None = None, head: Head = _mean_head,
) -> Any:
    """A model of an input, a body and a head (features, classes, activation) -> probabilities.

    Args:
        default, least: the extent of pictures, and the smallest. file: see finished.

    Raises:
        ValueError: unknown arguments, a shape that cannot be. FileNotFoundError: no weights.
    """
    check(weights, include_top, classes, more)
    x, inputs = input_of(input_shape, input_tensor, default, least, include_top, weights)
    x = body(x)
    if include_top:
        x = head(x, classes, more.get("classifier_activation", "softmax"))
    else:
        x = pooled(x, pooling)
    return finished(inputs, x, name, weights, include_top, file)


_DOC = """{}

    Args:
        include_top: with the dense layers. weights: None, the path of a file, or "imagenet", whose
            file is looked for in ~/.keras/models and GRAPHC_DATA. input_tensor: used as the input.
            input_shape: (height, width, 3). pooling: "avg", "max" or None, without the dense
            layers. classes: of the dense layer. classifier_activation: of it.

    Raises:
        ValueError: unknown arguments, a shape that cannot be. FileNotFoundError: no weights.
    """


def maker(
    public: str, module: str, body: Body, doc: str, default: int = 224, least: int = 32,
    head: Head = _mean_head,
) -> Callable[..., Any]:
    """The function `public` of `module` that makes a network; its model is named in small letters.

    Args:
        doc: the first line of its documentation. The rest: see network.
    """
    name = {"InceptionV3": "inception_v3"}.get(public, public.lower())

    def make(
        include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None,
        input_shape: Any = None, pooling: str | None = None, classes: int = 1000, **kwargs: Any,
    ) -> Any:
        return network(
            name, body, include_top, weights, input_tensor, input_shape, pooling, classes, kwargs,
            default, least, head=head,
        )  # fmt: skip

    make.__name__ = make.__qualname__ = public
    make.__module__, make.__doc__ = module, _DOC.format(doc)
    return make
