"""tf.keras.models: models, and reading them from files and configurations."""

from __future__ import annotations

from typing import Any

from graphc.keras.engine.sequential import Sequential
from graphc.keras.engine.training import Model

__all__ = [
    "Model", "Sequential", "clone_model", "load_model", "model_from_config", "model_from_json",
    "model_from_yaml", "save_model",
]  # fmt: skip


def save_model(
    model: Any, filepath: Any, overwrite: bool = True, include_optimizer: bool = True,
    save_format: str | None = None,
) -> None:
    """The same as model.save."""
    model.save(filepath, overwrite, include_optimizer, save_format)


def load_model(filepath: Any, custom_objects: Any = None, compile: bool = True) -> Any:
    """A model from a file or folder that `save` wrote.

    Args:
        custom_objects: the user's own classes and functions by name. compile: also restore loss,
            metrics and the optimizer with its state.

    Raises:
        OSError: nothing there, or damaged. ValueError: unknown names; what is no model.
    """
    from graphc.keras.engine.saving import load_model as load

    return load(filepath, custom_objects, compile)


def model_from_config(config: Any, custom_objects: Any = None) -> Any:
    """A model from {"class_name", "config"}."""
    from graphc.keras.layers import deserialize

    if isinstance(config, list):
        raise TypeError("`model_from_config` expects a dictionary, not a list. Maybe you meant to "
                        "use `Sequential.from_config(config)`?")  # fmt: skip
    return deserialize(config, custom_objects=custom_objects)


def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    """A model from what to_json wrote."""
    import json

    return model_from_config(json.loads(json_string), custom_objects)


def model_from_yaml(yaml_string: str, custom_objects: Any = None) -> Any:
    """Raises NotImplementedError: YAML can run code; use model_from_json."""
    raise NotImplementedError("YAML can hold code and is not read; use model_from_json")


def clone_model(model: Any, input_tensors: Any = None) -> Any:
    """A model of new layers with the same configuration and new weights.

    Args:
        input_tensors: applied to these instead of new inputs.
    """
    made = type(model).from_config(model.get_config())
    if input_tensors is None:
        return made
    tensors = input_tensors if isinstance(input_tensors, list | tuple) else [input_tensors]
    out = made(tensors[0] if len(tensors) == 1 else list(tensors))
    return Model(input_tensors, out)
