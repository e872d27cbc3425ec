// Small helpers: elements, numbers as people read them, the theme.
"use strict";

// h("div.name", {title: "t", onclick: f}, children...): text is always a text node, never markup.
function h(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const el = document.createElement(name || "div");
  if (classes.length) el.className = classes.join(" ");
  for (const [key, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
    else if (key === "style") Object.assign(el.style, value);
    else if (key in el && key !== "list" && !key.startsWith("aria")) el[key] = value;
    else el.setAttribute(key, value);
  }
  put(el, children);
  return el;
}

function put(el, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    el.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return el;
}

function refill(el, ...children) {
  el.textContent = "";
  return put(el, children);
}

function svg(tag, props, ...children) {
  const el = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(props || {})) el.setAttribute(key, value);
  return put(el, children);
}

function digits(x) {
  const size = Math.abs(x);
  return size >= 100 ? x.toFixed(0) : size >= 10 ? x.toFixed(1) : x.toFixed(2);
}

function scaled(x, base, units) {
  if (x === 0) return "0 " + units[0];
  let k = 0;
  while (Math.abs(x) >= base && k + 1 < units.length) {
    x /= base;
    k++;
  }
  return (k === 0 && Number.isInteger(x) ? String(x) : digits(x)) + " " + units[k];
}

const bytesText = (x) => scaled(x, 1000, ["B", "kB", "MB", "GB", "TB"]);
const flopsText = (x) => scaled(x, 1000, ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"]);
const timeText = (us) =>
  us === null || us === undefined
    ? "–"
    : us < 1
      ? scaled(us * 1000, 1000, ["ns"])
      : scaled(us, 1000, ["µs", "ms", "s"]);
const countText = (n, one, many) =>
  n.toLocaleString("en") + " " + (n === 1 ? one : many || one + "s");

const SHORT = {
  float32: "f32",
  float64: "f64",
  float16: "f16",
  bfloat16: "bf16",
  int8: "i8",
  int16: "i16",
  int32: "i32",
  int64: "i64",
  uint8: "u8",
  uint16: "u16",
  uint32: "u32",
  uint64: "u64",
  complex64: "c64",
  complex128: "c128",
  string: "str",
  bool: "bool",
};

function shapeText(shape) {
  if (!shape) return "[…]";
  return "[" + shape.map((d) => (d === null ? "?" : d)).join(", ") + "]";
}

function tensorText(output) {
  if (!output) return "";
  const dtype = SHORT[output.dtype] || output.dtype;
  return output.shape && !output.shape.length ? dtype : dtype + " " + shapeText(output.shape);
}

function clip(text, most) {
  return text.length > most ? text.slice(0, most - 1) + "…" : text;
}

// Long names lose their middle: both ends tell names apart.
function middle(text, most) {
  if (text.length <= most) return text;
  const front = Math.ceil((most - 1) * 0.55);
  return text.slice(0, front) + "…" + text.slice(text.length - (most - 1 - front));
}

function debounce(call, ms) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...args), ms);
  };
}

// Colours as [r, g, b]. ---------------------------------------------------------------------
function rgb(hex) {
  const n = parseInt(hex.slice(1), 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
}

function mix(a, b, t) {
  return a.map((x, i) => Math.round(x + (b[i] - x) * t));
}

const css = (c) => `rgb(${c[0]},${c[1]},${c[2]})`;
const luminance = (c) => (0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]) / 255;

function hsl(hue, s, l) {
  const a = s * Math.min(l, 1 - l);
  return [0, 8, 4].map((n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (l - a * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  });
}

function ramp(stops, t) {
  const at = Math.max(0, Math.min(1, t)) * (stops.length - 1),
    k = Math.min(Math.floor(at), stops.length - 2);
  return mix(stops[k], stops[k + 1], at - k);
}

const theme = {
  dark: false,
  colours: {},
  listeners: [],
  set(dark) {
    this.dark = dark;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    const style = getComputedStyle(document.documentElement);
    for (const name of [
      "bg",
      "surface",
      "raised",
      "ink",
      "muted",
      "faint",
      "line",
      "accent",
      "edge",
      "gradient",
      "control",
      "added",
      "removed",
      "into",
      "outof",
      "group",
      "match",
    ]) {
      this.colours[name] = style.getPropertyValue("--" + name).trim();
    }
    for (const call of this.listeners) call();
  },
};
