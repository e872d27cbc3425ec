// The graph after each pass: a slider, the rules that fired, before, after and what changed.

// What a pass did. Nodes never change, so all that read a new one are new as well: an old and a new
// node of one name are twins, shown as one, and marked only where they differ in themselves.
function passChange(model, k) {
  return model.memo("change" + k, () => {
    const marks = new Map(),
      twins = new Map(),
      count = { added: 0, removed: 0, changed: 0 };
    if (k === 0) return { marks, twins, count };
    const { added, removed } = model.doc.stages[k];
    for (const key of [(n) => n.name + "\n" + n.op, (n) => n.name]) {
      const old = new Map();
      for (const id of removed) if (!twins.has(id)) old.set(key(model.nodes[id]), id);
      const taken = new Set(twins.values());
      for (const id of added) {
        const was = taken.has(id) ? undefined : old.get(key(model.nodes[id]));
        if (was === undefined) continue;
        twins.set(was, id);
        old.delete(key(model.nodes[id]));
      }
    }
    const twinned = new Set(twins.values());
    for (const id of removed) if (!twins.has(id)) marks.set(id, "removed");
    for (const id of added) if (!twinned.has(id)) marks.set(id, "added");
    for (const [old, made] of twins) if (differs(old, made)) marks.set(made, "changed");
    for (const kind of marks.values()) count[kind]++;
    return { marks, twins, count };

    function differs(old, made) {
      const a = model.nodes[old],
        b = model.nodes[made];
      if (
        a.op !== b.op ||
        a.inputs.length !== b.inputs.length ||
        a.control.length !== b.control.length
      )
        return true;
      if (
        a.inputs.some(
          ([id, out], i) => (twins.get(id) ?? id) !== b.inputs[i][0] || out !== b.inputs[i][1]
        )
      )
        return true;
      return (
        JSON.stringify(a.attrs) !== JSON.stringify(b.attrs) ||
        JSON.stringify(a.outputs) !== JSON.stringify(b.outputs)
      );
    }
  });
}

class PassesView {
  constructor(app) {
    this.app = app;
    this.model = app.model;
    this.pane = new GraphPane(app, { group: { by: "scope" } });
    this.k = Math.min(1, this.model.last);
    this.mode = "changes";
    this.slider = h("input", {
      type: "range",
      min: 0,
      max: this.model.last,
      step: 1,
      value: this.k,
      "aria-label": "Stage",
      oninput: () => this.go(Number(this.slider.value)),
    });
    this.ticks = h("div.ticks");
    this.modes = h(
      "div.segmented",
      { role: "radiogroup", "aria-label": "What to show" },
      [
        ["before", "Before"],
        ["changes", "Changes"],
        ["after", "After"],
      ].map(([name, title]) =>
        h(
          "button",
          { type: "button", role: "radio", "data-mode": name, onclick: () => this.setMode(name) },
          title
        )
      )
    );
    this.title = h("div.stage");
    this.rules = h("div.rules");
    const arrow = (text, title, d) =>
      h(
        "button.tool",
        { type: "button", title, "aria-label": title, onclick: () => this.go(this.k + d) },
        text
      );
    this.el = h(
      "div.view.passes",
      {},
      h("div.rail", {}, this.title, this.rules),
      h(
        "div.main",
        {},
        h(
          "div.slide",
          {},
          arrow("‹", "Pass before ([)", -1),
          h("div.track", {}, this.slider, this.ticks),
          arrow("›", "Pass after (])", 1),
          this.modes
        ),
        this.pane.el
      )
    );
    this.fillTicks();
  }

  fillTicks() {
    const { stages } = this.model.doc;
    const changes = stages.map((_, k) => {
      const { added, removed, changed } = passChange(this.model, k).count;
      return added + removed + changed;
    });
    const most = Math.max(1, ...changes);
    refill(
      this.ticks,
      stages.map((s, k) => {
        const change = changes[k];
        return h("i", {
          title: `${k}: ${s.name}`,
          style: {
            left: `${this.model.last ? (100 * k) / this.model.last : 0}%`,
            height: `${change ? 4 + 12 * Math.sqrt(change / most) : 2}px`,
          },
        });
      })
    );
  }

  go(k) {
    k = Math.max(0, Math.min(this.model.last, k));
    if (k === this.k && this.shown) return;
    this.k = k;
    this.slider.value = k;
    this.refresh();
    this.app.remember();
  }

  setMode(mode) {
    this.mode = mode;
    this.refresh();
  }

  open() {
    if (!this.shown) {
      const { stages } = this.model.doc; // the first pass whose rules fired
      const first = stages.findIndex((s) => s.rules && s.rules.length);
      if (first > 0 && this.k === 1) this.k = first;
      this.slider.value = this.k;
    }
    return this.refresh();
  }

