// What is shown: nodes nested in scopes (or kernels), what is expanded, the edges between.

const CROWD = 600; // children of one scope before they are shown in parts

class Tree {
  constructor(key, label, parent, kind) {
    Object.assign(this, { key, label, parent, kind, children: [], size: 0 });
  }

  leaves() {
    if (!this.flat) {
      this.flat = [];
      const stack = [this];
      while (stack.length) {
        const top = stack.pop();
        if (top.own !== undefined && top !== this) this.flat.push(top.own);
        for (const c of top.children) typeof c === "number" ? this.flat.push(c) : stack.push(c);
      }
    }
    return this.flat;
  }

  sample() {
    // enough for a legend
    return this.leaves().slice(0, 200);
  }
}

// group: {by: "scope"} or {by: "kernel", plan}
function buildTree(model, ids, group) {
  const root = new Tree("", "", null, "root");
  const scopes = new Map([["", root]]);
  const home = new Map(); // id -> the tree node it stands in
  const here = new Set(ids);
  const loops = new Map();
  for (const id of ids) {
    const n = model.nodes[id];
    if (n.body && n.body.length) loops.set(id, null);
  }
  for (const id of ids) place(id);
  count(root);
  for (const tree of [...scopes.values(), ...loops.values()]) if (tree) inParts(tree);
  return { root, home, scopes, loops };

  function place(id) {
    const at = parentOf(id);
    home.set(id, at);
    if (loops.has(id)) loop(id, at);
    else at.children.push(id);
  }
  function parentOf(id) {
    const owner = (model.owners[id] || []).find((o) => here.has(o));
    if (group.by === "scope")
      return owner === undefined ? scope(model.nodes[id].scope) : loop(owner, null);
    const around = owner === undefined ? root : loop(owner, null);
    const step = loops.has(id) ? undefined : group.plan.stepOf.get(id);
    return step === undefined ? around : kernel(step, group.plan, id, around);
  }
  function loop(id, at) {
    let tree = loops.get(id);
    if (!tree) {
      tree = new Tree("loop:" + id, model.nodes[id].short, at || parentOf(id), "loop");
      tree.own = id;
      tree.parent.children.push(tree);
      loops.set(id, tree);
    }
    return tree;
  }
  function scope(path) {
    let tree = scopes.get(path);
    if (tree) return tree;
    const cut = path.lastIndexOf("/");
    const parent = scope(cut < 0 ? "" : path.slice(0, cut));
    tree = new Tree("scope:" + path, path.slice(cut + 1), parent, "scope");
    tree.path = path;
    parent.children.push(tree);
    scopes.set(path, tree);
    return tree;
  }
  function kernel(index, plan, id, around) {
    const key = "kernel:" + index + (around === root ? "" : "@" + around.key);
    let tree = scopes.get(key);
    if (!tree) {
      const step = plan.doc.steps[index];
      tree = new Tree(key, step.name, around, "kernel");
      const g = plan.doc.groups[step.group];
      tree.step = index;
      tree.lead = g && g.anchor >= 0 ? g.anchor : id;
      around.children.push(tree);
      scopes.set(key, tree);
    }
    return tree;
  }
  function count(tree) {
    const order = [tree];
    for (const t of order) for (const c of t.children) if (typeof c !== "number") order.push(c);
    for (const t of order.reverse()) {
      t.size = t.children.reduce((sum, c) => sum + (typeof c === "number" ? 1 : c.size), 0);
      if (t.own !== undefined) t.size++;
    }
  }
  // A crowd of children is cut along the order of the graph, so that parts follow one another.
  function inParts(tree) {
    if (tree.children.length <= CROWD || tree.kind === "part") return;
    const size = Math.ceil(Math.sqrt(tree.children.length) * 1.5);
    const parts = [];
    for (let i = 0; i < tree.children.length; i += size) {
      const part = new Tree(`part:${parts.length}:${tree.key}`, "", tree, "part");
      part.children = tree.children.slice(i, i + size);
      part.label = `${i + 1} – ${i + part.children.length}`;
      for (const c of part.children) {
        if (typeof c === "number") home.set(c, part);
        else c.parent = part;
      }
      part.size = part.children.reduce((sum, c) => sum + (typeof c === "number" ? 1 : c.size), 0);
      parts.push(part);
      scopes.set(part.key, part);
    }
    tree.children = parts;
  }
}

