// What is drawn in which colour: kinds of ops, devices, kernels, heat.

const named = (text) => new RegExp(text.trim().split(/\s+/).join("|"));
const CATEGORIES = [
  ["product", "#4c6ef5", "Products", /matmul|gemm|conv|einsum|tensordot|depthwise|contract|dot$/],
  ["update", "#c2459f", "Updates", /assign|apply|scatter|update|train|adam|momentum/],
  [
    "variable",
    "#8a5cf0",
    "Variables",
    /^variable|^var|_variable|read_variable|^read$|ref$|queue|table/,
  ],
  ["input", "#2f9e5b", "Inputs", /placeholder|iterator|feed|^arg|param|point$|capture/],
  ["const", "#8d97a8", "Constants", /^const|^zeros|^ones|eye|fill|range|linspace/],
  ["random", "#d9578c", "Random", /random|rng|dropout|truncated|multinomial|philox/],
  ["control", "#c05a3c", "Control", /while|cond|loop|merge|switch|no_op|^group|case|assert/],
  [
    "reduce",
    "#e08a1e",
    "Reductions",
    named(`reduce ^sum _sum mean arg_?max arg_?min softmax cumsum norm pool moments top_k loss ^all$
      ^any$`),
  ],
  [
    "move",
    "#6b8299",
    "Movement",
    named(`reshape transpose concat slice gather pad tile stack split expand squeeze broadcast shape
      reverse identity cast copy patches view bound size rank`),
  ],
  ["host", "#9a8230", "Host", /string|py_func|print|parse|decode|encode|read|write|file|summary/],
  ["element", "#12a594", "Elementwise", /./],
];
const FAMILY = {
  elementwise: "element",
  reduction: "reduce",
  movement: "move",
  host: "host",
  control: "control",
  state: "update",
};
const NAMED = new Set(["product", "update", "variable", "input", "const", "random", "control"]);
const category = (() => {
  const known = new Map();
  return (node) => {
    const key = node.op + "/" + (node.family || "");
    if (!known.has(key)) {
      const op = node.op.toLowerCase();
      const named = CATEGORIES.find((c) => c[3].test(op));
      const family = FAMILY[node.family];
      known.set(
        key,
        NAMED.has(named[0]) || !family ? named : CATEGORIES.find((c) => c[0] === family)
      );
    }
    return known.get(key);
  };
})();

const HEAT = {
  light: ["#f3f1ec", "#fde4ae", "#fbb45c", "#ea6a3a", "#b3203a"].map(rgb),
  dark: ["#232833", "#4d3526", "#94491f", "#e07f26", "#ffd978"].map(rgb),
};
const WHAT = {
  op: "Kind of op",
  kernel: "Kernel",
  device: "Device",
  microseconds: "Time",
  bytes: "Bytes",
  flops: "FLOPs",
};
const METRIC_TEXT = { microseconds: timeText, bytes: bytesText, flops: flopsText };

// A fill with its border and ink, from one strong colour.
function paintOf(colour) {
  const ground = theme.dark ? rgb("#181c24") : rgb("#ffffff");
  const fill = mix(ground, colour, theme.dark ? 0.34 : 0.2);
  const border = mix(ground, colour, theme.dark ? 0.75 : 0.72);
  return {
    fill: css(fill),
    border: css(border),
    strong: css(colour),
    ink: theme.dark ? "#f1f4f9" : "#18202c",
  };
}

function heatPaint(t) {
  const colour = ramp(theme.dark ? HEAT.dark : HEAT.light, t);
  const bright = luminance(colour) > 0.52;
  const border = mix(colour, bright ? [0, 0, 0] : [255, 255, 255], 0.22);
  return {
    fill: css(colour),
    border: css(border),
    strong: css(colour),
    ink: bright ? "#18202c" : "#ffffff",
  };
}

const kernelColour = (i) => hsl((i * 137.508) % 360, 0.55, 0.52);

// Paints of items under a mode: op | kernel | device | microseconds | bytes | flops.
class Painter {
  constructor(model, plan, mode) {
    Object.assign(this, { model, plan, mode });
    this.paints = new Map();
    this.heat = METRIC_TEXT[mode] ? model.metric(plan, mode) : null;
    this.most = 0;
    this.devices = [];
  }

