"""Summary ops: tf.summary.scalar, histogram, image, audio, text, merge.

Lives here: the records, which run on the host and give serialized Summary messages, and the TF1
functions. Not here: FileWriter (tf1/file_writer.py), encodings (interop/events.py).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.interop import events
from graphc.interop.attributes import tensor_proto
from graphc.interop.messages import Summary, SummaryMetadata
from graphc.ir.dtypes import ALL, REAL_OR_BOOL, float16, float32, float64, string, uint8
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.ir.node import ConstValue, Tensor, TensorType
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import InferContext, host
from graphc.ops.samples import arg, fixed, sample, uniform
from graphc.tf1.scopes import name_scope

__all__ = [
    "audio", "histogram", "image", "merge", "merge_all", "scalar", "tensor_summary", "text",
]  # fmt: skip

Array = np.ndarray[Any, Any]
_NO_PATH = "a summary is a string"


# ------------------------------------------------------------------ records
def _one_string(ctx: InferContext) -> TensorType:
    return TensorType(string, ())


def _scalar_type(ctx: InferContext) -> TensorType:
    tags, values = ctx.shape(0), ctx.shape(1)
    if tags is not None and values is not None and len(tags) != len(values):
        raise ctx.fail(f"Shapes must be equal rank, but are {len(tags)} and {len(values)}")
    return TensorType(string, ())


def _rank_type(*ranks: int) -> Any:
    def infer(ctx: InferContext) -> TensorType:
        rank = ctx.rank(1)
        if rank is not None and rank not in ranks:
            raise ctx.fail(f"Shape must be rank {ranks[0]} but is rank {rank}")
        return TensorType(string, ())

    return infer


def _packed(summary: Summary) -> Array:
    out = np.empty((), object)
    out[()] = summary.SerializeToString()
    return out


def _tag(value: Array) -> str:
    raw = value[()] if value.ndim == 0 else value.reshape(-1)[0]
    return raw.decode() if isinstance(raw, bytes) else str(raw)


def _scalar(tags: Array, values: Array) -> Array:
    if tags.shape != values.shape:
        raise InvalidArgumentError(
            f"tags and values not the same shape: {list(tags.shape)} != {list(values.shape)}"
        )
    out = Summary()
    for tag, value in zip(tags.reshape(-1), values.reshape(-1), strict=True):
        with np.errstate(over="ignore"):
            out.value.add(tag=tag.decode(), simple_value=float(np.float32(value)))
    return _packed(out)


def _histogram(tag: Array, values: Array) -> Array:
    name = _tag(tag)
    return _packed(Summary(value=[Summary.Value(tag=name, histo=events.histogram(values, name))]))


_RED = ConstValue(np.array([255, 0, 0, 255], np.uint8))


def _image(
    tag: Array, tensor: Array, max_images: int = 3, bad_color: ConstValue = _RED
) -> Array:
    channels = tensor.shape[-1]
    if tensor.ndim != 4 or channels not in (1, 3, 4):
        raise InvalidArgumentError(
            "Tensor must be 4-D with last dim 1, 3, or 4, not "
            f"[{','.join(map(str, tensor.shape))}]"
        )
    out = Summary()
    for k, picture in enumerate(tensor[:max_images]):
        value = out.value.add(tag=_numbered(tag, "image", k, max_images))
        value.image.height, value.image.width = picture.shape[:2]
        value.image.colorspace = channels
        pixels = events.as_pixels(picture, bad_color.array)
        value.image.encoded_image_string = events.png(pixels)
    return _packed(out)


def _audio(tag: Array, tensor: Array, sample_rate: Array, max_outputs: int = 3) -> Array:
    rate = float(sample_rate.reshape(-1)[0])
    if rate <= 0:
        raise InvalidArgumentError("sample_rate must be > 0")
    out = Summary()
    for k, samples in enumerate(tensor[:max_outputs]):
        sound = samples if samples.ndim == 2 else samples[:, None]
        value = out.value.add(tag=_numbered(tag, "audio", k, max_outputs))
        value.audio.sample_rate = rate
        value.audio.length_frames, value.audio.num_channels = sound.shape
        value.audio.content_type = "audio/wav"
        value.audio.encoded_audio_string = events.wav(sound, rate)
    return _packed(out)


def _numbered(tag: Array, kind: str, index: int, most: int) -> str:
    base = f"{_tag(tag)}/{kind}"
    return base if most == 1 else f"{base}/{index}"


def _tensor(tag: Array, tensor: Array, metadata: Array) -> Array:
    value = Summary.Value(tag=_tag(tag), tensor=tensor_proto(tensor))
    value.metadata.ParseFromString(metadata[()])
    return _packed(Summary(value=[value]))


def _merge(*inputs: Array) -> Array:
    out = Summary()
    seen: set[str] = set()
    for raw in inputs:
        for item in raw.reshape(-1):
            for value in Summary.FromString(item).value:
                if value.tag in seen:
                    raise InvalidArgumentError(
                        f"Duplicate tag {value.tag} found in summary inputs"
                    )
                seen.add(value.tag)
                out.value.append(value)
    return _packed(out)


_TAG = fixed(np.array(b"tag", object), string)

scalar_summary = host(
    "scalar_summary", tf="ScalarSummary", infer=_scalar_type, numpy=_scalar, nograd=_NO_PATH,
    args=("tags", "values"), groups=(string, "T"), dtypes={"T": REAL_OR_BOOL},
    samples=(sample(_TAG, arg(()), grad=False),),
)  # fmt: skip
histogram_summary = host(
    "histogram_summary", tf="HistogramSummary", infer=_one_string, numpy=_histogram,
    nograd=_NO_PATH, args=("tag", "values"), groups=(string, "T"), dtypes={"T": REAL_OR_BOOL},
    samples=(sample(_TAG, arg((3, 4)), grad=False),),
)  # fmt: skip
image_summary = host(
    "image_summary", tf="ImageSummary", infer=_rank_type(4), numpy=_image, nograd=_NO_PATH,
    args=("tag", "tensor"), groups=(string, "T"),
    dtypes={"T": (uint8, float32, float16, float64)},
    samples=(
        sample(_TAG, arg((2, 3, 4, 1)), grad=False, max_images=3, bad_color=_RED),
    ),
)  # fmt: skip
audio_summary = host(
    "audio_summary", tf="AudioSummaryV2", infer=_rank_type(2, 3), numpy=_audio, nograd=_NO_PATH,
    args=("tag", "tensor", "sample_rate"), groups=(string, float32, float32),
    samples=(
        sample(_TAG, arg((2, 5)), arg((), uniform(8000, 9000)), grad=False, max_outputs=3),
    ),
)  # fmt: skip
tensor_summary_v2 = host(
    "tensor_summary", tf="TensorSummaryV2", infer=_one_string, numpy=_tensor, nograd=_NO_PATH,
    args=("tag", "tensor", "serialized_summary_metadata"), groups=(string, "T", string),
    dtypes={"T": ALL},
    samples=(sample(_TAG, arg((3,)), fixed(np.array(b"", object), string), grad=False),),
)  # fmt: skip
merge_summary = host(
    "merge_summary", tf="MergeSummary", infer=_one_string, numpy=_merge, nograd=_NO_PATH,
    args=("*inputs",), groups=(string,),
    samples=(sample(fixed(np.array(b"", object), string), grad=False),),
)  # fmt: skip


# ------------------------------------------------------------------ the TF1 functions
@contextlib.contextmanager
def _scope(
    name: str, family: str | None, default: str, values: Sequence[Any]
) -> Iterator[tuple[str, str]]:
    """(tag, scope) of a summary: characters that names cannot have become "_"."""
    clean = re.sub(r"[^-/\w.]", "_", name).lstrip("/")
    prefix = re.sub(r"[^-/\w.]", "_", family).lstrip("/") if family else None
    base = clean if prefix is None else f"{prefix}/{clean}"
    with name_scope(base, default, values) as scope:
        tag = scope.rstrip("/")
        yield (tag if prefix is None else f"{prefix}/{tag}"), scope


def _collected(tensor: Tensor, collections: Any) -> Tensor:
    keys = [GraphKeys.SUMMARIES] if collections is None else collections
    get_default_graph().add_to_collections(keys, tensor)
    return tensor


def _tag_constant(tag: str, name: str) -> Tensor:
    return convert_to_tensor(tag, string, name)


def scalar(
    name: str, tensor: Any, collections: Any = None, family: str | None = None
) -> Tensor:
    """The value of a scalar under a tag (tf.summary.scalar); added to SUMMARIES.

    Returns:
        A string scalar: the serialized Summary.
    """
    with _scope(name, family, "ScalarSummary", [tensor]) as (tag, scope):
        out = scalar_summary(_tag_constant(tag, "tags"), convert_to_tensor(tensor), name=scope)
    return _collected(out, collections)


def histogram(
    name: str, values: Any, collections: Any = None, family: str | None = None
) -> Tensor:
    """The histogram of all elements (tf.summary.histogram).

    Raises (when run):
        InvalidArgumentError: "Nan in summary histogram for: ...".
    """
    with _scope(name, family, "HistogramSummary", [values]) as (tag, scope):
        out = histogram_summary(_tag_constant(tag, "tag"), convert_to_tensor(values), name=scope)
    return _collected(out, collections)


def image(
    name: str,
    tensor: Any,
    max_outputs: int = 3,
    collections: Any = None,
    family: str | None = None,
) -> Tensor:
    """The first images of [batch, height, width, channels], as PNG (tf.summary.image).

    Args:
        tensor: uint8 as it is; floats are scaled per image: to [0, 255] where none is negative,
            else so that 0 is 128. channels: 1, 3 or 4.
    """
    with _scope(name, family, "ImageSummary", [tensor]) as (tag, scope):
        out = image_summary(
            _tag_constant(tag, "tag"), convert_to_tensor(tensor), name=scope,
            max_images=int(max_outputs), bad_color=_RED,
        )  # fmt: skip
    return _collected(out, collections)


def audio(
    name: str,
    tensor: Any,
    sample_rate: Any,
    max_outputs: int = 3,
    collections: Any = None,
    family: str | None = None,
) -> Tensor:
    """Sound [batch, frames] or [batch, frames, channels] in [-1, 1], as 16-bit WAV."""
    with _scope(name, family, "AudioSummaryV2", [tensor]) as (tag, scope):
        out = audio_summary(
            _tag_constant(tag, "tag"), convert_to_tensor(tensor, float32),
            convert_to_tensor(sample_rate, float32, "sample_rate"), name=scope,
            max_outputs=int(max_outputs),
        )  # fmt: skip
    return _collected(out, collections)


def tensor_summary(
    name: str,
    tensor: Any,
    summary_description: str | None = None,
    collections: Any = None,
    summary_metadata: Any = None,
    family: str | None = None,
    display_name: str | None = None,
) -> Tensor:
    """Any tensor as a TensorProto (tf.summary.tensor_summary)."""
    metadata = SummaryMetadata()
    if summary_metadata is not None:
        metadata.CopyFrom(summary_metadata)
    if display_name is not None:
        metadata.display_name = display_name
    if summary_description is not None:
        metadata.summary_description = summary_description
    with _scope(name, family, "TensorSummary", [tensor]) as (tag, scope):
        out = tensor_summary_v2(
            _tag_constant(tag, "tag"), convert_to_tensor(tensor),
            convert_to_tensor(metadata.SerializeToString(), string, "metadata"), name=scope,
        )  # fmt: skip
    return _collected(out, collections)


def text(name: str, tensor: Any, collections: Any = None) -> Tensor:
    """A string tensor that TensorBoard shows as text.

    Raises:
        ValueError: a tensor of another dtype.
    """
    value = convert_to_tensor(tensor)
    if value.dtype is not string:
        raise ValueError(f"Expected tensor {value.name} to have dtype string, got {value.dtype}")
    metadata = SummaryMetadata()
    metadata.plugin_data.plugin_name = "text"
    return tensor_summary(name, value, collections=collections, summary_metadata=metadata)


def merge(inputs: Any, collections: Any = None, name: str | None = None) -> Tensor:
    """One summary that holds the values of all of these (tf.summary.merge).

    Raises (when run):
        InvalidArgumentError: "Duplicate tag x found in summary inputs".
    """
    tensors = [convert_to_tensor(t, string) for t in inputs]
    with name_scope(name, "Merge", tensors):
        out: Tensor = merge_summary(*tensors, name=name)
    get_default_graph().add_to_collections(collections or [], out)
    return out


def merge_all(
    key: str = GraphKeys.SUMMARIES, scope: str | None = None, name: str | None = None
) -> Tensor | None:
    """All summaries of a collection merged, or None where there are none."""
    found = get_default_graph().get_collection(key, scope)
    return merge(found, name=name) if found else None
