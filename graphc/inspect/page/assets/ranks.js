// The rank of each vertex of a level, and the dummies of lines that go over several ranks. Pure, as
// layout.js, which calls it.
function ranksModule() {
  const ITEM = 0,
    IN_PORT = 1,
    OUT_PORT = 2,
    DUMMY = 3;

  // Longest paths, then each vertex goes where its lines are shortest.
  function rankAll(g) {
    const n = g.real,
      outs = lists(n),
      ins = lists(n),
      left = new Int32Array(n);
    for (const k of g.links) {
      outs[k.a].push(k.b);
      ins[k.b].push(k.a);
      left[k.b]++;
    }
    const queue = [];
    const rank = new Int32Array(n);
    for (let v = 0; v < n; v++) if (!left[v]) queue.push(v);
    for (let i = 0; i < queue.length; i++) {
      for (const b of outs[queue[i]]) {
        rank[b] = Math.max(rank[b], rank[queue[i]] + 1);
        if (--left[b] === 0) queue.push(b);
      }
    }
    const entered = g.kind.includes(IN_PORT) ? 1 : 0;
    if (entered) {
      for (let v = 0; v < n; v++) if (g.kind[v] !== IN_PORT && !ins[v].length) rank[v] = 1;
      for (const v of queue) for (const b of outs[v]) rank[b] = Math.max(rank[b], rank[v] + 1);
    }
    let bottom = 0;
    for (let v = 0; v < n; v++) if (g.kind[v] !== OUT_PORT) bottom = Math.max(bottom, rank[v]);
    for (let round = 0; round < 4; round++) {
      for (let i = queue.length - 1; i >= 0; i--) pull(queue[i]);
      for (const v of queue) pull(v);
    }
    for (let v = 0; v < n; v++) if (g.kind[v] === OUT_PORT) rank[v] = bottom + 1;
    function pull(v) {
      if (g.kind[v] !== ITEM || !outs[v].length) return;
      let low = g.kind.length,
        high = -1;
      for (const b of outs[v]) if (g.kind[b] !== OUT_PORT) low = Math.min(low, rank[b] - 1);
      for (const a of ins[v]) if (g.kind[a] !== IN_PORT) high = Math.max(high, rank[a] + 1);
      if (low === g.kind.length) return;
      const down = outs[v].length,
        up = ins[v].length;
      if (high < 0 || down > up) rank[v] = Math.max(rank[v], low);
      else if (down < up) rank[v] = Math.max(high, entered);
    }
    g.rank = rank;
    g.outs = outs;
    g.ins = ins;
    g.topo = queue;
  }

  // A rank is cut where it gets much wider than the graph is high: nothing in it depends on
  // anything else in it, so the parts may stand below one another.
  function splitWideRanks(g) {
    const items = g.kind.filter((k) => k === ITEM).length;
    const most = Math.max(8, Math.ceil(1.3 * Math.sqrt(items)));
    const walk = depthFirst(g),
      rows = [];
    for (const v of walk) (rows[g.rank[v]] = rows[g.rank[v]] || []).push(v);
    let base = 0;
    for (const row of rows) {
      if (!row) continue;
      const ports = g.kind[row[0]] !== ITEM;
      const parts = ports ? 1 : Math.ceil(row.length / most);
      const size = Math.ceil(row.length / parts);
      row.forEach((v, i) => {
        g.rank[v] = base + Math.floor(i / size);
      });
      base += parts;
    }
    g.ranks = base;
    g.walk = walk;
  }

  function depthFirst(g) {
    const seen = new Uint8Array(g.real),
      walk = [];
    for (const start of g.topo) {
      if (seen[start]) continue;
      const stack = [start];
      while (stack.length) {
        const v = stack.pop();
        if (seen[v]) continue;
        seen[v] = 1;
        walk.push(v);
        const around = g.ins[v].concat(g.outs[v]);
        for (let i = around.length - 1; i >= 0; i--) if (!seen[around[i]]) stack.push(around[i]);
      }
    }
    return walk;
  }

  // Lines of one source that go far share a chain of dummies; the farthest of all go without.
  function addDummies(g) {
    const chains = new Map();
    for (const k of g.links) {
      k.span = g.rank[k.b] - g.rank[k.a];
      const key = k.a + "/" + k.l.cls + (k.back ? "b" : "") + k.l.src;
      k.chain = chains.get(key);
      if (!k.chain) chains.set(key, (k.chain = { a: k.a, span: 0, nodes: [], drop: false }));
      k.chain.span = Math.max(k.chain.span, k.span);
    }
    let total = 0;
    for (const c of chains.values()) total += Math.max(0, c.span - 1);
    const budget = 2 * g.real + 150;
    for (const c of [...chains.values()].sort((p, q) => q.span - p.span)) {
      if (total <= budget) break;
      c.drop = true;
      total -= c.span - 1;
    }
    const rows = [];
    for (let r = 0; r < g.ranks; r++) rows.push([]);
    for (const v of g.walk) rows[g.rank[v]].push(v);
    g.up = lists(g.real);
    g.down = lists(g.real);
    for (const k of g.links) {
      if (k.chain.drop && k.span > 1) continue;
      let from = k.a;
      for (let r = g.rank[k.a] + 1, i = 0; r < g.rank[k.b]; r++, i++) {
        if (i === k.chain.nodes.length) {
          const d = g.kind.length;
          g.kind.push(DUMMY);
          g.id.push(-1);
          g.w.push(2);
          g.h.push(0);
          g.up.push([]);
          g.down.push([]);
          rows[r].push(d);
          k.chain.nodes.push(d);
          g.down[from].push(d);
          g.up[d].push(from);
        }
        from = k.chain.nodes[i];
      }
      g.down[from].push(k.b);
      g.up[k.b].push(from);
    }
    g.row = new Int32Array(g.kind.length);
    rows.forEach((row, r) => {
      for (const v of row) g.row[v] = r;
    });
    return rows;
  }

  function lists(n) {
    return Array.from({ length: n }, () => []);
  }

  return { rankAll, splitWideRanks, addDummies };
}
