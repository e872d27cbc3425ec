// The schedule of a plan: buffers in the arena over the steps, a timeline, the table of steps.

class ScheduleView {
  constructor(app) {
    this.app = app;
    this.model = app.model;
    this.sort = { by: "index", down: false };
    this.which = h(
      "select",
      { "aria-label": "Plan", onchange: () => this.setPlan(this.which.value) },
      this.model.plans.map((p) => h("option", { value: p.name }, p.name))
    );
    this.sums = h("div.sums");
    this.memory = new MemoryChart(this);
    this.timeline = new Timeline(this);
    this.table = new StepTable(this);
    this.el = h(
      "div.view.schedule",
      {},
      h("div.head", {}, h("label", {}, "Plan ", this.which), this.sums),
      h("div.charts", {}, this.memory.el, this.timeline.el),
      this.table.el
    );
    theme.listeners.push(() => this.draw());
  }

  setPlan(name) {
    this.plan = this.model.plan(name);
    this.which.value = this.plan.name;
    const d = this.plan.doc;
    const sum = (title, value) => h("span", {}, h("b", {}, value), " " + title);
    refill(
      this.sums,
      sum("kernels", d.kernel_count.toLocaleString("en")),
      d.run_microseconds ? sum("a run", timeText(d.run_microseconds)) : null,
      sum("moved", bytesText(d.bytes)),
      sum("", flopsText(d.flops)),
      sum(
        d.device && d.device !== "cpu" ? `arena on ${d.device}` : "arena",
        bytesText(d.arena_bytes)
      )
    );
    this.memory.set(this.plan);
    this.timeline.set(this.plan);
    this.table.set(this.plan);
  }

  open() {
    if (!this.plan && this.model.plans.length) this.setPlan(this.app.plan().name);
    this.draw();
  }

  draw() {
    if (!this.plan || !this.el.isConnected) return;
    this.memory.draw();
    this.timeline.draw();
    this.table.draw();
  }

  chosen() {
    // [steps, buffers] of the selection in this plan
    const sel = this.app.selection;
    if (!sel || !this.plan) return [new Set(), new Set()];
    if (sel.kind === "buffer" && sel.plan === this.plan.name)
      return [new Set(), new Set([sel.buffer])];
    if (sel.kind === "step" && sel.plan === this.plan.name)
      return [new Set([sel.step]), new Set(this.plan.doc.steps[sel.step].writes)];
    const steps = new Set();
    for (const id of this.app.selectedIds().slice(0, 500))
      for (const s of this.plan.stepsFor(id)) steps.add(s);
    return [steps, new Set()];
  }

  reselect() {
    this.draw();
    const [steps] = this.chosen();
    if (steps.size) this.table.bring(Math.min(...steps));
  }

  pickStep(step) {
    this.app.select({ kind: "step", plan: this.plan.name, step });
  }
  pickBuffer(buffer) {
    this.app.select({ kind: "buffer", plan: this.plan.name, buffer });
  }
}

// A canvas that knows its size, with a tip at the pointer.
class Chart {
  constructor(view, label, title) {
    this.view = view;
    this.canvas = h("canvas", { role: "img", "aria-label": label });
    this.tip = h("div.tip", { hidden: true });
    this.el = h("div.chart", {}, h("h3", {}, title), h("div.plot", {}, this.canvas, this.tip));
    this.canvas.addEventListener("pointermove", (e) => this.hover(e));
    this.canvas.addEventListener("pointerleave", () => {
      this.tip.hidden = true;
    });
    this.canvas.addEventListener("click", (e) => {
      const hit = this.find(e.offsetX, e.offsetY);
      if (hit !== null) this.pick(hit);
    });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  begin() {
    const w = this.canvas.clientWidth,
      hgt = this.canvas.clientHeight,
      ratio = Math.min(2, devicePixelRatio || 1);
    if (!w || !hgt || !this.plan) return null;
    this.canvas.width = w * ratio;
    this.canvas.height = hgt * ratio;
    const ctx = this.canvas.getContext("2d");
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.font = `11px ${FONT}`;
    return { ctx, w, hgt };
  }

  hover(e) {
    const hit = this.find(e.offsetX, e.offsetY);
    this.tip.hidden = hit === null;
    this.canvas.style.cursor = hit === null ? "" : "pointer";
    if (hit === null) return;
    refill(this.tip, this.say(hit));
    const x = Math.min(e.offsetX + 14, this.canvas.clientWidth - this.tip.offsetWidth - 4);
    Object.assign(this.tip.style, { left: Math.max(0, x) + "px", top: e.offsetY + 16 + "px" });
  }
}

const LEFT = 62,
  FOOT = 20;

// Buffers as rectangles: steps from left to right, their place in the arena from bottom to top.
class MemoryChart extends Chart {
  constructor(view) {
    super(
      view,
      "Memory over the steps",
      "Memory: buffers in the arena, and the bytes alive at each step"
    );
  }

