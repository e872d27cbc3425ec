"""Documents made by hand, in the form that graphc.inspect.page takes: small ones and huge ones.

Not tests. `training(layers)` looks like a training step; `big(count)` has many nodes in scopes,
`flat(count)` as many without any; `nasty()` has names nobody should have.
"""

from __future__ import annotations

import itertools
from typing import Any

Node = dict[str, Any]


class Builder:
    """Nodes, then stages and plans over them."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.nodes: list[Node] = []
        self.lines: dict[str, str] = {}
        self.places: list[list[Any]] = []

    def line(self, text: str) -> int:
        """A place for a line of the user's."""
        number = 10 + 2 * len(self.places)
        self.lines[str(number)] = text
        self.lines[str(number + 1)] = ""
        self.places.append([0, number, "build"])
        return len(self.places) - 1

    def add(
        self, op: str, name: str, inputs: list[Any], shape: list[Any] | None, **more: Any
    ) -> int:
        """A node of one output; an input is an id, or (id, output)."""
        node = {
            "id": len(self.nodes),
            "op": op,
            "name": name,
            "inputs": [[i, 0] if isinstance(i, int) else list(i) for i in inputs],
            "control": [],
            "outputs": [{"dtype": "float32", "shape": shape}],
            "attrs": {},
            "place": -1,
            "gradient": name.startswith("gradients/"),
            "device": "",
            "origins": [len(self.nodes)],
        }
        node.update(more)
        self.nodes.append(node)
        return int(node["id"])

    def document(self, stages: list[dict[str, Any]], plans: dict[str, Any]) -> dict[str, Any]:
        """The whole, with one file of lines."""
        return {
            "format": "graphc-view",
            "version": 1,
            "title": self.title,
            "made": {
                "graphc": "0.1.0",
                "python": "3.11.7",
                "machine": "x86_64, 2 cores",
                "date": "2026-01-01 12:00",
            },
            "files": [{"path": "examples/sample.py", "lines": self.lines}],
            "places": self.places,
            "nodes": self.nodes,
            "stages": stages,
            "plans": plans,
        }


def stage(name: str, added: list[int], removed: list[int], **more: Any) -> dict[str, Any]:
    """A stage without rules."""
    made = {
        "name": name,
        "added": added,
        "removed": removed,
        "outputs": [],
        "rules": [],
        "milliseconds": 0.4,
    }
    made.update(more)
    return made


ELEMENTWISE = frozenset({"add", "relu", "multiply", "subtract", "exp", "sigmoid", "bias_add"})
INPUTS = frozenset({"placeholder", "variable", "const"})


def plan(nodes: list[Node], fused: bool) -> dict[str, Any]:
    """Chains of elementwise ops become one step when fused; each op is a step otherwise."""
    work = [n for n in nodes if n["op"] not in INPUTS]
    chunks: list[list[Node]] = []
    for node in work:
        alone = node["op"] not in ELEMENTWISE
        if chunks and fused and not alone and len(chunks[-1]) < 6:
            chunks[-1].append(node)
        else:
            chunks.append([node])
    steps, groups, buffers, code = [], [], [], {}
    at: dict[int, int] = {}
    for number, chunk in enumerate(chunks):
        ids = [n["id"] for n in chunk]
        product = chunk[0]["op"] == "matmul"
        name = f"{'gemm' if product else 'k'}{number}_" + "_".join(n["op"] for n in chunk[:3])
        size = 4 * 32 * 64
        reads = sorted({at[i] for n in chunk for i, _ in n["inputs"] if i in at})
        buffers.append(
            {
                "kind": "arena",
                "bytes": size,
                "offset": (number % 4) * size,
                "first": number,
                "last": min(number + 2, len(chunks) - 1),
                "node": ids[-1],
                "output": 0,
                "shared_with": [number - 4] if number >= 4 else [],
            }
        )
        at.update(dict.fromkeys(ids, number))
        for r in reads:
            buffers[r]["last"] = max(buffers[r]["last"], number)
        why = [f"{a['name']} feeds {b['name']}: {size} bytes stay in registers"
               for a, b in itertools.pairwise(chunk)]  # fmt: skip
        groups.append(
            {"name": name, "nodes": ids, "anchor": ids[0], "step": number, "why": why}
        )
        flops = 2 * 32 * 64 * 64 if product else 2048 * len(chunk)
        steps.append(
            {
                "kind": "gemm" if product else "kernel",
                "name": name,
                "nodes": ids,
                "reads": reads,
                "writes": [number],
                "bytes": size * (1 + len(reads)),
                "flops": flops,
                "microseconds": round(1.5 + flops / 4e4, 3),
                "code": name,
                "group": number,
                "inside": 0,
                "device": "cpu",
            }
        )
        code[name] = {
            "name": name,
            "nest": f"kernel {name}\nfor i in 0..2048:  # lanes 8\n  t0 = load x[i]\n  store y[i]",
            "numba": f"def {name}(x, y):\n    for i in range(2048):\n        y[i] = x[i]  # copy\n",
            "llvm": f"define void @{name}(ptr %x) {{\n  %1 = load float, ptr %x\n  ret void\n}}",
            "asm": "vmovups (%rdi), %ymm0\nvmovups %ymm0, (%rsi)\nretq",
            "tile": "6x16: fits 12 accumulators in 16 registers" if product else "",
        }
    refusals = [
        {
            "producer": a["id"],
            "consumer": b["id"],
            "bytes": 8192,
            "reason": f"{b['op']} reads all of {a['op']} before it writes",
        }
        for a, b in itertools.pairwise(work)
        if a["op"] == "matmul"
    ]
    memory = [
        sum(b["bytes"] for b in buffers if b["first"] <= s <= b["last"]) for s in range(len(steps))
    ]
    return {
        "kernel_count": len(steps),
        "bytes": sum(s["bytes"] for s in steps),
        "flops": sum(s["flops"] for s in steps),
        "arena_bytes": max(memory, default=0),
        "compile_seconds": 0.02 * len(steps),
        "run_microseconds": sum(s["microseconds"] for s in steps),
        "steps": steps,
        "groups": groups,
        "refusals": refusals,
        "buffers": buffers,
        "memory": memory,
        "code": code,
    }


