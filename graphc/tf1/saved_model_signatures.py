"""Signatures of SavedModels: TensorInfo and SignatureDef (tf.saved_model.signature_def_utils).

Lives here: building, checking and resolving them. Not here: writing and loading models
(tf1/saved_model.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc.interop.attributes import fill_shape
from graphc.interop.messages import SignatureDef, TensorInfo
from graphc.ir.dtypes import DType, float32, string
from graphc.ir.graph import Graph, get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.tf1 import saved_model_names as names
from graphc.tf1.sparse_tensor import SparseTensor

__all__ = [
    "build_signature_def", "build_tensor_info", "build_tensor_info_from_op",
    "classification_signature_def", "get_element_from_tensor_info",
    "get_tensor_from_tensor_info", "is_valid_signature", "op_signature_def",
    "predict_signature_def", "regression_signature_def",
]  # fmt: skip


# ------------------------------------------------------------------ tensors
def build_tensor_info(tensor: Any) -> TensorInfo:
    """Name, dtype and shape of a tensor, variable or SparseTensor.

    Raises:
        TypeError: another type.
    """
    if isinstance(tensor, SparseTensor):
        return _sparse_info(tensor)
    if not is_tensor_like(tensor):
        raise TypeError(f"a tensor is expected, got {tensor!r} of type {type(tensor).__name__}")
    tensor = convert_to_tensor(tensor)
    info = TensorInfo(name=tensor.name, dtype=tensor.dtype.as_datatype_enum)
    fill_shape(info.tensor_shape, tensor.dims)
    return info


def _sparse_info(tensor: SparseTensor) -> TensorInfo:
    info = TensorInfo(dtype=tensor.values.dtype.as_datatype_enum)
    info.coo_sparse.values_tensor_name = tensor.values.name
    info.coo_sparse.indices_tensor_name = tensor.indices.name
    info.coo_sparse.dense_shape_tensor_name = tensor.dense_shape.name
    fill_shape(info.tensor_shape, tensor.get_shape().dims_tuple)
    return info


def build_tensor_info_from_op(op: Node) -> TensorInfo:
    """A TensorInfo that names an op; its dtype is invalid, as an op has none."""
    info = TensorInfo(name=op.name)
    fill_shape(info.tensor_shape, None)
    return info


def _in_scope(name: str, import_scope: str | None) -> str:
    return f"{import_scope}/{name}" if import_scope else name


def get_tensor_from_tensor_info(
    tensor_info: TensorInfo, graph: Graph | None = None, import_scope: str | None = None
) -> Any:
    """The Tensor or SparseTensor that a TensorInfo names in a graph, default the default one.

    Raises:
        KeyError: there is no such tensor. ValueError: a TensorInfo of another kind.
    """
    graph = graph or get_default_graph()
    kind = tensor_info.WhichOneof("encoding")
    if kind == "name":
        return graph.get_tensor_by_name(_in_scope(tensor_info.name, import_scope))
    if kind == "coo_sparse":
        parts = tensor_info.coo_sparse
        indices, values, shape = (
            graph.get_tensor_by_name(_in_scope(name, import_scope))
            for name in (
                parts.indices_tensor_name, parts.values_tensor_name, parts.dense_shape_tensor_name
            )
        )  # fmt: skip
        return SparseTensor(indices, values, shape)
    raise ValueError(f"Invalid TensorInfo.encoding: {kind}. Expected `coo_sparse` or `name`.")


def get_element_from_tensor_info(
    tensor_info: TensorInfo, graph: Graph | None = None, import_scope: str | None = None
) -> Any:
    """The op or tensor that a TensorInfo names."""
    graph = graph or get_default_graph()
    return graph.as_graph_element(_in_scope(tensor_info.name, import_scope))


# ------------------------------------------------------------------ signatures
def build_signature_def(
    inputs: Mapping[str, TensorInfo] | None = None,
    outputs: Mapping[str, TensorInfo] | None = None,
    method_name: str | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> SignatureDef:
    """A SignatureDef of TensorInfos by their keys.

    Args:
        defaults: values of inputs that need not be given: constant tensors, by key.

    Raises:
        ValueError: a default that is no constant.
    """
    out = SignatureDef()
    for key, info in (inputs or {}).items():
        out.inputs[key].CopyFrom(info)
    for key, info in (outputs or {}).items():
        out.outputs[key].CopyFrom(info)
    if method_name is not None:
        out.method_name = method_name
    for key, default in (defaults or {}).items():
        out.defaults[key].CopyFrom(_default(default))
    return out


def _default(value: Any) -> Any:
    from graphc.interop.attributes import tensor_proto

    if not isinstance(value, Tensor) or value.node.op.name != "const":
        raise ValueError(
            f"Unable to convert object {value} of type {type(value)} to TensorProto."
        )
    return tensor_proto(value.node.attrs["value"].array)


def op_signature_def(op: Node, key: str) -> SignatureDef:
    """A signature whose only output, under `key`, is an op."""
    return build_signature_def(outputs={key: build_tensor_info_from_op(op)})


def predict_signature_def(
    inputs: Mapping[str, Any] | None, outputs: Mapping[str, Any] | None
) -> SignatureDef:
    """The signature of a model that computes tensors from tensors, both by key.

    Raises:
        ValueError: no inputs or no outputs.
    """
    if not inputs:
        raise ValueError("Prediction `inputs` cannot be None or empty.")
    if not outputs:
        raise ValueError("Prediction `outputs` cannot be None or empty.")
    return build_signature_def(
        {k: build_tensor_info(v) for k, v in inputs.items()},
        {k: build_tensor_info(v) for k, v in outputs.items()},
        names.PREDICT_METHOD_NAME,
    )


def _typed(tensor: Any, dtype: DType, complaint: str) -> TensorInfo:
    if not isinstance(tensor, Tensor) or tensor.dtype is not dtype:
        found = tensor.dtype.name if isinstance(tensor, Tensor) else type(tensor).__name__
        raise ValueError(f"{complaint} Found {found}.")
    return build_tensor_info(tensor)


def regression_signature_def(examples: Any, predictions: Any) -> SignatureDef:
    """The signature of a model from serialized Examples (strings) to float32 predictions.

    Raises:
        ValueError: a missing tensor or one of another type.
    """
    if examples is None:
        raise ValueError("Regression `examples` cannot be None.")
    if predictions is None:
        raise ValueError("Regression `predictions` cannot be None.")
    given = _typed(examples, string, "Regression input tensors must be of type string.")
    got = _typed(predictions, float32, "Regression output tensors must be of type float.")
    return build_signature_def(
        {names.REGRESS_INPUTS: given}, {names.REGRESS_OUTPUTS: got}, names.REGRESS_METHOD_NAME
    )


def classification_signature_def(examples: Any, classes: Any, scores: Any) -> SignatureDef:
    """The signature of a model from serialized Examples to classes (strings), scores, or both.

    Raises:
        ValueError: a missing tensor or one of another type.
    """
    if examples is None:
        raise ValueError("Classification `examples` cannot be None.")
    if classes is None and scores is None:
        raise ValueError("Classification `classes` and `scores` cannot both be None.")
    given = _typed(examples, string, "Classification input tensors must be of type string.")
    outputs = {}
    if classes is not None:
        outputs[names.CLASSIFY_OUTPUT_CLASSES] = _typed(
            classes, string, "Classification classes must be of type string Tensor."
        )
    if scores is not None:
        outputs[names.CLASSIFY_OUTPUT_SCORES] = _typed(
            scores, float32, "Classification scores must be a float Tensor."
        )
    return build_signature_def(
        {names.CLASSIFY_INPUTS: given}, outputs, names.CLASSIFY_METHOD_NAME
    )


# ------------------------------------------------------------------ checks
def is_valid_signature(signature_def: SignatureDef | None) -> bool:
    """Whether a server would accept a signature."""
    if signature_def is None:
        return False
    check = _VALID.get(signature_def.method_name)
    return check is not None and check(signature_def)


def _valid_predict(signature: SignatureDef) -> bool:
    return bool(signature.inputs) and bool(signature.outputs)


def _has(infos: Mapping[str, TensorInfo], dtypes: Mapping[str, DType]) -> bool:
    """Whether each key is one of these, with its dtype."""
    return bool(infos) and all(
        key in dtypes and info.dtype == dtypes[key].as_datatype_enum
        for key, info in infos.items()
    )


def _valid_regress(signature: SignatureDef) -> bool:
    return (
        set(signature.inputs) == {names.REGRESS_INPUTS}
        and _has(signature.inputs, {names.REGRESS_INPUTS: string})
        and _has(signature.outputs, {names.REGRESS_OUTPUTS: float32})
    )


def _valid_classify(signature: SignatureDef) -> bool:
    outputs = {names.CLASSIFY_OUTPUT_CLASSES: string, names.CLASSIFY_OUTPUT_SCORES: float32}
    return _has(signature.inputs, {names.CLASSIFY_INPUTS: string}) and _has(
        signature.outputs, outputs
    )


_VALID: dict[str, Callable[[SignatureDef], bool]] = {
    names.PREDICT_METHOD_NAME: _valid_predict,
    names.REGRESS_METHOD_NAME: _valid_regress,
    names.CLASSIFY_METHOD_NAME: _valid_classify,
}
