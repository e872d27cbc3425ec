// The details of what is selected: a node, a scope, a step, a buffer, a line, or the whole.

class Panel {
  constructor(app) {
    this.app = app;
    this.model = app.model;
    this.body = h("div.body");
    this.el = h(
      "aside.details",
      { "aria-label": "Details" },
      h(
        "button.close",
        {
          type: "button",
          title: "Close (Esc)",
          "aria-label": "Close details",
          onclick: () => app.select(null),
        },
        "×"
      ),
      this.body
    );
    this.grip = h("div.grip", { title: "Drag to resize" });
    this.grip.addEventListener("pointerdown", (e) => {
      this.grip.setPointerCapture(e.pointerId);
      this.grip.onpointermove = (m) => {
        const width = Math.max(280, Math.min(innerWidth - 320, innerWidth - m.clientX));
        document.documentElement.style.setProperty("--details", width + "px");
      };
    });
    this.grip.addEventListener("pointerup", () => {
      this.grip.onpointermove = null;
    });
    this.el.prepend(this.grip);
  }

  show(sel) {
    const parts = !sel ? this.overview() : this[sel.kind](sel);
    refill(this.body, parts);
    this.body.scrollTop = 0;
    this.el.classList.toggle("chosen", Boolean(sel));
  }

  section(title, ...parts) {
    return h("section", {}, h("h3", {}, title), parts);
  }

  link(id, extra) {
    const n = this.model.nodes[id];
    if (!n) return h("span.muted", {}, "node " + id);
    const colour = category(n)[1];
    return h(
      "button.link",
      { type: "button", title: n.name, onclick: () => this.app.goTo(id) },
      h("i.dot", { style: { background: colour } }),
      h("b", {}, clip(n.op, 24)),
      " ",
      h("span", {}, middle(n.name, 44)),
      extra ? h("em", {}, extra) : null
    );
  }

  links(ids, extra = () => "") {
    const most = 12,
      rows = ids.slice(0, most).map((id, i) => this.link(id, extra(id, i)));
    if (ids.length > most) {
      const rest = h(
        "button.more",
        {
          type: "button",
          onclick: () =>
            rest.replaceWith(
              ...ids.slice(most, 500).map((id, i) => this.link(id, extra(id, i + most)))
            ),
        },
        `${countText(ids.length - most, "more", "more")} …`
      );
      rows.push(rest);
    }
    return rows;
  }