  set(plan) {
    this.plan = plan;
    this.arena = plan.doc.buffers
      .map((b, i) => [b, i])
      .filter(([b]) => b.offset >= 0 && b.bytes > 0);
    this.steps = Math.max(1, plan.doc.steps.length);
    const memory = plan.doc.memory || [];
    this.top = Math.max(
      1,
      plan.doc.arena_bytes,
      memory.reduce((a, b) => Math.max(a, b), 0),
      this.arena.reduce((m, [b]) => Math.max(m, b.offset + b.bytes), 0)
    );
  }

  x(step) {
    return LEFT + (step / this.steps) * (this.canvas.clientWidth - LEFT - 6);
  }
  y(bytes) {
    return 6 + (1 - bytes / this.top) * (this.canvas.clientHeight - FOOT - 6);
  }

  draw() {
    const at = this.begin();
    if (!at) return;
    const { ctx, w, hgt } = at,
      c = theme.colours,
      memory = this.plan.doc.memory || [];
    const [, chosen] = this.view.chosen();
    const [steps] = this.view.chosen();
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    for (let k = 0; k <= 4; k++) {
      const y = this.y((this.top * k) / 4);
      ctx.fillStyle = c.line;
      ctx.fillRect(LEFT, Math.round(y), w - LEFT, 1);
      ctx.fillStyle = c.muted;
      ctx.fillText(bytesText((this.top * k) / 4), LEFT - 6, Math.max(7, y));
    }
    ctx.fillStyle = c.accent;
    ctx.globalAlpha = 0.12;
    for (const s of steps)
      ctx.fillRect(this.x(s), 6, Math.max(2, this.x(s + 1) - this.x(s)), hgt - FOOT - 6);
    ctx.globalAlpha = 1;
    for (const [b, i] of this.arena) {
      const x = this.x(b.first),
        y = this.y(b.offset + b.bytes);
      const p = paintOf(kernelColour(b.first));
      const width = Math.max(1.5, this.x(b.last + 1) - x - 1),
        height = Math.max(1, this.y(b.offset) - y - 0.5);
      ctx.fillStyle = p.fill;
      ctx.fillRect(x, y, width, height);
      if (width < 3 || height < 3) continue;
      ctx.strokeStyle = chosen.has(i) ? c.accent : p.border;
      ctx.lineWidth = chosen.has(i) ? 2.5 : 1;
      ctx.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
    }
    ctx.beginPath();
    memory.forEach((m, s) => {
      ctx.lineTo(this.x(s), this.y(m));
      ctx.lineTo(this.x(s + 1), this.y(m));
    });
    ctx.strokeStyle = c.ink;
    ctx.lineWidth = 1.5;
    ctx.stroke();
    ctx.fillStyle = c.muted;
    ctx.textBaseline = "alphabetic";
    ctx.textAlign = "left";
    ctx.fillText("step 0", LEFT, hgt - 5);
    ctx.textAlign = "right";
    ctx.fillText(String(this.steps - 1), w - 6, hgt - 5);
    if (!this.arena.length) {
      ctx.textAlign = "center";
      ctx.fillText("this plan keeps nothing in an arena", w / 2, hgt / 2);
    }
  }

  find(px, py) {
    for (let k = this.arena.length - 1; k >= 0; k--) {
      const [b, i] = this.arena[k];
      if (
        px >= this.x(b.first) &&
        px <= Math.max(this.x(b.first) + 2, this.x(b.last + 1)) &&
        py <= this.y(b.offset) &&
        py >= this.y(b.offset + b.bytes)
      )
        return i;
    }
    return null;
  }

