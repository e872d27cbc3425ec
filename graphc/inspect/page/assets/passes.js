// The graph after each pass: a slider, the rules that fired, before, after and what changed.

class PassesView {
  constructor(app) {
    this.app = app;
    this.model = app.model;
    this.pane = new GraphPane(app, { group: { by: "scope" } });
    this.k = Math.min(1, this.model.last);
    this.mode = "changes";
    this.slider = h("input", { type: "range", min: 0, max: this.model.last, step: 1, value: this.k,
      "aria-label": "Stage", oninput: () => this.go(Number(this.slider.value)) });
    this.ticks = h("div.ticks");
    this.modes = h("div.segmented", { role: "radiogroup", "aria-label": "What to show" },
      [["before", "Before"], ["changes", "Changes"], ["after", "After"]].map(([name, title]) =>
        h("button", { type: "button", role: "radio", "data-mode": name, onclick: () => this.setMode(name) }, title)));
    this.title = h("div.stage");
    this.rules = h("div.rules");
    const arrow = (text, title, d) => h("button.tool", { type: "button", title, "aria-label": title, onclick: () => this.go(this.k + d) }, text);
    this.el = h("div.view.passes", {},
      h("div.rail", {}, this.title, this.rules),
      h("div.main", {}, h("div.slide", {}, arrow("‹", "Pass before ([)", -1), h("div.track", {}, this.slider, this.ticks), arrow("›", "Pass after (])", 1), this.modes), this.pane.el));
    this.fillTicks();
  }

  fillTicks() {
    const { stages } = this.model.doc;
    const most = Math.max(1, ...stages.slice(1).map((s) => s.added.length + s.removed.length));
    refill(this.ticks, stages.map((s, k) => {
      const change = k ? s.added.length + s.removed.length : 0;
      return h("i", { title: `${k}: ${s.name}`, style: { left: `${this.model.last ? (100 * k) / this.model.last : 0}%`,
        height: `${change ? 4 + 12 * Math.sqrt(change / most) : 2}px` } });
    }));
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
      const { stages } = this.model.doc; // the first pass that did something
      const first = stages.findIndex((s, i) => i && s.added.length + s.removed.length);
      if (first > 0 && this.k === 1) this.k = first;
      this.slider.value = this.k;
    }
    return this.refresh();
  }

  refresh() {
    this.shown = true;
    const { stages } = this.model.doc, stage = stages[this.k];
    this.slider.setAttribute("aria-valuetext", stage.name);
    for (const b of this.modes.children) b.setAttribute("aria-checked", String(b.dataset.mode === this.mode));
    refill(this.title, h("h2", {}, stage.name), h("p.muted", {}, `stage ${this.k} of ${this.model.last}`,
      stage.milliseconds ? ` · ${digits(stage.milliseconds)} ms` : ""),
      h("p.change", {}, this.k ? [h("b.plus", {}, "+" + stage.added.length), h("b.minus", {}, "−" + stage.removed.length), ` → ${countText(this.model.stage(this.k).length, "op")}`]
        : countText(this.model.stage(0).length, "op")));
    this.fillRules(stage);
    return this.pane.show(this.what(stage));
  }

  what(stage) {
    const k = this.k;
    if (k === 0 || this.mode === "after") return { stage: k, ids: this.model.stage(k), marks: this.marks("added", stage.added) };
    if (this.mode === "before") return { stage: k - 1, ids: this.model.stage(k - 1), marks: this.marks("removed", stage.removed) };
    const ids = this.model.memo("union" + k, () => [...new Set([...this.model.stage(k - 1), ...this.model.stage(k)])]);
    return { stage: k, ids, marks: this.marks("added", stage.added, stage.removed) };
  }

  marks(kind, ids, removed) {
    if (this.k === 0 || !(ids.length + (removed || []).length)) return null;
    const marks = new Map(ids.map((id) => [id, kind]));
    for (const id of removed || []) marks.set(id, "removed");
    return marks;
  }

  fillRules(stage) {
    const rules = stage.rules || [];
    if (!rules.length) {
      refill(this.rules, h("p.muted", {}, this.k === 0 ? "The graph as it was built. Move the slider to see what each pass made of it."
        : stage.added.length + stage.removed.length ? "This pass works on the whole graph: it has no rules of its own." : "This pass changed nothing."));
      return;
    }
    refill(this.rules, rules.map((rule) => {
      const events = rule.events || [];
      const list = h("div.events");
      const details = h("details", { ontoggle: () => {
        if (details.open && !list.childElementCount) this.fillEvents(list, rule, events);
      } }, h("summary", {}, h("b", {}, rule.rule), h("em", {}, "×" + rule.count.toLocaleString("en")), h("span.doc", {}, rule.doc)), list);
      return details;
    }));
  }

  fillEvents(list, rule, events) {
    const all = [...new Set(events.flatMap(([old, made]) => [...old, ...made]))].filter((id) => this.model.nodes[id]);
    if (all.length) list.append(h("button.more", { type: "button", onclick: () => this.point(rule.rule, all) }, "show all of them"));
    const names = (ids) => ids.filter((id) => this.model.nodes[id]).slice(0, 3).map((id) => this.model.nodes[id].op + " " + middle(this.model.nodes[id].short, 24)).join(", ") || "nothing";
    for (const [old, made] of events.slice(0, 200)) {
      list.append(h("button.event", { type: "button", onclick: () => this.point(rule.rule, [...old, ...made]) },
        h("span.minus", {}, names(old)), h("span.plus", {}, names(made))));
    }
    if (events.length > 200) list.append(h("p.muted", {}, `and ${events.length - 200} more`));
  }

  async point(name, ids) {
    if (this.mode !== "changes") {
      this.mode = "changes";
      await this.refresh();
    }
    ids = ids.filter((id) => this.model.nodes[id]);
    this.app.select({ kind: "rule", name, ids, stage: this.k });
    await this.pane.reveal(ids);
  }
}
