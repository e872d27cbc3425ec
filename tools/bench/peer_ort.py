"""The forward works in ONNX Runtime; weights are constants of the model."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from tools.bench.works import Work
from tools.bench.works.models import by_name

VERSIONS = ("onnxruntime", "onnx", "numpy")
F32 = np.float32
Parameters = list[Any]


def variants(work: Work) -> tuple[str, ...]:
    if work.training or (work.model == "reduction" and work.options["kind"] == "var"):
        return ()  # no training, and no operator of that kind
    return ("run", "reuse_iobind") if work.group in ("W1", "W2", "W5") else ("run",)


def prepare(work: Work, inputs: tuple[Any, ...], variant: str, threads: int) -> Callable[[], Any]:
    """The work as a function of NumPy arrays."""
    feeds = {f"x{i}": np.asarray(a) for i, a in enumerate(inputs)}
    model = Model()
    names = list(feeds)
    out = MODELS[work.model](model, work.parameters(), *names, shapes=feeds, **work.options)
    session = model.session(feeds, out, threads)
    if variant == "run":
        return lambda: session.run(None, feeds)[0]
    result = np.empty(inputs[0].shape, F32)
    binding = session.io_binding()
    for name, array in feeds.items():
        binding.bind_cpu_input(name, array)
    binding.bind_output("result", "cpu", 0, F32, result.shape, result.ctypes.data)

    def call() -> Any:
        session.run_with_iobinding(binding)
        return result

    return call


class Model:
    """Collects the nodes and constants of an ONNX graph; values are their names."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, array: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        names = [f"t{len(self.nodes)}_{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def session(self, feeds: dict[str, np.ndarray], out: str, threads: int) -> Any:
        self.nodes.append(helper.make_node("Identity", [out], ["result"]))
        inputs = [
            helper.make_tensor_value_info(k, TensorProto.FLOAT, v.shape) for k, v in feeds.items()
        ]
        result = helper.make_tensor_value_info("result", TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "work", inputs, [result], self.constants)
        opset = helper.make_opsetid("", 20)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=10)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )


def chain(m: Model, p: Parameters, x: str, shapes: Any) -> str:
    inner = m.op("Add", m.op("Mul", x, m.constant(F32(2))), m.constant(F32(1)))
    product = m.op("Mul", m.op("Tanh", inner), m.op("Exp", m.op("Neg", m.op("Mul", x, x))))
    return str(m.op("Add", product, m.op("Sqrt", m.op("Abs", x))))


def memory_chain(m: Model, p: Parameters, a: str, b: str, c: str, d: str, shapes: Any) -> str:
    rectified = m.op("Relu", m.op("Add", m.op("Mul", a, b), c))
    return str(m.op("Sub", m.op("Mul", rectified, d), a))


def add(m: Model, p: Parameters, a: str, b: str, shapes: Any) -> str:
    return str(m.op("Add", a, b))


def softmax(m: Model, p: Parameters, x: str, shapes: Any) -> str:
    return str(m.op("Softmax", x, axis=-1))


def normalize(m: Model, x: str, gain: Any, shift: Any) -> str:
    values = m.constant(gain), m.constant(shift)
    return str(m.op("LayerNormalization", x, *values, axis=-1, epsilon=1e-5))


def layer_norm(m: Model, p: Parameters, x: str, shapes: Any) -> str:
    return normalize(m, x, *p)


def reduction(m: Model, p: Parameters, x: str, shapes: Any, kind: str, axis: int | None) -> str:
    axes = m.ints(*((0, 1) if axis is None else (axis,)))
    return str(m.op({"sum": "ReduceSum", "mean": "ReduceMean"}[kind], x, axes, keepdims=0))


def matmul(m: Model, p: Parameters, a: str, b: str, shapes: Any) -> str:
    return str(m.op("MatMul", a, b))


def _dense(m: Model, x: str, w: Any, b: Any) -> str:
    return str(m.op("Add", m.op("MatMul", x, m.constant(w)), m.constant(b)))


def gelu_dense(m: Model, p: Parameters, x: str, shapes: Any) -> str:
    return str(m.op("Gelu", _dense(m, x, *p)))


def cnn(m: Model, p: Parameters, x: str, shapes: Any) -> str:
    x = m.op("Transpose", x, perm=[0, 3, 1, 2])
    for layer in range(3):
        w, b = p[2 * layer : 2 * layer + 2]
        weights = m.constant(np.ascontiguousarray(w.transpose(3, 2, 0, 1)))
        x = m.op("Relu", m.op("Conv", x, weights, m.constant(b)))
        if layer < 2:
            x = m.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = m.op("Reshape", m.op("Transpose", x, perm=[0, 2, 3, 1]), m.ints(-1, 1024))
    x = m.op("Relu", m.op("Gemm", x, m.constant(p[6]), m.constant(p[7])))
    return str(m.op("Gemm", x, m.constant(p[8]), m.constant(p[9])))


def _heads(m: Model, x: str, shape: tuple[int, ...], perm: tuple[int, ...]) -> str:
    return str(m.op("Transpose", m.op("Reshape", x, m.ints(*shape)), perm=list(perm)))


def _encoder_layer(m: Model, p: Parameters, x: str, shape: tuple[int, ...], heads: int) -> str:
    n, s, d = shape
    split = (n, s, heads, d // heads)
    q, k, v = m.op("Split", _dense(m, x, p[0], p[1]), outputs=3, axis=-1, num_outputs=3)
    q, v = _heads(m, q, split, (0, 2, 1, 3)), _heads(m, v, split, (0, 2, 1, 3))
    k = _heads(m, k, split, (0, 2, 3, 1))
    scale = m.constant(F32(1 / math.sqrt(d // heads)))
    weights = m.op("Softmax", m.op("Mul", m.op("MatMul", q, k), scale), axis=-1)
    mixed = m.op("Transpose", m.op("MatMul", weights, v), perm=[0, 2, 1, 3])
    projected = _dense(m, m.op("Reshape", mixed, m.ints(n, s, d)), p[2], p[3])
    x = normalize(m, m.op("Add", x, projected), p[4], p[5])
    wide = m.op("Gelu", _dense(m, x, p[6], p[7]))
    return normalize(m, m.op("Add", x, _dense(m, wide, p[8], p[9])), p[10], p[11])


def encoder(m: Model, p: Parameters, x: str, shapes: Any, heads: int) -> str:
    shape = shapes[x].shape
    for first in range(0, len(p), 12):
        x = _encoder_layer(m, p[first : first + 12], x, shape, heads)
    return x


MODELS = by_name(chain, memory_chain, add, softmax, layer_norm, reduction, matmul, gelu_dense,
                 cnn, encoder)  # fmt: skip
