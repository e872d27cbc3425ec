"""TensorFlow's ops on images and sparse tensors that graphc says in other ops.

Lives here: IMAGES and SPARSE, parts of the table in interop/foreign_ops.py. Not here: ops that map
one to one (interop/node_rules.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.interop import attributes
from graphc.interop.importer import ForeignRule, Importer
from graphc.interop.messages import NodeDef
from graphc.ir.node import Tensor
from graphc.tf1 import api_image_boxes as boxes
from graphc.tf1 import api_image_color as color
from graphc.tf1 import api_image_files as files
from graphc.tf1 import api_sparse, api_sparse_math, api_sparse_rows
from graphc.tf1.sparse_tensor import SparseTensor


def _attrs(nd: NodeDef, *names: str) -> dict[str, Any]:
    """Those of the attributes that the node has; strings as text."""
    out = {}
    for name in names:
        if name in nd.attr:
            value = attributes.value_of(nd.attr[name])
            out[name] = value.decode("latin-1") if isinstance(value, bytes) else value
    return out


def _call(function: Callable[..., Any], *names: str) -> ForeignRule:
    """function(*inputs, **those attributes)."""

    def build(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
        return function(*inputs, **_attrs(nd, *names))

    return build


# ------------------------------------------------------------------ images
def _suppress(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    padded = _attrs(nd, "pad_to_max_output_size")
    if nd.op == "NonMaxSuppressionV4":
        return boxes.non_max_suppression_padded(*inputs, **padded)
    return boxes.non_max_suppression(*inputs, **_attrs(nd, "iou_threshold"))


def _draw(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return boxes.draw_bounding_boxes(*inputs)


def _glimpse(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    attrs = _attrs(nd, "centered", "normalized", "uniform_noise")
    return boxes.extract_glimpse(*inputs, **attrs)


def _distorted(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return boxes.sample_distorted_bounding_box(*inputs, **_attrs(
        nd, "seed", "seed2", "min_object_covered", "aspect_ratio_range", "area_range",
        "max_attempts", "use_image_if_no_bounding_boxes",
    ))  # fmt: skip


_JPEG = ("channels", "ratio", "fancy_upscaling", "try_recover_truncated", "acceptable_fraction",
         "dct_method")  # fmt: skip

IMAGES: dict[str, ForeignRule] = {
    "CropAndResize": _call(boxes.crop_and_resize, "method", "extrapolation_value"),
    **dict.fromkeys(("NonMaxSuppression", "NonMaxSuppressionV2", "NonMaxSuppressionV3",
                     "NonMaxSuppressionV4"), _suppress),
    "DrawBoundingBoxes": _draw,
    "ExtractGlimpse": _glimpse,
    "SampleDistortedBoundingBox": _distorted,
    "DecodeAndCropJpeg": _call(files.decode_and_crop_jpeg, *_JPEG),
    "AdjustContrastv2": _call(color.adjust_contrast),
}  # fmt: skip


# ------------------------------------------------------------------ sparse tensors
def _parts(x: SparseTensor) -> tuple[Tensor, Tensor, Tensor]:
    return x.indices, x.values, x.dense_shape


def _reorder(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return _parts(api_sparse.sparse_reorder(SparseTensor(*inputs)))[:2]


def _reshape(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    indices, shape, wanted = inputs
    numbers = api_sparse.take(indices, 0, axis=1)
    made = api_sparse.sparse_reshape(SparseTensor(indices, numbers, shape), wanted)
    return made.indices, made.dense_shape


def _softmax(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return api_sparse_math.sparse_softmax(SparseTensor(*inputs)).values


def _add(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    a, b = SparseTensor(*inputs[:3]), SparseTensor(*inputs[3:6])
    return _parts(api_sparse.sparse_add(a, b, inputs[6]))


def _add_dense(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return api_sparse.sparse_add(SparseTensor(*inputs[:3]), inputs[3])


def _times(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    x, dense = SparseTensor(*inputs[:3]), inputs[3]
    if nd.op.endswith("Add"):
        return x.values + api_sparse_math.dense_at(x, dense)
    return (x * dense if nd.op.endswith("Mul") else x / dense).values


def _slice(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return _parts(api_sparse.sparse_slice(SparseTensor(*inputs[:3]), *inputs[3:]))


def _reduce(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    kind = "sum" if nd.op.startswith("SparseReduceSum") else "max"
    many = nd.op.endswith("Sparse")
    reduce = getattr(api_sparse_math, f"sparse_reduce_{kind}{'_sparse' if many else ''}")
    keep = _attrs(nd, "keep_dims").get("keep_dims", False)
    found = reduce(SparseTensor(*inputs[:3]), inputs[3], keep)
    return _parts(found) if many else found


def _extreme(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    name = "sparse_maximum" if nd.op.endswith("Maximum") else "sparse_minimum"
    function = getattr(api_sparse_math, name)
    return _parts(function(SparseTensor(*inputs[:3]), SparseTensor(*inputs[3:])))[:2]


def _fill(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    filled, empty = api_sparse_rows.sparse_fill_empty_rows(SparseTensor(*inputs[:3]), inputs[3])
    return filled.indices, filled.values, empty


def _concat(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    count = len(inputs) // 3
    parts = [SparseTensor(*inputs[i::count]) for i in range(count)]
    return _parts(api_sparse.sparse_concat(_attrs(nd, "concat_dim")["concat_dim"], parts))


def _split(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    axis, indices, values, shape = inputs
    parts = api_sparse.sparse_split(
        sp_input=SparseTensor(indices, values, shape), axis=axis, **_attrs(nd, "num_split")
    )
    return [t for group in zip(*(_parts(p) for p in parts), strict=True) for t in group]


SPARSE: dict[str, ForeignRule] = {
    "SparseReorder": _reorder,
    "SparseReshape": _reshape,
    "SparseSoftmax": _softmax,
    "SparseAdd": _add,
    "SparseTensorDenseAdd": _add_dense,
    "SparseDenseCwiseAdd": _times,
    "SparseDenseCwiseMul": _times,
    "SparseDenseCwiseDiv": _times,
    "SparseSlice": _slice,
    **dict.fromkeys(("SparseReduceSum", "SparseReduceSumSparse", "SparseReduceMax",
                     "SparseReduceMaxSparse"), _reduce),
    "SparseSparseMaximum": _extreme,
    "SparseSparseMinimum": _extreme,
    "SparseFillEmptyRows": _fill,
    "SparseConcat": _concat,
    "SparseSplit": _split,
}  # fmt: skip
