"""tf.nest: structures of lists, tuples, named tuples and dicts, and their leaves.

Lives here: flatten, pack_sequence_as, map_structure and their checks. Imports only the standard
library. A dict's leaves come in the order of its sorted keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = [
    "assert_same_structure", "flatten", "is_nested", "is_sequence", "map_structure",
    "pack_sequence_as",
]  # fmt: skip


def is_nested(structure: Any) -> bool:
    """Whether it has parts: a list, a tuple or a dict; a str and an array have none."""
    return isinstance(structure, list | tuple | Mapping)


is_sequence = is_nested


def _keys(structure: Mapping[Any, Any]) -> list[Any]:
    try:
        return sorted(structure)
    except TypeError as error:
        raise TypeError("nest only supports dicts with sortable keys.") from error


def _parts(structure: Any) -> Iterator[Any]:
    if isinstance(structure, Mapping):
        return (structure[key] for key in _keys(structure))
    return iter(structure)


def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """The leaves; [structure] where it is one itself.

    Raises:
        TypeError: a dict whose keys have no order.
    """
    if not is_nested(structure):
        return [structure]
    return [leaf for part in _parts(structure) for leaf in flatten(part)]


def _is_named(structure: Any) -> bool:
    return isinstance(structure, tuple) and hasattr(structure, "_fields")


def _like(structure: Any, parts: list[Any]) -> Any:
    """The parts in a container of the same kind."""
    if isinstance(structure, Mapping):
        by_key = dict(zip(_keys(structure), parts, strict=True))
        return _mapping(structure, {key: by_key[key] for key in structure})
    if _is_named(structure):
        return type(structure)(*parts)
    return type(structure)(parts)


def _mapping(structure: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    factory = getattr(structure, "default_factory", None)
    if factory is not None:
        return type(structure)(factory, values)  # type: ignore[call-arg]  # a defaultdict
    return type(structure)(values)  # type: ignore[call-arg]


def _pack(structure: Any, leaves: Iterator[Any]) -> Any:
    if not is_nested(structure):
        return next(leaves)
    return _like(structure, [_pack(part, leaves) for part in _parts(structure)])


def pack_sequence_as(structure: Any, flat_sequence: Any, expand_composites: bool = False) -> Any:
    """The leaves of flat_sequence in the form of `structure`; flatten undoes it.

    Raises:
        TypeError: flat_sequence is no list or tuple. ValueError: another number of leaves.
    """
    if not is_nested(flat_sequence):
        raise TypeError("flat_sequence must be a sequence")
    if not is_nested(structure):
        if len(flat_sequence) != 1:
            raise ValueError(
                f"Structure is a scalar but len(flat_sequence) == {len(flat_sequence)} > 1"
            )
        return flat_sequence[0]
    expected = len(flatten(structure))
    if expected != len(flat_sequence):
        raise ValueError(
            f"Could not pack sequence. Structure had {expected} elements, but flat_sequence had "
            f"{len(flat_sequence)} elements.  Structure: {structure}, flat_sequence: "
            f"{flat_sequence}."
        )
    return _pack(structure, iter(flat_sequence))


def _kind(structure: Any) -> Any:
    """What must be equal of two containers."""
    return dict if isinstance(structure, Mapping) else type(structure)


def assert_same_structure(
    nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False
) -> None:
    """Both have the same containers; leaves may differ.

    Raises:
        ValueError: other numbers of parts or keys. TypeError: other containers.
    """
    prefix = "The two structures don't have the same nested structure."
    if is_nested(nest1) != is_nested(nest2):
        raise ValueError(f"{prefix}\n\nFirst structure: {nest1}\n\nSecond structure: {nest2}")
    if not is_nested(nest1):
        return
    if check_types and _kind(nest1) is not _kind(nest2):
        raise TypeError(
            f"{prefix}\n\nFirst has type {type(nest1).__name__}, second {type(nest2).__name__}"
        )
    keys = [_keys(n) if isinstance(n, Mapping) else list(range(len(n))) for n in (nest1, nest2)]
    if keys[0] != keys[1]:
        raise ValueError(f"{prefix}\n\nFirst structure: {nest1}\n\nSecond structure: {nest2}")
    for one, other in zip(_parts(nest1), _parts(nest2), strict=True):
        assert_same_structure(one, other, check_types)


def map_structure(func: Callable[..., Any], *structure: Any, **kwargs: Any) -> Any:
    """func of the leaves at each place, in the form of the first structure.

    Args:
        check_types: (in kwargs) the containers must be of one kind; True if not given.

    Raises:
        ValueError: no structure, or they differ. TypeError: func cannot be called.
    """
    if not callable(func):
        raise TypeError(f"func must be callable, got: {func}")
    if not structure:
        raise ValueError("Must provide at least one structure")
    check_types = kwargs.pop("check_types", True)
    kwargs.pop("expand_composites", False)
    if kwargs:
        raise ValueError(f"Only valid keyword arguments are check_types, got: {sorted(kwargs)}")
    for other in structure[1:]:
        assert_same_structure(structure[0], other, check_types)
    leaves = zip(*(flatten(s) for s in structure), strict=True)
    return pack_sequence_as(structure[0], [func(*each) for each in leaves])