// Small nodes without inputs that are written into the boxes of those who read them: constants, and
// among kernels the variables that only one of them reads.
function inlined(model, ids, k, group) {
  const consumers = model.consumers(k),
    outputs = model.outputs(k),
    chips = new Map();
  const found = new Set();
  for (const id of ids) {
    const n = model.nodes[id];
    if (n.inputs.length || n.control.length || outputs.has(id)) continue;
    const readers = consumers.get(id),
      [kind] = category(n);
    if (!readers || (kind !== "const" && !(kind === "variable" && oneKernel(id, readers))))
      continue;
    found.add(id);
    const text =
      n.attrs.value !== undefined
        ? n.attrs.value
        : kind === "variable"
          ? n.short
          : tensorText(n.outputs[0]);
    for (const [reader] of readers) {
      if (!chips.has(reader)) chips.set(reader, []);
      chips.get(reader).push(clip(String(text), 18));
    }
  }
  return { found, chips };

  function oneKernel(id, readers) {
    if (group.by !== "kernel" || group.plan.stepOf.has(id)) return false;
    const steps = new Set(readers.map((r) => group.plan.stepOf.get(r[0])));
    return steps.size === 1 && !steps.has(undefined);
  }
}

// The scopes to open first: as many as fit in a picture that is read at a glance.
function firstOpen(root, most) {
  const open = new Set();
  let shown = root.children.length,
    queue = [root];
  while (queue.length) {
    const inner = queue.flatMap((t) => t.children.filter((c) => typeof c !== "number"));
    inner.sort((a, b) => a.children.length - b.children.length);
    for (const t of inner) {
      const lone = t.children.length === 1 || root.children.length === 1;
      if (t.kind === "part" && !lone) continue;
      if (!lone && shown + t.children.length > most) continue;
      open.add(t.key);
      shown += t.children.length;
    }
    queue = inner.filter((t) => open.has(t.key));
  }
  return open;
}

// Items (parents in front of children) and the edges between what is visible.
function visible(model, built, ids, expanded, inline) {
  const items = [],
    rep = new Map();
  walk(built.root, -1);
  const edges = new Map();
  for (const id of ids) {
    const b = rep.get(id);
    if (b === undefined) continue;
    const n = model.nodes[id];
    const cls = n.gradient ? 1 : 0;
    for (let i = 0; i < n.inputs.length; i++) join(rep.get(n.inputs[i][0]), b, cls, n.inputs[i]);
    for (const c of n.control) join(rep.get(c), b, 2, [c, -1]);
  }
  return { items, edges: [...edges.values()], rep };

  function walk(tree, parent) {
    for (const c of tree.children) {
      if (typeof c === "number") {
        if (inline.found.has(c)) continue;
        rep.set(c, items.length);
        items.push({ key: "n" + c, id: c, parent, container: false });
        continue;
      }
      const open = expanded.has(c.key),
        at = items.length;
      if (
        c.size === 1 &&
        c.children.length === 1 &&
        typeof c.children[0] === "number" &&
        c.kind !== "kernel"
      ) {
        walk(c, parent); // a scope of one op adds nothing
        continue;
      }
      items.push({ key: c.key, tree: c, parent, container: open });
      if (c.own !== undefined) rep.set(c.own, at);
      if (open) walk(c, at);
      else for (const id of c.leaves()) rep.set(id, at);
    }
  }
  function join(a, b, cls, tensor) {
    if (a === undefined || b === undefined || a === b) return;
    const key = a * items.length + b;
    const e = edges.get(key);
    if (!e) edges.set(key, { a, b, cls, tensors: [tensor], count: 1 });
    else {
      e.cls = Math.min(e.cls, cls);
      e.count++;
      if (e.tensors.length < 4 && !e.tensors.some((t) => t[0] === tensor[0] && t[1] === tensor[1]))
        e.tensors.push(tensor);
    }
  }
}
