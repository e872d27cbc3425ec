"""Writes works/losses.json: the losses of the first steps of every training work, in float64.

    PYTHON_OF_TORCH -m tools.bench.losses

By PyTorch's gradients, in float64; the loss before the first step must be NumPy's. To be run when
a training work or its data change.
"""

from __future__ import annotations

import json

import numpy as np
import torch

from tools.bench import peer_torch
from tools.bench.works import WORKS, Work
from tools.bench.works.record import LOSSES, STEPS_CHECKED


def losses(work: Work) -> list[float]:
    """The losses of the first steps; checked against NumPy before the first one."""
    assert work.optimizer is not None
    wide = [torch.from_numpy(p.astype(np.float64)) for p in work.parameters()]
    *x, y = [torch.from_numpy(a) for a in work.inputs()]
    x, y = [a.double() for a in x], y.long() if work.loss == "cross_entropy" else y.double()
    if work.model == "cnn":
        x[0] = x[0].permute(0, 3, 1, 2)
        wide = [p.permute(3, 2, 0, 1).contiguous() if p.ndim == 4 else p for p in wide]
    kind, rate = work.optimizer
    parameters = [p.requires_grad_() for p in wide]
    optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[kind](parameters, rate)
    out = []
    for _ in range(STEPS_CHECKED):
        optimizer.zero_grad()
        z = peer_torch.MODELS[work.model](parameters, *x, **work.options)
        loss = peer_torch._loss(work, z, y)
        loss.backward()
        optimizer.step()
        out.append(loss.item())
    # NumPy's erf is 1.5e-7 off
    np.testing.assert_allclose(out[0], work.first_loss(), rtol=1e-6)
    return out


def main() -> None:
    found = {work.name: losses(work) for work in WORKS.values() if work.training}
    LOSSES.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