  refresh() {
    this.shown = true;
    const { stages } = this.model.doc,
      stage = stages[this.k];
    this.slider.setAttribute("aria-valuetext", stage.name);
    for (const b of this.modes.children)
      b.setAttribute("aria-checked", String(b.dataset.mode === this.mode));
    refill(
      this.title,
      h("h2", {}, stage.name),
      h(
        "p.muted",
        {},
        `stage ${this.k} of ${this.model.last}`,
        stage.milliseconds ? ` · ${digits(stage.milliseconds)} ms` : ""
      ),
      this.counts()
    );
    this.fillRules(stage);
    return this.pane.show(this.what(stage));
  }

  counts() {
    const all = countText(this.model.stage(this.k).length, "op");
    if (!this.k) return h("p.change", {}, all);
    const { count } = passChange(this.model, this.k);
    const part = (kind, n, text) =>
      n > 0 && h("b." + kind, {}, `${n.toLocaleString("en")} ${text}`);
    return h(
      "p.change",
      {},
      part("plus", count.added, "new"),
      part("minus", count.removed, "gone"),
      part("changed", count.changed, "changed"),
      h(
        "span.muted",
        {},
        count.added + count.removed + count.changed ? `${all} now` : `nothing changed, ${all}`
      )
    );
  }

  what(stage) {
    const k = this.k;
    if (k === 0) return { stage: 0, ids: this.model.stage(0), marks: null };
    const { marks, twins } = passChange(this.model, k);
    if (!marks.size) return { stage: k, ids: this.model.stage(k), marks: null };
    if (this.mode === "after") return { stage: k, ids: this.model.stage(k), marks };
    if (this.mode === "before") {
      const before = new Map([...marks].filter(([, kind]) => kind === "removed"));
      for (const [old, made] of twins) before.set(old, marks.get(made));
      return { stage: k - 1, ids: this.model.stage(k - 1), marks: before };
    }
    const ids = this.model.memo("union" + k, () => [
      ...new Set([
        ...this.model.stage(k - 1).filter((id) => !twins.has(id)),
        ...this.model.stage(k),
      ]),
    ]);
    return { stage: k, ids, marks };
  }

  fillRules(stage) {
    const rules = stage.rules || [];
    if (!rules.length) {
      refill(
        this.rules,
        h(
          "p.muted",
          {},
          this.k === 0
            ? "The graph as it was built. Move the slider to see what each pass made of it."
            : stage.added.length + stage.removed.length
              ? "This pass works on the whole graph: it has no rules of its own."
              : "This pass changed nothing."
        )
      );
      return;
    }
    refill(
      this.rules,
      rules.map((rule) => {
        const events = rule.events || [];
        const list = h("div.events");
        const details = h(
          "details",
          {
            ontoggle: () => {
              if (details.open && !list.childElementCount) this.fillEvents(list, rule, events);
            },
          },
          h(
            "summary",
            {},
            h("b", {}, rule.rule),
            h("em", {}, "×" + rule.count.toLocaleString("en")),
            h("span.doc", {}, rule.doc)
          ),
          list
        );
        return details;
      })
    );
  }

  fillEvents(list, rule, events) {
    const all = [...new Set(events.flatMap(([old, made]) => [...old, ...made]))].filter(
      (id) => this.model.nodes[id]
    );
    if (all.length)
      list.append(
        h(
          "button.more",
          { type: "button", onclick: () => this.point(rule.rule, all) },
          "show all of them"
        )
      );
    const names = (ids) =>
      ids
        .filter((id) => this.model.nodes[id])
        .slice(0, 3)
        .map((id) => this.model.nodes[id].op + " " + middle(this.model.nodes[id].short, 24))
        .join(", ") || "nothing";
    for (const [old, made] of events.slice(0, 200)) {
      list.append(
        h(
          "button.event",
          { type: "button", onclick: () => this.point(rule.rule, [...old, ...made]) },
          h("span.minus", {}, names(old)),
          h("span.plus", {}, names(made))
        )
      );
    }
    if (events.length > 200) list.append(h("p.muted", {}, `and ${events.length - 200} more`));
  }

  async point(name, ids) {
    if (this.mode !== "changes") {
      this.mode = "changes";
      await this.refresh();
    }
    const { twins } = passChange(this.model, this.k);
    ids = [...new Set(ids.filter((id) => this.model.nodes[id]).map((id) => twins.get(id) ?? id))];
    this.app.select({ kind: "rule", name, ids, stage: this.k });
    await this.pane.reveal(ids);
  }
}
