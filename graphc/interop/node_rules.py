"""How graphc's records are written as TensorFlow nodes: the table of differences.

Lives here: Rule and its table, by record. Not here: walking graphs (interop/graph_def.py), ops
that exist in TensorFlow only (interop/foreign_ops.py). A record without a rule has TensorFlow's
inputs, attributes and type attributes already.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from graphc.ir.dtypes import float32, int32, int64
from graphc.ops.define import OpDef


@dataclass(frozen=True)
class ConstInput:
    """An attribute of graphc's that is an input of TensorFlow's: a constant int32 tensor.

    position: among TensorFlow's inputs, -1 for the last. name: of the constant below the node.
    vector: a tuple of numbers instead of one; None in it stands for all axes.
    """

    position: int
    name: str
    attr: str
    vector: bool = False


@dataclass(frozen=True)
class Rule:
    """attrs: TensorFlow's name -> graphc's. types: type attribute -> input (">0": output) number,
    or a list of types for "*name". const_types: type attributes that are int32 always."""

    attrs: Mapping[str, str] = field(default_factory=dict)
    consts: tuple[ConstInput, ...] = ()
    types: Mapping[str, Any] | None = None
    int32: tuple[str, ...] = ()
    drop: tuple[int, ...] = ()  # inputs that TensorFlow's op does not have
    order: tuple[int, ...] = ()  # graphc's inputs in TensorFlow's order


def _axis(position: int, name: str, attr: str = "axis") -> tuple[ConstInput, ...]:
    return (ConstInput(position, name, attr),)


_REDUCE = Rule(
    {"keep_dims": "keepdims"}, (ConstInput(1, "reduction_indices", "axes", True),),
    {"T": 0}, ("Tidx",),
)  # fmt: skip
_LOGIC_REDUCE = Rule(_REDUCE.attrs, _REDUCE.consts, {}, ("Tidx",))
_ARG = Rule({"output_type": "output_type"}, _axis(1, "dimension"), {"T": 0}, ("Tidx",))
_CUMULATE = Rule(
    {"exclusive": "exclusive", "reverse": "reverse"}, _axis(1, "axis"), {"T": 0}, ("Tidx",)
)
_OUT = {"out_type": "out_type"}

RULES: dict[str, Rule] = {
    **dict.fromkeys(
        ("reduce_sum", "reduce_mean", "reduce_prod", "reduce_max", "reduce_min",
         "euclidean_norm"), _REDUCE,
    ),
    "reduce_any": _LOGIC_REDUCE,
    "reduce_all": _LOGIC_REDUCE,
    "argmax": _ARG,
    "argmin": _ARG,
    "cumsum": _CUMULATE,
    "cumprod": _CUMULATE,
    "concat": Rule({}, _axis(-1, "axis"), {"T": 0}, ("Tidx",)),
    "split": Rule({"num_split": "num"}, _axis(0, "split_dim"), {"T": 0}),
    "split_v": Rule({"num_split": "num"}, _axis(2, "split_dim"), {"T": 0, "Tlen": 1}),
    "expand_dims": Rule({}, _axis(1, "dim"), {"T": 0}, ("Tdim",)),
    "squeeze": Rule({"squeeze_dims": "axes"}, (), {"T": 0}),
    "transpose": Rule({}, (ConstInput(1, "perm", "perm", True),), {"T": 0}, ("Tperm",)),
    "reverse": Rule({}, (ConstInput(1, "axis", "axes", True),), {"T": 0}, ("Tidx",)),
    "reverse_sequence": Rule({"seq_dim": "seq_axis", "batch_dim": "batch_axis"}),
    "gather": Rule(
        {"batch_dims": "batch_dims"}, _axis(2, "axis"), {"Tparams": 0, "Tindices": 1}, ("Taxis",)
    ),
    "cast": Rule({"DstT": "dtype"}, (), {"SrcT": 0}),
    "bitcast": Rule({"type": "dtype"}, (), {"T": 0}),
    "range": Rule({}, (), {"Tidx": 0}),
    "shape": Rule(_OUT, (), {"T": 0}),
    "shape_n": Rule(_OUT, (), {"T": 0}),
    "size": Rule(_OUT, (), {"T": 0}),
    "in_top_k": Rule({}, (), {"T": 1}),
    "is_variable_initialized": Rule({}, (), {"dtype": 0}),
    "placeholder": Rule({"dtype": "dtype", "shape": "shape"}, (), {}),
    "placeholder_with_default": Rule({"shape": "shape"}, (), {"dtype": 0}),
    "variable": Rule(
        {k: k for k in ("dtype", "shape", "container", "shared_name")}, (), {}
    ),
    "dynamic_partition": Rule({"num_partitions": "num"}, (), {"T": 0}),
    "random_uniform": Rule({"dtype": "dtype"}, (), {"T": 0}, drop=(1,)),
    "random_normal": Rule({"dtype": "dtype"}, (), {"T": 0}, drop=(1,)),
    "truncated_normal": Rule({"dtype": "dtype"}, (), {"T": 0}, drop=(1,)),
    "random_uniform_int": Rule({}, (), {"T": 0, "Tout": 1}, drop=(3,)),
    "random_shuffle": Rule({}, (), {"T": 0}, drop=(1,)),
    "random_gamma": Rule({}, (), {"S": 0, "T": 1}, drop=(2,)),
    "random_poisson": Rule({"dtype": "dtype"}, (), {"S": 0, "R": 1}, drop=(2,)),
    "distorted_box": Rule(
        {k: k for k in ("aspect_ratio_range", "area_range", "max_attempts",
                        "use_image_if_no_bounding_boxes")}, (), {"T": 0}, drop=(3,),
    ),
    **dict.fromkeys(
        ("log_uniform_candidates", "uniform_candidates"),
        Rule({k: k for k in ("num_true", "num_sampled", "unique", "range_max")}, (), {},
             drop=(1,)),
    ),
    "multinomial": Rule({"output_dtype": "output_dtype"}, (), {"T": 0}, drop=(2,)),
    "print_values": Rule({"message": "message", "summarize": "summarize"}, (), {"T": 0, "*U": 1}),
    "assert_true": Rule({"summarize": "summarize"}, (), {"*T": 1}),
    "identity_n": Rule({}, (), {"*T": 0}),
    "decode_csv": Rule({"OUT_TYPE": "dtypes"}, (), {}),
    "reduce_join": Rule(
        {"keep_dims": "keepdims"}, (ConstInput(1, "reduction_indices", "axes", True),), {}
    ),
    "string_format": Rule({}, (), {"*T": 0}),
    "unicode_transcode": Rule(
        {"input_encoding": "encoding", "replace_control_characters": "replace_controls"}, (), {}
    ),
    "sparse_apply_momentum": Rule(order=(0, 1, 2, 3, 5, 4)),
    "sparse_apply_ftrl": Rule(order=(0, 1, 2, 3, 8, 4, 5, 6, 7)),
    "sparse_apply_ftrl_v2": Rule(order=(0, 1, 2, 3, 9, 4, 5, 6, 7, 8)),
    "sparse_apply_adagrad_da": Rule(order=(0, 1, 2, 3, 8, 4, 5, 6, 7)),
}  # fmt: skip

# graphc's attributes where a file leaves them out: TensorFlow's defaults
DEFAULTS: dict[str, Any] = {
    "keepdims": False, "transpose_a": False, "transpose_b": False, "output_type": int64,
    "exclusive": False, "reverse": False, "batch_dims": 0, "container": "", "shared_name": "",
    "message": "", "summarize": 3, "separator": "", "unit": "BYTE", "skip_empty": True,
    "little_endian": True, "field_delim": ",", "use_quote_delim": True, "na_value": "",
    "select_cols": (), "maxsplit": -1, "replace_global": True, "pad": False,
    "data_format": "NHWC", "adjoint": False, "lower": True,
    "sorted": True, "alpha": 0.2, "axis": 0, "batch_axis": 0, "output_dtype": int64,
    "compute_uv": True, "full_matrices": False, "compute_v": True, "axes": None,
    "begin_mask": 0, "end_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0,
    "shrink_axis_mask": 0, "use_nesterov": False, "align_corners": False,
    "half_pixel_centers": False, "explicit_paddings": (),
}  # fmt: skip


# the same for single records, where their default differs or no other op has the attribute
_CONV = {"dilations": (1, 1, 1, 1)}
_CONV_3D = {"dilations": (1, 1, 1, 1, 1), "data_format": "NDHWC"}
_POOL_3D = {"data_format": "NDHWC"}
_UNICODE = {"errors": "replace", "replacement_char": 65533}
OWN_DEFAULTS: dict[str, Mapping[str, Any]] = {
    **dict.fromkeys(
        (f"{kind}{back}" for kind in ("conv2d", "depthwise_conv2d_native")
         for back in ("", "_backprop_input", "_backprop_filter")), _CONV,
    ),
    **dict.fromkeys((f"conv3d{b}" for b in ("", "_backprop_input", "_backprop_filter")), _CONV_3D),
    **dict.fromkeys(("avg_pool3d", "avg_pool3d_grad", "max_pool3d", "max_pool3d_grad"), _POOL_3D),
    "max_pool_with_argmax": {"Targmax": int64, "include_batch_in_index": False},
    "lrn": {"depth_radius": 5, "bias": 1.0, "alpha": 1.0, "beta": 0.5},
    "one_hot": {"axis": -1},
    **{name: {"out_idx": int32} for name in ("setdiff1d", "unique", "unique_with_counts")},
    "searchsorted": {"out_type": int32},
    "random_poisson": {"dtype": int64},
    "edit_distance": {"normalize": True},
    "sparse_dense_matmul": {"adjoint_a": False, "adjoint_b": False},
    "sparse_to_dense": {"validate_indices": True},
    "non_max_suppression": {"pad_to_max_output_size": False},
    "jpeg_shape": {"output_type": int32},
    "string_to_number": {"out_type": float32},
    "string_lower": {"encoding": ""},
    "string_upper": {"encoding": ""},
    "string_format": {"template": "%s", "placeholder": "%s"},
    "unicode_transcode": {**_UNICODE, "replace_controls": False},
    "unicode_encode": _UNICODE,
    "unicode_decode": _UNICODE,
}  # fmt: skip


@cache
def attr_names(record: OpDef) -> dict[str, bool]:
    """graphc's attributes of a record that files carry -> whether it needs each of them."""
    if record.name in _ATTRS:
        return dict.fromkeys(_ATTRS[record.name], True)
    out = _parameters(record)
    samples = [s.attrs for s in record.samples if hasattr(s, "attrs")]
    for attrs in samples:
        for name in attrs:
            # what every sample gives, the op needs
            out.setdefault(name, all(name in other for other in samples))
    return out


