// One graph on the page: what is shown and expanded, its layout, its controls, what is selected.

class GraphPane {
  // options: group ({by: "scope"} or {by: "kernel", plan}), plan, open (items at first)
  constructor(app, options) {
    Object.assign(
      this,
      { app, model: app.model, open: 48, shown: null, turn: 0, constants: false },
      options
    );
    this.expanded = null;
    this.graph = new GraphCanvas({
      hover: (i, e) => this.tooltip(i, e),
      pick: (i) => this.pick(i),
      toggle: (i) => this.toggle(this.graph.scene.items[i].key),
      drawn: () => this.minimap.draw(),
      sized: () => this.sized(),
    });
    this.minimap = new Minimap(this.graph);
    this.controls = new PaneControls(this);
    this.el = h(
      "div.pane",
      {},
      this.controls.top,
      h(
        "div.sheet",
        {},
        this.graph.canvas,
        this.controls.bottom,
        this.minimap.el,
        this.controls.busy,
        this.controls.tip
      )
    );
    this.el.pane = this;
    theme.listeners.push(() => this.recolour());
  }

  // what: {stage, ids, marks (Map id -> "added"|"removed") or null}
  show(what) {
    const same = this.shown && this.shown.ids === what.ids;
    this.shown = what;
    if (!same || !this.built) {
      this.built = buildTree(this.model, what.ids, this.group);
      this.inline =
        what.marks || this.constants
          ? { found: new Set(), chips: new Map() }
          : inlined(this.model, what.ids, what.stage, this.group);
    }
    if (!this.expanded) this.expanded = this.firstExpanded(what.ids.length);
    return this.rebuild({ fit: !this.graph.scene });
  }

  firstExpanded(count) {
    if (this.group.by === "kernel") {
      // loops show their kernels, kernels stay closed
      return this.built.loops.size > 8
        ? new Set()
        : new Set([...this.built.loops.keys()].map((id) => "loop:" + id));
    }
    if (count <= 60) return new Set([...this.built.scopes.values()].map((t) => t.key));
    return firstOpen(this.built.root, this.open);
  }

  async rebuild({ anchor, fit, fly } = {}) {
    const turn = ++this.turn;
    const view = visible(this.model, this.built, this.shown.ids, this.expanded, this.inline);
    const plan = this.plan();
    for (const item of view.items) describe(this.model, item, plan, this.inline.chips);
    const input = layoutInput(view);
    const busy = setTimeout(() => this.controls.wait(view.items.length), 120);
    const made = await layouts.run(input);
    clearTimeout(busy);
    if (turn !== this.turn) return;
    this.controls.wait(0);
    this.view = view;
    const was = this.graph.scene;
    const scene = { ...made, items: view.items, edges: view.edges };
    this.dress(scene);
    this.graph.setScene(scene);
    this.reselect();
    if (fit) this.fitFirst();
    else if (anchor) this.keep(anchor, was, scene);
    if (was && !fit && view.items.length < 1500) this.glide(was, scene);
    if (fly) fly();
  }

  plan() {
    return this.group.plan || this.app.plan();
  }

  fitFirst() {
    this.unfitted = !this.graph.canvas.clientWidth;
    if (this.unfitted) return;
    if (this.overview) this.graph.fit(false, 0.3);
    else this.graph.fitFirst();
  }

  // What is chosen stays in sight when the details open beside it.
  sized() {
    if (this.unfitted) this.fitFirst();
    else if (this.graph.look.selected.size === 1)
      this.bringIntoView([...this.graph.look.selected][0]);
  }

  // The item that was clicked stays under the pointer.
  keep(key, was, scene) {
    const find = (s) => s.items.findIndex((item) => item.key === key);
    const a = was ? find(was) : -1,
      b = find(scene);
    if (a < 0 || b < 0) return;
    const cam = this.graph.camera;
    cam.x += scene.x[b] + scene.w[b] / 2 - (was.x[a] + was.w[a] / 2);
    cam.y += scene.y[b] - was.y[a];
    cam.changed();
    this.shift = {
      x: scene.x[b] + scene.w[b] / 2 - (was.x[a] + was.w[a] / 2),
      y: scene.y[b] - was.y[a],
    };
  }