  say(i) {
    const b = this.plan.doc.buffers[i],
      n = this.view.model.nodes[b.node];
    return [
      h("b", {}, bytesText(b.bytes)),
      h("div.name", {}, n ? middle(n.name, 70) : "scratch"),
      h("div.muted", {}, `steps ${b.first} to ${b.last}, at ${b.offset.toLocaleString("en")}`),
    ];
  }

  pick(i) {
    this.view.pickBuffer(i);
  }
}

// The steps as a bar: as wide as they take long, or as the bytes they move when nothing was timed.
class Timeline extends Chart {
  constructor(view) {
    super(view, "Timeline of the steps", "");
    this.el.classList.add("timeline");
  }

  set(plan) {
    this.plan = plan;
    this.what = plan.timed ? "microseconds" : "bytes";
    this.el.querySelector("h3").textContent = plan.timed
      ? "Timeline: one run, as wide as each step takes long"
      : "Timeline: as wide as the bytes each step moves (nothing was timed)";
    this.ends = [0];
    for (const s of plan.doc.steps)
      this.ends.push(this.ends[this.ends.length - 1] + (s[this.what] || 0));
  }

  x(i) {
    const all = this.ends[this.ends.length - 1] || 1;
    return LEFT + (this.ends[i] / all) * (this.canvas.clientWidth - LEFT - 6);
  }

  draw() {
    const at = this.begin();
    if (!at) return;
    const { ctx, w, hgt } = at,
      c = theme.colours,
      [chosen] = this.view.chosen();
    ctx.textBaseline = "middle";
    this.plan.doc.steps.forEach((s, i) => {
      const x = this.x(i),
        width = this.x(i + 1) - x;
      if (width < 0.2) return;
      const p = paintOf(kernelColour(i));
      ctx.fillStyle = width < 3 ? p.border : p.fill;
      ctx.fillRect(x, 2, Math.max(0.4, width - (width > 3 ? 1 : 0)), hgt - FOOT - 4);
      if (width > 3) {
        ctx.strokeStyle = chosen.has(i) ? c.accent : p.border;
        ctx.lineWidth = chosen.has(i) ? 3 : 1;
        ctx.strokeRect(x + 0.5, 2.5, width - 2, hgt - FOOT - 5);
      } else if (chosen.has(i)) {
        ctx.fillStyle = c.accent;
        ctx.fillRect(x, 0, 2, hgt - FOOT);
      }
      if (width > 46) {
        ctx.save();
        ctx.beginPath();
        ctx.rect(x, 0, width - 6, hgt);
        ctx.clip();
        ctx.fillStyle = p.ink;
        ctx.textAlign = "left";
        ctx.fillText(s.name, x + 6, (hgt - FOOT) / 2);
        ctx.restore();
      }
    });
    ctx.fillStyle = c.muted;
    ctx.textBaseline = "alphabetic";
    ctx.textAlign = "left";
    ctx.fillText("0", LEFT, hgt - 5);
    ctx.textAlign = "right";
    ctx.fillText(METRIC_TEXT[this.what](this.ends[this.ends.length - 1]), w - 6, hgt - 5);
  }

  find(px, py) {
    if (px < LEFT || py > this.canvas.clientHeight - FOOT) return null;
    for (let i = 0; i < this.plan.doc.steps.length; i++)
      if (px >= this.x(i) && px < this.x(i + 1)) return i;
    return null;
  }

  say(i) {
    const s = this.plan.doc.steps[i];
    return [
      h("b", {}, middle(s.name, 60)),
      h("div", {}, `step ${i} · ${s.kind}`),
      h(
        "div.muted",
        {},
        [s.microseconds && timeText(s.microseconds), bytesText(s.bytes), flopsText(s.flops)]
          .filter(Boolean)
          .join(" · ")
      ),
    ];
  }

  pick(i) {
    this.view.pickStep(i);
  }
}

// The steps as rows, sorted by any column; only the rows in sight are elements.
const ROW = 30;

class StepTable {
  constructor(view) {
    this.view = view;
    this.head = h("div.row.header", { role: "row" });
    this.body = h("div.rows", { role: "rowgroup", onscroll: () => this.draw() });
    this.space = h("div");
    this.body.append(this.space);
    this.el = h("div.steps", { role: "table", "aria-label": "Steps" }, this.head, this.body);
    new ResizeObserver(() => this.draw()).observe(this.body);
  }

