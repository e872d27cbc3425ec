// The page: its views, what is selected, keys, the address. Starts everything.

const VIEWS = [
  ["graph", "Graph", GraphView],
  ["passes", "Passes", PassesView],
  ["kernels", "Kernels", KernelsView],
  ["schedule", "Schedule", ScheduleView],
  ["compare", "Compare", CompareView],
  ["lines", "Lines", LinesView],
];

class App {
  constructor(model) {
    this.model = model;
    this.selection = null;
    this.matches = [];
    this.modes = { scope: "op", kernel: model.plans.some((p) => p.timed) ? "microseconds" : "op" };
    this.codeTab = "nest";
    this.views = new Map();
    this.panel = new Panel(this);
    this.search = new Search(this);
    this.stageEl = h("main", { id: "view", tabIndex: -1 });
    const needs = {
      kernels: model.plans.length,
      schedule: model.plans.length,
      compare: model.plans.length > 1,
      passes: model.last,
    };
    const views = VIEWS.filter(([name]) => needs[name] === undefined || needs[name]);
    this.names = views.map(([name]) => name);
    this.tabs = h(
      "nav.views",
      { role: "tablist", "aria-label": "Views" },
      views.map(([name, title], i) =>
        h(
          "button",
          {
            type: "button",
            role: "tab",
            "data-view": name,
            title: `${title} (${i + 1})`,
            onclick: () => this.open(name),
          },
          title
        )
      )
    );
    const made = model.doc.made || {};
    document.body.append(
      h(
        "header",
        {},
        h(
          "div.title",
          { title: [made.date, made.machine].filter(Boolean).join(", ") },
          h("span.mark", {}),
          h("h1", {}, clip(model.doc.title || "graph", 120))
        ),
        this.tabs,
        this.search.el,
        h(
          "button.tool.theme",
          {
            type: "button",
            title: "Light or dark (T)",
            "aria-label": "Light or dark",
            onclick: () => this.flipTheme(),
          },
          h("span.half")
        ),
        h(
          "button.tool.help",
          {
            type: "button",
            title: "Overview and keys (?)",
            "aria-label": "Overview and keys",
            onclick: () => this.help(),
          },
          "?"
        )
      ),
      h("div.stagebox", {}, this.stageEl, this.panel.el)
    );
    document.addEventListener("keydown", (e) => this.key(e));
    addEventListener("hashchange", () => {
      if (!this.writing) this.restore();
    });
  }

  plan() {
    const schedule = this.views.get("schedule");
    return (this.view === "schedule" && schedule && schedule.plan) || this.model.plans[0] || null;
  }

  colour(pane) {
    return this.modes[pane.group.by];
  }

  setColour(mode, pane) {
    this.modes[pane.group.by] = mode;
    for (const p of this.panes()) p.recolour();
  }

  panes() {
    return [...this.views.values()].flatMap((v) => (v.panes ? v.panes() : v.pane ? [v.pane] : []));
  }

  current() {
    return this.views.get(this.view);
  }
  pane() {
    return this.current() && this.current().pane;
  }

  async open(name) {
    if (!this.names.includes(name)) name = this.names[0];
    this.view = name;
    document.documentElement.dataset.open = name;
    for (const tab of this.tabs.children)
      tab.setAttribute("aria-selected", String(tab.dataset.view === name));
    if (!this.views.has(name))
      this.views.set(name, new (VIEWS.find((v) => v[0] === name)[2])(this));
    const view = this.current();
    this.stageEl.replaceChildren(view.el);
    this.tabs
      .querySelector('[aria-selected="true"]')
      .scrollIntoView({ block: "nearest", inline: "nearest" });
    await view.open();
    this.reselect();
    this.remember();
    document.documentElement.dataset.shown = name;
  }

  openStage(k) {
    return this.open("passes").then(() => this.current().go(k));
  }

  // Selection ---------------------------------------------------------------------------------
  select(sel, show) {
    this.selection = sel;
    this.idsMemo = null;
    this.panel.show(sel);
    this.reselect();
    this.remember();
    if (show) this.reveal();
  }

  selectedIds() {
    if (!this.idsMemo) this.idsMemo = this.idsOf(this.selection);
    return this.idsMemo;
  }

  idsOf(sel) {
    if (!sel) return [];
    if (sel.kind === "node") return [sel.id];
    if (sel.kind === "step") return this.model.plan(sel.plan).doc.steps[sel.step].nodes;
    if (sel.kind === "buffer")
      return [this.model.plan(sel.plan).doc.buffers[sel.buffer].node].filter(
        (id) => this.model.nodes[id]
      );
    if (sel.kind === "scope") return [];
    return sel.ids || [];
  }

  // nodes of other stages that stand for what is selected
  linkedIds() {
    const sel = this.selection;
    const ids = sel && sel.kind === "scope" ? sel.tree.leaves() : this.selectedIds();
    const found = new Set();
    for (const id of ids.slice(0, 3000)) {
      found.add(id);
      for (const u of this.model.users(id)) found.add(u);
      for (const f of this.model.finals(id)) found.add(f);
      if (this.view === "passes")
        for (const m of this.model.standFor(id, this.current().k)) found.add(m);
    }
    return found;
  }

  setMatches(ids) {
    this.matches = ids;
    for (const pane of this.panes()) pane.reselect();
  }

  reselect() {
    const view = this.current();
    if (!view) return;
    if (view.reselect) view.reselect();
    for (const pane of view.panes ? view.panes() : view.pane ? [view.pane] : []) pane.reselect();
  }