  // Boxes move from where they were; those that are new grow out of what held them.
  glide(was, scene) {
    const shift = this.shift || { x: 0, y: 0 };
    this.shift = null;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const old = new Map(was.items.map((item, i) => [item.key, i]));
    const n = scene.items.length,
      from = [];
    for (let i = 0; i < n; i++) {
      let j = i,
        a = old.get(scene.items[i].key);
      while (a === undefined && scene.items[j].parent >= 0) {
        j = scene.items[j].parent;
        a = old.get(scene.items[j].key);
      }
      from.push(
        a === undefined
          ? null
          : { x: was.x[a] + shift.x, y: was.y[a] + shift.y, w: was.w[a], h: was.h[a] }
      );
    }
    const to = { x: scene.x, y: scene.y, w: scene.w, h: scene.h },
      start = performance.now();
    const graph = this.graph,
      turn = this.turn;
    const now = { x: to.x.slice(), y: to.y.slice(), w: to.w.slice(), h: to.h.slice() };
    Object.assign(scene, now);
    const step = (time) => {
      const t = Math.max(0, Math.min(1, (time - start) / 200)),
        ease = 1 - Math.pow(1 - t, 3);
      for (const what of ["x", "y", "w", "h"]) {
        for (let i = 0; i < n; i++)
          now[what][i] = from[i]
            ? from[i][what] + (to[what][i] - from[i][what]) * ease
            : to[what][i];
      }
      graph.fade = t < 1 ? Math.max(0, t * 2 - 1) * 0.9 : 1;
      if (t < 1 && turn === this.turn) requestAnimationFrame(step);
      else {
        Object.assign(scene, to);
        graph.fade = 1;
      }
      graph.ask();
    };
    graph.fade = 0;
    requestAnimationFrame(step);
  }

  // What the drawing needs besides places: paints, marks, stripes, labels.
  dress(scene) {
    scene.items.forEach((item) => {
      item.depth = item.parent < 0 ? 0 : scene.items[item.parent].depth + 1;
      if (item.tree && !item.container) item.stripes = this.stripes(item.tree);
      if (this.shown.marks) this.mark(item);
    });
    this.paint(scene);
    scene.labels = this.labels(scene);
  }

  paint(scene) {
    const mode = this.app.colour(this);
    const painter = new Painter(this.model, this.plan(), mode);
    painter.scale(scene.items);
    for (const item of scene.items) item.paint = painter.of(item);
    this.controls.setLegend(painter.legend(scene.items), mode);
  }

  recolour() {
    if (!this.graph.scene) return;
    this.paint(this.graph.scene);
    for (const item of this.graph.scene.items)
      if (item.stripes) item.stripes = this.stripes(item.tree);
    this.minimap.stale = true;
    this.graph.ask();
  }

  stripes(tree) {
    const parts = new Map();
    for (const id of tree.leaves()) {
      const c = category(this.model.nodes[id]);
      parts.set(c[1], (parts.get(c[1]) || 0) + 1);
    }
    return [...parts].sort((a, b) => b[1] - a[1]);
  }

  mark(item) {
    const marks = this.shown.marks;
    if (item.id !== undefined) {
      item.mark = marks.get(item.id) || "kept";
      return;
    }
    const count = { added: 0, removed: 0, changed: 0, kept: 0 };
    for (const id of item.tree.leaves()) count[marks.get(id) || "kept"]++;
    if (item.container) return;
    const kinds = ["added", "removed", "changed"].filter((kind) => count[kind]);
    item.mark = kinds.length > 1 ? "both" : kinds[0] || "kept";
    item.badge = kinds
      .map((kind) => ({ added: "+", removed: "−", changed: "~" })[kind] + count[kind])
      .join(" ");
  }

  labels(scene) {
    const leaving = new Map(),
      starts = new Map(),
      g = scene.segs;
    scene.edges.forEach((e, k) => {
      if (!leaving.has(e.a)) leaving.set(e.a, new Map());
      for (const t of e.tensors) if (t[1] >= 0) leaving.get(e.a).set(t[0] + ":" + t[1], t);
      for (let i = scene.last[k]; i >= 0; i = g.parent[i]) {
        if (g.parent[i] < 0 && !starts.has(e.a)) starts.set(e.a, i);
      }
    });
    const labels = [];
    for (const [i, tensors] of leaving) {
      if (!tensors.size || !starts.has(i)) continue;
      const seg = starts.get(i),
        item = scene.items[i];
      if (g.y1[seg] < g.y0[seg] || item.container) continue;
      const [src, out] = tensors.values().next().value;
      const text =
        tensors.size === 1
          ? tensorText(this.model.nodes[src].outputs[out])
          : item.id === undefined
            ? countText(tensors.size, "tensor")
            : [...tensors.values()]
                .map((t) => tensorText(this.model.nodes[t[0]].outputs[t[1]]))
                .join(", ");
      labels.push({ item: i, text: clip(text, 34), x: g.x0[seg] + 7, y: g.y0[seg] + 12 });
    }
    return labels;
  }

  // Interaction -------------------------------------------------------------------------------
  toggle(key) {
    if (this.expanded.has(key)) this.expanded.delete(key);
    else this.expanded.add(key);
    this.controls.hideTip();
    return this.rebuild({ anchor: key });
  }

  expandAll() {
    for (const t of this.built.scopes.values()) this.expanded.add(t.key);
    for (const t of this.built.loops.values()) if (t) this.expanded.add(t.key);
    return this.rebuild({ fit: true });
  }

