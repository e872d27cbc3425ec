// Search over the ops of the graph in sight: words, and op: dtype: shape: line: for one field.

class Search {
  constructor(app) {
    this.app = app;
    this.model = app.model;
    this.input = h("input", {
      type: "search",
      placeholder: "Search   /",
      "aria-label": "Search ops",
      spellcheck: false,
      autocomplete: "off",
      oninput: debounce(() => this.run(), 80),
      onkeydown: (e) => this.key(e),
      onfocus: () => this.run(),
    });
    this.list = h("div.results", { hidden: true, role: "listbox" });
    this.el = h("div.search", {}, this.input, this.list);
    document.addEventListener("pointerdown", (e) => {
      if (!this.el.contains(e.target)) this.list.hidden = true;
    });
  }

  focus() {
    this.input.focus();
    this.input.select();
  }

  // a test for one node
  compile(text) {
    const tests = text
      .toLowerCase()
      .split(/\s+/)
      .filter(Boolean)
      .map((word) => {
        const field = /^(op|dtype|shape|line|name):(.+)$/.exec(word);
        if (!field) return (n) => this.text(n).includes(word);
        const want = field[2];
        return {
          op: (n) => n.op.toLowerCase().includes(want),
          name: (n) => n.name.toLowerCase().includes(want),
          dtype: (n) => n.outputs.some((o) => o.dtype.includes(want) || SHORT[o.dtype] === want),
          shape: (n) => n.outputs.some((o) => shapeText(o.shape).replace(/\s/g, "").includes(want)),
          line: (n) => {
            const p = this.model.place(n);
            return Boolean(p) && `${p.file.path}:${p.line}`.toLowerCase().includes(want);
          },
        }[field[1]];
      });
    return (n) => tests.every((test) => test(n));
  }

  text(n) {
    if (n.low === undefined) n.low = (n.name + " " + n.op).toLowerCase();
    return n.low;
  }

  run() {
    const text = this.input.value.trim();
    this.at = -1;
    if (!text) {
      this.list.hidden = true;
      this.app.setMatches([]);
      return;
    }
    const test = this.compile(text),
      ids = this.app.idsInSight();
    const found = ids.filter((id) => test(this.model.nodes[id]));
    const want = text.toLowerCase();
    const rank = (id) => {
      const n = this.model.nodes[id],
        low = n.short.toLowerCase();
      return (
        (low === want || n.op.toLowerCase() === want ? 0 : low.startsWith(want) ? 1 : 2) * 1e4 +
        Math.min(9999, n.name.length)
      );
    };
    const best =
      found.length <= 3000
        ? found
            .map((id) => [rank(id), id])
            .sort((a, b) => a[0] - b[0])
            .map((p) => p[1])
        : found;
    this.found = best;
    this.app.setMatches(found);
    refill(
      this.list,
      h(
        "div.count",
        { role: "status" },
        found.length ? countText(found.length, "op") : "nothing found"
      ),
      best.slice(0, 60).map((id, i) => this.row(id, i)),
      found.length > 1
        ? h(
            "button.all",
            { type: "button", onclick: () => this.showAll() },
            "show all on the graph"
          )
        : null
    );
    this.list.hidden = false;
  }

  row(id, i) {
    const n = this.model.nodes[id];
    return h(
      "button.row",
      { type: "button", role: "option", "data-at": i, onclick: () => this.take(i) },
      h("i.dot", { style: { background: category(n)[1] } }),
      h("b", {}, clip(n.op, 22)),
      h("span", {}, middle(n.name, 60)),
      h("em", {}, n.outputs[0] ? tensorText(n.outputs[0]) : "")
    );
  }

  take(i) {
    const id = this.found[i];
    if (id === undefined) return;
    this.mark(i);
    this.list.hidden = true;
    this.app.goTo(id);
  }

  showAll() {
    this.list.hidden = true;
    const pane = this.app.pane();
    if (pane) pane.reveal(this.found, { closed: this.found.length > 40 });
  }

  mark(i) {
    this.at = i;
    for (const row of this.list.querySelectorAll(".row")) {
      const here = Number(row.dataset.at) === i;
      row.setAttribute("aria-selected", String(here));
      if (here) row.scrollIntoView({ block: "nearest" });
    }
  }

  key(e) {
    if (e.key === "Escape") {
      this.input.value = "";
      this.run();
      this.input.blur();
    } else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      if (!this.found || !this.found.length) return;
      this.list.hidden = false;
      const n = Math.min(60, this.found.length);
      this.mark((this.at + (e.key === "ArrowDown" ? 1 : -1) + n) % n);
    } else if (e.key === "Enter") {
      if (!this.found || !this.found.length) this.run();
      const n = this.found ? this.found.length : 0;
      if (n) this.take(this.list.hidden ? (this.at + 1) % n : Math.max(0, this.at));
    } else return;
    e.stopPropagation();
  }
}
