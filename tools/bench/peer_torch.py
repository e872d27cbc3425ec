"""The works in PyTorch: eager and torch.compile, optimizers fused; arrays resident."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from tools.bench.works import Work
from tools.bench.works.models import add, by_name, linear, matmul

VERSIONS = ("torch", "numpy")
Parameters = list[Any]


def variants(work: Work) -> tuple[str, ...]:
    if work.group.startswith("GEMM") or work.name.startswith("W4"):
        return ("eager",)
    if work.model == "lstm":
        return "eager", "eager_module"  # compiling the written-out steps takes minutes
    if work.name.startswith(("W10_inf", "W13", "BERT")):
        return "eager", "compile", "compile_freeze"
    return "eager", "compile"


def prepare(work: Work, inputs: tuple[Any, ...], variant: str, threads: int) -> Callable[[], Any]:
    """The work as a function; training works return the loss of the step."""
    torch.set_num_threads(threads)
    arrays = [torch.from_numpy(np.asarray(a)) for a in inputs]
    parameters = [torch.from_numpy(p.copy()) for p in work.parameters()]
    if work.model == "cnn":
        # views: the bytes stay as they are, channels last
        arrays[0] = arrays[0].permute(0, 3, 1, 2)
        parameters = [p.permute(3, 2, 0, 1).contiguous() if p.ndim == 4 else p for p in parameters]
    model = partial(MODELS[work.model], **work.options)
    if work.training:
        if variant == "eager_module":
            step = lstm_module(parameters, arrays, work)
        else:
            compiled = _compiled if variant == "compile" else None
            step = training(work, model, parameters, arrays, compiled)
        return lambda: float(step().item())
    if variant == "compile_freeze":
        return _frozen(model, parameters, arrays)
    if work.model == "cnn":
        parameters = [
            p.to(memory_format=torch.channels_last) if p.ndim == 4 else p for p in parameters
        ]
    fn = _compiled(model) if variant == "compile" else model

    def call() -> Any:
        with torch.inference_mode():
            return fn(parameters, *arrays)

    return call


def release() -> None:
    """Lets go of what was compiled, which counts against a limit otherwise."""
    torch._dynamo.reset()


class _Module(torch.nn.Module):
    def __init__(self, model: Any, parameters: Parameters) -> None:
        super().__init__()
        self.model = model
        frozen = [torch.nn.Parameter(p, requires_grad=False) for p in parameters]
        self.values = torch.nn.ParameterList(frozen)

    def forward(self, *x: Any) -> Any:
        return self.model(list(self.values), *x)


def _frozen(model: Any, parameters: Parameters, arrays: Any) -> Callable[[], Any]:
    # weights are constants of the compiled code: they may be packed beforehand
    import torch._inductor.config

    module = torch.compile(_Module(model, parameters).eval(), dynamic=False)

    def call() -> Any:
        with torch.inference_mode():
            return module(*arrays)

    with torch._inductor.config.patch(freezing=True):
        call()
    return call


def _optimizer(work: Work, parameters: Parameters) -> Any:
    assert work.optimizer is not None
    kind, rate = work.optimizer
    make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[kind]
    return make(parameters, rate, fused=True)


def _loss(work: Work, z: Any, y: Any) -> Any:
    if work.loss == "square":
        return ((z - y) ** 2).mean()
    return F.cross_entropy(z, y)


def _compiled(fn: Any) -> Any:
    return torch.compile(fn, dynamic=False)


def training(
    work: Work, model: Any, parameters: Parameters, arrays: Any, compiled: Any = None
) -> Callable[[], Any]:
    """A step that returns the loss as a tensor. compiled: makes the loss's function faster."""
    *x, y = arrays
    target = y.long() if work.loss == "cross_entropy" else y
    for p in parameters:
        p.requires_grad_()
    optimizer = _optimizer(work, parameters)

    def forward(p: Parameters) -> Any:
        return _loss(work, model(p, *x), target)

    loss_of = compiled(forward) if compiled is not None else forward

    def step() -> Any:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(parameters)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def lstm_module(p: Parameters, arrays: Any, work: Work) -> Callable[[], Any]:
    """A step with torch.nn.LSTM; its second bias is kept at zero."""
    x, y = arrays
    layers = [
        torch.nn.LSTM(len(w), len(u), batch_first=True, device=x.device)
        for w, u in (p[:2], p[3:5])
    ]
    dense = torch.nn.Linear(*p[6].shape, device=x.device)
    with torch.no_grad():
        for layer, (w, u, b) in zip(layers, (p[:3], p[3:6])):
            layer.weight_ih_l0.copy_(w.T)
            layer.weight_hh_l0.copy_(u.T)
            layer.bias_ih_l0.copy_(b)
            layer.bias_hh_l0.zero_().requires_grad_(False)
        dense.weight.copy_(p[6].T)
        dense.bias.copy_(p[7])
    trained = [q for m in (*layers, dense) for q in m.parameters() if q.requires_grad]
    optimizer = _optimizer(work, trained)

    def step() -> Any:
        optimizer.zero_grad()
        h = layers[1](layers[0](x)[0])[0]
        loss = _loss(work, dense(h[:, -1]), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def chain(p: Parameters, x: Any) -> Any:
    return torch.tanh(x * 2 + 1) * torch.exp(-x * x) + torch.sqrt(torch.abs(x))


def memory_chain(p: Parameters, a: Any, b: Any, c: Any, d: Any) -> Any:
    return torch.clamp_min(a * b + c, 0) * d - a


def softmax(p: Parameters, x: Any) -> Any:
    return torch.softmax(x, -1)


def layer_norm(p: Parameters, x: Any) -> Any:
    return F.layer_norm(x, x.shape[-1:], p[0], p[1], 1e-5)


def reduction(p: Parameters, x: Any, kind: str, axis: int | None) -> Any:
    options = {"unbiased": False} if kind == "var" else {}
    return getattr(x, kind)(**options) if axis is None else getattr(x, kind)(axis, **options)


def gelu_dense(p: Parameters, x: Any) -> Any:
    return F.gelu(torch.addmm(p[1], x, p[0]))


def mlp(p: Parameters, x: Any) -> Any:
    h = torch.relu(torch.addmm(p[1], x, p[0]))
    return torch.addmm(p[5], torch.relu(torch.addmm(p[3], h, p[2])), p[4])


def cnn(p: Parameters, x: Any) -> Any:
    x = F.max_pool2d(torch.relu(F.conv2d(x, p[0], p[1])), 2)
    x = F.max_pool2d(torch.relu(F.conv2d(x, p[2], p[3])), 2)
    x = torch.relu(F.conv2d(x, p[4], p[5])).permute(0, 2, 3, 1).flatten(1)
    return torch.addmm(p[9], torch.relu(torch.addmm(p[7], x, p[6])), p[8])


def _lstm_layer(x: Any, w: Any, u: Any, b: Any) -> Any:
    h = c = x.new_zeros(x.shape[0], u.shape[0])
    out = []
    for t in range(x.shape[1]):
        i, f, g, o = (x[:, t] @ w + h @ u + b).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        out.append(h)
    return torch.stack(out, 1)


def lstm(p: Parameters, x: Any) -> Any:
    return _lstm_layer(_lstm_layer(x, *p[:3]), *p[3:6])[:, -1] @ p[6] + p[7]


def _encoder_layer(p: Parameters, x: Any, heads: int) -> Any:
    n, s, d = x.shape
    parts = (x @ p[0] + p[1]).chunk(3, -1)
    q, k, v = [t.view(n, s, heads, d // heads).transpose(1, 2) for t in parts]
    mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, s, d)
    x = layer_norm(p[4:6], x + mixed @ p[2] + p[3])
    return layer_norm(p[10:], x + F.gelu(x @ p[6] + p[7]) @ p[8] + p[9])


def encoder(p: Parameters, x: Any, heads: int) -> Any:
    for first in range(0, len(p), 12):
        x = _encoder_layer(p[first : first + 12], x, heads)
    return x


MODELS = by_name(chain, memory_chain, add, softmax, layer_norm, reduction, matmul, gelu_dense,
                 mlp, linear, cnn, lstm, encoder)  # fmt: skip
