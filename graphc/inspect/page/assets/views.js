// The other views: the graph as built, kernels, two plans side by side, lines of the program.

class GraphView {
  constructor(app) {
    this.pane = new GraphPane(app, { group: { by: "scope" } });
    this.app = app;
    this.el = h("div.view", {}, this.pane.el);
  }

  open() {
    return this.pane.show({ stage: 0, ids: this.app.model.stage(0), marks: null });
  }
}

class KernelsView {
  constructor(app) {
    this.app = app;
    this.pane = new GraphPane(app, { group: { by: "kernel", plan: app.plan() } });
    this.el = h("div.view", {}, this.pane.el);
  }

  open() {
    const k = this.app.model.last;
    return this.pane.show({ stage: k, ids: this.app.model.stage(k), marks: null });
  }
}

class CompareView {
  constructor(app) {
    this.app = app;
    const { plans } = app.model;
    this.sides = [plans[0], plans[1] || plans[0]].map((plan, i) => this.side(plan, i));
    const table = h(
      "details.figures",
      { open: innerHeight > 880 && innerWidth > 760 },
      h("summary", {}, this.summary(plans)),
      planTable(plans)
    );
    this.el = h(
      "div.view.compare",
      {},
      table,
      h(
        "div.sides",
        {},
        this.sides.map((s) => s.el)
      )
    );
  }

  // the first plan against the second, in one line
  summary([a, b]) {
    if (!b) return "Figures";
    const ratio = (get) => (get(a.doc) && get(b.doc) ? get(b.doc) / get(a.doc) : null);
    const says = (x, more, less) =>
      x === null ? null : x >= 1 ? `${digits(x)}× ${more}` : `${digits(1 / x)}× ${less}`;
    const parts = [
      countText(a.doc.kernel_count, "kernel") +
        ` instead of ${b.doc.kernel_count.toLocaleString("en")}`,
      says(
        ratio((d) => d.bytes),
        "fewer bytes",
        "more bytes"
      ),
      says(
        ratio((d) => d.run_microseconds),
        "faster",
        "slower"
      ),
    ];
    return `${a.name} against ${b.name}: ${parts.filter(Boolean).join(", ")}`;
  }

  side(plan, i) {
    const side = { plan };
    side.choose = h(
      "select",
      {
        "aria-label": i ? "Plan on the right" : "Plan on the left",
        onchange: () => {
          side.plan = this.app.model.plan(side.choose.value);
          this.fill(side);
          this.openSide(side);
        },
      },
      this.app.model.plans.map((p) => h("option", { value: p.name, selected: p === plan }, p.name))
    );
    side.sum = h("span.muted");
    side.body = h("div.hold");
    side.el = h("div.side", {}, h("div.head", {}, side.choose, side.sum), side.body);
    this.fill(side);
    return side;
  }

  fill(side) {
    const d = side.plan.doc;
    side.pane = new GraphPane(this.app, {
      group: { by: "kernel", plan: side.plan },
      overview: true,
    });
    refill(
      side.sum,
      [countText(d.kernel_count, "kernel"), d.run_microseconds && timeText(d.run_microseconds)]
        .concat(bytesText(d.bytes))
        .filter(Boolean)
        .join(" · ")
    );
    refill(side.body, side.pane.el);
  }

  openSide(side) {
    const k = this.app.model.last;
    return side.pane.show({ stage: k, ids: this.app.model.stage(k), marks: null });
  }

  get pane() {
    return this.sides[0].pane;
  }
  panes() {
    return this.sides.map((s) => s.pane);
  }

  open() {
    return Promise.all(this.sides.map((s) => this.openSide(s)));
  }
}

// The user's program with what each line costs.
class LinesView {
  constructor(app) {
    this.app = app;
    this.model = app.model;
    this.list = h("div.listing");
    this.el = h("div.view.lines", {}, this.list);
  }

  open() {
    if (this.filled) return;
    this.filled = true;
    const plan = this.app.plan(),
      lines = new Map();
    const what = ["microseconds", "bytes", "flops"].filter(
      (w) => plan && (w !== "microseconds" || plan.timed)
    );
    for (const id of this.model.stage(0)) {
      const place = this.model.place(this.model.nodes[id]);
      if (!place) continue;
      const key = place.index + ":" + place.line;
      if (!lines.has(key)) lines.set(key, { place, ids: [], sums: what.map(() => 0) });
      const entry = lines.get(key);
      entry.ids.push(id);
      what.forEach((w, i) => {
        entry.sums[i] += this.model.metric(plan, w).get(id) || 0;
      });
    }
    const most = what.map((_, i) => Math.max(1e-9, ...[...lines.values()].map((l) => l.sums[i])));
    this.rows = new Map();
    if (!lines.size) {
      refill(this.list, h("p.empty", {}, "No lines of a program are known for this graph."));
      return;
    }
    refill(
      this.list,
      this.model.doc.files.map((file, f) => this.file(file, f, lines, what, most))
    );
  }

  file(file, f, lines, what, most) {
    const numbers = Object.keys(file.lines || {})
      .map(Number)
      .sort((a, b) => a - b);
    const head = h(
      "div.row.header",
      {},
      h("span.no", {}, ""),
      h("span.src", {}, file.path),
      what.map((w) => h("span.cost", {}, WHAT[w])),
      h("span.count", {}, "Ops")
    );
    let before = null;
    const rows = numbers.flatMap((n) => {
      const entry = lines.get(f + ":" + n),
        gap = before !== null && n > before + 1;
      before = n;
      const src = h("span.src", {}, highlighted(clip(file.lines[n], 400), "numba"));
      const row = entry
        ? h(
            "button.row.used",
            {
              type: "button",
              onclick: () =>
                this.app.select({ kind: "line", file: f, line: n, ids: entry.ids, stage: 0 }),
            },
            h("span.no", {}, n),
            src,
            entry.sums.map((v, i) =>
              h(
                "span.cost",
                {},
                h("i", { style: { width: `${(100 * v) / most[i]}%` } }),
                h("u", {}, v ? METRIC_TEXT[what[i]](v) : "")
              )
            ),
            h("span.count", {}, entry.ids.length)
          )
        : h("div.row", {}, h("span.no", {}, n), src);
      if (entry) this.rows.set(f + ":" + n, row);
      return gap ? [h("div.gap", {}, "⋯"), row] : [row];
    });
    return h("section", {}, head, rows);
  }

  reselect() {
    if (!this.rows) return;
    const chosen = new Set();
    for (const id of this.app.selectedIds().slice(0, 2000)) {
      for (const u of [id, ...this.model.users(id)]) {
        const place = this.model.place(this.model.nodes[u]);
        if (place) chosen.add(place.index + ":" + place.line);
      }
    }
    for (const [key, row] of this.rows) row.classList.toggle("chosen", chosen.has(key));
  }
}