def _parameters(record: OpDef) -> dict[str, bool]:
    """The attributes that the record's reference takes -> whether it has no default for them."""
    function = record.numpy
    if not inspect.isfunction(function) or function.__module__.startswith("numpy"):
        return {}
    fixed = sum(not a.startswith("*") for a in record.args)
    out: dict[str, bool] = {}
    positional = 0
    for p in inspect.signature(function).parameters.values():
        if p.kind is p.VAR_POSITIONAL:
            positional = fixed
        elif p.kind is not p.VAR_KEYWORD and (p.kind is p.KEYWORD_ONLY or positional >= fixed):
            out[p.name] = p.default is p.empty
        else:
            positional += 1
    return out


_ATTRS = {
    "const": ("value",),
    "placeholder": ("dtype", "shape"),
    "variable": ("dtype", "shape", "container", "shared_name"),
    "no_op": (),
    "rng_state": ("seed", "seed2"),
    "assign": (),
    **{
        f"{kind}apply_{name}": ("use_nesterov",)
        for kind in ("", "sparse_")
        for name in ("adam", "lazy_adam", "momentum")
    },
}


def type_attrs(record: OpDef) -> Mapping[str, Any]:
    """TensorFlow's type attributes of a record's nodes: name -> number of an input."""
    rule = RULES.get(record.name)
    if rule is not None and rule.types is not None:
        return rule.types
    if not record.args or record.name in ("const", "no_op"):
        return {}
    out: dict[str, Any] = {}
    for i in range(len(record.args)):
        group = record.group(i)
        if isinstance(group, str) and group != "*":
            out.setdefault(group, i)
    return out