def training(layers: int = 3) -> dict[str, Any]:
    """A small training step: dense layers, a loss, gradients and updates; a rule fires."""
    b = Builder(f"training step of {layers} layers")
    batch = ["batch", 64]
    x = b.add("placeholder", "x", [], batch, place=b.line("x = tf.placeholder(tf.float32)"))
    weights, hs, h = [], [x], x
    for k in range(layers):
        at = b.line(f"h = tf.layers.dense(h, 64, activation=tf.nn.relu)  # {k}")
        s = f"dense_{k}/" if k else "dense/"
        w = b.add("variable", s + "kernel", [], [64, 64], place=at)
        bias = b.add("variable", s + "bias", [], [64], place=at)
        m = b.add("matmul", s + "MatMul", [h, w], batch, place=at)
        a = b.add("bias_add", s + "BiasAdd", [m, bias], batch, place=at)
        one = b.add("const", s + "one", [], [], place=at, attrs={"value": "1.0"})
        a = b.add("multiply", s + "mul", [a, one], batch, place=at)
        h = b.add("relu", s + "Relu", [a], batch, place=at)
        weights.append(w)
        hs.append(h)
    at = b.line("loss = tf.reduce_mean(tf.square(h))")
    loss = b.add("reduce_mean", "loss/Mean", [h], [], place=at)
    g = b.add("multiply", "gradients/loss/Mean_grad/mul", [h, loss], batch, place=at)
    at = b.line("train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)")
    updates = []
    for k in reversed(range(layers)):
        s = f"gradients/dense_{k}/"
        g = b.add("multiply", s + "Relu_grad/mul", [g, hs[k + 1]], batch, place=at)
        gw = b.add("matmul", s + "MatMul_grad/MatMul_1", [hs[k], g], [64, 64], place=at)
        g = b.add("matmul", s + "MatMul_grad/MatMul", [g, weights[k]], batch, place=at)
        updates.append(b.add("assign_sub", f"train/update_{k}", [weights[k], gw], [64, 64]))
    done = b.add("no_op", "train", [], [], control=updates, outputs=[])
    user = [n["id"] for n in b.nodes]
    events, gone, new = [], [], {}
    for n in list(b.nodes):
        if n["op"] != "multiply" or b.nodes[n["inputs"][1][0]]["op"] != "const":
            continue
        gone += [n["id"], n["inputs"][1][0]]
        new[n["id"]] = n["inputs"][0][0]
        events.append([[n["id"]], [new[n["id"]]]])
    copies = []
    for n in list(b.nodes):
        if n["id"] not in gone and any(i in new for i, _ in n["inputs"]):
            ins = [(new.get(i, i), k) for i, k in n["inputs"]]
            more = {k: n[k] for k in ("place", "gradient")}
            made = b.add(n["op"], n["name"], ins, n["outputs"][0]["shape"], **more)
            b.nodes[made]["origins"] = [n["id"]]
            gone.append(n["id"])
            copies.append(made)
    swap = {b.nodes[c]["origins"][0]: c for c in copies}
    for n in b.nodes[:done]:
        if n["id"] in gone or not any(i in swap for i, _ in n["inputs"]):
            continue
        ins = [(swap.get(i, i), k) for i, k in n["inputs"]]
        made = b.add(n["op"], n["name"], ins, n["outputs"][0]["shape"], place=n["place"])
        b.nodes[made].update(origins=[n["id"]], gradient=n["gradient"])
        swap[n["id"]] = made
        gone.append(n["id"])
        copies.append(made)
    for n in b.nodes:
        if n["id"] >= len(user):
            n["inputs"] = [[swap.get(i, i), k] for i, k in n["inputs"]]
    last = sorted(set(user) - set(gone)) + copies
    rule = {"rule": "multiply_by_one", "doc": "x * 1 -> x", "count": len(events)}
    stages = [
        stage("user", user, [], outputs=[[loss, 0], [done, 0]]),
        stage("start", [], []),
        stage("fold", copies, sorted(gone), rules=[{**rule, "events": events}]),
        stage("merge", [], []),
    ]
    nodes = [b.nodes[i] for i in last]
    return b.document(stages, {"fused": plan(nodes, True), "unfused": plan(nodes, False)})