  facts(rows) {
    return h(
      "dl",
      {},
      rows
        .filter((r) => r && r[1] !== "" && r[1] !== null && r[1] !== undefined)
        .map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])
    );
  }

  // ------------------------------------------------------------------------------------------
  overview() {
    const { doc } = this.model,
      made = doc.made || {};
    const ids = this.model.stage(0);
    const gradients = ids.filter((id) => this.model.nodes[id].gradient).length;
    return [
      h("h2", {}, clip(doc.title || "graph", 200)),
      this.facts([
        [
          "Ops",
          ids.length.toLocaleString("en") +
            (gradients ? `, ${gradients.toLocaleString("en")} of them gradients` : ""),
        ],
        ["After the passes", countText(this.model.stage(this.model.last).length, "op")],
        [
          "Made",
          String(made.date || "")
            .replace("T", " ")
            .slice(0, 16),
        ],
        ["graphc", made.graphc],
        ["Python", made.python],
        ["Machine", made.machine],
      ]),
      this.model.plans.length ? this.section("Plans", planTable(this.model.plans)) : null,
      this.section("Keys", keysTable()),
    ];
  }

  node(sel) {
    const n = this.model.nodes[sel.id],
      c = category(n),
      stage = sel.stage ?? 0;
    const place = this.model.place(n);
    const readers = [...new Set((this.model.consumers(stage).get(sel.id) || []).map((r) => r[0]))];
    const inside = this.inside(n);
    return [
      h(
        "div.kind",
        {},
        h("i.dot", { style: { background: c[1] } }),
        c[2],
        n.gradient ? h("span.tag.grad", {}, "gradient") : null,
        n.device ? h("span.tag", {}, clip(n.device, 40)) : null
      ),
      h("h2", {}, n.op),
      h("p.fullname", {}, n.name),
      place
        ? this.section(
            "Written at",
            h(
              "p.where",
              {},
              `${place.file.path}:${place.line}`,
              place.where ? ` in ${place.where}` : ""
            ),
            excerpt(this.model, place)
          )
        : null,
      n.outputs.length
        ? this.section(
            n.outputs.length > 1 ? "Outputs" : "Output",
            n.outputs
              .slice(0, 24)
              .map((o, i) =>
                h(
                  "div.tensor",
                  {},
                  n.outputs.length > 1 ? h("i", {}, i) : null,
                  `${o.dtype} ${shapeText(o.shape)}`
                )
              )
          )
        : null,
      n.inputs.length
        ? this.section(
            "Inputs",
            this.links(
              n.inputs.map((i) => i[0]),
              (id, i) =>
                tensorText((this.model.nodes[id] || { outputs: [] }).outputs[n.inputs[i][1]])
            )
          )
        : null,
      n.control.length ? this.section("Runs after", this.links(n.control)) : null,
      readers.length ? this.section("Read by", this.links(readers)) : null,
      inside.length ? this.section("Its body", this.links(inside)) : null,
      Object.keys(n.attrs).length
        ? this.section(
            "Attributes",
            this.facts(Object.entries(n.attrs).map(([k, v]) => [k, clip(String(v), 600)]))
          )
        : null,
      this.history(n),
      this.model.plans.map((plan) => this.compiled(plan, sel.id)),
    ];
  }

  inside(n) {
    return (n.body || []).filter((id) => this.model.nodes[id]);
  }

  // what the passes made of it, and what it was made of
  history(n) {
    const [first, last] = this.model.life(n.id),
      stages = this.model.doc.stages;
    const parts = [];
    const finals = this.model.finals(n.id);
    if (first > 0) parts.push(h("p", {}, "Made by ", this.passLink(first), "."));
    if (last >= 0 && last < this.model.last)
      parts.push(h("p", {}, "Taken away by ", this.passLink(last + 1), "."));
    for (let k = Math.max(1, first); k <= Math.min(this.model.last, last + 1); k++) {
      for (const rule of stages[k].rules || []) {
        for (const [old, made] of (rule.events || []).slice(0, 2000)) {
          if (!old.includes(n.id) && !made.includes(n.id)) continue;
          if (!old.includes(n.id) && k !== first) continue;
          parts.push(h("p.rule", {}, h("b", {}, rule.rule), " ", h("span.muted", {}, rule.doc)));
          break;
        }
      }
    }
    const users = this.model.users(n.id).filter((u) => u !== n.id);
    if (users.length) parts.push(h("h4", {}, "Stands for"), this.links(users));
    if (!finals.includes(n.id) && finals.length)
      parts.push(h("h4", {}, "Became"), this.links(finals));
    if (!finals.length) parts.push(h("p.muted", {}, "Nothing of it is left in the last stage."));
    return parts.length ? this.section("Through the passes", parts) : null;
  }

  passLink(k) {
    return h(
      "button.inline",
      { type: "button", onclick: () => this.app.openStage(k) },
      this.model.doc.stages[k].name
    );
  }

  scope(sel) {
    return this.many(
      sel.tree.kind === "scope"
        ? "Name scope"
        : sel.tree.kind === "loop"
          ? "Loop or branch"
          : "Part",
      sel.tree.path || sel.tree.label,
      sel.tree.leaves(),
      sel
    );
  }

  line(sel) {
    const place = { file: this.model.doc.files[sel.file], line: sel.line };
    return [
      h("div.kind", {}, "Line of your program"),
      h("p.where", {}, `${place.file.path}:${place.line}`),
      excerpt(this.model, place),
      this.many("", "", sel.ids, sel),
    ];
  }

  rule(sel) {
    return this.many(
      `Rule of the pass ${clip(this.model.doc.stages[sel.stage].name, 60)}`,
      sel.name,
      sel.ids,
      sel
    );
  }

  many(kind, title, ids, sel) {
    const counts = new Map();
    for (const id of ids)
      counts.set(this.model.nodes[id].op, (counts.get(this.model.nodes[id].op) || 0) + 1);
    const ops = [...counts].sort((a, b) => b[1] - a[1]),
      most = ops.length ? ops[0][1] : 1;
    const plan = this.app.plan();
    const sum = (what) =>
      ids.reduce((s, id) => s + (this.model.metric(plan, what).get(id) || 0), 0);
    return [
      kind ? h("div.kind", {}, kind) : null,
      title ? h("h2", {}, title) : null,
      this.facts([
        ["Ops", ids.length.toLocaleString("en")],
        plan && plan.timed && sum("microseconds") ? ["Time", timeText(sum("microseconds"))] : null,
        plan && sum("bytes") ? ["Bytes", bytesText(sum("bytes"))] : null,
        plan && sum("flops") ? ["FLOPs", flopsText(sum("flops"))] : null,
      ]),
      sel.kind === "scope"
        ? h(
            "button.wide",
            {
              type: "button",
              onclick: () => this.app.pane() && this.app.pane().toggle(sel.tree.key),
            },
            "Open or close (E)"
          )
        : null,
      this.section(
        "Ops by kind",
        h(
          "div.bars",
          {},
          ops
            .slice(0, 14)
            .map(([op, n]) =>
              h(
                "div",
                {},
                h("span", {}, op),
                h("i", {
                  style: {
                    width: `${(100 * n) / most}%`,
                    background: category(
                      this.model.nodes[ids.find((id) => this.model.nodes[id].op === op)]
                    )[1],
                  },
                }),
                h("em", {}, n)
              )
            )
        )
      ),
      ids.length <= 200 || sel.kind !== "scope"
        ? this.section("All of them", this.links(ids))
        : null,
    ];
  }
}
