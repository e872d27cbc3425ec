// The text and the size of every box, then the layout: in a worker when there is much to do.

const FONT =
  '"Inter","Segoe UI",system-ui,-apple-system,"Helvetica Neue",Arial,"Noto Sans",sans-serif';
const WIDTHS = new Map();
const ruler = document.createElement("canvas").getContext("2d");

function textWidth(text, font) {
  const key = font + text;
  let width = WIDTHS.get(key);
  if (width === undefined) {
    ruler.font = font;
    width = ruler.measureText(text).width;
    WIDTHS.set(key, width);
  }
  return width;
}
const TITLE = `600 13px ${FONT}`,
  SMALL = `11px ${FONT}`;

// item.lines: [title, under, chips]
function describe(model, item, plan, chips) {
  if (item.id !== undefined) {
    const n = model.nodes[item.id];
    const [kind] = category(n);
    const named = kind === "variable" || kind === "input"; // these are known by their names
    item.title = named ? middle(own(n), 28) : clip(n.op, 30);
    item.under = named ? clip(n.op, 26) : n.short === n.op ? "" : middle(n.short, 26);
    const values = chips.get(item.id) || [];
    item.chips = clip(values.slice(0, 3).join("  ") + (values.length > 3 ? "  …" : ""), 34);
  } else if (item.tree.kind === "kernel") {
    const step = plan.doc.steps[item.tree.step];
    item.title = middle(step.name, 34);
    const time = step.microseconds ? timeText(step.microseconds) + " · " : "";
    item.under = `${countText(step.nodes.length, "op")} · ${time}${bytesText(step.bytes)}`;
    item.chips = "";
  } else {
    const { own, size, label } = item.tree;
    item.title = middle(
      own === undefined || model.nodes[own].op === label
        ? label
        : `${model.nodes[own].op} ${label}`,
      34
    );
    item.under = countText(own === undefined ? size : size - 1, "op");
    item.chips = "";
  }
  const width = Math.max(
    textWidth(item.title, TITLE),
    textWidth(item.under, SMALL),
    textWidth(item.chips, SMALL) + 10
  );
  item.w = Math.max(64, Math.ceil(width) + 28);
  item.h = 10 + 16 + (item.under ? 15 : 0) + (item.chips ? 18 : 0) + 9;
  if (item.tree && !item.container) {
    item.h += 8;
    item.w += 14;
  }
  if (item.container) item.w = Math.ceil(textWidth(item.title, TITLE)) + 110;

  function own(n) {
    // outside of its scope, with the scope's last part
    if (item.parent >= 0 || !n.scope) return n.short;
    return n.scope.slice(n.scope.lastIndexOf("/") + 1) + "/" + n.short;
  }
}

function layoutInput(view) {
  const n = view.items.length;
  const input = {
    n,
    parent: new Int32Array(n),
    w: new Float64Array(n),
    h: new Float64Array(n),
    container: new Uint8Array(n),
    src: [],
    dst: [],
    cls: [],
  };
  view.items.forEach((item, i) => {
    input.parent[i] = item.parent;
    input.w[i] = item.w;
    input.h[i] = item.h;
    input.container[i] = item.container ? 1 : 0;
  });
  for (const e of view.edges) {
    input.src.push(e.a);
    input.dst.push(e.b);
    input.cls.push(e.cls);
  }
  return input;
}

const layouts = {
  local: layoutModule(ranksModule(), orderModule(), coordinatesModule()),
  worker: null,
  failed: false,
  waiting: new Map(),
  next: 0,

  // A promise of the layout; small ones are made at once, so that nothing flickers.
  run(input) {
    if (input.n < 400 || this.failed) return Promise.resolve(this.local.layout(input));
    try {
      this.start();
    } catch (error) {
      this.failed = true; // no workers in this browser: the page waits instead
      return Promise.resolve(this.local.layout(input));
    }
    return new Promise((resolve) => {
      const id = this.next++;
      this.waiting.set(id, { resolve, input });
      this.worker.postMessage({ id, input });
    });
  },

  start() {
    if (this.worker) return;
    const text =
      `const parts = [(${ranksModule})(), (${orderModule})(), (${coordinatesModule})()];` +
      `const m = (${layoutModule})(...parts);` +
      "onmessage = (e) => postMessage({ id: e.data.id, made: m.layout(e.data.input) });";
    this.worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
    this.worker.onmessage = (e) => {
      this.waiting.get(e.data.id).resolve(e.data.made);
      this.waiting.delete(e.data.id);
    };
    this.worker.onerror = (e) => {
      e.preventDefault();
      this.failed = true;
      for (const { resolve, input } of this.waiting.values()) resolve(this.local.layout(input));
      this.waiting.clear();
    };
  },
};
