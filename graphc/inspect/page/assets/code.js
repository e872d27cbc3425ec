// Texts of code: the user's lines and what kernels became, with light colours.

const words = (text) => new Set(text.split(/\s+/).filter(Boolean));
const KEYWORDS = {
  numba: words(`def for in range if else elif return while and or not import from as with None True
    False pass lambda`),
  nest: words(`kernel for in load store if else while reduce lanes body end return step tile rows
    accumulate init parallel vector`),
  llvm: words(`define declare ret br label load store getelementptr inbounds fadd fsub fmul fdiv add
    sub mul icmp fcmp select phi call void ptr to target attributes switch and or xor shl i1 i8 i16
    i32 i64 float double half x nsw nuw private internal constant shufflevector insertelement
    extractelement bitcast sext zext trunc align alloca`),
};
// comments, texts, numbers (and names of values), words
const NUMBER = /\b(0x[\da-f]+|\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?)\b/;
const pattern = (...parts) => new RegExp(parts.map((p) => p.source).join("|"), "g");
const TOKEN = {
  numba: pattern(
    /(#[^\n]*)/,
    /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')/,
    NUMBER,
    /([A-Za-z_]\w*)/
  ),
  nest: pattern(/(#[^\n]*)/, /("(?:[^"\\\n]|\\.)*")/, NUMBER, /([A-Za-z_]\w*)/),
  llvm: pattern(
    /(;[^\n]*)/,
    /("[^"\n]*")/,
    /([%@][\w.$-]+|\b0x[\dA-Fa-f]+|\b\d[\d.]*(?:e[+-]?\d+)?\b)/,
    /([A-Za-z_][\w.]*)/
  ),
  asm: pattern(
    /((?:#|\/\/)[^\n]*)/,
    /("[^"\n]*")/,
    /(%[\w]+|\$?-?\b(?:0x[\da-f]+|\d+)\b)/,
    /(\.?[A-Za-z_][\w.]*)/
  ),
};
const CLASS = ["", "com", "str", "num"];

function highlighted(text, language) {
  const out = document.createDocumentFragment();
  const token = TOKEN[language];
  if (!token || text.length > 60000) {
    out.append(text);
    return out;
  }
  let at = 0;
  for (const m of text.matchAll(token)) {
    const kind = m[1] ? 1 : m[2] ? 2 : m[3] ? 3 : 0;
    const word = kind === 0 && (language === "asm" ? first(m.index) : KEYWORDS[language].has(m[4]));
    if (!kind && !word) continue;
    if (m.index > at) out.append(text.slice(at, m.index));
    out.append(h("span." + (word ? "key" : CLASS[kind]), {}, m[0]));
    at = m.index + m[0].length;
  }
  out.append(text.slice(at));
  return out;

  function first(index) { // an instruction begins its line
    return /(^|\n)\s*$/.test(text.slice(Math.max(0, index - 40), index));
  }
}

function copyButton(text) {
  const button = h(
    "button.copy",
    {
      type: "button",
      title: "Copy",
      onclick: async () => {
        try {
          await navigator.clipboard.writeText(text());
          button.textContent = "copied";
        } catch (error) {
          // pages opened as files may not have a clipboard
          const range = document.createRange();
          range.selectNodeContents(button.parentElement.querySelector("pre"));
          const selection = getSelection();
          selection.removeAllRanges();
          selection.addRange(range);
          button.textContent = "selected";
        }
        setTimeout(() => {
          button.textContent = "copy";
        }, 1200);
      },
    },
    "copy"
  );
  return button;
}

function codeBlock(text, language) {
  const count = text.split("\n").length;
  const numbers = Array.from({ length: Math.min(count, 20000) }, (_, i) => i + 1).join("\n");
  return h(
    "div.code",
    {},
    copyButton(() => text),
    h(
      "div.scroll",
      { tabIndex: 0 },
      h("pre.numbers", { "aria-hidden": "true" }, numbers),
      h("pre.text", {}, highlighted(text, language))
    )
  );
}

const TABS = [
  ["nest", "Kernel IR"],
  ["numba", "Numba"],
  ["llvm", "LLVM IR"],
  ["asm", "Assembly"],
  ["tile", "Tiles"],
];

// Tabs over the texts of one kernel; the one that was open stays open from kernel to kernel.
function codeTabs(app, plan, key) {
  const box = h("div.codes", {}, h("div.muted", {}, "unpacking …"));
  plan.code(key).then((code) => {
    if (!code) {
      refill(box, h("p.muted", {}, "This page holds no code."));
      return;
    }
    const tabs = TABS.filter(([name]) => code[name]);
    if (!tabs.length) {
      refill(box, h("p.muted", {}, "This step has no text of its own."));
      return;
    }
    const body = h("div", { role: "tabpanel" });
    const buttons = tabs.map(([name, title]) =>
      h(
        "button",
        { type: "button", role: "tab", onclick: () => open(name) },
        name === "asm" && /^\s*(\/\/[^\n]*\n|\s)*\.version/.test(code.asm)
          ? "PTX"
          : name === "numba" && /^from numba import cuda/m.test(code.numba)
            ? "CUDA (Numba)"
            : name === "tile" && /\d blocks? of \d/.test(code.tile)
              ? "Launches"
              : title
      )
    );
    const open = (name) => {
      app.codeTab = name;
      tabs.forEach(([other], i) =>
        buttons[i].setAttribute("aria-selected", String(other === name))
      );
      refill(body, name === "tile" ? h("p.prose", {}, code.tile) : codeBlock(code[name], name));
    };
    refill(box, h("div.tabs", { role: "tablist" }, buttons), body);
    open(tabs.some(([name]) => name === app.codeTab) ? app.codeTab : tabs[0][0]);
  });
  return box;
}

// The user's line with those around it.
function excerpt(model, place) {
  const lines = place.file.lines || {},
    rows = [];
  for (let n = place.line - 3; n <= place.line + 3; n++) {
    const text = lines[n];
    if (text === undefined) continue;
    rows.push(
      h(
        n === place.line ? "div.line.here" : "div.line",
        {},
        h("i", {}, n),
        h("span", {}, highlighted(text, "numba"))
      )
    );
  }
  return rows.length ? h("div.excerpt", {}, rows) : null;
}