  scale(items) {
    // heat is relative to the hottest item drawn
    this.most = 0;
    if (this.heat)
      for (const item of items)
        if (!item.container) this.most = Math.max(this.most, this.value(item));
  }

  value(item) {
    if (item.id !== undefined) return this.heat.get(item.id) || 0;
    let sum = item.tree.own === undefined ? 0 : this.heat.get(item.tree.own) || 0;
    for (const id of item.tree.leaves()) sum += this.heat.get(id) || 0;
    return sum;
  }

  of(item) {
    if (this.heat) {
      const value = item.heat === undefined ? this.value(item) : item.heat;
      if (!value) return this.cached("plain", () => ({ ...paintOf(rgb("#9aa4b2")), pale: true }));
      return heatPaint(Math.sqrt(value / (this.most || 1)));
    }
    if (item.id === undefined) return this.ofTree(item);
    const node = this.model.nodes[item.id];
    if (this.mode === "device") return this.device(node);
    if (this.mode === "kernel") return this.kernel(item.id);
    const c = category(node);
    return this.cached(c[0], () => paintOf(rgb(c[1])));
  }

  ofTree(item) {
    if (item.tree.step !== undefined && this.mode === "kernel") {
      return this.cached("k" + item.tree.step, () => paintOf(kernelColour(item.tree.step)));
    }
    if (item.tree.step !== undefined && this.mode === "op") {
      const node = this.model.nodes[item.tree.lead];
      const c = category(node || { op: "" });
      return this.cached(c[0], () => paintOf(rgb(c[1])));
    }
    if (this.mode === "device") return this.device(this.model.nodes[item.tree.leaves()[0]]);
    return this.cached("scope", () => paintOf(rgb(theme.dark ? "#7d8aa0" : "#a9b4c4")));
  }

  device(node) {
    let name = node ? node.device : "";
    const step = this.plan && node ? this.plan.stepsFor(node.id)[0] : undefined;
    if (!name && step !== undefined) name = this.plan.doc.steps[step].device;
    name = name || "no device";
    if (!this.devices.includes(name)) this.devices.push(name);
    const k = this.devices.indexOf(name);
    return this.cached("d" + k, () =>
      paintOf(name === "no device" ? rgb("#9aa4b2") : hsl((160 + k * 137.5) % 360, 0.55, 0.5))
    );
  }

  kernel(id) {
    const steps = this.plan ? this.plan.stepsFor(id) : [];
    if (!steps.length)
      return this.cached("plain", () => ({ ...paintOf(rgb("#9aa4b2")), pale: true }));
    return this.cached("k" + steps[0], () => paintOf(kernelColour(steps[0])));
  }

  cached(key, make) {
    key = (theme.dark ? "d" : "l") + key;
    if (!this.paints.has(key)) this.paints.set(key, make());
    return this.paints.get(key);
  }

  legend(items) {
    if (this.heat) {
      if (!this.most) return [h("span.muted", {}, "nothing measured")];
      const stops = (theme.dark ? HEAT.dark : HEAT.light).map(css).join(",");
      return [
        h("span", {}, "0"),
        h("span.bar", { style: { background: `linear-gradient(90deg, ${stops})` } }),
        h("span", {}, METRIC_TEXT[this.mode](this.most)),
      ];
    }
    if (this.mode === "device") {
      return this.devices.map((d, k) =>
        swatch(
          this.cached("d" + k, () => paintOf([128, 128, 128])),
          clip(d, 24)
        )
      );
    }
    if (this.mode === "kernel")
      return [h("span.muted", {}, "one colour for each kernel; grey: no kernel of its own")];
    const seen = new Set();
    for (const item of items) {
      if (item.id !== undefined) seen.add(category(this.model.nodes[item.id])[0]);
      else for (const id of item.tree.sample()) seen.add(category(this.model.nodes[id])[0]);
    }
    return CATEGORIES.filter((c) => seen.has(c[0])).map((c) => swatch(paintOf(rgb(c[1])), c[2]));
  }
}

function swatch(paint, text) {
  return h(
    "span.swatch",
    {},
    h("i", { style: { background: paint.fill, borderColor: paint.border } }),
    text
  );
}
