// Layered layout of a nested graph. Pure: numbers in, numbers out; runs in a worker or on the page.
// Every container is laid out on its own, inside out, after Sugiyama; what leaves or enters a
// container goes through a port on its border, one for each source, so that lines never jump.
function layoutModule({ rankAll, splitWideRanks, addDummies }, { order }, placing) {
  const { coordinates, rankTops, normalise } = placing;
  const ITEM = 0,
    IN_PORT = 1,
    OUT_PORT = 2;

  // input: n, parent (container or -1), w, h, container (0|1), edges: src, dst, cls (arrays)
  function layout(input) {
    const levels = makeLevels(input);
    const segs = {
      x0: [],
      y0: [],
      x1: [],
      y1: [],
      parent: [],
      level: [],
      src: [],
      cls: [],
      far: [],
      tip: [],
    };
    const out = {
      x: new Float64Array(input.n),
      y: new Float64Array(input.n),
      w: Float64Array.from(input.w),
      h: Float64Array.from(input.h),
    };
    for (const level of levels.order) place(level, input, out);
    absolute(levels, input, out);
    const last = route(levels, input, out, segs);
    const root = levels.of.get(-1);
    return {
      x: Float32Array.from(out.x),
      y: Float32Array.from(out.y),
      w: Float32Array.from(out.w),
      h: Float32Array.from(out.h),
      segs: {
        x0: Float32Array.from(segs.x0),
        y0: Float32Array.from(segs.y0),
        x1: Float32Array.from(segs.x1),
        y1: Float32Array.from(segs.y1),
        parent: Int32Array.from(segs.parent),
        src: Int32Array.from(segs.src),
        cls: Uint8Array.from(segs.cls),
        far: Uint8Array.from(segs.far),
        tip: Uint8Array.from(segs.tip),
      },
      last,
      width: root.width,
      height: root.height,
    };
  }

  // One level for each container, with the edges whose ends first differ there. ---------------
  function makeLevels(input) {
    const of = new Map([[-1, newLevel(-1)]]);
    const depth = new Int32Array(input.n);
    for (let i = 0; i < input.n; i++) {
      // parents stand in front of their children
      depth[i] = input.parent[i] < 0 ? 0 : depth[input.parent[i]] + 1;
      if (input.container[i]) of.set(i, newLevel(i));
    }
    for (let i = 0; i < input.n; i++) of.get(input.parent[i]).members.push(i);
    const lifted = new Array(input.src.length);
    for (let e = 0; e < input.src.length; e++) {
      let a = input.src[e],
        b = input.dst[e];
      while (depth[a] > depth[b]) a = input.parent[a];
      while (depth[b] > depth[a]) b = input.parent[b];
      while (a !== b && input.parent[a] !== input.parent[b]) {
        a = input.parent[a];
        b = input.parent[b];
      }
      lifted[e] = a === b ? null : { a, b };
      if (a !== b) of.get(input.parent[a]).crossing.push({ e, a, b, back: false });
    }
    // outside in: who turns back is known before ports are opened below
    const outside = [...of.values()].sort((p, q) => at(p) - at(q));
    function at(level) {
      return level.id < 0 ? -1 : depth[level.id];
    }
    for (const level of outside) {
      turnBack(level);
      for (const c of level.crossing) if (!c.back) openPorts(c, of, input, level);
    }
    return { of, order: outside.reverse(), lifted };
  }

  function newLevel(id) {
    return {
      id,
      members: [],
      crossing: [],
      ports: new Map(),
      links: new Map(),
      width: 0,
      height: 0,
    };
  }

  // Collapsed scopes can form cycles: the links that close one, in depth-first order, turn back.
  function turnBack(level) {
    const next = new Map(),
      state = new Map();
    const pairs = new Map();
    for (const c of level.crossing) {
      const key = c.a + ">" + c.b;
      if (!pairs.has(key)) {
        pairs.set(key, []);
        if (!next.has(c.a)) next.set(c.a, []);
        next.get(c.a).push(c.b);
      }
      pairs.get(key).push(c);
    }
    const into = new Map();
    for (const outs of next.values()) for (const b of outs) into.set(b, (into.get(b) || 0) + 1);
    const starts = level.members.filter((m) => !into.has(m));
    for (const start of [...starts, ...level.members]) {
      if (state.has(start)) continue;
      const stack = [[start, 0]];
      state.set(start, 1);
      while (stack.length) {
        const top = stack[stack.length - 1];
        const outs = next.get(top[0]) || [];
        if (top[1] >= outs.length) {
          state.set(top[0], 2);
          stack.pop();
          continue;
        }
        const b = outs[top[1]++];
        if (state.get(b) === 1) {
          for (const c of pairs.get(top[0] + ">" + b)) c.back = true;
        } else if (!state.has(b)) {
          state.set(b, 1);
          stack.push([b, 0]);
        }
      }
    }
  }

  // Vertices of a level: its members, then ports. A link is a pair of vertices of one source.
  function openPorts(c, of, input, level) {
    const src = input.src[c.e],
      dst = input.dst[c.e],
      cls = input.cls[c.e];
    const from = c.a === src ? vertex(ITEM, src) : port(OUT_PORT, c.a);
    const to = c.b === dst ? vertex(ITEM, dst) : port(IN_PORT, c.b);
    link(level, from, to, src, cls, c.e);
    for (
      let inner = src, up = input.parent[src];
      inner !== c.a;
      inner = up, up = input.parent[up]
    ) {
      const head = inner === src ? vertex(ITEM, src) : port(OUT_PORT, inner);
      link(of.get(up), head, port(OUT_PORT, up), src, cls, -1);
    }
    for (
      let inner = dst, up = input.parent[dst];
      inner !== c.b;
      inner = up, up = input.parent[up]
    ) {
      const tail = inner === dst ? vertex(ITEM, dst) : port(IN_PORT, inner);
      link(of.get(up), port(IN_PORT, up), tail, src, cls, -1);
    }
    function port(kind, owner) {
      const key = kind + ":" + src + ":" + cls;
      const ports = of.get(owner).ports;
      if (!ports.has(key)) ports.set(key, { kind, owner, src, cls, x: 0 });
      return { kind, key, owner };
    }
    function vertex(kind, id) {
      return { kind, key: "n" + id, owner: id };
    }
  }

  function link(level, from, to, src, cls, edge) {
    const key = from.key + "@" + from.owner + ">" + to.key + "@" + to.owner + "/" + src + "/" + cls;
    let found = level.links.get(key);
    if (!found) level.links.set(key, (found = { from, to, src, cls, edges: [], back: false }));
    if (edge >= 0) found.edges.push(edge);
  }

  // One level: ranks, order, coordinates; its size is its container's. -----------------------
  function place(level, input, out) {
    const g = graphOf(level, input, out);
    rankAll(g);
    splitWideRanks(g);
    const rows = addDummies(g);
    order(g, rows);
    coordinates(g, rows);
    rankTops(g, rows, level.id >= 0);
    normalise(g, level);
    for (let v = 0; v < g.real; v++) {
      if (g.kind[v] === ITEM) {
        out.x[g.id[v]] = g.x[v] - g.w[v] / 2;
        out.y[g.id[v]] = g.y[v];
      } else level.ports.get(g.id[v]).x = g.x[v];
    }
    if (level.id >= 0) {
      out.w[level.id] = Math.max(level.width, input.w[level.id]);
      out.h[level.id] = level.height;
    }
    level.g = g;
  }

  function graphOf(level, input, out) {
    const g = { kind: [], id: [], w: [], h: [], rank: [], index: new Map(), boxes: input.n };
    for (const m of level.members) add(ITEM, m, out.w[m], out.h[m], "n" + m);
    for (const [key, p] of level.ports) add(p.kind, key, 1, 1, key + "@" + level.id);
    g.real = g.kind.length;
    g.links = [];
    for (const l of level.links.values()) {
      const a = indexOf(l.from),
        b = indexOf(l.to);
      g.links.push({ l, a, b, back: false });
    }
    const backs = new Map();
    for (const c of level.crossing) {
      if (!c.back) continue;
      const key = c.b + ">" + c.a + "/" + input.cls[c.e];
      if (!backs.has(key)) backs.set(key, { edges: [], a: c.a, b: c.b, cls: input.cls[c.e] });
      backs.get(key).edges.push(c.e);
    }
    for (const k of backs.values()) {
      const l = { src: input.src[k.edges[0]], cls: k.cls, edges: k.edges, from: null, to: null };
      g.links.push({ l, a: g.index.get("n" + k.b), b: g.index.get("n" + k.a), back: true });
    }
    return g;
    function add(kind, id, w, h, key) {
      g.index.set(key, g.kind.length);
      g.kind.push(kind);
      g.id.push(id);
      g.w.push(w);
      g.h.push(h);
    }
    function indexOf(end) {
      if (end.kind !== ITEM && end.owner === level.id) return g.index.get(end.key + "@" + level.id);
      return g.index.get("n" + end.owner);
    }
  }

  // The ways of the edges: curves from rank to rank, each knowing the one in front of it. ------
  function absolute(levels, input, out) {
    for (const level of [...levels.order].reverse()) {
      const ox = level.id < 0 ? 0 : out.x[level.id] + (out.w[level.id] - level.width) / 2;
      const oy = level.id < 0 ? 0 : out.y[level.id];
      level.ox = ox;
      level.oy = oy;
      for (const m of level.members) {
        out.x[m] += ox;
        out.y[m] += oy;
      }
      for (const p of level.ports.values()) p.ax = p.x + ox;
    }
  }

  function route(levels, input, out, segs) {
    const last = new Int32Array(input.src.length).fill(-1);
    const inner = new Map(); // the last curve to an end, by level, end, source and class
    const outsideIn = [...levels.order].reverse();
    // out of the containers first, from the inside
    for (const level of levels.order) trace(level, (k) => k.l.to && k.l.to.kind === OUT_PORT);
    for (const level of outsideIn) trace(level, (k) => !(k.l.to && k.l.to.kind === OUT_PORT));
    for (let e = 0; e < last.length; e++) {
      // an edge into a container ends at its innermost curve
      const key = "n" + input.dst[e] + "/" + input.src[e] + "/" + input.cls[e];
      const seg = inner.get(key);
      if (last[e] < 0 && seg !== undefined) last[e] = seg;
    }
    return last;

    function trace(level, wanted) {
      const g = level.g;
      for (const k of g.links) {
        if (!wanted(k)) continue;
        const end = k.back ? traceBack(level, k) : traceLink(level, k);
        if (k.back) for (const e of k.l.edges) last[e] = end;
        else inner.set(endKey(k.l), end);
      }
    }
    function endKey(l) {
      const owner = l.to.kind === ITEM ? "n" + l.to.owner : l.to.kind + "p" + l.to.owner;
      return owner + "/" + l.src + "/" + l.cls;
    }
    function before(l) {
      if (l.from.kind === ITEM) return -1;
      const seg = inner.get(l.from.kind + "p" + l.from.owner + "/" + l.src + "/" + l.cls);
      return seg === undefined ? -1 : seg;
    }
    function portX(level, end, v) {
      if (end && end.kind !== ITEM && end.owner !== level.id) {
        return levels.of.get(end.owner).ports.get(end.key).ax;
      }
      return level.g.x[v] + level.ox;
    }
    function top(level, v) {
      return level.oy + level.g.y[v];
    }
    function rowEnd(level, v) {
      const g = level.g,
        r = g.row[v];
      return level.oy + g.tops[r] + g.heights[r];
    }
    function traceLink(level, k) {
      const g = level.g,
        chain = k.chain;
      let x = portX(level, k.l.from, k.a),
        y = top(level, k.a) + g.h[k.a];
      const entering = k.l.from.kind === IN_PORT && k.l.from.owner === level.id;
      if (entering) y = level.oy;
      let parent = before(k.l);
      const foot = rowEnd(level, k.a);
      if (foot - y > 1) {
        // past the taller neighbours first
        if (chain.foot === undefined) chain.foot = add(x, y, x, foot, parent, k, 0, 0);
        parent = chain.foot;
        y = foot;
      }
      if (!(chain.drop && k.span > 1)) {
        chain.segs = chain.segs || [];
        for (let i = 0; i < k.span - 1; i++) {
          const d = chain.nodes[i],
            dx = g.x[d] + level.ox;
          const rowTop = level.oy + g.tops[g.row[d]],
            rowEnd = rowTop + g.heights[g.row[d]];
          if (chain.segs[i] === undefined) {
            const down = add(x, y, dx, rowTop, parent, k, 0, 0);
            chain.segs[i] = add(dx, rowTop, dx, rowEnd, down, k, 0, 0);
          }
          parent = chain.segs[i];
          x = dx;
          y = rowEnd;
        }
      }
      const leaving = k.l.to.kind === OUT_PORT && k.l.to.owner === level.id;
      const ey = leaving ? level.oy + level.height : top(level, k.b);
      const ex = portX(level, k.l.to, k.b),
        head = level.oy + g.tops[g.row[k.b]];
      const far = chain.drop && k.span > 1 ? 1 : 0,
        tip = k.l.to.kind === ITEM ? 1 : 0;
      if (ey - head <= 1) return add(x, y, ex, ey, parent, k, far, tip);
      return add(ex, head, ex, ey, add(x, y, ex, head, parent, k, far, 0), k, far, tip);
    }
    // from the lower item's top up to the upper item's foot
    function traceBack(level, k) {
      const g = level.g,
        chain = k.chain;
      let x = g.x[k.b] + level.ox + 12,
        y = top(level, k.b),
        parent = -1;
      if (!chain.drop) {
        for (let i = k.span - 2; i >= 0; i--) {
          const d = chain.nodes[i],
            dx = g.x[d] + level.ox;
          const rowTop = level.oy + g.tops[g.row[d]],
            rowEnd = rowTop + g.heights[g.row[d]];
          parent = add(x, y, dx, rowEnd, parent, k, 0, 0);
          parent = add(dx, rowEnd, dx, rowTop, parent, k, 0, 0);
          x = dx;
          y = rowTop;
        }
      }
      const ex = g.x[k.a] + level.ox + 12;
      return add(x, y, ex, top(level, k.a) + g.h[k.a], parent, k, chain.drop ? 1 : 0, 1);
    }
    function add(x0, y0, x1, y1, parent, k, far, tip) {
      segs.x0.push(x0);
      segs.y0.push(y0);
      segs.x1.push(x1);
      segs.y1.push(y1);
      segs.parent.push(parent);
      segs.src.push(k.l.src);
      segs.cls.push(k.l.cls);
      segs.far.push(far);
      segs.tip.push(tip);
      return segs.x0.length - 1;
    }
  }

  return { layout };
}