  collapseAll() {
    this.expanded = new Set();
    return this.rebuild({ fit: true });
  }

  pick(i) {
    if (i < 0) {
      this.app.select(null);
      return;
    }
    const item = this.graph.scene.items[i];
    if (item.id !== undefined)
      this.app.select({ kind: "node", id: item.id, stage: this.shown.stage });
    else if (item.tree.own !== undefined)
      this.app.select({ kind: "node", id: item.tree.own, stage: this.shown.stage });
    else if (item.tree.kind === "kernel")
      this.app.select({ kind: "step", plan: this.group.plan.name, step: item.tree.step });
    else this.app.select({ kind: "scope", tree: item.tree, stage: this.shown.stage });
  }

  // Marks what the page has selected: exactly here, or what stands for it in this graph.
  reselect() {
    const scene = this.graph.scene,
      sel = this.app.selection;
    if (!scene || !this.view) return;
    const look = this.graph.look;
    look.selected = new Set();
    look.linked = new Set();
    if (sel && sel.kind === "scope") {
      const i = scene.items.findIndex((item) => item.key === sel.tree.key);
      if (i >= 0) look.selected.add(i);
    }
    const rep = this.view.rep;
    const exact = this.standing(this.app.selectedIds()).filter((id) => rep.has(id));
    for (const id of exact) look.selected.add(rep.get(id));
    if (!exact.length)
      for (const id of this.app.linkedIds()) if (rep.has(id)) look.linked.add(rep.get(id));
    if (look.linked.size === scene.items.length) look.linked.clear();
    look.matches = new Set();
    for (const id of this.app.matches) if (rep.has(id)) look.matches.add(rep.get(id));
    look.hover = -1;
    this.graph.ask();
  }

  // A constant that is written into its readers' boxes is shown by them.
  standing(ids) {
    const readers = this.model.consumers(this.shown.stage);
    return ids.flatMap((id) =>
      this.inline.found.has(id) ? readers.get(id).map((r) => r[0]) : [id]
    );
  }

  // Opens what holds the nodes, then shows them.
  async reveal(ids, options = {}) {
    const here = this.standing(ids)
      .filter((id) => this.built.home.has(id))
      .slice(0, 400);
    if (!here.length) return false;
    let opened = false;
    for (const id of options.closed ? [] : here) {
      for (let t = this.built.home.get(id); t && t.parent; t = t.parent) {
        if (t.own === id || this.expanded.has(t.key)) continue;
        this.expanded.add(t.key);
        opened = true;
      }
    }
    const show = () => {
      this.reselect();
      this.graph.showItems([
        ...new Set(here.map((id) => this.view.rep.get(id)).filter((i) => i !== undefined)),
      ]);
    };
    if (opened) await this.rebuild({ fly: show });
    else show();
    return true;
  }

  // Arrow keys walk along the edges: down to a reader, up to an input, sideways to a neighbour.
  walk(dx, dy) {
    const scene = this.graph.scene,
      at = [...this.graph.look.selected][0];
    if (!scene || at === undefined) return false;
    const centre = (i) => [scene.x[i] + scene.w[i] / 2, scene.y[i] + scene.h[i] / 2];
    const [cx, cy] = centre(at);
    let near;
    if (dy)
      near = scene.edges
        .filter((e) => (dy > 0 ? e.a : e.b) === at)
        .map((e) => (dy > 0 ? e.b : e.a));
    else
      near = scene.items
        .map((_, i) => i)
        .filter((i) => {
          const [x, y] = centre(i);
          return (
            i !== at &&
            scene.items[i].parent === scene.items[at].parent &&
            (x - cx) * dx > 1 &&
            Math.abs(y - cy) < 40
          );
        });
    near.sort(
      (p, q) =>
        Math.hypot(centre(p)[0] - cx, centre(p)[1] - cy) -
        Math.hypot(centre(q)[0] - cx, centre(q)[1] - cy)
    );
    if (!near.length) return true;
    this.pick(near[0]);
    this.graph.look.selected = new Set([near[0]]);
    this.bringIntoView(near[0]);
    return true;
  }

  bringIntoView(i) {
    const { scene, camera: cam, canvas } = this.graph;
    const x = (scene.x[i] + scene.w[i] / 2 - cam.x) * cam.k,
      y = (scene.y[i] + scene.h[i] / 2 - cam.y) * cam.k;
    if (x > 60 && y > 50 && x < canvas.clientWidth - 60 && y < canvas.clientHeight - 50) return;
    cam.fly(
      {
        k: cam.k,
        x: cam.x + (x - canvas.clientWidth / 2) / cam.k,
        y: cam.y + (y - canvas.clientHeight / 2) / cam.k,
      },
      true
    );
  }

  tooltip(i, e) {
    if (i < 0 || !e || e.pointerType === "touch") this.controls.hideTip();
    else this.controls.showTip(this.graph.scene.items[i], e);
  }
}
