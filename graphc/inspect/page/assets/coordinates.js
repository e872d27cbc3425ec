// Coordinates of a level whose rows are ordered, after Brandes and Koepf: four alignments, each
// as straight as it can be. Their blocks are pulled together, the one with the shortest lines
// stays; of a huge level it is the median of the four. Pure, as layout.js, which calls it.
function coordinatesModule() {
  const PAD = 16,
    HEADER = 32,
    RANK_GAP = 48,
    PORT_GAP = 24,
    NODE_GAP = 26,
    LINE_GAP = 12;
  const ITEM = 0,
    DUMMY = 3;
  const TURNS = 24,
    MOST = 60;
  const HUGE = 6000,
    LARGE = 1500,
    CLUSTERED = 900; // boxes, vertices: the more, the less care for each

  function coordinates(g, rows) {
    const n = g.kind.length;
    const conflicts = markConflicts(g, rows);
    const found = [];
    for (const down of [true, false]) {
      for (const left of [true, false]) {
        let turned = down ? rows : rows.slice().reverse();
        if (!left) turned = turned.map((row) => row.slice().reverse());
        const pos = new Float64Array(n);
        for (const row of turned)
          row.forEach((v, i) => {
            pos[v] = i;
          });
        const root = align(turned, down ? g.up : g.down, pos, conflicts, n);
        const x = compact(g, turned, root, n);
        if (!left) for (let v = 0; v < n; v++) x[v] = -x[v];
        found.push({ x, left, root });
      }
    }
    g.x = g.boxes > HUGE || n > HUGE ? median(g, found, n) : shortest(g, rows, found, n);
  }

  function shortest(g, rows, found, n) {
    let best = null,
      least = Infinity;
    for (const { x, root } of found) {
      pullTogether(g, rows, x, root, n);
      const length = pullTogether(g, rows, x, chains(g, n), n); // now each box by itself
      if (length >= least) continue;
      least = length;
      best = x;
    }
    return best;
  }

  // Long lines stay straight: a chain of dummies is one block.
  function chains(g, n) {
    const root = new Int32Array(n);
    for (let v = 0; v < n; v++) root[v] = v;
    for (let v = 0; v < n; v++) {
      // dummies are numbered downwards
      const above = g.kind[v] === DUMMY ? g.up[v][0] : v;
      if (g.kind[v] === DUMMY && g.kind[above] === DUMMY) root[v] = root[above];
    }
    return root;
  }

  // Each block moves to the middle of those it is joined to, as far as its neighbours let it:
  // those that go left in the order from the left, those that go right from the right.
  function pullTogether(g, rows, x, root, n) {
    const members = new Map();
    for (let v = 0; v < n; v++) {
      if (!members.has(root[v])) members.set(root[v], []);
      members.get(root[v]).push(v);
    }
    const at = new Int32Array(n),
      rowOf = new Int32Array(n);
    rows.forEach((row, r) =>
      row.forEach((v, i) => {
        at[v] = i;
        rowOf[v] = r;
      })
    );
    const blocks = [...members.values()].map((all) => {
      const joined = [];
      for (const v of all) {
        for (const near of [g.up[v], g.down[v]])
          for (const u of near) if (root[u] !== root[v]) joined.push(u);
      }
      return { all, joined };
    });
    for (let turn = 0; turn < TURNS; turn++) {
      const left = turn % 2 === 0;
      blocks.sort((p, q) => (left ? x[p.all[0]] - x[q.all[0]] : x[q.all[0]] - x[p.all[0]]));
      let moved = 0;
      for (const { all, joined } of blocks) {
        if (!joined.length) continue;
        const ends = joined.map((u) => x[u]).sort((p, q) => p - q),
          half = ends.length >> 1;
        const here = x[all[0]];
        const want =
          ends.length % 2 ? ends[half] : Math.max(ends[half - 1], Math.min(ends[half], here));
        if (left ? want >= here : want <= here) continue;
        let to = want;
        for (const v of all) {
          const next = rows[rowOf[v]][at[v] + (left ? -1 : 1)];
          if (next === undefined) continue;
          to = left
            ? Math.max(to, x[next] + separation(g, next, v))
            : Math.min(to, x[next] - separation(g, v, next));
        }
        if (left ? to >= here - 0.01 : to <= here + 0.01) continue;
        for (const v of all) x[v] = to;
        moved++;
      }
      if (!moved && turn > 1) break;
    }
    if (g.boxes < LARGE && n < CLUSTERED) pullClusters(g, rows, x, blocks, at, rowOf);
    let length = 0;
    for (let v = 0; v < n; v++) for (const u of g.down[v]) length += Math.abs(x[u] - x[v]);
    return length;
  }

  // A block that others hold takes them along, as long as more lines get shorter than longer.
  function pullClusters(g, rows, x, blocks, at, rowOf) {
    const blockOf = new Map();
    for (const b of blocks) for (const v of b.all) blockOf.set(v, b);
    for (let round = 0, moved = true; moved && round < 3; round++) {
      moved = false;
      for (const b of blocks) {
        for (const way of [1, -1]) {
          for (let step = 0; step < 12 && move(b, way); step++) moved = true;
        }
      }
    }

    function move(first, way) {
      const cluster = new Set([first]);
      while (cluster.size <= MOST) {
        const [force, reach, level] = pulled(cluster, way);
        if (force <= 0) {
          // those that it is in line with come along
          if (!level.length) return false;
          for (const b of level) cluster.add(b);
          continue;
        }
        const [slack, tight] = held(cluster, way);
        if (tight.length) {
          for (const b of tight) cluster.add(b);
          continue;
        }
        const far = Math.min(reach, slack);
        for (const b of cluster) for (const v of b.all) x[v] += far * way;
        return true;
      }
      return false;
    }
    // lines that a move makes shorter less those that it makes longer; how far that holds
    function pulled(cluster, way) {
      let force = 0,
        reach = Infinity;
      const level = [];
      for (const b of cluster) {
        for (const u of b.joined) {
          if (cluster.has(blockOf.get(u))) continue;
          const far = (x[u] - x[b.all[0]]) * way;
          if (far > 0.01) {
            force++;
            reach = Math.min(reach, far);
          } else {
            force--;
            if (far > -0.01) level.push(blockOf.get(u));
          }
        }
      }
      return [force, reach, level];
    }
    function held(cluster, way) {
      let slack = Infinity;
      const tight = [];
      for (const b of cluster) {
        for (const v of b.all) {
          const next = rows[rowOf[v]][at[v] + way];
          if (next === undefined || cluster.has(blockOf.get(next))) continue;
          const room = Math.abs(x[next] - x[v]) - separation(g, v, next);
          if (room < 0.01) tight.push(blockOf.get(next));
          else slack = Math.min(slack, room);
        }
      }
      return [slack, tight];
    }
  }

  // A line between nodes that crosses a line between dummies yields: long lines stay straight.
  function markConflicts(g, rows) {
    const bad = new Set(),
      n = g.kind.length;
    for (let r = 1; r < rows.length; r++) {
      const row = rows[r],
        end = rows[r - 1].length;
      let from = 0,
        low = 0;
      row.forEach((v, i) => {
        const above = g.kind[v] === DUMMY ? g.up[v].find((u) => g.kind[u] === DUMMY) : undefined;
        if (above === undefined && i !== row.length - 1) return;
        const high = above === undefined ? end : g.pos[above];
        for (let k = from; k <= i; k++) {
          const s = row[k];
          for (const u of g.up[s]) {
            if (g.pos[u] >= low && g.pos[u] <= high) continue;
            if (g.kind[u] !== DUMMY || g.kind[s] !== DUMMY) bad.add(u * n + s);
          }
        }
        from = i + 1;
        low = high;
      });
    }
    return bad;
  }

  // Each vertex stands under the middle one of its neighbours, where no other line is in between.
  function align(rows, near, pos, conflicts, n) {
    const root = new Int32Array(n),
      next = new Int32Array(n);
    for (let v = 0; v < n; v++) root[v] = next[v] = v;
    for (const row of rows) {
      let reached = -1;
      for (const v of row) {
        const around = near[v];
        if (!around.length) continue;
        const sorted = around.length > 1 ? around.slice().sort((p, q) => pos[p] - pos[q]) : around;
        const middle = (sorted.length - 1) / 2;
        for (let i = Math.floor(middle); i <= Math.ceil(middle); i++) {
          const w = sorted[i];
          if (next[v] !== v || reached >= pos[w]) continue;
          if (conflicts.has(w * n + v) || conflicts.has(v * n + w)) continue;
          next[w] = v;
          next[v] = root[v] = root[w];
          reached = pos[w];
        }
      }
    }
    return root;
  }

  // Blocks of aligned vertices as far left as they can be, then right where nothing holds them.
  function compact(g, rows, root, n) {
    const outs = new Map(),
      ins = new Map(),
      blocks = [];
    const left = new Int32Array(n),
      x = new Float64Array(n),
      seen = new Uint8Array(n);
    for (const row of rows) {
      for (let i = 0; i < row.length; i++) {
        const b = root[row[i]];
        if (!seen[b]) {
          seen[b] = 1;
          blocks.push(b);
          outs.set(b, []);
          ins.set(b, []);
        }
        if (!i) continue;
        const a = root[row[i - 1]],
          apart = separation(g, row[i - 1], row[i]);
        outs.get(a).push(b, apart);
        ins.get(b).push(a, apart);
        left[b]++;
      }
    }
    const queue = blocks.filter((b) => !left[b]);
    for (let i = 0; i < queue.length; i++) {
      const o = outs.get(queue[i]);
      for (let k = 0; k < o.length; k += 2) {
        x[o[k]] = Math.max(x[o[k]], x[queue[i]] + o[k + 1]);
        if (--left[o[k]] === 0) queue.push(o[k]);
      }
    }
    for (let i = queue.length - 1; i >= 0; i--) {
      const b = queue[i],
        o = outs.get(b);
      let room = Infinity;
      for (let k = 0; k < o.length; k += 2) room = Math.min(room, x[o[k]] - o[k + 1]);
      if (room < Infinity) x[b] = Math.max(x[b], room);
    }
    const all = new Float64Array(n);
    for (let v = 0; v < n; v++) all[v] = x[root[v]];
    return all;
  }

  function separation(g, a, b) {
    const gap = (v) => (g.kind[v] === ITEM ? NODE_GAP : LINE_GAP);
    return (g.w[a] + g.w[b] + gap(a) + gap(b)) / 2;
  }

  function median(g, found, n) {
    const ends = found.map(({ x }) => {
      let low = Infinity,
        high = -Infinity;
      for (let v = 0; v < n; v++) {
        low = Math.min(low, x[v] - g.w[v] / 2);
        high = Math.max(high, x[v] + g.w[v] / 2);
      }
      return [low, high];
    });
    let best = 0;
    ends.forEach((e, i) => {
      if (e[1] - e[0] < ends[best][1] - ends[best][0]) best = i;
    });
    const shift = found.map(({ left }, i) => ends[best][left ? 0 : 1] - ends[i][left ? 0 : 1]);
    const x = new Float64Array(n),
      four = [0, 0, 0, 0];
    for (let v = 0; v < n; v++) {
      for (let i = 0; i < 4; i++) four[i] = found[i].x[v] + shift[i];
      four.sort((p, q) => p - q);
      x[v] = (four[1] + four[2]) / 2;
    }
    return x;
  }

  function rankTops(g, rows, contained) {
    g.tops = [];
    g.heights = [];
    g.y = new Float64Array(g.kind.length);
    let y = contained ? HEADER : PAD,
      crowd = 0;
    rows.forEach((row, r) => {
      const height = row.reduce((most, v) => Math.max(most, g.h[v]), 0);
      const empty = height <= 1;
      if (r) y += empty || crowd === 0 ? PORT_GAP : RANK_GAP;
      crowd = empty ? 0 : 1;
      g.tops.push(y);
      g.heights.push(height);
      for (const v of row) g.y[v] = y + (height - g.h[v]) / 2;
      y += height;
    });
    g.bottom = y;
  }

  function normalise(g, level) {
    let low = Infinity,
      high = -Infinity;
    for (let v = 0; v < g.kind.length; v++) {
      low = Math.min(low, g.x[v] - g.w[v] / 2);
      high = Math.max(high, g.x[v] + g.w[v] / 2);
    }
    if (low === Infinity) low = high = 0;
    for (let v = 0; v < g.kind.length; v++) g.x[v] += PAD - low;
    level.width = high - low + 2 * PAD;
    level.height = g.bottom + PAD;
  }

  return { coordinates, rankTops, normalise };
}