def big(count: int, codes: bool = True) -> dict[str, Any]:
    """About `count` nodes in scopes of blocks, with gradients, two plans over all of them."""
    b = Builder(f"{count} nodes")
    x = b.add("placeholder", "x", [], ["batch", 64], place=b.line("x = tf.placeholder()"))
    h, forward, at = x, [], [b.line(f"h = block(h, {k})") for k in range(40)]
    for k in range(max(1, count // 50)):
        where = at[k % 40]
        for part in ("attention/query", "attention/value", "mlp"):
            s, start = f"block_{k}/{part}/", h
            w = b.add("variable", s + "kernel", [], [64, 64], place=where)
            c = b.add("const", s + "scale", [], [], place=where, attrs={"value": "0.125"})
            h = b.add("matmul", s + "MatMul", [start, w], ["batch", 64], place=where)
            for op in ("multiply", "exp", "add", "sigmoid"):
                second = c if op == "multiply" else start
                ins = [h] if op in ("exp", "sigmoid") else [h, second]
                h = b.add(op, s + op.title(), ins, ["batch", 64], place=where)
            forward.append((s, h, w))
    g = h
    for s, out, w in reversed(forward):
        for op in ("multiply", "subtract", "multiply", "add"):
            g = b.add(op, f"gradients/{s}{op}_grad_{len(b.nodes)}", [g, out], ["batch", 64])
        gw = b.add("matmul", f"gradients/{s}MatMul_grad/MatMul_1", [out, g], [64, 64])
        g = b.add("matmul", f"gradients/{s}MatMul_grad/MatMul", [g, w], ["batch", 64])
        b.add("assign_sub", f"train/update_{s}kernel", [w, gw], [64, 64])
    while len(b.nodes) < count:
        g = b.add("add", f"tail/add_{len(b.nodes)}", [g, h], ["batch", 64])
    ids = [n["id"] for n in b.nodes]
    plans = {"fused": plan(b.nodes, True), "unfused": plan(b.nodes, False)}
    if not codes:
        for p in plans.values():
            p["code"] = {}
    return b.document([stage("user", ids, []), stage("start", [], [])], plans)


def flat(count: int) -> dict[str, Any]:
    """As many nodes, and no scope at all."""
    made = big(count, codes=False)
    for node in made["nodes"]:
        node["name"] = node["name"].replace("/", "_")
    return made


def looping() -> dict[str, Any]:
    """A loop with a body inside a scope, and two scopes that read each other."""
    b = Builder("a loop")
    x = b.add("placeholder", "x", [], [4])
    first = b.add("exp", "ping/first", [x], [4])
    middle = b.add("sigmoid", "pong/middle", [first], [4])
    second = b.add("exp", "ping/second", [middle], [4])
    third = b.add("add", "pong/third", [second, middle], [4])
    inside = [b.add("point", "rnn/body/state", [], [4])]
    inside.append(b.add("multiply", "rnn/body/mul", [inside[0], inside[0]], [4]))
    loop = b.add("while", "rnn/while", [third], [4], body=inside)
    b.add("add", "after", [loop, x], [4])
    ids = [n["id"] for n in b.nodes if n["id"] not in inside]
    return b.document([stage("user", ids, [])], {})


NASTY = (
    "<img src=x onerror=alert(1)>",
    "</script><script>window.broken = 1</script>",
    "a" * 4000,
    "größe_重み_вес_🚀",
    "quote\"'`${window.broken = 1}",
    "&lt;b&gt;\u2028\u2029<!--",
)


def nasty() -> dict[str, Any]:
    """Names, lines, attributes, titles and reasons that try to be markup or programs."""
    b = Builder(NASTY[1] + NASTY[0])
    h = b.add("placeholder", NASTY[0] + "/x", [], None, place=b.line(NASTY[1]))
    for k, name in enumerate(NASTY):
        scope = NASTY[(k + 1) % len(NASTY)].replace("/", "|")
        h = b.add(
            "add", f"{scope}/{name}", [h], [NASTY[3], None], attrs={name: name}, device=name,
            place=b.line(name),
        )  # fmt: skip
    rule = {"rule": NASTY[0], "doc": NASTY[1], "count": 1, "events": [[[1], [2]]]}
    stages = [
        stage("user", [n["id"] for n in b.nodes], []),
        stage(NASTY[0], [], [], rules=[rule]),
    ]
    made = plan(b.nodes, True)
    for step, text in zip(made["steps"], itertools.cycle(NASTY)):
        step["name"] = text
    for entry in made["code"].values():
        entry.update(nest=NASTY[0], numba=NASTY[1], llvm=NASTY[4], asm=NASTY[5], tile=NASTY[0])
    for group in made["groups"]:
        group["why"] = list(NASTY)
    made["refusals"] = [{"producer": 1, "consumer": 2, "bytes": 4, "reason": NASTY[0]}]
    return b.document(stages, {"fused": made})