  idsInSight() {
    const pane = this.pane();
    if (pane && pane.shown) return pane.shown.ids;
    return this.model.stage(this.view === "schedule" ? this.model.last : 0);
  }

  // To a node: in the graph in sight when it is there, else in one that has it.
  async goTo(id) {
    const pane = this.pane();
    let stage = pane && pane.shown ? pane.shown.stage : 0;
    if (pane && pane.shown && !new Set(pane.shown.ids).has(id)) {
      const [first] = this.model.life(id);
      if (first === 0) {
        await this.open("graph");
        stage = 0;
      } else if (first > 0 && this.names.includes("passes")) {
        await this.openStage(first);
        stage = first;
      }
    }
    this.select({ kind: "node", id, stage });
    await this.reveal();
  }

  async reveal() {
    const view = this.current();
    for (const pane of view.panes ? view.panes() : view.pane ? [view.pane] : []) {
      if (!pane.built) continue;
      const exact = this.selectedIds().filter((id) => pane.built.home.has(id));
      const wanted = exact.length ? exact : [...this.linkedIds()];
      await pane.reveal(wanted, { closed: this.selection && this.selection.kind !== "node" });
    }
  }

  // The address says what is in sight, so that a link to it can be kept. ----------------------
  remember() {
    const sel = this.selection,
      parts = [this.view];
    if (this.view === "passes") parts.push("stage=" + this.current().k);
    if (sel && sel.kind === "node") parts.push("node=" + sel.id);
    if (sel && sel.kind === "step") parts.push(`step=${encodeURIComponent(sel.plan)}:${sel.step}`);
    this.writing = true;
    try {
      history.replaceState(null, "", "#" + parts.join("&"));
    } catch (error) {
      // a page shown inside another one may not have an address
      this.addressless = true;
    }
    this.writing = false;
  }

  async restore() {
    const [name, ...rest] = location.hash.slice(1).split("&");
    const said = Object.fromEntries(rest.map((p) => p.split("=")));
    await this.open(name || "graph");
    if (said.stage && this.view === "passes") this.current().go(Number(said.stage));
    if (said.node && this.model.nodes[said.node]) await this.goTo(Number(said.node));
    if (said.step) {
      const [plan, step] = decodeURIComponent(said.step).split(":");
      const found = this.model.plans.find((p) => p.name === plan);
      if (found && found.doc.steps[step])
        this.select({ kind: "step", plan, step: Number(step) }, true);
    }
  }

  flipTheme() {
    theme.set(!theme.dark);
    try {
      localStorage.setItem("graphc-theme", theme.dark ? "dark" : "light");
    } catch (error) {
      // storage may be switched off: the choice lasts as long as the page
      this.storeless = true;
    }
  }

  help() {
    this.select(null);
    this.panel.el.classList.toggle("chosen", true);
  }

  key(e) {
    const typing =
      /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) &&
      e.target.type !== "range" &&
      e.target.type !== "checkbox";
    if (typing || e.ctrlKey || e.metaKey || e.altKey) return;
    const pane = this.pane(),
      view = this.current();
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const zooms = { "+": 1.35, "=": 1.35, "-": 1 / 1.35, _: 1 / 1.35 };
    if (e.key === "/") this.search.focus();
    else if (/^[1-9]$/.test(e.key) && this.names[e.key - 1]) this.open(this.names[e.key - 1]);
    else if (e.key === "Escape") this.select(null);
    else if (e.key === "t" || e.key === "T") this.flipTheme();
    else if (e.key === "?") this.help();
    else if ((e.key === "[" || e.key === "]") && view.go)
      view.go(view.k + (e.key === "[" ? -1 : 1));
    else if (pane && zooms[e.key]) pane.graph.camera.zoom(zooms[e.key]);
    else if (pane && e.key === "0") pane.graph.fit();
    else if (pane && e.key === "E") pane.expandAll();
    else if (pane && e.key === "C") pane.collapseAll();
    else if (pane && e.key === "f") this.reveal();
    else if (pane && (e.key === "e" || e.key === "Enter") && e.target.tagName !== "BUTTON")
      this.toggleChosen(pane);
    else if (
      pane &&
      arrows[e.key] &&
      e.target.type !== "range" &&
      !e.target.closest("aside,.rail")
    ) {
      const [dx, dy] = arrows[e.key];
      if (e.shiftKey || !pane.walk(dx, dy)) pane.graph.camera.pan(dx * 80, dy * 80);
    } else return;
    e.preventDefault();
  }

  toggleChosen(pane) {
    const chosen = [...pane.graph.look.selected][0];
    if (chosen === undefined) return;
    const item = pane.graph.scene.items[chosen];
    const tree = item.tree || pane.built.home.get(item.id);
    if (tree && tree.parent) pane.toggle(tree.key);
  }
}

async function start() {
  const asked = matchMedia("(prefers-color-scheme: dark)");
  let kept = null;
  try {
    kept = localStorage.getItem("graphc-theme");
  } catch (error) {
    // as above
    kept = null;
  }
  theme.set(kept ? kept === "dark" : asked.matches);
  asked.addEventListener("change", () => theme.set(asked.matches));
  const note = document.getElementById("loading");
  try {
    const model = new Model(await unpack("document"));
    const app = new App(model);
    window.graphcView = app;
    app.panel.show(null);
    note.remove();
    await app.restore();
    document.documentElement.dataset.ready = String(Math.round(performance.now()));
  } catch (error) {
    note.textContent = "This page could not be opened: " + error.message;
    throw error;
  }
}

start();
