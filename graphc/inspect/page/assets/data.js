// The document, indexed: stages, consumers, plans, what became of the user's nodes.

async function unpack(id) {
  const text = atob(document.getElementById(id).textContent.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

class Model {
  constructor(doc) {
    this.doc = doc;
    this.nodes = [];
    this.owners = []; // of nodes in the bodies: loops and branches of any stage
    for (const n of doc.nodes) {
      this.nodes[n.id] = n;
      const cut = n.name.lastIndexOf("/");
      n.short = n.name.slice(cut + 1) || n.name || n.op;
      n.scope = cut < 0 ? "" : n.name.slice(0, cut);
    }
    for (const n of doc.nodes)
      for (const b of n.body || []) (this.owners[b] = this.owners[b] || []).push(n.id);
    this.plans = Object.entries(doc.plans || {}).map(([name, p]) => new Plan(this, name, p));
    this.last = doc.stages.length - 1;
    this.cache = new Map();
  }

  memo(key, make) {
    if (!this.cache.has(key)) this.cache.set(key, make());
    return this.cache.get(key);
  }

  plan(name) {
    return this.plans.find((p) => p.name === name) || this.plans[0] || null;
  }

  // ids of stage k, in the order of the document, with the bodies of its loops
  stage(k) {
    return this.memo("stage" + k, () => {
      const here = new Set();
      for (let i = 0; i <= k; i++) {
        for (const id of this.doc.stages[i].removed) here.delete(id);
        for (const id of this.doc.stages[i].added) here.add(id);
      }
      const queue = [...here];
      for (const id of queue) {
        const node = this.nodes[id];
        for (const b of (node && node.body) || []) {
          if (!here.has(b)) {
            here.add(b);
            queue.push(b);
          }
        }
      }
      return this.doc.nodes.filter((n) => here.has(n.id)).map((n) => n.id);
    });
  }

  outputs(k) {
    return this.memo(
      "outputs" + k,
      () => new Set((this.doc.stages[k].outputs || []).map((o) => o[0]))
    );
  }

  // id -> [[consumer, its input index, output index], ...] in stage k
  consumers(k) {
    return this.memo("consumers" + k, () => {
      const found = new Map();
      for (const id of this.stage(k)) {
        this.nodes[id].inputs.forEach(([src, out], i) => {
          if (!found.has(src)) found.set(src, []);
          found.get(src).push([id, i, out]);
        });
      }
      return found;
    });
  }

  // the stages in which a node occurs: [first, last]
  life(id) {
    return this.memo("life" + id, () => {
      let first = -1,
        last = -1;
      for (let k = 0; k <= this.last; k++) {
        if (!this.stageSet(k).has(id)) continue;
        if (first < 0) first = k;
        last = k;
      }
      return [first, last];
    });
  }

  stageSet(k) {
    return this.memo("set" + k, () => new Set(this.stage(k)));
  }

  // nodes of stage k that stand for this node: itself, or those with its origins
  standFor(id, k) {
    if (this.stageSet(k).has(id)) return [id];
    const byOrigin = this.memo("origins" + k, () => {
      const map = new Map();
      for (const f of this.stage(k)) {
        for (const o of this.nodes[f].origins || []) {
          if (!map.has(o)) map.set(o, []);
          map.get(o).push(f);
        }
      }
      return map;
    });
    const found = new Set(byOrigin.get(id) || []);
    for (const o of this.nodes[id].origins || []) {
      if (this.stageSet(k).has(o)) found.add(o);
      for (const f of byOrigin.get(o) || []) found.add(f);
    }
    return [...found];
  }

  finals(id) {
    return this.standFor(id, this.last);
  }

  // user's nodes behind a node, as far as stage 0 still has them
  users(id) {
    const start = this.stageSet(0);
    const found = (this.nodes[id].origins || []).filter((o) => start.has(o));
    return found.length ? found : start.has(id) ? [id] : [];
  }

  place(node) {
    const p = node && node.place >= 0 ? this.doc.places[node.place] : null;
    return p ? { file: this.doc.files[p[0]], index: p[0], line: p[1], where: p[2] } : null;
  }

  // a node's part of time, bytes or FLOPs: what its step takes, shared evenly by its nodes
  metric(plan, what) {
    return this.memo("metric/" + (plan ? plan.name : "") + what, () => {
      const shares = new Map();
      if (!plan) return shares;
      for (const step of plan.doc.steps) {
        const value = step[what] || 0;
        for (const id of step.nodes) {
          shares.set(id, (shares.get(id) || 0) + value / step.nodes.length);
        }
      }
      for (const [id, value] of [...shares]) {
        const users = this.users(id).filter((u) => u !== id);
        for (const u of users) shares.set(u, (shares.get(u) || 0) + value / users.length);
      }
      return shares;
    });
  }
}

class Plan {
  constructor(model, name, doc) {
    this.model = model;
    this.name = name;
    this.doc = doc;
    this.stepOf = new Map(); // node -> the first step that makes it
    this.stepsOf = new Map();
    doc.steps.forEach((step, i) => {
      for (const id of step.nodes) {
        if (!this.stepOf.has(id)) this.stepOf.set(id, i);
        if (!this.stepsOf.has(id)) this.stepsOf.set(id, []);
        this.stepsOf.get(id).push(i);
      }
    });
    this.groupOf = new Map();
    doc.groups.forEach((g, i) => {
      for (const id of g.nodes) this.groupOf.set(id, i);
    });
    this.refused = new Map();
    doc.refusals.forEach((r, i) => {
      for (const id of new Set([r.producer, r.consumer])) {
        if (!this.refused.has(id)) this.refused.set(id, []);
        this.refused.get(id).push(i);
      }
    });
    this.users = new Map(); // buffer -> steps that read or write it
    doc.steps.forEach((step, i) => {
      for (const b of new Set([...step.reads, ...step.writes])) {
        if (!this.users.has(b)) this.users.set(b, []);
        this.users.get(b).push(i);
      }
    });
    this.timed = doc.steps.some((s) => s.microseconds !== null && s.microseconds !== undefined);
  }

  // The texts of the kernels are unpacked when the first of them is looked at.
  async code(key) {
    if (!this.codes) this.codes = unpack("code-" + this.model.plans.indexOf(this));
    return (await this.codes)[key] || null;
  }

  // steps behind any node of any stage
  stepsFor(id) {
    const found = new Set();
    for (const f of this.model.finals(id)) for (const s of this.stepsOf.get(f) || []) found.add(s);
    return [...found].sort((a, b) => a - b);
  }
}