  columns() {
    const rate = (what, s) => (s.microseconds ? s[what] / s.microseconds / 1e3 : 0);
    const heat = (what) => ({ bar: what });
    return [
      ["index", "#", (s, i) => i, (v) => v],
      ["kind", "Kind", (s) => s.kind, (v) => v],
      ["name", "Step", (s) => s.name, (v) => v],
      this.plan.timed
        ? [
            "microseconds",
            "Time",
            (s) => s.microseconds || 0,
            (v) => timeText(v),
            heat("microseconds"),
          ]
        : null,
      ["bytes", "Bytes", (s) => s.bytes, bytesText, heat("bytes")],
      this.plan.timed ? ["bandwidth", "GB/s", (s) => rate("bytes", s), digits] : null,
      ["flops", "FLOPs", (s) => s.flops, flopsText, heat("flops")],
      this.plan.timed ? ["arithmetic", "GFLOP/s", (s) => rate("flops", s), digits] : null,
      ["ops", "Ops", (s) => s.nodes.length, (v) => v],
    ].filter(Boolean);
  }

  set(plan) {
    this.plan = plan;
    const { sort } = this.view;
    this.most = {};
    for (const [name, , get, , more] of this.columns())
      if (more) this.most[name] = Math.max(1e-9, ...plan.doc.steps.map(get));
    refill(
      this.head,
      this.columns().map(([name, title]) =>
        h(
          "button.c-" + name,
          {
            type: "button",
            role: "columnheader",
            "aria-sort": sort.by === name ? (sort.down ? "descending" : "ascending") : "none",
            onclick: () => {
              this.view.sort = {
                by: name,
                down: sort.by === name ? !sort.down : !["index", "kind", "name"].includes(name),
              };
              this.set(plan);
              this.body.scrollTop = 0;
              this.draw();
            },
          },
          title,
          sort.by === name ? (sort.down ? " ↓" : " ↑") : ""
        )
      )
    );
    const get = this.columns().find((c) => c[0] === this.view.sort.by) || this.columns()[0];
    const value = plan.doc.steps.map((s, i) => get[2](s, i));
    this.order = value
      .map((_, i) => i)
      .sort(
        (a, b) =>
          (value[a] < value[b] ? -1 : value[a] > value[b] ? 1 : 0) * (sort.down ? -1 : 1) || a - b
      );
    this.space.style.height = this.order.length * ROW + "px";
    this.drawn = "";
  }

  draw() {
    if (!this.plan) return;
    const from = Math.max(0, Math.floor(this.body.scrollTop / ROW) - 4);
    const to = Math.min(
      this.order.length,
      from + Math.ceil((this.body.clientHeight || 600) / ROW) + 9
    );
    const [chosen] = this.view.chosen(),
      columns = this.columns();
    refill(
      this.space,
      this.order.slice(from, to).map((i, k) => {
        const step = this.plan.doc.steps[i];
        return h(
          chosen.has(i) ? "div.row.chosen" : "div.row",
          {
            role: "row",
            tabIndex: 0,
            style: { top: (from + k) * ROW + "px" },
            onclick: () => this.view.pickStep(i),
            onkeydown: (e) => {
              if (e.key === "Enter") this.view.pickStep(i);
            },
          },
          columns.map(([name, , get, text, more]) =>
            h(
              "span.c-" + name,
              { role: "cell", title: name === "name" ? clip(step.name, 300) : "" },
              more
                ? h("i", { style: { width: `${(100 * get(step, i)) / this.most[name]}%` } })
                : null,
              name === "name"
                ? [
                    h("i.dot", { style: { background: css(kernelColour(i)) } }),
                    "  ".repeat(step.inside || 0),
                    clip(step.name, 120),
                  ]
                : h("u", {}, text(get(step, i)))
            )
          )
        );
      })
    );
  }

  bring(i) {
    const at = this.order.indexOf(i) * ROW,
      { scrollTop, clientHeight } = this.body;
    if (at < scrollTop || at > scrollTop + clientHeight - ROW)
      this.body.scrollTop = Math.max(0, at - clientHeight / 3);
  }
}
